//! Reading: every line follows from the one before it, or the reader says what is wrong.
//!
//! Group g+1 is written only after the sync of g has returned. So a crash can tear the last group and nothing else: there
//! any part may be missing, even with a whole record of the same group behind the gap. That end is cut. A record of a
//! later group behind a broken line proves that the broken one had been synced: that is damage, and nothing is guessed.

use std::io::BufRead;
use std::path::PathBuf;

use serde::Deserialize;

use super::record::{HeaderLine, JOURNAL, check_line};
use super::{Hash, Header, Record};
use crate::model::FactId;

/// Why a journal cannot be read.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ReadError {
    /// Not even the header is there.
    #[error("read the journal: it has no whole first line, so the run never began")]
    NoHeader,
    /// Another tool wrote it.
    #[error("read the journal: it is of version {found}, and this tool reads version {JOURNAL}")]
    Version {
        /// What it says.
        found: u32,
    },
    /// It was changed after it had been written.
    #[error(
        "trust the journal: line {line} {why}, though group {later} behind it was written after line {line} was on the disk"
    )]
    Damaged {
        /// The first line that is wrong, from 1.
        line: u64,
        /// What is wrong with it.
        why: Broken,
        /// A group behind it.
        later: u64,
    },
    /// The lines are whole, but are not what this tool writes.
    #[error("understand line {line} of the journal: {why}")]
    Strange {
        /// Which line, from 1.
        line: u64,
        /// What is wrong with it.
        why: String,
    },
}

/// What is wrong with a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// It has no newline, or is blank with something behind it.
    #[error("is not whole")]
    NotWhole,
    /// Its hash is not that of its bytes behind the lines before it.
    #[error("does not follow from the lines before it")]
    Hash,
}

/// How the lines end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// With a whole group, and nothing but newlines behind it.
    Whole,
    /// With a group that a crash tore.
    Torn(Torn),
}

/// The end of a journal that was torn by a crash. Nothing in it had been acted upon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Torn {
    /// Its first line, from 1.
    pub line: u64,
    /// How many bytes, newlines at the end not counted.
    pub bytes: u64,
    /// The file it is kept in, once it is cut off.
    pub aside: Option<PathBuf>,
}

/// Where a reader stopped: what a writer goes on from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    /// Where the last whole group ends in the bytes.
    pub end: usize,
    /// The hash of its last line.
    pub head: Hash,
    /// The number of its last record.
    pub last: FactId,
    /// Its own number.
    pub group: u64,
    /// What is behind it.
    pub ending: Ending,
}

/// Goes over a journal group by group.
#[derive(Clone)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    /// Behind the last whole group.
    end: usize,
    /// The line that starts there, from 1.
    line: u64,
    head: Hash,
    last: FactId,
    group: u64,
    ending: Option<Ending>,
}

fn parse<'a, T: Deserialize<'a>>(line: &'a [u8], number: u64) -> Result<T, ReadError> {
    let strange = |why: String| ReadError::Strange { line: number, why };
    // Once for the line, not once for each of its texts.
    let text = std::str::from_utf8(line).map_err(|error| strange(error.to_string()))?;
    serde_json::from_str(text).map_err(|error| strange(error.to_string()))
}

/// What is needed of a line to know that a record of that group was written.
#[derive(Deserialize)]
struct Trace {
    n: u64,
    group: u64,
    hash: String,
}

/// Where a record says that it stands.
#[derive(Clone, Copy, Deserialize)]
struct Place {
    n: FactId,
    group: u64,
    #[serde(default)]
    more: u32,
}

/// What can be read of a line: all of it, or only where it stands.
trait Placed {
    fn place(&self) -> Place;
}

impl Placed for Record {
    fn place(&self) -> Place {
        Place { n: self.n, group: self.group, more: self.more }
    }
}

impl Placed for Place {
    fn place(&self) -> Place {
        *self
    }
}

impl<'a> Reader<'a> {
    /// Reads the header.
    pub fn new(bytes: &'a [u8]) -> Result<(Header, Self), ReadError> {
        let mut reader = Self { bytes, end: 0, line: 1, head: Hash::NONE, last: FactId(0), group: 0, ending: None };
        let Some(line) = reader.line_at(0) else { return Err(reader.broken_header(Broken::NotWhole)) };
        let Some(head) = check_line(line, Hash::NONE) else { return Err(reader.broken_header(Broken::Hash)) };
        let header: HeaderLine = parse(line, 1)?;
        let header = header
            .header()
            .ok_or_else(|| ReadError::Strange { line: 1, why: "the first line is not numbered 0".to_owned() })?;
        if header.journal != JOURNAL {
            return Err(ReadError::Version { found: header.journal });
        }
        reader.end = line.len() + 1;
        reader.line = 2;
        reader.head = head;
        Ok((header, reader))
    }

