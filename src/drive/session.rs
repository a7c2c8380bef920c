//! The only meeting of engine and journal: facts go in, are decided, remembered and synced; then, and only then, orders and
//! news come out.
//!
//! A session knows no clock: whoever feeds it says what time it is. It keeps what the engine leaves to it: the times of
//! deadlines and of facts, the outputs of steps, and what is outstanding.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use serde_json::Value as Json;

use super::deadlines::Deadlines;
use super::fact::{Fact, Told, shortened};
use super::group::Group;
use super::outstanding::Outstanding;
use super::replay::{Heard, hand_out};
use super::reserve::{EVIDENCE_LEAN, Reserve};
use crate::engine::{Act, Asked, Command, Deadline, Engine, Event, Outbox, Output, Question, Standing};
use crate::journal::record::EVIDENCE_MAX;
use crate::journal::{
    Clock, Encoded, Hash, Header, JournalError, Moment, NoRoom, Opened, Reader, Record, Torn, Via, Who, Writer,
};
use crate::model::{AttemptEnd, FactId, Part, Plan, RunOutcome, Span, Spends, StepId, Summaries, Time};

/// Why a run cannot be taken up.
#[derive(Debug, thiserror::Error)]
pub enum ResumeError {
    /// Its journal cannot be read.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// This engine decides otherwise than the one that began the run.
    #[error(
        "resume: at record {record} this engine (revision {now}) decides otherwise than the one that began the run (revision \
         {began}); version {tool} of this tool can resume it"
    )]
    Diverged {
        /// The first record that differs.
        record: u64,
        /// The engine that began the run.
        began: u32,
        /// This one.
        now: u32,
        /// The tool that began the run.
        tool: String,
        /// What the journal says was decided.
        then: Vec<Command>,
        /// What is decided now.
        instead: Vec<Command>,
    },
}

/// A run: its engine, its journal, and what lies between them.
pub struct Session {
    plan: Arc<Plan>,
    engine: Engine,
    header: Header,
    writer: Writer,
    memory: Memory,
    /// The process has taken the run over and its driver does nothing yet.
    taken_over: bool,
    /// The last samples of the baseline's probes.
    now_measured: BTreeMap<String, Json>,
    /// What budgets have spent.
    now_spent: Spends,
}

/// What is folded from records, while they are written and again when they are read.
#[derive(Clone, Debug, PartialEq)]
struct Memory {
    deadlines: Deadlines,
    outstanding: Outstanding,
    reserve: Reserve,
    outputs: BTreeMap<StepId, BTreeMap<String, Json>>,
    /// By open question: what it was last judged by.
    said: BTreeMap<Question, String>,
    baseline: Summaries,
    spent: Spends,
    /// By number of the fact, from 1.
    times: Vec<Time>,
    /// The moment of the last record.
    last: Moment,
    /// What the boot clock said, and when, as the last process took the run up.
    stamp: (Time, Clock),
}

impl Memory {
    fn new(header: &Header) -> Self {
        Self {
            deadlines: Deadlines::new(header.seed),
            outstanding: Outstanding::default(),
            reserve: Reserve::default(),
            outputs: BTreeMap::new(),
            said: BTreeMap::new(),
            baseline: Summaries::new(),
            spent: Spends::new(),
            times: Vec::new(),
            last: Moment { at: Time::ZERO, wall: header.wall },
            stamp: (Time::ZERO, header.clock.clone()),
        }
    }

    /// Takes in one record and what the engine made of it.
    fn fold(&mut self, record: &Record, outbox: &Outbox, plan: &Plan) {
        self.times.push(record.at);
        self.last = Moment { at: record.at, wall: record.wall };
        if let Some(clock) = &record.clock {
            self.stamp = (record.at, clock.clone());
        }
        if let Event::DeadlineReached { deadline } = record.event {
            self.deadlines.forget(deadline);
        }
        for extension in &record.extend {
            self.deadlines.extend(extension.deadline, extension.by);
        }
        let ended = self.outstanding.observe(&record.event);
        self.reserve.observe(&record.event, ended);
        if let Event::AttemptEnded { attempt, .. } = record.event
            && ended
            && attempt.part == Part::Forward
            && !record.outputs.is_empty()
        {
            self.outputs.insert(attempt.step, record.outputs.clone());
        }
        if let Event::Judged { question, .. } = record.event {
            self.said.remove(&question);
            self.said.extend(record.evidence.iter().map(|evidence| (question, evidence.clone())));
        }
        if record.event == Event::BaselineTaken && ended {
            self.baseline.clone_from(&record.baseline);
        }
        self.spent.extend(record.spent.clone());
        for output in outbox.outputs() {
            match *output {
                Output::Do(command) => self.order(command, record.at, plan),
                Output::Tell(notice) => self.reserve.hear(notice, plan),
            }
        }
    }

