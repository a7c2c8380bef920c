//! Walks the description of the format: each supported key changes the plan, each other one is refused as not supported.

use std::collections::BTreeMap;

use super::read::read_unproved;
use super::spec::{Form, Key, Shape, Table};
use super::{Misfit, Problem, Reading, Texts, tables};

/// For each table a runbook in which `@` is the place for one of its keys.
const BASES: &[(&str, &str)] = &[
    ("file", "@"),
    ("runbook", "[runbook]\n@"),
    ("defaults", "[defaults]\n@"),
    ("var", "[vars.x]\n@"),
    ("criterion", "[[preflight]]\nthat = 'probe.p < 1'\n@"),
    ("retry", "[step.z]\nrun = 'true'\neffect = 'none'\n[step.z.retry]\n@"),
    ("rollback_policy", "[step.z]\nneeds = ['a', 'b']\nrun = 'true'\neffect = 'none'\n[step.z.on_failure]\n@"),
    (
        "then_retry",
        "[step.z]\nneeds = ['a']\nrun = 'true'\neffect = 'none'\n[step.z.on_failure]\nrollback_to = 'a'\n[step.z.on_failure.then]\n@",
    ),
    ("phase", "[phase.two]\n@"),
    ("window", "[phase.one.window]\n@"),
    ("interrupts", "[phase.one.interrupts]\n@"),
    ("step", "[step.z]\nneeds = ['b']\n@"),
    ("undo", "[step.z]\nrun = 'true'\nsuccess = ['probe.p < 1']\n[step.z.undo]\n@"),
    ("http", "[step.z]\neffect = 'none'\n[step.z.http]\n@"),
    ("sql", "[step.z]\neffect = 'none'\n[step.z.sql]\n@"),
    ("wait", "[step.z.wait]\n@"),
    ("gate", "[step.z.gate]\n@"),
    ("ramp", "[step.z]\neffect = 'none'\n[step.z.ramp]\n@"),
    ("ramp_value", "[step.z]\neffect = 'none'\n[step.z.ramp]\nset = { run = 'true' }\n[[step.z.ramp.values]]\n@"),
    ("ramp_set", "[step.z]\neffect = 'none'\n[step.z.ramp]\nvalues = [1]\n[step.z.ramp.set]\n@"),
    (
        "ramp_advance",
        "[step.z]\neffect = 'none'\n[step.z.ramp]\nvalues = [1]\nset = { run = 'true' }\n[[step.z.ramp.advance]]\n@",
    ),
    ("manual", "[step.z]\neffect = 'none'\n[step.z.manual]\n@"),
    ("output", "[step.z]\nrun = 'true'\neffect = 'none'\n[step.z.outputs.o]\n@"),
    ("probe", "[probe.q]\n@"),
    ("http_probe", "[probe.q.http]\n@"),
    ("sql_probe", "[probe.q.sql]\n@"),
    ("prometheus", "[probe.q.prometheus]\n@"),
    ("guard", "[guard.g]\n@"),
    ("budget", "[budget.g]\n@"),
    ("baseline", "[baseline]\n@"),
    ("progress", "[step.z]\nrun = 'true'\neffect = 'none'\n[step.z.progress]\n@"),
];

/// What must stand beside a key so that it means something: of the table, or of one key of it.
const BESIDE: &[(&str, &str)] = &[
    ("step.undo_found", "undo = { run = 'true' }\nrun = 'true'"),
    ("step.held_for", "undo = { run = 'true' }\nrun = 'true'"),
    ("step.undo", "run = 'true'"),
    ("step.undone_by", "run = 'true'"),
    ("step.effect", "run = 'true'"),
    ("step.why", "run = 'true'\neffect = 'kept'"),
    ("step.ungated", "run = 'true'\neffect = 'irreversible'"),
    ("step.run", "effect = 'none'"),
    ("step.http", "effect = 'none'"),
    ("step.sql", "effect = 'none'"),
    ("step.manual", "effect = 'none'"),
    ("step.ramp", "effect = 'none'"),
    ("ramp_set.run", ""),
    ("ramp_set.http", ""),
    ("ramp_set.sql", ""),
    ("ramp_set", "run = 'true'"),
    ("ramp_advance.failures", "samples = 5"),
    ("step.gate", ""),
    ("step.wait", ""),
    ("step.on_failure", "run = 'true'\neffect = 'none'"),
    ("step", "run = 'true'\neffect = 'none'"),
    ("undo.run", ""),
    ("undo.http", ""),
    ("undo.sql", ""),
    ("undo.wait", ""),
    ("undo.manual", ""),
    ("undo", "run = 'true'"),
    ("gate.on_no_go", ""),
    ("gate", "on_no_go = 'stop'"),
    ("sql.query", ""),
    ("sql.execute", ""),
    ("sql", "query = 'select 1'"),
    ("probe.run", ""),
    ("probe.http", ""),
    ("probe.sql", ""),
    ("probe.prometheus", ""),
    ("probe.tcp", ""),
    ("probe", "run = 'true'"),
    ("http_probe.send", "method = 'POST'"),
    ("http_probe.body", "method = 'POST'"),
    ("criterion.failures", "samples = 5"),
    ("rollback_policy.else", "then = { retry = 1 }"),
    ("guard.failures", "of = 9"),
    ("budget.total", ""),
    ("budget", "total = 'p'"),
];

