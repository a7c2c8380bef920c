//! The baseline: taken just before a stated phase, or the first step with an effect, and kept for the whole run (R11).
//!
//! Nothing that it is to come before starts until it is there and healthy. A rollback that takes its phase back, or the end
//! of the run, breaks off the taking of it; what was taken stays.

use std::sync::Arc;

use super::state::{BaselineState, Judgement, PhaseState, Stage};
use super::{Asked, Cause, Command, Engine, Notice, Outbox};
use crate::model::{PhaseId, RunOutcome, StepId};

impl Engine {
    /// Whether a phase must wait for the baseline before anything else of it happens.
    pub(crate) fn waits_for_baseline(&self, phase: PhaseId) -> bool {
        let baseline = self.plan.0.baseline();
        baseline.is_some_and(|baseline| baseline.before == Some(phase)) && self.baseline != BaselineState::Taken
    }

    /// Whether a step with an effect must wait for the baseline. Where that is taken before a phase, the phase waits.
    pub(crate) fn keeps_back(&self, step: StepId) -> bool {
        let plan = &self.plan.0;
        plan.step(step).has_effect()
            && plan.baseline().is_some_and(|baseline| baseline.before.is_none())
            && self.baseline != BaselineState::Taken
    }

    /// On the way forward: takes the baseline if its phase has come, and lets go on what waited for it.
    pub(crate) fn mind_baseline(&mut self, out: &mut Outbox) {
        let Some(before) = self.plan.0.baseline().map(|baseline| baseline.before) else { return };
        if self.baseline == BaselineState::Healthy {
            self.baseline = BaselineState::Taken;
            // Those that read it could not hold before.
            self.mind_guards(out);
        }
        let waiting = before.filter(|phase| self.phases[phase.index()] == PhaseState::AtBaseline);
        match (&self.baseline, waiting) {
            (BaselineState::Untaken, Some(_)) => self.begin_baseline(out),
            (BaselineState::Taken, Some(phase)) => self.require_phase(phase, out),
            (BaselineState::Untaken | BaselineState::Taken, None)
            | (BaselineState::Sampling | BaselineState::Requiring(_) | BaselineState::Healthy, _) => {}
        }
    }

    /// A step that could begin is kept back by the baseline alone: now is just before it.
    pub(crate) fn mind_baseline_before(&mut self, step: StepId, out: &mut Outbox) {
        if self.baseline == BaselineState::Untaken && self.keeps_back(step) && !self.waits_for_window(step) {
            self.begin_baseline(out);
        }
    }

    fn begin_baseline(&mut self, out: &mut Outbox) {
        self.baseline = BaselineState::Sampling;
        out.tell(Notice::BaselineStarted);
        out.order(Command::TakeBaseline);
    }

    /// What its phase waited for is not needed any more, or not now: it is taken anew when its time comes again.
    pub(crate) fn drop_baseline(&mut self, out: &mut Outbox) {
        match std::mem::replace(&mut self.baseline, BaselineState::Untaken) {
            BaselineState::Sampling => out.order(Command::DropBaseline),
            BaselineState::Requiring(asks) => self.drop_asks(asks, out),
            BaselineState::Untaken => {}
            done @ (BaselineState::Healthy | BaselineState::Taken) => self.baseline = done,
        }
    }

    /// Every probe of it has been sampled, and gave data.
    pub(crate) fn take_baseline(&mut self, out: &mut Outbox) {
        let Some(count) = self.plan.0.baseline().map(|baseline| baseline.require.len()) else { return };
        if self.baseline != BaselineState::Sampling {
            return;
        }
        out.tell(Notice::BaselineTaken);
        let asks = self.ask_all(count, Asked::BaselineRequire, out);
        self.baseline = if count == 0 { BaselineState::Healthy } else { BaselineState::Requiring(asks) };
    }

    /// Every probe of it has been sampled, and one of them gave no data at all.
    pub(crate) fn miss_baseline(&mut self, out: &mut Outbox) {
        if self.baseline == BaselineState::Sampling {
            self.reject_baseline(Cause::NoSample, out);
        }
    }

    pub(crate) fn end_baseline_require(&mut self, judgement: Judgement, out: &mut Outbox) {
        match judgement {
            Judgement::Open => {}
            Judgement::Hold => self.baseline = BaselineState::Healthy,
            Judgement::Fail(question) | Judgement::NoData(question) => {
                self.reject_baseline(Cause::Condition(question), out);
            }
            Judgement::Late(question) => self.reject_baseline(Cause::NotInTime(question), out),
        }
    }

    /// It is not healthy: the run is refused where nothing has been changed yet, else its phase fails.
    fn reject_baseline(&mut self, cause: Cause, out: &mut Outbox) {
        self.baseline = BaselineState::Untaken;
        out.tell(Notice::BaselineRejected { cause });
        // On the way back nothing follows from it: it is taken anew when the way forward is open again.
        if self.stage != Stage::Forward {
            return;
        }
        let before = Arc::clone(&self.plan.0).baseline().and_then(|baseline| baseline.before);
        match before {
            Some(phase) if self.touched => self.fail_phase(phase, cause, out),
            // Without a phase it comes before every effect.
            Some(_) | None => self.begin_ending(RunOutcome::Refused, out),
        }
    }

    /// Its phase goes on without a healthy one (`on_failure = "continue"`).
    pub(crate) fn forgo_baseline(&mut self) {
        self.baseline = BaselineState::Healthy;
    }

    /// Whether a guard reads a baseline that is not there: it would have no data, and sleeps.
    pub(crate) fn lacks_its_baseline(&self, guard: crate::model::GuardId) -> bool {
        let plan = &self.plan.0;
        let watched = plan.guard(guard).rule.condition();
        watched.is_some_and(|it| plan.condition(it.require).reads_baseline) && self.baseline != BaselineState::Taken
    }
}
