//! Real things for tests to talk to.

pub(crate) mod postgres;
pub(crate) mod processes;
pub(crate) mod prometheus;
pub(crate) mod web;
