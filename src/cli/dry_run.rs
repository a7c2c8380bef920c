//! `exec --dry-run`: what a run would do, and what can be known of it before it begins. Nothing is changed.
//!
//! `plan` spawns nothing and connects to nothing. `preflight` also asks every probe once, for probes only read.
//!
//! A finding is what would refuse a run as things are now, and a program that is missing, for which it would fail later. What a
//! run makes come true itself is none.

mod first;
mod runs;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use serde_json::json;

use super::args::{self, DryRun, Output};
use super::exec::Document;
use super::exit::Exit;
use super::failure::Failure;
use super::output::{print, say};
use super::read::size;
use super::stage::{self, find_program};
use super::variables::{self, Known, unresolved};
use crate::drive::live::clock;
use crate::drive::live::gauge::Gauge;
use crate::drive::live::once::once;
use crate::drive::live::scope::RunScope;
use crate::drive::live::vars::VarError;
use crate::drive::live::windows::Windows;
use crate::engine::{Asked, Event, Question};
use crate::model::{
    Action, Bounds, GuardId, NoData, OnBreach, Part, Plan, ProbeId, ProbeSource, Run, RunCommand, RunId, StepId,
    Template, Time, Value, Verdict, Work, shown_json,
};
use crate::report::text::{Line, Role, count};

/// Something that a dry run says.
struct Remark {
    kind: Kind,
    /// What it is about: `step promote`.
    about: String,
    text: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// A run would be refused, or could not go well.
    Finding,
    /// So it is now.
    Fact,
    /// A probe says nothing. Whether that refuses a run is said by what reads it.
    NoData,
    /// It cannot be known beforehand.
    Unchecked,
}

impl Kind {
    const fn word(self) -> &'static str {
        match self {
            Self::Finding => "finding",
            Self::Fact => "now",
            Self::NoData => "no data",
            Self::Unchecked => "not checked",
        }
    }
}

/// Says what a run would do, and what cannot be said.
pub(super) fn dry_run(
    document: Document,
    args: &args::Exec,
    state: Option<&Path>,
    level: DryRun,
) -> Result<Exit, Failure> {
    let mut remarks: Vec<Remark> = runs::in_the_way(&document.plan, args, state)?.into_iter().collect();
    let runtime = stage::runtime()?;
    let values = match level {
        DryRun::Plan => variables_without_programs(&document, &mut remarks)?,
        DryRun::Preflight => runtime.block_on(variables::values(&document.plan, &document.folder, &document.given))?,
    };
    let document = &stage::given(&args.file, document, &values)?;
    let plan = &document.plan;
    if args.output != Output::Json {
        let known = Known::of(plan, values.clone());
        print(&crate::report::plan::lines(plan, &Bounds::of(plan), size().0, &|text| known.shown(text)));
        say("");
    }
    match level {
        DryRun::Plan => {
            remarks.extend(baseline(plan, &[]));
            remarks.extend(plan.step_ids().filter_map(|step| unchecked(plan, step, DryRun::Plan)));
        }
        DryRun::Preflight => {
            programs(plan, &document.folder, &mut remarks);
            windows(plan, args.wait, &mut remarks);
            let blind = runtime.block_on(measure(document, values, &mut remarks));
            remarks.extend(baseline(plan, &blind));
            remarks.extend(plan.step_ids().filter_map(|step| unchecked(plan, step, DryRun::Preflight)));
        }
    }
    tell(&remarks, args.output);
    let found = remarks.iter().any(|remark| remark.kind == Kind::Finding);
    Ok(if found { Exit::Refused } else { Exit::Good })
}

fn tell(remarks: &[Remark], output: Output) {
    for remark in remarks {
        if output == Output::Json {
            let object = json!({ "kind": remark.kind.word(), "about": remark.about, "text": remark.text });
            say(&object.to_string());
            continue;
        }
        let role = match remark.kind {
            Kind::Finding => Role::Bad,
            Kind::Fact => Role::Good,
            Kind::NoData => Role::Warn,
            Kind::Unchecked => Role::Dim,
        };
        let mut line = Line::of(role, remark.kind.word());
        line.pad_to(13);
        let line = line.with(Role::Strong, format!("{}: ", remark.about)).with(Role::Plain, &remark.text);
        print(&line.wrap(size().0, 15));
    }
    if output != Output::Json {
        let findings = remarks.iter().filter(|remark| remark.kind == Kind::Finding).count();
        say(&match findings {
            0 => "nothing was changed; nothing was found that forbids a run".to_owned(),
            1 => "nothing was changed; 1 finding".to_owned(),
            count => format!("nothing was changed; {count} findings"),
        });
    }
}

