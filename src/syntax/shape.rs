//! Holds every value of a file against the description of the format, and says all that does not fit.
//!
//! It knows shapes and nothing of what they mean: after it, a value that is there has the right shape or a problem.

use std::fmt;
use std::ops::Range;

use jiff::tz::TimeZoneDatabase;
use miette::SourceSpan;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::budget::percent;
use super::durations::Templated;
use super::nearest::{did_you_mean, nearest};
use super::node::{self, Glance};
use super::spec::{Form, Group, Key, Shape, Table, one_of};
use super::{Misfit, Problem};
use crate::model::{Hours, Span};

/// Whose table it is, for messages.
#[derive(Clone, Copy)]
struct Owner<'a> {
    table: &'static Table,
    name: Option<&'a str>,
    at: SourceSpan,
}

impl fmt::Display for Owner<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.table.name, self.name) {
            ("file", _) => f.write_str("a runbook"),
            ("part_file", _) => f.write_str("the file of a part"),
            ("part_header", _) => f.write_str("[part]"),
            (kind @ ("runbook" | "defaults"), _) => write!(f, "[{kind}]"),
            (kind, Some(name)) => write!(f, "{kind} `{name}`"),
            (kind, None) => {
                let article = if kind.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
                write!(f, "{article} {}", kind.replace('_', " "))
            }
        }
    }
}

/// Says everything of a whole file that has the wrong shape. `at` is where it begins. Durations that are written as templates
/// come back: what they are depends on variables.
pub(super) fn check(
    table: &'static Table,
    file: &DeTable<'_>,
    at: SourceSpan,
    problems: &mut Vec<Problem>,
) -> Vec<Templated> {
    let owner = Owner { table, name: None, at };
    let mut checker = Checker { problems, templated: Vec::new() };
    checker.table(owner, file);
    checker.templated
}

struct Checker<'p> {
    problems: &'p mut Vec<Problem>,
    templated: Vec<Templated>,
}

fn at(range: Range<usize>) -> SourceSpan {
    range.into()
}

