//! How things end.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What a condition says of the samples at hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// True.
    Holds,
    /// False.
    Fails,
    /// Neither: something that it reads is missing.
    NoData,
}

impl Verdict {
    /// Of the condition that says the opposite.
    #[must_use]
    pub const fn opposite(self) -> Self {
        match self {
            Self::Holds => Self::Fails,
            Self::Fails => Self::Holds,
            Self::NoData => Self::NoData,
        }
    }
}

/// How one try of an action ended (R5). Details are evidence, for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AttemptEnd {
    /// It ended as it should.
    Done,
    /// It ended and said no.
    Failed,
    /// It was cut off (its bound passed, a connection was lost): the effect may have taken place.
    Unknown,
    /// It was stopped because the engine said so: the effect may have taken place.
    Stopped,
    /// It is certain that it was never started.
    NeverStarted,
    /// An earlier process started it, and nobody can say what became of it (R21).
    InDoubt,
}

/// What became of a step, as expressions and JSON see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepOutcome {
    /// Not begun in this pass.
    Pending,
    /// Begun.
    Running,
    /// Its action ended and every criterion was measured.
    Done,
    /// It was already true before this run touched it.
    Found,
    /// Its `when` said no, or an operator left it out.
    Skipped,
    /// It failed and its policy was to go on.
    Tolerated,
    /// It failed.
    Failed,
    /// Started, and whether its effect took place is not known.
    Unknown,
    /// Reversed.
    Undone,
}

impl StepOutcome {
    /// The word of the format.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Done => "done",
            Self::Found => "found",
            Self::Skipped => "skipped",
            Self::Tolerated => "tolerated",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
            Self::Undone => "undone",
        }
    }
}

impl StepOutcome {
    /// Whether what needs the step may begin.
    pub const fn is_settled(self) -> bool {
        matches!(self, Self::Done | Self::Found | Self::Skipped | Self::Tolerated)
    }
}

impl fmt::Display for StepOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunOutcome {
    /// Every criterion met.
    Succeeded,
    /// Nothing was started.
    Refused,
    /// Back at the target, verified.
    RolledBack,
    /// Ended on the way forward, not rolled back; or on a way back that was given up.
    Stopped,
}

impl RunOutcome {
    /// The word of the format.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Refused => "refused",
            Self::RolledBack => "rolled_back",
            Self::Stopped => "stopped",
        }
    }
}

impl fmt::Display for RunOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}
