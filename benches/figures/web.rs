//! A little server on this machine that says numbers and remembers when it was asked for what.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Instant;

/// What was asked for and answered, when it was heard, and when the answer had been given away.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) path: String,
    pub(crate) said: String,
    pub(crate) heard: Instant,
    pub(crate) answered: Instant,
}

/// All that was asked so far.
pub(crate) type Log = Arc<Mutex<Vec<Asked>>>;

/// Serves until the process ends, one thread a connection; `say` makes the body of the answer to a path.
pub(crate) fn serve(say: impl Fn(&str) -> String + Send + Sync + 'static) -> std::io::Result<(SocketAddr, Log)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let log = Log::default();
    let (say, kept) = (Arc::new(say), Arc::clone(&log));
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let (say, log) = (Arc::clone(&say), Arc::clone(&kept));
            let talk = move || drop(talk(stream, &*say, &log));
            std::thread::Builder::new().stack_size(64 << 10).spawn(talk).expect("there is room for a thread");
        }
    });
    Ok((address, log))
}

/// Requests without a body, one after the other, until the other side goes away.
fn talk(mut stream: TcpStream, say: &dyn Fn(&str) -> String, log: &Log) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut unread = Vec::new();
    let mut buffer = [0; 2048];
    loop {
        while let Some(end) = unread.windows(4).position(|four| four == b"\r\n\r\n") {
            let at = Instant::now();
            let head = String::from_utf8_lossy(&unread[..end]).into_owned();
            unread.drain(..end + 4);
            let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
            let body = say(&path);
            let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len());
            stream.write_all(answer.as_bytes())?;
            log.lock().expect("nobody panics with it").push(Asked {
                path,
                said: body,
                heard: at,
                answered: Instant::now(),
            });
        }
        match stream.read(&mut buffer)? {
            0 => return Ok(()),
            count => unread.extend_from_slice(&buffer[..count]),
        }
    }
}
