//! What was answered, and who of three stands alone with it.
//!
//! Two answers of old and one of new to the same request. A field that is never the same twice (a time, an id) is
//! different in all three, and says nothing. A field that changes now and then by chance sets new apart as often as it
//! sets old's second answer apart: so what counts is how much more often new stands alone than old does.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// The fields of an answer, each by its JSON pointer; the status is one too. Of silence there are none.
#[derive(Default)]
pub(crate) struct Answer(BTreeMap<String, Value>);

impl Answer {
    pub(crate) fn new(status: u16, body: &[u8]) -> Self {
        let mut fields = BTreeMap::from([("status".to_owned(), Value::from(status))]);
        match serde_json::from_slice(body) {
            Ok(json) => flatten(String::new(), json, &mut fields),
            Err(_) => {
                fields.insert(String::new(), String::from_utf8_lossy(body).into());
            }
        }
        Self(fields)
    }
}

fn flatten(at: String, json: Value, fields: &mut BTreeMap<String, Value>) {
    match json {
        Value::Object(members) if !members.is_empty() => {
            for (name, member) in members {
                flatten(format!("{at}/{name}"), member, fields);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for (n, item) in items.into_iter().enumerate() {
                flatten(format!("{at}/{n}"), item, fields);
            }
        }
        Value::Object(_) | Value::Array(_) | Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            fields.insert(at, json);
        }
    }
}

/// The fields in which the first differs from the two others, which agree.
pub(crate) fn alone<'a>(first: &'a Answer, others: [&'a Answer; 2]) -> BTreeSet<&'a str> {
    let names = [first, others[0], others[1]].into_iter().flat_map(|answer| answer.0.keys());
    names
        .filter(|&name| others[0].0.get(name) == others[1].0.get(name) && others[0].0.get(name) != first.0.get(name))
        .map(String::as_str)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(json: &str) -> Answer {
        Answer::new(200, json.as_bytes())
    }
    fn fields(first: &Answer, others: [&Answer; 2]) -> Vec<String> {
        alone(first, others).into_iter().map(str::to_owned).collect()
    }

    #[test]
    fn a_field_that_is_never_the_same_sets_nobody_apart() {
        let [old, again, new] = ["1", "2", "3"].map(|at| answer(&format!(r#"{{ "order": 7, "at": {at} }}"#)));
        assert!(alone(&new, [&old, &again]).is_empty() && alone(&again, [&old, &new]).is_empty());
    }

    #[test]
    fn a_field_of_new_that_both_answers_of_old_contradict_sets_new_apart_by_its_place() {
        let old = answer(r#"{ "at": 1, "items": [{ "cents": 5 }] }"#);
        let again = answer(r#"{ "at": 2, "items": [{ "cents": 5 }] }"#);
        let new = answer(r#"{ "at": 3, "items": [{ "cents": 6 }] }"#);
        assert_eq!(fields(&new, [&old, &again]), ["/items/0/cents"]);
    }

    #[test]
    fn old_can_stand_alone_as_well_as_new() {
        let [old, again, new] =
            ["false", "true", "false"].map(|cached| answer(&format!(r#"{{ "cached": {cached} }}"#)));
        assert_eq!((fields(&again, [&old, &new]), fields(&new, [&old, &again])), (vec!["/cached".to_owned()], vec![]));
    }

    #[test]
    fn a_field_that_is_missing_a_status_and_silence_set_apart_too() {
        let old = answer(r#"{ "order": 7 }"#);
        assert_eq!(fields(&answer("{}"), [&old, &old]), ["", "/order"]);
        assert_eq!(fields(&Answer::new(404, br#"{ "order": 7 }"#), [&old, &old]), ["status"]);
        assert_eq!(fields(&Answer::default(), [&old, &old]), ["/order", "status"]);
    }
}
