use super::super::sketch::{Sketch, run};
use super::*;
use crate::engine::{Answer, Notice, Question};
use crate::journal::{Extension, Faults, FaultyDisk, FileStore, Wall};
use crate::model::{Attempt, AttemptId, GuardId, RunId, Target, Verdict, WayHome};

fn header() -> Header {
    Header {
        format: 1,
        journal: 1,
        tool: "0.1.0".to_owned(),
        engine: crate::engine::REVISION,
        run: RunId("r1".to_owned()),
        document: String::new(),
        parts: BTreeMap::new(),
        vars: BTreeMap::new(),
        base: "/srv".to_owned(),
        user: "ops".to_owned(),
        env: BTreeMap::new(),
        scripts: BTreeMap::new(),
        beforehand: crate::journal::Beforehand::default(),
        seed: 7,
        wall: Wall::from_millis(0),
        clock: Clock { boot: "b".to_owned(), ms: 0 },
    }
}

/// A session on a disk in memory.
struct Bench {
    plan: Arc<Plan>,
    disk: FaultyDisk,
    session: Session,
}

impl Bench {
    fn new(plan: Arc<Plan>) -> Self {
        let disk = FaultyDisk::default();
        let writer = Writer::begin(Box::new(FileStore::new(disk.clone(), 0, 0)), header()).expect("begun");
        Self { session: Session::begin(Arc::clone(&plan), header(), writer), plan, disk }
    }

    fn begun(sketch: Sketch) -> (Self, Vec<Told>) {
        let mut bench = Self::new(sketch.plan());
        let told = bench.feed(0, [Event::RunBegan]);
        (bench, told)
    }

    fn try_feed(&mut self, at: u64, facts: Vec<Fact>) -> Result<Vec<Told>, JournalError> {
        self.session.feed(Moment { at: Time::from_millis(at), wall: Wall::from_millis(0) }, facts)
    }

    fn feed<const N: usize>(&mut self, at: u64, events: [Event; N]) -> Vec<Told> {
        self.try_feed(at, events.into_iter().map(Fact::new).collect()).expect("fed")
    }

    /// Things happen until nothing is left but what was reserved.
    fn fill_up(&mut self) {
        while self.session.writer.ensure_room(self.session.memory.reserve.bytes(&self.plan)).is_ok() {
            let noise = Fact::new(Event::GuardHeld { guard: GuardId::at(9) }).with_evidence("x".repeat(400));
            self.try_feed(1, vec![noise]).expect("room was reserved");
        }
    }

    /// The session that reads what the disk holds after a power failure.
    fn reopened(&self) -> Result<Session, ResumeError> {
        reopen(&self.plan, self.disk.after_power_failure())
    }
}

fn reopen(plan: &Arc<Plan>, bytes: Vec<u8>) -> Result<Session, ResumeError> {
    let disk = FaultyDisk::holding(bytes.clone());
    Session::resume(Arc::clone(plan), Opened::new(bytes, Box::new(disk)), |_| {}).map(|(session, _)| session)
}

fn attempt(step: usize, part: Part, number: u32) -> AttemptId {
    let number = (1..number).fold(Attempt::FIRST, |n, _| n.next());
    AttemptId { step: StepId::at(step), part, number }
}

fn forward(step: usize) -> AttemptId {
    attempt(step, Part::Forward, 1)
}

fn ended(attempt: AttemptId, end: AttemptEnd) -> Event {
    Event::AttemptEnded { attempt, end }
}

fn orders(told: &[Told]) -> Vec<Command> {
    told.iter().filter_map(|told| if let Told::Do(command) = told { Some(*command) } else { None }).collect()
}

fn started(told: &[Told]) -> Vec<AttemptId> {
    let start = |command| if let Command::StartAttempt { attempt } = command { Some(attempt) } else { None };
    orders(told).into_iter().filter_map(start).collect()
}

fn notices(told: &[Told]) -> Vec<Notice> {
    told.iter().filter_map(|told| if let Told::Tell(news) = told { Some(news.notice) } else { None }).collect()
}

