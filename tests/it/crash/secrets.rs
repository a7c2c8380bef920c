//! A secret stays where it was sent: not in what the run remembers, not on the screen, not in a command line (R23).

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::bench::{BINARY, Bench};

const SECRET: &str = "sw0rdf1sh-of-the-deep";

/// Answers every request by repeating it: a POST as if that were the answer, others as an error.
fn parrot() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("it has one").port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut heard = vec![0; 4096];
            let length = stream.read(&mut heard).unwrap_or(0);
            let status = if heard.starts_with(b"POST") { "200 Yes" } else { "500 No" };
            let status = format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
            // A client that is gone needs no answer.
            let _ = stream.write_all(status.as_bytes()).and_then(|()| stream.write_all(&heard[..length]));
        }
    });
    port
}

fn runbook(port: u16) -> String {
    format!(
        r#"
[vars]
password = {{ env = "CRASH_SECRET", secret = true }}
[probe.echo]
http = {{ method = "POST", url = "http://127.0.0.1:{port}/", headers = {{ Authorization = "Bearer {{{{vars.password}}}}" }}, send = {{ key = "{{{{vars.password}}}}" }} }}
as = "text"
interval = "100ms"
[step.measures]
wait = {{ until = "probe.echo == 'quiet'", within = "300ms" }}
on_failure = "continue"
[step.prints]
run = "echo it is $P; echo it is $P >&2; echo ready >> effects; sleep 0.5; exit 1"
env = {{ P = "{{{{vars.password}}}}" }}
effect = "none"
on_failure = "continue"
[step.reads]
run = "cat; exit 1"
stdin = "{{{{vars.password}}}}"
effect = "none"
on_failure = "continue"
[step.asks]
http = {{ method = "GET", url = "http://127.0.0.1:{port}/", headers = {{ Authorization = "Bearer {{{{vars.password}}}}" }} }}
effect = "none"
on_failure = "continue"
[step.stores]
sql = {{ url = "postgres://u@127.0.0.1:{port}/x", password = "{{{{vars.password}}}}", query = "select 1" }}
effect = "none"
on_failure = "continue"
[step.selects]
sql = {{ url = "sqlite:x.db", query = "select ?1 as said", params = ["{{{{vars.password}}}}"] }}
effect = "none"
on_failure = "continue"
[step.leaks]
run = "echo said=$P > $RUNBOOK_OUTPUT"
env = {{ P = "{{{{vars.password}}}}" }}
effect = "none"
on_failure = "continue"
"#
    )
}

fn holds(bytes: &[u8]) -> bool {
    bytes.windows(SECRET.len()).any(|window| window == SECRET.as_bytes())
}

/// Every file below a folder that holds the secret.
fn holders(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("it is there") {
        let path = entry.expect("an entry").path();
        let kind = fs::symlink_metadata(&path).expect("it is there").file_type();
        if kind.is_dir() {
            found.extend(holders(&path));
        } else if kind.is_file() && holds(&fs::read(&path).expect("it can be read")) {
            found.push(path.display().to_string());
        }
    }
    found
}

#[test]
fn a_secret_is_in_no_record_on_no_screen_and_in_no_command_line() {
    for output in ["plain", "json"] {
        let bench = Bench::new(&runbook(parrot()));
        fs::write(bench.path("x.db"), "").expect("written");
        let mut command = bench.command(BINARY, &["exec", "crash.toml", "--output", output]);
        let mut child = command.env("CRASH_SECRET", SECRET).spawn().expect("it starts");
        bench.until("a step knows it", || bench.effects() == ["ready"]);
        for entry in fs::read_dir("/proc").expect("every Linux has it").flatten() {
            let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
            assert!(!holds(&line), "{}", String::from_utf8_lossy(&line));
        }
        let status = child.wait().expect("it ends");
        assert_eq!(status.code(), Some(0), "{}", bench.story());

        assert!(!bench.screen().contains(SECRET), "{}", bench.screen());
        assert!(bench.evidence().matches("[secret]").count() >= 2, "{}", bench.story());
        let run = bench.run_folder().expect("a run");
        let samples = fs::read_to_string(run.join("samples.jsonl")).expect("the probe was asked");
        assert!(samples.contains("the answer contains a secret"), "{samples}");
        let steps = run.join("steps");
        let outside: Vec<String> =
            holders(&bench.path("state")).into_iter().filter(|path| !Path::new(path).starts_with(&steps)).collect();
        assert_eq!(outside, Vec::<String>::new(), "{}", bench.story());

        // What a step itself prints is kept as it is, for its owner alone.
        assert!(bench.output("prints.forward.1.out").contains(SECRET));
        for entry in fs::read_dir(&steps).expect("it is there") {
            let mode = entry.expect("an entry").metadata().expect("it is there").permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        for folder in [&run, &steps] {
            assert_eq!(fs::metadata(folder).expect("it is there").permissions().mode() & 0o777, 0o700);
        }
    }
}
