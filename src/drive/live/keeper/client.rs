//! The orchestrator's end: finds or starts the keeper of a run, orders, and hears.

use std::collections::{BTreeMap, VecDeque};
use std::ffi::OsString;
use std::io::{self, Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream as StdStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::fs::OFlags;
use thiserror::Error;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::protocol::{Ending, Known, Message, PROTOCOL, Request, StartSpec, line};
use super::record::{Record, Records, Told};
use super::{Dir, ERRORS, SOCKET, VERB, orphans, wall};

/// How often, and how long apart, a keeper is looked for that is just coming or just going.
const TRIES: u32 = 100;
const PAUSE: Duration = Duration::from_millis(20);

/// Why there is no keeper.
#[derive(Debug, Error)]
pub enum KeeperError {
    /// Its folder, its socket or its process failed.
    #[error("reach the keeper of {}: {source}", dir.display())]
    Io {
        /// The run's folder.
        dir: PathBuf,
        /// What failed.
        source: io::Error,
    },
    /// It lives, and speaks another protocol: it was started by another version of the tool.
    #[error("talk to the keeper of {}: it speaks protocol {theirs}, this version speaks {PROTOCOL}", dir.display())]
    Protocol {
        /// The run's folder.
        dir: PathBuf,
        /// Its protocol.
        theirs: u32,
    },
    /// It ended as soon as it was started.
    #[error("start the keeper of {}: it ended at once, see {ERRORS} there", dir.display())]
    Ended {
        /// The run's folder.
        dir: PathBuf,
    },
}

/// What the keeper reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeeperEvent {
    /// An attempt whose key was given again runs.
    Started {
        /// Which.
        key: String,
        /// Its main process.
        pid: i32,
    },
    /// An attempt is over, and no process of it is left but those that its ending names.
    Ended {
        /// Which.
        key: String,
        /// How.
        ending: Ending,
    },
    /// The keeper is gone. [`Keeper::connect_or_start`] tells what became of what it kept.
    Lost,
}

/// A connection to the keeper of a run.
#[derive(Debug)]
pub struct Keeper {
    /// Watched for what comes alone: each word that the other side reads would wake us otherwise.
    stream: AsyncFd<StdStream>,
    known: BTreeMap<String, Known>,
    heard: Vec<u8>,
    unsent: Vec<u8>,
    events: VecDeque<KeeperEvent>,
    lost: bool,
    /// It was said that it is lost.
    told_lost: bool,
    /// The process, if we started it: to be reaped when it ends before us.
    child: Option<Child>,
}

impl Keeper {
    /// Finds the living keeper of the run in this folder, or starts one by executing this binary.
    ///
    /// What the keeper knows by then is in [`Keeper::known`]; all that happens later comes as an event. If an earlier
    /// keeper died with attempts under way, what was left of them is stopped first: they are known as ended.
    pub async fn connect_or_start(dir: &Path) -> Result<Self, KeeperError> {
        // Not the path of the binary: that may have been replaced while the run was waiting for somebody.
        Self::connect_or_start_with(Path::new("/proc/self/exe"), dir).await
    }

    /// The same with the keeper of another binary.
    pub async fn connect_or_start_with(binary: &Path, dir: &Path) -> Result<Self, KeeperError> {
        let failed = |source| KeeperError::Io { dir: dir.into(), source };
        let folder = Dir::open(dir).map_err(failed)?;
        for _ in 0..TRIES {
            if let Some(keeper) = Self::reach(&folder).await? {
                return Ok(keeper);
            }
            let (ours, theirs) = StdStream::pair().map_err(failed)?;
            let mut child = spawn(binary, &folder, theirs).map_err(failed)?;
            if let Some(mut keeper) = Self::greet(ours, dir).await? {
                keeper.child = Some(child);
                return Ok(keeper);
            }
            // It found that another keeper lives, which is just coming or just going, or it could not begin.
            if !child.wait().map_err(failed)?.success() {
                return Err(KeeperError::Ended { dir: dir.into() });
            }
            tokio::time::sleep(PAUSE).await;
        }
        Err(failed(io::ErrorKind::TimedOut.into()))
    }

