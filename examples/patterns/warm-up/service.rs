//! The shop that is warmed up: orders in a store that old and new share, pages that are rendered and kept.
//!
//! A page is looked for in the process's own memory, then in the cache, a Redis, and is rendered only where neither has
//! it. Rendering is slow, and few pages can be rendered at once: so a service without its pages is not a little slower
//! but overrun, which is what warming up is for.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeSet, HashMap};
use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;
use std::time::Duration;

use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::time::sleep;

use crate::redis::Reply;
use crate::redis_pool::Pool;
use crate::store::shop::TAKE;
use crate::{Failure, http};

/// To render one page, and how many can be rendered at once.
const RENDERING: Duration = Duration::from_millis(40);
const RENDERED_AT_ONCE: usize = 3;

pub(crate) struct Service {
    name: String,
    store: Pool,
    cache: Pool,
    memory: RefCell<HashMap<u64, String>>,
    renderers: Semaphore,
    flags: RefCell<BTreeSet<String>>,
    /// Added to each page: what the script breaks.
    slow: Cell<Duration>,
    pages: Cell<u64>,
    rendered: Cell<u64>,
    log: RefCell<File>,
}

impl Service {
    pub(crate) fn new(name: &str, store: u16, cache: u16, log: &Path) -> io::Result<Self> {
        Ok(Self {
            name: name.to_owned(),
            store: Pool::on(store),
            cache: Pool::on(cache),
            memory: RefCell::default(),
            renderers: Semaphore::new(RENDERED_AT_ONCE),
            flags: RefCell::default(),
            slow: Cell::default(),
            pages: Cell::new(0),
            rendered: Cell::new(0),
            log: RefCell::new(File::options().create(true).append(true).open(log)?),
        })
    }

    pub(crate) async fn serve(self, door: u16) -> Result<(), Failure> {
        let listener = TcpListener::bind(("127.0.0.1", door)).await?;
        http::serve(listener, async |request| self.answer(&request).await).await;
        Ok(())
    }

    async fn answer(&self, request: &http::Request) -> http::Answer {
        let (method, path, body) = (request.method.as_str(), request.path.as_str(), &request.body);
        match (method, path, number_in(path, "/pages/"), number_in(path, "/orders/")) {
            ("GET", "/health", ..) => (200, json!({ "name": self.name })).into(),
            ("GET", "/metrics", ..) => (200, self.metrics()).into(),
            ("GET", "/flags", ..) => (200, json!(*self.flags.borrow())).into(),
            ("PUT", "/flags", ..) => match (body["name"].as_str(), body["on"].as_bool()) {
                (Some(name), Some(on)) => {
                    self.turn(name, on);
                    (200, json!(*self.flags.borrow())).into()
                }
                _ => (400, json!({ "error": "name is a text, on is true or false" })).into(),
            },
            ("DELETE", "/flags", ..) => {
                self.flags.borrow_mut().clear();
                (200, json!([])).into()
            }
            ("PUT", "/faults", ..) => {
                self.slow.set(Duration::from_millis(body["slow_ms"].as_u64().unwrap_or(0)));
                (200, json!({})).into()
            }
            ("GET", _, Some(page), _) => self.told(self.page(page).await.map(Some)),
            ("PUT", _, _, Some(order)) => self.told(self.take(order).await.map(Some)),
            ("GET", _, _, Some(order)) => {
                self.told(self.store.ask(&["GET", &format!("order:{order}")]).await.map(text))
            }
            _ => (404, json!({ "error": "no such thing here" })).into(),
        }
    }

    fn told(&self, found: io::Result<Option<String>>) -> http::Answer {
        match found {
            Ok(Some(what)) => (200, json!({ "what": what, "by": self.name })).into(),
            Ok(None) => (404, json!({ "error": "no such order" })).into(),
            Err(error) => (503, json!({ "error": error.to_string() })).into(),
        }
    }

    fn turn(&self, name: &str, on: bool) {
        let mut flags = self.flags.borrow_mut();
        if on {
            flags.insert(name.to_owned());
        } else {
            flags.remove(name);
        }
    }

    fn metrics(&self) -> String {
        format!(
            "pages_total {}\nrendered_total {}\nin_memory {}\n",
            self.pages.get(),
            self.rendered.get(),
            self.memory.borrow().len()
        )
    }

    /// With `related` turned on a page brings the next one along, with `counter` the number of orders.
    async fn page(&self, page: u64) -> io::Result<String> {
        writeln!(self.log.borrow_mut(), "{page}")?;
        sleep(self.slow.get()).await;
        let mut whole = self.find_or_render(page).await?;
        let (related, counter) = {
            let flags = self.flags.borrow();
            (flags.contains("related"), flags.contains("counter"))
        };
        if related {
            whole += &self.find_or_render(page / 2).await?;
        }
        if counter && let Reply::Number(orders) = self.store.ask(&["LLEN", "orders"]).await? {
            whole += " orders ";
            whole += &orders.to_string();
        }
        self.pages.set(self.pages.get() + 1);
        Ok(whole)
    }

    async fn find_or_render(&self, page: u64) -> io::Result<String> {
        if let Some(known) = self.memory.borrow().get(&page) {
            return Ok(known.clone());
        }
        let key = format!("page:{page}");
        // A cache that is not there is one that has nothing.
        let kept = self.cache.ask(&["GET", &key]).await.map_or(None, text);
        let found = if let Some(kept) = kept {
            kept
        } else {
            let rendered = self.render(page).await?;
            // Kept where it can be; else it is rendered again one day.
            let _ = self.cache.ask(&["SET", &key, &rendered]).await;
            rendered
        };
        self.memory.borrow_mut().insert(page, found.clone());
        Ok(found)
    }

    async fn render(&self, page: u64) -> io::Result<String> {
        let _turn = self.renderers.acquire().await.map_err(io::Error::other)?;
        sleep(RENDERING).await;
        self.rendered.set(self.rendered.get() + 1);
        Ok(format!("page {page} {}", "in full ".repeat(40)))
    }

    async fn take(&self, order: u64) -> io::Result<String> {
        let at = std::time::UNIX_EPOCH.elapsed().unwrap_or_default().as_micros();
        let line = format!("{order} {at} {}", self.name);
        let reply = self.store.ask(&["EVAL", TAKE, "2", &format!("order:{order}"), "orders", &line]).await?;
        text(reply).ok_or_else(|| io::Error::other("the order did not stay"))
    }
}

fn number_in(path: &str, prefix: &str) -> Option<u64> {
    path.strip_prefix(prefix)?.parse().ok()
}

fn text(reply: Reply) -> Option<String> {
    match reply {
        Reply::Text(text) => Some(text),
        Reply::Number(_) | Reply::Nothing | Reply::List(_) => None,
    }
}
