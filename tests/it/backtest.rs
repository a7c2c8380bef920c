//! `backtest`, on a real Prometheus with a past that was planted.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use jiff::Timestamp;
use runbook::measure::{Finding, Judge, Scope, Series};
use runbook::model::{Figure, GuardId, Plan, ProbeId, StepOutcome, Time, Value as Known};
use runbook::syntax;
use serde_json::{Value, json};

use crate::support::prometheus::Prometheus;
use crate::support::web;

/// Seconds between two samples, and between two looks.
const STEP: u64 = 15;

fn backtest(folder: &Path, runbook: &str, flags: &[&str]) -> Output {
    fs::write(folder.join("guards.toml"), runbook).expect("the runbook can be written");
    Command::new(env!("CARGO_BIN_EXE_runbook"))
        .args(["backtest", "guards.toml"])
        .args(flags)
        .current_dir(folder)
        .output()
        .expect("it runs")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// What it said of each guard, for machines.
fn objects(output: &Output) -> Vec<Value> {
    let lines = String::from_utf8_lossy(&output.stdout).into_owned();
    lines.lines().map(|line| serde_json::from_str(line).expect("an object a line")).collect()
}

/// The full hour that lies so many hours back.
fn hours_ago(hours: i64) -> i64 {
    Timestamp::now().as_second() / 3600 * 3600 - hours * 3600
}

fn stamp(second: i64) -> String {
    Timestamp::from_second(second).expect("a time").to_string()
}

/// Breaches of a guard: from when to when, in seconds behind `base`.
fn breaches(object: &Value, base: i64) -> Vec<(i64, Option<i64>)> {
    spells(&object["breaches"], base)
}

fn spells(list: &Value, base: i64) -> Vec<(i64, Option<i64>)> {
    let seconds = |value: &Value| {
        let at = value.as_str()?.parse::<Timestamp>().expect("a time");
        Some((at.as_millisecond() - base * 1000) / 1000)
    };
    let list = list.as_array().expect("a list").iter();
    list.map(|spell| (seconds(&spell["at"]).expect("it began"), seconds(&spell["until"]))).collect()
}

/// A gauge with a sample 5 s before each look, where it has a value.
fn gauge(name: &str, labels: &str, base: i64, seconds: u64, value: impl Fn(u64) -> Option<f64>) -> String {
    let mut text = String::new();
    for second in (0..=seconds).step_by(15) {
        if let Some(value) = value(second) {
            let at = base + i64::try_from(second).expect("small") - 5;
            let _ = writeln!(text, "{name}{{{labels}}} {value} {at}");
        }
    }
    text
}

#[test]
fn a_backtest_names_exactly_the_faults_that_a_real_prometheus_remembers() {
    // 49 hours: more moments than are asked for at once. The second fault lies across the first border, at 75,000 s.
    let (base, length) = (hours_ago(50), 49 * 3600);
    let value = |second| match second {
        10_800 => Some(0.5),
        18_000..18_090 | 74_970..75_060 => Some(0.2),
        108_000..109_800 => None,
        175_000.. => Some(0.3),
        _ => Some(0.001),
    };
    let samples = gauge("errors", "job=\"orders\"", base, length, value);
    let server = Prometheus::remembering(&format!("# TYPE errors gauge\n{samples}# EOF\n"));
    let runbook = format!(
        r#"
format = 1
[runbook]
name = "look_back"
timeout = "1m"
[vars]
job = "nobody's"
[probe.errors]
prometheus = {{ url = "{url}", query = "errors{{job='{{{{vars.job}}}}'}}" }}
interval = "15s"
[probe.disk]
run = ["df"]
[guard.errors]
require = "probe.errors <= 0.01"
warn = "probe.errors <= 0.25"
[guard.patient]
require = "probe.errors <= 0.01"
warn = "probe.errors <= 0.01 || probe.disk < 90"
failures = 7
of = 7
no_data = "pause"
[guard.disk]
require = "probe.disk < 90 && probe.errors < 1"
[step.go]
wait = "1s"
"#,
        url = server.url()
    );
    let folder = tempfile::tempdir().expect("a folder");
    let (since, until) = (stamp(base), stamp(base + i64::try_from(length).expect("small")));
    let flags = ["--since", &since, "--until", &until, "--var", "job=orders"];

    let json = backtest(folder.path(), &runbook, &[&flags[..], &["--output", "json"]].concat());
    assert_eq!(json.status.code(), Some(0), "{}", said(&json));
    let [errors, patient, disk] = objects(&json).try_into().expect("three guards");
    // The second bad look of each fault, and the second good one behind it; a value is worth 5 minutes to Prometheus. What
    // lasted for one look is none.
    let planted = [(18_015, Some(18_105)), (74_985, Some(75_075)), (108_300, Some(109_815)), (175_020, None)];
    assert_eq!(breaches(&errors, base), planted);
    assert_eq!(
        spells(&errors["warned"], base),
        [(108_300, Some(109_815)), (175_020, None)],
        "no data counts as failing"
    );
    assert_eq!(errors["judged"], json!(length / STEP + 1));
    assert_eq!(errors["no_data_ms"], json!((109_800 - 108_285) * 1000));
    assert_eq!(errors["not_met_ms"], json!((15 + 90 + 90 + (length - 175_005)) * 1000));
    assert_eq!(errors["why_no_data"], "nothing matches the query: its answer is empty");

    assert_eq!(breaches(&patient, base), [(175_095, None)], "six bad looks are not seven");
    let blind = patient["blind"].as_array().expect("a list");
    assert_eq!(blind.len(), 1, "{blind:?}");
    assert_eq!(blind[0]["ms"], json!((109_800 - 108_375) * 1000));

    assert_eq!(patient["why_not_warned"], disk["why"]);
    assert_eq!(disk["why"], "probe.disk is a run probe, whose past nobody keeps");

    let plain = said(&backtest(folder.path(), &runbook, &flags));
    assert!(plain.lines().all(|line| line.len() <= 100), "{plain}");
    let row = plain.lines().find(|line| line.starts_with("errors ")).expect("its row");
    assert_eq!(row.split_whitespace().collect::<Vec<_>>()[..2], ["errors", "4"], "{plain}");
    assert!(plain.contains("cannot be tested: probe.disk is a run probe"), "{plain}");
    assert!(plain.contains("for 1m 30s: 2 of the last 3 samples failed: probe.errors = 0.2"), "{plain}");
}

/// A scope in which nothing is known but samples.
pub(crate) struct Nothing;

impl Scope for Nothing {
    fn var(&self, _: &str) -> Option<Known> {
        None
    }
    fn probe(&self, _: &str) -> Option<Value> {
        None
    }
    fn series(&self, _: &str) -> Option<&Series> {
        None
    }
    fn baseline(&self, _: &str, _: Figure) -> Option<Value> {
        None
    }
    fn step_outcome(&self, _: &str) -> Option<StepOutcome> {
        None
    }
    fn step_attempts(&self, _: &str) -> Option<u32> {
        None
    }
    fn step_output(&self, _: &str, _: &str) -> Option<Known> {
        None
    }
    fn local(&self, _: &str) -> Option<Value> {
        None
    }
}

/// Asks as a live probe does, at a moment of the past.
fn instant(server: &Prometheus, query: &str, at: i64) -> Option<Value> {
    let answer = server.get(&format!("/api/v1/query?query={query}&time={at}")).expect("an answer");
    let (_, body) = answer.split_once("\r\n\r\n").expect("a body");
    let answer: Value = serde_json::from_str(body).expect("JSON");
    let [one] = answer["data"]["result"].as_array().expect("a vector").as_slice() else { return None };
    one["value"][1].as_str().expect("a text").parse().ok().map(|number: f64| json!(number))
}

/// When each guard would have breached, told by the judge, one instant query after the other.
fn judged_live(plan: &Plan, server: &Prometheus, queries: &[&str], base: i64, seconds: u64) -> Vec<Vec<i64>> {
    let mut judge: Judge<()> = Judge::new(plan);
    let guards: Vec<GuardId> = plan.guard_ids().collect();
    for guard in &guards {
        judge.watch_guard(*guard, Time::ZERO, &Nothing);
    }
    let probes: Vec<ProbeId> = plan
        .guards()
        .iter()
        .flat_map(|guard| guard.rule.conditions())
        .flat_map(|it| &plan.condition(it).probes)
        .copied()
        .collect();
    let mut breaches = vec![Vec::new(); guards.len()];
    for second in (0..=seconds).step_by(15) {
        let (at, behind) = (Time::from_millis(second * 1000), i64::try_from(second).expect("small"));
        for (name, query) in ["errors", "lag"].iter().zip(queries) {
            let probe = probes.iter().find(|probe| plan.probe(**probe).name == *name).expect("it is read");
            let value = instant(server, query, base + behind);
            judge.began(*probe, at);
            for finding in judge.sample(*probe, at, at, value, &Nothing) {
                if let Finding::GuardBreached { guard, .. } = finding {
                    breaches[guards.iter().position(|known| *known == guard).expect("it is watched")].push(behind);
                }
            }
        }
    }
    breaches
}

#[test]
fn a_backtest_and_a_judge_that_is_fed_look_by_look_tell_the_same_breaches() {
    let (base, length) = (hours_ago(8), 6 * 3600);
    // A fault now and then, drawn by a fixed sequence; gaps; and two targets at once while one takes over from the other.
    let drawn = |second: u64| (second / STEP).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56;
    let errors = |second: u64| match drawn(second / 60 * 60) {
        0..40 => Some(0.2),
        40..60 => None,
        _ => Some(if drawn(second) < 60 { 0.02 } else { 0.001 }),
    };
    let old = |second: u64| (second < 9_000).then(|| real(second % 1_000));
    let new = |second: u64| (second >= 8_700).then(|| real(second % 700));
    let samples = format!(
        "# TYPE errors gauge\n{}# TYPE lag gauge\n{}{}# EOF\n",
        gauge("errors", "job=\"a\"", base, length, errors),
        gauge("lag", "pod=\"old\"", base, length, old),
        gauge("lag", "pod=\"new\"", base, length, new),
    );
    let server = Prometheus::remembering(&samples);
    let probe = |name: &str, query: &str| {
        format!(
            "[probe.{name}]\nprometheus = {{ url = \"{}\", query = \"{query}\" }}\ninterval = \"15s\"\n",
            server.url()
        )
    };
    let guards = "
[guard.plain]
require = 'probe.errors <= 0.01'
[guard.ignoring]
require = 'probe.errors <= 0.01'
no_data = 'ignore'
failures = 3
of = 10
[guard.history]
require = \"series.errors.p(50, '2m') <= 0.01 && series.errors.count('2m') > 4\"
[guard.both]
require = 'probe.errors * 1000.0 + probe.lag < 900.0'
every = '1m'
[guard.lag]
require = 'probe.lag < 600'
failures = 4
of = 5
[step.go]
wait = '1s'
";
    // `errors` is stale after a minute: gaps are gaps.
    let queries = ["last_over_time(errors[1m])", "lag"];
    let runbook = format!(
        "format = 1\n[runbook]\nname = 'agree'\ntimeout = '1m'\n{}{}{guards}",
        probe("errors", queries[0]),
        probe("lag", queries[1])
    );
    let folder = tempfile::tempdir().expect("a folder");
    let (since, until) = (stamp(base), stamp(base + i64::try_from(length).expect("small")));
    let flags = ["--since", &since, "--until", &until, "--output", "json"];
    let output = backtest(folder.path(), &runbook, &flags);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));

    let plan = syntax::read(&runbook).plan.expect("a runbook");
    let live = judged_live(&plan, &server, &queries, base, length);
    for (object, live) in objects(&output).iter().zip(live) {
        let begun: Vec<i64> = breaches(object, base).into_iter().map(|(from, _)| from).collect();
        assert_eq!(begun, live, "{object:#}");
        assert!(!live.is_empty(), "this test wants breaches: {object:#}");
    }
}

