//! Statements over SQL: one connection per attempt, one attempt per call, with an end that says what is known (R5).
//!
//! | what happened | end |
//! |---|---|
//! | carried out, `rows` and `expect` hold | done |
//! | no connection | failed: nothing was sent |
//! | the server refused the first statement, or said something else than `rows` and `expect` want | failed |
//! | the same, with earlier statements of the list in place | unknown |
//! | bound passed, connection lost | unknown, once the session is gone from the server |
//! | stopped | stopped, once the session is gone; done where it came through first |
//!
//! Changes that `rows` or `expect` are to judge are judged before they are committed, and taken back if they do not hold.
//! It knows nothing of templates: a [`Statements`] is rendered.

mod postgres;
mod probing;
mod sqlite;
mod value;

use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value as Json, json};
use tokio::time::Instant;

use super::attempt::{Cut, Ended, Expect, Locals, Stop, unexpected};
use super::outputs::Outputs;
use super::secret::{Secrets, keyed_digest};
use crate::model::AttemptEnd;

pub use probing::Connection;

/// Statements as they are sent.
#[derive(Clone)]
pub struct Statements {
    /// `postgres://...` or `sqlite:...`, without the password.
    pub url: String,
    /// The password, apart from the URL.
    pub password: Option<String>,
    /// In order, one transaction each.
    pub texts: Vec<String>,
    /// Whether the first row is read, and its columns are outputs.
    pub query: bool,
    /// Bound to `$1`, `$2`, ... (`?1` in `SQLite`) of every statement that has so many.
    pub params: Vec<Json>,
    /// Must hold over `row` and `rows` too.
    pub expect: Option<Expect>,
    /// The number of rows that must be returned or affected, of all statements together.
    pub rows: Option<u64>,
    /// The bound of the attempt.
    pub bound: Duration,
    /// The folder that relative paths of `sqlite:` mean.
    pub folder: PathBuf,
    /// How the session names itself to the server.
    pub session: String,
}

/// What became of the statements.
#[derive(Debug)]
enum Said {
    /// All were carried out.
    Rows(Answer),
    /// It is certain that nothing was sent.
    NotSent(String),
    /// The server said no, or what it said will not do; so many statements that change something are in place.
    Refused { why: String, in_place: usize },
    /// The connection was lost in the middle; the session is gone.
    Lost(String),
    /// It was cut off, and the session is gone.
    Cut(Cut, String),
}

/// What a server returned.
#[derive(Clone, Debug, Default, PartialEq)]
struct Answer {
    /// The first row, of a query that returned any.
    row: Option<Locals>,
    /// Rows returned or affected.
    rows: u64,
}

/// The kinds of database that are supported.
enum Database {
    Postgres,
    Sqlite,
}

fn database(url: &str) -> Option<Database> {
    match url.split_once(':')?.0 {
        "postgres" | "postgresql" => Some(Database::Postgres),
        "sqlite" => Some(Database::Sqlite),
        _ => None,
    }
}

impl Statements {
    /// What pins in the journal what was sent: a digest of address, statements and parameters, keyed by the run, since
    /// secrets may be among them.
    pub fn digest(&self, key: &[u8]) -> String {
        keyed_digest(key, json!([self.url, self.texts, self.params]).to_string().as_bytes())
    }

