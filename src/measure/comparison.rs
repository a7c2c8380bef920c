//! Whether one sample is larger than another: the Mann-Whitney U test as the Netflix judge of Kayenta uses it.
//!
//! - The p-value is that of the normal approximation with corrections for ties and for continuity, two-sided (`SciPy`'s
//!   `mannwhitneyu(method="asymptotic")`).
//! - The shift is the estimate of Hodges and Lehmann: the median of all differences between a new and an old point.
//! - Its confidence interval is that of R's `wilcox.test(conf.int = TRUE, exact = FALSE)`: the shifts at which the
//!   standardised statistic crosses the normal quantiles. The statistic is a staircase in the shift; its edge is found
//!   exactly here, where R and Kayenta stop within 1e-4.
//! - The answer is that of Kayenta's `MannWhitneyClassifier` (`kayenta-judge`, `classifiers/metric`): *high* if the whole
//!   interval lies above `tolerance` times the size of the shift, *low* if it lies below minus that.
//! - The effect size is the share of pairs in which the new point is larger, ties counting half: U / (n m), the A of Vargha
//!   and Delaney.
//!
//! The approximation is good from 50 points on; below that R computes exact figures, and here there is no answer.

use super::summary::real;

/// What two samples are compared by.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Terms {
    /// How sure the interval is, above 0.5 and below 1.
    pub(super) confidence: f64,
    /// How much of the size of the shift the interval must leave out towards 0; from 0, below 1.
    pub(super) tolerance: f64,
}

/// How one sample stands to another.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Comparison {
    /// How likely so large a difference is where there is none.
    pub(super) p_value: f64,
    /// How much larger the new points are.
    pub(super) shift: f64,
    /// Where the shift lies, as sure as was asked for.
    pub(super) interval: (f64, f64),
    /// In what share of pairs the new point is the larger one.
    pub(super) effect: f64,
}

/// What a comparison comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// No difference that counts.
    Pass,
    /// The new points are larger.
    High,
    /// The new points are smaller.
    Low,
}

impl Answer {
    /// As expressions read it.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::High => "high",
            Self::Low => "low",
        }
    }
}

impl Comparison {
    /// Compares two samples of finite numbers, neither of them empty.
    pub(super) fn of(new: &[f64], old: &[f64], confidence: f64) -> Self {
        let pair = Pair::of(new, old);
        let quantile = two_sided_quantile(confidence);
        Self {
            p_value: pair.p_value(),
            shift: pair.shift(),
            interval: (pair.crossing(quantile), pair.crossing(-quantile)),
            effect: pair.effect(),
        }
    }

    /// The answer, by a tolerance.
    pub(super) fn answer(&self, tolerance: f64) -> Answer {
        let bound = tolerance * self.shift.abs();
        if self.interval.0 > bound {
            Answer::High
        } else if self.interval.1 < -bound {
            Answer::Low
        } else {
            Answer::Pass
        }
    }
}

/// Two samples, each in order.
struct Pair {
    new: Vec<f64>,
    old: Vec<f64>,
}

impl Pair {
    fn of(new: &[f64], old: &[f64]) -> Self {
        let sorted = |numbers: &[f64]| {
            let mut sorted = numbers.to_vec();
            sorted.sort_by(f64::total_cmp);
            sorted
        };
        Self { new: sorted(new), old: sorted(old) }
    }

    fn sizes(&self) -> (f64, f64) {
        (real(self.new.len()), real(self.old.len()))
    }

    /// With the new points moved down by `shift`: by how much U is above its mean, and its standard deviation.
    fn standing(&self, shift: f64) -> (f64, f64) {
        let (n, m) = self.sizes();
        let all = n + m;
        let (mut i, mut j) = (0, 0);
        let (mut rank_sum, mut tied) = (0.0, 0.0);
        while i < self.new.len() || j < self.old.len() {
            let new = self.new.get(i).map_or(f64::INFINITY, |new| new - shift);
            let value = new.min(self.old.get(j).copied().unwrap_or(f64::INFINITY));
            let before = real(i + j);
            let new_ones = self.new[i..].iter().take_while(|new| **new - shift <= value).count();
            let old_ones = self.old[j..].iter().take_while(|old| **old <= value).count();
            let equal = real(new_ones + old_ones);
            rank_sum += real(new_ones) * (before + f64::midpoint(equal, 1.0));
            tied += equal.powi(3) - equal;
            i += new_ones;
            j += old_ones;
        }
        let above_mean = rank_sum - n * (n + 1.0) / 2.0 - n * m / 2.0;
        let variance = n * m / 12.0 * (all + 1.0 - tied / (all * (all - 1.0)));
        (above_mean, variance.max(0.0).sqrt())
    }

