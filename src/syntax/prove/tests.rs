//! One rule, one test: what is found, and that it is not found once it is mended.

use miette::Diagnostic;

use super::prove;
use crate::model::{
    Action, Bounds, Bracket, Gate, Guard, Http, Interrupts, NoData, OnBreach, OnDoubt, OnNo, Policy, Probe, ProbeAs,
    ProbeId, ProbeSource, Retry, Rollback, Rule, RunCommand, Scope, Span, StepId, Target, Template, Then, Wait,
    Watched, WayHome,
};
use crate::syntax::sketch::{Sketch, run, undo};
use crate::syntax::{Finding, Places};

mod watch;

fn secs(n: u64) -> Span {
    Span::from_secs(n)
}

fn findings(sketch: &Sketch) -> Vec<Finding> {
    let plan = sketch.plan();
    prove(&plan, &Bounds::of(&plan), &Places::default())
}

fn codes(sketch: &Sketch) -> Vec<String> {
    findings(sketch).iter().map(|finding| finding.code().expect("every finding has a code").to_string()).collect()
}

/// The only finding, and its help.
fn only(sketch: &Sketch) -> (String, String) {
    let findings = findings(sketch);
    assert_eq!(findings.len(), 1, "{findings:?}");
    (findings[0].to_string(), findings[0].help().map(|help| help.to_string()).unwrap_or_default())
}

/// A step with an effect that nothing is found about.
fn sound<'s>(sketch: &'s mut Sketch, name: &str, needs: &[&str]) -> &'s mut Sketch {
    let seen = sketch.criterion("seen", Some(secs(1)));
    sketch.step(name, needs).undo(undo(secs(10))).edit(|step| step.forward.success = vec![seen])
}

fn no_return<'s>(sketch: &'s mut Sketch, name: &str, needs: &[&str]) -> &'s mut Sketch {
    sound(sketch, name, needs).irreversible().edit(|step| step.on_failure = Policy::Pause)
}

#[test]
fn one_attempt_longer_than_the_bound_around_it_is_an_error() {
    let mut sketch = Sketch::new();
    sketch.phase("move").edit_phase(|phase| phase.timeout = Some(secs(20)));
    sketch.step("copy", &[]).edit(|step| step.forward.timeout = secs(30));
    assert_eq!(only(&sketch).0, "one attempt of `copy` may take 30s, and phase `move` only 20s");

    sketch.edit(|step| step.forward.action = Action::Wait(Wait::For(secs(25))));
    assert_eq!(only(&sketch).0, "the wait of `copy` may take 25s, and phase `move` only 20s");

    sketch.edit(|step| step.forward.action = Action::Wait(Wait::For(secs(20))));
    assert!(codes(&sketch).is_empty());
}

#[test]
fn the_time_of_people_is_not_machine_time() {
    let mut sketch = Sketch::new();
    sketch.phase("move").edit_phase(|phase| phase.timeout = Some(secs(20)));
    sketch.step("ask", &[]).gate();
    assert!(codes(&sketch).is_empty());
}

#[test]
fn attempts_that_cannot_all_fit_are_a_warning_with_the_numbers() {
    let mut sketch = Sketch::new();
    sketch.phase("move").edit_phase(|phase| phase.timeout = Some(secs(25)));
    sketch.step("copy", &[]).edit(|step| {
        step.forward.timeout = secs(10);
        step.forward.retry = Retry { attempts: 3, delay: secs(1), ..Retry::ONCE };
    });
    assert_eq!(only(&sketch).0, "the 3 attempts of `copy` may take 32s, and phase `move` only 25s");
    assert!(findings(&sketch)[0].severity() == Some(miette::Severity::Warning));

    sketch.edit(|step| step.forward.retry = Retry::ONCE).step("compare", &["copy"]).step("switch", &["compare"]);
    assert_eq!(only(&sketch).0, "the attempts of phase `move` may take 30s, and its timeout is 25s");
}