    /// Carries them out and reports the end when no session of theirs is left.
    pub async fn perform(self, secrets: Secrets, stop: Stop) -> Ended {
        let deadline = Instant::now() + self.bound;
        let said = match database(&self.url) {
            Some(Database::Postgres) => postgres::perform(&self, &secrets, deadline, stop).await,
            Some(Database::Sqlite) => sqlite::perform(&self, &secrets, deadline, stop).await,
            None => Said::NotSent("no address of PostgreSQL or SQLite".to_owned()),
        };
        let ended = |end, why: &str| Ended::new(end, secrets.mask(&format!("{}: {why}", self.place())));
        match said {
            Said::Rows(answer) => {
                let mut outputs = Outputs::default();
                for (name, value) in answer.row.into_iter().flatten() {
                    if let Err(error) = outputs.keep(&name, value, false, &secrets) {
                        return ended(self.end_of_unfit(), &format!("carried out, but could not {error}"));
                    }
                }
                if let Err(error) = outputs.fit() {
                    return ended(self.end_of_unfit(), &format!("carried out, but could not {error}"));
                }
                Ended { outputs, ..ended(AttemptEnd::Done, &counted(answer.rows)) }
            }
            Said::NotSent(why) | Said::Refused { why, in_place: 0 } => ended(AttemptEnd::Failed, &why),
            Said::Refused { why, in_place } => ended(
                AttemptEnd::Unknown,
                &format!("{why}; {in_place} of {} statements are in place", self.texts.len()),
            ),
            Said::Lost(why) => ended(AttemptEnd::Unknown, &why),
            Said::Cut(cut, why) => ended(cut.end(), &why),
        }
    }

    /// The end of an attempt whose statements came through while what they returned cannot be used.
    fn end_of_unfit(&self) -> AttemptEnd {
        if self.texts.iter().any(|text| changes(text)) { AttemptEnd::Unknown } else { AttemptEnd::Failed }
    }

    /// The address without what may be secret in it.
    fn place(&self) -> &str {
        self.url.split('?').next().unwrap_or_default()
    }

    /// What is wrong with an answer, if anything.
    fn unfit(&self, answer: &Answer, secrets: &Secrets) -> Option<String> {
        if let Some(wanted) = self.rows.filter(|&wanted| wanted != answer.rows) {
            return Some(format!("{}, wanted {wanted}", counted(answer.rows)));
        }
        let mut locals = Locals::new();
        if let Some(row) = &answer.row {
            locals.insert("row".into(), Json::Object(row.clone()));
        }
        locals.insert("rows".into(), answer.rows.into());
        unexpected(self.expect.as_ref(), &locals, secrets)
    }

    /// Whether a statement is judged inside a transaction of ours, which is taken back where the answer will not do.
    fn judged_before_commit(&self, text: &str) -> bool {
        self.texts.len() == 1 && (self.rows.is_some() || self.expect.is_some()) && is_change(text)
    }
}

fn counted(rows: u64) -> String {
    if rows == 1 { "1 row".to_owned() } else { format!("{rows} rows") }
}

/// The first word of a statement, in lower case, behind comments.
fn first_word(text: &str) -> String {
    let mut rest = text.trim_start();
    loop {
        rest = if let Some(comment) = rest.strip_prefix("--") {
            comment.split_once('\n').map_or("", |(_, behind)| behind).trim_start()
        } else if let Some(comment) = rest.strip_prefix("/*") {
            comment.split_once("*/").map_or("", |(_, behind)| behind).trim_start()
        } else {
            break;
        };
    }
    rest.chars().take_while(char::is_ascii_alphabetic).collect::<String>().to_ascii_lowercase()
}

/// Whether a statement changes rows (or may, where it begins with `with`).
fn is_change(text: &str) -> bool {
    matches!(first_word(text).as_str(), "insert" | "update" | "delete" | "merge" | "replace" | "with")
}

/// Whether a statement is more than a look at rows. A function that `select` calls may change something all the same; what
/// it returns says so.
fn changes(text: &str) -> bool {
    !matches!(first_word(text).as_str(), "select" | "values" | "table" | "show" | "explain")
}

/// Waits for the first of bound and order.
async fn cut(until: Instant, stop: &mut Stop) -> Cut {
    tokio::select! {
        biased;
        () = stop.ordered() => Cut::Stopped,
        () = tokio::time::sleep_until(until) => Cut::Late,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_word_stands_behind_comments() {
        assert_eq!(first_word("  -- why\n /* what */ UPDATE t set x = 1"), "update");
        assert_eq!(first_word("select(1)"), "select");
        assert_eq!(first_word("-- nothing"), "");
        assert!(is_change("with x as (select 1) insert into t select * from x"));
        assert!(!changes("select pg_promote()") && changes("vacuum"));
    }
}
