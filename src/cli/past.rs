//! A run read from its journal, for verbs that only look at it.

use std::sync::Arc;

use jiff::Timestamp;

use super::failure::Failure;
use super::runs::State;
use super::stage;
use crate::drive::live::clock::Clock;
use crate::drive::live::samples::Readings;
use crate::drive::live::start::RunFolder;
use crate::drive::{Heard, Outstanding, replay};
use crate::engine::{Engine, Standing};
use crate::journal::lock::{Holder, Lock};
use crate::journal::{Header, Moment};
use crate::model::{Plan, RunId, StepId, Time};
use crate::report::view::{Afterwards, Window};
use crate::report::{Story, Told};

/// A run as its journal tells it.
pub(super) struct Past {
    pub(super) run: RunId,
    pub(super) folder: RunFolder,
    pub(super) header: Header,
    pub(super) plan: Arc<Plan>,
    pub(super) engine: Engine,
    pub(super) story: Story,
    /// The process that drives it now.
    pub(super) holder: Option<Holder>,
    /// What is under way.
    pub(super) outstanding: Outstanding,
    /// What its journal was read from.
    pub(super) bytes: Vec<u8>,
    /// Its time, which goes on whether anybody drives it or not.
    clock: Clock,
}

impl Past {
    /// The run of that name; without a name, the only one that is not finished, else the latest.
    pub(super) fn find(state: &State, name: Option<&str>) -> Result<Self, Failure> {
        Self::read(state, Self::named(state, name)?)
    }

    /// Which run that is.
    pub(super) fn named(state: &State, name: Option<&str>) -> Result<RunId, Failure> {
        state.find(name, is_unfinished)
    }

    /// Reads a run.
    pub(super) fn read(state: &State, run: RunId) -> Result<Self, Failure> {
        Self::hear(state, run, |_| {})
    }

    /// Reads a run, and hands out all that was told in it.
    pub(super) fn hear(state: &State, run: RunId, mut news: impl FnMut(Told)) -> Result<Self, Failure> {
        let folder = state.folder(&run);
        let holder = Lock::holder_of_run(folder.path());
        let bytes = stage::journal_of(&folder)?;
        let plan = stage::frozen(&folder, &bytes)?;
        let mut story = stage::new_story(&plan, &run);
        let (header, _) = crate::journal::Reader::new(&bytes).map_err(Failure::could_not)?;
        let mut last = Moment { at: Time::ZERO, wall: header.wall };
        let mut outstanding = Outstanding::default();
        let mut stamp = (Time::ZERO, header.clock.clone());
        let replayed = replay(&plan, &bytes, |heard| match heard {
            Heard::Record(record) => {
                outstanding.observe(&record.event);
                story.view.read(record);
                last = Moment { at: record.at, wall: record.wall };
                if let Some(clock) = &record.clock {
                    stamp = (record.at, clock.clone());
                }
            }
            Heard::Order(record, command) => {
                outstanding.note(*command);
                story.view.order(&plan, record.at, command);
            }
            Heard::News(told) => {
                let told = crate::drive::live::telling::told(told, &header);
                story.take(&plan, &told);
                news(told);
            }
        })
        .map_err(Failure::could_not)?;
        story.head = Some(replayed.head.to_string());
        stage::word_questions(&mut story.view, &plan, &folder, &bytes);
        let engine = replayed.engine;
        let clock = Clock::resuming(stamp.0, &stamp.1, last);
        if holder.is_some() && engine.outcome().is_some() {
            story.view.afterwards = Afterwards::Watches;
        }
        let mut past = Self { run, folder, header, plan, engine, story, holder, outstanding, bytes, clock };
        past.look();
        Ok(past)
    }

    /// Brings the view to this moment.
    pub(super) fn look(&mut self) {
        let now = self.story.view.now.max(self.now());
        self.story.view.look(&self.plan, now);
    }

    /// Puts what is measured at present into the view, where a process drives the run.
    pub(super) fn show_measured(&mut self, readings: &mut Readings) {
        if self.holder.is_some() {
            readings.look();
            readings.fill(&mut self.story.view, &self.plan);
        }
    }

    /// What time it is in the run.
    pub(super) fn now(&self) -> Time {
        self.clock.time()
    }

    /// Whether nothing leads back any more: closed, or its rollback window has passed.
    pub(super) fn is_way_back_closed(&self) -> bool {
        self.engine.is_way_back_closed() || matches!(self.story.view.window(), Window::Closed { .. })
    }

    /// Whether something is in place that could be taken back.
    pub(super) fn is_way_back_open(&self) -> bool {
        let in_place = self.engine.in_effect().any(|step| self.plan.step(step).has_effect());
        in_place && !self.is_way_back_closed() && self.engine.point_of_no_return().is_none()
    }

    /// When it began, on the calendar.
    pub(super) fn began(&self) -> Option<Timestamp> {
        Timestamp::from_millisecond(self.header.wall.millis()).ok()
    }

    /// Where it stands, in a word.
    pub(super) fn word(&self) -> &'static str {
        match self.engine.standing() {
            Standing::Preflight => "preflight",
            Standing::Forward => "forward",
            Standing::Paused { .. } => "paused",
            Standing::Weighing | Standing::RollingBack => "rolling_back",
            Standing::Stuck => "stuck",
            Standing::Ending => "stopping",
            Standing::Ended(outcome) => outcome.word(),
        }
    }

    /// The step of that name.
    pub(super) fn step(&self, name: &str) -> Result<StepId, Failure> {
        step(&self.plan, name)
    }
}

/// The step of that name.
pub(super) fn step(plan: &Plan, name: &str) -> Result<StepId, Failure> {
    plan.step_named(name).ok_or_else(|| {
        let names: Vec<&str> = plan.steps().iter().map(|step| step.name.as_str()).take(20).collect();
        Failure::wrong(format!("the runbook has no step `{name}`")).hint(format!("its steps are {}", names.join(", ")))
    })
}

/// Whether something can still happen in a run.
pub(super) fn is_unfinished(folder: &RunFolder) -> bool {
    super::before::standing(folder).is_ok_and(|engine| engine.outcome().is_none())
}
