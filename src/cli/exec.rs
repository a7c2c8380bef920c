//! `exec`: begins a run and carries it out.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::args;
use super::detach::Seat;
use super::exit::Exit;
use super::failure::Failure;
use super::runs::{State, new_name};
use super::stage::{self, Setting};
use super::variables;
use crate::drive::Fact;
use crate::drive::live::start::{self, Beginning};
use crate::drive::live::vars::Given;
use crate::drive::live::windows::Windows;
use crate::drive::live::{Options, clock};
use crate::engine::{Act, Event};
use crate::journal::lock::{Holder, Lock, LockError};
use crate::journal::{Beforehand, Via, Who};
use crate::model::{PhaseId, Plan, RunId, StepId, Value};
use crate::syntax::{PartText, Texts};

/// Executes a runbook.
pub(super) fn exec(args: &args::Exec, state: Option<&Path>, seat: Seat) -> Result<Exit, Failure> {
    let document = stage::read(&args.file, &args.variables)?;
    let go = gates(&document.plan, &args.go)?;
    let until = args.until.as_deref().map(|name| phase(&document.plan, name)).transpose()?;
    if let Some(level) = args.dry_run {
        return super::dry_run::dry_run(document, args, state, level);
    }
    let state = State::open(state)?;
    let user = stage::user();
    let runtime = stage::runtime()?;
    let values = runtime.block_on(variables::values(&document.plan, &document.folder, &document.given))?;
    let document = stage::given(&args.file, document, &values)?;
    let plan = Arc::clone(&document.plan);

    let run = new_name(&plan.about().name, |run| state.folder(run).path().exists());
    let lock = match take_name(&state, &plan, &run, &user) {
        Ok(lock) => lock,
        Err(LockError::Held { holder, .. }) if args.or_resume => {
            return resume_held(args, &state, holder.as_ref(), seat);
        }
        Err(LockError::Held { holder, .. }) => return Err(held(&state, &plan, holder.as_ref())),
        Err(error) => return Err(Failure::could_not(error)),
    };
    if let Some(last) = state.last_of(&plan.about().lock)
        && let Some(exit) = super::before::settle(&state, &last, args, &seat, &lock)?
    {
        return Ok(exit);
    }
    refuse_early(&plan, args)?;

    let folder = state.folder(&run);
    state
        .set_last_of(&plan.about().lock, &run)
        .map_err(|error| Failure::could_not(format!("remember the run: {error}")))?;
    let beginning = Beginning {
        plan: Arc::clone(&plan),
        document: &document.texts.runbook,
        parts: document.parts(),
        base: document.folder.clone(),
        values,
        run: run.clone(),
        folder: folder.clone(),
        user: user.clone(),
        beforehand: Beforehand { go: go.clone(), until },
    };
    let started = start::begin(beginning).map_err(Failure::could_not)?;
    let _run_lock = start::lock(&folder, &run, &user).map_err(Failure::could_not)?;
    let who = Who { user: user.clone(), via: Via::CommandLine, reason: None };
    let mut facts = vec![Fact::new(Event::RunBegan).by(who.clone())];
    facts.extend(
        until.map(|phase| Fact::new(Event::OperatorAsked { act: Act::HoldAfter { phase: Some(phase) } }).by(who)),
    );
    let setting = Setting {
        run,
        folder,
        user,
        output: args.output,
        options: Options { go, no_wait: args.no_wait, after_success: args.process.after_success() },
        seat,
        story: None,
    };
    runtime.block_on(stage::play(started, setting, facts))
}

/// The steps of gates that are answered beforehand.
pub(super) fn gates(plan: &Plan, names: &[String]) -> Result<BTreeSet<StepId>, Failure> {
    let is_gate = |step: &StepId| matches!(plan.step(*step).forward.action, crate::model::Action::Gate(_));
    let one = |name: &String| plan.step_named(name).filter(is_gate).ok_or_else(|| unknown_gate(plan, name));
    names.iter().map(one).collect()
}

fn unknown_gate(plan: &Plan, name: &str) -> Failure {
    let gates: Vec<&str> = plan
        .steps()
        .iter()
        .filter(|step| matches!(step.forward.action, crate::model::Action::Gate(_)))
        .map(|step| step.name.as_str())
        .collect();
    let known = if gates.is_empty() { "it has none".to_owned() } else { format!("its gates are {}", gates.join(", ")) };
    Failure::wrong(format!("the runbook has no gate `{name}`")).hint(known)
}

