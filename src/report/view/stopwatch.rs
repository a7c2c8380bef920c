//! A bounded time that may stand still.

use crate::model::{Span, Time};

/// A bounded time that may stand still.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stopwatch {
    /// How long it may take, where that is bounded.
    pub bound: Option<Span>,
    spent: Span,
    since: Option<Time>,
}

impl Stopwatch {
    /// One that has not been started.
    pub const fn new(bound: Option<Span>) -> Self {
        Self { bound, spent: Span::ZERO, since: None }
    }

    /// Goes on from `at`.
    pub fn start(&mut self, at: Time) {
        self.since.get_or_insert(at);
    }

    /// Stands still from `at`.
    pub fn stop(&mut self, at: Time) {
        if let Some(since) = self.since.take() {
            self.spent = self.spent.plus(at.since(since));
        }
    }

    /// What is spent at `now`.
    pub fn spent(&self, now: Time) -> Span {
        self.spent.plus(self.since.map_or(Span::ZERO, |since| now.since(since)))
    }
}
