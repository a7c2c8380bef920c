//! The format described as data: what a table may hold, of which shape, and what it means.
//!
//! One description drives three things: what the reader refuses (`shape`), what it proposes instead, and the JSON schema.
//! The tables themselves are in `tables`; what a value means once it has the right shape is not known here.

/// A kind of table of the format: `[step.x]`, `gate = { ... }`.
#[derive(Debug)]
pub(super) struct Table {
    /// Its name in the schema and in messages: `step`, `gate`.
    pub(super) name: &'static str,
    /// One sentence.
    pub(super) doc: &'static str,
    /// What it may hold.
    pub(super) keys: &'static [Key],
    /// Of each of these groups at most one key may be there.
    pub(super) one_of: &'static [Group],
}

/// Keys of which at most one may be there.
#[derive(Debug)]
pub(super) struct Group {
    /// What they are, together: `action`.
    pub(super) what: &'static str,
    /// The keys.
    pub(super) keys: &'static [&'static str],
    /// Where one must be there: what to do where there is none.
    pub(super) needed: Option<&'static str>,
    /// Where any of these stands, none need be there.
    pub(super) unless: &'static [&'static str],
}

impl Group {
    /// A group of which none need be there.
    pub(super) const fn at_most_one(what: &'static str, keys: &'static [&'static str]) -> Self {
        Self { what, keys, needed: None, unless: &[] }
    }

    /// A group of which one must be there.
    pub(super) const fn one(what: &'static str, keys: &'static [&'static str], help: &'static str) -> Self {
        Self { what, keys, needed: Some(help), unless: &[] }
    }
}

impl Table {
    /// What the description says of a key.
    pub(super) fn key(&self, name: &str) -> Option<&'static Key> {
        self.keys.iter().find(|key| key.name == name)
    }
}

/// A key of a table.
#[derive(Debug)]
pub(super) struct Key {
    /// Its name.
    pub(super) name: &'static str,
    /// What its value must look like.
    pub(super) shape: Shape,
    /// One sentence, for the schema.
    pub(super) doc: &'static str,
    /// Whether it must be there.
    pub(super) required: bool,
    /// What it is worth when it is not there, as it would be written.
    pub(super) default: Option<&'static str>,
    /// Whether it is part of the format and not supported yet.
    pub(super) later: bool,
    /// Where not empty: it means something only beside one of these.
    pub(super) with: &'static [&'static str],
}

impl Key {
    /// A supported, optional key without a default.
    pub(super) const fn new(name: &'static str, shape: Shape, doc: &'static str) -> Self {
        Self { name, shape, doc, required: false, default: None, later: false, with: &[] }
    }

    pub(super) const fn required(mut self) -> Self {
        self.required = true;
        self
    }

    pub(super) const fn default(mut self, text: &'static str) -> Self {
        self.default = Some(text);
        self
    }

    pub(super) const fn later(mut self) -> Self {
        self.later = true;
        self
    }

    pub(super) const fn with(mut self, others: &'static [&'static str]) -> Self {
        self.with = others;
        self
    }
}

/// What a value must look like.
#[derive(Debug)]
pub(super) enum Shape {
    /// A string.
    Text(Form),
    /// `true` or `false`.
    Bool,
    /// The value `true` and nothing else.
    True,
    /// A whole number between these.
    Whole(i64, i64),
    /// A number, whole or decimal, between these.
    Number(f64, f64),
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A list of that, at least so long.
    List(&'static Self, usize),
    /// A table with keys of any such name.
    Map(Form, &'static Self),
    /// That table.
    Table(&'static Table),
    /// One of these; a kind of TOML value tells which, so no kind is there twice.
    Either(&'static [Self]),
    /// Any value that is not a table.
    Plain,
    /// Any value.
    Any,
}

/// What a text must look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// Any text.
    Free,
    /// Text with `{{ paths }}`.
    Template,
    /// A CEL expression.
    Expression,
    /// `[a-z][a-z0-9_]*`.
    Name,
    /// A name of something of the runbook.
    Reference,
    /// `1h30m`.
    Duration,
    /// A duration that is not zero.
    Bound,
    /// `64MiB`.
    Size,
    /// `0.1%`.
    Percent,
    /// `Sat 01:00-05:00`.
    Hours,
    /// `Europe/Berlin`.
    Zone,
    /// A JSON pointer (RFC 6901).
    Pointer,
    /// `host:port`, or a template of it.
    Address,
    /// A regular expression.
    Regex,
    /// The name of an environment variable.
    EnvName,
}

impl Shape {
    /// What it is, for a message: `a duration such as "30s"`.
    pub(super) fn describe(&self) -> String {
        match self {
            Self::Text(form) => form.describe().to_owned(),
            Self::Bool => "true or false".to_owned(),
            Self::True => "true".to_owned(),
            Self::Whole(..) => "a whole number".to_owned(),
            Self::Number(..) => "a number".to_owned(),
            Self::Choice(words) => one_of(words),
            Self::List(of, _) => format!("a list of {}", of.plural()),
            Self::Map(_, of) => format!("a table of {}", of.plural()),
            Self::Table(table) => format!("a table ({{ {} }})", table.keys_in_short()),
            Self::Either(shapes) => {
                let all: Vec<_> = shapes.iter().map(Self::describe).collect();
                all.join(", or ")
            }
            Self::Plain => "a plain value".to_owned(),
            Self::Any => "any value".to_owned(),
        }
    }

    fn plural(&self) -> &'static str {
        match self {
            Self::Text(Form::Reference | Form::Name) => "names",
            Self::Text(Form::Duration | Form::Bound) => "durations",
            Self::Text(_) | Self::Choice(_) => "texts",
            Self::Bool | Self::True => "booleans",
            Self::Whole(..) => "whole numbers",
            Self::Number(..) => "numbers",
            Self::List(..) => "lists",
            Self::Map(..) | Self::Table(_) => "tables",
            Self::Either(shapes) => shapes.first().map_or("values", Self::plural),
            Self::Plain | Self::Any => "values",
        }
    }
}

impl Table {
    fn keys_in_short(&self) -> String {
        let names: Vec<_> = self.keys.iter().filter(|key| !key.later).map(|key| key.name).take(5).collect();
        names.join(", ")
    }
}

impl Form {
    pub(super) const fn describe(self) -> &'static str {
        match self {
            Self::Free | Self::Template => "a text",
            Self::Expression => "an expression in quotes",
            Self::Name | Self::Reference => "a name in quotes",
            Self::Duration | Self::Bound => "a duration such as \"30s\"",
            Self::Size => "a size such as \"64MiB\"",
            Self::Percent => "a percentage such as \"0.1%\"",
            Self::Hours => "opening hours such as \"Sat 01:00-05:00\"",
            Self::Zone => "a time zone such as \"Europe/Berlin\"",
            Self::Pointer => "a JSON pointer such as \"/items/0\"",
            Self::Address => "an address such as \"db1:5432\"",
            Self::Regex => "a regular expression in quotes",
            Self::EnvName => "the name of an environment variable",
        }
    }
}

/// `"a", "b" or "c"`.
pub(super) fn one_of(words: &[&str]) -> String {
    match words {
        [] => String::new(),
        [only] => format!("\"{only}\""),
        [many @ .., last] => {
            let many: Vec<_> = many.iter().map(|word| format!("\"{word}\"")).collect();
            format!("{} or \"{last}\"", many.join(", "))
        }
    }
}
