//! What is done to the log from outside of the services: a past is made up, and the right to write is given.

use serde_json::json;

use super::event::{DEPOSITS, Deposit, STREAM, WRITER};
use crate::Failure;
use crate::nats::{Appended, Nats, Provided};

/// Makes the stream, with `deposits` of earlier times and `old` as the writer.
///
/// As in a log that has seen something: every 20th deposit stands in it twice, the second time 50 places later, and every
/// 33rd has changed places with the one behind it.
pub(crate) async fn make(port: u16, deposits: u64) -> Result<(), Failure> {
    let mut log = Nats::connect(port).await?;
    let stream = json!({
        "name": STREAM, "subjects": [format!("{STREAM}.>")], "storage": "file", "retention": "limits", "discard": "new",
        "max_msgs": -1, "max_bytes": -1, "max_age": 0, "num_replicas": 1, "duplicate_window": 120_000_000_000_u64,
    });
    log.ask(&format!("STREAM.CREATE.{STREAM}"), &stream).await?;
    log.append(WRITER, None, &Provided::Always, b"old").await?;
    let mut numbers: Vec<u64> = (2..2 + deposits).collect();
    for place in (33..numbers.len()).step_by(33) {
        numbers.swap(place - 1, place);
    }
    for (place, number) in numbers.iter().enumerate() {
        put(&mut log, *number).await?;
        if let Some(earlier) = place.checked_sub(50).filter(|earlier| earlier % 20 == 0) {
            put(&mut log, numbers[earlier]).await?;
        }
    }
    // What is behind them all is there when it is answered.
    log.append(WRITER, None, &Provided::Always, b"old").await?;
    Ok(())
}

async fn put(log: &mut Nats, number: u64) -> Result<(), Failure> {
    let deposit = Deposit { number, by: "early".to_owned() };
    Ok(log.hand_over(DEPOSITS, &serde_json::to_vec(&deposit)?).await?)
}

/// Appends deposits once more that are in the log already, as somebody would who lost the answer and forgets to say that it
/// is the same one.
pub(crate) async fn repeat(port: u16, numbers: &[&str]) -> Result<(), Failure> {
    let mut log = Nats::connect(port).await?;
    for number in numbers {
        let deposit = Deposit { number: number.parse()?, by: "early".to_owned() };
        log.append(DEPOSITS, None, &Provided::Always, &serde_json::to_vec(&deposit)?).await?;
    }
    Ok(())
}

/// Gives the right to write, and prints the offset from which on that holds. One who has it already keeps it. Two who
/// appoint at the same time do so one after the other.
pub(crate) async fn appoint(port: u16, writer: &str) -> Result<(), Failure> {
    let mut log = Nats::connect(port).await?;
    loop {
        let (at, present) = log.last_of(STREAM, WRITER).await?.unwrap_or_default();
        if present == writer.as_bytes() {
            println!("{at}");
            return Ok(());
        }
        let provided = Provided::SubjectEndsAt(at);
        if let Appended::At(offset) = log.append(WRITER, None, &provided, writer.as_bytes()).await? {
            println!("{offset}");
            return Ok(());
        }
    }
}

/// Prints who has the right to write.
pub(crate) async fn print_writer(port: u16) -> Result<(), Failure> {
    let writer =
        Nats::connect(port).await?.last_of(STREAM, WRITER).await?.map(|(_, writer)| writer).unwrap_or_default();
    println!("{}", String::from_utf8(writer)?);
    Ok(())
}
