//! Guards: when they are awake, and what a breach does (R9, R14).

use std::sync::Arc;

use super::state::{Before, Goal, GuardState, JobState, PhaseState, RampState, Stage, WayBack};
use super::{Command, Engine, Notice, Origin, Outbox};
use crate::model::{Bracket, GuardId, OnBreach, RunOutcome, Scope, StepId, StepOutcome, Verdict};

impl Engine {
    /// Wakes the guards whose scope is open, and lets those sleep whose scope is over.
    pub(crate) fn mind_guards(&mut self, out: &mut Outbox) {
        if self.guards.is_empty() || !matches!(self.stage, Stage::Forward) {
            return;
        }
        for guard in self.plan.0.guard_ids() {
            self.mind_guard(guard, out);
        }
    }

    /// The guards that name a step that is about to begin, or is settled.
    pub(crate) fn mind_guards_of_step(&mut self, step: StepId, out: &mut Outbox) {
        let naming = Arc::clone(&self.plan.1);
        for guard in &naming.of_step[step.index()] {
            self.mind_guard(*guard, out);
        }
    }

    /// The guards that name a bracket: it is held until its undo acts, whatever led to that.
    pub(crate) fn mind_guards_of_brackets(&mut self, out: &mut Outbox) {
        if self.stage != Stage::Forward {
            return;
        }
        let naming = Arc::clone(&self.plan.1);
        for guard in &naming.of_brackets {
            self.mind_guard(*guard, out);
        }
    }

    fn mind_guard(&mut self, guard: GuardId, out: &mut Outbox) {
        let open = self.is_in_scope(guard);
        let state = &mut self.guards[guard.index()];
        match (open, *state) {
            (true, GuardState::Asleep) => {
                *state = GuardState::Watched { held: false };
                out.order(Command::WatchGuard { guard });
            }
            (false, GuardState::Watched { .. }) => {
                *state = GuardState::Asleep;
                out.order(Command::UnwatchGuard { guard });
            }
            (true, GuardState::Watched { .. }) | (false, GuardState::Asleep) => {}
        }
    }

    pub(crate) fn is_in_scope(&self, guard: GuardId) -> bool {
        !self.lacks_its_baseline(guard) && self.is_scope_open(guard)
    }

    fn is_scope_open(&self, guard: GuardId) -> bool {
        match &self.plan.0.guard(guard).scope {
            Scope::Everywhere => self.left > 0,
            Scope::Phases(phases) => phases.iter().any(|phase| {
                !matches!(self.phases[phase.index()], PhaseState::Waiting | PhaseState::AtWindow | PhaseState::Done)
            }),
            Scope::Steps(steps) => steps.iter().any(|step| {
                let node = self.plan.0.step_node(*step);
                let runs = self.blocked[node.index()] == 0 && !self.over[node.index()];
                runs || self.is_held(*step)
            }),
        }
    }

    /// Whether this is a bracket that is held: its effect is there, and its undo has not acted (R12a).
    fn is_held(&self, step: StepId) -> bool {
        self.plan.0.step(step).held_for.is_some() && self.steps[step.index()].in_effect && !self.may_be_closed(step)
    }

    /// Whether a step that begins now begins inside this bracket.
    fn begins_inside(&self, step: StepId, bracket: StepId) -> bool {
        let plan = &self.plan.0;
        self.is_held(bracket)
            && match plan.step(bracket).held_for {
                Some(Bracket::Phase) => plan.step(step).phase == plan.step(bracket).phase,
                Some(Bracket::Run) | None => true,
            }
    }

    /// Whether every guard that can stop a step has held since its scope opened (R14).
    pub(crate) fn guards_have_held(&self, step: StepId) -> bool {
        self.guards_yet_to_hold(step).next().is_none()
    }

