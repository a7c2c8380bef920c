//! The way back: the bound of undoing whatever may be in effect, from everywhere at once.
//!
//! What may be in effect as a step fails is everything that is not downstream of it. Summing that up for each step alone
//! would cost the square of the plan; so the plan is cut at its barriers (nodes that everything else is either upstream
//! or downstream of), before which all is settled and behind which nothing has begun.

use petgraph::graph::NodeIndex;

use super::reach::{Reach, barriers};
use super::trigger::target_node;
use super::work;
use crate::model::{Bracket, Efforts, Node, Plan, Span, StepId, Target, WayBack};

/// Between two barriers up to so many nodes are told apart one by one; more of them count as one lump, which is an upper
/// bound, and exact where no edge lies between them.
const REGION_MAX: usize = 1024;

/// What undoing costs, by node.
pub(super) struct Costs {
    slots: u32,
    undo: Vec<Span>,
    has_undo: Vec<bool>,
    /// Until what runs there is over; at the end of a phase, the closing of its brackets.
    stop: Vec<Span>,
    /// Opening brackets again, which end at that node (R12a).
    reopen: Vec<Span>,
    /// The same for those that end with the run.
    reopen_run: Span,
    /// Until the closing of those is over.
    stop_run: Span,
    irreversible: Vec<Option<StepId>>,
    restored: Span,
}

impl Costs {
    pub(super) fn of(plan: &Plan) -> Self {
        let count = plan.graph().node_count();
        let mut costs = Self {
            slots: plan.about().max_parallel,
            undo: vec![Span::ZERO; count],
            has_undo: vec![false; count],
            stop: vec![Span::ZERO; count],
            reopen: vec![Span::ZERO; count],
            reopen_run: Span::ZERO,
            stop_run: Span::ZERO,
            irreversible: vec![None; count],
            restored: work::criteria(plan, &plan.about().restored),
        };
        for id in plan.step_ids() {
            let (step, at) = (plan.step(id), plan.step_node(id).index());
            costs.undo[at] = step.undo().iter().fold(Span::ZERO, |sum, undo| sum.plus(work::undo(plan, undo)));
            costs.has_undo[at] = !step.undo().is_empty();
            costs.stop[at] = costs.stop[at].max(work::stop(step));
            costs.irreversible[at] = step.is_irreversible().then_some(id);
            let (reopen, closing) = match (step.held_for, step.phase) {
                (Some(Bracket::Phase), Some(phase)) => {
                    let end = plan.phase_nodes(phase).1.index();
                    (&mut costs.reopen[end], &mut costs.stop[end])
                }
                (Some(Bracket::Run), _) => (&mut costs.reopen_run, &mut costs.stop_run),
                (Some(Bracket::Phase), None) | (None, _) => continue,
            };
            *reopen = reopen.plus(work::reopen(plan, step));
            *closing = work::stop_closing(step).max(*closing);
        }
        costs
    }

    /// Upper bounds of the ways back to many targets.
    pub(super) fn lumps<'c>(&'c self, plan: &'c Plan) -> Lumps<'c> {
        let reach = Reach::of(plan);
        let none = Lump { sum: Sum::default(), stop: Span::ZERO };
        let mut by_region = vec![none; reach.regions()];
        let chains = chains(plan, self, &vec![true; self.undo.len()]);
        for node in plan.graph().node_indices() {
            let (lump, at) = (&mut by_region[reach.region(node)], node.index());
            lump.stop = lump.stop.max(self.stop[at]);
            lump.sum = lump.sum.with(Sum {
                undos: usize::from(self.has_undo[at]),
                work: self.undo[at],
                path: chains[at],
                reopen: self.reopen[at],
                closed_by: self.irreversible[at],
            });
        }
        let before = by_region.iter().scan(Sum::default(), |before, lump| {
            let so_far = *before;
            *before = before.with(lump.sum);
            Some(so_far)
        });
        let mut no_return_from = vec![None; by_region.len()];
        let mut next = None;
        for (region, lump) in by_region.iter().enumerate().rev() {
            next = lump.sum.closed_by.map(|id| (region, id)).or(next);
            no_return_from[region] = next;
        }
        Lumps { before: before.collect(), costs: self, plan, reach, by_region, no_return_from }
    }

