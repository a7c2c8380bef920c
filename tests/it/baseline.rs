//! The baseline, through the binary: what is written down, what is compared, what is refused.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value as Json;

const HEAD: &str = r#"
format = 1
[runbook]
name = "compare"
phases = ["warmup", "cutover"]
timeout = "10m"
rollback_timeout = "10m"
[defaults]
timeout = "30s"
[probe.rate]
run = ["cat", "rate"]
interval = "20ms"
unit = "/s"
[step.warm]
phase = "warmup"
run = "touch warm"
undo = { run = "rm -f warm" }
"#;

const CUTOVER: &str = r#"
[step.ready]
phase = "cutover"
needs = []
gate = { question = "Now?", expires = "10m", on_no_go = "rollback" }
[step.change]
phase = "cutover"
needs = ["ready"]
run = "echo 30 > rate.new && mv rate.new rate"
undo = { run = "echo 10 > rate.new && mv rate.new rate" }
success = ["probe.rate == baseline.rate.avg * 3.0"]
"#;

const BASELINE: &str = "[baseline]\nprobes = [\"rate\"]\nbefore = \"cutover\"\nover = \"200ms\"\n";

/// A folder with a runbook, `compare.toml`, whose probe `rate` reads a file of that name.
pub(crate) struct Bench(tempfile::TempDir);

