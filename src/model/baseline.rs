//! What is measured before a run changes anything, to compare with afterwards.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Number;

use super::{Criterion, PhaseId, ProbeId, Span, shown_number};

/// `[baseline]`: probes summarised before a stated moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Baseline {
    /// Which, in the order of the file; each gives numbers.
    pub probes: Vec<ProbeId>,
    /// Taken just before this phase; `None`: before the first step with an effect.
    pub before: Option<PhaseId>,
    /// For how long they are sampled.
    pub over: Span,
    /// What must hold of it, or the run does not go on.
    pub require: Vec<Criterion>,
}

/// The summaries of a baseline, by the name of the probe.
pub type Summaries = BTreeMap<String, Summary>;

/// What the samples of one probe come to. The figures are finite, as every number of JSON is; `min`, `max` and `last` are
/// samples and stay as they were, whole or decimal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// Their mean.
    pub avg: Number,
    /// The smallest.
    pub min: Number,
    /// The largest.
    pub max: Number,
    /// Half of them lie below.
    pub p50: Number,
    /// 99 of 100 lie below.
    pub p99: Number,
    /// The latest.
    pub last: Number,
    /// How many there were.
    pub count: u64,
}

/// A figure of a summary, as expressions name it: `baseline.lag.p99`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Figure {
    /// The mean.
    Avg,
    /// The smallest.
    Min,
    /// The largest.
    Max,
    /// The median.
    P50,
    /// The 99th percentile.
    P99,
    /// The latest.
    Last,
    /// The number of samples.
    Count,
}

impl Figure {
    /// All of them, in the order of the format.
    pub const ALL: [Self; 7] = [Self::Avg, Self::Min, Self::Max, Self::P50, Self::P99, Self::Last, Self::Count];

    /// Its name.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Avg => "avg",
            Self::Min => "min",
            Self::Max => "max",
            Self::P50 => "p50",
            Self::P99 => "p99",
            Self::Last => "last",
            Self::Count => "count",
        }
    }

    /// The figure of that name.
    pub fn named(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|figure| figure.word() == word)
    }
}

/// `avg 0.0021, p99 0.01, 60 samples`.
impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let s = if self.count == 1 { "" } else { "s" };
        write!(f, "avg {}, p99 {}, {} sample{s}", shown_number(&self.avg), shown_number(&self.p99), self.count)
    }
}

impl Summary {
    /// One of its figures.
    pub fn figure(&self, figure: Figure) -> Number {
        match figure {
            Figure::Avg => self.avg.clone(),
            Figure::Min => self.min.clone(),
            Figure::Max => self.max.clone(),
            Figure::P50 => self.p50.clone(),
            Figure::P99 => self.p99.clone(),
            Figure::Last => self.last.clone(),
            Figure::Count => self.count.into(),
        }
    }
}
