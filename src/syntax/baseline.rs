//! Reads `[baseline]`.

use super::node::Fields;
use super::problem::Problem;
use super::reader::{Patience, Reader};
use crate::measure::Kind;
use crate::model::{Baseline, Span};

/// How long a baseline is sampled that does not say.
const OVER: Span = Span::from_secs(30);

impl<'t> Reader<'t> {
    pub(super) fn baseline(&mut self, of: Fields<'t>) -> Baseline {
        for node in of.list("probes") {
            if let Some(id) = node.text().and_then(|name| self.file().probes.get(name))
                && Kind::from(self.probes[id.index()].as_) != Kind::Number
            {
                let (probe, at) = (self.probes[id.index()].name.clone(), node.at());
                self.problem(Problem::NoNumbers { what: "the baseline", probe, at });
            }
        }
        Baseline {
            probes: self.named(of, "probes", Self::probe),
            before: of.get("before").and_then(|node| self.phase(node)),
            over: of.span("over").unwrap_or(OVER),
            require: self.criteria(of, "require", Patience::None),
        }
    }
}