fn variables_without_programs(
    document: &Document,
    remarks: &mut Vec<Remark>,
) -> Result<BTreeMap<String, Value>, Failure> {
    let runtime = stage::runtime()?;
    let resolved = variables::values_without_programs(&document.plan, &document.folder, &document.given);
    let errors = match runtime.block_on(resolved) {
        Ok(values) => return Ok(values),
        Err(errors) => errors,
    };
    // What a program would say is not known without asking it; the rest is wrong.
    let (unread, wrong): (Vec<_>, Vec<_>) = errors.into_iter().partition(|error| {
        matches!(error, VarError::Nothing { name, .. } | VarError::Unreadable { name, .. } if comes_from_program(&document.plan, name))
    });
    if !wrong.is_empty() {
        return Err(unresolved(&wrong));
    }
    remarks.extend(unread.into_iter().map(|error| Remark {
        kind: Kind::Unchecked,
        about: "variables".to_owned(),
        text: format!("could not {error}"),
    }));
    Ok(document.by_hand.clone())
}

fn comes_from_program(plan: &Plan, name: &str) -> bool {
    let of_program = |source: &crate::model::VarSource| matches!(source, crate::model::VarSource::Run(_));
    plan.vars().iter().any(|var| var.name == name && var.sources.iter().any(of_program))
}

/// The baseline takes its time, and belongs to the moment before the first effect. What can be known is whether its probes,
/// of which these are `blind`, say anything.
fn baseline(plan: &Plan, blind: &[ProbeId]) -> Option<Remark> {
    let baseline = plan.baseline()?;
    let silent = baseline.probes.iter().find(|probe| blind.contains(probe)).filter(|_| first::is_baseline(plan));
    if let Some(probe) = silent {
        let text = format!("its probe {} has no data", plan.probe(*probe).name);
        return Some(Remark { kind: Kind::Finding, about: "baseline".to_owned(), text });
    }
    let mut text = format!("its probes would be sampled for {}", baseline.over);
    if !baseline.require.is_empty() {
        text.push_str(", and then whether it is healthy");
    }
    Some(Remark { kind: Kind::Unchecked, about: "baseline".to_owned(), text })
}

/// What of a step only the run itself can show.
fn unchecked(plan: &Plan, id: StepId, level: DryRun) -> Option<Remark> {
    let step = plan.step(id);
    let mut parts = Vec::new();
    match &step.forward.action {
        Action::Run(_) if level == DryRun::Plan => parts.push("whether its program is there".to_owned()),
        Action::Run(_) => parts.push("what its program does".to_owned()),
        Action::Http(_) => parts.push("whether its request is taken".to_owned()),
        Action::Sql(_) => parts.push("what its statements do".to_owned()),
        Action::Manual(_) => parts.push("what a person does".to_owned()),
        Action::Gate(_) => parts.push("what people answer".to_owned()),
        Action::Ramp(ramp) => {
            parts.push(format!("whether its {} are taken, confirmed and held", count(ramp.values.len(), "value")));
        }
        Action::Wait(_) => {}
    }
    if level == DryRun::Plan && (step.forward.when.is_some() || step.forward.done_when.is_some()) {
        parts.push("whether it is to be done at all".to_owned());
    }
    if !step.forward.success.is_empty() {
        parts.push("its criteria".to_owned());
    }
    if !step.undo().is_empty() {
        parts.push("its undo".to_owned());
    }
    let about = format!("step {}", step.name);
    (!parts.is_empty()).then(|| Remark { kind: Kind::Unchecked, about, text: parts.join(", ") })
}

/// Programs that must be there: on PATH, or beside the runbook.
fn programs(plan: &Plan, folder: &Path, remarks: &mut Vec<Remark>) {
    let mut missing = |about: String, name: &str| {
        let text = format!("there is no program `{name}`");
        remarks.push(Remark { kind: Kind::Finding, about, text });
    };
    for name in plan.about().requires.iter().filter(|name| find_program(name).is_none()) {
        missing("requires".to_owned(), name);
    }
    for step in plan.steps() {
        for work in std::iter::once(&step.forward).chain(step.undo()) {
            if let Some(name) = program(work).filter(|name| !is_there(name, folder)) {
                missing(format!("step {}", step.name), name);
            }
        }
    }
    for probe in plan.probes() {
        if let ProbeSource::Run(run) = &probe.source
            && let Some(name) = program_of(run).filter(|name| !is_there(name, folder))
        {
            missing(format!("probe {}", probe.name), name);
        }
    }
}

