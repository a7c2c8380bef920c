//! The processes of runs, found by what they carry with them.

use std::fs;
use std::path::Path;
use std::process::Child;

/// The keepers of runs in this state folder.
pub(crate) fn keepers(state: &Path) -> Vec<i32> {
    let state = state.as_os_str().as_encoded_bytes();
    let keeps = |line: &[u8]| {
        let words: Vec<&[u8]> = line.split(|byte| *byte == 0).collect();
        words.get(1) == Some(&b"__keeper".as_slice()) && words.get(3).is_some_and(|dir| dir.starts_with(state))
    };
    pids().filter(|pid| fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| keeps(&line)) && runs(*pid)).collect()
}

/// Processes that steps of runs in this state folder have started, and what those have started.
pub(crate) fn of_steps(state: &Path) -> Vec<i32> {
    let tag = format!("RUNBOOK_RUN_DIR={}/", state.display());
    let tagged = |text: &[u8]| text.split(|byte| *byte == 0).any(|pair| pair.starts_with(tag.as_bytes()));
    pids()
        .filter(|pid| fs::read(format!("/proc/{pid}/environ")).is_ok_and(|text| tagged(&text)) && runs(*pid))
        .collect()
}

/// As if the host had gone down: a run, its keeper, and what its steps have started.
pub(crate) fn kill_all(run: &mut Child, state: &Path) {
    // The keepers first, so that none of them records an end.
    keepers(state).into_iter().for_each(kill);
    run.kill().expect("it is our child");
    run.wait().expect("it ends");
    of_steps(state).into_iter().for_each(kill);
}

/// SIGKILL.
pub(crate) fn kill(pid: i32) {
    if let Some(pid) = rustix::process::Pid::from_raw(pid) {
        // One that has just ended needs no killing.
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
    }
}

/// Whether a process is there and no zombie.
pub(crate) fn runs(pid: i32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(')').next().and_then(|rest| rest.split_ascii_whitespace().next()).is_some_and(|state| state != "Z")
}

fn pids() -> impl Iterator<Item = i32> {
    let entries = fs::read_dir("/proc").expect("every Linux has /proc");
    entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
}
