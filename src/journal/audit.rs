//! Proving a journal against a head hash that was printed earlier.

use super::{Ending, Hash, Header, ReadError, Reader, Torn};
use crate::model::FactId;

/// What a whole file proves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Audit {
    /// Its first line.
    pub header: Header,
    /// How many records.
    pub records: u64,
    /// How many groups.
    pub groups: u64,
    /// The hash that covers all of it.
    pub head: Hash,
    /// The record whose hash was asked for (0: the header): the file is proved up to there.
    pub proved: Option<FactId>,
    /// What a crash tore off, if it did.
    pub torn: Option<Torn>,
}

/// Why a file proves nothing.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum AuditError {
    /// It is broken.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// It is whole, but it is another story.
    #[error("prove the journal: none of its {records} records has the hash {head}")]
    OtherHead {
        /// The hash asked for.
        head: Hash,
        /// How many records it has.
        records: u64,
    },
}

/// Reads every line of a journal; with `head`, proves that it begins with exactly the lines that this hash covers.
pub fn audit(bytes: &[u8], head: Option<Hash>) -> Result<Audit, AuditError> {
    let (header, mut reader) = Reader::new(bytes)?;
    // Heads are printed only between groups.
    let mut proved = (head == Some(reader.head())).then_some(FactId(0));
    while reader.skip_group()? {
        if head == Some(reader.head()) {
            proved = Some(reader.last());
        }
    }
    let end = reader.position();
    let records = end.last.0;
    if let (Some(head), None) = (head, proved) {
        return Err(AuditError::OtherHead { head, records });
    }
    let torn = match end.ending {
        Ending::Whole => None,
        Ending::Torn(torn) => Some(torn),
    };
    Ok(Audit { header, records, groups: end.group, head: end.head, proved, torn })
}
