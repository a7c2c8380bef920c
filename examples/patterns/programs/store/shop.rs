//! The shop of traffic-mirroring: orders are placed over HTTP; what is stored is read from the store behind it, a Redis.

use std::io;
use std::time::Duration;

use tokio::time::timeout;

use super::{Refusal, Stored};
use crate::Failure;
use crate::ask::Connection;
use crate::redis::{Redis, Reply};

/// For both answers; then the connection is given up.
const PATIENCE: Duration = Duration::from_millis(1500);

/// Writes an order once, and notes who took it, in the order in which they were taken.
pub(crate) const TAKE: &str = "if redis.call('SETNX', KEYS[1], ARGV[1]) == 1 then redis.call('RPUSH', KEYS[2], ARGV[1]) end \
                    return redis.call('GET', KEYS[1])";

pub(crate) struct Shop {
    /// The shop, or a proxy in front of it.
    door: u16,
    redis: u16,
    connection: Option<Connection>,
}

impl Shop {
    /// `place` is what stands behind `shop://`: the port of the shop, `/`, the port of its store.
    pub(crate) fn new(place: &str) -> Result<Self, Failure> {
        let (door, redis) = place.split_once('/').ok_or("shop://DOOR/REDIS, two ports")?;
        Ok(Self { door: door.parse()?, redis: redis.parse()?, connection: None })
    }

    /// Places the order, and looks it up: an order that cannot be found is an error that a user sees.
    pub(crate) async fn place(&mut self, number: u64) -> Result<(), Refusal> {
        let path = format!("/orders/{number}");
        let both = async {
            for method in ["PUT", "GET"] {
                if self.ask(method, &path).await? != 200 {
                    return Err(io::Error::other("not done"));
                }
            }
            Ok(())
        };
        match timeout(PATIENCE, both).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(Refusal::Error),
        }
    }

    /// The status. A connection that was closed while it was idle is none of the user's business: any client opens
    /// another one, since neither request does anything twice.
    async fn ask(&mut self, method: &str, path: &str) -> io::Result<u16> {
        if let Some(mut open) = self.connection.take()
            && let Ok((status, _)) = open.exchange(method, path, "").await
        {
            self.connection = Some(open);
            return Ok(status);
        }
        let mut open = Connection::open(self.door).await?;
        let (status, _) = open.exchange(method, path, "").await?;
        self.connection = Some(open);
        Ok(status)
    }

    pub(crate) async fn stored(&mut self) -> Result<Vec<Stored>, Failure> {
        let Reply::List(lines) = Redis::connect(self.redis).await?.ask(&["LRANGE", "orders", "0", "-1"]).await? else {
            return Err("the store has no list of orders".into());
        };
        lines.iter().map(stored_line).collect()
    }
}

fn stored_line(line: &Reply) -> Result<Stored, Failure> {
    if let Reply::Text(line) = line
        && let [number, at, by] = line.split(' ').collect::<Vec<_>>()[..]
    {
        return Ok(Stored { number: number.parse()?, at: at.parse()?, by: by.to_owned() });
    }
    Err(format!("no line of an order: {line:?}").into())
}
