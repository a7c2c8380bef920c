//! Parts: which files a runbook includes, what is in them, and what their names are in the runbook.
//!
//! A name of a part begins with the name that the part is included under: step `export` of part `sessions` is
//! `sessions_export`. Inside its file a part says `export`; every text of it is checked as it is written, and renamed then.

use std::collections::{HashMap, HashSet};

use toml::Spanned;
use toml::de::DeTable;

use super::Misfit;
use super::names::{Named, unknown};
use super::nearest::did_you_mean;
use super::node::{Fields, Node};
use super::problem::Problem;
use super::site::Spot;
use super::source::{PartText, Sources, Texts};
use super::template::{Root, one_variable, rename};
use crate::measure::{self, NameOf};

/// A part as a runbook includes it.
pub(super) struct Include<'t> {
    /// What its names begin with.
    pub(super) name: &'t str,
    /// `[part.x]` of the runbook.
    pub(super) of: Fields<'t>,
    /// Its file, as it is named.
    pub(super) path: &'t str,
    pub(super) file: Fields<'t>,
    pub(super) steps: Vec<Member<'t>>,
    pub(super) probes: Vec<Member<'t>>,
    pub(super) guards: Vec<Member<'t>>,
    pub(super) parameters: Vec<Parameter<'t>>,
    /// Its steps by their number, as they follow each other.
    pub(super) sequence: Vec<Vec<usize>>,
}

/// Something of a part that has a name.
pub(super) struct Member<'t> {
    /// In its file.
    pub(super) written: &'t str,
    /// In the runbook.
    pub(super) name: String,
    pub(super) of: Fields<'t>,
}

/// A variable of a part.
pub(super) struct Parameter<'t> {
    /// In its file.
    pub(super) written: &'t str,
    /// In the runbook: a variable of its own, or the one that is handed on.
    pub(super) name: String,
    pub(super) of: Node<'t>,
    pub(super) given: Given<'t>,
}

/// What `with` says of a variable of a part.
#[derive(Clone, Copy)]
pub(super) enum Given<'t> {
    /// Nothing.
    Nothing,
    /// A value.
    Value(Node<'t>),
    /// A variable of the runbook: both are one.
    Variable(Node<'t>),
}

/// The file of a part, read: its table and what its parser says.
pub(super) type Parsed<'t> = (Spanned<DeTable<'t>>, Vec<toml::de::Error>);

/// The files of parts whose durations their variables give, by the names that the parts are included under.
pub(super) type Filled<'t> = HashMap<String, DeTable<'t>>;

/// The files that could be read.
fn by_path<'t>(sources: &Sources, files: &'t [(&'t str, Parsed<'t>)]) -> HashMap<&'t str, Fields<'t>> {
    let good = files.iter().filter(|(_, (_, errors))| errors.is_empty());
    let fields = |(path, (file, _)): &'t (&'t str, Parsed<'t>)| {
        let start = sources.start_of(path);
        (*path, Fields::new(file.get_ref(), Spot::new(&(start..start)), (start, start)))
    };
    good.map(fields).collect()
}

/// What a runbook includes, before it is looked at any closer: name, path, variables.
pub(super) fn seen<'t>(
    root: Fields<'t>,
    sources: &Sources,
    files: &'t [(&'t str, Parsed<'t>)],
) -> Vec<(&'t str, &'t str, Vec<Parameter<'t>>)> {
    let by_path = by_path(sources, files);
    let one = |(name, node): (&'t str, Node<'t>)| {
        let of = node.fields()?;
        let path = of.text("use")?;
        Some((name, path, parameters(name, of, *by_path.get(path)?)))
    };
    root.fields("part").map(Fields::in_file_order).unwrap_or_default().into_iter().filter_map(one).collect()
}

/// The parts of a runbook. `None` where a file is missing or no TOML: nobody can tell then what names there are.
pub(super) fn includes<'t>(
    root: Fields<'t>,
    texts: &Texts,
    sources: &Sources,
    files: &'t [(&'t str, Parsed<'t>)],
    filled: &'t Filled<'t>,
    problems: &mut Vec<Problem>,
) -> Option<Vec<Include<'t>>> {
    let by_path = by_path(sources, files);
    let mut whole = files.iter().all(|(_, (_, errors))| errors.is_empty());
    let mut read = Vec::new();
    for (name, node) in root.fields("part").map(Fields::in_file_order).unwrap_or_default() {
        let Some((of, path)) = node.fields().and_then(|of| Some((of, of.text("use")?))) else {
            whole = false;
            continue;
        };
        if let Some(file) = by_path.get(path) {
            if file.has("runbook") {
                problems.push(Problem::NotAPart { file: path.to_owned(), at: of.at_key("use") });
                whole = false;
                continue;
            }
            // Its shape has been checked, however often it is included.
            let file = filled.get(name).map_or(*file, |table| Fields::new(table, file.named_at, file.range));
            read.push(Include::read(name, of, path, file, problems));
        } else if let Some(PartText::Unreadable(why)) = texts.parts.get(path) {
            let (part, file, why) = (name.to_owned(), path.to_owned(), why.clone());
            problems.push(Problem::PartUnreadable { part, file, why, at: of.at_key("use") });
            whole = false;
        }
    }
    whole.then_some(read)
}

