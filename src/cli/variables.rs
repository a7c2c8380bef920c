//! What the command line says of variables, and what a runbook is read with because of it.

use std::collections::BTreeMap;
use std::path::Path;

use super::args;
use super::failure::Failure;
use crate::drive::live::vars::{self, Given, Reach, VarError};
use crate::model::{About, Plan, Value, VarDecl, VarSource};
use crate::syntax::{self, Reading, Texts, template};

/// `--var` and `--vars-file`, read once: the file may be a pipe. It belongs to no runbook yet.
pub(super) fn given(variables: &args::Variables) -> Result<Given, Failure> {
    let pair = |text: &String| {
        let (name, value) = text.split_once('=').ok_or_else(|| {
            Failure::wrong(format!("`--var {text}` sets nothing")).hint("write it as --var name=value")
        })?;
        Ok((name.to_owned(), value.to_owned()))
    };
    let file = variables
        .vars_file
        .as_deref()
        .map(vars::read_file)
        .transpose()
        .map_err(|error| Failure::wrong(format!("could not {error}")))?;
    Ok(Given {
        flags: variables.vars.iter().map(pair).collect::<Result<_, Failure>>()?,
        file: file.unwrap_or_default(),
        ..Given::default()
    })
}

/// Reads a runbook with what is given for its variables, and says which values those are.
pub(super) fn read(texts: &Texts, given: &Given) -> Result<(Reading, BTreeMap<String, Value>), Failure> {
    let reading = syntax::read_given(texts, &BTreeMap::new());
    let shaping = shapes_plan(&reading.vars);
    // What is wrong with the runbook comes before what is wrong with the values.
    if given.flags.is_empty() && given.file.is_empty() || reading.plan.is_none() && !shaping {
        return Ok((reading, BTreeMap::new()));
    }
    let values = vars::by_hand(&reading.vars, given).map_err(|errors| unresolved(&errors))?;
    let reading = if shaping { syntax::read_given(texts, &values) } else { reading };
    Ok((reading, values))
}

/// Whether what variables are worth decides what the plan is.
pub(super) fn shapes_plan(vars: &[VarDecl]) -> bool {
    vars.iter().any(|var| var.shapes.is_some())
}

/// The values of all variables.
pub(super) async fn values(plan: &Plan, folder: &Path, given: &Given) -> Result<BTreeMap<String, Value>, Failure> {
    let given = Given { folder: folder.to_owned(), ..given.clone() };
    vars::resolve(plan.vars(), &given).await.map_err(|errors| unresolved(&errors))
}

/// The same without starting a program.
pub(super) async fn values_without_programs(
    plan: &Plan,
    folder: &Path,
    given: &Given,
) -> Result<BTreeMap<String, Value>, Vec<VarError>> {
    let given = Given { folder: folder.to_owned(), reach: Reach::NoPrograms, ..given.clone() };
    vars::resolve(plan.vars(), &given).await
}

/// All that is wrong with variables, at once; first those that nothing gives a value.
pub(super) fn unresolved(errors: &[VarError]) -> Failure {
    let is_missing = |error: &&VarError| matches!(error, VarError::Nothing { .. });
    let missing: Vec<Missing> = errors.iter().filter_map(Missing::of).collect();
    let rest = errors.iter().filter(|error| !is_missing(error)).map(|error| format!("could not {error}"));
    let texts: Vec<String> = (!missing.is_empty()).then(|| nothing_says(&missing)).into_iter().chain(rest).collect();
    let failure = Failure::wrong(texts.join("\nerror: "));
    let failure = missing.iter().fold(failure, |failure, missing| failure.hint(missing.hint()));
    if missing.iter().any(|missing| missing.remedy.is_none()) { failure.hint(OR_A_FILE) } else { failure }
}

/// Another way to give what is missing.
pub(super) const OR_A_FILE: &str =
    "or write them to a TOML file, a line each: NAME = \"...\", and add --vars-file FILE";

/// A variable that nothing gives a value.
pub(super) struct Missing<'a> {
    pub(super) name: &'a str,
    pub(super) summary: Option<&'a str>,
    /// Where else it was looked for.
    tried: Option<String>,
    /// How it is given, where that is not on the command line.
    remedy: Option<&'a str>,
}

impl<'a> Missing<'a> {
    fn of(error: &'a VarError) -> Option<Self> {
        let VarError::Nothing { name, summary, tried, remedy } = error else { return None };
        let elsewhere = tried.get(1..).unwrap_or_default();
        // What is to be done about one place says that there is nothing.
        let least = if remedy.is_none() { 1 } else { 2 };
        let tried = (elsewhere.len() >= least).then(|| elsewhere.join(", "));
        Some(Self { name, summary: summary.as_deref(), tried, remedy: remedy.as_deref() })
    }

    /// One that a runbook gives no source at all.
    pub(super) fn declared(var: &'a VarDecl) -> Self {
        Self { name: &var.name, summary: var.summary.as_deref(), tried: None, remedy: None }
    }

    /// How it is given, and what it is for.
    pub(super) fn hint(&self) -> String {
        let tried = self.tried.as_ref().map_or(String::new(), |tried| format!(" ({tried})"));
        match (self.remedy, self.summary) {
            (Some(remedy), Some(summary)) => format!("{remedy} for `{}`, {summary}{tried}", self.name),
            (Some(remedy), None) => format!("{remedy} for `{}`{tried}", self.name),
            (None, summary) => format!("add --var {}=...   {}{tried}", self.name, summary.unwrap_or("its value")),
        }
    }
}

/// `nothing says what `a`, `b` should be`.
pub(super) fn nothing_says(missing: &[Missing<'_>]) -> String {
    let names: Vec<String> = missing.iter().map(|missing| format!("`{}`", missing.name)).collect();
    format!("nothing says what {} should be", names.join(", "))
}

/// What is known of variables before a run: what is given, else their defaults.
pub(super) struct Known<'p> {
    about: &'p About,
    values: BTreeMap<String, Value>,
}

impl<'p> Known<'p> {
    pub(super) fn of(plan: &'p Plan, mut values: BTreeMap<String, Value>) -> Self {
        for var in plan.vars() {
            let default = var.sources.iter().find_map(|source| match source {
                VarSource::Default(json) => Some(Value { json: json.clone(), secret: var.secret }),
                VarSource::Env(_) | VarSource::File(_) | VarSource::Run(_) => None,
            });
            if let (Some(default), false) = (default, values.contains_key(&var.name)) {
                values.insert(var.name.clone(), default);
            }
        }
        Self { about: plan.about(), values }
    }

    /// A text of the plan with what is known filled in.
    pub(super) fn shown(&self, text: &str) -> String {
        template::known(text, self)
    }
}

impl template::Values for Known<'_> {
    fn get(&self, path: &str) -> Option<Value> {
        match path.split_once('.')? {
            ("vars", name) => self.values.get(name).cloned(),
            ("runbook", name) => self.about.text(name).map(|text| Value { json: text.into(), secret: false }),
            _ => None,
        }
    }
}
