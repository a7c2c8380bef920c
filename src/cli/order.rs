//! Orders and answers for a run that another process drives; `rollback` and `stop` drive it themselves where none does.

use super::args::{self, Output};
use super::exit::Exit;
use super::failure::Failure;
use super::output::say;
use super::past::{Past, is_unfinished};
use super::resume::{Wish, resume_as};
use super::runs::State;
use super::stage;
use crate::drive::live::control::{Caller, ControlError, News, Request, Want};
use crate::drive::live::start::RunFolder;
use crate::engine::Act;
use crate::journal::lock::Lock;
use crate::model::{RunId, Target};

/// Answers a gate.
pub(super) fn answer(args: &args::Answer, go: bool, state: &State) -> Result<Exit, Failure> {
    let (run, gate) = run_and(&args.words, state)?;
    let run = find(state, run.as_deref())?;
    let want = Want::Answer { gate: gate.clone(), go, confirm: args.confirm.clone() };
    let hint = match (go, gate) {
        (true, Some(gate)) => format!("runbook resume {run} --go {gate}"),
        _ => format!("runbook resume {run}"),
    };
    match send(state, &run, want, args.reason.clone()) {
        Err(ControlError::NobodyThere) => Err(nobody(&run).hint(format!("take it up: {hint}"))),
        other => done(&run, other, if go { "go" } else { "no-go" }),
    }
}

/// Orders something about a step.
pub(super) fn about_step(
    args: &args::StepOrder,
    act: impl Fn(crate::model::StepId) -> Act,
    state: &State,
) -> Result<Exit, Failure> {
    let (run, step) = match args.words.as_slice() {
        [run, step] => (Some(run.as_str()), step),
        [step] => (None, step),
        _ => return Err(Failure::wrong("name the step")),
    };
    let past = Past::read(state, find(state, run)?)?;
    let act = act(past.step(step)?);
    simple(state, &past.run, act, args.reason.clone())
}

/// Orders a pause.
pub(super) fn pause(args: &args::Order, state: &State) -> Result<Exit, Failure> {
    let run = find(state, args.run.as_deref())?;
    simple(state, &run, Act::Pause, args.reason.clone())
}

/// Lets a paused run go on that another process drives. `None`: it does not hear, because it has just gone, or only begins.
/// Of one that was killed, a child that has not executed its program yet may keep lock and socket for a moment.
pub(super) fn go_on(run: &RunId, state: &State) -> Option<Result<Exit, Failure>> {
    match send(state, run, Want::Act(Act::Resume), None) {
        Err(ControlError::NobodyThere) => None,
        Err(ControlError::Broken(_)) if Lock::holder_of_run(state.folder(run).path()).is_none() => None,
        Err(ControlError::Refused(why)) => {
            Some(Err(Failure::refused(format!("run {run} is driven by another process, and not let go on: {why}"))
                .hint(format!(
                    "it is not paused, or a failed step wants a decision first: `runbook status {run}` tells, `runbook \
                     attach {run}` watches it"
                ))))
        }
        other => Some(done(run, other, "goes on")),
    }
}

fn simple(state: &State, run: &RunId, act: Act, reason: Option<String>) -> Result<Exit, Failure> {
    match send(state, run, Want::Act(act), reason) {
        Err(ControlError::NobodyThere) => Err(nobody(run).hint(format!("take it up: runbook resume {run}"))),
        other => done(run, other, "ordered"),
    }
}

/// Ends a run where it is.
pub(super) fn stop(args: &args::Stop, state: &State) -> Result<Exit, Failure> {
    let reason = args.order.reason.clone();
    let run = find(state, args.order.run.as_deref())?;
    match send(state, &run, Want::Act(Act::Stop), reason.clone()) {
        Err(ControlError::NobodyThere) => {
            let exit = drive(state, &run, Act::Stop, reason, Output::Auto, &args.secrets)?;
            Ok(match exit {
                Exit::Stopped => Exit::Good,
                Exit::Good | Exit::Waiting => Exit::Refused,
                other => other,
            })
        }
        other => done(&run, other, "ordered; it ends when what runs has ended"),
    }
}

/// Takes a run back.
pub(super) fn rollback(args: &args::Rollback, state: &State) -> Result<Exit, Failure> {
    let run = state.find_fitting(args.run.as_deref(), can_go_back)?;
    let past = Past::read(state, run)?;
    let target = args.to.as_deref().map_or(Ok(Target::Start), |name| target(&past, name))?;
    let act = Act::Rollback { target, force: args.force };
    let run = &past.run;
    // Watching begins before the order, so that nothing of what follows from it is missed.
    let watching = Caller::call(past.folder.path()).and_then(|caller| caller.subscribe(&stage::user()));
    match send(state, run, Want::Act(act.clone()), args.reason.clone()) {
        Err(ControlError::NobodyThere) => {
            let exit = drive(state, run, act, args.reason.clone(), args.output, &args.secrets)?;
            Ok(match exit {
                Exit::RolledBack => Exit::Good,
                Exit::Good | Exit::Stopped | Exit::Waiting => Exit::Refused,
                other => other,
            })
        }
        Err(ControlError::Refused(why)) => Err(Failure::refused(format!("run {run} does not go back: {why}"))),
        Err(error) => Err(Failure::could_not(error)),
        Ok(()) => follow(watching.map_err(Failure::could_not)?, args.output, run),
    }
}

