//! Analyses of Argo Rollouts and Flagger, converted (`examples/converted/`): the same decisions, look by look.
//!
//! Beside our judge and engine stands a small model of the other tool's rule, written from its sources: `assessMetricStatus`
//! in Argo's `analysis/analysis.go`, `advanceCanary` in Flagger's `pkg/controller/scheduler.go`.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use runbook::engine::{Asked, Deadline, Event, Question};
use runbook::measure::{Finding, Judge};
use runbook::model::{GuardId, Part, Plan, StepId, StepOutcome, Time, Verdict};
use runbook::syntax;
use serde_json::{Value, json};

use super::backtest::Nothing;
use super::trace::Trace;

/// Streams that are tried.
const STREAMS: u64 = 300;

fn plan(name: &str) -> Arc<Plan> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/converted").join(name);
    let reading = syntax::read(&fs::read_to_string(path).expect("the example is there"));
    let findings: Vec<String> = reading.problems.iter().map(ToString::to_string).collect();
    assert!(findings.is_empty(), "{name}: {findings:#?}");
    Arc::new(reading.plan.expect("a runbook"))
}

/// What a look finds: whether all is well; `None`: no data. Some streams are mostly well, others mostly not.
fn stream(seed: u64, looks: usize) -> Vec<Option<bool>> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut dice = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state >> 32
    };
    let (bad, missing) = (dice() % 60, dice() % 20);
    let look = |face: u64| if face < missing { None } else { Some(face >= missing + bad) };
    (0..looks).map(|_| look(dice() % 100)).collect()
}

/// What an analysis has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Analysis {
    Running,
    Failed,
    Successful,
}

/// Argo's rule: failed when more measurements than `limit` have failed; successful when `count` were made.
struct Argo {
    limit: usize,
    count: Option<usize>,
    made: usize,
    failed: usize,
    phase: Analysis,
}

impl Argo {
    const fn new(count: Option<usize>) -> Self {
        Self { limit: 3, count, made: 0, failed: 0, phase: Analysis::Running }
    }

    fn measure(&mut self, well: bool) -> Analysis {
        if self.phase == Analysis::Running {
            self.made += 1;
            self.failed += usize::from(!well);
            if self.failed > self.limit {
                self.phase = Analysis::Failed;
            } else if self.count.is_some_and(|count| self.made >= count) {
                self.phase = Analysis::Successful;
            }
        }
        self.phase
    }

    /// What it must come to whatever is measured from now on.
    fn certain(&self) -> Analysis {
        let left = self.count.map_or(usize::MAX, |count| count - self.made.min(count));
        match self.phase {
            Analysis::Running if left <= self.limit - self.failed => Analysis::Successful,
            other => other,
        }
    }
}

/// A rate at the border and beside it; no data.
fn rate(well: Option<bool>, look: usize) -> Option<Value> {
    let rates = if well? { [0.95, 1.0] } else { [0.9499, 0.0] };
    Some(json!(rates[look % 2]))
}

fn minutes(looks: usize, each: u64) -> Time {
    Time::from_millis(u64::try_from(looks).expect("few") * each * 60_000)
}

#[test]
fn the_success_rate_of_argo_decides_the_same_at_every_measurement_with_and_without_a_count() {
    let plan = plan("argo-success-rate.toml");
    let shift = plan.step(plan.step_named("shift").expect("it is there"));
    let criterion = &shift.forward.success[0];
    let rate_probe = plan.condition(criterion.condition).probes[0];
    let (mut failed, mut successful, mut missing) = (0, 0, 0);
    for seed in 0..STREAMS {
        let mut judge: Judge<()> = Judge::new(&plan);
        judge.watch_guard(GuardId::at(0), Time::ZERO, &Nothing);
        judge.ask((), criterion.condition, criterion.count, None, Time::ZERO, &Nothing);
        let (mut background, mut counted) = (Argo::new(None), Argo::new(Some(10)));
        let (mut guard, mut analysis) = (Analysis::Running, Analysis::Running);
        for (look, well) in stream(seed, 40).into_iter().enumerate() {
            let at = minutes(look + 1, 5);
            for finding in judge.sample(rate_probe, at, at, rate(well, look), &Nothing) {
                match finding {
                    Finding::GuardBreached { .. } => guard = Analysis::Failed,
                    Finding::Judged { verdict, .. } if analysis == Analysis::Running => {
                        analysis = match verdict {
                            Verdict::Holds => Analysis::Successful,
                            Verdict::Fails => Analysis::Failed,
                            Verdict::NoData => Analysis::Running,
                        };
                    }
                    _ => {}
                }
            }
            // On purpose: a measurement that has no data is a failed one here. To Argo it is an error, which is counted apart.
            missing += usize::from(well.is_none());
            background.measure(well == Some(true));
            counted.measure(well == Some(true));
            assert_eq!(guard, background.phase, "stream {seed}, measurement {look}");
            // What is certain is said at once; Argo says it when all measurements have been made.
            assert_eq!(analysis, counted.certain(), "stream {seed}, measurement {look}");
        }
        assert_ne!(counted.phase, Analysis::Running);
        assert_eq!(analysis, counted.phase, "stream {seed}");
        failed += usize::from(analysis == Analysis::Failed);
        successful += usize::from(analysis == Analysis::Successful);
    }
    assert!(failed > 30 && successful > 30 && missing > 30, "{failed} {successful} {missing}");
}

