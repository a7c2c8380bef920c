//! How long everything takes at most, both ways (R2, R2a): arithmetic over a plan, in one pass per kind of question.
//!
//! It knows no places and reports nothing; `prove` draws the conclusions.

mod back;
mod edges;
pub(super) mod reach;
#[cfg(test)]
mod tests;
pub(super) mod trigger;
pub(super) mod work;

use petgraph::graph::NodeIndex;

use self::back::{Costs, Spread, step_at};
use crate::model::{
    Baseline, Bounds, Bracket, Node, PhaseBounds, PhaseId, Plan, Span, StepBounds, StepId, Target, WayBack,
};

impl Bounds {
    /// Works out the bounds of a plan.
    #[must_use]
    pub fn of(plan: &Plan) -> Self {
        let costs = Costs::of(plan);
        let to_start = Spread::to(plan, &costs, Target::Start);
        let backs = to_start.of_each();
        let worst = backs.iter().copied().fold(to_start.at_the_end(), worse);
        let steps: Vec<StepBounds> = plan
            .step_ids()
            .map(|id| {
                let (step, node) = (plan.step(id), plan.step_node(id));
                StepBounds {
                    attempt: work::attempt(&step.forward),
                    forward: work::forward(plan, &step.forward),
                    stop: costs.stop(node),
                    undo: costs.undo(node),
                    reopen: if step.held_for.is_some() { work::reopen(plan, step) } else { Span::ZERO },
                    has_undo: costs.has_undo(node),
                    chain: to_start.chains[node.index()],
                    back: backs[node.index()],
                }
            })
            .collect();
        let forward = Forward::of(plan, &steps);
        let phases: Vec<PhaseBounds> =
            plan.phase_ids().map(|id| phase_bounds(plan, id, forward.phases[id.index()], &backs)).collect();
        Self {
            slots: plan.about().max_parallel,
            forward: forward.run,
            critical_path: forward.critical_path,
            worst,
            edges: edges::of(plan, &costs, &backs, &phases, worst),
            phases,
            no_return: plan.step_ids().filter(|&id| plan.step(id).is_irreversible()).collect(),
            restored: costs.target(plan, Target::Start),
            steps,
        }
    }
}

/// The longer of two ways back; closed only if both are.
fn worse(one: WayBack, two: WayBack) -> WayBack {
    let (longer, other) = if two.bound > one.bound { (two, one) } else { (one, two) };
    WayBack { undos: one.undos.max(two.undos), closed_by: longer.closed_by.and(other.closed_by), ..longer }
}

fn phase_bounds(plan: &Plan, id: PhaseId, forward: Span, backs: &[WayBack]) -> PhaseBounds {
    let phase = plan.phase(id);
    let nodes = phase.steps.iter().map(|&step| plan.step_node(step));
    let back = nodes.fold(backs[plan.phase_nodes(id).1.index()], |worst, node| worse(worst, backs[node.index()]));
    let enforced = phase.timeout.map_or(forward, |timeout| timeout.min(forward));
    PhaseBounds { forward, back, before_close: enforced.plus(back.bound) }
}

/// The way forward, over the whole plan and within each phase.
struct Forward {
    run: Span,
    phases: Vec<Span>,
    critical_path: Vec<StepId>,
}

impl Forward {
    fn of(plan: &Plan, steps: &[StepBounds]) -> Self {
        let own = own_spans(plan, steps);
        let paths = Paths::of(plan, &own);
        let slots = plan.about().max_parallel;
        let ends_with_run = plan.step_ids().filter(|&id| plan.step(id).held_for == Some(Bracket::Run));
        let closing = ends_with_run.fold(Span::ZERO, |sum, id| sum.plus(steps[id.index()].undo));
        let work = own.iter().fold(Span::ZERO, |sum, &span| sum.plus(span));
        Self {
            run: Bounds::shared(slots, work, paths.longest()).plus(closing),
            phases: plan.phase_ids().map(|id| phase_forward(plan, id, &own, &paths, slots)).collect(),
            critical_path: paths.critical(plan),
        }
    }
}

