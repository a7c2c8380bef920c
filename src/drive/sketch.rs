//! Plans for the tests of drivers, without a text.

use crate::model::{
    About, Action, Condition, ConditionId, Criterion, Draft, Gate, Guard, NoData, OnBreach, OnDoubt, OnInterrupt, OnNo,
    OnStop, Plan, Policy, Retry, Rollback, Rule, Run, RunCommand, Scope, Span, Step, StepId, Survivors, Target,
    Template, Watched, WayHome, Work,
};

/// A draft under construction: a chain, unless a step says otherwise.
pub(super) struct Sketch(pub(super) Draft);

/// A process that does its thing in one attempt.
pub(super) fn run() -> Work {
    let command = RunCommand::Args(vec![Template("true".to_owned())]);
    work(Action::Run(Run { command, cwd: None, env: [].into(), stdin: None, exit: vec![0], expect: None }))
}

pub(super) fn work(action: Action) -> Work {
    Work {
        action,
        when: None,
        done_when: None,
        require: vec![],
        success: vec![],
        timeout: Span::from_secs(60),
        kill_after: Span::from_secs(5),
        retry: Retry::ONCE,
        survivors: Survivors::Leave,
        outputs: vec![],
    }
}

impl Sketch {
    pub(super) fn new() -> Self {
        let about = About {
            name: "sketch".to_owned(),
            version: None,
            summary: None,
            owner: None,
            docs: None,
            timeout: Span::from_secs(3600),
            rollback_timeout: Some(Span::from_secs(600)),
            rollback_window: Span::ZERO,
            max_parallel: 8,
            lock: "sketch".to_owned(),
            restored: vec![],
            env: [].into(),
            requires: vec![],
            on_interrupt: OnInterrupt::Leave,
            output_max: 0,
        };
        Self(Draft {
            about,
            vars: vec![],
            preflight: vec![],
            probes: vec![],
            conditions: vec![],
            guards: vec![],
            baseline: None,
            phases: vec![],
            steps: vec![],
            parts: vec![],
        })
    }

    /// Steps that can be undone, one behind the other.
    pub(super) fn chain(names: &[&str]) -> Self {
        let mut sketch = Self::new();
        for name in names {
            sketch.step(name, run(), WayHome::Undo(vec![run()]));
        }
        sketch
    }

    /// A step behind the last one.
    pub(super) fn step(&mut self, name: &str, forward: Work, way_home: WayHome) -> &mut Step {
        let needs = self.0.steps.len().checked_sub(1).map(StepId::at).into_iter().collect();
        self.0.steps.push(Step {
            name: name.to_owned(),
            phase: None,
            needs,
            summary: None,
            owner: None,
            docs: None,
            remedy: None,
            forward,
            way_home,
            undo_after: vec![],
            idempotent: true,
            undo_found: false,
            on_stop: OnStop::Stop,
            held_for: None,
            on_failure: Policy::Rollback(Rollback { target: Target::Start, then: crate::model::Then::Stop }),
            on_doubt: OnDoubt::Rerun,
            progress: None,
        });
        self.0.steps.last_mut().expect("just added")
    }

    pub(super) fn gate(&mut self, name: &str, expires: Option<Span>) {
        let question = Template("go on?".to_owned());
        let gate = Gate { question, show: vec![], expires, expiry_pauses: false, on_no: OnNo::Stop, confirm: None };
        self.step(name, work(Action::Gate(gate)), WayHome::NoEffect);
    }

    /// A condition that must hold, for a while if it says so.
    pub(super) fn criterion(&mut self, hold_for: Option<Span>) -> Criterion {
        let condition = self.condition();
        Criterion { condition, say: None, hold_for, within: Some(Span::from_secs(10)), count: None }
    }

    fn condition(&mut self) -> ConditionId {
        self.0.conditions.push(Condition {
            text: "true".to_owned(),
            probes: vec![],
            series: vec![],
            reads_baseline: false,
        });
        ConditionId::at(self.0.conditions.len() - 1)
    }

    pub(super) fn guard(&mut self) {
        let require = self.condition();
        self.0.guards.push(Guard {
            name: "errors".to_owned(),
            scope: Scope::Everywhere,
            rule: Rule::Condition(Watched { every: Span::from_secs(1), require, warn: None, failures: 2, of: 3 }),
            no_data: NoData::Fail,
            on_breach: OnBreach::Rollback(Rollback::TO_START),
            remedy: None,
        });
    }

    pub(super) fn plan(self) -> std::sync::Arc<Plan> {
        std::sync::Arc::new(Plan::new(self.0).expect("a test's plan is sound"))
    }
}