#[test]
fn nothing_comes_out_when_the_sync_fails_nor_ever_after() {
    let (mut bench, told) = Bench::begun(Sketch::chain(&["a", "b"]));
    assert_eq!(started(&told), [forward(0)]);
    bench.disk.set_faults(Faults { failing_syncs: vec![bench.disk.syncs() + 1], ..Faults::default() });
    let facts = || vec![Fact::new(ended(forward(0), AttemptEnd::Done))];
    bench.try_feed(5, facts()).expect_err("the sync failed");
    bench.try_feed(6, facts()).expect_err("a failure is final");
    let session = bench.reopened().expect("what is on the disk is whole");
    assert!(session.outstanding().attempts.contains_key(&forward(0)), "the end was not recorded");
}

#[test]
fn a_group_is_one_sync_and_an_empty_feed_none() {
    let (mut bench, _) = Bench::begun(Sketch::chain(&["a", "b"]));
    let before = bench.disk.syncs();
    assert_eq!(bench.feed(1, []), []);
    assert_eq!(bench.disk.syncs(), before);
    bench.feed(2, [ended(forward(0), AttemptEnd::Done), Event::GuardHeld { guard: GuardId::at(9) }]);
    assert_eq!(bench.disk.syncs(), before + 1);
}

#[test]
fn a_stop_that_arrives_with_an_exit_comes_before_it() {
    let (mut bench, _) = Bench::begun(Sketch::chain(&["a", "b"]));
    let told = bench.feed(5, [ended(forward(0), AttemptEnd::Done), Event::OperatorAsked { act: Act::Stop }]);
    assert_eq!(started(&told), []);
}

#[test]
fn facts_of_a_group_are_ordered_by_urgency() {
    let question = Question { asked: Asked::Restored(0), serial: 1 };
    let gate = StepId::at(0);
    let in_order = [
        Event::RunResumed,
        Event::GuardBreached { guard: GuardId::at(0) },
        Event::GateAnswered { gate, answer: Answer::NoGo },
        Event::OperatorAsked { act: Act::Rollback { target: Target::Start, force: false } },
        ended(forward(0), AttemptEnd::Done),
        Event::Judged { question, verdict: Verdict::Holds },
        Event::GateAnswered { gate, answer: Answer::Go },
        Event::OperatorAsked { act: Act::Resume },
        Event::DeadlineReached { deadline: Deadline::Run },
    ];
    let mut facts: Vec<_> = in_order.iter().rev().cloned().map(Fact::new).collect();
    facts.sort_by_key(Fact::urgency);
    let urgencies: Vec<_> = in_order.iter().cloned().map(|event| Fact::new(event).urgency()).collect();
    assert!(urgencies.is_sorted());
    assert_eq!(facts.iter().map(Fact::urgency).collect::<Vec<_>>(), urgencies);
}

#[test]
fn an_attempt_started_and_stopped_in_one_group_is_neither_and_its_step_not_undone() {
    let (mut bench, _) = Bench::begun(Sketch::chain(&["a", "b"]));
    // The exit of `a` starts `b`; the run's timeout, due at the same moment, goes back.
    let told = bench.feed(3_600_000, [ended(forward(0), AttemptEnd::Done)]);
    assert_eq!(started(&told), [attempt(0, Part::Undo(0), 2)], "{told:?}");
    assert!(!orders(&told).contains(&Command::StopAttempt { attempt: forward(1) }));
    let b = StepId::at(1);
    assert!(!notices(&told).contains(&Notice::StepStarted { step: b, attempt: Some(forward(1)) }));
    assert_eq!(bench.reopened().expect("the same decisions").engine(), bench.session.engine());
}

