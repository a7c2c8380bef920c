//! Random plans: DAGs with every feature of the format that the engine knows, as `check` would let them through.

use std::sync::Arc;

use runbook::drive::simulate::Dice;
use runbook::model::*;

use super::sketch::{at_once, draft, soon, work};

/// A plan of at most `most` steps.
pub(crate) fn random_plan(dice: &mut Dice, most: usize) -> Arc<Plan> {
    let count = 1 + dice.below(most);
    let names: Vec<String> = (0..count).map(|n| format!("s{n}")).collect();
    let mut draft = draft(&names.join(", "));
    phases(dice, &mut draft);
    edges(dice, &mut draft);
    let graph = Plan::new(draft.clone()).expect("edges lead forward only");
    about(dice, &mut draft);
    for step in graph.step_ids() {
        action(dice, &mut draft.steps[step.index()]);
        way_home(dice, &mut draft, &graph, step);
        conditions(dice, &mut draft.steps[step.index()]);
        policies(dice, &mut draft, &graph, step);
    }
    for phase in graph.phase_ids() {
        of_phase(dice, &mut draft, &graph, phase);
    }
    baseline(dice, &mut draft, &graph);
    let brackets: Vec<StepId> = graph.step_ids().filter(|step| draft.steps[step.index()].held_for.is_some()).collect();
    for _ in 0..dice.below(3) {
        let mut guard = guard(dice, &graph, &brackets);
        let compares = draft.baseline.is_some() && dice.often(400);
        let require = ConditionId::at(usize::from(compares));
        if let Rule::Condition(watched) = &mut guard.rule {
            watched.require = require;
        }
        draft.guards.push(guard);
    }
    turned_undos(dice, draft, &graph)
}

fn about(dice: &mut Dice, draft: &mut Draft) {
    let about = &mut draft.about;
    about.max_parallel = 1 + u32::try_from(dice.below(8)).expect("small");
    about.timeout = Span::from_secs(dice.pick(&[300, 36_000, 36_000]));
    about.rollback_timeout = Some(Span::from_secs(dice.pick(&[20, 3_600])));
    about.rollback_window = Span::from_secs(dice.pick(&[0, 3_600]));
    // Questions are answered within 4 s: what a probe of this kind promises.
    draft.probes.push(probe(Span::from_secs(2)));
    draft.conditions[0].probes.push(ProbeId::at(0));
    let about = &mut draft.about;
    if dice.often(300) {
        about.restored.push(criterion(dice));
    }
    if dice.often(150) {
        draft.preflight.push(criterion(dice));
    }
}

fn probe(each: Span) -> Probe {
    let Action::Run(run) = work().action else { unreachable!("work() is a run") };
    Probe {
        name: "it".into(),
        source: ProbeSource::Run(run),
        interval: each,
        timeout: each,
        as_: ProbeAs::Bool,
        unit: None,
        covers: Span::ZERO,
        keep: Span::ZERO,
    }
}

/// Some plans take a baseline, and some of their guards compare with it.
fn baseline(dice: &mut Dice, draft: &mut Draft, graph: &Plan) {
    if !dice.often(300) {
        return;
    }
    let phases: Vec<PhaseId> = graph.phase_ids().collect();
    let before = (!phases.is_empty() && dice.often(600)).then(|| dice.pick(&phases));
    let require = if dice.often(400) { vec![criterion(dice)] } else { Vec::new() };
    draft.baseline = Some(Baseline { probes: Vec::new(), before, over: Span::from_secs(30), require });
    draft.conditions.push(Condition { reads_baseline: true, ..draft.conditions[0].clone() });
}

