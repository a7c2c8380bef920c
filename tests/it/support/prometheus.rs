//! A Prometheus server of its own for the tests that need one: on a loopback port of its own, in a temporary folder,
//! scraping nothing.

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
        let folder = tempfile::tempdir().expect("a temporary folder");
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
        let Ok(mut stream) = TcpStream::connect(&self.address) else { return false };
        let request = format!("GET /-/ready HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n", self.address);
        let mut answer = String::new();
        stream.write_all(request.as_bytes()).is_ok()
            && stream.read_to_string(&mut answer).is_ok()
            && answer.starts_with("HTTP/1.1 200")
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
