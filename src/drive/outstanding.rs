//! What the engine has ordered and not taken back: what a driver is busy with, and what the next process must take up.

use std::collections::{BTreeMap, BTreeSet};

use crate::engine::{Command, Event, Question};
use crate::model::{AttemptId, FactId, GuardId, PhaseId, StepId};

/// Orders in force.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outstanding {
    /// Attempts that were started and have not ended; `true` where they have been told to stop.
    pub attempts: BTreeMap<AttemptId, bool>,
    /// Questions, and the moment that each is about.
    pub questions: BTreeMap<Question, FactId>,
    /// Guards that are watched.
    pub guards: BTreeSet<GuardId>,
    /// Steps whose way back is watched.
    pub ways_back: BTreeSet<StepId>,
    /// Attempts whose progress is watched.
    pub progress: BTreeSet<AttemptId>,
    /// Whether the baseline is being sampled.
    pub baseline: bool,
    /// Gates that people are asked at.
    pub gates: BTreeSet<StepId>,
    /// Phases that wait for their window.
    pub windows_checked: BTreeSet<PhaseId>,
    /// Phases whose window must be reported when it closes.
    pub windows_watched: BTreeSet<PhaseId>,
}

/// What an order begins or ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Matter {
    Attempt(AttemptId),
    Question(Question),
    Guard(GuardId),
    WayBack(StepId),
    Progress(AttemptId),
    Baseline,
    Gate(StepId),
    Window(PhaseId),
}

/// How an order stands to its matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stand {
    Begins(Matter),
    Ends(Matter),
    /// Deadlines, and what is said once.
    Neither,
}

pub(super) fn stand(command: Command) -> Stand {
    match command {
        Command::StartAttempt { attempt } => Stand::Begins(Matter::Attempt(attempt)),
        Command::StopAttempt { attempt } => Stand::Ends(Matter::Attempt(attempt)),
        Command::Ask { question, .. } => Stand::Begins(Matter::Question(question)),
        Command::Withdraw { question } => Stand::Ends(Matter::Question(question)),
        Command::WatchGuard { guard } => Stand::Begins(Matter::Guard(guard)),
        Command::UnwatchGuard { guard } => Stand::Ends(Matter::Guard(guard)),
        Command::WatchWayBack { step } => Stand::Begins(Matter::WayBack(step)),
        Command::UnwatchWayBack { step } => Stand::Ends(Matter::WayBack(step)),
        Command::WatchProgress { attempt } => Stand::Begins(Matter::Progress(attempt)),
        Command::UnwatchProgress { attempt } => Stand::Ends(Matter::Progress(attempt)),
        Command::TakeBaseline => Stand::Begins(Matter::Baseline),
        Command::DropBaseline => Stand::Ends(Matter::Baseline),
        Command::OpenGate { gate } => Stand::Begins(Matter::Gate(gate)),
        Command::CloseGate { gate } => Stand::Ends(Matter::Gate(gate)),
        Command::CheckWindow { phase } | Command::WatchWindow { phase } => Stand::Begins(Matter::Window(phase)),
        Command::ForgetWindow { phase } => Stand::Ends(Matter::Window(phase)),
        Command::Arm { .. }
        | Command::Disarm { .. }
        | Command::Hold { .. }
        | Command::Release { .. }
        | Command::TakeValue { .. }
        | Command::Forget { .. } => Stand::Neither,
    }
}

impl Outstanding {
    pub(super) fn holds(&self, matter: Matter) -> bool {
        match matter {
            Matter::Attempt(attempt) => self.attempts.contains_key(&attempt),
            Matter::Question(question) => self.questions.contains_key(&question),
            Matter::Guard(guard) => self.guards.contains(&guard),
            Matter::WayBack(step) => self.ways_back.contains(&step),
            Matter::Progress(attempt) => self.progress.contains(&attempt),
            Matter::Baseline => self.baseline,
            Matter::Gate(gate) => self.gates.contains(&gate),
            Matter::Window(phase) => self.windows_checked.contains(&phase) || self.windows_watched.contains(&phase),
        }
    }

