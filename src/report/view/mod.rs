//! Where a run stands at one moment: plain data, folded from notices and orders, so that a live run and a journal give
//! the same picture. Knows no plan once it is filled, no terminal, and no clock: `now` is handed in.

mod baseline;
mod budget;
mod fold;
mod look;
mod orders;
mod pace;
mod ramp;
mod step;
mod stopwatch;
mod watched;

use std::sync::Arc;

pub use baseline::{BaselineView, Compared, figures};
pub use pace::Pace;
pub use ramp::{RampStage, RampView};
pub use step::{StepState, StepView, Way};
pub use stopwatch::Stopwatch;
pub use watched::{GuardView, Health, ProbeView, Reading, Warning};

use crate::model::{Bounds, Plan, ROUNDS_WITHOUT_DATA, Rule, Scope, Span, StepId, Summaries, Target, Time};

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
    /// The baseline; its figures are with the probes.
    pub baseline: BaselineView,
    /// How long that is sampled.
    pub baseline_over: Option<Span>,
    /// What going back from here takes.
    pub way_back: WayBack,
    /// What can start once the present is over: names, with what is special about them.
    pub next: Vec<Next>,
    /// What its process does once it has succeeded. The driver fills it in.
    pub afterwards: Afterwards,
    /// The steps whose `require` of the undo fails.
    shut: Vec<StepId>,
    /// Why the way back is gone, where it is.
    gone: Option<String>,
    /// When the run ended, where it has.
    ended: Option<Time>,
    /// When its rollback window closes, where it has one (R24).
    closes: Option<Time>,
    /// What the plan was proved to take at most.
    bounds: Option<Arc<Bounds>>,
    /// Figures of a baseline that has not been told of yet.
    figures: Summaries,
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
        /// The rollback window closes in that time; `None`: it does not close by the clock.
        left: Option<Span>,
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

/// What the process of a run does once the run has succeeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Afterwards {
    /// It ends.
    Ends,
    /// It watches the ways back.
    Watches,
}

/// The rollback window of a run (R24).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Window {
    /// The clock closes nothing: the run has not succeeded, or a rollback has begun.
    Endless,
    /// It closes by itself.
    Open {
        /// In that time.
        left: Span,
    },
    /// It has closed.
    Closed {
        /// That long ago.
        ago: Span,
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
            baseline: BaselineView::Untaken,
            baseline_over: plan.baseline().map(|baseline| baseline.over),
            way_back: WayBack::Nothing,
            next: Vec::new(),
            afterwards: Afterwards::Ends,
            shut: Vec::new(),
            gone: None,
            ended: None,
            closes: None,
            bounds: None,
            figures: Summaries::new(),
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

    /// How long the run has taken so far, or took.
    pub fn length(&self) -> Span {
        self.ended.unwrap_or(self.now).since(Time::ZERO)
    }

    /// When the rollback window of the run closes, where it has one.
    pub fn closes(&self) -> Option<Time> {
        self.closes
    }

    /// How the way back of the run stands by the clock.
    pub fn window(&self) -> Window {
        match self.closes {
            None => Window::Endless,
            Some(at) if at > self.now => Window::Open { left: at.since(self.now) },
            Some(at) => Window::Closed { ago: self.now.since(at) },
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
        ramp: RampView::of(step),
        pace: None,
    }
}

fn probe_view(probe: &crate::model::Probe) -> ProbeView {
    ProbeView { name: probe.name.clone(), unit: probe.unit.clone(), reading: None, polled: false, before: None }
}

fn guard_view(plan: &Plan, guard: &crate::model::Guard) -> GuardView {
    let (rule, failures, of) = match &guard.rule {
        Rule::Condition(watched) => (plan.condition(watched.require).text.clone(), watched.failures, watched.of),
        Rule::Budget(budget) => (super::words::guard::allowed(plan, budget), ROUNDS_WITHOUT_DATA, ROUNDS_WITHOUT_DATA),
    };
    GuardView {
        name: guard.name.clone(),
        rule,
        failures,
        of,
        everywhere: guard.scope == Scope::Everywhere,
        health: Health::Asleep,
        warning: Warning::None,
        spend: None,
        awake_since: Time::ZERO,
    }
}

#[cfg(test)]
mod tests;
