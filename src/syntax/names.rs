//! The things of a runbook that have a name, its own and those of its parts.
//!
//! Built before anything else is read, so that a table may name what comes after it.

use super::misfit::Misfit;
use super::node::Fields;
use super::order::Order;
use super::problem::Problem;
use super::site::Spot;

/// A table with a name: a step, a probe, a guard.
#[derive(Clone, Copy)]
pub(super) struct Named<'t> {
    /// In the plan.
    pub(super) name: &'t str,
    /// In its file.
    pub(super) written: &'t str,
    pub(super) of: Fields<'t>,
    /// The number of the scope that its texts are read in.
    pub(super) scope: usize,
}

/// Tables by id. Steps stand in the order of the plan: by phase, then as in its sequence, then as in the file.
#[derive(Default)]
pub(super) struct Names<'t> {
    pub(super) steps: Vec<Named<'t>>,
    pub(super) probes: Vec<Named<'t>>,
    /// The phases that are listed, with their tables where they have one, and where they are named.
    pub(super) phases: Vec<(&'t str, Option<Fields<'t>>, Spot)>,
}

impl<'t> Names<'t> {
    /// The names of a file, whose steps `order` has put in order.
    pub(super) fn of(order: &Order<'t>, probes: Vec<Named<'t>>) -> Self {
        Self { steps: order.steps.clone(), probes, phases: order.phases.clone() }
    }
}

/// Nothing has this name.
pub(super) fn unknown(kind: &'static str, name: &str, help: Option<String>, at: miette::SourceSpan) -> Problem {
    if name.ends_with("[*]") {
        return Misfit::NotYet { what: "needing the same item".to_owned(), at }.into();
    }
    Problem::UnknownName { kind, name: name.to_owned(), at, help }
}
