//! Durations that come from variables, and values that `check`, `plan` and `graph` are given.

use std::fs;

use runbook::model::{Bounds, Plan, Value};
use runbook::syntax::render::{Look, for_terminal};
use runbook::syntax::{Reading, Texts, read_given, schema};

use super::cli::Bench;

const COPY: &str = r#"
format = 1
[runbook]
name = "copying"
timeout = "{{vars.whole}}"
rollback_timeout = "10m"
[vars]
whole = "2h"
copying = { default = "20m", env = "DURATIONS_COPYING" }
[step.copy]
run = ["./copy"]
timeout = "{{vars.copying}}"
kill_after = "0s"
effect = "none"
retry = { attempts = 3 }
idempotent = true
"#;

fn reading(texts: &Texts, given: &[(&str, &str)]) -> Reading {
    let value = |text: &str| Value { json: text.into(), secret: false };
    read_given(texts, &given.iter().map(|(name, text)| ((*name).to_owned(), value(text))).collect())
}

fn plan(texts: &Texts, given: &[(&str, &str)]) -> Plan {
    let Reading { plan, problems, sources, .. } = reading(texts, given);
    plan.unwrap_or_else(|| panic!("{}", for_terminal("a.toml", &sources, &problems, Look::PLAIN)))
}

#[test]
fn the_default_of_a_variable_counts_until_a_run_gives_it_a_value() {
    let texts = Texts::alone(COPY);
    let forward = |given: &[_]| Bounds::of(&plan(&texts, given)).forward.written();
    assert_eq!(forward(&[]), "1h2s");
    assert_eq!(forward(&[("copying", "5m")]), "15m2s");
}

#[test]
fn what_check_proves_depends_on_what_a_variable_is_worth() {
    let texts = Texts::alone(COPY);
    let found = |given| -> Vec<String> { reading(&texts, given).problems.iter().map(ToString::to_string).collect() };
    assert_eq!(found(&[]), [""; 0]);
    let found = found(&[("copying", "50m")]);
    assert!(found.iter().any(|found| found.contains("may take 2h 30m")), "{found:?}");
}

const PART: &str = r#"
format = 1
[part]
sequence = ["carry"]
[vars]
bound = { summary = "how long" }
pause = "3s"
[step.carry]
run = ["./carry"]
timeout = "{{ vars.bound }}"
kill_after = "{{vars.pause}}"
effect = "none"
"#;

const INCLUDES: &str = r#"
format = 1
[runbook]
name = "including"
timeout = "2h"
phases = ["one"]
[vars]
slow = "7m"
[part.a]
use = "part.toml"
with = { bound = "{{vars.slow}}" }
[part.b]
use = "part.toml"
with = { bound = "2m", pause = "1s" }
[phase.one]
timeout = "{{vars.b_bound}}"
sequence = ["a", "b"]
"#;

#[test]
fn a_part_is_given_durations_as_it_is_given_other_values_and_each_include_has_its_own() {
    let texts = Texts::gather(INCLUDES.to_owned(), |_| Ok(PART.to_owned()));
    let bounds = |given| {
        let plan = plan(&texts, given);
        let of = |name: &str| {
            let work = &plan.step(plan.step_named(name).expect("there")).forward;
            format!("{} {}", work.timeout.written(), work.kill_after.written())
        };
        (of("a_carry"), of("b_carry"), plan.phases()[0].timeout.expect("it has one").written())
    };
    let expected = |a: &str, b: &str, phase: &str| (a.to_owned(), b.to_owned(), phase.to_owned());
    // The phase is shorter than its steps: a warning.
    assert_eq!(bounds(&[("slow", "1m")]), expected("1m 3s", "2m 1s", "2m"));
    assert_eq!(bounds(&[("slow", "1m"), ("b_bound", "4m"), ("a_pause", "0s")]), expected("1m 0s", "4m 1s", "4m"));
}

