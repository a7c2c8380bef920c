//! The service that takes the orders: which store is in force, who is told too and who is asked are flags of it.
//!
//! `PUT /orders/NUMBER { version, writer, value }` is acknowledged when the store in force has it, and the other one too
//! while both are written. Where the other does not take it in time, the store in force holds, in the same transaction,
//! that it is owed; a carrier makes up for it as soon as it can, and until then `GET /status` says so. Whoever carries
//! what is owed is the way back.

use std::cell::{Cell, RefCell};
use std::fs::{self, File};
use std::io::Write as _;
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::RwLock;
use tokio::time::sleep;

use super::shadow::{Same, Shadow};
use super::store::{Epoch, Owed, Refusal, Row, Store, Taken};
use crate::{Failure, http};

/// Between two looks for what is owed.
const CARRY_EVERY: Duration = Duration::from_millis(100);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Side {
    Old,
    New,
}

impl Side {
    fn other(self) -> Self {
        match self {
            Self::Old => Self::New,
            Self::New => Self::Old,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Old => "old",
            Self::New => "new",
        }
    }
}

#[derive(Clone, Copy, Serialize, Deserialize)]
struct Flags {
    /// The store that is in force, and the epoch in which it is.
    authority: Side,
    epoch: Epoch,
    /// Whether the other one is written too.
    dual: bool,
    /// Whether each read asks both, and holds one against the other.
    compare: bool,
    /// Percent of the reads that `new` is asked for.
    reads: u64,
}

/// Whether everything that was acknowledged is in both stores.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Carrier {
    Whole,
    Behind,
    /// We have begun and could not ask yet.
    Unknown,
}

pub(crate) struct Service {
    old: Store,
    new: Store,
    file: PathBuf,
    flags: Cell<Flags>,
    /// Held for reading by each write; whoever turns a flag knows that none goes by the old rule any more.
    turnstile: RwLock<()>,
    carrier: Cell<Carrier>,
    /// Writes that were acknowledged without the other store.
    misses: Cell<u64>,
    last_at: Cell<i64>,
    asked: Cell<u64>,
    shadow: RefCell<Shadow>,
}

/// Serves on `port` for ever. The flags are in `file`, so that a service that begins again goes on as before.
pub(crate) async fn serve(port: u16, file: PathBuf, old: &str, new: &str) -> Result<(), Failure> {
    let flags = match fs::read_to_string(&file) {
        Ok(text) => serde_json::from_str(&text)?,
        Err(_) => Flags { authority: Side::Old, epoch: 1, dual: false, compare: false, reads: 0 },
    };
    let service = Service {
        old: Store::new(old)?,
        new: Store::new(new)?,
        file,
        flags: Cell::new(flags),
        turnstile: RwLock::new(()),
        carrier: Cell::new(Carrier::Unknown),
        misses: Cell::new(0),
        last_at: Cell::new(0),
        asked: Cell::new(0),
        shadow: RefCell::default(),
    };
    let door = TcpListener::bind(("127.0.0.1", port)).await?;
    tokio::select! {
        () = http::serve(door, async |request| service.answer(request).await) => {}
        () = service.carry_for_ever() => {}
    }
    Ok(())
}

impl Service {
    async fn answer(&self, request: http::Request) -> http::Answer {
        let (method, path, body) = (request.method.as_str(), request.path.as_str(), request.body);
        let order = path.strip_prefix("/orders/").and_then(|number| number.parse().ok());
        match (method, path, order) {
            ("PUT", _, Some(number)) => self.take(number, &body).await,
            ("GET", _, Some(number)) => self.find(number).await,
            ("GET", "/status", _) => (200, self.status().await),
            ("PUT", "/flags", _) => self.turn(&body).await,
            ("PUT", "/authority", _) => self.switch(&body).await,
            _ => (404, json!({ "error": "ask for /orders/NUMBER, /status, /flags or /authority" })),
        }
        .into()
    }

    fn store(&self, side: Side) -> &Store {
        match side {
            Side::Old => &self.old,
            Side::New => &self.new,
        }
    }

    // --- orders ---

    async fn take(&self, number: i64, body: &Value) -> (u16, Value) {
        let (Some(version), Some(writer), Some(value)) =
            (body["version"].as_i64(), body["writer"].as_str(), body["value"].as_str())
        else {
            return (400, json!({ "error": "an order has a version, a writer and a value" }));
        };
        let row = Row { number, version, writer: writer.to_owned(), value: value.to_owned() };
        let _held = self.turnstile.read().await;
        let flags = self.flags.get();
        match self.write(&row, flags).await {
            Ok(()) => (200, json!({})),
            Err(refusal) => (503, json!({ "error": format!("{refusal:?}") })),
        }
    }

