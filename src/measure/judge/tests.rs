use std::cell::Cell;

use serde_json::json;

use super::*;
use crate::measure::{Locals, Names, Series, compile};
use crate::model::{
    self, About, Baseline, Condition, Draft, Guard, NoData, OnBreach, OnInterrupt, Probe, ProbeAs, ProbeSource, Run,
    RunCommand, Scope as Awake, StepOutcome, Value,
};
use crate::model::{Attempt, Part, StepId};

const CONDITIONS: [(&str, &[usize]); 10] = [
    ("probe.a < 10", &[0]),
    ("probe.a < 10 && probe.b < 10", &[0, 1]),
    ("probe.c < 10", &[2]),
    ("vars.x == 1", &[]),
    ("probe.a < 10 || steps.s.outcome == 'done'", &[0]),
    ("probe.a < 10 || probe.b < 10", &[0, 1]),
    ("series.a.avg('30s') < 10", &[0]),
    ("series.a.rate('10s') < 10", &[0]),
    ("probe.a == value", &[0]),
    ("probe.a < 5", &[0]),
];

fn watched(require: usize, warn: Option<usize>) -> model::Rule {
    let (require, warn) = (ConditionId::at(require), warn.map(ConditionId::at));
    model::Rule::Condition(model::Watched { every: Span::from_secs(1), require, warn, failures: 2, of: 3 })
}

/// Probes `a` and `b` every second, `c` every second over the last 30; guards on the first two conditions.
fn plan(no_data: NoData) -> Plan {
    let probe = |name: &str, covers| Probe {
        name: name.to_owned(),
        source: ProbeSource::Run(Run {
            command: RunCommand::Args(Vec::new()),
            cwd: None,
            env: BTreeMap::new(),
            stdin: None,
            exit: vec![0],
            expect: None,
        }),
        interval: Span::from_secs(1),
        timeout: Span::from_secs(5),
        as_: ProbeAs::Number,
        unit: None,
        covers: Span::from_secs(covers),
        keep: Span::from_secs(600),
    };
    let guard = |require| Guard {
        name: format!("g{require}"),
        scope: Awake::Everywhere,
        rule: watched(require, None),
        no_data,
        on_breach: OnBreach::Warn,
        remedy: None,
    };
    let about = About {
        name: "test".to_owned(),
        version: None,
        summary: None,
        owner: None,
        docs: None,
        timeout: Span::from_secs(60),
        rollback_timeout: None,
        rollback_window: Span::ZERO,
        max_parallel: 8,
        lock: "test".to_owned(),
        restored: Vec::new(),
        env: BTreeMap::new(),
        requires: Vec::new(),
        on_interrupt: OnInterrupt::Leave,
        output_max: 1,
    };
    let condition = |(text, probes): &(&str, &[usize])| {
        let series = compile(text, Locals::All, &Names::unchecked()).expect("it is a condition").reads.series;
        Condition {
            text: (*text).to_owned(),
            probes: probes.iter().map(|at| ProbeId::at(*at)).collect(),
            series: series.into_iter().map(|(_, reach)| (ProbeId::at(0), reach)).collect(),
            reads_baseline: false,
        }
    };
    Plan::new(Draft {
        about,
        vars: Vec::new(),
        preflight: Vec::new(),
        probes: vec![probe("a", 0), probe("b", 0), probe("c", 30)],
        conditions: CONDITIONS.iter().map(condition).collect(),
        guards: vec![guard(0), guard(1), guard(7), Guard { rule: watched(0, Some(9)), ..guard(0) }],
        baseline: Some(Baseline {
            probes: vec![ProbeId::at(0), ProbeId::at(2)],
            before: None,
            over: Span::from_secs(10),
            require: Vec::new(),
        }),
        phases: Vec::new(),
        steps: Vec::new(),
        parts: Vec::new(),
    })
    .expect("no steps, no cycle")
}

