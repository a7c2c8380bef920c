//! The times of the deadlines that the engine has armed. The engine knows their names, the plan their lengths.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest, Sha256};

use crate::engine::{Command, Deadline};
use crate::model::{Plan, Span, Time};

/// Armed deadlines, running or held.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Deadlines {
    seed: u64,
    clocks: BTreeMap<Deadline, Clock>,
    /// The running ones by time.
    running: BTreeSet<(Time, Deadline)>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Clock {
    Running { due: Time },
    Held { left: Span },
}

impl Deadlines {
    /// None yet; pauses are shortened at random from that seed.
    pub(super) fn new(seed: u64) -> Self {
        Self { seed, ..Self::default() }
    }

    /// Carries out one command, if it is about deadlines.
    pub(super) fn obey(&mut self, command: Command, now: Time, plan: &Plan) {
        match command {
            Command::Arm { deadline } => self.arm(deadline, now, plan),
            Command::Disarm { deadline } => self.forget(deadline),
            Command::Hold { deadline } => {
                if let Some(Clock::Running { due }) = self.clocks.get(&deadline) {
                    let left = due.since(now);
                    self.set(deadline, Clock::Held { left });
                }
            }
            Command::Release { deadline } => {
                if let Some(Clock::Held { left }) = self.clocks.get(&deadline) {
                    let due = now.after(*left);
                    self.set(deadline, Clock::Running { due });
                }
            }
            Command::StartAttempt { .. }
            | Command::TakeValue { .. }
            | Command::StopAttempt { .. }
            | Command::Ask { .. }
            | Command::Withdraw { .. }
            | Command::WatchGuard { .. }
            | Command::UnwatchGuard { .. }
            | Command::WatchWayBack { .. }
            | Command::UnwatchWayBack { .. }
            | Command::OpenGate { .. }
            | Command::CloseGate { .. }
            | Command::CheckWindow { .. }
            | Command::WatchWindow { .. }
            | Command::ForgetWindow { .. }
            | Command::WatchProgress { .. }
            | Command::UnwatchProgress { .. }
            | Command::TakeBaseline
            | Command::DropBaseline
            | Command::Forget { .. } => {}
        }
    }

    fn arm(&mut self, deadline: Deadline, now: Time, plan: &Plan) {
        let Some(span) = deadline.span(plan) else { return };
        let jitter = match deadline {
            Deadline::Retry { step, part, .. } => plan.step(step).work(part).retry.jitter,
            _ => false,
        };
        let span = if jitter { self.shortened(span, deadline) } else { span };
        self.set(deadline, Clock::Running { due: now.after(span) });
    }

    /// Shorter by up to a half, always the same for the same run and deadline.
    fn shortened(&self, span: Span, deadline: Deadline) -> Span {
        let name = serde_json::to_vec(&deadline).expect("a deadline is plain data");
        let digest = Sha256::new().chain_update(self.seed.to_le_bytes()).chain_update(name).finalize();
        let dice = u64::from_le_bytes(digest[..8].try_into().expect("a digest has 32 bytes"));
        let less = (u128::from(span.millis() / 2) * u128::from(dice)) >> 64;
        span.minus(Span::from_millis(u64::try_from(less).expect("it is less than the span")))
    }

    /// Gives a deadline more time; `false` if it is not armed.
    pub(super) fn extend(&mut self, deadline: Deadline, by: Span) -> bool {
        let Some(clock) = self.clocks.get(&deadline) else { return false };
        let clock = match *clock {
            Clock::Running { due } => Clock::Running { due: due.after(by) },
            Clock::Held { left } => Clock::Held { left: left.plus(by) },
        };
        self.set(deadline, clock);
        true
    }

    fn set(&mut self, deadline: Deadline, clock: Clock) {
        self.forget(deadline);
        if let Clock::Running { due } = clock {
            self.running.insert((due, deadline));
        }
        self.clocks.insert(deadline, clock);
    }

    /// It was disarmed, or has been reported.
    pub(super) fn forget(&mut self, deadline: Deadline) {
        if let Some(Clock::Running { due }) = self.clocks.remove(&deadline) {
            self.running.remove(&(due, deadline));
        }
    }

    /// The moment that the next one is due.
    pub(super) fn next(&self) -> Option<Time> {
        self.running.first().map(|(due, _)| *due)
    }

    /// The first one that is due by now.
    pub(super) fn due(&self, now: Time) -> Option<Deadline> {
        self.running.first().filter(|(due, _)| *due <= now).map(|(_, deadline)| *deadline)
    }

    /// All that are due by now, with when they were.
    pub(super) fn overdue(&self, now: Time) -> impl Iterator<Item = (Deadline, Time)> + '_ {
        self.running.iter().take_while(move |(due, _)| *due <= now).map(|(due, deadline)| (*deadline, *due))
    }

    /// How much of a deadline is left; `None` if it is not armed.
    pub(super) fn left(&self, deadline: Deadline, now: Time) -> Option<Span> {
        self.clocks.get(&deadline).map(|clock| match clock {
            Clock::Running { due } => due.since(now),
            Clock::Held { left } => *left,
        })
    }
}
