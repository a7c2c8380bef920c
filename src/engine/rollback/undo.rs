//! Undoing: which undo may start, what one that ended sets free, and when nothing moves any more (R8, R10).

use std::sync::Arc;

use petgraph::graph::NodeIndex;

use crate::engine::job::takes_slot;
use crate::engine::state::{Goal, JobEnd, JobState, PhaseState, Reach, Stage};
use crate::engine::{Cause, Engine, Notice, Outbox};
use crate::model::{Node, Part, StepId, StepOutcome};

impl Engine {
    /// Looks at these nodes, and at all that they set free in turn: what has nothing to undo is cleared at once, what has
    /// may be undone.
    pub(crate) fn mind_cleared(&mut self, nodes: &[NodeIndex], out: &mut Outbox) {
        let plan = Arc::clone(&self.plan.0);
        let mut look: Vec<NodeIndex> = nodes.to_vec();
        while let Some(node) = look.pop() {
            let Stage::Rolling(rolling) = &mut self.stage else { return };
            let at = node.index();
            if !rolling.scope[at] || rolling.cleared[at] || rolling.waits[at] > 0 {
                continue;
            }
            if let Node::Step(step) = plan.graph()[node] {
                let state = &self.steps[step.index()];
                if state.job.is_some() || rolling.failed.contains(&step) || rolling.reopening.contains(&step) {
                    continue;
                }
                if state.in_effect && !plan.step(step).undo().is_empty() {
                    rolling.ready.insert(step);
                    continue;
                }
            }
            look.extend(self.clear(node, out));
        }
    }

    /// Nothing of this node is left. Returns those that waited for it.
    fn clear(&mut self, node: NodeIndex, out: &mut Outbox) -> Vec<NodeIndex> {
        let plan = Arc::clone(&self.plan.0);
        let Stage::Rolling(rolling) = &mut self.stage else { return Vec::new() };
        rolling.cleared[node.index()] = true;
        rolling.left -= 1;
        if std::mem::replace(&mut self.over[node.index()], false) {
            self.left += 1;
        }
        for waiter in plan.undo_waiters(node) {
            let waits = &mut rolling.waits[waiter.index()];
            *waits = waits.saturating_sub(1);
        }
        match plan.graph()[node] {
            Node::Step(step) => {
                self.unwatch_way_back(step, out);
                let seen = self.steps[step.index()].outcome != StepOutcome::Pending;
                if seen {
                    self.forget(step, out);
                }
            }
            Node::PhaseEnd(phase) => match self.phases[phase.index()] {
                PhaseState::Measuring(_)
                | PhaseState::Closing
                | PhaseState::Done
                | PhaseState::Failed { before: false } => {
                    self.phases[phase.index()] = PhaseState::Running { rechecking: false };
                }
                PhaseState::Waiting
                | PhaseState::AtWindow
                | PhaseState::AtBaseline
                | PhaseState::Requiring(_)
                | PhaseState::Running { .. }
                | PhaseState::Failed { before: true } => {}
            },
            Node::PhaseStart(phase) => self.reset_phase(phase, out),
        }
        plan.undo_waiters(node).to_vec()
    }

    /// Starts undos that may start; measures the target when all is undone; says so when nothing moves.
    pub(crate) fn go_back(&mut self, out: &mut Outbox) {
        let most = self.plan.0.about().max_parallel as usize;
        loop {
            let Stage::Rolling(rolling) = &self.stage else { return };
            if !rolling.reopening.is_empty() {
                break;
            }
            let taken = self.active.iter().filter(|step| self.goes_back(**step)).count();
            let next = rolling
                .ready
                .iter()
                .copied()
                .find(|step| taken < most || !takes_slot(&self.plan.0.step(*step).undo()[0]));
            let Some(step) = next else { break };
            if let Stage::Rolling(rolling) = &mut self.stage {
                rolling.ready.remove(&step);
                rolling.reach = Reach::Undoing;
            }
            self.begin_job(step, Part::Undo(0), Goal::Undo, out);
        }
        self.mind_reach(out);
    }

    fn goes_back(&self, step: StepId) -> bool {
        self.job(step).is_some_and(|job| matches!(job.goal, Goal::Undo | Goal::Reopen))
    }

    fn mind_reach(&mut self, out: &mut Outbox) {
        let Stage::Rolling(rolling) = &self.stage else { return };
        if rolling.reach != Reach::Undoing {
            return;
        }
        if rolling.left == 0 && rolling.reopening.is_empty() {
            return self.measure_target(out);
        }
        let moves = self.active.iter().any(|step| {
            self.goes_back(*step) || self.job(*step).is_some_and(|job| matches!(job.state, JobState::Stopping { .. }))
        });
        let ready = !rolling.ready.is_empty() && rolling.reopening.iter().all(|step| !rolling.failed.contains(step));
        if !moves && !ready {
            let step = rolling.failed.first().copied();
            if let Stage::Rolling(rolling) = &mut self.stage {
                rolling.reach = Reach::Stuck;
            }
            out.tell(Notice::RunStuck { step });
        }
    }

    /// One action of an undo is over: the next, or the step is undone, or its branch halts (R10).
    pub(crate) fn end_undo(&mut self, step: StepId, part: Part, end: JobEnd, out: &mut Outbox) {
        let outcome = match end {
            JobEnd::Failed(cause) => return self.fail_undo(step, cause, out),
            JobEnd::Done => StepOutcome::Undone,
            JobEnd::Found => StepOutcome::Found,
            JobEnd::Skipped => StepOutcome::Skipped,
        };
        if let Some(next) = self.next_undo_part(step, part) {
            return self.begin_job(step, next, Goal::Undo, out);
        }
        self.end_undoing(step, outcome, out);
    }

    pub(crate) fn next_undo_part(&self, step: StepId, part: Part) -> Option<Part> {
        match part {
            Part::Undo(n) if usize::from(n) + 1 < self.plan.0.step(step).undo().len() => Some(Part::Undo(n + 1)),
            Part::Undo(_) | Part::Forward => None,
        }
    }

    /// A step is undone.
    pub(crate) fn end_undoing(&mut self, step: StepId, outcome: StepOutcome, out: &mut Outbox) {
        out.tell(Notice::UndoSucceeded { step, outcome });
        if let Stage::Rolling(rolling) = &mut self.stage {
            rolling.failed.remove(&step);
        }
        let node = self.plan.0.step_node(step);
        let next = self.clear(node, out);
        self.mind_cleared(&next, out);
    }

    pub(super) fn fail_undo(&mut self, step: StepId, cause: Cause, out: &mut Outbox) {
        out.tell(Notice::UndoFailed { step, cause });
        if let Stage::Rolling(rolling) = &mut self.stage {
            rolling.failed.insert(step);
        }
    }
}