/// `vars.x`, and whether step `s` is done.
struct World {
    x: i64,
    done: Cell<bool>,
}

impl Scope for World {
    fn var(&self, _: &str) -> Option<Value> {
        Some(Value { json: json!(self.x), secret: false })
    }
    fn probe(&self, _: &str) -> Option<Json> {
        None
    }
    fn series(&self, _: &str) -> Option<&Series> {
        None
    }

    fn baseline(&self, _: &str, _: Figure) -> Option<Json> {
        None
    }

    fn step_outcome(&self, _: &str) -> Option<StepOutcome> {
        self.done.get().then_some(StepOutcome::Done)
    }
    fn step_attempts(&self, _: &str) -> Option<u32> {
        None
    }
    fn step_output(&self, _: &str, _: &str) -> Option<Value> {
        None
    }
    fn local(&self, _: &str) -> Option<Json> {
        None
    }
}

/// A judge whose answers are short texts.
struct Bench {
    judge: Judge<char>,
    world: World,
}

fn bench() -> Bench {
    with(NoData::Fail)
}

fn with(no_data: NoData) -> Bench {
    Bench { judge: Judge::new(&plan(no_data)), world: World { x: 1, done: Cell::new(false) } }
}

fn at(millis: u64) -> Time {
    Time::from_millis(millis)
}

fn probe(name: char) -> ProbeId {
    ProbeId::at(name as usize - 'a' as usize)
}

fn told(findings: Vec<Finding<char>>) -> String {
    let text = |finding| match finding {
        Finding::Judged { key, verdict, .. } => format!("{key} {verdict:?}"),
        Finding::GuardHeld { guard, .. } => format!("g{} held", guard.index()),
        Finding::GuardBreached { guard, .. } => format!("g{} breached", guard.index()),
        Finding::GuardBlind { guard, .. } => format!("g{} blind", guard.index()),
        Finding::SpendNoted { guard, evidence, .. } => format!("g{} noted {evidence}", guard.index()),
        Finding::GuardWarned { guard, .. } => format!("g{} warned", guard.index()),
        Finding::GuardEased { guard, .. } => format!("g{} eased", guard.index()),
        Finding::ProgressStalled { attempt, evidence } => format!("{} stalled, {evidence}", attempt.number),
        Finding::BaselineTaken { evidence, .. } => format!("baseline {evidence}"),
        Finding::BaselineBlind { evidence, .. } => format!("no baseline, {evidence}"),
    };
    findings.into_iter().map(text).collect::<Vec<_>>().join(", ")
}

impl Bench {
    fn ask(&mut self, key: char, condition: usize, since: u64) -> String {
        told(self.judge.ask(key, ConditionId::at(condition), None, None, at(since), &self.world))
    }

    fn hold(&mut self, key: char, condition: usize, hold: u64) -> String {
        let hold = Some(Span::from_millis(hold));
        told(self.judge.ask(key, ConditionId::at(condition), None, hold, at(0), &self.world))
    }

    fn count(&mut self, key: char, condition: usize, samples: u32, failures: u32) -> String {
        let count = Some(Count { samples, failures });
        told(self.judge.ask(key, ConditionId::at(condition), count, None, at(0), &self.world))
    }

    /// A poll that takes 10 ms; below zero it fails.
    fn sample(&mut self, name: char, asked: u64, value: i64) -> String {
        let value = (value >= 0).then(|| json!(value));
        told(self.judge.sample(probe(name), at(asked), at(asked + 10), value, &self.world))
    }

    fn watch(&mut self, guard: usize, now: u64) -> String {
        told(self.judge.watch_guard(GuardId::at(guard), at(now), &self.world))
    }

    fn refresh(&mut self, now: u64) -> String {
        told(self.judge.refresh(at(now), &self.world))
    }

