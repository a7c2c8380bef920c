//! Questions at the run's own terminal, through a real pseudo-terminal: what a person sees there, what their keys do, and
//! that nothing is left behind (R15, R16, R18).

use std::io::{Read as _, Write};
use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use std::{fs, thread};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

pub(super) const BINARY: &str = env!("CARGO_BIN_EXE_runbook");
const PATIENCE: Duration = Duration::from_mins(1);
const DOWN: &str = "\x1b[B";
pub(super) const ENTER: &str = "\r";
pub(super) const CTRL_C: &str = "\x03";

pub(super) const HEAD: &str = r#"
format = 1
[runbook]
name = "asked"
timeout = "10m"
rollback_timeout = "10m"
[defaults]
timeout = "30s"
kill_after = "1s"
"#;

/// A terminal of 80 by 24 with a run on it.
pub(super) struct Terminal {
    folder: tempfile::TempDir,
    master: Box<dyn MasterPty + Send>,
    keys: Box<dyn Write + Send>,
    child: Box<dyn Child + Send + Sync>,
    screen: Arc<Mutex<vt100::Parser>>,
    before: String,
}

impl Terminal {
    /// Runs `exec` there.
    fn exec(steps: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("asked.toml"), format!("{HEAD}{steps}")).expect("written");
        Self::at(folder, "exec asked.toml")
    }

    /// Runs that in a folder. The shell behind it says when it is over, so that the terminal outlives the run.
    pub(super) fn at(folder: tempfile::TempDir, words: &str) -> Self {
        let size = PtySize { rows: 24, cols: 80, pixel_width: 0, pixel_height: 0 };
        let pair = native_pty_system().openpty(size).expect("a pseudo-terminal");
        let mut shell = CommandBuilder::new("sh");
        shell.args(["-c", &format!("trap : INT; \"$0\" {words}; echo \"code $? over\"; read -r _"), BINARY]);
        shell.cwd(folder.path());
        shell.env("RUNBOOK_STATE_DIR", folder.path().join("state"));
        shell.env("LANG", "C.UTF-8");
        shell.env("TERM", "xterm");
        let before = settings(&*pair.master);
        let child = pair.slave.spawn_command(shell).expect("sh is there");
        let (rows, columns) = (24.try_into().expect("some"), 80.try_into().expect("some"));
        let screen = Arc::new(Mutex::new(vt100::Parser::new(rows, columns, 1000)));
        let mut from = pair.master.try_clone_reader().expect("a reader");
        let keys = pair.master.take_writer().expect("a writer");
        let drawn = Arc::clone(&screen);
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(count @ 1..) = from.read(&mut buffer) {
                drawn.lock().expect("nobody panics with it").process(&buffer[..count]);
            }
        });
        Self { folder, master: pair.master, keys, child, screen, before }
    }

    fn contents(&self) -> String {
        self.screen.lock().expect("nobody panics with it").screen().contents()
    }

    /// Waits until a person could read this.
    pub(super) fn sees(&self, text: &str) -> &Self {
        self.until(&format!("`{text}`"), |screen| screen.contains(text))
    }

    pub(super) fn sees_no_more(&self, text: &str) -> &Self {
        self.until(&format!("no `{text}`"), |screen| !screen.contains(text))
    }

    fn until(&self, what: &str, is_so: impl Fn(&str) -> bool) -> &Self {
        let began = Instant::now();
        while !is_so(&self.contents()) {
            assert!(began.elapsed() < PATIENCE, "waited for {what}; the screen shows\n{}", self.contents());
            thread::sleep(Duration::from_millis(20));
        }
        self
    }

    pub(super) fn press(&mut self, keys: &[&str]) -> &mut Self {
        for key in keys {
            self.keys.write_all(key.as_bytes()).and_then(|()| self.keys.flush()).expect("a terminal takes keys");
            // A person's keys do not come all at once either, and an escape is told from a key by that.
            thread::sleep(Duration::from_millis(150));
        }
        self
    }

    /// Chooses the n-th answer, from 1: none is chosen beforehand.
    pub(super) fn choose(&mut self, nth: usize) -> &mut Self {
        self.sees("your answer");
        let mut keys = vec![DOWN; nth];
        keys.push(ENTER);
        self.press(&keys)
    }

    /// The run has ended so, and has left the terminal as it was.
    pub(super) fn ends_with(mut self, code: i32) -> String {
        self.sees(&format!("code {code} over"));
        let screen = self.contents();
        assert!(!screen.contains("your answer"), "a question is left behind:\n{screen}");
        assert!(!self.screen.lock().expect("nobody panics with it").screen().hide_cursor(), "the cursor is hidden");
        assert_eq!(settings(&*self.master), self.before, "the terminal has other settings than before");
        self.press(&[ENTER]);
        self.child.wait().expect("it ends");
        screen
    }

    /// Runs another verb beside it.
    pub(super) fn elsewhere(&self, words: &[&str]) -> Output {
        let mut command = Command::new(BINARY);
        command.args(words).env("RUNBOOK_STATE_DIR", self.folder.path().join("state")).current_dir(self.folder.path());
        command.output().expect("it runs")
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
    }
}

