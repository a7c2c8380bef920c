//! The control socket of a run: orders and answers from other terminals, news to those who watch (R17).
//!
//! Only the user who drives the run, and root, may speak here, and no process that the run itself has started: a step must
//! not answer its own gate. JSON lines both ways. What follows from a request is the desk's, and then the engine's.

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustix::fs::{Mode, OFlags};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{broadcast, mpsc, oneshot};
use tokio::task::JoinSet;

use crate::engine::Act;
use crate::journal::{Via, Who};
use crate::model::RunId;

/// Where it listens, in the run's folder.
const SOCKET: &str = "control.sock";

/// The longest request.
const REQUEST_MAX: u64 = 64 * 1024;

/// So much news may wait for one who watches slowly; what is older is dropped for them.
const NEWS_MOST: usize = 4096;

/// How long those who watch have to take the last news as the process ends.
const FAREWELL: Duration = Duration::from_millis(300);

/// How long an answer may take: the order must have been recorded.
const ANSWER_WITHIN: Duration = Duration::from_secs(20);

/// What is wanted, by whom and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// What.
    #[serde(flatten)]
    pub want: Want,
    /// Who says so.
    #[serde(default)]
    pub user: String,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// What can be wanted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Want {
    /// An operator's order.
    Act(Act),
    /// An answer at a gate.
    Answer {
        /// Which; may be left out where one is open.
        gate: Option<String>,
        /// Go, or no-go.
        go: bool,
        /// The text that the gate wants typed.
        confirm: Option<String>,
    },
    /// The end of a person's work.
    Work {
        /// Which step.
        step: String,
        /// Whether it is done.
        done: bool,
        /// Proof, or what went wrong.
        note: Option<String>,
    },
    /// All news from now on.
    Subscribe(bool),
}

/// What is answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Reply {
    Ok(bool),
    Error(String),
}

/// A request that waits for its answer.
pub struct Asked {
    /// What is wanted.
    pub want: Want,
    /// By whom and why.
    pub who: Who,
    /// Where the answer goes: whether it was done, else why not.
    pub reply: oneshot::Sender<Result<(), String>>,
}

/// The listening end.
pub struct Control {
    listener: UnixListener,
    path: PathBuf,
    guard: Arc<Guard>,
    connections: JoinSet<()>,
    asking: mpsc::Sender<Asked>,
    asked: mpsc::Receiver<Asked>,
    news: Option<broadcast::Sender<Arc<str>>>,
}

impl Control {
    /// Listens in this folder, which is its owner's alone. The caller drives the run: nobody else listens there.
    pub fn open(folder: &Path, run: &RunId) -> io::Result<Self> {
        let folder = folder.canonicalize()?;
        let path = folder.join(SOCKET);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        let (_held, short) = short(&folder)?;
        let listener = std::os::unix::net::UnixListener::bind(short)?;
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
        listener.set_nonblocking(true)?;
        let (asking, asked) = mpsc::channel(16);
        let (news, _) = broadcast::channel(NEWS_MOST);
        Ok(Self {
            listener: UnixListener::from_std(listener)?,
            path,
            guard: Arc::new(Guard { folder, run: run.clone() }),
            connections: JoinSet::new(),
            asking,
            asked,
            news: Some(news),
        })
    }

