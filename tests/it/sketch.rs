//! Plans in a few words, for tests of the engine: `drain -> cut; undo drain, cut; guard errors during cut`.
//!
//! Clauses are separated by `;`. `a -> b, c` are steps with their needs; every other clause begins with a word:
//! `undo a`, `undo2 a` (two actions), `undone_by a b`, `kept a`, `drop a` (irreversible), `gate a`, `gate a rollback`,
//! `wait a`, `manual a`; `success a`, `require a`, `when a`, `done_when a`, and the same with `undo_` before; `success a for`;
//! `retry a 3`, `retry_undo a 3`, `idempotent a`, `fail a pause|continue|stop|to x|to x pause|to x retry 2|
//! to x retry 2 else to y ...`, `doubt a rollback`, `rerun a`;
//! `ramp a 3` (so many values) with `confirm`, `advance` and `pressure` (`hold_while`) behind it;
//! `progress a` (a watchdog), `after a b` (the undo of a after that of b), `hold a phase|run`, `finish a`, `found a` (`undo_found`);
//! `phase p = a b`, `beside p` (it needs no other), `phase_success p`, `phase_require p`, `phase_fail p ...`, `window p`;
//! `baseline`, `baseline p` (before that phase), `baseline_require`, `baseline_guard g` (which compares with it);
//! `guard g [during a b|in p] [pause|warn|to x]`; `slots 2`, `restored`, `preflight`, `open` (the way back stays open).
//! A step that says nothing has no effect.

use std::collections::BTreeMap;
use std::sync::Arc;

use runbook::model::*;

/// Reads a sketch. Panics on anything it does not know: it is a test that is wrong then.
pub(crate) fn plan(text: &str) -> Arc<Plan> {
    Arc::new(Plan::new(draft(text)).expect("the sketch has no cycle"))
}

/// The draft of a sketch, for tests that change it further.
pub(crate) fn draft(text: &str) -> Draft {
    let mut sketch = Sketch::new();
    let clauses: Vec<&str> = text.split(';').map(str::trim).filter(|clause| !clause.is_empty()).collect();
    // Names first, so that clauses may come in any order.
    for clause in &clauses {
        if !is_clause(clause) {
            sketch.edges(clause);
        }
    }
    for clause in &clauses {
        if is_clause(clause) {
            sketch.clause(clause);
        }
    }
    sketch.draft
}

const WORDS: &[&str] = &[
    "undo",
    "undo2",
    "undone_by",
    "kept",
    "drop",
    "gate",
    "wait",
    "manual",
    "ramp",
    "success",
    "require",
    "when",
    "done_when",
    "undo_success",
    "undo_require",
    "undo_when",
    "undo_done_when",
    "retry",
    "retry_undo",
    "idempotent",
    "fail",
    "doubt",
    "rerun",
    "after",
    "hold",
    "finish",
    "found",
    "phase",
    "beside",
    "phase_success",
    "phase_require",
    "phase_fail",
    "window",
    "guard",
    "slots",
    "restored",
    "preflight",
    "open",
    "progress",
    "baseline",
    "baseline_require",
    "baseline_guard",
];

fn is_clause(clause: &str) -> bool {
    WORDS.contains(&clause.split_whitespace().next().unwrap_or_default())
}

struct Sketch {
    draft: Draft,
}

impl Sketch {
    fn new() -> Self {
        let about = About {
            name: "sketch".into(),
            version: None,
            summary: None,
            owner: None,
            docs: None,
            timeout: Span::from_secs(36_000),
            rollback_timeout: Some(Span::from_secs(3_600)),
            rollback_window: Span::ZERO,
            max_parallel: 8,
            lock: "sketch".into(),
            restored: Vec::new(),
            env: BTreeMap::new(),
            requires: Vec::new(),
            on_interrupt: OnInterrupt::Leave,
            output_max: 1 << 20,
        };
        let draft = Draft {
            about,
            vars: Vec::new(),
            preflight: Vec::new(),
            probes: Vec::new(),
            conditions: vec![Condition {
                text: "true".into(),
                probes: Vec::new(),
                series: Vec::new(),
                reads_baseline: false,
            }],
            guards: Vec::new(),
            baseline: None,
            phases: Vec::new(),
            steps: Vec::new(),
            parts: Vec::new(),
        };
        Self { draft }
    }

