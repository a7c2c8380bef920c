# The manual of the contributor: `just` lists it.

_list:
    @just --list --unsorted

# Everything CI runs
test:
    scripts/test

# Without the examples on real servers
quick:
    scripts/test quick

# One integration test by name, with its output
it name:
    cargo test --test it {{ name }} -- --nocapture

# Replay a simulation
seed number:
    RUNBOOK_SEED={{ number }} cargo test --test it simulate -- --nocapture

# Format and lint
tidy:
    cargo fmt --all
    cargo clippy --all-targets -- -D warnings

# Write the JSON schemas anew
schema:
    cargo run --quiet -- schema > schemas/runbook.schema.json
    cargo run --quiet -- schema part > schemas/part.schema.json

# Licences, bans, duplicates, sources and number of all dependencies
deny:
    scripts/deny

# Known faults of dependencies; fetches the database, which CI cannot
advisories:
    scripts/deny advisories

# Figures against floors measured in the same run
bench:
    scripts/bench
