//! Names: `probe.lag`, `vars.old_host`, `steps.copy.outputs.rows`, `stdout`, variables of comprehensions.

use cel::common::ast::{Expr, IdedExpr, LiteralValue, operators};

use super::super::names::nearest;
use super::{Compiler, Kind, Node, Read};
use crate::model::Figure;

/// A name with the fields behind it, as far as they are known beforehand: `a.b["c"]`.
pub(super) struct Path<'t> {
    /// The node of the root.
    pub(super) at: u64,
    root: &'t str,
    fields: Vec<&'t str>,
}

impl<'t> Path<'t> {
    pub(super) fn of(tree: &'t IdedExpr) -> Option<Self> {
        let mut fields = Vec::new();
        let mut at = tree;
        loop {
            match &at.expr {
                Expr::Ident(root) => {
                    fields.reverse();
                    return Some(Self { at: at.id, root, fields });
                }
                Expr::Select(select) if !select.test => {
                    fields.push(select.field.as_str());
                    at = &select.operand;
                }
                Expr::Call(call) if call.target.is_none() && call.func_name == operators::INDEX => {
                    let [of, index] = call.args.as_slice() else { return None };
                    let Expr::Literal(LiteralValue::String(key)) = &index.expr else { return None };
                    fields.push(key.inner());
                    at = of;
                }
                _ => return None,
            }
        }
    }
}

const ROOTS: [&str; 5] = ["probe", "series", "baseline", "vars", "steps"];
/// Of the format, and not of this version.
const LATER: [&str; 2] = ["state", "item"];

fn meant(nearest: Option<&str>) -> Option<String> {
    nearest.map(|name| format!("did you mean `{name}`?"))
}

/// `avg, min and max`.
fn listed(words: impl Iterator<Item = &'static str>) -> String {
    let words: Vec<_> = words.collect();
    words.split_last().map_or_else(String::new, |(last, rest)| format!("{} and {last}", rest.join(", ")))
}

fn fields(node: Node, fields: &[&str]) -> Node {
    fields.iter().fold(node, |of, field| Node::Field(Box::new(of), (*field).to_owned()))
}

pub(super) fn note(list: &mut Vec<String>, name: &str) {
    if !list.iter().any(|known| known == name) {
        list.push(name.to_owned());
    }
}

