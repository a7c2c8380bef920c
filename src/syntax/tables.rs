//! Every table and every key of format 1.
//!
//! A key that is `later` belongs to the format and is refused with "not supported yet".

use super::spec::{Form, Group, Key, Shape, Table};

use Shape::{Any, Bool, Choice, Either, List, Map, Number, Plain, Text, True, Whole};

const fn key(name: &'static str, shape: Shape, doc: &'static str) -> Key {
    Key::new(name, shape, doc)
}

const FREE: Shape = Text(Form::Free);
const TEMPLATE: Shape = Text(Form::Template);
const EXPRESSION: Shape = Text(Form::Expression);
const DURATION: Shape = Text(Form::Duration);
const BOUND: Shape = Text(Form::Bound);
const REFERENCE: Shape = Text(Form::Reference);
const REFERENCES: Shape = List(&REFERENCE, 0);
const TEXTS: Shape = List(&FREE, 0);
const ENV: Shape = Map(Form::EnvName, &TEMPLATE);
const CRITERIA: Shape = List(&Either(&[EXPRESSION, Shape::Table(&CRITERION)]), 0);
const COMMAND: Shape = Either(&[TEMPLATE, List(&TEMPLATE, 1)]);
const POLICY_WORDS: &[&str] = &["rollback", "pause", "continue", "stop"];
const MANY: i64 = 1_000_000;
/// Actions that are tried, and may be tried again.
const ATTEMPTED: &[&str] = &["run", "http", "sql", "manual"];
/// Actions whose bound is `timeout`.
const TIMED: &[&str] = &["run", "http", "sql", "ramp"];

/// The whole file.
pub(super) static FILE: Table = Table {
    name: "file",
    doc: "A runbook, format 1.",
    keys: &[
        key("format", Whole(1, 1), "The version of the format: 1.").required(),
        key("runbook", Shape::Table(&RUNBOOK), "The document as a whole.").required(),
        key("defaults", Shape::Table(&DEFAULTS), "For every step, undo and guard that does not say."),
        key("vars", Map(Form::Name, &Either(&[Plain, Shape::Table(&VAR)])), "Values that a run is given."),
        key("preflight", List(&Shape::Table(&CRITERION), 0), "What must hold before anything is started."),
        key("probe", Map(Form::Name, &Shape::Table(&PROBE)), "Read-only measurements."),
        key("guard", Map(Form::Name, &Shape::Table(&GUARD)), "Conditions watched all the time."),
        key("phase", Map(Form::Name, &Shape::Table(&PHASE)), "Ordered groups of steps."),
        key("step", Map(Form::Name, &Shape::Table(&STEP)), "Units of work.").required(),
        key("baseline", Shape::Table(&BASELINE), "Probes summarised before a stated moment.").later(),
        key("lock", Map(Form::Name, &Shape::Table(&LOCK)), "Locks wider than this machine.").later(),
        key("role", Map(Form::Name, &Shape::Table(&ROLE)), "Who may answer.").later(),
        key("state", Map(Form::Name, &Plain), "The model that `verify` explores.").later(),
        key("never", List(&Shape::Table(&NEVER), 0), "What must never be true of the state.").later(),
        key("notify", List(&Shape::Table(&NOTIFY), 0), "Who is told of what.").later(),
    ],
    one_of: &[],
};

pub(super) static RUNBOOK: Table = Table {
    name: "runbook",
    doc: "The document as a whole.",
    keys: &[
        key("name", Text(Form::Name), "Its name, and the name of its lock.").required(),
        key("version", FREE, "Its author's version."),
        key("summary", FREE, "One line."),
        key("owner", FREE, "Who answers for it."),
        key("docs", FREE, "Where to read more."),
        key("phases", REFERENCES, "The phases in their order; required if there are phases."),
        key("timeout", BOUND, "Machine time of the whole way forward.").required(),
        key("rollback_timeout", BOUND, "The promise: from anywhere, back to safety."),
        key("rollback_window", DURATION, "How long the way back stays open after success.").default("\"0s\""),
        key("max_parallel", Whole(1, 10_000), "How many steps may run at once.").default("8"),
        key("lock", FREE, "One unfinished run per lock name; default: the name."),
        key("restored", CRITERIA, "Measured when a rollback has gone back to the start."),
        key("env", ENV, "Added to the environment of every process."),
        key("shell", List(&FREE, 1), "What a `run` text is given to.").default("[\"sh\", \"-eu\", \"-c\"]"),
        key("requires", TEXTS, "Programs that must be on PATH."),
        key("on_interrupt", Choice(&["leave", "rollback"]), "What INT and TERM do without a terminal.")
            .default("\"leave\""),
        key("output_max", Text(Form::Size), "How much of a step's output is kept, head and tail.").default("\"64MiB\""),
        key("drilled_within", DURATION, "Refuse to start where the last drill is older.").later(),
    ],
    one_of: &[],
};

