//! `attach`: watches a run that another process drives.

use std::io;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use super::args;
use super::exit::Exit;
use super::failure::Failure;
use super::past::Past;
use super::runs::State;
use super::stage::{self, say, theme};
use crate::drive::live::control::{Caller, ControlError, News};
use crate::engine::Standing;
use crate::model::RunOutcome;

/// How often the screen is brought up to date.
const REFRESH: Duration = Duration::from_millis(250);

/// Watches a run until its process ends.
pub(super) fn attach(args: &args::Reading, state: &State) -> Result<Exit, Failure> {
    let past = Past::find(state, args.run.as_deref())?;
    let run = past.run.clone();
    let news = Caller::call(past.folder.path()).and_then(|caller| caller.subscribe(&stage::user()));
    let news = news.map_err(|error| match error {
        ControlError::NobodyThere => Failure::refused(format!("no process drives run {run}"))
            .hint(format!("`runbook show {run}` tells its story, `runbook resume {run}` takes it up")),
        other => Failure::could_not(other),
    })?;
    if args.json {
        news.map_while(Result::ok).for_each(|line| say(&line));
    } else {
        watch(state, past, news)?;
    }
    let past = Past::read(state, run)?;
    if !args.json {
        let width = super::read::size().0;
        super::read::print(&past.story.summary(&past.plan, width, theme(true)));
    }
    Ok(match past.engine.standing() {
        Standing::Ended(RunOutcome::Succeeded) => Exit::Good,
        Standing::Ended(RunOutcome::Refused) => Exit::Refused,
        Standing::Ended(RunOutcome::RolledBack) => Exit::RolledBack,
        Standing::Ended(RunOutcome::Stopped) => Exit::Stopped,
        Standing::Stuck => Exit::Stuck,
        _ => Exit::Waiting,
    })
}

/// Shows the run as its journal grows, until the news ends.
fn watch(state: &State, mut past: Past, mut news: News) -> Result<(), Failure> {
    let mut reporter = stage::reporter_at(&past.plan, io::IsTerminal::is_terminal(&io::stdout()));
    let mut shown = 0;
    let (sender, heard) = mpsc::channel();
    std::thread::spawn(move || news.try_for_each(|line| line.is_ok_and(|_| sender.send(()).is_ok()).then_some(())));
    loop {
        for told in &past.news[shown..] {
            reporter.tell(told);
        }
        shown = past.news.len();
        past.look();
        reporter.refresh(&past.story.view);
        match heard.recv_timeout(REFRESH) {
            Ok(()) => {
                while heard.try_recv().is_ok() {}
                past = Past::read(state, past.run)?;
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    past = Past::read(state, past.run)?;
    past.news[shown..].iter().for_each(|told| reporter.tell(told));
    reporter.finish();
    Ok(())
}
