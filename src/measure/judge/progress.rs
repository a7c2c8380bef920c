//! Watchdogs: whether the quantity of a probe moves, how fast, and when it will be gone.

use std::collections::VecDeque;

use serde_json::Value as Json;

use super::Sample;
use crate::model::{ProbeId, Progress, Span, Time, shown_json};

/// So many samples are kept for the pace, and not more.
const SAMPLES_MOST: usize = 600;

/// How the quantity of a watched attempt moves, for people.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pace {
    /// It moves.
    Moving {
        /// By so much in a second, over the samples of the last `stall`; `None`: it is no number, or there is one sample.
        rate: Option<f64>,
        /// It falls, and will be zero in that time.
        left: Option<Span>,
    },
    /// It stands still.
    Still {
        /// For so long.
        span: Span,
    },
}

/// One probe that must move.
#[derive(Debug)]
pub(super) struct Watchdog {
    pub(super) probe: ProbeId,
    stall: Span,
    since: Time,
    /// Its place among the polls and questions.
    order: u64,
    /// Those that gave data, of the last `stall`.
    samples: VecDeque<(Time, Json)>,
    /// When it last moved, or the watch began.
    moved: Time,
    told: bool,
}

impl Watchdog {
    pub(super) fn new(progress: &Progress, since: Time, order: u64) -> Self {
        let Progress { probe, stall } = *progress;
        Self { probe, stall, since, order, samples: VecDeque::new(), moved: since, told: false }
    }

    /// Takes in a sample, if it was asked after the watch began. Another value than the last one is movement, whichever
    /// way; no data is none.
    pub(super) fn note(&mut self, sample: &Sample) {
        let Some(value) = &sample.value else { return };
        let is_fresh = sample.asked > self.since || sample.asked == self.since && sample.order > self.order;
        if !is_fresh {
            return;
        }
        if self.samples.back().is_some_and(|(_, last)| differ(last, value)) {
            self.moved = sample.arrived;
        }
        self.samples.push_back((sample.arrived, value.clone()));
        let from = |at: Time| sample.arrived.since(at) > self.stall;
        while self.samples.len() > SAMPLES_MOST || self.samples.len() > 2 && from(self.samples[0].0) {
            self.samples.pop_front();
        }
    }

    /// Whether it has stood still for too long, and that was not said yet.
    pub(super) fn stalls(&mut self, now: Time) -> bool {
        let late = !self.told && now >= self.moved.after(self.stall);
        self.told |= late;
        late
    }

    pub(super) fn next_wakeup(&self) -> Option<Time> {
        (!self.told).then(|| self.moved.after(self.stall))
    }

    pub(super) fn next_poll(&self, next: Time) -> Time {
        if self.samples.is_empty() { next.max(self.since) } else { next }
    }

    /// Its last value, and for how long it has been that.
    pub(super) fn in_words(&self, name: &str, now: Time) -> String {
        let still = now.since(self.moved);
        match self.samples.back() {
            Some((_, value)) => format!("probe.{name} = {} for {still}", shown_json(value)),
            None => format!("probe.{name} gave no data for {still}"),
        }
    }

    /// Half of what is allowed without movement is standing still; less than that may be the step of a quantity.
    pub(super) fn pace(&self, now: Time) -> Option<Pace> {
        let still = now.since(self.moved);
        if still.millis() >= self.stall.millis() / 2 {
            return Some(Pace::Still { span: still });
        }
        let (Some((first_at, first)), Some((last_at, last))) = (self.samples.front(), self.samples.back()) else {
            return None;
        };
        let seconds = last_at.since(*first_at).duration().as_secs_f64();
        let numbers = first.as_f64().zip(last.as_f64()).filter(|_| seconds > 0.0);
        let rate = numbers.map(|(first, last)| (last - first) / seconds);
        let left = rate.zip(last.as_f64()).filter(|(rate, last)| *rate < 0.0 && *last > 0.0);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "positive, and saturating")]
        let left = left.map(|(rate, last)| Span::from_millis((last / -rate * 1000.0) as u64));
        Some(Pace::Moving { rate, left })
    }
}

/// `5` and `5.0` are the same quantity.
fn differ(one: &Json, other: &Json) -> bool {
    let is_decimal = one.is_f64() || other.is_f64();
    let same_number = is_decimal && one.as_f64().is_some() && one.as_f64() == other.as_f64();
    one != other && !same_number
}
