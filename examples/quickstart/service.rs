//! The service that the quickstart moves: an order book on one `SQLite` file, with customers who never stop writing.
//!
//! `serve DIR` keeps orders in `DIR/old.db` or `DIR/new.db`, whichever `DIR/current` names, takes about 200 orders a
//! second from its own customers, and notes each acknowledged order in `DIR/ledger`. `copy DIR FROM TO` carries over
//! what TO does not have yet. `check DIR` holds the ledger against the file in force; it shares no state with the rest.

#[path = "../support/http.rs"]
mod http;
#[path = "../support/tally.rs"]
mod tally;

use std::collections::HashSet;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::json;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Row as _};
use tokio::sync::{Mutex, RwLock};

type Failure = Box<dyn Error>;

const CUSTOMERS: u64 = 4;
/// Between two orders of one customer.
const PACE: Duration = Duration::from_millis(20);
const ORDERS_BEFORE: u64 = 20_000;
const SCHEMA: &str = "create table if not exists orders (
    id integer primary key autoincrement, number integer not null unique, body text not null)";
/// What every other write gets on the new store, if that is to be faulty.
const FAULT: &str = "disk I/O error (injected)";

fn main() -> Result<(), Failure> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let task = async {
        match words[..] {
            ["serve", dir] => Rc::new(Service::open(dir.as_ref(), false).await?).serve().await,
            ["serve", dir, "--new-is-faulty"] => Rc::new(Service::open(dir.as_ref(), true).await?).serve().await,
            ["copy", dir, from, to] => copy(dir.as_ref(), from, to).await,
            ["check", dir] => check(dir.as_ref()).await,
            _ => Err("usage: serve DIR [--new-is-faulty] | copy DIR FROM TO | check DIR".into()),
        }
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    tokio::task::LocalSet::new().block_on(&runtime, task)
}

async fn open(dir: &Path, store: &str) -> sqlx::Result<SqliteConnection> {
    SqliteConnectOptions::new()
        .filename(dir.join(store).with_extension("db"))
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .busy_timeout(Duration::from_secs(5))
        .connect()
        .await
}

/// The running service.
struct Service {
    dir: PathBuf,
    /// The store in force. Held for reading while a write is under way, so that a switch waits for open writes.
    current: RwLock<String>,
    tally: std::sync::Mutex<tally::Tally>,
    next_number: AtomicU64,
    /// Whether the tidy job may rewrite rows. Held while it does.
    tidy: Mutex<bool>,
    new_is_faulty: bool,
    faults: AtomicU64,
}

impl Service {
    async fn open(dir: &Path, new_is_faulty: bool) -> Result<Self, Failure> {
        let mut old = open(dir, "old").await?;
        open(dir, "new").await?.close().await?;
        sqlx::query(SCHEMA).execute(&mut old).await?;
        let fill = "with recursive n(i) as (select 1 union all select i + 1 from n where i < ?1)
                    insert into orders (number, body) select i, 'order ' || i from n";
        sqlx::query(fill).bind(i64::try_from(ORDERS_BEFORE)?).execute(&mut old).await?;
        fs::write(dir.join("current"), "old")?;
        Ok(Self {
            dir: dir.to_owned(),
            current: RwLock::new("old".to_owned()),
            tally: std::sync::Mutex::new(tally::Tally::open(&dir.join("ledger"))?),
            next_number: AtomicU64::new(ORDERS_BEFORE),
            tidy: Mutex::new(true),
            new_is_faulty,
            faults: AtomicU64::new(0),
        })
    }

    async fn serve(self: Rc<Self>) -> Result<(), Failure> {
        for _ in 0..CUSTOMERS {
            tokio::task::spawn_local(Rc::clone(&self).order_for_ever());
        }
        tokio::task::spawn_local(Rc::clone(&self).tidy_for_ever());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        // Whoever waits for this file finds it whole.
        fs::write(self.dir.join("url.tmp"), format!("http://{}", listener.local_addr()?))?;
        fs::rename(self.dir.join("url.tmp"), self.dir.join("url"))?;
        http::serve(listener, async |request| self.answer(request).await).await;
        Ok(())
    }

    async fn answer(&self, request: http::Request) -> (u16, serde_json::Value) {
        match (request.method.as_str(), request.path.as_str()) {
            ("GET", "/status") => {
                let mut status = self.tally().figures();
                status["current"] = json!(*self.current.read().await);
                status["tidy"] = json!(*self.tidy.lock().await);
                (200, status)
            }
            ("PUT", "/current") => match request.body["store"].as_str() {
                Some(store @ ("old" | "new")) => match self.switch(store).await {
                    Ok(()) => (200, json!({ "current": store })),
                    Err(error) => (500, json!({ "error": error.to_string() })),
                },
                _ => (400, json!({ "error": "store is old or new" })),
            },
            ("PUT", "/tidy") => match request.body["on"].as_bool() {
                Some(on) => {
                    *self.tidy.lock().await = on;
                    (200, json!({ "tidy": on }))
                }
                None => (400, json!({ "error": "on is true or false" })),
            },
            _ => (404, json!({ "error": "ask GET /status, PUT /current, PUT /tidy" })),
        }
    }

    async fn switch(&self, store: &str) -> std::io::Result<()> {
        let mut current = self.current.write().await;
        fs::write(self.dir.join("current.tmp"), store)?;
        fs::rename(self.dir.join("current.tmp"), self.dir.join("current"))?;
        store.clone_into(&mut current);
        Ok(())
    }

