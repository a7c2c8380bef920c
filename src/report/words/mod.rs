//! What each notice says to a person and to a machine: a sentence, a role, an event name, the fields of its JSON line.
//!
//! One function per notice, by area. Knows no terminal and no time.

mod baseline;
mod gate;
pub(in crate::report) mod guard;
mod phase;
mod ramp;
mod reason;
mod rollback;
mod run;
mod step;
mod waiting;

pub use ramp::{kept, place};
pub use reason::{asked, cause, origin, pause, target};
pub use step::failed_as;

use super::text::{Role, one_line};
use super::{Mark, Told};
use crate::engine::{Cause, HeldBack, Notice, Origin};
use crate::model::{GuardId, PhaseId, Plan, RunOutcome, StepId, Target};

/// A notice in words. The names of the fields are those of the JSON line (DESIGN section 5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct News {
    /// `step.succeeded`.
    pub event: &'static str,
    /// What it means to a reader.
    pub role: Role,
    /// What happened, without evidence.
    pub what: String,
    /// The step it is about.
    pub step: Option<String>,
    /// The number of its attempt.
    pub attempt: Option<u32>,
    /// The phase it is about.
    pub phase: Option<String>,
    /// The guard it is about.
    pub guard: Option<String>,
    /// The gate it is about.
    pub gate: Option<String>,
    /// How something ended.
    pub outcome: Option<&'static str>,
    /// Why, in one word.
    pub cause: Option<&'static str>,
    /// Where a rollback leads: `start`, or the name of a step or phase.
    pub target: Option<String>,
    /// The value of a ramp.
    pub value: Option<serde_json::Value>,
    /// What the runbook says to try first.
    pub remedy: Option<String>,
}

impl News {
    fn new(event: &'static str, role: Role, what: impl Into<String>) -> Self {
        Self {
            event,
            role,
            what: what.into(),
            step: None,
            attempt: None,
            phase: None,
            guard: None,
            gate: None,
            outcome: None,
            cause: None,
            target: None,
            value: None,
            remedy: None,
        }
    }

    fn step(mut self, plan: &Plan, step: StepId) -> Self {
        let step = plan.step(step);
        self.step = Some(step.name.clone());
        self.phase = step.phase.map(|phase| plan.phase(phase).name.clone());
        self
    }

    fn gate(mut self, plan: &Plan, step: StepId) -> Self {
        self = self.step(plan, step);
        self.gate.clone_from(&self.step);
        self
    }

    fn phase(mut self, plan: &Plan, phase: PhaseId) -> Self {
        self.phase = Some(plan.phase(phase).name.clone());
        self
    }

    fn guard(mut self, plan: &Plan, guard: GuardId) -> Self {
        self.guard = Some(plan.guard(guard).name.clone());
        self
    }

    /// What to try first, where the runbook says so of that guard.
    fn remedy(mut self, remedy: Option<&String>) -> Self {
        self.remedy = remedy.cloned();
        self
    }

    /// The same as the end of a sentence.
    pub fn remedy_in_words(&self) -> String {
        said(self.remedy.as_deref(), "; remedy: ")
    }

    fn outcome(mut self, word: &'static str) -> Self {
        self.outcome = Some(word);
        self
    }

    fn cause(mut self, cause: Cause) -> Self {
        self.cause = Some(reason::cause_word(cause));
        self
    }

    fn target(mut self, plan: &Plan, target: Target) -> Self {
        self.target = Some(reason::target_name(plan, target));
        self
    }

    fn origin(mut self, plan: &Plan, origin: Origin) -> Self {
        self.cause = Some(reason::origin_word(origin));
        match origin {
            Origin::StepFailed(step) | Origin::StepInDoubt(step) | Origin::BracketFailed(step) => self.step(plan, step),
            Origin::NoGo(gate) | Origin::GateExpired(gate) => self.gate(plan, gate),
            Origin::PhaseFailed(phase) | Origin::WindowClosed(phase) | Origin::Until(phase) => self.phase(plan, phase),
            Origin::GuardBreached(guard) | Origin::GuardBlind(guard) => self.guard(plan, guard),
            Origin::RunTimeout | Origin::Operator => self,
        }
    }
}

