//! Just enough HTTP for an example service to be asked and told things on loopback: one request a connection.

use std::io;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// What was asked.
pub(crate) struct Request {
    /// `GET`, `PUT`.
    pub(crate) method: String,
    /// `/status`.
    pub(crate) path: String,
    /// JSON, or null where there was none.
    pub(crate) body: serde_json::Value,
}

/// Answers requests for ever. `answer` gives the status and the JSON that goes with it.
pub(crate) async fn serve(listener: TcpListener, answer: impl AsyncFn(Request) -> (u16, serde_json::Value)) {
    loop {
        // A caller that breaks off is the caller's affair.
        if let Ok((stream, _)) = listener.accept().await {
            let _ = exchange(stream, &answer).await;
        }
    }
}

async fn exchange(stream: TcpStream, answer: &impl AsyncFn(Request) -> (u16, serde_json::Value)) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    stream.read_line(&mut line).await?;
    let mut words = line.split_whitespace().map(str::to_owned);
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let mut length = 0;
    loop {
        line.clear();
        stream.read_line(&mut line).await?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse().unwrap_or(0).min(65_536);
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    let body = serde_json::from_slice(&body).unwrap_or_default();
    let (status, json) = answer(Request { method, path, body }).await;
    let json = json.to_string();
    let head = format!(
        "HTTP/1.1 {status} -\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        json.len()
    );
    stream.write_all((head + &json).as_bytes()).await?;
    stream.shutdown().await
}
