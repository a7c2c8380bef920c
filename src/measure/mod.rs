//! Judge: samples in, verdicts out. Compiled conditions, freshness, guards. No input or output, no clocks, no decisions.
//!
//! It must not know what a question is for, what follows from a verdict, or how a sample is taken: times and values come
//! in as arguments.

mod backtest;
mod baseline;
mod comparison;
mod condition;
mod judge;
mod number;
mod series;
mod summary;

pub use backtest::Backtest;
pub(crate) use condition::nearest;
pub use condition::{
    Compiled, ConditionError, Kind, Locals, Measured, NameOf, Names, Program, Reads, Scope, compile, rename,
};
pub use judge::{Finding, Health, Judge, Latest, Pace};
pub use series::{SAMPLES_MAX, Series};
