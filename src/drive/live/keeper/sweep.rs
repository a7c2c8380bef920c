//! Stopping what has to go: TERM first, KILL later, and looking again until nobody is left.

use std::time::Duration;

use rustix::process::{Pid, Signal};

use super::procs::Stat;
use super::protocol::Process;

/// What the main process leaves behind may end by itself this long: the `tee` of a pipeline that has just lost its
/// writer is neither stopped nor named.
const GRACE: Duration = Duration::from_millis(100);
/// How often KILL is repeated, for what was forked meanwhile.
const AGAIN: Duration = Duration::from_millis(50);
/// When a process that does not even obey KILL is given up and named.
const GIVE_UP: Duration = Duration::from_secs(10);
/// How often KILL is tried after that, on a main process: an attempt does not end before it does.
const RARELY: Duration = Duration::from_secs(5);

/// What is to be stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// What is in the keeper's session: forgotten, not meant.
    Forgotten,
    /// Everything, daemons too.
    Everything,
}

/// A sweep under way.
///
/// TERM goes out once, to those who are there then: what a process starts afterwards, it starts to clean up, and that
/// has until KILL.
#[derive(Debug)]
pub(super) struct Sweep {
    pub(super) reach: Reach,
    /// A process group that gets its TERM as a whole. Its members get no other: two would make many programs give up
    /// their clean-up.
    group: Option<i32>,
    term_at: Duration,
    kill_at: Duration,
    give_up_at: Duration,
    /// When to look again at the latest.
    due: Duration,
    /// Whether TERM has gone out.
    termed: bool,
    /// Everyone who was found since then.
    seen: Vec<Stat>,
    /// Those of them who may not be signalled.
    beyond: Vec<Stat>,
}

impl Sweep {
    /// Stops everything at once: an attempt that is cut off. Whoever passes a group sees to it that its leader is not
    /// reaped before the first [`Sweep::go`].
    pub(super) fn at_once(group: Option<i32>, now: Duration, kill_after: Duration) -> Self {
        Self::from(Reach::Everything, group, now, kill_after)
    }

    /// Stops after a short grace: what an attempt that ended by itself has left behind.
    pub(super) fn with_grace(reach: Reach, now: Duration, kill_after: Duration) -> Self {
        Self::from(reach, None, now + GRACE, kill_after)
    }

    fn from(reach: Reach, group: Option<i32>, term_at: Duration, kill_after: Duration) -> Self {
        let kill_at = term_at + kill_after;
        Self {
            reach,
            group,
            term_at,
            kill_at,
            give_up_at: kill_at + GIVE_UP,
            due: term_at,
            termed: false,
            seen: Vec::new(),
            beyond: Vec::new(),
        }
    }

    /// When to look again at the latest.
    pub(super) fn due(&self) -> Duration {
        self.due
    }

    /// Signals those found now who are due for it, and returns whether somebody is left to be waited for.
    pub(super) fn go(&mut self, found: &[Stat], now: Duration) -> bool {
        if now < self.term_at {
            return !found.is_empty();
        }
        for stat in found {
            if !self.seen.iter().any(|seen| seen.pid == stat.pid && seen.started == stat.started) {
                self.seen.push(stat.clone());
            }
        }
        if !self.termed {
            self.termed = true;
            let group = self.group;
            if let Some(group) = group.and_then(Pid::from_raw) {
                // It fails where what is in it belongs to another user; that shows below.
                let _ = rustix::process::kill_process_group(group, Signal::TERM);
                let _ = rustix::process::kill_process_group(group, Signal::CONT);
            }
            for stat in found.iter().filter(|stat| Some(stat.group) != group) {
                self.send(stat, Signal::TERM);
                // A stopped process takes no TERM before it goes on.
                self.send(stat, Signal::CONT);
            }
        }
        let alive = self.alive();
        if now < self.kill_at {
            self.due = self.kill_at;
            return !alive.is_empty();
        }
        for stat in &alive {
            self.send(stat, Signal::KILL);
        }
        let given_up = now >= self.give_up_at;
        self.due = now + if given_up { RARELY } else { AGAIN };
        !given_up && !self.alive().is_empty()
    }

    /// Those seen who still run, except those whom we may not stop.
    fn alive(&self) -> Vec<Stat> {
        self.seen.iter().filter(|stat| !self.beyond.contains(stat) && stat.alive()).cloned().collect()
    }

    fn send(&mut self, stat: &Stat, signal: Signal) {
        if stat.signal(signal).is_err() && !self.beyond.contains(stat) {
            self.beyond.push(stat.clone());
        }
    }

    /// Who was stopped, and who should have been and still runs.
    pub(super) fn result(self) -> (Vec<Process>, Vec<Process>) {
        let (left, gone): (Vec<Stat>, Vec<Stat>) = self.seen.into_iter().partition(Stat::alive);
        (gone.iter().map(Stat::named).collect(), left.iter().map(Stat::named).collect())
    }
}
