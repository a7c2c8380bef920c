//! Going back: what is in the set, and when a rollback may not begin (R8, R8a, R12). Carrying it out is below.

mod halt;
mod reopen;
mod undo;

use std::collections::BTreeSet;
use std::sync::Arc;

use petgraph::graph::NodeIndex;

use super::state::{Before, Order, Pause, Reach, Rolling, Stage, ThenKind, WayBack};
use super::{Deadline, Direction, Engine, Notice, Origin, Outbox};
use crate::model::{Node, Plan, RunOutcome, StepId, Target};

impl Rolling {
    /// Nothing moves before a person does something.
    pub(crate) fn is_stuck(&self) -> bool {
        matches!(self.reach, Reach::Stuck | Reach::Unverified)
    }
}

impl Engine {
    /// Whether the rollback under way was ordered through ways back that are shut.
    pub(crate) fn is_forced(&self) -> bool {
        matches!(&self.stage, Stage::Rolling(rolling) if rolling.order.force)
    }

    /// Goes back, or says why not. Under way already: widens (R8).
    pub(crate) fn begin_rollback(&mut self, order: Order, out: &mut Outbox) {
        let untouched = matches!(self.stage, Stage::Unborn | Stage::Preflight(_) | Stage::Ending(RunOutcome::Refused));
        if self.closed || untouched {
            out.tell(Notice::RollbackRefused { origin: order.origin });
            return;
        }
        let order = match &self.stage {
            Stage::Weighing(before, _) => merged(&self.plan.0, *before, order),
            // A run that is to end does not go on behind its rollback.
            Stage::Ending(_) | Stage::Ended(_) => Order { then: ThenKind::Stop, ..order },
            Stage::Unborn | Stage::Preflight(_) | Stage::Forward | Stage::Rolling(_) => order,
        };
        let plan = Arc::clone(&self.plan.0);
        let nodes = plan.downstream(order.target);
        let steps: Vec<StepId> = nodes.iter().filter_map(|node| step_at(&plan, *node)).collect();
        let in_effect = |step: &&StepId| self.steps[step.index()].in_effect;

        if let Some(behind) = steps.iter().filter(in_effect).find(|step| plan.step(**step).is_irreversible()) {
            return self.refuse_rollback(Pause { origin: order.origin, behind: Some(*behind), shut: None }, out);
        }
        if !order.force {
            let watched = |verdict_is: fn(WayBack) -> bool| {
                steps.iter().filter(in_effect).find(|step| verdict_is(self.steps[step.index()].way_back)).copied()
            };
            let shut = watched(|way_back| way_back.is_shut() && way_back != WayBack::Watched(None));
            if let Some(shut) = shut {
                return self.refuse_rollback(Pause { origin: order.origin, behind: None, shut: Some(shut) }, out);
            }
            // A rollback that widens does not wait: the undo asks its `require` again before it acts.
            let unknown = watched(|way_back| way_back == WayBack::Watched(None)).is_some();
            if unknown && !matches!(self.stage, Stage::Rolling(_)) {
                let before = match self.stage {
                    Stage::Ended(outcome) => Before::Ended(outcome),
                    Stage::Ending(outcome) => Before::Ending(outcome),
                    Stage::Weighing(_, before) => before,
                    Stage::Unborn | Stage::Preflight(_) | Stage::Forward | Stage::Rolling(_) => Before::Forward,
                };
                self.stage = Stage::Weighing(order, before);
                return;
            }
        }
        self.roll(order, &nodes, out);
    }

    /// A way back was judged, or is none any more: what was asked for may begin now, or may not.
    pub(crate) fn weigh_again(&mut self, out: &mut Outbox) {
        if let Stage::Weighing(order, _) = self.stage {
            self.begin_rollback(order, out);
        }
    }

    fn refuse_rollback(&mut self, pause: Pause, out: &mut Outbox) {
        out.tell(Notice::RollbackRefused { origin: pause.origin });
        match &mut self.stage {
            // What was to be widened goes on, and does not end the run behind the operator's back.
            Stage::Rolling(_) => self.tighten(ThenKind::Pause, out),
            Stage::Weighing(_, Before::Ended(outcome)) => self.stage = Stage::Ended(*outcome),
            Stage::Forward | Stage::Weighing(_, Before::Forward) => {
                self.stage = Stage::Forward;
                self.pause_at(pause, out);
            }
            // What was ending was halted for good: it can only end, once the operator has seen this.
            Stage::Ending(outcome) | Stage::Weighing(_, Before::Ending(outcome)) => {
                self.stage = Stage::Ending(*outcome);
                self.pause_at(pause, out);
            }
            Stage::Unborn | Stage::Preflight(_) | Stage::Ended(_) => {}
        }
    }

