//! `status`, `list`, `show`, `why`, `audit`: what journals tell.

use std::fs;
use std::io::{self, IsTerminal as _};

use serde_json::{Value as Json, json};

use super::args;
use super::exit::Exit;
use super::failure::Failure;
use super::past::Past;
use super::runs::State;
use super::stage::{say, theme};
use crate::journal::Hash;
use crate::model::{Span, Time};
use crate::report::story::{ListRow, list as table, next_moves};
use crate::report::text::{Line, Role};
use crate::report::{json_line, layout};

/// Columns where nobody looks.
const WIDTH: usize = 100;
/// Rows of a status at least: it need not fit on a screen, for it is printed once.
const HEIGHT: usize = 60;

/// Where a run stands.
pub(super) fn status(args: &args::Reading, state: &State) -> Result<Exit, Failure> {
    let past = Past::find(state, args.run.as_deref())?;
    if args.json {
        say(&status_json(&past).to_string());
        return Ok(Exit::Good);
    }
    let (width, height) = size();
    let mut lines = layout::lines(&past.story.view, width, height.max(HEIGHT), theme(io::stdout().is_terminal()));
    match (&past.holder, past.engine.outcome()) {
        (Some(holder), _) => {
            lines.push(Line::of(
                Role::Dim,
                format!("  process:  {} of {} since {}", holder.pid, holder.user, holder.since),
            ));
        }
        (None, None) => lines.push(Line::of(Role::Warn, "  process:  nobody drives it")),
        (None, Some(_)) => {}
    }
    if past.holder.is_none() {
        let moves = next_moves(&past.story.view);
        lines.extend(moves.into_iter().map(|(command, why)| {
            Line::of(Role::Dim, "  next:     ").with(Role::Strong, command).with(Role::Dim, format!("  {why}"))
        }));
    }
    print(&lines);
    Ok(Exit::Good)
}

fn status_json(past: &Past) -> Json {
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
            })
        })
        .collect();
    json!({
        "run": past.run,
        "runbook": past.plan.about().name,
        "state": past.word(),
        "outcome": engine.outcome(),
        "driven_by": past.holder.as_ref().map(|holder| json!({"pid": holder.pid, "user": holder.user})),
        "began": past.began().map(|at| format!("{at:.3}")),
        "took_ms": past.story.view.now.since(Time::ZERO).millis(),
        "awaits_people": engine.awaits_people(),
        "gates_open": engine.open_gates().map(name).collect::<Vec<_>>(),
        "failed": engine.failed_steps().into_iter().map(name).collect::<Vec<_>>(),
        "would_be_undone": engine.in_effect().map(name).collect::<Vec<_>>(),
        "ways_back_shut": engine.ways_back_shut().map(name).collect::<Vec<_>>(),
        "point_of_no_return": engine.point_of_no_return().map(name),
        "way_back_closed": engine.is_way_back_closed(),
        "steps": steps,
        "head": past.story.head,
    })
}

/// All runs.
pub(super) fn list(args: &args::Listing, state: &State) -> Exit {
    let mut rows = Vec::new();
    for run in state.runs() {
        match Past::read(state, run.clone()) {
            Ok(past) if args.json => {
                let mut row = status_json(&past);
                if let Some(row) = row.as_object_mut() {
                    row.remove("steps");
                }
                say(&row.to_string());
            }
            Ok(past) => rows.push(row(&past)),
            // One that cannot be read must not hide the others.
            Err(failure) => eprintln!("run {run}: {failure}"),
        }
    }
    if !args.json {
        print(&table(&rows, size().0, theme(io::stdout().is_terminal())));
    }
    Exit::Good
}

fn row(past: &Past) -> ListRow {
    ListRow {
        run: past.run.0.clone(),
        name: past.plan.about().name.clone(),
        mode: past.story.view.mode.clone(),
        alive: past.holder.is_some(),
        began: past.began(),
        took: past.story.view.now.since(Time::ZERO),
    }
}

/// The story of a run.
pub(super) fn show(args: &args::Reading, state: &State) -> Result<Exit, Failure> {
    let past = Past::find(state, args.run.as_deref())?;
    if args.json {
        for told in &past.news {
            say(&json_line(&past.plan, &past.run.0, told));
        }
    } else {
        print(&past.story.summary(&past.plan, size().0, theme(io::stdout().is_terminal())));
    }
    Ok(Exit::Good)
}

/// Why a step stands where it stands.
pub(super) fn why(args: &args::Why, state: &State) -> Result<Exit, Failure> {
    let past = Past::find(state, args.run.as_deref())?;
    let step = past.step(&args.step)?;
    let sentence = past.story.why(&past.plan, step);
    if args.json {
        let outcome = past.engine.step_outcome(step).word();
        say(&json!({ "run": past.run, "step": args.step, "outcome": outcome, "sentence": sentence }).to_string());
    } else {
        print(&Line::of(Role::Plain, sentence).wrap(size().0, 2));
    }
    Ok(Exit::Good)
}

/// Proves a journal whole.
pub(super) fn audit(args: &args::Audit, state: &State) -> Result<Exit, Failure> {
    let head = args.head.as_deref().map(|text| {
        Hash::parse(text).ok_or_else(|| {
            Failure::wrong(format!("`--head {text}` is no hash"))
                .hint("a head hash has 64 hex digits; `show` prints it")
        })
    });
    let head = head.transpose()?;
    let run = state.find(args.run.as_deref(), |_| true)?;
    let path = state.folder(&run).journal();
    let bytes = fs::read(&path).map_err(|error| Failure::could_not(format!("read `{}`: {error}", path.display())))?;
    let audit = crate::journal::audit(&bytes, head).map_err(Failure::could_not)?;
    if args.json {
        let proved = audit.proved.map(|fact| fact.0);
        let object = json!({
            "run": run, "records": audit.records, "groups": audit.groups, "head": audit.head.as_str(),
            "proved_to": proved, "torn": audit.torn.is_some(),
        });
        say(&object.to_string());
        return Ok(Exit::Good);
    }
    say(&format!("run {run}: {} records in {} groups, each follows from those before it", audit.records, audit.groups));
    if let Some(proved) = audit.proved {
        say(&format!("  the given head covers everything up to record {}", proved.0));
    }
    if audit.torn.is_some() {
        say("  its last write was torn by a crash; nothing had been done of it");
    }
    say(&format!("  head {}", audit.head));
    Ok(Exit::Good)
}

/// Columns and rows.
pub(super) fn size() -> (usize, usize) {
    if io::stdout().is_terminal() {
        let (rows, columns) = console::Term::stdout().size();
        (usize::from(columns).saturating_sub(1).max(20), usize::from(rows))
    } else {
        (WIDTH, HEIGHT)
    }
}

/// Prints lines.
pub(super) fn print(lines: &[Line]) {
    let theme = theme(io::stdout().is_terminal());
    for line in lines {
        say(&theme.paint(line));
    }
}
