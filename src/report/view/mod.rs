//! Where a run stands at one moment: plain data, folded from notices and orders, so that a live run and a journal give
//! the same picture. Knows no plan once it is filled, no terminal, and no clock: `now` is handed in.

mod fold;
mod look;
mod orders;

use std::sync::Arc;

use crate::model::{Bounds, Plan, Scope, Span, StepId, StepOutcome, Target, Time};

/// Where a run stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    /// The run's id.
    pub run: String,
    /// The runbook's name.
    pub name: String,
    /// The moment that this is about.
    pub now: Time,
    /// What the run is at.
    pub mode: Mode,
    /// The run's `timeout` and what of it is spent (R2a).
    pub clock: Stopwatch,
    /// `rollback_timeout` and what of it is spent in the rollback that is under way, or was the last.
    pub going_back: Stopwatch,
    /// By phase id.
    pub phases: Vec<PhaseView>,
    /// By step id.
    pub steps: Vec<StepView>,
    /// By probe id. The driver fills in the readings.
    pub probes: Vec<ProbeView>,
    /// By guard id. The driver fills in the health.
    pub guards: Vec<GuardView>,
    /// What going back from here takes.
    pub way_back: WayBack,
    /// What can start once the present is over: names, with what is special about them.
    pub next: Vec<Next>,
    /// The steps whose `require` of the undo fails.
    shut: Vec<StepId>,
    /// Why the way back is gone, where it is.
    gone: Option<String>,
    /// What the plan was proved to take at most.
    bounds: Option<Arc<Bounds>>,
}

/// What a run is at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Not begun.
    Waiting,
    /// On its way.
    Forward,
    /// Nothing new starts until an operator decides.
    Paused {
        /// Why.
        why: String,
    },
    /// Nothing new starts; it ends when what runs has ended.
    Stopping {
        /// Why.
        why: String,
    },
    /// On its way back.
    RollingBack {
        /// Where to.
        to: String,
        /// Why.
        why: String,
    },
    /// A human is needed.
    Stuck {
        /// Why.
        why: String,
    },
    /// Over.
    Finished {
        /// How.
        outcome: crate::model::RunOutcome,
    },
}

/// A bounded time that may stand still.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stopwatch {
    /// How long it may take, where that is bounded.
    pub bound: Option<Span>,
    spent: Span,
    since: Option<Time>,
}

impl Stopwatch {
    /// One that has not been started.
    pub const fn new(bound: Option<Span>) -> Self {
        Self { bound, spent: Span::ZERO, since: None }
    }

    /// Goes on from `at`.
    pub fn start(&mut self, at: Time) {
        self.since.get_or_insert(at);
    }

    /// Stands still from `at`.
    pub fn stop(&mut self, at: Time) {
        if let Some(since) = self.since.take() {
            self.spent = self.spent.plus(at.since(since));
        }
    }

    /// What is spent at `now`.
    pub fn spent(&self, now: Time) -> Span {
        self.spent.plus(self.since.map_or(Span::ZERO, |since| now.since(since)))
    }
}

/// A phase at this moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PhaseView {
    /// Its name.
    pub name: String,
    /// Where it stands.
    pub state: PhaseState,
    /// Its `timeout` and what of it is spent.
    pub clock: Stopwatch,
    /// Its steps.
    pub steps: Vec<StepId>,
}

/// Where a phase stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PhaseState {
    /// Not begun.
    Pending,
    /// Waits for its window.
    Waiting,
    /// Begun.
    Running,
    /// All its steps are settled; its criteria are measured.
    Measuring,
    /// Over, and good.
    Done,
    /// Over, and not good.
    Failed,
    /// Gone back behind its start.
    Undone,
}

