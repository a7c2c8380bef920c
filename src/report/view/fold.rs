//! One notice more: what it changes in the view. The same for a live run and for a journal read back.

use super::{BaselineView, Health, Mode, PhaseState, StepState, Stopwatch, View, Warning, Way, place};
use crate::engine::{Notice, Origin};
use crate::model::{
    Action, AttemptId, Node, Part, PhaseId, Plan, RunOutcome, Span, StepId, StepOutcome, Target, Time, Wait, WayHome,
    Work,
};
use crate::report::{Told, words};

impl View {
    /// Takes in one notice.
    pub fn take(&mut self, plan: &Plan, told: &Told) {
        let at = told.at;
        self.now = self.now.max(at);
        match told.notice {
            Notice::RunStarted => self.begin(at),
            Notice::RunResumed
            | Notice::OrderIgnored
            | Notice::StepStalled { .. }
            | Notice::GuardAwaited { .. }
            | Notice::AnswerAwaited { .. }
            | Notice::RollbackLate
            | Notice::RollbackRefused { .. }
            | Notice::WindowClosed { .. }
            | Notice::BracketClosing { .. }
            | Notice::BracketReopening { .. }
            | Notice::RampAdvanced { .. }
            | Notice::RollbackMeasuring { .. } => {}
            Notice::RunContinued => self.mode = Mode::Forward,
            Notice::RunPaused { .. } => {
                self.mode = Mode::Paused { why: why(plan, told) };
                self.stand_ramps(plan, at);
            }
            Notice::RunStopping { .. } => self.mode = Mode::Stopping { why: why(plan, told) },
            Notice::RunStuck { step } => self.get_stuck(plan, told, step),
            Notice::RunFinished { outcome, .. } => self.end(plan, at, outcome),
            Notice::PhaseWaiting { phase } => self.set_phase(phase, PhaseState::Waiting),
            Notice::PhaseStarted { phase } => self.begin_phase(phase, at),
            Notice::PhaseSucceeded { phase } => self.end_phase(phase, at, PhaseState::Done),
            Notice::PhaseFailed { phase, .. } => self.end_phase(phase, at, PhaseState::Failed),
            Notice::StepStarted { step, attempt } => self.start_step(plan, step, attempt, at),
            Notice::RampSetting { attempt, value } => self.set_value(plan, attempt.step, value, at),
            Notice::RampSet { step, value } => self.note_value_set(plan, step, value, at),
            Notice::RampConfirmed { step, value } => self.hold_value(plan, step, value, at),
            Notice::RampHeld { step, why, .. } => self.keep_value(plan, step, why, told),
            Notice::RampReleased { step, .. } => self.release_value(step),
            Notice::StepMeasuring { step, part } => self.measure_step(plan, step, part, at),
            Notice::StepRetrying { step, part, tries, .. } => self.rest_step(plan, step, part, tries, at),
            Notice::StepInDoubt { step, .. } => self.set_step(step, StepState::InDoubt),
            Notice::StepSettled { step, outcome } => self.settle_step(plan, step, outcome, at),
            Notice::StepFailed { step, cause } => self.settle_step(plan, step, words::failed_as(cause), at),
            Notice::GuardBreached { guard } => self.guards[guard.index()].health = Health::Breached,
            Notice::GuardBlind { guard } => self.guards[guard.index()].health = Health::Blind,
            Notice::GuardWarned { guard } => self.guards[guard.index()].warning = Warning::Given,
            Notice::GuardEased { guard } => self.guards[guard.index()].warning = Warning::None,
            Notice::BaselineStarted => self.baseline = BaselineView::Sampling { since: at },
            Notice::BaselineTaken => self.take_baseline(),
            Notice::BaselineRejected { .. } => self.baseline = BaselineView::Rejected,
            Notice::GateOpened { gate } => self.open_gate(plan, gate, at),
            Notice::GateAnswered { gate, .. } | Notice::GateExpired { gate } | Notice::GateClosed { gate } => {
                self.close_gate(gate);
            }
            Notice::WayBackShut { step } => self.shut.push(step),
            Notice::WayBackOpen { step } => self.shut.retain(|&other| other != step),
            Notice::WayBackClosed => self.gone = Some("it is closed for good".into()),
            Notice::RollbackStarted { target, origin, .. } => self.turn_back(plan, target, origin, at),
            Notice::UndoStarted { step, attempt } => self.start_undo(plan, step, attempt, at),
            Notice::UndoSucceeded { step, .. } => {
                self.end_undo(step);
                self.end_what_it_removes(plan, step);
            }
            Notice::UndoFailed { step, .. } => self.set_step(step, StepState::UndoFailed),
            Notice::RollbackFinished { target } => self.arrive(plan, target, at),
            Notice::PassStarted { target, .. } => self.begin_pass(plan, target, at),
        }
    }

