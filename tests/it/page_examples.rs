//! The runbooks and parts of runbooks that the pages show: whether they are what the format says, and show all of it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use miette::{Diagnostic as _, Severity};
use runbook::syntax::{self, Problem, Texts};
use serde_json::{Map, Value as Json, json};

use super::docs::{blocks, is_later, pages, properties, tables};

/// What a part of a runbook leaves to the rest of it, which a page need not show: the names of other steps and phases.
const LEFT_OUT: [&str; 4] = ["unknown_name", "empty_phase", "undone_by_nothing", "after_nothing"];

/// Every block of TOML, with the page that it stands on.
fn examples() -> Vec<(PathBuf, String)> {
    let of = |(path, text): (PathBuf, String)| {
        let shown: Vec<String> = blocks(&text, "toml").map(str::to_owned).collect();
        shown.into_iter().map(move |block| (path.clone(), block))
    };
    pages().into_iter().flat_map(of).collect()
}

fn is_whole(block: &str) -> bool {
    block.contains("format = 1\n") && !is_part_file(block)
}

/// Whether it is the file of a part, which is read with the runbook that includes it.
fn is_part_file(block: &str) -> bool {
    block.contains("\n[part]\n")
}

/// The file that a block shows, where its first line says so: `# runbooks/move.toml`.
fn file_of(block: &str) -> Option<&str> {
    block.strip_prefix("# ")?.lines().next().filter(|name| !name.contains(' ') && name.contains(".toml"))
}

#[test]
fn every_whole_runbook_on_a_page_can_be_read_and_has_no_finding() {
    let (whole, others): (Vec<_>, Vec<_>) = examples().into_iter().partition(|(_, block)| is_whole(block));
    let part_files: Vec<_> = others.into_iter().filter(|(_, block)| is_part_file(block)).collect();
    let mut included = 0;
    for (path, block) in &whole {
        let folder = file_of(block).and_then(|file| file.rsplit_once('/')).map(|(folder, _)| folder);
        let find = |part: &str| {
            let name = folder.map_or_else(|| part.to_owned(), |folder| format!("{folder}/{part}"));
            let shown = part_files.iter().find(|(page, block)| page == path && file_of(block) == Some(&name));
            shown.map(|(_, block)| block.clone()).ok_or_else(|| format!("no block shows {name}"))
        };
        let texts = Texts::gather(block.clone(), find);
        included += texts.parts.len();
        let reading = syntax::read_given(&texts, &BTreeMap::new());
        let problems: Vec<String> = reading.problems.iter().map(ToString::to_string).collect();
        assert!(reading.plan.is_some() && problems.is_empty(), "{}: {problems:#?}\n{block}", path.display());
    }
    assert!(!whole.is_empty(), "no page shows a whole runbook");
    assert_eq!(part_files.len(), included, "a part on a page is included by a runbook there");
}

#[test]
fn every_part_of_a_runbook_on_a_page_fits_the_format() {
    // What that page shows is held to be what its example says.
    let elsewhere = |path: &Path| path.ends_with("traffic-shift.md");
    let parts =
        examples().into_iter().filter(|(path, block)| !is_whole(block) && !is_part_file(block) && !elsewhere(path));
    for (path, block) in parts {
        let text = framed(&block);
        let code = |problem: &Problem| problem.code().map(|code| code.to_string()).unwrap_or_default();
        let counts = |problem: &Problem| {
            problem.severity() != Some(Severity::Warning) && !LEFT_OUT.contains(&code(problem).as_str())
        };
        let problems = syntax::read(&text).problems;
        let wrong: Vec<String> = problems
            .iter()
            .filter(|problem| counts(problem))
            .map(|problem| format!("{}: {problem}", code(problem)))
            .collect();
        assert!(wrong.is_empty(), "{}: {wrong:#?}\n{block}\nread as\n{text}", path.display());
    }
}

