//! Every guard and watchdog of the library, each over planted samples: it holds as long as it should, to the limit of what
//! it says, and is breached behind it, in the time that its numbers promise. No server is needed for that.
//!
//! A guard without a case fails the first test: plant one.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use runbook::measure::{Finding, Judge, Scope, Series};
use runbook::model::{
    Attempt, AttemptId, Figure, GuardId, Part, Plan, Rule, Span, StepOutcome, Time, Value, VarSource,
};
use runbook::syntax::{Texts, read_given};
use serde_json::Value as Json;

/// Runbook, guard, samples at which it holds, and what must change in them to breach it. `p = 1` is what a probe says,
/// `p += 1` a counter that grows by so much in a second; `baseline.p` and `steps.s.output` stand for themselves.
#[rustfmt::skip]
const CASES: &[(&str, &str, &str, &str)] = &[
    ("active-passive", "user_errors", "user_errors = 0.05", "user_errors = 0.06"),
    ("active-passive", "new_leads", "new_writable = true; leader = \"db2\"", "new_writable = false"),
    ("active-passive", "new_leads", "new_writable = true; leader = \"db2\"", "leader = \"db1\""),
    ("active-passive", "new_leads", "new_writable = true; leader = \"db2\"", "leader = \"\""),

    ("dual-write", "user_errors", "user_errors = 0.05", "user_errors = 0.06"),
    ("dual-write", "new_keeps_up", "owed = 100", "owed = 101"),
    ("dual-write", "diverged", "parity = 0", "parity = 1"),
    ("dual-write", "mismatched", "mismatches = 0", "mismatches = 1"),
    ("dual-write", "diverged_late", "mismatches = 0; parity = 0; owed = 0", "mismatches = 1"),
    ("dual-write", "diverged_late", "mismatches = 0; parity = 0; owed = 0", "parity = 1"),
    ("dual-write", "diverged_late", "mismatches = 0; parity = 2; owed = 1", "owed = 0"),
    ("dual-write", "slow", "read_ms = 250; baseline.read_ms = 10", "read_ms = 251"),
    ("dual-write", "slow", "read_ms = 300; baseline.read_ms = 100", "read_ms = 301"),

    ("event-log-replay", "user_errors", "user_errors = 0.05", "user_errors = 0.06"),
    ("event-log-replay", "slow", "answer = 300; baseline.answer = 10", "answer = 301"),
    ("event-log-replay", "slow", "answer = 500; baseline.answer = 100", "answer = 501"),
    ("event-log-replay", "same", "same = true", "same = false"),
    ("event-log-replay", "new_follows", "log_end = 1999; new_offset = 1000", "log_end = 2000"),
    ("event-log-replay", "new_follows", "log_end = 1999; new_offset = 1000", "new_offset = null"),

    ("sidecar-replication", "user_errors", "user_errors = 0.05", "user_errors = 0.06"),
    ("sidecar-replication", "order", "gap = 0", "gap = 1"),
    ("sidecar-replication", "queue", "queued = 0", "queued = null"),
    ("sidecar-replication", "queue_at_gate", "queued = 0", "queued = null"),

    // Nothing is compared any more; new stands alone too often, by itself and beside old's own noise; there are enough to tell.
    ("traffic-mirroring", "differences", "compared += 1000; new_alone += 4.9; old_alone += 0; steps.count_from.compared = 0", "compared += 0; new_alone += 0"),
    ("traffic-mirroring", "differences", "compared += 1000; new_alone += 4.9; old_alone += 0; steps.count_from.compared = 0", "new_alone += 5.5"),
    ("traffic-mirroring", "differences", "compared += 1000; new_alone += 14.9; old_alone += 10; steps.count_from.compared = 0", "old_alone += 0"),
    ("traffic-mirroring", "differences", "compared += 1; new_alone += 1; old_alone += 0; steps.count_from.compared = 8050", "compared += 150"),
    ("traffic-mirroring", "shadowed", "compared = 10000; shadow_keys = 1; steps.count_from.compared = 8000", "shadow_keys = 0"),
    ("traffic-mirroring", "shadowed", "compared = 9999; shadow_keys = 0; steps.count_from.compared = 8000", "compared = 10000"),
    ("traffic-mirroring", "user_errors", "user_errors = 0.05; share = 0; old_ready = true", "user_errors = 0.06"),
    ("traffic-mirroring", "user_errors", "user_errors = 0.06; share = 10; old_ready = false", "old_ready = true"),
    ("traffic-mirroring", "user_errors", "user_errors = 0.06; share = 10; old_ready = false", "share = 0"),
    ("traffic-mirroring", "user_ms", "user_ms = 50; share = 0; old_ready = true; baseline.user_ms = 10", "user_ms = 51"),
    ("traffic-mirroring", "user_ms", "user_ms = 60; share = 0; old_ready = true; baseline.user_ms = 20", "user_ms = 61"),
    ("traffic-mirroring", "user_ms", "user_ms = 61; share = 10; old_ready = false; baseline.user_ms = 20", "old_ready = true"),
    ("traffic-mirroring", "user_ms", "user_ms = 61; share = 10; old_ready = false; baseline.user_ms = 20", "share = 0"),
    ("traffic-mirroring", "new_errors", "new_requests += 100; new_errors += 0.9", "new_errors += 1.1"),
    ("traffic-mirroring", "new_errors", "new_requests += 0; new_errors += 0", "new_errors += 1"),
    ("traffic-mirroring", "old_ready", "old_ready = true", "old_ready = false"),

    ("warm-up", "user_errors", "user_errors = 0.05", "user_errors = 0.06"),
    ("warm-up", "new_ms", "new_ms = 50; baseline.old_ms = 10", "new_ms = 51"),
    ("warm-up", "new_ms", "new_ms = 60; baseline.old_ms = 20", "new_ms = 61"),

    ("parts/pgbouncer-pause", "patience", "longest_wait = 9.9", "longest_wait = 10"),
];

