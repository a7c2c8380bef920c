//! The runbooks of `docs/measuring.md`, carried out.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use assert_cmd::Command;
use sqlx::{Connection as _, Executor as _, SqliteConnection};

use super::docs::{blocks, page};
use super::support::prometheus::Prometheus;
use super::support::web;

/// The runbook of that name, on the page.
fn shown(name: &str) -> String {
    let page = page("docs/measuring.md");
    let named =
        |block: &&str| block.lines().any(|line| line.starts_with("name ") && line.ends_with(&format!("\"{name}\"")));
    blocks(&page, "toml").find(named).expect("the page shows it").to_owned()
}

/// Whether it succeeds in that folder, and all that it says.
fn carried_out(name: &str, folder: &Path, env: &[(&str, &str)]) -> (bool, String) {
    fs::write(folder.join("runbook.toml"), shown(name)).expect("it can be written");
    let exec = Command::cargo_bin("runbook")
        .expect("it is built")
        .args(["exec", "runbook.toml", "--output", "json"])
        .envs(env.iter().copied())
        .env("RUNBOOK_STATE_DIR", folder.join("state"))
        .current_dir(folder)
        .output()
        .expect("it runs");
    let said = String::from_utf8_lossy(&exec.stdout).into_owned() + &String::from_utf8_lossy(&exec.stderr);
    (exec.status.success(), said)
}

/// What the page asks for by POST, as it is sent.
const REFUSED: &str = r#"{"query":{"term":{"region":"eu","state":"refused"}}}"#;

/// What `look_around` looks at; gives the address of its door.
fn service_in(folder: &Path) -> String {
    fs::create_dir(folder.join("spool")).expect("it can be made");
    for job in ["a", "b", "c"] {
        fs::write(folder.join("spool").join(job), "").expect("it can be written");
    }
    fs::write(folder.join("release"), "v2\n").expect("it can be written");
    fs::write(folder.join("limits.json"), "{ \"orders\": 100 }").expect("it can be written");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let url = format!("sqlite:{}?mode=rwc", folder.join("orders.sqlite").display());
        let mut connection = SqliteConnection::connect(&url).await.expect("it can be made");
        let rows = "create table orders (region text); insert into orders values ('eu'), ('eu'), ('us')";
        connection.execute(sqlx::raw_sql(rows)).await.expect("rows can be put in");
    });
    let served = AtomicU64::new(0);
    web::serve(move |asked, open| {
        let served = served.fetch_add(1, Ordering::Relaxed).to_string();
        let knows = asked.headers.iter().any(|header| header.eq_ignore_ascii_case("authorization: Bearer secret"));
        match asked.line.split(' ').nth(1) {
            Some("/health") if !knows => open.answer(401, "", "{}"),
            Some("/health") => open.answer(200, "", "{ \"ok\": true }"),
            Some("/version") => open.answer(200, "", "shop, build 1234 of May"),
            Some("/orders/_count") if asked.body == REFUSED => open.answer(200, "", "{ \"count\": 3 }"),
            Some("/graphql") if asked.line.starts_with("POST") && asked.body == "{ orders(state: OPEN) { total } }" => {
                open.answer(200, "", "{ \"data\": { \"orders\": { \"total\": 12 } } }");
            }
            Some("/served") => open.answer(200, "", &served),
            _ => open.answer(200, "", "hello"),
        }
    })
}

#[test]
fn every_way_to_measure_on_the_page_gives_what_the_page_says() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let app = service_in(folder.path());
    let prometheus = Prometheus::start();
    let env = [
        ("APP_URL", app.as_str()),
        ("APP_DOOR", app.trim_start_matches("http://")),
        ("PROMETHEUS_URL", &prometheus.url()),
        ("APP_TOKEN", "secret"),
    ];
    let (succeeded, said) = carried_out("look_around", folder.path(), &env);
    assert!(succeeded, "{said}");
}

/// A folder for `move_readers` in which nothing has been moved.
fn demo() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for name in ["weight", "errors", "queue", "copied", "failed", "served"] {
        fs::write(folder.path().join(name), "0").expect("it can be written");
    }
    folder
}

fn is_told(said: &str, event: &str) -> usize {
    said.matches(&format!("\"event\":\"{event}\"")).count()
}

#[test]
fn what_the_page_watches_and_steers_goes_through_where_all_is_well() {
    let folder = demo();
    let (succeeded, said) =
        carried_out("move_readers", folder.path(), &[("DEMO_DIR", &folder.path().display().to_string())]);
    assert!(succeeded, "{said}");
    assert_eq!((is_told(&said, "baseline.taken"), is_told(&said, "ramp.confirmed")), (1, 3), "{said}");
    assert_eq!(fs::read_to_string(folder.path().join("weight")).expect("readable").trim(), "100");
}

#[test]
fn a_baseline_that_is_not_healthy_ends_the_phase_before_its_first_step() {
    let folder = demo();
    fs::write(folder.path().join("errors"), "9").expect("it can be written");
    let (succeeded, said) =
        carried_out("move_readers", folder.path(), &[("DEMO_DIR", &folder.path().display().to_string())]);
    assert!(!succeeded && is_told(&said, "ramp.setting") == 0, "{said}");
    assert!(said.contains("baseline.errors.p99 = 9 (must be < 5)"), "{said}");
}

#[test]
fn a_budget_that_is_spent_takes_back_what_its_phase_did_and_no_more() {
    let folder = demo();
    let runbook = folder.path().join("weight");
    let spender = std::thread::spawn({
        let (weight, failed) = (runbook, folder.path().join("failed"));
        move || {
            let patience = std::time::Instant::now();
            // Somebody is moved; requests of theirs fail.
            while fs::read_to_string(&weight).is_ok_and(|weight| weight.trim() != "1")
                && patience.elapsed().as_secs() < 60
            {
                std::thread::sleep(std::time::Duration::from_millis(20));
            }
            fs::write(failed, "201").expect("it can be written");
        }
    });
    let (succeeded, said) =
        carried_out("move_readers", folder.path(), &[("DEMO_DIR", &folder.path().display().to_string())]);
    spender.join().expect("it ends");
    assert!(!succeeded && said.contains("201 of 200 spent"), "{said}");
    assert_eq!(fs::read_to_string(folder.path().join("weight")).expect("readable").trim(), "0");
    assert_eq!(fs::read_to_string(folder.path().join("copied")).expect("readable").trim(), "5");
}
