//! One work carried out, in either direction: conditions, attempts, criteria (R3, R5, R8a).

use std::sync::Arc;

use super::ramp::{Since, take_value};
use super::state::{Asks, Doubt, Goal, Job, JobEnd, JobState, Judgement, Purpose};
use super::{Asked, Cause, Command, Deadline, Engine, Notice, Outbox};
use crate::model::{Action, Attempt, AttemptEnd, AttemptId, OnDoubt, Part, StepId, StepOutcome, Wait, WayHome, Work};

impl Engine {
    /// Begins a work of a step. The step has no job.
    pub(crate) fn begin_job(&mut self, step: StepId, part: Part, goal: Goal, out: &mut Outbox) {
        self.set_job(step, Job { part, goal, tries: 0, state: JobState::Parked });
        self.check_when(step, out);
    }

    /// Tries a step again that failed in this pass: `done_when` first, for it may have taken effect.
    pub(crate) fn begin_again(&mut self, step: StepId, out: &mut Outbox) {
        self.set_job(step, Job { part: Part::Forward, goal: Goal::Forward, tries: 0, state: JobState::Parked });
        self.check_done_when(step, out);
    }

    /// Measures the criteria of what a person says is done.
    pub(crate) fn begin_measuring(&mut self, step: StepId, part: Part, goal: Goal, out: &mut Outbox) {
        // No further tries: if the criteria do not come true, the person was wrong.
        self.set_job(step, Job { part, goal, tries: u32::MAX - 1, state: JobState::Parked });
        self.measure(step, false, out);
    }

    fn set_job(&mut self, step: StepId, job: Job) {
        self.steps[step.index()].job = Some(job);
        self.active.insert(step);
    }

    pub(crate) fn drop_job(&mut self, step: StepId) -> Option<Job> {
        self.active.remove(&step);
        self.steps[step.index()].job.take()
    }

    pub(crate) fn job(&self, step: StepId) -> Option<&Job> {
        self.steps[step.index()].job.as_ref()
    }

    fn job_mut(&mut self, step: StepId) -> &mut Job {
        self.steps[step.index()].job.as_mut().expect("the caller knows that there is one")
    }

    pub(crate) fn set_job_state(&mut self, step: StepId, state: JobState) {
        self.job_mut(step).state = state;
    }

    /// The part and goal of a step's job.
    fn task(&self, step: StepId) -> (Part, Goal) {
        let job = self.job(step).expect("the caller knows that there is one");
        (job.part, job.goal)
    }

    fn ask_one(&mut self, step: StepId, purpose: Purpose, asked: Asked, out: &mut Outbox) {
        let asks = Asks { open: vec![self.ask(asked, out)] };
        self.set_job_state(step, JobState::Asking { purpose, asks });
    }

    fn check_when(&mut self, step: StepId, out: &mut Outbox) {
        let (part, _) = self.task(step);
        if self.plan.0.step(step).work(part).when.is_some() {
            self.ask_one(step, Purpose::When, Asked::When(step, part), out);
        } else {
            self.check_done_when(step, out);
        }
    }

    /// From `done_when` on: also where a failed step is tried again.
    pub(crate) fn check_done_when(&mut self, step: StepId, out: &mut Outbox) {
        let (part, goal) = self.task(step);
        // Reopening a bracket is ours to do, whatever is true by chance.
        if self.plan.0.step(step).work(part).done_when.is_some() && goal != Goal::Reopen {
            self.ask_one(step, Purpose::DoneWhen, Asked::DoneWhen(step, part), out);
        } else {
            self.check_require(step, out);
        }
    }

    fn check_require(&mut self, step: StepId, out: &mut Outbox) {
        let (part, goal) = self.task(step);
        let count = self.plan.0.step(step).work(part).require.len();
        // An undo's `require` counts only where its step was done, and an operator may go back in spite of it (R8a).
        let waived = goal == Goal::Undo && (self.is_forced() || !self.steps[step.index()].was_done);
        if count == 0 || waived {
            return self.act(step, out);
        }
        let asks = self.ask_all(count, |n| Asked::Require(step, part, n), out);
        self.set_job_state(step, JobState::Asking { purpose: Purpose::Require, asks });
    }