/// What a look at a canary leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Canary {
    Weight(u64),
    RolledBack,
    Promoted,
}

/// Flagger's rule, once an interval.
struct Flagger {
    state: Canary,
    failed: usize,
}

impl Flagger {
    /// Missing values halt the advancement, as bad ones do.
    fn look(&mut self, well: Option<bool>) -> Canary {
        if let Canary::Weight(weight) = self.state {
            if self.failed >= 5 {
                self.state = Canary::RolledBack;
            } else if well != Some(true) {
                self.failed += 1;
            } else {
                self.state = if weight >= 50 { Canary::Promoted } else { Canary::Weight(weight + 10) };
            }
        }
        self.state
    }
}

/// Our engine and judge, looked at once an interval.
struct Shift {
    trace: Trace,
    judge: Judge<Question>,
    step: StepId,
    asked: Option<Question>,
}

impl Shift {
    /// The guard has held, and the first value is set.
    fn begun(plan: &Arc<Plan>) -> Self {
        let mut trace = Trace::new(Arc::clone(plan));
        let mut judge = Judge::new(plan);
        judge.watch_guard(GuardId::at(0), Time::ZERO, &Nothing);
        trace.event("begin");
        trace.event("held checks");
        let step = plan.step_named("shift").expect("it is there");
        let mut shift = Self { trace, judge, step, asked: None };
        shift.settle(Time::ZERO);
        shift
    }

    /// Attempts end well, holds go by, and what is asked is asked.
    fn settle(&mut self, now: Time) {
        if let Some(attempt) = self.trace.running.get(&self.step).filter(|attempt| attempt.part == Part::Forward) {
            let end = runbook::model::AttemptEnd::Done;
            let ended = Event::AttemptEnded { attempt: *attempt, end };
            self.trace.apply(&ended);
        }
        let holds = |deadline: &&Deadline| matches!(deadline, Deadline::RampHold(..));
        if let Some(deadline) = self.trace.armed.iter().find(holds).copied() {
            self.trace.apply(&Event::DeadlineReached { deadline });
        }
        let pressing = |question: &&Question| matches!(question.asked, Asked::HoldWhile(..));
        let open = self.trace.questions.iter().find(pressing).copied();
        if open != self.asked {
            self.asked.into_iter().for_each(|question| self.judge.withdraw(question));
            if let Some(question) = open {
                let condition = question.asked.condition(&self.trace.plan).expect("it has one");
                self.judge.ask(question, condition, None, None, now, &Nothing);
            }
            self.asked = open;
        }
    }

    fn look(&mut self, well: Option<bool>, at: Time) -> Canary {
        let probe = self.trace.plan.guard_probes(GuardId::at(0))[0];
        let value = well.map(|well| if well { json!(0) } else { json!(1 + at.millis() / 60_000 % 2) });
        for finding in self.judge.sample(probe, at, at, value, &Nothing) {
            match finding {
                Finding::GuardBreached { guard, .. } => drop(self.trace.apply(&Event::GuardBreached { guard })),
                Finding::Judged { key, verdict, .. } if self.trace.questions.contains(&key) => {
                    self.trace.apply(&Event::Judged { question: key, verdict });
                }
                _ => {}
            }
        }
        self.settle(at);
        self.standing()
    }

    fn standing(&self) -> Canary {
        let engine = &self.trace.engine;
        // Behind its last value only its criteria are left.
        let measured = |question: &Question| matches!(question.asked, Asked::Success(step, ..) if step == self.step);
        if self.trace.questions.iter().any(measured) || engine.step_outcome(self.step) == StepOutcome::Done {
            return Canary::Promoted;
        }
        if self.trace.running.get(&self.step).is_some_and(|attempt| attempt.part != Part::Forward) {
            return Canary::RolledBack;
        }
        let value = engine.ramp(self.step).expect("it is under way").value;
        let ramp = self.trace.plan.step(self.step).forward.ramp().expect("a ramp");
        Canary::Weight(ramp.values[usize::from(value)].value.as_u64().expect("a weight"))
    }
}

#[test]
fn the_podinfo_canary_of_flagger_goes_on_stays_and_goes_back_at_the_same_looks() {
    let plan = plan("flagger-podinfo.toml");
    let (mut back, mut promoted) = (0, 0);
    for seed in 0..STREAMS {
        let mut flagger = Flagger { state: Canary::Weight(10), failed: 0 };
        let mut shift = Shift::begun(&plan);
        assert_eq!(shift.standing(), Canary::Weight(10));
        for (look, well) in stream(seed, 30).into_iter().enumerate() {
            let ours = shift.look(well, minutes(look + 1, 1));
            let theirs = flagger.look(well);
            // On purpose: the fifth failed check leads back at once. Flagger sees at its next look that it was one too many.
            let wanted = if flagger.failed >= 5 { Canary::RolledBack } else { theirs };
            assert_eq!(ours, wanted, "stream {seed}, look {look}");
            if matches!(ours, Canary::RolledBack | Canary::Promoted) {
                back += usize::from(ours == Canary::RolledBack);
                promoted += usize::from(ours == Canary::Promoted);
                break;
            }
        }
    }
    assert!(back > 30 && promoted > 30, "{back} {promoted}");
}
