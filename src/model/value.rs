//! Variables: how they are declared, and what they are worth in a run.

use super::Template;

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
