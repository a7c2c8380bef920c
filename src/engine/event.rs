//! What happened: the only input of the engine. And the names that events and commands share.

use serde::{Deserialize, Serialize};

use crate::model::{
    Action, AttemptEnd, AttemptId, ConditionId, Criterion, GuardId, OnBreach, OnNo, Part, PhaseId, Plan, Policy,
    Rollback, Span, StepId, Target, Then, Verdict, Wait,
};

/// Something that happened. Allowed in every state: the world does not keep our order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// The run began: preflight first.
    RunBegan,
    /// An earlier process of this run ended without settling it; this one goes on. What the keeper cannot tell arrives
    /// right behind it as [`AttemptEnd::InDoubt`].
    RunResumed,
    /// An attempt is over. For `run`, no process of it is left but meant daemons; for a manual, the person said so.
    AttemptEnded {
        /// Which.
        attempt: AttemptId,
        /// How.
        end: AttemptEnd,
    },
    /// The first fresh verdict on a question, and each change of it until the question is withdrawn.
    Judged {
        /// Which.
        question: Question,
        /// What the samples say.
        verdict: Verdict,
    },
    /// A watched guard held for the first time since its watch began; or was asked, and ignores that there was no data.
    GuardHeld {
        /// Which.
        guard: GuardId,
    },
    /// A watched guard has not held for longer than people expect. Nothing follows but news.
    GuardAwaited {
        /// Which.
        guard: GuardId,
    },
    /// A question has waited for its answer for longer than people expect. Nothing follows but news.
    AnswerAwaited {
        /// Which.
        question: Question,
    },
    /// So many of a watched guard's samples failed (the n of m count is `measure`'s).
    GuardBreached {
        /// Which.
        guard: GuardId,
    },
    /// So many of the samples of a watched guard with `no_data = "pause"` had no data.
    GuardBlind {
        /// Which.
        guard: GuardId,
    },
    /// So many of a watched guard's samples failed what it warns of. Nothing follows but news.
    GuardWarned {
        /// Which.
        guard: GuardId,
    },
    /// So many no longer do.
    GuardEased {
        /// Which.
        guard: GuardId,
    },
    /// What a budget has spent was written down beside this event. Nothing follows.
    SpendNoted {
        /// Which.
        guard: GuardId,
    },
    /// What the `require` of a step's undo says, all together: the first verdict of a watch and each change.
    WayBackJudged {
        /// The step whose undo it is.
        step: StepId,
        /// `Holds`: open. Anything else: shut.
        verdict: Verdict,
    },
    /// The probe of a watched attempt has not moved for its `stall`.
    ProgressStalled {
        /// Which attempt.
        attempt: AttemptId,
    },
    /// A person answered an open gate.
    GateAnswered {
        /// Which step.
        gate: StepId,
        /// What.
        answer: Answer,
    },
    /// Whether a phase may start, or go on after a wait for people, by its window and its latest safe start (R26): the
    /// answer to `CheckWindow`, and each change until it said yes.
    WindowJudged {
        /// Which.
        phase: PhaseId,
        /// Whether it may.
        open: bool,
    },
    /// A watched window has closed.
    WindowClosed {
        /// Whose.
        phase: PhaseId,
    },
    /// The baseline was sampled as long as the plan says, and every probe of it gave data. The figures are not the
    /// engine's; the record of this event holds them.
    BaselineTaken,
    /// The same, but a probe of it gave no data at all.
    BaselineBlind,
    /// A deadline that the engine armed is due. Time enters nowhere else.
    DeadlineReached {
        /// Which.
        deadline: Deadline,
    },
    /// An operator ordered something.
    OperatorAsked {
        /// What.
        act: Act,
    },
}

/// A person's answer at a gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// Go on.
    Go,
    /// Do not.
    NoGo,
}

