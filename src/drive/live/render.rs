//! From an action of the plan to what is sent: every template filled in by the rules of its place.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value as Json;

use super::attempt::Expect;
use super::scope::RunScope;
use super::{http, sql};
use crate::model::{AttemptId, Body, Http, Output, Run, RunCommand, Span, Sql, Statements, Template, Value};
use crate::syntax::template::{self, Place, RenderError, Values};

/// A process as it is started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// The program and its arguments.
    pub argv: Vec<String>,
    /// Added to our own environment.
    pub env: BTreeMap<String, String>,
    /// Where it starts.
    pub cwd: PathBuf,
    /// Fed to it; without it, `/dev/null`.
    pub stdin: Option<String>,
}

/// What an action is rendered for: an attempt of a step, or a sample of a probe.
#[derive(Clone)]
pub struct Errand<'a> {
    /// Where values come from.
    pub scope: &'a RunScope,
    /// Which attempt; `None` for a probe.
    pub attempt: Option<AttemptId>,
    /// Its bound.
    pub bound: Span,
    /// What must hold over the answer.
    pub expect: Option<Expect>,
}

/// The values of a run, and that of a ramp where its value is set.
struct Filling<'a> {
    scope: &'a RunScope,
    value: Option<&'a Json>,
}

impl Values for Filling<'_> {
    fn get(&self, path: &str) -> Option<Value> {
        match (path, self.value) {
            ("value", Some(value)) => Some(Value { json: value.clone(), secret: false }),
            _ => self.scope.get(path),
        }
    }
}

impl<'a> Errand<'a> {
    /// A sample within that time.
    pub fn sample(scope: &'a RunScope, bound: Span) -> Self {
        Self { scope, attempt: None, bound, expect: None }
    }

