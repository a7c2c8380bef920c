//! A version of the shop: orders are placed with `PUT /orders/NUMBER` and looked up with `GET`.
//!
//! It has a door for customers, and may have shadow doors. What comes in by one of those is answered as if it were real,
//! but what it writes goes to the shadow store, under a name that belongs to that door, and nowhere else; what it reads
//! is what was written there, or else the real store, as it is. So the place by which a request came in decides, not a
//! header that somebody may forget, and not a switch that may be turned while a request is under way.

use std::cell::Cell;
use std::io;
use std::time::Duration;

use futures_util::future;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::time::sleep;

use crate::redis::Reply;
use crate::redis_pool::Pool;
use crate::store::shop::TAKE;
use crate::{Failure, http};

/// What an answer takes when nothing is wrong.
const WORK: Duration = Duration::from_millis(2);
/// Each of so many answers says that it comes from the cache: which, is chance.
const CACHED_ONE_IN: u32 = 200;

pub(crate) struct Version {
    name: String,
    store: Pool,
    shadow: Pool,
    /// One order in twenty costs something else.
    differs: Cell<bool>,
    /// Orders are not taken any more.
    fails: Cell<bool>,
    /// Of customers only.
    requests: Cell<u64>,
    errors: Cell<u64>,
}

/// By where a request came in.
#[derive(Clone, Copy)]
enum Door<'d> {
    Customers,
    Shadow(&'d str),
}

impl Version {
    pub(crate) fn new(name: &str, store: u16, shadow: u16) -> Self {
        Self {
            name: name.to_owned(),
            store: Pool::on(store),
            shadow: Pool::on(shadow),
            differs: Cell::new(false),
            fails: Cell::new(false),
            requests: Cell::new(0),
            errors: Cell::new(0),
        }
    }

    /// For ever. `GET /metrics` and `PUT /faults` at `door`.
    pub(crate) async fn serve(self, door: u16, shadow_doors: &[&str]) -> Result<(), Failure> {
        let customers = TcpListener::bind(("127.0.0.1", door)).await?;
        let mut shadows = Vec::new();
        for shadow_door in shadow_doors {
            let listener = TcpListener::bind(("127.0.0.1", shadow_door.parse()?)).await?;
            let version = &self;
            shadows.push(http::serve(listener, async move |request: http::Request| {
                version.about_order(Door::Shadow(shadow_door), &request).await
            }));
        }
        future::join(http::serve(customers, async |request| self.answer(&request).await), future::join_all(shadows))
            .await;
        Ok(())
    }

    async fn answer(&self, request: &http::Request) -> http::Answer {
        match (request.method.as_str(), request.path.as_str()) {
            ("GET", "/metrics") => (200, self.metrics()).into(),
            ("PUT", "/faults") => {
                self.differs.set(request.body["differs"] == true);
                self.fails.set(request.body["fails"] == true);
                (200, json!({})).into()
            }
            _ => {
                let (status, body) = self.about_order(Door::Customers, request).await;
                self.requests.set(self.requests.get() + 1);
                self.errors.set(self.errors.get() + u64::from(status >= 500));
                (status, body).into()
            }
        }
    }

    fn metrics(&self) -> String {
        format!("shop_requests_total {}\nshop_errors_total {}\n", self.requests.get(), self.errors.get())
    }

    async fn about_order(&self, door: Door<'_>, request: &http::Request) -> (u16, Value) {
        let Some(order) = request.path.strip_prefix("/orders/").and_then(|order| order.parse().ok()) else {
            return (404, json!({ "error": "ask for /orders/NUMBER" }));
        };
        sleep(WORK).await;
        let found = match request.method.as_str() {
            "PUT" if self.fails.get() => Err(io::Error::other("out of order")),
            "PUT" => self.take(door, order).await.map(Some),
            _ => self.find(door, order).await,
        };
        match found {
            Ok(Some(_)) => (200, self.describe(order)),
            Ok(None) => (404, json!({ "error": "no such order" })),
            Err(error) => (503, json!({ "error": error.to_string() })),
        }
    }

    /// What it answers about an order that is there.
    fn describe(&self, order: u64) -> Value {
        let now = now_us();
        let other_price = self.differs.get() && order.is_multiple_of(20);
        json!({
            "order": order,
            "cents": 100 + order % 9_900 + u64::from(other_price),
            "answered_at": now,
            "cached": now.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32 < u64::from(u32::MAX / CACHED_ONE_IN),
        })
    }

    /// Who has it, once it is there: an order that is placed again is the same order.
    async fn take(&self, door: Door<'_>, order: u64) -> io::Result<String> {
        let line = format!("{order} {} {}", now_us(), self.name);
        let reply = match door {
            Door::Customers => self.store.ask(&["EVAL", TAKE, "2", &format!("order:{order}"), "orders", &line]).await?,
            Door::Shadow(name) => {
                let keys = (format!("{name}:order:{order}"), format!("{name}:orders"));
                self.shadow.ask(&["EVAL", TAKE, "2", &keys.0, &keys.1, &line]).await?
            }
        };
        text(reply).ok_or_else(|| io::Error::other("the order did not stay"))
    }

    async fn find(&self, door: Door<'_>, order: u64) -> io::Result<Option<String>> {
        if let Door::Shadow(name) = door
            && let Some(line) = text(self.shadow.ask(&["GET", &format!("{name}:order:{order}")]).await?)
        {
            return Ok(Some(line));
        }
        self.store.ask(&["GET", &format!("order:{order}")]).await.map(text)
    }
}

fn text(reply: Reply) -> Option<String> {
    match reply {
        Reply::Text(text) => Some(text),
        Reply::Number(_) | Reply::Nothing | Reply::List(_) => None,
    }
}

fn now_us() -> u64 {
    let since = std::time::UNIX_EPOCH.elapsed().unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}
