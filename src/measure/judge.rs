//! The judge: samples in, answers to questions and news of guards out.
//!
//! Somebody asks a question about a condition and a moment ([`Judge::ask`]); samples come in ([`Judge::sample`]); what
//! they say goes out as [`Finding`]s: the first fresh verdict on each question and every change of it, and of each
//! watched guard that it held for the first time, is breached, or is blind. Freshness is R13, the n of m of guards R14.
//!
//! Pure: times are arguments. It must not know what a question is for (`K` is the asker's own), nor how a sample is
//! taken; it says which probes are needed and when the next poll of each is due ([`Judge::needed`]).

mod budget;
mod finding;
mod guard;
mod overdue;
mod prepared;
mod probe;
mod progress;
mod question;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::OnceLock;

use serde_json::Value as Json;

use self::budget::{Account, accounts};
use self::guard::{Level, Rule, Turn, Watch};
use self::prepared::{Prepared, Sampled};
use self::probe::{Probe, Sample};
use self::progress::Watchdog;
use self::question::{Asking, Terms};
use super::baseline::{Sampling, in_words};
use super::{Program, Scope};
use crate::model::{
    AttemptId, Baseline, ConditionId, Count, Figure, GuardId, Plan, ProbeId, Progress, Span, Spend, Time, Verdict,
};

pub use self::finding::Finding;
pub use self::guard::Health;
pub use self::probe::Latest;
pub use self::progress::Pace;

/// What the samples of one run say.
#[derive(Debug)]
pub struct Judge<K> {
    conditions: Vec<Prepared>,
    rules: BTreeMap<Watched, Rule>,
    budgets: BTreeMap<GuardId, Account>,
    /// When the phases under way end at the latest.
    ends: Option<Time>,
    probes: Vec<Probe>,
    probes_by_name: BTreeMap<String, usize>,
    asked: BTreeMap<K, Asking>,
    /// What `value` stands for in a question.
    values: BTreeMap<K, Json>,
    watched: BTreeMap<Watched, Watch>,
    /// By attempt, what of it must move.
    watchdogs: BTreeMap<AttemptId, Watchdog>,
    baseline: Option<Baseline>,
    /// The baseline while it is being sampled.
    sampling: Option<Sampling>,
    /// For each probe, the questions and guards that read it.
    readers: Vec<Readers<K>>,
    /// Counts polls and questions: which of two in the same millisecond came first.
    order: u64,
}

#[derive(Debug)]
struct Readers<K> {
    questions: Vec<K>,
    guards: Vec<Watched>,
}

/// One of the things that a guard watches.
type Watched = (GuardId, Level);

/// The scope with the samples so far, without borrowing the whole judge.
macro_rules! sampled {
    ($judge:ident, $scope:expr, $value:expr) => {
        Sampled { rest: $scope, probes: &$judge.probes, by_name: &$judge.probes_by_name, value: $value }
    };
}

impl<K: Copy + Ord + Debug> Judge<K> {
    /// A judge of this plan's conditions and guards; nothing is asked yet.
    pub fn new(plan: &Plan) -> Self {
        let conditions = plan
            .conditions()
            .iter()
            .map(|condition| Prepared { condition: condition.clone(), program: OnceLock::new() });
        let mut probes: Vec<Probe> = plan.probes().iter().map(Probe::of).collect();
        for (probe, _) in plan.conditions().iter().flat_map(|condition| &condition.series) {
            probes[probe.index()].keep_history(plan.probe(*probe).keep);
        }
        Self {
            conditions: conditions.collect(),
            rules: plan.guard_ids().flat_map(|guard| rules(plan, guard)).collect(),
            probes,
            probes_by_name: plan.probes().iter().enumerate().map(|(at, probe)| (probe.name.clone(), at)).collect(),
            asked: BTreeMap::new(),
            values: BTreeMap::new(),
            budgets: accounts(plan),
            ends: None,
            watched: BTreeMap::new(),
            watchdogs: BTreeMap::new(),
            baseline: plan.baseline().cloned(),
            sampling: None,
            readers: plan.probes().iter().map(|_| Readers { questions: Vec::new(), guards: Vec::new() }).collect(),
            order: 0,
        }
    }

