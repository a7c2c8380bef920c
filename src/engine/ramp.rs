//! Ramps: one value after the other is set, confirmed and held. Each is a place to go on from: whatever happens, a ramp
//! repeats the value that it is at; it never starts over and skips none (R7, R13, R20).

use std::sync::Arc;

use super::state::{Asks, AtValue, Job, JobEnd, JobState, Judgement, Kept, Stand, Watched};
use super::{Asked, Cause, Command, Deadline, Engine, HeldBack, Notice, Outbox, Question};
use crate::model::{AttemptId, Part, Plan, Ramp, StepId, Verdict};

/// Whether a value that does not confirm was there before: then something else has moved it, and it may be set again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Since {
    /// It has just been set.
    Set,
    /// A pause, a rollback elsewhere or a crash has passed.
    Break,
}

/// Where the ramp of a step stands, in the words of `status`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RampAt {
    /// Its value, counted from 0.
    pub value: u16,
    /// An operator holds it there.
    pub held: bool,
}

fn ramp(plan: &Plan, step: StepId) -> &Ramp {
    plan.step(step).forward.ramp().expect("the caller knows that it has one")
}

/// An attempt of a ramp is about to start.
pub(crate) fn take_value(attempt: AttemptId, value: u16, out: &mut Outbox) {
    out.order(Command::TakeValue { step: attempt.step, value });
    out.tell(Notice::RampSetting { attempt, value });
}

impl Engine {
    /// Where the ramp of a step stands that is being carried out.
    pub fn ramp(&self, step: StepId) -> Option<RampAt> {
        // What is being stopped is on its way back.
        let job = self.job(step).filter(|job| !matches!(job.state, JobState::Stopping { .. }))?;
        self.plan.0.step(step).work(job.part).ramp()?;
        let state = self.steps[step.index()].ramp;
        Some(RampAt { value: state.value, held: state.held })
    }

    /// Whether an operator holds a ramp.
    pub fn holds_a_ramp(&self) -> bool {
        self.active_steps().any(|step| self.ramp(step).is_some_and(|ramp| ramp.held))
    }

    /// The value that the next attempt of a part sets, where it is a ramp's.
    pub(crate) fn value_to_set(&self, step: StepId, part: Part) -> Option<u16> {
        self.plan.0.step(step).work(part).ramp().map(|_| self.steps[step.index()].ramp.value)
    }

    /// Sets the present value: an attempt like any other.
    pub(crate) fn set_value(&mut self, step: StepId, out: &mut Outbox) {
        if !self.armed.contains(&Deadline::Ramp(step)) {
            out.tell(Notice::StepStarted { step, attempt: None });
            self.arm(Deadline::Ramp(step), out);
        }
        self.start_attempt(step, out);
    }

    /// The bound of a ramp has passed while an attempt ran: its end is awaited, and then the ramp is over.
    pub(crate) fn is_ramp_late(&self, step: StepId) -> bool {
        self.ramp(step).is_some() && !self.armed.contains(&Deadline::Ramp(step))
    }

    /// The present value is set.
    pub(crate) fn note_value_set(&mut self, step: StepId, out: &mut Outbox) {
        let value = self.steps[step.index()].ramp.value;
        out.tell(Notice::RampSet { step, value });
        self.hold_value(step, Since::Set, out);
    }

    /// Confirms and holds the present value; where the run may not go on, it stands there until it may.
    pub(crate) fn hold_value(&mut self, step: StepId, since: Since, out: &mut Outbox) {
        let Some(goal) = self.job(step).map(|job| job.goal) else { return };
        if !self.may_act(goal) {
            return self.set_job_state(step, JobState::Standing);
        }
        let plan = Arc::clone(&self.plan.0);
        let (ramp, value) = (ramp(&plan, step), self.steps[step.index()].ramp.value);
        let asks = self.ask_all(ramp.confirm.iter().count(), |_| Asked::Confirm(step, value), out);
        let advance = self.ask_all(ramp.advance.len(), |n| Asked::Advance(step, value, n), out);
        let hold_while = self.ask_all(ramp.hold_while.iter().count(), |_| Asked::HoldWhile(step, value), out);
        let watch = |asks: Asks| asks.questions().map(|question| Watched { question, said: None }).collect();
        let (advance, hold_while) = (watch(advance), watch(hold_while));
        let confirms = !asks.open.is_empty();
        let stand = if confirms { Stand::Confirming { asks, since } } else { Stand::Holding };
        self.set_job_state(step, JobState::AtValue(AtValue { stand, advance, hold_while }));
        if !confirms {
            self.arm(Deadline::RampHold(step, value), out);
        }
    }

