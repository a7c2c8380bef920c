//! `attach`: watches a run that another process drives, and asks at this terminal what it asks.
//!
//! Whatever is answered here goes through the run's control socket, as any order from elsewhere. Leaving touches nothing.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal as _};
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use super::args;
use super::exit::Exit;
use super::failure::Failure;
use super::output::{print, say};
use super::past::Past;
use super::runs::State;
use super::stage::{self, theme};
use crate::drive::live::asking::{Asking, Decision, WorkEnd};
use crate::drive::live::control::{Caller, ControlError, News, Request, Want};
use crate::drive::live::open::Open;
use crate::drive::live::questions::{Scene, Terminal, is_going_back};
use crate::drive::live::samples::Readings;
use crate::drive::live::start;
use crate::engine::{Answer, Standing};
use crate::model::{Action, AttemptId, RunId, RunOutcome};
use crate::report::{Reporter, Told};

/// How often the screen is brought up to date.
const REFRESH: Duration = Duration::from_millis(250);

/// Watches a run until its process ends, or the person here leaves.
pub(super) fn attach(args: &args::Reading, state: &State) -> Result<Exit, Failure> {
    let past = Past::find(state, args.run.as_deref())?;
    let run = past.run.clone();
    let news = Caller::call(past.folder.path()).and_then(|caller| caller.subscribe(&stage::user()));
    let news = news.map_err(|error| match error {
        ControlError::NobodyThere => Failure::refused(format!("no process drives run {run}"))
            .hint(format!("`runbook show {run}` tells its story, `runbook resume {run}` takes it up")),
        other => Failure::could_not(other),
    })?;
    if args.json {
        news.map_while(Result::ok).for_each(|line| say(&line));
    } else {
        // What happened before the news began is in the journal by now.
        let watch = Watch::of(state, run.clone())?;
        if stage::runtime()?.block_on(watch.go_on(news))? == Parting::Left {
            say(&format!("run {run} goes on; `runbook attach {run}` shows it again"));
            return Ok(Exit::Interrupted);
        }
    }
    let past = Past::read(state, run)?;
    if !args.json {
        let width = super::read::size().0;
        print(&past.story.summary(&past.plan, width, theme(true)));
    }
    Ok(match past.engine.standing() {
        Standing::Ended(RunOutcome::Succeeded) => Exit::Good,
        Standing::Ended(RunOutcome::Refused) => Exit::Refused,
        Standing::Ended(RunOutcome::RolledBack) => Exit::RolledBack,
        Standing::Ended(RunOutcome::Stopped) => Exit::Stopped,
        Standing::Stuck => Exit::Stuck,
        _ => Exit::Waiting,
    })
}

/// How the watching ends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Parting {
    /// The process of the run has ended.
    ItEnded,
    /// The person here has left.
    Left,
}

/// A run as it is seen, and asked about, here.
struct Watch<'a> {
    state: &'a State,
    past: Past,
    /// All that was told in it.
    news: Vec<Told>,
    /// What people are asked for.
    open: Open,
    readings: Readings,
    asking: Asking,
    reporter: Box<dyn Reporter>,
    /// So much of its news has been told.
    told: usize,
}

impl<'a> Watch<'a> {
    fn of(state: &'a State, run: RunId) -> Result<Self, Failure> {
        let mut news = Vec::new();
        let past = Past::hear(state, run, |told| news.push(told))?;
        let at_terminal = io::stdout().is_terminal();
        let asks = at_terminal && io::stdin().is_terminal();
        let mut watch = Self {
            state,
            open: Open::default(),
            readings: Readings::of(past.folder.path()),
            asking: Asking::at(asks.then(|| theme(true))),
            reporter: stage::reporter_at(&past.plan, at_terminal),
            past,
            news,
            told: 0,
        };
        watch.look_for_questions()?;
        Ok(watch)
    }

