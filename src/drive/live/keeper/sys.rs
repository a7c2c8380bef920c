//! The few calls below std and rustix: signal dispositions, inherited descriptors, and who has ended.
//!
//! All `unsafe` of the keeper is here. It knows nothing about attempts.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::atomic::{AtomicI32, Ordering};

use rustix::event::EventfdFlags;
use rustix::process::{Pid, WaitId, WaitIdOptions};

use super::protocol::How;

/// The event counter that the handler of SIGCHLD adds to; -1 while there is none.
static CHILDREN: AtomicI32 = AtomicI32::new(-1);

/// Closes everything but the three standard descriptors: a descriptor that leaked in from a shell or from CI would stay
/// open in every daemon that a step starts, and whoever waits for its end would wait for ever.
///
/// For the first lines of a process only.
#[expect(unsafe_code, reason = "close_range has no safe wrapper")]
pub(super) fn close_inherited() {
    // SAFETY: called before this process has opened anything, so no Rust object owns a descriptor from 3 on. A failure
    // (a kernel before 5.9) leaves them open, which is harmless to this process.
    unsafe {
        libc::syscall(libc::SYS_close_range, 3_u32, u32::MAX, 0_u32);
    }
}

/// Puts every signal back to its default, opens the mask, and catches those that must not end the keeper.
///
/// Caught, not ignored or blocked: both of these would be inherited by the steps, a caught signal is back at its
/// default after `exec`. Returns a counter that becomes readable when a child has ended.
#[expect(unsafe_code, reason = "sigaction and sigprocmask have no safe wrapper")]
pub(super) fn take_signals() -> io::Result<OwnedFd> {
    let counter = rustix::event::eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
    CHILDREN.store(counter.as_raw_fd(), Ordering::Relaxed);
    let caught = [libc::SIGHUP, libc::SIGINT, libc::SIGQUIT, libc::SIGTERM, libc::SIGUSR1, libc::SIGUSR2];
    for signal in
        (1..=libc::SIGRTMAX()).filter(|signal| ![libc::SIGKILL, libc::SIGSTOP, libc::SIGPIPE].contains(signal))
    {
        let handler: libc::sighandler_t = match signal {
            libc::SIGCHLD => note_child as *const () as libc::sighandler_t,
            _ if caught.contains(&signal) => note_nothing as *const () as libc::sighandler_t,
            _ => libc::SIG_DFL,
        };
        // SAFETY: an all-zero sigaction is a valid one; both handlers only do what a handler may do. A signal that the C
        // library keeps for itself is refused, and stays as it is.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = handler;
            action.sa_flags = libc::SA_RESTART;
            libc::sigaction(signal, &raw const action, std::ptr::null_mut());
        }
    }
    // SAFETY: the set is initialised by sigemptyset before it is read; this process has one thread.
    unsafe {
        let mut none: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut none);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const none, std::ptr::null_mut());
    }
    Ok(counter)
}

extern "C" fn note_nothing(_signal: libc::c_int) {}

#[expect(unsafe_code, reason = "a signal handler may call little more than write and has to keep errno")]
extern "C" fn note_child(_signal: libc::c_int) {
    let one = 1_u64.to_ne_bytes();
    // SAFETY: write may be called in a signal handler, the buffer is eight bytes as an eventfd wants, and errno is put
    // back, so that the interrupted code notices nothing.
    unsafe {
        let errno = *libc::__errno_location();
        libc::write(CHILDREN.load(Ordering::Relaxed), one.as_ptr().cast(), one.len());
        *libc::__errno_location() = errno;
    }
}

/// A child that has ended and is not reaped yet: its number, and that of its group, cannot be given to another process.
#[expect(unsafe_code, reason = "the safe waitid does not say which child it speaks of")]
pub(super) fn ended_child() -> io::Result<Option<(i32, How)>> {
    // SAFETY: an all-zero siginfo is a valid one, and the fields of a child are read only where waitid has set them.
    let (pid, code, status) = unsafe {
        let mut info: libc::siginfo_t = std::mem::zeroed();
        let options = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
        if libc::waitid(libc::P_ALL, 0, &raw mut info, options) != 0 {
            let error = io::Error::last_os_error();
            return if error.raw_os_error() == Some(libc::ECHILD) { Ok(None) } else { Err(error) };
        }
        (info.si_pid(), info.si_code, info.si_status())
    };
    Ok(match (pid, code) {
        (0, _) => None,
        (pid, libc::CLD_EXITED) => Some((pid, How::Exited { code: status })),
        (pid, _) => Some((pid, How::Killed { signal: status })),
    })
}

/// Reaps a child that has ended.
pub(super) fn reap(pid: i32) {
    if let Some(pid) = Pid::from_raw(pid) {
        // It fails only where there is no such child, and then there is nothing to reap.
        let _ = rustix::process::waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOHANG);
    }
}
