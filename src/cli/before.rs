//! What a new run must know of the one before it under the same lock (R22).

use std::collections::BTreeMap;
use std::sync::Arc;

use super::args;
use super::exit::Exit;
use super::failure::Failure;
use super::resume::{Wish, resume_as};
use super::runs::State;
use super::stage;
use crate::drive::live::clock::{self, Clock};
use crate::drive::live::start::{self, RunFolder};
use crate::drive::{Fact, Heard, News, replay};
use crate::engine::{Act, Engine, Event, Notice};
use crate::journal::{Via, Who};
use crate::model::{Plan, RunId, RunOutcome, Span};

/// Sees to the last run of the lock. `Some`: it was taken up instead of a new one. The caller holds the lock.
pub(super) fn settle(state: &State, last: &RunId, args: &args::Exec) -> Result<Option<Exit>, Failure> {
    let folder = state.folder(last);
    let engine = standing(&folder)?;
    let Some(outcome) = engine.outcome() else {
        if args.or_resume {
            let wish = Wish { run: Some(last.0.clone()), ..Wish::of_exec(args) };
            return resume_as(&wish, state).map(Some);
        }
        return Err(Failure::refused(format!("run {last} is not finished"))
            .hint(format!("take it up: runbook resume {last}"))
            .hint(format!("take it back: runbook rollback {last}"))
            .hint(format!("end it where it is: runbook stop {last}")));
    };
    let in_place = engine.in_effect().any(|step| engine.plan().step(step).has_effect());
    let over = stage::journal_of(&folder).and_then(|bytes| window_passed(engine.plan(), &bytes))?.is_some();
    if outcome == RunOutcome::Refused || engine.is_way_back_closed() || over || !in_place {
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
    let (_, engine) = replay(&plan, &bytes, |_| {}).map_err(Failure::could_not)?;
    Ok(engine)
}

/// How long ago the way back of a succeeded run closed, where its `rollback_window` has passed (R24).
pub(super) fn window_passed(plan: &Arc<Plan>, bytes: &[u8]) -> Result<Option<Span>, Failure> {
    let (mut wall, mut ended) = (None, None);
    replay(plan, bytes, |heard| match heard {
        Heard::Record(record) => wall = Some(record.wall),
        Heard::News(News { notice: Notice::RunFinished { outcome: RunOutcome::Succeeded }, .. }) => ended = wall,
        // A rollback has begun: from now on it is a run like any other.
        Heard::News(News { notice: Notice::RollbackStarted { .. }, .. }) => ended = None,
        Heard::News(_) | Heard::Order(..) => {}
    })
    .map_err(Failure::could_not)?;
    let since = ended.map(|ended| clock::wall().millis().saturating_sub(ended.millis()));
    let since = since.map(|millis| Span::from_millis(u64::try_from(millis).unwrap_or(0)));
    let window = plan.about().rollback_window;
    Ok(since.filter(|since| *since > window).map(|since| since.minus(window)))
}

fn close(folder: &RunFolder, run: &RunId) -> Result<(), Failure> {
    let user = stage::user();
    let _lock = start::lock(folder, run, &user).map_err(Failure::could_not)?;
    let bytes = stage::journal_of(folder)?;
    let plan = stage::frozen(folder, &bytes)?;
    let mut taken = start::take_up(folder, &plan, &BTreeMap::new()).map_err(Failure::could_not)?;
    let who = Who { user, via: Via::CommandLine, reason: Some("a new run begins".to_owned()) };
    let mut resumed = Fact::new(Event::RunResumed);
    resumed.clock = Some(Clock::stamp());
    let facts = vec![resumed, Fact::new(Event::OperatorAsked { act: Act::Close }).by(who)];
    let session = &mut taken.started.session;
    session.feed(taken.started.clock.now(), facts).and_then(|_| session.close()).map_err(Failure::could_not)
}
