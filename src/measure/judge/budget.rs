//! Error budgets: how much a counter has grown in its scope since the run began, what is allowed, and what the present
//! rate would come to by the end of the phase.
//!
//! A budget outlives its watches: a pause, a rollback and a further pass spend from the same allowance. While its scope is
//! open everything counts, what happened between two samples of different processes too.

use std::collections::{BTreeMap, VecDeque};

use super::Finding;
use super::guard::{Health, News, Turn};
use super::probe::{Probe, Sample};
use crate::measure::series::seconds;
use crate::model::{
    self, Budget, Counted, GuardId, NoData, OnBreach, Plan, ProbeId, ROUNDS_WITHOUT_DATA, Span, Spend, Time, Verdict,
    number, shown_number,
};

/// A forecast may not breach before that share of the allowance is spent: a rate that rests on a few events is none.
const FORECAST_FROM: f64 = 0.25;

/// The journal hears of a spend each time it has grown by that share of the allowance.
const NOTED_EVERY: f64 = 0.05;

/// A budget of the plan, and what it has spent.
#[derive(Debug)]
pub(super) struct Account {
    budget: Budget,
    no_data: NoData,
    on_breach: AfterBreach,
    bad: Counter,
    total: Counter,
    counted: Span,
    /// When the last samples with data were asked.
    at: Option<Time>,
    /// What it had grown to, round by round, for the rate over the last while.
    recent: VecDeque<Point>,
    over: Over,
    /// What it had spent when that was last written down; `None`: the counters' present values have not been.
    noted: Option<f64>,
    watch: Option<Watch>,
}

/// Whether the way forward goes on under the same watch of people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum AfterBreach {
    /// A spent budget takes every further pass back.
    Again,
    /// It is told once: whoever lets the run go on knows.
    Once,
}

/// Whether it is breached, from the mildest to the worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Over {
    No,
    /// It would be spent by the end of the phases under way.
    Forecast,
    Spent,
}

#[derive(Debug, Default)]
struct Counter {
    grown: f64,
    last: Option<f64>,
    /// A new sample, with data or without, that waits for that of the other counter.
    next: Option<Answer>,
}

#[derive(Clone, Copy, Debug)]
enum Answer {
    NoData,
    Value(f64),
}

