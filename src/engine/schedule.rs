//! What may begin, and what a settled step or phase sets free (R1, R3, R6, R7).

use std::ops::Bound;
use std::sync::Arc;

use petgraph::graph::NodeIndex;

use super::job::takes_slot;
use super::state::{Goal, JobEnd, JobState, Order, Pause, PhaseState, Stage, ThenKind, WayBack};
use super::{Cause, Command, Direction, Engine, Notice, Origin, Outbox};
use crate::model::{Action, Node, OnDoubt, Part, Policy, Rollback, RunOutcome, StepId, StepOutcome};

impl Engine {
    /// Begins whatever may begin now, until nothing more may; ends what is over.
    pub(crate) fn go_on(&mut self, out: &mut Outbox) {
        loop {
            let before = out.outputs().len();
            let stage_before = std::mem::discriminant(&self.stage);
            match &self.stage {
                Stage::Unborn | Stage::Preflight(_) | Stage::Ended(_) => {}
                Stage::Weighing(..) => self.weigh_again(out),
                Stage::Forward if self.pause.is_some() => {}
                Stage::Forward => self.go_forward(out),
                Stage::Rolling(_) => self.go_back(out),
                Stage::Ending(_) => self.go_to_end(out),
            }
            // Whatever began told so; when nothing was told, nothing began.
            if out.outputs().len() == before && std::mem::discriminant(&self.stage) == stage_before {
                break;
            }
        }
    }

    fn go_forward(&mut self, out: &mut Outbox) {
        if self.left == 0 {
            return self.begin_ending(RunOutcome::Succeeded, out);
        }
        self.mind_baseline(out);
        let phases = std::mem::take(&mut self.ready_phases);
        for phase in phases {
            self.open_phase(phase, out);
        }
        let parked: Vec<StepId> = self
            .active
            .iter()
            .copied()
            .filter(|step| {
                self.job(*step).is_some_and(|job| matches!(job.state, JobState::Parked | JobState::Standing))
            })
            .collect();
        for step in parked {
            self.unpark(step, out);
        }
        let mut slots = self.free_slots();
        let mut after = None;
        while self.may_act(Goal::Forward) {
            // Every ready step that takes no slot may begin in a full house.
            let from = if slots == 0 { &self.ready_slotless } else { &self.ready };
            let next = from.range((after.map_or(Bound::Unbounded, Bound::Excluded), Bound::Unbounded)).next().copied();
            let Some(step) = next else { break };
            after = Some(step);
            self.mind_baseline_before(step, out);
            if !self.may_begin(step) {
                continue;
            }
            self.unready(step);
            self.begin_step(step, out);
            let slot = takes_slot(&self.plan.0.step(step).forward);
            if slot && self.steps[step.index()].job.is_some() {
                slots -= 1;
            }
        }
    }

    fn free_slots(&self) -> usize {
        let most = self.plan.0.about().max_parallel as usize;
        let taken = self.active.iter().filter(|step| takes_slot(self.work_of(**step))).count();
        most.saturating_sub(taken)
    }

    fn work_of(&self, step: StepId) -> &crate::model::Work {
        let part = self.job(step).map_or(Part::Forward, |job| job.part);
        self.plan.0.step(step).work(part)
    }

    /// Whether an action of this kind may start now.
    pub(crate) fn may_act(&self, goal: Goal) -> bool {
        match goal {
            Goal::Forward => self.stage == Stage::Forward && self.pause.is_none(),
            Goal::Undo | Goal::Reopen => matches!(self.stage, Stage::Rolling(_)),
            Goal::Release => match &self.stage {
                Stage::Forward => self.pause.is_none(),
                Stage::Ending(_) => true,
                _ => false,
            },
        }
    }

    /// Whether something could begin without a person: a ready step or phase.
    pub(crate) fn may_go_on_alone(&self) -> bool {
        let ready = || self.ready.iter().any(|step| !self.waits_for_window(*step));
        self.pause.is_none() && (!self.ready_phases.is_empty() || ready())
    }

    /// R14 and R26: guards have held once, the window was judged again; and the baseline is there.
    pub(crate) fn may_begin(&self, step: StepId) -> bool {
        let kept_back = self.waits_for_window(step) || self.keeps_back(step);
        !kept_back && (!self.plan.0.step(step).has_effect() || self.guards_have_held(step))
    }

    /// Whether the window of a step's phase is being judged again.
    pub(crate) fn waits_for_window(&self, step: StepId) -> bool {
        let phase = self.plan.0.step(step).phase;
        phase.is_some_and(|phase| matches!(self.phases[phase.index()], PhaseState::Running { rechecking: true }))
    }

    pub(crate) fn make_ready(&mut self, step: StepId) {
        self.ready.insert(step);
        if !takes_slot(&self.plan.0.step(step).forward) {
            self.ready_slotless.insert(step);
        }
    }

