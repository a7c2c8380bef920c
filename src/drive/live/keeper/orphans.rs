//! After the death of a keeper: stop what is left of the attempts that it could not end.
//!
//! Only for whoever holds the lock. Nothing of an attempt in doubt may live while the doubt is settled; of one whose
//! end was recorded only what its keeper would have stopped has to go.

use std::collections::BTreeMap;
use std::os::unix::ffi::OsStrExt;
use std::time::Duration;

use super::procs::{self, Forest, Stat};
use super::protocol::{Ending, How};
use super::record::{Told, Unfinished};
use super::sweep::Sweep;
use super::{Dir, now, tag};
use crate::model::Survivors;

/// How often to look whether they are gone.
const LOOK: Duration = Duration::from_millis(10);

/// Stops what is left and returns the ends of these attempts.
pub(super) fn reap(dir: &Dir, told: &Told) -> BTreeMap<String, Ending> {
    let Some(wait) = told.unfinished.values().map(|attempt| attempt.kill_after_ms).max() else {
        return BTreeMap::new();
    };
    let mut sweep = Sweep::at_once(None, now(), Duration::from_millis(wait));
    let mut seen: BTreeMap<i32, String> = BTreeMap::new();
    loop {
        let found = left(dir, &told.unfinished);
        seen.extend(found.iter().map(|(stat, key)| (stat.pid, key.clone())));
        let found: Vec<Stat> = found.into_iter().map(|(stat, _)| stat).collect();
        if !sweep.go(&found, now()) {
            break;
        }
        std::thread::sleep(LOOK);
    }
    let (stopped, unstoppable) = sweep.result();
    let mut ends: BTreeMap<String, Ending> = BTreeMap::new();
    for (key, attempt) in &told.unfinished {
        let mut end = attempt.exited.clone().unwrap_or_else(|| Ending::bare(How::InDoubt));
        let own = |pid: i32| seen.get(&pid) == Some(key);
        end.stopped = stopped.iter().filter(|process| own(process.pid)).cloned().collect();
        end.unstoppable = unstoppable.iter().filter(|process| own(process.pid)).cloned().collect();
        ends.insert(key.clone(), end);
    }
    ends
}

/// Who is left, and of which attempt: by the tag, and below those who carry it. Never ourselves or whoever started us.
fn left(dir: &Dir, unfinished: &BTreeMap<String, Unfinished>) -> Vec<(Stat, String)> {
    let spared = ancestors();
    let forest = Forest::look();
    let mut found: BTreeMap<i32, (Stat, String)> = BTreeMap::new();
    for stat in procs::everyone().filter_map(Stat::of) {
        let by_tag = || key_of(stat.pid, dir.path.as_os_str().as_bytes());
        let main = unfinished.iter().find(|(_, attempt)| attempt.main.is_some_and(|main| main.is(&stat)));
        let Some(key) = main.map(|(key, _)| key.clone()).or_else(by_tag) else { continue };
        let Some(attempt) = unfinished.get(&key).filter(|attempt| attempt.this_boot) else { continue };
        for stat in std::iter::once(stat.clone()).chain(forest.below(stat.pid)) {
            if !stat.ended && !spared.contains(&stat.pid) && due(&stat, attempt) {
                found.entry(stat.pid).or_insert((stat, key.clone()));
            }
        }
    }
    found.into_values().collect()
}

/// Whether the keeper of this attempt would have stopped it.
fn due(stat: &Stat, attempt: &Unfinished) -> bool {
    match &attempt.exited {
        None => true,
        Some(end) => end.cut.is_some() || attempt.survivors == Survivors::Kill || stat.session == attempt.session,
    }
}

/// The attempt of this run that a process says it belongs to.
pub(super) fn key_of(pid: i32, run: &[u8]) -> Option<String> {
    let environment = procs::environment(pid)?;
    if procs::variable(&environment, tag::RUN)? != run {
        return None;
    }
    Some(String::from_utf8_lossy(procs::variable(&environment, tag::KEY)?).into_owned())
}

/// This process, its parent, and so on.
fn ancestors() -> Vec<i32> {
    let own = Stat::of(rustix::process::getpid().as_raw_nonzero().get());
    std::iter::successors(own, |stat| Stat::of(stat.parent)).map(|stat| stat.pid).collect()
}
