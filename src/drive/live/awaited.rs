//! What is waited for, once people should hear of it: a guard that has not held, an answer that has not come.

use std::collections::BTreeSet;

use super::gauge::Gauge;
use crate::drive::Fact;
use crate::drive::outstanding::{Matter, Stand, stand};
use crate::engine::{Command, Engine, Event, Question};
use crate::model::{GuardId, Time};

/// What this process has told of already: each once.
#[derive(Debug)]
pub(super) struct Awaited {
    /// Since when it measures. What was asked before that can have had no data until then.
    from: Time,
    guards: BTreeSet<GuardId>,
    questions: BTreeSet<Question>,
}

impl Awaited {
    /// Of a process that measures from then on.
    pub(super) fn from(from: Time) -> Self {
        Self { from, guards: BTreeSet::new(), questions: BTreeSet::new() }
    }

    /// When there may be more to tell.
    pub(super) fn next(&self, gauge: &Gauge, now: Time) -> Option<Time> {
        gauge.next_overdue(self.from, now)
    }

    /// Forgets what is asked no longer, and what begins anew.
    pub(super) fn note(&mut self, command: Command) {
        match stand(command) {
            Stand::Begins(Matter::Guard(guard)) | Stand::Ends(Matter::Guard(guard)) => drop(self.guards.remove(&guard)),
            Stand::Ends(Matter::Question(question)) => drop(self.questions.remove(&question)),
            Stand::Begins(_) | Stand::Ends(_) | Stand::Neither => {}
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
        for question in gauge.overdue(self.from, now) {
            if self.questions.insert(question) {
                let why = gauge.why_unanswered(question);
                facts.push(Fact::new(Event::AnswerAwaited { question }).with_evidence(why));
            }
        }
        facts
    }
}