#[test]
fn news_carry_the_time_and_the_evidence_of_what_is_behind_them() {
    let (mut bench, _) = Bench::begun(Sketch::chain(&["a"]));
    let fact = Fact::new(ended(forward(0), AttemptEnd::Failed)).with_evidence("exit 3");
    let told = bench.try_feed(42, vec![fact]).expect("fed");
    let failed = told.iter().find_map(|told| match told {
        Told::Tell(news) if matches!(news.notice, Notice::StepFailed { .. }) => Some(news),
        _ => None,
    });
    let failed = failed.expect("the step failed");
    assert_eq!((failed.at, failed.evidence.as_deref()), (Time::from_millis(42), Some("exit 3")));
    assert_eq!(bench.session.time_of(failed.fact), Some(Time::from_millis(42)));
    assert_eq!(bench.session.time_of(FactId(0)), None);
}

#[test]
fn a_pause_before_a_retry_is_shortened_by_up_to_a_half_and_always_the_same() {
    let retry = |jitter| {
        let mut sketch = Sketch::new();
        let mut work = run();
        work.retry.attempts = 3;
        work.retry.delay = Span::from_secs(10);
        work.retry.jitter = jitter;
        sketch.step("a", work, WayHome::NoEffect);
        let (mut bench, _) = Bench::begun(sketch);
        bench.feed(1000, [ended(forward(0), AttemptEnd::Failed)]);
        let due = bench.session.next_deadline().expect("a pause");
        assert_eq!(bench.reopened().expect("the same decisions").next_deadline(), Some(due));
        assert_eq!(started(&bench.feed(due.millis() - 1, [])), []);
        assert_eq!(started(&bench.feed(due.millis(), [])), [attempt(0, Part::Forward, 2)]);
        due.millis()
    };
    assert_eq!(retry(false), 11_000);
    let due = retry(true);
    assert!((6_000..11_000).contains(&due), "{due}");
    assert_eq!(retry(true), due);
}

#[test]
fn downtime_counts_except_where_the_clock_stood_still() {
    let mut sketch = Sketch::chain(&["a"]);
    sketch.gate("ready", Some(Span::from_secs(7200)));
    let (mut bench, _) = Bench::begun(sketch);
    let told = bench.feed(600_000, [ended(forward(0), AttemptEnd::Done)]);
    assert_eq!(orders(&told), [Command::OpenGate { gate: StepId::at(1) }]);
    let mut session = bench.reopened().expect("the same decisions");
    let later = Time::from_millis(7_000_000);
    assert_eq!(session.left(Deadline::Run, later), Some(Span::from_secs(3000)), "only people were awaited");
    assert_eq!(session.left(Deadline::GateExpiry(StepId::at(1)), later), Some(Span::from_secs(800)));
    assert_eq!(session.overdue(later).count(), 0);
    let expired = Time::from_millis(8_000_000);
    assert_eq!(session.overdue(expired).count(), 1);
    let moment = Moment { at: expired, wall: Wall::from_millis(0) };
    let told = session.feed(moment, vec![Fact::new(Event::RunResumed)]).expect("fed");
    assert!(notices(&told).contains(&Notice::GateExpired { gate: StepId::at(1) }), "{told:?}");
}

#[test]
fn an_extension_moves_a_deadline_before_it_is_looked_at() {
    let (bench, _) = Bench::begun(Sketch::chain(&["a"]));
    let mut session = bench.reopened().expect("the same decisions");
    let mut resumed = Fact::new(Event::RunResumed);
    resumed.clock = Some(Clock { boot: "c".to_owned(), ms: 9 });
    resumed.extend.push(Extension { deadline: Deadline::Run, by: Span::from_secs(3600) });
    let moment = Moment { at: Time::from_millis(4_000_000), wall: Wall::from_millis(0) };
    session.feed(moment, vec![resumed]).expect("fed");
    assert_eq!(session.next_deadline(), Some(Time::from_millis(7_200_000)));
    assert_eq!(session.last(), moment);
    assert_eq!(session.stamp(), (moment.at, &Clock { boot: "c".to_owned(), ms: 9 }));
}

