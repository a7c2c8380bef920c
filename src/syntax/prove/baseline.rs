//! What reads the baseline where it cannot be there yet: it would never have data.

use super::{Finding, Proof, Site};
use crate::model::{Action, ConditionId, Criterion, PhaseId, Plan, Ramp, Scope, StepId, Wait};

pub(super) fn prove(proof: &mut Proof<'_>) {
    let Some(baseline) = proof.plan.baseline() else { return };
    let moment = match baseline.before {
        Some(phase) => format!("just before phase `{}`", proof.plan.phase(phase).name),
        None => "just before the first step with an effect".to_owned(),
    };
    let mut early: Vec<Site> = Vec::new();
    for (n, one) in (0..).zip(proof.plan.preflight()) {
        early.extend(reads(proof.plan, one.condition).then_some(Site::Preflight(n)));
    }
    if let Some(phase) = baseline.before {
        let before = Upstream::of(proof.plan, phase);
        early.extend(before.phases(proof.plan));
        early.extend(before.steps(proof.plan));
        early.extend(before.guards(proof.plan));
    }
    for site in early {
        let at = proof.at(site);
        proof.add(Finding::BaselineTooEarly { moment: moment.clone(), at });
    }
}

fn reads(plan: &Plan, condition: ConditionId) -> bool {
    plan.condition(condition).reads_baseline
}

fn any_reads(plan: &Plan, criteria: &[Criterion]) -> bool {
    criteria.iter().any(|one| reads(plan, one.condition))
}

fn ramp_reads(plan: &Plan, ramp: &Ramp) -> bool {
    let confirm = ramp.confirm.as_ref().is_some_and(|one| reads(plan, one.condition));
    confirm || any_reads(plan, &ramp.advance) || ramp.hold_while.is_some_and(|condition| reads(plan, condition))
}

/// By node, whether it is over before a phase begins.
struct Upstream(Vec<bool>);

impl Upstream {
    fn of(plan: &Plan, phase: PhaseId) -> Self {
        let start = plan.phase_nodes(phase).0;
        let mut upstream = vec![false; plan.graph().node_count()];
        for &node in plan.order().iter().rev() {
            let mut behind = plan.graph().neighbors(node);
            upstream[node.index()] = behind.any(|other| other == start || upstream[other.index()]);
        }
        Self(upstream)
    }

    fn has_phase(&self, plan: &Plan, phase: PhaseId) -> bool {
        self.0[plan.phase_nodes(phase).1.index()]
    }

    fn has_step(&self, plan: &Plan, step: StepId) -> bool {
        self.0[plan.step_node(step).index()]
    }

    fn phases(&self, plan: &Plan) -> Vec<Site> {
        let of_phase = |id: PhaseId| {
            let phase = plan.phase(id);
            let keys = [("require", &phase.require), ("success", &phase.success)];
            keys.into_iter().filter(|(_, list)| any_reads(plan, list)).map(move |(key, _)| Site::Phase(id, key))
        };
        plan.phase_ids().filter(|&id| self.has_phase(plan, id)).flat_map(of_phase).collect()
    }

    /// The way forward alone: an undo may come later.
    fn steps(&self, plan: &Plan) -> Vec<Site> {
        let of_step = |id: StepId| {
            let work = &plan.step(id).forward;
            let until = match &work.action {
                Action::Wait(Wait::Until { condition, .. }) => Some(*condition),
                Action::Wait(Wait::For(_))
                | Action::Ramp(_)
                | Action::Run(_)
                | Action::Http(_)
                | Action::Sql(_)
                | Action::Gate(_)
                | Action::Manual(_) => None,
            };
            let bare = |condition: Option<ConditionId>| condition.is_some_and(|condition| reads(plan, condition));
            [
                ("when", bare(work.when)),
                ("done_when", bare(work.done_when)),
                ("require", any_reads(plan, &work.require)),
                ("success", any_reads(plan, &work.success)),
                ("wait", bare(until)),
                ("ramp", work.ramp().is_some_and(|ramp| ramp_reads(plan, ramp))),
            ]
            .into_iter()
            .filter(|(_, reads)| *reads)
            .map(move |(key, _)| Site::Step(id, key))
        };
        plan.step_ids().filter(|&id| self.has_step(plan, id)).flat_map(of_step).collect()
    }

    /// Guards whose whole scope is over by then; others sleep until the baseline is there.
    fn guards(&self, plan: &Plan) -> Vec<Site> {
        let over = |scope: &Scope| match scope {
            Scope::Everywhere => false,
            Scope::Phases(phases) => phases.iter().all(|&phase| self.has_phase(plan, phase)),
            Scope::Steps(steps) => {
                steps.iter().all(|&step| plan.watched_until(step).is_some_and(|end| self.0[end.index()]))
            }
        };
        let early = plan.guard_ids().filter(|id| over(&plan.guard(*id).scope));
        let conditions = early.flat_map(|id| {
            let watched = plan.guard(id).rule.condition();
            [("require", watched.map(|it| it.require)), ("warn", watched.and_then(|it| it.warn))]
                .map(|(key, condition)| (id, key, condition))
        });
        let reads = |(_, _, condition): &(_, _, Option<ConditionId>)| condition.is_some_and(|it| reads(plan, it));
        conditions.filter(reads).map(|(id, key, _)| Site::Guard(id, key)).collect()
    }
}
