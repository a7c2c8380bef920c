//! The keeper with real processes: nothing is forgotten, nothing is left alive that should not be, nothing is killed
//! that should live.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use runbook::drive::live::keeper::{self, Cut, Ending, How, Keeper, KeeperEvent, Known, StartSpec};
use runbook::model::Survivors;

const BINARY: &str = env!("CARGO_BIN_EXE_runbook");

/// A run's folder with a keeper. What it leaves alive is killed when it goes out of scope.
struct Run {
    folder: tempfile::TempDir,
}

impl Run {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn dir(&self) -> PathBuf {
        self.folder.path().canonicalize().unwrap()
    }

    fn file(&self, name: &str) -> PathBuf {
        self.dir().join(name)
    }

    fn read(&self, name: &str) -> String {
        String::from_utf8_lossy(&fs::read(self.file(name)).unwrap_or_default()).into_owned()
    }

    async fn keeper(&self) -> Keeper {
        Keeper::connect_or_start_with(Path::new(BINARY), &self.dir()).await.unwrap()
    }

    /// A shell script as an attempt, with generous bounds.
    fn script(&self, key: &str, script: &str) -> StartSpec {
        StartSpec {
            key: key.into(),
            program: "/bin/sh".into(),
            args: vec!["-c".into(), script.into()],
            env: std::env::vars_os().collect(),
            cwd: self.dir(),
            stdin: None,
            timeout_ms: 60_000,
            kill_after_ms: 10_000,
            survivors: Survivors::Leave,
            output_max: 1 << 20,
            stdout: self.file(&format!("{key}.out")),
            stderr: self.file(&format!("{key}.err")),
        }
    }

    /// Every process that carries the tag of this run, the ended ones left out.
    fn alive(&self) -> Vec<i32> {
        let tag = format!("RUNBOOK_RUN_DIR={}\0", self.dir().display());
        pids()
            .filter(|pid| fs::read(format!("/proc/{pid}/environ")).is_ok_and(|text| contains(&text, tag.as_bytes())))
            .filter(|pid| runs(*pid))
            .collect()
    }

    /// The keeper's process.
    fn keeper_pid(&self) -> i32 {
        let dir = format!("--dir\0{}\0", self.dir().display());
        let mut found = pids()
            .filter(|pid| fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|text| contains(&text, dir.as_bytes())));
        found.next().expect("there is a keeper")
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        for pid in self.alive() {
            kill(pid, rustix::process::Signal::KILL);
        }
    }
}

fn pids() -> impl Iterator<Item = i32> {
    fs::read_dir("/proc").unwrap().filter_map(|entry| entry.unwrap().file_name().to_str()?.parse().ok())
}