/// An operator's order (R17).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Act {
    /// Start nothing new.
    Pause,
    /// Go on after a pause.
    Resume,
    /// Start nothing new and end the run where it is.
    Stop,
    /// Go back, even through a way back that is shut where `force` says so.
    Rollback {
        /// Where to.
        target: Target,
        /// Knowing what it costs.
        force: bool,
    },
    /// Try a failed step, or a failed undo, again.
    Retry {
        /// Which.
        step: StepId,
    },
    /// Take a failed step, or a failed undo, as done; its criteria are still measured.
    MarkDone {
        /// Which.
        step: StepId,
    },
    /// Leave out a step that has failed or not begun, or a failed undo.
    Skip {
        /// Which.
        step: StepId,
    },
    /// Hold a ramp at its value.
    Hold {
        /// Which step's.
        step: StepId,
    },
    /// Let a ramp that is held go on, as soon as what is measured lets it.
    Advance {
        /// Which step's.
        step: StepId,
    },
    /// Pause when that phase has ended (`--until`); `None`: do not.
    HoldAfter {
        /// Which.
        phase: Option<PhaseId>,
    },
    /// Close the way back of a run that has ended: a later run has begun, or its rollback window has passed.
    Close,
}

/// One asking of one criterion. A question asked again gets a new serial number, so that late answers change nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Question {
    /// What is asked.
    pub asked: Asked,
    /// Which asking, unique in the run.
    pub serial: u32,
}

/// The place in the plan of a condition that is asked about. Numbers count from 0 in the order of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Asked {
    /// The n-th preflight check.
    Preflight(u16),
    /// The n-th `require` of a phase.
    PhaseRequire(PhaseId, u16),
    /// The n-th `success` of a phase.
    PhaseSuccess(PhaseId, u16),
    /// `when` of a step's part.
    When(StepId, Part),
    /// `done_when` of a step's part.
    DoneWhen(StepId, Part),
    /// The n-th `require` of a step's part.
    Require(StepId, Part, u16),
    /// The n-th `success` of a step's part.
    Success(StepId, Part, u16),
    /// The condition of a `wait = { until }`.
    WaitUntil(StepId, Part),
    /// The n-th `restored`.
    Restored(u16),
    /// `confirm` of a ramp at that value.
    Confirm(StepId, u16),
    /// The n-th `advance` of a ramp at that value: the value first, then n.
    Advance(StepId, u16, u16),
    /// `hold_while` of a ramp at that value.
    HoldWhile(StepId, u16),
    /// The n-th `require` of the baseline.
    BaselineRequire(u16),
}

/// A moment that the engine waits for by name. The session keeps its time; its length is the plan's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Deadline {
    /// `timeout` of the run.
    Run,
    /// `timeout` of a phase.
    Phase(PhaseId),
    /// `timeout` of a ramp, all its values together.
    Ramp(StepId),
    /// `within` of a question.
    Within(Question),
    /// `for` of a question.
    HoldFor(Question),
    /// The pause before the next try of a step's part, after so many tries in this pass.
    Retry {
        /// Which step.
        step: StepId,
        /// Which part.
        part: Part,
        /// Tries that failed so far.
        tries: u32,
    },
    /// The length of a `wait`, or `within` of a `wait = { until }`.
    Wait(StepId, Part),
    /// The hold of a ramp at that value.
    RampHold(StepId, u16),
    /// `expires` of a gate.
    GateExpiry(StepId),
    /// `rollback_timeout`: an alarm that kills nothing.
    RollbackAlarm,
    /// `delay` before a further pass.
    PassDelay(Rung),
    /// `within` of the further passes.
    PassWithin(Rung),
}

/// One of the rollbacks of the policy at an origin: its first one, or the one that many `else` behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "RungAsWritten", into = "RungAsWritten")]
pub struct Rung {
    /// Where the policy stands.
    pub origin: Origin,
    /// How many `else` behind the first.
    pub number: u16,
}

