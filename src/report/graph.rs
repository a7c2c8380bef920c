//! The plan's graph: as text, for Graphviz, for Mermaid. Rollback edges are drawn where they lead elsewhere than the start.

use std::fmt::Write as _;

use crate::model::{Action, Bounds, PhaseId, Plan, RollbackEdge, Step, StepId, Target, Trigger, WayHome};

/// One line a step, under its phase, with what it waits for and where it goes back to.
pub fn as_text(plan: &Plan, bounds: &Bounds) -> String {
    let mut text = format!("{}\n", plan.about().name);
    for id in plan.step_ids().filter(|id| plan.step(*id).phase.is_none()) {
        let _ = writeln!(text, "  {}", step_line(plan, id));
    }
    for id in plan.phase_ids() {
        let phase = plan.phase(id);
        let needs = phase.needs.iter().map(|&need| &plan.phase(need).name[..]);
        let _ = writeln!(text, "  phase {}{}", phase.name, after(needs));
        for &step in &phase.steps {
            let _ = writeln!(text, "    {}", step_line(plan, step));
        }
    }
    for (from, to, label) in drawn(plan, bounds) {
        let _ = writeln!(text, "  {} ~> {} ({label})", plan.step(from).name, target_name(plan, to));
    }
    text
}

fn step_line(plan: &Plan, id: StepId) -> String {
    let step = plan.step(id);
    let kind = kind(step).map_or_else(String::new, |kind| format!(" [{kind}]"));
    format!("{}{kind}{}", step.name, after(step.needs.iter().map(|&need| &plan.step(need).name[..])))
}

fn after<'n>(needs: impl Iterator<Item = &'n str>) -> String {
    let needs: Vec<&str> = needs.collect();
    if needs.is_empty() { String::new() } else { format!(" <- {}", needs.join(", ")) }
}

/// What a reader should see of a step at once.
fn kind(step: &Step) -> Option<&'static str> {
    match (&step.forward.action, &step.way_home) {
        (Action::Gate(_), _) => Some("gate"),
        (_, WayHome::Irreversible { .. }) => Some("irreversible"),
        (Action::Manual(_), _) => Some("manual"),
        (Action::Wait(_), _) => Some("wait"),
        (Action::Ramp(_), _) => Some("ramp"),
        (Action::Run(_) | Action::Http(_) | Action::Sql(_), _) => None,
    }
}

/// Rollback edges from a step to somewhere else than the start.
fn drawn(plan: &Plan, bounds: &Bounds) -> Vec<(StepId, Target, &'static str)> {
    let of = |edge: &RollbackEdge| match edge.trigger {
        _ if edge.target == Target::Start => None,
        Trigger::StepFailed(step) => Some((step, edge.target, "on failure")),
        Trigger::NoGo(step) => Some((step, edge.target, "on no")),
        Trigger::PhaseFailed(phase) => Some((*plan.phase(phase).steps.last()?, edge.target, "phase fails")),
        Trigger::StepInDoubt(_) | Trigger::WindowClosed(_) | Trigger::GuardBreached(_) | Trigger::RunTimeout => None,
    };
    bounds.edges.iter().filter_map(of).collect()
}

fn target_name(plan: &Plan, target: Target) -> String {
    match target {
        Target::Start => "the start".to_owned(),
        Target::Step(step) => plan.step(step).name.clone(),
        Target::Phase(phase) => format!("the end of phase {}", plan.phase(phase).name),
    }
}

/// Every edge of the way forward; a phase's end is a point of its own, so that a barrier costs one edge a step.
enum Edge {
    Steps(StepId, StepId),
    /// From the end of a phase to a first step of one behind it.
    Into(PhaseId, StepId),
    /// From a last step of a phase to its end.
    OutOf(StepId, PhaseId),
    /// Between phases without a step that could stand for them.
    Phases(PhaseId, PhaseId),
}

fn edges(plan: &Plan) -> Vec<Edge> {
    let mut edges = Vec::new();
    let mut has_behind = vec![false; plan.steps().len()];
    for id in plan.step_ids() {
        let step = plan.step(id);
        edges.extend(step.needs.iter().map(|&need| Edge::Steps(need, id)));
        let inside = step.needs.iter().filter(|need| plan.step(**need).phase == step.phase);
        let mut first = true;
        for need in inside {
            has_behind[need.index()] = true;
            first = false;
        }
        if let Some(phase) = step.phase.filter(|_| first) {
            edges.extend(plan.phase(phase).needs.iter().map(|&before| Edge::Into(before, id)));
        }
    }
    for id in plan.phase_ids() {
        let last = plan.phase(id).steps.iter().filter(|step| !has_behind[step.index()]);
        edges.extend(last.map(|&step| Edge::OutOf(step, id)));
        if plan.phase(id).steps.is_empty() {
            edges.extend(plan.phase(id).needs.iter().map(|&before| Edge::Phases(before, id)));
        }
    }
    edges
}

