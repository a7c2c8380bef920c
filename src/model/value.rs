//! Variables: how they are declared, and what they are worth in a run.

use super::{Span, Template};

/// `[vars]`: how a variable gets its value. Order: `--var`, `--vars-file`, `env`, `file`, `run`, `default`.
#[derive(Clone, Debug, PartialEq)]
pub struct VarDecl {
    /// Its name.
    pub name: String,
    /// Where a value may come from, in the order in which they are tried after the command line.
    pub sources: Vec<VarSource>,
    /// Never to be seen: masked by value on every way out.
    pub secret: bool,
    /// If not empty, the only values allowed.
    pub choices: Vec<serde_json::Value>,
    /// For `plan` and prompts.
    pub summary: Option<String>,
    /// What the plan itself takes it for; such a value decides what the plan is.
    pub shapes: Option<Shapes>,
}

/// What a plan takes a variable for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Shapes {
    /// The values of a ramp.
    Ramp,
    /// A length of time.
    Duration,
    /// A length of time that is not zero.
    Bound,
}

impl Shapes {
    /// How a duration is written, for whoever wrote something else.
    pub const REMEDY: &str = "write it as text with a unit, such as \"30s\" or \"1h30m\"";

    /// Why a value cannot be taken for it, as far as the value alone shows it; fits behind the value.
    pub fn refuses(self, value: &serde_json::Value) -> Option<&'static str> {
        let floor = match self {
            // What a list must hold, the reader says.
            Self::Ramp => return None,
            Self::Duration => false,
            Self::Bound => true,
        };
        match value.as_str().and_then(Span::parse) {
            None => Some("is no duration"),
            Some(Span::ZERO) if floor => Some("is no time at all"),
            Some(_) => None,
        }
    }
}

/// One place a variable's value may come from.
#[derive(Clone, Debug, PartialEq)]
pub enum VarSource {
    /// An environment variable of that name.
    Env(String),
    /// The content of a file, without the newline at its end.
    File(String),
    /// The standard output of a program, without the newline at its end; run once, before the start.
    Run(Vec<Template>),
    /// This value.
    Default(serde_json::Value),
}

/// A value in a run, and whether it may be seen.
#[derive(Clone, Debug, PartialEq)]
pub struct Value {
    /// What it is.
    pub json: serde_json::Value,
    /// Whether it must not be seen.
    pub secret: bool,
}

/// What kind of value it is, for people.
pub const fn kind_of(value: &serde_json::Value) -> &'static str {
    use serde_json::Value as Json;
    match value {
        Json::Null => "nothing",
        Json::Bool(_) => "true or false",
        Json::Number(_) => "a number",
        Json::String(_) => "text",
        Json::Array(_) => "a list",
        Json::Object(_) => "a table",
    }
}