/// Two values of a key, where those of its shape will not do; one, where it may also be left out.
const VALUES: &[(&str, &[&str])] = &[
    ("runbook.phases", &["['one', 'two']", "['two', 'one']"]),
    ("runbook.name", &["'n1'", "'n2'"]),
    ("file.format", &["1"]),
    ("file.runbook", &["{ name = 'n', timeout = '1h', phases = ['one', 'two'] }"]),
    ("file.defaults", &["{ timeout = '2m' }", "{ timeout = '3m' }"]),
    ("file.vars", &["{ x = 1 }"]),
    ("file.preflight", &["[{ that = 'probe.p < 1' }]"]),
    ("file.probe", &["{ p = { run = ['true'] }, q = { run = ['true'] } }", "{ p = { run = ['true'] } }"]),
    ("file.guard", &["{ g = { require = 'probe.p < 1' } }"]),
    ("file.budget", &["{ g = { bad = 'p', allow = 1 } }"]),
    ("file.phase", &["{ one = { timeout = '5m' } }"]),
    (
        "file.step",
        &[
            "{ a = { phase = 'one', wait = '1s' }, b = { phase = 'two', wait = '1s' } }",
            "{ a = { phase = 'one', wait = '2s' }, b = { phase = 'two', wait = '1s' } }",
        ],
    ),
    ("criterion.failures", &["1", "2"]),
    ("criterion.that", &["'probe.p < 1'", "'probe.p < 2'"]),
    ("rollback_policy.rollback_to", &["'a'", "'one'"]),
    ("rollback_policy.then", &["'pause'"]),
    ("rollback_policy.else", &["'pause'"]),
    ("phase.sequence", &["['a', 'c']", "['c', 'a']"]),
    ("phase.needs", &["[]"]),
    ("phase.interrupts", &["{ what = 'writes', from = 'b', to = 'd' }"]),
    ("phase.window", &["{ open = ['daily 01:00-02:00'], zone = 'UTC' }"]),
    ("interrupts.from", &["'a'", "'c'"]),
    ("interrupts.to", &["'a'", "'c'"]),
    ("step.phase", &["'one'", "'two'"]),
    ("step.needs", &["['a', 'b']", "['b']"]),
    ("step.undone_by", &["'d'", "'e'"]),
    ("step.effect", &["'irreversible'", "'none'"]),
    ("step.undo", &["{ run = 'true' }", "{ run = 'false' }"]),
    ("step.held_for", &["'run'"]),
    ("step.on_doubt", &["'pause'"]),
    ("step.expect", &["'exit == 0'"]),
    ("step.on_failure", &["'pause'"]),
    ("step.wait", &["'1s'", "'2s'"]),
    ("step.outputs", &["{ o = 'stdout' }"]),
    ("ramp.values", &["[1, 2]", "[1, 3]"]),
    ("ramp.set", &["{ run = 'true' }", "{ run = 'false' }"]),
    ("ramp_value.value", &["1", "2"]),
    ("ramp_set.expect", &["'exit == 0'"]),
    ("ramp_advance.failures", &["1", "2"]),
    ("undo.wait", &["'1s'", "'2s'"]),
    ("undo.expect", &["'exit == 0'"]),
    ("undo.after", &["['d']"]),
    ("http.url", &["'http://h/1'", "'http://h/2'"]),
    ("http.status", &["[200, 204]"]),
    ("http.expect", &["'status == 200'"]),
    ("sql.url", &["'sqlite:a'", "'sqlite:b'"]),
    ("sql.expect", &["'rows == 1'"]),
    ("sql.query", &["'select 1'", "'select 2'"]),
    ("sql.execute", &["'a'", "'b'"]),
    ("gate.show", &["['p']"]),
    ("gate.on_no_go", &["'pause'", "'stop'"]),
    ("step.gate", &["{ question = 'x1', on_no_go = 'stop' }", "{ question = 'x2', on_no_go = 'stop' }"]),
    ("output.as", &["'lines'"]),
    ("probe.as", &["'text'"]),
    ("probe.bool", &["'exit'"]),
    ("http_probe.url", &["'http://h/1'", "'http://h/2'"]),
    ("http_probe.method", &["'POST'"]),
    ("prometheus.url", &["'http://h/1'", "'http://h/2'"]),
    ("sql_probe.url", &["'sqlite:a'", "'sqlite:b'"]),
    ("file.part", &["{ x = { use = 'p.toml' } }", "{ x = { use = 'q.toml' } }"]),
    ("part.use", &["'p.toml'", "'q.toml'"]),
    ("part.with", &["{ v = 7 }"]),
    ("part_file.format", &["1"]),
    ("part_file.part", &["{ sequence = ['s'] }", "{ sequence = ['s'], summary = 'x' }"]),
    ("part_file.defaults", &["{ timeout = '2m' }", "{ timeout = '3m' }"]),
    ("part_file.vars", &["{ v = 1 }"]),
    ("part_file.preflight", &["[{ that = 'probe.p < 1' }]"]),
    ("part_file.probe", &["{ p = { run = ['true'] }, q = { run = ['true'] } }", "{ p = { run = ['true'] } }"]),
    ("part_file.guard", &["{ g = { require = 'probe.p < 1' } }"]),
    ("part_file.step", &["{ s = { wait = '1s' } }", "{ s = { wait = '2s' } }"]),
    ("part_header.sequence", &["['s', 't']", "[['s', 't']]"]),
    ("progress.probe", &["'p'"]),
    ("step.progress", &["{ probe = 'p', stall = '7s' }", "{ probe = 'p', stall = '8s' }"]),
    ("file.baseline", &["{ probes = ['p'] }", "{ probes = ['p'], over = '7s' }"]),
    ("baseline.probes", &["['p']"]),
    ("baseline.before", &["'two'"]),
    ("guard.phases", &["['one']"]),
    ("guard.steps", &["['a']"]),
    ("guard.failures", &["5"]),
    ("guard.warn", &["'probe.p < 1'", "'probe.p < 2'"]),
    ("budget.phases", &["['one']"]),
    ("budget.steps", &["['a']"]),
    ("budget.bad", &["'p'", "'r'"]),
    ("budget.total", &["'p'", "'r'"]),
    ("budget.allow", &["0.5", "0.25"]),
    ("budget.total_min", &["500", "600"]),
    ("budget.forecast", &["'7s'", "false"]),
    ("budget.on_breach", &["'warn'"]),
    ("guard.require", &["'probe.p < 1'", "'probe.p < 2'"]),
    ("guard.on_breach", &["'warn'"]),
    ("var.default", &["1"]),
    ("var.choices", &["['x']"]),
];

