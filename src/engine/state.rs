//! What the machine remembers between events: states that cannot lie.

use std::collections::BTreeSet;

use super::ramp::Since;
use super::{Cause, HeldBack, Origin, Question};
use crate::model::{Attempt, Part, RunOutcome, StepId, StepOutcome, Target, Then, Verdict};

/// Where a run stands.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Stage {
    /// Before `RunBegan`.
    Unborn,
    /// Preflight is being judged.
    Preflight(Asks),
    /// On the way forward, or paused there.
    Forward,
    /// A rollback was asked for, and one of its ways back has not been judged yet.
    Weighing(Order, Before),
    /// On the way back.
    Rolling(Rolling),
    /// Nothing new starts; what runs is awaited, then brackets are closed, then the run ends.
    Ending(RunOutcome),
    /// The run has ended.
    Ended(RunOutcome),
}

/// Where a run stood when a rollback was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Before {
    Forward,
    Ending(RunOutcome),
    Ended(RunOutcome),
}

/// A rollback as it was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Order {
    pub(crate) target: Target,
    pub(crate) then: ThenKind,
    pub(crate) origin: Origin,
    /// Through ways back that are shut.
    pub(crate) force: bool,
}

/// What happens at the target, from the mildest to the strictest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum ThenKind {
    Retry,
    Pause,
    Stop,
}

impl ThenKind {
    pub(crate) fn of(then: &Then) -> Self {
        match then {
            Then::Stop => Self::Stop,
            Then::Pause => Self::Pause,
            Then::Retry { .. } => Self::Retry,
        }
    }
}

/// A rollback under way.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Rolling {
    /// The order, with the strictest `then` of all that were given.
    pub(crate) order: Order,
    /// Every target that was ordered and that no other one lies upstream of.
    pub(crate) targets: Vec<Target>,
    /// By node: whether it is taken back.
    pub(crate) scope: Vec<bool>,
    /// By node: whether nothing of it is left.
    pub(crate) cleared: Vec<bool>,
    /// By node: how many nodes in scope must be cleared first.
    pub(crate) waits: Vec<u32>,
    /// Nodes in scope that are not cleared.
    pub(crate) left: u32,
    /// Steps whose undo may start.
    pub(crate) ready: BTreeSet<StepId>,
    /// Brackets that must be open again before any undo starts.
    pub(crate) reopening: BTreeSet<StepId>,
    /// Steps whose undo (or reopening) failed.
    pub(crate) failed: BTreeSet<StepId>,
    /// How far it is.
    pub(crate) reach: Reach,
}

/// How far a rollback is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Reach {
    /// Undos run.
    Undoing,
    /// Nothing moves: an undo failed.
    Stuck,
    /// All is undone; the target is measured.
    Measuring(Asks),
    /// All is undone; the target could not be measured.
    Unverified,
    /// A further pass is waited for.
    Resting,
}

/// Why nothing new starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Pause {
    pub(crate) origin: Origin,
    /// The irreversible step that forbids the rollback asked for (R12).
    pub(crate) behind: Option<StepId>,
    /// The step whose undo is shut (R8a).
    pub(crate) shut: Option<StepId>,
}

impl Origin {
    /// The step that a pause from here waits for; `None` where it waits for an operator to let the run go on.
    pub(crate) fn failed_step(self) -> Option<StepId> {
        match self {
            Self::StepFailed(step)
            | Self::StepInDoubt(step)
            | Self::NoGo(step)
            | Self::GateExpired(step)
            | Self::BracketFailed(step) => Some(step),
            Self::PhaseFailed(_)
            | Self::GuardBreached(_)
            | Self::GuardBlind(_)
            | Self::RunTimeout
            | Self::WindowClosed(_)
            | Self::Until(_)
            | Self::Operator => None,
        }
    }
}

/// One step of the run.
#[expect(clippy::struct_excessive_bools, reason = "four facts that hold in any combination")]
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct StepState {
    /// The last attempt number given out in this run.
    pub(crate) last: Option<Attempt>,
    /// Its action was started in this pass, or found and ours, and is not undone.
    pub(crate) in_effect: bool,
    /// It was done in this pass: its undo's `require` counts (R8a).
    pub(crate) was_done: bool,
    /// A bracket that was closed (R12a).
    pub(crate) released: bool,
    /// Left out by an operator before it began.
    pub(crate) left_out: bool,
    /// How it stands.
    pub(crate) outcome: StepOutcome,
    /// What it is doing.
    pub(crate) job: Option<Job>,
    /// The watch of its undo's `require`.
    pub(crate) way_back: WayBack,
    /// Where its ramp stands; at its beginning where it has none.
    pub(crate) ramp: RampState,
}

/// Where a ramp stands. It outlives the job: whoever tries the step again goes on from here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct RampState {
    /// The value that it is at, counted from 0.
    pub(crate) value: u16,
    /// An operator holds it there.
    pub(crate) held: bool,
}

/// The watch of an undo's `require`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum WayBack {
    /// Nothing to watch, or not yet.
    Unwatched,
    /// Watched; `None` until it was judged.
    Watched(Option<Verdict>),
}

/// One work being carried out.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Job {
    pub(crate) part: Part,
    pub(crate) goal: Goal,
    /// Attempts that failed in this pass.
    pub(crate) tries: u32,
    pub(crate) state: JobState,
}

