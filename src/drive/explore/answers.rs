//! All that may happen next, and what of it is a fault.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use crate::engine::{Act, Answer, Command, Deadline, Engine, Event, Outbox, Question, Standing};
use crate::model::{Attempt, AttemptEnd, AttemptId, GuardId, NoData, PhaseId, Plan, StepId, Target, Verdict};

/// What has been ordered, and what was answered last.
#[derive(Clone, Debug)]
pub(super) struct World {
    plan: Arc<Plan>,
    faults_left: u32,
    /// `true` where it was told to stop.
    attempts: BTreeMap<AttemptId, bool>,
    questions: BTreeMap<Question, Option<Verdict>>,
    /// `true` where it has held.
    guards: BTreeMap<GuardId, bool>,
    ways_back: BTreeMap<StepId, Option<Verdict>>,
    /// Whose progress is watched.
    progress: BTreeSet<AttemptId>,
    /// Being sampled.
    baseline: bool,
    gates: BTreeSet<StepId>,
    windows_checked: BTreeMap<PhaseId, Option<bool>>,
    windows_watched: BTreeSet<PhaseId>,
    /// `true` where it stands still.
    deadlines: BTreeMap<Deadline, bool>,
}

impl Hash for World {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        (self.faults_left, &self.attempts, &self.questions, &self.guards, &self.ways_back).hash(hasher);
        (&self.progress, self.baseline, &self.gates, &self.windows_checked, &self.windows_watched, &self.deadlines)
            .hash(hasher);
    }
}

impl World {
    pub(super) fn new(plan: Arc<Plan>, faults: u32) -> Self {
        Self {
            plan,
            faults_left: faults,
            attempts: BTreeMap::new(),
            questions: BTreeMap::new(),
            guards: BTreeMap::new(),
            ways_back: BTreeMap::new(),
            progress: BTreeSet::new(),
            baseline: false,
            gates: BTreeSet::new(),
            windows_checked: BTreeMap::new(),
            windows_watched: BTreeSet::new(),
            deadlines: BTreeMap::new(),
        }
    }

    /// The same, had questions and attempts never been numbered.
    pub(super) fn unnumbered(&self) -> Self {
        let mut plain = self.clone();
        let plain_attempt = |attempt: AttemptId| AttemptId { number: Attempt::FIRST, ..attempt };
        plain.attempts = plain.attempts.into_iter().map(|(attempt, stop)| (plain_attempt(attempt), stop)).collect();
        plain.progress = plain.progress.into_iter().map(plain_attempt).collect();
        plain.questions = plain.questions.into_iter().map(|(asked, last)| (asked.unnumbered(), last)).collect();
        plain.deadlines = plain.deadlines.into_iter().map(|(armed, held)| (armed.unnumbered(), held)).collect();
        plain
    }

    /// Everything that may happen now, with what it costs in faults.
    pub(super) fn answers(&self, engine: &Engine) -> Vec<(Event, u32)> {
        let mut answers = Vec::new();
        self.ends(&mut answers);
        self.verdicts(&mut answers);
        self.watches(&mut answers);
        self.people(engine, &mut answers);
        self.times(&mut answers);
        answers.push((Event::RunResumed, 1));
        answers.retain(|(_, cost)| *cost <= self.faults_left);
        answers
    }

    fn ends(&self, answers: &mut Vec<(Event, u32)>) {
        for (attempt, stopping) in &self.attempts {
            let mut end = |end, cost| answers.push((Event::AttemptEnded { attempt: *attempt, end }, cost));
            end(AttemptEnd::Done, 0);
            if *stopping {
                end(AttemptEnd::Stopped, 0);
                continue;
            }
            end(AttemptEnd::Failed, 1);
            end(AttemptEnd::Unknown, 1);
            end(AttemptEnd::NeverStarted, 1);
            // Together with the crash before it.
            end(AttemptEnd::InDoubt, 1);
        }
    }

    fn verdicts(&self, answers: &mut Vec<(Event, u32)>) {
        for (question, last) in &self.questions {
            let turned = |verdict: Verdict| if question.asked.wants_no() { verdict.opposite() } else { verdict };
            for (verdict, cost) in changes(last.map(turned)) {
                let verdict = turned(verdict);
                answers.push((Event::Judged { question: *question, verdict }, cost));
            }
        }
        for (step, last) in &self.ways_back {
            for (verdict, cost) in changes(*last) {
                answers.push((Event::WayBackJudged { step: *step, verdict }, cost));
            }
        }
    }

    fn watches(&self, answers: &mut Vec<(Event, u32)>) {
        for (&guard, held) in &self.guards {
            if !held {
                answers.push((Event::GuardHeld { guard }, 0));
            }
            answers.push((Event::GuardBreached { guard }, 1));
            if self.plan.guard(guard).no_data == NoData::Pause {
                answers.push((Event::GuardBlind { guard }, 1));
            }
        }
        for &attempt in &self.progress {
            answers.push((Event::ProgressStalled { attempt }, 1));
        }
        if self.baseline {
            answers.push((Event::BaselineTaken, 0));
            answers.push((Event::BaselineBlind, 1));
        }
        for (&phase, told) in &self.windows_checked {
            answers.push((Event::WindowJudged { phase, open: true }, 0));
            if told.is_none() {
                answers.push((Event::WindowJudged { phase, open: false }, 1));
            }
        }
        for &phase in &self.windows_watched {
            answers.push((Event::WindowClosed { phase }, 1));
        }
    }