    fn needed(&self) -> Vec<(char, u64)> {
        let name = |probe: ProbeId| ['a', 'b', 'c'][probe.index()];
        self.judge.needed().into_iter().map(|(probe, due)| (name(probe), due.millis())).collect()
    }
}

#[test]
fn a_sample_asked_before_the_moment_does_not_answer() {
    let mut bench = bench();
    assert_eq!(bench.ask('q', 0, 1000), "");
    assert_eq!(bench.sample('a', 999, 1), "");
    // In the same millisecond nobody can tell, unless the poll was announced behind the question.
    assert_eq!(bench.sample('a', 1000, 1), "");
    assert_eq!(bench.sample('a', 1001, 1), "q Holds");

    bench.judge.began(probe('a'), at(2000));
    bench.ask('r', 0, 2000);
    assert_eq!(bench.sample('a', 2000, 1), "");
    bench.judge.began(probe('a'), at(2000));
    assert_eq!(bench.sample('a', 2000, 1), "r Holds");
}

#[test]
fn a_probe_that_covers_the_past_is_fresh_only_that_much_later() {
    let mut bench = bench();
    bench.ask('q', 2, 1000);
    assert_eq!(bench.sample('c', 2000, 1), "");
    assert_eq!(bench.sample('c', 31_000, 1), "");
    assert_eq!(bench.sample('c', 31_001, 1), "q Holds");
}

#[test]
fn the_first_fresh_verdict_is_told_and_then_each_change() {
    let mut bench = bench();
    bench.ask('q', 0, 0);
    let story = [(1, "q Holds"), (2, ""), (99, "q Fails"), (98, ""), (-1, "q NoData"), (-1, ""), (3, "q Holds")];
    for (tick, (value, finding)) in story.into_iter().enumerate() {
        assert_eq!(bench.sample('a', 1000 * (tick as u64 + 1), value), finding, "{tick}");
    }
    bench.judge.withdraw('q');
    assert_eq!(bench.sample('a', 99_000, 99), "");
}

#[test]
fn a_fresh_sample_that_is_there_already_answers_at_once() {
    let mut bench = bench();
    bench.ask('q', 0, 0);
    bench.sample('a', 1000, 1);
    assert_eq!(bench.ask('r', 0, 500), "r Holds");
    assert_eq!(bench.ask('s', 0, 1500), "");
}

#[test]
fn a_question_over_several_probes_waits_for_a_fresh_sample_of_each() {
    let mut bench = bench();
    bench.ask('q', 1, 1000);
    assert_eq!(bench.sample('a', 1500, 1), "");
    assert_eq!(bench.sample('b', 900, 1), "");
    assert_eq!(bench.sample('b', 1600, 1), "q Holds");
    assert_eq!(bench.sample('a', 2500, 99), "q Fails");
    // What is missing is absorbed where the rest decides.
    bench.ask('r', 5, 3000);
    assert_eq!(bench.sample('a', 3500, -1), "q NoData");
    assert_eq!(bench.sample('b', 3600, 1), "r Holds");
}

#[test]
fn a_condition_without_probes_is_judged_at_once_and_one_about_steps_when_they_change() {
    let mut bench = bench();
    assert_eq!(bench.ask('q', 3, 1000), "q Holds");
    assert_eq!(bench.ask('r', 4, 1000), "");
    assert_eq!(bench.sample('a', 1500, 99), "r NoData");
    assert_eq!(bench.refresh(1600), "");
    bench.world.done.set(true);
    bench.world.x = 2;
    assert_eq!(bench.refresh(1700), "q Fails, r Holds");
}

