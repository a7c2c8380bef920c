//! The programs of the pattern event-log replay.

pub(crate) mod event;
pub(crate) mod log;
pub(crate) mod service;
pub(crate) mod state;

use std::path::Path;

use crate::Failure;

/// | | |
/// |---|---|
/// | `make PORT N` | a log on the NATS at PORT, with N deposits of earlier times |
/// | `repeat PORT NUMBER...` | appends deposits that are there already once more |
/// | `appoint PORT NAME`, `writer PORT` | gives the right to write; says who has it |
/// | `serve NAME PORT LOG FROM SNAPSHOT PACE` | the service; FROM is `zero` or a snapshot, SNAPSHOT where its own go |
pub(crate) async fn run(words: &[&str]) -> Result<(), Failure> {
    match *words {
        ["make", port, deposits] => log::make(port.parse()?, deposits.parse()?).await,
        ["repeat", port, ref numbers @ ..] => log::repeat(port.parse()?, numbers).await,
        ["appoint", port, writer] => log::appoint(port.parse()?, writer).await,
        ["writer", port] => log::print_writer(port.parse()?).await,
        ["serve", name, port, log, from, snapshot, pace] => {
            let config = service::Config {
                name: name.to_owned(),
                log: log.parse()?,
                snapshot: snapshot.into(),
                pace: pace.parse()?,
            };
            let from = if from == "zero" { None } else { Some(Path::new(from)) };
            service::serve(port.parse()?, config, from).await
        }
        _ => Err("usage: events make | repeat | appoint | writer | serve, as event-log-replay/mod.rs says".into()),
    }
}
