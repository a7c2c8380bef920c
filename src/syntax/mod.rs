//! Read: TOML text to a [`Plan`](crate::model::Plan), or every problem with it and its place.
//!
//! It knows texts and places and nothing of the world: no processes, no files, no clocks, no engine.

mod about;
mod action;
mod baseline;
mod bounds;
mod budget;
mod durations;
mod expressions;
mod fill;
mod finding;
mod include;
#[cfg(test)]
mod keys_tests;
mod known;
mod misfit;
mod names;
mod nearest;
mod node;
mod order;
mod parameter;
mod phase;
mod policy;
mod probe;
mod problem;
mod prove;
mod ramp;
mod read;
mod reader;
mod relations;
pub mod render;
pub mod schema;
mod scope;
mod shape;
mod site;
#[cfg(test)]
mod sketch;
mod source;
mod spec;
mod step;
mod tables;
pub mod template;

pub use fill::fill;
pub use finding::Finding;
pub use misfit::Misfit;
pub use problem::Problem;
pub use prove::prove;
pub use read::{Reading, read, read_given};
pub use site::{Places, Site};
pub use source::{PartText, Sources, Texts};