    fn at_value_mut(&mut self, step: StepId) -> Option<&mut AtValue> {
        match &mut self.steps.get_mut(step.index())?.job.as_mut()?.state {
            JobState::AtValue(at) => Some(at),
            _ => None,
        }
    }

    fn at_value(&self, step: StepId) -> Option<&AtValue> {
        match &self.job(step)?.state {
            JobState::AtValue(at) => Some(at),
            _ => None,
        }
    }

    /// The open `confirm` of a step.
    pub(crate) fn confirming(&mut self, step: StepId) -> Option<&mut Asks> {
        match &mut self.at_value_mut(step)?.stand {
            Stand::Confirming { asks, .. } => Some(asks),
            Stand::Holding | Stand::Over { .. } => None,
        }
    }

    /// `confirm` is decided.
    pub(crate) fn end_confirm(&mut self, step: StepId, judgement: Judgement, out: &mut Outbox) {
        let value = self.steps[step.index()].ramp.value;
        let Some(AtValue { stand: Stand::Confirming { since, .. }, .. }) = self.at_value(step) else { return };
        let since = *since;
        let cause = match judgement {
            Judgement::Open => return,
            Judgement::Hold => {
                out.tell(Notice::RampConfirmed { step, value });
                self.at_value_mut(step).expect("just found").stand = Stand::Holding;
                return self.arm(Deadline::RampHold(step, value), out);
            }
            Judgement::Fail(question) | Judgement::NoData(question) => Cause::Condition(question),
            Judgement::Late(question) => Cause::NotInTime(question),
        };
        if since == Since::Break && self.is_repeatable(step) {
            self.quiet_job(step, out);
            return self.act(step, out);
        }
        self.fail_value(step, cause, out);
    }

    /// What `advance` or `hold_while` says now; `false` where the question is about something else.
    pub(crate) fn note_watched(&mut self, question: Question, verdict: Verdict, out: &mut Outbox) -> bool {
        let (Asked::Advance(step, ..) | Asked::HoldWhile(step, _)) = question.asked else { return false };
        let Some(at) = self.at_value_mut(step) else { return true };
        let all = at.advance.iter_mut().chain(&mut at.hold_while);
        let Some(watched) = all.into_iter().find(|watched| watched.question == question) else { return true };
        watched.said = Some(verdict);
        if matches!(question.asked, Asked::Advance(..)) && verdict == Verdict::Fails {
            self.fail_value(step, Cause::Condition(question), out);
        } else {
            self.look_at_ramp(step, out);
        }
        true
    }

    /// The attempt has failed although its value was set: what follows is what follows from any criterion (R5).
    fn fail_value(&mut self, step: StepId, cause: Cause, out: &mut Outbox) {
        self.quiet_job(step, out);
        self.fail_after_effect(step, cause, out);
    }

    /// The hold of a value is over.
    pub(crate) fn end_value_hold(&mut self, step: StepId, out: &mut Outbox) {
        if let Some(at) = self.at_value_mut(step) {
            at.stand = Stand::Over { told: None };
        }
        self.look_at_ramp(step, out);
    }

    /// Goes on to the next value if nothing keeps the ramp at this one; else says what, once.
    fn look_at_ramp(&mut self, step: StepId, out: &mut Outbox) {
        let value = self.steps[step.index()].ramp.value;
        let Some(AtValue { stand: Stand::Over { told }, .. }) = self.at_value(step) else { return };
        let (told, kept) = (*told, self.kept(step));
        match kept {
            Kept::Not => self.end_value(step, out),
            Kept::Unmeasured => {}
            Kept::By(why) => {
                // An operator's order has been told when it was given.
                if told != Some(why) && (told.is_some() || why != HeldBack::Operator) {
                    out.tell(Notice::RampHeld { step, value, why });
                }
                self.at_value_mut(step).expect("just found").stand = Stand::Over { told: Some(why) };
            }
        }
    }

    /// What keeps a ramp at its value.
    fn kept(&self, step: StepId) -> Kept {
        let Some(at) = self.at_value(step) else { return Kept::Unmeasured };
        let watched = || at.hold_while.iter().chain(&at.advance);
        let without_data = watched().find(|watched| watched.said == Some(Verdict::NoData));
        if let Some(pressing) = at.hold_while.iter().find(|watched| watched.said == Some(Verdict::Holds)) {
            Kept::By(HeldBack::Pressure(pressing.question))
        } else if let Some(watched) = without_data {
            Kept::By(HeldBack::NoData(watched.question))
        } else if watched().any(|watched| watched.said.is_none()) {
            Kept::Unmeasured
        } else if self.steps[step.index()].ramp.held {
            Kept::By(HeldBack::Operator)
        } else {
            Kept::Not
        }
    }

