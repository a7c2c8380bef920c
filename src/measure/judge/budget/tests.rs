use serde_json::json;

use super::*;
use crate::model::{Allowance, Guard, Rollback, Rule, Scope};

/// A budget over the probes 0 (bad) and 1 (total), asked every second.
struct Bench(Account);

fn bench(allow: Allowance, forecast: Option<u64>) -> Bench {
    with(allow, forecast, NoData::Fail, OnBreach::Rollback(Rollback::TO_START))
}

fn with(allow: Allowance, forecast: Option<u64>, no_data: NoData, on_breach: OnBreach) -> Bench {
    let budget = Budget { bad: ProbeId::at(0), allow, forecast: forecast.map(Span::from_secs) };
    let guard = Guard {
        name: "lost".to_owned(),
        scope: Scope::Everywhere,
        rule: Rule::Budget(budget.clone()),
        no_data,
        on_breach,
        remedy: None,
    };
    let mut account = Account::of(&guard, &budget);
    account.watch(Time::ZERO, 0);
    Bench(account)
}

fn secs(seconds: u64) -> Time {
    Time::from_millis(seconds * 1000)
}

fn count(count: u32) -> Allowance {
    Allowance::Count(count.into())
}

fn share(share: f64, total_min: f64) -> Allowance {
    Allowance::Share { total: ProbeId::at(1), share, total_min }
}

impl Bench {
    fn note(&mut self, probe: usize, asked: u64, value: i64) -> bool {
        let value = (value >= 0).then(|| json!(value));
        let sample = Sample { asked: secs(asked), arrived: secs(asked), value, order: 1 };
        self.0.note(ProbeId::at(probe), &sample)
    }

    /// A round of a count; below zero there is no data. `ends`: the second in which the phase ends at the latest.
    fn bad(&mut self, asked: u64, value: i64, ends: Option<u64>) -> String {
        assert!(self.note(0, asked, value));
        self.judged(asked, ends)
    }

    /// A round of a share.
    fn both(&mut self, asked: u64, bad: i64, total: i64, ends: Option<u64>) -> String {
        assert!(!self.note(0, asked, bad), "it waits for the other counter");
        assert!(self.note(1, asked, total));
        self.judged(asked, ends)
    }

    fn judged(&mut self, asked: u64, ends: Option<u64>) -> String {
        let round = self.0.judge(secs(asked), ends.map(secs));
        let turn = match round.news.turn {
            Turn::None => "",
            Turn::Breached => " BREACHED",
            Turn::Eased => " eased",
        };
        let held = if round.news.held { " held" } else { "" };
        let blind = if round.news.blind { " blind" } else { "" };
        let noted = if round.is_notable { " noted" } else { "" };
        format!("{}{held}{turn}{blind}{noted}", round.evidence)
    }
}

#[test]
fn what_is_spent_is_what_the_counter_grew_since_the_first_sample() {
    let mut lost = bench(count(10), None);
    assert_eq!(lost.bad(1, 4000, None), "0 of 10 spent (0%) held noted");
    assert_eq!(lost.bad(2, 4003, None), "3 of 10 spent (30%) noted");
    assert_eq!(lost.bad(3, 4003, None), "3 of 10 spent (30%)");
    assert_eq!(lost.bad(4, 4010, None), "10 of 10 spent (100%) noted");
    assert_eq!(lost.bad(5, 4011, None), "11 of 10 spent (110%) BREACHED noted");
    assert_eq!(lost.bad(6, 4011, None), "11 of 10 spent (110%)", "it is told once");
}

#[test]
fn a_counter_that_falls_has_begun_again_at_zero_and_nothing_is_forgotten() {
    let mut lost = bench(count(100), None);
    for (second, value, spent) in [(1, 50, "0"), (2, 60, "10"), (3, 3, "13"), (4, 3, "13"), (5, 0, "13"), (6, 7, "20")]
    {
        let said = lost.bad(second, value, None);
        assert!(said.starts_with(&format!("{spent} of 100 spent")), "{second}: {said}");
    }
}

#[test]
fn a_sample_from_before_the_scope_opened_is_no_beginning() {
    let mut lost = bench(count(10), None);
    lost.0.unwatch();
    lost.0.watch(secs(10), 5);
    assert!(!lost.note(0, 9, 100));
    assert!(!lost.note(0, 10, 100), "asked in the same millisecond, and before");
    assert!(lost.note(0, 11, 150));
}

#[test]
fn what_happens_while_the_scope_is_closed_is_not_counted_and_what_was_spent_stays() {
    let mut lost = bench(count(100), None);
    lost.bad(1, 10, None);
    lost.bad(2, 15, None);
    assert!(!lost.0.unwatch(), "all of it is written down");
    lost.0.watch(secs(100), 0);
    assert_eq!(lost.bad(101, 90, None), "5 of 100 spent (5%) held noted");
    assert_eq!(lost.bad(102, 92, None), "7 of 100 spent (7%)");
    assert!(lost.0.unwatch(), "two of them are not");
}

