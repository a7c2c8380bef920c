//! What the orchestrator and the keeper say to each other: one JSON object a line, and the words in them.
//!
//! Environment and standard input of a step may hold secrets. They are in [`StartSpec`] and nowhere else: it is never
//! written to a file, and what it shows of itself leaves them out.

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::model::Survivors;

/// Spoken by both sides; another number is refused.
pub(super) const PROTOCOL: u32 = 2;

/// What to start, and its bounds. The keeper adds the two variables of `tag` to the environment.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StartSpec {
    /// Which attempt: `promote.forward.3`, unique in the run. A key that was given before starts nothing.
    pub key: String,
    /// The program; one without a slash is looked up in the `PATH` of `env`.
    #[serde(with = "os_text")]
    pub program: OsString,
    /// Its arguments. Never a secret.
    #[serde(with = "os_texts")]
    pub args: Vec<OsString>,
    /// Added to the environment that was said before for all of them, or put in the place of its values. May hold secrets.
    #[serde(with = "os_pairs")]
    pub env: Vec<(OsString, OsString)>,
    /// The folder it runs in, absolute.
    #[serde(with = "os_path")]
    pub cwd: PathBuf,
    /// What it reads; `None`: nothing. May hold secrets.
    #[serde(with = "bytes")]
    pub stdin: Option<Vec<u8>>,
    /// When it is stopped, in ms from its start.
    pub timeout_ms: u64,
    /// How long between TERM and KILL, in ms.
    pub kill_after_ms: u64,
    /// What becomes of daemons that it starts.
    #[serde(with = "survivors")]
    pub survivors: Survivors,
    /// How much of each stream is kept, in bytes.
    pub output_max: u64,
    /// Where standard output goes, absolute; created, 0600, with the first byte.
    #[serde(with = "os_path")]
    pub stdout: PathBuf,
    /// Where standard error goes, absolute; created, 0600, with the first byte.
    #[serde(with = "os_path")]
    pub stderr: PathBuf,
}

impl StartSpec {
    /// What the record says of it: a digest of program, arguments and folder, in which no secret can be.
    pub(super) fn digest(&self) -> String {
        let mut hash = Sha256::new();
        let parts = [self.program.as_encoded_bytes(), self.cwd.as_os_str().as_encoded_bytes()];
        for part in parts.into_iter().chain(self.args.iter().map(|arg| arg.as_encoded_bytes())) {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        hex(&hash.finalize()[..16])
    }
}

impl fmt::Debug for StartSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StartSpec").field("key", &self.key).field("program", &self.program).finish_non_exhaustive()
    }
}

/// How a main process ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum How {
    /// By itself.
    Exited {
        /// Its exit code.
        code: i32,
    },
    /// By a signal.
    Killed {
        /// Which.
        signal: i32,
    },
    /// It was never started, certainly.
    NeverStarted {
        /// Why, as a fragment.
        error: String,
    },
    /// The keeper that started it died before it could record an end. No process of it is left.
    InDoubt,
}

/// Why the keeper stopped an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cut {
    /// Its `timeout_ms` passed.
    Timeout,
    /// It was ordered.
    Stop,
}

/// A process, for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// Its number.
    pub pid: i32,
    /// What the system calls it, at most 15 bytes.
    pub name: String,
}

/// What became of one output stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Captured {
    /// Bytes that came. More than `output_max`: the file holds head and tail and a line between them that says so.
    pub total: u64,
    /// Bytes that could not be written (a full disk). The step was not held up by it.
    pub lost: u64,
}

/// How an attempt ended, with all that it left behind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ending {
    /// How its main process ended.
    pub how: How,
    /// Whether the keeper had begun to stop it by then. An exit code may still be that of a full success.
    pub cut: Option<Cut>,
    /// From its start to the end of its main process, in ms.
    pub duration_ms: u64,
    /// Standard output.
    pub stdout: Captured,
    /// Standard error.
    pub stderr: Captured,
    /// What its main process had left behind and the keeper stopped.
    pub stopped: Vec<Process>,
    /// What has a session of its own and was left alone.
    pub daemons: Vec<Process>,
    /// What the keeper should have stopped and could not (it belongs to another user, or hangs in the kernel).
    pub unstoppable: Vec<Process>,
}

