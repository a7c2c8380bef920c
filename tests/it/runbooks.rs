//! Runbooks as texts: nothing makes the reader panic, its schema says what it says, and size does not hurt it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use proptest::prelude::*;
use runbook::model::Plan;
use runbook::syntax::render::{Look, as_json, for_terminal};
use runbook::syntax::{Texts, read, read_given, schema};

const REFERENCE: &str = include_str!("../../examples/reference.toml");
const QUICKSTART: &str = include_str!("../../examples/quickstart/migrate.toml");
const SWITCHOVER: &str = include_str!("../../examples/postgres-switchover/switchover.toml");
const SHIFT: &str = include_str!("../../examples/traffic-shift/shift.toml");

fn plan(text: &str) -> Plan {
    let reading = read(text);
    reading
        .plan
        .unwrap_or_else(|| panic!("{}", for_terminal("a.toml", &reading.sources, &reading.problems, Look::PLAIN)))
}

/// The nearest place before `at` where the text can be cut.
fn cut(text: &str, at: usize) -> usize {
    let mut at = at % (text.len() + 1);
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// A runbook that includes one part.
const INCLUDING: &str = "format = 1\n[runbook]\nname = 'n'\ntimeout = '1h'\nphases = ['p']\n[vars]\nx = 'y'\n\
                         [part.a]\nuse = 'part.toml'\nwith = { from = '{{vars.x}}' }\n[phase.p]\nsequence = ['a']\n";
const PART: &str = include_str!("../problems/parts/carry.toml");

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_makes_the_reader_panic(
        file in 0..5_usize,
        changes in prop::collection::vec((0..4_u8, any::<usize>(), 0..60_usize, any::<usize>()), 1..6),
    ) {
        let mut text = [REFERENCE, QUICKSTART, SWITCHOVER, SHIFT, PART][file].to_owned();
        for (what, at, length, other) in changes {
            let from = cut(&text, at);
            let to = cut(&text, from.saturating_add(length).min(text.len())).max(from);
            let slice = text[from..to].to_owned();
            match what {
                0 => text.replace_range(from..to, ""),
                1 => text.insert_str(cut(&text, other), &slice),
                2 => {
                    let start = cut(&text, other);
                    let end = cut(&text, start.saturating_add(length).min(text.len())).max(start);
                    text.replace_range(start..end, &slice);
                }
                _ => text.insert_str(from, ["\"", "{{", "]", "[[", "= 5", "\u{fc}", "''' ", "\n"][other % 8]),
            }
        }
        let texts = match file {
            4 => Texts::gather(INCLUDING.to_owned(), |_| Ok(text.clone())),
            _ => Texts::alone(text),
        };
        let reading = read_given(&texts, &BTreeMap::new());
        prop_assert_eq!(reading.plan.is_none(), reading.problems.iter().any(runbook::syntax::Problem::is_error));
        let _ = for_terminal("a.toml", &reading.sources, &reading.problems, Look::PLAIN);
        let _ = as_json("a.toml", &reading.sources, &reading.problems);
    }
}

#[test]
fn the_schemas_in_the_repository_are_those_the_reader_makes() {
    for (name, schema) in [("runbook", schema::json()), ("part", schema::part_json())] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("schemas/{name}.schema.json"));
        let made = schema::text(&schema);
        if std::env::var_os("UPDATE_SCHEMA").is_some() {
            fs::create_dir_all(path.parent().expect("it lies in a folder")).expect("the folder can be made");
            fs::write(&path, &made).expect("it can be written");
        }
        let there = fs::read_to_string(&path).unwrap_or_default();
        assert!(there == made, "{name}: run: UPDATE_SCHEMA=1 cargo test --test it runbooks::the_schemas");
    }
}

fn as_value(text: &str) -> serde_json::Value {
    let table: toml::Table = toml::from_str(text).expect("it is TOML");
    serde_json::to_value(table).expect("it has no odd numbers")
}

#[test]
fn a_validator_accepts_good_runbooks_by_the_schema() {
    let validator = jsonschema::validator_for(&schema::json()).expect("the schema is one");
    for (name, text) in
        [("reference", REFERENCE), ("quickstart", QUICKSTART), ("switchover", SWITCHOVER), ("shift", SHIFT)]
    {
        let value = as_value(text);
        let errors: Vec<_> =
            validator.iter_errors(&value).map(|error| format!("{}: {error}", error.instance_path())).collect();
        assert!(errors.is_empty(), "{name}: {errors:#?}");
    }
}

#[test]
fn a_validator_refuses_by_the_schema_what_has_the_wrong_shape() {
    let validator = jsonschema::validator_for(&schema::json()).expect("the schema is one");
    // What is wrong with the others cannot be seen in their shape, or they are no TOML, or no JSON.
    let shapes = [
        "format_missing",
        "format_unknown",
        "unknown_key",
        "unknown_key-elsewhere",
        "wrong_type",
        "wrong_length",
        "unknown_word",
        "bad_name",
        "bad_duration",
        "bad_size",
        "bad_window",
        "bad_pointer",
        "bad_env_name",
        "missing_key",
        "key_out_of_place",
        "two_at_once",
        "none_given",
        "no_steps",
    ];
    for name in shapes {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/problems/{name}.toml"));
        let text = fs::read_to_string(&path).expect("it is there");
        assert!(!validator.is_valid(&as_value(&text)), "{name}.toml has the wrong shape");
    }
}

