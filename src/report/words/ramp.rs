//! News of a ramp: which value it is at, and what keeps it there.

use super::{News, reason};
use crate::engine::HeldBack;
use crate::model::{AttemptId, Plan, RampValue, StepId};
use crate::report::text::Role;

fn value_at(plan: &Plan, step: StepId, value: u16) -> Option<&RampValue> {
    plan.step(step).forward.ramp()?.values.get(usize::from(value))
}

/// A value as people read it, and its place: `25 (3 of 5)`.
pub fn place(plan: &Plan, step: StepId, value: u16) -> String {
    let of = plan.step(step).forward.ramp().map_or(0, |ramp| ramp.values.len());
    format!("{} ({} of {of})", text(plan, step, value), u32::from(value) + 1)
}

fn text(plan: &Plan, step: StepId, value: u16) -> String {
    value_at(plan, step, value).map_or_else(String::new, RampValue::text)
}

fn news(plan: &Plan, step: StepId, value: u16, event: &'static str, role: Role, what: String) -> News {
    let mut news = News::new(event, role, what).step(plan, step);
    news.value = value_at(plan, step, value).map(|value| value.value.clone());
    news
}

pub(super) fn setting(plan: &Plan, attempt: AttemptId, value: u16) -> News {
    let step = attempt.step;
    let what = format!("step {} sets {}", plan.step(step).name, place(plan, step, value));
    let mut news = news(plan, step, value, "ramp.setting", Role::Active, what);
    news.attempt = Some(attempt.number.number());
    news
}

pub(super) fn set(plan: &Plan, step: StepId, value: u16) -> News {
    let what = format!("step {}: {} is set", plan.step(step).name, text(plan, step, value));
    news(plan, step, value, "ramp.set", Role::Dim, what)
}

pub(super) fn confirmed(plan: &Plan, step: StepId, value: u16) -> News {
    let hold = value_at(plan, step, value).map(|value| value.hold).unwrap_or_default();
    let what = format!("step {}: {} is confirmed, and held for {hold}", plan.step(step).name, place(plan, step, value));
    news(plan, step, value, "ramp.confirmed", Role::Good, what)
}

pub(super) fn held(plan: &Plan, step: StepId, value: u16, why: HeldBack) -> News {
    let name = &plan.step(step).name;
    let what = match why {
        HeldBack::Operator => format!("step {name} is held at {}", place(plan, step, value)),
        HeldBack::Pressure(_) | HeldBack::NoData(_) => {
            format!("step {name} stays at {}: {}", place(plan, step, value), kept(plan, why))
        }
    };
    let mut news = news(plan, step, value, "ramp.held", Role::Warn, what);
    news.cause = Some(match why {
        HeldBack::Pressure(_) => "pressure",
        HeldBack::NoData(_) => "no_data",
        HeldBack::Operator => "operator",
    });
    news
}

/// What keeps a ramp where it is.
pub fn kept(plan: &Plan, why: HeldBack) -> String {
    match why {
        HeldBack::Pressure(question) => format!("back-pressure, {} holds", reason::asked(plan, question.asked)),
        HeldBack::NoData(question) => format!("{} has no data", reason::asked(plan, question.asked)),
        HeldBack::Operator => "an operator holds it".to_owned(),
    }
}

pub(super) fn released(plan: &Plan, step: StepId, value: u16) -> News {
    let what = format!("step {} may go on from {}", plan.step(step).name, place(plan, step, value));
    news(plan, step, value, "ramp.released", Role::Plain, what)
}

pub(super) fn advanced(plan: &Plan, step: StepId, value: u16) -> News {
    let (name, text) = (&plan.step(step).name, text(plan, step, value));
    let what = match value_at(plan, step, value.saturating_add(1)) {
        Some(next) => format!("step {name}: {text} has held, now {}", next.text()),
        None => format!("step {name}: {text} has held, and it is the last value"),
    };
    news(plan, step, value, "ramp.advanced", Role::Good, what)
}