/// What a notice says.
pub fn news(plan: &Plan, notice: &Notice) -> News {
    match *notice {
        Notice::RunStarted => run::started(plan),
        Notice::RunResumed => run::resumed(),
        Notice::RunPaused { origin, behind, shut } => run::paused(plan, origin, behind, shut),
        Notice::RunContinued => run::continued(),
        Notice::RunStopping { origin, on } => run::stopping(plan, origin, on),
        Notice::RunFinished { outcome, on } => run::finished(outcome, on),
        Notice::RunStuck { step } => run::stuck(plan, step),
        Notice::OrderIgnored => run::order_ignored(),
        Notice::PhaseWaiting { phase } => phase::waiting(plan, phase),
        Notice::PhaseStarted { phase } => phase::started(plan, phase),
        Notice::PhaseSucceeded { phase } => phase::succeeded(plan, phase),
        Notice::PhaseFailed { phase, cause } => phase::failed(plan, phase, cause),
        Notice::WindowClosed { phase } => phase::window_closed(plan, phase),
        Notice::StepStarted { step, attempt } => step::started(plan, step, attempt),
        Notice::RampSetting { attempt, value } => ramp::setting(plan, attempt, value),
        Notice::RampSet { step, value } => ramp::set(plan, step, value),
        Notice::RampConfirmed { step, value } => ramp::confirmed(plan, step, value),
        Notice::RampHeld { step, value, why } => ramp::held(plan, step, value, why),
        Notice::RampReleased { step, value } => ramp::released(plan, step, value),
        Notice::RampAdvanced { step, value } => ramp::advanced(plan, step, value),
        Notice::StepMeasuring { step, part } => step::measuring(plan, step, part),
        Notice::StepRetrying { step, part, tries, cause } => step::retrying(plan, step, part, tries, cause),
        Notice::StepStalled { step } => step::stalled(plan, step),
        Notice::StepInDoubt { step, part } => step::in_doubt(plan, step, part),
        Notice::StepSettled { step, outcome } => step::settled(plan, step, outcome),
        Notice::StepFailed { step, cause } => step::failed(plan, step, cause),
        Notice::GuardAwaited { guard, step } => guard::awaited(plan, guard, step),
        Notice::AnswerAwaited { question } => waiting::awaited(plan, question.asked),
        Notice::GuardBreached { guard } => guard::breached(plan, guard),
        Notice::GuardBlind { guard } => guard::blind(plan, guard),
        Notice::GuardWarned { guard } => guard::warned(plan, guard),
        Notice::GuardEased { guard } => guard::eased(plan, guard),
        Notice::BaselineStarted => baseline::started(plan),
        Notice::BaselineTaken => baseline::taken(),
        Notice::BaselineRejected { cause } => baseline::rejected(plan, cause),
        Notice::GateOpened { gate } => gate::opened(plan, gate),
        Notice::GateAnswered { gate, answer } => gate::answered(plan, gate, answer),
        Notice::GateExpired { gate } => gate::expired(plan, gate),
        Notice::GateClosed { gate } => gate::closed(plan, gate),
        Notice::WayBackShut { step } => rollback::way_shut(plan, step),
        Notice::WayBackOpen { step } => rollback::way_open(plan, step),
        Notice::WayBackClosed => rollback::way_closed(),
        Notice::RollbackStarted { target, origin, widened } => rollback::started(plan, target, origin, widened),
        Notice::RollbackRefused { origin } => rollback::refused(plan, origin),
        Notice::UndoStarted { step, attempt } => rollback::undo_started(plan, step, attempt),
        Notice::UndoSucceeded { step, outcome } => rollback::undo_succeeded(plan, step, outcome),
        Notice::UndoFailed { step, cause } => rollback::undo_failed(plan, step, cause),
        Notice::RollbackLate => rollback::late(plan),
        Notice::BracketClosing { step } => rollback::bracket_closing(plan, step),
        Notice::BracketReopening { step } => rollback::bracket_reopening(plan, step),
        Notice::RollbackMeasuring { target } => rollback::measuring(plan, target),
        Notice::RollbackFinished { target } => rollback::finished(plan, target),
        Notice::PassStarted { target, pass } => rollback::pass_started(plan, target, pass),
    }
}

