//! Baselines: the samples of some probes over a while, and what they come to.

use std::collections::BTreeMap;

use serde_json::{Number, Value as Json};

use super::summary::{mean, quantile};
use crate::model::{Baseline, ProbeId, Span, Summaries, Summary, Time};

/// The probes of a baseline being sampled.
#[derive(Debug)]
pub(super) struct Sampling {
    since: Time,
    /// Its place among the polls and questions.
    order: u64,
    over: Span,
    /// Its time has passed; it waits for answers alone.
    is_late: bool,
    probes: BTreeMap<ProbeId, Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    /// Whether it has answered, if only that it has no data.
    has_answered: bool,
    values: Vec<Number>,
}

impl Sampling {
    pub(super) fn new(baseline: &Baseline, since: Time, order: u64) -> Self {
        let probes = baseline.probes.iter().map(|probe| (*probe, Taken::default())).collect();
        Self { since, order, over: baseline.over, is_late: false, probes }
    }

    /// Takes in a sample, if it was asked after the sampling began. What a probe covers may reach back before that: it is
    /// still before whatever the baseline comes before.
    pub(super) fn note(&mut self, probe: ProbeId, asked: Time, order: u64, value: Option<&Json>) {
        let Some(taken) = self.probes.get_mut(&probe) else { return };
        if asked > self.since || asked == self.since && order > self.order {
            taken.has_answered = true;
            taken.values.extend(value.and_then(Json::as_number).cloned());
        }
    }

    /// Whether it has lasted as long as it should and every probe has answered; that bounds itself, for no answer in time
    /// is one too.
    pub(super) fn is_over(&mut self, now: Time) -> bool {
        self.is_late |= now >= self.since.after(self.over);
        self.is_late && self.probes.values().all(|taken| taken.has_answered)
    }

    /// When to look whether it is over, where no sample says so.
    pub(super) fn next_wakeup(&self) -> Option<Time> {
        (!self.is_late).then(|| self.since.after(self.over))
    }

    /// When the next poll of this probe may serve it; `next` is its regular turn.
    pub(super) fn next_poll(&self, probe: ProbeId, next: Time) -> Option<Time> {
        self.probes.get(&probe).map(|taken| if taken.has_answered { next } else { self.since })
    }

    /// What the samples come to: a summary of each probe that gave data, and those that gave none.
    pub(super) fn finish(self, name: impl Fn(ProbeId) -> String) -> (Summaries, Vec<String>) {
        let mut summaries = Summaries::new();
        let mut blind = Vec::new();
        for (probe, taken) in self.probes {
            match summary(&taken.values) {
                Some(summary) => drop(summaries.insert(name(probe), summary)),
                None => blind.push(name(probe)),
            }
        }
        (summaries, blind)
    }
}

/// Summaries as the evidence of an event.
pub(super) fn in_words(summaries: &Summaries) -> String {
    let probe = |(name, summary): (&String, &Summary)| format!("probe.{name}: {summary}");
    summaries.iter().map(probe).collect::<Vec<_>>().join("; ")
}

/// What samples come to, in the order in which they came; `None` where there are none.
pub(super) fn summary(values: &[Number]) -> Option<Summary> {
    let last = values.last()?;
    let mut sorted: Vec<&Number> = values.iter().collect();
    sorted.sort_by(|one, other| decimal(one).total_cmp(&decimal(other)));
    let decimals: Vec<f64> = sorted.iter().map(|number| decimal(number)).collect();
    Some(Summary {
        avg: number(mean(&decimals)),
        min: sorted[0].clone(),
        max: sorted[sorted.len() - 1].clone(),
        p50: number(quantile(&decimals, 0.5)),
        p99: number(quantile(&decimals, 0.99)),
        last: last.clone(),
        count: values.len() as u64,
    })
}

fn decimal(number: &Number) -> f64 {
    number.as_f64().unwrap_or_default()
}

fn number(decimal: f64) -> Number {
    Number::from_f64(decimal).unwrap_or_else(|| Number::from(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(number: &Number) -> String {
        number.to_string()
    }

    fn numbers(values: &[f64]) -> Vec<Number> {
        values.iter().map(|value| number(*value)).collect()
    }

    #[test]
    fn quantiles_are_interpolated_as_promql_does() {
        // `quantile_over_time` of Prometheus over the same samples.
        let values = numbers(&[10.0, 0.0, 1.0, 2.0, 4.0]);
        let summary = summary(&values).expect("there are samples");
        let figures = [&summary.min, &summary.p50, &summary.avg, &summary.p99, &summary.max, &summary.last];
        assert_eq!(figures.map(shown), ["0.0", "2.0", "3.4", "9.76", "10.0", "4.0"]);
        assert_eq!(summary.count, 5);
    }

    #[test]
    fn an_even_number_of_samples_has_its_median_between_two() {
        let values = numbers(&[4.0, 1.0, 3.0, 2.0]);
        assert_eq!(shown(&summary(&values).expect("there are samples").p50), "2.5");
    }

    #[test]
    fn one_sample_is_every_figure_and_a_whole_one_stays_whole() {
        let large = Number::from(9_007_199_254_740_993_u64);
        let summary = summary(std::slice::from_ref(&large)).expect("there is a sample");
        assert_eq!((&summary.min, &summary.max, &summary.last), (&large, &large, &large));
        assert_eq!(summary.p50, summary.p99);
    }

    #[test]
    fn no_samples_have_no_summary() {
        assert_eq!(summary(&[]), None);
    }

    #[test]
    fn the_mean_of_the_largest_numbers_is_a_number() {
        let values = numbers(&[f64::MAX, f64::MAX]);
        assert_eq!(summary(&values).expect("there are samples").avg, values[0]);
    }
}
