//! A journal of a million records, read again: proved, told, and taken up.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use runbook::drive::live::start::{self, Beginning, RunFolder};
use runbook::drive::{Fact, Told};
use runbook::engine::{Command, Event};
use runbook::journal::{Moment, Wall};
use runbook::model::{AttemptEnd, RunId, Time};

use crate::{Outcome, Room, median, report, timed, timed_to};

const RECORDS: u32 = 1_000_000;
/// Each failed try is two records, its end and the end of the pause behind it.
const STEPS: u32 = 600;
const TRIES: u32 = RECORDS / STEPS / 2 + 1;
/// What ends at once is one group.
const SIDE_BY_SIDE: u32 = 20;
/// `resume --no-wait` of a run that waits at a gate.
const WAITING: i32 = 7;

/// The verbs that read a run, against reading and hashing the bytes of its journal.
pub(crate) fn million(room: &Room) -> Outcome {
    let run = "20260101-000000-long";
    let folder = room.path("state").join("runs").join(run);
    live(room.0.path(), &folder, run)?;
    let journal = folder.join("journal.jsonl");
    let floor = median(3, || {
        use sha2::Digest as _;
        let begun = Instant::now();
        let _digest = sha2::Sha256::digest(fs::read(&journal)?);
        Ok(begun.elapsed())
    })?;
    for verb in ["audit", "status", "show"] {
        let ours = median(3, || timed(&mut room.runbook(&[verb, run])))?;
        report(&format!("{verb}, 1,000,000 records"), floor, ours, "-");
    }
    let ours = median(3, || timed_to(WAITING, &mut room.runbook(&["resume", run, "--no-wait", "--output", "json"])))?;
    report("resume, 1,000,000 records", floor, ours, "about 1 s");
    Ok(())
}

/// Lets a run live so long, up to a gate: the real engine, session and journal, and a world in which every try fails.
fn live(base: &Path, folder: &Path, run: &str) -> Outcome {
    let document = document();
    let reading = runbook::syntax::read(&document);
    let plan = Arc::new(reading.plan.ok_or_else(|| format!("{:?}", reading.problems))?);
    let mut session = start::begin(Beginning {
        plan,
        document: &document,
        parts: BTreeMap::new(),
        base: base.to_owned(),
        values: BTreeMap::new(),
        run: RunId(run.to_owned()),
        folder: RunFolder::at(folder.to_owned()),
        user: "bench".to_owned(),
        beforehand: runbook::journal::Beforehand::default(),
    })?
    .session;
    let began = session.header().wall.millis();
    let mut facts = vec![Fact::new(Event::RunBegan)];
    for millis in 0_u32.. {
        let now = Moment { at: Time::from_millis(millis.into()), wall: Wall::from_millis(began + i64::from(millis)) };
        let told = session.feed(now, std::mem::take(&mut facts))?;
        if told.iter().any(|told| matches!(told, Told::Do(Command::OpenGate { .. }))) {
            break;
        }
        if let Some(outcome) = session.outcome() {
            return Err(format!("the long run ended early: {outcome}").into());
        }
        for told in told {
            let Told::Do(Command::StartAttempt { attempt }) = told else { continue };
            let end = if attempt.number.number() < TRIES { AttemptEnd::Failed } else { AttemptEnd::Done };
            let mut fact = Fact::new(Event::AttemptEnded { attempt, end }).with_evidence("exit 1: connection refused");
            fact.sent = Some("b5bb9d8014a0f9b1d61e21e796d78dccdf1352f23cd32812f4850b878ae4944c".to_owned());
            facts.push(fact);
        }
    }
    Ok(())
}

fn document() -> String {
    let mut text =
        format!("format = 1\n[runbook]\nname = \"long\"\ntimeout = \"30d\"\nmax_parallel = {SIDE_BY_SIDE}\n");
    let mut names = Vec::new();
    for n in 0..STEPS {
        let _ = write!(
            text,
            "[step.s{n}]\nrun = [\"false\"]\ntimeout = \"1s\"\neffect = \"none\"\nretry = {{ attempts = {TRIES}, delay = \"1ms\" }}\n"
        );
        names.push(format!("\"s{n}\""));
    }
    let needs = names.join(", ");
    let _ = write!(text, "[step.ready]\nneeds = [{needs}]\ngate = {{ question = \"On?\", expires = \"1d\" }}\n");
    text
}
