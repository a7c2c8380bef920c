//! News of a step on its way forward, and what both directions share.

use super::{News, reason};
use crate::engine::Cause;
use crate::model::{Action, AttemptId, Part, Plan, StepId, StepOutcome};
use crate::report::text::Role;

pub(super) fn started(plan: &Plan, step: StepId, attempt: Option<AttemptId>) -> News {
    let it = plan.step(step);
    let name = &it.name;
    let (role, what) = match &it.forward.action {
        Action::Wait(_) => (Role::Active, format!("step {name} waits")),
        Action::Manual(_) => (Role::Ask, format!("step {name} is up to a person")),
        Action::Run(_) | Action::Http(_) | Action::Sql(_) | Action::Gate(_) | Action::Ramp(_) => {
            (Role::Active, format!("step {name} starts"))
        }
    };
    let again = attempt.filter(|attempt| attempt.number.number() > 1);
    let what = again.map_or_else(|| what.clone(), |attempt| format!("{what} (attempt {})", attempt.number));
    let mut news = News::new("step.started", role, what).step(plan, step);
    news.attempt = attempt.map(|attempt| attempt.number.number());
    news
}

pub(super) fn measuring(plan: &Plan, step: StepId, part: Part) -> News {
    let name = &plan.step(step).name;
    match part {
        Part::Forward => News::new(
            "step.measuring",
            Role::Dim,
            format!("step {name}: the action ended, now its criteria are measured"),
        ),
        Part::Undo(_) => News::new(
            "undo.measuring",
            Role::Dim,
            format!("undo of {name}: the action ended, now its criteria are measured"),
        ),
    }
    .step(plan, step)
}

pub(super) fn retrying(plan: &Plan, step: StepId, part: Part, tries: u32, cause: Cause) -> News {
    let it = plan.step(step);
    let (event, whose) = match part {
        Part::Forward => ("step.retrying", format!("step {}", it.name)),
        Part::Undo(_) => ("undo.retrying", format!("undo of {}", it.name)),
    };
    let retry = it.work(part).retry;
    let what = format!(
        "{whose} is tried again in {} (try {} of {}): {}",
        retry.pause_after(tries),
        tries.saturating_add(1),
        retry.attempts,
        reason::cause(plan, cause)
    );
    News::new(event, Role::Warn, what).step(plan, step).cause(cause)
}

pub(super) fn stalled(plan: &Plan, step: StepId) -> News {
    let what = format!("step {} makes no progress and is stopped", plan.step(step).name);
    News::new("step.stalled", Role::Bad, what).step(plan, step)
}

pub(super) fn in_doubt(plan: &Plan, step: StepId, part: Part) -> News {
    let name = &plan.step(step).name;
    match part {
        Part::Forward => {
            News::new("step.in_doubt", Role::Warn, format!("step {name} is in doubt: it may have taken effect or not"))
        }
        Part::Undo(_) => News::new(
            "undo.in_doubt",
            Role::Warn,
            format!("the undo of {name} is in doubt: it may have taken effect or not"),
        ),
    }
    .step(plan, step)
}

pub(super) fn settled(plan: &Plan, step: StepId, outcome: StepOutcome) -> News {
    let name = &plan.step(step).name;
    let (event, role, what) = match outcome {
        StepOutcome::Done => ("step.succeeded", Role::Good, "is done"),
        StepOutcome::Found => ("step.found", Role::Good, "was already true; nothing to do"),
        StepOutcome::Skipped => ("step.skipped", Role::Dim, "is skipped"),
        StepOutcome::Tolerated => ("step.tolerated", Role::Warn, "failed, and that is tolerated"),
        StepOutcome::Failed => ("step.failed", Role::Bad, "failed"),
        StepOutcome::Unknown => ("step.in_doubt", Role::Warn, "is in doubt: it may have taken effect or not"),
        StepOutcome::Undone => ("undo.succeeded", Role::Back, "is undone"),
        StepOutcome::Pending | StepOutcome::Running => ("step.settled", Role::Dim, "is settled"),
    };
    News::new(event, role, format!("step {name} {what}")).step(plan, step).outcome(outcome.word())
}

/// What a step that failed for that reason has come to.
pub const fn failed_as(cause: Cause) -> StepOutcome {
    match cause {
        Cause::InDoubt | Cause::NotKnown | Cause::Stalled(_) => StepOutcome::Unknown,
        Cause::Action
        | Cause::Condition(_)
        | Cause::NotInTime(_)
        | Cause::Stopped
        | Cause::Timeout
        | Cause::Ungated
        | Cause::NoGo
        | Cause::NoSample => StepOutcome::Failed,
    }
}

pub(super) fn failed(plan: &Plan, step: StepId, cause: Cause) -> News {
    let what = format!("step {} failed: {}", plan.step(step).name, reason::cause(plan, cause));
    let news = News::new("step.failed", Role::Bad, what).step(plan, step).cause(cause).outcome(failed_as(cause).word());
    news.remedy(plan.step(step).remedy.as_ref())
}