/// Tells of a rollback until it is over.
fn follow(news: News, output: Output, run: &RunId) -> Result<Exit, Failure> {
    for line in news {
        let line = line.map_err(|error| Failure::could_not(format!("follow run {run}: {error}")))?;
        let object: serde_json::Value = serde_json::from_str(&line).unwrap_or_default();
        match output {
            Output::Json => say(&line),
            Output::Auto | Output::Plain => say(object["sentence"].as_str().unwrap_or(&line)),
        }
        match (object["event"].as_str(), object["outcome"].as_str()) {
            (Some("run.finished"), Some("rolled_back")) => return Ok(Exit::Good),
            (Some("run.finished" | "rollback.refused"), _) => return Ok(Exit::Refused),
            (Some("run.stuck"), _) => return Ok(Exit::Stuck),
            _ => {}
        }
    }
    Err(Failure::could_not(format!("follow run {run} any longer: its process is gone"))
        .hint(format!("`runbook status {run}` tells where it stands")))
}

fn target(past: &Past, name: &str) -> Result<Target, Failure> {
    let step = past.plan.step_named(name).map(Target::Step);
    step.or_else(|| past.plan.phase_named(name).map(Target::Phase)).ok_or_else(|| {
        Failure::wrong(format!("the runbook has no step and no phase `{name}`")).hint("`runbook graph` shows them")
    })
}

/// Drives a run that nobody drives, for one order.
fn drive(
    state: &State,
    run: &RunId,
    act: Act,
    reason: Option<String>,
    output: Output,
    secrets: &args::SecretsFile,
) -> Result<Exit, Failure> {
    let wish = Wish {
        run: Some(run.0.clone()),
        act: Some(act),
        reason,
        vars_file: secrets.vars_file.clone(),
        output: Some(output),
        // It is carried out or refused; nobody is waited for.
        no_wait: true,
        ..Wish::default()
    };
    resume_as(&wish, state)
}

fn send(state: &State, run: &RunId, want: Want, reason: Option<String>) -> Result<(), ControlError> {
    let request = Request { want, user: stage::user(), reason };
    Caller::call(state.folder(run).path())?.ask(&request)
}

fn done(run: &RunId, sent: Result<(), ControlError>, word: &str) -> Result<Exit, Failure> {
    match sent {
        Ok(()) => {
            say(&format!("run {run}: {word}"));
            Ok(Exit::Good)
        }
        Err(ControlError::Refused(why)) => Err(Failure::refused(format!("run {run}: {why}"))),
        Err(error) => Err(Failure::could_not(error)),
    }
}

fn nobody(run: &RunId) -> Failure {
    Failure::refused(format!("no process drives run {run}, so nothing can be ordered or answered in it"))
}

/// Whether a run is under way, or has left something behind that can be taken back.
fn can_go_back(folder: &RunFolder) -> bool {
    super::before::standing(folder).is_ok_and(|engine| {
        let in_place = engine.in_effect().any(|step| engine.plan().step(step).has_effect());
        engine.outcome().is_none() || (in_place && !engine.is_way_back_closed())
    })
}

/// The run of that name; without one, the only one that a process drives, else the only unfinished one.
fn find(state: &State, name: Option<&str>) -> Result<RunId, Failure> {
    let is_driven = |run: &RunId| Lock::holder_of_run(state.folder(run).path()).is_some();
    match (name, state.runs().iter().any(is_driven)) {
        (None, true) => state.find_fitting(None, |folder| Lock::holder_of_run(folder.path()).is_some()),
        _ => state.find_fitting(name, is_unfinished),
    }
}

/// `[RUN] [NAME]`: one word alone is a run where one is called so.
fn run_and(words: &[String], state: &State) -> Result<(Option<String>, Option<String>), Failure> {
    match words {
        [] => Ok((None, None)),
        [word] if state.runs().iter().any(|run| run.0.starts_with(word.as_str())) => Ok((Some(word.clone()), None)),
        [word] => Ok((None, Some(word.clone()))),
        [run, name] => Ok((Some(run.clone()), Some(name.clone()))),
        _ => Err(Failure::wrong("one run and one gate")),
    }
}