#[test]
fn a_gap_over_twice_the_interval_breaks_what_must_hold_for_a_while() {
    let mut bench = bench();
    bench.hold('q', 0, 10_000);
    assert_eq!(bench.sample('a', 1000, 1), "q Holds");
    assert_eq!(bench.judge.next_wakeup(), Some(at(3011)));
    assert_eq!(bench.refresh(3010), "");
    assert_eq!(bench.refresh(3011), "q NoData");
    assert_eq!(bench.judge.next_wakeup(), None);
    assert_eq!(bench.refresh(9000), "");
    assert_eq!(bench.sample('a', 9500, 1), "q Holds");
    // Without `for` a gap is nothing.
    bench.ask('q', 0, 0);
    assert_eq!(bench.judge.next_wakeup(), None);
    assert_eq!(bench.refresh(90_000), "");
}

#[test]
fn where_one_sample_could_be_all_there_is_a_while_begins_with_the_second() {
    let mut bench = bench();
    bench.hold('q', 0, 500);
    assert_eq!(bench.sample('a', 1000, 1), "");
    assert_eq!(bench.sample('a', 2000, 1), "q Holds");
    assert_eq!(bench.sample('a', 3000, 99), "q Fails");
    assert_eq!(bench.sample('a', 4000, 1), "q NoData");
    assert_eq!(bench.sample('a', 5000, 1), "q Holds");
    assert_eq!(bench.refresh(7011), "q NoData");
    assert_eq!(bench.sample('a', 8000, 1), "");
    assert_eq!(bench.sample('a', 9000, 1), "q Holds");
}

#[test]
fn so_many_samples_are_judged_together_and_what_is_certain_is_told_early() {
    let mut bench = bench();
    bench.count('q', 0, 4, 1);
    let story =
        [(1, ""), (99, ""), (1, ""), (1, "q Holds"), (-1, ""), (99, "q Fails"), (1, ""), (1, ""), (1, "q Holds")];
    for (tick, (value, finding)) in story.into_iter().enumerate() {
        assert_eq!(bench.sample('a', 1000 * (tick as u64 + 1), value), finding, "{tick}");
    }
    let (_, evidence) = bench.judge.standing('q').unwrap();
    assert_eq!(evidence, "3 of 4 samples held, 0 samples did not; last: probe.a = 1 (must be < 10)");
}

#[test]
fn a_count_over_several_probes_counts_a_sample_of_each_as_one() {
    let mut bench = bench();
    bench.count('q', 1, 2, 0);
    for (tick, finding) in ["", "q Holds"].into_iter().enumerate() {
        let now = 1000 * (tick as u64 + 1);
        assert_eq!(bench.sample('a', now, 1), "");
        assert_eq!(bench.sample('a', now + 100, 1), "");
        assert_eq!(bench.sample('b', now, 1), finding);
    }
}

#[test]
fn a_guard_breaches_at_the_failing_sample_that_is_one_too_many_among_the_last() {
    let mut bench = bench();
    bench.watch(0, 1000);
    assert_eq!(bench.sample('a', 900, 99), "");
    let story = [
        (99, ""),
        (1, "g0 held"),
        (1, ""),
        (99, ""),
        (1, ""),
        (99, "g0 breached"),
        (99, ""),
        (1, ""),
        (1, ""),
        (99, ""),
        (-1, "g0 breached"),
    ];
    for (tick, (value, finding)) in story.into_iter().enumerate() {
        assert_eq!(bench.sample('a', 1000 * (tick as u64 + 2), value), finding, "{tick}");
    }
    let health = bench.judge.health(GuardId::at(0)).unwrap();
    assert_eq!((health.failing, health.counted, health.verdict), (2, 3, Some(Verdict::NoData)));
    // Counts start anew with each watch.
    bench.watch(0, 20_000);
    assert_eq!(bench.sample('a', 21_000, 99), "");
    assert_eq!(bench.sample('a', 22_000, 99), "g0 breached");
    bench.judge.unwatch_guard(GuardId::at(0));
    assert_eq!(bench.sample('a', 23_000, 99), "");
}

