//! The checker: the ledgers of acknowledged writes against the store that is in force. It asks no runbook and no load.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use crate::store::{Store, Stored};
use crate::{Failure, ledger};

/// Prints one line for a script; fails where a write was lost, or is there twice.
///
/// `turns` is how often the writes went over from one server to another, the first one included: two servers that take
/// writes at the same time take turns, again and again.
pub(crate) async fn check(dir: &Path, url: &str) -> Result<(), Failure> {
    // The ledgers first: what is acknowledged by now must be stored, whatever comes in meanwhile.
    let acknowledged = ledger::acknowledged(dir)?;
    let stored = Store::new(url)?.stored().await?;
    let findings = Findings::of(&acknowledged, &stored);
    let by: Vec<String> = findings.by.iter().map(|(server, writes)| format!("by_{server}={writes}")).collect();
    println!(
        "acknowledged={} lost={} duplicated={} turns={} {}",
        acknowledged.len(),
        findings.lost,
        findings.duplicated,
        findings.turns,
        by.join(" ")
    );
    if findings.lost == 0 && findings.duplicated == 0 {
        Ok(())
    } else {
        Err("the store in force is not what was acknowledged".into())
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Findings<'s> {
    lost: usize,
    duplicated: usize,
    turns: usize,
    by: BTreeMap<&'s str, usize>,
}

impl<'s> Findings<'s> {
    /// `stored` in the order in which the writes were taken.
    fn of(acknowledged: &[u64], stored: &'s [Stored]) -> Self {
        let mut times: HashMap<u64, usize> = HashMap::new();
        let mut by: BTreeMap<&str, usize> = BTreeMap::new();
        for write in stored {
            *times.entry(write.number).or_default() += 1;
            *by.entry(&write.by).or_default() += 1;
        }
        let changes = stored.windows(2).filter(|two| two[0].by != two[1].by).count();
        Self {
            lost: acknowledged.iter().filter(|number| !times.contains_key(number)).count(),
            duplicated: times.values().filter(|&&times| times > 1).count(),
            turns: changes + usize::from(!stored.is_empty()),
            by,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(writes: &[(u64, &str)]) -> Vec<Stored> {
        writes.iter().map(|&(number, by)| Stored { number, at: 0, by: by.to_owned() }).collect()
    }

    #[test]
    fn an_acknowledged_write_that_is_not_stored_is_lost_and_one_stored_twice_is_duplicated() {
        let stored = stored(&[(1, "old"), (2, "old"), (2, "old"), (4, "new")]);
        let findings = Findings::of(&[1, 2, 3], &stored);
        assert_eq!((findings.lost, findings.duplicated), (1, 1));
    }

    #[test]
    fn two_servers_that_take_writes_at_once_take_turns_again_and_again() {
        let one_after_the_other = stored(&[(1, "old"), (2, "old"), (3, "new")]);
        let both = stored(&[(1, "old"), (2, "new"), (3, "old"), (4, "new")]);
        assert_eq!((Findings::of(&[], &one_after_the_other).turns, Findings::of(&[], &both).turns), (2, 4));
    }
}
