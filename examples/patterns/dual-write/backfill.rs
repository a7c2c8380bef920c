//! Carries over what the old store had before both were written.
//!
//! In order of the numbers, a few hundred at a time; how far it has come, the watermark, is in the new store and moves in
//! the transaction of the rows. So it can be killed anywhere and goes on from there. A row that was written meanwhile, and
//! so is newer there already, stays as it is.

use std::time::Duration;

use tokio::time::sleep;

use super::postgres::Watermark;
use super::store::{Kind, Store, Taken};
use crate::Failure;

const ROWS_AT_ONCE: i64 = 250;
/// Users come first.
const BREATH: Duration = Duration::from_millis(20);

pub(crate) async fn backfill(from: &str, to: &str) -> Result<(), Failure> {
    let from = Store::new(from)?;
    let (Kind::MariaDb(old), Kind::Postgres(new)) = (&from.kind, Store::new(to)?.kind) else {
        return Err("from a MariaDB to a PostgreSQL, in which the watermark is kept".into());
    };
    let mut watermark = match new.watermark().await? {
        Some(watermark) => watermark,
        // What comes behind the last of today is written to both.
        None => Watermark { number: i64::MIN, until: old.last_number().await? },
    };
    let mut carried = 0;
    while watermark.number < watermark.until {
        let rows = from.rows_after(watermark.number, ROWS_AT_ONCE).await.map_err(|refusal| format!("{refusal:?}"))?;
        watermark.number = rows.last().map_or(watermark.until, |last| last.number);
        new.carry(&rows, Taken { at: 0, by: "old" }, watermark).await?;
        carried += rows.len();
        sleep(BREATH).await;
    }
    println!("{carried} rows carried over, up to number {}", watermark.number);
    Ok(())
}
