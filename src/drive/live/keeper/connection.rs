//! The keeper's end of one conversation: lines in, lines out, never waiting for the other side.

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::rc::Rc;

use super::protocol::{Message, Request, line};

/// A side that does not read for so long is dropped; when it comes again it hears all that is known.
const UNREAD_MAX: usize = 64 << 20;

/// One side that talks to us.
#[derive(Debug)]
pub(super) struct Connection {
    stream: UnixStream,
    heard: Vec<u8>,
    unsent: Vec<u8>,
    gone: bool,
    /// The environment of what is started through it.
    pub(super) environment: Rc<[(OsString, OsString)]>,
    /// Something could not be sent yet.
    pub(super) waits: bool,
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

impl Connection {
    /// A conversation over this stream, which does not block.
    pub(super) fn new(stream: UnixStream) -> Self {
        Self { stream, heard: Vec::new(), unsent: Vec::new(), gone: false, environment: Rc::default(), waits: false }
    }

    /// Says this at the next [`Connection::send`].
    pub(super) fn say(&mut self, message: &Message) {
        self.unsent.extend(line(message));
        self.gone |= self.unsent.len() > UNREAD_MAX;
    }

    /// All that was asked since the last time. Somebody who does not speak our language is not answered.
    pub(super) fn hear(&mut self) -> Vec<Request> {
        let mut buffer = [0; 16 << 10];
        let mut requests = Vec::new();
        loop {
            match self.stream.read(&mut buffer) {
                Ok(0) => self.gone = true,
                Ok(count) => {
                    let from = self.heard.len();
                    self.heard.extend_from_slice(&buffer[..count]);
                    self.split(from, &mut requests);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return requests,
                Err(_) => self.gone = true,
            }
            if self.gone {
                return requests;
            }
        }
    }

    /// Takes whole lines out of what was heard; `from` is where the new part begins.
    fn split(&mut self, from: usize, requests: &mut Vec<Request>) {
        let Some(last) = self.heard[from..].iter().rposition(|byte| *byte == b'\n') else { return };
        let rest = self.heard.split_off(from + last + 1);
        let whole = std::mem::replace(&mut self.heard, rest);
        for text in whole.split(|byte| *byte == b'\n').filter(|text| !text.is_empty()) {
            match serde_json::from_slice(text) {
                Ok(request) => requests.push(request),
                Err(error) => {
                    eprintln!("could not understand a request: {error}");
                    self.gone = true;
                    return;
                }
            }
        }
    }

    /// Sends what it can. `false`: the other side is gone.
    pub(super) fn send(&mut self) -> bool {
        while !self.gone && !self.unsent.is_empty() {
            match self.stream.write(&self.unsent) {
                Ok(count) => drop(self.unsent.drain(..count)),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(_) => self.gone = true,
            }
        }
        self.waits = !self.unsent.is_empty();
        !self.gone
    }
}
