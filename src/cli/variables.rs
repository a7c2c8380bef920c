//! What the command line says of variables, and what a runbook is read with because of it.

use std::collections::BTreeMap;
use std::path::Path;

use super::args;
use super::failure::Failure;
use crate::drive::live::vars::{self, Given, Reach};
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
) -> Result<BTreeMap<String, Value>, Vec<vars::VarError>> {
    let given = Given { folder: folder.to_owned(), reach: Reach::NoPrograms, ..given.clone() };
    vars::resolve(plan.vars(), &given).await
}

/// All variables without a value, at once.
pub(super) fn unresolved(errors: &[vars::VarError]) -> Failure {
    let texts: Vec<String> = errors.iter().map(|error| format!("could not {error}")).collect();
    Failure::wrong(texts.join("\nerror: "))
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
