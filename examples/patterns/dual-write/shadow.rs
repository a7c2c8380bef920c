//! What the service has seen when it held one store's answers against the other's.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};

/// The stretch that `mismatches` sums up.
const LATELY: Duration = Duration::from_secs(2);

#[derive(Default)]
pub(crate) struct Shadow {
    compared: u64,
    mismatches: u64,
    lately: VecDeque<Instant>,
}

impl Shadow {
    /// Both were asked and gave answers of one moment.
    pub(crate) fn compared(&mut self, same: Same) {
        self.compared += 1;
        if same == Same::No {
            self.mismatches += 1;
            self.lately.push_back(Instant::now());
        }
    }

    pub(crate) fn figures(&mut self) -> Map<String, Value> {
        let now = Instant::now();
        while self.lately.front().is_some_and(|&at| now - at > LATELY) {
            self.lately.pop_front();
        }
        let figures = json!({
            "compared": self.compared,
            "mismatches": self.lately.len(),
            "mismatches_in_all": self.mismatches,
        });
        let Value::Object(figures) = figures else { unreachable!("written as an object") };
        figures
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Same {
    Yes,
    No,
}
