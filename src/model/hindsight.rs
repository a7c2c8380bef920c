//! What the past says of a guard.

use super::{GuardId, Span, Time};

/// What a guard would have said over a stretch of the past; times count from its beginning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hindsight {
    /// Which guard.
    pub guard: GuardId,
    /// How often it was judged.
    pub judged: u64,
    /// For how long what it requires held; a verdict lasts until the next one.
    pub held: Span,
    /// For how long it did not.
    pub failed: Span,
    /// For how long that could not be told.
    pub no_data: Span,
    /// The last reason why a probe of it gave no data.
    pub why_none: Option<String>,
    /// When it would have breached.
    pub breaches: Vec<Spell>,
    /// When it would have paused a run for want of data (`no_data = "pause"`).
    pub blind: Vec<Spell>,
    /// When it would have warned.
    pub warned: Vec<Spell>,
    /// Why its `warn` was not tested, where it was not.
    pub why_unwarned: Option<String>,
}

/// What became of the test of a guard over the past.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tested {
    /// The past says this of it.
    Seen(Hindsight),
    /// The past cannot say anything of it, and why.
    Never(String),
    /// A server that should know did not answer, and why.
    Failed(String),
}

/// From the sample that was one too many to the first one after which it is so no longer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spell {
    /// When it began.
    pub from: Time,
    /// When it was over; `None`: not within the stretch.
    pub to: Option<Time>,
    /// By which values it began, for people.
    pub evidence: String,
}

impl Hindsight {
    /// The stretch in which it was judged.
    pub fn span(&self) -> Span {
        self.held.plus(self.failed).plus(self.no_data)
    }
}

impl Spell {
    /// How long it was; one that goes on counts to `end`.
    pub fn span(&self, end: Time) -> Span {
        self.to.unwrap_or(end).since(self.from)
    }
}
