//! Outputs: what later steps may read of an attempt. Taken from standard output, a response body or the file that the
//! process wrote its `name=value` lines to; a secret in one is refused unless it is declared (R23).

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::reading;
use super::secret::{self, Secrets};
use crate::journal::record::OUTPUTS_MAX;
use crate::model::{Output, OutputAs, OutputFrom};

/// The longest text of one output. What is larger belongs in a file.
pub const LENGTH_MAX: usize = 64 * 1024;

/// The outputs of one attempt.
#[derive(Clone, Default, PartialEq)]
pub struct Outputs {
    /// For the journal and the screen.
    pub open: BTreeMap<String, Json>,
    /// For a 0600 file of the run only.
    pub secret: BTreeMap<String, Json>,
}

/// Never shows a secret.
impl std::fmt::Debug for Outputs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Outputs").field("open", &self.open).field("secret", &self.secret.keys()).finish()
    }
}

/// Why there is no such output. The messages hold no secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OutputError {
    /// It could not be found, or is not what it is taken for.
    #[error("read output `{name}`: {why}")]
    Unreadable {
        /// Its name.
        name: String,
        /// What is wrong.
        why: String,
    },
    /// It holds a secret and does not say so.
    #[error("keep output `{name}`: it contains a secret; declare it with `secret = true`")]
    HoldsSecret {
        /// Its name.
        name: String,
    },
    /// It is a secret too short to be masked.
    #[error("keep output `{name}` secret: it is shorter than {} characters", secret::LENGTH_MIN)]
    TooShort {
        /// Its name.
        name: String,
    },
    /// It is too large for the journal.
    #[error("keep output `{name}`: it is larger than {} KiB", LENGTH_MAX / 1024)]
    TooLong {
        /// Its name.
        name: String,
    },
    /// They are too large together.
    #[error("keep the outputs: together they are larger than {} KiB", OUTPUTS_MAX / 1024)]
    TooMany,
    /// A line of the output file says nothing.
    #[error("read line {line} of the output file: it is not `name=value` with a name like `[a-z][a-z0-9_]*`")]
    Line {
        /// From 1.
        line: usize,
    },
}

impl Outputs {
    /// Takes the declared outputs out of a text (standard output or a body) and the lines of `$RUNBOOK_OUTPUT`. A name in
    /// the file is not looked for in the text; a declaration says what it is taken for and whether it is secret.
    pub fn extract(declared: &[Output], text: &str, file: &str, secrets: &Secrets) -> Result<Self, OutputError> {
        let mut outputs = Self::default();
        let mut written = lines(file)?;
        let masked = secrets.mask(text);
        for output in declared {
            let name = || output.name.clone();
            // What is to be seen is looked for in what may be seen, and no message shows a part of a secret.
            let shown = |text: &str| if output.secret { text.to_owned() } else { secrets.mask(text).into_owned() };
            let value = match written.remove(output.name.as_str()) {
                Some(value) => taken_for(&shown(value), output.as_),
                None => found(output, if output.secret { text } else { &masked }),
            };
            let value = value.map_err(|why| OutputError::Unreadable {
                name: name(),
                why: if output.secret { format!("it is not {}", as_words(output.as_)) } else { why },
            })?;
            if !output.secret && value.to_string().contains(secret::MASK) {
                return Err(OutputError::HoldsSecret { name: name() });
            }
            outputs.keep(&output.name, value, output.secret, secrets)?;
        }
        for (name, value) in written {
            outputs.keep(name, Json::from(value), false, secrets)?;
        }
        outputs.fit()?;
        Ok(outputs)
    }

    /// Whether the journal has room for all of them: so much is reserved for an attempt before it starts.
    pub fn fit(&self) -> Result<(), OutputError> {
        let size = serde_json::to_string(&self.open).map_or(usize::MAX, |text| text.len());
        if size > OUTPUTS_MAX { Err(OutputError::TooMany) } else { Ok(()) }
    }

    /// Adds one, if it may be kept.
    pub fn keep(&mut self, name: &str, value: Json, secret: bool, secrets: &Secrets) -> Result<(), OutputError> {
        let name = name.to_owned();
        let text = match &value {
            Json::String(text) => text.clone(),
            other => other.to_string(),
        };
        if text.len() > LENGTH_MAX {
            return Err(OutputError::TooLong { name });
        }
        if secret {
            if !secret::can_be_kept(&value) {
                return Err(OutputError::TooShort { name });
            }
            self.secret.insert(name, value);
        } else {
            if secrets.appear_in(&text) {
                return Err(OutputError::HoldsSecret { name });
            }
            self.open.insert(name, value);
        }
        Ok(())
    }
}

/// The `name=value` lines of the output file, the last one of a name; empty lines are nothing.
fn lines(file: &str) -> Result<BTreeMap<&str, &str>, OutputError> {
    let mut found = BTreeMap::new();
    for (number, line) in file.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let (name, value) =
            line.split_once('=').filter(|(name, _)| is_name(name)).ok_or(OutputError::Line { line: number + 1 })?;
        found.insert(name, value);
    }
    Ok(found)
}

fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

