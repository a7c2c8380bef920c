//! What follows from an event: orders for the driver, news for people.

use serde::{Deserialize, Serialize};

use super::{Deadline, Origin, Question};
use crate::model::{AttemptId, FactId, GuardId, Part, PhaseId, RunOutcome, StepId, StepOutcome, Target};

/// Something that the driver must now do. Ids only: it renders texts and looks up actions itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    /// Start this attempt; report its end.
    StartAttempt {
        /// Which.
        attempt: AttemptId,
    },
    /// The ramp of this step is at this value (counted from 0) from now on: what the attempt that follows sets.
    TakeValue {
        /// Which step's.
        step: StepId,
        /// Which value.
        value: u16,
    },
    /// Stop this attempt and all it started; report its end.
    StopAttempt {
        /// Which.
        attempt: AttemptId,
    },
    /// Judge this question by samples asked after the moment of `since`, again and again, until it is withdrawn. Asked
    /// again, it begins anew with the new moment.
    Ask {
        /// Which.
        question: Question,
        /// The moment that it is about.
        since: FactId,
    },
    /// This question is over.
    Withdraw {
        /// Which.
        question: Question,
    },
    /// Watch this guard, with counts that start anew.
    WatchGuard {
        /// Which.
        guard: GuardId,
    },
    /// Watch it no longer.
    UnwatchGuard {
        /// Which.
        guard: GuardId,
    },
    /// Watch the `require` of this step's undo.
    WatchWayBack {
        /// Which.
        step: StepId,
    },
    /// Watch it no longer.
    UnwatchWayBack {
        /// Which.
        step: StepId,
    },
    /// Say when the probe of this attempt's step has not moved for its `stall`, counted from now.
    WatchProgress {
        /// Which.
        attempt: AttemptId,
    },
    /// Not any longer.
    UnwatchProgress {
        /// Which.
        attempt: AttemptId,
    },
    /// Ask people.
    OpenGate {
        /// Which step.
        gate: StepId,
    },
    /// Ask them no longer; take the question off the screen.
    CloseGate {
        /// Which step.
        gate: StepId,
    },
    /// Say whether this phase may start now (or go on) by its window and its latest safe start; if not, say when it may.
    CheckWindow {
        /// Which.
        phase: PhaseId,
    },
    /// Say when this phase's window closes.
    WatchWindow {
        /// Which.
        phase: PhaseId,
    },
    /// Neither any longer.
    ForgetWindow {
        /// Which.
        phase: PhaseId,
    },
    /// Report when this deadline is due, counted from now.
    Arm {
        /// Which.
        deadline: Deadline,
    },
    /// Report it no longer.
    Disarm {
        /// Which.
        deadline: Deadline,
    },
    /// Stop its clock; keep what is left.
    Hold {
        /// Which.
        deadline: Deadline,
    },
    /// Let its clock go on.
    Release {
        /// Which.
        deadline: Deadline,
    },
    /// Sample the probes of the baseline from now on, for as long as the plan says, and say what came of it.
    TakeBaseline,
    /// Do not.
    DropBaseline,
    /// Outputs and outcome of this step are no data from now on (a rollback has undone it).
    Forget {
        /// Which.
        step: StepId,
    },
}

/// Why something failed, paused or went back; the details are the evidence of the event it comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// The action said no.
    Action,
    /// The action was cut off, and its effect is not known.
    NotKnown,
    /// Nobody can say what became of it after a crash.
    InDoubt,
    /// A condition failed, or had no data.
    Condition(Question),
    /// A condition did not come true in time.
    NotInTime(Question),
    /// It was stopped.
    Stopped,
    /// `timeout` passed.
    Timeout,
    /// An irreversible step has no gate before it that was answered go.
    Ungated,
    /// The answer at the gate was no, or none came in time.
    NoGo,
    /// A probe of the baseline gave no data.
    NoSample,
    /// The probe of this step's `progress` stood still.
    Stalled(StepId),
}

/// What keeps a ramp at its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HeldBack {
    /// `hold_while` holds: back-pressure.
    Pressure(Question),
    /// Something has no data, and without it nothing goes on.
    NoData(Question),
    /// An operator.
    Operator,
}

/// Which way a run was on when it was stopped or ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// The way forward; or it is back where it was to go.
    Forward,
    /// A way back that was given up.
    Back,
}

