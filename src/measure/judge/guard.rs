//! Guards: n failing samples among the last m (R14).

use std::collections::VecDeque;

use super::{Probe, Sample};
use crate::model::{self, Condition, ConditionId, NoData, ProbeId, Span, Time, Verdict};

/// The two things that a guard may watch; a breach comes first where one sample does both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    /// `require`.
    Breach,
    /// `warn`.
    Warn,
}

impl Level {
    pub(super) const ALL: [Self; 2] = [Self::Breach, Self::Warn];
}

/// What a guard asks for at one level.
#[derive(Debug)]
pub(super) struct Rule {
    pub(super) condition: ConditionId,
    pub(super) every: Span,
    pub(super) failures: u32,
    pub(super) of: u32,
    no_data: NoData,
    /// How far back it reads the samples of its probes.
    reach: Span,
}

/// How a watched guard stands, for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Health<'a> {
    /// The last verdict; `None` before the first.
    pub verdict: Option<Verdict>,
    /// Its evidence.
    pub evidence: &'a str,
    /// How many of the samples that count failed.
    pub failing: u32,
    /// How many samples count now.
    pub counted: u32,
    /// So many failing ones are a breach.
    pub failures: u32,
    /// So many of the last ones count.
    pub of: u32,
    /// How many of the samples that count had no data.
    pub without_data: u32,
    /// When it was judged last.
    pub judged: Option<Time>,
}

impl Health<'_> {
    /// `2 of the last 3 samples failed`.
    pub fn failing_in_words(&self) -> String {
        self.in_words(self.failing, "failed")
    }

    /// The same of those that had no data.
    pub fn without_data_in_words(&self) -> String {
        self.in_words(self.without_data, "had no data")
    }

    fn in_words(&self, count: u32, what: &str) -> String {
        if self.counted == 1 {
            format!("one sample {what}")
        } else {
            format!("{count} of the last {} samples {what}", self.counted)
        }
    }
}

/// Whether so many failing samples are reached now, where that is news.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Turn {
    /// It is as it was.
    #[default]
    None,
    /// They are, and were not before.
    Breached,
    /// They were, and are no longer.
    Eased,
}

impl Turn {
    pub(super) const fn between(was_breached: bool, is_breached: bool) -> Self {
        match (was_breached, is_breached) {
            (false, true) => Self::Breached,
            (true, false) => Self::Eased,
            (true, true) | (false, false) => Self::None,
        }
    }
}

/// What one more verdict changed.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct News {
    pub(super) held: bool,
    pub(super) turn: Turn,
    pub(super) blind: bool,
}

/// What a watch has of one of its probes.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) probe: ProbeId,
    has_any: bool,
    is_new: bool,
}

/// A guard that is awake.
#[derive(Debug)]
pub(super) struct Watch {
    pub(super) probes: Vec<Seen>,
    pub(super) judged: Option<Time>,
    since: Time,
    order: u64,
    /// The verdicts that count, oldest first.
    last: VecDeque<Verdict>,
    verdict: Option<Verdict>,
    evidence: String,
    has_held: bool,
    is_breached: bool,
    is_blind: bool,
}

impl Rule {
    pub(super) fn of(guard: &model::Guard, watched: &model::Watched, id: ConditionId, condition: &Condition) -> Self {
        Self {
            condition: id,
            every: watched.every,
            failures: watched.failures,
            of: watched.of,
            no_data: guard.no_data,
            reach: condition.series.iter().map(|(_, reach)| *reach).max().unwrap_or_default(),
        }
    }
}

impl Watch {
    pub(super) fn new(probes: &[ProbeId], since: Time, order: u64) -> Self {
        Self {
            probes: probes.iter().map(|probe| Seen { probe: *probe, has_any: false, is_new: false }).collect(),
            judged: None,
            since,
            order,
            last: VecDeque::new(),
            verdict: None,
            evidence: String::new(),
            has_held: false,
            is_breached: false,
            is_blind: false,
        }
    }