impl Bench {
    /// `rate` says 10.
    pub(crate) fn new(text: &str) -> Self {
        let bench = Self(tempfile::tempdir().expect("a folder"));
        fs::write(bench.path("compare.toml"), text).expect("written");
        bench.set(10);
        bench
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn set(&self, rate: u32) {
        fs::write(self.path("rate.new"), format!("{rate}\n")).expect("written");
        fs::rename(self.path("rate.new"), self.path("rate")).expect("moved");
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_runbook"));
        command.args(words).current_dir(self.0.path()).env("RUNBOOK_STATE_DIR", self.path("state"));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    pub(crate) fn does(&self, words: &[&str], code: i32) -> String {
        let output = self.command(words).output().expect("it runs");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let said = text(&output.stdout) + &text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{words:?}\n{said}");
        said
    }

    pub(crate) fn begin(&self, words: &[&str]) -> Running {
        Running(self.command(words).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts"))
    }

    pub(crate) fn status(&self) -> Json {
        serde_json::from_str(&self.does(&["status", "--json"], 0)).unwrap_or_default()
    }

    /// Looks again and again until the status is so.
    pub(crate) fn waits_for(&self, what: &str, so: impl Fn(&Json) -> bool) -> Json {
        let late = Instant::now() + Duration::from_mins(1);
        loop {
            let output = self.command(&["status", "--json"]).output().expect("it runs");
            let status = serde_json::from_slice(&output.stdout).unwrap_or_default();
            if so(&status) {
                return status;
            }
            assert!(Instant::now() < late, "{what} never came: {status}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// A process that does not outlive its test.
pub(crate) struct Running(pub(crate) Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_resumed_run_compares_with_the_baseline_of_its_journal() {
    let bench = Bench::new(&format!("{HEAD}{CUTOVER}{BASELINE}"));
    bench.does(&["exec", "compare.toml", "--no-wait"], 7);
    assert!(bench.status()["baseline"]["rate"]["before"]["count"].as_u64() >= Some(2), "{}", bench.status());
    // What is true now is not what was true before.
    bench.set(500);
    let said = bench.does(&["resume", "--go", "ready", "--output", "plain"], 0);
    assert!(said.contains("rate: avg 10, p99 10 before; at the end 30 /s"), "{said}");
    assert_eq!(bench.status()["baseline"]["rate"]["now"], 30);
}

#[test]
fn a_further_pass_and_the_way_back_keep_the_baseline() {
    let fails = CUTOVER
        .replace("* 3.0", "* 9.0")
        .replace("success = [", "on_failure = { rollback_to = \"ready\", then = { retry = 1 } }\nsuccess = [");
    let fails = fails
        .replace("avg * 9.0\"", "avg * 9.0\", within = \"100ms\" }")
        .replace("[\"probe.rate ==", "[{ that = \"probe.rate ==");
    let restored = HEAD.replace("[defaults]", "restored = [\"probe.rate == baseline.rate.avg\"]\n[defaults]");
    let bench = Bench::new(&format!("{restored}{fails}{BASELINE}"));
    let told = bench.does(&["exec", "compare.toml", "--go", "ready", "--output", "json"], 4);
    let taken = told.lines().filter(|line| line.contains("\"baseline.taken\"")).count();
    assert_eq!(taken, 1, "{told}");
    bench.does(&["rollback"], 0);
    assert!(!bench.path("warm").exists());
}

#[test]
fn an_unhealthy_baseline_refuses_a_run_that_has_changed_nothing() {
    let healthy = format!("{BASELINE}require = [{{ that = \"baseline.rate.p99 < 5\", say = \"too many already\" }}]\n");
    let nothing =
        HEAD.replace("run = \"touch warm\"\nundo = { run = \"rm -f warm\" }", "run = \"true\"\neffect = \"none\"");
    let bench = Bench::new(&format!("{nothing}{CUTOVER}{healthy}"));
    let said = bench.does(&["exec", "compare.toml", "--go", "ready"], 3);
    assert!(said.contains("too many already: baseline.rate.p99 = 10 (must be < 5)"), "{said}");
    // After an effect its phase fails, and the run goes back.
    let bench = Bench::new(&format!("{HEAD}{CUTOVER}{healthy}"));
    let said = bench.does(&["exec", "compare.toml", "--go", "ready"], 4);
    assert!(said.contains("phase cutover failed: the baseline's require"), "{said}");
    assert!(!bench.path("warm").exists());
}

#[test]
fn a_probe_without_data_makes_no_baseline() {
    let bench = Bench::new(&format!("{HEAD}{CUTOVER}{BASELINE}").replace("before = \"cutover\"\n", ""));
    fs::remove_file(bench.path("rate")).expect("it was there");
    let said = bench.does(&["exec", "compare.toml", "--go", "ready"], 3);
    assert!(said.contains("probe.rate gave no data"), "{said}");
    assert!(!bench.path("warm").exists());
}

#[test]
fn a_crash_while_the_baseline_is_sampled_begins_it_anew() {
    let slow = BASELINE.replace("200ms", "5m");
    let bench = Bench::new(&format!("{HEAD}{CUTOVER}{slow}"));
    let mut run = bench.begin(&["exec", "compare.toml", "--go", "ready", "--output", "json"]);
    let sampling = |status: &Json| {
        status["steps"][0]["outcome"] == "done" && bench.does(&["show", "--json"], 0).contains("baseline.started")
    };
    bench.waits_for("the sampling", sampling);
    run.0.kill().expect("it runs");
    drop(run);
    // The run works from its frozen copy, so it is taken back while it samples again.
    let again = bench.begin(&["resume", "--output", "json"]);
    bench.waits_for("its process", |status| status["driven_by"]["pid"] == again.0.id());
    assert_eq!(bench.status()["baseline"], serde_json::json!({}), "nothing was kept of it");
    bench.does(&["rollback", "--reason", "enough"], 0);
    bench.waits_for("the end", |status| status["outcome"] == "rolled_back");
    assert!(!bench.path("warm").exists());
}

#[test]
fn the_status_of_a_live_run_shows_before_and_now() {
    let bench = Bench::new(&format!("{HEAD}{CUTOVER}{BASELINE}"));
    let _run = bench.begin(&["exec", "compare.toml", "--output", "json"]);
    bench.waits_for("a sample", |status| status["baseline"]["rate"]["now"] == 10);
    bench.set(40);
    bench.waits_for("a later sample", |status| status["baseline"]["rate"]["now"] == 40);
    let status = bench.does(&["status"], 0);
    assert!(status.contains("baseline: rate avg 10, p99 10; now 40 /s"), "{status}");
}

#[test]
fn a_dry_run_says_that_the_baseline_and_what_compares_with_it_were_not_checked() {
    let guard = "[guard.g]\nrequire = \"probe.rate <= baseline.rate.p99 * 2.0\"\n";
    let bench = Bench::new(&format!("{HEAD}{CUTOVER}{BASELINE}{guard}"));
    let said = bench.does(&["exec", "compare.toml", "--dry-run"], 0);
    assert!(said.contains("baseline: its probes would be sampled for 200ms"), "{said}");
    let unjudged = "guard g: `probe.rate <= baseline.rate.p99 * 2.0` cannot be judged before the baseline is taken";
    assert!(said.split_whitespace().collect::<Vec<_>>().join(" ").contains(unjudged), "{said}");
    assert!(bench.does(&["plan", "compare.toml"], 0).contains("rate over 200ms, before phase cutover"));
}
