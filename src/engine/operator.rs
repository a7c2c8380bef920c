//! Orders of operators (R7, R10, R17).

use std::sync::Arc;

use super::state::{Goal, Order, Pause, Reach, Stage, ThenKind};
use super::{Act, Direction, Engine, Notice, Origin, Outbox};
use crate::model::{Action, Part, RunOutcome, StepId, StepOutcome, Target};

impl Engine {
    pub(crate) fn obey(&mut self, act: &Act, out: &mut Outbox) {
        let obeyed = match *act {
            Act::Pause => self.obey_pause(out),
            Act::Resume => self.obey_resume(out),
            Act::Stop => self.obey_stop(out),
            Act::Rollback { target, force } => self.obey_rollback(target, force, out),
            Act::Retry { step } => self.is_known(step) && self.obey_retry(step, out),
            Act::MarkDone { step } => self.is_known(step) && self.obey_mark_done(step, out),
            Act::Skip { step } => self.is_known(step) && self.obey_skip(step, out),
            Act::Hold { step } => self.is_known(step) && self.obey_hold(step, out),
            Act::Advance { step } => self.is_known(step) && self.obey_advance(step, out),
            Act::HoldAfter { phase } => {
                self.hold_after = phase;
                true
            }
            Act::Close => {
                let ended = matches!(self.stage, Stage::Ended(_));
                if ended {
                    self.close_way_back(out);
                }
                ended
            }
        };
        if !obeyed {
            out.tell(Notice::OrderIgnored);
        }
    }

    fn is_known(&self, step: StepId) -> bool {
        step.index() < self.steps.len()
    }

    fn obey_pause(&mut self, out: &mut Outbox) -> bool {
        let possible = self.stage == Stage::Forward && self.pause.is_none();
        if possible {
            self.pause_at(Pause { origin: Origin::Operator, behind: None, shut: None }, out);
        }
        possible
    }

    fn obey_resume(&mut self, out: &mut Outbox) -> bool {
        if let Stage::Rolling(rolling) = &self.stage
            && rolling.reach == Reach::Unverified
        {
            self.measure_target(out);
            return true;
        }
        // A gate that was answered no, or by nobody, is asked again; other failed steps need a decision of their own.
        let gates: Vec<StepId> = self.failed.iter().copied().filter(|step| self.is_gate(*step)).collect();
        if self.pause.is_none() || gates.len() < self.failed.len() || !self.unreleased.is_empty() {
            return false;
        }
        for gate in gates {
            self.put_back(gate);
        }
        self.lift_pause(out);
        self.retry_phases(out);
        true
    }

    fn is_gate(&self, step: StepId) -> bool {
        matches!(self.plan.0.step(step).forward.action, Action::Gate(_))
    }

    /// A step that has failed may begin again.
    fn put_back(&mut self, step: StepId) {
        self.failed.remove(&step);
        self.steps[step.index()].outcome = StepOutcome::Pending;
        self.make_ready(step);
    }

    fn lift_pause(&mut self, out: &mut Outbox) {
        if self.pause.take().is_some() {
            out.tell(Notice::RunContinued);
            if self.stage == Stage::Forward {
                self.watch_anew(out);
                self.recheck_windows(out);
            }
        }
    }

    /// A failed step has been decided on. The pause was for it: it waits for the next one, or is over.
    fn lift_pause_if_decided(&mut self, step: StepId, out: &mut Outbox) {
        let Some(pause) = self.pause.as_mut().filter(|pause| pause.origin.failed_step() == Some(step)) else { return };
        if let Some(other) = self.failed.first() {
            pause.origin = Origin::StepFailed(*other);
        } else if let Some(other) = self.unreleased.first() {
            pause.origin = Origin::BracketFailed(*other);
        } else {
            self.lift_pause(out);
        }
    }

    fn obey_stop(&mut self, out: &mut Outbox) -> bool {
        match &self.stage {
            // A run that is stuck may be given up: it ends where it is, and can be rolled back further later.
            Stage::Rolling(rolling) if rolling.is_stuck() => {
                self.on = Direction::Back;
                out.tell(Notice::RunStopping { origin: Origin::Operator, on: Direction::Back });
                self.begin_ending(RunOutcome::Stopped, out);
                true
            }
            Stage::Forward | Stage::Rolling(_) | Stage::Weighing(..) => {
                self.stop_for(Origin::Operator, out);
                true
            }
            Stage::Ending(_) if self.pause.is_some() => {
                self.begin_ending(RunOutcome::Stopped, out);
                true
            }
            Stage::Preflight(asks) => {
                let asks = asks.clone();
                self.drop_asks(asks, out);
                self.end(RunOutcome::Stopped, out);
                true
            }
            Stage::Unborn | Stage::Ending(_) | Stage::Ended(_) => false,
        }
    }

    fn obey_rollback(&mut self, target: Target, force: bool, out: &mut Outbox) -> bool {
        let known = match target {
            Target::Start => true,
            Target::Step(step) => self.is_known(step),
            Target::Phase(phase) => phase.index() < self.phases.len(),
        };
        if !known || !self.was_reached(target) || matches!(self.stage, Stage::Unborn | Stage::Preflight(_)) {
            return false;
        }
        let order = Order { target, then: ThenKind::Stop, origin: Origin::Operator, force };
        self.begin_rollback(order, out);
        true
    }

