//! `kill -9` at moments that nobody chose.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use super::bench::{Bench, Dice, kill, wait};

/// How often each shape is killed. The two shapes together: 200 moments.
const KILLS: u32 = 100;

/// A runbook of these steps, each with what it needs: each appends one line, and is not safe to be run twice.
fn appending(steps: &[(&str, &[&str])], keys: impl Fn(&str) -> String) -> String {
    let mut text = String::new();
    for (name, needs) in steps {
        let _ = write!(
            text,
            "[step.{name}]\nneeds = {needs:?}\nrun = \"sleep 0.01; echo {name} >> effects; sleep 0.02\"\n\
             undo = {{ run = \"echo undo {name} >> effects\" }}\n{}\n",
            keys(name)
        );
    }
    text
}

fn chain() -> Vec<(&'static str, &'static [&'static str])> {
    vec![
        ("a", &[]),
        ("b", &["a"]),
        ("c", &["b"]),
        ("d", &["c"]),
        ("e", &["d"]),
        ("f", &["e"]),
        ("g", &["f"]),
        ("h", &["g"]),
    ]
}

fn diamond() -> Vec<(&'static str, &'static [&'static str])> {
    vec![
        ("top", &[]),
        ("left", &["top"]),
        ("middle", &["top"]),
        ("right", &["top"]),
        ("waist", &["left", "middle", "right"]),
        ("west", &["waist"]),
        ("east", &["waist"]),
        ("bottom", &["west", "east"]),
    ]
}

/// Who is killed.
#[derive(Clone, Copy, PartialEq)]
enum Victims {
    Orchestrator,
    /// The keeper too, half of the time.
    Both,
}

/// Begins a run, kills whoever is to be killed again and again, and takes it up each time, until the run has ended
/// as it should.
fn crash_until_done(bench: &Bench, dice: &mut Dice, victims: Victims, kills: &mut u32, good: i32) {
    loop {
        let mut child = bench.spawn(bench.go_on());
        // Enough kills: this time it may finish.
        let patience = if *kills < KILLS { 10 + dice.below(150) } else { 60_000 };
        if let Some(status) = wait(&mut child, Duration::from_millis(patience)) {
            let exit = status.code().unwrap_or(-1);
            assert!(exit == good || bench.was_over(exit), "exit {exit} after {kills} kills\n{}", bench.story());
            return;
        }
        assert!(*kills < KILLS, "it does not end\n{}", bench.story());
        child.kill().expect("it is our child");
        child.wait().expect("it is our child");
        if victims == Victims::Both && dice.below(2) == 0 {
            bench.keepers().into_iter().for_each(kill);
        }
        *kills += 1;
    }
}

fn each_once(bench: &Bench, steps: &[(&str, &[&str])]) {
    let mut counted: BTreeMap<String, u32> = BTreeMap::new();
    for line in bench.effects() {
        *counted.entry(line).or_default() += 1;
    }
    let wanted: BTreeMap<String, u32> = steps.iter().map(|(name, _)| ((*name).to_owned(), 1)).collect();
    assert_eq!(counted, wanted, "{}", bench.story());
}

fn nothing_is_done_twice_and_nothing_is_in_doubt(steps: &[(&'static str, &'static [&'static str])], seed: u64) {
    let mut dice = Dice::new(seed);
    let mut kills = 0;
    while kills < KILLS {
        let bench = Bench::new(&appending(steps, |_| String::new()));
        crash_until_done(&bench, &mut dice, Victims::Orchestrator, &mut kills, 0);
        each_once(&bench, steps);
        let doubts: Vec<String> = bench.ends().into_iter().filter(|end| end.ends_with("in_doubt")).collect();
        assert!(doubts.is_empty(), "{doubts:?}\n{}", bench.story());
        assert_eq!(bench.started().len(), steps.len(), "a step ran twice\n{}", bench.story());
    }
}

#[test]
fn a_chain_whose_orchestrator_is_killed_anywhere_does_every_step_exactly_once() {
    nothing_is_done_twice_and_nothing_is_in_doubt(&chain(), 1);
}

#[test]
fn a_diamond_whose_orchestrator_is_killed_anywhere_does_every_step_exactly_once() {
    nothing_is_done_twice_and_nothing_is_in_doubt(&diamond(), 2);
}

/// A probe that sees a step's effect, and the step that asks it.
fn seen(steps: &[(&str, &[&str])]) -> String {
    let mut text = appending(steps, |name| format!("done_when = \"probe.has_{name}\""));
    for (name, _) in steps {
        let _ =
            write!(text, "[probe.has_{name}]\nrun = [\"grep\", \"-qsx\", \"{name}\", \"effects\"]\nbool = \"exit\"\n");
    }
    text
}

#[test]
fn with_the_keeper_killed_too_what_is_in_doubt_is_settled_by_looking_and_is_done_exactly_once() {
    for (steps, seed) in [(chain(), 3), (diamond(), 4)] {
        let mut dice = Dice::new(seed);
        let (mut kills, mut doubts) = (KILLS * 2 / 3, 0);
        while kills < KILLS {
            let bench = Bench::new(&seen(&steps));
            // `grep` gives 2, no data, where there is no file yet.
            std::fs::write(bench.path("effects"), "").expect("written");
            crash_until_done(&bench, &mut dice, Victims::Both, &mut kills, 0);
            each_once(&bench, &steps);
            doubts += bench.ends().iter().filter(|end| end.ends_with("in_doubt")).count();
        }
        println!("{doubts} attempts were in doubt");
    }
}

#[test]
fn with_the_keeper_killed_too_an_idempotent_step_runs_again_once_for_each_doubt() {
    let mut dice = Dice::new(5);
    let mut kills = KILLS * 3 / 4;
    while kills < KILLS {
        let steps = chain();
        let bench = Bench::new(&appending(&steps, |_| "idempotent = true".to_owned()));
        crash_until_done(&bench, &mut dice, Victims::Both, &mut kills, 0);
        let doubts = bench.ends().iter().filter(|end| end.ends_with("in_doubt")).count();
        for (name, _) in &steps {
            let lines = bench.effects().iter().filter(|line| line == name).count();
            assert!(lines >= 1 && lines <= 1 + doubts, "{name}: {lines} lines, {doubts} doubts\n{}", bench.story());
        }
        assert!(bench.started().len() <= steps.len() + doubts, "{}", bench.story());
    }
}

#[test]
fn with_the_keeper_killed_too_a_step_that_must_not_run_twice_pauses_the_run() {
    let bench = Bench::new(
        "[step.a]\nrun = \"echo a >> effects; sleep 20; echo late >> effects\"\nundo = { run = \"echo undo >> effects\" }\n\
         [step.b]\nneeds = [\"a\"]\nrun = \"echo b >> effects\"\nundo = { run = \"true\" }\n",
    );
    let mut child = bench.spawn(bench.go_on());
    bench.until("a has begun", || bench.effects() == ["a"]);
    child.kill().expect("it is our child");
    child.wait().expect("it is our child");
    bench.keepers().into_iter().for_each(kill);

    assert_eq!(bench.run(&["resume", "--no-wait", "--output", "plain"]), 7, "{}", bench.story());
    assert_eq!(bench.effects(), ["a"], "{}", bench.story());
    assert_eq!(bench.ends(), ["0.forward.1 in_doubt"], "{}", bench.story());
    assert!(bench.alive().is_empty(), "what was in doubt still runs\n{}", bench.story());
}

#[test]
fn a_rollback_during_which_everything_is_killed_undoes_every_step_exactly_once() {
    let mut dice = Dice::new(6);
    let mut kills = KILLS * 3 / 4;
    while kills < KILLS {
        let steps = &chain()[..4];
        let undone = |name: &str| {
            format!(
                "undo = {{ run = \"sleep 0.01; echo undo {name} >> effects; sleep 0.02\", done_when = \"probe.undid_{name}\" }}\n"
            )
        };
        let mut text = seen(steps);
        for (name, _) in steps {
            let before = format!("undo = {{ run = \"echo undo {name} >> effects\" }}\n");
            assert!(text.contains(&before));
            text = text.replace(&before, &undone(name));
            let _ = write!(
                text,
                "[probe.undid_{name}]\nrun = [\"grep\", \"-qsx\", \"undo {name}\", \"effects\"]\nbool = \"exit\"\n"
            );
        }
        text += "[step.boom]\nneeds = [\"d\"]\nrun = \"exit 1\"\non_doubt = \"rollback\"\nundo = { run = \"true\" }\n";
        let bench = Bench::new(&text);
        std::fs::write(bench.path("effects"), "").expect("written");
        crash_until_done(&bench, &mut dice, Victims::Both, &mut kills, 4);
        let wanted = ["a", "b", "c", "d", "undo d", "undo c", "undo b", "undo a"];
        assert_eq!(bench.effects(), wanted, "{}", bench.story());
    }
}

/// The keeper's test of the issue with a step of so many seconds.
fn a_step_outlives_its_orchestrator(seconds: u32) {
    let bench = Bench::new(&format!(
        "[step.long]\nrun = \"echo begun >> effects; sleep {seconds}; echo ended >> effects; echo said; echo blamed >&2\"\n\
         undo = {{ run = \"echo undo >> effects\" }}\n"
    ));
    let mut child = bench.spawn(bench.go_on());
    bench.until("the step runs", || bench.effects() == ["begun"]);
    child.kill().expect("it is our child");
    child.wait().expect("it is our child");

    assert_eq!(bench.run(&["resume", "--output", "plain"]), 0, "{}", bench.story());
    assert_eq!(bench.effects(), ["begun", "ended"], "{}", bench.story());
    assert_eq!(bench.started(), ["long.forward.1"]);
    assert_eq!(bench.ends(), ["0.forward.1 done"], "{}", bench.story());
    assert!(bench.evidence().contains("exit 0"), "{}", bench.story());
    assert_eq!(
        (bench.output("long.forward.1.out"), bench.output("long.forward.1.err")),
        ("said\n".into(), "blamed\n".into())
    );
}

#[test]
fn a_step_of_ten_seconds_whose_orchestrator_is_killed_has_run_exactly_once_and_its_exit_and_output_are_there() {
    a_step_outlives_its_orchestrator(10);
}

#[test]
fn a_step_that_ended_while_nobody_drove_the_run_has_its_exit_and_its_output() {
    let bench = Bench::new(
        "[step.short]\nrun = \"sleep 0.3; echo said; echo x >> effects; exit 4\"\nundo = { run = \"echo undo >> effects\" }\non_failure = \"stop\"\n",
    );
    let mut child = bench.spawn(bench.go_on());
    bench.until("the step runs", || bench.run_folder().is_some() && !bench.started().is_empty());
    child.kill().expect("it is our child");
    child.wait().expect("it is our child");
    bench.until("the step has ended", || bench.effects() == ["x"] && bench.alive().is_empty());

    assert_eq!(bench.run(&["resume", "--output", "plain"]), 5, "{}", bench.story());
    assert_eq!((bench.effects(), bench.ends()), (vec!["x".to_owned()], vec!["0.forward.1 failed".to_owned()]));
    assert!(
        bench.evidence().contains("exit 4") && bench.output("short.forward.1.out") == "said\n",
        "{}",
        bench.story()
    );
}