    fn order(&mut self, command: Command, at: Time, plan: &Plan) {
        self.deadlines.obey(command, at, plan);
        self.outstanding.note(command);
        self.reserve.note(command, plan);
        if let Command::Forget { step } = command {
            self.outputs.remove(&step);
        }
        if let Command::UnwatchGuard { guard } = command
            && let Some(spend) = self.spent.get_mut(&plan.guard(guard).name)
        {
            spend.close();
        }
        if let Command::Withdraw { question } = command {
            self.said.remove(&question);
        }
    }

    /// What was said in a record that had to be made shorter is what a reader will know of it.
    fn shorten_said(&mut self, record: &Record) {
        if let (Event::Judged { question, .. }, Some(evidence)) = (&record.event, &record.evidence)
            && let Some(said) = self.said.get_mut(question)
        {
            said.clone_from(evidence);
        }
    }

    /// What was last measured of that which did not come true in time.
    fn last_said(&self, deadline: Deadline) -> Option<&String> {
        let (step, part) = match deadline {
            Deadline::Within(question) => return self.said.get(&question),
            Deadline::Wait(step, part) => (step, part),
            Deadline::Run
            | Deadline::Phase(_)
            | Deadline::Ramp(_)
            | Deadline::RampHold(..)
            | Deadline::HoldFor(_)
            | Deadline::Retry { .. }
            | Deadline::GateExpiry(_)
            | Deadline::RollbackAlarm
            | Deadline::PassDelay(_)
            | Deadline::PassWithin(_) => return None,
        };
        let mut said = self.said.iter();
        said.find(|(question, _)| question.asked == Asked::WaitUntil(step, part)).map(|(_, evidence)| evidence)
    }
}

impl Session {
    /// A run that begins; its journal holds the header alone.
    pub fn begin(plan: Arc<Plan>, header: Header, writer: Writer) -> Self {
        let memory = Memory::new(&header);
        let engine = Engine::new(Arc::clone(&plan));
        Self {
            plan,
            engine,
            header,
            writer,
            memory,
            taken_over: false,
            now_measured: BTreeMap::new(),
            now_spent: Spends::new(),
        }
    }