#[test]
fn a_pause_or_a_rollback_interrupts_nothing_that_is_counted() {
    let mut lost = bench(count(10), None);
    lost.bad(1, 0, None);
    lost.0.watch(secs(5), 0);
    assert_eq!(lost.bad(9, 8, None), "8 of 10 spent (80%) held noted");
}

#[test]
fn a_further_pass_with_a_spent_budget_goes_back_at_once_and_people_who_go_on_are_told_once() {
    let policies =
        [(OnBreach::Rollback(Rollback::TO_START), " BREACHED"), (OnBreach::Pause, " held"), (OnBreach::Warn, " held")];
    for (on_breach, then) in policies {
        let mut lost = with(count(10), None, NoData::Fail, on_breach);
        lost.bad(1, 0, None);
        assert_eq!(lost.bad(2, 11, None), "11 of 10 spent (110%) BREACHED noted");
        lost.0.watch(secs(3), 0);
        assert_eq!(lost.bad(4, 11, None), format!("11 of 10 spent (110%){then}"));
    }
}

#[test]
fn a_process_that_takes_over_counts_from_the_last_values_that_were_written_down() {
    let mut first = bench(count(100), Some(60));
    first.bad(1, 1000, None);
    first.bad(2, 1040, None);
    let mut second = bench(count(100), Some(60));
    second.0.restore(&first.0.spend());
    // What was lost meanwhile counts, and so does the time.
    assert_eq!(second.bad(62, 1050, None), "50 of 100 spent (50%) held noted");
    assert_eq!(second.0.spend().counted, Span::from_secs(61));
    // A counter that began again meanwhile loses what it had grown by since, and nothing of what was noted.
    let mut third = bench(count(100), None);
    third.0.restore(&first.0.spend());
    assert_eq!(third.bad(62, 5, None), "45 of 100 spent (45%) held noted");
}

#[test]
fn a_breach_that_people_accepted_is_not_told_again_by_the_next_process() {
    let mut first = with(count(10), None, NoData::Fail, OnBreach::Pause);
    first.bad(1, 0, None);
    first.bad(2, 11, None);
    let mut second = with(count(10), None, NoData::Fail, OnBreach::Pause);
    second.0.restore(&first.0.spend());
    second.0.watch(secs(3), 0);
    assert_eq!(second.bad(4, 12, None), "12 of 10 spent (120%) held noted");
}

#[test]
fn whoever_accepted_a_forecast_is_told_when_the_budget_is_spent() {
    let mut lost = with(count(100), Some(10), NoData::Fail, OnBreach::Pause);
    lost.bad(0, 0, Some(100));
    assert!(lost.bad(10, 30, Some(100)).contains("at the present rate 300"), "a forecast");
    lost.0.watch(secs(11), 0);
    let said = lost.bad(12, 36, Some(100));
    assert!(said.contains("at the present rate 300") && said.ends_with("held noted"), "{said}");
    assert_eq!(lost.bad(20, 101, Some(100)), "101 of 100 spent (101%) BREACHED noted");
}

#[test]
fn a_spend_is_written_down_at_each_twentieth_of_the_allowance_and_ever_more_rarely_beyond() {
    let mut lost = with(count(100), None, NoData::Fail, OnBreach::Warn);
    let noted = (0..=1000).filter(|value| lost.bad(1, *value, None).ends_with("noted")).collect::<Vec<i64>>();
    assert_eq!(noted[..4], [0, 5, 10, 15]);
    assert_eq!(noted.iter().filter(|value| **value <= 100).count(), 21);
    assert!(noted.len() < 80, "{}", noted.len());
}

#[test]
fn no_data_for_three_rounds_counts_as_no_data_says() {
    #[rustfmt::skip]
    let table = [
        (NoData::Fail,   " BREACHED"),
        (NoData::Ignore, ""),
        (NoData::Pause,  " blind"),
    ];
    for (no_data, third) in table {
        let mut lost = with(count(10), None, no_data, OnBreach::Pause);
        lost.bad(1, 0, None);
        let none = "a counter has no data; 0 of 10 spent (0%)";
        assert_eq!(lost.bad(2, -1, None), none);
        assert_eq!(lost.bad(3, -1, None), none);
        assert_eq!(lost.bad(4, -1, None), format!("{none}{third}"), "{no_data:?}");
        // Nothing is lost by it.
        assert!(lost.bad(5, 9, None).starts_with("9 of 10 spent (90%)"), "{no_data:?}");
    }
}

#[test]
fn a_budget_that_ignores_no_data_lets_steps_begin_without_any() {
    for (no_data, first) in [(NoData::Fail, ""), (NoData::Ignore, " held"), (NoData::Pause, "")] {
        let mut lost = with(count(10), None, no_data, OnBreach::Pause);
        assert_eq!(lost.bad(1, -1, None), format!("a counter has no data; 0 of 10 spent (0%){first}"), "{no_data:?}");
    }
}

