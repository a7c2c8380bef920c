//! Probes and guards: how punctual many of them are on one core, and how soon a breach leads back.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::web::{Asked, serve};
use crate::{Outcome, Room, median, report, timed_to};

const PROBES: usize = 1000;
const SECOND: Duration = Duration::from_secs(1);
/// Connections are made and guards wake; then it counts.
const SETTLING: Duration = Duration::from_secs(5);
const COUNTED: u32 = 20;

/// A thousand guards, each over a probe of its own with an interval of one second, on one core. There is no floor: a poll
/// that is not late is one.
pub(crate) fn probes(room: &Room) -> Outcome {
    let (address, log) = serve(|_| "3".to_owned())?;
    let wait = SETTLING.as_secs() + u64::from(COUNTED) + 2;
    let mut text = String::from("format = 1\n[runbook]\nname = \"polled\"\ntimeout = \"1h\"\n");
    for n in 0..PROBES {
        let _ = write!(
            text,
            "[probe.p{n}]\nhttp = {{ url = \"http://{address}/{n}\", json = \"\" }}\n[guard.g{n}]\nrequire = \"probe.p{n} < 5\"\n"
        );
    }
    let _ = write!(text, "[step.watch]\nwait = \"{wait}s\"\n");
    room.write("polled.toml", &text)?;

    let mut command = Command::new("taskset");
    command.args(["-c", "0", crate::RUNBOOK, "exec", "polled.toml", "--output", "json"]);
    command.env("RUNBOOK_STATE_DIR", room.path("state")).current_dir(room.0.path());
    let mut run = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn()?;
    std::thread::sleep(SETTLING);
    let (from, used) = (Instant::now(), cpu(run.id())?);
    std::thread::sleep(SECOND * COUNTED);
    let (to, used) = (Instant::now(), cpu(run.id())?.saturating_sub(used));
    if !run.wait()?.success() {
        return Err("the run with a thousand probes failed".into());
    }
    let asked = log.lock().expect("nobody panics with it").clone();
    let counted: Vec<&Asked> = asked.iter().filter(|asked| (from..to).contains(&asked.heard)).collect();
    let mut late: Vec<Duration> = (0..PROBES).flat_map(|n| lateness(&counted, n)).collect();
    late.sort();
    let share = used.as_secs_f64() / (to - from).as_secs_f64() * 100.0;
    let ms = |at: usize| late.get(at).map_or(f64::NAN, |late| late.as_secs_f64() * 1000.0);
    println!(
        "{:<34} {} polls of {}; {share:.0} % of one core; late: median {:.1} ms, p99 {:.1} ms, worst {:.1} ms",
        "1,000 probes at 1 s, one core",
        counted.len(),
        PROBES * COUNTED as usize,
        ms(late.len() / 2),
        ms(late.len() * 99 / 100),
        ms(late.len().saturating_sub(1)),
    );
    Ok(())
}

/// How late each poll of one probe was against turns of one second, of which the most punctual poll is taken to be in time.
/// A probe that drifts is later with every turn.
fn lateness(counted: &[&Asked], probe: usize) -> Vec<Duration> {
    let path = format!("/{probe}");
    let heard: Vec<Instant> = counted.iter().filter(|asked| asked.path == path).map(|asked| asked.heard).collect();
    let Some(&first) = heard.first() else { return Vec::new() };
    // All of them a second later, so that a poll before its turn is no negative time.
    let offsets: Vec<Duration> = heard
        .iter()
        .map(|at| {
            let since = *at - first;
            let turns = since.as_secs_f64().round();
            (since + SECOND).saturating_sub(Duration::from_secs_f64(turns))
        })
        .collect();
    let least = offsets.iter().min().copied().unwrap_or_default();
    offsets.into_iter().map(|offset| offset.saturating_sub(least)).collect()
}

/// What a process has used of the processors.
fn cpu(pid: u32) -> Result<Duration, Box<dyn std::error::Error>> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_ascii_whitespace().collect();
    let ticks = fields[11].parse::<u64>()? + fields[12].parse::<u64>()?;
    Ok(Duration::from_millis(ticks * 10))
}

/// From the moment that the answer which breaches is given away to the arrival of the undo's request at the same server,
/// against one sync of a record on the same disk.
pub(crate) fn breach(room: &Room) -> Outcome {
    const ROLLED_BACK: i32 = 4;
    let bad = Arc::new(AtomicBool::new(false));
    let says = Arc::clone(&bad);
    let (address, log) = serve(move |path| match path {
        "/p" if says.load(Ordering::SeqCst) => "9".to_owned(),
        "/do" => {
            let says = Arc::clone(&says);
            // The step that waits is under way by then.
            std::thread::spawn(move || {
                std::thread::sleep(Duration::from_millis(300));
                says.store(true, Ordering::SeqCst);
            });
            "{}".to_owned()
        }
        _ => "3".to_owned(),
    })?;
    let text = format!(
        "format = 1\n[runbook]\nname = \"breach\"\ntimeout = \"1h\"\nrollback_timeout = \"25s\"\n\
         [probe.p]\nhttp = {{ url = \"http://{address}/p\", json = \"\" }}\ninterval = \"20ms\"\n\
         [guard.g]\nrequire = \"probe.p < 5\"\nfailures = 1\nof = 1\n\
         [step.a]\nhttp = {{ method = \"PUT\", url = \"http://{address}/do\" }}\ntimeout = \"5s\"\nidempotent = true\n\
         undo = {{ http = {{ method = \"PUT\", url = \"http://{address}/undo\" }}, timeout = \"5s\" }}\n\
         [step.b]\nneeds = [\"a\"]\nwait = \"1m\"\n"
    );
    room.write("breach.toml", &text)?;
    let floor = sync_of_a_record(room)?;
    let ours = median(11, || {
        bad.store(false, Ordering::SeqCst);
        log.lock().expect("nobody panics with it").clear();
        timed_to(ROLLED_BACK, &mut room.runbook(&["exec", "breach.toml", "--output", "json"]))?;
        let asked = log.lock().expect("nobody panics with it").clone();
        let undo = asked.iter().find(|asked| asked.path == "/undo").ok_or("nothing was undone")?;
        let breaching = asked.iter().find(|asked| asked.said == "9");
        Ok(undo.heard - breaching.ok_or("nothing was measured")?.answered)
    })?;
    report("breach to the undo's request", floor, ours, "one sync");
    Ok(())
}

/// One sync of a record in a file written ahead, as the journal is.
fn sync_of_a_record(room: &Room) -> Result<Duration, Box<dyn std::error::Error>> {
    const RECORD: usize = 400;
    let file = File::create(room.path("records"))?;
    file.write_all_at(&vec![b'\n'; 64 * RECORD], 0)?;
    file.sync_all()?;
    let mut at = 0;
    median(51, || {
        let begun = Instant::now();
        file.write_all_at(&[b'x'; RECORD], at)?;
        file.sync_data()?;
        at += RECORD as u64;
        Ok(begun.elapsed())
    })
}
