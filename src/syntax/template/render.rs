//! Filling in: from a template and values to what is sent.

use std::fmt::Write as _;

use serde_json::Value as Json;

use super::parse::{Helper, Piece, Root, Slot, parse};
use super::{Place, Values, misplaced, promql};

/// A script to be run: the text never holds a value, the variables do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Script {
    /// For the shell.
    pub text: String,
    /// To be added to its environment; each name once.
    pub env: Vec<(String, String)>,
}

/// Why a template cannot be filled in. Never holds a value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RenderError {
    /// There is no such value now.
    #[error("fill in `{path}`: it has no value")]
    Missing {
        /// Which.
        path: String,
    },
    /// The value is `null`, which has no text.
    #[error("fill in `{path}`: it is null")]
    Null {
        /// Which.
        path: String,
    },
    /// The value holds a NUL byte, where none can be passed on.
    #[error("fill in `{path}`: it holds a NUL byte, and none can be passed on there")]
    Nul {
        /// Which.
        path: String,
    },
    /// The value is secret, and the place can be seen.
    #[error("fill in `{path}`: it is secret, and what stands there can be seen")]
    Secret {
        /// Which.
        path: String,
    },
    /// The value is empty, and an identifier is not.
    #[error("fill in `{path}`: an identifier cannot be empty")]
    Empty {
        /// Which.
        path: String,
    },
    /// The text is refused by `check`.
    #[error("read the template: {0}")]
    Refused(String),
}

/// A shell script, its values in environment variables.
pub fn script(text: &str, values: &dyn Values) -> Result<Script, RenderError> {
    let pieces = pieces(text, Place::Script)?;
    let mut script = Script { text: String::new(), env: Vec::new() };
    let mut named: Vec<(String, String)> = Vec::new();
    for piece in &pieces {
        let slot = match piece {
            Piece::Text(text) => {
                script.text.push_str(text);
                continue;
            }
            Piece::Slot(slot) => slot,
        };
        // The same value asked for in two ways is two variables.
        let key = format!("{:?} {}", slot.helper, slot.path());
        let variable = if let Some((_, variable)) = named.iter().find(|(known, _)| *known == key) {
            variable.clone()
        } else {
            let variable = standing_variable(slot).unwrap_or_else(|| format!("RUNBOOK_VALUE_{}", named.len() + 1));
            script.env.push((variable.clone(), filled(slot, Place::Script, values)?));
            named.push((key, variable.clone()));
            variable
        };
        write!(script.text, "\"${{{variable}}}\"").expect("text takes text");
    }
    Ok(script)
}

/// Text as it stands, in any place but a script or a statement.
pub fn text(text: &str, place: Place, values: &dyn Values) -> Result<String, RenderError> {
    let pieces = pieces(text, place)?;
    let mut rendered = String::with_capacity(text.len());
    for piece in &pieces {
        match piece {
            Piece::Text(text) => rendered.push_str(text),
            Piece::Slot(slot) => rendered.push_str(&filled(slot, place, values)?),
        }
    }
    Ok(rendered)
}

/// Text for people to see, before all values are there: what has no value yet, or a secret one, stays as it is written.
pub fn known(text: &str, values: &dyn Values) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut behind = 0;
    for slot in super::slots_of(text) {
        let Ok(value) = filled(&slot, Place::Open, values) else { continue };
        shown.push_str(&text[behind..slot.range.start]);
        shown.push_str(&value);
        behind = slot.range.end;
    }
    shown + &text[behind..]
}

