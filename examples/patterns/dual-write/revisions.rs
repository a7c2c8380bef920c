//! The checker of revisions: each acknowledged write has also revised the row of a customer, which must not have gone back.

use std::collections::BTreeMap;
use std::path::Path;

use super::store::Store;
use super::{customer_of, value_of};
use crate::{Failure, ledger};

/// Prints one line for a script; fails where a row is older than a revision of it that was acknowledged, or says what it
/// does not say in its version.
pub(crate) async fn check(dir: &Path, store: &str) -> Result<(), Failure> {
    // The ledgers first: what is acknowledged by now must be stored, whatever comes in meanwhile.
    let mut last: BTreeMap<i64, i64> = BTreeMap::new();
    for number in ledger::acknowledged(dir)? {
        let version = last.entry(customer_of(number)).or_default();
        *version = i64::try_from(number)?.max(*version);
    }
    let numbers: Vec<i64> = last.keys().copied().collect();
    let rows = Store::new(store)?.rows(&numbers).await.map_err(|refusal| format!("{refusal:?}"))?;
    let kept: BTreeMap<i64, i64> = rows.iter().map(|row| (row.number, row.version)).collect();
    let gone_back = last.iter().filter(|&(number, version)| kept.get(number) < Some(version)).count();
    let garbled = rows.iter().filter(|row| row.value != value_of(row.number, row.version)).count();
    println!("revised={} gone_back={gone_back} garbled={garbled}", last.len());
    if gone_back == 0 && garbled == 0 {
        Ok(())
    } else {
        Err("revisions that were acknowledged are not in force".into())
    }
}
