//! Runbooks that include parts: what the verbs say and do with them.

use std::fs;

use serde_json::Value as Json;

use super::cli::Bench;

const PART: &str = r#"format = 1

[part]
summary = "Carries a file"
sequence = ["take", ["bring", "note"]]
requires = ["cp"]

[defaults]
timeout = "10s"

[vars]
from = { summary = "the file today" }
to = { default = "there" }
token = { default = "no-such-token", secret = true }
sizes = { default = [1, 2] }

[[preflight]]
that = "probe.readable"
say = "there is nothing to carry"

[probe.readable]
run = ["test", "-r", "{{vars.from}}"]
bool = "exit"
interval = "100ms"

[probe.carried]
run = ["test", "-e", "{{vars.to}}"]
bool = "exit"
interval = "100ms"

[probe.noted]
run = ["test", "-s", "notes"]
bool = "exit"
interval = "100ms"

[guard.readable]
require = "probe.readable"
on_breach = "warn"

[step.take]
run = "cp {{vars.from}} taken; cat {{vars.from}}"
outputs = { text = "stdout" }
success = ["steps.take.attempts == 1"]
undo = { run = ["rm", "-f", "taken"] }

[step.bring]
run = ["cp", "taken", "{{vars.to}}"]
success = ["probe.carried"]
undo = { run = ["rm", "-f", "{{vars.to}}"], after = ["note"] }

[step.note]
timeout = "30s"
success = ["probe.noted"]
[step.note.ramp]
values = "{{vars.sizes}}"
set = { run = "printf '%s ' \"$RUNBOOK_VAR_FROM says\" >> notes; echo {{steps.take.outputs.text}} {{value}} >> notes; echo \"$RUNBOOK_VAR_TOKEN\" | wc -c >> notes" }
[step.note.undo]
run = ["rm", "-f", "notes"]
"#;

const PHASES: &str = "[part.carry]\nuse = \"carry.toml\"\nwith = { from = \"{{vars.file}}\", token = \"{{vars.password}}\" }\n\
                      [vars]\nfile = \"here\"\npassword = { env = \"PASSWORD\", secret = true }\n";

/// A folder with a runbook of these sequences that includes the part.
fn bench(sequences: &[&str]) -> Bench {
    let bench = Bench::new("");
    let phases: Vec<String> = (1..=sequences.len()).map(|n| format!("p{n}")).collect();
    let mut text = fs::read_to_string(bench.path("verbs.toml")).expect("written");
    text = text.replace("[defaults]", &format!("phases = {phases:?}\nrollback_window = \"1h\"\n[defaults]"));
    text.push_str(PHASES);
    for (name, sequence) in phases.iter().zip(sequences) {
        text.extend(["[phase.", name, "]\nsequence = ", sequence, "\n"]);
    }
    fs::write(bench.path("verbs.toml"), text).expect("written");
    fs::write(bench.path("carry.toml"), PART).expect("written");
    fs::write(bench.path("here"), "some text\n").expect("written");
    bench
}

const PASSWORD: [(&str, &str); 1] = [("PASSWORD", "swordfish-and-chips")];

#[test]
fn a_part_reads_what_it_is_given_under_its_own_names_and_a_secret_handed_on_stays_one() {
    let bench = bench(&["[\"carry\"]"]);
    bench.does(&["check", "--strict", "verbs.toml"], 0);
    let (out, _) = bench.does_with(&PASSWORD, &["exec", "verbs.toml", "--var", "carry_to=elsewhere"], 0);
    assert!(out.contains("carry_bring") && !out.contains("swordfish"), "{out}");
    assert_eq!(fs::read_to_string(bench.path("elsewhere")).expect("carried"), "some text\n");
    // 20 bytes: the password and a newline.
    let notes = "here says some text 1\n20\nhere says some text 2\n20\n";
    assert_eq!(fs::read_to_string(bench.path("notes")).expect("noted"), notes);
    let run = bench.path("state").join("runs").join(bench.run());
    let journal = fs::read_to_string(run.join("journal.jsonl")).expect("a journal");
    assert!(!journal.contains("swordfish") && journal.contains("\"parts\":{\"carry.toml\":"), "{journal}");
    bench.does_with(&PASSWORD, &["rollback", "--reason", "enough"], 0);
    assert!(!bench.path("elsewhere").exists() && !bench.path("taken").exists() && !bench.path("notes").exists());
}