    /// Everything before the action holds: act, or park until the run lets it.
    pub(crate) fn act(&mut self, step: StepId, out: &mut Outbox) {
        let (part, goal) = self.task(step);
        let held_back = goal == Goal::Forward && !self.may_begin(step);
        if held_back || !self.may_act(goal) {
            return self.set_job_state(step, JobState::Parked);
        }
        let plan = Arc::clone(&self.plan.0);
        match &plan.step(step).work(part).action {
            Action::Run(_) | Action::Http(_) | Action::Sql(_) | Action::Manual(_) => self.start_attempt(step, out),
            Action::Wait(Wait::For(_)) => {
                self.set_job_state(step, JobState::Waiting);
                self.tell_started(step, None, out);
                self.arm(Deadline::Wait(step, part), out);
            }
            Action::Wait(Wait::Until { .. }) => {
                self.tell_started(step, None, out);
                self.ask_one(step, Purpose::WaitUntil, Asked::WaitUntil(step, part), out);
            }
            Action::Gate(_) => self.open_gate(step, out),
            Action::Ramp(_) => self.set_value(step, out),
        }
    }

    /// Lets a job go on that waits for the run.
    pub(crate) fn unpark(&mut self, step: StepId, out: &mut Outbox) {
        match self.job(step).map(|job| &job.state) {
            Some(JobState::Parked) => self.act(step, out),
            Some(JobState::Standing) => self.hold_value(step, Since::Break, out),
            _ => {}
        }
    }

    pub(crate) fn start_attempt(&mut self, step: StepId, out: &mut Outbox) {
        let (part, goal) = self.task(step);
        let has_effect = self.plan.0.step(step).has_effect();
        let state = &mut self.steps[step.index()];
        let number = state.last.map_or(Attempt::FIRST, Attempt::next);
        state.last = Some(number);
        let first = goal == Goal::Forward && !state.in_effect;
        if goal == Goal::Forward {
            state.outcome = StepOutcome::Running;
        }
        if matches!(goal, Goal::Forward | Goal::Reopen) {
            state.in_effect = true;
            state.released = false;
            self.touched |= has_effect;
        }
        let attempt = AttemptId { step, part, number };
        self.set_job_state(step, JobState::Attempting { number, first });
        match self.value_to_set(step, part) {
            Some(value) => take_value(attempt, value, out),
            None => self.tell_started(step, Some(attempt), out),
        }
        out.order(Command::StartAttempt { attempt });
        self.watch_progress(attempt, out);
    }

    fn tell_started(&mut self, step: StepId, attempt: Option<AttemptId>, out: &mut Outbox) {
        match self.task(step) {
            (Part::Forward, _) => out.tell(Notice::StepStarted { step, attempt }),
            (Part::Undo(_), _) => out.tell(Notice::UndoStarted { step, attempt }),
        }
    }

    /// An attempt is over.
    pub(crate) fn end_attempt(&mut self, attempt: AttemptId, end: AttemptEnd, out: &mut Outbox) {
        let step = attempt.step;
        let Some(job) = self.steps.get(step.index()).and_then(|state| state.job.as_ref()) else { return };
        if job.part != attempt.part {
            return;
        }
        match job.state {
            JobState::Attempting { number, first } if number == attempt.number => {
                self.unwatch_progress(attempt, out);
                self.follow_end(step, first, end, Doubt::CutOff, out);
            }
            JobState::Stalled { number, first } if number == attempt.number => {
                self.follow_end(step, first, end, Doubt::Stalled, out);
            }
            JobState::Stopping { number, first } if number == attempt.number => {
                self.drop_job(step);
                self.mind_never_started(step, first, end);
                self.note_stopped(step, out);
            }
            _ => {}
        }
    }

    fn mind_never_started(&mut self, step: StepId, first: bool, end: AttemptEnd) {
        if end == AttemptEnd::NeverStarted && first {
            self.steps[step.index()].in_effect = false;
        }
    }

    /// `cut_off`: what it means that its effect is not known.
    fn follow_end(&mut self, step: StepId, first: bool, end: AttemptEnd, cut_off: Doubt, out: &mut Outbox) {
        if self.is_ramp_late(step) {
            self.mind_never_started(step, first, end);
            return self.end_job(step, JobEnd::Failed(Cause::Timeout), out);
        }
        match end {
            AttemptEnd::Done if self.ramp(step).is_some() => self.note_value_set(step, out),
            AttemptEnd::Done => self.measure(step, false, out),
            AttemptEnd::Failed => {
                self.note_try(step);
                self.retry_or_fail(step, Cause::Action, out);
            }
            AttemptEnd::Unknown | AttemptEnd::Stopped => {
                self.note_try(step);
                self.doubt(step, cut_off, out);
            }
            AttemptEnd::NeverStarted => {
                self.mind_never_started(step, first, end);
                self.act(step, out);
            }
            AttemptEnd::InDoubt => {
                let (part, _) = self.task(step);
                self.steps[step.index()].outcome = StepOutcome::Unknown;
                out.tell(Notice::StepInDoubt { step, part });
                self.doubt(step, Doubt::Crash, out);
            }
        }
    }

