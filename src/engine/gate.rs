//! Go/no-go questions to people (R15, R16).

use std::sync::Arc;

use super::state::JobState;
use super::{Answer, Cause, Command, Deadline, Engine, Notice, Origin, Outbox};
use crate::model::{Action, Gate, OnNo, StepId, StepOutcome};

impl Engine {
    pub(crate) fn is_at_gate(&self, step: StepId) -> bool {
        self.job(step).is_some_and(|job| job.state == JobState::AtGate)
    }

    pub(crate) fn open_gate(&mut self, step: StepId, out: &mut Outbox) {
        self.set_job_state(step, JobState::AtGate);
        out.tell(Notice::GateOpened { gate: step });
        out.order(Command::OpenGate { gate: step });
        self.arm(Deadline::GateExpiry(step), out);
    }

    /// Takes the question away: something else has happened.
    pub(crate) fn close_gate(&mut self, step: StepId, out: &mut Outbox) {
        out.order(Command::CloseGate { gate: step });
        out.tell(Notice::GateClosed { gate: step });
        self.disarm(Deadline::GateExpiry(step), out);
    }

    pub(crate) fn pass_gate(&mut self, step: StepId, answer: Answer, out: &mut Outbox) {
        if self.steps.get(step.index()).is_none() || !self.is_at_gate(step) {
            return;
        }
        out.order(Command::CloseGate { gate: step });
        self.disarm(Deadline::GateExpiry(step), out);
        out.tell(Notice::GateAnswered { gate: step, answer });
        match answer {
            Answer::Go => self.measure(step, false, out),
            Answer::NoGo => self.refuse_gate(step, Origin::NoGo(step), out),
        }
    }

    pub(crate) fn expire_gate(&mut self, step: StepId, out: &mut Outbox) {
        if !self.is_at_gate(step) {
            return;
        }
        out.order(Command::CloseGate { gate: step });
        out.tell(Notice::GateExpired { gate: step });
        self.refuse_gate(step, Origin::GateExpired(step), out);
    }

    fn refuse_gate(&mut self, step: StepId, origin: Origin, out: &mut Outbox) {
        self.drop_job(step);
        self.steps[step.index()].outcome = StepOutcome::Failed;
        self.failed.insert(step);
        out.tell(Notice::StepFailed { step, cause: Cause::NoGo });
        let plan = Arc::clone(&self.plan.0);
        let Action::Gate(Gate { on_no, expiry_pauses, .. }) = &plan.step(step).forward.action else { return };
        if matches!(origin, Origin::GateExpired(_)) && *expiry_pauses {
            return self.pause_for(origin, out);
        }
        match on_no {
            OnNo::Stop => self.stop_for(origin, out),
            OnNo::Pause => self.pause_for(origin, out),
            OnNo::Rollback(rollback) => self.order_rollback(origin, rollback, out),
        }
    }
}
