//! Lengths of time and moments of a run, in whole milliseconds.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A length of time in milliseconds. As text: `250ms`, `30s`, `5m`, `1h30m`, `7d`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Span(u64);

impl Span {
    /// No time at all.
    pub const ZERO: Self = Self(0);
    /// Longer than anything.
    pub const MAX: Self = Self(u64::MAX);

    /// A span of that many milliseconds.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// A span of that many seconds.
    pub const fn from_secs(secs: u64) -> Self {
        Self(secs.saturating_mul(1000))
    }

    /// The milliseconds.
    pub const fn millis(self) -> u64 {
        self.0
    }

    /// For the libraries that wait.
    pub const fn duration(self) -> Duration {
        Duration::from_millis(self.0)
    }

    /// The sum; never wraps.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// `self` that many times; never wraps.
    #[must_use]
    pub const fn times(self, count: u64) -> Self {
        Self(self.0.saturating_mul(count))
    }

    /// What is left after `other`; never below zero.
    #[must_use]
    pub const fn minus(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// Reads `250ms`, `30s`, `5m`, `1h30m`, `7d`. `None` for anything else, `""` and `5` among it.
    pub fn parse(text: &str) -> Option<Self> {
        let mut rest = text;
        let mut total: u64 = 0;
        let mut unit_before = u64::MAX;
        while !rest.is_empty() {
            let digits = rest.find(|c: char| !c.is_ascii_digit())?;
            let number: u64 = rest[..digits].parse().ok()?;
            rest = &rest[digits..];
            let letters = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
            let unit = match &rest[..letters] {
                "ms" => 1,
                "s" => 1000,
                "m" => 60_000,
                "h" => 3_600_000,
                "d" => 86_400_000,
                _ => return None,
            };
            if unit >= unit_before {
                return None;
            }
            unit_before = unit;
            total = total.checked_add(number.checked_mul(unit)?)?;
            rest = &rest[letters..];
        }
        (unit_before != u64::MAX).then_some(Self(total))
    }

    /// As it stands in a runbook: `1h30m`, `1s500ms`.
    pub fn written(self) -> String {
        let mut rest = self.0;
        let mut text = String::new();
        for (unit, letters) in [(86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1000, "s"), (1, "ms")] {
            if rest >= unit {
                text += &(rest / unit).to_string();
                text += letters;
                rest %= unit;
            }
        }
        if text.is_empty() { "0s".to_owned() } else { text }
    }
}

impl From<Duration> for Span {
    fn from(duration: Duration) -> Self {
        Self(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
    }
}

/// As a person reads it: at most two units, `1h 30m`, `2m 10s`, `1.5s`, `250ms`.
impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = self.0;
        let pair = |f: &mut fmt::Formatter<'_>, big: u64, big_unit: &str, small: u64, small_unit: &str| {
            if small == 0 { write!(f, "{big}{big_unit}") } else { write!(f, "{big}{big_unit} {small}{small_unit}") }
        };
        match ms {
            u64::MAX => f.write_str("for ever"),
            0..1000 => write!(f, "{ms}ms"),
            1000..60_000 if ms.is_multiple_of(1000) => write!(f, "{}s", ms / 1000),
            1000..60_000 => write!(f, "{}.{}s", ms / 1000, ms % 1000 / 100),
            60_000..3_600_000 => pair(f, ms / 60_000, "m", ms % 60_000 / 1000, "s"),
            3_600_000..86_400_000 => pair(f, ms / 3_600_000, "h", ms % 3_600_000 / 60_000, "m"),
            _ => pair(f, ms / 86_400_000, "d", ms % 86_400_000 / 3_600_000, "h"),
        }
    }
}

/// Milliseconds since the run began, downtime included (R25). Moves forward only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Time(u64);

impl Time {
    /// The moment the run began.
    pub const ZERO: Self = Self(0);

    /// That many milliseconds after the run began.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the run began.
    pub const fn millis(self) -> u64 {
        self.0
    }

    /// The moment `span` later; never wraps.
    #[must_use]
    pub const fn after(self, span: Span) -> Self {
        Self(self.0.saturating_add(span.0))
    }

    /// How long after `earlier` this is; zero if it is not after it.
    pub const fn since(self, earlier: Self) -> Span {
        Span(self.0.saturating_sub(earlier.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_reads_what_the_format_says_and_nothing_else() {
        let good =
            [("250ms", 250), ("30s", 30_000), ("5m", 300_000), ("1h30m", 5_400_000), ("7d", 604_800_000), ("0s", 0)];
        for (text, millis) in good {
            assert_eq!(Span::parse(text), Some(Span::from_millis(millis)), "{text}");
        }
        for text in ["", "5", "s", "5 s", "1.5s", "-1s", "30m1h", "1s1s", "99999999999999999999s", "5µs"] {
            assert_eq!(Span::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_span_as_written_is_read_back() {
        for (millis, text) in [(0, "0s"), (1500, "1s500ms"), (5_400_000, "1h30m"), (694_861_001, "8d1h1m1s1ms")] {
            assert_eq!(Span::from_millis(millis).written(), text);
            assert_eq!(Span::parse(text), Some(Span::from_millis(millis)));
        }
    }

    #[test]
    fn a_span_is_shown_in_at_most_two_units() {
        let shown =
            [(0, "0ms"), (250, "250ms"), (1500, "1.5s"), (30_000, "30s"), (130_000, "2m 10s"), (5_400_000, "1h 30m")];
        for (millis, text) in shown {
            assert_eq!(Span::from_millis(millis).to_string(), text);
        }
    }
}
