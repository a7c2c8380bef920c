//! Reads probes and guards.

use std::collections::BTreeMap;

use super::Site;
use super::about::no_data;
use super::misfit::Misfit;
use super::node::{Fields, Node};
use super::problem::Problem;
use super::reader::Reader;
use super::template::Place;
use crate::measure::{Measured, SAMPLES_MAX};
use crate::model::{
    ConditionId, Guard, GuardId, Http, HttpPart, Probe, ProbeAs, ProbeSource, Prometheus, Rule, Run, RunCommand, Scope,
    Span, Sql, Statements, StepId, Template, Watched,
};

/// The method of an HTTP probe that names none.
const GET: &str = "GET";

/// What the answer of a probe is taken for.
pub(super) fn kind(of: Fields<'_>) -> ProbeAs {
    match (of.get("bool").map(Node::text), of.text("as")) {
        (Some(Some(_)), _) => ProbeAs::ExitCode,
        (Some(None), _) | (None, Some("bool")) => ProbeAs::Bool,
        (None, Some("text")) => ProbeAs::Text,
        (None, Some("json")) => ProbeAs::Json,
        (None, _) => ProbeAs::Number,
    }
}

/// What conditions may know of a probe.
pub(super) fn measured(of: Fields<'_>) -> Measured {
    Measured { kind: kind(of).into(), interval: interval(of), keep: keep(of) }
}

fn interval(of: Fields<'_>) -> Span {
    of.span("interval").unwrap_or(Span::from_secs(1))
}

/// The longest history that is kept: memory has bounds.
fn keep_max(of: Fields<'_>) -> Span {
    interval(of).times(SAMPLES_MAX.try_into().unwrap_or(u64::MAX))
}

fn keep(of: Fields<'_>) -> Span {
    of.span("keep").unwrap_or(Span::from_secs(600)).min(keep_max(of))
}

impl<'t> Reader<'t> {
    pub(super) fn read_probe(&mut self, name: &str, of: Fields<'t>) -> Probe {
        if of.text("bool").is_some() && !of.has("run") {
            self.out_of_place("bool", of.at_key("bool"), "\"exit\" goes with `run`; otherwise write `bool = true`");
        }
        if of.span("keep").is_some_and(|said| said > keep_max(of)) {
            let range = format!("at most {}: {SAMPLES_MAX} samples are kept", keep_max(of).written());
            self.problem(Misfit::OutOfRange { key: "keep".to_owned(), range, at: of.at_key("keep") });
        }
        Probe {
            name: name.to_owned(),
            source: self.source(of),
            interval: interval(of),
            timeout: of.span("timeout").unwrap_or(Span::from_secs(5)),
            as_: kind(of),
            unit: of.owned("unit"),
            covers: of.span("covers").unwrap_or_default(),
            keep: keep(of),
        }
    }

    fn source(&mut self, of: Fields<'t>) -> ProbeSource {
        if let Some(http) = of.fields("http") {
            let part = part(http);
            let status = if part == HttpPart::Status { (100, 599) } else { (200, 299) };
            self.fits_its_method(http, &part);
            let request = Http {
                method: http.text("method").unwrap_or(GET).to_owned(),
                url: self.http_url(http),
                headers: self.templates(http, "headers", Place::Private),
                body: self.http_body(http, "send"),
                status,
                expect: None,
                settle: None,
            };
            return ProbeSource::Http { request, part };
        }
        if let Some(sql) = of.fields("sql") {
            return ProbeSource::Sql(Sql {
                url: self.sql_url(sql),
                password: self.template(sql, "password", Place::Private),
                statements: Statements::Query(self.template(sql, "query", Place::Sql).unwrap_or_default()),
                params: self.params(sql),
                expect: None,
                rows: None,
            });
        }
        if let Some(prometheus) = of.fields("prometheus") {
            return ProbeSource::Prometheus(Prometheus {
                url: self.http_url(prometheus),
                headers: self.templates(prometheus, "headers", Place::Private),
                query: self.template(prometheus, "query", Place::Promql).unwrap_or_default(),
            });
        }
        if of.has("tcp") {
            return ProbeSource::Tcp(self.template(of, "tcp", Place::Open).unwrap_or_default());
        }
        ProbeSource::Run(match of.get("run") {
            Some(node) => self.run(of, node),
            // It has its problem: no source.
            None => Run {
                command: RunCommand::Args(vec![Template("false".to_owned())]),
                cwd: None,
                env: BTreeMap::new(),
                stdin: None,
                exit: vec![0],
                expect: None,
            },
        })
    }