    pub(super) fn undo(&self, node: NodeIndex) -> Span {
        self.undo[node.index()]
    }

    pub(super) fn has_undo(&self, node: NodeIndex) -> bool {
        self.has_undo[node.index()]
    }

    pub(super) fn stop(&self, node: NodeIndex) -> Span {
        self.stop[node.index()]
    }

    /// Measuring the place that a rollback returns to (R11).
    pub(super) fn target(&self, plan: &Plan, target: Target) -> Span {
        match target {
            Target::Start => self.restored,
            Target::Step(step) => work::criteria(plan, &plan.step(step).forward.success),
            Target::Phase(phase) => work::criteria(plan, &plan.phase(phase).success),
        }
    }
}

/// For every node the longest chain of undos that begins with its own, counting only what `counts`.
pub(super) fn chains(plan: &Plan, costs: &Costs, counts: &[bool]) -> Vec<Span> {
    let mut waiters = vec![0_usize; counts.len()];
    for node in plan.graph().node_indices() {
        for waited_for in plan.undo_waits(node) {
            waiters[waited_for.index()] += 1;
        }
    }
    let mut chains = vec![Span::ZERO; counts.len()];
    let mut ready: Vec<NodeIndex> = plan.graph().node_indices().filter(|node| waiters[node.index()] == 0).collect();
    while let Some(node) = ready.pop() {
        let own = if counts[node.index()] { costs.undo[node.index()] } else { Span::ZERO };
        chains[node.index()] = chains[node.index()].plus(own);
        let chain = chains[node.index()];
        for &waited_for in plan.undo_waits(node) {
            let longest = &mut chains[waited_for.index()];
            *longest = chain.max(*longest);
            waiters[waited_for.index()] -= 1;
            if waiters[waited_for.index()] == 0 {
                ready.push(waited_for);
            }
        }
    }
    chains
}

/// What adds up over a set of nodes.
#[derive(Clone, Copy, Debug, Default)]
struct Sum {
    undos: usize,
    work: Span,
    path: Span,
    reopen: Span,
    closed_by: Option<StepId>,
}

impl Sum {
    fn with(self, other: Self) -> Self {
        Self {
            undos: self.undos + other.undos,
            work: self.work.plus(other.work),
            path: self.path.max(other.path),
            reopen: self.reopen.plus(other.reopen),
            closed_by: match (self.closed_by, other.closed_by) {
                (Some(one), Some(two)) => Some(one.min(two)),
                (one, two) => one.or(two),
            },
        }
    }

    fn back(self, slots: u32, stop: Span, measure: Span) -> WayBack {
        let Self { undos, work, path, reopen, closed_by } = self;
        WayBack { undos, bound: Efforts { stop, reopen, work, path, measure }.bound(slots), closed_by }
    }
}

/// One region of a plan, all of it.
#[derive(Clone, Copy)]
struct Lump {
    sum: Sum,
    stop: Span,
}

/// Regions as wholes: what a way back costs at most, from one region to another, at no cost worth mentioning.
pub(super) struct Lumps<'c> {
    costs: &'c Costs,
    plan: &'c Plan,
    reach: Reach<'c>,
    by_region: Vec<Lump>,
    /// What lies before each.
    before: Vec<Sum>,
    /// The first irreversible step in each or behind it, and its region.
    no_return_from: Vec<Option<(usize, StepId)>>,
}

impl Lumps<'_> {
    /// The way back to `target` from the moment that `from` runs, fails or ends; from anywhere without it.
    pub(super) fn back(&self, target: Target, from: Option<NodeIndex>) -> WayBack {
        let last = from.map_or(self.by_region.len() - 1, |node| self.reach.region(node));
        let first = target_node(self.plan, target).map_or(0, |node| self.reach.region(node)).min(last);
        let (start, end) = (self.before[first], self.before[last].with(self.by_region[last].sum));
        let work = end.work.minus(start.work);
        let sum = Sum {
            undos: end.undos - start.undos,
            work,
            path: end.path.min(work),
            reopen: end.reopen.minus(start.reopen),
            closed_by: self.no_return_from[first].filter(|(region, _)| *region <= last).map(|(_, id)| id),
        };
        let stop = match from {
            Some(_) => self.by_region[last].stop,
            None => self.by_region.iter().map(|lump| lump.stop).max().unwrap_or_default(),
        };
        sum.back(self.costs.slots, stop, self.costs.target(self.plan, target))
    }
}