    fn roll(&mut self, order: Order, nodes: &[NodeIndex], out: &mut Outbox) {
        let plan = Arc::clone(&self.plan.0);
        let before = std::mem::replace(&mut self.stage, Stage::Forward);
        let (mut rolling, widened) = match before {
            Stage::Rolling(mut rolling) => {
                if let Reach::Measuring(asks) = std::mem::replace(&mut rolling.reach, Reach::Undoing) {
                    self.drop_asks(asks, out);
                }
                self.disarm(Deadline::PassDelay(self.rung(rolling.order.origin)), out);
                rolling.order.then = rolling.order.then.max(order.then);
                rolling.order.force |= order.force;
                (rolling, true)
            }
            _ => (new_rolling(&plan, order), false),
        };
        // Somebody is waited for: a rollback elsewhere does not lift that.
        if self.pause.take().is_some() {
            rolling.order.then = rolling.order.then.max(ThenKind::Pause);
        }
        self.on = Direction::Forward;
        out.tell(Notice::RollbackStarted { target: order.target, origin: order.origin, widened });
        add_target(&plan, &mut rolling.targets, order.target);
        rolling.order.target = rolling.targets[0];

        let fresh: Vec<NodeIndex> = nodes.iter().copied().filter(|node| !rolling.scope[node.index()]).collect();
        for node in &fresh {
            rolling.scope[node.index()] = true;
        }
        rolling.left += super::machine::to_u32(fresh.len());
        count_waits(&plan, &mut rolling);
        let waits = &rolling.waits;
        rolling.ready.retain(|step| waits[plan.step_node(*step).index()] == 0);
        rolling.reopening.extend(self.brackets_to_reopen(&rolling));
        let reopening = rolling.reopening.clone();
        self.stage = Stage::Rolling(rolling);

        // The first commands: what runs in the set is stopped, now.
        for node in &fresh {
            self.halt(plan.graph()[*node], out);
        }
        self.close_other_gates(out);
        self.arm(Deadline::RollbackAlarm, out);
        for step in reopening {
            self.halt_job(step, true, out);
            self.reopen_bracket(step, out);
        }
        let free: Vec<NodeIndex> = nodes.to_vec();
        self.mind_cleared(&free, out);
    }
}

fn new_rolling(plan: &Plan, order: Order) -> Rolling {
    let nodes = plan.graph().node_count();
    Rolling {
        order,
        targets: Vec::new(),
        scope: vec![false; nodes],
        cleared: vec![false; nodes],
        waits: vec![0; nodes],
        left: 0,
        ready: BTreeSet::new(),
        reopening: BTreeSet::new(),
        failed: BTreeSet::new(),
        reach: Reach::Undoing,
    }
}

fn count_waits(plan: &Plan, rolling: &mut Rolling) {
    for node in plan.graph().node_indices() {
        let waits = plan
            .undo_waits(node)
            .iter()
            .filter(|other| rolling.scope[other.index()] && !rolling.cleared[other.index()])
            .count();
        rolling.waits[node.index()] = super::machine::to_u32(waits);
    }
}

/// Keeps only the targets that no other one lies upstream of: the way back to those covers the others.
fn add_target(plan: &Plan, targets: &mut Vec<Target>, target: Target) {
    if targets.iter().any(|other| *other == target || is_upstream(plan, *other, target)) {
        return;
    }
    targets.retain(|other| !is_upstream(plan, target, *other));
    targets.push(target);
}

/// Whether going back to `upper` takes back `lower` too.
fn is_upstream(plan: &Plan, upper: Target, lower: Target) -> bool {
    let node = match lower {
        Target::Start => return false,
        Target::Step(step) => plan.step_node(step),
        Target::Phase(phase) => plan.phase_nodes(phase).1,
    };
    upper == Target::Start || plan.downstream(upper).contains(&node)
}

/// Two orders given before either has begun: the strictest of both, to the start where neither covers the other.
fn merged(plan: &Plan, first: Order, second: Order) -> Order {
    let target = if first.target == second.target || is_upstream(plan, first.target, second.target) {
        first.target
    } else if is_upstream(plan, second.target, first.target) {
        second.target
    } else {
        Target::Start
    };
    let origin = if second.origin == Origin::Operator { second.origin } else { first.origin };
    Order { target, then: first.then.max(second.then), origin, force: first.force || second.force }
}

fn step_at(plan: &Plan, node: NodeIndex) -> Option<StepId> {
    match plan.graph()[node] {
        Node::Step(step) => Some(step),
        Node::PhaseStart(_) | Node::PhaseEnd(_) => None,
    }
}