    /// Finds the living keeper of the run in this folder. `None`: there is none.
    pub async fn connect(dir: &Path) -> Result<Option<Self>, KeeperError> {
        let folder = Dir::open(dir).map_err(|source| KeeperError::Io { dir: dir.into(), source })?;
        Self::reach(&folder).await
    }

    async fn reach(folder: &Dir) -> Result<Option<Self>, KeeperError> {
        match StdStream::connect(folder.short(SOCKET)) {
            Ok(stream) => Self::greet(stream, &folder.path).await,
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) => {
                Ok(None)
            }
            Err(source) => Err(KeeperError::Io { dir: folder.path.clone(), source }),
        }
    }

    /// Waits for the first message. `None`: the other side went away without one.
    async fn greet(stream: StdStream, dir: &Path) -> Result<Option<Self>, KeeperError> {
        let failed = |source| KeeperError::Io { dir: dir.into(), source };
        stream.set_nonblocking(true).map_err(failed)?;
        let stream = watched_for(Interest::READABLE, stream).map_err(failed)?;
        let mut keeper = Self {
            stream,
            known: BTreeMap::new(),
            heard: Vec::new(),
            unsent: Vec::new(),
            events: VecDeque::new(),
            lost: false,
            told_lost: false,
            child: None,
        };
        loop {
            match keeper.next_message() {
                Some(Message::Hello { protocol: PROTOCOL, known }) => {
                    keeper.known = known.into_iter().collect();
                    return Ok(Some(keeper));
                }
                Some(Message::Hello { protocol: theirs, .. }) => {
                    return Err(KeeperError::Protocol { dir: dir.into(), theirs });
                }
                Some(Message::Now { .. }) => {}
                None if keeper.lost => return Ok(None),
                None => keeper.exchange().await,
            }
        }
    }

    /// All that is known of every key that was ever started in this run.
    pub fn known(&self) -> &BTreeMap<String, Known> {
        &self.known
    }

    /// The environment of all that is started from now on; a spec says only what is added to it.
    pub fn surround(&mut self, env: Vec<(OsString, OsString)>) {
        self.ask(&Request::Surround { env });
    }

    /// Has this started; its end follows. A key that was started before is not started again: what is known of it
    /// comes as an event.
    pub fn start(&mut self, spec: StartSpec) {
        self.ask(&Request::Start(Box::new(spec)));
    }

    /// Has this stopped, and all that it started: TERM, then KILL; its end follows. One that has ended, or was never
    /// started, is left as it is.
    pub fn stop(&mut self, key: &str) {
        self.ask(&Request::Stop { key: key.into() });
    }

    fn ask(&mut self, request: &Request) {
        self.unsent.extend(line(request));
        self.send();
    }

    /// The next event. Can be dropped at any await without losing one. After [`KeeperEvent::Lost`] nothing comes.
    pub async fn next_event(&mut self) -> KeeperEvent {
        loop {
            // What came together with the greeting is here already, and nothing need follow it.
            if let Some(event) = self.next_heard() {
                return event;
            }
            if self.lost {
                if std::mem::replace(&mut self.told_lost, true) {
                    return std::future::pending().await;
                }
                if let Some(child) = &mut self.child {
                    // It has closed its end, so it has ended or is about to; a zombie for a moment harms nobody.
                    let _ = child.try_wait();
                }
                return KeeperEvent::Lost;
            }
            self.exchange().await;
        }
    }

    /// The next event among those that have been received already.
    pub fn next_heard(&mut self) -> Option<KeeperEvent> {
        self.take_messages();
        self.events.pop_front()
    }

    /// Makes events of all that was received whole.
    fn take_messages(&mut self) {
        while let Some(message) = self.next_message() {
            if let Message::Now { key, known } = message {
                self.events.push_back(match known.clone() {
                    Known::Running { pid } => KeeperEvent::Started { key: key.clone(), pid },
                    Known::Ended(ending) => KeeperEvent::Ended { key: key.clone(), ending },
                });
                self.known.insert(key, known);
            }
        }
    }

    /// Waits until something can be received, or sent if something waits for that, and does it.
    async fn exchange(&mut self) {
        self.send();
        let room = self.room();
        let ready = tokio::select! {
            ready = self.stream.readable() => ready,
            () = room => return,
        };
        let Ok(mut ready) = ready else {
            self.lost = true;
            return;
        };
        let mut buffer = [0; 16 << 10];
        loop {
            match ready.try_io(|stream| stream.get_ref().read(&mut buffer)) {
                Ok(Ok(0)) => self.lost = true,
                Ok(Ok(count)) => {
                    self.heard.extend_from_slice(&buffer[..count]);
                    continue;
                }
                Ok(Err(error)) if error.kind() == io::ErrorKind::Interrupted => continue,
                Ok(Err(_)) => self.lost = true,
                Err(_would_block) => {}
            }
            return;
        }
    }

    /// Waits until more can be sent; for ever, if nothing is to be.
    fn room(&self) -> impl Future<Output = ()> + use<> {
        let stream = (!self.unsent.is_empty()).then(|| self.stream.get_ref().try_clone());
        async move {
            match stream {
                None => std::future::pending().await,
                // A failure shows when the answer is read.
                Some(stream) => {
                    if let Ok(stream) = stream.and_then(|stream| watched_for(Interest::WRITABLE, stream)) {
                        let _ = stream.writable().await;
                    }
                }
            }
        }
    }

    /// Sends what can be sent now. A failure shows when the answer is read.
    fn send(&mut self) {
        while !self.unsent.is_empty() {
            match self.stream.get_ref().write(&self.unsent) {
                Ok(count) => drop(self.unsent.drain(..count)),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(_) => self.unsent.clear(),
            }
        }
    }

    /// The next whole message. A keeper that says something else is none.
    fn next_message(&mut self) -> Option<Message> {
        let end = self.heard.iter().position(|byte| *byte == b'\n')?;
        let rest = self.heard.split_off(end + 1);
        let text = std::mem::replace(&mut self.heard, rest);
        let message = serde_json::from_slice(&text).ok();
        self.lost |= message.is_none();
        message
    }
}