/// All modes of a terminal, as text.
fn settings(master: &dyn MasterPty) -> String {
    let modes = master.get_termios().expect("a terminal has modes");
    format!("{:?} {:?} {:?} {:?}", modes.input_flags, modes.output_flags, modes.control_flags, modes.local_flags)
}

pub(super) const GATE: &str = r#"
[step.prepare]
run = "touch prepared"
undo = { run = "rm -f prepared", timeout = "10s" }
[step.ready]
needs = ["prepare"]
gate = { question = "Cut over now?", expires = "10m", on_no_go = "rollback" }
[step.cut]
needs = ["ready"]
run = "touch cut"
undo = { run = "rm -f cut", timeout = "10s" }
"#;

#[test]
fn go_at_the_terminal_lets_the_run_go_on() {
    let mut terminal = Terminal::exec(GATE);
    terminal.sees("Cut over now?").sees("way back");
    terminal.choose(1);
    assert!(terminal.ends_with(0).contains("gate ready: go"));
}

#[test]
fn no_go_at_the_terminal_does_what_the_gate_says() {
    let mut terminal = Terminal::exec(GATE);
    terminal.choose(2);
    terminal.sees("over");
    assert!(!terminal.path("prepared").exists() && !terminal.path("cut").exists());
    terminal.ends_with(4);
}

#[test]
fn an_enter_without_a_choice_is_no_answer() {
    let mut terminal = Terminal::exec(GATE);
    terminal.sees("your answer");
    terminal.press(&[ENTER, " ", "q", "\x04"]).sees("your answer");
    assert!(!terminal.path("cut").exists());
    terminal.choose(1);
    terminal.ends_with(0);
}

#[test]
fn an_answer_from_another_terminal_takes_the_question_away() {
    let terminal = Terminal::exec(GATE);
    terminal.sees("your answer");
    let wrong = terminal.elsewhere(&["go", "cut"]);
    assert_eq!(wrong.status.code(), Some(3), "{wrong:?}");
    let output = terminal.elsewhere(&["go", "ready", "--reason", "all green"]);
    assert!(output.status.success(), "{output:?}");
    assert!(terminal.ends_with(0).contains("all green"));
}

#[test]
fn an_expiry_takes_the_question_away() {
    let terminal = Terminal::exec(&GATE.replace("\"10m\", on_no_go", "\"3s\", on_no_go"));
    terminal.sees("your answer").sees("expires");
    terminal.sees_no_more("your answer");
    terminal.ends_with(4);
}

#[test]
fn a_breach_takes_the_question_away() {
    let guard = "[probe.fine]\nrun = [\"test\", \"!\", \"-e\", \"bad\"]\nbool = \"exit\"\ninterval = \"100ms\"\n\
                 [guard.fine]\nrequire = \"probe.fine\"\n";
    let terminal = Terminal::exec(&format!("{guard}{GATE}"));
    terminal.sees("your answer");
    fs::write(terminal.path("bad"), "").expect("written");
    terminal.sees_no_more("your answer");
    terminal.ends_with(4);
}

#[test]
fn a_gate_that_wants_a_text_takes_no_other() {
    let gate = GATE.replace("on_no_go = \"rollback\"", "on_no_go = \"rollback\", confirm = \"drop it\"");
    let mut terminal = Terminal::exec(&gate);
    terminal.choose(1);
    terminal.sees("type `drop it` to go");
    terminal.press(&["drop", ENTER]).sees("that was not the text");
    let refused = terminal.elsewhere(&["go", "--confirm", "drop"]);
    assert_eq!(refused.status.code(), Some(3), "{refused:?}");
    terminal.choose(1);
    terminal.sees("type `drop it` to go");
    terminal.press(&["drop it", ENTER]);
    terminal.ends_with(0);
}

pub(super) const MANUAL: &str = r#"
[step.button]
manual = { instructions = "Press the red button", evidence = "what it shows", expires = "10m" }
undo = { run = "rm -f pressed", timeout = "10s" }
"#;

#[test]
fn a_person_says_that_their_work_is_done_and_leaves_proof() {
    let mut terminal = Terminal::exec(MANUAL);
    terminal.sees("Press the red button");
    terminal.choose(1);
    terminal.sees("what it shows");
    terminal.press(&["green", ENTER]);
    assert!(terminal.ends_with(0).contains("green"));
}

