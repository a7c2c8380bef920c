//! R2 on the way forward: what can never fit is an error, what may not fit a warning with the numbers.

use super::{Finding, Proof, Site};
use crate::model::{Action, Bounds, Criterion, Node, PhaseId, Span, StepId, Wait, Work};
use crate::syntax::bounds::{Paths, baseline_nodes, phase_forward, work};

pub(super) fn prove(proof: &mut Proof<'_>) {
    let mut fits = true;
    for id in proof.plan.step_ids() {
        fits &= one_step(proof, id);
    }
    criteria(proof);
    waits(proof);
    if fits {
        all_attempts(proof);
    }
}

/// The tightest timeout around a step, and whose it is.
fn around(proof: &Proof<'_>, step: StepId) -> (String, Span) {
    let run = proof.plan.about().timeout;
    let phase = proof.plan.step(step).phase.map(|phase| proof.plan.phase(phase));
    match phase.and_then(|phase| phase.timeout.map(|timeout| (phase, timeout))) {
        Some((phase, timeout)) if timeout <= run => (format!("phase `{}`", phase.name), timeout),
        _ => ("the run".to_owned(), run),
    }
}

/// Whether one step fits what is around it.
fn one_step(proof: &mut Proof<'_>, id: StepId) -> bool {
    let step = proof.plan.step(id);
    let (one, all) = (work::attempt(&step.forward), work::attempts(&step.forward));
    let (around, bound) = around(proof, id);
    if one == Span::MAX {
        // It has no bound at all, which has been said.
        return false;
    }
    if let Some(ramp) = step.forward.ramp() {
        let takes = work::ramp_at_least(proof.plan, ramp);
        if takes > one {
            let (step, at) = (step.name.clone(), proof.at(Site::Step(id, "hold")));
            proof.add(Finding::RampNeverFits { step, takes, bound: one, at });
        }
    }
    if one > bound {
        let (key, kind) = match step.forward.action {
            Action::Wait(_) => ("wait", "the wait"),
            Action::Ramp(_) => ("timeout", "the ramp"),
            _ => ("timeout", "one attempt"),
        };
        let at = proof.at(Site::Step(id, key));
        let what = format!("{kind} of `{}`", step.name);
        proof.add(Finding::NeverFits { what, takes: one, around, bound, at });
    } else if all > bound {
        let attempts = step.forward.retry.attempts;
        let (step, at) = (step.name.clone(), proof.at(Site::Step(id, "retry")));
        proof.add(Finding::AttemptsMayNotFit { step, attempts, takes: all, around, bound, at });
    }
    all <= bound
}

/// A `for`, samples or a covered past longer than the bound around them.
fn criteria(proof: &mut Proof<'_>) {
    let plan = proof.plan;
    for (n, one) in plan.preflight().iter().enumerate() {
        criterion(proof, one, || Site::Preflight(u16::try_from(n).unwrap_or(u16::MAX)));
    }
    for one in &plan.about().restored {
        criterion(proof, one, || Site::Runbook("restored"));
    }
    for one in plan.baseline().into_iter().flat_map(|baseline| &baseline.require) {
        criterion(proof, one, || Site::Baseline("require"));
    }
    for id in plan.phase_ids() {
        let phase = plan.phase(id);
        phase.require.iter().for_each(|one| criterion(proof, one, || Site::Phase(id, "require")));
        phase.success.iter().for_each(|one| criterion(proof, one, || Site::Phase(id, "success")));
    }
    for id in plan.step_ids() {
        let step = plan.step(id);
        of_work(proof, &step.forward, |key| Site::Step(id, key));
        for (n, undo) in (0..).zip(step.undo()) {
            of_work(proof, undo, |key| Site::Undo(id, n, key));
        }
    }
}

fn of_work(proof: &mut Proof<'_>, work: &Work, site: impl Fn(&'static str) -> Site) {
    work.require.iter().for_each(|one| criterion(proof, one, || site("require")));
    work.success.iter().for_each(|one| criterion(proof, one, || site("success")));
    if let Some(confirm) = work.ramp().and_then(|ramp| ramp.confirm.as_ref()) {
        criterion(proof, confirm, || site("confirm"));
    }
    if let Action::Wait(Wait::Until { condition, within }) = &work.action {
        let one = Criterion { condition: *condition, say: None, hold_for: None, within: Some(*within), count: None };
        criterion(proof, &one, || site("wait"));
    }
}