/// The first rung is written as its origin alone, as it was before there were others.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum RungAsWritten {
    Behind { of: Origin, rung: u16 },
    First(Origin),
}

impl From<RungAsWritten> for Rung {
    fn from(written: RungAsWritten) -> Self {
        match written {
            RungAsWritten::First(origin) => Self { origin, number: 0 },
            RungAsWritten::Behind { of, rung } => Self { origin: of, number: rung },
        }
    }
}

impl From<Rung> for RungAsWritten {
    fn from(rung: Rung) -> Self {
        match rung {
            Rung { origin, number: 0 } => Self::First(origin),
            Rung { origin, number } => Self::Behind { of: origin, rung: number },
        }
    }
}

impl Rung {
    /// Its rollback in this plan.
    pub fn rollback(self, plan: &Plan) -> Option<&Rollback> {
        self.origin.rollback(plan)?.behind(self.number)
    }
}

/// What a rollback or a pause comes from; with the plan it names the policy that is carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// `on_failure` of a step.
    StepFailed(StepId),
    /// `on_doubt` of a step.
    StepInDoubt(StepId),
    /// `on_failure` of a phase: its criteria, its `require`, its timeout.
    PhaseFailed(PhaseId),
    /// `on_breach` of a guard.
    GuardBreached(GuardId),
    /// A guard with `no_data = "pause"` got none.
    GuardBlind(GuardId),
    /// `on_no_go` of a gate.
    NoGo(StepId),
    /// `expires` of a gate.
    GateExpired(StepId),
    /// `timeout` of the run.
    RunTimeout,
    /// `on_close` of a phase's window.
    WindowClosed(PhaseId),
    /// The undo of a bracket failed when its phase or the run ended (R12a).
    BracketFailed(StepId),
    /// `--until` that phase.
    Until(PhaseId),
    /// An operator's order.
    Operator,
}

impl Deadline {
    /// Its length in this plan, `jitter` not applied. `None` for a deadline that the plan has no length for.
    pub fn span(self, plan: &Plan) -> Option<Span> {
        match self {
            Self::Run => Some(plan.about().timeout),
            Self::Phase(phase) => plan.phase(phase).timeout,
            Self::Within(question) => question.asked.within(plan),
            Self::HoldFor(question) => question.asked.criterion(plan)?.hold_for,
            Self::Retry { step, part, tries } => Some(plan.step(step).work(part).retry.pause_after(tries)),
            Self::Wait(step, part) => match &plan.step(step).work(part).action {
                Action::Wait(Wait::For(span)) => Some(*span),
                _ => None,
            },
            Self::Ramp(step) => plan.step(step).forward.ramp().map(|_| plan.step(step).forward.timeout),
            Self::RampHold(step, value) => {
                plan.step(step).forward.ramp()?.values.get(usize::from(value)).map(|value| value.hold)
            }
            Self::GateExpiry(step) => match &plan.step(step).forward.action {
                Action::Gate(gate) => gate.expires,
                _ => None,
            },
            Self::RollbackAlarm => plan.about().rollback_timeout,
            Self::PassDelay(rung) => match &rung.rollback(plan)?.then {
                Then::Retry { delay, .. } => Some(*delay),
                Then::Stop | Then::Pause => None,
            },
            Self::PassWithin(rung) => match &rung.rollback(plan)?.then {
                Then::Retry { within, .. } => *within,
                Then::Stop | Then::Pause => None,
            },
        }
    }
}

