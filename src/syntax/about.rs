//! Reads `[runbook]`, `[defaults]`, `[vars]` and `[[preflight]]`.

use super::misfit::Misfit;
use super::node::{Fields, Node};
use super::problem::Problem;
use super::reader::{Defaults, Patience, Reader, word};
use super::shape;
use super::spec::one_of;
use super::template::Place;
use crate::model::{About, NoData, OnInterrupt, Retry, Span, Template, VarDecl, VarSource};

/// Between TERM and KILL, where nothing says otherwise.
const KILL_AFTER: Span = Span::from_secs(10);
/// How much of a step's output is kept, where nothing says otherwise.
const OUTPUT_MAX: u64 = 64 << 20;

impl Defaults {
    /// Of the whole file.
    pub(super) fn of(file: Fields<'_>) -> Self {
        let fields = file.fields("defaults");
        let shell = file.fields("runbook").map(|about| about.texts("shell")).unwrap_or_default();
        Self {
            timeout: fields.and_then(|fields| fields.span("timeout")),
            kill_after: fields.and_then(|fields| fields.span("kill_after")).unwrap_or(KILL_AFTER),
            retry: fields.and_then(|fields| fields.fields("retry")).map(retry),
            no_data: fields.map_or(NoData::Fail, |fields| no_data(fields, NoData::Fail)),
            shell: if shell.is_empty() { ["sh", "-eu", "-c"].map(str::to_owned).to_vec() } else { shell },
        }
    }
}

pub(super) fn no_data(of: Fields<'_>, otherwise: NoData) -> NoData {
    word(of, "no_data", &[("fail", NoData::Fail), ("ignore", NoData::Ignore), ("pause", NoData::Pause)], otherwise)
}

/// A table `retry`.
pub(super) fn retry(of: Fields<'_>) -> Retry {
    Retry {
        attempts: of.whole("attempts").unwrap_or(1),
        delay: of.span("delay").unwrap_or(Span::from_secs(1)),
        factor: of.get("factor").and_then(Node::number).unwrap_or(1.0),
        max_delay: of.span("max_delay"),
        jitter: of.flag("jitter").unwrap_or(false),
    }
}

impl<'t> Reader<'t> {
    pub(super) fn about(&mut self, of: Fields<'t>) -> About {
        let name = of.owned("name").unwrap_or_default();
        About {
            lock: of.owned("lock").unwrap_or_else(|| name.clone()),
            name,
            version: of.owned("version"),
            summary: of.owned("summary"),
            owner: of.owned("owner"),
            docs: of.owned("docs"),
            timeout: of.span("timeout").unwrap_or(Span::MAX),
            rollback_timeout: of.span("rollback_timeout"),
            rollback_window: of.span("rollback_window").unwrap_or_default(),
            max_parallel: of.whole("max_parallel").unwrap_or(8),
            restored: self.criteria(of, "restored", Patience::Some),
            env: self.templates(of, "env", Place::Private),
            requires: of.texts("requires"),
            on_interrupt: word(of, "on_interrupt", &[("rollback", OnInterrupt::Rollback)], OnInterrupt::Leave),
            output_max: of.text("output_max").and_then(shape::size).unwrap_or(OUTPUT_MAX),
        }
    }

    pub(super) fn vars(&mut self, file: Fields<'t>) -> Vec<VarDecl> {
        let vars = file.fields("vars").map(Fields::in_file_order).unwrap_or_default();
        vars.into_iter().map(|(name, node)| self.var(name, node)).collect()
    }

    pub(super) fn var(&mut self, name: &str, node: Node<'t>) -> VarDecl {
        let name = name.to_owned();
        let Some(of) = node.fields() else {
            let sources = vec![VarSource::Default(node.json())];
            return VarDecl { name, sources, secret: false, choices: Vec::new(), summary: None, shapes: None };
        };
        let mut sources = Vec::new();
        sources.extend(of.owned("env").map(VarSource::Env));
        sources.extend(of.owned("file").map(VarSource::File));
        if of.has("run") {
            sources.push(VarSource::Run(of.texts("run").into_iter().map(Template).collect()));
        }
        sources.extend(of.get("default").map(|default| VarSource::Default(default.json())));
        for node in of.list("run").filter(|node| node.text().is_some_and(|text| text.contains("{{"))) {
            let reason = "a variable cannot be made of others".to_owned();
            self.problem(Problem::BadTemplate { reason, at: node.at(), help: None });
        }
        let choices: Vec<_> = of.list("choices").map(Node::json).collect();
        if let Some(default) = of.get("default")
            && !choices.is_empty()
            && !choices.contains(&default.json())
        {
            let words: Vec<_> = choices.iter().map(ToString::to_string).collect();
            let words: Vec<_> = words.iter().map(|word| word.trim_matches('"')).collect();
            let (key, at) = ("default".to_owned(), default.at());
            self.problem(Misfit::UnknownWord { key, choices: one_of(&words), at, help: None });
        }
        let secret = of.flag("secret").unwrap_or(false);
        VarDecl { name, sources, secret, choices, summary: of.owned("summary"), shapes: None }
    }
}