    async fn write(&self, row: &Row, flags: Flags) -> Result<(), Refusal> {
        let taken = Taken { at: self.tick(), by: flags.authority.name() };
        let owed = if flags.dual { Owed::Note } else { Owed::Nothing };
        let in_force = self.store(flags.authority);
        in_force.write(row, taken, flags.epoch, owed).await?;
        let other = self.store(flags.authority.other());
        if flags.dual && other.rests() {
            self.fell_behind();
        } else if flags.dual {
            match other.write(row, taken, flags.epoch, Owed::Nothing).await {
                // A note that cannot be crossed out is told once more some day, which does no harm.
                Ok(()) => drop(in_force.paid(row.number, row.version).await),
                Err(Refusal::Deposed) => return Err(Refusal::Deposed),
                Err(Refusal::Failed(_)) => self.fell_behind(),
            }
        }
        Ok(())
    }

    fn fell_behind(&self) {
        self.misses.set(self.misses.get() + 1);
        self.carrier.set(Carrier::Behind);
    }

    async fn find(&self, number: i64) -> (u16, Value) {
        let flags = self.flags.get();
        self.asked.set(self.asked.get() + 1);
        let by_share = if self.asked.get() * 37 % 100 < flags.reads { Side::New } else { Side::Old };
        // A store that lacks something acknowledged is asked nothing.
        let whole = self.carrier.get() == Carrier::Whole;
        let first = if whole && !self.store(by_share).rests() { by_share } else { flags.authority };
        let found = match self.store(first).read(number).await {
            Err(_) if first != flags.authority => self.store(flags.authority).read(number).await,
            found => found,
        };
        let found = match found {
            Ok(found) if flags.compare && whole => self.compare(number, first, found).await,
            found => found,
        };
        match found {
            Ok(Some(row)) => (200, json!({ "version": row.version, "writer": row.writer, "value": row.value })),
            Ok(None) => (404, json!({ "error": "no such order" })),
            Err(refusal) => (503, json!({ "error": format!("{refusal:?}") })),
        }
    }

    /// Holds an answer against the other store's. A user gets what the store in force says, whoever was asked first.
    async fn compare(&self, number: i64, first: Side, found: Option<Row>) -> Result<Option<Row>, Refusal> {
        let other = self.store(first.other());
        if other.rests() {
            return Ok(found);
        }
        let Ok(second) = other.read(number).await else { return Ok(found) };
        if found == second {
            self.shadow.borrow_mut().compared(Same::Yes);
            return Ok(found);
        }
        // Answers of two moments may differ. So both are asked once more, while nothing is being written.
        let _held = self.turnstile.write().await;
        let authority = self.flags.get().authority;
        let in_force = self.store(authority).read(number).await?;
        if let Ok(other) = self.store(authority.other()).read(number).await {
            self.shadow.borrow_mut().compared(if in_force == other { Same::Yes } else { Same::No });
        }
        Ok(in_force)
    }

    /// Microseconds of the clock on the wall, and never the same twice.
    fn tick(&self) -> i64 {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_micros();
        let at = i64::try_from(now).unwrap_or(i64::MAX).max(self.last_at.get() + 1);
        self.last_at.set(at);
        at
    }

    // --- what is owed ---

    async fn carry_for_ever(&self) {
        loop {
            if self.carrier.get() != Carrier::Whole {
                // Under the turnstile, so that no flag turns meanwhile.
                let _held = self.turnstile.read().await;
                let misses = self.misses.get();
                let all = self.carry().await;
                if all.is_ok() && misses == self.misses.get() {
                    self.carrier.set(Carrier::Whole);
                }
            }
            sleep(CARRY_EVERY).await;
        }
    }

    /// Tells the other store everything that it is owed.
    async fn carry(&self) -> Result<(), Refusal> {
        let flags = self.flags.get();
        if !flags.dual {
            return Ok(());
        }
        let (in_force, other) = (self.store(flags.authority), self.store(flags.authority.other()));
        let taken = Taken { at: self.tick(), by: flags.authority.name() };
        let mut told = i64::MIN;
        loop {
            let numbers = in_force.owed_after(told).await?;
            let Some(&last) = numbers.last() else { return Ok(()) };
            for row in in_force.rows(&numbers).await? {
                other.write(&row, taken, flags.epoch, Owed::Nothing).await?;
                // As above: where it takes no writes any more, what it owed is told all the same.
                let _ = in_force.paid(row.number, row.version).await;
            }
            told = last;
        }
    }

