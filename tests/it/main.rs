//! One integration binary; one module per topic. A test's name is a sentence that states the rule.

mod cli;
mod crash;
mod detached;
mod docs;
mod dry_run;
mod engine_traces;
mod examples;
mod explore;
mod keeper;
mod layers;
mod named_rules;
mod plan_text;
mod problems;
mod prometheus;
mod prompt;
mod random;
mod requests;
mod rules;
mod runbooks;
mod simulate;
mod sketch;
mod statements_postgres;
mod statements_sqlite;
mod support;
mod trace;
mod way_back;
