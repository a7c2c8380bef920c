//! Just enough NATS for a log: its text protocol over one plain connection, and the calls of `JetStream`'s JSON API that
//! append to a stream and read from it. [The protocol](https://docs.nats.io/reference/reference-protocols/nats-protocol)
//! is lines; `JetStream` is requests on subjects that begin with `$JS.API`.

use std::fmt::Write as _;
use std::io;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as BASE64;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// For an answer of the server.
const PATIENCE: Duration = Duration::from_secs(3);
/// What answers come in on. A connection has a subject of its own below it.
const INBOX: &str = "_INBOX.rig";
/// The numbers of our two subscriptions.
const ANSWERS: &str = "1";
const PULLED: &str = "2";
/// What `JetStream` calls it when a condition of an append does not hold, when there is no such message, and when the
/// stream cannot store a message, which says why.
const WRONG_LAST_SEQUENCE: u64 = 10_071;
const NO_MESSAGE: u64 = 10_037;
const STORE_FAILED: u64 = 10_077;

/// An open connection. After an error it may be in the middle of an answer: drop it.
pub(crate) struct Nats {
    stream: BufReader<TcpStream>,
    inbox: String,
    requests: u64,
}

/// What came in.
struct Message {
    /// Whom to answer; for a message of a stream, what is acknowledged.
    reply_to: String,
    /// The status of a message that is none, such as 408: nothing more to be had now.
    status: Option<u16>,
    body: Vec<u8>,
}

/// Which message is waited for. Those that a consumer delivers bear the subject that they were appended under.
enum Wanted {
    Pulled,
    AnswerOn(String),
}

/// What became of an append.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Appended {
    /// It is in the stream, at this sequence.
    At(u64),
    /// Something else was appended first: it is not in the stream.
    Overtaken,
    /// The stream holds as much as it may: it is not in the stream.
    Full,
}

/// On what condition something is appended.
pub(crate) enum Provided {
    Always,
    /// The stream ends at this sequence.
    EndsAt(u64),
    /// This is the last sequence of its own subject.
    SubjectEndsAt(u64),
}

/// One delivery of a message by a consumer.
pub(crate) struct Delivery {
    /// Where it stands in the stream.
    pub(crate) sequence: u64,
    /// From 1: how often it was delivered.
    pub(crate) times: u64,
    /// How many more the consumer has.
    pub(crate) pending: u64,
    pub(crate) body: Vec<u8>,
    ack: String,
}

impl Nats {
    pub(crate) async fn connect(port: u16) -> io::Result<Self> {
        let open = async {
            let stream = TcpStream::connect(("127.0.0.1", port)).await?;
            stream.set_nodelay(true)?;
            // Two of ours never talk on one connection, but the server tells all subscribers of a subject.
            let own = format!("{INBOX}.{}.{}", std::process::id(), stream.local_addr()?.port());
            let mut nats = Self { stream: BufReader::new(stream), inbox: own, requests: 0 };
            let greeting = nats.line().await?;
            if !greeting.starts_with("INFO ") {
                return Err(garbled(&greeting));
            }
            let hello = json!({ "verbose": false, "pedantic": false, "headers": true, "no_responders": true });
            let inbox = &nats.inbox;
            let subscribe = format!(
                "CONNECT {hello}\r\nSUB {inbox}.answers.* {ANSWERS}\r\nSUB {inbox}.pulled {PULLED}\r\nPING\r\n"
            );
            nats.stream.write_all(subscribe.as_bytes()).await?;
            loop {
                match nats.line().await?.as_str() {
                    "PONG" => return Ok(nats),
                    refused if refused.starts_with("-ERR") => return Err(io::Error::other(refused.to_owned())),
                    _ => {}
                }
            }
        };
        within(PATIENCE, open).await
    }

    /// Asks `JetStream`'s API. An error that it reports is an error here.
    pub(crate) async fn ask(&mut self, call: &str, body: &Value) -> io::Result<Value> {
        let answer = self.request_api(call, body).await?;
        match answer.get("error") {
            None => Ok(answer),
            Some(error) => Err(io::Error::other(error.to_string())),
        }
    }

