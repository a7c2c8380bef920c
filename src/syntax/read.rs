//! From text to plan: shape, names, every table, the graph.

use std::collections::BTreeMap;

use toml::de::DeTable;

use super::durations::{self, Durations, Shaping};
use super::expressions::Expressions;
use super::include::{self, Include, Parsed};
use super::known::KnownVars;
use super::misfit::Misfit;
use super::names::{Named, Names};
use super::node::{Fields, Node};
use super::order::Order;
use super::problem::Problem;
use super::reader::{Patience, Reader};
use super::scope::scopes;
use super::site::{Place, Places, Spot};
use super::source::{Sources, Texts};
use super::step::Standing;
use super::{Finding, prove, relations, shape, spec, tables};
use crate::model::{
    Bounds, Criterion, Draft, Guard, GuardId, Included, Phase, PhaseId, Plan, Policy, Probe, Rollback, Step, StepId,
    Value, VarDecl,
};

/// What a text is worth: a plan, or what is wrong with it.
#[derive(Debug)]
pub struct Reading {
    /// There exactly if no problem is an error.
    pub plan: Option<Plan>,
    /// Errors and warnings, by place.
    pub problems: Vec<Problem>,
    /// Where everything stands.
    pub places: Places,
    /// The texts that it was read from.
    pub sources: Sources,
    /// The variables that it declares, whether there is a plan or not; none where nobody can tell which those are.
    pub vars: Vec<VarDecl>,
}

/// Reads a runbook that includes nothing, and says everything that is wrong with it.
pub fn read(text: &str) -> Reading {
    read_given(&Texts::alone(text), &BTreeMap::new())
}

/// Reads a runbook with its parts for a run whose variables have these values: ramps and durations depend on them.
pub fn read_given(texts: &Texts, vars: &BTreeMap<String, Value>) -> Reading {
    let mut reading = understand(texts, vars);
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
pub(super) fn read_unproved(texts: &Texts) -> Reading {
    settled(understand(texts, &BTreeMap::new()))
}

/// In order, and without a plan where something is an error.
fn settled(mut reading: Reading) -> Reading {
    sort(&mut reading.problems);
    reading.plan = reading.plan.filter(|_| !reading.problems.iter().any(Problem::is_error));
    reading
}

/// What the texts say by themselves; the plan is there wherever its graph is one.
fn understand(texts: &Texts, vars: &BTreeMap<String, Value>) -> Reading {
    let without_plan =
        |problems, sources| Reading { plan: None, problems, places: Places::default(), sources, vars: Vec::new() };
    let text = &texts.runbook;
    let (mut file, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        let problems = no_toml(text, &tables::FILE, file.get_ref(), &errors);
        return without_plan(problems, Sources::alone(text));
    }
    let root = Fields::new(file.get_ref(), Spot::default(), (0, 0));
    if let Some(node) = root.fields("part").and_then(|part| part.get("sequence")).filter(|node| node.list().is_some()) {
        return without_plan(vec![Problem::NotARunbook { at: node.key_at.span() }], Sources::alone(text));
    }
    let mut problems = Vec::new();
    let templated = shape::check(&tables::FILE, file.get_ref(), (0, 0).into(), &mut problems);
    if !root.has("format") {
        problems.push(Problem::FormatMissing { at: (0, 0).into() });
    }
    let sources = Sources::of(texts, root);
    let in_place = sources.in_place();
    let files: Vec<(&str, Parsed<'_>)> =
        in_place.iter().map(|(path, text)| (*path, DeTable::parse_recoverable(text))).collect();
    for ((_, text), (_, (file, errors))) in in_place.iter().zip(&files) {
        if !errors.is_empty() {
            problems.extend(no_toml(text, &tables::PART_FILE, file.get_ref(), errors));
        }
    }
    let durations = Durations::find(root, &templated, &sources, &files, vars, &mut problems);
    let Durations { known, shaping, own, of_parts } = durations;
    durations::fill(file.get_mut(), &own);
    let root = Fields::new(file.get_ref(), Spot::default(), (0, 0));
    let Some(includes) = include::includes(root, texts, &sources, &files, &of_parts, &mut problems) else {
        return without_plan(problems, sources.clone());
    };
    let document = Document::of(root, sources.text(), &includes, &mut problems);
    let (draft, places, reader) = document.draft(known, shaping, problems);
    let declared = draft.vars.clone();
    let Reader { mut problems, claims, scopes, .. } = reader;
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
            problems.push(relations::circle(&error, &places, |name| scopes[0].steps.get(name).copied()));
            None
        }
    };
    Reading { plan, problems, places, sources: sources.clone(), vars: declared }
}