#[expect(clippy::cast_precision_loss, reason = "small")]
fn real(number: u64) -> f64 {
    number as f64
}

const NOTHING_REMEMBERED: &str = r#"
format = 1
[runbook]
name = "now_only"
timeout = "1m"
rollback_timeout = "1m"
[vars]
token = { default = "swordfish-9000", secret = true }
[probe.errors]
prometheus = { url = "URL", query = "errors", headers = { Authorization = "Bearer {{vars.token}}" } }
[probe.load]
tcp = "127.0.0.1:9"
[baseline]
probes = ["errors"]
GUARDS
[step.go]
run = "true"
timeout = "5s"
outputs = { ok = "stdout" }
undo = { run = "true", timeout = "5s" }
"#;

#[test]
fn what_only_a_run_knows_is_not_tested_and_where_nothing_can_be_that_is_refused() {
    let guards = "
[guard.compared]
require = 'probe.errors <= baseline.errors.max'
[guard.after]
require = \"probe.errors < 1 || steps.go.outcome == 'pending'\"
[guard.load]
require = 'probe.load < 5'
[budget.lost]
bad = 'errors'
allow = 5
";
    let folder = tempfile::tempdir().expect("a folder");
    let runbook = NOTHING_REMEMBERED.replace("GUARDS", guards).replace("URL", &web::nobody());
    let output = backtest(folder.path(), &runbook, &["--output", "json"]);
    assert_eq!(output.status.code(), Some(3), "{}", said(&output));
    let why: Vec<Value> = objects(&output).iter().map(|object| object["why"].clone()).collect();
    let wanted = [
        "it compares with the baseline, which only a run takes",
        "it reads what steps leave behind, which only a run has",
        "probe.load is a tcp probe, whose past nobody keeps",
        "it is a budget: what it counts begins with its scope, which only a run has",
    ];
    assert_eq!(why, wanted);
    let none = backtest(folder.path(), &NOTHING_REMEMBERED.replace("GUARDS", "").replace("URL", &web::nobody()), &[]);
    assert_eq!((none.status.code(), said(&none).contains("has no guard")), (Some(3), true), "{}", said(&none));
}

