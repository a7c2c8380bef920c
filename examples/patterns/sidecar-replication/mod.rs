//! The programs of the pattern sidecar replication.

mod sidecar;

use crate::Failure;

/// | | |
/// |---|---|
/// | `capture SOURCE` | its changes are written down from now on |
/// | `forget SOURCE LOG STREAM` | not any more, and those that were are gone, with the queue |
/// | `copy SOURCE TARGET` | makes the target what the source is, with the number of the last change |
/// | `prepare TARGET` | one that has what the source has |
/// | `lose LOG STREAM` | takes a change out of the middle of a queue |
/// | `run SOURCE TARGET LOG STREAM BOUND DOOR` | carries changes for ever, over a queue of at most BOUND |
pub(crate) async fn run(words: &[&str]) -> Result<(), Failure> {
    match *words {
        ["capture", source] => sidecar::capture(source).await,
        ["forget", source, log, stream] => sidecar::forget(source, log.parse()?, stream).await,
        ["copy", source, target] => sidecar::copy(source, target).await,
        ["lose", log, stream] => sidecar::lose(log.parse()?, stream).await,
        ["prepare", target] => sidecar::prepare(target).await,
        ["run", source, target, log, stream, bound, door] => {
            sidecar::run(source, target, log.parse()?, stream, bound.parse()?, door.parse()?).await
        }
        _ => {
            Err("usage: sidecar capture | forget | copy | prepare | lose | run, as sidecar-replication/mod.rs says"
                .into())
        }
    }
}
