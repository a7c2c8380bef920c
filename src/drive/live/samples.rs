//! What was measured, sample by sample, in a file of the run: for those who watch from elsewhere, and for a look back.
//!
//! Nothing rests on it. It is not synced, it is capped, and where it cannot be written the run goes on without it.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::gauge::Gauge;
use super::telling::{health, shown_pace};
use crate::journal::{Moment, Wall};
use crate::model::{GuardId, Plan, ProbeId, Spend, Spends, StepId, Time};
use crate::report::View;
use crate::report::view::{Health, Pace, Reading, StepState, Way};

/// The file, in the run's folder.
const FILE: &str = "samples.jsonl";

/// What it was before it grew too long.
const FILE_BEFORE: &str = "samples.old.jsonl";

/// So long it may grow; then it takes the place of the one before, and begins anew.
const FILE_MAX: u64 = 4 << 20;

/// A value whose JSON is longer is kept as the beginning of its text.
const VALUE_MAX: usize = 1024;

/// One line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Line {
    /// In milliseconds since the run began: when the probe was asked, or the guard judged.
    at: Time,
    /// By the wall clock.
    time: Wall,
    #[serde(flatten)]
    what: What,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum What {
    /// A sample.
    Probe {
        probe: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        value: Option<Json>,
        /// Why there is no value.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        no_data: Option<String>,
        /// Since when every sample has had a value.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        good_since: Option<Time>,
    },
    /// A guard whose samples say otherwise than before.
    Guard { guard: String, failing: u32 },
    /// What a budget has spent.
    Budget { budget: String, spent: Spend },
    /// How a step gets on whose progress is watched.
    Step { step: String, pace: Pace },
}

/// The writing end.
pub struct Samples {
    plan: Arc<Plan>,
    folder: PathBuf,
    limit: u64,
    /// Lines that wait for the next writing.
    waiting: Vec<u8>,
    file: Option<(File, u64)>,
    /// By probe, the guards that it has a say in.
    guards: Vec<Vec<GuardId>>,
    /// What was last written of each guard.
    told: BTreeMap<GuardId, u32>,
    /// What was last written of each budget.
    told_spent: BTreeMap<GuardId, Spend>,
}

impl Samples {
    /// For the run of this folder. The file is opened with the first sample.
    pub fn new(plan: Arc<Plan>, folder: &Path) -> Self {
        let mut guards = vec![Vec::new(); plan.probes().len()];
        for guard in plan.guard_ids() {
            for probe in plan.guard_probes(guard) {
                guards[probe.index()].push(guard);
            }
        }
        let folder = folder.to_owned();
        Self {
            plan,
            folder,
            limit: FILE_MAX,
            waiting: Vec::new(),
            file: None,
            guards,
            told: BTreeMap::new(),
            told_spent: BTreeMap::new(),
        }
    }

    /// Notes the sample of a probe that the gauge has just taken in; `why_none` says why it has no value. What polls give is
    /// masked already.
    pub fn note(&mut self, probe: ProbeId, why_none: Option<String>, gauge: &Gauge, now: Moment) {
        let Some(latest) = gauge.latest(probe) else { return };
        let what = What::Probe {
            probe: self.plan.probe(probe).name.clone(),
            value: latest.value.map(kept),
            no_data: why_none,
            good_since: latest.good_since,
        };
        self.add(latest.asked, what, now);
        for guard in self.guards[probe.index()].clone() {
            if let Some(spent) = gauge.spend(guard)
                && self.told_spent.get(&guard) != Some(&spent)
            {
                self.told_spent.insert(guard, spent.clone());
                self.add(now.at, What::Budget { budget: self.plan.guard(guard).name.clone(), spent }, now);
            }
            let failing = match gauge.health(guard).map(health) {
                Some(Health::Healthy) => 0,
                Some(Health::Failing(samples)) => samples,
                // It is not judged yet, has no data, or is not watched; breaches are the journal's.
                Some(Health::Waking | Health::NoData | Health::Asleep | Health::Breached | Health::Blind) | None => {
                    self.told.remove(&guard);
                    continue;
                }
            };
            if self.told.insert(guard, failing) != Some(failing) {
                self.add(now.at, What::Guard { guard: self.plan.guard(guard).name.clone(), failing }, now);
            }
        }
        let plan = Arc::clone(&self.plan);
        let reads = |step: StepId| plan.step(step).progress.is_some_and(|progress| progress.probe == probe);
        for (attempt, pace) in gauge.paces(now.at).filter(|(attempt, _)| reads(attempt.step)) {
            let pace = shown_pace(&plan, attempt.step, pace);
            self.add(now.at, What::Step { step: plan.step(attempt.step).name.clone(), pace }, now);
        }
    }

    fn add(&mut self, at: Time, what: What, now: Moment) {
        let ago = i64::try_from(now.at.since(at).millis()).unwrap_or(0);
        let time = Wall::from_millis(now.wall.millis().saturating_sub(ago));
        if serde_json::to_writer(&mut self.waiting, &Line { at, time, what }).is_ok() {
            self.waiting.push(b'\n');
        }
    }

