//! News of a guard. How many samples decided (R14) stands in the evidence of a breach.

use super::News;
use crate::model::{AllowanceText, Budget, Guard, GuardId, OnBreach, Plan, Rule, StepId, Target, Watched};
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
    let what = format!("{} {} breached ({}); {then}", it.kind(), it.name, rule(plan, it));
    News::new("guard.breached", role, what).guard(plan, guard).remedy(it.remedy.as_ref())
}

pub(super) fn awaited(plan: &Plan, guard: GuardId, step: StepId) -> News {
    let it = plan.guard(guard);
    let what = match &it.rule {
        Rule::Condition(watched) => {
            let text = &plan.condition(watched.require).text;
            format!("step {} waits until guard {} has held once (`{text}`)", plan.step(step).name, it.name)
        }
        Rule::Budget(budget) => format!(
            "step {} waits until budget {} could be measured once ({})",
            plan.step(step).name,
            it.name,
            allowed(plan, budget)
        ),
    };
    News::new("guard.awaited", Role::Warn, what).step(plan, step).guard(plan, guard).remedy(it.remedy.as_ref())
}

pub(super) fn blind(plan: &Plan, guard: GuardId) -> News {
    let it = plan.guard(guard);
    let what = format!("{} {} gets no data ({}); the run pauses", it.kind(), it.name, rule(plan, it));
    News::new("guard.blind", Role::Bad, what).guard(plan, guard).remedy(it.remedy.as_ref())
}

pub(super) fn warned(plan: &Plan, guard: GuardId) -> News {
    let it = plan.guard(guard);
    let what = format!("guard {} warns ({})", it.name, warning(plan, it));
    News::new("guard.warned", Role::Warn, what).guard(plan, guard)
}

pub(super) fn eased(plan: &Plan, guard: GuardId) -> News {
    let it = plan.guard(guard);
    let warn = it.rule.condition().and_then(|watched| watched.warn);
    let text = warn.map_or("", |warn| &plan.condition(warn).text);
    News::new("guard.eased", Role::Good, format!("guard {} warns no longer (`{text}`)", it.name)).guard(plan, guard)
}

fn warning(plan: &Plan, guard: &Guard) -> String {
    let text = |watched: &Watched| Some(counted(&plan.condition(watched.warn?).text, watched));
    guard.rule.condition().and_then(text).unwrap_or_default()
}

/// What a guard requires; what of a budget is allowed.
fn rule(plan: &Plan, guard: &Guard) -> String {
    match &guard.rule {
        Rule::Condition(watched) => format!("`{}`", plan.condition(watched.require).text),
        Rule::Budget(budget) => allowed(plan, budget),
    }
}

/// `probe.lost: 200 allowed`, `probe.lost: 0.1% of probe.requests allowed`.
pub(in crate::report) fn allowed(plan: &Plan, budget: &Budget) -> String {
    let bad = &plan.probe(budget.bad).name;
    let total = budget.allow.total().map_or_else(String::new, |id| format!("probe.{}", plan.probe(id).name));
    format!("probe.{bad}: {} allowed", AllowanceText(budget.allow, &total))
}

fn counted(text: &str, watched: &Watched) -> String {
    if watched.of == 1 {
        format!("`{text}`, one sample failed")
    } else {
        format!("`{text}`, {} of the last {} samples failed", watched.failures, watched.of)
    }
}
