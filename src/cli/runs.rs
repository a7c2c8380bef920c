//! The state folder: where runs are kept, how one is named and found.

use std::fs;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};

use super::failure::Failure;
use crate::drive::live::start::RunFolder;
use crate::journal::{ReadError, Reader};
use crate::model::RunId;

/// Magic numbers of network file systems (linux/magic.h): locks and syncs there do not mean what we need.
const NETWORK: &[i64] = &[0x6969, 0x517b, 0xff53_4d42, 0xfe53_4d42, 0x5346_414f, 0x0102_1997, 0x00c3_6400, 0x6573_5546];

/// Magic numbers of file systems that forget everything when the host goes down.
const MEMORY: &[i64] = &[0x0102_1994, 0x8584_58f6];

/// The folder of all runs.
#[derive(Clone, Debug)]
pub(super) struct State(PathBuf);

impl State {
    /// The folder that the command line or the environment names; made if it is not there.
    pub(super) fn open(given: Option<&Path>) -> Result<Self, Failure> {
        let path = named(given)?;
        fs::create_dir_all(&path).map_err(|error| Failure::could_not(format!("make `{}`: {error}", path.display())))?;
        let path =
            path.canonicalize().map_err(|error| Failure::could_not(format!("find `{}`: {error}", path.display())))?;
        let kind = rustix::fs::statfs(&path).map_or(0, |statfs| statfs.f_type);
        if NETWORK.contains(&kind) {
            return Err(Failure::refused(format!(
                "`{}` is on a network file system, whose locks and syncs cannot be relied on",
                path.display()
            ))
            .hint("name a local folder with --state-dir"));
        }
        if MEMORY.contains(&kind) {
            let shown = path.display();
            let _ =
                writeln!(io::stderr(), "warning: `{shown}` is in memory: a run does not survive the end of this host");
        }
        Ok(Self(path))
    }

    /// The same where nothing may be made; `None`: it is not there.
    pub(super) fn look(given: Option<&Path>) -> Result<Option<Self>, Failure> {
        if named(given)?.is_dir() { Self::open(given).map(Some) } else { Ok(None) }
    }

    /// Its path.
    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    /// Where a run is, or would be, kept.
    pub(super) fn folder(&self, run: &RunId) -> RunFolder {
        RunFolder::at(self.0.join("runs").join(&run.0))
    }

    /// All runs, oldest first.
    pub(super) fn runs(&self) -> Vec<RunId> {
        let entries = fs::read_dir(self.0.join("runs")).into_iter().flatten().flatten();
        let mut runs: Vec<RunId> = entries
            .filter_map(|entry| Some(RunId(entry.file_name().into_string().ok()?)))
            .filter(|run| self.has_begun(run))
            .collect();
        runs.sort();
        runs
    }

    /// The run of that name, or whose name begins so; without a name, the only one that `fits`, or the latest where none
    /// does.
    pub(super) fn find(&self, name: Option<&str>, fits: impl Fn(&RunFolder) -> bool) -> Result<RunId, Failure> {
        let runs = self.runs();
        let Some(name) = name else { return self.find_unnamed(&runs, fits) };
        if let Some(exact) = runs.iter().find(|run| run.0 == name) {
            return Ok(exact.clone());
        }
        let matching: Vec<&RunId> = runs.iter().filter(|run| run.0.starts_with(name)).collect();
        match matching.as_slice() {
            [one] => Ok((*one).clone()),
            [] => Err(Failure::wrong(format!("there is no run `{name}` in `{}`", self.0.display()))
                .hint("`runbook list` shows the runs there are")),
            several => Err(Failure::wrong(format!("`{name}` could be any of {}", names(several)))),
        }
    }

    /// The same for a verb that changes something: without a name, one must fit; the latest is no guess to act on.
    pub(super) fn find_fitting(&self, name: Option<&str>, fits: impl Fn(&RunFolder) -> bool) -> Result<RunId, Failure> {
        if name.is_none() && !self.runs().iter().any(|run| fits(&self.folder(run))) {
            return Err(Failure::wrong(format!(
                "no run in `{}` is at a point where that can be ordered",
                self.0.display()
            ))
            .hint("name the run; `runbook list` shows the runs there are"));
        }
        self.find(name, fits)
    }

