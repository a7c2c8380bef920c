//! The sidecar: it captures what changes at a source into a bounded queue, and applies that at a target in order.
//!
//! A trigger of the source writes each change, with the next number, in the transaction that makes it: the row that holds
//! the last number is locked until the commit, so numbers follow each other without gaps in the order of the commits. In
//! the queue a change stands at the sequence that is its number, and the target stores the number of the last change in
//! the transaction that applies it. So whoever dies, the three numbers say what is left to do, and nothing is kept here.
//!
//! It knows one table, `orders`, and rows that are added to it: that is what the application of the rig does.

use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::rc::Rc;
use std::time::Duration;

use futures_util::TryStreamExt as _;
use serde_json::json;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{Connection as _, Executor as _};
use tokio::net::TcpListener;
use tokio::time::sleep;

use crate::nats::{Appended, Nats, Provided};
use crate::{Failure, http};

/// Changes that are read, or applied, at a time.
const BATCH: usize = 200;
/// Before the source is asked again when it had nothing, and before a broken connection is opened again.
const PAUSE: Duration = Duration::from_millis(20);
const AGAIN: Duration = Duration::from_millis(200);

/// What a source needs. Existing changes stay.
const CAPTURE: &str = "
    create table if not exists sidecar_clock (last bigint not null);
    insert into sidecar_clock select 0 where not exists (select 1 from sidecar_clock);
    create table if not exists sidecar_changes (number bigint primary key, added jsonb not null);
    create or replace function sidecar_capture() returns trigger language plpgsql security definer as $$
      declare this bigint;
      begin
        update sidecar_clock set last = last + 1 returning last into this;
        insert into sidecar_changes values (this, to_jsonb(new));
        return null;
      end $$;
    create or replace trigger sidecar_capture after insert on orders for each row execute function sidecar_capture();";
const FORGET_CAPTURE: &str = "
    drop trigger if exists sidecar_capture on orders;
    drop function if exists sidecar_capture();
    drop table if exists sidecar_changes, sidecar_clock";
/// What a target needs.
const APPLY: &str = "
    create table if not exists sidecar_applied (last bigint not null);
    insert into sidecar_applied select 0 where not exists (select 1 from sidecar_applied)";

/// Changes are captured at a source from now on.
pub(crate) async fn capture(source: &str) -> Result<(), Failure> {
    change_capture(source, CAPTURE).await
}

/// Changes are not captured any more, and those that were are gone, with the queue: the next ones begin at 1 again. No
/// sidecar may be at work.
pub(crate) async fn forget(source: &str, log: u16, stream: &str) -> Result<(), Failure> {
    change_capture(source, FORGET_CAPTURE).await?;
    let mut log = Nats::connect(log).await?;
    // One that is not there is gone.
    let _ = log.ask(&format!("STREAM.DELETE.{stream}"), &json!({})).await;
    match log.ask(&format!("STREAM.INFO.{stream}"), &json!({})).await {
        Ok(_) => Err("the queue cannot be removed".into()),
        Err(_) => Ok(()),
    }
}

async fn change_capture(source: &str, statements: &'static str) -> Result<(), Failure> {
    let mut source = connect(source).await?;
    let mut transaction = source.begin().await?;
    transaction.execute(sqlx::raw_sql(statements)).await?;
    Ok(transaction.commit().await?)
}

/// Loses the change in the middle of a queue, as no queue should: for the rig to see what becomes of it.
pub(crate) async fn lose(log: u16, stream: &str) -> Result<(), Failure> {
    let mut log = Nats::connect(log).await?;
    let info = log.ask(&format!("STREAM.INFO.{stream}"), &json!({})).await?;
    let (Some(first), Some(last)) = (info["state"]["first_seq"].as_u64(), info["state"]["last_seq"].as_u64()) else {
        return Err("the queue has no ends".into());
    };
    if last < first + 2 {
        return Err("the queue has no middle".into());
    }
    log.ask(&format!("STREAM.MSG.DELETE.{stream}"), &json!({ "seq": first.midpoint(last) })).await?;
    Ok(())
}

