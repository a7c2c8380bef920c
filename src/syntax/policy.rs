//! Reads what follows from a failure, a breach or a no, and where a rollback leads.

use super::Site;
use super::misfit::Misfit;
use super::nearest::did_you_mean;
use super::node::{Fields, Node};
use super::reader::{Claim, Reader};
use super::site::Spot;
use crate::model::{OnBreach, OnNo, Policy, Rollback, Target, Then};

impl<'t> Reader<'t> {
    /// `on_failure`, where `who` has one.
    pub(super) fn on_failure(&mut self, of: Fields<'t>, who: Site) -> Option<Policy> {
        of.get("on_failure").map(|node| self.policy(node, who, None))
    }

    /// `on_breach` of a guard.
    pub(super) fn on_breach(&mut self, of: Fields<'t>, who: Site) -> OnBreach {
        match of.get("on_breach").and_then(Node::fields) {
            Some(fields) => OnBreach::Rollback(self.rollback(fields, who, None)),
            None => match of.text("on_breach") {
                Some("pause") => OnBreach::Pause,
                Some("warn") => OnBreach::Warn,
                _ => OnBreach::Rollback(Rollback::TO_START),
            },
        }
    }

    /// `on_no_go` of a gate.
    pub(super) fn on_no(&mut self, of: Fields<'t>, who: Site) -> OnNo {
        match of.get("on_no_go").and_then(Node::fields) {
            Some(fields) => OnNo::Rollback(self.rollback(fields, who, None)),
            None => match of.text("on_no_go") {
                Some("pause") => OnNo::Pause,
                Some("rollback") => OnNo::Rollback(Rollback::TO_START),
                _ => OnNo::Stop,
            },
        }
    }

    /// A policy: a word, or where to go back to. An `else` is asked for `from` the place that was reached before.
    fn policy(&mut self, node: Node<'t>, who: Site, from: Option<Target>) -> Policy {
        match node.fields() {
            Some(fields) => Policy::Rollback(self.rollback(fields, who, from)),
            None => match node.text() {
                Some("pause") => Policy::Pause,
                Some("continue") => Policy::Continue,
                Some("stop") => Policy::Stop,
                _ => Policy::Rollback(Rollback::TO_START),
            },
        }
    }

    fn rollback(&mut self, of: Fields<'t>, who: Site, from: Option<Target>) -> Rollback {
        let target = of.get("rollback_to").and_then(|node| self.target(node, who, from)).unwrap_or(Target::Start);
        let Some(again) = of.fields("then") else {
            if of.has("else") && of.has("then") {
                let help = "`else` comes after the last of `then = { retry = ... }`";
                self.out_of_place("else", of.get("else").map_or_else(|| of.at(), |node| node.key_at.span()), help);
            }
            let then = if of.text("then") == Some("pause") { Then::Pause } else { Then::Stop };
            return Rollback { target, then };
        };
        let otherwise = match of.get("else") {
            Some(node) => self.policy(node, who, Some(target)),
            None => Policy::Rollback(Rollback { target, then: Then::Stop }),
        };
        let then = Then::Retry {
            passes: again.whole("retry").unwrap_or(1),
            delay: again.span("delay").unwrap_or_default(),
            within: again.span("within"),
            otherwise: Box::new(otherwise),
        };
        Rollback { target, then }
    }

    fn target(&mut self, node: Node<'t>, who: Site, from: Option<Target>) -> Option<Target> {
        let name = node.text()?;
        let target = match (self.file().steps.get(name), self.file().phases.get(name)) {
            (Some(step), _) => Target::Step(*step),
            (None, Some(phase)) => Target::Phase(*phase),
            (None, None) if name == "item" => {
                self.problem(Misfit::NotYet { what: "going back to one item".to_owned(), at: node.at() });
                return None;
            }
            (None, None) if name == "start" => {
                let help = Some("back to the start is the word \"rollback\", without a table".to_owned());
                self.problem(super::names::unknown("step or phase", name, help, node.at()));
                return None;
            }
            (None, None) => {
                let steps = self.written(&self.names.steps);
                let help = did_you_mean(name, self.phase_names().chain(steps));
                self.problem(super::names::unknown("step or phase", name, help, node.at()));
                return None;
            }
        };
        self.claims.push(Claim { target, name, who, from, at: Spot::new(&node.value.span()) });
        Some(target)
    }
}
