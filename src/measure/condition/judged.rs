//! A comparison of two series, as a part of an expression.

use super::Scope;
use super::evaluate::Missing;
use super::evidence::grouped_decimal;
use crate::measure::comparison::{Comparison, Terms};
use crate::model::Span;

/// `judge(series.<new>, series.<old>, { ... })`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Pair {
    pub(super) new: String,
    pub(super) old: String,
    pub(super) terms: Terms,
    /// How much of each is compared.
    pub(super) over: Span,
    /// So many points are needed on each side.
    pub(super) points: usize,
}

/// What came of a comparison.
pub(super) struct Judged {
    comparison: Comparison,
    new_points: usize,
    old_points: usize,
}

impl Pair {
    /// As it stands in the text, without its options.
    pub(super) fn name(&self) -> String {
        format!("judge(series.{}, series.{})", self.new, self.old)
    }

    /// Compares them; too few points are no data.
    pub(super) fn compare(&self, scope: &dyn Scope) -> Result<Judged, Missing> {
        let (new, old) = (self.numbers(&self.new, scope)?, self.numbers(&self.old, scope)?);
        let comparison = Comparison::of(&new, &old, self.terms.confidence);
        Ok(Judged { comparison, new_points: new.len(), old_points: old.len() })
    }

    fn numbers(&self, probe: &str, scope: &dyn Scope) -> Result<Vec<f64>, Missing> {
        let numbers = scope.series(probe).map(|series| series.numbers(self.over)).unwrap_or_default();
        if numbers.len() >= self.points {
            return Ok(numbers);
        }
        let why = format!("{} of {} points of series.{probe} in {}", numbers.len(), self.points, self.over);
        Err(Missing(format!("{} has no data: {why}", self.name())))
    }

    /// The answer as expressions read it.
    pub(super) fn word(&self, judged: &Judged) -> &'static str {
        judged.comparison.answer(self.terms.tolerance).word()
    }

    /// What the answer rests on, for people.
    pub(super) fn in_words(&self, judged: &Judged) -> String {
        let Comparison { p_value, shift, interval: (low, high), effect } = judged.comparison;
        format!(
            "{} points against {}, shift {} between {} and {} at {}%, {}, larger in {}% of pairs",
            judged.new_points,
            judged.old_points,
            grouped_decimal(shift),
            grouped_decimal(low),
            grouped_decimal(high),
            grouped_decimal(self.terms.confidence * 100.0),
            p_in_words(p_value),
            grouped_decimal((effect * 1000.0).round() / 10.0),
        )
    }
}

/// Four places are more than anybody compares.
fn p_in_words(p: f64) -> String {
    if p < 0.0001 { "p < 0.0001".to_owned() } else { format!("p = {p:.4}") }
}