/// All goes well for so long before something goes wrong.
const CALM: Span = Span::from_secs(20);

/// Time goes on by this; the interval of every probe is a multiple of it.
const TICK: u64 = 50;

/// What counters begin with.
const COUNTED: f64 = 10_000.0;

/// A part is included under this name.
const INCLUDED: &str = "part";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("runbooks")
}

/// The runbooks of the library and, each in the least that can stand around it, its parts; by the names of [`CASES`].
fn library() -> BTreeMap<String, Plan> {
    let names = |below: &str| {
        let files = fs::read_dir(folder().join(below)).expect("it is there").map(|entry| entry.expect("listed").path());
        let tomls = files.filter(|path| path.extension().is_some_and(|extension| extension == "toml"));
        tomls.map(|path| path.file_stem().expect("a name").to_string_lossy().into_owned()).collect::<Vec<_>>()
    };
    let whole = names("").into_iter().map(|name| (name.clone(), read(&format!("{name}.toml"))));
    let parts = names("parts").into_iter().map(|name| format!("parts/{name}"));
    let parts = parts.map(|name| (name.clone(), around(&format!("{name}.toml"))));
    whole.chain(parts).map(|(name, text)| (name, plan(text))).collect()
}

fn read(file: &str) -> String {
    fs::read_to_string(folder().join(file)).expect("it can be read")
}

fn around(file: &str) -> String {
    let part: toml::Table = read(file).parse().expect("it is TOML");
    let gives = |var: &toml::Value| ["default", "env", "file", "run"].iter().any(|key| var.get(*key).is_some());
    let vars = part["vars"].as_table().expect("it has variables").iter();
    let to_be_given = vars.filter(|(_, var)| var.is_table() && !gives(var));
    let with: Vec<String> = to_be_given.map(|(name, _)| format!("{name} = \"given\"")).collect();
    format!(
        "format = 1\n[runbook]\nname = \"least\"\ntimeout = \"30d\"\nrollback_timeout = \"30d\"\nphases = [\"all\"]\n\
         [part.{INCLUDED}]\nuse = \"{file}\"\nwith = {{ {} }}\n[phase.all]\nsequence = [\"{INCLUDED}\"]\n",
        with.join(", ")
    )
}

fn plan(text: String) -> Plan {
    let texts = Texts::gather(text, |file| Ok(read(file)));
    let reading = read_given(&texts, &BTreeMap::new());
    reading.plan.unwrap_or_else(|| panic!("{:#?}", reading.problems))
}

/// What a name of a part's file is called in the plan.
fn called(runbook: &str, name: &str) -> String {
    if runbook.starts_with("parts/") { format!("{INCLUDED}_{name}") } else { name.to_owned() }
}

fn guard_named(plan: &Plan, name: &str) -> Option<GuardId> {
    plan.guard_ids().find(|id| plan.guard(*id).name == name)
}

/// What a planted probe says.
#[derive(Clone, Debug)]
enum Says {
    Is(Json),
    /// By so much in a second.
    Grows(f64),
}

