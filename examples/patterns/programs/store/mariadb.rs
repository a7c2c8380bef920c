//! The table `orders` in the old store of the dual write. It is only read here: users go through the service.

use sqlx::mysql::MySqlConnectOptions;
use sqlx::{ConnectOptions as _, Row as _};

use super::Stored;
use crate::Failure;
use crate::dual_write;

pub(crate) struct MariaDb {
    database: MySqlConnectOptions,
}

impl MariaDb {
    pub(crate) fn new(url: &str) -> Result<Self, Failure> {
        Ok(Self { database: dual_write::database(url)? })
    }

    pub(crate) async fn stored(&self) -> Result<Vec<Stored>, Failure> {
        let mut connection = self.database.connect().await?;
        let query = "select number, at, taken_by from orders where number > 0";
        let rows = sqlx::query(query).fetch_all(&mut connection).await?;
        rows.iter()
            .map(|row| {
                let number = u64::try_from(row.get::<i64, _>("number"))?;
                Ok(Stored { number, at: row.get("at"), by: row.get("taken_by") })
            })
            .collect()
    }
}
