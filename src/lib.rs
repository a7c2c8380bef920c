//! `runbook` moves stateful services while users are on them.
//!
//! A runbook is a TOML file. [`syntax`] reads it into a [`model::Plan`] or says everything that is wrong with it. The pure
//! machine in [`engine`] takes in facts and answers with commands and notices. [`drive`] carries the commands out: live, dry,
//! simulated or explored; its session writes every fact and decision to the [`journal`] before anything acts on it.
//! [`measure`] turns samples into verdicts for it. [`report`] tells people what happened, and [`cli`] asks them.
//!
//! The order below is the reading order, and a module may use only those that `docs/architecture.md` allows it.

pub mod model;

pub mod syntax;

pub mod measure;

pub mod engine;

pub mod journal;

pub mod drive;

pub mod report;

pub mod cli;
