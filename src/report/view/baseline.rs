//! Before and after: what the baseline's probes gave before the run changed anything, and what they give now.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use super::{Reading, View};
use crate::journal::Record;
use crate::model::{Summaries, Summary, Time, shown_number};

/// The baseline at this moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BaselineView {
    /// Not taken, or the runbook has none.
    Untaken,
    /// Being sampled.
    Sampling {
        /// Since when.
        since: Time,
    },
    /// There.
    Taken,
    /// Sampled, and not healthy.
    Rejected,
}

/// One probe, before and after.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compared<'v> {
    /// Its name.
    pub probe: &'v str,
    /// What it gave before.
    pub before: &'v Summary,
    /// Its latest sample with its unit, where there is one; `Some(None)`: no data.
    pub now: Option<Option<String>>,
}

impl Compared<'_> {
    /// `avg 0.002, p99 0.01`.
    pub fn before_in_short(&self) -> String {
        figures(self.before)
    }
}

/// `avg 0.002, p99 0.01`.
pub fn figures(summary: &Summary) -> String {
    format!("avg {}, p99 {}", shown_number(&summary.avg), shown_number(&summary.p99))
}

impl View {
    /// Takes in what a record holds beside its event: the figures of the baseline, and the last samples of its probes.
    pub fn read(&mut self, record: &Record) {
        if !record.baseline.is_empty() {
            self.figures.clone_from(&record.baseline);
        }
        self.note_after(record.at, &record.after);
        self.note_spent(&record.spent);
    }

    /// From now on people compare with these.
    pub fn compare_with(&mut self, baseline: &Summaries) {
        for probe in &mut self.probes {
            probe.before = baseline.get(&probe.name).cloned();
        }
    }

    pub(super) fn take_baseline(&mut self) {
        self.baseline = BaselineView::Taken;
        let figures = std::mem::take(&mut self.figures);
        if !figures.is_empty() {
            self.compare_with(&figures);
        }
    }

    fn note_after(&mut self, at: Time, after: &BTreeMap<String, Json>) {
        for probe in &mut self.probes {
            if let Some(value) = after.get(&probe.name) {
                probe.reading = Some(Reading { value: Some(value.clone()), at, good_since: None });
            }
        }
    }

    /// Every probe of the baseline, before and after; empty before it is taken.
    pub fn compared(&self) -> Vec<Compared<'_>> {
        let compared = |probe: &'_ super::ProbeView| {
            let unit = probe.unit.as_deref().map(|unit| format!(" {unit}")).unwrap_or_default();
            let value = |reading: &Reading| reading.shown().map(|value| format!("{value}{unit}"));
            probe.reading.as_ref().map(value)
        };
        self.probes
            .iter()
            .filter_map(|probe| {
                Some(Compared { probe: &probe.name, before: probe.before.as_ref()?, now: compared(probe) })
            })
            .collect()
    }

    /// The same for a machine.
    pub fn compared_as_json(&self) -> Json {
        let of = |probe: &super::ProbeView| {
            let before = probe.before.as_ref()?;
            let now = probe.reading.as_ref().and_then(|reading| reading.value.as_ref()).and_then(Json::as_number);
            Some((probe.name.clone(), json!({ "before": before, "now": now })))
        };
        self.probes.iter().filter_map(of).collect::<serde_json::Map<_, _>>().into()
    }
}
