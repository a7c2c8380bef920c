//! A value moved in steps: what is set, and what must be seen before the next one.

use super::{Action, ConditionId, Criterion, Span, Work};

/// Values that are set one after the other; each is confirmed and held, and is a place to go on from.
#[derive(Clone, Debug, PartialEq)]
pub struct Ramp {
    /// At least one.
    pub values: Vec<RampValue>,
    /// The variable that they come from, where they do not stand in the runbook.
    pub from: Option<String>,
    /// Sets a value: a `run`, `http` or `sql` that reads it as `value`. Its timeout is that of one set; the step's bounds
    /// the whole ramp.
    pub set: Box<Work>,
    /// Shows that the value is set. `within` is always set.
    pub confirm: Option<Criterion>,
    /// Must hold in every fresh sample from the set to the end of the hold, at least one.
    pub advance: Vec<Criterion>,
    /// While it holds, the ramp stays where it is.
    pub hold_while: Option<ConditionId>,
}

/// One value of a ramp.
#[derive(Clone, Debug, PartialEq)]
pub struct RampValue {
    /// What is set: a number, a text, or true or false.
    pub value: serde_json::Value,
    /// How long it is held.
    pub hold: Span,
}

impl RampValue {
    /// As people read it.
    pub fn text(&self) -> String {
        match &self.value {
            serde_json::Value::String(text) => text.clone(),
            other => other.to_string(),
        }
    }
}

impl Ramp {
    /// All holds together.
    pub fn holds(&self) -> Span {
        self.values.iter().fold(Span::ZERO, |sum, value| sum.plus(value.hold))
    }
}

impl Work {
    /// Its ramp, where that is what it does.
    pub fn ramp(&self) -> Option<&Ramp> {
        match &self.action {
            Action::Ramp(ramp) => Some(ramp),
            Action::Run(_)
            | Action::Http(_)
            | Action::Sql(_)
            | Action::Wait(_)
            | Action::Gate(_)
            | Action::Manual(_) => None,
        }
    }

    /// What an attempt of it carries out: itself, or what sets a value of its ramp.
    pub fn attempted(&self) -> &Self {
        self.ramp().map_or(self, |ramp| &ramp.set)
    }
}
