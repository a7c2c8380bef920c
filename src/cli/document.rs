//! `plan`, `graph`, `schema`, `completions`: what can be said without a run.

use std::io;

use clap::CommandFactory as _;

use super::args::{self, Cli, GraphForm, SchemaOf};
use super::exit::Exit;
use super::failure::Failure;
use super::output::{note, print, say};
use super::read::size;
use super::stage;
use super::variables::Known;
use crate::model::Bounds;
use crate::report::{graph as drawing, plan as page};
use crate::syntax::schema;

/// What a runbook would do.
pub(super) fn plan(args: &args::Document) -> Result<Exit, Failure> {
    let document = stage::read(&args.file, &args.variables)?;
    let bounds = Bounds::of(&document.plan);
    if args.json {
        say(&page::as_json(&document.plan, &bounds).to_string());
    } else {
        let known = Known::of(&document.plan, document.by_hand);
        print(&page::lines(&document.plan, &bounds, size().0, &|text| known.shown(text)));
    }
    Ok(Exit::Good)
}

/// Its graph.
pub(super) fn graph(args: &args::Graph) -> Result<Exit, Failure> {
    let document = stage::read(&args.file, &args.variables)?;
    let bounds = Bounds::of(&document.plan);
    let text = match args.form {
        GraphForm::Text => drawing::as_text(&document.plan, &bounds),
        GraphForm::Dot => drawing::as_dot(&document.plan, &bounds),
        GraphForm::Mermaid => drawing::as_mermaid(&document.plan, &bounds),
    };
    say(text.trim_end());
    Ok(Exit::Good)
}

/// The schema of the format.
pub(super) fn schema(args: &args::Schema) -> Exit {
    let schema = match args.of {
        SchemaOf::Runbook => schema::json(),
        SchemaOf::Part => schema::part_json(),
    };
    say(schema::text(&schema).trim_end());
    Exit::Good
}

/// Completions for a shell.
pub(super) fn completions(args: &args::Completions) -> Exit {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "runbook", &mut script);
    // A reader that went away has seen enough.
    note(io::Write::write_all(&mut io::stdout(), &script));
    Exit::Good
}