/// By node, what it takes itself; a phase's criteria and the undoing of its brackets count at its ends.
fn own_spans(plan: &Plan, steps: &[StepBounds]) -> Vec<Span> {
    let of = |node: NodeIndex| match plan.graph()[node] {
        Node::Step(step) => steps[step.index()].forward,
        Node::PhaseStart(phase) => work::criteria(plan, &plan.phase(phase).require),
        Node::PhaseEnd(id) => {
            let phase = plan.phase(id);
            let brackets = phase.steps.iter().filter(|&&step| plan.step(step).held_for == Some(Bracket::Phase));
            let closing = brackets.fold(Span::ZERO, |sum, step| sum.plus(steps[step.index()].undo));
            work::criteria(plan, &phase.success).plus(closing)
        }
    };
    let mut own: Vec<Span> = plan.graph().node_indices().map(of).collect();
    if let Some(baseline) = plan.baseline() {
        let takes = work::baseline(plan, baseline);
        for node in baseline_nodes(plan, baseline) {
            own[node.index()] = own[node.index()].plus(takes);
        }
    }
    own
}

/// Where the taking of the baseline counts: it is waited for there. Of several places one at most comes to be.
pub(super) fn baseline_nodes(plan: &Plan, baseline: &Baseline) -> Vec<NodeIndex> {
    match baseline.before {
        Some(phase) => vec![plan.phase_nodes(phase).0],
        None => work::first_effects(plan).into_iter().map(|step| plan.step_node(step)).collect(),
    }
}

/// Longest paths: over the whole plan, and from the start of a node's own phase.
pub(super) struct Paths {
    whole: Vec<Span>,
    pub(super) in_phase: Vec<Span>,
    before: Vec<Option<NodeIndex>>,
}

impl Paths {
    pub(super) fn of(plan: &Plan, own: &[Span]) -> Self {
        let mut paths = Self { whole: own.to_vec(), in_phase: own.to_vec(), before: vec![None; own.len()] };
        for &node in plan.order() {
            let at = node.index();
            for before in plan.graph().neighbors_directed(node, petgraph::Incoming) {
                let whole = paths.whole[before.index()].plus(own[at]);
                if whole > paths.whole[at] || paths.before[at].is_none() {
                    (paths.whole[at], paths.before[at]) = (whole.max(paths.whole[at]), Some(before));
                }
                if phase_at(plan, before) == phase_at(plan, node) {
                    paths.in_phase[at] = paths.in_phase[at].max(paths.in_phase[before.index()].plus(own[at]));
                }
            }
        }
        paths
    }

    pub(super) fn longest(&self) -> Span {
        self.whole.iter().copied().max().unwrap_or_default()
    }

    fn critical(&self, plan: &Plan) -> Vec<StepId> {
        let longest = self.longest();
        let mut at = plan.graph().node_indices().find(|node| self.whole[node.index()] == longest);
        let mut path = Vec::new();
        while let Some(node) = at {
            path.extend(step_at(plan, node));
            at = self.before[node.index()];
        }
        path.reverse();
        path
    }
}

fn phase_at(plan: &Plan, node: NodeIndex) -> Option<PhaseId> {
    match plan.graph()[node] {
        Node::Step(step) => plan.step(step).phase,
        Node::PhaseStart(phase) | Node::PhaseEnd(phase) => Some(phase),
    }
}

/// A phase's nodes, each with its own span, on the slots of the run.
pub(super) fn phase_forward(plan: &Plan, id: PhaseId, own: &[Span], paths: &Paths, slots: u32) -> Span {
    let (start, end) = plan.phase_nodes(id);
    let steps = plan.phase(id).steps.iter().map(|&step| plan.step_node(step));
    let work = steps.chain([start, end]).fold(Span::ZERO, |sum, node| sum.plus(own[node.index()]));
    Bounds::shared(slots, work, paths.in_phase[end.index()])
}

/// The undos of the longest way back to a target, the first to be undone first.
pub(super) fn longest_way_back(plan: &Plan, target: Target) -> Vec<StepId> {
    Spread::to(plan, &Costs::of(plan), target).longest()
}
