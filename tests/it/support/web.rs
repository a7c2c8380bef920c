//! A tiny HTTP server: what it does with a connection is the test's.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};

/// A request as it came in.
#[derive(Debug)]
pub(crate) struct Asked {
    /// The first line.
    pub(crate) line: String,
    /// The header lines.
    pub(crate) headers: Vec<String>,
    /// As long as `content-length` says.
    pub(crate) body: String,
}

/// A connection on which a request has come in.
pub(crate) struct Open(TcpStream);

impl Open {
    /// Answers and closes.
    pub(crate) fn answer(mut self, status: u16, headers: &str, body: &str) {
        let length = body.len();
        let head = format!("HTTP/1.1 {status} So\r\ncontent-length: {length}\r\nconnection: close\r\n{headers}\r\n");
        self.send(&(head + body));
    }

    /// Sends bytes as they are. The other side may be gone, as some tests want.
    pub(crate) fn send(&mut self, bytes: &str) {
        let _ = self.0.write_all(bytes.as_bytes());
        let _ = self.0.flush();
    }

    /// Waits until the other side has closed the connection.
    pub(crate) fn await_close(mut self) {
        let _ = self.0.read_to_end(&mut Vec::new());
    }
}

/// Starts a server that hands every request to `react`, each in a thread of its own; gives its address. It ends with the
/// test's process.
pub(crate) fn serve(react: impl Fn(Asked, Open) + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = format!("http://{}", listener.local_addr().expect("it is bound"));
    let react = std::sync::Arc::new(react);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let react = std::sync::Arc::clone(&react);
            std::thread::spawn(move || {
                if let Some(asked) = read(&stream) {
                    react(asked, Open(stream));
                }
            });
        }
    });
    address
}

/// An address at which nobody listens.
pub(crate) fn nobody() -> String {
    let free = TcpListener::bind("127.0.0.1:0").expect("a free port");
    format!("http://{}", free.local_addr().expect("it is bound"))
}

fn read(stream: &TcpStream) -> Option<Asked> {
    let mut reader = BufReader::new(stream);
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        match line.trim_end() {
            "" => break,
            line => lines.push(line.to_owned()),
        }
    }
    let length = lines
        .iter()
        .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ").and_then(|n| n.parse().ok()))
        .unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let line = lines.remove(0);
    Some(Asked { line, headers: lines, body: String::from_utf8_lossy(&body).into_owned() })
}
