//! The figures of docs/performance.md: each beside the floor that was measured in the same run, on the same machine.
//!
//! `cargo bench` runs all of them, `cargo bench -- chain flood` those whose names are given. Ratios are what counts; times of
//! this machine are printed so that a ratio can be understood. Nothing here fails on a slow machine.

use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use petgraph::graph::DiGraph;

mod measuring;
mod million;
mod web;

type Outcome = Result<(), Box<dyn Error>>;

/// Measures one thing, and prints it.
type Figure = fn(&Room) -> Outcome;

const RUNBOOK: &str = env!("CARGO_BIN_EXE_runbook");

/// The word with which this program is the floor of `check` in a process of its own.
const FLOOR_OF_CHECK: &str = "floor-of-check";

fn main() -> Outcome {
    if let [_, word, file] = &std::env::args().collect::<Vec<_>>()[..]
        && word == FLOOR_OF_CHECK
    {
        return sort(&toml::de::DeTable::parse(&fs::read_to_string(file)?)?);
    }
    let wanted: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let room = Room(tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?);
    println!("{:<34} {:>10} {:>10} {:>8}   goal", "figure", "floor ms", "ours ms", "ratio");
    let figures: [(&str, Figure); 9] = [
        ("start", start),
        ("check", check),
        ("chain", chain),
        ("parallel", parallel),
        ("flood", flood),
        ("resume", resume),
        ("million", million::million),
        ("probes", measuring::probes),
        ("breach", measuring::breach),
    ];
    for (name, figure) in figures {
        if wanted.is_empty() || wanted.iter().any(|word| word == name) {
            figure(&room)?;
        }
    }
    Ok(())
}

/// Where everything of a run of this benchmark lies.
struct Room(tempfile::TempDir);

impl Room {
    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) -> std::io::Result<PathBuf> {
        let path = self.path(name);
        fs::write(&path, text)?;
        Ok(path)
    }

    fn runbook(&self, words: &[&str]) -> Command {
        let mut command = Command::new(RUNBOOK);
        command.args(words).env("RUNBOOK_STATE_DIR", self.path("state")).current_dir(self.0.path());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        command
    }
}

fn timed(command: &mut Command) -> Result<Duration, Box<dyn Error>> {
    timed_to(0, command)
}

/// The time to an end with that exit code.
fn timed_to(code: i32, command: &mut Command) -> Result<Duration, Box<dyn Error>> {
    let begun = Instant::now();
    let output = command.output()?;
    let took = begun.elapsed();
    if output.status.code() == Some(code) {
        return Ok(took);
    }
    Err(format!("{command:?} ended with {}: {}", output.status, String::from_utf8_lossy(&output.stderr)).into())
}

/// The middle of a few measurements.
pub(crate) fn median(
    times: usize,
    mut measure: impl FnMut() -> Result<Duration, Box<dyn Error>>,
) -> Result<Duration, Box<dyn Error>> {
    let mut all = Vec::new();
    for _ in 0..times {
        all.push(measure()?);
    }
    all.sort();
    Ok(all[all.len() / 2])
}

fn report(figure: &str, floor: Duration, ours: Duration, goal: &str) {
    let ms = |time: Duration| time.as_secs_f64() * 1000.0;
    println!("{figure:<34} {:>10.1} {:>10.1} {:>8.2}   {goal}", ms(floor), ms(ours), ms(ours) / ms(floor));
}

/// `--version` against the start of a process that does nothing.
fn start(room: &Room) -> Outcome {
    let floor = median(50, || timed(Command::new("/bin/true").stdout(Stdio::null())))?;
    let ours = median(50, || timed(&mut room.runbook(&["--version"])))?;
    report("start (--version)", floor, ours, "+ 2 ms");
    Ok(())
}

/// A runbook of `count` steps without an effect, one behind the other or all behind the first.
fn shape(count: usize, fan: bool) -> String {
    let mut text = String::from("format = 1\n[runbook]\nname = \"shape\"\ntimeout = \"30d\"\n");
    for n in 0..count {
        let _ = write!(text, "[step.s{n}]\nrun = [\"true\"]\ntimeout = \"1s\"\neffect = \"none\"\n");
        if n > 0 {
            let need = if fan { 0 } else { n - 1 };
            let _ = writeln!(text, "needs = [\"s{need}\"]");
        }
    }
    text
}

/// `check` against reading the same file with the same parser, and one topological sort. Both are a process each: memory that
/// is touched for the first time is a good part of either.
fn check(room: &Room) -> Outcome {
    for (count, times) in [(10_000, 5), (100_000, 3)] {
        for fan in [false, true] {
            let text = shape(count, fan);
            let file = room.write("shape.toml", &text)?;
            let floor = median(times, || timed(Command::new(std::env::current_exe()?).arg(FLOOR_OF_CHECK).arg(&file)))?;
            let ours = median(times, || timed(&mut room.runbook(&["check", "shape.toml"])))?;
            let name = format!("check, {count} steps, {}", if fan { "fan" } else { "chain" });
            report(&name, floor, ours, "2");
        }
    }
    Ok(())
}

