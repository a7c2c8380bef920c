//! Error budgets, through the binary: what is spent, what it leads to, and that a lost process forgets nothing of it.

use std::fs;

use serde_json::Value as Json;

use crate::baseline::Bench;

/// The probe `rate` of the bench is a counter here: it says 10 in the beginning.
const HEAD: &str = r#"
format = 1
[runbook]
name = "compare"
phases = ["cutover"]
timeout = "10m"
rollback_timeout = "10m"
[defaults]
timeout = "30s"
[probe.lost]
run = ["cat", "rate"]
interval = "20ms"
[probe.all]
run = ["cat", "all"]
interval = "20ms"
[step.change]
phase = "cutover"
run = "touch changed"
undo = { run = "rm -f changed" }
"#;

const READY: &str = r#"
[step.ready]
phase = "cutover"
needs = ["change"]
gate = { question = "Good?", expires = "10m", on_no_go = "rollback" }
"#;

/// A step that loses something, request by request.
const LOSES: &str = r#"
[step.loses]
phase = "cutover"
needs = ["change"]
run = "n=10; while true; do n=$((n + 1)); echo $n > rate.new && mv rate.new rate; sleep 0.02; done"
timeout = "10m"
effect = "none"
"#;

/// A step that is under way until it is stopped.
const LASTS: &str = r#"
[step.lasts]
phase = "cutover"
needs = ["change"]
run = "sleep 600"
timeout = "10m"
effect = "none"
"#;

fn bench(text: &str) -> Bench {
    let bench = Bench::new(text);
    fs::write(bench.path("all"), "1000\n").expect("written");
    bench
}

fn budget(allow: &str, more: &str) -> String {
    format!("[budget.lost]\nbad = \"lost\"\nallow = {allow}\nforecast = false\n{more}\n")
}

fn spent(status: &Json) -> Option<u64> {
    status["guards"][0]["spent"]["bad"].as_u64()
}

/// The records of the journal that say what was spent, in order.
fn noted(bench: &Bench) -> Vec<u64> {
    let runs = fs::read_dir(bench.path("state/runs")).expect("runs");
    let run = runs.map(|run| run.expect("a run").path()).find(|run| run.is_dir()).expect("a run");
    let journal = fs::read_to_string(run.join("journal")).or_else(|_| fs::read_to_string(run.join("journal.jsonl")));
    let journal = journal.expect("a journal");
    let records = journal.lines().filter_map(|line| serde_json::from_str::<Json>(line.trim_matches('\0')).ok());
    records.filter_map(|record| record["spent"]["lost"]["bad"]["grown"].as_u64()).collect()
}

#[test]
fn a_spent_budget_takes_the_run_back_and_the_record_says_how_much_was_spent() {
    let bench = bench(&format!("{HEAD}{LOSES}{}", budget("20", "")));
    let told = bench.does(&["exec", "compare.toml", "--output", "plain"], 4);
    assert!(told.contains("budget lost breached (probe.lost: 20 allowed); the run goes back"), "{told}");
    assert!(told.contains("21 of 20 spent (105%)") || told.contains("22 of 20 spent (110%)"), "{told}");
    assert!(!bench.path("changed").exists());
    let show = bench.does(&["show"], 0);
    assert!(show.contains("budget") && show.contains("of 20 spent"), "{show}");
    let status = bench.status();
    assert!(spent(&status) > Some(20), "{status}");
    let noted = noted(&bench);
    assert!(noted.is_sorted() && noted.first() == Some(&0) && noted.last() > Some(&20), "{noted:?}");
    assert!(noted.len() < 40, "a bounded number of records: {noted:?}");
}

#[test]
fn a_forecast_takes_the_run_back_before_the_budget_is_spent() {
    // More than one loss in two seconds would spend it in the ten minutes of the phase.
    let early = budget("400", "").replace("forecast = false", "forecast = \"200ms\"");
    let bench = bench(&format!("{HEAD}[phase.cutover]\ntimeout = \"10m\"\n{LASTS}{early}"));
    let _run = bench.begin(&["exec", "compare.toml"]);
    bench.waits_for("the first sample", |status| spent(status) == Some(0));
    // Each loss is seen before the next one: however slow the machine is, they never come to what is allowed.
    let is_back = |status: &Json| status["outcome"] == "rolled_back";
    for lost in (110..400).step_by(5) {
        bench.set(10 + lost);
        let told = |status: &Json| spent(status) == Some(lost.into()) || status["state"] != "forward";
        if bench.waits_for("the loss", told)["state"] != "forward" {
            break;
        }
    }
    let status = bench.waits_for("the way back", is_back);
    assert!(spent(&status) < Some(400), "{status}");
    let told = bench.does(&["show"], 0);
    assert!(told.contains("budget lost breached (probe.lost: 400 allowed)"), "{told}");
    assert!(told.contains("at the present rate"), "{told}");
    assert!(!bench.path("changed").exists());
}