fn found(output: &Output, text: &str) -> Result<Json, String> {
    match &output.from {
        OutputFrom::Stdout => taken_for(reading::without_newline(text), output.as_),
        OutputFrom::Regex(pattern) => taken_for(reading::matched(text, pattern)?, output.as_),
        OutputFrom::Json(pointer) => {
            let part = reading::json_part(text, pointer)?;
            match (output.as_, &part) {
                (OutputAs::Json, _) | (OutputAs::Number, Json::Number(_)) | (OutputAs::Text, Json::String(_)) => {
                    Ok(part)
                }
                (_, Json::String(text)) => taken_for(text, output.as_),
                (OutputAs::Text, other) => Ok(Json::from(other.to_string())),
                (OutputAs::Lines, Json::Array(items)) if items.iter().all(Json::is_string) => Ok(part),
                (OutputAs::Number | OutputAs::Lines, _) => {
                    Err(format!("what is at `{pointer}` is not {}", as_words(output.as_)))
                }
            }
        }
    }
}

const fn as_words(as_: OutputAs) -> &'static str {
    match as_ {
        OutputAs::Text => "text",
        OutputAs::Number => "a number",
        OutputAs::Lines => "a list of lines",
        OutputAs::Json => "JSON",
    }
}

fn taken_for(text: &str, as_: OutputAs) -> Result<Json, String> {
    match as_ {
        OutputAs::Text => Ok(Json::from(text)),
        OutputAs::Number => reading::number(text),
        OutputAs::Lines => Ok(text.lines().collect()),
        OutputAs::Json => reading::json(text),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn output(name: &str, from: OutputFrom, as_: OutputAs) -> Output {
        Output { name: name.into(), from, as_, secret: false }
    }

    fn one(from: OutputFrom, as_: OutputAs, text: &str) -> Result<Json, OutputError> {
        Outputs::extract(&[output("x", from, as_)], text, "", &Secrets::default())
            .map(|mut all| all.open.remove("x").unwrap())
    }

    #[test]
    fn each_source_is_taken_for_what_is_declared() {
        use OutputAs::{Json as AsJson, Lines, Number, Text};
        use OutputFrom::{Json as At, Regex, Stdout};
        assert_eq!(one(Stdout, Text, "a\nb\n"), Ok(json!("a\nb")));
        assert_eq!(one(Stdout, Lines, "a\nb\n"), Ok(json!(["a", "b"])));
        assert_eq!(one(Stdout, Number, "17\n"), Ok(json!(17)));
        assert_eq!(one(Stdout, AsJson, "{\"a\":1}"), Ok(json!({"a": 1})));
        assert_eq!(one(Regex("id=(.*);".into()), Text, "id=x1; ok"), Ok(json!("x1")));
        assert_eq!(one(At("/n".into()), Number, r#"{"n":"3"}"#), Ok(json!(3)));
        assert_eq!(one(At("/n".into()), Text, r#"{"n":3}"#), Ok(json!("3")));
        assert_eq!(one(At("/n".into()), AsJson, r#"{"n":[1]}"#), Ok(json!([1])));
        assert!(one(At("/n".into()), Number, r#"{"n":[1]}"#).is_err());
        assert!(one(Stdout, Number, "many").is_err());
    }

    #[test]
    fn the_lines_of_the_output_file_become_outputs() {
        let declared = [output("count", OutputFrom::Stdout, OutputAs::Number)];
        let outputs = Outputs::extract(&declared, "noise", "count=3\nfile=/a=b\n\n", &Secrets::default()).unwrap();
        assert_eq!(outputs.open, BTreeMap::from([("count".into(), json!(3)), ("file".into(), json!("/a=b"))]));
    }

    #[test]
    fn a_line_of_the_output_file_that_says_nothing_is_named_by_its_number() {
        for file in ["ok=1\nno equals sign", "ok=1\nNo=2", "ok=1\n=2"] {
            assert_eq!(Outputs::extract(&[], "", file, &Secrets::default()), Err(OutputError::Line { line: 2 }));
        }
    }

    #[test]
    fn an_output_that_holds_a_secret_is_refused_unless_it_is_declared() {
        let secrets = Secrets::new(&[json!("swordfish")]);
        let mut declared = output("token", OutputFrom::Stdout, OutputAs::Text);
        let refused = Outputs::extract(std::slice::from_ref(&declared), "a swordfish", "", &secrets).unwrap_err();
        assert!(!refused.to_string().contains("swordfish"));
        assert_eq!(refused, OutputError::HoldsSecret { name: "token".into() });
        assert!(Outputs::extract(&[], "", "token=a%20swordfish", &secrets).is_err());

        declared.secret = true;
        let kept = Outputs::extract(&[declared], "a swordfish", "", &secrets).unwrap();
        assert_eq!(kept.secret["token"], json!("a swordfish"));
        assert!(kept.open.is_empty());
        assert!(!format!("{kept:?}").contains("swordfish"));
    }

    #[test]
    fn what_is_larger_than_an_output_may_be_is_refused() {
        let text = "x".repeat(LENGTH_MAX + 1);
        assert_eq!(one(OutputFrom::Stdout, OutputAs::Text, &text), Err(OutputError::TooLong { name: "x".into() }));
    }

    #[test]
    fn outputs_that_are_too_large_together_are_refused() {
        let half = "x".repeat(LENGTH_MAX / 2);
        let extract = |file: &str| Outputs::extract(&[], "", file, &Secrets::default());
        assert!(extract(&format!("a={half}")).is_ok());
        assert_eq!(extract(&format!("a={half}\nb={half}")), Err(OutputError::TooMany));
    }

    #[test]
    fn a_message_about_an_unreadable_output_masks_secrets() {
        let secrets = Secrets::new(&[json!("swordfish")]);
        let declared = [output("n", OutputFrom::Stdout, OutputAs::Number)];
        let error = Outputs::extract(&declared, "swordfish", "", &secrets).unwrap_err();
        assert!(error.to_string().contains("[secret]"), "{error}");
    }
}
