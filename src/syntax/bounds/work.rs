//! How long one piece of work takes at most.

use crate::model::{
    Action, Baseline, ConditionId, Criterion, Node, OnStop, Plan, ProbeId, Ramp, Span, Step, StepId, Wait, Watched,
    Work,
};

/// The first fresh verdict: a poll may just have begun and does not count, and the next one may use up its timeout (R13).
pub(in crate::syntax) fn fresh(plan: &Plan, condition: ConditionId) -> Span {
    let probes = plan.condition(condition).probes.iter().map(|&id| (plan.probe(id), covers(plan, condition, id)));
    probes.map(|(p, covers)| covers.plus(p.interval.max(p.timeout)).plus(p.timeout)).max().unwrap_or_default()
}

/// How much of the past a condition summarises of a probe, and the probe by itself.
fn covers(plan: &Plan, condition: ConditionId, probe: ProbeId) -> Span {
    plan.probe(probe).covers.plus(plan.condition(condition).reach(probe))
}

/// One criterion, until it is decided.
pub(in crate::syntax) fn criterion(plan: &Plan, criterion: &Criterion) -> Span {
    if let Some(within) = criterion.within {
        return within;
    }
    let first = fresh(plan, criterion.condition);
    let held = first.plus(criterion.hold_for.unwrap_or_default());
    criterion.count.map_or(held, |count| held.plus(between_samples(plan, criterion).times(count.samples.into())))
}

/// Criteria of one place are measured side by side.
pub(in crate::syntax) fn criteria(plan: &Plan, list: &[Criterion]) -> Span {
    list.iter().map(|one| criterion(plan, one)).max().unwrap_or_default()
}

/// Taking the baseline: as long as it is sampled, and until every probe has answered once; a poll that had begun before
/// does not count, and the next one may use up its timeout (R13). Then its criteria.
pub(in crate::syntax) fn baseline(plan: &Plan, baseline: &Baseline) -> Span {
    let probes = baseline.probes.iter().map(|&id| plan.probe(id));
    let answers = probes.map(|p| p.interval.max(p.timeout).plus(p.timeout)).max().unwrap_or_default();
    baseline.over.max(answers).plus(criteria(plan, &baseline.require))
}

/// The steps that a baseline without `before` may come just before: those with an effect that no other one comes before.
pub(in crate::syntax) fn first_effects(plan: &Plan) -> Vec<StepId> {
    let mut behind = vec![false; plan.graph().node_count()];
    let mut first = Vec::new();
    for &node in plan.order() {
        let mut before = plan.graph().neighbors_directed(node, petgraph::Incoming);
        behind[node.index()] = before.any(|other| behind[other.index()]);
        if let Node::Step(step) = plan.graph()[node]
            && plan.step(step).has_effect()
        {
            if !behind[node.index()] {
                first.push(step);
            }
            behind[node.index()] = true;
        }
    }
    first
}

/// The shortest time that a criterion needs, however well it goes.
pub(in crate::syntax) fn criterion_at_least(plan: &Plan, criterion: &Criterion) -> Span {
    let probes = || plan.condition(criterion.condition).probes.iter();
    let interval = probes().map(|id| plan.probe(*id).interval).max().unwrap_or_default();
    let samples = criterion.count.map_or(Span::ZERO, |count| interval.times(count.samples.saturating_sub(1).into()));
    longest_covers(plan, criterion.condition).plus(samples).plus(criterion.hold_for.unwrap_or_default())
}

/// How long a ramp stays at each of its values at least, however well it goes.
pub(in crate::syntax) fn ramp_stays(plan: &Plan, ramp: &Ramp) -> Vec<Span> {
    let read = ramp.advance.iter().map(|one| one.condition).chain(ramp.hold_while);
    let seen = read.map(|condition| longest_covers(plan, condition)).max().unwrap_or_default();
    let confirm = ramp.confirm.as_ref().map(|one| criterion_at_least(plan, one)).unwrap_or_default();
    ramp.values.iter().map(|value| confirm.plus(value.hold).max(seen)).collect()
}

/// How long all values of a ramp are held at least, however well it goes.
pub(in crate::syntax) fn ramp_at_least(plan: &Plan, ramp: &Ramp) -> Span {
    ramp_stays(plan, ramp).into_iter().fold(Span::ZERO, Span::plus)
}

/// How long after a fault begins a guard may be without it, where every sample of it fails: what the samples summarise must
/// lie behind its beginning, and the first of them may come an interval later.
pub(in crate::syntax) fn seen_after(plan: &Plan, watched: &Watched) -> Span {
    let probes = &plan.condition(watched.require).probes;
    let interval = probes.iter().map(|id| plan.probe(*id).interval).max().unwrap_or_default();
    // Over one probe a guard is judged at every sample (R14).
    let between = if probes.len() == 1 { interval } else { interval.max(watched.every) };
    longest_covers(plan, watched.require).plus(between.times(watched.failures.into()))
}