fn runs(pid: i32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(')').next().and_then(|rest| rest.split_ascii_whitespace().next()).is_some_and(|state| state != "Z")
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

fn kill(pid: i32, signal: rustix::process::Signal) {
    let _ = rustix::process::kill_process(rustix::process::Pid::from_raw(pid).unwrap(), signal);
}

/// Waits until it is so. A limit only so that a broken keeper fails a test and does not hang it.
async fn until(what: &str, so: impl Fn() -> bool) {
    let begun = Instant::now();
    while !so() {
        assert!(begun.elapsed() < Duration::from_mins(1), "never: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn ended(keeper: &mut Keeper, key: &str) -> Ending {
    let next = async {
        loop {
            match keeper.next_event().await {
                KeeperEvent::Ended { key: of, ending } if of == key => return ending,
                KeeperEvent::Started { .. } | KeeperEvent::Ended { .. } => {}
                KeeperEvent::Lost => panic!("the keeper is gone"),
            }
        }
    };
    tokio::time::timeout(Duration::from_mins(1), next).await.expect("it ends")
}

async fn run(keeper: &mut Keeper, spec: StartSpec) -> Ending {
    let key = spec.key.clone();
    keeper.start(spec);
    ended(keeper, &key).await
}

fn names(processes: &[keeper::Process]) -> Vec<&str> {
    processes.iter().map(|process| process.name.as_str()).collect()
}

const OK: How = How::Exited { code: 0 };

#[tokio::test]
async fn an_attempt_has_its_exit_code_and_its_output_in_private_files() {
    let run_ = Run::new();
    let mut keeper = run_.keeper().await;
    let ending = run(&mut keeper, run_.script("a", "echo out; echo err >&2; pwd; exit 7")).await;
    assert_eq!(ending.how, How::Exited { code: 7 });
    assert_eq!(ending.cut, None);
    assert_eq!(run_.read("a.out"), format!("out\n{}\n", run_.dir().display()));
    assert_eq!(run_.read("a.err"), "err\n");
    for name in ["a.out", "a.err", "keeper.jsonl", "keeper.sock", "keeper.lock", "keeper.err"] {
        let mode = fs::metadata(run_.file(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    assert_eq!(run_.alive(), Vec::<i32>::new());
}

#[tokio::test]
async fn a_step_runs_exactly_once_when_the_orchestrator_goes_away_while_it_runs() {
    let run_ = Run::new();
    let mut first = run_.keeper().await;
    first.start(run_.script("a", "echo x >> effect; while ! test -e go; do sleep 0.01; done; echo done; exit 5"));
    until("it has begun", || run_.file("effect").exists()).await;
    drop(first);

    let mut second = run_.keeper().await;
    assert!(matches!(second.known()["a"], Known::Running { .. }));
    fs::write(run_.file("go"), "").unwrap();
    let ending = ended(&mut second, "a").await;
    assert_eq!(ending.how, How::Exited { code: 5 });
    drop(second);

    let mut third = run_.keeper().await;
    assert_eq!(third.known()["a"], Known::Ended(ending.clone()));
    assert_eq!(run(&mut third, run_.script("a", "echo x >> effect")).await, ending);
    assert_eq!(run_.read("effect"), "x\n");
    assert_eq!(run_.read("a.out"), "done\n");
}

#[tokio::test]
async fn an_order_given_just_before_the_orchestrator_dies_is_carried_out() {
    let run_ = Run::new();
    let mut first = run_.keeper().await;
    first.start(run_.script("a", "echo x >> effect"));
    drop(first);
    until("its end is recorded", || run_.read("keeper.jsonl").contains(r#""record":"ended""#)).await;
    assert_eq!(run_.read("effect"), "x\n");
}

#[tokio::test]
async fn a_repeated_key_is_answered_and_not_started_again() {
    let run_ = Run::new();
    let mut keeper = run_.keeper().await;
    keeper.start(run_.script("a", "echo x >> effect; sleep 0.2"));
    keeper.start(run_.script("a", "echo y >> effect"));
    assert_eq!(ended(&mut keeper, "a").await.how, OK);
    keeper.start(run_.script("a", "echo z >> effect"));
    assert_eq!(ended(&mut keeper, "a").await.how, OK);
    assert_eq!(run_.read("effect"), "x\n");
}

#[tokio::test]
async fn two_orchestrators_that_start_at_once_find_the_same_keeper() {
    let run_ = Run::new();
    let (mut a, mut b) = tokio::join!(run_.keeper(), run_.keeper());
    a.start(run_.script("a", "exit 3"));
    assert_eq!(ended(&mut b, "a").await.how, How::Exited { code: 3 });
    assert_eq!(ended(&mut a, "a").await.how, How::Exited { code: 3 });
}

#[tokio::test]
async fn a_run_folder_with_a_very_long_path_works() {
    let run_ = Run::new();
    let deep = run_.dir().join("x".repeat(200));
    fs::create_dir(&deep).unwrap();
    let mut keeper = Keeper::connect_or_start_with(Path::new(BINARY), &deep).await.unwrap();
    assert_eq!(run(&mut keeper, run_.script("a", "true")).await.how, OK);
    drop(keeper);
    assert!(Keeper::connect(&deep).await.unwrap().is_some());
}

#[tokio::test]
async fn what_cannot_be_started_was_certainly_never_started() {
    let run_ = Run::new();
    let mut keeper = run_.keeper().await;
    let missing = StartSpec { program: "no-such-program".into(), ..run_.script("a", "") };
    let elsewhere = StartSpec { cwd: "/no/such/folder".into(), ..run_.script("b", "") };
    let a = run(&mut keeper, missing).await.how;
    let b = run(&mut keeper, elsewhere).await.how;
    assert_eq!(a, How::NeverStarted { error: "there is no program `no-such-program` on PATH".into() });
    assert_eq!(b, How::NeverStarted { error: "its folder /no/such/folder is not there".into() });
}

#[tokio::test]
async fn a_program_is_found_on_the_path_of_the_step() {
    let run_ = Run::new();
    fs::create_dir(run_.file("bin")).unwrap();
    fs::write(run_.file("bin/mine"), "#!/bin/sh\necho mine $0\n").unwrap();
    fs::set_permissions(run_.file("bin/mine"), fs::Permissions::from_mode(0o755)).unwrap();
    let mut keeper = run_.keeper().await;
    let path = format!("{}:/usr/bin:/bin", run_.file("bin").display());
    let spec = StartSpec {
        program: "mine".into(),
        args: vec![],
        env: vec![("PATH".into(), path.into())],
        ..run_.script("a", "")
    };
    assert_eq!(run(&mut keeper, spec).await.how, OK);
    assert!(run_.read("a.out").starts_with("mine "));
}

#[tokio::test]
async fn a_child_starts_with_clean_signals_descriptors_and_group() {
    let run_ = Run::new();
    let mut keeper = run_.keeper().await;
    let script = "cat /proc/self/status > status; ls /proc/self/fd | tr '\\n' ' '; cat; \
                  test $(cut -d' ' -f5 /proc/$$/stat) = $$ && echo leader";
    assert_eq!(run(&mut keeper, run_.script("a", script)).await.how, OK);
    let out = run_.read("a.out");
    let status = run_.read("status");
    for field in ["SigBlk:", "SigIgn:", "SigCgt:"] {
        let set = status.lines().find_map(|line| line.strip_prefix(field)).unwrap().trim();
        // Two signals are the C library's own, and ignored by everything that it starts.
        assert_eq!(u64::from_str_radix(set, 16).unwrap() & !(3 << 31), 0, "{field} {set}");
    }
    assert!(out.contains("0 1 2 3 leader"), "{out}");
}

#[tokio::test]
async fn a_child_that_ignores_term_is_killed_after_a_while() {
    let run_ = Run::new();
    let mut keeper = run_.keeper().await;
    let spec = run_.script("a", "trap '' TERM; echo ready; while :; do sleep 0.05; done");
    keeper.start(StartSpec { kill_after_ms: 200, ..spec });
    until("it is ready", || run_.read("a.out") == "ready\n").await;
    keeper.stop("a");
    let ending = ended(&mut keeper, "a").await;
    assert_eq!(ending.how, How::Killed { signal: 9 });
    assert_eq!(ending.cut, Some(Cut::Stop));
    assert_eq!(run_.alive(), Vec::<i32>::new());
}

#[tokio::test]
async fn term_comes_once_and_what_the_clean_up_starts_is_left_to_finish() {
    let run_ = Run::new();
    let mut keeper = run_.keeper().await;
    let script =
        "trap 'echo term; /bin/sleep 0.3 && echo slept; exit 9' TERM; echo ready; while :; do sleep 0.05; done";
    keeper.start(run_.script("a", script));
    until("it is ready", || run_.read("a.out") == "ready\n").await;
    keeper.stop("a");
    assert_eq!(ended(&mut keeper, "a").await.how, How::Exited { code: 9 });
    assert_eq!(run_.read("a.out"), "ready\nterm\nslept\n");
}

#[tokio::test]
async fn a_timeout_stops_everything_and_says_so() {
    let run_ = Run::new();
    let mut keeper = run_.keeper().await;
    let spec = run_.script("a", "sleep 1000 & setsid sleep 1001 & sleep 1002");
    let ending = run(&mut keeper, StartSpec { timeout_ms: 300, ..spec }).await;
    assert_eq!(ending.how, How::Killed { signal: 15 });
    assert_eq!(ending.cut, Some(Cut::Timeout));
    assert_eq!(run_.alive(), Vec::<i32>::new());
}

/// A daemon as C programs make them: a child, a session of its own, a grandchild, and the parents gone.
const DAEMON: &str = r"setsid sh -c 'sleep 1000 </dev/null >/dev/null 2>&1 &
                                   while ! grep -q sleep /proc/$!/comm; do :; done; echo $! > daemon'";

#[tokio::test]
async fn a_daemon_survives_its_attempt_and_the_keeper_and_is_named() {
    let run_ = Run::new();
    let mut keeper = run_.keeper().await;
    let ending = run(&mut keeper, run_.script("a", DAEMON)).await;
    assert_eq!(names(&ending.daemons), ["sleep"]);
    assert_eq!(names(&ending.stopped), [""; 0]);
    let daemon: i32 = run_.read("daemon").trim().parse().unwrap();
    assert_eq!(ending.daemons[0].pid, daemon);

    let process = run_.keeper_pid();
    drop(keeper);
    until("the keeper has ended by itself", || !runs(process)).await;
    assert!(!run_.file("keeper.sock").exists());
    assert_eq!(run_.alive(), [daemon]);
}

#[tokio::test]
async fn a_daemon_that_talks_to_our_pipe_is_not_killed_by_the_end_of_the_keeper() {
    let run_ = Run::new();
    let mut keeper = run_.keeper().await;
    let script = "setsid sh -c 'echo $$ > daemon; while :; do echo talk; date > said; sleep 0.02; done' &
                  while ! test -s said; do sleep 0.01; done";
    let ending = run(&mut keeper, run_.script("a", script)).await;
    assert_eq!(names(&ending.daemons), ["sh"]);
    let daemon: i32 = run_.read("daemon").trim().parse().unwrap();
    drop(keeper);
    until("the keeper has ended", || !run_.file("keeper.sock").exists()).await;
    fs::remove_file(run_.file("said")).unwrap();
    until("the daemon still works", || run_.file("said").exists()).await;
    let again = run_.keeper().await;
    assert_eq!(again.known()["a"], Known::Ended(ending));
    assert!(runs(daemon));
    kill(daemon, rustix::process::Signal::KILL);
}

#[tokio::test]
async fn a_daemon_is_killed_where_survivors_are_to_be() {
    let run_ = Run::new();
    let mut keeper = run_.keeper().await;
    let spec = StartSpec { survivors: Survivors::Kill, ..run_.script("a", DAEMON) };
    let ending = run(&mut keeper, spec).await;
    assert_eq!(ending.how, OK);
    assert_eq!(names(&ending.stopped), ["sleep"]);
    assert_eq!(run_.alive(), Vec::<i32>::new());
}

#[tokio::test]
async fn a_stop_kills_what_has_escaped_the_group_too() {
    let run_ = Run::new();
    let mut keeper = run_.keeper().await;
    // All three are there when it says so.
    let script = format!("{DAEMON}; env -i setsid sleep 1003 & sleep 1002 & echo ready; wait");
    keeper.start(run_.script("a", &script));
    until("it is ready", || run_.read("a.out") == "ready\n" && run_.file("daemon").exists()).await;
    let daemon: i32 = run_.read("daemon").trim().parse().unwrap();
    keeper.stop("a");
    let ending = ended(&mut keeper, "a").await;
    assert_eq!(ending.cut, Some(Cut::Stop));
    assert!(!runs(daemon));
    assert_eq!(ending.stopped.len(), 3, "{ending:?}");
    assert_eq!(run_.alive(), Vec::<i32>::new());
}

#[tokio::test]
async fn what_was_forgotten_in_the_background_is_stopped_and_named() {
    let run_ = Run::new();
    let mut keeper = run_.keeper().await;
    let ending = run(&mut keeper, run_.script("a", "sleep 1000 & exit 4")).await;
    assert_eq!(ending.how, How::Exited { code: 4 });
    assert_eq!(names(&ending.stopped), ["sleep"]);
    assert_eq!(ending.cut, None);
    assert_eq!(run_.alive(), Vec::<i32>::new());
}

#[tokio::test]
async fn what_ends_by_itself_right_after_its_step_is_not_stopped() {
    let run_ = Run::new();
    let mut keeper = run_.keeper().await;
    let ending = run(&mut keeper, run_.script("a", "(sleep 0.02; echo late) & exit 0")).await;
    assert_eq!(names(&ending.stopped), [""; 0]);
    assert_eq!(run_.read("a.out"), "late\n");
}

#[tokio::test]
async fn an_attempt_does_not_end_the_daemon_of_another() {
    let run_ = Run::new();
    let mut keeper = run_.keeper().await;
    let script = format!("{DAEMON}; echo ready; while ! test -e go; do sleep 0.01; done");
    keeper.start(run_.script("a", &script));
    until("it is ready", || run_.read("a.out") == "ready\n").await;
    let b = run(&mut keeper, StartSpec { survivors: Survivors::Kill, ..run_.script("b", "sleep 1000 &") }).await;
    assert_eq!(b.stopped.len(), 1);
    fs::write(run_.file("go"), "").unwrap();
    let a = ended(&mut keeper, "a").await;
    assert_eq!(names(&a.daemons), ["sleep"]);
    assert!(runs(a.daemons[0].pid));
}

#[tokio::test]
async fn an_environment_that_is_said_once_is_that_of_every_attempt_and_a_spec_adds_to_it() {
    let run_ = Run::new();
    let mut keeper = run_.keeper().await;
    keeper.surround(vec![("PATH".into(), "/usr/bin:/bin".into()), ("A".into(), "1".into()), ("B".into(), "1".into())]);
    let spec = |key: &str, env: Vec<(OsString, OsString)>| StartSpec { env, ..run_.script(key, "echo $A $B $HOME") };
    assert_eq!(run(&mut keeper, spec("a", vec![("B".into(), "2".into())])).await.how, OK);
    assert_eq!(run(&mut keeper, spec("b", vec![])).await.how, OK);
    assert_eq!((run_.read("a.out"), run_.read("b.out")), ("1 2\n".to_owned(), "1 1\n".to_owned()));
}

#[tokio::test]
async fn the_end_of_an_attempt_that_left_nothing_is_one_record() {
    let run_ = Run::new();
    let mut keeper = run_.keeper().await;
    assert_eq!(run(&mut keeper, run_.script("a", "exit 0")).await.how, OK);
    assert_eq!(run(&mut keeper, run_.script("b", "sleep 1000 >/dev/null 2>&1 &")).await.stopped.len(), 1);
    let records = run_.read("keeper.jsonl");
    let of = |key: &str| -> Vec<String> {
        let records = records.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        records.filter(|record| record["key"] == key).map(|record| record["record"].as_str().unwrap().into()).collect()
    };
    assert_eq!(of("a"), ["start", "started", "ended"]);
    assert_eq!(of("b"), ["start", "started", "exited", "ended"]);
}

#[tokio::test]
async fn a_child_that_closes_its_output_and_lives_on_has_not_ended() {
    let run_ = Run::new();
    let mut keeper = run_.keeper().await;
    keeper.start(run_.script("a", "echo said; exec >&- 2>&-; while ! test -e go; do sleep 0.01; done; exit 6"));
    until("it has said it", || run_.read("a.out") == "said\n").await;
    assert_eq!(run(&mut keeper, run_.script("b", "true")).await.how, OK);
    // Given again, the key is answered with what is known of it.
    keeper.start(run_.script("a", "exit 1"));
    let event = tokio::time::timeout(Duration::from_mins(1), keeper.next_event()).await.expect("it is answered");
    assert!(matches!(event, KeeperEvent::Started { key, .. } if key == "a"));
    assert!(matches!(keeper.known()["a"], Known::Running { .. }));
    fs::write(run_.file("go"), "").unwrap();
    assert_eq!(ended(&mut keeper, "a").await.how, How::Exited { code: 6 });
}

#[tokio::test]
async fn a_flood_keeps_head_and_tail_and_costs_the_keeper_no_memory() {
    let run_ = Run::new();
    let mut keeper = run_.keeper().await;
    let spec = run_.script("a", "echo first; head -c 200000000 /dev/zero; echo last");
    let ending = run(&mut keeper, StartSpec { output_max: 1 << 20, ..spec }).await;
    assert_eq!(ending.how, OK);
    assert_eq!(ending.stdout.total, 200_000_011);
    let text = fs::read(run_.file("a.out")).unwrap();
    let note = format!("\n[... {} bytes left out ...]\n", 200_000_011 - (1 << 20));
    assert_eq!(text.len(), (1 << 20) + note.len());
    assert!(text.starts_with(b"first\n\0") && text.ends_with(b"\0last\n"));
    assert!(contains(&text, note.as_bytes()));
    let status = fs::read_to_string(format!("/proc/{}/status", run_.keeper_pid())).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let peak: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
    assert!(peak < 24 << 10, "{peak} KiB");
}

#[tokio::test]
async fn input_reaches_the_step_and_no_file() {
    let run_ = Run::new();
    let mut keeper = run_.keeper().await;
    let secret = "correct-horse-battery-staple";
    let mut spec = run_.script("a", "wc -c; echo $PASSWORD | tr a-z A-Z");
    spec.stdin = Some(secret.repeat(10_000).into_bytes());
    spec.env.push((OsString::from("PASSWORD"), secret.into()));
    assert_eq!(run(&mut keeper, spec).await.how, OK);
    assert_eq!(run_.read("a.out"), format!("{}\n{}\n", secret.len() * 10_000, secret.to_uppercase()));
    for entry in fs::read_dir(run_.dir()).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read(&path).unwrap_or_default();
        assert!(!contains(&text, secret.as_bytes()), "{}", path.display());
    }
}

#[tokio::test]
async fn a_step_that_does_not_read_its_input_ends_all_the_same() {
    let run_ = Run::new();
    let mut keeper = run_.keeper().await;
    let spec = StartSpec { stdin: Some(vec![b'x'; 1 << 20]), ..run_.script("a", "exit 2") };
    assert_eq!(run(&mut keeper, spec).await.how, How::Exited { code: 2 });
}

#[tokio::test]
async fn the_keeper_is_not_ended_by_a_terminal_or_a_service_manager_while_it_keeps() {
    let run_ = Run::new();
    let mut keeper = run_.keeper().await;
    keeper.start(run_.script("a", "echo ready; while ! test -e go; do sleep 0.01; done"));
    until("it is ready", || run_.read("a.out") == "ready\n").await;
    for signal in [rustix::process::Signal::HUP, rustix::process::Signal::INT, rustix::process::Signal::TERM] {
        kill(run_.keeper_pid(), signal);
    }
    fs::write(run_.file("go"), "").unwrap();
    assert_eq!(ended(&mut keeper, "a").await.how, OK);
}

#[tokio::test]
async fn after_the_death_of_the_keeper_an_attempt_is_in_doubt_and_nothing_of_it_is_alive() {
    let run_ = Run::new();
    let mut first = run_.keeper().await;
    first.start(run_.script("a", &format!("{DAEMON}; sleep 1001 & echo ready; sleep 1002")));
    assert_eq!(run(&mut first, run_.script("b", "exit 3")).await.how, How::Exited { code: 3 });
    until("it is ready", || run_.read("a.out") == "ready\n" && run_.file("daemon").exists()).await;
    kill(run_.keeper_pid(), rustix::process::Signal::KILL);
    let mut event = first.next_event().await;
    while event != KeeperEvent::Lost {
        event = first.next_event().await;
    }
    assert!(!run_.alive().is_empty());

    let mut second = run_.keeper().await;
    let Known::Ended(a) = &second.known()["a"] else { panic!("it has ended") };
    assert_eq!(a.how, How::InDoubt);
    assert!(a.stopped.len() >= 4, "{a:?}");
    let Known::Ended(b) = &second.known()["b"] else { panic!("it has ended") };
    assert_eq!(b.how, How::Exited { code: 3 });
    assert_eq!(run_.alive(), Vec::<i32>::new());
    let repeated = run(&mut second, run_.script("a", "echo x > effect")).await;
    assert_eq!(repeated.how, How::InDoubt);
    assert!(!run_.file("effect").exists());
}

#[tokio::test]
async fn a_doubt_can_be_settled_without_a_new_keeper_and_not_while_one_lives() {
    let run_ = Run::new();
    let mut keeper = run_.keeper().await;
    keeper.start(run_.script("a", "echo ready; sleep 1002"));
    until("it is ready", || run_.read("a.out") == "ready\n").await;
    assert_eq!(keeper::reap_orphans_of_dead_keeper(&run_.dir()).unwrap(), None);
    let process = run_.keeper_pid();
    kill(process, rustix::process::Signal::KILL);
    until("it is dead", || !runs(process)).await;
    let ends: BTreeMap<String, Ending> = keeper::reap_orphans_of_dead_keeper(&run_.dir()).unwrap().unwrap();
    assert_eq!(ends["a"].how, How::InDoubt);
    assert_eq!(run_.alive(), Vec::<i32>::new());
    assert_eq!(keeper::known(&run_.dir()).unwrap()["a"], Known::Ended(ends["a"].clone()));
}

#[tokio::test]
async fn fifty_attempts_at_once_all_end_and_leave_nothing() {
    let run_ = Run::new();
    let mut keeper = run_.keeper().await;
    for at in 0..50 {
        keeper.start(run_.script(&format!("s{at}"), &format!("sleep 1000 & echo {at}; exit {at}")));
    }
    let mut left = 50;
    while left > 0 {
        if let KeeperEvent::Ended { key, ending } = keeper.next_event().await {
            let at: i32 = key[1..].parse().unwrap();
            assert_eq!(ending.how, How::Exited { code: at });
            assert_eq!(ending.stopped.len(), 1, "{ending:?}");
            assert_eq!(run_.read(&format!("{key}.out")), format!("{at}\n"));
            left -= 1;
        }
    }
    assert_eq!(run_.alive(), Vec::<i32>::new());
}

/// Prints what the keeper adds to a process, for `cargo test --test it a_step_costs -- --nocapture`; judges nothing.
#[tokio::test]
async fn a_step_costs_a_process_and_little_more() {
    const STEPS: u32 = 200;
    let run_ = Run::new();
    let begun = Instant::now();
    let mut keeper = run_.keeper().await;
    let start = begun.elapsed();
    let spec = StartSpec { program: "/bin/true".into(), args: vec![], ..run_.script("", "") };
    let mut kept = Duration::ZERO;
    let mut bare = Duration::ZERO;
    for at in 0..STEPS {
        let begun = Instant::now();
        let ending = run(&mut keeper, StartSpec { key: at.to_string(), ..spec.clone() }).await;
        kept += begun.elapsed();
        assert_eq!(ending.how, OK);
        let begun = Instant::now();
        assert!(std::process::Command::new("/bin/true").status().unwrap().success());
        bare += begun.elapsed();
    }
    let records = fs::metadata(run_.file("keeper.jsonl")).unwrap().len() / u64::from(STEPS);
    println!("keeper up in {start:?}; a step {:?}, bare {:?}, {records} bytes", kept / STEPS, bare / STEPS);
}

#[tokio::test]
async fn what_a_keeper_says_in_one_breath_with_its_greeting_is_heard_and_so_is_its_death() {
    let run_ = Run::new();
    let listener = std::os::unix::net::UnixListener::bind(run_.file("keeper.sock")).unwrap();
    let ending = r#"{"how":{"exited":{"code":0}},"cut":null,"duration_ms":1,"stdout":{"total":0,"lost":0},"stderr":{"total":0,"lost":0},"stopped":[],"daemons":[],"unstoppable":[]}"#;
    let said = format!(
        "{{\"hello\":{{\"protocol\":2,\"known\":[[\"a\",{{\"running\":{{\"pid\":1}}}}]]}}}}\n\
         {{\"now\":{{\"key\":\"a\",\"known\":{{\"ended\":{ending}}}}}}}\n\
         {{\"now\":{{\"key\":\"b\",\"known\":{{\"ended\":{ending}}}}}}}\n"
    );
    let keeper = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        std::io::Write::write_all(&mut stream, said.as_bytes()).unwrap();
    });
    let mut heard = Keeper::connect(&run_.dir()).await.unwrap().expect("it greets");
    keeper.join().unwrap();
    assert_eq!(ended(&mut heard, "a").await.how, OK);
    // What came with it is there without waiting.
    let with_it = heard.next_heard();
    assert!(matches!(with_it, Some(KeeperEvent::Ended { key, .. }) if key == "b"));
    assert_eq!(heard.next_heard(), None);
    let lost = tokio::time::timeout(Duration::from_mins(1), heard.next_event()).await.expect("it is said");
    assert_eq!(lost, KeeperEvent::Lost);
}
