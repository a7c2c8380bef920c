//! The expressions of a runbook: compiled once, kept once, complained about wherever they stand.

use std::collections::HashMap;

use super::misfit::Misfit;
use super::node::Node;
use super::problem::Problem;
use super::scope::Scope;
use super::site::Spot;
use crate::measure::{self, ConditionError, Locals};
use crate::model::{Condition, ConditionId};

/// The expressions read so far.
#[derive(Default)]
pub(super) struct Expressions<'t> {
    pub(super) conditions: Vec<Condition>,
    /// Where each stands first.
    pub(super) places: Vec<Spot>,
    /// By the number of the scope that they are read in, and their text.
    by_text: HashMap<(usize, &'t str), Known>,
}

/// An expression met before.
struct Known {
    id: ConditionId,
    /// What compiling it said, by the names that it may use.
    compiled: Vec<(Locals, Vec<ConditionError>)>,
}

impl<'t> Expressions<'t> {
    /// The id of an expression: the same for the same text in the same scope, whose number is `number`.
    pub(super) fn intern(
        &mut self,
        node: Node<'t>,
        locals: Locals,
        source: &str,
        (number, scope): (usize, &Scope<'t>),
        problems: &mut Vec<Problem>,
    ) -> Option<ConditionId> {
        let text = node.text()?;
        let known = self.by_text.entry((number, text)).or_insert_with(|| {
            let id = ConditionId::at(self.conditions.len());
            self.conditions.push(Condition {
                text: text.to_owned(),
                probes: Vec::new(),
                series: Vec::new(),
                reads_baseline: false,
            });
            self.places.push(Spot::new(&node.value.span()));
            Known { id, compiled: Vec::new() }
        });
        let id = known.id;
        if !known.compiled.iter().any(|(with, _)| *with == locals) {
            let errors = compile(text, locals, scope, &mut self.conditions[id.index()]);
            known.compiled.push((locals, errors));
        }
        let errors = known.compiled.iter().find(|(with, _)| *with == locals).map(|(_, errors)| errors);
        for error in errors.into_iter().flatten() {
            problems.push(problem(error, node, text, source));
        }
        Some(id)
    }
}

/// Compiles a text as it is written in its file, and makes of it a condition with the names of the plan.
fn compile(text: &str, locals: Locals, scope: &Scope<'_>, condition: &mut Condition) -> Vec<ConditionError> {
    let reads = match measure::compile(text, locals, &scope.expressions) {
        Ok(compiled) => compiled.reads,
        Err(errors) => return errors,
    };
    let read = reads.probes.iter().filter_map(|name| scope.probes.get(name.as_str()).copied());
    let series = reads.series.iter().filter_map(|(name, over)| Some((*scope.probes.get(name.as_str())?, *over)));
    condition.series = series.collect();
    condition.probes.extend(read);
    condition.probes.sort_unstable();
    condition.probes.dedup();
    condition.reads_baseline |= !reads.baseline.is_empty();
    let Some(part) = scope.part else { return Vec::new() };
    let Some(renamed) = part.condition(text, locals, &reads) else {
        let message = "it cannot be told here which words are names".to_owned();
        let help =
            "in a part, write `vars.x`, `probe.x` and `steps.x`, and call nothing else `vars`, `probe` or `steps`";
        return vec![ConditionError { message, range: 0..text.len(), help: Some(help.to_owned()) }];
    };
    condition.text = renamed;
    Vec::new()
}

impl Expressions<'_> {
    /// What stands where an expression should and none could be read, so that every id leads somewhere.
    pub(super) fn stand_in(&mut self) -> ConditionId {
        let id = ConditionId::at(self.conditions.len());
        self.conditions.push(Condition {
            text: "true".to_owned(),
            probes: Vec::new(),
            series: Vec::new(),
            reads_baseline: false,
        });
        self.places.push(Spot::default());
        id
    }
}

fn problem(error: &ConditionError, node: Node<'_>, text: &str, source: &str) -> Problem {
    let at = within(node, text, error.range.clone(), source);
    match error.message.strip_suffix(" is not supported yet") {
        Some(what) if what.starts_with('`') => Misfit::NotYet { what: what.to_owned(), at }.into(),
        _ => Problem::BadExpression { reason: error.message.clone(), at, help: error.help.clone() },
    }
}

/// The place of a part of a text value; of all of it where escapes stand between the two.
pub(super) fn within(node: Node<'_>, text: &str, part: std::ops::Range<usize>, source: &str) -> miette::SourceSpan {
    let whole = node.value.span();
    let Some(start) = source.get(whole.clone()).and_then(|raw| raw.find(text)) else { return node.at() };
    if part.end > text.len() || part.start > part.end {
        return node.at();
    }
    // An empty place is shown as the character behind it, which must not be outside.
    (whole.start + start + part.start, part.end - part.start).into()
}
