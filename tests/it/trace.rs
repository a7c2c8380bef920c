//! Traces: left what happens, right what follows. Reads as a specification of the engine.
//!
//! Events: `begin`, `resumed`; `done a`, `fails a`, `unknown a`, `stopped a`, `stalls a`, `doubt a`, `never a` (the running attempt of a);
//! `yes Q`, `no Q`, `nodata Q` (an open question, by its name, `success a`); `held g`, `breach g`, `blind g`; `open a`,
//! `shut a` (the way back of a); `baseline`, `no_baseline` (sampled, with and without data); `go a`, `nogo a`; `window p`, `no_window p`, `window_closed p`; `due D` (an armed
//! deadline); `pause`, `resume`, `stop`, `back T`, `force T`, `retry a`, `mark a`, `skip a`, `hold a`,
//! `advance a`, `until p`, `close`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use runbook::engine::{
    Act, Answer, Asked, Command, Deadline, Direction, Engine, Event, HeldBack, Notice, Output, Question,
};
use runbook::model::{AttemptEnd, AttemptId, GuardId, Part, Plan, StepId, Target, Verdict};

/// Feeds events to an engine and writes down what follows.
pub(crate) struct Trace {
    pub(crate) plan: Arc<Plan>,
    pub(crate) engine: Engine,
    pub(crate) running: BTreeMap<StepId, AttemptId>,
    pub(crate) questions: BTreeSet<Question>,
    pub(crate) armed: BTreeSet<Deadline>,
}

/// The whole trace of a few events, a line each.
pub(crate) fn trace(text: &str, events: &[&str]) -> String {
    let mut trace = Trace::new(super::sketch::plan(text));
    let width = events.iter().map(|event| event.len()).max().unwrap_or_default();
    let lines: Vec<String> = events.iter().map(|event| format!("{event:<width$} | {}", trace.event(event))).collect();
    lines.join("\n")
}

impl Trace {
    pub(crate) fn new(plan: Arc<Plan>) -> Self {
        Self {
            engine: Engine::new(plan.clone()),
            plan,
            running: BTreeMap::new(),
            questions: BTreeSet::new(),
            armed: BTreeSet::new(),
        }
    }

    /// Applies one event in words.
    pub(crate) fn event(&mut self, text: &str) -> String {
        let event = self.parse(text);
        self.apply(&event)
    }

    pub(crate) fn apply(&mut self, event: &Event) -> String {
        if let Event::AttemptEnded { attempt, .. } = event {
            self.running.remove(&attempt.step);
        }
        if let Event::DeadlineReached { deadline } = event {
            self.armed.remove(deadline);
        }
        let out = self.engine.apply(event);
        for command in out.commands() {
            self.note(command);
        }
        let told: Vec<String> = out.into_iter().filter_map(|output| self.say(output)).collect();
        told.join("; ")
    }

    fn note(&mut self, command: Command) {
        match command {
            Command::StartAttempt { attempt } => {
                let before = self.running.insert(attempt.step, attempt);
                assert_eq!(before, None, "two attempts of one step at once");
            }
            Command::Ask { question, .. } => {
                self.questions.insert(question);
            }
            Command::Withdraw { question } => {
                self.questions.remove(&question);
            }
            Command::Arm { deadline } => assert!(self.armed.insert(deadline), "armed twice: {deadline:?}"),
            Command::Disarm { deadline } => assert!(self.armed.remove(&deadline), "not armed: {deadline:?}"),
            _ => {}
        }
    }

