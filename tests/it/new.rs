//! `new`: a runbook of the library with a person's values.

use std::fs;
use std::path::Path;

use super::cli::Bench;
use super::prompt::{CTRL_C, ENTER, Terminal};

/// What a pattern must be told, as it says itself when it is told nothing.
fn needed(bench: &Bench, name: &str) -> Vec<String> {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_runbook"));
    let output = command.args(["new", "--pattern", name, "--out", "nowhere.toml"]).current_dir(bench.path("")).output();
    let said = String::from_utf8(output.expect("it runs").stderr).expect("text");
    let vars =
        said.lines().filter_map(|line| line.trim().strip_prefix("add --var ")?.split_once('=')).map(|(var, _)| var);
    vars.flat_map(|var| ["--var".to_owned(), format!("{var}=true")]).collect()
}

/// The patterns: what stands in the library's folder.
fn patterns() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("runbooks");
    let files = fs::read_dir(folder).expect("it is there").map(|entry| entry.expect("an entry").path());
    let files = files.filter(|path| path.extension().is_some_and(|extension| extension == "toml"));
    files.map(|path| path.file_stem().expect("a name").to_string_lossy().into_owned()).collect()
}

#[test]
fn every_pattern_is_listed_and_written_and_passes_check() {
    let bench = Bench::new("");
    let (list, _) = bench.does(&["new", "--list"], 0);
    for name in patterns() {
        assert!(list.lines().any(|line| line.starts_with(&format!("{name}: "))), "{list}");
        let file = format!("{name}/mine.toml");
        let say = needed(&bench, &name);
        let say: Vec<&str> = say.iter().map(String::as_str).collect();
        let (out, _) = bench.does(&[&["new", "--pattern", &name, "--out", &file], &say[..]].concat(), 0);
        assert!(out.contains(&format!("runbook check {file}")), "{out}");
        bench.does(&["check", "--strict", &file], 0);
    }
}

/// `--var` for each duration of a pattern, four times as long as in the library.
fn longer(name: &str) -> Vec<String> {
    let library = Path::new(env!("CARGO_MANIFEST_DIR")).join("runbooks").join(name).with_extension("toml");
    let text: toml::Table = fs::read_to_string(library).expect("it is there").parse().expect("it is TOML");
    let vars = text["vars"].as_table().expect("a table").iter();
    let defaults = vars.filter_map(|(var, about)| Some((var, about.get("default")?.as_str()?)));
    let durations = defaults.filter_map(|(var, default)| {
        let (number, unit) = default.split_at(default.find(|c: char| !c.is_ascii_digit())?);
        let number: u64 = number.parse().ok().filter(|_| ["s", "m", "h", "d"].contains(&unit))?;
        Some(format!("{var}={}{unit}", number * 4))
    });
    durations.flat_map(|given| ["--var".to_owned(), given]).collect()
}

#[test]
fn every_duration_of_a_pattern_can_be_four_times_as_long_and_no_other_line_need_be_changed() {
    let bench = Bench::new("");
    for name in patterns() {
        let longer = longer(&name);
        assert!(longer.iter().any(|given| given.starts_with("answer_within=")), "{name}: {longer:?}");
        let say = [needed(&bench, &name), longer].concat();
        let say: Vec<&str> = say.iter().map(String::as_str).collect();
        let file = format!("{name}.toml");
        bench.does(&[&["new", "--pattern", &name][..], &say[..]].concat(), 0);
        bench.does(&["check", "--strict", &file], 0);
    }
}

