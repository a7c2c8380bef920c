//! The plan as a person reads it before the start, and the same for a machine.
//!
//! What it needs to know of time comes as [`Bounds`]; it works out nothing itself.

use serde_json::{Value, json};

use super::text::{Line, Role, width};
use super::words::guard::allowed;
use crate::model::{
    Action, Baseline, Body, Bounds, Gate, OnBreach, OnNo, Phase, PhaseId, Plan, Policy, Ramp, RampValue, RollbackEdge,
    Rule, Run, RunCommand, Span, Statements, Step, StepId, Target, Then, Trigger, Wait, WayBack, WayHome,
};

/// The column where a step's action begins, at most.
const NAMES_MAX: usize = 24;

/// The columns that one action of an undo takes, at most.
const UNDO_MAX: usize = 56;

/// Lines no wider than `columns`; `shown` is what a text with templates in it looks like, as far as that is known.
pub fn lines(plan: &Plan, bounds: &Bounds, columns: usize, shown: &dyn Fn(&str) -> String) -> Vec<Line> {
    let page = Page::of(plan, bounds, columns, shown);
    let mut lines = Vec::new();
    page.summary(&mut lines);
    if plan.phases().is_empty() {
        lines.push(Line::new());
        plan.step_ids().for_each(|step| page.step(step, &mut lines));
    }
    for id in plan.phase_ids() {
        lines.push(Line::new());
        page.phase(id, &mut lines);
    }
    page.policies(&mut lines);
    lines.push(Line::new());
    lines.extend(Line::of(Role::Dim, "* longest path   ? people are asked   ! cannot be undone").wrap(columns, 0));
    lines.into_iter().map(|line| line.fit(columns, "...")).collect()
}

/// What all parts of the page need to know.
struct Page<'p> {
    plan: &'p Plan,
    bounds: &'p Bounds,
    columns: usize,
    /// Where actions begin.
    indent: usize,
    critical: Vec<bool>,
    /// Of a text with templates in it.
    shown: &'p dyn Fn(&str) -> String,
}

impl<'p> Page<'p> {
    fn of(plan: &'p Plan, bounds: &'p Bounds, columns: usize, shown: &'p dyn Fn(&str) -> String) -> Self {
        let mut critical = vec![false; plan.steps().len()];
        bounds.critical_path.iter().for_each(|step| critical[step.index()] = true);
        let longest = plan.steps().iter().map(|step| width(&step.name)).max().unwrap_or_default();
        Self { plan, bounds, columns, indent: longest.min(NAMES_MAX) + 6, critical, shown }
    }

    /// `text` behind a word of the left column.
    fn entry(&self, lines: &mut Vec<Line>, word: &str, role: Role, text: &str) {
        let mut line = Line::of(Role::Plain, "  ").with(Role::Dim, word);
        line.pad_to(17);
        line.push(role, text);
        lines.extend(line.wrap(self.columns, 17));
    }

    fn summary(&self, lines: &mut Vec<Line>) {
        let (about, bounds) = (self.plan.about(), self.bounds);
        let mut title = Line::of(Role::Strong, &about.name);
        if let Some(version) = &about.version {
            title.push(Role::Plain, format!(" {version}"));
        }
        if let Some(summary) = &about.summary {
            title.push(Role::Plain, format!(": {summary}"));
        }
        lines.extend(title.wrap(self.columns, 2));
        let forward = format!("at most {} of machine time, {} at once", bounds.forward, bounds.slots);
        self.entry(lines, "way forward", Role::Plain, &format!("{forward} (timeout {})", about.timeout));
        let promise = about.rollback_timeout.map_or_else(String::new, |promise| format!(" (promised: {promise})"));
        self.entry(lines, "way back", Role::Back, &format!("{}{promise}", back(self.plan, bounds.worst)));
        let names = |steps: &[StepId]| steps.iter().map(|&id| self.name(id)).collect::<Vec<_>>();
        if !bounds.no_return.is_empty() {
            let text = format!("{}: behind it there is only the way forward", names(&bounds.no_return).join(", "));
            self.entry(lines, "no return", Role::Warn, &text);
        }
        self.entry(lines, "longest path", Role::Plain, &shortened(&names(&bounds.critical_path)).join(" > "));
        if let Some(baseline) = self.plan.baseline() {
            let names: Vec<&str> = baseline.probes.iter().map(|&id| &self.plan.probe(id).name[..]).collect();
            let text = format!("{} over {}, {}", names.join(", "), baseline.over, moment(self.plan, baseline));
            self.entry(lines, "baseline", Role::Plain, &text);
            self.conditions(lines, "require", baseline.require.iter().map(|one| one.condition));
        }
        for part in self.plan.parts() {
            let summary = part.summary.as_ref().map_or_else(String::new, |summary| format!(": {summary}"));
            self.entry(lines, "part", Role::Plain, &format!("{} from {}{summary}", part.name, part.file));
        }
        for guard in self.plan.guards() {
            let breach = match &guard.on_breach {
                OnBreach::Rollback(rollback) => format!("goes back to {}", target(self.plan, rollback.target)),
                OnBreach::Pause => "pauses".to_owned(),
                OnBreach::Warn => "warns".to_owned(),
            };
            let text = match &guard.rule {
                Rule::Condition(watched) => {
                    let condition = &self.plan.condition(watched.require).text;
                    format!("{}: {condition}; {} of {} failing {breach}", guard.name, watched.failures, watched.of)
                }
                Rule::Budget(budget) => format!("{}: {}; more {breach}", guard.name, allowed(self.plan, budget)),
            };
            self.entry(lines, guard.kind(), Role::Plain, &text);
            self.conditions(lines, "warns unless", guard.rule.condition().and_then(|watched| watched.warn));
        }
    }

