//! What a new run must know of the one before it under the same lock (R22).

use std::collections::BTreeMap;

use super::args;
use super::detach::Seat;
use super::exec;
use super::exit::Exit;
use super::failure::Failure;
use super::past::Past;
use super::resume::{Wish, resume_as};
use super::runs::State;
use super::stage;
use crate::drive::live::clock::Clock;
use crate::drive::live::start::{self, RunFolder};
use crate::drive::{Fact, replay};
use crate::engine::{Act, Engine, Event};
use crate::journal::lock::{Lock, LockError};
use crate::journal::{Via, Who, Writer};
use crate::model::{RunId, RunOutcome};

/// What stands in the way of a new run.
pub(super) enum InTheWay {
    /// The last one is not finished.
    Unfinished(Failure),
    /// It has ended, and its way back is open.
    Open(Failure),
}

/// What the last run of the lock leaves in the way of a new one.
pub(super) fn in_the_way(past: &Past) -> Option<InTheWay> {
    let (last, engine) = (&past.run, &past.engine);
    let Some(outcome) = engine.outcome() else {
        let failure = Failure::refused(format!("run {last} is not finished"))
            .hint(format!("take it up: runbook resume {last}"))
            .hint(format!("take it back: runbook rollback {last}"))
            .hint(format!("end it where it is: runbook stop {last}"));
        return Some(InTheWay::Unfinished(failure));
    };
    let in_place = engine.in_effect().any(|step| engine.plan().step(step).has_effect());
    if outcome == RunOutcome::Refused || past.is_way_back_closed() || !in_place {
        return None;
    }
    let what = format!("run {last} has {outcome}, what it did is in place, and its way back is still open");
    let failure = Failure::refused(what)
        .hint(format!("a new run closes it: say --close {last}"))
        .hint(format!("or take it back first: runbook rollback {last}"));
    Some(InTheWay::Open(failure))
}

/// Whether the command line closes the way back of this run.
pub(super) fn closes(args: &args::Exec, last: &RunId) -> bool {
    args.close.as_deref().is_some_and(|name| !name.is_empty() && last.0.starts_with(name))
}

/// Sees to the last run of the lock. `Some`: it was taken up instead of a new one. The caller holds the lock.
pub(super) fn settle(
    state: &State,
    last: &RunId,
    args: &args::Exec,
    seat: &Seat,
    lock: &Lock,
) -> Result<Option<Exit>, Failure> {
    match in_the_way(&Past::read(state, last.clone())?) {
        None => Ok(None),
        Some(InTheWay::Unfinished(_)) if args.or_resume => {
            // It was taken for a run that there will not be.
            lock.name(&exec::holder(last, &stage::user()))
                .map_err(|error| Failure::could_not(format!("say which run holds the lock: {error}")))?;
            let wish = Wish { run: Some(last.0.clone()), seat: seat.clone(), ..Wish::of_exec(args) };
            resume_as(&wish, state).map(Some)
        }
        Some(InTheWay::Open(_)) if closes(args, last) => close(&state.folder(last), last).map(|()| None),
        Some(InTheWay::Unfinished(failure) | InTheWay::Open(failure)) => Err(failure),
    }
}

/// The engine of a run as its journal leaves it.
pub(super) fn standing(folder: &RunFolder) -> Result<Engine, Failure> {
    let bytes = stage::journal_of(folder)?;
    let plan = stage::frozen(folder, &bytes)?;
    Ok(replay(&plan, &bytes, |_| {}).map_err(Failure::could_not)?.engine)
}

/// Another process has the run, and its ways back.
pub(super) fn watched(run: &RunId) -> Failure {
    Failure::refused(format!("another process watches the ways back of run {run}"))
        .hint("end that first: Ctrl-C there, or kill it")
}

fn close(folder: &RunFolder, run: &RunId) -> Result<(), Failure> {
    let user = stage::user();
    let _lock = start::lock(folder, run, &user).map_err(|error| match error {
        LockError::Held { .. } => watched(run),
        LockError::File { .. } => Failure::could_not(error),
    })?;
    let opened = Writer::open(&folder.journal()).map_err(Failure::could_not)?;
    let plan = stage::frozen(folder, &opened.bytes)?;
    let mut taken = start::take_up(folder, &plan, opened, &BTreeMap::new(), |_, _| {}).map_err(Failure::could_not)?;
    let who = Who { user, via: Via::CommandLine, reason: Some("a new run begins".to_owned()) };
    let mut resumed = Fact::new(Event::RunResumed);
    resumed.clock = Some(Clock::stamp());
    let facts = vec![resumed, Fact::new(Event::OperatorAsked { act: Act::Close }).by(who)];
    let session = &mut taken.started.session;
    session.feed(taken.started.clock.now(), facts).and_then(|_| session.close()).map_err(Failure::could_not)
}
