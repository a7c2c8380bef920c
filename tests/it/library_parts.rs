//! The parts of the library, on real servers.

mod config;
mod dns;

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::cli::Bench;
use super::support::processes;

const PATIENCE: Duration = Duration::from_mins(1);

/// A runbook with one phase that includes this part of the library, and these steps behind it.
fn bench(part: &str, with: &str, sequence: &str, tables: &str) -> Bench {
    let bench = Bench::new("");
    let library = Path::new(env!("CARGO_MANIFEST_DIR")).join("runbooks/parts").join(part);
    fs::copy(library, bench.path(part)).expect("the part is there");
    let head = fs::read_to_string(bench.path("verbs.toml")).expect("written");
    let head = head.replace("[defaults]", "phases = [\"all\"]\nrollback_window = \"1h\"\n[defaults]");
    let head = head
        .replace("rollback_timeout = \"10m\"", "rollback_timeout = \"2h\"")
        .replace("timeout = \"10m\"", "timeout = \"2h\"");
    let include = format!("[part.it]\nuse = \"{part}\"\nwith = {{ {with} }}\n[phase.all]\nsequence = {sequence}\n");
    fs::write(bench.path("verbs.toml"), format!("{head}{include}{tables}")).expect("written");
    bench
}

/// Programs that stand still at the n-th call that a step makes of any of them, as long as `hold` says a number.
struct Holding<'b> {
    bench: &'b Bench,
    path: String,
}

impl<'b> Holding<'b> {
    fn new(bench: &'b Bench, programs: &[&str]) -> Self {
        use std::os::unix::fs::PermissionsExt as _;
        let usual = std::env::var("PATH").expect("there is one");
        let here = bench.path("").display().to_string();
        fs::create_dir(bench.path("bin")).expect("a folder");
        for program in programs {
            let script = format!(
                "#!/bin/sh\nPATH='{usual}'\ncd_='{here}'\n\
                 if [ -n \"${{RUNBOOK_STEP:-}}\" ] && at=$(cat \"$cd_/hold\" 2>/dev/null); then\n\
                 echo {program} >>\"$cd_/calls\"\n\
                 [ \"$(wc -l <\"$cd_/calls\")\" -lt \"$at\" ] || {{ : >\"$cd_/held\"; exec sleep 1000; }}\nfi\n\
                 exec {program} \"$@\"\n"
            );
            fs::write(bench.path("bin").join(program), script).expect("written");
            let mode = fs::Permissions::from_mode(0o755);
            fs::set_permissions(bench.path("bin").join(program), mode).expect("it is ours");
        }
        Self { bench, path: format!("{here}/bin:{usual}") }
    }

    /// A run whose host goes down at that call and that is taken up; whether there was such a call.
    fn cut_off_at(&self, call: usize) -> bool {
        self.does_cut_off_at(&["exec", "verbs.toml"], 0, call)
    }

    /// The same of a run that is taken back.
    fn taken_back_cut_off_at(&self, call: usize) -> bool {
        self.does_cut_off_at(&["rollback", "--reason", "enough"], 4, call)
    }

    fn does_cut_off_at(&self, words: &[&str], resumed: i32, call: usize) -> bool {
        let bench = self.bench;
        for left in ["calls", "held"] {
            let _ = fs::remove_file(bench.path(left));
        }
        fs::write(bench.path("hold"), call.to_string()).expect("written");
        let mut run = Command::new(env!("CARGO_BIN_EXE_runbook"))
            .args(words)
            .current_dir(bench.path(""))
            .env("RUNBOOK_STATE_DIR", bench.path("state"))
            .env("PATH", &self.path)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("it starts");
        let mut code = None;
        until("the run stands still, or ends", || {
            code = run.try_wait().expect("it is our child");
            code.is_some() || bench.path("held").exists()
        });
        fs::remove_file(bench.path("hold")).expect("it is there");
        if let Some(code) = code {
            assert!(code.success(), "nothing stood in its way");
            return false;
        }
        processes::kill_all(&mut run, &bench.path("state"));
        bench.does_with(&[("PATH", &self.path)], &["resume"], resumed);
        true
    }
}

/// What lies in a folder and has this in its name.
fn left(folder: &Path, of: &str) -> Vec<String> {
    let names = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").file_name());
    let names = names.map(|name| name.to_string_lossy().into_owned());
    names.filter(|name| name.contains(of) && Path::new(name).extension().is_none_or(|of| of != "toml")).collect()
}

