//! What stands in a journal, and how its lines are chained.
//!
//! **Journal 1.** The file is UTF-8, one JSON object a line, each line ended by one newline. Every line ends in its hash:
//!
//! ```text
//! {"n":1,"group":1, ... ,"hash":"<64 hex digits>"}
//! ```
//!
//! The hash is the SHA-256 of the hash of the line before (its 64 lower-case hex digits as ASCII; 64 zeros before the
//! first line) followed by the raw bytes of the line before `,"hash":"`. So ten lines of Python prove a file:
//!
//! ```python
//! import hashlib, sys
//! head = "0" * 64
//! for number, line in enumerate(open(sys.argv[1], "rb"), 1):
//!     line = line.rstrip(b"\n")
//!     if not line:                      # filled ahead: the records have ended
//!         break
//!     body, tail = line[:-75], line[-75:]
//!     head = hashlib.sha256(head.encode() + body).hexdigest()
//!     if tail != b',"hash":"' + head.encode() + b'"}':
//!         sys.exit(f"line {number} does not follow from the lines before it")
//! print(head)
//! ```
//!
//! Records are numbered from 1 without a gap (the header is 0), groups too. `more` counts the records of the same group
//! that follow; it is left out at the last one, so that a reader can tell a whole group from a torn one. Empty fields are
//! left out. Names never change; a reader ignores names that it does not know.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use sha2::{Digest, Sha256};

use crate::engine::{Command, Deadline, Event};
use crate::model::{FactId, PhaseId, RunId, Span, Spends, StepId, Summaries, Time};

/// The format of the lines that this tool writes.
pub const JOURNAL: u32 = 1;

/// Most bytes of evidence that a record keeps; it is for people, and no rule reads it.
pub const EVIDENCE_MAX: usize = 2048;

/// Most bytes that the outputs of one attempt may take as JSON. Whoever reads outputs refuses more: they are kept in the
/// journal, and room for them is reserved before a step starts.
pub const OUTPUTS_MAX: usize = 64 * 1024;

/// The first line: what the run works from, for ever.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// Version of the runbook format.
    pub format: u32,
    /// Version of the journal's lines.
    pub journal: u32,
    /// Version of the tool that began the run.
    pub tool: String,
    /// Revision of the engine that began the run.
    pub engine: u32,
    /// The run.
    pub run: RunId,
    /// SHA-256 of the frozen runbook.
    pub document: String,
    /// SHA-256 of the frozen parts, by the names that the runbook has for their files.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub parts: BTreeMap<String, String>,
    /// The variables.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub vars: BTreeMap<String, Pinned>,
    /// The folder that relative paths mean.
    pub base: String,
    /// Who began it.
    pub user: String,
    /// Digests of the environment variables that the runbook names.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// Digests of the scripts that the runbook names by relative path.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub scripts: BTreeMap<String, String>,
    /// What was decided before the start.
    #[serde(default, skip_serializing_if = "Beforehand::is_nothing")]
    pub beforehand: Beforehand,
    /// The source of every random choice.
    pub seed: u64,
    /// When it began.
    pub wall: Wall,
    /// What the boot clock said then.
    pub clock: Clock,
}

/// What the command line that began a run decided; it holds whoever takes the run up.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Beforehand {
    /// Gates that are answered go when they open for the first time (`--go`).
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub go: BTreeSet<StepId>,
    /// The phase after which the run pauses (`--until`); it begins with an order to that end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<PhaseId>,
}

impl Beforehand {
    fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}

/// A variable as the header keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pinned {
    /// Its value.
    Plain(Json),
    /// The [`keyed_digest`] of a secret one.
    Secret(String),
}

