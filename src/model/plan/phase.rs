//! A phase, and when it may run.

use super::Policy;
use crate::model::{Criterion, PhaseId, Span, StepId};

/// A phase: an ordered group of steps with bounds and criteria of its own.
#[derive(Clone, Debug, PartialEq)]
pub struct Phase {
    /// Its name.
    pub name: String,
    /// One line.
    pub summary: Option<String>,
    /// Phases that must have ended before it: the one before it unless it says otherwise.
    pub needs: Vec<PhaseId>,
    /// Machine time from its first step to its criteria (R2a).
    pub timeout: Option<Span>,
    /// When it may run.
    pub window: Option<Window>,
    /// Before its first step.
    pub require: Vec<Criterion>,
    /// After its last step. `within` is always set.
    pub success: Vec<Criterion>,
    /// For its criteria, its timeout, and its steps that do not say.
    pub on_failure: Policy,
    /// A measured interruption.
    pub interrupts: Option<Interrupts>,
    /// Its steps, in file order.
    pub steps: Vec<StepId>,
}

/// From the first attempt of one step to the end of the criteria of another, something is interrupted: measured in ms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interrupts {
    /// What: `writes`.
    pub what: String,
    /// From this step's first attempt.
    pub from: StepId,
    /// To the end of this step's criteria.
    pub to: StepId,
}

/// Calendar time in which a phase may run (R26).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    /// `Sat 01:00-05:00`, `Mon-Fri 22:00-02:00`, `daily 01:00-03:00`; proved at `check`.
    pub open: Vec<String>,
    /// IANA name of the time zone.
    pub zone: String,
    /// What happens when it closes while the phase runs.
    pub on_close: OnClose,
}

/// What happens when a window closes while its phase runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnClose {
    /// The phase goes on, loudly.
    Finish,
    /// The run pauses.
    Pause,
    /// The run goes back to the start.
    Rollback,
}
