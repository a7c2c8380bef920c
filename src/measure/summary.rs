//! What numbers come to: their mean, and their quantiles as Prometheus works them out.

/// Of at least one number; summed up with Neumaier's compensation, so that many small ones are not lost beside a large one.
pub(super) fn mean(numbers: &[f64]) -> f64 {
    let (mut sum, mut lost) = (0.0_f64, 0.0_f64);
    for number in numbers {
        let next = sum + number;
        lost += if sum.abs() >= number.abs() { (sum - next) + number } else { (number - next) + sum };
        sum = next;
    }
    let count = real(numbers.len());
    // A sum beyond what a number can be: of numbers that size the parts are exact enough.
    if sum.is_finite() { (sum + lost) / count } else { numbers.iter().map(|number| number / count).sum() }
}

/// The `q`-quantile (0 to 1) of at least one number, sorted: the rank is `q * (n - 1)`, and between two numbers it is
/// interpolated linearly (`quantile_over_time`, Prometheus' `promql/quantile.go`).
pub(super) fn quantile(sorted: &[f64], q: f64) -> f64 {
    let last = sorted.len() - 1;
    let rank = q * real(last);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a part of the last place is a place")]
    let below = (rank.floor() as usize).min(last);
    let above = (below + 1).min(last);
    let weight = rank - rank.floor();
    sorted[below] * (1.0 - weight) + sorted[above] * weight
}

#[expect(clippy::cast_precision_loss, reason = "nothing is counted here up to 2^52")]
pub(super) fn real(count: usize) -> f64 {
    count as f64
}
