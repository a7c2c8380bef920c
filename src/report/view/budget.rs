//! What budgets have spent, and until when they look ahead.

use super::{PhaseState, View};
use crate::model::{PhaseId, Spends, Time};

impl View {
    /// Takes in what was written down of budgets.
    pub fn note_spent(&mut self, spends: &Spends) {
        for guard in &mut self.guards {
            if let Some(spend) = spends.get(&guard.name) {
                guard.spend = Some(spend.clone());
            }
        }
    }

    /// When the phases under way end at the latest: by their timeout, else by the bound of what is in them. `None` where
    /// none is under way.
    pub fn phases_end(&self, now: Time) -> Option<Time> {
        let running = self.phases.iter().enumerate().filter(|(_, phase)| match phase.state {
            PhaseState::Running | PhaseState::Measuring => true,
            PhaseState::Pending | PhaseState::Waiting | PhaseState::Done | PhaseState::Failed | PhaseState::Undone => {
                false
            }
        });
        let end = |(n, phase): (usize, &super::PhaseView)| {
            let computed = || self.bounds.as_ref().map(|bounds| bounds.phases[PhaseId::at(n).index()].forward);
            let bound = phase.clock.bound.or_else(computed)?;
            Some(now.after(bound.minus(phase.clock.spent(now))))
        };
        running.filter_map(end).max()
    }
}
