//! Phases: windows, `require`, criteria, time bounds (R2a, R3, R26).

use std::sync::Arc;

use super::state::{BaselineState, Goal, JobState, Judgement, PhaseState, Stage};
use super::{Asked, Cause, Command, Deadline, Engine, Notice, Origin, Outbox};
use crate::model::{Action, Bracket, OnClose, Part, PhaseId, Policy, Rollback, StepId};

impl Engine {
    /// A phase waits for nothing but its window and its `require`.
    pub(crate) fn open_phase(&mut self, phase: PhaseId, out: &mut Outbox) {
        if self.plan.0.phase(phase).window.is_some() {
            self.phases[phase.index()] = PhaseState::AtWindow;
            out.order(Command::CheckWindow { phase });
        } else {
            self.start_phase(phase, out);
        }
    }

    /// Whether a phase may start, or go on after a wait for people.
    pub(crate) fn take_window(&mut self, phase: PhaseId, open: bool, out: &mut Outbox) {
        let may_start = self.may_act(Goal::Forward);
        let Some(state) = self.phases.get_mut(phase.index()) else { return };
        match (state, open) {
            (PhaseState::AtWindow | PhaseState::Running { rechecking: true }, false) => {
                out.tell(Notice::PhaseWaiting { phase });
            }
            // Else it is judged again when the run goes on.
            (PhaseState::AtWindow, true) if may_start => self.start_phase(phase, out),
            (state @ PhaseState::Running { rechecking: true }, true) => {
                *state = PhaseState::Running { rechecking: false };
                out.order(Command::WatchWindow { phase });
            }
            _ => {}
        }
    }

    fn start_phase(&mut self, phase: PhaseId, out: &mut Outbox) {
        out.tell(Notice::PhaseStarted { phase });
        if self.plan.0.phase(phase).window.is_some() {
            out.order(Command::WatchWindow { phase });
        }
        self.arm(Deadline::Phase(phase), out);
        self.prepare_phase(phase, out);
        self.mind_guards(out);
    }

    /// Before its first step: the baseline where it is to be taken now, then its `require`.
    fn prepare_phase(&mut self, phase: PhaseId, out: &mut Outbox) {
        if self.waits_for_baseline(phase) {
            self.phases[phase.index()] = PhaseState::AtBaseline;
        } else {
            self.require_phase(phase, out);
        }
    }

    pub(crate) fn require_phase(&mut self, phase: PhaseId, out: &mut Outbox) {
        let count = self.plan.0.phase(phase).require.len();
        if count == 0 {
            return self.run_phase(phase, out);
        }
        let asks = self.ask_all(count, |n| Asked::PhaseRequire(phase, n), out);
        self.phases[phase.index()] = PhaseState::Requiring(asks);
    }

    fn run_phase(&mut self, phase: PhaseId, out: &mut Outbox) {
        self.phases[phase.index()] = PhaseState::Running { rechecking: false };
        self.node_over(self.plan.0.phase_nodes(phase).0, out);
    }

    pub(crate) fn end_phase_require(&mut self, phase: PhaseId, judgement: Judgement, out: &mut Outbox) {
        match judgement {
            Judgement::Open => {}
            Judgement::Hold => self.run_phase(phase, out),
            Judgement::Fail(question) | Judgement::NoData(question) => {
                self.fail_phase(phase, Cause::Condition(question), out);
            }
            Judgement::Late(question) => self.fail_phase(phase, Cause::NotInTime(question), out),
        }
    }

    /// All steps of a phase are settled.
    pub(crate) fn measure_phase(&mut self, phase: PhaseId, out: &mut Outbox) {
        let count = self.plan.0.phase(phase).success.len();
        if count == 0 {
            return self.close_phase(phase, out);
        }
        let asks = self.ask_all(count, |n| Asked::PhaseSuccess(phase, n), out);
        self.phases[phase.index()] = PhaseState::Measuring(asks);
    }

