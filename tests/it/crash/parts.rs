//! A run that includes parts works from what it froze of them.

use std::fs;

use super::bench::{Bench, kill, wait};

const PART: &str = r#"format = 1

[part]
summary = "Writes a line, and looks whether it is there"
sequence = ["write", "look"]

[defaults]
timeout = "20s"

[vars]
line = { summary = "what to write" }

[probe.written]
run = ["grep", "-qx", "{{vars.line}}", "effects"]
bool = "exit"
interval = "50ms"

[step.write]
run = "echo {{vars.line}} >> effects"
success = ["probe.written"]
undo = { run = "echo \"undo $RUNBOOK_VAR_LINE\" >> effects" }

[step.look]
require = ["steps.write.outcome == 'done'"]
run = "echo \"$RUNBOOK_STEP sees $RUNBOOK_VAR_LINE\" >> effects"
effect = "none"
"#;

const TABLES: &str = r#"
[part.first]
use = "parts/line.toml"
with = { line = "a line" }

[part.second]
use = "parts/line.toml"
with = { line = "{{vars.other}}" }

[vars]
other = "another line"

[phase.one]
sequence = ["first", "until_told"]

[phase.two]
sequence = ["second", "fail"]

[step.until_told]
run = "until test -e told; do sleep 0.01; done"
effect = "none"
idempotent = true

[step.fail]
run = "false"
effect = "none"
"#;

fn bench() -> Bench {
    let bench = Bench::with("phases = [\"one\", \"two\"]\n", TABLES);
    fs::create_dir(bench.path("parts")).expect("a folder");
    fs::write(bench.path("parts/line.toml"), PART).expect("written");
    bench
}

/// Begins a run and kills it between its two parts.
fn killed_between(bench: &Bench) {
    let mut child = bench.spawn(&["exec", "crash.toml", "--output", "plain"]);
    let waits = || bench.run_folder().is_some() && bench.started().len() == 3;
    bench.until("the step behind the first part runs", waits);
    kill(i32::try_from(child.id()).expect("a process number"));
    wait(&mut child, std::time::Duration::from_secs(10)).expect("it was killed");
}

#[test]
fn a_part_included_twice_is_resumed_and_taken_back_in_order_whatever_becomes_of_its_file() {
    let bench = bench();
    killed_between(&bench);
    fs::write(bench.path("parts/line.toml"), "format = 1\n# somebody is at work here\n").expect("written");
    fs::write(bench.path("told"), "").expect("written");
    let exit = bench.run(&["resume", "--output", "plain"]);
    assert_eq!(exit, 4, "{}", bench.story());
    let wanted = [
        "a line",
        "first_look sees a line",
        "another line",
        "second_look sees another line",
        "undo another line",
        "undo a line",
    ];
    assert_eq!(bench.effects(), wanted, "{}", bench.story());
    for verb in ["show", "audit", "status"] {
        assert_eq!(bench.run(&[verb]), 0, "{verb}\n{}", bench.story());
    }
    assert_eq!(bench.run(&["why", "second_write"]), 0, "{}", bench.story());
}

#[test]
fn a_frozen_part_that_was_changed_is_refused_like_a_frozen_runbook() {
    let bench = bench();
    killed_between(&bench);
    let frozen = bench.run_folder().expect("a run").join("parts/1.toml");
    assert_eq!(fs::read_to_string(&frozen).expect("it is frozen"), PART);
    fs::write(&frozen, PART.replace("20s", "30s")).expect("written");
    assert_eq!(bench.run(&["resume"]), 1, "{}", bench.story());
    assert!(bench.screen().contains("parts/1.toml`: it has been changed since the run began"), "{}", bench.screen());
}
