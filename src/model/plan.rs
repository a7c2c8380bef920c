//! The validated plan: what a run is about to do, and in which order it may.

mod graph;

use std::collections::BTreeMap;

use petgraph::graph::{DiGraph, NodeIndex};

use super::{Action, Condition, ConditionId, Criterion, Http, Output, PhaseId, Run, Span, Sql, StepId, VarDecl};

/// `[runbook]`: the document as a whole.
#[derive(Clone, Debug, PartialEq)]
pub struct About {
    /// Its name, and the name of its lock unless `lock` says otherwise.
    pub name: String,
    /// Its author's version.
    pub version: Option<String>,
    /// One line.
    pub summary: Option<String>,
    /// Who answers for it.
    pub owner: Option<String>,
    /// Where to read more.
    pub docs: Option<String>,
    /// Machine time of the whole way forward (R2a).
    pub timeout: Span,
    /// The promise: from anywhere back to safety (R2).
    pub rollback_timeout: Option<Span>,
    /// How long the way back stays open after success (R24).
    pub rollback_window: Span,
    /// How many steps may run at once.
    pub max_parallel: u32,
    /// One unfinished run per lock name (R22).
    pub lock: String,
    /// Measured when a rollback has gone back to the start (R11).
    pub restored: Vec<Criterion>,
    /// Added to the environment of every process.
    pub env: BTreeMap<String, super::Template>,
    /// Programs that must be on PATH.
    pub requires: Vec<String>,
    /// What INT and TERM do without a terminal.
    pub on_interrupt: OnInterrupt,
    /// How many bytes of a step's output are kept, head and tail.
    pub output_max: u64,
}

/// What INT and TERM do without a terminal (R18).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnInterrupt {
    /// Record and leave; resumable.
    Leave,
    /// Go back to the start.
    Rollback,
}

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
    pub fn work(&self, part: super::Part) -> &Work {
        match part {
            super::Part::Forward => &self.forward,
            super::Part::Undo(n) => &self.undo()[n as usize],
        }
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

/// What follows from a failure (R7).
#[derive(Clone, Debug, PartialEq)]
pub enum Policy {
    /// Go back.
    Rollback(Rollback),
    /// Nothing new starts; an operator decides.
    Pause,
    /// Tolerated, named in the outcome.
    Continue,
    /// The same as a pause, then the run ends.
    Stop,
}

/// A rollback: where to, and what then.
#[derive(Clone, Debug, PartialEq)]
pub struct Rollback {
    /// The place the run returns to.
    pub target: Target,
    /// What happens there.
    pub then: Then,
}

impl Rollback {
    /// Back to the start, and end there.
    pub const TO_START: Self = Self { target: Target::Start, then: Then::Stop };
}

/// The place a run returns to: the moment that it was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// The start of the run.
    Start,
    /// The moment that step was settled.
    Step(StepId),
    /// The moment that phase ended.
    Phase(PhaseId),
}

/// What happens at the target of a rollback.
#[derive(Clone, Debug, PartialEq)]
pub enum Then {
    /// The run ends, rolled back.
    Stop,
    /// An operator decides.
    Pause,
    /// The way forward is tried again.
    Retry {
        /// Further passes, at least 1.
        passes: u32,
        /// Before each.
        delay: Span,
        /// All of them together, from the end of the first rollback.
        within: Option<Span>,
        /// After the last.
        otherwise: Box<Policy>,
    },
}

/// A phase: an ordered group of steps with bounds and criteria of its own.
#[derive(Clone, Debug, PartialEq)]
pub struct Phase {
    /// Its name.
    pub name: String,
    /// One line.
    pub summary: Option<String>,
    /// Phases that must have ended before it: the one before it unless it says otherwise.
    pub needs: Vec<PhaseId>,
    /// Machine time from its first step to its criteria (R2a).
    pub timeout: Option<Span>,
    /// When it may run.
    pub window: Option<Window>,
    /// Before its first step.
    pub require: Vec<Criterion>,
    /// After its last step. `within` is always set.
    pub success: Vec<Criterion>,
    /// For its criteria, its timeout, and its steps that do not say.
    pub on_failure: Policy,
    /// A measured interruption.
    pub interrupts: Option<Interrupts>,
    /// Its steps, in file order.
    pub steps: Vec<StepId>,
}

/// From the first attempt of one step to the end of the criteria of another, something is interrupted: measured in ms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interrupts {
    /// What: `writes`.
    pub what: String,
    /// From this step's first attempt.
    pub from: StepId,
    /// To the end of this step's criteria.
    pub to: StepId,
}

/// Calendar time in which a phase may run (R26).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    /// `Sat 01:00-05:00`, `Mon-Fri 22:00-02:00`, `daily 01:00-03:00`; proved at `check`.
    pub open: Vec<String>,
    /// IANA name of the time zone.
    pub zone: String,
    /// What happens when it closes while the phase runs.
    pub on_close: OnClose,
}