    /// Shows the run as its journal grows, until the news ends.
    async fn go_on(mut self, mut news: News) -> Result<Parting, Failure> {
        let failed = |error: io::Error| Failure::could_not(format!("listen to signals: {error}"));
        let mut interrupted = signal(SignalKind::interrupt()).map_err(failed)?;
        let (sender, mut heard) = mpsc::unbounded_channel();
        std::thread::spawn(move || news.try_for_each(|line| line.is_ok_and(|_| sender.send(()).is_ok()).then_some(())));
        let parting = loop {
            self.show();
            tokio::select! {
                more = heard.recv() => {
                    if more.is_none() {
                        break Parting::ItEnded;
                    }
                    while heard.try_recv().is_ok() {}
                    self.read_again()?;
                }
                reply = self.asking.reply() => {
                    let decision = self.asking.decide(reply, &self.open, is_going_back(&self.past.engine));
                    if self.answer(decision)? == Some(Parting::Left) {
                        break Parting::Left;
                    }
                }
                _ = interrupted.recv() => break Parting::Left,
                () = tokio::time::sleep(REFRESH) => {}
            }
        };
        self.asking.clear(&mut *self.reporter);
        self.read_again()?;
        self.tell();
        self.reporter.finish();
        Ok(parting)
    }

    fn read_again(&mut self) -> Result<(), Failure> {
        let mut news = Vec::new();
        self.past = Past::hear(self.state, self.past.run.clone(), |told| news.push(told))?;
        self.news = news;
        self.look_for_questions()
    }

    /// What is asked reads as it does at the run's own terminal.
    fn look_for_questions(&mut self) -> Result<(), Failure> {
        let past = &mut self.past;
        self.open = Open::default();
        let is_manual = |it: &AttemptId| matches!(past.plan.step(it.step).work(it.part).action, Action::Manual(_));
        if past.outstanding.gates.is_empty() && !past.outstanding.attempts.keys().any(is_manual) {
            return Ok(());
        }
        // Secrets stand in no question.
        let recalled = start::recall(&past.folder, &past.plan, &past.bytes, &BTreeMap::new());
        let scope = recalled.map_err(Failure::could_not)?.scope;
        self.open = Open::elsewhere(&past.plan, &past.outstanding, &past.story.view, &scope);
        Ok(())
    }

    fn tell(&mut self) {
        self.news[self.told..].iter().for_each(|told| self.reporter.tell(told));
        self.told = self.news.len();
    }

    fn show(&mut self) {
        self.tell();
        self.past.look();
        self.past.show_measured(&mut self.readings);
        let scene = Scene {
            plan: &self.past.plan,
            engine: &self.past.engine,
            view: &self.past.story.view,
            head: self.past.story.head.clone().unwrap_or_default(),
            at: Terminal::Attached,
        };
        self.asking.turn(&self.open, &scene, &mut *self.reporter);
        self.reporter.refresh(&self.past.story.view);
    }

    /// Brings an answer to the run.
    fn answer(&mut self, decision: Decision) -> Result<Option<Parting>, Failure> {
        let name = |step| self.past.plan.step(step).name.clone();
        let (want, reason) = match decision {
            Decision::Nothing | Decision::GoOn => return Ok(None),
            Decision::Interrupted | Decision::Leave => return Ok(Some(Parting::Left)),
            Decision::Gate(gate, answer, confirm) => {
                (Want::Answer { gate: Some(name(gate)), go: answer == Answer::Go, confirm }, None)
            }
            Decision::Work(attempt, end, note) => {
                (Want::Work { step: name(attempt.step), done: end == WorkEnd::Done, note }, None)
            }
            Decision::Order(act, reason) => (Want::Act(act), reason),
        };
        let request = Request { want, user: stage::user(), reason };
        match Caller::call(self.past.folder.path()).and_then(|mut caller| caller.ask(&request)) {
            Ok(()) => {}
            Err(ControlError::Refused(why)) => self.asking.remark(why),
            Err(error) => self.asking.remark(format!("could not {error}")),
        }
        // It is on the disk by now: what was answered is not asked again.
        self.read_again()?;
        Ok(None)
    }
}
