use super::*;
use crate::engine::{Answer, Asked, Direction};
use crate::model::{Part, RunOutcome, StepOutcome};
use crate::report::sample;

/// Every notice once, those with several names once per name.
fn every_notice() -> Vec<Notice> {
    let step = sample::step(sample::PROMOTE);
    let gate = sample::step(sample::READY);
    let (phase, guard, target) = (PhaseId::at(1), GuardId::at(0), Target::Start);
    let origin = Origin::GuardBreached(guard);
    let question = sample::question(Asked::Success(step, Part::Forward, 0));
    let not_in_time = Cause::NotInTime(question);
    let attempt = Some(sample::attempt(sample::PROMOTE, 2, Part::Forward));
    let undo = Some(sample::attempt(sample::PROMOTE, 3, Part::Undo(0)));
    let retrying = |part| Notice::StepRetrying { step, part, tries: 1, cause: Cause::Action };
    let mut all = vec![
        Notice::RunStarted,
        Notice::RunResumed,
        Notice::RunPaused { origin: Origin::StepFailed(step), behind: None, shut: Some(step) },
        Notice::RunContinued,
        Notice::RunStopping { origin: Origin::Operator, on: Direction::Forward },
        Notice::RunStopping { origin: Origin::Operator, on: Direction::Back },
        Notice::RunStuck { step: Some(step) },
        Notice::RunStuck { step: None },
        Notice::OrderIgnored,
        Notice::PhaseWaiting { phase },
        Notice::PhaseStarted { phase },
        Notice::PhaseSucceeded { phase },
        Notice::PhaseFailed { phase, cause: Cause::Timeout },
        Notice::WindowClosed { phase },
        Notice::StepStarted { step, attempt },
        Notice::StepMeasuring { step, part: Part::Forward },
        Notice::StepMeasuring { step, part: Part::Undo(0) },
        retrying(Part::Forward),
        retrying(Part::Undo(0)),
        Notice::StepStalled { step },
        Notice::StepInDoubt { step, part: Part::Forward },
        Notice::StepInDoubt { step, part: Part::Undo(0) },
        Notice::StepFailed { step, cause: not_in_time },
        Notice::GuardAwaited { guard, step },
        Notice::AnswerAwaited { question },
        Notice::GuardBreached { guard },
        Notice::GuardBlind { guard },
        Notice::GuardWarned { guard },
        Notice::GuardEased { guard },
        Notice::BaselineStarted,
        Notice::BaselineTaken,
        Notice::BaselineRejected { cause: Cause::NoSample },
        Notice::GateOpened { gate },
        Notice::GateAnswered { gate, answer: Answer::Go },
        Notice::GateAnswered { gate, answer: Answer::NoGo },
        Notice::GateExpired { gate },
        Notice::GateClosed { gate },
        Notice::WayBackShut { step },
        Notice::WayBackOpen { step },
        Notice::WayBackClosed,
        Notice::RollbackStarted { target, origin, widened: false },
        Notice::RollbackStarted { target: Target::Step(step), origin, widened: true },
        Notice::RollbackRefused { origin },
        Notice::UndoStarted { step, attempt: undo },
        Notice::UndoSucceeded { step, outcome: StepOutcome::Undone },
        Notice::UndoFailed { step, cause: Cause::NotKnown },
        Notice::RollbackLate,
        Notice::BracketClosing { step },
        Notice::BracketReopening { step },
        Notice::RollbackMeasuring { target },
        Notice::RollbackFinished { target },
        Notice::PassStarted { target, pass: 2 },
    ];
    let outcomes = [StepOutcome::Done, StepOutcome::Found, StepOutcome::Skipped, StepOutcome::Tolerated];
    all.extend(outcomes.map(|outcome| Notice::StepSettled { step, outcome }));
    let endings = [RunOutcome::Succeeded, RunOutcome::Refused, RunOutcome::RolledBack, RunOutcome::Stopped];
    all.extend(endings.map(|outcome| Notice::RunFinished { outcome, on: Direction::Forward }));
    all.push(Notice::RunFinished { outcome: RunOutcome::Stopped, on: Direction::Back });
    all
}

