//! A journal read again: the state of a run at its end, and all that was told on the way (R21a).
//!
//! For verbs that only read, and for whoever takes a run up and wants to know what happened so far.

use std::sync::Arc;

use super::fact::News;
use crate::engine::{Command, Engine, Outbox, Output};
use crate::journal::{Hash, Header, JournalError, Reader, Record};
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

/// What a journal leads to.
pub struct Replayed {
    /// Its first line.
    pub header: Header,
    /// The engine as its last record left it.
    pub engine: Engine,
    /// The hash that covers all of its whole groups.
    pub head: Hash,
}

/// Reads a journal from its beginning and hands out what each record led to. What was decided is not compared here;
/// [`Session::resume`](super::Session::resume) does that.
pub fn replay(plan: &Arc<Plan>, bytes: &[u8], mut hear: impl FnMut(&Heard<'_>)) -> Result<Replayed, JournalError> {
    let (header, mut reader) = Reader::new(bytes)?;
    let mut engine = Engine::new(Arc::clone(plan));
    let mut group = Vec::new();
    while reader.next_group(&mut group)? {
        for record in &group {
            let outbox = engine.apply(&record.event);
            hand_out(record, outbox, &mut hear);
        }
    }
    Ok(Replayed { header, engine, head: reader.head() })
}

/// Hands out a record and what it led to.
pub(super) fn hand_out(record: &Record, outbox: Outbox, hear: &mut impl FnMut(&Heard<'_>)) {
    hear(&Heard::Record(record));
    // Most records lead to orders alone.
    let mut shared = None;
    for output in outbox {
        match output {
            Output::Do(command) => hear(&Heard::Order(record, command)),
            Output::Tell(notice) => {
                let (evidence, who) = shared
                    .get_or_insert_with(|| {
                        (record.evidence.as_deref().map(Arc::from), record.who.clone().map(Arc::new))
                    })
                    .clone();
                hear(&Heard::News(News { at: record.at, notice, fact: record.n, evidence, who }));
            }
        }
    }
}
