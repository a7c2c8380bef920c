//! The story of a run: what is told when it is over, and what `show`, `status`, `list` and `why` say of it later. Folded
//! from its notices like the view, from a live run or from a journal.

mod list;
mod summary;

use jiff::Timestamp;

pub use list::{ListRow, list};

use super::view::{Mode, StepState, View};
use super::{Told, words};
use crate::engine::{Cause, Notice, Origin};
use crate::model::{Interrupts, Plan, RunOutcome, Span, StepId, StepOutcome, Time};

/// What is worth telling of a run.
#[derive(Clone, Debug)]
pub struct Story {
    /// Where it stands.
    pub view: View,
    /// When it began, on the calendar.
    pub began: Option<Timestamp>,
    /// The last that was heard of it, on the calendar.
    pub heard: Option<Timestamp>,
    /// Why it went back, stopped, got stuck or was refused: sentences, the first cause first.
    pub causes: Vec<(Time, String)>,
    /// What people answered, and what they ordered.
    pub answers: Vec<(Time, String)>,
    /// Guards that warned.
    pub warnings: Vec<(Time, String)>,
    /// Guards that breached or got no data.
    pub breaches: Vec<(Time, String)>,
    /// What was interrupted, and for how long.
    pub interruptions: Vec<Interruption>,
    /// Attempts that failed and were followed by another.
    pub retries: u32,
    /// How often another process took over.
    pub resumed: u32,
    /// The number of the pass.
    pub pass: u32,
    /// From the first beginning of a rollback to its end.
    pub rollback: Option<(Time, Option<Time>)>,
    /// The hash at the head of the journal.
    pub head: Option<String>,
    /// The last news of each step, by step id.
    last: Vec<Option<Told>>,
}

/// Something that stood still for a while (`interrupts` of a phase).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interruption {
    /// What: `writes`.
    pub what: String,
    /// Since when.
    pub from: Time,
    /// Until when; `None`: still.
    pub to: Option<Time>,
    /// Whether it was ended by going back.
    pub ended_by_undo: bool,
}

impl Interruption {
    /// How long it was.
    pub fn length(&self) -> Option<Span> {
        self.to.map(|to| to.since(self.from))
    }
}

impl Story {
    /// The story of a run that has not begun.
    pub fn new(plan: &Plan, run: impl Into<String>) -> Self {
        Self {
            view: View::new(plan, run),
            began: None,
            heard: None,
            causes: Vec::new(),
            answers: Vec::new(),
            warnings: Vec::new(),
            breaches: Vec::new(),
            interruptions: Vec::new(),
            retries: 0,
            resumed: 0,
            pass: 1,
            rollback: None,
            head: None,
            last: vec![None; plan.steps().len()],
        }
    }

    /// Takes in one notice.
    pub fn take(&mut self, plan: &Plan, told: &Told) {
        let before = self.view.mode.clone();
        self.view.take(plan, told);
        self.heard = Some(told.wall);
        self.note(plan, told, &before);
        self.time_interruptions(plan, told);
        self.remember_last(told);
    }

    fn note(&mut self, plan: &Plan, told: &Told, before: &Mode) {
        let sentence = || words::sentence(plan, told);
        match told.notice {
            Notice::RunStarted => self.began = Some(told.wall),
            Notice::RunResumed => self.resumed += 1,
            Notice::PassStarted { pass, .. } => self.pass = pass,
            Notice::StepRetrying { .. } => self.retries += 1,
            Notice::GuardWarned { .. } | Notice::GuardAwaited { .. } | Notice::AnswerAwaited { .. } => {
                self.warnings.push((told.at, sentence()));
            }
            Notice::GuardBreached { .. } | Notice::GuardBlind { .. } => {
                self.breaches.push((told.at, sentence()));
                self.causes.push((told.at, sentence()));
            }
            // The answer itself has said so.
            Notice::StepFailed { cause: Cause::NoGo, .. } => {}
            Notice::StepFailed { .. }
            | Notice::PhaseFailed { .. }
            | Notice::UndoFailed { .. }
            | Notice::RollbackRefused { .. }
            | Notice::BaselineRejected { .. }
            | Notice::RunFinished { outcome: RunOutcome::Refused, .. }
            | Notice::RunStuck { .. } => self.causes.push((told.at, sentence())),
            Notice::GateExpired { .. } => {
                self.answers.push((told.at, sentence()));
                self.causes.push((told.at, sentence()));
            }
            Notice::GateAnswered { answer, .. } => {
                self.answers.push((told.at, sentence()));
                if answer == crate::engine::Answer::NoGo {
                    self.causes.push((told.at, sentence()));
                }
            }
            Notice::RunPaused { origin, behind, shut }
                if behind.is_some() || shut.is_some() || !is_told_by_itself(origin) =>
            {
                self.causes.push((told.at, sentence()));
            }
            Notice::RunStopping { origin, .. } if !is_told_by_itself(origin) => self.causes.push((told.at, sentence())),
            Notice::RollbackStarted { origin, .. } => {
                if !matches!(before, Mode::RollingBack { .. }) {
                    self.rollback = Some((told.at, None));
                }
                if !is_told_by_itself(origin) {
                    self.causes.push((told.at, sentence()));
                }
            }
            Notice::RollbackFinished { .. } => {
                if let Some((_, to)) = &mut self.rollback {
                    *to = Some(told.at);
                }
            }
            _ => {}
        }
    }