#[test]
fn a_part_that_lacks_a_duration_has_one_problem() {
    for (instead, said) in [
        ("", "part `a` is not given `bound`"),
        ("with = { bound = \"{{vars.solw}}\" }\n", "there is no variable `solw`"),
    ] {
        let runbook = INCLUDES.replace("with = { bound = \"{{vars.slow}}\" }\n", instead);
        let texts = Texts::gather(runbook, |_| Ok(PART.to_owned()));
        let problems = reading(&texts, &[]).problems;
        let errors: Vec<String> = problems.iter().filter(|one| one.is_error()).map(ToString::to_string).collect();
        assert_eq!(errors.len(), 1, "{errors:?}");
        assert!(errors[0].contains(said), "{errors:?}");
    }
}

#[test]
fn the_defaults_and_the_probes_of_a_part_take_durations_from_its_variables() {
    let part = PART
        .replace("timeout = \"{{ vars.bound }}\"\n", "success = [\"probe.there\"]\n")
        .replace("effect = \"none\"\n", "")
        + "undo = { run = [\"./back\"], success = [\"!probe.there\"] }\n[defaults]\ntimeout = \"{{vars.bound}}\"\n\
           [probe.there]\nrun = [\"true\"]\nbool = \"exit\"\ninterval = \"{{vars.pause}}\"\n";
    let runbook = INCLUDES.replace("timeout = \"2h\"", "timeout = \"2h\"\nrollback_timeout = \"1h\"");
    let plan = plan(&Texts::gather(runbook, |_| Ok(part.clone())), &[("slow", "90s")]);
    let intervals: Vec<String> = plan.probes().iter().map(|probe| probe.interval.written()).collect();
    assert_eq!(intervals, ["3s", "1s"]);
    let undos: Vec<String> = plan.steps().iter().map(|step| step.undo()[0].timeout.written()).collect();
    assert_eq!(undos, ["1m30s", "2m"]);
}

#[test]
fn the_schemas_accept_a_variable_for_a_duration_and_nothing_around_it() {
    let validator = jsonschema::validator_for(&schema::json()).expect("the schema is one");
    let value = |text: &str| {
        let table: toml::Table = toml::from_str(text).expect("it is TOML");
        serde_json::to_value(table).expect("it has no odd numbers")
    };
    assert!(validator.is_valid(&value(COPY)));
    assert!(validator.is_valid(&value(&COPY.replace("{{vars.copying}}", "{{ vars.copying }}"))));
    for other in ["{{vars.copying}}s", "{{steps.a.outputs.b}}", "{{vars.copying", "soon", ""] {
        assert!(!validator.is_valid(&value(&COPY.replace("{{vars.copying}}", other))), "{other}");
    }
    let part = jsonschema::validator_for(&schema::part_json()).expect("the schema is one");
    assert!(part.is_valid(&value(PART)));
}

const STEPS: &str = r#"
[vars]
host = { env = "DURATIONS_HOST", default = "db1" }
secret = { env = "DURATIONS_SECRET", default = "swordfish", secret = true }
asked = { env = "DURATIONS_ASKED" }
work = "30s"
back = "100ms"
[step.make]
run = "echo size=3 >> \"$RUNBOOK_OUTPUT\"; touch made"
success = ["probe.made"]
undo = { run = "sleep 1; rm -f made", timeout = "{{vars.back}}", success = ["!probe.made"] }
[probe.made]
run = ["test", "-e", "made"]
bool = "exit"
interval = "100ms"
[step.ready]
needs = ["make"]
gate = { question = "Move {{steps.make.outputs.size}} of {{vars.host}} for {{vars.asked}} in {{runbook.name}}?", show = ["made"], expires = "10m", on_no_go = "stop" }
[step.tell]
needs = ["ready"]
run = ["echo", "{{vars.host}}"]
env = { SECRET = "{{vars.secret}}" }
timeout = "5s"
effect = "none"
[step.work]
needs = ["tell"]
run = ["sleep", "3"]
timeout = "{{vars.work}}"
effect = "none"
on_failure = "stop"
"#;

