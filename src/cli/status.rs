//! `status`: where a run stands, how long its way back stays open, and, when asked, what its ways back say now (R24).

use std::io::{self, IsTerminal as _};

use jiff::Timestamp;
use serde_json::{Value as Json, json};

use super::args;
use super::exit::Exit;
use super::failure::Failure;
use super::measure::{self, WayBack};
use super::output::{print, say};
use super::past::Past;
use super::read::size;
use super::runs::State;
use super::stage::theme;
use crate::drive::live::clock;
use crate::drive::live::samples::Readings;
use crate::engine::RampAt;
use crate::model::{Plan, RunOutcome, Span, StepId, number};
use crate::report::layout;
use crate::report::story::next_moves;
use crate::report::text::{Line, Role};
use crate::report::view::{Health, Pace, Reading, Warning, Window};

/// Rows at least: it need not fit on a screen, for it is printed once.
const HEIGHT: usize = 60;

/// Columns before what a line says.
const LABEL: usize = 12;

/// Where a run stands.
pub(super) fn status(args: &args::Status, state: &State) -> Result<Exit, Failure> {
    let mut past = Past::find(state, args.run.as_deref())?;
    let mut readings = Readings::of(past.folder.path());
    past.show_measured(&mut readings);
    let measured = args.measure.then(|| measure::ways_back(&past, args.secrets.vars_file.as_deref())).transpose()?;
    if args.json {
        let mut object = as_json(&past);
        object["probes"] = probes(&past);
        object["guards"] = guards(&past);
        if let Some(measured) = &measured {
            object["ways_back"] = measured.iter().map(|way_back| way_back.as_json(&past.plan)).collect();
        }
        say(&object.to_string());
        return Ok(Exit::Good);
    }
    let (width, height) = size();
    let mut lines = layout::lines(&past.story.view, width, height.max(HEIGHT), theme(io::stdout().is_terminal()));
    lines.extend(closing(&past).map(|closing| labelled("closes:", Line::of(Role::Plain, closing))));
    lines.extend(measured.iter().flat_map(|measured| told(measured, &past, width)));
    lines.extend(process(&past));
    if past.holder.is_none() {
        let moves = next_moves(&past.story.view);
        lines.extend(moves.into_iter().map(|(command, why)| {
            labelled("next:", Line::of(Role::Strong, command).with(Role::Dim, format!("  {why}")))
        }));
    }
    print(&lines);
    Ok(Exit::Good)
}

/// The moment at which the way back of a run that has ended closes, or what closes it.
fn closing(past: &Past) -> Option<String> {
    let outcome = past.engine.outcome()?;
    if !past.is_way_back_open() {
        return None;
    }
    match (past.story.view.window(), outcome) {
        (Window::Open { left }, _) => closes_at(left).map(|at| at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()),
        (Window::Endless, RunOutcome::Stopped | RunOutcome::RolledBack) => {
            Some(format!("when a later run of the lock `{}` begins", past.plan.about().lock))
        }
        (Window::Endless, RunOutcome::Succeeded | RunOutcome::Refused) | (Window::Closed { .. }, _) => None,
    }
}

fn closes_at(left: Span) -> Option<Timestamp> {
    let at = clock::wall().millis().saturating_add(i64::try_from(left.millis()).ok()?);
    Timestamp::from_millisecond(at).ok()
}

fn process(past: &Past) -> Option<Line> {
    match (&past.holder, past.engine.outcome()) {
        (Some(holder), _) => {
            let text = format!("{} of {} since {}", holder.pid, holder.user, holder.since);
            Some(labelled("process:", Line::of(Role::Dim, text)))
        }
        (None, None) => Some(labelled("process:", Line::of(Role::Warn, "nobody drives it"))),
        (None, Some(_)) => None,
    }
}

/// What the ways back said when they were asked.
fn told(measured: &[WayBack], past: &Past, width: usize) -> Vec<Line> {
    if measured.is_empty() {
        return vec![labelled("measured:", Line::of(Role::Dim, "nothing is to be undone"))];
    }
    let names = measured.iter().map(|it| past.plan.step(it.step).name.len()).max().unwrap_or(0).min(width / 3);
    let mut lines = Vec::new();
    for (n, way_back) in measured.iter().enumerate() {
        let mut name = Line::of(Role::Strong, &past.plan.step(way_back.step).name);
        name.pad_to(names + 2);
        let (role, word) = if way_back.is_open() { (Role::Good, "open") } else { (Role::Bad, "SHUT") };
        let line = name.with(role, word).with(Role::Plain, format!("  {}", way_back.sentence(&past.plan)));
        let line = labelled(if n == 0 { "measured:" } else { "" }, line);
        lines.extend(line.wrap(width, LABEL + names + 8));
    }
    lines
}