    /// From the first attempt of one step to the end of the criteria of another, or to the end of the first one's undo.
    fn time_interruptions(&mut self, plan: &Plan, told: &Told) {
        for interrupts in plan.phases().iter().filter_map(|phase| phase.interrupts.as_ref()) {
            let open = self.interruptions.iter_mut().find(|it| it.what == interrupts.what && it.to.is_none());
            match (edge(interrupts, &told.notice), open) {
                (Some(Edge::Begins), None) => self.interruptions.push(Interruption {
                    what: interrupts.what.clone(),
                    from: told.at,
                    to: None,
                    ended_by_undo: false,
                }),
                (Some(Edge::Ends { by_undo }), Some(open)) => {
                    open.to = Some(told.at);
                    open.ended_by_undo = by_undo;
                }
                _ => {}
            }
        }
    }

    fn remember_last(&mut self, told: &Told) {
        if let Some(step) = step_of(&told.notice) {
            self.last[step.index()] = Some(told.clone());
        }
    }

    /// Why a step is where it is, in a sentence or two.
    pub fn why(&self, plan: &Plan, step: StepId) -> String {
        let it = self.view.step(step);
        let name = &it.name;
        if it.state == StepState::Pending {
            return format!("step {name} has not begun: {}", self.waits_for(plan, step));
        }
        match &self.last[step.index()] {
            Some(told) => format!("{} (at {})", words::sentence(plan, told), super::text::clock(told.at)),
            None => format!("nothing has been heard of step {name} yet"),
        }
    }

    fn waits_for(&self, plan: &Plan, step: StepId) -> String {
        let open: Vec<&str> = plan
            .step(step)
            .needs
            .iter()
            .filter(|need| !self.view.step(**need).state.satisfies_needs())
            .map(|need| self.view.step(*need).name.as_str())
            .collect();
        if !open.is_empty() {
            return format!("it needs {}", super::text::listed(&open, 5));
        }
        match &self.view.mode {
            Mode::Waiting => return "the run has not begun".into(),
            Mode::Paused { why } => return format!("the run is paused: {why}"),
            Mode::Stopping { why } => return format!("the run is stopping: {why}"),
            Mode::RollingBack { why, .. } => return format!("the run is going back: {why}"),
            Mode::Stuck { why } => return format!("the run is stuck: {why}"),
            Mode::Finished { outcome } => return format!("the run has ended: {outcome}"),
            Mode::Forward => {}
        }
        match plan.step(step).phase.map(|phase| &self.view.phases[phase.index()]) {
            Some(phase) if phase.state == super::view::PhaseState::Pending => {
                format!("phase {} has not begun", phase.name)
            }
            Some(phase) if phase.state == super::view::PhaseState::Waiting => {
                format!("phase {} waits for its window", phase.name)
            }
            _ => "it is its turn as soon as a slot is free and every guard has held once".into(),
        }
    }

    /// The steps whose failure was tolerated.
    pub fn tolerated(&self) -> Vec<&str> {
        self.steps_where(|step| step.state == StepState::Settled(StepOutcome::Tolerated))
    }

    /// The steps that were undone and are not done again.
    pub fn undone(&self) -> Vec<&str> {
        self.steps_where(|step| step.state == StepState::Undone)
    }

    /// Brackets whose effect is still in place.
    pub fn held(&self, plan: &Plan) -> Vec<&str> {
        let held = |step: &StepId| self.view.step(*step).in_effect && plan.step(*step).held_for.is_some();
        plan.step_ids().filter(held).map(|step| self.view.step(step).name.as_str()).collect()
    }

    fn steps_where(&self, rule: impl Fn(&super::view::StepView) -> bool) -> Vec<&str> {
        self.view.steps.iter().filter(|step| rule(step)).map(|step| step.name.as_str()).collect()
    }
}

