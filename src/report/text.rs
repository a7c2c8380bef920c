//! Lines of styled text: parts with a role each, measured in columns. Knows nothing of runs or of escape sequences.

use std::fmt;

use crate::model::{Span, Time};

/// What a piece of text means; the theme says how that looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Role {
    /// Ordinary text.
    #[default]
    Plain,
    /// Not of interest now.
    Dim,
    /// What the eye should find first.
    Strong,
    /// As it should be.
    Good,
    /// Going on.
    Active,
    /// Deserves a look.
    Warn,
    /// Not as it should be.
    Bad,
    /// Going back.
    Back,
    /// A person is asked.
    Ask,
}

/// One line for a person: never contains a line break or a control character.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Line {
    parts: Vec<(Role, String)>,
}

impl Line {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// A line of one part.
    pub fn of(role: Role, text: impl AsRef<str>) -> Self {
        Self::new().with(role, text)
    }

    /// With `text` at its end.
    #[must_use]
    pub fn with(mut self, role: Role, text: impl AsRef<str>) -> Self {
        self.push(role, text);
        self
    }

    /// Adds `text` at the end.
    pub fn push(&mut self, role: Role, text: impl AsRef<str>) {
        let text = clean(text.as_ref());
        if text.is_empty() {
            return;
        }
        match self.parts.last_mut() {
            Some((last, so_far)) if *last == role => so_far.push_str(&text),
            _ => self.parts.push((role, text)),
        }
    }

    /// Adds the parts of `other` at the end.
    pub fn append(&mut self, other: Self) {
        for (role, text) in other.parts {
            self.push(role, text);
        }
    }

    /// Adds blanks until the line is `column` wide.
    pub fn pad_to(&mut self, column: usize) {
        let blanks = column.saturating_sub(self.width());
        self.push(Role::Plain, " ".repeat(blanks));
    }

    /// The parts, in order.
    pub fn parts(&self) -> &[(Role, String)] {
        &self.parts
    }

    /// Whether there is nothing on it.
    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// How many columns it takes.
    pub fn width(&self) -> usize {
        self.parts.iter().map(|(_, text)| width(text)).sum()
    }

    /// No wider than `columns`; what does not fit is cut, and `ellipsis` shows it.
    #[must_use]
    pub fn fit(self, columns: usize, ellipsis: &str) -> Self {
        if self.width() <= columns {
            return self;
        }
        let room = columns.saturating_sub(width(ellipsis));
        let mut cut = Self::new();
        let mut used = 0;
        for (role, text) in self.parts {
            let head = head(&text, room - used);
            used += width(head);
            let whole = head.len() == text.len();
            cut.push(role, head);
            if !whole {
                cut.push(role, self::head(ellipsis, columns - used));
                break;
            }
        }
        cut
    }

    /// Broken between words into lines no wider than `columns`; all but the first are indented. Nothing is lost.
    pub fn wrap(self, columns: usize, indent: usize) -> Vec<Self> {
        if self.width() <= columns {
            return vec![self];
        }
        let indent = if indent * 2 > columns { 0 } else { indent };
        let mut lines = Vec::new();
        let mut line = Self::new();
        for (role, text) in self.parts {
            for word in text.split_inclusive(' ') {
                push_word(&mut lines, &mut line, role, word, columns, indent);
            }
        }
        lines.push(line);
        lines.into_iter().map(Self::trimmed).collect()
    }

    /// Without blanks at its end.
    fn trimmed(mut self) -> Self {
        while let Some((_, text)) = self.parts.last_mut() {
            text.truncate(text.trim_end_matches(' ').len());
            if !text.is_empty() {
                break;
            }
            self.parts.pop();
        }
        self
    }
}

/// Puts one word on `line`, or on a new one where it does not fit; one wider than a line is broken.
fn push_word(lines: &mut Vec<Line>, line: &mut Line, role: Role, word: &str, columns: usize, indent: usize) {
    if line.width() + width(word.trim_end()) > columns && line.width() > indent {
        lines.push(std::mem::take(line));
        line.push(Role::Plain, " ".repeat(indent));
    }
    let mut rest = word;
    while line.width() + width(rest.trim_end()) > columns {
        let room = columns.saturating_sub(line.width());
        let start = head(rest, room);
        // A character wider than the line itself: let it go, for there is no place where it fits.
        let taken = if start.is_empty() { rest.chars().next().map_or(rest.len(), char::len_utf8) } else { start.len() };
        line.push(role, start);
        rest = &rest[taken..];
        lines.push(std::mem::take(line));
        line.push(Role::Plain, " ".repeat(indent));
    }
    let room = columns.saturating_sub(line.width());
    line.push(role, head(rest, room));
}

/// Without roles.
impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.parts.iter().try_for_each(|(_, text)| f.write_str(text))
    }
}

