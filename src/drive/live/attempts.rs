//! Attempts under way: started, stopped, and brought to their end, whatever carries them: the keeper, a request, statements,
//! or a person.
//!
//! It decides nothing: how an end is judged is the action's, what follows from it the engine's.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ffi::OsString;
use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::task::JoinSet;

use super::attempt::{Ended, Expect, Stopper, stopper};
use super::keeper::{Ending, Keeper, KeeperError, KeeperEvent, Known, StartSpec};
use super::process_end;
use super::render::Errand;
use super::scope::{self, RunScope};
use crate::journal::record::keyed_digest;
use crate::measure::{self, Names};
use crate::model::{Action, AttemptEnd, AttemptId, ConditionId, Part, Plan, Run, Work};

/// The attempts of a run.
pub struct Attempts {
    plan: Arc<Plan>,
    /// The run's folder.
    folder: PathBuf,
    /// Digests are made with it, so that nobody can guess at what was sent.
    key: [u8; 32],
    keeper: Option<Keeper>,
    /// The keeper died, and what became of its processes has not been looked at yet.
    bereft: bool,
    /// Processes, by the key under which the keeper knows them.
    processes: BTreeMap<String, AttemptId>,
    /// Those among them that have been told to stop.
    stopping: BTreeSet<String>,
    /// Requests and statements.
    exchanges: JoinSet<(AttemptId, Ended)>,
    stoppers: BTreeMap<AttemptId, Stopper>,
    /// Ends that are known already.
    over: VecDeque<(AttemptId, Over)>,
    /// Digests of what was sent.
    sent: BTreeMap<AttemptId, String>,
}

/// An end before it is judged.
enum Over {
    Ended(Ended),
    Process(Ending),
}

/// What an order to start came to.
pub enum Begun {
    /// It is under way; its end follows.
    UnderWay,
    /// A person must be asked.
    Manual,
}

impl Attempts {
    /// None yet.
    pub fn new(plan: Arc<Plan>, folder: PathBuf, key: [u8; 32]) -> Self {
        Self {
            plan,
            folder,
            key,
            keeper: None,
            bereft: false,
            processes: BTreeMap::new(),
            stopping: BTreeSet::new(),
            exchanges: JoinSet::new(),
            stoppers: BTreeMap::new(),
            over: VecDeque::new(),
            sent: BTreeMap::new(),
        }
    }

    /// Starts an attempt.
    pub async fn start(&mut self, attempt: AttemptId, scope: &Arc<RunScope>) -> Result<Begun, KeeperError> {
        let plan = Arc::clone(&self.plan);
        let work = plan.step(attempt.step).work(attempt.part).attempted();
        match &work.action {
            Action::Run(run) => self.start_process(attempt, run, work, scope).await?,
            Action::Http(_) | Action::Sql(_) => self.start_exchange(attempt, work, scope),
            Action::Manual(_) => return Ok(Begun::Manual),
            // The engine carries these out itself.
            Action::Wait(_) | Action::Gate(_) | Action::Ramp(_) => {}
        }
        Ok(Begun::UnderWay)
    }

    async fn start_process(
        &mut self,
        attempt: AttemptId,
        run: &Run,
        work: &Work,
        scope: &Arc<RunScope>,
    ) -> Result<(), KeeperError> {
        let files = Files::of(&self.plan, &self.folder, attempt);
        let errand = Errand { scope, attempt: Some(attempt), bound: work.timeout, expect: None };
        let process = match errand.process(run, Some(&files.outputs)) {
            Ok(process) => process,
            Err(error) => {
                self.fail(attempt, format!("could not {error}"));
                return Ok(());
            }
        };
        let Some((program, arguments)) = process.argv.split_first() else {
            self.fail(attempt, "there is no program".to_owned());
            return Ok(());
        };
        self.sent.insert(attempt, keyed_digest(&self.key, process.argv.join("\0").as_bytes()));
        let spec = StartSpec {
            key: files.key.clone(),
            program: program.into(),
            args: arguments.iter().map(OsString::from).collect(),
            env: process.env.into_iter().map(|(name, value)| (name.into(), value.into())).collect(),
            cwd: process.cwd,
            stdin: process.stdin.map(String::into_bytes),
            timeout_ms: work.timeout.millis(),
            kill_after_ms: work.kill_after.millis(),
            survivors: work.survivors,
            output_max: self.plan.about().output_max,
            stdout: files.stdout,
            stderr: files.stderr,
        };
        self.processes.insert(files.key, attempt);
        self.keeper().await?.start(spec);
        Ok(())
    }

    async fn keeper(&mut self) -> Result<&mut Keeper, KeeperError> {
        if self.keeper.is_none() {
            let mut keeper = Keeper::connect_or_start(&self.folder).await?;
            keeper.surround(std::env::vars_os().collect());
            self.keeper = Some(keeper);
        }
        Ok(self.keeper.as_mut().expect("just set"))
    }

