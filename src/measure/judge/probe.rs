//! A probe as far as judging goes: its last sample, and the poll under way.

use serde_json::Value as Json;

use crate::measure::Series;
use crate::model::{self, Span, Time};

/// One value of a probe at one time.
#[derive(Clone, Debug)]
pub(super) struct Sample {
    pub(super) asked: Time,
    pub(super) arrived: Time,
    pub(super) value: Option<Json>,
    /// Its poll's place among the polls and questions; 0 where the poll was not announced.
    pub(super) order: u64,
}

#[derive(Debug)]
pub(super) struct Probe {
    pub(super) name: String,
    pub(super) interval: Span,
    pub(super) covers: Span,
    pub(super) latest: Option<Sample>,
    pub(super) good_since: Option<Time>,
    pub(super) under_way: Option<(Time, u64)>,
    /// Where something reads more than the last sample.
    pub(super) history: Option<Series>,
}

/// The last sample of a probe, for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Latest<'a> {
    /// What it gave; `None`: no data.
    pub value: Option<&'a Json>,
    /// When it was asked.
    pub asked: Time,
    /// Since when every poll has given data; `None` where the last one gave none.
    pub good_since: Option<Time>,
}

impl Probe {
    pub(super) fn of(probe: &model::Probe) -> Self {
        Self {
            name: probe.name.clone(),
            interval: probe.interval,
            covers: probe.covers,
            latest: None,
            good_since: None,
            under_way: None,
            history: None,
        }
    }

    /// From now on its samples are kept for that long.
    pub(super) fn keep_history(&mut self, keep: Span) {
        self.history.get_or_insert_with(|| Series::new(keep));
    }

    /// Keeps a sample that arrived.
    pub(super) fn take(&mut self, asked: Time, arrived: Time, value: Option<Json>) -> Sample {
        // The poll that began at that time is this one: there are never two of a probe.
        let order = self.under_way.take().filter(|(began, _)| *began == asked).map_or(0, |(_, order)| order);
        self.good_since = value.as_ref().map(|_| self.good_since.unwrap_or(asked));
        if let Some(history) = &mut self.history {
            history.take(asked, value.as_ref());
        }
        let sample = Sample { asked, arrived, value, order };
        self.latest = Some(sample.clone());
        sample
    }

    /// When the poll after the last one is due.
    pub(super) fn next_regular(&self) -> Time {
        let last = self.under_way.map(|(began, _)| began).or(self.latest.as_ref().map(|latest| latest.asked));
        last.map_or(Time::ZERO, |last| last.after(self.interval))
    }

    pub(super) fn shown(&self) -> Option<Latest<'_>> {
        let latest = self.latest.as_ref()?;
        Some(Latest { value: latest.value.as_ref(), asked: latest.asked, good_since: self.good_since })
    }
}
