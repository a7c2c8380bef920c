//! Reads phases.

use super::Site;
use super::node::Fields;
use super::problem::Problem;
use super::reader::{Patience, Reader, word};
use super::site::Spot;
use crate::model::{Interrupts, OnClose, Phase, PhaseId, Policy, Rollback, StepId, Window};

impl<'t> Reader<'t> {
    /// The phase that stands n-th in `phases`, with its steps.
    pub(super) fn read_phase(
        &mut self,
        id: PhaseId,
        name: &str,
        of: Option<Fields<'t>>,
        listed_at: Spot,
        steps: Vec<StepId>,
    ) -> Phase {
        let before = id.index().checked_sub(1).map(PhaseId::at);
        if steps.is_empty() && !of.is_some_and(|of| of.has("sequence")) {
            let at = of.map_or_else(|| listed_at.span(), Fields::at);
            self.problem(Problem::EmptyPhase { phase: name.to_owned(), at });
        }
        let mut phase = Phase {
            name: name.to_owned(),
            summary: None,
            needs: before.into_iter().collect(),
            timeout: None,
            window: None,
            require: Vec::new(),
            success: Vec::new(),
            on_failure: Policy::Rollback(Rollback::TO_START),
            interrupts: None,
            steps,
        };
        let Some(of) = of else { return phase };
        phase.summary = of.owned("summary");
        if of.has("needs") {
            phase.needs = self.named(of, "needs", Self::phase);
        }
        phase.timeout = of.span("timeout");
        phase.window = of.fields("window").map(window);
        phase.require = self.criteria(of, "require", Patience::None);
        phase.success = self.criteria(of, "success", Patience::Some);
        if let Some(policy) = self.on_failure(of, Site::Phase(id, "on_failure")) {
            phase.on_failure = policy;
        }
        phase.interrupts = of.fields("interrupts").and_then(|of| self.interrupts(of, &phase));
        phase
    }

    fn interrupts(&mut self, of: Fields<'t>, phase: &Phase) -> Option<Interrupts> {
        let from = of.get("from").and_then(|node| self.step(node))?;
        let to = of.get("to").and_then(|node| self.step(node))?;
        for (key, step) in [("from", from), ("to", to)] {
            if phase.steps.binary_search(&step).is_err() {
                let (phase, at) = (phase.name.clone(), of.at_key(key));
                self.problem(Problem::InterruptsBackwards { phase, at, reason: "a step of another phase" });
                return None;
            }
        }
        Some(Interrupts { what: of.owned("what").unwrap_or_default(), from, to })
    }
}

fn window(of: Fields<'_>) -> Window {
    let words = [("pause", OnClose::Pause), ("rollback", OnClose::Rollback)];
    Window {
        open: of.texts("open"),
        zone: of.owned("zone").unwrap_or_default(),
        on_close: word(of, "on_close", &words, OnClose::Finish),
    }
}
