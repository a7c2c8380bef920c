//! Conditions: CEL text in, verdicts out.
//!
//! The crate `cel` parses; names are resolved and kinds checked here, once, and the result is evaluated here too. The
//! crate's own evaluation would refuse `3 * 2.0` and knows no *no data*: here a missing value is an error that travels
//! as CEL's errors do, so that `true || missing` is true and everything else that meets it is no data. Whole numbers are
//! 128 bits wide, an operation between a whole and a decimal number converts, a comparison between them is exact, and
//! what has no number for an answer (`0.0 / 0.0`, `1 / 0`, an overflow) is no data.
//!
//! A condition must not know where values come from ([`Scope`] says what they are), nor what time it is.

mod compile;
mod evaluate;
mod evidence;
mod judged;
mod names;
mod node;
mod rename;
mod value;

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use serde_json::Value as Json;

pub(crate) use self::names::nearest;
pub use self::names::{Kind, Locals, Measured, Names};
use self::node::Node;
pub use self::rename::{NameOf, rename};
use super::{Series, number};
use crate::model::{Figure, Span, StepOutcome, Value, Verdict};

/// Something wrong with the text of a condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConditionError {
    /// What, as a lower-case fragment.
    pub message: String,
    /// Where: bytes of the condition's text.
    pub range: Range<usize>,
    /// What to write instead, where that is known.
    pub help: Option<String>,
}

/// What a condition reads, each once, in the order of its text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reads {
    /// Probes, by name; also those of which only the history is read.
    pub probes: Vec<String>,
    /// Of how many of them more than the last sample is read, and how far back.
    pub series: Vec<(String, Span)>,
    /// Variables, by name.
    pub vars: Vec<String>,
    /// Steps whose outcome, attempts or outputs are read.
    pub steps: Vec<String>,
    /// Outputs: the step and the name.
    pub outputs: Vec<(String, String)>,
    /// Probes of the baseline, by name.
    pub baseline: Vec<String>,
}

/// A compiled condition and what it reads.
#[derive(Clone, Debug)]
pub struct Compiled {
    /// To be judged.
    pub program: Program,
    /// For whoever provides the values.
    pub reads: Reads,
}

/// Where the values of names come from while a condition is judged. `None` is no data.
pub trait Scope {
    /// The value of `vars.<name>`.
    fn var(&self, name: &str) -> Option<Value>;
    /// The latest fresh value of `probe.<name>`.
    fn probe(&self, name: &str) -> Option<Json>;
    /// What is kept of a probe.
    fn series(&self, probe: &str) -> Option<&Series>;
    /// A figure of `baseline.<name>`; no data before the baseline is taken.
    fn baseline(&self, name: &str, figure: Figure) -> Option<Json>;
    /// What became of a step.
    fn step_outcome(&self, step: &str) -> Option<StepOutcome>;
    /// How many attempts of it were started.
    fn step_attempts(&self, step: &str) -> Option<u32>;
    /// One of its outputs.
    fn step_output(&self, step: &str, output: &str) -> Option<Value>;
    /// A name of the place itself: `stdout`, `status`, `row`, ...
    fn local(&self, name: &str) -> Option<Json>;
}

/// A compiled condition. Cheap to clone and to judge.
#[derive(Clone)]
pub struct Program(Arc<Inner>);

struct Inner {
    text: String,
    root: Node,
}

/// Compiles the text of a condition that may use `names` and the `locals` of the place it stands in.
///
/// Returns every problem at once: syntax, names that do not exist, kinds that do not fit, and a result that is known not
/// to be true or false.
pub fn compile(text: &str, locals: Locals, names: &Names<'_>) -> Result<Compiled, Vec<ConditionError>> {
    let (root, reads) = compile::compile(text, locals, names)?;
    Ok(Compiled { program: Program(Arc::new(Inner { text: text.to_owned(), root })), reads })
}

impl Program {
    /// What the condition says of the values at hand.
    pub fn judge(&self, scope: &dyn Scope) -> Verdict {
        match evaluate::evaluate(&self.0.root, scope) {
            Ok(value::Val::Bool(true)) => Verdict::Holds,
            Ok(value::Val::Bool(false)) => Verdict::Fails,
            Ok(_) | Err(_) => Verdict::NoData,
        }
    }

    /// The values that the condition was judged by, for people. Values of secret variables and outputs are not shown.
    pub fn evidence(&self, scope: &dyn Scope) -> String {
        evidence::evidence(&self.0.text, &self.0.root, scope)
    }

    /// The value of the expression; for one that is no condition. `Err` says why there is none.
    pub fn value(&self, scope: &dyn Scope) -> Result<Json, String> {
        evaluate::evaluate(&self.0.root, scope).map(|value| value.to_json()).map_err(|missing| missing.0)
    }

    /// Whether outcomes, attempts or outputs of steps decide.
    pub fn reads_steps(&self) -> bool {
        let of_step = |read: &&node::Read| {
            matches!(read, node::Read::Outcome(_) | node::Read::Attempts(_) | node::Read::Output(..))
        };
        self.0.root.reads().iter().any(of_step)
    }

    /// Its text.
    pub fn text(&self) -> &str {
        &self.0.text
    }
}

impl fmt::Debug for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Program").field(&self.0.text).finish()
    }
}

#[cfg(test)]
mod tests;
