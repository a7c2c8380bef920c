//! The application of the switchover rig: it writes through the proxy for ever, and can say afterwards what it was told.
//!
//! `write DIR` takes about 200 orders a second over four connections, tries each again until it is acknowledged, and
//! notes every acknowledged one in `DIR/ledger`. `check DIR` holds that ledger against the server at `DATABASE_URL`; it
//! shares nothing with the writer but the ledger's form. The password comes from `PGPASSWORD`.

#[path = "../support/http.rs"]
mod http;
#[path = "../support/tally.rs"]
mod tally;

use std::collections::HashSet;
use std::error::Error;
use std::fs;
use std::path::Path;
use std::rc::Rc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions as _, Row as _};
use tokio::time::{sleep, timeout};

type Failure = Box<dyn Error>;

const CONNECTIONS: usize = 4;
/// Between two orders over one connection.
const PACE: Duration = Duration::from_millis(20);
/// Before another try.
const AGAIN: Duration = Duration::from_millis(10);
/// For an answer; then the connection is given up.
const PATIENCE: Duration = Duration::from_secs(1);

fn main() -> Result<(), Failure> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let task = async {
        let database: PgConnectOptions = std::env::var("DATABASE_URL")?.parse()?;
        match words[..] {
            ["write", dir] => write(dir.as_ref(), database).await,
            ["check", dir] => check(dir.as_ref(), &database).await,
            _ => Err("usage: write DIR | check DIR".into()),
        }
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    tokio::task::LocalSet::new().block_on(&runtime, task)
}

/// What the connections share.
struct Writer {
    database: PgConnectOptions,
    tally: Mutex<tally::Tally>,
    next_number: AtomicU64,
}

async fn write(dir: &Path, database: PgConnectOptions) -> Result<(), Failure> {
    let tally = Mutex::new(tally::Tally::open(&dir.join("ledger"))?);
    let writer = Rc::new(Writer { database, tally, next_number: AtomicU64::new(1) });
    for _ in 0..CONNECTIONS {
        tokio::task::spawn_local(Rc::clone(&writer).write_for_ever());
    }
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    // Whoever waits for this file finds it whole.
    fs::write(dir.join("writer.tmp"), format!("http://{}", listener.local_addr()?))?;
    fs::rename(dir.join("writer.tmp"), dir.join("writer.url"))?;
    let answer = async |request: http::Request| {
        if request.method == "GET" && request.path == "/status" && request.body.is_null() {
            (200, writer.tally().figures())
        } else {
            (404, serde_json::json!({ "error": "ask GET /status" }))
        }
    };
    http::serve(listener, answer).await;
    Ok(())
}

impl Writer {
    fn tally(&self) -> std::sync::MutexGuard<'_, tally::Tally> {
        self.tally.lock().expect("nobody panics while holding it")
    }

    async fn write_for_ever(self: Rc<Self>) {
        let mut connection = None;
        loop {
            let number = self.next_number.fetch_add(1, Ordering::Relaxed);
            while let Err(refusal) = self.place(number, &mut connection).await {
                if refusal == Refusal::Error {
                    self.tally().error();
                }
                sleep(AGAIN).await;
            }
            self.tally().acknowledge(number).expect("the ledger can be written");
            sleep(PACE).await;
        }
    }

    /// One try. An order that was tried before, with an end that nobody knows, is not placed twice.
    async fn place(&self, number: u64, connection: &mut Option<PgConnection>) -> Result<(), Refusal> {
        let attempt = async {
            let mut open = match connection.take() {
                Some(open) => open,
                None => self.database.connect().await?,
            };
            let number = i64::try_from(number).map_err(|_| sqlx::Error::WorkerCrashed)?;
            let insert = sqlx::query("insert into orders (number) values ($1) on conflict do nothing").bind(number);
            let result = insert.execute(&mut open).await;
            // After an error that the server reported, the connection is as good as before.
            if !matches!(result, Err(ref error) if error.as_database_error().is_none()) {
                *connection = Some(open);
            }
            result
        };
        match timeout(PATIENCE, attempt).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => {
                let refusal = Refusal::of(&error);
                if refusal == Refusal::Held {
                    *connection = None;
                }
                Err(refusal)
            }
            Err(_) => Err(Refusal::Held),
        }
    }
}

/// Why an order was not acknowledged.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Refusal {
    /// Nobody there just now, or not for us: the application waits, as it would through any switchover.
    Held,
    /// The server took it up and said no: a user sees that.
    Error,
}

impl Refusal {
    fn of(error: &sqlx::Error) -> Self {
        let code = error.as_database_error().and_then(|e| e.code().map(|code| code.to_string()));
        match code.as_deref() {
            // Shut down, starting up, not admitted.
            None | Some("57P01" | "57P02" | "57P03" | "28000") => Self::Held,
            Some(_) => Self::Error,
        }
    }
}

/// One line for a script: what was acknowledged, what of it is missing, and which server took it.
async fn check(dir: &Path, database: &PgConnectOptions) -> Result<(), Failure> {
    // The ledger first: what is acknowledged by now must be stored, whatever comes in meanwhile.
    let ledger = fs::read_to_string(dir.join("ledger"))?;
    let acknowledged: Vec<(i64, u64)> = ledger
        .lines()
        .filter_map(|line| line.split_once(' '))
        .map(|(number, at)| Ok((number.parse()?, at.parse()?)))
        .collect::<Result<_, Failure>>()?;
    let mut stored = HashSet::new();
    let (mut by_old, mut by_new) = (0, 0);
    let mut connection = database.connect().await?;
    for row in sqlx::query("select number, taken_by from orders where number > 0").fetch_all(&mut connection).await? {
        stored.insert(row.get::<i64, _>("number"));
        match row.get("taken_by") {
            "old" => by_old += 1,
            _ => by_new += 1,
        }
    }
    let lost = acknowledged.iter().filter(|(number, _)| !stored.contains(number)).count();
    let pause = acknowledged.windows(2).map(|two| two[1].1.saturating_sub(two[0].1)).max().unwrap_or(0);
    println!(
        "acknowledged={} lost={lost} pause_ms={pause} taken_by_old={by_old} taken_by_new={by_new}",
        acknowledged.len()
    );
    if lost == 0 { Ok(()) } else { Err("acknowledged writes are missing".into()) }
}
