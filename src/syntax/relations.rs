//! What only the whole graph can tell: circles, rollbacks to places that need not have been reached, gates behind effects.

use petgraph::graph::NodeIndex;

use super::Site;
use super::problem::Problem;
use super::reader::Claim;
use super::site::Places;
use crate::model::{Action, GuardId, PhaseId, Plan, PlanError, Scope, Step, StepId, Target};

/// Many questions of the kind "does this lie before that?", answered together.
///
/// They are asked 64 places at a time, each group over the part of the order that it needs, so that the cost is that of
/// the graph and not of the number of questions times the graph.
struct Before<'p> {
    plan: &'p Plan,
    rank: Vec<usize>,
}

impl<'p> Before<'p> {
    fn of(plan: &'p Plan) -> Self {
        let mut rank = vec![0; plan.graph().node_count()];
        for (n, node) in plan.order().iter().enumerate() {
            rank[node.index()] = n;
        }
        Self { plan, rank }
    }

    /// For each pair, whether a way leads from the first to the second, or they are the same.
    fn all(&self, pairs: &[(NodeIndex, NodeIndex)]) -> Vec<bool> {
        let mut answers = vec![false; pairs.len()];
        let mut asked: Vec<usize> = (0..pairs.len()).collect();
        asked.sort_by_key(|n| self.rank[pairs[*n].0.index()]);
        let mut reached = vec![0_u64; self.rank.len()];
        let mut rest = &asked[..];
        while !rest.is_empty() {
            let mut sources: Vec<NodeIndex> = Vec::with_capacity(64);
            let mut taken = 0;
            for n in rest {
                let from = pairs[*n].0;
                if sources.last() != Some(&from) {
                    if sources.len() == 64 {
                        break;
                    }
                    sources.push(from);
                }
                taken += 1;
            }
            let (group, later) = rest.split_at(taken);
            rest = later;
            let first = self.rank[sources[0].index()];
            let last = group.iter().map(|n| self.rank[pairs[*n].1.index()]).max().unwrap_or(first);
            self.spread(&sources, first, last, &mut reached);
            for n in group {
                let (from, to) = pairs[*n];
                let bit = sources.iter().position(|source| *source == from).unwrap_or_default();
                let within = self.rank[to.index()] >= first;
                answers[*n] = within && reached[to.index()] & (1 << bit) != 0;
            }
        }
        answers
    }

    /// For each source, the first of the targets to which no way leads from it.
    fn first_missed(&self, sources: &[NodeIndex], targets: &[NodeIndex]) -> Vec<Option<usize>> {
        let rank = |node: &NodeIndex| self.rank[node.index()];
        let last = targets.iter().map(rank).max().unwrap_or_default();
        let mut reached = vec![0_u64; self.rank.len()];
        let mut missed = Vec::with_capacity(sources.len());
        for group in sources.chunks(64) {
            let first = group.iter().map(rank).min().unwrap_or_default();
            self.spread(group, first, last, &mut reached);
            let mut open = u64::MAX >> (64 - group.len());
            let mut found = vec![None; group.len()];
            for (n, target) in targets.iter().enumerate() {
                let bits = if rank(target) < first { 0 } else { reached[target.index()] };
                let mut new = open & !bits;
                open &= bits;
                while new != 0 {
                    found[new.trailing_zeros() as usize] = Some(n);
                    new &= new - 1;
                }
            }
            missed.extend(found);
        }
        missed
    }

    /// Marks, between two ranks, each node with the sources from which a way leads to it.
    fn spread(&self, sources: &[NodeIndex], first: usize, last: usize, reached: &mut [u64]) {
        let part = self.plan.order().get(first..=last.max(first)).unwrap_or_default();
        for node in part {
            reached[node.index()] = 0;
        }
        for (bit, source) in sources.iter().enumerate() {
            if self.rank[source.index()] <= last {
                reached[source.index()] |= 1 << bit;
            }
        }
        for node in part {
            let before = self.plan.graph().neighbors_directed(*node, petgraph::Incoming);
            let from_before = before
                .filter(|other| self.rank[other.index()] >= first)
                .fold(0, |bits, other| bits | reached[other.index()]);
            reached[node.index()] |= from_before;
        }
    }
}

