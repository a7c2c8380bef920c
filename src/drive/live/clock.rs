//! The time of a run: what the boot clock says, counted from the run's beginning, downtime included (R25).

use rustix::time::{ClockId, clock_gettime};

use crate::journal::{Clock as Stamp, Moment, Wall};
use crate::model::{Span, Time};

/// Tells the time of one run in this process.
#[derive(Clone, Debug)]
pub struct Clock {
    /// The run's time...
    base: Time,
    /// ...when the boot clock said this.
    boot_ms: u64,
}

impl Clock {
    /// For a run that begins now.
    pub fn beginning() -> Self {
        Self { base: Time::ZERO, boot_ms: boot_ms() }
    }

    /// For a run that is taken up again: `stamp` was taken at `at`, and the last record is of `last`.
    pub fn resuming(at: Time, stamp: &Stamp, last: Moment) -> Self {
        let boot_ms = boot_ms();
        let base = if stamp.boot == boot_id() {
            at.after(Span::from_millis(boot_ms.saturating_sub(stamp.ms)))
        } else {
            // Another boot: only the wall clock has gone on, and it may have been set back.
            let down = wall().millis().saturating_sub(last.wall.millis());
            last.at.after(Span::from_millis(u64::try_from(down).unwrap_or(0)))
        };
        Self { base: base.max(last.at), boot_ms }
    }

    /// Now, in the run's time.
    pub fn time(&self) -> Time {
        self.base.after(Span::from_millis(boot_ms().saturating_sub(self.boot_ms)))
    }

    /// Now, by both clocks.
    pub fn now(&self) -> Moment {
        Moment { at: self.time(), wall: wall() }
    }

    /// What the journal keeps, so that a later process can count on.
    pub fn stamp() -> Stamp {
        Stamp { boot: boot_id(), ms: boot_ms() }
    }
}

/// The wall clock.
pub fn wall() -> Wall {
    let now = clock_gettime(ClockId::Realtime);
    Wall::from_millis(now.tv_sec.saturating_mul(1000).saturating_add(now.tv_nsec / 1_000_000))
}

fn boot_ms() -> u64 {
    let now = clock_gettime(ClockId::Boottime);
    let millis = now.tv_sec.saturating_mul(1000).saturating_add(now.tv_nsec / 1_000_000);
    u64::try_from(millis).unwrap_or(0)
}

/// Which boot of which host; empty where the system does not say (then every resume counts as another boot).
fn boot_id() -> String {
    std::fs::read_to_string("/proc/sys/kernel/random/boot_id").map(|id| id.trim().to_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn downtime_counts_and_a_clock_set_back_never_makes_time_go_back() {
        let last = Moment { at: Time::from_millis(5_000), wall: wall() };
        let same_boot = Stamp { boot: boot_id(), ms: boot_ms().saturating_sub(60_000) };
        let resumed = Clock::resuming(Time::ZERO, &same_boot, last);
        assert!(resumed.time() >= Time::from_millis(60_000) && resumed.time() < Time::from_millis(70_000));

        let other_boot = Stamp { boot: "another".into(), ms: 0 };
        let future = Moment { at: last.at, wall: Wall::from_millis(last.wall.millis() + 3_600_000) };
        let resumed = Clock::resuming(Time::ZERO, &other_boot, future);
        assert!(resumed.time() >= last.at && resumed.time() < last.at.after(Span::from_secs(10)));
    }
}
