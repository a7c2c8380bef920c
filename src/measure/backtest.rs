//! A guard over samples of the past, in virtual time.
//!
//! The [`Judge`] of a live run judges; here is only noted what it says and for how long. After a breach it goes on as if
//! somebody had mended what was wrong by the time that the guard would be healthy again.

use serde_json::Value as Json;

use super::{Finding, Judge, Scope};
use crate::model::{GuardId, Hindsight, Plan, ProbeId, Span, Spell, Time, Verdict};

/// One guard, watched from [`Time::ZERO`] on.
pub struct Backtest {
    judge: Judge<()>,
    /// The last verdict, and since when it stands.
    standing: Option<(Time, Verdict)>,
    seen: Hindsight,
}

impl Backtest {
    /// A guard that has seen nothing yet.
    pub fn new(plan: &Plan, guard: GuardId, scope: &dyn Scope) -> Self {
        let mut judge = Judge::new(plan);
        // A guard without probes is judged at once; no history has anything to say of it.
        judge.watch_guard(guard, Time::ZERO, scope);
        let seen = Hindsight {
            guard,
            judged: 0,
            held: Span::ZERO,
            failed: Span::ZERO,
            no_data: Span::ZERO,
            why_none: None,
            breaches: Vec::new(),
            blind: Vec::new(),
            warned: Vec::new(),
            why_unwarned: None,
        };
        Self { judge, standing: None, seen }
    }

    /// Takes in a sample, as answered at once. They come in the order of their times.
    pub fn sample(&mut self, probe: ProbeId, at: Time, value: Result<Json, String>, scope: &dyn Scope) {
        let value = value.map_err(|why| self.seen.why_none = Some(why)).ok();
        self.judge.began(probe, at);
        for finding in self.judge.sample(probe, at, at, value, scope) {
            self.note(finding, at);
        }
        self.note_standing(at);
    }

    fn note(&mut self, finding: Finding<()>, at: Time) {
        let spell = |evidence| Spell { from: at, to: None, evidence };
        match finding {
            Finding::GuardBreached { evidence, .. } => self.seen.breaches.push(spell(evidence)),
            Finding::GuardBlind { evidence, .. } => self.seen.blind.push(spell(evidence)),
            Finding::GuardWarned { evidence, .. } => self.seen.warned.push(spell(evidence)),
            Finding::GuardEased { .. } => end_last(&mut self.seen.warned, at),
            // Nothing else is asked here.
            Finding::GuardHeld { .. }
            | Finding::Judged { .. }
            | Finding::SpendNoted { .. }
            | Finding::ProgressStalled { .. }
            | Finding::BaselineTaken { .. }
            | Finding::BaselineBlind { .. } => {}
        }
    }

    /// What the guard says now, where it was judged now.
    fn note_standing(&mut self, at: Time) {
        let Some(health) = self.judge.health(self.seen.guard) else { return };
        let is_news = health.judged == Some(at) && self.standing.is_none_or(|(since, _)| since < at);
        let Some(verdict) = health.verdict.filter(|_| is_news) else { return };
        if health.failing < health.failures {
            end_last(&mut self.seen.breaches, at);
        }
        if health.without_data < health.failures {
            end_last(&mut self.seen.blind, at);
        }
        self.seen.judged += 1;
        self.account(at);
        self.standing = Some((at, verdict));
    }

    /// The last verdict stood until now.
    fn account(&mut self, until: Time) {
        let Some((since, verdict)) = self.standing else { return };
        let share = match verdict {
            Verdict::Holds => &mut self.seen.held,
            Verdict::Fails => &mut self.seen.failed,
            Verdict::NoData => &mut self.seen.no_data,
        };
        *share = share.plus(until.since(since));
    }

    /// What it saw; the last verdict stands until `end`.
    pub fn end(mut self, end: Time) -> Hindsight {
        self.account(end);
        self.seen
    }
}

