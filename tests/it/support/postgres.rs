//! A `PostgreSQL` server of its own for the tests that need one: on a loopback port of its own, as an unprivileged user, in a
//! temporary folder, stopped with the last test that uses it.

use std::fs;
use std::io::ErrorKind;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant};

use sqlx::postgres::PgConnection;
use sqlx::{Connection as _, Executor as _};

/// Whom the server runs as where we are root, which `PostgreSQL` refuses.
const NOBODY: &str = "nobody";

/// A running server. Any role may connect without a password but `guarded`, whose password is [`Server::PASSWORD`].
pub(crate) struct Server {
    port: u16,
    process: Child,
    // Removed last.
    _folder: tempfile::TempDir,
}

impl Server {
    pub(crate) const PASSWORD: &'static str = "swordfish in a URL: @/?";

    /// The server that all tests running now share.
    pub(crate) fn shared() -> Arc<Self> {
        static SHARED: Mutex<Weak<Server>> = Mutex::new(Weak::new());
        let mut shared = SHARED.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        shared.upgrade().unwrap_or_else(|| {
            let server = Arc::new(Self::start());
            *shared = Arc::downgrade(&server);
            server
        })
    }

    /// `postgres://...` for a role.
    pub(crate) fn url(&self, role: &str) -> String {
        format!("postgres://{role}@127.0.0.1:{}/postgres", self.port)
    }

    /// A connection of the test's own.
    pub(crate) async fn connect(&self) -> PgConnection {
        PgConnection::connect(&self.url("tester")).await.expect("the server takes connections")
    }

    fn start() -> Self {
        let programs = programs();
        let folder = tempfile::tempdir().expect("a temporary folder");
        let data = folder.path().join("data");
        fs::create_dir(&data).expect("a folder for the server");
        if rustix::process::geteuid().is_root() {
            open_to_all(folder.path());
            let owner = Command::new("chown").arg(NOBODY).arg(&data).status().expect("chown can be run");
            assert!(owner.success(), "the server's folder could not be given to {NOBODY}");
        }
        let made = unprivileged(&programs.join("initdb"))
            .args(["--no-sync", "--no-instructions", "-A", "trust", "-U", "tester", "-E", "UTF8", "-D"])
            .arg(&data)
            .stdout(Stdio::null())
            .status()
            .expect("initdb can be run");
        assert!(made.success(), "initdb failed");
        let rules = "host all guarded 127.0.0.1/32 scram-sha-256\nhost all all 127.0.0.1/32 trust\n";
        fs::write(data.join("pg_hba.conf"), rules).expect("the server's rules can be written");
        let port = free_port();
        let process = unprivileged(&programs.join("postgres"))
            .arg("-D")
            .arg(&data)
            .args(["-p", &port.to_string(), "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="])
            .args(["-c", "fsync=off", "-c", "max_connections=50", "-c", "log_min_messages=fatal"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("postgres can be run");
        let mut server = Self { port, process, _folder: folder };
        server.await_ready();
        server
    }

    fn await_ready(&mut self) {
        let url = self.url("tester");
        let give_up = Instant::now() + Duration::from_mins(1);
        // Of its own thread: the test that asks may be inside a runtime.
        let process = &mut self.process;
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
                loop {
                    if let Ok(mut connection) = runtime.block_on(PgConnection::connect(&url)) {
                        let role = format!("create role guarded login password '{}'", Self::PASSWORD);
                        let role = sqlx::raw_sql(sqlx::AssertSqlSafe(role));
                        runtime.block_on(connection.execute(role)).expect("a role can be made");
                        return;
                    }
                    let ended = process.try_wait().expect("the server can be waited for");
                    assert!(ended.is_none() && Instant::now() < give_up, "PostgreSQL did not start: {ended:?}");
                    std::thread::sleep(Duration::from_millis(20));
                }
            });
        });
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // INT: end every session and stop.
        let pid = rustix::process::Pid::from_child(&self.process);
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::INT);
        let _ = self.process.wait();
    }
}

/// Where Debian and others keep the server's programs; the newest version.
fn programs() -> PathBuf {
    let mut versions: Vec<PathBuf> = match fs::read_dir("/usr/lib/postgresql") {
        Ok(entries) => entries.flatten().map(|entry| entry.path().join("bin")).collect(),
        Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
        Err(error) => panic!("/usr/lib/postgresql could not be read: {error}"),
    };
    versions.retain(|bin| bin.join("initdb").exists());
    versions.sort();
    versions.pop().expect("these tests need a PostgreSQL server: apt-get install postgresql")
}

/// A command that does not run as root.
fn unprivileged(program: &Path) -> Command {
    if !rustix::process::geteuid().is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid", NOBODY, "--regid", "nogroup", "--clear-groups", "--"]).arg(program).current_dir("/");
    command
}

fn open_to_all(folder: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).expect("our own folder can be opened");
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a free port").port()
}