fn longest_covers(plan: &Plan, condition: ConditionId) -> Span {
    plan.condition(condition).probes.iter().map(|id| covers(plan, condition, *id)).max().unwrap_or_default()
}

/// All attempts of the way forward with their pauses, and nothing else. Those of a ramp share its timeout.
pub(in crate::syntax) fn attempts(work: &Work) -> Span {
    if work.ramp().is_some() {
        return attempt(work);
    }
    attempt(work).times(work.retry.attempts.max(1).into()).plus(work.retry.pauses())
}

fn between_samples(plan: &Plan, criterion: &Criterion) -> Span {
    let probes = plan.condition(criterion.condition).probes.iter().map(|&id| plan.probe(id));
    probes.map(|p| p.interval.max(p.timeout)).max().unwrap_or_default()
}

/// One attempt of the way forward. Zero where only people are awaited: machine time stands still then (R2a).
pub(in crate::syntax) fn attempt(work: &Work) -> Span {
    match &work.action {
        Action::Gate(_) | Action::Manual(_) => Span::ZERO,
        Action::Run(_) | Action::Http(_) | Action::Sql(_) | Action::Wait(_) | Action::Ramp(_) => one_attempt(work),
    }
}

/// A step's way forward: conditions, all attempts with their pauses, criteria.
pub(in crate::syntax) fn forward(plan: &Plan, work: &Work) -> Span {
    all_attempts(plan, work, attempt(work))
}

/// One undo action. People's time counts here: the way back is a promise.
pub(in crate::syntax) fn undo(plan: &Plan, work: &Work) -> Span {
    all_attempts(plan, work, one_attempt(work))
}

/// Until a running attempt of the way forward is over, if a rollback wants it over (R4, R8).
pub(in crate::syntax) fn stop(step: &Step) -> Span {
    stop_attempt(&step.forward, step.on_stop)
}

/// The same for the closing of a bracket, which a rollback cuts off too (R12a).
pub(in crate::syntax) fn stop_closing(step: &Step) -> Span {
    step.undo().iter().map(|undo| stop_attempt(undo, step.on_stop)).max().unwrap_or_default()
}

/// Opening a closed bracket again. It is part of a way back: people's time counts.
pub(in crate::syntax) fn reopen(plan: &Plan, step: &Step) -> Span {
    all_attempts(plan, &step.forward, one_attempt(&step.forward))
}

/// What is awaited may take all of its time, a person's work too. Of a ramp only the setting of a value is an attempt.
fn stop_attempt(work: &Work, on_stop: OnStop) -> Span {
    let attempted = work.attempted();
    match (&attempted.action, on_stop) {
        (Action::Gate(_) | Action::Wait(_) | Action::Ramp(_), _) | (Action::Manual(_), OnStop::Stop) => Span::ZERO,
        (Action::Manual(_), OnStop::Finish) => attempted.timeout,
        (Action::Run(_) | Action::Http(_) | Action::Sql(_), OnStop::Stop) => attempted.kill_after,
        (Action::Run(_) | Action::Http(_) | Action::Sql(_), OnStop::Finish) => {
            attempted.timeout.plus(attempted.kill_after)
        }
    }
}

fn one_attempt(work: &Work) -> Span {
    match &work.action {
        Action::Wait(Wait::For(span) | Wait::Until { within: span, .. }) => *span,
        Action::Gate(_) => Span::ZERO,
        Action::Run(_) | Action::Http(_) | Action::Sql(_) | Action::Manual(_) | Action::Ramp(_) => work.timeout,
    }
}

/// An attempt may use up its timeout, be stopped, be asked about (for `http` once no request can be on its way any
/// more, R5) and then fail a criterion at the last moment; each of them may.
fn all_attempts(plan: &Plan, work: &Work, attempt: Span) -> Span {
    let ask = |condition: Option<ConditionId>| condition.map_or(Span::ZERO, |condition| fresh(plan, condition));
    let before = ask(work.when).plus(ask(work.done_when)).plus(criteria(plan, &work.require));
    let attempted = work.attempted();
    let killing = match &attempted.action {
        Action::Run(_) | Action::Http(_) | Action::Sql(_) => attempted.kill_after,
        Action::Wait(_) | Action::Gate(_) | Action::Manual(_) | Action::Ramp(_) => Span::ZERO,
    };
    let settling = match (&attempted.action, work.done_when) {
        (Action::Http(http), Some(_)) => http.settle.unwrap_or(attempted.timeout),
        _ => Span::ZERO,
    };
    let asking = if killing == Span::ZERO { Span::ZERO } else { ask(work.done_when) };
    let each = attempt.plus(killing).plus(settling).plus(asking).plus(criteria(plan, &work.success));
    // The attempts of a ramp share its timeout; only a criterion that fails behind it begins another.
    if work.ramp().is_some() && work.success.is_empty() {
        return before.plus(each);
    }
    before.plus(each.times(work.retry.attempts.max(1).into())).plus(work.retry.pauses())
}
