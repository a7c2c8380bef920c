//! One output stream of a step: read all the time, kept in a file with a cap.
//!
//! The first half of the cap is kept as it comes, the last half in a ring on the disk, and the end puts both together
//! with a line between them. Bytes move inside the kernel (`splice`) where the file system can, so that a flood costs
//! neither memory nor much time. A disk that is full loses output; it never holds up a step.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::fs::OFlags;
use rustix::io::Errno;
use rustix::pipe::SpliceFlags;

use super::protocol::Captured;
use super::record::create_private;

/// How much is moved before others get their turn.
const TURN: u64 = 4 << 20;
/// How large a pipe becomes that is written to without pause.
const BUSY_PIPE: usize = 1 << 20;
/// How much of a burst makes a pipe a busy one.
const BUSY: u64 = 64 << 10;
/// The buffer for file systems that cannot splice.
const BUFFER: usize = 64 << 10;

/// What a look into the pipe gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// Nothing is in it now.
    Empty,
    /// There may be more; it is the turn of others.
    More,
    /// Nobody can write to it any more.
    Closed,
}

/// One stream.
#[derive(Debug)]
pub(super) struct Capture {
    path: PathBuf,
    /// Bytes kept from the beginning, bytes kept from the end.
    head: u64,
    tail: u64,
    file: Option<File>,
    ring: Option<File>,
    seen: Captured,
    busy: bool,
    spliced: bool,
}

impl Capture {
    /// A stream that keeps `max` bytes in the file at `path`, which is created with the first byte.
    pub(super) fn new(path: &Path, max: u64) -> Self {
        let head = max.div_ceil(2);
        let seen = Captured::default();
        Self { path: path.into(), head, tail: max - head, file: None, ring: None, seen, busy: false, spliced: true }
    }

    /// Takes what is in the pipe, up to one turn's worth and `most`.
    pub(super) fn take(&mut self, pipe: &OwnedFd, most: u64) -> Look {
        let most = most.min(TURN);
        let mut taken = 0;
        let look = loop {
            if taken >= most {
                break Look::More;
            }
            match self.take_some(pipe, most - taken) {
                Ok(0) => break Look::Closed,
                Ok(count) => taken += count,
                Err(Errno::AGAIN) => break Look::Empty,
                Err(Errno::INTR) => {}
                Err(_) => break Look::Closed,
            }
        };
        if taken >= BUSY && !self.busy {
            self.busy = true;
            // Fewer, larger turns. Refused where the user has too many such pipes; then it stays as it is.
            let _ = rustix::pipe::fcntl_setpipe_size(pipe, BUSY_PIPE);
        }
        look
    }

    /// Moves some bytes to where they belong; counts them.
    fn take_some(&mut self, pipe: &OwnedFd, most: u64) -> Result<u64, Errno> {
        let at = self.seen.total;
        // No file for a stream that says nothing.
        if at == 0 && nothing_in(pipe) {
            return if hung_up(pipe) && nothing_in(pipe) { Ok(0) } else { Err(Errno::AGAIN) };
        }
        let (room, offset) = if at < self.head {
            (self.head - at, at)
        } else if self.tail > 0 {
            let offset = (at - self.head) % self.tail;
            (self.tail - offset, offset)
        } else {
            return self.drop_some(pipe, most, false);
        };
        let most = most.min(room);
        // A flood over the head must not go to a file that could not be made.
        if self.make_file(at >= self.head).is_err() {
            return self.drop_some(pipe, most, true);
        }
        let file = if at < self.head { &self.file } else { &self.ring };
        let Some(file) = file else { return self.drop_some(pipe, most, true) };
        if self.spliced {
            let mut to = offset;
            let most = usize::try_from(most).unwrap_or(usize::MAX);
            match rustix::pipe::splice(pipe, None, file, Some(&mut to), most, SpliceFlags::NONBLOCK) {
                Ok(count) => {
                    self.seen.total += count as u64;
                    return Ok(count as u64);
                }
                Err(Errno::INVAL) => self.spliced = false,
                Err(error @ (Errno::AGAIN | Errno::INTR)) => return Err(error),
                // The disk is full, most likely: nothing was taken out of the pipe.
                Err(_) => return self.drop_some(pipe, most as u64, true),
            }
        }
        let mut buffer = vec![0; BUFFER];
        let most = usize::try_from(most).map_or(BUFFER, |most| most.min(BUFFER));
        let count = rustix::io::read(pipe, &mut buffer[..most])?;
        let written = std::os::unix::fs::FileExt::write_all_at(file, &buffer[..count], offset);
        self.seen.total += count as u64;
        self.seen.lost += if written.is_err() { count as u64 } else { 0 };
        Ok(count as u64)
    }