#[test]
fn a_share_is_taken_of_what_happened_so_far_and_of_a_least_total_before() {
    // 1%, of 1,000 at least: ten are allowed from the beginning.
    let mut lost = bench(share(0.01, 1000.0), None);
    assert_eq!(lost.both(1, 7, 50_000, None), "0 of 10 spent (0%) held noted");
    assert_eq!(lost.both(2, 8, 50_010, None), "1 of 10 spent (10%) noted", "a tenth of ten requests is no breach");
    assert_eq!(lost.both(3, 37, 53_000, None), "30 of 30 spent (100%) noted");
    assert_eq!(lost.both(4, 38, 53_000, None), "31 of 30 spent (103%) BREACHED noted");
    assert_eq!(lost.both(5, 38, 54_000, None), "31 of 40 spent (78%) eased noted");
}

#[test]
fn a_share_without_one_of_its_counters_has_no_data() {
    let mut lost = bench(share(0.01, 1000.0), None);
    lost.both(1, 0, 0, None);
    assert_eq!(lost.both(2, 500, -1, None), "a counter has no data; 0 of 10 spent (0%)");
    assert_eq!(lost.both(3, 500, 99_000, None), "500 of 990 spent (51%) noted");
}

#[test]
fn a_forecast_breaches_when_the_present_rate_would_spend_more_by_the_end_of_the_phase() {
    let mut lost = bench(count(100), Some(10));
    let ends = Some(100);
    // 3 a second: 300 by the end.
    for second in 0..10 {
        assert!(
            !lost.bad(second, 3 * second.cast_signed(), ends).contains("BREACHED"),
            "{second}: less than its window"
        );
    }
    let said = lost.bad(10, 30, ends);
    assert_eq!(
        said,
        "30 of 100 spent (30%); at the present rate 300 by the end of the phase's bound in 1m 30s BREACHED noted"
    );
}

/// The worked example of `docs/format.md`.
#[test]
fn a_request_that_fails_every_two_seconds_spends_200_in_402_s_and_is_seen_at_100_s() {
    let breached = |forecast| {
        let mut lost = bench(count(200), forecast);
        let mut said =
            (0..).step_by(2).map(|second| (second, lost.bad(second, (second / 2).cast_signed(), Some(1800))));
        said.find(|(_, said)| said.contains("BREACHED")).expect("it is breached in the end")
    };
    let said =
        "50 of 200 spent (25%); at the present rate 900 by the end of the phase's bound in 28m 20s BREACHED noted";
    assert_eq!(breached(Some(60)), (100, said.to_owned()));
    assert_eq!(breached(None).0, 402);
}

#[test]
fn a_forecast_needs_a_quarter_of_the_allowance_to_be_spent() {
    let mut lost = bench(count(100), Some(10));
    for second in 0..=12 {
        let said = lost.bad(second, 2 * second.cast_signed(), Some(1000));
        assert!(!said.contains("BREACHED"), "{second}: {said}");
    }
    assert!(lost.bad(13, 26, Some(1000)).contains("BREACHED"));
}

#[test]
fn a_burst_that_is_over_and_a_long_calm_are_both_no_forecast() {
    let mut lost = bench(count(100), Some(10));
    lost.bad(0, 0, Some(1000));
    // Over for longer than the window: 50 in 20 s would be 2,500 by the end, but there are no more.
    assert!(lost.bad(5, 50, Some(5)).contains("spent (50%)"));
    for second in 6..=20 {
        assert!(!lost.bad(second, 50, if second < 16 { None } else { Some(1000) }).contains("BREACHED"), "{second}");
    }
    let mut lost = bench(count(100), Some(10));
    lost.bad(0, 0, Some(1000));
    lost.bad(900, 0, Some(1000));
    // 30 in 11 s would be 300 in the 90 s that are left; along the whole way it was 30 in 911 s.
    assert!(!lost.bad(911, 30, Some(1000)).contains("BREACHED"));
}

#[test]
fn without_a_phase_under_way_and_with_forecast_off_only_what_is_spent_counts() {
    for (forecast, ends) in [(Some(1), None), (None, Some(1000))] {
        let mut lost = bench(count(100), forecast);
        for second in 0..=20 {
            let said = lost.bad(second, 5 * second.cast_signed(), ends);
            assert!(!said.contains("BREACHED"), "{second}: {said}");
        }
    }
}

#[test]
fn the_forecast_of_a_share_looks_behind_its_least_total() {
    // Of 10,000 at least ten are allowed; 1% of them fail, and 900 s are left: 95 of 9,050, where ten are allowed.
    let mut lost = bench(share(0.001, 10_000.0), Some(10));
    for second in 0..10_i64 {
        lost.both(second.cast_unsigned(), second / 2, second * 10, Some(1000));
    }
    let said = lost.both(10, 5, 100, Some(1000));
    assert!(
        said.ends_with("BREACHED noted") && said.contains("5 of 10 spent (50%); at the present rate 500 by"),
        "{said}"
    );
}