/// A step at this moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepView {
    /// Its name.
    pub name: String,
    /// Its phase, where there are phases.
    pub phase: Option<crate::model::PhaseId>,
    /// Where it stands.
    pub state: StepState,
    /// The attempts of its own action so far.
    pub attempts: u32,
    /// The attempts of its undo so far.
    pub undo_attempts: u32,
    /// When it began in this pass.
    pub began: Option<Time>,
    /// How long it took, from its beginning to the end of its criteria.
    pub took: Option<Span>,
    /// Its action was started in this run, and it has not been undone since.
    pub in_effect: bool,
    /// It is a bracket, and its phase or the run has ended: its undo has run without a rollback (R12a).
    pub released: bool,
    /// What it came to on the way forward, whatever happened since.
    pub outcome: Option<StepOutcome>,
}

/// Where a step stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StepState {
    /// Not begun.
    Pending,
    /// Conditions are looked at before its action.
    Checking {
        /// Which.
        what: String,
        /// Since when.
        since: Time,
        /// Going back?
        way: Way,
    },
    /// Its action runs.
    Running {
        /// Since when.
        since: Time,
        /// For how long at most.
        bound: Span,
        /// Which try of this pass, and how many there may be.
        tries: (u32, u32),
        /// Going back?
        way: Way,
    },
    /// Its action is being stopped.
    Stopping {
        /// Since when.
        since: Time,
    },
    /// Its action has ended; its criteria are measured.
    Measuring {
        /// Since when.
        since: Time,
        /// For how long at most.
        bound: Option<Span>,
        /// What.
        what: String,
        /// Going back?
        way: Way,
    },
    /// A try failed; it waits for the next.
    Resting {
        /// Until when at the latest.
        until: Time,
        /// Which try comes next, and how many there may be.
        tries: (u32, u32),
        /// Going back?
        way: Way,
    },
    /// Waits for a person's answer.
    Asking {
        /// What is asked.
        question: String,
        /// Since when.
        since: Time,
        /// When it expires.
        expires: Option<Time>,
    },
    /// Settled on the way forward.
    Settled(StepOutcome),
    /// Whether it took effect is not known.
    InDoubt,
    /// Its undo failed.
    UndoFailed,
    /// Undone.
    Undone,
}

/// Which way something is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// The step's own action.
    There,
    /// Its undo.
    Back,
}

impl StepState {
    /// Whether it deserves a line of its own while others are only counted.
    pub fn is_active(&self) -> bool {
        match self {
            Self::Pending | Self::Undone => false,
            Self::Settled(outcome) => matches!(outcome, StepOutcome::Failed | StepOutcome::Unknown),
            Self::Checking { .. }
            | Self::Running { .. }
            | Self::Stopping { .. }
            | Self::Measuring { .. }
            | Self::Resting { .. }
            | Self::Asking { .. }
            | Self::InDoubt
            | Self::UndoFailed => true,
        }
    }

    /// Whether a rollback would have to stop it first.
    fn is_running_forward(&self) -> bool {
        matches!(self, Self::Running { way: Way::There, .. } | Self::Stopping { .. })
    }

    /// Whether what waits for it may go on.
    pub fn satisfies_needs(&self) -> bool {
        match self {
            Self::Settled(outcome) => matches!(
                outcome,
                StepOutcome::Done | StepOutcome::Found | StepOutcome::Skipped | StepOutcome::Tolerated
            ),
            _ => false,
        }
    }
}

/// A probe at this moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbeView {
    /// Its name.
    pub name: String,
    /// Its unit.
    pub unit: Option<String>,
    /// Its latest sample, if it has been asked.
    pub reading: Option<Reading>,
    /// Whether it is asked at present.
    pub polled: bool,
}

/// One sample.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// Its value as text; `None`: no data.
    pub value: Option<String>,
    /// When it was asked for.
    pub at: Time,
    /// Since when every condition over it has held, where there is one and it does.
    pub good_since: Option<Time>,
}

/// A guard at this moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GuardView {
    /// Its name.
    pub name: String,
    /// What must hold.
    pub rule: String,
    /// So many failing samples are a breach...
    pub failures: u32,
    /// ...among so many.
    pub of: u32,
    /// Whether its whole scope is the run.
    pub everywhere: bool,
    /// How it is.
    pub health: Health,
}

