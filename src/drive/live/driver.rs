//! The loop of a live run: wait for facts, decide and remember them, act and tell.
//!
//! The only place where a run touches the outside world. It knows no rule of a runbook: what follows from a fact is the
//! engine's, what is written is the session's.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::time::Instant;

use super::attempt::Ended;
use super::attempts::{Attempts, Begun};
use super::awaited::Awaited;
use super::clock::Clock;
use super::desk::{Desk, Order};
use super::gauge::Gauge;
use super::keeper::KeeperError;
use super::probe::{Poller, Sample, Surroundings};
use super::questions::{Scene, Terminal};
use super::samples::Samples;
use super::scope::RunScope;
use super::secret_outputs;
use super::staying::{self, AfterSuccess};
use super::windows::Windows;
use crate::drive::{Fact, Session, Told};
use crate::engine::{Answer, Command, Event, Notice, Standing};
use crate::journal::{JournalError, Via, Who};
use crate::model::{Action, AttemptEnd, AttemptId, ConditionId, Part, Plan, ProbeId, RunOutcome, StepId, Time};
use crate::report::view::Afterwards;
use crate::report::{self, Reporter, View};

/// Samples that may wait to be judged; a poller waits for room, it never piles up more.
const SAMPLES_MOST: usize = 1024;

/// How often the screen is brought up to date.
const REFRESH: std::time::Duration = std::time::Duration::from_millis(125);

/// Nothing is waited for longer than that without a look around.
const IDLE: std::time::Duration = std::time::Duration::from_mins(10);

/// What the operator decided before the start.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Gates that are answered go when they open for the first time (`--go`).
    pub go: BTreeSet<StepId>,
    /// End resumably instead of waiting for people (`--no-wait`).
    pub no_wait: bool,
    /// What this process does once the run has succeeded.
    pub after_success: AfterSuccess,
}

/// Why the process of a run cannot go on. The run itself can: `resume` takes it up.
#[derive(Debug, thiserror::Error)]
pub enum DriveError {
    /// What is not recorded is not done.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// No step process can be started or heard of.
    #[error(transparent)]
    Keeper(#[from] KeeperError),
}

/// How the process of a run ended its part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parting {
    /// The run has ended.
    Ended(RunOutcome),
    /// A rollback could not be completed, and nobody is here to ask.
    Stuck,
    /// People are awaited, and this process does not wait (`--no-wait`, `--until`).
    Waiting,
    /// An operator or a signal let it go.
    Left,
}

/// A run, its surroundings, and those who are told.
pub struct Driver {
    plan: Arc<Plan>,
    session: Session,
    clock: Clock,
    folder: PathBuf,
    scope: Arc<RunScope>,
    gauge: Gauge,
    awaited: Awaited,
    poller: Poller,
    /// Where samples are kept for those who watch from elsewhere.
    kept: Samples,
    samples: mpsc::Receiver<Sample>,
    attempts: Attempts,
    windows: Windows,
    desk: Desk,
    reporter: Box<dyn Reporter>,
    view: View,
    options: Options,
    /// Facts that are known already and wait for the next feeding.
    pending: Vec<Fact>,
    /// When the screen is brought up to date again.
    refresh_at: Instant,
}

/// What a driver is made of.
pub struct Parts {
    /// The run.
    pub session: Session,
    /// Its time.
    pub clock: Clock,
    /// Its folder.
    pub folder: PathBuf,
    /// Its key.
    pub key: [u8; 32],
    /// Its variables, and what its steps left so far.
    pub scope: RunScope,
    /// Where orders come from and people are asked.
    pub desk: Desk,
    /// Who is told.
    pub reporter: Box<dyn Reporter>,
    /// How it stands so far.
    pub view: View,
    /// What was decided before the start.
    pub options: Options,
}

