//! The live driver: the system and the operator answer.

pub mod asking;
pub mod attempt;
pub mod attempts;
pub mod backtest;
pub mod clock;
pub mod control;
pub mod desk;
pub mod driver;
pub mod gauge;
pub mod history;
pub mod http;
pub mod keeper;
pub mod once;
pub mod open;
pub mod outputs;
pub mod probe;
pub mod process_end;
mod prometheus;
pub mod prompt;
pub mod questions;
pub mod reading;
pub mod render;
mod run_probe;
pub mod samples;
pub mod scope;
pub mod secret;
pub mod secret_outputs;
pub mod sql;
pub mod start;
pub mod staying;
mod tcp_probe;
pub mod telling;
pub mod vars;
pub mod window;
pub mod windows;

pub use driver::{DriveError, Driver, Options, Parting, Parts};
