//! What a steady writer knows about itself: what was acknowledged, how it went lately, how long it had to hold still.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;
use std::time::{Duration, Instant};

/// The stretch that the error rate summarises.
const LATELY: Duration = Duration::from_secs(1);

/// The ledger of acknowledged writes, and figures about them.
pub(crate) struct Tally {
    ledger: File,
    started: Instant,
    last_ack: Instant,
    /// When an answer came, and whether it was an error.
    lately: VecDeque<(Instant, bool)>,
    acknowledged: u64,
    errors: u64,
    longest_pause: Duration,
}

impl Tally {
    /// Starts a ledger; one that is there already goes on.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let ledger = File::options().create(true).append(true).open(path)?;
        let now = Instant::now();
        Ok(Self {
            ledger,
            started: now,
            last_ack: now,
            lately: VecDeque::new(),
            acknowledged: 0,
            errors: 0,
            longest_pause: Duration::ZERO,
        })
    }

    /// A write was acknowledged: one line `<number> <ms since the start>`, handed to the system at once.
    pub(crate) fn acknowledge(&mut self, number: u64) -> io::Result<()> {
        let now = Instant::now();
        let line = format!("{number} {}\n", (now - self.started).as_millis());
        self.ledger.write_all(line.as_bytes())?;
        self.longest_pause = self.longest_pause.max(now - self.last_ack);
        self.last_ack = now;
        self.acknowledged += 1;
        self.note(now, false);
        Ok(())
    }

    /// A write was answered with an error that a user would have seen.
    pub(crate) fn error(&mut self) {
        self.errors += 1;
        self.note(Instant::now(), true);
    }

    fn note(&mut self, now: Instant, error: bool) {
        self.lately.push_back((now, error));
        self.forget(now);
    }

    fn forget(&mut self, now: Instant) {
        while self.lately.front().is_some_and(|&(at, _)| now - at > LATELY) {
            self.lately.pop_front();
        }
    }

    /// The figures, for a status page. No traffic is no error.
    pub(crate) fn figures(&mut self) -> serde_json::Value {
        let now = Instant::now();
        self.forget(now);
        let errors = self.lately.iter().filter(|&&(_, error)| error).count();
        #[expect(clippy::cast_precision_loss, reason = "a second holds far fewer than 2^52 writes")]
        let rate = if errors == 0 { 0.0 } else { errors as f64 / self.lately.len() as f64 };
        let silence = now - self.last_ack;
        serde_json::json!({
            "acknowledged": self.acknowledged,
            "errors": self.errors,
            "error_rate": rate,
            "silence_ms": millis(silence),
            "longest_pause_ms": millis(self.longest_pause.max(silence)),
        })
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
