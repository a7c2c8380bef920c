//! The customers of the shop: they order and look up orders through the proxy at a steady rate, and can say afterwards
//! what they were told.
//!
//! `drive DIR PROXY DOOR` sends requests to port PROXY, half of them orders, tries each order again until it is
//! acknowledged, and notes every acknowledged one in `DIR/ledger`. The rate does not wait for answers: latency counts
//! from the moment when a request was due. `GET /status` on port DOOR has the figures, among them how many requests were
//! wanted so far, whether or not they could be sent; `PUT /rate` changes the rate, and TERM writes the figures to `DIR/figures`. `check DIR STORE...` holds the ledger against the Redis on each port;
//! it shares nothing with the rest but the form of the ledger and where an order is kept.

mod customer;
#[path = "../support/http.rs"]
mod http;
#[path = "../support/redis.rs"]
mod redis;
#[path = "../support/tally.rs"]
mod tally;

use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::error::Error;
use std::fs;
use std::io;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use customer::{CUSTOMERS, customer_of};
use redis::{Redis, Reply};

type Failure = Box<dyn Error>;

/// As many requests can be under way at once.
const CONNECTIONS: usize = 48;
/// Requests in a second, until somebody says otherwise.
const RATE: u32 = 200;
/// For an answer; then the connection is given up.
const PATIENCE: Duration = Duration::from_secs(1);
/// Before another try.
const AGAIN: Duration = Duration::from_millis(20);
/// Numbers of earlier orders are below.
const FIRST_ORDER: u64 = 1_000_000;

fn main() -> Result<(), Failure> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let task = async {
        match words[..] {
            ["drive", dir, proxy, door] => drive(dir.as_ref(), proxy.parse()?, door.parse()?).await,
            ["check", dir, ref stores @ ..] if !stores.is_empty() => check(dir.as_ref(), stores).await,
            _ => Err("usage: drive DIR PROXY DOOR | check DIR STORE...".into()),
        }
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    tokio::task::LocalSet::new().block_on(&runtime, task)
}

/// How many requests customers want, by the clock: a machine that is too slow to send them makes it no smaller.
#[derive(Clone, Copy)]
struct Demand {
    /// Requests in a second...
    rate: u32,
    /// ...since then.
    since: Instant,
    /// Wanted until then.
    before: u64,
}

impl Demand {
    fn so_far(self) -> u64 {
        let millis = u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.before + millis.saturating_mul(self.rate.into()) / 1000
    }

    fn at_rate(self, rate: u32) -> Self {
        Self { rate, since: Instant::now(), before: self.so_far() }
    }
}

/// What the customers share.
struct Load {
    proxy: u16,
    demand: Cell<Demand>,
    next_due: Cell<Instant>,
    next_order: Cell<u64>,
    tally: RefCell<tally::Tally>,
    acknowledged: RefCell<Vec<u64>>,
    /// Of every answer, in milliseconds.
    latencies: RefCell<Vec<f64>>,
    by_old: Cell<u64>,
    by_new: Cell<u64>,
    /// Acknowledged orders that could not be found when they were looked up.
    not_found: Cell<u64>,
}

async fn drive(dir: &Path, proxy: u16, door: u16) -> Result<(), Failure> {
    let load = Rc::new(Load {
        proxy,
        demand: Cell::new(Demand { rate: RATE, since: Instant::now(), before: 0 }),
        next_due: Cell::new(Instant::now()),
        next_order: Cell::new(FIRST_ORDER),
        tally: RefCell::new(tally::Tally::open(&dir.join("ledger"))?),
        acknowledged: RefCell::default(),
        latencies: RefCell::default(),
        by_old: Cell::new(0),
        by_new: Cell::new(0),
        not_found: Cell::new(0),
    });
    let door = TcpListener::bind(("127.0.0.1", door)).await?;
    let mut end = signal(SignalKind::terminate())?;
    for _ in 0..CONNECTIONS {
        tokio::task::spawn_local(Rc::clone(&load).use_for_ever());
    }
    tokio::select! {
        () = http::serve(door, async |request| load.answer(&request)) => {}
        _ = end.recv() => fs::write(dir.join("figures"), load.figures_line())?,
    }
    Ok(())
}