/// How a guard is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// Not watched here.
    Asleep,
    /// Watched, and has not held yet.
    Waking,
    /// Holds.
    Healthy,
    /// So many of its last samples failed, not yet a breach.
    Failing(u32),
    /// Breached.
    Breached,
    /// Gets no data.
    Blind,
}

/// What going back takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WayBack {
    /// Nothing has been done that would have to be undone.
    Nothing,
    /// It can be gone.
    Open {
        /// So many steps would be undone.
        undos: usize,
        /// That takes at most so long, where the bounds are known.
        bound: Option<Span>,
    },
    /// Going it now would lose something.
    Shut {
        /// At these steps.
        at: Vec<String>,
        /// So many steps would be undone.
        undos: usize,
    },
    /// It is being gone.
    Going {
        /// Steps undone so far.
        undone: usize,
        /// Steps that are still to be undone.
        left: usize,
        /// That takes at most so long from now on, where the bounds are known.
        bound: Option<Span>,
    },
    /// It was being gone, and a human is needed.
    Stuck {
        /// Steps undone so far.
        undone: usize,
        /// Steps that are still to be undone.
        left: usize,
    },
    /// There is none.
    Gone {
        /// Why.
        why: String,
    },
}

/// A step that can start next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Next {
    /// Its name.
    pub name: String,
    /// What is special about it.
    pub note: Option<&'static str>,
}

impl View {
    /// The view of a run that has not begun.
    pub fn new(plan: &Plan, run: impl Into<String>) -> Self {
        let about = plan.about();
        Self {
            run: run.into(),
            name: about.name.clone(),
            now: Time::ZERO,
            mode: Mode::Waiting,
            clock: Stopwatch::new(Some(about.timeout)),
            going_back: Stopwatch::new(about.rollback_timeout),
            phases: plan.phases().iter().map(phase_view).collect(),
            steps: plan.steps().iter().map(step_view).collect(),
            probes: plan.probes().iter().map(probe_view).collect(),
            guards: plan.guards().iter().map(|guard| guard_view(plan, guard)).collect(),
            way_back: WayBack::Nothing,
            next: Vec::new(),
            shut: Vec::new(),
            gone: None,
            bounds: None,
        }
    }

    /// Gives the view the bounds of its plan. Without them it counts undos, and cannot say how long they take.
    pub fn bounded_by(&mut self, bounds: Arc<Bounds>) {
        self.bounds = Some(bounds);
    }

    /// Puts an open gate's question as it was rendered in the place of its template.
    pub fn reword(&mut self, gate: StepId, text: impl Into<String>) {
        if let StepState::Asking { question, .. } = &mut self.steps[gate.index()].state {
            *question = text.into();
        }
    }

    /// One step.
    pub fn step(&self, step: StepId) -> &StepView {
        &self.steps[step.index()]
    }
}

/// Where a rollback leads, in words.
fn place(plan: &Plan, target: Target) -> String {
    super::words::target(plan, target)
}

fn phase_view(phase: &crate::model::Phase) -> PhaseView {
    PhaseView {
        name: phase.name.clone(),
        state: PhaseState::Pending,
        clock: Stopwatch::new(phase.timeout),
        steps: phase.steps.clone(),
    }
}

fn step_view(step: &crate::model::Step) -> StepView {
    StepView {
        name: step.name.clone(),
        phase: step.phase,
        state: StepState::Pending,
        attempts: 0,
        undo_attempts: 0,
        began: None,
        took: None,
        in_effect: false,
        released: false,
        outcome: None,
    }
}

fn probe_view(probe: &crate::model::Probe) -> ProbeView {
    ProbeView { name: probe.name.clone(), unit: probe.unit.clone(), reading: None, polled: false }
}

fn guard_view(plan: &Plan, guard: &crate::model::Guard) -> GuardView {
    GuardView {
        name: guard.name.clone(),
        rule: plan.condition(guard.require).text.clone(),
        failures: guard.failures,
        of: guard.of,
        everywhere: guard.scope == Scope::Everywhere,
        health: Health::Asleep,
    }
}

#[cfg(test)]
mod tests;