impl Ending {
    /// An end without anything around it.
    pub(super) fn bare(how: How) -> Self {
        Self {
            how,
            cut: None,
            duration_ms: 0,
            stdout: Captured::default(),
            stderr: Captured::default(),
            stopped: Vec::new(),
            daemons: Vec::new(),
            unstoppable: Vec::new(),
        }
    }
}

/// What is known of a key that was given once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Known {
    /// Under way.
    Running {
        /// Its main process.
        pid: i32,
    },
    /// Over.
    Ended(Ending),
}

/// What the orchestrator asks for.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Request {
    /// What is started through this connection from now on has this environment, and what its own spec adds. Said once,
    /// for it is long and every attempt has the same. May hold secrets.
    Surround {
        /// Names and values.
        #[serde(with = "os_pairs")]
        env: Vec<(OsString, OsString)>,
    },
    /// Start this, or answer with what is known of its key.
    Start(Box<StartSpec>),
    /// Stop this and all it started. One that is not running is left as it is.
    Stop {
        /// Which.
        key: String,
    },
}

/// What the keeper says.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Message {
    /// First on every connection: all that is known. What happens later follows.
    Hello {
        /// [`PROTOCOL`].
        protocol: u32,
        /// Every key.
        known: Vec<(String, Known)>,
    },
    /// An attempt is over, or its key was given again: what is known of it. That one runs which was asked for needs no
    /// word of its own.
    Now {
        /// Which.
        key: String,
        /// What.
        known: Known,
    },
}

/// A message as it travels.
pub(super) fn line<T: Serialize>(message: &T) -> Vec<u8> {
    let mut line = serde_json::to_vec(message).expect("strings, numbers and lists always become JSON");
    line.push(b'\n');
    line
}

fn hex(bytes: &[u8]) -> String {
    use fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing to a string does not fail");
        text
    })
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) || !text.is_ascii() {
        return None;
    }
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok()).collect()
}

/// Text of the system, which need not be UTF-8: a string where it is, `{"hex": ".."}` where it is not.
mod os_text {
    use std::borrow::Cow;
    use std::ffi::{OsStr, OsString};
    use std::os::unix::ffi::{OsStrExt, OsStringExt};

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Serialize, Deserialize)]
    #[serde(untagged)]
    pub(super) enum Wire<'a> {
        Text(Cow<'a, str>),
        Raw { hex: String },
    }

    impl<'a> From<&'a OsStr> for Wire<'a> {
        fn from(text: &'a OsStr) -> Self {
            match text.to_str() {
                Some(text) => Self::Text(Cow::Borrowed(text)),
                None => Self::Raw { hex: super::hex(text.as_bytes()) },
            }
        }
    }

    impl TryFrom<Wire<'_>> for OsString {
        type Error = &'static str;

        fn try_from(wire: Wire<'_>) -> Result<Self, Self::Error> {
            match wire {
                Wire::Text(text) => Ok(text.into_owned().into()),
                Wire::Raw { hex } => super::unhex(&hex).map(Self::from_vec).ok_or("not hexadecimal"),
            }
        }
    }

    pub(super) fn serialize<S: Serializer>(text: &OsStr, to: S) -> Result<S::Ok, S::Error> {
        Wire::from(text).serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<OsString, D::Error> {
        Wire::deserialize(from)?.try_into().map_err(serde::de::Error::custom)
    }
}

mod os_path {
    use std::path::{Path, PathBuf};

