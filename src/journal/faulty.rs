//! A disk in memory that fails when it is told to, for tests and for the simulation.

use std::cell::RefCell;
use std::io;
use std::ops::Range;
use std::rc::Rc;

use super::Medium;

/// What goes wrong, and when. Operations are counted from 1 over the life of the disk.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    /// These writes fail and leave that many bytes behind.
    pub failing_writes: Vec<(u64, usize)>,
    /// These syncs fail; nothing that they would have made durable is.
    pub failing_syncs: Vec<u64>,
    /// The disk holds no more than that.
    pub capacity: Option<u64>,
}

#[derive(Debug, Default)]
struct Platter {
    faults: Faults,
    /// What a reader sees.
    seen: Vec<u8>,
    /// What survives a crash.
    durable: Vec<u8>,
    /// Where the two may differ.
    unsynced: Vec<Range<usize>>,
    writes: u64,
    syncs: u64,
}

/// A handle on the disk; clones share it.
#[derive(Clone, Debug, Default)]
pub struct FaultyDisk(Rc<RefCell<Platter>>);

impl FaultyDisk {
    /// An empty disk with these faults.
    pub fn new(faults: Faults) -> Self {
        Self(Rc::new(RefCell::new(Platter { faults, ..Platter::default() })))
    }

    /// A disk that holds something already.
    pub fn holding(bytes: Vec<u8>) -> Self {
        Self(Rc::new(RefCell::new(Platter { durable: bytes.clone(), seen: bytes, ..Platter::default() })))
    }

    /// Other faults from now on.
    pub fn set_faults(&self, faults: Faults) {
        self.0.borrow_mut().faults = faults;
    }

    /// What a reader sees while the machine is up.
    pub fn seen(&self) -> Vec<u8> {
        self.0.borrow().seen.clone()
    }

    /// What is left after the power failed: everything up to the last sync that succeeded.
    pub fn after_power_failure(&self) -> Vec<u8> {
        self.0.borrow().durable.clone()
    }

    /// How often it was synced.
    pub fn syncs(&self) -> u64 {
        self.0.borrow().syncs
    }
}

impl Medium for FaultyDisk {
    fn write_at(&mut self, at: u64, bytes: &[u8]) -> io::Result<()> {
        let mut disk = self.0.borrow_mut();
        disk.writes += 1;
        let at = usize::try_from(at).map_err(|_| io::ErrorKind::FileTooLarge)?;
        let number = disk.writes;
        let (kept, outcome) = match disk.faults.failing_writes.iter().find(|(n, _)| *n == number) {
            Some((_, short)) => ((*short).min(bytes.len()), Err(io::Error::other("a write failed"))),
            None => match disk.faults.capacity.map(|most| usize::try_from(most).unwrap_or(usize::MAX)) {
                Some(most) if at + bytes.len() > most.max(disk.seen.len()) => {
                    (most.max(disk.seen.len()).saturating_sub(at), Err(io::ErrorKind::StorageFull.into()))
                }
                Some(_) | None => (bytes.len(), Ok(())),
            },
        };
        let end = at + kept;
        if disk.seen.len() < end {
            disk.seen.resize(end, 0);
        }
        disk.seen[at..end].copy_from_slice(&bytes[..kept]);
        disk.unsynced.push(at..end);
        outcome
    }

    fn sync(&mut self) -> io::Result<()> {
        let mut disk = self.0.borrow_mut();
        disk.syncs += 1;
        if disk.faults.failing_syncs.contains(&disk.syncs) {
            return Err(io::Error::other("a sync failed"));
        }
        let Platter { seen, durable, unsynced, .. } = &mut *disk;
        durable.resize(seen.len(), 0);
        for part in unsynced.drain(..).map(|part| part.start.min(seen.len())..part.end.min(seen.len())) {
            durable[part.clone()].copy_from_slice(&seen[part]);
        }
        Ok(())
    }

    fn cut(&mut self, at: u64) -> io::Result<()> {
        let at = usize::try_from(at).map_err(|_| io::ErrorKind::FileTooLarge)?;
        self.0.borrow_mut().seen.truncate(at);
        Ok(())
    }
}
