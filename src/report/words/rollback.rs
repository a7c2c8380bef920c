//! News of the way back.

use super::{News, reason};
use crate::engine::{Cause, Origin};
use crate::model::{AttemptId, Bracket, Part, Plan, StepId, StepOutcome, Target};
use crate::report::text::Role;

pub(super) fn way_shut(plan: &Plan, step: StepId) -> News {
    let what = format!("the way back is shut: undoing step {} now would lose something", plan.step(step).name);
    News::new("wayback.shut", Role::Bad, what).step(plan, step)
}

pub(super) fn way_open(plan: &Plan, step: StepId) -> News {
    let what = format!("the way back is open again at step {}", plan.step(step).name);
    News::new("wayback.open", Role::Good, what).step(plan, step)
}

pub(super) fn way_closed() -> News {
    News::new("wayback.closed", Role::Warn, "the way back of this run is closed for good")
}

pub(super) fn started(plan: &Plan, target: Target, origin: Origin, widened: bool) -> News {
    let (event, verb) =
        if widened { ("rollback.widened", "rollback widened") } else { ("rollback.started", "rollback starts") };
    let what = format!("{verb}, back to {}: {}", reason::target(plan, target), reason::origin(plan, origin));
    News::new(event, Role::Back, what).origin(plan, origin).target(plan, target)
}

pub(super) fn refused(plan: &Plan, origin: Origin) -> News {
    let what = format!("no rollback is begun, though it was called for: {}", reason::origin(plan, origin));
    News::new("rollback.refused", Role::Bad, what).origin(plan, origin)
}

pub(super) fn undo_started(plan: &Plan, step: StepId, attempt: Option<AttemptId>) -> News {
    let it = plan.step(step);
    let which = match attempt.map(|attempt| attempt.part) {
        Some(Part::Undo(n)) if it.undo().len() > 1 => format!(" (action {} of {})", n + 1, it.undo().len()),
        Some(Part::Undo(_) | Part::Forward) | None => String::new(),
    };
    let what = format!("undo of {} starts{which}", it.name);
    let mut news = News::new("undo.started", Role::Back, what).step(plan, step);
    news.attempt = attempt.map(|attempt| attempt.number.number());
    news
}

pub(super) fn undo_succeeded(plan: &Plan, step: StepId, outcome: StepOutcome) -> News {
    let name = &plan.step(step).name;
    let what = match outcome {
        StepOutcome::Skipped => format!("step {name} needs no undo, or it was left out"),
        StepOutcome::Found => format!("step {name} was already undone"),
        StepOutcome::Pending
        | StepOutcome::Running
        | StepOutcome::Done
        | StepOutcome::Tolerated
        | StepOutcome::Failed
        | StepOutcome::Unknown
        | StepOutcome::Undone => format!("step {name} is undone"),
    };
    News::new("undo.succeeded", Role::Back, what).step(plan, step).outcome(outcome.word())
}

pub(super) fn undo_failed(plan: &Plan, step: StepId, cause: Cause) -> News {
    let what = format!("undo of {} failed: {}", plan.step(step).name, reason::cause(plan, cause));
    News::new("undo.failed", Role::Bad, what).step(plan, step).cause(cause)
}

pub(super) fn late(plan: &Plan) -> News {
    let promise = plan.about().rollback_timeout.map(|bound| format!(" of {bound}")).unwrap_or_default();
    let what = format!("the rollback is late: its bound{promise} has passed; nothing is stopped for that");
    News::new("rollback.late", Role::Bad, what)
}

pub(super) fn bracket_closing(plan: &Plan, step: StepId) -> News {
    let it = plan.step(step);
    let ends = match it.held_for {
        Some(Bracket::Phase) => "its phase ends",
        Some(Bracket::Run) | None => "the run ends",
    };
    News::new("bracket.closing", Role::Active, format!("what step {} holds is released: {ends}", it.name))
        .step(plan, step)
}

pub(super) fn bracket_reopening(plan: &Plan, step: StepId) -> News {
    let what = format!("step {} is done again for the time of the rollback", plan.step(step).name);
    News::new("bracket.reopening", Role::Back, what).step(plan, step)
}

pub(super) fn measuring(plan: &Plan, target: Target) -> News {
    let what = format!("all is undone; now {} is measured", reason::target(plan, target));
    News::new("rollback.measuring", Role::Back, what).target(plan, target)
}

pub(super) fn finished(plan: &Plan, target: Target) -> News {
    let what = format!("rollback finished, back at {}, verified", reason::target(plan, target));
    News::new("rollback.finished", Role::Back, what).target(plan, target)
}

pub(super) fn pass_started(plan: &Plan, target: Target, pass: u32) -> News {
    let what = format!("the way forward is tried again from {}: pass {pass}", reason::target(plan, target));
    News::new("pass.started", Role::Strong, what).target(plan, target)
}
