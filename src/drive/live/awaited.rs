//! What is waited for, once people should hear of it: a guard that has not held, an answer that has not come.

use std::collections::BTreeSet;

use super::gauge::Gauge;
use crate::drive::Fact;
use crate::engine::{Command, Engine, Event, Question};
use crate::model::{GuardId, Time};

/// What this process has told of already: each once.
#[derive(Debug, Default)]
pub(super) struct Awaited {
    guards: BTreeSet<GuardId>,
    questions: BTreeSet<Question>,
}

impl Awaited {
    /// Forgets what is asked no longer, and what begins anew.
    pub(super) fn note(&mut self, command: Command) {
        match command {
            Command::WatchGuard { guard } | Command::UnwatchGuard { guard } => drop(self.guards.remove(&guard)),
            Command::Withdraw { question } => drop(self.questions.remove(&question)),
            _ => {}
        }
    }

    /// What has not been told yet.
    pub(super) fn look(&mut self, engine: &Engine, gauge: &Gauge, now: Time) -> Vec<Fact> {
        let mut facts = Vec::new();
        for guard in gauge.guards_overdue(now) {
            if !self.guards.contains(&guard) && engine.is_awaited(guard) {
                self.guards.insert(guard);
                facts.push(Fact::new(Event::GuardAwaited { guard }).with_evidence(gauge.why_guard_waits(guard)));
            }
        }
        for question in gauge.overdue(now) {
            if self.questions.insert(question) {
                let why = gauge.why_unanswered(question);
                facts.push(Fact::new(Event::AnswerAwaited { question }).with_evidence(why));
            }
        }
        facts
    }
}
