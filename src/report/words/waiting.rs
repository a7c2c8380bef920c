//! News of an answer that is slow in coming.

use super::{News, reason};
use crate::engine::Asked;
use crate::model::{Part, Plan};
use crate::report::text::Role;

pub(super) fn awaited(plan: &Plan, asked: Asked) -> News {
    let what = match asked {
        Asked::WaitUntil(..) => asked.condition(plan).map(|id| format!("`{}`", plan.condition(id).text)),
        _ => None,
    };
    let what = what.unwrap_or_else(|| reason::asked(plan, asked));
    let bound = asked.within(plan).map(|within| format!(", {within} at most")).unwrap_or_default();
    let news = |who: String| News::new("answer.awaited", Role::Warn, format!("{who} still waits for {what}{bound}"));
    match asked {
        Asked::PhaseRequire(phase, _) | Asked::PhaseSuccess(phase, _) => {
            news(format!("phase {}", plan.phase(phase).name)).phase(plan, phase)
        }
        Asked::When(step, part)
        | Asked::DoneWhen(step, part)
        | Asked::Require(step, part, _)
        | Asked::Success(step, part, _)
        | Asked::WaitUntil(step, part) => {
            let it = plan.step(step);
            match part {
                Part::Forward => news(format!("step {}", it.name)).step(plan, step).remedy(it.remedy.as_ref()),
                Part::Undo(_) => news(format!("undo of {}", it.name)).step(plan, step),
            }
        }
        Asked::Confirm(step, _) | Asked::Advance(step, ..) | Asked::HoldWhile(step, _) => {
            let it = plan.step(step);
            news(format!("step {}", it.name)).step(plan, step).remedy(it.remedy.as_ref())
        }
        Asked::Preflight(_) | Asked::Restored(_) | Asked::BaselineRequire(_) => news("run".to_owned()),
    }
}
