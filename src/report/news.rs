//! One line per notice, with what only the course of the run can tell: how long something took, in how many attempts.

use std::sync::Arc;

use super::text::{Line, Role};
use super::view::StepState;
use super::{Told, View, words};
use crate::engine::{Cause, Notice};
use crate::model::{Action, Plan, StepId, StepOutcome, Time};

/// Turns notices into lines, in the order in which they happened.
pub(super) struct NewsLines {
    plan: Arc<Plan>,
    view: View,
    /// The evidence that was shown last, and when.
    said: Option<(Time, String)>,
}

impl NewsLines {
    pub(super) fn new(plan: Arc<Plan>) -> Self {
        let view = View::new(&plan, "");
        Self { plan, view, said: None }
    }

    /// The line of this notice, and its role.
    pub(super) fn line(&mut self, told: &Told) -> (Role, Line) {
        self.view.take(&self.plan, told);
        let news = words::news(&self.plan, &told.notice);
        let remedy = news.remedy_in_words();
        let mut line = Line::of(news.role, news.what);
        if let Some(note) = self.note(&told.notice) {
            line.push(Role::Dim, format!(" ({note})"));
        }
        line.push(Role::Plain, words::by(told));
        // What has been said a line ago need not be said again.
        let said = told.evidence.as_ref().map(|evidence| (told.at, evidence.clone()));
        if said != self.said {
            line.push(Role::Plain, words::because(told));
        }
        line.push(Role::Plain, remedy);
        if words::evidence(told).is_some() {
            self.said = said;
        }
        (news.role, line)
    }

    /// Whether a live block or the line before tells this already, so that it needs no line of its own above the block.
    pub(super) fn is_passing(&self, notice: &Notice) -> bool {
        let forward = |step| &self.plan.step(step).forward.action;
        match *notice {
            // A person has to do it: that is no passing matter.
            Notice::StepStarted { step, .. } => !matches!(forward(step), Action::Manual(_)),
            // Its answer has been told.
            Notice::StepSettled { step, outcome: StepOutcome::Done } => matches!(forward(step), Action::Gate(_)),
            Notice::StepFailed { cause: Cause::NoGo, .. }
            | Notice::RampSetting { .. }
            | Notice::RampSet { .. }
            | Notice::StepMeasuring { .. }
            | Notice::UndoStarted { .. }
            | Notice::RollbackMeasuring { .. } => true,
            _ => false,
        }
    }

    /// How long it took.
    fn note(&self, notice: &Notice) -> Option<String> {
        match *notice {
            Notice::StepSettled { step, outcome: StepOutcome::Done | StepOutcome::Tolerated }
            | Notice::StepFailed { step, .. } => self.took(step),
            Notice::PhaseSucceeded { phase } | Notice::PhaseFailed { phase, .. } => {
                Some(self.view.phases[phase.index()].clock.spent(self.view.now).to_string())
            }
            Notice::RunFinished { .. } => Some(format!("{} in all", self.view.now.since(Time::ZERO))),
            _ => None,
        }
    }

    fn took(&self, step: StepId) -> Option<String> {
        let it = self.view.step(step);
        debug_assert!(matches!(it.state, StepState::Settled(_)), "the notice has just been taken in");
        let took = it.took?;
        Some(it.attempts_told().map_or_else(|| took.to_string(), |attempts| format!("{took}, {attempts} attempts")))
    }
}
