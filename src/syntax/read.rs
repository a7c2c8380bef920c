//! From text to plan: shape, names, every table, the graph.

use std::collections::BTreeMap;

use toml::de::DeTable;

use super::expressions::Expressions;
use super::misfit::Misfit;
use super::names::Names;
use super::node::{Fields, Node};
use super::order::{Order, tables_of};
use super::problem::Problem;
use super::ramp::KnownVars;
use super::reader::{Defaults, Patience, Reader};
use super::site::{Place, Places, Spot};
use super::step::Standing;
use super::template::{Sight, TemplateNames};
use super::{Finding, probe, prove, relations, shape, spec, tables};
use crate::model::{Bounds, Draft, Guard, GuardId, Phase, PhaseId, Plan, Policy, Rollback, Step, StepId, Value};

/// What a text is worth: a plan, or what is wrong with it.
#[derive(Debug)]
pub struct Reading {
    /// There exactly if no problem is an error.
    pub plan: Option<Plan>,
    /// Errors and warnings, by place.
    pub problems: Vec<Problem>,
    /// Where everything stands.
    pub places: Places,
}

/// Reads a runbook, and says everything that is wrong with it.
pub fn read(text: &str) -> Reading {
    read_given(text, &BTreeMap::new())
}

/// The same for a run whose variables have these values: the plan of a ramp depends on them.
pub fn read_given(text: &str, vars: &BTreeMap<String, Value>) -> Reading {
    let mut reading = understand(text, vars);
    if let Some(plan) = &reading.plan {
        // Where an expression is broken, nobody knows what it would have read.
        let broken = reading.problems.iter().any(Problem::is_error);
        let findings = prove(plan, &Bounds::of(plan), &reading.places).into_iter();
        let findings = findings.filter(|finding| !(broken && matches!(finding, Finding::UnusedProbe { .. })));
        reading.problems.extend(findings.map(Problem::from));
    }
    settled(reading)
}

/// The same with nothing proved of the plan.
#[cfg(test)]
pub(super) fn read_unproved(text: &str) -> Reading {
    settled(understand(text, &BTreeMap::new()))
}

/// In order, and without a plan where something is an error.
fn settled(mut reading: Reading) -> Reading {
    sort(&mut reading.problems);
    reading.plan = reading.plan.filter(|_| !reading.problems.iter().any(Problem::is_error));
    reading
}

/// What the text says by itself; the plan is there wherever its graph is one.
fn understand(text: &str, vars: &BTreeMap<String, Value>) -> Reading {
    let (file, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        return Reading { plan: None, problems: no_toml(text, file.get_ref(), &errors), places: Places::default() };
    }
    let mut problems = Vec::new();
    shape::check(&tables::FILE, file.get_ref(), &mut problems);
    let root = Fields::new(file.get_ref(), Spot::default(), (0, 0));
    if !root.has("format") {
        problems.push(Problem::FormatMissing { at: (0, 0).into() });
    }
    let (draft, places, reader) = Document { root, text, given: vars }.draft(problems);
    let Reader { mut problems, claims, names, .. } = reader;
    if draft.steps.is_empty() {
        problems.push(Problem::NoSteps { at: (0, 0).into() });
    }
    relations::undo_pairs(&draft.steps, &places, &mut problems);
    let plan = match Plan::new(draft) {
        Ok(plan) => {
            relations::check(&plan, &claims, &places, &mut problems);
            Some(plan)
        }
        Err(error) => {
            problems.push(relations::circle(&error, &places, |name| names.steps.get(name).copied()));
            None
        }
    };
    Reading { plan, problems, places }
}

fn sort(problems: &mut Vec<Problem>) {
    problems.sort_by_cached_key(|problem| (problem.at().offset(), !problem.is_error()));
    problems.dedup();
}

/// A text that is no TOML: what its parser says, and what is wrong with the keys and values of other lines. What is not
/// there may stand where the parser lost its way, so nothing is said of that.
fn no_toml(text: &str, file: &DeTable<'_>, errors: &[toml::de::Error]) -> Vec<Problem> {
    let mut problems = Vec::new();
    shape::check(&tables::FILE, file, &mut problems);
    let line = |at: usize| text.get(..at).unwrap_or(text).matches('\n').count();
    let broken: Vec<usize> = errors.iter().filter_map(toml::de::Error::span).map(|range| line(range.start)).collect();
    problems.truncate(1000);
    problems.retain(|problem| match problem {
        Problem::Misfit(
            Misfit::UnknownKey { .. }
            | Misfit::WrongType { .. }
            | Misfit::OutOfRange { .. }
            | Misfit::UnknownWord { .. }
            | Misfit::BadName { .. }
            | Misfit::BadDuration { .. }
            | Misfit::FormatUnknown { .. },
        ) => !broken.contains(&line(problem.at().offset())),
        _ => false,
    });
    let mut before = None;
    for error in errors {
        let range = error.span().unwrap_or(0..0);
        // What follows on the same and the next lines is most often what the first mistake left behind.
        let here = line(range.start);
        let follows = before.is_some_and(|before| here <= before + 1);
        before = Some(here);
        if !follows {
            // A place behind the end cannot be shown.
            let start = range.start.min(text.len());
            let at = (start, range.end.clamp(start, text.len()) - start).into();
            problems.push(Problem::NotToml { reason: error.message().replace('\n', ", "), at });
        }
    }
    sort(&mut problems);
    problems
}

