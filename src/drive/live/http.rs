//! Requests over HTTP: one attempt each, with an end that says what is known about its effect (R5).
//!
//! | what happened | end |
//! |---|---|
//! | an accepted status, and `expect` holds | done |
//! | any other answer | failed |
//! | no connection, an address that is none | failed: nothing was sent |
//! | 502 or 504 to anything but GET and HEAD: a gateway that lost the server behind it | unknown |
//! | connection lost, bound passed | unknown, reported after `settle` |
//! | stopped | stopped, reported with the answer, or after `settle` |
//!
//! It knows nothing of templates: a [`Request`] is rendered.

use std::sync::Once;
use std::time::{Duration, Instant};

use reqwest::header::CONTENT_LENGTH;
use reqwest::redirect::Policy;
use reqwest::{Client, Method, Url};
use serde_json::{Value as Json, json};
use tokio::time::{sleep, timeout};

use super::attempt::{Cut, Ended, Expect, Locals, Stop, unexpected};
use super::outputs::Outputs;
use super::reading::excerpt;
use super::secret::{Secrets, hex, keyed_digest};
use crate::model::{AttemptEnd, Output};

/// So much of a body is read; what is longer is cut off there.
pub const BODY_MAX: usize = 1024 * 1024;

/// So many redirects are followed, of a GET only: any other request would silently change its meaning.
const REDIRECTS_MAX: usize = 5;

/// A request as it is sent.
#[derive(Clone)]
pub struct Request {
    /// `GET`, `PUT`, ...
    pub method: String,
    /// Where to.
    pub url: String,
    /// Sent with it.
    pub headers: Vec<(String, String)>,
    /// Sent with it.
    pub body: Option<Vec<u8>>,
    /// First and last status that mean done.
    pub status: (u16, u16),
    /// Must hold over the answer too.
    pub expect: Option<Expect>,
    /// How long after a cut the request may still take effect.
    pub settle: Duration,
    /// The bound of the attempt.
    pub bound: Duration,
    /// What later steps may read.
    pub outputs: Vec<Output>,
}

/// An answer, as far as it was read.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: String,
    /// Whether the body was longer than [`BODY_MAX`].
    pub(super) cut: bool,
    /// From sending to the last byte.
    pub(super) took: Duration,
}

/// Why there is no answer.
pub(super) enum NoAnswer {
    /// It is certain that nothing was sent.
    NotSent(String),
    /// The request may have arrived.
    Lost(String),
}

impl Request {
    /// What pins in the journal what was sent: a digest of method, URL, headers and body, keyed by the run, since secrets
    /// may be among them.
    pub fn digest(&self, key: &[u8]) -> String {
        let whole = json!([self.method, self.url, self.headers, self.body.as_deref().map(hex)]);
        keyed_digest(key, whole.to_string().as_bytes())
    }

    /// Sends it and reports its end when nothing of it is under way any more.
    pub async fn perform(self, secrets: Secrets, mut stop: Stop) -> Ended {
        let begun = Instant::now();
        let client = match client(&self, self.bound) {
            Ok(client) => client,
            Err(why) => return self.ended(AttemptEnd::Failed, &why, &secrets),
        };
        // A little behind the bound of the connection, so that a connection that took all the time counts as one that
        // was never made.
        let bound = self.bound + Duration::from_millis(20);
        let mut exchange = Box::pin(timeout(bound, send(&client, &self)));
        let cut = tokio::select! {
            biased;
            ended = &mut exchange => match ended {
                Ok(Ok(answer)) => return self.judge(answer, &secrets).await,
                Ok(Err(NoAnswer::NotSent(why))) => return self.ended(AttemptEnd::Failed, &why, &secrets),
                Ok(Err(NoAnswer::Lost(why))) => {
                    sleep(self.settle).await;
                    return self.ended(AttemptEnd::Unknown, &why, &secrets);
                }
                Err(_) => Cut::Late,
            },
            () = stop.ordered() => Cut::Stopped,
        };
        let why = cut.words(self.bound);
        if cut == Cut::Late {
            drop(exchange);
            sleep(self.settle).await;
            return self.ended(cut.end(), &why, &secrets);
        }
        // What was sent cannot be taken back. An answer tells that it is over, sooner than the time to settle does.
        let settled = begun.elapsed() + self.settle;
        let why = match timeout(self.settle, exchange).await {
            Ok(Ok(Ok(answer))) => format!("{why}; answered {} nevertheless", answer.status),
            Ok(Ok(Err(NoAnswer::NotSent(lost)))) => format!("{why}; {lost}"),
            Ok(Ok(Err(NoAnswer::Lost(_))) | Err(_)) | Err(_) => {
                sleep(settled.saturating_sub(begun.elapsed())).await;
                why
            }
        };
        self.ended(cut.end(), &why, &secrets)
    }