    fn values(&self) -> Filling<'_> {
        Filling { scope: self.scope, value: self.attempt.and_then(|attempt| self.scope.value_of(attempt)) }
    }

    fn text(&self, template: &Template, place: Place) -> Result<String, RenderError> {
        template::text(&template.0, place, &self.values())
    }

    /// A process. `output` is the file for its `name=value` lines.
    pub fn process(&self, run: &Run, output: Option<&Path>) -> Result<Process, RenderError> {
        let mut env = self.scope.environment(self.attempt, output);
        for (name, value) in self.scope.plan().about().env.iter().chain(&run.env) {
            env.insert(name.clone(), self.text(value, Place::Private)?);
        }
        let argv = match &run.command {
            RunCommand::Args(arguments) => {
                arguments.iter().map(|argument| self.text(argument, Place::Argument)).collect::<Result<_, _>>()?
            }
            RunCommand::Script { text, shell } => {
                let place = Place::of_script(shell);
                let script = if place == Place::Script {
                    let script = template::script(&text.0, &self.values())?;
                    env.extend(script.env);
                    script.text
                } else {
                    self.text(text, place)?
                };
                shell.iter().cloned().chain([script]).collect()
            }
        };
        let cwd = match &run.cwd {
            Some(cwd) => self.scope.folder().join(self.text(cwd, Place::Argument)?),
            None => self.scope.folder().to_owned(),
        };
        let stdin = run.stdin.as_ref().map(|stdin| self.text(stdin, Place::Data)).transpose()?;
        Ok(Process { argv, env, cwd, stdin })
    }

    /// A request.
    pub fn request(&self, http: &Http, outputs: &[Output]) -> Result<http::Request, RenderError> {
        let mut headers = Vec::new();
        for (name, value) in &http.headers {
            headers.push((name.clone(), self.text(value, Place::Private)?));
        }
        let mut unless_said = |name: &str, value: String| {
            if !headers.iter().any(|(said, _)| said.eq_ignore_ascii_case(name)) {
                headers.push((name.to_owned(), value));
            }
        };
        unless_said("traceparent", self.scope.trace(self.attempt));
        let body = match &http.body {
            Body::Empty => None,
            Body::Text(text) => Some(self.text(text, Place::Data)?),
            Body::Json(json) => {
                unless_said("content-type", "application/json".to_owned());
                Some(template::json(json, &self.values())?.to_string())
            }
        };
        Ok(http::Request {
            method: http.method.clone(),
            url: self.text(&http.url, Place::Open)?,
            headers,
            body: body.map(String::into_bytes),
            status: http.status,
            expect: self.expect.clone(),
            settle: http.settle.unwrap_or(self.bound).duration(),
            bound: self.bound.duration(),
            outputs: outputs.to_vec(),
        })
    }

    /// Statements.
    pub fn statements(&self, sql: &Sql) -> Result<sql::Statements, RenderError> {
        let statement = |template: &Template| template::sql_text(&template.0, &self.values());
        let (texts, query) = match &sql.statements {
            Statements::Query(text) => (vec![statement(text)?], true),
            Statements::Execute(texts) => (texts.iter().map(statement).collect::<Result<_, _>>()?, false),
        };
        let about = &self.scope.plan().about().name;
        Ok(sql::Statements {
            url: self.text(&sql.url, Place::Open)?,
            password: sql.password.as_ref().map(|password| self.text(password, Place::Private)).transpose()?,
            texts,
            query,
            params: sql.params.iter().map(|param| template::json(param, &self.values())).collect::<Result<_, _>>()?,
            expect: self.expect.clone(),
            rows: sql.rows,
            bound: self.bound.duration(),
            folder: self.scope.folder().to_owned(),
            session: match self.attempt {
                Some(attempt) => format!("runbook {about} {}", self.scope.plan().step(attempt.step).name),
                None => format!("runbook {about} probe"),
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::scope::tests::scope;
    use super::*;
    use crate::model::{Attempt, Part, StepId};

    fn template(text: &str) -> Template {
        Template(text.to_owned())
    }

    fn run(command: RunCommand) -> Run {
        Run { command, cwd: None, env: BTreeMap::new(), stdin: None, exit: vec![0], expect: None }
    }

    fn attempt(scope: &RunScope) -> Errand<'_> {
        let attempt = AttemptId { step: StepId::at(0), part: Part::Forward, number: Attempt::FIRST };
        Errand { attempt: Some(attempt), ..Errand::sample(scope, Span::from_secs(5)) }
    }

    #[test]
    fn a_value_never_becomes_script_text() {
        let scope = scope(&[("x", json!("'; rm -rf / #"), false)]);
        let shell = ["sh", "-eu", "-c"].map(String::from).to_vec();
        let command = RunCommand::Script { text: template("echo {{vars.x}}"), shell };
        let process = attempt(&scope).process(&run(command), None).unwrap();
        assert_eq!(process.argv[..3], ["sh", "-eu", "-c"]);
        assert!(!process.argv[3].contains("rm -rf"));
        assert_eq!(process.env["RUNBOOK_VAR_X"], "'; rm -rf / #");
    }

    #[test]
    fn one_argument_stays_one_argument_and_relative_folders_mean_the_runbooks() {
        let scope = scope(&[("x", json!("a b\n'c"), false), ("password", json!("swordfish"), true)]);
        let mut run = run(RunCommand::Args(vec![template("prog"), template("--x={{vars.x}}")]));
        run.cwd = Some(template("sub"));
        run.stdin = Some(template("{{vars.password}}"));
        run.env.insert("P".into(), template("{{vars.password}}"));
        let process = attempt(&scope).process(&run, None).unwrap();
        assert_eq!(process.argv, ["prog", "--x=a b\n'c"]);
        assert_eq!(process.cwd, std::env::temp_dir().join("sub"));
        assert_eq!((process.stdin.as_deref(), process.env["P"].as_str()), (Some("swordfish"), "swordfish"));

        run.command = RunCommand::Args(vec![template("{{vars.password}}")]);
        assert!(attempt(&scope).process(&run, None).is_err(), "a secret in a command line");
    }

    #[test]
    fn a_request_keeps_the_types_of_its_json_and_says_what_it_is() {
        let scope = scope(&[("weight", json!(20), false), ("host", json!("h"), false)]);
        let http = Http {
            method: "PUT".into(),
            url: template("http://{{vars.host}}/w"),
            headers: BTreeMap::from([("X-Run".into(), template("{{run.id}}"))]),
            body: Body::Json(json!({"weight": "{{vars.weight}}"})),
            status: (200, 299),
            expect: None,
            settle: None,
        };
        let request = attempt(&scope).request(&http, &[]).unwrap();
        assert_eq!(request.url, "http://h/w");
        assert_eq!(request.body.as_deref(), Some(br#"{"weight":20}"#.as_slice()));
        let header =
            |name: &str| request.headers.iter().find(|(said, _)| said == name).map(|(_, value)| value.as_str());
        assert_eq!(header("X-Run"), Some("r1"));
        assert_eq!(header("content-type"), Some("application/json"));
        assert!(header("traceparent").is_some());
        assert_eq!(request.settle, request.bound, "the time to settle is the timeout unless it is said");
    }

    #[test]
    fn a_statement_takes_values_as_parameters_only() {
        let scope = scope(&[("x", json!("1; drop table t"), false)]);
        let mut sql = Sql {
            url: template("sqlite:x.db"),
            password: None,
            statements: Statements::Execute(vec![template("delete from t where a = ?1")]),
            params: vec![json!("{{vars.x}}")],
            expect: None,
            rows: None,
        };
        assert_eq!(attempt(&scope).statements(&sql).unwrap().params, [json!("1; drop table t")]);
        sql.statements = Statements::Query(template("select {{vars.x}}"));
        assert!(attempt(&scope).statements(&sql).is_err());
    }
}
