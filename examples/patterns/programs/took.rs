//! How long clients waited: one line `<ms since 1970> <microseconds>` for each try of a client that tries once.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use crate::Failure;

fn path(dir: &Path) -> PathBuf {
    dir.join("took")
}

/// The list that grows.
pub(crate) struct Took(File);

impl Took {
    pub(crate) fn open(dir: &Path) -> io::Result<Self> {
        File::options().create(true).append(true).open(path(dir)).map(Self)
    }

    /// A try that has ended just now.
    pub(crate) fn note(&mut self, took: Duration) -> io::Result<()> {
        let line = format!("{} {}\n", UNIX_EPOCH.elapsed().unwrap_or_default().as_millis(), took.as_micros());
        self.0.write_all(line.as_bytes())
    }
}

/// Prints one line for a script, about the tries that ended from `from` to `to`, both in ms since 1970.
pub(crate) fn summarise(dir: &Path, from: u64, to: u64) -> Result<(), Failure> {
    let mut took = Vec::new();
    for line in fs::read_to_string(path(dir))?.lines() {
        let (at, us) = line.split_once(' ').ok_or_else(|| format!("not when and how long: {line}"))?;
        if (from..=to).contains(&at.parse()?) {
            took.push(us.parse::<u64>()?);
        }
    }
    took.sort_unstable();
    let (Some(p50), Some(p99), Some(max)) = (nearest_rank(&took, 50), nearest_rank(&took, 99), took.last()) else {
        return Err(format!("nobody tried anything from {from} to {to}").into());
    };
    println!("tries={} p50_us={p50} p99_us={p99} max_us={max}", took.len());
    Ok(())
}

/// The smallest value that so many percent do not exceed.
fn nearest_rank(sorted: &[u64], percent: usize) -> Option<u64> {
    sorted.get((sorted.len() * percent).div_ceil(100).checked_sub(1)?).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_a_value_that_was_measured() {
        let hundred: Vec<u64> = (1..=100).collect();
        assert_eq!((nearest_rank(&hundred, 50), nearest_rank(&hundred, 99)), (Some(50), Some(99)));
        assert_eq!((nearest_rank(&[7], 99), nearest_rank(&[], 99)), (Some(7), None));
    }
}
