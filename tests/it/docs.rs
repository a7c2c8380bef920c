//! The pages for users: what they name is there, and what is there is named.
//!
//! `UPDATE_DOCS=1 cargo test --test it docs::` writes the generated parts; read the difference before committing it.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use assert_cmd::Command;
use runbook::syntax;
use serde_json::{Map, Value};

const BEGIN: &str = "UPDATE_DOCS=1 writes it -->\n";
const END: &str = "<!-- keys: end -->";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

pub(super) fn page(path: &str) -> String {
    fs::read_to_string(root().join(path)).expect("the page is there")
}

/// Every page, by its path.
pub(super) fn pages() -> Vec<(PathBuf, String)> {
    let folders =
        ["docs", "docs/patterns"].map(|folder| fs::read_dir(root().join(folder)).expect("the folder is there"));
    let mut paths: Vec<PathBuf> =
        folders.into_iter().flatten().map(|entry| entry.expect("it can be listed").path()).collect();
    paths.extend(["README.md", "CONTRIBUTING.md"].map(|name| root().join(name)));
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "md"));
    paths.sort();
    paths.into_iter().map(|path| (path.clone(), fs::read_to_string(&path).expect("it is text"))).collect()
}

/// The blocks of a page that are marked as `language`.
pub(super) fn blocks<'t>(text: &'t str, language: &str) -> impl Iterator<Item = &'t str> {
    let fence = format!("```{language}\n");
    let starts: Vec<usize> = text.match_indices(&fence).map(|(at, _)| at + fence.len()).collect();
    starts.into_iter().filter_map(|start| text[start..].split("```").next())
}

/// What the page about shifting traffic shows is what is carried out.
#[test]
fn the_page_about_shifting_shows_what_the_example_says() {
    let example: toml::Value = toml::from_str(&page("examples/traffic-shift/shift.toml")).expect("it is TOML");
    let page = page("docs/traffic-shift.md");
    let shown: Vec<&str> = blocks(&page, "toml").collect();
    assert!(!shown.is_empty());
    for block in shown {
        let part: toml::Value = toml::from_str(block).expect("it is TOML");
        assert!(is_part_of(&part, &example), "the example says otherwise:\n{block}");
    }
}

/// Whether every key that `part` has is worth the same in `whole`.
fn is_part_of(part: &toml::Value, whole: &toml::Value) -> bool {
    match (part.as_table(), whole.as_table()) {
        (Some(part), Some(whole)) => {
            part.iter().all(|(key, value)| whole.get(key).is_some_and(|other| is_part_of(value, other)))
        }
        _ => part == whole,
    }
}

#[test]
fn the_format_page_holds_every_key() {
    let path = root().join("docs/format.md");
    let text = page("docs/format.md");
    let (before, rest) = text.split_once(BEGIN).expect("the marker is there");
    let (_, after) = rest.split_once(END).expect("the marker is there");
    let wanted = format!("{before}{BEGIN}{}{END}{after}", reference());
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(path, wanted).expect("it can be written");
    } else {
        assert!(text == wanted, "docs/format.md is older than the format: UPDATE_DOCS=1 cargo test --test it docs::");
    }
}

/// The prose explains each key, apart from the tables; what is not supported yet is listed.
#[test]
fn the_format_page_explains_every_key() {
    let text = page("docs/format.md");
    let (prose, _) = text.split_once("## Every key").expect("the section is there");
    for (table, schema) in tables() {
        for key in properties(&schema).keys() {
            let is_there = prose.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == key);
            assert!(is_there, "docs/format.md says nothing of `{key}` of {table}");
        }
    }
}