#[test]
fn a_process_that_takes_over_is_given_every_order_in_force_once() {
    let mut sketch = Sketch::chain(&["a"]);
    sketch.gate("ready", None);
    sketch.guard();
    let (mut bench, told) = Bench::begun(sketch);
    let watch = Command::WatchGuard { guard: GuardId::at(0) };
    assert!(orders(&told).contains(&watch), "{told:?}");
    bench.feed(1, [Event::GuardHeld { guard: GuardId::at(0) }]);
    bench.feed(2, [ended(forward(0), AttemptEnd::Done)]);
    let mut session = bench.reopened().expect("the same decisions");
    let moment = Moment { at: Time::from_millis(3), wall: Wall::from_millis(0) };
    let told = session.feed(moment, vec![Fact::new(Event::RunResumed)]).expect("fed");
    let mut given = orders(&told);
    given.sort();
    assert_eq!(given, [watch, Command::OpenGate { gate: StepId::at(1) }]);
    assert_eq!(session.feed(moment, vec![]).expect("fed"), []);
}

#[test]
fn an_attempt_that_a_dead_process_had_to_stop_is_told_to_stop_again() {
    let (mut bench, _) = Bench::begun(Sketch::chain(&["a"]));
    let back = Event::OperatorAsked { act: Act::Rollback { target: Target::Start, force: false } };
    let stop = Command::StopAttempt { attempt: forward(0) };
    assert!(orders(&bench.feed(1, [back])).contains(&stop));
    let mut session = bench.reopened().expect("the same decisions");
    let moment = Moment { at: Time::from_millis(2), wall: Wall::from_millis(0) };
    assert_eq!(orders(&session.feed(moment, vec![Fact::new(Event::RunResumed)]).expect("fed")), [stop]);
}

#[test]
fn outputs_are_kept_over_a_crash_until_the_step_is_undone() {
    let (mut bench, _) = Bench::begun(Sketch::chain(&["a", "b"]));
    let mut fact = Fact::new(ended(forward(0), AttemptEnd::Done));
    fact.outputs.insert("lsn".to_owned(), Json::from(0.1 + 0.2));
    bench.try_feed(1, vec![fact]).expect("fed");
    let a = StepId::at(0);
    assert_eq!(bench.reopened().expect("the same decisions").outputs(a)["lsn"], Json::from(0.1 + 0.2));
    bench.feed(2, [ended(forward(1), AttemptEnd::Failed)]);
    bench.feed(3, [ended(attempt(1, Part::Undo(0), 2), AttemptEnd::Done)]);
    bench.feed(4, [ended(attempt(0, Part::Undo(0), 2), AttemptEnd::Done)]);
    assert!(bench.session.outcome().is_some());
    assert!(bench.session.outputs(a).is_empty());
}

#[test]
fn a_run_goes_on_wherever_the_power_failed() {
    let (mut bench, _) = Bench::begun(Sketch::chain(&["a", "b"]));
    let before = bench.session.engine().clone();
    let head = bench.session.head();
    bench.session.close().expect("closed");
    let start = bench.disk.seen().len();
    bench.feed(1, [Event::GuardHeld { guard: GuardId::at(9) }, ended(forward(0), AttemptEnd::Done)]);
    let (after, whole) = (bench.session.engine().clone(), bench.disk.seen());
    let end = whole.trim_ascii_end().len();
    for cut in start..=end {
        let disk = FaultyDisk::holding(whole[..cut].to_vec());
        let opened = || Opened::new(disk.seen(), Box::new(disk.clone()));
        let (mut session, torn) =
            Session::resume(Arc::clone(&bench.plan), opened(), |_| {}).expect("the same decisions");
        // All of a group, or nothing of it: here its last newline is missing too.
        assert_eq!((session.engine() == &before, session.head()), (true, head), "cut at {cut}");
        assert_eq!(torn.is_some(), cut > start, "cut at {cut}");
        let moment = Moment { at: Time::from_millis(2), wall: Wall::from_millis(0) };
        session.feed(moment, vec![Fact::new(Event::RunResumed)]).expect("fed");
        let (again, torn) = Session::resume(Arc::clone(&bench.plan), opened(), |_| {}).expect("the same decisions");
        assert_eq!((again.engine(), torn), (session.engine(), None), "cut at {cut}");
    }
    assert_eq!(reopen(&bench.plan, whole).expect("the same decisions").engine(), &after);
}

