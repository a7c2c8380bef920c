//! Outputs that are secret: in a 0600 file of the run, never in the journal (R23).

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use serde_json::Value as Json;

use super::outputs::Outputs;
use crate::model::{Plan, StepId};

fn path(folder: &Path, plan: &Plan, step: StepId) -> PathBuf {
    folder.join("steps").join(format!("{}.secret", plan.step(step).name))
}

/// Keeps the secret outputs of a step. Written anew and renamed: a later process reads all of it or what was before.
pub fn keep(folder: &Path, plan: &Plan, step: StepId, outputs: &BTreeMap<String, Json>) -> io::Result<()> {
    let path = path(folder, plan, step);
    let fresh = path.with_extension("secret.new");
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&fresh)?;
    file.write_all(&serde_json::to_vec(outputs)?)?;
    file.sync_data()?;
    fs::rename(fresh, path)
}

/// The secret outputs that an earlier process kept; none where there is no readable file.
pub fn recall(folder: &Path, plan: &Plan, step: StepId) -> Outputs {
    let secret = fs::read(path(folder, plan, step)).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
    Outputs { open: BTreeMap::new(), secret: secret.unwrap_or_default() }
}
