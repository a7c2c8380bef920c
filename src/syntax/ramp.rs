//! Reads ramps: their values, which must be known before there is a plan, and what sets, shows and keeps them.

use serde_json::Value as Json;

use super::known::KnownVars;
use super::misfit::Misfit;
use super::node::{Fields, Node};
use super::problem::Problem;
use super::reader::{Patience, Reader, word};
use super::template::{Root, slots_of};
use crate::measure::{Locals, NameOf};
use crate::model::{Action, Ramp, RampValue, Retry, Shapes, Span, StepId, Survivors, Wait, Work};

/// More values than a person can watch being set.
const VALUES_MAX: usize = 1000;

/// The list that a variable is worth, or why there is none.
fn list<'k>(known: &'k KnownVars, name: &str) -> Result<&'k [Json], String> {
    match known.worth(name, "the values of a ramp")? {
        (Json::Array(list), _) if list.is_empty() => Err(format!("`{name}` is an empty list")),
        (Json::Array(list), _) => Ok(list),
        _ => Err(format!("`{name}` is no list")),
    }
}

impl<'t> Reader<'t> {
    /// A ramp. `bound` is that of all its values together.
    pub(super) fn ramp(&mut self, of: Fields<'t>, step: StepId, bound: Span) -> Ramp {
        let hold = of.span("hold").unwrap_or_default();
        let (values, from) = self.ramp_values(of, hold);
        Ramp {
            values,
            from,
            set: Box::new(self.set_work(of, step, bound)),
            confirm: of.get("confirm").and_then(|node| self.criterion_with(node, Patience::Some, Locals::Ramp)),
            advance: {
                let entries: Vec<_> = of.list("advance").collect();
                let read = |entry| self.criterion_with(entry, Patience::None, Locals::Ramp);
                entries.into_iter().filter_map(read).collect()
            },
            hold_while: of.get("hold_while").and_then(|node| self.expression(node, Locals::Ramp)),
        }
    }

    fn ramp_values(&mut self, of: Fields<'t>, hold: Span) -> (Vec<RampValue>, Option<String>) {
        let Some(node) = of.get("values") else { return (Vec::new(), None) };
        if let Some(list) = node.list() {
            let list: Vec<_> = list.collect();
            self.mind_count(list.len(), node);
            return (list.into_iter().filter_map(|entry| self.ramp_value(entry, hold)).collect(), None);
        }
        let Some(text) = node.text() else { return (Vec::new(), None) };
        self.template_of(node, super::template::Place::Open);
        let slots = slots_of(text);
        let [slot] = &slots[..] else {
            return self.no_values(node, "they are neither a list nor one variable".to_owned());
        };
        let whole = slot.range == (0..text.len()) && slot.fields.is_empty() && slot.helper.is_none();
        let (Root::Var(name), true) = (&slot.root, whole) else {
            return self.no_values(node, format!("`{text}` is not one variable and nothing else"));
        };
        if !self.file().templates.vars.contains_key(name.as_str()) {
            // It has been said.
            return (Vec::new(), None);
        }
        let name = &self.file().part.map_or_else(|| name.clone(), |part| part.name_of(NameOf::Var, name));
        self.shaping.insert(name.clone(), Shapes::Ramp);
        let list = match list(&self.known_vars, name) {
            Ok(list) => list.to_vec(),
            Err(why) => return self.no_values(node, why),
        };
        self.mind_count(list.len(), node);
        let values = list.iter().filter_map(|json| self.given_value(json, name, node, hold)).collect();
        (values, Some(name.clone()))
    }

    fn no_values(&mut self, node: Node<'t>, why: String) -> (Vec<RampValue>, Option<String>) {
        self.problem(Problem::RampValuesUnknown { why, at: node.at() });
        (Vec::new(), None)
    }

    fn mind_count(&mut self, count: usize, node: Node<'t>) {
        if count > VALUES_MAX {
            let range = format!("at most {VALUES_MAX} values");
            self.problem(Misfit::OutOfRange { key: "values".to_owned(), range, at: node.at() });
        }
    }

    /// A value that stands in the runbook; its shape has been checked.
    fn ramp_value(&mut self, node: Node<'t>, hold: Span) -> Option<RampValue> {
        let (value, hold) = match node.fields() {
            Some(of) => (of.get("value")?, of.span("hold").unwrap_or(hold)),
            None => (node, hold),
        };
        let json = value.json();
        if is_plain(&json) {
            return Some(RampValue { value: json, hold });
        }
        self.problem(Problem::BadRampValue { found: json.to_string(), at: value.at() });
        None
    }

    /// A value that a variable gives.
    fn given_value(&mut self, json: &Json, var: &str, node: Node<'t>, hold: Span) -> Option<RampValue> {
        if is_plain(json) {
            return Some(RampValue { value: json.clone(), hold });
        }
        let read = || {
            let of = json.as_object()?;
            let known = of.keys().all(|key| ["value", "hold"].contains(&key.as_str()));
            let hold = of.get("hold").map_or(Some(hold), |own| Span::parse(own.as_str()?))?;
            let value = of.get("value").filter(|value| known && is_plain(value))?;
            Some(RampValue { value: value.clone(), hold })
        };
        let read = read();
        if read.is_none() {
            let found = format!("{json} of `{var}`");
            self.problem(Problem::BadRampValue { found, at: node.at() });
        }
        read
    }

    /// What sets a value. Only there `value` can be filled in.
    fn set_work(&mut self, of: Fields<'t>, step: StepId, bound: Span) -> Work {
        let set = of.fields("set");
        self.scopes[self.here].templates.value = true;
        let action = set.and_then(|of| self.action(of, step));
        self.scopes[self.here].templates.value = false;
        let timeout = set.and_then(|of| of.span("timeout")).or(self.defaults().timeout).unwrap_or(bound);
        Work {
            // It has its problem: none is given, or one that cannot be read.
            action: action.unwrap_or(Action::Wait(Wait::For(Span::ZERO))),
            when: None,
            done_when: None,
            require: Vec::new(),
            success: Vec::new(),
            timeout: timeout.min(bound),
            kill_after: set.and_then(|of| of.span("kill_after")).unwrap_or(self.defaults().kill_after),
            retry: Retry::ONCE,
            survivors: set
                .map_or(Survivors::Leave, |of| word(of, "survivors", &[("kill", Survivors::Kill)], Survivors::Leave)),
            outputs: Vec::new(),
        }
    }
}

fn is_plain(json: &Json) -> bool {
    match json {
        Json::Bool(_) | Json::Number(_) | Json::String(_) => true,
        Json::Null | Json::Array(_) | Json::Object(_) => false,
    }
}
