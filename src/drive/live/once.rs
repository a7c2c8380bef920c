//! Asking probes once, for verbs that look and do not carry a run on. Probes only read.

use std::sync::Arc;

use tokio::sync::mpsc;

use super::probe::{Poller, Sample, Surroundings};
use super::scope::RunScope;
use crate::model::{Plan, ProbeId, Span, Time};

/// Samples that may wait to be taken in.
const WAITING_MOST: usize = 64;

/// One sample of each of these probes, by probe; `now` is the time of the run as they are asked.
pub async fn once(plan: &Arc<Plan>, scope: &Arc<RunScope>, probes: Vec<ProbeId>, now: Time) -> Vec<Sample> {
    let (sender, mut heard) = mpsc::channel(WAITING_MOST);
    let began = tokio::time::Instant::now();
    let time = move || now.after(Span::from_millis(u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX)));
    let surroundings = Surroundings { scope: Arc::clone(scope), secrets: scope.secrets() };
    let mut poller = Poller::new(Arc::clone(plan), Arc::new(time), surroundings, sender);
    let mut left = probes;
    poller.set_needed(&left);
    let mut samples = Vec::new();
    while !left.is_empty() {
        // Every probe has a timeout, and no data is a sample too.
        let Some(sample) = heard.recv().await else { break };
        if left.contains(&sample.probe) {
            left.retain(|probe| *probe != sample.probe);
            poller.set_needed(&left);
            samples.push(sample);
        }
    }
    samples.sort_by_key(|sample| sample.probe);
    samples
}
