//! How many rows differ between the two stores. It asks no service: both databases work out a digest of each range of
//! numbers by themselves, and only ranges that differ are looked at row by row.
//!
//! Users write meanwhile, so that answers of two moments may differ. A row counts only if it still differs when it is
//! asked again after a while, and neither store has changed it since.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::sleep;

use super::store::{Digest, Refusal, Row, Store};
use crate::Failure;

/// How many numbers are a range.
const WIDTH: i64 = 1000;
/// Longer than a write is under way between the two stores, if all goes well.
const A_WHILE: Duration = Duration::from_millis(250);
const LOOKS: usize = 5;

/// Prints the number; the rows themselves are said on standard error.
pub(crate) async fn count(old: &str, new: &str) -> Result<(), Failure> {
    let differing = differing(&Store::new(old)?, &Store::new(new)?).await.map_err(|refusal| format!("{refusal:?}"))?;
    for number in &differing {
        eprintln!("order {number} differs");
    }
    println!("{}", differing.len());
    Ok(())
}

async fn differing(old: &Store, new: &Store) -> Result<Vec<i64>, Refusal> {
    let ranges = unequal(&old.digests(WIDTH).await?, &new.digests(WIDTH).await?);
    let mut suspects = BTreeMap::new();
    for range in ranges {
        // Numbers are whole, so those of a range are those behind the last of the range before.
        let (before, last) = (range * WIDTH - 1, range * WIDTH + WIDTH - 1);
        let within = |rows: Vec<Row>| rows.into_iter().filter(|row| row.number <= last).collect::<Vec<_>>();
        suspects
            .extend(unlike(within(old.rows_after(before, WIDTH).await?), within(new.rows_after(before, WIDTH).await?)));
    }
    let mut certain = Vec::new();
    for _ in 0..LOOKS {
        if suspects.is_empty() {
            break;
        }
        sleep(A_WHILE).await;
        let numbers: Vec<i64> = suspects.keys().copied().collect();
        let mut still = unlike(old.rows(&numbers).await?, new.rows(&numbers).await?);
        still.retain(|number, sides| {
            let unchanged = suspects.get(number) == Some(sides);
            if unchanged {
                certain.push(*number);
            }
            !unchanged
        });
        suspects = still;
    }
    // Changed at every look, and never alike: that is no coincidence either.
    certain.extend(suspects.keys());
    Ok(certain)
}

fn unequal(old: &[Digest], new: &[Digest]) -> BTreeSet<i64> {
    let (old, new): (BTreeSet<_>, BTreeSet<_>) = (old.iter().collect(), new.iter().collect());
    old.symmetric_difference(&new).map(|(range, _, _)| *range).collect()
}

type Sides = (Option<Row>, Option<Row>);

/// The rows that are not the same on both sides, by number.
fn unlike(old: Vec<Row>, new: Vec<Row>) -> BTreeMap<i64, Sides> {
    let mut sides: BTreeMap<i64, Sides> = BTreeMap::new();
    for row in old {
        let number = row.number;
        sides.entry(number).or_default().0 = Some(row);
    }
    for row in new {
        let number = row.number;
        sides.entry(number).or_default().1 = Some(row);
    }
    sides.retain(|_, (old, new)| old != new);
    sides
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(number: i64, version: i64, value: &str) -> Row {
        Row { number, version, writer: "a".to_owned(), value: value.to_owned() }
    }

    #[test]
    fn a_range_is_looked_at_if_its_digest_or_its_number_of_rows_differs_or_only_one_store_has_it() {
        let digest = |range: i64, rows: i64, md5: &str| (range, rows, md5.to_owned());
        let old = [digest(0, 9, "a"), digest(1, 9, "b"), digest(2, 9, "c"), digest(3, 9, "d")];
        let new = [digest(0, 9, "a"), digest(1, 9, "x"), digest(2, 8, "c"), digest(4, 9, "e")];
        assert_eq!(unequal(&old, &new).into_iter().collect::<Vec<_>>(), [1, 2, 3, 4]);
    }

    #[test]
    fn a_row_differs_by_its_version_its_value_or_by_being_in_one_store_only() {
        let old = vec![row(1, 1, "same"), row(2, 1, "one"), row(3, 1, "same"), row(4, 1, "only old")];
        let new = vec![row(1, 1, "same"), row(2, 1, "two"), row(3, 2, "same"), row(5, 1, "only new")];
        assert_eq!(unlike(old, new).into_keys().collect::<Vec<_>>(), [2, 3, 4, 5]);
    }
}