/// What is planted: by probe, and by the names of what else expressions read.
#[derive(Clone, Debug, Default)]
struct Planted {
    probes: BTreeMap<String, Says>,
    facts: BTreeMap<String, Json>,
}

impl Planted {
    fn read(runbook: &str, text: &str) -> Self {
        let mut planted = Self::default();
        for one in text.split("; ") {
            let json =
                |text: &str| serde_json::from_str::<Json>(text).unwrap_or_else(|error| panic!("{text}: {error}"));
            if let Some((probe, rate)) = one.split_once(" += ") {
                planted.probes.insert(called(runbook, probe), Says::Grows(json(rate).as_f64().expect("a number")));
            } else if let Some((name, value)) = one.split_once(" = ") {
                if name.contains('.') {
                    planted.facts.insert(name.to_owned(), json(value));
                } else {
                    planted.probes.insert(called(runbook, name), Says::Is(json(value)));
                }
            } else {
                panic!("`{one}` plants nothing");
            }
        }
        planted
    }

    /// With what is said elsewhere in the place of what is said here.
    fn changed(&self, by: Self) -> Self {
        let mut changed = self.clone();
        for (probe, says) in by.probes {
            assert!(changed.probes.insert(probe.clone(), says).is_some(), "`{probe}` was not planted before");
        }
        assert!(by.facts.is_empty(), "what the past was does not change");
        changed
    }
}

/// What expressions read beside samples.
struct World {
    vars: BTreeMap<String, Json>,
    facts: BTreeMap<String, Json>,
}

impl World {
    fn of(plan: &Plan, planted: &Planted) -> Self {
        let default = |source: &VarSource| match source {
            VarSource::Default(value) => Some(value.clone()),
            VarSource::Env(_) | VarSource::File(_) | VarSource::Run(_) => None,
        };
        let worth =
            plan.vars().iter().filter_map(|var| Some((var.name.clone(), var.sources.iter().find_map(default)?)));
        Self { vars: worth.collect(), facts: planted.facts.clone() }
    }
}

impl Scope for World {
    fn var(&self, name: &str) -> Option<Value> {
        self.vars.get(name).map(|json| Value { json: json.clone(), secret: false })
    }
    fn probe(&self, _: &str) -> Option<Json> {
        None
    }
    fn series(&self, _: &str) -> Option<&Series> {
        None
    }
    fn baseline(&self, name: &str, _: Figure) -> Option<Json> {
        self.facts.get(&format!("baseline.{name}")).cloned()
    }
    fn step_outcome(&self, _: &str) -> Option<StepOutcome> {
        None
    }
    fn step_attempts(&self, _: &str) -> Option<u32> {
        None
    }
    fn step_output(&self, step: &str, output: &str) -> Option<Value> {
        let json = self.facts.get(&format!("steps.{step}.{output}"))?;
        Some(Value { json: json.clone(), secret: false })
    }
    fn local(&self, _: &str) -> Option<Json> {
        None
    }
}

/// One guard in virtual time.
struct Watch<'p> {
    plan: &'p Plan,
    guard: GuardId,
    world: World,
    judge: Judge<()>,
    counted: BTreeMap<String, f64>,
    now: Time,
}

impl<'p> Watch<'p> {
    fn new(plan: &'p Plan, guard: GuardId, world: World) -> Self {
        let mut judge = Judge::new(plan);
        judge.watch_guard(guard, Time::ZERO, &world);
        Self { plan, guard, world, judge, counted: BTreeMap::new(), now: Time::ZERO }
    }

    /// What is found while the probes say this, up to a breach or for so long, and when the breach came.
    fn goes_on(&mut self, planted: &Planted, most: Span) -> (Vec<Finding<()>>, Option<Time>) {
        let until = self.now.after(most);
        let mut found = Vec::new();
        while self.now < until {
            for probe in self.plan.guard_probes(self.guard) {
                let about = self.plan.probe(probe);
                assert_eq!(about.interval.millis() % TICK, 0, "no tick fits probe `{}`", about.name);
                if !self.now.since(Time::ZERO).millis().is_multiple_of(about.interval.millis()) {
                    continue;
                }
                let value = match planted.probes.get(&about.name) {
                    Some(Says::Is(json)) => Some(json.clone()).filter(|json| !json.is_null()),
                    Some(Says::Grows(rate)) => {
                        let seconds = about.interval.duration().as_secs_f64();
                        let counted = self.counted.entry(about.name.clone()).or_insert(COUNTED);
                        *counted += rate * seconds;
                        Some(Json::from(*counted))
                    }
                    None => panic!("probe `{}` is not planted", about.name),
                };
                self.judge.began(probe, self.now);
                found.extend(self.judge.sample(probe, self.now, self.now, value, &self.world));
            }
            if found.iter().any(|finding| matches!(finding, Finding::GuardBreached { .. })) {
                return (found, Some(self.now));
            }
            self.now = self.now.after(Span::from_millis(TICK));
        }
        (found, None)
    }
}