    /// Null where it cannot be counted, or nobody counts any more.
    async fn owed_now(&self, flags: Flags) -> Value {
        if flags.authority == Side::New && !flags.dual {
            return Value::Null;
        }
        match self.carrier.get() {
            Carrier::Whole => json!(0),
            Carrier::Behind => match self.store(flags.authority).owed_after(i64::MIN).await {
                Ok(numbers) => json!(numbers.len().max(1)),
                Err(_) => Value::Null,
            },
            Carrier::Unknown => Value::Null,
        }
    }

    // --- flags ---

    async fn status(&self) -> Value {
        let flags = self.flags.get();
        let mut status = json!({
            "authority": flags.authority,
            "epoch": flags.epoch,
            // Whoever will move the authority, and perhaps back, takes the numbers for both beforehand.
            "epochs": { "forward": flags.epoch + 1, "back": flags.epoch + 2 },
            "dual": flags.dual,
            "compare": flags.compare,
            "reads": flags.reads,
            "owed": self.owed_now(flags).await,
        });
        let seen = self.shadow.borrow_mut().figures();
        status.as_object_mut().expect("an object").extend(seen);
        status
    }

    async fn turn(&self, body: &Value) -> (u16, Value) {
        let _held = self.turnstile.write().await;
        let mut flags = self.flags.get();
        flags.dual = body["dual"].as_bool().unwrap_or(flags.dual);
        flags.compare = body["compare"].as_bool().unwrap_or(flags.compare);
        flags.reads = body["reads"].as_u64().unwrap_or(flags.reads).min(100);
        if let Err(error) = self.keep(flags) {
            return (503, json!({ "error": error.to_string() }));
        }
        if !flags.dual {
            // Nobody will be told any more. What cannot be wiped now is told once more after the next turn: no harm.
            let _ = self.store(flags.authority).forgive().await;
            self.carrier.set(Carrier::Whole);
        }
        (200, json!(flags))
    }

    /// `PUT /authority { to, epoch }`: the store `to` is in force from this epoch on. A late order, of an epoch that is
    /// over, is refused, and so is one that would leave behind what was acknowledged.
    async fn switch(&self, body: &Value) -> (u16, Value) {
        let (Ok(to), Some(epoch)) = (serde_json::from_value::<Side>(body["to"].clone()), body["epoch"].as_i64()) else {
            return (400, json!({ "error": "to is old or new, epoch a number" }));
        };
        let _held = self.turnstile.write().await; // no write is under way
        let now = self.flags.get();
        if epoch < now.epoch || (epoch == now.epoch && to != now.authority) {
            return (409, json!({ "error": format!("this is epoch {}", now.epoch) }));
        }
        if to != now.authority {
            if !now.dual {
                return (409, json!({ "error": "without dual write the other store is no copy" }));
            }
            if let Err(refusal) = self.carry().await
                && self.carrier.get() != Carrier::Whole
            {
                return (409, json!({ "error": format!("{} lacks acknowledged orders: {refusal:?}", to.name()) }));
            }
            if let Err(refusal) = self.store(to).read(0).await {
                return (503, json!({ "error": format!("{} does not answer: {refusal:?}", to.name()) }));
            }
            self.carrier.set(Carrier::Whole);
        }
        // First for us, then for the stores: one that was not told learns it from the next write.
        if let Err(error) = self.keep(Flags { authority: to, epoch, ..now }) {
            return (503, json!({ "error": error.to_string() }));
        }
        let told = (self.store(to).announce(epoch).await, self.store(to.other()).announce(epoch).await);
        (200, json!({ "authority": to, "epoch": epoch, "told": [told.0.is_ok(), told.1.is_ok()] }))
    }

    /// On the disk, and only then in force.
    fn keep(&self, flags: Flags) -> std::io::Result<()> {
        let fresh = self.file.with_extension("fresh");
        let mut file = File::create(&fresh)?;
        file.write_all(json!(flags).to_string().as_bytes())?;
        file.sync_all()?;
        fs::rename(&fresh, &self.file)?;
        self.flags.set(flags);
        Ok(())
    }
}
