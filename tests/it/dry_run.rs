//! `exec --dry-run`: it says what `exec` would refuse, and changes nothing. That its first level spawns nothing and connects
//! to nothing is seen from outside, by strace.

use std::fs;
use std::process::Command;

use super::cli::Bench;

const RUNBOOK: &str = r#"
format = 1
[runbook]
name = "look"
timeout = "1m"
rollback_timeout = "1m"
[vars]
secret_of_host = { run = ["hostname"] }
[probe.answers]
http = { url = "http://127.0.0.1:9/", json = "/x" }
[probe.exists]
run = ["test", "-e", "made"]
bool = "exit"
[step.make]
run = "touch made"
timeout = "5s"
done_when = "probe.exists"
require = ["probe.answers == 1"]
success = ["probe.exists"]
undo = { run = "rm -f made", timeout = "5s", success = ["!probe.exists"] }
"#;

#[test]
fn the_plan_level_of_a_dry_run_spawns_nothing_and_connects_to_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let (file, trace) = (folder.path().join("look.toml"), folder.path().join("trace"));
    fs::write(&file, RUNBOOK).expect("written");
    let output = Command::new("strace")
        .args(["-f", "-qq", "-e", "trace=execve,execveat,fork,vfork,clone,clone3,connect,bind,sendto", "-o"])
        .arg(&trace)
        .arg(env!("CARGO_BIN_EXE_runbook"))
        .args(["exec", "--dry-run=plan"])
        .arg(&file)
        .env("RUNBOOK_STATE_DIR", folder.path().join("state"))
        .output()
        .expect("strace is installed by scripts/install-rig");
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}");
    assert!(said.contains("make"), "{said}");
    assert!(!folder.path().join("made").exists() && !folder.path().join("state/runs").exists());

    let trace = fs::read_to_string(&trace).expect("a trace");
    let calls: Vec<&str> =
        trace.lines().filter(|line| !line.contains("+++") && !line.contains("CLONE_THREAD")).collect();
    // The one call is that of strace itself: it starts us.
    assert_eq!(calls.len(), 1, "{trace}");
    assert!(calls[0].contains("execve("), "{trace}");
}

const UP: &str = "[probe.up]\nrun = [\"sh\", \"-c\", \"if test -e up; then cat up; else echo refused >&2; echo more >&2; fi\"]\n\
                  interval = \"20ms\"\n";

const START: &str = "[step.start]\nrun = \"echo 1 > up\"\nsuccess = [\"probe.up == 1\"]\n\
                     undo = { run = \"rm -f up\", timeout = \"10s\" }\n[phase.first]\nsequence = [\"start\"]\n\
                     [step.more]\nrun = \"true\"\neffect = \"none\"\n[phase.second]\nsequence = [\"more\"]\n";

fn in_words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A runbook in phases, whose first step makes `probe.up` say something.
fn starting(more: &str) -> Bench {
    let bench = Bench::new(&format!("{UP}{more}{START}"));
    let text = fs::read_to_string(bench.path("verbs.toml")).expect("it is there");
    let phases = text.replace("[runbook]\n", "[runbook]\nphases = [\"first\", \"second\"]\n");
    fs::write(bench.path("verbs.toml"), phases).expect("written");
    bench
}

#[test]
fn a_probe_of_what_the_run_starts_itself_is_no_finding_and_says_who_reads_it_first() {
    let bench = starting("");
    let (out, _) = bench.does(&["exec", "--dry-run", "verbs.toml"], 0);
    let note = "no data probe up: `` is not a number (stderr: refused…); read first by step start";
    assert!(in_words(&out).contains(note), "{out}");
    assert!(out.contains("nothing was found that forbids a run"), "{out}");
    let (json, _) = bench.does(&["exec", "--dry-run", "--output", "json", "verbs.toml"], 0);
    assert!(json.contains("\"kind\":\"no data\""), "{json}");
    assert!(!bench.path("state").exists(), "a folder was made");
    bench.does(&["exec", "verbs.toml"], 0);
}