    /// Measures the criteria after the action, or of what was found.
    pub(crate) fn measure(&mut self, step: StepId, found: bool, out: &mut Outbox) {
        self.leave_ramp(step, out);
        let (part, _) = self.task(step);
        let count = self.plan.0.step(step).work(part).success.len();
        if count == 0 {
            return self.end_job(step, if found { JobEnd::Found } else { JobEnd::Done }, out);
        }
        out.tell(Notice::StepMeasuring { step, part });
        let asks = self.ask_all(count, |n| Asked::Success(step, part, n), out);
        self.set_job_state(step, JobState::Asking { purpose: Purpose::Success { found }, asks });
    }

    /// Whether the effect took place is not known: `done_when` may tell (R5).
    fn doubt(&mut self, step: StepId, doubt: Doubt, out: &mut Outbox) {
        let (part, _) = self.task(step);
        if self.plan.0.step(step).work(part).done_when.is_some() {
            self.ask_one(step, Purpose::Doubt(doubt), Asked::DoneWhen(step, part), out);
        } else {
            self.settle_doubt(step, doubt, Judgement::Open, out);
        }
    }

    /// What the fresh `done_when` says after an end that is not known; `Open` where there is none to ask.
    fn settle_doubt(&mut self, step: StepId, doubt: Doubt, judgement: Judgement, out: &mut Outbox) {
        let (part, goal) = self.task(step);
        let repeatable = goal != Goal::Forward || self.is_repeatable(step);
        let cause = match doubt {
            Doubt::CutOff => Cause::NotKnown,
            Doubt::Stalled => Cause::Stalled(step),
            Doubt::Criterion(cause) => cause,
            Doubt::Crash => Cause::InDoubt,
        };
        match (judgement, doubt) {
            // It took place after all.
            (Judgement::Hold, Doubt::CutOff | Doubt::Stalled | Doubt::Crash) => self.measure(step, false, out),
            // It took place, and its criteria do not hold: another attempt would not mend that, unless it is harmless.
            (Judgement::Hold, Doubt::Criterion(_)) if !repeatable => self.end_job(step, JobEnd::Failed(cause), out),
            // It did not take place: as if it had never been tried.
            (Judgement::Fail(_), Doubt::Crash) => self.act(step, out),
            (Judgement::Fail(_), Doubt::CutOff | Doubt::Stalled | Doubt::Criterion(_)) => {
                self.retry_or_fail(step, cause, out);
            }
            (_, Doubt::Crash) if part != Part::Forward || goal == Goal::Reopen => self.act(step, out),
            (_, Doubt::Crash) => match self.plan.0.step(step).on_doubt {
                OnDoubt::Rerun => self.act(step, out),
                OnDoubt::Rollback | OnDoubt::Pause => self.end_job(step, JobEnd::Failed(Cause::InDoubt), out),
            },
            (_, Doubt::CutOff | Doubt::Stalled | Doubt::Criterion(_)) if repeatable => {
                self.retry_or_fail(step, cause, out);
            }
            (_, Doubt::CutOff | Doubt::Stalled | Doubt::Criterion(_)) => self.end_job(step, JobEnd::Failed(cause), out),
        }
    }

    /// Whether a step may be carried out again after an end that is not known.
    pub(crate) fn is_repeatable(&self, step: StepId) -> bool {
        let step = self.plan.0.step(step);
        step.idempotent || matches!(step.way_home, WayHome::NoEffect)
    }

    /// The tries of a ramp count for each of its values.
    pub(crate) fn forget_tries(&mut self, step: StepId) {
        self.job_mut(step).tries = 0;
    }

    fn note_try(&mut self, step: StepId) {
        let job = self.job_mut(step);
        job.tries = job.tries.saturating_add(1);
    }

    fn retry_or_fail(&mut self, step: StepId, cause: Cause, out: &mut Outbox) {
        let (part, goal) = self.task(step);
        let tries = self.job_mut(step).tries;
        if tries >= self.plan.0.step(step).work(part).retry.attempts {
            // An undo that may have worked after all is settled by its criteria (R10).
            let measurable = !self.plan.0.step(step).work(part).success.is_empty();
            if goal == Goal::Undo && cause == Cause::NotKnown && measurable {
                return self.measure(step, false, out);
            }
            return self.end_job(step, JobEnd::Failed(cause), out);
        }
        out.tell(Notice::StepRetrying { step, part, tries, cause });
        self.set_job_state(step, JobState::Resting);
        self.arm(Deadline::Retry { step, part, tries }, out);
    }

    /// The pause before the next try is over.
    pub(crate) fn end_rest(&mut self, step: StepId, out: &mut Outbox) {
        if self.job(step).is_some_and(|job| job.state == JobState::Resting) {
            self.act(step, out);
        }
    }

