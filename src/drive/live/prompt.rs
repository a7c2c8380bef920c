//! Asking at the run's own terminal, in a process of its own, so that a breach can take the question away (R15).
//!
//! The process that drives the run never waits for a key: a child, this binary again, holds the question and the keyboard.
//! Here the child is started, heard and ended, what stands above its question is drawn, and the terminal is given back as
//! it was. What is asked and what an answer means is not known here.

use std::fmt::Write as _;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Child, Command, ExitCode, Stdio};

use console::Term;
use dialoguer::theme::{ColorfulTheme, SimpleTheme, Theme as Look};
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use serde::{Deserialize, Serialize};
use tokio::io::AsyncReadExt as _;

use crate::report::{Line, Theme};

/// The hidden verb of the binary that asks: `runbook __prompt`.
const VERB: &str = "__prompt";

const SAVE: &str = "\x1b7";
const RESTORE: &str = "\x1b8";
const CLEAR_BELOW: &str = "\x1b[J";
const CLEAR_TO_END_OF_LINE: &str = "\x1b[K";
const SHOW_CURSOR: &str = "\x1b[?25h";

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Question {
    /// Before the answer, on one line.
    pub prompt: String,
    /// How it is answered.
    pub how: How,
    /// Neither colours nor signs.
    pub plain: bool,
}

/// How a question is answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum How {
    /// By choosing one of these. None is chosen beforehand: a stray Enter is no answer.
    Choose(Vec<String>),
    /// By typing.
    Type,
}

impl How {
    /// The rows that the question takes at most.
    fn rows(&self) -> usize {
        match self {
            // The question, its choices, and the cursor below them.
            Self::Choose(choices) => choices.len() + 2,
            // What is typed may be long.
            Self::Type => 3,
        }
    }
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// The number of the choice.
    Chosen(usize),
    /// The text.
    Typed(String),
    /// Ctrl-C.
    Interrupted,
    /// The terminal has nothing more to say: no answer.
    Gone,
}

/// A question on the screen.
pub struct Prompt {
    child: Child,
    pipe: tokio::net::UnixStream,
    heard: Vec<u8>,
    how: How,
    block: Vec<Line>,
    size: (u16, u16),
    theme: Theme,
    before: Termios,
}

impl Prompt {
    /// Puts the question on the screen, below `block`. The caller keeps everything else off the screen.
    ///
    /// What was typed before the question was there is no answer to it, and is thrown away.
    pub fn open(question: &Question, mut block: Vec<Line>, theme: Theme) -> io::Result<Self> {
        let before = tcgetattr(io::stdin())?;
        let size = Term::stdout().size();
        block.truncate(usize::from(size.0).saturating_sub(question.how.rows() + 1));
        let mut quiet = before.clone();
        // Ctrl-C is a key for the child, not a signal for both.
        quiet.local_modes.remove(LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG);
        tcsetattr(io::stdin(), OptionalActions::Flush, &quiet)?;
        draw_anew(&block, question.how.rows(), theme);
        match start(question) {
            Ok((child, pipe)) => {
                let how = question.how.clone();
                Ok(Self { child, pipe, heard: Vec::new(), how, block, size, theme, before })
            }
            Err(error) => {
                put(&format!("{RESTORE}{CLEAR_BELOW}"));
                tcsetattr(io::stdin(), OptionalActions::Now, &before)?;
                Err(error)
            }
        }
    }

    /// What comes of it. Can be dropped at any await without losing it.
    pub async fn reply(&mut self) -> Reply {
        loop {
            if self.heard.ends_with(b"\n") {
                return serde_json::from_slice(&self.heard).unwrap_or(Reply::Gone);
            }
            match self.pipe.read_buf(&mut self.heard).await {
                Ok(0) | Err(_) => return self.ended(),
                Ok(_) => {}
            }
        }
    }

    /// It ended without an answer.
    fn ended(&mut self) -> Reply {
        match self.child.wait() {
            Ok(status) if status.signal() == Some(rustix::process::Signal::INT.as_raw()) => Reply::Interrupted,
            Ok(_) | Err(_) => Reply::Gone,
        }
    }

    /// Whether the screen has become another since the question was drawn.
    pub fn is_misplaced(&self) -> bool {
        Term::stdout().size() != self.size
    }

    /// Brings what stands above the question up to date; `false`: it has to be asked anew for that.
    pub fn refresh(&mut self, mut block: Vec<Line>) -> bool {
        let How::Choose(choices) = &self.how else { return true };
        block.truncate(self.block.len().max(usize::from(self.size.0).saturating_sub(self.how.rows() + 1)));
        if block == self.block {
            return true;
        }
        if block.len() != self.block.len() {
            return false;
        }
        let mut out = String::from(RESTORE);
        drawn(&block, self.theme, &mut out);
        // The cursor rests at the beginning of the line below the last choice.
        let _ = write!(out, "\x1b[{}B\r", choices.len() + 1);
        put(&out);
        self.block = block;
        true
    }
}