impl Compiler<'_> {
    pub(super) fn path(&mut self, path: &Path<'_>) -> (Node, Kind) {
        if let Some(place) = self.bound.iter().rposition(|name| name == path.root) {
            return (fields(Node::Bound(place), &path.fields), Kind::Any);
        }
        if let Some((name, kind)) = self.locals.names().find(|(name, _)| *name == path.root) {
            let kind = if path.fields.is_empty() { kind } else { Kind::Any };
            return (fields(Node::Read(Read::Local(name.to_owned())), &path.fields), kind);
        }
        match path.root {
            "probe" => self.probe(path),
            "series" => {
                let help = "write `series.<probe>.avg(\"30s\")`, or min, max, rate, p, count".to_owned();
                self.wrong_path(path.at, format!("`{}` alone has no value", path.text()), Some(help))
            }
            "vars" => self.var(path),
            "steps" => self.step(path),
            "baseline" => self.baseline(path),
            later if LATER.contains(&later) => {
                self.wrong_path(path.at, format!("`{later}` is not supported yet"), None)
            }
            "value" => {
                let help =
                    "the present value of a ramp is known in its `confirm`, `advance` and `hold_while`".to_owned();
                self.wrong_path(path.at, "there is no `value` here", Some(help))
            }
            "probes" | "var" | "step" => {
                let right = if path.root == "probes" { "probe" } else { &format!("{}s", path.root) };
                self.wrong_path(path.at, format!("there is no `{}`", path.root), Some(format!("write `{right}.`...")))
            }
            unknown => {
                let known = ROOTS.into_iter().chain(self.locals.names().map(|(name, _)| name));
                let help = if self.names.probes.contains_key(unknown) {
                    Some(format!("write `probe.{unknown}`"))
                } else if self.names.vars.contains(unknown) {
                    Some(format!("write `vars.{unknown}`"))
                } else {
                    meant(nearest(unknown, known))
                };
                self.wrong_path(path.at, format!("there is no `{unknown}` here"), help)
            }
        }
    }

    fn probe(&mut self, path: &Path<'_>) -> (Node, Kind) {
        let Some((name, rest)) = path.fields.split_first() else {
            return self.wrong_path(path.at, "`probe` alone has no value", Some("write `probe.<name>`".to_owned()));
        };
        let Some(kind) = self.names.measured(name).map(|measured| measured.kind) else {
            let help = meant(nearest(name, self.names.probes.keys().copied()));
            return self.wrong_path(path.at, format!("there is no probe `{name}`"), help);
        };
        note(&mut self.reads.probes, name);
        let kind = if rest.is_empty() { kind } else { Kind::Any };
        (fields(Node::Read(Read::Probe((*name).to_owned())), rest), kind)
    }

    fn baseline(&mut self, path: &Path<'_>) -> (Node, Kind) {
        let figures = || Figure::ALL.into_iter().map(Figure::word);
        let Some((name, rest)) = path.fields.split_first() else {
            let help = Some("write `baseline.<probe>.avg`, for example".to_owned());
            return self.wrong_path(path.at, "`baseline` alone has no value", help);
        };
        if !self.names.has_baseline(name) {
            return self.not_in_baseline(path, name);
        }
        match rest {
            [] => {
                let help = Some(format!("write `baseline.{name}.avg`; its figures are {}", listed(figures())));
                self.wrong_path(path.at, format!("`{}` alone has no value", path.text()), help)
            }
            [figure] => {
                let Some(known) = Figure::named(figure) else {
                    let help = meant(nearest(figure, figures()))
                        .or_else(|| Some(format!("its figures are {}", listed(figures()))));
                    return self.wrong_path(path.at, format!("a baseline has no `{figure}`"), help);
                };
                note(&mut self.reads.baseline, name);
                (Node::Read(Read::Baseline((*name).to_owned(), known)), Kind::Number)
            }
            [figure, ..] => {
                let message = format!("`baseline.{name}.{figure}` is a number and has nothing below it");
                self.wrong_path(path.at, message, None)
            }
        }
    }

    fn not_in_baseline(&mut self, path: &Path<'_>, name: &str) -> (Node, Kind) {
        let Some(known) = &self.names.baseline else {
            let help = Some("add `[baseline]` with its `probes`".to_owned());
            return self.wrong_path(path.at, "this runbook has no baseline", help);
        };
        let help = match meant(nearest(name, known.iter().copied())) {
            None if self.names.probes.contains_key(name) => {
                Some(format!("add \"{name}\" to the `probes` of [baseline]"))
            }
            meant => meant,
        };
        self.wrong_path(path.at, format!("the baseline has no probe `{name}`"), help)
    }

    fn var(&mut self, path: &Path<'_>) -> (Node, Kind) {
        let Some((name, rest)) = path.fields.split_first() else {
            return self.wrong_path(path.at, "`vars` alone has no value", Some("write `vars.<name>`".to_owned()));
        };
        if !self.names.has_var(name) {
            let help = meant(nearest(name, self.names.vars.iter().copied()));
            return self.wrong_path(path.at, format!("there is no variable `{name}`"), help);
        }
        note(&mut self.reads.vars, name);
        (fields(Node::Read(Read::Var((*name).to_owned())), rest), Kind::Any)
    }

    fn step(&mut self, path: &Path<'_>) -> (Node, Kind) {
        let Some((step, rest)) = path.fields.split_first() else {
            let help = Some("write `steps.<name>.outcome`, `.attempts` or `.outputs.<name>`".to_owned());
            return self.wrong_path(path.at, "`steps` alone has no value", help);
        };
        if !self.names.has_step(step) {
            let help = meant(nearest(step, self.names.steps.iter().copied()));
            return self.wrong_path(path.at, format!("there is no step `{step}`"), help);
        }
        note(&mut self.reads.steps, step);
        let name = || (*step).to_owned();
        match rest {
            ["outcome"] => (Node::Read(Read::Outcome(name())), Kind::Text),
            ["attempts"] => (Node::Read(Read::Attempts(name())), Kind::Number),
            ["outputs", output, rest @ ..] => {
                let output_of = (name(), (*output).to_owned());
                if !self.reads.outputs.contains(&output_of) {
                    self.reads.outputs.push(output_of);
                }
                (fields(Node::Read(Read::Output(name(), (*output).to_owned())), rest), Kind::Any)
            }
            ["items", ..] => self.wrong_path(path.at, "`items` of a step is not supported yet", None),
            [] | ["outputs"] => {
                let help = Some(format!("write `steps.{step}.outcome`, `.attempts` or `.outputs.<name>`"));
                self.wrong_path(path.at, format!("`{}` alone has no value", path.text()), help)
            }
            [other, ..] => {
                let help = meant(nearest(other, ["outcome", "attempts", "outputs"]))
                    .or_else(|| Some("a step has `outcome`, `attempts` and `outputs.<name>`".to_owned()));
                self.wrong_path(path.at, format!("a step has no `{other}`"), help)
            }
        }
    }
}

impl<'t> Path<'t> {
    pub(super) fn begins_with(&self, root: &str) -> bool {
        self.root == root
    }

    pub(super) fn fields(&self) -> &[&'t str] {
        &self.fields
    }

    fn text(&self) -> String {
        self.fields.iter().fold(self.root.to_owned(), |text, field| text + "." + field)
    }
}
