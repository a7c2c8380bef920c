//! Conditions ready to be judged, and the samples as they see them.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use serde_json::Value as Json;

use super::probe::Probe;
use crate::measure::{Locals, Names, Program, Scope, Series, compile};
use crate::model::{Condition, Figure, StepOutcome, Value, Verdict};

/// A condition, compiled when it is first needed: a run needs a few of a large plan's at a time.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) condition: Condition,
    pub(super) program: OnceLock<Option<Program>>,
}

impl Prepared {
    pub(super) fn program(&self) -> Option<&Program> {
        let compiled =
            || compile(&self.condition.text, Locals::All, &Names::unchecked()).ok().map(|compiled| compiled.program);
        self.program.get_or_init(compiled).as_ref()
    }

    pub(super) fn judge(&self, scope: &dyn Scope) -> (Verdict, String) {
        match self.program() {
            Some(program) => (program.judge(scope), program.evidence(scope)),
            // A plan's conditions have been compiled by `syntax` before.
            None => (Verdict::NoData, format!("`{}` cannot be read", self.condition.text)),
        }
    }
}

/// The scope of the caller, with the latest samples as `probe.*`.
pub(super) struct Sampled<'a> {
    pub(super) rest: &'a dyn Scope,
    pub(super) probes: &'a [Probe],
    pub(super) by_name: &'a BTreeMap<String, usize>,
    pub(super) value: Option<&'a Json>,
}

impl Scope for Sampled<'_> {
    fn var(&self, name: &str) -> Option<Value> {
        self.rest.var(name)
    }
    fn probe(&self, name: &str) -> Option<Json> {
        self.probes[*self.by_name.get(name)?].latest.as_ref()?.value.clone()
    }
    fn series(&self, probe: &str) -> Option<&Series> {
        self.probes[*self.by_name.get(probe)?].history.as_ref()
    }

    fn baseline(&self, name: &str, figure: Figure) -> Option<Json> {
        self.rest.baseline(name, figure)
    }

    fn step_outcome(&self, step: &str) -> Option<StepOutcome> {
        self.rest.step_outcome(step)
    }
    fn step_attempts(&self, step: &str) -> Option<u32> {
        self.rest.step_attempts(step)
    }
    fn step_output(&self, step: &str, output: &str) -> Option<Value> {
        self.rest.step_output(step, output)
    }
    fn local(&self, name: &str) -> Option<Json> {
        let value = self.value.filter(|_| name == "value");
        value.cloned().or_else(|| self.rest.local(name))
    }
}
