//! The operator's desk: where orders come from, and where people are asked (R16, R17, R18).
//!
//! Signals, the control socket and the run's own terminal all end in [`Order`]s; what follows from one is the engine's.

use std::path::Path;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::asking::{Asking, Decision, WorkEnd};
use super::control::{Asked, Control, Want};
use super::open::Open;
use super::prompt::Reply;
use super::questions::{self, Scene};
use super::scope::RunScope;
use crate::drive::Fact;
use crate::engine::{Act, Answer, Engine, Event, Notice, Origin, Standing};
use crate::journal::{Via, Who};
use crate::model::{Action, AttemptEnd, AttemptId, OnInterrupt, Plan, RunId, StepId, Target};
use crate::report::{Reporter, Theme, Told, json_line};

/// What comes from people.
pub enum Order {
    /// A fact for the engine.
    Fact(Box<Fact>),
    /// A request from elsewhere, which [`Desk::weigh`] understands.
    Asked(Box<Asked>),
    /// Something that the desk has dealt with itself.
    Nothing,
}

/// Where people sit.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a fact of its own: who is here, whose the screen is, what Ctrl-C did"
)]
pub struct Desk {
    user: String,
    run: String,
    on_interrupt: OnInterrupt,
    watched: bool,
    left: bool,
    interrupts: Interrupts,
    control: Control,
    open: Open,
    asking: Asking,
    /// Ctrl-C has paused the run.
    paused: bool,
    /// How the run stood last.
    going_back: bool,
    halted: bool,
    /// The run has ended, and this process only watches.
    over: bool,
    /// One who waits for what becomes of an order.
    waiting: Option<Waiting>,
}

/// What a desk is made of.
pub struct Sitting<'a> {
    /// Who sits there.
    pub user: String,
    /// The run.
    pub run: &'a RunId,
    /// Its folder.
    pub folder: &'a Path,
    /// What a signal means where nobody can be asked.
    pub on_interrupt: OnInterrupt,
    /// Somebody looks at a screen that is brought up to date.
    pub watched: bool,
    /// Somebody can be asked there.
    pub terminal: Option<Theme>,
    /// The run has ended already.
    pub over: bool,
}

struct Interrupts {
    int: Signal,
    term: Signal,
    hup: Signal,
}

struct Waiting {
    reply: oneshot::Sender<Result<(), String>>,
    /// At a gate: it must have been answered.
    gate: Option<StepId>,
    answered: bool,
    refused: Option<String>,
}

impl Desk {
    /// A desk that listens to signals and to the run's control socket.
    pub fn new(sitting: Sitting<'_>) -> std::io::Result<Self> {
        let interrupts = Interrupts {
            int: signal(SignalKind::interrupt())?,
            term: signal(SignalKind::terminate())?,
            hup: signal(SignalKind::hangup())?,
        };
        Ok(Self {
            user: sitting.user,
            run: sitting.run.0.clone(),
            on_interrupt: sitting.on_interrupt,
            watched: sitting.watched,
            left: false,
            interrupts,
            control: Control::open(sitting.folder, sitting.run)?,
            open: Open::default(),
            asking: Asking::at(sitting.terminal),
            paused: false,
            going_back: false,
            halted: false,
            over: sitting.over,
            waiting: None,
        })
    }

    /// Who sits here.
    pub fn user(&self) -> String {
        self.user.clone()
    }

    /// Whether somebody looks at a screen.
    pub fn is_watched(&self) -> bool {
        self.watched
    }

    /// Whether this process was told to leave the run.
    pub fn has_left(&self) -> bool {
        self.left
    }

    /// Whether somebody can be asked here.
    pub fn can_ask(&self) -> bool {
        self.asking.can_ask()
    }

