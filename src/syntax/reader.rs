//! What all parts of a runbook are read with: names, expressions, criteria, templates, and the list of problems.
//!
//! Every value has been held against the description before (`shape`), so a value that cannot be read here has its
//! problem already, and something harmless stands in for it.

use miette::SourceSpan;

use super::Site;
use super::durations::Shaping;
use super::expressions::{Expressions, within};
use super::known::KnownVars;
use super::misfit::Misfit;
use super::names::{Named, Names};
use super::nearest::did_you_mean;
use super::node::{Fields, Node};
use super::problem::Problem;
use super::scope::Scope;
use super::site::Spot;
use super::template::{self, Place};
use crate::measure::Locals;
use crate::model::{
    ConditionId, Count, Criterion, NoData, PhaseId, Probe, ProbeId, Retry, Span, StepId, Target, Template,
};

/// How long a criterion without `within` has, beside what it must measure.
const PATIENCE: Span = Span::from_secs(10);

/// What is at hand while a runbook is read.
pub(super) struct Reader<'t> {
    /// The text of all files.
    pub(super) source: &'t str,
    pub(super) names: Names<'t>,
    /// The runbook's own, then those of its parts.
    pub(super) scopes: Vec<Scope<'t>>,
    /// The number of the scope that is read at present.
    pub(super) here: usize,
    pub(super) expressions: Expressions<'t>,
    /// What variables are worth, as far as it is known.
    pub(super) known_vars: KnownVars,
    /// Which of them the plan depends on.
    pub(super) shaping: Shaping,
    /// The probes, which are read before what uses them.
    pub(super) probes: Vec<Probe>,
    /// What can be judged only when the whole plan is there.
    pub(super) claims: Vec<Claim<'t>>,
    pub(super) problems: Vec<Problem>,
}

/// `[defaults]`, and the shell of `[runbook]`.
pub(super) struct Defaults {
    pub(super) timeout: Option<Span>,
    pub(super) kill_after: Span,
    pub(super) retry: Option<Retry>,
    pub(super) no_data: NoData,
    pub(super) shell: Vec<String>,
}

/// A rollback names a target, which must lie before whatever may ask for it.
pub(super) struct Claim<'t> {
    pub(super) target: Target,
    /// As the file names it.
    pub(super) name: &'t str,
    /// Who may ask for it: a step, a phase or a guard.
    pub(super) who: Site,
    /// Of an `else`: the place that it goes back from.
    pub(super) from: Option<Target>,
    pub(super) at: Spot,
}

/// By when a criterion must have come true.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Patience {
    /// The first fresh sample decides, unless it says otherwise.
    None,
    /// A bound of its own, unless it says otherwise.
    Some,
}

impl<'t> Reader<'t> {
    pub(super) fn problem(&mut self, problem: impl Into<Problem>) {
        self.problems.push(problem.into());
    }

