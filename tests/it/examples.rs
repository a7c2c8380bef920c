//! The runbooks under `examples/`.

use std::fs;
use std::path::Path;

use runbook::syntax;

#[test]
fn no_example_has_a_finding() {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    for file in ["quickstart/migrate.toml", "postgres-switchover/switchover.toml"] {
        let text = fs::read_to_string(examples.join(file)).expect("the example is there");
        let reading = syntax::read(&text);
        let findings: Vec<String> = reading.problems.iter().map(ToString::to_string).collect();
        assert!(reading.plan.is_some() && findings.is_empty(), "{file}: {findings:#?}");
    }
}
