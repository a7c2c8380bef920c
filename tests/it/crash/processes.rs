//! Processes of steps, from the runbook to the end: nothing is left alive that should not be, nothing is killed that should
//! live.

use std::fs;

use super::bench::Bench;

/// A runbook of one step with these keys; a failure ends the run where it is.
fn step(keys: &str) -> String {
    format!("[step.it]\n{keys}\nundo = {{ run = \"echo undo >> effects\" }}\non_failure = \"stop\"\n")
}

fn exec(bench: &Bench) -> i32 {
    bench.run(&["exec", "crash.toml", "--output", "plain"])
}

#[test]
fn a_step_that_ignores_term_is_killed_with_all_that_it_started() {
    let keys = "run = \"trap '' TERM; sleep 60 & sleep 60 & echo begun >> effects; while :; do sleep 0.1; done\"\n\
        timeout = \"1s\"\nkill_after = \"300ms\"";
    let bench = Bench::new(&step(keys));
    assert_eq!(exec(&bench), 5, "{}", bench.story());
    assert_eq!((bench.effects(), bench.ends()), (vec!["begun".to_owned()], vec!["0.forward.1 unknown".to_owned()]));
    assert!(bench.evidence().contains("timeout of 1s"), "{}", bench.story());
    assert!(bench.alive().is_empty(), "{}", bench.story());
}

/// Twice removed from the step, in a session of its own.
const DAEMON: &str = "(setsid sh -c 'echo up >> effects; exec sleep 60' > /dev/null 2>&1 &) ; while ! test -s effects; do sleep 0.01; done";

#[test]
fn a_daemon_that_a_step_started_is_left_alone_and_named() {
    let bench = Bench::new(&step(&format!("run = \"{DAEMON}\"")));
    assert_eq!(exec(&bench), 0, "{}", bench.story());
    assert_eq!(bench.alive().len(), 1, "{}", bench.story());
    assert!(bench.evidence().contains("left alone, with a session of its own: s"), "{}", bench.story());
}

#[test]
fn a_daemon_goes_with_its_step_where_the_step_says_that_survivors_are_killed() {
    let bench = Bench::new(&step(&format!("run = \"{DAEMON}\"\nsurvivors = \"kill\"")));
    assert_eq!(exec(&bench), 0, "{}", bench.story());
    assert!(bench.alive().is_empty(), "{}", bench.story());
    assert!(bench.evidence().contains("stopped what it left running: s"), "{}", bench.story());
}

#[test]
fn what_a_step_forgot_in_the_background_is_stopped_and_named() {
    let bench = Bench::new(&step("run = \"sleep 60 & echo said\""));
    assert_eq!(exec(&bench), 0, "{}", bench.story());
    assert_eq!((bench.alive(), bench.output("it.forward.1.out")), (vec![], "said\n".to_owned()), "{}", bench.story());
    assert!(bench.evidence().contains("stopped what it left running: sleep"), "{}", bench.story());
}

#[test]
fn a_flood_of_output_is_read_to_its_end_and_its_head_and_tail_are_kept() {
    let keys = "run = \"echo first; head -c 200000000 /dev/zero; echo; echo last; echo done >> effects\"";
    let bench = Bench::with("output_max = \"1MiB\"\n", &step(keys));
    assert_eq!(exec(&bench), 0, "{}", bench.story());
    assert_eq!(bench.effects(), ["done"]);
    let kept = fs::read(bench.run_folder().expect("a run").join("steps/it.forward.1.out")).expect("it is kept");
    assert!(kept.len() < (1 << 20) + 1024, "{} bytes are kept", kept.len());
    assert!(kept.starts_with(b"first\n") && kept.ends_with(b"\nlast\n"));
}

#[test]
fn a_step_that_closes_its_output_is_not_over_before_it_ends() {
    let bench = Bench::new(&step("run = \"exec >&- 2>&-; sleep 0.5; echo late >> effects; exit 3\""));
    assert_eq!(exec(&bench), 5, "{}", bench.story());
    assert_eq!(bench.effects(), ["late"], "{}", bench.story());
    assert!(bench.evidence().contains("exit 3"), "{}", bench.story());
}

#[test]
fn a_daemon_started_by_a_step_survives_it_its_run_and_the_keeper() {
    // One that is quiet, and one that goes on writing to the output of its step.
    let beat = "while :; do echo beat >> beats; echo beat; sleep 0.05; done";
    let quiet = Bench::new(&step(&format!("run = \"setsid sh -c '{beat}' > /dev/null 2>&1 & sleep 0.3\"")));
    let chatty = Bench::new(&step(&format!("run = \"setsid sh -c '{beat}' & sleep 0.3\"")));
    for bench in [&quiet, &chatty] {
        assert_eq!(exec(bench), 0, "{}", bench.story());
    }
    for keeper in quiet.keepers() {
        let name = fs::read_to_string(format!("/proc/{keeper}/comm")).expect("it stays for ten seconds");
        assert_eq!(name, "runbook-keeper\n", "what `ps`, `top` and systemd call it");
    }
    // A keeper stays for ten seconds; then nobody listens any more, and a process stays only where a pipe is to be read.
    quiet.until("the keeper is gone", || quiet.keepers().is_empty());
    let socket = chatty.run_folder().expect("a run").join("keeper.sock");
    chatty.until("the keeper listens no more", || !socket.exists());
    for bench in [&quiet, &chatty] {
        let beats = bench.read("beats").len();
        bench.until("the daemon still beats", || bench.read("beats").len() > beats + 20);
    }
}
