//! What a step, an undo or a probe does.

use std::collections::BTreeMap;

use super::{ConditionId, ProbeId, Ramp, Rollback, Span};

/// Text with `{{ paths }}` in it, proved at `check`; rendered when a driver acts, by the rules of the place it stands in.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Template(pub String);

/// What is done. Exactly one per step, undo action or probe.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// A process.
    Run(Run),
    /// A request.
    Http(Http),
    /// Statements in one session.
    Sql(Sql),
    /// Nothing, for a while or until something holds. The engine's own: no attempt.
    Wait(Wait),
    /// A go/no-go question. The engine's own: no attempt.
    Gate(Gate),
    /// A person does it and says so.
    Manual(Manual),
    /// A value moved in steps. The engine's own; each value is an attempt of what sets it.
    Ramp(Ramp),
}

impl Action {
    /// The key of the format.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Run(_) => "run",
            Self::Http(_) => "http",
            Self::Sql(_) => "sql",
            Self::Wait(_) => "wait",
            Self::Gate(_) => "gate",
            Self::Manual(_) => "manual",
            Self::Ramp(_) => "ramp",
        }
    }
}

/// A process: a script for a shell, or a program with its arguments.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    /// What is started.
    pub command: RunCommand,
    /// The folder it starts in; relative to the runbook's.
    pub cwd: Option<Template>,
    /// Added to the environment.
    pub env: BTreeMap<String, Template>,
    /// Fed to its standard input; without it, `/dev/null`.
    pub stdin: Option<Template>,
    /// The exit codes that mean done.
    pub exit: Vec<i32>,
    /// Must hold over `stdout`, `stderr`, `exit` too.
    pub expect: Option<ConditionId>,
}

/// The two forms of `run`.
#[derive(Clone, Debug, PartialEq)]
pub enum RunCommand {
    /// Script text, given to the shell as one argument behind `shell`.
    Script {
        /// The script.
        text: Template,
        /// The shell and its flags, `["sh", "-eu", "-c"]` unless the runbook says otherwise.
        shell: Vec<String>,
    },
    /// A program and its arguments; one argument stays one argument.
    Args(Vec<Template>),
}

/// A request over HTTP.
#[derive(Clone, Debug, PartialEq)]
pub struct Http {
    /// `GET`, `PUT`, ...
    pub method: String,
    /// Where to.
    pub url: Template,
    /// Sent with it.
    pub headers: BTreeMap<String, Template>,
    /// Sent with it.
    pub body: Body,
    /// First and last status that mean done.
    pub status: (u16, u16),
    /// Must hold over `status`, `headers`, `body`, `json` too.
    pub expect: Option<ConditionId>,
    /// How long after an unknown end the request may still take effect; default: the timeout (R5).
    pub settle: Option<Span>,
}

/// What a request carries.
#[derive(Clone, Debug, PartialEq)]
pub enum Body {
    /// Nothing.
    Empty,
    /// Text as it is.
    Text(Template),
    /// JSON whose text leaves are templates.
    Json(serde_json::Value),
}

/// Statements over SQL, in one session.
#[derive(Clone, Debug, PartialEq)]
pub struct Sql {
    /// `postgres://...` or `sqlite:...`, without the password.
    pub url: Template,
    /// The password, apart from the URL.
    pub password: Option<Template>,
    /// What is sent.
    pub statements: Statements,
    /// Bound to `$1`, `$2`, ... (`?1` in `SQLite`) of every statement; text leaves are templates.
    pub params: Vec<serde_json::Value>,
    /// Must hold over `row` (the first) and `rows` (their number) too.
    pub expect: Option<ConditionId>,
    /// The number of rows that must be returned or affected.
    pub rows: Option<u64>,
}

/// The two forms of a statement.
#[derive(Clone, Debug, PartialEq)]
pub enum Statements {
    /// Returns rows; the first row's columns are outputs.
    Query(Template),
    /// Return nothing; carried out in order in one transaction each.
    Execute(Vec<Template>),
}

/// A wait: for a while, or until something holds.
#[derive(Clone, Debug, PartialEq)]
pub enum Wait {
    /// That long.
    For(Span),
    /// Until a fresh sample makes it true.
    Until {
        /// What must come true.
        condition: ConditionId,
        /// By when.
        within: Span,
    },
}

/// A go/no-go question to people.
#[derive(Clone, Debug, PartialEq)]
pub struct Gate {
    /// What is asked.
    pub question: Template,
    /// Probes whose values are shown as evidence.
    pub show: Vec<ProbeId>,
    /// How long it waits; `None`: for ever (a hazard that `check` warns about).
    pub expires: Option<Span>,
    /// Whether expiry is a no (`false`) or a pause (`true`).
    pub expiry_pauses: bool,
    /// What no means.
    pub on_no: OnNo,
    /// Text that must be typed to say go.
    pub confirm: Option<Template>,
}

/// What *no* means at a gate.
#[derive(Clone, Debug, PartialEq)]
pub enum OnNo {
    /// End the run where it is.
    Stop,
    /// Stay, for an operator.
    Pause,
    /// Go back.
    Rollback(Rollback),
}

/// Work of a person.
#[derive(Clone, Debug, PartialEq)]
pub struct Manual {
    /// What to do.
    pub instructions: Template,
    /// What the person is asked to leave as proof, if anything.
    pub evidence: Option<String>,
    /// How long it waits for the person; then the attempt failed.
    pub expires: Span,
}

/// One named output of a `run` or `http` action, for later steps.
#[derive(Clone, Debug, PartialEq)]
pub struct Output {
    /// Read as `steps.<id>.outputs.<name>`.
    pub name: String,
    /// Where it is found.
    pub from: OutputFrom,
    /// What it is taken for.
    pub as_: OutputAs,
    /// Kept in a 0600 file of the run, never in the journal.
    pub secret: bool,
}

/// Where an output is found in standard output (or a response body).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OutputFrom {
    /// All of it, without the newline at its end.
    Stdout,
    /// A JSON pointer (RFC 6901) into it.
    Json(String),
    /// The first capture group of the first match, or the whole match.
    Regex(String),
}

/// What a text is taken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutputAs {
    /// Text.
    Text,
    /// A whole or decimal number.
    Number,
    /// A list of lines.
    Lines,
    /// Any JSON.
    Json,
}

/// An instant query to Prometheus, or to what speaks its HTTP API.
#[derive(Clone, Debug, PartialEq)]
pub struct Prometheus {
    /// Where the server is; `/api/v1/query` comes behind it.
    pub url: Template,
    /// Sent with it.
    pub headers: BTreeMap<String, Template>,
    /// `PromQL`.
    pub query: Template,
}

/// The part of an HTTP answer that a probe reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HttpPart {
    /// The body as text.
    Body,
    /// A JSON pointer (RFC 6901) into the body.
    Json(String),
    /// The first capture group of the first match in the body, or the whole match.
    Regex(String),
    /// The status code.
    Status,
    /// Milliseconds from sending to the last byte.
    Latency,
}