/// Whether a notice of its own says this, with its evidence, before anything follows from it.
fn is_told_by_itself(origin: Origin) -> bool {
    match origin {
        Origin::StepFailed(_)
        | Origin::PhaseFailed(_)
        | Origin::GuardBreached(_)
        | Origin::GuardBlind(_)
        | Origin::NoGo(_)
        | Origin::GateExpired(_)
        | Origin::BracketFailed(_) => true,
        Origin::StepInDoubt(_) | Origin::RunTimeout | Origin::WindowClosed(_) | Origin::Until(_) | Origin::Operator => {
            false
        }
    }
}

enum Edge {
    Begins,
    Ends { by_undo: bool },
}

fn edge(interrupts: &Interrupts, notice: &Notice) -> Option<Edge> {
    match *notice {
        Notice::StepStarted { step, .. } if step == interrupts.from => Some(Edge::Begins),
        Notice::StepSettled { step, outcome: StepOutcome::Done | StepOutcome::Found } if step == interrupts.to => {
            Some(Edge::Ends { by_undo: false })
        }
        Notice::UndoSucceeded { step, .. } if step == interrupts.from => Some(Edge::Ends { by_undo: true }),
        _ => None,
    }
}

/// The step whose state a notice changes.
fn step_of(notice: &Notice) -> Option<StepId> {
    match *notice {
        Notice::StepStarted { step, .. }
        | Notice::StepMeasuring { step, .. }
        | Notice::StepRetrying { step, .. }
        | Notice::StepStalled { step }
        | Notice::StepInDoubt { step, .. }
        | Notice::StepSettled { step, .. }
        | Notice::StepFailed { step, .. }
        | Notice::RampSet { step, .. }
        | Notice::RampConfirmed { step, .. }
        | Notice::RampHeld { step, .. }
        | Notice::RampReleased { step, .. }
        | Notice::RampAdvanced { step, .. }
        | Notice::UndoStarted { step, .. }
        | Notice::UndoSucceeded { step, .. }
        | Notice::UndoFailed { step, .. } => Some(step),
        Notice::RampSetting { attempt, .. } => Some(attempt.step),
        Notice::GateOpened { gate }
        | Notice::GateAnswered { gate, .. }
        | Notice::GateExpired { gate }
        | Notice::GateClosed { gate } => Some(gate),
        _ => None,
    }
}

/// What a person can do about a run that goes on: the exact commands.
pub fn hint(view: &View) -> Option<String> {
    let run = &view.run;
    if let Some(gate) = view.steps.iter().find(|step| matches!(step.state, StepState::Asking { .. })) {
        return Some(format!("runbook go {run} {name}, or runbook no-go {run} {name}", name = gate.name));
    }
    match &view.mode {
        Mode::Paused { .. } => {
            let failed = view.steps.iter().find(|step| step.state == StepState::Settled(StepOutcome::Failed));
            Some(match failed {
                Some(step) => format!("runbook retry {run} {}, or runbook rollback {run}", step.name),
                None => format!("runbook resume {run}, or runbook rollback {run}"),
            })
        }
        Mode::Stuck { .. } => {
            let failed = view.steps.iter().find(|step| step.state == StepState::UndoFailed);
            failed
                .map(|step| format!("runbook retry {run} {name}, or runbook mark-done {run} {name}", name = step.name))
        }
        Mode::Waiting | Mode::Forward | Mode::Stopping { .. } | Mode::RollingBack { .. } | Mode::Finished { .. } => {
            None
        }
    }
}

/// What a person can do about a run that nobody drives any more: command and reason.
pub fn next_moves(view: &View) -> Vec<(String, &'static str)> {
    use super::view::WayBack;
    let run = &view.run;
    let resume = (format!("runbook resume {run}"), "goes on from here");
    let back = (format!("runbook rollback {run}"), "goes back");
    let can_go_back = matches!(view.way_back, WayBack::Open { .. } | WayBack::Shut { .. });
    match &view.mode {
        Mode::Finished { outcome: RunOutcome::Succeeded | RunOutcome::Stopped } if can_go_back => vec![back],
        Mode::Finished { .. } => Vec::new(),
        Mode::Stuck { .. } => vec![(resume.0, "tries the way back again")],
        Mode::RollingBack { .. } => vec![(resume.0, "goes on with the way back")],
        Mode::Waiting | Mode::Forward | Mode::Paused { .. } | Mode::Stopping { .. } if can_go_back => {
            vec![resume, back]
        }
        Mode::Waiting | Mode::Forward | Mode::Paused { .. } | Mode::Stopping { .. } => vec![resume],
    }
}

#[cfg(test)]
mod tests;
