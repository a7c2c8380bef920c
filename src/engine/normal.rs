//! States that differ only in how far things were counted lead to the same decisions from then on.

use super::state::{AskState, Asks, AtValue, BaselineState, JobState, PhaseState, Reach, Stage, Stand};
use super::{Deadline, Engine, HeldBack, Question};
use crate::model::{Attempt, FactId};

impl Engine {
    /// The same state, had facts, questions and attempts never been numbered: what an exhaustive search compares. Two
    /// questions about the same place of the plan become one; they are never open at once for the same reason.
    #[must_use]
    pub fn unnumbered(&self) -> Self {
        let mut plain = self.clone();
        plain.fact = FactId(0);
        plain.serial = 0;
        plain.armed = plain.armed.into_iter().map(Deadline::unnumbered).collect();
        plain.held = plain.held.into_iter().map(Deadline::unnumbered).collect();
        for step in &mut plain.steps {
            step.last = step.last.map(|_| Attempt::FIRST);
            match step.job.as_mut().map(|job| &mut job.state) {
                Some(
                    JobState::Attempting { number, .. }
                    | JobState::Stalled { number, .. }
                    | JobState::Stopping { number, .. },
                ) => {
                    *number = Attempt::FIRST;
                }
                Some(JobState::Asking { asks, .. }) => unnumber(asks),
                Some(JobState::AtValue(at)) => unnumber_value(at),
                Some(
                    JobState::Parked | JobState::Waiting | JobState::AtGate | JobState::Resting | JobState::Standing,
                )
                | None => {}
            }
        }
        for phase in &mut plain.phases {
            if let PhaseState::Requiring(asks) | PhaseState::Measuring(asks) = phase {
                unnumber(asks);
            }
        }
        if let BaselineState::Requiring(asks) = &mut plain.baseline {
            unnumber(asks);
        }
        match &mut plain.stage {
            Stage::Preflight(asks) => unnumber(asks),
            Stage::Rolling(rolling) => {
                if let Reach::Measuring(asks) = &mut rolling.reach {
                    unnumber(asks);
                }
            }
            Stage::Unborn | Stage::Forward | Stage::Weighing(..) | Stage::Ending(_) | Stage::Ended(_) => {}
        }
        plain
    }
}

impl Question {
    /// The same, had questions never been numbered.
    #[must_use]
    pub fn unnumbered(self) -> Self {
        Self { serial: 0, ..self }
    }
}

impl Deadline {
    /// The same, had questions never been numbered.
    #[must_use]
    pub fn unnumbered(self) -> Self {
        match self {
            Self::Within(question) => Self::Within(question.unnumbered()),
            Self::HoldFor(question) => Self::HoldFor(question.unnumbered()),
            other => other,
        }
    }
}

fn unnumber_value(at: &mut AtValue) {
    if let Stand::Confirming { asks, .. } = &mut at.stand {
        unnumber(asks);
    }
    for watched in at.advance.iter_mut().chain(&mut at.hold_while) {
        watched.question = watched.question.unnumbered();
    }
    if let Stand::Over { told: Some(HeldBack::Pressure(question) | HeldBack::NoData(question)) } = &mut at.stand {
        *question = question.unnumbered();
    }
}

fn unnumber(asks: &mut Asks) {
    for ask in &mut asks.open {
        ask.question = ask.question.unnumbered();
        if let AskState::Holding { since } = &mut ask.state {
            *since = FactId(0);
        }
    }
}
