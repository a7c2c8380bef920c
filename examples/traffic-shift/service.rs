//! The service that is shifted: it keeps the orders of a shop's customers, each version in a Redis of its own.
//!
//! `serve PORT OWN OTHER MIRROR` answers on PORT, keeps orders in the Redis on port OWN and, while it mirrors (`on` or
//! `off` at the start), acknowledges an order only when the Redis on port OTHER has it too. That is how both versions
//! can be in use at once, and how nothing is lost on the way back. `backfill FROM TO` carries over what TO lacks,
//! `missing FROM TO` says how many orders that is, and `fill STORE` makes up orders from earlier times.

mod customer;
#[path = "../support/http.rs"]
mod http;
#[path = "../support/redis.rs"]
mod redis;
#[path = "../support/redis_pool.rs"]
mod redis_pool;

use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::io;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::sync::RwLock;
use tokio::time::sleep;

use customer::{CUSTOMERS, customer_of};
use redis::{Redis, Reply};
use redis_pool::Pool;

type Failure = Box<dyn Error>;

/// What an answer takes when nothing is wrong.
const WORK: Duration = Duration::from_millis(3);
/// Made up for each customer.
const ORDERS_EACH: u64 = 50;
/// How long a write to the other store may be under way.
const IN_FLIGHT: Duration = Duration::from_millis(100);
/// Upper bounds of the histogram, in seconds.
const BOUNDS: [f64; 10] = [0.0025, 0.005, 0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28];

fn main() -> Result<(), Failure> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let task = async {
        match words[..] {
            ["serve", port, own, other, mirror @ ("on" | "off")] => {
                let listener = tokio::net::TcpListener::bind(("127.0.0.1", port.parse()?)).await?;
                let service = Service::new(own.parse()?, other.parse()?, mirror == "on");
                http::serve(listener, async |request| service.answer(request).await).await;
                Ok(())
            }
            ["backfill", from, to] => backfill(from.parse()?, to.parse()?).await,
            ["missing", from, to] => missing(from.parse()?, to.parse()?).await,
            ["fill", store] => fill(store.parse()?).await,
            _ => Err("usage: serve PORT OWN OTHER on|off | backfill FROM TO | missing FROM TO | fill STORE".into()),
        }
    };
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(task)
}

/// What the script breaks.
#[derive(Default)]
struct Faults {
    /// Added to each answer.
    slow: Cell<Duration>,
    /// `/metrics` answers no more.
    mute: Cell<bool>,
}

struct Service {
    own: Pool,
    other: Pool,
    /// Held for reading while a write is under way: whoever turns it knows that no write goes by the old rule any more.
    mirrors: RwLock<bool>,
    faults: Faults,
    figures: RefCell<Figures>,
}

impl Service {
    fn new(own: u16, other: u16, mirrors: bool) -> Self {
        Self {
            own: Pool::on(own),
            other: Pool::on(other),
            mirrors: RwLock::new(mirrors),
            faults: Faults::default(),
            figures: RefCell::default(),
        }
    }

    async fn answer(&self, request: http::Request) -> http::Answer {
        let (path, body) = (request.path.as_str(), &request.body);
        match (request.method.as_str(), path) {
            ("GET", "/metrics") if self.faults.mute.get() => (503, String::new()).into(),
            ("GET", "/metrics") => (200, self.figures.borrow().text()).into(),
            ("GET", "/status") => (200, json!({ "mirrors": *self.mirrors.read().await })).into(),
            ("PUT", "/mirror") => match body["on"].as_bool() {
                Some(on) => {
                    *self.mirrors.write().await = on;
                    (200, json!({ "mirrors": on })).into()
                }
                None => (400, json!({ "error": "on is true or false" })).into(),
            },
            ("PUT", "/faults") => {
                self.faults.slow.set(Duration::from_millis(body["slow_ms"].as_u64().unwrap_or(0)));
                self.faults.mute.set(body["mute"].as_bool().unwrap_or(false));
                (200, json!({})).into()
            }
            (method, path) => match path.strip_prefix("/orders/").and_then(|order| order.parse().ok()) {
                Some(order) => self.about_order(method, order).await.into(),
                None => self.look_up(path).await.into(),
            },
        }
    }

    async fn about_order(&self, method: &str, order: u64) -> (u16, Value) {
        let began = Instant::now();
        sleep(WORK + self.faults.slow.get()).await;
        let result = match method {
            "PUT" => self.take(order).await.map(|()| 200),
            _ => self.find(order).await,
        };
        self.figures.borrow_mut().note(began.elapsed(), result.is_err());
        match result {
            Ok(status) => (status, json!({})),
            Err(error) => (503, json!({ "error": error.to_string() })),
        }
    }

    /// The same look-up for somebody who measures: no customer, so it is not among the figures.
    async fn look_up(&self, path: &str) -> (u16, Value) {
        let Some(order) = path.strip_prefix("/look-up/").and_then(|order| order.parse().ok()) else {
            return (404, json!({ "error": "ask for /orders/NUMBER" }));
        };
        sleep(WORK + self.faults.slow.get()).await;
        match self.find(order).await {
            Ok(status) => (status, json!({})),
            Err(error) => (503, json!({ "error": error.to_string() })),
        }
    }

