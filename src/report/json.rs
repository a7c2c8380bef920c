//! One JSON object a line: the run for machines (DESIGN section 5).

use std::io::Write;
use std::sync::Arc;

use serde::Serialize;

use super::{Reporter, Told, View, words};
use crate::model::Plan;

/// The fields, in the order in which they are written; what does not apply is left out.
#[derive(Serialize)]
struct Object<'a> {
    at: String,
    run: &'a str,
    event: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    step: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    attempt: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    phase: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    guard: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    gate: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<serde_json::Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    remedy: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    who: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    evidence: Option<&'a str>,
    sentence: String,
}

/// A notice as one JSON object, without a line break.
pub fn line(plan: &Plan, run: &str, told: &Told) -> String {
    let news = words::news(plan, &told.notice);
    let object = Object {
        at: format!("{:.3}", told.wall),
        run,
        event: news.event,
        step: news.step,
        attempt: news.attempt,
        phase: news.phase,
        guard: news.guard,
        gate: news.gate,
        outcome: news.outcome,
        cause: news.cause,
        target: news.target,
        value: news.value,
        remedy: news.remedy,
        who: words::who(told),
        evidence: words::evidence(told),
        sentence: words::sentence(plan, told),
    };
    serde_json::to_string(&object).expect("texts and numbers under fixed names are always JSON")
}

/// Writes one object a line.
pub struct Json<W> {
    plan: Arc<Plan>,
    run: String,
    to: W,
    /// The reader went away.
    lost: bool,
}

impl<W: Write> Json<W> {
    /// Tells of the run `run` of `plan`.
    pub fn new(plan: Arc<Plan>, run: impl Into<String>, to: W) -> Self {
        Self { plan, run: run.into(), to, lost: false }
    }
}

impl<W: Write> Reporter for Json<W> {
    fn tell(&mut self, told: &Told) {
        if !self.lost {
            // A reader that went away must not take the operation with it.
            self.lost = writeln!(self.to, "{}", line(&self.plan, &self.run, told)).is_err();
        }
    }

    fn refresh(&mut self, _view: &View) {}

    fn suspend(&mut self) {}

    fn resume(&mut self) {}

