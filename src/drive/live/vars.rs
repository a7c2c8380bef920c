//! Variables: where each value comes from. Order: `--var`, `--vars-file`, then what the runbook says (`env`, `file`, `run`,
//! `default`); nothing left is an error. All errors come back at once.
//!
//! The result is frozen with the run; it is never asked for again.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Map, Value as Json};
use tokio::time::timeout;

use super::reading;
use super::render::Process;
use super::run_probe;
use super::secret::{LENGTH_MIN, Secrets, can_be_kept};
use crate::model::{Shapes, Span, Template, Value, VarDecl, VarSource, kind_of};
use crate::syntax::template::{self, Place, Values};

/// So long the program of a `run` may take.
const RUN_WITHIN: Duration = Duration::from_secs(10);

/// What the operator gave.
#[derive(Clone, Debug, Default)]
pub struct Given {
    /// `--var name=value`, in order; the last of a name counts.
    pub flags: Vec<(String, String)>,
    /// The content of `--vars-file`.
    pub file: Map<String, Json>,
    /// The folder that relative paths mean: the runbook's.
    pub folder: PathBuf,
    /// What may be done to find a value.
    pub reach: Reach,
}

/// What may be done to find a value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reach {
    /// Everything.
    #[default]
    Programs,
    /// No process is started: the first level of a dry run.
    NoPrograms,
}

/// Why a variable has no value. The messages hold no value of a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VarError {
    /// There is no such variable.
    #[error("set `{name}`: the runbook has no such variable{}", .nearest.as_ref().map(|n| format!("; did you mean `{n}`?")).unwrap_or_default())]
    Unknown {
        /// As given.
        name: String,
        /// The nearest one there is.
        nearest: Option<String>,
    },
    /// Command lines are seen by everybody on the host, and kept.
    #[error("take the secret `{name}` from the command line, where others can read it: {remedy}")]
    SecretOnCommandLine {
        /// Its name.
        name: String,
        /// What to do instead.
        remedy: String,
    },
    /// Nothing says what it is.
    #[error("find a value for `{name}`: {}", .tried.join(", "))]
    Nothing {
        /// Its name.
        name: String,
        /// What it is for.
        summary: Option<String>,
        /// Where it was looked for.
        tried: Vec<String>,
        /// How it is given; `None`: on the command line or in a file, as any that is not secret.
        remedy: Option<String>,
    },
    /// A place that should have one could not be read.
    #[error("read `{name}` from {place}: {why}")]
    Unreadable {
        /// Its name.
        name: String,
        /// Where.
        place: String,
        /// Why not.
        why: String,
    },
    /// The value is not what it must be.
    #[error("take the value of `{name}` from {place}: {why}")]
    Unfit {
        /// Its name.
        name: String,
        /// Where it comes from.
        place: String,
        /// What is wrong with it.
        why: String,
    },
    /// `--vars-file` cannot be read.
    #[error("read the variables file {file}: {why}")]
    File {
        /// Its path.
        file: String,
        /// Why not.
        why: String,
    },
}

/// Reads a `--vars-file`: JSON where its name ends in `.json`, else TOML.
pub fn read_file(path: &Path) -> Result<Map<String, Json>, VarError> {
    let wrong = |why: String| VarError::File { file: path.display().to_string(), why };
    let text = std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
    if path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json")) {
        // Not the parser's message with its excerpt: the file may hold secrets.
        return serde_json::from_str(&text)
            .map_err(|error| wrong(format!("line {} is not JSON, or the whole is no object", error.line())));
    }
    let table: toml::Table = toml::from_str(&text).map_err(|error| wrong(error.message().to_owned()))?;
    Ok(table.into_iter().map(|(name, value)| (name, json(value))).collect())
}

fn json(value: toml::Value) -> Json {
    match value {
        toml::Value::String(text) => text.into(),
        toml::Value::Integer(whole) => whole.into(),
        toml::Value::Float(decimal) => decimal.into(),
        toml::Value::Boolean(truth) => truth.into(),
        toml::Value::Datetime(moment) => moment.to_string().into(),
        toml::Value::Array(items) => items.into_iter().map(json).collect(),
        toml::Value::Table(table) => Json::Object(table.into_iter().map(|(name, value)| (name, json(value))).collect()),
    }
}

/// Finds the value of every variable.
pub async fn resolve(declared: &[VarDecl], given: &Given) -> Result<BTreeMap<String, Value>, Vec<VarError>> {
    let mut errors = unknown(declared, given);
    let mut found = BTreeMap::new();
    for decl in declared {
        match one(decl, given, &found).await {
            Ok(json) => {
                found.insert(decl.name.clone(), Value { json, secret: decl.secret });
            }
            Err(error) => errors.push(error),
        }
    }
    if errors.is_empty() { Ok(found) } else { Err(errors) }
}

