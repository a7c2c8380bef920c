//! News of the run as a whole.

use super::{News, reason};
use crate::engine::{Direction, Origin};
use crate::model::{Plan, RunOutcome, StepId};
use crate::report::text::{Role, count};

pub(super) fn started(plan: &Plan) -> News {
    let steps = count(plan.steps().len(), "step");
    let size = match plan.phases().len() {
        0 => steps,
        phases => format!("{}, {steps}", count(phases, "phase")),
    };
    News::new("run.started", Role::Strong, format!("run of {} starts: {size}", plan.about().name))
}

pub(super) fn resumed() -> News {
    News::new("run.resumed", Role::Strong, "run resumed: an earlier process of it ended, this one goes on")
}

pub(super) fn paused(plan: &Plan, origin: Origin, behind: Option<StepId>, shut: Option<StepId>) -> News {
    let what = format!("run paused, nothing new starts: {}", reason::pause(plan, origin, behind, shut));
    let role = if matches!(origin, Origin::Operator | Origin::Until(_)) { Role::Warn } else { Role::Bad };
    let mut news = News::new("run.paused", role, what).origin(plan, origin);
    if let Some(step) = behind.or(shut) {
        news = news.step(plan, step);
    }
    news
}

pub(super) fn continued() -> News {
    News::new("run.continued", Role::Strong, "run goes on")
}

pub(super) fn stopping(plan: &Plan, origin: Origin, on: Direction) -> News {
    let starts = match on {
        Direction::Forward => "nothing new starts",
        Direction::Back => "nothing more is undone",
    };
    let what = format!("run stops, {starts}: {}", reason::origin(plan, origin));
    News::new("run.stopping", Role::Warn, what).origin(plan, origin)
}

pub(super) fn finished(outcome: RunOutcome, on: Direction) -> News {
    let (role, what) = match (outcome, on) {
        (RunOutcome::Succeeded, _) => (Role::Good, "run succeeded: every criterion was met"),
        (RunOutcome::Refused, _) => (Role::Bad, "run refused: nothing was started"),
        (RunOutcome::RolledBack, _) => (Role::Back, "run rolled back, and verified"),
        (RunOutcome::Stopped, Direction::Forward) => (Role::Warn, "run stopped on the way forward, not rolled back"),
        (RunOutcome::Stopped, Direction::Back) => {
            (Role::Bad, "run stopped on the way back: not all is undone, or it could not be verified")
        }
    };
    News::new("run.finished", role, what).outcome(outcome.word())
}

pub(super) fn stuck(plan: &Plan, step: Option<StepId>) -> News {
    match step {
        Some(step) => {
            let what = format!("run stuck: step {} could not be undone; a human is needed", plan.step(step).name);
            News::new("run.stuck", Role::Bad, what).step(plan, step)
        }
        None => News::new("run.stuck", Role::Bad, "run stuck: all is undone but not verified; a human is needed"),
    }
}

pub(super) fn order_ignored() -> News {
    News::new("order.ignored", Role::Warn, "an order was not carried out, because it does not fit here")
}
