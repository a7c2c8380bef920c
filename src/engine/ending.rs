//! Endings: the target of a rollback is measured, brackets are closed, the run is over (R11, R12a, R24).

use std::sync::Arc;

use super::state::{
    Asks, Goal, JobEnd, JobState, Judgement, Order, Passes, Pause, PhaseState, Purpose, Reach, Stage, ThenKind,
};
use super::{Asked, Cause, Command, Deadline, Engine, Notice, Origin, Outbox, Rung};
use crate::model::{Action, Part, Policy, RunOutcome, Span, StepId, StepOutcome, Target, Then};

impl Engine {
    /// All is undone: `restored`, or the target's own criteria (R11).
    pub(crate) fn measure_target(&mut self, out: &mut Outbox) {
        let Stage::Rolling(rolling) = &self.stage else { return };
        let (targets, target) = (rolling.targets.clone(), rolling.order.target);
        out.tell(Notice::RollbackMeasuring { target });
        let plan = Arc::clone(&self.plan.0);
        let mut asks = Asks::default();
        for target in targets {
            let more = match target {
                Target::Start => self.ask_all(plan.about().restored.len(), Asked::Restored, out),
                // What was left out or tolerated had not been measured when it was reached.
                Target::Step(step) if !matches!(self.step_outcome(step), StepOutcome::Done | StepOutcome::Found) => {
                    Asks::default()
                }
                Target::Step(step) => {
                    let count = plan.step(step).forward.success.len();
                    self.ask_all(count, |n| Asked::Success(step, Part::Forward, n), out)
                }
                Target::Phase(phase) => {
                    self.ask_all(plan.phase(phase).success.len(), |n| Asked::PhaseSuccess(phase, n), out)
                }
            };
            asks.open.extend(more.open);
        }
        let nothing_to_ask = asks.open.is_empty();
        if let Stage::Rolling(rolling) = &mut self.stage {
            rolling.reach = Reach::Measuring(asks);
        }
        if nothing_to_ask {
            self.end_restoring(Judgement::Hold, out);
        }
    }

    /// What the target's criteria say.
    pub(crate) fn end_restoring(&mut self, judgement: Judgement, out: &mut Outbox) {
        match judgement {
            Judgement::Open => {}
            Judgement::Hold => self.end_rollback(out),
            Judgement::Fail(_) | Judgement::NoData(_) | Judgement::Late(_) => {
                if let Stage::Rolling(rolling) = &mut self.stage {
                    rolling.reach = Reach::Unverified;
                }
                out.tell(Notice::RunStuck { step: None });
            }
        }
    }

    fn end_rollback(&mut self, out: &mut Outbox) {
        let Stage::Rolling(rolling) = &self.stage else { return };
        let order = rolling.order;
        self.disarm(Deadline::RollbackAlarm, out);
        out.tell(Notice::RollbackFinished { target: order.target });
        self.go_on_from_target(order, out);
    }

    /// Something happened during a rollback that forbids a further pass, or more. Where one was waited for already, it
    /// follows at once.
    pub(crate) fn tighten(&mut self, then: ThenKind, out: &mut Outbox) {
        let Stage::Rolling(rolling) = &mut self.stage else { return };
        rolling.order.then = rolling.order.then.max(then);
        let order = rolling.order;
        if rolling.reach == Reach::Resting && order.then != ThenKind::Retry {
            self.disarm(Deadline::PassDelay(self.rung(order.origin)), out);
            self.go_on_from_target(order, out);
        }
    }

    fn go_on_from_target(&mut self, order: Order, out: &mut Outbox) {
        match order.then {
            ThenKind::Stop => self.begin_ending(RunOutcome::RolledBack, out),
            ThenKind::Pause => {
                self.turn_forward(out);
                self.pause_at(Pause { origin: order.origin, behind: None, shut: None }, out);
            }
            ThenKind::Retry => self.begin_pass_or_else(order, out),
        }
    }

    /// Which rollback of the policy at an origin is in force.
    pub(crate) fn rung(&self, origin: Origin) -> Rung {
        Rung { origin, number: self.passes.get(&origin).map_or(0, |passes| passes.rung) }
    }

