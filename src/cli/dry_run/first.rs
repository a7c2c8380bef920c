//! What reads a probe first. What is asked before the run has changed anything must have data now; the rest has time.

use std::collections::BTreeMap;

use crate::model::{
    Action, ConditionId, Criterion, GuardId, Node, Part, PhaseId, Plan, ProbeId, Scope, StepId, Wait, Work,
};

/// By whom each probe is read first, as the end of a sentence: `step load`. One that nothing reads is not there.
pub(super) fn readers(plan: &Plan) -> BTreeMap<ProbeId, String> {
    let mut readers = Readers { plan, first: BTreeMap::new() };
    readers.start();
    for node in plan.order() {
        match plan.graph()[*node] {
            Node::PhaseStart(phase) => readers.phase(phase),
            Node::Step(step) => readers.step(step),
            Node::PhaseEnd(phase) => {
                let name = &plan.phase(phase).name;
                readers.criteria(&plan.phase(phase).success, &format!("the criteria of phase {name}"));
            }
        }
    }
    readers.way_back();
    readers.first
}

/// Whether a guard is awake before the first effect, in what can begin at once.
pub(super) fn is_guard(plan: &Plan, guard: GuardId) -> bool {
    match &plan.guard(guard).scope {
        Scope::Everywhere => true,
        Scope::Phases(phases) => phases.iter().any(|phase| is_first(plan, *phase)),
        Scope::Steps(steps) => steps.iter().any(|step| {
            let step = plan.step(*step);
            step.needs.is_empty() && step.phase.is_none_or(|phase| is_first(plan, phase))
        }),
    }
}

/// Whether the baseline is taken before the first effect.
pub(super) fn is_baseline(plan: &Plan) -> bool {
    plan.baseline().is_some_and(|baseline| baseline.before.is_none_or(|phase| is_first(plan, phase)))
}

fn is_first(plan: &Plan, phase: PhaseId) -> bool {
    plan.phase(phase).needs.is_empty()
}

struct Readers<'p> {
    plan: &'p Plan,
    first: BTreeMap<ProbeId, String>,
}

impl Readers<'_> {
    fn probes(&mut self, probes: &[ProbeId], by: &str) {
        for probe in probes {
            self.first.entry(*probe).or_insert_with(|| by.to_owned());
        }
    }

    fn condition(&mut self, condition: ConditionId, by: &str) {
        let plan = self.plan;
        self.probes(&plan.condition(condition).probes, by);
    }

    fn criteria(&mut self, criteria: &[Criterion], by: &str) {
        for criterion in criteria {
            self.condition(criterion.condition, by);
        }
    }

    fn guards(&mut self, of: impl Fn(&Plan, GuardId) -> bool) {
        let plan = self.plan;
        for id in plan.guard_ids().filter(|id| of(plan, *id)) {
            let guard = plan.guard(id);
            self.probes(&plan.guard_probes(id), &format!("{} {}", guard.kind(), guard.name));
        }
    }

    fn baseline(&mut self) {
        if let Some(baseline) = self.plan.baseline() {
            self.probes(&baseline.probes, "the baseline");
            self.criteria(&baseline.require, "the baseline");
        }
    }

    fn start(&mut self) {
        self.criteria(self.plan.preflight(), "preflight");
        self.guards(is_guard);
        if is_baseline(self.plan) {
            self.baseline();
        }
    }

    fn phase(&mut self, id: PhaseId) {
        let phase = self.plan.phase(id);
        if self.plan.baseline().is_some_and(|baseline| baseline.before == Some(id)) {
            self.baseline();
        }
        self.criteria(&phase.require, &format!("phase {}", phase.name));
        self.guards(|plan, guard| matches!(&plan.guard(guard).scope, Scope::Phases(phases) if phases.contains(&id)));
    }

    fn step(&mut self, id: StepId) {
        let step = self.plan.step(id);
        self.guards(|plan, guard| matches!(&plan.guard(guard).scope, Scope::Steps(steps) if steps.contains(&id)));
        let by = format!("step {}", step.name);
        self.work(step.work(Part::Forward), &by);
        if let Some(progress) = &step.progress {
            self.probes(&[progress.probe], &by);
        }
        // Measured from the moment that the step is done, to say whether the way back is open.
        for undo in step.undo() {
            self.criteria(&undo.require, &format!("the way back of step {}", step.name));
        }
    }

    fn way_back(&mut self) {
        let plan = self.plan;
        for step in plan.steps() {
            for undo in step.undo() {
                self.work(undo, &format!("the undo of step {}", step.name));
            }
        }
        self.criteria(&plan.about().restored, "the end of a rollback");
    }

    fn work(&mut self, work: &Work, by: &str) {
        for condition in work.when.iter().chain(&work.done_when) {
            self.condition(*condition, by);
        }
        self.criteria(&work.require, by);
        match &work.action {
            Action::Wait(Wait::Until { condition, .. }) => self.condition(*condition, by),
            Action::Gate(gate) => self.probes(&gate.show, by),
            Action::Ramp(ramp) => {
                self.criteria(ramp.confirm.as_slice(), by);
                self.criteria(&ramp.advance, by);
                if let Some(condition) = &ramp.hold_while {
                    self.condition(*condition, by);
                }
            }
            Action::Wait(Wait::For(_)) | Action::Run(_) | Action::Http(_) | Action::Sql(_) | Action::Manual(_) => {}
        }
        self.criteria(&work.success, by);
    }
}