fn target_id(target: Target) -> String {
    match target {
        Target::Start => "start".to_owned(),
        Target::Step(step) => format!("s{}", step.index()),
        Target::Phase(phase) => format!("e{}", phase.index()),
    }
}

/// For `dot`.
pub fn as_dot(plan: &Plan, bounds: &Bounds) -> String {
    let mut dot =
        format!("digraph {} {{\n  rankdir=LR;\n  node [shape=box, style=rounded];\n", quoted(&plan.about().name));
    let node = |id: StepId| {
        let step = plan.step(id);
        let look = match (&step.forward.action, &step.way_home) {
            (_, WayHome::Irreversible { .. }) => ", style=\"rounded,bold\", color=red",
            (Action::Gate(_) | Action::Manual(_), _) => ", shape=diamond, style=\"\"",
            _ => "",
        };
        let tip = step.summary.as_deref().unwrap_or(&step.name);
        format!("s{} [label={}, tooltip={}{look}];\n", id.index(), quoted(&step.name), quoted(tip))
    };
    for id in plan.step_ids().filter(|id| plan.step(*id).phase.is_none()) {
        let _ = write!(dot, "  {}", node(id));
    }
    for id in plan.phase_ids() {
        let phase = plan.phase(id);
        let _ = writeln!(dot, "  subgraph cluster_{} {{\n    label={};", id.index(), quoted(&phase.name));
        for &step in &phase.steps {
            let _ = write!(dot, "    {}", node(step));
        }
        let _ = writeln!(dot, "    e{} [shape=point, label=\"\"];\n  }}", id.index());
    }
    for edge in edges(plan) {
        let (from, to) = ends(&edge);
        let _ = writeln!(dot, "  {from} -> {to};");
    }
    for (from, to, label) in drawn(plan, bounds) {
        let look = format!("style=dashed, color=red, constraint=false, label={}", quoted(label));
        let _ = writeln!(dot, "  s{} -> {} [{look}];", from.index(), target_id(to));
    }
    dot.push_str("}\n");
    dot
}

fn ends(edge: &Edge) -> (String, String) {
    let step = |id: &StepId| format!("s{}", id.index());
    let end = |id: &PhaseId| format!("e{}", id.index());
    match edge {
        Edge::Steps(from, to) => (step(from), step(to)),
        Edge::Into(from, to) => (end(from), step(to)),
        Edge::OutOf(from, to) => (step(from), end(to)),
        Edge::Phases(from, to) => (end(from), end(to)),
    }
}

/// A string of the DOT language: only `"` ends it, and labels read `\` as the beginning of an escape.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            c if c.is_control() => quoted.push(' '),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// For Mermaid.
pub fn as_mermaid(plan: &Plan, bounds: &Bounds) -> String {
    let mut text = String::from("flowchart LR\n");
    let node = |id: StepId| {
        let step = plan.step(id);
        let name = labelled(&step.name);
        match (&step.forward.action, &step.way_home) {
            (_, WayHome::Irreversible { .. }) => format!("s{}[[{name}]]\n", id.index()),
            (Action::Gate(_) | Action::Manual(_), _) => format!("s{}{{{name}}}\n", id.index()),
            _ => format!("s{}({name})\n", id.index()),
        }
    };
    for id in plan.step_ids().filter(|id| plan.step(*id).phase.is_none()) {
        let _ = write!(text, "  {}", node(id));
    }
    for id in plan.phase_ids() {
        let phase = plan.phase(id);
        let _ = writeln!(text, "  subgraph p{}[{}]", id.index(), labelled(&phase.name));
        for &step in &phase.steps {
            let _ = write!(text, "    {}", node(step));
        }
        let _ = writeln!(text, "    e{}((\" \"))\n  end", id.index());
    }
    for edge in edges(plan) {
        let (from, to) = ends(&edge);
        let _ = writeln!(text, "  {from} --> {to}");
    }
    for (from, to, label) in drawn(plan, bounds) {
        let _ = writeln!(text, "  s{} -. {} .-> {}", from.index(), labelled(label), target_id(to));
    }
    text
}

/// A quoted text of Mermaid, which knows entities and no escapes.
fn labelled(text: &str) -> String {
    let mut label = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '#' | '<' | '>' | '&' | '`' => {
                let _ = write!(label, "#{};", u32::from(c));
            }
            c if c.is_control() => label.push(' '),
            c => label.push(c),
        }
    }
    label.push('"');
    label
}
