//! Operators: they order anything at any time, sensible or not.

use super::Dice;
use crate::engine::{Act, Engine};
use crate::model::{PhaseId, StepId, Target};

/// Any order at all.
pub(super) fn any_act(dice: &mut Dice, engine: &Engine) -> Act {
    let plan = engine.plan();
    let step = StepId::at(dice.below(plan.steps().len()));
    match dice.below(14) {
        0 | 1 => Act::Pause,
        2..=4 => Act::Resume,
        5 => Act::Stop,
        6 => Act::Rollback { target: any_target(dice, engine), force: dice.often(300) },
        7 => Act::Retry { step },
        8 => Act::MarkDone { step },
        9 => Act::Skip { step },
        10 if !plan.phases().is_empty() => {
            Act::HoldAfter { phase: dice.often(700).then(|| PhaseId::at(dice.below(plan.phases().len()))) }
        }
        // Of many steps few are ramps, and those only for a while.
        11 => Act::Hold { step: ramping(engine).unwrap_or(step) },
        12 => Act::Advance { step: ramping(engine).unwrap_or(step) },
        _ => Act::Close,
    }
}

/// A step whose ramp is under way.
fn ramping(engine: &Engine) -> Option<StepId> {
    engine.active_steps().find(|step| engine.ramp(*step).is_some())
}

/// One of the orders that may take an idle run further.
pub(super) fn helpful_act(dice: &mut Dice, engine: &Engine) -> Act {
    let failed = engine.failed_steps();
    let held = engine.active_steps().find(|step| engine.ramp(*step).is_some_and(|ramp| ramp.held));
    if let Some(step) = held.filter(|_| dice.often(500)) {
        return Act::Advance { step };
    }
    match dice.below(10) {
        0..=5 if !failed.is_empty() => {
            let step = dice.pick(&failed);
            match dice.below(4) {
                0 => Act::MarkDone { step },
                1 => Act::Skip { step },
                _ => Act::Retry { step },
            }
        }
        0..=6 => Act::Resume,
        7 | 8 => Act::Rollback { target: any_target(dice, engine), force: dice.often(500) },
        _ => Act::Stop,
    }
}

fn any_target(dice: &mut Dice, engine: &Engine) -> Target {
    let plan = engine.plan();
    match dice.below(3) {
        0 => Target::Step(StepId::at(dice.below(plan.steps().len()))),
        1 if !plan.phases().is_empty() => Target::Phase(PhaseId::at(dice.below(plan.phases().len()))),
        _ => Target::Start,
    }
}