/// How long a breach may take: what is summarised must be of the fault, and so many samples must fail; two of them may be
/// on their way when it begins.
fn promised(plan: &Plan, guard: GuardId) -> Span {
    let probes = plan.guard_probes(guard);
    let interval = probes.iter().map(|id| plan.probe(*id).interval).max().expect("it reads a probe");
    let Rule::Condition(watched) = &plan.guard(guard).rule else { return Span::from_secs(60) };
    let reach = |id: &_| plan.probe(*id).covers.plus(plan.condition(watched.require).reach(*id));
    let past = probes.iter().map(reach).max().unwrap_or_default();
    past.plus(interval.max(watched.every).times((watched.failures + 2).into()))
}

#[test]
fn every_guard_of_the_library_has_a_case_and_every_case_a_guard() {
    let library = library();
    let guards = library
        .iter()
        .flat_map(|(runbook, plan)| plan.guards().iter().map(move |guard| (runbook.clone(), guard.name.clone())));
    let cases = CASES.iter().map(|(runbook, guard, ..)| ((*runbook).to_owned(), called(runbook, guard)));
    assert_eq!(guards.collect::<BTreeSet<_>>(), cases.collect::<BTreeSet<_>>(), "the library, and the cases");
}

#[test]
fn every_guard_of_the_library_holds_up_to_its_limit_and_is_breached_behind_it() {
    let library = library();
    for (runbook, name, good, bad) in CASES {
        let case = format!("{name} of {runbook}: {good}, then {bad}");
        let plan = &library[*runbook];
        let guard = guard_named(plan, &called(runbook, name)).expect("the other test says which is missing");
        let good = Planted::read(runbook, good);
        let bad = good.changed(Planted::read(runbook, bad));
        let mut watch = Watch::new(plan, guard, World::of(plan, &good));
        let (found, breached) = watch.goes_on(&good, CALM);
        assert!(breached.is_none(), "{case}: {found:#?}");
        assert!(found.iter().any(|finding| matches!(finding, Finding::GuardHeld { .. })), "{case}: {found:#?}");
        let (found, breached) = watch.goes_on(&bad, promised(plan, guard));
        assert!(breached.is_some(), "{case}: within {}: {found:#?}", promised(plan, guard));
    }
}

#[test]
fn every_watchdog_of_the_library_finds_a_standstill_before_the_timeout_and_lets_the_slowest_movement_be() {
    let library = library();
    let mut watchdogs = BTreeSet::new();
    for (runbook, plan) in &library {
        for step in plan.step_ids() {
            let Some(progress) = plan.step(step).progress else { continue };
            let case = format!("{} of {runbook}", plan.step(step).name);
            let interval = plan.probe(progress.probe).interval;
            // One that moves less often than this is standing still.
            let slowest = progress.stall.millis() - interval.millis();
            let found_by = |value: &dyn Fn(u64) -> u64, until: Span| {
                let world = World::of(plan, &Planted::default());
                let attempt = AttemptId { step, part: Part::Forward, number: Attempt::FIRST };
                let mut judge: Judge<()> = Judge::new(plan);
                judge.watch_progress(attempt, &progress, Time::ZERO);
                (0..=until.millis() / interval.millis()).map(|n| n * interval.millis()).find(|&millis| {
                    let now = Time::from_millis(millis);
                    judge.began(progress.probe, now);
                    judge.sample(progress.probe, now, now, Some(Json::from(value(millis))), &world);
                    let found = judge.refresh(now, &world);
                    found.iter().any(|finding| matches!(finding, Finding::ProgressStalled { .. }))
                })
            };
            let timeout = plan.step(step).forward.timeout;
            let seen = found_by(&|_| 7, timeout).map(Span::from_millis);
            assert!(seen.is_some_and(|seen| seen <= progress.stall.plus(interval)), "{case}: {seen:?}");
            let moving = found_by(&|millis| millis / slowest, progress.stall.times(10));
            assert_eq!(moving, None, "{case} moves");
            watchdogs.insert(case);
        }
    }
    let known = ["backfill of dual-write", "load of warm-up", "prime of warm-up", "replay of event-log-replay"];
    assert_eq!(watchdogs, known.map(str::to_owned).into());
}
