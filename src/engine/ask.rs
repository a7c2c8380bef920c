//! Questions: put, answered, held for a while, withdrawn (R13 as far as it is the engine's).

use super::state::{Ask, AskState, Asks, BaselineState, JobState, Judgement, PhaseState, Reach, Rolling, Stage};
use super::{Asked, Command, Deadline, Engine, Notice, Outbox, Question};
use crate::model::{PhaseId, StepId, Verdict};

/// Where a list of open questions stands.
#[derive(Clone, Copy)]
enum Place {
    Preflight,
    PhaseRequire(PhaseId),
    PhaseSuccess(PhaseId),
    Job(StepId),
    /// `confirm` of a ramp.
    Confirm(StepId),
    /// At the target of a rollback.
    Target,
    Baseline,
}

impl Engine {
    /// Puts questions about the first `count` criteria of a list, each about now.
    pub(crate) fn ask_all(&mut self, count: usize, asked: impl Fn(u16) -> Asked, out: &mut Outbox) -> Asks {
        let mut asks = Asks::default();
        for n in 0..count {
            let n = u16::try_from(n).expect("check allows no list of 65,536 criteria");
            let ask = self.ask(asked(n), out);
            asks.open.push(ask);
        }
        asks
    }

    /// Puts one question about now.
    pub(crate) fn ask(&mut self, asked: Asked, out: &mut Outbox) -> Ask {
        let question = Question { asked, serial: self.next_serial() };
        out.order(Command::Ask { question, since: self.fact });
        self.arm(Deadline::Within(question), out);
        Ask { question, state: AskState::Open }
    }

    /// Takes back all questions of a list.
    pub(crate) fn drop_asks(&mut self, asks: Asks, out: &mut Outbox) {
        for ask in asks.open {
            self.drop_ask(ask.question, out);
        }
    }

    fn drop_ask(&mut self, question: Question, out: &mut Outbox) {
        out.order(Command::Withdraw { question });
        self.disarm(Deadline::Within(question), out);
        self.disarm(Deadline::HoldFor(question), out);
    }

    /// A verdict came in: for whom, and what does it decide?
    pub(crate) fn take_verdict(&mut self, question: Question, verdict: Verdict, out: &mut Outbox) {
        if self.note_watched(question, verdict, out) {
            return;
        }
        let Some((place, at)) = self.find(question) else { return };
        let judgement = self.judge(place, at, question, verdict, out);
        self.decide(place, judgement, out);
    }

    /// An answer is slow in coming: people hear what is waited for.
    pub(crate) fn tell_of_open(&mut self, question: Question, out: &mut Outbox) {
        if self.find(question).is_some() {
            out.tell(Notice::AnswerAwaited { question });
        }
    }

    /// `for` is over: one more sample from within it must hold, so that there were two.
    pub(crate) fn end_hold(&mut self, question: Question, out: &mut Outbox) {
        let Some((place, at)) = self.find(question) else { return };
        let ask = &mut self.asks_at(place).expect("just found").open[at];
        if let AskState::Holding { since } = ask.state {
            ask.state = AskState::Confirming;
            out.order(Command::Ask { question, since });
        }
    }

    /// `within` is over.
    pub(crate) fn end_within(&mut self, question: Question, out: &mut Outbox) {
        if let Some((place, _)) = self.find(question) {
            self.decide(place, Judgement::Late(question), out);
        }
    }

    fn judge(&mut self, place: Place, at: usize, question: Question, verdict: Verdict, out: &mut Outbox) -> Judgement {
        let patient = question.asked.within(&self.plan.0).is_some();
        let counted = question.asked.criterion(&self.plan.0).is_some_and(|criterion| criterion.count.is_some());
        let must_last = Deadline::HoldFor(question).span(&self.plan.0).is_some();
        let since = self.fact;
        let asks = self.asks_at(place).expect("the caller has found it");
        let state = &mut asks.open[at].state;
        match verdict {
            Verdict::Holds if must_last && *state == AskState::Open => {
                *state = AskState::Holding { since };
                self.arm(Deadline::HoldFor(question), out);
                Judgement::Open
            }
            Verdict::Holds if matches!(state, AskState::Holding { .. }) => Judgement::Open,
            Verdict::Holds => {
                asks.open.remove(at);
                let all = asks.open.is_empty();
                self.drop_ask(question, out);
                if all { Judgement::Hold } else { Judgement::Open }
            }
            Verdict::Fails | Verdict::NoData if patient && !counted => {
                *state = AskState::Open;
                self.disarm(Deadline::HoldFor(question), out);
                Judgement::Open
            }
            Verdict::Fails => Judgement::Fail(question),
            Verdict::NoData => Judgement::NoData(question),
        }
    }

