//! What people are asked for at present: open gates and manual work, their texts rendered.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use super::scope::RunScope;
use crate::drive::Outstanding;
use crate::model::{Action, AttemptId, Plan, StepId};
use crate::report::View;
use crate::report::view::{StepState, StepView};
use crate::syntax::template::{self, Place};

/// An open gate, its texts rendered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct OpenGate {
    /// The text that must be typed to say go.
    pub(super) confirm: Option<String>,
}

/// A person's work, its text rendered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct OpenWork {
    pub(super) instructions: String,
    /// The proof that is asked for.
    pub(super) evidence: Option<String>,
    /// When it is too late.
    pub(super) expires: Instant,
}

/// What people are asked.
#[derive(Clone, Debug, Default)]
pub struct Open {
    pub(super) gates: BTreeMap<StepId, OpenGate>,
    pub(super) work: BTreeMap<AttemptId, OpenWork>,
    /// Ctrl-C was pressed, and has not been answered.
    pub(super) interrupted: bool,
}

impl Open {
    /// What is open in a run that another process drives.
    pub fn elsewhere(plan: &Plan, outstanding: &Outstanding, view: &View, scope: &RunScope) -> Self {
        let mut open = Self::default();
        for gate in &outstanding.gates {
            // The view has its question as it reads already.
            let _question = open.open_gate(plan, *gate, scope);
        }
        for attempt in outstanding.attempts.keys() {
            let left = match &view.step(attempt.step).state {
                StepState::Running { since, bound, .. } => since.after(*bound).since(view.now).duration(),
                _ => Duration::ZERO,
            };
            open.open_work(plan, *attempt, scope, left);
        }
        open
    }

    /// Puts the questions of the gates that a view shows open into it as they read.
    pub fn word_questions(plan: &Plan, view: &mut View, scope: &RunScope) {
        for gate in asking(view) {
            if let Some(question) = Self::default().open_gate(plan, gate, scope) {
                view.reword(gate, question);
            }
        }
    }

    /// Opens a gate; returns its question as it reads. A text that cannot be rendered is shown as it is written.
    pub(super) fn open_gate(&mut self, plan: &Plan, gate: StepId, scope: &RunScope) -> Option<String> {
        let Action::Gate(asked) = &plan.step(gate).forward.action else { return None };
        let confirm = asked.confirm.as_ref().map(|text| rendered(&text.0, scope));
        self.gates.insert(gate, OpenGate { confirm });
        Some(rendered(&asked.question.0, scope))
    }

    /// Asks a person to do a manual step, within that time; anything else is nobody's to do.
    pub(super) fn open_work(&mut self, plan: &Plan, attempt: AttemptId, scope: &RunScope, left: Duration) {
        let Action::Manual(manual) = &plan.step(attempt.step).work(attempt.part).action else { return };
        let work = OpenWork {
            instructions: rendered(&manual.instructions.0, scope),
            evidence: manual.evidence.clone(),
            expires: Instant::now() + left,
        };
        self.work.insert(attempt, work);
    }
}

/// The gates that are open in a view.
pub fn asking(view: &View) -> Vec<StepId> {
    let is_open = |(_, step): &(usize, &StepView)| matches!(step.state, StepState::Asking { .. });
    view.steps.iter().enumerate().filter(is_open).map(|(n, _)| StepId::at(n)).collect()
}

/// The text as people read it; where a value is missing, as it is written.
fn rendered(text: &str, scope: &RunScope) -> String {
    template::text(text, Place::Open, scope).unwrap_or_else(|_| text.to_owned())
}