#[test]
fn a_run_keeps_the_durations_that_it_began_with_when_it_is_taken_up_and_when_it_is_taken_back() {
    let bench = Bench::new(STEPS);
    let given = ["--var", "asked=x", "--var", "work=300ms", "--var", "back=20s"];
    let begin = [&["exec", "verbs.toml", "--no-wait"], &given[..]].concat();
    bench.does(&begin, 7);
    // With the default it would be 30s, and the sleep would end well.
    let (out, _) = bench.does(&["resume", "--go", "ready"], 5);
    assert!(out.contains("work"), "{out}");
    assert!(bench.path("made").exists());
    // With the default it would be 100ms, and the undo would fail.
    bench.does(&["rollback", "--reason", "enough"], 0);
    assert!(!bench.path("made").exists());
}

#[test]
fn a_value_that_is_no_duration_is_refused_by_the_name_of_where_it_came_from() {
    let bench = Bench::new(STEPS);
    fs::write(bench.path("vars.toml"), "work = 20\nasked = \"x\"\n").expect("written");
    for (words, place) in [
        (&["exec", "verbs.toml", "--var", "work=soon", "--var", "asked=x"][..], "`--var`: \"soon\" is no duration"),
        (&["exec", "verbs.toml", "--vars-file", "vars.toml"], "`--vars-file`: 20 is no duration"),
        (&["check", "verbs.toml", "--var", "work=soon"], "`--var`: \"soon\" is no duration"),
        (&["plan", "verbs.toml", "--var", "work=0s"], "`--var`: \"0s\" is no time at all"),
        (&["graph", "verbs.toml", "--var", "wrok=1s"], "did you mean `work`?"),
    ] {
        let (_, err) = bench.does(words, 2);
        assert!(err.contains(place), "{words:?}: {err}");
    }
    let text = fs::read_to_string(bench.path("verbs.toml")).expect("written");
    fs::write(bench.path("verbs.toml"), text.replace("work = \"30s\"", "work = { env = \"WORK\", default = \"30s\" }"))
        .expect("written");
    let (_, err) = bench.does_with(&[("WORK", "soon")], &["exec", "verbs.toml", "--var", "asked=x"], 2);
    assert!(err.contains("the environment variable `WORK`: \"soon\" is no duration"), "{err}");
    let (_, err) = bench.does_with(&[("WORK", "30h")], &["exec", "verbs.toml", "--var", "asked=x"], 2);
    assert!(err.contains("one attempt of `work` may take 1d 6h, and the run only 10m"), "{err}");
    assert!(!bench.path("state/runs").exists() && !bench.path("made").exists());
}

#[test]
fn a_variable_without_a_default_can_be_a_duration_where_the_command_line_gives_it() {
    let bench = Bench::new(&STEPS.replace("work = \"30s\"", "work = { summary = \"how long\" }"));
    let (_, err) = bench.does(&["check", "verbs.toml"], 2);
    assert!(err.contains("nothing says what `timeout` is: `work` has no default"), "{err}");
    assert_eq!(err.matches('×').count(), 1, "{err}");
    bench.does(&["exec", "verbs.toml", "--var", "asked=x"], 2);
    bench.does(&["check", "verbs.toml", "--var", "work=1m"], 0);
    bench.does(&["graph", "verbs.toml", "--var", "work=1m"], 0);
    bench.does(&["exec", "verbs.toml", "--var", "asked=x", "--var", "work=20s", "--go", "ready"], 0);
}

#[test]
fn a_default_that_does_not_fit_is_no_problem_where_a_value_is_given() {
    let bench = Bench::new(&STEPS.replace("work = \"30s\"", "work = \"30h\""));
    let (_, err) = bench.does(&["check", "verbs.toml"], 2);
    assert!(err.contains("may take 1d 6h"), "{err}");
    fs::write(bench.path("vars.json"), "{\"work\": \"20s\"}").expect("written");
    bench.does(&["check", "--strict", "verbs.toml", "--vars-file", "vars.json"], 0);
}

#[test]
fn a_variables_file_that_can_be_read_once_only_is_enough() {
    let bench = Bench::new(STEPS);
    let program = env!("CARGO_BIN_EXE_runbook");
    let script = format!(
        "printf 'work = \"20s\"\\nasked = \"x\"\\n' | {program} exec verbs.toml --vars-file /dev/stdin --go ready"
    );
    let mut command = std::process::Command::new("sh");
    let output =
        command.args(["-c", &script]).current_dir(bench.path("")).env("RUNBOOK_STATE_DIR", bench.path("state"));
    let output = output.output().expect("it runs");
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
}

