//! What is measured and watched.

use super::phase::POLICY;
use super::step::{CWD, RUN_ENV, SHELL, STDIN};
use super::{BOUND, COMMAND, CRITERIA, DURATION, EXPRESSION, FREE, MANY, REFERENCE, TEMPLATE, key};
use crate::syntax::spec::{Form, Group, Shape, Table};

use Shape::{Any, Bool, Choice, Either, List, Map, Number, Plain, Text, True, Whole};

pub(super) const NO_DATA: &[&str] = &["fail", "ignore", "pause"];

pub(super) static CRITERION: Table = Table {
    name: "criterion",
    doc: "A condition that must hold: at once, for a while, within a bound, or in most of a number of samples.",
    keys: &[
        key("that", EXPRESSION, "What must hold.").required(),
        key("for", BOUND, "How long it must hold without a break."),
        key("within", BOUND, "Until when it must have come true."),
        key("samples", Whole(1, MANY), "Judge that many fresh samples instead."),
        key("failures", Whole(0, MANY), "How many of the samples may fail.").default("0").with(&["samples"]),
        key("say", FREE, "The sentence for when it fails."),
    ],
    one_of: &[Group::at_most_one("measure", &["for", "samples"])],
};

pub(in crate::syntax) static PROBE: Table = Table {
    name: "probe",
    doc: "A read-only measurement.",
    keys: &[
        key("run", COMMAND, "A program whose standard output is the sample."),
        CWD,
        RUN_ENV,
        STDIN,
        SHELL,
        key("http", Shape::Table(&HTTP_PROBE), "A request whose answer is the sample."),
        key("sql", Shape::Table(&SQL_PROBE), "A query whose first column of its first row is the sample."),
        key("prometheus", Shape::Table(&PROMETHEUS), "An instant query to Prometheus whose only value is the sample."),
        key(
            "tcp",
            Text(Form::Address),
            "host:port: milliseconds until a connection stands; with `bool`, whether one does.",
        ),
        key("interval", BOUND, "How often.").default("\"1s\""),
        key("timeout", BOUND, "The bound of one sample.").default("\"5s\""),
        key("bool", Either(&[True, Choice(&["exit"])]), "True or false; of a run with \"exit\": 0 true, 1 false."),
        key("as", Choice(&["number", "text", "bool", "json"]), "What the sample is taken for.").default("\"number\""),
        key("unit", FREE, "For people."),
        key("covers", DURATION, "It summarises that much of the past.").default("\"0s\""),
        key("keep", BOUND, "How much of its history is kept, for `series`.").default("\"10m\""),
        key("state", REFERENCE, "The state that it reads, for `verify`.").later(),
        key("for_each", Either(&[TEMPLATE, List(&Plain, 0)]), "Once per item.").later(),
    ],
    one_of: &[
        Group::at_most_one("kind", &["bool", "as"]),
        Group::one(
            "source",
            &["run", "http", "sql", "prometheus", "tcp"],
            "say how it is measured: run, http, sql, prometheus or tcp",
        ),
    ],
};

static HTTP_PROBE: Table = Table {
    name: "http_probe",
    doc: "A request whose answer is the sample: its body, or the part that is named.",
    keys: &[
        key("method", Choice(&["GET", "HEAD", "POST"]), "The method; POST is for queries.").default("\"GET\""),
        key("url", TEMPLATE, "Where to.").required(),
        key("headers", Map(Form::Free, &TEMPLATE), "Sent with it."),
        key("send", Any, "A JSON body of a POST; each text in it is a template."),
        key("body", TEMPLATE, "A body of a POST as it is."),
        key("json", Text(Form::Pointer), "A JSON pointer into the body of the answer."),
        key(
            "regex",
            Text(Form::Regex),
            "The first capture group of the first match in the body of the answer, or the whole match.",
        ),
        key("status", True, "The status code."),
        key("latency", True, "Milliseconds from sending to the last byte."),
    ],
    one_of: &[
        Group::at_most_one("body", &["send", "body"]),
        Group::at_most_one("part", &["json", "regex", "status", "latency"]),
    ],
};