impl Load {
    fn answer(&self, request: &http::Request) -> (u16, serde_json::Value) {
        match (request.method.as_str(), request.path.as_str()) {
            ("GET", "/status") => (200, self.status()),
            ("PUT", "/rate") => match request.body["per_second"].as_u64().map(u32::try_from) {
                Some(Ok(rate @ 1..)) => {
                    self.demand.set(self.demand.get().at_rate(rate));
                    (200, json!({ "per_second": rate }))
                }
                _ => (400, json!({ "error": "per_second is a number from 1" })),
            },
            _ => (404, json!({ "error": "GET /status, PUT /rate" })),
        }
    }

    fn status(&self) -> serde_json::Value {
        let mut status = self.tally.borrow_mut().figures();
        status["wanted"] = self.demand.get().so_far().into();
        status
    }

    /// One connection: takes the next request that is due, and the next.
    async fn use_for_ever(self: Rc<Self>) {
        let mut connection = None;
        let mut orders_next = true;
        loop {
            let due = self.take_turn();
            sleep_until(due).await;
            if orders_next {
                self.order(due, &mut connection).await;
            } else {
                self.look_up(due, &mut connection).await;
            }
            orders_next = !orders_next;
        }
    }

    /// When the next request is due. After a stall a second of them is made up for at most.
    fn take_turn(&self) -> Instant {
        let due = self.next_due.get().max(Instant::now() - Duration::from_secs(1));
        self.next_due.set(due + Duration::from_secs(1) / self.demand.get().rate);
        due
    }

    /// Tries until it is acknowledged. An order that was tried before, with an end that nobody knows, is the same order.
    async fn order(&self, due: Instant, connection: &mut Option<Connection>) {
        let order = self.next_order.get();
        self.next_order.set(order + 1);
        while self.send("PUT", order, connection).await != Some(200) {
            self.tally.borrow_mut().error();
            sleep(AGAIN).await;
        }
        self.note_latency(due);
        self.tally.borrow_mut().acknowledge(order).expect("the ledger can be written");
        self.acknowledged.borrow_mut().push(order);
    }

    /// Looks for an order that was acknowledged: the latest one, or any.
    async fn look_up(&self, due: Instant, connection: &mut Option<Connection>) {
        let order = {
            let acknowledged = self.acknowledged.borrow();
            let (Some(latest), many) = (acknowledged.last(), acknowledged.len()) else { return };
            // An odd multiplier spreads over all of them; it need not be random.
            let any = acknowledged.get(many.wrapping_mul(2_654_435_761) % many.max(1));
            *if many % 2 == 0 { latest } else { any.unwrap_or(latest) }
        };
        match self.send("GET", order, connection).await {
            Some(200) => {}
            Some(404) => self.not_found.set(self.not_found.get() + 1),
            _ => self.tally.borrow_mut().error(),
        }
        self.note_latency(due);
    }

    fn note_latency(&self, due: Instant) {
        self.latencies.borrow_mut().push(due.elapsed().as_secs_f64() * 1e3);
    }

    /// The status of the answer, if there is one.
    async fn send(&self, method: &str, order: u64, kept: &mut Option<Connection>) -> Option<u16> {
        let exchange = async {
            let mut connection = match kept.take() {
                Some(connection) => connection,
                None => Connection::open(self.proxy).await?,
            };
            let answer = connection.exchange(method, order).await?;
            *kept = Some(connection);
            io::Result::Ok(answer)
        };
        let (status, by) = timeout(PATIENCE, exchange).await.ok()?.ok()?;
        match by {
            Some(Version::Old) => self.by_old.set(self.by_old.get() + 1),
            Some(Version::New) => self.by_new.set(self.by_new.get() + 1),
            None => {}
        }
        Some(status)
    }