static DEFAULTS: Table = Table {
    name: "defaults",
    doc: "For every step, every undo and every guard that does not say.",
    keys: &[
        key("timeout", BOUND, "The bound of one attempt."),
        key("kill_after", DURATION, "How long between TERM and KILL.").default("\"10s\""),
        key("retry", Shape::Table(&RETRY), "How failing attempts are repeated."),
        key("no_data", Choice(NO_DATA), "What a sample without data counts for in a guard.").default("\"fail\""),
    ],
    one_of: &[],
};

/// The keys of a step whose tables hold what its action is.
pub(super) static ACTIONS: [(&str, &Table); 5] =
    [("http", &HTTP), ("sql", &SQL), ("wait", &WAIT), ("gate", &GATE), ("manual", &MANUAL)];

const NO_DATA: &[&str] = &["fail", "ignore", "pause"];

static VAR: Table = Table {
    name: "var",
    doc: "How a variable gets its value: --var, --vars-file, env, file, run, default, in this order.",
    keys: &[
        key("default", Any, "Its value where nothing else gives one."),
        key("env", Text(Form::EnvName), "An environment variable that holds it."),
        key("file", FREE, "A file that holds it, without the newline at its end."),
        key("run", List(&FREE, 1), "A program that prints it, and its arguments."),
        key("secret", Bool, "Never to be seen.").default("false"),
        key("choices", List(&Plain, 1), "The only values allowed."),
        key("summary", FREE, "For `plan` and prompts."),
    ],
    one_of: &[],
};