impl Driver {
    /// Ready to begin, or to take up, a run.
    pub fn new(parts: Parts) -> Self {
        let plan = Arc::clone(parts.session.plan());
        let scope = Arc::new(parts.scope);
        let (sender, samples) = mpsc::channel(SAMPLES_MOST);
        let surroundings = Surroundings { scope: Arc::clone(&scope), secrets: scope.secrets() };
        let mut view = parts.view;
        view.afterwards = match parts.options.after_success {
            AfterSuccess::Leave => Afterwards::Ends,
            AfterSuccess::Stay => Afterwards::Watches,
        };
        let clock = parts.clock.clone();
        let poller = Poller::new(Arc::clone(&plan), Arc::new(move || clock.time()), surroundings, sender);
        let mut gauge = Gauge::new(Arc::clone(&plan));
        gauge.restore_spends(parts.session.spent());
        Self {
            gauge,
            awaited: Awaited::from(parts.clock.time()),
            kept: Samples::new(Arc::clone(&plan), &parts.folder),
            attempts: Attempts::new(Arc::clone(&plan), parts.folder.clone(), parts.key),
            windows: Windows::new(&plan),
            plan,
            session: parts.session,
            clock: parts.clock,
            folder: parts.folder,
            scope,
            poller,
            samples,
            desk: parts.desk,
            reporter: parts.reporter,
            view,
            options: parts.options,
            pending: Vec::new(),
            refresh_at: Instant::now(),
        }
    }

    /// Begins the run with these facts, and carries it on until it ends or this process has no more part in it.
    pub async fn run(&mut self, beginning: Vec<Fact>) -> Result<Parting, DriveError> {
        self.pending = beginning;
        let result = self.go_on().await;
        self.kept.write();
        self.desk.close(&mut *self.reporter).await;
        self.show();
        self.reporter.finish();
        let parting = result?;
        // A run that may go on keeps the room that was written ahead: the disk may be full by then (R19).
        if let Parting::Ended(_) = parting {
            self.session.close()?;
        }
        Ok(parting)
    }

    /// Learns what became of the attempts that an earlier process had started; their ends come as facts.
    pub async fn take_up(&mut self) -> Result<(), DriveError> {
        let attempts = self.session.outstanding().attempts.clone();
        for attempt in self.attempts.take_up(&attempts).await? {
            self.desk.ask_for_work(&self.plan, attempt, &self.scope);
        }
        Ok(())
    }

    async fn go_on(&mut self) -> Result<Parting, DriveError> {
        loop {
            // Decide in memory, write down facts and decisions, sync once for all of them.
            let facts = std::mem::take(&mut self.pending);
            if self.session.engine().has_baseline() {
                self.session.note_measured(self.gauge.compared());
            }
            if self.gauge.has_budgets() {
                self.session.note_spent(self.gauge.spends());
            }
            let told = self.session.feed(self.clock.now(), facts)?;

            // Act and tell, all of it, before waiting again. Nobody who listens holds up what is to be done.
            let mut news = Vec::new();
            let acted = self.act(told, &mut news).await;
            for told in &news {
                self.reporter.tell(told);
                self.desk.tell(&self.plan, told);
            }
            acted?;
            self.desk.answer();
            if let Some(parting) = self.parting() {
                return Ok(parting);
            }
            self.ask_people();
            if self.pending.is_empty() {
                self.pending = self.awaited.look(self.session.engine(), &self.gauge, self.clock.time());
            }
            if self.pending.is_empty() {
                self.kept.write();
                self.poll_what_is_needed();
                self.wait_for_facts().await?;
            }
        }
    }

    /// Carries out every order in its turn among the news, which it takes in and gathers for those who listen.
    async fn act(&mut self, told: Vec<Told>, news: &mut Vec<report::Told>) -> Result<(), DriveError> {
        for told in told {
            match told {
                Told::Do(command) => self.perform(command).await?,
                Told::Tell(this) => {
                    let told = super::telling::told(&this, self.session.header());
                    self.note_outcome(&this.notice);
                    self.note_baseline(&this.notice);
                    self.view.take(&self.plan, &told);
                    news.push(told);
                }
            }
        }
        Ok(())
    }

