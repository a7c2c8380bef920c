//! Probes that ask a real Prometheus.

use std::fs;

use assert_cmd::Command;

use crate::support::prometheus::Prometheus;

#[test]
fn a_real_prometheus_gives_one_number_or_no_data() {
    let server = Prometheus::start();
    let queries = [
        ("scalar", "40 + 2"),
        ("vector", "label_replace(vector(0.5), 'job', '{{vars.job}}', '', '')"),
        ("empty", "up{job='{{vars.job}}'}"),
        ("both", "label_replace(vector(1), 'a', 'b', '', '') or vector(2)"),
        ("nan", "vector(0) / 0"),
        ("infinite", "vector(1) / 0"),
        ("range", "up[5m]"),
        ("wrong", "sum("),
    ];
    let probe = |(name, query): &(&str, &str)| {
        format!("[probe.{name}]\nprometheus = {{ url = \"{}/\", query = \"{query}\" }}\n", server.url())
    };
    let probes: String = queries.iter().map(probe).collect();
    let none: Vec<String> = queries[2..].iter().map(|(name, _)| format!("!has(probe.{name})")).collect();
    let text = format!(
        r#"
format = 1
[runbook]
name = "ask"
timeout = "1m"
[vars]
job = "it's \"mine\""
{probes}
[probe.is_up]
prometheus = {{ url = "{}", query = "vector(1) > bool 0" }}
bool = true
[[preflight]]
that = "probe.scalar == 42 && probe.vector == 0.5 && probe.is_up && {}"
[step.go]
run = "true"
timeout = "10s"
effect = "none"
"#,
        server.url(),
        none.join(" && ")
    );
    let folder = tempfile::tempdir().expect("a temporary folder");
    fs::write(folder.path().join("ask.toml"), text).expect("it can be written");
    let exec = Command::cargo_bin("runbook")
        .expect("it is built")
        .args(["exec", "ask.toml"])
        .env("RUNBOOK_STATE_DIR", folder.path().join("state"))
        .current_dir(folder.path())
        .output()
        .expect("it runs");
    assert!(
        exec.status.success(),
        "{}{}",
        String::from_utf8_lossy(&exec.stdout),
        String::from_utf8_lossy(&exec.stderr)
    );
}
