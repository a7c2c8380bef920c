//! Journals whose end was torn, or whose middle was changed, through the binary.

use std::fs;

use super::bench::{Bench, Dice};

/// How many torn ends are tried.
const TORN: u64 = 16;

const STEPS: &str = "[step.a]\nrun = \"echo a >> effects\"\nundo = { run = \"echo undo a >> effects\" }\n\
    [step.b]\nneeds = [\"a\"]\nrun = \"sleep 0.1; echo b >> effects\"\nundo = { run = \"echo undo b >> effects\" }\n\
    [step.c]\nneeds = [\"b\"]\nrun = \"sleep 0.1; echo c >> effects\"\nundo = { run = \"echo undo c >> effects\" }\n";

/// A run whose orchestrator was killed when so many steps had had their effect; and its journal, what is filled ahead left
/// out.
fn interrupted(effects: usize) -> (Bench, Vec<u8>) {
    let bench = Bench::new(STEPS);
    let mut child = bench.spawn(bench.go_on());
    bench.until("some steps are done", || bench.run_folder().is_some() && bench.effects().len() >= effects);
    child.kill().expect("it is our child");
    child.wait().expect("it is our child");
    let bytes = fs::read(bench.journal_path()).expect("it is there");
    let end = bytes.iter().rposition(|byte| *byte != b'\n').expect("it has lines") + 2;
    (bench, bytes[..end.min(bytes.len())].to_vec())
}

#[test]
fn a_run_whose_last_group_was_torn_is_taken_up_and_says_so() {
    let mut dice = Dice::new(7);
    for _ in 0..TORN {
        let effects = usize::try_from(dice.below(3)).expect("small");
        let (bench, bytes) = interrupted(effects);
        let last = bench.journal().last().map(|record| record["group"].clone());
        let Some(group) = last else { continue };
        let text = String::from_utf8(bytes.clone()).expect("JSON");
        let start: usize = text
            .split_inclusive('\n')
            .take_while(|line| !line.contains(&format!("\"group\":{group},")))
            .map(str::len)
            .sum();
        let torn = 1 + dice.below((bytes.len() - start - 1) as u64);
        let cut = start + usize::try_from(torn).expect("small");
        fs::write(bench.journal_path(), &bytes[..cut]).expect("written");

        assert_eq!(bench.run(bench.go_on()), 0, "cut at {cut}\n{}", bench.story());
        assert_eq!(bench.effects(), ["a", "b", "c"], "cut at {cut}\n{}", bench.story());
        assert!(bench.screen().contains("torn by the crash"), "cut at {cut}\n{}", bench.story());
        let aside = bench.run_folder().expect("a run").join("journal.torn-1");
        assert_eq!(fs::read(aside).expect("kept aside"), bytes[start..cut].trim_ascii_end());
    }
}

#[test]
fn a_bit_flipped_in_an_old_record_is_refused_and_the_record_is_named() {
    let (bench, mut bytes) = interrupted(2);
    let second = bytes.iter().position(|byte| *byte == b'\n').expect("a header") + 1;
    bytes[second + 20] ^= 1;
    fs::write(bench.journal_path(), &bytes).expect("written");

    assert_eq!(bench.run(bench.go_on()), 1, "{}", bench.story());
    assert!(bench.screen().contains("trust the journal: line 2"), "{}", bench.story());
    assert_eq!(fs::read(bench.journal_path()).expect("it is there"), bytes, "what is refused is not changed");
}
