//! A driver of every answer in every order: it walks all states that a plan can come to, up to so many faults.
//!
//! Breadth first, so that the story of what it finds is among the shortest. It knows the words of the engine and no rule of
//! a run: what must always hold, and what must sometimes be reached, is said by who calls it. Beside that every state must
//! lead on to an ending. Time is not counted: any deadline may pass at any moment.

mod answers;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use answers::World;

use crate::engine::{Engine, Event, Outbox};
use crate::model::{Plan, RunOutcome};

/// What a property may look at: an event, what followed, and the state it led to.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    /// What happened.
    pub event: &'a Event,
    /// What followed.
    pub outbox: &'a Outbox,
    /// Where that led.
    pub engine: &'a Engine,
}

type Property<'a> = (&'static str, Box<dyn Fn(Seen) -> bool + 'a>);

/// A search that is being described.
pub struct Exploration<'a> {
    plan: Arc<Plan>,
    faults: u32,
    states_max: usize,
    always: Vec<Property<'a>>,
    sometimes: Vec<Property<'a>>,
}

/// What a search has found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Explored {
    /// How many states there are, numbers of questions and attempts aside.
    pub states: usize,
    /// How many of them are endings of each kind.
    pub endings: BTreeMap<RunOutcome, usize>,
    /// The first rule that is broken, with a shortest story.
    pub broken: Option<Broken>,
    /// What was never reached.
    pub missed: Vec<&'static str>,
    /// The search was cut off at its limit.
    pub cut_off: bool,
}

/// A rule that is broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// Which.
    pub rule: &'static str,
    /// How.
    pub story: Vec<Event>,
}

/// Every answer in every order to a run of this plan.
pub fn explore<'a>(plan: &Arc<Plan>) -> Exploration<'a> {
    Exploration { plan: Arc::clone(plan), faults: 1, states_max: 1_000_000, always: Vec::new(), sometimes: Vec::new() }
}

impl<'a> Exploration<'a> {
    /// At most so many things go wrong in one run.
    #[must_use]
    pub fn faults(mut self, faults: u32) -> Self {
        self.faults = faults;
        self
    }

    /// Gives up behind so many states.
    #[must_use]
    pub fn states_max(mut self, states_max: usize) -> Self {
        self.states_max = states_max;
        self
    }

    /// Must hold after every event.
    #[must_use]
    pub fn always(mut self, rule: &'static str, holds: impl Fn(Seen) -> bool + 'a) -> Self {
        self.always.push((rule, Box::new(holds)));
        self
    }

    /// Must be reached somewhere: a search that never comes there proves nothing about it.
    #[must_use]
    pub fn sometimes(mut self, what: &'static str, is_so: impl Fn(Seen) -> bool + 'a) -> Self {
        self.sometimes.push((what, Box::new(is_so)));
        self
    }

    /// Searches.
    pub fn run(self) -> Explored {
        let mut search = Search::begin(&self.plan, self.faults);
        let mut reached = vec![false; self.sometimes.len()];
        while let Some((at, engine, world)) = search.frontier.pop_front() {
            for (event, cost) in world.answers(&engine) {
                let (mut engine, mut world) = (engine.clone(), world.clone());
                let outbox = engine.apply(&event);
                world.follow(&event, &outbox, cost);
                let seen = Seen { event: &event, outbox: &outbox, engine: &engine };
                for ((_, is_so), reached) in self.sometimes.iter().zip(&mut reached) {
                    *reached = *reached || is_so(seen);
                }
                if let Some((rule, _)) = self.always.iter().find(|(_, holds)| !holds(seen)) {
                    let mut story = search.story(at);
                    story.push(event);
                    return Explored { broken: Some(Broken { rule, story }), ..search.explored() };
                }
                search.arrive(at, event, engine, world);
            }
            if search.from.len() > self.states_max {
                return Explored { cut_off: true, ..search.explored() };
            }
        }
        let missed = self.sometimes.iter().zip(reached).filter(|(_, reached)| !reached).map(|((what, _), _)| *what);
        let broken = search
            .first_without_end()
            .map(|at| Broken { rule: "every state leads on to an ending", story: search.story(at) });
        Explored { broken, missed: missed.collect(), ..search.explored() }
    }
}

/// A search under way. States are known by number, in the order they were found.
struct Search {
    known: HashMap<u128, u32>,
    /// By state: from where and by what it was first reached.
    from: Vec<(u32, Event)>,
    ended: Vec<Option<RunOutcome>>,
    edges: Vec<(u32, u32)>,
    frontier: VecDeque<(u32, Engine, World)>,
}

impl Search {
    fn begin(plan: &Arc<Plan>, faults: u32) -> Self {
        let mut search = Self {
            known: HashMap::new(),
            from: Vec::new(),
            ended: Vec::new(),
            edges: Vec::new(),
            frontier: VecDeque::new(),
        };
        let mut engine = Engine::new(Arc::clone(plan));
        let mut world = World::new(Arc::clone(plan), faults);
        let outbox = engine.apply(&Event::RunBegan);
        world.follow(&Event::RunBegan, &outbox, 0);
        search.arrive(0, Event::RunBegan, engine, world);
        search
    }

    fn arrive(&mut self, from: u32, event: Event, engine: Engine, world: World) {
        let new = u32::try_from(self.from.len()).expect("memory ends before");
        let at = *self.known.entry(key(&engine, &world)).or_insert(new);
        self.edges.push((at, from));
        if at == new {
            self.from.push((from, event));
            self.ended.push(engine.outcome());
            if engine.outcome().is_none() {
                self.frontier.push_back((at, engine, world));
            }
        }
    }

    fn story(&self, mut at: u32) -> Vec<Event> {
        let mut story = Vec::new();
        loop {
            let (from, event) = &self.from[at as usize];
            story.push(event.clone());
            if at == 0 {
                break;
            }
            at = *from;
        }
        story.reverse();
        story
    }

    /// The first state that no ending can be reached from.
    fn first_without_end(&self) -> Option<u32> {
        let mut before: Vec<Vec<u32>> = vec![Vec::new(); self.from.len()];
        for (at, from) in &self.edges {
            before[*at as usize].push(*from);
        }
        let mut ends: Vec<bool> = self.ended.iter().map(Option::is_some).collect();
        let mut look: Vec<usize> = (0..ends.len()).filter(|at| ends[*at]).collect();
        while let Some(at) = look.pop() {
            for from in &before[at] {
                let from = *from as usize;
                if !std::mem::replace(&mut ends[from], true) {
                    look.push(from);
                }
            }
        }
        ends.iter().position(|ends| !ends).map(|at| u32::try_from(at).expect("it came from one"))
    }

    fn explored(&self) -> Explored {
        let mut endings = BTreeMap::new();
        for outcome in self.ended.iter().flatten() {
            *endings.entry(*outcome).or_default() += 1;
        }
        Explored { states: self.from.len(), endings, ..Explored::default() }
    }
}

/// 128 bits stand for a state: with a million of them two are mistaken for one another once in 10^26 searches.
fn key(engine: &Engine, world: &World) -> u128 {
    let state = (engine.unnumbered(), world.unnumbered());
    let half = |salt: u64| {
        let mut hasher = DefaultHasher::new();
        (salt, &state).hash(&mut hasher);
        u128::from(hasher.finish())
    };
    half(1) << 64 | half(2)
}