/// A file with the right shape, or one whose shape has its problems.
struct Document<'t> {
    root: Fields<'t>,
    text: &'t str,
    /// What variables are worth in the run that it is read for.
    given: &'t BTreeMap<String, Value>,
}

impl<'t> Document<'t> {
    /// Reads everything, in the order in which things need each other.
    fn draft(&self, mut problems: Vec<Problem>) -> (Draft, Places, Reader<'t>) {
        let root = self.root;
        let order = Order::of(root, &mut problems);
        let probe_tables = tables_of(root, "probe");
        let names = Names::of(&order, probe_tables.clone());
        let mut reader = Reader {
            source: self.text,
            expressions: Expressions::default(),
            template_names: TemplateNames::default(),
            names,
            defaults: Defaults::of(root),
            known_vars: KnownVars::of(&[], self.given),
            probes: Vec::with_capacity(probe_tables.len()),
            claims: Vec::new(),
            problems,
        };
        let vars = reader.vars(root);
        reader.known_vars = KnownVars::of(&vars, self.given);
        self.declare(&mut reader, &probe_tables);
        for (name, of) in &probe_tables {
            let probe = reader.read_probe(name, *of);
            reader.probes.push(probe);
        }
        let about = reader
            .about(root.fields("runbook").unwrap_or_else(|| Fields::new(root.table, Spot::default(), root.range)));
        let preflight =
            root.list("preflight").filter_map(|node| reader.criterion(node, Patience::None)).collect::<Vec<_>>();
        let Order { steps, phases, phase_of, needs } = order;
        let phases = read_phases(&mut reader, &phases, &phase_of);
        let steps = read_steps(&mut reader, &steps, &phase_of, needs, &phases);
        let guards = read_guards(&mut reader, root);
        let baseline = root.fields("baseline").map(|of| reader.baseline(of));
        let places = self.places(&reader);
        let conditions = std::mem::take(&mut reader.expressions.conditions);
        let probes = std::mem::take(&mut reader.probes);
        (Draft { about, vars, preflight, probes, conditions, guards, baseline, phases, steps }, places, reader)
    }

    /// Tells expressions and templates which names there are.
    fn declare(&self, reader: &mut Reader<'t>, probes: &[(&'t str, Fields<'t>)]) {
        let vars = self.root.fields("vars").map(Fields::in_file_order).unwrap_or_default();
        let names = &mut reader.expressions.names;
        names.vars = vars.iter().map(|(name, _)| *name).collect();
        names.probes = probes.iter().map(|(name, of)| (*name, probe::measured(*of))).collect();
        names.steps = reader.names.step_tables.iter().map(|(name, _)| *name).collect();
        let of_baseline = |of: Fields<'t>| {
            let listed = of.list("probes").filter_map(Node::text);
            listed.filter(|name| names.probes.contains_key(name)).collect()
        };
        names.baseline = self.root.fields("baseline").map(of_baseline);
        reader.template_names.vars = vars.iter().map(|(name, node)| (*name, sight(*node))).collect();
        let outputs = |of: Fields<'t>| {
            let outputs = of.fields("outputs").map(Fields::in_file_order).unwrap_or_default();
            outputs.into_iter().map(|(name, node)| (name, sight(node))).collect()
        };
        reader.template_names.steps = reader.names.step_tables.iter().map(|(name, of)| (*name, outputs(*of))).collect();
    }

    /// Where everything stands.
    fn places(&self, reader: &Reader<'t>) -> Places {
        let (root, text) = (self.root, self.text);
        let things = |tables: &[(&'t str, Fields<'t>)], spec| -> Vec<Place> {
            tables.iter().map(|(_, of)| of.place(spec, text)).collect()
        };
        let undos = |of: Fields<'t>| -> Vec<Place> {
            let Some(node) = of.get("undo") else { return Vec::new() };
            let list = node.list().map_or_else(|| vec![node], Iterator::collect);
            list.into_iter().filter_map(Node::fields).map(|undo| action_place(undo, &tables::UNDO, text)).collect()
        };
        let vars = root.fields("vars").map(Fields::in_file_order).unwrap_or_default();
        Places {
            runbook: root.fields("runbook").map(|of| of.place(&tables::RUNBOOK, text)).unwrap_or_default(),
            phases: reader
                .names
                .phase_tables
                .iter()
                .map(|(_, of, listed_at)| match of {
                    Some(of) => of.place(&tables::PHASE, text),
                    None => Place { itself: *listed_at, keys: Box::default() },
                })
                .collect(),
            steps: reader.names.step_tables.iter().map(|(_, of)| action_place(*of, &tables::STEP, text)).collect(),
            undos: reader.names.step_tables.iter().map(|(_, of)| undos(*of)).collect(),
            guards: [("guard", &tables::GUARD), ("budget", &tables::BUDGET)]
                .into_iter()
                .flat_map(|(key, table)| things(&tables_of(root, key), table))
                .collect(),
            baseline: root.fields("baseline").map(|of| of.place(&tables::BASELINE, text)).unwrap_or_default(),
            probes: things(&reader.names.probe_tables, &tables::PROBE),
            preflight: root.list("preflight").map(|node| node.key_at).collect(),
            vars: vars.iter().map(|(_, node)| node.key_at).collect(),
            conditions: reader.expressions.places.clone(),
        }
    }
}

