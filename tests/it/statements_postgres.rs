//! Statements on a real `PostgreSQL` server, and their sessions seen from another one.

use std::time::Duration;

use runbook::drive::live::attempt::{Ended, stopper};
use runbook::drive::live::secret::Secrets;
use runbook::drive::live::sql::Statements;
use runbook::model::AttemptEnd;
use serde_json::{Value as Json, json};
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Executor as _, Row as _};

use crate::support::postgres::Server;

/// `name` tells the test's sessions from those of others.
fn statements(server: &Server, name: &str, texts: &[&str], query: bool) -> Statements {
    Statements {
        url: server.url("tester"),
        password: None,
        texts: texts.iter().map(|text| (*text).to_owned()).collect(),
        query,
        params: vec![],
        expect: None,
        rows: None,
        bound: Duration::from_secs(30),
        folder: std::env::temp_dir(),
        session: name.into(),
    }
}

async fn perform(statements: Statements) -> Ended {
    statements.perform(Secrets::default(), stopper().1).await
}

async fn number(connection: &mut PgConnection, text: String) -> i64 {
    connection.fetch_one(AssertSqlSafe(text)).await.unwrap().get(0)
}

async fn sessions(connection: &mut PgConnection, name: &str) -> i64 {
    number(connection, format!("select count(*) from pg_stat_activity where application_name = '{name}'")).await
}

/// Waits until the session is in the middle of its statement.
async fn until_active(connection: &mut PgConnection, name: &str) {
    let text = format!(
        "select count(*) from pg_stat_activity where application_name = '{name}' and state = 'active' and wait_event = 'PgSleep'"
    );
    while number(connection, text.clone()).await == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "current_thread")]
async fn the_first_rows_columns_are_outputs_of_their_own_types() {
    let server = Server::shared();
    let text = "select 7::int2 as small, 7 as whole, 7::int8 as large, 0.5::float8 as decimal, 0.1::float4 as single,
        12.5::numeric as exact, 1e30::numeric + 1 as huge, true as truth, 'x' as text, null::int as none,
        '{\"a\": [1]}'::jsonb as doc, '2026-01-02 03:04:05.5+00'::timestamptz as moment, '2026-01-02'::date as day,
        '16/B374D848'::pg_lsn as place, '00000000-0000-0000-0000-00000000000a'::uuid as id, 'NaN'::float8 as nan,
        count(*) as n from generate_series(1, 3)";
    let ended = perform(statements(&server, "types", &[text], true)).await;
    assert_eq!(ended.end, AttemptEnd::Done, "{}", ended.evidence);
    let wanted = json!({
        "small": 7, "whole": 7, "large": 7, "decimal": 0.5, "single": 0.1, "exact": 12.5,
        "huge": "1000000000000000000000000000001", "truth": true, "text": "x", "none": null, "doc": {"a": [1]},
        "moment": "2026-01-02T03:04:05.5Z", "day": "2026-01-02", "place": "16/B374D848",
        "id": "00000000-0000-0000-0000-00000000000a", "nan": "NaN", "n": 3,
    });
    assert_eq!(json!(ended.outputs.open), wanted);

    let unread = perform(statements(&server, "types", &["select interval '1 day' as i"], true)).await;
    assert_eq!(unread.end, AttemptEnd::Failed);
    assert!(unread.evidence.contains("cast it"), "{}", unread.evidence);
}

