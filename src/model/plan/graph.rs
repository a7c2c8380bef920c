//! The graph of a plan (R1), the order of its undos (R8), and everything that can be asked of a plan.

use std::collections::BTreeSet;

use petgraph::graph::{DiGraph, NodeIndex};

use super::{About, Bracket, Draft, Guard, Included, Node, Phase, Plan, PlanError, Probe, Step, Target};
use crate::model::{Budget, Condition, ConditionId, Criterion, GuardId, PhaseId, ProbeId, StepId, VarDecl};

impl Plan {
    /// Builds the graph (R1) and the order of undos (R8) of a proved draft.
    pub fn new(draft: Draft) -> Result<Self, PlanError> {
        let mut graph = DiGraph::with_capacity(draft.steps.len() + 2 * draft.phases.len(), draft.steps.len() * 2);
        let phase_starts: Vec<_> =
            (0..draft.phases.len()).map(|p| graph.add_node(Node::PhaseStart(PhaseId::at(p)))).collect();
        let step_nodes: Vec<_> = (0..draft.steps.len()).map(|s| graph.add_node(Node::Step(StepId::at(s)))).collect();
        let phase_nodes: Vec<_> = phase_starts
            .into_iter()
            .enumerate()
            .map(|(p, start)| (start, graph.add_node(Node::PhaseEnd(PhaseId::at(p)))))
            .collect();

        for (step, &node) in draft.steps.iter().zip(&step_nodes) {
            for need in once_each(&step.needs) {
                graph.add_edge(step_nodes[need.index()], node, ());
            }
            if let Some(phase) = step.phase {
                let (start, end) = phase_nodes[phase.index()];
                graph.add_edge(start, node, ());
                graph.add_edge(node, end, ());
            }
        }
        for (phase, &(start, end)) in draft.phases.iter().zip(&phase_nodes) {
            graph.add_edge(start, end, ());
            for need in once_each(&phase.needs) {
                graph.add_edge(phase_nodes[need.index()].1, start, ());
            }
        }

        let undo_waits = undo_waits(&draft, &graph, &step_nodes);
        let mut undo_waiters = vec![Vec::new(); graph.node_count()];
        for node in graph.node_indices() {
            for other in &undo_waits[node.index()] {
                undo_waiters[other.index()].push(node);
            }
        }
        let mut plan = Self { draft, graph, step_nodes, phase_nodes, order: Vec::new(), undo_waits, undo_waiters };
        plan.order = plan
            .sorted(|plan, node| plan.graph.neighbors_directed(node, petgraph::Incoming).collect())
            .map_err(PlanError::Cycle)?;
        plan.sorted(|plan, node| plan.undo_waits[node.index()].clone()).map_err(PlanError::UndoCycle)?;
        Ok(plan)
    }

    /// Every node behind all that `waits` names for it (Kahn's algorithm); or the names along one cycle.
    fn sorted(&self, waits: impl Fn(&Self, NodeIndex) -> Vec<NodeIndex>) -> Result<Vec<NodeIndex>, Vec<String>> {
        let count = self.graph.node_count();
        let mut open: Vec<usize> = vec![0; count];
        let mut behind: Vec<Vec<NodeIndex>> = vec![Vec::new(); count];
        for node in self.graph.node_indices() {
            let before = waits(self, node);
            open[node.index()] = before.len();
            for other in before {
                behind[other.index()].push(node);
            }
        }
        let mut order: Vec<NodeIndex> = self.graph.node_indices().filter(|n| open[n.index()] == 0).collect();
        let mut next = 0;
        while let Some(&node) = order.get(next) {
            next += 1;
            for &other in &behind[node.index()] {
                open[other.index()] -= 1;
                if open[other.index()] == 0 {
                    order.push(other);
                }
            }
        }
        if order.len() == count {
            return Ok(order);
        }
        // Every node left over waits for one that is left over too: walk back until a node comes again.
        let mut path: Vec<NodeIndex> = Vec::new();
        let mut seen = vec![usize::MAX; count];
        let mut at = self.graph.node_indices().find(|n| open[n.index()] > 0).expect("a node is left over");
        while seen[at.index()] == usize::MAX {
            seen[at.index()] = path.len();
            path.push(at);
            at = waits(self, at).into_iter().find(|n| open[n.index()] > 0).expect("it waits for a node left over");
        }
        let mut cycle: Vec<String> =
            path[seen[at.index()]..].iter().map(|&n| self.node_name(self.graph[n]).to_owned()).collect();
        cycle.reverse();
        cycle.dedup();
        cycle.push(cycle[0].clone());
        Err(cycle)
    }

