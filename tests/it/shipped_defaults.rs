//! What the commands do that the patterns of the library have as defaults of their variables. `ssh`, `redis-cli` and `socat`
//! are stood in for, so that no server is needed.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;

/// A host of its own: a folder that stands for that of Redis, and programs that stand in for others.
struct Host(TempDir);

impl Host {
    fn new(programs: &[(&str, &str)]) -> Self {
        let folder = TempDir::new().expect("a folder");
        fs::create_dir(folder.path().join("bin")).expect("a folder");
        fs::create_dir(folder.path().join("redis")).expect("a folder");
        for (name, script) in programs {
            let program = folder.path().join("bin").join(name);
            fs::write(&program, format!("#!/bin/sh\n{script}\n")).expect("written");
            fs::set_permissions(program, fs::Permissions::from_mode(0o755)).expect("it is ours");
        }
        Self(folder)
    }

    /// One for `warm-up`: `old`'s cache gives a snapshot that says `of old`.
    fn with_redis() -> Self {
        Self::new(&[("ssh", "shift; exec sh -c \"$*\""), ("redis-cli", "echo of old >\"$4\"")])
    }

    /// Carries the command out as the runbooks do.
    fn carry_out(&self, command: &str, run: &str) -> Output {
        let usual = std::env::var("PATH").expect("there is one");
        let command = command.replace("/var/lib/redis", &self.0.path().join("redis").display().to_string());
        Command::new("sh")
            .args(["-euc", &command])
            .env("PATH", format!("{}/bin:{usual}", self.0.path().display()))
            .env("RUNBOOK_RUN_ID", run)
            .env("SHARE", "5")
            .output()
            .expect("there is a shell")
    }

    fn exit(&self, command: &str, run: &str) -> Option<i32> {
        self.carry_out(command, run).status.code()
    }

    /// What lies where Redis loads from: names, and what the dump says.
    fn dump(&self) -> (Vec<String>, Option<String>) {
        let folder = self.0.path().join("redis");
        let entries = fs::read_dir(&folder).expect("it is there");
        let mut names: Vec<String> =
            entries.map(|entry| entry.expect("listed").file_name().into_string().expect("a name")).collect();
        names.sort();
        (names, fs::read_to_string(folder.join("dump.rdb")).ok())
    }
}

/// The defaults of a pattern that are texts, by name.
fn defaults(pattern: &str) -> Vec<(String, String)> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("runbooks").join(format!("{pattern}.toml"));
    let runbook: toml::Table = fs::read_to_string(file).expect("it is there").parse().expect("it is TOML");
    let vars = runbook["vars"].as_table().expect("a table");
    let text = |var: &toml::Value| Some(var.get("default")?.as_str()?.to_owned());
    vars.iter().filter_map(|(name, var)| Some((name.clone(), text(var)?))).collect()
}

fn default(pattern: &str, name: &str) -> String {
    let (_, text) = defaults(pattern).into_iter().find(|(var, _)| var == name).expect("it has a default");
    text
}

#[test]
fn warm_up_brings_a_snapshot_and_takes_away_what_it_has_brought() {
    let host = Host::with_redis();
    let [fetch, fetched, discard] = ["fetch", "fetched", "discard"].map(|name| default("warm-up", name));
    assert_eq!(host.exit(&fetched, "one"), Some(1));
    for _ in ["first", "again after a crash"] {
        assert_eq!(host.exit(&fetch, "one"), Some(0));
        assert_eq!(host.dump().1.as_deref(), Some("of old\n"));
    }
    assert_eq!(host.exit(&fetched, "one"), Some(0));
    // New's Redis has written one of its own since: it comes of what was brought.
    fs::write(host.0.path().join("redis/later"), "of new").expect("written");
    fs::rename(host.0.path().join("redis/later"), host.0.path().join("redis/dump.rdb")).expect("moved");
    for _ in ["first", "again after a crash"] {
        assert_eq!(host.exit(&discard, "one"), Some(0));
        assert_eq!(host.dump(), (vec![], None));
    }
}

#[test]
fn warm_up_neither_writes_over_a_snapshot_of_somebody_else_nor_deletes_it() {
    let host = Host::with_redis();
    fs::write(host.0.path().join("redis/dump.rdb"), "precious").expect("written");
    let before = host.dump();
    let said = host.carry_out(&default("warm-up", "fetch"), "one");
    assert_eq!(said.status.code(), Some(1));
    assert_eq!(String::from_utf8_lossy(&said.stderr), "dump.rdb is there already, and not of this run\n");
    assert_eq!(host.exit(&default("warm-up", "discard"), "one"), Some(0));
    assert_eq!(host.dump(), before);
}

#[test]
fn warm_up_leaves_nothing_of_a_snapshot_that_broke_off() {
    let host = Host::new(&[("ssh", "shift; exec sh -c \"$*\""), ("redis-cli", "echo of >\"$4\"; exit 1")]);
    assert_eq!(host.exit(&default("warm-up", "fetch"), "one"), Some(1));
    assert_eq!(host.exit(&default("warm-up", "fetched"), "one"), Some(1));
    assert_eq!(host.exit(&default("warm-up", "discard"), "one"), Some(0));
    assert_eq!(host.dump(), (vec![], None));
}

#[test]
fn warm_up_does_not_take_a_host_or_a_balancer_that_cannot_be_asked_for_a_no() {
    let host = Host::new(&[("ssh", "exit 255"), ("socat", "exit 1")]);
    for name in ["fetched", "cache_runs", "registered"] {
        let exit = host.exit(&default("warm-up", name), "one");
        assert!(exit.is_some_and(|exit| exit > 1), "{name}: {exit:?}");
    }
    for (state, exit) in [("2", 0), ("0", 1)] {
        let says = format!("echo 1; echo '# be_id be_name srv_id srv_name'; echo '3 app 2 new 10.0.0.2 {state} 0 0'");
        assert_eq!(Host::new(&[("socat", &says)]).exit(&default("warm-up", "registered"), "one"), Some(exit));
    }
}

#[test]
fn an_order_to_haproxy_fails_with_what_it_says() {
    let [silent, speaking, gone] = [
        ("socat", "cat >/dev/null; echo; echo"),
        ("socat", "cat >/dev/null; echo No such server.; echo"),
        ("socat", "exit 1"),
    ]
    .map(|socat| Host::new(&[socat]));
    let mut orders = 0;
    for pattern in ["active-passive", "event-log-replay", "sidecar-replication", "warm-up"] {
        for (name, command) in defaults(pattern) {
            if !command.contains("socat") || command.contains("show servers state") {
                continue;
            }
            orders += 1;
            assert_eq!(silent.exit(&command, "one"), Some(0), "{pattern}: {name}");
            let said = speaking.carry_out(&command, "one");
            assert_eq!(said.status.code(), Some(1), "{pattern}: {name}");
            assert_eq!(String::from_utf8_lossy(&said.stderr), "HAProxy: No such server.\n", "{pattern}: {name}");
            assert_eq!(gone.exit(&command, "one"), Some(1), "{pattern}: {name}");
        }
    }
    assert_eq!(orders, 9);
}
