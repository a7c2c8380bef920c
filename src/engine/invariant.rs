//! What must be true of every state, checked after every event in debug builds and by the tests.

use super::state::{BaselineState, Goal, GuardState, JobState, PhaseState, Stage, WayBack};
use super::{Deadline, Engine};
use crate::model::{Node, StepOutcome};

/// A rule that a state breaks, in words.
pub(crate) fn first_broken(engine: &Engine) -> Option<String> {
    jobs(engine)
        .or_else(|| ramps(engine))
        .or_else(|| counts(engine))
        .or_else(|| way_back(engine))
        .or_else(|| guards(engine))
        .or_else(|| baseline(engine))
        .or_else(|| endings(engine))
}

fn jobs(engine: &Engine) -> Option<String> {
    let plan = engine.plan();
    for step in plan.step_ids() {
        let state = &engine.steps[step.index()];
        let name = &plan.step(step).name;
        if state.job.is_some() != engine.active.contains(&step) {
            return Some(format!("`{name}` is active if and only if it has a job"));
        }
        let Some(job) = &state.job else { continue };
        if let JobState::Attempting { .. } | JobState::Stalled { .. } = job.state
            && matches!(job.goal, Goal::Forward)
            && !state.in_effect
        {
            return Some(format!("`{name}` runs, so it is to be undone"));
        }
        if job.goal == Goal::Forward && engine.over[plan.step_node(step).index()] {
            return Some(format!("`{name}` is over, so nothing of its way forward runs"));
        }
        if matches!(job.goal, Goal::Undo | Goal::Reopen) && !matches!(engine.stage, Stage::Rolling(_)) {
            return Some(format!("`{name}` is undone only on the way back"));
        }
        if job.goal == Goal::Undo {
            // R8: nothing downstream is in effect while a step is undone, but what `after` turned round. (What `after`
            // names may lie outside of the set, or come into it too late.)
            let node = plan.step_node(step);
            for waits in plan.undo_waits(node).iter().filter(|waits| plan.graph().contains_edge(node, **waits)) {
                if let Node::Step(other) = plan.graph()[*waits]
                    && engine.steps[other.index()].in_effect
                    && !plan.step(other).undo().is_empty()
                {
                    return Some(format!("`{name}` is undone while `{}` is still in effect", plan.step(other).name));
                }
            }
        }
    }
    None
}

fn ramps(engine: &Engine) -> Option<String> {
    let plan = engine.plan();
    for step in plan.step_ids() {
        let (state, name) = (&engine.steps[step.index()], &plan.step(step).name);
        let values = plan.step(step).forward.ramp().map_or(1, |ramp| ramp.values.len());
        if usize::from(state.ramp.value) >= values {
            return Some(format!("`{name}` has {values} values, and none with number {}", state.ramp.value));
        }
        let is_ramping = state.job.as_ref().is_some_and(|job| plan.step(step).work(job.part).ramp().is_some());
        let held = state.ramp.held || engine.armed.contains(&Deadline::Ramp(step));
        if held && !is_ramping {
            return Some(format!("the ramp of `{name}` is over, so nothing bounds or holds it"));
        }
        let at_value = state.job.as_ref().is_some_and(|job| matches!(job.state, JobState::AtValue(_)));
        if engine.armed.contains(&Deadline::RampHold(step, state.ramp.value)) && !at_value {
            return Some(format!("`{name}` holds a value that is not set"));
        }
        if at_value && state.job.as_ref().is_some_and(|job| !engine.may_act(job.goal)) {
            return Some(format!("the ramp of `{name}` goes on although the run does not"));
        }
    }
    None
}

fn counts(engine: &Engine) -> Option<String> {
    let left = engine.over.iter().filter(|over| !**over).count();
    if left != engine.left as usize {
        return Some(format!("{left} nodes are left, not {}", engine.left));
    }
    let plan = engine.plan();
    if engine.stage == Stage::Forward {
        for node in plan.graph().node_indices() {
            let waits =
                plan.graph().neighbors_directed(node, petgraph::Incoming).filter(|n| !engine.over[n.index()]).count();
            if waits != engine.blocked[node.index()] as usize {
                let name = plan.node_name(plan.graph()[node]);
                return Some(format!("`{name}` waits for {waits} others, not {}", engine.blocked[node.index()]));
            }
        }
    }
    for step in &engine.ready {
        if engine.over[plan.step_node(*step).index()] || engine.steps[step.index()].job.is_some() {
            return Some(format!("`{}` is ready and begun at once", plan.step(*step).name));
        }
        if engine.stage == Stage::Forward && engine.blocked[plan.step_node(*step).index()] > 0 {
            return Some(format!("`{}` is ready and waits for others", plan.step(*step).name));
        }
    }
    None
}

fn way_back(engine: &Engine) -> Option<String> {
    let plan = engine.plan();
    for step in plan.step_ids() {
        let state = &engine.steps[step.index()];
        let name = &plan.step(step).name;
        if state.outcome == StepOutcome::Found && state.in_effect && !plan.step(step).undo_found {
            return Some(format!("`{name}` was found, so it is not ours to undo"));
        }
        if state.in_effect && state.released {
            return Some(format!("the bracket `{name}` is held and closed at once"));
        }
        if state.way_back != WayBack::Unwatched && engine.closed {
            return Some(format!("the way back of `{name}` is watched although it is closed"));
        }
        if let Stage::Rolling(rolling) = &engine.stage {
            let node = plan.step_node(step).index();
            if rolling.scope[node] && plan.step(step).is_irreversible() && state.in_effect {
                return Some(format!("a rollback goes back behind the irreversible step `{name}`"));
            }
            if rolling.cleared[node] && state.in_effect && state.job.is_none() && !rolling.scope[node] {
                return Some(format!("`{name}` was cleared outside of the set"));
            }
        }
    }
    None
}

fn guards(engine: &Engine) -> Option<String> {
    // A pause may come between the last node and the end, which lets all of them sleep.
    if engine.stage != Stage::Forward || engine.left == 0 {
        return None;
    }
    let astray = engine.plan().guard_ids().find(|guard| {
        let awake = engine.guards[guard.index()] != GuardState::Asleep;
        awake != engine.is_in_scope(*guard)
    })?;
    Some(format!("the guard `{}` is awake if and only if its scope is open", engine.plan().guard(astray).name))
}

fn baseline(engine: &Engine) -> Option<String> {
    let baseline = engine.plan().baseline()?;
    let is_being_taken = matches!(engine.baseline, BaselineState::Sampling | BaselineState::Requiring(_));
    match baseline.before {
        None if engine.touched && engine.baseline != BaselineState::Taken => {
            Some("nothing with an effect starts before the baseline is there".to_owned())
        }
        Some(phase) if is_being_taken && engine.phases[phase.index()] != PhaseState::AtBaseline => {
            Some(format!("`{}` waits for the baseline that is taken before it", engine.plan().phase(phase).name))
        }
        Some(_) | None => None,
    }
}

fn endings(engine: &Engine) -> Option<String> {
    if let Stage::Ended(_) = engine.stage {
        if !engine.active.is_empty() {
            return Some("a run that has ended has nothing under way".to_owned());
        }
        if matches!(engine.baseline, BaselineState::Sampling | BaselineState::Requiring(_)) {
            return Some("a run that has ended takes no baseline".to_owned());
        }
        if !engine.armed.is_empty() {
            return Some("a run that has ended waits for no deadline".to_owned());
        }
    }
    None
}
