//! What the names of one file stand for: of the runbook, or of a part as it is included.

use std::collections::HashMap;

use super::include::{Given, Include, Parameter};
use super::names::Named;
use super::node::{Fields, Node};
use super::order::Order;
use super::probe;
use super::reader::Defaults;
use super::template::{Sight, TemplateNames};
use crate::measure;
use crate::model::{PhaseId, ProbeId, StepId};

/// Ids by the names that a file may use, and what else holds for it alone.
pub(super) struct Scope<'t> {
    pub(super) steps: HashMap<&'t str, StepId>,
    pub(super) probes: HashMap<&'t str, ProbeId>,
    /// None in a part: the runbook says in which phases its steps run.
    pub(super) phases: HashMap<&'t str, PhaseId>,
    pub(super) expressions: measure::Names<'t>,
    pub(super) templates: TemplateNames<'t>,
    pub(super) defaults: Defaults,
    /// Which part it is; `None` for the runbook.
    pub(super) part: Option<&'t Include<'t>>,
}

/// All scopes: the runbook's first, then those of its parts.
pub(super) fn scopes<'t>(
    root: Fields<'t>,
    order: &Order<'t>,
    probes: &[Named<'t>],
    includes: &'t [Include<'t>],
) -> Vec<Scope<'t>> {
    let vars: Vec<(&'t str, Node<'t>)> = root.fields("vars").map(Fields::in_file_order).unwrap_or_default();
    let sights: HashMap<&str, Sight> = vars.iter().map(|(name, node)| (*name, sight(*node))).collect();
    let own_vars =
        |include: &'t Include<'t>| include.added().map(|parameter| (&parameter.name[..], sight(parameter.of)));
    let vars = sights.clone().into_iter().chain(includes.iter().flat_map(own_vars));
    let mut all = vec![scope(root, None, vars.collect(), order, probes)];
    for include in includes {
        let vars = include.parameters.iter().map(|parameter| (parameter.written, sight_in_part(parameter, &sights)));
        all.push(scope(include.file, Some((all.len(), include)), vars.collect(), order, probes));
    }
    let of_baseline = |of: Fields<'t>| {
        let listed = of.list("probes").filter_map(Node::text);
        listed.filter(|name| all[0].expressions.probes.contains_key(name)).collect()
    };
    all[0].expressions.baseline = root.fields("baseline").map(of_baseline);
    all
}

/// `part`: its number among the scopes, and itself.
fn scope<'t>(
    file: Fields<'t>,
    part: Option<(usize, &'t Include<'t>)>,
    vars: Vec<(&'t str, Sight)>,
    order: &Order<'t>,
    probes: &[Named<'t>],
) -> Scope<'t> {
    let number = part.map(|(number, _)| number);
    let step_names = visible(&order.steps, number);
    let probe_names = visible(probes, number);
    let outputs = |of: Fields<'t>| {
        let outputs = of.fields("outputs").map(Fields::in_file_order).unwrap_or_default();
        outputs.into_iter().map(|(name, node)| (name, sight(node))).collect()
    };
    let expressions = measure::Names::new(
        vars.iter().map(|(name, _)| *name).collect(),
        probe_names.iter().map(|(name, id)| (*name, probe::measured(probes[*id].of))).collect(),
        step_names.iter().map(|(name, _)| *name).collect(),
    );
    let templates = TemplateNames {
        vars: vars.into_iter().collect(),
        steps: step_names.iter().map(|(name, id)| (*name, outputs(order.steps[*id].of))).collect(),
        value: false,
    };
    let phases = order.phases.iter().enumerate().filter(|_| part.is_none());
    Scope {
        steps: step_names.into_iter().map(|(name, n)| (name, StepId::at(n))).collect(),
        probes: probe_names.into_iter().map(|(name, n)| (name, ProbeId::at(n))).collect(),
        phases: phases.map(|(n, (name, ..))| (*name, PhaseId::at(n))).collect(),
        expressions,
        templates,
        defaults: Defaults::of(file),
        part: part.map(|(_, include)| include),
    }
}

/// The names by which a file may call some of these, and their places in the list. The runbook may name everything, and
/// what comes from a part by its whole name.
fn visible<'t>(all: &[Named<'t>], part: Option<usize>) -> Vec<(&'t str, usize)> {
    let all = all.iter().enumerate();
    match part {
        None => all.map(|(n, named)| (named.name, n)).collect(),
        Some(part) => all.filter(|(_, of)| of.scope == part).map(|(n, named)| (named.written, n)).collect(),
    }
}

/// Whether a variable or an output may be seen.
pub(super) fn sight(node: Node<'_>) -> Sight {
    let secret = node.fields().and_then(|of| of.flag("secret")) == Some(true);
    if secret { Sight::Secret } else { Sight::Open }
}

/// A variable that is handed on stays secret, whatever the part says of it.
fn sight_in_part(parameter: &Parameter<'_>, of_runbook: &HashMap<&str, Sight>) -> Sight {
    match parameter.given {
        Given::Variable(_) => of_runbook.get(&parameter.name[..]).copied().unwrap_or(Sight::Open),
        Given::Nothing | Given::Value(_) => sight(parameter.of),
    }
}