    /// The program of a condition, for an `expect` that is judged once, by its own values.
    pub fn program(&self, condition: ConditionId) -> Option<&Program> {
        self.conditions[condition.index()].program()
    }

    /// Opens a question about the time after `since`, until it is withdrawn. A question of the same key is replaced.
    ///
    /// With `hold` (the criterion's `for`) a gap between samples of more than twice the interval is no data, and where
    /// two samples need not lie within it, it holds from the second one on. With `count` so many samples are judged
    /// together, again and again. What is known already is answered at once.
    pub fn ask(
        &mut self,
        key: K,
        condition: ConditionId,
        count: Option<Count>,
        hold: Option<Span>,
        since: Time,
        scope: &dyn Scope,
    ) -> Vec<Finding<K>> {
        self.close(key);
        self.order += 1;
        let terms = Terms { condition, count, hold, since, order: self.order };
        let condition = &self.conditions[condition.index()].condition;
        for probe in &condition.probes {
            self.readers[probe.index()].questions.push(key);
        }
        let mut asking = Asking::new(terms, condition);
        for sample in &mut asking.samples {
            let probe = &self.probes[sample.probe.index()];
            if let Some(latest) = &probe.latest
                && asking.terms.is_fresh(latest, probe.covers.plus(sample.reach))
            {
                sample.take(latest.arrived);
            }
        }
        let all_there = asking.is_complete();
        self.asked.insert(key, asking);
        if all_there { self.judge_question(key, scope).into_iter().collect() } else { Vec::new() }
    }

    /// Says what `value` stands for in a question: before it is asked, until it is withdrawn.
    pub fn give_value(&mut self, key: K, value: Json) {
        self.values.insert(key, value);
    }

    /// Closes a question.
    pub fn withdraw(&mut self, key: K) {
        self.close(key);
        self.values.remove(&key);
    }

    fn close(&mut self, key: K) {
        let Some(asking) = self.asked.remove(&key) else { return };
        for sample in &asking.samples {
            self.readers[sample.probe.index()].questions.retain(|other| *other != key);
        }
    }

    /// Watches a guard from now on, with counts that start anew.
    pub fn watch_guard(&mut self, guard: GuardId, now: Time, scope: &dyn Scope) -> Vec<Finding<K>> {
        self.order += 1;
        if let Some(account) = self.budgets.get_mut(&guard) {
            account.watch(now, self.order);
            return Vec::new();
        }
        self.leave(guard);
        let mut findings = Vec::new();
        for level in Level::ALL {
            let Some(rule) = self.rules.get(&(guard, level)) else { continue };
            let probes = self.conditions[rule.condition.index()].condition.probes.clone();
            for probe in &probes {
                self.readers[probe.index()].guards.push((guard, level));
            }
            let without_probes = probes.is_empty();
            self.watched.insert((guard, level), Watch::new(&probes, now, self.order));
            if without_probes {
                findings.extend(self.judge_guard((guard, level), now, scope));
            }
        }
        findings
    }

    /// Watches it no longer.
    pub fn unwatch_guard(&mut self, guard: GuardId) -> Vec<Finding<K>> {
        self.leave(guard);
        let Some(account) = self.budgets.get_mut(&guard) else { return Vec::new() };
        if !account.unwatch() {
            return Vec::new();
        }
        let spend = account.spend();
        vec![Finding::SpendNoted { guard, evidence: spend.to_string(), spend }]
    }

    /// Goes on with what a budget had spent when that was last written down.
    pub fn restore_spend(&mut self, guard: GuardId, spend: &Spend) {
        if let Some(account) = self.budgets.get_mut(&guard) {
            account.restore(spend);
        }
    }

    /// What a budget has spent.
    pub fn spend(&self, guard: GuardId) -> Option<Spend> {
        self.budgets.get(&guard).map(Account::spend)
    }

    /// Says when the phases under way end at the latest: until then budgets carry on the present rate.
    pub fn expect_end(&mut self, ends: Option<Time>) {
        self.ends = ends;
    }

