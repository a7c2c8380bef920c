//! Appending: numbers, hashes, one sync a group; nothing after a failure.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::reader::{Ending, Position, ReadError, Torn};
use super::record::{HeaderLine, write_line};
use super::{FileStore, Hash, Header, Medium, NoRoom, Record, Store, StoreError};
use crate::model::FactId;

/// Why the journal cannot be kept; final for the process.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The file could not be made, opened or read.
    #[error("{doing} `{path}`: {source}")]
    File {
        /// What was being done to it.
        doing: &'static str,
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The bytes could not be made durable.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What is there is no whole journal.
    #[error(transparent)]
    Read(#[from] ReadError),
}

/// The one writer of a journal.
pub struct Writer {
    store: Box<dyn Store>,
    head: Hash,
    /// Number of the last record.
    last: FactId,
    /// Number of the last group.
    group: u64,
    dead: bool,
}

/// The lines of a group, ready to be appended behind what was there when they were made.
pub struct Encoded {
    group: u64,
    bytes: Vec<u8>,
    head: Hash,
    last: FactId,
}

impl Encoded {
    /// How many bytes they take.
    pub fn size(&self) -> u64 {
        self.bytes.len() as u64
    }
}

/// A journal that was there already: read its bytes with a [`Reader`](super::Reader), then go on where that stopped.
pub struct Opened {
    /// What it holds, a torn end and what is filled ahead included.
    pub bytes: Vec<u8>,
    medium: Box<dyn Medium>,
    /// The file, where it is one.
    path: Option<PathBuf>,
}

impl Opened {
    /// A journal on another medium that holds these bytes.
    pub fn new(bytes: Vec<u8>, medium: Box<dyn Medium>) -> Self {
        Self { bytes, medium, path: None }
    }

    /// Goes on behind the last whole group. A torn group behind it is cut, and kept aside as `journal.torn-N`.
    pub fn go_on(mut self, read: Position) -> Result<(Writer, Option<Torn>), JournalError> {
        let mut filled = self.bytes.len();
        let torn = match read.ending {
            Ending::Whole => None,
            Ending::Torn(mut torn) => {
                if let Some(path) = &self.path {
                    torn.aside = Some(keep_aside(path, self.bytes[read.end..].trim_ascii_end())?);
                }
                self.medium.cut(read.end as u64).and_then(|()| self.medium.sync()).map_err(StoreError::from)?;
                filled = read.end;
                Some(torn)
            }
        };
        let store = FileStore::new(self.medium, read.group + 1, read.end as u64).filled_to(filled as u64)?;
        let store = Box::new(store);
        Ok((Writer { store, head: read.head, last: read.last, group: read.group, dead: false }, torn))
    }
}

impl Writer {
    /// Begins a journal in a file that must not be there yet.
    pub fn create(path: &Path, header: Header) -> Result<Self, JournalError> {
        let fail = |doing| move |source| JournalError::File { doing, path: path.to_owned(), source };
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)
            .map_err(fail("create the journal"))?;
        let writer = Self::begin(Box::new(FileStore::new(file, 0, 0)), header)?;
        // The file is only there after a crash if its folder says so.
        let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(folder).and_then(|f| f.sync_all()).map_err(fail("sync the folder of the journal"))?;
        Ok(writer)
    }

    /// Begins a journal in an empty store.
    pub fn begin(mut store: Box<dyn Store>, header: Header) -> Result<Self, JournalError> {
        let mut line = Vec::new();
        let head = write_line(&HeaderLine::from(header), Hash::NONE, &mut line);
        store.append(0, &line)?;
        Ok(Self { store, head, last: FactId(0), group: 0, dead: false })
    }

    /// Opens a journal, to be read and gone on with; nothing is changed yet.
    pub fn open(path: &Path) -> Result<Opened, JournalError> {
        let fail = |doing| move |source| JournalError::File { doing, path: path.to_owned(), source };
        let bytes = fs::read(path).map_err(fail("read the journal"))?;
        let file = OpenOptions::new().write(true).open(path).map_err(fail("open the journal"))?;
        Ok(Opened { bytes, medium: Box::new(file), path: Some(path.to_owned()) })
    }

    /// Numbers the records and chains them; nothing is written yet.
    pub fn encode(&self, records: &mut [Record]) -> Encoded {
        let mut bytes = Vec::with_capacity(records.len() * 512);
        let (mut head, mut last) = (self.head, self.last);
        let mut more = u32::try_from(records.len()).expect("a group has fewer than 2^32 records");
        for record in records {
            last = FactId(last.0 + 1);
            more -= 1;
            record.n = last;
            record.group = self.group + 1;
            record.more = more;
            head = write_line(record, head, &mut bytes);
        }
        Encoded { group: self.group + 1, bytes, head, last }
    }

    /// Makes a group durable: one write, one sync. After an error nothing more is taken.
    pub fn append(&mut self, group: &Encoded) -> Result<(), JournalError> {
        if self.dead {
            return Err(StoreError::Dead.into());
        }
        self.store.append(group.group, &group.bytes).inspect_err(|_| self.dead = true)?;
        self.group = group.group;
        self.last = group.last;
        self.head = group.head;
        Ok(())
    }

    /// Makes sure that so many bytes can be appended even when the disk fills up.
    pub fn ensure_room(&mut self, bytes: u64) -> Result<(), NoRoom> {
        if self.dead {
            return Err(StoreError::Dead.into());
        }
        let done = self.store.ensure_room(bytes);
        self.dead |= matches!(done, Err(NoRoom::Broken(_)));
        done
    }

    /// Cuts off what was filled ahead. The writer may still be used.
    pub fn close(&mut self) -> Result<(), JournalError> {
        if self.dead {
            return Err(StoreError::Dead.into());
        }
        self.store.close().inspect_err(|_| self.dead = true)?;
        Ok(())
    }

    /// The hash that covers everything so far.
    pub fn head(&self) -> Hash {
        self.head
    }

    /// The number of the last record.
    pub fn last(&self) -> FactId {
        self.last
    }
}

/// Writes what is cut off to the first free `journal.torn-N` beside the journal.
fn keep_aside(journal: &Path, bytes: &[u8]) -> Result<PathBuf, JournalError> {
    let mut number = 1;
    loop {
        let path = journal.with_file_name(format!("journal.torn-{number}"));
        let fail = |source| JournalError::File { doing: "keep the torn end in", path: path.clone(), source };
        match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path) {
            Ok(mut file) => {
                io::Write::write_all(&mut file, bytes).and_then(|()| file.sync_all()).map_err(fail)?;
                return Ok(path);
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => number += 1,
            Err(error) => return Err(fail(error)),
        }
    }
}

#[cfg(test)]
#[path = "writer_tests.rs"]
mod tests;
