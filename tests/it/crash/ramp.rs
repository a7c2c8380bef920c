//! Ramps against a little server of weights: what was set is read from the server, never from what the tool says.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex};

use serde_json::{Value as Json, json};

use super::bench::{Bench, wait};
use crate::support::web::serve;

/// A server that has a weight, and two figures that the test moves.
#[derive(Default)]
struct Weights {
    weight: Json,
    /// Every weight that was set, in order.
    set: Vec<Json>,
    errors: u32,
    /// The weight at which there is back-pressure.
    busy_at: Option<i64>,
    /// The errors at a weight.
    errors_at: Option<i64>,
}

#[derive(Clone)]
struct Server {
    url: String,
    weights: Arc<Mutex<Weights>>,
}

impl Server {
    fn start() -> Self {
        let weights = Arc::new(Mutex::new(Weights { weight: json!(0), ..Weights::default() }));
        let held = Arc::clone(&weights);
        let url = serve(move |asked, open| {
            let mut weights = held.lock().expect("no request panics");
            let at = weights.weight.as_i64();
            if asked.line.starts_with("PUT /weight") {
                let body: Json = serde_json::from_str(&asked.body).expect("JSON");
                weights.weight = body["weight"].clone();
                weights.set.push(body["weight"].clone());
                return open.answer(200, "", "{}");
            }
            let body = if asked.line.starts_with("GET /weight") {
                json!({ "weight": weights.weight }).to_string()
            } else if asked.line.starts_with("GET /errors") {
                let errors = if weights.errors_at.is_some() && weights.errors_at == at { 9 } else { weights.errors };
                errors.to_string()
            } else {
                u32::from(weights.busy_at.is_some() && weights.busy_at == at).to_string()
            };
            open.answer(200, "", &body);
        });
        Self { url, weights }
    }

    fn change(&self, change: impl FnOnce(&mut Weights)) {
        change(&mut self.weights.lock().expect("no request panics"));
    }

    fn set(&self) -> Vec<Json> {
        self.weights.lock().expect("no request panics").set.clone()
    }

    /// A runbook with one ramp over that server; `more` are keys of the step.
    fn runbook(&self, more: &str) -> String {
        let mut text = "\n[vars]\nweights = { default = [1] }\n".to_owned();
        for (probe, part) in [("weight", ", json = '/weight'"), ("errors", ""), ("busy", "")] {
            let url = &self.url;
            let _ = write!(text, "[probe.{probe}]\nhttp = {{ url = '{url}/{probe}'{part} }}\ninterval = '10ms'\n");
        }
        let url = &self.url;
        let _ = write!(
            text,
            "[step.shift]\ntimeout = '5m'\nidempotent = true\n{more}
undo = {{ http = {{ method = 'PUT', url = '{url}/weight', json = {{ weight = 0 }} }}, success = ['probe.weight == 0'] }}
[step.shift.ramp]
values = '{{{{vars.weights}}}}'
set = {{ http = {{ method = 'PUT', url = '{url}/weight', json = {{ weight = '{{{{value}}}}' }} }} }}
confirm = {{ that = 'probe.weight == value', within = '2s' }}
hold = '50ms'
advance = ['probe.errors < 5 || value < 0']
hold_while = 'probe.busy == 1'
"
        );
        text
    }
}

const EXEC: &[&str] = &["exec", "crash.toml", "--output", "plain", "--var", "weights=[1, 10, 50]"];

fn bench(server: &Server) -> Bench {
    Bench::new(&server.runbook(""))
}

/// How often something was decided, by the name of the order.
fn decided(bench: &Bench, name: &str) -> usize {
    let journal = bench.journal();
    let orders = journal.iter().flat_map(|record| record["decided"].as_array().into_iter().flatten());
    orders.filter(|order| order.get(name).is_some()).count()
}

fn is_kept_at(bench: &Bench, weight: u32) -> bool {
    bench.screen().contains(&format!("stays at {weight} "))
}

