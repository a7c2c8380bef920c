//! The differ: nginx sends it a copy of each request; it never keeps nginx waiting, and what it is told goes nowhere but
//! to shadow doors.
//!
//! A copy is taken in at once. It is dropped, and counted, if too much waits already, or if it has waited for too long:
//! what is behind shall not go on writing to the shadow when the mirror is off. Then old answers it, by two doors that
//! know nothing of each other, and new, all three at the same time. Copies about one thing are compared one after the
//! other, in the order in which they came, else a look-up could overtake the order that it is about.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::hash::{BuildHasher as _, RandomState};
use std::rc::Rc;
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::answer::{Answer, alone};
use crate::ask::Connection;
use crate::{Failure, http};

/// Comparisons at once.
const LANES: usize = 32;
/// Copies that wait in one lane.
const WAITING_MAX: usize = 8;
/// Longer has no copy waited that is compared.
const FRESH: Duration = Duration::from_secs(1);
/// For an answer.
const PATIENCE: Duration = Duration::from_millis(500);

pub(crate) struct Differ {
    old: u16,
    old_again: u16,
    new: u16,
    counts: Rc<Counts>,
}

#[derive(Default)]
struct Counts {
    received: Cell<u64>,
    dropped: Cell<u64>,
    /// Both answers of old were there.
    compared: Cell<u64>,
    /// Old itself did not answer: nothing to compare with.
    incomparable: Cell<u64>,
    new_alone: Cell<u64>,
    old_alone: Cell<u64>,
    /// For people, who want to know where to look.
    new_alone_in: RefCell<BTreeMap<String, u64>>,
}

impl Differ {
    pub(crate) fn new(old: u16, old_again: u16, new: u16) -> Self {
        Self { old, old_again, new, counts: Rc::default() }
    }

    /// For ever. `GET /metrics` has the counters; everything else is a copy.
    pub(crate) async fn serve(self, door: u16) -> Result<(), Failure> {
        let listener = TcpListener::bind(("127.0.0.1", door)).await?;
        let lanes: Vec<_> = (0..LANES).map(|_| self.open_lane()).collect();
        let hash = RandomState::new();
        http::serve(listener, async |copy: http::Request| {
            if copy.method == "GET" && copy.path == "/metrics" {
                return http::Answer::from((200, self.counts.text()));
            }
            add_one(&self.counts.received);
            let lane = usize::try_from(hash.hash_one(&copy.path) % LANES as u64).unwrap_or(0);
            if lanes[lane].try_send((Instant::now(), copy)).is_err() {
                add_one(&self.counts.dropped);
            }
            (202, json!({})).into()
        })
        .await;
        Ok(())
    }

    fn open_lane(&self) -> mpsc::Sender<(Instant, http::Request)> {
        let (sender, mut copies) = mpsc::channel::<(Instant, http::Request)>(WAITING_MAX);
        let mut doors = [self.old, self.old_again, self.new].map(Door::at);
        let counts = Rc::clone(&self.counts);
        tokio::task::spawn_local(async move {
            while let Some((came, copy)) = copies.recv().await {
                if came.elapsed() > FRESH {
                    add_one(&counts.dropped);
                    continue;
                }
                let [old, old_again, new] = &mut doors;
                let (old, again, new) = tokio::join!(old.ask(&copy), old_again.ask(&copy), new.ask(&copy));
                counts.compare(old, again, new);
            }
        });
        sender
    }
}

impl Counts {
    fn compare(&self, old: Option<Answer>, again: Option<Answer>, new: Option<Answer>) {
        let (Some(old), Some(again)) = (old, again) else { return add_one(&self.incomparable) };
        let new = new.unwrap_or_default(); // silence is an answer that differs
        add_one(&self.compared);
        let apart = alone(&new, [&old, &again]);
        if !apart.is_empty() {
            add_one(&self.new_alone);
        }
        for field in apart {
            *self.new_alone_in.borrow_mut().entry(field.to_owned()).or_default() += 1;
        }
        if !alone(&again, [&old, &new]).is_empty() {
            add_one(&self.old_alone);
        }
    }

    fn text(&self) -> String {
        let mut text = format!(
            "mirror_received_total {}\nmirror_dropped_total {}\nmirror_compared_total {}\n\
             mirror_incomparable_total {}\nmirror_new_alone_total {}\nmirror_old_alone_total {}\n",
            self.received.get(),
            self.dropped.get(),
            self.compared.get(),
            self.incomparable.get(),
            self.new_alone.get(),
            self.old_alone.get()
        );
        for (field, times) in &*self.new_alone_in.borrow() {
            let _ = writeln!(text, "mirror_new_alone_in_total{{field={field:?}}} {times}");
        }
        text
    }
}

fn add_one(count: &Cell<u64>) {
    count.set(count.get() + 1);
}

/// A way to one version, over one connection, which is opened when it is needed.
struct Door {
    port: u16,
    connection: Option<Connection>,
}

impl Door {
    fn at(port: u16) -> Self {
        Self { port, connection: None }
    }

    /// `None` where no answer came in time.
    async fn ask(&mut self, copy: &http::Request) -> Option<Answer> {
        let connection = self.connection.take();
        let exchange = async {
            let mut connection = match connection {
                Some(open) => open,
                None => Connection::open(self.port).await?,
            };
            let answer = connection.exchange(&copy.method, &copy.path, "").await?;
            Ok::<_, std::io::Error>((connection, answer))
        };
        let (connection, (status, body)) = timeout(PATIENCE, exchange).await.ok()?.ok()?;
        self.connection = Some(connection);
        Some(Answer::new(status, &body))
    }
}