    /// Whether nobody but an operator keeps a ramp where it is: people are awaited, and its clocks stand still (R2a).
    pub(crate) fn is_kept_by_people(&self, step: StepId) -> bool {
        let over = self.at_value(step).is_some_and(|at| matches!(at.stand, Stand::Over { .. }));
        over && self.kept(step) == Kept::By(HeldBack::Operator)
    }

    /// A value has been held: the next one, or the action is over.
    fn end_value(&mut self, step: StepId, out: &mut Outbox) {
        let value = self.steps[step.index()].ramp.value;
        out.tell(Notice::RampAdvanced { step, value });
        self.quiet_job(step, out);
        if usize::from(value) + 1 < ramp(&self.plan.0, step).values.len() {
            self.steps[step.index()].ramp.value += 1;
            self.forget_tries(step);
            return self.act(step, out);
        }
        self.measure(step, false, out);
    }

    /// Takes back what is asked about the present value.
    pub(crate) fn leave_value(&mut self, step: StepId, out: &mut Outbox) {
        let value = self.steps[step.index()].ramp.value;
        let Some(at) = self.at_value_mut(step) else { return };
        let asks = match &mut at.stand {
            Stand::Confirming { asks, .. } => std::mem::take(asks),
            Stand::Holding | Stand::Over { .. } => Asks::default(),
        };
        let watched: Vec<Question> = at.advance.iter().chain(&at.hold_while).map(|watched| watched.question).collect();
        self.drop_asks(asks, out);
        for question in watched {
            out.order(Command::Withdraw { question });
        }
        self.disarm(Deadline::RampHold(step, value), out);
    }

    /// A ramp is over, whichever way; it stays known how far it came.
    pub(crate) fn leave_ramp(&mut self, step: StepId, out: &mut Outbox) {
        self.steps[step.index()].ramp.held = false;
        self.disarm(Deadline::Ramp(step), out);
    }

    /// `timeout` of a ramp has passed.
    pub(crate) fn time_out_ramp(&mut self, step: StepId, out: &mut Outbox) {
        let Some(Job { part, state, .. }) = self.job(step) else { return };
        match *state {
            JobState::Attempting { number, .. } => {
                out.order(Command::StopAttempt { attempt: AttemptId { step, part: *part, number } });
            }
            JobState::Stalled { .. } | JobState::Stopping { .. } => {}
            JobState::Asking { .. }
            | JobState::Parked
            | JobState::Waiting
            | JobState::AtGate
            | JobState::Resting
            | JobState::AtValue(_)
            | JobState::Standing => {
                self.quiet_job(step, out);
                self.end_job(step, JobEnd::Failed(Cause::Timeout), out);
            }
        }
    }

    /// Where the run may not go on, its ramps end at their present values, until it may (R7).
    pub(crate) fn mind_ramps(&mut self, out: &mut Outbox) {
        for step in self.ramps_at_a_value() {
            if self.job(step).is_some_and(|job| !self.may_act(job.goal)) {
                self.quiet_job(step, out);
                self.set_job_state(step, JobState::Standing);
            }
        }
    }

    /// Nothing has been held during downtime: values are confirmed and held anew.
    pub(crate) fn hold_values_anew(&mut self, out: &mut Outbox) {
        for step in self.ramps_at_a_value() {
            self.quiet_job(step, out);
            self.hold_value(step, Since::Break, out);
        }
    }

    fn ramps_at_a_value(&self) -> Vec<StepId> {
        self.active.iter().copied().filter(|step| self.at_value(*step).is_some()).collect()
    }

    /// An operator holds a ramp at its value.
    pub(crate) fn obey_hold(&mut self, step: StepId, out: &mut Outbox) -> bool {
        let Some(RampAt { value, held: false }) = self.ramp(step) else { return false };
        self.steps[step.index()].ramp.held = true;
        out.tell(Notice::RampHeld { step, value, why: HeldBack::Operator });
        true
    }

    /// An operator lets it go on; what is measured still decides.
    pub(crate) fn obey_advance(&mut self, step: StepId, out: &mut Outbox) -> bool {
        let Some(RampAt { value, held: true }) = self.ramp(step) else { return false };
        self.steps[step.index()].ramp.held = false;
        out.tell(Notice::RampReleased { step, value });
        self.look_at_ramp(step, out);
        true
    }
}
