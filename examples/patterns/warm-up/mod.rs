//! The programs of warm-up.
//!
//! | | |
//! |---|---|
//! | `service NAME STORE CACHE DOOR LOG` | a shop with pages that are dear to render; writes down in LOG which were asked for |
//! | `readers DIR PROXY` | customers who look at pages through the proxy, and note how long each took |
//! | `prime LOG DOOR` | looks at every page of LOG once, the most wanted ones first |
//! | `picture COLD WARMED` | how long readers waited, as an SVG; both are files of `readers` |

mod picture;
mod prime;
mod readers;
mod service;

use crate::Failure;

pub(crate) async fn run(words: &[&str]) -> Result<(), Failure> {
    match *words {
        ["service", name, store, cache, door, log] => {
            service::Service::new(name, store.parse()?, cache.parse()?, log.as_ref())?.serve(door.parse()?).await
        }
        ["readers", dir, proxy] => readers::read_for_ever(dir.as_ref(), proxy.parse()?).await,
        ["prime", log, door] => prime::prime(log.as_ref(), door.parse()?).await,
        ["picture", cold, warmed] => picture::draw(cold.as_ref(), warmed.as_ref()),
        _ => Err("usage: service NAME STORE CACHE DOOR LOG | readers DIR PROXY | prime LOG DOOR | picture COLD WARMED"
            .into()),
    }
}
