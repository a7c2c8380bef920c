//! What must hold after every event, seen from outside: only events, orders, news and what `status` may read.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use runbook::drive::simulate::Dice;
use runbook::engine::{
    Act, Answer, Asked, Command, Deadline, Engine, Event, HeldBack, Notice, Origin, Outbox, Output, Question, Rung,
};
use runbook::model::*;

/// Follows one run and says which rule it breaks.
#[expect(clippy::struct_excessive_bools, reason = "seven facts that hold in any combination")]
pub(crate) struct Rules {
    plan: Arc<Plan>,
    running: BTreeMap<StepId, AttemptId>,
    reopening: BTreeSet<StepId>,
    settled: BTreeSet<StepId>,
    undone: BTreeSet<StepId>,
    questions: BTreeSet<Question>,
    verdicts: BTreeMap<Question, Verdict>,
    /// By ramp: the value it is at, and whether it has been held.
    values: BTreeMap<StepId, (u16, bool)>,
    /// Ramps whose bound has passed.
    late: BTreeSet<StepId>,
    armed: BTreeSet<Deadline>,
    held: BTreeSet<Deadline>,
    guards: BTreeSet<GuardId>,
    ways_back: BTreeSet<StepId>,
    gates: BTreeSet<StepId>,
    progress: BTreeSet<AttemptId>,
    /// The step whose attempt is stopped next for having stalled.
    stalled: Option<StepId>,
    /// The baseline is being sampled.
    sampling: bool,
    /// It has been, and was not found unhealthy since.
    has_baseline: bool,
    /// Something that waited for it has started: it is kept for the rest of the run.
    keeps_baseline: bool,
    /// Nothing of the way forward may start.
    closed: bool,
    scope: BTreeSet<StepId>,
    rolling: bool,
    /// A rollback has just finished.
    finished: bool,
    /// It has ended before.
    pub(crate) has_ended: bool,
    /// What was reached, in words.
    pub(crate) reached: BTreeMap<&'static str, u32>,
}

impl Rules {
    pub(crate) fn new(plan: Arc<Plan>) -> Self {
        Self {
            plan,
            running: BTreeMap::new(),
            reopening: BTreeSet::new(),
            settled: BTreeSet::new(),
            undone: BTreeSet::new(),
            questions: BTreeSet::new(),
            verdicts: BTreeMap::new(),
            values: BTreeMap::new(),
            late: BTreeSet::new(),
            armed: BTreeSet::new(),
            held: BTreeSet::new(),
            guards: BTreeSet::new(),
            ways_back: BTreeSet::new(),
            gates: BTreeSet::new(),
            progress: BTreeSet::new(),
            stalled: None,
            sampling: false,
            has_baseline: false,
            keeps_baseline: false,
            closed: false,
            scope: BTreeSet::new(),
            rolling: false,
            finished: false,
            has_ended: false,
            reached: BTreeMap::new(),
        }
    }

    fn name(&self, step: StepId) -> &str {
        &self.plan.step(step).name
    }

    /// Takes in one event and what followed; the rule that is broken, if one is.
    pub(crate) fn follow(&mut self, event: &Event, outbox: &Outbox, engine: &Engine) -> Result<(), String> {
        self.observe(event);
        for output in outbox.outputs() {
            match *output {
                Output::Do(command) => self.order(command)?,
                Output::Tell(notice) => self.hear(notice, engine)?,
            }
        }
        // In the same event a further pass may have started it again.
        if std::mem::take(&mut self.finished)
            && let Some(left) = engine.in_effect().find(|step| self.scope.contains(step))
        {
            return Err(format!("`{}` is still in effect after the rollback", self.name(left)));
        }
        self.bounds()
    }

    fn reach(&mut self, what: &'static str) {
        *self.reached.entry(what).or_default() += 1;
    }

    fn observe(&mut self, event: &Event) {
        match event {
            Event::AttemptEnded { attempt, .. } if self.running.get(&attempt.step) == Some(attempt) => {
                self.running.remove(&attempt.step);
            }
            Event::Judged { question, verdict } => {
                self.verdicts.insert(*question, *verdict);
            }
            Event::DeadlineReached { deadline } => {
                self.armed.remove(deadline);
                self.held.remove(deadline);
                match deadline {
                    Deadline::Run => self.reach("run timed out"),
                    Deadline::Phase(_) => self.reach("phase timed out"),
                    Deadline::Ramp(step) => {
                        self.late.insert(*step);
                        self.reach("ramp timed out");
                    }
                    Deadline::HoldFor(_) => self.reach("held for a while"),
                    _ => {}
                }
            }
            Event::BaselineTaken | Event::BaselineBlind => self.sampling = false,
            _ => {}
        }
    }