fn program(work: &Work) -> Option<&str> {
    match &work.attempted().action {
        Action::Run(run) => program_of(run),
        Action::Http(_) | Action::Sql(_) | Action::Wait(_) | Action::Gate(_) | Action::Manual(_) | Action::Ramp(_) => {
            None
        }
    }
}

/// The program of a `run`, where it is the same in every run.
fn program_of(run: &Run) -> Option<&str> {
    let name = match &run.command {
        RunCommand::Script { shell, .. } => shell.first()?.as_str(),
        RunCommand::Args(arguments) => {
            let Template(name) = arguments.first()?;
            name
        }
    };
    let elsewhere = run.cwd.is_some() && name.contains('/');
    (!name.contains("{{") && !elsewhere).then_some(name)
}

fn is_there(name: &str, folder: &Path) -> bool {
    if name.contains('/') {
        let path = folder.join(name);
        path.is_file() && rustix::fs::access(&path, rustix::fs::Access::EXEC_OK).is_ok()
    } else {
        find_program(name).is_some()
    }
}

fn windows(plan: &Plan, wait: bool, remarks: &mut Vec<Remark>) {
    let windows = Windows::new(plan);
    for id in plan.phase_ids() {
        let Err(next) = windows.may_start(id, clock::wall()) else { continue };
        let phase = plan.phase(id);
        let when = next.map_or("no opening is long enough for it and its way back".to_owned(), |at| {
            format!("it may start at {at}")
        });
        let first = phase.needs.is_empty() && !wait;
        let kind = if first || next.is_none() { Kind::Finding } else { Kind::Fact };
        remarks.push(Remark {
            kind,
            about: format!("phase {}", phase.name),
            text: format!("its window is closed: {when}"),
        });
    }
}

/// What is asked before the start, with what it is about.
fn questions(plan: &Plan) -> Vec<(String, Asked)> {
    let mut asked = Vec::new();
    asked.extend((0..).zip(plan.preflight()).map(|(n, _)| ("preflight".to_owned(), Asked::Preflight(n))));
    for id in plan.phase_ids() {
        let phase = plan.phase(id);
        let about = format!("phase {}", phase.name);
        asked.extend((0..).zip(&phase.require).map(|(n, _)| (about.clone(), Asked::PhaseRequire(id, n))));
    }
    for id in plan.step_ids() {
        let (step, part) = (plan.step(id), Part::Forward);
        let about = format!("step {}", step.name);
        asked.extend(step.forward.when.map(|_| (about.clone(), Asked::When(id, part))));
        asked.extend(step.forward.done_when.map(|_| (about.clone(), Asked::DoneWhen(id, part))));
        asked.extend((0..).zip(&step.forward.require).map(|(n, _)| (about.clone(), Asked::Require(id, part, n))));
    }
    asked
}

/// Asks every probe once, and judges what can be judged by that. Returns the probes without data.
async fn measure(document: &Document, values: BTreeMap<String, Value>, remarks: &mut Vec<Remark>) -> Vec<ProbeId> {
    let plan = &document.plan;
    let scope = RunScope::new(Arc::clone(plan), RunId("dry-run".to_owned()), document.folder.clone(), values);
    let scope = Arc::new(scope);
    let mut gauge = Gauge::new(Arc::clone(plan));
    let asked = questions(plan);
    let mut verdicts: BTreeMap<Question, (Verdict, String)> = BTreeMap::new();
    let mut facts = Vec::new();
    for (serial, (_, asked)) in (1..).zip(&asked) {
        facts.extend(gauge.ask(Question { asked: *asked, serial }, Time::ZERO, &scope));
    }
    for guard in plan.guard_ids() {
        facts.extend(gauge.watch_guard(guard, &scope, Time::ZERO));
    }
    let every: Vec<_> = (0..plan.probes().len()).map(ProbeId::at).collect();
    let readers = first::readers(plan);
    let mut blind = Vec::new();
    // Later than the moment that the questions are about.
    for sample in once(plan, &scope, every, Time::from_millis(1)).await {
        let about = format!("probe {}", plan.probe(sample.probe).name);
        remarks.push(match (&sample.value, &sample.why_none) {
            (Some(value), _) => {
                Remark { kind: Kind::Fact, about, text: scope.secrets().mask(&shown_json(value)).into_owned() }
            }
            (None, why) => {
                blind.push(sample.probe);
                let why = why.as_deref().unwrap_or("it says nothing");
                let reader = readers.get(&sample.probe).map(|by| format!("; read first by {by}")).unwrap_or_default();
                Remark { kind: Kind::NoData, about, text: format!("{why}{reader}") }
            }
        });
        facts.extend(gauge.sample(sample, &scope));
    }
    for fact in facts {
        if let Event::Judged { question, verdict } = fact.event {
            verdicts.insert(question, (verdict, fact.evidence.unwrap_or_default()));
        }
    }
    for (serial, (about, asked)) in (1..).zip(asked) {
        let verdict = verdicts.remove(&Question { asked, serial });
        remarks.push(judged(plan, about, asked, verdict));
    }
    remarks.extend(plan.guard_ids().map(|id| guard(plan, id, &gauge)));
    blind
}

