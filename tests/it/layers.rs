//! The layers of docs/architecture.md, held by a test: who may use whom.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Each layer, and the layers that it may use.
const LAYERS: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("syntax", &["model", "measure"]),
    ("measure", &["model"]),
    ("engine", &["model"]),
    ("journal", &["model", "engine"]),
    ("drive", &["model", "syntax", "measure", "engine", "journal", "report"]),
    ("report", &["model", "engine", "journal"]),
    ("cli", &["model", "syntax", "measure", "engine", "journal", "drive", "report"]),
];

/// What must not even be named in the layers that decide: input and output, async, clocks, randomness, hash maps.
const ABSENT: &[(&str, &[&str])] = &[
    ("model", &["std::fs", "std::process", "tokio", "Instant::now", "SystemTime", "HashMap", "println!"]),
    (
        "engine",
        &["std::fs", "std::process", "tokio", "Instant", "SystemTime", "HashMap", "HashSet", "println!", "f64", "f32"],
    ),
    ("measure", &["std::fs", "std::process", "tokio", "Instant::now", "SystemTime", "println!"]),
    ("syntax", &["std::fs", "std::process", "tokio", "Instant::now", "SystemTime", "println!"]),
    ("report", &["std::process", "tokio", "Instant::now", "SystemTime"]),
];

fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder of sources").map(|entry| entry.expect("readable").path());
    let (folders, files): (Vec<_>, Vec<_>) = entries.partition(|path| path.is_dir());
    let below = folders.iter().flat_map(|folder| sources(folder));
    let files = files.into_iter().filter(|path| path.extension().is_some_and(|extension| extension == "rs"));
    files.chain(below).collect()
}

/// The files of a layer with their text, without comments and without the tests inside.
fn code(layer: &str) -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    sources(&root.join(layer))
        .into_iter()
        .filter(|path| !path.file_stem().is_some_and(|stem| stem.to_string_lossy().ends_with("tests")))
        .map(|path| {
            let text = fs::read_to_string(&path).expect("readable");
            let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
            let lines = text.lines().map(|line| line.split("//").next().unwrap_or_default());
            let text = lines.collect::<Vec<_>>().join("\n");
            (path, text)
        })
        .collect()
}

#[test]
fn a_layer_uses_only_the_layers_that_the_architecture_allows_it() {
    let mut wrong = BTreeSet::new();
    for (layer, allowed) in LAYERS {
        for (path, text) in code(layer) {
            for used in text.split("crate::").skip(1) {
                let name: String = used.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
                let known = LAYERS.iter().any(|(other, _)| *other == name);
                if known && name != *layer && !allowed.contains(&name.as_str()) {
                    wrong.insert(format!("{}: {layer} may not use {name}", path.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn what_decides_touches_neither_the_world_nor_a_clock() {
    let mut wrong = BTreeSet::new();
    for (layer, absent) in ABSENT {
        for (path, text) in code(layer) {
            for word in *absent {
                if text.contains(word) {
                    wrong.insert(format!("{}: {word} has no place in {layer}", path.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_layer_is_in_the_table() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let folders: BTreeSet<String> = fs::read_dir(root)
        .expect("src")
        .map(|entry| entry.expect("readable").path())
        .filter(|path| path.is_dir())
        .map(|path| path.file_name().expect("named").to_string_lossy().into_owned())
        .collect();
    let table: BTreeSet<String> = LAYERS.iter().map(|(layer, _)| (*layer).to_owned()).collect();
    assert_eq!(folders, table);
}