    /// Takes a run up where its journal ends (R21a): every record goes through the engine again, and must lead to what was
    /// decided then; what each of them led to is handed out, so that nobody has to read it all once more. What a crash tore
    /// off comes back too. Feed [`Event::RunResumed`] first, together with what became of
    /// the attempts that are [`Self::outstanding`]; that also gives again every order that is still in force.
    pub fn resume(
        plan: Arc<Plan>,
        opened: Opened,
        mut hear: impl FnMut(&Heard<'_>),
    ) -> Result<(Self, Option<Torn>), ResumeError> {
        let mut engine = Engine::new(Arc::clone(&plan));
        let (header, mut reader) = Reader::new(&opened.bytes).map_err(JournalError::from)?;
        let mut memory = Memory::new(&header);
        let mut group = Vec::new();
        while reader.next_group(&mut group).map_err(JournalError::from)? {
            for record in &group {
                let outbox = engine.apply(&record.event);
                if !outbox.commands().eq(record.decided.iter().copied()) {
                    return Err(ResumeError::Diverged {
                        record: record.n.0,
                        began: header.engine,
                        now: crate::engine::REVISION,
                        tool: header.tool.clone(),
                        then: record.decided.clone(),
                        instead: outbox.commands().collect(),
                    });
                }
                memory.fold(record, &outbox, &plan);
                hand_out(record, outbox, &mut hear);
            }
        }
        let position = reader.position();
        // Only now is anything changed: a run that this tool cannot take up is left as it is.
        let (writer, torn) = opened.go_on(position)?;
        let now_measured = BTreeMap::new();
        Ok((
            Self { plan, engine, header, writer, memory, taken_over: true, now_measured, now_spent: Spends::new() },
            torn,
        ))
    }

    /// Takes in what arrived together, and every deadline that is due; decides; appends it as one group; syncs once. Only
    /// then returns what follows, in order, without the orders that were taken back within the group. After an error
    /// nothing may be done any more: what is not recorded is not done.
    pub fn feed(&mut self, now: Moment, mut facts: Vec<Fact>) -> Result<Vec<Told>, JournalError> {
        let now = Moment { at: now.at.max(self.now()), ..now };
        facts.sort_by_key(Fact::urgency);
        let mut group = Group::new(now);
        if self.taken_over {
            group.take_up(self.memory.outstanding.commands());
        }
        let mut facts = VecDeque::from(facts);
        loop {
            self.decide(&mut group, &mut facts);
            if group.records.is_empty() {
                return Ok(Vec::new());
            }
            let encoded = self.writer.encode(&mut group.records);
            match self.make_room(&encoded, &group)? {
                Room::Enough => {
                    self.writer.append(&encoded)?;
                    break;
                }
                Room::ForLess => {
                    group.records.iter_mut().for_each(make_lean);
                    group.records.iter().for_each(|record| self.memory.shorten_said(record));
                    let lean = self.writer.encode(&mut group.records);
                    self.writer.append(&lean)?;
                    break;
                }
                // A paused engine starts nothing forward, so this comes to an end.
                Room::NotForStarts => facts.extend(withhold(&mut group)),
            }
        }
        if std::mem::take(&mut self.taken_over) {
            group.stop_again(&self.memory.outstanding);
        }
        Ok(group.told())
    }

    /// Applies facts until none is left, deadlines come due by them included.
    fn decide(&mut self, group: &mut Group, facts: &mut VecDeque<Fact>) {
        loop {
            if let Some(fact) = facts.pop_front() {
                self.apply(fact, group);
            } else if let Some(deadline) = self.memory.deadlines.due(group.now.at) {
                let evidence = self.memory.last_said(deadline).map(|said| format!("last measured: {said}"));
                self.apply(Fact { evidence, ..Fact::new(Event::DeadlineReached { deadline }) }, group);
            } else if let Some(attempt) = group.next_never_started() {
                let event = Event::AttemptEnded { attempt, end: AttemptEnd::NeverStarted };
                self.apply(Fact::new(event).with_evidence("stopped before it was started"), group);
            } else {
                return;
            }
        }
    }

    fn apply(&mut self, fact: Fact, group: &mut Group) {
        let was_over = self.engine.outcome().is_some();
        let outbox = self.engine.apply(&fact.event);
        let ends = !was_over && self.engine.outcome().is_some();
        let record = Record {
            n: FactId(self.memory.times.len() as u64 + 1),
            group: 0,
            more: 0,
            at: group.now.at,
            wall: group.now.wall,
            event: fact.event,
            evidence: fact.evidence.map(|text| shortened(text, EVIDENCE_MAX)),
            outputs: fact.outputs,
            baseline: fact.baseline,
            spent: if ends { std::mem::take(&mut self.now_spent) } else { fact.spent },
            after: if ends { std::mem::take(&mut self.now_measured) } else { BTreeMap::new() },
            sent: fact.sent,
            who: fact.who,
            clock: fact.clock,
            extend: fact.extend,
            decided: outbox.commands().collect(),
        };
        group.add(&record, &outbox, &self.memory.outstanding);
        self.memory.fold(&record, &outbox, &self.plan);
        group.records.push(record);
    }

    /// Steps of the way forward start only when there is written room for all that may have to follow (R19); anything else
    /// uses what was reserved for it.
    fn make_room(&mut self, encoded: &Encoded, group: &Group) -> Result<Room, JournalError> {
        let whole = encoded.size() + self.memory.reserve.bytes(&self.plan);
        match self.writer.ensure_room(whole) {
            Ok(()) => return Ok(Room::Enough),
            Err(NoRoom::Broken(error)) => return Err(error.into()),
            Err(NoRoom::Full { .. }) => {}
        }
        let starts = group.starts_forward() && !self.is_going_back();
        Ok(if starts { Room::NotForStarts } else { Room::ForLess })
    }

    /// A rollback may open a bracket again: a forward attempt of the way back.
    fn is_going_back(&self) -> bool {
        matches!(self.engine.standing(), Standing::RollingBack | Standing::Stuck)
    }

    /// The plan that is carried out.
    pub fn plan(&self) -> &Arc<Plan> {
        &self.plan
    }

    /// The engine, to be asked how things stand.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// What the run works from.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Whether the journal holds the header alone: nothing has happened yet, not even the beginning.
    pub fn is_unborn(&self) -> bool {
        self.memory.times.is_empty()
    }

    /// How the run ended, once it has.
    pub fn outcome(&self) -> Option<RunOutcome> {
        self.engine.outcome()
    }

    /// The time of the last record.
    pub fn now(&self) -> Time {
        self.memory.last.at
    }

    /// The moment of the last record, or of the header.
    pub fn last(&self) -> Moment {
        self.memory.last
    }

    /// What the boot clock said when a process last took the run up, and when that was (R25).
    pub fn stamp(&self) -> (Time, &Clock) {
        (self.memory.stamp.0, &self.memory.stamp.1)
    }

    /// The moment that a fact happened.
    pub fn time_of(&self, fact: FactId) -> Option<Time> {
        self.memory.times.get(usize::try_from(fact.0.checked_sub(1)?).ok()?).copied()
    }

    /// When to feed at the latest, even without facts.
    pub fn next_deadline(&self) -> Option<Time> {
        self.memory.deadlines.next()
    }

    /// The deadlines that have passed by now and were not yet reported, with when.
    pub fn overdue(&self, now: Time) -> impl Iterator<Item = (Deadline, Time)> + '_ {
        self.memory.deadlines.overdue(now)
    }

