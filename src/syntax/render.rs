//! Shows problems: with carets for a terminal, as objects for programs.
//!
//! It knows how a problem looks and nothing of what it is. Whether there is a terminal, and how wide, is told to it.

use std::fmt;
use std::path::Path;

use miette::{
    Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, MietteError, MietteSpanContents, Severity,
    SourceCode, SourceSpan, SpanContents,
};
use serde_json::json;

use super::{Problem, Sources};

/// How problems look on a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    /// Whether colours are wanted: not with `NO_COLOR`, not where nobody looks.
    pub colour: bool,
    /// Columns.
    pub width: usize,
}

impl Look {
    /// Where nobody looks, or without colours.
    pub const PLAIN: Self = Self { colour: false, width: 100 };
}

/// All problems of a runbook and its parts, one after the other, each with its line and what to do. `file` is the path of
/// the runbook, as it was given.
pub fn for_terminal(file: &str, sources: &Sources, problems: &[Problem], look: Look) -> String {
    let theme = if look.colour { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
    let handler = GraphicalReportHandler::new_themed(theme).with_width(look.width.max(40)).with_links(false);
    let mut shown = String::new();
    let mut source: Option<Source<'_>> = None;
    for problem in problems {
        let at = problem.at().offset();
        // Problems of one file follow each other.
        let source = match source.take() {
            Some(known) if known.holds(at) => source.insert(known),
            Some(_) | None => source.insert(Source::of(file, sources, at)),
        };
        let placed = Placed { problem, source };
        if handler.render_report(&mut shown, &placed).is_err() {
            // It cannot be drawn; it must be said all the same.
            shown.push_str(&problem.to_string());
        }
        shown.push('\n');
    }
    shown
}

/// All problems of a runbook and its parts as objects `{file, code, severity, message, line, column, help}`; line and
/// column count from 1, columns in characters. One in a part says under which names it is `included_as`.
pub fn as_json(file: &str, sources: &Sources, problems: &[Problem]) -> Vec<serde_json::Value> {
    let mut source: Option<Source<'_>> = None;
    let mut objects = Vec::with_capacity(problems.len());
    for problem in problems {
        let at = problem.at().offset();
        let source = match source.take() {
            Some(known) if known.holds(at) => source.insert(known),
            Some(_) | None => source.insert(Source::of(file, sources, at)),
        };
        let (line, column) = source.lines.line_and_column(source.text, at - source.start);
        let mut object = json!({
            "file": source.file,
            "code": problem.code().map(|code| code.to_string()),
            "severity": if problem.is_error() { "error" } else { "warning" },
            "message": problem.to_string(),
            "line": line,
            "column": column,
            "help": problem.help().map(|help| help.to_string()),
        });
        if !source.included_as.is_empty() {
            object["included_as"] = json!(source.included_as);
        }
        objects.push(object);
    }
    objects
}

/// Where the lines of a text begin.
struct Lines {
    starts: Vec<usize>,
}

impl Lines {
    fn of(text: &str) -> Self {
        let mut starts = vec![0];
        starts.extend(text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1));
        Self { starts }
    }

    /// The line, from 0, that holds a byte.
    fn line(&self, at: usize) -> usize {
        self.starts.partition_point(|start| *start <= at).saturating_sub(1)
    }

    fn line_and_column(&self, text: &str, at: usize) -> (usize, usize) {
        let line = self.line(at);
        let before = text.get(self.starts[line]..at).unwrap_or_default();
        (line + 1, before.chars().count() + 1)
    }
}

/// What is drawn before a place and after it, in bytes: lines that no person wrote are drawn in part.
const DRAWN_MAX: usize = 1000;

/// How much of a place that is longer than that is marked.
const MARKED_MAX: usize = 60;

/// A text whose lines are found without reading it from the start for every problem.
struct Source<'a> {
    /// Its path.
    file: String,
    text: &'a str,
    /// The place of its first byte among all sources.
    start: usize,
    lines: Lines,
    /// The path of the runbook.
    runbook: &'a str,
    /// The names that the runbook includes it under, where it is a part.
    included_as: &'a [String],
}

impl<'a> Source<'a> {
    /// The file in which a byte stands.
    fn of(runbook: &'a str, sources: &'a Sources, at: usize) -> Self {
        let found = sources.file_at(at);
        let beside = |path| Path::new(runbook).with_file_name("").join(path).display().to_string();
        Self {
            file: found.path.map_or_else(|| runbook.to_owned(), beside),
            text: found.text,
            start: found.start,
            lines: Lines::of(found.text),
            runbook,
            included_as: found.included_as,
        }
    }

    /// Whether a byte stands in it.
    fn holds(&self, at: usize) -> bool {
        (self.start..=self.start + self.text.len()).contains(&at)
    }
}