#[test]
fn a_guard_warns_once_says_once_that_it_is_well_again_and_breaches_all_the_same() {
    let mut bench = bench();
    bench.watch(3, 0);
    let story = [
        (1, "g3 held"),
        (7, ""),
        (7, "g3 warned"),
        (7, ""),
        (1, ""),
        (1, "g3 eased"),
        (1, ""),
        (99, ""),
        (99, "g3 breached, g3 warned"),
    ];
    for (tick, (value, finding)) in story.into_iter().enumerate() {
        assert_eq!(bench.sample('a', 1000 * (tick as u64 + 1), value), finding, "{tick}");
    }
    // Counts start anew with each watch, and nobody sees one after the last.
    bench.watch(3, 20_000);
    assert_eq!(bench.sample('a', 21_000, 1), "g3 held");
    bench.judge.unwatch_guard(GuardId::at(3));
    assert_eq!(bench.sample('a', 22_000, 99), "");
    assert_eq!(bench.needed(), []);
}

#[test]
fn no_data_warns_only_where_it_counts_as_failing() {
    #[rustfmt::skip]
    let table = [
        (NoData::Fail,   ["",        "g3 breached, g3 warned"]),
        (NoData::Ignore, ["g3 held", ""]),
        (NoData::Pause,  ["",        "g3 blind"]),
    ];
    for (policy, [first, second]) in table {
        let mut bench = with(policy);
        bench.watch(3, 0);
        assert_eq!(bench.sample('a', 1000, -1), first, "{policy:?}");
        assert_eq!(bench.sample('a', 2000, -1), second, "{policy:?}");
    }
}

#[test]
fn what_a_breach_says_has_the_count_and_the_values() {
    let mut bench = bench();
    bench.watch(0, 0);
    bench.sample('a', 1000, 99);
    let findings = bench.judge.sample(probe('a'), at(2000), at(2010), Some(json!(1204)), &bench.world);
    let evidence = "2 of the last 2 samples failed: probe.a = 1,204 (must be < 10)".to_owned();
    assert_eq!(findings, [Finding::GuardBreached { guard: GuardId::at(0), evidence }]);
}

#[test]
fn no_data_fails_a_guard_or_is_ignored_or_makes_it_blind() {
    #[rustfmt::skip]
    let table = [
        (NoData::Fail,   ["", "g0 breached", "", "g0 held", ""]),
        // Whoever ignores it lets steps begin without, too.
        (NoData::Ignore, ["g0 held", "",     "", "",        ""]),
        (NoData::Pause,  ["", "g0 blind",    "", "g0 held", ""]),
    ];
    for (policy, story) in table {
        let mut bench = with(policy);
        bench.watch(0, 0);
        for (tick, (value, finding)) in [-1, -1, -1, 1, 1].into_iter().zip(story).enumerate() {
            assert_eq!(bench.sample('a', 1000 * (tick as u64 + 1), value), finding, "{policy:?} {tick}");
        }
    }
}

#[test]
fn a_guard_over_several_probes_is_judged_once_per_every() {
    let mut bench = bench();
    bench.watch(1, 0);
    assert_eq!(bench.sample('a', 1000, 99), "");
    assert_eq!(bench.sample('b', 1000, 1), "");
    // Two more samples of one probe within the same second are not two more failures.
    assert_eq!(bench.sample('a', 1200, 99), "");
    assert_eq!(bench.sample('a', 1400, 99), "");
    assert_eq!(bench.judge.health(GuardId::at(1)).unwrap().counted, 1);
    assert_eq!(bench.sample('a', 1990, 99), "");
    assert_eq!(bench.sample('b', 1995, 1), "g1 breached");
}

