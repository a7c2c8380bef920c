//! News of the baseline.

use super::{News, reason};
use crate::engine::Cause;
use crate::model::Plan;
use crate::report::text::{Role, listed};

pub(super) fn started(plan: &Plan) -> News {
    let what = plan.baseline().map_or_else(String::new, |baseline| {
        let names: Vec<&str> = baseline.probes.iter().map(|probe| plan.probe(*probe).name.as_str()).collect();
        format!(": {} sampled for {}", listed(&names, 6), baseline.over)
    });
    News::new("baseline.started", Role::Plain, format!("the baseline is being taken{what}"))
}

pub(super) fn taken() -> News {
    News::new("baseline.taken", Role::Good, "the baseline is taken")
}

pub(super) fn rejected(plan: &Plan, cause: Cause) -> News {
    let what = format!("the baseline is not healthy: {}", reason::cause(plan, cause));
    News::new("baseline.rejected", Role::Bad, what).cause(cause)
}