/// A kind of rollback, ready to be summed up: which nodes can be in its set at all.
pub(super) struct Spread<'p> {
    plan: &'p Plan,
    costs: &'p Costs,
    /// In a legal set there is no irreversible step, and so nothing downstream of one that could not be passed over (R12).
    counts: Vec<bool>,
    /// Downstream of the target.
    inside: Vec<bool>,
    pub(super) chains: Vec<Span>,
    criteria: Span,
    target: Target,
}

impl<'p> Spread<'p> {
    pub(super) fn to(plan: &'p Plan, costs: &'p Costs, target: Target) -> Self {
        let mut inside = vec![false; plan.graph().node_count()];
        for node in plan.downstream(target) {
            inside[node.index()] = true;
        }
        let mut counts = inside.clone();
        let mut behind = vec![false; counts.len()];
        for &node in plan.order().iter().filter(|node| inside[node.index()]) {
            let irreversible = costs.irreversible[node.index()];
            counts[node.index()] = irreversible.is_none() && !behind[node.index()];
            if behind[node.index()] || irreversible.is_some_and(|id| !plan.step(id).may_be_passed_over()) {
                for next in plan.graph().neighbors(node) {
                    behind[next.index()] = true;
                }
            }
        }
        let chains = chains(plan, costs, &counts);
        Self { plan, costs, counts, inside, chains, criteria: costs.target(plan, target), target }
    }

    /// The steps of the longest chain of undos, the first to be undone first.
    pub(super) fn longest(&self) -> Vec<StepId> {
        let mut waiters: Vec<Vec<NodeIndex>> = vec![Vec::new(); self.chains.len()];
        for node in self.plan.graph().node_indices() {
            for waited_for in self.plan.undo_waits(node) {
                waiters[waited_for.index()].push(node);
            }
        }
        let by_chain = |node: &NodeIndex| (self.chains[node.index()], std::cmp::Reverse(*node));
        let mut at = self.plan.graph().node_indices().max_by_key(by_chain);
        let mut path = Vec::new();
        while let Some(node) = at {
            if self.counts[node.index()] && self.costs.has_undo[node.index()] {
                path.extend(step_at(self.plan, node));
            }
            at = waiters[node.index()].iter().copied().max_by_key(by_chain);
        }
        path
    }

    fn sum(&self, node: NodeIndex) -> Sum {
        let at = node.index();
        if !self.counts[at] {
            return Sum { closed_by: self.costs.irreversible[at].filter(|_| self.inside[at]), ..Sum::default() };
        }
        Sum {
            undos: usize::from(self.costs.has_undo[at]),
            work: self.costs.undo[at],
            path: self.chains[at],
            reopen: self.costs.reopen[at],
            closed_by: None,
        }
    }

    fn stop(&self, node: NodeIndex) -> Span {
        if self.counts[node.index()] { self.costs.stop[node.index()] } else { Span::ZERO }
    }

    /// The way back with everything undone that may have `started`; `settled` needs no stopping.
    pub(super) fn from(&self, started: &[bool], settled: impl Fn(NodeIndex) -> bool) -> WayBack {
        let set = || self.plan.order().iter().copied().filter(|node| started[node.index()]);
        let sum = set().fold(Sum::default(), |sum, node| sum.with(self.sum(node)));
        let stop = set().filter(|&node| !settled(node)).map(|node| self.stop(node)).max().unwrap_or_default();
        sum.back(self.costs.slots, stop, self.criteria)
    }