    async fn judge(&self, answer: Answer, secrets: &Secrets) -> Ended {
        let said = format!("{} in {}", answer.status, crate::model::Span::from(answer.took));
        if !(self.status.0..=self.status.1).contains(&answer.status) {
            if matches!(answer.status, 502 | 504) && !matches!(self.method.as_str(), "GET" | "HEAD") {
                sleep(self.settle).await;
                let why = format!("{said}: the gateway cannot tell what became of it");
                return self.ended(AttemptEnd::Unknown, &why, secrets);
            }
            let why = format!("{said}, wanted {}; {}", accepted(self.status), excerpt(&secrets.mask(&answer.body)));
            return self.ended(AttemptEnd::Failed, &why, secrets);
        }
        if let Some(why) = unexpected(self.expect.as_ref(), &answer.locals(), secrets) {
            return self.ended(AttemptEnd::Failed, &format!("{said}, {why}"), secrets);
        }
        if answer.cut && !self.outputs.is_empty() {
            let why = format!("{said}, with a body over {} KiB: its outputs cannot be read", BODY_MAX / 1024);
            return self.ended(AttemptEnd::Failed, &why, secrets);
        }
        match Outputs::extract(&self.outputs, &answer.body, "", secrets) {
            Ok(outputs) => Ended { outputs, ..self.ended(AttemptEnd::Done, &said, secrets) },
            Err(error) => self.ended(AttemptEnd::Failed, &format!("{said}, but could not {error}"), secrets),
        }
    }

    fn ended(&self, end: AttemptEnd, why: &str, secrets: &Secrets) -> Ended {
        Ended::new(end, secrets.mask(&format!("{} {}: {why}", self.method, self.url)))
    }
}

impl Answer {
    /// What `expect` knows: `status`, `headers` (names in lower case), `body`, and `json` where the body is JSON.
    fn locals(&self) -> Locals {
        let mut locals = Locals::new();
        locals.insert("status".into(), self.status.into());
        let headers = self.headers.iter().map(|(name, value)| (name.clone(), Json::from(value.as_str()))).collect();
        locals.insert("headers".into(), Json::Object(headers));
        if let Ok(parsed) = serde_json::from_str::<Json>(&self.body) {
            locals.insert("json".into(), parsed);
        }
        locals.insert("body".into(), json!(self.body));
        locals
    }
}

fn accepted((first, last): (u16, u16)) -> String {
    if first == last { first.to_string() } else { format!("{first} to {last}") }
}

/// Sends a request and reads its answer.
pub(super) async fn send(client: &Client, request: &Request) -> Result<Answer, NoAnswer> {
    let not_sent = |why: String| NoAnswer::NotSent(why);
    let url = Url::parse(&request.url).map_err(|error| not_sent(format!("no address: {error}")))?;
    let method = Method::from_bytes(request.method.as_bytes()).map_err(|_| not_sent("no method of HTTP".to_owned()))?;
    let mut sending = client.request(method, url);
    for (name, value) in &request.headers {
        sending = sending.header(name, value);
    }
    let says_length = || request.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case(CONTENT_LENGTH.as_str()));
    match request.body.as_deref().unwrap_or_default() {
        // Where a body is expected, servers refuse what does not say that there is none (RFC 9110, 8.6).
        [] if ["POST", "PUT", "PATCH"].contains(&request.method.as_str()) && !says_length() => {
            sending = sending.header(CONTENT_LENGTH, 0);
        }
        [] => {}
        body => sending = sending.body(body.to_owned()),
    }
    let begun = Instant::now();
    let mut response = sending.send().await.map_err(|error| {
        let why = reason(&error);
        if error.is_connect() || error.is_builder() { NoAnswer::NotSent(why) } else { NoAnswer::Lost(why) }
    })?;
    let headers = response
        .headers()
        .iter()
        .map(|(name, value)| (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
        .collect();
    let mut body = Vec::new();
    let mut cut = false;
    while let Some(chunk) = response.chunk().await.map_err(|error| NoAnswer::Lost(reason(&error)))? {
        let room = BODY_MAX - body.len();
        body.extend_from_slice(&chunk[..chunk.len().min(room)]);
        if chunk.len() > room {
            cut = true;
            break;
        }
    }
    let body = String::from_utf8_lossy(&body).into_owned();
    Ok(Answer { status: response.status().as_u16(), headers, body, cut, took: begun.elapsed() })
}

/// The innermost reasons, without the address, which the caller names.
fn reason(error: &reqwest::Error) -> String {
    let mut reasons = Vec::new();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        reasons.push(cause.to_string());
        source = cause.source();
    }
    let phase = match () {
        () if error.is_connect() => "no connection",
        () if error.is_builder() => "not a request",
        () if error.is_redirect() => "redirected in vain",
        () => "connection lost",
    };
    reasons.pop().map_or_else(|| phase.to_owned(), |last| format!("{phase}: {last}"))
}