    /// Writes down what waits. To be called when nothing more important is to be done.
    pub fn write(&mut self) {
        if self.waiting.is_empty() {
            return;
        }
        if let Err(error) = self.try_to_write() {
            tracing::debug!("could not write down samples: {error}");
            self.file = None;
        }
        self.waiting.clear();
    }

    fn try_to_write(&mut self) -> io::Result<()> {
        let path = self.folder.join(FILE);
        if self.file.as_ref().is_some_and(|(_, size)| *size >= self.limit) {
            self.file = None;
            std::fs::rename(&path, self.folder.join(FILE_BEFORE))?;
            // The new file tells all there is to tell of guards, too.
            self.told.clear();
            self.told_spent.clear();
        }
        if self.file.is_none() {
            self.file = Some(open(&path)?);
        }
        let Some((file, size)) = &mut self.file else { return Ok(()) };
        file.write_all(&self.waiting)?;
        *size += self.waiting.len() as u64;
        Ok(())
    }
}

/// The file to append to, and how long it is.
fn open(path: &Path) -> io::Result<(File, u64)> {
    let mut file = OpenOptions::new().append(true).create(true).mode(0o600).open(path)?;
    let size = file.metadata()?.len();
    if size == 0 {
        return Ok((file, 0));
    }
    // The last line may have been cut off by a full disk or a crash.
    file.write_all(b"\n")?;
    Ok((file, size + 1))
}

/// A value as it is kept.
fn kept(value: &Json) -> Json {
    let text = value.to_string();
    if text.len() <= VALUE_MAX {
        return value.clone();
    }
    let beginning: String = text.chars().take(VALUE_MAX).collect();
    Json::String(format!("{beginning}…"))
}

/// The reading end, for a process that watches a run which another one drives.
pub struct Readings {
    folder: PathBuf,
    /// Which file was read, and how far.
    read: Option<(u64, u64)>,
    probes: BTreeMap<String, Reading>,
    guards: BTreeMap<String, (Time, u32)>,
    spends: Spends,
    paces: BTreeMap<String, (Time, Pace)>,
}

impl Readings {
    /// Of the run of this folder.
    pub fn of(folder: &Path) -> Self {
        let mut readings = Self {
            folder: folder.to_owned(),
            read: None,
            probes: BTreeMap::new(),
            guards: BTreeMap::new(),
            spends: Spends::new(),
            paces: BTreeMap::new(),
        };
        if let Ok(bytes) = std::fs::read(readings.folder.join(FILE_BEFORE)) {
            readings.take(&bytes);
        }
        readings
    }

    /// Reads what was written since. A file that is not there or not whole says less, and that is all.
    pub fn look(&mut self) {
        // Whoever cannot be read now may be later.
        let _ = self.try_to_look();
    }

    fn try_to_look(&mut self) -> io::Result<()> {
        let mut file = File::open(self.folder.join(FILE))?;
        let inode = file.metadata()?.ino();
        let from = self.read.filter(|(of, _)| *of == inode).map_or(0, |(_, from)| from);
        file.seek(SeekFrom::Start(from))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        self.take(&bytes[..whole]);
        self.read = Some((inode, from + whole as u64));
        Ok(())
    }

    fn take(&mut self, bytes: &[u8]) {
        for line in bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            let Ok(Line { at, what, .. }) = serde_json::from_slice(line) else { continue };
            match what {
                What::Probe { probe, value, good_since, .. } => {
                    self.probes.insert(probe, Reading { value, at, good_since });
                }
                What::Guard { guard, failing } => drop(self.guards.insert(guard, (at, failing))),
                What::Budget { budget, spent } => drop(self.spends.insert(budget, spent)),
                What::Step { step, pace } => drop(self.paces.insert(step, (at, pace))),
            }
        }
    }

    /// Puts what was read into the view of a run that is being driven, as its own terminal shows it.
    pub fn fill(&self, view: &mut View, plan: &Plan) {
        let now = view.now;
        for (shown, probe) in view.probes.iter_mut().zip(plan.probes()) {
            if let Some(reading) = self.probes.get(&shown.name) {
                // Who polls is not written down; a probe that is polled is never older than that.
                let fresh = probe.interval.plus(probe.interval).plus(probe.timeout);
                shown.polled = now.since(reading.at) <= fresh;
                shown.reading = Some(reading.clone());
            }
        }
        for shown in &mut view.steps {
            shown.pace = match (&shown.state, self.paces.get(&shown.name)) {
                (StepState::Running { since, way: Way::There, .. }, Some((at, pace))) if at >= since => {
                    Some(pace.after(now.since(*at)))
                }
                _ => None,
            };
        }
        view.note_spent(&self.spends);
        for shown in &mut view.guards {
            if let Some((at, failing)) = self.guards.get(&shown.name)
                && matches!(shown.health, Health::Waking | Health::NoData | Health::Healthy | Health::Failing(_))
                && *at >= shown.awake_since
            {
                shown.health = if *failing == 0 { Health::Healthy } else { Health::Failing(*failing) };
            }
        }
    }
}

#[cfg(test)]
#[path = "samples/tests.rs"]
mod tests;
