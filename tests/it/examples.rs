//! The runbooks that come with the tool: under `examples/`, and those of the patterns in `runbooks/`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use runbook::syntax;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// What is in a folder, by name.
fn listed(folder: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(root().join(folder)).expect("the folder is there");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("it can be listed").path()).collect();
    paths.sort();
    paths
}

fn findings(file: &Path) -> Vec<String> {
    let text = fs::read_to_string(file).expect("the runbook is there");
    let reading = syntax::read(&text);
    let findings: Vec<String> = reading.problems.iter().map(ToString::to_string).collect();
    assert!(reading.plan.is_some() || !findings.is_empty(), "{}: no plan, and no reason", file.display());
    findings
}

#[test]
fn no_example_has_a_finding() {
    for file in ["quickstart/migrate.toml", "postgres-switchover/switchover.toml", "traffic-shift/shift.toml"] {
        assert_eq!(findings(&root().join("examples").join(file)), [""; 0], "{file}");
    }
}

#[test]
fn no_runbook_of_a_pattern_has_a_finding() {
    let runbooks = listed("runbooks");
    for file in runbooks.iter().filter(|file| file.extension().is_some_and(|extension| extension == "toml")) {
        assert_eq!(findings(file), [""; 0], "{}", file.display());
    }
    assert!(!runbooks.is_empty(), "no pattern has a runbook");
}

#[test]
fn every_pattern_has_a_runbook_a_rig_cases_a_page_and_a_line_in_the_table() {
    let table = fs::read_to_string(root().join("docs/patterns/README.md")).expect("the table is there");
    let folders = listed("examples/patterns");
    let patterns: Vec<&str> = folders
        .iter()
        .filter(|folder| folder.join("run").exists())
        .map(|folder| folder.file_name().and_then(|name| name.to_str()).expect("a name"))
        .collect();
    for name in &patterns {
        for part in [
            format!("runbooks/{name}.toml"),
            format!("examples/patterns/{name}/rig"),
            format!("docs/patterns/{name}.md"),
        ] {
            assert!(root().join(&part).exists(), "{name} has no {part}");
        }
        assert!(table.contains(&format!("| [{name}]({name}.md) |")), "{name} is not in the table of docs/patterns");
    }
    assert!(!patterns.is_empty(), "there is no pattern");
}

#[test]
fn the_unit_for_systemd_is_one_that_systemd_accepts() {
    let unit = root().join("examples/systemd/orders-switchover.service");
    let text = fs::read_to_string(unit).expect("the unit is there");
    // systemd wants the program to be there; where ours is installed is not for a test to say.
    assert!(text.contains("ExecStart=/usr/local/bin/runbook "), "{text}");
    let text = text.replace("/usr/local/bin/runbook", env!("CARGO_BIN_EXE_runbook"));
    let folder = tempfile::tempdir().expect("a folder");
    let copy = folder.path().join("orders-switchover.service");
    fs::write(&copy, text).expect("written");

    let verified = Command::new("systemd-analyze").arg("verify").arg(&copy).output();
    let verified = verified.expect("systemd-analyze, which scripts/install-rig brings");
    let said = String::from_utf8_lossy(&verified.stderr);
    // It tells of keys that it does not know without failing, and of other units of the machine too.
    let ours: Vec<_> = said.lines().filter(|line| line.contains("orders-switchover")).collect();
    assert!(verified.status.success() && ours.is_empty(), "{said}");
}

#[test]
fn the_unit_for_systemd_takes_up_only_what_a_person_need_not_mend() {
    let unit = root().join("examples/systemd/orders-switchover.service");
    let text = fs::read_to_string(unit).expect("the unit is there");
    let codes = |key: &str| -> Vec<u8> {
        let line = text.lines().find_map(|line| line.strip_prefix(key)).expect("the key is there");
        line.split(' ').map(|code| code.parse().expect("an exit code")).collect()
    };
    let mended_by_people = codes("RestartPreventExitStatus=");
    let no_failure = codes("SuccessExitStatus=");
    // The exit codes of docs/cli.md that `exec` has; 0 is a success anyway.
    for code in [2, 3, 4, 5, 6] {
        assert!(mended_by_people.contains(&code) && !no_failure.contains(&code), "{code}");
    }
    assert_eq!(no_failure, [7, 130]);
    assert!(!mended_by_people.contains(&1), "a write that failed may succeed the next time");
}
