//! The promise of R2: no way back takes longer than the plan said before the start, as long as nobody interferes and
//! every undo keeps its own bound.

use std::sync::Arc;

use runbook::engine::{Act, Event, Notice, Origin, Outbox, Output};
use runbook::model::{AttemptEnd, Bounds, Plan, Target, Time, Trigger};

/// Follows one run in virtual time.
pub(crate) struct Promise {
    plan: Arc<Plan>,
    bounds: Bounds,
    watch: Option<Watch>,
    /// A person left out what cannot be undone: behind it nothing was to be undone.
    is_void: bool,
    /// Ways back that were held to it, to the start and to elsewhere.
    pub(crate) kept: [u32; 2],
}

/// A rollback under way.
struct Watch {
    target: Target,
    by: Time,
    origin: Origin,
}

impl Promise {
    pub(crate) fn new(plan: Arc<Plan>) -> Self {
        Self { bounds: Bounds::of(&plan), plan, watch: None, is_void: false, kept: [0; 2] }
    }

    /// A new process took over: what lies between is in no bound.
    pub(crate) fn forget(&mut self) {
        self.watch = None;
    }

    /// What happened, what followed, and when.
    pub(crate) fn follow(&mut self, event: &Event, outbox: &Outbox, now: Time) -> Result<(), String> {
        if let Event::OperatorAsked { act: Act::Skip { step } | Act::MarkDone { step } } = event {
            self.is_void |= self.plan.step(*step).is_irreversible();
        }
        let never_started = matches!(event, Event::AttemptEnded { end: AttemptEnd::NeverStarted, .. });
        if never_started || matches!(event, Event::OperatorAsked { .. }) {
            self.forget();
        }
        if let Some(Watch { target, by, origin }) = &self.watch
            && now > *by
        {
            return Err(format!("the way back to {target:?} for {origin:?} is over its bound: {now:?}, not {by:?}"));
        }
        for output in outbox.outputs() {
            match *output {
                Output::Tell(Notice::RollbackStarted { target, origin, widened }) => {
                    let new = self.bound(origin, target, now);
                    self.watch = if widened { self.wider(new) } else { new };
                }
                Output::Tell(Notice::RollbackFinished { .. }) => {
                    if let Some(watch) = self.watch.take() {
                        self.kept[usize::from(watch.target != Target::Start)] += 1;
                    }
                }
                Output::Tell(Notice::RunStuck { .. }) => self.forget(),
                Output::Tell(_) | Output::Do(_) => {}
            }
        }
        Ok(())
    }

    /// The wider one of two counts from its beginning; of two that lie beside each other nothing was promised.
    fn wider(&mut self, new: Option<Watch>) -> Option<Watch> {
        let (old, new) = (self.watch.take()?, new?);
        if self.covers(old.target, new.target) {
            Some(old)
        } else {
            Some(new).filter(|new| self.covers(new.target, old.target))
        }
    }

    fn covers(&self, upper: Target, lower: Target) -> bool {
        let node = match lower {
            Target::Start => return upper == Target::Start,
            Target::Step(step) => self.plan.step_node(step),
            Target::Phase(phase) => self.plan.phase_nodes(phase).1,
        };
        upper == lower || self.plan.downstream(upper).contains(&node)
    }

    /// What was said of it before the start.
    fn bound(&self, origin: Origin, target: Target, now: Time) -> Option<Watch> {
        if self.is_void {
            return None;
        }
        let trigger = match origin {
            Origin::StepFailed(step) if target == Target::Start => {
                let by = now.after(self.bounds.steps[step.index()].back.bound);
                return Some(Watch { target, by, origin });
            }
            Origin::StepFailed(step) => Trigger::StepFailed(step),
            Origin::StepInDoubt(step) => Trigger::StepInDoubt(step),
            Origin::PhaseFailed(phase) => Trigger::PhaseFailed(phase),
            Origin::GuardBreached(guard) => Trigger::GuardBreached(guard),
            Origin::NoGo(gate) | Origin::GateExpired(gate) => Trigger::NoGo(gate),
            Origin::WindowClosed(phase) => Trigger::WindowClosed(phase),
            Origin::RunTimeout | Origin::Operator if target == Target::Start => Trigger::RunTimeout,
            Origin::GuardBlind(_)
            | Origin::BracketFailed(_)
            | Origin::Until(_)
            | Origin::RunTimeout
            | Origin::Operator => return None,
        };
        let edges = self.bounds.edges.iter().filter(|edge| edge.trigger == trigger && edge.target == target);
        let bound = edges.map(|edge| edge.back.bound).max()?;
        Some(Watch { target, by: now.after(bound), origin })
    }
}