    fn name(&self, step: StepId) -> &'p str {
        &self.plan.step(step).name
    }

    fn phase(&self, id: PhaseId, lines: &mut Vec<Line>) {
        let (phase, bounds) = (self.plan.phase(id), &self.bounds.phases[id.index()]);
        let mut title = Line::of(Role::Strong, format!("Phase {}", phase.name));
        if let Some(summary) = &phase.summary {
            title.push(Role::Plain, format!(": {summary}"));
        }
        lines.extend(title.wrap(self.columns, 2));
        let timeout = phase.timeout.map_or_else(String::new, |timeout| format!(" (timeout {timeout})"));
        self.entry(lines, "way forward", Role::Plain, &format!("at most {}{timeout}", bounds.forward));
        if let Some(window) = &phase.window {
            let text = format!(
                "{} ({}); latest safe start {} before it closes",
                window.open.join(", "),
                window.zone,
                bounds.before_close
            );
            self.entry(lines, "window", Role::Plain, &text);
        }
        if let Some(interrupts) = &phase.interrupts {
            let (from, to) = (self.name(interrupts.from), self.name(interrupts.to));
            self.entry(lines, "interrupts", Role::Warn, &format!("{} from {from} to {to}", interrupts.what));
        }
        self.conditions(lines, "require", phase.require.iter().map(|one| one.condition));
        phase.steps.iter().for_each(|&step| self.step(step, lines));
        self.conditions(lines, "success", phase.success.iter().map(|one| one.condition));
    }

    fn conditions(&self, lines: &mut Vec<Line>, word: &str, list: impl IntoIterator<Item = crate::model::ConditionId>) {
        for condition in list {
            self.entry(lines, word, Role::Plain, &self.plan.condition(condition).text);
        }
    }

    fn step(&self, id: StepId, lines: &mut Vec<Line>) {
        let (step, bounds) = (self.plan.step(id), &self.bounds.steps[id.index()]);
        let (mark, role) = match (&step.forward.action, step.is_irreversible()) {
            (_, true) => ("!", Role::Bad),
            (Action::Gate(_) | Action::Manual(_), _) => ("?", Role::Ask),
            _ if self.critical[id.index()] => ("*", Role::Plain),
            _ => (" ", Role::Plain),
        };
        let mut line = Line::of(role, format!("  {mark} ")).with(Role::Strong, &step.name);
        if line.width() >= self.indent {
            lines.push(std::mem::take(&mut line).fit(self.columns, "..."));
        }
        line.pad_to(self.indent);
        // What it is for comes before how it is done.
        let action = (self.shown)(&action_in_short(&step.forward.action));
        if let Some(summary) = &step.summary {
            lines.extend(line.with(role, summary).wrap(self.columns, self.indent));
            line = Line::new();
            line.pad_to(self.indent);
            line.push(Role::Dim, action);
        } else {
            line.push(role, action);
        }
        lines.push(line.fit(self.columns, "..."));
        let time = [self.needs(id), Some(time_of(self.plan, step, bounds.forward)), self.home(step)];
        let back = format!("way back from here: {}", back(self.plan, bounds.back));
        let origin = self.plan.part_of(id).map(|part| format!("part {} ({})", part.name, part.file));
        let time = time.into_iter().flatten().collect::<Vec<_>>().join("; ");
        for detail in [Some(time), Some(back), origin].into_iter().flatten() {
            let mut line = Line::new();
            line.pad_to(self.indent);
            lines.extend(line.with(Role::Dim, detail).wrap(self.columns, self.indent));
        }
    }

    /// What it waits for, where that is not just the step before it.
    fn needs(&self, id: StepId) -> Option<String> {
        let needs = &self.plan.step(id).needs;
        let before = id.index().checked_sub(1).map(StepId::at);
        match needs[..] {
            [] => None,
            [only] if Some(only) == before => None,
            _ => {
                let names: Vec<&str> = needs.iter().map(|&need| self.name(need)).collect();
                Some(format!("after {}", shortened(&names).join(", ")))
            }
        }
    }

    /// How it is undone.
    fn home(&self, step: &Step) -> Option<String> {
        match &step.way_home {
            WayHome::Undo(list) => {
                let all: Vec<String> =
                    list.iter().map(|undo| cut(&(self.shown)(&action_in_short(&undo.action)))).collect();
                Some(format!("undo: {}", all.join(", then ")))
            }
            WayHome::UndoneBy(other) => Some(format!("undone by {}", self.name(*other))),
            WayHome::Kept { why } => Some(format!("its effect is kept: {why}")),
            WayHome::Irreversible { .. } => Some("cannot be undone".to_owned()),
            WayHome::NoEffect => None,
        }
    }

    /// What happens when something goes wrong, where that is not the plain way to the start.
    fn policies(&self, lines: &mut Vec<Line>) {
        lines.push(Line::new());
        lines.push(Line::of(Role::Strong, "When something goes wrong"));
        let mut tell = |when: &str, what: &str| {
            let line = Line::of(Role::Plain, format!("  {when}: ")).with(Role::Back, what);
            lines.extend(line.wrap(self.columns, 4));
        };
        for edge in &self.bounds.edges {
            let then = policy_of(self.plan, edge).map_or("", |then| then_in_words(then));
            let text = format!("back to {}{then}: {}", target(self.plan, edge.target), back(self.plan, edge.back));
            tell(&edge.trigger.clause(self.plan), &text);
        }
        for (clause, what) in self.plan.step_ids().filter_map(|id| without_rollback(self.plan, id)) {
            tell(&clause, what);
        }
        let is_plain = |step: &Step| {
            let to_start = matches!(&step.on_failure, Policy::Rollback(rollback) if rollback.target == Target::Start);
            to_start && !matches!(step.forward.action, Action::Gate(_))
        };
        if self.plan.steps().iter().any(is_plain) {
            tell("any other step fails", "back to the start");
        }
    }
}

