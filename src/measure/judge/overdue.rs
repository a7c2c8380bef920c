//! What has been waited for longer than people expect: they want to hear of it, and nothing else follows.

use std::fmt::Debug;

use super::guard::Level;
use super::question::Asking;
use super::{Judge, Probe};
use crate::model::{GuardId, Span, Time, Verdict};

/// So long data may be missing before that is worth telling.
const WITHOUT_DATA: Span = Span::from_secs(5);

/// So long a condition with data may be untrue.
const UNTRUE: Span = Span::from_secs(30);

impl<K: Copy + Ord + Debug> Judge<K> {
    /// The open questions that have had no data, or have not come true, for longer than people expect. `from`: since when
    /// samples are taken at all, which may be later than the question.
    pub fn overdue(&self, from: Time, now: Time) -> impl Iterator<Item = K> + '_ {
        self.asked.iter().filter(move |(_, it)| self.due(it, from).is_some_and(|due| due <= now)).map(|(key, _)| *key)
    }

    /// The watched guards that have not held for longer than people expect.
    pub fn guards_overdue(&self, now: Time) -> impl Iterator<Item = GuardId> + '_ {
        self.guards_due().filter(move |(_, due)| *due <= now).map(|(guard, _)| guard)
    }

    /// When the next of them is.
    pub fn next_overdue(&self, from: Time, now: Time) -> Option<Time> {
        let questions = self.asked.values().filter_map(|asking| self.due(asking, from));
        questions.chain(self.guards_due().map(|(_, due)| due)).filter(|due| *due > now).min()
    }

    fn due(&self, asking: &Asking, from: Time) -> Option<Time> {
        let since = asking.terms.since.max(from);
        let lacks = |probe: &Probe| probe.latest.as_ref().is_none_or(|latest| latest.value.is_none());
        match asking.standing().map(|(verdict, _)| verdict) {
            Some(Verdict::Holds) => None,
            Some(Verdict::NoData) | None
                if asking.samples.iter().any(|had| had.arrived.is_none() || lacks(&self.probes[had.probe.index()])) =>
            {
                // What it reads of the past is not there any earlier.
                let past = asking.samples.iter().map(|had| self.probes[had.probe.index()].covers.plus(had.reach)).max();
                Some(since.after(past.unwrap_or_default()).after(WITHOUT_DATA))
            }
            Some(Verdict::NoData | Verdict::Fails) | None => Some(since.after(UNTRUE)),
        }
    }

    fn guards_due(&self) -> impl Iterator<Item = (GuardId, Time)> + '_ {
        let guards = self.watched.iter().filter(|((_, level), _)| *level == Level::Breach);
        let guards = guards.filter_map(|((guard, _), watch)| Some((*guard, watch.yet_to_hold()?)));
        let budgets = self.budgets.iter().filter_map(|(guard, account)| Some((*guard, account.yet_to_hold()?)));
        guards.chain(budgets).map(|(guard, since)| (guard, since.after(WITHOUT_DATA)))
    }
}
