//! `--detach`: a run goes on in a process of its own, which outlives the terminal.
//!
//! Whoever starts it executes this binary again and waits until the run has begun, or was refused. The new process leads a
//! session of its own; until the run has begun it says what it has to say where it was started, and afterwards its messages
//! go to a file of the run. Nothing is added to its command line, and the environment is handed on: secrets stay where they
//! were.

use std::cell::RefCell;
use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::Command;
use std::rc::Rc;

use serde_json::json;

use super::args::Output;
use super::exit::Exit;
use super::failure::Failure;
use super::output::say;
use super::stage::Setting;
use crate::engine::Notice;
use crate::report::{Reporter, Told, View};

/// The hidden word before the command line of a process that stands alone.
const VERB: &str = "__detached";

/// What a process that stands alone has to say once the run has begun, in the run's folder.
const MESSAGES: &str = "detached.err";

/// Where the process of a run stands.
#[derive(Clone, Debug, Default)]
pub(super) enum Seat {
    /// Where it was started.
    #[default]
    Here,
    /// By itself; the line leads to whoever has started it, until the run has begun.
    Alone(Rc<RefCell<Option<UnixStream>>>),
}

/// The command line of this process, and where it stands by that.
pub(super) fn seat() -> Result<(Vec<OsString>, Seat), Failure> {
    let mut words: Vec<OsString> = std::env::args_os().collect();
    if words.get(1).is_none_or(|word| word != VERB) {
        return Ok((words, Seat::Here));
    }
    words.remove(1);
    let line = stand_alone().map_err(|error| Failure::could_not(format!("stand alone: {error}")))?;
    Ok((words, Seat::Alone(Rc::new(RefCell::new(Some(line))))))
}

/// The line to whoever has started this process is its standard input; its children must not find it there.
fn stand_alone() -> io::Result<UnixStream> {
    let line = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdin(), 3)?;
    rustix::stdio::dup2_stdin(File::open("/dev/null")?)?;
    rustix::process::setsid()?;
    Ok(line.into())
}

/// Starts this command line again in a process that stands alone, and waits until the run has begun or was refused.
pub(super) fn start(output: Output) -> Result<Exit, Failure> {
    let failed = |error: io::Error| Failure::could_not(format!("go on in a process of its own: {error}"));
    let (ours, theirs) = UnixStream::pair().map_err(failed)?;
    // Not the path of the binary: that may have been replaced since.
    let mut child = Command::new("/proc/self/exe")
        .arg0("runbook")
        .arg(VERB)
        .args(std::env::args_os().skip(1))
        .stdin(OwnedFd::from(theirs))
        .spawn()
        .map_err(failed)?;
    let mut run = String::new();
    BufReader::new(ours).read_line(&mut run).map_err(failed)?;
    let run = run.trim_end();
    if run.is_empty() {
        let ended = child.wait().map_err(failed)?;
        return match ended.code() {
            // It has said why itself.
            Some(code) => Ok(Exit::of(code)),
            None => Err(Failure::could_not(format!("begin the run: its process ended by {ended}"))
                .hint("`runbook list` shows whether it had begun")),
        };
    }
    let pid = child.id();
    match output {
        Output::Json => say(&json!({ "run": run, "pid": pid }).to_string()),
        Output::Auto | Output::Plain => {
            say(&format!("run {run} goes on by itself, in process {pid}"));
            say(&format!("  watch it: runbook attach {run}"));
            say(&format!("  see it:   runbook status {run}"));
        }
    }
    Ok(Exit::Good)
}

impl Seat {
    /// Where the process stands alone: a reporter that also tells when the run has begun, and nobody afterwards.
    pub(super) fn announcing(&self, reporter: Box<dyn Reporter>, setting: &Setting) -> Box<dyn Reporter> {
        match self {
            Self::Here => reporter,
            Self::Alone(line) => Box::new(Announcing {
                reporter,
                line: Rc::clone(line),
                run: setting.run.0.clone(),
                messages: setting.folder.path().join(MESSAGES),
            }),
        }
    }
}