    /// Appends a message, and waits until the stream has it. With an `id` a second one within the stream's window of
    /// duplicates is not appended: the first one is told again.
    pub(crate) async fn append(
        &mut self,
        subject: &str,
        id: Option<&str>,
        provided: &Provided,
        body: &[u8],
    ) -> io::Result<Appended> {
        let mut headers = String::new();
        if let Some(id) = id {
            let _ = write!(headers, "Nats-Msg-Id: {id}\r\n");
        }
        match provided {
            Provided::Always => {}
            Provided::EndsAt(last) => drop(write!(headers, "Nats-Expected-Last-Sequence: {last}\r\n")),
            Provided::SubjectEndsAt(last) => drop(write!(headers, "Nats-Expected-Last-Subject-Sequence: {last}\r\n")),
        }
        let answer = self.request(subject, &headers, body).await?;
        let answer: Value = serde_json::from_slice(&answer.body)?;
        match (answer["seq"].as_u64(), answer["error"]["err_code"].as_u64()) {
            (_, Some(WRONG_LAST_SEQUENCE)) => Ok(Appended::Overtaken),
            (_, Some(STORE_FAILED)) if answer["error"]["description"] == "maximum messages exceeded" => {
                Ok(Appended::Full)
            }
            (Some(sequence), None) => Ok(Appended::At(sequence)),
            _ => Err(io::Error::other(answer.to_string())),
        }
    }

    /// Hands over messages without waiting for the stream to have each: for making up a past.
    pub(crate) async fn hand_over(&mut self, subject: &str, body: &[u8]) -> io::Result<()> {
        self.publish(subject, "", "", body).await
    }

    /// The last message of a subject with its sequence, if there is one.
    pub(crate) async fn last_of(&mut self, stream: &str, subject: &str) -> io::Result<Option<(u64, Vec<u8>)>> {
        self.message_of(stream, &json!({ "last_by_subj": subject })).await
    }

    /// The first message of a subject from a sequence on, with its own.
    pub(crate) async fn next_of(
        &mut self,
        stream: &str,
        subject: &str,
        from: u64,
    ) -> io::Result<Option<(u64, Vec<u8>)>> {
        self.message_of(stream, &json!({ "next_by_subj": subject, "seq": from })).await
    }

    async fn message_of(&mut self, stream: &str, which: &Value) -> io::Result<Option<(u64, Vec<u8>)>> {
        let answer = self.request_api(&format!("STREAM.MSG.GET.{stream}"), which).await?;
        if answer["error"]["err_code"] == NO_MESSAGE {
            return Ok(None);
        }
        let message = &answer["message"];
        // A message without a body has no data.
        let data = BASE64.decode(message["data"].as_str().unwrap_or_default()).map_err(io::Error::other)?;
        let sequence = message["seq"].as_u64().ok_or_else(|| garbled(&answer.to_string()))?;
        Ok(Some((sequence, data)))
    }

    /// A consumer that reads a stream from a sequence on, and has each message acknowledged. It is forgotten when nobody
    /// has asked it for a while. Returns its name.
    pub(crate) async fn consume(&mut self, stream: &str, from: u64) -> io::Result<String> {
        let config = json!({
            "deliver_policy": "by_start_sequence", "opt_start_seq": from, "ack_policy": "explicit",
            "ack_wait": nanos(Duration::from_millis(500)), "max_ack_pending": 1000,
            "inactive_threshold": nanos(Duration::from_secs(10)),
        });
        let body = json!({ "stream_name": stream, "config": config });
        let answer = self.ask(&format!("CONSUMER.CREATE.{stream}"), &body).await?;
        answer["name"].as_str().map(str::to_owned).ok_or_else(|| garbled("no name of a consumer"))
    }

    /// Asks a consumer for up to `batch` messages within `expires`; [`delivery`](Self::delivery) then has them.
    pub(crate) async fn pull(&mut self, stream: &str, consumer: &str, batch: u32, expires: Duration) -> io::Result<()> {
        let body = json!({ "batch": batch, "expires": nanos(expires) }).to_string();
        let reply_to = format!("{}.pulled", self.inbox);
        let subject = format!("$JS.API.CONSUMER.MSG.NEXT.{stream}.{consumer}");
        self.publish(&subject, &reply_to, "", body.as_bytes()).await
    }

    /// The next delivery that was pulled; `None` when that pull is over. Silence is an error.
    pub(crate) async fn delivery(&mut self, expires: Duration) -> io::Result<Option<Delivery>> {
        let message = within(expires + PATIENCE, self.message(&Wanted::Pulled)).await?;
        if message.status.is_some() {
            return Ok(None);
        }
        // $JS.ACK.<stream>.<consumer>.<times>.<sequence>.<of the consumer>.<time>.<pending>
        let words: Vec<&str> = message.reply_to.split('.').collect();
        let number = |place: usize| words.get(place).and_then(|word| word.parse().ok());
        match (number(4), number(5), number(8)) {
            (Some(times), Some(sequence), Some(pending)) => {
                Ok(Some(Delivery { sequence, times, pending, body: message.body, ack: message.reply_to }))
            }
            _ => Err(garbled(&message.reply_to)),
        }
    }

