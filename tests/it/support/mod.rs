//! Real things for tests to talk to.

pub(crate) mod postgres;
pub(crate) mod web;
