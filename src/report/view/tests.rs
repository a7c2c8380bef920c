use super::*;
use crate::engine::{Asked, Command, Deadline, Notice};
use crate::model::{FactId, GuardId, Part, PhaseId, StepOutcome};
use crate::report::{Told, sample};

fn after(notices: &[Told]) -> (Plan, View) {
    let plan = sample::plan();
    let mut view = sample::view(&plan);
    for told in notices {
        view.take(&plan, told);
    }
    let now = view.now;
    view.look(&plan, now);
    (plan, view)
}

#[test]
fn the_way_back_counts_the_steps_that_took_effect_and_have_an_undo() {
    let (_, view) = after(&sample::to_the_gate());
    assert_eq!(view.way_back, WayBack::Open { undos: 1, bound: Some(Span::from_secs(15)), left: None });
    let (_, view) = after(&sample::to_the_promotion());
    assert_eq!(view.way_back, WayBack::Open { undos: 3, bound: Some(Span::from_secs(45)), left: None });
}

#[test]
fn the_way_back_is_gone_behind_an_irreversible_step() {
    let (_, view) = after(&sample::succeeded());
    assert_eq!(view.way_back, WayBack::Gone { why: "step drop_old cannot be undone".into() });
}

#[test]
fn the_way_back_is_shut_while_the_require_of_an_undo_in_the_set_fails() {
    let shut = Notice::WayBackShut { step: sample::step(sample::FENCE) };
    let mut notices = sample::to_the_promotion();
    notices.push(sample::told(127_100, shut));
    let (_, view) = after(&notices);
    assert_eq!(view.way_back, WayBack::Shut { at: vec!["fence_old".into()], undos: 3 });

    notices.push(sample::told(127_200, Notice::WayBackOpen { step: sample::step(sample::FENCE) }));
    assert!(matches!(after(&notices).1.way_back, WayBack::Open { .. }));
}

#[test]
fn a_rollback_counts_what_is_undone_and_what_is_left() {
    let plan = sample::plan();
    let (_, view) = after(&sample::to_the_way_back(&plan));
    assert_eq!(view.way_back, WayBack::Going { undone: 2, left: 1, bound: Some(Span::from_secs(15)) });
}

#[test]
fn what_comes_next_waits_for_nothing_that_is_pending() {
    let (_, view) = after(&sample::to_the_gate());
    assert_eq!(view.next, [Next { name: "fence_old".into(), note: None }]);
    let (_, view) = after(&[sample::told(0, Notice::RunStarted)]);
    assert_eq!(view.next.iter().map(|next| next.name.as_str()).collect::<Vec<_>>(), ["basebackup"]);
}

#[test]
fn without_the_bounds_of_the_plan_undos_are_counted_and_no_time_is_promised() {
    let plan = sample::plan();
    let mut view = View::new(&plan, "7f3a");
    for told in sample::to_the_gate() {
        view.take(&plan, &told);
    }
    view.look(&plan, Time::from_millis(80_300));
    assert_eq!(view.way_back, WayBack::Open { undos: 1, bound: None, left: None });
}

#[test]
fn a_bracket_that_is_released_stays_done() {
    let step = sample::step(sample::BASEBACKUP);
    let mut notices = sample::to_the_gate();
    notices.push(sample::told(81_000, Notice::BracketClosing { step }));
    notices.push(sample::told(
        81_000,
        Notice::UndoStarted { step, attempt: Some(sample::attempt(sample::BASEBACKUP, 3, Part::Undo(0))) },
    ));
    notices.push(sample::told(82_000, Notice::UndoSucceeded { step, outcome: StepOutcome::Undone }));
    let (_, view) = after(&notices);
    let bracket = view.step(step);
    assert!(bracket.released && !bracket.in_effect && bracket.state == StepState::Settled(StepOutcome::Done));
    assert_eq!(view.phases[0].state, PhaseState::Done);
    assert_eq!(view.way_back, WayBack::Nothing);
}

#[test]
fn a_new_pass_begins_with_nothing_done_and_the_attempts_counted_on() {
    let plan = sample::plan();
    let mut notices = sample::rolled_back(&plan);
    notices.pop();
    notices.push(sample::told(140_000, Notice::PassStarted { target: Target::Start, pass: 2 }));
    let (_, view) = after(&notices);
    assert!(view.steps.iter().all(|step| step.state == StepState::Pending), "{:?}", view.steps);
    assert_eq!(view.mode, Mode::Forward);
    assert_eq!(view.step(sample::step(sample::BASEBACKUP)).attempts, 2);
}

#[test]
fn a_clock_that_is_held_stands_still() {
    let (plan, mut view) = after(&sample::to_the_gate());
    let deadline = Deadline::Phase(PhaseId::at(1));
    view.order(&plan, Time::from_millis(80_210), &Command::Arm { deadline });
    view.order(&plan, Time::from_millis(80_220), &Command::Hold { deadline });
    assert_eq!(view.phases[1].clock.spent(Time::from_millis(500_000)), Span::from_millis(10));
    view.order(&plan, Time::from_millis(500_000), &Command::Release { deadline });
    assert_eq!(view.phases[1].clock.spent(Time::from_millis(501_000)), Span::from_millis(1_010));
}

#[test]
fn orders_tell_what_is_checked_and_which_guards_are_awake() {
    let (plan, mut view) = after(&sample::to_the_gate());
    let question = sample::question(Asked::Require(sample::step(sample::FENCE), Part::Forward, 0));
    view.order(&plan, view.now, &Command::Ask { question, since: FactId(1) });
    assert!(matches!(view.step(sample::step(sample::FENCE)).state, StepState::Checking { .. }));
    view.order(&plan, view.now, &Command::WatchGuard { guard: GuardId::at(0) });
    assert_eq!(view.guards[0].health, Health::Waking);
    view.order(&plan, view.now, &Command::UnwatchGuard { guard: GuardId::at(0) });
    assert_eq!(view.guards[0].health, Health::Asleep);
}