    /// Reads on, so that the writer is not held up, and keeps nothing.
    fn drop_some(&mut self, pipe: &OwnedFd, most: u64, lost: bool) -> Result<u64, Errno> {
        let mut buffer = vec![0; BUFFER];
        let most = usize::try_from(most).map_or(BUFFER, |most| most.min(BUFFER));
        let count = rustix::io::read(pipe, &mut buffer[..most])? as u64;
        self.seen.total += count;
        self.seen.lost += if lost { count } else { 0 };
        Ok(count)
    }

    fn make_file(&mut self, ring: bool) -> io::Result<()> {
        if !ring && self.file.is_none() {
            self.file = Some(create_private(&self.path, OFlags::RDWR | OFlags::CREATE | OFlags::TRUNC)?);
        }
        if ring && self.ring.is_none() {
            let mut name = self.path.clone().into_os_string();
            name.push(".tail");
            let ring = create_private(name.as_ref(), OFlags::RDWR | OFlags::CREATE | OFlags::TRUNC)?;
            // Without a name from the start: a keeper that is killed leaves no litter.
            std::fs::remove_file(&name)?;
            self.ring = Some(ring);
        }
        Ok(())
    }

    /// Puts head and tail together. What is still in the pipe is the caller's to take before.
    pub(super) fn finish(mut self) -> Captured {
        if let (Some(file), Some(ring)) = (&self.file, &self.ring)
            && let Err(lost) = self.join(file, ring)
        {
            self.seen.lost += lost;
        }
        self.seen
    }

    /// Returns how many bytes of the tail did not fit on the disk.
    fn join(&self, file: &File, ring: &File) -> Result<(), u64> {
        let over = self.seen.total - self.head;
        let mut to = self.head;
        if over <= self.tail {
            return copy(ring, 0, file, &mut to, over);
        }
        let note = format!("\n[... {} bytes left out ...]\n", over - self.tail);
        std::os::unix::fs::FileExt::write_all_at(file, note.as_bytes(), to).map_err(|_| self.tail)?;
        to += note.len() as u64;
        let oldest = over % self.tail;
        copy(ring, oldest, file, &mut to, self.tail - oldest).map_err(|lost| lost + oldest)?;
        copy(ring, 0, file, &mut to, oldest)
    }
}

fn nothing_in(pipe: &OwnedFd) -> bool {
    rustix::io::ioctl_fionread(pipe).is_ok_and(|count| count == 0)
}

/// Whether nobody can write to this pipe any more.
pub(super) fn hung_up(pipe: &OwnedFd) -> bool {
    let mut asked = [PollFd::new(pipe, PollFlags::empty())];
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    rustix::event::poll(&mut asked, Some(&now)).is_err() || asked[0].revents().contains(PollFlags::HUP)
}