/// What happens when a window closes while its phase runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnClose {
    /// The phase goes on, loudly.
    Finish,
    /// The run pauses.
    Pause,
    /// The run goes back to the start.
    Rollback,
}

/// A condition watched all the time in its scope.
#[derive(Clone, Debug, PartialEq)]
pub struct Guard {
    /// Its name.
    pub name: String,
    /// Where it is awake.
    pub scope: Scope,
    /// How often a guard over several probes is judged.
    pub every: Span,
    /// What must hold.
    pub require: ConditionId,
    /// So many failing samples...
    pub failures: u32,
    /// ...among the last so many are a breach.
    pub of: u32,
    /// What a sample without data counts for.
    pub no_data: NoData,
    /// What a breach does.
    pub on_breach: OnBreach,
    /// What to try first.
    pub remedy: Option<String>,
}

/// Where a guard is awake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// On the whole way forward.
    Everywhere,
    /// From the start to the end of these phases.
    Phases(Vec<PhaseId>),
    /// From the start to the settling of these steps.
    Steps(Vec<StepId>),
}

/// What a sample without data counts for in a guard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoData {
    /// A failing one.
    Fail,
    /// Nothing.
    Ignore,
    /// So many of them pause the run.
    Pause,
}

/// What a breach does.
#[derive(Clone, Debug, PartialEq)]
pub enum OnBreach {
    /// Goes back.
    Rollback(Rollback),
    /// Pauses the run.
    Pause,
    /// Is told, and nothing else.
    Warn,
}

/// A read-only measurement.
#[derive(Clone, Debug, PartialEq)]
pub struct Probe {
    /// Read as `probe.<name>`.
    pub name: String,
    /// How a sample is taken.
    pub source: ProbeSource,
    /// How often.
    pub interval: Span,
    /// The bound of one sample; beyond it there is no data.
    pub timeout: Span,
    /// What the answer is taken for.
    pub as_: ProbeAs,
    /// For people.
    pub unit: Option<String>,
    /// It summarises that much of the past: fresh only that much later (R13).
    pub covers: Span,
}

/// How a sample is taken.
#[derive(Clone, Debug, PartialEq)]
pub enum ProbeSource {
    /// Standard output of a process (or its exit code, with [`ProbeAs::ExitCode`]).
    Run(Run),
    /// A request's answer.
    Http {
        /// The request.
        request: Http,
        /// The part of the answer.
        part: super::HttpPart,
    },
    /// The first column of the first row.
    Sql(Sql),
}

/// What a probe's answer is taken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProbeAs {
    /// A whole or decimal number.
    Number,
    /// Text.
    Text,
    /// `true` or `false`, also `t`, `f`, `1`, `0`.
    Bool,
    /// `bool = "exit"`: exit code 0 is true, 1 false, anything else no data.
    ExitCode,
    /// Any JSON.
    Json,
}

/// A node of the plan's graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Node {
    /// Before the first step of a phase.
    PhaseStart(PhaseId),
    /// A step.
    Step(StepId),
    /// Behind the last step of a phase.
    PhaseEnd(PhaseId),
}

/// Everything that `syntax` has read and proved, from which a plan is built.
#[derive(Clone, Debug)]
pub struct Draft {
    /// `[runbook]`.
    pub about: About,
    /// `[vars]`, in file order.
    pub vars: Vec<VarDecl>,
    /// `[[preflight]]`, in file order.
    pub preflight: Vec<Criterion>,
    /// `[probe.x]`, in file order.
    pub probes: Vec<Probe>,
    /// Every expression.
    pub conditions: Vec<Condition>,
    /// `[guard.x]`, in file order.
    pub guards: Vec<Guard>,
    /// In the order of `phases`.
    pub phases: Vec<Phase>,
    /// In file order (the order of sequences within their phases).
    pub steps: Vec<Step>,
}

/// Why a draft is no plan. `syntax` finds the same first and says where; this is the last line of defence.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// The steps named need each other.
    #[error("these need each other: {}", .0.join(" -> "))]
    Cycle(Vec<String>),
    /// The undos named wait for each other.
    #[error("these undos wait for each other: {}", .0.join(" -> "))]
    UndoCycle(Vec<String>),
}

/// The validated plan. Cannot be wrong; never changes.
#[derive(Clone, Debug)]
pub struct Plan {
    draft: Draft,
    graph: DiGraph<Node, ()>,
    step_nodes: Vec<NodeIndex>,
    phase_nodes: Vec<(NodeIndex, NodeIndex)>,
    /// Nodes such that each stands behind all it waits for.
    order: Vec<NodeIndex>,
    /// For every node, those whose undoing must be over before its own begins.
    undo_waits: Vec<Vec<NodeIndex>>,
    /// The same, read from the other end.
    undo_waiters: Vec<Vec<NodeIndex>>,
}
