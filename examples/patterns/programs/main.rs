//! The programs of the pattern rigs: who writes steadily, who checks afterwards, what can be cut in two, and the table.
//!
//! | | |
//! |---|---|
//! | `ledger-load DIR DOOR PROXY [SERVER...]` | writes to the store at PROXY, and past it to each SERVER, until it is told to end |
//! | `check DIR STORE` | holds the ledgers in DIR against the store that is in force |
//! | `took DIR FROM TO` | how long clients that try once waited, between two moments |
//! | `dual ...` | the service and the checks of dual-write |
//! | `mirrored ...` | the service and the differ of traffic-mirroring |
//! | `link DOOR LISTEN=TARGET...` | carries connections between loopback ports, until it is cut |
//! | `events ...` | the log and the service of event-log-replay |
//! | `sidecar ...` | what carries changes in sidecar-replication |
//! | `warm-up ...` | the service, the readers and the primer of warm-up |
//! | `table FILE` | the lines that the cases have written, as one table; fails where zeros belong and are not |
//!
//! DOOR is a port for questions and orders over HTTP. A store is a URL; its scheme says how it is spoken to.

#[path = "../../support/ask.rs"]
mod ask;
mod check;
#[path = "../dual-write/mod.rs"]
mod dual_write;
#[path = "../event-log-replay/mod.rs"]
mod event_log_replay;
#[path = "../../support/http.rs"]
mod http;
mod ledger;
mod link;
mod load;
#[path = "../../support/nats.rs"]
mod nats;
#[path = "../../support/redis.rs"]
mod redis;
#[path = "../../support/redis_pool.rs"]
mod redis_pool;
#[path = "../sidecar-replication/mod.rs"]
mod sidecar_replication;
mod store;
mod table;
#[path = "../../support/tally.rs"]
mod tally;
mod took;
#[path = "../traffic-mirroring/mod.rs"]
mod traffic_mirroring;
#[path = "../warm-up/mod.rs"]
mod warm_up;

use std::error::Error;

type Failure = Box<dyn Error>;

fn main() -> Result<(), Failure> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let task = async {
        match words[..] {
            ["ledger-load", dir, door, proxy, ref servers @ ..] => {
                load::drive(dir.as_ref(), door.parse()?, proxy, servers).await
            }
            ["check", dir, store] => check::check(dir.as_ref(), store).await,
            ["took", dir, from, to] => took::summarise(dir.as_ref(), from.parse()?, to.parse()?),
            ["mirrored", ref words @ ..] => traffic_mirroring::run(words).await,
            ["warm-up", ref words @ ..] => warm_up::run(words).await,
            ["link", door, ref ways @ ..] if !ways.is_empty() => link::carry(door.parse()?, ways).await,
            ["dual", ref words @ ..] => dual_write::run(words).await,
            ["events", ref words @ ..] => event_log_replay::run(words).await,
            ["sidecar", ref words @ ..] => sidecar_replication::run(words).await,
            ["table", file] => table::print(file.as_ref()),
            _ => Err("ledger-load, check, took, link, table, or the word of a pattern: see the top of main.rs".into()),
        }
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    tokio::task::LocalSet::new().block_on(&runtime, task)
}
