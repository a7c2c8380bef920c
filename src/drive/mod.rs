//! Act: ways to answer the engine's commands. No rules about runbooks.
//!
//! Every driver works through a [`Session`]: it brings [`Fact`]s and takes away what is [`Told`].

mod deadlines;
pub mod explore;
mod fact;
mod group;
pub mod live;
mod outstanding;
mod replay;
mod reserve;
mod session;
pub mod simulate;
#[cfg(test)]
mod sketch;

pub use fact::{Fact, News, Told, Urgency};
pub use outstanding::Outstanding;
pub use replay::{Heard, Replayed, replay};
pub use session::{ResumeError, Session};
