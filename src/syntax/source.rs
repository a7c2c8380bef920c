//! The texts that a runbook is made of: its own, and one for each part that it includes.
//!
//! They are laid end to end, so that one number says where something stands, whichever file it stands in. Nothing here
//! reads a file: whoever asks for a reading brings the texts.

use std::collections::BTreeMap;

use toml::de::DeTable;

use super::node::Fields;
use super::site::Spot;

/// The text of a runbook, and those of the files that it includes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Texts {
    /// Its own.
    pub runbook: String,
    /// Of each part, by the path that `use` names.
    pub parts: BTreeMap<String, PartText>,
}

/// What there is of a part's file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PartText {
    /// Its text.
    Found(String),
    /// Nothing, and why.
    Unreadable(String),
}

impl Texts {
    /// A runbook that includes nothing.
    pub fn alone(runbook: impl Into<String>) -> Self {
        Self { runbook: runbook.into(), parts: BTreeMap::new() }
    }

    /// A runbook with the parts that it names; `find` reads one, or says why it cannot.
    pub fn gather(runbook: String, find: impl Fn(&str) -> Result<String, String>) -> Self {
        let mut parts = BTreeMap::new();
        // Most runbooks include nothing, and need not be read twice for that.
        if runbook.contains("part") {
            let (file, _) = DeTable::parse_recoverable(&runbook);
            let root = Fields::new(file.get_ref(), Spot::default(), (0, 0));
            for (path, _) in used(root) {
                parts.entry(path.to_owned()).or_insert_with(|| match find(path) {
                    Ok(text) => PartText::Found(text),
                    Err(why) => PartText::Unreadable(why),
                });
            }
        }
        Self { runbook, parts }
    }
}

/// Each path that a `[part.x]` names, with the `x`, in the order of the file.
fn used(root: Fields<'_>) -> Vec<(&str, &str)> {
    let includes = root.fields("part").map(Fields::in_file_order).unwrap_or_default();
    includes.into_iter().filter_map(|(name, node)| Some((node.fields()?.text("use")?, name))).collect()
}

/// Texts laid end to end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sources {
    text: String,
    parts: Vec<PartSource>,
}

/// A part's file among them.
#[derive(Clone, Debug, PartialEq, Eq)]
struct PartSource {
    path: String,
    start: usize,
    included_as: Vec<String>,
}

/// The file in which a place is.
pub(super) struct SourceFile<'s> {
    /// As `use` names it; `None` for the runbook itself.
    pub(super) path: Option<&'s str>,
    /// The names that the runbook includes it under.
    pub(super) included_as: &'s [String],
    pub(super) text: &'s str,
    /// The place of its first byte.
    pub(super) start: usize,
}

impl Sources {
    /// A runbook that includes nothing.
    pub(super) fn alone(text: &str) -> Self {
        Self { text: text.to_owned(), parts: Vec::new() }
    }

    /// A runbook and those of its parts that could be read.
    pub(super) fn of(texts: &Texts, root: Fields<'_>) -> Self {
        let mut sources = Self::alone(&texts.runbook);
        for (path, name) in used(root) {
            let Some(PartText::Found(text)) = texts.parts.get(path) else { continue };
            if let Some(known) = sources.parts.iter_mut().find(|part| part.path == path) {
                known.included_as.push(name.to_owned());
                continue;
            }
            sources.text.push('\n');
            let (path, start) = (path.to_owned(), sources.text.len());
            sources.text.push_str(text);
            sources.parts.push(PartSource { path, start, included_as: vec![name.to_owned()] });
        }
        sources
    }

    /// All of it.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// The file of each part, as a text in which everything stands where it stands in the whole.
    pub(super) fn in_place(&self) -> Vec<(&str, String)> {
        let mark = '\u{feff}';
        let padded = |part: &PartSource, text: &str| {
            let bare = text.strip_prefix(mark).unwrap_or(text);
            " ".repeat(part.start + text.len() - bare.len()) + bare
        };
        self.parts.iter().map(|part| (&part.path[..], padded(part, self.file_at(part.start).text))).collect()
    }

    /// Where the file of a part begins.
    pub(super) fn start_of(&self, path: &str) -> usize {
        self.parts.iter().find(|part| part.path == path).map_or(0, |part| part.start)
    }

    /// The file in which a byte of the whole stands.
    pub(super) fn file_at(&self, at: usize) -> SourceFile<'_> {
        let next = self.parts.partition_point(|part| part.start <= at);
        // Between two files stands a newline, which is of neither.
        let end = self.parts.get(next).map_or(self.text.len(), |part| part.start - 1);
        match next.checked_sub(1).map(|n| &self.parts[n]) {
            None => SourceFile { path: None, included_as: &[], text: &self.text[..end], start: 0 },
            Some(part) => SourceFile {
                path: Some(&part.path),
                included_as: &part.included_as,
                text: &self.text[part.start..end],
                start: part.start,
            },
        }
    }
}
