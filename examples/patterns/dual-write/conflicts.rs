//! Plants conflicting writes of one row, each store in an order of its own, and late writes of an epoch that is over.

use super::store::{Epoch, Owed, Refusal, Row, Store, Taken};
use crate::Failure;

const TAKEN: Taken = Taken { at: 0, by: "test" };

/// Tells both stores the same writes of one row: every order of them to the old store, against every order to the new one.
/// Afterwards all rows must be the one with the highest version, and of those that of the last writer.
pub(crate) async fn plant(old: &str, new: &str, epoch: Epoch) -> Result<(), Failure> {
    let writes = [(1, "a"), (2, "a"), (2, "b"), (1, "c")];
    let winner = (2, "b");
    let orders = permutations(writes.to_vec());
    let (old, new) = (Store::new(old)?, Store::new(new)?);
    let mut wrong = 0;
    // Numbers that nobody else uses; a number belongs to one pair of orders.
    let mut number = -500_000;
    for (n, in_old) in orders.iter().enumerate() {
        for in_new in [&orders[n], &orders[orders.len() - 1 - n]] {
            number -= 1;
            for (store, order) in [(&old, in_old), (&new, in_new)] {
                for &(version, writer) in order {
                    let row = row(number, version, writer);
                    store.write(&row, TAKEN, epoch, Owed::Nothing).await.map_err(|refusal| format!("{refusal:?}"))?;
                }
            }
            let want = Some(row(number, winner.0, winner.1));
            for store in [&old, &new] {
                let found = store.read(number).await.map_err(|refusal| format!("{refusal:?}"))?;
                wrong += u64::from(found != want);
            }
        }
    }
    println!("conflicts={} wrong={wrong}", -500_000 - number);
    if wrong == 0 { Ok(()) } else { Err("conflicts were not resolved alike".into()) }
}

/// A write of an epoch that is over must be refused by the store itself, whoever sends it.
pub(crate) async fn come_late(store: &str, epoch: Epoch) -> Result<(), Failure> {
    let late = row(-600_000, 1, "late");
    match Store::new(store)?.write(&late, TAKEN, epoch, Owed::Nothing).await {
        Err(Refusal::Deposed) => {
            println!("refused");
            Ok(())
        }
        Err(Refusal::Failed(error)) => Err(error.into()),
        Ok(()) => Err("a write of an epoch that is over was taken".into()),
    }
}

fn row(number: i64, version: i64, writer: &str) -> Row {
    Row { number, version, writer: writer.to_owned(), value: format!("{version} by {writer}") }
}

fn permutations<T: Clone>(items: Vec<T>) -> Vec<Vec<T>> {
    if items.len() < 2 {
        return vec![items];
    }
    let mut all = Vec::new();
    for n in 0..items.len() {
        let mut rest = items.clone();
        let first = rest.remove(n);
        for mut order in permutations(rest) {
            order.insert(0, first.clone());
            all.push(order);
        }
    }
    all
}