/// How a guard is by one sample. It refuses a run where its breach ends one that has changed nothing yet.
fn guard(plan: &Plan, id: GuardId, gauge: &Gauge) -> Remark {
    let guard = plan.guard(id);
    let verdict = gauge.health(id).and_then(|health| health.verdict);
    // A history of one sample says nothing.
    let condition = guard.rule.condition().map(|watched| plan.condition(watched.require));
    let verdict = verdict.filter(|_| condition.is_none_or(|condition| condition.series.is_empty()));
    let compares = condition.is_some_and(|condition| condition.reads_baseline);
    let refuses = first::is_guard(plan, id) && guard.on_breach != OnBreach::Warn;
    let kind = match verdict {
        None => Kind::Unchecked,
        Some(_) if compares => Kind::Unchecked,
        Some(Verdict::Fails) if refuses => Kind::Finding,
        Some(Verdict::NoData) if refuses && guard.no_data != NoData::Ignore => Kind::Finding,
        Some(Verdict::Holds | Verdict::Fails | Verdict::NoData) => Kind::Fact,
    };
    let standing = if compares { NO_BASELINE } else { standing(verdict) };
    let text = match (condition, verdict) {
        (Some(condition), _) => format!("`{}` {standing}", condition.text),
        (None, Some(Verdict::NoData)) => "a counter of it has no data".to_owned(),
        (None, Some(_)) => "its counters count; what they grow by is judged in a run".to_owned(),
        (None, None) => "its counters could not be asked".to_owned(),
    };
    Remark { kind, about: format!("{} {}", guard.kind(), guard.name), text }
}

fn judged(plan: &Plan, about: String, asked: Asked, verdict: Option<(Verdict, String)>) -> Remark {
    let what = match asked {
        Asked::Preflight(_) => "",
        Asked::When(..) => "when ",
        Asked::DoneWhen(..) => "done_when ",
        _ => "require ",
    };
    let text = asked.condition(plan).map(|id| plan.condition(id).text.as_str()).unwrap_or_default();
    let (verdict, evidence) = verdict.map_or((None, String::new()), |(verdict, evidence)| (Some(verdict), evidence));
    let compares = asked.condition(plan).is_some_and(|id| plan.condition(id).reads_baseline);
    let kind = match (asked, verdict) {
        (_, None) => Kind::Unchecked,
        (_, Some(_)) if compares => Kind::Unchecked,
        (Asked::Preflight(_), Some(Verdict::Fails | Verdict::NoData)) => Kind::Finding,
        // Earlier steps may be what makes the others true.
        (_, Some(_)) => Kind::Fact,
    };
    let standing = if compares { NO_BASELINE } else { standing(verdict) };
    let text = match (kind, verdict) {
        // Here the evidence begins with the sentence of the check, or with that there is no data.
        (Kind::Finding, Some(Verdict::NoData)) => format!("`{text}`: {evidence}"),
        (Kind::Finding, _) => format!("`{text}` {standing}: {evidence}"),
        (_, _) if evidence.is_empty() => format!("{what}`{text}` {standing}"),
        (_, _) => format!("{what}`{text}` {standing} ({evidence})"),
    };
    Remark { kind, about, text }
}

/// What stands of a condition that compares with a baseline which a dry run does not take.
const NO_BASELINE: &str = "cannot be judged before the baseline is taken";

const fn standing(verdict: Option<Verdict>) -> &'static str {
    match verdict {
        Some(Verdict::Holds) => "holds",
        Some(Verdict::Fails) => "does not hold",
        Some(Verdict::NoData) => "has no data yet",
        None => "cannot be judged by one sample before the start",
    }
}
