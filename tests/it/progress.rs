//! The watchdog of a step, through the binary.

use super::baseline::Bench;

/// A step that copies until it is told to end, watched by the probe `rate`.
fn text(keys: &str) -> String {
    format!(
        "format = 1\n[runbook]\nname = \"compare\"\ntimeout = \"10m\"\nrollback_timeout = \"10m\"\n\
         [defaults]\ntimeout = \"5m\"\nkill_after = \"1s\"\n\
         [probe.rate]\nrun = [\"cat\", \"rate\"]\ninterval = \"20ms\"\nunit = \"rows\"\n\
         [step.copy]\nrun = \"echo try >> tries; while test ! -e end; do sleep 0.02; done\"\n\
         undo = {{ run = \"rm -f tries\" }}\n{keys}"
    )
}

#[test]
fn an_attempt_that_makes_no_progress_is_stopped_and_what_follows_is_that_of_a_timeout() {
    let keys = "progress = { probe = \"rate\", stall = \"200ms\" }\nidempotent = true\nretry = { attempts = 2, delay = \"1ms\" }\n\
                on_failure = \"pause\"\n";
    let bench = Bench::new(&text(keys));
    let told = bench.does(&["exec", "compare.toml", "--no-wait", "--output", "json"], 7);
    let told = told.lines().filter(|line| line.contains("step.")).collect::<Vec<_>>().join("\n");
    assert_eq!(told.matches("\"step.stalled\"").count(), 2, "{told}");
    assert!(told.contains("probe.rate = 10 for"), "{told}");
    assert!(told.contains("is tried again in 1ms (try 2 of 2): no progress of probe.rate for 200ms"), "{told}");
    assert!(told.contains("step copy failed: no progress of probe.rate for 200ms"), "{told}");
    assert_eq!(std::fs::read_to_string(bench.path("tries")).expect("there"), "try\ntry\n");
    assert_eq!(bench.status()["steps"][0]["outcome"], "unknown");
    // One that is not idempotent is not tried again.
    let bench = Bench::new(&text(keys).replace("idempotent = true\n", "").replace("on_failure = \"pause\"\n", ""));
    let told = bench.does(&["exec", "compare.toml"], 4);
    assert_eq!(told.matches("makes no progress and is stopped").count(), 1, "{told}");
    assert!(!bench.path("tries").exists());
}

#[test]
fn an_attempt_that_moves_goes_on_and_its_pace_is_shown() {
    let bench = Bench::new(&text("progress = { probe = \"rate\", stall = \"1m\" }\n"));
    let mut run = bench.begin(&["exec", "compare.toml", "--output", "json"]);

    let rows = std::cell::Cell::new(1_000_000);
    let status = bench.waits_for("a falling pace", |status| {
        rows.set(rows.get() - 1000);
        bench.set(rows.get());
        status["steps"][0]["progress"]["left_ms"].is_u64()
    });
    assert!(status["steps"][0]["progress"]["rate_per_second"].as_f64() < Some(0.0), "{status}");
    let shown = bench.does(&["status"], 0);
    assert!(shown.contains("running, -") && shown.contains(" rows/s, ~"), "{shown}");
    std::fs::write(bench.path("end"), "").expect("written");
    assert!(run.0.wait().expect("it ends").success());
}

#[test]
fn a_step_that_stands_still_says_so_instead_of_an_estimate() {
    let bench = Bench::new(&text("progress = { probe = \"rate\", stall = \"4s\" }\n"));
    let _run = bench.begin(&["exec", "compare.toml", "--output", "json"]);
    bench.waits_for("standing still", |status| status["steps"][0]["progress"]["still_ms"].as_u64() >= Some(2000));
    bench.set(11);
    bench.waits_for("movement", |status| status["steps"][0]["progress"]["rate_per_second"].is_number());
    bench.waits_for("the end", |status| status["outcome"] == "rolled_back");
}

#[test]
fn the_watch_begins_anew_when_a_run_is_taken_up() {
    let bench = Bench::new(&text("progress = { probe = \"rate\", stall = \"2s\" }\n"));
    let mut run = bench.begin(&["exec", "compare.toml", "--output", "json"]);
    bench.waits_for("the step", |_| bench.path("tries").exists());
    run.0.kill().expect("it runs");
    drop(run);
    let told = bench.does(&["resume", "--output", "json"], 4);
    assert_eq!(told.matches("\"step.stalled\"").count(), 1, "{told}");
    assert!(told.contains("probe.rate = 10 for 2s") || told.contains("probe.rate = 10 for 2."), "{told}");
}