    /// Tells the consumer that a message need not come again.
    pub(crate) async fn acknowledge(&mut self, delivery: &Delivery) -> io::Result<()> {
        self.publish(&delivery.ack, "", "", b"+ACK").await
    }

    /// Tells the consumer that a message must come again.
    pub(crate) async fn refuse(&mut self, delivery: &Delivery) -> io::Result<()> {
        self.publish(&delivery.ack, "", "", b"-NAK").await
    }

    async fn request_api(&mut self, call: &str, body: &Value) -> io::Result<Value> {
        let answer = self.request(&format!("$JS.API.{call}"), "", body.to_string().as_bytes()).await?;
        Ok(serde_json::from_slice(&answer.body)?)
    }

    async fn request(&mut self, subject: &str, headers: &str, body: &[u8]) -> io::Result<Message> {
        self.requests += 1;
        let reply_to = format!("{}.answers.{}", self.inbox, self.requests);
        let exchange = async {
            self.publish(subject, &reply_to, headers, body).await?;
            self.message(&Wanted::AnswerOn(reply_to)).await
        };
        let answer = within(PATIENCE, exchange).await?;
        if answer.status == Some(503) {
            return Err(io::Error::other(format!("nobody answers on {subject}")));
        }
        Ok(answer)
    }

    async fn publish(&mut self, subject: &str, reply_to: &str, headers: &str, body: &[u8]) -> io::Result<()> {
        let mut frame = if headers.is_empty() {
            format!("PUB {subject} {reply_to} {}\r\n", body.len()).into_bytes()
        } else {
            let headers = format!("NATS/1.0\r\n{headers}\r\n");
            let all = headers.len() + body.len();
            format!("HPUB {subject} {reply_to} {} {all}\r\n{headers}", headers.len()).into_bytes()
        };
        frame.extend_from_slice(body);
        frame.extend_from_slice(b"\r\n");
        self.stream.write_all(&frame).await
    }

    /// The next message that answers what was asked; answers that came too late for something else are thrown away.
    async fn message(&mut self, wanted: &Wanted) -> io::Result<Message> {
        loop {
            let line = self.line().await?;
            let words: Vec<&str> = line.split_whitespace().collect();
            // MSG subject subscription [reply-to] size, and HMSG subject subscription [reply-to] head-size size
            let (subject, subscription, reply_to, head, size) = match words[..] {
                ["MSG", subject, subscription, size] => (subject, subscription, "", "0", size),
                ["MSG", subject, subscription, reply_to, size] => (subject, subscription, reply_to, "0", size),
                ["HMSG", subject, subscription, head, size] => (subject, subscription, "", head, size),
                ["HMSG", subject, subscription, reply_to, head, size] => (subject, subscription, reply_to, head, size),
                ["PING"] => {
                    self.stream.write_all(b"PONG\r\n").await?;
                    continue;
                }
                ["-ERR", ..] => return Err(io::Error::other(line)),
                ["PONG" | "+OK" | "INFO", ..] => continue,
                _ => return Err(garbled(&line)),
            };
            let length = |word: &str| word.parse::<usize>().map_err(|_| garbled(&line));
            let (head, size) = (length(head)?, length(size)?);
            let mut frame = vec![0; size + 2];
            self.stream.read_exact(&mut frame).await?;
            frame.truncate(size);
            let body = frame.split_off(head.min(size));
            let answers = match wanted {
                Wanted::Pulled => subscription == PULLED,
                Wanted::AnswerOn(inbox) => subject == inbox,
            };
            if answers {
                return Ok(Message { reply_to: reply_to.to_owned(), status: status(&frame), body });
            }
        }
    }

    async fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        if self.stream.read_line(&mut line).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        line.truncate(line.trim_end().len());
        Ok(line)
    }
}

/// The status in the headers of a message, if there is one: `NATS/1.0 408 Request Timeout`.
fn status(headers: &[u8]) -> Option<u16> {
    std::str::from_utf8(headers).ok()?.lines().next()?.strip_prefix("NATS/1.0")?.split_whitespace().next()?.parse().ok()
}

async fn within<T>(patience: Duration, work: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    timeout(patience, work).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

/// `JetStream` has its durations in nanoseconds.
fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

fn garbled(line: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("NATS said {line:?}"))
}
