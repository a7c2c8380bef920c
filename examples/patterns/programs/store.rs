//! What the clients write to. A new kind of store is a scheme here and a file of its own.

mod events;
mod mariadb;
mod orders;
mod postgres;
pub(crate) mod shop;

use crate::Failure;

/// Numbers below are of earlier times: no client has placed them.
pub(crate) const FIRST_NUMBER: u64 = 1_000_000;

/// A store, spoken to over one connection at most, which is opened when it is needed.
pub(crate) enum Store {
    Postgres(Box<postgres::Postgres>),
    MariaDb(Box<mariadb::MariaDb>),
    Orders(orders::Orders),
    Shop(shop::Shop),
    Events(events::Events),
}

/// Why a write was not acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Nobody there just now, or not for us: the application waits, as it would through any switchover.
    Held,
    /// The store took it up and said no, or said nothing: a user sees that.
    Error,
}

/// One write, as the store has it.
pub(crate) struct Stored {
    pub(crate) number: u64,
    /// When it was taken, in microseconds; only for the order.
    pub(crate) at: i64,
    /// By which server.
    pub(crate) by: String,
}

impl Store {
    pub(crate) fn new(url: &str) -> Result<Self, Failure> {
        match url.split_once("://") {
            Some(("postgres", _)) => Ok(Self::Postgres(Box::new(postgres::Postgres::new(url)?))),
            Some(("mysql", _)) => Ok(Self::MariaDb(Box::new(mariadb::MariaDb::new(url)?))),
            Some(("orders", door)) => Ok(Self::Orders(orders::Orders::new(door.parse()?))),
            Some(("shop", place)) => Ok(Self::Shop(shop::Shop::new(place)?)),
            Some(("events", place)) => Ok(Self::Events(events::Events::new(place)?)),
            _ => Err(format!("no store that we can speak to: {url}").into()),
        }
    }

    /// One try. A write that was tried before, with an end that nobody knows, does not take place twice.
    pub(crate) async fn place(&mut self, number: u64) -> Result<(), Refusal> {
        match self {
            Self::Postgres(postgres) => postgres.place(number).await,
            Self::MariaDb(_) => Err(Refusal::Held), // users go through the service
            Self::Orders(orders) => orders.place(number).await,
            Self::Shop(shop) => shop.place(number).await,
            Self::Events(events) => events.place(number).await,
        }
    }

    /// All writes of clients that it has, in the order in which it took them.
    pub(crate) async fn stored(&mut self) -> Result<Vec<Stored>, Failure> {
        let mut stored = match self {
            Self::Postgres(postgres) => postgres.stored().await?,
            Self::MariaDb(mariadb) => mariadb.stored().await?,
            Self::Orders(_) => return Err("a service is no witness of its own: ask its store".into()),
            Self::Shop(shop) => shop.stored().await?,
            Self::Events(events) => events.stored().await?,
        };
        stored.sort_by_key(|write| write.at);
        Ok(stored)
    }
}