#[test]
fn a_person_says_that_their_work_could_not_be_done() {
    let mut terminal = Terminal::exec(MANUAL);
    terminal.choose(2);
    terminal.ends_with(4);
}

/// A step that runs until it is told to stop.
const LONG: &str = r#"
[step.long]
run = "touch began; while ! test -e enough; do sleep 0.05; done"
undo = { run = "rm -f began", timeout = "10s" }
[step.after]
needs = ["long"]
run = "touch after"
undo = { run = "rm -f after", timeout = "10s" }
"#;

fn interrupted() -> Terminal {
    let mut terminal = Terminal::exec(LONG);
    terminal.sees("running");
    terminal.press(&[CTRL_C]).sees("interrupted: nothing new starts");
    terminal
}

#[test]
fn ctrl_c_starts_nothing_new_and_go_on_lets_the_run_go_on() {
    let mut terminal = interrupted();
    fs::write(terminal.path("enough"), "").expect("written");
    thread::sleep(Duration::from_millis(500));
    assert!(!terminal.path("after").exists());
    terminal.choose(1);
    terminal.ends_with(0);
}

#[test]
fn who_lets_the_run_go_on_from_elsewhere_answers_ctrl_c_and_the_next_one_asks_again() {
    let mut terminal = interrupted();
    let resumed = terminal.elsewhere(&["resume"]);
    assert!(resumed.status.success(), "{resumed:?}");
    terminal.sees_no_more("your answer");
    terminal.press(&[CTRL_C]).sees("your answer");
    fs::write(terminal.path("enough"), "").expect("written");
    thread::sleep(Duration::from_millis(500));
    assert!(!terminal.path("after").exists());
    terminal.choose(1);
    terminal.ends_with(0);
}

#[test]
fn ctrl_c_and_roll_back_takes_the_run_back() {
    let mut terminal = interrupted();
    terminal.choose(2);
    terminal.sees("over");
    assert!(!terminal.path("began").exists());
    terminal.ends_with(4);
}

#[test]
fn ctrl_c_and_leave_ends_the_process_and_not_the_run() {
    let mut terminal = interrupted();
    terminal.choose(3);
    terminal.sees("over");
    fs::write(terminal.path("enough"), "").expect("written");
    let resumed = terminal.elsewhere(&["resume"]);
    assert!(resumed.status.success(), "{resumed:?}");
    terminal.ends_with(130);
}

#[test]
fn a_second_ctrl_c_leaves() {
    let mut terminal = interrupted();
    terminal.sees("your answer");
    terminal.press(&[CTRL_C]);
    terminal.sees("over");
    fs::write(terminal.path("enough"), "").expect("written");
    terminal.ends_with(130);
}

#[test]
fn a_failed_step_that_pauses_can_be_tried_again() {
    let mut terminal =
        Terminal::exec("[step.shaky]\nrun = \"test -e mended\"\non_failure = \"pause\"\neffect = \"none\"\n");
    terminal.sees("paused").sees("skip it");
    fs::write(terminal.path("mended"), "").expect("written");
    terminal.choose(1);
    terminal.ends_with(0);
}

#[test]
fn the_end_of_input_is_no_answer() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("asked.toml"), format!("{HEAD}{GATE}")).expect("written");
    let mut command = Command::new(BINARY);
    command.args(["exec", "asked.toml", "--no-wait"]).current_dir(folder.path());
    let output = command.env("RUNBOOK_STATE_DIR", folder.path().join("state")).output().expect("it runs");
    assert_eq!(output.status.code(), Some(7), "{output:?}");
    assert!(!folder.path().join("cut").exists());
}

/// What is done can be taken back for a while, as long as `back` is there.
fn open_for(window: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let head = HEAD.replace("[runbook]\n", &format!("[runbook]\nrollback_window = \"{window}\"\n"));
    let steps = "[probe.back]\nrun = [\"test\", \"-e\", \"back\"]\nbool = \"exit\"\ninterval = \"100ms\"\n\
                 [guard.back]\nrequire = \"probe.back\"\n\
                 [step.make]\nrun = \"touch made\"\n\
                 undo = { run = \"rm -f made\", timeout = \"10s\", require = [\"probe.back\"] }\n";
    fs::write(folder.path().join("asked.toml"), format!("{head}{steps}")).expect("written");
    fs::write(folder.path().join("back"), "").expect("written");
    folder
}

