//! Configuration that moves: keys of etcd, and environment files.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use super::super::cli::Bench;
use super::{Command, Holding, Server, Stdio, bench, left, until};

const FAILS: &str = "[step.fail]\nrun = \"false\"\neffect = \"none\"\n";

/// An etcd on free ports.
struct Etcd {
    _server: Server,
    url: String,
}

impl Etcd {
    fn start(bench: &Bench, name: &str) -> Self {
        let free = || {
            let listener = super::TcpListener::bind("127.0.0.1:0").expect("a port");
            format!("http://{}", listener.local_addr().expect("it has one"))
        };
        let (url, peer) = (free(), free());
        let mut etcd = Command::new("etcd");
        etcd.args(["--name", name, "--data-dir", name, "--listen-client-urls", &url, "--advertise-client-urls", &url]);
        etcd.args(["--listen-peer-urls", &peer, "--initial-advertise-peer-urls", &peer, "--unsafe-no-fsync"]);
        etcd.args(["--initial-cluster", &format!("{name}={peer}"), "--initial-cluster-token", name]);
        let server = etcd.current_dir(bench.path("")).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let etcd = Self { _server: Server(server.expect("these tests need etcd: apt-get install etcd-server")), url };
        until("etcd answers", || etcd.ctl(&["endpoint", "health"]).0);
        etcd
    }

    fn ctl(&self, words: &[&str]) -> (bool, String) {
        let etcdctl = Command::new("etcdctl").args(["--endpoints", &self.url]).args(words).output();
        let said = etcdctl.expect("etcdctl is there: apt-get install etcd-client");
        (said.status.success(), String::from_utf8_lossy(&said.stdout).into_owned())
    }

    fn put(&self, key: &str, value: &str) {
        assert!(self.ctl(&["put", "--", key, value]).0, "{key}");
    }

    /// Keys and values below a prefix, every byte visible; not when and how often they were written.
    fn holds(&self, prefix: &str) -> Vec<String> {
        let said = self.ctl(&["get", "--prefix", "-w", "fields", "--", prefix]).1;
        let lines = said.lines().filter(|line| line.starts_with("\"Key\"") || line.starts_with("\"Value\""));
        lines.map(|line| line.replace(prefix, "")).collect()
    }
}

/// Two servers; the source holds odd bytes and secrets, the target one of the keys, with a value of its own, and one more.
fn etcd_bench(sequence: &str, tables: &str) -> (Bench, Etcd, Etcd) {
    let with = "old = './old', new = './new', from = '/shop/', to = '/next/'";
    let bench = bench("etcd-config.toml", with, sequence, tables);
    let (old, new) = (Etcd::start(&bench, "one"), Etcd::start(&bench, "two"));
    for (file, etcd) in [("old", &old), ("new", &new)] {
        fs::write(bench.path(file), format!("#!/bin/sh\nexec etcdctl --endpoints {} \"$@\"\n", etcd.url))
            .expect("written");
        fs::set_permissions(bench.path(file), fs::Permissions::from_mode(0o755)).expect("it is ours");
    }
    old.put("/shop/password", "hunter2-secret");
    old.put("/shop/odd\n\t\"key\\ 'ü", "-v 1\n\"two\"\\\tthree 'ü $HOME `id`\n");
    old.put("/shop/empty", "");
    old.put("/other", "not ours");
    new.put("/next/password", "what-was-there \"before\"\n");
    new.put("/next/only-here", "stays");
    (bench, old, new)
}

/// Nothing that the run recorded holds this text: neither its journal nor a log.
fn nowhere(bench: &Bench, text: &str) {
    let found = Command::new("grep").args(["-rlF", text, "state"]).current_dir(bench.path("")).output().expect("grep");
    assert_eq!(String::from_utf8_lossy(&found.stdout), "");
}