/// One event, what it led to, and who was behind it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Its number, from 1: the moment that questions refer to.
    pub n: FactId,
    /// The group it was made durable with, from 1.
    pub group: u64,
    /// How many records of its group follow.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub more: u32,
    /// When, in milliseconds since the run began.
    pub at: Time,
    /// When, by the wall clock.
    pub wall: Wall,
    /// What happened.
    pub event: Event,
    /// Details for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<String>,
    /// What an attempt left for later steps.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub outputs: BTreeMap<String, Json>,
    /// The figures of the baseline, with the event that it was taken.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub baseline: Summaries,
    /// What budgets have spent, where that is worth writing down, and with the event that ended the run.
    #[serde(default, skip_serializing_if = "Spends::is_empty")]
    pub spent: Spends,
    /// The last samples of the baseline's probes, with the event that ended the run: what to compare it with.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub after: BTreeMap<String, Json>,
    /// Digest of what was sent: the rendered script, request or statements of an attempt that ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sent: Option<String>,
    /// Who asked for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub who: Option<Who>,
    /// What the boot clock says, where a process took the run over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock: Option<Clock>,
    /// Deadlines that an operator moved as the run was taken over.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub extend: Vec<Extension>,
    /// What the engine decided, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub decided: Vec<Command>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the shape that serde asks for")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// Who is behind an order or an answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Who {
    /// The user, or `runbook` itself.
    pub user: String,
    /// Which way it came.
    pub via: Via,
    /// Why, in their words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Which way an order came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Via {
    /// The run's own terminal.
    Terminal,
    /// The control socket.
    Socket,
    /// The command line of the process that drives the run.
    CommandLine,
    /// A signal.
    Signal,
    /// Nobody: the tool had to.
    Tool,
}

/// What `CLOCK_BOOTTIME` said at a moment of the run, so that downtime can be measured (R25).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Clock {
    /// Which boot of which host.
    pub boot: String,
    /// Milliseconds since then.
    pub ms: u64,
}

/// A deadline moved by an operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Extension {
    /// Which.
    pub deadline: Deadline,
    /// By how much.
    pub by: Span,
}

/// A moment, by both clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// In the run's own time, which rules go by.
    pub at: Time,
    /// By the wall clock, which people and windows go by.
    pub wall: Wall,
}

/// A moment by the wall clock, in milliseconds since 1970. As text: `2026-11-20T12:15:00.123Z`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Wall(i64);

impl Wall {
    /// That many milliseconds after 1970 began; clamped to what the text can show.
    pub fn from_millis(millis: i64) -> Self {
        const LAST: i64 = 253_402_207_200_000; // the end of the year 9999, almost: the last moment that jiff knows
        Self(millis.clamp(0, LAST))
    }

    /// Milliseconds since 1970 began.
    pub const fn millis(self) -> i64 {
        self.0
    }

    fn parse(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        let shape = b"dddd-dd-ddTdd:dd:dd.dddZ";
        let fits = |(have, want): (&u8, &u8)| if *want == b'd' { have.is_ascii_digit() } else { have == want };
        if bytes.len() != shape.len() || !bytes.iter().zip(shape).all(fits) {
            return None;
        }
        let number = |from: usize, to: usize| bytes[from..to].iter().fold(0, |n, d| n * 10 + i64::from(d - b'0'));
        let (year, month, day) = (number(0, 4), number(5, 7), number(8, 10));
        let (hour, minute, second) = (number(11, 13), number(14, 16), number(17, 19));
        if !(1970..=9999).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
            return None;
        }
        if hour > 23 || minute > 59 || second > 59 {
            return None;
        }
        let seconds = ((days_before(year, month, day) * 24 + hour) * 60 + minute) * 60 + second;
        Some(Self(seconds * 1000 + number(20, 23)))
    }
}

/// Days from 1970 to a date of the Gregorian calendar (Hinnant, "chrono-Compatible Low-Level Date Algorithms").
/// A journal of a million records has a million dates, so this is not left to a general parser.
const fn days_before(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year / 400;
    let year_of_era = year % 400;
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

impl fmt::Display for Wall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stamp = jiff::Timestamp::from_millisecond(self.0).map_err(|_| fmt::Error)?;
        write!(f, "{stamp:.3}")
    }
}

impl Serialize for Wall {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Wall {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Stamp;
        impl serde::de::Visitor<'_> for Stamp {
            type Value = Wall;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a moment such as 2026-11-20T12:15:00.123Z")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Wall, E> {
                Wall::parse(text).ok_or_else(|| E::invalid_value(serde::de::Unexpected::Str(text), &self))
            }
        }
        deserializer.deserialize_str(Stamp)
    }
}