/// However it ended: nobody holds the keyboard any more, nothing is left on the screen, the terminal is as it was.
impl Drop for Prompt {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        put(&format!("{RESTORE}{CLEAR_BELOW}{SHOW_CURSOR}"));
        // A key for a question that is gone is not one for the shell.
        let _ = tcsetattr(io::stdin(), OptionalActions::Flush, &self.before);
    }
}

/// Makes room first, so that the screen does not scroll while the question is there, and remembers where it begins.
fn draw_anew(block: &[Line], below: usize, theme: Theme) {
    let rows = block.len() + below;
    let mut out = "\n".repeat(rows);
    let _ = write!(out, "\x1b[{rows}A\r{SAVE}{CLEAR_BELOW}");
    drawn(block, theme, &mut out);
    put(&out);
}

fn drawn(block: &[Line], theme: Theme, out: &mut String) {
    for line in block {
        out.push_str(&theme.paint(line));
        out.push_str(CLEAR_TO_END_OF_LINE);
        out.push('\n');
    }
}

fn put(text: &str) {
    let mut out = io::stdout().lock();
    // A terminal that went away must not take the operation with it.
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// Whether this process may ask at its terminal: somebody else's terminal is not asked at.
pub fn may_ask() -> bool {
    match rustix::termios::tcgetpgrp(io::stdin()) {
        Ok(group) => group == rustix::process::getpgrp(),
        // Not the controlling terminal: nobody else has a claim to it.
        Err(_) => true,
    }
}

/// The child: the terminal is its input and its error output, a pipe both ways its standard output.
fn start(question: &Question) -> io::Result<(Child, tokio::net::UnixStream)> {
    let (ours, theirs) = std::os::unix::net::UnixStream::pair()?;
    let terminal = io::stdout().as_fd().try_clone_to_owned()?;
    let mut child = Command::new("/proc/self/exe")
        .arg0("runbook")
        .arg(VERB)
        .stdin(Stdio::inherit())
        .stdout(OwnedFd::from(theirs))
        .stderr(terminal)
        .spawn()?;
    let mut line = serde_json::to_vec(question)?;
    line.push(b'\n');
    let piped = (&ours).write_all(&line).and_then(|()| ours.set_nonblocking(true));
    let piped = piped.and_then(|()| tokio::net::UnixStream::from_std(ours));
    if piped.is_err() {
        let _ = child.kill();
        let _ = child.wait();
    }
    Ok((child, piped?))
}

/// Whether this process was started to ask; if so, it has asked, and this is its exit code.
///
/// For the first lines of the command line.
pub fn served() -> Option<ExitCode> {
    (std::env::args_os().nth(1)? == VERB).then(|| if serve().is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn serve() -> io::Result<()> {
    let pipe = std::os::unix::net::UnixStream::from(io::stdout().as_fd().try_clone_to_owned()?);
    let mut heard = BufReader::new(pipe.try_clone()?);
    let mut text = String::new();
    heard.read_line(&mut text)?;
    let question: Question = serde_json::from_str(&text)?;
    std::thread::spawn(move || {
        // Nothing more is said to us: this returns when whoever asks has died, however that came.
        let _ = heard.read_line(&mut String::new());
        leave_sane();
        std::process::exit(1);
    });
    let mut answer = serde_json::to_vec(&ask(&question)?)?;
    answer.push(b'\n');
    (&pipe).write_all(&answer)
}

/// The terminal of a process that died: it is told how terminals usually are.
fn leave_sane() {
    if let Ok(mut modes) = tcgetattr(io::stdin()) {
        modes.local_modes.insert(LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG | LocalModes::IEXTEN);
        modes.input_modes.insert(rustix::termios::InputModes::ICRNL);
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &modes);
    }
    let _ = io::stderr().write_all(SHOW_CURSOR.as_bytes());
}

fn ask(question: &Question) -> io::Result<Reply> {
    let (plain, colourful) = (SimpleTheme, ColorfulTheme::default());
    let look: &dyn Look = if question.plain { &plain } else { &colourful };
    let asked = match &question.how {
        How::Choose(choices) => dialoguer::Select::with_theme(look)
            .with_prompt(&question.prompt)
            .items(choices)
            .interact()
            .map(Reply::Chosen),
        How::Type => dialoguer::Input::<String>::with_theme(look)
            .with_prompt(&question.prompt)
            .report(false)
            .allow_empty(true)
            .interact_text()
            .map(Reply::Typed),
    };
    asked.map_err(|dialoguer::Error::IO(error)| error)
}
