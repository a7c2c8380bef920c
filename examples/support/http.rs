//! Just enough HTTP for an example service to be asked and told things on loopback.

use std::io;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
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

/// What goes back: a status, and JSON or plain text.
pub(crate) struct Answer {
    status: u16,
    kind: &'static str,
    body: String,
}

impl From<(u16, serde_json::Value)> for Answer {
    fn from((status, json): (u16, serde_json::Value)) -> Self {
        Self { status, kind: "application/json", body: json.to_string() }
    }
}

impl From<(u16, String)> for Answer {
    fn from((status, body): (u16, String)) -> Self {
        Self { status, kind: "text/plain; version=0.0.4", body }
    }
}

/// Answers for ever, on as many connections as there are, each for as long as its caller keeps it.
pub(crate) async fn serve<A: Into<Answer>>(listener: TcpListener, answer: impl AsyncFn(Request) -> A) {
    let mut open = FuturesUnordered::new();
    loop {
        tokio::select! {
            // A caller that breaks off is the caller's affair.
            accepted = listener.accept() => if let Ok((stream, _)) = accepted {
                open.push(converse(stream, &answer));
            },
            Some(_) = open.next() => {}
        }
    }
}

async fn converse<A: Into<Answer>>(stream: TcpStream, answer: &impl AsyncFn(Request) -> A) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut stream = BufReader::new(stream);
    while let Some((request, wish)) = next_request(&mut stream).await? {
        let Answer { status, kind, body } = answer(request).await.into();
        let connection = match wish {
            Wish::Keep => "keep-alive",
            Wish::Close => "close",
        };
        let head = format!(
            "HTTP/1.1 {status} -\r\ncontent-type: {kind}\r\ncontent-length: {}\r\nconnection: {connection}\r\n\r\n",
            body.len()
        );
        stream.write_all((head + &body).as_bytes()).await?;
        if wish == Wish::Close {
            break;
        }
    }
    stream.shutdown().await
}

/// What the caller wants done with the connection after the answer.
#[derive(PartialEq, Eq)]
enum Wish {
    Keep,
    Close,
}

/// `None` when the caller has hung up.
async fn next_request(stream: &mut BufReader<TcpStream>) -> io::Result<Option<(Request, Wish)>> {
    let mut line = String::new();
    if stream.read_line(&mut line).await? == 0 {
        return Ok(None);
    }
    let mut words = line.split_whitespace().map(str::to_owned);
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let mut wish = if words.next().as_deref() == Some("HTTP/1.1") { Wish::Keep } else { Wish::Close };
    let mut length = 0;
    loop {
        line.clear();
        stream.read_line(&mut line).await?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse().unwrap_or(0).min(65_536);
        }
        if name.eq_ignore_ascii_case("connection") && value.trim().eq_ignore_ascii_case("close") {
            wish = Wish::Close;
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    let body = serde_json::from_slice(&body).unwrap_or_default();
    Ok(Some((Request { method, path, body }, wish)))
}
