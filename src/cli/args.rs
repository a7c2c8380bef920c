//! The command line. The doc comments are the help texts.

use std::path::PathBuf;

use clap::builder::PossibleValuesParser;
use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::drive::live::staying::AfterSuccess;

/// Move stateful services while users are on them: checked before the start, guarded on the way, and with a verified way
/// back.
#[derive(Debug, Parser)]
#[command(name = "runbook", version, arg_required_else_help = true, disable_help_subcommand = true)]
#[command(
    after_help = "Exit codes of exec, resume and attach: 0 succeeded, 1 the tool could not work, 2 wrong usage or \
                        runbook, 3 refused, 4 rolled back, 5 stopped, 6 stuck, 7 ended resumably, 130 interrupted."
)]
pub(super) struct Cli {
    #[arg(
        long,
        global = true,
        value_name = "DIR",
        help = "Where runs are kept [default: $RUNBOOK_STATE_DIR, $XDG_STATE_HOME/runbook, ~/.local/state/runbook]"
    )]
    pub(super) state_dir: Option<PathBuf>,

    /// What to do.
    #[command(subcommand)]
    pub(super) verb: Verb,
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Execute a runbook
    Exec(Exec),
    /// Take up a run whose process is gone, or go on after a pause
    Resume(Resume),
    /// Write a runbook of the library for you to make your own, or list those that there are
    New(New),
    /// Say everything that is wrong with a runbook
    Check(Check),
    /// Show what a runbook would do, its bounds, and every way back
    Plan(Document),
    /// Draw the graph of a runbook
    Graph(Graph),
    /// Say when the guards of a runbook would have breached, by what Prometheus remembers
    Backtest(Backtest),
    /// Say where a run stands
    Status(Status),
    /// List runs
    List(Listing),
    /// Tell the story of a run
    Show(Reading),
    /// Print what steps have printed
    Logs(Logs),
    /// Say why a step stands where it stands
    Why(Why),
    /// Answer a gate: go
    Go(Answer),
    /// Answer a gate: no-go
    NoGo(Answer),
    /// Start nothing new
    Pause(Order),
    /// Start nothing new, and end the run when what runs has ended
    Stop(Stop),
    /// Take a run back
    Rollback(Rollback),
    /// Try a failed step, or a failed undo, again
    Retry(StepOrder),
    /// Leave a step out, or a failed undo
    Skip(StepOrder),
    /// Take a failed step, or a failed undo, as done; its criteria are still measured
    MarkDone(StepOrder),
    /// Hold a ramp at its value
    Hold(StepOrder),
    /// Let a ramp that is held go on; what is measured still decides
    Advance(StepOrder),
    /// Watch a run from this terminal
    Attach(Reading),
    /// Prove a run's journal whole
    Audit(Audit),
    /// Print the JSON schema of the runbook format
    Schema(Schema),
    /// Print completions for a shell
    Completions(Completions),
}

impl Verb {
    /// Whether its exit code is that of a run, whatever became of what it printed.
    pub(super) fn ends_as_its_run(&self) -> bool {
        let is_dry = matches!(self, Self::Exec(args) if args.dry_run.is_some());
        !is_dry && matches!(self, Self::Exec(_) | Self::Resume(_) | Self::Attach(_))
    }
}

/// `exec`.
#[derive(Args, Debug)]
pub(super) struct Exec {
    /// The runbook
    pub(super) file: PathBuf,
    /// Change nothing: `preflight` also asks probes and looks for programs, `plan` spawns nothing and connects to nothing
    #[arg(long, value_name = "LEVEL", num_args = 0..=1, require_equals = true, default_missing_value = "preflight")]
    #[arg(conflicts_with_all = ["detach", "stay"])]
    pub(super) dry_run: Option<DryRun>,
    #[command(flatten)]
    pub(super) variables: Variables,
    /// Answer this gate go, beforehand (its first opening only)
    #[arg(long, value_name = "GATE")]
    pub(super) go: Vec<String>,
    /// End resumably (exit 7) instead of waiting for people
    #[arg(long)]
    pub(super) no_wait: bool,
    /// Wait for the first phase's window instead of refusing
    #[arg(long)]
    pub(super) wait: bool,
    /// End resumably (exit 7) after this phase
    #[arg(long, value_name = "PHASE")]
    pub(super) until: Option<String>,
    /// Take up the unfinished run of this runbook, if there is one
    #[arg(long)]
    pub(super) or_resume: bool,
    #[command(flatten)]
    pub(super) process: Process,
    /// Close the way back of this ended run
    #[arg(long, value_name = "RUN")]
    pub(super) close: Option<String>,
    /// How to tell what happens
    #[arg(long, value_enum, default_value_t = Output::Auto)]
    pub(super) output: Output,
}

