//! What drivers bring to a session, and what they take away.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value as Json;

use crate::engine::{Act, Answer, Command, Event, Notice};
use crate::journal::{Clock, Extension, Who};
use crate::model::{FactId, Spends, Summaries, Time};

/// An event with all that is known about it.
#[derive(Clone, Debug, PartialEq)]
pub struct Fact {
    /// What happened.
    pub event: Event,
    /// Details for people; no rule reads them.
    pub evidence: Option<String>,
    /// What an attempt left for later steps.
    pub outputs: BTreeMap<String, Json>,
    /// The figures of the baseline, with [`Event::BaselineTaken`] and [`Event::BaselineBlind`].
    pub baseline: Summaries,
    /// What a budget has spent, with [`Event::SpendNoted`].
    pub spent: Spends,
    /// Digest of what was sent.
    pub sent: Option<String>,
    /// Who asked for it.
    pub who: Option<Who>,
    /// What the boot clock says, with [`Event::RunResumed`].
    pub clock: Option<Clock>,
    /// Deadlines that an operator moves, with [`Event::RunResumed`].
    pub extend: Vec<Extension>,
}

impl Fact {
    /// The bare event.
    pub fn new(event: Event) -> Self {
        Self {
            event,
            evidence: None,
            outputs: BTreeMap::new(),
            baseline: Summaries::new(),
            spent: Spends::new(),
            sent: None,
            who: None,
            clock: None,
            extend: Vec::new(),
        }
    }

    /// The same with details for people; the session cuts the middle out of what is too long to keep.
    #[must_use]
    pub fn with_evidence(mut self, evidence: impl Into<String>) -> Self {
        self.evidence = Some(evidence.into());
        self
    }

    /// The same, asked for by somebody.
    #[must_use]
    pub fn by(mut self, who: Who) -> Self {
        self.who = Some(who);
        self
    }

    /// Its place within a group (R19): what stops the run, then what ended or was measured, then what lets it go on. Due
    /// deadlines come behind all of them, and the beginning of a process before.
    pub fn urgency(&self) -> Urgency {
        match &self.event {
            Event::RunBegan | Event::RunResumed => Urgency::Beginning,
            // What is spent is on record before what follows from it.
            Event::SpendNoted { .. }
            | Event::GuardBreached { .. }
            | Event::GuardBlind { .. }
            | Event::GateAnswered { answer: Answer::NoGo, .. }
            | Event::OperatorAsked {
                act:
                    Act::Pause | Act::Stop | Act::Rollback { .. } | Act::Hold { .. } | Act::HoldAfter { phase: Some(_) },
            } => Urgency::Stop,
            Event::AttemptEnded { .. }
            | Event::Judged { .. }
            | Event::GuardHeld { .. }
            | Event::GuardAwaited { .. }
            | Event::AnswerAwaited { .. }
            | Event::GuardWarned { .. }
            | Event::GuardEased { .. }
            | Event::WayBackJudged { .. }
            | Event::ProgressStalled { .. }
            | Event::BaselineTaken
            | Event::BaselineBlind
            | Event::WindowJudged { .. }
            | Event::WindowClosed { .. } => Urgency::World,
            Event::GateAnswered { answer: Answer::Go, .. }
            | Event::OperatorAsked {
                act:
                    Act::Resume
                    | Act::Retry { .. }
                    | Act::MarkDone { .. }
                    | Act::Skip { .. }
                    | Act::Advance { .. }
                    | Act::HoldAfter { phase: None }
                    | Act::Close,
            } => Urgency::Go,
            Event::DeadlineReached { .. } => Urgency::Deadline,
        }
    }
}

/// The order of facts that arrive together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Urgency {
    /// A process begins or takes over.
    Beginning,
    /// Breaches, stops and no-go.
    Stop,
    /// Exits and verdicts.
    World,
    /// Go.
    Go,
    /// What is due.
    Deadline,
}

/// Cuts the middle out of a text that is longer than `most` bytes.
pub(super) fn shortened(text: String, most: usize) -> String {
    const GAP: &str = " [...] ";
    if text.len() <= most {
        return text;
    }
    let half = most.saturating_sub(GAP.len()) / 2;
    let (head, tail) = (text.floor_char_boundary(half), text.ceil_char_boundary(text.len() - half));
    format!("{}{GAP}{}", &text[..head], &text[tail..])
}

/// One thing that follows from what was fed.
#[derive(Clone, Debug, PartialEq)]
pub enum Told {
    /// Do this. Deadlines are not among them: the session keeps those itself.
    Do(Command),
    /// Tell this.
    Tell(News),
}

/// A notice with where it comes from.
#[derive(Clone, Debug, PartialEq)]
pub struct News {
    /// When.
    pub at: Time,
    /// What.
    pub notice: Notice,
    /// The record it is from.
    pub fact: FactId,
    /// The evidence of the event behind it.
    pub evidence: Option<Arc<str>>,
    /// Who was behind that event.
    pub who: Option<Arc<Who>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_is_too_long_keeps_its_head_and_tail() {
        let text = shortened(format!("head{}tail", "ä".repeat(5000)), 100);
        assert!(text.len() <= 100 && text.starts_with("head") && text.ends_with("tail"), "{text}");
        assert_eq!(shortened("short".to_owned(), 100), "short");
    }
}
