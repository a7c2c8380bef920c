//! Ramps and the guards over them.

use miette::Diagnostic as _;

use super::{codes, findings, only, secs};
use crate::model::{
    Action, Bracket, ConditionId, Criterion, Guard, NoData, OnBreach, PhaseId, Probe, ProbeAs, ProbeId, ProbeSource,
    Ramp, RampValue, Rule, Scope, Span, StepId, Watched,
};
use crate::syntax::sketch::{Sketch, run};

/// A ramp over two values, each held for 4 s, under a guard that is breached at the second bad sample of two seconds each.
fn watched_ramp() -> Sketch {
    let mut sketch = Sketch::new();
    let Action::Run(command) = run("./errors", secs(1)).action else { unreachable!("it is a process") };
    let probe = |name: &str| Probe {
        name: name.into(),
        source: ProbeSource::Run(command.clone()),
        interval: secs(2),
        timeout: secs(5),
        as_: ProbeAs::Number,
        unit: None,
        covers: Span::ZERO,
        keep: Span::ZERO,
    };
    sketch.draft.probes = vec![probe("errors"), probe("queue")];
    let condition = sketch.criterion("probe.errors < 1", None).condition;
    sketch.draft.conditions[0].probes = vec![ProbeId::at(0)];
    let queue = sketch.criterion("probe.queue > 5", None).condition;
    sketch.draft.conditions[1].probes = vec![ProbeId::at(1)];
    sketch.draft.guards.push(Guard {
        name: "errors".into(),
        scope: Scope::Everywhere,
        rule: Rule::Condition(Watched { every: secs(2), require: condition, warn: None, failures: 2, of: 3 }),
        no_data: NoData::Fail,
        on_breach: OnBreach::Pause,
        remedy: None,
    });
    sketch.phase("move").step("shift", &[]).edit(|step| {
        let value = |value: u32| RampValue { value: value.into(), hold: secs(4) };
        step.forward.timeout = secs(100);
        step.forward.action = Action::Ramp(Ramp {
            values: vec![value(1), value(100)],
            from: None,
            set: Box::new(run("./set", secs(1))),
            confirm: None,
            advance: vec![],
            hold_while: Some(queue),
        });
    });
    sketch
}

fn edit_ramp(sketch: &mut Sketch, change: impl FnOnce(&mut Ramp)) {
    sketch.edit(|step| match &mut step.forward.action {
        Action::Ramp(ramp) => change(ramp),
        other => panic!("no ramp but {other:?}"),
    });
}

fn edit_guard(sketch: &mut Sketch, change: impl FnOnce(&mut Watched)) {
    match &mut sketch.draft.guards[0].rule {
        Rule::Condition(watched) => change(watched),
        Rule::Budget(_) => panic!("it is a guard"),
    }
}

#[test]
fn a_value_that_is_left_before_a_guard_could_see_it_is_a_hazard() {
    let mut sketch = watched_ramp();
    assert!(codes(&sketch).is_empty(), "two samples of two seconds fit into four");
    edit_guard(&mut sketch, |guard| guard.failures = 3);
    let told = "`shift` stays at value 1 for 4s, and guard `errors` may see a fault only after 6s";
    assert_eq!(only(&sketch).0, told);
    assert!(findings(&sketch)[0].severity() == Some(miette::Severity::Warning));

    edit_guard(&mut sketch, |guard| guard.failures = 2);
    sketch.draft.probes[0].covers = secs(30);
    assert!(only(&sketch).0.ends_with("for 4s, and guard `errors` may see a fault only after 34s"));
    // An `advance` over the same probe waits for a sample that speaks of this value alone.
    edit_ramp(&mut sketch, |ramp| {
        let condition = ConditionId::at(0);
        ramp.advance = vec![Criterion { condition, say: None, hold_for: None, within: None, count: None }];
    });
    assert!(only(&sketch).0.contains("for 30s, and guard `errors` may see a fault only after 34s"));
}

#[test]
fn guards_that_do_not_watch_a_ramp_or_that_it_waits_for_say_nothing_about_its_holds() {
    let blind = || {
        let mut sketch = watched_ramp();
        edit_guard(&mut sketch, |guard| guard.failures = 3);
        sketch
    };
    assert_eq!(codes(&blind()), ["hold_too_short"]);
    let mut warns = blind();
    warns.draft.guards[0].on_breach = OnBreach::Warn;
    let mut elsewhere = blind();
    elsewhere.phase("later").step("watch", &[]);
    elsewhere.draft.guards[0].scope = Scope::Phases(vec![PhaseId::at(1)]);
    let mut other = elsewhere;
    assert!(codes(&other).is_empty() && codes(&warns).is_empty());
    other.draft.guards[0].scope = Scope::Steps(vec![StepId::at(1)]);
    assert!(codes(&other).is_empty());
    let mut waits = blind();
    waits.draft.conditions[1].probes = vec![ProbeId::at(0), ProbeId::at(1)];
    assert!(codes(&waits).is_empty(), "while what it reads is bad the ramp stays");
}

#[test]
fn the_last_value_lasts_as_long_as_its_guard_watches_on() {
    let short = || {
        let mut sketch = watched_ramp();
        edit_ramp(&mut sketch, |ramp| ramp.values[1].hold = secs(1));
        sketch
    };
    let told = "`shift` stays at value 100 for 1s, and guard `errors` may see a fault only after 4s";
    assert_eq!(only(&short()).0, told);
    let mut followed = short();
    followed.step("look", &["shift"]);
    assert!(codes(&followed).is_empty());
    followed.draft.guards[0].scope = Scope::Steps(vec![StepId::at(0)]);
    assert_eq!(only(&followed).0, told);

    let mut measured = short();
    let mut calm = measured.criterion("calm", Some(secs(60)));
    calm.hold_for = Some(secs(3));
    measured.edit_phase(|phase| phase.success = vec![calm]);
    assert!(codes(&measured).is_empty(), "the phase ends 3 s later");
    measured.draft.guards[0].scope = Scope::Steps(vec![StepId::at(0)]);
    assert_eq!(only(&measured).0, told);
}

#[test]
fn a_guard_over_a_bracket_watches_the_ramps_inside() {
    let held_for = |bracket| {
        let mut sketch = watched_ramp();
        edit_guard(&mut sketch, |guard| guard.failures = 3);
        let ramp = sketch.draft.steps.pop().expect("the ramp");
        sketch.step("hold", &[]).edit(|step| step.held_for = bracket);
        sketch.step("shift", &["hold"]).edit(|step| step.forward = ramp.forward);
        sketch.draft.guards[0].scope = Scope::Steps(vec![StepId::at(0)]);
        sketch
    };
    let warnings = |sketch: &Sketch| codes(sketch).iter().filter(|code| *code == "hold_too_short").count();
    assert_eq!(warnings(&held_for(None)), 0);
    assert_eq!(warnings(&held_for(Some(Bracket::Phase))), 1);
    assert_eq!(warnings(&held_for(Some(Bracket::Run))), 1);
    let mut beside = held_for(Some(Bracket::Run));
    beside.edit(|step| step.needs.clear());
    assert_eq!(warnings(&beside), 0);
}
