//! One line per notice, with the time since the run began: for a log, a pipe, a terminal that can do no more.

use std::io::Write;
use std::sync::Arc;

use super::news::NewsLines;
use super::text::clock;
use super::{Reporter, Theme, Told, View};
use crate::model::Plan;

/// Writes lines.
pub struct Plain<W> {
    to: W,
    news: NewsLines,
    theme: Theme,
    /// The reader went away.
    lost: bool,
}

impl<W: Write> Plain<W> {
    /// Tells of a run of `plan`.
    pub fn new(plan: Arc<Plan>, to: W, theme: Theme) -> Self {
        Self { to, news: NewsLines::new(plan), theme, lost: false }
    }
}

impl<W: Write> Reporter for Plain<W> {
    fn tell(&mut self, told: &Told) {
        let (_, line) = self.news.line(told);
        if !self.lost {
            // A reader that went away must not take the operation with it.
            self.lost = writeln!(self.to, "{:>9}  {}", clock(told.at), self.theme.paint(&line)).is_err();
        }
    }

    fn refresh(&mut self, _view: &View) {}

    fn suspend(&mut self) {
        self.flush();
    }

    fn resume(&mut self) {}

    fn finish(&mut self) {
        self.flush();
    }
}

impl<W: Write> Plain<W> {
    fn flush(&mut self) {
        self.lost |= self.to.flush().is_err();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn a_log_has_one_line_per_notice_with_the_time_since_the_start() {
        let plan = Arc::new(sample::plan());
        let mut to = Vec::new();
        let mut log = Plain::new(Arc::clone(&plan), &mut to, Theme::BARE);
        for told in sample::rolled_back(&plan) {
            log.tell(&told);
        }
        log.finish();
        insta::assert_snapshot!(String::from_utf8(to).expect("text"), @r"
    0:00.0  run of promote_orders_db starts: 3 phases, 8 steps
    0:00.0  phase warmup starts
    0:00.0  step basebackup starts
    0:09.3  step basebackup is tried again in 5s (try 2 of 3): its action failed: exit code 1 pg_basebackup: error: connection refused
    0:14.3  step basebackup starts (attempt 2)
    1:14.5  step basebackup is done (1m 14s, 2 attempts)
    1:14.5  step prewarm starts
    1:20.1  step prewarm is done (5.6s)
    1:20.2  phase warmup is done (1m 20s)
    1:20.2  phase cutover starts
    1:20.2  gate ready asks: Replica is warm. Cut over now?
    2:05.0  gate ready: go, by alice
    2:05.0  step ready is done (44.7s), by alice
    2:05.0  step fence_old starts
    2:06.2  step fence_old is done (1.2s)
    2:06.2  step promote starts
    2:07.0  step promote: the action ended, now its criteria are measured
    2:08.4  guard errors breached (`probe.errors < 5`); the run goes back: probe.errors = 112 /s
    2:08.4  rollback starts, back to the start: guard errors was breached
    2:08.4  undo of promote starts
    2:10.0  step promote is undone
    2:10.0  undo of fence_old starts
    2:10.9  step fence_old is undone
    2:10.9  undo of basebackup starts
    2:13.0  step basebackup is undone
    2:13.0  all is undone; now the start is measured
    2:14.0  rollback finished, back at the start, verified
    2:14.0  run rolled back, and verified (2m 14s in all)
    ");
    }

    #[test]
    fn a_reader_that_went_away_does_not_stop_anything() {
        struct Gone;
        impl Write for Gone {
            fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
                Err(std::io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> std::io::Result<()> {
                Err(std::io::ErrorKind::BrokenPipe.into())
            }
        }
        let plan = Arc::new(sample::plan());
        let mut log = Plain::new(Arc::clone(&plan), Gone, Theme::BARE);
        for told in sample::rolled_back(&plan) {
            log.tell(&told);
        }
        log.finish();
        assert!(log.lost);
    }
}
