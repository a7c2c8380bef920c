//! A person at a terminal who is asked one question at a time: which question is on the screen, and what an answer comes to.
//!
//! The same at the run's own terminal and at one that is attached to it. What becomes of an answer is the caller's.

use super::open::Open;
use super::prompt::{Prompt, Reply, may_ask};
use super::questions::{self, Move, Scene, Topic, Typing};
use crate::engine::{Act, Answer};
use crate::model::{AttemptId, StepId};
use crate::report::{Reporter, Theme};

/// What an answer comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Nothing yet: something is to be typed first, or it was no answer.
    Nothing,
    /// Ctrl-C.
    Interrupted,
    /// The interruption is taken back.
    GoOn,
    /// This process leaves.
    Leave,
    /// An answer at a gate; with the text that it wanted typed.
    Gate(StepId, Answer, Option<String>),
    /// A person's work is done, or could not be; with what they leave as proof.
    Work(AttemptId, WorkEnd, Option<String>),
    /// An order, and why.
    Order(Act, Option<String>),
}

/// How a person's work ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WorkEnd {
    /// As it was asked for.
    Done,
    /// It could not be done.
    Failed,
}

/// Who is asked, and what.
pub struct Asking {
    /// Where a person can be asked, and how that looks; `None`: nobody is there.
    terminal: Option<Theme>,
    shown: Option<Shown>,
    /// What was chosen, and wants something typed.
    typing: Option<(Topic, Typing)>,
    /// What was wrong with the last answer.
    remark: Option<String>,
    /// The screen is ours.
    suspended: bool,
}

/// A question on the screen.
struct Shown {
    topic: Topic,
    typing: Option<Typing>,
    choices: Vec<(String, Move)>,
    prompt: Prompt,
}

impl Asking {
    /// Asks at the terminal of this process, where there is one and somebody sits there.
    pub fn at(terminal: Option<Theme>) -> Self {
        Self { terminal, shown: None, typing: None, remark: None, suspended: false }
    }

    /// Whether somebody can be asked here.
    pub fn can_ask(&self) -> bool {
        self.terminal.is_some()
    }

    /// Nobody is there any more. What is on the screen is taken away with the next [`Self::turn`].
    pub fn lose_terminal(&mut self) {
        self.terminal = None;
    }

    /// What was being typed is not asked for any more.
    pub fn forget_typing(&mut self) {
        self.typing = None;
    }

    /// Says this above the next question: what was wrong with the last answer.
    pub fn remark(&mut self, text: impl Into<String>) {
        self.remark = Some(text.into());
    }

    /// What the person at the terminal does. Can be dropped at any await without losing it.
    pub async fn reply(&mut self) -> Reply {
        match &mut self.shown {
            Some(shown) => shown.prompt.reply().await,
            None => std::future::pending().await,
        }
    }

    /// Puts the question on the screen that is due now, and takes the one away that is not.
    pub fn turn(&mut self, open: &Open, scene: &Scene<'_>, reporter: &mut dyn Reporter) {
        let Some(theme) = self.terminal else { return self.clear(reporter) };
        let Some(topic) = questions::topic(open, scene.engine) else { return self.clear(reporter) };
        if self.typing.as_ref().is_some_and(|(of, _)| *of != topic) {
            self.typing = None;
        }
        let typing = self.typing.as_ref().map(|(_, typing)| typing.clone());
        let choices = questions::choices(topic, scene);
        let width = usize::from(console::Term::stdout().size().1).saturating_sub(1).max(20);
        let block = questions::block(topic, open, scene, self.remark.as_deref(), width);
        if let Some(shown) = &mut self.shown
            && (shown.topic, &shown.typing, &shown.choices) == (topic, &typing, &choices)
            && !shown.prompt.is_misplaced()
            && shown.prompt.refresh(block.clone())
        {
            return;
        }
        self.shown = None;
        if !may_ask() {
            return self.clear(reporter);
        }
        // What has happened since is told between two questions.
        if std::mem::replace(&mut self.suspended, true) {
            reporter.resume();
        }
        reporter.suspend();
        let question = questions::question(topic, typing.as_ref(), scene, theme != Theme::FULL);
        match Prompt::open(&question, block, theme) {
            Ok(prompt) => self.shown = Some(Shown { topic, typing, choices, prompt }),
            Err(error) => {
                tracing::warn!("could not ask at this terminal: {error}");
                self.terminal = None;
                self.clear(reporter);
            }
        }
    }

