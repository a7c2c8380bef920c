//! The programs of dual-write: a service in front of two stores, and what is asked of both past it.
//!
//! | | |
//! |---|---|
//! | `service PORT FILE OLD NEW` | the service; its flags are in FILE |
//! | `backfill OLD NEW` | carries over what OLD had before both were written |
//! | `parity OLD NEW` | prints how many rows differ |
//! | `revisions DIR STORE` | holds what was revised against the store that is in force |
//! | `conflicts OLD NEW EPOCH` | plants conflicting writes in every order, and reads what became of them |
//! | `late STORE EPOCH` | writes as somebody who is not in force any more |
//!
//! An order is a row with a version and a writer. A write replaces what is there only if its version is newer, or, of two
//! with one version, if its writer comes later. So whoever repeats a write, or tells two stores the same ones in another
//! order, leaves the same rows.

mod backfill;
mod conflicts;
mod mariadb;
mod parity;
mod postgres;
mod revisions;
mod service;
mod shadow;
mod store;

use crate::Failure;

pub(crate) use mariadb::database;

/// How many rows are customers, revised again and again: -1, -2, ...
const CUSTOMERS: u64 = 200;

/// The row that the write with this number revises.
pub(crate) fn customer_of(number: u64) -> i64 {
    -1 - i64::try_from(number % CUSTOMERS).expect("a few hundred")
}

/// What a row says in a version; so that the checker knows what must be there.
pub(crate) fn value_of(row: i64, version: i64) -> String {
    format!("row {row} as of {version}")
}

pub(crate) async fn run(words: &[&str]) -> Result<(), Failure> {
    match *words {
        ["service", port, file, old, new] => service::serve(port.parse()?, file.into(), old, new).await,
        ["backfill", old, new] => backfill::backfill(old, new).await,
        ["parity", old, new] => parity::count(old, new).await,
        ["revisions", dir, store] => revisions::check(dir.as_ref(), store).await,
        ["conflicts", old, new, epoch] => conflicts::plant(old, new, epoch.parse()?).await,
        ["late", store, epoch] => conflicts::come_late(store, epoch.parse()?).await,
        _ => Err("usage: service PORT FILE OLD NEW | backfill OLD NEW | parity OLD NEW | revisions DIR STORE | conflicts OLD NEW EPOCH | late STORE EPOCH".into()),
    }
}