    fn order(&mut self, command: Command) -> Result<(), String> {
        let fits = match command {
            Command::StartAttempt { attempt } => return self.start(attempt),
            Command::StopAttempt { attempt } => {
                // Its own bound may, as that of any attempt does; so may a stall.
                let stalled = std::mem::take(&mut self.stalled) == Some(attempt.step);
                let late = self.late.contains(&attempt.step) || stalled;
                if self.plan.step(attempt.step).is_irreversible() && !late {
                    return Err(format!("the irreversible step `{}` is stopped", self.name(attempt.step)));
                }
                self.reach("attempt stopped");
                self.running.get(&attempt.step) == Some(&attempt)
            }
            Command::Ask { question, .. } => {
                self.verdicts.remove(&question);
                self.questions.insert(question);
                true
            }
            Command::Withdraw { question } => self.questions.remove(&question),
            Command::Arm { deadline } => {
                if let Deadline::PassDelay(rung) | Deadline::PassWithin(rung) = deadline
                    && rung.number > 0
                {
                    *self.reached.entry("further pass of an `else`").or_default() += 1;
                }
                self.armed.insert(deadline)
            }
            Command::Disarm { deadline } => {
                self.held.remove(&deadline);
                self.armed.remove(&deadline)
            }
            Command::Hold { deadline } => self.armed.contains(&deadline) && self.held.insert(deadline),
            Command::Release { deadline } => self.held.remove(&deadline),
            Command::WatchGuard { guard } => {
                self.guards.insert(guard);
                true
            }
            Command::UnwatchGuard { guard } => self.guards.remove(&guard),
            Command::WatchWayBack { step } => {
                self.ways_back.insert(step);
                true
            }
            Command::UnwatchWayBack { step } => self.ways_back.remove(&step),
            Command::OpenGate { gate } => !self.closed && self.gates.insert(gate),
            Command::CloseGate { gate } => self.gates.remove(&gate),
            Command::WatchProgress { attempt } => {
                self.running.get(&attempt.step) == Some(&attempt) && self.progress.insert(attempt)
            }
            Command::UnwatchProgress { attempt } => self.progress.remove(&attempt),
            Command::TakeBaseline => {
                self.has_baseline = false;
                !self.keeps_baseline && !std::mem::replace(&mut self.sampling, true)
            }
            Command::DropBaseline => std::mem::take(&mut self.sampling),
            Command::Forget { step } => {
                self.values.remove(&step);
                self.settled.remove(&step);
                true
            }
            Command::TakeValue { step, value } => return self.take_value(step, value),
            Command::CheckWindow { .. } | Command::WatchWindow { .. } | Command::ForgetWindow { .. } => true,
        };
        if fits { Ok(()) } else { Err(format!("{command:?} does not fit what was ordered before")) }
    }

    /// Values are set in order, none is skipped, and none is set again after a later one but by another pass.
    fn take_value(&mut self, step: StepId, value: u16) -> Result<(), String> {
        let due = match self.values.get(&step) {
            None => 0,
            // The last one is set again where a criterion behind it fails.
            Some((last, true)) => (last + 1).min(self.last_value(step)),
            Some((last, false)) => *last,
        };
        self.values.insert(step, (value, false));
        if value == due { Ok(()) } else { Err(format!("`{}` sets value {value}, and {due} is due", self.name(step))) }
    }

    fn last_value(&self, step: StepId) -> u16 {
        let values = self.plan.step(step).forward.ramp().map_or(1, |ramp| ramp.values.len());
        u16::try_from(values - 1).expect("small")
    }

    /// A ramp goes on only by what is measured.
    fn advance(&mut self, step: StepId, value: u16) -> Result<(), String> {
        let open = self.questions.iter().map(|question| (question.asked, self.verdicts.get(question).copied()));
        let kept = open.into_iter().find(|(asked, verdict)| match asked {
            Asked::Confirm(of, _) => *of == step,
            Asked::Advance(of, ..) => *of == step && *verdict != Some(Verdict::Holds),
            Asked::HoldWhile(of, _) => *of == step && *verdict != Some(Verdict::Fails),
            _ => false,
        });
        if let Some((asked, _)) = kept {
            return Err(format!("`{}` goes on in spite of {asked:?}", self.name(step)));
        }
        match self.values.get_mut(&step) {
            Some((at, over @ false)) if *at == value => *over = true,
            other => return Err(format!("value {value} is over, and {other:?} was set")),
        }
        Ok(())
    }

