//! Reads what a step, an undo or a probe does.

use std::collections::BTreeMap;

use toml::de::DeValue;

use super::Site;
use super::misfit::Misfit;
use super::node::{Fields, Node};
use super::problem::Problem;
use super::reader::{Reader, word};
use super::template::Place;
use crate::measure::Locals;
use crate::model::{
    Action, Body, Gate, Http, Manual, Output, OutputAs, OutputFrom, Run, RunCommand, Sql, Statements, StepId, Template,
    Wait,
};

impl<'t> Reader<'t> {
    /// The action of a step or an undo; `None` where there is none, or one that is not supported yet.
    pub(super) fn action(&mut self, of: Fields<'t>, step: StepId) -> Option<Action> {
        if let Some(node) = of.get("run") {
            return Some(Action::Run(self.run(of, node)));
        }
        if let Some(fields) = of.fields("http") {
            return Some(Action::Http(self.http(fields)));
        }
        if let Some(fields) = of.fields("sql") {
            return Some(Action::Sql(self.sql(fields)));
        }
        if let Some(node) = of.get("wait") {
            return self.wait(node).map(Action::Wait);
        }
        if let Some(fields) = of.fields("gate") {
            return Some(Action::Gate(self.gate(fields, step)));
        }
        if let Some(fields) = of.fields("ramp") {
            let bound = of.span("timeout").or(self.defaults().timeout).unwrap_or(crate::model::Span::MAX);
            return Some(Action::Ramp(self.ramp(fields, step, bound)));
        }
        of.fields("manual").map(|fields| {
            Action::Manual(Manual {
                instructions: self.template(fields, "instructions", Place::Open).unwrap_or_default(),
                evidence: fields.owned("evidence"),
                expires: fields.span("expires").unwrap_or_default(),
            })
        })
    }

    pub(super) fn run(&mut self, of: Fields<'t>, node: Node<'t>) -> Run {
        let command = if let Some(args) = node.list() {
            if of.has("shell") {
                self.out_of_place("shell", of.at_key("shell"), "a list is started without a shell");
            }
            RunCommand::Args(args.filter_map(|arg| self.template_of(arg, Place::Argument)).collect())
        } else {
            let shell = if of.has("shell") { of.texts("shell") } else { self.defaults().shell.clone() };
            let text = self.template_of(node, Place::of_script(&shell)).unwrap_or_default();
            RunCommand::Script { text, shell }
        };
        let exit: Vec<i32> = of.list("exit").filter_map(|code| i32::try_from(code.whole()?).ok()).collect();
        Run {
            command,
            cwd: self.template(of, "cwd", Place::Argument),
            env: self.run_env(of),
            stdin: self.template(of, "stdin", Place::Data),
            exit: if exit.is_empty() { vec![0] } else { exit },
            expect: of.get("expect").and_then(|node| self.expression(node, Locals::Run)),
        }
    }

    /// What a process is told beside the variables of the run: those of its part under the names that they have there, and
    /// what the part is called.
    fn run_env(&mut self, of: Fields<'t>) -> BTreeMap<String, Template> {
        let mut env = self.templates(of, "env", Place::Private);
        let Some(part) = self.file().part else { return env };
        for parameter in &part.parameters {
            let value = Template(format!("{{{{vars.{}}}}}", parameter.name));
            env.insert(format!("RUNBOOK_VAR_{}", parameter.written.to_ascii_uppercase()), value);
        }
        env.insert("RUNBOOK_PART".to_owned(), Template(part.name.to_owned()));
        env
    }

    fn http(&mut self, of: Fields<'t>) -> Http {
        let mut status = of.list("status").filter_map(|code| u16::try_from(code.whole()?).ok());
        let status = (status.next().unwrap_or(200), status.next().unwrap_or(299));
        if status.0 > status.1 || of.list("status").count() > 2 {
            let range = "the first and the last status that mean done".to_owned();
            self.problem(Misfit::OutOfRange { key: "status".to_owned(), range, at: of.at_key("status") });
        }
        Http {
            method: of.owned("method").unwrap_or_default(),
            url: self.http_url(of),
            headers: self.templates(of, "headers", Place::Private),
            body: self.http_body(of, "json"),
            status,
            expect: of.get("expect").and_then(|node| self.expression(node, Locals::Http)),
            settle: of.span("settle"),
        }
    }

    /// What a request carries: a value of JSON behind that key, or a text.
    pub(super) fn http_body(&mut self, of: Fields<'t>, json: &str) -> Body {
        match (of.get(json), of.get("body")) {
            (Some(json), _) => Body::Json(self.json_templates(json)),
            (None, Some(text)) => Body::Text(self.template_of(text, Place::Data).unwrap_or_default()),
            (None, None) => Body::Empty,
        }
    }

    pub(super) fn http_url(&mut self, of: Fields<'t>) -> Template {
        let text = of.text("url").unwrap_or_default();
        if of.has("url") && !["http://", "https://", "{{"].iter().any(|start| text.starts_with(start)) {
            let (url, at) = (text.to_owned(), of.at_key("url"));
            self.problem(Problem::UnknownScheme { key: "http", url, at, help: "it begins with http:// or https://" });
        }
        self.url_without_password(of, text);
        self.template(of, "url", Place::Open).unwrap_or_default()
    }

