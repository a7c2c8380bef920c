//! Tiny plans, every answer in every order: always, sometimes, and an exact count of states.

use insta::assert_snapshot;
use runbook::drive::explore::{Exploration, Explored, Seen, explore};
use runbook::drive::simulate::Dice;
use runbook::engine::{Cause, Command, Event, HeldBack, Notice, Output, Standing};
use runbook::model::{Part, RunOutcome, StepId, Target};

use super::random::random_plan;
use super::sketch::plan;

fn tells(seen: Seen<'_>, what: impl Fn(Notice) -> bool) -> bool {
    seen.outbox.outputs().iter().any(|output| matches!(output, Output::Tell(notice) if what(*notice)))
}

fn starts(seen: Seen<'_>, part: Part) -> impl Iterator<Item = StepId> + '_ {
    seen.outbox.outputs().iter().filter_map(move |output| match output {
        Output::Do(Command::StartAttempt { attempt }) if attempt.part == part => Some(attempt.step),
        _ => None,
    })
}

/// What holds of every plan.
fn with_rules(exploration: Exploration<'_>) -> Exploration<'_> {
    exploration
        .always("what went back to the start and ended left nothing in effect", |seen| {
            let to_start = |notice| notice == Notice::RollbackFinished { target: Target::Start };
            !tells(seen, to_start) || seen.engine.outcome().is_none() || seen.engine.in_effect().next().is_none()
        })
        .always("a succeeded run has nothing that failed", |seen| {
            seen.engine.outcome() != Some(RunOutcome::Succeeded) || seen.engine.failed_steps().is_empty()
        })
        .always("nothing but a bracket starts forward while the run goes back", |seen| {
            let is_bracket = |step| seen.engine.plan().step(step).held_for.is_some();
            seen.engine.standing() != Standing::RollingBack || starts(seen, Part::Forward).all(is_bracket)
        })
}

fn told(explored: &Explored) -> String {
    assert_eq!(explored.broken, None);
    assert_eq!(explored.missed, Vec::<&str>::new());
    assert!(!explored.cut_off);
    let endings: Vec<String> = explored.endings.iter().map(|(outcome, count)| format!("{count} {outcome}")).collect();
    format!("{} states: {}", explored.states, endings.join(", "))
}

#[test]
fn one_step_has_no_bad_ending() {
    let explored = with_rules(explore(&plan("a; undo a")))
        .faults(2)
        .sometimes("its undo fails", |seen| tells(seen, |notice| matches!(notice, Notice::RunStuck { .. })))
        .sometimes("it is in doubt", |seen| tells(seen, |notice| matches!(notice, Notice::StepInDoubt { .. })))
        .run();
    assert_snapshot!(told(&explored), @r"82 states: 5 succeeded, 3 rolled_back, 11 stopped");
}

#[test]
fn two_steps_and_a_guard_have_no_bad_ending() {
    let explored = with_rules(explore(&plan("a -> b; undo a, b; retry b 2; guard g during b")))
        .faults(2)
        .sometimes("the guard is breached", |seen| tells(seen, |notice| matches!(notice, Notice::GuardBreached { .. })))
        .sometimes("it widens", |seen| {
            tells(seen, |notice| matches!(notice, Notice::RollbackStarted { widened: true, .. }))
        })
        .run();
    assert_snapshot!(told(&explored), @r"332 states: 8 succeeded, 8 rolled_back, 24 stopped");
}

#[test]
fn two_branches_and_a_target_have_no_bad_ending() {
    let explored = with_rules(explore(&plan("a -> b; x; undo a, b, x; fail b to a retry 1; undo_success b")))
        .faults(2)
        .sometimes("a second pass begins", |seen| tells(seen, |notice| matches!(notice, Notice::PassStarted { .. })))
        .run();
    assert_snapshot!(told(&explored), @r"1528 states: 17 succeeded, 15 rolled_back, 72 stopped");
}

#[test]
fn an_else_with_passes_of_its_own_has_no_bad_ending() {
    let plan = plan("a -> b; undo a, b; fail b to a retry 1 else to start retry 1");
    let explored = with_rules(explore(&plan))
        .faults(2)
        .sometimes("a pass begins at the start", |seen| {
            tells(seen, |notice| matches!(notice, Notice::PassStarted { target: Target::Start, .. }))
        })
        .run();
    assert_snapshot!(told(&explored), @r"250 states: 13 succeeded, 11 rolled_back, 28 stopped");
}

#[test]
fn a_gate_and_a_drop_have_no_bad_ending() {
    let irreversible = StepId::at(2);
    let explored =
        with_rules(explore(&plan("a -> sign -> wipe; undo a; gate sign rollback; drop wipe; fail wipe pause")))
            .faults(2)
            .always("what cannot be undone is not undone", move |seen| {
                starts(seen, Part::Undo(0)).all(|step| step != irreversible)
            })
            .sometimes("going back is refused", |seen| {
                tells(seen, |notice| matches!(notice, Notice::RunPaused { behind: Some(_), .. }))
            })
            .run();
    assert_snapshot!(told(&explored), @r"226 states: 8 succeeded, 8 rolled_back, 34 stopped");
}

#[test]
fn a_bracket_and_a_way_back_that_is_watched_have_no_bad_ending() {
    let plan =
        plan("quiet -> a -> b; undo quiet, a, b; undo_require a; hold quiet phase; phase p = quiet a; phase q = b");
    let explored = with_rules(explore(&plan))
        .faults(2)
        .always("nothing inside is undone while the bracket is closed", |seen| {
            starts(seen, Part::Undo(0)).all(|step| step.index() == 0 || seen.engine.brackets_held().next().is_some())
        })
        .sometimes("it is opened again", |seen| tells(seen, |notice| matches!(notice, Notice::BracketReopening { .. })))
        .sometimes("the way back is weighed", |seen| seen.engine.standing() == Standing::Weighing)
        .sometimes("the way back is shut", |seen| {
            tells(seen, |notice| matches!(notice, Notice::RunPaused { shut: Some(_), .. }))
        })
        .run();
    assert_snapshot!(told(&explored), @r"1640 states: 17 succeeded, 17 rolled_back, 105 stopped");
}

#[test]
fn a_guard_over_a_bracket_has_no_bad_ending() {
    let plan = plan("quiet -> a; undo quiet, a; hold quiet phase; phase p = quiet a; guard g during quiet");
    let held = |seen: Seen<'_>| seen.engine.brackets_held().next().is_some();
    let explored = with_rules(explore(&plan))
        .faults(2)
        .sometimes("it is breached while only a later step runs", move |seen| {
            let only_a = seen.engine.in_effect().any(|step| step.index() == 1);
            held(seen) && only_a && tells(seen, |notice| matches!(notice, Notice::GuardBreached { .. }))
        })
        .always("it is not judged where nothing is held and nothing runs", move |seen| {
            let runs = seen.engine.standing() != Standing::Forward || seen.engine.active_steps().next().is_some();
            held(seen) || runs || !tells(seen, |notice| matches!(notice, Notice::GuardBreached { .. }))
        })
        .sometimes("the bracket does not close", |seen| {
            tells(seen, |notice| matches!(notice, Notice::UndoFailed { .. }))
        })
        .run();
    assert_snapshot!(told(&explored), @r"570 states: 12 succeeded, 2 refused, 12 rolled_back, 37 stopped");
}

#[test]
fn a_phase_with_a_window_and_criteria_has_no_bad_ending() {
    let explored =
        with_rules(explore(&plan("m -> a; manual m; undo a; success a for; phase p = m a; phase_require p; window p")))
            .faults(2)
            .sometimes("it waits for its window", |seen| {
                tells(seen, |notice| matches!(notice, Notice::PhaseWaiting { .. }))
            })
            .run();
    assert_snapshot!(told(&explored), @r"378 states: 8 succeeded, 14 rolled_back, 35 stopped");
}

#[test]
fn a_ramp_has_no_bad_ending_and_repeats_no_value_that_is_over() {
    let takes = |seen: Seen<'_>, last: u16| {
        let mut commands = seen.outbox.commands();
        commands.any(|command| matches!(command, Command::TakeValue { value, .. } if value == last))
    };
    let explored = with_rules(explore(&plan("a; undo a; ramp a 2 confirm advance pressure; idempotent a; rerun a")))
        .faults(2)
        .always("a value is only ever set beside the attempt that sets it", move |seen| {
            starts(seen, Part::Forward).count() == usize::from(takes(seen, 0) || takes(seen, 1))
        })
        .always("going on overrides nothing that is measured", |seen| {
            let released = tells(seen, |notice| matches!(notice, Notice::RampReleased { .. }));
            let goes_on = tells(seen, |notice| matches!(notice, Notice::RampAdvanced { .. }));
            !goes_on || released || matches!(seen.event, Event::Judged { .. } | Event::DeadlineReached { .. })
        })
        .sometimes("the last value is set", move |seen| takes(seen, 1))
        .sometimes("it is kept by back-pressure", |seen| {
            tells(seen, |notice| matches!(notice, Notice::RampHeld { why: HeldBack::Pressure(_), .. }))
        })
        .sometimes("an operator lets it go on", |seen| {
            tells(seen, |notice| matches!(notice, Notice::RampReleased { .. }))
        })
        .sometimes("its time is over", |seen| {
            tells(seen, |notice| matches!(notice, Notice::StepFailed { cause: Cause::Timeout, .. }))
        })
        .run();
    assert_snapshot!(told(&explored), @r"515 states: 3 succeeded, 3 rolled_back, 13 stopped");
}

#[test]
fn random_plans_of_a_few_steps_have_no_bad_ending() {
    for seed in 0..60 {
        let explored = with_rules(explore(&random_plan(&mut Dice::new(seed), 3))).run();
        assert_eq!(explored.broken, None, "seed {seed}");
        assert!(!explored.cut_off, "seed {seed}");
    }
}
