//! What the end of a step's process means for its attempt: exit code, `expect`, outputs, and the evidence for people (R4, R5).

use std::fmt::Write as _;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use serde_json::Value as Json;

use super::attempt::{Ended, Expect, Locals, unexpected};
use super::attempts::Files;
use super::keeper::{Cut, Ending, How, Process};
use super::outputs::Outputs;
use super::reading::excerpt;
use super::secret::Secrets;
use crate::model::{AttemptEnd, Run, Work};

/// So much of a stream is read back for `expect` and outputs.
const READ_MAX: u64 = 1 << 20;

/// Judges an end. `written` is the file of its `name=value` lines, `expect` the one of the action.
pub(super) fn judge(
    ending: &Ending,
    run: &Run,
    work: &Work,
    files: &Files,
    written: Option<File>,
    expect: Option<&Expect>,
    secrets: &Secrets,
) -> Ended {
    let (end, what) = match (&ending.how, ending.cut) {
        (How::InDoubt, _) => (AttemptEnd::InDoubt, "the keeper died while it ran".to_owned()),
        (How::NeverStarted { error }, _) => (AttemptEnd::Failed, format!("could not start: {error}")),
        (How::Exited { .. } | How::Killed { .. }, Some(Cut::Timeout)) => {
            (AttemptEnd::Unknown, format!("stopped after its timeout of {}", work.timeout))
        }
        (How::Exited { .. } | How::Killed { .. }, Some(Cut::Stop)) => (AttemptEnd::Stopped, "stopped".to_owned()),
        // Somebody else killed it: how far it had come is not known.
        (How::Killed { signal }, None) => (AttemptEnd::Unknown, format!("killed by signal {signal}")),
        (How::Exited { code }, None) if run.exit.contains(code) => (AttemptEnd::Done, format!("exit {code}")),
        (How::Exited { code }, None) => (AttemptEnd::Failed, format!("exit {code}")),
    };
    let mut evidence = what;
    if end != AttemptEnd::Done {
        add_last_words(&mut evidence, &files.stderr, &files.stdout);
    }
    add_left_behind(&mut evidence, ending);
    let ended = Ended { end, evidence: secrets.mask(&evidence).into_owned(), outputs: Outputs::default() };
    if end == AttemptEnd::Done { with_answer(ended, ending, work, files, written, expect, secrets) } else { ended }
}

/// A good exit code is not all: `expect` must hold and the outputs must be there.
fn with_answer(
    mut ended: Ended,
    ending: &Ending,
    work: &Work,
    files: &Files,
    written: Option<File>,
    expect: Option<&Expect>,
    secrets: &Secrets,
) -> Ended {
    let code = match ending.how {
        How::Exited { code } => code,
        How::Killed { .. } | How::NeverStarted { .. } | How::InDoubt => 0,
    };
    let stdout = if expect.is_some() || !work.outputs.is_empty() { text_of(&files.stdout) } else { String::new() };
    if expect.is_some() {
        let mut locals = Locals::new();
        locals.insert("stdout".to_owned(), Json::from(stdout.clone()));
        locals.insert("stderr".to_owned(), Json::from(text_of(&files.stderr)));
        locals.insert("exit".to_owned(), Json::from(code));
        if let Some(why) = unexpected(expect, &locals, secrets) {
            return Ended { end: AttemptEnd::Failed, evidence: format!("{}, {why}", ended.evidence), ..ended };
        }
    }
    match Outputs::extract(&work.outputs, &stdout, &text_in(written), secrets) {
        Ok(outputs) => ended.outputs = outputs,
        Err(error) => {
            // It ran to its end: what it was to do is done, and only its answer is of no use.
            ended.end = AttemptEnd::Unknown;
            let _ = write!(ended.evidence, ", but could not {error}");
        }
    }
    ended
}

fn add_last_words(evidence: &mut String, stderr: &Path, stdout: &Path) {
    let said = [stderr, stdout].into_iter().map(tail_of).find(|text| !text.trim().is_empty());
    if let Some(said) = said {
        let _ = write!(evidence, ": {}", excerpt(said.trim()));
    }
}

fn add_left_behind(evidence: &mut String, ending: &Ending) {
    let mut add = |what: &str, processes: &[Process]| {
        if !processes.is_empty() {
            let names: Vec<String> = processes.iter().map(|p| format!("{} ({})", p.name, p.pid)).collect();
            let _ = write!(evidence, "; {what} {}", names.join(", "));
        }
    };
    add("stopped what it left running:", &ending.stopped);
    add("left alone, with a session of its own:", &ending.daemons);
    add("could not stop", &ending.unstoppable);
    let lost = ending.stdout.lost + ending.stderr.lost;
    if lost > 0 {
        let _ = write!(evidence, "; {lost} bytes of its output could not be written");
    }
}

/// The text of a file, as far as it is read; empty where there is none.
fn text_of(path: &Path) -> String {
    text_in(File::open(path).ok())
}

fn text_in(file: Option<File>) -> String {
    let mut bytes = Vec::new();
    if let Some(file) = file {
        // A file that cannot be read is as good as none: the keeper says what it could not write.
        let _ = file.take(READ_MAX).read_to_end(&mut bytes);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The last few lines of a file.
fn tail_of(path: &Path) -> String {
    const TAIL: u64 = 2048;
    let Ok(mut file) = File::open(path) else { return String::new() };
    let length = file.metadata().map_or(0, |metadata| metadata.len());
    let mut bytes = Vec::new();
    let start = length.saturating_sub(TAIL);
    if std::io::Seek::seek(&mut file, std::io::SeekFrom::Start(start)).is_ok() {
        let _ = file.take(TAIL).read_to_end(&mut bytes);
    }
    let text = String::from_utf8_lossy(&bytes).into_owned();
    text.lines().rev().take(3).collect::<Vec<_>>().into_iter().rev().collect::<Vec<_>>().join(" / ")
}
