//! The table `orders`, as `make_orders` of `examples/support/postgres.sh` makes it.

use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions as _, Row as _};
use tokio::time::timeout;

use super::{Refusal, Stored};
use crate::Failure;

/// For an answer.
const PATIENCE: Duration = Duration::from_millis(1500);

pub(crate) struct Postgres {
    database: PgConnectOptions,
    connection: Option<PgConnection>,
}

impl Postgres {
    pub(crate) fn new(url: &str) -> Result<Self, Failure> {
        Ok(Self { database: url.parse()?, connection: None })
    }

    pub(crate) async fn place(&mut self, number: u64) -> Result<(), Refusal> {
        let mut open = match self.connection.take() {
            Some(open) => open,
            // Nobody who takes us in, for whatever reason, is nobody there.
            None => match timeout(PATIENCE, self.database.connect()).await {
                Ok(Ok(open)) => open,
                Ok(Err(_)) | Err(_) => return Err(Refusal::Held),
            },
        };
        let number = i64::try_from(number).map_err(|_| Refusal::Error)?;
        let insert = sqlx::query("insert into orders (number) values ($1) on conflict do nothing").bind(number);
        // One that does not answer any more is given up.
        let result = timeout(PATIENCE, insert.execute(&mut open)).await.map_err(|_| Refusal::Error)?;
        let end = result.map(|_| ()).map_err(|error| refusal_of(&error));
        // After an error that the server reported, the connection is as good as before.
        if end != Err(Refusal::Held) {
            self.connection = Some(open);
        }
        end
    }

    pub(crate) async fn stored(&mut self) -> Result<Vec<Stored>, Failure> {
        let query =
            "select number, (extract(epoch from at) * 1000000)::bigint as at, taken_by from orders where number > 0";
        let mut connection = self.database.connect().await?;
        let rows = sqlx::query(query).fetch_all(&mut connection).await?;
        rows.iter()
            .map(|row| {
                let number = u64::try_from(row.get::<i64, _>("number"))?;
                Ok(Stored { number, at: row.get("at"), by: row.get("taken_by") })
            })
            .collect()
    }
}

fn refusal_of(error: &sqlx::Error) -> Refusal {
    let code = error.as_database_error().and_then(|e| e.code().map(|code| code.to_string()));
    match code.as_deref() {
        // The connection is lost, shut down, or fenced a moment ago.
        None | Some("57P01" | "57P02" | "57P03" | "25006") => Refusal::Held,
        Some(_) => Refusal::Error,
    }
}
