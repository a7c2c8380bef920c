//! Whether, and how fast, a connection can be opened. Nothing is sent over it; it is closed at once.

use std::io::ErrorKind;
use std::time::{Duration, Instant};

use serde_json::Value as Json;
use tokio::net::{TcpStream, lookup_host};

use super::probe::taken_for;
use super::reading;
use crate::model::ProbeAs;

/// What came of it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Connected {
    /// A connection stood after that time, the lookup of the name not counted.
    Within(Duration),
    /// The host answered that nobody listens there.
    Refused,
    /// It cannot be told.
    Unknown(String),
}

/// Tries the addresses of `host:port` one after the other.
pub(super) async fn connect(address: &str) -> Connected {
    let found = match lookup_host(address).await {
        Ok(found) => found,
        Err(error) => return Connected::Unknown(format!("`{address}` was not found: {error}")),
    };
    let mut refused = false;
    let mut unknown = None;
    for address in found {
        let begun = Instant::now();
        match TcpStream::connect(address).await {
            Ok(_) => return Connected::Within(begun.elapsed()),
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => refused = true,
            Err(error) => unknown = Some(format!("no connection to {address}: {error}")),
        }
    }
    match unknown {
        None if refused => Connected::Refused,
        unknown => Connected::Unknown(unknown.unwrap_or_else(|| format!("`{address}` has no address"))),
    }
}

/// The sample: milliseconds, or whether there is a connection. Refused is false; what cannot be told is no data.
pub(super) fn said(connected: Connected, as_: ProbeAs) -> Result<Json, String> {
    let asks_whether = match as_ {
        ProbeAs::Bool | ProbeAs::ExitCode => true,
        ProbeAs::Number | ProbeAs::Text | ProbeAs::Json => false,
    };
    match connected {
        Connected::Within(_) if asks_whether => Ok(Json::Bool(true)),
        Connected::Refused if asks_whether => Ok(Json::Bool(false)),
        Connected::Within(took) => {
            reading::decimal_number(took.as_secs_f64() * 1000.0).and_then(|millis| taken_for(millis, as_))
        }
        Connected::Refused => Err("the connection was refused".to_owned()),
        Connected::Unknown(why) => Err(why),
    }
}
