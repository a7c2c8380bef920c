//! `kill -9` at every write, sync and message: strace kills the orchestrator as it enters each of these calls for the Nth
//! time, for every N.

use std::process::ExitStatus;

use super::bench::{BINARY, Bench};

/// Everything by which the orchestrator changes a file or tells its keeper something.
const CALLS: &[&str] = &["mkdir", "rename", "write", "pwrite64", "fsync", "fdatasync", "ftruncate", "sendto", "clone3"];

/// Runs it under strace with an end as it makes this call for the Nth time; `true` if it came to that.
fn killed_at(bench: &Bench, call: &str, n: u32, words: &[&str]) -> (bool, ExitStatus) {
    let inject = format!("inject={call}:signal=SIGKILL:when={n}");
    let trace = format!("trace={call}");
    let mut all = vec!["-qq", "-o", "/dev/null", "-e", &trace, "-e", &inject, BINARY];
    all.extend(words);
    let status = bench.command("strace", &all).status().expect("strace is installed (apt-get install strace)");
    let killed = std::os::unix::process::ExitStatusExt::signal(&status) == Some(9);
    (killed, status)
}

/// For every call and every N until the run finishes: begins it, kills it there, takes it up, and looks at the effects.
/// `before` brings a new bench to where that begins.
fn at_every(calls: &[&str], tables: &str, exit: i32, effects: &[&str], before: impl Fn(&Bench)) {
    let mut moments = 0;
    for call in calls {
        for n in 1.. {
            let bench = Bench::new(tables);
            before(&bench);
            let (killed, status) = killed_at(&bench, call, n, bench.go_on());
            if !killed {
                assert_eq!(status.code(), Some(exit), "{}", bench.story());
                moments += n - 1;
                break;
            }
            let words = bench.go_on();
            let ended = bench.run(words);
            assert!(
                ended == exit || bench.was_over(ended),
                "at {call} {n}, {words:?}: exit {ended}\n{}",
                bench.story()
            );
            assert_eq!(bench.effects(), effects, "killed at {call} {n}\n{}", bench.story());
        }
    }
    println!("{moments} moments");
    assert!(moments > 10, "only {moments} calls were seen");
}

const FORWARD: &str = "[step.a]\nrun = \"echo a >> effects\"\nundo = { run = \"echo undo a >> effects\" }\n\
    [step.b]\nneeds = [\"a\"]\nrun = \"echo b >> effects\"\nundo = { run = \"echo undo b >> effects\" }\n";

#[test]
fn killed_at_any_write_of_the_way_forward_a_run_does_every_step_exactly_once() {
    at_every(CALLS, FORWARD, 0, &["a", "b"], |_| {});
}

#[test]
fn killed_at_any_write_of_the_journal_a_rollback_undoes_everything_exactly_once() {
    let failing = format!(
        "{FORWARD}[step.c]\nneeds = [\"b\"]\nrun = \"echo c >> effects; exit 1\"\nundo = {{ run = \"echo undo c >> effects\" }}\n"
    );
    let effects = ["a", "b", "c", "undo c", "undo b", "undo a"];
    at_every(&["pwrite64", "fdatasync", "sendto"], &failing, 4, &effects, |_| {});
}

#[test]
fn killed_at_any_write_while_it_is_taken_up_a_run_is_taken_up_again() {
    at_every(CALLS, FORWARD, 0, &["a", "b"], |bench| {
        // It has just told the keeper to start `a`, or was about to.
        let (killed, _) = killed_at(bench, "sendto", 1, bench.go_on());
        assert!(killed, "{}", bench.story());
    });
}

#[test]
fn a_run_that_was_killed_at_any_write_of_its_beginning_is_found_by_the_next_one() {
    let mut found = 0;
    for call in CALLS {
        for n in 1.. {
            let bench = Bench::new(FORWARD);
            let (killed, _) = killed_at(&bench, call, n, bench.go_on());
            if !killed || !bench.effects().is_empty() {
                break;
            }
            let begun = bench.run_folder();
            let exit = bench.run(&["exec", "crash.toml", "--output", "plain"]);
            let wanted = if begun.is_some() { 3 } else { 0 };
            assert_eq!(exit, wanted, "killed at {call} {n}, begun: {begun:?}\n{}", bench.screen());
            found += u32::from(begun.is_some());
            assert_eq!(bench.screen().contains("is not finished"), begun.is_some(), "{}", bench.screen());
        }
    }
    assert!(found > 2, "only {found} runs had begun");
}