    fn start_exchange(&mut self, attempt: AttemptId, work: &Work, scope: &Arc<RunScope>) {
        let (stopper, stop) = stopper();
        let secrets = scope.secrets();
        let expect = match &work.action {
            Action::Http(http) => http.expect.map(|id| (id, measure::Locals::Http)),
            Action::Sql(sql) => sql.expect.map(|id| (id, measure::Locals::Sql)),
            Action::Run(_) | Action::Wait(_) | Action::Gate(_) | Action::Manual(_) | Action::Ramp(_) => None,
        };
        let expect = expect.map(|(id, locals)| self.expectation(id, locals, scope));
        let errand = Errand { scope, attempt: Some(attempt), bound: work.timeout, expect };
        match &work.action {
            Action::Http(http) => match errand.request(http, &work.outputs) {
                Ok(request) => {
                    self.sent.insert(attempt, request.digest(&self.key));
                    self.exchanges.spawn(async move { (attempt, request.perform(secrets, stop).await) });
                }
                Err(error) => return self.fail(attempt, format!("could not {error}")),
            },
            Action::Sql(sql) => match errand.statements(sql) {
                Ok(statements) => {
                    self.sent.insert(attempt, statements.digest(&self.key));
                    self.exchanges.spawn(async move { (attempt, statements.perform(secrets, stop).await) });
                }
                Err(error) => return self.fail(attempt, format!("could not {error}")),
            },
            Action::Run(_) | Action::Wait(_) | Action::Gate(_) | Action::Manual(_) | Action::Ramp(_) => return,
        }
        self.stoppers.insert(attempt, stopper);
    }

    /// `expect` of an action, ready to judge. `check` has compiled the same text before.
    fn expectation(&self, id: ConditionId, locals: measure::Locals, scope: &Arc<RunScope>) -> Expect {
        let text = &self.plan.condition(id).text;
        match measure::compile(text, locals, &Names::of(&self.plan)) {
            Ok(compiled) => scope::expect(compiled.program, Arc::clone(scope)),
            Err(errors) => {
                let why = errors.into_iter().map(|error| error.message).collect::<Vec<_>>().join("; ");
                Arc::new(move |_| (crate::model::Verdict::NoData, why.clone()))
            }
        }
    }

    /// An attempt that could not be started; it is certain that nothing happened.
    fn fail(&mut self, attempt: AttemptId, why: String) {
        self.over.push_back((attempt, Over::Ended(Ended::new(AttemptEnd::Failed, why))));
    }

    /// Stops an attempt; its end follows. A person's work is the caller's to stop.
    pub fn stop(&mut self, attempt: AttemptId) {
        if let Some(stopper) = self.stoppers.get(&attempt) {
            stopper.stop();
        }
        let key = key(&self.plan, attempt);
        if self.processes.contains_key(&key)
            && let Some(keeper) = &mut self.keeper
        {
            keeper.stop(&key);
            self.stopping.insert(key);
        }
    }

    /// What became of attempts that an earlier process had started: those whose end is known, or certain not to come, are
    /// returned by [`Self::next`]; the others go on.
    pub async fn take_up(&mut self, attempts: &BTreeMap<AttemptId, bool>) -> Result<Vec<AttemptId>, KeeperError> {
        let mut manual = Vec::new();
        let mut processes = Vec::new();
        for (&attempt, &stopping) in attempts {
            match &self.plan.step(attempt.step).work(attempt.part).attempted().action {
                Action::Run(_) => processes.push((attempt, stopping)),
                Action::Manual(_) => manual.push(attempt),
                Action::Http(_) | Action::Sql(_) | Action::Wait(_) | Action::Gate(_) | Action::Ramp(_) => {
                    let why = "the process that waited for the answer died";
                    self.over.push_back((attempt, Over::Ended(Ended::new(AttemptEnd::InDoubt, why))));
                }
            }
        }
        if !processes.is_empty() {
            self.take_up_processes(processes).await?;
        }
        Ok(manual)
    }

    async fn take_up_processes(&mut self, attempts: Vec<(AttemptId, bool)>) -> Result<(), KeeperError> {
        self.keeper().await?;
        self.settle(attempts);
        Ok(())
    }

    /// Sorts attempts by what the keeper knows of them.
    fn settle(&mut self, attempts: Vec<(AttemptId, bool)>) {
        let known = self.keeper.as_ref().map(|keeper| keeper.known().clone()).unwrap_or_default();
        for (attempt, stopping) in attempts {
            let key = key(&self.plan, attempt);
            match known.get(&key) {
                None => {
                    let ended =
                        Ended::new(AttemptEnd::NeverStarted, "the keeper does not know it: it was never started");
                    self.over.push_back((attempt, Over::Ended(ended)));
                }
                Some(Known::Running { .. }) => {
                    self.processes.insert(key, attempt);
                    if stopping {
                        self.stop(attempt);
                    }
                }
                Some(Known::Ended(ending)) => self.over.push_back((attempt, Over::Process(ending.clone()))),
            }
        }
    }