/// The value of a variable that somebody types where they are asked for it. It is held against its kind and its choices.
pub fn typed(decl: &VarDecl, text: &str) -> Result<Json, VarError> {
    fit(decl, "what was typed", read(text, decl))
}

/// How its value is typed, where that is not any text as it stands.
pub fn typed_as(decl: &VarDecl) -> Option<&'static str> {
    match example(decl)? {
        Json::Number(_) => Some("a number"),
        Json::Bool(_) => Some("true or false"),
        Json::Array(_) => Some("a list, typed as JSON: [\"a\", \"b\"], [1, 2.5]"),
        Json::Object(_) => Some("a table, typed as JSON: { \"a\": 1 }"),
        Json::String(_) | Json::Null => None,
    }
}

/// What the operator gave, of the variables that are given at all; nothing is looked for elsewhere.
pub fn by_hand(declared: &[VarDecl], given: &Given) -> Result<BTreeMap<String, Value>, Vec<VarError>> {
    let mut errors = unknown(declared, given);
    let mut found = BTreeMap::new();
    for decl in declared {
        match handed(decl, given) {
            Some(Ok(json)) => {
                found.insert(decl.name.clone(), Value { json, secret: decl.secret });
            }
            Some(Err(error)) => errors.push(error),
            None => {}
        }
    }
    if errors.is_empty() { Ok(found) } else { Err(errors) }
}

fn unknown(declared: &[VarDecl], given: &Given) -> Vec<VarError> {
    let names = given.flags.iter().map(|(name, _)| name).chain(given.file.keys());
    names
        .filter(|name| !declared.iter().any(|decl| decl.name == **name))
        .map(|name| VarError::Unknown {
            name: name.clone(),
            nearest: crate::measure::nearest(name, declared.iter().map(|decl| decl.name.as_str())).map(Into::into),
        })
        .collect()
}

/// What the operator gave for it, if anything.
fn handed(decl: &VarDecl, given: &Given) -> Option<Result<Json, VarError>> {
    if let Some((name, text)) = given.flags.iter().rev().find(|(name, _)| *name == decl.name) {
        if decl.secret {
            return Some(Err(VarError::SecretOnCommandLine { name: name.clone(), remedy: remedy(decl) }));
        }
        return Some(fit(decl, "`--var`", read(text, decl)));
    }
    let value = match given.file.get(&decl.name)? {
        Json::String(text) => read(text, decl),
        other => Ok(other.clone()),
    };
    Some(fit(decl, "`--vars-file`", value))
}

async fn one(decl: &VarDecl, given: &Given, before: &BTreeMap<String, Value>) -> Result<Json, VarError> {
    if let Some(handed) = handed(decl, given) {
        return handed;
    }
    let mut tried = vec!["no `--var`".to_owned()];
    for source in &decl.sources {
        match source {
            VarSource::Env(variable) => match std::env::var(variable) {
                Ok(text) => return fit(decl, &format!("the environment variable `{variable}`"), read(&text, decl)),
                Err(std::env::VarError::NotPresent) => tried.push(format!("no environment variable `{variable}`")),
                Err(std::env::VarError::NotUnicode(_)) => {
                    let place = format!("the environment variable `{variable}`");
                    return Err(unreadable(decl, place, "it is not UTF-8".to_owned()));
                }
            },
            VarSource::File(path) => match std::fs::read_to_string(given.folder.join(path)) {
                Ok(text) => return fit(decl, &format!("`{path}`"), read(reading::without_newline(&text), decl)),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => tried.push(format!("no file `{path}`")),
                Err(error) => return Err(unreadable(decl, format!("`{path}`"), error.to_string())),
            },
            VarSource::Run(_) if given.reach == Reach::NoPrograms => {
                tried.push("no program is run now to find it".to_owned());
            }
            VarSource::Run(arguments) => {
                let place = arguments.first().map_or_else(String::new, |program| format!("`{}`", program.0));
                return match printed(arguments, given, before).await {
                    Ok(text) => fit(decl, &place, read(reading::without_newline(&text), decl)),
                    Err(why) => Err(unreadable(decl, place, if decl.secret { hidden(&why) } else { why })),
                };
            }
            VarSource::Default(value) => return fit(decl, "its default", Ok(value.clone())),
        }
    }
    Err(VarError::Nothing {
        name: decl.name.clone(),
        summary: decl.summary.clone(),
        tried,
        remedy: decl.secret.then(|| remedy(decl)),
    })
}

