//! Statements on real `SQLite` files, with others writing to them.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use runbook::drive::live::attempt::{Ended, stopper};
use runbook::drive::live::secret::Secrets;
use runbook::drive::live::sql::Statements;
use runbook::model::{AttemptEnd, Verdict};
use serde_json::{Value as Json, json};
use sqlx::sqlite::SqliteConnection;
use sqlx::{Connection as _, Executor as _, Row as _};

fn statements(folder: &Path, texts: &[&str], query: bool) -> Statements {
    Statements {
        url: "sqlite:x.db?mode=rwc".into(),
        password: None,
        texts: texts.iter().map(|text| (*text).to_owned()).collect(),
        query,
        params: vec![],
        expect: None,
        rows: None,
        bound: Duration::from_secs(20),
        folder: folder.into(),
        session: "test".into(),
    }
}

async fn perform(statements: Statements) -> Ended {
    statements.perform(Secrets::default(), stopper().1).await
}

async fn execute(folder: &Path, texts: &[&str]) -> Ended {
    perform(statements(folder, texts, false)).await
}

async fn query(folder: &Path, text: &str, params: &[Json]) -> Ended {
    perform(Statements { params: params.to_vec(), ..statements(folder, &[text], true) }).await
}

async fn connect(folder: &Path) -> SqliteConnection {
    let path = folder.join("x.db");
    SqliteConnection::connect(&format!("sqlite:{}", path.display())).await.unwrap()
}

/// A table `t` with the numbers 1 to 3.
async fn table() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let made = execute(folder.path(), &["create table t (a integer)", "insert into t values (1), (2), (3)"]).await;
    assert_eq!(made.end, AttemptEnd::Done, "{}", made.evidence);
    folder
}

async fn count(folder: &Path) -> Json {
    query(folder, "select count(*) as n from t", &[]).await.outputs.open["n"].clone()
}

#[tokio::test(flavor = "current_thread")]
async fn the_first_rows_columns_are_outputs_of_their_own_types() {
    let folder = table().await;
    let text =
        "select 7 as whole, 0.5 as decimal, 'x' as text, null as none, x'00ff' as bytes union all select 8,1,'y',1,1";
    let ended = query(folder.path(), text, &[]).await;
    assert_eq!(ended.end, AttemptEnd::Done, "{}", ended.evidence);
    assert!(ended.evidence.ends_with("2 rows"), "{}", ended.evidence);
    let wanted = json!({"whole": 7, "decimal": 0.5, "text": "x", "none": null, "bytes": "00ff"});
    assert_eq!(json!(ended.outputs.open), wanted);
}

#[tokio::test(flavor = "current_thread")]
async fn parameters_are_values_whatever_they_look_like() {
    let folder = table().await;
    let params = [json!("'; drop table t; --"), json!(3), json!(true), Json::Null, json!({"a": 1})];
    let text = "select ?1 as a, ?2 + 1 as b, ?3 as c, ?4 as d, ?5 as e";
    let ended = query(folder.path(), text, &params).await;
    let wanted = json!({"a": "'; drop table t; --", "b": 4, "c": 1, "d": null, "e": "{\"a\":1}"});
    assert_eq!(json!(ended.outputs.open), wanted, "{}", ended.evidence);
    assert_eq!(count(folder.path()).await, json!(3));
}

#[tokio::test(flavor = "current_thread")]
async fn a_change_that_is_not_as_wanted_is_taken_back() {
    let folder = table().await;
    let change =
        |rows| Statements { rows: Some(rows), ..statements(folder.path(), &["delete from t where a > 1"], false) };
    let ended = perform(change(1)).await;
    assert_eq!(ended.end, AttemptEnd::Failed);
    assert!(ended.evidence.contains("2 rows, wanted 1; taken back"), "{}", ended.evidence);
    assert_eq!(count(folder.path()).await, json!(3));
    assert_eq!(perform(change(2)).await.end, AttemptEnd::Done);
    assert_eq!(count(folder.path()).await, json!(1));
}

#[tokio::test(flavor = "current_thread")]
async fn expect_sees_the_first_row_and_the_number_of_rows() {
    let folder = table().await;
    let mut asked = statements(folder.path(), &["select a from t order by a desc"], true);
    asked.expect = Some(Arc::new(|locals| {
        assert_eq!((&locals["row"]["a"], &locals["rows"]), (&json!(3), &json!(3)));
        (Verdict::Fails, "row.a is 3".into())
    }));
    let ended = perform(asked).await;
    assert_eq!(ended.end, AttemptEnd::Failed);
    assert!(ended.evidence.contains("row.a is 3"), "{}", ended.evidence);
}

