//! The world of dice: what happens next, and when.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::operator::{any_act, helpful_act};
use super::{Dice, Faults};
use crate::drive::Outstanding;
use crate::drive::deadlines::Deadlines;
use crate::drive::outstanding::{Matter, Stand, stand};
use crate::engine::{Act, Answer, Command, Engine, Event, Outbox, Question};
use crate::model::{
    Action, AttemptEnd, AttemptId, GuardId, NoData, PhaseId, Plan, Span, StepId, Target, Time, Verdict,
};

/// Everything outside of the engine. Each matter that it has been told of has at most one moment at which it moves next.
#[derive(Debug)]
pub(super) struct World {
    plan: Arc<Plan>,
    dice: Dice,
    faults: Faults,
    calm: Time,
    now: Time,
    outstanding: Outstanding,
    deadlines: Deadlines,
    agenda: BTreeSet<(Time, Matter)>,
    moves: BTreeMap<Matter, Time>,
    verdicts: BTreeMap<Matter, Verdict>,
    held: BTreeSet<GuardId>,
    regrets: u32,
}

impl World {
    pub(super) fn new(seed: u64, plan: Arc<Plan>, faults: Faults, calm: Time) -> Self {
        Self {
            plan,
            dice: Dice::new(seed),
            faults,
            calm,
            now: Time::ZERO,
            outstanding: Outstanding::default(),
            deadlines: Deadlines::new(seed),
            agenda: BTreeSet::new(),
            moves: BTreeMap::new(),
            verdicts: BTreeMap::new(),
            held: BTreeSet::new(),
            regrets: 0,
        }
    }

    pub(super) fn now(&self) -> Time {
        self.now
    }

    fn is_calm(&self) -> bool {
        self.now >= self.calm
    }

    /// Whether a fault of this rate happens now.
    fn strikes(&mut self, per_mille: u32) -> bool {
        !self.is_calm() && self.dice.often(per_mille)
    }

    pub(super) fn crashes(&mut self) -> bool {
        let rate = self.faults.crashes;
        self.strikes(rate)
    }

    /// The next thing that happens; `None` if nothing will.
    pub(super) fn next(&mut self, engine: &Engine) -> Option<Event> {
        if engine.outcome().is_some() {
            return self.regret(engine);
        }
        let meddling = self.faults.meddling;
        if self.strikes(meddling) {
            return Some(Event::OperatorAsked { act: any_act(&mut self.dice, engine) });
        }
        loop {
            let moved = self.agenda.first().copied();
            let due = self.deadlines.next();
            match (moved, due) {
                (Some((at, matter)), due) if due.is_none_or(|due| at <= due) => {
                    self.now = self.now.max(at);
                    self.settle(matter);
                    if let Some(event) = self.move_on(matter) {
                        return Some(event);
                    }
                }
                (_, Some(due)) => {
                    self.now = self.now.max(due);
                    let deadline = self.deadlines.due(self.now)?;
                    return Some(Event::DeadlineReached { deadline });
                }
                (_, None) => return None,
            }
        }
    }

    /// Some runs that have ended are rolled back all the same.
    fn regret(&mut self, engine: &Engine) -> Option<Event> {
        let rate = self.faults.regrets;
        self.regrets += 1;
        if self.regrets > 3 || !self.dice.often(rate) {
            return None;
        }
        let act = match self.dice.below(4) {
            0 => any_act(&mut self.dice, engine),
            _ => Act::Rollback { target: Target::Start, force: self.dice.often(300) },
        };
        Some(Event::OperatorAsked { act })
    }

    pub(super) fn help(&mut self, engine: &Engine) -> Act {
        helpful_act(&mut self.dice, engine)
    }

