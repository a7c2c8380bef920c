//! One open question: which fresh samples it has, and what it has said.

use super::{Finding, Probe, Sample};
use crate::model::{Condition, ConditionId, Count, ProbeId, Span, Time, Verdict};

/// What was asked.
#[derive(Debug)]
pub(super) struct Terms {
    pub(super) condition: ConditionId,
    pub(super) count: Option<Count>,
    pub(super) hold: Option<Span>,
    pub(super) since: Time,
    /// Its place among the polls and questions.
    pub(super) order: u64,
}

/// What an open question has of one of its probes.
#[derive(Debug)]
pub(super) struct Had {
    pub(super) probe: ProbeId,
    /// How far back its samples are read, beyond the last one.
    pub(super) reach: Span,
    /// When the last fresh sample arrived.
    pub(super) arrived: Option<Time>,
    /// Whether one came since it was last counted.
    pub(super) is_new: bool,
}

impl Had {
    pub(super) fn take(&mut self, arrived: Time) {
        self.arrived = Some(arrived);
        self.is_new = true;
    }
}

/// An open question.
#[derive(Debug)]
pub(super) struct Asking {
    pub(super) terms: Terms,
    pub(super) samples: Vec<Had>,
    said: Option<Verdict>,
    last: Option<(Verdict, String)>,
    /// Of the samples that are judged together: those that held, those that did not.
    tally: (u32, u32),
    /// How many rounds of samples in a row have held.
    held: u32,
    /// A gap was said; the next sample begins anew.
    is_broken: bool,
}

impl Asking {
    pub(super) fn new(terms: Terms, condition: &Condition) -> Self {
        let had = |probe: &ProbeId| Had { probe: *probe, reach: condition.reach(*probe), arrived: None, is_new: false };
        let samples = condition.probes.iter().map(had).collect();
        Self { terms, samples, said: None, last: None, tally: (0, 0), held: 0, is_broken: false }
    }

    /// Whether every probe has a fresh sample.
    pub(super) fn is_complete(&self) -> bool {
        self.samples.iter().all(|had| had.arrived.is_some())
    }

    /// Whether a sample of a probe that covers so much by itself counts.
    pub(super) fn is_fresh(&self, probe: ProbeId, sample: &Sample, covers: Span) -> bool {
        let mut of_probe = self.samples.iter().filter(|had| had.probe == probe);
        of_probe.all(|had| self.terms.is_fresh(sample, covers.plus(had.reach)))
    }

    /// Notes a fresh sample; whether the question can be judged.
    pub(super) fn note(&mut self, probe: ProbeId, arrived: Time) -> bool {
        for had in self.samples.iter_mut().filter(|had| had.probe == probe) {
            had.take(arrived);
        }
        self.is_complete()
    }

    /// Takes the verdict of the samples at hand; whether there is something to say.
    pub(super) fn judged(&mut self, verdict: Verdict, evidence: String, probes: &[Probe]) -> bool {
        self.is_broken = false;
        // A round is a new sample of each probe: a question over several is not counted twice for it.
        let is_round = self.samples.iter().all(|had| had.is_new);
        if is_round {
            self.samples.iter_mut().for_each(|had| had.is_new = false);
        }
        if let Some(count) = self.terms.count
            && !self.samples.is_empty()
        {
            self.last = Some((verdict, evidence));
            return is_round && self.counted(count);
        }
        self.held = match verdict {
            Verdict::Holds => self.held + u32::from(is_round),
            Verdict::Fails | Verdict::NoData => 0,
        };
        if verdict == Verdict::Holds && self.held < 2 && self.needs_two(probes) {
            let changed = self.said.is_some_and(|said| said != Verdict::NoData);
            self.last = Some((Verdict::NoData, format!("{evidence}; one more sample is needed")));
            if changed {
                self.said = Some(Verdict::NoData);
            }
            return changed;
        }
        self.judged_again(verdict, evidence)
    }

