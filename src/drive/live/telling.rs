//! From the session's news to what reporters take, and from what is measured to what they show.

use jiff::Timestamp;

use super::gauge::Gauge;
use crate::drive::News;
use crate::journal::{Header, Via, Who};
use crate::measure::{Health, Pace};
use crate::model::{Plan, ProbeId, Span, StepId, Time, Verdict};
use crate::report::view::{Health as Shown, Pace as ShownPace, Reading};
use crate::report::{Told, View};

/// News as reporters take it.
pub fn told(news: &News, header: &Header) -> Told {
    let millis = i64::try_from(news.at.millis()).unwrap_or(i64::MAX);
    let wall = Timestamp::from_millisecond(header.wall.millis().saturating_add(millis)).unwrap_or(Timestamp::MAX);
    Told {
        at: news.at,
        wall,
        notice: news.notice,
        evidence: news.evidence.as_deref().map(str::to_owned),
        who: news.who.as_deref().and_then(name),
    }
}

fn name(who: &Who) -> Option<String> {
    let reason = who.reason.as_ref().map(|reason| format!(" ({reason})")).unwrap_or_default();
    match who.via {
        Via::Tool => None,
        Via::Terminal | Via::Socket | Via::CommandLine | Via::Signal => Some(format!("{}{reason}", who.user)),
    }
}

/// How a watched attempt gets on, as people read it.
pub(super) fn shown_pace(plan: &Plan, step: StepId, pace: Pace) -> ShownPace {
    let progress = plan.step(step).progress;
    let unit = progress.and_then(|progress| plan.probe(progress.probe).unit.clone());
    match pace {
        Pace::Moving { rate, left } => {
            ShownPace::Moving { rate: rate.and_then(serde_json::Number::from_f64), unit, left }
        }
        Pace::Still { span } => {
            ShownPace::Still { span, stall: progress.map_or(Span::ZERO, |progress| progress.stall) }
        }
    }
}

/// Puts what is measured into a view.
pub fn fill(view: &mut View, plan: &Plan, gauge: &Gauge, now: Time) {
    view.set_paces(gauge.paces(now).map(|(attempt, pace)| (attempt.step, shown_pace(plan, attempt.step, pace))));
    let needed = gauge.needed();
    for (n, shown) in view.probes.iter_mut().enumerate() {
        let probe = ProbeId::at(n);
        shown.polled = needed.contains(&probe);
        if let Some(latest) = gauge.latest(probe) {
            let value = latest.value.cloned();
            shown.reading = Some(Reading { value, at: latest.asked, good_since: latest.good_since });
        }
    }
    for (guard, shown) in plan.guard_ids().zip(&mut view.guards) {
        shown.spend = gauge.spend(guard).or_else(|| shown.spend.take());
        // What a breach has done to it is told by the notice, and stays.
        if matches!(shown.health, Shown::Waking | Shown::NoData | Shown::Healthy | Shown::Failing(_))
            && let Some(health) = gauge.health(guard)
        {
            shown.health = self::health(health);
        }
    }
}

/// How a watched guard is by its samples; breaches are told by notices.
pub(super) fn health(health: Health<'_>) -> Shown {
    match health.verdict {
        None => Shown::Waking,
        Some(_) if health.failing > 0 => Shown::Failing(health.failing),
        Some(Verdict::NoData) => Shown::NoData,
        Some(_) => Shown::Healthy,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guard_without_data_is_not_called_healthy() {
        let health_by = |verdict, failing| {
            health(Health {
                verdict,
                evidence: "",
                failing,
                counted: 0,
                failures: 2,
                of: 3,
                without_data: 0,
                judged: None,
            })
        };
        assert_eq!(health_by(None, 0), Shown::Waking);
        assert_eq!(health_by(Some(Verdict::NoData), 0), Shown::NoData);
        assert_eq!(health_by(Some(Verdict::NoData), 1), Shown::Failing(1));
        assert_eq!(health_by(Some(Verdict::Holds), 0), Shown::Healthy);
    }
}
