//! What guards tell beside their breaches, through the binary.

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