    /// Replaces `group` by the records of the next whole group; `false` at the end, and then `ending` knows how it
    /// ends.
    pub fn next_group(&mut self, group: &mut Vec<Record>) -> Result<bool, ReadError> {
        self.take_group(group)
    }

    /// Goes over the next whole group without reading what its records say; `false` at the end.
    pub(super) fn skip_group(&mut self) -> Result<bool, ReadError> {
        self.take_group(&mut Vec::<Place>::new())
    }

    fn take_group<T: Placed + Deserialize<'a>>(&mut self, group: &mut Vec<T>) -> Result<bool, ReadError> {
        group.clear();
        let (mut at, mut number, mut head, mut last) = (self.end, self.line, self.head, self.last);
        loop {
            let checked = match self.line_at(at) {
                Some(line) => check_line(line, head).map(|hash| (line, hash)).ok_or(Broken::Hash),
                None => Err(Broken::NotWhole),
            };
            let (line, hash) = match checked {
                Ok(found) => found,
                Err(why) => {
                    group.clear();
                    self.ending = Some(self.judge_break(at, number, why)?);
                    return Ok(false);
                }
            };
            let record: T = parse(line, number)?;
            let place = record.place();
            last = FactId(last.0 + 1);
            self.check_place(&place, last, group.last().map(T::place), number)?;
            at += line.len() + 1;
            number += 1;
            head = hash;
            let whole = place.more == 0;
            group.push(record);
            if whole {
                (self.end, self.line, self.head, self.last) = (at, number, head, last);
                self.group += 1;
                return Ok(true);
            }
        }
    }

    /// Where it stopped, once [`Self::next_group`] has said `false`.
    pub fn position(&self) -> Position {
        let ending = self.ending.clone().unwrap_or(Ending::Whole);
        Position { end: self.end, head: self.head, last: self.last, group: self.group, ending }
    }

    /// The hash of the last line of the last whole group.
    pub fn head(&self) -> Hash {
        self.head
    }

    /// The number of its last record.
    pub fn last(&self) -> FactId {
        self.last
    }

    /// The line that starts there, without its newline. `None`: blank, or without a newline.
    fn line_at(&self, at: usize) -> Option<&'a [u8]> {
        let rest = &self.bytes[at..];
        let mut behind = rest;
        let length = behind.skip_until(b'\n').expect("reading from memory does not fail");
        let line = rest[..length].strip_suffix(b"\n")?;
        (!line.is_empty()).then_some(line)
    }

    /// A line whose hash is right was written as it is; wrong numbers are a tool gone wrong.
    fn check_place(&self, place: &Place, n: FactId, before: Option<Place>, line: u64) -> Result<(), ReadError> {
        let strange = |why: String| Err(ReadError::Strange { line, why });
        if place.n != n {
            return strange(format!("record {} stands where {} belongs", place.n.0, n.0));
        }
        if place.group != self.group + 1 {
            return strange(format!("it is of group {} where {} belongs", place.group, self.group + 1));
        }
        if before.is_some_and(|b| b.more != place.more + 1) {
            return strange("it miscounts the records of its group".to_owned());
        }
        Ok(())
    }

    /// Tells a torn end from damage. The break is in the group behind the last whole one.
    fn judge_break(&self, at: usize, line: u64, why: Broken) -> Result<Ending, ReadError> {
        if self.bytes[at..].iter().all(|b| *b == b'\n') && at == self.end {
            return Ok(Ending::Whole);
        }
        if let Some(later) = self.group_behind(at, self.group + 1) {
            return Err(ReadError::Damaged { line, why, later });
        }
        let bytes = self.bytes[self.end..].trim_ascii_end().len() as u64;
        Ok(Ending::Torn(Torn { line: self.line, bytes, aside: None }))
    }

    fn broken_header(&self, why: Broken) -> ReadError {
        match self.group_behind(0, 0) {
            Some(later) => ReadError::Damaged { line: 1, why, later },
            None => ReadError::NoHeader,
        }
    }

    /// The group of the first record behind `at` that is of a later group than `group`. Looks inside lines too: the
    /// newline itself may be what was damaged. A raw `{"n":` inside a text of a record cannot be: quotes are escaped there.
    fn group_behind(&self, at: usize, group: u64) -> Option<u64> {
        const OPEN: &[u8] = b"{\"n\":";
        let rest = &self.bytes[at..];
        (0..rest.len()).filter(|i| rest[*i..].starts_with(OPEN)).find_map(|start| {
            let mut values = serde_json::Deserializer::from_slice(&rest[start..]).into_iter::<Trace>();
            let trace = values.next()?.ok()?;
            (trace.group > group && trace.n >= trace.group && Hash::parse(&trace.hash).is_some()).then_some(trace.group)
        })
    }
}

#[cfg(test)]
#[path = "reader_tests.rs"]
pub(super) mod tests;
