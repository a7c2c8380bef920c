//! The old store: the words of [`super::store::Store`] in its SQL; `examples/patterns/dual-write/old.sql` has the tables.

use std::env;
use std::time::Duration;

use sqlx::mysql::{MySqlConnectOptions, MySqlPool, MySqlPoolOptions, MySqlRow};
use sqlx::{AssertSqlSafe, Row as _};

use super::store::{Digest, Epoch, Owed, Row, Taken, Written};

pub(crate) struct MariaDb(MySqlPool);

/// A URL has no password: as for the store's own programs it is in the environment.
pub(crate) fn database(url: &str) -> sqlx::Result<MySqlConnectOptions> {
    let options: MySqlConnectOptions = url.parse()?;
    Ok(match env::var("MYSQL_PWD") {
        Ok(password) => options.password(&password),
        Err(_) => options,
    })
}

impl MariaDb {
    pub(crate) fn new(url: &str, patience: Duration) -> sqlx::Result<Self> {
        let database = database(url)?;
        Ok(Self(MySqlPoolOptions::new().max_connections(12).acquire_timeout(patience).connect_lazy_with(database)))
    }

    pub(crate) async fn write(&self, row: &Row, taken: Taken, epoch: Epoch, owed: Owed) -> sqlx::Result<Written> {
        let mut work = self.0.begin().await?;
        // Shared, so that whoever announces an epoch waits for those who write in the one before.
        let known: Epoch =
            sqlx::query_scalar("select epoch from authority lock in share mode").fetch_one(&mut *work).await?;
        if known != epoch {
            return Ok(if known > epoch { Written::Deposed } else { Written::Unheard });
        }
        // Assignments take effect from left to right, so the version, by which they decide, comes last.
        let newer = "values(version) > version or (values(version) = version and values(writer) > writer)";
        let upsert = format!(
            "insert into orders (number, version, writer, value, at, taken_by) values (?, ?, ?, ?, ?, ?)
             on duplicate key update value = if({newer}, values(value), value), at = if({newer}, values(at), at),
               taken_by = if({newer}, values(taken_by), taken_by), writer = if({newer}, values(writer), writer),
               version = greatest(version, values(version))"
        );
        sqlx::query(AssertSqlSafe(upsert))
            .bind(row.number)
            .bind(row.version)
            .bind(&row.writer)
            .bind(&row.value)
            .bind(taken.at)
            .bind(taken.by)
            .execute(&mut *work)
            .await?;
        if owed == Owed::Note {
            let note = "insert into owed (number, version) values (?, ?)
                        on duplicate key update version = greatest(version, values(version))";
            sqlx::query(note).bind(row.number).bind(row.version).execute(&mut *work).await?;
        }
        work.commit().await?;
        Ok(Written::Settled)
    }

    pub(crate) async fn announce(&self, epoch: Epoch) -> sqlx::Result<()> {
        let announce = "update authority set epoch = greatest(epoch, ?)";
        sqlx::query(announce).bind(epoch).execute(&self.0).await.map(drop)
    }

    pub(crate) async fn rows(&self, numbers: &[i64]) -> sqlx::Result<Vec<Row>> {
        // Numbers are no text: nothing of them can become anything else.
        let list = numbers.iter().map(i64::to_string).collect::<Vec<_>>().join(", ");
        let query = format!(
            "select number, version, writer, value from orders where number in ({}) order by number",
            if list.is_empty() { "null" } else { &list }
        );
        Ok(sqlx::query(AssertSqlSafe(query)).fetch_all(&self.0).await?.iter().map(row_of).collect())
    }

    pub(crate) async fn rows_after(&self, number: i64, count: i64) -> sqlx::Result<Vec<Row>> {
        let query = "select number, version, writer, value from orders where number > ? order by number limit ?";
        Ok(sqlx::query(query).bind(number).bind(count).fetch_all(&self.0).await?.iter().map(row_of).collect())
    }

    pub(crate) async fn last_number(&self) -> sqlx::Result<i64> {
        sqlx::query_scalar("select coalesce(max(number), 0) from orders").fetch_one(&self.0).await
    }

    pub(crate) async fn digests(&self, width: i64) -> sqlx::Result<Vec<Digest>> {
        let mut connection = self.0.acquire().await?;
        // Otherwise a long range would be cut short, and what is behind the cut not be seen.
        sqlx::query("set session group_concat_max_len = 1073741824").execute(&mut *connection).await?;
        let query = "select cast(floor(number / ?) as signed), count(*),
            md5(group_concat(concat_ws(':', number, version, writer, value) order by number separator ','))
            from orders group by 1 order by 1";
        let rows = sqlx::query(query).bind(width).fetch_all(&mut *connection).await?;
        Ok(rows.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect())
    }

    pub(crate) async fn owed_after(&self, number: i64) -> sqlx::Result<Vec<i64>> {
        let query = "select number from owed where number > ? order by number limit 500";
        sqlx::query_scalar(query).bind(number).fetch_all(&self.0).await
    }

    pub(crate) async fn paid(&self, number: i64, version: i64) -> sqlx::Result<()> {
        let paid = "delete from owed where number = ? and version <= ?";
        sqlx::query(paid).bind(number).bind(version).execute(&self.0).await.map(drop)
    }

    pub(crate) async fn forgive(&self) -> sqlx::Result<()> {
        sqlx::query("delete from owed").execute(&self.0).await.map(drop)
    }
}

fn row_of(row: &MySqlRow) -> Row {
    Row { number: row.get(0), version: row.get(1), writer: row.get(2), value: row.get(3) }
}
