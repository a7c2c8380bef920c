//! A plan and some runs of it, for the tests of this module.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::{Told, View};
use crate::engine::{Answer, Asked, Cause, Direction, Notice, Origin, Question};
use crate::model::{
    About, Action, Attempt, AttemptId, Bounds, Condition, ConditionId, Criterion, Draft, Gate, Guard, GuardId,
    Interrupts, NoData, OnBreach, OnDoubt, OnInterrupt, OnNo, OnStop, Part, Phase, PhaseId, Plan, Policy, Probe,
    ProbeAs, ProbeId, ProbeSource, Retry, Rollback, Rule, Run, RunCommand, RunOutcome, Scope, Span, Step, StepBounds,
    StepId, StepOutcome, Survivors, Target, Template, Time, Watched, WayBack, WayHome, Work,
};

pub(super) const BASEBACKUP: usize = 0;
pub(super) const PREWARM: usize = 1;
pub(super) const READY: usize = 2;
pub(super) const FENCE: usize = 3;
pub(super) const PROMOTE: usize = 4;
pub(super) const SWITCH: usize = 5;
pub(super) const SIGN_OFF: usize = 6;
pub(super) const DROP_OLD: usize = 7;

pub(super) fn step(index: usize) -> StepId {
    StepId::at(index)
}

/// Warm up, cut over, complete: with a gate, a guard, an interruption and a point of no return.
pub(super) fn plan() -> Plan {
    Plan::new(draft()).expect("the sample has no cycle")
}

pub(super) fn draft() -> Draft {
    let conditions = ["probe.lag == 0", "probe.errors < 5", "probe.new_writable", "probe.reverse_lag < 1000"];
    Draft {
        about: about("promote_orders_db"),
        vars: Vec::new(),
        preflight: Vec::new(),
        probes: vec![probe("lag", Some("bytes")), probe("errors", Some("/s")), probe("new_writable", None)],
        conditions: conditions
            .iter()
            .map(|text| Condition {
                text: (*text).into(),
                probes: Vec::new(),
                series: Vec::new(),
                reads_baseline: false,
            })
            .collect(),
        guards: vec![guard("errors", 1)],
        baseline: None,
        phases: vec![phase("warmup", 0..2), cutover(), complete()],
        steps: steps(),
        parts: Vec::new(),
    }
}

fn steps() -> Vec<Step> {
    let undo = || WayHome::Undo(vec![work("10s")]);
    let mut basebackup = make_step("basebackup", 0, undo());
    basebackup.forward.retry = Retry { attempts: 3, delay: Span::from_secs(5), ..Retry::ONCE };
    let prewarm = make_step("prewarm", 0, WayHome::NoEffect);
    let mut ready = make_step("ready", 1, WayHome::NoEffect);
    ready.forward.action = Action::Gate(gate("Replica is warm. Cut over now?", OnNo::Stop));
    let mut fence = make_step("fence_old", 1, undo());
    fence.forward.timeout = Span::from_secs(10);
    let mut promote = make_step("promote", 1, undo());
    promote.forward.success = vec![criterion(2, 10)];
    let switch = make_step("switch_proxy", 1, undo());
    let mut sign_off = make_step("sign_off", 2, WayHome::NoEffect);
    sign_off.forward.action = Action::Gate(gate("Destroy the old primary?", OnNo::Rollback(Rollback::TO_START)));
    let drop_old = make_step("drop_old", 2, WayHome::Irreversible { ungated: None });
    let mut steps = vec![basebackup, prewarm, ready, fence, promote, switch, sign_off, drop_old];
    for (index, need) in
        [(PREWARM, BASEBACKUP), (FENCE, READY), (PROMOTE, FENCE), (SWITCH, PROMOTE), (DROP_OLD, SIGN_OFF)]
    {
        steps[index].needs = vec![step(need)];
    }
    steps
}

