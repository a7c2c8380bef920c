//! Judge: samples in, verdicts out. Compiled conditions, freshness, guards. No input or output, no clocks, no decisions.
//!
//! It must not know what a question is for, what follows from a verdict, or how a sample is taken: times and values come
//! in as arguments.

mod condition;
mod judge;

pub(crate) use condition::nearest;
pub use condition::{Compiled, ConditionError, Kind, Locals, Names, Program, Reads, Scope, compile};
pub use judge::{Finding, Health, Judge, Latest};
