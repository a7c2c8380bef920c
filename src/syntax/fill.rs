//! Writes other defaults into the text of a runbook, and leaves every other byte of it as it is.

use std::collections::BTreeMap;
use std::ops::Range;

use serde_json::Value as Json;
use toml::de::DeTable;

use super::node::{Fields, Node};
use super::site::Spot;

/// The text with these values as the defaults of its variables. What has no such variable, or no TOML for its value, is
/// left out.
pub fn fill(text: &str, values: &BTreeMap<String, Json>) -> String {
    let (file, _) = DeTable::parse_recoverable(text);
    let root = Fields::new(file.get_ref(), Spot::default(), (0, 0));
    let vars = root.fields("vars").map(Fields::in_file_order).unwrap_or_default();
    let edits = vars.into_iter().filter_map(|(name, node)| edit(text, node, &literal(values.get(name)?)?));
    let mut edits: Vec<(Range<usize>, String)> = edits.collect();
    edits.sort_by_key(|(range, _)| range.start);
    let mut filled = String::with_capacity(text.len());
    let mut behind = 0;
    for (range, new) in edits {
        filled.push_str(&text[behind..range.start]);
        filled.push_str(&new);
        behind = range.end;
    }
    filled + &text[behind..]
}

/// What stands instead of what.
fn edit(text: &str, var: Node<'_>, value: &str) -> Option<(Range<usize>, String)> {
    let whole = var.value.span();
    let Some(of) = var.fields() else { return Some((whole, value.to_owned())) };
    if let Some(default) = of.get("default") {
        return Some((default.value.span(), value.to_owned()));
    }
    let start = whole.start;
    match text.as_bytes().get(start)? {
        b'{' => Some((start + 1..start + 1, format!(" default = {value},"))),
        // A table with a header of its own: the line behind it.
        b'[' => {
            let line = text[start..].find('\n').map_or(text.len(), |end| start + end);
            Some((line..line, format!("\ndefault = {value}")))
        }
        _ => None,
    }
}

/// A value as TOML, on one line.
fn literal(value: &Json) -> Option<String> {
    Some(match value {
        Json::Null => return None,
        Json::Bool(_) | Json::Number(_) => value.to_string(),
        Json::String(text) => quoted(text),
        Json::Array(list) => format!("[{}]", list.iter().map(literal).collect::<Option<Vec<_>>>()?.join(", ")),
        Json::Object(map) => {
            let pair = |(key, value): (&String, &Json)| Some(format!("{} = {}", quoted(key), literal(value)?));
            format!("{{ {} }}", map.iter().map(pair).collect::<Option<Vec<_>>>()?.join(", "))
        }
    })
}

/// A basic string: TOML has the escapes of JSON, and wants one more character escaped.
fn quoted(text: &str) -> String {
    Json::from(text).to_string().replace('\u{7f}', "\\u007F")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const TEXT: &str = "# mine\n[vars]   # the values\nport = 5432    # of the old one\n\
                        host = { default = \"db1\", summary = \"a host\" }  # a comment\n\
                        mail = { summary = \"whom to tell\" }\nlist = [1,\n  2]\n[vars.way]   # fast or safe\n\
                        choices = [\"fast\", \"safe\"]\n[vars.last]\ndefault = 'x'\n[step.a]\nwait = \"1s\"\n";

    fn filled(values: &Json) -> String {
        fill(TEXT, &values.as_object().expect("a map").clone().into_iter().collect())
    }

    #[test]
    fn only_the_defaults_change_and_comments_stay() {
        let host = "a \"b\" \\ \u{fc}\n\u{7f}";
        let values = json!({
            "port": 1, "host": host, "mail": "me", "list": ["x", true, { "k v": 1.5 }], "way": "safe", "last": "y",
            "other": 1,
        });
        let text = filled(&values);
        let wanted = TEXT
            .replace("5432", "1")
            .replace("\"db1\"", "\"a \\\"b\\\" \\\\ \u{fc}\\n\\u007F\"")
            .replace("mail = {", "mail = { default = \"me\",")
            .replace("[1,\n  2]", "[\"x\", true, { \"k v\" = 1.5 }]")
            .replace("# fast or safe\n", "# fast or safe\ndefault = \"safe\"\n")
            .replace("'x'", "\"y\"");
        assert_eq!(text, wanted);
        let read: toml::Table = toml::from_str(&text).expect("it is TOML");
        assert_eq!(read["vars"]["host"]["default"].as_str(), Some(host));
    }

    #[test]
    fn without_values_nothing_changes() {
        assert_eq!(filled(&json!({})), TEXT);
    }
}
