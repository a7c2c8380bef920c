//! Going back: what is undone, in which order, and when it may not begin (R8 to R12).

use std::collections::BTreeSet;
use std::sync::Arc;

use petgraph::graph::NodeIndex;

use super::job::takes_slot;
use super::state::{
    Before, Goal, JobEnd, JobState, Order, Pause, PhaseState, Reach, Rolling, Stage, ThenKind, WayBack,
};
use super::{Cause, Command, Deadline, Engine, Notice, Origin, Outbox};
use crate::model::{Bracket, Node, OnStop, Part, PhaseId, Plan, RunOutcome, StepId, StepOutcome, Target};

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
                self.disarm(Deadline::PassDelay(rolling.order.origin), out);
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

    /// Ends what a node in scope is doing.
    fn halt(&mut self, node: Node, out: &mut Outbox) {
        match node {
            Node::PhaseStart(phase) => self.halt_phase_start(phase, out),
            Node::PhaseEnd(phase) => self.halt_phase_end(phase, out),
            Node::Step(step) => {
                self.unready(step);
                self.halt_job(step, true, out);
            }
        }
    }

    /// A phase that was about to start does not.
    fn halt_phase_start(&mut self, phase: PhaseId, out: &mut Outbox) {
        self.ready_phases.remove(&phase);
        match &mut self.phases[phase.index()] {
            PhaseState::AtWindow | PhaseState::Failed { before: true } => {}
            PhaseState::Requiring(asks) => {
                let asks = std::mem::take(asks);
                self.drop_asks(asks, out);
            }
            PhaseState::Waiting
            | PhaseState::Running { .. }
            | PhaseState::Measuring(_)
            | PhaseState::Closing
            | PhaseState::Done
            | PhaseState::Failed { before: false } => return,
        }
        self.reset_phase(phase, out);
    }

    /// As if it had never been reached.
    fn reset_phase(&mut self, phase: PhaseId, out: &mut Outbox) {
        if self.phases[phase.index()] != PhaseState::Waiting && self.plan.0.phase(phase).window.is_some() {
            out.order(Command::ForgetWindow { phase });
        }
        self.phases[phase.index()] = PhaseState::Waiting;
        self.disarm(Deadline::Phase(phase), out);
    }

    /// A phase that was about to end does not; its brackets stay held.
    fn halt_phase_end(&mut self, phase: PhaseId, out: &mut Outbox) {
        if let PhaseState::Measuring(asks) = &mut self.phases[phase.index()] {
            let asks = std::mem::take(asks);
            self.drop_asks(asks, out);
        }
        let plan = Arc::clone(&self.plan.0);
        for step in plan.phase(phase).steps.iter().copied().filter(|step| plan.step(*step).held_for.is_some()) {
            self.unreleased.remove(&step);
            if self.job(step).is_some_and(|job| job.goal == Goal::Release) {
                self.halt_job(step, true, out);
            }
        }
    }

    /// Ends a step's job, or begins to: an attempt is stopped (or awaited), everything else is simply over.
    pub(crate) fn halt_job(&mut self, step: StepId, stop_attempts: bool, out: &mut Outbox) {
        let Some(job) = self.steps[step.index()].job.as_mut() else { return };
        if matches!(job.goal, Goal::Undo | Goal::Reopen) {
            return;
        }
        let part = job.part;
        match &mut job.state {
            JobState::Attempting { number, first } => {
                let (number, first) = (*number, *first);
                if stop_attempts {
                    job.state = JobState::Stopping { number, first };
                    if self.plan.0.step(step).on_stop == OnStop::Stop {
                        let attempt = crate::model::AttemptId { step, part, number };
                        out.order(Command::StopAttempt { attempt });
                    }
                }
            }
            JobState::Stopping { .. } => {}
            JobState::Asking { asks, .. } => {
                let asks = std::mem::take(asks);
                self.drop_asks(asks, out);
                self.drop_job(step);
            }
            JobState::AtGate => {
                self.close_gate(step, out);
                self.drop_job(step);
            }
            JobState::Waiting => {
                self.disarm(Deadline::Wait(step, part), out);
                self.drop_job(step);
            }
            JobState::Resting => {
                let tries = job.tries;
                self.disarm(Deadline::Retry { step, part, tries }, out);
                self.drop_job(step);
            }
            JobState::Parked => {
                self.drop_job(step);
            }
        }
    }

    /// Gates elsewhere are taken off the screen; if the run goes on, they are opened again (R15).
    fn close_other_gates(&mut self, out: &mut Outbox) {
        let open: Vec<StepId> = self.open_gates().collect();
        for step in open {
            self.close_gate(step, out);
            self.drop_job(step);
            self.steps[step.index()].outcome = StepOutcome::Pending;
            self.make_ready(step);
        }
    }

    /// Opens a bracket again, as soon as what was closing it has ended.
    pub(crate) fn reopen_bracket(&mut self, step: StepId, out: &mut Outbox) {
        let waits = match &self.stage {
            Stage::Rolling(rolling) => rolling.reopening.contains(&step) && !rolling.failed.contains(&step),
            _ => false,
        };
        if waits && self.job(step).is_none() {
            out.tell(Notice::BracketReopening { step });
            self.begin_job(step, Part::Forward, Goal::Reopen, out);
        }
    }

    /// Whether a bracket is closed, or may be because somebody began to.
    fn may_be_closed(&self, step: StepId) -> bool {
        let closing = |job: &super::state::Job| job.goal == Goal::Release && job.has_acted();
        self.steps[step.index()].released || self.unreleased.contains(&step) || self.job(step).is_some_and(closing)
    }

    /// Brackets that were closed, and inside which something is about to be undone (R12a).
    fn brackets_to_reopen(&self, rolling: &Rolling) -> BTreeSet<StepId> {
        let plan = &self.plan.0;
        let closed = plan.step_ids().filter(|step| self.may_be_closed(*step));
        closed
            .filter(|bracket| {
                plan.downstream(Target::Step(*bracket)).into_iter().any(|node| {
                    let inside = step_at(plan, node).is_some_and(|step| {
                        self.steps[step.index()].in_effect
                            && (plan.step(*bracket).held_for == Some(Bracket::Run)
                                || plan.step(step).phase == plan.step(*bracket).phase)
                    });
                    inside && rolling.scope[node.index()] && !rolling.cleared[node.index()]
                })
            })
            .collect()
    }

    /// Looks at these nodes, and at all that they set free in turn: what has nothing to undo is cleared at once, what has
    /// may be undone.
    pub(crate) fn mind_cleared(&mut self, nodes: &[NodeIndex], out: &mut Outbox) {
        let plan = Arc::clone(&self.plan.0);
        let mut look: Vec<NodeIndex> = nodes.to_vec();
        while let Some(node) = look.pop() {
            let Stage::Rolling(rolling) = &mut self.stage else { return };
            let at = node.index();
            if !rolling.scope[at] || rolling.cleared[at] || rolling.waits[at] > 0 {
                continue;
            }
            if let Node::Step(step) = plan.graph()[node] {
                let state = &self.steps[step.index()];
                if state.job.is_some() || rolling.failed.contains(&step) || rolling.reopening.contains(&step) {
                    continue;
                }
                if state.in_effect && !plan.step(step).undo().is_empty() {
                    rolling.ready.insert(step);
                    continue;
                }
            }
            look.extend(self.clear(node, out));
        }
    }

    /// Nothing of this node is left. Returns those that waited for it.
    fn clear(&mut self, node: NodeIndex, out: &mut Outbox) -> Vec<NodeIndex> {
        let plan = Arc::clone(&self.plan.0);
        let Stage::Rolling(rolling) = &mut self.stage else { return Vec::new() };
        rolling.cleared[node.index()] = true;
        rolling.left -= 1;
        if std::mem::replace(&mut self.over[node.index()], false) {
            self.left += 1;
        }
        for waiter in plan.undo_waiters(node) {
            let waits = &mut rolling.waits[waiter.index()];
            *waits = waits.saturating_sub(1);
        }
        match plan.graph()[node] {
            Node::Step(step) => {
                self.unwatch_way_back(step, out);
                let seen = self.steps[step.index()].outcome != StepOutcome::Pending;
                if seen {
                    self.forget(step, out);
                }
            }
            Node::PhaseEnd(phase) => match self.phases[phase.index()] {
                PhaseState::Measuring(_)
                | PhaseState::Closing
                | PhaseState::Done
                | PhaseState::Failed { before: false } => {
                    self.phases[phase.index()] = PhaseState::Running { rechecking: false };
                }
                PhaseState::Waiting
                | PhaseState::AtWindow
                | PhaseState::Requiring(_)
                | PhaseState::Running { .. }
                | PhaseState::Failed { before: true } => {}
            },
            Node::PhaseStart(phase) => self.reset_phase(phase, out),
        }
        plan.undo_waiters(node).to_vec()
    }

    /// Starts undos that may start; measures the target when all is undone; says so when nothing moves.
    pub(crate) fn go_back(&mut self, out: &mut Outbox) {
        let most = self.plan.0.about().max_parallel as usize;
        loop {
            let Stage::Rolling(rolling) = &self.stage else { return };
            if !rolling.reopening.is_empty() {
                break;
            }
            let taken = self.active.iter().filter(|step| self.goes_back(**step)).count();
            let next = rolling
                .ready
                .iter()
                .copied()
                .find(|step| taken < most || !takes_slot(&self.plan.0.step(*step).undo()[0]));
            let Some(step) = next else { break };
            if let Stage::Rolling(rolling) = &mut self.stage {
                rolling.ready.remove(&step);
                rolling.reach = Reach::Undoing;
            }
            self.begin_job(step, Part::Undo(0), Goal::Undo, out);
        }
        self.mind_reach(out);
    }

    fn goes_back(&self, step: StepId) -> bool {
        self.job(step).is_some_and(|job| matches!(job.goal, Goal::Undo | Goal::Reopen))
    }

    fn mind_reach(&mut self, out: &mut Outbox) {
        let Stage::Rolling(rolling) = &self.stage else { return };
        if rolling.reach != Reach::Undoing {
            return;
        }
        if rolling.left == 0 && rolling.reopening.is_empty() {
            return self.measure_target(out);
        }
        let moves = self.active.iter().any(|step| {
            self.goes_back(*step) || self.job(*step).is_some_and(|job| matches!(job.state, JobState::Stopping { .. }))
        });
        let ready = !rolling.ready.is_empty() && rolling.reopening.iter().all(|step| !rolling.failed.contains(step));
        if !moves && !ready {
            let step = rolling.failed.first().copied();
            if let Stage::Rolling(rolling) = &mut self.stage {
                rolling.reach = Reach::Stuck;
            }
            out.tell(Notice::RunStuck { step });
        }
    }

    /// One action of an undo is over: the next, or the step is undone, or its branch halts (R10).
    pub(crate) fn end_undo(&mut self, step: StepId, part: Part, end: JobEnd, out: &mut Outbox) {
        let outcome = match end {
            JobEnd::Failed(cause) => return self.fail_undo(step, cause, out),
            JobEnd::Done => StepOutcome::Undone,
            JobEnd::Found => StepOutcome::Found,
            JobEnd::Skipped => StepOutcome::Skipped,
        };
        if let Some(next) = self.next_undo_part(step, part) {
            return self.begin_job(step, next, Goal::Undo, out);
        }
        self.end_undoing(step, outcome, out);
    }

    pub(crate) fn next_undo_part(&self, step: StepId, part: Part) -> Option<Part> {
        match part {
            Part::Undo(n) if usize::from(n) + 1 < self.plan.0.step(step).undo().len() => Some(Part::Undo(n + 1)),
            Part::Undo(_) | Part::Forward => None,
        }
    }

    /// A step is undone.
    pub(crate) fn end_undoing(&mut self, step: StepId, outcome: StepOutcome, out: &mut Outbox) {
        out.tell(Notice::UndoSucceeded { step, outcome });
        if let Stage::Rolling(rolling) = &mut self.stage {
            rolling.failed.remove(&step);
        }
        let node = self.plan.0.step_node(step);
        let next = self.clear(node, out);
        self.mind_cleared(&next, out);
    }

    fn fail_undo(&mut self, step: StepId, cause: Cause, out: &mut Outbox) {
        out.tell(Notice::UndoFailed { step, cause });
        if let Stage::Rolling(rolling) = &mut self.stage {
            rolling.failed.insert(step);
        }
    }

    /// A closed bracket is open again, or could not be opened.
    pub(crate) fn end_reopen(&mut self, step: StepId, end: JobEnd, out: &mut Outbox) {
        if let JobEnd::Failed(cause) = end {
            return self.fail_undo(step, cause, out);
        }
        let state = &mut self.steps[step.index()];
        state.in_effect = true;
        state.was_done = true;
        state.released = false;
        if let Stage::Rolling(rolling) = &mut self.stage {
            rolling.reopening.remove(&step);
            rolling.failed.remove(&step);
        }
        let node = self.plan.0.step_node(step);
        self.mind_cleared(&[node], out);
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
