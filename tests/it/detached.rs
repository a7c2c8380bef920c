//! `--detach`: the run goes on in a process of its own, which outlives the terminal.

use std::fs;
use std::time::{Duration, Instant};

use portable_pty::{CommandBuilder, PtySize, native_pty_system};
use serde_json::Value as Json;

use super::cli::Bench;

const GATED: &str = "[step.make]\nrun = \"touch made\"\nundo = { run = \"rm -f made\", timeout = \"10s\" }\n\
                     [step.ready]\nneeds = [\"make\"]\n\
                     gate = { question = \"Now?\", expires = \"10m\", on_no_go = \"rollback\" }\n\
                     [step.last]\nneeds = [\"ready\"]\nrun = \"touch last\"\n\
                     undo = { run = \"rm -f last\", timeout = \"10s\" }\n";

fn status(bench: &Bench) -> Json {
    serde_json::from_str(&bench.does(&["status", "--json"], 0).0).expect("an object")
}

/// Waits until the status of the run is so.
fn until(bench: &Bench, what: &str, so: impl Fn(&Json) -> bool) -> Json {
    let began = Instant::now();
    loop {
        let status = status(bench);
        if so(&status) {
            return status;
        }
        assert!(began.elapsed() < Duration::from_mins(1), "never: {what}; {status}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn gate_is_open(status: &Json) -> bool {
    status["gates_open"][0] == "ready"
}

fn is_over(status: &Json) -> bool {
    status["driven_by"].is_null()
}

#[test]
fn a_detached_run_has_begun_when_the_command_returns_and_its_gate_is_answered_from_elsewhere() {
    let bench = Bench::new(GATED);
    let said = bench.does(&["exec", "verbs.toml", "--detach", "--output", "json"], 0).0;
    let said: Json = serde_json::from_str(said.lines().last().expect("a line")).expect("an object");
    assert_eq!(said["run"], bench.run());
    let status = until(&bench, "the gate opens", gate_is_open);
    assert_eq!(status["driven_by"]["pid"], said["pid"]);
    let pid = i32::try_from(said["pid"].as_i64().expect("a number")).expect("a process number");
    let session = rustix::process::getsid(rustix::process::Pid::from_raw(pid)).expect("it lives");
    assert_eq!(session.as_raw_nonzero().get(), pid, "it leads no session of its own");
    assert_eq!(fs::read_link(format!("/proc/{pid}/fd/0")).expect("it has one").to_str(), Some("/dev/null"));
    bench.does(&["go", "ready"], 0);
    assert_eq!(until(&bench, "the end", is_over)["state"], "succeeded");
    assert!(bench.path("last").exists());
}

#[test]
fn a_detached_run_that_is_refused_says_why_where_it_was_started_with_the_same_code() {
    let preflight = "[[preflight]]\nthat = \"probe.there\"\nsay = \"the old server is gone\"\n\
                     [probe.there]\nrun = [\"test\", \"-e\", \"old\"]\nbool = \"exit\"\n";
    let bench = Bench::new(&format!("{preflight}{GATED}"));
    let (out, err) = bench.does(&["exec", "verbs.toml", "--detach"], 3);
    assert!(out.contains("the old server is gone") && !out.contains("goes on by itself"), "{out}\n{err}");
    let (_, err) = bench.does(&["exec", "nothing.toml", "--detach"], 2);
    assert!(err.contains("could not read `nothing.toml`"), "{err}");
    bench.does(&["exec", "verbs.toml", "--detach", "--dry-run"], 2);
}

#[test]
fn a_run_that_breaches_before_its_first_step_is_refused_to_whoever_detached_it() {
    let guard = "[probe.fine]\nrun = [\"test\", \"-e\", \"fine\"]\nbool = \"exit\"\ninterval = \"50ms\"\n\
                 [guard.fine]\nrequire = \"probe.fine\"\n";
    let bench = Bench::new(&format!("{guard}{GATED}"));
    let out = bench.does(&["exec", "verbs.toml", "--detach"], 3).0;
    assert!(out.contains("REFUSED"), "{out}");
    assert!(!bench.path("made").exists());
}

#[test]
fn a_secret_reaches_a_detached_run_by_its_environment_and_stands_on_no_command_line() {
    let bench = Bench::new(&format!(
        "{GATED}[vars.password]\nsecret = true\nenv = \"DETACHED_PASSWORD\"\n\
         [step.uses]\nneeds = [\"last\"]\nrun = 'test \"$RUNBOOK_VAR_PASSWORD\" = swordfish'\neffect = \"none\"\n"
    ));
    let words = ["exec", "verbs.toml", "--detach"];
    bench.does_with(&[("DETACHED_PASSWORD", "swordfish")], &words, 0);
    let status = until(&bench, "the gate opens", gate_is_open);
    let line = fs::read(format!("/proc/{}/cmdline", status["driven_by"]["pid"])).expect("it lives");
    let line = String::from_utf8_lossy(&line);
    assert!(line.contains("verbs.toml") && !line.contains("swordfish"), "{line}");
    bench.does(&["go", "ready"], 0);
    assert_eq!(until(&bench, "the end", is_over)["state"], "succeeded");
}

#[test]
fn a_detached_run_outlives_its_terminal_and_can_be_taken_up_detached() {
    let bench = Bench::new(GATED);
    let pair = native_pty_system().openpty(PtySize::default()).expect("a terminal");
    let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_runbook"));
    command.args(["exec", "verbs.toml", "--detach"]);
    command.cwd(bench.path("."));
    command.env("RUNBOOK_STATE_DIR", bench.path("state"));
    let mut child = pair.slave.spawn_command(command).expect("it starts");
    drop(pair.slave);
    assert_eq!(child.wait().expect("it ends").exit_code(), 0);
    drop(pair.master);
    let driven = until(&bench, "the gate opens", gate_is_open);
    let pid = driven["driven_by"]["pid"].as_i64().and_then(|pid| i32::try_from(pid).ok()).expect("a process");
    let process = rustix::process::Pid::from_raw(pid).expect("a process");
    rustix::process::kill_process(process, rustix::process::Signal::TERM).expect("it lives");
    until(&bench, "its process has left", is_over);

    let said = bench.does(&["resume", "--detach"], 0).0;
    assert!(said.contains("nobody has driven it") && said.contains("goes on by itself"), "{said}");
    until(&bench, "the gate is open again", gate_is_open);
    bench.does(&["no-go", "ready"], 0);
    assert_eq!(until(&bench, "the end", is_over)["state"], "rolled_back");
}

#[test]
fn a_signal_ends_the_watching_of_a_run_that_has_succeeded_whatever_the_runbook_says_of_signals() {
    let bench = Bench::new("[step.make]\nrun = \"touch made\"\nundo = { run = \"rm -f made\", timeout = \"10s\" }\n");
    let text = fs::read_to_string(bench.path("verbs.toml")).expect("readable");
    let keys = "[runbook]\non_interrupt = \"rollback\"\nrollback_window = \"1h\"\n";
    fs::write(bench.path("verbs.toml"), text.replace("[runbook]\n", keys)).expect("written");
    bench.does(&["exec", "verbs.toml", "--detach", "--stay"], 0);
    let driven = until(&bench, "success", |status| status["state"] == "succeeded");
    let pid = driven["driven_by"]["pid"].as_i64().and_then(|pid| i32::try_from(pid).ok()).expect("it stays");
    assert!(bench.does(&["status"], 0).0.contains("watching: the ways back"));
    // A new run would close what is watched.
    let refused = bench.does(&["exec", "verbs.toml"], 3).1;
    assert!(refused.contains("still watches its ways back") && refused.contains(&format!("kill {pid}")), "{refused}");
    let process = rustix::process::Pid::from_raw(pid).expect("a process");
    rustix::process::kill_process(process, rustix::process::Signal::TERM).expect("it lives");
    let left = until(&bench, "its process has left", is_over);
    assert_eq!((&left["state"], &left["way_back_closed"]), (&"succeeded".into(), &false.into()));
    assert!(bench.path("made").exists());
    let refused = bench.does(&["exec", "verbs.toml"], 3).1;
    assert!(refused.contains("--close"), "{refused}");
}
