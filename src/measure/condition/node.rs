//! A condition after names were resolved: what is evaluated.

use super::judged::Pair;
use super::value::Val;
use crate::measure::series::Fold;
use crate::model::{Figure, Span};

/// A part of an expression.
#[derive(Debug)]
pub(super) enum Node {
    Constant(Val),
    Read(Read),
    /// The variable of a comprehension (`list.all(x, ...)`), counted from the outermost.
    Bound(usize),
    /// The accumulator of a comprehension, to which something is added next: it is taken, and comes back with it.
    Accumulator(usize),
    /// `operand.field`.
    Field(Box<Self>, String),
    /// `has(operand.field)`.
    HasField(Box<Self>, String),
    /// `has(probe.x)`: whether there is data.
    HasData(Box<Self>),
    Index(Box<Self>, Box<Self>),
    And(Box<Self>, Box<Self>),
    Or(Box<Self>, Box<Self>),
    Not(Box<Self>),
    /// Not false: what is no data counts as true. Stands only in what the parser makes of `all` and `exists`.
    NotFalse(Box<Self>),
    Choice(Box<[Self; 3]>),
    Negate(Box<Self>),
    Math(Math, Box<[Self; 2]>),
    Compare(Compare, Box<[Self; 2]>),
    /// `operand in list or map`.
    In(Box<[Self; 2]>),
    List(Vec<Self>),
    Map(Vec<(Self, Self)>),
    Call(Function, Vec<Self>),
    /// `matches` with a pattern known beforehand.
    Matches(Box<Self>, regex::Regex),
    Comprehension(Box<Comprehension>),
    /// `list.max_by(x, key)`, `list.min_by(x, key)`; the flag is `max`.
    Best {
        max: bool,
        list: Box<Self>,
        key: Box<Self>,
    },
}

/// What the scope is asked for.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Read {
    Var(String),
    Probe(String),
    /// `series.<probe>.avg("30s")`.
    Fold {
        probe: String,
        fold: Fold,
        over: Span,
    },
    /// `judge(series.<new>, series.<old>)`.
    Judged(Box<Pair>),
    Baseline(String, Figure),
    Outcome(String),
    Attempts(String),
    Output(String, String),
    Local(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Math {
    Add,
    Subtract,
    Multiply,
    Divide,
    Rest,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Compare {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Math {
    pub(super) const fn sign(self) -> &'static str {
        match self {
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
            Self::Rest => "%",
        }
    }
}

impl Compare {
    pub(super) const fn sign(self) -> &'static str {
        match self {
            Self::Equal => "==",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
        }
    }
}

/// The functions; a call on a value (`text.contains(x)`) has it as its first argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Function {
    Max,
    Min,
    Abs,
    Round,
    Size,
    Contains,
    StartsWith,
    EndsWith,
    Matches,
    Int,
    Double,
    String,
    Bool,
}

/// What the parser makes of `all`, `exists`, `exists_one`, `map` and `filter`: a fold over a list (or a map's keys).
/// The accumulator and then the variable are bound while `condition` and `step` are evaluated.
#[derive(Debug)]
pub(super) struct Comprehension {
    pub(super) range: Node,
    pub(super) start: Node,
    pub(super) condition: Node,
    pub(super) step: Node,
    pub(super) result: Node,
}

impl Read {
    /// As it stands in the text.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Var(name) => format!("vars.{name}"),
            Self::Probe(name) => format!("probe.{name}"),
            Self::Fold { probe, fold, over } => format!("series.{probe}.{}", fold.call(*over)),
            Self::Judged(pair) => pair.name(),
            Self::Baseline(name, figure) => format!("baseline.{name}.{}", figure.word()),
            Self::Outcome(step) => format!("steps.{step}.outcome"),
            Self::Attempts(step) => format!("steps.{step}.attempts"),
            Self::Output(step, output) => format!("steps.{step}.outputs.{output}"),
            Self::Local(name) => name.clone(),
        }
    }
}

impl Node {
    /// Its direct parts.
    pub(super) fn parts(&self) -> Vec<&Self> {
        match self {
            Self::Constant(_) | Self::Read(_) | Self::Bound(_) | Self::Accumulator(_) => Vec::new(),
            Self::Field(of, _)
            | Self::HasField(of, _)
            | Self::HasData(of)
            | Self::Not(of)
            | Self::NotFalse(of)
            | Self::Negate(of)
            | Self::Matches(of, _) => vec![of],
            Self::Index(a, b) | Self::And(a, b) | Self::Or(a, b) => vec![a, b],
            Self::Math(_, pair) | Self::Compare(_, pair) | Self::In(pair) => pair.iter().collect(),
            Self::Choice(three) => three.iter().collect(),
            Self::List(items) | Self::Call(_, items) => items.iter().collect(),
            Self::Map(entries) => entries.iter().flat_map(|(key, value)| [key, value]).collect(),
            Self::Comprehension(c) => vec![&c.range, &c.start, &c.condition, &c.step, &c.result],
            Self::Best { list, key, .. } => vec![list, key],
        }
    }

    /// What it reads, each once, in the order of the text.
    pub(super) fn reads(&self) -> Vec<&Read> {
        fn gather<'n>(node: &'n Node, found: &mut Vec<&'n Read>) {
            if let Node::Read(read) = node
                && !found.contains(&read)
            {
                found.push(read);
            }
            for part in node.parts() {
                gather(part, found);
            }
        }
        let mut found = Vec::new();
        gather(self, &mut found);
        found
    }
}
