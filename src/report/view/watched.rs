//! Probes and guards at one moment.

use serde_json::Value as Json;

use crate::model::{Spend, Summary, Time, shown_json};

/// A probe at this moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbeView {
    /// Its name.
    pub name: String,
    /// Its unit.
    pub unit: Option<String>,
    /// Its latest sample, if it has been asked.
    pub reading: Option<Reading>,
    /// Whether it is asked at present.
    pub polled: bool,
    /// What it gave before the run changed anything.
    pub before: Option<Summary>,
}

/// One sample.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// Its value; `None`: no data.
    pub value: Option<Json>,
    /// When it was asked for.
    pub at: Time,
    /// Since when every condition over it has held, where there is one and it does.
    pub good_since: Option<Time>,
}

impl Reading {
    /// Its value as people read it.
    pub fn shown(&self) -> Option<String> {
        self.value.as_ref().map(|value| value.as_str().map_or_else(|| shown_json(value), str::to_owned))
    }

    /// Its value as text with all its digits, for programs.
    pub fn text(&self) -> Option<String> {
        self.value.as_ref().map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned))
    }
}

/// A guard at this moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GuardView {
    /// Its name.
    pub name: String,
    /// What must hold, or is allowed.
    pub rule: String,
    /// So many failing samples are a breach...
    pub failures: u32,
    /// ...among so many.
    pub of: u32,
    /// Whether its whole scope is the run.
    pub everywhere: bool,
    /// How it is.
    pub health: Health,
    /// Whether it warns.
    pub warning: Warning,
    /// What a budget has spent, as far as that is known; `None` for a guard, too.
    pub spend: Option<Spend>,
    /// When it was last woken.
    pub awake_since: Time,
}

/// Whether a guard warns: apart from how near it is to a breach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Warning {
    /// It does not.
    None,
    /// It has, and has not said that it is well again.
    Given,
}

/// How a guard is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// Not watched here.
    Asleep,
    /// Watched, and has not been judged yet.
    Waking,
    /// Its last sample had no data, which does not count as failing.
    NoData,
    /// Holds.
    Healthy,
    /// So many of its last samples failed, not yet a breach.
    Failing(u32),
    /// Breached.
    Breached,
    /// Gets no data.
    Blind,
}
