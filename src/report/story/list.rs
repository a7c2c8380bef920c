//! The table of `list`.

use jiff::Timestamp;

use crate::model::Span;
use crate::report::text::{Line, Role};
use crate::report::view::Mode;
use crate::report::{Theme, layout};

/// One run in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListRow {
    /// Its id.
    pub run: String,
    /// The name of its runbook.
    pub name: String,
    /// What it is at.
    pub mode: Mode,
    /// Whether a process drives it now.
    pub alive: bool,
    /// When it began.
    pub began: Option<Timestamp>,
    /// How long it has taken so far, or took.
    pub took: Span,
}

/// The runs as a table, in the order given.
pub fn list(rows: &[ListRow], width: usize, theme: Theme) -> Vec<Line> {
    if rows.is_empty() {
        return vec![Line::of(Role::Dim, "no runs yet")];
    }
    let runs = rows.iter().map(|row| row.run.len()).max().unwrap_or(0).max(3);
    let names = rows.iter().map(|row| row.name.len()).max().unwrap_or(0).clamp(7, 32);
    let mut head = Line::of(Role::Dim, "RUN");
    head.pad_to(runs + 2);
    head.push(Role::Dim, "RUNBOOK");
    head.pad_to(runs + names + 4);
    head.push(Role::Dim, "BEGAN (UTC)");
    head.pad_to(runs + names + 23);
    head.push(Role::Dim, "STATE");
    std::iter::once(head)
        .chain(rows.iter().map(|row| line(row, runs, names, theme)))
        .map(|line| line.fit(width, theme.ellipsis()))
        .collect()
}

fn line(row: &ListRow, runs: usize, names: usize, theme: Theme) -> Line {
    let mut line = Line::of(Role::Strong, &row.run);
    line.pad_to(runs + 2);
    line.append(Line::of(Role::Plain, &row.name).fit(names, theme.ellipsis()));
    line.pad_to(runs + names + 4);
    line.push(Role::Dim, row.began.map(|at| at.strftime("%Y-%m-%d %H:%M").to_string()).unwrap_or_default());
    line.pad_to(runs + names + 23);
    let (role, word) = layout::mode_word(&row.mode);
    line.push(role, word.to_lowercase());
    line.push(Role::Dim, format!(" after {}", row.took));
    if !row.alive && !matches!(row.mode, Mode::Finished { .. }) {
        line.push(Role::Warn, ", nobody drives it");
    }
    line
}
