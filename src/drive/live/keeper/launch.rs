//! Making a process out of a [`StartSpec`]: its own group, clean descriptors, pipes to the keeper.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::fs::Access;
use rustix::pipe::PipeFlags;

use super::protocol::StartSpec;
use super::tag;

/// What `PATH` means where the environment has none.
const USUAL_PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// A process that was started, with the keeper's ends of its pipes, all of them non-blocking.
#[derive(Debug)]
pub(super) struct Launched {
    /// Its number and that of its group.
    pub(super) pid: i32,
    pub(super) stdout: OwnedFd,
    pub(super) stderr: OwnedFd,
    /// What its standard input could not take at once.
    pub(super) stdin: Option<Feed>,
}

/// Input on its way into a process.
#[derive(Debug)]
pub(super) struct Feed {
    pub(super) pipe: File,
    bytes: Vec<u8>,
    sent: usize,
}

impl Feed {
    /// Writes what fits now; `true`: all is said, or nobody listens any more.
    pub(super) fn push(&mut self) -> bool {
        while self.sent < self.bytes.len() {
            match self.pipe.write(&self.bytes[self.sent..]) {
                Ok(count) => self.sent += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return error.kind() != io::ErrorKind::WouldBlock,
            }
        }
        true
    }
}

/// Starts it in this environment and what its spec adds. On failure it says why, as a fragment, and nothing was started.
pub(super) fn launch(spec: &StartSpec, environment: &[(OsString, OsString)], run: &Path) -> Result<Launched, String> {
    let refused = |error: io::Error| explain(spec, &error);
    let program = find(spec, environment)?;
    let (stdout, out) = pipe().map_err(refused)?;
    let (stderr, err) = pipe().map_err(refused)?;
    let mut command = Command::new(program);
    command.arg0(&spec.program).args(&spec.args).current_dir(&spec.cwd).process_group(0);
    let pairs = environment.iter().chain(&spec.env);
    command.env_clear().envs(pairs.map(|(name, value)| (name, value)));
    command.env(tag::KEY, &spec.key).env(tag::RUN, run);
    command.stdout(Stdio::from(out)).stderr(Stdio::from(err));
    let mut feed = None;
    match &spec.stdin {
        None => command.stdin(Stdio::null()),
        Some(bytes) => {
            let (read, write) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC).map_err(|error| refused(error.into()))?;
            rustix::io::ioctl_fionbio(&write, true).map_err(|error| refused(error.into()))?;
            feed = Some(Feed { pipe: write.into(), bytes: bytes.clone(), sent: 0 });
            command.stdin(Stdio::from(read))
        }
    };
    let child = command.spawn().map_err(refused)?;
    // A `Child` that is dropped is neither ended nor reaped; the keeper does both itself.
    let pid = i32::try_from(child.id()).map_err(|_| "the process number is out of range".to_owned())?;
    // Most input fits into the pipe at once.
    let stdin = feed.and_then(|mut feed| if feed.push() { None } else { Some(feed) });
    Ok(Launched { pid, stdout, stderr, stdin })
}

/// A pipe to read from: only the keeper's end is non-blocking, and neither leaks into other processes.
fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let (read, write) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC)?;
    rustix::io::ioctl_fionbio(&read, true)?;
    Ok((read, write))
}

/// The program's path. With a slash in it, std hands it to `posix_spawn` as it is instead of forking.
fn find(spec: &StartSpec, environment: &[(OsString, OsString)]) -> Result<PathBuf, String> {
    if spec.program.as_bytes().contains(&b'/') {
        return Ok(PathBuf::from(&spec.program));
    }
    let path =
        environment.iter().chain(&spec.env).rev().find(|(name, _)| name == "PATH").map(|(_, value)| value.clone());
    let path: OsString = path.unwrap_or_else(|| USUAL_PATH.into());
    let runs = |file: &PathBuf| file.is_file() && rustix::fs::access(file, Access::EXEC_OK).is_ok();
    std::env::split_paths(&path)
        .map(|folder| spec.cwd.join(folder).join(&spec.program))
        .find(runs)
        .ok_or_else(|| format!("there is no program `{}` on PATH", shown(&spec.program)))
}

/// The system says only "no such file"; which one is worth a look.
fn explain(spec: &StartSpec, error: &io::Error) -> String {
    if spec.cwd.is_dir() {
        format!("`{}`: {error}", shown(&spec.program))
    } else {
        format!("its folder {} is not there", spec.cwd.display())
    }
}

fn shown(text: &OsStr) -> std::borrow::Cow<'_, str> {
    text.to_string_lossy()
}