    /// The name that stands in the file for a node.
    pub fn node_name(&self, node: Node) -> &str {
        match node {
            Node::Step(step) => &self.step(step).name,
            Node::PhaseStart(phase) | Node::PhaseEnd(phase) => &self.phase(phase).name,
        }
    }

    /// Where a guard that names this step leaves it: where it is settled or, if it is a bracket, at the end of its phase;
    /// none for a bracket of the run (R12a).
    pub fn watched_until(&self, id: StepId) -> Option<NodeIndex> {
        let step = self.step(id);
        match (step.held_for, step.phase) {
            (None, _) => Some(self.step_node(id)),
            (Some(Bracket::Phase), Some(phase)) => Some(self.phase_nodes(phase).1),
            (Some(Bracket::Phase), None) | (Some(Bracket::Run), _) => None,
        }
    }

    /// The parts that it includes.
    pub fn parts(&self) -> &[Included] {
        &self.draft.parts
    }

    /// The part that a step comes from.
    pub fn part_of(&self, step: StepId) -> Option<&Included> {
        self.draft.parts.iter().find(|part| part.steps.binary_search(&step).is_ok())
    }

    /// `[runbook]`.
    pub fn about(&self) -> &About {
        &self.draft.about
    }

    /// `[vars]`, in file order.
    pub fn vars(&self) -> &[VarDecl] {
        &self.draft.vars
    }

    /// `[[preflight]]`, in file order.
    pub fn preflight(&self) -> &[Criterion] {
        &self.draft.preflight
    }

    /// The probes, by id.
    pub fn probes(&self) -> &[Probe] {
        &self.draft.probes
    }

    /// One probe.
    pub fn probe(&self, id: ProbeId) -> &Probe {
        &self.draft.probes[id.index()]
    }

    /// The expressions, by id.
    pub fn conditions(&self) -> &[Condition] {
        &self.draft.conditions
    }

    /// One expression.
    pub fn condition(&self, id: ConditionId) -> &Condition {
        &self.draft.conditions[id.index()]
    }

    /// The guards, by id.
    pub fn guards(&self) -> &[Guard] {
        &self.draft.guards
    }

    /// What is measured before the run changes anything, if anything is.
    pub fn baseline(&self) -> Option<&crate::model::Baseline> {
        self.draft.baseline.as_ref()
    }

    /// One guard.
    pub fn guard(&self, id: GuardId) -> &Guard {
        &self.draft.guards[id.index()]
    }

    /// The phases, by id.
    pub fn phases(&self) -> &[Phase] {
        &self.draft.phases
    }

    /// One phase.
    pub fn phase(&self, id: PhaseId) -> &Phase {
        &self.draft.phases[id.index()]
    }

    /// The steps, by id.
    pub fn steps(&self) -> &[Step] {
        &self.draft.steps
    }

    /// One step.
    pub fn step(&self, id: StepId) -> &Step {
        &self.draft.steps[id.index()]
    }

    /// The ids of all steps, in file order.
    pub fn step_ids(&self) -> impl Iterator<Item = StepId> + use<> {
        (0..self.draft.steps.len()).map(StepId::at)
    }

    /// The ids of all phases, in order.
    pub fn phase_ids(&self) -> impl Iterator<Item = PhaseId> + use<> {
        (0..self.draft.phases.len()).map(PhaseId::at)
    }