impl SourceCode for Source<'_> {
    fn read_span<'a>(
        &'a self,
        span: &SourceSpan,
        lines_before: usize,
        lines_after: usize,
    ) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        let end = span.offset().checked_add(span.len()).filter(|end| *end <= self.text.len());
        let end = end.ok_or(MietteError::OutOfBounds)?;
        let near = self.text.floor_char_boundary(span.offset().saturating_sub(DRAWN_MAX));
        let first = self.lines.line(span.offset()).saturating_sub(lines_before).max(self.lines.line(near));
        let last = self.lines.line(end.saturating_sub(1).max(span.offset())) + lines_after;
        // Without lines before it is asked where the span itself begins.
        let (start, column) = if lines_before == 0 {
            (span.offset(), self.lines.line_and_column(self.text, span.offset()).1 - 1)
        } else {
            (self.lines.starts[first].max(near), 0)
        };
        let stop = self.lines.starts.get(last + 1).copied().unwrap_or(self.text.len());
        let stop = stop.min(self.text.floor_char_boundary(end + DRAWN_MAX)).max(start);
        let data = &self.text.as_bytes()[start..stop];
        let span = (start, stop - start).into();
        let count = last.min(self.lines.starts.len() - 1) + 1 - first;
        Ok(Box::new(MietteSpanContents::new_named(self.file.clone(), data, span, first, column, count)))
    }
}

/// A problem and the text that it is in.
struct Placed<'a> {
    problem: &'a Problem,
    source: &'a Source<'a>,
}

impl fmt::Debug for Placed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.problem.fmt(f)
    }
}

impl fmt::Display for Placed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.problem, f)
    }
}

impl std::error::Error for Placed<'_> {}

impl Diagnostic for Placed<'_> {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.problem.code()
    }

    fn severity(&self) -> Option<Severity> {
        self.problem.severity()
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        let help = self.problem.help().map(|help| help.to_string());
        let included = (!self.source.included_as.is_empty()).then(|| {
            let names: Vec<String> = self.source.included_as.iter().map(|name| format!("`{name}`")).collect();
            format!("in a part that {} includes as {}", self.source.runbook, names.join(" and "))
        });
        let lines: Vec<String> = help.into_iter().chain(included).collect();
        (!lines.is_empty()).then(|| Box::new(lines.join("\n")) as Box<dyn fmt::Display>)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let (text, start) = (self.source.text, self.source.start);
        let here = move |label: LabeledSpan| {
            let at = *label.inner();
            let (offset, length) = (at.offset() - start, at.len());
            if length <= DRAWN_MAX {
                return LabeledSpan::new(label.label().map(str::to_owned), offset, length);
            }
            let first = text.get(offset..).and_then(|start| start.lines().next()).unwrap_or_default();
            LabeledSpan::new(label.label().map(str::to_owned), offset, first.floor_char_boundary(MARKED_MAX))
        };
        // Only one file is drawn.
        let labels = self.problem.labels()?.filter(|label| self.source.holds(label.inner().offset()));
        Some(Box::new(labels.map(here)))
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        Some(self.source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_told_code_severity_message_line_column_and_help() {
        let text = "format = 1\n# ü\nübel = 1\n";
        let reading = crate::syntax::read(text);
        let first = as_json("a.toml", &reading.sources, &reading.problems)
            .into_iter()
            .find(|problem| problem["code"] == "not_toml" || problem["line"] == 3)
            .expect("the third line is wrong");
        assert_eq!(first["severity"], "error");
        assert_eq!((&first["line"], &first["column"]), (&json!(3), &json!(1)));
    }

    #[test]
    fn colours_are_there_only_where_they_are_wanted() {
        let text = "format = 2\n";
        let crate::syntax::Reading { problems, sources, .. } = crate::syntax::read(text);
        assert!(!for_terminal("a.toml", &sources, &problems, Look::PLAIN).contains('\u{1b}'));
        assert!(for_terminal("a.toml", &sources, &problems, Look { colour: true, width: 80 }).contains('\u{1b}'));
    }

    #[test]
    fn a_line_that_is_longer_than_any_terminal_is_drawn_in_part_and_its_place_is_told() {
        for long in [100, 70_000, 200_000] {
            let before = format!("format = 1\nx = \"{}\"; y = 2\n", "ü".repeat(long));
            let around = format!("# {}\nx 1\n# {}\n", "ü".repeat(long), "ü".repeat(long));
            let within = format!("format = 1\n[step.a]\nrun = \"{}\"\n", "{{#if vars.ü}}".repeat(long));
            let lines = format!("format = 1\n[step.a]\nrun = \"\"\"\n{}\n\"\"\"\n", "{{#if vars.ü}}\n".repeat(long));
            for text in [before, around, within, lines] {
                let crate::syntax::Reading { problems, sources, .. } = crate::syntax::read(&text);
                let shown = for_terminal("a.toml", &sources, &problems, Look::PLAIN);
                let problem = problems.first().expect("it is wrong");
                let (line, column) = Lines::of(&text).line_and_column(&text, problem.at().offset());
                assert!(shown.contains(&format!("[a.toml:{line}:{column}]")), "{shown}");
                assert!(shown.lines().all(|line| line.len() < 20_000), "{long}");
            }
        }
    }
}
