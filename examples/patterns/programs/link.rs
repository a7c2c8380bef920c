//! The link between two places, which can be cut.
//!
//! A cut is silence, not a refusal: connections stay open and nothing comes through, new ones are taken and get no answer.
//! When the link is whole again what was open is closed, as by two hosts that meet after a long time.

use std::cell::RefCell;

use futures_util::future;
use serde_json::json;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::{Failure, http};

/// Carries what comes in at each LISTEN to its TARGET, both ports of 127.0.0.1. `PUT /cut` with `{ "on": true }` at port
/// `door` cuts all of it at once.
pub(crate) async fn carry(door: u16, ways: &[&str]) -> Result<(), Failure> {
    let (cut, seen) = watch::channel(false);
    let mut carriers = Vec::new();
    for way in ways {
        let (listen, target) = way.split_once('=').ok_or_else(|| format!("not LISTEN=TARGET: {way}"))?;
        let listener = TcpListener::bind(("127.0.0.1", listen.parse()?)).await?;
        carriers.push(accept_for_ever(listener, target.parse()?, seen.clone()));
    }
    let door = TcpListener::bind(("127.0.0.1", door)).await?;
    let cut = RefCell::new(cut);
    let answer = async |request: http::Request| match (request.method.as_str(), request.path.as_str()) {
        ("PUT", "/cut") if request.body["on"].is_boolean() => {
            cut.borrow_mut().send_replace(request.body["on"] == true);
            (200, request.body)
        }
        _ => (404, json!({ "error": "PUT /cut { on }" })),
    };
    future::join(http::serve(door, answer), future::join_all(carriers)).await;
    Ok(())
}

async fn accept_for_ever(listener: TcpListener, target: u16, cut: watch::Receiver<bool>) {
    loop {
        if let Ok((stream, _)) = listener.accept().await {
            tokio::task::spawn_local(carry_one(stream, target, cut.clone()));
        }
    }
}

async fn carry_one(mut near: TcpStream, target: u16, mut cut: watch::Receiver<bool>) {
    let mut silence = cut.clone();
    let carried = async {
        if let Ok(mut far) = TcpStream::connect(("127.0.0.1", target)).await {
            // One that breaks off has said all that the other needs to know.
            let _ = copy_bidirectional(&mut near, &mut far).await;
        }
    };
    tokio::pin!(carried);
    tokio::select! {
        biased;
        _ = silence.wait_for(|&cut| cut) => {}
        () = &mut carried => return,
    }
    let _ = cut.wait_for(|&cut| !cut).await; // an end of the sender is the end of this program
}