static CRITERION: Table = Table {
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

static RETRY: Table = Table {
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

static POLICY: Table = Table {
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

pub(super) static PHASE: Table = Table {
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

/// A step.
pub(super) static STEP: Table = Table {
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
        key("ramp", Shape::Table(&RAMP), "A value moved in steps, each held and measured.").later(),
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
        key("progress", Shape::Table(&PROGRESS), "No movement for that long is a failure.").later(),
        key("for_each", Either(&[TEMPLATE, List(&Plain, 0)]), "Once per item.").later(),
        key("serial", List(&Any, 1), "Sizes of batches, numbers or percentages.").later(),
        key("max_parallel", Whole(1, MANY), "Items at once.").later(),
        key("failures", Any, "Tolerated items, a number or a percentage.").later(),
    ],
    one_of: &[
        Group::one(
            "action",
            &["run", "http", "sql", "wait", "gate", "manual", "ramp"],
            "say what it does: run, http, sql, wait, gate or manual",
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

const RUN: Key = key("run", COMMAND, "A script for the shell, or a program and its arguments.");
const CWD: Key = key("cwd", TEMPLATE, "The folder it starts in; relative to the runbook's.").with(&["run"]);
const RUN_ENV: Key = key("env", ENV, "Added to its environment.").with(&["run"]);
const STDIN: Key = key("stdin", TEMPLATE, "Fed to its standard input.").with(&["run"]);
const SHELL: Key = key("shell", List(&FREE, 1), "The shell for its text.").with(&["run"]);
const EXIT: Key = key("exit", List(&Whole(0, 255), 1), "The exit codes that mean done.").default("[0]").with(&["run"]);
const EXPECT: Key = key("expect", EXPRESSION, "Must hold over stdout, stderr, exit too.").with(&["run"]);
const HOST: Key = key("host", TEMPLATE, "Run it there, over OpenSSH.").later();
const HTTP_KEY: Key = key("http", Shape::Table(&HTTP), "A request over HTTP.");
const SQL_KEY: Key = key("sql", Shape::Table(&SQL), "Statements over SQL, in one session.");
const WAIT_SHAPES: &[Shape] = &[DURATION, Shape::Table(&WAIT)];
const WAIT_KEY: Key = key("wait", Either(WAIT_SHAPES), "For a while, or until something holds.");
const MANUAL_KEY: Key = key("manual", Shape::Table(&MANUAL), "A person does it and says so.");
const WHEN: Key = key("when", EXPRESSION, "Where it does not hold the step is skipped.");
const REQUIRE: Key = key("require", CRITERIA, "Must hold before the action.");
const DONE_WHEN: Key = key("done_when", EXPRESSION, "Where it holds there is nothing to do.");
const SUCCESS: Key = key("success", CRITERIA, "Must be measured before it counts as done.");
const TIMEOUT: Key = key("timeout", BOUND, "The bound of one attempt.").with(TIMED);
const RETRY_KEY: Key = key("retry", Shape::Table(&RETRY), "How failing attempts are repeated.").with(ATTEMPTED_OR_RAMP);
const KILL_AFTER: Key = key("kill_after", DURATION, "How long between TERM and KILL.").with(&["run"]);
const SURVIVORS: Key = key("survivors", Choice(&["leave", "kill"]), "What becomes of daemons that it starts.")
    .default("\"leave\"")
    .with(&["run"]);

pub(super) static UNDO: Table = Table {
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

static HTTP: Table = Table {
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

static SQL: Table = Table {
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

static WAIT: Table = Table {
    name: "wait",
    doc: "Until something holds.",
    keys: &[key("until", EXPRESSION, "What must come true.").required(), key("within", BOUND, "By when.").required()],
    one_of: &[],
};

static GATE: Table = Table {
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

static MANUAL: Table = Table {
    name: "manual",
    doc: "A person does it and says so.",
    keys: &[
        key("instructions", TEMPLATE, "What to do.").required(),
        key("evidence", FREE, "What the person is asked to leave as proof."),
        key("expires", BOUND, "How long it waits for the person; then it failed.").required(),
    ],
    one_of: &[],
};

static RAMP: Table = Table {
    name: "ramp",
    doc: "A value moved in steps, each held and measured.",
    keys: &[
        key("values", Either(&[TEMPLATE, List(&Any, 1)]), "The values in order."),
        key("set", Any, "The action that sets a value."),
        key("confirm", EXPRESSION, "Shows that it is set."),
        key("hold", DURATION, "How long each is held."),
        key("advance", CRITERIA, "Must hold in every fresh sample of the hold."),
        key("hold_while", EXPRESSION, "Stay while it holds."),
    ],
    one_of: &[],
};

static OUTPUT: Table = Table {
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
    keys: &[key("probe", REFERENCE, "The probe."), key("stall", DURATION, "No movement for that long is a failure.")],
    one_of: &[],
};

pub(super) static PROBE: Table = Table {
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
        key("prometheus", Shape::Table(&PROMETHEUS), "A query to Prometheus.").later(),
        key("tcp", FREE, "Whether a connection can be opened.").later(),
        key("interval", BOUND, "How often.").default("\"1s\""),
        key("timeout", BOUND, "The bound of one sample.").default("\"5s\""),
        key("bool", Either(&[True, Choice(&["exit"])]), "True or false; of a run with \"exit\": 0 true, 1 false."),
        key("as", Choice(&["number", "text", "bool", "json"]), "What the sample is taken for.").default("\"number\""),
        key("unit", FREE, "For people."),
        key("covers", DURATION, "It summarises that much of the past.").default("\"0s\""),
        key("keep", DURATION, "How much history is kept.").later(),
        key("state", REFERENCE, "The state that it reads, for `verify`.").later(),
        key("for_each", Either(&[TEMPLATE, List(&Plain, 0)]), "Once per item.").later(),
    ],
    one_of: &[
        Group::at_most_one("kind", &["bool", "as"]),
        Group::one("source", &["run", "http", "sql", "prometheus", "tcp"], "say how it is measured: run, http or sql"),
    ],
};

static HTTP_PROBE: Table = Table {
    name: "http_probe",
    doc: "A request whose answer is the sample: its body, or the part that is named.",
    keys: &[
        key("url", TEMPLATE, "Where to.").required(),
        key("headers", Map(Form::Free, &TEMPLATE), "Sent with it."),
        key("json", Text(Form::Pointer), "A JSON pointer into the body."),
        key("regex", Text(Form::Regex), "The first capture group of the first match in the body, or the whole match."),
        key("status", True, "The status code."),
        key("latency", True, "Milliseconds from sending to the last byte."),
    ],
    one_of: &[Group::at_most_one("part", &["json", "regex", "status", "latency"])],
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
    doc: "A query to Prometheus.",
    keys: &[key("url", TEMPLATE, "Where to."), key("query", FREE, "The query.")],
    one_of: &[],
};

pub(super) static GUARD: Table = Table {
    name: "guard",
    doc: "A condition watched all the time in its scope; a breach stops the way forward.",
    keys: &[
        key("phases", List(&REFERENCE, 1), "Awake from the start to the end of these; default: the whole way forward."),
        key("steps", List(&REFERENCE, 1), "Awake from the start to the settling of these."),
        key("every", BOUND, "How often it is judged; default: the longest interval of its probes."),
        key("require", EXPRESSION, "What must hold.").required(),
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

static BASELINE: Table = Table {
    name: "baseline",
    doc: "Probes summarised before a stated moment, to compare with afterwards.",
    keys: &[
        key("probes", REFERENCES, "Which."),
        key("before", REFERENCE, "Just before this phase."),
        key("over", DURATION, "For how long they are sampled."),
        key("require", CRITERIA, "What must hold of it."),
    ],
    one_of: &[],
};

static LOCK: Table = Table {
    name: "lock",
    doc: "A lock wider than this machine.",
    keys: &[
        key("file", Any, "A file on a shared file system."),
        key("postgres", Any, "An advisory lock."),
        key("etcd", Any, "A lease of etcd."),
        key("consul", Any, "A session of Consul."),
        key("phase", REFERENCE, "Held for this phase; default: the whole run."),
    ],
    one_of: &[],
};

static ROLE: Table =
    Table { name: "role", doc: "Who may answer.", keys: &[key("members", TEXTS, "Their names.")], one_of: &[] };

static NEVER: Table = Table {
    name: "never",
    doc: "What must never be true of the state.",
    keys: &[key("name", FREE, "For the story."), key("when", EXPRESSION, "The bad state.")],
    one_of: &[],
};

static NOTIFY: Table = Table {
    name: "notify",
    doc: "Who is told of what.",
    keys: &[
        key("on", TEXTS, "The events."),
        key("run", COMMAND, "A program that tells."),
        key("http", Shape::Table(&HTTP), "A request that tells."),
    ],
    one_of: &[],
};