/// The event as a person reads it: what happened, who wanted it, the evidence, and what to try first, in one line.
pub fn sentence(plan: &Plan, told: &Told) -> String {
    let news = news(plan, &told.notice);
    let remedy = news.remedy_in_words();
    news.what + &by_and_evidence(told) + &remedy
}

/// The end of a sentence: who wanted it, and the evidence.
pub fn by_and_evidence(told: &Told) -> String {
    by(told) + &because(told)
}

/// `, by alice`.
pub(super) fn by(told: &Told) -> String {
    said(who(told), ", by ")
}

/// `: exit code 1`.
pub(super) fn because(told: &Told) -> String {
    said(evidence(told), ": ")
}

fn said(text: Option<&str>, before: &str) -> String {
    match text.map(one_line) {
        Some(text) if !text.is_empty() => format!("{before}{text}"),
        Some(_) | None => String::new(),
    }
}

/// The evidence, where it is about this notice. One event has one evidence, and may lead to much news: that a step is done
/// and that the next one starts.
pub fn evidence(told: &Told) -> Option<&str> {
    let of_what_came_before = matches!(
        told.notice,
        Notice::RunStarted
            | Notice::RunResumed
            | Notice::RunContinued
            | Notice::RunFinished { outcome: RunOutcome::Succeeded | RunOutcome::RolledBack | RunOutcome::Stopped, .. }
            | Notice::PhaseStarted { .. }
            | Notice::PhaseSucceeded { .. }
            | Notice::StepStarted { .. }
            | Notice::RampSetting { .. }
            | Notice::RampHeld { why: HeldBack::Operator, .. }
            | Notice::StepMeasuring { .. }
            | Notice::BaselineStarted
            | Notice::GateOpened { .. }
            | Notice::UndoStarted { .. }
            | Notice::BracketClosing { .. }
            | Notice::BracketReopening { .. }
            | Notice::RollbackMeasuring { .. }
            | Notice::PassStarted { .. }
            | Notice::WayBackClosed
    );
    told.evidence.as_deref().filter(|_| !of_what_came_before)
}

/// Who wanted it, where a person can want such a thing.
pub fn who(told: &Told) -> Option<&str> {
    let ordered = matches!(
        told.notice,
        Notice::RunPaused { .. }
            | Notice::RunContinued
            | Notice::RunStopping { .. }
            | Notice::OrderIgnored
            | Notice::GateAnswered { .. }
            | Notice::StepSettled { .. }
            | Notice::RampHeld { why: HeldBack::Operator, .. }
            | Notice::RampReleased { .. }
            | Notice::WayBackClosed
            | Notice::RollbackStarted { .. }
            | Notice::RollbackRefused { .. }
            | Notice::UndoSucceeded { .. }
    );
    told.who.as_deref().filter(|_| ordered)
}

/// The sign that stands before a line of that role.
pub const fn mark(role: Role) -> Mark {
    match role {
        Role::Plain | Role::Dim | Role::Strong => Mark::Pending,
        Role::Good => Mark::Done,
        Role::Active => Mark::Running,
        Role::Warn => Mark::Tolerated,
        Role::Bad => Mark::Failed,
        Role::Back => Mark::Undone,
        Role::Ask => Mark::Asking,
    }
}

#[cfg(test)]
mod tests;
