//! Reads steps and their undos.

use super::Site;
use super::about::retry;
use super::action::outputs;
use super::names::Named;
use super::node::{Fields, Node};
use super::problem::Problem;
use super::reader::{Patience, Reader, word};
use crate::model::{
    Action, Bracket, OnDoubt, OnStop, PhaseId, Policy, Progress, Retry, Span, Step, StepId, Survivors, Wait, WayHome,
    Work,
};

/// Where a step stands, as the order of the plan says.
pub(super) struct Standing<'p> {
    pub(super) phase: Option<PhaseId>,
    pub(super) needs: Vec<StepId>,
    /// What follows from a failure where the step does not say.
    pub(super) on_failure: &'p Policy,
}

impl<'t> Reader<'t> {
    pub(super) fn read_step(&mut self, id: StepId, name: &str, of: Fields<'t>, standing: Standing<'_>) -> Step {
        if self.here != 0 && of.has("phase") {
            let help = "the runbook that includes a part says in which phase its steps run";
            self.out_of_place("phase", of.at_key("phase"), help);
        }
        let mut needs = standing.needs;
        for need in self.named(of, "needs", Self::step) {
            if !needs.contains(&need) {
                needs.push(need);
            }
        }
        let forward = self.work(of, id, || format!("step `{name}`"));
        let mut undo_after = Vec::new();
        let way_home = self.way_home(of, id, name, &forward.action, &mut undo_after);
        let idempotent = of.flag("idempotent").unwrap_or(false);
        let doubt = if idempotent || way_home == WayHome::NoEffect { OnDoubt::Rerun } else { OnDoubt::Pause };
        let doubts = [("rerun", OnDoubt::Rerun), ("rollback", OnDoubt::Rollback), ("pause", OnDoubt::Pause)];
        let on_failure = self.on_failure(of, Site::Step(id, "on_failure"));
        if of.has("held_for") && forward.ramp().is_some() {
            let help = "a bracket is taken again at once when a rollback goes back into it, and a ramp takes its time";
            self.out_of_place("held_for", of.at_key("held_for"), help);
        }
        if of.text("held_for") == Some("phase") && standing.phase.is_none() && self.names.phases.is_empty() {
            self.problem(Problem::HeldWithoutPhase { step: name.to_owned(), at: of.at_key("held_for") });
        }
        Step {
            name: name.to_owned(),
            phase: standing.phase,
            needs,
            summary: of.owned("summary"),
            owner: of.owned("owner"),
            docs: of.owned("docs"),
            remedy: of.owned("remedy"),
            forward,
            way_home,
            undo_after,
            idempotent,
            undo_found: of.flag("undo_found").unwrap_or(false),
            on_stop: word(of, "on_stop", &[("finish", OnStop::Finish)], OnStop::Stop),
            held_for: word(of, "held_for", &[("phase", Some(Bracket::Phase)), ("run", Some(Bracket::Run))], None),
            on_failure: on_failure.unwrap_or_else(|| standing.on_failure.clone()),
            on_doubt: word(of, "on_doubt", &doubts, doubt),
            progress: of.fields("progress").and_then(|of| self.progress(of)),
        }
    }

    fn progress(&mut self, of: Fields<'t>) -> Option<Progress> {
        let (probe, stall) = (of.get("probe").and_then(|node| self.probe(node))?, of.span("stall")?);
        let interval = self.probes[probe.index()].interval;
        if stall < interval.times(2) {
            let (probe, at) = (self.probes[probe.index()].name.clone(), of.at_key("stall"));
            self.problem(Problem::StallTooShort { probe, interval, stall, at });
        }
        Some(Progress { probe, stall })
    }

    fn way_home(
        &mut self,
        of: Fields<'t>,
        id: StepId,
        name: &str,
        action: &Action,
        after: &mut Vec<StepId>,
    ) -> WayHome {
        let effect = of.text("effect");
        if of.has("why") && of.has("effect") && effect != Some("kept") {
            self.out_of_place("why", of.at_key("why"), "`why` goes with effect = \"kept\"");
        }
        if of.has("ungated") && of.has("effect") && effect != Some("irreversible") {
            self.out_of_place("ungated", of.at_key("ungated"), "`ungated` goes with effect = \"irreversible\"");
        }
        if let Some(node) = of.get("undo") {
            return WayHome::Undo(self.undos(of, node, id, name, after));
        }
        if let Some(node) = of.get("undone_by") {
            return self.step(node).map_or(WayHome::NoEffect, |other| self.undone_by(node, name, other));
        }
        match (effect, action) {
            (Some("kept"), _) => {
                if !of.has("why") {
                    self.problem(Problem::KeptWithoutWhy { step: name.to_owned(), at: of.at_key("effect") });
                }
                WayHome::Kept { why: of.owned("why").unwrap_or_default() }
            }
            (Some("irreversible"), _) => WayHome::Irreversible { ungated: of.owned("ungated") },
            _ => WayHome::NoEffect,
        }
    }