#[test]
fn what_has_no_data_is_a_finding_exactly_where_exec_refuses_for_it() {
    #[rustfmt::skip]
    let table = [
        ("[[preflight]]\nthat = \"probe.up == 1\"\n",                                                  3),
        ("[[preflight]]\nthat = \"!has(probe.up)\"\n",                                                 0),
        ("[guard.g]\nrequire = \"probe.up == 1\"\n",                                                   3),
        ("[guard.g]\nphases = [\"first\"]\nrequire = \"probe.up == 1\"\n",                            3),
        ("[guard.g]\nsteps = [\"start\"]\nrequire = \"probe.up == 1\"\n",                             3),
        ("[guard.g]\nphases = [\"second\"]\nrequire = \"probe.up == 1\"\n",                           0),
        ("[guard.g]\nrequire = \"probe.up == 1\"\non_breach = \"warn\"\n",                            0),
        ("[guard.g]\nrequire = \"probe.up == 1\"\nno_data = \"ignore\"\n",                            0),
        ("[baseline]\nprobes = [\"up\"]\nover = \"100ms\"\n",                                         3),
        ("[baseline]\nprobes = [\"up\"]\nover = \"100ms\"\nbefore = \"second\"\n",                   0),
    ];
    for (more, code) in table {
        let bench = starting(more);
        let (out, _) = bench.does(&["exec", "--dry-run", "verbs.toml"], code);
        assert_eq!(out.contains("1 finding"), code == 3, "{more}\n{out}");
        bench.does(&["exec", "verbs.toml"], code);
    }
}

#[test]
fn a_preflight_check_without_data_says_so_with_the_complaint_and_not_what_it_would_be_false_for() {
    let bench = starting("[[preflight]]\nthat = \"probe.up == 1\"\nsay = \"it is up already\"\n");
    let why = "there is no data: probe.up = no data (must be 1); probe.up: `` is not a number (stderr: refused…); \
               what it asks: it is up already";
    let (out, _) = bench.does(&["exec", "--dry-run", "verbs.toml"], 3);
    assert!(in_words(&out).contains(&format!("finding preflight: `probe.up == 1`: {why}")), "{out}");
    let (out, _) = bench.does(&["exec", "verbs.toml"], 3);
    assert!(in_words(&out).contains(&format!("run refused: nothing was started: {why}")), "{out}");
    fs::write(bench.path("up"), "2").expect("written");
    let (out, _) = bench.does(&["exec", "--dry-run", "verbs.toml"], 3);
    let fails = "`probe.up == 1` does not hold: it is up already: probe.up = 2 (must be 1)";
    assert!(in_words(&out).contains(fails), "{out}");
}

#[test]
fn what_an_earlier_run_leaves_in_the_way_is_said_first_and_refuses() {
    let gate = "[step.ready]\nneeds = [\"make\"]\n\
                gate = { question = \"Now?\", expires = \"10m\", on_no_go = \"stop\" }\n";
    let make = "[step.make]\nrun = \"touch made\"\nundo = { run = \"rm -f made\", timeout = \"10s\" }\n";
    let bench = Bench::new(&format!("{make}{gate}"));
    bench.does(&["exec", "verbs.toml", "--no-wait"], 7);
    let run = bench.run();
    for level in ["--dry-run", "--dry-run=plan"] {
        let first = |words: &[&str], code| {
            let (out, _) = bench.does(&[&["exec", level, "--output", "json", "verbs.toml"], words].concat(), code);
            out.lines().next().expect("a remark").to_owned()
        };
        let said = first(&[], 3);
        assert!(said.contains(&format!("run {run} is not finished; take it up: runbook resume {run}")), "{said}");
        assert!(first(&["--or-resume"], 0).contains("would be taken up"));
    }
    bench.does(&["stop"], 0);
    let first = |words: &[&str], code| {
        let (out, _) = bench.does(&[&["exec", "--dry-run", "--output", "json", "verbs.toml"], words].concat(), code);
        out.lines().next().expect("a remark").to_owned()
    };
    let said = first(&[], 3);
    assert!(said.contains("its way back is still open") && said.contains(&format!("say --close {run}")), "{said}");
    assert!(first(&["--close", &run], 0).contains("would be closed"));
    let (_, err) = bench.does(&["exec", "verbs.toml"], 3);
    assert!(err.contains("its way back is still open"), "the dry run has closed it: {err}");
    bench.does(&["rollback", &run], 0);
    assert!(!first(&[], 0).contains("earlier runs"));
}