/// Copies inside the kernel where it can; on failure, how many bytes are missing.
fn copy(from: &File, mut at: u64, to: &File, into: &mut u64, count: u64) -> Result<(), u64> {
    let end = at + count;
    while at < end {
        let left = usize::try_from(end - at).unwrap_or(usize::MAX);
        let (mut read, mut write) = (at, *into);
        let copied = rustix::fs::copy_file_range(from, Some(&mut read), to, Some(&mut write), left)
            .ok()
            .filter(|copied| *copied > 0)
            .or_else(|| copy_by_hand(from, at, to, *into, left).ok())
            .unwrap_or(0);
        if copied == 0 {
            return Err(end - at);
        }
        at += copied as u64;
        *into += copied as u64;
    }
    Ok(())
}

fn copy_by_hand(from: &File, at: u64, to: &File, into: u64, count: usize) -> io::Result<usize> {
    use std::os::unix::fs::FileExt;
    let mut buffer = vec![0; BUFFER];
    let count = from.read_at(&mut buffer[..count.min(BUFFER)], at)?;
    to.write_all_at(&buffer[..count], into)?;
    Ok(count)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use rustix::pipe::PipeFlags;

    use super::*;

    /// Looks until the pipe is seen closed: a process that another test starts holds a copy of its end until it executes.
    fn await_close(capture: &mut Capture, read: &OwnedFd) {
        loop {
            match capture.take(read, u64::MAX) {
                Look::Closed => return,
                Look::Empty => std::thread::yield_now(),
                Look::More => panic!("there is nothing more"),
            }
        }
    }

    /// What the file holds after these pieces, and what was counted.
    fn captured(max: u64, spliced: bool, pieces: &[&[u8]]) -> (Vec<u8>, Captured) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out");
        let (read, write) = rustix::pipe::pipe_with(PipeFlags::NONBLOCK | PipeFlags::CLOEXEC).unwrap();
        let mut write = File::from(write);
        let mut capture = Capture::new(&path, max);
        capture.spliced = spliced;
        for piece in pieces {
            write.write_all(piece).unwrap();
            while capture.take(&read, u64::MAX) == Look::More {}
        }
        drop(write);
        await_close(&mut capture, &read);
        let seen = capture.finish();
        let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert!(left.len() <= 1, "{left:?}");
        (std::fs::read(&path).unwrap_or_default(), seen)
    }

    #[test]
    fn what_fits_is_kept_byte_by_byte() {
        for spliced in [true, false] {
            let (text, seen) = captured(10, spliced, &[b"abc", b"def", b"ghij"]);
            assert_eq!(text, b"abcdefghij");
            assert_eq!(seen, Captured { total: 10, lost: 0 });
        }
    }

    #[test]
    fn what_does_not_fit_keeps_its_head_and_its_tail_and_says_how_much_is_gone() {
        for spliced in [true, false] {
            for cut in 1..26 {
                let all = b"abcdefghijklmnopqrstuvwxyz";
                let (text, seen) = captured(9, spliced, &[&all[..cut], &all[cut..]]);
                assert_eq!(String::from_utf8(text).unwrap(), "abcde\n[... 17 bytes left out ...]\nwxyz", "{cut}");
                assert_eq!(seen.total, 26);
            }
        }
    }

    #[test]
    fn a_stream_that_said_nothing_has_no_file() {
        let folder = tempfile::tempdir().unwrap();
        let (read, write) = rustix::pipe::pipe_with(PipeFlags::NONBLOCK | PipeFlags::CLOEXEC).unwrap();
        let mut capture = Capture::new(&folder.path().join("out"), 9);
        assert_eq!(capture.take(&read, u64::MAX), Look::Empty);
        drop(write);
        await_close(&mut capture, &read);
        assert_eq!(capture.finish(), Captured::default());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn caps_too_small_for_two_halves_keep_what_they_can() {
        assert_eq!(captured(0, true, &[b"abc"]).1, Captured { total: 3, lost: 0 });
        assert_eq!(captured(1, true, &[b"abc"]).0, b"a");
        assert_eq!(captured(2, true, &[b"abc"]).0, b"a\n[... 1 bytes left out ...]\nc");
    }
}