/// When the baseline is taken.
fn moment(plan: &Plan, baseline: &Baseline) -> String {
    match baseline.before {
        Some(phase) => format!("before phase {}", plan.phase(phase).name),
        None => "before the first step with an effect".to_owned(),
    }
}

/// A failing step, or a no, that leads nowhere back.
fn without_rollback(plan: &Plan, id: StepId) -> Option<(String, &'static str)> {
    let step = plan.step(id);
    if let Action::Gate(gate) = &step.forward.action {
        let what = match gate.on_no {
            OnNo::Stop => "the run stops",
            OnNo::Pause => "the run pauses",
            OnNo::Rollback(_) => return None,
        };
        return Some((Trigger::NoGo(id).clause(plan), what));
    }
    let what = match step.on_failure {
        Policy::Pause => "the run pauses",
        Policy::Continue => "goes on without it",
        Policy::Stop => "the run stops",
        Policy::Rollback(_) => return None,
    };
    Some((Trigger::StepFailed(id).clause(plan), what))
}

fn policy_of<'p>(plan: &'p Plan, edge: &RollbackEdge) -> Option<&'p Then> {
    let on_failure = |policy: &'p Policy| match policy {
        Policy::Rollback(rollback) => Some(rollback),
        Policy::Pause | Policy::Continue | Policy::Stop => None,
    };
    let rollback = match edge.trigger {
        Trigger::StepFailed(step) => on_failure(&plan.step(step).on_failure),
        Trigger::PhaseFailed(phase) => on_failure(&plan.phase(phase).on_failure),
        Trigger::NoGo(step) => match &plan.step(step).forward.action {
            Action::Gate(Gate { on_no: OnNo::Rollback(rollback), .. }) => Some(rollback),
            _ => None,
        },
        Trigger::GuardBreached(guard) => match &plan.guard(guard).on_breach {
            OnBreach::Rollback(rollback) => Some(rollback),
            OnBreach::Pause | OnBreach::Warn => None,
        },
        Trigger::StepInDoubt(_) | Trigger::WindowClosed(_) | Trigger::RunTimeout => None,
    };
    rollback.filter(|rollback| rollback.target == edge.target).map(|rollback| &rollback.then)
}

