//! A step, and the work that it does in either direction.

use super::Policy;
use crate::model::{Action, ConditionId, Criterion, Output, Part, PhaseId, ProbeId, Span, StepId};

/// One direction of a step: an action with its conditions and bounds. The way forward is one, each undo action is one.
#[derive(Clone, Debug, PartialEq)]
pub struct Work {
    /// What is done.
    pub action: Action,
    /// Says no: skipped.
    pub when: Option<ConditionId>,
    /// Says yes: already true.
    pub done_when: Option<ConditionId>,
    /// Must hold before the action.
    pub require: Vec<Criterion>,
    /// Must be measured before it counts as done. `within` is always set.
    pub success: Vec<Criterion>,
    /// The bound of one attempt; of a wait or a manual, its own length.
    pub timeout: Span,
    /// How long between TERM and KILL.
    pub kill_after: Span,
    /// How failing attempts are repeated.
    pub retry: Retry,
    /// What becomes of daemons that it starts.
    pub survivors: Survivors,
    /// What later steps may read.
    pub outputs: Vec<Output>,
}

/// How failing attempts are repeated: the n-th pause is `delay * factor^(n-1)`, at most `max_delay`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Retry {
    /// Attempts in all, at least 1.
    pub attempts: u32,
    /// The first pause.
    pub delay: Span,
    /// How the pause grows.
    pub factor: f64,
    /// The longest pause.
    pub max_delay: Option<Span>,
    /// Whether a pause is shortened at random, by up to a half, from the run's recorded seed.
    pub jitter: bool,
}

impl Retry {
    /// One attempt.
    pub const ONCE: Self = Self { attempts: 1, delay: Span::ZERO, factor: 1.0, max_delay: None, jitter: false };

    /// The pause after `tries` failing attempts, without jitter.
    pub fn pause_after(&self, tries: u32) -> Span {
        let exponent = i32::try_from(tries.saturating_sub(1)).unwrap_or(i32::MAX);
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a pause is far below 2^52 ms, and a saturating cast is what is wanted above it"
        )]
        let grown = Span::from_millis((self.delay.millis() as f64 * self.factor.powi(exponent)) as u64);
        self.max_delay.map_or(grown, |most| grown.min(most))
    }

    /// All pauses together, at their longest.
    pub fn pauses(&self) -> Span {
        (1..self.attempts).fold(Span::ZERO, |sum, tries| sum.plus(self.pause_after(tries)))
    }
}

/// What becomes of processes with a session of their own that an attempt started (R4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Survivors {
    /// Left alone and named.
    Leave,
    /// Killed with the rest.
    Kill,
}

/// A step: a node of the plan.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// Its name, unique in the runbook.
    pub name: String,
    /// The phase it belongs to; `None` only where the runbook has no phases.
    pub phase: Option<PhaseId>,
    /// Steps that must be settled before it.
    pub needs: Vec<StepId>,
    /// One line.
    pub summary: Option<String>,
    /// Who answers for it.
    pub owner: Option<String>,
    /// Where to read more.
    pub docs: Option<String>,
    /// What to try first when it fails.
    pub remedy: Option<String>,
    /// The way forward.
    pub forward: Work,
    /// How it is undone, if it is.
    pub way_home: WayHome,
    /// This undo waits for those (R8); turns the mirrored order round.
    pub undo_after: Vec<StepId>,
    /// May be repeated after an end that is not known.
    pub idempotent: bool,
    /// Whether a found step is ours to undo.
    pub undo_found: bool,
    /// What a rollback does with a running attempt.
    pub on_stop: OnStop,
    /// A bracket: undone when that ends, whichever way (R12a).
    pub held_for: Option<Bracket>,
    /// After its retries.
    pub on_failure: Policy,
    /// What cannot be known after a crash.
    pub on_doubt: OnDoubt,
    /// What must move while an attempt of its way forward runs.
    pub progress: Option<Progress>,
}

/// A quantity that must move (`progress`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Its probe.
    pub probe: ProbeId,
    /// Standing still for so long is a failure.
    pub stall: Span,
}

impl Step {
    /// Whether carrying it out may change anything outside.
    pub fn has_effect(&self) -> bool {
        !matches!(self.way_home, WayHome::NoEffect)
    }

    /// The actions of its undo, in order; empty where it has none.
    pub fn undo(&self) -> &[Work] {
        match &self.way_home {
            WayHome::Undo(list) => list,
            WayHome::UndoneBy(_) | WayHome::NoEffect | WayHome::Kept { .. } | WayHome::Irreversible { .. } => &[],
        }
    }

    /// The work of one of its parts.
    ///
    /// # Panics
    /// Where the step has no such undo action.
    pub fn work(&self, part: Part) -> &Work {
        match part {
            Part::Forward => &self.forward,
            Part::Undo(n) => &self.undo()[n as usize],
        }
    }

    /// Whether it may be settled without its action having been started: skipped, found, or tolerated before it began.
    pub fn may_be_passed_over(&self) -> bool {
        self.forward.when.is_some() || self.forward.done_when.is_some() || self.on_failure == Policy::Continue
    }

    /// Whether nothing leads back behind it.
    pub fn is_irreversible(&self) -> bool {
        matches!(self.way_home, WayHome::Irreversible { .. })
    }
}

/// How a step is undone: it says so, or there is no plan.
#[derive(Clone, Debug, PartialEq)]
pub enum WayHome {
    /// By these actions, in order; each idempotent, and safe when the step never took effect.
    Undo(Vec<Work>),
    /// By that step's undo.
    UndoneBy(StepId),
    /// It changes nothing.
    NoEffect,
    /// Its effect stays on purpose.
    Kept {
        /// Why.
        why: String,
    },
    /// It cannot be undone.
    Irreversible {
        /// Why no gate stands before it, where none does.
        ungated: Option<String>,
    },
}

/// What a rollback does with a running attempt in its set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnStop {
    /// Stops it.
    Stop,
    /// Awaits its end.
    Finish,
}

/// How long a bracket is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bracket {
    /// Until its phase ends.
    Phase,
    /// Until the run ends.
    Run,
}

/// What to do with what a crash left in doubt (R21).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnDoubt {
    /// Once more.
    Rerun,
    /// Go back to the start.
    Rollback,
    /// Ask an operator.
    Pause,
}
