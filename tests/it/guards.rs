//! What guards tell beside their breaches, through the binary.

use std::time::Duration;

use serde_json::Value as Json;

use crate::baseline::Bench;

const WARNS: &str = r#"
format = 1
[runbook]
name = "compare"
phases = ["cutover"]
timeout = "10m"
[probe.rate]
run = ["cat", "rate"]
interval = "20ms"
[guard.rate]
require = "probe.rate < 100"
warn = "probe.rate < 50"
[step.ready]
phase = "cutover"
gate = { question = "Now?", expires = "10m" }
"#;

fn health(status: &Json) -> &str {
    status["guards"][0]["health"].as_str().unwrap_or_default()
}

#[test]
fn a_guard_that_warns_is_told_shown_and_recorded_and_nothing_follows() {
    let bench = Bench::new(WARNS);
    let _run = bench.begin(&["exec", "compare.toml"]);
    bench.waits_for("a sample", |status| health(status) == "healthy");
    bench.set(60);
    bench.waits_for("the warning", |status| health(status) == "warning");
    assert!(bench.does(&["status"], 0).contains("rate WARNS"), "{}", bench.does(&["status"], 0));
    bench.set(10);
    bench.waits_for("the end of the warning", |status| health(status) == "healthy");
    bench.does(&["go"], 0);
    bench.waits_for("the end", |status| status["outcome"] == "succeeded");

    let told: Vec<Json> =
        bench.does(&["show", "--json"], 0).lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let of_guard = |line: &&Json| line["event"].as_str().is_some_and(|event| event.starts_with("guard."));
    let events: Vec<&str> = told.iter().filter(of_guard).filter_map(|line| line["event"].as_str()).collect();
    assert_eq!(events, ["guard.warned", "guard.eased"], "{told:?}");
    let show = bench.does(&["show"], 0).split_whitespace().collect::<Vec<_>>().join(" ");
    let warned = "guard rate warns (`probe.rate < 50`, 2 of the last 3 samples failed): probe.rate = 60 (must be < 50)";
    assert!(show.contains(warned), "{show}");
}

#[test]
fn a_breach_says_once_how_many_samples_decided() {
    let bench = Bench::new(&WARNS.replace("timeout = \"10m\"", "timeout = \"10m\"\nrollback_timeout = \"1m\""));
    let _run = bench.begin(&["exec", "compare.toml"]);
    bench.waits_for("a sample", |status| health(status) == "healthy");
    bench.set(500);
    bench.waits_for("the end", |status| status["outcome"] == "refused");
    let show = bench.does(&["show"], 0).split_whitespace().collect::<Vec<_>>().join(" ");
    let breached = "guard rate breached (`probe.rate < 100`); the run goes back: 2 of the last ";
    assert!(show.contains(breached), "{show}");
    let because = show.split("because").nth(1).and_then(|rest| rest.split("run refused").next()).unwrap_or_default();
    assert_eq!(because.matches("samples failed").count(), 1, "{show}");
}

const UNHEARD: &str = r#"
format = 1
[runbook]
name = "compare"
timeout = "10m"
rollback_timeout = "1m"
[probe.rate]
run = ["cat", "rate"]
interval = "20ms"
[guard.rate]
require = "probe.rate < 100"
failures = 1000000
of = 1000000
remedy = "Is the exporter up?"
[step.switch]
run = "true"
timeout = "10s"
undo = { run = "true", timeout = "10s" }
[step.look]
run = "true"
timeout = "10s"
effect = "none"
remedy = "Ask the team"
require = [{ that = "probe.rate > 0", within = "5m" }]
"#;

#[test]
fn what_a_step_waits_for_is_told_once_with_the_complaint_of_the_probe_and_the_remedy() {
    let bench = Bench::new(UNHEARD);
    std::fs::remove_file(bench.path("rate")).expect("it was there");
    let _run = bench.begin(&["exec", "compare.toml"]);
    let is_told = || {
        let told = bench.does(&["show", "--json"], 0);
        told.contains("guard.awaited") && told.contains("answer.awaited")
    };
    bench.waits_for("a run", |status| status["run"].is_string());
    bench.waits_for("the news", |_| is_told());
    bench.set(10);
    bench.waits_for("the end", |status| status["outcome"] == "succeeded");

    let told: Vec<Json> =
        bench.does(&["show", "--json"], 0).lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let awaited: Vec<&Json> =
        told.iter().filter(|line| line["event"].as_str().is_some_and(|event| event.ends_with(".awaited"))).collect();
    assert_eq!(awaited.len(), 2, "{told:?}");
    let complaint = "probe.rate: exit status: 1: cat: rate: No such file or directory";
    for line in awaited {
        let (sentence, remedy) = (line["sentence"].as_str().unwrap_or_default(), &line["remedy"]);
        let (begin, end) = if line["event"] == "guard.awaited" {
            ("step switch waits until guard rate has held once (`probe.rate < 100`): ", "Is the exporter up?")
        } else {
            ("step look still waits for require `probe.rate > 0`, 5m at most: ", "Ask the team")
        };
        assert!(sentence.starts_with(begin) && sentence.contains(complaint) && sentence.ends_with(end), "{sentence}");
        assert_eq!(remedy, end);
    }
}

const TAKEN_UP: &str = r#"
format = 1
[runbook]
name = "compare"
timeout = "10m"
[probe.rate]
run = ["cat", "rate"]
interval = "20ms"
[step.look]
wait = { until = "probe.rate > 0", within = "5m" }
"#;

#[test]
fn a_question_of_a_run_that_is_taken_up_is_not_told_as_slow_before_its_probe_could_answer() {
    let bench = Bench::new(TAKEN_UP);
    bench.set(0);
    let first = bench.begin(&["exec", "compare.toml"]);
    bench.waits_for("the question", |status| status["run"].is_string());
    drop(first);
    // Longer than it takes until a question without data is told.
    std::thread::sleep(Duration::from_secs(6));
    let _second = bench.begin(&["resume"]);
    let told = || bench.does(&["show", "--json"], 0);
    bench.waits_for("the second process", |_| told().contains("run.resumed"));
    std::thread::sleep(Duration::from_millis(500));
    bench.set(10);
    bench.waits_for("the end", |status| status["outcome"] == "succeeded");
    assert!(!told().contains("answer.awaited"), "{}", told());
}

const SWITCHES: &str = r#"
format = 1
[runbook]
name = "compare"
timeout = "10m"
rollback_timeout = "1m"
[probe.rate]
run = ["cat", "rate"]
interval = "20ms"
[guard.rate]
require = "probe.rate < 100"
[step.fence]
run = "true"
timeout = "10s"
undo = { run = "true", timeout = "10s" }
[step.lead]
needs = ["fence"]
run = "echo 500 > rate.new; mv rate.new rate; sleep 0.5; echo 10 > rate.new; mv rate.new rate; sleep 0.2"
timeout = "10s"
undo = { run = "true", timeout = "10s" }
"#;

#[test]
fn a_guard_may_say_between_which_steps_errors_are_meant() {
    Bench::new(SWITCHES).does(&["exec", "compare.toml"], 4);
    let meant = "probe.rate < 100 || steps.fence.outcome == 'done' && steps.lead.outcome != 'done'";
    Bench::new(&SWITCHES.replace("probe.rate < 100", meant)).does(&["exec", "compare.toml"], 0);
}

#[test]
fn a_guard_with_more_failures_than_a_pause_has_samples_outlasts_it() {
    let patient = SWITCHES.replace("[step.fence]", "failures = 1000\nof = 1000\n[step.fence]");
    Bench::new(&patient).does(&["exec", "compare.toml"], 0);
}
