//! A phase, and where to go back to.

use super::{BOUND, CRITERIA, DURATION, FREE, MANY, POLICY_WORDS, REFERENCE, REFERENCES, TEMPLATE, key};
use crate::syntax::spec::{Form, Shape, Table};

use Shape::{Any, Choice, Either, List, Plain, Text, Whole};

pub(super) static POLICY: Table = Table {
    name: "rollback_policy",
    doc: "Go back to a place, and what then.",
    keys: &[
        key("rollback_to", REFERENCE, "The step or phase whose end the run returns to.").required(),
        key(
            "then",
            Either(&[Choice(&["stop", "pause"]), Shape::Table(&THEN_RETRY)]),
            "What happens there: the run ends, an operator decides, or the way forward is tried again.",
        )
        .default("\"stop\""),
        key(
            "else",
            Either(&[Choice(POLICY_WORDS), Shape::Table(&POLICY)]),
            "After the last further pass; default: back to the same place, and stop.",
        )
        .with(&["then"]),
    ],
    one_of: &[],
};

static THEN_RETRY: Table = Table {
    name: "then_retry",
    doc: "The way forward is tried again from the target of the rollback.",
    keys: &[
        key("retry", Whole(1, 1000), "Further passes.").required(),
        key("delay", DURATION, "Before each.").default("\"0s\""),
        key("within", BOUND, "All of them together, from the end of the first rollback."),
    ],
    one_of: &[],
};

pub(in crate::syntax) static PHASE: Table = Table {
    name: "phase",
    doc: "An ordered group of steps with bounds and criteria of its own.",
    keys: &[
        key("summary", FREE, "One line."),
        key(
            "sequence",
            List(&Either(&[REFERENCE, REFERENCES]), 1),
            "Its steps in order; an inner list runs in parallel.",
        ),
        key("needs", REFERENCES, "Phases that must have ended before it, where that is not the one before it."),
        key("timeout", BOUND, "Machine time from its first step to its criteria."),
        key("window", Shape::Table(&WINDOW), "When it may run."),
        key("require", CRITERIA, "Before its first step."),
        key("success", CRITERIA, "After its last step."),
        key(
            "on_failure",
            Either(&[Choice(POLICY_WORDS), Shape::Table(&POLICY)]),
            "For its criteria, its timeout, and its steps that do not say.",
        )
        .default("\"rollback\""),
        key("interrupts", Shape::Table(&INTERRUPTS), "What it interrupts, measured in milliseconds."),
        key("for_each", Either(&[TEMPLATE, List(&Plain, 0)]), "The whole sequence once per item.").later(),
        key("serial", List(&Any, 1), "Sizes of batches, numbers or percentages.").later(),
        key("max_parallel", Whole(1, MANY), "Items at once.").later(),
        key("failures", Any, "Tolerated items, a number or a percentage.").later(),
    ],
    one_of: &[],
};

static WINDOW: Table = Table {
    name: "window",
    doc: "Calendar time in which a phase may run.",
    keys: &[
        key("open", List(&Text(Form::Hours), 1), "Sat 01:00-05:00, Mon-Fri 22:00-02:00, daily 01:00-03:00.").required(),
        key("zone", Text(Form::Zone), "The time zone of the hours.").required(),
        key("on_close", Choice(&["finish", "pause", "rollback"]), "What happens when it closes while the phase runs.")
            .default("\"finish\""),
    ],
    one_of: &[],
};

static INTERRUPTS: Table = Table {
    name: "interrupts",
    doc: "From the first attempt of one step to the end of the criteria of another, something is interrupted.",
    keys: &[
        key("what", FREE, "What: writes.").required(),
        key("from", REFERENCE, "From this step's first attempt.").required(),
        key("to", REFERENCE, "To the end of this step's criteria.").required(),
    ],
    one_of: &[],
};