    use serde::{Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(path: &Path, to: S) -> Result<S::Ok, S::Error> {
        super::os_text::serialize(path.as_os_str(), to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<PathBuf, D::Error> {
        super::os_text::deserialize(from).map(PathBuf::from)
    }
}

mod os_texts {
    use std::ffi::OsString;

    use serde::{Deserialize, Deserializer, Serializer};

    use super::os_text::Wire;

    pub(super) fn serialize<S: Serializer>(texts: &[OsString], to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(texts.iter().map(|text| Wire::from(text.as_os_str())))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<OsString>, D::Error> {
        let texts = Vec::<Wire<'_>>::deserialize(from)?;
        texts.into_iter().map(|text| text.try_into().map_err(serde::de::Error::custom)).collect()
    }
}

mod os_pairs {
    use std::ffi::OsString;

    use serde::{Deserialize, Deserializer, Serializer};

    use super::os_text::Wire;

    type Pair = (OsString, OsString);

    pub(super) fn serialize<S: Serializer>(pairs: &[Pair], to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(pairs.iter().map(|(name, value)| (Wire::from(name.as_os_str()), Wire::from(value.as_os_str()))))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Pair>, D::Error> {
        let pairs = Vec::<(Wire<'_>, Wire<'_>)>::deserialize(from)?;
        let pair = |(name, value): (Wire<'_>, Wire<'_>)| Ok((name.try_into()?, value.try_into()?));
        pairs
            .into_iter()
            .map(|wires| pair(wires).map_err(|error: &'static str| serde::de::Error::custom(error)))
            .collect()
    }
}

mod bytes {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[expect(clippy::ref_option, reason = "the form that serde calls")]
    pub(super) fn serialize<S: Serializer>(bytes: &Option<Vec<u8>>, to: S) -> Result<S::Ok, S::Error> {
        bytes.as_deref().map(super::hex).serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Vec<u8>>, D::Error> {
        let text = Option::<String>::deserialize(from)?;
        text.map(|text| super::unhex(&text).ok_or_else(|| serde::de::Error::custom("not hexadecimal"))).transpose()
    }
}

/// [`Survivors`] as the format spells it; `kill` or not.
pub(super) mod survivors {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use crate::model::Survivors;

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "the form that serde calls")]
    pub(in super::super) fn serialize<S: Serializer>(survivors: &Survivors, to: S) -> Result<S::Ok, S::Error> {
        matches!(survivors, Survivors::Kill).serialize(to)
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Survivors, D::Error> {
        Ok(if bool::deserialize(from)? { Survivors::Kill } else { Survivors::Leave })
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStringExt;

    use super::*;

    fn spec() -> StartSpec {
        StartSpec {
            key: "promote.forward.3".into(),
            program: "/bin/true".into(),
            args: vec![OsString::from_vec(vec![b'a', 0xff])],
            env: vec![("PASSWORD".into(), OsString::from_vec(vec![0xfe, b'x']))],
            cwd: "/".into(),
            stdin: Some(b"hunter2".to_vec()),
            timeout_ms: 1000,
            kill_after_ms: 100,
            survivors: Survivors::Leave,
            output_max: 1 << 20,
            stdout: "/tmp/out".into(),
            stderr: "/tmp/err".into(),
        }
    }

    #[test]
    fn a_spec_survives_the_socket_whatever_bytes_are_in_it() {
        let text = line(&Request::Start(Box::new(spec())));
        let Request::Start(back) = serde_json::from_slice(&text).unwrap() else { panic!("not a start") };
        assert_eq!(*back, spec());
    }

    #[test]
    fn a_spec_shows_no_environment_and_no_input() {
        let shown = format!("{:?}", spec());
        assert!(!shown.contains("hunter2") && !shown.contains("PASSWORD"), "{shown}");
    }

    #[test]
    fn the_digest_depends_on_nothing_secret() {
        let other = StartSpec { env: vec![], stdin: None, ..spec() };
        assert_eq!(other.digest(), spec().digest());
    }
}
