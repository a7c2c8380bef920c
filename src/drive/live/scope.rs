//! What a run knows: variables, and what its steps left behind. The values of templates and conditions, and the environment
//! of processes.
//!
//! It must not know how anything is measured or sent; probe values are lent to it for one judgement.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value as Json;
use sha2::{Digest, Sha256};

use super::attempt::{Expect, Locals};
use super::outputs::Outputs;
use super::secret::{Secrets, hex};
use crate::measure::{Program, Scope, Series};
use crate::model::{AttemptId, Figure, Part, Plan, RunId, StepId, StepOutcome, Summaries, Value};
use crate::syntax::template::Values;

/// Variables, and what became of steps.
#[derive(Clone, Debug)]
pub struct RunScope {
    plan: Arc<Plan>,
    run: RunId,
    folder: PathBuf,
    vars: Arc<BTreeMap<String, Value>>,
    steps: BTreeMap<StepId, Left>,
    /// All of both that must not be seen.
    secrets: Secrets,
    baseline: Arc<Summaries>,
}

/// What a step left behind so far.
#[derive(Clone, Debug, Default)]
struct Left {
    outcome: Option<StepOutcome>,
    attempts: u32,
    outputs: BTreeMap<String, Value>,
    /// Which value its ramp is at.
    value: u16,
}

impl RunScope {
    /// A run at its beginning. Relative paths mean `folder`.
    pub fn new(plan: Arc<Plan>, run: RunId, folder: PathBuf, vars: BTreeMap<String, Value>) -> Self {
        let (vars, steps, secrets) = (Arc::new(vars), BTreeMap::new(), Secrets::default());
        let mut scope = Self { plan, run, folder, vars, steps, secrets, baseline: Arc::default() };
        scope.gather_secrets();
        scope
    }

    /// The folder that relative paths mean.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The plan that is carried out.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Everything that must not be seen: secret variables and secret outputs.
    pub fn secrets(&self) -> Secrets {
        self.secrets.clone()
    }

    /// Looks for them in all that is known: only for when one has come or gone.
    fn gather_secrets(&mut self) {
        let outputs = self.steps.values().flat_map(|left| left.outputs.values());
        let secret = self.vars.values().chain(outputs).filter(|value| value.secret);
        self.secrets = Secrets::new(secret.map(|value| &value.json));
    }

    /// An attempt of the step's way forward was started.
    pub fn note_attempt(&mut self, attempt: AttemptId) {
        if attempt.part == Part::Forward {
            self.steps.entry(attempt.step).or_default().attempts += 1;
        }
    }

    /// The ramp of a step is at this value from now on.
    pub fn note_value(&mut self, step: StepId, value: u16) {
        self.steps.entry(step).or_default().value = value;
    }

    /// What an attempt sets, where it is one of a ramp.
    pub fn value_of(&self, attempt: AttemptId) -> Option<&Json> {
        let ramp = self.plan.step(attempt.step).work(attempt.part).ramp()?;
        let value = self.steps.get(&attempt.step).map_or(0, |left| left.value);
        ramp.values.get(usize::from(value)).map(|value| &value.value)
    }

    /// What became of a step.
    pub fn note_outcome(&mut self, step: StepId, outcome: StepOutcome) {
        self.steps.entry(step).or_default().outcome = Some(outcome);
    }

    /// What an attempt of a step's way forward gave; a later one's replace those of the same names.
    pub fn note_outputs(&mut self, step: StepId, outputs: &Outputs) {
        let value =
            |secret: bool| move |(name, json): (&String, &Json)| (name.clone(), Value { json: json.clone(), secret });
        let left = self.steps.entry(step).or_default();
        left.outputs.extend(outputs.open.iter().map(value(false)));
        left.outputs.extend(outputs.secret.iter().map(value(true)));
        if !outputs.secret.is_empty() {
            self.gather_secrets();
        }
    }

    /// The figures of the baseline; a rollback keeps them (R11).
    pub fn note_baseline(&mut self, baseline: &Summaries) {
        self.baseline = Arc::new(baseline.clone());
    }

    /// A rollback has undone it: nothing of it is known any more.
    pub fn forget(&mut self, step: StepId) {
        let forgotten = self.steps.remove(&step);
        if forgotten.is_some_and(|left| left.outputs.values().any(|value| value.secret)) {
            self.gather_secrets();
        }
    }

