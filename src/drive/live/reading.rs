//! What a text is taken for: numbers, truth values, JSON and parts of it. For variables, outputs and probes.
//!
//! An error is the fragment of a sentence that says what is wrong with the text; it never holds the text whole.

use serde_json::{Number, Value as Json};

/// A whole or decimal number; whole numbers stay whole.
pub fn number(text: &str) -> Result<Json, String> {
    let text = text.trim();
    if let Ok(whole) = text.parse::<i64>() {
        return Ok(Json::from(whole));
    }
    if let Ok(whole) = text.parse::<u64>() {
        return Ok(Json::from(whole));
    }
    match text.parse::<f64>() {
        Ok(decimal) => decimal_number(decimal),
        Err(_) => Err(format!("`{}` is not a number", excerpt(text))),
    }
}

/// A decimal number, which must be finite.
pub fn decimal_number(decimal: f64) -> Result<Json, String> {
    Number::from_f64(decimal).map(Json::Number).ok_or_else(|| format!("{decimal} is not a finite number"))
}

/// `true` or `false`, also `t`, `f`, `1`, `0`.
pub fn truth(text: &str) -> Result<Json, String> {
    match text.trim() {
        "true" | "t" | "1" => Ok(Json::Bool(true)),
        "false" | "f" | "0" => Ok(Json::Bool(false)),
        other => Err(format!("`{}` is neither true nor false", excerpt(other))),
    }
}

/// Any JSON.
pub fn json(text: &str) -> Result<Json, String> {
    serde_json::from_str(text).map_err(|error| format!("this is not JSON: {error}"))
}

/// The part of a JSON text that a pointer (RFC 6901) names.
pub fn json_part(text: &str, pointer: &str) -> Result<Json, String> {
    let whole = json(text)?;
    whole.pointer(pointer).cloned().ok_or_else(|| format!("the JSON has nothing at `{pointer}`"))
}

/// The first capture group of the first match, or the whole match.
pub fn matched<'t>(text: &'t str, pattern: &str) -> Result<&'t str, String> {
    let regex = regex::Regex::new(pattern).map_err(|error| format!("the pattern is not one: {error}"))?;
    let found = regex.captures(text).ok_or_else(|| format!("nothing matches `{pattern}`"))?;
    Ok(found.get(1).or_else(|| found.get(0)).map_or("", |part| part.as_str()))
}

/// The beginning of a text, for messages: one line, at most 80 characters.
pub fn excerpt(text: &str) -> String {
    let line = text.trim().lines().next().unwrap_or("");
    let short: String = line.chars().take(80).collect();
    if short.len() < text.trim().len() { format!("{short}…") } else { short }
}

/// Without the newline at its end, as shells take the output of a command.
pub fn without_newline(text: &str) -> &str {
    text.strip_suffix('\n').map_or(text, |rest| rest.strip_suffix('\r').unwrap_or(rest))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_whole_number_stays_whole_and_what_is_not_finite_is_no_number() {
        assert_eq!(number(" 42\n"), Ok(json!(42)));
        assert_eq!(number("18446744073709551615"), Ok(json!(u64::MAX)));
        assert_eq!(number("1e3"), Ok(json!(1000.0)));
        assert_eq!(number("-0.5"), Ok(json!(-0.5)));
        for text in ["NaN", "inf", "-Infinity", "", "12 apples", "1e999"] {
            assert!(number(text).is_err(), "{text}");
        }
    }

    #[test]
    fn only_the_six_words_of_the_format_are_true_or_false() {
        for (text, value) in [("true", true), ("t\n", true), ("1", true), ("false", false), ("f", false), ("0", false)]
        {
            assert_eq!(truth(text), Ok(json!(value)));
        }
        for text in ["TRUE", "yes", "", "2"] {
            assert!(truth(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_pattern_gives_its_first_group_or_the_whole_match() {
        assert_eq!(matched("lag=17ms", r"lag=(\d+)"), Ok("17"));
        assert_eq!(matched("lag=17ms", r"\d+"), Ok("17"));
        assert!(matched("nothing", r"\d+").is_err());
    }

    #[test]
    fn a_pointer_finds_its_part_or_says_that_there_is_none() {
        assert_eq!(json_part(r#"{"a":{"b/c":[1,2]}}"#, "/a/b~1c/1"), Ok(json!(2)));
        assert!(json_part("{}", "/a").is_err());
        assert!(json_part("<html>", "/a").is_err());
    }
}