/// A client for one address. Attempts take a new one each, so that none inherits a connection that another one broke;
/// probes keep theirs.
pub(super) fn client(request: &Request, connect_within: Duration) -> Result<Client, String> {
    static PROVIDER: Once = Once::new();
    PROVIDER.call_once(|| {
        // An error means that one is installed already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
    let redirected = matches!(request.method.as_str(), "GET" | "HEAD");
    let redirects = if redirected { Policy::limited(REDIRECTS_MAX) } else { Policy::none() };
    let mut builder = Client::builder().redirect(redirects).connect_timeout(connect_within).tcp_nodelay(true);
    let url = Url::parse(&request.url).ok();
    if url.as_ref().is_some_and(is_loopback) {
        builder = builder.no_proxy();
    }
    let is_set = |name: &&str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    if !redirected && url.is_some_and(|url| stays_plain(&url, PROXIES.iter().any(is_set))) {
        // Every certificate of the host would be read for it: a few milliseconds that an undo need not wait.
        builder = builder.tls_certs_only([]);
    }
    builder.build().map_err(|error| format!("no client: {}", reason(&error)))
}

/// The variables of the environment that name a proxy for a plain address.
const PROXIES: [&str; 4] = ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"];

/// Whether a request that follows no redirect meets no TLS: neither at its address nor at a proxy.
fn stays_plain(url: &Url, behind_proxy: bool) -> bool {
    url.scheme() == "http" && (is_loopback(url) || !behind_proxy)
}

/// A proxy of the environment never stands between us and our own host.
fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    host == "localhost"
        || host.ends_with(".localhost")
        || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_known_by_name_and_by_number() {
        let loopback = |url: &str| is_loopback(&Url::parse(url).unwrap());
        for url in ["http://localhost/", "http://127.0.0.1:9/x", "http://[::1]:9/", "https://a.localhost/"] {
            assert!(loopback(url), "{url}");
        }
        for url in ["http://10.0.0.1/", "http://localhost.example/", "http://[2001:db8::1]/"] {
            assert!(!loopback(url), "{url}");
        }
    }

    #[test]
    fn certificates_are_left_out_only_where_neither_the_address_nor_a_proxy_speaks_tls() {
        let plain = |url: &str, behind_proxy| stays_plain(&Url::parse(url).unwrap(), behind_proxy);
        assert!(plain("http://db.example/x", false) && plain("http://127.0.0.1/x", true));
        assert!(!plain("http://db.example/x", true) && !plain("https://127.0.0.1/x", false));
    }

    #[test]
    fn the_digest_covers_every_part_and_their_borders() {
        let request = |url: &str, body: &str| Request {
            method: "PUT".into(),
            url: url.into(),
            headers: vec![],
            body: Some(body.into()),
            status: (200, 299),
            expect: None,
            settle: Duration::ZERO,
            bound: Duration::ZERO,
            outputs: vec![],
        };
        assert_eq!(request("http://a/", "b").digest(b"k"), request("http://a/", "b").digest(b"k"));
        assert_ne!(request("http://a/", "b").digest(b"k"), request("http://a/b", "").digest(b"k"));
    }
}
