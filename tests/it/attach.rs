//! `attach` at a terminal: it shows what the run's own terminal shows, and asks what that would ask. Through a real
//! pseudo-terminal.

use std::fs;
use std::process::Command;

use serde_json::Value as Json;

use super::prompt::{BINARY, CTRL_C, ENTER, GATE, HEAD, MANUAL, Terminal};

/// A run that another process drives, and a terminal that is attached to it.
fn attached(steps: &str) -> Terminal {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("asked.toml"), format!("{HEAD}{steps}")).expect("written");
    let mut exec = Command::new(BINARY);
    exec.args(["exec", "asked.toml", "--detach"]).current_dir(folder.path());
    let output = exec.env("RUNBOOK_STATE_DIR", folder.path().join("state")).output().expect("it runs");
    assert!(output.status.success(), "{output:?}");
    Terminal::at(folder, "attach")
}

/// A probe that somebody can spoil, and a guard on it.
const GUARD: &str = "[probe.fine]\nrun = [\"test\", \"!\", \"-e\", \"bad\"]\nbool = \"exit\"\ninterval = \"100ms\"\n\
                     [guard.fine]\nrequire = \"probe.fine\"\n";

/// Who has answered, and which way.
fn who_answered(terminal: &Terminal) -> Json {
    let runs = fs::read_dir(terminal.path("state/runs")).expect("runs").flatten();
    let journal = runs.map(|run| run.path().join("journal.jsonl")).next().expect("a run");
    let text = fs::read_to_string(journal).expect("readable");
    let answer = text.lines().find(|line| line.contains("gate_answered")).expect("an answer");
    serde_json::from_str::<Json>(answer).expect("JSON")["who"].clone()
}

#[test]
fn a_gate_is_asked_at_an_attached_terminal_and_the_answer_is_recorded_with_who_and_via() {
    let mut terminal = attached(GATE);
    terminal.sees("Cut over now?").sees("way back");
    terminal.choose(1);
    terminal.sees("code 0 over");
    let who = who_answered(&terminal);
    assert_eq!(who["via"], "socket", "{who}");
    assert!(who["user"].is_string(), "{who}");
    assert!(terminal.ends_with(0).contains("SUCCEEDED"));
}

#[test]
fn the_text_that_a_gate_wants_is_typed_at_an_attached_terminal_too() {
    let gate = GATE.replace("on_no_go = \"rollback\"", "on_no_go = \"rollback\", confirm = \"drop it\"");
    let mut terminal = attached(&gate);
    terminal.choose(1);
    terminal.sees("type `drop it` to go");
    terminal.press(&["drop", ENTER]).sees("that was not the text");
    terminal.choose(1);
    terminal.sees("type `drop it` to go");
    terminal.press(&["drop it", ENTER]);
    terminal.ends_with(0);
}

#[test]
fn an_answer_from_elsewhere_takes_the_question_off_an_attached_terminal() {
    let terminal = attached(GATE);
    terminal.sees("your answer");
    let output = terminal.elsewhere(&["no-go", "ready", "--reason", "not today"]);
    assert!(output.status.success(), "{output:?}");
    terminal.sees_no_more("your answer");
    terminal.ends_with(4);
}

#[test]
fn a_breach_takes_the_question_off_an_attached_terminal() {
    let terminal = attached(&format!("{GUARD}{GATE}"));
    terminal.sees("your answer");
    fs::write(terminal.path("bad"), "").expect("written");
    terminal.sees_no_more("your answer");
    terminal.ends_with(4);
}

#[test]
fn ctrl_c_at_a_question_leaves_the_attached_terminal_and_never_touches_the_run() {
    let mut terminal = attached(GATE);
    terminal.sees("your answer");
    terminal.press(&[CTRL_C]).sees("code 130 over");
    let status = terminal.elsewhere(&["status", "--json"]);
    let status: Json = serde_json::from_slice(&status.stdout).expect("an object");
    assert_eq!((&status["state"], &status["gates_open"][0]), (&"forward".into(), &"ready".into()));
    assert!(status["driven_by"]["pid"].is_number(), "{status}");
    assert!(terminal.elsewhere(&["go"]).status.success());
    terminal.ends_with(130);
}