    fn guards_yet_to_hold(&self, step: StepId) -> impl Iterator<Item = GuardId> + '_ {
        let has_held = |guard: GuardId| {
            self.lacks_its_baseline(guard)
                || self.plan.0.guard(guard).on_breach == OnBreach::Warn
                || matches!(self.guards[guard.index()], GuardState::Watched { held: true })
        };
        let covers = move |guard: &GuardId| match &self.plan.0.guard(*guard).scope {
            Scope::Everywhere => true,
            Scope::Phases(phases) => self.plan.0.step(step).phase.is_some_and(|phase| phases.contains(&phase)),
            // Those that name it are known; others watch over the brackets that it begins in.
            Scope::Steps(steps) => steps.iter().any(|bracket| self.begins_inside(step, *bracket)),
        };
        let named = self.plan.1.of_step[step.index()].iter().copied();
        named.chain(self.plan.0.guard_ids().filter(covers)).filter(move |guard| !has_held(*guard))
    }

    /// The first step that could begin if only this guard had held.
    fn kept_back_by(&self, guard: GuardId) -> Option<StepId> {
        if !self.may_act(Goal::Forward) {
            return None;
        }
        let parked = |step: &StepId| {
            self.job(*step).is_some_and(|job| job.goal == Goal::Forward && matches!(job.state, JobState::Parked))
        };
        let is_kept_back = |step: &StepId| {
            let otherwise_free = !self.waits_for_window(*step) && !self.keeps_back(*step);
            otherwise_free
                && self.plan.0.step(*step).has_effect()
                && self.guards_yet_to_hold(*step).any(|other| other == guard)
        };
        self.active.iter().copied().filter(parked).chain(self.ready.iter().copied()).find(is_kept_back)
    }

    /// Whether a guard keeps steps back only because it has not held yet.
    pub fn is_awaited(&self, guard: GuardId) -> bool {
        self.kept_back_by(guard).is_some()
    }

    /// A guard is slow to hold: people hear what is waited for, if something is.
    pub(crate) fn tell_of_awaited(&self, guard: GuardId, out: &mut Outbox) {
        if guard.index() < self.guards.len()
            && let Some(step) = self.kept_back_by(guard)
        {
            out.tell(Notice::GuardAwaited { guard, step });
        }
    }

    pub(crate) fn note_guard_held(&mut self, guard: GuardId) {
        if let Some(GuardState::Watched { held }) = self.guards.get_mut(guard.index()) {
            *held = true;
        }
    }

    /// Counts begin anew: after a pause, a rollback, and downtime.
    pub(crate) fn watch_anew(&mut self, out: &mut Outbox) {
        for guard in self.plan.0.guard_ids() {
            if let state @ GuardState::Watched { .. } = &mut self.guards[guard.index()] {
                *state = GuardState::Watched { held: false };
                out.order(Command::WatchGuard { guard });
            }
        }
        for step in self.plan.0.step_ids() {
            if let way_back @ WayBack::Watched(_) = &mut self.steps[step.index()].way_back {
                *way_back = WayBack::Watched(None);
                out.order(Command::WatchWayBack { step });
            }
        }
    }

    /// Puts all guards to sleep: there is nothing left that they could stop.
    pub(crate) fn rest_guards(&mut self, out: &mut Outbox) {
        for guard in self.plan.0.guard_ids() {
            if std::mem::replace(&mut self.guards[guard.index()], GuardState::Asleep) != GuardState::Asleep {
                out.order(Command::UnwatchGuard { guard });
            }
        }
    }

    pub(crate) fn take_breach(&mut self, guard: GuardId, out: &mut Outbox) {
        if !self.is_judged(guard) {
            return;
        }
        out.tell(Notice::GuardBreached { guard });
        let plan = Arc::clone(&self.plan.0);
        let origin = Origin::GuardBreached(guard);
        match &plan.guard(guard).on_breach {
            OnBreach::Warn => {}
            OnBreach::Rollback(_) | OnBreach::Pause if !self.touched => self.begin_ending(RunOutcome::Refused, out),
            OnBreach::Rollback(rollback) => self.order_rollback(origin, rollback, out),
            OnBreach::Pause => self.pause_for(origin, out),
        }
    }

    pub(crate) fn take_blindness(&mut self, guard: GuardId, out: &mut Outbox) {
        if !self.is_judged(guard) {
            return;
        }
        out.tell(Notice::GuardBlind { guard });
        if self.plan.0.guard(guard).on_breach != OnBreach::Warn {
            self.pause_for(Origin::GuardBlind(guard), out);
        }
    }

    /// What is worth telling of a guard, and decides nothing.
    pub(crate) fn tell_of_guard(&self, guard: GuardId, notice: Notice, out: &mut Outbox) {
        if self.is_judged(guard) {
            out.tell(notice);
        }
    }

    /// Guards are measured and shown on the way back, but not judged (R9); those at the end of the way forward are.
    fn is_judged(&self, guard: GuardId) -> bool {
        let awake = matches!(self.guards.get(guard.index()), Some(GuardState::Watched { .. }));
        let judged = match self.stage {
            Stage::Forward
            | Stage::Ending(RunOutcome::Stopped)
            | Stage::Weighing(_, Before::Forward | Before::Ending(RunOutcome::Stopped)) => true,
            Stage::Unborn
            | Stage::Preflight(_)
            | Stage::Weighing(..)
            | Stage::Rolling(_)
            | Stage::Ending(_)
            | Stage::Ended(_) => false,
        };
        // Where nothing new starts a scope may have ended while its guard is still awake.
        awake && judged && self.is_in_scope(guard)
    }

    pub(crate) fn note_way_back(&mut self, step: StepId, verdict: Verdict, out: &mut Outbox) {
        let Some(state) = self.steps.get_mut(step.index()) else { return };
        let WayBack::Watched(before) = state.way_back else { return };
        state.way_back = WayBack::Watched(Some(verdict));
        let open = verdict == Verdict::Holds;
        // It counts as open until it was judged, on the screen; a rollback waits for the verdict.
        let was_open = before.is_none_or(|before| before == Verdict::Holds);
        match (was_open, open) {
            (true, false) => out.tell(Notice::WayBackShut { step }),
            (false, true) => out.tell(Notice::WayBackOpen { step }),
            (true, true) | (false, false) => {}
        }
    }

    /// The outcome of a step as people see it while it is being undone.
    pub(crate) fn forget(&mut self, step: StepId, out: &mut Outbox) {
        let state = &mut self.steps[step.index()];
        state.outcome = if state.in_effect { StepOutcome::Undone } else { StepOutcome::Pending };
        state.in_effect = false;
        state.was_done = false;
        state.released = false;
        state.left_out = false;
        state.ramp = RampState::default();
        self.failed.remove(&step);
        self.unreleased.remove(&step);
        out.order(Command::Forget { step });
    }
}