    fn edges(&mut self, clause: &str) {
        let mut before: Vec<StepId> = Vec::new();
        for group in clause.split("->") {
            let here: Vec<StepId> = group.split(',').map(|name| self.name(name.trim())).collect();
            for step in &here {
                let needs = &mut self.draft.steps[step.index()].needs;
                needs.extend(before.iter().copied());
            }
            before = here;
        }
    }

    fn name(&mut self, name: &str) -> StepId {
        assert!(!name.is_empty(), "a name is missing");
        if let Some(at) = self.draft.steps.iter().position(|step| step.name == name) {
            return StepId::at(at);
        }
        self.draft.steps.push(Step {
            name: name.into(),
            phase: None,
            needs: Vec::new(),
            summary: None,
            owner: None,
            docs: None,
            remedy: None,
            forward: work(),
            way_home: WayHome::NoEffect,
            undo_after: Vec::new(),
            idempotent: false,
            undo_found: false,
            on_stop: OnStop::Stop,
            held_for: None,
            on_failure: Policy::Rollback(Rollback::TO_START),
            on_doubt: OnDoubt::Pause,
            progress: None,
        });
        StepId::at(self.draft.steps.len() - 1)
    }

    fn known(&self, name: &str) -> StepId {
        StepId::at(self.draft.steps.iter().position(|step| step.name == name).expect("a step of the sketch"))
    }

    fn phase(&self, name: &str) -> usize {
        self.draft.phases.iter().position(|phase| phase.name == name).expect("a phase of the sketch")
    }

    fn target(&self, name: &str) -> Target {
        match name {
            "start" => Target::Start,
            _ if self.draft.phases.iter().any(|phase| phase.name == name) => {
                Target::Phase(PhaseId::at(self.phase(name)))
            }
            _ => Target::Step(self.known(name)),
        }
    }

    fn policy(&self, words: &[&str]) -> Policy {
        let back = |target: &str, then: Then| Policy::Rollback(Rollback { target: self.target(target), then });
        match words {
            ["pause"] => Policy::Pause,
            ["continue"] => Policy::Continue,
            ["stop"] => Policy::Stop,
            ["to", target] => back(target, Then::Stop),
            ["to", target, "pause"] => back(target, Then::Pause),
            ["to", target, "retry", passes, otherwise @ ..] => back(
                target,
                Then::Retry {
                    passes: passes.parse().expect("a number"),
                    delay: Span::from_secs(1),
                    within: None,
                    otherwise: Box::new(match otherwise {
                        [] => Policy::Stop,
                        ["else", policy @ ..] => self.policy(policy),
                        other => panic!("not an else: {other:?}"),
                    }),
                },
            ),
            other => panic!("not a policy: {other:?}"),
        }
    }

    fn step(&mut self, name: &str) -> &mut Step {
        let at = self.known(name).index();
        &mut self.draft.steps[at]
    }