/// The hash of a line, which covers every line before it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Hash([u8; 64]);

/// Bytes at the end of a line that the hash does not cover, without the newline: `,"hash":"<64>"}`.
const TAIL: usize = 75;
const TAIL_OPEN: &[u8] = b",\"hash\":\"";

impl Hash {
    /// What the first line follows from.
    pub const NONE: Self = Self([b'0'; 64]);

    /// The hash of a line whose bytes before the hash are `body`.
    fn following(self, body: &[u8]) -> Self {
        let mut digest = Sha256::new();
        digest.update(self.0);
        digest.update(body);
        Self(hex(&digest.finalize()))
    }

    /// Its 64 hex digits.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("hex digits are ASCII")
    }

    /// Reads 64 hex digits.
    pub fn parse(text: &str) -> Option<Self> {
        let digits: [u8; 64] = text.to_ascii_lowercase().into_bytes().try_into().ok()?;
        digits.iter().all(u8::is_ascii_hexdigit).then_some(Self(digits))
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

fn hex(bytes: &[u8]) -> [u8; 64] {
    let mut digits = [0; 64];
    for (pair, byte) in digits.chunks_exact_mut(2).zip(bytes) {
        pair[0] = b"0123456789abcdef"[usize::from(byte >> 4)];
        pair[1] = b"0123456789abcdef"[usize::from(byte & 15)];
    }
    digits
}

/// Appends one line that follows from `before`, and returns its hash.
pub(super) fn write_line(line: &impl Serialize, before: Hash, to: &mut Vec<u8>) -> Hash {
    let start = to.len();
    serde_json::to_writer(&mut *to, line).expect("records have text keys and writing to memory does not fail");
    assert_eq!(to.pop(), Some(b'}'), "a line is an object");
    let hash = before.following(&to[start..]);
    to.extend_from_slice(TAIL_OPEN);
    to.extend_from_slice(&hash.0);
    to.extend_from_slice(b"\"}\n");
    hash
}

/// The hash of a line (without its newline) if it follows from `before`.
pub(super) fn check_line(line: &[u8], before: Hash) -> Option<Hash> {
    let (body, tail) = line.split_at(line.len().checked_sub(TAIL)?);
    let hash = before.following(body);
    (tail.starts_with(TAIL_OPEN) && tail[TAIL_OPEN.len()..].starts_with(&hash.0) && tail.ends_with(b"\"}"))
        .then_some(hash)
}

/// The header as a line: number and group 0 before it.
#[derive(Serialize, Deserialize)]
pub(super) struct HeaderLine {
    n: u64,
    group: u64,
    #[serde(flatten)]
    header: Header,
}

impl From<Header> for HeaderLine {
    fn from(header: Header) -> Self {
        Self { n: 0, group: 0, header }
    }
}

impl HeaderLine {
    /// The header, if the line is one.
    pub(super) fn header(self) -> Option<Header> {
        (self.n == 0 && self.group == 0).then_some(self.header)
    }
}

/// SHA-256 of some bytes, in hex: how documents and scripts are pinned.
pub fn digest(bytes: &[u8]) -> String {
    Hash(hex(&Sha256::digest(bytes))).to_string()
}

/// HMAC-SHA256 (RFC 2104), in hex: how a secret is pinned, so that who reads the journal without the key cannot try guesses.
pub fn keyed_digest(key: &[u8; 32], secret: &[u8]) -> String {
    let pad = |with: u8| {
        let mut block = [with; 64];
        block.iter_mut().zip(key).for_each(|(b, k)| *b ^= k);
        block
    };
    let inner = Sha256::new().chain_update(pad(0x36)).chain_update(secret).finalize();
    let outer = Sha256::new().chain_update(pad(0x5c)).chain_update(inner).finalize();
    Hash(hex(&outer)).to_string()
}

#[cfg(test)]
#[path = "record_tests.rs"]
mod tests;
