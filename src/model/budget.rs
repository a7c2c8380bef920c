//! Error budgets: how much may go wrong in one run, and how much has.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Number;

use super::{ProbeId, Span, Time, shown_number};

/// So many rounds of samples without data, one behind the other, are more than a hiccup: nothing is lost by one, for a
/// counter keeps what it has counted.
pub const ROUNDS_WITHOUT_DATA: u32 = 3;

/// `[budget.x]`: how much a counter may grow in a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Budget {
    /// The counter of what went wrong.
    pub bad: ProbeId,
    /// How much of it is allowed.
    pub allow: Allowance,
    /// Over how long the present rate is taken that is carried on to the end of the phase; `None`: it is not.
    pub forecast: Option<Span>,
}

/// How much is allowed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Allowance {
    /// So many.
    Count(f64),
    /// A share of another counter.
    Share {
        /// The counter of all that happened, good and bad.
        total: ProbeId,
        /// More than 0, at most 1.
        share: f64,
        /// The share is taken of so many at least.
        total_min: f64,
    },
}

impl Allowance {
    /// What may be spent where the counter of all has grown by `total`.
    pub fn of(self, total: f64) -> f64 {
        match self {
            Self::Count(count) => count,
            Self::Share { share, total_min, .. } => share * total.max(total_min),
        }
    }

    /// The counter of all, where a share of it is allowed.
    pub const fn total(self) -> Option<ProbeId> {
        match self {
            Self::Count(_) => None,
            Self::Share { total, .. } => Some(total),
        }
    }
}

impl Budget {
    /// The probes that it reads.
    pub fn probes(&self) -> impl Iterator<Item = ProbeId> + use<> {
        std::iter::once(self.bad).chain(self.allow.total())
    }
}

/// `200`, or `0.1% of requests`.
pub struct AllowanceText<'a>(pub Allowance, pub &'a str);

impl fmt::Display for AllowanceText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Allowance::Count(count) => f.write_str(&shown_number(&number(count))),
            Allowance::Share { share, .. } => write!(f, "{}% of {}", shown_number(&number(share * 100.0)), self.1),
        }
    }
}

/// What budgets have spent, by the name of the budget.
pub type Spends = BTreeMap<String, Spend>;

/// What a budget has spent in a run, as the journal keeps it: whoever takes the run up counts on from here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spend {
    /// What went wrong.
    pub bad: Counted,
    /// All that happened, where a share of it is allowed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<Counted>,
    /// What was allowed at that time.
    pub allowed: Number,
    /// For so long it was counted.
    pub counted: Span,
    /// When the last samples were asked.
    pub at: Time,
    /// Whether it was found to be breached, and has not recovered.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub breached: bool,
}

/// A counter while a budget counts it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counted {
    /// By how much it has grown, resets included.
    pub grown: Number,
    /// What it said last; `None`: the scope of the budget is closed, and what happens meanwhile is not counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<Number>,
}

impl Spend {
    /// The scope is over: what the counters do from now on is not counted.
    pub fn close(&mut self) {
        self.bad.last = None;
        if let Some(total) = &mut self.total {
            total.last = None;
        }
    }

    /// Spent of allowed, in percent; 0 where nothing is allowed yet.
    pub fn percent(&self) -> f64 {
        let (bad, allowed) = (decimal(&self.bad.grown), decimal(&self.allowed));
        if allowed > 0.0 { bad / allowed * 100.0 } else { 0.0 }
    }
}

/// `12 of 200 spent (6%)`.
impl fmt::Display for Spend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percent = shown_number(&number(self.percent().round()));
        write!(f, "{} of {} spent ({percent}%)", shown_number(&self.bad.grown), shown_number(&self.allowed))
    }
}

/// A number as JSON has it; what is whole is written as a whole number.
pub fn number(decimal: f64) -> Number {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if decimal.fract() == 0.0 && decimal.abs() <= EXACT {
        #[expect(clippy::cast_possible_truncation, reason = "whole, and no larger than 2^53")]
        return Number::from(decimal as i64);
    }
    Number::from_f64(decimal).unwrap_or_else(|| Number::from(0))
}

fn decimal(number: &Number) -> f64 {
    number.as_f64().unwrap_or_default()
}
