//! The first hour of somebody who writes a runbook from docs/format.md: some mistakes, what is said of them, a good run.

use std::fs;
use std::path::PathBuf;

use assert_cmd::Command;

const MISTAKEN: &str = r#"format = 1

[runbook]
name             = "move_words"
timeout          = "5m"
rollback_timeout = "1m"

[probe.words]
run      = "cat words"
as       = "text"
interval = "100ms"

[step.warm_up]
run     = "echo warming"
timeout = "10s"
effect  = "none"

[step.switch]
needs      = ["warmup"]
run        = "echo new > words"
timeout    = "10s"
idempotnt  = true
success    = ["probe.wordz == 'new'"]
undo       = { run = "echo old > words", timeout = "10s", success = ["probe.words == 'old'"] }
"#;

struct Desk(tempfile::TempDir);

impl Desk {
    fn with(text: &str) -> Self {
        let desk = Self(tempfile::tempdir().expect("a folder"));
        fs::write(desk.path("move.toml"), text).expect("written");
        fs::write(desk.path("words"), "old\n").expect("written");
        desk
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Exit code, output and errors.
    fn does(&self, words: &[&str]) -> (Option<i32>, String, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_runbook"));
        command.args(words).current_dir(self.0.path()).env("RUNBOOK_STATE_DIR", self.path("state"));
        let output = command.output().expect("it runs");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    }
}

#[test]
fn three_mistakes_are_three_errors_at_once_each_with_place_reason_and_remedy_and_nothing_is_started() {
    let desk = Desk::with(MISTAKEN);
    for verb in ["check", "exec"] {
        let (code, _, said) = desk.does(&[verb, "move.toml"]);
        assert_eq!(code, Some(2), "{said}");
        assert_eq!(said.matches('×').count(), 3, "{said}");
        for (place, reason, remedy) in [
            ("move.toml:19:", "there is no step `warmup`", "did you mean `warm_up`?"),
            ("move.toml:22:", "step `switch` has no key `idempotnt`", "did you mean `idempotent`?"),
            ("move.toml:23:", "there is no probe `wordz`", "did you mean `words`?"),
        ] {
            let one = said.split('×').find(|one| one.contains(reason)).unwrap_or_else(|| panic!("{reason}\n{said}"));
            assert!(one.contains(place) && one.contains(remedy), "{one}");
        }
    }
    assert_eq!(fs::read_to_string(desk.path("words")).expect("readable"), "old\n");
}

#[test]
fn with_the_three_remedies_taken_the_file_is_without_findings_and_has_a_good_run() {
    let mended = MISTAKEN.replace("warmup", "warm_up").replace("idempotnt ", "idempotent").replace("wordz", "words");
    let desk = Desk::with(&mended);
    let (code, out, err) = desk.does(&["check", "--strict", "move.toml"]);
    assert_eq!((code, out.trim(), err.trim()), (Some(0), "", ""));
    let (code, out, err) = desk.does(&["exec", "move.toml"]);
    assert_eq!(code, Some(0), "{out}{err}");
    assert!(out.contains("move_words SUCCEEDED"), "{out}");
    assert_eq!(fs::read_to_string(desk.path("words")).expect("readable"), "new\n");
}