#[test]
fn a_server_that_does_not_answer_is_no_missing_data_and_the_secret_it_was_sent_is_not_seen() {
    let guard = "[guard.errors]\nrequire = 'probe.errors <= 1'\n";
    let url = web::serve(|asked, open| {
        let authorization = asked.headers.iter().find(|line| line.to_lowercase().starts_with("authorization:"));
        let echo = authorization.cloned().unwrap_or_default();
        open.answer(401, "", &format!(r#"{{"status":"error","errorType":"unauthorized","error":"{echo}"}}"#));
    });
    let folder = tempfile::tempdir().expect("a folder");
    for (url, wanted) in [(url, "status 401: unauthorized"), (web::nobody(), "no connection")] {
        let runbook = NOTHING_REMEMBERED.replace("GUARDS", guard).replace("URL", &url);
        for form in ["plain", "json"] {
            let output = backtest(folder.path(), &runbook, &["--output", form]);
            let said = said(&output);
            assert_eq!(output.status.code(), Some(1), "{said}");
            assert!(said.contains(wanted) && !said.contains("swordfish"), "{said}");
            assert_eq!(said.contains("[secret]"), wanted.starts_with("status"), "{said}");
        }
    }
}

#[test]
fn a_stretch_that_is_none_is_wrong_usage() {
    let folder = tempfile::tempdir().expect("a folder");
    let runbook = NOTHING_REMEMBERED.replace("GUARDS", "").replace("URL", "http://localhost");
    for (flags, wanted) in [
        (vec!["--since", "yesterday"], "`--since yesterday` is no time"),
        (vec!["--since", "1h", "--until", "2h"], "there is nothing from"),
        (vec!["--until", "9000-01-01T00:00:00Z"], "still to come"),
    ] {
        let output = backtest(folder.path(), &runbook, &flags);
        assert_eq!((output.status.code(), said(&output).contains(wanted)), (Some(2), true), "{}", said(&output));
    }
}
