//! Numbers as the format has them: whole ones stay whole, mixed operations convert, comparisons are exact.

use std::cmp::Ordering;

/// A whole or a decimal number; a decimal one is never NaN.
#[derive(Clone, Copy, Debug)]
pub(super) enum Number {
    /// Wide enough for every whole number of CEL and JSON and for their sums and products.
    Whole(i128),
    /// As JSON has it. Infinities are numbers.
    Decimal(f64),
}

use Number::{Decimal, Whole};

#[expect(clippy::cast_precision_loss, reason = "that is what converting to a decimal number means")]
fn decimal(whole: i128) -> f64 {
    whole as f64
}

impl Number {
    /// A decimal number; `None` for what is not a number.
    pub(super) fn from_decimal(decimal: f64) -> Option<Self> {
        (!decimal.is_nan()).then_some(Decimal(decimal))
    }

    /// A number of JSON.
    pub(super) fn from_json(number: &serde_json::Number) -> Self {
        number
            .as_i64()
            .map(i128::from)
            .or_else(|| number.as_u64().map(i128::from))
            .map(Whole)
            // JSON has no NaN.
            .or_else(|| number.as_f64().and_then(Self::from_decimal))
            .unwrap_or(Whole(0))
    }

    /// How many there are of something.
    pub(super) fn count(count: usize) -> Self {
        // No collection has 2^127 items.
        Whole(i128::try_from(count).unwrap_or(i128::MAX))
    }

    pub(super) fn to_decimal(self) -> f64 {
        match self {
            Whole(whole) => decimal(whole),
            Decimal(decimal) => decimal,
        }
    }

    fn with(self, other: Self, whole: fn(i128, i128) -> Option<i128>, decimals: fn(f64, f64) -> f64) -> Option<Self> {
        match (self, other) {
            (Whole(a), Whole(b)) => whole(a, b).map(Whole),
            (a, b) => Self::from_decimal(decimals(a.to_decimal(), b.to_decimal())),
        }
    }

    pub(super) fn plus(self, other: Self) -> Option<Self> {
        self.with(other, i128::checked_add, |a, b| a + b)
    }

    pub(super) fn minus(self, other: Self) -> Option<Self> {
        self.with(other, i128::checked_sub, |a, b| a - b)
    }

    pub(super) fn times(self, other: Self) -> Option<Self> {
        self.with(other, i128::checked_mul, |a, b| a * b)
    }

    /// Whole by whole cuts towards zero, as in CEL.
    pub(super) fn over(self, other: Self) -> Option<Self> {
        self.with(other, i128::checked_div, |a, b| a / b)
    }

    /// The rest has the sign of `self`, as in CEL.
    pub(super) fn rest(self, other: Self) -> Option<Self> {
        self.with(other, i128::checked_rem, |a, b| a % b)
    }

    pub(super) fn negated(self) -> Option<Self> {
        match self {
            Whole(a) => a.checked_neg().map(Whole),
            Decimal(a) => Some(Decimal(-a)),
        }
    }

    pub(super) fn abs(self) -> Option<Self> {
        match self {
            Whole(a) => a.checked_abs().map(Whole),
            Decimal(a) => Some(Decimal(a.abs())),
        }
    }

    /// The nearest whole number, halves away from zero; one too large to be whole here stays as it is.
    pub(super) fn round(self) -> Self {
        match self {
            Whole(_) => self,
            Decimal(a) => whole_part(a.round()).map_or(self, Whole),
        }
    }

    /// The whole part, cut towards zero; `None` where it is too large.
    pub(super) fn truncated(self) -> Option<i128> {
        match self {
            Whole(a) => Some(a),
            Decimal(a) => whole_part(a),
        }
    }

    /// Which is larger, exactly: nothing is rounded for the comparison.
    pub(super) fn compare(self, other: Self) -> Ordering {
        match (self, other) {
            (Whole(a), Whole(b)) => a.cmp(&b),
            (Decimal(a), Decimal(b)) => a.partial_cmp(&b).expect("a decimal number is never NaN"),
            (Whole(a), Decimal(b)) => compare_exactly(a, b),
            (Decimal(a), Whole(b)) => compare_exactly(b, a).reverse(),
        }
    }
}

/// 2^127: the first decimal number above every whole one. Its negative is the lowest whole number.
const TOO_LARGE: f64 = 170_141_183_460_469_231_731_687_303_715_884_105_728.0;

/// The whole part of a decimal number that has one here.
fn whole_part(decimal: f64) -> Option<i128> {
    #[expect(clippy::cast_possible_truncation, reason = "the range was checked, and cutting the fraction is meant")]
    (-TOO_LARGE..TOO_LARGE).contains(&decimal).then_some(decimal as i128)
}

fn compare_exactly(whole: i128, decimal: f64) -> Ordering {
    match whole_part(decimal) {
        // The whole part of a decimal number is exact, so is what is left of it.
        Some(part) => whole
            .cmp(&part)
            .then_with(|| 0.0_f64.partial_cmp(&decimal.fract()).expect("a decimal number within range has a fraction")),
        None if decimal > 0.0 => Ordering::Less,
        None => Ordering::Greater,
    }
}
