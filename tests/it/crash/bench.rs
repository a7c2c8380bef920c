//! A place to crash in: a runbook, a state folder, a file of effects, and whoever was started there.

use std::fs::{self, File, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value as Json;

use crate::support::processes;
pub(super) use crate::support::processes::kill;

pub(super) const BINARY: &str = env!("CARGO_BIN_EXE_runbook");

/// No test waits longer for anything; a limit only so that what is broken fails and does not hang.
const PATIENCE: Duration = Duration::from_mins(1);

/// What every runbook here begins with.
const HEAD: &str = r#"format = 1
[runbook]
name = "crash"
timeout = "10m"
rollback_timeout = "10m"
"#;

/// And what stands behind the keys of `[runbook]`.
const DEFAULTS: &str = "\n[defaults]\ntimeout = \"30s\"\nkill_after = \"1s\"\n";

/// A folder with a runbook and all that its runs leave. What they leave alive is killed when it goes out of scope.
pub(super) struct Bench {
    folder: tempfile::TempDir,
    /// Where runs are kept.
    state: PathBuf,
}

impl Bench {
    /// A runbook of these tables, behind the usual `[runbook]` and `[defaults]`.
    pub(super) fn new(tables: &str) -> Self {
        Self::with("", tables)
    }

    /// The same with these keys more in `[runbook]`.
    pub(super) fn with(keys: &str, tables: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let state = folder.path().canonicalize().expect("it is there").join("state");
        fs::write(folder.path().join("crash.toml"), format!("{HEAD}{keys}{DEFAULTS}{tables}")).expect("written");
        Self { folder, state }
    }

    /// Keeps runs in another place.
    pub(super) fn at(mut self, state: &Path) -> Self {
        self.state = state.canonicalize().expect("it is there");
        self
    }

    /// A file beside the runbook.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(super) fn read(&self, name: &str) -> String {
        String::from_utf8_lossy(&fs::read(self.path(name)).unwrap_or_default()).into_owned()
    }

    /// The lines that steps have appended to `effects`.
    pub(super) fn effects(&self) -> Vec<String> {
        self.read("effects").lines().map(str::to_owned).collect()
    }

    /// All that was printed by the processes started here.
    pub(super) fn screen(&self) -> String {
        self.read("screen")
    }

    /// This program with these words, printing to [`Self::screen`].
    pub(super) fn command(&self, program: &str, words: &[&str]) -> Command {
        let open = || OpenOptions::new().create(true).append(true).open(self.path("screen")).expect("the screen");
        let screen: File = open();
        let mut command = Command::new(program);
        command.args(words).env("RUNBOOK_STATE_DIR", &self.state).current_dir(self.folder.path());
        command.stdin(Stdio::null()).stdout(screen).stderr(open());
        command
    }

    pub(super) fn spawn(&self, words: &[&str]) -> Child {
        self.command(BINARY, words).spawn().expect("it starts")
    }

    /// Runs this to its end and returns its exit code.
    pub(super) fn run(&self, words: &[&str]) -> i32 {
        let mut child = self.spawn(words);
        let status = wait(&mut child, PATIENCE);
        status.unwrap_or_else(|| panic!("{words:?} does not end\n{}", self.story())).code().unwrap_or(-1)
    }

    /// Begins a run, or takes it up if there is one.
    pub(super) fn go_on(&self) -> &'static [&'static str] {
        match self.run_folder() {
            None => &["exec", "crash.toml", "--output", "plain"],
            Some(_) => &["resume", "--output", "plain"],
        }
    }

    /// Whether this exit code of `resume` says that the run had ended: it was killed as it said goodbye.
    pub(super) fn was_over(&self, exit: i32) -> bool {
        exit == 3 && self.screen().contains("has ended")
    }

    /// The folder of the run that has begun.
    pub(super) fn run_folder(&self) -> Option<PathBuf> {
        let runs = fs::read_dir(self.state.join("runs")).into_iter().flatten();
        let mut folders = runs.map(|entry| entry.expect("an entry").path()).filter(|run| {
            // One that was killed before it had a whole header has not begun.
            fs::read(run.join("journal.jsonl")).is_ok_and(|text| text.contains(&b'\n'))
        });
        let folder = folders.next();
        assert_eq!(folders.next(), None, "a second run has begun\n{}", self.screen());
        folder
    }

    pub(super) fn journal_path(&self) -> PathBuf {
        self.run_folder().expect("a run has begun").join("journal.jsonl")
    }

    /// The records of the run, the header left out.
    pub(super) fn journal(&self) -> Vec<Json> {
        let text = fs::read_to_string(self.journal_path()).expect("it has a journal");
        let lines = text.lines().skip(1).filter(|line| !line.is_empty());
        lines.map(|line| serde_json::from_str(line).expect("JSON lines")).collect()
    }

    /// How attempts ended, as `step.part.number end`.
    pub(super) fn ends(&self) -> Vec<String> {
        let ends = self.journal().into_iter().filter_map(|record| {
            let event = record.get("event")?.get("attempt_ended")?.clone();
            let attempt = &event["attempt"];
            let part = attempt["part"].as_str().map_or_else(|| "undo".to_owned(), str::to_owned);
            let end = event["end"].as_str().unwrap_or("?").to_owned();
            Some(format!("{}.{part}.{} {end}", attempt["step"], attempt["number"]))
        });
        ends.collect()
    }

    /// The evidence of all records.
    pub(super) fn evidence(&self) -> String {
        let texts = self.journal().into_iter().filter_map(|record| Some(record.get("evidence")?.as_str()?.to_owned()));
        texts.collect::<Vec<_>>().join("\n")
    }

    /// The keys of attempts whose process was really started.
    pub(super) fn started(&self) -> Vec<String> {
        let text = fs::read_to_string(self.run_folder().expect("a run").join("keeper.jsonl")).unwrap_or_default();
        let records = text.lines().filter_map(|line| serde_json::from_str::<Json>(line).ok());
        let started = records.filter(|record| record["record"] == "started");
        started.map(|record| record["key"].as_str().unwrap_or_default().to_owned()).collect()
    }

    /// What a step has printed.
    pub(super) fn output(&self, name: &str) -> String {
        let path = self.run_folder().expect("a run").join("steps").join(name);
        fs::read_to_string(path).unwrap_or_default()
    }

    /// Everything worth seeing when a test fails.
    pub(super) fn story(&self) -> String {
        let read = |name: &str| {
            let path = self.run_folder().map(|run| run.join(name));
            path.and_then(|path| fs::read_to_string(path).ok()).unwrap_or_default()
        };
        let journal: Vec<String> = read("journal.jsonl").lines().map(|l| l.chars().take(400).collect()).collect();
        format!(
            "--- screen\n{}--- effects\n{}\n--- journal\n{}\n--- keeper\n{}{}",
            self.screen(),
            self.effects().join("\n"),
            journal.join("\n").trim_end(),
            read("keeper.jsonl"),
            read("keeper.err")
        )
    }

    /// The keepers of runs in this place.
    pub(super) fn keepers(&self) -> Vec<i32> {
        processes::keepers(&self.state)
    }

    /// Processes that steps of runs in this place have started, and what those have started.
    pub(super) fn alive(&self) -> Vec<i32> {
        processes::of_steps(&self.state)
    }

    /// Waits until it is so.
    pub(super) fn until(&self, what: &str, so: impl Fn() -> bool) {
        let begun = Instant::now();
        while !so() {
            assert!(begun.elapsed() < PATIENCE, "never: {what}\n{}", self.story());
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        for pid in self.keepers().into_iter().chain(self.alive()) {
            kill(pid);
        }
    }
}

/// Waits for the end of a child, so long at most.
pub(super) fn wait(child: &mut Child, patience: Duration) -> Option<ExitStatus> {
    let begun = Instant::now();
    loop {
        if let Some(status) = child.try_wait().expect("it is our child") {
            return Some(status);
        }
        if begun.elapsed() >= patience {
            return None;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Chance with a seed (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014: `SplitMix64`).
pub(super) struct Dice(u64);

impl Dice {
    /// The seed is printed; `RUNBOOK_SEED` sets it.
    pub(super) fn new(usual: u64) -> Self {
        let seed = std::env::var("RUNBOOK_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(usual);
        println!("seed {seed}; RUNBOOK_SEED sets it");
        Self(seed)
    }

    /// A number below that.
    pub(super) fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end
    }
}
