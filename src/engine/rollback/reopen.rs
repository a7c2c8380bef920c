//! Brackets that have been closed, and inside which something is to be undone, are opened again first (R12a).

use std::collections::BTreeSet;

use super::step_at;
use crate::engine::state::{Goal, Job, JobEnd, Rolling, Stage};
use crate::engine::{Engine, Notice, Outbox};
use crate::model::{Bracket, Part, StepId, Target};

impl Engine {
    /// Opens a bracket again, as soon as what was closing it has ended.
    pub(crate) fn reopen_bracket(&mut self, step: StepId, out: &mut Outbox) {
        let waits = match &self.stage {
            Stage::Rolling(rolling) => rolling.reopening.contains(&step) && !rolling.failed.contains(&step),
            _ => false,
        };
        if waits && self.job(step).is_none() {
            out.tell(Notice::BracketReopening { step });
            self.begin_job(step, Part::Forward, Goal::Reopen, out);
        }
    }

    /// Whether a bracket is closed, or may be because somebody began to.
    pub(crate) fn may_be_closed(&self, step: StepId) -> bool {
        let closing = |job: &Job| job.goal == Goal::Release && job.has_acted();
        self.steps[step.index()].released || self.unreleased.contains(&step) || self.job(step).is_some_and(closing)
    }

    /// Brackets that were closed, and inside which something is about to be undone (R12a).
    pub(super) fn brackets_to_reopen(&self, rolling: &Rolling) -> BTreeSet<StepId> {
        let plan = &self.plan.0;
        let closed = plan.step_ids().filter(|step| self.may_be_closed(*step));
        closed
            .filter(|bracket| {
                plan.downstream(Target::Step(*bracket)).into_iter().any(|node| {
                    let inside = step_at(plan, node).is_some_and(|step| {
                        self.steps[step.index()].in_effect
                            && (plan.step(*bracket).held_for == Some(Bracket::Run)
                                || plan.step(step).phase == plan.step(*bracket).phase)
                    });
                    inside && rolling.scope[node.index()] && !rolling.cleared[node.index()]
                })
            })
            .collect()
    }

    /// A closed bracket is open again, or could not be opened.
    pub(crate) fn end_reopen(&mut self, step: StepId, end: JobEnd, out: &mut Outbox) {
        if let JobEnd::Failed(cause) = end {
            return self.fail_undo(step, cause, out);
        }
        let state = &mut self.steps[step.index()];
        state.in_effect = true;
        state.was_done = true;
        state.released = false;
        if let Stage::Rolling(rolling) = &mut self.stage {
            rolling.reopening.remove(&step);
            rolling.failed.remove(&step);
        }
        let node = self.plan.0.step_node(step);
        self.mind_cleared(&[node], out);
    }
}