fn labelled(label: &str, line: Line) -> Line {
    let mut whole = Line::of(Role::Dim, format!("  {label}"));
    whole.pad_to(LABEL);
    whole.append(line);
    whole
}

/// What is polled at present, for programs.
fn probes(past: &Past) -> Json {
    let view = &past.story.view;
    let polled = view.probes.iter().filter(|probe| probe.polled);
    let object = polled.map(|probe| {
        let reading = probe.reading.as_ref();
        json!({
            "probe": probe.name,
            "value": reading.and_then(Reading::text),
            "unit": probe.unit,
            "age_ms": reading.map(|reading| view.now.since(reading.at).millis()),
        })
    });
    object.collect()
}

/// How guards are, for programs.
fn guards(past: &Past) -> Json {
    let object = past.story.view.guards.iter().map(|guard| {
        let (word, failing) = match guard.health {
            Health::Asleep => ("asleep", 0),
            Health::Waking => ("waking", 0),
            Health::NoData => ("no_data", 0),
            Health::Healthy => match guard.warning {
                Warning::Given => ("warning", 0),
                Warning::None => ("healthy", 0),
            },
            Health::Failing(samples) => ("failing", samples),
            Health::Breached => ("breached", 0),
            Health::Blind => ("blind", 0),
        };
        let mut object = json!({ "guard": guard.name, "health": word, "failing": failing });
        if let Some(spend) = &guard.spend {
            object["spent"] = json!({
                "bad": spend.bad.grown,
                "total": spend.total.as_ref().map(|total| &total.grown),
                "allowed": spend.allowed,
                "percent": number(spend.percent()),
            });
        }
        object
    });
    object.collect()
}

/// Where a run stands, for programs.
pub(super) fn as_json(past: &Past) -> Json {
    let engine = &past.engine;
    let name = |step| past.plan.step(step).name.clone();
    let steps: Vec<Json> = past
        .plan
        .step_ids()
        .map(|id| {
            let step = past.plan.step(id);
            json!({
                "step": step.name,
                "phase": step.phase.map(|phase| &past.plan.phase(phase).name),
                "outcome": engine.step_outcome(id).word(),
                "attempts": engine.attempts(id),
                "took_ms": past.story.view.step(id).took.map(Span::millis),
                "ramp": engine.ramp(id).map(|ramp| ramp_json(&past.plan, id, ramp)),
                "progress": past.story.view.step(id).pace.as_ref().map(Pace::as_json),
            })
        })
        .collect();
    let left = match past.story.view.window() {
        Window::Open { left } if past.is_way_back_open() => Some(left),
        Window::Open { .. } | Window::Endless | Window::Closed { .. } => None,
    };
    json!({
        "run": past.run,
        "runbook": past.plan.about().name,
        "state": past.word(),
        "outcome": engine.outcome(),
        "driven_by": past.holder.as_ref().map(|holder| json!({"pid": holder.pid, "user": holder.user})),
        "began": past.began().map(|at| format!("{at:.3}")),
        "took_ms": past.story.view.length().millis(),
        "awaits_people": engine.awaits_people(),
        "gates_open": engine.open_gates().map(name).collect::<Vec<_>>(),
        "failed": engine.failed_steps().into_iter().map(name).collect::<Vec<_>>(),
        "would_be_undone": engine.in_effect().map(name).collect::<Vec<_>>(),
        "ways_back_shut": engine.ways_back_shut().map(name).collect::<Vec<_>>(),
        "point_of_no_return": engine.point_of_no_return().map(name),
        "way_back_closed": past.is_way_back_closed(),
        "way_back_closes": left.and_then(closes_at).map(|at| format!("{at:.3}")),
        "way_back_left_ms": left.map(Span::millis),
        "baseline": past.plan.baseline().map(|_| past.story.view.compared_as_json()),
        "steps": steps,
        "head": past.story.head,
    })
}

/// Where a ramp stands; values count from 1, as people count.
fn ramp_json(plan: &Plan, step: StepId, at: RampAt) -> Json {
    let values = plan.step(step).forward.ramp().map(|ramp| &ramp.values[..]).unwrap_or_default();
    let value = values.get(usize::from(at.value)).map(|value| &value.value);
    json!({ "value": value, "number": at.value + 1, "of": values.len(), "held": at.held })
}
