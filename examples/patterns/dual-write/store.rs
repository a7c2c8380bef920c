//! One of the two stores, whichever: the same words for both.

use std::cell::Cell;
use std::time::{Duration, Instant};

use tokio::time::timeout;

use super::mariadb::MariaDb;
use super::postgres::Postgres;
use crate::Failure;

/// For an answer of a store, a connection to it included.
const PATIENCE: Duration = Duration::from_millis(700);

/// After it failed.
const REST: Duration = Duration::from_secs(1);

/// Who may write, counted up: a store takes nothing from an epoch that is over.
pub(crate) type Epoch = i64;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Row {
    pub(crate) number: i64,
    pub(crate) version: i64,
    pub(crate) writer: String,
    pub(crate) value: String,
}

/// When and by whom a row was taken; not part of what it says.
#[derive(Clone, Copy)]
pub(crate) struct Taken {
    /// Microseconds; only for the order.
    pub(crate) at: i64,
    pub(crate) by: &'static str,
}

/// Whether the other store is still to be told of a write: noted in the same transaction.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Owed {
    Note,
    Nothing,
}

#[derive(Debug)]
pub(crate) enum Refusal {
    /// The store knows a later epoch: whoever writes is not in force any more.
    Deposed,
    /// It cannot be reached, or says no, or nothing.
    Failed(String),
}

impl From<sqlx::Error> for Refusal {
    fn from(error: sqlx::Error) -> Self {
        Self::Failed(error.to_string())
    }
}

/// What became of a write inside the store.
pub(crate) enum Written {
    /// Taken, or older than what is there, which is as good.
    Settled,
    /// The store knows only an earlier epoch, and is to be told of this one first.
    Unheard,
    Deposed,
}

/// A store, and when it last failed us.
pub(crate) struct Store {
    pub(crate) kind: Kind,
    failed: Cell<Option<Instant>>,
}

pub(crate) enum Kind {
    MariaDb(MariaDb),
    Postgres(Postgres),
}

/// A range of numbers, how many rows it has and what they come to.
pub(crate) type Digest = (i64, i64, String);

impl Store {
    pub(crate) fn new(url: &str) -> Result<Self, Failure> {
        let kind = match url.split_once("://") {
            Some(("mysql", _)) => Kind::MariaDb(MariaDb::new(url, PATIENCE)?),
            Some(("postgres", _)) => Kind::Postgres(Postgres::new(url, PATIENCE)?),
            _ => return Err(format!("no store that we can speak to: {url}").into()),
        };
        Ok(Self { kind, failed: Cell::default() })
    }

    /// It failed a moment ago. Whoever can do without it need not wait for it again.
    pub(crate) fn rests(&self) -> bool {
        self.failed.get().is_some_and(|at| at.elapsed() < REST)
    }

    /// Done when the store has this row, or a newer one.
    pub(crate) async fn write(&self, row: &Row, taken: Taken, epoch: Epoch, owed: Owed) -> Result<(), Refusal> {
        loop {
            let written = match &self.kind {
                Kind::MariaDb(store) => self.in_time(store.write(row, taken, epoch, owed)).await,
                Kind::Postgres(store) => self.in_time(store.write(row, taken, epoch, owed)).await,
            }?;
            match written {
                Written::Settled => return Ok(()),
                Written::Deposed => return Err(Refusal::Deposed),
                Written::Unheard => self.announce(epoch).await?,
            }
        }
    }

    /// From now on nothing of an earlier epoch is taken, nor is any of it still under way.
    pub(crate) async fn announce(&self, epoch: Epoch) -> Result<(), Refusal> {
        match &self.kind {
            Kind::MariaDb(store) => self.in_time(store.announce(epoch)).await,
            Kind::Postgres(store) => self.in_time(store.announce(epoch)).await,
        }
    }

    pub(crate) async fn read(&self, number: i64) -> Result<Option<Row>, Refusal> {
        Ok(self.rows(&[number]).await?.pop())
    }

    /// Those of them that are there, by number.
    pub(crate) async fn rows(&self, numbers: &[i64]) -> Result<Vec<Row>, Refusal> {
        match &self.kind {
            Kind::MariaDb(store) => self.in_time(store.rows(numbers)).await,
            Kind::Postgres(store) => self.in_time(store.rows(numbers)).await,
        }
    }

    /// The first so many rows behind a number.
    pub(crate) async fn rows_after(&self, number: i64, count: i64) -> Result<Vec<Row>, Refusal> {
        match &self.kind {
            Kind::MariaDb(store) => self.in_time(store.rows_after(number, count)).await,
            Kind::Postgres(store) => self.in_time(store.rows_after(number, count)).await,
        }
    }

    /// Each range of so many numbers, worked out inside the database.
    pub(crate) async fn digests(&self, width: i64) -> Result<Vec<Digest>, Refusal> {
        match &self.kind {
            Kind::MariaDb(store) => self.in_time(store.digests(width)).await,
            Kind::Postgres(store) => self.in_time(store.digests(width)).await,
        }
    }

    /// What the other store is still to be told: the first numbers behind this one.
    pub(crate) async fn owed_after(&self, number: i64) -> Result<Vec<i64>, Refusal> {
        match &self.kind {
            Kind::MariaDb(store) => self.in_time(store.owed_after(number)).await,
            Kind::Postgres(store) => self.in_time(store.owed_after(number)).await,
        }
    }

    /// The other store has the row in this version.
    pub(crate) async fn paid(&self, number: i64, version: i64) -> Result<(), Refusal> {
        match &self.kind {
            Kind::MariaDb(store) => self.in_time(store.paid(number, version)).await,
            Kind::Postgres(store) => self.in_time(store.paid(number, version)).await,
        }
    }

    /// The other store is no copy of this one any more: nothing is owed.
    pub(crate) async fn forgive(&self) -> Result<(), Refusal> {
        match &self.kind {
            Kind::MariaDb(store) => self.in_time(store.forgive()).await,
            Kind::Postgres(store) => self.in_time(store.forgive()).await,
        }
    }

    async fn in_time<T>(&self, work: impl Future<Output = sqlx::Result<T>>) -> Result<T, Refusal> {
        let result = match timeout(PATIENCE, work).await {
            Ok(result) => result.map_err(Refusal::from),
            Err(_) => Err(Refusal::Failed("no answer in time".to_owned())),
        };
        self.failed.set(result.is_err().then(Instant::now));
        result
    }
}
