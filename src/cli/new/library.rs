//! The patterns that this program brings along: runbooks for people to make their own, from `runbooks/`.

use std::sync::Arc;

use crate::model::Plan;
use crate::syntax::{self, Reading, Texts};

/// A runbook of the library.
#[derive(Debug)]
pub(in crate::cli) struct Pattern {
    /// Its name, and that of its file.
    pub(in crate::cli) name: &'static str,
    /// Its text.
    pub(in crate::cli) runbook: &'static str,
    /// The page that explains it.
    pub(in crate::cli) page: &'static str,
    /// The parts that it includes: the path that it names, and the text.
    pub(in crate::cli) parts: &'static [(&'static str, &'static str)],
}

/// All of them, by name.
pub(in crate::cli) const LIBRARY: &[Pattern] = &[
    Pattern {
        name: "active-passive",
        runbook: include_str!("../../../runbooks/active-passive.toml"),
        page: include_str!("../../../docs/patterns/active-passive.md"),
        parts: &[],
    },
    Pattern {
        name: "dual-write",
        runbook: include_str!("../../../runbooks/dual-write.toml"),
        page: include_str!("../../../docs/patterns/dual-write.md"),
        parts: &[],
    },
    Pattern {
        name: "event-log-replay",
        runbook: include_str!("../../../runbooks/event-log-replay.toml"),
        page: include_str!("../../../docs/patterns/event-log-replay.md"),
        parts: &[],
    },
    Pattern {
        name: "sidecar-replication",
        runbook: include_str!("../../../runbooks/sidecar-replication.toml"),
        page: include_str!("../../../docs/patterns/sidecar-replication.md"),
        parts: &[],
    },
    Pattern {
        name: "traffic-mirroring",
        runbook: include_str!("../../../runbooks/traffic-mirroring.toml"),
        page: include_str!("../../../docs/patterns/traffic-mirroring.md"),
        parts: &[],
    },
    Pattern {
        name: "warm-up",
        runbook: include_str!("../../../runbooks/warm-up.toml"),
        page: include_str!("../../../docs/patterns/warm-up.md"),
        parts: &[],
    },
];

/// Their names.
pub(in crate::cli) fn names() -> Vec<&'static str> {
    LIBRARY.iter().map(|pattern| pattern.name).collect()
}

impl Pattern {
    /// The one of that name.
    pub(in crate::cli) fn named(name: &str) -> Option<&'static Self> {
        LIBRARY.iter().find(|pattern| pattern.name == name)
    }

    /// What it is as it stands in the library.
    pub(in crate::cli) fn plan(&self) -> Arc<Plan> {
        Arc::new(self.read(self.runbook).plan.expect("a test reads every pattern of the library"))
    }

    /// How its page is read where this project's `docs` are not at hand.
    pub(in crate::cli) fn page_command(&self) -> String {
        format!("runbook new --pattern {} --page", self.name)
    }

    /// Its text, which names its page by what works anywhere and not by a path that only this project has.
    pub(in crate::cli) fn portable(&self) -> String {
        self.runbook.replace(&self.page_path(), &self.page_command())
    }

    /// Where this project has its page.
    fn page_path(&self) -> String {
        format!("docs/patterns/{}.md", self.name)
    }

    /// Reads a text of it with its parts.
    pub(in crate::cli) fn read(&self, runbook: &str) -> Reading {
        let part = |path: &str| {
            let known = self.parts.iter().find(|(name, _)| *name == path);
            known.map(|(_, text)| (*text).to_owned()).ok_or_else(|| "the library does not have it".to_owned())
        };
        syntax::read_given(&Texts::gather(runbook.to_owned(), part), &std::collections::BTreeMap::new())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::{Path, PathBuf};

    use super::*;

    fn folder() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("runbooks")
    }

    #[test]
    fn the_library_holds_every_runbook_of_its_folder_and_nothing_else() {
        let files = fs::read_dir(folder()).expect("it is there").map(|entry| entry.expect("an entry").path());
        let files = files.filter(|path| path.extension().is_some_and(|extension| extension == "toml"));
        let there: BTreeSet<String> =
            files.map(|path| path.file_stem().expect("a name").to_string_lossy().into_owned()).collect();
        let listed: BTreeSet<String> = names().into_iter().map(str::to_owned).collect();
        assert_eq!(listed, there);
        assert!(names().is_sorted());
        for pattern in LIBRARY {
            let path = folder().join(pattern.name).with_extension("toml");
            assert_eq!(fs::read_to_string(path).expect("it is text"), pattern.runbook, "{}", pattern.name);
        }
    }

    #[test]
    fn every_part_of_the_library_can_be_included_without_findings() {
        let files = fs::read_dir(folder().join("parts")).expect("it is there");
        for path in files.map(|entry| entry.expect("an entry").path()) {
            let text = fs::read_to_string(&path).expect("it is text");
            let table: toml::Table = toml::from_str(&text).expect("it is TOML");
            let needed = table["vars"].as_table().expect("a table").iter().filter(|(_, var)| {
                var.as_table()
                    .is_some_and(|var| ["default", "env", "file", "run"].iter().all(|key| !var.contains_key(*key)))
            });
            let with: Vec<String> = needed.map(|(name, _)| format!("{name} = 'x'")).collect();
            let runbook = format!(
                "format = 1\n[runbook]\nname = 'n'\ntimeout = '1d'\nrollback_timeout = '1d'\nphases = ['p']\n\
                 [part.it]\nuse = 'part.toml'\nwith = {{ {} }}\n[phase.p]\nsequence = ['it']\n",
                with.join(", ")
            );
            let texts = Texts::gather(runbook, |_| Ok(text.clone()));
            let problems = syntax::read_given(&texts, &std::collections::BTreeMap::new()).problems;
            assert!(problems.is_empty(), "{}: {problems:#?}", path.display());
        }
    }

    #[test]
    fn every_pattern_is_a_plan_without_findings_and_brings_the_parts_that_it_includes() {
        for pattern in LIBRARY {
            let Reading { plan, problems, .. } = pattern.read(pattern.runbook);
            assert!(problems.is_empty(), "{}: {problems:#?}", pattern.name);
            let plan = plan.expect("it has no problem");
            assert_eq!(plan.about().docs.as_deref(), Some(&*pattern.page_path()), "{}: its `docs`", pattern.name);
            assert!(plan.about().summary.is_some(), "{}: `new --list` has nothing to say of it", pattern.name);
            let included: BTreeSet<&str> = plan.parts().iter().map(|part| part.file.as_str()).collect();
            assert_eq!(included, pattern.parts.iter().map(|(path, _)| *path).collect(), "{}", pattern.name);
            for (path, text) in pattern.parts {
                assert_eq!(fs::read_to_string(folder().join(path)).expect("it is text"), *text, "{path}");
            }
        }
    }
}
