//! What variables are worth while a runbook is read: what a run was given, else their defaults. The plan depends on it where
//! a variable gives the values of a ramp, or a duration.

use std::collections::BTreeMap;

use miette::SourceSpan;
use serde_json::Value as Json;

use super::include::{Given, Parameter};
use super::node::{Fields, Node};
use super::scope::sight;
use super::template::Sight;
use crate::model::Value;

/// The variables of a runbook, under the names that they have there.
#[derive(Default)]
pub(super) struct KnownVars {
    by_name: BTreeMap<String, Known>,
}

/// What is known of a variable.
enum Known {
    Secret,
    Nothing,
    /// Its value, and where it stands if it is the default.
    Worth(Json, Option<SourceSpan>),
}

impl KnownVars {
    /// Of a runbook and of what its parts add.
    pub(super) fn of<'t>(
        root: Fields<'t>,
        added: impl Iterator<Item = &'t Parameter<'t>>,
        given: &BTreeMap<String, Value>,
    ) -> Self {
        let own = root.fields("vars").map(Fields::in_file_order).unwrap_or_default();
        let own = own.into_iter().map(|(name, node)| (name, node, default(node)));
        let added = added.map(|parameter| {
            let default = match parameter.given {
                Given::Value(node) => Some(node),
                Given::Nothing | Given::Variable(_) => default(parameter.of),
            };
            (&parameter.name[..], parameter.of, default)
        });
        let known = |(name, of, default): (&str, Node<'_>, Option<Node<'_>>)| {
            let known = match (given.get(name), default) {
                _ if sight(of) == Sight::Secret => Known::Secret,
                (Some(given), _) => Known::Worth(given.json.clone(), None),
                (None, Some(default)) => Known::Worth(default.json(), Some(default.at())),
                (None, None) => Known::Nothing,
            };
            (name.to_owned(), known)
        };
        Self { by_name: own.chain(added).map(known).collect() }
    }

    /// What a variable is worth and where that stands, or why it is not known; `what` says what would be seen of a secret.
    pub(super) fn worth(&self, name: &str, what: &str) -> Result<(&Json, Option<SourceSpan>), String> {
        match self.by_name.get(name) {
            Some(Known::Worth(worth, at)) => Ok((worth, *at)),
            Some(Known::Nothing) => {
                Err(format!("`{name}` has no default, and before a run nothing else gives it a value"))
            }
            Some(Known::Secret) => Err(format!("`{name}` is secret, and {what} are shown")),
            None => Err(format!("there is no variable `{name}`")),
        }
    }

    /// Whether there is such a variable.
    pub(super) fn has(&self, name: &str) -> bool {
        self.by_name.contains_key(name)
    }

    /// Their names.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.by_name.keys().map(String::as_str)
    }
}

/// The value that a variable has where nothing else gives it one.
fn default(var: Node<'_>) -> Option<Node<'_>> {
    var.fields().map_or(Some(var), |of| of.get("default"))
}