    fn find_unnamed(&self, runs: &[RunId], fits: impl Fn(&RunFolder) -> bool) -> Result<RunId, Failure> {
        let fitting: Vec<&RunId> = runs.iter().filter(|run| fits(&self.folder(run))).collect();
        match fitting.as_slice() {
            [one] => Ok((*one).clone()),
            [] => runs.last().cloned().ok_or_else(|| {
                Failure::wrong(format!("there is no run in `{}`", self.0.display()))
                    .hint("`runbook exec FILE` begins one")
            }),
            several => Err(Failure::wrong(format!("name the run: it could be any of {}", names(several)))),
        }
    }

    /// The last run that was begun under a lock name.
    pub(super) fn last_of(&self, lock: &str) -> Option<RunId> {
        let text = fs::read_to_string(self.last_path(lock)).ok()?;
        let mut runs = text.lines().map(|line| RunId(line.trim().to_owned()));
        runs.find(|run| self.has_begun(run))
    }

    /// Names the run that is about to begin under a lock name, before it has a journal: whenever it is killed, the next
    /// one finds it, or the one before it where it has not come to be. The caller holds the lock.
    pub(super) fn set_last_of(&self, lock: &str, run: &RunId) -> io::Result<()> {
        let before = self.last_of(lock).map_or(String::new(), |before| format!("{before}\n"));
        let path = self.last_path(lock);
        let fresh = path.with_extension("new");
        fs::write(&fresh, format!("{run}\n{before}"))?;
        fs::File::open(&fresh)?.sync_all()?;
        fs::rename(&fresh, &path)?;
        path.parent().map_or(Ok(()), |folder| fs::File::open(folder)?.sync_all())
    }

    /// Whether a run has a journal. Nothing was done of one that was killed before its header was whole; one whose header
    /// is damaged is there.
    fn has_begun(&self, run: &RunId) -> bool {
        let path = self.folder(run).journal();
        let Ok(journal) = fs::File::open(&path) else { return false };
        let mut header = Vec::new();
        let read = BufReader::new(journal).read_until(b'\n', &mut header);
        let whole = || fs::read(&path).is_ok_and(|bytes| !matches!(Reader::new(&bytes), Err(ReadError::NoHeader)));
        read.is_err() || Reader::new(&header).is_ok() || whole()
    }

    fn last_path(&self, lock: &str) -> PathBuf {
        let name: String = lock.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' }).collect();
        self.0.join("locks").join(format!("{name}.last"))
    }
}

fn names(runs: &[&RunId]) -> String {
    runs.iter().map(|run| run.0.as_str()).collect::<Vec<_>>().join(", ")
}

fn named(given: Option<&Path>) -> Result<PathBuf, Failure> {
    given.map(Path::to_owned).or_else(default).ok_or_else(|| {
        Failure::could_not("find a place for runs: neither RUNBOOK_STATE_DIR nor XDG_STATE_HOME nor HOME is set")
            .hint("name one with --state-dir")
    })
}

fn default() -> Option<PathBuf> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    set("RUNBOOK_STATE_DIR")
        .or_else(|| set("XDG_STATE_HOME").map(|state| state.join("runbook")))
        .or_else(|| set("HOME").map(|home| home.join(".local/state/runbook")))
}

/// A name for a run that begins now: sorts by time, and says which runbook it is of.
pub(super) fn new_name(runbook: &str, taken: impl Fn(&RunId) -> bool) -> RunId {
    let now = jiff::Zoned::now().strftime("%Y%m%d-%H%M%S").to_string();
    let plain = RunId(format!("{now}-{runbook}"));
    if !taken(&plain) {
        return plain;
    }
    let numbered = |n: u32| RunId(format!("{now}-{runbook}-{n}"));
    (2..10_000).map(numbered).find(|run| !taken(run)).unwrap_or(plain)
}