    fn people(&self, engine: &Engine, answers: &mut Vec<(Event, u32)>) {
        for &gate in &self.gates {
            answers.push((Event::GateAnswered { gate, answer: Answer::Go }, 0));
            answers.push((Event::GateAnswered { gate, answer: Answer::NoGo }, 1));
        }
        let mut asked = |act, cost| answers.push((Event::OperatorAsked { act }, cost));
        for (step, ramp) in engine.active_steps().filter_map(|step| Some((step, engine.ramp(step)?))) {
            asked(if ramp.held { Act::Advance { step } } else { Act::Hold { step } }, u32::from(!ramp.held));
        }
        if matches!(engine.standing(), Standing::Paused { .. } | Standing::Stuck) && engine.awaits_people() {
            for step in engine.failed_steps() {
                asked(Act::Retry { step }, 0);
                asked(Act::MarkDone { step }, 0);
                asked(Act::Skip { step }, 0);
            }
            asked(Act::Resume, 0);
            asked(Act::Stop, 0);
            asked(Act::Rollback { target: Target::Start, force: true }, 0);
        } else {
            asked(Act::Pause, 1);
            asked(Act::Stop, 1);
            asked(Act::Rollback { target: Target::Start, force: false }, 1);
        }
    }

    fn times(&self, answers: &mut Vec<(Event, u32)>) {
        for (&deadline, _) in self.deadlines.iter().filter(|(_, held)| !**held) {
            let cost = match deadline {
                Deadline::Retry { .. }
                | Deadline::Wait(..)
                | Deadline::HoldFor(_)
                | Deadline::RampHold(..)
                | Deadline::PassDelay(_) => 0,
                Deadline::Run
                | Deadline::Phase(_)
                | Deadline::Ramp(_)
                | Deadline::Within(_)
                | Deadline::GateExpiry(_)
                | Deadline::RollbackAlarm
                | Deadline::PassWithin(_) => 1,
            };
            answers.push((Event::DeadlineReached { deadline }, cost));
        }
    }

    /// Takes in what happened and what was ordered.
    pub(super) fn follow(&mut self, event: &Event, outbox: &Outbox, cost: u32) {
        self.faults_left -= cost;
        self.observe(event);
        for command in outbox.commands() {
            self.note(command);
        }
    }

    fn observe(&mut self, event: &Event) {
        match event {
            Event::AttemptEnded { attempt, .. } => drop(self.attempts.remove(attempt)),
            Event::Judged { question, verdict } => drop(self.questions.insert(*question, Some(*verdict))),
            Event::WayBackJudged { step, verdict } => drop(self.ways_back.insert(*step, Some(*verdict))),
            Event::GuardHeld { guard } => drop(self.guards.insert(*guard, true)),
            Event::WindowJudged { phase, open: true } => drop(self.windows_checked.remove(phase)),
            Event::WindowJudged { phase, open: false } => {
                self.windows_checked.insert(*phase, Some(false));
            }
            Event::WindowClosed { phase } => drop(self.windows_watched.remove(phase)),
            Event::DeadlineReached { deadline } => drop(self.deadlines.remove(deadline)),
            Event::BaselineTaken | Event::BaselineBlind => self.baseline = false,
            // A new process has measured nothing yet.
            Event::RunResumed => {
                self.questions.values_mut().for_each(|last| *last = None);
                self.ways_back.values_mut().for_each(|last| *last = None);
            }
            Event::RunBegan
            | Event::ProgressStalled { .. }
            | Event::GuardAwaited { .. }
            | Event::AnswerAwaited { .. }
            | Event::GuardBreached { .. }
            | Event::GuardBlind { .. }
            | Event::GuardWarned { .. }
            | Event::GuardEased { .. }
            | Event::SpendNoted { .. }
            | Event::GateAnswered { .. }
            | Event::OperatorAsked { .. } => {}
        }
    }

    fn note(&mut self, command: Command) {
        match command {
            Command::StartAttempt { attempt } => drop(self.attempts.insert(attempt, false)),
            Command::StopAttempt { attempt } => drop(self.attempts.insert(attempt, true)),
            Command::Ask { question, .. } => drop(self.questions.insert(question, None)),
            Command::Withdraw { question } => drop(self.questions.remove(&question)),
            Command::WatchGuard { guard } => drop(self.guards.insert(guard, false)),
            Command::UnwatchGuard { guard } => drop(self.guards.remove(&guard)),
            Command::WatchWayBack { step } => drop(self.ways_back.insert(step, None)),
            Command::UnwatchWayBack { step } => drop(self.ways_back.remove(&step)),
            Command::WatchProgress { attempt } => drop(self.progress.insert(attempt)),
            Command::UnwatchProgress { attempt } => drop(self.progress.remove(&attempt)),
            Command::TakeBaseline => self.baseline = true,
            Command::DropBaseline => self.baseline = false,
            Command::OpenGate { gate } => drop(self.gates.insert(gate)),
            Command::CloseGate { gate } => drop(self.gates.remove(&gate)),
            Command::CheckWindow { phase } => drop(self.windows_checked.insert(phase, None)),
            Command::WatchWindow { phase } => drop(self.windows_watched.insert(phase)),
            Command::ForgetWindow { phase } => {
                self.windows_checked.remove(&phase);
                self.windows_watched.remove(&phase);
            }
            Command::Arm { deadline } | Command::Release { deadline } => drop(self.deadlines.insert(deadline, false)),
            Command::Hold { deadline } => drop(self.deadlines.insert(deadline, true)),
            Command::Disarm { deadline } => drop(self.deadlines.remove(&deadline)),
            Command::TakeValue { .. } | Command::Forget { .. } => {}
        }
    }
}

/// Every verdict but the last; anything but `holds` is a fault.
fn changes(last: Option<Verdict>) -> impl Iterator<Item = (Verdict, u32)> {
    [(Verdict::Holds, 0), (Verdict::Fails, 1), (Verdict::NoData, 1)]
        .into_iter()
        .filter(move |(verdict, _)| last != Some(*verdict))
}
