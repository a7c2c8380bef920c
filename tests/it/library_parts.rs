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

/// A server of a test; ends when it is dropped.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn until(what: &str, so: impl Fn() -> bool) {
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
    let left = fs::read_dir(bench.path("")).expect("a folder").map(|entry| entry.expect("an entry").file_name());
    let left: Vec<_> = left
        .filter(|name| name.to_string_lossy().starts_with("redis-sessions.") && name != "redis-sessions.toml")
        .collect();
    assert!(left.is_empty(), "{left:?}");
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

#[test]
fn a_drained_server_keeps_its_connections_until_they_end_and_is_ready_again_when_taken_back() {
    let with = "admin = 'UNIX-CONNECT:admin.sock', server = 'shop/old'";
    let bench = bench("drain-connections.toml", with, "[\"it\"]", "");
    let server = TcpListener::bind("127.0.0.1:0").expect("a port");
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
    let _haproxy = Server(haproxy.expect("these tests need HAProxy: apt-get install haproxy"));
    until("HAProxy answers", || !status(&bench).is_empty());
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
