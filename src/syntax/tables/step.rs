//! A step and its undo.

use super::action::{GATE, HTTP, MANUAL, OUTPUT, SQL, WAIT};
use super::phase::POLICY;
use super::ramp::RAMP;
use super::{
    ATTEMPTED, BOUND, COMMAND, CRITERIA, DURATION, ENV, EXPRESSION, FREE, MANY, POLICY_WORDS, REFERENCE, REFERENCES,
    TEMPLATE, TIMED, key,
};
use crate::syntax::spec::{Form, Group, Key, Shape, Table};

use Shape::{Any, Bool, Choice, Either, List, Map, Number, Plain, Whole};

pub(super) static RETRY: Table = Table {
    name: "retry",
    doc: "How failing attempts are repeated: the n-th pause is delay * factor^(n-1), at most max_delay.",
    keys: &[
        key("attempts", Whole(1, 1000), "Attempts in all.").required(),
        key("delay", DURATION, "The first pause.").default("\"1s\""),
        key("factor", Number(1.0, 100.0), "How the pause grows.").default("1.0"),
        key("max_delay", DURATION, "The longest pause."),
        key("jitter", Bool, "Whether a pause is shortened at random, by up to a half.").default("false"),
    ],
    one_of: &[],
};

/// A step.
pub(in crate::syntax) static STEP: Table = Table {
    name: "step",
    doc: "A unit of work; exactly one action, and how it is undone.",
    keys: &[
        key("phase", REFERENCE, "The phase it belongs to, where no sequence says."),
        key("needs", REFERENCES, "Steps that must be settled before it."),
        key("summary", FREE, "One line."),
        key("owner", FREE, "Who answers for it."),
        key("docs", FREE, "Where to read more."),
        key("remedy", FREE, "What to try first when it fails."),
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
        WAIT_KEY,
        key("gate", Shape::Table(&GATE), "A go/no-go question to people."),
        MANUAL_KEY,
        key("ramp", Shape::Table(&RAMP), "A value moved in steps, each held and measured."),
        WHEN,
        REQUIRE,
        DONE_WHEN,
        SUCCESS,
        TIMEOUT,
        RETRY_KEY,
        KILL_AFTER,
        SURVIVORS,
        key("undo_found", Bool, "Whether a step that was found done is ours to undo.").default("false").with(&["undo"]),
        key(
            "undo",
            Either(&[Shape::Table(&UNDO), List(&Shape::Table(&UNDO), 1)]),
            "How it is undone; a list in order.",
        )
        .with(ATTEMPTED_OR_RAMP),
        key("undone_by", REFERENCE, "The step whose undo removes its effect.").with(ATTEMPTED_OR_RAMP),
        key("effect", Choice(&["none", "kept", "irreversible"]), "What it leaves behind, where it has no undo.")
            .with(ATTEMPTED_OR_RAMP),
        key("why", FREE, "Why its effect stays.").with(&["effect"]),
        key("ungated", FREE, "Why no gate stands before it.").with(&["effect"]),
        key("on_stop", Choice(&["stop", "finish"]), "What a rollback does with a running attempt.")
            .default("\"stop\"")
            .with(ATTEMPTED_OR_RAMP),
        key("held_for", Choice(&["phase", "run"]), "A bracket: undone when that ends, whichever way.").with(&["undo"]),
        key("idempotent", Bool, "May be repeated after an end that is not known.")
            .default("false")
            .with(ATTEMPTED_OR_RAMP),
        key(
            "on_failure",
            Either(&[Choice(POLICY_WORDS), Shape::Table(&POLICY)]),
            "After its retries; default: what its phase says, else \"rollback\".",
        )
        .with(&["run", "http", "sql", "manual", "wait", "ramp"]),
        key(
            "on_doubt",
            Choice(&["rerun", "rollback", "pause"]),
            "What cannot be known after a crash; default: rerun where idempotent or without effect, else pause.",
        )
        .with(ATTEMPTED_OR_RAMP),
        key("outputs", Map(Form::Name, &Either(&[Choice(&["stdout"]), Shape::Table(&OUTPUT)])), "For later steps.")
            .with(&["run", "http"]),
        key("sets", Map(Form::Name, &Plain), "What it does to the state that `verify` explores.").later(),
        key("estimate", Shape::Table(&ESTIMATE), "What `rehearse` draws from.").later(),
        key("progress", Shape::Table(&PROGRESS), "A quantity that must move while an attempt runs.")
            .with(&["run", "http", "sql"]),
        key("for_each", Either(&[TEMPLATE, List(&Plain, 0)]), "Once per item.").later(),
        key("serial", List(&Any, 1), "Sizes of batches, numbers or percentages.").later(),
        key("max_parallel", Whole(1, MANY), "Items at once.").later(),
        key("failures", Any, "Tolerated items, a number or a percentage.").later(),
    ],
    one_of: &[
        Group::one(
            "action",
            &["run", "http", "sql", "wait", "gate", "manual", "ramp"],
            "say what it does: run, http, sql, wait, gate, manual or ramp",
        ),
        Group {
            what: "way home",
            keys: &["undo", "undone_by", "effect"],
            needed: Some(
                "give it an `undo`, or say undone_by = \"step\", or effect = \"none\", \"kept\" (with `why`) or \"irreversible\"",
            ),
            unless: &["gate", "wait"],
        },
    ],
};

