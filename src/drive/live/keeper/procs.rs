//! What `/proc` says: who descends from whom, who carries the tag of an attempt, and a signal that cannot hit another
//! process by mistake.
//!
//! A process number is only a name: before every signal the start time is compared, with a pidfd held.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read, Seek};

use rustix::process::{Pid, PidfdFlags, Signal};

use super::protocol::Process;

/// One process as `/proc/PID/stat` shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stat {
    pub(super) pid: i32,
    pub(super) parent: i32,
    pub(super) group: i32,
    pub(super) session: i32,
    /// Ended, and not reaped by its parent yet.
    pub(super) ended: bool,
    /// In ticks since the host booted; with the number it names a process for good.
    pub(super) started: u64,
    pub(super) name: String,
}

impl Stat {
    /// What is there now under this number.
    pub(super) fn of(pid: i32) -> Option<Self> {
        // One read: the kernel makes the text anew for each.
        let mut text = [0; 1024];
        let count = fs::File::open(format!("/proc/{pid}/stat")).ok()?.read(&mut text).ok()?;
        Self::parse(pid, &String::from_utf8_lossy(&text[..count]))
    }

    /// The name is in parentheses and may hold anything, parentheses too: the last one counts.
    fn parse(pid: i32, text: &str) -> Option<Self> {
        let (open, close) = (text.find('(')?, text.rfind(')')?);
        let name = text.get(open + 1..close)?.to_owned();
        let fields: Vec<&str> = text.get(close + 1..)?.split_ascii_whitespace().collect();
        let number = |at: usize| fields.get(at)?.parse().ok();
        Some(Self {
            pid,
            parent: number(1)?,
            group: number(2)?,
            session: number(3)?,
            ended: matches!(*fields.first()?, "Z" | "X" | "x"),
            started: fields.get(19)?.parse().ok()?,
            name,
        })
    }

    /// Whether this very process still runs.
    pub(super) fn alive(&self) -> bool {
        Self::of(self.pid).is_some_and(|now| now.started == self.started && !now.ended)
    }

    /// Sends a signal to this very process. One that is gone needs none.
    pub(super) fn signal(&self, signal: Signal) -> io::Result<()> {
        let Some(pid) = Pid::from_raw(self.pid) else { return Ok(()) };
        let sent = rustix::process::pidfd_open(pid, PidfdFlags::empty()).and_then(|held| {
            // The number cannot be given away while the pidfd is held; whose it was before that is asked now.
            if self.alive() { rustix::process::pidfd_send_signal(held, signal) } else { Ok(()) }
        });
        match sent {
            Err(rustix::io::Errno::SRCH) => Ok(()),
            sent => Ok(sent?),
        }
    }

    /// For people.
    pub(super) fn named(&self) -> Process {
        Process { pid: self.pid, name: self.name.clone() }
    }
}

/// All processes, by their parents.
pub(super) struct Forest {
    children: BTreeMap<i32, Vec<Stat>>,
}

impl Forest {
    /// Looks at every process once. One that forks meanwhile may have a child that is missed: look again.
    pub(super) fn look() -> Self {
        let mut children: BTreeMap<i32, Vec<Stat>> = BTreeMap::new();
        for stat in everyone().filter_map(Stat::of) {
            children.entry(stat.parent).or_default().push(stat);
        }
        Self { children }
    }

    /// This process's children and theirs.
    pub(super) fn below(&self, pid: i32) -> Vec<Stat> {
        let mut found: Vec<Stat> = Vec::new();
        let mut next = vec![pid];
        while let Some(parent) = next.pop() {
            for child in self.children.get(&parent).into_iter().flatten() {
                next.push(child.pid);
                found.push(child.clone());
            }
        }
        found
    }
}

/// The number of every process.
pub(super) fn everyone() -> impl Iterator<Item = i32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// Tells the children of this process, which must have one thread only. Cheap: one small file, held open.
#[derive(Debug)]
pub(super) struct OwnChildren(Option<fs::File>);

impl OwnChildren {
    pub(super) fn open() -> Self {
        Self(fs::File::open("/proc/thread-self/children").ok())
    }

    /// All there are now, those included that have ended and are not reaped.
    pub(super) fn list(&self) -> Vec<i32> {
        if let Some(text) = self.0.as_ref().and_then(|file| read_from_start(file).ok()) {
            return text.split_ascii_whitespace().filter_map(|pid| pid.parse().ok()).collect();
        }
        // A kernel without that file: ask everyone.
        let own = rustix::process::getpid().as_raw_nonzero().get();
        everyone().filter_map(Stat::of).filter(|stat| stat.parent == own).map(|stat| stat.pid).collect()
    }
}

fn read_from_start(mut file: &fs::File) -> io::Result<String> {
    file.rewind()?;
    let mut text = String::new();
    file.read_to_string(&mut text)?;
    Ok(text)
}

/// The variables that a process was started with. `None`: it is gone or belongs to another user.
pub(super) fn environment(pid: i32) -> Option<Vec<u8>> {
    fs::read(format!("/proc/{pid}/environ")).ok()
}

/// The value of a variable in such an environment.
pub(super) fn variable<'a>(environment: &'a [u8], name: &str) -> Option<&'a [u8]> {
    let mut entries = environment.split(|byte| *byte == 0);
    entries.find_map(|entry| entry.strip_prefix(name.as_bytes())?.strip_prefix(b"="))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses_and_blanks_does_not_shift_the_fields() {
        let text = "42 (a) b (c) S 7 41 40 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 99887 1 2 3";
        let stat = Stat::parse(42, text).unwrap();
        assert_eq!((stat.parent, stat.group, stat.session, stat.started), (7, 41, 40, 99887));
        assert_eq!(stat.name, "a) b (c");
        assert!(!stat.ended);
    }

    #[test]
    fn a_number_that_went_to_another_process_gets_no_signal() {
        let own = rustix::process::getpid().as_raw_nonzero().get();
        let earlier = Stat { started: 1, ..Stat::of(own).unwrap() };
        assert!(!earlier.alive());
        earlier.signal(Signal::KILL).unwrap();
    }

    #[test]
    fn the_clock_tells_when_a_process_began_as_proc_does() {
        let before = super::super::ticks(super::super::now());
        let mut child = std::process::Command::new("sleep").arg("1000").spawn().unwrap();
        let after = super::super::ticks(super::super::now());
        let began = Stat::of(i32::try_from(child.id()).unwrap()).unwrap().started;
        child.kill().unwrap();
        child.wait().unwrap();
        assert!((before..=after).contains(&began), "{before} {began} {after}");
    }

    #[test]
    fn a_variable_is_found_by_its_whole_name() {
        let environment = b"XKEY=1\0KEY2=2\0KEY=a=b\0";
        assert_eq!(variable(environment, "KEY"), Some(&b"a=b"[..]));
    }
}