    /// What every process is told: its place in the run and the variables. `TRACEPARENT` is W3C Trace Context.
    pub fn environment(&self, attempt: Option<AttemptId>, output: Option<&Path>) -> BTreeMap<String, String> {
        let mut env: BTreeMap<String, String> = self
            .vars
            .iter()
            .map(|(name, value)| (format!("RUNBOOK_VAR_{}", name.to_ascii_uppercase()), as_text(&value.json)))
            .collect();
        env.insert("RUNBOOK_RUN_ID".to_owned(), self.run.0.clone());
        env.insert("TRACEPARENT".to_owned(), self.trace(attempt));
        if let Some(attempt) = attempt {
            env.insert("RUNBOOK_STEP".to_owned(), self.plan.step(attempt.step).name.clone());
            env.insert("RUNBOOK_ATTEMPT".to_owned(), attempt.number.to_string());
            if let Some(value) = self.value_of(attempt) {
                env.insert("RUNBOOK_VALUE".to_owned(), as_text(value));
            }
        }
        if let Some(output) = output {
            env.insert("RUNBOOK_OUTPUT".to_owned(), output.to_string_lossy().into_owned());
        }
        env
    }

    /// The trace of the run, and the span of an attempt in it. The same after a crash.
    pub fn trace(&self, attempt: Option<AttemptId>) -> String {
        let trace = Sha256::digest(&self.run.0);
        let span = Sha256::digest(format!("{} {attempt:?}", self.run.0));
        format!("00-{}-{}-01", hex(&trace[..16]), hex(&span[..8]))
    }

    fn left(&self, step: &str) -> Option<&Left> {
        self.steps.get(&self.plan.step_named(step)?)
    }

    fn output(&self, step: &str, output: &str) -> Option<Value> {
        self.left(step)?.outputs.get(output).cloned()
    }
}

/// Text as it is; anything else as its JSON.
fn as_text(value: &Json) -> String {
    match value {
        Json::String(text) => text.clone(),
        other => other.to_string(),
    }
}

impl Values for RunScope {
    fn get(&self, path: &str) -> Option<Value> {
        let open = |text: String| Value { json: Json::String(text), secret: false };
        match path.split('.').collect::<Vec<_>>().as_slice() {
            ["vars", name] => self.vars.get(*name).cloned(),
            ["steps", step, "outputs", output] => self.output(step, output),
            ["run", "id"] => Some(open(self.run.0.clone())),
            ["runbook", name] => self.plan.about().text(name).map(|text| open(text.to_owned())),
            _ => None,
        }
    }
}

/// A run, seen by a condition at one moment.
#[derive(Clone, Copy)]
pub struct View<'a> {
    /// Variables and steps.
    pub run: &'a RunScope,
    /// The latest fresh value of each probe that has one.
    pub probes: &'a BTreeMap<String, Json>,
    /// The names of the place.
    pub locals: &'a Locals,
}

impl Scope for View<'_> {
    fn var(&self, name: &str) -> Option<Value> {
        self.run.vars.get(name).cloned()
    }

    fn probe(&self, name: &str) -> Option<Json> {
        self.probes.get(name).cloned()
    }

    fn series(&self, _probe: &str) -> Option<&Series> {
        // The judge has the history; what is judged without it (`expect`) cannot read any.
        None
    }

    fn baseline(&self, name: &str, figure: Figure) -> Option<Json> {
        Some(Json::Number(self.run.baseline.get(name)?.figure(figure)))
    }

    fn step_outcome(&self, step: &str) -> Option<StepOutcome> {
        self.run.plan.step_named(step)?;
        Some(self.run.left(step).and_then(|left| left.outcome).unwrap_or(StepOutcome::Pending))
    }

    fn step_attempts(&self, step: &str) -> Option<u32> {
        self.run.plan.step_named(step)?;
        Some(self.run.left(step).map_or(0, |left| left.attempts))
    }

    fn step_output(&self, step: &str, output: &str) -> Option<Value> {
        self.run.output(step, output)
    }

    fn local(&self, name: &str) -> Option<Json> {
        self.locals.get(name).cloned()
    }
}