#[test]
fn a_probe_is_polled_only_while_something_needs_it_and_as_early_as_it_helps() {
    let mut bench = bench();
    assert_eq!(bench.needed(), []);
    bench.ask('q', 1, 500);
    assert_eq!(bench.needed(), [('a', 500), ('b', 500)]);
    bench.judge.began(probe('a'), at(600));
    assert_eq!(bench.needed(), [('a', 1600), ('b', 500)]);
    bench.sample('a', 600, 1);
    assert_eq!(bench.needed(), [('a', 1600), ('b', 500)]);
    // A question about a later moment wants a sample at once.
    bench.ask('r', 0, 900);
    assert_eq!(bench.needed(), [('a', 900), ('b', 500)]);
    // A poll under way that began before it does not help it.
    bench.judge.began(probe('a'), at(950));
    bench.ask('r', 0, 980);
    assert_eq!(bench.needed(), [('a', 980), ('b', 500)]);
    bench.ask('s', 2, 1000);
    assert_eq!(bench.needed()[2], ('c', 31_001));
    for key in ['q', 'r', 's'] {
        bench.judge.withdraw(key);
    }
    assert_eq!(bench.needed(), []);
    bench.watch(0, 5000);
    assert_eq!(bench.needed(), [('a', 5000)]);
    bench.sample('a', 5001, 1);
    assert_eq!(bench.needed(), [('a', 6001)]);
}

#[test]
fn the_baseline_is_what_was_asked_while_it_was_sampled() {
    let mut bench = bench();
    bench.sample('a', 900, 99);
    bench.judge.take_baseline(at(1000));
    assert_eq!(bench.needed(), [('a', 1000), ('c', 1000)]);
    assert_eq!(bench.judge.next_wakeup(), Some(at(11_000)));
    assert_eq!(bench.sample('a', 1000, 99), "", "a poll that had begun before does not count");
    assert_eq!(bench.sample('a', 1001, 1), "");
    assert_eq!(bench.sample('c', 1001, 5), "");
    assert_eq!(bench.sample('a', 6000, -1), "", "no data is no sample");
    assert_eq!(bench.sample('a', 8000, 3), "");
    assert_eq!(bench.refresh(10_999), "");
    let taken = "baseline probe.a: avg 2, p99 2.98, 2 samples; probe.c: avg 5, p99 5, 1 sample";
    assert_eq!(bench.refresh(11_000), taken);
    assert_eq!((bench.refresh(12_000).as_str(), bench.needed()), ("", vec![]));
}

#[test]
fn a_baseline_waits_until_every_probe_has_answered_and_one_without_data_makes_it_blind() {
    let mut bench = bench();
    bench.judge.take_baseline(at(1000));
    bench.sample('a', 1001, 1);
    assert_eq!(bench.refresh(11_000), "");
    assert_eq!(bench.judge.next_wakeup(), None, "only an answer can end it now");
    assert_eq!(bench.sample('c', 11_500, -1), "no baseline, probe.c gave no data");
}

#[test]
fn a_baseline_that_is_taken_again_begins_anew() {
    let mut bench = bench();
    bench.judge.take_baseline(at(1000));
    bench.sample('a', 1001, 1);
    bench.sample('c', 1001, 1);
    bench.judge.take_baseline(at(5000));
    bench.sample('a', 5001, 7);
    bench.sample('c', 5001, 7);
    let taken = "baseline probe.a: avg 7, p99 7, 1 sample; probe.c: avg 7, p99 7, 1 sample";
    assert_eq!(bench.refresh(15_000), taken);
}

/// Watches whether probe `a` moves within 10 s.
fn dog(bench: &mut Bench, now: u64) -> AttemptId {
    let attempt = AttemptId { step: StepId::at(0), part: Part::Forward, number: Attempt::FIRST };
    bench.judge.watch_progress(attempt, &Progress { probe: probe('a'), stall: Span::from_secs(10) }, at(now));
    attempt
}