pub(super) fn about(name: &str) -> About {
    About {
        name: name.into(),
        version: None,
        summary: None,
        owner: None,
        docs: None,
        timeout: Span::from_secs(5400),
        rollback_timeout: Some(Span::from_secs(480)),
        rollback_window: Span::ZERO,
        max_parallel: 8,
        lock: name.into(),
        restored: Vec::new(),
        env: BTreeMap::new(),
        requires: Vec::new(),
        on_interrupt: OnInterrupt::Leave,
        output_max: 1 << 20,
    }
}

pub(super) fn work(timeout: &str) -> Work {
    Work {
        action: Action::Run(Run {
            command: RunCommand::Args(vec![Template("true".into())]),
            cwd: None,
            env: BTreeMap::new(),
            stdin: None,
            exit: vec![0],
            expect: None,
        }),
        when: None,
        done_when: None,
        require: Vec::new(),
        success: Vec::new(),
        timeout: Span::parse(timeout).expect("a span"),
        kill_after: Span::from_secs(5),
        retry: Retry::ONCE,
        survivors: Survivors::Leave,
        outputs: Vec::new(),
    }
}

pub(super) fn make_step(name: &str, phase: usize, way_home: WayHome) -> Step {
    Step {
        name: name.into(),
        phase: Some(PhaseId::at(phase)),
        needs: Vec::new(),
        summary: None,
        owner: None,
        docs: None,
        remedy: None,
        forward: work("1m"),
        way_home,
        undo_after: Vec::new(),
        idempotent: false,
        undo_found: false,
        on_stop: OnStop::Stop,
        held_for: None,
        on_failure: Policy::Rollback(Rollback::TO_START),
        on_doubt: OnDoubt::Pause,
        progress: None,
    }
}

pub(super) fn phase(name: &str, steps: std::ops::Range<usize>) -> Phase {
    Phase {
        name: name.into(),
        summary: None,
        needs: Vec::new(),
        timeout: Some(Span::from_secs(480)),
        window: None,
        require: Vec::new(),
        success: Vec::new(),
        on_failure: Policy::Rollback(Rollback::TO_START),
        interrupts: None,
        steps: steps.map(StepId::at).collect(),
    }
}

fn cutover() -> Phase {
    let mut cutover = phase("cutover", 2..6);
    cutover.needs = vec![PhaseId::at(0)];
    cutover.interrupts = Some(Interrupts { what: "writes".into(), from: step(FENCE), to: step(PROMOTE) });
    cutover
}

fn complete() -> Phase {
    let mut complete = phase("complete", 6..8);
    complete.needs = vec![PhaseId::at(1)];
    complete
}

fn gate(question: &str, on_no: OnNo) -> Gate {
    Gate {
        question: Template(question.into()),
        show: vec![ProbeId::at(0), ProbeId::at(1)],
        expires: Some(Span::from_secs(1800)),
        expiry_pauses: false,
        on_no,
        confirm: None,
    }
}

fn criterion(condition: usize, within: u64) -> Criterion {
    Criterion {
        condition: ConditionId::at(condition),
        say: None,
        hold_for: None,
        within: Some(Span::from_secs(within)),
        count: None,
    }
}

fn probe(name: &str, unit: Option<&str>) -> Probe {
    let Action::Run(run) = work("1s").action else { unreachable!("work() is a run") };
    Probe {
        name: name.into(),
        source: ProbeSource::Run(run),
        interval: Span::from_secs(1),
        timeout: Span::from_secs(1),
        as_: ProbeAs::Number,
        unit: unit.map(Into::into),
        covers: Span::ZERO,
        keep: Span::ZERO,
    }
}

pub(super) fn guard(name: &str, condition: usize) -> Guard {
    Guard {
        name: name.into(),
        scope: Scope::Everywhere,
        rule: Rule::Condition(Watched {
            every: Span::from_secs(1),
            require: ConditionId::at(condition),
            warn: Some(ConditionId::at(condition)),
            failures: 2,
            of: 3,
        }),
        no_data: NoData::Fail,
        on_breach: OnBreach::Rollback(Rollback::TO_START),
        remedy: None,
    }
}

