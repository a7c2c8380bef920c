//! The application: it writes steadily, and can say afterwards what it was told.
//!
//! Three kinds of client, each with a ledger of its own. *Retrying* ones try each write again until it is acknowledged,
//! as an application should; *single* ones try each once, as many do; both go through the proxy. *Stubborn* ones know the
//! servers and write past the proxy to each of them all the time: where two servers take writes, they find out.

use std::cell::{Cell, RefCell};
use std::fs;
use std::path::Path;
use std::rc::Rc;
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::sleep;

use crate::store::{FIRST_NUMBER, Refusal, Store};
use crate::tally::Tally;
use crate::took::Took;
use crate::{Failure, http, ledger};

const RETRYING: usize = 4;
const SINGLE: usize = 2;
/// Between two writes of one client.
const PACE: Duration = Duration::from_millis(20);
/// Between two of a stubborn one, which mostly knocks in vain.
const STUBBORN_PACE: Duration = Duration::from_millis(50);
/// Before another try.
const AGAIN: Duration = Duration::from_millis(10);
/// How long a retrying client tries; longer is a failed request.
const PERSEVERANCE: Duration = Duration::from_secs(30);

struct Load {
    next_number: Cell<u64>,
    retrying: RefCell<Tally>,
    single: RefCell<Tally>,
    stubborn: RefCell<Tally>,
    /// Of single clients.
    took: RefCell<Took>,
    failed_retrying: Cell<u64>,
    failed_single: Cell<u64>,
}

/// Writes until TERM, then leaves the figures in `DIR/figures`. `GET /status` has them meanwhile, and `GET /error_rate`
/// the share of tries of retrying clients that ended with an error lately; being held is none.
pub(crate) async fn drive(dir: &Path, door: u16, proxy: &str, servers: &[&str]) -> Result<(), Failure> {
    let tally = |who| Tally::open(&ledger::path(dir, who)).map(RefCell::new);
    let load = Rc::new(Load {
        next_number: Cell::new(FIRST_NUMBER),
        retrying: tally("retrying")?,
        single: tally("single")?,
        stubborn: tally("stubborn")?,
        took: RefCell::new(Took::open(dir)?),
        failed_retrying: Cell::new(0),
        failed_single: Cell::new(0),
    });
    let door = TcpListener::bind(("127.0.0.1", door)).await?;
    let mut end = signal(SignalKind::terminate())?;
    for _ in 0..RETRYING {
        tokio::task::spawn_local(Rc::clone(&load).retry_for_ever(Store::new(proxy)?));
    }
    for _ in 0..SINGLE {
        tokio::task::spawn_local(Rc::clone(&load).try_for_ever(Store::new(proxy)?));
    }
    for server in servers {
        tokio::task::spawn_local(Rc::clone(&load).insist_for_ever(Store::new(server)?));
    }
    tokio::select! {
        () = http::serve(door, async |request| load.answer(&request)) => {}
        _ = end.recv() => {
            // Whoever waits for this file finds it whole.
            fs::write(dir.join("figures.tmp"), load.figures_line())?;
            fs::rename(dir.join("figures.tmp"), dir.join("figures"))?;
        }
    }
    Ok(())
}

impl Load {
    async fn retry_for_ever(self: Rc<Self>, mut store: Store) {
        loop {
            let (number, began) = (self.take_number(), Instant::now());
            loop {
                match store.place(number).await {
                    Ok(()) => break acknowledge(&self.retrying, number),
                    Err(Refusal::Error) => self.retrying.borrow_mut().error(),
                    Err(Refusal::Held) => {}
                }
                if began.elapsed() > PERSEVERANCE {
                    break count(&self.failed_retrying);
                }
                sleep(AGAIN).await;
            }
            sleep(PACE).await;
        }
    }

    async fn try_for_ever(self: Rc<Self>, mut store: Store) {
        loop {
            let (number, began) = (self.take_number(), Instant::now());
            match store.place(number).await {
                Ok(()) => acknowledge(&self.single, number),
                Err(Refusal::Error | Refusal::Held) => count(&self.failed_single),
            }
            self.took.borrow_mut().note(began.elapsed()).expect("how long it took can be written");
            sleep(PACE).await;
        }
    }

    async fn insist_for_ever(self: Rc<Self>, mut store: Store) {
        loop {
            let number = self.take_number();
            if store.place(number).await.is_ok() {
                acknowledge(&self.stubborn, number);
            }
            sleep(STUBBORN_PACE).await;
        }
    }

    fn take_number(&self) -> u64 {
        self.next_number.replace(self.next_number.get() + 1)
    }

    fn answer(&self, request: &http::Request) -> http::Answer {
        let figures = self.retrying.borrow_mut().figures();
        match (request.method.as_str(), request.path.as_str(), request.body.is_null()) {
            ("GET", "/status", true) => (200, figures).into(),
            ("GET", "/error_rate", true) => (200, figures["error_rate"].to_string()).into(),
            _ => (404, json!({ "error": "ask GET /status or /error_rate" })).into(),
        }
    }

    /// One line for a script.
    fn figures_line(&self) -> String {
        format!(
            "failed_retrying={} failed_single={} pause_ms={}",
            self.failed_retrying.get(),
            self.failed_single.get(),
            self.retrying.borrow_mut().figures()["longest_pause_ms"],
        )
    }
}

fn acknowledge(tally: &RefCell<Tally>, number: u64) {
    tally.borrow_mut().acknowledge(number).expect("the ledger can be written");
}

fn count(cell: &Cell<u64>) {
    cell.set(cell.get() + 1);
}
