//! The runbooks under `examples/`.

use std::fs;
use std::path::Path;
use std::process::Command;

use runbook::syntax;

#[test]
fn no_example_has_a_finding() {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    for file in ["quickstart/migrate.toml", "postgres-switchover/switchover.toml", "traffic-shift/shift.toml"] {
        let text = fs::read_to_string(examples.join(file)).expect("the example is there");
        let reading = syntax::read(&text);
        let findings: Vec<String> = reading.problems.iter().map(ToString::to_string).collect();
        assert!(reading.plan.is_some() && findings.is_empty(), "{file}: {findings:#?}");
    }
}

#[test]
fn the_unit_for_systemd_is_one_that_systemd_accepts() {
    let unit = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/systemd/orders-switchover.service");
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
    let unit = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/systemd/orders-switchover.service");
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
