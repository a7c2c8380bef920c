//! What the events of the log come to, up to one offset; the digest of that; and a snapshot of it in a file.
//!
//! Folding is pure: the same events up to the same offset give the same state and the same digest, whoever folds, and
//! whether from the beginning or from a snapshot. An event is known by where it stands: one that is delivered again changes
//! nothing, one that comes too early waits. A deposit is known by its number: one that stands in the log twice counts once.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::fs;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::event::{Deposit, Event};

/// So many digests of the latest offsets are kept, for a comparison at one both have reached.
const DIGESTS_KEPT: usize = 10_000;

/// What one account comes to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Account {
    pub(crate) cents: u64,
    pub(crate) deposits: u64,
    /// The number of the latest one: what depends on the order.
    pub(crate) latest: u64,
}

/// A deposit that counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Counted {
    pub(crate) offset: u64,
    pub(crate) deposit: Deposit,
}

/// Whether the fold is done as it should be. The rig breaks it to see whether anybody notices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arithmetic {
    Right,
    OneCentTooMuch,
}

/// The state, and what it needs to know of its past.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct State {
    /// The offset of the last event that is in it; 0 before the first.
    pub(crate) offset: u64,
    pub(crate) writer: String,
    pub(crate) accounts: BTreeMap<u64, Account>,
    /// In the order of the log.
    pub(crate) counted: Vec<Counted>,
}

/// A state that grows, with what is derived from it.
pub(crate) struct Projection {
    state: State,
    /// Where each deposit is counted.
    offsets: HashMap<u64, u64>,
    /// The sum of the digests of all accounts.
    accounts_digest: u128,
    /// The digest at each of the latest offsets, up to the present one.
    digests: VecDeque<u128>,
    /// Events that came before their turn.
    early: BTreeMap<u64, Event>,
    pub(crate) repeated: u64,
}

impl Projection {
    pub(crate) fn of(state: State) -> Self {
        let offsets = state.counted.iter().map(|counted| (counted.deposit.number, counted.offset)).collect();
        let accounts_digest =
            state.accounts.iter().fold(0, |sum: u128, (id, account)| sum.wrapping_add(digest_of(*id, *account)));
        let mut projection =
            Self { state, offsets, accounts_digest, digests: VecDeque::new(), early: BTreeMap::new(), repeated: 0 };
        projection.note_digest();
        projection
    }

    pub(crate) fn state(&self) -> &State {
        &self.state
    }

    /// Where a deposit is counted, if it is.
    pub(crate) fn offset_of(&self, number: u64) -> Option<u64> {
        self.offsets.get(&number).copied()
    }

    /// Takes in an event that was delivered, and whatever had waited for it.
    pub(crate) fn take(&mut self, offset: u64, event: Event, arithmetic: Arithmetic) {
        if offset <= self.state.offset {
            self.repeated += 1;
            return;
        }
        self.early.insert(offset, event);
        while let Some(event) = self.early.remove(&(self.state.offset + 1)) {
            self.apply(event, arithmetic);
        }
    }

    fn apply(&mut self, event: Event, arithmetic: Arithmetic) {
        self.state.offset += 1;
        match event {
            Event::Appointed(writer) => self.state.writer = writer,
            Event::Deposited(deposit) if self.offsets.contains_key(&deposit.number) => self.repeated += 1,
            Event::Deposited(deposit) => self.count(deposit, arithmetic),
        }
        self.note_digest();
    }

    fn count(&mut self, deposit: Deposit, arithmetic: Arithmetic) {
        let id = deposit.account();
        let account = self.state.accounts.entry(id).or_default();
        if account.deposits > 0 {
            self.accounts_digest = self.accounts_digest.wrapping_sub(digest_of(id, *account));
        }
        account.cents += deposit.cents()
            + match arithmetic {
                Arithmetic::Right => 0,
                Arithmetic::OneCentTooMuch => 1,
            };
        account.deposits += 1;
        account.latest = deposit.number;
        self.accounts_digest = self.accounts_digest.wrapping_add(digest_of(id, *account));
        self.offsets.insert(deposit.number, self.state.offset);
        self.state.counted.push(Counted { offset: self.state.offset, deposit });
    }