#[test]
fn keys_of_etcd_are_carried_byte_for_byte_and_what_was_there_is_put_back() {
    let (bench, old, new) = etcd_bench("[\"it\"]", "");
    let (source, before) = (old.holds("/shop/"), new.holds("/next/"));
    bench.does(&["check", "--strict", "verbs.toml"], 0);
    bench.does(&["exec", "verbs.toml"], 0);
    let carried = new.holds("/next/");
    assert_eq!((source.len(), carried.len()), (6, 8), "{carried:?}");
    assert!(source.iter().all(|line| carried.contains(line)), "{source:?}\n{carried:?}");
    assert_eq!(new.ctl(&["get", "--print-value-only", "/next/only-here"]).1, "stays\n");
    let kept = left(&bench.path(""), "etcd-config");
    assert_eq!(kept.len(), 2, "{kept:?}");
    for file in kept {
        let mode = fs::metadata(bench.path(&file)).expect("it is kept").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
    bench.does(&["rollback", "--reason", "enough"], 0);
    assert_eq!(new.holds("/next/"), before);
    assert_eq!(old.holds("/shop/"), source);
    assert_eq!(left(&bench.path(""), "etcd-config"), Vec::<String>::new());
    nowhere(&bench, "hunter2-secret");
    nowhere(&bench, "what-was-there");
}

#[test]
fn a_run_that_is_killed_while_keys_of_etcd_are_carried_is_taken_up_and_still_knows_what_was_there() {
    let (bench, old, new) = etcd_bench("[\"it\"]", "");
    let (source, before) = (old.holds("/shop/"), new.holds("/next/"));
    // The first key is written; behind it the copy stands still until the file goes.
    let wrapper = format!(
        "#!/bin/sh\n[ \"$1\" != txn ] || {{ etcdctl --endpoints {} \"$@\"; : >written; while [ -e hold ]; do sleep 0.02; done; exit 0; }}\n\
         exec etcdctl --endpoints {} \"$@\"\n",
        new.url, new.url
    );
    fs::write(bench.path("new"), wrapper).expect("written");
    fs::write(bench.path("hold"), "").expect("written");
    let mut run = Command::new(env!("CARGO_BIN_EXE_runbook"))
        .args(["exec", "verbs.toml"])
        .current_dir(bench.path(""))
        .env("RUNBOOK_STATE_DIR", bench.path("state"))
        .stdout(Stdio::null())
        .spawn()
        .expect("it starts");
    until("a key is written", || bench.path("written").exists());
    run.kill().expect("it is our child");
    run.wait().expect("it ends");
    fs::remove_file(bench.path("hold")).expect("it was there");
    bench.does(&["resume"], 0);
    let carried = new.holds("/next/");
    assert!(source.iter().all(|line| carried.contains(line)), "{source:?}\n{carried:?}");
    bench.does(&["rollback", "--reason", "enough"], 0);
    assert_eq!(new.holds("/next/"), before);
}

#[test]
fn wherever_a_run_is_cut_off_keys_of_etcd_are_carried_when_it_is_taken_up_and_put_back_again() {
    let (bench, old, new) = etcd_bench("[\"it\"]", "");
    let (source, before) = (old.holds("/shop/"), new.holds("/next/"));
    let holding = Holding::new(&bench, &["etcdctl", "mv", "rm", "sync"]);
    let mut call = 1;
    while holding.cut_off_at(call) {
        let carried = new.holds("/next/");
        assert!(source.iter().all(|line| carried.contains(line)), "cut off at call {call}: {carried:?}");
        bench.does(&["rollback", "--reason", "enough"], 0);
        assert_eq!(new.holds("/next/"), before, "cut off at call {call}");
        assert_eq!(left(&bench.path(""), "etcd-config"), Vec::<String>::new(), "cut off at call {call}");
        call += 1;
    }
    assert!(call > 10, "{call}");
}

#[test]
fn a_later_run_puts_back_the_keys_that_it_found_itself() {
    let (bench, old, new) = etcd_bench("[\"it\"]", "");
    bench.does(&["exec", "verbs.toml"], 0);
    let (first, carried) = (bench.run(), new.holds("/next/"));
    let kept = left(&bench.path(""), "etcd-config");
    old.put("/shop/password", "changed");
    bench.does(&["exec", "verbs.toml", "--close", &first], 0);
    assert_ne!(new.holds("/next/"), carried);
    bench.does(&["rollback", "--reason", "enough"], 0);
    assert_eq!(new.holds("/next/"), carried);
    assert_eq!(left(&bench.path(""), "etcd-config"), kept, "the first one's are there until somebody removes them");
}

#[test]
fn in_one_etcd_no_prefix_may_lie_below_the_other() {
    let (bench, old, _new) = etcd_bench("[\"it\"]", "");
    fs::copy(bench.path("old"), bench.path("new")).expect("copied");
    let text = fs::read_to_string(bench.path("verbs.toml")).expect("readable");
    fs::write(bench.path("verbs.toml"), text.replace("'/next/'", "'/shop/next/'")).expect("written");
    let source = old.holds("/shop/");
    let (out, _) = bench.does(&["exec", "verbs.toml"], 4);
    assert!(out.contains("no prefix may lie below the other"), "{out}");
    assert_eq!(old.holds("/shop/"), source);
}

/// A service's file with mode 0640, and a new one.
fn env_bench(sequence: &str, tables: &str) -> Bench {
    let with = "path = '@/etc dir/shop.env', new = 'new.env'";
    let bench = bench("env-file.toml", with, sequence, tables);
    let text = fs::read_to_string(bench.path("verbs.toml")).expect("readable");
    let here = bench.path("").display().to_string();
    fs::write(bench.path("verbs.toml"), text.replace('@', here.trim_end_matches('/'))).expect("written");
    fs::create_dir(bench.path("etc dir")).expect("a folder");
    fs::write(bench.path("etc dir/shop.env"), OLD).expect("written");
    fs::set_permissions(bench.path("etc dir/shop.env"), fs::Permissions::from_mode(0o640)).expect("it is ours");
    fs::write(bench.path("new.env"), NEW).expect("written");
    bench
}

const OLD: &[u8] = b"URL=http://old\nPASSWORD='old-secret \xff'\n";
const NEW: &[u8] = b"URL=http://new\nPASSWORD=\"new-secret \\ $x\"";

fn env_file(bench: &Bench) -> (Vec<u8>, u32) {
    let path = bench.path("etc dir/shop.env");
    let mode = fs::metadata(&path).expect("it is there").permissions().mode() & 0o777;
    (fs::read(path).expect("readable"), mode)
}

#[test]
fn an_environment_file_is_replaced_with_its_mode_and_its_old_bytes_are_put_back() {
    let bench = env_bench("[\"it\"]", "");
    bench.does(&["check", "--strict", "verbs.toml"], 0);
    bench.does(&["exec", "verbs.toml"], 0);
    assert_eq!(env_file(&bench), (NEW.to_vec(), 0o640));
    bench.does(&["rollback", "--reason", "enough"], 0);
    assert_eq!(env_file(&bench), (OLD.to_vec(), 0o640));
    assert_eq!(fs::read_dir(bench.path("etc dir")).expect("a folder").count(), 1, "nothing is left beside it");
    nowhere(&bench, "old-secret");
    nowhere(&bench, "new-secret");
}

#[test]
fn a_failure_behind_a_replaced_environment_file_puts_the_old_one_back_by_itself() {
    let bench = env_bench("[\"it_keep\", \"it_replace\", \"fail\"]", FAILS);
    bench.does(&["exec", "verbs.toml"], 4);
    assert_eq!(env_file(&bench), (OLD.to_vec(), 0o640));
}

#[test]
fn wherever_a_run_is_cut_off_an_environment_file_is_replaced_when_it_is_taken_up_and_put_back_again() {
    let bench = env_bench("[\"it\"]", "");
    let holding = Holding::new(&bench, &["cp", "cat", "mv", "sync", "rm"]);
    let mut call = 1;
    while holding.cut_off_at(call) {
        assert_eq!(env_file(&bench), (NEW.to_vec(), 0o640), "cut off at call {call}");
        bench.does(&["rollback", "--reason", "enough"], 0);
        assert_eq!(env_file(&bench), (OLD.to_vec(), 0o640), "cut off at call {call}");
        assert_eq!(fs::read_dir(bench.path("etc dir")).expect("a folder").count(), 1, "cut off at call {call}");
        call += 1;
    }
    assert_eq!(call, 10, "four calls to keep it, five to replace it");
    let mut call = 1;
    while holding.taken_back_cut_off_at(call) {
        assert_eq!(env_file(&bench), (OLD.to_vec(), 0o640), "cut off at call {call}");
        assert_eq!(fs::read_dir(bench.path("etc dir")).expect("a folder").count(), 1, "cut off at call {call}");
        bench.does(&["exec", "verbs.toml"], 0);
        call += 1;
    }
    assert_eq!(call, 6, "four calls to put it back, one to remove what was kept");
}

#[test]
fn a_later_run_puts_back_the_bytes_that_it_found_itself() {
    let bench = env_bench("[\"it\"]", "");
    bench.does(&["exec", "verbs.toml"], 0);
    let first = bench.run();
    fs::write(bench.path("new.env"), "URL=http://newer\n").expect("written");
    bench.does(&["exec", "verbs.toml", "--close", &first], 0);
    assert_eq!(env_file(&bench).0, b"URL=http://newer\n");
    bench.does(&["rollback", "--reason", "enough"], 0);
    assert_eq!(env_file(&bench), (NEW.to_vec(), 0o640));
    let kept = left(&bench.path("etc dir"), ".before");
    assert_eq!(kept, [format!("shop.env.{first}.it.before")]);
    assert_eq!(fs::read(bench.path("etc dir").join(&kept[0])).expect("it is there"), OLD);
}

#[test]
fn a_path_that_no_command_could_name_safely_is_refused_before_anything_happens() {
    for (path, why) in [("etc dir/shop.env", "the path is not absolute"), ("/tmp/it's", "the path has a quote in it")] {
        let bench = env_bench("[\"it\"]", "");
        let text = fs::read_to_string(bench.path("verbs.toml")).expect("readable");
        let (before, rest) = text.split_once("path = '").expect("it gives one");
        let (_, rest) = rest.split_once('\'').expect("it ends");
        fs::write(bench.path("verbs.toml"), format!("{before}path = \"{path}\"{rest}")).expect("written");
        let (out, _) = bench.does(&["exec", "verbs.toml"], 4);
        assert!(out.contains(why), "{out}");
    }
}