#[test]
fn waits_that_follow_each_other_must_fit_together() {
    let mut sketch = Sketch::new();
    sketch.draft.about.timeout = secs(25);
    for (name, needs) in [("one", &[][..]), ("two", &["one"][..])] {
        sketch.step(name, needs).edit(|step| step.forward.action = Action::Wait(Wait::For(secs(15))));
    }
    assert!(codes(&sketch).contains(&"waits_never_fit".to_owned()));

    sketch.edit(|step| step.needs.clear());
    assert!(!codes(&sketch).contains(&"waits_never_fit".to_owned()), "side by side they fit");
}

#[test]
fn a_for_longer_than_its_within_is_an_error() {
    let mut sketch = Sketch::new();
    let mut calm = sketch.criterion("calm", Some(secs(10)));
    calm.hold_for = Some(secs(11));
    sketch.draft.about.restored = vec![calm];
    assert_eq!(only(&sketch).0, "this cannot come true within 10s: measuring it takes 11s at least");
    sketch.draft.about.restored[0].hold_for = Some(secs(10));
    assert!(codes(&sketch).is_empty());
}

#[test]
fn a_way_back_without_a_promise_is_an_error_that_says_what_would_do() {
    let mut sketch = Sketch::new();
    sketch.draft.about.rollback_timeout = None;
    sketch.step("look", &[]);
    assert!(codes(&sketch).is_empty(), "nothing is to be undone");
    sound(&mut sketch, "copy", &[]).edit_undo(|undo| undo.timeout = secs(70));
    assert_eq!(only(&sketch).1, "it takes 1m 10s at most: rollback_timeout = \"1m10s\" would do");
}

#[test]
fn a_way_back_longer_than_promised_is_an_error_that_prints_the_path() {
    let mut sketch = Sketch::new();
    sound(&mut sketch, "copy", &[]).edit_undo(|undo| undo.timeout = secs(60));
    sound(&mut sketch, "switch", &["copy"]);
    let home = sketch.criterion("home", Some(secs(5)));
    sketch.draft.about.restored = vec![home];
    sketch.draft.about.rollback_timeout = Some(secs(60));
    let (message, path) = only(&sketch);
    assert_eq!(message, "from `switch`, going back to the start may take 1m 15s, and `rollback_timeout` is 1m");
    assert_eq!(path, "the longest chain: undo switch (10s), undo copy (1m), then measuring `restored` (5s)");

    sketch.draft.about.rollback_timeout = Some(secs(75));
    assert!(codes(&sketch).is_empty());
}

#[test]
fn a_way_back_to_somewhere_else_counts_with_the_criteria_of_its_target() {
    let mut sketch = Sketch::new();
    sound(&mut sketch, "copy", &[]).edit(|step| step.forward.success[0].within = Some(secs(100)));
    sound(&mut sketch, "switch", &["copy"]).fails_to(Target::Step(StepId::at(0)));
    sketch.draft.about.rollback_timeout = Some(secs(60));
    let (message, path) = only(&sketch);
    assert_eq!(message, "when `switch` fails, going back to `copy` may take 1m 50s, and `rollback_timeout` is 1m");
    assert!(path.contains("then measuring `copy` (1m 40s)"), "{path}");
}

#[test]
fn a_step_undone_by_another_must_lie_behind_it() {
    let mut sketch = Sketch::new();
    sound(&mut sketch, "create", &[]);
    sound(&mut sketch, "fill", &[]).edit(|step| step.way_home = WayHome::UndoneBy(StepId::at(0)));
    assert_eq!(only(&sketch).0, "a rollback can hold `fill` without `create`, which is to undo it");
    sketch.edit(|step| step.needs = vec![StepId::at(0)]);
    assert!(codes(&sketch).is_empty());
}

#[test]
fn no_rollback_ends_between_a_step_and_the_one_that_undoes_it() {
    let mut sketch = Sketch::new();
    sound(&mut sketch, "create", &[]);
    sketch.step("check", &["create"]);
    sound(&mut sketch, "fill", &["check"]).edit(|step| step.way_home = WayHome::UndoneBy(StepId::at(0)));
    sound(&mut sketch, "switch", &["fill"]).fails_to(Target::Step(StepId::at(1)));
    let (message, how) = only(&sketch);
    assert_eq!(message, "a rollback can hold `fill` without `create`, which is to undo it");
    assert!(
        how.starts_with("when `switch` fails, the run goes back to `check`, and undoes what is behind it"),
        "{how}"
    );

    sketch.fails_to(Target::Step(StepId::at(2)));
    assert!(codes(&sketch).is_empty(), "behind both");
}

