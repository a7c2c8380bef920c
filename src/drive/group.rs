//! What arrived together and what follows from it, until it is on the disk: orders that are taken back within the group are
//! never given.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::fact::{News, Told};
use super::outstanding::{Matter, Outstanding, Stand, stand};
use crate::engine::{Command, Notice, Outbox, Output};
use crate::journal::{Moment, Record, Who};
use crate::model::{AttemptId, Part};

pub(super) struct Group {
    pub(super) now: Moment,
    pub(super) records: Vec<Record>,
    /// `None`: taken back.
    told: Vec<Option<Told>>,
    /// Orders of this group that are still to be given, by what they are about.
    begun: BTreeMap<Matter, Begun>,
    /// Attempts whose start was taken back; the engine does not know it yet.
    never_started: Vec<AttemptId>,
}

struct Begun {
    /// Where the orders stand in `told`.
    at: Vec<usize>,
    /// Whether a driver was busy with it before this group.
    before: bool,
}

impl Group {
    pub(super) fn new(now: Moment) -> Self {
        Self { now, records: Vec::new(), told: Vec::new(), begun: BTreeMap::new(), never_started: Vec::new() }
    }

    /// Gives these orders again: the process that was busy with them is gone.
    pub(super) fn take_up(&mut self, commands: Vec<Command>) {
        for command in commands {
            self.begin_or_give(command, false);
        }
    }

    /// Adds what follows from one record; `outstanding` is from before it.
    pub(super) fn add(&mut self, record: &Record, outbox: &Outbox, outstanding: &Outstanding) {
        let evidence: Option<Arc<str>> = record.evidence.as_deref().map(Arc::from);
        let who: Option<Arc<Who>> = record.who.clone().map(Arc::new);
        for output in outbox.outputs() {
            match *output {
                Output::Do(command) => self.order(command, outstanding),
                Output::Tell(notice) => self.told.push(Some(Told::Tell(News {
                    at: record.at,
                    notice,
                    fact: record.n,
                    evidence: evidence.clone(),
                    who: who.clone(),
                }))),
            }
        }
    }

    fn order(&mut self, command: Command, outstanding: &Outstanding) {
        match stand(command) {
            Stand::Begins(matter) => self.begin_or_give(command, outstanding.holds(matter)),
            Stand::Ends(matter) => self.end(matter, command),
            Stand::Neither => {
                if let Command::Forget { .. } | Command::TakeValue { .. } = command {
                    self.told.push(Some(Told::Do(command)));
                }
            }
        }
    }

    /// An order asked for twice is given once, the second time.
    fn begin_or_give(&mut self, command: Command, before: bool) {
        let Stand::Begins(matter) = stand(command) else { return };
        let begun = self.begun.entry(matter).or_insert(Begun { at: Vec::new(), before });
        for at in &begun.at {
            if self.told[*at] == Some(Told::Do(command)) || matches!(matter, Matter::Question(_)) {
                self.told[*at] = None;
            }
        }
        begun.at.push(self.told.len());
        self.told.push(Some(Told::Do(command)));
    }

    fn end(&mut self, matter: Matter, command: Command) {
        let Some(begun) = self.begun.remove(&matter) else {
            self.told.push(Some(Told::Do(command)));
            return;
        };
        for at in begun.at {
            self.told[at] = None;
        }
        if begun.before {
            self.told.push(Some(Told::Do(command)));
        }
        if let Matter::Attempt(attempt) = matter {
            self.never_started.push(attempt);
            self.untell_start(attempt);
        }
    }

    /// What was not started is not told as started.
    fn untell_start(&mut self, attempt: AttemptId) {
        let told = self.told.iter_mut().filter(|told| match told {
            Some(Told::Tell(News { notice, .. })) => matches!(
                notice,
                Notice::StepStarted { attempt: Some(a), .. }
                | Notice::UndoStarted { attempt: Some(a), .. }
                | Notice::RampSetting { attempt: a, .. } if *a == attempt
            ),
            Some(Told::Do(_)) | None => false,
        });
        told.for_each(|told| *told = None);
    }

    /// An attempt whose start was taken back, to be reported as never started.
    pub(super) fn next_never_started(&mut self) -> Option<AttemptId> {
        self.never_started.pop()
    }

    /// Whether it starts an attempt of the way forward.
    pub(super) fn starts_forward(&self) -> bool {
        self.forward().next().is_some()
    }

    fn forward(&self) -> impl Iterator<Item = AttemptId> + '_ {
        self.begun.keys().filter_map(|matter| match matter {
            Matter::Attempt(attempt) if attempt.part == Part::Forward => Some(*attempt),
            _ => None,
        })
    }

    /// Takes back every start of the way forward.
    pub(super) fn withhold_forward(&mut self) -> Vec<AttemptId> {
        let attempts: Vec<_> = self.forward().collect();
        for attempt in &attempts {
            for at in self.begun.remove(&Matter::Attempt(*attempt)).into_iter().flat_map(|begun| begun.at) {
                self.told[at] = None;
            }
            self.untell_start(*attempt);
        }
        attempts
    }

    /// Attempts that were told to stop by a process that is gone are told again.
    pub(super) fn stop_again(&mut self, outstanding: &Outstanding) {
        for (attempt, _) in outstanding.attempts.iter().filter(|(_, stopping)| **stopping) {
            let command = Told::Do(Command::StopAttempt { attempt: *attempt });
            if !self.told.contains(&Some(command.clone())) {
                self.told.push(Some(command));
            }
        }
    }

    /// All of it, in order.
    pub(super) fn told(self) -> Vec<Told> {
        self.told.into_iter().flatten().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Asked, Question};
    use crate::journal::Wall;
    use crate::model::{FactId, GuardId, Time};

    /// What is given of these orders when `outstanding` was in force before.
    fn given(commands: &[Command], before: &[Command]) -> Vec<Command> {
        let mut outstanding = Outstanding::default();
        for command in before {
            outstanding.note(*command);
        }
        let mut group = Group::new(Moment { at: Time::ZERO, wall: Wall::from_millis(0) });
        for command in commands {
            group.order(*command, &outstanding);
            outstanding.note(*command);
        }
        let only_orders = |told| if let Told::Do(command) = told { Some(command) } else { None };
        group.told().into_iter().filter_map(only_orders).collect()
    }

    #[test]
    fn what_is_taken_back_within_a_group_is_never_given() {
        let question = Question { asked: Asked::Restored(0), serial: 1 };
        let ask = |since| Command::Ask { question, since: FactId(since) };
        let withdraw = Command::Withdraw { question };
        let guard = GuardId::at(0);
        let (watch, unwatch) = (Command::WatchGuard { guard }, Command::UnwatchGuard { guard });
        #[rustfmt::skip]
        let table: [(&[Command], &[Command], &[Command]); 7] = [
            // orders of the group        in force before  given
            (&[ask(1), withdraw],         &[],             &[]),
            (&[withdraw],                 &[ask(1)],       &[withdraw]),
            (&[ask(2), withdraw],         &[ask(1)],       &[withdraw]),
            (&[ask(1), ask(2)],           &[],             &[ask(2)]),
            (&[watch, unwatch, watch],    &[],             &[watch]),
            (&[unwatch, watch],           &[watch],        &[unwatch, watch]),
            (&[unwatch, watch, unwatch],  &[watch],        &[unwatch]),
        ];
        for (orders, before, want) in table {
            assert_eq!(given(orders, before), want, "{orders:?} after {before:?}");
        }
    }
}
