//! Decide: the pure machine of a run.
//!
//! Facts go in, commands and notices come out, in order ([`Engine::apply`]). It knows conditions, not values; deadlines,
//! not times; ids, not texts (R0). Absent here: input and output, async, clocks, randomness, hash maps, floats.

mod ask;
mod baseline;
mod command;
mod ending;
mod event;
mod gate;
mod guard;
mod invariant;
mod job;
mod machine;
mod normal;
mod operator;
mod phase;
mod progress;
mod ramp;
mod rollback;
mod schedule;
mod state;

pub use command::{Cause, Command, Direction, HeldBack, Notice, Outbox, Output};
pub use event::{Act, Answer, Asked, Deadline, Event, Origin, Question, Rung};
pub use machine::{Engine, Standing};
pub use ramp::RampAt;

/// Raised when the same facts may lead to other decisions than before; journals name the one that wrote them.
pub const REVISION: u32 = 3;
