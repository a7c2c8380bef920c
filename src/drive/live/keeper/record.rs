//! `keeper.jsonl`: what the keeper has started and how it ended, for whoever comes after its death.
//!
//! A start is written before the process exists, an end before it is reaped. Nothing is synced: what ends the host ends
//! the processes too. No secret can be in it: of what was started it holds the key and a digest.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use rustix::fs::{FallocateFlags, Mode, OFlags};
use serde::{Deserialize, Serialize};

use super::procs::Stat;
use super::protocol::{Cut, Ending, How, Known, StartSpec, survivors};
use super::{Dir, RECORDS};
use crate::model::Survivors;

/// One line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "record", rename_all = "snake_case")]
pub(super) enum Record {
    /// A keeper began.
    Keeper {
        /// Its session, in which everything is that a step starts and that is no daemon.
        session: i32,
        /// Which start of the host it is: after another one nothing of it can be left.
        boot: String,
        /// Wall clock, in ms since 1970, for people.
        at: u64,
    },
    /// An attempt is about to be started.
    Start {
        /// Which.
        key: String,
        /// Of what is started.
        digest: String,
        /// See [`StartSpec`].
        kill_after_ms: u64,
        /// See [`StartSpec`].
        #[serde(with = "survivors")]
        survivors: Survivors,
        /// Wall clock, in ms since 1970, for people.
        at: u64,
    },
    /// It runs.
    Started {
        /// Which.
        key: String,
        /// Its main process.
        pid: i32,
        /// When the process began, in ticks since the host booted: not before this one,
        since: u64,
        /// and not after this one.
        until: u64,
    },
    /// Its main process ended; what it left behind may still be there. Where nothing of it is, the end alone is recorded.
    Exited {
        /// Which.
        key: String,
        /// How.
        how: How,
        /// Whether the keeper had begun to stop it.
        cut: Option<Cut>,
        /// How long it took, in ms.
        duration_ms: u64,
    },
    /// It is over.
    Ended {
        /// Which.
        key: String,
        /// How.
        ending: Ending,
        /// Wall clock, in ms since 1970, for people.
        at: u64,
    },
}

/// A start without an end: the keeper that began it is dead.
#[derive(Clone, Debug)]
pub(super) struct Unfinished {
    /// How long between TERM and KILL, in ms.
    pub(super) kill_after_ms: u64,
    /// What becomes of its daemons.
    pub(super) survivors: Survivors,
    /// Its main process, if it is known to have been started.
    pub(super) main: Option<Main>,
    /// The end of its main process, if that was recorded.
    pub(super) exited: Option<Ending>,
    /// The session of its keeper.
    pub(super) session: i32,
    /// Whether the host has not been down since.
    pub(super) this_boot: bool,
}

/// A process by its number and when it began, in ticks since the host booted. While it was not reaped no other process
/// could have that number, and it is reaped after its end is recorded: no other process is both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Main {
    pid: i32,
    since: u64,
    until: u64,
}

impl Main {
    pub(super) fn is(self, stat: &Stat) -> bool {
        stat.pid == self.pid && (self.since..=self.until).contains(&stat.started)
    }
}

/// All that the file says.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// Attempts with an end.
    pub(super) ended: BTreeMap<String, Ending>,
    /// Attempts without one.
    pub(super) unfinished: BTreeMap<String, Unfinished>,
}

impl Told {
    /// Reads the file; one that is not there says nothing. A line that is not whole (the last, of a keeper that died
    /// while it wrote) says nothing either.
    pub(super) fn read(dir: &Dir) -> io::Result<Self> {
        let text = match dir.read(RECORDS) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            text => text?,
        };
        let mut told = Self::default();
        let (mut session, mut this_boot) = (0, false);
        let now = boot();
        for record in text.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()) {
            match record {
                Record::Keeper { session: of, boot, .. } => (session, this_boot) = (of, boot == now),
                record => told.take(record, session, this_boot),
            }
        }
        Ok(told)
    }

    fn take(&mut self, record: Record, session: i32, this_boot: bool) {
        match record {
            Record::Keeper { .. } => {}
            Record::Start { key, kill_after_ms, survivors, .. } => {
                let unfinished = Unfinished { kill_after_ms, survivors, main: None, exited: None, session, this_boot };
                self.unfinished.insert(key, unfinished);
            }
            Record::Started { key, pid, since, until } => {
                if let Some(attempt) = self.unfinished.get_mut(&key) {
                    attempt.main = Some(Main { pid, since, until });
                }
            }
            Record::Exited { key, how, cut, duration_ms } => {
                if let Some(attempt) = self.unfinished.get_mut(&key) {
                    attempt.exited = Some(Ending { cut, duration_ms, ..Ending::bare(how) });
                }
            }
            Record::Ended { key, ending, .. } => {
                self.unfinished.remove(&key);
                self.ended.insert(key, ending);
            }
        }
    }

    /// The same in the words of the protocol. Only true while no keeper lives.
    pub(super) fn known(self) -> BTreeMap<String, Known> {
        let doubt = |attempt: Unfinished| attempt.exited.unwrap_or_else(|| Ending::bare(How::InDoubt));
        let unfinished = self.unfinished.into_iter().map(|(key, attempt)| (key, Known::Ended(doubt(attempt))));
        self.ended.into_iter().map(|(key, ending)| (key, Known::Ended(ending))).chain(unfinished).collect()
    }
}