/// An `expect` that judges the answer of an action in this run. Probes have no say in it.
pub fn expect(program: Program, run: Arc<RunScope>) -> Expect {
    Arc::new(move |locals| {
        let view = View { run: &run, probes: &BTreeMap::new(), locals };
        (program.judge(&view), program.evidence(&view))
    })
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::{
        About, Action, Attempt, Draft, OnDoubt, OnInterrupt, OnStop, Policy, Retry, Span, Step, Survivors, Wait,
        WayHome, Work,
    };

    /// A plan with one step, `first`, and no way to do anything.
    pub(in super::super) fn draft() -> Draft {
        let forward = Work {
            action: Action::Wait(Wait::For(Span::ZERO)),
            when: None,
            done_when: None,
            require: vec![],
            success: vec![],
            timeout: Span::from_secs(1),
            kill_after: Span::from_secs(1),
            retry: Retry::ONCE,
            survivors: Survivors::Leave,
            outputs: vec![],
        };
        let step = Step {
            name: "first".into(),
            phase: None,
            needs: vec![],
            summary: None,
            owner: None,
            docs: None,
            remedy: None,
            forward,
            way_home: WayHome::NoEffect,
            undo_after: vec![],
            idempotent: true,
            undo_found: false,
            on_stop: OnStop::Stop,
            held_for: None,
            on_failure: Policy::Stop,
            on_doubt: OnDoubt::Rerun,
            progress: None,
        };
        let about = About {
            name: "book".into(),
            version: Some("3".into()),
            summary: None,
            owner: None,
            docs: None,
            timeout: Span::from_secs(60),
            rollback_timeout: None,
            rollback_window: Span::ZERO,
            max_parallel: 8,
            lock: "book".into(),
            restored: vec![],
            env: BTreeMap::new(),
            requires: vec![],
            on_interrupt: OnInterrupt::Leave,
            output_max: 1 << 20,
        };
        Draft {
            about,
            vars: vec![],
            preflight: vec![],
            probes: vec![],
            conditions: vec![],
            guards: vec![],
            baseline: None,
            phases: vec![],
            steps: vec![step],
            parts: vec![],
        }
    }

    pub(in super::super) fn scope(vars: &[(&str, Json, bool)]) -> RunScope {
        let plan = Arc::new(Plan::new(draft()).unwrap());
        let vars =
            vars.iter().map(|(name, json, secret)| ((*name).to_owned(), Value { json: json.clone(), secret: *secret }));
        RunScope::new(plan, RunId("r1".into()), std::env::temp_dir(), vars.collect())
    }

    fn first() -> AttemptId {
        AttemptId { step: StepId::at(0), part: Part::Forward, number: Attempt::FIRST }
    }

    #[test]
    fn a_template_finds_variables_outputs_and_the_run_by_their_paths() {
        let mut scope = scope(&[("host", json!("10.0.0.1"), false)]);
        let mut outputs = Outputs::default();
        outputs.open.insert("id".into(), json!(7));
        outputs.secret.insert("token".into(), json!("swordfish"));
        scope.note_outputs(StepId::at(0), &outputs);
        let get = |path: &str| scope.get(path).map(|value| (value.json, value.secret));
        assert_eq!(get("vars.host"), Some((json!("10.0.0.1"), false)));
        assert_eq!(get("steps.first.outputs.id"), Some((json!(7), false)));
        assert_eq!(get("steps.first.outputs.token"), Some((json!("swordfish"), true)));
        assert_eq!(get("run.id"), Some((json!("r1"), false)));
        assert_eq!(get("runbook.version"), Some((json!("3"), false)));
        for path in ["vars.other", "steps.first.outputs.other", "steps.other.outputs.id", "runbook.owner", "vars"] {
            assert_eq!(get(path), None, "{path}");
        }
        assert_eq!(scope.secrets().mask("a swordfish"), "a [secret]");
    }

    #[test]
    fn an_undone_step_is_known_as_before_its_start() {
        let mut scope = scope(&[]);
        scope.note_attempt(first());
        scope.note_outcome(StepId::at(0), StepOutcome::Done);
        let view = |scope: &RunScope| {
            let (probes, locals) = (BTreeMap::new(), Locals::new());
            let view = View { run: scope, probes: &probes, locals: &locals };
            (view.step_outcome("first"), view.step_attempts("first"), view.step_outcome("other"))
        };
        assert_eq!(view(&scope), (Some(StepOutcome::Done), Some(1), None));
        scope.forget(StepId::at(0));
        assert_eq!(view(&scope), (Some(StepOutcome::Pending), Some(0), None));
    }

    #[test]
    fn a_process_is_told_its_place_and_the_variables() {
        let scope = scope(&[("weights", json!([1, 10]), false), ("password", json!("swordfish"), true)]);
        let env = scope.environment(Some(first()), Some(Path::new("/run/out")));
        let told = |name: &str| env.get(name).map(String::as_str);
        assert_eq!(told("RUNBOOK_VAR_WEIGHTS"), Some("[1,10]"));
        assert_eq!(told("RUNBOOK_VAR_PASSWORD"), Some("swordfish"));
        assert_eq!(told("RUNBOOK_RUN_ID"), Some("r1"));
        assert_eq!(told("RUNBOOK_STEP"), Some("first"));
        assert_eq!(told("RUNBOOK_ATTEMPT"), Some("1"));
        assert_eq!(told("RUNBOOK_OUTPUT"), Some("/run/out"));
        let trace = told("TRACEPARENT").unwrap();
        assert_eq!(trace.split('-').map(str::len).collect::<Vec<_>>(), [2, 32, 16, 2]);
        // One trace for the run, one span for each attempt.
        let second = AttemptId { number: Attempt::FIRST.next(), ..first() };
        assert_eq!(scope.trace(Some(second))[..35], trace[..35]);
        assert_ne!(scope.trace(Some(second)), trace);
        assert_eq!(scope.environment(None, None).get("RUNBOOK_STEP"), None);
    }
}