/// Bounds for the plan: each undo takes 15 s, a running attempt is stopped within 5 s.
pub(super) fn bounds(plan: &Plan) -> Arc<Bounds> {
    let step = |step: &Step| {
        let has_undo = !step.undo().is_empty();
        let undo = if has_undo { Span::from_secs(15) } else { Span::ZERO };
        let back = WayBack::default();
        let (attempt, stop) = (step.forward.timeout, Span::from_secs(5));
        StepBounds { attempt, forward: attempt, stop, undo, reopen: attempt, has_undo, chain: undo.times(4), back }
    };
    Arc::new(Bounds {
        slots: 8,
        steps: plan.steps().iter().map(step).collect(),
        phases: Vec::new(),
        forward: Span::ZERO,
        critical_path: Vec::new(),
        worst: WayBack::default(),
        edges: Vec::new(),
        no_return: Vec::new(),
        restored: Span::ZERO,
    })
}

/// A view of the plan, with its bounds.
pub(super) fn view(plan: &Plan) -> View {
    let mut view = View::new(plan, "7f3a");
    view.bounded_by(bounds(plan));
    view
}

/// The notice that many milliseconds after the start.
pub(super) fn told(millis: i64, notice: Notice) -> Told {
    let start: Timestamp = "2026-11-20T12:00:00Z".parse().expect("a time stamp");
    Told {
        at: Time::from_millis(millis.unsigned_abs()),
        wall: start + SignedDuration::from_millis(millis),
        notice,
        evidence: None,
        who: None,
    }
}

pub(super) fn with(mut told: Told, who: Option<&str>, evidence: Option<&str>) -> Told {
    told.who = who.map(Into::into);
    told.evidence = evidence.map(Into::into);
    told
}

pub(super) fn attempt(index: usize, number: u32, part: Part) -> AttemptId {
    let number = (1..number).fold(Attempt::FIRST, |attempt, _| attempt.next());
    AttemptId { step: step(index), part, number }
}

pub(super) fn starts(index: usize, number: u32) -> Notice {
    Notice::StepStarted { step: step(index), attempt: Some(attempt(index, number, Part::Forward)) }
}

pub(super) fn done(index: usize) -> Notice {
    Notice::StepSettled { step: step(index), outcome: StepOutcome::Done }
}

/// To the moment that the gate is open.
pub(super) fn to_the_gate() -> Vec<Told> {
    vec![
        told(0, Notice::RunStarted),
        told(2, Notice::PhaseStarted { phase: PhaseId::at(0) }),
        told(5, starts(BASEBACKUP, 1)),
        with(
            told(
                9_300,
                Notice::StepRetrying { step: step(BASEBACKUP), part: Part::Forward, tries: 1, cause: Cause::Action },
            ),
            None,
            Some("exit code 1\npg_basebackup: error: connection refused"),
        ),
        told(14_300, starts(BASEBACKUP, 2)),
        told(74_500, done(BASEBACKUP)),
        told(74_500, starts(PREWARM, 1)),
        told(80_100, done(PREWARM)),
        told(80_200, Notice::PhaseSucceeded { phase: PhaseId::at(0) }),
        told(80_210, Notice::PhaseStarted { phase: PhaseId::at(1) }),
        told(80_220, Notice::GateOpened { gate: step(READY) }),
    ]
}

/// On to the promotion, which is being measured.
pub(super) fn to_the_promotion() -> Vec<Told> {
    let mut all = to_the_gate();
    let go = Notice::GateAnswered { gate: step(READY), answer: Answer::Go };
    all.extend([
        with(told(125_000, go), Some("alice"), None),
        with(told(125_000, done(READY)), Some("alice"), None),
        with(told(125_000, starts(FENCE, 1)), Some("alice"), None),
        told(126_200, done(FENCE)),
        told(126_210, starts(PROMOTE, 1)),
        told(127_000, Notice::StepMeasuring { step: step(PROMOTE), part: Part::Forward }),
    ]);
    all
}

