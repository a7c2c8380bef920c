//! Windows, through the binary: a phase starts only where it is over, there and back, before its window closes (R26).

use super::cli::Bench;

/// A runbook whose second phase may run from a minute ago to 20 minutes from now, and whose only step there may take so long.
fn two_phases(takes: &str) -> Bench {
    let now = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).datetime();
    let at = |minutes: i64| now.saturating_add(jiff::Span::new().minutes(minutes)).strftime("%H:%M").to_string();
    let bench = Bench::new("");
    let window = format!("daily {}-{}", at(-1), at(20));
    let text = format!(
        "format = 1\n[runbook]\nname = \"windows\"\nphases = [\"before\", \"inside\"]\ntimeout = \"12h\"\nrollback_timeout = \"10m\"\n\
         [defaults]\ntimeout = \"30s\"\nkill_after = \"1s\"\n\
         [phase.before]\nsequence = [\"first\"]\n[phase.inside]\nwindow = {{ open = [\"{window}\"], zone = \"UTC\" }}\nsequence = [\"second\"]\n\
         [step.first]\nrun = \"true\"\neffect = \"none\"\n\
         [step.second]\nrun = \"touch second\"\ntimeout = \"{takes}\"\nundo = {{ run = \"rm -f second\", timeout = \"10s\" }}\n"
    );
    std::fs::write(bench.path("verbs.toml"), text).expect("written");
    bench
}

#[test]
fn a_phase_does_not_start_when_it_might_not_be_over_there_and_back_before_its_window_closes() {
    let late = two_phases("30m");
    let (said, _) = late.does(&["exec", "verbs.toml", "--no-wait"], 7);
    assert!(said.contains("it may start at") || said.contains("no opening is long enough"), "{said}");
    assert!(!late.path("second").exists(), "{said}");

    let early = two_phases("2m");
    early.does(&["exec", "verbs.toml", "--no-wait"], 0);
    assert!(early.path("second").exists());
}
