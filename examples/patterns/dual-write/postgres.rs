//! The new store: the words of [`super::store::Store`] in its SQL, and the backfill's; `examples/patterns/dual-write/new.sql`
//! has the tables.

use std::time::Duration;

use sqlx::postgres::{PgPool, PgPoolOptions, PgRow};
use sqlx::{PgConnection, Row as _};

use super::store::{Digest, Epoch, Owed, Row, Taken, Written};

pub(crate) struct Postgres(PgPool);

impl Postgres {
    pub(crate) fn new(url: &str, patience: Duration) -> sqlx::Result<Self> {
        Ok(Self(PgPoolOptions::new().max_connections(12).acquire_timeout(patience).connect_lazy(url)?))
    }

    pub(crate) async fn write(&self, row: &Row, taken: Taken, epoch: Epoch, owed: Owed) -> sqlx::Result<Written> {
        let mut work = self.0.begin().await?;
        // Shared, so that whoever announces an epoch waits for those who write in the one before.
        let known: Epoch = sqlx::query_scalar("select epoch from authority for share").fetch_one(&mut *work).await?;
        if known != epoch {
            return Ok(if known > epoch { Written::Deposed } else { Written::Unheard });
        }
        upsert(&mut work, row, taken).await?;
        if owed == Owed::Note {
            let note = "insert into owed as o (number, version) values ($1, $2)
                        on conflict (number) do update set version = greatest(o.version, excluded.version)";
            sqlx::query(note).bind(row.number).bind(row.version).execute(&mut *work).await?;
        }
        work.commit().await?;
        Ok(Written::Settled)
    }

    pub(crate) async fn announce(&self, epoch: Epoch) -> sqlx::Result<()> {
        let announce = "update authority set epoch = greatest(epoch, $1)";
        sqlx::query(announce).bind(epoch).execute(&self.0).await.map(drop)
    }

    pub(crate) async fn rows(&self, numbers: &[i64]) -> sqlx::Result<Vec<Row>> {
        let query = "select number, version, writer, value from orders where number = any($1) order by number";
        Ok(sqlx::query(query).bind(numbers).fetch_all(&self.0).await?.iter().map(row_of).collect())
    }

    pub(crate) async fn rows_after(&self, number: i64, count: i64) -> sqlx::Result<Vec<Row>> {
        let query = "select number, version, writer, value from orders where number > $1 order by number limit $2";
        Ok(sqlx::query(query).bind(number).bind(count).fetch_all(&self.0).await?.iter().map(row_of).collect())
    }

    pub(crate) async fn digests(&self, width: i64) -> sqlx::Result<Vec<Digest>> {
        let query = "select floor(number / $1::numeric)::bigint, count(*),
            md5(string_agg(concat_ws(':', number, version, writer, value), ',' order by number))
            from orders group by 1 order by 1";
        let rows = sqlx::query(query).bind(width).fetch_all(&self.0).await?;
        Ok(rows.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect())
    }

    pub(crate) async fn owed_after(&self, number: i64) -> sqlx::Result<Vec<i64>> {
        let query = "select number from owed where number > $1 order by number limit 500";
        sqlx::query_scalar(query).bind(number).fetch_all(&self.0).await
    }

    pub(crate) async fn paid(&self, number: i64, version: i64) -> sqlx::Result<()> {
        let paid = "delete from owed where number = $1 and version <= $2";
        sqlx::query(paid).bind(number).bind(version).execute(&self.0).await.map(drop)
    }

    pub(crate) async fn forgive(&self) -> sqlx::Result<()> {
        sqlx::query("delete from owed").execute(&self.0).await.map(drop)
    }

    /// How far the backfill has come; none at the beginning.
    pub(crate) async fn watermark(&self) -> sqlx::Result<Option<Watermark>> {
        let row = sqlx::query("select number, until from watermark").fetch_optional(&self.0).await?;
        Ok(row.map(|row| Watermark { number: row.get(0), until: row.get(1) }))
    }

    /// Rows of the backfill, and how far it has come with them, in one transaction.
    pub(crate) async fn carry(&self, rows: &[Row], taken: Taken, watermark: Watermark) -> sqlx::Result<()> {
        let mut work = self.0.begin().await?;
        for row in rows {
            upsert(&mut work, row, taken).await?;
        }
        let note = "insert into watermark (one, number, until) values (true, $1, $2)
                    on conflict (one) do update set number = excluded.number";
        sqlx::query(note).bind(watermark.number).bind(watermark.until).execute(&mut *work).await?;
        work.commit().await
    }
}

/// Everything up to this number was carried over, of what goes up to that one.
#[derive(Clone, Copy)]
pub(crate) struct Watermark {
    pub(crate) number: i64,
    pub(crate) until: i64,
}

async fn upsert(work: &mut PgConnection, row: &Row, taken: Taken) -> sqlx::Result<()> {
    let upsert = "insert into orders as o (number, version, writer, value, at, taken_by)
        values ($1, $2, $3, $4, to_timestamp($5::bigint / 1000000.0), $6)
        on conflict (number) do update set version = excluded.version, writer = excluded.writer,
          value = excluded.value, at = excluded.at, taken_by = excluded.taken_by
        where (excluded.version, excluded.writer) > (o.version, o.writer)";
    sqlx::query(upsert)
        .bind(row.number)
        .bind(row.version)
        .bind(&row.writer)
        .bind(&row.value)
        .bind(taken.at)
        .bind(taken.by)
        .execute(work)
        .await
        .map(drop)
}

fn row_of(row: &PgRow) -> Row {
    Row { number: row.get(0), version: row.get(1), writer: row.get(2), value: row.get(3) }
}