    /// The next request. Can be dropped at any await without losing one.
    pub async fn next(&mut self) -> Asked {
        loop {
            tokio::select! {
                Some(asked) = self.asked.recv() => return asked,
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, _)) => self.serve(stream),
                    // Out of descriptors: they come back.
                    Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
                },
                Some(_) = self.connections.join_next() => {}
            }
        }
    }

    fn serve(&mut self, stream: UnixStream) {
        let connection =
            Connection { guard: Arc::clone(&self.guard), asking: self.asking.clone(), news: self.news.clone() };
        self.connections.spawn(async move {
            // Who went away needs no answer.
            let _ = connection.serve(stream).await;
        });
    }

    /// Tells all who watch; most of the time nobody does.
    pub fn tell(&self, line: impl FnOnce() -> String) {
        if let Some(news) = self.news.as_ref().filter(|news| news.receiver_count() > 0) {
            // Whoever has just left is no error.
            let _ = news.send(Arc::from(line()));
        }
    }

    /// Listens no longer; those who watch get what is left.
    pub async fn close(&mut self) {
        self.news = None;
        self.asked.close();
        let rest = async { while self.connections.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(FAREWELL, rest).await;
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

/// One who speaks to us.
struct Connection {
    guard: Arc<Guard>,
    asking: mpsc::Sender<Asked>,
    news: Option<broadcast::Sender<Arc<str>>>,
}

impl Connection {
    async fn serve(self, mut stream: UnixStream) -> io::Result<()> {
        let refused = match stream.peer_cred() {
            Ok(peer) => self.guard.refuses(peer.uid(), peer.pid()),
            Err(error) => Some(format!("could not see who asks: {error}")),
        };
        if let Some(why) = refused {
            return say(&mut stream, &Reply::Error(why)).await;
        }
        let (read, mut write) = stream.into_split();
        // What is asked is short; whoever sends more is cut off.
        let mut lines = tokio::io::BufReader::new(read.take(REQUEST_MAX)).lines();
        while let Some(line) = lines.next_line().await? {
            let request: Request = match serde_json::from_str(&line) {
                Ok(request) => request,
                Err(error) => return say(&mut write, &Reply::Error(format!("could not understand: {error}"))).await,
            };
            if let Want::Subscribe(_) = request.want {
                let Some(mut news) = self.news.as_ref().map(broadcast::Sender::subscribe) else { return Ok(()) };
                // Only the desk keeps the news flowing; when it stops, this one ends.
                drop(self);
                say(&mut write, &Reply::Ok(true)).await?;
                loop {
                    match news.recv().await {
                        Ok(line) => write.write_all(format!("{line}\n").as_bytes()).await?,
                        Err(broadcast::error::RecvError::Lagged(_)) => {}
                        Err(broadcast::error::RecvError::Closed) => return Ok(()),
                    }
                }
            }
            let (reply, answer) = oneshot::channel();
            let who = Who { user: name(&request.user), via: Via::Socket, reason: request.reason };
            let gone = || "the run has just ended, or its process has".to_owned();
            let answer = match self.asking.send(Asked { want: request.want, who, reply }).await {
                Ok(()) => answer.await.unwrap_or_else(|_| Err(gone())),
                Err(_) => Err(gone()),
            };
            say(&mut write, &answer.map_or_else(Reply::Error, |()| Reply::Ok(true))).await?;
        }
        Ok(())
    }
}

async fn say(to: &mut (impl tokio::io::AsyncWrite + Unpin), reply: &Reply) -> io::Result<()> {
    let mut line = serde_json::to_vec(reply)?;
    line.push(b'\n');
    to.write_all(&line).await
}

/// A name as the record keeps it.
fn name(given: &str) -> String {
    let clean: String = given.chars().filter(|c| !c.is_control()).take(100).collect();
    if clean.is_empty() { "somebody".to_owned() } else { clean }
}

/// Who may speak.
struct Guard {
    folder: PathBuf,
    run: RunId,
}

impl Guard {
    /// Why this process is not listened to.
    fn refuses(&self, uid: u32, pid: Option<i32>) -> Option<String> {
        let own = rustix::process::geteuid().as_raw();
        if uid != own && uid != 0 {
            return Some(format!("user {uid} may not order anything here: this run is user {own}'s"));
        }
        let pid = pid?;
        self.started(pid).then(|| "a process that the run has started may not order anything in it".to_owned())
    }

    /// Whether the run has started this process, or one that it comes from.
    fn started(&self, pid: i32) -> bool {
        let mut pid = pid;
        // A process that hides its environment still has parents.
        for _ in 0..64 {
            if self.is_tagged(pid) {
                return true;
            }
            match parent(pid) {
                Some(parent) if parent > 1 => pid = parent,
                _ => return false,
            }
        }
        false
    }

    fn is_tagged(&self, pid: i32) -> bool {
        let Ok(environ) = std::fs::read(format!("/proc/{pid}/environ")) else { return false };
        let folder = [b"RUNBOOK_RUN_DIR=", self.folder.as_os_str().as_encoded_bytes()].concat();
        let run = format!("RUNBOOK_RUN_ID={}", self.run).into_bytes();
        environ.split(|byte| *byte == 0).any(|entry| entry == folder || entry == run)
    }
}

/// The parent of a process, by `/proc/PID/stat`, whose second field may hold anything in parentheses.
fn parent(pid: i32) -> Option<i32> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}

/// A path to the socket that fits into a socket address, which holds 107 bytes; valid while the folder is held open.
fn short(folder: &Path) -> io::Result<(OwnedFd, PathBuf)> {
    let held = rustix::fs::open(folder, OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    let path = format!("/proc/self/fd/{}/{SOCKET}", held.as_raw_fd()).into();
    Ok((held, path))
}

/// Why an order did not get through.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// No process drives the run.
    #[error("reach the run: no process drives it")]
    NobodyThere,
    /// It was heard and not done.
    #[error("{0}")]
    Refused(String),
    /// The conversation broke off.
    #[error("speak to the run's process: {0}")]
    Broken(#[from] io::Error),
}

/// All news of a run, line by line.
pub type News = io::Lines<BufReader<std::os::unix::net::UnixStream>>;

/// The other end, for verbs in another process.
pub struct Caller {
    stream: std::os::unix::net::UnixStream,
}

impl Caller {
    /// Calls the process that drives the run of this folder.
    pub fn call(folder: &Path) -> Result<Self, ControlError> {
        let connect = || {
            let (_held, path) = short(folder)?;
            std::os::unix::net::UnixStream::connect(path)
        };
        match connect() {
            Ok(stream) => Ok(Self { stream }),
            Err(error) if [io::ErrorKind::NotFound, io::ErrorKind::ConnectionRefused].contains(&error.kind()) => {
                Err(ControlError::NobodyThere)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Says it, and waits until it is done and recorded.
    pub fn ask(&mut self, request: &Request) -> Result<(), ControlError> {
        self.stream.set_read_timeout(Some(ANSWER_WITHIN))?;
        let mut line = serde_json::to_vec(request).map_err(io::Error::from)?;
        line.push(b'\n');
        self.stream.write_all(&line)?;
        let mut answer = Vec::new();
        // Byte by byte: what follows the answer is somebody else's to read.
        let mut byte = [0];
        while io::Read::read(&mut self.stream, &mut byte)? == 1 && byte != *b"\n" {
            answer.push(byte[0]);
        }
        match serde_json::from_slice(&answer) {
            Ok(Reply::Ok(_)) => Ok(()),
            Ok(Reply::Error(why)) => Err(ControlError::Refused(why)),
            Err(error) => Err(io::Error::from(error).into()),
        }
    }

    /// All news from now on, line by line, until the process ends.
    pub fn subscribe(mut self, user: &str) -> Result<News, ControlError> {
        self.ask(&Request { want: Want::Subscribe(true), user: user.to_owned(), reason: None })?;
        self.stream.set_read_timeout(None)?;
        Ok(BufReader::new(self.stream).lines())
    }
}