#[test]
fn steps_of_a_part_can_stand_in_several_phases_by_their_whole_names() {
    let bench = bench(&["[\"carry_take\", \"look\"]", "[\"carry_bring\", \"carry_note\"]"]);
    let look = "[step.look]\nrun = \"test -e taken; test ! -e there; test {{steps.carry_take.outputs.text}} = 'some text'\"\n\
                effect = \"none\"\nrequire = [\"!probe.carry_carried && vars.carry_to == 'there'\"]\n";
    let text = fs::read_to_string(bench.path("verbs.toml")).expect("written");
    fs::write(bench.path("verbs.toml"), text + look).expect("written");
    bench.does(&["check", "--strict", "verbs.toml"], 0);
    bench.does_with(&PASSWORD, &["exec", "verbs.toml"], 0);
    assert!(bench.path("there").exists());
}

#[test]
fn the_plan_shows_which_part_a_step_comes_from() {
    let bench = bench(&["[\"carry\"]"]);
    let (plan, _) = bench.does(&["plan", "verbs.toml"], 0);
    assert!(plan.contains("part           carry from carry.toml: Carries a file"), "{plan}");
    assert_eq!(plan.matches("part carry (carry.toml)").count(), 3, "{plan}");
    let (json, _) = bench.does(&["plan", "verbs.toml", "--json"], 0);
    let json: Json = serde_json::from_str(&json).expect("JSON");
    assert_eq!(json["parts"][0]["file"], "carry.toml");
    assert_eq!(json["steps"][0]["part"], "carry");
    let (graph, _) = bench.does(&["graph", "verbs.toml", "dot"], 0);
    assert!(graph.contains("carry_take"), "{graph}");
}

#[test]
fn a_dry_run_asks_what_a_part_must_know_before_the_start() {
    let bench = bench(&["[\"carry\"]"]);
    fs::remove_file(bench.path("here")).expect("it was there");
    let (out, _) = bench.does_with(&PASSWORD, &["exec", "verbs.toml", "--dry-run"], 3);
    assert!(out.contains("there is nothing to carry"), "{out}");
    let (out, _) = bench.does_with(&PASSWORD, &["exec", "verbs.toml"], 3);
    assert!(out.contains("there is nothing to carry"), "{out}");
}

#[test]
fn a_problem_in_a_part_names_the_file_of_the_part_and_who_includes_it() {
    let bench = bench(&["[\"carry\"]"]);
    fs::write(bench.path("carry.toml"), PART.replace("probe.carried\"", "probe.caried\"")).expect("written");
    fs::create_dir(bench.path("below")).expect("a folder");
    let (out, _) = bench.does(&["check", "--json", "below/../verbs.toml"], 2);
    let first: Json = serde_json::from_str(out.lines().next().expect("a problem")).expect("JSON");
    assert_eq!(first["file"], "below/../carry.toml");
    assert_eq!((&first["line"], &first["included_as"][0]), (&Json::from(48), &Json::from("carry")));
    let (_, err) = bench.does(&["exec", "verbs.toml"], 2);
    assert!(err.contains("[carry.toml:48:13]") && err.contains("verbs.toml includes as `carry`"), "{err}");
}

#[test]
fn a_part_cannot_be_begun_by_itself() {
    let bench = bench(&["[\"carry\"]"]);
    let (_, err) = bench.does(&["exec", "carry.toml"], 2);
    assert!(err.contains("this is a part, not a runbook"), "{err}");
}

#[test]
fn what_a_part_runs_knows_what_the_part_is_called_and_nothing_else_does() {
    let part = "format = 1\n[part]\nsummary = \"Says its name\"\nsequence = [\"say\"]\n[defaults]\ntimeout = \"10s\"\n\
                [probe.name]\nrun = 'echo \"$RUNBOOK_PART of $RUNBOOK_RUN_ID\"'\nas = \"text\"\n\
                [step.say]\nrun = 'echo \"$RUNBOOK_PART of $RUNBOOK_RUN_ID\"'\neffect = \"none\"\n\
                outputs = { name = \"stdout\" }\nsuccess = [\"probe.name == steps.say.outputs.name\"]\n";
    let bench = Bench::new(
        "[part.one]\nuse = \"part.toml\"\n[part.two]\nuse = \"part.toml\"\n[phase.all]\nsequence = [\"one\", \"two\", \"own\"]\n\
         [step.own]\nrun = 'test -z \"${RUNBOOK_PART:-}\"'\neffect = \"none\"\n\
         success = [\"probe.one_name.startsWith('one of ')\", \"steps.two_say.outputs.name.startsWith('two of ')\"]\n",
    );
    fs::write(bench.path("part.toml"), part).expect("written");
    let text = fs::read_to_string(bench.path("verbs.toml")).expect("written");
    fs::write(bench.path("verbs.toml"), text.replace("[defaults]", "phases = [\"all\"]\n[defaults]")).expect("written");
    bench.does(&["exec", "verbs.toml"], 0);
}
