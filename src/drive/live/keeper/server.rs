//! The keeper process: one thread, one loop.
//!
//! Control flow only: what an attempt is stands in `attempt`, who has to be stopped in `sweep`, what is remembered in
//! `record`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::ExitCode;
use std::rc::Rc;
use std::time::Duration;

use rustix::event::epoll::{self, EventFlags};
use rustix::time::{Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec};

use super::attempt::{Attempt, Phase, Stream};
use super::connection::Connection;
use super::launch::{self, Feed};
use super::orphans;
use super::procs::{Forest, OwnChildren, Stat};
use super::protocol::{Cut, Ending, How, Known, Message, PROTOCOL, Request, StartSpec};
use super::record::{self, Record, Records, Told};
use super::source::Source;
use super::sweep::Reach;
use super::{Dir, SOCKET, now, sys, ticks, wall};

/// How long a keeper stays that has nothing to keep and nobody to talk to.
const LINGER: Duration = Duration::from_secs(10);

/// Keeps the run in this folder until there is nothing to keep and nobody to talk to. For the first lines of a process
/// of its own: it closes what was open, takes every signal, and talks to whoever is at its standard input.
pub fn serve(dir: &Path) -> ExitCode {
    sys::close_inherited();
    // It was started as /proc/self/exe, and `exe` would be its name in `ps`, `top` and systemd's log.
    let _ = fs::write("/proc/self/comm", "runbook-keeper");
    match Server::begin(dir) {
        Ok(Some(server)) => server.run(),
        // Another keeper lives; whoever started us finds it.
        Ok(None) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("could not keep {}: {error}", dir.display());
            ExitCode::FAILURE
        }
    }
}

/// What tells others that we are there.
struct Presence {
    _lock: File,
    listener: UnixListener,
}

struct Server {
    dir: Dir,
    /// Our session, in which everything is that a step starts and that is no daemon.
    session: i32,
    epoll: OwnedFd,
    /// Becomes readable when a child has ended, ours or adopted.
    ended: OwnedFd,
    children: OwnChildren,
    timer: OwnedFd,
    armed: Duration,
    /// `None`: we keep no longer, and only read what daemons still write to our pipes.
    presence: Option<Presence>,
    records: Records,
    known: BTreeMap<String, Known>,
    attempts: BTreeMap<u64, Attempt>,
    mains: BTreeMap<i32, u64>,
    keys: BTreeMap<String, u64>,
    /// Our children that were left alone.
    daemons: BTreeSet<i32>,
    connections: BTreeMap<u64, Connection>,
    leftovers: BTreeMap<u64, OwnedFd>,
    /// When there was last something to keep or somebody to talk to.
    busy_at: Duration,
    next: u64,
}

impl Server {
    /// Takes the lock, settles what an earlier keeper left, and begins to listen. `None`: another keeper lives.
    fn begin(dir: &Path) -> io::Result<Option<Self>> {
        // Whoever started us may be at our standard input; our children must not find it there.
        let first = UnixStream::from(rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdin(), 3)?);
        rustix::stdio::dup2_stdin(File::open("/dev/null")?)?;
        let dir = Dir::open(dir)?;
        let Some(lock) = dir.lock()? else { return Ok(None) };
        // It fails where we lead a session already.
        let _ = rustix::process::setsid();
        let session = rustix::process::getsid(None)?.as_raw_nonzero().get();
        rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
        let ended = sys::take_signals()?;
        // Our own folder must not keep a file system busy.
        std::env::set_current_dir("/")?;

        let told = Told::read(&dir)?;
        let mut records = Records::open(&dir)?;
        records.append(&Record::Keeper { session, boot: record::boot(), at: wall() })?;
        let mut known: BTreeMap<String, Known> = BTreeMap::new();
        for (key, ending) in orphans::reap(&dir, &told) {
            records.append(&Record::Ended { key: key.clone(), ending: ending.clone(), at: wall() })?;
            known.insert(key, Known::Ended(ending));
        }
        known.extend(told.ended.into_iter().map(|(key, ending)| (key, Known::Ended(ending))));