#[tokio::test(flavor = "current_thread")]
async fn a_list_that_fails_in_the_middle_is_unknown_and_at_its_beginning_failed() {
    let folder = table().await;
    let ended = execute(folder.path(), &["insert into t values (4)", "insert into nothing values (1)"]).await;
    assert_eq!(ended.end, AttemptEnd::Unknown);
    assert!(ended.evidence.contains("1 of 2 statements are in place"), "{}", ended.evidence);
    let ended = execute(folder.path(), &["insert into nothing values (1)", "insert into t values (4)"]).await;
    assert_eq!(ended.end, AttemptEnd::Failed, "{}", ended.evidence);
    assert_eq!(count(folder.path()).await, json!(4));
}

#[tokio::test(flavor = "current_thread")]
async fn what_cannot_stand_in_a_transaction_is_carried_out_by_itself() {
    let folder = table().await;
    let ended = execute(folder.path(), &["pragma journal_mode = wal", "vacuum", "insert into t values (4)"]).await;
    assert_eq!(ended.end, AttemptEnd::Done, "{}", ended.evidence);
}

#[tokio::test(flavor = "current_thread")]
async fn a_locked_database_is_waited_for() {
    let folder = table().await;
    let mut other = connect(folder.path()).await;
    other.execute("begin immediate").await.unwrap();
    let path = folder.path().to_owned();
    let waiting = tokio::spawn(async move { execute(&path, &["insert into t values (4)"]).await });
    // Longer than SQLite itself waits.
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(!waiting.is_finished());
    other.execute("commit").await.unwrap();
    let ended = waiting.await.unwrap();
    assert_eq!(ended.end, AttemptEnd::Done, "{}", ended.evidence);
}

#[tokio::test(flavor = "current_thread")]
async fn a_database_locked_for_the_whole_bound_is_failed_for_nothing_happened() {
    let folder = table().await;
    let mut other = connect(folder.path()).await;
    other.execute("begin immediate").await.unwrap();
    let mut insert = statements(folder.path(), &["insert into t values (4)"], false);
    insert.bound = Duration::from_millis(200);
    let ended = perform(insert).await;
    assert_eq!(ended.end, AttemptEnd::Failed, "{}", ended.evidence);
    assert!(ended.evidence.contains("locked"), "{}", ended.evidence);
}

/// Never ends by itself.
const ENDLESS: &str =
    "insert into t with recursive n(i) as (select 1 union all select i + 1 from n) select i from n where i < 0";

#[tokio::test(flavor = "current_thread")]
async fn what_runs_too_long_is_interrupted_and_taken_back() {
    let folder = table().await;
    let mut endless = statements(folder.path(), &[ENDLESS], false);
    endless.bound = Duration::from_millis(200);
    let ended = perform(endless).await;
    assert_eq!(ended.end, AttemptEnd::Unknown, "{}", ended.evidence);
    // Nobody holds the lock any more.
    let mut other = connect(folder.path()).await;
    other.execute("begin exclusive").await.unwrap();
    let row = other.fetch_one("select count(*) from t").await.unwrap();
    assert_eq!(row.get::<i64, _>(0), 3);
}

#[tokio::test(flavor = "current_thread")]
async fn a_stopped_statement_is_stopped() {
    let folder = table().await;
    let (stopper, stop) = stopper();
    let running = tokio::spawn(statements(folder.path(), &[ENDLESS], false).perform(Secrets::default(), stop));
    tokio::time::sleep(Duration::from_millis(100)).await;
    stopper.stop();
    let ended = running.await.unwrap();
    assert_eq!(ended.end, AttemptEnd::Stopped, "{}", ended.evidence);
    assert_eq!(count(folder.path()).await, json!(3));
}

#[tokio::test(flavor = "current_thread")]
async fn a_file_that_cannot_be_opened_is_failed() {
    let folder = tempfile::tempdir().unwrap();
    let mut missing = statements(folder.path(), &["select 1"], true);
    missing.url = "sqlite:no/such.db".into();
    assert_eq!(perform(missing.clone()).await.end, AttemptEnd::Failed);
    missing.url = "mysql://x".into();
    assert_eq!(perform(missing).await.end, AttemptEnd::Failed);
}

#[tokio::test(flavor = "current_thread")]
async fn a_column_that_contains_a_secret_is_not_kept() {
    let folder = table().await;
    let asked = statements(folder.path(), &["select 'swordfish' as s"], true);
    let ended = asked.perform(Secrets::new(&[json!("swordfish")]), stopper().1).await;
    assert_eq!(ended.end, AttemptEnd::Failed);
    assert!(!ended.evidence.contains("swordfish") && ended.outputs.open.is_empty(), "{}", ended.evidence);
}
