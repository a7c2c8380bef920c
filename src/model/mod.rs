//! The words: plain data, immutable once built.
//!
//! Everything else speaks in these types. No input or output, no async, no clocks, no decisions.

mod action;
mod baseline;
mod bounds;
mod budget;
mod criterion;
mod hindsight;
mod hours;
mod id;
mod number;
mod outcome;
mod plan;
mod ramp;
mod time;
mod value;

pub use action::{
    Action, Body, Gate, Http, HttpPart, Manual, OnNo, Output, OutputAs, OutputFrom, Prometheus, Run, RunCommand, Sql,
    Statements, Template, Wait,
};
pub use baseline::{Baseline, Figure, Summaries, Summary};
pub use bounds::{Bounds, Efforts, PhaseBounds, RollbackEdge, StepBounds, Trigger, WayBack};
pub use budget::{Allowance, AllowanceText, Budget, Counted, ROUNDS_WITHOUT_DATA, Spend, Spends, number};
pub use criterion::{Condition, Count, Criterion};
pub use hindsight::{Hindsight, Spell, Tested};
pub use hours::Hours;
pub use id::{Attempt, AttemptId, ConditionId, FactId, GuardId, Part, PhaseId, ProbeId, RunId, StepId};
pub use number::{shown_decimal, shown_json, shown_number};
pub use outcome::{AttemptEnd, RunOutcome, StepOutcome, Verdict};
pub use plan::{
    About, Bracket, Draft, Guard, Included, Interrupts, NoData, Node, OnBreach, OnClose, OnDoubt, OnInterrupt, OnStop,
    Phase, Plan, PlanError, Policy, Probe, ProbeAs, ProbeSource, Progress, Retry, Rollback, Rule, Scope, Step,
    Survivors, Target, Then, Watched, WayHome, Window, Work,
};
pub use ramp::{Ramp, RampValue};
pub use time::{Span, Time};
pub use value::{Shapes, Value, VarDecl, VarSource, kind_of};
