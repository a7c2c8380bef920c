//! `PostgreSQL`: the bound is also the server's own, and a session that is cut off is cancelled, ended and awaited before the
//! end is reported, so that a *no* of a later `done_when` can be believed (R5).

use std::str::FromStr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::TryStreamExt as _;
use serde_json::Value as Json;
use sqlx::postgres::{PgArguments, PgConnectOptions, PgConnection, PgQueryResult, PgRow, PgTypeInfo};
use sqlx::{Arguments as _, AssertSqlSafe, Connection as _, Either, Executor as _, SqlSafeStr as _};
use sqlx::{Postgres, Row as _, Statement as _, TypeInfo as _};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::super::attempt::{Cut, Stop};
use super::super::secret::Secrets;
use super::{Answer, Said, Statements, changes, cut, value};
use crate::model::Span;

/// Our own clock runs that much behind the server's, so that as a rule the server ends a statement that is late.
const BEHIND: Duration = Duration::from_millis(100);
/// So long a cancelled statement may take to end before its session is ended.
const CANCEL: Duration = Duration::from_secs(1);
/// So long we try to see a session gone.
const GONE: Duration = Duration::from_secs(10);

/// The address and the password of a session.
pub(super) fn options(url: &str, password: Option<&str>, session: &str) -> Result<PgConnectOptions, sqlx::Error> {
    let options = PgConnectOptions::from_str(url)?;
    let options = options.application_name(session);
    Ok(match password {
        Some(password) => options.password(password),
        None => options,
    })
}

/// A session on its server. Process ids are used again, so that the start belongs to the name.
struct Backend {
    pid: i32,
    start: Option<f64>,
}

/// Why the statements ended early.
enum Wrong {
    /// The server said no, or the connection failed.
    Said(sqlx::Error),
    /// What it said will not do.
    Unfit(String),
    /// We were cut off between two statements.
    Cut,
}

/// Carries the statements out and waits until the session is gone.
pub(super) async fn perform(sql: &Statements, secrets: &Secrets, deadline: Instant, mut stop: Stop) -> Said {
    let options = match options(&sql.url, sql.password.as_deref(), &sql.session) {
        Ok(options) => options,
        Err(error) => return Said::NotSent(reason(&error)),
    };
    // Our sessions that deal with this one are not to be taken for it.
    let beside = options.clone().application_name(&format!("{} (ending)", sql.session));
    let (mut connection, backend) = tokio::select! {
        biased;
        opened = open(&options, deadline) => match opened {
            Ok(opened) => opened,
            Err(why) => return Said::NotSent(why),
        },
        () = stop.ordered() => return Said::Cut(Cut::Stopped, "stopped before anything was sent".to_owned()),
    };
    let over = AtomicBool::new(false);
    let mut in_place = 0;
    let (ended, was_cut) = {
        let mut work = Box::pin(carry_out(&mut connection, (sql, secrets), deadline, &over, &mut in_place));
        tokio::select! {
            biased;
            ended = &mut work => (Some(ended), None),
            why = cut(deadline + BEHIND, &mut stop) => {
                over.store(true, Ordering::Relaxed);
                let cancelling = cancel(&beside, &backend);
                let (ended, ()) = tokio::join!(timeout(CANCEL, &mut work), cancelling);
                (ended.ok(), Some(why))
            }
        }
    };
    let settled = |why: String| format!("{why}, {in_place} of {} in place", sql.texts.len());
    match (ended, was_cut) {
        (Some(Ok(answer)), _) => {
            let _closed = timeout(CANCEL, connection.close()).await;
            Said::Rows(answer)
        }
        (Some(Err(Wrong::Unfit(why))), _) => {
            let _closed = timeout(CANCEL, connection.close()).await;
            Said::Refused { why, in_place }
        }
        (Some(Err(Wrong::Said(error))), None) if !is_lost(&error) && !is_cancelled(&error) => {
            let _closed = timeout(CANCEL, connection.close()).await;
            Said::Refused { why: reason(&error), in_place }
        }
        (ended, was_cut) => {
            let lost = match &ended {
                Some(Err(Wrong::Said(error))) if is_lost(error) => Some(reason(error)),
                _ => None,
            };
            drop(connection);
            let gone = gone(&beside, &backend, deadline).await;
            match (was_cut, lost) {
                (None, Some(lost)) => Said::Lost(settled(format!("connection lost: {lost}{gone}"))),
                (why, _) => {
                    let why = why.unwrap_or(Cut::Late);
                    Said::Cut(why, settled(format!("{}, cancelled{gone}", why.words(sql.bound))))
                }
            }
        }
    }
}

/// Connects, and asks the server who we are to it. Nothing of the runbook's has been sent yet.
async fn open(options: &PgConnectOptions, deadline: Instant) -> Result<(PgConnection, Backend), String> {
    let opening = async {
        let mut connection = PgConnection::connect_with(options).await?;
        let row = sqlx::query(
            "select pid, extract(epoch from backend_start)::float8 from pg_stat_activity where pid = pg_backend_pid()",
        )
        .persistent(false)
        .fetch_one(&mut connection)
        .await?;
        let backend = Backend { pid: row.try_get(0)?, start: row.try_get(1)? };
        Ok::<_, sqlx::Error>((connection, backend))
    };
    match timeout_at(deadline, opening).await {
        Ok(Ok(opened)) => Ok(opened),
        Ok(Err(error)) => Err(format!("no connection: {}", reason(&error))),
        Err(_) => Err("no connection within the bound".to_owned()),
    }
}