    fn undone_by(&mut self, node: Node<'t>, name: &str, other: StepId) -> WayHome {
        let Named { name: other_name, of: table, .. } = self.names.steps[other.index()];
        if !table.has("undo") {
            let (step, other) = (name.to_owned(), other_name.to_owned());
            self.problem(Problem::UndoneByNothing { step, other, at: node.at() });
        }
        WayHome::UndoneBy(other)
    }

    fn undos(&mut self, of: Fields<'t>, node: Node<'t>, id: StepId, name: &str, after: &mut Vec<StepId>) -> Vec<Work> {
        if let Some(undo) = node.fields() {
            self.warn_of_strays(of, undo, name);
        }
        let list: Vec<Fields<'t>> = match node.list() {
            Some(list) => list.filter_map(Node::fields).collect(),
            None => node.fields().into_iter().collect(),
        };
        let mut works = Vec::with_capacity(list.len());
        for undo in list {
            works.push(self.work(undo, id, || format!("the undo of `{name}`")));
            for other in self.named(undo, "after", Self::step) {
                let Named { name: other_name, of: table, .. } = self.names.steps[other.index()];
                if !table.has("undo") {
                    let (step, other) = (name.to_owned(), other_name.to_owned());
                    self.problem(Problem::AfterNothing { step, other, at: undo.at_key("after") });
                } else if !after.contains(&other) {
                    after.push(other);
                }
            }
        }
        works
    }

    /// Keys below `[step.x.undo]` belong to the undo, which is easily overlooked.
    fn warn_of_strays(&mut self, of: Fields<'t>, undo: Fields<'t>, name: &str) {
        let header = self.source.as_bytes().get(undo.range.0) == Some(&b'[');
        if !header {
            return;
        }
        for key in ["timeout", "retry"] {
            if undo.has(key) && !of.has(key) && !of.has("wait") && !of.has("manual") {
                let at = undo.get(key).map_or_else(|| undo.at(), |node| node.key_at.span());
                self.problem(Problem::KeyOfUndo { step: name.to_owned(), key, at });
            }
        }
    }

    /// One direction: the action with its conditions and bounds.
    fn work(&mut self, of: Fields<'t>, step: StepId, what: impl Fn() -> String) -> Work {
        let action = self.action(of, step);
        let tried = matches!(action, Some(Action::Run(_) | Action::Http(_) | Action::Sql(_) | Action::Ramp(_)));
        let default_retry = if tried { self.defaults().retry } else { None };
        let timeout = self.bound(of, action.as_ref(), what);
        Work {
            // It has its problem: none, or one that is not supported yet.
            action: action.unwrap_or(Action::Wait(Wait::For(Span::ZERO))),
            when: self.condition(of, "when"),
            done_when: self.condition(of, "done_when"),
            require: self.criteria(of, "require", Patience::None),
            success: self.criteria(of, "success", Patience::Some),
            timeout,
            kill_after: of.span("kill_after").unwrap_or(self.defaults().kill_after),
            retry: of.fields("retry").map(retry).or(default_retry).unwrap_or(Retry::ONCE),
            survivors: word(of, "survivors", &[("kill", Survivors::Kill)], Survivors::Leave),
            outputs: outputs(of),
        }
    }

    fn bound(&mut self, of: Fields<'t>, action: Option<&Action>, what: impl Fn() -> String) -> Span {
        match action {
            Some(Action::Wait(Wait::For(length))) => *length,
            Some(Action::Wait(Wait::Until { within, .. })) => *within,
            Some(Action::Gate(gate)) => gate.expires.unwrap_or(Span::MAX),
            Some(Action::Manual(manual)) => manual.expires,
            Some(Action::Run(_) | Action::Http(_) | Action::Sql(_) | Action::Ramp(_)) => {
                of.span("timeout").or(self.defaults().timeout).unwrap_or_else(|| {
                    if !of.has("timeout") {
                        self.problem(Problem::Unbounded { what: what(), at: of.at() });
                    }
                    // Fits everywhere: one problem is enough.
                    Span::ZERO
                })
            }
            None => of.span("timeout").or(self.defaults().timeout).unwrap_or_default(),
        }
    }
}
