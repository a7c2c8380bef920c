//! The part that pauses `PgBouncer`, on a real one in front of a real `PostgreSQL`.

use std::fs;
use std::io::Write as _;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::cli::Bench;
use super::support::{postgres, processes};

const PATIENCE: Duration = Duration::from_mins(1);
const SECRET: [(&str, &str); 1] = [("DOOR_PASSWORD", "open sesame")];

struct Door {
    process: Child,
    port: u16,
    _database: Arc<postgres::Server>,
    _folder: tempfile::TempDir,
}

impl Drop for Door {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn until(what: &str, so: impl Fn() -> bool) {
    let began = Instant::now();
    while !so() {
        assert!(began.elapsed() < PATIENCE, "never: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

impl Door {
    fn start(query_wait_timeout: u32) -> Self {
        use std::os::unix::fs::PermissionsExt as _;
        let database = postgres::Server::shared();
        let folder = tempfile::tempdir().expect("a folder");
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("it is ours");
        let port = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a port").port();
        let behind = database.url("tester");
        let behind = behind.rsplit_once(':').and_then(|(_, rest)| rest.split('/').next()).expect("a port");
        let users = folder.path().join("users");
        fs::write(&users, "\"tester\" \"open sesame\"\n").expect("written");
        let config = folder.path().join("pgbouncer.ini");
        let text = format!(
            "[databases]\nshop = host=127.0.0.1 port={behind} dbname=postgres user=tester\n[pgbouncer]\nlisten_addr = 127.0.0.1\n\
             listen_port = {port}\nunix_socket_dir =\nauth_type = md5\nauth_file = {}\nadmin_users = tester\n\
             pool_mode = transaction\nquery_wait_timeout = {query_wait_timeout}\n",
            users.display()
        );
        fs::write(&config, text).expect("written");
        let mut command = Command::new("/usr/sbin/pgbouncer");
        if rustix::process::geteuid().is_root() {
            command.args(["-u", "nobody"]);
        }
        let process = command.arg(&config).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let process = process.expect("these tests need PgBouncer: apt-get install pgbouncer");
        let door = Self { process, port, _database: database, _folder: folder };
        until("PgBouncer answers", || door.asks("shop", "select 1").status.success());
        door
    }

    fn asks(&self, database: &str, words: &str) -> Output {
        let mut psql = Command::new("psql");
        psql.args(["-X", "-q", "-A", "-t", "-h", "127.0.0.1", "-U", "tester", "-p", &self.port.to_string()]);
        psql.args(["-d", database, "-c", words]).env("PGPASSWORD", "open sesame").output().expect("psql is there")
    }

    fn is_paused(&self) -> bool {
        let said = self.asks("pgbouncer", "SHOW DATABASES");
        let said = String::from_utf8_lossy(&said.stdout).into_owned();
        let shop = said.lines().find(|line| line.starts_with("shop|")).unwrap_or_default();
        shop.split('|').nth(11) == Some("1")
    }

    fn keeps_one_waiting(&self) -> bool {
        let said = self.asks("pgbouncer", "SHOW POOLS");
        let said = String::from_utf8_lossy(&said.stdout).into_owned();
        said.lines().any(|line| line.starts_with("shop|") && line.split('|').nth(3) == Some("1"))
    }

    fn bench(&self, switch: &str) -> Bench {
        self.bench_with(switch, "")
    }

    /// With these values for the part, too.
    fn bench_with(&self, switch: &str, values: &str) -> Bench {
        let bench = Bench::new("");
        let part = Path::new(env!("CARGO_MANIFEST_DIR")).join("runbooks/parts/pgbouncer-pause.toml");
        fs::copy(part, bench.path("pause.toml")).expect("the part is there");
        let text = fs::read_to_string(bench.path("verbs.toml")).expect("written");
        let text = text.replace("[defaults]", "phases = [\"switch\"]\n[defaults]");
        let door = self.port;
        let rest = format!(
            "[vars]\npassword = {{ env = \"DOOR_PASSWORD\", secret = true }}\n[part.hold]\nuse = \"pause.toml\"\n\
             with = {{ host = \"127.0.0.1\", port = {door}, user = \"tester\", database = \"shop\", password = \"{{{{vars.password}}}}\"{values} }}\n\
             [phase.switch]\nsequence = [\"hold\", \"turn\"]\n\
             [step.turn]\nrun = '{switch}'\neffect = \"none\"\n"
        );
        fs::write(bench.path("verbs.toml"), format!("{text}{rest}")).expect("written");
        bench
    }
}

#[test]
fn a_client_waits_while_the_step_behind_the_pause_runs_and_is_served_when_the_phase_ends() {
    let door = Door::start(60);
    // The step lasts until the test has seen that the client waits.
    let bench = door.bench("touch began; until test -e go; do sleep 0.05; done");
    let run = std::thread::scope(|scope| {
        let run = scope.spawn(|| bench.does_with(&SECRET, &["exec", "verbs.toml"], 0));
        until("the step runs", || bench.path("began").exists());
        assert!(door.is_paused());
        let client = scope.spawn(|| door.asks("shop", "select 42"));
        until("the client waits", || door.keeps_one_waiting());
        assert!(!client.is_finished());
        fs::write(bench.path("go"), "").expect("written");
        let answer = client.join().expect("it ends");
        assert_eq!(String::from_utf8_lossy(&answer.stdout), "42\n", "{answer:?}");
        run.join().expect("it ends")
    });
    assert!(!door.is_paused(), "{run:?}");
}

#[test]
fn a_failure_behind_the_pause_lets_the_clients_go() {
    let door = Door::start(60);
    let bench = door.bench("exit 1");
    bench.does_with(&SECRET, &["exec", "verbs.toml"], 4);
    assert!(!door.is_paused());
}

#[test]
fn a_pause_that_could_cut_clients_off_does_not_begin() {
    let door = Door::start(3);
    let bench = door.bench("touch began");
    let said = bench.does_with(&SECRET, &["exec", "verbs.toml"], 4).0;
    assert!(said.contains("query_wait_timeout would cut clients off"), "{said}");
    assert!(!bench.path("began").exists() && !door.is_paused());
}

#[test]
fn who_waits_too_long_while_a_later_step_runs_takes_the_run_back_and_is_served() {
    let door = Door::start(60);
    // It would last for ever.
    let bench = door.bench_with("touch began; sleep 1000", ", bound = 1");
    bench.does_with(&SECRET, &["check", "--strict", "verbs.toml"], 0);
    let (run, answer) = std::thread::scope(|scope| {
        let run = scope.spawn(|| bench.does_with(&SECRET, &["exec", "verbs.toml"], 4).0);
        until("the step runs", || bench.path("began").exists());
        let client = scope.spawn(|| door.asks("shop", "select 42"));
        (run.join().expect("it ends"), client.join().expect("it ends"))
    });
    assert!(run.contains("hold_patience"), "{run}");
    assert_eq!(String::from_utf8_lossy(&answer.stdout), "42\n", "{answer:?}");
    assert!(!door.is_paused());
}

/// A run in the background, its words on no screen.
fn begins(bench: &Bench) -> Child {
    Command::new(env!("CARGO_BIN_EXE_runbook"))
        .args(["exec", "verbs.toml"])
        .current_dir(bench.path(""))
        .env("RUNBOOK_STATE_DIR", bench.path("state"))
        .envs(SECRET)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("it starts")
}

#[test]
fn a_run_killed_during_the_pause_lets_the_clients_go_when_it_is_taken_up() {
    let door = Door::start(60);
    let bench = door.bench("touch began; until test -e go; do sleep 0.05; done");
    let mut run = begins(&bench);
    until("the step runs", || bench.path("began").exists());
    run.kill().expect("it runs");
    run.wait().expect("it ends");
    assert!(door.is_paused(), "nobody let them go");
    fs::write(bench.path("go"), "").expect("written");
    bench.does_with(&SECRET, &["resume"], 0);
    assert!(!door.is_paused());
}

/// A transaction that is open until it is told to end.
struct Transaction(Child);

impl Transaction {
    fn begin(door: &Door) -> Self {
        let mut psql = Command::new("psql");
        psql.args(["-X", "-q", "-h", "127.0.0.1", "-U", "tester", "-p", &door.port.to_string(), "-d", "shop"]);
        psql.env("PGPASSWORD", "open sesame").stdin(Stdio::piped()).stdout(Stdio::null());
        let mut open = Self(psql.spawn().expect("psql is there"));
        open.says("begin; select 1;\n");
        until("it is under way", || {
            let said = String::from_utf8_lossy(&door.asks("pgbouncer", "SHOW SERVERS").stdout).into_owned();
            said.lines().any(|line| line.starts_with("S|") && line.split('|').nth(3) == Some("active"))
        });
        open
    }

    fn says(&mut self, words: &str) {
        self.0.stdin.as_mut().expect("a pipe").write_all(words.as_bytes()).expect("it reads");
    }

    fn commit(mut self) {
        self.says("commit;\n");
        drop(self.0.stdin.take());
        assert!(self.0.wait().expect("it ends").success(), "it was not cut off");
    }
}

#[test]
fn a_host_that_goes_down_while_pause_waits_leaves_nothing_that_a_person_must_decide() {
    let door = Door::start(60);
    let bench = door.bench("touch began");
    let transaction = Transaction::begin(&door);
    let mut run = begins(&bench);
    until("PAUSE is sent", || door.is_paused());
    processes::kill_all(&mut run, &bench.path("state"));
    assert!(door.is_paused() && !bench.path("began").exists(), "PAUSE waits for the transaction");
    std::thread::scope(|scope| {
        let resumed = scope.spawn(|| bench.does_with(&SECRET, &["resume"], 0));
        until("PAUSE is sent again", || {
            let pauses =
                |pid: &i32| fs::read_to_string(format!("/proc/{pid}/cmdline")).is_ok_and(|it| it.contains("PAUSE"));
            processes::of_steps(&bench.path("state")).iter().any(pauses)
        });
        assert!(!bench.path("began").exists(), "it still waits");
        transaction.commit();
        resumed.join().expect("it ends");
    });
    assert!(bench.path("began").exists() && !door.is_paused());
}

#[test]
fn a_pause_that_took_too_long_is_tried_again_when_a_person_says_so() {
    let door = Door::start(60);
    let bench = door.bench("touch began");
    let text = fs::read_to_string(bench.path("verbs.toml")).expect("readable");
    let text = text.replace("[phase.switch]\n", "[phase.switch]\non_failure = \"pause\"\n");
    fs::write(bench.path("verbs.toml"), text).expect("written");
    let transaction = Transaction::begin(&door);
    let mut run = begins(&bench);
    until("the run is paused", || {
        let orders = bench.path("state");
        let status =
            Command::new(env!("CARGO_BIN_EXE_runbook")).arg("status").env("RUNBOOK_STATE_DIR", orders).output();
        String::from_utf8_lossy(&status.expect("it runs").stdout).contains("PAUSED")
    });
    assert!(door.is_paused(), "what PAUSE has begun is there");
    transaction.commit();
    bench.does_with(&SECRET, &["retry", "hold_pause"], 0);
    assert_eq!(run.wait().expect("it ends").code(), Some(0));
    assert!(bench.path("began").exists() && !door.is_paused());
}

#[test]
fn a_host_that_goes_down_while_pause_waits_can_be_taken_back_instead() {
    let door = Door::start(60);
    let bench = door.bench("touch began");
    let transaction = Transaction::begin(&door);
    let mut run = begins(&bench);
    until("PAUSE is sent", || door.is_paused());
    processes::kill_all(&mut run, &bench.path("state"));
    bench.does_with(&SECRET, &["rollback", "--reason", "enough"], 0);
    assert!(!door.is_paused() && !bench.path("began").exists());
    transaction.commit();
}