    /// What is sent goes with the method, and what is read with what it answers.
    fn fits_its_method(&mut self, of: Fields<'t>, part: &HttpPart) {
        let method = of.text("method").unwrap_or(GET);
        for key in ["send", "body"] {
            if of.has(key) && method != "POST" {
                self.out_of_place(key, of.at_key(key), format!("`{key}` goes with `method = \"POST\"`"));
            }
        }
        let reads_body = match part {
            HttpPart::Body | HttpPart::Json(_) | HttpPart::Regex(_) => true,
            HttpPart::Status | HttpPart::Latency => false,
        };
        if method == "HEAD" && reads_body {
            let key = ["json", "regex"].into_iter().find(|key| of.has(key)).unwrap_or("method");
            let help = "an answer to HEAD has no body: read `status = true` or `latency = true` of it";
            self.out_of_place(key, of.at_key(key), help);
        }
    }

    pub(super) fn guard(&mut self, id: GuardId, name: &str, of: Fields<'t>) -> Guard {
        let scope = self.scope(of);
        let failures = of.whole("failures").unwrap_or(2);
        let among = of.whole("of").unwrap_or(3.max(failures));
        if failures > among {
            let at = of.at_key(if of.has("failures") { "failures" } else { "of" });
            self.problem(Problem::FailuresAbove { failures, of: among, key: "of", at });
        }
        let require = self.measuring_condition(name, of, "require");
        let warn = self.measuring_condition(name, of, "warn");
        Guard {
            name: name.to_owned(),
            scope,
            rule: Rule::Condition(Watched {
                every: of
                    .span("every")
                    .unwrap_or_else(|| require.map_or(Span::from_secs(1), |id| self.longest_interval(id))),
                require: require.unwrap_or_else(|| self.expressions.stand_in()),
                warn,
                failures,
                of: among,
            }),
            no_data: no_data(of, self.defaults().no_data),
            on_breach: self.on_breach(of, Site::Guard(id, "on_breach")),
            remedy: of.owned("remedy"),
        }
    }

    /// Where a guard or a budget is awake.
    pub(super) fn scope(&mut self, of: Fields<'t>) -> Scope {
        if self.here != 0 && of.has("phases") {
            let help = "a part has no phases: say `steps`, or nothing for all steps of the part";
            self.out_of_place("phases", of.at_key("phases"), help);
        }
        if of.has("phases") && self.here == 0 {
            Scope::Phases(self.named(of, "phases", Self::phase))
        } else if of.has("steps") {
            Scope::Steps(self.named(of, "steps", Self::step))
        } else if self.here != 0 {
            // A part knows nothing of what comes before it and after it.
            let own = self.names.steps.iter().enumerate().filter(|(_, step)| step.scope == self.here);
            Scope::Steps(own.map(|(n, _)| StepId::at(n)).collect())
        } else {
            Scope::Everywhere
        }
    }

    /// A condition of a guard: without a probe it would never be judged.
    fn measuring_condition(&mut self, guard: &str, of: Fields<'t>, key: &'static str) -> Option<ConditionId> {
        let problems_before = self.problems.len();
        let condition = self.condition(of, key)?;
        let is_read = self.problems.len() == problems_before;
        if is_read && self.expressions.conditions[condition.index()].probes.is_empty() {
            self.problem(Problem::GuardWithoutProbe { guard: guard.to_owned(), key, at: of.at_key(key) });
        }
        Some(condition)
    }

    fn longest_interval(&self, condition: ConditionId) -> Span {
        let probes = &self.expressions.conditions[condition.index()].probes;
        probes.iter().map(|id| self.probes[id.index()].interval).max().unwrap_or(Span::from_secs(1))
    }
}

fn part(of: Fields<'_>) -> HttpPart {
    if let Some(pointer) = of.owned("json") {
        return HttpPart::Json(pointer);
    }
    if let Some(regex) = of.owned("regex") {
        return HttpPart::Regex(regex);
    }
    match (of.has("status"), of.has("latency")) {
        (true, _) => HttpPart::Status,
        (false, true) => HttpPart::Latency,
        (false, false) => HttpPart::Body,
    }
}
