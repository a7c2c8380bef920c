//! Replays what old was asked for, so that new has it before anybody asks.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use futures_util::future;

use crate::Failure;
use crate::ask::Connection;

/// At once: few, for new shall also answer its probes.
const AT_ONCE: usize = 4;

/// Looks at every page in the log once, the most wanted ones first. Says at the end how many.
pub(crate) async fn prime(log: &Path, door: u16) -> Result<(), Failure> {
    let text = fs::read_to_string(log)?;
    let pages = by_demand(text.lines().filter_map(|line| line.parse().ok()));
    let next = std::cell::Cell::new(0);
    let workers = (0..AT_ONCE).map(|_| async {
        let mut new = Connection::open(door).await?;
        while let Some(page) = pages.get(next.replace(next.get() + 1)) {
            let (status, _) = new.exchange("GET", &format!("/pages/{page}"), "").await?;
            if status != 200 {
                return Err(format!("page {page} is answered with {status}").into());
            }
        }
        Ok::<_, Failure>(())
    });
    future::try_join_all(workers).await?;
    println!("{} pages primed", pages.len());
    Ok(())
}

/// Each page once; those asked for most often first, then by number.
fn by_demand(asked: impl Iterator<Item = u64>) -> Vec<u64> {
    let mut times: HashMap<u64, u64> = HashMap::new();
    for page in asked {
        *times.entry(page).or_default() += 1;
    }
    let mut pages: Vec<(u64, u64)> = times.into_iter().collect();
    pages.sort_by_key(|&(page, times)| (std::cmp::Reverse(times), page));
    pages.into_iter().map(|(page, _)| page).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_wanted_page_is_primed_first_and_each_only_once() {
        assert_eq!(by_demand([4, 9, 2, 9, 4, 9].into_iter()), [9, 4, 2]);
    }
}
