//! Ask: arguments, one file per verb, exit codes. Nothing uses it.

mod args;
mod attach;
mod backtest;
mod before;
mod check;
mod detach;
mod document;
mod dry_run;
mod exec;
mod exit;
mod failure;
mod logs;
mod measure;
mod new;
mod order;
mod output;
mod past;
mod read;
mod resume;
mod runs;
mod stage;
mod status;
mod variables;

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;

use crate::engine::Act;
use args::{Cli, Verb};
use detach::Seat;
use exit::Exit;
use failure::Failure;
use runs::State;

/// Runs the command line.
pub fn main() -> ExitCode {
    if let Some(code) = crate::drive::live::keeper::served() {
        return code;
    }
    if let Some(code) = crate::drive::live::prompt::served() {
        return code;
    }
    let (words, seat) = match detach::seat() {
        Ok(seated) => seated,
        Err(failure) => {
            complain(&failure);
            return failure.exit().into();
        }
    };
    let (exit, ends_as_its_run) = match Cli::try_parse_from(words) {
        Ok(cli) => {
            let exit = run(&cli, seat).unwrap_or_else(|failure| {
                complain(&failure);
                failure.exit()
            });
            (exit, cli.verb.ends_as_its_run())
        }
        // Help and version go to standard output and are no error.
        Err(error) => {
            output::note(error.print());
            (if error.use_stderr() { Exit::Wrong } else { Exit::Good }, false)
        }
    };
    match output::lost() {
        Some(failure) => {
            complain(&failure);
            // Good news that did not arrive is none; a run ends as it ended.
            if ends_as_its_run { exit } else { exit.worse(failure.exit()) }.into()
        }
        None => exit.into(),
    }
}

/// Nobody may be there to read it.
fn complain(failure: &Failure) {
    let _ = writeln!(std::io::stderr(), "{failure}");
}

fn run(cli: &Cli, seat: Seat) -> Result<Exit, Failure> {
    let state = cli.state_dir.as_deref();
    match &cli.verb {
        Verb::Exec(args) if args.process.detach && matches!(seat, Seat::Here) => detach::start(args.output),
        Verb::Resume(args) if args.process.detach && matches!(seat, Seat::Here) => detach::start(args.output),
        Verb::Exec(args) => exec::exec(args, state, seat),
        Verb::Resume(args) => resume::resume(args, &State::open(state)?, seat),
        Verb::Check(args) => check::check(args),
        Verb::New(args) => new::new(args),
        Verb::Plan(args) => document::plan(args),
        Verb::Graph(args) => document::graph(args),
        Verb::Backtest(args) => backtest::backtest(args),
        Verb::Status(args) => status::status(args, &State::open(state)?),
        Verb::List(args) => Ok(read::list(args, &State::open(state)?)),
        Verb::Show(args) => read::show(args, &State::open(state)?),
        Verb::Logs(args) => logs::logs(args, &State::open(state)?),
        Verb::Why(args) => read::why(args, &State::open(state)?),
        Verb::Go(args) => order::answer(args, true, &State::open(state)?),
        Verb::NoGo(args) => order::answer(args, false, &State::open(state)?),
        Verb::Pause(args) => order::pause(args, &State::open(state)?),
        Verb::Stop(args) => order::stop(args, &State::open(state)?),
        Verb::Rollback(args) => order::rollback(args, &State::open(state)?),
        Verb::Retry(args) => order::about_step(args, |step| Act::Retry { step }, &State::open(state)?),
        Verb::Skip(args) => order::about_step(args, |step| Act::Skip { step }, &State::open(state)?),
        Verb::MarkDone(args) => order::about_step(args, |step| Act::MarkDone { step }, &State::open(state)?),
        Verb::Hold(args) => order::about_step(args, |step| Act::Hold { step }, &State::open(state)?),
        Verb::Advance(args) => order::about_step(args, |step| Act::Advance { step }, &State::open(state)?),
        Verb::Attach(args) => attach::attach(args, &State::open(state)?),
        Verb::Audit(args) => read::audit(args, &State::open(state)?),
        Verb::Schema(args) => Ok(document::schema(args)),
        Verb::Completions(args) => Ok(document::completions(args)),
    }
}