    /// Only what was reached can be returned to; what is being taken back lies behind a place that was.
    fn was_reached(&self, target: Target) -> bool {
        let node = match target {
            Target::Start => return true,
            Target::Step(step) => self.plan.0.step_node(step),
            Target::Phase(phase) => self.plan.0.phase_nodes(phase).1,
        };
        self.over[node.index()] || self.is_taken_back(node)
    }

    /// A bracket whose closing failed, and whose fate is not a rollback's.
    fn is_unreleased(&self, step: StepId) -> bool {
        self.unreleased.contains(&step) && matches!(self.stage, Stage::Forward | Stage::Ending(_))
    }

    fn obey_retry(&mut self, step: StepId, out: &mut Outbox) -> bool {
        if self.has_failed_undo(step) {
            self.resume_undo(step, out);
            return true;
        }
        if self.is_unreleased(step) {
            self.unreleased.remove(&step);
            self.lift_pause_if_decided(step, out);
            self.close_again(step, out);
            return true;
        }
        if !self.failed.contains(&step) || self.stage != Stage::Forward {
            return false;
        }
        if self.is_gate(step) || !self.steps[step.index()].in_effect {
            self.put_back(step);
            self.lift_pause_if_decided(step, out);
            return true;
        }
        self.failed.remove(&step);
        self.lift_pause_if_decided(step, out);
        self.steps[step.index()].outcome = StepOutcome::Running;
        self.begin_again(step, out);
        true
    }

    fn obey_mark_done(&mut self, step: StepId, out: &mut Outbox) -> bool {
        if self.has_failed_undo(step) {
            self.mark_undone(step, out);
            return true;
        }
        if self.is_unreleased(step) {
            self.note_released(step, out);
            self.lift_pause_if_decided(step, out);
            return true;
        }
        if !self.failed.contains(&step) || self.stage != Stage::Forward || self.is_gate(step) {
            return false;
        }
        self.failed.remove(&step);
        self.steps[step.index()].in_effect = true;
        self.touched |= self.plan.0.step(step).has_effect();
        self.lift_pause_if_decided(step, out);
        self.steps[step.index()].outcome = StepOutcome::Running;
        self.begin_measuring(step, Part::Forward, Goal::Forward, out);
        true
    }

    fn obey_skip(&mut self, step: StepId, out: &mut Outbox) -> bool {
        if self.has_failed_undo(step) {
            let reopening = matches!(&self.stage, Stage::Rolling(rolling) if rolling.reopening.contains(&step));
            if reopening {
                self.forgo_reopening(step, out);
            } else {
                self.end_undoing(step, StepOutcome::Skipped, out);
            }
            self.unstick();
            return true;
        }
        if self.is_unreleased(step) {
            self.note_released(step, out);
            self.lift_pause_if_decided(step, out);
            return true;
        }
        if self.stage != Stage::Forward {
            return false;
        }
        if self.failed.contains(&step) {
            self.settle(step, StepOutcome::Skipped, out);
            self.lift_pause_if_decided(step, out);
            return true;
        }
        let state = &mut self.steps[step.index()];
        let pending = state.outcome == StepOutcome::Pending && state.job.is_none();
        if pending {
            state.left_out = true;
        }
        pending
    }

    fn has_failed_undo(&self, step: StepId) -> bool {
        matches!(&self.stage, Stage::Rolling(rolling) if rolling.failed.contains(&step))
    }

    /// The rollback moves again.
    fn unstick(&mut self) {
        if let Stage::Rolling(rolling) = &mut self.stage
            && rolling.reach == Reach::Stuck
        {
            rolling.reach = Reach::Undoing;
        }
    }

    fn resume_undo(&mut self, step: StepId, out: &mut Outbox) {
        let mut reopening = false;
        if let Stage::Rolling(rolling) = &mut self.stage {
            rolling.failed.remove(&step);
            reopening = rolling.reopening.contains(&step);
        }
        self.unstick();
        if reopening {
            self.begin_job(step, Part::Forward, Goal::Reopen, out);
        } else {
            // All actions of an undo are idempotent: a list is done again from its beginning.
            self.begin_job(step, Part::Undo(0), Goal::Undo, out);
        }
    }

    /// A person has undone it: its criteria are still measured.
    fn mark_undone(&mut self, step: StepId, out: &mut Outbox) {
        let mut reopening = false;
        if let Stage::Rolling(rolling) = &mut self.stage {
            rolling.failed.remove(&step);
            reopening = rolling.reopening.contains(&step);
        }
        self.unstick();
        if reopening {
            return self.begin_measuring(step, Part::Forward, Goal::Reopen, out);
        }
        let last = self.plan.0.step(step).undo().len().saturating_sub(1);
        let part = Part::Undo(u16::try_from(last).expect("check allows no undo of 65,536 actions"));
        self.begin_measuring(step, part, Goal::Undo, out);
    }

    /// The rollback goes on inside a bracket that is closed.
    fn forgo_reopening(&mut self, step: StepId, out: &mut Outbox) {
        if let Stage::Rolling(rolling) = &mut self.stage {
            rolling.reopening.remove(&step);
            rolling.failed.remove(&step);
        }
        let node = self.plan.0.step_node(step);
        self.mind_cleared(&[node], out);
    }

    /// A bracket whose closing failed is closed again.
    fn close_again(&mut self, step: StepId, out: &mut Outbox) {
        let plan = Arc::clone(&self.plan.0);
        match plan.step(step).phase {
            Some(phase) if self.stage == Stage::Forward => self.close_phase(phase, out),
            _ => {}
        }
    }
}
