//! `check`: everything that is wrong with a runbook.

use std::fs;
use std::io::{self, IsTerminal as _};
use std::path::Path;

use super::args;
use super::exit::Exit;
use super::failure::Failure;
use super::output::say;
use super::variables;
use crate::syntax::render::{self, Look};
use crate::syntax::{Problem, Reading, Sources, Texts};

/// Checks runbooks.
pub(super) fn check(args: &args::Check) -> Result<Exit, Failure> {
    let mut exit = Exit::Good;
    let given = variables::given(&args.variables)?;
    for path in &args.files {
        let reading = match texts(path).and_then(|texts| variables::read(&texts, &given)) {
            Ok((reading, _)) => reading,
            // The others are checked all the same.
            Err(failure) => {
                eprintln!("{}: {failure}", path.display());
                exit = exit.worse(failure.exit());
                continue;
            }
        };
        let Reading { plan, problems, places, sources, vars } = reading;
        // Giving back a large plan piece by piece takes longer than the process has left to live.
        std::mem::forget((plan, places, vars));
        if args.json {
            print_json(path, &sources, &problems);
        } else {
            eprint!("{}", shown(path, &sources, &problems));
        }
        exit = exit.worse(verdict(&problems, args.strict));
    }
    Ok(exit)
}

fn verdict(problems: &[Problem], strict: bool) -> Exit {
    if problems.iter().any(Problem::is_error) {
        Exit::Wrong
    } else if strict && !problems.is_empty() {
        Exit::Findings
    } else {
        Exit::Good
    }
}

/// The text of a runbook, and those of its parts, which stand relative to its folder.
pub(super) fn texts(path: &Path) -> Result<Texts, Failure> {
    let text = fs::read_to_string(path)
        .map_err(|error| Failure::wrong(format!("could not read `{}`: {error}", path.display())))?;
    Ok(Texts::gather(text, |part| {
        fs::read_to_string(path.with_file_name("").join(part)).map_err(|error| error.to_string())
    }))
}

/// Problems as people read them, with their lines.
pub(super) fn shown(path: &Path, sources: &Sources, problems: &[Problem]) -> String {
    let at_terminal = io::stderr().is_terminal();
    let width = if at_terminal { usize::from(console::Term::stderr().size().1) } else { Look::PLAIN.width };
    let look = Look { colour: at_terminal && console::colors_enabled_stderr(), width };
    render::for_terminal(&path.display().to_string(), sources, problems, look)
}

fn print_json(path: &Path, sources: &Sources, problems: &[Problem]) {
    for problem in render::as_json(&path.display().to_string(), sources, problems) {
        say(&problem.to_string());
    }
}

/// The failure of a verb that needs a runbook without errors.
pub(super) fn failure(path: &Path, reading: &Reading) -> Failure {
    let errors: Vec<Problem> = reading.problems.iter().filter(|problem| problem.is_error()).cloned().collect();
    eprint!("{}", shown(path, &reading.sources, &errors));
    let count = if errors.len() == 1 { "1 error".to_owned() } else { format!("{} errors", errors.len()) };
    Failure::wrong(format!("`{}` has {count}", path.display()))
}
