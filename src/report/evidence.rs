//! What a person needs to see to answer a gate (R16): the question, what the probes say and for how long that has been
//! good, what go starts, what no means, what going back costs from here.

use super::layout;
use super::text::{Line, Role, listed, ticking_text};
use super::view::{Reading, StepState, View, WayBack, figures};
use crate::model::{Action, Node, OnNo, Plan, ProbeId, Span, StepId, Target};

/// The evidence of one gate at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GateEvidence {
    /// The gate's name.
    pub gate: String,
    /// What is asked.
    pub question: String,
    /// What the probes of `show` say.
    pub shown: Vec<Shown>,
    /// The steps that go starts, up to the next gate.
    pub starts: Vec<String>,
    /// Among them, what cannot be undone.
    pub irreversible: Vec<String>,
    /// What no means.
    pub on_no: String,
    /// What going back takes from here.
    pub way_back: WayBack,
    /// How long it has been open.
    pub open_for: Span,
    /// How long until it expires, and what that means.
    pub expires: Option<(Span, &'static str)>,
    /// The hash at the head of the journal.
    pub head: Option<String>,
}

/// What one probe says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// Its name.
    pub probe: String,
    /// Its value with its unit; `None`: no data.
    pub value: Option<String>,
    /// How old that is; `None`: it has not answered yet.
    pub age: Option<Span>,
    /// How long it has been good.
    pub good_for: Option<Span>,
    /// What it gave before the run changed anything, where it is part of the baseline.
    pub before: Option<String>,
}

impl GateEvidence {
    /// What the view knows of an open gate. `None` where that step is no gate.
    pub fn of(plan: &Plan, view: &View, gate: StepId) -> Option<Self> {
        let step = plan.step(gate);
        let Action::Gate(asked) = &step.forward.action else { return None };
        let starts = steps_until_next_gate(plan, view, gate);
        let irreversible = starts.iter().filter(|&&id| plan.step(id).is_irreversible());
        let (question, since, expires) = match &view.step(gate).state {
            StepState::Asking { question, since, expires } => (question.clone(), *since, *expires),
            _ => (asked.question.0.clone(), view.now, None),
        };
        let expiry = if asked.expiry_pauses { "the run pauses" } else { "that is a no-go" };
        Some(Self {
            gate: step.name.clone(),
            question,
            shown: probes(plan, view, &asked.show).into_iter().map(|probe| shown(view, probe)).collect(),
            irreversible: irreversible.map(|&id| plan.step(id).name.clone()).collect(),
            starts: starts.iter().map(|&id| plan.step(id).name.clone()).collect(),
            on_no: on_no(plan, &asked.on_no),
            way_back: view.way_back.clone(),
            open_for: view.now.since(since),
            expires: expires.map(|at| (at.since(view.now), expiry)),
            head: None,
        })
    }
}

/// What the gate shows, and the rest of the baseline once it is there.
fn probes(plan: &Plan, view: &View, show: &[ProbeId]) -> Vec<usize> {
    let compared = plan.baseline().into_iter().flat_map(|baseline| &baseline.probes);
    let is_there = |probe: &&ProbeId| view.probes[probe.index()].before.is_some() && !show.contains(probe);
    show.iter().chain(compared.filter(is_there)).map(|probe| probe.index()).collect()
}

fn shown(view: &View, probe: usize) -> Shown {
    let probe = &view.probes[probe];
    let reading = probe.reading.as_ref();
    let unit = probe.unit.as_deref().map(|unit| format!(" {unit}")).unwrap_or_default();
    Shown {
        probe: probe.name.clone(),
        value: reading.and_then(Reading::shown).map(|value| format!("{value}{unit}")),
        age: reading.map(|reading| view.now.since(reading.at)),
        good_for: reading.and_then(|reading| reading.good_since).map(|since| view.now.since(since)),
        before: probe.before.as_ref().map(figures),
    }
}