#[test]
fn what_fails_behind_a_point_of_no_return_must_not_go_back_over_it() {
    let mut sketch = Sketch::new();
    sketch.step("ask", &[]).gate();
    no_return(&mut sketch, "drop", &["ask"]);
    sound(&mut sketch, "tidy", &["drop"]);
    let (message, help) = only(&sketch);
    assert_eq!(
        message,
        "when `tidy` fails, the run is to go back to the start, and `drop`, which cannot be undone, may have started \
         by then"
    );
    assert_eq!(help, "say on_failure = \"pause\", \"stop\" or \"continue\", or a place behind `drop` to go back to");

    sketch.fails_to(Target::Step(StepId::at(1)));
    assert!(codes(&sketch).is_empty(), "downstream of it");
}

#[test]
fn a_parallel_branch_may_have_passed_its_point_of_no_return() {
    let mut sketch = Sketch::new();
    sketch.step("ask", &[]).gate();
    no_return(&mut sketch, "drop", &["ask"]);
    sound(&mut sketch, "other", &["ask"]);
    assert_eq!(codes(&sketch), ["back_over_no_return"]);
    sketch.edit(|step| step.needs.clear());
    assert_eq!(codes(&sketch), ["back_over_no_return"], "it may be slow");
    sketch.draft.steps[1].needs.push(StepId::at(2));
    assert!(codes(&sketch).is_empty(), "it is over before");
}

#[test]
fn every_trigger_with_a_policy_is_asked_about_the_point_of_no_return() {
    let mut sketch = Sketch::new();
    sketch.phase("end").edit_phase(|phase| phase.timeout = Some(secs(1000)));
    sketch.step("ask", &[]).gate();
    no_return(&mut sketch, "drop", &["ask"]).edit(|step| step.on_doubt = OnDoubt::Rollback);
    let calm = sketch.criterion("calm", None).condition;
    sketch.step("again", &["drop"]).gate().edit(|step| match &mut step.forward.action {
        Action::Gate(Gate { on_no, .. }) => *on_no = OnNo::Rollback(Rollback::TO_START),
        other => panic!("{other:?} is no gate"),
    });
    sketch.draft.guards.push(Guard {
        name: "errors".into(),
        scope: Scope::Everywhere,
        rule: Rule::Condition(Watched { every: secs(1), require: calm, warn: None, failures: 2, of: 3 }),
        no_data: NoData::Fail,
        on_breach: OnBreach::Rollback(Rollback::TO_START),
        remedy: None,
    });
    let told: Vec<String> = findings(&sketch)
        .iter()
        .filter_map(|finding| match finding {
            Finding::BackOverNoReturn { when, .. } => Some(when.clone()),
            _ => None,
        })
        .collect();
    assert_eq!(
        told,
        ["a crash leaves `drop` in doubt", "`again` is answered no", "phase `end` fails", "guard `errors` is breached"],
        "the run timeout has no policy key"
    );
}

/// A step that a guard names, a gate, and what cannot be undone: in one phase, or in a second one.
fn guarded_step(held_for: Option<Bracket>, phases: usize) -> Vec<String> {
    let mut sketch = Sketch::new();
    sketch.phase("one");
    sound(&mut sketch, "quiet", &[]).edit(|step| step.held_for = held_for);
    sketch.step("ask", &["quiet"]).gate();
    if phases == 2 {
        sketch.phase("two");
    }
    no_return(&mut sketch, "drop", &["ask"]);
    let calm = sketch.criterion("calm", None).condition;
    sketch.draft.guards.push(Guard {
        name: "errors".into(),
        scope: Scope::Steps(vec![StepId::at(0)]),
        rule: Rule::Condition(Watched { every: secs(1), require: calm, warn: None, failures: 2, of: 3 }),
        no_data: NoData::Fail,
        on_breach: OnBreach::Rollback(Rollback::TO_START),
        remedy: None,
    });
    codes(&sketch)
}