/// What a work is carried out for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Goal {
    /// The way forward.
    Forward,
    /// The way back.
    Undo,
    /// A bracket is closed because its phase or the run ends.
    Release,
    /// A closed bracket is opened again for a rollback.
    Reopen,
}

/// How far a work is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum JobState {
    /// Conditions are being judged.
    Asking { purpose: Purpose, asks: Asks },
    /// The action may start as soon as the run lets it.
    Parked,
    /// An attempt runs.
    Attempting {
        number: Attempt,
        /// No attempt of this step was in effect before.
        first: bool,
    },
    /// An attempt that made no progress is stopped; its end is awaited.
    Stalled { number: Attempt, first: bool },
    /// A rollback awaits the end of an attempt.
    Stopping { number: Attempt, first: bool },
    /// A `wait` for a while.
    Waiting,
    /// A gate is open.
    AtGate,
    /// Until the next try.
    Resting,
    /// A value of a ramp is set.
    AtValue(AtValue),
    /// A value of a ramp was set when the run stopped going on: it is confirmed anew as soon as the run lets it.
    Standing,
}

/// A value of a ramp that is set.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct AtValue {
    pub(crate) stand: Stand,
    pub(crate) advance: Vec<Watched>,
    /// One, or none.
    pub(crate) hold_while: Vec<Watched>,
}

/// How far a value of a ramp is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Stand {
    /// `confirm` is being judged.
    Confirming { asks: Asks, since: Since },
    /// It is held for its time.
    Holding,
    /// Its time is over, and something keeps it; `told`: what, as people know it.
    Over { told: Option<HeldBack> },
}

/// A question of which every verdict counts as long as it is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Watched {
    pub(crate) question: Question,
    pub(crate) said: Option<Verdict>,
}

/// Whether something keeps a ramp at its value although its time is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kept {
    /// It may go on.
    Not,
    /// Something has not been measured yet.
    Unmeasured,
    By(HeldBack),
}

/// What conditions are judged for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Purpose {
    When,
    DoneWhen,
    Require,
    /// `wait = { until }`.
    WaitUntil,
    /// After the action (or `found`).
    Success {
        found: bool,
    },
    /// `done_when` after an end that is not known.
    Doubt(Doubt),
}

/// Why it is not known whether an attempt took effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Doubt {
    /// It was cut off.
    CutOff,
    /// It was cut off because it made no progress.
    Stalled,
    /// Its action ended and this criterion failed.
    Criterion(Cause),
    /// A crash (R21).
    Crash,
}

impl Job {
    /// Whether its action, or an earlier one of the same undo, may have taken effect.
    pub(crate) fn has_acted(&self) -> bool {
        let now = match &self.state {
            JobState::Attempting { .. }
            | JobState::Stalled { .. }
            | JobState::Stopping { .. }
            | JobState::Resting
            | JobState::AtValue(_)
            | JobState::Standing => true,
            JobState::Asking { purpose, .. } => matches!(purpose, Purpose::Success { .. } | Purpose::Doubt(_)),
            JobState::Parked | JobState::Waiting | JobState::AtGate => false,
        };
        now || self.tries > 0 || matches!(self.part, Part::Undo(n) if n > 0)
    }
}

/// How a work ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum JobEnd {
    Done,
    Found,
    Skipped,
    Failed(Cause),
}

/// Questions that are open together: all must be satisfied, the first that fails decides.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Asks {
    pub(crate) open: Vec<Ask>,
}

/// One open question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Ask {
    pub(crate) question: Question,
    pub(crate) state: AskState,
}

/// How far a question is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum AskState {
    /// No verdict yet that decides it.
    Open,
    /// It holds, and must do so for a while.
    Holding { since: crate::model::FactId },
    /// The while is over; one more sample from within it must say so.
    Confirming,
}

/// What a set of questions has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Judgement {
    /// Undecided.
    Open,
    /// All satisfied.
    Hold,
    /// This one failed.
    Fail(Question),
    /// This one had no data.
    NoData(Question),
    /// This one did not come true in time.
    Late(Question),
}

/// One phase of the run.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum PhaseState {
    /// Waits for others.
    Waiting,
    /// Waits for its window before it starts.
    AtWindow,
    /// Waits for the baseline, which comes just before it.
    AtBaseline,
    /// Its `require` is being judged.
    Requiring(Asks),
    /// Its steps run; `rechecking`: nothing new starts until its window was judged again.
    Running { rechecking: bool },
    /// Its criteria are being measured.
    Measuring(Asks),
    /// Its brackets are being closed.
    Closing,
    /// Over.
    Done,
    /// Failed; an operator decides. `before`: its steps have not begun.
    Failed { before: bool },
}

/// The baseline of the run.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum BaselineState {
    /// Not taken, or the plan has none.
    Untaken,
    /// Being sampled.
    Sampling,
    /// Sampled; its `require` is being judged.
    Requiring(Asks),
    /// Sampled and healthy; what waited for it goes on with the way forward.
    Healthy,
    /// There, for the rest of the run.
    Taken,
}

/// One guard of the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum GuardState {
    Asleep,
    Watched { held: bool },
}

/// The further passes of one policy: how far down its `else` it is, and what it has used up there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Passes {
    pub(crate) rung: u16,
    /// In all.
    pub(crate) taken: u32,
    /// On this rung.
    pub(crate) used: u32,
    pub(crate) expired: bool,
}
