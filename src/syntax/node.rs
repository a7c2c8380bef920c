//! A TOML value and its place, read without complaint: what has the wrong shape reads as absent.
//!
//! Complaints are `shape`'s, which has seen every value before.

use std::ops::Range;

use miette::SourceSpan;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::site::{Place, Spot};
use super::spec;
use crate::model::Span;

/// A value and where it stands.
#[derive(Clone, Copy)]
pub(super) struct Node<'t> {
    pub(super) value: &'t Spanned<DeValue<'t>>,
    /// The key that it stands behind, or the value itself in a list.
    pub(super) key_at: Spot,
}

/// A table and where its name stands.
#[derive(Clone, Copy)]
pub(super) struct Fields<'t> {
    pub(super) table: &'t DeTable<'t>,
    /// Its name, or its key.
    pub(super) named_at: Spot,
    /// Where its header or braces stand.
    pub(super) range: (usize, usize),
    glance: Glance,
}

/// Which keys a table may have, seen at a glance: most of those that are looked for are not there.
#[derive(Clone, Copy)]
pub(super) struct Glance(u64);

impl Glance {
    pub(super) fn of(table: &DeTable<'_>) -> Self {
        Self(table.keys().fold(0, |seen, key| seen | bit(key.get_ref())))
    }

    /// `false`: it has not.
    pub(super) fn may_have(self, key: &str) -> bool {
        self.0 & bit(key) != 0
    }
}

/// One of 64, by what is cheap to see of a key.
fn bit(key: &str) -> u64 {
    let (first, last) = (key.as_bytes().first(), key.as_bytes().last());
    let seen = [first, last].into_iter().flatten().fold(key.len() * 5, |seen, byte| seen * 3 + usize::from(*byte));
    1 << (seen % 64)
}

impl<'t> Node<'t> {
    /// An entry of a list.
    pub(super) fn entry(value: &'t Spanned<DeValue<'t>>) -> Self {
        Self { value, key_at: Spot::new(&value.span()) }
    }

    /// Where the value stands.
    pub(super) fn at(self) -> SourceSpan {
        Spot::new(&self.value.span()).span()
    }

    pub(super) fn text(self) -> Option<&'t str> {
        self.value.get_ref().as_str()
    }

    pub(super) fn span(self) -> Option<Span> {
        self.text().and_then(Span::parse)
    }

    pub(super) fn whole(self) -> Option<i64> {
        whole(self.value.get_ref())
    }

    pub(super) fn number(self) -> Option<f64> {
        number(self.value.get_ref())
    }

    pub(super) fn list(self) -> Option<impl Iterator<Item = Node<'t>>> {
        self.value.get_ref().as_array().map(|array| array.iter().map(Node::entry))
    }

    pub(super) fn fields(self) -> Option<Fields<'t>> {
        let range = self.value.span();
        let table = self.value.get_ref().as_table()?;
        Some(Fields::new(table, self.key_at, (range.start, range.end)))
    }

    /// The value as JSON; dates as text.
    pub(super) fn json(self) -> serde_json::Value {
        json(self.value.get_ref())
    }
}

impl<'t> Fields<'t> {
    pub(super) fn new(table: &'t DeTable<'t>, named_at: Spot, range: (usize, usize)) -> Self {
        Self { table, named_at, range, glance: Glance::of(table) }
    }

    pub(super) fn has(self, key: &str) -> bool {
        self.glance.may_have(key) && self.table.contains_key(key)
    }