/// Everything a plan with two phases needs, except the table under test.
fn document(table: &str, base: &str) -> String {
    let parts = [
        ("format", "format = 1\n"),
        ("runbook", "[runbook]\nname = 'n'\ntimeout = '1h'\nphases = ['one', 'two']\n"),
        ("defaults", "[defaults]\ntimeout = '1m'\n"),
        ("guard", "[guard.w]\nrequire = 'probe.p < 1'\n"),
        ("probe", "[probe.r]\nrun = ['true']\n[probe.p]\nrun = ['true']\n"),
        (
            "step",
            "[step.a]\nphase = 'one'\nwait = '1s'\n[step.c]\nphase = 'one'\nneeds = ['a']\nwait = '1s'\n[step.b]\nphase = 'two'\nwait = '1s'\n[step.d]\nphase = 'two'\nneeds = ['b']\nrun = 'true'\nundo = { run = 'true' }\n[step.e]\nphase = 'two'\nneeds = ['b']\nrun = 'true'\nundo = { run = 'true' }\n",
        ),
    ];
    let mut text = String::new();
    let own = |part: &str| table == part || (table == "file" && part == base);
    for (part, lines) in parts {
        // The guard is there for `no_data` of the defaults.
        if part == "guard" && table != "defaults" {
            continue;
        }
        if !own(part) || part == "step" && table == "step" {
            text.push_str(lines);
        }
    }
    text
}