    fn start(&mut self, attempt: AttemptId) -> Result<(), String> {
        let (step, name) = (attempt.step, self.name(attempt.step).to_owned());
        if let Some(other) = self.running.insert(step, attempt) {
            return Err(format!("an attempt of `{name}` starts while number {} of it runs", other.number));
        }
        if attempt.part != Part::Forward {
            if self.plan.step(step).is_irreversible() {
                return Err(format!("the irreversible step `{name}` is undone"));
            }
            return Ok(());
        }
        let reopens = self.rolling && self.reopening.contains(&step);
        if !reopens && self.waits_for_baseline(step) {
            if !self.has_baseline {
                return Err(format!("`{name}` starts before the baseline is there"));
            }
            self.keeps_baseline = true;
        }
        if self.closed && !reopens {
            return Err(format!("`{name}` starts although nothing new may"));
        }
        if self.settled.contains(&step) && !reopens {
            return Err(format!("`{name}` has finished and runs again"));
        }
        Ok(())
    }

    fn waits_for_baseline(&self, step: StepId) -> bool {
        let Some(baseline) = self.plan.baseline() else { return false };
        let step = self.plan.step(step);
        match baseline.before {
            None => step.has_effect(),
            Some(phase) => step.phase == Some(phase) && self.plan.phase(phase).on_failure != Policy::Continue,
        }
    }

    fn bounds(&self) -> Result<(), String> {
        let takes_slot = |attempt: &AttemptId| {
            let work = self.plan.step(attempt.step).work(attempt.part);
            matches!(work.action, Action::Run(_) | Action::Http(_) | Action::Sql(_) | Action::Ramp(_))
        };
        let taken = self
            .running
            .values()
            .filter(|attempt| attempt.part == Part::Forward && !self.reopening.contains(&attempt.step))
            .filter(|attempt| takes_slot(attempt))
            .count();
        let most = self.plan.about().max_parallel as usize;
        if taken > most {
            return Err(format!("{taken} steps run at once, and {most} may"));
        }
        Ok(())
    }

    fn hear(&mut self, notice: Notice, engine: &Engine) -> Result<(), String> {
        self.count(notice);
        match notice {
            Notice::RampAdvanced { step, value } => return self.advance(step, value),
            Notice::RunPaused { .. } | Notice::RunStopping { .. } => self.closed = true,
            Notice::RunContinued => self.closed = self.rolling,
            Notice::PassStarted { .. } => {
                self.closed = false;
                self.finished = false;
            }
            Notice::StepSettled { step, .. } => {
                self.settled.insert(step);
            }
            Notice::GuardBreached { guard } => return self.breach(guard, engine),
            Notice::RollbackStarted { target, widened, .. } => self.go_back(target, widened),
            Notice::StepStalled { step } => {
                self.reach("stalled");
                self.stalled = Some(step);
            }
            Notice::BaselineTaken => {
                self.reach("baseline taken");
                self.has_baseline = true;
            }
            Notice::BaselineRejected { .. } => {
                self.reach("baseline rejected");
                self.has_baseline = false;
            }
            Notice::BracketReopening { step } => {
                self.reopening.insert(step);
            }
            Notice::UndoStarted { step, .. } if self.rolling && self.scope.contains(&step) => {
                self.undo(step, engine)?;
            }
            Notice::RollbackFinished { .. } => {
                self.rolling = false;
                self.reopening.clear();
                self.finished = true;
            }
            Notice::RunFinished { .. } => return self.end(engine),
            _ => {}
        }
        Ok(())
    }

    /// A guard that names steps is judged until they are settled; over a bracket as long as that is held.
    fn breach(&mut self, guard: GuardId, engine: &Engine) -> Result<(), String> {
        let plan = Arc::clone(&self.plan);
        let Scope::Steps(steps) = &plan.guard(guard).scope else { return Ok(()) };
        if steps.iter().any(|step| !self.settled.contains(step)) {
            return Ok(());
        }
        if !engine.brackets_held().any(|bracket| steps.contains(&bracket)) {
            return Err(format!("the guard `{}` is breached and nothing of its scope is left", plan.guard(guard).name));
        }
        self.reach("breached while a bracket is held");
        Ok(())
    }