/// How many columns `text` takes.
pub fn width(text: &str) -> usize {
    text.chars().map(char_width).sum()
}

fn char_width(c: char) -> usize {
    if c.is_ascii() { 1 } else { console::measure_text_width(c.encode_utf8(&mut [0; 4])) }
}

/// The longest beginning of `text` that is no wider than `columns`.
fn head(text: &str, columns: usize) -> &str {
    let mut used = 0;
    for (at, c) in text.char_indices() {
        used += char_width(c);
        if used > columns {
            return &text[..at];
        }
    }
    text
}

/// `text` as one line that cannot steer a terminal: blanks for control characters, nothing for what is invisible or
/// turns the direction of writing round. Evidence comes from outside and ends on screens.
pub fn clean(text: &str) -> String {
    let mut cleaned = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() {
            cleaned.push(' ');
        } else if c.is_ascii() || char_width(c) > 0 && !turns_direction(c) {
            cleaned.push(c);
        }
    }
    cleaned
}

fn turns_direction(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}')
}

/// `text` in one line, with single blanks.
pub fn one_line(text: &str) -> String {
    clean(text).split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A moment of a run as a clock reads it: `0:12.3`, `12:10.0`, `1:30:05`.
pub fn clock(at: Time) -> String {
    let ms = at.millis();
    let (hours, minutes, seconds) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60);
    if hours > 0 {
        format!("{hours}:{minutes:02}:{seconds:02}")
    } else {
        format!("{minutes}:{seconds:02}.{}", ms % 1000 / 100)
    }
}

/// A length of time that still grows: whole seconds, so that the eye is not drawn to what does not matter.
pub fn ticking(span: Span) -> Span {
    Span::from_millis(span.millis() / 1000 * 1000)
}

/// The same, but in words that do not say `0ms`.
pub fn ticking_text(span: Span) -> String {
    if span.millis() < 1000 { "0s".into() } else { ticking(span).to_string() }
}

/// What is left of a long time, to the minute however many days it is: `47h 12m`.
pub fn countdown(span: Span) -> String {
    let minutes = span.millis() / 60_000;
    if minutes < 60 { ticking_text(span) } else { format!("{}h {}m", minutes / 60, minutes % 60) }
}

/// `1 step`, `2 steps`.
pub fn count(number: usize, thing: &str) -> String {
    if number == 1 { format!("1 {thing}") } else { format!("{number} {thing}s") }
}

/// `a, b and 3 more`: the first `most` of `names`.
pub fn listed<S: AsRef<str>>(names: &[S], most: usize) -> String {
    let shown: Vec<&str> = names.iter().take(most).map(AsRef::as_ref).collect();
    let more = names.len() - shown.len();
    match (shown.as_slice(), more) {
        ([], _) => String::new(),
        (_, 0) => shown.join(", "),
        _ => format!("{} and {more} more", shown.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_cut_with_an_ellipsis_and_never_too_wide() {
        let line = Line::of(Role::Good, "done").with(Role::Plain, ": twelve rows");
        assert_eq!(line.clone().fit(17, "…").to_string(), "done: twelve rows");
        assert_eq!(line.clone().fit(10, "…").to_string(), "done: twe…");
        assert_eq!(line.clone().fit(10, "...").to_string(), "done: t...");
        assert_eq!(line.clone().fit(1, "...").to_string(), ".");
        assert_eq!(line.fit(0, "…").to_string(), "");
        assert_eq!(Line::of(Role::Plain, "数据库").fit(4, "…").to_string(), "数…");
    }

    #[test]
    fn text_from_outside_cannot_steer_the_terminal() {
        assert_eq!(clean("a\x1b[31mb\r\nc\u{202e}d\u{200b}e\u{9b}"), "a [31mb  cde ");
        assert_eq!(one_line("  a\n\n  b\tc "), "a b c");
    }

    #[test]
    fn a_wrapped_line_loses_nothing_and_is_indented() {
        let wrapped = Line::of(Role::Plain, "one two three four").wrap(9, 2);
        let text: Vec<String> = wrapped.iter().map(Line::to_string).collect();
        assert_eq!(text, ["one two", "  three", "  four"]);
        let broken = Line::of(Role::Plain, "abcdefghij").wrap(4, 1);
        assert!(broken.iter().all(|line| line.width() <= 4), "{broken:?}");
        assert_eq!(broken.iter().map(|line| line.to_string().trim().to_owned()).collect::<String>(), "abcdefghij");
    }

    #[test]
    fn a_moment_reads_like_a_clock() {
        let shown = [(0, "0:00.0"), (12_345, "0:12.3"), (730_000, "12:10.0"), (5_405_000, "1:30:05")];
        for (millis, text) in shown {
            assert_eq!(clock(Time::from_millis(millis)), text);
        }
    }
}