#[test]
fn what_is_spent_survives_a_killed_process_and_a_counter_that_began_again_meanwhile() {
    let bench = bench(&format!("{HEAD}{READY}{}", budget("40", "")));
    let mut run = bench.begin(&["exec", "compare.toml"]);
    bench.waits_for("the first sample", |status| spent(status) == Some(0));
    bench.set(40);
    bench.waits_for("what was spent", |status| spent(status) == Some(30));
    run.0.kill().expect("it runs");
    drop(run);
    assert_eq!(spent(&bench.status()), Some(30), "nobody drives it, and it is known all the same");
    // The service was started anew, and has lost five since.
    bench.set(5);
    let _again = bench.begin(&["resume"]);
    bench.waits_for("what was spent since", |status| spent(status) == Some(35));
    bench.set(11);
    bench.waits_for("the way back", |status| status["outcome"] == "rolled_back");
    assert_eq!(spent(&bench.status()), Some(41));
    assert!(!bench.path("changed").exists());
}

#[test]
fn a_share_is_measured_against_all_that_happened() {
    let share = budget("\"10%\"", "total = \"all\"\ntotal_min = 50");
    let bench = bench(&format!("{HEAD}{READY}{share}"));
    let _run = bench.begin(&["exec", "compare.toml"]);
    bench.waits_for("the first sample", |status| spent(status) == Some(0));
    fs::write(bench.path("all.new"), "1400\n").expect("written");
    fs::rename(bench.path("all.new"), bench.path("all")).expect("moved");
    bench.waits_for("what is allowed", |status| status["guards"][0]["spent"]["allowed"] == 40);
    bench.set(50);
    let status = bench.waits_for("all of it spent", |status| spent(status) == Some(40));
    assert_eq!(status["guards"][0]["spent"]["percent"], 100, "{status}");
    assert_eq!(status["guards"][0]["health"], "healthy", "{status}");
    assert!(
        bench.does(&["status"], 0).contains("lost healthy, 40 of 40 spent (100%)"),
        "{}",
        bench.does(&["status"], 0)
    );
    bench.set(51);
    bench.waits_for("the way back", |status| status["outcome"] == "rolled_back");
}

#[test]
fn whoever_lets_a_run_go_on_with_a_spent_budget_is_not_stopped_by_it_again() {
    let pauses = budget("5", "on_breach = \"pause\"");
    let bench = bench(&format!("{HEAD}{READY}{pauses}"));
    let run = bench.begin(&["exec", "compare.toml"]);
    bench.waits_for("the first sample", |status| spent(status) == Some(0));
    bench.waits_for("the step", |status| status["steps"][0]["outcome"] == "done");
    bench.set(30);
    bench.waits_for("the pause", |status| status["state"] == "paused");
    drop(run);
    let _again = bench.begin(&["resume"]);
    bench.waits_for("a later sample", |status| status["guards"][0]["health"] == "healthy");
    bench.does(&["go"], 0);
    bench.waits_for("the end", |status| status["outcome"] == "succeeded");
    let told = bench.does(&["show", "--json"], 0);
    assert_eq!(told.matches("\"guard.breached\"").count(), 1, "{told}");
}

#[test]
fn a_plan_and_a_dry_run_tell_of_budgets() {
    let share = budget("0.001", "total = \"all\"");
    let bench = bench(&format!("{HEAD}{READY}{share}"));
    let plan = bench.does(&["plan", "compare.toml"], 0);
    assert!(plan.contains("lost: probe.lost: 0.1% of probe.all allowed; more goes back to the start"), "{plan}");
    assert!(plan.contains("budget `lost` is breached"), "{plan}");
    let dry = bench.does(&["exec", "compare.toml", "--dry-run"], 0);
    assert!(dry.contains("budget lost: its counters count"), "{dry}");
}
