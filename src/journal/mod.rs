//! Remember: the durable record of a run. No decisions, no display.
//!
//! A run is one append-only file of JSON lines: a [`Header`] that pins what the run works from, then one [`Record`] per
//! event, chained by hashes ([`record`] says exactly how). What arrived together is one group, made durable by one sync
//! ([`Writer`]); what a crash tore off is cut, what somebody damaged is refused ([`Reader`]). The bytes lie in a
//! [`Store`]: by default a local file, filled ahead so that a full disk cannot take the way back. [`lock`] keeps a second
//! process out.

mod audit;
mod faulty;
pub mod lock;
mod reader;
pub mod record;
mod store;
mod writer;

pub use audit::{Audit, AuditError, audit};
pub use faulty::{Faults, FaultyDisk};
pub use reader::{Ending, Position, ReadError, Reader, Torn};
pub use record::{Beforehand, Clock, Extension, Hash, Header, Moment, Pinned, Record, Via, Wall, Who};
pub use store::{FileStore, Medium, NoRoom, Store, StoreError};
pub use writer::{Encoded, JournalError, Opened, Writer};
