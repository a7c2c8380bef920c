//! What is asked at a terminal of the run: which question comes first, what can be answered, and what each answer means.
//!
//! Derived from where the run stands, again and again; it asks nobody and decides nothing.

use super::open::Open;
use super::prompt::{How, Question};
use crate::engine::{Act, Engine, Origin, Standing};
use crate::model::{Action, AttemptId, Part, Plan, StepId, Target};
use crate::report::evidence::{self, GateEvidence};
use crate::report::text::{Line, Role};
use crate::report::view::{Mode, View};
use crate::report::words;

/// Where a run stands, for whoever asks about it.
pub struct Scene<'a> {
    /// What is carried out.
    pub plan: &'a Plan,
    /// How it stands.
    pub engine: &'a Engine,
    /// What people see of it.
    pub view: &'a View,
    /// The hash at the head of the journal.
    pub head: String,
    /// Where it is asked.
    pub at: Terminal,
}

/// A terminal where people are asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Terminal {
    /// That of the process which drives the run.
    Own,
    /// That of one which watches it.
    Attached,
}

/// What a question is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Topic {
    /// Ctrl-C.
    Interrupt,
    /// The run waits for a decision; the step that failed, where one did.
    Decision(Option<StepId>),
    /// Work of a person.
    Work(AttemptId),
    /// A gate.
    Gate(StepId),
}

/// What an answer means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Move {
    /// Take the interruption back.
    GoOn,
    /// End this process; the run can be resumed.
    Leave,
    /// An order.
    Order(Act),
    /// At a gate.
    Go,
    /// At a gate.
    NoGo,
    /// The work is done.
    Done,
    /// The work could not be done.
    Failed,
}

/// What must be typed before a choice counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Typing {
    /// The text that a gate wants.
    Confirm(String),
    /// What a person leaves as proof.
    Evidence(String),
    /// Why.
    Reason(Act),
}

/// What is to be asked now, if anything.
pub(super) fn topic(open: &Open, engine: &Engine) -> Option<Topic> {
    if open.interrupted {
        return Some(Topic::Interrupt);
    }
    let decides = match engine.standing() {
        Standing::Stuck => true,
        Standing::Paused { origin, .. } => !matches!(origin, Origin::Until(_)) && open.work.is_empty(),
        Standing::Preflight
        | Standing::Forward
        | Standing::Weighing
        | Standing::RollingBack
        | Standing::Ending
        | Standing::Ended(_) => false,
    };
    if decides && engine.awaits_people() {
        return Some(Topic::Decision(engine.failed_steps().first().copied()));
    }
    let work = open.work.keys().next().map(|attempt| Topic::Work(*attempt));
    work.or_else(|| open.gates.keys().next().map(|gate| Topic::Gate(*gate)))
}

/// What can be chosen there: words and meaning.
pub(super) fn choices(topic: Topic, scene: &Scene<'_>) -> Vec<(String, Move)> {
    let mut choices = Vec::new();
    let mut offer = |words: &str, chosen: Move| choices.push((words.to_owned(), chosen));
    let leave = match scene.at {
        Terminal::Own => "leave: this process ends, `runbook resume` goes on later",
        Terminal::Attached => "leave: stop watching, the run waits on",
    };
    match topic {
        Topic::Gate(_) => {
            offer("go", Move::Go);
            offer("no-go", Move::NoGo);
        }
        Topic::Work(_) => {
            offer("done", Move::Done);
            offer("could not be done", Move::Failed);
        }
        Topic::Interrupt => {
            offer("go on", Move::GoOn);
            for (words, act) in of_ramps(scene) {
                offer(&words, Move::Order(act));
            }
            if let Some(back) = back(scene).filter(|_| !is_going_back(scene.engine)) {
                offer("roll back", Move::Order(back));
            }
            offer(leave, Move::Leave);
        }
        Topic::Decision(step) => {
            for (words, act) in decisions(step, scene) {
                offer(words, Move::Order(act));
            }
            offer(leave, Move::Leave);
        }
    }
    choices
}

/// A ramp may be held where it is, and let go on.
fn of_ramps(scene: &Scene<'_>) -> Vec<(String, Act)> {
    let ramps = scene.engine.active_steps().filter_map(|step| Some((step, scene.engine.ramp(step)?)));
    ramps
        .map(|(step, ramp)| {
            let (name, place) = (&scene.plan.step(step).name, words::place(scene.plan, step, ramp.value));
            if ramp.held {
                (format!("let {name} go on from {place}"), Act::Advance { step })
            } else {
                (format!("hold {name} at {place}"), Act::Hold { step })
            }
        })
        .collect()
}

