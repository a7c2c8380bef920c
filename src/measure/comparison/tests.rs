use proptest::prelude::*;
use serde::Deserialize;

use super::*;

/// Two samples, and what `SciPy` says of them; written by the script beside the file.
#[derive(Deserialize)]
struct Reference {
    name: String,
    confidence: f64,
    effect: f64,
    p_value: f64,
    shift: f64,
    interval: (f64, f64),
    new: Vec<f64>,
    old: Vec<f64>,
}

fn references() -> Vec<Reference> {
    serde_json::from_str(include_str!("../../../tests/references/comparison.json")).unwrap()
}

fn near(a: f64, b: f64, relative: f64) -> bool {
    (a - b).abs() <= relative * b.abs() + 1e-9
}

#[test]
fn every_figure_is_scipys() {
    let references = references();
    assert_eq!(references.len(), 10);
    for of in references {
        let ours = Comparison::of(&of.new, &of.old, of.confidence);
        // A p-value far out has few digits that mean anything; they agree all the same.
        assert!((ours.p_value - of.p_value).abs() <= 1e-10 * of.p_value, "{}: p {}", of.name, ours.p_value);
        assert!(near(ours.effect, of.effect, 1e-12), "{}: effect {}", of.name, ours.effect);
        assert!(near(ours.shift, of.shift, 1e-12), "{}: shift {}", of.name, ours.shift);
        assert!(near(ours.interval.0, of.interval.0, 1e-9), "{}: from {:?}", of.name, ours.interval);
        assert!(near(ours.interval.1, of.interval.1, 1e-9), "{}: to {:?}", of.name, ours.interval);
    }
}

#[test]
fn a_difference_counts_if_its_whole_interval_does() {
    let answer = |name: &str| {
        let of = references().into_iter().find(|of| of.name == name).unwrap();
        Comparison::of(&of.new, &of.old, of.confidence).answer(0.25)
    };
    assert_eq!(answer("the same distribution"), Answer::Pass);
    assert_eq!(answer("all the same"), Answer::Pass);
    assert_eq!(answer("much slower"), Answer::High);
    assert_eq!(answer("two constants"), Answer::High);
    assert_eq!(answer("faster"), Answer::Low);
    // The shift is 1, and the interval begins at 0.
    assert_eq!(answer("many ties"), Answer::Pass);
    let wide = Comparison { p_value: 0.01, shift: 4.0, interval: (0.9, 7.0), effect: 0.6 };
    assert_eq!((wide.answer(0.25), wide.answer(0.2)), (Answer::Pass, Answer::High));
}

#[test]
fn the_normal_quantiles_are_the_known_ones() {
    for (confidence, quantile) in
        [(0.95, 1.959_963_984_540_054), (0.98, 2.326_347_874_040_841), (0.999, 3.290_526_731_491_926)]
    {
        assert!((two_sided_quantile(confidence) - quantile).abs() < 1e-10);
    }
    assert!((beyond(8.0) / 1.244_192_114_854_357e-15 - 1.0).abs() < 1e-10);
    // Where the series hands over to the fraction.
    assert!(
        (beyond(2.5 * std::f64::consts::SQRT_2 - 1e-9) / beyond(2.5 * std::f64::consts::SQRT_2) - 1.0).abs() < 1e-7
    );
}

fn points() -> impl Strategy<Value = Vec<f64>> {
    // Quarters: sums and differences of them are exact, so that ties stay ties.
    proptest::collection::vec((-200_i32..200).prop_map(|n| f64::from(n) / 4.0), 50..70)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn swapping_the_sides_swaps_high_and_low(new in points(), old in points(), by in -40_i32..40) {
        let new: Vec<f64> = new.iter().map(|point| point + f64::from(by)).collect();
        let (there, back) = (Comparison::of(&new, &old, 0.98), Comparison::of(&old, &new, 0.98));
        let swapped = match back.answer(0.25) {
            Answer::Pass => Answer::Pass,
            Answer::High => Answer::Low,
            Answer::Low => Answer::High,
        };
        prop_assert_eq!(there.answer(0.25), swapped, "{:?} {:?}", there, back);
        prop_assert!((there.p_value - back.p_value).abs() < 1e-12);
        prop_assert!((there.effect + back.effect - 1.0).abs() < 1e-12);
        prop_assert!((there.shift + back.shift).abs() < 1e-9);
    }

    #[test]
    fn moving_both_sides_changes_nothing(new in points(), old in points(), by in -1000_i32..1000) {
        let moved = |points: &[f64]| points.iter().map(|point| point + f64::from(by)).collect::<Vec<_>>();
        let (here, there) = (Comparison::of(&new, &old, 0.98), Comparison::of(&moved(&new), &moved(&old), 0.98));
        prop_assert_eq!(here.answer(0.25), there.answer(0.25));
        prop_assert!((here.p_value - there.p_value).abs() < 1e-12);
        prop_assert!((here.interval.0 - there.interval.0).abs() < 1e-9);
    }

    #[test]
    fn the_shift_lies_in_its_interval_and_moving_one_side_moves_it(new in points(), old in points(), by in -50_i32..50) {
        let by = f64::from(by);
        let here = Comparison::of(&new, &old, 0.98);
        prop_assert!(here.interval.0 <= here.shift && here.shift <= here.interval.1, "{here:?}");
        let moved: Vec<f64> = new.iter().map(|point| point + by).collect();
        prop_assert!((Comparison::of(&moved, &old, 0.98).shift - here.shift - by).abs() < 1e-9);
    }
}