/// To the end, with everything as it should be.
pub(super) fn succeeded() -> Vec<Told> {
    let mut all = to_the_promotion();
    let go = Notice::GateAnswered { gate: step(SIGN_OFF), answer: Answer::Go };
    all.extend([
        told(127_050, done(PROMOTE)),
        told(127_060, starts(SWITCH, 1)),
        told(128_000, done(SWITCH)),
        told(128_010, Notice::PhaseSucceeded { phase: PhaseId::at(1) }),
        told(128_020, Notice::PhaseStarted { phase: PhaseId::at(2) }),
        told(128_030, Notice::GateOpened { gate: step(SIGN_OFF) }),
        with(told(190_000, go), Some("bob"), Some("burn-in was clean")),
        told(190_000, done(SIGN_OFF)),
        told(190_010, starts(DROP_OLD, 1)),
        told(191_000, done(DROP_OLD)),
        told(191_010, Notice::PhaseSucceeded { phase: PhaseId::at(2) }),
        told(191_020, Notice::RunFinished { outcome: RunOutcome::Succeeded, on: Direction::Forward }),
    ]);
    all
}

/// A guard breaches while the promotion is measured; two undos are over, the last one runs.
pub(super) fn to_the_way_back(_: &Plan) -> Vec<Told> {
    let mut all = to_the_promotion();
    let origin = Origin::GuardBreached(GuardId::at(0));
    let undo = |index| Notice::UndoStarted { step: step(index), attempt: Some(attempt(index, 2, Part::Undo(0))) };
    let undone = |index| Notice::UndoSucceeded { step: step(index), outcome: StepOutcome::Undone };
    all.extend([
        with(told(128_400, Notice::GuardBreached { guard: GuardId::at(0) }), None, Some("probe.errors = 112 /s")),
        // The engine hands one event's evidence to all that follows from it.
        with(
            told(128_400, Notice::RollbackStarted { target: Target::Start, origin, widened: false }),
            None,
            Some("probe.errors = 112 /s"),
        ),
        with(told(128_400, undo(PROMOTE)), None, Some("probe.errors = 112 /s")),
        told(130_000, undone(PROMOTE)),
        told(130_010, undo(FENCE)),
        told(130_900, undone(FENCE)),
        told(130_910, undo(BASEBACKUP)),
    ]);
    all
}

/// And it gets there.
pub(super) fn rolled_back(plan: &Plan) -> Vec<Told> {
    let mut all = to_the_way_back(plan);
    all.extend([
        told(133_000, Notice::UndoSucceeded { step: step(BASEBACKUP), outcome: StepOutcome::Undone }),
        told(133_000, Notice::RollbackMeasuring { target: Target::Start }),
        told(134_000, Notice::RollbackFinished { target: Target::Start }),
        told(134_000, Notice::RunFinished { outcome: RunOutcome::RolledBack, on: Direction::Forward }),
    ]);
    all
}

/// Or an undo fails, and it is stuck.
pub(super) fn stuck(plan: &Plan) -> Vec<Told> {
    let mut all = to_the_way_back(plan);
    let failed = Notice::UndoFailed { step: step(BASEBACKUP), cause: Cause::Action };
    all.extend([
        with(told(133_000, failed), None, Some("exit code 1: rm: cannot remove /srv/pg-new: busy")),
        told(133_000, Notice::RunStuck { step: Some(step(BASEBACKUP)) }),
    ]);
    all
}

/// The lines as text.
pub(super) fn text(lines: &[super::Line]) -> String {
    lines.iter().map(|line| line.to_string().trim_end().to_owned() + "\n").collect()
}

pub(super) fn question(asked: Asked) -> Question {
    Question { asked, serial: 1 }
}
