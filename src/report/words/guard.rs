//! News of a guard. Reports print its rule in words (R14).

use super::News;
use crate::model::{Guard, GuardId, OnBreach, Plan, Target};
use crate::report::text::Role;

pub(super) fn breached(plan: &Plan, guard: GuardId) -> News {
    let it = plan.guard(guard);
    let (role, then) = match &it.on_breach {
        OnBreach::Rollback(rollback) if rollback.target == Target::Start => (Role::Bad, "the run goes back".to_owned()),
        OnBreach::Rollback(rollback) => {
            (Role::Bad, format!("the run goes back to {}", super::target(plan, rollback.target)))
        }
        OnBreach::Pause => (Role::Bad, "the run pauses".to_owned()),
        OnBreach::Warn => (Role::Warn, "it only warns".to_owned()),
    };
    let what = format!("guard {} breached ({}); {then}", it.name, rule(plan, it, "failed"));
    News::new("guard.breached", role, what).guard(plan, guard)
}

pub(super) fn blind(plan: &Plan, guard: GuardId) -> News {
    let it = plan.guard(guard);
    let what = format!("guard {} gets no data ({}); the run pauses", it.name, rule(plan, it, "had no data"));
    News::new("guard.blind", Role::Bad, what).guard(plan, guard)
}

pub(super) fn warned(plan: &Plan, guard: GuardId) -> News {
    let it = plan.guard(guard);
    let what = format!("guard {} warns ({})", it.name, warning(plan, it));
    News::new("guard.warned", Role::Warn, what).guard(plan, guard)
}

pub(super) fn eased(plan: &Plan, guard: GuardId) -> News {
    let it = plan.guard(guard);
    let text = it.warn.map_or("", |warn| &plan.condition(warn).text);
    News::new("guard.eased", Role::Good, format!("guard {} warns no longer (`{text}`)", it.name)).guard(plan, guard)
}

fn warning(plan: &Plan, guard: &Guard) -> String {
    guard.warn.map_or_else(String::new, |warn| counted(&plan.condition(warn).text, guard, "failed"))
}

/// The rule of a guard: `probe.errors < 5, 2 of 3 samples failed`.
fn rule(plan: &Plan, guard: &Guard, what: &str) -> String {
    counted(&plan.condition(guard.require).text, guard, what)
}

fn counted(text: &str, guard: &Guard, what: &str) -> String {
    if guard.of == 1 {
        format!("`{text}`, one sample {what}")
    } else {
        format!("`{text}`, {} of the last {} samples {what}", guard.failures, guard.of)
    }
}