    fn begin_pass_or_else(&mut self, order: Order, out: &mut Outbox) {
        let (plan, rung) = (Arc::clone(&self.plan.0), self.rung(order.origin));
        let Some(Then::Retry { passes, delay, otherwise, .. }) = rung.rollback(&plan).map(|rollback| &rollback.then)
        else {
            return self.begin_ending(RunOutcome::RolledBack, out);
        };
        let used = self.passes.entry(order.origin).or_default();
        if used.used == *passes || used.expired {
            return self.begin_else(order, otherwise, out);
        }
        used.used += 1;
        used.taken += 1;
        if used.used == 1 {
            self.arm(Deadline::PassWithin(rung), out);
        }
        if *delay == Span::ZERO {
            return self.begin_pass(order, out);
        }
        if let Stage::Rolling(rolling) = &mut self.stage {
            rolling.reach = Reach::Resting;
        }
        self.arm(Deadline::PassDelay(rung), out);
    }

    /// No pass is left: another policy, from the place that was reached. Another rollback is in force from now on.
    fn begin_else(&mut self, order: Order, otherwise: &Policy, out: &mut Outbox) {
        match otherwise {
            Policy::Rollback(rollback) => {
                self.disarm(Deadline::PassWithin(self.rung(order.origin)), out);
                let passes = self.passes.entry(order.origin).or_default();
                *passes = Passes { rung: passes.rung + 1, taken: passes.taken, ..Passes::default() };
                if rollback.target == order.target {
                    return self.go_on_from_target(Order { then: ThenKind::of(&rollback.then), ..order }, out);
                }
                self.turn_forward(out);
                self.order_rollback(order.origin, rollback, out);
            }
            Policy::Pause => {
                self.turn_forward(out);
                self.pause_at(Pause { origin: order.origin, behind: None, shut: None }, out);
            }
            Policy::Stop | Policy::Continue => self.begin_ending(RunOutcome::RolledBack, out),
        }
    }

    /// The pause before a further pass is over.
    pub(crate) fn end_pass_delay(&mut self, rung: Rung, out: &mut Outbox) {
        if let Stage::Rolling(rolling) = &self.stage
            && rolling.reach == Reach::Resting
            && self.rung(rolling.order.origin) == rung
        {
            let order = rolling.order;
            self.begin_pass(order, out);
        }
    }

    fn begin_pass(&mut self, order: Order, out: &mut Outbox) {
        let pass = self.passes.get(&order.origin).map_or(1, |passes| passes.taken + 1);
        self.turn_forward(out);
        out.tell(Notice::PassStarted { target: order.target, pass });
    }

    /// From the target of a rollback the way forward is open again.
    fn turn_forward(&mut self, out: &mut Outbox) {
        let Stage::Rolling(rolling) = std::mem::replace(&mut self.stage, Stage::Forward) else { return };
        let plan = Arc::clone(&self.plan.0);
        let in_scope: Vec<_> = plan.order().iter().copied().filter(|node| rolling.scope[node.index()]).collect();
        for node in &in_scope {
            let waits = plan
                .graph()
                .neighbors_directed(*node, petgraph::Incoming)
                .filter(|before| !self.over[before.index()])
                .count();
            self.blocked[node.index()] = super::machine::to_u32(waits);
        }
        self.watch_anew(out);
        self.mind_guards(out);
        for node in in_scope {
            if self.blocked[node.index()] == 0 {
                self.node_ready(plan.graph()[node], out);
            }
        }
        for phase in plan.phase_ids() {
            if matches!(self.phases[phase.index()], PhaseState::Running { .. }) {
                self.arm(Deadline::Phase(phase), out);
            }
        }
        self.recheck_windows(out);
    }

    /// Nothing new starts; what runs is awaited.
    pub(crate) fn begin_ending(&mut self, outcome: RunOutcome, out: &mut Outbox) {
        self.stage = Stage::Ending(outcome);
        self.pause = None;
        // A bracket that did not close has another chance.
        self.unreleased.clear();
        let early: Vec<StepId> = self
            .active
            .iter()
            .copied()
            .filter(|step| self.job(*step).is_some_and(|job| !is_settling(&job.state)))
            .collect();
        for step in early {
            self.halt_job(step, false, out);
        }
        self.drop_baseline(out);
        let phases = std::mem::take(&mut self.phases);
        self.phases = phases
            .into_iter()
            .map(|state| match state {
                PhaseState::AtBaseline => PhaseState::AtWindow,
                PhaseState::Requiring(asks) => {
                    self.drop_asks(asks, out);
                    PhaseState::AtWindow
                }
                PhaseState::Measuring(asks) => {
                    self.drop_asks(asks, out);
                    PhaseState::Running { rechecking: false }
                }
                other => other,
            })
            .collect();
        if outcome != RunOutcome::Stopped {
            self.rest_guards(out);
        }
    }

