//! Parts: how a runbook includes one, and the file that a part is.

use super::measure::{CRITERION, GUARD, PROBE};
use super::step::STEP;
use super::{DEFAULTS, FREE, REFERENCE, REFERENCES, TEXTS, VAR, key};
use crate::syntax::spec::{Form, Shape, Table};

use Shape::{Any, Either, List, Map, Plain, Whole};

/// `[part.x]` of a runbook.
pub(in crate::syntax) static PART: Table = Table {
    name: "part",
    doc: "A reusable piece from a file of its own; its names begin with the name that it is given here.",
    keys: &[
        key("use", FREE, "The file of the part, relative to the runbook's folder.").required(),
        key(
            "with",
            Map(Form::Name, &Any),
            "What its variables are worth: a plain value, or \"{{vars.x}}\" for one of the runbook's own.",
        ),
    ],
    one_of: &[],
};

/// The file of a part.
pub(in crate::syntax) static PART_FILE: Table = Table {
    name: "part_file",
    doc: "A part, format 1: steps with their undo, for runbooks to include.",
    keys: &[
        key("format", Whole(1, 1), "The version of the format: 1.").required(),
        key("part", Shape::Table(&PART_HEADER), "The part as a whole.").required(),
        key("defaults", Shape::Table(&DEFAULTS), "For its own steps, undos and guards that do not say."),
        key("vars", Map(Form::Name, &Either(&[Plain, Shape::Table(&VAR)])), "What it must be given, or finds."),
        key("preflight", List(&Shape::Table(&CRITERION), 0), "What must hold before anything is started."),
        key("probe", Map(Form::Name, &Shape::Table(&PROBE)), "Read-only measurements."),
        key(
            "guard",
            Map(Form::Name, &Shape::Table(&GUARD)),
            "Conditions watched while its steps run and its brackets are held.",
        ),
        key("step", Map(Form::Name, &Shape::Table(&STEP)), "Units of work.").required(),
    ],
    one_of: &[],
};

static PART_HEADER: Table = Table {
    name: "part_header",
    doc: "The part as a whole.",
    keys: &[
        key("summary", FREE, "One line, for `plan`."),
        key(
            "sequence",
            List(&Either(&[REFERENCE, REFERENCES]), 1),
            "All its steps in order; an inner list runs in parallel.",
        )
        .required(),
        key("requires", TEXTS, "Programs that must be on PATH."),
    ],
    one_of: &[],
};