    fn go_back(&mut self, target: Target, widened: bool) {
        self.finished = false;
        self.closed = true;
        self.rolling = true;
        if !widened {
            self.scope.clear();
            self.undone.clear();
            self.reopening.clear();
        }
        for node in self.plan.downstream(target) {
            if let Node::Step(step) = self.plan.graph()[node] {
                self.scope.insert(step);
            }
        }
    }

    /// What the plan says must be undone before it is (R8).
    fn undo(&mut self, step: StepId, engine: &Engine) -> Result<(), String> {
        if !self.undone.insert(step) {
            return Ok(());
        }
        let mut look = vec![self.plan.step_node(step)];
        let mut seen = BTreeSet::new();
        while let Some(node) = look.pop() {
            for &other in self.plan.undo_waits(node) {
                let Node::Step(of) = self.plan.graph()[other] else {
                    if seen.insert(other) {
                        look.push(other);
                    }
                    continue;
                };
                if !self.scope.contains(&of) || !seen.insert(other) {
                    continue;
                }
                if engine.in_effect().any(|step| step == of) && !self.plan.step(of).undo().is_empty() {
                    return Err(format!("`{}` is undone before `{}`", self.name(step), self.name(of)));
                }
                look.push(other);
            }
        }
        Ok(())
    }

    fn end(&mut self, engine: &Engine) -> Result<(), String> {
        self.closed = true;
        self.has_ended = true;
        let left = [
            ("attempts", self.running.len()),
            ("questions", self.questions.len()),
            ("deadlines", self.armed.len()),
            ("guards", self.guards.len()),
            ("gates", self.gates.len()),
        ];
        if let Some((what, _)) = left.iter().find(|(_, count)| *count > 0) {
            return Err(format!("the run has ended and there are {what} left"));
        }
        if engine.outcome() != Some(RunOutcome::Stopped) && engine.brackets_held().next().is_some() {
            return Err("the run has ended and a bracket is still held".into());
        }
        Ok(())
    }

    fn count(&mut self, notice: Notice) {
        let what = match notice {
            Notice::RollbackStarted { widened: true, .. } => "rollback widened",
            Notice::RollbackStarted { .. } => "rollback",
            Notice::RollbackFinished { .. } => "rolled back",
            Notice::RollbackLate => "rollback late",
            Notice::RunStuck { step: Some(_) } => "stuck",
            Notice::RunStuck { step: None } => "not verified",
            Notice::WayBackShut { .. } => "way back shut",
            Notice::WayBackOpen { .. } => "way back open again",
            Notice::WayBackClosed => "way back closed",
            Notice::PassStarted { .. } => "further pass",
            Notice::StepInDoubt { .. } => "in doubt",
            Notice::StepRetrying { part: Part::Forward, .. } => "retried",
            Notice::StepRetrying { .. } => "undo retried",
            Notice::StepSettled { outcome: StepOutcome::Tolerated, .. } => "tolerated",
            Notice::StepSettled { outcome: StepOutcome::Found, .. } => "found",
            Notice::StepSettled { outcome: StepOutcome::Skipped, .. } => "skipped",
            Notice::RampConfirmed { .. } => "value confirmed",
            Notice::RampHeld { why: HeldBack::Pressure(_), .. } => "ramp kept by pressure",
            Notice::RampHeld { why: HeldBack::NoData(_), .. } => "ramp kept without data",
            Notice::RampHeld { why: HeldBack::Operator, .. } => "ramp held by an operator",
            Notice::RampReleased { .. } => "ramp released",
            Notice::RampAdvanced { value: 0, .. } => "first value over",
            Notice::RampAdvanced { .. } => "later value over",
            Notice::BracketClosing { .. } => "bracket closed",
            Notice::BracketReopening { .. } => "bracket opened again",
            Notice::RunPaused { origin: Origin::BracketFailed(_), .. } => "bracket not closed",
            Notice::RunPaused { behind: Some(_), .. } => "paused behind the point of no return",
            Notice::RunPaused { shut: Some(_), .. } => "paused for a shut way back",
            Notice::RunPaused { origin: Origin::Until(_), .. } => "held after a phase",
            Notice::RunPaused { .. } => "paused",
            Notice::GuardBreached { .. } => "breached",
            Notice::GuardBlind { .. } => "blind",
            Notice::GuardAwaited { .. } => "guard awaited",
            Notice::AnswerAwaited { .. } => "answer awaited",
            Notice::GuardWarned { .. } => "warned",
            Notice::GateAnswered { answer: Answer::NoGo, .. } => "no-go",
            Notice::GateExpired { .. } => "gate expired",
            Notice::GateClosed { .. } => "gate taken away",
            Notice::PhaseWaiting { .. } => "window waited for",
            Notice::WindowClosed { .. } => "window closed",
            Notice::PhaseFailed { .. } => "phase failed",
            Notice::StepFailed { .. } => "step failed",
            Notice::UndoFailed { .. } => "undo failed",
            Notice::OrderIgnored => "order ignored",
            Notice::RunFinished { outcome: RunOutcome::Succeeded, .. } => "succeeded",
            Notice::RunFinished { outcome: RunOutcome::Refused, .. } => "refused",
            Notice::RunFinished { outcome: RunOutcome::RolledBack, .. } => "ended rolled back",
            Notice::RunFinished { outcome: RunOutcome::Stopped, .. } => "stopped",
            _ => return,
        };
        self.reach(what);
    }

