//! News of a gate.

use super::News;
use crate::engine::Answer;
use crate::model::{Action, Gate, OnNo, Plan, StepId, Target};
use crate::report::text::Role;

pub(super) fn opened(plan: &Plan, gate: StepId) -> News {
    let name = &plan.step(gate).name;
    // A question with values in it is shown where it is asked: here nobody can fill them in.
    let question = question(plan, gate).map(|it| &it.question.0).filter(|text| !text.contains("{{"));
    let what = match question {
        Some(text) => format!("gate {name} asks: {text}"),
        None => format!("gate {name} asks"),
    };
    News::new("gate.opened", Role::Ask, what).gate(plan, gate)
}

pub(super) fn answered(plan: &Plan, gate: StepId, answer: Answer) -> News {
    let name = &plan.step(gate).name;
    let (role, word, what) = match answer {
        Answer::Go => (Role::Good, "go", format!("gate {name}: go")),
        Answer::NoGo => (Role::Bad, "no-go", format!("gate {name}: no-go; {}", on_no(plan, gate))),
    };
    News::new("gate.answered", role, what).gate(plan, gate).outcome(word)
}

pub(super) fn expired(plan: &Plan, gate: StepId) -> News {
    let pauses = question(plan, gate).is_some_and(|it| it.expiry_pauses);
    let then = if pauses { "the run pauses".into() } else { format!("that is a no-go; {}", on_no(plan, gate)) };
    let what = format!("gate {} expired, nobody answered; {then}", plan.step(gate).name);
    News::new("gate.expired", Role::Bad, what).gate(plan, gate)
}

pub(super) fn closed(plan: &Plan, gate: StepId) -> News {
    let what = format!("gate {} is taken back: something else happened", plan.step(gate).name);
    News::new("gate.closed", Role::Warn, what).gate(plan, gate)
}

fn question(plan: &Plan, gate: StepId) -> Option<&Gate> {
    match &plan.step(gate).forward.action {
        Action::Gate(it) => Some(it),
        _ => None,
    }
}

/// What *no* does at this gate.
fn on_no(plan: &Plan, gate: StepId) -> String {
    match question(plan, gate).map(|it| &it.on_no) {
        Some(OnNo::Stop) | None => "the run stops".into(),
        Some(OnNo::Pause) => "the run pauses".into(),
        Some(OnNo::Rollback(rollback)) if rollback.target == Target::Start => "the run goes back".into(),
        Some(OnNo::Rollback(rollback)) => format!("the run goes back to {}", super::target(plan, rollback.target)),
    }
}
