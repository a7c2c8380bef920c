//! Why something happened, in words and in one word.

use crate::engine::{Asked, Cause, Origin, Question};
use crate::model::{Part, Plan, Progress, StepId, Target};

/// Why something failed, as the end of a sentence.
pub fn cause(plan: &Plan, cause: Cause) -> String {
    match cause {
        Cause::Action => "its action failed".into(),
        Cause::NotKnown => "it was cut off, and whether it took effect is not known".into(),
        Cause::InDoubt => "after a crash nobody can say what became of it".into(),
        Cause::Condition(question) => format!("{} does not hold", asked(plan, question.asked)),
        Cause::NotInTime(question) => not_in_time(plan, question),
        Cause::Stopped => "it was stopped".into(),
        Cause::Timeout => "its timeout passed".into(),
        Cause::Ungated => "it cannot be undone, and no gate before it was answered go".into(),
        Cause::NoGo => "the answer was no, or none came in time".into(),
        Cause::Stalled(step) => match plan.step(step).progress {
            Some(Progress { probe, stall }) => format!("no progress of probe.{} for {stall}", plan.probe(probe).name),
            None => "it made no progress".into(),
        },
        Cause::NoSample => "it could not be sampled".into(),
    }
}

fn not_in_time(plan: &Plan, question: Question) -> String {
    let what = asked(plan, question.asked);
    match question.asked.within(plan) {
        Some(within) => format!("{what} did not come true within {within}"),
        None => format!("{what} did not come true in time"),
    }
}

/// Why, in one word for machines.
pub(super) const fn cause_word(cause: Cause) -> &'static str {
    match cause {
        Cause::Action => "action",
        Cause::NotKnown => "not_known",
        Cause::InDoubt => "in_doubt",
        Cause::Condition(_) => "condition",
        Cause::NotInTime(_) => "not_in_time",
        Cause::Stopped => "stopped",
        Cause::Timeout => "timeout",
        Cause::Ungated => "ungated",
        Cause::NoGo => "no_go",
        Cause::Stalled(_) => "stalled",
        Cause::NoSample => "no_sample",
    }
}

/// What is asked: the key that it stands under, its text, and its sentence where it has one.
pub fn asked(plan: &Plan, asked: Asked) -> String {
    let key = match asked {
        Asked::Preflight(_) => "preflight check",
        Asked::PhaseRequire(..) | Asked::Require(_, Part::Forward, _) => "require",
        Asked::Require(_, Part::Undo(_), _) => "the undo's require",
        Asked::PhaseSuccess(..) | Asked::Success(_, Part::Forward, _) => "success criterion",
        Asked::Success(_, Part::Undo(_), _) => "the undo's success criterion",
        Asked::When(..) => "when",
        Asked::DoneWhen(..) => "done_when",
        Asked::WaitUntil(..) => "the condition it waits for",
        Asked::Restored(_) => "restored",
        Asked::Confirm(..) => "confirm",
        Asked::Advance(..) => "advance",
        Asked::HoldWhile(..) => "hold_while",
        Asked::BaselineRequire(_) => "the baseline's require",
    };
    let text = asked.condition(plan).map(|id| format!(" `{}`", plan.condition(id).text)).unwrap_or_default();
    match asked.criterion(plan).and_then(|criterion| criterion.say.as_deref()) {
        Some(say) => format!("{key}{text} ({say})"),
        None => format!("{key}{text}"),
    }
}

/// What a rollback, a pause or a stop comes from, as the end of a sentence.
pub fn origin(plan: &Plan, origin: Origin) -> String {
    let step = |id| &plan.step(id).name;
    let phase = |id| &plan.phase(id).name;
    let guard = |id| format!("{} {}", plan.guard(id).kind(), plan.guard(id).name);
    match origin {
        Origin::StepFailed(id) => format!("step {} failed", step(id)),
        Origin::StepInDoubt(id) => format!("what became of step {} is not known", step(id)),
        Origin::PhaseFailed(id) => format!("phase {} failed", phase(id)),
        Origin::GuardBreached(id) => format!("{} was breached", guard(id)),
        Origin::GuardBlind(id) => format!("{} gets no data", guard(id)),
        Origin::NoGo(id) => format!("no-go at gate {}", step(id)),
        Origin::GateExpired(id) => format!("nobody answered gate {} in time", step(id)),
        Origin::RunTimeout => format!("the run's timeout of {} passed", plan.about().timeout),
        Origin::WindowClosed(id) => format!("the window of phase {} closed", phase(id)),
        Origin::BracketFailed(id) => format!("what step {} holds could not be released", step(id)),
        Origin::Until(id) => format!("phase {} has ended, as --until asked", phase(id)),
        Origin::Operator => "an operator ordered it".into(),
    }
}

/// Why a run pauses: where it comes from, and what keeps it from going back.
pub fn pause(plan: &Plan, from: Origin, behind: Option<StepId>, shut: Option<StepId>) -> String {
    let name = |step| &plan.step(step).name;
    let behind = behind.map(|step| format!("; no rollback, because step {} cannot be undone", name(step)));
    let shut = shut.map(|step| format!("; no rollback by itself, because the way back is shut at step {}", name(step)));
    origin(plan, from) + &behind.unwrap_or_default() + &shut.unwrap_or_default()
}

/// An origin in one word for machines.
pub(super) const fn origin_word(origin: Origin) -> &'static str {
    match origin {
        Origin::StepFailed(_) => "step_failed",
        Origin::StepInDoubt(_) => "step_in_doubt",
        Origin::PhaseFailed(_) => "phase_failed",
        Origin::GuardBreached(_) => "guard_breached",
        Origin::GuardBlind(_) => "guard_blind",
        Origin::NoGo(_) => "no_go",
        Origin::GateExpired(_) => "gate_expired",
        Origin::RunTimeout => "run_timeout",
        Origin::WindowClosed(_) => "window_closed",
        Origin::BracketFailed(_) => "bracket_failed",
        Origin::Until(_) => "until",
        Origin::Operator => "operator",
    }
}

/// Where a rollback leads, after "back to".
pub fn target(plan: &Plan, target: Target) -> String {
    match target {
        Target::Start => "the start".into(),
        Target::Step(step) => format!("step {}", plan.step(step).name),
        Target::Phase(phase) => format!("the end of phase {}", plan.phase(phase).name),
    }
}

/// The same for machines: as a runbook names it.
pub(super) fn target_name(plan: &Plan, target: Target) -> String {
    match target {
        Target::Start => "start".into(),
        Target::Step(step) => plan.step(step).name.clone(),
        Target::Phase(phase) => plan.phase(phase).name.clone(),
    }
}