const ATTEMPTED_OR_RAMP: &[&str] = &["run", "http", "sql", "manual", "ramp"];

pub(super) const RUN: Key = key("run", COMMAND, "A script for the shell, or a program and its arguments.");
pub(super) const CWD: Key = key("cwd", TEMPLATE, "The folder it starts in; relative to the runbook's.").with(&["run"]);
pub(super) const RUN_ENV: Key = key("env", ENV, "Added to its environment.").with(&["run"]);
pub(super) const STDIN: Key = key("stdin", TEMPLATE, "Fed to its standard input.").with(&["run"]);
pub(super) const SHELL: Key = key("shell", List(&FREE, 1), "The shell for its text.").with(&["run"]);
pub(super) const EXIT: Key =
    key("exit", List(&Whole(0, 255), 1), "The exit codes that mean done.").default("[0]").with(&["run"]);
pub(super) const EXPECT: Key = key("expect", EXPRESSION, "Must hold over stdout, stderr, exit too.").with(&["run"]);
pub(super) const HOST: Key = key("host", TEMPLATE, "Run it there, over OpenSSH.").later();
pub(super) const HTTP_KEY: Key = key("http", Shape::Table(&HTTP), "A request over HTTP.");
pub(super) const SQL_KEY: Key = key("sql", Shape::Table(&SQL), "Statements over SQL, in one session.");
const WAIT_SHAPES: &[Shape] = &[DURATION, Shape::Table(&WAIT)];
const WAIT_KEY: Key = key("wait", Either(WAIT_SHAPES), "For a while, or until something holds.");
const MANUAL_KEY: Key = key("manual", Shape::Table(&MANUAL), "A person does it and says so.");
const WHEN: Key = key("when", EXPRESSION, "Where it does not hold, the step (or the undo) is skipped.");
const REQUIRE: Key = key("require", CRITERIA, "Must hold before the action.");
const DONE_WHEN: Key = key("done_when", EXPRESSION, "Where it holds there is nothing to do.");
const SUCCESS: Key = key("success", CRITERIA, "Must be measured before it counts as done.");
const TIMEOUT: Key = key("timeout", BOUND, "The bound of one attempt.").with(TIMED);
const RETRY_KEY: Key = key("retry", Shape::Table(&RETRY), "How failing attempts are repeated.").with(ATTEMPTED_OR_RAMP);
pub(super) const KILL_AFTER: Key = key("kill_after", DURATION, "How long between TERM and KILL.").with(&["run"]);
pub(super) const SURVIVORS: Key =
    key("survivors", Choice(&["leave", "kill"]), "What becomes of daemons that it starts.")
        .default("\"leave\"")
        .with(&["run"]);

pub(in crate::syntax) static UNDO: Table = Table {
    name: "undo",
    doc: "An action that reverses a step; idempotent, and safe when the step never took effect.",
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
        WAIT_KEY,
        MANUAL_KEY,
        WHEN,
        REQUIRE,
        DONE_WHEN,
        SUCCESS,
        TIMEOUT,
        key("retry", Shape::Table(&RETRY), "How failing attempts are repeated.").with(ATTEMPTED),
        KILL_AFTER,
        SURVIVORS,
        key("after", REFERENCES, "Undos that must be over before it, where that is not the mirror of the way forward."),
        key("sets", Map(Form::Name, &Plain), "What it does to the state that `verify` explores.").later(),
    ],
    one_of: &[Group::one(
        "action",
        &["run", "http", "sql", "wait", "manual"],
        "say what it does: run, http, sql, wait or manual",
    )],
};

static ESTIMATE: Table = Table {
    name: "estimate",
    doc: "What `rehearse` draws from.",
    keys: &[
        key("duration", FREE, "A duration or a range: \"30s..2m\"."),
        key("fail", Number(0.0, 1.0), "How often it fails."),
    ],
    one_of: &[],
};

static PROGRESS: Table = Table {
    name: "progress",
    doc: "What must keep moving.",
    keys: &[
        key("probe", REFERENCE, "The probe.").required(),
        key("stall", BOUND, "Standing still for so long is a failure.").required(),
    ],
    one_of: &[],
};