fn sample(shape: &'static Shape) -> Vec<String> {
    let owned = |values: &[&str]| values.iter().map(|value| (*value).to_owned()).collect();
    match shape {
        Shape::Text(form) => owned(match form {
            Form::Free | Form::Template => &["'x1'", "'x2'"],
            Form::Expression => &["'probe.p < 1'", "'probe.p < 2'"],
            Form::Name | Form::Reference => &["'a'", "'c'"],
            Form::Duration | Form::Bound => &["'7s'", "'8s'"],
            Form::Size => &["'1KiB'", "'2KiB'"],
            Form::Percent => &["'0.1%'", "'0.2%'"],
            Form::Hours => &["'daily 01:00-02:00'", "'Sat 01:00-02:00'"],
            Form::Zone => &["'UTC'", "'Europe/Berlin'"],
            Form::Pointer => &["'/a'", "'/b'"],
            Form::Address => &["'a:1'", "'b:2'"],
            Form::Regex => &["'a'", "'b'"],
            Form::EnvName => &["'A'", "'B'"],
        }),
        Shape::Bool | Shape::True => owned(&["true"]),
        Shape::Whole(low, _) => vec![(low + 4).to_string(), (low + 5).to_string()],
        Shape::Number(low, _) => vec![(low + 0.5).to_string()],
        Shape::Choice(words) => words.iter().map(|word| format!("'{word}'")).rev().collect(),
        Shape::List(of, _) => sample(of).iter().map(|value| format!("[{value}]")).collect(),
        Shape::Map(_, of) => sample(of).iter().map(|value| format!("{{ X = {value} }}")).collect(),
        Shape::Table(table) => table_samples(table),
        Shape::Either(shapes) => sample(&shapes[0]),
        Shape::Plain | Shape::Any => owned(&["5", "6"]),
    }
}

/// Two tables with their required keys, the second with other values.
fn table_samples(table: &'static Table) -> Vec<String> {
    let with = |n: usize| {
        let mut keys: Vec<&Key> = table.keys.iter().filter(|key| key.required).collect();
        for group in table.one_of.iter().filter(|group| group.needed.is_some()) {
            keys.extend(table.key(group.keys[0]));
        }
        let pairs: Vec<String> = keys
            .iter()
            .map(|key| {
                let values = values(table, key);
                format!("{} = {}", key.name, values[n.min(values.len() - 1)])
            })
            .collect();
        format!("{{ {} }}", pairs.join(", "))
    };
    vec![with(0), with(1)]
}

fn values(table: &'static Table, key: &'static Key) -> Vec<String> {
    let name = format!("{}.{}", table.name, key.name);
    match VALUES.iter().find(|(of, _)| *of == name) {
        Some((_, values)) => values.iter().map(|value| (*value).to_owned()).collect(),
        None => sample(&key.shape),
    }
}

/// The keys that a table needs beside the one under test.
fn company(table: &'static Table, key: &Key) -> String {
    let name = format!("{}.{}", table.name, key.name);
    let beside = BESIDE.iter().find(|(of, _)| *of == name).or_else(|| BESIDE.iter().find(|(of, _)| *of == table.name));
    let mut lines = beside.map_or_else(String::new, |(_, lines)| format!("{lines}\n"));
    // Those beside it may be given by the base already.
    for other in table.keys.iter().filter(|other| other.required && other.name != key.name) {
        let in_base = table.name == "file" || (table.name == "criterion");
        if !in_base {
            for text in [other.name, " = ", &values(table, other)[0], "\n"] {
                lines.push_str(text);
            }
        }
    }
    if table.name == "runbook" && key.name != "phases" {
        lines.push_str("phases = ['one', 'two']\n");
    }
    if table.name == "step" && key.name != "phase" {
        lines.push_str("phase = 'two'\n");
    }
    if table.name == "defaults" && key.name != "timeout" {
        lines.push_str("timeout = '1m'\n");
    }
    lines
}

