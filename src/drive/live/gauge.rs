//! What is measured while a run is on: the judge of `measure`, fed by the poller, in the engine's words.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value as Json;

use super::attempt::Locals;
use super::probe::Sample;
use super::scope::{RunScope, View};
use crate::drive::Fact;
use crate::engine::{Asked, Event, Question};
use crate::measure::{Finding, Health, Judge, Latest, Pace};
use crate::model::{AttemptId, ConditionId, GuardId, Plan, ProbeId, Spend, Spends, StepId, Time, Verdict};

/// What is judged: a question of the engine, or one criterion of a way back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Question(Question),
    WayBack(StepId, u16),
}

/// Judges questions, guards and ways back.
pub struct Gauge {
    plan: Arc<Plan>,
    judge: Judge<Key>,
    /// Per watched way back: the verdict on each criterion, and what was last told of them together.
    ways_back: BTreeMap<StepId, WayBack>,
    /// Why the last poll of a probe gave no data.
    whys: BTreeMap<ProbeId, String>,
}

#[derive(Default)]
struct WayBack {
    verdicts: Vec<Option<Verdict>>,
    told: Option<Verdict>,
}

impl Gauge {
    /// For a run of this plan.
    pub fn new(plan: Arc<Plan>) -> Self {
        Self { judge: Judge::new(&plan), plan, ways_back: BTreeMap::new(), whys: BTreeMap::new() }
    }

    /// Judges a question by samples asked after `since`, until it is withdrawn.
    pub fn ask(&mut self, question: Question, since: Time, scope: &RunScope) -> Vec<Fact> {
        let Some(condition) = question.asked.condition(&self.plan) else { return Vec::new() };
        let criterion = question.asked.criterion(&self.plan);
        let count = criterion.and_then(|criterion| criterion.count);
        let hold = criterion.and_then(|criterion| criterion.hold_for);
        if let Some(value) = question.asked.value(&self.plan) {
            self.judge.give_value(Key::Question(question), value.clone());
        }
        let found =
            with_scope(scope, |view| self.judge.ask(Key::Question(question), condition, count, hold, since, view));
        self.facts(found)
    }

    /// The question is over.
    pub fn withdraw(&mut self, question: Question) {
        self.judge.withdraw(Key::Question(question));
    }

    /// Watches a guard, with counts that begin anew.
    pub fn watch_guard(&mut self, guard: GuardId, scope: &RunScope, now: Time) -> Vec<Fact> {
        let found = with_scope(scope, |view| self.judge.watch_guard(guard, now, view));
        self.facts(found)
    }

    /// Watches it no longer.
    pub fn unwatch_guard(&mut self, guard: GuardId) -> Vec<Fact> {
        let found = self.judge.unwatch_guard(guard);
        self.facts(found)
    }

    /// Goes on with what budgets had spent when that was last written down.
    pub fn restore_spends(&mut self, spends: &Spends) {
        for guard in self.plan.guard_ids() {
            if let Some(spend) = spends.get(&self.plan.guard(guard).name) {
                self.judge.restore_spend(guard, spend);
            }
        }
    }

    /// Whether the plan has a budget.
    pub fn has_budgets(&self) -> bool {
        self.plan.guards().iter().any(|guard| guard.rule.budget().is_some())
    }

    /// What a budget has spent.
    pub fn spend(&self, guard: GuardId) -> Option<Spend> {
        self.judge.spend(guard)
    }

    /// What all of them have, by name.
    pub fn spends(&self) -> Spends {
        let named = |guard| Some((self.plan.guard(guard).name.clone(), self.spend(guard)?));
        self.plan.guard_ids().filter_map(named).collect()
    }

    /// Says when the phases under way end at the latest, for forecasts.
    pub fn expect_end(&mut self, ends: Option<Time>) {
        self.judge.expect_end(ends);
    }

    /// Watches every `require` of a step's undo.
    pub fn watch_way_back(&mut self, step: StepId, scope: &RunScope, now: Time) -> Vec<Fact> {
        let plan = Arc::clone(&self.plan);
        let criteria: Vec<_> = plan.step(step).undo().iter().flat_map(|undo| &undo.require).collect();
        self.ways_back.insert(step, WayBack { verdicts: vec![None; criteria.len()], told: None });
        let mut facts = Vec::new();
        for (n, criterion) in (0..).zip(criteria) {
            let key = Key::WayBack(step, n);
            let found = with_scope(scope, |view| self.judge.ask(key, criterion.condition, None, None, now, view));
            facts.extend(self.facts(found));
        }
        facts
    }

    /// Watches it no longer.
    pub fn unwatch_way_back(&mut self, step: StepId) {
        if let Some(way_back) = self.ways_back.remove(&step) {
            for n in (0..).take(way_back.verdicts.len()) {
                self.judge.withdraw(Key::WayBack(step, n));
            }
        }
    }

    /// What the samples say of each criterion of a watched way back; `None` where none has decided it yet.
    pub fn way_back(&self, step: StepId) -> Vec<(ConditionId, Option<(Verdict, &str)>)> {
        let criteria = self.plan.step(step).undo().iter().flat_map(|undo| &undo.require);
        (0..).zip(criteria).map(|(n, it)| (it.condition, self.judge.standing(Key::WayBack(step, n)))).collect()
    }