#[test]
fn a_guard_over_a_bracket_may_breach_as_long_as_that_is_held() {
    assert!(guarded_step(None, 1).is_empty(), "it sleeps by then");
    assert_eq!(guarded_step(Some(Bracket::Phase), 1), ["back_over_no_return"]);
    assert!(guarded_step(Some(Bracket::Phase), 2).is_empty(), "the phase is over before");
    assert_eq!(guarded_step(Some(Bracket::Run), 2), ["back_over_no_return"]);
}

#[test]
fn what_comes_after_the_last_pass_is_a_policy_too() {
    let mut sketch = Sketch::new();
    sketch.step("ask", &[]).gate();
    no_return(&mut sketch, "drop", &["ask"]);
    let otherwise = Box::new(Policy::Rollback(Rollback::TO_START));
    let then = Then::Retry { passes: 1, delay: secs(1), within: None, otherwise };
    let target = Target::Step(StepId::at(1));
    sound(&mut sketch, "tidy", &["drop"]).edit(|step| step.on_failure = Policy::Rollback(Rollback { target, then }));
    assert_eq!(codes(&sketch), ["back_over_no_return"]);
}

#[test]
fn people_are_asked_before_a_step_that_cannot_be_undone() {
    let mut sketch = Sketch::new();
    no_return(&mut sketch, "drop", &[]);
    assert_eq!(only(&sketch).0, "nobody is asked before `drop`, which cannot be undone");
    sketch.edit(|step| step.way_home = WayHome::Irreversible { ungated: Some("a rehearsal".into()) });
    assert!(codes(&sketch).is_empty());

    let mut sketch = Sketch::new();
    sketch.phase("before").step("ask", &[]).gate().phase("after");
    no_return(&mut sketch, "drop", &[]);
    assert!(codes(&sketch).is_empty(), "at the end of the phase before");
    sketch.draft.steps.swap(0, 1);
    sketch.draft.phases[0].steps = vec![StepId::at(1)];
    sketch.draft.phases[1].steps = vec![StepId::at(0)];
    assert!(codes(&sketch).is_empty(), "the order of the file means nothing");
}

#[test]
fn a_retry_of_what_must_not_be_done_twice_is_a_hazard() {
    let mut sketch = Sketch::new();
    sound(&mut sketch, "charge", &[]).edit(|step| step.forward.retry.attempts = 2);
    assert_eq!(codes(&sketch), ["retry_not_idempotent"]);
    sketch.edit(|step| step.idempotent = true);
    assert!(codes(&sketch).is_empty());
}

#[test]
fn a_request_of_which_nobody_can_say_whether_it_took_place_is_a_hazard() {
    let mut sketch = Sketch::new();
    let tells = sketch.criterion("tells", None).condition;
    sound(&mut sketch, "shift", &[]).edit(|step| {
        step.forward.action = Action::Http(Http {
            method: "PUT".into(),
            url: Template("http://127.0.0.1".into()),
            headers: [].into(),
            body: crate::model::Body::Empty,
            status: (200, 299),
            expect: None,
            settle: None,
        });
    });
    assert_eq!(codes(&sketch), ["cannot_be_told"]);
    sketch.edit(|step| step.forward.done_when = Some(tells));
    assert!(codes(&sketch).is_empty());
}

#[test]
fn an_effect_that_nobody_measures_is_a_hazard() {
    let mut sketch = Sketch::new();
    sketch.step("fence", &[]).undo(undo(secs(1)));
    assert_eq!(codes(&sketch), ["not_measured"]);
    sketch.edit(|step| step.way_home = WayHome::NoEffect);
    assert!(codes(&sketch).is_empty());
}