fn decisions(step: Option<StepId>, scene: &Scene<'_>) -> Vec<(&'static str, Act)> {
    let mut acts = Vec::new();
    let stuck = scene.engine.standing() == Standing::Stuck;
    let is_gate = |step: StepId| matches!(scene.plan.step(step).forward.action, Action::Gate(_));
    match step {
        Some(step) if !stuck && is_gate(step) => acts.push(("ask again", Act::Resume)),
        Some(step) => {
            acts.push(("try again", Act::Retry { step }));
            acts.push(("mark done: it has been done by hand", Act::MarkDone { step }));
            acts.push(("skip it", Act::Skip { step }));
        }
        None if stuck => acts.push(("measure again", Act::Resume)),
        None => acts.push(("go on", Act::Resume)),
    }
    if let Some(back) = back(scene).filter(|_| !stuck) {
        match scene.engine.standing() {
            Standing::Paused { shut: Some(_), .. } => {
                let act = Act::Rollback { target: Target::Start, force: true };
                acts.push(("roll back all the same, knowing what it costs", act));
            }
            _ => acts.push(("roll back", back)),
        }
    }
    acts.push(("stop: end the run where it is", Act::Stop));
    acts
}

/// The order to go back, where there is a way.
fn back(scene: &Scene<'_>) -> Option<Act> {
    scene.engine.point_of_no_return().is_none().then_some(Act::Rollback { target: Target::Start, force: false })
}

/// Whether a run is on its way back.
pub fn is_going_back(engine: &Engine) -> bool {
    matches!(engine.standing(), Standing::RollingBack | Standing::Weighing | Standing::Stuck)
}

/// Whether an order counts only with a reason (R8a, R10).
pub(super) fn wants_reason(act: &Act, going_back: bool) -> bool {
    match act {
        Act::Rollback { force, .. } => *force,
        Act::MarkDone { .. } | Act::Skip { .. } => going_back,
        Act::Pause
        | Act::Resume
        | Act::Stop
        | Act::Retry { .. }
        | Act::Hold { .. }
        | Act::Advance { .. }
        | Act::HoldAfter { .. }
        | Act::Close => false,
    }
}

/// The question itself.
pub(super) fn question(topic: Topic, typing: Option<&Typing>, scene: &Scene<'_>, plain: bool) -> Question {
    let (prompt, how) = match typing {
        Some(Typing::Confirm(text)) => (format!("type `{text}` to go"), How::Type),
        Some(Typing::Evidence(what)) => (what.clone(), How::Type),
        Some(Typing::Reason(_)) => ("why? (it is kept in the journal)".to_owned(), How::Type),
        None => {
            let words = choices(topic, scene).into_iter().map(|(words, _)| words).collect();
            ("your answer (arrow keys, then Enter)".to_owned(), How::Choose(words))
        }
    };
    Question { prompt, how, plain }
}

/// What stands above the question, in lines no wider than `width`.
pub(super) fn block(topic: Topic, open: &Open, scene: &Scene<'_>, remark: Option<&str>, width: usize) -> Vec<Line> {
    let mut lines = vec![Line::new()];
    match topic {
        Topic::Gate(gate) => {
            if let Some(mut evidence) = GateEvidence::of(scene.plan, scene.view, gate) {
                evidence.head = Some(scene.head.clone());
                lines.extend(evidence::lines(&evidence, width));
            }
        }
        Topic::Work(attempt) => lines.extend(work(attempt, open, scene, width)),
        Topic::Interrupt => {
            let text = if is_going_back(scene.engine) {
                "interrupted: the way back goes on meanwhile"
            } else {
                "interrupted: nothing new starts, what runs goes on to its end"
            };
            lines.push(Line::of(Role::Ask, text));
        }
        Topic::Decision(step) => {
            let (word, why) = match &scene.view.mode {
                Mode::Stuck { why } => ("stuck", why.as_str()),
                Mode::Paused { why } => ("paused", why.as_str()),
                _ => ("paused", ""),
            };
            lines.extend(Line::of(Role::Bad, format!("{word}: ")).with(Role::Plain, why).wrap(width, 2));
            let failed = step.map(|step| &scene.plan.step(step).name).filter(|name| !why.contains(name.as_str()));
            lines.extend(failed.map(|name| Line::of(Role::Bad, format!("step {name} failed"))));
        }
    }
    if let Some(remark) = remark {
        lines.push(Line::of(Role::Warn, remark));
    }
    lines.into_iter().map(|line| line.fit(width, "...")).collect()
}

fn work(attempt: AttemptId, open: &Open, scene: &Scene<'_>, width: usize) -> Vec<Line> {
    let Some(work) = open.work.get(&attempt) else { return Vec::new() };
    let name = &scene.plan.step(attempt.step).name;
    let what = match attempt.part {
        Part::Forward => format!("step {name}"),
        Part::Undo(_) => format!("undo of {name}"),
    };
    let mut lines = vec![Line::of(Role::Ask, format!("{what} is yours to do:"))];
    for text in work.instructions.lines() {
        lines.extend(Line::of(Role::Plain, format!("  {text}")).wrap(width, 2));
    }
    let left = work.expires.saturating_duration_since(tokio::time::Instant::now());
    let left = crate::model::Span::from_secs(left.as_secs());
    lines.push(Line::of(Role::Dim, format!("  in {left} it counts as failed")));
    lines
}