fn then_in_words(then: &Then) -> &'static str {
    match then {
        Then::Stop => "",
        Then::Pause => ", then pause",
        Then::Retry { .. } => ", then try again",
    }
}

fn target(plan: &Plan, target: Target) -> String {
    match target {
        Target::Start => "the start".to_owned(),
        Target::Step(step) => plan.step(step).name.clone(),
        Target::Phase(phase) => format!("the end of phase {}", plan.phase(phase).name),
    }
}

fn back(plan: &Plan, back: WayBack) -> String {
    let undos = match back.undos {
        0 => "nothing to undo".to_owned(),
        1 => "1 undo".to_owned(),
        more => format!("{more} undos"),
    };
    match back.closed_by {
        Some(step) => format!("none once {} has started", plan.step(step).name),
        None if back.bound == Span::ZERO => undos,
        None => format!("{undos}, at most {}", back.bound),
    }
}

fn time_of(plan: &Plan, step: &Step, forward: Span) -> String {
    let watched = step.progress.map(|progress| {
        format!("; fails {} after probe.{} stood still", progress.stall, plan.probe(progress.probe).name)
    });
    bound_of(step, forward) + &watched.unwrap_or_default()
}

fn bound_of(step: &Step, forward: Span) -> String {
    match &step.forward.action {
        Action::Gate(gate) => match gate.expires {
            Some(expires) => format!("waits {expires} for an answer"),
            None => "waits for ever for an answer".to_owned(),
        },
        Action::Manual(manual) => format!("waits {} for a person", manual.expires),
        Action::Run(_) | Action::Http(_) | Action::Sql(_) | Action::Wait(_) | Action::Ramp(_) => {
            match step.forward.retry.attempts {
                0 | 1 => format!("at most {forward}"),
                attempts if step.forward.ramp().is_some() => {
                    format!("{attempts} attempts for each value, at most {forward}")
                }
                attempts => format!("{attempts} attempts, at most {forward}"),
            }
        }
    }
}

/// The values of a ramp and how long each is held: `1, 10, 50 held 40s each`, `1 for 10s, 20 for 1h`.
fn values_in_short(ramp: &Ramp) -> String {
    let alike = ramp.values.windows(2).all(|pair| pair[0].hold == pair[1].hold);
    match &ramp.values[..] {
        [first, ..] if alike => {
            let values: Vec<String> = ramp.values.iter().map(RampValue::text).collect();
            format!("{}, each held {}", values.join(", "), first.hold)
        }
        values => {
            let values: Vec<String> =
                values.iter().map(|value| format!("{} for {}", value.text(), value.hold)).collect();
            values.join(", ")
        }
    }
}

/// What an action does, on one line; templates as they are written.
fn action_in_short(action: &Action) -> String {
    match action {
        Action::Run(Run { command: RunCommand::Script { text, .. }, .. }) => {
            format!(
                "run {}",
                text.0.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("; ")
            )
        }
        Action::Run(Run { command: RunCommand::Args(args), .. }) => {
            format!("run {}", args.iter().map(|arg| &arg.0[..]).collect::<Vec<_>>().join(" "))
        }
        Action::Http(http) => match &http.body {
            Body::Empty | Body::Text(_) => format!("http {} {}", http.method, http.url.0),
            Body::Json(json) => format!("http {} {} {json}", http.method, http.url.0),
        },
        Action::Sql(sql) => match &sql.statements {
            Statements::Query(query) => format!("sql {}", query.0),
            Statements::Execute(list) => {
                format!("sql {}", list.iter().map(|one| &one.0[..]).collect::<Vec<_>>().join("; "))
            }
        },
        Action::Wait(Wait::For(span)) => format!("wait {span}"),
        Action::Wait(Wait::Until { within, .. }) => format!("wait, at most {within}"),
        Action::Gate(gate) => format!("gate {}", gate.question.0),
        Action::Manual(manual) => format!("manual {}", manual.instructions.0),
        Action::Ramp(ramp) => format!("ramp {}; {}", values_in_short(ramp), action_in_short(&ramp.set.action)),
    }
}

/// No more than a glance: a list of undos has several on one line.
fn cut(text: &str) -> String {
    Line::of(Role::Plain, text).fit(UNDO_MAX, "...").to_string()
}

