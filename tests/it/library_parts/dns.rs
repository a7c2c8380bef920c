//! The TTL of a record, on a real name server.

use std::fs;
use std::net::UdpSocket;

use super::super::cli::Bench;
use super::{Command, Server, Stdio, bench, until};

const FAILS: &str = "[step.fail]\nrun = \"false\"\neffect = \"none\"\n";

/// A BIND that serves `shop.test` on a free port, and lets whoever has the key change it.
struct Named {
    _server: Server,
    port: u16,
}

impl Named {
    fn start(bench: &Bench) -> Self {
        let port = UdpSocket::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a free port").port();
        let folder = bench.path("zones");
        fs::create_dir(&folder).expect("it can be made");
        let key = "key \"move\" { algorithm hmac-sha256; secret \"c2VjcmV0LW9mLXRoZS10ZXN0LW9ubHk=\"; };\n";
        fs::write(bench.path("move.key"), key).expect("written");
        let zone = "$ORIGIN shop.test.\n$TTL 60\n@ IN SOA ns hostmaster 1 3600 600 86400 60\n@ IN NS ns\nns IN A 127.0.0.1\n\
                    www 2 IN A 192.0.2.1\nwww 2 IN A 192.0.2.2\n";
        fs::write(folder.join("db.shop"), zone).expect("written");
        let conf = format!(
            "{key}options {{ directory \"{}\"; listen-on port {port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }}; recursion no;\n\
             pid-file none; session-keyfile none; dnssec-validation no; }};\ncontrols {{}};\n\
             zone \"shop.test\" {{ type primary; file \"db.shop\"; allow-update {{ key move; }}; }};\n",
            folder.display()
        );
        fs::write(bench.path("named.conf"), conf).expect("written");
        let program = if fs::exists("/usr/sbin/named").unwrap_or(false) { "/usr/sbin/named" } else { "named" };
        let named = Command::new(program)
            .args(["-g", "-c"])
            .arg(bench.path("named.conf"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("these tests need BIND: apt-get install bind9 bind9-dnsutils");
        let named = Self { _server: Server(named), port };
        until("BIND answers", || named.www().len() == 2);
        named
    }

    /// TTLs and addresses of `www`, sorted.
    fn www(&self) -> Vec<String> {
        let dig = Command::new("dig")
            .args([
                "+noall",
                "+answer",
                "+time=1",
                "+tries=1",
                "-p",
                &self.port.to_string(),
                "@127.0.0.1",
                "www.shop.test.",
                "A",
            ])
            .output()
            .expect("dig is there: apt-get install bind9-dnsutils");
        let text = String::from_utf8_lossy(&dig.stdout).into_owned();
        let mut records: Vec<String> = text
            .lines()
            .filter_map(|line| {
                let words: Vec<&str> = line.split_whitespace().collect();
                (words.get(3) == Some(&"A")).then(|| format!("{} {}", words[1], words[4]))
            })
            .collect();
        records.sort();
        records
    }
}

/// The part, and this behind it; `key` is the file that `nsupdate` is given.
fn dns_bench(key: &str, steps: &str, tables: &str) -> (Bench, Named) {
    let sequence = format!("[\"it\", {steps}]");
    let bench = bench("dns-ttl.toml", "", &sequence, tables);
    let named = Named::start(&bench);
    let text = fs::read_to_string(bench.path("verbs.toml")).expect("written").replace("\"2h\"", "\"3d\"");
    let with = format!(
        "with = {{ server = '127.0.0.1', port = {}, name = 'www.shop.test.', ttl = 1, key = '{key}' }}",
        named.port
    );
    fs::write(bench.path("verbs.toml"), text.replace("with = {  }", &with)).expect("written");
    (bench, named)
}

#[test]
fn the_ttl_is_low_while_a_record_is_moved_and_the_old_one_comes_back_with_what_it_says_then() {
    let (bench, named) = dns_bench("move.key", "\"turn\"", "");
    let port = named.port;
    let turn = format!(
        "[step.turn]\nrun = '''\ndig +noall +answer -p {port} @127.0.0.1 www.shop.test. A >seen\n\
         printf 'server 127.0.0.1 {port}\\nupdate delete www.shop.test. A\\nupdate add www.shop.test. 1 A 192.0.2.9\\nsend\\n' |\n  \
         nsupdate -k move.key\n'''\neffect = \"kept\"\nwhy = \"a test\"\n"
    );
    let text = fs::read_to_string(bench.path("verbs.toml")).expect("written");
    fs::write(bench.path("verbs.toml"), text + &turn).expect("written");
    bench.does(&["exec", "verbs.toml"], 0);
    let seen = fs::read_to_string(bench.path("seen")).expect("the step looked");
    let ttls: Vec<&str> = seen.lines().filter_map(|line| line.split_whitespace().nth(1)).collect();
    assert_eq!(ttls, ["1", "1"], "{seen}");
    assert_eq!(named.www(), ["2 192.0.2.9"]);
}

#[test]
fn a_run_that_goes_back_gives_every_record_of_the_set_its_old_ttl() {
    let (bench, named) = dns_bench("move.key", "\"fail\"", FAILS);
    bench.does(&["exec", "verbs.toml"], 4);
    assert_eq!(named.www(), ["2 192.0.2.1", "2 192.0.2.2"]);
}

#[test]
fn an_update_that_the_server_refuses_changes_nothing_and_shows_no_key() {
    let (bench, named) = dns_bench("", "\"fail\"", FAILS);
    let (said, _) = bench.does(&["exec", "verbs.toml"], 4);
    assert!(said.contains("REFUSED"), "{said}");
    assert!(!said.contains("c2VjcmV0"), "{said}");
    assert_eq!(named.www(), ["2 192.0.2.1", "2 192.0.2.2"]);
}
