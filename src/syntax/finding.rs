//! What the proofs over a whole plan find: bounds, ways home, hazards.
//!
//! One variant per finding, like [`Problem`](super::Problem), which holds them beside what the text alone shows.

use miette::{Diagnostic, SourceSpan};
use thiserror::Error;

use crate::model::Span;

/// Something that a proof found in a plan.
#[derive(Clone, Debug, PartialEq, Eq, Error, Diagnostic)]
pub enum Finding {
    // Bounds (R2).
    /// One attempt, or a wait, that is longer than what it must fit into.
    #[error("{what} may take {takes}, and {around} only {bound}")]
    #[diagnostic(code(never_fits), help("shorten it, or give {around} a longer `timeout`"))]
    NeverFits {
        /// One attempt, or a wait, of which step.
        what: String,
        /// How long it is.
        takes: Span,
        /// The phase or the run.
        around: String,
        /// Its timeout.
        bound: Span,
        /// Where.
        #[label("cannot fit")]
        at: SourceSpan,
    },
    /// Waits and holds that follow each other and are longer than what they must fit into.
    #[error("the waits of {around} take {takes} at least, and its timeout is {bound}")]
    #[diagnostic(code(waits_never_fit), help("shorten a wait or a `for`, or give {around} a longer `timeout`"))]
    WaitsNeverFit {
        /// The phase or the run.
        around: String,
        /// At least.
        takes: Span,
        /// Its timeout.
        bound: Span,
        /// Where.
        #[label("would pass, however well it goes")]
        at: SourceSpan,
    },
    /// A ramp whose values must be held for longer than it may take.
    #[error("the holds of `{step}` take {takes} at least, and its timeout is {bound}")]
    #[diagnostic(
        code(ramp_never_fits),
        help("`timeout` bounds all values together: make it longer, or `hold` shorter")
    )]
    RampNeverFits {
        /// Which step.
        step: String,
        /// At least.
        takes: Span,
        /// Its timeout.
        bound: Span,
        /// Where.
        #[label("is over before the last value")]
        at: SourceSpan,
    },
    /// A criterion that cannot be reached in time, whatever is measured.
    #[error("this cannot come true within {within}: measuring it takes {takes} at least")]
    #[diagnostic(
        code(criterion_never_fits),
        help("`for`, `samples` times `interval`, and what the probe `covers` must fit into `within`")
    )]
    CriterionNeverFits {
        /// Until when it must have come true.
        within: Span,
        /// At least.
        takes: Span,
        /// Where.
        #[label("is never decided well")]
        at: SourceSpan,
    },
    /// A step whose attempts are longer than what they must fit into.
    #[error("the {attempts} attempts of `{step}` may take {takes}, and {around} only {bound}")]
    #[diagnostic(
        code(attempts_may_not_fit),
        severity(warning),
        help(
            "the last ones would be cut off: fewer `attempts`, a shorter `timeout` of one, or a longer one of {around}"
        )
    )]
    AttemptsMayNotFit {
        /// Which step.
        step: String,
        /// How many.
        attempts: u32,
        /// All of them, with their pauses.
        takes: Span,
        /// The phase or the run.
        around: String,
        /// Its timeout.
        bound: Span,
        /// Where.
        #[label("cannot all fit")]
        at: SourceSpan,
    },
    /// Steps whose attempts together are longer than what they must fit into.
    #[error("the attempts of {around} may take {takes}, and its timeout is {bound}")]
    #[diagnostic(
        code(phase_may_not_fit),
        severity(warning),
        help(
            "if every attempt takes its time, the timeout passes first: shorter timeouts of steps, or a longer one here"
        )
    )]
    PhaseMayNotFit {
        /// The phase or the run.
        around: String,
        /// All of them, on the slots of the run.
        takes: Span,
        /// Its timeout.
        bound: Span,
        /// Where.
        #[label("may pass before they have all been made")]
        at: SourceSpan,
    },

    // Ways home (R2, R8, R12).
    /// A way back without a promise.
    #[error("this runbook has a way back and does not say how long it may take")]
    #[diagnostic(
        code(rollback_timeout_missing),
        help("it takes {takes} at most: rollback_timeout = \"{enough}\" would do")
    )]
    RollbackTimeoutMissing {
        /// The bound of the longest one.
        takes: Span,
        /// As the format writes it.
        enough: String,
        /// Where.
        #[label("needs `rollback_timeout`")]
        at: SourceSpan,
    },
    /// A way back that is longer than promised.
    #[error("{from}, going back {to} may take {takes}, and `rollback_timeout` is {bound}")]
    #[diagnostic(code(way_back_too_long), help("{path}"))]
    WayBackTooLong {
        /// From where.
        from: String,
        /// Where to.
        to: String,
        /// At most.
        takes: Span,
        /// `rollback_timeout`.
        bound: Span,
        /// The longest chain in words.
        path: String,
        /// Where.
        #[label("is a promise that cannot be kept")]
        at: SourceSpan,
    },
    /// A step whose effect another step's undo removes, where a rollback can hold the one without the other (R8).
    #[error("a rollback can hold `{step}` without `{other}`, which is to undo it")]
    #[diagnostic(code(undone_apart), help("{how}"))]
    UndoneApart {
        /// The step.
        step: String,
        /// `undone_by`.
        other: String,
        /// Which rollback, and what to do about it.
        how: String,
        /// Where.
        #[label("would stay in effect")]
        at: SourceSpan,
    },
    /// A rollback that may hold an irreversible step (R12).
    #[error("when {when}, the run is to go back {to}, and `{step}`, which cannot be undone, may have started by then")]
    #[diagnostic(code(back_over_no_return), help("say {choices}, or a place behind `{step}` to go back to"))]
    BackOverNoReturn {
        /// What begins it.
        when: String,
        /// Where to.
        to: String,
        /// The irreversible step.
        step: String,
        /// What may be said instead.
        choices: &'static str,
        /// Where.
        #[label("would only pause the run, with no way back")]
        at: SourceSpan,
    },
    /// An irreversible step that nobody was asked about (R12).
    #[error("nobody is asked before `{step}`, which cannot be undone")]
    #[diagnostic(
        code(ungated),
        help("put a gate among its `needs` or at the end of the phase before, or say ungated = \"why\"")
    )]
    Ungated {
        /// Which.
        step: String,
        /// Where.
        #[label("starts by itself")]
        at: SourceSpan,
    },

    /// A condition over a baseline that is not there yet.
    #[error("this reads the baseline before it is taken")]
    #[diagnostic(
        code(baseline_too_early),
        help("the baseline is taken {moment}: compare with it from then on, or take it earlier")
    )]
    BaselineTooEarly {
        /// When it is taken.
        moment: String,
        /// Where.
        #[label("never has data here")]
        at: SourceSpan,
    },

    // Hazards.
    /// Attempts of something that must not be done twice.
    #[error("`{step}` is tried {attempts} times and does not say that doing it twice is safe")]
    #[diagnostic(
        code(retry_not_idempotent),
        severity(warning),
        help("say idempotent = true if it is; else leave `retry` out")
    )]
    RetryNotIdempotent {
        /// Which.
        step: String,
        /// How often.
        attempts: u32,
        /// Where.
        #[label("a second attempt may do it twice")]
        at: SourceSpan,
    },
    /// A request of which nobody can say after a lost connection whether it took place.
    #[error("whether `{step}` took place cannot be told after a lost connection")]
    #[diagnostic(
        code(cannot_be_told),
        severity(warning),
        help("add `done_when`, a question that tells; or say idempotent = true if doing it twice is safe")
    )]
    CannotBeTold {
        /// Which.
        step: String,
        /// Where.
        #[label("needs `done_when` or `idempotent`")]
        at: SourceSpan,
    },
    /// An effect that nobody measures.
    #[error("`{step}` changes something, and nothing is measured afterwards")]
    #[diagnostic(
        code(not_measured),
        severity(warning),
        help("add success = [...]: what must be seen before it counts as done")
    )]
    NotMeasured {
        /// Which.
        step: String,
        /// Where.
        #[label("ends when its action ends")]
        at: SourceSpan,
    },
    /// An interruption that begins unseen.
    #[error("phase `{phase}` interrupts {what}, and nothing is measured before its first effect, `{step}`")]
    #[diagnostic(
        code(interrupts_blindly),
        severity(warning),
        help("give `{step}` or the phase a `require`, or the phase before a `success`")
    )]
    InterruptsBlindly {
        /// Which phase.
        phase: String,
        /// What it interrupts.
        what: String,
        /// The first step with an effect.
        step: String,
        /// Where.
        #[label("begins whatever the state is")]
        at: SourceSpan,
    },
    /// A gate that waits for ever.
    #[error("gate `{gate}` has no `expires` and waits for ever")]
    #[diagnostic(
        code(gate_without_expiry),
        severity(warning),
        help("say how long people have to answer: expires = \"30m\"")
    )]
    GateWithoutExpiry {
        /// The gate's step.
        gate: String,
        /// Where.
        #[label("nobody has to answer")]
        at: SourceSpan,
    },
    /// A value of a ramp that is left before a guard could see what is wrong with it.
    #[error("`{step}` stays at value {value} for {held}, and guard `{guard}` may see a fault only after {seen}")]
    #[diagnostic(
        code(hold_too_short),
        severity(warning),
        help(
            "a longer `hold`; or fewer `failures` of the guard, a shorter `interval` of what it reads; or `steps` or \
             `phases` of the guard, where it is about something else"
        )
    )]
    HoldTooShort {
        /// Which ramp.
        step: String,
        /// Which value.
        value: String,
        /// How long it lasts at least, the guard being awake.
        held: Span,
        /// The guard.
        guard: String,
        /// So long after a fault begins.
        seen: Span,
        /// Where.
        #[label("goes on before it is seen")]
        at: SourceSpan,
    },
    /// A watchdog that comes after the timeout.
    #[error("one attempt of `{step}` may take {timeout}, so a stall of {stall} is never seen")]
    #[diagnostic(
        code(stall_never_seen),
        severity(warning),
        help("make `stall` shorter than `timeout`, or leave `progress` out")
    )]
    StallNeverSeen {
        /// Which.
        step: String,
        /// Its timeout.
        timeout: Span,
        /// Its stall.
        stall: Span,
        /// Where.
        #[label("the timeout passes first")]
        at: SourceSpan,
    },
    /// An undo that undoes nothing.
    #[error("the undo of `{step}` does nothing")]
    #[diagnostic(
        code(hollow_undo),
        severity(warning),
        help("if nothing is to be undone say effect = \"none\", or effect = \"kept\" with `why`")
    )]
    HollowUndo {
        /// Which.
        step: String,
        /// Where.
        #[label("leaves everything as it is")]
        at: SourceSpan,
    },
    /// A probe that nothing reads.
    #[error("nobody uses probe `{probe}`")]
    #[diagnostic(
        code(unused_probe),
        severity(warning),
        help("read it as `probe.{probe}` in a condition or a guard, show it at a gate, or take it out")
    )]
    UnusedProbe {
        /// Which.
        probe: String,
        /// Where.
        #[label("is never polled")]
        at: SourceSpan,
    },
}