    /// The way back of a run that ends or has ended, the brackets of the run included.
    pub(super) fn at_the_end(&self) -> WayBack {
        let everything = vec![true; self.counts.len()];
        let back = self.from(&everything, |_| true);
        let again = self.costs.stop_run.plus(self.costs.reopen_run);
        let again = if self.target == Target::Start { again } else { Span::ZERO };
        WayBack { bound: back.bound.plus(again), ..back }
    }

    /// For every node, the way back from the moment it runs, fails or ends.
    pub(super) fn of_each(&self) -> Vec<WayBack> {
        let order = self.plan.order();
        let mut backs = vec![WayBack::default(); order.len()];
        let mut settled = Sum::default();
        let mut lump: Vec<NodeIndex> = Vec::new();
        for (&node, barrier) in order.iter().zip(barriers(self.plan)) {
            if !barrier {
                lump.push(node);
                continue;
            }
            settled = self.region(settled, &std::mem::take(&mut lump), &mut backs);
            settled = settled.with(self.sum(node));
            backs[node.index()] = settled.back(self.costs.slots, self.stop(node), self.criteria);
        }
        self.region(settled, &lump, &mut backs);
        backs
    }

    /// The nodes between two barriers; returns the sum behind them.
    fn region(&self, settled: Sum, nodes: &[NodeIndex], backs: &mut [WayBack]) -> Sum {
        let all = nodes.iter().fold(settled, |sum, &node| sum.with(self.sum(node)));
        let below = if nodes.len() <= REGION_MAX { Closure::of(self.plan, nodes) } else { Closure::unknown() };
        let longest = nodes.iter().map(|&node| self.stop(node)).max().unwrap_or_default();
        for (at, &node) in nodes.iter().enumerate() {
            let Some(downstream) = below.row(at) else {
                backs[node.index()] = all.back(self.costs.slots, longest, self.criteria);
                continue;
            };
            let (mut sum, mut stop) = (settled, Span::ZERO);
            for (other_at, &other) in nodes.iter().enumerate().filter(|&(other_at, _)| !bit(downstream, other_at)) {
                sum = sum.with(self.sum(other));
                if !below.row(other_at).is_some_and(|row| bit(row, at)) {
                    stop = stop.max(self.stop(other));
                }
            }
            backs[node.index()] = sum.back(self.costs.slots, stop, self.criteria);
        }
        all
    }
}

/// Which nodes of a region are downstream of which, as rows of bits; no rows where it was not worked out.
struct Closure {
    words: usize,
    rows: Vec<u64>,
}

impl Closure {
    fn unknown() -> Self {
        Self { words: 0, rows: Vec::new() }
    }

    /// `nodes` in the order of the plan.
    fn of(plan: &Plan, nodes: &[NodeIndex]) -> Self {
        let place: std::collections::BTreeMap<NodeIndex, usize> =
            nodes.iter().enumerate().map(|(at, &node)| (node, at)).collect();
        let words = nodes.len().div_ceil(64);
        let mut rows = vec![0_u64; words * nodes.len()];
        for (at, &node) in nodes.iter().enumerate().rev() {
            for next in plan.graph().neighbors(node).filter_map(|next| place.get(&next).copied()) {
                // Downstream nodes stand behind: their rows are complete.
                let (before, behind) = rows.split_at_mut((at + 1) * words);
                let from = (next - at - 1) * words;
                let row = &mut before[at * words..];
                for (word, more) in row.iter_mut().zip(&behind[from..from + words]) {
                    *word |= more;
                }
                row[next / 64] |= 1 << (next % 64);
            }
        }
        Self { words, rows }
    }

    fn row(&self, at: usize) -> Option<&[u64]> {
        self.rows.get(at * self.words..(at + 1) * self.words).filter(|row| !row.is_empty())
    }
}

fn bit(row: &[u64], at: usize) -> bool {
    row[at / 64] & (1 << (at % 64)) != 0
}

/// What a plan's node stands for, if that is a step.
pub(super) fn step_at(plan: &Plan, node: NodeIndex) -> Option<StepId> {
    match plan.graph()[node] {
        Node::Step(step) => Some(step),
        Node::PhaseStart(_) | Node::PhaseEnd(_) => None,
    }
}
