//! What all attempts of the live driver have in common: how they are told to stop, what judges their `expect`, how they
//! end. It knows no protocol.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value as Json};
use tokio::sync::watch;

use super::outputs::Outputs;
use super::secret::Secrets;
use crate::model::{AttemptEnd, Verdict};

/// The end of an attempt.
#[derive(Clone, Debug, PartialEq)]
pub struct Ended {
    /// How (R5). It is reported when no carrier of the attempt is left.
    pub end: AttemptEnd,
    /// For people; secrets are masked.
    pub evidence: String,
    /// What later steps may read.
    pub outputs: Outputs,
}

impl Ended {
    pub(super) fn new(end: AttemptEnd, evidence: impl Into<String>) -> Self {
        Self { end, evidence: evidence.into(), outputs: Outputs::default() }
    }
}

/// The names that only one action's `expect` knows: `status`, `row`, ...
pub type Locals = Map<String, Json>;

/// Judges an `expect` over the locals of an answer: the verdict and its evidence.
pub type Expect = Arc<dyn Fn(&Locals) -> (Verdict, String) + Send + Sync>;

/// What is wrong with an answer, if its `expect` does not hold.
pub(super) fn unexpected(expect: Option<&Expect>, locals: &Locals, secrets: &Secrets) -> Option<String> {
    let expect = expect?;
    let (verdict, _) = expect(locals);
    // The evidence may be shortened: what is cut off a secret would leave a part that is not recognised any more.
    let evidence = || {
        let masked = locals.iter().map(|(name, value)| (name.clone(), secrets.mask_json(value))).collect();
        secrets.mask(&expect(&masked).1).into_owned()
    };
    match verdict {
        Verdict::Holds => None,
        Verdict::Fails => Some(format!("not as expected: {}", evidence())),
        Verdict::NoData => Some(format!("not known whether as expected: {}", evidence())),
    }
}

/// The order to stop an attempt, as the attempt hears it. A sender that is gone has nothing more to say.
#[derive(Clone, Debug)]
pub struct Stop(watch::Receiver<bool>);

/// The other end of [`Stop`].
#[derive(Debug)]
pub struct Stopper(watch::Sender<bool>);

/// An order to stop and its hearer.
pub fn stopper() -> (Stopper, Stop) {
    let (sender, receiver) = watch::channel(false);
    (Stopper(sender), Stop(receiver))
}

impl Stopper {
    /// Gives the order; again changes nothing.
    pub fn stop(&self) {
        self.0.send_replace(true);
    }
}

impl Stop {
    /// Waits for the order, for ever if it never comes.
    pub async fn ordered(&mut self) {
        if self.0.wait_for(|stop| *stop).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// Why an attempt was cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cut {
    /// Its bound passed.
    Late,
    /// The engine said so.
    Stopped,
}

impl Cut {
    pub(super) const fn end(self) -> AttemptEnd {
        match self {
            Self::Late => AttemptEnd::Unknown,
            Self::Stopped => AttemptEnd::Stopped,
        }
    }

    pub(super) fn words(self, bound: Duration) -> String {
        match self {
            Self::Late => format!("no end within {}", crate::model::Span::from(bound)),
            Self::Stopped => "stopped".to_owned(),
        }
    }
}