/// A long list without its middle.
fn shortened<'t>(names: &[&'t str]) -> Vec<&'t str> {
    match names.len() {
        0..=12 => names.to_vec(),
        all => [&names[..8], &["..."], &names[all - 3..]].concat(),
    }
}

/// The same for a machine: spans in milliseconds, names instead of ids.
pub fn as_json(plan: &Plan, bounds: &Bounds) -> Value {
    let about = plan.about();
    json!({
        "name": about.name,
        "version": about.version,
        "summary": about.summary,
        "timeout_ms": about.timeout.millis(),
        "rollback_timeout_ms": about.rollback_timeout.map(Span::millis),
        "max_parallel": about.max_parallel,
        "forward_ms": bounds.forward.millis(),
        "way_back": back_json(plan, bounds.worst),
        "critical_path": names(plan, &bounds.critical_path),
        "no_return": names(plan, &bounds.no_return),
        "baseline": plan.baseline().map(|baseline| json!({
            "probes": baseline.probes.iter().map(|&id| &plan.probe(id).name).collect::<Vec<_>>(),
            "before": baseline.before.map(|phase| &plan.phase(phase).name),
            "over_ms": baseline.over.millis(),
        })),
        "parts": plan.parts().iter().map(|part| json!({
            "name": part.name,
            "file": part.file,
            "summary": part.summary,
            "steps": names(plan, &part.steps),
        })).collect::<Vec<_>>(),
        "phases": plan.phase_ids().map(|id| phase_json(plan, id, bounds)).collect::<Vec<_>>(),
        "steps": plan.step_ids().map(|id| step_json(plan, id, bounds)).collect::<Vec<_>>(),
        "rollback_edges": bounds.edges.iter().map(|edge| json!({
            "when": edge.trigger.clause(plan),
            "to": target(plan, edge.target),
            "way_back": back_json(plan, edge.back),
        })).collect::<Vec<_>>(),
    })
}

fn names<'p>(plan: &'p Plan, steps: &[StepId]) -> Vec<&'p str> {
    steps.iter().map(|&step| &plan.step(step).name[..]).collect()
}

fn back_json(plan: &Plan, back: WayBack) -> Value {
    json!({
        "undos": back.undos,
        "at_most_ms": back.bound.millis(),
        "closed_by": back.closed_by.map(|step| &plan.step(step).name),
    })
}

fn phase_json(plan: &Plan, id: PhaseId, bounds: &Bounds) -> Value {
    let (phase, of) = (plan.phase(id), &bounds.phases[id.index()]);
    let Phase { name, summary, timeout, window, needs, steps, .. } = phase;
    json!({
        "name": name,
        "summary": summary,
        "needs": needs.iter().map(|&need| &plan.phase(need).name).collect::<Vec<_>>(),
        "steps": names(plan, steps),
        "timeout_ms": timeout.map(Span::millis),
        "forward_ms": of.forward.millis(),
        "way_back": back_json(plan, of.back),
        "window": window.as_ref().map(|window| json!({
            "open": window.open,
            "zone": window.zone,
            "latest_safe_start_before_close_ms": of.before_close.millis(),
        })),
    })
}

fn step_json(plan: &Plan, id: StepId, bounds: &Bounds) -> Value {
    let (step, of) = (plan.step(id), &bounds.steps[id.index()]);
    let home = match &step.way_home {
        WayHome::Undo(_) => "undo",
        WayHome::UndoneBy(_) => "undone_by",
        WayHome::NoEffect => "none",
        WayHome::Kept { .. } => "kept",
        WayHome::Irreversible { .. } => "irreversible",
    };
    json!({
        "name": step.name,
        "phase": step.phase.map(|phase| &plan.phase(phase).name),
        "part": plan.part_of(id).map(|part| &part.name),
        "needs": names(plan, &step.needs),
        "summary": step.summary,
        "action": step.forward.action.word(),
        "values": step.forward.ramp().map(|ramp| ramp.values.iter().map(|value| json!({
            "value": value.value,
            "hold_ms": value.hold.millis(),
        })).collect::<Vec<_>>()),
        "attempts": step.forward.retry.attempts,
        "attempt_ms": of.attempt.millis(),
        "progress": step.progress.map(|progress| json!({
            "probe": plan.probe(progress.probe).name,
            "stall_ms": progress.stall.millis(),
        })),
        "forward_ms": of.forward.millis(),
        "way_home": home,
        "undo_ms": of.has_undo.then_some(of.undo.millis()),
        "way_back": back_json(plan, of.back),
    })
}
