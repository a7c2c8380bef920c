use std::cmp::Ordering;

use serde::Deserialize;
use serde_json::json;

use super::*;

/// Samples, and what a real Prometheus says of stretches of them; written by the script beside the file.
#[derive(Deserialize)]
struct Reference {
    differs_before_3: usize,
    series: std::collections::BTreeMap<String, Vec<(u64, f64)>>,
    answers: Vec<Answer>,
}

/// The series, when, over how many milliseconds, the function, its percentage, the answer.
type Answer = (String, u64, u64, String, Option<f64>, Option<f64>);

fn at(millis: u64) -> Time {
    Time::from_millis(millis)
}

/// A second apart, from 1 s on; `None` is a sample without data.
fn series(values: &[Option<f64>]) -> Series {
    let mut series = Series::new(Span::from_secs(600));
    for (second, value) in (1..).zip(values) {
        series.take(at(second * 1000), value.map(|value| json!(value)).as_ref());
    }
    series
}

fn folded(series: &Series, fold: Fold, seconds: u64) -> Result<f64, String> {
    series.fold(fold, Span::from_secs(seconds)).map(Number::to_decimal)
}

#[test]
fn every_function_says_what_prometheus_says() {
    let reference: Reference = serde_json::from_str(include_str!("../../../tests/references/series.json")).unwrap();
    assert!(reference.answers.len() > 1000 && reference.differs_before_3 < 20);
    for (name, asked, over, function, percent, answer) in &reference.answers {
        let mut series = Series::new(Span::from_secs(3600));
        for (at, value) in reference.series[name].iter().filter(|(at, _)| at <= asked) {
            series.take(Time::from_millis(*at), Some(&json!(value)));
        }
        // Prometheus is asked at a time of its own: here that is a sample without data.
        if reference.series[name].iter().all(|(at, _)| at != asked) {
            series.take(at(*asked), None);
        }
        let fold = match function.as_str() {
            "avg" => Fold::Avg,
            "min" => Fold::Min,
            "max" => Fold::Max,
            "count" => Fold::Count,
            "rate" => Fold::Rate,
            _ => Fold::Percentile(percent.unwrap()),
        };
        let ours = series.fold(fold, Span::from_millis(*over)).ok().map(Number::to_decimal);
        let near = match (ours, answer) {
            (Some(ours), Some(answer)) => (ours - answer).abs() <= 1e-9 * answer.abs().max(1.0),
            (ours, answer) => ours == *answer,
        };
        assert!(near, "{function} {percent:?} of {name} at {asked} over {over}: {ours:?}, and not {answer:?}");
    }
}

#[test]
fn a_stretch_is_open_at_its_beginning_and_ends_with_the_last_sample() {
    let series = series(&[Some(1.0), Some(2.0), Some(3.0), Some(4.0)]);
    assert_eq!(folded(&series, Fold::Count, 3), Ok(3.0));
    assert_eq!(folded(&series, Fold::Min, 3), Ok(2.0));
    assert_eq!(folded(&series, Fold::Avg, 4), Ok(2.5));
}

#[test]
fn samples_without_data_move_the_stretch_on_and_are_not_in_it() {
    let series = series(&[Some(1.0), Some(2.0), None, None]);
    assert_eq!(folded(&series, Fold::Count, 4), Ok(2.0));
    assert_eq!(folded(&series, Fold::Max, 3), Ok(2.0));
    assert_eq!(folded(&series, Fold::Count, 2), Ok(0.0));
    assert_eq!(folded(&series, Fold::Max, 2), Err("no sample with data in 2s".to_owned()));
    assert_eq!(folded(&series, Fold::Rate, 3), Err("1 of 2 samples in 3s".to_owned()));
    assert_eq!(folded(&Series::new(Span::from_secs(1)), Fold::Count, 1), Err("no sample yet".to_owned()));
}

#[test]
fn a_counter_that_begins_again_has_not_fallen() {
    // 10 a second for 4 s, with a reset in the middle; nothing to carry on but the second before the first.
    let counter = series(&[Some(1000.0), Some(1010.0), Some(0.0), Some(10.0), Some(20.0)]);
    assert_eq!(folded(&counter, Fold::Rate, 5), Ok(30.0 * (5.0 / 4.0) / 5.0));
    let falls = series(&[Some(5.0), Some(4.0)]);
    assert_eq!(folded(&falls, Fold::Rate, 2), Ok(4.0 * 2.0 / 2.0), "the growth since 0 is 4");
}

#[test]
fn a_percentile_lies_between_two_samples_in_proportion() {
    let four = series(&[Some(4.0), Some(1.0), Some(3.0), Some(2.0)]);
    for (percent, value) in [(0.0, 1.0), (50.0, 2.5), (90.0, 3.7), (100.0, 4.0)] {
        let found = folded(&four, Fold::Percentile(percent), 60).unwrap();
        assert!((found - value).abs() < 1e-12, "p{percent} is {value}, and not {found}");
    }
}

#[test]
fn whole_numbers_stay_whole() {
    let mut series = Series::new(Span::from_secs(10));
    series.take(at(0), Some(&json!(u64::MAX)));
    series.take(at(1), Some(&json!(u64::MAX - 1)));
    let largest = series.fold(Fold::Max, Span::from_secs(1)).unwrap();
    assert_eq!(largest.compare(Number::Whole(u64::MAX.into())), Ordering::Equal);
}

#[test]
fn what_is_older_than_keep_is_forgotten_and_never_more_than_so_many_are_kept() {
    let mut series = Series::new(Span::from_secs(2));
    for second in 0..10 {
        series.take(at(second * 1000), Some(&json!(second)));
    }
    assert_eq!(series.samples.len(), 2);
    let mut fast = Series::new(Span::from_secs(86_400));
    for millis in 0..(SAMPLES_MAX as u64 + 5) {
        fast.take(at(millis), None);
    }
    assert_eq!(fast.samples.len(), SAMPLES_MAX);
}
