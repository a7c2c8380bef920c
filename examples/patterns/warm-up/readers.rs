//! Customers who look at pages: few pages are wanted often, many now and then.
//!
//! They do not wait for each other: a page is asked for when it is due, as long as one of them has time, and what it took
//! counts from when it was due. So a service that is overrun shows as such.

use std::cell::{Cell, RefCell};
use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;
use std::rc::Rc;
use std::time::{Duration, UNIX_EPOCH};

use tokio::time::{Instant, sleep_until, timeout};

use crate::Failure;
use crate::ask::Connection;

/// There are so many pages, numbered by how much they are wanted.
pub(crate) const PAGES: u64 = 5_000;
const PER_SECOND: u32 = 150;
const READERS: usize = 40;
const PATIENCE: Duration = Duration::from_secs(2);

struct Readers {
    proxy: u16,
    next_due: Cell<Instant>,
    next_random: Cell<u64>,
    /// Lines `<ms since 1970> <microseconds> <status, 0 for none> <who answered>`.
    reads: RefCell<File>,
}

pub(crate) async fn read_for_ever(dir: &Path, proxy: u16) -> Result<(), Failure> {
    let readers = Rc::new(Readers {
        proxy,
        next_due: Cell::new(Instant::now()),
        next_random: Cell::new(7),
        reads: RefCell::new(File::options().create(true).append(true).open(dir.join("reads"))?),
    });
    for _ in 0..READERS {
        tokio::task::spawn_local(Rc::clone(&readers).read_in_turn());
    }
    std::future::pending().await
}

impl Readers {
    async fn read_in_turn(self: Rc<Self>) {
        let mut connection = None;
        loop {
            // After a stall a second is made up for at most.
            let due = self.next_due.get().max(Instant::now() - Duration::from_secs(1));
            self.next_due.set(due + Duration::from_secs(1) / PER_SECOND);
            sleep_until(due).await;
            let page = self.next_page();
            let (status, by) = match timeout(PATIENCE, look_at(self.proxy, page, &mut connection)).await {
                Ok(Ok(seen)) => seen,
                Ok(Err(_)) | Err(_) => (0, "nobody".to_owned()),
            };
            let line = format!(
                "{} {} {status} {by}\n",
                UNIX_EPOCH.elapsed().unwrap_or_default().as_millis(),
                due.elapsed().as_micros()
            );
            self.reads.borrow_mut().write_all(line.as_bytes()).expect("what was read can be written down");
        }
    }

    /// The square of a random share: the first quarter of the pages makes up half of what is wanted. The same
    /// each time it is run.
    fn next_page(&self) -> u64 {
        let random =
            self.next_random.get().wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.next_random.set(random);
        let share = (random >> 33) & 0xffff;
        (PAGES * share * share) >> 32
    }
}

/// The status and who answered. A connection that fails is dropped.
async fn look_at(proxy: u16, page: u64, connection: &mut Option<Connection>) -> io::Result<(u16, String)> {
    let mut open = match connection.take() {
        Some(open) => open,
        None => Connection::open(proxy).await?,
    };
    let (status, body) = open.exchange("GET", &format!("/pages/{page}"), "").await?;
    *connection = Some(open);
    let body: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
    Ok((status, body["by"].as_str().unwrap_or("nobody").to_owned()))
}