/// One to four phases, or none; later ones mostly need the one before.
fn phases(dice: &mut Dice, draft: &mut Draft) {
    let count = draft.steps.len();
    let phases = dice.below(5).min(count);
    for n in 0..phases {
        let from = n * count / phases;
        let to = (n + 1) * count / phases;
        let id = PhaseId::at(n);
        for step in &mut draft.steps[from..to] {
            step.phase = Some(id);
        }
        let needs = match n {
            0 => Vec::new(),
            _ if dice.often(250) => (0..n).filter(|_| dice.often(400)).map(PhaseId::at).collect(),
            _ => vec![PhaseId::at(n - 1)],
        };
        draft.phases.push(Phase {
            name: format!("p{n}"),
            summary: None,
            needs,
            timeout: dice.often(700).then(|| Span::from_secs(dice.pick(&[100, 7_200]))),
            window: None,
            require: Vec::new(),
            success: Vec::new(),
            on_failure: Policy::Rollback(Rollback::TO_START),
            interrupts: None,
            steps: (from..to).map(StepId::at).collect(),
        });
    }
}

fn edges(dice: &mut Dice, draft: &mut Draft) {
    let density = dice.pick(&[50, 200, 500, 900]);
    for to in 1..draft.steps.len() {
        let near = to.saturating_sub(6);
        for from in near..to {
            if dice.often(density) {
                draft.steps[to].needs.push(StepId::at(from));
            }
        }
    }
}

fn action(dice: &mut Dice, step: &mut Step) {
    step.forward.action = match dice.below(14) {
        0 => Action::Gate(Gate {
            question: Template("go?".into()),
            show: Vec::new(),
            expires: dice.often(900).then(|| Span::from_secs(600)),
            expiry_pauses: dice.often(300),
            on_no: OnNo::Stop,
            confirm: None,
        }),
        1 => Action::Wait(Wait::For(Span::from_secs(30))),
        2 => Action::Wait(Wait::Until { condition: ConditionId::at(0), within: Span::from_secs(60) }),
        3 => Action::Manual(Manual {
            instructions: Template("do it".into()),
            evidence: None,
            expires: Span::from_secs(600),
        }),
        4 | 5 => Action::Ramp(ramp(dice)),
        _ => work().action,
    };
    step.forward.timeout = match &step.forward.action {
        Action::Manual(manual) => manual.expires,
        Action::Wait(Wait::For(span) | Wait::Until { within: span, .. }) => *span,
        Action::Ramp(_) => Span::from_secs(dice.pick(&[60, 600, 6_000])),
        Action::Run(_) | Action::Http(_) | Action::Sql(_) | Action::Gate(_) => step.forward.timeout,
    };
}

fn ramp(dice: &mut Dice) -> Ramp {
    let value =
        |dice: &mut Dice, n: usize| RampValue { value: n.into(), hold: Span::from_secs(dice.pick(&[0, 5, 60])) };
    Ramp {
        values: (0..=dice.below(4)).map(|n| value(dice, n)).collect(),
        from: None,
        set: Box::new(work()),
        confirm: dice.often(600).then(|| bounded(dice)),
        advance: (0..dice.below(3)).map(|_| at_once()).collect(),
        hold_while: dice.often(400).then(|| ConditionId::at(0)),
    }
}

fn way_home(dice: &mut Dice, draft: &mut Draft, graph: &Plan, id: StepId) {
    let behind: Vec<StepId> = steps_of(graph, Target::Step(id));
    let step = &mut draft.steps[id.index()];
    if matches!(step.forward.action, Action::Gate(_) | Action::Wait(_)) {
        return;
    }
    step.way_home = match dice.below(20) {
        0..=2 => WayHome::NoEffect,
        3 => WayHome::Kept { why: "so".into() },
        4 => WayHome::Irreversible { ungated: dice.often(500).then(|| "so".into()) },
        5 if !behind.is_empty() => WayHome::UndoneBy(dice.pick(&behind)),
        6 | 7 => WayHome::Undo(vec![undo(dice), undo(dice)]),
        _ => WayHome::Undo(vec![undo(dice)]),
    };
    let is_run = matches!(step.forward.action, Action::Run(_));
    if matches!(step.way_home, WayHome::Undo(_)) && is_run && dice.often(150) {
        let phase = step.phase.is_some() && dice.often(700);
        step.held_for = Some(if phase { Bracket::Phase } else { Bracket::Run });
    }
}