impl Checker<'_> {
    fn say(&mut self, misfit: Misfit) {
        self.problems.push(misfit.into());
    }

    fn table(&mut self, owner: Owner<'_>, table: &DeTable<'_>) {
        let glance = Glance::of(table);
        for (name, value) in table {
            match owner.table.key(name.get_ref()) {
                None => self.unknown_key(owner, name),
                Some(key) if key.later => {
                    let what = format!("`{}`", key.name);
                    self.say(Misfit::NotYet { what, at: at(name.span()) });
                }
                Some(key) => {
                    self.value(key.name, &key.shape, name, value);
                    self.company(key, owner.table, table, name);
                }
            }
        }
        let has = |key: &str| glance.may_have(key) && table.contains_key(key);
        for key in owner.table.keys.iter().filter(|key| key.required && !has(key.name)) {
            // The file's own keys have messages of their own.
            if owner.table.name == "file" && key.name != "runbook" {
                continue;
            }
            if is_meant(owner.table, table, key.name) {
                continue;
            }
            let (owner, at) = (owner.to_string(), owner.at);
            self.say(Misfit::MissingKey { owner, key: key.name, at, help: key.doc.to_owned() });
        }
        for group in owner.table.one_of {
            self.group(owner, group, table, glance);
        }
    }

    fn unknown_key(&mut self, owner: Owner<'_>, name: &Spanned<std::borrow::Cow<'_, str>>) {
        let key = name.get_ref().to_string();
        let help = match likely(owner.table, &key) {
            Some(near) => Some(format!("did you mean `{near}`?")),
            None => elsewhere(owner.table, &key),
        };
        self.say(Misfit::UnknownKey { owner: owner.to_string(), key, at: at(name.span()), help });
    }

    /// A key that goes with others stands beside one of them.
    fn company(&mut self, key: &Key, of: &Table, table: &DeTable<'_>, name: &Spanned<std::borrow::Cow<'_, str>>) {
        if key.with.is_empty() || key.with.iter().any(|other| table.contains_key(*other)) {
            return;
        }
        // Where none of a needed group is there, that is the problem.
        let missing = of.one_of.iter().any(|group| {
            key.with.iter().any(|other| group.keys.contains(other))
                && group.needed.is_some()
                && !group.keys.iter().chain(group.unless).any(|other| table.contains_key(*other))
        });
        if !missing {
            let others: Vec<_> = key.with.iter().filter(|other| of.key(other).is_some_and(|k| !k.later)).collect();
            let others: Vec<_> = others.iter().map(|other| format!("`{other}`")).collect();
            let help = format!("`{}` goes with {}", key.name, others.join(", "));
            self.say(Misfit::KeyOutOfPlace { key: key.name.to_owned(), at: at(name.span()), help });
        }
    }

    fn group(&mut self, owner: Owner<'_>, group: &Group, table: &DeTable<'_>, glance: Glance) {
        let place = |key: &str| table.get_key_value(key).map(|(name, _)| name.span());
        let mut there: Vec<_> = group
            .keys
            .iter()
            .filter(|key| glance.may_have(key))
            .filter_map(|key| place(key).map(|range| (range.start, *key, range)))
            .collect();
        there.sort_unstable_by_key(|(start, ..)| *start);
        if let [(_, first, also), others @ ..] = &there[..] {
            for (_, second, range) in others {
                self.say(Misfit::TwoAtOnce {
                    owner: owner.to_string(),
                    first,
                    second,
                    at: at(range.clone()),
                    what: group.what,
                    also: at(also.clone()),
                });
            }
        } else if let Some(help) = group.needed
            && !group.unless.iter().any(|key| table.contains_key(*key))
            && !group.keys.iter().any(|key| is_meant(owner.table, table, key))
        {
            let (owner, at) = (owner.to_string(), owner.at);
            self.say(Misfit::NoneGiven { owner, what: group.what, at, help });
        }
    }

    fn value(
        &mut self,
        key: &str,
        shape: &Shape,
        name: &Spanned<std::borrow::Cow<'_, str>>,
        value: &Spanned<DeValue<'_>>,
    ) {
        let owner_at = at(name.span());
        self.shaped(key, None, shape, owner_at, value);
    }

    /// `named`: the name of the thing that a table is, where it has one.
    fn shaped(
        &mut self,
        key: &str,
        named: Option<&str>,
        shape: &Shape,
        owner_at: SourceSpan,
        value: &Spanned<DeValue<'_>>,
    ) {
        let here = at(value.span());
        match (shape, value.get_ref()) {
            (Shape::Either(shapes), given) => match shapes.iter().find(|shape| same_kind(shape, given)) {
                Some(shape) => self.shaped(key, named, shape, owner_at, value),
                None => self.wrong_type(key, shape, value),
            },
            (shape, given) if !same_kind(shape, given) => self.wrong_type(key, shape, value),
            (Shape::Text(form), DeValue::String(text)) => self.form(key, *form, text, here),
            (Shape::Choice(words), DeValue::String(text)) if !words.contains(&text.as_ref()) => {
                let help = did_you_mean(text, words.iter().copied());
                let (key, choices) = (key.to_owned(), one_of(words));
                self.say(Misfit::UnknownWord { key, choices, at: here, help });
            }
            (Shape::True, DeValue::Boolean(false)) => {
                let range = "true, or left out".to_owned();
                self.say(Misfit::OutOfRange { key: key.to_owned(), range, at: here });
            }
            (Shape::Whole(low, high), given) => self.whole(key, *low, *high, given, here),
            (Shape::Number(low, high), given)
                if !node::number(given).is_some_and(|number| (*low..=*high).contains(&number)) =>
            {
                let range = format!("a number from {low} to {high}");
                self.say(Misfit::OutOfRange { key: key.to_owned(), range, at: here });
            }
            (Shape::List(of, least), DeValue::Array(array)) => {
                if array.len() < *least {
                    let wanted = if *least == 1 { "at least one entry" } else { "two entries" };
                    let (key, found) = (key.to_owned(), array.len());
                    self.say(Misfit::WrongLength { key, wanted, at: here, found });
                }
                for entry in array {
                    self.shaped(key, None, of, at(entry.span()), entry);
                }
            }
            (Shape::Map(form, of), DeValue::Table(table)) => {
                for (name, value) in table {
                    self.form(key, *form, name.get_ref(), at(name.span()));
                    self.shaped(name.get_ref(), Some(name.get_ref()), of, at(name.span()), value);
                }
            }
            (Shape::Table(of), DeValue::Table(table)) => {
                self.table(Owner { table: of, name: named, at: owner_at }, table);
            }
            (Shape::Plain | Shape::Any, _) => {
                if let Some(odd) = node::odd_number(value) {
                    let range = "a finite number of at most 64 bits".to_owned();
                    self.say(Misfit::OutOfRange { key: key.to_owned(), range, at: at(odd) });
                }
            }
            _ => {}
        }
    }

    fn whole(&mut self, key: &str, low: i64, high: i64, given: &DeValue<'_>, at: SourceSpan) {
        let number = node::whole(given);
        if number.is_some_and(|number| (low..=high).contains(&number)) {
            return;
        }
        if key == "format" {
            let found = number.map_or_else(|| "of that number".to_owned(), |number| number.to_string());
            self.say(Misfit::FormatUnknown { found, at });
            return;
        }
        let range = if high == i64::MAX { format!("at least {low}") } else { format!("from {low} to {high}") };
        self.say(Misfit::OutOfRange { key: key.to_owned(), range, at });
    }

    fn wrong_type(&mut self, key: &str, shape: &Shape, value: &Spanned<DeValue<'_>>) {
        let help = match (shape, value.get_ref()) {
            (Shape::List(..), DeValue::String(_) | DeValue::Table(_)) => {
                Some("put it into brackets: [ ... ]".to_owned())
            }
            (Shape::Text(Form::Duration | Form::Bound), DeValue::Integer(number)) => {
                Some(format!("a duration has a unit: \"{}s\"", number.as_str()))
            }
            _ => None,
        };
        self.say(Misfit::WrongType {
            key: key.to_owned(),
            wanted: shape.describe(),
            found: kind_of(value.get_ref()),
            at: at(value.span()),
            help,
        });
    }

    /// A text that must look like something.
    fn form(&mut self, key: &str, form: Form, text: &str, at: SourceSpan) {
        let owned = || text.to_owned();
        let problem = match form {
            Form::Free | Form::Template | Form::Expression | Form::Reference => None,
            Form::Duration | Form::Bound if text.contains("{{") => {
                self.templated.push(Templated { key: key.to_owned(), form, text: owned(), at });
                None
            }
            Form::Name => (!is_name(text)).then(|| Misfit::BadName { name: owned(), at }),
            Form::Duration => {
                Span::parse(text).is_none().then(|| Misfit::BadDuration { text: owned(), at, key: key.to_owned() })
            }
            Form::Bound => match Span::parse(text) {
                None => Some(Misfit::BadDuration { text: owned(), at, key: key.to_owned() }),
                Some(Span::ZERO) => {
                    let range = "longer than no time at all".to_owned();
                    Some(Misfit::OutOfRange { key: key.to_owned(), range, at })
                }
                Some(_) => None,
            },
            Form::Size => size(text).is_none().then(|| Misfit::BadSize { text: owned(), at, key: key.to_owned() }),
            Form::Percent => {
                percent(text).is_none().then(|| Misfit::BadPercent { text: owned(), at, key: key.to_owned() })
            }
            Form::Hours => text.parse::<Hours>().err().map(|reason| Misfit::BadWindow { text: owned(), at, reason }),
            Form::Zone => {
                TimeZoneDatabase::bundled().get(text).is_err().then(|| Misfit::UnknownZone { zone: owned(), at })
            }
            Form::Pointer => {
                let good = text.is_empty() || text.starts_with('/');
                (!good).then(|| Misfit::BadPointer { text: owned(), at })
            }
            Form::Address => (!is_address(text)).then(|| Misfit::BadAddress { text: owned(), at }),
            Form::Regex => regex_error(text).map(|reason| Misfit::BadRegex { reason, at }),
            Form::EnvName => (!is_env_name(text)).then(|| Misfit::BadEnvName { name: owned(), at }),
        };
        self.problems.extend(problem.map(Problem::from));
    }
}