    /// Takes what is asked off the screen, and gives the screen back.
    pub fn clear(&mut self, reporter: &mut dyn Reporter) {
        self.shown = None;
        if std::mem::take(&mut self.suspended) {
            reporter.resume();
        }
    }

    /// What an answer comes to.
    pub fn decide(&mut self, reply: Reply, open: &Open, going_back: bool) -> Decision {
        let Some(shown) = self.shown.take() else { return Decision::Nothing };
        self.remark = None;
        match reply {
            Reply::Chosen(number) => match shown.choices.into_iter().nth(number) {
                Some((_, chosen)) => self.take_choice(shown.topic, chosen, open, going_back),
                None => Decision::Nothing,
            },
            Reply::Typed(text) => match shown.typing {
                Some(typing) => self.take_text(shown.topic, typing, text.trim()),
                None => Decision::Nothing,
            },
            Reply::Interrupted => Decision::Interrupted,
            // The end of input is not an answer: whoever has another terminal can give one.
            Reply::Gone => {
                self.terminal = None;
                Decision::Nothing
            }
        }
    }

    fn take_choice(&mut self, topic: Topic, chosen: Move, open: &Open, going_back: bool) -> Decision {
        match (topic, chosen) {
            (_, Move::GoOn) => Decision::GoOn,
            (_, Move::Leave) => Decision::Leave,
            (Topic::Gate(gate), Move::Go) => match open.gates.get(&gate).and_then(|gate| gate.confirm.clone()) {
                Some(text) => self.ask_to_type(topic, Typing::Confirm(text)),
                None => Decision::Gate(gate, Answer::Go, None),
            },
            (Topic::Gate(gate), Move::NoGo) => Decision::Gate(gate, Answer::NoGo, None),
            (Topic::Work(attempt), Move::Done) => match open.work.get(&attempt).and_then(|w| w.evidence.clone()) {
                Some(what) => self.ask_to_type(topic, Typing::Evidence(what)),
                None => Decision::Work(attempt, WorkEnd::Done, None),
            },
            (Topic::Work(attempt), Move::Failed) => {
                Decision::Work(attempt, WorkEnd::Failed, Some("could not be done".to_owned()))
            }
            (topic, Move::Order(act)) => {
                if questions::wants_reason(&act, going_back) {
                    return self.ask_to_type(topic, Typing::Reason(act));
                }
                Decision::Order(act, None)
            }
            (Topic::Interrupt | Topic::Decision(_), Move::Go | Move::NoGo | Move::Done | Move::Failed)
            | (Topic::Gate(_), Move::Done | Move::Failed)
            | (Topic::Work(_), Move::Go | Move::NoGo) => Decision::Nothing,
        }
    }

    fn ask_to_type(&mut self, topic: Topic, typing: Typing) -> Decision {
        self.typing = Some((topic, typing));
        Decision::Nothing
    }

    /// Nothing typed leads back to the choice.
    fn take_text(&mut self, topic: Topic, typing: Typing, text: &str) -> Decision {
        self.typing = None;
        if text.is_empty() {
            return Decision::Nothing;
        }
        match (topic, typing) {
            (Topic::Gate(gate), Typing::Confirm(wanted)) if wanted == text => {
                Decision::Gate(gate, Answer::Go, Some(wanted))
            }
            (_, Typing::Confirm(_)) => {
                self.remark("that was not the text: nothing was answered");
                Decision::Nothing
            }
            (Topic::Work(attempt), Typing::Evidence(_)) => {
                Decision::Work(attempt, WorkEnd::Done, Some(text.to_owned()))
            }
            (_, Typing::Evidence(_)) => Decision::Nothing,
            (_, Typing::Reason(act)) => Decision::Order(act, Some(text.to_owned())),
        }
    }
}