/// Says which circle keeps a draft from being a plan.
pub(super) fn circle(error: &PlanError, places: &Places, step: impl Fn(&str) -> Option<StepId>) -> Problem {
    let (PlanError::Cycle(path) | PlanError::UndoCycle(path)) = error;
    let first = path.iter().find_map(|name| step(name));
    let text = path.join(" -> ");
    match error {
        PlanError::Cycle(_) => {
            let at = first.map_or_else(|| (0, 0).into(), |id| places.of(Site::Step(id, "needs")));
            Problem::Cycle { path: text, at }
        }
        PlanError::UndoCycle(_) => {
            let at = first.map_or_else(|| (0, 0).into(), |id| places.of(Site::Step(id, "undo")));
            Problem::UndoCycle { path: text, at }
        }
    }
}

/// Says what does not lie where it must.
pub(super) fn check(plan: &Plan, claims: &[Claim<'_>], places: &Places, problems: &mut Vec<Problem>) {
    let before = Before::of(plan);
    targets(plan, &before, claims, problems);
    interruptions(plan, &before, places, problems);
    gates(plan, &before, places, problems);
}

/// Two undos that are each to wait for the other. (The graph of the plan, which turns a pair round, would not show it.)
pub(super) fn undo_pairs(steps: &[Step], places: &Places, problems: &mut Vec<Problem>) {
    for (n, step) in steps.iter().enumerate() {
        for other in step.undo_after.iter().filter(|other| other.index() >= n) {
            if steps[other.index()].undo_after.contains(&StepId::at(n)) {
                let path = format!("{0} -> {1} -> {0}", step.name, steps[other.index()].name);
                problems.push(Problem::UndoCycle { path, at: places.of(Site::Undo(StepId::at(n), 0, "after")) });
            }
        }
    }
}

/// Every target of a rollback lies before whatever may ask for it.
fn targets(plan: &Plan, before: &Before<'_>, claims: &[Claim<'_>], problems: &mut Vec<Problem>) {
    let mut pairs = Vec::new();
    let mut about = Vec::new();
    let mut inherited: Vec<Vec<StepId>> = vec![Vec::new(); plan.phases().len()];
    if claims.iter().any(|claim| matches!(claim.who, Site::Phase(..))) {
        for id in plan.step_ids() {
            let step = plan.step(id);
            if let Some(phase) = step.phase
                && step.on_failure == plan.phase(phase).on_failure
            {
                inherited[phase.index()].push(id);
            }
        }
    }
    for (n, claim) in claims.iter().enumerate() {
        let Some(from) = node_of(plan, claim.target) else { continue };
        for (to, name) in askers(plan, claim.who, &inherited) {
            pairs.push((from, to));
            about.push((n, name));
        }
        if let Some(place) = claim.from.filter(|place| *place != claim.target) {
            // Before the start lies nothing, nor does anything lie before the first of all nodes.
            let (to, name) = match node_of(plan, place) {
                Some(node) => (Some(node), plan.node_name(plan.graph()[node]).to_owned()),
                None => (plan.order().first().copied(), "start".to_owned()),
            };
            pairs.extend(to.map(|to| (from, to)));
            about.extend(to.map(|_| (n, format!("`{name}`, where this `else` goes back from"))));
        }
    }
    let answers = before.all(&pairs);
    let mut told = vec![false; claims.len()];
    for ((pair, (n, name)), good) in pairs.iter().zip(about).zip(answers) {
        // A step cannot go back to its own end.
        let good = good && pair.0 != pair.1;
        if good || std::mem::replace(&mut told[n], true) {
            continue;
        }
        let claim = &claims[n];
        let what = match claim.who {
            Site::Step(id, _) => format!("step `{}`", plan.step(id).name),
            Site::Phase(id, _) => format!("phase `{}`", plan.phase(id).name),
            Site::Guard(id, _) => format!("{} `{}`", plan.guard(id).kind(), plan.guard(id).name),
            _ => "this".to_owned(),
        };
        let (target, at) = (claim.name.to_owned(), claim.at.span());
        problems.push(Problem::TargetNotBefore { what, target, before: name, at });
    }
}