/// The key of a table that an unknown one was probably meant to be.
fn likely(of: &Table, unknown: &str) -> Option<&'static str> {
    nearest(unknown, of.keys.iter().map(|key| key.name))
}

/// Whether a key that is not there is there under a name that is none: one mistake, and one message for it.
fn is_meant(of: &Table, table: &DeTable<'_>, key: &str) -> bool {
    table.keys().any(|name| of.key(name.get_ref()).is_none() && likely(of, name.get_ref()) == Some(key))
}

/// A key of another table that was probably meant.
fn elsewhere(table: &Table, key: &str) -> Option<String> {
    let help = match (table.name, key) {
        ("file", "steps") => "a step is a table of its own: [step.name]",
        ("file", "phases") => "`phases` belongs into [runbook]",
        ("file", "name" | "timeout" | "owner" | "version" | "summary") => "this belongs into [runbook]",
        ("part_file", "phase") => "the runbook that includes a part says in which phase its steps run",
        ("part_file", "baseline") => "the runbook that includes a part says what is its baseline",
        ("step", "command" | "cmd" | "script" | "shell_command") => "what a step does is `run`",
        ("step", "rollback" | "revert") => "what takes a step back is `undo`",
        ("step", "depends_on" | "after" | "requires") => "what a step waits for is `needs`",
        ("step", "if") => "a step that may be skipped says `when`",
        _ => return None,
    };
    Some(help.to_owned())
}

