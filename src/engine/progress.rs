//! The watchdog of a step (`progress`): while an attempt of it runs, its probe must move.
//!
//! Whether it does is `measure`'s to say, like the n of m of a guard: one event for a stall, and none for each movement, so
//! that a copy of six hours is not twenty thousand records of one that is well.

use super::state::JobState;
use super::{Command, Engine, Notice, Outbox};
use crate::model::{AttemptId, Part, StepId};

impl Engine {
    /// Whether the attempts of a part are watched.
    fn has_watchdog(&self, step: StepId, part: Part) -> bool {
        part == Part::Forward && self.plan.0.step(step).progress.is_some()
    }

    pub(crate) fn watch_progress(&mut self, attempt: AttemptId, out: &mut Outbox) {
        if self.has_watchdog(attempt.step, attempt.part) {
            out.order(Command::WatchProgress { attempt });
        }
    }

    pub(crate) fn unwatch_progress(&mut self, attempt: AttemptId, out: &mut Outbox) {
        if self.has_watchdog(attempt.step, attempt.part) {
            out.order(Command::UnwatchProgress { attempt });
        }
    }

    /// Nothing has moved for too long: the attempt is stopped as its timeout would, and what follows is the same.
    pub(crate) fn stall(&mut self, attempt: AttemptId, out: &mut Outbox) {
        let AttemptId { step, part, number } = attempt;
        let Some(job) = self.steps.get(step.index()).and_then(|state| state.job.as_ref()) else { return };
        let JobState::Attempting { number: running, first } = job.state else { return };
        if job.part != part || running != number || !self.has_watchdog(step, part) {
            return;
        }
        self.set_job_state(step, JobState::Stalled { number, first });
        out.tell(Notice::StepStalled { step });
        out.order(Command::UnwatchProgress { attempt });
        out.order(Command::StopAttempt { attempt });
    }
}
