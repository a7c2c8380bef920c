//! One attempt under way: its pipes, its bounds and how far its end has come.

use std::os::fd::OwnedFd;
use std::time::Duration;

use super::capture::{Capture, Look, hung_up};
use super::launch::{Feed, Launched};
use super::millis;
use super::protocol::{Captured, Cut, Ending, How, StartSpec};
use super::sweep::{Reach, Sweep};
use crate::model::Survivors;

/// One output stream: the pipe while it is open, and what came through it.
#[derive(Debug)]
pub(super) struct Stream {
    pub(super) pipe: Option<OwnedFd>,
    capture: Capture,
}

impl Stream {
    /// Takes what is there, up to one turn's worth. Returns the pipe when nobody can write to it any more.
    pub(super) fn take(&mut self) -> Option<OwnedFd> {
        let pipe = self.pipe.as_ref()?;
        if self.capture.take(pipe, u64::MAX) == Look::Closed { self.pipe.take() } else { None }
    }

    /// Takes what is in the pipe at this moment and no more: a daemon that writes without pause must not keep its step
    /// from ending.
    fn drain(&mut self) {
        if let Some(pipe) = &self.pipe {
            let there = rustix::io::ioctl_fionread(pipe).unwrap_or(0);
            self.capture.take(pipe, there);
        }
    }

    /// Ends it. The pipe comes back if somebody may still write to it.
    fn finish(mut self) -> (Captured, Option<OwnedFd>) {
        self.drain();
        (self.capture.finish(), self.pipe.filter(|pipe| !hung_up(pipe)))
    }
}

/// How far it has come.
#[derive(Debug)]
pub(super) enum Phase {
    /// Its main process runs.
    Running,
    /// Its main process runs and is being stopped, with all that it started.
    Stopping(Cut, Sweep),
    /// Its main process has ended, and what it left behind is being looked for and stopped.
    Clearing(Ending, Sweep),
}

/// An attempt under way.
#[derive(Debug)]
pub(super) struct Attempt {
    pub(super) key: String,
    pub(super) pid: i32,
    pub(super) stdout: Stream,
    pub(super) stderr: Stream,
    pub(super) stdin: Option<Feed>,
    pub(super) phase: Phase,
    begun: Duration,
    timeout_at: Duration,
    kill_after: Duration,
    survivors: Survivors,
}

impl Attempt {
    /// An attempt that has just begun.
    pub(super) fn new(spec: &StartSpec, launched: Launched, now: Duration) -> Self {
        let stream = |pipe, path| Stream { pipe: Some(pipe), capture: Capture::new(path, spec.output_max) };
        Self {
            key: spec.key.clone(),
            pid: launched.pid,
            stdout: stream(launched.stdout, &spec.stdout),
            stderr: stream(launched.stderr, &spec.stderr),
            stdin: launched.stdin,
            phase: Phase::Running,
            begun: now,
            timeout_at: now + Duration::from_millis(spec.timeout_ms),
            kill_after: Duration::from_millis(spec.kill_after_ms),
            survivors: spec.survivors,
        }
    }

    /// When it wants to be looked at at the latest.
    pub(super) fn due(&self) -> Duration {
        match &self.phase {
            Phase::Running => self.timeout_at,
            Phase::Stopping(_, sweep) | Phase::Clearing(_, sweep) => sweep.due(),
        }
    }

    /// Begins to stop it, if it runs. The sweep has to go at once, while its main process is not reaped and its group
    /// is still its own.
    pub(super) fn stop(&mut self, cut: Cut, now: Duration) {
        if matches!(self.phase, Phase::Running) {
            self.phase = Phase::Stopping(cut, Sweep::at_once(Some(self.pid), now, self.kill_after));
        }
    }

    /// Notes the end of its main process, which is not reaped yet. Returns what is known of the end by now.
    pub(super) fn exited(&mut self, how: How, now: Duration) -> Ending {
        self.stdout.drain();
        self.stderr.drain();
        self.stdin = None;
        let mut ending = Ending { duration_ms: millis(now.saturating_sub(self.begun)), ..Ending::bare(how) };
        let sweep = match std::mem::replace(&mut self.phase, Phase::Running) {
            Phase::Stopping(cut, sweep) => {
                ending.cut = Some(cut);
                sweep
            }
            Phase::Running | Phase::Clearing(..) => {
                let reach = match self.survivors {
                    Survivors::Leave => Reach::Forgotten,
                    Survivors::Kill => Reach::Everything,
                };
                Sweep::with_grace(reach, now, self.kill_after)
            }
        };
        self.phase = Phase::Clearing(ending.clone(), sweep);
        ending
    }

    /// Its end, if nobody is left to be stopped, and the pipes that somebody else still holds. `None`: its main process
    /// has not ended.
    pub(super) fn finish(self) -> Option<(Ending, Vec<OwnedFd>)> {
        let Phase::Clearing(mut ending, sweep) = self.phase else { return None };
        (ending.stopped, ending.unstoppable) = sweep.result();
        ending.stopped.retain(|process| process.pid != self.pid);
        let (out, out_pipe) = self.stdout.finish();
        let (err, err_pipe) = self.stderr.finish();
        (ending.stdout, ending.stderr) = (out, err);
        Some((ending, out_pipe.into_iter().chain(err_pipe).collect()))
    }
}