    fn begin(&mut self, at: Time) {
        self.mode = Mode::Forward;
        self.clock.start(at);
    }

    fn end(&mut self, plan: &Plan, at: Time, outcome: RunOutcome) {
        self.ended = Some(at);
        let window = plan.about().rollback_window;
        // Without a window it is told closed at once.
        self.closes = (outcome == RunOutcome::Succeeded && window > Span::ZERO).then(|| at.after(window));
        self.mode = Mode::Finished { outcome };
        self.going_back.stop(at);
        self.clock.stop(at);
        self.phases.iter_mut().for_each(|phase| phase.clock.stop(at));
    }

    fn get_stuck(&mut self, plan: &Plan, told: &Told, step: Option<StepId>) {
        if let Some(step) = step {
            self.set_step(step, StepState::UndoFailed);
        }
        self.mode = Mode::Stuck { why: why(plan, told) };
    }

    fn set_phase(&mut self, phase: PhaseId, state: PhaseState) {
        self.phases[phase.index()].state = state;
    }

    fn begin_phase(&mut self, phase: PhaseId, at: Time) {
        self.set_phase(phase, PhaseState::Running);
        self.phases[phase.index()].clock.start(at);
    }

    fn end_phase(&mut self, phase: PhaseId, at: Time, state: PhaseState) {
        self.set_phase(phase, state);
        self.phases[phase.index()].clock.stop(at);
    }

    pub(super) fn set_step(&mut self, step: StepId, state: StepState) {
        self.steps[step.index()].state = state;
    }

    fn start_step(&mut self, plan: &Plan, step: StepId, attempt: Option<AttemptId>, at: Time) {
        let work = &plan.step(step).forward;
        let has_effect = plan.step(step).has_effect();
        let it = &mut self.steps[step.index()];
        let tries = match &it.state {
            StepState::Resting { tries, .. } => *tries,
            _ => (1, work.retry.attempts),
        };
        it.state = StepState::Running { since: at, bound: length(work), tries, way: Way::There };
        it.began.get_or_insert(at);
        it.took = None;
        it.released = false;
        it.in_effect |= attempt.is_some() && has_effect;
        it.attempts += u32::from(attempt.is_some());
        if work.ramp().is_some() {
            self.begin_ramp(step, at);
        }
    }

    fn measure_step(&mut self, plan: &Plan, step: StepId, part: Part, at: Time) {
        let work = plan.step(step).work(part);
        let what: Vec<&str> = work.success.iter().map(|c| plan.condition(c.condition).text.as_str()).collect();
        let bound = work.success.iter().filter_map(|criterion| criterion.within).max();
        let state = StepState::Measuring { since: at, bound, what: what.join(", "), way: way(part) };
        self.set_step(step, state);
    }

    fn rest_step(&mut self, plan: &Plan, step: StepId, part: Part, tries: u32, at: Time) {
        let retry = plan.step(step).work(part).retry;
        let until = at.after(retry.pause_after(tries));
        let tries = (tries.saturating_add(1), retry.attempts);
        self.set_step(step, StepState::Resting { until, tries, way: way(part) });
    }

    fn settle_step(&mut self, plan: &Plan, step: StepId, outcome: StepOutcome, at: Time) {
        let it = &mut self.steps[step.index()];
        // A tolerated failure arrives as a failure first.
        it.took = it.took.or(it.began.map(|began| at.since(began)));
        it.outcome = Some(outcome);
        it.state = StepState::Settled(outcome);
        it.in_effect |= outcome == StepOutcome::Found && plan.step(step).undo_found;
    }

    fn open_gate(&mut self, plan: &Plan, gate: StepId, at: Time) {
        let (question, expires) = match &plan.step(gate).forward.action {
            Action::Gate(it) => (it.question.0.clone(), it.expires.map(|expires| at.after(expires))),
            _ => (String::new(), None),
        };
        let it = &mut self.steps[gate.index()];
        it.began.get_or_insert(at);
        it.state = StepState::Asking { question, since: at, expires };
    }

    /// What follows from the answer is told apart; until then it waits like any other.
    fn close_gate(&mut self, gate: StepId) {
        if matches!(self.step(gate).state, StepState::Asking { .. }) {
            self.set_step(gate, StepState::Pending);
        }
    }

