//! A Redis, over as many connections as are needed at once.

use std::cell::RefCell;
use std::io;
use std::time::Duration;

use tokio::time::timeout;

use crate::redis::{Redis, Reply};

/// For an answer.
const PATIENCE: Duration = Duration::from_secs(1);

/// Connections to one port of this machine, open while they are good.
pub(crate) struct Pool {
    port: u16,
    idle: RefCell<Vec<Redis>>,
}

impl Pool {
    pub(crate) fn on(port: u16) -> Self {
        Self { port, idle: RefCell::default() }
    }

    pub(crate) async fn ask(&self, words: &[&str]) -> io::Result<Reply> {
        let exchange = async {
            let idle = self.idle.borrow_mut().pop();
            let mut connection = match idle {
                Some(connection) => connection,
                None => Redis::connect(self.port).await?,
            };
            let reply = connection.ask(words).await?;
            self.idle.borrow_mut().push(connection);
            Ok(reply)
        };
        timeout(PATIENCE, exchange).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }
}