impl Parameter<'_> {
    /// Whether it is a variable of its own, and not one of the runbook that is handed on.
    pub(super) fn is_added(&self) -> bool {
        !matches!(self.given, Given::Variable(_))
    }

    /// Whether it needs a value and the runbook does not give it one.
    pub(super) fn is_missing(&self) -> bool {
        let has_source = |of: Fields<'_>| ["default", "env", "file", "run"].iter().any(|key| of.has(key));
        matches!(self.given, Given::Nothing) && self.of.fields().is_some_and(|of| !has_source(of))
    }
}

impl<'t> Include<'t> {
    fn read(name: &'t str, of: Fields<'t>, path: &'t str, file: Fields<'t>, problems: &mut Vec<Problem>) -> Self {
        let members = |key: &str| -> Vec<Member<'t>> {
            let all = file.fields(key).map(Fields::in_file_order).unwrap_or_default();
            let member = |(written, node): (&'t str, Node<'t>)| {
                Some(Member { written, name: format!("{name}_{written}"), of: node.fields()? })
            };
            all.into_iter().filter_map(member).collect()
        };
        let mut include = Self {
            name,
            of,
            path,
            file,
            steps: members("step"),
            probes: members("probe"),
            guards: members("guard"),
            parameters: parameters(name, of, file),
            sequence: Vec::new(),
        };
        include.parts_in_a_part(problems);
        include.sequence = include.read_sequence(problems);
        include
    }

    /// `[part.x]` in the file of a part.
    fn parts_in_a_part(&self, problems: &mut Vec<Problem>) {
        let header = self.file.fields("part").map(Fields::in_file_order).unwrap_or_default();
        for (_, node) in header.iter().filter(|(_, node)| node.fields().is_some()) {
            let at = node.key_at.span();
            problems.retain(
                |problem| !matches!(problem, Problem::Misfit(Misfit::UnknownKey { at: there, .. }) if *there == at),
            );
            problems.push(Misfit::NotYet { what: "a part that includes a part".to_owned(), at }.into());
        }
    }

    fn read_sequence(&self, problems: &mut Vec<Problem>) -> Vec<Vec<usize>> {
        let by_name: HashMap<&str, usize> = self.steps.iter().enumerate().map(|(n, step)| (step.written, n)).collect();
        let mut seats: HashMap<usize, Spot> = HashMap::new();
        let mut sequence = Vec::new();
        let Some(header) = self.file.fields("part").filter(|header| header.has("sequence")) else { return sequence };
        for entry in header.list("sequence") {
            let nodes: Vec<Node<'_>> = entry.list().map_or_else(|| vec![entry], Iterator::collect);
            let mut members = Vec::with_capacity(nodes.len());
            for node in nodes {
                let Some(name) = node.text() else { continue };
                let Some(&step) = by_name.get(name) else {
                    let help = did_you_mean(name, self.steps.iter().map(|step| step.written));
                    problems.push(unknown("step", name, help, node.at()));
                    continue;
                };
                if let Some(first) = seats.insert(step, Spot::new(&node.value.span())) {
                    let (step, at, also) = (name.to_owned(), node.at(), first.span());
                    problems.push(Problem::SequencedTwice { step, at, also });
                    continue;
                }
                members.push(step);
            }
            sequence.push(members);
        }
        for (_, step) in self.steps.iter().enumerate().filter(|(n, _)| !seats.contains_key(n)) {
            problems.push(Problem::NotInPart { step: step.written.to_owned(), at: step.of.at() });
        }
        sequence
    }

    /// The variables that it adds to those of the runbook.
    pub(super) fn added(&self) -> impl Iterator<Item = &Parameter<'t>> {
        self.parameters.iter().filter(|parameter| parameter.is_added())
    }

    /// What a name of its file is in the runbook.
    pub(super) fn name_of(&self, what: NameOf, written: &str) -> String {
        let parameter = match what {
            NameOf::Var => self.parameters.iter().find(|parameter| parameter.written == written),
            NameOf::Probe | NameOf::Step => None,
        };
        parameter.map_or_else(|| format!("{}_{written}", self.name), |parameter| parameter.name.clone())
    }

    /// A template of its file, with the names of the runbook.
    pub(super) fn template(&self, text: &str) -> String {
        rename(text, |root| match root {
            Root::Var(name) => Some(Root::Var(self.name_of(NameOf::Var, name))),
            Root::Output { step, output } => {
                Some(Root::Output { step: self.name_of(NameOf::Step, step), output: output.clone() })
            }
            Root::RunId | Root::Runbook(_) | Root::Value => None,
        })
    }

    /// A JSON value of its file whose texts are templates.
    pub(super) fn json(&self, value: serde_json::Value) -> serde_json::Value {
        use serde_json::Value as Json;
        match value {
            Json::String(text) => Json::String(self.template(&text)),
            Json::Array(list) => list.into_iter().map(|entry| self.json(entry)).collect(),
            Json::Object(map) => map.into_iter().map(|(key, entry)| (key, self.json(entry))).collect(),
            Json::Null | Json::Bool(_) | Json::Number(_) => value,
        }
    }

    /// A condition of its file, with the names of the runbook. `None` where it cannot be told which words are names: `reads`
    /// is what it reads in its own.
    pub(super) fn condition(&self, text: &str, locals: measure::Locals, reads: &measure::Reads) -> Option<String> {
        let renamed = measure::rename(text, |what, name| self.name_of(what, name));
        let mut wanted = reads.clone();
        let all = |names: &mut Vec<String>, what: NameOf| {
            for name in names {
                *name = self.name_of(what, name);
            }
        };
        all(&mut wanted.vars, NameOf::Var);
        all(&mut wanted.probes, NameOf::Probe);
        all(&mut wanted.baseline, NameOf::Probe);
        all(&mut wanted.steps, NameOf::Step);
        for (name, _) in &mut wanted.series {
            *name = self.name_of(NameOf::Probe, name);
        }
        for (step, _) in &mut wanted.outputs {
            *step = self.name_of(NameOf::Step, step);
        }
        // Two variables of a part may be one of the runbook.
        let mut seen = HashSet::new();
        wanted.vars.retain(|name| seen.insert(name.clone()));
        let compiled = measure::compile(&renamed, locals, &measure::Names::unchecked()).ok()?;
        (compiled.reads == wanted).then_some(renamed)
    }
}