    /// Whether two samples might not come within `for`: then the first one alone must not begin it.
    fn needs_two(&self, probes: &[Probe]) -> bool {
        let longest = self.samples.iter().map(|had| probes[had.probe.index()].interval).max();
        self.terms.hold.zip(longest).is_some_and(|(hold, interval)| hold <= interval.times(2))
    }

    /// Takes a verdict that is not a sample more.
    pub(super) fn judged_again(&mut self, verdict: Verdict, evidence: String) -> bool {
        self.last = Some((verdict, evidence));
        let is_news = self.said != Some(verdict);
        self.said = Some(verdict);
        is_news
    }

    /// Counts the last verdict; whether the count says something new. What is certain is said early.
    fn counted(&mut self, count: Count) -> bool {
        let Some((verdict, evidence)) = self.last.take() else { return false };
        match verdict {
            Verdict::Holds => self.tally.0 += 1,
            Verdict::Fails | Verdict::NoData => self.tally.1 += 1,
        }
        let (held, failed) = self.tally;
        let s = if failed == 1 { "" } else { "s" };
        let evidence =
            format!("{held} of {} samples held, {failed} sample{s} did not; last: {evidence}", count.samples);
        let verdict = if failed > count.failures {
            Verdict::Fails
        } else if held >= count.samples.saturating_sub(count.failures) {
            Verdict::Holds
        } else {
            self.last = Some((Verdict::NoData, evidence));
            return false;
        };
        self.tally = (0, 0);
        self.judged_again(verdict, evidence)
    }

    /// The probe whose next sample is overdue: `for` takes no gap.
    pub(super) fn gap(&self, probes: &[Probe], now: Time) -> Option<ProbeId> {
        if self.terms.hold.is_none() || self.is_broken || !self.is_complete() {
            return None;
        }
        self.samples.iter().find(|had| had.gap_at(probes).is_some_and(|at| now >= at)).map(|had| had.probe)
    }

    pub(super) fn next_gap(&self, probes: &[Probe]) -> Option<Time> {
        if self.terms.hold.is_none() || self.is_broken || !self.is_complete() {
            return None;
        }
        self.samples.iter().filter_map(|had| had.gap_at(probes)).min()
    }

    /// A gap: what was said does not hold any longer. Whether that is news.
    pub(super) fn broken(&mut self, evidence: String) -> bool {
        self.is_broken = true;
        self.held = 0;
        self.judged_again(Verdict::NoData, evidence)
    }

    /// When a poll of this probe may serve it next.
    pub(super) fn next_poll(&self, probe: ProbeId, of: &Probe) -> Time {
        let had = |is: fn(&Had) -> bool| self.samples.iter().any(|had| had.probe == probe && is(had));
        if had(|had| had.arrived.is_some()) {
            return of.next_regular();
        }
        // A history is sampled from the moment that is asked about, long before it is fresh.
        if had(|had| had.reach > Span::ZERO) {
            return of.next_regular().max(self.terms.since);
        }
        let from = self.terms.since.after(of.covers);
        let first = if of.covers == Span::ZERO { from } else { from.after(Span::from_millis(1)) };
        // One under way that is fresh will do.
        match of.under_way {
            Some((began, order)) if began > from || began == from && order > self.terms.order => of.next_regular(),
            Some(_) | None => first,
        }
    }

    pub(super) fn standing(&self) -> Option<(Verdict, &str)> {
        self.last.as_ref().map(|(verdict, evidence)| (*verdict, evidence.as_str()))
    }

    /// What it says now.
    pub(super) fn finding<K>(&self, key: K) -> Finding<K> {
        let (verdict, evidence) = self.last.clone().unwrap_or((Verdict::NoData, String::new()));
        Finding::Judged { key, verdict, evidence }
    }
}

impl Had {
    /// The moment at which the time since its last sample is over twice the interval.
    fn gap_at(&self, probes: &[Probe]) -> Option<Time> {
        let interval = probes[self.probe.index()].interval;
        Some(self.arrived?.after(interval.times(2)).after(Span::from_millis(1)))
    }
}