fn sort(file: &toml::Spanned<toml::de::DeTable<'_>>) -> Outcome {
    let steps = file.get_ref().get("step").and_then(|steps| steps.get_ref().as_table()).ok_or("no steps")?;
    let mut graph = DiGraph::<(), ()>::new();
    let nodes: std::collections::HashMap<&str, _> =
        steps.keys().map(|name| (name.get_ref().as_ref(), graph.add_node(()))).collect();
    for (name, step) in steps {
        let needs = step.get_ref().get("needs").and_then(|needs| needs.get_ref().as_array());
        for need in needs.into_iter().flatten() {
            let need = need.get_ref().as_str().ok_or("a need is a name")?;
            graph.add_edge(nodes[need], nodes[name.get_ref().as_ref()], ());
        }
    }
    petgraph::algo::toposort(&graph, None).map_err(|_| "a cycle")?;
    Ok(())
}

/// A chain of `/bin/true` against a bare C loop that spawns, waits and makes one record a step durable.
fn chain(room: &Room) -> Outcome {
    let floor_binary = room.path("floor");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/floor.c");
    timed(Command::new("cc").arg("-O2").arg("-o").arg(&floor_binary).arg(source))?;
    let steps = 1000;
    let text = shape(steps, false).replace("[\"true\"]", "[\"/bin/true\"]");
    room.write("chain.toml", &text)?;
    let mut floors = Vec::new();
    let mut ours = Vec::new();
    // Side by side: what else this machine does hits both.
    for _ in 0..3 {
        let file = room.path("floor.records");
        floors.push(timed(Command::new(&floor_binary).arg(steps.to_string()).arg("1").arg(file))?);
        ours.push(timed(&mut room.runbook(&["exec", "chain.toml", "--output", "json"]))?);
    }
    floors.sort();
    ours.sort();
    report("chain, 1,000 x /bin/true", floors[1], ours[1], "1.10");
    Ok(())
}

/// Steps side by side against make.
fn parallel(room: &Room) -> Outcome {
    for (name, count, slots, program, goal) in [
        ("parallel, 1,000 x sleep 0.05 at 50", 1000, 50, "sleep 0.05", "1.10"),
        ("parallel, 10,000 x true at 8", 10_000, 8, "/bin/true", "1.25"),
    ] {
        let targets: Vec<String> = (0..count).map(|n| format!("t{n}")).collect();
        let targets = targets.join(" ");
        room.write("Makefile", &format!("all: {targets}\n.PHONY: all {targets}\n{targets}:\n\t@{program}\n"))?;
        let floor = timed(Command::new("make").arg("-s").arg(format!("-j{slots}")).current_dir(room.0.path()))?;
        let mut text = format!("format = 1\n[runbook]\nname = \"wide\"\ntimeout = \"1h\"\nmax_parallel = {slots}\n");
        let words: Vec<String> = program.split(' ').map(|word| format!("{word:?}")).collect();
        for n in 0..count {
            let _ = write!(text, "[step.s{n}]\nrun = [{}]\ntimeout = \"1m\"\neffect = \"none\"\n", words.join(", "));
        }
        room.write("wide.toml", &text)?;
        let ours = timed(&mut room.runbook(&["exec", "wide.toml", "--output", "json"]))?;
        report(name, floor, ours, goal);
    }
    Ok(())
}

/// A step that prints 1 GiB against a pipe into nothing; and what the keeper takes of memory is in docs/performance.md.
fn flood(room: &Room) -> Outcome {
    let flood = "head -c 1073741824 /dev/zero";
    let nothing = format!("{flood} | cat > /dev/null");
    let floor_time = median(3, || timed(Command::new("sh").arg("-c").arg(&nothing)))?;
    let text = format!(
        "format = 1\n[runbook]\nname = \"flood\"\ntimeout = \"5m\"\n[step.flood]\nrun = \"{flood}\"\ntimeout = \"2m\"\neffect = \"none\"\n"
    );
    room.write("flood.toml", &text)?;
    let ours = median(3, || timed(&mut room.runbook(&["exec", "flood.toml", "--output", "json"])))?;
    report("1 GiB of output", floor_time, ours, "1.5");
    Ok(())
}

/// Reading a long journal again: `audit` walks every record and every hash; the floor only reads the bytes and hashes them.
fn resume(room: &Room) -> Outcome {
    let runs = fs::read_dir(room.path("state").join("runs"))?;
    let longest = runs
        .filter_map(|run| {
            let journal = run.ok()?.path().join("journal.jsonl");
            Some((journal.metadata().ok()?.len(), journal))
        })
        .max();
    let Some((bytes, journal)) = longest else { return Ok(()) };
    let run = journal.parent().and_then(Path::file_name).ok_or("a run has a folder")?.to_string_lossy().into_owned();
    let floor = median(3, || {
        use sha2::Digest as _;
        let begun = Instant::now();
        let _digest = sha2::Sha256::digest(fs::read(&journal)?);
        Ok(begun.elapsed())
    })?;
    let ours = median(3, || timed(&mut room.runbook(&["audit", &run])))?;
    report(&format!("audit of {} KiB of journal", bytes / 1024), floor, ours, "-");
    let ours = median(3, || timed(&mut room.runbook(&["show", &run])))?;
    report(&format!("fold of {} KiB of journal", bytes / 1024), floor, ours, "-");
    Ok(())
}