#[test]
fn only_what_was_said_differs_from_the_library_and_comments_stay() {
    let bench = Bench::new("");
    let say = ["--var", "user_errors=curl 'http://m/e?a=\"b\"'", "--var", "soak=1h", "--var", "old=pg-a"];
    bench.does(&[&["new", "--pattern", "active-passive"][..], &say].concat(), 0);
    let written = fs::read_to_string(bench.path("active-passive.toml")).expect("written");
    let library = Path::new(env!("CARGO_MANIFEST_DIR")).join("runbooks/active-passive.toml");
    let library = fs::read_to_string(library).expect("it is there");
    let changed: Vec<&str> =
        written.lines().zip(library.lines().skip(1)).filter(|(a, b)| a != b).map(|(a, _)| a).collect();
    assert_eq!(written.lines().count(), library.lines().count() - 1, "only the line for editors is gone");
    let [comment, docs, old, errors, soak] = changed[..] else { panic!("{changed:#?}") };
    // The page is not beside it; the program has it.
    let page = "runbook new --pattern active-passive --page";
    assert!(comment.starts_with('#') && comment.contains(page), "{comment}");
    assert!(docs.starts_with("docs ") && docs.ends_with(&format!("= \"{page}\"")), "{docs}");
    assert!(old.starts_with("old ") && old.contains("{ default = \"pg-a\", summary"), "{old}");
    assert!(errors.contains(r#"{ default = "curl 'http://m/e?a=\"b\"'", summary"#), "{errors}");
    assert!(soak.contains("{ default = \"1h\", summary"), "{soak}");
}

#[test]
fn without_a_terminal_all_that_is_missing_or_wrong_is_said_at_once_and_nothing_is_written() {
    let bench = Bench::new("");
    let (_, err) = bench.does(&["new", "--pattern", "active-passive"], 2);
    assert!(err.contains("`user_errors`") && err.contains("add --var user_errors=..."), "{err}");
    let say = ["--var", "soak=long", "--var", "oldd=x", "--var", "password=hunter22"];
    let (_, err) = bench.does(&[&["new", "--pattern", "active-passive"][..], &say].concat(), 2);
    for part in ["`soak`", "did you mean `old`?", "take the secret `password` from the command line"] {
        assert!(err.contains(part), "{part}: {err}");
    }
    let (_, err) = bench.does(&["new", "--pattern", "active-passive", "--var", "old"], 2);
    assert!(err.contains("`--var old` sets nothing"), "{err}");
    assert!(!err.contains("hunter22"), "{err}");
    assert!(!bench.path("active-passive.toml").exists());
    bench.does(&["new"], 2);
    let (_, err) = bench.does(&["new", "--pattern", "active"], 2);
    assert!(err.contains("active-passive"), "{err}");
}

#[test]
fn a_file_that_is_there_is_not_overwritten() {
    let bench = Bench::new("");
    fs::write(bench.path("mine.toml"), "mine").expect("written");
    let words = ["new", "--pattern", "active-passive", "--out", "mine.toml", "--var", "user_errors=echo 0"];
    let (_, err) = bench.does(&words, 3);
    assert!(err.contains("`mine.toml` is there already") && err.contains("--out"), "{err}");
    assert_eq!(fs::read_to_string(bench.path("mine.toml")).expect("it is there"), "mine");
}

#[test]
fn what_is_not_given_stays_open_with_yes_and_a_run_is_given_it() {
    let bench = Bench::new("");
    for name in patterns() {
        let file = format!("{name}/mine.toml");
        let (out, _) = bench.does(&["new", "--pattern", &name, "--yes", "--out", &file], 0);
        bench.does(&["check", "--strict", &file], 0);
        for open in needed(&bench, &name).iter().filter_map(|word| word.strip_suffix("=true")) {
            assert!(out.lines().any(|line| line.starts_with(&format!("  {open}  "))), "{name}, {open}: {out}");
        }
    }
    let (out, _) = bench.does(&["new", "--pattern", "warm-up", "--yes", "--out", "open.toml"], 0);
    assert!(out.contains("open still") && out.contains("runbook plan open.toml --vars-file FILE"), "{out}");
    let (_, err) = bench.does(&["exec", "open.toml"], 2);
    assert!(err.contains("add --var prime=...   a command that asks new"), "{err}");
}

#[test]
fn a_file_of_values_is_for_new_what_it_is_for_a_run_and_secrets_stay_there() {
    let bench = Bench::new("");
    let values = "old = 'pg-a'\nsoak = '1h'\nuser_errors = 'echo 0'\npassword = 'hunter2222'\n";
    fs::write(bench.path("mine.toml"), values).expect("written");
    let words = ["new", "--pattern", "active-passive", "--vars-file", "mine.toml", "--var", "soak=2h"];
    let (out, _) = bench.does(&words, 0);
    assert!(!out.contains("open still"), "{out}");
    let written = fs::read_to_string(bench.path("active-passive.toml")).expect("written");
    for part in ["{ default = \"pg-a\",", "{ default = \"2h\",", "{ default = \"echo 0\","] {
        assert!(written.contains(part), "{part}: {written}");
    }
    assert!(!written.contains("hunter"), "{written}");
    bench.does(&["check", "--strict", "active-passive.toml"], 0);
    fs::write(bench.path("mine.toml"), "odl = 'pg-a'\n").expect("written");
    let (_, err) =
        bench.does(&["new", "--pattern", "active-passive", "--vars-file", "mine.toml", "--out", "b.toml"], 2);
    assert!(err.contains("did you mean `old`?"), "{err}");
}

#[test]
fn the_page_of_a_pattern_is_printed_and_a_written_file_says_how() {
    let bench = Bench::new("");
    let (page, _) = bench.does(&["new", "--pattern", "warm-up", "--page"], 0);
    assert!(page.starts_with("# Staged warm-up\n"), "{page}");
    let (out, _) = bench.does(&["new", "--pattern", "warm-up", "--yes"], 0);
    assert!(out.contains("runbook new --pattern warm-up --page"), "{out}");
    let written = fs::read_to_string(bench.path("warm-up.toml")).expect("written");
    assert!(!written.contains("docs/patterns"), "{written}");
    bench.does(&["new", "--pattern", "warm-up", "--page", "--yes"], 2);
}

#[test]
fn a_shell_completes_the_names_of_patterns() {
    let bench = Bench::new("");
    let (script, _) = bench.does(&["completions", "bash"], 0);
    assert!(script.contains("active-passive"), "no pattern in the completions");
}

#[test]
fn at_a_terminal_a_person_is_asked_for_what_is_not_given() {
    let asked = asked_for();
    let mut terminal = Terminal::at(tempfile::tempdir().expect("a folder"), "new --pattern active-passive --var new=b");
    for (n, name) in asked.iter().filter(|name| *name != "new").enumerate() {
        terminal.sees(&format!("{} of {}", n + 1, asked.len() - 1)).sees(name);
        match name.as_str() {
            "old" => terminal.press(&["pg-a", ENTER]),
            "user_errors" => {
                terminal.press(&[ENTER]).sees("it has no default");
                terminal.press(&["echo 0", ENTER])
            }
            "soak" => {
                terminal.press(&["soon", ENTER]).sees("could not take the value of `soak` from what was typed");
                terminal.press(&["1h", ENTER])
            }
            _ => terminal.press(&[ENTER]),
        };
    }
    terminal.sees("code 0 over");
    let written = fs::read_to_string(terminal.path("active-passive.toml")).expect("written");
    for part in ["{ default = \"pg-a\",", "{ default = \"b\",", "{ default = \"echo 0\",", "{ default = \"1h\","] {
        assert!(written.contains(part), "{part}: {written}");
    }
    terminal.ends_with(0);
}

#[test]
fn a_question_says_how_its_value_is_typed_and_shows_a_text_as_it_would_be_typed() {
    let folder = tempfile::tempdir().expect("a folder");
    let library = Path::new(env!("CARGO_MANIFEST_DIR")).join("runbooks/warm-up.toml");
    let library: toml::Table = fs::read_to_string(library).expect("it is there").parse().expect("it is TOML");
    let asked = ["set_share", "percents"];
    let vars = library["vars"].as_table().expect("a table").iter().filter(|(name, _)| !asked.contains(&name.as_str()));
    let value = |var: &toml::Value| match var.as_table() {
        Some(var) => var.get("default").cloned().unwrap_or_else(|| "true".into()),
        None => var.clone(),
    };
    let given: toml::Table = vars.map(|(name, var)| (name.clone(), value(var))).collect();
    let given = serde_json::to_string(&given).expect("JSON");
    fs::write(folder.path().join("mine.json"), given).expect("written");
    let mut terminal = Terminal::at(folder, "new --pattern warm-up --vars-file mine.json");
    terminal.sees("1 of 2").sees("`said=$(echo \"set weight app/new");
    terminal.press(&[ENTER]).sees("2 of 2").sees("a list, typed as JSON").sees("`[1,5,25,50,100]`");
    terminal.press(&["1, 50", ENTER]).sees("from what was typed: this is not JSON");
    terminal.press(&["[1, 50]", ENTER]).sees("percents = `[1,50]`").sees("code 0 over");
    let written = fs::read_to_string(terminal.path("warm-up.toml")).expect("written");
    assert!(written.contains("{ default = [1, 50], summary"), "{written}");
    terminal.ends_with(0);
}

/// The variables of the pattern that are asked for, in their order.
fn asked_for() -> Vec<String> {
    let library = Path::new(env!("CARGO_MANIFEST_DIR")).join("runbooks/active-passive.toml");
    let text = fs::read_to_string(library).expect("it is there");
    let vars = text.split("[vars]\n").nth(1).and_then(|rest| rest.split("\n\n").next()).expect("it has variables");
    let open = vars.lines().filter(|line| !line.contains("secret = true"));
    open.filter_map(|line| Some(line.split_once('=')?.0.trim().to_owned())).collect()
}

#[test]
fn ctrl_c_at_a_question_writes_nothing() {
    let mut terminal = Terminal::at(tempfile::tempdir().expect("a folder"), "new --pattern active-passive");
    terminal.sees("1 of ");
    terminal.press(&[CTRL_C]).sees("nothing was written");
    assert!(!terminal.path("active-passive.toml").exists());
    terminal.ends_with(130);
}
