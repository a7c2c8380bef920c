//! What `plan` and `graph` say of a runbook.

use std::io::Write as _;
use std::process::{Command, Stdio};

use insta::assert_snapshot;
use runbook::model::{Bounds, Plan};
use runbook::report::{graph, plan as page};
use runbook::syntax::read;

const MIGRATION: &str = r#"
format = 1
[runbook]
name = "orders"
version = "2"
summary = "Move the \"orders\" \\ and nothing <else>, which takes a longer line than there are columns"
phases = ["warmup", "cutover", "complete"]
timeout = "1h"
rollback_timeout = "5m"
max_parallel = 2
restored = [{ that = "probe.old_ok", within = "20s" }]
[defaults]
timeout = "1m"
kill_after = "5s"
[probe.old_ok]
run = ["./old-ok"]
bool = "exit"
[guard.errors]
phases = ["cutover"]
require = "probe.old_ok"
[phase.warmup]
sequence = [["copy", "prewarm"], "compare"]
timeout = "20m"
success = ["probe.old_ok"]
[phase.cutover]
summary = "The moment itself"
sequence = ["ready", "fence", "promote"]
timeout = "10m"
window = { open = ["Sat 01:00-05:00"], zone = "Europe/Berlin" }
interrupts = { what = "writes", from = "fence", to = "promote" }
[phase.complete]
sequence = ["sign_off", "drop_old"]
on_failure = "pause"
[step.copy]
summary = "Everything that is older than the beginning of this run is there, too"
run = "./copy --all\n./copy --rest"
timeout = "8m"
retry = { attempts = 2, delay = "10s" }
idempotent = true
success = ["probe.old_ok"]
undo = { run = ["rm", "-rf", "/srv/new"], success = ["probe.old_ok"] }
[step.prewarm]
run = ["./prewarm"]
effect = "none"
[step.compare]
wait = { until = "probe.old_ok", within = "30s" }
[step.ready]
gate = { question = "Cut over now?", expires = "30m", on_no_go = "rollback" }
[step.fence]
run = ["./fence", "old"]
success = ["probe.old_ok"]
undo = { run = ["./unfence", "old"], success = ["probe.old_ok"] }
[step.promote]
run = ["./promote", "new"]
success = ["probe.old_ok"]
undo = { run = ["./demote", "new"], success = ["probe.old_ok"] }
on_failure = { rollback_to = "warmup", then = "pause" }
[step.sign_off]
gate = { question = "Destroy the old one?", expires = "48h", on_no_go = "stop" }
[step.drop_old]
run = ["./drop", "old"]
success = ["probe.old_ok"]
effect = "irreversible"
"#;

fn migration() -> (Plan, Bounds) {
    let reading = read(MIGRATION);
    assert!(reading.problems.is_empty(), "{:#?}", reading.problems);
    let plan = reading.plan.expect("it has no problem");
    let bounds = Bounds::of(&plan);
    (plan, bounds)
}

fn text(columns: usize) -> String {
    let (plan, bounds) = migration();
    let lines = page::lines(&plan, &bounds, columns, &str::to_owned);
    assert!(lines.iter().all(|line| line.width() <= columns));
    let lines: Vec<String> = lines.iter().map(|line| line.to_string().trim_end().to_owned()).collect();
    lines.join("\n")
}

