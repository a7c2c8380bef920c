//! Ramps in a view: which value, what it is at, who holds it.

use super::{StepState, Stopwatch, View};
use crate::engine::{Asked, Command, Deadline, HeldBack};
use crate::model::{Plan, Span, Step, StepId, Time};
use crate::report::{Told, words};

/// The ramp of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RampView {
    /// The value it is at, as people read it.
    pub value: String,
    /// Its place, from 1.
    pub number: usize,
    /// How many there are.
    pub of: usize,
    /// Who holds it there, where an operator does.
    pub held_by: Option<String>,
    /// The step's `timeout`, which bounds all values, and what of it is spent (R2a).
    pub clock: Stopwatch,
}

/// What a ramp is at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RampStage {
    /// Its value is being set.
    Setting,
    /// Its value is set, and is to be confirmed.
    Confirming,
    /// Its value is held.
    Holding {
        /// Since when.
        since: Time,
        /// For how long.
        hold: Span,
    },
    /// The time is over, and something keeps it.
    Kept {
        /// What.
        why: String,
    },
    /// The run does not go on, and it stays where it is.
    Standing,
}

impl RampView {
    pub(super) fn of(step: &Step) -> Option<Self> {
        let ramp = step.forward.ramp()?;
        Some(Self {
            value: ramp.values.first().map(crate::model::RampValue::text).unwrap_or_default(),
            number: 1,
            of: ramp.values.len(),
            held_by: None,
            clock: Stopwatch::new(Some(step.forward.timeout)),
        })
    }
}

impl View {
    pub(super) fn begin_ramp(&mut self, step: StepId, at: Time) {
        if let Some(ramp) = &mut self.steps[step.index()].ramp {
            ramp.clock = Stopwatch::new(ramp.clock.bound);
            ramp.held_by = None;
        }
        self.set_stage(step, RampStage::Setting, at);
    }

    pub(super) fn set_value(&mut self, plan: &Plan, step: StepId, value: u16, at: Time) {
        let Some(ramp) = plan.step(step).forward.ramp() else { return };
        let it = &mut self.steps[step.index()];
        it.attempts += 1;
        it.in_effect |= plan.step(step).has_effect();
        if let Some(view) = &mut it.ramp {
            view.number = usize::from(value) + 1;
            view.value = ramp.values.get(usize::from(value)).map(crate::model::RampValue::text).unwrap_or_default();
        }
        self.set_stage(step, RampStage::Setting, at);
    }

    pub(super) fn note_value_set(&mut self, plan: &Plan, step: StepId, value: u16, at: Time) {
        let confirms = plan.step(step).forward.ramp().is_some_and(|ramp| ramp.confirm.is_some());
        if confirms {
            self.set_stage(step, RampStage::Confirming, at);
        } else {
            self.hold_value(plan, step, value, at);
        }
    }

    pub(super) fn hold_value(&mut self, plan: &Plan, step: StepId, value: u16, at: Time) {
        let hold = Deadline::RampHold(step, value).span(plan).unwrap_or_default();
        self.set_stage(step, RampStage::Holding { since: at, hold }, at);
    }

    pub(super) fn keep_value(&mut self, plan: &Plan, step: StepId, why: HeldBack, told: &Told) {
        let at = told.at;
        match why {
            HeldBack::Pressure(_) | HeldBack::NoData(_) => {
                self.set_stage(step, RampStage::Kept { why: words::kept(plan, why) }, at);
            }
            HeldBack::Operator => {
                if let StepState::Ramping { stage: stage @ RampStage::Kept { .. } } =
                    &mut self.steps[step.index()].state
                {
                    *stage = RampStage::Kept { why: String::new() };
                }
                if let (Some(ramp), Some(who)) = (&mut self.steps[step.index()].ramp, &told.who) {
                    ramp.held_by = Some(who.clone());
                }
            }
        }
    }

    pub(super) fn release_value(&mut self, step: StepId) {
        if let Some(ramp) = &mut self.steps[step.index()].ramp {
            ramp.held_by = None;
        }
    }

    /// Whatever it does but standing costs it time.
    fn set_stage(&mut self, step: StepId, stage: RampStage, at: Time) {
        self.ramp_clock(step, |clock| if stage == RampStage::Standing { clock.stop(at) } else { clock.start(at) });
        self.set_step(step, StepState::Ramping { stage });
    }

    /// The run does not go on.
    pub(super) fn stand_ramps(&mut self, plan: &Plan, at: Time) {
        let sets = StepState::Ramping { stage: RampStage::Setting };
        for step in plan.step_ids().filter(|step| plan.step(*step).forward.ramp().is_some()) {
            if self.step(step).state != sets {
                self.stand(step, at);
            }
        }
    }

    /// A question about a value is put or taken back: without it a ramp stands.
    pub(super) fn order_ramp(&mut self, plan: &Plan, at: Time, command: &Command) {
        match *command {
            Command::Ask { question, .. } => {
                if let Asked::Confirm(step, _) = question.asked {
                    self.set_stage(step, RampStage::Confirming, at);
                }
            }
            Command::Withdraw { question } => {
                if let Asked::Confirm(step, _) | Asked::Advance(step, ..) | Asked::HoldWhile(step, _) = question.asked {
                    self.stand(step, at);
                }
            }
            Command::Arm { deadline: Deadline::RampHold(step, value) } => self.hold_value(plan, step, value, at),
            Command::Disarm { deadline: Deadline::RampHold(step, _) } => self.stand(step, at),
            Command::Arm { deadline: Deadline::Ramp(step) } | Command::Release { deadline: Deadline::Ramp(step) } => {
                self.ramp_clock(step, |clock| clock.start(at));
            }
            Command::Disarm { deadline: Deadline::Ramp(step) } | Command::Hold { deadline: Deadline::Ramp(step) } => {
                self.ramp_clock(step, |clock| clock.stop(at));
            }
            _ => {}
        }
    }

    fn stand(&mut self, step: StepId, at: Time) {
        if matches!(self.step(step).state, StepState::Ramping { .. }) {
            self.set_stage(step, RampStage::Standing, at);
        }
    }

    fn ramp_clock(&mut self, step: StepId, turn: impl FnOnce(&mut Stopwatch)) {
        if let Some(ramp) = &mut self.steps[step.index()].ramp {
            turn(&mut ramp.clock);
        }
    }
}
