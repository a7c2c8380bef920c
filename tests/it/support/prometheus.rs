//! A Prometheus server of its own for the tests that need one: on a loopback port of its own, in a temporary folder,
//! scraping nothing. It may have a past.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A running server; ends when it is dropped.
pub(crate) struct Prometheus {
    address: String,
    process: Child,
    _folder: tempfile::TempDir,
}

impl Prometheus {
    pub(crate) fn start() -> Self {
        Self::in_folder(tempfile::tempdir().expect("a temporary folder"))
    }

    /// One that remembers these samples: `OpenMetrics`, with times.
    pub(crate) fn remembering(samples: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("samples.txt");
        fs::write(&file, samples).expect("the samples can be written");
        let filled = Command::new("promtool")
            .args(["tsdb", "create-blocks-from", "openmetrics"])
            .args([&file, &folder.path().join("data")])
            .output()
            .expect("these tests need promtool: apt-get install prometheus");
        assert!(filled.status.success(), "{}", String::from_utf8_lossy(&filled.stderr));
        Self::in_folder(folder)
    }

    fn in_folder(folder: tempfile::TempDir) -> Self {
        let config = folder.path().join("prometheus.yml");
        fs::write(&config, "scrape_configs: []\n").expect("its configuration can be written");
        let free = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a free port");
        let process = Command::new("prometheus")
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", folder.path().join("data").display()))
            .arg(format!("--web.listen-address={free}"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("these tests need Prometheus: apt-get install prometheus");
        let mut server = Self { address: free.to_string(), process, _folder: folder };
        let give_up = Instant::now() + Duration::from_mins(1);
        while !server.is_ready() {
            let ended = server.process.try_wait().expect("the server can be waited for");
            assert!(ended.is_none() && Instant::now() < give_up, "Prometheus did not start: {ended:?}");
            std::thread::sleep(Duration::from_millis(20));
        }
        server
    }

    /// `http://...`.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    fn is_ready(&self) -> bool {
        self.get("/-/ready").is_some_and(|answer| answer.starts_with("HTTP/1.0 200"))
    }

    /// What it answers, head and body.
    pub(crate) fn get(&self, path: &str) -> Option<String> {
        let mut stream = TcpStream::connect(&self.address).ok()?;
        stream.write_all(format!("GET {path} HTTP/1.0\r\nhost: {}\r\n\r\n", self.address).as_bytes()).ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        Some(answer)
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