    fn clause(&mut self, clause: &str) {
        let words: Vec<&str> = clause.split([' ', ',']).filter(|word| !word.is_empty()).collect();
        match words[0] {
            "phase" | "beside" | "phase_success" | "phase_require" | "phase_fail" | "window" => {
                self.phase_clause(&words);
            }
            "slots" => self.draft.about.max_parallel = words[1].parse().expect("a number"),
            "restored" => self.draft.about.restored.push(soon()),
            "preflight" => self.draft.preflight.push(at_once()),
            "baseline" => {
                let before = words.get(1).map(|name| PhaseId::at(self.phase(name)));
                self.draft.baseline =
                    Some(Baseline { probes: Vec::new(), before, over: Span::from_secs(60), require: Vec::new() });
            }
            "baseline_require" => {
                self.draft.baseline.as_mut().expect("a baseline before it").require.push(at_once());
            }
            "baseline_guard" => {
                self.draft.conditions.push(Condition { reads_baseline: true, ..self.draft.conditions[0].clone() });
                let require = ConditionId::at(self.draft.conditions.len() - 1);
                let at =
                    self.draft.guards.iter().position(|guard| guard.name == words[1]).expect("a guard of the sketch");
                let Rule::Condition(watched) = &mut self.draft.guards[at].rule else { panic!("a condition") };
                watched.require = require;
            }
            "open" => self.draft.about.rollback_window = Span::from_secs(3_600),
            "guard" => self.guard_clause(&words),
            "undone_by" => {
                let by = self.known(words[2]);
                self.step(words[1]).way_home = WayHome::UndoneBy(by);
            }
            "after" => {
                let other = self.known(words[2]);
                self.step(words[1]).undo_after.push(other);
            }
            "fail" => {
                let policy = self.policy(&words[2..]);
                self.step(words[1]).on_failure = policy;
            }
            "gate" => {
                let on_no = match words.get(2) {
                    None | Some(&"stop") => OnNo::Stop,
                    Some(&"pause") => OnNo::Pause,
                    Some(&"rollback") => OnNo::Rollback(Rollback::TO_START),
                    Some(target) => OnNo::Rollback(Rollback { target: self.target(target), then: Then::Stop }),
                };
                self.step(words[1]).forward.action = Action::Gate(Gate {
                    question: Template("go?".into()),
                    show: Vec::new(),
                    expires: Some(Span::from_secs(600)),
                    expiry_pauses: false,
                    on_no,
                    confirm: None,
                });
            }
            "ramp" => self.step(words[1]).forward.action = Action::Ramp(ramp(words[2], &words[3..])),
            "retry" => self.step(words[1]).forward.retry = retry(words[2]),
            "retry_undo" => self.undo_of(words[1]).retry = retry(words[2]),
            "hold" => {
                let bracket = if words[2] == "run" { Bracket::Run } else { Bracket::Phase };
                self.step(words[1]).held_for = Some(bracket);
            }
            word => self.step_clause(word, &words[1..]),
        }
    }

    fn undo_of(&mut self, name: &str) -> &mut Work {
        match &mut self.step(name).way_home {
            WayHome::Undo(list) => &mut list[0],
            other => panic!("{name} has no undo but {other:?}"),
        }
    }

    fn step_clause(&mut self, word: &str, names: &[&str]) {
        for name in names.iter().filter(|name| **name != "for" && **name != "rollback") {
            let criterion = if names.contains(&"for") {
                Criterion { hold_for: Some(Span::from_secs(5)), ..soon() }
            } else {
                soon()
            };
            match word {
                "undo" => self.step(name).way_home = WayHome::Undo(vec![work()]),
                "undo2" => self.step(name).way_home = WayHome::Undo(vec![work(), work()]),
                "kept" => self.step(name).way_home = WayHome::Kept { why: "so".into() },
                "drop" => self.step(name).way_home = WayHome::Irreversible { ungated: None },
                "wait" => self.step(name).forward.action = Action::Wait(Wait::For(Span::from_secs(30))),
                "manual" => {
                    self.step(name).forward.action = Action::Manual(Manual {
                        instructions: Template("do it".into()),
                        evidence: None,
                        expires: Span::from_secs(600),
                    });
                }
                "success" => self.step(name).forward.success.push(criterion),
                "require" => self.step(name).forward.require.push(at_once()),
                "when" => self.step(name).forward.when = Some(ConditionId::at(0)),
                "done_when" => self.step(name).forward.done_when = Some(ConditionId::at(0)),
                "undo_success" => self.undo_of(name).success.push(criterion),
                "undo_require" => self.undo_of(name).require.push(at_once()),
                "undo_when" => self.undo_of(name).when = Some(ConditionId::at(0)),
                "undo_done_when" => self.undo_of(name).done_when = Some(ConditionId::at(0)),
                "idempotent" => self.step(name).idempotent = true,
                "progress" => {
                    self.step(name).progress = Some(Progress { probe: ProbeId::at(0), stall: Span::from_secs(30) });
                }
                "finish" => self.step(name).on_stop = OnStop::Finish,
                "found" => self.step(name).undo_found = true,
                "doubt" => self.step(name).on_doubt = OnDoubt::Rollback,
                "rerun" => self.step(name).on_doubt = OnDoubt::Rerun,
                other => panic!("not a clause: {other}"),
            }
        }
    }