    /// How much of an armed deadline is left.
    pub fn left(&self, deadline: Deadline, now: Time) -> Option<Span> {
        self.memory.deadlines.left(deadline, now)
    }

    /// What was ordered and not taken back.
    pub fn outstanding(&self) -> &Outstanding {
        &self.memory.outstanding
    }

    /// What a step left for later ones; empty where it left nothing, or was undone.
    pub fn outputs(&self, step: StepId) -> &BTreeMap<String, Json> {
        static NOTHING: BTreeMap<String, Json> = BTreeMap::new();
        self.memory.outputs.get(&step).unwrap_or(&NOTHING)
    }

    /// The figures of the baseline; empty before it is taken.
    pub fn baseline(&self) -> &Summaries {
        &self.memory.baseline
    }

    /// Says what the probes of the baseline gave last: the record that ends the run keeps it.
    pub fn note_measured(&mut self, samples: BTreeMap<String, Json>) {
        self.now_measured = samples;
    }

    /// What budgets had spent when that was last written down; what happens while their scope is closed is not counted.
    pub fn spent(&self) -> &Spends {
        &self.memory.spent
    }

    /// Says what budgets have spent by now: the record that ends the run keeps it.
    pub fn note_spent(&mut self, spent: Spends) {
        self.now_spent = spent;
    }

    /// The hash that covers every record so far.
    pub fn head(&self) -> Hash {
        self.writer.head()
    }

    /// Gives back what was written ahead, at the end of a run or of the process. The session may still be fed.
    pub fn close(&mut self) -> Result<(), JournalError> {
        self.writer.close()
    }
}

enum Room {
    Enough,
    /// The disk is full: the group lives on what was reserved, and leaves as much of it as it can.
    ForLess,
    /// The disk is full and the group starts steps of the way forward.
    NotForStarts,
}

/// A pause in the name of the tool, and the attempts that are not started for it.
fn withhold(group: &mut Group) -> Vec<Fact> {
    let who = Who { user: "runbook".to_owned(), via: Via::Tool, reason: Some("the disk is full".to_owned()) };
    let pause = Fact::new(Event::OperatorAsked { act: Act::Pause })
        .with_evidence("the disk is full: the journal has no room left for the way back of a further step")
        .by(who);
    let never = group.withhold_forward().into_iter().map(|attempt| {
        let event = Event::AttemptEnded { attempt, end: AttemptEnd::NeverStarted };
        Fact::new(event).with_evidence("not started: the disk is full")
    });
    std::iter::once(pause).chain(never).collect()
}

fn make_lean(record: &mut Record) {
    record.evidence = record.evidence.take().map(|text| shortened(text, EVIDENCE_LEAN));
}

#[cfg(test)]
#[path = "session_tests.rs"]
mod tests;
