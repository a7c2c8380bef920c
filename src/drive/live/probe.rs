//! Probes: one poller per probe however many use it, never two polls of one under way, polled only while needed (R13).
//!
//! A poll that fails, is late or says nothing usable is one sample without a value. What a sample means is `measure`'s.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value as Json;
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at, timeout};

use super::http::{self, NoAnswer, send};
use super::reading::{self, excerpt};
use super::render::Errand;
use super::run_probe;
use super::scope::RunScope;
use super::secret::{MASK, Secrets};
use super::sql::Connection;
use super::{prometheus, tcp_probe};
use crate::model::{HttpPart, Plan, Probe, ProbeAs, ProbeId, ProbeSource, Time};
use crate::syntax::template::{self, Place, RenderError};

/// One measurement.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// Of what.
    pub probe: ProbeId,
    /// When the probe was asked: what freshness is about.
    pub asked: Time,
    /// When the answer was there.
    pub arrived: Time,
    /// What it was; `None` is no data.
    pub value: Option<Json>,
    /// Why there is no data; secrets are masked.
    pub why_none: Option<String>,
}

/// What time it is in the run.
pub type Now = Arc<dyn Fn() -> Time + Send + Sync>;

/// What every poll works from.
#[derive(Clone)]
pub struct Surroundings {
    /// Variables and what steps left behind.
    pub scope: Arc<RunScope>,
    /// Never to be seen.
    pub secrets: Secrets,
}

/// Polls the probes that are needed. Dropping it ends every poll.
pub struct Poller {
    plan: Arc<Plan>,
    now: Now,
    surroundings: watch::Sender<Surroundings>,
    samples: mpsc::Sender<Sample>,
    polls: BTreeMap<ProbeId, Polling>,
}

/// One probe being polled.
struct Polling {
    nudge: Arc<Notify>,
    task: JoinHandle<()>,
}

impl Drop for Polling {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Poller {
    /// A poller that needs nothing yet. Its samples come through `samples`.
    pub fn new(plan: Arc<Plan>, now: Now, surroundings: Surroundings, samples: mpsc::Sender<Sample>) -> Self {
        Self { plan, now, surroundings: watch::Sender::new(surroundings), samples, polls: BTreeMap::new() }
    }

    /// From now on polls work from these.
    pub fn set_surroundings(&mut self, surroundings: Surroundings) {
        self.surroundings.send_replace(surroundings);
    }

    /// Exactly these are polled from now on: a new one is asked at once, one that is needed no longer is left in the middle
    /// of its answer.
    pub fn set_needed(&mut self, probes: &[ProbeId]) {
        let needed: BTreeSet<ProbeId> = probes.iter().copied().collect();
        self.polls.retain(|probe, _| needed.contains(probe));
        for probe in needed {
            if !self.polls.contains_key(&probe) {
                self.polls.insert(probe, self.begin(probe));
            }
        }
    }

    /// Asks a needed probe now instead of at its next turn; if it is being asked, once more as soon as it has answered, for
    /// that answer is older than the question.
    pub fn ask_now(&self, probe: ProbeId) {
        if let Some(polling) = self.polls.get(&probe) {
            polling.nudge.notify_one();
        }
    }

    fn begin(&self, id: ProbeId) -> Polling {
        let nudge = Arc::new(Notify::new());
        let poll = Poll {
            id,
            plan: Arc::clone(&self.plan),
            now: Arc::clone(&self.now),
            surroundings: self.surroundings.subscribe(),
            samples: self.samples.clone(),
            nudge: Arc::clone(&nudge),
            kept: Kept::Nothing,
        };
        Polling { nudge, task: tokio::spawn(poll.go_on()) }
    }
}

/// The life of one probe while it is needed.
struct Poll {
    id: ProbeId,
    plan: Arc<Plan>,
    now: Now,
    surroundings: watch::Receiver<Surroundings>,
    samples: mpsc::Sender<Sample>,
    nudge: Arc<Notify>,
    kept: Kept,
}

/// What is kept open between two polls, with the address it leads to.
enum Kept {
    Nothing,
    Http(reqwest::Client, String),
    Sql(Connection, String),
}

impl Poll {
    async fn go_on(mut self) {
        let interval = self.plan.probe(self.id).interval.duration().max(Duration::from_millis(1));
        let mut turns = turns(interval);
        loop {
            tokio::select! {
                _ = turns.tick() => {}
                () = self.nudge.notified() => {}
            }
            let sample = self.ask().await;
            if self.samples.send(sample).await.is_err() {
                return;
            }
        }
    }