/// A runbook of that many steps, in a chain or all beside each other.
fn many(steps: usize, chain: bool) -> String {
    let mut text =
        String::from("format = 1\n[runbook]\nname = \"many\"\ntimeout = \"9d\"\n[defaults]\ntimeout = \"1s\"\n");
    for n in 0..steps {
        write!(text, "[step.s{n}]\nrun = [\"true\"]\neffect = \"none\"\n").expect("a string takes everything");
        if chain && n > 0 {
            writeln!(text, "needs = [\"s{}\"]", n - 1).expect("a string takes everything");
        }
    }
    text
}

#[test]
fn twenty_thousand_steps_in_a_chain_or_a_fan_need_no_deep_stack() {
    for chain in [true, false] {
        let text = many(20_000, chain);
        let stack = std::thread::Builder::new().stack_size(512 << 10);
        let count = stack.spawn(move || plan(&text).steps().len()).expect("a thread").join().expect("no overflow");
        assert_eq!(count, 20_000);
    }
}

#[test]
fn a_sequence_orders_its_steps_and_an_inner_list_runs_in_parallel() {
    let text = r#"
format = 1
[runbook]
name = "order"
timeout = "1h"
phases = ["one", "two"]
[defaults]
timeout = "1m"
[phase.two]
sequence = ["e"]
[phase.one]
sequence = ["d", ["b", "c"], "a"]
[step.a]
run = "true"
effect = "none"
[step.b]
run = "true"
effect = "none"
[step.c]
run = "true"
effect = "none"
[step.d]
run = "true"
effect = "none"
[step.e]
run = "true"
effect = "none"
needs = ["a"]
"#;
    let plan = plan(text);
    let names: Vec<&str> = plan.steps().iter().map(|step| step.name.as_str()).collect();
    assert_eq!(names, ["d", "b", "c", "a", "e"]);
    let needs = |name: &str| -> Vec<&str> {
        let step = plan.step_named(name).expect("there");
        plan.step(step).needs.iter().map(|id| plan.step(*id).name.as_str()).collect()
    };
    assert_eq!(needs("d"), [""; 0]);
    assert_eq!(needs("b"), ["d"]);
    assert_eq!(needs("c"), ["d"]);
    assert_eq!(needs("a"), ["b", "c"]);
    assert_eq!(needs("e"), ["a"], "a step of a sequence may need more");
    assert_eq!(plan.phases()[1].needs.len(), 1, "a phase needs the one before it");
}

#[test]
fn a_criterion_has_ten_seconds_plus_what_it_must_measure() {
    let text = r#"
format = 1
[runbook]
name = "patience"
timeout = "1h"
restored = ["probe.lag < 1"]
[defaults]
timeout = "1m"
[probe.lag]
run = ["./lag"]
covers = "30s"
interval = "2s"
[step.a]
run = "true"
effect = "none"
require = ["probe.lag < 1", { that = "probe.lag < 2", within = "35s" }]
success = [
    "probe.lag < 1",
    { that = "probe.lag < 2", for = "20s" },
    { that = "probe.lag < 2", within = "35s" },
    { that = "probe.lag < 2", samples = 5, failures = 1 },
]
"#;
    let plan = plan(text);
    let within = |list: &[runbook::model::Criterion]| -> Vec<Option<u64>> {
        list.iter().map(|criterion| criterion.within.map(|span| span.millis() / 1000)).collect()
    };
    let work = &plan.steps()[0].forward;
    assert_eq!(within(&work.require), [None, Some(35)], "the first fresh sample decides");
    assert_eq!(within(&work.success), [Some(40), Some(60), Some(35), Some(50)]);
    assert_eq!(within(&plan.about().restored), [Some(40)]);
    let conditions: Vec<&str> = plan.conditions().iter().map(|condition| condition.text.as_str()).collect();
    assert_eq!(conditions, ["probe.lag < 1", "probe.lag < 2"], "the same text is the same condition");
}

#[test]
fn an_undo_takes_the_defaults_and_never_its_steps_bounds() {
    let text = r#"
format = 1
[runbook]
name = "defaults"
timeout = "1h"
rollback_timeout = "5m"
[defaults]
timeout = "1m"
kill_after = "3s"
retry = { attempts = 2 }
[probe.ok]
run = ["./ok"]
bool = "exit"
[step.a]
run = "true"
timeout = "5m"
retry = { attempts = 9 }
idempotent = true
success = ["probe.ok"]
undo = { run = "false", success = ["!probe.ok"] }
"#;
    let plan = plan(text);
    let step = &plan.steps()[0];
    let undo = &step.undo()[0];
    assert_eq!((step.forward.timeout.millis(), undo.timeout.millis()), (300_000, 60_000));
    assert_eq!((step.forward.retry.attempts, undo.retry.attempts), (9, 2));
    assert_eq!((step.forward.kill_after.millis(), undo.kill_after.millis()), (3000, 3000));
}