    /// Ends the run as soon as everything has settled.
    pub(crate) fn go_to_end(&mut self, out: &mut Outbox) {
        let Stage::Ending(outcome) = self.stage else { return };
        // Another try would be something new.
        let idle: Vec<StepId> = self
            .active
            .iter()
            .copied()
            .filter(|step| {
                self.job(*step).is_some_and(|job| {
                    let waits = matches!(job.state, JobState::Parked | JobState::Resting | JobState::Standing);
                    job.goal == Goal::Forward && waits
                })
            })
            .collect();
        for step in idle {
            self.halt_job(step, false, out);
        }
        if !self.active.is_empty() || self.pause.is_some() {
            return;
        }
        if outcome != RunOutcome::Stopped {
            let plan = Arc::clone(&self.plan.0);
            let held = plan.order().iter().rev().find_map(|node| match plan.graph()[*node] {
                crate::model::Node::Step(step)
                    if plan.step(step).held_for.is_some() && self.steps[step.index()].in_effect =>
                {
                    Some(step)
                }
                _ => None,
            });
            if let Some(step) = held {
                return self.release_bracket(step, out);
            }
        }
        self.end(outcome, out);
    }

    /// The run is over.
    pub(crate) fn end(&mut self, outcome: RunOutcome, out: &mut Outbox) {
        self.stage = Stage::Ended(outcome);
        self.pause = None;
        for state in self.steps.iter_mut().filter(|state| state.outcome == StepOutcome::Running) {
            state.outcome = if state.in_effect { StepOutcome::Failed } else { StepOutcome::Pending };
        }
        self.rest_guards(out);
        for deadline in std::mem::take(&mut self.armed) {
            out.order(Command::Disarm { deadline });
        }
        self.held.clear();
        for phase in self.plan.0.phase_ids() {
            if self.plan.0.phase(phase).window.is_some() && self.phases[phase.index()] != PhaseState::Done {
                out.order(Command::ForgetWindow { phase });
            }
        }
        let stays_open = match outcome {
            RunOutcome::Succeeded => self.plan.0.about().rollback_window > Span::ZERO,
            RunOutcome::Stopped | RunOutcome::RolledBack => true,
            RunOutcome::Refused => false,
        };
        if !stays_open {
            self.close_way_back(out);
        }
        out.tell(Notice::RunFinished { outcome, on: self.on });
    }

    /// Nothing leads back any more (R24).
    pub(crate) fn close_way_back(&mut self, out: &mut Outbox) {
        if std::mem::replace(&mut self.closed, true) {
            return;
        }
        for step in self.plan.0.step_ids() {
            self.unwatch_way_back(step, out);
        }
        out.tell(Notice::WayBackClosed);
    }

    /// One action of the undo of a bracket is over, as its phase or the run ends.
    pub(crate) fn end_release(&mut self, step: StepId, part: Part, end: JobEnd, out: &mut Outbox) {
        if let JobEnd::Failed(cause) = end {
            return self.fail_release(step, cause, out);
        }
        if let Some(next) = self.next_undo_part(step, part) {
            return self.begin_job(step, next, Goal::Release, out);
        }
        self.note_released(step, out);
    }

    fn fail_release(&mut self, step: StepId, cause: Cause, out: &mut Outbox) {
        out.tell(Notice::UndoFailed { step, cause });
        self.unreleased.insert(step);
        self.pause_for(Origin::BracketFailed(step), out);
    }