    fn tally(&self) -> std::sync::MutexGuard<'_, tally::Tally> {
        self.tally.lock().expect("nobody panics while holding it")
    }

    /// One customer: places an order, tries again until it is acknowledged, then thinks of the next.
    async fn order_for_ever(self: Rc<Self>) {
        let mut session: Option<(String, SqliteConnection)> = None;
        loop {
            let number = self.next_number.fetch_add(1, Ordering::Relaxed) + 1;
            loop {
                match self.place(number, &mut session).await {
                    Ok(()) => break,
                    // Held back by a fence: the customer waits, and has seen no error.
                    Err(error) if error.to_string().contains("fenced") => {}
                    Err(_) => self.tally().error(),
                }
                tokio::time::sleep(PACE / 2).await;
            }
            self.tally().acknowledge(number).expect("the ledger can be written");
            tokio::time::sleep(PACE).await;
        }
    }

    async fn place(&self, number: u64, session: &mut Option<(String, SqliteConnection)>) -> Result<(), Failure> {
        let current = self.current.read().await;
        if self.new_is_faulty && *current == "new" && self.faults.fetch_add(1, Ordering::Relaxed).is_multiple_of(2) {
            return Err(FAULT.into());
        }
        if session.as_ref().is_none_or(|(store, _)| *store != *current) {
            *session = Some((current.clone(), open(&self.dir, &current).await?));
        }
        let (_, connection) = session.as_mut().expect("just opened");
        // An order that was tried before, with an end that nobody knows, is not placed twice.
        sqlx::query("insert into orders (number, body) values (?1, 'order ' || ?1) on conflict (number) do nothing")
            .bind(i64::try_from(number)?)
            .execute(connection)
            .await?;
        Ok(())
    }

    /// Rewrites old rows behind everybody's back, as such jobs do: a copy that it overtakes is wrong.
    async fn tidy_for_ever(self: Rc<Self>) {
        let mut next = 0_i64;
        loop {
            let on = self.tidy.lock().await;
            if *on {
                let store = self.current.read().await;
                if let Ok(mut connection) = open(&self.dir, &store).await {
                    let tidy = "update orders set body = upper(body) where id = ?1";
                    let _ = sqlx::query(tidy).bind(next).execute(&mut connection).await;
                    next += 1;
                }
            }
            drop(on);
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

/// Carries over, in batches, every order behind the last one that the other store has. Ids are given in the order of
/// commits, so nothing can appear behind it later. Doing it again does nothing; a fence on the other store is lifted
/// and put back within the same transaction.
async fn copy(dir: &Path, from: &str, to: &str) -> Result<(), Failure> {
    const BATCH: u64 = 2_000;
    let mut connection = open(dir, to).await?;
    let source = dir.join(from).with_extension("db");
    let source = source.to_str().ok_or("the folder's name is not text")?;
    sqlx::query("attach database ?1 as source").bind(source).execute(&mut connection).await?;
    let mut copied = 0;
    loop {
        let mut transaction = connection.begin_with("begin immediate").await?;
        let fences = sqlx::query("select name, sql from main.sqlite_master where type = 'trigger'")
            .fetch_all(&mut *transaction)
            .await?;
        for fence in &fences {
            let lift = format!("drop trigger main.{}", fence.get::<String, _>("name"));
            sqlx::query(AssertSqlSafe(lift)).execute(&mut *transaction).await?;
        }
        let batch = "insert into main.orders (id, number, body) select id, number, body from source.orders
                     where id > (select coalesce(max(id), 0) from main.orders) order by id limit ?1";
        let rows = sqlx::query(batch).bind(i64::try_from(BATCH)?).execute(&mut *transaction).await?.rows_affected();
        for fence in &fences {
            sqlx::query(AssertSqlSafe(fence.get::<String, _>("sql"))).execute(&mut *transaction).await?;
        }
        transaction.commit().await?;
        copied += rows;
        if rows < BATCH {
            break;
        }
        // Customers come first.
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    println!("{copied} orders copied from {from} to {to}");
    if let Some(outputs) = std::env::var_os("RUNBOOK_OUTPUT") {
        fs::write(outputs, format!("copied={copied}\n"))?;
    }
    Ok(())
}

/// Every acknowledged order is in the store in force, and the other one takes no orders.
async fn check(dir: &Path) -> Result<(), Failure> {
    let current = fs::read_to_string(dir.join("current"))?;
    let other = if current == "old" { "new" } else { "old" };
    // The ledger first: what is acknowledged by now must be stored, whatever comes in meanwhile.
    let ledger = fs::read_to_string(dir.join("ledger"))?;
    let acknowledged: Vec<(i64, u64)> = ledger
        .lines()
        .filter_map(|line| line.split_once(' '))
        .map(|(number, at)| Ok((number.parse()?, at.parse()?)))
        .collect::<Result<_, Failure>>()?;
    let mut stored = HashSet::new();
    let mut connection = open(dir, &current).await?;
    for row in sqlx::query("select number from orders").fetch_all(&mut connection).await? {
        stored.insert(row.get::<i64, _>("number"));
    }
    let lost = acknowledged.iter().filter(|(number, _)| !stored.contains(number)).count();
    let pause = acknowledged.windows(2).map(|two| two[1].1.saturating_sub(two[0].1)).max().unwrap_or(0);
    let mut connection = open(dir, other).await?;
    let write = sqlx::query("insert into orders (number, body) values (-1, 'nobody may')");
    let refused = write.execute(&mut connection).await.is_err();

    println!("orders are kept in {current}.db; {other}.db refuses writes: {}", if refused { "yes" } else { "NO" });
    println!("{} orders acknowledged meanwhile, longest pause {pause} ms", acknowledged.len());
    println!("{lost} writes lost");
    if lost == 0 && refused && !acknowledged.is_empty() { Ok(()) } else { Err("the move was not clean".into()) }
}
