//! The guards of a runbook over the past that a Prometheus remembers.
//!
//! What a guard says is the judge's, as in a run; when a run would have listened to it (its phases or steps) is left out of
//! account. Nothing is changed: servers are asked, and nothing else.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::attempt::Locals;
use super::history::{History, Past, Stretch};
use super::scope::{RunScope, View};
use crate::journal::Wall;
use crate::measure::{Backtest, Judge, Program};
use crate::model::{ConditionId, GuardId, Hindsight, Plan, ProbeId, ProbeSource, Rule, Tested, Time, Watched};

/// Tests one guard over a stretch of the past.
pub async fn backtest(plan: &Arc<Plan>, guard: GuardId, scope: &RunScope, stretch: Stretch) -> Tested {
    let Rule::Condition(Watched { require, warn, .. }) = plan.guard(guard).rule else {
        return Tested::Never("it is a budget: what it counts begins with its scope, which only a run has".to_owned());
    };
    if let Some(why) = obstacle(plan, require) {
        return Tested::Never(why);
    }
    let why_unwarned = warn.and_then(|warn| obstacle(plan, warn));
    let probes = if why_unwarned.is_some() { plan.condition(require).probes.clone() } else { plan.guard_probes(guard) };
    let mut histories = Vec::new();
    for id in probes {
        let probe = plan.probe(id);
        let ProbeSource::Prometheus(query) = &probe.source else { continue };
        let history = History::new(probe, query, scope, stretch);
        if let Err(why) = history.can_be_asked() {
            let why = scope.secrets().mask(&why).into_owned();
            return Tested::Never(format!("probe.{}: {why}", probe.name));
        }
        histories.push((id, history));
    }
    let (probes, locals) = (BTreeMap::new(), Locals::new());
    let view = View { run: scope, probes: &probes, locals: &locals };
    let mut test = Backtest::new(plan, guard, &view);
    loop {
        match next(plan, &mut histories).await {
            Ok(Some((probe, past))) => test.sample(probe, stretch.time(past.at), past.value, &view),
            Ok(None) => break,
            Err(why) => return Tested::Failed(why),
        }
    }
    let mut seen = test.end(stretch.time(stretch.to));
    if why_unwarned.is_some() {
        seen.warned.clear();
        seen.why_unwarned = why_unwarned;
    }
    Tested::Seen(masked(seen, scope))
}

/// The earliest sample of all; of those of one moment the one whose probe comes first in the plan.
async fn next(plan: &Plan, histories: &mut [(ProbeId, History<'_>)]) -> Result<Option<(ProbeId, Past)>, String> {
    let mut first = None;
    for (place, (id, history)) in histories.iter_mut().enumerate() {
        let name = &plan.probe(*id).name;
        let past = history.peek().await.map_err(|why| format!("probe.{name}: {why}"))?;
        if let Some(at) = past.map(|past| past.at)
            && first.is_none_or(|(earliest, _)| at < earliest)
        {
            first = Some((at, place));
        }
    }
    Ok(first.and_then(|(_, place)| Some((histories[place].0, histories[place].1.take()?))))
}

/// Why the past knows nothing of a condition, where that can be seen in the runbook.
fn obstacle(plan: &Plan, id: ConditionId) -> Option<String> {
    let condition = plan.condition(id);
    if condition.reads_baseline {
        return Some("it compares with the baseline, which only a run takes".to_owned());
    }
    if Judge::<()>::new(plan).program(id).is_some_and(Program::reads_steps) {
        return Some("it reads what steps leave behind, which only a run has".to_owned());
    }
    if condition.probes.is_empty() {
        return Some("it reads no probe".to_owned());
    }
    condition.probes.iter().find_map(|id| {
        let probe = plan.probe(*id);
        let kind = unremembered(&probe.source)?;
        Some(format!("probe.{} is {kind} probe, whose past nobody keeps", probe.name))
    })
}

/// What a probe is called that no Prometheus answers.
const fn unremembered(source: &ProbeSource) -> Option<&'static str> {
    match source {
        ProbeSource::Prometheus(_) => None,
        ProbeSource::Run(_) => Some("a run"),
        ProbeSource::Http { .. } => Some("an http"),
        ProbeSource::Sql(_) => Some("an sql"),
        ProbeSource::Tcp(_) => Some("a tcp"),
    }
}

impl Stretch {
    /// A moment in it, as the time of a run that began with it.
    fn time(self, at: Wall) -> Time {
        Time::from_millis(u64::try_from(at.millis() - self.from.millis()).unwrap_or(0))
    }
}

/// Without anything that must not be seen.
fn masked(mut seen: Hindsight, scope: &RunScope) -> Hindsight {
    let secrets = scope.secrets();
    for spell in seen.breaches.iter_mut().chain(&mut seen.blind).chain(&mut seen.warned) {
        spell.evidence = secrets.mask(&spell.evidence).into_owned();
    }
    seen.why_none = seen.why_none.map(|why| secrets.mask(&why).into_owned());
    seen
}