    fn leave(&mut self, guard: GuardId) {
        for level in Level::ALL {
            let Some(watch) = self.watched.remove(&(guard, level)) else { continue };
            for seen in &watch.probes {
                self.readers[seen.probe.index()].guards.retain(|other| *other != (guard, level));
            }
        }
    }

    /// Watches from now on whether a quantity moves while an attempt runs.
    pub fn watch_progress(&mut self, attempt: AttemptId, progress: &Progress, now: Time) {
        self.order += 1;
        self.watchdogs.insert(attempt, Watchdog::new(progress, now, self.order));
    }

    /// Watches it no longer.
    pub fn unwatch_progress(&mut self, attempt: AttemptId) {
        self.watchdogs.remove(&attempt);
    }

    /// How the quantities of the watched attempts move, for people.
    pub fn paces(&self, now: Time) -> impl Iterator<Item = (AttemptId, Pace)> + '_ {
        self.watchdogs.iter().filter_map(move |(attempt, dog)| Some((*attempt, dog.pace(now)?)))
    }

    /// Samples the baseline from now on, anew where that had begun.
    pub fn take_baseline(&mut self, now: Time) {
        self.order += 1;
        self.sampling = self.baseline.as_ref().map(|baseline| Sampling::new(baseline, now, self.order));
    }

    /// Does not.
    pub fn drop_baseline(&mut self) {
        self.sampling = None;
    }

    /// Says that a poll of a probe begins. With it a sample is fresh for a question asked in the same millisecond, if
    /// that came first; a poll that was never announced must have been asked a millisecond later.
    pub fn began(&mut self, probe: ProbeId, now: Time) {
        self.order += 1;
        let order = self.order;
        self.probes[probe.index()].under_way = Some((now, order));
    }

    /// Takes in a sample: `None` for a poll that failed or took too long.
    pub fn sample(
        &mut self,
        probe: ProbeId,
        asked: Time,
        arrived: Time,
        value: Option<Json>,
        scope: &dyn Scope,
    ) -> Vec<Finding<K>> {
        let sample = self.probes[probe.index()].take(asked, arrived, value);
        let covers = self.probes[probe.index()].covers;
        let mut findings = Vec::new();
        // Guards first: a breach is what must not wait.
        for guard in self.readers[probe.index()].guards.clone() {
            let watch = self.watched.get_mut(&guard).expect("a reader of a probe is watched");
            if watch.note(probe, &sample) && watch.is_due(&self.rules[&guard], &self.probes, arrived) {
                findings.extend(self.judge_guard(guard, arrived, scope));
            }
        }
        for (&guard, account) in &mut self.budgets {
            if account.reads(probe) && account.note(probe, &sample) {
                findings.extend(account.findings(guard, sample.asked, self.ends));
            }
        }
        for dog in self.watchdogs.values_mut().filter(|dog| dog.probe == probe) {
            dog.note(&sample);
        }
        if let Some(sampling) = &mut self.sampling {
            sampling.note(probe, sample.asked, sample.order, sample.value.as_ref());
            findings.extend(self.end_sampling(arrived));
        }
        for key in self.readers[probe.index()].questions.clone() {
            let asking = self.asked.get_mut(&key).expect("a reader of a probe is asked");
            if asking.is_fresh(probe, &sample, covers) && asking.note(probe, arrived) {
                findings.extend(self.judge_question(key, scope));
            }
        }
        findings
    }

    /// Looks again at what changes without a sample: gaps that are due ([`Self::next_wakeup`]), conditions without probes,
    /// and, when outcomes, attempts or outputs of steps have changed, those that read them.
    pub fn refresh(&mut self, now: Time, scope: &dyn Scope) -> Vec<Finding<K>> {
        let mut findings: Vec<Finding<K>> = self.end_sampling(now).into_iter().collect();
        findings.extend(self.find_stalled(now));
        let guards: Vec<Watched> = self.watched.keys().copied().collect();
        for guard in guards {
            let watch = &self.watched[&guard];
            if watch.probes.is_empty() && watch.is_due(&self.rules[&guard], &self.probes, now) {
                findings.extend(self.judge_guard(guard, now, scope));
            }
        }
        let keys: Vec<K> = self.asked.keys().copied().collect();
        for key in keys {
            let asking = self.asked.get_mut(&key).expect("it is one of the keys");
            if let Some(probe) = asking.gap(&self.probes, now) {
                let (name, interval) = (&self.probes[probe.index()].name, self.probes[probe.index()].interval);
                let evidence = format!("probe.{name} gave no sample for twice its interval of {interval}");
                findings.extend(asking.broken(evidence).then(|| asking.finding(key)));
            } else if asking.terms.count.is_none() && asking.is_complete() {
                let condition = &self.conditions[asking.terms.condition.index()];
                if asking.samples.is_empty() || condition.program().is_some_and(Program::reads_steps) {
                    findings.extend(self.judge_again(key, scope));
                }
            }
        }
        findings
    }

    /// When [`Self::refresh`] should be called at the latest.
    pub fn next_wakeup(&self) -> Option<Time> {
        let gaps = self.asked.values().filter_map(|asking| asking.next_gap(&self.probes));
        let unmeasured = self.watched.iter().filter(|(_, watch)| watch.probes.is_empty());
        let judged = unmeasured.filter_map(|(guard, watch)| Some(watch.judged?.after(self.rules[guard].every)));
        let stalls = self.watchdogs.values().filter_map(Watchdog::next_wakeup);
        let sampled = self.sampling.as_ref().and_then(Sampling::next_wakeup);
        gaps.chain(judged).chain(stalls).chain(sampled).min()
    }

    /// The probes that must be polled for what is asked and watched, in the order of the plan, and when the next poll of
    /// each may begin; earlier than now: as soon as one under way has ended.
    pub fn needed(&self) -> Vec<(ProbeId, Time)> {
        let mut needed = Vec::new();
        for (at, readers) in self.readers.iter().enumerate() {
            let (id, probe) = (ProbeId::at(at), &self.probes[at]);
            let questions = readers.questions.iter().map(|key| self.asked[key].next_poll(id, probe));
            let guards = readers.guards.iter().map(|guard| self.watched[guard].next_poll(id, probe));
            let sampled = self.sampling.as_ref().and_then(|sampling| sampling.next_poll(id, probe.next_regular()));
            let budgets = self.budgets.values().filter(|account| account.reads(id));
            let budgets = budgets.map(|account| account.next_poll(probe));
            let dogs = self.watchdogs.values().filter(|dog| dog.probe == id);
            let watched = dogs.map(|dog| dog.next_poll(probe.next_regular()));
            needed.extend(
                questions.chain(guards).chain(budgets).chain(sampled).chain(watched).min().map(|due| (id, due)),
            );
        }
        needed
    }

    /// The last sample of a probe, for people.
    pub fn latest(&self, probe: ProbeId) -> Option<Latest<'_>> {
        self.probes[probe.index()].shown()
    }

    /// How a watched guard stands, for people.
    pub fn health(&self, guard: GuardId) -> Option<Health<'_>> {
        if let Some(account) = self.budgets.get(&guard) {
            return account.health();
        }
        let breach = (guard, Level::Breach);
        self.watched.get(&breach).map(|watch| watch.health(&self.rules[&breach]))
    }

    /// The last verdict on a question and its evidence: why it has not come true yet.
    pub fn standing(&self, key: K) -> Option<(Verdict, &str)> {
        self.asked.get(&key).and_then(Asking::standing)
    }

    fn find_stalled(&mut self, now: Time) -> Vec<Finding<K>> {
        let stalled =
            self.watchdogs.iter_mut().filter_map(|(attempt, dog)| dog.stalls(now).then_some((*attempt, &*dog)));
        let name = |dog: &Watchdog| self.probes[dog.probe.index()].name.as_str();
        stalled
            .map(|(attempt, dog)| Finding::ProgressStalled { attempt, evidence: dog.in_words(name(dog), now) })
            .collect()
    }

    /// The baseline, if it has been sampled for long enough.
    fn end_sampling(&mut self, now: Time) -> Option<Finding<K>> {
        let sampling = self.sampling.take_if(|sampling| sampling.is_over(now))?;
        let (summaries, blind) = sampling.finish(|probe| self.probes[probe.index()].name.clone());
        Some(match blind.as_slice() {
            [] => Finding::BaselineTaken { evidence: in_words(&summaries), summaries },
            [one] => Finding::BaselineBlind { evidence: format!("probe.{one} gave no data"), summaries },
            several => {
                let names: Vec<String> = several.iter().map(|name| format!("probe.{name}")).collect();
                Finding::BaselineBlind { evidence: format!("{} gave no data", names.join(", ")), summaries }
            }
        })
    }

    fn judge_question(&mut self, key: K, scope: &dyn Scope) -> Option<Finding<K>> {
        let asking = self.asked.get_mut(&key).expect("it was asked");
        let (verdict, evidence) =
            self.conditions[asking.terms.condition.index()].judge(&sampled!(self, scope, self.values.get(&key)));
        asking.judged(verdict, evidence, &self.probes).then(|| asking.finding(key))
    }

    /// A second look by the same samples.
    fn judge_again(&mut self, key: K, scope: &dyn Scope) -> Option<Finding<K>> {
        let asking = self.asked.get_mut(&key).expect("it was asked");
        let (verdict, evidence) =
            self.conditions[asking.terms.condition.index()].judge(&sampled!(self, scope, self.values.get(&key)));
        asking.judged_again(verdict, evidence).then(|| asking.finding(key))
    }

    /// A guard whose `require` reads the baseline sleeps until that is there; one whose `warn` does is awake, and says
    /// nothing of it.
    fn has_baseline(&self, scope: &dyn Scope) -> bool {
        let first = self.baseline.as_ref().and_then(|baseline| baseline.probes.first());
        first.is_some_and(|probe| scope.baseline(&self.probes[probe.index()].name, Figure::Count).is_some())
    }

    fn judge_guard(&mut self, watched: Watched, now: Time, scope: &dyn Scope) -> Vec<Finding<K>> {
        let rule = &self.rules[&watched];
        let condition = &self.conditions[rule.condition.index()];
        let (guard, level) = watched;
        if level == Level::Warn && condition.condition.reads_baseline && !self.has_baseline(scope) {
            return Vec::new();
        }
        let (verdict, evidence) = condition.judge(&sampled!(self, scope, None));
        let watch = self.watched.get_mut(&watched).expect("it is watched");
        let news = watch.judged(rule, verdict, evidence.clone(), now);
        let mut findings = Vec::new();
        if level == Level::Warn {
            match news.turn {
                Turn::Breached => findings.push(Finding::GuardWarned { guard, evidence }),
                Turn::Eased => findings.push(Finding::GuardEased { guard, evidence }),
                Turn::None => {}
            }
            return findings;
        }
        if news.held {
            findings.push(Finding::GuardHeld { guard, evidence: evidence.clone() });
        }
        if news.turn == Turn::Breached {
            let evidence = format!("{}: {evidence}", watch.health(rule).failing_in_words());
            findings.push(Finding::GuardBreached { guard, evidence });
        }
        if news.blind {
            let evidence = format!("{}: {evidence}", watch.health(rule).without_data_in_words());
            findings.push(Finding::GuardBlind { guard, evidence });
        }
        findings
    }
}

/// What a guard watches, level by level.
fn rules(plan: &Plan, id: GuardId) -> impl Iterator<Item = (Watched, Rule)> {
    let guard = plan.guard(id);
    guard.rule.condition().into_iter().flat_map(move |watched| {
        let levels = [(Level::Breach, Some(watched.require)), (Level::Warn, watched.warn)];
        let rule = move |condition| Rule::of(guard, watched, condition, plan.condition(condition));
        levels.into_iter().filter_map(move |(level, condition)| Some(((id, level), rule(condition?))))
    })
}

impl Terms {
    /// Whether a sample counts (R13): asked after the moment the question is about, and after what it covers.
    fn is_fresh(&self, sample: &Sample, covers: Span) -> bool {
        let from = self.since.after(covers);
        sample.asked > from || sample.asked == from && covers == Span::ZERO && sample.order > self.order
    }
}