    /// Takes in what happened and what was ordered.
    pub(super) fn follow(&mut self, event: &Event, outbox: &Outbox) {
        if let Event::DeadlineReached { deadline } = event {
            self.deadlines.forget(*deadline);
        }
        self.outstanding.observe(event);
        for command in outbox.commands() {
            self.deadlines.obey(command, self.now, &self.plan);
            self.outstanding.note(command);
            self.begin_or_end(command);
        }
    }

    fn begin_or_end(&mut self, command: Command) {
        match stand(command) {
            Stand::Begins(matter) => {
                self.verdicts.remove(&matter);
                if let Matter::Guard(guard) = matter {
                    self.held.remove(&guard);
                }
                self.begin(matter);
            }
            Stand::Ends(matter @ Matter::Attempt(attempt)) => self.stop(matter, attempt),
            Stand::Ends(matter) => self.settle(matter),
            Stand::Neither => {}
        }
    }

    /// A stopped attempt ends soon; the question to a person is taken away at once.
    fn stop(&mut self, matter: Matter, attempt: AttemptId) {
        match self.plan.step(attempt.step).work(attempt.part).action {
            Action::Manual(_) => self.schedule_at(matter, self.now),
            Action::Run(_) | Action::Http(_) | Action::Sql(_) | Action::Wait(_) | Action::Gate(_) | Action::Ramp(_) => {
                self.schedule(matter, 5);
            }
        }
    }

    fn begin(&mut self, matter: Matter) {
        let seconds = match matter {
            Matter::Attempt(attempt) => match self.plan.step(attempt.step).work(attempt.part).action {
                Action::Manual(_) => 500,
                _ => 40,
            },
            Matter::Question(_) | Matter::Guard(_) | Matter::WayBack(_) | Matter::Window(_) => 4,
            Matter::Baseline => 60,
            Matter::Progress(_) => {
                let stalls = self.faults.unknown;
                // Most things move until they are done.
                if !self.strikes(stalls) {
                    return;
                }
                30
            }
            Matter::Gate(_) => {
                let silence = self.faults.silence;
                if self.strikes(silence) { 100_000 } else { 200 }
            }
        };
        self.schedule(matter, seconds);
    }

    /// It moves within so many seconds.
    fn schedule(&mut self, matter: Matter, seconds: usize) {
        let at = self.now.after(Span::from_millis(1 + self.dice.below(seconds * 1000) as u64));
        self.schedule_at(matter, at);
    }

    fn schedule_at(&mut self, matter: Matter, at: Time) {
        self.settle(matter);
        self.moves.insert(matter, at);
        self.agenda.insert((at, matter));
    }

    fn settle(&mut self, matter: Matter) {
        if let Some(at) = self.moves.remove(&matter) {
            self.agenda.remove(&(at, matter));
        }
    }

    fn move_on(&mut self, matter: Matter) -> Option<Event> {
        match matter {
            Matter::Attempt(attempt) => Some(Event::AttemptEnded { attempt, end: self.end_of(attempt) }),
            Matter::Question(question) => self.judge(question),
            Matter::Guard(guard) => self.sample(guard),
            Matter::WayBack(step) => self.look_back(step),
            Matter::Progress(attempt) => Some(Event::ProgressStalled { attempt }),
            Matter::Baseline => {
                let misses = self.faults.misses;
                Some(if self.strikes(misses) { Event::BaselineBlind } else { Event::BaselineTaken })
            }
            Matter::Gate(gate) => {
                let no_go = self.faults.no_go;
                let answer = if self.strikes(no_go) { Answer::NoGo } else { Answer::Go };
                Some(Event::GateAnswered { gate, answer })
            }
            Matter::Window(phase) => self.watch_window(phase),
        }
    }