    /// A `wait` is over.
    pub(crate) fn end_wait(&mut self, step: StepId, out: &mut Outbox) {
        if self.job(step).is_some_and(|job| job.state == JobState::Waiting) {
            self.measure(step, false, out);
        }
    }

    /// The questions of a job are decided.
    pub(crate) fn end_job_asks(&mut self, step: StepId, judgement: Judgement, out: &mut Outbox) {
        let Some(Job { state: JobState::Asking { purpose, .. }, goal, .. }) = self.job(step) else { return };
        let (purpose, goal) = (*purpose, *goal);
        // Going back acts rather than waits for data (R8a).
        let acts_blindly = goal != Goal::Forward;
        match (purpose, judgement) {
            (_, Judgement::Open) => {}
            (Purpose::When, Judgement::Fail(_) | Judgement::Late(_)) => self.end_job(step, JobEnd::Skipped, out),
            (Purpose::When, Judgement::Hold) => self.check_done_when(step, out),
            (Purpose::When, Judgement::NoData(_)) if acts_blindly => self.check_done_when(step, out),
            (Purpose::DoneWhen, Judgement::Hold) => {
                let found = goal != Goal::Forward || !self.steps[step.index()].in_effect;
                self.measure(step, found, out);
            }
            (Purpose::DoneWhen, Judgement::Fail(_) | Judgement::Late(_)) => self.check_require(step, out),
            (Purpose::DoneWhen, Judgement::NoData(_)) if acts_blindly => self.check_require(step, out),
            (Purpose::When | Purpose::DoneWhen, Judgement::NoData(question))
            | (Purpose::Require, Judgement::Fail(question) | Judgement::NoData(question)) => {
                self.end_job(step, JobEnd::Failed(Cause::Condition(question)), out);
            }
            (Purpose::Require, Judgement::Late(question)) => {
                self.end_job(step, JobEnd::Failed(Cause::NotInTime(question)), out);
            }
            (Purpose::Require, Judgement::Hold) => self.act(step, out),
            (Purpose::WaitUntil, Judgement::Hold) => self.measure(step, false, out),
            (
                Purpose::WaitUntil,
                Judgement::Late(question) | Judgement::Fail(question) | Judgement::NoData(question),
            ) => {
                self.note_try(step);
                self.retry_or_fail(step, Cause::NotInTime(question), out);
            }
            (Purpose::Success { found }, Judgement::Hold) => {
                self.end_job(step, if found { JobEnd::Found } else { JobEnd::Done }, out);
            }
            (Purpose::Success { found }, Judgement::Late(question)) => {
                self.miss_criterion(step, found, Cause::NotInTime(question), out);
            }
            (Purpose::Success { found }, Judgement::Fail(question) | Judgement::NoData(question)) => {
                self.miss_criterion(step, found, Cause::Condition(question), out);
            }
            (Purpose::Doubt(doubt), judgement) => self.settle_doubt(step, doubt, judgement, out),
        }
    }

    /// The action ended and a criterion did not come true: it may have had its effect (R5).
    fn miss_criterion(&mut self, step: StepId, found: bool, cause: Cause, out: &mut Outbox) {
        let (part, _) = self.task(step);
        let is_own = matches!(self.plan.0.step(step).work(part).action, Action::Wait(_) | Action::Gate(_));
        if found || is_own {
            return self.end_job(step, JobEnd::Failed(cause), out);
        }
        self.fail_after_effect(step, cause, out);
    }

    /// An attempt failed that may have had its effect, or has.
    pub(crate) fn fail_after_effect(&mut self, step: StepId, cause: Cause, out: &mut Outbox) {
        let (part, _) = self.task(step);
        self.note_try(step);
        let tries = self.job_mut(step).tries;
        if tries >= self.plan.0.step(step).work(part).retry.attempts {
            return self.end_job(step, JobEnd::Failed(cause), out);
        }
        self.doubt(step, Doubt::Criterion(cause), out);
    }

    /// A job is over: whoever it was done for goes on.
    pub(crate) fn end_job(&mut self, step: StepId, end: JobEnd, out: &mut Outbox) {
        self.leave_ramp(step, out);
        let Some(job) = self.drop_job(step) else { return };
        match job.goal {
            Goal::Forward => self.end_forward(step, end, out),
            Goal::Undo => self.end_undo(step, job.part, end, out),
            Goal::Release => self.end_release(step, job.part, end, out),
            Goal::Reopen => self.end_reopen(step, end, out),
        }
    }
}

/// Whether a work takes one of the run's slots.
pub(crate) fn takes_slot(work: &Work) -> bool {
    matches!(work.action, Action::Run(_) | Action::Http(_) | Action::Sql(_) | Action::Ramp(_))
}
