//! A full disk stops the way forward, never the way back (R19): on a real file system of two megabytes.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use super::bench::{Bench, kill};

/// A file system in memory; gone with this.
struct SmallDisk {
    folder: tempfile::TempDir,
}

impl SmallDisk {
    /// `None`: this user may not mount one. What the session does then is tested with a medium that plays full.
    fn mount() -> Option<Self> {
        let folder = tempfile::tempdir().expect("a folder");
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", "size=2m", "runbook-test"]).arg(folder.path()).status();
        if mounted.is_ok_and(|status| status.success()) {
            return Some(Self { folder });
        }
        println!("NOT TESTED: no small file system can be mounted here");
        None
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// A script that leaves not one byte.
    fn fill(&self) -> String {
        format!("head -c 4000000 /dev/zero > {}/fill || true", self.path().display())
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: a keeper may still stay for a moment.
        let _ = Command::new("umount").arg("-l").arg(self.folder.path()).status();
    }
}

/// `a`, then `fill` with this script, then four steps side by side, whose ends need more room than is ever ahead.
fn runbook(fill: &str) -> String {
    let mut text = format!(
        "[step.a]\nrun = \"echo a >> effects\"\nundo = {{ run = \"echo undo a >> effects\" }}\n\
         [step.fill]\nneeds = [\"a\"]\nrun = \"{fill}\"\nundo = {{ run = \"echo undo fill >> effects\" }}\n"
    );
    for name in ["b", "c", "d", "e"] {
        let _ = write!(
            text,
            "[step.{name}]\nneeds = [\"fill\"]\nrun = \"echo {name} >> effects\"\nundo = {{ run = \"echo undo {name} >> effects\" }}\n"
        );
    }
    text
}

#[test]
fn a_full_disk_stops_the_way_forward_and_the_run_goes_on_when_there_is_room_again() {
    let Some(disk) = SmallDisk::mount() else { return };
    let bench = Bench::new(&runbook(&disk.fill())).at(disk.path());
    assert_eq!(bench.run(&["exec", "crash.toml", "--no-wait", "--output", "plain"]), 7, "{}", bench.story());
    assert_eq!(bench.effects(), ["a"], "{}", bench.story());
    assert!(bench.evidence().contains("the disk is full"), "{}", bench.story());

    fs::remove_file(disk.path().join("fill")).expect("it is there");
    assert_eq!(bench.run(&["resume", "--output", "plain"]), 0, "{}", bench.story());
    let mut effects = bench.effects();
    effects.sort_unstable();
    assert_eq!(effects, ["a", "b", "c", "d", "e"], "{}", bench.story());
}

#[test]
fn a_run_that_a_full_disk_stopped_is_taken_back_on_the_full_disk() {
    let Some(disk) = SmallDisk::mount() else { return };
    let bench = Bench::new(&runbook(&disk.fill())).at(disk.path());
    assert_eq!(bench.run(&["exec", "crash.toml", "--no-wait", "--output", "plain"]), 7, "{}", bench.story());
    assert!(fs::write(disk.path().join("more"), vec![0; 100_000]).is_err(), "the disk was not full");

    assert_eq!(bench.run(&["rollback", "--reason", "no room"]), 0, "{}", bench.story());
    assert_eq!(bench.effects(), ["a", "undo fill", "undo a"], "{}", bench.story());
}

#[test]
fn on_a_full_disk_the_way_back_completes_even_when_everything_is_killed_on_it() {
    let Some(disk) = SmallDisk::mount() else { return };
    let slow = "echo undo fill >> effects; sleep 20\", done_when = \"probe.undone\"";
    let probe = "[probe.undone]\nrun = [\"grep\", \"-qsx\", \"undo fill\", \"effects\"]\nbool = \"exit\"\n";
    let tables = runbook(&format!("{}; exit 1", disk.fill())).replace("echo undo fill >> effects\"", slow);
    let bench = Bench::new(&format!("{probe}{tables}")).at(disk.path());
    let mut child = bench.spawn(&["exec", "crash.toml", "--output", "plain"]);
    bench.until("it is on its way back", || bench.effects() == ["a", "undo fill"]);
    child.kill().expect("it is our child");
    child.wait().expect("it is our child");
    for keeper in bench.keepers() {
        kill(keeper);
    }
    assert!(fs::write(disk.path().join("more"), vec![0; 100_000]).is_err(), "the disk was not full");

    assert_eq!(bench.run(&["resume", "--output", "plain"]), 4, "{}", bench.story());
    assert_eq!(bench.effects(), ["a", "undo fill", "undo a"], "{}", bench.story());
}

#[test]
fn a_run_that_waits_keeps_the_room_for_its_way_back() {
    let Some(disk) = SmallDisk::mount() else { return };
    let tables = "[phase.one]\nsequence = [\"a\"]\n[phase.two]\nsequence = [\"b\"]\n\
        [step.a]\nrun = \"echo a >> effects\"\nundo = { run = \"echo undo a >> effects\" }\n\
        [step.b]\nrun = \"echo b >> effects; exit 1\"\nundo = { run = \"echo undo b >> effects\" }\n";
    let bench = Bench::with("phases = [\"one\", \"two\"]\n", tables).at(disk.path());
    assert_eq!(bench.run(&["exec", "crash.toml", "--until", "one", "--output", "plain"]), 7, "{}", bench.story());
    assert!(fs::write(disk.path().join("fill"), vec![0; 4_000_000]).is_err(), "the disk was not full");

    assert_eq!(bench.run(&["resume", "--no-wait", "--output", "plain"]), 4, "{}", bench.story());
    assert_eq!(bench.effects(), ["a", "b", "undo b", "undo a"], "{}", bench.story());
}