/// Something that people and reports should hear of. Decides nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Notice {
    /// The run began.
    RunStarted,
    /// An earlier process ended; this one goes on.
    RunResumed,
    /// Nothing new starts until an operator decides.
    RunPaused {
        /// Why.
        origin: Origin,
        /// The irreversible step in the set of the rollback that was not begun (R12).
        behind: Option<StepId>,
        /// The step whose undo is shut, of the rollback that was not begun (R8a).
        shut: Option<StepId>,
    },
    /// An operator let the run go on.
    RunContinued,
    /// Nothing new starts; the run ends when what runs has ended.
    RunStopping {
        /// Why.
        origin: Origin,
        /// Which way it was on.
        on: Direction,
    },
    /// The run has ended.
    RunFinished {
        /// How.
        outcome: RunOutcome,
        /// Which way it was on.
        on: Direction,
    },
    /// A rollback could not be completed or verified; a human is needed.
    RunStuck {
        /// The step whose undo failed; `None`: all undone but not verified.
        step: Option<StepId>,
    },
    /// A phase waits for its window.
    PhaseWaiting {
        /// Which.
        phase: PhaseId,
    },
    /// A phase began.
    PhaseStarted {
        /// Which.
        phase: PhaseId,
    },
    /// Its criteria were measured.
    PhaseSucceeded {
        /// Which.
        phase: PhaseId,
    },
    /// It failed.
    PhaseFailed {
        /// Which.
        phase: PhaseId,
        /// Why.
        cause: Cause,
    },
    /// The window closed while the phase runs, and it goes on.
    WindowClosed {
        /// Which.
        phase: PhaseId,
    },
    /// An attempt of the way forward, or a wait, began.
    StepStarted {
        /// Which.
        step: StepId,
        /// Its attempt; `None` for a wait, and for a ramp, whose attempts are told one by one.
        attempt: Option<AttemptId>,
    },
    /// An attempt of a ramp began: it sets this value (counted from 0, here and below).
    RampSetting {
        /// Which.
        attempt: AttemptId,
        /// Which value.
        value: u16,
    },
    /// The value is set.
    RampSet {
        /// Which step's.
        step: StepId,
        /// Which value.
        value: u16,
    },
    /// The value was measured to be set; it is held from now on.
    RampConfirmed {
        /// Which step's.
        step: StepId,
        /// Which value.
        value: u16,
    },
    /// The ramp stays at this value.
    RampHeld {
        /// Which step's.
        step: StepId,
        /// Which value.
        value: u16,
        /// What keeps it.
        why: HeldBack,
    },
    /// An operator lets it go on.
    RampReleased {
        /// Which step's.
        step: StepId,
        /// Which value.
        value: u16,
    },
    /// The value was held; the ramp goes on to the next, or is over.
    RampAdvanced {
        /// Which step's.
        step: StepId,
        /// The value that was held.
        value: u16,
    },
    /// The action ended; its criteria are being measured.
    StepMeasuring {
        /// Which.
        step: StepId,
        /// Which direction.
        part: Part,
    },
    /// An attempt failed; another follows.
    StepRetrying {
        /// Which.
        step: StepId,
        /// Which direction.
        part: Part,
        /// Tries so far in this pass.
        tries: u32,
        /// Why.
        cause: Cause,
    },
    /// Its probe stands still, and its attempt is stopped for that.
    StepStalled {
        /// Which.
        step: StepId,
    },
    /// Whether its effect took place is not known.
    StepInDoubt {
        /// Which.
        step: StepId,
        /// Which direction.
        part: Part,
    },
    /// A step was settled: done, found, skipped, tolerated.
    StepSettled {
        /// Which.
        step: StepId,
        /// How.
        outcome: StepOutcome,
    },
    /// A step failed; its policy follows.
    StepFailed {
        /// Which.
        step: StepId,
        /// Why.
        cause: Cause,
    },
    /// A step does not begin, because a guard has not held yet.
    GuardAwaited {
        /// Which.
        guard: GuardId,
        /// The first step that it keeps back.
        step: StepId,
    },
    /// What was asked has not come true yet, or has no data.
    AnswerAwaited {
        /// What.
        question: Question,
    },
    /// A guard was breached.
    GuardBreached {
        /// Which.
        guard: GuardId,
    },
    /// A guard gets no data, and pauses the run for it.
    GuardBlind {
        /// Which.
        guard: GuardId,
    },
    /// What a guard warns of has come.
    GuardWarned {
        /// Which.
        guard: GuardId,
    },
    /// It has gone again.
    GuardEased {
        /// Which.
        guard: GuardId,
    },
    /// The probes of the baseline are being sampled.
    BaselineStarted,
    /// They have been; the figures are with the record of the event.
    BaselineTaken,
    /// The baseline is not healthy.
    BaselineRejected {
        /// Why.
        cause: Cause,
    },
    /// People are asked.
    GateOpened {
        /// Which.
        gate: StepId,
    },
    /// They answered.
    GateAnswered {
        /// Which.
        gate: StepId,
        /// What.
        answer: super::Answer,
    },
    /// Nobody answered in time.
    GateExpired {
        /// Which.
        gate: StepId,
    },
    /// The question was taken away: something else happened.
    GateClosed {
        /// Which.
        gate: StepId,
    },
    /// Going back would lose something, or it is not known whether.
    WayBackShut {
        /// The step whose undo it is.
        step: StepId,
    },
    /// The way back is open again.
    WayBackOpen {
        /// The step whose undo it was.
        step: StepId,
    },
    /// The way back of a run that has ended is closed for good.
    WayBackClosed,
    /// A rollback began, or widened.
    RollbackStarted {
        /// Where to.
        target: Target,
        /// Why.
        origin: Origin,
        /// Whether one was under way.
        widened: bool,
    },
    /// A rollback was asked for that may not be begun; the run pauses, or stays ended.
    RollbackRefused {
        /// Why it was asked for.
        origin: Origin,
    },
    /// An undo action began.
    UndoStarted {
        /// The step.
        step: StepId,
        /// Its attempt; `None` for a wait.
        attempt: Option<AttemptId>,
    },
    /// A step is undone.
    UndoSucceeded {
        /// Which.
        step: StepId,
        /// How: `Undone`, or `Skipped` where its `when` said no or an operator left it out, or `Found` where its
        /// `done_when` said yes.
        outcome: StepOutcome,
    },
    /// An undo failed; its branch halts.
    UndoFailed {
        /// Which.
        step: StepId,
        /// Why.
        cause: Cause,
    },
    /// `rollback_timeout` has passed; nothing is killed for it.
    RollbackLate,
    /// A bracket is undone as its phase or the run ends.
    BracketClosing {
        /// Which.
        step: StepId,
    },
    /// A bracket is opened again for a rollback.
    BracketReopening {
        /// Which.
        step: StepId,
    },
    /// All is undone; the target is measured.
    RollbackMeasuring {
        /// Where to.
        target: Target,
    },
    /// The rollback has ended and the target was measured.
    RollbackFinished {
        /// Where to.
        target: Target,
    },
    /// The way forward is tried again.
    PassStarted {
        /// From where.
        target: Target,
        /// The number of the pass, from 2.
        pass: u32,
    },
    /// An operator's order cannot be carried out now.
    OrderIgnored,
}

/// One output of the engine. Their order is part of the decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Output {
    /// Do this.
    Do(Command),
    /// This happened.
    Tell(Notice),
}

/// What one event led to, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outbox {
    outputs: Vec<Output>,
}

impl Outbox {
    /// Adds an order.
    pub fn order(&mut self, command: Command) {
        self.outputs.push(Output::Do(command));
    }

    /// Adds news.
    pub fn tell(&mut self, notice: Notice) {
        self.outputs.push(Output::Tell(notice));
    }

    /// All of it, in order.
    pub fn outputs(&self) -> &[Output] {
        &self.outputs
    }

    /// The orders alone, in order.
    pub fn commands(&self) -> impl Iterator<Item = Command> + '_ {
        self.outputs.iter().filter_map(|output| match output {
            Output::Do(command) => Some(*command),
            Output::Tell(_) => None,
        })
    }
}

impl IntoIterator for Outbox {
    type Item = Output;
    type IntoIter = std::vec::IntoIter<Output>;

    fn into_iter(self) -> Self::IntoIter {
        self.outputs.into_iter()
    }
}
