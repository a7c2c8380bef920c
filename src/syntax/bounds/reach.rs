//! Who lies downstream of whom, without a table of all pairs.
//!
//! A barrier is a node that everything else is either upstream or downstream of. Between two barriers lies a region;
//! whatever is in different regions is ordered by them, and only within a region the graph has to be walked.

use std::collections::HashSet;

use petgraph::graph::NodeIndex;

use crate::model::Plan;

/// Answers whether one node is downstream of another.
pub(in crate::syntax) struct Reach<'p> {
    plan: &'p Plan,
    position: Vec<usize>,
    region: Vec<usize>,
}

impl<'p> Reach<'p> {
    pub(in crate::syntax) fn of(plan: &'p Plan) -> Self {
        let count = plan.graph().node_count();
        let mut reach = Self { plan, position: vec![0; count], region: vec![0; count] };
        let (mut region, mut after_barrier) = (0, false);
        for ((position, &node), barrier) in plan.order().iter().enumerate().zip(barriers(plan)) {
            region += usize::from(barrier || after_barrier);
            after_barrier = barrier;
            reach.position[node.index()] = position;
            reach.region[node.index()] = region;
        }
        reach
    }

    /// The number of a node's region; a barrier is a region of its own. They count in the order of the plan.
    pub(in crate::syntax) fn region(&self, node: NodeIndex) -> usize {
        self.region[node.index()]
    }

    /// How many regions there are at most.
    pub(in crate::syntax) fn regions(&self) -> usize {
        self.plan.order().last().map_or(0, |&last| self.region(last) + 1)
    }

    /// Whether `to` is strictly downstream of `from`.
    pub(in crate::syntax) fn leads(&self, from: NodeIndex, to: NodeIndex) -> bool {
        let (region, last) = (self.region(from), self.position[to.index()]);
        if region != self.region(to) {
            return region < self.region(to);
        }
        let mut seen = HashSet::new();
        let mut open = vec![from];
        while let Some(node) = open.pop() {
            for next in self.plan.graph().neighbors(node) {
                if next == to {
                    return true;
                }
                if self.region(next) == region && self.position[next.index()] < last && seen.insert(next) {
                    open.push(next);
                }
            }
        }
        false
    }
}

/// By position in the order: whether everything else is either upstream or downstream of the node there.
///
/// Everything before it reaches it if it is the only one so far from which no edge leads on to one so far; and the same
/// the other way round.
pub(super) fn barriers(plan: &Plan) -> Vec<bool> {
    let (graph, order) = (plan.graph(), plan.order());
    let mut barrier = vec![true; order.len()];
    for direction in [petgraph::Outgoing, petgraph::Incoming] {
        let mut is_open = vec![false; order.len()];
        let mut open = 0_usize;
        let mut visit = |at: usize| {
            let node = order[at];
            for behind in graph.neighbors_directed(node, direction.opposite()) {
                open -= usize::from(std::mem::take(&mut is_open[behind.index()]));
            }
            is_open[node.index()] = true;
            open += 1;
            barrier[at] &= open == 1;
        };
        match direction {
            petgraph::Outgoing => (0..order.len()).for_each(&mut visit),
            petgraph::Incoming => (0..order.len()).rev().for_each(&mut visit),
        }
    }
    barrier
}