/// What became of every key, read from the folder alone: for those who only want to know. While a keeper lives, an
/// attempt that it runs is told as in doubt; [`Keeper::connect`] knows better.
pub fn known(dir: &Path) -> Result<BTreeMap<String, Known>, KeeperError> {
    let told = Dir::open(dir).and_then(|folder| Told::read(&folder));
    Ok(told.map_err(|source| KeeperError::Io { dir: dir.into(), source })?.known())
}

/// If no keeper lives: stops what is left of the attempts that a dead one could not end, records their ends and returns
/// them. `None`: a keeper lives, ask it. Waits for the processes, at most their `kill_after` and ten seconds; a new
/// keeper does the same before it answers.
pub fn reap_orphans_of_dead_keeper(dir: &Path) -> Result<Option<BTreeMap<String, Ending>>, KeeperError> {
    let reaped = Dir::open(dir).and_then(|folder| {
        let Some(_lock) = folder.lock()? else { return Ok(None) };
        let told = Told::read(&folder)?;
        let mut records = Records::open(&folder)?;
        let ends = orphans::reap(&folder, &told);
        for (key, ending) in &ends {
            records.append(&Record::Ended { key: key.clone(), ending: ending.clone(), at: wall() })?;
        }
        Ok(Some(ends))
    });
    reaped.map_err(|source| KeeperError::Io { dir: dir.into(), source })
}

/// A stream that wakes us for that and for nothing else.
#[expect(unsafe_code, reason = "the safe way to say what to be woken for is deprecated, and none has replaced it")]
fn watched_for(interest: Interest, stream: StdStream) -> io::Result<AsyncFd<StdStream>> {
    // SAFETY: the stream owns its descriptor, says the same one for as long as it lives, and lives in what is returned.
    Ok(unsafe { AsyncFd::register_with_interest(stream, interest) }?)
}

/// Executes the binary as a keeper whose first conversation is with us. It makes a session of its own.
fn spawn(binary: &Path, folder: &Dir, theirs: StdStream) -> io::Result<Child> {
    let errors = folder.open_file(ERRORS, OFlags::WRONLY | OFlags::CREATE | OFlags::APPEND)?;
    Command::new(binary)
        .arg0("runbook")
        .args([VERB, "--dir"])
        .arg(&folder.path)
        .current_dir("/")
        .stdin(Stdio::from(OwnedFd::from(theirs)))
        .stdout(Stdio::null())
        .stderr(Stdio::from(errors))
        .spawn()
}