/// The phase of that name.
pub(super) fn phase(plan: &Plan, name: &str) -> Result<PhaseId, Failure> {
    plan.phase_named(name).ok_or_else(|| {
        let phases: Vec<&str> = plan.phases().iter().map(|phase| phase.name.as_str()).collect();
        Failure::wrong(format!("the runbook has no phase `{name}`"))
            .hint(format!("its phases are {}", phases.join(", ")))
    })
}

fn take_name(state: &State, plan: &Plan, run: &RunId, user: &str) -> Result<Lock, LockError> {
    Lock::of_name(state.path(), &plan.about().lock, &holder(run, user)).map(|(lock, _)| lock)
}

/// This process, which drives that run.
pub(super) fn holder(run: &RunId, user: &str) -> Holder {
    Holder { pid: std::process::id(), user: user.to_owned(), since: clock::wall(), run: run.clone() }
}

/// Another process holds the lock of a runbook.
pub(super) fn held(state: &State, plan: &Plan, holder: Option<&Holder>) -> Failure {
    let lock = &plan.about().lock;
    let has_ended =
        |run: &RunId| super::before::standing(&state.folder(run)).is_ok_and(|engine| engine.outcome().is_some());
    match holder {
        Some(Holder { pid, run, .. }) if has_ended(run) => Failure::refused(format!(
            "run {run} has ended and its process {pid} still watches its ways back under the lock `{lock}`"
        ))
        .hint(format!("a new run closes them: end the watching (Ctrl-C there, or kill {pid}), then say --close {run}")),
        Some(Holder { pid, user, since, run }) => Failure::refused(format!(
            "run {run} holds the lock `{lock}`: process {pid} of {user} has driven it since {since}"
        ))
        .hint(format!("watch it with `runbook attach {run}`, or end it with `runbook stop {run}`")),
        None => Failure::refused(format!("another process holds the lock `{lock}`")),
    }
}

fn resume_held(args: &args::Exec, state: &State, holder: Option<&Holder>, seat: Seat) -> Result<Exit, Failure> {
    let run = holder.map(|holder| holder.run.0.clone());
    super::resume::resume_as(&super::resume::Wish { run, seat, ..super::resume::Wish::of_exec(args) }, state)
}

/// What can be refused before there is a run: programs that are missing, a closed window.
fn refuse_early(plan: &Plan, args: &args::Exec) -> Result<(), Failure> {
    let missing: Vec<&str> =
        plan.about().requires.iter().map(String::as_str).filter(|name| stage::find_program(name).is_none()).collect();
    if !missing.is_empty() {
        return Err(Failure::refused(format!("not on PATH: {}", missing.join(", ")))
            .hint("`requires` of the runbook names them"));
    }
    if args.wait {
        return Ok(());
    }
    let windows = Windows::new(plan);
    let first = plan.phase_ids().filter(|phase| plan.phase(*phase).needs.is_empty());
    for phase in first {
        if let Err(next) = windows.may_start(phase, clock::wall()) {
            let name = &plan.phase(phase).name;
            let when = next.map_or("no opening is long enough for it and its way back".to_owned(), |at| {
                format!("it may start at {at}")
            });
            return Err(Failure::refused(format!("the window of phase `{name}` is closed: {when}"))
                .hint("`--wait` waits for it"));
        }
    }
    Ok(())
}

/// A runbook that was read without errors.
pub(super) struct Document {
    pub(super) texts: Texts,
    pub(super) folder: PathBuf,
    pub(super) plan: Arc<Plan>,
    /// What the command line says of variables.
    pub(super) given: Given,
    /// The values that it gives them.
    pub(super) by_hand: BTreeMap<String, Value>,
}

impl Document {
    /// The texts of its parts, by the names that it has for their files.
    fn parts(&self) -> BTreeMap<String, &str> {
        let found = self.texts.parts.iter().filter_map(|(name, text)| match text {
            PartText::Found(text) => Some((name.clone(), text.as_str())),
            // A runbook with an error is not begun.
            PartText::Unreadable(_) => None,
        });
        found.collect()
    }
}