/// Makes the target what the source is at one moment, and notes which change was the last by then: both as one. What the
/// target had before is gone. Prints the number of rows.
pub(crate) async fn copy(source: &str, target: &str) -> Result<(), Failure> {
    let (mut source, mut target) = (connect(source).await?, connect(target).await?);
    let mut there = target.begin().await?;
    there.execute(sqlx::raw_sql(APPLY)).await?;
    there.execute("truncate orders").await?;
    let mut here = source.begin().await?;
    here.execute("set transaction isolation level repeatable read").await?;
    let last: i64 = sqlx::query_scalar("select last from sidecar_clock").fetch_one(&mut *here).await?;
    let mut copied = 0;
    {
        let mut rows = sqlx::query_scalar::<_, String>("select to_jsonb(o)::text from orders o").fetch(&mut *here);
        let mut some = Vec::new();
        while let Some(row) = rows.try_next().await? {
            some.push(row);
            copied += 1;
            if some.len() == 1000 {
                add(&mut there, &std::mem::take(&mut some)).await?;
            }
        }
        add(&mut there, &some).await?;
    }
    sqlx::query("update sidecar_applied set last = $1").bind(last).execute(&mut *there).await?;
    there.commit().await?;
    println!("{copied}");
    Ok(())
}

async fn add(target: &mut PgConnection, rows: &[String]) -> Result<(), sqlx::Error> {
    let add = "insert into orders select (jsonb_populate_record(null::orders, row::jsonb)).* from unnest($1) row";
    sqlx::query(add).bind(rows).execute(target).await.map(|_| ())
}

/// A target that begins without a copy: it has what the source has, which captures from now on.
pub(crate) async fn prepare(target: &str) -> Result<(), Failure> {
    let mut target = connect(target).await?;
    target.execute(sqlx::raw_sql("drop table if exists sidecar_applied")).await?;
    target.execute(sqlx::raw_sql(APPLY)).await?;
    Ok(())
}

/// Whether changes are applied. There is no way on from a gap: somebody must look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Applying {
    Going,
    /// This change is missing, and a later one is there.
    GapAt(u64),
}

/// One direction.
struct Sidecar {
    source: String,
    target: String,
    log: u16,
    /// The name of the queue, and how many changes it holds at most.
    stream: String,
    bound: u64,
    applying: Cell<Applying>,
    /// How often the queue was full.
    held_back: Cell<u64>,
    /// The last one, for people.
    trouble: RefCell<String>,
}

/// Carries changes for ever; `GET /status` on port `door` says how it goes.
pub(crate) async fn run(
    source: &str,
    target: &str,
    log: u16,
    stream: &str,
    bound: u64,
    door: u16,
) -> Result<(), Failure> {
    let sidecar = Rc::new(Sidecar {
        source: source.to_owned(),
        target: target.to_owned(),
        log,
        stream: stream.to_owned(),
        bound,
        applying: Cell::new(Applying::Going),
        held_back: Cell::new(0),
        trouble: RefCell::default(),
    });
    let door = TcpListener::bind(("127.0.0.1", door)).await?;
    let carrying = Rc::clone(&sidecar);
    tokio::task::spawn_local(async move {
        // First of all: NATS 2.9.10, which Debian has, ends when it is asked for a message of a stream in the making.
        while let Err(trouble) = carrying.make_queue().await {
            carrying.note("queue", trouble).await;
        }
        tokio::join!(carrying.go_on_capturing(), carrying.go_on_applying());
    });
    http::serve(door, async |_| (200, sidecar.status())).await;
    Ok(())
}

impl Sidecar {
    fn status(&self) -> serde_json::Value {
        let gap = match self.applying.get() {
            Applying::Going => serde_json::Value::Null,
            Applying::GapAt(number) => json!(number),
        };
        json!({
            "pid": std::process::id(), "gap_at": gap, "held_back": self.held_back.get(),
            "trouble": *self.trouble.borrow(),
        })
    }

    async fn note(&self, what: &str, trouble: Failure) {
        eprintln!("{what}: {trouble}");
        *self.trouble.borrow_mut() = format!("{what}: {trouble}");
        sleep(AGAIN).await;
    }

    async fn go_on_capturing(&self) {
        loop {
            let Err(trouble) = self.capture().await;
            self.note("capture", trouble).await;
        }
    }

    async fn go_on_applying(&self) {
        while self.applying.get() == Applying::Going {
            let Err(trouble) = self.apply().await;
            self.note("apply", trouble).await;
        }
    }

