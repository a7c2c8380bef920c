use serde_json::json;

use super::*;
use crate::drive::live::probe::Sample;
use crate::drive::live::scope::RunScope;
use crate::model::RunId;

const BOOK: &str = "format = 1\n[runbook]\nname = \"b\"\ntimeout = \"1m\"\nrollback_timeout = \"1m\"\n\
                    [probe.lag]\nrun = \"cat lag\"\ninterval = \"1s\"\ntimeout = \"1s\"\n\
                    [guard.lag]\nrequire = \"probe.lag < 5\"\n\
                    [step.a]\nrun = \"true\"\ntimeout = \"1s\"\neffect = \"none\"\n";

struct Bench {
    folder: tempfile::TempDir,
    plan: Arc<Plan>,
    scope: RunScope,
    gauge: Gauge,
    samples: Samples,
}

impl Bench {
    fn new() -> Self {
        let reading = crate::syntax::read(BOOK);
        let plan = Arc::new(reading.plan.unwrap_or_else(|| panic!("{:?}", reading.problems)));
        let folder = tempfile::tempdir().expect("a folder");
        let scope = RunScope::new(Arc::clone(&plan), RunId("r".into()), std::env::temp_dir(), BTreeMap::new());
        let mut gauge = Gauge::new(Arc::clone(&plan));
        gauge.watch_guard(GuardId::at(0), &scope, Time::ZERO);
        let samples = Samples::new(Arc::clone(&plan), folder.path());
        Self { folder, plan, scope, gauge, samples }
    }

    /// The probe says this at that moment.
    fn says(&mut self, at: u64, value: Result<Json, &str>) {
        let (asked, arrived) = (Time::from_millis(at), Time::from_millis(at + 1));
        let (value, why_none) = match value {
            Ok(value) => (Some(value), None),
            Err(why) => (None, Some(why.to_owned())),
        };
        let sample = Sample { probe: ProbeId::at(0), asked, arrived, value, why_none: why_none.clone() };
        self.gauge.sample(sample, &self.scope);
        let now = Moment { at: arrived, wall: Wall::from_millis(1_000_000 + i64::try_from(at).unwrap() + 1) };
        self.samples.note(ProbeId::at(0), why_none, &self.gauge, now);
        self.samples.write();
    }

    fn file(&self, name: &str) -> String {
        std::fs::read_to_string(self.folder.path().join(name)).unwrap_or_default()
    }

    /// What somebody sees who looks from elsewhere at that moment.
    fn seen(&self, at: u64) -> View {
        let mut view = View::new(&self.plan, "r");
        view.order(&self.plan, Time::ZERO, &crate::engine::Command::WatchGuard { guard: GuardId::at(0) });
        view.look(&self.plan, Time::from_millis(at));
        let mut readings = Readings::of(self.folder.path());
        readings.look();
        readings.fill(&mut view, &self.plan);
        view
    }
}

#[test]
fn every_sample_is_a_line_and_a_guard_is_told_when_it_changes() {
    let mut bench = Bench::new();
    bench.says(1_000, Ok(json!(2)));
    bench.says(2_000, Ok(json!(3)));
    bench.says(3_000, Err("no answer within 1s"));
    let lines: Vec<Json> = bench.file(FILE).lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let probe = |line: &Json| (line["at"].as_u64(), line["probe"].clone(), line["value"].clone());
    assert_eq!(probe(&lines[0]), (Some(1_000), json!("lag"), json!(2)));
    assert_eq!(lines[0]["time"], "1970-01-01T00:16:41.000Z");
    assert_eq!((&lines[1]["guard"], &lines[1]["failing"]), (&json!("lag"), &json!(0)));
    assert_eq!(probe(&lines[2]), (Some(2_000), json!("lag"), json!(3)));
    assert_eq!(lines[3]["no_data"], "no answer within 1s");
    assert_eq!((&lines[4]["guard"], &lines[4]["failing"]), (&json!("lag"), &json!(1)));
    assert_eq!(lines.len(), 5);
}

#[test]
fn whoever_reads_it_sees_values_and_guards_as_the_runs_own_terminal_does() {
    let mut bench = Bench::new();
    bench.says(1_000, Ok(json!(2)));
    let view = bench.seen(1_500);
    let reading = view.probes[0].reading.clone().expect("it has been asked");
    assert_eq!(
        (reading.text().as_deref(), reading.at, view.probes[0].polled),
        (Some("2"), Time::from_millis(1_000), true)
    );
    assert_eq!(view.guards[0].health, Health::Healthy);
    bench.says(2_000, Ok(json!(7)));
    assert_eq!(bench.seen(2_500).guards[0].health, Health::Failing(1));
    // Nobody has asked it for longer than it may go unasked while it is needed.
    assert!(!bench.seen(60_000).probes[0].polled);
}

#[test]
fn a_guard_that_was_woken_again_waits_for_its_first_sample() {
    let mut bench = Bench::new();
    bench.says(1_000, Ok(json!(2)));
    let mut view = bench.seen(1_500);
    view.order(&bench.plan, Time::from_millis(1_400), &crate::engine::Command::WatchGuard { guard: GuardId::at(0) });
    let mut readings = Readings::of(bench.folder.path());
    readings.look();
    readings.fill(&mut view, &bench.plan);
    assert_eq!(view.guards[0].health, Health::Waking);
}

#[test]
fn the_file_is_capped_and_the_one_before_is_read_too() {
    let mut bench = Bench::new();
    bench.samples.limit = 2_000;
    for second in 1..200 {
        bench.says(second * 1_000, Ok(json!(1)));
    }
    let (now, before) = (bench.file(FILE).len(), bench.file(FILE_BEFORE).len());
    assert!(now < 2_300 && (2_000..2_300).contains(&before), "{now} and {before} bytes");
    let view = bench.seen(199_500);
    assert_eq!(view.probes[0].reading.as_ref().map(|it| it.at), Some(Time::from_millis(199_000)));
    assert_eq!(view.guards[0].health, Health::Healthy);
}

#[test]
fn a_long_value_is_cut_and_a_torn_line_costs_only_itself() {
    let mut bench = Bench::new();
    bench.says(1_000, Ok(Json::String("x".repeat(100_000))));
    assert!(bench.file(FILE).len() < 2_000);
    std::fs::write(bench.folder.path().join(FILE), "{\"at\":1,\"time\":\"19").expect("written");
    bench.samples.file = None;
    bench.says(2_000, Ok(json!(2)));
    let reading = bench.seen(2_500).probes[0].reading.clone().expect("it has been asked");
    assert_eq!(reading.text().as_deref(), Some("2"));
}

#[test]
fn a_folder_that_cannot_be_written_to_disturbs_nobody() {
    let mut bench = Bench::new();
    bench.samples = Samples::new(Arc::clone(&bench.plan), Path::new("/nowhere/at/all"));
    bench.says(1_000, Ok(json!(2)));
    bench.says(2_000, Ok(json!(2)));
    assert_eq!(bench.gauge.latest(ProbeId::at(0)).and_then(|it| it.value.cloned()), Some(json!(2)));
}
