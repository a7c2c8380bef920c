//! Durations that variables give. They are filled in where they stand, before anything reads the files: whoever reads a
//! duration finds it written out, and every place stays what it was.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use miette::SourceSpan;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::include::{self, Filled, Parsed};
use super::known::KnownVars;
use super::nearest::did_you_mean;
use super::node::Fields;
use super::problem::Problem;
use super::source::Sources;
use super::spec::Form;
use super::template::{one_variable, slots_of};
use super::{Misfit, shape, tables};
use crate::model::{Shapes, Value};

/// A duration that is written as a template.
pub(super) struct Templated {
    /// The key that it stands behind.
    pub(super) key: String,
    pub(super) form: Form,
    pub(super) text: String,
    pub(super) at: SourceSpan,
}

/// A variable of a file, in the runbook.
enum Named {
    As(String),
    /// A part's, which the runbook does not give, or gives by a variable that there is none of.
    Missing,
    /// There is none; perhaps another one is meant.
    Unknown(Option<String>),
}

/// The durations of one file, by the place where their text begins.
pub(super) type Filling = HashMap<usize, String>;

/// What variables the plan depends on, and for what.
pub(super) type Shaping = BTreeMap<String, Shapes>;

/// What the durations are that variables give, and what is known of variables.
pub(super) struct Durations<'t> {
    pub(super) known: KnownVars,
    /// What the plan depends on.
    pub(super) shaping: Shaping,
    /// Those of the runbook's own file.
    pub(super) own: Filling,
    /// The files of its parts, with theirs filled in.
    pub(super) of_parts: Filled<'t>,
}

impl<'t> Durations<'t> {
    pub(super) fn find(
        root: Fields<'_>,
        templated: &[Templated],
        sources: &Sources,
        files: &[(&str, Parsed<'t>)],
        vars: &BTreeMap<String, Value>,
        problems: &mut Vec<Problem>,
    ) -> Self {
        let in_files: Vec<_> = files.iter().map(|file| of_part(file, sources, problems)).collect();
        let seen = include::seen(root, sources, files);
        let added = seen.iter().flat_map(|(.., parameters)| parameters).filter(|parameter| parameter.is_added());
        let known = KnownVars::of(root, added, vars);
        let mut shaping = Shaping::new();
        let own = find(templated, &known, own_names(&known), &mut shaping, problems);
        let mut of_parts = Filled::new();
        for (name, path, parameters) in &seen {
            let Some(n) = files.iter().position(|(file, _)| file == path) else { continue };
            let name_of = |written: &str| match parameters.iter().find(|parameter| parameter.written == written) {
                Some(parameter) if parameter.is_missing() || !known.has(&parameter.name) => Named::Missing,
                Some(parameter) => Named::As(parameter.name.clone()),
                None => Named::Unknown(did_you_mean(written, parameters.iter().map(|parameter| parameter.written))),
            };
            let filling = find(&in_files[n], &known, name_of, &mut shaping, problems);
            if !filling.is_empty() {
                let mut file = files[n].1.0.get_ref().clone();
                fill(&mut file, &filling);
                of_parts.insert((*name).to_owned(), file);
            }
        }
        Self { known, shaping, own, of_parts }
    }
}

/// Says what has the wrong shape in the file of a part, once however often it is included.
fn of_part(
    (path, (file, errors)): &(&str, Parsed<'_>),
    sources: &Sources,
    problems: &mut Vec<Problem>,
) -> Vec<Templated> {
    // What is no part is said where it is included.
    if !errors.is_empty() || file.get_ref().contains_key("runbook") {
        return Vec::new();
    }
    let start = sources.start_of(path);
    shape::check(&tables::PART_FILE, file.get_ref(), (start, 0).into(), problems)
}

/// Finds what the durations of a file are. `name_of` says what a variable of the file is called in the runbook.
fn find(
    templated: &[Templated],
    known: &KnownVars,
    name_of: impl Fn(&str) -> Named,
    shaping: &mut Shaping,
    problems: &mut Vec<Problem>,
) -> Filling {
    let mut filling = Filling::new();
    for duration in templated {
        let Templated { key, form, text, at } = duration;
        let unknown = |why: String| -> Problem { Misfit::DurationUnknown { key: key.clone(), why, at: *at }.into() };
        let Some(name) = one_variable(text) else {
            let why = match slots_of(text).len() {
                0 => format!("`{text}` is neither a duration nor a variable"),
                _ => format!("`{text}` is not one variable and nothing else"),
            };
            problems.push(unknown(why));
            continue;
        };
        let name = match name_of(&name) {
            Named::As(name) => name,
            // It is said where the part is included.
            Named::Missing => continue,
            Named::Unknown(help) => {
                let reason = format!("there is no variable `{name}`");
                problems.push(Problem::BadTemplate { reason, at: *at, help });
                continue;
            }
        };
        let shapes = if *form == Form::Bound { Shapes::Bound } else { Shapes::Duration };
        let strictest = shaping.entry(name.clone()).or_insert(shapes);
        *strictest = shapes.max(*strictest);
        match known.worth(&name, "durations") {
            Err(why) => problems.push(unknown(why)),
            Ok((worth, default_at)) => match (shapes.refuses(worth), worth.as_str()) {
                (None, Some(worth)) => {
                    filling.insert(at.offset(), worth.to_owned());
                }
                (why, _) => problems.push(
                    Misfit::BadDurationVar {
                        name,
                        found: worth.to_string(),
                        key: key.clone(),
                        why: why.unwrap_or("is no duration"),
                        at: default_at.unwrap_or(*at),
                        also: default_at.map(|_| *at),
                    }
                    .into(),
                ),
            },
        }
    }
    filling
}

/// The names of the variables that the runbook itself may use.
fn own_names(known: &KnownVars) -> impl Fn(&str) -> Named {
    |name| {
        if known.has(name) { Named::As(name.to_owned()) } else { Named::Unknown(did_you_mean(name, known.names())) }
    }
}

/// Writes the durations out.
pub(super) fn fill(table: &mut DeTable<'_>, filling: &Filling) {
    if !filling.is_empty() {
        table.iter_mut().for_each(|(_, value)| fill_value(value, filling));
    }
}

fn fill_value(value: &mut Spanned<DeValue<'_>>, filling: &Filling) {
    let start = value.span().start;
    match value.get_mut() {
        DeValue::String(text) => {
            if let Some(duration) = filling.get(&start) {
                *text = Cow::Owned(duration.clone());
            }
        }
        DeValue::Array(list) => list.iter_mut().for_each(|entry| fill_value(entry, filling)),
        DeValue::Table(table) => fill(table, filling),
        DeValue::Integer(_) | DeValue::Float(_) | DeValue::Boolean(_) | DeValue::Datetime(_) => {}
    }
}