    /// Whether nothing is under way that this process must wait for.
    pub fn is_idle(&self) -> bool {
        self.processes.is_empty() && self.stoppers.is_empty() && self.over.is_empty()
    }

    /// The next attempt that is over. Can be dropped at any await without losing one.
    pub async fn next(&mut self, scope: &Arc<RunScope>) -> Result<(AttemptId, Ended), KeeperError> {
        loop {
            if self.bereft {
                // A new keeper stops what is left of the old one's processes, and knows what became of them.
                self.keeper().await?;
                self.bereft = false;
                let under_way = std::mem::take(&mut self.processes);
                self.settle(
                    under_way.into_iter().map(|(key, attempt)| (attempt, self.stopping.contains(&key))).collect(),
                );
            }
            match self.over.pop_front() {
                Some((attempt, Over::Ended(ended))) => return Ok((attempt, ended)),
                Some((attempt, Over::Process(ending))) => return Ok((attempt, self.judge(attempt, &ending, scope))),
                None => {}
            }
            let event = async {
                match &mut self.keeper {
                    Some(keeper) => keeper.next_event().await,
                    None => std::future::pending().await,
                }
            };
            let exchange = async {
                match self.exchanges.join_next().await {
                    Some(joined) => joined,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                event = event => self.hear(event),
                joined = exchange => {
                    let (attempt, ended) = joined.expect("an exchange neither panics nor is it cancelled");
                    self.stoppers.remove(&attempt);
                    return Ok((attempt, ended));
                }
            }
        }
    }

    /// The next attempt that is known to be over already.
    pub fn next_known(&mut self, scope: &Arc<RunScope>) -> Option<(AttemptId, Ended)> {
        while self.over.is_empty() {
            let event = self.keeper.as_mut()?.next_heard()?;
            self.hear(event);
        }
        match self.over.pop_front()? {
            (attempt, Over::Ended(ended)) => Some((attempt, ended)),
            (attempt, Over::Process(ending)) => Some((attempt, self.judge(attempt, &ending, scope))),
        }
    }

    fn hear(&mut self, event: KeeperEvent) {
        match event {
            KeeperEvent::Started { .. } => {}
            KeeperEvent::Ended { key, ending } => {
                self.stopping.remove(&key);
                if let Some(attempt) = self.processes.remove(&key) {
                    self.over.push_back((attempt, Over::Process(ending)));
                }
            }
            KeeperEvent::Lost => {
                self.keeper = None;
                self.bereft = !self.processes.is_empty();
            }
        }
    }

    /// What the end of a process means for its attempt (R5).
    fn judge(&self, attempt: AttemptId, ending: &Ending, scope: &Arc<RunScope>) -> Ended {
        let work = self.plan.step(attempt.step).work(attempt.part).attempted();
        let Action::Run(run) = &work.action else {
            return Ended::new(AttemptEnd::InDoubt, "the keeper ended what is no process");
        };
        let files = Files::of(&self.plan, &self.folder, attempt);
        let written = open_outputs(&files.outputs);
        let expect = run.expect.map(|id| self.expectation(id, measure::Locals::Run, scope));
        process_end::judge(ending, run, work, &files, written, expect.as_ref(), &scope.secrets())
    }

    /// The digest of what an attempt sent, for the journal.
    pub fn digest(&mut self, attempt: AttemptId) -> Option<String> {
        self.sent.remove(&attempt)
    }
}

/// Where the traces of an attempt lie in the run's folder.
pub struct Files {
    /// What the keeper knows it by.
    pub key: String,
    /// Its standard output.
    pub stdout: PathBuf,
    /// Its standard error.
    pub stderr: PathBuf,
    /// Its `name=value` lines.
    pub outputs: PathBuf,
}

impl Files {
    /// Of an attempt.
    pub fn of(plan: &Plan, folder: &Path, attempt: AttemptId) -> Self {
        let key = key(plan, attempt);
        let steps = folder.join("steps");
        Self {
            stdout: steps.join(format!("{key}.out")),
            stderr: steps.join(format!("{key}.err")),
            outputs: steps.join(format!("{key}.outputs")),
            key,
        }
    }
}

/// The file that a step wrote its outputs to, and makes it ours alone: the step made it, for whomever it makes files.
/// (Until now the folder alone keeps others out.) Most have none.
fn open_outputs(path: &Path) -> Option<File> {
    let ours = || Permissions::from_mode(0o600);
    match File::open(path) {
        Ok(file) => {
            let _ = file.set_permissions(ours());
            Some(file)
        }
        // Not even for itself.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            let _ = fs::set_permissions(path, ours());
            File::open(path).ok()
        }
        Err(_) => None,
    }
}

/// `promote.forward.3`, `promote.undo0.4`.
fn key(plan: &Plan, attempt: AttemptId) -> String {
    let name = &plan.step(attempt.step).name;
    match attempt.part {
        Part::Forward => format!("{name}.forward.{}", attempt.number),
        Part::Undo(n) => format!("{name}.undo{n}.{}", attempt.number),
    }
}