/// In the order of the plan, the steps behind the gate that no other gate keeps back.
fn steps_until_next_gate(plan: &Plan, view: &View, gate: StepId) -> Vec<StepId> {
    let mut kept_back = vec![false; plan.graph().node_count()];
    let mut starts = Vec::new();
    for node in plan.downstream(Target::Step(gate)) {
        let index = node.index();
        kept_back[index] |=
            plan.graph().neighbors_directed(node, petgraph::Incoming).any(|before| kept_back[before.index()]);
        let Node::Step(step) = plan.graph()[node] else { continue };
        if kept_back[index] || view.step(step).state != StepState::Pending {
            continue;
        }
        if matches!(plan.step(step).forward.action, Action::Gate(_)) {
            kept_back[index] = true;
        } else {
            starts.push(step);
        }
    }
    starts
}

fn on_no(plan: &Plan, on_no: &OnNo) -> String {
    match on_no {
        OnNo::Stop => "the run stops where it is".into(),
        OnNo::Pause => "the run pauses".into(),
        OnNo::Rollback(rollback) => format!("back to {}", super::words::target(plan, rollback.target)),
    }
}

/// The block above the question, in lines no wider than `width`.
pub fn lines(evidence: &GateEvidence, width: usize) -> Vec<Line> {
    let mut lines = Line::of(Role::Ask, &evidence.question).wrap(width, 2);
    let mut row = |label: &str, line: Line| {
        let mut whole = Line::of(Role::Dim, format!("  {label}"));
        whole.pad_to(LABEL);
        whole.append(line);
        lines.extend(whole.wrap(width, LABEL));
    };
    let names = evidence.shown.iter().map(|shown| shown.probe.len()).max().unwrap_or(0);
    for (index, shown) in evidence.shown.iter().enumerate() {
        row(if index == 0 { "evidence" } else { "" }, shown_line(shown, names));
    }
    let starts = match evidence.starts.as_slice() {
        [] => "nothing more before the next gate".into(),
        starts => format!("starts {}", listed(starts, 6)),
    };
    let mut go = Line::of(Role::Plain, starts);
    if !evidence.irreversible.is_empty() {
        go.push(Role::Bad, format!("; NO WAY BACK after {}", listed(&evidence.irreversible, 3)));
    }
    row("go", go);
    row("no-go", Line::of(Role::Plain, &evidence.on_no));
    row("way back", Line::of(Role::Plain, layout::way_back_text(&evidence.way_back)));
    if let Some((left, then)) = evidence.expires {
        row("expires", Line::of(Role::Plain, format!("in {}, then {then}", ticking_text(left))));
    }
    if let Some(head) = &evidence.head {
        row("head", Line::of(Role::Dim, head));
    }
    lines
}

const LABEL: usize = 12;

fn shown_line(shown: &Shown, names: usize) -> Line {
    let mut line = Line::of(Role::Plain, &shown.probe);
    line.pad_to(names + 2);
    match (&shown.value, shown.age) {
        (Some(value), _) => {
            let role = if shown.good_for.is_some() { Role::Good } else { Role::Strong };
            line.append(Line::of(role, value).fit(VALUE_MOST, "..."));
        }
        (None, Some(_)) => line.push(Role::Bad, "no data"),
        (None, None) => line.push(Role::Dim, "not asked yet"),
    }
    let mut notes = Vec::new();
    if let Some(before) = &shown.before {
        notes.push(format!("before: {before}"));
    }
    if let Some(span) = shown.good_for {
        notes.push(format!("good for {}", ticking_text(span)));
    }
    if let Some(age) = shown.age {
        notes.push(format!("{} old", ticking_text(age)));
    }
    if !notes.is_empty() {
        line.push(Role::Dim, format!("  ({})", notes.join(", ")));
    }
    line
}

const VALUE_MOST: usize = 60;

#[cfg(test)]
mod tests;
