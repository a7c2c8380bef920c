//! The way back of a run that has ended (R24): how long it stays open, and what it says when it is asked.

use std::fs;

use serde_json::Value as Json;

use super::cli::Bench;

/// A step whose undo wants a file to be there.
const WANTS: &str = "[probe.back]\nrun = [\"test\", \"-e\", \"back\"]\nbool = \"exit\"\ninterval = \"100ms\"\n\
                     [step.make]\nrun = \"touch made\"\n\
                     undo = { run = \"rm -f made\", timeout = \"10s\", require = [\"probe.back\"] }\n";

/// And one whose undo wants nothing.
const PLAIN: &str =
    "[step.note]\nneeds = [\"make\"]\nrun = \"touch note\"\nundo = { run = \"rm -f note\", timeout = \"10s\" }\n";

fn keep_open(bench: &Bench, window: &str) {
    let text = fs::read_to_string(bench.path("verbs.toml")).expect("readable");
    let key = format!("[runbook]\nrollback_window = \"{window}\"\n");
    fs::write(bench.path("verbs.toml"), text.replace("[runbook]\n", &key)).expect("written");
}

fn status(bench: &Bench, flags: &[&str]) -> Json {
    let words: Vec<&str> = ["status", "--json"].iter().chain(flags).copied().collect();
    serde_json::from_str(&bench.does(&words, 0).0).expect("an object")
}

#[test]
fn status_counts_the_rollback_window_of_a_succeeded_run_down() {
    let bench = Bench::new(PLAIN.replace("needs = [\"make\"]\n", "").as_str());
    keep_open(&bench, "48h");
    bench.does(&["exec", "verbs.toml"], 0);
    let said = bench.does(&["status"], 0).0;
    assert!(said.contains("way back: open for 47h 59m more, 1 undo"), "{said}");
    assert!(said.lines().any(|line| line.starts_with("  closes:   20") && line.ends_with(" UTC")), "{said}");
    let first = status(&bench, &[]);
    let left = |status: &Json| status["way_back_left_ms"].as_u64().expect("a number");
    assert!(left(&first) <= 48 * 3_600_000 && left(&first) > 47 * 3_600_000, "{first}");
    assert!(left(&status(&bench, &[])) < left(&first), "it stands still");
    assert_eq!(first["way_back_closed"], false);
    assert!(first["way_back_closes"].is_string(), "{first}");
    // How long it took does not grow.
    assert_eq!(status(&bench, &[])["took_ms"], first["took_ms"]);
}

#[test]
fn a_rollback_window_that_has_passed_is_told_as_a_way_back_that_is_gone() {
    let bench = Bench::new(PLAIN.replace("needs = [\"make\"]\n", "").as_str());
    keep_open(&bench, "1ms");
    bench.does(&["exec", "verbs.toml"], 0);
    let said = bench.does(&["status"], 0).0;
    assert!(said.contains("GONE, its rollback window closed") && !said.contains("closes:"), "{said}");
    let status = status(&bench, &[]);
    assert_eq!((&status["way_back_closed"], &status["way_back_left_ms"]), (&true.into(), &Json::Null));
    assert!(bench.does(&["status", "--measure"], 3).1.contains("closed"));
}

#[test]
fn the_way_back_of_a_stopped_run_closes_only_when_a_later_one_begins() {
    let stop = "[step.fails]\nneeds = [\"note\"]\nrun = \"exit 1\"\neffect = \"none\"\non_failure = \"stop\"\n";
    let bench = Bench::new(&format!("{}{stop}", PLAIN.replace("needs = [\"make\"]\n", "")));
    bench.does(&["exec", "verbs.toml"], 5);
    let said = bench.does(&["status"], 0).0;
    assert!(said.contains("way back: open, 1 undo"), "{said}");
    assert!(said.contains("  closes:   when a later run of the lock `verbs` begins"), "{said}");
    assert_eq!(status(&bench, &[])["way_back_left_ms"], Json::Null);
}

#[test]
fn status_measures_each_way_back_when_asked_and_changes_nothing() {
    let bench = Bench::new(&format!("{WANTS}{PLAIN}"));
    keep_open(&bench, "48h");
    fs::write(bench.path("back"), "").expect("written");
    bench.does(&["exec", "verbs.toml"], 0);
    let head = status(&bench, &[])["head"].clone();
    let open = |status: &Json| {
        let ways_back = status["ways_back"].as_array().expect("a list").clone();
        ways_back.iter().map(|it| (it["step"].as_str().unwrap().to_owned(), it["open"] == true)).collect::<Vec<_>>()
    };
    let said = status(&bench, &["--measure"]);
    assert_eq!(open(&said), [("make".to_owned(), true), ("note".to_owned(), true)]);
    assert_eq!(said["ways_back"][0]["criteria"][0]["verdict"], "holds");
    assert_eq!(said["ways_back"][1]["criteria"], Json::Array(vec![]));

    fs::remove_file(bench.path("back")).expect("removed");
    let said = status(&bench, &["--measure"]);
    assert_eq!(open(&said), [("make".to_owned(), false), ("note".to_owned(), true)]);
    assert_eq!(said["ways_back"][0]["criteria"][0]["evidence"], "probe.back = false (must be true)");
    let text = bench.does(&["status", "--measure"], 0).0;
    assert!(text.contains("make  SHUT  `probe.back` does not hold: probe.back = false"), "{text}");
    assert!(text.contains("note  open  it requires nothing"), "{text}");

    // It was only looked at: nothing is written, and nothing is asked without the flag.
    assert_eq!(status(&bench, &[])["head"], head);
    assert_eq!(status(&bench, &[])["ways_back"], Json::Null);
}

#[test]
fn a_partly_rolled_back_run_measures_only_what_is_still_in_place() {
    let bench = Bench::new(&format!("{WANTS}{PLAIN}"));
    keep_open(&bench, "48h");
    fs::write(bench.path("back"), "").expect("written");
    bench.does(&["exec", "verbs.toml"], 0);
    bench.does(&["rollback", "--to", "make"], 0);
    let said = status(&bench, &["--measure"]);
    assert_eq!(said["state"], "rolled_back");
    assert_eq!(said["ways_back"].as_array().map(Vec::len), Some(1), "{said}");
    assert_eq!((&said["ways_back"][0]["step"], &said["ways_back"][0]["open"]), (&"make".into(), &true.into()));
    assert_eq!(said["way_back_closed"], false);
}

#[test]
fn a_way_back_that_is_shut_says_what_for_and_what_its_probe_complains_of() {
    let require = "require = [{ that = \"probe.behind < 5\", say = \"old lacks too much\" }]";
    let bench = Bench::new(&format!(
        "[probe.behind]\nrun = [\"cat\", \"behind\"]\ninterval = \"50ms\"\n\
         [step.make]\nrun = \"touch made\"\n\
         undo = {{ run = \"rm -f made\", timeout = \"10s\", {require} }}\n\
         [step.look]\nneeds = [\"make\"]\nrun = \"sleep 1\"\neffect = \"none\"\n"
    ));
    let told = bench.does(&["exec", "verbs.toml", "--output", "plain"], 0).0;
    let shut = told.lines().find(|line| line.contains("the way back is shut")).unwrap_or_default();
    let why = "old lacks too much: probe.behind = no data (must be < 5); probe.behind: exit status: 1: cat: behind:";
    assert!(shut.contains(why), "{told}");
}
