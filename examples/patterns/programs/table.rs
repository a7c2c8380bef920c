//! What the cases of all patterns have measured, as one table.
//!
//! Each case appends one line of JSON to a file: see [`Line`].

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use serde::Deserialize;

use crate::Failure;

/// One case. A figure that a case has not is null.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    pattern: String,
    case: String,
    acknowledged: u64,
    lost: u64,
    duplicated: u64,
    /// Requests that failed for clients that try again, and for those that do not.
    failed_retrying: u64,
    failed_single: u64,
    /// The longest time in which no retrying client got a write acknowledged.
    pause_ms: u64,
    /// From the breach or the failure until the rollback was verified.
    restored_ms: Option<u64>,
    total_ms: u64,
    /// How it ended, for people.
    note: String,
}

/// Prints the table; fails where a zero belongs and is none, and where nothing was acknowledged.
pub(crate) fn print(file: &Path) -> Result<(), Failure> {
    let text = fs::read_to_string(file)?;
    let lines: Vec<Line> = text.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    print!("{}", table(&lines));
    let wrong: Vec<String> = lines.iter().flat_map(wrong_in).collect();
    if lines.is_empty() {
        Err("no case has measured anything".into())
    } else if wrong.is_empty() {
        Ok(())
    } else {
        Err(wrong.join("; ").into())
    }
}

fn wrong_in(line: &Line) -> Vec<String> {
    let zeros = [
        ("acknowledged writes lost", line.lost),
        ("writes duplicated", line.duplicated),
        ("requests failed for a client that tries again", line.failed_retrying),
    ];
    let mut wrong: Vec<String> = zeros
        .into_iter()
        .filter(|&(_, figure)| figure > 0)
        .map(|(what, figure)| format!("{} {}: {figure} {what}", line.pattern, line.case))
        .collect();
    if line.acknowledged == 0 {
        wrong.push(format!("{} {}: no write was acknowledged", line.pattern, line.case));
    }
    wrong
}

const HEAD: [&str; 10] = [
    "pattern",
    "case",
    "acked",
    "lost",
    "twice",
    "failed, retried",
    "failed, single",
    "pause ms",
    "restored ms",
    "total s",
];

fn table(lines: &[Line]) -> String {
    let mut rows = vec![HEAD.map(str::to_owned)];
    for line in lines {
        rows.push([
            line.pattern.clone(),
            line.case.clone(),
            line.acknowledged.to_string(),
            line.lost.to_string(),
            line.duplicated.to_string(),
            line.failed_retrying.to_string(),
            line.failed_single.to_string(),
            line.pause_ms.to_string(),
            line.restored_ms.map_or_else(|| "-".to_owned(), |ms| ms.to_string()),
            format!("{}.{}", line.total_ms / 1000, line.total_ms % 1000 / 100),
        ]);
    }
    let widths: Vec<usize> = (0..HEAD.len()).map(|n| rows.iter().map(|row| row[n].len()).max().unwrap_or(0)).collect();
    let notes = std::iter::once("how it ended").chain(lines.iter().map(|line| line.note.as_str()));
    let mut text = String::new();
    for (row, note) in rows.iter().zip(notes) {
        for (n, (cell, width)) in row.iter().zip(&widths).enumerate() {
            // Words to the left, figures to the right.
            let _ = if n < 2 { write!(text, "{cell:<width$}  ") } else { write!(text, "{cell:>width$}  ") };
        }
        text += note;
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(more: &str) -> Line {
        let mut line = serde_json::json!({
            "pattern": "active-passive", "case": "good", "acknowledged": 10, "lost": 0, "duplicated": 0,
            "failed_retrying": 0, "failed_single": 7, "pause_ms": 900, "restored_ms": null, "total_ms": 4321, "note": "moved",
        });
        let more: serde_json::Value = serde_json::from_str(more).expect("JSON");
        line.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        serde_json::from_value(line).expect("a line")
    }

    #[test]
    fn failures_of_clients_that_do_not_try_again_are_counted_and_allowed() {
        assert!(wrong_in(&line("{}")).is_empty());
    }

    #[test]
    fn a_zero_that_is_none_is_said_and_fails() {
        for (figure, said) in [
            (r#"{ "lost": 1 }"#, "1 acknowledged writes lost"),
            (r#"{ "duplicated": 2 }"#, "2 writes duplicated"),
            (r#"{ "failed_retrying": 3 }"#, "3 requests failed"),
            (r#"{ "acknowledged": 0 }"#, "no write"),
        ] {
            let wrong = wrong_in(&line(figure));
            assert!(wrong.len() == 1 && wrong[0].contains(said), "{figure}: {wrong:?}");
        }
    }

    #[test]
    fn a_case_without_a_rollback_has_no_time_of_restoring() {
        let text = table(&[line("{}"), line(r#"{ "restored_ms": 1234 }"#)]);
        assert!(text.lines().nth(1).is_some_and(|row| row.contains("  -  ")), "{text}");
        assert!(text.contains("1234"), "{text}");
    }
}