#[test]
fn a_quantity_that_moves_within_its_stall_is_well_and_one_that_does_not_is_told_once() {
    let mut bench = bench();
    bench.sample('a', 900, 7);
    dog(&mut bench, 1000);
    assert_eq!((bench.needed(), bench.judge.next_wakeup()), (vec![('a', 1900)], Some(at(11_000))));
    // Its first value is no movement, whatever it was before; any change is, whichever way.
    bench.sample('a', 2000, 5);
    assert_eq!(bench.judge.next_wakeup(), Some(at(11_000)));
    bench.sample('a', 5000, 9);
    bench.sample('a', 9000, 8);
    assert_eq!(bench.judge.next_wakeup(), Some(at(19_010)));
    bench.sample('a', 12_000, 8);
    bench.sample('a', 15_000, -1);
    assert_eq!(bench.refresh(19_009), "");
    assert_eq!(bench.refresh(19_010), "1 stalled, probe.a = 8 for 10s");
    assert_eq!((bench.refresh(30_000).as_str(), bench.judge.next_wakeup()), ("", None));
}

#[test]
fn no_data_is_no_movement_and_a_watch_that_begins_again_begins_anew() {
    let mut bench = bench();
    let attempt = dog(&mut bench, 1000);
    bench.sample('a', 5000, -1);
    assert_eq!(bench.refresh(10_000), "");
    dog(&mut bench, 10_000);
    assert_eq!(bench.refresh(19_999), "");
    assert_eq!(bench.refresh(20_000), "1 stalled, probe.a gave no data for 10s");
    bench.judge.unwatch_progress(attempt);
    assert_eq!(bench.needed(), []);
}

#[test]
fn a_falling_quantity_says_when_it_will_be_gone_and_one_that_stands_still_says_so() {
    let mut bench = bench();
    dog(&mut bench, 0);
    let pace = |bench: &Bench, now: u64| bench.judge.paces(at(now)).map(|(_, pace)| pace).collect::<Vec<_>>();
    assert_eq!(pace(&bench, 100), []);
    bench.sample('a', 1000, 1000);
    assert_eq!(pace(&bench, 1100), [Pace::Moving { rate: None, left: None }]);
    bench.sample('a', 3000, 800);
    let left = Some(Span::from_secs(8));
    assert_eq!(pace(&bench, 3100), [Pace::Moving { rate: Some(-100.0), left }]);
    bench.sample('a', 4000, 1300);
    assert_eq!(pace(&bench, 4100), [Pace::Moving { rate: Some(100.0), left: None }]);
    assert_eq!(pace(&bench, 9010), [Pace::Still { span: Span::from_secs(5) }]);
}

#[test]
fn the_last_value_of_a_probe_is_kept_with_how_long_it_has_been_good() {
    let mut bench = bench();
    assert_eq!(bench.judge.latest(probe('a')), None);
    bench.sample('a', 1000, 1);
    bench.sample('a', 2000, 2);
    let latest = bench.judge.latest(probe('a')).unwrap();
    assert_eq!((latest.value, latest.asked, latest.good_since), (Some(&json!(2)), at(2000), Some(at(1000))));
    bench.sample('a', 3000, -1);
    assert_eq!(bench.judge.latest(probe('a')).unwrap().good_since, None);
    bench.sample('a', 4000, 2);
    assert_eq!(bench.judge.latest(probe('a')).unwrap().good_since, Some(at(4000)));
}

#[test]
fn each_question_has_the_value_that_it_was_given_until_it_is_withdrawn() {
    let mut bench = bench();
    bench.judge.give_value('p', json!(10));
    bench.judge.give_value('q', json!(20));
    assert_eq!((bench.ask('p', 8, 0), bench.ask('q', 8, 0)), (String::new(), String::new()));
    assert_eq!(bench.sample('a', 1, 10), "p Holds, q Fails");
    assert_eq!(bench.sample('a', 1001, 20), "p Fails, q Holds");
    assert_eq!(bench.ask('q', 8, 0), "q Holds", "asked anew it still has it");
    bench.judge.withdraw('q');
    assert_eq!(bench.ask('q', 8, 0), "q NoData");
}

