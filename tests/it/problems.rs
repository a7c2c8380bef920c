//! Each kind of problem has a bad file in `tests/problems/`, and beside it what is said of it.
//!
//! `UPDATE_PROBLEMS=1 cargo test --test it problems::` writes what is said now; read the difference before committing it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use miette::Diagnostic;
use runbook::syntax::render::{Look, as_json, for_terminal};
use runbook::syntax::{Reading, Texts, read_given};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/problems")
}

/// The bad files: name and text.
fn files() -> Vec<(String, String)> {
    let mut files: Vec<(String, String)> = fs::read_dir(folder())
        .expect("the folder is there")
        .map(|entry| entry.expect("it can be listed").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .map(|path| {
            let name = path.file_stem().expect("it has a name").to_string_lossy().into_owned();
            (name, fs::read_to_string(&path).expect("it is text"))
        })
        .collect();
    files.sort();
    files
}

/// Reads a bad file, and the parts that it includes.
fn read(text: &str) -> Reading {
    let part = |path: &str| match path {
        // What the system says of a missing file is not ours.
        "parts/missing.toml" => Err("no such file".to_owned()),
        path => fs::read_to_string(folder().join(path)).map_err(|error| error.to_string()),
    };
    read_given(&Texts::gather(text.to_owned(), part), &BTreeMap::new())
}

fn codes(reading: &Reading) -> BTreeSet<String> {
    reading.problems.iter().filter_map(|problem| problem.code().map(|code| code.to_string())).collect()
}

#[test]
fn what_is_said_of_each_bad_file_is_written_beside_it() {
    let update = std::env::var_os("UPDATE_PROBLEMS").is_some();
    let mut different = Vec::new();
    for (name, text) in files() {
        let reading = read(&text);
        let said = for_terminal(&format!("{name}.toml"), &reading.sources, &reading.problems, Look::PLAIN);
        let path = folder().join(format!("{name}.stderr"));
        if update {
            fs::write(&path, said).expect("it can be written");
        } else if fs::read_to_string(&path).unwrap_or_default() != said {
            different.push(format!("--- {name}.toml ---\n{said}"));
        }
    }
    assert!(different.is_empty(), "this is said now:\n{}", different.join("\n"));
}

#[test]
fn a_bad_file_shows_the_problem_that_it_is_named_after() {
    for (name, text) in files() {
        let reading = read(&text);
        let code = name.split('-').next().unwrap_or(&name);
        assert!(codes(&reading).contains(code), "{name}: {:#?}", reading.problems);
        let errors = reading.problems.iter().any(runbook::syntax::Problem::is_error);
        assert_eq!(reading.plan.is_none(), errors, "{name}: a plan is there exactly if nothing is an error");
    }
}

#[test]
fn every_problem_kind_has_a_bad_file() {
    let shown: BTreeSet<String> = files().iter().flat_map(|(_, text)| codes(&read(text))).collect();
    let source = concat!(
        include_str!("../../src/syntax/misfit.rs"),
        include_str!("../../src/syntax/problem.rs"),
        include_str!("../../src/syntax/finding.rs")
    );
    for kind in source.split("code(").skip(1).filter_map(|rest| rest.split(')').next()) {
        assert!(shown.contains(kind), "no file in tests/problems shows `{kind}`");
    }
}

#[test]
fn every_problem_says_what_and_where() {
    for (name, text) in files() {
        let reading = read(&text);
        for (object, problem) in as_json(&name, &reading.sources, &reading.problems).iter().zip(&reading.problems) {
            let file = object["file"].as_str().expect("it stands in a file");
            let text = if file == name { text.clone() } else { fs::read_to_string(folder().join(file)).expect("read") };
            let line = object["line"].as_u64().and_then(|line| usize::try_from(line).ok()).expect("it has a line");
            assert!(line <= text.lines().count().max(1), "{name}: {problem:?} stands outside {file}");
            assert!(!problem.to_string().is_empty() && problem.code().is_some(), "{name}: {problem:?}");
        }
    }
}
