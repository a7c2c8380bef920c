//! `list`, `show`, `why`, `audit`: what journals tell.

use std::fs;
use std::io::{self, IsTerminal as _};

use serde_json::json;

use super::args;
use super::exit::Exit;
use super::failure::Failure;
use super::output::{print, say};
use super::past::Past;
use super::runs::State;
use super::stage::theme;
use crate::journal::Hash;
use crate::report::json_line;
use crate::report::story::{ListRow, list as table};
use crate::report::text::{Line, Role};

/// Columns where nobody looks.
const WIDTH: usize = 100;
/// Rows where nobody looks.
const HEIGHT: usize = 60;

/// All runs.
pub(super) fn list(args: &args::Listing, state: &State) -> Exit {
    let mut rows = Vec::new();
    let mut exit = Exit::Good;
    for run in state.runs() {
        match Past::read(state, run.clone()) {
            Ok(past) if args.json => {
                let mut row = super::status::as_json(&past);
                if let Some(row) = row.as_object_mut() {
                    row.remove("steps");
                }
                say(&row.to_string());
            }
            Ok(past) => rows.push(row(&past)),
            // One that cannot be read must not hide the others.
            Err(failure) => {
                eprintln!("run {run}: {failure}");
                exit = Exit::Broken;
            }
        }
    }
    // "No runs yet" would be wrong where there are only some that cannot be read.
    if !args.json && (exit == Exit::Good || !rows.is_empty()) {
        print(&table(&rows, size().0, theme(io::stdout().is_terminal())));
    }
    exit
}

fn row(past: &Past) -> ListRow {
    ListRow {
        run: past.run.0.clone(),
        name: past.plan.about().name.clone(),
        mode: past.story.view.mode.clone(),
        alive: past.holder.is_some(),
        began: past.began(),
        took: past.story.view.length(),
    }
}

/// The story of a run.
pub(super) fn show(args: &args::Reading, state: &State) -> Result<Exit, Failure> {
    if args.json {
        let mut news = Vec::new();
        let past = Past::hear(state, Past::named(state, args.run.as_deref())?, |told| news.push(told))?;
        for told in &news {
            say(&json_line(&past.plan, &past.run.0, told));
        }
    } else {
        let past = Past::find(state, args.run.as_deref())?;
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