    /// A bracket is closed: its phase goes on ending.
    pub(crate) fn note_released(&mut self, step: StepId, out: &mut Outbox) {
        let state = &mut self.steps[step.index()];
        state.in_effect = false;
        state.released = true;
        self.unreleased.remove(&step);
        out.tell(Notice::UndoSucceeded { step, outcome: StepOutcome::Undone });
        if let Some(phase) = self.plan.0.step(step).phase
            && self.phases[phase.index()] == PhaseState::Closing
        {
            self.close_phase(phase, out);
        }
    }

    /// A deadline is due.
    pub(crate) fn fire(&mut self, deadline: Deadline, out: &mut Outbox) {
        if !self.armed.remove(&deadline) {
            return;
        }
        self.held.remove(&deadline);
        match deadline {
            Deadline::Run => self.order_rollback(Origin::RunTimeout, &crate::model::Rollback::TO_START, out),
            Deadline::Phase(phase) => self.time_out_phase(phase, out),
            Deadline::Ramp(step) => self.time_out_ramp(step, out),
            Deadline::Within(question) => self.end_within(question, out),
            Deadline::HoldFor(question) => self.end_hold(question, out),
            Deadline::Retry { step, .. } => self.end_rest(step, out),
            Deadline::Wait(step, _) => self.end_wait(step, out),
            Deadline::RampHold(step, _) => self.end_value_hold(step, out),
            Deadline::GateExpiry(step) => self.expire_gate(step, out),
            Deadline::RollbackAlarm => out.tell(Notice::RollbackLate),
            Deadline::PassDelay(rung) => self.end_pass_delay(rung, out),
            Deadline::PassWithin(rung) if self.rung(rung.origin) == rung => {
                self.passes.entry(rung.origin).or_default().expired = true;
            }
            Deadline::PassWithin(_) => {}
        }
    }

    /// R2a: the clocks of the run, its phases and its ramps stand still while only people are awaited, and on the way back.
    pub(crate) fn mind_clocks(&mut self, out: &mut Outbox) {
        // They come first in their order.
        let is_clock = |deadline: &Deadline| matches!(deadline, Deadline::Run | Deadline::Phase(_) | Deadline::Ramp(_));
        let clocks: Vec<Deadline> = self.armed.iter().copied().take_while(is_clock).collect();
        if clocks.is_empty() {
            return;
        }
        let forward = matches!(self.stage, Stage::Forward | Stage::Ending(_));
        let anything = forward && (self.has_machine_work(None) || self.may_go_on_alone());
        for clock in clocks {
            let runs = match clock {
                Deadline::Phase(phase) => {
                    anything && (self.has_machine_work(Some(phase)) || !self.awaits_people_in(phase))
                }
                Deadline::Ramp(step) => forward && self.is_machine_work(step),
                _ => anything,
            };
            match (runs, self.held.contains(&clock)) {
                (false, false) => {
                    self.held.insert(clock);
                    out.order(Command::Hold { deadline: clock });
                }
                (true, true) => {
                    self.held.remove(&clock);
                    out.order(Command::Release { deadline: clock });
                }
                _ => {}
            }
        }
    }

    /// Whether a gate, a person's work, a ramp that is held or a closed window is what a phase waits for.
    fn awaits_people_in(&self, phase: crate::model::PhaseId) -> bool {
        let by_person = |step: &StepId| {
            let of_plan = self.plan.0.step(*step);
            of_plan.phase == Some(phase)
                && self.job(*step).is_some_and(|job| match &job.state {
                    JobState::AtGate => true,
                    JobState::AtValue(_) => self.is_kept_by_people(*step),
                    JobState::Attempting { .. } => matches!(of_plan.work(job.part).action, Action::Manual(_)),
                    _ => false,
                })
        };
        self.phases[phase.index()] == PhaseState::Running { rechecking: true } || self.active.iter().any(by_person)
    }
}

/// Whether a job is on its way to its end by itself: an attempt, or what is measured after it.
fn is_settling(state: &JobState) -> bool {
    match state {
        JobState::Attempting { .. } | JobState::Stalled { .. } | JobState::Stopping { .. } => true,
        JobState::Asking { purpose, .. } => matches!(purpose, Purpose::Success { .. } | Purpose::Doubt(_)),
        JobState::Parked
        | JobState::Waiting
        | JobState::AtGate
        | JobState::Resting
        | JobState::AtValue(_)
        | JobState::Standing => false,
    }
}
