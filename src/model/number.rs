//! Numbers as people read them. Programs are given all digits; what is decided rounds nothing.

use serde_json::{Number, Value as Json};

/// More digits than a person compares.
const DIGITS: i32 = 6;

/// A number of JSON: whole ones as they are, others to six digits that count.
pub fn shown_number(number: &Number) -> String {
    if number.is_i64() || number.is_u64() {
        return number.to_string();
    }
    // What is no whole number of 64 bits is a decimal one.
    number.as_f64().map_or_else(|| number.to_string(), shown_decimal)
}

/// A value of JSON: a number as above, all else as JSON has it.
pub fn shown_json(value: &Json) -> String {
    value.as_number().map_or_else(|| value.to_string(), shown_number)
}

/// A decimal number to six digits that count; its whole part is never cut.
pub fn shown_decimal(decimal: f64) -> String {
    if !decimal.is_finite() {
        return if decimal > 0.0 { "infinity" } else { "-infinity" }.to_owned();
    }
    if decimal == 0.0 {
        return "0".to_owned();
    }
    #[expect(clippy::cast_possible_truncation, reason = "no decimal number has more than 309 digits")]
    let magnitude = decimal.abs().log10().floor() as i32;
    if !(-6..15).contains(&magnitude) {
        let text = format!("{decimal:.5e}");
        return text
            .split_once('e')
            .map_or(text.clone(), |(digits, power)| format!("{}e{power}", without_zeros(digits)));
    }
    let places = usize::try_from(DIGITS - 1 - magnitude).unwrap_or(0);
    without_zeros(&format!("{decimal:.places$}")).to_owned()
}

/// Without zeros at the end of the decimal places.
fn without_zeros(text: &str) -> &str {
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decimal_number_is_shown_to_six_digits_that_count_and_its_whole_part_is_never_cut() {
        let shown = [
            (0.0, "0"),
            (-0.0, "0"),
            (0.3, "0.3"),
            (0.1 + 0.2, "0.3"),
            (199.333_333_333_333_31, "199.333"),
            (0.002_134_912_3, "0.00213491"),
            (-12.5, "-12.5"),
            (12_345_678.9, "12345679"),
            (999_999.96, "1000000"),
            (1e-9, "1e-9"),
            (1.234_567_89e20, "1.23457e20"),
            (f64::INFINITY, "infinity"),
            (f64::NEG_INFINITY, "-infinity"),
        ];
        for (decimal, text) in shown {
            assert_eq!(shown_decimal(decimal), text);
        }
    }

    #[test]
    fn of_other_values_nothing_is_left_out() {
        let shown = |value: Json| shown_json(&value);
        assert_eq!(shown(199.333_333_333_33.into()), "199.333");
        assert_eq!(shown("1.123456789".into()), "\"1.123456789\"");
        assert_eq!(shown(vec![1.123_456_789].into()), "[1.123456789]");
    }

    #[test]
    fn a_whole_number_is_shown_as_it_is() {
        assert_eq!(shown_number(&Number::from(9_007_199_254_740_993_u64)), "9007199254740993");
        assert_eq!(shown_number(&Number::from(-12)), "-12");
        assert_eq!(shown_number(&Number::from_f64(10.0).expect("finite")), "10");
    }
}