    /// Ends a list that is decided, and hands the decision on.
    fn decide(&mut self, place: Place, judgement: Judgement, out: &mut Outbox) {
        if judgement == Judgement::Open {
            return;
        }
        let left = self.asks_at(place).map(std::mem::take).unwrap_or_default();
        self.drop_asks(left, out);
        match place {
            Place::Preflight => self.mind_preflight(judgement, out),
            Place::PhaseRequire(phase) => self.end_phase_require(phase, judgement, out),
            Place::PhaseSuccess(phase) => self.end_phase_success(phase, judgement, out),
            Place::Job(step) => self.end_job_asks(step, judgement, out),
            Place::Confirm(step) => self.end_confirm(step, judgement, out),
            Place::Target => self.end_restoring(judgement, out),
            Place::Baseline => self.end_baseline_require(judgement, out),
        }
    }

    /// The list in which a question is open, and its index there.
    fn find(&mut self, question: Question) -> Option<(Place, usize)> {
        let own = match question.asked {
            Asked::Preflight(_) => Place::Preflight,
            Asked::PhaseRequire(phase, _) => Place::PhaseRequire(phase),
            Asked::PhaseSuccess(phase, _) => Place::PhaseSuccess(phase),
            Asked::Restored(_) => Place::Target,
            Asked::BaselineRequire(_) => Place::Baseline,
            Asked::When(step, _)
            | Asked::DoneWhen(step, _)
            | Asked::WaitUntil(step, _)
            | Asked::Require(step, _, _)
            | Asked::Success(step, _, _) => Place::Job(step),
            Asked::Confirm(step, _) => Place::Confirm(step),
            // Every verdict on these counts, not the first that decides.
            Asked::Advance(..) | Asked::HoldWhile(..) => return None,
        };
        [own, Place::Target].into_iter().find_map(|place| {
            let at = self.asks_at(place)?.questions().position(|open| open == question)?;
            Some((place, at))
        })
    }

    fn asks_at(&mut self, place: Place) -> Option<&mut Asks> {
        match place {
            Place::Preflight => match &mut self.stage {
                Stage::Preflight(asks) => Some(asks),
                _ => None,
            },
            Place::PhaseRequire(phase) => match &mut self.phases[phase.index()] {
                PhaseState::Requiring(asks) => Some(asks),
                _ => None,
            },
            Place::PhaseSuccess(phase) => match &mut self.phases[phase.index()] {
                PhaseState::Measuring(asks) => Some(asks),
                _ => None,
            },
            Place::Job(step) => match &mut self.steps[step.index()].job.as_mut()?.state {
                JobState::Asking { asks, .. } => Some(asks),
                _ => None,
            },
            Place::Confirm(step) => self.confirming(step),
            Place::Baseline => match &mut self.baseline {
                BaselineState::Requiring(asks) => Some(asks),
                _ => None,
            },
            Place::Target => match &mut self.stage {
                Stage::Rolling(rolling) => match &mut rolling.reach {
                    Reach::Measuring(asks) => Some(asks),
                    _ => None,
                },
                _ => None,
            },
        }
    }

    /// Every open question that has begun to hold.
    fn holding(&self) -> Vec<Question> {
        let of_jobs = self.active.iter().filter_map(|step| match &self.job(*step)?.state {
            JobState::Asking { asks, .. } => Some(asks),
            _ => None,
        });
        let of_phases = self.phases.iter().filter_map(|phase| match phase {
            PhaseState::Requiring(asks) | PhaseState::Measuring(asks) => Some(asks),
            _ => None,
        });
        let of_run = match &self.stage {
            Stage::Preflight(asks) | Stage::Rolling(Rolling { reach: Reach::Measuring(asks), .. }) => Some(asks),
            _ => None,
        };
        let of_baseline = match &self.baseline {
            BaselineState::Requiring(asks) => Some(asks),
            _ => None,
        };
        let all = of_jobs.chain(of_phases).chain(of_run).chain(of_baseline).flat_map(|asks| &asks.open);
        all.filter(|ask| ask.state != AskState::Open).map(|ask| ask.question).collect()
    }

    /// After downtime nothing has held without a break: what was holding must begin to hold anew.
    pub(crate) fn break_what_was_holding(&mut self, out: &mut Outbox) {
        for question in self.holding() {
            self.disarm(Deadline::HoldFor(question), out);
            if let Some((place, at)) = self.find(question) {
                let since = self.fact;
                self.asks_at(place).expect("just found").open[at].state = AskState::Open;
                out.order(Command::Ask { question, since });
            }
        }
    }
}
