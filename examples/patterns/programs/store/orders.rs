//! Orders behind a service over HTTP, as the dual write has it: what a user does at it.

use std::io;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::timeout;

use super::Refusal;
use crate::ask::Connection;
use crate::dual_write::{customer_of, value_of};

/// For an answer.
const PATIENCE: Duration = Duration::from_millis(2500);
/// How many orders from earlier times everybody looks at.
const POPULAR: u64 = 20;
/// The first of them, downwards.
const POPULAR_FROM: i64 = -1001;

pub(crate) struct Orders {
    door: u16,
    connection: Option<Connection>,
}

impl Orders {
    /// The service on this port.
    pub(crate) fn new(door: u16) -> Self {
        Self { door, connection: None }
    }

    /// A user revises a customer, places an order, looks at it, and at one that many look at.
    pub(crate) async fn place(&mut self, number: u64) -> Result<(), Refusal> {
        let order = i64::try_from(number).map_err(|_| Refusal::Error)?;
        self.write(customer_of(number), order).await?;
        self.write(order, 1).await?;
        // What was just taken must be there, whichever store is asked.
        if self.ask("GET", order, "").await?["value"] != value_of(order, 1) {
            return Err(Refusal::Error);
        }
        let popular = POPULAR_FROM - i64::try_from(number % POPULAR).map_err(|_| Refusal::Error)?;
        if self.ask("GET", popular, "").await?["value"] != value_of(popular, 1) {
            return Err(Refusal::Error);
        }
        Ok(())
    }

    async fn write(&mut self, row: i64, version: i64) -> Result<(), Refusal> {
        let body = json!({ "version": version, "writer": "shop", "value": value_of(row, version) });
        self.ask("PUT", row, &body.to_string()).await.map(drop)
    }

    async fn ask(&mut self, method: &str, row: i64, body: &str) -> Result<Value, Refusal> {
        match timeout(PATIENCE, self.exchange(method, &format!("/orders/{row}"), body)).await {
            Ok(Ok((200, answer))) => serde_json::from_slice(&answer).map_err(|_| Refusal::Error),
            Ok(Ok(_) | Err(_)) | Err(_) => Err(Refusal::Error),
        }
    }

    /// A connection that is given up in the middle of an answer is dropped.
    async fn exchange(&mut self, method: &str, path: &str, body: &str) -> io::Result<(u16, Vec<u8>)> {
        let mut open = match self.connection.take() {
            Some(open) => open,
            None => Connection::open(self.door).await?,
        };
        let answer = open.exchange(method, path, body).await?;
        self.connection = Some(open);
        Ok(answer)
    }
}
