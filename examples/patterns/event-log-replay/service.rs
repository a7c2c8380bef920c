//! The service whose state is rebuilt from the log: it keeps accounts in memory, and nothing else anywhere.
//!
//! `follow` reads the log for ever, from the offset of its state on, and folds what comes. A deposit is appended to the log
//! by whoever is the writer, and acknowledged when the log has it *and* the own state has it. What is answered over HTTP is
//! in [`answer`](Service::answer).

use std::cell::{Cell, RefCell};
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::{Mutex, watch};
use tokio::time::{sleep, timeout};

use super::event::{DEPOSITS, Deposit, Event, STREAM};
use super::state::{self, Arithmetic, Projection, State};
use crate::nats::{Appended, Delivery, Nats, Provided};
use crate::{Failure, http};

/// Pulled at a time, and for how long.
const BATCH: u32 = 200;
const EXPIRES: Duration = Duration::from_secs(1);
/// For the log to take a deposit and for the own state to have it.
const PATIENCE: Duration = Duration::from_secs(3);
/// Before the log is looked for again.
const AGAIN: Duration = Duration::from_millis(100);
/// What is waited for in `/reached` may take as long as the replay of everything.
const REPLAY: Duration = Duration::from_hours(1);

/// What is special about one instance.
pub(crate) struct Config {
    pub(crate) name: String,
    /// Where the log is.
    pub(crate) log: u16,
    /// Where its snapshots go.
    pub(crate) snapshot: PathBuf,
    /// Of events in a second, while there are more to be read: the log belongs to the writers first.
    pub(crate) pace: u32,
}

struct Service {
    config: Config,
    /// The offset that its state began with.
    began_at: u64,
    projection: RefCell<Projection>,
    reached: watch::Sender<u64>,
    /// Held from the decision on a deposit until the state has it: the next one is decided on that state.
    writing: Mutex<Option<Nats>>,
    arithmetic: Cell<Arithmetic>,
    slow: Cell<Duration>,
    /// Deliveries that were refused, and came again behind later ones.
    refused: Cell<u64>,
}

/// Serves on `port`. The state begins at a snapshot or, without one, at the first event.
pub(crate) async fn serve(port: u16, config: Config, snapshot: Option<&Path>) -> Result<(), Failure> {
    let state = match snapshot {
        None => State::default(),
        Some(path) => state::load(path).map_err(|error| format!("{} as a snapshot: {error}", path.display()))?,
    };
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    let service = Rc::new(Service {
        config,
        began_at: state.offset,
        reached: watch::channel(state.offset).0,
        projection: RefCell::new(Projection::of(state)),
        writing: Mutex::new(None),
        arithmetic: Cell::new(Arithmetic::Right),
        slow: Cell::new(Duration::ZERO),
        refused: Cell::new(0),
    });
    tokio::task::spawn_local(Rc::clone(&service).follow_for_ever());
    http::serve(listener, async |request| service.answer(request).await).await;
    Ok(())
}

/// Why a deposit was not taken.
enum Refusal {
    /// Another instance is the writer, or nobody is.
    NotTheWriter,
    Failed(io::Error),
}

impl From<io::Error> for Refusal {
    fn from(error: io::Error) -> Self {
        Self::Failed(error)
    }
}

impl Service {
    /// | asked | answer |
    /// |---|---|
    /// | `PUT /orders/N` | 200 with the offset; 423 where this is not the writer; 503 where it could not be appended |
    /// | `GET /status` | offset, writer, where its state began, what came twice or too early |
    /// | `GET /offset` | the offset of the state, as a number |
    /// | `GET /reached/OFFSET` | the same, as soon as it is OFFSET or more |
    /// | `GET /digest/OFFSET` | the digest of the state as it was there; 404 where that is not remembered |
    /// | `PUT /snapshot` | writes the state with its offset into a file |
    /// | `GET /state` | all of it |
    /// | `PUT /faults` | what the rig breaks |
    async fn answer(&self, request: http::Request) -> http::Answer {
        sleep(self.slow.get()).await;
        let words: Vec<&str> = request.path.split('/').skip(1).collect();
        match (request.method.as_str(), &words[..]) {
            ("PUT", ["orders", number]) => match number.parse() {
                Ok(number) => self.take(number).await.into(),
                Err(_) => (400, json!({ "error": "a deposit has a number" })).into(),
            },
            ("GET", ["status"]) => (200, self.status()).into(),
            ("GET", ["offset"]) => (200, self.offset().to_string()).into(),
            ("GET", ["reached", offset]) => self.reach(offset.parse().unwrap_or(u64::MAX)).await,
            ("GET", ["digest", offset]) => self.digest(offset.parse().unwrap_or(u64::MAX)),
            ("PUT", ["snapshot"]) => self.save(),
            ("GET", ["state"]) => (200, json!(self.projection.borrow().state())).into(),
            ("PUT", ["faults"]) => {
                self.slow.set(Duration::from_millis(request.body["slow_ms"].as_u64().unwrap_or(0)));
                self.arithmetic.set(match request.body["wrong"].as_bool() {
                    Some(true) => Arithmetic::OneCentTooMuch,
                    Some(false) | None => Arithmetic::Right,
                });
                (200, json!({})).into()
            }
            _ => (404, json!({ "error": "no such thing" })).into(),
        }
    }