    /// What the names of the file stand for that is read at present.
    pub(super) fn file(&self) -> &Scope<'t> {
        &self.scopes[self.here]
    }

    /// Reads something of the scope with that number.
    pub(super) fn within<T>(&mut self, scope: usize, read: impl FnOnce(&mut Self) -> T) -> T {
        let before = std::mem::replace(&mut self.here, scope);
        let value = read(self);
        self.here = before;
        value
    }

    /// Its `[defaults]`.
    pub(super) fn defaults(&self) -> &Defaults {
        &self.file().defaults
    }

    /// The expression behind a key.
    pub(super) fn condition(&mut self, of: Fields<'t>, key: &str) -> Option<ConditionId> {
        self.expression(of.get(key)?, Locals::None)
    }

    pub(super) fn expression(&mut self, node: Node<'t>, locals: Locals) -> Option<ConditionId> {
        let scope = (self.here, &self.scopes[self.here]);
        self.expressions.intern(node, locals, self.source, scope, &mut self.problems)
    }

    /// The criteria behind a key.
    pub(super) fn criteria(&mut self, of: Fields<'t>, key: &str, patience: Patience) -> Vec<Criterion> {
        let entries: Vec<_> = of.list(key).collect();
        entries.into_iter().filter_map(|entry| self.criterion(entry, patience)).collect()
    }

    /// A criterion: a text, or a table.
    pub(super) fn criterion(&mut self, node: Node<'t>, patience: Patience) -> Option<Criterion> {
        self.criterion_with(node, patience, Locals::None)
    }

    /// The same in a place with names of its own.
    pub(super) fn criterion_with(&mut self, node: Node<'t>, patience: Patience, locals: Locals) -> Option<Criterion> {
        let Some(fields) = node.fields() else {
            let condition = self.expression(node, locals)?;
            let within = self.patience(condition, None, None, None, patience);
            return Some(Criterion { condition, say: None, hold_for: None, within, count: None });
        };
        let condition = self.expression(fields.get("that")?, locals)?;
        let hold_for = fields.span("for");
        let count = fields
            .whole("samples")
            .map(|samples| Count { samples, failures: fields.whole("failures").unwrap_or_default() });
        if let Some(Count { samples, failures }) = count
            && failures >= samples
        {
            let at = fields.at_key("failures");
            // All of them may fail: nothing would be measured.
            self.problem(Problem::FailuresAbove { failures, of: samples - 1, key: "samples", at });
        }
        let within = self.patience(condition, hold_for, count, fields.span("within"), patience);
        Some(Criterion { condition, say: fields.owned("say"), hold_for, within, count })
    }

    fn patience(
        &self,
        condition: ConditionId,
        hold_for: Option<Span>,
        count: Option<Count>,
        said: Option<Span>,
        patience: Patience,
    ) -> Option<Span> {
        if said.is_some() || patience == Patience::None {
            return said;
        }
        let condition = &self.expressions.conditions[condition.index()];
        let probes = || condition.probes.iter().map(|id| &self.probes[id.index()]);
        let covers = condition.probes.iter().map(|id| self.probes[id.index()].covers.plus(condition.reach(*id)));
        let covers = covers.max().unwrap_or_default();
        let interval = probes().map(|probe| probe.interval).max().unwrap_or_default();
        let samples = count.map_or(Span::ZERO, |count| interval.times(count.samples.into()));
        Some(PATIENCE.plus(hold_for.unwrap_or_default()).plus(covers).plus(samples))
    }

    /// The text behind a key, as a template that stands in that place.
    pub(super) fn template(&mut self, of: Fields<'t>, key: &str, place: Place) -> Option<Template> {
        of.get(key).and_then(|node| self.template_of(node, place))
    }

    pub(super) fn template_of(&mut self, node: Node<'t>, place: Place) -> Option<Template> {
        let text = node.text()?;
        if text.contains("{{") {
            let mut seen = None;
            for error in template::check(text, place, &self.scopes[self.here].templates) {
                // Of what is wrong with one template the first is enough.
                if seen.replace(error.range.clone()) == Some(error.range.clone()) {
                    continue;
                }
                let at = within(node, text, error.range, self.source);
                self.problems.push(match error.message.strip_suffix(" is not supported yet") {
                    Some(what) => Misfit::NotYet { what: what.to_owned(), at }.into(),
                    None => Problem::BadTemplate { reason: error.message, at, help: error.help },
                });
            }
        }
        Some(Template(self.file().part.map_or_else(|| text.to_owned(), |part| part.template(text))))
    }

    /// The step of a name.
    pub(super) fn step(&mut self, node: Node<'t>) -> Option<StepId> {
        let name = node.text()?;
        let id = self.file().steps.get(name).copied();
        if id.is_none() {
            let help = did_you_mean(name, self.written(&self.names.steps));
            self.problem(super::names::unknown("step", name, help, node.at()));
        }
        id
    }

    /// The phase of a name.
    pub(super) fn phase(&mut self, node: Node<'t>) -> Option<PhaseId> {
        let name = node.text()?;
        let id = self.file().phases.get(name).copied();
        if id.is_none() {
            let help = did_you_mean(name, self.phase_names());
            self.problem(super::names::unknown("phase", name, help, node.at()));
        }
        id
    }

    /// The probe of a name.
    pub(super) fn probe(&mut self, node: Node<'t>) -> Option<ProbeId> {
        let name = node.text()?;
        let id = self.file().probes.get(name).copied();
        if id.is_none() {
            let help = did_you_mean(name, self.written(&self.names.probes));
            self.problem(super::names::unknown("probe", name, help, node.at()));
        }
        id
    }

    /// What the file that is read at present may call these.
    pub(super) fn written(&self, all: &[Named<'t>]) -> impl Iterator<Item = &'t str> {
        let here = self.here;
        all.iter()
            .filter(move |named| here == 0 || named.scope == here)
            .map(move |named| if here == 0 { named.name } else { named.written })
    }

    /// The phases that the file may name which is read at present.
    pub(super) fn phase_names(&self) -> impl Iterator<Item = &'t str> {
        let phases = self.names.phases.iter().map(|(name, ..)| *name);
        phases.filter(|name| self.file().phases.contains_key(name))
    }

    /// The things that a list names, each once.
    pub(super) fn named<Id: Copy + PartialEq>(
        &mut self,
        of: Fields<'t>,
        key: &'static str,
        one: impl Fn(&mut Self, Node<'t>) -> Option<Id>,
    ) -> Vec<Id> {
        let entries: Vec<_> = of.list(key).collect();
        let mut seen = std::collections::HashSet::with_capacity(entries.len());
        let mut ids = Vec::with_capacity(entries.len());
        for node in entries {
            if let Some(name) = node.text()
                && !seen.insert(name)
            {
                self.problem(Problem::NamedTwice { name: name.to_owned(), key, at: node.at() });
                continue;
            }
            ids.extend(one(self, node));
        }
        ids
    }

    /// A key that would do nothing.
    pub(super) fn out_of_place(&mut self, key: &str, at: SourceSpan, help: impl Into<String>) {
        self.problem(Misfit::KeyOutOfPlace { key: key.to_owned(), at, help: help.into() });
    }
}

/// The word behind a key, turned into what it stands for.
pub(super) fn word<T: Copy>(of: Fields<'_>, key: &str, words: &[(&str, T)], otherwise: T) -> T {
    let said = of.text(key);
    words.iter().find(|(word, _)| Some(*word) == said).map_or(otherwise, |(_, meaning)| *meaning)
}