    /// The clocks of the way forward stand still while the run goes back (R2a).
    fn turn_back(&mut self, plan: &Plan, target: Target, origin: Origin, at: Time) {
        if !matches!(self.mode, Mode::RollingBack { .. } | Mode::Stuck { .. }) {
            self.going_back = Stopwatch::new(self.going_back.bound);
        }
        // From now on it is a run like any other.
        (self.ended, self.closes) = (None, None);
        self.going_back.start(at);
        self.stand_ramps(plan, at);
        self.clock.stop(at);
        self.phases.iter_mut().for_each(|phase| phase.clock.stop(at));
        self.mode = Mode::RollingBack { to: place(plan, target), why: words::origin(plan, origin) };
        for guard in &mut self.guards {
            if !matches!(guard.health, Health::Breached | Health::Blind) {
                guard.health = Health::Asleep;
            }
        }
    }

    fn start_undo(&mut self, plan: &Plan, step: StepId, attempt: Option<AttemptId>, at: Time) {
        let it = plan.step(step);
        let part = attempt.map_or(Part::Undo(0), |attempt| attempt.part);
        let Part::Undo(n) = part else { return };
        let Some(work) = it.undo().get(usize::from(n)) else { return };
        let view = &mut self.steps[step.index()];
        let tries = match &view.state {
            StepState::Resting { tries, way: Way::Back, .. } => *tries,
            _ => (1, work.retry.attempts),
        };
        view.undo_attempts += u32::from(attempt.is_some());
        view.state = StepState::Running { since: at, bound: length(work), tries, way: Way::Back };
    }

    fn end_undo(&mut self, step: StepId) {
        let goes_back = matches!(self.mode, Mode::RollingBack { .. } | Mode::Stuck { .. });
        let it = &mut self.steps[step.index()];
        it.in_effect = false;
        // The undo of a bracket ends what it held; the step stays what it came to.
        it.released = !goes_back;
        it.state = match it.outcome {
            Some(outcome) if it.released => StepState::Settled(outcome),
            _ => StepState::Undone,
        };
        self.shut.retain(|&other| other != step);
        if let Some(phase) = self.step(step).phase
            && goes_back
        {
            self.set_phase(phase, PhaseState::Undone);
        }
    }

    /// Steps whose effect that undo removed with its own are undone with it (`undone_by`).
    fn end_what_it_removes(&mut self, plan: &Plan, by: StepId) {
        for step in plan.step_ids() {
            if plan.step(step).way_home == WayHome::UndoneBy(by) && self.step(step).in_effect {
                self.end_undo(step);
            }
        }
    }

    /// What a rollback has stopped and did not need to undo is as it was before.
    fn arrive(&mut self, plan: &Plan, target: Target, at: Time) {
        self.going_back.stop(at);
        for step in steps_behind(plan, target) {
            let it = &mut self.steps[step.index()];
            if it.state.is_active() && it.state != StepState::UndoFailed {
                it.state = it.outcome.map_or(StepState::Pending, StepState::Settled);
            }
        }
    }

    /// A pass forgets what lies behind its target; attempt numbers stay (R11).
    fn begin_pass(&mut self, plan: &Plan, target: Target, at: Time) {
        self.mode = Mode::Forward;
        self.clock.start(at);
        for step in steps_behind(plan, target) {
            let it = &mut self.steps[step.index()];
            it.state = StepState::Pending;
            it.began = None;
            it.took = None;
            it.outcome = None;
            if let Some(phase) = it.phase {
                self.set_phase(phase, PhaseState::Pending);
            }
        }
    }
}

fn steps_behind(plan: &Plan, target: Target) -> impl Iterator<Item = StepId> {
    plan.downstream(target).into_iter().filter_map(|node| match plan.graph()[node] {
        Node::Step(step) => Some(step),
        Node::PhaseStart(_) | Node::PhaseEnd(_) => None,
    })
}

/// Why the run does what it does now, as the screen says it until it does something else.
fn why(plan: &Plan, told: &Told) -> String {
    let why = match told.notice {
        Notice::RunPaused { origin, behind, shut } => words::pause(plan, origin, behind, shut),
        Notice::RunStopping { origin, .. } => words::origin(plan, origin),
        Notice::RunStuck { step: Some(step) } => format!("step {} could not be undone", plan.step(step).name),
        Notice::RunStuck { step: None } => "all is undone, but that was not verified".into(),
        _ => String::new(),
    };
    why + &words::by_and_evidence(told)
}

fn way(part: Part) -> Way {
    match part {
        Part::Forward => Way::There,
        Part::Undo(_) => Way::Back,
    }
}

/// How long one try may take.
fn length(work: &Work) -> Span {
    match &work.action {
        Action::Wait(Wait::For(span)) => *span,
        Action::Wait(Wait::Until { within, .. }) => *within,
        Action::Manual(manual) => manual.expires,
        Action::Run(_) | Action::Http(_) | Action::Sql(_) | Action::Gate(_) | Action::Ramp(_) => work.timeout,
    }
}
