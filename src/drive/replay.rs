//! A journal read again: the state of a run at its end, and all that was told on the way (R21a).
//!
//! For verbs that only read, and for whoever takes a run up and wants to know what happened so far.

use std::sync::Arc;

use super::fact::News;
use crate::engine::{Command, Engine, Output};
use crate::journal::{Header, JournalError, Reader, Record};
use crate::model::Plan;

/// A record, or something that it led to.
pub enum Heard<'a> {
    /// A record; what it led to follows.
    Record(&'a Record),
    /// An order.
    Order(&'a Record, Command),
    /// News.
    News(News),
}

/// Reads a journal from its beginning, hands out what each record led to, and returns the engine as the last one left it.
/// What was decided is not compared here; `resume` does that.
pub fn replay(
    plan: &Arc<Plan>,
    bytes: &[u8],
    mut hear: impl FnMut(Heard<'_>),
) -> Result<(Header, Engine), JournalError> {
    let (header, mut reader) = Reader::new(bytes)?;
    let mut engine = Engine::new(Arc::clone(plan));
    let mut group = Vec::new();
    while reader.next_group(&mut group)? {
        for record in &group {
            hear(Heard::Record(record));
            let evidence = record.evidence.as_deref().map(Arc::from);
            let who = record.who.clone().map(Arc::new);
            for output in engine.apply(&record.event) {
                match output {
                    Output::Do(command) => hear(Heard::Order(record, command)),
                    Output::Tell(notice) => hear(Heard::News(News {
                        at: record.at,
                        notice,
                        fact: record.n,
                        evidence: evidence.clone(),
                        who: who.clone(),
                    })),
                }
            }
        }
    }
    Ok((header, engine))
}
