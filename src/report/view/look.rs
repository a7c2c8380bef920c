//! What follows from the rest of a view: the way back, what comes next, which phases have only their criteria left. Found
//! when the view is looked at, not for every notice, so that many steps cost little.

use super::{Mode, Next, PhaseState, StepState, View, WayBack, Window};
use crate::model::{Action, Plan, Span, StepId, Time, WayHome};
use crate::report::text::ticking_text;

impl View {
    /// Brings to `now` what follows from the rest: the moment, the way back, what comes next. Costs the size of the plan;
    /// call it before the view is shown, not for every notice.
    pub fn look(&mut self, plan: &Plan, now: Time) {
        self.now = now;
        self.find_measured_phases();
        self.way_back = self.find_way_back(plan);
        self.next = self.find_next(plan);
    }

    fn find_measured_phases(&mut self) {
        let steps = &self.steps;
        let settled = |step: &StepId| steps[step.index()].state.satisfies_needs();
        for phase in &mut self.phases {
            if phase.state == PhaseState::Running && phase.steps.iter().all(settled) {
                phase.state = PhaseState::Measuring;
            }
        }
    }

    fn find_way_back(&self, plan: &Plan) -> WayBack {
        let to_undo = |step: StepId| self.step(step).in_effect && !plan.step(step).undo().is_empty();
        let set: Vec<StepId> = plan.step_ids().filter(|&step| to_undo(step)).collect();
        let behind = plan.step_ids().find(|&step| self.step(step).in_effect && plan.step(step).is_irreversible());
        let undone = || self.steps.iter().filter(|step| step.state == StepState::Undone).count();
        if let Mode::RollingBack { .. } = self.mode {
            return WayBack::Going { undone: undone(), left: set.len(), bound: self.bound_of(plan, &set) };
        }
        if let Mode::Stuck { .. } = self.mode {
            return WayBack::Stuck { undone: undone(), left: set.len() };
        }
        if let Some(why) = &self.gone {
            return WayBack::Gone { why: why.clone() };
        }
        if let Window::Closed { ago } = self.window() {
            return WayBack::Gone { why: format!("its rollback window closed {} ago", ticking_text(ago)) };
        }
        if let Some(step) = behind {
            return WayBack::Gone { why: format!("step {} cannot be undone", plan.step(step).name) };
        }
        let at: Vec<String> =
            self.shut.iter().filter(|step| set.contains(step)).map(|&step| plan.step(step).name.clone()).collect();
        if !at.is_empty() {
            return WayBack::Shut { at, undos: set.len() };
        }
        if set.is_empty() {
            return WayBack::Nothing;
        }
        let left = match self.window() {
            Window::Open { left } => Some(left),
            Window::Endless | Window::Closed { .. } => None,
        };
        WayBack::Open { undos: set.len(), bound: self.bound_of(plan, &set), left }
    }

    /// How long undoing that set takes at most; the brackets around it that have been released are taken again first.
    fn bound_of(&self, plan: &Plan, set: &[StepId]) -> Option<Span> {
        let bounds = self.bounds.as_ref()?;
        let (running, settled): (Vec<StepId>, Vec<StepId>) =
            set.iter().partition(|&&step| self.step(step).state.is_running_forward());
        let closed: Vec<StepId> = plan.step_ids().filter(|&step| self.step(step).released).collect();
        let closed = if set.is_empty() { Vec::new() } else { closed };
        Some(bounds.way_back(&settled, &running, &closed).bound)
    }

    /// Pending steps that wait for nothing that is pending itself.
    fn find_next(&self, plan: &Plan) -> Vec<Next> {
        if !matches!(self.mode, Mode::Waiting | Mode::Forward | Mode::Paused { .. }) {
            return Vec::new();
        }
        let pending = |step: &StepId| self.step(*step).state == StepState::Pending;
        let over = |step: &StepId| self.step(*step).state.satisfies_needs();
        // The phases that have begun, and those whose phases before have nothing pending left.
        let near: Vec<bool> = plan
            .phases()
            .iter()
            .map(|phase| phase.needs.iter().all(|before| !plan.phase(*before).steps.iter().any(pending)))
            .collect();
        plan.step_ids()
            .filter(pending)
            .filter(|&step| plan.step(step).phase.is_none_or(|phase| near[phase.index()]))
            .filter(|&step| plan.step(step).needs.iter().all(|need| over(need) || self.step(*need).state.is_active()))
            .map(|step| next(plan, step))
            .collect()
    }
}

fn next(plan: &Plan, step: StepId) -> Next {
    let it = plan.step(step);
    let note = match (&it.way_home, &it.forward.action) {
        (WayHome::Irreversible { .. }, _) => Some("no way back after it"),
        (_, Action::Gate(_)) => Some("asks you"),
        (_, Action::Manual(_)) => Some("up to you"),
        _ => None,
    };
    Next { name: it.name.clone(), note }
}
