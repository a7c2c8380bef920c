//! The first commands of a rollback: what its set is doing is stopped, awaited or simply over.

use std::sync::Arc;

use crate::engine::state::{Goal, JobState, PhaseState};
use crate::engine::{Command, Deadline, Engine, Outbox};
use crate::model::{AttemptId, Node, OnStop, PhaseId, StepId, StepOutcome};

impl Engine {
    /// Ends what a node in scope is doing.
    pub(super) fn halt(&mut self, node: Node, out: &mut Outbox) {
        match node {
            Node::PhaseStart(phase) => self.halt_phase_start(phase, out),
            Node::PhaseEnd(phase) => self.halt_phase_end(phase, out),
            Node::Step(step) => {
                self.unready(step);
                self.halt_job(step, true, out);
            }
        }
    }

    /// A phase that was about to start does not.
    fn halt_phase_start(&mut self, phase: PhaseId, out: &mut Outbox) {
        self.ready_phases.remove(&phase);
        match &mut self.phases[phase.index()] {
            PhaseState::AtWindow | PhaseState::Failed { before: true } => {}
            PhaseState::AtBaseline => self.drop_baseline(out),
            PhaseState::Requiring(asks) => {
                let asks = std::mem::take(asks);
                self.drop_asks(asks, out);
            }
            PhaseState::Waiting
            | PhaseState::Running { .. }
            | PhaseState::Measuring(_)
            | PhaseState::Closing
            | PhaseState::Done
            | PhaseState::Failed { before: false } => return,
        }
        self.reset_phase(phase, out);
    }

    /// As if it had never been reached.
    pub(super) fn reset_phase(&mut self, phase: PhaseId, out: &mut Outbox) {
        if self.phases[phase.index()] != PhaseState::Waiting && self.plan.0.phase(phase).window.is_some() {
            out.order(Command::ForgetWindow { phase });
        }
        self.phases[phase.index()] = PhaseState::Waiting;
        self.disarm(Deadline::Phase(phase), out);
    }

    /// A phase that was about to end does not; its brackets stay held.
    fn halt_phase_end(&mut self, phase: PhaseId, out: &mut Outbox) {
        if let PhaseState::Measuring(asks) = &mut self.phases[phase.index()] {
            let asks = std::mem::take(asks);
            self.drop_asks(asks, out);
        }
        let plan = Arc::clone(&self.plan.0);
        for step in plan.phase(phase).steps.iter().copied().filter(|step| plan.step(*step).held_for.is_some()) {
            self.unreleased.remove(&step);
            if self.job(step).is_some_and(|job| job.goal == Goal::Release) {
                self.halt_job(step, true, out);
            }
        }
    }

    /// Ends a step's job, or begins to: an attempt is stopped (or awaited), everything else is simply over.
    pub(crate) fn halt_job(&mut self, step: StepId, stop_attempts: bool, out: &mut Outbox) {
        let Some(job) = self.steps[step.index()].job.as_mut() else { return };
        if matches!(job.goal, Goal::Undo | Goal::Reopen) {
            return;
        }
        let part = job.part;
        match &mut job.state {
            JobState::Attempting { number, first } => {
                let (number, first) = (*number, *first);
                if stop_attempts {
                    job.state = JobState::Stopping { number, first };
                    self.leave_ramp(step, out);
                    self.unwatch_progress(AttemptId { step, part, number }, out);
                    if self.plan.0.step(step).on_stop == OnStop::Stop {
                        let attempt = AttemptId { step, part, number };
                        out.order(Command::StopAttempt { attempt });
                    }
                }
            }
            // It has been told to stop.
            JobState::Stalled { number, first } => {
                let (number, first) = (*number, *first);
                if stop_attempts {
                    job.state = JobState::Stopping { number, first };
                }
            }
            JobState::Stopping { .. } => {}
            JobState::Asking { .. }
            | JobState::AtGate
            | JobState::Waiting
            | JobState::Resting
            | JobState::Parked
            | JobState::AtValue(_)
            | JobState::Standing => {
                self.quiet_job(step, out);
                self.leave_ramp(step, out);
                self.drop_job(step);
            }
        }
    }

    /// Takes back whatever a job has open, attempts aside. Its caller says what becomes of it.
    pub(crate) fn quiet_job(&mut self, step: StepId, out: &mut Outbox) {
        let Some(job) = self.steps[step.index()].job.as_mut() else { return };
        let (part, tries) = (job.part, job.tries);
        match &mut job.state {
            JobState::Asking { asks, .. } => {
                let asks = std::mem::take(asks);
                self.drop_asks(asks, out);
            }
            JobState::AtGate => self.close_gate(step, out),
            JobState::Waiting => self.disarm(Deadline::Wait(step, part), out),
            JobState::Resting => self.disarm(Deadline::Retry { step, part, tries }, out),
            JobState::AtValue(_) => self.leave_value(step, out),
            JobState::Attempting { .. }
            | JobState::Stalled { .. }
            | JobState::Stopping { .. }
            | JobState::Parked
            | JobState::Standing => {}
        }
    }

    /// Gates elsewhere are taken off the screen; if the run goes on, they are opened again (R15).
    pub(super) fn close_other_gates(&mut self, out: &mut Outbox) {
        let open: Vec<StepId> = self.open_gates().collect();
        for step in open {
            self.close_gate(step, out);
            self.drop_job(step);
            self.steps[step.index()].outcome = StepOutcome::Pending;
            self.make_ready(step);
        }
    }
}