    async fn ask(&mut self) -> Sample {
        let plan = Arc::clone(&self.plan);
        let probe = plan.probe(self.id);
        let surroundings = self.surroundings.borrow().clone();
        let asked = (self.now)();
        let bound = probe.timeout.duration();
        let answer = timeout(bound, answer(probe, &surroundings, &mut self.kept)).await;
        let arrived = (self.now)();
        let value = if let Ok(value) = answer {
            // What was escaped in the answer is masked where it is read.
            value.map(|value| surroundings.secrets.mask_json(&value)).and_then(unless_masked)
        } else {
            // Whatever it was doing ends with its connection.
            self.kept = Kept::Nothing;
            Err(format!("no answer within {}", probe.timeout))
        };
        let (value, why_none) = match value {
            Ok(value) => (Some(value), None),
            Err(why) => (None, Some(surroundings.secrets.mask(&why).into_owned())),
        };
        Sample { probe: self.id, asked, arrived, value, why_none }
    }
}

/// The first turn is now. A late answer costs turns; it never makes them come faster or later.
fn turns(interval: Duration) -> Interval {
    let mut turns = interval_at(Instant::now(), interval);
    turns.set_missed_tick_behavior(MissedTickBehavior::Skip);
    turns
}

/// What was masked in an answer is no value.
fn unless_masked(value: Json) -> Result<Json, String> {
    if value.to_string().contains(MASK) { Err("the answer contains a secret".to_owned()) } else { Ok(value) }
}

/// Asks once. Answers are masked before anything is read from them, so that no message shows a part of a secret.
async fn answer(
    probe: &Probe,
    Surroundings { scope, secrets }: &Surroundings,
    kept: &mut Kept,
) -> Result<Json, String> {
    let errand = Errand::sample(scope, probe.timeout);
    let could_not = |error: RenderError| format!("could not {error}");
    match &probe.source {
        ProbeSource::Run(run) => {
            let process = errand.process(run, None).map_err(could_not)?;
            let mut printed = run_probe::run(&process).await?;
            printed.stdout = secrets.mask(&printed.stdout).into_owned();
            printed.stderr = secrets.mask(&printed.stderr).into_owned();
            said_by_process(&printed, &run.exit, probe.as_)
        }
        ProbeSource::Http { request, part } => {
            let request = errand.request(request, &[]).map_err(could_not)?;
            let answer = over_http(&request, secrets, kept).await?;
            said_over_http(&answer, request.status, part, probe.as_, secrets)
        }
        ProbeSource::Prometheus(query) => {
            let request = prometheus::request(&errand, query)?;
            let answer = over_http(&request, secrets, kept).await?;
            prometheus::said(&answer).and_then(|value| taken_for(value, probe.as_))
        }
        ProbeSource::Tcp(address) => {
            let address = template::text(&address.0, Place::Open, &**scope).map_err(could_not)?;
            tcp_probe::said(tcp_probe::connect(&address).await, probe.as_)
        }
        ProbeSource::Sql(sql) => {
            let statements = errand.statements(sql).map_err(could_not)?;
            let address = format!("{}\n{}", statements.url, statements.password.as_deref().unwrap_or_default());
            if !matches!(kept, Kept::Sql(_, of) if *of == address) {
                let opened = Connection::open(&statements).await?;
                *kept = Kept::Sql(opened, address);
            }
            let Kept::Sql(connection, _) = kept else { return Err("no connection".to_owned()) };
            let text = statements.texts.first().ok_or("there is no statement")?;
            match connection.first(text, &statements.params).await {
                Ok(Some(Json::Null)) => Err("the answer is null".to_owned()),
                Ok(Some(value)) => taken_for(secrets.mask_json(&value), probe.as_),
                Ok(None) => Err("the answer has no row".to_owned()),
                Err(why) => {
                    *kept = Kept::Nothing;
                    Err(why)
                }
            }
        }
    }
}

/// Sends a request over the connection that is kept for its address.
async fn over_http(request: &http::Request, secrets: &Secrets, kept: &mut Kept) -> Result<http::Answer, String> {
    if !matches!(kept, Kept::Http(_, url) if *url == request.url) {
        *kept = Kept::Http(http::client(request, request.bound)?, request.url.clone());
    }
    let Kept::Http(client, _) = kept else { return Err("no client".to_owned()) };
    exchange(client, request, secrets).await
}

/// Sends a request; of what comes back nothing shows a part of a secret.
pub(super) async fn exchange(
    client: &reqwest::Client,
    request: &http::Request,
    secrets: &Secrets,
) -> Result<http::Answer, String> {
    let mut answer = send(client, request).await.map_err(|no| match no {
        NoAnswer::NotSent(why) | NoAnswer::Lost(why) => why,
    })?;
    answer.body = secrets.mask(&answer.body).into_owned();
    Ok(answer)
}

fn said_by_process(printed: &run_probe::Printed, accepted: &[i32], as_: ProbeAs) -> Result<Json, String> {
    let code = printed.status.code();
    let stderr = excerpt(&printed.stderr);
    let complaint = || {
        let ended = printed.status.to_string();
        if stderr.is_empty() { ended } else { format!("{ended}: {stderr}") }
    };
    match (as_, code) {
        (ProbeAs::ExitCode, Some(0)) => Ok(Json::Bool(true)),
        (ProbeAs::ExitCode, Some(1)) => Ok(Json::Bool(false)),
        (ProbeAs::ExitCode, _) => Err(complaint()),
        (_, Some(code)) if accepted.contains(&code) => {
            let taken = taken_for(Json::from(reading::without_newline(&printed.stdout)), as_);
            // A pipe ends as its last program does: what failed before that has spoken here alone.
            taken.map_err(|why| if stderr.is_empty() { why } else { format!("{why} (stderr: {stderr})") })
        }
        _ => Err(complaint()),
    }
}

fn said_over_http(
    answer: &http::Answer,
    accepted: (u16, u16),
    part: &HttpPart,
    as_: ProbeAs,
    secrets: &Secrets,
) -> Result<Json, String> {
    if *part == HttpPart::Status {
        return taken_for(answer.status.into(), as_);
    }
    if !(accepted.0..=accepted.1).contains(&answer.status) {
        return Err(format!("status {}", answer.status));
    }
    match part {
        HttpPart::Status => taken_for(answer.status.into(), as_),
        HttpPart::Latency => {
            reading::decimal_number(answer.took.as_secs_f64() * 1000.0).and_then(|millis| taken_for(millis, as_))
        }
        HttpPart::Body | HttpPart::Json(_) | HttpPart::Regex(_) if answer.cut => {
            Err(format!("the body is longer than {} KiB", http::BODY_MAX / 1024))
        }
        HttpPart::Body => taken_for(Json::from(reading::without_newline(&answer.body)), as_),
        HttpPart::Json(pointer) => match reading::json_part(&answer.body, pointer)? {
            Json::Null => Err(format!("what is at `{pointer}` is null")),
            part => taken_for(secrets.mask_json(&part), as_),
        },
        HttpPart::Regex(pattern) => taken_for(Json::from(reading::matched(&answer.body, pattern)?), as_),
    }
}

/// The answer as what the probe says it is.
pub(super) fn taken_for(answer: Json, as_: ProbeAs) -> Result<Json, String> {
    match (as_, answer) {
        (ProbeAs::Number, number @ Json::Number(_)) => Ok(number),
        (ProbeAs::Number, Json::String(text)) => reading::number(&text),
        (ProbeAs::Text, text @ Json::String(_)) => Ok(text),
        (ProbeAs::Text, other) => Ok(Json::from(other.to_string())),
        (ProbeAs::Bool | ProbeAs::ExitCode, truth @ Json::Bool(_)) => Ok(truth),
        (ProbeAs::Bool | ProbeAs::ExitCode, Json::String(text)) => reading::truth(&text),
        (ProbeAs::Bool | ProbeAs::ExitCode, Json::Number(number)) => reading::truth(&number.to_string()),
        (ProbeAs::Json, Json::String(text)) => reading::json(&text),
        (ProbeAs::Json, other) => Ok(other),
        (ProbeAs::Number, other) => Err(format!("`{}` is not a number", excerpt(&other.to_string()))),
        (ProbeAs::Bool | ProbeAs::ExitCode, other) => {
            Err(format!("`{}` is neither true nor false", excerpt(&other.to_string())))
        }
    }
}

#[cfg(test)]
mod tests;
