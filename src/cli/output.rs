//! What verbs print, and whether it arrived.

use std::io::{self, IsTerminal as _, Write as _};
use std::sync::OnceLock;

use super::failure::Failure;
use super::stage::theme;
use crate::report::text::Line;

/// The first thing that went wrong with standard output.
static LOST: OnceLock<io::Error> = OnceLock::new();

/// Prints a line. A reader or a terminal that went away is no reason to fail; a full disk is one for [`lost`].
pub(super) fn say(line: &str) {
    note(writeln!(io::stdout(), "{line}"));
}

/// Prints lines, in colour where a person looks.
pub(super) fn print(lines: &[Line]) {
    let theme = theme(io::stdout().is_terminal());
    for line in lines {
        say(&theme.paint(line));
    }
}

/// Takes in what came of writing to standard output.
pub(super) fn note(written: io::Result<()>) {
    if let Err(error) = written
        && error.kind() != io::ErrorKind::BrokenPipe
        && error.raw_os_error() != Some(rustix::io::Errno::IO.raw_os_error())
    {
        let _ = LOST.set(error);
    }
}

/// What standard output lost, if anything; to be asked when all has been printed.
pub(super) fn lost() -> Option<Failure> {
    note(io::stdout().flush());
    LOST.get().map(|error| Failure::could_not(format!("write all of the output: {error}")))
}