    pub(crate) fn unready(&mut self, step: StepId) {
        self.ready.remove(&step);
        self.ready_slotless.remove(&step);
    }

    fn begin_step(&mut self, step: StepId, out: &mut Outbox) {
        if std::mem::take(&mut self.steps[step.index()].left_out) {
            return self.settle(step, StepOutcome::Skipped, out);
        }
        self.steps[step.index()].outcome = StepOutcome::Running;
        if self.plan.0.step(step).is_irreversible() && !self.is_gated(step) {
            return self.fail_step(step, Cause::Ungated, out);
        }
        self.begin_job(step, Part::Forward, Goal::Forward, out);
    }

    /// Whether a gate answered go stands before an irreversible step, or it says why none does (R12).
    fn is_gated(&self, step: StepId) -> bool {
        let plan = &self.plan.0;
        if let crate::model::WayHome::Irreversible { ungated: Some(_) } = &plan.step(step).way_home {
            return true;
        }
        let said_go = |other: &StepId| {
            matches!(plan.step(*other).forward.action, Action::Gate(_))
                && self.steps[other.index()].outcome == StepOutcome::Done
        };
        let phase_before = plan
            .step(step)
            .phase
            .into_iter()
            .flat_map(|phase| &plan.phase(phase).needs)
            .flat_map(|before| &plan.phase(*before).steps);
        plan.step(step).needs.iter().any(said_go) || phase_before.into_iter().any(said_go)
    }

    /// A node waits for nothing any more.
    pub(crate) fn node_ready(&mut self, node: Node, out: &mut Outbox) {
        match node {
            Node::PhaseStart(phase) => {
                self.ready_phases.insert(phase);
            }
            Node::Step(step) => {
                self.make_ready(step);
                self.mind_guards_of_step(step, out);
            }
            // Measuring it would be something new.
            Node::PhaseEnd(_) if matches!(self.stage, Stage::Ending(_)) => {}
            Node::PhaseEnd(phase) => self.measure_phase(phase, out),
        }
    }

    /// A node is over: what waited for it alone may begin.
    pub(crate) fn node_over(&mut self, node: NodeIndex, out: &mut Outbox) {
        if std::mem::replace(&mut self.over[node.index()], true) {
            return;
        }
        self.left -= 1;
        let plan = Arc::clone(&self.plan.0);
        for behind in plan.graph().neighbors(node) {
            let blocked = &mut self.blocked[behind.index()];
            *blocked = blocked.saturating_sub(1);
            if *blocked == 0 && !self.over[behind.index()] && !self.is_taken_back(behind) {
                self.node_ready(plan.graph()[behind], out);
            }
        }
    }

    /// Whether a rollback takes this node back: what it waits for is counted again at its end.
    pub(crate) fn is_taken_back(&self, node: NodeIndex) -> bool {
        matches!(&self.stage, Stage::Rolling(rolling) if rolling.scope[node.index()])
    }

    /// A step's way forward is over.
    pub(crate) fn end_forward(&mut self, step: StepId, end: JobEnd, out: &mut Outbox) {
        match end {
            JobEnd::Done => self.settle(step, StepOutcome::Done, out),
            JobEnd::Found => {
                self.steps[step.index()].in_effect = self.plan.0.step(step).undo_found;
                self.settle(step, StepOutcome::Found, out);
            }
            JobEnd::Skipped => self.settle(step, StepOutcome::Skipped, out),
            JobEnd::Failed(cause) => self.fail_step(step, cause, out),
        }
    }

    /// A step satisfies what needs it.
    pub(crate) fn settle(&mut self, step: StepId, outcome: StepOutcome, out: &mut Outbox) {
        let state = &mut self.steps[step.index()];
        state.outcome = outcome;
        state.was_done = outcome == StepOutcome::Done || (outcome == StepOutcome::Found && state.in_effect);
        self.failed.remove(&step);
        out.tell(Notice::StepSettled { step, outcome });
        self.watch_way_back(step, out);
        let was_people = matches!(self.plan.0.step(step).forward.action, Action::Gate(_) | Action::Manual(_));
        if was_people {
            self.recheck_window(step, out);
        }
        self.node_over(self.plan.0.step_node(step), out);
        if self.stage == Stage::Forward {
            self.mind_guards_of_step(step, out);
        }
    }

    fn watch_way_back(&mut self, step: StepId, out: &mut Outbox) {
        let has_require = self.plan.0.step(step).undo().iter().any(|undo| !undo.require.is_empty());
        let state = &mut self.steps[step.index()];
        if has_require && state.was_done && state.in_effect && state.way_back == WayBack::Unwatched {
            state.way_back = WayBack::Watched(None);
            out.order(Command::WatchWayBack { step });
        }
    }

