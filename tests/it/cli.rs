//! Verbs, exit codes and messages, through the binary.

use std::fs;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::time::Duration;

use assert_cmd::Command;
use runbook::drive::live::clock;
use runbook::journal::lock::{Holder, Lock};
use runbook::model::RunId;
use serde_json::Value as Json;

const PATIENCE: Duration = Duration::from_mins(1);

const HEAD: &str = "format = 1\n[runbook]\nname = \"verbs\"\ntimeout = \"10m\"\nrollback_timeout = \"10m\"\n\
                    [defaults]\ntimeout = \"30s\"\nkill_after = \"1s\"\n";

const MAKE: &str = "[step.make]\nrun = \"echo made; touch made\"\nundo = { run = \"rm -f made\", timeout = \"10s\" }\n";

const GATE: &str = "[step.ready]\nneeds = [\"make\"]\n\
                    gate = { question = \"Now?\", expires = \"10m\", on_no_go = \"stop\" }\n";

/// A folder with a runbook and its runs.
pub(super) struct Bench(tempfile::TempDir);

impl Bench {
    pub(super) fn new(steps: &str) -> Self {
        let bench = Self(tempfile::tempdir().expect("a folder"));
        fs::write(bench.path("verbs.toml"), format!("{HEAD}{steps}")).expect("written");
        bench
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(super) fn does(&self, words: &[&str], code: i32) -> (String, String) {
        self.does_with(&[], words, code)
    }

    /// The same with these environment variables.
    pub(super) fn does_with(&self, env: &[(&str, &str)], words: &[&str], code: i32) -> (String, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_runbook"));
        command.envs(env.iter().copied());
        command.args(words).current_dir(self.0.path()).env("RUNBOOK_STATE_DIR", self.path("state"));
        // One that waits for people waits for ever.
        let output = command.timeout(PATIENCE).output().expect("it runs");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (out, err) = (text(&output.stdout), text(&output.stderr));
        assert_eq!(output.status.code(), Some(code), "{words:?}\n{out}\n{err}");
        (out, err)
    }

    pub(super) fn run(&self) -> String {
        let (runs, _) = self.does(&["list", "--json"], 0);
        let last = runs.lines().last().expect("there is a run");
        let row: Json = serde_json::from_str(last).expect("an object a line");
        row["run"].as_str().expect("it has a name").to_owned()
    }
}

#[test]
fn a_preflight_check_that_fails_refuses_the_run_with_its_sentence() {
    let preflight = "[[preflight]]\nthat = \"probe.there\"\nsay = \"the old server is gone\"\n\
                     [probe.there]\nrun = [\"test\", \"-e\", \"old\"]\nbool = \"exit\"\n";
    let bench = Bench::new(&format!("{preflight}{MAKE}"));
    let said = bench.does(&["exec", "verbs.toml"], 3).0;
    assert!(said.contains("the old server is gone: probe.there = false"), "{said}");
    assert!(!bench.path("made").exists());
}

#[test]
fn what_another_steps_undo_removes_is_told_as_undone_with_it() {
    let fill = "[step.fill]\nneeds = [\"make\"]\nrun = \"echo more >> made\"\nundone_by = \"make\"\n\
                [step.fails]\nneeds = [\"fill\"]\nrun = \"exit 1\"\neffect = \"none\"\n";
    let bench = Bench::new(&format!("{MAKE}{fill}"));
    let told = bench.does(&["exec", "verbs.toml"], 4).0;
    let undone = told.lines().find(|line| line.trim_start().starts_with("undone ")).expect("a line of the summary");
    assert!(undone.contains("make") && undone.contains("fill"), "{told}");
    assert!(!bench.path("made").exists());
}

#[test]
fn a_way_back_is_closed_when_its_rollback_window_has_passed() {
    let bench = Bench::new(MAKE);
    let text = fs::read_to_string(bench.path("verbs.toml")).expect("readable");
    let window = |length: &str| {
        let key = format!("[runbook]\nrollback_window = \"{length}\"\n");
        fs::write(bench.path("verbs.toml"), text.replace("[runbook]\n", &key)).expect("written");
    };
    window("1ms");
    bench.does(&["exec", "verbs.toml"], 0);
    let late = bench.does(&["rollback"], 3).1;
    assert!(late.contains("rollback window has passed"), "{late}");
    assert!(bench.path("made").exists());
    // So a new run need not close it; and while a window is open, the way back is.
    window("1h");
    bench.does(&["exec", "verbs.toml"], 0);
    bench.does(&["rollback", &bench.run()], 0);
    assert!(!bench.path("made").exists());
}

#[test]
fn a_run_that_succeeded_can_be_read_and_taken_back() {
    let bench = Bench::new(MAKE);
    bench.does(&["exec", "verbs.toml"], 0);
    let (status, _) = bench.does(&["status", "--json"], 0);
    let status: Json = serde_json::from_str(&status).expect("an object");
    assert_eq!((&status["state"], &status["would_be_undone"][0]), (&"succeeded".into(), &"make".into()));
    assert!(bench.does(&["show"], 0).0.contains("SUCCEEDED"));
    assert!(bench.does(&["why", "make"], 0).0.contains("step make is done"));
    assert!(bench.does(&["logs", "make"], 0).0.contains("made\n"));
    for line in bench.does(&["show", "--json"], 0).0.lines() {
        let event: Json = serde_json::from_str(line).expect("an object a line");
        assert!(event["sentence"].is_string(), "{line}");
    }
}

#[test]
fn a_journal_is_proved_by_its_head_and_by_no_other() {
    let bench = Bench::new(MAKE);
    bench.does(&["exec", "verbs.toml"], 0);
    let (audit, _) = bench.does(&["audit", "--json"], 0);
    let audit: Json = serde_json::from_str(&audit).expect("an object");
    let head = audit["head"].as_str().expect("a hash");
    assert!(bench.does(&["audit", "--head", head], 0).0.contains("covers everything"));
    bench.does(&["audit", "--head", &"0".repeat(63).replace('0', "a")], 2);
    bench.does(&["audit", "--head", &"a".repeat(64)], 1);
}

#[test]
fn a_run_that_is_waiting_can_be_answered_when_it_is_taken_up() {
    let bench = Bench::new(&format!("{MAKE}{GATE}"));
    bench.does(&["exec", "verbs.toml", "--no-wait"], 7);
    let run = bench.run();
    let (_, err) = bench.does(&["go", "ready"], 3);
    assert!(err.contains(&format!("runbook resume {run} --go ready")), "{err}");
    let (_, err) = bench.does(&["retry", "make"], 3);
    assert!(err.contains(&format!("runbook resume {run}")), "{err}");
    bench.does(&["resume", "--go", "ready"], 0);
}

#[test]
fn a_run_that_is_taken_up_says_which_answers_are_awaited() {
    let bench = Bench::new(&format!("{MAKE}{GATE}"));
    let (out, _) = bench.does(&["exec", "verbs.toml", "--no-wait"], 7);
    assert!(out.contains(", not ended"), "{out}");
    let run = bench.run();
    let awaited = format!("awaited: the answer to gate `ready`; `runbook go {run} ready`");
    let (out, _) = bench.does(&["resume", "--no-wait"], 7);
    assert!(out.contains(&awaited), "{out}");
    let (out, _) = bench.does(&["resume", "--go", "ready"], 0);
    assert!(!out.contains("awaited") && !out.contains("not ended"), "{out}");
}

#[test]
fn a_run_that_cannot_be_read_is_named_in_the_list_and_does_not_hide_the_others() {
    let bench = Bench::new(MAKE);
    bench.does(&["exec", "verbs.toml"], 0);
    let first = bench.run();
    bench.does(&["exec", "verbs.toml"], 0);
    let second = bench.run();
    let forget = |run: &str| {
        let frozen = bench.path("state").join("runs").join(run).join("runbook.toml");
        fs::remove_file(frozen).expect("it was there");
    };
    forget(&first);
    let (out, err) = bench.does(&["list"], 1);
    assert!(err.contains(&first) && out.contains(&second), "{out}\n{err}");
    forget(&second);
    let (out, err) = bench.does(&["list"], 1);
    assert!(err.contains(&second) && out.is_empty(), "not \"no runs yet\": {out}\n{err}");
}

#[test]
fn rollback_takes_a_run_back_that_nobody_drives() {
    let bench = Bench::new(&format!("{MAKE}{GATE}"));
    bench.does(&["exec", "verbs.toml", "--no-wait"], 7);
    assert!(bench.path("made").exists());
    bench.does(&["rollback", "--reason", "enough"], 0);
    assert!(!bench.path("made").exists());
    let (_, err) = bench.does(&["rollback"], 2);
    assert!(err.contains("list"), "{err}");
}

#[test]
fn stop_ends_a_run_that_nobody_drives() {
    let bench = Bench::new(&format!("{MAKE}{GATE}"));
    bench.does(&["exec", "verbs.toml", "--no-wait"], 7);
    bench.does(&["stop"], 0);
    assert!(bench.does(&["show"], 0).0.contains("STOPPED"));
    assert!(bench.path("made").exists());
}

#[test]
fn an_unfinished_run_refuses_a_new_one_and_names_the_ways_out() {
    let bench = Bench::new(&format!("{MAKE}{GATE}"));
    bench.does(&["exec", "verbs.toml", "--no-wait"], 7);
    let (_, err) = bench.does(&["exec", "verbs.toml"], 3);
    for way in ["runbook resume", "runbook rollback", "runbook stop"] {
        assert!(err.contains(way), "{err}");
    }
    bench.does(&["exec", "verbs.toml", "--or-resume", "--go", "ready"], 0);
}

#[test]
fn a_secret_that_was_given_by_a_file_is_given_again_to_whoever_takes_the_run_up() {
    let make = MAKE.replace("[step.make]\n", "[step.make]\nenv = { TOKEN = \"{{vars.token}}\" }\n");
    let token = "[vars]\ntoken = { secret = true }\nplace = { default = \"here\" }\n";
    let bench = Bench::new(&format!("{token}{make}{GATE}"));
    fs::write(bench.path("mine.toml"), "token = \"swordfish\"\nplace = \"there\"\n").expect("written");
    let again = ["--vars-file", "mine.toml"];
    let with = |words: &[&str], code| bench.does(&[words, &again[..]].concat(), code);
    for end in ["rollback", "stop", "resume"] {
        with(&["exec", "verbs.toml", "--no-wait"], 7);
        let (_, err) = bench.does(&[end], 2);
        assert!(err.contains("--vars-file") && !err.contains("swordfish"), "{end}: {err}");
        with(&["exec", "verbs.toml", "--or-resume", "--no-wait"], 7);
        with(&["status", "--measure"], 0);
        match end {
            "resume" => drop(with(&["resume", "--go", "ready"], 0)),
            "stop" => {
                with(&["stop"], 0);
                with(&["rollback"], 0);
            }
            end => drop(with(&[end], 0)),
        }
    }
}

#[test]
fn the_lock_names_the_run_that_is_taken_up_and_a_dry_run_refuses_what_exec_would() {
    let bench = Bench::new(&format!("{MAKE}{GATE}"));
    bench.does(&["exec", "verbs.toml", "--no-wait"], 7);
    let run = bench.run();
    bench.does(&["exec", "verbs.toml", "--or-resume", "--detach"], 0);
    let (_, err) = bench.does(&["exec", "verbs.toml"], 3);
    assert!(err.contains(&format!("run {run} holds the lock")), "{err}");
    for words in [&["exec", "verbs.toml", "--or-resume"][..], &["exec", "verbs.toml", "--or-resume", "--dry-run"]] {
        let (out, err) = bench.does(words, 3);
        assert!(format!("{out}{err}").contains(&run), "{words:?}: {out}{err}");
    }
    bench.does(&["stop"], 0);
}

#[test]
fn a_file_that_cannot_be_checked_does_not_keep_the_next_one_from_it() {
    let bench = Bench::new(MAKE);
    fs::write(bench.path("other.toml"), format!("{HEAD}{MAKE}[vars]\nplace = \"here\"\n")).expect("written");
    let (_, err) = bench.does(&["check", "verbs.toml", "none.toml", "other.toml", "--var", "place=there"], 2);
    assert!(err.contains("verbs.toml: error:") && err.contains("none.toml: error:"), "{err}");
    assert!(err.contains("other.toml:9"), "{err}");
}

#[test]
fn a_name_that_is_empty_closes_no_way_back() {
    let bench = Bench::new(&format!("{MAKE}{GATE}"));
    bench.does(&["exec", "verbs.toml", "--no-wait"], 7);
    bench.does(&["stop"], 0);
    let (_, err) = bench.does(&["exec", "verbs.toml", "--close", ""], 3);
    assert!(err.contains("its way back is still open"), "{err}");
}

#[test]
fn a_run_that_does_not_exist_is_wrong_usage() {
    let bench = Bench::new(MAKE);
    let (_, err) = bench.does(&["status"], 2);
    assert!(err.contains("there is no run"), "{err}");
    bench.does(&["exec", "verbs.toml"], 0);
    let (_, err) = bench.does(&["status", "nothing-like-it"], 2);
    assert!(err.contains("runbook list"), "{err}");
    let (_, err) = bench.does(&["why", "makes"], 2);
    assert!(err.contains("its steps are make"), "{err}");
}

#[test]
fn a_shortened_name_must_fit_one_run_only() {
    let bench = Bench::new("[step.look]\nrun = \"true\"\neffect = \"none\"\n");
    bench.does(&["exec", "verbs.toml"], 0);
    let run = bench.run();
    bench.does(&["show", &run[..run.len() - 1]], 0);
    bench.does(&["exec", "verbs.toml"], 0);
    let (_, err) = bench.does(&["show", "2"], 2);
    assert!(err.contains("could be any of"), "{err}");
}

#[test]
fn check_says_every_problem_with_its_place() {
    let bench = Bench::new("[step.a]\nrun = \"true\"\nneeds = [\"b\"]\ntimout = \"1s\"\n");
    let (out, _) = bench.does(&["check", "--json", "verbs.toml"], 2);
    let problems: Vec<Json> = out.lines().map(|line| serde_json::from_str(line).expect("an object a line")).collect();
    assert!(problems.len() >= 2, "{out}");
    for problem in &problems {
        assert!(problem["line"].as_u64() > Some(8) && problem["file"] == "verbs.toml", "{problem}");
    }
    let (_, err) = bench.does(&["exec", "verbs.toml"], 2);
    assert!(err.contains("verbs.toml:") && err.contains("timout"), "{err}");
}

#[test]
fn a_dry_run_finds_what_would_be_refused_and_changes_nothing() {
    let preflight = "[probe.there]\nrun = [\"test\", \"-e\", \"there\"]\nbool = \"exit\"\n\
                     [[preflight]]\nthat = \"probe.there\"\nsay = \"nothing to migrate\"\n";
    let bench = Bench::new(&format!("{preflight}{MAKE}"));
    let (out, _) = bench.does(&["exec", "--dry-run", "verbs.toml"], 3);
    assert!(out.contains("nothing to migrate"), "{out}");
    fs::write(bench.path("there"), "").expect("written");
    let (out, _) = bench.does(&["exec", "--dry-run", "verbs.toml"], 0);
    assert!(out.contains("not checked  step make"), "{out}");
    assert!(!bench.path("made").exists() && !bench.path("state/runs").exists());
}

#[test]
fn a_gate_asks_with_its_values_wherever_its_question_is_shown() {
    let vars = "[vars]\nshare = 0.95\n[step.count]\nrun = \"echo rows=7\"\n\
                outputs = { rows = { regex = \"([0-9]+)\", as = \"number\" } }\neffect = \"none\"\n";
    let gate = GATE.replace("[\"make\"]", "[\"make\", \"count\"]");
    let gate = gate.replace("Now?", "{{vars.share}} of {{steps.count.outputs.rows}}?");
    let bench = Bench::new(&format!("{vars}{MAKE}{gate}"));
    let (told, _) = bench.does(&["exec", "verbs.toml", "--no-wait", "--var", "share=0.5"], 7);
    for said in [told, bench.does(&["status"], 0).0, bench.does(&["show"], 0).0] {
        assert!(said.contains("0.5 of 7?") && !said.contains("{{"), "{said}");
    }
    // A folder from which nothing can be recalled is shown all the same.
    fs::remove_file(bench.path(&format!("state/runs/{}/key", bench.run()))).expect("it was there");
    let (said, _) = bench.does(&["status"], 0);
    assert!(said.contains("{{vars.share}} of"), "{said}");
}

#[test]
fn all_variables_without_a_value_are_said_at_once_with_what_they_are_for() {
    let vars = "[vars]\nprime = { summary = \"a command that primes\" }\n\
                sample = { env = \"NO_SUCH_SAMPLE\", summary = \"a command that samples\" }\n\
                password = { env = \"NO_SUCH_PASSWORD\", secret = true, summary = \"of the database\" }\n";
    let bench = Bench::new(&format!("{vars}{MAKE}"));
    let (_, err) = bench.does(&["exec", "verbs.toml"], 2);
    for line in [
        "error: nothing says what `prime`, `sample`, `password` should be",
        "  add --var prime=...   a command that primes",
        "  add --var sample=...   a command that samples (no environment variable `NO_SUCH_SAMPLE`)",
        "  set the environment variable `NO_SUCH_PASSWORD` for `password`, of the database",
        "  or write them to a TOML file, a line each: NAME = \"...\", and add --vars-file FILE",
    ] {
        assert!(err.lines().any(|it| it == line), "{line}\n{err}");
    }
    // What is given is not missing; where all that is left is secret, no other file is spoken of.
    fs::write(bench.path("mine.toml"), "prime = 'a'\nsample = 'b'\n").expect("written");
    let (_, err) = bench.does(&["exec", "verbs.toml", "--vars-file", "mine.toml"], 2);
    assert!(err.contains("what `password` should be") && !err.contains("a TOML file"), "{err}");
}

#[test]
fn what_needs_no_run_is_printed() {
    let bench = Bench::new(MAKE);
    assert!(bench.does(&["plan", "verbs.toml"], 0).0.contains("make"));
    assert!(bench.does(&["graph", "verbs.toml", "dot"], 0).0.contains("digraph"));
    assert!(bench.does(&["graph", "verbs.toml", "mermaid"], 0).0.contains("make"));
    serde_json::from_str::<Json>(&bench.does(&["schema"], 0).0).expect("the schema is JSON");
    assert!(bench.does(&["completions", "bash"], 0).0.contains("runbook"));
    assert!(bench.does(&["list"], 0).0.contains("no runs yet"));
}

#[test]
fn a_step_cannot_answer_its_own_gate() {
    let cheat = format!(
        "[step.cheat]\nrun = [\"sh\", \"-c\", \"i=0; until test -e tried; do sleep 0.1; {} go ready >said 2>&1; \
         grep -q started said && touch tried; i=$((i+1)); test $i -lt 50; done\"]\neffect = \"none\"\n",
        env!("CARGO_BIN_EXE_runbook")
    );
    let gate = "[step.ready]\ngate = { question = \"Now?\", expires = \"8s\", on_no_go = \"stop\" }\n";
    let bench = Bench::new(&format!("{cheat}{gate}"));
    bench.does(&["exec", "verbs.toml"], 5);
    assert!(fs::read_to_string(bench.path("said")).expect("it tried").contains("a process that the run has started"));
}

/// Two phases, with a gate in the first.
const PHASES: &str = "[phase.warm]\nsequence = [\"make\", \"ready\"]\n[phase.cut]\nsequence = [\"last\"]\n\
                      [step.last]\nrun = \"touch last\"\nundo = { run = \"rm -f last\", timeout = \"10s\" }\n";

/// What a crash right after that many lines of the journal leaves. Nothing was started yet.
fn forget_after(bench: &Bench, lines: usize) {
    let folder = bench.path("state/runs").join(bench.run());
    let journal = fs::read_to_string(folder.join("journal.jsonl")).expect("readable");
    let kept: Vec<&str> = journal.split_inclusive('\n').take(lines).collect();
    fs::write(folder.join("journal.jsonl"), kept.concat()).expect("written");
    for entry in fs::read_dir(&folder).expect("readable").flatten() {
        if entry.file_name().to_string_lossy().starts_with("keeper.") {
            fs::remove_file(entry.path()).expect("removed");
        }
    }
}

#[test]
fn a_run_killed_before_its_first_record_goes_by_what_its_command_line_decided() {
    let bench = Bench::new(&format!("{PHASES}{MAKE}{}", GATE.replace("needs = [\"make\"]\n", "")));
    let text = fs::read_to_string(bench.path("verbs.toml")).expect("readable");
    let phases = "[runbook]\nphases = [\"warm\", \"cut\"]\n";
    fs::write(bench.path("verbs.toml"), text.replace("[runbook]\n", phases)).expect("written");
    bench.does(&["exec", "verbs.toml", "--until", "warm", "--go", "ready", "--no-wait"], 7);
    forget_after(&bench, 1);
    fs::remove_file(bench.path("made")).expect("it was made");
    let told = bench.does(&["resume", "--no-wait", "--output", "plain"], 7).0;
    assert!(told.contains("gate ready: go") && told.contains("(--go)"), "{told}");
    assert!(bench.path("made").exists() && !bench.path("last").exists(), "it went on behind its phase");
    bench.does(&["resume"], 0);
}

#[test]
fn a_gate_that_was_decided_before_the_start_is_decided_once_whoever_drives_the_run() {
    let twice = "[step.fails]\nneeds = [\"ready\"]\nrun = \"test -e mended\"\neffect = \"none\"\n\
                 on_failure = { rollback_to = \"make\", then = \"pause\" }\n";
    let bench = Bench::new(&format!("{MAKE}{GATE}{twice}"));
    bench.does(&["exec", "verbs.toml", "--go", "ready", "--no-wait"], 7);
    let (shown, _) = bench.does(&["show", "--json"], 0);
    assert_eq!(shown.matches("gate.answered").count(), 1, "{shown}");
    // Behind a rollback the answer is void, and the gate asks people.
    fs::write(bench.path("mended"), "").expect("written");
    bench.does(&["resume", "--no-wait"], 7);
    let status: Json = serde_json::from_str(&bench.does(&["status", "--json"], 0).0).expect("an object");
    assert_eq!(status["gates_open"][0], "ready");
    bench.does(&["resume", "--go", "ready"], 0);
}

#[test]
fn a_paused_run_that_another_process_drives_goes_on_when_told_to() {
    let bench = Bench::new(
        "[step.first]\nwait = { until = \"probe.may\", within = \"60s\" }\n\
         [step.second]\nneeds = [\"first\"]\nrun = \"true\"\neffect = \"none\"\n\
         [probe.may]\nrun = [\"test\", \"-e\", \"may\"]\nbool = \"exit\"\ninterval = \"50ms\"\n",
    );
    bench.does(&["exec", "verbs.toml", "--detach"], 0);
    let (_, err) = bench.does(&["resume"], 3);
    assert!(err.contains("is driven by another process, and not let go on"), "{err}");
    bench.does(&["pause"], 0);
    let (_, err) = bench.does(&["resume", "--no-wait"], 3);
    assert!(err.contains("is being driven already"), "{err}");
    let (out, _) = bench.does(&["resume"], 0);
    assert!(out.contains("goes on"), "{out}");
    fs::write(bench.path("may"), "").expect("written");
    bench.does(&["attach"], 0);
}

/// Takes the lock of its run, as another process would.
fn lock(bench: &Bench) -> (Lock, PathBuf) {
    let run = RunId(bench.run());
    let folder = bench.path("state").join("runs").join(&run.0);
    let holder = Holder { pid: std::process::id(), user: "other".to_owned(), since: clock::wall(), run };
    (Lock::of_run(&folder, &holder).expect("free").0, folder)
}

#[test]
fn who_resumes_a_run_that_another_one_has_just_taken_up_hears_that_it_is_driven() {
    let bench = Bench::new("[step.ready]\ngate = { question = \"Now?\", expires = \"10m\" }\n");
    bench.does(&["exec", "verbs.toml", "--no-wait"], 7);
    // As between its lock and its socket.
    let (_lock, _) = lock(&bench);
    let (_, err) = bench.does(&["resume"], 3);
    assert!(err.contains("is being driven already: process") && err.contains("of other"), "{err}");
}

#[test]
fn a_run_whose_process_was_killed_is_taken_up_although_its_lock_and_socket_are_there_for_a_moment() {
    let bench = Bench::new(MAKE);
    let text = fs::read_to_string(bench.path("verbs.toml")).expect("it is there");
    let text = text
        .replace("[defaults]", "phases = [\"one\", \"two\"]\n[defaults]")
        .replace("[step.make]", "[step.make]\nphase = \"one\"");
    let last = "[step.last]\nphase = \"two\"\nrun = \"true\"\neffect = \"none\"\n";
    fs::write(bench.path("verbs.toml"), text + last).expect("written");
    bench.does(&["exec", "verbs.toml", "--until", "one"], 7);
    let (lock, folder) = lock(&bench);
    let socket = folder.join("control.sock");
    let _ = fs::remove_file(&socket);
    let listener = UnixListener::bind(&socket).expect("bound");
    // A child that was forked and executes its program then loses both at once.
    let child = std::thread::spawn(move || {
        let called = listener.accept().expect("somebody calls");
        drop((lock, listener, called));
    });
    bench.does(&["resume"], 0);
    child.join().expect("it was called");
}

#[test]
fn output_that_could_not_be_written_is_no_good_news_but_a_run_ends_as_it_ended() {
    let bench = Bench::new(MAKE);
    bench.does(&["exec", "verbs.toml"], 0);
    let into_a_full_disk = |words: &[&str]| {
        let full = fs::File::options().write(true).open("/dev/full").expect("Linux has one");
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_runbook"));
        command.args(words).current_dir(bench.0.path()).env("RUNBOOK_STATE_DIR", bench.path("state")).stdout(full);
        let output = command.output().expect("it runs");
        (output.status.code(), String::from_utf8(output.stderr).expect("text"))
    };
    let plain = [
        "schema",
        "completions bash",
        "plan verbs.toml",
        "graph verbs.toml",
        "list",
        "show",
        "logs",
        "audit",
        "--help",
    ];
    for verb in plain {
        let (code, said) = into_a_full_disk(&verb.split(' ').collect::<Vec<_>>());
        assert_eq!(code, Some(1), "{verb}: {said}");
        assert!(said.contains("could not write all of the output: No space left on device"), "{verb}: {said}");
    }
    let (code, said) = into_a_full_disk(&["exec", "verbs.toml", "--dry-run"]);
    assert_eq!(code, Some(1), "{said}");
    let (code, said) = into_a_full_disk(&["exec", "verbs.toml"]);
    assert!(code == Some(0) && said.contains("could not write all of the output"), "{code:?}: {said}");
}

#[test]
fn a_run_that_has_lost_its_frozen_runbook_says_which_file_to_put_back() {
    let bench = Bench::new(MAKE);
    bench.does(&["exec", "verbs.toml"], 0);
    let mut runs = fs::read_dir(bench.path("state").join("runs")).expect("there is a run");
    let frozen = runs.next().expect("there is one").expect("it can be listed").path().join("runbook.toml");
    let text = fs::read(&frozen).expect("it is there");
    fs::remove_file(&frozen).expect("it can be removed");
    let (_, said) = bench.does(&["show"], 1);
    let wanted = runbook::journal::record::digest(&text);
    assert!(said.contains("put back the file that it began with") && said.contains(&wanted), "{said}");
    fs::write(&frozen, text).expect("it can be put back");
    bench.does(&["show"], 0);
}