    /// The probes that a guard reads, for its warning too.
    pub fn guard_probes(&self, id: GuardId) -> Vec<ProbeId> {
        let rule = &self.guard(id).rule;
        let mut probes: BTreeSet<ProbeId> =
            rule.conditions().flat_map(|it| self.condition(it).probes.clone()).collect();
        probes.extend(rule.budget().into_iter().flat_map(Budget::probes));
        probes.into_iter().collect()
    }

    /// The ids of all guards, in file order.
    pub fn guard_ids(&self) -> impl Iterator<Item = GuardId> + use<> {
        (0..self.draft.guards.len()).map(GuardId::at)
    }

    /// The step of that name.
    pub fn step_named(&self, name: &str) -> Option<StepId> {
        self.draft.steps.iter().position(|s| s.name == name).map(StepId::at)
    }

    /// The phase of that name.
    pub fn phase_named(&self, name: &str) -> Option<PhaseId> {
        self.draft.phases.iter().position(|p| p.name == name).map(PhaseId::at)
    }

    /// The graph (R1): an edge leads from what must be settled to what waits for it.
    pub fn graph(&self) -> &DiGraph<Node, ()> {
        &self.graph
    }

    /// A step's node.
    pub fn step_node(&self, id: StepId) -> NodeIndex {
        self.step_nodes[id.index()]
    }

    /// The nodes of a phase's start and end.
    pub fn phase_nodes(&self, id: PhaseId) -> (NodeIndex, NodeIndex) {
        self.phase_nodes[id.index()]
    }

    /// All nodes, each behind all it waits for.
    pub fn order(&self) -> &[NodeIndex] {
        &self.order
    }

    /// The nodes whose undoing must be over before this one's begins (R8): the mirror of the way forward, with the pairs
    /// that `undo.after` turns round.
    pub fn undo_waits(&self, node: NodeIndex) -> &[NodeIndex] {
        &self.undo_waits[node.index()]
    }

    /// The nodes whose undoing waits for this one's.
    pub fn undo_waiters(&self, node: NodeIndex) -> &[NodeIndex] {
        &self.undo_waiters[node.index()]
    }

    /// The nodes downstream of a rollback's target, in the order of the plan; all of them from the start.
    pub fn downstream(&self, target: Target) -> Vec<NodeIndex> {
        let from = match target {
            Target::Start => return self.order.clone(),
            Target::Step(step) => self.step_node(step),
            Target::Phase(phase) => self.phase_nodes(phase).1,
        };
        let mut reached = vec![false; self.graph.node_count()];
        reached[from.index()] = true;
        let mut behind = Vec::new();
        for &node in &self.order {
            if node != from
                && self.graph.neighbors_directed(node, petgraph::Incoming).any(|before| reached[before.index()])
            {
                reached[node.index()] = true;
                behind.push(node);
            }
        }
        behind
    }
}

/// The mirror of the graph, with the pairs of `undo.after` turned round (R8). Whatever lies upstream of such a pair waits
/// for both: it waited for the later one through the earlier one, and that is no longer so.
/// The ids of a list, each once. Not asked of the graph: that looks through every edge of a node with many.
fn once_each<T: Copy + Ord>(ids: &[T]) -> BTreeSet<T> {
    ids.iter().copied().collect()
}

fn undo_waits(draft: &Draft, graph: &DiGraph<Node, ()>, step_nodes: &[NodeIndex]) -> Vec<Vec<NodeIndex>> {
    let mut waits: Vec<Vec<NodeIndex>> = graph.node_indices().map(|node| graph.neighbors(node).collect()).collect();
    for (step, &node) in draft.steps.iter().zip(step_nodes) {
        let turned: Vec<NodeIndex> = step.undo_after.iter().map(|other| step_nodes[other.index()]).collect();
        for &other in &turned {
            waits[other.index()].retain(|&waited_for| waited_for != node);
            add(&mut waits[node.index()], other);
            for upstream in graph.neighbors_directed(other, petgraph::Incoming) {
                if upstream != node && !turned.contains(&upstream) {
                    add(&mut waits[upstream.index()], node);
                }
            }
        }
    }
    waits
}

fn add(waits: &mut Vec<NodeIndex>, node: NodeIndex) {
    if !waits.contains(&node) {
        waits.push(node);
    }
}