#[tokio::test(flavor = "current_thread")]
async fn parameters_are_bound_as_what_they_are() {
    let server = Server::shared();
    let mut asked = statements(
        &server,
        "params",
        &["select $1::text as a, $2 + 1 as b, $3::bool as c, coalesce($4, 5) as d, $5::jsonb as e, $6::float8 as f,
           '2026-01-02'::timestamptz > $7::text::timestamptz as g"],
        true,
    );
    asked.params = vec![
        json!("'; drop table t; --"),
        json!(3),
        json!(true),
        Json::Null,
        json!({"a": 1}),
        json!(2),
        json!("2025-01-01"),
    ];
    let ended = perform(asked).await;
    let wanted = json!({"a": "'; drop table t; --", "b": 4, "c": true, "d": 5, "e": {"a": 1}, "f": 2.0, "g": true});
    assert_eq!(json!(ended.outputs.open), wanted, "{}", ended.evidence);
}

#[tokio::test(flavor = "current_thread")]
async fn a_change_that_is_not_as_wanted_is_taken_back() {
    let server = Server::shared();
    let made =
        perform(statements(&server, "back", &["create table back (a int)", "insert into back values (1), (2)"], false));
    assert_eq!(made.await.end, AttemptEnd::Done);
    let delete = Statements { rows: Some(1), ..statements(&server, "back", &["delete from back"], false) };
    let ended = perform(delete).await;
    assert_eq!(ended.end, AttemptEnd::Failed);
    assert!(ended.evidence.contains("2 rows, wanted 1; taken back"), "{}", ended.evidence);
    assert_eq!(number(&mut server.connect().await, "select count(*) from back".into()).await, 2);
}

#[tokio::test(flavor = "current_thread")]
async fn a_list_that_fails_in_the_middle_is_unknown_and_at_its_beginning_failed() {
    let server = Server::shared();
    let list = statements(&server, "list", &["create table list (a int)", "insert into nothing values (1)"], false);
    let ended = perform(list).await;
    assert_eq!(ended.end, AttemptEnd::Unknown);
    assert!(ended.evidence.contains("1 of 2 statements are in place"), "{}", ended.evidence);
    assert!(ended.evidence.contains("42P01"), "{}", ended.evidence);
    let ended = perform(statements(&server, "list", &["insert into nothing values (1)", "vacuum"], false)).await;
    assert_eq!(ended.end, AttemptEnd::Failed, "{}", ended.evidence);
    // Each in a transaction of its own: these cannot stand in one.
    let ended = perform(statements(&server, "list", &["vacuum list", "create database list"], false)).await;
    assert_eq!(ended.end, AttemptEnd::Done, "{}", ended.evidence);
}

#[tokio::test(flavor = "current_thread")]
async fn without_a_connection_nothing_was_sent_and_it_is_failed() {
    let server = Server::shared();
    let mut nowhere = statements(&server, "nowhere", &["select 1"], true);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    nowhere.url = format!("postgres://x@{}/x", listener.local_addr().unwrap());
    nowhere.bound = Duration::from_millis(200);
    assert_eq!(perform(nowhere.clone()).await.end, AttemptEnd::Failed, "a server that never answers");
    drop(listener);
    assert_eq!(perform(nowhere).await.end, AttemptEnd::Failed, "nobody listens");

    let mut guarded = statements(&server, "guarded", &["select current_user::text as me"], true);
    guarded.url = server.url("guarded");
    guarded.password = Some("wrong".into());
    assert_eq!(perform(guarded.clone()).await.end, AttemptEnd::Failed);
    guarded.password = Some(Server::PASSWORD.into());
    assert_eq!(perform(guarded).await.outputs.open["me"], json!("guarded"));
}

#[tokio::test(flavor = "current_thread")]
async fn a_late_statement_is_gone_from_the_server_before_unknown_is_reported() {
    let server = Server::shared();
    let mut other = server.connect().await;
    let mut late = statements(
        &server,
        "late",
        &["create table late (a int)", "insert into late select 1 from pg_sleep(600)"],
        false,
    );
    late.bound = Duration::from_millis(500);
    let ended = perform(late).await;
    assert_eq!(sessions(&mut other, "late").await, 0);
    assert_eq!(ended.end, AttemptEnd::Unknown, "{}", ended.evidence);
    assert!(ended.evidence.contains("gone from the server"), "{}", ended.evidence);
    assert_eq!(number(&mut other, "select count(*) from late".into()).await, 0);
}

#[tokio::test(flavor = "current_thread")]
async fn a_stopped_statement_is_gone_from_the_server_before_the_stop_is_reported() {
    let server = Server::shared();
    let mut other = server.connect().await;
    let (stopper, stop) = stopper();
    let running = statements(&server, "stopped", &["select pg_sleep(600)", "create table never_made (a int)"], false);
    let running = tokio::spawn(running.perform(Secrets::default(), stop));
    until_active(&mut other, "stopped").await;
    stopper.stop();
    let ended = running.await.unwrap();
    assert_eq!(sessions(&mut other, "stopped").await, 0);
    assert_eq!(ended.end, AttemptEnd::Stopped, "{}", ended.evidence);
    assert_eq!(number(&mut other, "select count(*) from pg_class where relname = 'never_made'".into()).await, 0);
}

#[tokio::test(flavor = "current_thread")]
async fn a_session_that_does_not_heed_a_cancel_is_ended() {
    let server = Server::shared();
    let mut other = server.connect().await;
    // It catches the cancellation and goes on.
    let stubborn =
        "do $$ begin loop begin perform pg_sleep(600); exception when query_canceled then null; end; end loop; end $$";
    let (stopper, stop) = stopper();
    let running = statements(&server, "stubborn", &[stubborn], false);
    let running = tokio::spawn(running.perform(Secrets::default(), stop));
    until_active(&mut other, "stubborn").await;
    stopper.stop();
    let ended = running.await.unwrap();
    assert_eq!(sessions(&mut other, "stubborn").await, 0);
    assert_eq!(ended.end, AttemptEnd::Stopped, "{}", ended.evidence);
}

#[tokio::test(flavor = "current_thread")]
async fn a_session_that_others_end_leaves_the_effect_unknown() {
    let server = Server::shared();
    let mut other = server.connect().await;
    let running = tokio::spawn(perform(statements(&server, "killed", &["select pg_sleep(600)"], true)));
    until_active(&mut other, "killed").await;
    let kill = "select count(pg_terminate_backend(pid)) from pg_stat_activity where application_name = 'killed'";
    assert_eq!(number(&mut other, kill.into()).await, 1);
    let ended = running.await.unwrap();
    assert_eq!(ended.end, AttemptEnd::Unknown, "{}", ended.evidence);
}

#[tokio::test(flavor = "current_thread")]
async fn a_lock_that_is_never_free_ends_with_the_bound() {
    let server = Server::shared();
    let mut other = server.connect().await;
    other.execute("create table locked (a int)").await.unwrap();
    other.execute("begin").await.unwrap();
    other.execute("lock table locked").await.unwrap();
    let mut waits = statements(&server, "waits", &["insert into locked values (1)"], false);
    waits.bound = Duration::from_millis(300);
    let ended = perform(waits).await;
    // The server's limit on waiting for locks, which takes the statement back, or its limit on statements.
    assert!(matches!(ended.end, AttemptEnd::Unknown | AttemptEnd::Failed), "{}", ended.evidence);
    let waiting = "select count(*) from pg_stat_activity where application_name = 'waits' and state = 'active'";
    assert_eq!(number(&mut other, waiting.into()).await, 0);
}
