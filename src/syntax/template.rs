//! Templates: `{{ path }}` in the texts of a runbook, one treatment for each place a text can stand in.
//!
//! The crate `handlebars` reads them; of its language only paths and the helpers `urlencode` and `ident` are allowed, and
//! a name without a value is an error. In a shell script a value never becomes script text: it is put into an environment
//! variable, and a quoted reference stands in its place ([`script`]). Where no such reference can stand, the template is
//! refused ([`check`]).
//!
//! A template must not know when it is rendered, nor what for: the driver has the values ([`Values`]), [`check`] the names.

mod parse;
mod promql;
mod render;
mod shell;
mod sql;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::ops::Range;

pub use self::parse::{Helper, Root, Slot};
use self::parse::{Piece, parse};
pub use self::render::{RenderError, Script, json, known, script, sql_text, text};
use crate::measure::nearest;

/// The place a text stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// `run = "text"` for a POSIX shell.
    Script,
    /// `run = "text"` for a `shell` that is none: nothing is filled in.
    ForeignScript,
    /// One argument of `run = ["a", "b"]`; `cwd`.
    Argument,
    /// Text that may be seen: `url`, `question`, `instructions`, `confirm`.
    Open,
    /// Text that may hold secrets and no NUL: `env`, headers, `password`.
    Private,
    /// Text that may hold anything: `stdin`, `body`, and the text leaves of `json` and `params`.
    Data,
    /// `query` and `execute`: identifiers only.
    Sql,
    /// A query of `prometheus`: inside quotes only, escaped.
    Promql,
}

impl Place {
    /// The place of a script for this `shell`.
    pub fn of_script(shell: &[String]) -> Self {
        let name = |word: &String| word.rsplit('/').next().map(str::to_owned).unwrap_or_default();
        let mut words = shell.iter().map(name);
        let first = match words.next().as_deref() {
            Some("env" | "busybox") => words.next(),
            first => first.map(str::to_owned),
        };
        match first.as_deref() {
            Some("sh" | "bash" | "dash" | "ash" | "ksh" | "mksh") => Self::Script,
            _ => Self::ForeignScript,
        }
    }

    const fn takes_secrets(self) -> bool {
        match self {
            Self::Private | Self::Data => true,
            Self::Script | Self::ForeignScript | Self::Argument | Self::Open | Self::Sql | Self::Promql => false,
        }
    }
}

/// Whether a value may be seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sight {
    /// By anybody.
    Open,
    /// By nobody.
    Secret,
}

/// The names that the templates of a runbook may use.
#[derive(Clone, Debug, Default)]
pub struct TemplateNames<'a> {
    /// `vars.<name>`.
    pub vars: BTreeMap<&'a str, Sight>,
    /// `steps.<name>.outputs.<output>`: the outputs that are declared. A step may give others as it runs.
    pub steps: BTreeMap<&'a str, BTreeMap<&'a str, Sight>>,
    /// Whether `value` is one: in the `set` of a ramp.
    pub value: bool,
}

/// Something wrong with a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateError {
    /// What, as a lower-case fragment.
    pub message: String,
    /// Where: bytes of the text.
    pub range: Range<usize>,
    /// What to write instead, where that is known.
    pub help: Option<String>,
}

/// Where values come from while a template is rendered.
pub trait Values {
    /// The value of a root path: `vars.x`, `steps.x.outputs.y`, `run.id`, `runbook.name`, `value`. What stands behind it
    /// (`vars.x.field`) is looked up in the value.
    fn get(&self, path: &str) -> Option<crate::model::Value>;
}

/// Everything wrong with a text in its place.
pub fn check(text: &str, place: Place, names: &TemplateNames<'_>) -> Vec<TemplateError> {
    let pieces = match parse(text) {
        Ok(pieces) => pieces,
        Err(errors) => return errors,
    };
    let mut errors: Vec<TemplateError> = slots(&pieces).filter_map(|slot| wrong_name(slot, place, names)).collect();
    errors.extend(slots(&pieces).filter_map(|slot| wrong_helper(slot, place)));
    errors.extend(misplaced(&pieces, place));
    errors.sort_by_key(|error| error.range.start);
    errors
}

/// The values that a text asks for, in the order of the text; empty where it cannot be read.
pub fn slots_of(text: &str) -> Vec<Slot> {
    parse(text).map(|pieces| slots(&pieces).cloned().collect()).unwrap_or_default()
}

/// The variable of a text that is `{{vars.x}}` and nothing else.
pub(super) fn one_variable(text: &str) -> Option<String> {
    match &slots_of(text)[..] {
        [slot] if slot.range == (0..text.len()) && slot.fields.is_empty() && slot.helper.is_none() => {
            match &slot.root {
                Root::Var(name) => Some(name.clone()),
                Root::Output { .. } | Root::RunId | Root::Runbook(_) | Root::Value => None,
            }
        }
        _ => None,
    }
}

