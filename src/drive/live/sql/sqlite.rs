//! `SQLite`: changes take the write lock first, so that a busy database is waited for before anything happened; what runs
//! too long is interrupted, which takes it back.

use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::TryStreamExt as _;
use serde_json::Value as Json;
use sqlx::sqlite::{SqliteArguments, SqliteConnectOptions, SqliteConnection, SqliteQueryResult, SqliteRow};
use sqlx::{Arguments as _, AssertSqlSafe, Connection as _, Either, Executor as _, SqlSafeStr as _, Statement as _};
use tokio::time::Instant;

use super::super::attempt::{Cut, Stop};
use super::super::secret::Secrets;
use super::{Answer, Said, Statements, changes, cut, first_word, value};

/// So long `SQLite` itself waits for a lock before we look up and ask again.
const BUSY: Duration = Duration::from_millis(50);
/// The interruption is looked for every so many instructions of its virtual machine: well under a millisecond.
const INSTRUCTIONS: i32 = 5_000;

/// Where the file is, seen from the runbook's folder.
pub(super) fn options(url: &str, folder: &Path) -> Result<SqliteConnectOptions, sqlx::Error> {
    let options = SqliteConnectOptions::from_str(url)?;
    let path = options.get_filename().to_owned();
    let in_memory = path.as_os_str().is_empty() || path.to_string_lossy().starts_with("file:");
    let options = if in_memory { options } else { options.filename(folder.join(path)) };
    Ok(options.busy_timeout(BUSY).optimize_on_close(false, None))
}

/// Why the statements ended early.
enum Wrong {
    /// The database said no.
    Said(sqlx::Error),
    /// What it said will not do.
    Unfit(String),
    /// We were cut off between two tries.
    Cut,
    /// We were cut off before the lock was ours.
    Locked,
}

/// Carries the statements out and waits until the connection is closed.
pub(super) async fn perform(sql: &Statements, secrets: &Secrets, deadline: Instant, mut stop: Stop) -> Said {
    let options = match options(&sql.url, &sql.folder) {
        Ok(options) => options,
        Err(error) => return Said::NotSent(reason(&error)),
    };
    let mut connection = match SqliteConnection::connect_with(&options).await {
        Ok(connection) => connection,
        Err(error) => return Said::NotSent(error.to_string()),
    };
    let interrupted = Arc::new(AtomicBool::new(false));
    if let Err(error) = interrupt_by(&mut connection, &interrupted).await {
        return Said::NotSent(error.to_string());
    }
    let mut in_place = 0;
    let (ended, was_cut) = {
        let mut work = Box::pin(carry_out(&mut connection, (sql, secrets), &interrupted, &mut in_place));
        tokio::select! {
            biased;
            ended = &mut work => (ended, None),
            why = cut(deadline, &mut stop) => {
                interrupted.store(true, Ordering::Relaxed);
                // It is interrupted at its next instruction, so this wait is short; then nothing of it is left.
                (work.await, Some(why))
            }
        }
    };
    let _closed = connection.close().await;
    match (ended, was_cut) {
        (Ok(answer), _) => Said::Rows(answer),
        (Err(Wrong::Unfit(why)), _) => Said::Refused { why, in_place },
        (Err(Wrong::Locked), Some(Cut::Late)) if in_place == 0 => {
            Said::Refused { why: format!("locked by another for {}", crate::model::Span::from(sql.bound)), in_place }
        }
        (Err(_), Some(why)) => {
            Said::Cut(why, format!("{}, interrupted, {in_place} of {} in place", why.words(sql.bound), sql.texts.len()))
        }
        (Err(Wrong::Said(error)), None) => Said::Refused { why: reason(&error), in_place },
        (Err(Wrong::Cut | Wrong::Locked), None) => Said::Refused { why: "interrupted".to_owned(), in_place },
    }
}

/// Lets the flag interrupt whatever the connection does.
pub(super) async fn interrupt_by(connection: &mut SqliteConnection, flag: &Arc<AtomicBool>) -> Result<(), sqlx::Error> {
    let flag = Arc::clone(flag);
    connection.lock_handle().await?.set_progress_handler(INSTRUCTIONS, move || !flag.load(Ordering::Relaxed));
    Ok(())
}

async fn carry_out(
    connection: &mut SqliteConnection,
    (sql, secrets): (&Statements, &Secrets),
    interrupted: &AtomicBool,
    in_place: &mut usize,
) -> Result<Answer, Wrong> {
    let mut all = Answer::default();
    for text in &sql.texts {
        // These cannot stand in a transaction, or only look.
        let alone =
            !changes(text) || matches!(first_word(text).as_str(), "pragma" | "vacuum" | "attach" | "detach" | "begin");
        if !alone {
            // With the lock in hand nothing can be in the way until the commit.
            patiently(connection, "begin immediate", interrupted).await.map_err(|wrong| match wrong {
                Wrong::Cut => Wrong::Locked,
                other => other,
            })?;
        }
        let answer = match fetch(connection, text, sql, interrupted, alone).await {
            Ok(answer) => answer,
            Err(wrong) => {
                if !alone {
                    take_back(connection).await;
                }
                return Err(wrong);
            }
        };
        all.rows += answer.rows;
        all.row = all.row.or(answer.row);
        if sql.judged_before_commit(text)
            && let Some(why) = sql.unfit(&all, secrets)
        {
            take_back(connection).await;
            return Err(Wrong::Unfit(format!("{why}; taken back")));
        }
        if !alone && let Err(wrong) = patiently(connection, "commit", interrupted).await {
            take_back(connection).await;
            return Err(wrong);
        }
        *in_place += usize::from(changes(text));
    }
    match sql.unfit(&all, secrets) {
        Some(why) => Err(Wrong::Unfit(why)),
        None => Ok(all),
    }
}

