//! A step at one moment.

use super::{Pace, RampStage, RampView};
use crate::model::{PhaseId, Span, StepOutcome, Time};

/// A step at this moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepView {
    /// Its name.
    pub name: String,
    /// Its phase, where there are phases.
    pub phase: Option<PhaseId>,
    /// Where it stands.
    pub state: StepState,
    /// The attempts of its own action so far.
    pub attempts: u32,
    /// The attempts of its undo so far.
    pub undo_attempts: u32,
    /// When it began in this pass.
    pub began: Option<Time>,
    /// How long it took, from its beginning to the end of its criteria.
    pub took: Option<Span>,
    /// Its action was started in this run, and it has not been undone since.
    pub in_effect: bool,
    /// It is a bracket, and its phase or the run has ended: its undo has run without a rollback (R12a).
    pub released: bool,
    /// What it came to on the way forward, whatever happened since.
    pub outcome: Option<StepOutcome>,
    /// Its ramp, where it is one.
    pub ramp: Option<RampView>,
    /// How it gets on, where that is watched.
    pub pace: Option<Pace>,
}

impl StepView {
    /// How many attempts it took, where that is more than it takes anyway: one, or one for each value of a ramp.
    pub fn attempts_told(&self) -> Option<u32> {
        let anyway = self.ramp.as_ref().map_or(1, |ramp| ramp.number);
        usize::try_from(self.attempts).is_ok_and(|attempts| attempts > anyway).then_some(self.attempts)
    }
}

/// Where a step stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StepState {
    /// Not begun.
    Pending,
    /// Conditions are looked at before its action.
    Checking {
        /// Which.
        what: String,
        /// Since when.
        since: Time,
        /// Going back?
        way: Way,
    },
    /// Its action runs.
    Running {
        /// Since when.
        since: Time,
        /// For how long at most.
        bound: Span,
        /// Which try of this pass, and how many there may be.
        tries: (u32, u32),
        /// Going back?
        way: Way,
    },
    /// Its ramp is at a value.
    Ramping {
        /// What it does there.
        stage: RampStage,
    },
    /// Its action is being stopped.
    Stopping {
        /// Since when.
        since: Time,
    },
    /// Its action has ended; its criteria are measured.
    Measuring {
        /// Since when.
        since: Time,
        /// For how long at most.
        bound: Option<Span>,
        /// What.
        what: String,
        /// Going back?
        way: Way,
    },
    /// A try failed; it waits for the next.
    Resting {
        /// Until when at the latest.
        until: Time,
        /// Which try comes next, and how many there may be.
        tries: (u32, u32),
        /// Going back?
        way: Way,
    },
    /// Waits for a person's answer.
    Asking {
        /// What is asked.
        question: String,
        /// Since when.
        since: Time,
        /// When it expires.
        expires: Option<Time>,
    },
    /// Settled on the way forward.
    Settled(StepOutcome),
    /// Whether it took effect is not known.
    InDoubt,
    /// Its undo failed.
    UndoFailed,
    /// Undone.
    Undone,
}

/// Which way something is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// The step's own action.
    There,
    /// Its undo.
    Back,
}

impl StepState {
    /// Whether it deserves a line of its own while others are only counted.
    pub fn is_active(&self) -> bool {
        match self {
            Self::Pending | Self::Undone => false,
            Self::Settled(outcome) => matches!(outcome, StepOutcome::Failed | StepOutcome::Unknown),
            Self::Checking { .. }
            | Self::Running { .. }
            | Self::Ramping { .. }
            | Self::Stopping { .. }
            | Self::Measuring { .. }
            | Self::Resting { .. }
            | Self::Asking { .. }
            | Self::InDoubt
            | Self::UndoFailed => true,
        }
    }

    /// Whether a rollback would have to stop it first.
    pub(super) fn is_running_forward(&self) -> bool {
        let sets = matches!(self, Self::Ramping { stage: RampStage::Setting });
        sets || matches!(self, Self::Running { way: Way::There, .. } | Self::Stopping { .. })
    }

    /// Whether what waits for it may go on.
    pub fn satisfies_needs(&self) -> bool {
        match self {
            Self::Settled(outcome) => matches!(
                outcome,
                StepOutcome::Done | StepOutcome::Found | StepOutcome::Skipped | StepOutcome::Tolerated
            ),
            _ => false,
        }
    }
}