#[test]
fn replay_with_another_decision_is_refused() {
    let plan = Sketch::chain(&["a"]).plan();
    let disk = FaultyDisk::default();
    let mut writer = Writer::begin(Box::new(FileStore::new(disk.clone(), 0, 0)), header()).expect("begun");
    let (bench, _) = Bench::begun(Sketch::chain(&["a"]));
    let bytes = bench.disk.after_power_failure();
    let mut reader = Reader::new(&bytes).expect("a header").1;
    let mut group = Vec::new();
    reader.next_group(&mut group).expect("whole");
    group[0].decided.retain(|command| !matches!(command, Command::StartAttempt { .. }));
    writer.append(&writer.encode(&mut group)).expect("appended");
    let refused = reopen(&plan, disk.after_power_failure()).err().expect("another decision");
    let said = refused.to_string();
    assert!(said.contains("record 1") && said.contains("revision"), "{said}");
}

#[test]
fn a_full_disk_does_not_stop_the_way_back() {
    let mut sketch = Sketch::chain(&["a", "b", "c"]);
    let restored = sketch.criterion(None);
    sketch.0.about.restored.push(restored);
    let (mut bench, _) = Bench::begun(sketch);
    bench.feed(1, [ended(forward(0), AttemptEnd::Done)]);
    bench.disk.set_faults(Faults { capacity: Some(0), ..Faults::default() });
    bench.fill_up();
    // The next step does not start.
    let told = bench.feed(2, [ended(forward(1), AttemptEnd::Done)]);
    assert!(notices(&told).iter().any(|n| matches!(n, Notice::RunPaused { .. })), "{told:?}");
    assert_eq!(started(&told), []);
    assert!(bench.session.outstanding().attempts.is_empty(), "the withheld attempt was never started");
    // An order to go on is in vain while the disk is full.
    let told = bench.feed(3, [Event::OperatorAsked { act: Act::Resume }]);
    assert_eq!(started(&told), []);
    // The way back has its room, to the end.
    let back = Event::OperatorAsked { act: Act::Rollback { target: Target::Start, force: false } };
    let told = bench.feed(4, [back]);
    assert_eq!(started(&told), [attempt(1, Part::Undo(0), 2)], "c was never started, b goes first: {told:?}");
    let told = bench.feed(5, [ended(attempt(1, Part::Undo(0), 2), AttemptEnd::Done)]);
    assert_eq!(started(&told), [attempt(0, Part::Undo(0), 2)]);
    let told = bench.feed(6, [ended(attempt(0, Part::Undo(0), 2), AttemptEnd::Done)]);
    let question = orders(&told)
        .into_iter()
        .find_map(|c| if let Command::Ask { question, .. } = c { Some(question) } else { None });
    bench.feed(7, [Event::Judged { question: question.expect("restored is asked"), verdict: Verdict::Holds }]);
    assert_eq!(bench.session.outcome(), Some(RunOutcome::RolledBack));
    assert_eq!(bench.reopened().expect("all of it is on the disk").outcome(), Some(RunOutcome::RolledBack));
}

#[test]
fn a_run_paused_by_a_full_disk_goes_on_when_there_is_room_again() {
    let (mut bench, _) = Bench::begun(Sketch::chain(&["a", "b"]));
    bench.disk.set_faults(Faults { capacity: Some(0), ..Faults::default() });
    bench.fill_up();
    assert_eq!(started(&bench.feed(3, [ended(forward(0), AttemptEnd::Done)])), []);
    bench.disk.set_faults(Faults::default());
    let told = bench.feed(4, [Event::OperatorAsked { act: Act::Resume }]);
    assert_eq!(started(&told), [attempt(1, Part::Forward, 2)]);
}

