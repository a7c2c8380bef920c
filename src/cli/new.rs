//! `new`: a runbook of the library, with a person's values in it.
//!
//! Only the defaults of variables change; the text with its comments is theirs from then on. Nothing that is there already
//! is overwritten.

mod asking;
pub(super) mod library;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde_json::Value as Json;

use super::args;
use super::exit::Exit;
use super::failure::Failure;
use super::output::{print, say};
use super::read::size;
use super::variables::{self, Missing, OR_A_FILE, nothing_says, unresolved};
use crate::drive::live::vars;
use crate::model::{Plan, VarDecl, VarSource};
use crate::report::text::{Line, Role};
use crate::syntax;
use library::{LIBRARY, Pattern};

/// Lists the patterns, or writes one.
pub(super) fn new(args: &args::New) -> Result<Exit, Failure> {
    let Some(name) = args.pattern.as_deref() else {
        list();
        return Ok(Exit::Good);
    };
    let pattern = Pattern::named(name).ok_or_else(|| {
        Failure::wrong(format!("there is no pattern `{name}`"))
            .hint(format!("the patterns are {}; `runbook new --list` explains them", library::names().join(", ")))
    })?;
    if args.page {
        say(pattern.page.trim_end());
        return Ok(Exit::Good);
    }
    let out = args.out.clone().unwrap_or_else(|| PathBuf::from(format!("{name}.toml")));
    let files = files(pattern, &out)?;
    let plan = pattern.plan();
    let own = own_vars(pattern, &plan);
    let mut values = given(&own, args)?;
    if !args.yes && asking::may_ask() {
        match asking::ask(&own, &mut values)? {
            asking::Asked::All => {}
            asking::Asked::Interrupted => return Ok(Exit::Interrupted),
        }
    }
    let open = open(&own, &values);
    if !args.yes {
        refuse(&open)?;
    }
    let text = without_schema(&syntax::fill(&pattern.portable(), &values));
    let reading = pattern.read(&text);
    if reading.plan.is_none() {
        return Err(super::check::failure(&out, &reading).hint("nothing was written: give other values"));
    }
    write(&out, &text)?;
    for (path, text) in files {
        if !path.exists() {
            write(&path, &text)?;
        }
    }
    what_next(pattern, &out, &own, &open);
    Ok(Exit::Good)
}

/// What the patterns are, and what they want to know.
fn list() {
    for (n, pattern) in LIBRARY.iter().enumerate() {
        let plan = pattern.plan();
        if n > 0 {
            say("");
        }
        let title = Line::of(Role::Strong, pattern.name);
        let summary = plan.about().summary.clone().unwrap_or_default();
        print(&title.with(Role::Plain, format!(": {summary}")).wrap(size().0, 2));
        for var in own_vars(pattern, &plan) {
            let mut line = Line::of(Role::Plain, format!("  {}", var.name));
            line.pad_to(18);
            if let Some(summary) = &var.summary {
                line.push(Role::Plain, format!("{summary}  "));
            }
            line.push(Role::Dim, worth(var));
            print(&line.wrap(size().0, 18));
        }
    }
}

/// The variables that stand in the text of the runbook itself: those of its parts are given there.
fn own_vars<'p>(pattern: &Pattern, plan: &'p Plan) -> Vec<&'p VarDecl> {
    let table: toml::Table = toml::from_str(pattern.runbook).unwrap_or_default();
    let named: BTreeSet<String> =
        table.get("vars").and_then(toml::Value::as_table).into_iter().flatten().map(|(name, _)| name.clone()).collect();
    plan.vars().iter().filter(|var| named.contains(&var.name)).collect()
}

/// Where a variable gets its value, where nobody says otherwise.
fn worth(var: &VarDecl) -> String {
    let source = var.sources.iter().map(|source| match source {
        VarSource::Env(name) => format!("${name}"),
        VarSource::File(path) => format!("from {path}"),
        VarSource::Run(_) => "from a program".to_owned(),
        VarSource::Default(value) => format!("`{}`", shown(value)),
    });
    let worth = source.collect::<Vec<_>>().join(", else ");
    let worth = if worth.is_empty() { "(needed)".to_owned() } else { worth };
    if var.secret { format!("{worth} (secret)") } else { worth }
}

/// A value as it is typed at a question or after `--var NAME=`: texts as they are, all else as JSON.
fn shown(value: &Json) -> String {
    match value {
        Json::String(text) if !text.is_empty() && !text.chars().any(char::is_control) => text.clone(),
        other => other.to_string(),
    }
}