/// What the command line says of variables.
#[derive(Args, Debug)]
pub(super) struct Variables {
    /// Set a variable (never a secret one: others can read command lines)
    #[arg(long = "var", value_name = "NAME=VALUE")]
    pub(super) vars: Vec<String>,
    /// Set variables from a TOML or JSON file
    #[arg(long, value_name = "FILE")]
    pub(super) vars_file: Option<PathBuf>,
}

/// What becomes of the process that drives a run.
#[derive(Args, Debug)]
pub(super) struct Process {
    /// Go on in a process of its own, which outlives this terminal; people answer from elsewhere
    #[arg(long)]
    pub(super) detach: bool,
    /// After success, watch the ways back until the rollback window closes; `resume --stay` also takes up an ended run for it
    #[arg(long)]
    pub(super) stay: bool,
}

impl Process {
    /// What it does once the run has succeeded.
    pub(super) const fn after_success(&self) -> AfterSuccess {
        if self.stay { AfterSuccess::Stay } else { AfterSuccess::Leave }
    }
}

/// The levels of a dry run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum DryRun {
    /// Spawns nothing and connects to nothing.
    Plan,
    /// Also asks probes and looks for programs.
    Preflight,
}

/// How to tell what happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Output {
    /// A live view at a terminal, else plain lines.
    Auto,
    /// A line for each thing that happens.
    Plain,
    /// A JSON object for each thing that happens.
    Json,
}

/// `resume`.
#[derive(Args, Debug)]
pub(super) struct Resume {
    /// The run; may be shortened, and left out where only one fits
    pub(super) run: Option<String>,
    /// Go on although programs, environment or secrets differ from when the run began
    #[arg(long)]
    pub(super) accept_changes: bool,
    /// Give a phase more time
    #[arg(long, value_name = "PHASE=TIME")]
    pub(super) extend: Vec<String>,
    /// Answer this gate go, beforehand
    #[arg(long, value_name = "GATE")]
    pub(super) go: Vec<String>,
    /// End resumably (exit 7) instead of waiting for people
    #[arg(long)]
    pub(super) no_wait: bool,
    /// End resumably (exit 7) after this phase
    #[arg(long, value_name = "PHASE")]
    pub(super) until: Option<String>,
    #[command(flatten)]
    pub(super) process: Process,
    /// How to tell what happens
    #[arg(long, value_enum, default_value_t = Output::Auto)]
    pub(super) output: Output,
    #[command(flatten)]
    pub(super) secrets: SecretsFile,
}

/// Secrets are not kept: whoever takes a run up finds them where `exec` found them.
#[derive(Args, Debug, Default)]
pub(super) struct SecretsFile {
    /// The file again that gave secrets to `exec`; what is no secret in it is not read
    #[arg(long, value_name = "FILE")]
    pub(super) vars_file: Option<PathBuf>,
}

impl Resume {
    /// Whether it says how to drive the run: then another process that drives it is in the way.
    pub(super) fn wants_a_process(&self) -> bool {
        let Self { accept_changes, extend, go, no_wait, until, process, run: _, output: _, secrets: _ } = self;
        *accept_changes || *no_wait || process.stay || !(extend.is_empty() && go.is_empty() && until.is_none())
    }
}