/// Parts for a runbook to include.
const PARTS: [(&str, &str); 2] = [
    ("p.toml", "format = 1\n[part]\nsequence = ['s']\n[vars]\nv = 5\n[step.s]\nwait = '1s'\n"),
    ("q.toml", "format = 1\n[part]\nsequence = ['s']\n[vars]\nv = 5\n[step.s]\nwait = '2s'\n"),
];

/// A runbook that includes the part which is under test.
const INCLUDES: &str = "format = 1\n[runbook]\nname = 'n'\ntimeout = '1h'\nphases = ['one']\n\
                        [phase.one]\nsequence = ['x']\n[part.x]\nuse = 'tested.toml'\n";

/// Reads a runbook that may include [`PARTS`], or a part in a runbook that includes it.
fn read(text: &str) -> Reading {
    let is_part = text.contains("[part]") || text.starts_with("part = { sequence");
    let runbook = if is_part { INCLUDES } else { text };
    let find = |path: &str| match path {
        "tested.toml" => Ok(text.to_owned()),
        path => {
            Ok(PARTS.iter().find(|(name, _)| *name == path).map(|(_, text)| (*text).to_owned()).unwrap_or_default())
        }
    };
    read_unproved(&Texts::gather(runbook.to_owned(), find))
}

/// A whole part, except for the lines of the key under test.
fn part_with(table: &'static Table, key: &'static Key, lines: &str) -> String {
    let step = match key.name {
        "defaults" => "[step.s]\nrun = 'true'\neffect = 'none'\n",
        _ => "[step.s]\nwait = '1s'\n",
    };
    let whole = [
        ("format", "format = 1\n"),
        ("part", "[part]\nsequence = ['s']\n"),
        ("probe", "[probe.p]\nrun = ['true']\n"),
        ("step", step),
    ];
    if table.name == "part_header" {
        let (sequence, steps) = match key.name {
            "sequence" => ("", "[step.s]\nwait = '1s'\n[step.t]\nwait = '1s'\n"),
            _ => ("sequence = ['s']\n", "[step.s]\nwait = '1s'\n"),
        };
        return format!("format = 1\n[part]\n{sequence}{lines}{steps}");
    }
    let others = whole.iter().filter(|(name, _)| *name != key.name).map(|(_, text)| *text);
    format!("{lines}{}", others.collect::<String>())
}

/// The runbook of a table with those lines for one key.
fn text_of(table: &'static Table, key: &'static Key, lines: &str) -> String {
    if ["part_file", "part_header"].contains(&table.name) {
        return part_with(table, key, lines);
    }
    let includes = table.name == "part" || (table.name, key.name) == ("file", "part");
    if includes {
        let three = |text: String| text.replace("phases = ['one', 'two']", "phases = ['one', 'two', 'three']");
        let document = three(document(table.name, key.name));
        let named = if key.name == "use" { "" } else { "use = 'p.toml'\n" };
        return match table.name {
            "file" => format!("{lines}{document}[phase.three]\nsequence = ['x']\n"),
            _ => format!("{document}[phase.three]\nsequence = ['x']\n[part.x]\n{named}{lines}"),
        };
    }
    let base = BASES.iter().find(|(name, _)| *name == table.name).map(|(_, base)| *base).expect("every table has one");
    let mut base = base.to_owned();
    if base.starts_with("[step.z]") && table.name != "step" && !base.contains("phase =") {
        base = base
            .replacen("[step.z]\n", "[step.z]\nphase = 'two'\nneeds = ['b']\n", 1)
            .replace("needs = ['b']\nneeds = ['a', 'b']", "needs = ['a', 'b']")
            .replace("needs = ['b']\nneeds = ['a']", "needs = ['a']");
    } else if base.starts_with("[step.z.") {
        base = format!("[step.z]\nphase = 'two'\nneeds = ['b']\n{base}");
    }
    if table.name == "step" && ["needs", "phase"].contains(&key.name) {
        base = base.replace("needs = ['b']\n", if key.name == "phase" { "needs = []\n" } else { "" });
    }
    if table.name == "criterion" && key.name == "that" {
        base = base.replace("that = 'probe.p < 1'\n", "");
    }
    if table.name == "phase" && key.name == "sequence" {
        return format!(
            "{}[phase.one]\n{lines}",
            document("step", "").replace("phase = 'one'\n", "").replace("needs = ['a']\n", "")
        );
    }
    let document = document(table.name, key.name);
    if table.name == "file" {
        return format!("{lines}{document}");
    }
    let own = company(table, key);
    format!("{document}{}", base.replace('@', &format!("{own}{lines}")))
}

