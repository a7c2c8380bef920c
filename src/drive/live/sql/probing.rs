//! A connection of a probe: kept open between polls, read-only, bounded at the server too.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::Value as Json;
use sqlx::postgres::PgConnection;
use sqlx::sqlite::SqliteConnection;
use sqlx::{Connection as _, Executor as _};

use super::{Database, Statements, database, postgres, sqlite};

/// An open connection.
pub enum Connection {
    /// To `PostgreSQL`.
    Postgres(PgConnection),
    /// To `SQLite`.
    Sqlite(SqliteConnection, Interrupt),
}

/// Dropped, it ends what the connection's thread is still doing.
pub struct Interrupt(Arc<AtomicBool>);

impl Drop for Interrupt {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Connection {
    /// Connects to where the statements lead; their bound is what each question may take at the server.
    pub async fn open(statements: &Statements) -> Result<Self, String> {
        match database(&statements.url) {
            Some(Database::Postgres) => postgres_for_reading(statements)
                .await
                .map(Self::Postgres)
                .map_err(|error| format!("no connection: {}", postgres::reason(&error))),
            Some(Database::Sqlite) => sqlite_for_reading(statements)
                .await
                .map(|(connection, interrupt)| Self::Sqlite(connection, interrupt))
                .map_err(|error| format!("no connection: {}", sqlite::reason(&error))),
            None => Err("no address of PostgreSQL or SQLite".to_owned()),
        }
    }

    /// The first column of the first row; `None` without a row. After an error the connection is not to be used again: it
    /// may be lost, and a server remembers what it once prepared even where a migration has changed the table since.
    pub async fn first(&mut self, text: &str, params: &[Json]) -> Result<Option<Json>, String> {
        match self {
            Self::Postgres(connection) => {
                postgres::first(connection, text, params).await.map_err(|error| postgres::reason(&error))?
            }
            Self::Sqlite(connection, _) => loop {
                match sqlite::first(connection, text, params).await {
                    Ok(value) => return value,
                    // A writer is at it; the caller's bound ends the waiting.
                    Err(error) if sqlite::is_busy(&error) => {}
                    Err(error) => return Err(sqlite::reason(&error)),
                }
            },
        }
    }
}

async fn postgres_for_reading(statements: &Statements) -> Result<PgConnection, sqlx::Error> {
    let options = postgres::options(&statements.url, statements.password.as_deref(), &statements.session)?;
    let mut connection = PgConnection::connect_with(&options).await?;
    postgres::limit(&mut connection, statements.bound).await?;
    connection.execute("set default_transaction_read_only = on").await?;
    Ok(connection)
}

async fn sqlite_for_reading(statements: &Statements) -> Result<(SqliteConnection, Interrupt), sqlx::Error> {
    let options = sqlite::options(&statements.url, &statements.folder)?;
    let mut connection = SqliteConnection::connect_with(&options).await?;
    connection.execute("pragma query_only = on").await?;
    let interrupt = Interrupt(Arc::default());
    sqlite::interrupt_by(&mut connection, &interrupt.0).await?;
    Ok((connection, interrupt))
}
