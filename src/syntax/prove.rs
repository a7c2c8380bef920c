//! What is proved of a whole plan before the start: that it fits, that it leads home, and what is hazardous about it.
//!
//! Each rule adds its findings; none stops at the first. Places are looked up for what is found, never before.

mod baseline;
mod fit;
mod hazard;
mod home;
mod no_return;
mod watch;

use super::{Finding, Places, Site};
use crate::model::{Bounds, Plan, Target, Trigger};

/// Everything found in a plan, in no particular order.
pub fn prove(plan: &Plan, bounds: &Bounds, places: &Places) -> Vec<Finding> {
    let mut proof = Proof { plan, bounds, places, findings: Vec::new() };
    baseline::prove(&mut proof);
    fit::prove(&mut proof);
    home::prove(&mut proof);
    no_return::prove(&mut proof);
    hazard::prove(&mut proof);
    watch::prove(&mut proof);
    proof.findings
}

/// What the rules read and write.
struct Proof<'a> {
    plan: &'a Plan,
    bounds: &'a Bounds,
    places: &'a Places,
    findings: Vec<Finding>,
}

impl Proof<'_> {
    fn at(&self, site: Site) -> miette::SourceSpan {
        self.places.of(site)
    }

    fn add(&mut self, finding: Finding) {
        self.findings.push(finding);
    }

    /// Where the policy of a trigger stands.
    fn policy_site(trigger: Trigger) -> Site {
        match trigger {
            Trigger::StepFailed(step) => Site::Step(step, "on_failure"),
            Trigger::StepInDoubt(step) => Site::Step(step, "on_doubt"),
            Trigger::NoGo(step) => Site::Step(step, "on_no_go"),
            Trigger::PhaseFailed(phase) => Site::Phase(phase, "on_failure"),
            Trigger::WindowClosed(phase) => Site::Phase(phase, "window"),
            Trigger::GuardBreached(guard) => Site::Guard(guard, "on_breach"),
            Trigger::RunTimeout => Site::Runbook("timeout"),
        }
    }

    /// Where a rollback goes, in words.
    fn target_words(&self, target: Target) -> String {
        match target {
            Target::Start => "to the start".to_owned(),
            Target::Step(step) => format!("to `{}`", self.plan.step(step).name),
            Target::Phase(phase) => format!("to the end of phase `{}`", self.plan.phase(phase).name),
        }
    }
}

#[cfg(test)]
mod tests;