#[test]
fn every_notice_has_an_event_name_and_a_sentence() {
    let plan = sample::plan();
    let table: Vec<String> = every_notice()
        .iter()
        .map(|notice| {
            let news = news(&plan, notice);
            format!("{:<20} {}", news.event, news.what)
        })
        .collect();
    insta::assert_snapshot!(table.join("\n"), @r#"
    run.started          run of promote_orders_db starts: 3 phases, 8 steps
    run.resumed          run resumed: an earlier process of it ended, this one goes on
    run.paused           run paused, nothing new starts: step promote failed; no rollback by itself, because the way back is shut at step promote
    run.continued        run goes on
    run.stopping         run stops, nothing new starts: an operator ordered it
    run.stopping         run stops, nothing more is undone: an operator ordered it
    run.stuck            run stuck: step promote could not be undone; a human is needed
    run.stuck            run stuck: all is undone but not verified; a human is needed
    order.ignored        an order was not carried out, because it does not fit here
    phase.waiting        phase cutover waits for its window
    phase.started        phase cutover starts
    phase.succeeded      phase cutover is done
    phase.failed         phase cutover failed: its timeout passed
    phase.window_closed  the window of phase cutover closed; it goes on, as on_close = "finish" says
    step.started         step promote starts (attempt 2)
    step.measuring       step promote: the action ended, now its criteria are measured
    undo.measuring       undo of promote: the action ended, now its criteria are measured
    step.retrying        step promote is tried again in 0ms (try 2 of 1): its action failed
    undo.retrying        undo of promote is tried again in 0ms (try 2 of 1): its action failed
    step.stalled         step promote makes no progress and is stopped
    step.in_doubt        step promote is in doubt: it may have taken effect or not
    undo.in_doubt        the undo of promote is in doubt: it may have taken effect or not
    step.failed          step promote failed: success criterion `probe.new_writable` did not come true within 10s
    guard.awaited        step promote waits until guard errors has held once (`probe.errors < 5`)
    answer.awaited       step promote still waits for success criterion `probe.new_writable`, 10s at most
    guard.breached       guard errors breached (`probe.errors < 5`); the run goes back
    guard.blind          guard errors gets no data (`probe.errors < 5`); the run pauses
    guard.warned         guard errors warns (`probe.errors < 5`, 2 of the last 3 samples failed)
    guard.eased          guard errors warns no longer (`probe.errors < 5`)
    baseline.started     the baseline is being taken
    baseline.taken       the baseline is taken
    baseline.rejected    the baseline is not healthy: it could not be sampled
    gate.opened          gate ready asks: Replica is warm. Cut over now?
    gate.answered        gate ready: go
    gate.answered        gate ready: no-go; the run stops
    gate.expired         gate ready expired, nobody answered; that is a no-go; the run stops
    gate.closed          gate ready is taken back: something else happened
    wayback.shut         the way back is shut: undoing step promote now would lose something
    wayback.open         the way back is open again at step promote
    wayback.closed       the way back of this run is closed for good
    rollback.started     rollback starts, back to the start: guard errors was breached
    rollback.widened     rollback widened, back to step promote: guard errors was breached
    rollback.refused     no rollback is begun, though it was called for: guard errors was breached
    undo.started         undo of promote starts
    undo.succeeded       step promote is undone
    undo.failed          undo of promote failed: it was cut off, and whether it took effect is not known
    rollback.late        the rollback is late: its bound of 8m has passed; nothing is stopped for that
    bracket.closing      what step promote holds is released: the run ends
    bracket.reopening    step promote is done again for the time of the rollback
    rollback.measuring   all is undone; now the start is measured
    rollback.finished    rollback finished, back at the start, verified
    pass.started         the way forward is tried again from the start: pass 2
    step.succeeded       step promote is done
    step.found           step promote was already true; nothing to do
    step.skipped         step promote is skipped
    step.tolerated       step promote failed, and that is tolerated
    run.finished         run succeeded: every criterion was met
    run.finished         run refused: nothing was started
    run.finished         run rolled back, and verified
    run.finished         run stopped on the way forward, not rolled back
    run.finished         run stopped on the way back: not all is undone, or it could not be verified
    "#);
}

#[test]
fn every_event_name_of_the_design_is_used() {
    let plan = sample::plan();
    let used: Vec<&str> = every_notice().iter().map(|notice| news(&plan, notice).event).collect();
    let named = "run.started run.paused run.resumed run.finished phase.started phase.succeeded step.started step.retrying \
                 step.succeeded step.found step.skipped step.failed step.in_doubt guard.breached gate.opened \
                 gate.answered wayback.shut wayback.open rollback.started undo.started undo.succeeded undo.failed \
                 rollback.finished";
    for name in named.split_whitespace() {
        assert!(used.contains(&name), "{name}");
    }
}

#[test]
fn evidence_and_author_stand_only_where_they_are_about_the_notice() {
    let plan = sample::plan();
    let start = Notice::StepStarted { step: sample::step(sample::PROMOTE), attempt: None };
    let told = sample::with(sample::told(0, start), Some("alice"), Some("exit code 0 of the step before"));
    assert_eq!(sentence(&plan, &told), "step promote starts");

    let refused = Notice::RunFinished { outcome: RunOutcome::Refused, on: Direction::Forward };
    let told = sample::with(sample::told(0, refused), None, Some("probe.old_writable = false"));
    assert_eq!(sentence(&plan, &told), "run refused: nothing was started: probe.old_writable = false");
}

#[test]
fn a_sentence_ends_with_who_and_the_evidence_in_one_line() {
    let plan = sample::plan();
    let told = sample::told(0, Notice::GateAnswered { gate: sample::step(sample::READY), answer: Answer::NoGo });
    let told = sample::with(told, Some("alice"), Some("lag is\n\x1b[31m growing"));
    assert_eq!(sentence(&plan, &told), "gate ready: no-go; the run stops, by alice: lag is [31m growing");
}