#[test]
fn a_history_is_sampled_from_the_moment_asked_about_and_fresh_when_all_that_is_read_is() {
    let mut bench = bench();
    bench.sample('a', 900, 1000);
    assert_eq!(bench.ask('q', 6, 1000), "");
    assert_eq!(bench.needed(), [('a', 1900)]);
    for second in 2..=31 {
        assert_eq!(bench.sample('a', second * 1000, 1), "");
    }
    // The 1,000 from before the moment is not in it any more.
    assert_eq!(bench.sample('a', 31_001, 1), "q Holds");
    assert_eq!(bench.sample('a', 32_000, 1000), "q Fails");
    // A second question about a later moment waits as long.
    assert_eq!(bench.ask('r', 6, 20_000), "");
}

#[test]
fn a_guard_that_has_never_held_counts_no_missing_history_before_it_could_be_there() {
    let mut bench = bench();
    assert_eq!(bench.watch(2, 1000), "");
    for second in 1..=10 {
        assert_eq!(bench.sample('a', second * 1000, -1), "", "{second}");
    }
    assert_eq!(bench.sample('a', 11_000, -1), "");
    assert_eq!(bench.sample('a', 12_000, -1), "g2 breached");

    // What it can tell counts from the beginning.
    bench.watch(2, 13_000);
    assert_eq!(bench.sample('a', 13_000, 0), "");
    assert_eq!(bench.sample('a', 14_000, 1), "g2 held");
    assert_eq!(bench.sample('a', 15_000, 9000), "");
    assert_eq!(bench.sample('a', 16_000, 9001), "g2 breached");
}

#[test]
fn a_guard_that_ignores_no_data_waits_for_its_history_and_no_longer() {
    let mut bench = with(NoData::Ignore);
    bench.watch(2, 1000);
    for second in 1..=10 {
        assert_eq!(bench.sample('a', second * 1000, -1), "", "{second}");
    }
    assert_eq!(bench.sample('a', 11_000, -1), "g2 held");
}

#[test]
fn what_has_no_data_for_five_seconds_or_is_untrue_for_thirty_is_overdue() {
    let mut bench = with(NoData::Pause);
    let late = |bench: &Bench, now| {
        let guards = bench.judge.guards_overdue(at(now)).map(|guard| format!("g{}", guard.index()));
        bench.judge.overdue(at(0), at(now)).map(String::from).chain(guards).collect::<Vec<_>>().join(" ")
    };
    bench.watch(0, 1000);
    bench.ask('q', 0, 1000);
    bench.ask('c', 2, 1000);
    assert_eq!(bench.judge.next_overdue(at(0), at(1000)), Some(at(6000)));
    bench.sample('a', 2000, -1);
    assert_eq!(late(&bench, 5999), "");
    assert_eq!(late(&bench, 6000), "q g0");
    // Data is there: the guard holds, the question waits for another value of it.
    bench.sample('a', 6500, 99);
    assert_eq!(late(&bench, 6510), "g0");
    bench.sample('a', 7500, 1);
    assert_eq!(late(&bench, 7510), "");
    bench.sample('a', 8500, 99);
    assert_eq!(bench.judge.next_overdue(at(0), at(8510)), Some(at(31_000)));
    assert_eq!(late(&bench, 31_000), "q");
    // What looks back over 30 s has five seconds from then.
    assert_eq!(late(&bench, 36_000), "c q");
}

#[test]
fn a_question_that_was_asked_before_anybody_measured_is_overdue_as_if_it_had_been_asked_then() {
    let mut bench = with(NoData::Pause);
    bench.ask('q', 0, 1000);
    assert_eq!(bench.judge.overdue(at(60_000), at(64_999)).count(), 0);
    assert_eq!(bench.judge.next_overdue(at(60_000), at(60_000)), Some(at(65_000)));
    assert_eq!(bench.judge.overdue(at(60_000), at(65_000)).count(), 1);
}