impl Answer {
    const fn value(self) -> Option<f64> {
        match self {
            Self::NoData => None,
            Self::Value(value) => Some(value),
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Point {
    at: Time,
    bad: f64,
    total: f64,
}

#[derive(Debug)]
struct Watch {
    since: Time,
    order: u64,
    verdict: Option<Verdict>,
    evidence: String,
    has_held: bool,
    /// What of a breach has been told in this watch.
    told: Over,
    /// What was known when the watch began, and people let the run go on: more than that is told.
    accepted: Over,
    without_data: u32,
}

/// What one round of samples came to.
pub(super) struct Round {
    pub(super) news: News,
    pub(super) evidence: String,
    /// Whether the journal is to hear of the spend.
    pub(super) is_notable: bool,
}

impl Counter {
    /// A fall is a reset: the counter began again at 0.
    fn take(&mut self, value: f64) {
        self.grown += match self.last {
            None => 0.0,
            Some(last) if value >= last => value - last,
            Some(_) => value,
        };
        self.last = Some(value);
    }

    fn kept(&self) -> Counted {
        Counted { grown: number(self.grown), last: self.last.map(number) }
    }

    fn restored(kept: &Counted) -> Self {
        let decimal = |number: &serde_json::Number| number.as_f64().unwrap_or_default();
        Self { grown: decimal(&kept.grown), last: kept.last.as_ref().map(decimal), next: None }
    }
}

impl Account {
    pub(super) fn of(guard: &model::Guard, budget: &Budget) -> Self {
        Self {
            budget: budget.clone(),
            no_data: guard.no_data,
            on_breach: match guard.on_breach {
                OnBreach::Rollback(_) => AfterBreach::Again,
                OnBreach::Pause | OnBreach::Warn => AfterBreach::Once,
            },
            bad: Counter::default(),
            total: Counter::default(),
            counted: Span::ZERO,
            at: None,
            recent: VecDeque::new(),
            over: Over::No,
            noted: None,
            watch: None,
        }
    }

    /// Goes on from what an earlier process wrote down.
    pub(super) fn restore(&mut self, spend: &Spend) {
        self.bad = Counter::restored(&spend.bad);
        self.total = spend.total.as_ref().map(Counter::restored).unwrap_or_default();
        self.counted = spend.counted;
        self.over = match (spend.breached, self.is_spent()) {
            (false, _) => Over::No,
            (true, false) => Over::Forecast,
            (true, true) => Over::Spent,
        };
        if self.bad.last.is_some() {
            self.at = Some(spend.at);
            self.recent.push_back(self.point(spend.at));
        }
    }

    /// Counts from now on, or goes on counting with what is judged begun anew.
    pub(super) fn watch(&mut self, now: Time, order: u64) {
        let since = self.watch.as_ref().map_or((now, order), |watch| (watch.since, watch.order));
        self.watch = Some(Watch {
            since: since.0,
            order: since.1,
            verdict: None,
            evidence: String::new(),
            has_held: false,
            told: Over::No,
            accepted: match self.on_breach {
                AfterBreach::Again => Over::No,
                AfterBreach::Once => self.over,
            },
            without_data: 0,
        });
    }

    /// What happens from now on does not count. Whether the journal is to hear of what did.
    pub(super) fn unwatch(&mut self) -> bool {
        let is_notable = self.watch.take().is_some() && self.noted.is_some_and(|noted| self.bad.grown > noted);
        (self.bad.last, self.bad.next) = (None, None);
        (self.total.last, self.total.next) = (None, None);
        self.at = None;
        self.recent.clear();
        self.noted = None;
        is_notable
    }

    pub(super) fn reads(&self, probe: ProbeId) -> bool {
        self.watch.is_some() && self.budget.probes().any(|read| read == probe)
    }

    /// Notes a sample; whether every counter now has a new one.
    pub(super) fn note(&mut self, probe: ProbeId, sample: &Sample) -> bool {
        let Some(watch) = &self.watch else { return false };
        if sample.asked < watch.since || sample.asked == watch.since && sample.order < watch.order {
            return false;
        }
        let value = sample.value.as_ref().and_then(serde_json::Value::as_f64).filter(|value| *value >= 0.0);
        let answer = value.map_or(Answer::NoData, Answer::Value);
        if probe == self.budget.bad {
            self.bad.next = Some(answer);
        }
        if self.budget.allow.total() == Some(probe) {
            self.total.next = Some(answer);
        }
        self.bad.next.is_some() && (self.budget.allow.total().is_none() || self.total.next.is_some())
    }

    /// Judges what the new samples come to; `ends`: when the phases under way end at the latest.
    pub(super) fn judge(&mut self, asked: Time, ends: Option<Time>) -> Round {
        let bad = self.bad.next.take().and_then(Answer::value);
        let total = match self.budget.allow.total() {
            Some(_) => self.total.next.take().and_then(Answer::value),
            None => Some(0.0),
        };
        let was_over = self.over;
        let has_data = bad.zip(total);
        let mut evidence = format!("a counter has no data; {}", self.spend());
        if let Some((bad, total)) = has_data {
            self.count(asked, bad, total);
            (self.over, evidence) = self.look(asked, ends);
        }
        let is_notable = has_data.is_some() && (self.over != was_over || self.is_notable());
        if is_notable {
            self.noted = Some(self.bad.grown);
        }
        Round { news: self.news(has_data.is_some(), &evidence), evidence, is_notable }
    }

    /// What the new samples come to, for the run.
    pub(super) fn findings<K>(&mut self, guard: GuardId, asked: Time, ends: Option<Time>) -> Vec<Finding<K>> {
        let round = self.judge(asked, ends);
        let mut findings = Vec::new();
        // What is spent is on record before what follows from it.
        if round.is_notable {
            findings.push(Finding::SpendNoted { guard, spend: self.spend(), evidence: round.evidence.clone() });
        }
        if round.news.held {
            findings.push(Finding::GuardHeld { guard, evidence: round.evidence.clone() });
        }
        if round.news.turn == Turn::Breached {
            findings.push(Finding::GuardBreached { guard, evidence: round.evidence.clone() });
        }
        if round.news.blind {
            findings.push(Finding::GuardBlind { guard, evidence: round.evidence });
        }
        findings
    }

    fn count(&mut self, asked: Time, bad: f64, total: f64) {
        self.bad.take(bad);
        self.total.take(total);
        if let Some(before) = self.at.replace(asked) {
            self.counted = self.counted.plus(asked.since(before));
        }
        self.recent.push_back(self.point(asked));
        let Some(window) = self.budget.forecast else { return self.recent.clear() };
        // One point that is at least as old as the window stays.
        while self.recent.get(1).is_some_and(|second| second.at.after(window) <= asked) {
            self.recent.pop_front();
        }
    }

    fn point(&self, at: Time) -> Point {
        Point { at, bad: self.bad.grown, total: self.total.grown }
    }

    fn is_notable(&self) -> bool {
        let allowed = self.budget.allow.of(self.total.grown);
        let due = |noted: f64| self.bad.grown > noted && self.bad.grown - noted >= NOTED_EVERY * allowed.max(noted);
        self.noted.is_none_or(due)
    }

    fn is_spent(&self) -> bool {
        self.bad.grown > self.budget.allow.of(self.total.grown)
    }

    /// Whether it is breached, in words too.
    fn look(&self, asked: Time, ends: Option<Time>) -> (Over, String) {
        let spent = self.spend().to_string();
        if self.is_spent() {
            return (Over::Spent, spent);
        }
        match self.forecast(asked, ends) {
            Some(forecast) => (Over::Forecast, format!("{spent}; {forecast}")),
            None => (Over::No, spent),
        }
    }

    /// What will be spent where that is too much.
    fn forecast(&self, asked: Time, ends: Option<Time>) -> Option<String> {
        let (window, left) = (self.budget.forecast?, ends?.since(asked));
        if self.bad.grown < FORECAST_FROM * self.budget.allow.of(self.total.grown) {
            return None;
        }
        let then = self.recent.front().filter(|then| then.at.after(window) <= asked)?;
        let grown = (self.bad.grown - then.bad, self.total.grown - then.total);
        // The lower of two rates: that a stretch was bad does not make the next one so, nor does what is long over.
        let lately = self.carried_on(grown, asked.since(then.at), left)?;
        let all_along = self.carried_on((self.bad.grown, self.total.grown), self.counted, left)?;
        let will = shown_number(&number(lately.min(all_along).round()));
        Some(format!("at the present rate {will} by the end of the phase's bound in {left}"))
    }

    /// What will be spent if it goes on for `left` as it did over that long, where that is more than is allowed then.
    fn carried_on(&self, (bad, total): (f64, f64), over: Span, left: Span) -> Option<f64> {
        let times = if over == Span::ZERO { 0.0 } else { seconds(left) / seconds(over) };
        let bad = self.bad.grown + bad * times;
        let allowed = self.budget.allow.of(self.total.grown + total * times);
        (bad > allowed).then_some(bad)
    }

    fn news(&mut self, has_data: bool, evidence: &str) -> News {
        let Some(watch) = &mut self.watch else { return News::default() };
        evidence.clone_into(&mut watch.evidence);
        let counts_as = |no_data, rounds| rounds >= ROUNDS_WITHOUT_DATA && self.no_data == no_data;
        let before = watch.without_data;
        watch.without_data = if has_data { 0 } else { before.saturating_add(1) };
        watch.accepted = watch.accepted.min(self.over);
        let over = if self.over > watch.accepted { self.over } else { Over::No };
        let verdict = match (has_data, over) {
            (false, _) => Verdict::NoData,
            (true, Over::Forecast | Over::Spent) => Verdict::Fails,
            (true, Over::No) => Verdict::Holds,
        };
        watch.verdict = Some(verdict);
        let waves_through = verdict == Verdict::NoData && self.no_data == NoData::Ignore;
        let held = !watch.has_held && (verdict == Verdict::Holds || waves_through);
        watch.has_held |= held;
        let told = std::mem::replace(&mut watch.told, over);
        let (was_missing, is_missing) = (counts_as(NoData::Fail, before), counts_as(NoData::Fail, watch.without_data));
        let turn = if over > told || is_missing && !was_missing {
            Turn::Breached
        } else {
            Turn::between(told > Over::No || was_missing, over > Over::No || is_missing)
        };
        let blind = counts_as(NoData::Pause, watch.without_data) && !counts_as(NoData::Pause, before);
        News { held, turn, blind }
    }

    /// What is spent, as the journal keeps it.
    pub(super) fn spend(&self) -> Spend {
        Spend {
            bad: self.bad.kept(),
            total: self.budget.allow.total().map(|_| self.total.kept()),
            allowed: number(self.budget.allow.of(self.total.grown)),
            counted: self.counted,
            at: self.at.unwrap_or_default(),
            breached: self.over > Over::No,
        }
    }

    /// When a poll of this probe serves it next: at once, then regularly.
    pub(super) fn next_poll(&self, of: &Probe) -> Time {
        let since = self.watch.as_ref().map_or(Time::ZERO, |watch| watch.since);
        let has_any = of.latest.as_ref().is_some_and(|latest| latest.asked >= since);
        if has_any || of.under_way.is_some_and(|(began, _)| began >= since) { of.next_regular() } else { since }
    }

    /// Since when it is watched, where it could not be measured since.
    pub(super) fn yet_to_hold(&self) -> Option<Time> {
        self.watch.as_ref().filter(|watch| !watch.has_held).map(|watch| watch.since)
    }

    pub(super) fn health(&self) -> Option<Health<'_>> {
        let watch = self.watch.as_ref()?;
        Some(Health {
            verdict: watch.verdict,
            evidence: &watch.evidence,
            failing: if self.no_data == NoData::Ignore { 0 } else { watch.without_data },
            counted: watch.without_data,
            failures: ROUNDS_WITHOUT_DATA,
            of: ROUNDS_WITHOUT_DATA,
            without_data: watch.without_data,
            judged: self.at,
        })
    }
}

/// The accounts of a plan's budgets, in which nothing is spent.
pub(super) fn accounts(plan: &Plan) -> BTreeMap<GuardId, Account> {
    let account = |id| Some((id, Account::of(plan.guard(id), plan.guard(id).rule.budget()?)));
    plan.guard_ids().filter_map(account).collect()
}

#[cfg(test)]
mod tests;