fn unreadable(decl: &VarDecl, place: String, why: String) -> VarError {
    VarError::Unreadable { name: decl.name.clone(), place, why }
}

/// What a program that looks for a secret complains about may hold it: only the first part, ours, is told.
fn hidden(why: &str) -> String {
    why.split(": ").next().unwrap_or_default().to_owned()
}

fn remedy(decl: &VarDecl) -> String {
    let by_source = decl.sources.iter().find_map(|source| match source {
        VarSource::Env(variable) => Some(format!("set the environment variable `{variable}`")),
        VarSource::File(path) => Some(format!("write it to `{path}`")),
        VarSource::Run(_) | VarSource::Default(_) => None,
    });
    by_source.unwrap_or_else(|| "put it into a file that only you can read, and give that as `--vars-file`".to_owned())
}

/// The standard output of the program of a `run`. Its arguments may use the variables before it.
async fn printed(arguments: &[Template], given: &Given, before: &BTreeMap<String, Value>) -> Result<String, String> {
    struct Before<'a>(&'a BTreeMap<String, Value>);
    impl Values for Before<'_> {
        fn get(&self, path: &str) -> Option<Value> {
            self.0.get(path.strip_prefix("vars.")?).cloned()
        }
    }
    let argv: Result<Vec<String>, _> =
        arguments.iter().map(|argument| template::text(&argument.0, Place::Argument, &Before(before))).collect();
    let argv = argv.map_err(|error| format!("could not {error}"))?;
    let process = Process { argv, env: BTreeMap::new(), cwd: given.folder.clone(), stdin: None };
    let printed = match timeout(RUN_WITHIN, run_probe::run(&process)).await {
        Ok(printed) => printed?,
        Err(_) => return Err(format!("it did not end within {}", Span::from(RUN_WITHIN))),
    };
    if printed.status.success() {
        return Ok(printed.stdout);
    }
    let secrets = Secrets::new(before.values().filter(|value| value.secret).map(|value| &value.json));
    let complaint = reading::excerpt(&secrets.mask(&printed.stderr));
    Err(format!("it ended with {}: {complaint}", printed.status))
}

/// Text from outside as the kind of value that the default, or the first choice, is an example of.
fn read(text: &str, decl: &VarDecl) -> Result<Json, String> {
    match example(decl) {
        Some(Json::Number(_)) => reading::number(text),
        Some(Json::Bool(_)) => reading::truth(text),
        Some(Json::Array(_) | Json::Object(_)) => reading::json(text),
        Some(Json::String(_) | Json::Null) | None => Ok(Json::from(text)),
    }
}

fn example(decl: &VarDecl) -> Option<&Json> {
    let default = decl.sources.iter().find_map(|source| match source {
        VarSource::Default(value) => Some(value),
        VarSource::Env(_) | VarSource::File(_) | VarSource::Run(_) => None,
    });
    default.or_else(|| decl.choices.first())
}

/// The value, if it is what it must be.
fn fit(decl: &VarDecl, place: &str, value: Result<Json, String>) -> Result<Json, VarError> {
    let unfit = |why: String| VarError::Unfit { name: decl.name.clone(), place: place.to_owned(), why };
    let value =
        value.map_err(|why| unfit(if decl.secret { "it is not of the kind wanted".to_owned() } else { why }))?;
    if let Some(why) = decl.shapes.and_then(|shapes| shapes.refuses(&value)) {
        let found = if decl.secret { "it".to_owned() } else { value.to_string() };
        return Err(unfit(format!("{found} {why}; {}", Shapes::REMEDY)));
    }
    if let Some(wanted) = example(decl).filter(|example| !same_kind(example, &value)) {
        return Err(unfit(format!("it must be {}", kind_of(wanted))));
    }
    if !decl.choices.is_empty() && !decl.choices.contains(&value) {
        let choices = decl.choices.iter().map(Json::to_string).collect::<Vec<_>>().join(", ");
        return Err(unfit(format!("it must be one of {choices}")));
    }
    if value.as_str().is_some_and(|text| text.contains('\0')) {
        return Err(unfit("it contains a NUL byte, which no process can be given".to_owned()));
    }
    if decl.secret && !can_be_kept(&value) {
        return Err(unfit(format!("a secret shorter than {LENGTH_MIN} characters cannot be masked")));
    }
    Ok(value)
}

fn same_kind(example: &Json, value: &Json) -> bool {
    example.is_null() || kind_of(example) == kind_of(value)
}

#[cfg(test)]
mod tests;