    /// Whether this process has no more part in the run.
    fn parting(&mut self) -> Option<Parting> {
        if !self.pending.is_empty() {
            return None;
        }
        if let Some(outcome) = self.session.outcome() {
            return (!self.stays()).then_some(Parting::Ended(outcome));
        }
        if self.desk.has_left() {
            return Some(Parting::Left);
        }
        let engine = self.session.engine();
        if !engine.awaits_people() || !self.attempts.is_idle() || self.windows.owes_an_answer() {
            return None;
        }
        match engine.standing() {
            Standing::Stuck if !self.desk.can_ask() => Some(Parting::Stuck),
            Standing::Paused { origin: crate::engine::Origin::Until(_), .. } => Some(Parting::Waiting),
            // Whoever holds a ramp wants it watched there.
            _ if self.options.no_wait && !engine.holds_a_ramp() => Some(Parting::Waiting),
            _ => None,
        }
    }

    /// Whether the run has succeeded, and this process watches its ways back (R24).
    fn stays(&self) -> bool {
        match self.options.after_success {
            AfterSuccess::Leave => false,
            AfterSuccess::Stay => !self.desk.has_left() && staying::is_worth_watching(self.session.engine()),
        }
    }

    /// Waits until something has happened, and takes all that is there.
    async fn wait_for_facts(&mut self) -> Result<(), DriveError> {
        let closes = self.view.closes();
        let now = self.clock.time();
        let measured = [self.gauge.next_wakeup(), self.awaited.next(&self.gauge, now)].into_iter().flatten().min();
        let wakes = [self.session.next_deadline(), measured, self.windows.next_change(), closes];
        let wake = wakes.into_iter().flatten().min();
        let pause = wake.map_or(IDLE, |at| at.since(now).duration());
        let watched = self.desk.is_watched();
        tokio::select! {
            biased;
            order = self.desk.next() => self.take_order(order),
            ended = self.attempts.next(&self.scope) => {
                let (attempt, ended) = ended?;
                self.take_end(attempt, ended);
            }
            Some(sample) = self.samples.recv() => self.take_sample(sample),
            () = tokio::time::sleep(pause) => {}
            () = tokio::time::sleep_until(self.refresh_at), if watched => {}
        }
        // However busy it is, whoever looks sees how it stands.
        if watched && self.refresh_at <= Instant::now() {
            self.show();
            self.refresh_at = Instant::now() + REFRESH;
        }
        // Whatever else is there already belongs to the same group.
        while let Some((attempt, ended)) = self.attempts.next_known(&self.scope) {
            self.take_end(attempt, ended);
        }
        while let Ok(sample) = self.samples.try_recv() {
            self.take_sample(sample);
        }
        let now = self.clock.now();
        if self.gauge.next_wakeup().is_some_and(|at| at <= now.at) {
            let facts = self.gauge.refresh(&self.scope, now.at);
            self.pending.extend(facts);
        }
        self.pending.extend(self.windows.look(now));
        self.pending.extend(staying::close(self.session.engine(), closes, now.at));
        Ok(())
    }

    fn take_sample(&mut self, sample: Sample) {
        let (probe, why_none) = (sample.probe, sample.why_none.clone());
        if self.gauge.has_budgets() {
            self.gauge.expect_end(self.view.phases_end(self.clock.time()));
        }
        let facts = self.gauge.sample(sample, &self.scope);
        self.kept.note(probe, why_none, &self.gauge, self.clock.now());
        self.pending.extend(facts);
    }

    fn take_order(&mut self, order: Order) {
        match order {
            Order::Fact(fact) => self.pending.push(*fact),
            Order::Asked(asked) => self.pending.extend(self.desk.weigh(*asked, &self.plan, self.session.engine())),
            Order::Nothing => {}
        }
    }

