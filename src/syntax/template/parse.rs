//! Reading a template: Handlebars, cut down to text and slots.

use std::ops::Range;

use handlebars::template::{HelperTemplate, Parameter, Template, TemplateElement};
use handlebars::{Path, PathSeg};

use super::{TemplateError, nearest};

/// A part of a template.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Piece {
    Text(String),
    Slot(Slot),
}

/// A place in a text where a value is filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slot {
    /// What is asked for.
    pub root: Root,
    /// The fields behind it.
    pub fields: Vec<String>,
    /// What is done with the value.
    pub helper: Option<Helper>,
    /// Where it stands: bytes of the text.
    pub range: Range<usize>,
}

/// What a path begins with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Root {
    /// `vars.<name>`.
    Var(String),
    /// `steps.<step>.outputs.<output>`.
    Output {
        /// The step.
        step: String,
        /// The output's name.
        output: String,
    },
    /// `run.id`.
    RunId,
    /// `runbook.<key>`.
    Runbook(String),
    /// `value`: the present one of a ramp.
    Value,
}

/// The two helpers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Helper {
    /// `{{urlencode x}}`: percent-encoded, for a part of a URL.
    Urlencode,
    /// `{{ident x}}`: a quoted SQL identifier.
    Ident,
}

impl Root {
    /// As it stands in the text.
    pub fn path(&self) -> String {
        match self {
            Self::Var(name) => format!("vars.{name}"),
            Self::Output { step, output } => format!("steps.{step}.outputs.{output}"),
            Self::RunId => "run.id".to_owned(),
            Self::Runbook(key) => format!("runbook.{key}"),
            Self::Value => "value".to_owned(),
        }
    }
}

impl Slot {
    /// The whole path.
    pub fn path(&self) -> String {
        self.fields.iter().fold(self.root.path(), |path, field| path + "." + field)
    }
}

const RUNBOOK_KEYS: [&str; 5] = ["name", "version", "summary", "owner", "docs"];

/// Reads a text; everything in it that is no path or helper is an error.
pub(super) fn parse(text: &str) -> Result<Vec<Piece>, Vec<TemplateError>> {
    if !text.contains("{{") {
        return Ok(if text.is_empty() { Vec::new() } else { vec![Piece::Text(text.to_owned())] });
    }
    let template = Template::compile(text).map_err(|error| {
        let range = error.pos().map_or(0..text.len(), |(line, column)| {
            let at = byte_of(text, line, column);
            at..text[at..].find('\n').map_or(text.len(), |end| at + end)
        });
        vec![unreadable(text, range)]
    })?;
    let mut pieces: Vec<Piece> = Vec::new();
    let mut errors = Vec::new();
    let mut behind = 0;
    for element in &template.elements {
        if let TemplateElement::RawString(raw) = element {
            match pieces.last_mut() {
                Some(Piece::Text(before)) => before.push_str(raw),
                _ => pieces.push(Piece::Text(raw.clone())),
            }
            continue;
        }
        let range = next_braces(text, behind);
        behind = range.end;
        match slot(element, range) {
            Ok(slot) => pieces.push(Piece::Slot(slot)),
            Err(error) => errors.push(error),
        }
    }
    if errors.is_empty() { Ok(pieces) } else { Err(errors) }
}

fn unreadable(text: &str, range: Range<usize>) -> TemplateError {
    let open = text.rfind("{{").filter(|at| !text[*at..].contains("}}"));
    let (message, range) = match open {
        Some(at) => ("`{{` has no `}}`", at..at + 2),
        None => ("this template cannot be read", range),
    };
    let help = r"only `{{path}}`, `{{urlencode path}}` and `{{ident path}}`; `\{{` stands for the braces themselves";
    TemplateError { message: message.to_owned(), range, help: Some(help.to_owned()) }
}

/// The next `{{...}}` from a byte on. One backslash before it makes it text, two make one backslash.
fn next_braces(text: &str, from: usize) -> Range<usize> {
    let mut at = from;
    while let Some(found) = text[at..].find("{{") {
        let start = at + found;
        let backslashes = text[..start].bytes().rev().take_while(|byte| *byte == b'\\').count();
        if backslashes == 1 {
            at = start + 2;
            continue;
        }
        return start..text[start..].find("}}").map_or(text.len(), |end| start + end + 2);
    }
    from..text.len()
}

/// The byte of a line and a character in it, both from 1.
fn byte_of(text: &str, line: usize, column: usize) -> usize {
    let start: usize = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    let rest = text.get(start..).unwrap_or_default();
    rest.char_indices().nth(column.saturating_sub(1)).map_or(text.len(), |(byte, _)| start + byte)
}