    pub(crate) fn end_phase_success(&mut self, phase: PhaseId, judgement: Judgement, out: &mut Outbox) {
        match judgement {
            Judgement::Open => {}
            Judgement::Hold => self.close_phase(phase, out),
            Judgement::Fail(question) | Judgement::NoData(question) => {
                self.fail_phase(phase, Cause::Condition(question), out);
            }
            Judgement::Late(question) => self.fail_phase(phase, Cause::NotInTime(question), out),
        }
    }

    /// The criteria of a phase were measured: its brackets are closed, one by one, then it is over (R12a).
    pub(crate) fn close_phase(&mut self, phase: PhaseId, out: &mut Outbox) {
        self.phases[phase.index()] = PhaseState::Closing;
        let plan = Arc::clone(&self.plan.0);
        let held = plan
            .phase(phase)
            .steps
            .iter()
            .rev()
            .copied()
            .find(|step| self.steps[step.index()].in_effect && plan.step(*step).held_for == Some(Bracket::Phase));
        match held {
            Some(step) => self.release_bracket(step, out),
            None => self.end_phase(phase, out),
        }
    }

    fn end_phase(&mut self, phase: PhaseId, out: &mut Outbox) {
        self.phases[phase.index()] = PhaseState::Done;
        self.disarm(Deadline::Phase(phase), out);
        if self.plan.0.phase(phase).window.is_some() {
            out.order(Command::ForgetWindow { phase });
        }
        out.tell(Notice::PhaseSucceeded { phase });
        self.node_over(self.plan.0.phase_nodes(phase).1, out);
        self.mind_guards(out);
        if self.hold_after == Some(phase) && self.left > 0 {
            self.pause_for(Origin::Until(phase), out);
        }
    }

    pub(crate) fn release_bracket(&mut self, step: StepId, out: &mut Outbox) {
        if self.unreleased.contains(&step) || self.job(step).is_some() {
            return;
        }
        out.tell(Notice::BracketClosing { step });
        self.unwatch_way_back(step, out);
        self.begin_job(step, Part::Undo(0), Goal::Release, out);
    }

    pub(crate) fn fail_phase(&mut self, phase: PhaseId, cause: Cause, out: &mut Outbox) {
        out.tell(Notice::PhaseFailed { phase, cause });
        let at_baseline = self.phases[phase.index()] == PhaseState::AtBaseline;
        let before = at_baseline || matches!(self.phases[phase.index()], PhaseState::Requiring(_));
        let plan = Arc::clone(&self.plan.0);
        if plan.phase(phase).on_failure == Policy::Continue {
            return match (at_baseline, before) {
                (true, _) => self.forgo_baseline(),
                (false, true) => self.run_phase(phase, out),
                (false, false) => self.close_phase(phase, out),
            };
        }
        self.phases[phase.index()] = PhaseState::Failed { before };
        self.follow(&plan.phase(phase).on_failure, Origin::PhaseFailed(phase), out);
    }

    /// `timeout` of a phase has passed (R2a).
    pub(crate) fn time_out_phase(&mut self, phase: PhaseId, out: &mut Outbox) {
        if !matches!(self.stage, Stage::Forward) {
            return;
        }
        out.tell(Notice::PhaseFailed { phase, cause: Cause::Timeout });
        let plan = Arc::clone(&self.plan.0);
        self.follow(&plan.phase(phase).on_failure, Origin::PhaseFailed(phase), out);
    }

    /// An operator lets failed phases be measured again. A run that ends measures none.
    pub(crate) fn retry_phases(&mut self, out: &mut Outbox) {
        let plan = Arc::clone(&self.plan.0);
        for phase in plan.phase_ids().filter(|_| self.stage == Stage::Forward).collect::<Vec<_>>() {
            match self.phases[phase.index()] {
                PhaseState::Failed { before: true } => self.prepare_phase(phase, out),
                PhaseState::Failed { before: false } => self.measure_phase(phase, out),
                PhaseState::AtBaseline
                | PhaseState::Requiring(_)
                | PhaseState::Running { .. }
                | PhaseState::Measuring(_) => {
                    // A bound that passed is given once more.
                    self.arm(Deadline::Phase(phase), out);
                }
                PhaseState::Waiting | PhaseState::AtWindow | PhaseState::Closing | PhaseState::Done => {}
            }
        }
        self.arm(Deadline::Run, out);
    }

