//! What the ways back of a run say now: the probes that undos `require` are asked once (R24). They only read.

use std::path::Path;
use std::sync::Arc;

use serde_json::{Value as Json, json};

use super::failure::Failure;
use super::past::Past;
use super::stage;
use crate::drive::live::gauge::Gauge;
use crate::drive::live::once::once;
use crate::drive::live::start;
use crate::model::{ConditionId, Plan, StepId, Time, Verdict};

/// One undo, and what it requires.
pub(super) struct WayBack {
    pub(super) step: StepId,
    criteria: Vec<Criterion>,
}

struct Criterion {
    condition: ConditionId,
    verdict: Verdict,
    evidence: String,
}

/// Measures every undo that a rollback to the start would need now, in the order of the plan. What an undo requires counts
/// only where its step was done (R8a).
pub(super) fn ways_back(past: &Past, secrets: Option<&Path>) -> Result<Vec<WayBack>, Failure> {
    if past.is_way_back_closed() {
        return Err(Failure::refused(format!(
            "the way back of run {} is closed: there is nothing to measure",
            past.run
        )));
    }
    if let Some(step) = past.engine.point_of_no_return() {
        let name = &past.plan.step(step).name;
        return Err(Failure::refused(format!(
            "nothing leads back: step `{name}` of run {} cannot be undone",
            past.run
        )));
    }
    let runtime = stage::runtime()?;
    let secrets = runtime.block_on(super::resume::secrets(&past.plan, &past.bytes, secrets))?;
    let recalled = start::recall(&past.folder, &past.plan, &past.bytes, &secrets).map_err(Failure::could_not)?;
    let scope = Arc::new(recalled.scope);
    let mut gauge = Gauge::new(Arc::clone(&past.plan));
    let watched: Vec<StepId> = past.engine.ways_back_watched().collect();
    for step in &watched {
        gauge.watch_way_back(*step, &scope, Time::ZERO);
    }
    for sample in runtime.block_on(once(&past.plan, &scope, gauge.needed(), past.now())) {
        gauge.sample(sample, &scope);
    }
    let secrets = scope.secrets();
    let criterion = |(condition, standing): (ConditionId, Option<(Verdict, &str)>)| {
        let (verdict, evidence) = standing.unwrap_or((Verdict::NoData, "not measured"));
        Criterion { condition, verdict, evidence: secrets.mask(evidence).into_owned() }
    };
    let undos = past.engine.in_effect().filter(|step| !past.plan.step(*step).undo().is_empty());
    let measured = undos.map(|step| {
        let asked = if watched.contains(&step) { gauge.way_back(step) } else { Vec::new() };
        WayBack { step, criteria: asked.into_iter().map(criterion).collect() }
    });
    Ok(measured.collect())
}

impl WayBack {
    /// Whether going back through it would lose nothing.
    pub(super) fn is_open(&self) -> bool {
        self.criteria.iter().all(|criterion| criterion.verdict == Verdict::Holds)
    }

    /// Why; what shuts it comes first.
    pub(super) fn sentence(&self, plan: &Plan) -> String {
        if self.criteria.is_empty() {
            return "it requires nothing".to_owned();
        }
        let (open, shut): (Vec<_>, Vec<_>) = self.criteria.iter().partition(|it| it.verdict == Verdict::Holds);
        let said: Vec<String> = shut.into_iter().chain(open).map(|it| it.sentence(plan)).collect();
        said.join("; ")
    }

    /// For programs.
    pub(super) fn as_json(&self, plan: &Plan) -> Json {
        let criteria = self.criteria.iter().map(|it| {
            let condition = &plan.condition(it.condition).text;
            json!({ "condition": condition, "verdict": it.verdict, "evidence": it.evidence })
        });
        json!({ "step": plan.step(self.step).name, "open": self.is_open(), "criteria": criteria.collect::<Vec<_>>() })
    }
}

impl Criterion {
    fn sentence(&self, plan: &Plan) -> String {
        let verdict = match self.verdict {
            Verdict::Holds => "holds",
            Verdict::Fails => "does not hold",
            Verdict::NoData => "has no data",
        };
        let evidence = if self.evidence.is_empty() { String::new() } else { format!(": {}", self.evidence) };
        format!("`{}` {verdict}{evidence}", plan.condition(self.condition).text)
    }
}
