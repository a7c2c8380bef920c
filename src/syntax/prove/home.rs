//! R2 and R8: from wherever a rollback can start, the way back fits its promise and leaves nothing behind.

use std::collections::BTreeSet;

use petgraph::graph::NodeIndex;

use super::{Finding, Proof, Site};
use crate::model::{RollbackEdge, Span, StepId, Target, Trigger, WayHome};
use crate::syntax::bounds::reach::Reach;
use crate::syntax::bounds::trigger::{self, Start};
use crate::syntax::bounds::{longest_way_back, work};

/// So many undos of a chain are named.
const NAMED: usize = 8;

pub(super) fn prove(proof: &mut Proof<'_>) {
    promise(proof);
    undone_by(proof);
}

/// Every way back fits `rollback_timeout`.
fn promise(proof: &mut Proof<'_>) {
    let has_undo = proof.bounds.steps.iter().any(|step| step.has_undo);
    let longest = proof.bounds.edges.iter().map(|edge| edge.back.bound).max().unwrap_or_default();
    if longest.max(proof.bounds.worst.bound) == Span::MAX {
        // An undo has no bound at all, which has been said.
        return;
    }
    let Some(bound) = proof.plan.about().rollback_timeout else {
        if has_undo {
            let takes = longest.max(proof.bounds.worst.bound);
            let at = proof.at(Site::Runbook("rollback_timeout"));
            proof.add(Finding::RollbackTimeoutMissing { takes, enough: as_written(takes), at });
        }
        return;
    };
    if proof.bounds.worst.bound > bound {
        to_start(proof, bound);
    }
    let mut told = BTreeSet::new();
    for edge in &proof.bounds.edges {
        if edge.target != Target::Start && edge.back.bound > bound && told.insert(edge.target) {
            elsewhere(proof, edge, bound);
        }
    }
}

/// The longest of all, said once: each trigger with the same target would say the same.
fn to_start(proof: &mut Proof<'_>, bound: Span) {
    let takes = proof.bounds.worst.bound;
    let worst = proof.plan.step_ids().find(|id| proof.bounds.steps[id.index()].back.bound == takes);
    let from = match worst {
        Some(step) => format!("from `{}`", proof.plan.step(step).name),
        None => "from the end of the run".to_owned(),
    };
    let path = chain_in_words(proof, Target::Start);
    let at = proof.at(Site::Runbook("rollback_timeout"));
    proof.add(Finding::WayBackTooLong { from, to: proof.target_words(Target::Start), takes, bound, path, at });
}

fn elsewhere(proof: &mut Proof<'_>, edge: &RollbackEdge, bound: Span) {
    let from = format!("when {}", edge.trigger.clause(proof.plan));
    let path = chain_in_words(proof, edge.target);
    let to = proof.target_words(edge.target);
    let at = proof.at(Proof::policy_site(edge.trigger));
    proof.add(Finding::WayBackTooLong { from, to, takes: edge.back.bound, bound, path, at });
}

/// The undos of the longest chain with their bounds, the first to be undone first, and what is measured at its end.
fn chain_in_words(proof: &Proof<'_>, target: Target) -> String {
    let plan = proof.plan;
    let chain = longest_way_back(plan, target);
    let undo = |step: &StepId| format!("undo {} ({})", plan.step(*step).name, proof.bounds.steps[step.index()].undo);
    let mut parts: Vec<String> = chain.iter().take(NAMED).map(undo).collect();
    if chain.len() > NAMED {
        let rest = chain[NAMED..].iter().fold(Span::ZERO, |sum, step| sum.plus(proof.bounds.steps[step.index()].undo));
        parts.push(format!("{} more ({rest})", chain.len() - NAMED));
    }
    let measured = match target {
        Target::Start => ("`restored`".to_owned(), proof.bounds.restored),
        Target::Step(step) => {
            (format!("`{}`", plan.step(step).name), work::criteria(plan, &plan.step(step).forward.success))
        }
        Target::Phase(phase) => {
            (format!("`{}`", plan.phase(phase).name), work::criteria(plan, &plan.phase(phase).success))
        }
    };
    if measured.1 > Span::ZERO {
        parts.push(format!("then measuring {} ({})", measured.0, measured.1));
    }
    let others = if proof.bounds.steps.iter().filter(|step| step.has_undo).count() > chain.len() {
        format!("; other undos share the {} slots", proof.bounds.slots)
    } else {
        String::new()
    };
    format!("the longest chain: {}{others}", parts.join(", "))
}

/// A span as the format writes it, rounded up to whole seconds.
fn as_written(span: Span) -> String {
    let secs = span.millis().div_ceil(1000);
    let units = [(secs / 3600, "h"), (secs % 3600 / 60, "m"), (secs % 60, "s")];
    let text: Vec<String> = units.iter().filter(|(n, _)| *n > 0).map(|(n, unit)| format!("{n}{unit}")).collect();
    if text.is_empty() { "1s".to_owned() } else { text.concat() }
}

/// R8: a step that says `undone_by` is in no set without the other.
fn undone_by(proof: &mut Proof<'_>) {
    let plan = proof.plan;
    let pairs: Vec<(StepId, StepId)> = plan
        .step_ids()
        .filter_map(|id| match plan.step(id).way_home {
            WayHome::UndoneBy(other) => Some((id, other)),
            WayHome::Undo(_) | WayHome::NoEffect | WayHome::Kept { .. } | WayHome::Irreversible { .. } => None,
        })
        .collect();
    if pairs.is_empty() {
        return;
    }
    let reach = Reach::of(plan);
    let mut starts: Vec<(NodeIndex, Start)> = trigger::all(plan)
        .into_iter()
        .filter_map(|start| Some((trigger::target_node(plan, start.target)?, start)))
        .collect();
    starts.sort_by_key(|(target, _)| reach.region(*target));
    for (step, other) in pairs {
        let (node, other_node) = (plan.step_node(step), plan.step_node(other));
        if !reach.leads(other_node, node) {
            let name = &plan.step(other).name;
            add_apart(
                proof,
                step,
                other,
                format!("let it need `{name}`: where that has not started, nothing undoes this"),
            );
            continue;
        }
        // A target in a region before both has both behind it, one in a region behind both has neither.
        let from = starts.partition_point(|(target, _)| reach.region(*target) < reach.region(other_node));
        let to = starts.partition_point(|(target, _)| reach.region(*target) <= reach.region(node));
        let holds_one = starts[from..to].iter().find(|(target, start)| {
            reach.leads(*target, node)
                && !reach.leads(*target, other_node)
                && trigger::may_have_started(&reach, &start.when, node)
        });
        if let Some((_, start)) = holds_one {
            add_apart(proof, step, other, apart_in_words(proof, start.trigger, start.target, step, other));
        }
    }
}

fn apart_in_words(proof: &Proof<'_>, trigger: Trigger, target: Target, step: StepId, other: StepId) -> String {
    let (step, other) = (&proof.plan.step(step).name, &proof.plan.step(other).name);
    format!(
        "when {}, the run goes back {}, and undoes what is behind it: `{step}` is, `{other}` is not; go back further, or \
         give `{step}` an `undo` of its own",
        trigger.clause(proof.plan),
        proof.target_words(target)
    )
}

fn add_apart(proof: &mut Proof<'_>, step: StepId, other: StepId, how: String) {
    let at = proof.at(Site::Step(step, "undone_by"));
    let (step, other) = (proof.plan.step(step).name.clone(), proof.plan.step(other).name.clone());
    proof.add(Finding::UndoneApart { step, other, how, at });
}