fn sort(problems: &mut Vec<Problem>) {
    problems.sort_by_cached_key(|problem| (problem.at().offset(), !problem.is_error()));
    problems.dedup();
}

/// A text that is no TOML: what its parser says, and what is wrong with the keys and values of other lines. What is not
/// there may stand where the parser lost its way, so nothing is said of that.
fn no_toml(text: &str, table: &'static spec::Table, file: &DeTable<'_>, errors: &[toml::de::Error]) -> Vec<Problem> {
    let mut problems = Vec::new();
    shape::check(table, file, (0, 0).into(), &mut problems);
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

/// Files with the right shape, or some whose shape has its problems.
struct Document<'t> {
    root: Fields<'t>,
    /// Of all files.
    text: &'t str,
    includes: &'t [Include<'t>],
    probes: Vec<Named<'t>>,
    guards: Vec<Named<'t>>,
    /// Of the runbook: a part has none.
    budgets: Vec<Named<'t>>,
    /// In the order of the files.
    steps: Vec<Named<'t>>,
}

impl<'t> Document<'t> {
    fn of(root: Fields<'t>, text: &'t str, includes: &'t [Include<'t>], problems: &mut Vec<Problem>) -> Self {
        include::mind_names(root, includes, problems);
        Self {
            root,
            text,
            includes,
            probes: include::named(root, "probe", includes, |include| &include.probes),
            guards: include::named(root, "guard", includes, |include| &include.guards),
            budgets: include::named(root, "budget", &[], |_| &[]),
            steps: include::named(root, "step", includes, |include| &include.steps),
        }
    }

    /// Reads everything, in the order in which things need each other.
    fn draft(&self, known: KnownVars, shaping: Shaping, mut problems: Vec<Problem>) -> (Draft, Places, Reader<'t>) {
        let root = self.root;
        let order = Order::of(root, &self.steps, self.includes, &mut problems);
        let mut reader = Reader {
            source: self.text,
            scopes: scopes(root, &order, &self.probes, self.includes),
            here: 0,
            expressions: Expressions::default(),
            names: Names::of(&order, self.probes.clone()),
            known_vars: known,
            shaping,
            probes: Vec::with_capacity(self.probes.len()),
            claims: Vec::new(),
            problems,
        };
        let mut vars = self.vars(&mut reader);
        for Named { name, of, scope, .. } in &self.probes {
            let probe: Probe = reader.within(*scope, |reader| reader.read_probe(name, *of));
            reader.probes.push(probe);
        }
        let mut about = reader
            .about(root.fields("runbook").unwrap_or_else(|| Fields::new(root.table, Spot::default(), root.range)));
        about.requires.extend(self.requires(&about.requires));
        let preflight = self.preflight(&mut reader);
        let Order { steps, phases, phase_of, needs } = order;
        let phases = read_phases(&mut reader, &phases, &phase_of);
        let parts = self.parts(&steps);
        let steps = read_steps(&mut reader, &steps, &phase_of, needs, &phases);
        let guards = self.read_guards(&mut reader);
        let baseline = root.fields("baseline").map(|of| reader.baseline(of));
        let places = self.places(&reader);
        for var in &mut vars {
            var.shapes = reader.shaping.get(&var.name).copied();
        }
        let conditions = std::mem::take(&mut reader.expressions.conditions);
        let probes = std::mem::take(&mut reader.probes);
        (Draft { about, vars, preflight, probes, conditions, guards, baseline, phases, steps, parts }, places, reader)
    }

    /// Guards, and behind them the budgets, which are guards to all but whoever counts.
    fn read_guards(&self, reader: &mut Reader<'t>) -> Vec<Guard> {
        for budget in &self.budgets {
            if let Some(guard) = self.guards.iter().find(|guard| guard.name == budget.name) {
                let (name, at, also) = (budget.name.to_owned(), budget.of.at(), guard.of.at());
                reader.problem(Problem::NameTaken { name, first: "budget", second: "guard", at, also });
            }
        }
        let mut guards: Vec<Guard> = Vec::with_capacity(self.guards.len() + self.budgets.len());
        for Named { name, of, scope, .. } in &self.guards {
            let id = GuardId::at(guards.len());
            guards.push(reader.within(*scope, |reader| reader.guard(id, name, *of)));
        }
        for Named { name, of, .. } in &self.budgets {
            guards.push(reader.budget(GuardId::at(guards.len()), name, *of));
        }
        guards
    }

    /// The variables of the runbook, then what its parts add.
    fn vars(&self, reader: &mut Reader<'t>) -> Vec<VarDecl> {
        let own = reader.vars(self.root);
        let mut vars = own.clone();
        for include in self.includes {
            vars.extend(reader.parameters(include, &own));
        }
        vars
    }

    fn preflight(&self, reader: &mut Reader<'t>) -> Vec<Criterion> {
        let files = std::iter::once(self.root).chain(self.includes.iter().map(|include| include.file));
        let mut preflight = Vec::new();
        for (scope, file) in files.enumerate() {
            let criteria = file.list("preflight");
            preflight.extend(
                criteria.filter_map(|node| reader.within(scope, |reader| reader.criterion(node, Patience::None))),
            );
        }
        preflight
    }

    /// What the parts require, and the runbook has not named.
    fn requires(&self, named: &[String]) -> Vec<String> {
        let headers = self.includes.iter().filter_map(|include| include.file.fields("part"));
        let mut more: Vec<String> = Vec::new();
        for program in headers.flat_map(|header| header.texts("requires")) {
            if !named.contains(&program) && !more.contains(&program) {
                more.push(program);
            }
        }
        more
    }

    /// What the plan knows of its parts.
    fn parts(&self, steps: &[Named<'t>]) -> Vec<Included> {
        let all = self.includes.iter().enumerate();
        all.map(|(n, include)| Included {
            name: include.name.to_owned(),
            file: include.path.to_owned(),
            summary: include.file.fields("part").and_then(|header| header.owned("summary")),
            steps: (0..steps.len()).filter(|step| steps[*step].scope == n + 1).map(StepId::at).collect(),
        })
        .collect()
    }

    /// Where everything stands.
    fn places(&self, reader: &Reader<'t>) -> Places {
        let (root, text) = (self.root, self.text);
        let things = |tables: &[Named<'t>], spec| -> Vec<Place> {
            tables.iter().map(|named| named.of.place(spec, text)).collect()
        };
        let undos = |of: Fields<'t>| -> Vec<Place> {
            let Some(node) = of.get("undo") else { return Vec::new() };
            let list = node.list().map_or_else(|| vec![node], Iterator::collect);
            list.into_iter().filter_map(Node::fields).map(|undo| action_place(undo, &tables::UNDO, text)).collect()
        };
        let vars = root.fields("vars").map(Fields::in_file_order).unwrap_or_default();
        let files = std::iter::once(root).chain(self.includes.iter().map(|include| include.file));
        Places {
            runbook: root.fields("runbook").map(|of| of.place(&tables::RUNBOOK, text)).unwrap_or_default(),
            phases: reader
                .names
                .phases
                .iter()
                .map(|(_, of, listed_at)| match of {
                    Some(of) => of.place(&tables::PHASE, text),
                    None => Place { itself: *listed_at, keys: Box::default() },
                })
                .collect(),
            steps: reader.names.steps.iter().map(|step| action_place(step.of, &tables::STEP, text)).collect(),
            undos: reader.names.steps.iter().map(|step| undos(step.of)).collect(),
            guards: things(&self.guards, &tables::GUARD)
                .into_iter()
                .chain(things(&self.budgets, &tables::BUDGET))
                .collect(),
            baseline: root.fields("baseline").map(|of| of.place(&tables::BASELINE, text)).unwrap_or_default(),
            probes: things(&reader.names.probes, &tables::PROBE),
            preflight: files.flat_map(|file| file.list("preflight")).map(|node| node.key_at).collect(),
            vars: vars
                .iter()
                .map(|(_, node)| node.key_at)
                .chain(self.includes.iter().flat_map(|include| include.added().map(|parameter| parameter.of.key_at)))
                .collect(),
            conditions: reader.expressions.places.clone(),
        }
    }
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
    steps: &[Named<'t>],
    phase_of: &[Option<PhaseId>],
    needs: Vec<Vec<StepId>>,
    phases: &[Phase],
) -> Vec<Step> {
    let to_start = Policy::Rollback(Rollback::TO_START);
    let all = steps.iter().zip(phase_of).zip(needs).enumerate();
    all.map(|(n, ((Named { name, of, scope, .. }, phase), needs))| {
        let on_failure = phase.map_or(&to_start, |id| &phases[id.index()].on_failure);
        let standing = Standing { phase: *phase, needs, on_failure };
        // One name for two places would leave it open where `rollback_to` leads.
        if let Some(phase) = reader.scopes[0].phases.get(name) {
            let (_, table, listed_at) = reader.names.phases[phase.index()];
            let also = table.map_or_else(|| listed_at.span(), Fields::at);
            reader.problem(Problem::NameTaken {
                name: (*name).to_owned(),
                first: "step",
                second: "phase",
                at: of.at(),
                also,
            });
        }
        reader.within(*scope, |reader| reader.read_step(StepId::at(n), name, *of, standing))
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
