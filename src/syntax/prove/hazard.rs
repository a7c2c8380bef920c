//! What is legal and has cost people a night: warnings (DESIGN.md, section 4).

use super::{Finding, Proof, Site};
use crate::model::{Action, Budget, Node, PhaseId, Plan, ProbeId, RunCommand, StepId, Wait, Work};

pub(super) fn prove(proof: &mut Proof<'_>) {
    for id in proof.plan.step_ids() {
        forward(proof, id);
        undo(proof, id);
    }
    for id in proof.plan.phase_ids() {
        interruption(proof, id);
    }
    probes(proof);
}

fn forward(proof: &mut Proof<'_>, id: StepId) {
    let step = proof.plan.step(id);
    let name = || step.name.clone();
    if let Action::Gate(gate) = &step.forward.action {
        if gate.expires.is_none() {
            let at = proof.at(Site::Step(id, "gate"));
            proof.add(Finding::GateWithoutExpiry { gate: name(), at });
        }
        return;
    }
    if let Some(progress) = step.progress
        && progress.stall >= step.forward.timeout
    {
        let (timeout, at) = (step.forward.timeout, proof.at(Site::Step(id, "progress")));
        proof.add(Finding::StallNeverSeen { step: name(), timeout, stall: progress.stall, at });
    }
    let acts = !matches!(step.forward.action, Action::Wait(_));
    if !acts || !step.has_effect() {
        return;
    }
    let attempts = step.forward.retry.attempts;
    if attempts > 1 && !step.idempotent {
        let at = proof.at(Site::Step(id, "retry"));
        proof.add(Finding::RetryNotIdempotent { step: name(), attempts, at });
    }
    let is_remote = matches!(step.forward.attempted().action, Action::Http(_) | Action::Sql(_));
    if is_remote && !step.idempotent && step.forward.done_when.is_none() {
        let key = if step.forward.ramp().is_some() { "set" } else { step.forward.action.word() };
        let at = proof.at(Site::Step(id, key));
        proof.add(Finding::CannotBeTold { step: name(), at });
    }
    let confirms = step.forward.ramp().is_some_and(|ramp| ramp.confirm.is_some());
    if step.forward.success.is_empty() && !confirms {
        let at = proof.at(Site::Step(id, ""));
        proof.add(Finding::NotMeasured { step: name(), at });
    }
}

fn undo(proof: &mut Proof<'_>, id: StepId) {
    let step = proof.plan.step(id);
    if !step.undo().is_empty() && step.undo().iter().all(is_hollow) {
        let at = proof.at(Site::Undo(id, 0, "run"));
        proof.add(Finding::HollowUndo { step: step.name.clone(), at });
    }
}

/// Whether nothing but `true`, `:` and `echo` is in it, with no output going anywhere.
fn is_hollow(work: &Work) -> bool {
    let Action::Run(run) = &work.action else { return false };
    let says_nothing = |word: &str| matches!(word.rsplit('/').next(), Some("true" | ":" | "echo"));
    match &run.command {
        RunCommand::Args(args) => args.first().is_some_and(|program| says_nothing(&program.0)),
        RunCommand::Script { text, .. } => {
            let lines = text.0.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
            let mut commands =
                lines.flat_map(|line| line.split([';', '&', '|'])).filter(|command| !command.trim().is_empty());
            !text.0.contains(['>', '$', '`']) && commands.all(|c| c.split_whitespace().next().is_some_and(says_nothing))
        }
    }
}

/// Something is measured before a phase begins to interrupt: its own `require`, the criteria of what lies before its first
/// effect, or (in the first phase) the preflight.
fn interruption(proof: &mut Proof<'_>, id: PhaseId) {
    let plan = proof.plan;
    let phase = plan.phase(id);
    let Some(interrupts) = &phase.interrupts else { return };
    let preflight = phase.needs.is_empty() && !plan.preflight().is_empty();
    let before = phase.needs.iter().any(|&before| !plan.phase(before).success.is_empty());
    if preflight || before || !phase.require.is_empty() {
        return;
    }
    if let Some(step) = first_blind_effect(plan, id) {
        let (step, at) = (plan.step(step).name.clone(), proof.at(Site::Phase(id, "interrupts")));
        let (phase, what) = (phase.name.clone(), interrupts.what.clone());
        proof.add(Finding::InterruptsBlindly { phase, what, step, at });
    }
}

/// The first step of a phase that has an effect, where nothing was measured in the phase before it.
fn first_blind_effect(plan: &Plan, id: PhaseId) -> Option<StepId> {
    let mut seen = vec![false; plan.graph().node_count()];
    let in_phase = plan.order().iter().filter_map(|&node| match plan.graph()[node] {
        Node::Step(step) if plan.step(step).phase == Some(id) => Some((node, step)),
        Node::Step(_) | Node::PhaseStart(_) | Node::PhaseEnd(_) => None,
    });
    for (node, id) in in_phase {
        let step = plan.step(id);
        let before = plan.graph().neighbors_directed(node, petgraph::Incoming).any(|before| seen[before.index()]);
        let first = before || !step.forward.require.is_empty();
        if step.has_effect() && !first {
            return Some(id);
        }
        let waits = matches!(step.forward.action, Action::Wait(Wait::Until { .. }));
        let confirms = step.forward.ramp().is_some_and(|ramp| ramp.confirm.is_some());
        seen[node.index()] = first || waits || confirms || !step.forward.success.is_empty();
    }
    None
}

fn probes(proof: &mut Proof<'_>) {
    let plan = proof.plan;
    let mut used = vec![false; plan.probes().len()];
    let shown = plan.steps().iter().filter_map(|step| match &step.forward.action {
        Action::Gate(gate) => Some(&gate.show),
        Action::Run(_) | Action::Http(_) | Action::Sql(_) | Action::Wait(_) | Action::Manual(_) | Action::Ramp(_) => {
            None
        }
    });
    let read = plan.conditions().iter().map(|condition| &condition.probes);
    let compared = plan.baseline().map(|baseline| &baseline.probes);
    for probe in plan.guards().iter().filter_map(|guard| guard.rule.budget()).flat_map(Budget::probes) {
        used[probe.index()] = true;
    }
    for progress in plan.steps().iter().filter_map(|step| step.progress) {
        used[progress.probe.index()] = true;
    }
    shown.chain(read).chain(compared).flatten().for_each(|probe| used[probe.index()] = true);
    for id in (0..used.len()).filter(|&at| !used[at]).map(ProbeId::at) {
        let at = proof.at(Site::Probe(id, ""));
        proof.add(Finding::UnusedProbe { probe: plan.probe(id).name.clone(), at });
    }
}