    pub(super) fn get(self, key: &str) -> Option<Node<'t>> {
        if !self.glance.may_have(key) {
            return None;
        }
        self.table.get_key_value(key).map(|(name, value)| Node { value, key_at: Spot::new(&name.span()) })
    }

    pub(super) fn text(self, key: &str) -> Option<&'t str> {
        self.get(key)?.text()
    }

    pub(super) fn owned(self, key: &str) -> Option<String> {
        self.text(key).map(str::to_owned)
    }

    pub(super) fn span(self, key: &str) -> Option<Span> {
        self.get(key)?.span()
    }

    pub(super) fn whole<N: TryFrom<i64>>(self, key: &str) -> Option<N> {
        N::try_from(self.get(key)?.whole()?).ok()
    }

    pub(super) fn flag(self, key: &str) -> Option<bool> {
        self.get(key)?.value.get_ref().as_bool()
    }

    pub(super) fn list(self, key: &str) -> impl Iterator<Item = Node<'t>> {
        self.get(key).and_then(Node::list).into_iter().flatten()
    }

    pub(super) fn texts(self, key: &str) -> Vec<String> {
        self.list(key).filter_map(|entry| entry.text().map(str::to_owned)).collect()
    }

    pub(super) fn fields(self, key: &str) -> Option<Fields<'t>> {
        self.get(key)?.fields()
    }

    /// Its entries in the order of the file.
    pub(super) fn in_file_order(self) -> Vec<(&'t str, Node<'t>)> {
        let mut entries: Vec<_> = self
            .table
            .iter()
            .map(|(name, value)| (&**name.get_ref(), Node { value, key_at: Spot::new(&name.span()) }))
            .collect();
        entries.sort_by_key(|(_, node)| node.key_at.start());
        entries
    }

    /// Where its name stands.
    pub(super) fn at(self) -> SourceSpan {
        self.named_at.span()
    }

    /// Where the value of a key stands, or its name where there is no such key.
    pub(super) fn at_key(self, key: &str) -> SourceSpan {
        self.get(key).map_or_else(|| self.at(), Node::at)
    }

    /// For [`Places`](super::Places): the name, and every key of `spec` that it has.
    pub(super) fn place(self, spec: &'static spec::Table, text: &str) -> Place {
        let mut keys = Vec::with_capacity(self.table.len());
        self.push_keys(spec, text, &mut keys);
        Place { itself: self.named_at, keys: keys.into_boxed_slice() }
    }

    /// Adds the keys of `spec` that it has.
    pub(super) fn push_keys(self, spec: &'static spec::Table, text: &str, keys: &mut Vec<(&'static str, Spot)>) {
        for (name, value) in self.table {
            if let Some(key) = spec.key(name.get_ref()) {
                let range = value.span();
                let on_a_line =
                    text.get(range.clone()).is_some_and(|source| !source.is_empty() && !source.contains('\n'));
                keys.push((key.name, Spot::new(&if on_a_line { range } else { name.span() })));
            }
        }
    }
}

pub(super) fn whole(value: &DeValue<'_>) -> Option<i64> {
    let integer = value.as_integer()?;
    i64::from_str_radix(integer.as_str(), integer.radix()).ok()
}

pub(super) fn number(value: &DeValue<'_>) -> Option<f64> {
    #[expect(clippy::cast_precision_loss, reason = "a factor, not a count: nearest is right")]
    let number = match value {
        DeValue::Float(float) => float.as_str().parse().ok()?,
        other => whole(other)? as f64,
    };
    number.is_finite().then_some(number)
}

fn json(value: &DeValue<'_>) -> serde_json::Value {
    match value {
        DeValue::String(text) => text.as_ref().into(),
        DeValue::Integer(_) => whole(value).into(),
        DeValue::Float(_) => number(value).into(),
        DeValue::Boolean(flag) => (*flag).into(),
        DeValue::Datetime(date) => date.to_string().into(),
        DeValue::Array(array) => array.iter().map(|entry| json(entry.get_ref())).collect(),
        DeValue::Table(table) => {
            table.iter().map(|(name, value)| (name.get_ref().to_string(), json(value.get_ref()))).collect()
        }
    }
}

/// Whether a number among the values has no JSON: infinity, not a number, beyond 64 bits.
pub(super) fn odd_number(value: &Spanned<DeValue<'_>>) -> Option<Range<usize>> {
    match value.get_ref() {
        DeValue::Integer(_) if whole(value.get_ref()).is_none() => Some(value.span()),
        DeValue::Float(_) if number(value.get_ref()).is_none() => Some(value.span()),
        DeValue::Array(array) => array.iter().find_map(odd_number),
        DeValue::Table(table) => table.values().find_map(odd_number),
        _ => None,
    }
}
