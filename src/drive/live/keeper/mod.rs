//! The keeper of a run: one small process that owns the step processes, so that nothing is forgotten when the
//! orchestrator dies (R4, R21, R23).
//!
//! The orchestrator talks to it through [`Keeper`]; [`serve`] is the process itself. It starts what it is told,
//! enforces timeout and kill by itself, records each start before the process exists and each end before it is reaped,
//! and answers a key that it has seen before with what it knows. So *never started*, *running* and *ended* are told
//! apart by construction; only the death of the keeper itself leaves a doubt, and a later keeper settles it: what is
//! left of such an attempt is stopped before anybody hears of it.
//!
//! That it lives is told by a lock file, never by a process number. It knows nothing about plans, steps or engines.

mod attempt;
mod capture;
mod client;
mod connection;
mod launch;
mod orphans;
mod procs;
mod protocol;
mod record;
mod server;
mod source;
mod sweep;
mod sys;

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use rustix::fs::{FlockOperation, Mode, OFlags};
use rustix::time::ClockId;

pub use client::{Keeper, KeeperError, KeeperEvent, known, reap_orphans_of_dead_keeper};
pub use protocol::{Captured, Cut, Ending, How, Known, Process, StartSpec};
pub use server::serve;

/// The hidden verb of the binary that [`serve`]s: `runbook __keeper --dir FOLDER`.
const VERB: &str = "__keeper";

/// Whether this process was started as a keeper; if so, it has been one, and this is its exit code.
///
/// For the first line of the command line, before anything is opened.
pub fn served() -> Option<ExitCode> {
    let mut words = std::env::args_os().skip(1);
    if words.next()? != VERB || words.next()? != "--dir" {
        return None;
    }
    words.next().map(|dir| serve(Path::new(&dir)))
}

/// In the run's folder: where it listens, what it holds while it lives, what it remembers, what went wrong inside it.
const SOCKET: &str = "keeper.sock";
const LOCK: &str = "keeper.lock";
const RECORDS: &str = "keeper.jsonl";
const ERRORS: &str = "keeper.err";

/// The variables that tell whose a process is, wherever it went.
mod tag {
    /// The key of the attempt.
    pub(super) const KEY: &str = "RUNBOOK_ATTEMPT_KEY";
    /// The folder of the run, without links.
    pub(super) const RUN: &str = "RUNBOOK_RUN_DIR";
}

/// A run's folder, held open: it stays the same folder whatever becomes of its path, and its path may be of any length.
#[derive(Debug)]
struct Dir {
    fd: OwnedFd,
    path: PathBuf,
}

impl Dir {
    fn open(path: &Path) -> io::Result<Self> {
        let path = path.canonicalize()?;
        let fd = rustix::fs::open(&path, OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        Ok(Self { fd, path })
    }

    /// Opens a file in it; one that is created is for its owner alone.
    fn open_file(&self, name: &str, flags: OFlags) -> io::Result<File> {
        let flags = flags | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        Ok(rustix::fs::openat(&self.fd, name, flags, Mode::RUSR | Mode::WUSR)?.into())
    }

    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        let mut text = Vec::new();
        self.open_file(name, OFlags::RDONLY)?.read_to_end(&mut text)?;
        Ok(text)
    }

    /// A path to this name that fits into a socket address, which holds 107 bytes.
    fn short(&self, name: &str) -> PathBuf {
        format!("/proc/self/fd/{}/{name}", self.fd.as_raw_fd()).into()
    }

    /// The lock that a living keeper holds; `None`: another process holds it.
    fn lock(&self) -> io::Result<Option<File>> {
        let file = self.open_file(LOCK, OFlags::RDWR | OFlags::CREATE)?;
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(file)),
            Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

/// Time since the host booted, its sleep included.
fn now() -> Duration {
    let time = rustix::time::clock_gettime(ClockId::Boottime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// The wall clock, in ms since 1970, for people.
fn wall() -> u64 {
    let time = rustix::time::clock_gettime(ClockId::Realtime);
    time.tv_sec.unsigned_abs() * 1000 + time.tv_nsec.unsigned_abs() / 1_000_000
}

/// That time as `/proc` tells when a process began: in hundredths of a second.
fn ticks(time: Duration) -> u64 {
    u64::try_from(time.as_millis() / 10).unwrap_or(u64::MAX)
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
