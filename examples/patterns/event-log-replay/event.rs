//! What stands in the log: two kinds of events, on a subject each.
//!
//! | subject | body | |
//! |---|---|---|
//! | `ledger.deposits` | `{ "number", "by" }` | a deposit was taken, by the service of that name |
//! | `ledger.writer` | a name | from here on only the service of that name takes deposits; `nobody` is a name too |
//!
//! The right to write is an event itself, and every service appends on the condition that the log ends where its state
//! ends. So behind such an event there is no deposit of a service that had not read it: the log itself fences.

use serde::{Deserialize, Serialize};

/// The stream.
pub(crate) const STREAM: &str = "ledger";
pub(crate) const DEPOSITS: &str = "ledger.deposits";
pub(crate) const WRITER: &str = "ledger.writer";

/// How many accounts there are; a deposit belongs to the one that its number says.
pub(crate) const ACCOUNTS: u64 = 50;

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    Deposited(Deposit),
    /// Who takes deposits from now on.
    Appointed(String),
}

/// Money that came in. Its number says how much and for whom, so that a checker need not ask anybody.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Deposit {
    pub(crate) number: u64,
    /// The service that took it.
    pub(crate) by: String,
}

impl Deposit {
    pub(crate) fn account(&self) -> u64 {
        self.number % ACCOUNTS
    }

    pub(crate) fn cents(&self) -> u64 {
        self.number % 997 + 1
    }
}

impl Event {
    /// As it was appended. JSON of an object is a deposit; anything else is a name.
    pub(crate) fn parse(body: &[u8]) -> Result<Self, String> {
        if body.starts_with(b"{") {
            return serde_json::from_slice(body).map(Self::Deposited).map_err(|error| error.to_string());
        }
        String::from_utf8(body.to_vec()).map(Self::Appointed).map_err(|error| error.to_string())
    }
}
