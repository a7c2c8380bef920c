//! What a Prometheus remembers of a probe: the samples that it would have given in the past.
//!
//! The query, its templates, headers and secrets are those of the live probe; the server answers it for many moments at
//! once. A moment without an answer is a sample without data, as it would have been. A server that does not answer is
//! none: nothing is known then.

use std::collections::VecDeque;

use reqwest::Client;
use serde_json::Value as Json;
use tokio::time::timeout;

use super::http;
use super::probe::{exchange, taken_for};
use super::prometheus::{self, Moments};
use super::render::Errand;
use super::scope::RunScope;
use crate::journal::Wall;
use crate::model::{Probe, Prometheus, Span};

/// So many moments are asked for at once. Prometheus gives at most 11,000; this many are read whole, even of a few series.
const MOMENTS_MOST: u64 = 5_000;

/// Prometheus itself gives up a query after two minutes, unless it is told otherwise.
const ANSWER_WITHIN: Span = Span::from_secs(120);

/// A stretch of the past, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// Its beginning.
    pub from: Wall,
    /// Its end.
    pub to: Wall,
}

impl Stretch {
    /// How long it is.
    pub fn span(self) -> Span {
        Span::from_millis(u64::try_from(self.to.millis() - self.from.millis()).unwrap_or(0))
    }
}

/// A sample of the past.
pub(super) struct Past {
    pub(super) at: Wall,
    pub(super) value: Result<Json, String>,
}

/// The samples of one probe in a stretch, fetched as they are read.
pub(super) struct History<'a> {
    probe: &'a Probe,
    query: &'a Prometheus,
    scope: &'a RunScope,
    client: Option<Client>,
    /// The first moment that has not been asked for.
    next: Wall,
    to: Wall,
    fetched: VecDeque<Past>,
}

impl<'a> History<'a> {
    /// Of a probe that asks this query; nothing is asked yet. The moments are the multiples of its interval, which is what
    /// a cache in front of a server wants them to be.
    pub(super) fn new(probe: &'a Probe, query: &'a Prometheus, scope: &'a RunScope, stretch: Stretch) -> Self {
        let step = millis(probe.interval);
        let next = Wall::from_millis(stretch.from.millis().saturating_add(step - 1) / step * step);
        Self { probe, query, scope, client: None, next, to: stretch.to, fetched: VecDeque::new() }
    }

    /// Whether the query can be asked at all: what its templates read is there.
    pub(super) fn can_be_asked(&self) -> Result<(), String> {
        self.request(Moments { first: self.next, last: self.next, step: self.probe.interval }).map(drop)
    }

    /// The next sample, still to be taken; `None`: there is none any more.
    pub(super) async fn peek(&mut self) -> Result<Option<&Past>, String> {
        if self.fetched.is_empty() && self.next <= self.to {
            self.fetch().await.map_err(|why| self.scope.secrets().mask(&why).into_owned())?;
        }
        Ok(self.fetched.front())
    }

    /// Takes it.
    pub(super) fn take(&mut self) -> Option<Past> {
        self.fetched.pop_front()
    }

    async fn fetch(&mut self) -> Result<(), String> {
        let step = millis(self.probe.interval);
        let most = millis(self.probe.interval.times(MOMENTS_MOST - 1));
        let left = self.to.millis() - self.next.millis();
        let last = self.next.millis() + left.min(most) / step * step;
        let moments = Moments { first: self.next, last: Wall::from_millis(last), step: self.probe.interval };
        let request = self.request(moments)?;
        let secrets = self.scope.secrets();
        let client = match &self.client {
            Some(client) => client,
            None => self.client.insert(http::client(&request, self.probe.timeout.duration())?),
        };
        let answer = timeout(ANSWER_WITHIN.duration(), exchange(client, &request, &secrets)).await;
        let answer = answer.map_err(|_| format!("no answer within {ANSWER_WITHIN}"))??;
        let said = prometheus::said_over(&answer, moments)?;
        let at = |place: i64| Wall::from_millis(moments.first.millis() + place * step);
        let value = |value: Result<Json, String>| value.and_then(|value| taken_for(value, self.probe.as_));
        self.fetched.extend((0..).zip(said).map(|(place, said)| Past { at: at(place), value: value(said) }));
        self.next = Wall::from_millis(last + step);
        Ok(())
    }

    fn request(&self, moments: Moments) -> Result<http::Request, String> {
        prometheus::request_over(&Errand::sample(self.scope, ANSWER_WITHIN), self.query, moments)
    }
}

/// At least one.
fn millis(span: Span) -> i64 {
    i64::try_from(span.millis()).unwrap_or(i64::MAX).max(1)
}