    /// A window closed while its phase runs.
    pub(crate) fn close_window(&mut self, phase: PhaseId, out: &mut Outbox) {
        let runs = matches!(
            self.phases.get(phase.index()),
            Some(
                PhaseState::AtBaseline
                    | PhaseState::Requiring(_)
                    | PhaseState::Running { .. }
                    | PhaseState::Measuring(_)
                    | PhaseState::Closing
            )
        );
        let Some(window) = self.plan.0.phases().get(phase.index()).and_then(|of_plan| of_plan.window.as_ref()) else {
            return;
        };
        if !runs || self.stage != Stage::Forward {
            return;
        }
        out.tell(Notice::WindowClosed { phase });
        match window.on_close {
            OnClose::Finish => {}
            OnClose::Pause => self.pause_for(Origin::WindowClosed(phase), out),
            OnClose::Rollback => self.order_rollback(Origin::WindowClosed(phase), &Rollback::TO_START, out),
        }
    }

    /// After a wait for people the window and the latest safe start are judged again (R26).
    pub(crate) fn recheck_window(&mut self, step: StepId, out: &mut Outbox) {
        if let Some(phase) = self.plan.0.step(step).phase {
            self.recheck_window_of(phase, out);
        }
    }

    pub(crate) fn recheck_windows(&mut self, out: &mut Outbox) {
        for phase in self.plan.0.phase_ids() {
            self.recheck_window_of(phase, out);
        }
    }

    fn recheck_window_of(&mut self, phase: PhaseId, out: &mut Outbox) {
        if self.plan.0.phase(phase).window.is_none() {
            return;
        }
        match &mut self.phases[phase.index()] {
            state @ PhaseState::Running { .. } => *state = PhaseState::Running { rechecking: true },
            PhaseState::AtWindow => {}
            PhaseState::Waiting
            | PhaseState::AtBaseline
            | PhaseState::Requiring(_)
            | PhaseState::Measuring(_)
            | PhaseState::Closing
            | PhaseState::Done
            | PhaseState::Failed { .. } => return,
        }
        out.order(Command::CheckWindow { phase });
    }

    /// Whether what a step is doing is the machine's to do.
    pub(crate) fn is_machine_work(&self, step: StepId) -> bool {
        let of_plan = self.plan.0.step(step);
        self.job(step).is_some_and(|job| match &job.state {
            JobState::AtGate => false,
            JobState::Parked => self.may_act(job.goal) && !self.waits_for_window(step),
            JobState::Standing => self.may_act(job.goal),
            JobState::AtValue(_) => !self.is_kept_by_people(step),
            JobState::Attempting { .. } | JobState::Stalled { .. } | JobState::Stopping { .. } => {
                !matches!(of_plan.work(job.part).action, Action::Manual(_))
            }
            JobState::Asking { .. } | JobState::Waiting | JobState::Resting => true,
        })
    }

    /// Whether the machine has something to do, in one phase or anywhere: else its clocks stand still (R2a).
    pub(crate) fn has_machine_work(&self, phase: Option<PhaseId>) -> bool {
        let steps = self
            .active
            .iter()
            .any(|step| (phase.is_none() || self.plan.0.step(*step).phase == phase) && self.is_machine_work(*step));
        let measures = |state: &PhaseState| match state {
            PhaseState::Requiring(_) | PhaseState::Measuring(_) => true,
            PhaseState::Waiting
            | PhaseState::AtWindow
            | PhaseState::AtBaseline
            | PhaseState::Running { .. }
            | PhaseState::Closing
            | PhaseState::Done
            | PhaseState::Failed { .. } => false,
        };
        let before = self.plan.0.baseline().and_then(|baseline| baseline.before);
        let baseline = matches!(self.baseline, BaselineState::Sampling | BaselineState::Requiring(_))
            && (phase.is_none() || phase == before);
        steps
            || baseline
            || phase.map_or_else(|| self.phases.iter().any(measures), |phase| measures(&self.phases[phase.index()]))
    }
}
