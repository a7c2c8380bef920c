//! What follows from a failure: the policies, and the rollbacks that they lead to.

use crate::model::{PhaseId, Span, StepId};

/// What follows from a failure (R7).
#[derive(Clone, Debug, PartialEq)]
pub enum Policy {
    /// Go back.
    Rollback(Rollback),
    /// Nothing new starts; an operator decides.
    Pause,
    /// Tolerated, named in the outcome.
    Continue,
    /// The same as a pause, then the run ends.
    Stop,
}

/// A rollback: where to, and what then.
#[derive(Clone, Debug, PartialEq)]
pub struct Rollback {
    /// The place the run returns to.
    pub target: Target,
    /// What happens there.
    pub then: Then,
}

impl Rollback {
    /// Back to the start, and end there.
    pub const TO_START: Self = Self { target: Target::Start, then: Then::Stop };

    /// What follows after its last further pass, where that is another rollback.
    pub fn otherwise(&self) -> Option<&Self> {
        match &self.then {
            Then::Retry { otherwise, .. } => match &**otherwise {
                Policy::Rollback(rollback) => Some(rollback),
                Policy::Pause | Policy::Continue | Policy::Stop => None,
            },
            Then::Stop | Then::Pause => None,
        }
    }

    /// The rollback that many `else` behind this one.
    pub fn behind(&self, rungs: u16) -> Option<&Self> {
        (0..rungs).try_fold(self, |rollback, _| rollback.otherwise())
    }
}

/// The place a run returns to: the moment that it was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// The start of the run.
    Start,
    /// The moment that step was settled.
    Step(StepId),
    /// The moment that phase ended.
    Phase(PhaseId),
}

/// What happens at the target of a rollback.
#[derive(Clone, Debug, PartialEq)]
pub enum Then {
    /// The run ends, rolled back.
    Stop,
    /// An operator decides.
    Pause,
    /// The way forward is tried again.
    Retry {
        /// Further passes, at least 1.
        passes: u32,
        /// Before each.
        delay: Span,
        /// All of them together, from the end of the first rollback.
        within: Option<Span>,
        /// After the last.
        otherwise: Box<Policy>,
    },
}
