//! Losing the terminal does not stop a run (R18).

use std::io::Read as _;

use portable_pty::{CommandBuilder, PtySize, native_pty_system};

use super::bench::{BINARY, Bench};

#[test]
fn a_run_whose_terminal_goes_away_goes_on_to_its_end() {
    let bench = Bench::new(
        "[step.a]\nrun = \"echo a >> effects; sleep 1\"\nundo = { run = \"echo undo a >> effects\" }\n\
         [step.b]\nneeds = [\"a\"]\nrun = \"sleep 0.3; echo b >> effects\"\nundo = { run = \"echo undo b >> effects\" }\n",
    );
    let pair = native_pty_system().openpty(PtySize::default()).expect("a terminal");
    let mut command = CommandBuilder::new(BINARY);
    command.args(["exec", "crash.toml"]);
    command.cwd(bench.path("."));
    command.env("RUNBOOK_STATE_DIR", bench.path("state").canonicalize().unwrap_or_else(|_| bench.path("state")));
    let mut child = pair.slave.spawn_command(command).expect("it starts");
    drop(pair.slave);
    let mut screen = pair.master.try_clone_reader().expect("a screen");
    let mut shown = [0; 64];
    assert!(screen.read(&mut shown).expect("something is shown") > 0);
    bench.until("the first step runs", || bench.effects() == ["a"]);
    drop(screen);
    drop(pair.master);

    let status = child.wait().expect("it ends");
    assert_eq!(status.exit_code(), 0, "{status:?}\n{}", bench.story());
    assert_eq!(bench.effects(), ["a", "b"], "{}", bench.story());
    assert_eq!(bench.ends(), ["0.forward.1 done", "1.forward.1 done"], "{}", bench.story());
}