impl Asked {
    /// The criterion asked about; `None` where the plan holds a bare condition there.
    pub fn criterion(self, plan: &Plan) -> Option<&Criterion> {
        match self {
            Self::Preflight(n) => plan.preflight().get(n as usize),
            Self::PhaseRequire(phase, n) => plan.phase(phase).require.get(n as usize),
            Self::PhaseSuccess(phase, n) => plan.phase(phase).success.get(n as usize),
            Self::Require(step, part, n) => plan.step(step).work(part).require.get(n as usize),
            Self::Success(step, part, n) => plan.step(step).work(part).success.get(n as usize),
            Self::Restored(n) => plan.about().restored.get(n as usize),
            Self::BaselineRequire(n) => plan.baseline()?.require.get(n as usize),
            Self::Confirm(step, _) => plan.step(step).forward.ramp()?.confirm.as_ref(),
            Self::Advance(step, _, n) => plan.step(step).forward.ramp()?.advance.get(n as usize),
            Self::When(..) | Self::DoneWhen(..) | Self::WaitUntil(..) | Self::HoldWhile(..) => None,
        }
    }

    /// What `value` stands for in the condition asked about, where it is a ramp's.
    pub fn value(self, plan: &Plan) -> Option<&serde_json::Value> {
        match self {
            Self::Confirm(step, value) | Self::Advance(step, value, _) | Self::HoldWhile(step, value) => {
                plan.step(step).forward.ramp()?.values.get(usize::from(value)).map(|value| &value.value)
            }
            Self::Preflight(_)
            | Self::PhaseRequire(..)
            | Self::PhaseSuccess(..)
            | Self::When(..)
            | Self::DoneWhen(..)
            | Self::Require(..)
            | Self::Success(..)
            | Self::WaitUntil(..)
            | Self::BaselineRequire(_)
            | Self::Restored(_) => None,
        }
    }

    /// Whether the run goes on when the answer is no.
    pub fn wants_no(self) -> bool {
        matches!(self, Self::HoldWhile(..))
    }

    /// The condition asked about.
    pub fn condition(self, plan: &Plan) -> Option<ConditionId> {
        match self {
            Self::When(step, part) => plan.step(step).work(part).when,
            Self::DoneWhen(step, part) => plan.step(step).work(part).done_when,
            Self::WaitUntil(step, part) => match &plan.step(step).work(part).action {
                Action::Wait(Wait::Until { condition, .. }) => Some(*condition),
                _ => None,
            },
            Self::HoldWhile(step, _) => plan.step(step).forward.ramp()?.hold_while,
            _ => self.criterion(plan).map(|criterion| criterion.condition),
        }
    }

    /// By when it must have come true. `None`: the first fresh verdict decides.
    pub fn within(self, plan: &Plan) -> Option<Span> {
        match self {
            Self::WaitUntil(step, part) => match &plan.step(step).work(part).action {
                Action::Wait(Wait::Until { within, .. }) => Some(*within),
                _ => None,
            },
            _ => self.criterion(plan)?.within,
        }
    }
}

impl Origin {
    /// The rollback that the plan's policy at this origin asks for, if it does.
    pub fn rollback(self, plan: &Plan) -> Option<&Rollback> {
        let policy = match self {
            Self::StepFailed(step) => &plan.step(step).on_failure,
            Self::PhaseFailed(phase) => &plan.phase(phase).on_failure,
            Self::GuardBreached(guard) => match &plan.guard(guard).on_breach {
                OnBreach::Rollback(rollback) => return Some(rollback),
                OnBreach::Pause | OnBreach::Warn => return None,
            },
            Self::NoGo(step) | Self::GateExpired(step) => match &plan.step(step).forward.action {
                Action::Gate(gate) => match &gate.on_no {
                    OnNo::Rollback(rollback) => return Some(rollback),
                    OnNo::Stop | OnNo::Pause => return None,
                },
                _ => return None,
            },
            Self::StepInDoubt(_) | Self::RunTimeout | Self::WindowClosed(_) | Self::Operator => {
                return Some(&Rollback::TO_START);
            }
            Self::GuardBlind(_) | Self::BracketFailed(_) | Self::Until(_) => return None,
        };
        match policy {
            Policy::Rollback(rollback) => Some(rollback),
            Policy::Pause | Policy::Continue | Policy::Stop => None,
        }
    }
}
