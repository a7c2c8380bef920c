//! The JSON schema (draft 7, which every editor knows) of format 1, made from the description that the reader uses.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use toml::de::DeTable;

use super::node::Node;
use super::spec::{Form, Group, Key, Shape, Table};
use super::tables;

/// The schema of a whole runbook.
pub fn json() -> Value {
    whole(&tables::FILE, "runbook, format 1")
}

/// The schema of the file of a part.
pub fn part_json() -> Value {
    whole(&tables::PART_FILE, "part of a runbook, format 1")
}

/// A schema as the text of a file.
pub fn text(schema: &Value) -> String {
    let mut text = serde_json::to_string_pretty(schema).expect("a schema is plain data");
    text.push('\n');
    text
}

fn whole(of: &'static Table, title: &str) -> Value {
    let mut definitions = BTreeMap::new();
    let mut file = table(of, &mut definitions);
    let root = file.as_object_mut().expect("a table is described by an object");
    root.insert("$schema".to_owned(), "http://json-schema.org/draft-07/schema#".into());
    root.insert("title".to_owned(), title.into());
    let definitions: Map<String, Value> =
        definitions.into_iter().filter_map(|(name, of)| Some((name.to_owned(), of?))).collect();
    root.insert("definitions".to_owned(), definitions.into());
    file
}

/// By name; `None` while one is being made, so that one that holds itself ends.
type Definitions = BTreeMap<&'static str, Option<Value>>;

fn table(of: &'static Table, definitions: &mut Definitions) -> Value {
    let properties: Map<String, Value> =
        of.keys.iter().map(|key| (key.name.to_owned(), property(key, definitions))).collect();
    let required: Vec<&str> = of.keys.iter().filter(|key| key.required).map(|key| key.name).collect();
    let mut schema = json!({
        "type": "object",
        "description": of.doc,
        "properties": properties,
        "additionalProperties": false,
    });
    if !required.is_empty() {
        schema["required"] = json!(required);
    }
    let company: Map<String, Value> = of
        .keys
        .iter()
        .filter(|key| !key.with.is_empty())
        .map(|key| (key.name.to_owned(), json!({ "anyOf": any_required(key.with) })))
        .collect();
    if !company.is_empty() {
        schema["dependencies"] = company.into();
    }
    let groups: Vec<Value> = of.one_of.iter().flat_map(group).collect();
    if !groups.is_empty() {
        schema["allOf"] = groups.into();
    }
    schema
}

fn any_required(keys: &[&str]) -> Vec<Value> {
    keys.iter().map(|key| json!({ "required": [key] })).collect()
}

fn group(of: &'static Group) -> Vec<Value> {
    let mut rules = Vec::new();
    if of.needed.is_some() {
        let enough: Vec<&str> = of.keys.iter().chain(of.unless).copied().collect();
        rules.push(json!({ "anyOf": any_required(&enough) }));
    }
    for (n, first) in of.keys.iter().enumerate() {
        for second in &of.keys[n + 1..] {
            rules.push(json!({ "not": { "required": [first, second] } }));
        }
    }
    rules
}

fn property(key: &'static Key, definitions: &mut Definitions) -> Value {
    let shape = shape(&key.shape, definitions);
    // In draft 7 nothing beside a `$ref` counts.
    let mut property = if shape.get("$ref").is_some() { json!({ "allOf": [shape] }) } else { shape };
    let doc = if key.later { format!("Not supported yet. {}", key.doc) } else { key.doc.to_owned() };
    property["description"] = doc.into();
    if let Some(default) = key.default.and_then(value_of) {
        property["default"] = default;
    }
    property
}

/// What a TOML value is in JSON.
fn value_of(text: &str) -> Option<Value> {
    let line = format!("value = {text}");
    let table = DeTable::parse(&line).ok()?;
    table.get_ref().get("value").map(|value| Node::entry(value).json())
}

fn shape(of: &'static Shape, definitions: &mut Definitions) -> Value {
    match of {
        Shape::Text(form) => text_shape(*form),
        Shape::Bool => json!({ "type": "boolean" }),
        Shape::True => json!({ "const": true }),
        Shape::Whole(low, i64::MAX) => json!({ "type": "integer", "minimum": low }),
        Shape::Whole(low, high) => json!({ "type": "integer", "minimum": low, "maximum": high }),
        Shape::Number(low, high) => json!({ "type": "number", "minimum": low, "maximum": high }),
        Shape::Choice(words) => json!({ "enum": words }),
        Shape::List(of, least) => json!({ "type": "array", "items": shape(of, definitions), "minItems": least }),
        Shape::Map(names, of) => {
            let mut map = json!({ "type": "object", "additionalProperties": shape(of, definitions) });
            if let Some(pattern) = pattern(*names) {
                map["propertyNames"] = json!({ "pattern": pattern });
            }
            map
        }
        Shape::Table(of) => {
            if !definitions.contains_key(of.name) {
                definitions.insert(of.name, None);
                let made = table(of, definitions);
                definitions.insert(of.name, Some(made));
            }
            json!({ "$ref": format!("#/definitions/{}", of.name) })
        }
        Shape::Either(shapes) => {
            let any: Vec<Value> = shapes.iter().map(|of| shape(of, definitions)).collect();
            json!({ "anyOf": any })
        }
        Shape::Plain => json!({ "type": ["string", "number", "boolean", "array"] }),
        Shape::Any => json!({}),
    }
}

fn text_shape(form: Form) -> Value {
    match (form, pattern(form)) {
        (Form::Regex, _) => json!({ "type": "string", "format": "regex" }),
        (_, Some(pattern)) => json!({ "type": "string", "pattern": pattern }),
        (_, None) => json!({ "type": "string" }),
    }
}

fn pattern(form: Form) -> Option<&'static str> {
    match form {
        Form::Free | Form::Template | Form::Expression | Form::Reference | Form::Zone | Form::Regex => None,
        Form::Name => Some("^[a-z][a-z0-9_]*$"),
        Form::Duration | Form::Bound => {
            Some("^(?=.)(([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?|\\{\\{ *vars[.][a-z][a-z0-9_]* *\\}\\})$")
        }
        Form::Percent => Some("^[0-9]*[.]?[0-9]+%$"),
        Form::Size => Some("^[0-9]+(B|KiB|MiB|GiB)$"),
        Form::Hours => Some("^[A-Za-z,-]+ [0-9]{2}:[0-9]{2}-[0-9]{2}:[0-9]{2}$"),
        Form::Pointer => Some("^(/.*)?$"),
        Form::Address => Some("(^.+:[0-9]{1,5}$|\\{\\{)"),
        Form::EnvName => Some("^[A-Za-z_][A-Za-z0-9_]*$"),
    }
}