fn slot(element: &TemplateElement, range: Range<usize>) -> Result<Slot, TemplateError> {
    let refuse = |message: &str, help: Option<&str>| {
        Err(TemplateError { message: message.to_owned(), range: range.clone(), help: help.map(str::to_owned) })
    };
    let expression = match element {
        TemplateElement::Expression(expression) => expression,
        TemplateElement::HtmlExpression(_) => {
            return refuse("three braces are not supported", Some("write two: nothing is escaped for HTML here"));
        }
        TemplateElement::Comment(_) => return refuse("comments in a template are not supported", None),
        _ => return refuse("blocks, partials and decorators are not supported", Some("only `{{path}}`")),
    };
    let (helper, path) = match helper_and_path(expression) {
        Ok(found) => found,
        Err(message) => return refuse(&message, Some("only `{{path}}`, `{{urlencode path}}` and `{{ident path}}`")),
    };
    match root(&path) {
        Ok((root, fields)) => Ok(Slot { root, fields: fields.to_vec(), helper, range }),
        Err((message, help)) => refuse(&message, help.as_deref()),
    }
}

fn helper_and_path(expression: &HelperTemplate) -> Result<(Option<Helper>, Vec<String>), String> {
    if !expression.hash.is_empty() {
        return Err("named parameters are not supported".to_owned());
    }
    match expression.params.as_slice() {
        [] => Ok((None, path(&expression.name)?)),
        [one] => {
            let helper = match expression.name.as_name() {
                Some("urlencode") => Helper::Urlencode,
                Some("ident") => Helper::Ident,
                name => return Err(format!("there is no helper `{}`", name.unwrap_or("?"))),
            };
            Ok((Some(helper), path(one)?))
        }
        _ => Err("a helper takes one path".to_owned()),
    }
}

fn path(parameter: &Parameter) -> Result<Vec<String>, String> {
    match parameter {
        Parameter::Name(name) => Ok(vec![name.clone()]),
        Parameter::Path(Path::Relative((segments, raw))) => {
            // `a/b`, `../a`, `this` and `@root` say in a second way what a path says, or something else.
            let names: Option<Vec<String>> = segments
                .iter()
                .map(|segment| match segment {
                    PathSeg::Named(name) => Some(name.clone()),
                    _ => None,
                })
                .collect();
            names
                .filter(|_| !raw.contains('/') && !raw.starts_with("this"))
                .ok_or_else(|| format!("`{raw}` is no path"))
        }
        Parameter::Path(_) | Parameter::Literal(_) | Parameter::Subexpression(_) => {
            Err("only a path can be filled in".to_owned())
        }
        _ => Err("only a path can be filled in".to_owned()),
    }
}

type NoRoot = (String, Option<String>);

fn root(path: &[String]) -> Result<(Root, &[String]), NoRoot> {
    let names: Vec<&str> = path.iter().map(String::as_str).collect();
    let wrong = |message: String, help: &str| Err((message, Some(help.to_owned())));
    match names.as_slice() {
        ["vars", name, ..] => Ok((Root::Var((*name).to_owned()), &path[2..])),
        ["steps", step, "outputs", output, ..] => {
            Ok((Root::Output { step: (*step).to_owned(), output: (*output).to_owned() }, &path[4..]))
        }
        ["steps", ..] => wrong(format!("`{}` is no output", names.join(".")), "write `steps.<step>.outputs.<name>`"),
        ["run", "id"] => Ok((Root::RunId, &[])),
        ["run", ..] => wrong(format!("there is no `{}`", names.join(".")), "write `run.id`"),
        ["runbook", key] if RUNBOOK_KEYS.contains(key) => Ok((Root::Runbook((*key).to_owned()), &[])),
        ["runbook", ..] => {
            wrong(format!("there is no `{}`", names.join(".")), &format!("`runbook.` has {}", RUNBOOK_KEYS.join(", ")))
        }
        ["value", ..] => Ok((Root::Value, &path[1..])),
        ["item" | "event", ..] => Err((format!("`{}` is not supported yet", names[0]), None)),
        _ => {
            let help = match nearest(names.first().unwrap_or(&""), ["vars", "steps", "run", "runbook"]) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "a path begins with `vars.`, `steps.`, `run.` or `runbook.`".to_owned(),
            };
            Err((format!("there is no `{}`", names.join(".")), Some(help)))
        }
    }
}
