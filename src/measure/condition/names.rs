//! Which names exist, and what kind of value each stands for as far as that is known.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::model::{Plan, Probe, ProbeAs, Span};

/// A kind of value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Not known before it is there.
    Any,
    /// `null`.
    Null,
    /// True or false.
    Bool,
    /// A whole or decimal number.
    Number,
    /// Text.
    Text,
    /// A list.
    List,
    /// A map from text to values.
    Map,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Any => "a value",
            Self::Null => "null",
            Self::Bool => "true or false",
            Self::Number => "a number",
            Self::Text => "text",
            Self::List => "a list",
            Self::Map => "a map",
        })
    }
}

impl From<ProbeAs> for Kind {
    fn from(as_: ProbeAs) -> Self {
        match as_ {
            ProbeAs::Number => Self::Number,
            ProbeAs::Text => Self::Text,
            ProbeAs::Bool | ProbeAs::ExitCode => Self::Bool,
            ProbeAs::Json => Self::Any,
        }
    }
}

/// What is known of a probe before it is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Measured {
    /// What it gives.
    pub kind: Kind,
    /// How often.
    pub interval: Span,
    /// How much of its history is kept.
    pub keep: Span,
}

impl Measured {
    /// Anything, as far back as anybody asks: for the texts of a plan, which have been compiled before.
    const UNCHECKED: Self = Self { kind: Kind::Any, interval: Span::ZERO, keep: Span::from_millis(u64::MAX) };

    /// A probe of a plan.
    pub fn of(probe: &Probe) -> Self {
        Self { kind: probe.as_.into(), interval: probe.interval, keep: probe.keep }
    }
}

/// The place an expression stands in: which names it has of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Locals {
    /// None: a criterion, a guard, `when`, `until`.
    None,
    /// `expect` of `run`: `stdout`, `stderr`, `exit`.
    Run,
    /// `expect` of `http`: `status`, `headers`, `body`, `json`.
    Http,
    /// `expect` of `sql`: `row`, `rows`.
    Sql,
    /// What a ramp goes by: `value`, the present one.
    Ramp,
    /// All of them: for a plan whose texts have been checked.
    All,
}

const RUN: &[(&str, Kind)] = &[("stdout", Kind::Text), ("stderr", Kind::Text), ("exit", Kind::Number)];
const HTTP: &[(&str, Kind)] =
    &[("status", Kind::Number), ("headers", Kind::Map), ("body", Kind::Text), ("json", Kind::Any)];
const RAMP: &[(&str, Kind)] = &[("value", Kind::Any)];
const SQL: &[(&str, Kind)] = &[("row", Kind::Map), ("rows", Kind::Number)];

impl Locals {
    /// Whether what stands there is judged by samples, and their history is at hand.
    pub(super) const fn has_history(self) -> bool {
        match self {
            Self::None | Self::Ramp | Self::All => true,
            Self::Run | Self::Http | Self::Sql => false,
        }
    }

    /// Its names.
    pub(super) fn names(self) -> impl Iterator<Item = (&'static str, Kind)> {
        let groups: &[&[(&str, Kind)]] = match self {
            Self::None => &[],
            Self::Run => &[RUN],
            Self::Http => &[HTTP],
            Self::Sql => &[SQL],
            Self::Ramp => &[RAMP],
            Self::All => &[RUN, HTTP, SQL, RAMP],
        };
        groups.iter().copied().flatten().copied()
    }
}

/// The names of a runbook that its expressions may use.
#[derive(Clone, Debug, Default)]
pub struct Names<'a> {
    /// `vars.<name>`.
    pub vars: BTreeSet<&'a str>,
    /// `probe.<name>` and `series.<name>`, with what is known of them.
    pub probes: BTreeMap<&'a str, Measured>,
    /// `steps.<name>`.
    pub steps: BTreeSet<&'a str>,
    /// `baseline.<name>`; `None` where the runbook has none.
    pub baseline: Option<BTreeSet<&'a str>>,
    /// Every name exists: the text has been compiled before.
    unchecked: bool,
}

impl<'a> Names<'a> {
    /// These names.
    pub fn new(vars: BTreeSet<&'a str>, probes: BTreeMap<&'a str, Measured>, steps: BTreeSet<&'a str>) -> Self {
        Self { vars, probes, steps, baseline: None, unchecked: false }
    }

    /// Any name: for the texts of a plan, which have been compiled before.
    pub(crate) const fn unchecked() -> Self {
        Self { vars: BTreeSet::new(), probes: BTreeMap::new(), steps: BTreeSet::new(), baseline: None, unchecked: true }
    }

    pub(super) fn has_var(&self, name: &str) -> bool {
        self.unchecked || self.vars.contains(name)
    }

    pub(super) fn measured(&self, name: &str) -> Option<Measured> {
        if self.unchecked { Some(Measured::UNCHECKED) } else { self.probes.get(name).copied() }
    }

    pub(super) fn has_step(&self, name: &str) -> bool {
        self.unchecked || self.steps.contains(name)
    }

    pub(super) fn has_baseline(&self, name: &str) -> bool {
        self.unchecked || self.baseline.as_ref().is_some_and(|names| names.contains(name))
    }

    /// The names of a plan.
    pub fn of(plan: &'a Plan) -> Self {
        Self {
            vars: plan.vars().iter().map(|var| var.name.as_str()).collect(),
            probes: plan.probes().iter().map(|probe| (probe.name.as_str(), Measured::of(probe))).collect(),
            steps: plan.steps().iter().map(|step| step.name.as_str()).collect(),
            baseline: plan
                .baseline()
                .map(|baseline| baseline.probes.iter().map(|id| plan.probe(*id).name.as_str()).collect()),
            unchecked: false,
        }
    }
}

/// The candidate nearest to a name, if one is near enough to be meant.
pub(crate) fn nearest<'n>(name: &str, candidates: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    let longest = (name.chars().count() / 3).max(1);
    candidates
        .into_iter()
        .filter(|candidate| candidate.len().abs_diff(name.len()) <= longest * 4)
        .map(|candidate| (distance(name, candidate), candidate))
        .filter(|(distance, _)| *distance <= longest)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// How many letters must be changed, added, left out or swapped with their neighbour (Damerau and Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows: Vec<Vec<usize>> = vec![(0..=b.len()).collect()];
    for (i, &x) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, &y) in b.iter().enumerate() {
            let mut best = (rows[i][j] + usize::from(x != y)).min(row[j] + 1).min(rows[i][j + 1] + 1);
            if i > 0 && j > 0 && x == b[j - 1] && a[i - 1] == y {
                best = best.min(rows[i - 1][j - 1] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}
