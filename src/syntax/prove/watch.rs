//! What is watched long enough to be seen: a ramp goes on by what is measured, so a value must last until it could be.

use super::{Finding, Proof, Site};
use crate::model::{
    Bracket, Criterion, Node, OnBreach, PhaseId, Plan, ProbeId, Ramp, Scope, Span, StepId, Target, Watched,
};
use crate::syntax::bounds::work;

pub(super) fn prove(proof: &mut Proof<'_>) {
    for id in proof.plan.step_ids() {
        if let Some(ramp) = proof.plan.step(id).forward.ramp() {
            one_ramp(proof, id, ramp);
        }
    }
}

/// The guard that sees last, and the value that it sees least of: what mends that mends the others.
fn one_ramp(proof: &mut Proof<'_>, id: StepId, ramp: &Ramp) {
    let plan = proof.plan;
    let stays = work::ramp_stays(plan, ramp);
    // What the ramp itself stays for is seen before it goes on.
    let waits_for = |probe| ramp.hold_while.is_some_and(|id| plan.condition(id).probes.contains(probe));
    let watchers = watchers(plan, id).filter(|watcher| !watcher.probes(plan).iter().all(waits_for));
    let unseen = watchers.filter_map(|watcher| {
        let seen = work::seen_after(plan, watcher.rule);
        let held = |(n, stay): (usize, &Span)| {
            let is_last = n + 1 == stays.len();
            (if is_last && *stay < seen { stay.plus(watcher.after(plan, id)) } else { *stay }, n)
        };
        let (held, n) = stays.iter().enumerate().map(held).min()?;
        (held < seen).then_some((seen, held, n, watcher.name))
    });
    let worst = unseen.reduce(|worst, other| if other.0 > worst.0 { other } else { worst });
    if let Some((seen, held, n, guard)) = worst {
        let (step, guard) = (plan.step(id).name.clone(), guard.to_owned());
        let (value, at) = (ramp.values[n].text(), proof.at(Site::Step(id, "hold")));
        proof.add(Finding::HoldTooShort { step, value, held, guard, seen, at });
    }
}

/// A guard that is awake while a step runs, and decides something.
struct Watcher<'p> {
    name: &'p str,
    scope: &'p Scope,
    rule: &'p Watched,
}

/// Budgets are not among them: they count on over all values.
fn watchers(plan: &Plan, step: StepId) -> impl Iterator<Item = Watcher<'_>> {
    let deciding = plan.guards().iter().filter(|guard| guard.on_breach != OnBreach::Warn);
    deciding
        .filter(move |guard| is_in(plan, &guard.scope, step))
        .filter_map(|guard| Some(Watcher { name: &guard.name, scope: &guard.scope, rule: guard.rule.condition()? }))
}

fn is_in(plan: &Plan, scope: &Scope, step: StepId) -> bool {
    match scope {
        Scope::Everywhere => true,
        Scope::Phases(phases) => plan.step(step).phase.is_some_and(|phase| phases.contains(&phase)),
        Scope::Steps(steps) => steps.iter().any(|named| *named == step || is_inside(plan, *named, step)),
    }
}

/// Whether a step runs inside a bracket, which its guards watch over as long as it is held (R12a).
fn is_inside(plan: &Plan, bracket: StepId, step: StepId) -> bool {
    let reaches = match plan.step(bracket).held_for {
        None => false,
        Some(Bracket::Phase) => plan.step(bracket).phase == plan.step(step).phase,
        Some(Bracket::Run) => true,
    };
    reaches && plan.downstream(Target::Step(bracket)).contains(&plan.step_node(step))
}

impl Watcher<'_> {
    fn probes<'p>(&self, plan: &'p Plan) -> &'p [ProbeId] {
        &plan.condition(self.rule.require).probes
    }

    /// How long it watches on behind the last value: for ever where another step of its scope follows, whose own affair it is.
    fn after(&self, plan: &Plan, step: StepId) -> Span {
        let follows = |node| match plan.graph()[node] {
            Node::Step(other) => is_in(plan, self.scope, other),
            Node::PhaseStart(_) | Node::PhaseEnd(_) => false,
        };
        if plan.downstream(Target::Step(step)).into_iter().any(follows) {
            return Span::MAX;
        }
        let measured = longest(plan, &plan.step(step).forward.success);
        let ends_with_phase = |phase: PhaseId| longest(plan, &plan.phase(phase).success);
        let watches_phase = match self.scope {
            Scope::Everywhere | Scope::Phases(_) => true,
            // A bracket of the phase is closed before the phase is measured.
            Scope::Steps(steps) => steps.iter().any(|named| plan.step(*named).held_for == Some(Bracket::Run)),
        };
        let phase = plan.step(step).phase.filter(|_| watches_phase);
        measured.plus(phase.map(ends_with_phase).unwrap_or_default())
    }
}

/// Criteria of one place are measured side by side.
fn longest(plan: &Plan, criteria: &[Criterion]) -> Span {
    criteria.iter().map(|one| work::criterion_at_least(plan, one)).max().unwrap_or_default()
}
