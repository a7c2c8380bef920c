//! The windows of a run's phases, as the engine asks about them (R26).

use std::collections::BTreeMap;

use super::window::Calendar;
use crate::drive::Fact;
use crate::engine::Event;
use crate::journal::{Moment, Wall};
use crate::model::{Bounds, PhaseId, Plan, Span, Time};

/// Answers `CheckWindow` and `WatchWindow`.
pub struct Windows {
    calendars: BTreeMap<PhaseId, Calendar>,
    /// What a phase needs at most, there and back: as `plan` says.
    needs: BTreeMap<PhaseId, Span>,
    checked: BTreeMap<PhaseId, Check>,
    watched: BTreeMap<PhaseId, Wall>,
    /// When something changes, in the run's time.
    next: Option<Time>,
}

/// How a check stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Check {
    /// Not looked at yet.
    New,
    /// Told that it may not start yet.
    Waiting,
}

impl Windows {
    /// The windows of this plan.
    pub fn new(plan: &Plan) -> Self {
        let of = |phase: PhaseId| Some((phase, Calendar::of(plan.phase(phase).window.as_ref()?)?));
        let calendars: BTreeMap<PhaseId, Calendar> = plan.phase_ids().filter_map(of).collect();
        let bounds = (!calendars.is_empty()).then(|| Bounds::of(plan));
        let needs = |phase: &PhaseId| Some((*phase, bounds.as_ref()?.phases[phase.index()].before_close));
        Self {
            needs: calendars.keys().filter_map(needs).collect(),
            calendars,
            checked: BTreeMap::new(),
            watched: BTreeMap::new(),
            next: None,
        }
    }

    /// Whether the phase may start now; where it may not, when it may.
    pub fn may_start(&self, phase: PhaseId, now: Wall) -> Result<(), Option<Wall>> {
        let needs = self.needs.get(&phase).copied().unwrap_or_default();
        match self.calendars.get(&phase) {
            Some(calendar) if !calendar.may_start(now, needs) => Err(calendar.next_start(now, needs)),
            Some(_) | None => Ok(()),
        }
    }

    /// Says whether the phase may start, and when it may.
    pub fn check(&mut self, phase: PhaseId) {
        self.checked.insert(phase, Check::New);
        self.next = Some(Time::ZERO);
    }

    /// Says when the phase's window closes.
    pub fn watch(&mut self, phase: PhaseId) {
        self.watched.insert(phase, Wall::from_millis(0));
        self.next = Some(Time::ZERO);
    }

    /// Says nothing of it any more.
    pub fn forget(&mut self, phase: PhaseId) {
        self.checked.remove(&phase);
        self.watched.remove(&phase);
    }

    /// Whether a phase has not been told yet whether it may start.
    pub fn owes_an_answer(&self) -> bool {
        self.checked.values().any(|check| *check == Check::New)
    }

    /// When to [`Self::look`] again.
    pub fn next_change(&self) -> Option<Time> {
        self.next
    }

    /// What has changed.
    pub fn look(&mut self, now: Moment) -> Vec<Fact> {
        if self.next.is_none_or(|next| now.at < next) {
            return Vec::new();
        }
        let mut facts = Vec::new();
        for phase in self.checked.keys().copied().collect::<Vec<_>>() {
            facts.extend(self.look_at_start(phase, now.wall));
        }
        let calendars = &self.calendars;
        self.watched.retain(|phase, _| {
            let open = calendars.get(phase).is_none_or(|calendar| calendar.open_until(now.wall).is_some());
            if !open {
                let fact = Fact::new(Event::WindowClosed { phase: *phase });
                facts.push(fact.with_evidence(format!("the window closed at {}", now.wall)));
            }
            open
        });
        // The wall clock may be set: look again every few seconds rather than to compute the moment.
        let idle = self.checked.is_empty() && self.watched.is_empty();
        self.next = (!idle).then(|| now.at.after(Span::from_secs(5)));
        facts
    }

    fn look_at_start(&mut self, phase: PhaseId, now: Wall) -> Option<Fact> {
        let check = self.checked.get(&phase).copied()?;
        match self.may_start(phase, now) {
            Ok(()) => {
                self.checked.remove(&phase);
                Some(Fact::new(Event::WindowJudged { phase, open: true }))
            }
            Err(_) if check == Check::Waiting => None,
            Err(next) => {
                self.checked.insert(phase, Check::Waiting);
                let when = next.map_or("no opening is long enough".to_owned(), |at| format!("it may start at {at}"));
                Some(Fact::new(Event::WindowJudged { phase, open: false }).with_evidence(when))
            }
        }
    }
}