    /// Watches whether an attempt of a step with `progress` makes some.
    pub fn watch_progress(&mut self, attempt: AttemptId, now: Time) {
        if let Some(progress) = &self.plan.step(attempt.step).progress {
            self.judge.watch_progress(attempt, progress, now);
        }
    }

    /// Not any longer.
    pub fn unwatch_progress(&mut self, attempt: AttemptId) {
        self.judge.unwatch_progress(attempt);
    }

    /// How the watched attempts get on.
    pub fn paces(&self, now: Time) -> impl Iterator<Item = (AttemptId, Pace)> + '_ {
        self.judge.paces(now)
    }

    /// Samples the baseline from now on.
    pub fn take_baseline(&mut self, now: Time) {
        self.judge.take_baseline(now);
    }

    /// Does not.
    pub fn drop_baseline(&mut self) {
        self.judge.drop_baseline();
    }

    /// What the probes of the baseline gave last, by name; a probe without data is left out.
    pub fn compared(&self) -> BTreeMap<String, Json> {
        let probes = self.plan.baseline().into_iter().flat_map(|baseline| &baseline.probes);
        let value = |probe: &ProbeId| Some((self.plan.probe(*probe).name.clone(), self.latest(*probe)?.value?.clone()));
        probes.filter_map(value).collect()
    }

    /// Takes in a sample.
    pub fn sample(&mut self, sample: Sample, scope: &RunScope) -> Vec<Fact> {
        match sample.why_none {
            Some(why) => drop(self.whys.insert(sample.probe, why)),
            None => drop(self.whys.remove(&sample.probe)),
        }
        let found =
            with_scope(scope, |view| self.judge.sample(sample.probe, sample.asked, sample.arrived, sample.value, view));
        self.facts(found)
    }

    /// Judges again what depends on steps, or on time alone (a row of samples that has a gap).
    pub fn refresh(&mut self, scope: &RunScope, now: Time) -> Vec<Fact> {
        let found = with_scope(scope, |view| self.judge.refresh(now, view));
        self.facts(found)
    }

    /// When [`Self::refresh`] is due at the latest.
    pub fn next_wakeup(&self) -> Option<Time> {
        self.judge.next_wakeup()
    }

    /// The probes that something needs now.
    pub fn needed(&self) -> Vec<ProbeId> {
        self.judge.needed().into_iter().map(|(probe, _)| probe).collect()
    }

    /// The last sample of a probe.
    pub fn latest(&self, probe: ProbeId) -> Option<Latest<'_>> {
        self.judge.latest(probe)
    }

    /// How a watched guard stands.
    pub fn health(&self, guard: GuardId) -> Option<Health<'_>> {
        self.judge.health(guard)
    }

    /// The guards that have not held for longer than people expect.
    pub fn guards_overdue(&self, now: Time) -> impl Iterator<Item = GuardId> + '_ {
        self.judge.guards_overdue(now)
    }

    /// The engine's questions that have no answer, or not the one that is waited for, for longer than people expect.
    /// How a ramp and a way back stand is told as it changes.
    /// `from`: since when this process measures.
    pub fn overdue(&self, from: Time, now: Time) -> impl Iterator<Item = Question> + '_ {
        self.judge.overdue(from, now).filter_map(|key| match key {
            Key::Question(Question { asked: Asked::Advance(..) | Asked::HoldWhile(..), .. }) | Key::WayBack(..) => None,
            Key::Question(question) => Some(question),
        })
    }

    /// When [`Self::guards_overdue`] or [`Self::overdue`] has one more.
    pub fn next_overdue(&self, from: Time, now: Time) -> Option<Time> {
        self.judge.next_overdue(from, now)
    }

    /// Why a guard has not held: its values, and what its probes complain of.
    pub fn why_guard_waits(&self, guard: GuardId) -> String {
        let said = self.judge.health(guard).map(|health| health.evidence).unwrap_or_default();
        self.with_complaints(said, &self.plan.guard_probes(guard))
    }

    /// Why a question has no answer: values, and what its probes complain of.
    pub fn why_unanswered(&self, question: Question) -> String {
        let said = self.judge.standing(Key::Question(question)).map(|(_, evidence)| evidence).unwrap_or_default();
        self.why_unanswered_by(question, said)
    }

    fn why_unanswered_by(&self, question: Question, said: &str) -> String {
        let condition = question.asked.condition(&self.plan).map(|condition| self.plan.condition(condition));
        self.with_complaints(said, condition.map_or(&[], |condition| &condition.probes))
    }

    fn with_complaints(&self, said: &str, probes: &[ProbeId]) -> String {
        let complaint = |probe: &ProbeId| {
            let name = &self.plan.probe(*probe).name;
            match self.judge.latest(*probe) {
                None => Some(format!("probe.{name} has not answered yet")),
                Some(latest) if latest.value.is_some() => None,
                Some(_) => self.whys.get(probe).map(|why| format!("probe.{name}: {why}")),
            }
        };
        let said = (!said.is_empty()).then(|| said.to_owned());
        said.into_iter().chain(probes.iter().filter_map(complaint)).collect::<Vec<_>>().join("; ")
    }

    /// A refused run has no other place for the sentence of the preflight check that refused it. That says what is wrong
    /// where the check is false; where it has no data nobody knows that.
    fn in_words(&self, question: Question, verdict: Verdict, evidence: String) -> String {
        let (Asked::Preflight(_) | Asked::BaselineRequire(_)) = question.asked else { return evidence };
        let say = question.asked.criterion(&self.plan).and_then(|criterion| criterion.say.as_deref());
        match (verdict, say) {
            (Verdict::Holds, _) | (Verdict::Fails, None) => evidence,
            (Verdict::Fails, Some(say)) => format!("{say}: {evidence}"),
            (Verdict::NoData, say) => {
                let asks = say.map_or(String::new(), |say| format!("; what it asks: {say}"));
                format!("there is no data: {}{asks}", self.why_unanswered_by(question, &evidence))
            }
        }
    }

    /// Whoever reads that a way back is shut wants to know what for, and what its probes complain of.
    fn why_shut(&self, step: StepId, n: u16, verdict: Verdict, evidence: String) -> String {
        let mut criteria = self.plan.step(step).undo().iter().flat_map(|undo| &undo.require);
        let Some(criterion) = criteria.nth(usize::from(n)).filter(|_| verdict != Verdict::Holds) else {
            return evidence;
        };
        let evidence = self.with_complaints(&evidence, &self.plan.condition(criterion.condition).probes);
        criterion.say.as_ref().map_or(evidence.clone(), |say| format!("{say}: {evidence}"))
    }

    fn facts(&mut self, found: Vec<Finding<Key>>) -> Vec<Fact> {
        found.into_iter().filter_map(|finding| self.fact(finding)).collect()
    }

    fn fact(&mut self, finding: Finding<Key>) -> Option<Fact> {
        match finding {
            Finding::Judged { key: Key::Question(question), verdict, evidence } => {
                let evidence = self.in_words(question, verdict, evidence);
                Some(Fact::new(Event::Judged { question, verdict }).with_evidence(evidence))
            }
            Finding::Judged { key: Key::WayBack(step, n), verdict, evidence } => {
                let evidence = self.why_shut(step, n, verdict, evidence);
                let way_back = self.ways_back.get_mut(&step)?;
                *way_back.verdicts.get_mut(usize::from(n))? = Some(verdict);
                let all = way_back.together()?;
                if way_back.told.replace(all) == Some(all) {
                    return None;
                }
                Some(Fact::new(Event::WayBackJudged { step, verdict: all }).with_evidence(evidence))
            }
            Finding::GuardHeld { guard, evidence } => {
                Some(Fact::new(Event::GuardHeld { guard }).with_evidence(evidence))
            }
            Finding::GuardBreached { guard, evidence } => {
                Some(Fact::new(Event::GuardBreached { guard }).with_evidence(evidence))
            }
            Finding::GuardBlind { guard, evidence } => {
                Some(Fact::new(Event::GuardBlind { guard }).with_evidence(evidence))
            }
            Finding::GuardWarned { guard, evidence } => {
                Some(Fact::new(Event::GuardWarned { guard }).with_evidence(evidence))
            }
            Finding::GuardEased { guard, evidence } => {
                Some(Fact::new(Event::GuardEased { guard }).with_evidence(evidence))
            }
            Finding::SpendNoted { guard, spend, evidence } => {
                let spent = Spends::from([(self.plan.guard(guard).name.clone(), spend)]);
                Some(Fact { spent, ..Fact::new(Event::SpendNoted { guard }).with_evidence(evidence) })
            }
            Finding::ProgressStalled { attempt, evidence } => {
                Some(Fact::new(Event::ProgressStalled { attempt }).with_evidence(evidence))
            }
            Finding::BaselineTaken { summaries, evidence } => {
                let fact = Fact::new(Event::BaselineTaken).with_evidence(evidence);
                Some(Fact { baseline: summaries, ..fact })
            }
            Finding::BaselineBlind { summaries, evidence } => {
                let fact = Fact::new(Event::BaselineBlind).with_evidence(evidence);
                Some(Fact { baseline: summaries, ..fact })
            }
        }
    }
}

impl WayBack {
    /// All criteria together, as soon as that is known: one that fails decides, then one without data.
    fn together(&self) -> Option<Verdict> {
        let any = |verdict| self.verdicts.contains(&Some(verdict));
        if any(Verdict::Fails) {
            Some(Verdict::Fails)
        } else if any(Verdict::NoData) {
            Some(Verdict::NoData)
        } else if self.verdicts.contains(&None) {
            None
        } else {
            Some(Verdict::Holds)
        }
    }
}

/// Lends the values of a run to one judgement. Probe values are the judge's own.
fn with_scope<T>(scope: &RunScope, judge: impl FnOnce(&View<'_>) -> T) -> T {
    judge(&View { run: scope, probes: &BTreeMap::new(), locals: &Locals::new() })
}