/// A part of a runbook in the least that can stand around it.
fn framed(block: &str) -> String {
    let part: Map<String, Json> = toml::from_str(block).unwrap_or_else(|error| panic!("{error}\n{block}"));
    let mut file = in_its_place(part);
    file.insert("format".to_owned(), 1.into());
    let runbook = table_of(&mut file, "runbook");
    for (key, value) in [("name", "part"), ("timeout", "7d"), ("rollback_timeout", "7d")] {
        runbook.entry(key).or_insert_with(|| value.into());
    }
    table_of(&mut file, "defaults").entry("timeout").or_insert_with(|| "1m".into());
    for name in words_behind(block, "vars.") {
        table_of(&mut file, "vars").entry(name).or_insert_with(|| json!({ "file": "somewhere" }));
    }
    for name in words_behind(block, "probe.").into_iter().chain(words_behind(block, "series.")) {
        let number = block.contains(&format!("series.{name}")) || block.contains(&format!("baseline.{name}"));
        let kind = if number { "number" } else { "json" };
        table_of(&mut file, "probe").entry(name).or_insert_with(|| json!({ "run": "true", "as": kind }));
    }
    complete_steps(&mut file);
    file.iter().map(|(key, value)| format!("{key} = {}", written(value))).collect::<Vec<_>>().join("\n")
}

/// As TOML, on one line. A text of JSON is one of TOML.
fn written(value: &Json) -> String {
    match value {
        Json::Array(values) => format!("[{}]", values.iter().map(written).collect::<Vec<_>>().join(", ")),
        Json::Object(table) => {
            let keys = table.iter().map(|(key, value)| format!("{} = {}", json!(key), written(value)));
            format!("{{ {} }}", keys.collect::<Vec<_>>().join(", "))
        }
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => value.to_string(),
    }
}

/// Keys without a header are those of a phase, or of a step.
fn in_its_place(part: Map<String, Json>) -> Map<String, Json> {
    const FILE: [&str; 9] = ["format", "runbook", "defaults", "vars", "probe", "guard", "baseline", "phase", "step"];
    if part.keys().all(|key| FILE.contains(&key.as_str())) {
        return part;
    }
    let (of, named) = if part.contains_key("window") {
        ("phase", json!({ "around": part }))
    } else {
        ("step", json!({ "shown": part }))
    };
    Map::from_iter([(of.to_owned(), named)])
}

/// The table of that name, made where it is not there.
fn table_of<'f>(file: &'f mut Map<String, Json>, name: &str) -> &'f mut Map<String, Json> {
    let table = file.entry(name).or_insert_with(|| Json::Object(Map::new()));
    table.as_object_mut().expect("it is a table")
}

/// The names that stand behind `prefix`.
fn words_behind(text: &str, prefix: &str) -> BTreeSet<String> {
    let name =
        |rest: &str| rest.chars().take_while(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || *c == '_').collect();
    text.split(prefix).skip(1).map(name).filter(|name: &String| !name.is_empty()).collect()
}

/// Every step has an action, a way home and, where there are phases, one of them.
fn complete_steps(file: &mut Map<String, Json>) {
    const ACTIONS: [&str; 7] = ["run", "http", "sql", "wait", "gate", "manual", "ramp"];
    const HOME: [&str; 3] = ["undo", "undone_by", "effect"];
    let phases: Vec<String> = table_of(file, "phase").keys().cloned().collect();
    if !phases.is_empty() {
        table_of(file, "runbook").entry("phases").or_insert_with(|| phases.clone().into());
    }
    let steps = table_of(file, "step");
    if steps.is_empty() {
        steps.insert("shown".to_owned(), Json::Object(Map::new()));
    }
    for step in steps.iter_mut().filter_map(|(_, step)| step.as_object_mut()) {
        if !ACTIONS.iter().any(|action| step.contains_key(*action)) {
            step.insert("run".to_owned(), "true".into());
        }
        if !HOME.iter().any(|home| step.contains_key(*home)) {
            step.insert("effect".to_owned(), "none".into());
        }
        if let Some(phase) = phases.first() {
            step.entry("phase").or_insert_with(|| phase.clone().into());
            step.entry("needs").or_insert_with(|| json!([]));
        }
    }
}

/// Of these tables every key that is supported stands in an example.
const SHOWN: [&str; 13] = [
    "baseline",
    "budget",
    "criterion",
    "guard",
    "http_probe",
    "probe",
    "progress",
    "prometheus",
    "ramp",
    "ramp_advance",
    "ramp_value",
    "sql_probe",
    "window",
];