    pub(crate) fn unwatch_way_back(&mut self, step: StepId, out: &mut Outbox) {
        if std::mem::replace(&mut self.steps[step.index()].way_back, WayBack::Unwatched) != WayBack::Unwatched {
            out.order(Command::UnwatchWayBack { step });
        }
    }

    /// A step failed for good: its policy follows (R7).
    pub(crate) fn fail_step(&mut self, step: StepId, cause: Cause, out: &mut Outbox) {
        self.steps[step.index()].outcome = if matches!(cause, Cause::InDoubt | Cause::NotKnown | Cause::Stalled(_)) {
            StepOutcome::Unknown
        } else {
            StepOutcome::Failed
        };
        out.tell(Notice::StepFailed { step, cause });
        let plan = Arc::clone(&self.plan.0);
        if cause == Cause::InDoubt {
            self.failed.insert(step);
            let origin = Origin::StepInDoubt(step);
            return match plan.step(step).on_doubt {
                OnDoubt::Rollback => self.order_rollback(origin, &Rollback::TO_START, out),
                OnDoubt::Pause | OnDoubt::Rerun => self.pause_for(origin, out),
            };
        }
        if plan.step(step).on_failure == Policy::Continue {
            return self.settle(step, StepOutcome::Tolerated, out);
        }
        self.failed.insert(step);
        self.follow(&plan.step(step).on_failure, Origin::StepFailed(step), out);
    }

    /// Carries out a policy; `Continue` is the caller's.
    pub(crate) fn follow(&mut self, policy: &Policy, origin: Origin, out: &mut Outbox) {
        match policy {
            Policy::Rollback(rollback) => self.order_rollback(origin, rollback, out),
            Policy::Pause => self.pause_for(origin, out),
            Policy::Stop => self.stop_for(origin, out),
            Policy::Continue => {}
        }
    }

    /// Goes back as the policy at this origin asks for: `rollback`, or what is in force of its `else` by now.
    pub(crate) fn order_rollback(&mut self, origin: Origin, rollback: &Rollback, out: &mut Outbox) {
        let plan = Arc::clone(&self.plan.0);
        let rollback = self.rung(origin).rollback(&plan).unwrap_or(rollback);
        let then = ThenKind::of(&rollback.then);
        self.begin_rollback(Order { target: rollback.target, then, origin, force: false }, out);
    }

    /// Nothing new starts; an operator decides. During a rollback: it will end in a pause at least. A run that ends starts
    /// nothing anyway; only a bracket that does not close keeps it from its end.
    pub(crate) fn pause_for(&mut self, origin: Origin, out: &mut Outbox) {
        match &mut self.stage {
            Stage::Rolling(_) => self.tighten(ThenKind::Pause, out),
            Stage::Weighing(order, _) => order.then = order.then.max(ThenKind::Pause),
            Stage::Ending(_) if !matches!(origin, Origin::BracketFailed(_)) => {}
            Stage::Forward | Stage::Ending(_) => self.pause_at(Pause { origin, behind: None, shut: None }, out),
            Stage::Unborn | Stage::Preflight(_) | Stage::Ended(_) => {}
        }
    }

    pub(crate) fn pause_at(&mut self, pause: Pause, out: &mut Outbox) {
        let first = self.pause.unwrap_or(pause);
        // A decision about a failed step does not lift a pause that is for more than that.
        let is_for_more = first.origin.failed_step().is_some() && pause.origin.failed_step().is_none();
        if self.pause.is_none() || is_for_more || pause.behind.is_some() || pause.shut.is_some() {
            let origin = if first.origin.failed_step().is_some() { pause.origin } else { first.origin };
            self.pause = Some(Pause { origin, ..pause });
            out.tell(Notice::RunPaused { origin: pause.origin, behind: pause.behind, shut: pause.shut });
        }
    }

    /// Nothing new starts, and the run ends when what runs has ended. During a rollback: it will end there.
    pub(crate) fn stop_for(&mut self, origin: Origin, out: &mut Outbox) {
        match &mut self.stage {
            Stage::Rolling(_) => self.tighten(ThenKind::Stop, out),
            Stage::Weighing(order, _) => order.then = ThenKind::Stop,
            Stage::Forward => {
                out.tell(Notice::RunStopping { origin, on: Direction::Forward });
                self.begin_ending(RunOutcome::Stopped, out);
            }
            Stage::Unborn | Stage::Preflight(_) | Stage::Ending(_) | Stage::Ended(_) => {}
        }
    }

    /// An attempt that a rollback or an ending awaited is over.
    pub(crate) fn note_stopped(&mut self, step: StepId, out: &mut Outbox) {
        self.reopen_bracket(step, out);
        let node = self.plan.0.step_node(step);
        self.mind_cleared(&[node], out);
    }
}
