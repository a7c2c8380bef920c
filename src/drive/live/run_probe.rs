//! Probes that are processes: direct children of the driver, each in a group of its own, gone with everything it started
//! when its sample is taken, late, or no longer wanted.

use std::io;
use std::os::fd::OwnedFd;
use std::process::{ExitStatus, Stdio};

use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};
use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _, Interest};
use tokio::process::{Child, Command};

use super::render::Process;

/// So much of what it prints is read.
const OUTPUT_MAX: usize = 64 * 1024;

/// What it said.
#[derive(Debug)]
pub(super) struct Printed {
    pub(super) status: ExitStatus,
    pub(super) stdout: String,
    pub(super) stderr: String,
}

/// Kills the group of a child when it is dropped. The child is not reaped before, so that the group is still its own.
struct Group {
    child: Child,
    pid: Option<Pid>,
}

impl Group {
    fn kill(&mut self) {
        if let Some(pid) = self.pid.take() {
            // It may be gone already, which is what is wanted.
            let _ = kill_process_group(pid, Signal::KILL);
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Runs a process to its end. Dropping the future ends it and everything in its group.
pub(super) async fn run(process: &Process) -> Result<Printed, String> {
    let (program, arguments) = process.argv.split_first().ok_or("there is no program")?;
    let mut child = Command::new(program)
        .args(arguments)
        .envs(&process.env)
        .current_dir(&process.cwd)
        .stdin(if process.stdin.is_some() { Stdio::piped() } else { Stdio::null() })
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| format!("`{program}` could not be started: {error}"))?;
    let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let pid = child.id().and_then(|pid| Pid::from_raw(pid.cast_signed()));
    let mut group = Group { child, pid };

    let feed = async {
        if let (Some(mut pipe), Some(text)) = (pipes.0, &process.stdin) {
            // A process that does not read what it is given has its reasons.
            let _ = pipe.write_all(text.as_bytes()).await;
        }
    };
    let end = async {
        exited(group.pid).await?;
        group.kill();
        group.child.wait().await
    };
    let ((), stdout, stderr, status) = tokio::join!(feed, read(pipes.1), read(pipes.2), end);
    let status = status.map_err(|error| format!("`{program}` could not be waited for: {error}"))?;
    if stdout.len() > OUTPUT_MAX {
        return Err(format!("`{program}` printed more than {} KiB", OUTPUT_MAX / 1024));
    }
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Ok(Printed { status, stdout: text(stdout), stderr: text(stderr) })
}

/// Waits until a child has ended, without reaping it.
async fn exited(pid: Option<Pid>) -> io::Result<()> {
    if let Some(pid) = pid {
        let pidfd = watched(pidfd_open(pid, PidfdFlags::NONBLOCK)?)?;
        let _ready = pidfd.readable().await?;
    }
    Ok(())
}

#[expect(unsafe_code, reason = "the runtime has no safe way to wait for a descriptor of this kind")]
fn watched(pidfd: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: the descriptor is open and owned; `AsyncFd` keeps it, and gives no access by which it could be replaced
    // before it is closed.
    unsafe { AsyncFd::register_with_interest(pidfd, Interest::READABLE) }.map_err(io::Error::from)
}

/// Reads to the end and keeps the beginning, and one byte more where there is more.
async fn read(pipe: Option<impl AsyncRead + Unpin>) -> Vec<u8> {
    let mut kept = Vec::new();
    let Some(mut pipe) = pipe else { return kept };
    let mut piece = vec![0; 8192];
    while let Ok(count @ 1..) = pipe.read(&mut piece).await {
        let room = OUTPUT_MAX + 1 - kept.len();
        kept.extend_from_slice(&piece[..count.min(room)]);
    }
    kept
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn script(text: &str) -> Process {
        Process {
            argv: ["sh", "-c", text].map(String::from).to_vec(),
            env: BTreeMap::from([("X".to_owned(), "y".to_owned())]),
            cwd: std::env::temp_dir(),
            stdin: None,
        }
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_process_is_heard_to_its_end_and_no_further() {
        // The child that it leaves behind holds the pipe, and dies with the group.
        let printed = run(&script("echo $X; echo oops >&2; sleep 1000 & exit 3")).await.unwrap();
        assert_eq!((printed.stdout.as_str(), printed.stderr.as_str()), ("y\n", "oops\n"));
        assert_eq!(printed.status.code(), Some(3));
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_process_reads_what_it_is_given_or_nothing() {
        let mut process = script("cat");
        assert_eq!(run(&process).await.unwrap().stdout, "");
        process.stdin = Some("given".into());
        assert_eq!(run(&process).await.unwrap().stdout, "given");
        process.argv = vec!["true".into()];
        process.stdin = Some("x".repeat(1 << 20));
        assert!(run(&process).await.unwrap().status.success());
    }

    #[tokio::test(flavor = "current_thread")]
    async fn too_much_output_is_no_answer() {
        assert!(run(&script("head -c 1000000 /dev/zero")).await.unwrap_err().contains("64 KiB"));
        assert!(run(&Process { argv: vec!["/no/such".into()], ..script("") }).await.is_err());
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_process_that_is_no_longer_wanted_dies_with_its_whole_group() {
        let folder = tempfile::tempdir().unwrap();
        let process =
            Process { cwd: folder.path().into(), ..script("sleep 1000 & echo $! >pid.new; mv pid.new pid; wait") };
        let running = tokio::spawn(async move { run(&process).await.map(|_| ()) });
        let path = folder.path().join("pid");
        while !path.exists() {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        running.abort();
        assert!(running.await.unwrap_err().is_cancelled());
        let pid: i32 = std::fs::read_to_string(&path).unwrap().trim().parse().unwrap();
        let alive = || std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "));
        while alive() {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    }
}