/// The tables of the format that anything supported leads to, the files first.
pub(super) fn tables() -> Vec<(String, Value)> {
    let (schema, part) = (syntax::schema::json(), syntax::schema::part_json());
    let mut definitions = schema["definitions"].as_object().expect("an object").clone();
    definitions.extend(part["definitions"].as_object().expect("an object").clone());
    let mut tables = vec![("the file".to_owned(), schema), ("the file of a part".to_owned(), part)];
    let mut seen = BTreeSet::new();
    let mut at = 0;
    while at < tables.len() {
        let here = tables[at].1.clone();
        for property in properties(&here).values().filter(|property| !is_later(property)) {
            let text = property.to_string();
            let names = text.split("#/definitions/").skip(1).filter_map(|rest| rest.split('"').next());
            for name in names.filter(|name| seen.insert((*name).to_owned())) {
                tables.push((format!("`{name}`"), definitions[name].clone()));
            }
        }
        at += 1;
    }
    tables
}

pub(super) fn properties(table: &Value) -> &Map<String, Value> {
    table["properties"].as_object().expect("a table has keys")
}

fn doc(of: &Value) -> &str {
    of["description"].as_str().unwrap_or_default()
}

pub(super) fn is_later(property: &Value) -> bool {
    doc(property).starts_with("Not supported yet.")
}

/// The tables of keys, as Markdown.
fn reference() -> String {
    let mut text = String::new();
    for (name, table) in tables() {
        write!(text, "\n### Keys of {name}\n\n{}\n\n", doc(&table)).expect("text takes text");
        text.push_str("| key | value | default | meaning |\n|---|---|---|---|\n");
        let required: BTreeSet<&str> =
            table["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        for (key, property) in properties(&table).iter().filter(|(_, property)| !is_later(property)) {
            let default = match property.get("default") {
                _ if required.contains(key.as_str()) => "required".to_owned(),
                Some(default) => format!("`{default}`"),
                None => String::new(),
            };
            let row = format!("| `{key}` | {} | {default} | {} |", kind(property), doc(property));
            writeln!(text, "{}", row.replace("|  |", "| |")).expect("text takes text");
        }
        let later = properties(&table).iter().filter(|(_, property)| is_later(property));
        let later: Vec<String> = later.map(|(key, _)| format!("`{key}`")).collect();
        if !later.is_empty() {
            write!(text, "\nNot supported yet: {}.\n", later.join(", ")).expect("text takes text");
        }
    }
    text.push('\n');
    text
}

/// What a value must look like, in few words.
fn kind(schema: &Value) -> String {
    let one_of = |key: &str| schema[key].as_array().map(|any| any.iter().map(kind).collect::<Vec<_>>());
    if let Some(target) = schema["$ref"].as_str() {
        return target.rsplit('/').next().map(|name| format!("[{name}](#keys-of-{name})")).unwrap_or_default();
    }
    if let Some(all) = one_of("allOf") {
        return all.join(" ");
    }
    if let Some(any) = one_of("anyOf") {
        return any.join(" or ");
    }
    if let Some(words) = schema["enum"].as_array() {
        return words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ");
    }
    if let Some(only) = schema.get("const") {
        return format!("`{only}`");
    }
    match schema["type"].as_str() {
        Some("string") => text_kind(schema),
        Some("integer") => match (&schema["minimum"], &schema["maximum"]) {
            (low, high) if low == high => format!("`{low}`"),
            (low, Value::Null) => format!("whole number from {low}"),
            (low, high) => format!("whole number {low} to {high}"),
        },
        Some("number") => format!("number {} to {}", schema["minimum"], schema["maximum"]),
        Some("boolean") => "true or false".to_owned(),
        Some("array") => format!("list of {}", kind(&schema["items"])),
        Some("object") => format!("table of {}", kind(&schema["additionalProperties"])),
        Some(_) | None => "any value".to_owned(),
    }
}

fn text_kind(schema: &Value) -> String {
    let pattern = schema["pattern"].as_str().unwrap_or_default();
    let named = [
        ("{1,5}", "host:port"),
        ("ms)", "duration"),
        ("KiB", "size"),
        ("[a-z][a-z0-9_]*", "name"),
        ("(/.*)", "JSON pointer"),
        (":", "hours"),
    ];
    let known = named.iter().find(|(part, _)| pattern.contains(part)).map(|(_, name)| *name);
    match schema["format"].as_str() {
        Some("regex") => "regular expression".to_owned(),
        Some(_) | None => known.unwrap_or("text").to_owned(),
    }
}

