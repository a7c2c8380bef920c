//! What is done: requests, statements, waits, questions to people, and what is read from their answers.

use super::phase::POLICY;
use super::ramp::RAMP;
use super::{BOUND, COMMAND, DURATION, EXPRESSION, FREE, MANY, REFERENCES, TEMPLATE, key};
use crate::syntax::spec::{Form, Group, Shape, Table};

use Shape::{Any, Bool, Choice, Either, List, Map, Text, Whole};

/// The keys of a step whose tables hold what its action is.
pub(in crate::syntax) static ACTIONS: [(&str, &Table); 6] =
    [("http", &HTTP), ("sql", &SQL), ("wait", &WAIT), ("gate", &GATE), ("manual", &MANUAL), ("ramp", &RAMP)];

pub(super) static HTTP: Table = Table {
    name: "http",
    doc: "A request over HTTP.",
    keys: &[
        key("method", Choice(&["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]), "The method.").required(),
        key("url", TEMPLATE, "Where to.").required(),
        key("headers", Map(Form::Free, &TEMPLATE), "Sent with it."),
        key("json", Any, "A JSON body; each text in it is a template."),
        key("body", TEMPLATE, "A body as it is."),
        key("status", List(&Whole(100, 599), 2), "First and last status that mean done.").default("[200, 299]"),
        key("expect", EXPRESSION, "Must hold over status, headers, body, json too."),
        key("settle", DURATION, "How long after an unknown end it may still take effect; default: the timeout."),
    ],
    one_of: &[Group::at_most_one("body", &["json", "body"])],
};

pub(super) static SQL: Table = Table {
    name: "sql",
    doc: "Statements over SQL, in one session.",
    keys: &[
        key("url", TEMPLATE, "postgres://... or sqlite:..., without the password.").required(),
        key("password", TEMPLATE, "The password, apart from the URL."),
        key("query", TEMPLATE, "A statement that returns rows; the first row's columns are outputs."),
        key("execute", COMMAND, "A statement, or a list of them, that return nothing."),
        key("params", List(&Any, 0), "Bound to $1, $2, ... of every statement; each text in it is a template."),
        key("expect", EXPRESSION, "Must hold over row (the first) and rows (their number) too."),
        key("rows", Whole(0, i64::MAX), "The number of rows that must be returned or affected."),
    ],
    one_of: &[Group::one("statement", &["query", "execute"], "give it a `query` that returns rows, or `execute`")],
};

pub(super) static WAIT: Table = Table {
    name: "wait",
    doc: "Until something holds.",
    keys: &[key("until", EXPRESSION, "What must come true.").required(), key("within", BOUND, "By when.").required()],
    one_of: &[],
};

pub(super) static GATE: Table = Table {
    name: "gate",
    doc: "A go/no-go question to people.",
    keys: &[
        key("question", TEMPLATE, "What is asked.").required(),
        key("show", REFERENCES, "Probes whose values are shown as evidence."),
        key("expires", BOUND, "How long it waits for an answer."),
        key("on_expiry", Choice(&["no-go", "pause"]), "What silence means.").default("\"no-go\""),
        key(
            "on_no_go",
            Either(&[Choice(&["stop", "pause", "rollback"]), Shape::Table(&POLICY)]),
            "What no means; required where a step with an effect can come before the gate.",
        )
        .default("\"stop\""),
        key("confirm", TEMPLATE, "Text that must be typed to say go."),
        key("each", REFERENCES, "One go from every named role.").later(),
        key("quorum", Whole(1, MANY), "So many goes.").later(),
    ],
    one_of: &[],
};

pub(super) static MANUAL: Table = Table {
    name: "manual",
    doc: "A person does it and says so.",
    keys: &[
        key("instructions", TEMPLATE, "What to do.").required(),
        key("evidence", FREE, "What the person is asked to leave as proof."),
        key("expires", BOUND, "How long it waits for the person; then it failed.").required(),
    ],
    one_of: &[],
};

pub(super) static OUTPUT: Table = Table {
    name: "output",
    doc: "One named output; all of standard output, unless `json` or `regex` says which part.",
    keys: &[
        key("json", Text(Form::Pointer), "A JSON pointer into it."),
        key("regex", Text(Form::Regex), "The first capture group of the first match, or the whole match."),
        key("as", Choice(&["text", "number", "lines", "json"]), "What it is taken for.").default("\"text\""),
        key("secret", Bool, "Kept apart and never seen.").default("false"),
    ],
    one_of: &[Group::at_most_one("part", &["json", "regex"])],
};
