//! How a step gets on whose quantity must move.

use serde::{Deserialize, Serialize};
use serde_json::{Number, Value as Json, json};

use super::View;
use crate::model::{Span, StepId, shown_number};
use crate::report::text::ticking_text;

/// How the quantity of a step with `progress` moves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pace {
    /// It moves.
    Moving {
        /// By so much in a second; `None`: it is no number, or there is one sample.
        rate: Option<Number>,
        /// Its unit.
        unit: Option<String>,
        /// It falls, and will be zero in that time.
        left: Option<Span>,
    },
    /// It stands still.
    Still {
        /// For so long.
        span: Span,
        /// Out of so much that is allowed.
        stall: Span,
    },
}

impl Pace {
    /// `-400 rows/s, ~30s left`, or that there is none.
    pub fn text(&self) -> Option<String> {
        match self {
            Self::Moving { rate, unit, left } => {
                let rate = rate.as_ref()?;
                let sign = if rate.as_f64().is_some_and(|rate| rate > 0.0) { "+" } else { "" };
                let unit = unit.as_ref().map(|unit| format!(" {unit}")).unwrap_or_default();
                let left = left.map(|left| format!(", ~{} left", ticking_text(left))).unwrap_or_default();
                Some(format!("{sign}{}{unit}/s{left}", shown_number(rate)))
            }
            Self::Still { span, stall } => Some(format!("no progress for {} of {stall}", ticking_text(*span))),
        }
    }

    /// The same, looked at that much later.
    #[must_use]
    pub fn after(&self, later: Span) -> Self {
        match self.clone() {
            Self::Moving { rate, unit, left } => Self::Moving { rate, unit, left: left.map(|left| left.minus(later)) },
            Self::Still { span, stall } => Self::Still { span: span.plus(later), stall },
        }
    }

    /// The same for a machine.
    pub fn as_json(&self) -> Json {
        match self {
            Self::Moving { rate, unit, left } => {
                json!({ "rate_per_second": rate, "unit": unit, "left_ms": left.map(Span::millis) })
            }
            Self::Still { span, stall } => json!({ "still_ms": span.millis(), "stall_ms": stall.millis() }),
        }
    }
}

impl View {
    /// How the steps get on that are watched now; of all others nothing is known.
    pub fn set_paces(&mut self, paces: impl Iterator<Item = (StepId, Pace)>) {
        self.steps.iter_mut().for_each(|step| step.pace = None);
        for (step, pace) in paces {
            self.steps[step.index()].pace = Some(pace);
        }
    }
}