/// JSON whose text leaves are templates, each by itself; a leaf that is only `{{x}}` keeps the type of the value.
pub fn json(value: &Json, values: &dyn Values) -> Result<Json, RenderError> {
    Ok(match value {
        Json::Null | Json::Bool(_) | Json::Number(_) => value.clone(),
        Json::String(leaf) => match pieces(leaf, Place::Data)?.as_slice() {
            [Piece::Slot(slot)] if slot.helper.is_none() => found(slot, Place::Data, values)?,
            _ => Json::String(text(leaf, Place::Data, values)?),
        },
        Json::Array(items) => Json::Array(items.iter().map(|item| json(item, values)).collect::<Result<_, _>>()?),
        Json::Object(map) => Json::Object(
            map.iter().map(|(key, item)| Ok((key.clone(), json(item, values)?))).collect::<Result<_, RenderError>>()?,
        ),
    })
}

/// A statement: identifiers are filled in, quoted; values are refused.
pub fn sql_text(statement: &str, values: &dyn Values) -> Result<String, RenderError> {
    text(statement, Place::Sql, values)
}

/// The environment variable in which every process finds this value anyway.
pub(super) fn standing_variable(slot: &Slot) -> Option<String> {
    match &slot.root {
        _ if !slot.fields.is_empty() || slot.helper.is_some() => None,
        Root::Var(name) => Some(format!("RUNBOOK_VAR_{}", name.to_ascii_uppercase())),
        Root::RunId => Some("RUNBOOK_RUN_ID".to_owned()),
        Root::Value => Some("RUNBOOK_VALUE".to_owned()),
        Root::Output { .. } | Root::Runbook(_) => None,
    }
}

/// The parts of a text. What `check` refuses is not rendered either, whoever forgot to ask.
fn pieces(text: &str, place: Place) -> Result<Vec<Piece>, RenderError> {
    let refused = |errors: Vec<super::TemplateError>| match errors.into_iter().next() {
        Some(error) => Err(RenderError::Refused(error.message)),
        None => Ok(()),
    };
    match parse(text) {
        Ok(pieces) => {
            refused(misplaced(&pieces, place))?;
            refused(super::slots(&pieces).filter_map(|slot| super::wrong_helper(slot, place)).collect())?;
            Ok(pieces)
        }
        Err(errors) => refused(errors).map(|()| Vec::new()),
    }
}

/// The value of a slot.
fn found(slot: &Slot, place: Place, values: &dyn Values) -> Result<Json, RenderError> {
    let missing = || RenderError::Missing { path: slot.path() };
    let value = values.get(&slot.root.path()).ok_or_else(missing)?;
    if value.secret && !place.takes_secrets() {
        return Err(RenderError::Secret { path: slot.path() });
    }
    let mut json = value.json;
    for field in &slot.fields {
        let part = match &mut json {
            Json::Object(map) => map.remove(field),
            Json::Array(items) => field.parse().ok().and_then(|at: usize| items.get_mut(at)).map(Json::take),
            Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => None,
        };
        json = part.ok_or_else(missing)?;
    }
    Ok(json)
}

/// The text of a slot.
fn filled(slot: &Slot, place: Place, values: &dyn Values) -> Result<String, RenderError> {
    let path = || slot.path();
    let text = match found(slot, place, values)? {
        Json::String(text) => text,
        Json::Null => return Err(RenderError::Null { path: path() }),
        // A list or a map in a text is its JSON.
        other => other.to_string(),
    };
    let text = match slot.helper {
        None => text,
        Some(Helper::Urlencode) => urlencoded(&text),
        Some(Helper::Ident) if text.is_empty() => return Err(RenderError::Empty { path: path() }),
        Some(Helper::Ident) => format!("\"{}\"", text.replace('"', "\"\"")),
    };
    if text.contains('\0') && place != Place::Data {
        return Err(RenderError::Nul { path: path() });
    }
    Ok(if place == Place::Promql { promql::escaped(&text) } else { text })
}

/// Everything but the unreserved characters of RFC 3986, percent-encoded.
fn urlencoded(text: &str) -> String {
    text.bytes().fold(String::with_capacity(text.len()), |mut encoded, byte| {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            encoded.push(char::from(byte));
        } else {
            write!(encoded, "%{byte:02X}").expect("text takes text");
        }
        encoded
    })
}
