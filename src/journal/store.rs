//! Where the lines of a journal lie: a log with one writer, which says the number of every append.
//!
//! Nothing above [`Store`] may assume a local file: a replicated log refuses a stale writer's number by itself. The local
//! file is the default, and [`Medium`] is the little that it needs of a disk, so that a disk can fail in tests.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// A log with one writer.
pub trait Store {
    /// Makes a group durable behind the one before it; `group` is the number it must be. An error is final: what became
    /// of the bytes is not known, and nothing may be appended any more.
    fn append(&mut self, group: u64, bytes: &[u8]) -> Result<(), StoreError>;

    /// Makes sure that so many bytes can be appended whatever else fills the medium.
    fn ensure_room(&mut self, bytes: u64) -> Result<(), NoRoom>;

    /// Gives back what was reserved; an append takes it up again.
    fn close(&mut self) -> Result<(), StoreError>;
}

/// Why an append failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The medium said no.
    #[error("write to the journal: {0}")]
    Io(#[from] io::Error),
    /// Another writer was faster, or this one is confused.
    #[error("append group {given} to the journal: group {expected} is next")]
    OutOfOrder {
        /// The number given.
        given: u64,
        /// The number that would have been right.
        expected: u64,
    },
    /// An earlier append or reservation failed in a way that nothing can be built on.
    #[error("write to the journal after an earlier write failed")]
    Dead,
}

/// Why room cannot be promised.
#[derive(Debug, thiserror::Error)]
pub enum NoRoom {
    /// The medium is full; appends within what was promised before still work.
    #[error("reserve {bytes} more bytes for the journal: the disk is full")]
    Full {
        /// How many were asked for.
        bytes: u64,
    },
    /// The medium broke.
    #[error(transparent)]
    Broken(#[from] StoreError),
}

/// What a journal needs of a disk.
pub trait Medium {
    /// Writes all of it at that place.
    fn write_at(&mut self, at: u64, bytes: &[u8]) -> io::Result<()>;
    /// Returns when all that was written survives a crash.
    fn sync(&mut self) -> io::Result<()>;
    /// Ends the file there.
    fn cut(&mut self, at: u64) -> io::Result<()>;
}

impl Medium for Box<dyn Medium> {
    fn write_at(&mut self, at: u64, bytes: &[u8]) -> io::Result<()> {
        (**self).write_at(at, bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        (**self).sync()
    }

    fn cut(&mut self, at: u64) -> io::Result<()> {
        (**self).cut(at)
    }
}

impl Medium for File {
    fn write_at(&mut self, at: u64, bytes: &[u8]) -> io::Result<()> {
        self.write_all_at(bytes, at)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.sync_data()
    }

    fn cut(&mut self, at: u64) -> io::Result<()> {
        self.set_len(at)
    }
}

/// How far the file is filled ahead at least, and then by an eighth of its length: appends into written blocks cost one
/// flush of the data, appends that grow a file cost the file system's journal too.
const FILL_MIN: u64 = 256 * 1024;

/// One file, filled ahead with newlines, so that any reader of JSON lines can read it while it grows.
#[derive(Debug)]
pub struct FileStore<M> {
    medium: M,
    /// The number of the next group.
    next: u64,
    /// Where the lines end.
    end: u64,
    /// Where the synced newlines behind them end.
    filled: u64,
    dead: bool,
}

impl<M: Medium> FileStore<M> {
    /// A store whose file holds whole groups up to `end`, `next` being the first number not among them.
    pub fn new(medium: M, next: u64, end: u64) -> Self {
        Self { medium, next, end, filled: end, dead: false }
    }

    /// The same, where an earlier process has filled the file ahead up to `filled`. Whether that was synced is not known.
    pub fn filled_to(mut self, filled: u64) -> Result<Self, StoreError> {
        if filled > self.end {
            self.medium.sync()?;
            self.filled = filled;
        }
        Ok(self)
    }

    /// Where the lines end.
    pub fn end(&self) -> u64 {
        self.end
    }

    fn fill_chunk(&self) -> u64 {
        (self.end / 8).max(FILL_MIN)
    }

    /// Writes and syncs; any failure is final.
    fn put(&mut self, at: u64, bytes: &[u8]) -> io::Result<()> {
        let done = self.medium.write_at(at, bytes).and_then(|()| self.medium.sync());
        self.dead |= done.is_err();
        done
    }

    /// Fills up to `to`. A full disk while writing newlines does no harm; a failed sync does.
    fn fill(&mut self, to: u64) -> Result<(), NoRoom> {
        static BLANK: [u8; 64 * 1024] = [b'\n'; 64 * 1024];
        let mut at = self.filled;
        while at < to {
            let part = (to - at).min(BLANK.len() as u64);
            let blank = &BLANK[..usize::try_from(part).expect("it is at most the length of BLANK")];
            match self.medium.write_at(at, blank) {
                Ok(()) => at += part,
                Err(error) if is_full(&error) => return Err(NoRoom::Full { bytes: to - self.filled }),
                Err(error) => {
                    self.dead = true;
                    return Err(StoreError::Io(error).into());
                }
            }
        }
        if let Err(error) = self.medium.sync() {
            self.dead = true;
            return Err(StoreError::Io(error).into());
        }
        self.filled = to;
        Ok(())
    }
}

fn is_full(error: &io::Error) -> bool {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    matches!(error.kind(), StorageFull | QuotaExceeded | FileTooLarge)
}

impl<M: Medium> Store for FileStore<M> {
    fn append(&mut self, group: u64, bytes: &[u8]) -> Result<(), StoreError> {
        if self.dead {
            return Err(StoreError::Dead);
        }
        if group != self.next {
            return Err(StoreError::OutOfOrder { given: group, expected: self.next });
        }
        let end = self.end + bytes.len() as u64;
        if end <= self.filled {
            self.put(self.end, bytes)?;
        } else {
            // One write for both, so that growing costs no sync of its own. Without the room for that, the lines alone.
            let ahead = usize::try_from(self.fill_chunk()).unwrap_or(0);
            let mut grown = Vec::with_capacity(bytes.len() + ahead);
            grown.extend_from_slice(bytes);
            grown.resize(bytes.len() + ahead, b'\n');
            match self.medium.write_at(self.end, &grown) {
                Ok(()) => {
                    self.medium.sync().inspect_err(|_| self.dead = true)?;
                    self.filled = self.end + grown.len() as u64;
                }
                Err(error) if is_full(&error) => {
                    self.put(self.end, bytes)?;
                    self.filled = end;
                }
                Err(error) => {
                    self.dead = true;
                    return Err(error.into());
                }
            }
        }
        self.end = end;
        self.next += 1;
        Ok(())
    }

    fn ensure_room(&mut self, bytes: u64) -> Result<(), NoRoom> {
        if self.dead {
            return Err(StoreError::Dead.into());
        }
        if self.filled - self.end >= bytes {
            return Ok(());
        }
        let needed = self.end + bytes;
        match self.fill(needed + self.fill_chunk()) {
            Err(NoRoom::Full { .. }) => self.fill(needed),
            done => done,
        }
    }

    fn close(&mut self) -> Result<(), StoreError> {
        if self.dead {
            return Err(StoreError::Dead);
        }
        let cut = self.medium.cut(self.end).and_then(|()| self.medium.sync());
        self.dead |= cut.is_err();
        self.filled = self.end;
        Ok(cut?)
    }
}