/// A transaction that failed may have ended already: then there is nothing to take back.
async fn take_back(connection: &mut SqliteConnection) {
    // The interruption must not hit the rollback itself.
    if let Ok(mut handle) = connection.lock_handle().await {
        handle.remove_progress_handler();
    }
    let _ended = connection.execute("rollback").await;
}

/// Carries out a statement that takes or leaves a lock, again and again while another holds it.
async fn patiently(
    connection: &mut SqliteConnection,
    text: &'static str,
    interrupted: &AtomicBool,
) -> Result<(), Wrong> {
    loop {
        match connection.execute(text).await {
            Ok(_) => return Ok(()),
            Err(error) if is_busy(&error) && !interrupted.load(Ordering::Relaxed) => {}
            Err(error) if is_busy(&error) => return Err(Wrong::Cut),
            Err(error) => return Err(Wrong::Said(error)),
        }
    }
}

/// Carries out one statement. Outside a transaction of ours a busy database has done nothing: it is asked again.
async fn fetch(
    connection: &mut SqliteConnection,
    text: &str,
    sql: &Statements,
    interrupted: &AtomicBool,
    alone: bool,
) -> Result<Answer, Wrong> {
    loop {
        match once(connection, text, &sql.params, sql.query).await {
            Ok(answer) => return answer.map_err(Wrong::Unfit),
            Err(error) if alone && is_busy(&error) && interrupted.load(Ordering::Relaxed) => return Err(Wrong::Locked),
            Err(error) if alone && is_busy(&error) => {}
            Err(error) => return Err(Wrong::Said(error)),
        }
    }
}

/// One statement, one try. The inner error: a value that cannot be read.
async fn once(
    connection: &mut SqliteConnection,
    text: &str,
    params: &[Json],
    query: bool,
) -> Result<Result<Answer, String>, sqlx::Error> {
    let mut row = None;
    let (returned, affected) = rows(connection, text, params, |first| row = Some(value::of_sqlite(first))).await?;
    let rows = if query { returned } else { affected };
    Ok(row.filter(|_| query).transpose().map(|row| Answer { row, rows }))
}

/// The first column of the first row, for probes.
pub(super) async fn first(
    connection: &mut SqliteConnection,
    text: &str,
    params: &[Json],
) -> Result<Result<Option<Json>, String>, sqlx::Error> {
    let mut column = None;
    rows(connection, text, params, |row| column = Some(value::sqlite_at(row, 0))).await?;
    Ok(column.transpose())
}

/// Sends one statement, shows the first row to `look`, and counts the rows returned and affected.
async fn rows(
    connection: &mut SqliteConnection,
    text: &str,
    params: &[Json],
    mut look: impl FnMut(&SqliteRow),
) -> Result<(u64, u64), sqlx::Error> {
    let statement = (&mut *connection).prepare(AssertSqlSafe(text.to_owned()).into_sql_str()).await?;
    let wanted = match statement.parameters() {
        Some(Either::Right(count)) => count,
        Some(Either::Left(_)) | None => params.len(),
    };
    let arguments = bind(&params[..wanted.min(params.len())])?;
    let mut items = (&mut *connection).fetch_many(statement.query_with(arguments).persistent(false));
    let (mut returned, mut affected) = (0, 0);
    while let Some(item) = items.try_next().await? {
        let item: Either<SqliteQueryResult, SqliteRow> = item;
        match item {
            Either::Left(done) => affected += done.rows_affected(),
            Either::Right(row) => {
                if returned == 0 {
                    look(&row);
                }
                returned += 1;
            }
        }
    }
    Ok((returned, affected))
}

fn bind(params: &[Json]) -> Result<SqliteArguments, sqlx::Error> {
    let mut arguments = SqliteArguments::default();
    for param in params {
        match param {
            Json::Null => arguments.add(None::<String>),
            Json::Bool(truth) => arguments.add(*truth),
            Json::Number(number) => match number.as_i64() {
                Some(whole) => arguments.add(whole),
                None => arguments.add(number.as_f64()),
            },
            Json::String(text) => arguments.add(text.clone()),
            Json::Array(_) | Json::Object(_) => arguments.add(param.to_string()),
        }
        .map_err(sqlx::Error::Encode)?;
    }
    Ok(arguments)
}

/// `SQLITE_BUSY` and its extended codes (sqlite.org/rescode.html): the low byte is 5.
pub(super) fn is_busy(error: &sqlx::Error) -> bool {
    error
        .as_database_error()
        .and_then(sqlx::error::DatabaseError::code)
        .and_then(|code| code.parse::<u32>().ok())
        .is_some_and(|code| code & 0xff == 5)
}

pub(super) fn reason(error: &sqlx::Error) -> String {
    error.as_database_error().map_or_else(|| error.to_string(), |error| error.message().to_owned())
}