#[test]
fn every_value_is_set_in_order_with_its_type_and_the_last_one_stays() {
    let server = Server::start();
    let bench = bench(&server);
    assert_eq!(bench.run(EXEC), 0, "{}", bench.story());
    assert_eq!(server.set(), [json!(1), json!(10), json!(50)]);
    let screen = bench.screen();
    for line in ["sets 10 (2 of 3)", "10 (2 of 3) is confirmed, and held for 50ms", "10 has held, now 50"] {
        assert!(screen.contains(line), "{line}\n{screen}");
    }
}

#[test]
fn a_ramp_killed_in_the_hold_of_a_middle_value_goes_on_at_that_value_and_sets_it_no_second_time() {
    let server = Server::start();
    server.change(|weights| weights.busy_at = Some(10));
    let bench = bench(&server);
    let mut child = bench.spawn(EXEC);
    bench.until("the second value is held back", || is_kept_at(&bench, 10));
    child.kill().expect("it is our child");
    wait(&mut child, std::time::Duration::from_mins(1));
    assert_eq!(decided(&bench, "take_value"), 2);

    server.change(|weights| weights.busy_at = None);
    assert_eq!(bench.run(bench.go_on()), 0, "{}", bench.story());
    assert_eq!(server.set(), [json!(1), json!(10), json!(50)], "{}", bench.story());
    assert_eq!(decided(&bench, "take_value"), 3, "the plan is that of the pinned variable\n{}", bench.story());
    assert_eq!(bench.screen().matches("10 (2 of 3) is confirmed").count(), 2, "{}", bench.story());
}

#[test]
fn a_value_that_somebody_moved_while_nobody_drove_the_run_is_set_again() {
    let server = Server::start();
    server.change(|weights| weights.busy_at = Some(10));
    let bench = bench(&server);
    let mut child = bench.spawn(EXEC);
    bench.until("the second value is held back", || is_kept_at(&bench, 10));
    child.kill().expect("it is our child");
    wait(&mut child, std::time::Duration::from_mins(1));

    server.change(|weights| (weights.busy_at, weights.weight) = (None, json!(3)));
    assert_eq!(bench.run(bench.go_on()), 0, "{}", bench.story());
    assert_eq!(server.set(), [json!(1), json!(10), json!(10), json!(50)], "{}", bench.story());
}

#[test]
fn errors_at_a_middle_value_take_the_ramp_back() {
    let server = Server::start();
    server.change(|weights| weights.errors_at = Some(10));
    let bench = bench(&server);
    assert_eq!(bench.run(EXEC), 4, "{}", bench.story());
    assert_eq!(server.set(), [json!(1), json!(10), json!(0)]);
    assert!(bench.screen().contains("advance `probe.errors < 5 || value < 0` does not hold"), "{}", bench.story());
}