/// The line of a page that holds a text.
fn line<'t>(page: &'t str, text: &str) -> &'t str {
    page.lines().find(|line| line.contains(text)).unwrap_or_else(|| panic!("nothing says {text}: {page}"))
}

#[test]
fn a_plan_shows_what_is_known_and_leaves_what_is_not() {
    let bench = Bench::new(STEPS);
    let page = |words: &[&str]| bench.does(words, 0).0;
    let plain = page(&["plan", "verbs.toml"]);
    assert!(
        line(&plain, "gate Move").contains("Move {{steps.make.outputs.size}} of db1 for {{vars.asked}} in verbs?"),
        "{plain}"
    );
    let given = page(&["plan", "verbs.toml", "--var", "host=db7", "--var", "asked=an hour", "--var", "work=50s"]);
    assert!(line(&given, "gate Move").contains("of db7 for an hour in verbs?"), "{given}");
    assert!(given.contains("run echo db7") && given.contains("at most 51s"), "{given}");
    let text = fs::read_to_string(bench.path("verbs.toml")).expect("written").replace(
        "run = [\"sleep\", \"3\"]",
        "sql = { url = \"sqlite:x\", execute = [\"select 1\"], password = \"{{vars.secret}}\" }",
    );
    fs::write(bench.path("verbs.toml"), text).expect("written");
    let dry = ["exec", "--dry-run=plan", "verbs.toml", "--var", "asked=an hour"];
    let (dry, _) = bench.does_with(&[("DURATIONS_HOST", "db9"), ("DURATIONS_SECRET", "hush-hush")], &dry, 0);
    assert!(line(&dry, "gate Move").contains("of db9 for an hour in verbs?"), "{dry}");
    assert!(dry.contains("run echo db9"), "{dry}");
    assert!(!dry.contains("hush-hush") && !dry.contains("swordfish"), "{dry}");
}

#[test]
fn a_plan_leaves_a_secret_as_it_is_written_wherever_it_stands() {
    let body = "http = { method = \"POST\", url = \"http://h/{{vars.host}}\", json = { a = \"{{vars.secret}}\" }, expect = \"status == 200\" }";
    let bench = Bench::new(&STEPS.replace("run = [\"sleep\", \"3\"]", body));
    fs::write(bench.path("vars.toml"), "secret = \"hush-hush\"\n").expect("written");
    let (page, _) = bench.does(&["plan", "verbs.toml", "--vars-file", "vars.toml"], 0);
    assert!(line(&page, "http POST").contains("http://h/db1 {\"a\":\"{{vars.secret}}\"}"), "{page}");
    assert!(!page.contains("hush-hush") && !page.contains("swordfish"), "{page}");
    let (_, err) = bench.does(&["plan", "verbs.toml", "--var", "secret=hush-hush"], 2);
    assert!(err.contains("from the command line") && !err.contains("hush-hush"), "{err}");
}

#[test]
fn a_ramp_whose_variable_has_no_default_goes_by_what_the_command_line_gives() {
    let ramp = "[vars]\nweights = { summary = \"percent\" }\n[step.shift]\neffect = \"none\"\n\
                ramp = { values = \"{{vars.weights}}\", set = { run = \"echo {{value}} >> seen\" } }\n";
    let bench = Bench::new(ramp);
    bench.does(&["check", "verbs.toml"], 2);
    fs::write(bench.path("vars.toml"), "weights = [3, 7]\n").expect("written");
    let (page, _) = bench.does(&["plan", "verbs.toml", "--vars-file", "vars.toml"], 0);
    assert!(page.contains("ramp 3, 7, each held 0ms"), "{page}");
    bench.does(&["exec", "verbs.toml", "--vars-file", "vars.toml"], 0);
    assert_eq!(fs::read_to_string(bench.path("seen")).expect("set"), "3\n7\n");
}