fn end_last(spells: &mut [Spell], at: Time) {
    if let Some(last) = spells.last_mut() {
        last.to.get_or_insert(at);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::measure::Series;
    use crate::model::{Figure, StepOutcome, Value};

    struct Nothing;

    impl Scope for Nothing {
        fn var(&self, _: &str) -> Option<Value> {
            None
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
            None
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

    fn plan(guard: &str) -> Plan {
        let text = format!(
            "format = 1\n[runbook]\nname = 'x'\ntimeout = '1m'\n\
             [probe.a]\nrun = ['a']\n[probe.b]\nrun = ['b']\n\
             [guard.g]\n{guard}\n[step.s]\nwait = '1s'\n"
        );
        crate::syntax::read(&text).plan.expect("a runbook")
    }

    /// One sample of probe `a` a second; below zero: no data.
    fn seen(guard: &str, samples: &[i64]) -> Hindsight {
        let plan = plan(guard);
        let mut backtest = Backtest::new(&plan, GuardId::at(0), &Nothing);
        for (second, sample) in (0..).zip(samples) {
            let value = if *sample < 0 { Err("gone".to_owned()) } else { Ok(json!(sample)) };
            backtest.sample(ProbeId::at(0), second_at(second), value, &Nothing);
        }
        backtest.end(second_at(samples.len() as u64))
    }

    fn second_at(second: u64) -> Time {
        Time::from_millis(second * 1000)
    }

    fn spells(spells: &[Spell]) -> Vec<(u64, Option<u64>)> {
        spells.iter().map(|spell| (spell.from.millis() / 1000, spell.to.map(|to| to.millis() / 1000))).collect()
    }

    #[test]
    fn a_breach_lasts_until_so_many_of_the_last_samples_fail_no_longer_and_then_there_may_be_another() {
        //                                                    0  1  2  3  4  5  6  7  8  9
        let seen = seen("require = 'probe.a < 10'", &[1, 99, 1, 99, 1, 1, 99, 1, 99, 99]);
        assert_eq!(spells(&seen.breaches), [(3, Some(4)), (8, None)]);
        assert_eq!(seen.breaches[0].evidence, "2 of the last 3 samples failed: probe.a = 99 (must be < 10)");
        assert_eq!((seen.judged, seen.held, seen.failed), (10, Span::from_secs(5), Span::from_secs(5)));
        assert_eq!(seen.breaches[1].span(second_at(10)), Span::from_secs(2));
    }

    #[test]
    fn no_data_counts_as_the_guard_says_and_its_time_apart() {
        let samples = [1, -1, -1, -1, 1, 1];
        let fail = seen("require = 'probe.a < 10'", &samples);
        assert_eq!((spells(&fail.breaches), spells(&fail.blind)), (vec![(2, Some(5))], vec![]));
        let ignore = seen("require = 'probe.a < 10'\nno_data = 'ignore'", &samples);
        assert_eq!((spells(&ignore.breaches), spells(&ignore.blind)), (vec![], vec![]));
        let pause = seen("require = 'probe.a < 10'\nno_data = 'pause'", &samples);
        assert_eq!((spells(&pause.breaches), spells(&pause.blind)), (vec![], vec![(2, Some(5))]));
        for seen in [fail, ignore, pause] {
            assert_eq!((seen.no_data, seen.why_none.as_deref()), (Span::from_secs(3), Some("gone")));
        }
    }

    #[test]
    fn a_warning_lasts_until_it_eases_and_counts_beside_the_breach() {
        let seen = seen("require = 'probe.a < 90'\nwarn = 'probe.a < 10'", &[1, 20, 20, 99, 1, 1, 20, 20]);
        assert_eq!((spells(&seen.warned), spells(&seen.breaches)), (vec![(2, Some(5)), (7, None)], vec![]));
    }

    #[test]
    fn a_guard_over_several_probes_is_judged_once_per_every_as_in_a_run() {
        let plan = plan("require = 'probe.a + probe.b < 10'\nevery = '2s'\nfailures = 1\nof = 1");
        let mut backtest = Backtest::new(&plan, GuardId::at(0), &Nothing);
        for second in 0..6 {
            let value = if second == 3 { 99 } else { 1 };
            backtest.sample(ProbeId::at(0), second_at(second), Ok(json!(value)), &Nothing);
            backtest.sample(ProbeId::at(1), second_at(second), Ok(json!(1)), &Nothing);
        }
        let seen = backtest.end(second_at(6));
        assert_eq!((seen.judged, spells(&seen.breaches)), (3, vec![]), "the bad second lies between two looks");
    }
}