/// Appends to the file, and keeps room ahead so that a full disk does not stop the way back.
#[derive(Debug)]
pub(super) struct Records {
    file: File,
    /// Bytes written, and bytes that the file system has promised.
    written: u64,
    promised: u64,
    /// Attempts so far; each may need an undo.
    starts: u64,
}

/// Room for one attempt's records, with a margin.
const PER_ATTEMPT: u64 = 2048;
/// Room for what comes whatever happens.
const ALWAYS: u64 = 256 * 1024;

impl Records {
    /// Opens the file for a keeper that holds the lock. A last line that is not whole gets its end.
    pub(super) fn open(dir: &Dir) -> io::Result<Self> {
        let file = dir.open_file(RECORDS, OFlags::RDWR | OFlags::CREATE | OFlags::APPEND)?;
        let written = file.metadata()?.len();
        let mut records = Self { file, written, promised: 0, starts: 0 };
        let mut last = [b'\n'];
        if written > 0 {
            std::os::unix::fs::FileExt::read_exact_at(&records.file, &mut last, written - 1)?;
        }
        records.keep_room();
        if last != [b'\n'] {
            records.file.write_all(b"\n")?;
            records.written += 1;
        }
        Ok(records)
    }

    /// Writes one record, in one piece.
    pub(super) fn append(&mut self, record: &Record) -> io::Result<()> {
        if matches!(record, Record::Start { .. }) {
            self.starts += 1;
        }
        self.keep_room();
        let line = super::protocol::line(record);
        self.file.write_all(&line)?;
        self.written += line.len() as u64;
        Ok(())
    }

    /// Asks for more room well before the room is used up. A file system that cannot promise any, or is full, is no
    /// reason to stop: the next write shows whether there is room.
    fn keep_room(&mut self) {
        let wanted = self.written + ALWAYS + self.starts * PER_ATTEMPT;
        if wanted > self.promised {
            let until = wanted + ALWAYS;
            let _ = rustix::fs::fallocate(&self.file, FallocateFlags::KEEP_SIZE, self.written, until - self.written);
            self.promised = until;
        }
    }
}

/// Which start of the host this is.
pub(super) fn boot() -> String {
    let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    text.trim().to_owned()
}

/// The start record of this.
pub(super) fn start(spec: &StartSpec, at: u64) -> Record {
    Record::Start {
        key: spec.key.clone(),
        digest: spec.digest(),
        kill_after_ms: spec.kill_after_ms,
        survivors: spec.survivors,
        at,
    }
}

/// Opens or creates a file for its owner alone.
pub(super) fn create_private(path: &Path, flags: OFlags) -> io::Result<File> {
    let flags = flags | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    Ok(rustix::fs::open(path, flags, Mode::RUSR | Mode::WUSR)?.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(records: &[Record], tail: &str) -> Told {
        let folder = tempfile::tempdir().unwrap();
        let dir = Dir::open(folder.path()).unwrap();
        let mut file = Records::open(&dir).unwrap();
        for record in records {
            file.append(record).unwrap();
        }
        let mut raw = dir.open_file(RECORDS, OFlags::WRONLY | OFlags::APPEND).unwrap();
        raw.write_all(tail.as_bytes()).unwrap();
        Told::read(&dir).unwrap()
    }

    fn began(key: &str) -> Record {
        let survivors = Survivors::Leave;
        Record::Start { key: key.into(), digest: String::new(), kill_after_ms: 1, survivors, at: 0 }
    }

    #[test]
    fn a_start_without_an_end_is_in_doubt_and_one_with_a_recorded_exit_is_not() {
        let exited = Record::Exited { key: "b".into(), how: How::Exited { code: 3 }, cut: None, duration_ms: 7 };
        let known = told(&[began("a"), began("b"), exited], "").known();
        assert_eq!(known["a"], Known::Ended(Ending::bare(How::InDoubt)));
        let b = Ending { duration_ms: 7, ..Ending::bare(How::Exited { code: 3 }) };
        assert_eq!(known["b"], Known::Ended(b));
    }

    #[test]
    fn a_torn_last_line_says_nothing_and_the_next_keeper_writes_behind_it() {
        let folder = tempfile::tempdir().unwrap();
        let dir = Dir::open(folder.path()).unwrap();
        Records::open(&dir).unwrap().append(&began("a")).unwrap();
        let mut raw = dir.open_file(RECORDS, OFlags::WRONLY | OFlags::APPEND).unwrap();
        raw.write_all(br#"{"record":"ended","key":"a","#).unwrap();
        Records::open(&dir).unwrap().append(&began("b")).unwrap();
        let told = Told::read(&dir).unwrap();
        assert_eq!(told.unfinished.keys().collect::<Vec<_>>(), ["a", "b"]);
    }

    #[test]
    fn room_is_promised_ahead_and_is_not_part_of_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let dir = Dir::open(folder.path()).unwrap();
        let mut file = Records::open(&dir).unwrap();
        file.append(&began("a")).unwrap();
        let there = file.file.metadata().unwrap();
        assert_eq!(there.len(), file.written);
        assert!(file.promised >= file.written + ALWAYS);
    }
}