    fn offset(&self) -> u64 {
        self.projection.borrow().state().offset
    }

    fn status(&self) -> serde_json::Value {
        let projection = self.projection.borrow();
        let State { offset, writer, counted, .. } = projection.state();
        json!({
            "name": self.config.name, "offset": offset, "writer": writer, "deposits": counted.len(), "began_at": self.began_at,
            "repeated": projection.repeated, "refused": self.refused.get(),
        })
    }

    fn digest(&self, offset: u64) -> http::Answer {
        match self.projection.borrow().digest_at(offset) {
            Some(digest) => (200, digest).into(),
            None => (404, "not remembered".to_owned()).into(),
        }
    }

    fn save(&self) -> http::Answer {
        let projection = self.projection.borrow();
        match state::save(projection.state(), &self.config.snapshot) {
            Ok(()) => (200, json!({ "offset": projection.state().offset })).into(),
            Err(error) => (500, json!({ "error": error.to_string() })).into(),
        }
    }

    async fn reach(&self, offset: u64) -> http::Answer {
        match self.wait_for(offset, REPLAY).await {
            Ok(()) => (200, self.offset().to_string()).into(),
            Err(_) => (503, "not reached".to_owned()).into(),
        }
    }

    async fn wait_for(&self, offset: u64, patience: Duration) -> io::Result<()> {
        let mut reached = self.reached.subscribe();
        match timeout(patience, reached.wait_for(|&reached| reached >= offset)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(io::ErrorKind::TimedOut.into()),
        }
    }

    async fn take(&self, number: u64) -> (u16, serde_json::Value) {
        match timeout(PATIENCE, self.append(number)).await {
            Ok(Ok(offset)) => (200, json!({ "offset": offset })),
            Ok(Err(Refusal::NotTheWriter)) => (423, json!({ "error": "not the writer" })),
            Ok(Err(Refusal::Failed(error))) => (503, json!({ "error": error.to_string() })),
            Err(_) => (503, json!({ "error": "the log does not answer" })),
        }
    }

    /// Decides on the present state, and appends on the condition that nothing was appended since. So whoever was the
    /// writer and does not know yet that it is no more cannot append: the event that says so is in the way.
    async fn append(&self, number: u64) -> Result<u64, Refusal> {
        // Given up in the middle, the connection is dropped with its late answer; the next deposit opens another.
        let mut kept = self.writing.lock().await;
        loop {
            let ends_at = {
                let projection = self.projection.borrow();
                if let Some(offset) = projection.offset_of(number) {
                    return Ok(offset);
                }
                if projection.state().writer != self.config.name {
                    return Err(Refusal::NotTheWriter);
                }
                projection.state().offset
            };
            let mut log = match kept.take() {
                Some(log) => log,
                None => Nats::connect(self.config.log).await?,
            };
            let deposit = Deposit { number, by: self.config.name.clone() };
            let body = serde_json::to_vec(&deposit).map_err(io::Error::other)?;
            let appended = log.append(DEPOSITS, Some(&number.to_string()), &Provided::EndsAt(ends_at), &body).await?;
            *kept = Some(log);
            let next = match appended {
                Appended::At(offset) => offset,
                Appended::Overtaken => ends_at + 1,
                Appended::Full => return Err(io::Error::other("the log is full").into()),
            };
            self.wait_for(next, PATIENCE).await?;
            if appended == Appended::At(next) {
                return Ok(next);
            }
        }
    }

    async fn follow_for_ever(self: Rc<Self>) {
        loop {
            if let Err(error) = self.follow().await {
                eprintln!("the log: {error}");
            }
            sleep(AGAIN).await;
        }
    }

    async fn follow(&self) -> io::Result<()> {
        let mut log = Nats::connect(self.config.log).await?;
        let consumer = log.consume(STREAM, self.offset() + 1).await?;
        loop {
            let began = Instant::now();
            log.pull(STREAM, &consumer, BATCH, EXPIRES).await?;
            let (mut came, mut pending) = (0, 0);
            while let Some(delivery) = log.delivery(EXPIRES).await? {
                pending = delivery.pending;
                came += 1;
                self.receive(&mut log, delivery).await?;
                if came == BATCH {
                    break;
                }
            }
            if pending > 0 {
                sleep((Duration::from_secs(1) * came / self.config.pace).saturating_sub(began.elapsed())).await;
            }
        }
    }

    /// Some deliveries are refused, so that they come again behind later ones, and some are not acknowledged, so that they
    /// come twice: a consumer must stand both, and this one is made to, all the time.
    async fn receive(&self, log: &mut Nats, delivery: Delivery) -> io::Result<()> {
        if delivery.times == 1 && delivery.sequence.is_multiple_of(13) {
            self.refused.set(self.refused.get() + 1);
            return log.refuse(&delivery).await;
        }
        match Event::parse(&delivery.body) {
            Ok(event) => self.projection.borrow_mut().take(delivery.sequence, event, self.arithmetic.get()),
            // Whoever cannot read the log must not go on as if he had.
            Err(error) => return Err(io::Error::other(format!("event {}: {error}", delivery.sequence))),
        }
        self.reached.send_replace(self.offset());
        if delivery.times == 1 && delivery.sequence.is_multiple_of(17) {
            Ok(())
        } else {
            log.acknowledge(&delivery).await
        }
    }
}