    /// An event that concerns nothing that is open.
    pub(crate) fn garbage(&self, dice: &mut Dice, engine: &Engine) -> Option<Event> {
        // One beyond the plan, too.
        let step = StepId::at(dice.below(self.plan.steps().len() + 1));
        let phase = PhaseId::at(dice.below(self.plan.phases().len() + 1));
        let guard = GuardId::at(dice.below(self.plan.guards().len() + 1));
        let number = (0..dice.below(4)).fold(Attempt::FIRST, |number, _| number.next());
        let question = Question {
            asked: dice.pick(&[
                Asked::Success(step, Part::Forward, 0),
                Asked::Restored(0),
                Asked::PhaseSuccess(phase, 0),
                Asked::PhaseRequire(phase, 7),
                Asked::Preflight(0),
                Asked::When(step, Part::Undo(0)),
                Asked::Confirm(step, 0),
                Asked::Advance(step, 1, 0),
                Asked::HoldWhile(step, 0),
            ]),
            serial: u32::try_from(dice.below(30)).expect("small"),
        };
        let known = step.index() < self.plan.steps().len() && phase.index() < self.plan.phases().len();
        let verdict = dice.pick(&[Verdict::Holds, Verdict::Fails, Verdict::NoData]);
        match dice.below(11) {
            0 => {
                let attempt =
                    AttemptId { step, part: dice.pick(&[Part::Forward, Part::Undo(0), Part::Undo(9)]), number };
                let end = dice.pick(&[AttemptEnd::Done, AttemptEnd::Failed, AttemptEnd::InDoubt]);
                (self.running.get(&step) != Some(&attempt)).then_some(Event::AttemptEnded { attempt, end })
            }
            1 if known => (!self.questions.contains(&question)).then_some(Event::Judged { question, verdict }),
            2 => (!self.guards.contains(&guard)).then_some(Event::GuardBreached { guard }),
            3 => (!self.ways_back.contains(&step)).then_some(Event::WayBackJudged { step, verdict }),
            4 => (!self.gates.contains(&step)).then_some(Event::GateAnswered { gate: step, answer: Answer::Go }),
            5 if known => {
                let deadline = dice.pick(&[
                    Deadline::Run,
                    Deadline::Phase(phase),
                    Deadline::GateExpiry(step),
                    Deadline::Within(question),
                    Deadline::HoldFor(question),
                    Deadline::PassDelay(Rung { origin: Origin::StepFailed(step), number: 0 }),
                ]);
                (!self.armed.contains(&deadline)).then_some(Event::DeadlineReached { deadline })
            }
            6 => (!self.guards.contains(&guard)).then_some(Event::GuardHeld { guard }),
            7 => (!self.guards.contains(&guard)).then_some(Event::GuardWarned { guard }),
            8 => (!self.guards.contains(&guard)).then_some(Event::GuardAwaited { guard }),
            9 if known => (!self.questions.contains(&question)).then_some(Event::AnswerAwaited { question }),
            _ => (engine.outcome().is_none() && engine.fact().0 > 0).then_some(Event::RunBegan),
        }
    }

    /// Something nobody could have sent; it must not panic either.
    pub(crate) fn nonsense(&self, dice: &mut Dice) -> Event {
        let step = StepId::at(dice.below(2 * self.plan.steps().len() + 1));
        let act = match dice.below(5) {
            0 => Act::Retry { step },
            1 => Act::MarkDone { step },
            2 => Act::Skip { step },
            3 => Act::Rollback { target: Target::Step(step), force: true },
            _ => Act::Rollback { target: Target::Phase(PhaseId::at(dice.below(9))), force: true },
        };
        Event::OperatorAsked { act }
    }
}