#[test]
fn after_success_a_process_that_stays_shows_the_ways_back_and_judges_no_guard() {
    let terminal = Terminal::at(open_for("1h"), "exec asked.toml --stay");
    terminal.sees("SUCCEEDED").sees("watching: the ways back").sees("open for 59m");
    fs::remove_file(terminal.path("back")).expect("removed");
    terminal.sees("SHUT at make");
    let refused = terminal.elsewhere(&["rollback"]);
    assert_eq!(refused.status.code(), Some(3), "{refused:?}");
    assert!(terminal.path("made").exists());
    fs::write(terminal.path("back"), "").expect("written");
    terminal.sees("open for 59m");
    let back = terminal.elsewhere(&["rollback"]);
    assert!(back.status.success(), "{back:?}");
    assert!(!terminal.path("made").exists());
    assert!(!terminal.ends_with(4).contains("BREACHED"));
}

#[test]
fn ctrl_c_ends_the_watching_and_leaves_the_way_back_open() {
    let mut terminal = Terminal::at(open_for("1h"), "exec asked.toml --stay");
    terminal.sees("watching: the ways back");
    terminal.press(&[CTRL_C]).sees("over");
    let status = terminal.elsewhere(&["status", "--json"]);
    let status: serde_json::Value = serde_json::from_slice(&status.stdout).expect("an object");
    assert_eq!((&status["state"], &status["way_back_closed"]), (&"succeeded".into(), &false.into()));
    // It can be watched again, and taken back meanwhile.
    let folder = std::mem::replace(&mut terminal.folder, tempfile::tempdir().expect("a folder"));
    terminal.ends_with(0);
    let again = Terminal::at(folder, "resume --stay");
    again.sees("watching: the ways back");
    let back = again.elsewhere(&["rollback"]);
    assert!(back.status.success(), "{back:?}");
    again.ends_with(4);
}

#[test]
fn a_process_that_stays_closes_the_way_back_when_its_window_is_over() {
    let terminal = Terminal::at(open_for("2s"), "exec asked.toml --stay");
    terminal.sees("code 0 over");
    let told = terminal.elsewhere(&["show", "--json"]);
    assert!(String::from_utf8_lossy(&told.stdout).contains("wayback.closed"), "{told:?}");
    let status = terminal.elsewhere(&["status", "--json"]);
    let status: serde_json::Value = serde_json::from_slice(&status.stdout).expect("an object");
    assert_eq!((&status["state"], &status["way_back_closed"]), (&"succeeded".into(), &true.into()));
    terminal.ends_with(0);
}

/// What the process asks with, if it asks.
fn asks_with(pid: u32) -> Option<u32> {
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).ok()?;
    let asks = |child: &u32| {
        fs::read(format!("/proc/{child}/cmdline")).is_ok_and(|line| line.windows(8).any(|word| word == b"__prompt"))
    };
    children.split_whitespace().filter_map(|child| child.parse().ok()).find(asks)
}

#[test]
fn a_terminal_that_goes_away_at_an_open_question_takes_the_question_and_not_the_run() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("asked.toml"), format!("{HEAD}{GATE}")).expect("written");
    let pair = native_pty_system().openpty(PtySize::default()).expect("a pseudo-terminal");
    let mut run = CommandBuilder::new(BINARY);
    run.args(["exec", "asked.toml"]);
    run.cwd(folder.path());
    run.env("RUNBOOK_STATE_DIR", folder.path().join("state"));
    run.env("TERM", "xterm");
    let mut child = pair.slave.spawn_command(run).expect("it starts");
    drop(pair.slave);
    let pid = child.process_id().expect("it lives");
    let mut screen = pair.master.try_clone_reader().expect("a screen");
    let mut shown = vt100::Parser::new(24.try_into().expect("some"), 80.try_into().expect("some"), 0);
    let mut buffer = [0; 4096];
    while !shown.screen().contents().contains("your answer") {
        let count = screen.read(&mut buffer).expect("it asks");
        shown.process(&buffer[..count]);
    }
    let asks = asks_with(pid).expect("a process that asks");
    drop(screen);
    drop(pair.master);

    let began = Instant::now();
    while fs::exists(format!("/proc/{asks}")).expect("every Linux has /proc") {
        assert!(began.elapsed() < PATIENCE, "what asked is still there");
        thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(asks_with(pid), None, "it asks where nobody is");
    let elsewhere = |words: &[&str]| {
        let mut command = Command::new(BINARY);
        command.args(words).env("RUNBOOK_STATE_DIR", folder.path().join("state")).current_dir(folder.path());
        command.output().expect("it runs")
    };
    let status = elsewhere(&["status", "--json"]);
    let status: serde_json::Value = serde_json::from_slice(&status.stdout).expect("an object");
    assert_eq!((&status["gates_open"][0], &status["driven_by"]["pid"]), (&"ready".into(), &pid.into()));
    let go = elsewhere(&["go", "ready"]);
    assert!(go.status.success(), "{go:?}");
    assert_eq!(child.wait().expect("it ends").exit_code(), 0);
    assert!(folder.path().join("cut").exists());
}
