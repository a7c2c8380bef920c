//! `backtest`: when the guards of a runbook would have breached, by what Prometheus remembers. Nothing is changed.

use std::sync::Arc;

use super::args::{self, Findings};
use super::exit::Exit;
use super::failure::Failure;
use super::output::{print, say};
use super::read::size;
use super::{stage, variables};
use crate::drive::live::backtest::backtest as test;
use crate::drive::live::clock;
use crate::drive::live::history::Stretch;
use crate::drive::live::scope::RunScope;
use crate::journal::Wall;
use crate::model::{GuardId, RunId, Span, Tested};
use crate::report::backtest::Tests;

/// Tests every guard, and tells what was seen.
pub(super) fn backtest(args: &args::Backtest) -> Result<Exit, Failure> {
    let stretch = stretch(args, clock::wall())?;
    let document = stage::read(&args.file, &args.variables)?;
    if document.plan.guards().is_empty() {
        return Err(Failure::refused(format!("`{}` has no guard", args.file.display())));
    }
    let runtime = stage::runtime()?;
    let values = runtime.block_on(variables::values(&document.plan, &document.folder, &document.given))?;
    let document = stage::given(&args.file, document, &values)?;
    let plan = &document.plan;
    let run = RunId("backtest".to_owned());
    let scope = RunScope::new(Arc::clone(plan), run, document.folder.clone(), values);
    let mut tested = Vec::new();
    for guard in plan.guard_ids() {
        tested.push((guard, runtime.block_on(test(plan, guard, &scope, stretch))));
    }
    let tests = Tests { plan, from: stretch.from, to: stretch.to, tested: &tested };
    match args.output {
        Findings::Json => tests.as_json().for_each(|object| say(&object.to_string())),
        Findings::Plain => print(&tests.lines(size().0)),
    }
    verdict(&tested)
}

/// What was found is no failure; that nothing could be found is.
fn verdict(tested: &[(GuardId, Tested)]) -> Result<Exit, Failure> {
    if tested.iter().any(|(_, tested)| matches!(tested, Tested::Failed(_))) {
        return Err(Failure::could_not("test every guard: a server did not answer as it should"));
    }
    if tested.iter().all(|(_, tested)| matches!(tested, Tested::Never(_))) {
        return Err(Failure::refused("no guard of this runbook can be tested by the past")
            .hint("only what `prometheus` probes measure is remembered"));
    }
    Ok(Exit::Good)
}

fn stretch(args: &args::Backtest, now: Wall) -> Result<Stretch, Failure> {
    let from = moment("--since", &args.since, now)?;
    let to = args.until.as_deref().map_or(Ok(now), |until| moment("--until", until, now))?;
    if to > now {
        return Err(Failure::wrong(format!("`--until` is {to}, which is still to come")));
    }
    if from >= to {
        return Err(Failure::wrong(format!("there is nothing from {from} to {to}"))
            .hint("`--since` must lie before `--until`; both may be so long ago (`7d`) or a moment"));
    }
    Ok(Stretch { from, to })
}

/// So long ago, or a moment.
fn moment(flag: &str, text: &str, now: Wall) -> Result<Wall, Failure> {
    if let Some(ago) = Span::parse(text) {
        return Ok(Wall::from_millis(now.millis().saturating_sub_unsigned(ago.millis())));
    }
    text.parse::<jiff::Timestamp>().map(|at| Wall::from_millis(at.as_millisecond())).map_err(|_| {
        Failure::wrong(format!("`{flag} {text}` is no time"))
            .hint("write so long ago (`7d`, `1h30m`), or a moment (`2026-11-20T12:00:00Z`)")
    })
}
