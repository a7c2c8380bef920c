//! `exec --dry-run=plan` spawns nothing and connects to nothing: seen from outside, by strace.

use std::fs;
use std::process::Command;

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
