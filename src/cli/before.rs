//! What a new run must know of the one before it under the same lock (R22).

use std::collections::BTreeMap;

use super::args;
use super::detach::Seat;
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
use crate::journal::{Via, Who};
use crate::model::{RunId, RunOutcome};

/// Sees to the last run of the lock. `Some`: it was taken up instead of a new one. The caller holds the lock.
pub(super) fn settle(state: &State, last: &RunId, args: &args::Exec, seat: &Seat) -> Result<Option<Exit>, Failure> {
    let folder = state.folder(last);
    let past = Past::read(state, last.clone())?;
    let engine = &past.engine;
    let Some(outcome) = engine.outcome() else {
        if args.or_resume {
            let wish = Wish { run: Some(last.0.clone()), seat: seat.clone(), ..Wish::of_exec(args) };
            return resume_as(&wish, state).map(Some);
        }
        return Err(Failure::refused(format!("run {last} is not finished"))
            .hint(format!("take it up: runbook resume {last}"))
            .hint(format!("take it back: runbook rollback {last}"))
            .hint(format!("end it where it is: runbook stop {last}")));
    };
    let in_place = engine.in_effect().any(|step| engine.plan().step(step).has_effect());
    if outcome == RunOutcome::Refused || past.is_way_back_closed() || !in_place {
        return Ok(None);
    }
    if args.close.as_deref().is_some_and(|name| last.0.starts_with(name)) {
        close(&folder, last)?;
        return Ok(None);
    }
    Err(Failure::refused(format!("run {last} has {outcome}, what it did is in place, and its way back is still open"))
        .hint(format!("a new run closes it: say --close {last}"))
        .hint(format!("or take it back first: runbook rollback {last}")))
}

/// The engine of a run as its journal leaves it.
pub(super) fn standing(folder: &RunFolder) -> Result<Engine, Failure> {
    let bytes = stage::journal_of(folder)?;
    let plan = stage::frozen(folder, &bytes)?;
    Ok(replay(&plan, &bytes, |_| {}).map_err(Failure::could_not)?.engine)
}

fn close(folder: &RunFolder, run: &RunId) -> Result<(), Failure> {
    let user = stage::user();
    let _lock = start::lock(folder, run, &user).map_err(Failure::could_not)?;
    let bytes = stage::journal_of(folder)?;
    let plan = stage::frozen(folder, &bytes)?;
    let mut taken = start::take_up(folder, &plan, &BTreeMap::new(), |_, _| {}).map_err(Failure::could_not)?;
    let who = Who { user, via: Via::CommandLine, reason: Some("a new run begins".to_owned()) };
    let mut resumed = Fact::new(Event::RunResumed);
    resumed.clock = Some(Clock::stamp());
    let facts = vec![resumed, Fact::new(Event::OperatorAsked { act: Act::Close }).by(who)];
    let session = &mut taken.started.session;
    session.feed(taken.started.clock.now(), facts).and_then(|_| session.close()).map_err(Failure::could_not)
}