#[test]
fn an_operator_holds_a_ramp_from_elsewhere_and_lets_it_go_on_and_both_are_recorded() {
    let server = Server::start();
    server.change(|weights| weights.busy_at = Some(10));
    let bench = bench(&server);
    let mut child = bench.spawn(EXEC);
    bench.until("the second value is held back", || is_kept_at(&bench, 10));
    assert_ne!(bench.run(&["advance", "shift"]), 0, "nobody holds it yet\n{}", bench.story());
    assert_eq!(bench.run(&["hold", "shift", "--reason", "the cache is cold"]), 0, "{}", bench.story());
    server.change(|weights| weights.busy_at = None);
    bench.until("only the operator holds it", || decided(&bench, "hold") == 2);
    assert_eq!(bench.run(&["status"]), 0);
    assert!(bench.screen().contains("ramp at 10 (2 of 3)"), "{}", bench.story());
    assert_eq!(server.set(), [json!(1), json!(10)]);
    assert_eq!(bench.run(&["advance", "shift", "--reason", "warm now"]), 0, "{}", bench.story());
    let status = wait(&mut child, std::time::Duration::from_mins(1)).expect("it ends");
    assert_eq!(status.code(), Some(0), "{}", bench.story());
    assert_eq!(server.set(), [json!(1), json!(10), json!(50)]);

    let orders: Vec<(String, String)> = bench
        .journal()
        .iter()
        .filter(|record| record["event"].get("operator_asked").is_some())
        .map(|record| (record["event"]["operator_asked"]["act"].to_string(), record["who"]["reason"].to_string()))
        .collect();
    let orders = &orders[1..];
    let order = |act: &str, reason: &str| (format!(r#"{{"{act}":{{"step":0}}}}"#), format!("{reason:?}"));
    assert_eq!(orders, [order("hold", "the cache is cold"), order("advance", "warm now")]);
}

#[test]
fn machines_read_the_value_and_what_keeps_it() {
    let server = Server::start();
    let bench = bench(&server);
    assert_eq!(bench.run(&["exec", "crash.toml", "--output", "json", "--var", "weights=[1, 10]"]), 0);
    let screen = bench.screen();
    let events: Vec<Json> = screen.lines().map(|line| serde_json::from_str(line).expect("JSON lines")).collect();
    let of_ramp: Vec<String> = events
        .iter()
        .filter(|event| event["event"].as_str().is_some_and(|name| name.starts_with("ramp.")))
        .filter(|event| event["event"] != "ramp.held")
        .map(|event| format!("{} {}", event["event"].as_str().unwrap_or_default(), event["value"]))
        .collect();
    let each = |value: u32| ["setting", "set", "confirmed", "advanced"].map(|name| format!("ramp.{name} {value}"));
    assert_eq!(of_ramp, [each(1), each(10)].concat());
}

#[test]
fn what_a_variable_gives_is_proved_before_anything_is_started() {
    let server = Server::start();
    let bench = bench(&server);
    for (weights, why) in [
        ("weights=[]", "`weights` is an empty list"),
        ("weights=[[1]]", "[1] of `weights` is no value of a ramp"),
        (r#"weights=[{"value": 1, "hold": "1h"}]"#, "the holds of `shift` take 1h at least, and its timeout is 5m"),
    ] {
        assert_eq!(bench.run(&["exec", "crash.toml", "--var", weights]), 2, "{weights}\n{}", bench.screen());
        assert!(bench.screen().contains(why), "{weights}\n{}", bench.screen());
    }
    assert!(bench.run_folder().is_none() && server.set().is_empty());
}

#[test]
fn a_dry_run_shows_the_values_that_the_run_would_have_and_what_it_could_not_check() {
    let server = Server::start();
    let bench = bench(&server);
    assert_eq!(bench.run(&["exec", "crash.toml", "--dry-run", "--var", "weights=[2, 7]"]), 0, "{}", bench.screen());
    let screen = bench.screen();
    assert!(screen.contains("ramp 2, 7, each held 50ms"), "{screen}");
    assert!(screen.contains("whether its 2 values are taken, confirmed and held"), "{screen}");
    assert!(server.set().is_empty());
}

#[test]
fn a_process_that_sets_a_value_reads_it_as_an_argument_and_from_its_environment() {
    let bench = Bench::new(
        r#"
[step.shift]
idempotent = true
effect = "none"
[step.shift.ramp]
values = ["a b", 2.5, true]
set = { run = "echo {{value}} \"$RUNBOOK_VALUE\" >> effects" }
"#,
    );
    assert_eq!(bench.run(&["exec", "crash.toml", "--output", "plain"]), 0, "{}", bench.story());
    assert_eq!(bench.effects(), ["a b a b", "2.5 2.5", "true true"]);
}

#[test]
fn the_ramp_of_the_format_page_runs() {
    let page = include_str!("../../../docs/format.md");
    let start = page.find("### Ramps").and_then(|at| Some(at + page[at..].find("```toml\n")? + 8)).expect("a block");
    let text = &page[start..start + page[start..].find("```").expect("it ends")];
    let bench = Bench::new("");
    std::fs::write(bench.path("crash.toml"), text).expect("written");
    for name in ["weight", "errors", "queue"] {
        std::fs::write(bench.path(name), "0\n").expect("written");
    }
    let dir = format!("dir={}", bench.path("").display());
    let weights = r#"weights=[{"value": 5, "hold": "10ms"}, {"value": 100, "hold": "10ms"}]"#;
    let exit = bench.run(&["exec", "crash.toml", "--output", "plain", "--var", &dir, "--var", weights]);
    assert_eq!((exit, bench.read("weight").as_str()), (0, "100\n"), "{}", bench.story());
}
