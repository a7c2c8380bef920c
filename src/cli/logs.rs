//! `logs`: what steps have printed, attempt by attempt.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};

use serde_json::json;

use super::args;
use super::exit::Exit;
use super::failure::Failure;
use super::output::{note, say};
use super::past::Past;
use super::runs::State;
use super::stage;
use crate::drive::live::secret::Secrets;
use crate::drive::live::secret_outputs;
use crate::drive::live::vars::{self, Given, Reach};
use crate::model::StepId;

/// One file of output.
struct Output {
    step: StepId,
    /// `forward`, `undo0`.
    part: String,
    attempt: u32,
    stream: &'static str,
    path: PathBuf,
}

/// Prints what steps have printed.
pub(super) fn logs(args: &args::Logs, state: &State) -> Result<Exit, Failure> {
    let past = Past::find(state, args.run.as_deref())?;
    let step = args.step.as_deref().map(|name| past.step(name)).transpose()?;
    let outputs = outputs(&past, step)?;
    let secrets = secrets(&past)?;
    for output in &outputs {
        let name = &past.plan.step(output.step).name;
        if args.json {
            let text = String::from_utf8_lossy(&read(&output.path)?).into_owned();
            let object = json!({
                "run": past.run, "step": name, "part": output.part, "attempt": output.attempt,
                "stream": output.stream, "file": output.path, "text": secrets.mask(&text),
            });
            say(&object.to_string());
        } else {
            say(&format!("== {name}, {} attempt {}, {}", output.part, output.attempt, output.stream));
            copy(&output.path, &secrets)?;
        }
    }
    Ok(Exit::Good)
}

/// Every output there is and that is not empty, in the order of the plan and of the attempts.
fn outputs(past: &Past, only: Option<StepId>) -> Result<Vec<Output>, Failure> {
    let folder = past.folder.steps();
    let entries = fs::read_dir(&folder)
        .map_err(|error| Failure::could_not(format!("read the folder `{}`: {error}", folder.display())))?;
    let mut outputs: Vec<Output> = entries
        .flatten()
        .filter(|entry| entry.metadata().is_ok_and(|data| data.len() > 0))
        .filter_map(|entry| output(past, &entry.path()))
        .filter(|output| only.is_none_or(|step| step == output.step))
        .collect();
    outputs.sort_by(|one, other| (one.step, one.attempt, other.stream).cmp(&(other.step, other.attempt, one.stream)));
    Ok(outputs)
}

/// `promote.forward.3.out`; names of steps hold no dot but may hold one in an item.
fn output(past: &Past, path: &Path) -> Option<Output> {
    let mut words = path.file_name()?.to_str()?.rsplitn(4, '.');
    let stream = match words.next()? {
        "out" => "stdout",
        "err" => "stderr",
        _ => return None,
    };
    let attempt = words.next()?.parse().ok()?;
    let direction = words.next()?.to_owned();
    let step = past.plan.step_named(words.next()?)?;
    Some(Output { step, part: direction, attempt, stream, path: path.to_owned() })
}

/// What must not be shown: secret variables, whose values are looked for again, and secret outputs.
fn secrets(past: &Past) -> Result<Secrets, Failure> {
    let secret: Vec<_> = past.plan.vars().iter().filter(|var| var.secret).cloned().collect();
    let given = Given { folder: past.header.base.clone().into(), reach: Reach::NoPrograms, ..Given::default() };
    let values = if secret.is_empty() {
        BTreeMap::new()
    } else {
        stage::runtime()?.block_on(vars::resolve(&secret, &given)).map_err(|_| {
            let names: Vec<&str> = secret.iter().map(|var| var.name.as_str()).collect();
            Failure::could_not(format!("mask the secrets {}, whose values are not to be found here", names.join(", ")))
                .hint(format!("the output as it is lies in {}", past.folder.steps().display()))
        })?
    };
    let of_steps: Vec<_> = past
        .plan
        .step_ids()
        .flat_map(|step| secret_outputs::recall(past.folder.path(), &past.plan, step).secret.into_values())
        .collect();
    Ok(Secrets::new(values.values().map(|value| &value.json).chain(&of_steps)))
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    fs::read(path).map_err(|error| Failure::could_not(format!("read `{}`: {error}", path.display())))
}

fn copy(path: &Path, secrets: &Secrets) -> Result<(), Failure> {
    let wrong = |error: io::Error| Failure::could_not(format!("read `{}`: {error}", path.display()));
    let mut from = BufReader::with_capacity(64 << 10, File::open(path).map_err(wrong)?);
    let mut to = io::stdout().lock();
    let mut masking = secrets.masking();
    let mut masked = Vec::new();
    let mut last = b'\n';
    loop {
        let piece = from.fill_buf().map_err(wrong)?;
        let length = piece.len();
        if length == 0 {
            masking.finish(&mut masked);
        } else {
            masking.feed(piece, &mut masked);
        }
        last = masked.last().copied().unwrap_or(last);
        if let Err(error) = to.write_all(&masked) {
            note(Err(error));
            return Ok(());
        }
        if length == 0 {
            break;
        }
        masked.clear();
        from.consume(length);
    }
    if last != b'\n' {
        note(writeln!(to));
    }
    Ok(())
}
