//! The expressions of a runbook: compiled once, kept once, complained about wherever they stand.

use std::collections::HashMap;

use super::misfit::Misfit;
use super::node::Node;
use super::problem::Problem;
use super::site::Spot;
use crate::measure::{self, ConditionError, Locals};
use crate::model::{Condition, ConditionId, ProbeId};

/// The expressions read so far.
#[derive(Default)]
pub(super) struct Expressions<'t> {
    pub(super) names: measure::Names<'t>,
    pub(super) conditions: Vec<Condition>,
    /// Where each stands first.
    pub(super) places: Vec<Spot>,
    by_text: HashMap<&'t str, Known>,
}

/// An expression met before.
struct Known {
    id: ConditionId,
    /// What compiling it said, by the names that it may use.
    compiled: Vec<(Locals, Vec<ConditionError>)>,
}

impl<'t> Expressions<'t> {
    /// The id of an expression: the same for the same text.
    pub(super) fn intern(
        &mut self,
        node: Node<'t>,
        locals: Locals,
        source: &str,
        probes: &HashMap<&str, ProbeId>,
        problems: &mut Vec<Problem>,
    ) -> Option<ConditionId> {
        let text = node.text()?;
        let known = self.by_text.entry(text).or_insert_with(|| {
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
            let errors = match measure::compile(text, locals, &self.names) {
                Ok(compiled) => {
                    let read = compiled.reads.probes.iter().filter_map(|name| probes.get(name.as_str()).copied());
                    let series = compiled.reads.series.iter();
                    let series = series.filter_map(|(name, over)| Some((*probes.get(name.as_str())?, *over)));
                    let condition = &mut self.conditions[id.index()];
                    condition.series = series.collect();
                    condition.probes.extend(read);
                    condition.probes.sort_unstable();
                    condition.probes.dedup();
                    condition.reads_baseline |= !compiled.reads.baseline.is_empty();
                    Vec::new()
                }
                Err(errors) => errors,
            };
            known.compiled.push((locals, errors));
        }
        let errors = known.compiled.iter().find(|(with, _)| *with == locals).map(|(_, errors)| errors);
        for error in errors.into_iter().flatten() {
            problems.push(problem(error, node, text, source));
        }
        Some(id)
    }
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
