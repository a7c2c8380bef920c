//! How much of the journal must be written ahead before a step may start (R19): room for the end of what runs, for every
//! undo that may be needed, and for the end of the run. A full disk stops the way forward, never the way back.

use std::collections::BTreeSet;

use crate::engine::{Command, Event, Notice};
use crate::journal::record::OUTPUTS_MAX;
use crate::model::{Part, Plan, StepId, Work};

/// A record with its evidence cut down to [`EVIDENCE_LEAN`]; groups are cut down to that before they fail to fit.
const RECORD: u64 = 640;

/// The evidence that a record keeps when the disk is full.
pub(super) const EVIDENCE_LEAN: usize = 96;

/// What may come at any time: breaches, orders, ways back that open and shut.
const AT_ANY_TIME: u64 = 64 * 1024;

/// Keeps count of what a rollback from here would have to write.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Reserve {
    /// Steps whose action was started and that were not undone.
    started: BTreeSet<StepId>,
    /// What undoing them writes.
    undos: u64,
    /// Forward attempts under way.
    running: u64,
}

impl Reserve {
    pub(super) fn note(&mut self, command: Command, plan: &Plan) {
        if let Command::StartAttempt { attempt } = command
            && attempt.part == Part::Forward
        {
            self.running += 1;
            if self.started.insert(attempt.step) {
                self.undos += undo_bytes(plan, attempt.step);
            }
        }
    }

    /// `ended`: the event ended an attempt that was under way.
    pub(super) fn observe(&mut self, event: &Event, ended: bool) {
        if let Event::AttemptEnded { attempt, .. } = event
            && attempt.part == Part::Forward
            && ended
        {
            self.running = self.running.saturating_sub(1);
        }
    }

    pub(super) fn hear(&mut self, notice: Notice, plan: &Plan) {
        if let Notice::UndoSucceeded { step, .. } = notice
            && self.started.remove(&step)
        {
            self.undos -= undo_bytes(plan, step);
        }
    }

    /// The bytes that must be there.
    pub(super) fn bytes(&self, plan: &Plan) -> u64 {
        let restored = plan.about().restored.len() as u64 * 4 * RECORD;
        AT_ANY_TIME
            + baseline_bytes(plan)
            + budget_bytes(plan)
            + restored
            + self.undos
            + self.running * (OUTPUTS_MAX as u64 + 8 * RECORD)
    }
}

/// The last samples of the baseline's probes, which the end of the run keeps: a name and a number each.
fn baseline_bytes(plan: &Plan) -> u64 {
    let probes = plan.baseline().into_iter().flat_map(|baseline| &baseline.probes);
    probes.map(|probe| plan.probe(*probe).name.len() as u64 + 40).sum()
}

/// What budgets have spent, which the end of the run keeps: their names and two counters each.
fn budget_bytes(plan: &Plan) -> u64 {
    let budgets = plan.guards().iter().filter(|guard| guard.rule.budget().is_some());
    budgets.map(|guard| guard.name.len() as u64 + 256).sum()
}

fn undo_bytes(plan: &Plan, step: StepId) -> u64 {
    let records: u64 = plan.step(step).undo().iter().map(records_of).sum();
    records * RECORD
}

/// Per try its end, its pause and its criteria; before them what is asked. Each question may be judged twice and has two
/// deadlines at most.
fn records_of(work: &Work) -> u64 {
    let asked = work.require.len() + usize::from(work.when.is_some()) + usize::from(work.done_when.is_some());
    let per_try = 3 + 4 * work.success.len() as u64;
    u64::from(work.retry.attempts) * per_try + 4 * asked as u64
}