/// A runbook to be read.
#[derive(Args, Debug)]
pub(super) struct Document {
    /// The runbook
    pub(super) file: PathBuf,
    #[command(flatten)]
    pub(super) variables: Variables,
    /// As JSON
    #[arg(long)]
    pub(super) json: bool,
}

/// `new`.
#[derive(Args, Debug)]
pub(super) struct New {
    /// Explain the patterns, and the variables that each has
    #[arg(long, required_unless_present = "pattern", conflicts_with = "pattern")]
    pub(super) list: bool,
    /// Write this one
    #[arg(long, value_name = "NAME", value_parser = PossibleValuesParser::new(super::new::library::names()))]
    pub(super) pattern: Option<String>,
    /// Where to [default: NAME.toml]; nothing that is there is overwritten
    #[arg(long, value_name = "FILE", requires = "pattern")]
    pub(super) out: Option<PathBuf>,
    /// Say what a variable is by default (never a secret one: those are written nowhere)
    #[arg(long = "var", value_name = "NAME=VALUE", requires = "pattern")]
    pub(super) vars: Vec<String>,
    /// The same from a TOML or JSON file; secrets in it are left there
    #[arg(long, value_name = "FILE", requires = "pattern")]
    pub(super) vars_file: Option<PathBuf>,
    /// Ask nothing: what is not given stays as the library has it, with its default or open until a run is given it
    #[arg(long, requires = "pattern")]
    pub(super) yes: bool,
    /// Print its page, which explains it, and write nothing
    #[arg(long, requires = "pattern", conflicts_with_all = ["out", "vars", "vars_file", "yes"])]
    pub(super) page: bool,
}

/// `check`.
#[derive(Args, Debug)]
pub(super) struct Check {
    /// The runbooks
    #[arg(required = true)]
    pub(super) files: Vec<PathBuf>,
    #[command(flatten)]
    pub(super) variables: Variables,
    /// As JSON, an object for each problem
    #[arg(long)]
    pub(super) json: bool,
    /// Exit 8 on warnings too
    #[arg(long)]
    pub(super) strict: bool,
}

/// `graph`.
#[derive(Args, Debug)]
pub(super) struct Graph {
    /// The runbook
    pub(super) file: PathBuf,
    #[command(flatten)]
    pub(super) variables: Variables,
    /// The form
    #[arg(value_enum, default_value_t = GraphForm::Text)]
    pub(super) form: GraphForm,
}

/// The forms of a graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum GraphForm {
    /// For a terminal.
    Text,
    /// For Graphviz.
    Dot,
    /// For Markdown.
    Mermaid,
}

/// `backtest`.
#[derive(Args, Debug)]
pub(super) struct Backtest {
    /// The runbook
    pub(super) file: PathBuf,
    /// From when on: so long ago (`7d`), or a moment (`2026-11-20T12:00:00Z`)
    #[arg(long, value_name = "WHEN", default_value = "7d")]
    pub(super) since: String,
    /// Until when, in the same forms [default: now]
    #[arg(long, value_name = "WHEN")]
    pub(super) until: Option<String>,
    #[command(flatten)]
    pub(super) variables: Variables,
    /// How to tell it
    #[arg(long, value_enum, default_value_t = Findings::Plain)]
    pub(super) output: Findings,
}

/// How to tell what was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Findings {
    /// A table, and what is behind its figures.
    Plain,
    /// A JSON object for each guard.
    Json,
}

/// A run to be read.
#[derive(Args, Debug)]
pub(super) struct Reading {
    /// The run; may be shortened, and left out where only one fits
    pub(super) run: Option<String>,
    /// As JSON
    #[arg(long)]
    pub(super) json: bool,
}

/// `status`.
#[derive(Args, Debug)]
pub(super) struct Status {
    /// The run; may be shortened, and left out where only one fits
    pub(super) run: Option<String>,
    /// Ask the probes that undos require, once, and say which ways back are open
    #[arg(long)]
    pub(super) measure: bool,
    #[command(flatten)]
    pub(super) secrets: SecretsFile,
    /// As JSON
    #[arg(long)]
    pub(super) json: bool,
}

