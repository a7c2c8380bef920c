//! What a verb says when it cannot do what it was asked for.

use std::fmt::{self, Write as _};

use super::exit::Exit;

/// A message, what to do about it, and the exit code.
#[derive(Debug)]
pub(super) struct Failure {
    message: String,
    hints: Vec<String>,
    exit: Exit,
}

impl Failure {
    /// The tool could not work; `what` fits after "could not".
    pub(super) fn could_not(what: impl fmt::Display) -> Self {
        Self { message: format!("could not {what}"), hints: Vec::new(), exit: Exit::Broken }
    }

    /// Wrong usage, or a wrong runbook.
    pub(super) fn wrong(message: impl Into<String>) -> Self {
        Self { message: message.into(), hints: Vec::new(), exit: Exit::Wrong }
    }

    /// Nothing was started.
    pub(super) fn refused(message: impl Into<String>) -> Self {
        Self { message: message.into(), hints: Vec::new(), exit: Exit::Refused }
    }

    /// With something to do about it.
    #[must_use]
    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// All of it in one line, for a list of findings.
    pub(super) fn in_one_line(&self) -> String {
        std::iter::once(self.message.as_str())
            .chain(self.hints.iter().map(String::as_str))
            .collect::<Vec<_>>()
            .join("; ")
    }

    /// The code to end with.
    pub(super) fn exit(&self) -> Exit {
        self.exit
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = format!("error: {}", self.message);
        for hint in &self.hints {
            let _ = write!(text, "\n  {hint}");
        }
        f.write_str(&text)
    }
}
