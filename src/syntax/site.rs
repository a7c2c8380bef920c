//! Where the things of a plan stand in the text of their runbook.
//!
//! A proof speaks of ids; a person wants the line. This is the way from one to the other. It knows no rule.

use miette::SourceSpan;

use crate::model::{ConditionId, GuardId, PhaseId, ProbeId, StepId};

/// Something of a runbook that a problem can point at: a thing and one of its keys, `""` for the thing itself (its name).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Site {
    /// `[runbook]`.
    Runbook(&'static str),
    /// `[phase.x]`.
    Phase(PhaseId, &'static str),
    /// `[step.x]`; the keys of its action (`expires` of a gate) count as its own.
    Step(StepId, &'static str),
    /// The n-th action of a step's undo, from 0.
    Undo(StepId, u16, &'static str),
    /// `[guard.x]`.
    Guard(GuardId, &'static str),
    /// `[baseline]`.
    Baseline(&'static str),
    /// `[probe.x]`.
    Probe(ProbeId, &'static str),
    /// The n-th `[[preflight]]`, from 0.
    Preflight(u16),
    /// The n-th variable of `[vars]`, from 0.
    Var(u32),
    /// An expression, where it stands first.
    Condition(ConditionId),
}

/// One thing of the text: its name, and its keys in no particular order.
#[derive(Clone, Debug, Default)]
pub(super) struct Place {
    pub(super) itself: Spot,
    pub(super) keys: Box<[(&'static str, Spot)]>,
}

impl Place {
    fn has(&self, key: &str) -> bool {
        self.keys.iter().any(|(name, _)| *name == key)
    }

    fn of(&self, key: &str) -> Spot {
        self.keys.iter().find(|(name, _)| *name == key).map_or(self.itself, |(_, spot)| *spot)
    }
}

/// A range of bytes of the text; half the size of a [`SourceSpan`], for there are many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Spot {
    start: u32,
    len: u32,
}

impl Spot {
    pub(super) fn new(range: &std::ops::Range<usize>) -> Self {
        let fit = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Self { start: fit(range.start), len: fit(range.end.saturating_sub(range.start)) }
    }

    pub(super) fn start(self) -> u32 {
        self.start
    }

    pub(super) fn span(self) -> SourceSpan {
        (self.start as usize, self.len as usize).into()
    }
}

/// Where everything of a runbook stands in its text.
#[derive(Clone, Debug, Default)]
pub struct Places {
    pub(super) runbook: Place,
    pub(super) phases: Vec<Place>,
    pub(super) steps: Vec<Place>,
    /// By step; empty where a step has no undo of its own.
    pub(super) undos: Vec<Vec<Place>>,
    pub(super) guards: Vec<Place>,
    pub(super) baseline: Place,
    pub(super) probes: Vec<Place>,
    pub(super) preflight: Vec<Spot>,
    pub(super) vars: Vec<Spot>,
    pub(super) conditions: Vec<Spot>,
}

impl Places {
    /// Where it stands: the value of a key if that fits on a line, else the key; the name of the thing where it does not
    /// have the key; the start of the text where it is unknown.
    pub fn of(&self, site: Site) -> SourceSpan {
        let keyed = |list: &[Place], index: usize, key| list.get(index).map(|place| place.of(key));
        let spot = match site {
            Site::Runbook(key) => Some(self.runbook.of(key)),
            Site::Phase(id, key) => keyed(&self.phases, id.index(), key),
            Site::Step(id, key) => keyed(&self.steps, id.index(), key),
            Site::Undo(id, n, key) => self
                .undos
                .get(id.index())
                .and_then(|undos| keyed(undos, n as usize, key))
                .or_else(|| keyed(&self.steps, id.index(), "undo")),
            Site::Guard(id, key) => keyed(&self.guards, id.index(), key),
            Site::Baseline(key) => Some(self.baseline.of(key)),
            Site::Probe(id, key) => keyed(&self.probes, id.index(), key),
            Site::Preflight(n) => self.preflight.get(n as usize).copied(),
            Site::Var(n) => self.vars.get(n as usize).copied(),
            Site::Condition(id) => self.conditions.get(id.index()).copied(),
        };
        spot.unwrap_or_default().span()
    }

    /// Whether the text has that key.
    pub fn has(&self, site: Site) -> bool {
        let keyed = |list: &[Place], index: usize, key| list.get(index).is_some_and(|place| place.has(key));
        match site {
            Site::Runbook(key) => self.runbook.has(key),
            Site::Phase(id, key) => keyed(&self.phases, id.index(), key),
            Site::Step(id, key) => keyed(&self.steps, id.index(), key),
            Site::Undo(id, n, key) => self.undos.get(id.index()).is_some_and(|undos| keyed(undos, n as usize, key)),
            Site::Guard(id, key) => keyed(&self.guards, id.index(), key),
            Site::Baseline(key) => self.baseline.has(key),
            Site::Probe(id, key) => keyed(&self.probes, id.index(), key),
            Site::Preflight(n) => (n as usize) < self.preflight.len(),
            Site::Var(n) => (n as usize) < self.vars.len(),
            Site::Condition(id) => id.index() < self.conditions.len(),
        }
    }
}
