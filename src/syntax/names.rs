//! What the names of a runbook stand for.
//!
//! Built before anything else is read, so that a table may name what comes after it.

use std::collections::HashMap;

use super::misfit::Misfit;
use super::nearest::did_you_mean;
use super::node::Fields;
use super::order::Order;
use super::problem::Problem;
use super::site::Spot;
use crate::model::{PhaseId, ProbeId, StepId};

/// Ids by name. Steps stand in the order of the plan: by phase, then as in its sequence, then as in the file.
#[derive(Default)]
pub(super) struct Names<'t> {
    pub(super) steps: HashMap<&'t str, StepId>,
    pub(super) phases: HashMap<&'t str, PhaseId>,
    pub(super) probes: HashMap<&'t str, ProbeId>,
    /// The tables behind the steps.
    pub(super) step_tables: Vec<(&'t str, Fields<'t>)>,
    pub(super) probe_tables: Vec<(&'t str, Fields<'t>)>,
    /// The phases that are listed, with their tables where they have one, and where they are named.
    pub(super) phase_tables: Vec<(&'t str, Option<Fields<'t>>, Spot)>,
}

impl<'t> Names<'t> {
    /// The names of a file, whose steps `order` has put in order.
    pub(super) fn of(order: &Order<'t>, probe_tables: Vec<(&'t str, Fields<'t>)>) -> Self {
        Self {
            steps: order.steps.iter().enumerate().map(|(n, (name, _))| (*name, StepId::at(n))).collect(),
            phases: order.phases.iter().enumerate().map(|(n, (name, ..))| (*name, PhaseId::at(n))).collect(),
            probes: probe_tables.iter().enumerate().map(|(n, (name, _))| (*name, ProbeId::at(n))).collect(),
            step_tables: order.steps.clone(),
            phase_tables: order.phases.clone(),
            probe_tables,
        }
    }

    /// No such step.
    pub(super) fn unknown_step(&self, name: &str, at: miette::SourceSpan) -> Problem {
        let help = did_you_mean(name, self.step_tables.iter().map(|(name, _)| *name));
        unknown("step", name, help, at)
    }
}

/// Nothing has this name.
pub(super) fn unknown(kind: &'static str, name: &str, help: Option<String>, at: miette::SourceSpan) -> Problem {
    if name.ends_with("[*]") {
        return Misfit::NotYet { what: "needing the same item".to_owned(), at }.into();
    }
    Problem::UnknownName { kind, name: name.to_owned(), at, help }
}