fn same_kind(shape: &Shape, value: &DeValue<'_>) -> bool {
    match shape {
        Shape::Text(_) | Shape::Choice(_) => value.is_str(),
        Shape::Bool | Shape::True => value.is_bool(),
        Shape::Whole(..) => value.is_integer(),
        Shape::Number(..) => value.is_integer() || value.is_float(),
        Shape::List(..) => value.is_array(),
        Shape::Map(..) | Shape::Table(_) => value.is_table(),
        Shape::Either(shapes) => shapes.iter().any(|shape| same_kind(shape, value)),
        Shape::Plain => !value.is_table(),
        Shape::Any => true,
    }
}

fn kind_of(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a decimal number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

/// `[a-z][a-z0-9_]*`.
fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

/// `host:port`. What a template makes of it is known when it is asked.
fn is_address(text: &str) -> bool {
    text.contains("{{")
        || text.rsplit_once(':').is_some_and(|(host, port)| {
            let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
            let host_is_good = if bare.len() < host.len() { !bare.is_empty() } else { !host.contains([':', '/']) };
            !host.is_empty() && host_is_good && port.parse::<u16>().is_ok_and(|port| port > 0)
        })
}

fn is_env_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        && !text.starts_with("RUNBOOK_")
}

/// `512B`, `64KiB`, `64MiB`, `1GiB` in bytes.
pub(super) fn size(text: &str) -> Option<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let unit: u64 = match &text[digits..] {
        "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return None,
    };
    text[..digits].parse::<u64>().ok()?.checked_mul(unit)
}

/// Why a text is no regular expression.
fn regex_error(text: &str) -> Option<String> {
    let error = regex::Regex::new(text).err()?;
    let message = error.to_string();
    // The last line says what; those before it draw what the label shows.
    Some(message.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned())
}