    /// Notes a sample; whether it was asked since the watch began, and with it every probe has one.
    pub(super) fn note(&mut self, probe: ProbeId, sample: &Sample) -> bool {
        if sample.asked < self.since || sample.asked == self.since && sample.order < self.order {
            return false;
        }
        for seen in self.probes.iter_mut().filter(|seen| seen.probe == probe) {
            seen.has_any = true;
            seen.is_new = true;
        }
        self.probes.iter().all(|seen| seen.has_any)
    }

    /// Whether it is to be judged: over one probe at every sample, over several (or none) once per `every`.
    pub(super) fn is_due(&self, rule: &Rule, probes: &[Probe], now: Time) -> bool {
        let Some(judged) = self.judged else { return true };
        match self.probes.as_slice() {
            [_] => true,
            [] => now >= judged.after(rule.every),
            several => {
                // Samples are not exactly an interval apart: half of one early is not early.
                let shortest = several.iter().map(|seen| probes[seen.probe.index()].interval).min();
                let slack = Span::from_millis(shortest.map_or(0, |shortest| shortest.millis() / 2));
                several.iter().all(|seen| seen.is_new) && now.after(slack) >= judged.after(rule.every)
            }
        }
    }

    /// Takes one more verdict.
    pub(super) fn judged(&mut self, rule: &Rule, verdict: Verdict, evidence: String, now: Time) -> News {
        self.judged = Some(now);
        self.probes.iter_mut().for_each(|seen| seen.is_new = false);
        self.verdict = Some(verdict);
        self.evidence = evidence;
        let is_filling = self.is_filling(rule, now);
        if verdict != Verdict::NoData || rule.no_data != NoData::Ignore && !is_filling {
            self.last.push_back(verdict);
            while self.last.len() > rule.of as usize {
                self.last.pop_front();
            }
        }
        // Whoever ignores that there is no data does not wait for some either: it was asked, and did not object.
        let waves_through = verdict == Verdict::NoData && rule.no_data == NoData::Ignore && !is_filling;
        let held = !self.has_held && (verdict == Verdict::Holds || waves_through);
        self.has_held |= held;
        let reached = |count: u32| count >= rule.failures;
        let (was_breached, was_blind) = (self.is_breached, self.is_blind);
        self.is_breached = reached(self.failing(rule));
        self.is_blind = rule.no_data == NoData::Pause && reached(self.count(|verdict| verdict == Verdict::NoData));
        let turn = Turn::between(was_breached, self.is_breached);
        News { held, turn, blind: self.is_blind && !was_blind }
    }

    /// Whether a history may be too short because the watch is: until it has held once, and no longer than it reads back.
    fn is_filling(&self, rule: &Rule, now: Time) -> bool {
        !self.has_held && now <= self.since.after(rule.reach) && rule.reach > Span::ZERO
    }

    fn count(&self, is: impl Fn(Verdict) -> bool) -> u32 {
        // The window holds at most `of`, which is a u32.
        self.last.iter().fold(0, |count, verdict| count + u32::from(is(*verdict)))
    }

    fn failing(&self, rule: &Rule) -> u32 {
        self.count(|verdict| verdict == Verdict::Fails || verdict == Verdict::NoData && rule.no_data == NoData::Fail)
    }

    /// Since when it is watched, where it has not held since.
    pub(super) fn yet_to_hold(&self) -> Option<Time> {
        (!self.has_held).then_some(self.since)
    }

    /// When a poll of this probe serves it next: at once, then regularly.
    pub(super) fn next_poll(&self, probe: ProbeId, of: &Probe) -> Time {
        let has = self.probes.iter().any(|seen| seen.probe == probe && seen.has_any);
        let is_coming = of.under_way.is_some_and(|(began, order)| began >= self.since && order > self.order);
        if has || is_coming { of.next_regular() } else { self.since }
    }

    pub(super) fn health(&self, rule: &Rule) -> Health<'_> {
        Health {
            verdict: self.verdict,
            evidence: &self.evidence,
            failing: self.failing(rule),
            counted: self.count(|_| true),
            failures: rule.failures,
            of: rule.of,
            without_data: self.count(|verdict| verdict == Verdict::NoData),
            judged: self.judged,
        }
    }
}