    /// For a script: `name=value`, on one line.
    fn figures_line(&self) -> String {
        let status = self.tally.borrow_mut().figures();
        let mut latencies = self.latencies.borrow_mut();
        latencies.sort_by(f64::total_cmp);
        let part = |hundredth: usize| latencies.get(latencies.len() * hundredth / 100).copied().unwrap_or(0.0);
        format!(
            "by_old={} by_new={} errors={} not_found={} p50_ms={:.0} p99_ms={:.0} pause_ms={}\n",
            self.by_old.get(),
            self.by_new.get(),
            status["errors"],
            self.not_found.get(),
            part(50),
            part(99),
            status["longest_pause_ms"],
        )
    }
}

/// Which version answered; the proxy says so.
enum Version {
    Old,
    New,
}

/// A connection to the proxy that is used again and again. After an error: drop it.
struct Connection(BufReader<TcpStream>);

impl Connection {
    async fn open(port: u16) -> io::Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port)).await?;
        stream.set_nodelay(true)?;
        Ok(Self(BufReader::new(stream)))
    }

    async fn exchange(&mut self, method: &str, order: u64) -> io::Result<(u16, Option<Version>)> {
        let request = format!("{method} /orders/{order} HTTP/1.1\r\nhost: shop\r\ncontent-length: 0\r\n\r\n");
        self.0.write_all(request.as_bytes()).await?;
        let mut line = String::new();
        self.0.read_line(&mut line).await?;
        let status = line.split(' ').nth(1).and_then(|word| word.parse().ok()).ok_or(io::ErrorKind::InvalidData)?;
        let (mut length, mut by) = (0, None);
        loop {
            line.clear();
            self.0.read_line(&mut line).await?;
            let Some((name, value)) = line.trim_end().split_once(':') else { break };
            match (name.to_ascii_lowercase().as_str(), value.trim()) {
                ("content-length", value) => length = value.parse().unwrap_or(0),
                ("x-version", "old") => by = Some(Version::Old),
                ("x-version", "new") => by = Some(Version::New),
                // The proxy's own errors end the connection.
                ("connection", "close") => return Err(io::ErrorKind::ConnectionAborted.into()),
                _ => {}
            }
        }
        self.0.read_exact(&mut vec![0; length]).await?;
        Ok((status, by))
    }
}

/// One line for a script: what was acknowledged, and what of it is missing in any of the stores.
async fn check(dir: &Path, stores: &[&str]) -> Result<(), Failure> {
    // The ledger first: what is acknowledged by now must be stored, whatever comes in meanwhile.
    let ledger = fs::read_to_string(dir.join("ledger"))?;
    let acknowledged: Vec<u64> = ledger
        .lines()
        .filter_map(|line| line.split_once(' '))
        .map(|(order, _)| Ok(order.parse()?))
        .collect::<Result<_, Failure>>()?;
    let mut lost: HashSet<&u64> = HashSet::new();
    for port in stores {
        let kept = everything_in(port.parse()?).await?;
        lost.extend(acknowledged.iter().filter(|order| !kept.contains(order)));
    }
    println!("acknowledged={} lost={}", acknowledged.len(), lost.len());
    if acknowledged.is_empty() {
        return Err("nothing was acknowledged".into());
    }
    if lost.is_empty() { Ok(()) } else { Err("acknowledged orders are missing".into()) }
}

/// Every order that is kept there, under the customer it belongs to.
async fn everything_in(port: u16) -> Result<HashSet<u64>, Failure> {
    let mut store = Redis::connect(port).await?;
    let mut kept = HashSet::new();
    for customer in (0..CUSTOMERS).map(customer_of) {
        let Reply::List(fields) = store.ask(&["HKEYS", &customer]).await? else { continue };
        for field in fields {
            if let Reply::Text(order) = field {
                let order = order.parse()?;
                if customer_of(order) == customer {
                    kept.insert(order);
                }
            }
        }
    }
    Ok(kept)
}