    /// With the correction for continuity; 0 where all points are tied.
    fn standardised(&self, shift: f64) -> f64 {
        let (above_mean, deviation) = self.standing(shift);
        if deviation == 0.0 {
            return 0.0;
        }
        let correction = if above_mean == 0.0 { 0.0 } else { 0.5_f64.copysign(above_mean) };
        (above_mean - correction) / deviation
    }

    fn p_value(&self) -> f64 {
        let (above_mean, deviation) = self.standing(0.0);
        if deviation == 0.0 {
            return 1.0;
        }
        let z = (above_mean.abs() - 0.5) / deviation;
        if z <= 0.0 { 1.0 } else { beyond(z) }
    }

    fn effect(&self) -> f64 {
        let (n, m) = self.sizes();
        self.standing(0.0).0 / (n * m) + 0.5
    }

    /// The smallest and the largest difference of a new and an old point.
    fn extremes(&self) -> (f64, f64) {
        let ends = |sorted: &[f64]| (sorted[0], sorted[sorted.len() - 1]);
        let ((new_min, new_max), (old_min, old_max)) = (ends(&self.new), ends(&self.old));
        (new_min - old_max, new_max - old_min)
    }

    /// Up to which shift the standardised statistic stays above that. It falls as the shift grows.
    fn crossing(&self, height: f64) -> f64 {
        let (least, most) = self.extremes();
        if self.standardised(least) <= height {
            return least;
        }
        if self.standardised(most) >= height {
            return most;
        }
        first(least, most, |shift| self.standardised(shift) <= height)
    }

    /// The median of all differences, without making them all.
    fn shift(&self) -> f64 {
        let pairs = self.new.len() * self.old.len();
        f64::midpoint(self.difference(pairs.div_ceil(2)), self.difference(pairs / 2 + 1))
    }

    /// The difference that has this place (from 1) among all differences in order.
    fn difference(&self, place: usize) -> f64 {
        let (least, most) = self.extremes();
        if self.differences_up_to(least) >= place {
            return least;
        }
        first(least, most, |bound| self.differences_up_to(bound) >= place)
    }

    fn differences_up_to(&self, bound: f64) -> usize {
        let mut count = 0;
        let mut from = 0;
        for new in &self.new {
            from += self.old[from..].iter().take_while(|old| new - **old > bound).count();
            count += self.old.len() - from;
        }
        count
    }
}

/// The smallest number in `(below, above]` from which on something is so; it is not so `below`, and it is `above`.
fn first(mut below: f64, mut above: f64, is_so: impl Fn(f64) -> bool) -> f64 {
    // Zero is a number that differences often are; halving alone would never meet it.
    let mut middle = if below < 0.0 && above > 0.0 { 0.0 } else { f64::midpoint(below, above) };
    for _ in 0..HALVINGS {
        if middle <= below || middle >= above {
            break;
        }
        if is_so(middle) {
            above = middle;
        } else {
            below = middle;
        }
        middle = f64::midpoint(below, above);
    }
    above
}

/// Enough to come down to neighbouring numbers from any width that is not astronomical.
const HALVINGS: u32 = 200;

/// How far from 0 a normal value lies with that probability at most.
fn two_sided_quantile(confidence: f64) -> f64 {
    first(0.0, 40.0, |z| 1.0 - beyond(z) >= confidence)
}

/// How likely a normal value is farther from 0 than `z`: `erfc(z / sqrt 2)`. By the series of Abramowitz and Stegun 7.1.6
/// near 0 and the continued fraction 7.1.14 beyond.
fn beyond(z: f64) -> f64 {
    let x = z / std::f64::consts::SQRT_2;
    let bell = (-x * x).exp() / std::f64::consts::PI.sqrt();
    if x < 2.5 {
        let (mut term, mut sum, mut odd) = (x, x, 1.0);
        while term > sum * f64::EPSILON / 4.0 {
            odd += 2.0;
            term *= 2.0 * x * x / odd;
            sum += term;
        }
        return 1.0 - 2.0 * bell * sum;
    }
    let fraction = (1..=80_u32).rev().fold(x, |below, k| x + f64::from(k) / 2.0 / below);
    bell / fraction
}

#[cfg(test)]
mod tests;
