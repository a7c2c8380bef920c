//! Reads `[budget.x]`.

use super::Site;
use super::about::no_data;
use super::misfit::Misfit;
use super::node::{Fields, Node};
use super::problem::Problem;
use super::reader::Reader;
use crate::measure::Kind;
use crate::model::{Allowance, Budget, Guard, GuardId, ProbeId, Rule, Span};

/// Over how long the present rate is taken where a budget does not say.
const FORECAST: Span = Span::from_secs(60);

/// A share is taken of so many at least that this many of the bad are allowed: fewer are chance.
const ALLOWED_MIN: f64 = 10.0;

/// What `allow` says.
enum Allow {
    Count(f64),
    Share(f64),
}

impl<'t> Reader<'t> {
    pub(super) fn budget(&mut self, id: GuardId, name: &str, of: Fields<'t>) -> Guard {
        let bad = self.counter(of, "bad");
        let total = self.counter(of, "total");
        let allow = of.get("allow").and_then(|node| self.allow(node));
        if let Some(Allow::Share(_)) = allow
            && !of.has("total")
        {
            self.problem(Problem::ShareOfNothing { budget: name.to_owned(), at: of.at_key("allow") });
        }
        if let (Some(Allow::Count(_)), Some(node)) = (&allow, of.get("total")) {
            let help = "a count needs no `total`; write a share of it as 0.001 or \"0.1%\"";
            self.out_of_place("total", node.key_at.span(), help);
        }
        let total_min = of.get("total_min").and_then(Node::number);
        let allow = match (allow, total) {
            (Some(Allow::Share(share)), Some(total)) => {
                Allowance::Share { total, share, total_min: total_min.unwrap_or(ALLOWED_MIN / share) }
            }
            (Some(Allow::Count(count)), _) => Allowance::Count(count),
            // It has its problem.
            (Some(Allow::Share(_)) | None, _) => Allowance::Count(1.0),
        };
        let forecast = match of.flag("forecast") {
            Some(false) => None,
            Some(true) | None => Some(of.span("forecast").unwrap_or(FORECAST)),
        };
        let bad = bad.unwrap_or(ProbeId::at(0));
        Guard {
            name: name.to_owned(),
            scope: self.scope(of),
            rule: Rule::Budget(Budget { bad, allow, forecast }),
            no_data: no_data(of, self.defaults().no_data),
            on_breach: self.on_breach(of, Site::Guard(id, "on_breach")),
            remedy: of.owned("remedy"),
        }
    }

    /// A probe that counts: what it gives is a number.
    fn counter(&mut self, of: Fields<'t>, key: &'static str) -> Option<ProbeId> {
        let node = of.get(key)?;
        let id = self.probe(node)?;
        if Kind::from(self.probes[id.index()].as_) != Kind::Number {
            let probe = self.probes[id.index()].name.clone();
            self.problem(Problem::NoNumbers { what: "a budget", probe, at: node.at() });
        }
        Some(id)
    }

    /// A whole number is a count, a decimal one or a percentage a share.
    fn allow(&mut self, node: Node<'t>) -> Option<Allow> {
        let allow = match (node.whole(), node.text()) {
            (Some(_), _) => Allow::Count(node.number()?),
            (None, Some(text)) => Allow::Share(percent(text)? / 100.0),
            (None, None) => Allow::Share(node.number()?),
        };
        let is_within = match allow {
            Allow::Count(count) => count >= 1.0,
            Allow::Share(share) => share > 0.0 && share <= 1.0,
        };
        if !is_within {
            let range = "a count from 1, or a share above 0 and at most 1.0 (0.001, \"0.1%\")".to_owned();
            self.problem(Misfit::OutOfRange { key: "allow".to_owned(), range, at: node.at() });
            return None;
        }
        Some(allow)
    }
}

/// `0.1%`.
pub(super) fn percent(text: &str) -> Option<f64> {
    let number = text.strip_suffix('%')?;
    let is_plain = number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    number.parse().ok().filter(|_| is_plain)
}
