//! A ramp: its values, what sets them, and what must be seen before the next one.

use super::measure::CRITERION;
use super::step::{CWD, EXIT, EXPECT, HOST, HTTP_KEY, KILL_AFTER, RUN, RUN_ENV, SHELL, SQL_KEY, STDIN, SURVIVORS};
use super::{BOUND, DURATION, EXPRESSION, FREE, MANY, TEMPLATE, key};
use crate::syntax::spec::{Group, Shape, Table};

use Shape::{Either, List, Plain, Whole};

pub(super) static RAMP: Table = Table {
    name: "ramp",
    doc: "A value moved in steps, each held and measured.",
    keys: &[
        key(
            "values",
            Either(&[TEMPLATE, List(&Either(&[Plain, Shape::Table(&VALUE)]), 1)]),
            "The values in order, or one variable that is a list of them.",
        )
        .required(),
        key("set", Shape::Table(&SET), "What sets a value, which it reads as {{value}}.").required(),
        key("confirm", Either(&[EXPRESSION, Shape::Table(&CRITERION)]), "Shows that the value is set."),
        key("hold", DURATION, "How long each value is held once it is confirmed.").default("\"0s\""),
        key(
            "advance",
            List(&Either(&[EXPRESSION, Shape::Table(&ADVANCE)]), 0),
            "Must hold in every fresh sample from the set to the end of the hold, and in one at least.",
        ),
        key("hold_while", EXPRESSION, "While it holds, or has no data, the ramp stays where it is."),
    ],
    one_of: &[],
};

static VALUE: Table = Table {
    name: "ramp_value",
    doc: "A value of a ramp with a hold of its own.",
    keys: &[
        key("value", Plain, "A number, a text, true or false.").required(),
        key("hold", DURATION, "How long it is held; default: as long as the others."),
    ],
    one_of: &[],
};

static SET: Table = Table {
    name: "ramp_set",
    doc: "What sets a value of a ramp.",
    keys: &[
        RUN,
        CWD,
        RUN_ENV,
        STDIN,
        SHELL,
        EXIT,
        EXPECT,
        HOST,
        HTTP_KEY,
        SQL_KEY,
        key("timeout", BOUND, "The bound of one set; default: that of [defaults], at most that of the ramp."),
        KILL_AFTER,
        SURVIVORS,
    ],
    one_of: &[Group::one("action", &["run", "http", "sql"], "say what sets a value: run, http or sql")],
};

static ADVANCE: Table = Table {
    name: "ramp_advance",
    doc: "What must hold for a ramp to go on: in every fresh sample, or in most of a number of them, again and again.",
    keys: &[
        key("that", EXPRESSION, "What must hold.").required(),
        key("samples", Whole(1, MANY), "Judge so many fresh samples together instead."),
        key("failures", Whole(0, MANY), "How many of them may fail.").default("0").with(&["samples"]),
        key("say", FREE, "The sentence for when it fails."),
    ],
    one_of: &[],
};
