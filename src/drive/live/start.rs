//! A run's folder: made when the run begins, read when it is taken up again.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value as Json;

use super::clock::{self, Clock};
use super::scope::RunScope;
use super::secret_outputs;
use crate::drive::{Heard, ResumeError, Session, replay};
use crate::engine::{Command, Engine, Event, Notice, REVISION};
use crate::journal::lock::{Holder, Lock, LockError};
use crate::journal::record::{digest, keyed_digest};
use crate::journal::{Beforehand, Header, JournalError, Opened, Pinned, Reader, Torn, Writer};
use crate::model::{Plan, Run, RunCommand, RunId, Span, StepId, Summaries, Template, Value};

/// The version of the runbook format.
const FORMAT: u32 = 1;

/// Why a run cannot be begun or taken up.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A file of the run's folder could not be made or read.
    #[error("{doing} `{}`: {source}", path.display())]
    File {
        /// What was being done.
        doing: &'static str,
        /// To what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Its journal could not be begun or read.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// Another process drives it.
    #[error(transparent)]
    Locked(#[from] LockError),
    /// This tool decides otherwise than the one that began it, or its journal is damaged.
    #[error(transparent)]
    Resume(#[from] ResumeError),
}

/// The files of a run.
#[derive(Clone, Debug)]
pub struct RunFolder(PathBuf);

impl RunFolder {
    /// The folder at this path.
    pub fn at(path: PathBuf) -> Self {
        Self(path)
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The journal.
    pub fn journal(&self) -> PathBuf {
        self.0.join("journal.jsonl")
    }

    /// The frozen runbook.
    pub fn document(&self) -> PathBuf {
        self.0.join("runbook.toml")
    }

    /// The frozen file of its n-th part, from 0, in the order of the header.
    pub fn part(&self, n: usize) -> PathBuf {
        self.parts().join(format!("{}.toml", n + 1))
    }

    fn parts(&self) -> PathBuf {
        self.0.join("parts")
    }

    /// Output of steps.
    pub fn steps(&self) -> PathBuf {
        self.0.join("steps")
    }

    fn key(&self) -> PathBuf {
        self.0.join("key")
    }
}

/// What a run begins with.
pub struct Beginning<'a> {
    /// What is carried out.
    pub plan: Arc<Plan>,
    /// Its text, to be frozen.
    pub document: &'a str,
    /// The texts of its parts, to be frozen too, by the names that it has for their files.
    pub parts: BTreeMap<String, &'a str>,
    /// The folder that relative paths mean.
    pub base: PathBuf,
    /// The variables.
    pub values: BTreeMap<String, Value>,
    /// Its name.
    pub run: RunId,
    /// Its folder; not there yet.
    pub folder: RunFolder,
    /// Who begins it.
    pub user: String,
    /// What was decided before the start.
    pub beforehand: Beforehand,
}

/// A run that has a folder and a journal.
pub struct Started {
    /// Its engine and journal.
    pub session: Session,
    /// Its time.
    pub clock: Clock,
    /// Its variables, and what its steps left so far.
    pub scope: RunScope,
    /// What digests are keyed with.
    pub key: [u8; 32],
}

/// Makes the folder of a run and begins its journal.
pub fn begin(beginning: Beginning<'_>) -> Result<Started, StartError> {
    let Beginning { plan, document, parts, base, values, run, folder, user, beforehand } = beginning;
    let folders = [folder.path().to_owned(), folder.steps()];
    for path in folders.into_iter().chain((!parts.is_empty()).then(|| folder.parts())) {
        let made = DirBuilder::new().mode(0o700).recursive(true).create(&path);
        made.map_err(|source| StartError::File { doing: "make the folder", path, source })?;
    }
    write_private(&folder.document(), document.as_bytes())?;
    for (n, text) in parts.values().enumerate() {
        write_private(&folder.part(n), text.as_bytes())?;
    }
    let key = random_bytes();
    write_private(&folder.key(), &key)?;
    let header = Header {
        format: FORMAT,
        journal: crate::journal::record::JOURNAL,
        tool: env!("CARGO_PKG_VERSION").to_owned(),
        engine: REVISION,
        run: run.clone(),
        document: digest(document.as_bytes()),
        parts: parts.iter().map(|(name, text)| (name.clone(), digest(text.as_bytes()))).collect(),
        vars: values.iter().map(|(name, value)| (name.clone(), pinned(value, &key))).collect(),
        base: base.to_string_lossy().into_owned(),
        user,
        env: environment(&plan, &key),
        scripts: scripts(&plan, &base),
        beforehand,
        seed: u64::from_le_bytes(random_bytes()[..8].try_into().expect("32 bytes hold 8")),
        wall: clock::wall(),
        clock: Clock::stamp(),
    };
    let clock = Clock::beginning();
    let writer = Writer::create(&folder.journal(), header.clone())?;
    let session = Session::begin(Arc::clone(&plan), header, writer);
    let scope = RunScope::new(plan, run, base, values);
    Ok(Started { session, clock, scope, key })
}

/// A run that was taken up again.
pub struct TakenUp {
    /// Its engine, journal, time and variables.
    pub started: Started,
    /// What a crash had torn off its journal.
    pub torn: Option<Torn>,
    /// What differs from what the run began with: variables, environment, scripts.
    pub changes: Vec<String>,
    /// How long nobody drove it.
    pub down: Span,
}

/// Takes up the run of this folder, whose journal is open. `secrets` are the values of secret variables, found again: those
/// are not kept. All that its journal tells is handed out on the way.
pub fn take_up(
    folder: &RunFolder,
    plan: &Arc<Plan>,
    opened: Opened,
    secrets: &BTreeMap<String, Value>,
    mut hear: impl FnMut(&Header, &Heard<'_>),
) -> Result<TakenUp, StartError> {
    let key = read_key(folder)?;
    let (header, _) = Reader::new(&opened.bytes).map_err(JournalError::from)?;
    let mut recalling = Recalling::new(plan, &header, secrets, &key);
    let (session, torn) = Session::resume(Arc::clone(plan), opened, |heard| {
        recalling.hear(heard);
        hear(&header, heard);
    })?;
    let (stamped_at, stamp) = session.stamp();
    let clock = Clock::resuming(stamped_at, stamp, session.last());
    let down = clock.time().since(session.last().at);

    let Recalled { scope, changes } = recalling.end(folder, session.engine());
    Ok(TakenUp { started: Started { session, clock, scope, key }, torn, changes, down })
}

/// What a run works from, as far as its folder tells.
pub struct Recalled {
    /// Its variables, and what its steps left so far.
    pub scope: RunScope,
    /// What differs from what the run began with: variables, environment, scripts.
    pub changes: Vec<String>,
}

/// Recalls what the run of this folder works from, and changes nothing there. `bytes` is its journal, `secrets` the values
/// of secret variables, found again.
pub fn recall(
    folder: &RunFolder,
    plan: &Arc<Plan>,
    bytes: &[u8],
    secrets: &BTreeMap<String, Value>,
) -> Result<Recalled, StartError> {
    let (header, _) = Reader::new(bytes).map_err(JournalError::from)?;
    let mut recalling = Recalling::new(plan, &header, secrets, &read_key(folder)?);
    let replayed = replay(plan, bytes, |heard| recalling.hear(heard))?;
    Ok(recalling.end(folder, &replayed.engine))
}

fn read_key(folder: &RunFolder) -> Result<[u8; 32], StartError> {
    let path = folder.key();
    let key = fs::read(&path).map_err(|source| StartError::File { doing: "read", path, source })?;
    Ok(key.try_into().unwrap_or_default())
}

/// What a run works from, while its journal is read.
struct Recalling {
    plan: Arc<Plan>,
    scope: RunScope,
    changes: Vec<String>,
    /// Steps that something became of.
    settled: BTreeSet<StepId>,
    /// Of the baseline that was last recorded.
    figures: Summaries,
}

impl Recalling {
    fn new(plan: &Arc<Plan>, header: &Header, secrets: &BTreeMap<String, Value>, key: &[u8; 32]) -> Self {
        let base = PathBuf::from(&header.base);
        let mut changes = changes(plan, header, &base, key);
        let mut values = BTreeMap::new();
        for (name, pin) in &header.vars {
            let value = match pin {
                Pinned::Plain(json) => Value { json: json.clone(), secret: false },
                Pinned::Secret(kept) => {
                    let value = secrets.get(name).cloned().unwrap_or(Value { json: Json::Null, secret: true });
                    if keyed_digest(key, value.json.to_string().as_bytes()) != *kept {
                        changes.push(format!("the secret variable `{name}`"));
                    }
                    value
                }
            };
            values.insert(name.clone(), value);
        }
        let scope = RunScope::new(Arc::clone(plan), header.run.clone(), base, values);
        Self { plan: Arc::clone(plan), scope, changes, settled: BTreeSet::new(), figures: Summaries::new() }
    }

    /// What steps have left so far: attempts, outcomes, outputs; and the baseline.
    fn hear(&mut self, heard: &Heard<'_>) {
        match heard {
            Heard::Order(_, Command::StartAttempt { attempt }) => self.scope.note_attempt(*attempt),
            Heard::Order(_, Command::TakeValue { step, value }) => self.scope.note_value(*step, *value),
            Heard::Order(_, Command::Forget { step }) => self.scope.forget(*step),
            Heard::Order(..) => {}
            Heard::Record(record) => {
                if record.event == Event::BaselineTaken {
                    self.figures.clone_from(&record.baseline);
                }
                if let Event::AttemptEnded { attempt, .. } = record.event
                    && !record.outputs.is_empty()
                {
                    let outputs = super::outputs::Outputs { open: record.outputs.clone(), secret: BTreeMap::new() };
                    self.scope.note_outputs(attempt.step, &outputs);
                }
            }
            Heard::News(news) if news.notice == Notice::BaselineTaken => self.scope.note_baseline(&self.figures),
            Heard::News(news) => self.settled.extend(super::driver::settled_by(&news.notice)),
        }
    }

    fn end(mut self, folder: &RunFolder, engine: &Engine) -> Recalled {
        for step in self.settled {
            self.scope.note_outcome(step, engine.step_outcome(step));
            self.scope.note_outputs(step, &secret_outputs::recall(folder.path(), &self.plan, step));
        }
        Recalled { scope: self.scope, changes: self.changes }
    }
}

fn pinned(value: &Value, key: &[u8; 32]) -> Pinned {
    if value.secret {
        Pinned::Secret(keyed_digest(key, value.json.to_string().as_bytes()))
    } else {
        Pinned::Plain(value.json.clone())
    }
}

/// Digests of the environment variables that variables come from.
fn environment(plan: &Plan, key: &[u8; 32]) -> BTreeMap<String, String> {
    let named = plan.vars().iter().flat_map(|var| &var.sources).filter_map(|source| match source {
        crate::model::VarSource::Env(name) => Some(name),
        _ => None,
    });
    named
        .filter_map(|name| Some((name.clone(), keyed_digest(key, std::env::var_os(name)?.as_encoded_bytes()))))
        .collect()
}

/// Digests of the programs that steps and probes name by relative path.
fn scripts(plan: &Plan, base: &Path) -> BTreeMap<String, String> {
    let steps = plan.steps().iter().flat_map(|step| std::iter::once(&step.forward).chain(step.undo()));
    let of_steps = steps.filter_map(|work| match &work.attempted().action {
        crate::model::Action::Run(run) => Some(run),
        _ => None,
    });
    let of_probes = plan.probes().iter().filter_map(|probe| match &probe.source {
        crate::model::ProbeSource::Run(run) => Some(run),
        _ => None,
    });
    of_steps
        .chain(of_probes)
        .filter_map(relative_program)
        .filter_map(|name| Some((name.to_owned(), digest(&fs::read(base.join(name)).ok()?))))
        .collect()
}

fn relative_program(run: &Run) -> Option<&str> {
    match &run.command {
        RunCommand::Args(arguments) => {
            let Template(program) = arguments.first()?;
            let plain = program.contains('/') && !program.starts_with('/') && !program.contains("{{");
            plain.then_some(program.as_str())
        }
        RunCommand::Script { .. } => None,
    }
}

fn changes(plan: &Plan, header: &Header, base: &Path, key: &[u8; 32]) -> Vec<String> {
    let differ = |what: &str, then: &BTreeMap<String, String>, now: &BTreeMap<String, String>| {
        let names: BTreeSet<&String> = then.keys().chain(now.keys()).collect();
        names
            .into_iter()
            .filter(|name| then.get(*name) != now.get(*name))
            .map(|name| format!("{what} `{name}`"))
            .collect::<Vec<_>>()
    };
    let mut changes = differ("the program", &header.scripts, &scripts(plan, base));
    changes.extend(differ("the environment variable", &header.env, &environment(plan, key)));
    changes
}

fn write_private(path: &Path, bytes: &[u8]) -> Result<(), StartError> {
    let wrong = |source| StartError::File { doing: "write", path: path.to_owned(), source };
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(wrong)?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(wrong)
}

/// From the system. Only seeds and keys of a run are drawn here; they are recorded.
fn random_bytes() -> [u8; 32] {
    let mut bytes = [0; 32];
    let read = File::open("/dev/urandom").and_then(|mut file| file.read_exact(&mut bytes));
    read.expect("every Linux has /dev/urandom");
    bytes
}

/// The lock of a run's folder.
pub fn lock(folder: &RunFolder, run: &RunId, user: &str) -> Result<Lock, LockError> {
    let holder = Holder { pid: std::process::id(), user: user.to_owned(), since: clock::wall(), run: run.clone() };
    Lock::of_run(folder.path(), &holder).map(|(lock, _)| lock)
}