fn parameters<'t>(part: &str, of: Fields<'t>, file: Fields<'t>) -> Vec<Parameter<'t>> {
    let with = of.fields("with");
    let vars = file.fields("vars").map(Fields::in_file_order).unwrap_or_default();
    let one = |(written, of): (&'t str, Node<'t>)| {
        let own = format!("{part}_{written}");
        let Some(node) = with.and_then(|with| with.get(written)) else {
            return Parameter { written, name: own, of, given: Given::Nothing };
        };
        match node.text().and_then(one_variable) {
            Some(name) => Parameter { written, name, of, given: Given::Variable(node) },
            None => Parameter { written, name: own, of, given: Given::Value(node) },
        }
    };
    vars.into_iter().map(one).collect()
}

/// The tables of a kind that have a name: the runbook's own, then those of each part.
pub(super) fn named<'t>(
    root: Fields<'t>,
    key: &str,
    includes: &'t [Include<'t>],
    members: impl Fn(&'t Include<'t>) -> &'t [Member<'t>],
) -> Vec<Named<'t>> {
    let own = root.fields(key).map(Fields::in_file_order).unwrap_or_default();
    let own =
        own.into_iter().filter_map(|(name, node)| Some(Named { name, written: name, of: node.fields()?, scope: 0 }));
    let of_parts = includes.iter().enumerate().flat_map(|(n, include)| {
        members(include).iter().map(move |member| {
            let Member { written, name, of } = member;
            Named { name, written, of: *of, scope: n + 1 }
        })
    });
    own.chain(of_parts).collect()
}

/// Names that a part would share with something else.
pub(super) fn mind_names(root: Fields<'_>, includes: &[Include<'_>], problems: &mut Vec<Problem>) {
    let members = |list: &[Member<'_>]| list.iter().map(|member| member.name.clone()).collect();
    mind_kind(root, "step", "step", includes, |include| members(&include.steps), problems);
    mind_kind(root, "probe", "probe", includes, |include| members(&include.probes), problems);
    mind_kind(root, "guard", "guard", includes, |include| members(&include.guards), problems);
    let added = |include: &Include<'_>| include.added().map(|parameter| parameter.name.clone()).collect();
    mind_kind(root, "vars", "variable", includes, added, problems);
    let steps = root.fields("step");
    for include in includes {
        if let Some(also) = steps.and_then(|steps| steps.get(include.name)) {
            let reason = format!("`{}` is both a part and a step", include.name);
            problems.push(Problem::PartNameTaken { reason, at: include.of.at(), also: also.key_at.span() });
        }
    }
}

/// The same for one kind of things, which stand behind `key` of the runbook.
fn mind_kind(
    root: Fields<'_>,
    key: &str,
    kind: &str,
    includes: &[Include<'_>],
    names: impl Fn(&Include<'_>) -> Vec<String>,
    problems: &mut Vec<Problem>,
) {
    let own = root.fields(key).map(Fields::in_file_order).unwrap_or_default();
    let mut taken: HashMap<String, Spot> = own.into_iter().map(|(name, node)| (name.to_owned(), node.key_at)).collect();
    for include in includes {
        for name in names(include) {
            if let Some(also) = taken.insert(name.clone(), include.of.named_at) {
                let reason = format!("part `{}` has a {kind} `{name}`, and there is another one", include.name);
                problems.push(Problem::PartNameTaken { reason, at: include.of.at(), also: also.span() });
            }
        }
    }
}