    /// Takes in an order.
    pub fn note(&mut self, command: Command) {
        match stand(command) {
            Stand::Begins(matter) => self.begin(matter, command),
            Stand::Ends(matter) => self.end(matter),
            Stand::Neither => {}
        }
    }

    fn begin(&mut self, matter: Matter, command: Command) {
        match matter {
            Matter::Attempt(attempt) => drop(self.attempts.insert(attempt, false)),
            Matter::Question(question) => {
                if let Command::Ask { since, .. } = command {
                    self.questions.insert(question, since);
                }
            }
            Matter::Guard(guard) => drop(self.guards.insert(guard)),
            Matter::WayBack(step) => drop(self.ways_back.insert(step)),
            Matter::Progress(attempt) => drop(self.progress.insert(attempt)),
            Matter::Baseline => self.baseline = true,
            Matter::Gate(gate) => drop(self.gates.insert(gate)),
            Matter::Window(phase) if command == Command::CheckWindow { phase } => {
                self.windows_checked.insert(phase);
            }
            Matter::Window(phase) => drop(self.windows_watched.insert(phase)),
        }
    }

    fn end(&mut self, matter: Matter) {
        match matter {
            // It is over when it has ended, not when it was told to.
            Matter::Attempt(attempt) => {
                if let Some(stopping) = self.attempts.get_mut(&attempt) {
                    *stopping = true;
                }
            }
            Matter::Question(question) => drop(self.questions.remove(&question)),
            Matter::Guard(guard) => drop(self.guards.remove(&guard)),
            Matter::WayBack(step) => drop(self.ways_back.remove(&step)),
            Matter::Progress(attempt) => drop(self.progress.remove(&attempt)),
            Matter::Baseline => self.baseline = false,
            Matter::Gate(gate) => drop(self.gates.remove(&gate)),
            Matter::Window(phase) => {
                self.windows_checked.remove(&phase);
                self.windows_watched.remove(&phase);
            }
        }
    }

    /// Takes in an event; `true` if it is the end of an attempt, or of the sampling of the baseline, that was under way.
    pub fn observe(&mut self, event: &Event) -> bool {
        match event {
            Event::AttemptEnded { attempt, .. } => self.attempts.remove(attempt).is_some(),
            Event::BaselineTaken | Event::BaselineBlind => std::mem::take(&mut self.baseline),
            Event::WindowJudged { phase, open: true } => {
                self.windows_checked.remove(phase);
                false
            }
            Event::WindowClosed { phase } => {
                self.windows_watched.remove(phase);
                false
            }
            _ => false,
        }
    }

    /// The orders that a process must be given that takes the run over. Attempts are not among them: what became of those
    /// is a matter of fact.
    pub fn commands(&self) -> Vec<Command> {
        let questions =
            self.questions.iter().map(|(question, since)| Command::Ask { question: *question, since: *since });
        let guards = self.guards.iter().map(|guard| Command::WatchGuard { guard: *guard });
        let ways_back = self.ways_back.iter().map(|step| Command::WatchWayBack { step: *step });
        let gates = self.gates.iter().map(|gate| Command::OpenGate { gate: *gate });
        let checked = self.windows_checked.iter().map(|phase| Command::CheckWindow { phase: *phase });
        let watched = self.windows_watched.iter().map(|phase| Command::WatchWindow { phase: *phase });
        let baseline = self.baseline.then_some(Command::TakeBaseline);
        let progress = self.progress.iter().map(|attempt| Command::WatchProgress { attempt: *attempt });
        guards
            .chain(ways_back)
            .chain(progress)
            .chain(baseline)
            .chain(questions)
            .chain(checked)
            .chain(watched)
            .chain(gates)
            .collect()
    }
}
