//! R12: no policy leads back over a point of no return, and people are asked before one.

use std::collections::BTreeMap;

use petgraph::graph::NodeIndex;

use super::{Finding, Proof, Site};
use crate::model::{Action, Node, PhaseId, Plan, StepId, Target, Trigger, WayHome};
use crate::syntax::bounds::reach::Reach;
use crate::syntax::bounds::trigger::{self, Start, When};

pub(super) fn prove(proof: &mut Proof<'_>) {
    if proof.bounds.no_return.is_empty() {
        return;
    }
    gates(proof);
    let starts: Vec<Start> =
        trigger::all(proof.plan).into_iter().filter(|start| start.trigger != Trigger::RunTimeout).collect();
    let reach = Reach::of(proof.plan);
    let mut no_return: Vec<(NodeIndex, StepId)> =
        proof.bounds.no_return.iter().map(|&id| (proof.plan.step_node(id), id)).collect();
    no_return.sort_by_key(|(node, id)| (reach.region(*node), *id));
    let found: Vec<(&Start, StepId)> =
        starts.iter().filter_map(|start| Some((start, may_hold(proof.plan, &reach, &no_return, start)?))).collect();
    tell(proof, &found);
}

/// An irreversible step behind the target that may have started by then. `no_return` is in the order of the regions.
fn may_hold(plan: &Plan, reach: &Reach<'_>, no_return: &[(NodeIndex, StepId)], start: &Start) -> Option<StepId> {
    let target = trigger::target_node(plan, start.target);
    let from =
        target.map_or(0, |target| no_return.partition_point(|(node, _)| reach.region(*node) < reach.region(target)));
    // Nothing in a later region than all that is to be settled has started.
    let last = match &start.when {
        When::Always => usize::MAX,
        When::Before(end) => reach.region(*end),
        When::BeforeAll(ends) => ends.iter().map(|&end| reach.region(end)).max().unwrap_or_default(),
    };
    let candidates = no_return[from..].iter().take_while(|(node, _)| reach.region(*node) <= last);
    let holds = |&(node, id): &(NodeIndex, StepId)| {
        let behind = target.is_none_or(|target| reach.leads(target, node));
        (behind && trigger::may_have_started(reach, &start.when, node)).then_some(id)
    };
    candidates.copied().find_map(|candidate| holds(&candidate))
}

/// One finding per policy; the steps that have it from their phase count as one.
fn tell(proof: &mut Proof<'_>, found: &[(&Start, StepId)]) {
    let mut of_phase: BTreeMap<(PhaseId, Target), (Vec<StepId>, StepId)> = BTreeMap::new();
    for &(start, witness) in found {
        match (start.trigger, inherits(proof.plan, start.trigger)) {
            (Trigger::StepFailed(step), Some(phase)) => {
                let (steps, _) = of_phase.entry((phase, start.target)).or_insert((Vec::new(), witness));
                steps.push(step);
            }
            _ => add(proof, start.trigger, start.trigger.clause(proof.plan), start.target, witness),
        }
    }
    for ((phase, target), (steps, witness)) in of_phase {
        let when = match steps[..] {
            [step] => Trigger::StepFailed(step).clause(proof.plan),
            [first, second] => {
                format!("`{}` or `{}` fails", proof.plan.step(first).name, proof.plan.step(second).name)
            }
            [first, ..] => format!("`{}` or one of {} others fails", proof.plan.step(first).name, steps.len() - 1),
            [] => continue,
        };
        let phase_says_it_too = found.iter().any(|(start, _)| start.trigger == Trigger::PhaseFailed(phase));
        match steps[..] {
            _ if phase_says_it_too => {}
            [step] => add(proof, Trigger::StepFailed(step), when, target, witness),
            _ => add(proof, Trigger::PhaseFailed(phase), when, target, witness),
        }
    }
}

/// The phase whose policy a failing step follows, as far as can be told.
fn inherits(plan: &Plan, trigger: Trigger) -> Option<PhaseId> {
    match trigger {
        Trigger::StepFailed(step) => {
            let step = plan.step(step);
            step.phase.filter(|&phase| plan.phase(phase).on_failure == step.on_failure)
        }
        Trigger::StepInDoubt(_)
        | Trigger::NoGo(_)
        | Trigger::PhaseFailed(_)
        | Trigger::WindowClosed(_)
        | Trigger::GuardBreached(_)
        | Trigger::RunTimeout => None,
    }
}

fn add(proof: &mut Proof<'_>, trigger: Trigger, when: String, target: Target, witness: StepId) {
    let choices = match trigger {
        Trigger::StepFailed(_) | Trigger::PhaseFailed(_) | Trigger::RunTimeout => {
            "on_failure = \"pause\", \"stop\" or \"continue\""
        }
        Trigger::StepInDoubt(_) => "on_doubt = \"pause\" or \"rerun\"",
        Trigger::NoGo(_) => "on_no_go = \"stop\" or \"pause\"",
        Trigger::WindowClosed(_) => "on_close = \"finish\" or \"pause\"",
        Trigger::GuardBreached(_) => "on_breach = \"pause\" or \"warn\"",
    };
    let (to, step) = (proof.target_words(target), proof.plan.step(witness).name.clone());
    let at = proof.at(Proof::policy_site(trigger));
    proof.add(Finding::BackOverNoReturn { when, to, step, choices, at });
}

/// A gate among the direct needs of each irreversible step, or at the end of the phase before.
fn gates(proof: &mut Proof<'_>) {
    for &id in &proof.bounds.no_return {
        let step = proof.plan.step(id);
        let says_why = matches!(&step.way_home, WayHome::Irreversible { ungated: Some(_) });
        let asked = step.needs.iter().any(|&need| is_gate(proof.plan, need));
        let before = step.phase.map_or(&[][..], |phase| &proof.plan.phase(phase).needs);
        if !says_why && !asked && !before.iter().any(|&phase| ends_with_gate(proof.plan, phase)) {
            let (step, at) = (step.name.clone(), proof.at(Site::Step(id, "effect")));
            proof.add(Finding::Ungated { step, at });
        }
    }
}

fn is_gate(plan: &Plan, step: StepId) -> bool {
    matches!(plan.step(step).forward.action, Action::Gate(_))
}

fn ends_with_gate(plan: &Plan, phase: PhaseId) -> bool {
    let is_last = |&step: &StepId| {
        plan.graph().neighbors(plan.step_node(step)).all(|next| matches!(plan.graph()[next], Node::PhaseEnd(_)))
    };
    plan.phase(phase).steps.iter().any(|step| is_gate(plan, *step) && is_last(step))
}
