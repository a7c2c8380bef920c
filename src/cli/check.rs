//! `check`: everything that is wrong with a runbook.

use std::fs;
use std::io::{self, IsTerminal as _};
use std::path::Path;

use super::args;
use super::exit::Exit;
use super::failure::Failure;
use super::output::say;
use crate::syntax::Problem;
use crate::syntax::render::{self, Look};

/// Checks runbooks.
pub(super) fn check(args: &args::Check) -> Result<Exit, Failure> {
    let mut exit = Exit::Good;
    for path in &args.files {
        let text = read(path)?;
        let crate::syntax::Reading { plan, problems, places } = crate::syntax::read(&text);
        // Giving back a large plan piece by piece takes longer than the process has left to live.
        std::mem::forget((plan, places));
        if args.json {
            print_json(path, &text, &problems);
        } else {
            eprint!("{}", shown(path, &text, &problems));
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

/// The text of a runbook.
pub(super) fn read(path: &Path) -> Result<String, Failure> {
    fs::read_to_string(path).map_err(|error| Failure::wrong(format!("could not read `{}`: {error}", path.display())))
}

/// Problems as people read them, with their lines.
pub(super) fn shown(path: &Path, text: &str, problems: &[Problem]) -> String {
    let at_terminal = io::stderr().is_terminal();
    let width = if at_terminal { usize::from(console::Term::stderr().size().1) } else { Look::PLAIN.width };
    let look = Look { colour: at_terminal && console::colors_enabled_stderr(), width };
    render::for_terminal(&path.display().to_string(), text, problems, look)
}

fn print_json(path: &Path, text: &str, problems: &[Problem]) {
    for mut problem in render::as_json(text, problems) {
        problem["file"] = path.display().to_string().into();
        say(&problem.to_string());
    }
}

/// The failure of a verb that needs a runbook without errors.
pub(super) fn failure(path: &Path, text: &str, problems: &[Problem]) -> Failure {
    let errors: Vec<Problem> = problems.iter().filter(|problem| problem.is_error()).cloned().collect();
    eprint!("{}", shown(path, text, &errors));
    let count = if errors.len() == 1 { "1 error".to_owned() } else { format!("{} errors", errors.len()) };
    Failure::wrong(format!("`{}` has {count}", path.display()))
}