fn help(words: &[&str]) -> String {
    let output = Command::cargo_bin("runbook").expect("it is built").args(words).arg("--help").output();
    String::from_utf8(output.expect("it runs").stdout).expect("help is text")
}

#[test]
fn the_page_of_the_command_line_names_every_verb_and_flag() {
    let text = page("docs/cli.md");
    let top = help(&[]);
    let commands =
        top.split("Commands:\n").nth(1).and_then(|rest| rest.split("\n\n").next()).expect("help lists verbs");
    let verbs: Vec<&str> = commands.lines().filter_map(|line| line.strip_prefix("  ")?.split(' ').next()).collect();
    let verbs: Vec<&str> = verbs.into_iter().filter(|verb| !verb.is_empty()).collect();
    assert!(verbs.len() > 10, "{commands}");
    for verb in verbs {
        assert!(text.contains(&format!("`{verb}")), "docs/cli.md does not name `{verb}`");
        let help = help(&[verb]);
        let flags = help.split(|c: char| !c.is_ascii_alphanumeric() && c != '-').filter(|word| word.starts_with("--"));
        for flag in flags.filter(|flag| flag.len() > 2) {
            let named = text
                .match_indices(flag)
                .any(|(at, _)| !text[at + flag.len()..].starts_with(|c: char| c.is_ascii_alphanumeric() || c == '-'));
            assert!(named, "docs/cli.md does not name `{flag}` of `{verb}`");
        }
    }
}

/// The names of events are promises to programs.
#[test]
fn the_page_of_the_command_line_names_every_event() {
    let text = page("docs/cli.md");
    let words = fs::read_dir(root().join("src/report/words")).expect("the folder is there");
    let mut names = BTreeSet::new();
    for path in words.map(|entry| entry.expect("it can be listed").path()).filter(|path| path.is_file()) {
        let source = fs::read_to_string(path).expect("it is text");
        let literals = source.split('"').skip(1).step_by(2);
        names.extend(literals.filter(|text| is_event(text)).map(str::to_owned));
    }
    assert!(names.len() > 20, "{names:?}");
    for name in names {
        assert!(text.contains(&format!("`{name}`")), "docs/cli.md does not name the event `{name}`");
    }
}

fn is_event(text: &str) -> bool {
    let things = [
        "run", "phase", "step", "ramp", "answer", "guard", "gate", "wayback", "rollback", "undo", "bracket", "order",
        "baseline",
    ];
    let word = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    text.split_once('.').is_some_and(|(thing, what)| things.contains(&thing) && word(what))
}

#[test]
fn the_page_of_the_journal_shows_the_script_of_the_source() {
    let source = fs::read_to_string(root().join("src/journal/record.rs")).expect("it is there");
    let comment: Vec<&str> = source
        .lines()
        .filter_map(|line| line.strip_prefix("//!"))
        .map(|line| line.strip_prefix(' ').unwrap_or(line))
        .collect();
    let comment = comment.join("\n");
    let script = blocks(&comment, "python").next().expect("the source shows it").to_owned();
    assert!(blocks(&page("docs/journal.md"), "python").any(|block| block == script));
}

/// Links between the pages lead somewhere.
#[test]
fn every_link_of_a_page_leads_to_a_file_and_its_heading() {
    for (path, text) in pages() {
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if target.starts_with("http") {
                continue;
            }
            let (file, heading) = target.split_once('#').unwrap_or((target, ""));
            let file = if file.is_empty() { path.clone() } else { path.with_file_name("").join(file) };
            assert!(file.exists(), "{}: {target}", path.display());
            if !heading.is_empty() {
                let there = fs::read_to_string(&file).expect("it is text");
                let has = there.lines().filter(|line| line.starts_with('#')).any(|line| slug(line) == heading);
                assert!(has, "{}: {target}", path.display());
            }
        }
    }
}

/// What GitHub makes of a heading.
fn slug(heading: &str) -> String {
    let text = heading.trim_start_matches('#').trim().to_lowercase();
    text.chars()
        .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
        .map(|c| if c == ' ' { '-' } else { c })
        .collect()
}