/// A reproducible source of choices.
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % most as u64).expect("below most")
    }

    fn of<T: Clone>(&mut self, list: &[T]) -> Option<T> {
        if list.is_empty() { None } else { Some(list[self.below(list.len())].clone()) }
    }

    /// Something that may happen now.
    fn event(&mut self, outstanding: &Outstanding) -> Option<Event> {
        let ends =
            [AttemptEnd::Done, AttemptEnd::Done, AttemptEnd::Failed, AttemptEnd::Unknown, AttemptEnd::NeverStarted];
        match self.below(12) {
            0..5 => {
                let attempts: Vec<_> = outstanding.attempts.keys().copied().collect();
                Some(ended(self.of(&attempts)?, self.of(&ends)?))
            }
            5..9 => {
                let questions: Vec<_> = outstanding.questions.keys().copied().collect();
                let verdict = self.of(&[Verdict::Holds, Verdict::Holds, Verdict::Fails, Verdict::NoData])?;
                Some(Event::Judged { question: self.of(&questions)?, verdict })
            }
            9 => outstanding.guards.first().map(|guard| Event::GuardHeld { guard: *guard }),
            10 => outstanding.gates.first().map(|gate| Event::GateAnswered { gate: *gate, answer: Answer::Go }),
            _ => match self.below(12) {
                0 => outstanding.guards.first().map(|guard| Event::GuardBreached { guard: *guard }),
                1 => Some(Event::OperatorAsked { act: Act::Pause }),
                2..5 => Some(Event::OperatorAsked { act: Act::Resume }),
                5 => Some(Event::OperatorAsked { act: Act::Rollback { target: Target::Start, force: true } }),
                _ => None,
            },
        }
    }
}

fn rich_plan() -> Sketch {
    let mut sketch = Sketch::new();
    for name in ["a", "b", "c", "d"] {
        let success = sketch.criterion((name == "b").then_some(Span::from_secs(3)));
        let undone = sketch.criterion(None);
        let (mut forward, mut undo) = (run(), run());
        forward.success.push(success);
        forward.retry.attempts = 3;
        forward.retry.delay = Span::from_millis(700);
        forward.retry.jitter = true;
        undo.success.push(undone);
        undo.retry.attempts = 2;
        let step = sketch.step(name, forward, WayHome::Undo(vec![undo]));
        if name == "c" {
            step.needs = vec![StepId::at(0)];
        }
    }
    sketch.gate("ready", Some(Span::from_secs(60)));
    sketch.step("e", run(), WayHome::Undo(vec![run(), run()]));
    sketch.guard();
    let restored = sketch.criterion(None);
    sketch.0.about.restored.push(restored);
    sketch
}

/// Whatever happens: the journal, read back at any moment, tells what the memory of the session holds.
#[test]
fn a_session_read_back_from_its_journal_is_the_session() {
    let plan = rich_plan().plan();
    for seed in 1..60 {
        let mut bench = Bench::new(Arc::clone(&plan));
        let mut dice = Dice(0x9E37_79B9_7F4A_7C15_u64.wrapping_mul(seed));
        bench.feed(0, [Event::RunBegan]);
        let mut at = 0;
        for _ in 0..150 {
            at = match bench.session.next_deadline() {
                Some(due) if dice.below(8) == 0 => due.millis().max(at),
                _ => at + dice.below(400) as u64,
            };
            let facts = (0..dice.below(3)).filter_map(|_| dice.event(bench.session.outstanding()));
            let facts: Vec<_> = facts.map(|event| Fact::new(event).with_evidence("seen")).collect();
            bench.try_feed(at, facts).expect("fed");
            if dice.below(5) == 0 {
                let again = bench.reopened().unwrap_or_else(|e| panic!("seed {seed}: {e}"));
                assert_eq!(again.engine(), bench.session.engine(), "seed {seed}");
                assert_eq!(again.memory, bench.session.memory, "seed {seed}");
            }
            if bench.session.outcome().is_some() {
                break;
            }
        }
    }
}
