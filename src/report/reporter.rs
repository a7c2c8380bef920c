//! What a driver hands to whoever tells people, and nothing of how it is told.

use jiff::Timestamp;

use super::View;
use crate::engine::Notice;
use crate::model::Time;

/// A notice with all that the engine does not know about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// When, in the run's own time.
    pub at: Time,
    /// When, on the calendar.
    pub wall: Timestamp,
    /// What.
    pub notice: Notice,
    /// The details, for people; masked, but otherwise as they came.
    pub evidence: Option<String>,
    /// Who asked for it, where a person did.
    pub who: Option<String>,
}

/// Brings news to a reader. A reader that went away must not take the operation with it: nothing here fails.
pub trait Reporter {
    /// This happened. It is shown at the latest with the next `refresh`, `suspend` or `finish`.
    fn tell(&mut self, told: &Told);

    /// This is how things stand now; called every 100 to 250 ms.
    fn refresh(&mut self, view: &View);

    /// Somebody else needs the screen (a prompt): leave it clean, and keep off it until `resume`.
    fn suspend(&mut self);

    /// The screen is free again.
    fn resume(&mut self);

    /// The run, or our part in it, is over: tell what is left and leave the screen clean.
    fn finish(&mut self);
}