    fn parse(&self, text: &str) -> Event {
        let words: Vec<&str> = text.split_whitespace().collect();
        let rest = words[1..].join(" ");
        let step = || self.plan.step_named(&rest).unwrap_or_else(|| panic!("no step `{rest}`"));
        let ended = |end| Event::AttemptEnded {
            attempt: *self.running.get(&step()).unwrap_or_else(|| panic!("`{rest}` does not run")),
            end,
        };
        let judged = |verdict| Event::Judged { question: self.question(&rest), verdict };
        let guard = || {
            let at = self.plan.guards().iter().position(|guard| guard.name == rest);
            GuardId::at(at.expect("a guard of the sketch"))
        };
        let phase = || self.plan.phase_named(&rest).expect("a phase of the sketch");
        let asked = |act| Event::OperatorAsked { act };
        match words[0] {
            "begin" => Event::RunBegan,
            "resumed" => Event::RunResumed,
            "done" => ended(AttemptEnd::Done),
            "fails" => ended(AttemptEnd::Failed),
            "unknown" => ended(AttemptEnd::Unknown),
            "stopped" => ended(AttemptEnd::Stopped),
            "stalls" => Event::ProgressStalled { attempt: self.running[&step()] },
            "doubt" => ended(AttemptEnd::InDoubt),
            "never" => ended(AttemptEnd::NeverStarted),
            "yes" => judged(Verdict::Holds),
            "no" => judged(Verdict::Fails),
            "nodata" => judged(Verdict::NoData),
            "held" => Event::GuardHeld { guard: guard() },
            "awaited" => Event::GuardAwaited { guard: guard() },
            "unanswered" => Event::AnswerAwaited { question: self.question(&rest) },
            "breach" => Event::GuardBreached { guard: guard() },
            "warned" => Event::GuardWarned { guard: guard() },
            "eased" => Event::GuardEased { guard: guard() },
            "blind" => Event::GuardBlind { guard: guard() },
            "open" => Event::WayBackJudged { step: step(), verdict: Verdict::Holds },
            "shut" => Event::WayBackJudged { step: step(), verdict: Verdict::Fails },
            "go" => Event::GateAnswered { gate: step(), answer: Answer::Go },
            "nogo" => Event::GateAnswered { gate: step(), answer: Answer::NoGo },
            "window" => Event::WindowJudged { phase: phase(), open: true },
            "no_window" => Event::WindowJudged { phase: phase(), open: false },
            "baseline" => Event::BaselineTaken,
            "no_baseline" => Event::BaselineBlind,
            "window_closed" => Event::WindowClosed { phase: phase() },
            "due" => Event::DeadlineReached { deadline: self.deadline(&rest) },
            "pause" => asked(Act::Pause),
            "resume" => asked(Act::Resume),
            "stop" => asked(Act::Stop),
            "back" => asked(Act::Rollback { target: self.target(&rest), force: false }),
            "force" => asked(Act::Rollback { target: self.target(&rest), force: true }),
            "retry" => asked(Act::Retry { step: step() }),
            "mark" => asked(Act::MarkDone { step: step() }),
            "skip" => asked(Act::Skip { step: step() }),
            "hold" => asked(Act::Hold { step: step() }),
            "advance" => asked(Act::Advance { step: step() }),
            "until" => asked(Act::HoldAfter { phase: Some(phase()) }),
            "close" => asked(Act::Close),
            other => panic!("not an event: {other}"),
        }
    }

    fn target(&self, name: &str) -> Target {
        match name {
            "start" => Target::Start,
            _ => match self.plan.phase_named(name) {
                Some(phase) => Target::Phase(phase),
                None => Target::Step(self.plan.step_named(name).expect("a target of the sketch")),
            },
        }
    }

    fn question(&self, name: &str) -> Question {
        let mut open = self.questions.iter().filter(|question| self.asked(question.asked) == name);
        let names: Vec<String> = self.questions.iter().map(|question| self.asked(question.asked)).collect();
        *open.next().unwrap_or_else(|| panic!("`{name}` is not asked, but {names:?}"))
    }

    fn deadline(&self, name: &str) -> Deadline {
        let names: Vec<String> = self.armed.iter().map(|deadline| self.due(*deadline)).collect();
        let mut armed = self.armed.iter().filter(|deadline| self.due(**deadline) == name);
        *armed.next().unwrap_or_else(|| panic!("`{name}` is not armed, but {names:?}"))
    }