    fn finish(&mut self) {
        self.lost |= self.to.flush().is_err();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn each_notice_is_one_object_with_the_fields_of_the_design() {
        let plan = Arc::new(sample::plan());
        let mut to = Vec::new();
        let mut json = Json::new(Arc::clone(&plan), "7f3a", &mut to);
        for told in sample::rolled_back(&plan) {
            json.tell(&told);
        }
        json.finish();
        let text = String::from_utf8(to).expect("text");
        for line in text.lines() {
            let value: serde_json::Value = serde_json::from_str(line).expect("each line is JSON");
            for key in ["at", "run", "event", "sentence"] {
                assert!(value[key].is_string(), "{key} is missing in {line}");
            }
        }
        insta::assert_snapshot!(text, @r#"
    {"at":"2026-11-20T12:00:00.000Z","run":"7f3a","event":"run.started","sentence":"run of promote_orders_db starts: 3 phases, 8 steps"}
    {"at":"2026-11-20T12:00:00.002Z","run":"7f3a","event":"phase.started","phase":"warmup","sentence":"phase warmup starts"}
    {"at":"2026-11-20T12:00:00.005Z","run":"7f3a","event":"step.started","step":"basebackup","attempt":1,"phase":"warmup","sentence":"step basebackup starts"}
    {"at":"2026-11-20T12:00:09.300Z","run":"7f3a","event":"step.retrying","step":"basebackup","phase":"warmup","cause":"action","evidence":"exit code 1\npg_basebackup: error: connection refused","sentence":"step basebackup is tried again in 5s (try 2 of 3): its action failed: exit code 1 pg_basebackup: error: connection refused"}
    {"at":"2026-11-20T12:00:14.300Z","run":"7f3a","event":"step.started","step":"basebackup","attempt":2,"phase":"warmup","sentence":"step basebackup starts (attempt 2)"}
    {"at":"2026-11-20T12:01:14.500Z","run":"7f3a","event":"step.succeeded","step":"basebackup","phase":"warmup","outcome":"done","sentence":"step basebackup is done"}
    {"at":"2026-11-20T12:01:14.500Z","run":"7f3a","event":"step.started","step":"prewarm","attempt":1,"phase":"warmup","sentence":"step prewarm starts"}
    {"at":"2026-11-20T12:01:20.100Z","run":"7f3a","event":"step.succeeded","step":"prewarm","phase":"warmup","outcome":"done","sentence":"step prewarm is done"}
    {"at":"2026-11-20T12:01:20.200Z","run":"7f3a","event":"phase.succeeded","phase":"warmup","sentence":"phase warmup is done"}
    {"at":"2026-11-20T12:01:20.210Z","run":"7f3a","event":"phase.started","phase":"cutover","sentence":"phase cutover starts"}
    {"at":"2026-11-20T12:01:20.220Z","run":"7f3a","event":"gate.opened","step":"ready","phase":"cutover","gate":"ready","sentence":"gate ready asks: Replica is warm. Cut over now?"}
    {"at":"2026-11-20T12:02:05.000Z","run":"7f3a","event":"gate.answered","step":"ready","phase":"cutover","gate":"ready","outcome":"go","who":"alice","sentence":"gate ready: go, by alice"}
    {"at":"2026-11-20T12:02:05.000Z","run":"7f3a","event":"step.succeeded","step":"ready","phase":"cutover","outcome":"done","who":"alice","sentence":"step ready is done, by alice"}
    {"at":"2026-11-20T12:02:05.000Z","run":"7f3a","event":"step.started","step":"fence_old","attempt":1,"phase":"cutover","sentence":"step fence_old starts"}
    {"at":"2026-11-20T12:02:06.200Z","run":"7f3a","event":"step.succeeded","step":"fence_old","phase":"cutover","outcome":"done","sentence":"step fence_old is done"}
    {"at":"2026-11-20T12:02:06.210Z","run":"7f3a","event":"step.started","step":"promote","attempt":1,"phase":"cutover","sentence":"step promote starts"}
    {"at":"2026-11-20T12:02:07.000Z","run":"7f3a","event":"step.measuring","step":"promote","phase":"cutover","sentence":"step promote: the action ended, now its criteria are measured"}
    {"at":"2026-11-20T12:02:08.400Z","run":"7f3a","event":"guard.breached","guard":"errors","evidence":"probe.errors = 112 /s","sentence":"guard errors breached (`probe.errors < 5`); the run goes back: probe.errors = 112 /s"}
    {"at":"2026-11-20T12:02:08.400Z","run":"7f3a","event":"rollback.started","guard":"errors","cause":"guard_breached","target":"start","evidence":"probe.errors = 112 /s","sentence":"rollback starts, back to the start: guard errors was breached: probe.errors = 112 /s"}
    {"at":"2026-11-20T12:02:08.400Z","run":"7f3a","event":"undo.started","step":"promote","attempt":2,"phase":"cutover","sentence":"undo of promote starts"}
    {"at":"2026-11-20T12:02:10.000Z","run":"7f3a","event":"undo.succeeded","step":"promote","phase":"cutover","outcome":"undone","sentence":"step promote is undone"}
    {"at":"2026-11-20T12:02:10.010Z","run":"7f3a","event":"undo.started","step":"fence_old","attempt":2,"phase":"cutover","sentence":"undo of fence_old starts"}
    {"at":"2026-11-20T12:02:10.900Z","run":"7f3a","event":"undo.succeeded","step":"fence_old","phase":"cutover","outcome":"undone","sentence":"step fence_old is undone"}
    {"at":"2026-11-20T12:02:10.910Z","run":"7f3a","event":"undo.started","step":"basebackup","attempt":2,"phase":"warmup","sentence":"undo of basebackup starts"}
    {"at":"2026-11-20T12:02:13.000Z","run":"7f3a","event":"undo.succeeded","step":"basebackup","phase":"warmup","outcome":"undone","sentence":"step basebackup is undone"}
    {"at":"2026-11-20T12:02:13.000Z","run":"7f3a","event":"rollback.measuring","target":"start","sentence":"all is undone; now the start is measured"}
    {"at":"2026-11-20T12:02:14.000Z","run":"7f3a","event":"rollback.finished","target":"start","sentence":"rollback finished, back at the start, verified"}
    {"at":"2026-11-20T12:02:14.000Z","run":"7f3a","event":"run.finished","outcome":"rolled_back","sentence":"run rolled back, and verified"}
    "#);
    }
}