    fn take_end(&mut self, attempt: AttemptId, ended: Ended) {
        let mut fact = Fact::new(Event::AttemptEnded { attempt, end: ended.end }).with_evidence(ended.evidence);
        fact.sent = self.attempts.digest(attempt);
        if ended.end == AttemptEnd::Done && attempt.part == Part::Forward {
            if !ended.outputs.secret.is_empty() {
                // Without the file the step is done all the same; only a later process would miss the value.
                let kept = secret_outputs::keep(&self.folder, &self.plan, attempt.step, &ended.outputs.secret);
                if let Err(error) = kept {
                    tracing::warn!("could not keep the secret outputs of a step: {error}");
                }
            }
            Arc::make_mut(&mut self.scope).note_outputs(attempt.step, &ended.outputs);
            self.lend_scope();
            fact.outputs = ended.outputs.open;
        }
        self.pending.push(fact);
    }

    /// What polls work from has changed.
    fn lend_scope(&mut self) {
        if !self.plan.probes().is_empty() {
            let secrets = self.scope.secrets();
            self.poller.set_surroundings(Surroundings { scope: Arc::clone(&self.scope), secrets });
        }
    }

    async fn perform(&mut self, command: Command) -> Result<(), DriveError> {
        let now = self.clock.time();
        self.awaited.note(command);
        match command {
            Command::StartAttempt { attempt } => {
                Arc::make_mut(&mut self.scope).note_attempt(attempt);
                if let Begun::Manual = self.attempts.start(attempt, &self.scope).await? {
                    self.desk.ask_for_work(&self.plan, attempt, &self.scope);
                }
            }
            Command::TakeValue { step, value } => Arc::make_mut(&mut self.scope).note_value(step, value),
            Command::StopAttempt { attempt } => {
                self.attempts.stop(attempt);
                if self.desk.withdraw_work(attempt) {
                    let fact = Fact::new(Event::AttemptEnded { attempt, end: AttemptEnd::Stopped });
                    self.pending.push(fact.with_evidence("taken off the screen"));
                }
            }
            Command::Ask { question, since } => {
                let since = self.session.time_of(since).unwrap_or(now);
                let facts = self.gauge.ask(question, since, &self.scope);
                self.pending.extend(facts);
                self.hurry(&probes_of(&self.plan, question.asked.condition(&self.plan)));
            }
            Command::Withdraw { question } => self.gauge.withdraw(question),
            Command::WatchGuard { guard } => {
                let facts = self.gauge.watch_guard(guard, &self.scope, now);
                self.pending.extend(facts);
                self.hurry(&self.plan.guard_probes(guard));
            }
            Command::UnwatchGuard { guard } => {
                let facts = self.gauge.unwatch_guard(guard);
                // The record that ended the run has it already.
                if self.session.outcome().is_none() {
                    self.pending.extend(facts);
                }
            }
            Command::WatchWayBack { step } => {
                let facts = self.gauge.watch_way_back(step, &self.scope, now);
                self.pending.extend(facts);
            }
            Command::UnwatchWayBack { step } => self.gauge.unwatch_way_back(step),
            Command::WatchProgress { attempt } => {
                self.gauge.watch_progress(attempt, now);
                let probe = self.plan.step(attempt.step).progress.map(|progress| progress.probe);
                self.hurry(probe.as_slice());
            }
            Command::UnwatchProgress { attempt } => self.gauge.unwatch_progress(attempt),
            Command::TakeBaseline => {
                self.gauge.take_baseline(now);
                self.hurry(&baseline_probes(&self.plan));
            }
            Command::DropBaseline => self.gauge.drop_baseline(),
            Command::OpenGate { gate } => self.open_gate(gate),
            Command::CloseGate { gate } => self.desk.close_gate(gate),
            Command::CheckWindow { phase } => self.windows.check(phase),
            Command::WatchWindow { phase } => self.windows.watch(phase),
            Command::ForgetWindow { phase } => self.windows.forget(phase),
            Command::Forget { step } => {
                Arc::make_mut(&mut self.scope).forget(step);
                self.lend_scope();
            }
            // The session keeps the times of deadlines.
            Command::Arm { .. } | Command::Disarm { .. } | Command::Hold { .. } | Command::Release { .. } => {}
        }
        self.view.order(&self.plan, now, &command);
        Ok(())
    }