    fn sql(&mut self, of: Fields<'t>) -> Sql {
        let statements = match of.get("execute") {
            Some(node) if !of.has("query") => Statements::Execute(match node.list() {
                Some(list) => list.filter_map(|statement| self.template_of(statement, Place::Sql)).collect(),
                None => self.template_of(node, Place::Sql).into_iter().collect(),
            }),
            _ => Statements::Query(self.template(of, "query", Place::Sql).unwrap_or_default()),
        };
        Sql {
            url: self.sql_url(of),
            password: self.template(of, "password", Place::Private),
            statements,
            params: self.params(of),
            expect: of.get("expect").and_then(|node| self.expression(node, Locals::Sql)),
            rows: of.whole("rows"),
        }
    }

    pub(super) fn params(&mut self, of: Fields<'t>) -> Vec<serde_json::Value> {
        of.list("params").map(|param| self.json_templates(param)).collect()
    }

    pub(super) fn sql_url(&mut self, of: Fields<'t>) -> Template {
        let text = of.text("url").unwrap_or_default();
        let known = ["postgres://", "postgresql://", "sqlite:", "{{"];
        if text.starts_with("mysql:") {
            self.problem(Misfit::NotYet { what: "MySQL".to_owned(), at: of.at_key("url") });
        } else if of.has("url") && !known.iter().any(|start| text.starts_with(start)) {
            let help = "it begins with postgres:// or sqlite:";
            self.problem(Problem::UnknownScheme { key: "sql", url: text.to_owned(), at: of.at_key("url"), help });
        }
        self.url_without_password(of, text);
        self.template(of, "url", Place::Open).unwrap_or_default()
    }

    fn url_without_password(&mut self, of: Fields<'t>, url: &str) {
        let Some((_, rest)) = url.split_once("://") else { return };
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        if authority.rsplit_once('@').is_some_and(|(user, _)| user.contains(':')) {
            self.problem(Problem::PasswordInUrl { at: of.at_key("url") });
        }
    }

    fn wait(&mut self, node: Node<'t>) -> Option<Wait> {
        let Some(of) = node.fields() else { return node.span().map(Wait::For) };
        let condition = self.condition(of, "until")?;
        Some(Wait::Until { condition, within: of.span("within").unwrap_or_default() })
    }

    fn gate(&mut self, of: Fields<'t>, step: StepId) -> Gate {
        Gate {
            question: self.template(of, "question", Place::Open).unwrap_or_default(),
            show: self.named(of, "show", Self::probe),
            expires: of.span("expires"),
            expiry_pauses: of.text("on_expiry") == Some("pause"),
            on_no: self.on_no(of, Site::Step(step, "on_no_go")),
            confirm: self.template(of, "confirm", Place::Open),
        }
    }

    /// A table of texts.
    pub(super) fn templates(&mut self, of: Fields<'t>, key: &str, place: Place) -> BTreeMap<String, Template> {
        let entries = of.fields(key).map(Fields::in_file_order).unwrap_or_default();
        entries
            .into_iter()
            .filter_map(|(name, node)| self.template_of(node, place).map(|template| (name.to_owned(), template)))
            .collect()
    }

    /// A JSON value whose texts are templates.
    fn json_templates(&mut self, node: Node<'t>) -> serde_json::Value {
        self.check_leaves(node);
        self.file().part.map_or_else(|| node.json(), |part| part.json(node.json()))
    }

    fn check_leaves(&mut self, node: Node<'t>) {
        match node.value.get_ref() {
            DeValue::String(_) => {
                self.template_of(node, Place::Data);
            }
            DeValue::Array(entries) => entries.iter().for_each(|entry| self.check_leaves(Node::entry(entry))),
            DeValue::Table(entries) => entries.values().for_each(|entry| self.check_leaves(Node::entry(entry))),
            DeValue::Integer(_) | DeValue::Float(_) | DeValue::Boolean(_) | DeValue::Datetime(_) => {}
        }
    }
}

/// The outputs of a step.
pub(super) fn outputs(of: Fields<'_>) -> Vec<Output> {
    let entries = of.fields("outputs").map(Fields::in_file_order).unwrap_or_default();
    entries.into_iter().map(|(name, node)| output(name, node)).collect()
}

fn output(name: &str, node: Node<'_>) -> Output {
    let name = name.to_owned();
    let Some(of) = node.fields() else {
        return Output { name, from: OutputFrom::Stdout, as_: OutputAs::Text, secret: false };
    };
    let from = match (of.owned("json"), of.owned("regex")) {
        (Some(pointer), _) => OutputFrom::Json(pointer),
        (None, Some(regex)) => OutputFrom::Regex(regex),
        (None, None) => OutputFrom::Stdout,
    };
    let words = [("number", OutputAs::Number), ("lines", OutputAs::Lines), ("json", OutputAs::Json)];
    let as_ = word(of, "as", &words, OutputAs::Text);
    Output { name, from, as_, secret: of.flag("secret").unwrap_or(false) }
}