    fn phase_clause(&mut self, words: &[&str]) {
        match words[0] {
            "phase" => {
                let at = self.draft.phases.len();
                let steps: Vec<StepId> = words[3..].iter().map(|name| self.known(name)).collect();
                for step in &steps {
                    self.draft.steps[step.index()].phase = Some(PhaseId::at(at));
                }
                self.draft.phases.push(Phase {
                    name: words[1].into(),
                    summary: None,
                    needs: at.checked_sub(1).map(PhaseId::at).into_iter().collect(),
                    timeout: Some(Span::from_secs(7_200)),
                    window: None,
                    require: Vec::new(),
                    success: Vec::new(),
                    on_failure: Policy::Rollback(Rollback::TO_START),
                    interrupts: None,
                    steps,
                });
            }
            "beside" => {
                let at = self.phase(words[1]);
                self.draft.phases[at].needs.clear();
            }
            "phase_success" => {
                let at = self.phase(words[1]);
                self.draft.phases[at].success.push(soon());
            }
            "phase_require" => {
                let at = self.phase(words[1]);
                self.draft.phases[at].require.push(at_once());
            }
            "phase_fail" => {
                let policy = self.policy(&words[2..]);
                let at = self.phase(words[1]);
                self.draft.phases[at].on_failure = policy;
            }
            _ => {
                let at = self.phase(words[1]);
                self.draft.phases[at].window = Some(Window {
                    open: vec!["daily 01:00-03:00".into()],
                    zone: "UTC".into(),
                    on_close: OnClose::Finish,
                });
            }
        }
    }

    fn guard_clause(&mut self, words: &[&str]) {
        let mut on_breach = OnBreach::Rollback(Rollback::TO_START);
        let mut steps = Vec::new();
        let mut phases = Vec::new();
        let mut rest = words[2..].iter();
        let mut into_phases = false;
        while let Some(word) = rest.next() {
            match *word {
                "during" => into_phases = false,
                "in" => into_phases = true,
                "pause" => on_breach = OnBreach::Pause,
                "warn" => on_breach = OnBreach::Warn,
                "to" => {
                    let target = self.target(rest.next().expect("a target"));
                    on_breach = OnBreach::Rollback(Rollback { target, then: Then::Stop });
                }
                name if into_phases => phases.push(PhaseId::at(self.phase(name))),
                name => steps.push(self.known(name)),
            }
        }
        let scope = match (steps.is_empty(), phases.is_empty()) {
            (false, _) => Scope::Steps(steps),
            (true, false) => Scope::Phases(phases),
            (true, true) => Scope::Everywhere,
        };
        self.draft.guards.push(Guard {
            name: words[1].into(),
            scope,
            rule: Rule::Condition(Watched {
                every: Span::from_secs(1),
                require: ConditionId::at(0),
                warn: None,
                failures: 2,
                of: 3,
            }),
            no_data: NoData::Fail,
            on_breach,
            remedy: None,
        });
    }
}

pub(crate) fn work() -> Work {
    Work {
        action: Action::Run(Run {
            command: RunCommand::Args(vec![Template("true".into())]),
            cwd: None,
            env: BTreeMap::new(),
            stdin: None,
            exit: vec![0],
            expect: None,
        }),
        when: None,
        done_when: None,
        require: Vec::new(),
        success: Vec::new(),
        timeout: Span::from_secs(60),
        kill_after: Span::from_secs(5),
        retry: Retry::ONCE,
        survivors: Survivors::Leave,
        outputs: Vec::new(),
    }
}

fn ramp(values: &str, with: &[&str]) -> Ramp {
    let count: u16 = values.parse().expect("a number");
    let has = |word: &str| with.contains(&word);
    let hold = Span::from_secs(40);
    Ramp {
        values: (1..=count).map(|n| RampValue { value: (n * 10).into(), hold }).collect(),
        from: None,
        set: Box::new(work()),
        confirm: has("confirm").then(soon),
        advance: has("advance").then(at_once).into_iter().collect(),
        hold_while: has("pressure").then(|| ConditionId::at(0)),
    }
}

fn retry(attempts: &str) -> Retry {
    Retry { attempts: attempts.parse().expect("a number"), delay: Span::from_secs(1), ..Retry::ONCE }
}

/// A criterion with a bound.
pub(crate) fn soon() -> Criterion {
    Criterion { within: Some(Span::from_secs(10)), ..at_once() }
}

/// A criterion that the first fresh sample decides.
pub(crate) fn at_once() -> Criterion {
    Criterion { condition: ConditionId::at(0), say: None, hold_for: None, within: None, count: None }
}