/// A server of a test; ends when it is dropped.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn until(what: &str, mut so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !so() {
        assert!(began.elapsed() < PATIENCE, "never: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A Redis on a socket of its own.
struct Redis {
    _server: Server,
    socket: String,
}

impl Redis {
    fn start(bench: &Bench, name: &str) -> Self {
        let socket = bench.path(name).display().to_string();
        let server = Command::new("redis-server")
            .args(["--port", "0", "--unixsocket", &socket, "--save", "", "--appendonly", "no"])
            .current_dir(bench.path(""))
            .stdout(Stdio::null())
            .spawn()
            .expect("these tests need Redis: apt-get install redis-server");
        let redis = Self { _server: Server(server), socket };
        until("redis answers", || redis.says("PING\n") == "PONG\n");
        redis
    }

    /// What it answers to these lines.
    fn says(&self, lines: &str) -> String {
        let mut cli = Command::new("redis-cli")
            .args(["-s", &self.socket, "--no-raw"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("redis-cli is there");
        cli.stdin.take().expect("a pipe").write_all(lines.as_bytes()).expect("it reads");
        String::from_utf8_lossy(&cli.wait_with_output().expect("it ends").stdout).into_owned()
    }
}

fn redis_bench(tables: &str, sequence: &str) -> Bench {
    let with = "old = 'redis-cli -s old.sock', new = 'redis-cli -s new.sock'";
    bench("redis-sessions.toml", with, sequence, tables)
}

/// Keys of every kind: with an end, with a newline, a tab and a zero byte in the name, with spaces and any byte inside.
const KEYS: &str = "SET session:1 hello EX 1000\nHSET session:2 a 1 b 2\nSET \"session:\\n\\t\\x00\" v\n\
                    SET \"session:a b\" \"\\\"q\\\" \\\\ \\xff\\x00\\n\"\nSET other 1\n";

#[test]
fn sessions_are_carried_with_their_ends_and_taken_away_again() {
    let bench = redis_bench("", "[\"it\"]");
    let (old, new) = (Redis::start(&bench, "old.sock"), Redis::start(&bench, "new.sock"));
    old.says(KEYS);
    new.says("SET mine 1\n");
    bench.does(&["check", "--strict", "verbs.toml"], 0);
    bench.does(&["exec", "verbs.toml"], 0);
    let look = "DBSIZE\nPEXPIRETIME session:1\nHGET session:2 b\nGET \"session:\\n\\t\\x00\"\nGET \"session:a b\"\nEXISTS other\n";
    let carried = new.says(look);
    // `mine` is there, `other` is not.
    assert_eq!(carried.replace("(integer) 0\n", "(integer) 1\n"), old.says(look), "{carried}");
    assert!(carried.starts_with("(integer) 5\n"), "{carried}");
    bench.does(&["rollback", "--reason", "enough"], 0);
    assert_eq!(new.says("DBSIZE\nGET mine\n"), "(integer) 1\n\"1\"\n");
    assert_eq!(old.says("DBSIZE\n"), "(integer) 5\n");
    assert_eq!(left(&bench.path(""), "redis-sessions"), Vec::<String>::new());
}

#[test]
fn wherever_a_run_is_cut_off_sessions_are_carried_when_it_is_taken_up_and_taken_away_again() {
    let bench = redis_bench("", "[\"it\"]");
    let (old, new) = (Redis::start(&bench, "old.sock"), Redis::start(&bench, "new.sock"));
    old.says(KEYS);
    new.says("SET mine 1\n");
    let holding = Holding::new(&bench, &["redis-cli", "mv", "rm", "sync"]);
    let look = "PEXPIRETIME session:1\nHGET session:2 b\nGET \"session:\\n\\t\\x00\"\nGET \"session:a b\"\n";
    let mut call = 1;
    while holding.cut_off_at(call) {
        assert_eq!(new.says(look), old.says(look), "cut off at call {call}");
        bench.does(&["rollback", "--reason", "enough"], 0);
        assert_eq!(new.says("DBSIZE\nGET mine\n"), "(integer) 1\n\"1\"\n", "cut off at call {call}");
        assert_eq!(left(&bench.path(""), "redis-sessions"), Vec::<String>::new(), "cut off at call {call}");
        call += 1;
    }
    assert!(call > 10, "{call}");
    let mut call = 1;
    while holding.taken_back_cut_off_at(call) {
        assert_eq!(new.says("DBSIZE\nGET mine\n"), "(integer) 1\n\"1\"\n", "cut off at call {call}");
        assert_eq!(left(&bench.path(""), "redis-sessions"), Vec::<String>::new(), "cut off at call {call}");
        bench.does(&["exec", "verbs.toml"], 0);
        call += 1;
    }
    assert!(call > 5, "{call}");
}

#[test]
fn keys_that_come_to_the_new_server_between_two_passes_are_neither_replaced_nor_taken_away() {
    let steps = "[step.between]\neffect = \"none\"\n\
                 run = \"if test -e again; then redis-cli -s new.sock set session:1 theirs; fi; : >again\"\n\
                 [step.fail]\nrun = \"false\"\neffect = \"none\"\non_failure = { rollback_to = \"it_export\", then = { retry = 1 } }\n";
    let bench = redis_bench(steps, "[\"it_export\", \"between\", \"it_import\", \"fail\"]");
    let (old, new) = (Redis::start(&bench, "old.sock"), Redis::start(&bench, "new.sock"));
    old.says(KEYS);
    let (out, _) = bench.does(&["exec", "verbs.toml"], 4);
    assert!(out.contains("the new server has 1 of these keys already"), "{out}");
    assert_eq!(new.says("DBSIZE\nGET session:1\n"), "(integer) 1\n\"theirs\"\n");
    assert_eq!(left(&bench.path(""), "redis-sessions"), Vec::<String>::new());
}

#[test]
fn what_a_run_has_carried_and_kept_is_in_nobody_s_way_afterwards() {
    // The same part twice, and then another run while the first one's files are still there.
    let other = "[part.more]\nuse = \"redis-sessions.toml\"\nwith = { old = 'redis-cli -s old.sock', new = 'redis-cli -s new.sock', pattern = 'cart:*' }\n";
    let bench = redis_bench(other, "[\"it\", \"more\"]");
    let (old, new) = (Redis::start(&bench, "old.sock"), Redis::start(&bench, "new.sock"));
    old.says(&format!("{KEYS}SET cart:1 full\n"));
    bench.does(&["exec", "verbs.toml"], 0);
    assert_eq!(new.says("DBSIZE\nGET cart:1\n"), "(integer) 5\n\"full\"\n");
    let first = bench.run();
    let kept = left(&bench.path(""), &first);
    assert!(kept.len() > 4, "{kept:?}");
    // They have come to the end of their life there.
    new.says("FLUSHALL\n");
    old.says("DEL session:1\nSET session:3 late\n");
    bench.does(&["exec", "verbs.toml", "--close", &first], 0);
    assert_eq!(new.says("DBSIZE\nGET session:3\n"), "(integer) 5\n\"late\"\n");
    new.says("SET session:1 theirs\n");
    bench.does(&["rollback", "--reason", "enough"], 0);
    assert_eq!(new.says("DBSIZE\nGET session:1\n"), "(integer) 1\n\"theirs\"\n", "only what this run has carried");
    assert_eq!(left(&bench.path(""), "redis-sessions"), kept, "the first one's are there until somebody removes them");
}

#[test]
fn keys_that_the_new_server_has_already_are_neither_replaced_nor_taken_away() {
    let bench = redis_bench("", "[\"it\"]");
    let (old, new) = (Redis::start(&bench, "old.sock"), Redis::start(&bench, "new.sock"));
    old.says(KEYS);
    new.says("SET session:1 mine\n");
    let (out, _) = bench.does(&["exec", "verbs.toml"], 4);
    assert!(out.contains("the new server has 1 of these keys already"), "{out}");
    assert_eq!(new.says("DBSIZE\nGET session:1\n"), "(integer) 1\n\"mine\"\n");
}

#[test]
fn a_pattern_that_matches_no_key_carries_nothing_and_says_so() {
    let bench = redis_bench("", "[\"it\"]");
    let (old, _new) = (Redis::start(&bench, "old.sock"), Redis::start(&bench, "new.sock"));
    old.says("SET other 1\n");
    let (out, _) = bench.does(&["exec", "verbs.toml"], 4);
    assert!(out.contains("too few keys match"), "{out}");
    bench.does(&["exec", "verbs.toml", "--var", "it_keys_min=0"], 0);
}

#[test]
fn a_failure_behind_the_import_takes_it_back_by_itself() {
    let bench =
        redis_bench("[step.fail]\nrun = \"false\"\neffect = \"none\"\n", "[\"it_export\", \"it_import\", \"fail\"]");
    let (old, new) = (Redis::start(&bench, "old.sock"), Redis::start(&bench, "new.sock"));
    old.says(KEYS);
    bench.does(&["exec", "verbs.toml"], 4);
    assert_eq!(new.says("DBSIZE\n"), "(integer) 0\n");
}

/// What `HAProxy` answers on its admin socket.
fn haproxy_says(bench: &Bench, words: &str) -> String {
    let mut said = String::new();
    let Ok(mut socket) = UnixStream::connect(bench.path("admin.sock")) else { return said };
    let asked = socket.write_all(format!("{words}\n").as_bytes());
    let _ = asked.and_then(|()| socket.read_to_string(&mut said));
    said
}

fn status(bench: &Bench) -> String {
    let said = haproxy_says(bench, "show stat");
    let line = said.lines().find(|line| line.starts_with("shop,old,")).unwrap_or_default();
    line.split(',').nth(17).unwrap_or_default().to_owned()
}

/// The part, and an `HAProxy` with this server.
fn drain_bench(server: &TcpListener) -> (Bench, Server) {
    let with = "admin = 'UNIX-CONNECT:admin.sock', server = 'shop/old'";
    let bench = bench("drain-connections.toml", with, "[\"it\"]", "");
    let config = format!(
        "global\n stats socket {} level admin\ndefaults\n mode tcp\n timeout connect 5s\n timeout client 1h\n timeout server 1h\n\
         frontend door\n bind unix@{}\n default_backend shop\nbackend shop\n server old {}\n",
        bench.path("admin.sock").display(),
        bench.path("door.sock").display(),
        server.local_addr().expect("it has one"),
    );
    fs::write(bench.path("haproxy.cfg"), config).expect("written");
    let path = format!("{}:/usr/sbin", std::env::var("PATH").unwrap_or_default());
    let mut haproxy = Command::new("haproxy");
    haproxy.env("PATH", path).arg("-f").arg(bench.path("haproxy.cfg"));
    let haproxy = haproxy.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    let haproxy = Server(haproxy.expect("these tests need HAProxy: apt-get install haproxy"));
    until("HAProxy answers", || !status(&bench).is_empty());
    (bench, haproxy)
}

#[test]
fn a_drained_server_keeps_its_connections_until_they_end_and_is_ready_again_when_taken_back() {
    let server = TcpListener::bind("127.0.0.1:0").expect("a port");
    let (bench, _haproxy) = drain_bench(&server);
    bench.does(&["check", "--strict", "verbs.toml"], 0);

    let mut customer = UnixStream::connect(bench.path("door.sock")).expect("the door is open");
    let (mut led, _): (TcpStream, _) = server.accept().expect("it is led to the server");
    let mut run = Command::new(env!("CARGO_BIN_EXE_runbook"))
        .args(["exec", "verbs.toml"])
        .current_dir(bench.path(""))
        .env("RUNBOOK_STATE_DIR", bench.path("state"))
        .stdout(Stdio::null())
        .spawn()
        .expect("it starts");
    until("the server is drained", || status(&bench) == "DRAIN");
    // The customer is still served.
    customer.write_all(b"x").expect("it is open");
    let mut byte = [0];
    led.read_exact(&mut byte).expect("it arrives");
    assert!(run.try_wait().expect("it is our child").is_none(), "it waits for the customer");
    drop((customer, led));
    assert_eq!(run.wait().expect("it ends").code(), Some(0));
    bench.does(&["rollback", "--reason", "enough"], 0);
    assert_ne!(status(&bench), "DRAIN");
}

#[test]
fn a_server_that_somebody_has_taken_out_of_service_is_not_opened_by_the_way_back() {
    let server = TcpListener::bind("127.0.0.1:0").expect("a port");
    let (bench, _haproxy) = drain_bench(&server);
    for (order, is) in [("maint", "MAINT"), ("drain", "DRAIN")] {
        haproxy_says(&bench, &format!("set server shop/old state {order}"));
        let (out, _) = bench.does(&["exec", "verbs.toml"], 4);
        assert!(out.contains("somebody has taken it out of service already"), "{out}");
        assert_eq!(status(&bench), is);
    }
}
