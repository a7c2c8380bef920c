//! A driver of dice in virtual time: it answers every command by chance, by a seed that tells the same story every time.
//!
//! It knows the words of the engine and no rule of a run. Attempts end in every way there is, questions are judged by
//! streams of verdicts, guards hold and are breached, people answer or do not, operators meddle, and the process is killed
//! anywhere: then a new engine is built from the facts so far, and must equal the one that was lost.

mod dice;
mod fault;
mod operator;
mod world;

use std::collections::VecDeque;
use std::sync::Arc;

pub use dice::Dice;
pub use fault::Faults;
use world::World;

use crate::engine::{Act, Engine, Event, Outbox};
use crate::model::{Plan, Span, Time};

/// One run in a world of dice.
#[derive(Debug)]
pub struct Simulation {
    engine: Engine,
    world: World,
    facts: Vec<(Event, Outbox)>,
    next: VecDeque<Event>,
}

/// What a simulated run came to next.
#[derive(Clone, Debug)]
pub enum Next {
    /// This happened, and that followed.
    Happened(Event, Outbox),
    /// The process was killed and a new one took over; the engine that it built from the facts is another one than the
    /// one that was lost, if `diverged`.
    Crashed {
        /// It must never be.
        diverged: bool,
    },
    /// Nothing will ever happen again unless a person does something.
    Idle,
    /// The run has ended, and nobody regrets it.
    Over,
}

impl Simulation {
    /// A run of this plan; the world is unkind until `calm`, and does its best from then on.
    pub fn new(seed: u64, plan: &Arc<Plan>, faults: Faults, calm: Span) -> Self {
        Self {
            engine: Engine::new(Arc::clone(plan)),
            world: World::new(seed, Arc::clone(plan), faults, Time::ZERO.after(calm)),
            facts: Vec::new(),
            next: VecDeque::from([Event::RunBegan]),
        }
    }

    /// The engine as it is now.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// All that has happened, and what followed.
    pub fn facts(&self) -> &[(Event, Outbox)] {
        &self.facts
    }

    /// Virtual time.
    pub fn now(&self) -> Time {
        self.world.now()
    }

    /// Lets the next thing happen.
    pub fn step(&mut self) -> Next {
        if self.next.is_empty() && self.world.crashes() {
            return self.crash();
        }
        let event = match self.next.pop_front() {
            Some(event) => event,
            None => match self.world.next(&self.engine) {
                Some(event) => event,
                None if self.engine.outcome().is_some() => return Next::Over,
                None => return Next::Idle,
            },
        };
        let outbox = self.engine.apply(&event);
        self.world.follow(&event, &outbox);
        self.facts.push((event.clone(), outbox.clone()));
        Next::Happened(event, outbox)
    }

    /// An operator does what seems best to end an idle run; each call something else.
    pub fn help(&mut self) {
        let act = self.world.help(&self.engine);
        self.order(act);
    }

    /// An operator orders this next.
    pub fn order(&mut self, act: Act) {
        self.next.push_back(Event::OperatorAsked { act });
    }

    /// The engine that the facts so far lead to, if they lead to the same decisions again.
    pub fn replayed(&self) -> Option<Engine> {
        let mut engine = Engine::new(Arc::clone(self.engine.plan()));
        let same = self.facts.iter().all(|(event, outbox)| engine.apply(event) == *outbox);
        same.then_some(engine)
    }

    fn crash(&mut self) -> Next {
        let replayed = self.replayed();
        let diverged = replayed.as_ref() != Some(&self.engine);
        if let Some(engine) = replayed {
            self.engine = engine;
        }
        self.next.push_back(Event::RunResumed);
        self.next.extend(self.world.take_over());
        Next::Crashed { diverged }
    }
}