/// What only `PostgreSQL` has; its own tests carry it out.
const NOT_CARRIED_OUT: [(&str, &str); 1] = [("sql_probe", "password")];

/// What is read of the history of a probe.
const OF_SERIES: [&str; 7] = [".avg(", ".min(", ".max(", ".rate(", ".p(", ".count(", "judge(series."];

/// The names of whole runbooks that a test carries out: `comparison` and `measuring`.
const CARRIED_OUT: [&str; 3] = ["compare", "look_around", "move_readers"];

#[test]
fn every_key_that_measures_watches_or_steers_stands_in_an_example_that_a_test_carries_out() {
    let name =
        |block: &str| Some(toml::from_str::<toml::Table>(block).ok()?["runbook"].get("name")?.as_str()?.to_owned());
    let carried_out = |block: &str| name(block).is_some_and(|name| CARRIED_OUT.contains(&name.as_str()));
    let mut shown = Keys::default();
    let mut texts = String::new();
    for (_, block) in examples().into_iter().filter(|(_, block)| is_whole(block) && carried_out(block)) {
        shown.walk(&block);
        texts += &block;
    }
    let missing: Vec<String> = shown
        .supported()
        .filter(|(table, _)| SHOWN.contains(&table.as_str()))
        .filter(|(table, key)| !NOT_CARRIED_OUT.contains(&(table, key)))
        .filter(|key| !shown.seen.contains(key))
        .map(|(table, key)| format!("`{key}` of `{table}`"))
        .collect();
    assert!(missing.is_empty(), "in no example that is carried out: {}", missing.join(", "));
    let unread: Vec<&str> = OF_SERIES.into_iter().filter(|read| !texts.contains(read)).collect();
    assert!(unread.is_empty(), "in no example that is carried out: {unread:?}");
}

/// The keys of the format, and those that examples have.
struct Keys {
    /// By name, each table that anything supported leads to.
    tables: BTreeMap<String, Json>,
    /// Table and key.
    seen: BTreeSet<(String, String)>,
}

impl Default for Keys {
    fn default() -> Self {
        let named = |(name, schema): (String, Json)| (name.trim_matches('`').to_owned(), schema);
        Self { tables: tables().into_iter().map(named).collect(), seen: BTreeSet::new() }
    }
}

impl Keys {
    fn supported(&self) -> impl Iterator<Item = (String, String)> {
        let keys = self.tables.iter().flat_map(|(table, schema)| {
            properties(schema)
                .iter()
                .filter(|(_, property)| !is_later(property))
                .map(|(key, _)| (table.clone(), key.clone()))
        });
        keys.collect::<Vec<_>>().into_iter()
    }

    fn walk(&mut self, block: &str) {
        let file: Json = toml::from_str(block).expect("it is TOML");
        self.walk_table("the file", &file);
    }

    fn walk_table(&mut self, name: &str, value: &Json) {
        let schema = self.tables[name].clone();
        for (key, value) in value.as_object().into_iter().flatten() {
            if let Some(property) = properties(&schema).get(key) {
                self.seen.insert((name.to_owned(), key.clone()));
                self.walk_value(property, value);
            }
        }
    }

    /// Walks a value by what the schema says of it; of several shapes by each that has its keys.
    fn walk_value(&mut self, schema: &Json, value: &Json) {
        if let Some(target) = schema["$ref"].as_str().and_then(|target| target.rsplit('/').next()) {
            let has = |key: &String| self.tables.get(target).is_some_and(|table| properties(table).contains_key(key));
            if value.as_object().is_some_and(|table| table.keys().all(has)) {
                self.walk_table(target, value);
            }
        }
        for part in ["anyOf", "allOf"].iter().filter_map(|of| schema[*of].as_array()).flatten() {
            self.walk_value(part, value);
        }
        for item in value.as_array().into_iter().flatten() {
            self.walk_value(&schema["items"], item);
        }
        for item in value.as_object().into_iter().flat_map(Map::values) {
            self.walk_value(&schema["additionalProperties"], item);
        }
    }
}
