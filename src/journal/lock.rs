//! One process per run, one unfinished run per lock name (R22): file locks that die with their process.
//!
//! The file says who holds the lock; the lock itself is the kernel's. So nothing has to be cleaned up after a crash, and a
//! number of a process that is long gone never keeps anybody out.

use std::fmt::Write;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};

use super::Wall;
use crate::model::RunId;

/// How long a lock is asked for that somebody holds.
const PATIENCE: Duration = Duration::from_millis(20);
/// How long where the holder is dead, and only a child that it was starting can have the lock.
const PATIENCE_WITH_THE_DEAD: Duration = Duration::from_secs(5);

/// Who holds a lock, as its file says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// The process.
    pub pid: u32,
    /// Its user.
    pub user: String,
    /// Since when.
    pub since: Wall,
    /// The run it drives.
    pub run: RunId,
}

/// Why a lock could not be taken.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Somebody else has it.
    #[error("take `{path}`: {}", said(holder.as_ref()))]
    Held {
        /// The file.
        path: PathBuf,
        /// Who, where the file says so.
        holder: Option<Holder>,
    },
    /// The file could not be made, read or locked.
    #[error("{doing} `{path}`: {source}")]
    File {
        /// What was being done to it.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

fn said(holder: Option<&Holder>) -> String {
    match holder {
        Some(Holder { pid, user, since, run }) => {
            format!("process {pid} of {user} has held it since {since} for run {run}")
        }
        None => "another process holds it and has not said who it is".to_owned(),
    }
}

/// A lock that is held as long as this lives, and no longer than its process.
#[derive(Debug)]
pub struct Lock {
    file: File,
    path: PathBuf,
}

impl Lock {
    /// The lock of a run: one process drives it.
    pub fn of_run(folder: &Path, holder: &Holder) -> Result<(Self, Option<Holder>), LockError> {
        Self::take(&folder.join("lock"), holder)
    }

    /// The lock of that name within a state folder. Taking it does not say that no run is unfinished: the holder before
    /// names the run to look at.
    pub fn of_name(state: &Path, name: &str, holder: &Holder) -> Result<(Self, Option<Holder>), LockError> {
        let folder = state.join("locks");
        fs::create_dir_all(&folder).map_err(|source| LockError::File {
            doing: "make the folder",
            path: folder.clone(),
            source,
        })?;
        Self::take(&folder.join(file_name(name)), holder)
    }

    /// Takes the lock of a file and writes the holder into it; also returns the holder before, who is gone.
    pub fn take(path: &Path, holder: &Holder) -> Result<(Self, Option<Holder>), LockError> {
        let fail = |doing| move |source| LockError::File { doing, path: path.to_owned(), source };
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path)
            .map_err(fail("open the lock"))?;
        if !lock_exclusive(&file, path).map_err(fail("lock"))? {
            return Err(LockError::Held { path: path.to_owned(), holder: read(path) });
        }
        let before = read(path);
        let lock = Self { file, path: path.to_owned() };
        lock.name(holder).map_err(fail("write the holder into"))?;
        Ok((lock, before))
    }

    /// Who holds the lock of a run at this moment; `None`: nobody.
    pub fn holder_of_run(folder: &Path) -> Option<Holder> {
        let path = folder.join("lock");
        let file = File::open(&path).ok()?;
        match flock(&file, FlockOperation::NonBlockingLockShared) {
            Ok(()) => None,
            Err(_) => read(&path),
        }
    }

    /// Whether the lock of that name is free at this moment. Nothing is made or written.
    pub fn is_name_free(state: &Path, name: &str) -> Result<(), LockError> {
        let path = state.join("locks").join(file_name(name));
        let Ok(file) = File::open(&path) else { return Ok(()) };
        match flock(&file, FlockOperation::NonBlockingLockShared) {
            Ok(()) => Ok(()),
            Err(_) => Err(LockError::Held { holder: read(&path), path }),
        }
    }

    /// Writes who holds it, and for which run.
    pub fn name(&self, holder: &Holder) -> io::Result<()> {
        let mut text = serde_json::to_vec(holder)?;
        text.push(b'\n');
        self.file.set_len(0)?;
        self.file.write_all_at(&text, 0)
    }

    /// Forgets the holder: the run has ended, and nobody need look at it before the next one takes the lock.
    pub fn clear(&self) -> Result<(), LockError> {
        self.file.set_len(0).map_err(|source| LockError::File { doing: "clear", path: self.path.clone(), source })
    }
}

