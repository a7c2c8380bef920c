//! A service that keeps its state in memory and its events in a log: what it answers is held against the log itself.

use std::collections::{BTreeMap, HashSet};
use std::io;
use std::time::Duration;

use tokio::time::timeout;

use super::{Refusal, Stored};
use crate::Failure;
use crate::ask::Connection;
use crate::event_log_replay::event::{Event, STREAM};
use crate::event_log_replay::state::{Account, State};
use crate::nats::Nats;

/// For an answer; then the connection is given up.
const PATIENCE: Duration = Duration::from_secs(4);
/// What a service answers that is not the writer: somebody else is, or will be.
const NOT_THE_WRITER: u16 = 423;

pub(crate) struct Events {
    /// The service, or a proxy in front of it.
    service: u16,
    log: u16,
    connection: Option<Connection>,
}

impl Events {
    /// `place` is what stands behind `events://`: the port of the service, `/`, the port of the log.
    pub(crate) fn new(place: &str) -> Result<Self, Failure> {
        let (service, log) = place.split_once('/').ok_or("events://SERVICE/LOG, two ports")?;
        Ok(Self { service: service.parse()?, log: log.parse()?, connection: None })
    }

    pub(crate) async fn place(&mut self, number: u64) -> Result<(), Refusal> {
        match timeout(PATIENCE, self.ask("PUT", &format!("/orders/{number}"))).await {
            Ok(Ok((200, _))) => Ok(()),
            Ok(Ok((NOT_THE_WRITER, _))) => Err(Refusal::Held),
            Ok(Ok(_) | Err(_)) | Err(_) => Err(Refusal::Error),
        }
    }

    async fn ask(&mut self, method: &str, path: &str) -> io::Result<(u16, Vec<u8>)> {
        let mut open = match self.connection.take() {
            Some(open) => open,
            None => Connection::open(self.service).await?,
        };
        let answer = open.exchange(method, path, "").await?;
        self.connection = Some(open);
        Ok(answer)
    }

    /// What the service counts. That its accounts are what the log comes to is checked here, with a sum of our own.
    pub(crate) async fn stored(&mut self) -> Result<Vec<Stored>, Failure> {
        let (status, body) = self.ask("GET", "/state").await?;
        if status != 200 {
            return Err(format!("the service answers {status}").into());
        }
        let state: State = serde_json::from_slice(&body)?;
        let accounts = self.sum_of_log(state.offset).await?;
        if accounts != state.accounts {
            let wrong = accounts.iter().filter(|(id, account)| state.accounts.get(id) != Some(account)).count();
            return Err(format!("wrong_accounts={wrong} at offset {}", state.offset).into());
        }
        let stored = state.counted.into_iter().filter(|counted| counted.deposit.number >= super::FIRST_NUMBER);
        stored
            .map(|counted| {
                let at = i64::try_from(counted.offset)?;
                Ok(Stored { number: counted.deposit.number, at, by: counted.deposit.by })
            })
            .collect()
    }

    async fn sum_of_log(&self, until: u64) -> Result<BTreeMap<u64, Account>, Failure> {
        let mut log = Nats::connect(self.log).await?;
        let consumer = log.consume(STREAM, 1).await?;
        let (mut accounts, mut seen) = (BTreeMap::<u64, Account>::new(), HashSet::new());
        let mut next = 1;
        while next <= until {
            log.pull(STREAM, &consumer, 500, Duration::from_millis(500)).await?;
            let mut came = 0;
            while came < 500
                && let Some(delivery) = log.delivery(Duration::from_millis(500)).await?
            {
                came += 1;
                log.acknowledge(&delivery).await?;
                if delivery.sequence != next || next > until {
                    continue;
                }
                next += 1;
                if let Event::Deposited(deposit) = Event::parse(&delivery.body)?
                    && seen.insert(deposit.number)
                {
                    let account = accounts.entry(deposit.account()).or_default();
                    account.cents += deposit.cents();
                    account.deposits += 1;
                    account.latest = deposit.number;
                }
            }
            if came == 0 {
                return Err(format!("the log has nothing at offset {next}, and the service has {until}").into());
            }
        }
        Ok(accounts)
    }
}