/// Makes the time that is left the server's own bound too.
pub(super) async fn limit(connection: &mut PgConnection, left: Duration) -> Result<(), sqlx::Error> {
    let millis = left.as_millis().max(1).to_string();
    sqlx::query("select set_config('statement_timeout', $1, false), set_config('lock_timeout', $1, false)")
        .bind(millis)
        .persistent(false)
        .execute(connection)
        .await
        .map(drop)
}

async fn carry_out(
    connection: &mut PgConnection,
    (sql, secrets): (&Statements, &Secrets),
    deadline: Instant,
    over: &AtomicBool,
    in_place: &mut usize,
) -> Result<Answer, Wrong> {
    let mut all = Answer::default();
    for text in &sql.texts {
        limit(connection, deadline.saturating_duration_since(Instant::now())).await.map_err(Wrong::Said)?;
        if over.load(Ordering::Relaxed) {
            return Err(Wrong::Cut);
        }
        let judged = sql.judged_before_commit(text);
        if judged {
            connection.execute("begin").await.map_err(Wrong::Said)?;
        }
        let answer =
            once(connection, text, &sql.params, sql.query).await.map_err(Wrong::Said)?.map_err(Wrong::Unfit)?;
        all.rows += answer.rows;
        all.row = all.row.or(answer.row);
        if judged {
            if let Some(why) = sql.unfit(&all, secrets) {
                connection.execute("rollback").await.map_err(Wrong::Said)?;
                return Err(Wrong::Unfit(format!("{why}; taken back")));
            }
            connection.execute("commit").await.map_err(Wrong::Said)?;
        }
        *in_place += usize::from(changes(text));
    }
    match sql.unfit(&all, secrets) {
        Some(why) => Err(Wrong::Unfit(why)),
        None => Ok(all),
    }
}

/// One statement. The inner error: a value that cannot be read.
async fn once(
    connection: &mut PgConnection,
    text: &str,
    params: &[Json],
    query: bool,
) -> Result<Result<Answer, String>, sqlx::Error> {
    let mut row = None;
    let (returned, affected) = rows(connection, text, params, |first| row = Some(value::of_postgres(first))).await?;
    let rows = if query { returned } else { affected };
    Ok(row.filter(|_| query).transpose().map(|row| Answer { row, rows }))
}

/// The first column of the first row, for probes.
pub(super) async fn first(
    connection: &mut PgConnection,
    text: &str,
    params: &[Json],
) -> Result<Result<Option<Json>, String>, sqlx::Error> {
    let mut column = None;
    rows(connection, text, params, |row| column = Some(value::postgres_at(row, 0))).await?;
    Ok(column.transpose())
}

/// Sends one statement, shows the first row to `look`, and counts the rows returned and affected.
async fn rows(
    connection: &mut PgConnection,
    text: &str,
    params: &[Json],
    mut look: impl FnMut(&PgRow),
) -> Result<(u64, u64), sqlx::Error> {
    let sent = AssertSqlSafe(text.to_owned()).into_sql_str();
    let arguments = if params.is_empty() {
        PgArguments::default()
    } else {
        let described = (&mut *connection).prepare(sent.clone()).await?;
        let wanted = match described.parameters() {
            Some(Either::Left(kinds)) => kinds.to_vec(),
            Some(Either::Right(_)) | None => Vec::new(),
        };
        bind(params, &wanted)?
    };
    let mut items = (&mut *connection).fetch_many(sqlx::query_with(sent, arguments));
    let (mut returned, mut affected) = (0, 0);
    while let Some(item) = items.try_next().await? {
        let item: Either<PgQueryResult, PgRow> = item;
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

/// Binds as many as the statement has, each as what it is; a number as the kind of number that is wanted.
fn bind(params: &[Json], wanted: &[PgTypeInfo]) -> Result<PgArguments, sqlx::Error> {
    let mut arguments = PgArguments::default();
    for (param, kind) in params.iter().zip(wanted) {
        match (param, kind.name()) {
            (Json::Null, _) => arguments.add(Unsaid),
            (_, "JSON" | "JSONB") => arguments.add(Document(param.to_string(), kind.clone())),
            (Json::Bool(truth), _) => arguments.add(*truth),
            (Json::Number(number), "TEXT" | "VARCHAR" | "NAME" | "CHAR") => arguments.add(number.to_string()),
            (Json::Number(number), "FLOAT4" | "FLOAT8") => arguments.add(number.as_f64()),
            (Json::Number(number), kind) => match (number.as_i64(), kind) {
                (Some(whole), "INT2" | "INT4") if i32::try_from(whole).is_ok() => {
                    arguments.add(i32::try_from(whole).expect("looked at above"))
                }
                (Some(whole), _) => arguments.add(whole),
                (None, _) => arguments.add(number.as_f64()),
            },
            (Json::String(text), _) => arguments.add(text.clone()),
            (Json::Array(_) | Json::Object(_), _) => arguments.add(param.to_string()),
        }
        .map_err(sqlx::Error::Encode)?;
    }
    Ok(arguments)
}

/// A null of whatever type the statement wants.
struct Unsaid;

impl sqlx::Type<Postgres> for Unsaid {
    fn type_info() -> PgTypeInfo {
        // `unknown` in `pg_type`: the server takes the type from the statement.
        PgTypeInfo::with_oid(sqlx::postgres::types::Oid(705))
    }
}

impl sqlx::Encode<'_, Postgres> for Unsaid {
    fn encode_by_ref(
        &self,
        _: &mut sqlx::postgres::PgArgumentBuffer,
    ) -> Result<sqlx::encode::IsNull, sqlx::error::BoxDynError> {
        Ok(sqlx::encode::IsNull::Yes)
    }
}

/// JSON, sent as the `json` or `jsonb` that the statement wants.
struct Document(String, PgTypeInfo);

impl sqlx::Type<Postgres> for Document {
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::with_name("jsonb")
    }
}