fn node_of(plan: &Plan, target: Target) -> Option<NodeIndex> {
    match target {
        Target::Start => None,
        Target::Step(step) => Some(plan.step_node(step)),
        Target::Phase(phase) => Some(plan.phase_nodes(phase).1),
    }
}

/// The places from which a rollback may be asked for, with their names.
fn askers(plan: &Plan, who: Site, inherited: &[Vec<StepId>]) -> Vec<(NodeIndex, String)> {
    let of_step = |id: StepId| (plan.step_node(id), format!("step `{}`", plan.step(id).name));
    let of_phase = |id: PhaseId| (plan.phase_nodes(id).0, format!("the start of phase `{}`", plan.phase(id).name));
    match who {
        Site::Step(id, _) => vec![of_step(id)],
        Site::Phase(id, _) => {
            let phase = plan.phase(id);
            let whole = phase.timeout.is_some() || !phase.require.is_empty();
            let end = (plan.phase_nodes(id).1, format!("the end of phase `{}`", phase.name));
            let start = whole.then(|| of_phase(id));
            start.into_iter().chain([end]).chain(inherited[id.index()].iter().copied().map(of_step)).collect()
        }
        Site::Guard(id, _) => guarded(plan, id, of_step, of_phase),
        _ => Vec::new(),
    }
}

fn guarded(
    plan: &Plan,
    id: GuardId,
    of_step: impl Fn(StepId) -> (NodeIndex, String),
    of_phase: impl Fn(PhaseId) -> (NodeIndex, String),
) -> Vec<(NodeIndex, String)> {
    match &plan.guard(id).scope {
        Scope::Phases(phases) => phases.iter().copied().map(of_phase).collect(),
        Scope::Steps(steps) => steps.iter().copied().map(of_step).collect(),
        // The first of all nodes: nothing lies before it.
        Scope::Everywhere => plan.order().first().map(|node| (*node, "the whole run".to_owned())).into_iter().collect(),
    }
}

fn interruptions(plan: &Plan, before: &Before<'_>, places: &Places, problems: &mut Vec<Problem>) {
    for id in plan.phase_ids() {
        let phase = plan.phase(id);
        let Some(interrupts) = &phase.interrupts else { continue };
        let pair = (plan.step_node(interrupts.from), plan.step_node(interrupts.to));
        if !before.all(&[pair])[0] {
            let at = places.of(Site::Phase(id, "interrupts"));
            let reason = "`to` does not come after `from`";
            problems.push(Problem::InterruptsBackwards { phase: phase.name.clone(), at, reason });
        }
    }
}

/// A gate says what no means where a step with an effect can come before it.
fn gates(plan: &Plan, before: &Before<'_>, places: &Places, problems: &mut Vec<Problem>) {
    let effects: Vec<StepId> = plan.step_ids().filter(|id| plan.step(*id).has_effect()).collect();
    let unsaid = plan.step_ids().filter(|id| {
        let gate = matches!(plan.step(*id).forward.action, Action::Gate(_));
        gate && !places.has(Site::Step(*id, "on_no_go"))
    });
    let unsaid: Vec<StepId> = unsaid.collect();
    let node = |ids: &[StepId]| -> Vec<NodeIndex> { ids.iter().map(|id| plan.step_node(*id)).collect() };
    let missed = before.first_missed(&node(&unsaid), &node(&effects));
    for (id, missed) in unsaid.into_iter().zip(missed) {
        if let Some(effect) = missed.map(|n| effects[n]) {
            let (gate, step) = (plan.step(id).name.clone(), plan.step(effect).name.clone());
            problems.push(Problem::NoGoUnsaid { gate, step, at: places.of(Site::Step(id, "")) });
        }
    }
}