fn tables_in(table: &'static Table, found: &mut BTreeMap<&'static str, &'static Table>) {
    if found.insert(table.name, table).is_some() {
        return;
    }
    // What is not supported yet is not looked into.
    table.keys.iter().filter(|key| !key.later).for_each(|key| tables_of_shape(&key.shape, found));
}

fn tables_of_shape(shape: &'static Shape, found: &mut BTreeMap<&'static str, &'static Table>) {
    match shape {
        Shape::Table(table) => tables_in(table, found),
        Shape::List(of, _) | Shape::Map(_, of) => tables_of_shape(of, found),
        Shape::Either(shapes) => shapes.iter().for_each(|shape| tables_of_shape(shape, found)),
        Shape::Text(_)
        | Shape::Bool
        | Shape::True
        | Shape::Whole(..)
        | Shape::Number(..)
        | Shape::Choice(_)
        | Shape::Plain
        | Shape::Any => {}
    }
}

/// What is wrong with what a key does, if anything.
fn fault(table: &'static Table, key: &'static Key) -> Option<String> {
    let line = |value: &str| format!("{} = {value}\n", key.name);
    let values = values(table, key);
    let text = text_of(table, key, &line(&values[0]));
    let reading = read(&text);
    if key.later {
        let refused = reading
            .problems
            .iter()
            .any(|problem| matches!(problem, Problem::Misfit(Misfit::NotYet { at, .. }) if text[at.offset()..].starts_with(key.name)));
        return (!refused).then(|| format!("is not refused: {:?}\n{text}", reading.problems));
    }
    let errors: Vec<_> = reading.problems.iter().filter(|problem| shape_of_the_text(problem)).collect();
    if !errors.is_empty() {
        return Some(format!("is refused: {errors:?}\n{text}"));
    }
    let Some(plan) = reading.plan else { return Some(format!("has errors: {:?}\n{text}", reading.problems)) };
    let without = match values.get(1) {
        Some(other) => text_of(table, key, &line(other)),
        None => text_of(table, key, ""),
    };
    let other = read(&without);
    let Some(other_plan) = other.plan else {
        // Where nothing works without it, it does something.
        return (!key.required).then(|| format!("cannot be compared: {:?}\n{without}", other.problems));
    };
    (format!("{plan:?}") == format!("{other_plan:?}")).then(|| format!("does nothing\n{text}"))
}

fn shape_of_the_text(problem: &Problem) -> bool {
    problem.is_error() && !matches!(problem, Problem::Proof(_))
}

#[test]
fn every_key_of_the_format_changes_the_plan_or_is_refused_as_not_supported_yet() {
    let mut all = BTreeMap::new();
    tables_in(&tables::FILE, &mut all);
    tables_in(&tables::PART_FILE, &mut all);
    let mut faults = Vec::new();
    let mut keys = 0;
    for table in all.values() {
        for key in table.keys {
            keys += 1;
            faults.extend(fault(table, key).map(|fault| format!("{}.{} {fault}", table.name, key.name)));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n\n"));
    assert!(keys > 150, "only {keys} keys were found");
}

fn is_duration(shape: &Shape) -> bool {
    match shape {
        Shape::Text(form) => matches!(form, Form::Duration | Form::Bound),
        Shape::Either(shapes) => shapes.iter().any(is_duration),
        _ => false,
    }
}

#[test]
fn every_duration_of_the_format_can_be_a_variable() {
    let mut all = BTreeMap::new();
    tables_in(&tables::FILE, &mut all);
    let mut keys = 0;
    for table in all.values() {
        for key in table.keys.iter().filter(|key| !key.later && is_duration(&key.shape)) {
            keys += 1;
            let plan = |value: &str| {
                let text = text_of(table, key, &format!("{} = {value}\n", key.name)) + "[vars]\nspan = '7s'\n";
                let Reading { plan, problems, .. } = read(&text);
                let plan = plan.unwrap_or_else(|| panic!("{}.{}: {problems:?}\n{text}", table.name, key.name));
                format!("{plan:?}")
                    .replace("shapes: Some(Duration)", "shapes: None")
                    .replace("shapes: Some(Bound)", "shapes: None")
            };
            assert_eq!(plan("'{{vars.span}}'"), plan("'7s'"), "{}.{}", table.name, key.name);
        }
    }
    assert!(keys > 30, "only {keys} durations were found");
}
