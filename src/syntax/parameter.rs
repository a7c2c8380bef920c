//! Reads the variables of a part, and what the runbook gives them.
//!
//! A variable that is handed on is not copied: it and the part's are one, so that it has one value and stays secret. Any
//! other is a variable of the runbook under a name of its own, and what `with` says is its default.

use serde_json::Value as Json;

use super::Misfit;
use super::include::{Given, Include, Parameter};
use super::nearest::did_you_mean;
use super::node::{Fields, Node};
use super::problem::Problem;
use super::reader::Reader;
use super::spec::one_of;
use super::template::Place;
use crate::model::{VarDecl, VarSource, kind_of};

impl<'t> Reader<'t> {
    /// The variables that a part adds to those of the runbook (`own`).
    pub(super) fn parameters(&mut self, include: &'t Include<'t>, own: &[VarDecl]) -> Vec<VarDecl> {
        self.unknown_parameters(include);
        let mut added = Vec::new();
        for parameter in &include.parameters {
            let mut declared = self.var(&parameter.name, parameter.of);
            match parameter.given {
                Given::Nothing => {
                    if declared.sources.is_empty() {
                        self.missing(include, parameter, declared.summary.as_deref());
                    }
                    added.push(declared);
                }
                Given::Value(node) => {
                    self.given_plain(include, parameter, node, &declared);
                    declared.sources = vec![VarSource::Default(node.json())];
                    added.push(declared);
                }
                Given::Variable(node) => {
                    // Says it where the runbook has no such variable.
                    self.template_of(node, Place::Data);
                    if let Some(of) = own.iter().find(|own| own.name == parameter.name) {
                        self.handed_on(include, parameter, node, &declared, of);
                    }
                }
            }
        }
        added
    }

    fn unknown_parameters(&mut self, include: &'t Include<'t>) {
        let known = || include.parameters.iter().map(|parameter| parameter.written);
        let with = include.of.fields("with").map(Fields::in_file_order).unwrap_or_default();
        for (name, node) in with.into_iter().filter(|(name, _)| known().all(|known| known != *name)) {
            let (part, file, help) = (include.name.to_owned(), include.path.to_owned(), did_you_mean(name, known()));
            self.problem(Problem::UnknownParameter { part, name: name.to_owned(), at: node.key_at.span(), file, help });
        }
    }

    fn missing(&mut self, include: &Include<'t>, parameter: &Parameter<'t>, summary: Option<&str>) {
        self.problem(Problem::MissingParameter {
            part: include.name.to_owned(),
            name: parameter.written.to_owned(),
            summary: summary.map(|summary| format!(": {summary}")).unwrap_or_default(),
            at: include.of.at(),
        });
    }

    fn given_plain(&mut self, include: &Include<'t>, parameter: &Parameter<'t>, node: Node<'t>, declared: &VarDecl) {
        let value = node.json();
        if has_braces(&value) {
            let help = "write \"{{vars.x}}\" alone, and let the part put its text together";
            self.bad_parameter(include, parameter, node, "it is neither plain nor one variable", help);
        } else if let Some(wanted) = example(declared).filter(|wanted| kind_of(wanted) != kind_of(&value)) {
            let reason = format!("it must be {}", kind_of(wanted));
            self.bad_parameter(include, parameter, node, reason, format!("its default is {wanted}"));
        } else if !declared.choices.is_empty() && !declared.choices.contains(&value) {
            let words: Vec<String> = declared.choices.iter().map(ToString::to_string).collect();
            let words: Vec<&str> = words.iter().map(|word| word.trim_matches('"')).collect();
            let (key, choices) = (parameter.written.to_owned(), one_of(&words));
            self.problem(Misfit::UnknownWord { key, choices, at: node.at(), help: None });
        }
    }

    /// What the part expects of its variable must hold for the one that it is given.
    fn handed_on(
        &mut self,
        include: &Include<'t>,
        parameter: &Parameter<'t>,
        node: Node<'t>,
        declared: &VarDecl,
        given: &VarDecl,
    ) {
        let name = &given.name;
        if declared.secret && !given.secret {
            let reason = format!("it is a secret there, and `{name}` is none");
            self.bad_parameter(include, parameter, node, reason, format!("say secret = true of `{name}` in [vars]"));
        }
        if let (Some(wanted), Some(found)) = (example(declared), example(given))
            && kind_of(wanted) != kind_of(found)
        {
            let reason = format!("it must be {}, and `{name}` is {}", kind_of(wanted), kind_of(found));
            self.bad_parameter(include, parameter, node, reason, format!("its default is {wanted}"));
        }
        let fits = !given.choices.is_empty() && given.choices.iter().all(|choice| declared.choices.contains(choice));
        if !declared.choices.is_empty() && !fits {
            let choices = Json::Array(declared.choices.clone());
            let reason = format!("it takes {choices} only, and `{name}` may be something else");
            self.bad_parameter(
                include,
                parameter,
                node,
                reason,
                format!("say choices = {choices} of `{name}` in [vars]"),
            );
        }
    }

    fn bad_parameter(
        &mut self,
        include: &Include<'t>,
        parameter: &Parameter<'t>,
        node: Node<'t>,
        reason: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.problem(Problem::BadParameter {
            part: include.name.to_owned(),
            name: parameter.written.to_owned(),
            reason: reason.into(),
            at: node.at(),
            help: Some(help.into()),
        });
    }
}

/// The value that shows of which kind a variable is.
fn example(declared: &VarDecl) -> Option<&Json> {
    let default = declared.sources.iter().find_map(|source| match source {
        VarSource::Default(value) => Some(value),
        VarSource::Env(_) | VarSource::File(_) | VarSource::Run(_) => None,
    });
    default.or_else(|| declared.choices.first())
}

fn has_braces(value: &Json) -> bool {
    match value {
        Json::String(text) => text.contains("{{"),
        Json::Array(list) => list.iter().any(has_braces),
        Json::Object(map) => map.values().any(has_braces),
        Json::Null | Json::Bool(_) | Json::Number(_) => false,
    }
}