        let listener = listen(&dir)?;
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let timer =
            rustix::time::timerfd_create(TimerfdClockId::Boottime, TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK)?;
        let mut server = Self {
            dir,
            session,
            epoll,
            ended,
            children: OwnChildren::open(),
            timer,
            armed: Duration::MAX,
            presence: Some(Presence { _lock: lock, listener }),
            records,
            known,
            attempts: BTreeMap::new(),
            mains: BTreeMap::new(),
            keys: BTreeMap::new(),
            daemons: BTreeSet::new(),
            connections: BTreeMap::new(),
            leftovers: BTreeMap::new(),
            busy_at: now(),
            next: 1,
        };
        server.watch_fixed()?;
        // A person may start us without a socket; then the first orchestrator comes by the front door.
        if first.peer_addr().is_ok() {
            server.welcome(first);
        }
        Ok(Some(server))
    }

    fn watch_fixed(&self) -> io::Result<()> {
        if let Some(presence) = &self.presence {
            self.watch(&presence.listener, Source::Listener, EventFlags::IN)?;
        }
        self.watch(&self.ended, Source::Children, EventFlags::IN)?;
        self.watch(&self.timer, Source::Timer, EventFlags::IN)
    }

    fn watch(&self, fd: impl AsFd, source: Source, flags: EventFlags) -> io::Result<()> {
        Ok(epoll::add(&self.epoll, fd, source.data(), flags)?)
    }

    fn run(mut self) -> ExitCode {
        let mut events = Vec::with_capacity(64);
        loop {
            self.send_all();
            if self.presence.is_none() && self.leftovers.is_empty() {
                return ExitCode::SUCCESS;
            }
            self.arm();
            match epoll::wait(&self.epoll, rustix::buffer::spare_capacity(&mut events), None) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => {
                    eprintln!("could not wait: {error}");
                    return ExitCode::FAILURE;
                }
            }
            let sources: Vec<Source> = events.drain(..).map(|event| Source::from(event.data)).collect();
            // What has ended comes before what is asked for and before what is due.
            if sources.contains(&Source::Children) {
                let mut counted = [0; 8];
                let _ = rustix::io::read(&self.ended, &mut counted);
                self.take_ended();
            }
            for source in sources {
                self.take(source);
            }
            self.take_due();
        }
    }

    fn take(&mut self, source: Source) {
        match source {
            Source::Listener => self.accept(),
            Source::Children => {}
            Source::Timer => {
                let mut expired = [0; 8];
                let _ = rustix::io::read(&self.timer, &mut expired);
                self.armed = Duration::MAX;
            }
            Source::Connection(id) => self.hear(id),
            Source::Stdout(id) => self.read_output(id, |attempt| &mut attempt.stdout),
            Source::Stderr(id) => self.read_output(id, |attempt| &mut attempt.stderr),
            Source::Stdin(id) => self.write_input(id),
            Source::Leftover(id) => self.read_leftover(id),
        }
    }

    // Time

    fn take_due(&mut self) {
        let now = now();
        let due: Vec<u64> = self.attempts.iter().filter(|(_, at)| at.due() <= now).map(|(id, _)| *id).collect();
        for id in due {
            if let Some(attempt) = self.attempts.get_mut(&id) {
                attempt.stop(Cut::Timeout, now);
            }
            self.sweep(id);
        }
        if !self.attempts.is_empty() || !self.connections.is_empty() {
            self.busy_at = now;
        } else if now >= self.busy_at + LINGER && self.presence.is_some() {
            self.retire();
        }
    }

    /// Arms the timer for what is due next.
    fn arm(&mut self) {
        let idle = self.attempts.is_empty() && self.connections.is_empty() && self.presence.is_some();
        let attempts = self.attempts.values().map(Attempt::due);
        let Some(due) = attempts.chain(idle.then_some(self.busy_at + LINGER)).min() else { return };
        if due == self.armed {
            return;
        }
        let zero = Timespec { tv_sec: 0, tv_nsec: 0 };
        let seconds = i64::try_from(due.as_secs()).unwrap_or(i64::MAX);
        // A time of zero would disarm it.
        let value = Timespec { tv_sec: seconds, tv_nsec: i64::from(due.subsec_nanos().max(1)) };
        let when = Itimerspec { it_interval: zero, it_value: value };
        if let Err(error) = rustix::time::timerfd_settime(&self.timer, TimerfdTimerFlags::ABSTIME, &when) {
            eprintln!("could not arm the timer: {error}");
        }
        self.armed = due;
    }

    /// Nothing to keep and nobody to talk to: from now on there is no keeper. A daemon that still writes to one of our
    /// pipes would be killed by that (SIGPIPE), so the process stays as the reader of what nobody wants.
    fn retire(&mut self) {
        if let Some(presence) = self.presence.take() {
            // While the lock is held, the socket is ours.
            let _ = fs::remove_file(self.dir.short(SOCKET));
            drop(presence);
        }
    }

    // Those who talk to us

    fn accept(&mut self) {
        while let Some(presence) = &self.presence {
            let Ok((stream, _)) = presence.listener.accept() else { return };
            // Who comes now may follow somebody who died: what that one has said counts before we tell what we know.
            let before: Vec<u64> = self.connections.keys().copied().collect();
            for id in before {
                self.hear(id);
            }
            self.welcome(stream);
        }
    }

    fn welcome(&mut self, stream: UnixStream) {
        let own = rustix::process::geteuid();
        let Ok(peer) = rustix::net::sockopt::socket_peercred(&stream) else { return };
        if peer.uid != own && !peer.uid.is_root() {
            return;
        }
        let id = self.number();
        let watched =
            stream.set_nonblocking(true).is_ok() && self.watch(&stream, Source::Connection(id), EventFlags::IN).is_ok();
        if watched {
            let mut connection = Connection::new(stream);
            let known = self.known.iter().map(|(key, known)| (key.clone(), known.clone())).collect();
            connection.say(&Message::Hello { protocol: PROTOCOL, known });
            self.connections.insert(id, connection);
        }
    }

    fn hear(&mut self, id: u64) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        for request in connection.hear() {
            match request {
                Request::Surround { env } => {
                    if let Some(connection) = self.connections.get_mut(&id) {
                        connection.environment = env.into();
                    }
                }
                Request::Start(spec) => self.start(&spec, id),
                Request::Stop { key } => self.stop(&key),
            }
        }
    }

    /// Sends what waits to be sent and drops those who are gone. Being able to send is waited for only where something
    /// could not be sent: each message would wake us twice otherwise.
    fn send_all(&mut self) {
        let epoll = &self.epoll;
        self.connections.retain(|id, connection| {
            let waited = connection.waits;
            let stays = connection.send();
            if stays && connection.waits != waited {
                let flags = if connection.waits { EventFlags::IN | EventFlags::OUT } else { EventFlags::IN };
                return epoll::modify(epoll, connection, Source::Connection(*id).data(), flags).is_ok();
            }
            stays
        });
    }

    fn tell(&mut self, key: &str, known: Known) {
        let message = Message::Now { key: key.to_owned(), known: known.clone() };
        self.connections.values_mut().for_each(|connection| connection.say(&message));
        self.known.insert(key.to_owned(), known);
    }

    // Attempts

    fn start(&mut self, spec: &StartSpec, asker: u64) {
        if let Some(known) = self.known.get(&spec.key) {
            let message = Message::Now { key: spec.key.clone(), known: known.clone() };
            if let Some(connection) = self.connections.get_mut(&asker) {
                connection.say(&message);
            }
            return;
        }
        let environment = self.connections.get(&asker).map(|asker| Rc::clone(&asker.environment)).unwrap_or_default();
        let before = now();
        let started = self
            .records
            .append(&record::start(spec, wall()))
            .map_err(|error| format!("its start cannot be recorded: {error}"))
            .and_then(|()| launch::launch(spec, &environment, &self.dir.path));
        match started {
            Ok(launched) => {
                let pid = launched.pid;
                let now = now();
                self.note(&Record::Started { key: spec.key.clone(), pid, since: ticks(before), until: ticks(now) });
                self.adopt(Attempt::new(spec, launched, now));
                self.known.insert(spec.key.clone(), Known::Running { pid });
            }
            Err(error) => self.end(&spec.key, Ending::bare(How::NeverStarted { error })),
        }
    }

    fn adopt(&mut self, attempt: Attempt) {
        let id = self.number();
        let watched = [
            attempt.stdout.pipe.as_ref().map(|pipe| self.watch(pipe, Source::Stdout(id), EventFlags::IN)),
            attempt.stderr.pipe.as_ref().map(|pipe| self.watch(pipe, Source::Stderr(id), EventFlags::IN)),
            attempt.stdin.as_ref().map(|feed| self.watch(&feed.pipe, Source::Stdin(id), EventFlags::OUT)),
        ];
        if let Some(error) = watched.into_iter().flatten().find_map(Result::err) {
            eprintln!("could not watch a pipe of {}: {error}", attempt.key);
        }
        self.mains.insert(attempt.pid, id);
        self.keys.insert(attempt.key.clone(), id);
        self.attempts.insert(id, attempt);
    }

    fn stop(&mut self, key: &str) {
        self.take_ended();
        let Some(id) = self.keys.get(key).copied() else { return };
        if let Some(attempt) = self.attempts.get_mut(&id) {
            attempt.stop(Cut::Stop, now());
        }
        self.sweep(id);
    }

    /// Takes in every child that has ended, ours or adopted.
    fn take_ended(&mut self) {
        let mut seen = false;
        loop {
            match sys::ended_child() {
                Ok(None) => break,
                Ok(Some((pid, how))) => {
                    seen = true;
                    self.take_child(pid, how);
                }
                Err(error) => {
                    eprintln!("could not ask which child has ended: {error}");
                    break;
                }
            }
        }
        if seen {
            let sweeping: Vec<u64> = self
                .attempts
                .iter()
                .filter(|(_, attempt)| !matches!(attempt.phase, Phase::Running))
                .map(|(id, _)| *id)
                .collect();
            for id in sweeping {
                self.sweep(id);
            }
        }
    }

    /// One child has ended and is not reaped yet. Its end is recorded before it is.
    fn take_child(&mut self, pid: i32, how: How) {
        if let Some(id) = self.mains.get(&pid).copied() {
            self.take_main(id, how);
            self.mains.remove(&pid);
        }
        sys::reap(pid);
        self.daemons.remove(&pid);
    }

    /// The main process of an attempt has ended. What it left behind was given to us before that could be seen: where it
    /// left nothing, that is the end of the attempt.
    fn take_main(&mut self, id: u64, how: How) {
        let left_nothing =
            self.children.list().iter().all(|pid| self.mains.contains_key(pid) || self.daemons.contains(pid));
        let Some(attempt) = self.attempts.get_mut(&id) else { return };
        let undisturbed = matches!(attempt.phase, Phase::Running);
        let ending = attempt.exited(how, now());
        if undisturbed && left_nothing {
            self.finish(id, &[]);
        } else {
            let key = attempt.key.clone();
            let Ending { how, cut, duration_ms, .. } = ending;
            self.note(&Record::Exited { key, how, cut, duration_ms });
        }
    }

    /// Stops what has to be stopped of an attempt, and ends it when nobody is left.
    fn sweep(&mut self, id: u64) {
        let Some(attempt) = self.attempts.get(&id) else { return };
        let reach = match &attempt.phase {
            Phase::Running => return,
            Phase::Stopping(_, sweep) | Phase::Clearing(_, sweep) => sweep.reach,
        };
        let roots = self.roots_of(id);
        let mut found = self.descendants(id, &roots);
        let daemons: Vec<Stat> = match reach {
            Reach::Everything => Vec::new(),
            Reach::Forgotten => {
                let (forgotten, daemons) = found.into_iter().partition(|stat| stat.session == self.session);
                found = forgotten;
                daemons
            }
        };
        let now = now();
        let Some(attempt) = self.attempts.get_mut(&id) else { return };
        let left = match &mut attempt.phase {
            Phase::Running => return,
            Phase::Stopping(_, sweep) => {
                sweep.go(&found, now);
                true
            }
            Phase::Clearing(_, sweep) => sweep.go(&found, now),
        };
        if !left {
            self.finish(id, &daemons);
        }
    }

    /// Children of ours that belong to this attempt; its main process is one while it is not reaped.
    fn roots_of(&self, id: u64) -> Vec<i32> {
        let mut roots = Vec::new();
        for pid in self.children.list() {
            let owner = match self.mains.get(&pid) {
                Some(main) => Some(*main),
                None if self.daemons.contains(&pid) => None,
                None => self.owner_of(pid),
            };
            if owner == Some(id) {
                roots.push(pid);
            }
        }
        roots
    }

    /// The attempt under way that an adopted child belongs to: by its tag; where it carries none that can be read, by
    /// its group; else by there being only one.
    fn owner_of(&self, pid: i32) -> Option<u64> {
        if let Some(key) = orphans::key_of(pid, self.dir.path.as_os_str().as_bytes()) {
            return self.keys.get(&key).copied();
        }
        let group = Stat::of(pid)?.group;
        let by_group = self.attempts.iter().find(|(_, attempt)| attempt.pid == group);
        let only = self.attempts.iter().next().filter(|_| self.attempts.len() == 1);
        by_group.or(only).map(|(id, _)| *id)
    }

    /// These processes and all below them that run. Looks at all processes only if there is something to look for.
    fn descendants(&self, id: u64, roots: &[i32]) -> Vec<Stat> {
        if roots.is_empty() {
            return Vec::new();
        }
        let forest = Forest::look();
        let below = roots.iter().flat_map(|root| Stat::of(*root).into_iter().chain(forest.below(*root)));
        let mains = &self.mains;
        below.filter(|stat| !stat.ended && mains.get(&stat.pid).is_none_or(|main| *main == id)).collect()
    }

    fn finish(&mut self, id: u64, daemons: &[Stat]) {
        let Some(attempt) = self.attempts.remove(&id) else { return };
        self.keys.remove(&attempt.key);
        let key = attempt.key.clone();
        let Some((mut ending, pipes)) = attempt.finish() else { return };
        let own = rustix::process::getpid().as_raw_nonzero().get();
        for daemon in daemons {
            // The leaders name the daemon; its workers are its own affair.
            if daemon.parent == own || daemon.pid == daemon.session {
                ending.daemons.push(daemon.named());
            }
            if daemon.parent == own {
                self.daemons.insert(daemon.pid);
            }
        }
        for pipe in pipes {
            let id = self.number();
            // It is watched under its old name until now.
            let _ = epoll::delete(&self.epoll, &pipe);
            if self.watch(&pipe, Source::Leftover(id), EventFlags::IN).is_ok() {
                self.leftovers.insert(id, pipe);
            }
        }
        self.end(&key, ending);
    }

    fn end(&mut self, key: &str, ending: Ending) {
        self.note(&Record::Ended { key: key.to_owned(), ending: ending.clone(), at: wall() });
        self.tell(key, Known::Ended(ending));
    }

    /// Records what has happened already. A failure cannot undo it; those who listen hear of it all the same.
    fn note(&mut self, record: &Record) {
        if let Err(error) = self.records.append(record) {
            eprintln!("could not record: {error}");
        }
    }

    // Pipes

    fn read_output(&mut self, id: u64, stream: fn(&mut Attempt) -> &mut Stream) {
        let Some(attempt) = self.attempts.get_mut(&id) else { return };
        // A pipe that is dropped leaves the epoll set by itself: nobody else holds this end.
        drop(stream(attempt).take());
    }

    fn write_input(&mut self, id: u64) {
        let Some(attempt) = self.attempts.get_mut(&id) else { return };
        if attempt.stdin.as_mut().is_some_and(Feed::push) {
            attempt.stdin = None;
        }
    }

    fn read_leftover(&mut self, id: u64) {
        let Some(pipe) = self.leftovers.get(&id) else { return };
        let mut dropped = [0; 16 << 10];
        match rustix::io::read(pipe, &mut dropped) {
            Ok(0) => drop(self.leftovers.remove(&id)),
            Ok(_) | Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => {}
            Err(_) => drop(self.leftovers.remove(&id)),
        }
    }

    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }
}

/// Listens in the run's folder. Whatever lies there belongs to a dead keeper: we hold the lock.
fn listen(dir: &Dir) -> io::Result<UnixListener> {
    let path = dir.short(SOCKET);
    match fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(&path)?;
    rustix::fs::chmodat(
        &dir.fd,
        SOCKET,
        rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR,
        rustix::fs::AtFlags::empty(),
    )?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}
