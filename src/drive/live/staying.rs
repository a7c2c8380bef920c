//! After success: whether this process goes on watching the ways back, and when the clock closes them (R24).

use crate::drive::Fact;
use crate::engine::{Act, Engine, Event};
use crate::journal::{Via, Who};
use crate::model::{RunOutcome, Time};

/// What the process of a run does once the run has succeeded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AfterSuccess {
    /// It ends.
    #[default]
    Leave,
    /// It watches the ways back until they close, or somebody tells it to leave (`--stay`).
    Stay,
}

/// Whether a run has succeeded and left something that can be taken back.
pub fn is_worth_watching(engine: &Engine) -> bool {
    let plan = engine.plan();
    engine.outcome() == Some(RunOutcome::Succeeded)
        && !engine.is_way_back_closed()
        && engine.point_of_no_return().is_none()
        && engine.in_effect().any(|step| plan.step(step).has_effect())
}

/// The order that closes the way back of a run that has ended, once its rollback window is over.
pub(super) fn close(engine: &Engine, closes: Option<Time>, now: Time) -> Option<Fact> {
    let due = engine.outcome().is_some() && !engine.is_way_back_closed() && closes.is_some_and(|at| at <= now);
    let reason = Some("its rollback window has passed".to_owned());
    let who = Who { user: "runbook".to_owned(), via: Via::Tool, reason };
    due.then(|| {
        Fact::new(Event::OperatorAsked { act: Act::Close }).with_evidence("its rollback window has passed").by(who)
    })
}
