//! Expressions and the criteria built on them. Compiled and judged in `measure`.

use super::{ProbeId, Span};

/// One expression of the runbook, kept once however often it is used.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    /// The CEL text.
    pub text: String,
    /// The probes that it reads, in the order of the plan, each once.
    pub probes: Vec<ProbeId>,
    /// Of which of them it reads more than the last sample, and how far back.
    pub series: Vec<(ProbeId, Span)>,
    /// Whether it reads `baseline.*`: before that is taken it has no data.
    pub reads_baseline: bool,
}

impl Condition {
    /// How far back it reads the samples of a probe, beyond the last one. It summarises that much, as a probe may by itself:
    /// it is fresh only that much later (R13).
    pub fn reach(&self, probe: ProbeId) -> Span {
        self.series.iter().find(|(known, _)| *known == probe).map_or(Span::ZERO, |(_, reach)| *reach)
    }
}

/// A condition that must hold: at once, for a while, within a bound, or in most of a number of samples.
#[derive(Clone, Debug, PartialEq)]
pub struct Criterion {
    /// What must hold.
    pub condition: super::ConditionId,
    /// The sentence for when it fails.
    pub say: Option<String>,
    /// How long it must hold without a break.
    pub hold_for: Option<Span>,
    /// Until when it must have come true. `None`: the first fresh sample decides.
    pub within: Option<Span>,
    /// Judge that many fresh samples instead.
    pub count: Option<Count>,
}

/// `samples = 10, failures = 1`: that many fresh samples are judged, at most `failures` may fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count {
    /// How many fresh samples.
    pub samples: u32,
    /// How many of them may fail (no data counts as failing).
    pub failures: u32,
}