    pub(crate) fn asked(&self, asked: Asked) -> String {
        let part = |part: Part| if part == Part::Forward { "" } else { "undo " };
        let name = |step: StepId| &self.plan.step(step).name;
        match asked {
            Asked::Preflight(_) => "preflight".into(),
            Asked::PhaseRequire(phase, _) => format!("require {}", self.plan.phase(phase).name),
            Asked::PhaseSuccess(phase, _) => format!("success {}", self.plan.phase(phase).name),
            Asked::When(step, of) => format!("{}when {}", part(of), name(step)),
            Asked::DoneWhen(step, of) => format!("{}done_when {}", part(of), name(step)),
            Asked::Require(step, of, _) => format!("{}require {}", part(of), name(step)),
            Asked::Success(step, of, _) => format!("{}success {}", part(of), name(step)),
            Asked::WaitUntil(step, of) => format!("{}until {}", part(of), name(step)),
            Asked::Restored(_) => "restored".into(),
            Asked::Confirm(step, _) => format!("confirm {}", name(step)),
            Asked::Advance(step, ..) => format!("advance {}", name(step)),
            Asked::HoldWhile(step, _) => format!("pressure {}", name(step)),
            Asked::BaselineRequire(_) => "baseline".into(),
        }
    }

    pub(crate) fn due(&self, deadline: Deadline) -> String {
        let name = |step: StepId| &self.plan.step(step).name;
        match deadline {
            Deadline::Run => "run".into(),
            Deadline::Phase(phase) => format!("phase {}", self.plan.phase(phase).name),
            Deadline::Within(question) => format!("within {}", self.asked(question.asked)),
            Deadline::HoldFor(question) => format!("for {}", self.asked(question.asked)),
            Deadline::Retry { step, .. } => format!("retry {}", name(step)),
            Deadline::Wait(step, _) => format!("wait {}", name(step)),
            Deadline::GateExpiry(step) => format!("gate {}", name(step)),
            Deadline::Ramp(step) => format!("ramp {}", name(step)),
            Deadline::RampHold(step, _) => format!("hold {}", name(step)),
            Deadline::RollbackAlarm => "rollback".into(),
            Deadline::PassDelay(_) => "pass delay".into(),
            Deadline::PassWithin(_) => "pass within".into(),
        }
    }

    fn value(&self, step: StepId, value: u16) -> String {
        let ramp = self.plan.step(step).forward.ramp().expect("a ramp of the sketch");
        format!("{} {}", self.plan.step(step).name, ramp.values[usize::from(value)].text())
    }

    fn attempt(&self, attempt: AttemptId) -> String {
        let part = match attempt.part {
            Part::Forward => "",
            Part::Undo(0) => "undo ",
            Part::Undo(_) => "undo' ",
        };
        format!("{part}{}#{}", self.plan.step(attempt.step).name, attempt.number)
    }

