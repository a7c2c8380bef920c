//! The history of a probe, and what a stretch of it comes to.
//!
//! The stretch of a length `d` is that of `PromQL`'s range `[d]`: the samples asked in `(t - d, t]`, where `t` is when the
//! last sample was asked, with or without data. So a probe that says nothing any more empties its stretch, and no clock is
//! needed. Samples without data are not among them.
//!
//! What is worked out is what `PromQL` works out, so that a number means the same here and on a dashboard:
//! `avg_over_time`, `min_over_time`, `max_over_time`, `count_over_time`, `quantile_over_time`, and `rate` with its resets
//! and its extrapolation (`extrapolatedRate` in Prometheus' `promql/functions.go`). One thing differs: the number of the
//! samples in an empty stretch is 0, where `PromQL` has no answer.

use std::collections::VecDeque;

use serde_json::Value as Json;

use super::number::Number;
use super::summary::{mean, quantile, real};
use crate::model::{Span, Time};

/// So many samples of one probe are kept at most, however long `keep` is: about 5 MiB.
pub const SAMPLES_MAX: usize = 100_000;

/// What is asked of a stretch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Fold {
    /// The mean.
    Avg,
    /// The smallest.
    Min,
    /// The largest.
    Max,
    /// How fast a counter grows, per second.
    Rate,
    /// The value that so many percent (0 to 100) of the samples do not exceed.
    Percentile(f64),
    /// How many samples there are.
    Count,
}

impl Fold {
    /// As it is called: `p(99, "30s")`.
    pub(super) fn call(self, over: Span) -> String {
        let over = over.written();
        match self {
            Self::Avg => format!("avg(\"{over}\")"),
            Self::Min => format!("min(\"{over}\")"),
            Self::Max => format!("max(\"{over}\")"),
            Self::Rate => format!("rate(\"{over}\")"),
            Self::Percentile(percent) => format!("p({percent}, \"{over}\")"),
            Self::Count => format!("count(\"{over}\")"),
        }
    }

    /// The fewest samples that it needs.
    pub(super) const fn samples_min(self) -> usize {
        match self {
            Self::Count => 0,
            Self::Avg | Self::Min | Self::Max | Self::Percentile(_) => 1,
            Self::Rate => 2,
        }
    }
}

/// The samples of a probe over the time that they are kept.
#[derive(Clone, Debug)]
pub struct Series {
    keep: Span,
    /// Oldest first; `None` is a sample without data, or one that is no number.
    samples: VecDeque<(Time, Option<Number>)>,
}

impl Series {
    /// An empty history of that length.
    pub const fn new(keep: Span) -> Self {
        Self { keep, samples: VecDeque::new() }
    }

    /// Takes in a sample, and forgets what has become too old.
    pub fn take(&mut self, asked: Time, value: Option<&Json>) {
        let number = match value {
            Some(Json::Number(number)) => Some(Number::from_json(number)),
            Some(_) | None => None,
        };
        self.samples.push_back((asked, number));
        let too_old = |(at, _): &(Time, _)| at.after(self.keep) <= asked;
        while self.samples.front().is_some_and(too_old) || self.samples.len() > SAMPLES_MAX {
            self.samples.pop_front();
        }
    }

    /// What the stretch of that length comes to. `Err` says why that cannot be told.
    pub(super) fn fold(&self, fold: Fold, over: Span) -> Result<Number, String> {
        let stretch: Vec<(Time, Number)> = self.stretch(over).collect();
        if self.samples.is_empty() {
            return Err("no sample yet".to_owned());
        }
        if stretch.len() < fold.samples_min() {
            return Err(match stretch.len() {
                0 => format!("no sample with data in {over}"),
                few => format!("{few} of {} samples in {over}", fold.samples_min()),
            });
        }
        let numbers = stretch.iter().map(|(_, number)| *number);
        let answer = match fold {
            Fold::Count => Some(Number::count(stretch.len())),
            Fold::Min => numbers.min_by(|a, b| a.compare(*b)),
            Fold::Max => numbers.max_by(|a, b| a.compare(*b)),
            Fold::Avg => Number::from_decimal(mean(&numbers.map(Number::to_decimal).collect::<Vec<_>>())),
            Fold::Percentile(percent) => {
                let mut sorted: Vec<f64> = numbers.map(Number::to_decimal).collect();
                sorted.sort_by(f64::total_cmp);
                Number::from_decimal(quantile(&sorted, percent / 100.0))
            }
            Fold::Rate => Number::from_decimal(rate(&stretch, self.end(), over)),
        };
        answer.ok_or_else(|| "it has no number for an answer".to_owned())
    }

    /// The numbers of the stretch of that length, for a comparison.
    pub(super) fn numbers(&self, over: Span) -> Vec<f64> {
        self.stretch(over).map(|(_, number)| number.to_decimal()).collect()
    }

    /// When the last sample was asked.
    fn end(&self) -> Time {
        self.samples.back().map_or(Time::ZERO, |(at, _)| *at)
    }

    /// What has data in the stretch of that length, oldest first.
    fn stretch(&self, over: Span) -> impl Iterator<Item = (Time, Number)> {
        let end = self.end();
        let from = self.samples.partition_point(|(at, _)| at.after(over) <= end);
        self.samples.range(from..).filter_map(|(at, number)| number.map(|number| (*at, number)))
    }
}

/// The growth per second of at least two samples of a counter. A fall is a reset: the counter began again at 0. The growth
/// is carried on to the ends of the stretch as far as samples might just have been missed: by the way to the end where that
/// is less than 1.1 times the mean distance of two samples, by half that distance otherwise; and towards the beginning
/// never below 0.
fn rate(stretch: &[(Time, Number)], end: Time, over: Span) -> f64 {
    let seconds = |from: Time, to: Time| seconds(to.since(from));
    let values: Vec<f64> = stretch.iter().map(|(_, number)| number.to_decimal()).collect();
    let ((first_at, _), (last_at, _)) = (stretch[0], stretch[stretch.len() - 1]);
    let lost: f64 = values.windows(2).filter(|pair| pair[1] < pair[0]).map(|pair| pair[0]).sum();
    let growth = values[values.len() - 1] - values[0] + lost;
    let sampled = seconds(first_at, last_at);
    let between = sampled / real(stretch.len() - 1);
    let to_end = seconds(last_at, end);
    let to_start = self::seconds(over) - sampled - to_end;
    let carried_on = |gap: f64| if gap >= between * 1.1 { between / 2.0 } else { gap };
    let (mut before, behind) = (carried_on(to_start), carried_on(to_end));
    if growth > 0.0 && values[0] >= 0.0 {
        before = before.min(sampled * (values[0] / growth));
    }
    growth * ((sampled + before + behind) / sampled) / self::seconds(over)
}

#[expect(clippy::cast_precision_loss, reason = "no history is 2^52 milliseconds long")]
pub(super) fn seconds(span: Span) -> f64 {
    span.millis() as f64 / 1000.0
}

#[cfg(test)]
mod tests;
