//! What earlier runs leave in the way of a new one (R22). Looked at only: nothing is taken, made or written.

use std::path::Path;

use super::{Kind, Remark};
use crate::cli::args;
use crate::cli::before::{self, InTheWay};
use crate::cli::exec;
use crate::cli::failure::Failure;
use crate::cli::past::Past;
use crate::cli::runs::State;
use crate::journal::lock::{Lock, LockError};
use crate::model::Plan;

/// What `exec` with these words would meet.
pub(super) fn in_the_way(plan: &Plan, args: &args::Exec, state: Option<&Path>) -> Result<Option<Remark>, Failure> {
    let Some(state) = State::look(state)? else { return Ok(None) };
    let lock = &plan.about().lock;
    let remark = |kind, text| Ok(Some(Remark { kind, about: "earlier runs".to_owned(), text }));
    if let Err(LockError::Held { holder, .. }) = Lock::is_name_free(state.path(), lock) {
        return remark(Kind::Finding, exec::held(&state, plan, holder.as_ref()).in_one_line());
    }
    let Some(last) = state.last_of(lock) else { return Ok(None) };
    let past = Past::read(&state, last.clone())?;
    match before::in_the_way(&past) {
        None => Ok(None),
        Some(InTheWay::Unfinished(_)) if args.or_resume => {
            remark(Kind::Fact, format!("run {last} is not finished, and would be taken up"))
        }
        Some(InTheWay::Open(_)) if past.holder.is_some() => remark(Kind::Finding, before::watched(&last).in_one_line()),
        Some(InTheWay::Open(_)) if before::closes(args, &last) => {
            remark(Kind::Fact, format!("the way back of run {last} is open, and would be closed"))
        }
        Some(InTheWay::Unfinished(failure) | InTheWay::Open(failure)) => remark(Kind::Finding, failure.in_one_line()),
    }
}
