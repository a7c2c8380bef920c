//! Where the plan itself says to go back, and what each of these ways costs at most.

use std::collections::BTreeMap;

use petgraph::graph::NodeIndex;

use super::back::{Costs, Spread, step_at};
use super::trigger::{self, Start, When};
use crate::model::{Node, PhaseBounds, Plan, RollbackEdge, Target, Trigger, WayBack};

/// So many nodes are looked at for rollbacks to somewhere else than the start; beyond it regions count as wholes, which
/// is an upper bound and exact for a chain. No plan written by a person comes near.
const LOOKS_MAX: usize = 20_000_000;

/// From so many triggers of one target on, the way back from everywhere costs less than from each.
const MANY: usize = 8;

/// All of them in the order of the file, but for the plain way to the start from each step that fails.
pub(super) fn of(
    plan: &Plan,
    costs: &Costs,
    to_start: &[WayBack],
    phases: &[PhaseBounds],
    worst: WayBack,
) -> Vec<RollbackEdge> {
    let leads_to_start =
        |start: &Start| matches!((start.trigger, start.target), (Trigger::StepFailed(_), Target::Start));
    let origins: Vec<Start> = trigger::all(plan).into_iter().filter(|start| !leads_to_start(start)).collect();
    let mut elsewhere: BTreeMap<Target, Vec<usize>> = BTreeMap::new();
    for (at, start) in origins.iter().enumerate().filter(|(_, start)| start.target != Target::Start) {
        elsewhere.entry(start.target).or_default().push(at);
    }
    let is_cheap = elsewhere.len().saturating_mul(plan.graph().node_count()) <= LOOKS_MAX;
    let mut backs: Vec<WayBack> =
        origins.iter().map(|start| back_to_start(plan, start, to_start, phases, worst)).collect();
    let lumps = if is_cheap { None } else { Some(costs.lumps(plan)) };
    for (target, group) in elsewhere {
        if let Some(lumps) = &lumps {
            for at in group {
                backs[at] = match origins[at].when {
                    When::Before(node) => lumps.back(target, Some(node)),
                    When::BeforeAll(_) | When::Always => lumps.back(target, None),
                };
            }
        } else {
            let spread = Spread::to(plan, costs, target);
            let of_each = if group.len() > MANY { spread.of_each() } else { Vec::new() };
            for at in group {
                backs[at] = back_elsewhere(plan, &spread, &of_each, &origins[at].when);
            }
        }
    }
    let edge = |(start, back): (&Start, WayBack)| RollbackEdge { trigger: start.trigger, target: start.target, back };
    origins.iter().zip(backs).map(edge).collect()
}

fn back_to_start(plan: &Plan, start: &Start, to_start: &[WayBack], phases: &[PhaseBounds], worst: WayBack) -> WayBack {
    match &start.when {
        When::Before(node) => match plan.graph()[*node] {
            Node::Step(_) | Node::PhaseStart(_) => to_start[node.index()],
            Node::PhaseEnd(phase) => {
                WayBack { closed_by: to_start[node.index()].closed_by, ..phases[phase.index()].back }
            }
        },
        When::BeforeAll(_) | When::Always => worst,
    }
}

fn back_elsewhere(plan: &Plan, spread: &Spread<'_>, of_each: &[WayBack], when: &When) -> WayBack {
    match when {
        When::Before(node) if step_at(plan, *node).is_some() && !of_each.is_empty() => of_each[node.index()],
        When::Before(_) | When::BeforeAll(_) | When::Always => {
            let settled = settled_before(plan, when);
            spread.from(&trigger::started(plan, when), |node| settled[node.index()])
        }
    }
}

/// What is settled by the time the trigger can fire: all upstream of the step that it waits for.
fn settled_before(plan: &Plan, when: &When) -> Vec<bool> {
    let mut upstream = vec![false; plan.graph().node_count()];
    let mut open: Vec<NodeIndex> = match when {
        When::Before(end) if step_at(plan, *end).is_some() => vec![*end],
        When::Before(_) | When::BeforeAll(_) | When::Always => return upstream,
    };
    while let Some(node) = open.pop() {
        for before in plan.graph().neighbors_directed(node, petgraph::Incoming) {
            if !std::mem::replace(&mut upstream[before.index()], true) {
                open.push(before);
            }
        }
    }
    upstream
}