    async fn take(&self, order: u64) -> io::Result<()> {
        let (customer, field, content) = (customer_of(order), order.to_string(), format!("order {order}"));
        let words = ["HSET", &customer, &field, &content];
        let mirrors = self.mirrors.read().await;
        self.own.ask(&words).await?;
        if *mirrors {
            self.other.ask(&words).await?;
        }
        Ok(())
    }

    async fn find(&self, order: u64) -> io::Result<u16> {
        let found = self.own.ask(&["HGET", &customer_of(order), &order.to_string()]).await?;
        Ok(if found == Reply::Nothing { 404 } else { 200 })
    }
}

/// What Prometheus is told. It adds which version that was.
#[derive(Default)]
struct Figures {
    requests: u64,
    errors: u64,
    seconds: f64,
    /// How many took at most so long; as the text has it, each bound counts those below it too.
    within: [u64; BOUNDS.len()],
}

impl Figures {
    fn note(&mut self, took: Duration, error: bool) {
        let took = took.as_secs_f64();
        self.requests += 1;
        self.errors += u64::from(error);
        self.seconds += took;
        for (bound, count) in BOUNDS.iter().zip(&mut self.within) {
            *count += u64::from(took <= *bound);
        }
    }

    fn text(&self) -> String {
        let Self { requests, errors, seconds, within } = self;
        let mut text = format!(
            "# TYPE shop_requests_total counter\nshop_requests_total {requests}\n\
             # TYPE shop_errors_total counter\nshop_errors_total {errors}\n\
             # TYPE shop_request_seconds histogram\n"
        );
        for (bound, count) in BOUNDS.iter().zip(within) {
            let _ = writeln!(text, "shop_request_seconds_bucket{{le=\"{bound}\"}} {count}");
        }
        text + &format!(
            "shop_request_seconds_bucket{{le=\"+Inf\"}} {requests}\n\
             shop_request_seconds_sum {seconds}\nshop_request_seconds_count {requests}\n"
        )
    }
}

/// Carries over, customer by customer, every order that the other store may lack. An order never changes, so one that
/// is written meanwhile, or a second time, does no harm.
async fn backfill(from: u16, to: u16) -> Result<(), Failure> {
    let (mut from, mut to) = (Redis::connect(from).await?, Redis::connect(to).await?);
    let mut copied = 0;
    for customer in (0..CUSTOMERS).map(customer_of) {
        let Reply::List(orders) = from.ask(&["HGETALL", &customer]).await? else { continue };
        if orders.is_empty() {
            continue;
        }
        let mut words = vec!["HSET", &customer];
        words.extend(
            orders.iter().filter_map(|word| if let Reply::Text(word) = word { Some(word.as_str()) } else { None }),
        );
        to.ask(&words).await?;
        copied += orders.len() / 2;
        // Customers come first.
        sleep(Duration::from_millis(2)).await;
    }
    println!("{copied} orders copied");
    if let Some(outputs) = std::env::var_os("RUNBOOK_OUTPUT") {
        fs::write(outputs, format!("copied={copied}\n"))?;
    }
    Ok(())
}

/// An order that is being mirrored at this moment is not missing: where one seems to be, the other store is asked once
/// more, a moment later.
async fn missing(from: u16, to: u16) -> Result<(), Failure> {
    let (mut from, mut to) = (Redis::connect(from).await?, Redis::connect(to).await?);
    let customers: Vec<String> = (0..CUSTOMERS).map(customer_of).collect();
    let (had, has) = (ask_each(&mut from, "HLEN", &customers).await?, ask_each(&mut to, "HLEN", &customers).await?);
    let lacks = |had: Reply, has: Reply| matches!((had, has), (Reply::Number(had), Reply::Number(has)) if has < had);
    let suspects: Vec<String> = customers
        .into_iter()
        .zip(had.into_iter().zip(has))
        .filter_map(|(customer, (had, has))| lacks(had, has).then_some(customer))
        .collect();
    let had = ask_each(&mut from, "HKEYS", &suspects).await?;
    if !suspects.is_empty() {
        sleep(IN_FLIGHT).await;
    }
    let has = ask_each(&mut to, "HKEYS", &suspects).await?;
    let missing = had.into_iter().zip(has).map(|(had, has)| numbers(had).difference(&numbers(has)).count());
    println!("{}", missing.sum::<usize>());
    Ok(())
}

/// One question about each customer.
async fn ask_each(store: &mut Redis, question: &str, customers: &[String]) -> io::Result<Vec<Reply>> {
    let questions: Vec<Vec<&str>> = customers.iter().map(|customer| vec![question, customer]).collect();
    store.ask_all(&questions).await
}

/// The numbers of orders in a list of them.
fn numbers(orders: Reply) -> HashSet<String> {
    let orders = if let Reply::List(orders) = orders { orders } else { Vec::new() };
    orders.into_iter().filter_map(|order| if let Reply::Text(order) = order { Some(order) } else { None }).collect()
}

async fn fill(store: u16) -> Result<(), Failure> {
    let mut store = Redis::connect(store).await?;
    for first in 0..CUSTOMERS {
        let orders: Vec<String> = (0..ORDERS_EACH).map(|nth| (first + nth * CUSTOMERS).to_string()).collect();
        let customer = customer_of(first);
        let mut words = vec!["HSET", &customer];
        words.extend(orders.iter().flat_map(|order| [order.as_str(), "an early order"]));
        store.ask(&words).await?;
    }
    Ok(())
}