    /// Polls what is judged, what people are shown at open gates (their evidence stays fresh, R16), and what they compare
    /// with the baseline.
    fn poll_what_is_needed(&mut self) {
        let mut needed = self.gauge.needed();
        for gate in self.session.engine().open_gates() {
            if let Action::Gate(question) = &self.plan.step(gate).forward.action {
                needed.extend(&question.show);
            }
        }
        if self.session.engine().has_baseline() {
            needed.extend(baseline_probes(&self.plan));
        }
        self.poller.set_needed(&needed);
    }

    /// A question need not wait for the next turn of its probes.
    fn hurry(&mut self, probes: &[ProbeId]) {
        self.poll_what_is_needed();
        for probe in probes {
            self.poller.ask_now(*probe);
        }
    }

    fn open_gate(&mut self, gate: StepId) {
        if self.options.go.remove(&gate) {
            let who = Who { user: self.desk.user(), via: Via::CommandLine, reason: Some("--go".to_owned()) };
            self.pending.push(Fact::new(Event::GateAnswered { gate, answer: Answer::Go }).by(who));
            return;
        }
        let question = self.desk.open_gate(&self.plan, gate, &self.scope);
        self.view.reword(gate, question);
    }

    /// Conditions may read what became of a step.
    fn note_outcome(&mut self, notice: &Notice) {
        let Some(step) = settled_by(notice) else { return };
        let outcome = self.session.engine().step_outcome(step);
        Arc::make_mut(&mut self.scope).note_outcome(step, outcome);
        let now = self.clock.time();
        let facts = self.gauge.refresh(&self.scope, now);
        self.pending.extend(facts);
    }

    /// Conditions may compare with it from now on, and people too.
    fn note_baseline(&mut self, notice: &Notice) {
        if *notice == Notice::BaselineTaken {
            Arc::make_mut(&mut self.scope).note_baseline(self.session.baseline());
            self.view.compare_with(self.session.baseline());
            let facts = self.gauge.refresh(&self.scope, self.clock.time());
            self.pending.extend(facts);
        }
    }

    fn bring_view_up_to_date(&mut self, now: Time) {
        super::telling::fill(&mut self.view, &self.plan, &self.gauge, now);
        self.view.look(&self.plan, now);
    }

    /// Brings the screen up to date.
    fn show(&mut self) {
        let now = self.clock.time();
        self.bring_view_up_to_date(now);
        self.ask();
        self.reporter.refresh(&self.view);
    }

    /// Asks at the terminal what is to be asked now, and takes away what is not.
    fn ask_people(&mut self) {
        if self.desk.is_watched() {
            let now = self.clock.time();
            self.bring_view_up_to_date(now);
            self.ask();
        }
    }

    fn ask(&mut self) {
        let scene = Scene {
            plan: &self.plan,
            engine: self.session.engine(),
            view: &self.view,
            head: self.session.head().to_string(),
            at: Terminal::Own,
        };
        self.desk.turn(&scene, &mut *self.reporter);
    }
}

fn probes_of(plan: &Plan, condition: Option<ConditionId>) -> Vec<ProbeId> {
    condition.map_or_else(Vec::new, |condition| plan.condition(condition).probes.clone())
}

fn baseline_probes(plan: &Plan) -> Vec<ProbeId> {
    plan.baseline().map_or_else(Vec::new, |baseline| baseline.probes.clone())
}

/// The step whose outcome a notice is about.
pub(super) fn settled_by(notice: &Notice) -> Option<StepId> {
    match *notice {
        Notice::StepSettled { step, .. } | Notice::StepFailed { step, .. } | Notice::UndoSucceeded { step, .. } => {
            Some(step)
        }
        _ => None,
    }
}