fn criterion(proof: &mut Proof<'_>, criterion: &Criterion, site: impl Fn() -> Site) {
    let takes = work::criterion_at_least(proof.plan, criterion);
    if let Some(within) = criterion.within.filter(|&within| takes > within) {
        let at = proof.at(site());
        proof.add(Finding::CriterionNeverFits { within, takes, at });
    }
}

/// By node, a span for each step and for the end of each phase.
fn own_spans(proof: &Proof<'_>, of_step: impl Fn(StepId) -> Span, of_end: impl Fn(PhaseId) -> Span) -> Vec<Span> {
    let graph = proof.plan.graph();
    let own = |node| match graph[node] {
        Node::Step(step) => of_step(step),
        Node::PhaseStart(_) => Span::ZERO,
        Node::PhaseEnd(phase) => of_end(phase),
    };
    graph.node_indices().map(own).collect()
}

/// What takes its time however well everything goes.
fn waits(proof: &mut Proof<'_>) {
    let plan = proof.plan;
    let held =
        |list: &[Criterion]| list.iter().map(|one| work::criterion_at_least(plan, one)).max().unwrap_or_default();
    let of_step = |id| {
        let work = &plan.step(id).forward;
        let waits = match &work.action {
            Action::Wait(Wait::For(span)) if work.done_when.is_none() => *span,
            Action::Ramp(ramp) if work.done_when.is_none() => work::ramp_at_least(plan, ramp),
            _ => Span::ZERO,
        };
        if work.when.is_some() { Span::ZERO } else { waits.plus(held(&work.success)) }
    };
    let mut own = own_spans(proof, of_step, |phase| held(&plan.phase(phase).success));
    if let Some(baseline) = plan.baseline() {
        for node in baseline_nodes(plan, baseline) {
            own[node.index()] = own[node.index()].plus(baseline.over);
        }
    }
    let paths = Paths::of(plan, &own);
    for id in plan.phase_ids() {
        let phase = plan.phase(id);
        let takes = paths.in_phase[plan.phase_nodes(id).1.index()];
        // A single one of them has been found already.
        let one_by_one = |&step: &StepId| work::attempt(&plan.step(step).forward) <= phase.timeout.unwrap_or(Span::MAX);
        if let Some(bound) = phase.timeout.filter(|&bound| takes > bound && phase.steps.iter().all(one_by_one)) {
            let (around, at) = (format!("phase `{}`", phase.name), proof.at(Site::Phase(id, "timeout")));
            proof.add(Finding::WaitsNeverFit { around, takes, bound, at });
        }
    }
    let (takes, bound) = (paths.longest(), plan.about().timeout);
    let one_by_one = plan.steps().iter().all(|step| work::attempt(&step.forward) <= bound);
    if takes > bound && one_by_one {
        let at = proof.at(Site::Runbook("timeout"));
        proof.add(Finding::WaitsNeverFit { around: "the run".to_owned(), takes, bound, at });
    }
}

/// All attempts of a phase, and of the run.
fn all_attempts(proof: &mut Proof<'_>) {
    let plan = proof.plan;
    let own = own_spans(proof, |id| work::attempts(&plan.step(id).forward), |_| Span::ZERO);
    let paths = Paths::of(plan, &own);
    let slots = plan.about().max_parallel;
    for id in plan.phase_ids() {
        let takes = phase_forward(plan, id, &own, &paths, slots);
        if let Some(bound) = plan.phase(id).timeout.filter(|&bound| takes > bound) {
            let (around, at) = (format!("phase `{}`", plan.phase(id).name), proof.at(Site::Phase(id, "timeout")));
            proof.add(Finding::PhaseMayNotFit { around, takes, bound, at });
        }
    }
    let work = own.iter().fold(Span::ZERO, |sum, &span| sum.plus(span));
    let (takes, bound) = (Bounds::shared(slots, work, paths.longest()), plan.about().timeout);
    if takes > bound {
        let at = proof.at(Site::Runbook("timeout"));
        proof.add(Finding::PhaseMayNotFit { around: "the run".to_owned(), takes, bound, at });
    }
}