#[test]
fn ctrl_c_without_a_question_leaves_too() {
    let mut terminal = attached(
        "[step.long]\nrun = \"while ! test -e enough; do sleep 0.05; done\"\neffect = \"none\"\ntimeout = \"1m\"\n",
    );
    terminal.sees("running");
    terminal.press(&[CTRL_C]).sees("code 130 over");
    fs::write(terminal.path("enough"), "").expect("written");
    terminal.ends_with(130);
}

#[test]
fn a_failed_step_is_decided_on_at_an_attached_terminal() {
    let mut terminal = attached("[step.shaky]\nrun = \"test -e mended\"\non_failure = \"pause\"\neffect = \"none\"\n");
    terminal.sees("paused").sees("skip it");
    fs::write(terminal.path("mended"), "").expect("written");
    terminal.choose(1);
    terminal.ends_with(0);
}

#[test]
fn a_persons_work_is_asked_for_at_an_attached_terminal() {
    let mut terminal = attached(MANUAL);
    terminal.sees("Press the red button").sees("it counts as failed");
    terminal.choose(1);
    terminal.sees("what it shows");
    terminal.press(&["green", ENTER]);
    terminal.ends_with(0);
}

#[test]
fn attach_and_status_show_what_is_measured_as_the_runs_own_terminal_does() {
    let steps = "[probe.lag]\nrun = \"cat lag\"\ninterval = \"100ms\"\nunit = \"bytes\"\n\
                 [guard.lag]\nrequire = \"probe.lag < 100\"\nfailures = 1000\nof = 1000\n\
                 [step.long]\nrun = \"while ! test -e enough; do sleep 0.05; done\"\neffect = \"none\"\ntimeout = \"1m\"\n";
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("asked.toml"), format!("{HEAD}{steps}")).expect("written");
    fs::write(folder.path().join("lag"), "42").expect("written");
    let mut exec = Command::new(BINARY);
    exec.args(["exec", "asked.toml", "--detach"]).current_dir(folder.path());
    let output = exec.env("RUNBOOK_STATE_DIR", folder.path().join("state")).output().expect("it runs");
    assert!(output.status.success(), "{output:?}");
    let terminal = Terminal::at(folder, "attach");
    terminal.sees("lag 42 bytes").sees("lag healthy");
    fs::write(terminal.path("lag"), "7000").expect("written");
    terminal.sees("lag 7000 bytes").sees("FAILING");
    let status = terminal.elsewhere(&["status"]);
    let text = String::from_utf8_lossy(&status.stdout).into_owned();
    assert!(text.contains("lag 7000 bytes") && text.contains("FAILING"), "{text}");
    let status = terminal.elsewhere(&["status", "--json"]);
    let status: Json = serde_json::from_slice(&status.stdout).expect("an object");
    assert_eq!((&status["probes"][0]["value"], &status["guards"][0]["health"]), (&"7000".into(), &"failing".into()));
    fs::write(terminal.path("enough"), "").expect("written");
    terminal.ends_with(0);
}

#[test]
fn a_secret_that_a_probe_prints_does_not_reach_the_file_of_samples() {
    let steps = "[vars]\npassword = { file = \"password\", secret = true }\n\
                 [probe.word]\nrun = \"cat password\"\ninterval = \"100ms\"\n\
                 [guard.word]\nrequire = \"probe.word < 1\"\nno_data = \"ignore\"\n\
                 [step.long]\nrun = \"until test -s state/runs/*/samples.jsonl; do sleep 0.05; done\"\neffect = \"none\"\ntimeout = \"1m\"\n";
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("password"), "swordfish").expect("written");
    fs::write(folder.path().join("asked.toml"), format!("{HEAD}{steps}")).expect("written");
    let mut exec = Command::new(BINARY);
    exec.args(["exec", "asked.toml"]).current_dir(folder.path());
    let output = exec.env("RUNBOOK_STATE_DIR", folder.path().join("state")).output().expect("it runs");
    assert!(output.status.success(), "{output:?}");
    let run = fs::read_dir(folder.path().join("state/runs")).expect("runs").flatten().next().expect("a run");
    let samples = fs::read_to_string(run.path().join("samples.jsonl")).expect("samples");
    assert!(samples.contains("\"no_data\":\"`[secret]` is not a number\""), "{samples}");
    assert!(!samples.contains("swordfish"), "{samples}");
}