    /// The digest of the state as it was at an offset, while that is remembered.
    pub(crate) fn digest_at(&self, offset: u64) -> Option<String> {
        let ago = usize::try_from(self.state.offset.checked_sub(offset)?).ok()?;
        let place = self.digests.len().checked_sub(ago + 1)?;
        self.digests.get(place).map(|digest| format!("{digest:032x}"))
    }

    fn note_digest(&mut self) {
        let writer = Sha256::digest(self.state.writer.as_bytes());
        self.digests.push_back(self.accounts_digest.wrapping_add(first_half(&writer)));
        if self.digests.len() > DIGESTS_KEPT {
            self.digests.pop_front();
        }
    }
}

/// The sum of these does not depend on the order in which accounts were last changed; what is in each does.
fn digest_of(id: u64, account: Account) -> u128 {
    let Account { cents, deposits, latest } = account;
    first_half(&Sha256::digest(format!("{id} {cents} {deposits} {latest}")))
}

fn first_half(hash: &[u8]) -> u128 {
    hash.iter().take(16).fold(0, |number, byte| number << 8 | u128::from(*byte))
}

/// Writes a snapshot, offset and all: the whole of it or nothing.
pub(crate) fn save(state: &State, path: &Path) -> io::Result<()> {
    let partial = path.with_extension("partial");
    fs::write(&partial, serde_json::to_vec(state)?)?;
    fs::rename(partial, path)
}

/// Reads a snapshot.
pub(crate) fn load(path: &Path) -> io::Result<State> {
    Ok(serde_json::from_slice(&fs::read(path)?)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deposit(number: u64) -> Event {
        Event::Deposited(Deposit { number, by: "old".to_owned() })
    }

    fn folded(deliveries: &[(u64, Event)]) -> Projection {
        let mut projection = Projection::of(State::default());
        for (offset, event) in deliveries {
            projection.take(*offset, event.clone(), Arithmetic::Right);
        }
        projection
    }

    fn log() -> Vec<(u64, Event)> {
        vec![
            (1, Event::Appointed("old".to_owned())),
            (2, deposit(1)),
            (3, deposit(51)),
            (4, deposit(2)),
            (5, deposit(101)),
        ]
    }

    #[test]
    fn deliveries_that_come_twice_and_in_another_order_give_the_same_state_and_digest() {
        let straight = folded(&log());
        let shuffled = folded(&[1, 0, 1, 4, 3, 4, 2, 0].map(|place: usize| log()[place].clone()));
        assert_eq!(shuffled.state(), straight.state());
        assert_eq!(shuffled.digest_at(5), straight.digest_at(5));
        assert!(straight.digest_at(5).is_some());
    }

    #[test]
    fn the_order_of_the_log_is_part_of_the_digest() {
        let swapped = folded(&[(1, Event::Appointed("old".to_owned())), (2, deposit(51)), (3, deposit(1))]);
        assert_ne!(swapped.digest_at(3), folded(&log()).digest_at(3));
    }

    #[test]
    fn a_deposit_that_stands_in_the_log_twice_counts_once() {
        let mut twice = log();
        twice.push((6, deposit(51)));
        let (once, twice) = (folded(&log()), folded(&twice));
        assert_eq!(twice.state().accounts, once.state().accounts);
        assert_eq!((twice.state().offset, twice.repeated), (6, 1));
    }

    #[test]
    fn an_event_that_comes_too_early_is_not_in_the_state_before_its_turn() {
        let early = folded(&[(1, Event::Appointed("old".to_owned())), (3, deposit(51))]);
        assert_eq!((early.state().offset, early.offset_of(51)), (1, None));
    }

    #[test]
    fn a_snapshot_and_the_events_behind_it_give_the_state_of_the_whole_log() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("snapshot");
        save(folded(&log()[..3]).state(), &path).expect("saved");
        let mut resumed = Projection::of(load(&path).expect("loaded"));
        for (offset, event) in log() {
            resumed.take(offset, event, Arithmetic::Right);
        }
        assert_eq!(resumed.state(), folded(&log()).state());
        assert_eq!(resumed.digest_at(5), folded(&log()).digest_at(5));
    }

    #[test]
    fn a_cent_too_much_shows_in_the_digest() {
        let mut wrong = Projection::of(State::default());
        for (offset, event) in log() {
            wrong.take(offset, event, Arithmetic::OneCentTooMuch);
        }
        assert_ne!(wrong.digest_at(5), folded(&log()).digest_at(5));
    }
}