/// Whether the lock was free. Who only asks for the holder has it for an instant, so one no is not believed. A holder that
/// was killed while it started a child may leave the lock with that child until it executes its program: where the holder
/// is gone, more patience is due.
fn lock_exclusive(file: &File, path: &Path) -> io::Result<bool> {
    let begun = Instant::now();
    loop {
        match flock(file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(true),
            Err(rustix::io::Errno::WOULDBLOCK) => {}
            Err(error) => return Err(error.into()),
        }
        let patience = if is_gone(read(path)) { PATIENCE_WITH_THE_DEAD } else { PATIENCE };
        if begun.elapsed() >= patience {
            return Ok(false);
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Whether the file names a process that does not live, at least not where we can see it.
fn is_gone(holder: Option<Holder>) -> bool {
    holder.is_some_and(|holder| !Path::new("/proc").join(holder.pid.to_string()).exists())
}

fn read(path: &Path) -> Option<Holder> {
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}

/// A lock name as a file name: what is not plain is written as `%` and two hex digits.
fn file_name(name: &str) -> String {
    let mut text = String::new();
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-' {
            text.push(char::from(byte));
        } else {
            write!(text, "%{byte:02x}").expect("writing to memory does not fail");
        }
    }
    text + ".lock"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holder(pid: u32) -> Holder {
        Holder { pid, user: "ops".to_owned(), since: Wall::from_millis(0), run: RunId("r1".to_owned()) }
    }

    #[test]
    fn a_held_lock_is_refused_with_the_name_of_its_holder() {
        let folder = tempfile::tempdir().expect("a folder");
        let alive = std::process::id();
        let (lock, before) = Lock::of_run(folder.path(), &holder(alive)).expect("free");
        assert_eq!(before, None);
        let refused = Lock::of_run(folder.path(), &holder(8)).expect_err("held");
        let said = refused.to_string();
        assert!(
            said.contains(&format!("process {alive} of ops")) && said.contains("since 1970-01-01T00:00:00.000Z"),
            "{said}"
        );
        assert_eq!(Lock::holder_of_run(folder.path()), Some(holder(alive)));
        drop(lock);
        assert_eq!(Lock::holder_of_run(folder.path()), None);
    }

    #[test]
    fn a_lock_that_a_dead_process_left_with_its_child_is_waited_for() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut dead = std::process::Command::new("true").spawn().expect("there is a `true`");
        dead.wait().expect("it is our child");
        let (lock, _) = Lock::of_run(folder.path(), &holder(dead.id())).expect("free");
        let child = std::thread::spawn(move || {
            std::thread::sleep(PATIENCE * 5);
            drop(lock);
        });
        let (_lock, before) = Lock::of_run(folder.path(), &holder(8)).expect("free in the end");
        assert_eq!(before, Some(holder(dead.id())));
        child.join().expect("it only sleeps");
    }

    #[test]
    fn a_lock_whose_holder_died_tells_which_run_to_look_at() {
        let folder = tempfile::tempdir().expect("a folder");
        drop(Lock::of_name(folder.path(), "orders/db", &holder(7)).expect("free"));
        let (lock, before) = Lock::of_name(folder.path(), "orders/db", &holder(8)).expect("free again");
        assert_eq!(before, Some(holder(7)));
        lock.clear().expect("cleared");
        drop(lock);
        assert_eq!(Lock::of_name(folder.path(), "orders/db", &holder(9)).expect("free").1, None);
        assert!(folder.path().join("locks/orders%2fdb.lock").exists());
    }
}
