//! Every place where a rollback can start by itself, and what may have started by then.

use petgraph::graph::NodeIndex;

use super::reach::Reach;
use crate::model::{Action, GuardId, OnBreach, OnClose, OnDoubt, OnNo, Plan, Policy, Rollback, Scope, Target, Trigger};

/// One way a rollback can begin.
pub(in crate::syntax) struct Start {
    pub(in crate::syntax) trigger: Trigger,
    pub(in crate::syntax) target: Target,
    pub(in crate::syntax) when: When,
}

/// Until when a trigger can fire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::syntax) enum When {
    /// Until that node is settled: nothing downstream of it has started.
    Before(NodeIndex),
    /// Until all of them are settled.
    BeforeAll(Vec<NodeIndex>),
    /// As long as the run lasts.
    Always,
}

/// All of them, in the order of the file; the run timeout last.
pub(in crate::syntax) fn all(plan: &Plan) -> Vec<Start> {
    let mut starts = Vec::with_capacity(plan.steps().len() + 1);
    for id in plan.step_ids() {
        let step = plan.step(id);
        let when = || When::Before(plan.step_node(id));
        match &step.forward.action {
            Action::Gate(gate) => match &gate.on_no {
                OnNo::Rollback(rollback) => add(&mut starts, Trigger::NoGo(id), rollback, when),
                OnNo::Stop | OnNo::Pause => {}
            },
            Action::Run(_)
            | Action::Http(_)
            | Action::Sql(_)
            | Action::Wait(_)
            | Action::Manual(_)
            | Action::Ramp(_) => {
                add_policy(&mut starts, Trigger::StepFailed(id), &step.on_failure, when);
            }
        }
        if step.on_doubt == OnDoubt::Rollback {
            add(&mut starts, Trigger::StepInDoubt(id), &Rollback::TO_START, when);
        }
    }
    for id in plan.phase_ids() {
        let phase = plan.phase(id);
        let when = || When::Before(plan.phase_nodes(id).1);
        if phase.timeout.is_some() || !phase.success.is_empty() || !phase.require.is_empty() {
            add_policy(&mut starts, Trigger::PhaseFailed(id), &phase.on_failure, when);
        }
        if phase.window.as_ref().is_some_and(|window| window.on_close == OnClose::Rollback) {
            add(&mut starts, Trigger::WindowClosed(id), &Rollback::TO_START, when);
        }
    }
    for id in plan.guard_ids() {
        if let OnBreach::Rollback(rollback) = &plan.guard(id).on_breach {
            add(&mut starts, Trigger::GuardBreached(id), rollback, || awake(plan, id));
        }
    }
    starts.push(Start { trigger: Trigger::RunTimeout, target: Target::Start, when: When::Always });
    starts
}

fn add_policy(starts: &mut Vec<Start>, trigger: Trigger, policy: &Policy, when: impl Fn() -> When) {
    match policy {
        Policy::Rollback(rollback) => add(starts, trigger, rollback, when),
        Policy::Pause | Policy::Continue | Policy::Stop => {}
    }
}

/// A rollback, and those that its `else` may widen it to.
fn add(starts: &mut Vec<Start>, trigger: Trigger, rollback: &Rollback, when: impl Fn() -> When) {
    for rollback in std::iter::successors(Some(rollback), |rollback| rollback.otherwise()) {
        starts.push(Start { trigger, target: rollback.target, when: when() });
    }
}

fn awake(plan: &Plan, guard: GuardId) -> When {
    let ends: Option<Vec<NodeIndex>> = match &plan.guard(guard).scope {
        Scope::Everywhere => None,
        Scope::Phases(phases) => Some(phases.iter().map(|&phase| plan.phase_nodes(phase).1).collect()),
        Scope::Steps(steps) => steps.iter().map(|&step| plan.watched_until(step)).collect(),
    };
    match ends.as_deref() {
        None => When::Always,
        Some([one]) => When::Before(*one),
        Some(ends) => When::BeforeAll(ends.to_vec()),
    }
}

/// Whether a node may have started by the time the trigger fires: not if it is strictly downstream of everything that is
/// yet to be settled.
pub(in crate::syntax) fn may_have_started(reach: &Reach<'_>, when: &When, node: NodeIndex) -> bool {
    match when {
        When::Always => true,
        When::Before(end) => !reach.leads(*end, node),
        When::BeforeAll(ends) => ends.iter().any(|&end| !reach.leads(end, node)),
    }
}

/// By node: whether it may have started by the time the trigger fires.
pub(super) fn started(plan: &Plan, when: &When) -> Vec<bool> {
    match when {
        When::Always => vec![true; plan.graph().node_count()],
        When::Before(node) => reached_from(plan, std::slice::from_ref(node)).iter().map(|&mask| mask == 0).collect(),
        When::BeforeAll(nodes) => {
            let mut started = vec![false; plan.graph().node_count()];
            for some in nodes.chunks(64) {
                let all = u64::MAX >> (64 - some.len());
                for (started, mask) in started.iter_mut().zip(reached_from(plan, some)) {
                    *started |= mask != all;
                }
            }
            started
        }
    }
}

/// By node: which of these (at most 64, the first in the lowest bit) it is strictly downstream of.
fn reached_from(plan: &Plan, from: &[NodeIndex]) -> Vec<u64> {
    let mut start = vec![0_u64; plan.graph().node_count()];
    for (bit, node) in from.iter().enumerate() {
        start[node.index()] |= 1 << bit;
    }
    let mut masks = vec![0_u64; start.len()];
    for &node in plan.order() {
        let on = masks[node.index()] | start[node.index()];
        if on != 0 {
            for next in plan.graph().neighbors(node) {
                masks[next.index()] |= on;
            }
        }
    }
    masks
}

/// The node at which a rollback to this target ends; none for the start.
pub(in crate::syntax) fn target_node(plan: &Plan, target: Target) -> Option<NodeIndex> {
    match target {
        Target::Start => None,
        Target::Step(step) => Some(plan.step_node(step)),
        Target::Phase(phase) => Some(plan.phase_nodes(phase).1),
    }
}