fn undo(dice: &mut Dice) -> Work {
    let mut undo = Work { retry: retry(dice), ..work() };
    if dice.often(100) {
        undo.action = Action::Wait(Wait::For(Span::from_secs(3)));
    }
    if dice.often(150) {
        undo.require.push(criterion(dice));
    }
    if dice.often(150) {
        undo.when = Some(ConditionId::at(0));
    }
    if dice.often(200) {
        undo.done_when = Some(ConditionId::at(0));
    }
    if dice.often(250) {
        undo.success.push(bounded(dice));
    }
    undo
}

fn retry(dice: &mut Dice) -> Retry {
    Retry { attempts: 1 + u32::try_from(dice.below(3)).expect("small"), delay: Span::from_secs(2), ..Retry::ONCE }
}

fn criterion(dice: &mut Dice) -> Criterion {
    if dice.often(500) { at_once() } else { bounded(dice) }
}

fn bounded(dice: &mut Dice) -> Criterion {
    match dice.below(5) {
        0 => Criterion { hold_for: Some(Span::from_secs(4)), ..soon() },
        1 => Criterion { count: Some(Count { samples: 3, failures: 1 }), ..soon() },
        _ => soon(),
    }
}

fn conditions(dice: &mut Dice, step: &mut Step) {
    step.idempotent = dice.often(300);
    step.undo_found = dice.often(300);
    step.on_stop = if dice.often(200) { OnStop::Finish } else { OnStop::Stop };
    if matches!(step.forward.action, Action::Run(_)) && dice.often(250) {
        step.progress = Some(Progress { probe: ProbeId::at(0), stall: Span::from_secs(30) });
    }
    step.on_doubt = dice.pick(&[OnDoubt::Rerun, OnDoubt::Rollback, OnDoubt::Pause]);
    if dice.often(100) {
        step.forward.when = Some(ConditionId::at(0));
    }
    if dice.often(150) {
        step.forward.require.push(criterion(dice));
    }
    if dice.often(250) {
        step.forward.success.push(bounded(dice));
    }
    if !matches!(step.forward.action, Action::Gate(_)) {
        step.forward.retry = retry(dice);
        if dice.often(200) {
            step.forward.done_when = Some(ConditionId::at(0));
        }
    }
}

fn steps_of(graph: &Plan, target: Target) -> Vec<StepId> {
    graph.downstream(target).into_iter().filter_map(|node| step_at(graph, node)).collect()
}

fn step_at(graph: &Plan, node: petgraph::graph::NodeIndex) -> Option<StepId> {
    match graph.graph()[node] {
        Node::Step(step) => Some(step),
        Node::PhaseStart(_) | Node::PhaseEnd(_) => None,
    }
}

/// A place that all of these lie downstream of.
fn target(dice: &mut Dice, graph: &Plan, of: &[petgraph::graph::NodeIndex]) -> Target {
    let steps = graph.step_ids().map(Target::Step);
    let phases = graph.phase_ids().map(Target::Phase);
    let upstream: Vec<Target> = steps
        .chain(phases)
        .filter(|target| {
            let behind = graph.downstream(*target);
            of.iter().all(|node| behind.contains(node))
        })
        .collect();
    if upstream.is_empty() || dice.often(300) { Target::Start } else { dice.pick(&upstream) }
}

fn rollback(dice: &mut Dice, graph: &Plan, of: &[petgraph::graph::NodeIndex]) -> Rollback {
    let target = target(dice, graph, of);
    Rollback { target, then: then(dice, graph, target) }
}

fn then(dice: &mut Dice, graph: &Plan, from: Target) -> Then {
    match dice.below(4) {
        0 => Then::Pause,
        1 => Then::Retry {
            passes: 1 + u32::try_from(dice.below(2)).expect("small"),
            delay: Span::from_secs(dice.pick(&[0, 5])),
            within: dice.often(300).then(|| Span::from_secs(120)),
            otherwise: Box::new(match dice.below(4) {
                0 => Policy::Stop,
                1 => Policy::Pause,
                _ => Policy::Rollback(further_up(dice, graph, from)),
            }),
        },
        _ => Then::Stop,
    }
}

/// A rollback from where another one has led: to the same place, or to one that lies before it.
fn further_up(dice: &mut Dice, graph: &Plan, from: Target) -> Rollback {
    let node = match from {
        Target::Start => None,
        Target::Step(step) => Some(graph.step_node(step)),
        Target::Phase(phase) => Some(graph.phase_nodes(phase).1),
    };
    let target = match node {
        Some(node) if dice.often(700) => target(dice, graph, &[node]),
        _ => from,
    };
    Rollback { target, then: then(dice, graph, target) }
}

