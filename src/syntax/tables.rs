//! Every table and every key of format 1.
//!
//! A key that is `later` belongs to the format and is refused with "not supported yet". Here is the document as a whole, and
//! the shapes that many keys have; the tables of what stands in it are below.

mod action;
mod measure;
mod part;
mod phase;
mod ramp;
mod step;

use super::spec::{Form, Key, Shape, Table};

pub(super) use action::ACTIONS;
pub(super) use measure::{BASELINE, BUDGET, GUARD, PROBE};
pub(super) use part::PART_FILE;
pub(super) use phase::PHASE;
pub(super) use step::{STEP, UNDO};

use Shape::{Any, Bool, Choice, Either, List, Map, Plain, Text, Whole};
use action::HTTP;
use measure::{CRITERION, NO_DATA};
use part::PART;
use step::RETRY;

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
        key("defaults", Shape::Table(&DEFAULTS), "For every step, undo, guard and budget that does not say."),
        key("vars", Map(Form::Name, &Either(&[Plain, Shape::Table(&VAR)])), "Values that a run is given."),
        key("preflight", List(&Shape::Table(&CRITERION), 0), "What must hold before anything is started."),
        key("probe", Map(Form::Name, &Shape::Table(&PROBE)), "Read-only measurements."),
        key("guard", Map(Form::Name, &Shape::Table(&GUARD)), "Conditions watched all the time."),
        key("budget", Map(Form::Name, &Shape::Table(&BUDGET)), "Error budgets: how much may go wrong in a run."),
        key("phase", Map(Form::Name, &Shape::Table(&PHASE)), "Ordered groups of steps."),
        key("step", Map(Form::Name, &Shape::Table(&STEP)), "Units of work.").required(),
        key("part", Map(Form::Name, &Shape::Table(&PART)), "Reusable pieces from files of their own."),
        key("baseline", Shape::Table(&BASELINE), "Probes summarised before a stated moment."),
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
    doc: "For every step, every undo, every guard and every budget that does not say.",
    keys: &[
        key("timeout", BOUND, "The bound of one attempt."),
        key("kill_after", DURATION, "How long between TERM and KILL.").default("\"10s\""),
        key("retry", Shape::Table(&RETRY), "How failing attempts are repeated."),
        key("no_data", Choice(NO_DATA), "What a sample without data counts for in a guard or a budget.")
            .default("\"fail\""),
    ],
    one_of: &[],
};

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