    fn end_of(&mut self, attempt: AttemptId) -> AttemptEnd {
        let stopped = self.outstanding.attempts.get(&attempt).copied().unwrap_or_default();
        let Faults { fails, unknown, never, .. } = self.faults;
        if stopped {
            return match self.dice.below(8) {
                0 => AttemptEnd::Done,
                1 => AttemptEnd::Failed,
                2 => AttemptEnd::Unknown,
                3 => AttemptEnd::NeverStarted,
                _ => AttemptEnd::Stopped,
            };
        }
        if self.strikes(never) {
            AttemptEnd::NeverStarted
        } else if self.strikes(unknown) {
            AttemptEnd::Unknown
        } else if self.strikes(fails) {
            AttemptEnd::Failed
        } else {
            AttemptEnd::Done
        }
    }

    fn judge(&mut self, question: Question) -> Option<Event> {
        let misses = self.faults.misses;
        let verdict = self.new_verdict(Matter::Question(question), misses)?;
        let verdict = if question.asked.wants_no() { verdict.opposite() } else { verdict };
        Some(Event::Judged { question, verdict })
    }

    fn look_back(&mut self, step: StepId) -> Option<Event> {
        let shut = self.faults.shut;
        let verdict = self.new_verdict(Matter::WayBack(step), shut)?;
        Some(Event::WayBackJudged { step, verdict })
    }

    /// The next verdict, if it is another one than before; more will follow.
    fn new_verdict(&mut self, matter: Matter, per_mille: u32) -> Option<Verdict> {
        let verdict = if self.strikes(per_mille) {
            if self.dice.often(300) { Verdict::NoData } else { Verdict::Fails }
        } else {
            Verdict::Holds
        };
        if !(self.is_calm() && verdict == Verdict::Holds) {
            self.schedule(matter, 8);
        }
        (self.verdicts.insert(matter, verdict) != Some(verdict)).then_some(verdict)
    }

    fn sample(&mut self, guard: GuardId) -> Option<Event> {
        let rate = self.faults.breaches;
        if self.strikes(rate) {
            let blind = self.plan.guard(guard).no_data == NoData::Pause && self.dice.often(500);
            self.schedule(Matter::Guard(guard), 200);
            return Some(if blind { Event::GuardBlind { guard } } else { Event::GuardBreached { guard } });
        }
        if !self.is_calm() {
            self.schedule(Matter::Guard(guard), 60);
            if self.plan.guard(guard).rule.conditions().count() > 1 && self.dice.often(50) {
                return Some(if self.dice.often(500) {
                    Event::GuardWarned { guard }
                } else {
                    Event::GuardEased { guard }
                });
            }
        }
        self.held.insert(guard).then_some(Event::GuardHeld { guard })
    }

    fn watch_window(&mut self, phase: PhaseId) -> Option<Event> {
        let closed = self.faults.closed;
        if self.outstanding.windows_checked.contains(&phase) {
            let open = !self.strikes(closed);
            let verdict = if open { Verdict::Holds } else { Verdict::Fails };
            self.schedule(Matter::Window(phase), 900);
            let told = self.verdicts.insert(Matter::Window(phase), verdict) == Some(verdict);
            return (!told).then_some(Event::WindowJudged { phase, open });
        }
        if self.outstanding.windows_watched.contains(&phase) && self.strikes(closed) {
            return Some(Event::WindowClosed { phase });
        }
        None
    }

    /// A new process takes over: what became of the attempts under way, and all that is watched and asked begins anew.
    pub(super) fn take_over(&mut self) -> Vec<Event> {
        self.now = self.now.after(Span::from_secs(self.dice.below(600) as u64));
        for command in self.outstanding.commands() {
            self.begin_or_end(command);
        }
        let attempts: Vec<AttemptId> = self.outstanding.attempts.keys().copied().collect();
        let mut ends = Vec::new();
        for attempt in attempts {
            let end = match self.dice.below(6) {
                0 => AttemptEnd::InDoubt,
                1 => AttemptEnd::NeverStarted,
                2 => self.end_of(attempt),
                // It is still running.
                _ => continue,
            };
            self.settle(Matter::Attempt(attempt));
            ends.push(Event::AttemptEnded { attempt, end });
        }
        ends
    }
}
