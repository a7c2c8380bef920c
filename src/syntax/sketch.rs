//! Plans for tests, without a text: each call adds something to what was added last.

use crate::model::{
    About, Action, Condition, ConditionId, Criterion, Draft, Gate, OnDoubt, OnInterrupt, OnNo, OnStop, Phase, PhaseId,
    Plan, Policy, Retry, Rollback, Run, RunCommand, Span, Step, StepId, Survivors, Target, Template, Then, WayHome,
    Work,
};

/// A draft under construction.
pub(super) struct Sketch {
    pub(super) draft: Draft,
}

/// A process that does its thing in one attempt.
pub(super) fn run(script: &str, timeout: Span) -> Work {
    let command = RunCommand::Script { text: Template(script.to_owned()), shell: vec!["sh".into(), "-c".into()] };
    let run = Run { command, cwd: None, env: [].into(), stdin: None, exit: vec![0], expect: None };
    work(Action::Run(run), timeout)
}

/// An undo by a process.
pub(super) fn undo(timeout: Span) -> Work {
    run("./back", timeout)
}

fn work(action: Action, timeout: Span) -> Work {
    Work {
        action,
        when: None,
        done_when: None,
        require: vec![],
        success: vec![],
        timeout,
        kill_after: Span::ZERO,
        retry: Retry::ONCE,
        survivors: Survivors::Leave,
        outputs: vec![],
    }
}

impl Sketch {
    pub(super) fn new() -> Self {
        let about = About {
            name: "sketch".into(),
            version: None,
            summary: None,
            owner: None,
            docs: None,
            timeout: Span::from_secs(1_000_000),
            rollback_timeout: Some(Span::from_secs(1_000_000)),
            rollback_window: Span::ZERO,
            max_parallel: 8,
            lock: "sketch".into(),
            restored: vec![],
            env: [].into(),
            requires: vec![],
            on_interrupt: OnInterrupt::Leave,
            output_max: 0,
        };
        let draft = Draft {
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
        };
        Self { draft }
    }

    pub(super) fn plan(&self) -> Plan {
        Plan::new(self.draft.clone()).expect("a sketch has no cycle")
    }

    pub(super) fn slots(&mut self, slots: u32) -> &mut Self {
        self.draft.about.max_parallel = slots;
        self
    }

    pub(super) fn phase(&mut self, name: &str) -> &mut Self {
        let before = self.draft.phases.len().checked_sub(1).map(PhaseId::at);
        self.draft.phases.push(Phase {
            name: name.into(),
            summary: None,
            needs: before.into_iter().collect(),
            timeout: None,
            window: None,
            require: vec![],
            success: vec![],
            on_failure: Policy::Rollback(Rollback::TO_START),
            interrupts: None,
            steps: vec![],
        });
        self
    }

    /// A step without an effect, in the last phase if there is one.
    pub(super) fn step(&mut self, name: &str, needs: &[&str]) -> &mut Self {
        let of =
            |need: &&str| self.draft.steps.iter().position(|step| step.name == **need).expect("a step named before");
        let needs = needs.iter().map(of).map(StepId::at).collect();
        self.step_behind(name, needs)
    }

    pub(super) fn step_behind(&mut self, name: &str, needs: Vec<StepId>) -> &mut Self {
        let id = StepId::at(self.draft.steps.len());
        if let Some(phase) = self.draft.phases.last_mut() {
            phase.steps.push(id);
        }
        self.draft.steps.push(Step {
            name: name.into(),
            phase: self.draft.phases.len().checked_sub(1).map(PhaseId::at),
            needs,
            summary: None,
            owner: None,
            docs: None,
            remedy: None,
            forward: run("./forward", Span::from_secs(10)),
            way_home: WayHome::NoEffect,
            undo_after: vec![],
            idempotent: false,
            undo_found: false,
            on_stop: OnStop::Stop,
            held_for: None,
            on_failure: Policy::Rollback(Rollback::TO_START),
            on_doubt: OnDoubt::Pause,
            progress: None,
        });
        self
    }

    pub(super) fn edit(&mut self, change: impl FnOnce(&mut Step)) -> &mut Self {
        change(self.draft.steps.last_mut().expect("a step was added"));
        self
    }

    pub(super) fn edit_phase(&mut self, change: impl FnOnce(&mut Phase)) -> &mut Self {
        change(self.draft.phases.last_mut().expect("a phase was added"));
        self
    }

    pub(super) fn edit_undo(&mut self, change: impl FnOnce(&mut Work)) -> &mut Self {
        self.edit(|step| match &mut step.way_home {
            WayHome::Undo(list) => change(&mut list[0]),
            other => panic!("no undo but {other:?}"),
        })
    }

    pub(super) fn undo(&mut self, work: Work) -> &mut Self {
        self.edit(|step| step.way_home = WayHome::Undo(vec![work]))
    }

    pub(super) fn irreversible(&mut self) -> &mut Self {
        self.edit(|step| step.way_home = WayHome::Irreversible { ungated: None })
    }

    /// The last step asks people.
    pub(super) fn gate(&mut self) -> &mut Self {
        self.edit(|step| {
            let gate = Gate {
                question: Template("go?".into()),
                show: vec![],
                expires: Some(Span::from_secs(60)),
                expiry_pauses: false,
                on_no: OnNo::Stop,
                confirm: None,
            };
            step.forward = work(Action::Gate(gate), Span::ZERO);
        })
    }

    pub(super) fn fails_to(&mut self, target: Target) -> &mut Self {
        self.edit(|step| step.on_failure = Policy::Rollback(Rollback { target, then: Then::Stop }))
    }

    /// A criterion for whoever wants it.
    pub(super) fn criterion(&mut self, text: &str, within: Option<Span>) -> Criterion {
        self.draft.conditions.push(Condition {
            text: text.into(),
            probes: vec![],
            series: vec![],
            reads_baseline: false,
        });
        let condition = ConditionId::at(self.draft.conditions.len() - 1);
        Criterion { condition, say: None, hold_for: None, within, count: None }
    }
}
