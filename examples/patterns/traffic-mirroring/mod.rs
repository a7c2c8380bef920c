//! The programs of traffic-mirroring.
//!
//! | | |
//! |---|---|
//! | `version NAME STORE SHADOW DOOR [SHADOW-DOOR...]` | a version of the shop; what comes in at a SHADOW-DOOR changes the shadow store only |
//! | `differ DOOR OLD OLD NEW` | takes copies of requests in, has old answer each twice and new once, and counts who stands alone |

mod answer;
mod differ;
mod version;

use crate::Failure;

pub(crate) async fn run(words: &[&str]) -> Result<(), Failure> {
    match *words {
        ["version", name, store, shadow, door, ref shadow_doors @ ..] => {
            let shop = version::Version::new(name, store.parse()?, shadow.parse()?);
            shop.serve(door.parse()?, shadow_doors).await
        }
        ["differ", door, old, old_again, new] => {
            differ::Differ::new(old.parse()?, old_again.parse()?, new.parse()?).serve(door.parse()?).await
        }
        _ => Err("usage: version NAME STORE SHADOW DOOR [SHADOW-DOOR...] | differ DOOR OLD OLD NEW".into()),
    }
}