struct Announcing {
    reporter: Box<dyn Reporter>,
    line: Rc<RefCell<Option<UnixStream>>>,
    run: String,
    messages: PathBuf,
}

impl Announcing {
    /// From now on nobody listens where this process was started.
    fn announce(&self, mut line: UnixStream) -> io::Result<()> {
        io::stdout().flush()?;
        rustix::stdio::dup2_stdout(File::options().write(true).open("/dev/null")?)?;
        let messages = OpenOptions::new().append(true).create(true).mode(0o600).open(&self.messages);
        rustix::stdio::dup2_stderr(messages.or_else(|_| File::options().write(true).open("/dev/null"))?)?;
        writeln!(line, "{}", self.run)
    }
}

impl Reporter for Announcing {
    fn tell(&mut self, told: &Told) {
        self.reporter.tell(told);
        if has_begun(&told.notice)
            && let Some(line) = self.line.take()
        {
            // Whoever has started us may be gone; the run goes on.
            let _ = self.announce(line);
        }
    }

    fn refresh(&mut self, view: &View) {
        self.reporter.refresh(view);
    }

    fn suspend(&mut self) {
        self.reporter.suspend();
    }

    fn resume(&mut self) {
        self.reporter.resume();
    }

    fn finish(&mut self) {
        self.reporter.finish();
    }
}

/// Whether a run that tells this is not refused any more: preflight, the first window, the guards and the baseline
/// before the first step are behind it, or it was taken up.
fn has_begun(notice: &Notice) -> bool {
    match notice {
        Notice::RunStarted
        | Notice::RunFinished { .. }
        | Notice::PhaseStarted { .. }
        | Notice::WindowClosed { .. }
        | Notice::GuardAwaited { .. }
        | Notice::AnswerAwaited { .. }
        | Notice::GuardBreached { .. }
        | Notice::GuardBlind { .. }
        | Notice::GuardWarned { .. }
        | Notice::GuardEased { .. }
        | Notice::BaselineStarted
        | Notice::BaselineTaken
        | Notice::BaselineRejected { .. }
        | Notice::WayBackShut { .. }
        | Notice::WayBackOpen { .. }
        | Notice::WayBackClosed
        | Notice::RollbackRefused { .. }
        | Notice::OrderIgnored => false,
        Notice::RunResumed
        | Notice::RunPaused { .. }
        | Notice::RunContinued
        | Notice::RunStopping { .. }
        | Notice::RunStuck { .. }
        | Notice::PhaseWaiting { .. }
        | Notice::PhaseSucceeded { .. }
        | Notice::PhaseFailed { .. }
        | Notice::StepStarted { .. }
        | Notice::RampSetting { .. }
        | Notice::RampSet { .. }
        | Notice::RampConfirmed { .. }
        | Notice::RampHeld { .. }
        | Notice::RampReleased { .. }
        | Notice::RampAdvanced { .. }
        | Notice::StepMeasuring { .. }
        | Notice::StepRetrying { .. }
        | Notice::StepStalled { .. }
        | Notice::StepInDoubt { .. }
        | Notice::StepSettled { .. }
        | Notice::StepFailed { .. }
        | Notice::GateOpened { .. }
        | Notice::GateAnswered { .. }
        | Notice::GateExpired { .. }
        | Notice::GateClosed { .. }
        | Notice::RollbackStarted { .. }
        | Notice::UndoStarted { .. }
        | Notice::UndoSucceeded { .. }
        | Notice::UndoFailed { .. }
        | Notice::RollbackLate
        | Notice::BracketClosing { .. }
        | Notice::BracketReopening { .. }
        | Notice::RollbackMeasuring { .. }
        | Notice::RollbackFinished { .. }
        | Notice::PassStarted { .. } => true,
    }
}
