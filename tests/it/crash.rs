//! Crash safety, tested by crashing: the real binary, real processes, real kills.
//!
//! What has happened is read from where it happened (a file that the steps append to), never from what the tool says of it.

mod bench;
mod disk;
mod kills;
mod parts;
mod processes;
mod ramp;
mod secrets;
mod tails;
mod terminal;
mod writes;