    /// What a reader of a trace wants to see; deadlines and watches only where they are the point.
    fn say(&self, output: Output) -> Option<String> {
        let name = |step: StepId| self.plan.step(step).name.clone();
        Some(match output {
            Output::Do(Command::StartAttempt { attempt }) => format!("start {}", self.attempt(attempt)),
            Output::Do(Command::StopAttempt { attempt }) => format!("stop {}", self.attempt(attempt)),
            Output::Do(Command::Ask { question, .. }) => format!("ask {}", self.asked(question.asked)),
            Output::Do(Command::OpenGate { gate }) => format!("open gate {}", name(gate)),
            Output::Do(Command::CloseGate { gate }) => format!("close gate {}", name(gate)),
            Output::Do(Command::WatchGuard { guard }) => format!("watch {}", self.plan.guard(guard).name),
            Output::Do(Command::UnwatchGuard { guard }) => format!("unwatch {}", self.plan.guard(guard).name),
            Output::Do(Command::WatchWayBack { step }) => format!("watch way back {}", name(step)),
            Output::Do(Command::Hold { deadline }) => format!("hold {}", self.due(deadline)),
            Output::Do(Command::Release { deadline }) => format!("release {}", self.due(deadline)),
            Output::Do(Command::CheckWindow { phase }) => format!("check window {}", self.plan.phase(phase).name),
            Output::Do(Command::WatchProgress { attempt }) => format!("watch progress {}", self.attempt(attempt)),
            Output::Do(Command::UnwatchProgress { attempt }) => format!("unwatch progress {}", self.attempt(attempt)),
            Output::Tell(Notice::StepStalled { step }) => format!("{} stalled", name(step)),
            Output::Do(Command::TakeBaseline) => "take baseline".into(),
            Output::Do(Command::DropBaseline) => "drop baseline".into(),
            Output::Tell(Notice::BaselineTaken) => "baseline taken".into(),
            Output::Tell(Notice::BaselineRejected { .. }) => "baseline rejected".into(),
            Output::Tell(Notice::StepSettled { step, outcome }) => format!("{} {outcome}", name(step)),
            Output::Tell(Notice::StepFailed { step, .. }) => format!("{} failed", name(step)),
            Output::Do(Command::TakeValue { step, value }) => format!("take {}", self.value(step, value)),
            Output::Do(Command::Arm { deadline: deadline @ Deadline::RampHold(..) }) => {
                format!("begin {}", self.due(deadline))
            }
            Output::Do(Command::Disarm { deadline: deadline @ Deadline::RampHold(..) }) => {
                format!("end {}", self.due(deadline))
            }
            Output::Tell(Notice::RampSet { step, value }) => format!("{} set", self.value(step, value)),
            Output::Tell(Notice::RampConfirmed { step, value }) => format!("{} confirmed", self.value(step, value)),
            Output::Tell(Notice::RampHeld { step, value, why }) => {
                let why = match why {
                    HeldBack::Pressure(_) => "pressure",
                    HeldBack::NoData(_) => "no data",
                    HeldBack::Operator => "an operator",
                };
                format!("{} kept by {why}", self.value(step, value))
            }
            Output::Tell(Notice::RampReleased { step, value }) => format!("{} released", self.value(step, value)),
            Output::Tell(Notice::RampAdvanced { step, value }) => format!("{} over", self.value(step, value)),
            Output::Tell(Notice::StepRetrying { step, .. }) => format!("{} will be retried", name(step)),
            Output::Tell(Notice::PhaseSucceeded { phase }) => format!("{} over", self.plan.phase(phase).name),
            Output::Tell(Notice::PhaseFailed { phase, .. }) => format!("{} failed", self.plan.phase(phase).name),
            Output::Tell(Notice::GuardBreached { guard }) => format!("{} breached", self.plan.guard(guard).name),
            Output::Tell(Notice::GuardAwaited { guard, step }) => {
                format!("{} waits for {}", name(step), self.plan.guard(guard).name)
            }
            Output::Tell(Notice::AnswerAwaited { question }) => format!("waits for {}", self.asked(question.asked)),
            Output::Tell(Notice::GuardWarned { guard }) => format!("{} warns", self.plan.guard(guard).name),
            Output::Tell(Notice::GuardEased { guard }) => format!("{} warns no longer", self.plan.guard(guard).name),
            Output::Tell(Notice::UndoSucceeded { step, .. }) => format!("{} undone", name(step)),
            Output::Tell(Notice::UndoFailed { step, .. }) => format!("undo {} failed", name(step)),
            Output::Tell(Notice::RunPaused { behind: Some(step), .. }) => format!("paused behind {}", name(step)),
            Output::Tell(Notice::RunPaused { shut: Some(step), .. }) => format!("paused, {} shut", name(step)),
            Output::Tell(Notice::RunPaused { .. }) => "paused".into(),
            Output::Tell(Notice::RunContinued) => "continued".into(),
            Output::Tell(Notice::RunStopping { on: Direction::Back, .. }) => "stopping on the way back".into(),
            Output::Tell(Notice::RunStopping { .. }) => "stopping".into(),
            Output::Tell(Notice::RunStuck { .. }) => "stuck".into(),
            Output::Tell(Notice::RollbackStarted { widened: true, .. }) => "widened".into(),
            Output::Tell(Notice::RollbackStarted { .. }) => "back".into(),
            Output::Tell(Notice::RollbackRefused { .. }) => "refused".into(),
            Output::Tell(Notice::RollbackLate) => "late".into(),
            Output::Tell(Notice::PassStarted { pass, .. }) => format!("pass {pass}"),
            Output::Tell(Notice::WayBackShut { step }) => format!("way back shut at {}", name(step)),
            Output::Tell(Notice::WayBackOpen { step }) => format!("way back open at {}", name(step)),
            Output::Tell(Notice::WayBackClosed) => "way back closed".into(),
            Output::Tell(Notice::OrderIgnored) => "ignored".into(),
            Output::Tell(Notice::RunFinished { outcome, on: Direction::Back }) => {
                format!("ended {outcome} on the way back")
            }
            Output::Tell(Notice::RunFinished { outcome, .. }) => format!("ended {outcome}"),
            Output::Do(_) | Output::Tell(_) => return None,
        })
    }
}
