//! The runbook that `docs/format.md` shows for a comparison, carried out.

use std::fs;
use std::path::Path;

use assert_cmd::Command;
use sqlx::{Connection as _, Executor as _, SqliteConnection};

fn shown() -> String {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/format.md")).expect("it is text");
    let block = page.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next());
    let mut compare = block.filter(|block| block.contains("name    = \"compare\""));
    compare.next().expect("the page shows it").to_owned()
}

/// What it says where the new version takes so many milliseconds more than the old one.
fn compared(slower: u32, within: &str) -> (bool, String) {
    told(slower, within, &["exec", "compare.toml"])
}

fn told(slower: u32, within: &str, words: &[&str]) -> (bool, String) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let url = format!("sqlite:{}?mode=rwc", folder.path().join("took.sqlite").display());
        let mut connection = SqliteConnection::connect(&url).await.expect("it can be made");
        let rows = format!(
            "create table took (version text, ms int);
             with recursive n(i) as (select 0 union all select i + 1 from n where i < 99)
             insert into took select 'old', i % 20 from n union all select 'new', i % 20 + {slower} from n"
        );
        connection.execute(sqlx::raw_sql(sqlx::AssertSqlSafe(rows))).await.expect("rows can be put in");
    });
    fs::write(folder.path().join("compare.toml"), shown().replace("1m", within)).expect("it can be written");
    let exec = Command::cargo_bin("runbook")
        .expect("it is built")
        .args(words)
        .env("RUNBOOK_STATE_DIR", folder.path().join("state"))
        .current_dir(folder.path())
        .output()
        .expect("it runs");
    let said = String::from_utf8_lossy(&exec.stdout).into_owned() + &String::from_utf8_lossy(&exec.stderr);
    (exec.status.success(), said)
}

#[test]
fn versions_that_are_equally_fast_pass() {
    let (passed, said) = compared(0, "1m");
    assert!(passed, "{said}");
}

#[test]
fn a_slower_version_is_high_and_the_story_says_by_how_much() {
    let (passed, said) = compared(100, "8s");
    assert!(!passed, "{said}");
    for part in ["judge(series.new, series.old) = \"high\"", " points against ", "larger in 100% of pairs"] {
        assert!(said.contains(part), "{part}: {said}");
    }
}

#[test]
fn a_dry_run_does_not_judge_a_history_by_one_sample() {
    let (_, said) = told(0, "1m", &["exec", "--dry-run", "compare.toml"]);
    let words = said.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("`series.new.p(90, '2s') < 500` cannot be judged by one sample before the start"), "{said}");
}