/// Guards, and behind them the budgets, which are guards to all but whoever counts.
fn read_guards<'t>(reader: &mut Reader<'t>, root: Fields<'t>) -> Vec<Guard> {
    let (watched, budgets) = (tables_of(root, "guard"), tables_of(root, "budget"));
    for (name, of) in &budgets {
        if let Some((_, guard)) = watched.iter().find(|(other, _)| other == name) {
            let (name, at, also) = ((*name).to_owned(), of.at(), guard.at());
            reader.problem(Problem::NameTaken { name, first: "budget", second: "guard", at, also });
        }
    }
    let mut guards: Vec<Guard> = Vec::with_capacity(watched.len() + budgets.len());
    for (name, of) in watched {
        guards.push(reader.guard(GuardId::at(guards.len()), name, of));
    }
    for (name, of) in budgets {
        guards.push(reader.budget(GuardId::at(guards.len()), name, of));
    }
    guards
}

/// Whether a variable or an output may be seen.
fn sight(node: Node<'_>) -> Sight {
    let secret = node.fields().and_then(|of| of.flag("secret")) == Some(true);
    if secret { Sight::Secret } else { Sight::Open }
}

/// The place of a step or an undo: its own keys first, then those of its action.
fn action_place(of: Fields<'_>, spec: &'static spec::Table, text: &str) -> Place {
    let mut keys = Vec::with_capacity(of.table.len());
    of.push_keys(spec, text, &mut keys);
    for (key, spec) in tables::ACTIONS {
        if let Some(action) = of.fields(key) {
            action.push_keys(spec, text, &mut keys);
        }
    }
    Place { itself: of.named_at, keys: keys.into_boxed_slice() }
}

fn read_phases<'t>(
    reader: &mut Reader<'t>,
    phases: &[(&'t str, Option<Fields<'t>>, Spot)],
    phase_of: &[Option<PhaseId>],
) -> Vec<Phase> {
    let mut steps: Vec<Vec<StepId>> = vec![Vec::new(); phases.len()];
    for (n, phase) in phase_of.iter().enumerate() {
        if let Some(phase) = phase {
            steps[phase.index()].push(StepId::at(n));
        }
    }
    let all = phases.iter().zip(steps).enumerate();
    all.map(|(n, ((name, of, at), steps))| reader.read_phase(PhaseId::at(n), name, *of, *at, steps)).collect()
}

fn read_steps<'t>(
    reader: &mut Reader<'t>,
    steps: &[(&'t str, Fields<'t>)],
    phase_of: &[Option<PhaseId>],
    needs: Vec<Vec<StepId>>,
    phases: &[Phase],
) -> Vec<Step> {
    let to_start = Policy::Rollback(Rollback::TO_START);
    let all = steps.iter().zip(phase_of).zip(needs).enumerate();
    all.map(|(n, (((name, of), phase), needs))| {
        let on_failure = phase.map_or(&to_start, |id| &phases[id.index()].on_failure);
        let standing = Standing { phase: *phase, needs, on_failure };
        // One name for two places would leave it open where `rollback_to` leads.
        if let Some(phase) = reader.names.phases.get(name) {
            let (_, table, listed_at) = reader.names.phase_tables[phase.index()];
            let also = table.map_or_else(|| listed_at.span(), Fields::at);
            reader.problem(Problem::NameTaken {
                name: (*name).to_owned(),
                first: "step",
                second: "phase",
                at: of.at(),
                also,
            });
        }
        reader.read_step(StepId::at(n), name, *of, standing)
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reference_runbook_has_no_finding_but_keys_that_are_not_supported_yet() {
        let text = include_str!("../../examples/reference.toml");
        let reading = read(text);
        let line = |problem: &Problem| text[..problem.at().offset()].lines().count();
        let all: Vec<String> = reading.problems.iter().map(|problem| format!("{}: {problem}", line(problem))).collect();
        insta::assert_snapshot!(all.join("\n"), @r"
        38: `state` is not supported yet
        43: `state` is not supported yet
        107: `sets` is not supported yet
        109: `sets` is not supported yet
        116: `sets` is not supported yet
        123: `sets` is not supported yet
        139: `state` is not supported yet
        143: `never` is not supported yet
        147: `notify` is not supported yet
        ");
    }

    #[test]
    fn the_examples_are_plans() {
        for text in [
            include_str!("../../examples/quickstart/migrate.toml"),
            include_str!("../../examples/postgres-switchover/switchover.toml"),
        ] {
            let reading = read(text);
            let errors: Vec<_> = reading.problems.iter().filter(|problem| problem.is_error()).collect();
            assert!(reading.plan.is_some(), "{errors:#?}");
        }
    }
}