/// `list`.
#[derive(Args, Debug)]
pub(super) struct Listing {
    /// As JSON
    #[arg(long)]
    pub(super) json: bool,
}

/// `logs`.
#[derive(Args, Debug)]
pub(super) struct Logs {
    /// The step; without it, all of them
    pub(super) step: Option<String>,
    /// The run; may be shortened, and left out where only one fits
    #[arg(long, value_name = "RUN")]
    pub(super) run: Option<String>,
    /// As JSON: the files and what they hold
    #[arg(long)]
    pub(super) json: bool,
}

/// `why`.
#[derive(Args, Debug)]
pub(super) struct Why {
    /// The step
    pub(super) step: String,
    /// The run; may be shortened, and left out where only one fits
    #[arg(long, value_name = "RUN")]
    pub(super) run: Option<String>,
    /// As JSON
    #[arg(long)]
    pub(super) json: bool,
}

/// An answer at a gate.
#[derive(Args, Debug)]
pub(super) struct Answer {
    /// The run, then the gate; the run may be left out where only one fits, the gate where only one is open
    #[arg(value_name = "RUN] [GATE", num_args = 0..=2)]
    pub(super) words: Vec<String>,
    /// The text that the gate wants typed
    #[arg(long, value_name = "TEXT")]
    pub(super) confirm: Option<String>,
    /// Why; kept in the journal
    #[arg(long)]
    pub(super) reason: Option<String>,
}

/// An order for a run.
#[derive(Args, Debug)]
pub(super) struct Order {
    /// The run; may be shortened, and left out where only one fits
    pub(super) run: Option<String>,
    /// Why; kept in the journal
    #[arg(long)]
    pub(super) reason: Option<String>,
}

/// `stop`.
#[derive(Args, Debug)]
pub(super) struct Stop {
    #[command(flatten)]
    pub(super) order: Order,
    #[command(flatten)]
    pub(super) secrets: SecretsFile,
}

/// `rollback`.
#[derive(Args, Debug)]
pub(super) struct Rollback {
    /// The run; may be shortened, and left out where only one fits
    pub(super) run: Option<String>,
    /// Back to this step or phase instead of the start
    #[arg(long, value_name = "STEP|PHASE")]
    pub(super) to: Option<String>,
    /// Even through a way back that is shut, knowing what it costs; wants a reason
    #[arg(long, requires = "reason")]
    pub(super) force: bool,
    /// Why; kept in the journal
    #[arg(long)]
    pub(super) reason: Option<String>,
    /// How to tell what happens, where this process carries it out
    #[arg(long, value_enum, default_value_t = Output::Auto)]
    pub(super) output: Output,
    #[command(flatten)]
    pub(super) secrets: SecretsFile,
}

/// An order about a step.
#[derive(Args, Debug)]
pub(super) struct StepOrder {
    /// The run, then the step; the run may be left out where only one fits
    #[arg(value_name = "RUN] [STEP", num_args = 1..=2)]
    pub(super) words: Vec<String>,
    /// Why; kept in the journal
    #[arg(long)]
    pub(super) reason: Option<String>,
}

/// `audit`.
#[derive(Args, Debug)]
pub(super) struct Audit {
    /// The run; may be shortened, and left out where only one fits
    pub(super) run: Option<String>,
    /// The head hash that was noted elsewhere: proves that nothing was cut off or written anew
    #[arg(long, value_name = "HASH")]
    pub(super) head: Option<String>,
    /// As JSON
    #[arg(long)]
    pub(super) json: bool,
}

/// `schema`.
#[derive(Args, Debug)]
pub(super) struct Schema {
    /// Of which kind of file
    #[arg(value_enum, default_value_t = SchemaOf::Runbook)]
    pub(super) of: SchemaOf,
}

/// The kinds of files that have a schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum SchemaOf {
    /// A runbook.
    Runbook,
    /// A part, for runbooks to include.
    Part,
}

/// `completions`.
#[derive(Args, Debug)]
pub(super) struct Completions {
    /// The shell
    #[arg(value_enum)]
    pub(super) shell: clap_complete::Shell,
}