/// The same text, each root of a path as `to` says; `None` leaves it.
pub fn rename(text: &str, to: impl Fn(&Root) -> Option<Root>) -> String {
    let mut renamed = String::with_capacity(text.len());
    let mut behind = 0;
    for slot in slots_of(text) {
        let Some(root) = to(&slot.root) else { continue };
        renamed.push_str(&text[behind..slot.range.start]);
        let helper = match slot.helper {
            Some(Helper::Urlencode) => "urlencode ",
            Some(Helper::Ident) => "ident ",
            None => "",
        };
        let path = Slot { root, ..slot.clone() }.path();
        renamed.extend(["{{", helper, &path, "}}"]);
        behind = slot.range.end;
    }
    renamed.push_str(&text[behind..]);
    renamed
}

fn slots(pieces: &[Piece]) -> impl Iterator<Item = &Slot> {
    pieces.iter().filter_map(|piece| match piece {
        Piece::Slot(slot) => Some(slot),
        Piece::Text(_) => None,
    })
}

fn refusal(slot: &Slot, message: String, help: Option<String>) -> TemplateError {
    TemplateError { message, range: slot.range.clone(), help }
}

fn wrong_name(slot: &Slot, place: Place, names: &TemplateNames<'_>) -> Option<TemplateError> {
    let unknown = |what: &str, name: &str, nearest: Option<&str>| {
        let help = nearest.map(|name| format!("did you mean `{name}`?"));
        Some(refusal(slot, format!("there is no {what} `{name}`"), help))
    };
    let sight = match &slot.root {
        Root::Var(name) => {
            let Some(sight) = names.vars.get(name.as_str()) else {
                return unknown("variable", name, nearest(name, names.vars.keys().copied()));
            };
            *sight
        }
        Root::Output { step, output } => {
            let Some(outputs) = names.steps.get(step.as_str()) else {
                return unknown("step", step, nearest(step, names.steps.keys().copied()));
            };
            outputs.get(output.as_str()).copied().unwrap_or(Sight::Open)
        }
        Root::Value if !names.value => {
            let help = "`value` is filled in in the `set` of a ramp, and nowhere else".to_owned();
            return Some(refusal(slot, "there is no `value` here".to_owned(), Some(help)));
        }
        Root::RunId | Root::Runbook(_) | Root::Value => Sight::Open,
    };
    (sight == Sight::Secret && !place.takes_secrets()).then(|| {
        let help = "secrets go into `env`, `stdin`, headers, `password`, `json`, `send`, `body` or `params`".to_owned();
        refusal(slot, format!("`{}` is secret and must not stand here", slot.path()), Some(help))
    })
}

fn wrong_helper(slot: &Slot, place: Place) -> Option<TemplateError> {
    match (slot.helper, place) {
        (Some(Helper::Ident), Place::Sql) | (Some(Helper::Urlencode) | None, _) => None,
        (Some(Helper::Ident), _) => {
            Some(refusal(slot, "`ident` is for identifiers in `query` and `execute` of `sql`".to_owned(), None))
        }
    }
}

/// The slots that cannot stand where they stand in this place.
fn misplaced(pieces: &[Piece], place: Place) -> Vec<TemplateError> {
    let at = |index: usize| slots(pieces).nth(index).expect("the lexers number the slots of these pieces");
    match place {
        Place::Script => shell::misplaced(pieces)
            .into_iter()
            .map(|(index, why)| {
                let slot = at(index);
                refusal(slot, format!("`{{{{{}}}}}` cannot stand {why}", slot.path()), Some(by_variable(slot)))
            })
            .collect(),
        Place::ForeignScript => slots(pieces)
            .map(|slot| {
                let message = "a script for a shell that is no POSIX shell takes no templates".to_owned();
                refusal(slot, message, Some(by_environment(slot)))
            })
            .collect(),
        Place::Sql => sql::misplaced(pieces)
            .into_iter()
            .map(|(index, why)| {
                let help = "use `params` for a value, `{{ident x}}` for the name of a table or column".to_owned();
                refusal(at(index), why.to_owned(), Some(help))
            })
            .collect(),
        Place::Promql => promql::misplaced(pieces)
            .into_iter()
            .map(|(index, why)| {
                let slot = at(index);
                let help = format!("write it inside quotes: {{job=\"{{{{{}}}}}\"}}", slot.path());
                refusal(slot, format!("a value cannot stand {why} of a query"), Some(help))
            })
            .collect(),
        Place::Argument | Place::Open | Place::Private | Place::Data => Vec::new(),
    }
}

/// What to write in a shell script where a template cannot stand.
fn by_variable(slot: &Slot) -> String {
    match render::standing_variable(slot) {
        Some(variable) => format!("use `\"${variable}\"`"),
        None => format!("add `env = {{ X = \"{{{{{}}}}}\" }}` and use `\"$X\"`", slot.path()),
    }
}

fn by_environment(slot: &Slot) -> String {
    match render::standing_variable(slot) {
        Some(variable) => format!("read the environment variable `{variable}`"),
        None => format!("add `env = {{ X = \"{{{{{}}}}}\" }}` and read the environment variable `X`", slot.path()),
    }
}