    /// From the source into the queue, beginning behind the last change that the queue has ever held.
    async fn capture(&self) -> Result<Infallible, Failure> {
        let (mut source, mut log) = (connect(&self.source).await?, Nats::connect(self.log).await?);
        let mut last = self.end_of_queue(&mut log).await?;
        loop {
            let select = "select number, added::text from sidecar_changes where number > $1 order by number limit $2";
            let changes: Vec<(i64, String)> = sqlx::query_as(select)
                .bind(i64::try_from(last)?)
                .bind(i64::try_from(BATCH)?)
                .fetch_all(&mut source)
                .await?;
            if changes.is_empty() {
                sleep(PAUSE).await;
            }
            for (number, added) in changes {
                if u64::try_from(number)? != last + 1 {
                    return Err(format!("the source has change {number} and lacks {}", last + 1).into());
                }
                // On this condition two sidecars at once, or one that was killed, put nothing in twice or out of order.
                match log.append(&self.stream, None, &Provided::EndsAt(last), added.as_bytes()).await? {
                    Appended::At(sequence) => last = sequence,
                    Appended::Overtaken => return Err("somebody else has put a change into the queue".into()),
                    Appended::Full => {
                        // Back-pressure: changes wait at the source, whose table is the larger store.
                        self.held_back.set(self.held_back.get() + 1);
                        sleep(AGAIN).await;
                        break;
                    }
                }
            }
        }
    }

    async fn make_queue(&self) -> Result<(), Failure> {
        let stream = json!({
            "name": self.stream, "subjects": [self.stream], "storage": "file", "retention": "limits",
            "discard": "new", "max_msgs": self.bound, "max_bytes": -1, "max_age": 0, "num_replicas": 1,
        });
        Nats::connect(self.log).await?.ask(&format!("STREAM.CREATE.{}", self.stream), &stream).await?;
        Ok(())
    }

    async fn end_of_queue(&self, log: &mut Nats) -> Result<u64, Failure> {
        let info = log.ask(&format!("STREAM.INFO.{}", self.stream), &json!({})).await?;
        info["state"]["last_seq"].as_u64().ok_or_else(|| "the queue has no end".into())
    }

    /// From the queue into the target, beginning behind the last change that the target has.
    async fn apply(&self) -> Result<Infallible, Failure> {
        let (mut target, mut log) = (connect(&self.target).await?, Nats::connect(self.log).await?);
        while self.applying.get() == Applying::Going {
            if let Some(last) = self.apply_some(&mut target, &mut log).await? {
                // What the target has for good the queue need not hold.
                log.ask(&format!("STREAM.PURGE.{}", self.stream), &json!({ "seq": last + 1 })).await?;
            } else {
                sleep(PAUSE).await;
            }
        }
        Err(format!("stopped: {:?}", self.applying.get()).into())
    }

    /// In one transaction: what is next in line, and how far that is. Returns the last change that it was, if any.
    async fn apply_some(&self, target: &mut PgConnection, log: &mut Nats) -> Result<Option<u64>, Failure> {
        let mut transaction = target.begin().await?;
        // Locked: two sidecars apply one after the other.
        let applied: i64 =
            sqlx::query_scalar("select last from sidecar_applied for update").fetch_one(&mut *transaction).await?;
        let applied = u64::try_from(applied)?;
        let mut rows = Vec::new();
        let mut last = applied;
        while rows.len() < BATCH
            && let Some((sequence, added)) = log.next_of(&self.stream, &self.stream, last + 1).await?
        {
            if sequence > last + 1 {
                self.applying.set(Applying::GapAt(last + 1));
                break;
            }
            rows.push(String::from_utf8(added)?);
            last = sequence;
        }
        if last == applied {
            return Ok(None);
        }
        add(&mut transaction, &rows).await?;
        sqlx::query("update sidecar_applied set last = $1")
            .bind(i64::try_from(last)?)
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(Some(last))
    }
}

/// A password is where libpq has it: `PGPASSWORD` or `PGPASSFILE`.
async fn connect(url: &str) -> Result<PgConnection, Failure> {
    let database: PgConnectOptions = url.parse()?;
    Ok(tokio::time::timeout(Duration::from_secs(3), PgConnection::connect_with(&database)).await??)
}