/// What `--var` and `--vars-file` say; all that is wrong with it at once. The file may be one for runs, with secrets: those
/// are left there.
fn given(own: &[&VarDecl], args: &args::New) -> Result<BTreeMap<String, Json>, Failure> {
    let words = args::Variables { vars: args.vars.clone(), vars_file: args.vars_file.clone() };
    let declared: Vec<VarDecl> = own.iter().map(|var| (*var).clone()).collect();
    let values = vars::by_hand(&declared, &variables::given(&words)?).map_err(|errors| unresolved(&errors))?;
    Ok(values.into_iter().filter(|(_, value)| !value.secret).map(|(name, value)| (name, value.json)).collect())
}

/// Variables that nothing gives a value.
fn open<'v>(own: &[&'v VarDecl], values: &BTreeMap<String, Json>) -> Vec<Missing<'v>> {
    let open = own.iter().filter(|var| var.sources.is_empty() && !var.secret && !values.contains_key(&var.name));
    open.map(|var| Missing::declared(var)).collect()
}

/// Where nobody can be asked for them.
fn refuse(open: &[Missing<'_>]) -> Result<(), Failure> {
    if open.is_empty() {
        return Ok(());
    }
    let failure = open.iter().fold(Failure::wrong(nothing_says(open)), |failure, var| failure.hint(var.hint()));
    Err(failure.hint(OR_A_FILE).hint("or add --yes: they stay open, and are given to each run"))
}

/// The files beside the runbook. Refuses where something else is there already.
fn files(pattern: &Pattern, out: &Path) -> Result<Vec<(PathBuf, String)>, Failure> {
    let beside = |(path, text): &(&str, &str)| (out.with_file_name("").join(path), without_schema(text));
    let files: Vec<(PathBuf, String)> = pattern.parts.iter().map(beside).collect();
    let is_other =
        |(path, text): &&(PathBuf, String)| path.exists() && !fs::read_to_string(path).is_ok_and(|it| it == *text);
    let others = files.iter().filter(is_other).map(|(path, _)| path.as_path());
    let there: Vec<&Path> = out.exists().then_some(out).into_iter().chain(others).collect();
    if there.is_empty() {
        return Ok(files);
    }
    let names: Vec<String> = there.iter().map(|path| format!("`{}`", path.display())).collect();
    let verb = if names.len() == 1 { "is" } else { "are" };
    Err(Failure::refused(format!("{} {verb} there already, and nothing is overwritten", names.join(", ")))
        .hint("move it away, or say another place: --out DIR/NAME.toml"))
}

/// The first line for editors names a file that only this project has.
fn without_schema(text: &str) -> String {
    match text.strip_prefix("#:schema ") {
        Some(rest) => rest.split_once('\n').map_or_else(String::new, |(_, rest)| rest.to_owned()),
        None => text.to_owned(),
    }
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    let made = path.parent().map_or(Ok(()), fs::create_dir_all);
    let file = made.and_then(|()| OpenOptions::new().write(true).create_new(true).open(path));
    let written = file.and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|error: io::Error| Failure::could_not(format!("write `{}`: {error}", path.display())))
}

fn what_next(pattern: &Pattern, out: &Path, own: &[&VarDecl], open: &[Missing<'_>]) {
    let file = out.display();
    let more = if open.is_empty() { "" } else { " --vars-file FILE" };
    say(&format!("wrote {file}"));
    for (path, _) in pattern.parts {
        say(&format!("  and {}, which it includes", out.with_file_name("").join(path).display()));
    }
    let secrets: Vec<String> =
        own.iter().filter(|var| var.secret).map(|var| format!("{} ({})", var.name, worth(var))).collect();
    if !secrets.is_empty() {
        let text = format!("secrets are in no file; a run finds them itself: {}", secrets.join(", "));
        print(&Line::of(Role::Plain, text).wrap(size().0, 2));
    }
    if !open.is_empty() {
        say("open still; give them to each run with --vars-file FILE, or write their defaults into the file:");
        for var in open {
            let line = Line::of(Role::Strong, format!("  {}", var.name));
            let summary = var.summary.map(|summary| format!("   {summary}")).unwrap_or_default();
            print(&line.with(Role::Plain, summary).wrap(size().0, 4));
        }
    }
    say("");
    say("next:");
    for (command, what) in [
        (pattern.page_command(), "its page: what must be there, what it does, what was tried"),
        (format!("runbook check {file}"), "what is wrong with it"),
        (format!("runbook plan {file}{more}"), "what it would do, and every way back"),
        (format!("runbook exec {file}{more} --dry-run"), "asks its probes once and changes nothing"),
    ] {
        let line = Line::of(Role::Strong, format!("  {command}")).with(Role::Dim, format!("  {what}"));
        print(&line.wrap(size().0, 4));
    }
}