impl sqlx::Encode<'_, Postgres> for Document {
    fn produces(&self) -> Option<PgTypeInfo> {
        Some(self.1.clone())
    }

    fn encode_by_ref(
        &self,
        buffer: &mut sqlx::postgres::PgArgumentBuffer,
    ) -> Result<sqlx::encode::IsNull, sqlx::error::BoxDynError> {
        if self.1.name() == "JSONB" {
            // The version of the binary format (`jsonb_recv`).
            buffer.extend_from_slice(&[1]);
        }
        buffer.extend_from_slice(self.0.as_bytes());
        Ok(sqlx::encode::IsNull::No)
    }
}

/// Cancels what a session is doing, over a connection of its own. Where that cannot be had, the server's bound remains.
async fn cancel(options: &PgConnectOptions, backend: &Backend) {
    let cancelling = async {
        let mut connection = PgConnection::connect_with(options).await?;
        order(&mut connection, backend, "select pg_cancel_backend(pid) from pg_stat_activity where pid = $1 and extract(epoch from backend_start)::float8 is not distinct from $2").await?;
        connection.close().await
    };
    let _tried: Result<Result<(), sqlx::Error>, _> = timeout(GONE, cancelling).await;
}

/// Sends an order about a session and says whether the session was there.
async fn order(connection: &mut PgConnection, backend: &Backend, text: &'static str) -> Result<bool, sqlx::Error> {
    let there =
        sqlx::query(text).bind(backend.pid).bind(backend.start).persistent(false).fetch_optional(connection).await?;
    Ok(there.is_some())
}

/// Ends a session and waits until the server has it no more; where the server cannot be asked, until its own bound has
/// passed. What could not be seen is said, as the end of a sentence.
async fn gone(options: &PgConnectOptions, backend: &Backend, deadline: Instant) -> String {
    let give_up = Instant::now().max(deadline) + GONE;
    let mut pause = Duration::from_millis(10);
    let mut asked: Option<PgConnection> = None;
    loop {
        let seen = async {
            let mut connection = match asked.take() {
                Some(connection) => connection,
                None => PgConnection::connect_with(options).await?,
            };
            let there = order(&mut connection, backend, "select pg_terminate_backend(pid) from pg_stat_activity where pid = $1 and extract(epoch from backend_start)::float8 is not distinct from $2").await?;
            asked = Some(connection);
            Ok::<_, sqlx::Error>(there)
        };
        if let Ok(Ok(false)) = timeout_at(give_up, seen).await {
            if let Some(connection) = asked {
                let _closed = timeout(CANCEL, connection.close()).await;
            }
            return " and gone from the server".to_owned();
        }
        if Instant::now() >= give_up {
            let waited = Span::from(GONE);
            return format!(", not seen gone (server process {}) within {waited} after its bound", backend.pid);
        }
        sleep(pause).await;
        pause = (pause * 2).min(Duration::from_millis(500));
    }
}

/// `query_canceled`: by the server's bound, or by us.
fn is_cancelled(error: &sqlx::Error) -> bool {
    error.as_database_error().and_then(sqlx::error::DatabaseError::code).is_some_and(|code| code == "57014")
}

/// Whether the connection is lost: the statement may have been carried out. Class 08 and `57P0x` of the server's codes
/// (`PostgreSQL`, appendix A) say so too.
fn is_lost(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Database(error) => {
            error.code().is_some_and(|code| code.starts_with("08") || code.starts_with("57P0"))
        }
        sqlx::Error::Encode(_) | sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => false,
        _ => true,
    }
}

/// What the server says, with its code.
pub(super) fn reason(error: &sqlx::Error) -> String {
    match error.as_database_error() {
        Some(said) => {
            said.code().map_or_else(|| said.message().to_owned(), |code| format!("{} ({code})", said.message()))
        }
        None => error.to_string(),
    }
}
