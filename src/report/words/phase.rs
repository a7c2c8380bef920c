//! News of a phase.

use super::{News, reason};
use crate::engine::Cause;
use crate::model::{OnClose, PhaseId, Plan};
use crate::report::text::Role;

pub(super) fn waiting(plan: &Plan, phase: PhaseId) -> News {
    let it = plan.phase(phase);
    let window = it.window.as_ref().map(|w| format!(" ({} {})", w.open.join(", "), w.zone)).unwrap_or_default();
    let what = format!("phase {} waits for its window{window}", it.name);
    News::new("phase.waiting", Role::Warn, what).phase(plan, phase)
}

pub(super) fn started(plan: &Plan, phase: PhaseId) -> News {
    let it = plan.phase(phase);
    let summary = it.summary.as_deref().map(|summary| format!(": {summary}")).unwrap_or_default();
    News::new("phase.started", Role::Strong, format!("phase {} starts{summary}", it.name)).phase(plan, phase)
}

pub(super) fn succeeded(plan: &Plan, phase: PhaseId) -> News {
    let it = plan.phase(phase);
    let how = if it.success.is_empty() { "is done" } else { "is done, its criteria were measured" };
    News::new("phase.succeeded", Role::Good, format!("phase {} {how}", it.name)).phase(plan, phase)
}

pub(super) fn failed(plan: &Plan, phase: PhaseId, cause: Cause) -> News {
    let what = format!("phase {} failed: {}", plan.phase(phase).name, reason::cause(plan, cause));
    News::new("phase.failed", Role::Bad, what).phase(plan, phase).cause(cause)
}

pub(super) fn window_closed(plan: &Plan, phase: PhaseId) -> News {
    let it = plan.phase(phase);
    let then = match it.window.as_ref().map(|window| window.on_close) {
        Some(OnClose::Finish) | None => "; it goes on, as on_close = \"finish\" says",
        Some(OnClose::Pause) => "; the run pauses",
        Some(OnClose::Rollback) => "; the run goes back",
    };
    News::new("phase.window_closed", Role::Bad, format!("the window of phase {} closed{then}", it.name))
        .phase(plan, phase)
}