    /// The next order. Can be dropped at any await without losing one.
    pub async fn next(&mut self) -> Order {
        let late = self.open.work.values().map(|work| work.expires).min();
        let reply = self.asking.reply();
        let late = async {
            match late {
                Some(at) => tokio::time::sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            asked = self.control.next() => Order::Asked(Box::new(asked)),
            reply = reply => self.take_reply(reply),
            _ = self.interrupts.int.recv() => self.interrupt("INT"),
            _ = self.interrupts.term.recv() => self.signalled("TERM"),
            () = late => self.expire_work(),
            // Losing the terminal does not stop a run; there is nobody to ask any more.
            _ = self.interrupts.hup.recv() => {
                self.asking.lose_terminal();
                Order::Nothing
            }
        }
    }

    /// Ctrl-C: at a terminal it asks, and the second time it leaves (R18).
    fn interrupt(&mut self, signal: &str) -> Order {
        if self.over || !self.asking.can_ask() {
            return self.signalled(signal);
        }
        if self.open.interrupted {
            self.left = true;
            return Order::Nothing;
        }
        self.open.interrupted = true;
        self.asking.forget_typing();
        if self.paused || self.going_back {
            return Order::Nothing;
        }
        self.paused = true;
        self.order(Act::Pause, Some("Ctrl-C".to_owned()))
    }

    fn signalled(&mut self, signal: &str) -> Order {
        if self.over {
            // Only the watching ends: what the runbook says of signals is about a run that is under way.
            self.left = true;
            return Order::Nothing;
        }
        match self.on_interrupt {
            OnInterrupt::Leave => {
                self.left = true;
                Order::Nothing
            }
            OnInterrupt::Rollback => {
                let act = Act::Rollback { target: Target::Start, force: false };
                let who = Who { user: self.user(), via: Via::Signal, reason: Some(format!("signal {signal}")) };
                Order::Fact(Box::new(Fact::new(Event::OperatorAsked { act }).by(who)))
            }
        }
    }

    fn order(&self, act: Act, reason: Option<String>) -> Order {
        Order::Fact(Box::new(Fact::new(Event::OperatorAsked { act }).by(self.here(reason))))
    }

    fn here(&self, reason: Option<String>) -> Who {
        Who { user: self.user(), via: Via::Terminal, reason }
    }

    /// Nobody said in time that the work is done.
    fn expire_work(&mut self) -> Order {
        let now = Instant::now();
        let late = self.open.work.iter().find(|(_, work)| work.expires <= now).map(|(attempt, _)| *attempt);
        let Some(attempt) = late else { return Order::Nothing };
        self.open.work.remove(&attempt);
        let fact = Fact::new(Event::AttemptEnded { attempt, end: AttemptEnd::Failed });
        Order::Fact(Box::new(fact.with_evidence("nobody said in time that it was done")))
    }

    /// Asks people at a gate; returns the question as it reads. A text that cannot be rendered is shown as it is written.
    pub fn open_gate(&mut self, plan: &Plan, gate: StepId, scope: &RunScope) -> String {
        self.open.open_gate(plan, gate, scope).unwrap_or_default()
    }

    /// Takes the question away.
    pub fn close_gate(&mut self, gate: StepId) {
        self.open.gates.remove(&gate);
    }

    /// Asks a person to do a manual step.
    pub fn ask_for_work(&mut self, plan: &Plan, attempt: AttemptId, scope: &RunScope) {
        let Action::Manual(manual) = &plan.step(attempt.step).work(attempt.part).action else { return };
        self.open.open_work(plan, attempt, scope, manual.expires.duration());
    }

    /// Takes that off the screen; `true` if it was there.
    pub fn withdraw_work(&mut self, attempt: AttemptId) -> bool {
        self.open.work.remove(&attempt).is_some()
    }

    /// Something happened.
    pub fn tell(&mut self, plan: &Plan, told: &Told) {
        self.control.tell(|| json_line(plan, &self.run, told));
        match told.notice {
            Notice::RunFinished { .. } => self.over = true,
            Notice::RollbackStarted { .. } => self.over = false,
            _ => {}
        }
        let Some(waiting) = &mut self.waiting else { return };
        match told.notice {
            Notice::OrderIgnored => waiting.refused = Some("that cannot be done now".to_owned()),
            Notice::RollbackRefused { origin: Origin::Operator } => {
                waiting.refused = Some(crate::report::words::sentence(plan, told));
            }
            Notice::GateAnswered { gate, .. } if waiting.gate == Some(gate) => waiting.answered = true,
            _ => {}
        }
    }

    /// What became of the last order is told to the one who gave it. To be called when it has been fed.
    pub fn answer(&mut self) {
        let Some(waiting) = self.waiting.take() else { return };
        let answer = match waiting {
            Waiting { refused: Some(why), .. } => Err(why),
            Waiting { gate: Some(_), answered: false, .. } => Err("the gate is not open any more".to_owned()),
            Waiting { .. } => Ok(()),
        };
        // Who went away has not waited for it.
        let _ = waiting.reply.send(answer);
    }

    /// Turns a request from elsewhere into a fact, or tells why it is none.
    pub fn weigh(&mut self, asked: Asked, plan: &Plan, engine: &Engine) -> Option<Fact> {
        let Asked { want, who, reply } = asked;
        match self.understand(want, who, plan, engine) {
            Ok((fact, gate)) => {
                self.waiting = Some(Waiting { reply, gate, answered: false, refused: None });
                Some(fact)
            }
            Err(why) => {
                let _ = reply.send(Err(why));
                None
            }
        }
    }

    fn understand(
        &mut self,
        want: Want,
        who: Who,
        plan: &Plan,
        engine: &Engine,
    ) -> Result<(Fact, Option<StepId>), String> {
        match want {
            Want::Act(Act::MarkDone { step }) if self.work_of(step).is_some() => {
                let note = who.reason.clone();
                self.end_work(self.work_of(step), true, note, who).map(|fact| (fact, None))
            }
            Want::Act(act) => {
                if who.reason.is_none() && questions::wants_reason(&act, questions::is_going_back(engine)) {
                    return Err("that wants a reason: --reason TEXT".to_owned());
                }
                Ok((Fact::new(Event::OperatorAsked { act }).by(who), None))
            }
            Want::Answer { gate, go, confirm } => {
                let gate = self.find_gate(gate.as_deref(), plan)?;
                if go {
                    self.mind_confirmation(gate, confirm.as_deref())?;
                }
                let answer = if go { Answer::Go } else { Answer::NoGo };
                Ok((Fact::new(Event::GateAnswered { gate, answer }).by(who), Some(gate)))
            }
            Want::Work { step, done, note } => {
                let attempt = plan.step_named(&step).and_then(|step| self.work_of(step));
                self.end_work(attempt, done, note, who).map(|fact| (fact, None))
            }
            Want::Subscribe(_) => Err("that is no order".to_owned()),
        }
    }

    fn work_of(&self, step: StepId) -> Option<AttemptId> {
        self.open.work.keys().copied().find(|attempt| attempt.step == step)
    }

    fn end_work(
        &mut self,
        attempt: Option<AttemptId>,
        done: bool,
        note: Option<String>,
        who: Who,
    ) -> Result<Fact, String> {
        let attempt = attempt.ok_or_else(|| "nobody is asked to do that now".to_owned())?;
        self.open.work.remove(&attempt);
        let end = if done { AttemptEnd::Done } else { AttemptEnd::Failed };
        let fact = Fact::new(Event::AttemptEnded { attempt, end }).by(who);
        Ok(match note {
            Some(note) => fact.with_evidence(note),
            None => fact,
        })
    }

    fn find_gate(&self, name: Option<&str>, plan: &Plan) -> Result<StepId, String> {
        let open: Vec<StepId> = self.open.gates.keys().copied().collect();
        let names = || open.iter().map(|gate| plan.step(*gate).name.as_str()).collect::<Vec<_>>().join(", ");
        match (name, open.as_slice()) {
            (Some(name), _) => plan.step_named(name).filter(|gate| open.contains(gate)).ok_or_else(|| {
                let open = if open.is_empty() { "no gate is".to_owned() } else { format!("open is {}", names()) };
                format!("gate `{name}` is not open; {open}")
            }),
            (None, [one]) => Ok(*one),
            (None, []) => Err("no gate is open".to_owned()),
            (None, _) => Err(format!("name the gate; open are {}", names())),
        }
    }

    fn mind_confirmation(&self, gate: StepId, typed: Option<&str>) -> Result<(), String> {
        let wanted = self.open.gates.get(&gate).and_then(|gate| gate.confirm.as_deref());
        match (wanted, typed) {
            (Some(wanted), Some(typed)) if wanted == typed.trim() => Ok(()),
            (Some(wanted), Some(_)) => Err(format!("that is not the text; it wants `{wanted}`")),
            (Some(wanted), None) => Err(format!("it wants a text typed: --confirm '{wanted}'")),
            (None, _) => Ok(()),
        }
    }

    /// Puts the question on the screen that is due now, and takes the one away that is not.
    pub fn turn(&mut self, scene: &Scene<'_>, reporter: &mut dyn Reporter) {
        self.note_standing(scene.engine);
        if self.left || scene.engine.outcome().is_some() {
            return self.asking.clear(reporter);
        }
        self.asking.turn(&self.open, scene, reporter);
    }

    fn note_standing(&mut self, engine: &Engine) {
        self.going_back = questions::is_going_back(engine);
        let standing = engine.standing();
        // Somebody else may have let the run go on, or it went back.
        self.paused &= matches!(standing, Standing::Paused { origin: Origin::Operator, .. });
        let halted = matches!(standing, Standing::Paused { .. });
        if std::mem::replace(&mut self.halted, halted) && matches!(standing, Standing::Forward) {
            // That answers what was asked at Ctrl-C, and the next one pauses again.
            self.open.interrupted = false;
        }
    }

    fn take_reply(&mut self, reply: Reply) -> Order {
        match self.asking.decide(reply, &self.open, self.going_back) {
            Decision::Nothing => Order::Nothing,
            Decision::Interrupted => self.interrupt("INT"),
            Decision::GoOn => {
                self.open.interrupted = false;
                if std::mem::take(&mut self.paused) { self.order(Act::Resume, None) } else { Order::Nothing }
            }
            Decision::Leave => {
                self.left = true;
                Order::Nothing
            }
            Decision::Gate(gate, answer, _) => self.answer_gate(gate, answer),
            Decision::Work(attempt, end, note) => self.finish_work(attempt, end == WorkEnd::Done, note),
            Decision::Order(act, reason) => {
                self.open.interrupted = false;
                self.order(act, reason)
            }
        }
    }

    fn answer_gate(&mut self, gate: StepId, answer: Answer) -> Order {
        self.open.gates.remove(&gate);
        Order::Fact(Box::new(Fact::new(Event::GateAnswered { gate, answer }).by(self.here(None))))
    }

    fn finish_work(&mut self, attempt: AttemptId, done: bool, note: Option<String>) -> Order {
        let who = self.here(None);
        match self.end_work(Some(attempt), done, note, who) {
            Ok(fact) => Order::Fact(Box::new(fact)),
            Err(_) => Order::Nothing,
        }
    }

    /// Nobody sits here any more.
    pub async fn close(&mut self, reporter: &mut dyn Reporter) {
        self.asking.clear(reporter);
        self.control.close().await;
    }
}