#[test]
fn an_interruption_that_begins_unmeasured_is_a_hazard() {
    let mut sketch = Sketch::new();
    sketch.phase("cutover").step("look", &[]);
    sound(&mut sketch, "fence", &["look"]);
    let fence = StepId::at(1);
    sketch.edit_phase(|phase| phase.interrupts = Some(Interrupts { what: "writes".into(), from: fence, to: fence }));
    let told = "phase `cutover` interrupts writes, and nothing is measured before its first effect, `fence`";
    assert_eq!(only(&sketch).0, told);

    let caught_up = sketch.criterion("lag == 0", Some(secs(1)));
    sketch.draft.steps[0].forward.success = vec![caught_up.clone()];
    assert!(codes(&sketch).is_empty(), "a criterion before it");
    sketch.draft.steps[0].forward.success.clear();
    sketch.edit(|step| step.forward.require = vec![caught_up]);
    assert!(codes(&sketch).is_empty(), "its own `require`");
}

#[test]
fn a_gate_that_waits_for_ever_is_a_hazard() {
    let mut sketch = Sketch::new();
    sketch.step("ask", &[]).gate().edit(|step| match &mut step.forward.action {
        Action::Gate(gate) => gate.expires = None,
        other => panic!("{other:?} is no gate"),
    });
    assert_eq!(codes(&sketch), ["gate_without_expiry"]);
}

#[test]
fn an_undo_that_only_talks_is_a_hazard() {
    for (script, hollow) in [
        ("true", true),
        (":", true),
        ("echo undone", true),
        ("# nothing\n/bin/true && echo ok; :", true),
        ("echo 1 > /etc/fence", false),
        ("echo $(./unfence)", false),
        ("./unfence", false),
    ] {
        let mut sketch = Sketch::new();
        sound(&mut sketch, "fence", &[]).undo(run(script, secs(1)));
        assert_eq!(codes(&sketch) == ["hollow_undo"], hollow, "{script}");
    }
    let mut sketch = Sketch::new();
    sound(&mut sketch, "fence", &[]).edit_undo(|undo| match &mut undo.action {
        Action::Run(run) => run.command = RunCommand::Args(vec![Template("/bin/true".into())]),
        other => panic!("{other:?} is no process"),
    });
    assert_eq!(codes(&sketch), ["hollow_undo"]);
}

#[test]
fn a_probe_that_nobody_uses_is_a_hazard() {
    let mut sketch = Sketch::new();
    let Action::Run(command) = run("./lag", secs(1)).action else { unreachable!("it is a process") };
    sketch.draft.probes.push(Probe {
        name: "lag".into(),
        source: ProbeSource::Run(command),
        interval: secs(1),
        timeout: secs(5),
        as_: ProbeAs::Number,
        unit: None,
        covers: Span::ZERO,
        keep: Span::ZERO,
    });
    assert_eq!(only(&sketch).0, "nobody uses probe `lag`");
    let mut read = sketch.criterion("probe.lag == 0", Some(secs(30)));
    sketch.draft.conditions[0].probes = vec![ProbeId::at(0)];
    read.hold_for = None;
    sketch.draft.about.restored = vec![read];
    assert!(codes(&sketch).is_empty());
}

#[test]
fn a_hundred_thousand_steps_with_policies_of_all_kinds_are_proved() {
    let mut sketch = Sketch::new();
    for n in 0..100_000_usize {
        let needs = n.checked_sub(1).map(StepId::at);
        sketch.step_behind(&format!("s{n}"), needs.into_iter().collect());
        if let Some(before) = needs {
            sketch.fails_to(Target::Step(before));
        }
        match n {
            0 => drop(sketch.gate()),
            1 => drop(sketch.irreversible().edit(|step| step.on_failure = Policy::Pause)),
            _ if n % 3 == 0 => drop(sketch.edit(|step| step.way_home = WayHome::UndoneBy(StepId::at(n - 1)))),
            _ => drop(sketch.undo(undo(secs(1)))),
        }
    }
    let findings = findings(&sketch);
    assert_eq!(findings.iter().filter(|finding| matches!(finding, Finding::NotMeasured { .. })).count(), 99_999);
}
