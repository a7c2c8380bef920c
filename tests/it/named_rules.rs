//! Rules that cross layers, each under its own name: from the text of a runbook to what it leads to.

use runbook::measure::{Finding, Judge, Scope, Series};
use runbook::model::{ProbeId, StepOutcome, Time, Value, Verdict};
use serde_json::{Value as Json, json};

const SWITCH: &str = r#"
format = 1
[runbook]
name = "switch"
phases = ["cutover"]
timeout = "10m"
rollback_timeout = "5m"
[probe.lag]
run = "lag"
[phase.cutover]
sequence = ["fence_old", "promote"]
[step.fence_old]
run = ["fence"]
timeout = "10s"
success = ["probe.lag >= 0"]
undo = { run = ["unfence"], timeout = "10s", success = ["probe.lag >= 0"] }
[step.promote]
run = ["promote"]
timeout = "10s"
require = ["probe.lag == 0"]
success = ["probe.lag == 0"]
undo = { run = ["demote"], timeout = "10s", success = ["probe.lag >= 0"] }
"#;

/// A run in which nothing is known but samples.
struct Nothing;

impl Scope for Nothing {
    fn var(&self, _: &str) -> Option<Value> {
        None
    }
    fn probe(&self, _: &str) -> Option<Json> {
        None
    }
    fn series(&self, _: &str) -> Option<&Series> {
        None
    }
    fn baseline(&self, _: &str, _: runbook::model::Figure) -> Option<Json> {
        None
    }
    fn step_outcome(&self, _: &str) -> Option<StepOutcome> {
        None
    }
    fn step_attempts(&self, _: &str) -> Option<u32> {
        None
    }
    fn step_output(&self, _: &str, _: &str) -> Option<Value> {
        None
    }
    fn local(&self, _: &str) -> Option<Json> {
        None
    }
}

#[test]
fn a_sample_asked_before_the_fence_does_not_open_promote() {
    let plan = runbook::syntax::read(SWITCH).plan.expect("a runbook without errors");
    let promote = plan.step(plan.step_named("promote").expect("it is there"));
    let mut judge: Judge<&str> = Judge::new(&plan);
    let (lag, fenced) = (ProbeId::at(0), Time::from_millis(10_000));
    let at = Time::from_millis;

    // Asked before the fence was up: whatever it says, writes may have come in since.
    assert_eq!(judge.sample(lag, at(9_000), at(9_050), Some(json!(0)), &Nothing), []);
    assert_eq!(judge.ask("promote", promote.forward.require[0].condition, None, None, fenced, &Nothing), []);
    // Asked before it, answered behind it: no better.
    assert_eq!(judge.sample(lag, at(9_990), at(10_500), Some(json!(0)), &Nothing), []);
    // Asked behind it: this one counts.
    let found = judge.sample(lag, at(10_600), at(10_650), Some(json!(512)), &Nothing);
    assert!(matches!(found.as_slice(), [Finding::Judged { verdict: Verdict::Fails, .. }]), "{found:?}");
    let found = judge.sample(lag, at(11_600), at(11_650), Some(json!(0)), &Nothing);
    assert!(matches!(found.as_slice(), [Finding::Judged { verdict: Verdict::Holds, .. }]), "{found:?}");
}

#[test]
fn a_fence_forgotten_in_a_sequence_is_an_error() {
    let forgotten = SWITCH.replace("\"fence_old\", \"promote\"", "\"promote\"");
    let reading = runbook::syntax::read(&forgotten);
    let errors: Vec<String> =
        reading.problems.iter().filter(|problem| problem.is_error()).map(ToString::to_string).collect();
    assert!(reading.plan.is_none() && errors.len() == 1, "{errors:?}");
    assert!(errors[0].contains("`fence_old`"), "{errors:?}");
}