fn policy(dice: &mut Dice, graph: &Plan, of: &[petgraph::graph::NodeIndex]) -> Policy {
    match dice.below(10) {
        0 => Policy::Pause,
        1 => Policy::Stop,
        2 => Policy::Continue,
        _ => Policy::Rollback(rollback(dice, graph, of)),
    }
}

fn policies(dice: &mut Dice, draft: &mut Draft, graph: &Plan, id: StepId) {
    let node = [graph.step_node(id)];
    let policy = policy(dice, graph, &node);
    let step = &mut draft.steps[id.index()];
    step.on_failure = policy;
    if let Action::Gate(gate) = &mut step.forward.action {
        gate.on_no = match dice.below(3) {
            0 => OnNo::Stop,
            1 => OnNo::Pause,
            _ => OnNo::Rollback(rollback(dice, graph, &node)),
        };
    }
}

fn of_phase(dice: &mut Dice, draft: &mut Draft, graph: &Plan, id: PhaseId) {
    let policy = policy(dice, graph, &[graph.phase_nodes(id).0]);
    let phase = &mut draft.phases[id.index()];
    phase.on_failure = policy;
    if dice.often(250) {
        phase.require.push(criterion(dice));
    }
    if dice.often(300) {
        phase.success.push(bounded(dice));
    }
    if dice.often(200) {
        phase.window = Some(Window {
            open: vec!["daily 01:00-03:00".into()],
            zone: "UTC".into(),
            on_close: dice.pick(&[OnClose::Finish, OnClose::Pause, OnClose::Rollback]),
        });
    }
}

fn guard(dice: &mut Dice, graph: &Plan, brackets: &[StepId]) -> Guard {
    // A bracket is watched over as long as it is held.
    let often = |step: &StepId| if brackets.contains(step) { 600 } else { 200 };
    let steps: Vec<StepId> = graph.step_ids().filter(|step| dice.often(often(step))).collect();
    let phases: Vec<PhaseId> = graph.phase_ids().filter(|_| dice.often(500)).collect();
    let (scope, nodes) = match dice.below(3) {
        0 if !steps.is_empty() => {
            let nodes = steps.iter().map(|step| graph.step_node(*step)).collect();
            (Scope::Steps(steps), nodes)
        }
        1 if !phases.is_empty() => {
            let nodes = phases.iter().map(|phase| graph.phase_nodes(*phase).0).collect();
            (Scope::Phases(phases), nodes)
        }
        _ => (Scope::Everywhere, graph.order().to_vec()),
    };
    let on_breach = match dice.below(5) {
        0 => OnBreach::Pause,
        1 => OnBreach::Warn,
        _ => OnBreach::Rollback(rollback(dice, graph, &nodes)),
    };
    Guard {
        name: "g".into(),
        scope,
        rule: Rule::Condition(Watched {
            every: Span::from_secs(1),
            require: ConditionId::at(0),
            warn: Some(ConditionId::at(0)),
            failures: 2,
            of: 3,
        }),
        no_data: dice.pick(&[NoData::Fail, NoData::Ignore, NoData::Pause]),
        on_breach,
        remedy: None,
    }
}

/// Some pairs of undos are turned round where that leads to no circle.
fn turned_undos(dice: &mut Dice, mut draft: Draft, graph: &Plan) -> Arc<Plan> {
    let mut plan = Plan::new(draft.clone()).expect("edges lead forward only");
    for step in graph.step_ids() {
        let needs = draft.steps[step.index()].needs.clone();
        if needs.is_empty() || draft.steps[step.index()].undo().is_empty() || !dice.often(100) {
            continue;
        }
        draft.steps[step.index()].undo_after.push(dice.pick(&needs));
        match Plan::new(draft.clone()) {
            Ok(better) => plan = better,
            Err(_) => draft.steps[step.index()].undo_after.clear(),
        }
    }
    Arc::new(plan)
}
