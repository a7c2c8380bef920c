//! The ways in which a runbook can be wrong: one variant each, with a place and, where there is one, a remedy.
//!
//! Said once; help apart; nothing here knows about colour or files.

use crate::model::Span;
use miette::{Diagnostic, Severity, SourceSpan};
use thiserror::Error;

use super::{Finding, Misfit};

/// One way a runbook can be wrong. Collected, sorted by place, shown together.
#[derive(Clone, Debug, PartialEq, Eq, Error, Diagnostic)]
#[expect(missing_docs, reason = "the fields are the words of the message beside them; `at` is always the place")]
pub enum Problem {
    // The text.
    /// The text is no TOML.
    #[error("this is not TOML: {reason}")]
    #[diagnostic(code(not_toml))]
    NotToml {
        reason: String,
        #[label("here")]
        at: SourceSpan,
    },
    /// The first line of the contract is missing.
    #[error("`format` is missing")]
    #[diagnostic(code(format_missing), help("write `format = 1` as the first line"))]
    FormatMissing {
        #[label("the file does not say which format it is written in")]
        at: SourceSpan,
    },

    // Parts.
    /// A part where a runbook should be.
    #[error("this is a part, not a runbook")]
    #[diagnostic(code(not_a_runbook), help("name a runbook that includes it with [part.x] and `use`"))]
    NotARunbook {
        #[label("`sequence` is a key of a part")]
        at: SourceSpan,
    },
    /// The file of a part cannot be read.
    #[error("could not read `{file}` for part `{part}`: {why}")]
    #[diagnostic(code(part_unreadable), help("`use` is relative to the folder of the runbook"))]
    PartUnreadable {
        part: String,
        file: String,
        why: String,
        #[label("named here")]
        at: SourceSpan,
    },
    /// A runbook where a part should be.
    #[error("`{file}` is a runbook, not a part")]
    #[diagnostic(code(not_a_part), help("what can be included has [part] with a `sequence`, and no [runbook]"))]
    NotAPart {
        file: String,
        #[label("cannot be included")]
        at: SourceSpan,
    },
    /// A part that no sequence holds.
    #[error("part `{part}` stands in no sequence")]
    #[diagnostic(code(part_unused), help("name it in the `sequence` of a phase: sequence = [..., \"{part}\"]"))]
    PartUnused {
        part: String,
        #[label("would never run")]
        at: SourceSpan,
    },
    /// A step of a part that no sequence holds, while others do.
    #[error("step `{step}` of part `{part}` stands in no sequence")]
    #[diagnostic(
        code(part_step_unused),
        help("name `{name}` in a `sequence` too, or the whole part: sequence = [..., \"{part}\"]")
    )]
    PartStepUnused {
        part: String,
        step: String,
        name: String,
        #[label("one of its steps would never run")]
        at: SourceSpan,
    },
    /// A step that its part does not list.
    #[error("step `{step}` is not in the `sequence` of its part")]
    #[diagnostic(code(not_in_part), help("the `sequence` in [part] holds every step of the part"))]
    NotInPart {
        step: String,
        #[label("would never run")]
        at: SourceSpan,
    },
    /// A part would give a name that is taken.
    #[error("{reason}")]
    #[diagnostic(code(part_name_taken), help("include the part under another name: [part.other_name]"))]
    PartNameTaken {
        reason: String,
        #[label("the part")]
        at: SourceSpan,
        #[label("has the name")]
        also: SourceSpan,
    },
    /// A value for a variable that the part does not have.
    #[error("part `{part}` has no variable `{name}`")]
    #[diagnostic(code(unknown_parameter))]
    UnknownParameter {
        part: String,
        name: String,
        #[label("`{file}` does not have it in [vars]")]
        at: SourceSpan,
        file: String,
        #[help]
        help: Option<String>,
    },
    /// A variable of a part that nothing gives a value.
    #[error("part `{part}` is not given `{name}`{summary}")]
    #[diagnostic(code(missing_parameter), help("add it: with = {{ {name} = ... }}"))]
    MissingParameter {
        part: String,
        name: String,
        summary: String,
        #[label("`with` must say it")]
        at: SourceSpan,
    },
    /// A value that a part cannot be given.
    #[error("part `{part}` cannot take this for `{name}`: {reason}")]
    #[diagnostic(code(bad_parameter))]
    BadParameter {
        part: String,
        name: String,
        reason: String,
        #[label("given here")]
        at: SourceSpan,
        #[help]
        help: Option<String>,
    },

    // Expressions, templates, places to connect to.
    /// An expression that does not compile.
    #[error("{reason}")]
    #[diagnostic(code(bad_expression))]
    BadExpression {
        reason: String,
        #[label("here")]
        at: SourceSpan,
        #[help]
        help: Option<String>,
    },
    /// A template that cannot be rendered, or not in this place.
    #[error("{reason}")]
    #[diagnostic(code(bad_template))]
    BadTemplate {
        reason: String,
        #[label("here")]
        at: SourceSpan,
        #[help]
        help: Option<String>,
    },
    /// A URL for no client that there is.
    #[error("`{url}` is no URL for `{key}`")]
    #[diagnostic(code(unknown_scheme))]
    UnknownScheme {
        key: &'static str,
        url: String,
        #[label("here")]
        at: SourceSpan,
        #[help]
        help: &'static str,
    },
    /// A password where it can be seen.
    #[error("a URL must not hold a password")]
    #[diagnostic(
        code(password_in_url),
        help("declare a variable with `secret = true` and write password = \"{{{{vars.it}}}}\"")
    )]
    PasswordInUrl {
        #[label("it would be seen in logs and in messages")]
        at: SourceSpan,
    },

    // Names.
    /// A name that nothing has.
    #[error("there is no {kind} `{name}`")]
    #[diagnostic(code(unknown_name))]
    UnknownName {
        kind: &'static str,
        name: String,
        #[label("no {kind} has this name")]
        at: SourceSpan,
        #[help]
        help: Option<String>,
    },
    /// The same twice in one list.
    #[error("`{name}` stands twice in `{key}`")]
    #[diagnostic(code(named_twice))]
    NamedTwice {
        name: String,
        key: &'static str,
        #[label("the second time")]
        at: SourceSpan,
    },
    /// A name that two things have.
    #[error("`{name}` is both a {first} and a {second}")]
    #[diagnostic(code(name_taken), help("rename one, so that the name can mean only one of them"))]
    NameTaken {
        name: String,
        first: &'static str,
        second: &'static str,
        #[label("the {first}")]
        at: SourceSpan,
        #[label("the {second}")]
        also: SourceSpan,
    },
    /// Needs in a circle.
    #[error("these need each other: {path}")]
    #[diagnostic(code(cycle), help("take one of these `needs` (or the order of a sequence) away"))]
    Cycle {
        path: String,
        #[label("can never start")]
        at: SourceSpan,
    },
    /// Undos in a circle.
    #[error("these undos wait for each other: {path}")]
    #[diagnostic(code(undo_cycle), help("take one `after` away"))]
    UndoCycle {
        path: String,
        #[label("can never be undone")]
        at: SourceSpan,
    },

    // Phases.
    /// A file without steps.
    #[error("this runbook has no steps")]
    #[diagnostic(code(no_steps), help("add a [step.name] with an action"))]
    NoSteps {
        #[label("nothing to do")]
        at: SourceSpan,
    },
    /// A phase that the order does not have.
    #[error("phase `{phase}` is not in `phases`")]
    #[diagnostic(
        code(unlisted_phase),
        help("the order of phases is said once: phases = [..., \"{phase}\"] in [runbook]")
    )]
    UnlistedPhase {
        phase: String,
        #[label("has no place in the order")]
        at: SourceSpan,
    },
    /// A phase that no step names.
    #[error("phase `{phase}` has no steps")]
    #[diagnostic(code(empty_phase), help("give it a `sequence`, or steps that say phase = \"{phase}\""))]
    EmptyPhase {
        phase: String,
        #[label("nothing to do")]
        at: SourceSpan,
    },
    /// A step that two places of sequences hold.
    #[error("step `{step}` stands in sequences twice")]
    #[diagnostic(code(sequenced_twice), help("a step is carried out once; write a second step for a second time"))]
    SequencedTwice {
        step: String,
        #[label("the second time")]
        at: SourceSpan,
        #[label("the first time")]
        also: SourceSpan,
    },
    /// A step that says another phase than its sequence.
    #[error("step `{step}` says phase `{says}` and stands in the sequence of `{phase}`")]
    #[diagnostic(code(other_phase), help("a step in a sequence need not say its phase"))]
    OtherPhase {
        step: String,
        says: String,
        phase: String,
        #[label("says otherwise")]
        at: SourceSpan,
    },
    /// A step that no phase has.
    #[error("step `{step}` is in no phase")]
    #[diagnostic(code(no_phase), help("put it into a `sequence`, or give it its `phase` and `needs`"))]
    NoPhase {
        step: String,
        #[label("would never run")]
        at: SourceSpan,
    },
    /// A step of which it is not said when it runs.
    #[error("step `{step}` does not say what it needs")]
    #[diagnostic(
        code(no_needs),
        help(
            "put it into the `sequence` of phase `{phase}`, or give it `needs` (`needs = []` to start with the phase)"
        )
    )]
    NoNeeds {
        step: String,
        phase: String,
        #[label("only the first step of a phase without a sequence may leave `needs` out")]
        at: SourceSpan,
    },
    /// What is interrupted does not lie within the phase.
    #[error("`interrupts` must lead from a step of phase `{phase}` to the same or a later one")]
    #[diagnostic(code(interrupts_backwards))]
    InterruptsBackwards {
        phase: String,
        #[label("{reason}")]
        at: SourceSpan,
        reason: &'static str,
    },

    // Bounds and ways home.
    /// Work without a bound.
    #[error("{what} has no `timeout`")]
    #[diagnostic(code(unbounded), help("give it a `timeout`, or set one for all in [defaults]"))]
    Unbounded {
        what: String,
        #[label("could run for ever")]
        at: SourceSpan,
    },
    /// Its effect is to stay, and nobody says why.
    #[error("step `{step}` keeps its effect and does not say why")]
    #[diagnostic(code(kept_without_why), help("add why = \"...\": it is shown where a rollback leaves it behind"))]
    KeptWithoutWhy {
        step: String,
        #[label("needs `why`")]
        at: SourceSpan,
    },
    /// The step that is to undo another has no undo.
    #[error("step `{step}` is to be undone by `{other}`, which has no undo")]
    #[diagnostic(code(undone_by_nothing), help("name a step that has an `undo` of its own"))]
    UndoneByNothing {
        step: String,
        other: String,
        #[label("nothing would take it back")]
        at: SourceSpan,
    },
    /// An order of undos of which one does not exist.
    #[error("the undo of `{step}` is to wait for that of `{other}`, which has none")]
    #[diagnostic(code(after_nothing), help("name another step that has an `undo`"))]
    AfterNothing {
        step: String,
        other: String,
        #[label("nothing to wait for")]
        at: SourceSpan,
    },
    /// A bracket around a phase that there is not.
    #[error("step `{step}` is held for a phase, and this runbook has none")]
    #[diagnostic(code(held_without_phase), help("write held_for = \"run\""))]
    HeldWithoutPhase {
        step: String,
        #[label("no phase ends")]
        at: SourceSpan,
    },

    // Policies.
    /// A rollback to a place that need not have been reached.
    #[error("{what} cannot go back to `{target}`: it does not lie before {before}")]
    #[diagnostic(
        code(target_not_before),
        help("name a step or phase that must be over by then, or \"rollback\" for the start")
    )]
    TargetNotBefore {
        what: String,
        target: String,
        before: String,
        #[label("need not have been reached")]
        at: SourceSpan,
    },
    /// What a gate is to do with a no.
    #[error("gate `{gate}` does not say what no means")]
    #[diagnostic(
        code(no_go_unsaid),
        help("add on_no_go = \"stop\", \"pause\", \"rollback\" or {{ rollback_to = \"...\" }}")
    )]
    NoGoUnsaid {
        gate: String,
        step: String,
        #[label("step `{step}` may have had its effect by then")]
        at: SourceSpan,
    },

    // Measuring.
    /// More may fail than there are.
    #[error("`failures` = {failures} can never be reached among {of}")]
    #[diagnostic(code(failures_above), help("`failures` must be at most `{key}`"))]
    FailuresAbove {
        failures: u32,
        of: u32,
        key: &'static str,
        #[label("more than {of}")]
        at: SourceSpan,
    },
    /// A guard that measures nothing.
    #[error("`{key}` of guard `{guard}` reads no probe")]
    #[diagnostic(code(guard_without_probe), help("a guard is judged when a sample arrives: read `probe.<name>`"))]
    GuardWithoutProbe {
        guard: String,
        key: &'static str,
        #[label("would never be judged")]
        at: SourceSpan,
    },
    /// A baseline of something that has no average, a budget of something that does not count.
    #[error("{what} is made of numbers, and probe `{probe}` gives none")]
    #[diagnostic(code(no_numbers), help("leave it out, or let the probe give a number"))]
    NoNumbers {
        what: &'static str,
        probe: String,
        #[label("gives no number")]
        at: SourceSpan,
    },
    /// A share of a total that is not named.
    #[error("budget `{budget}` allows a share, and does not say of what")]
    #[diagnostic(
        code(share_of_nothing),
        help("name the probe that counts all requests as `total`, or allow a whole number")
    )]
    ShareOfNothing {
        budget: String,
        #[label("a share")]
        at: SourceSpan,
    },
    /// A watchdog that would bite between two samples.
    #[error("probe `{probe}` is asked every {interval}, so nothing can be seen to move within {stall}")]
    #[diagnostic(code(stall_too_short), help("make `stall` at least twice the interval of the probe"))]
    StallTooShort {
        probe: String,
        interval: Span,
        stall: Span,
        #[label("would fail a step that is well")]
        at: SourceSpan,
    },
    /// Keys that were probably meant for the step above.
    #[error("the undo of `{step}` has a `{key}`, and its step has none")]
    #[diagnostic(
        code(key_of_undo),
        severity(warning),
        help("keys below [step.{step}.undo] belong to the undo: move it above that line if the step was meant")
    )]
    KeyOfUndo {
        step: String,
        key: &'static str,
        #[label("belongs to the undo")]
        at: SourceSpan,
    },

    /// A ramp whose values cannot be told before the start.
    #[error("nothing says what the values of this ramp are: {why}")]
    #[diagnostic(
        code(ramp_values_unknown),
        help("write values = [1, 10, 100], or values = \"{{{{vars.x}}}}\" where `x` has a list as its default")
    )]
    RampValuesUnknown {
        why: String,
        #[label("must be at least one value")]
        at: SourceSpan,
    },
    /// Something that a ramp cannot set.
    #[error("{found} is no value of a ramp")]
    #[diagnostic(
        code(bad_ramp_value),
        help("a value is a number, a text, true or false, or {{ value = 20, hold = \"1h\" }}")
    )]
    BadRampValue {
        found: String,
        #[label("cannot be set")]
        at: SourceSpan,
    },

    /// A key or a value that does not fit the description of the format.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Misfit(#[from] Misfit),
    /// What a proof over the whole plan found.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Proof(#[from] Finding),
}

impl Problem {
    /// Where it is: its first label.
    pub fn at(&self) -> SourceSpan {
        let first = self.labels().and_then(|mut labels| labels.next());
        first.map_or_else(|| (0, 0).into(), |label| *label.inner())
    }

    /// Whether there is no plan because of it. What is not an error is a warning.
    pub fn is_error(&self) -> bool {
        self.severity().is_none_or(|severity| severity == Severity::Error)
    }
}
