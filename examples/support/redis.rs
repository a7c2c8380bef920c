//! Just enough of Redis's protocol (RESP 2) for the commands of the examples, over one plain connection.

use std::fmt::Write as _;
use std::io;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

/// An open connection. After an error it may be in the middle of an answer: drop it.
pub(crate) struct Redis(BufReader<TcpStream>);

/// An answer of the server.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Reply {
    /// `+OK`, and texts.
    Text(String),
    Number(i64),
    /// There is no such thing.
    Nothing,
    List(Vec<Reply>),
}

impl Redis {
    pub(crate) async fn connect(port: u16) -> io::Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port)).await?;
        stream.set_nodelay(true)?;
        Ok(Self(BufReader::new(stream)))
    }

    pub(crate) async fn ask(&mut self, words: &[&str]) -> io::Result<Reply> {
        let mut replies = self.ask_all(&[words.to_vec()]).await?;
        replies.pop().ok_or_else(|| garbled("no answer"))
    }

    /// Sends all commands at once and reads all answers. An error that the server reports fails the whole.
    pub(crate) async fn ask_all(&mut self, commands: &[Vec<&str>]) -> io::Result<Vec<Reply>> {
        let mut text = String::new();
        for words in commands {
            let _ = write!(text, "*{}\r\n", words.len());
            for word in words {
                let _ = write!(text, "${}\r\n{word}\r\n", word.len());
            }
        }
        self.0.write_all(text.as_bytes()).await?;
        let mut replies = Vec::with_capacity(commands.len());
        for _ in commands {
            replies.push(self.reply().await?);
        }
        Ok(replies)
    }

    async fn reply(&mut self) -> io::Result<Reply> {
        let mut line = String::new();
        if self.0.read_line(&mut line).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let line = line.trim_end();
        let (kind, rest) = line.split_at_checked(1).ok_or_else(|| garbled(line))?;
        let number = || rest.parse::<i64>().map_err(|_| garbled(line));
        match kind {
            "+" => Ok(Reply::Text(rest.to_owned())),
            "-" => Err(io::Error::other(rest.to_owned())),
            ":" => Ok(Reply::Number(number()?)),
            "$" => match usize::try_from(number()?) {
                Ok(length) => {
                    let mut text = vec![0; length + 2];
                    self.0.read_exact(&mut text).await?;
                    text.truncate(length);
                    String::from_utf8(text).map(Reply::Text).map_err(|_| garbled("not text"))
                }
                Err(_) => Ok(Reply::Nothing),
            },
            "*" => {
                let mut list = Vec::new();
                for _ in 0..number()? {
                    list.push(Box::pin(self.reply()).await?);
                }
                Ok(Reply::List(list))
            }
            _ => Err(garbled(line)),
        }
    }
}

fn garbled(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("not an answer of Redis: {what}"))
}