#[test]
fn a_person_reads_the_plan_at_80_columns() {
    assert_snapshot!(text(80), @r##"
    orders 2: Move the "orders" \ and nothing <else>, which takes a longer line than
      there are columns
      way forward    at most 21m 37s of machine time, 2 at once (timeout 1h)
      way back       3 undos, at most 4m 10s (promised: 5m)
      no return      drop_old: behind it there is only the way forward
      longest path   copy > compare > fence > promote > drop_old
      guard          errors: probe.old_ok; 2 of 3 failing goes back to the start

    Phase warmup
      way forward    at most 17m 52s (timeout 20m)
      * copy      Everything that is older than the beginning of this run is there,
                  too
                  run ./copy --all; ./copy --rest
                  2 attempts, at most 16m 40s; undo: run rm -rf /srv/new
                  way back from here: 1 undo, at most 1m 40s
        prewarm   run ./prewarm
                  at most 1m 5s
                  way back from here: 1 undo, at most 1m 40s
      * compare   wait, at most 30s
                  after copy, prewarm; at most 30s
                  way back from here: 1 undo, at most 1m 35s
      success        probe.old_ok

    Phase cutover: The moment itself
      way forward    at most 2m 30s (timeout 10m)
      window         Sat 01:00-05:00 (Europe/Berlin); latest safe start 6m 40s
                     before it closes
      interrupts     writes from fence to promote
      ? ready     gate Cut over now?
                  waits 30m for an answer
                  way back from here: 1 undo, at most 1m 35s
      * fence     run ./fence old
                  at most 1m 15s; undo: run ./unfence old
                  way back from here: 2 undos, at most 2m 55s
      * promote   run ./promote new
                  at most 1m 15s; undo: run ./demote new
                  way back from here: 3 undos, at most 4m 10s

    Phase complete
      way forward    at most 1m 15s
      ? sign_off  gate Destroy the old one?
                  waits 2d for an answer
                  way back from here: 3 undos, at most 4m 5s
      ! drop_old  run ./drop old
                  at most 1m 15s; cannot be undone
                  way back from here: none once drop_old has started

    When something goes wrong
      `ready` is answered no: back to the start: 1 undo, at most 1m 35s
      `promote` fails: back to the end of phase warmup, then pause: 2 undos, at most
        2m 45s
      phase `warmup` fails: back to the start: 1 undo, at most 1m 40s
      phase `cutover` fails: back to the start: 3 undos, at most 4m 10s
      guard `errors` is breached: back to the start: 3 undos, at most 4m 10s
      the run's timeout passes: back to the start: 3 undos, at most 4m 10s
      `sign_off` is answered no: the run stops
      `drop_old` fails: the run pauses
      any other step fails: back to the start

    * longest path   ? people are asked   ! cannot be undone
    "##);
}

#[test]
fn no_width_breaks_the_plan() {
    for columns in [1, 10, 20, 40, 200] {
        assert!(!text(columns).is_empty());
    }
}

#[test]
fn the_graph_is_one_line_a_step() {
    let (plan, bounds) = migration();
    assert_snapshot!(graph::as_text(&plan, &bounds), @r##"
    orders
      phase warmup
        copy
        prewarm
        compare [wait] <- copy, prewarm
      phase cutover <- warmup
        ready [gate]
        fence <- ready
        promote <- fence
      phase complete <- cutover
        sign_off [gate]
        drop_old [irreversible] <- sign_off
      promote ~> the end of phase warmup (on failure)
    "##);
}

#[test]
fn graphviz_accepts_the_graph() {
    let (plan, bounds) = migration();
    let spawned = Command::new("dot").args(["-Tsvg"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let Ok(mut dot) = spawned else { return eprintln!("no graphviz here: not tested") };
    let mut to = dot.stdin.take().expect("it was piped");
    to.write_all(graph::as_dot(&plan, &bounds).as_bytes()).expect("it reads");
    drop(to);
    let output = dot.wait_with_output().expect("it ends");
    let svg = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success());
    for step in plan.steps() {
        assert!(svg.contains(&format!(">{}</text>", step.name)), "{}", step.name);
    }
}

#[test]
fn mermaid_gets_labels_that_cannot_end_early() {
    let (plan, bounds) = migration();
    assert_snapshot!(graph::as_mermaid(&plan, &bounds), @r##"
    flowchart LR
      subgraph p0["warmup"]
        s0("copy")
        s1("prewarm")
        s2("compare")
        e0((" "))
      end
      subgraph p1["cutover"]
        s3{"ready"}
        s4("fence")
        s5("promote")
        e1((" "))
      end
      subgraph p2["complete"]
        s6{"sign_off"}
        s7[["drop_old"]]
        e2((" "))
      end
      s0 --> s2
      s1 --> s2
      e0 --> s3
      s3 --> s4
      s4 --> s5
      e1 --> s6
      s6 --> s7
      s2 --> e0
      s5 --> e1
      s7 --> e2
      s5 -. "on failure" .-> e0
    "##);
}

#[test]
fn a_machine_reads_the_plan_in_milliseconds() {
    let (plan, bounds) = migration();
    let json = page::as_json(&plan, &bounds);
    assert_eq!(json["rollback_timeout_ms"], 300_000);
    assert_eq!(json["no_return"], serde_json::json!(["drop_old"]));
    assert_eq!(json["steps"][5]["name"], "promote");
    assert_eq!(json["steps"][5]["way_back"]["undos"], 3);
    assert_eq!(json["steps"][7]["way_back"]["closed_by"], "drop_old");
    assert_eq!(json["phases"][1]["window"]["zone"], "Europe/Berlin");
}
