//! The form of a ledger: one line `<number> <ms>` for each acknowledged write, in a file `ledger.<who>`.
//!
//! It is all that the load and the checker share.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::Failure;

/// Where the ledger of some kind of client is.
pub(crate) fn path(dir: &Path, who: &str) -> PathBuf {
    dir.join(format!("ledger.{who}"))
}

/// The numbers in all ledgers of a folder.
pub(crate) fn acknowledged(dir: &Path) -> Result<Vec<u64>, Failure> {
    let mut numbers = Vec::new();
    for entry in fs::read_dir(dir)?.collect::<io::Result<Vec<_>>>()? {
        if entry.file_name().to_string_lossy().starts_with("ledger.") {
            for line in fs::read_to_string(entry.path())?.lines() {
                let (number, _) = line.split_once(' ').ok_or_else(|| format!("no line of a ledger: {line}"))?;
                numbers.push(number.parse()?);
            }
        }
    }
    Ok(numbers)
}