static SQL_PROBE: Table = Table {
    name: "sql_probe",
    doc: "A query whose first column of its first row is the sample.",
    keys: &[
        key("url", TEMPLATE, "postgres://... or sqlite:..., without the password.").required(),
        key("password", TEMPLATE, "The password, apart from the URL."),
        key("query", TEMPLATE, "The query.").required(),
        key("params", List(&Any, 0), "Bound to $1, $2, ... of the query; each text in it is a template."),
    ],
    one_of: &[],
};

static PROMETHEUS: Table = Table {
    name: "prometheus",
    doc: "An instant query to Prometheus; its answer must be one number.",
    keys: &[
        key("url", TEMPLATE, "Where the server is, without /api/v1/query.").required(),
        key("query", TEMPLATE, "PromQL; a template in it stands inside quotes.").required(),
        key("headers", Map(Form::Free, &TEMPLATE), "Sent with it."),
    ],
    one_of: &[],
};

pub(in crate::syntax) static GUARD: Table = Table {
    name: "guard",
    doc: "A condition watched all the time in its scope; a breach stops the way forward.",
    keys: &[
        key("phases", List(&REFERENCE, 1), "Awake from the start to the end of these; default: the whole way forward."),
        key(
            "steps",
            List(&REFERENCE, 1),
            "Awake from the start to the settling of these; of a bracket, until it is closed.",
        ),
        key("every", BOUND, "How often it is judged; default: the longest interval of its probes."),
        key("require", EXPRESSION, "What must hold.").required(),
        key("warn", EXPRESSION, "What must hold, or it is told; nothing else follows. Counted as `require` is."),
        key("failures", Whole(1, MANY), "So many failing samples...").default("2"),
        key("of", Whole(1, MANY), "...among the last so many are a breach.").default("3"),
        key("no_data", Choice(NO_DATA), "What a sample without data counts for."),
        key(
            "on_breach",
            Either(&[Choice(&["rollback", "pause", "warn"]), Shape::Table(&POLICY)]),
            "What a breach does.",
        )
        .default("\"rollback\""),
        key("remedy", FREE, "What to try first."),
    ],
    one_of: &[Group::at_most_one("scope", &["phases", "steps"])],
};

pub(in crate::syntax) static BUDGET: Table = Table {
    name: "budget",
    doc: "How much may go wrong in a run; a breach stops the way forward.",
    keys: &[
        key(
            "phases",
            List(&REFERENCE, 1),
            "Counted from the start to the end of these; default: the whole way forward.",
        ),
        key(
            "steps",
            List(&REFERENCE, 1),
            "Counted from the start to the settling of these; of a bracket, until it is closed.",
        ),
        key("bad", REFERENCE, "The probe that counts what went wrong.").required(),
        key("total", REFERENCE, "The probe that counts all that happened; a share needs it."),
        key(
            "allow",
            Either(&[Number(0.0, 1e12), Text(Form::Percent)]),
            "How much of it: a count (200), or a share of the total (0.001 or \"0.1%\").",
        )
        .required(),
        key("total_min", Number(1.0, 1e12), "The share is taken of so many at least; default: 10 / share.")
            .with(&["total"]),
        key(
            "forecast",
            Either(&[BOUND, Bool]),
            "Over how long the present rate is taken, to be carried on to the end of the phase; false: not at all.",
        )
        .default("\"1m\""),
        key("no_data", Choice(NO_DATA), "What three rounds of samples without data count for."),
        key(
            "on_breach",
            Either(&[Choice(&["rollback", "pause", "warn"]), Shape::Table(&POLICY)]),
            "What a breach does.",
        )
        .default("\"rollback\""),
        key("remedy", FREE, "What to try first."),
    ],
    one_of: &[Group::at_most_one("scope", &["phases", "steps"])],
};

pub(in crate::syntax) static BASELINE: Table = Table {
    name: "baseline",
    doc: "Probes summarised before a stated moment, to compare with afterwards.",
    keys: &[
        key("probes", List(&REFERENCE, 1), "Which; each gives numbers.").required(),
        key("before", REFERENCE, "Just before this phase; default: before the first step with an effect."),
        key("over", BOUND, "For how long they are sampled.").default("\"30s\""),
        key("require", CRITERIA, "What must hold of it, or the run does not go on."),
    ],
    one_of: &[],
};
