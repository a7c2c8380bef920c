//! Working out the value of a condition.

use std::cmp::Ordering;
use std::sync::Arc;

use super::node::{Compare, Comprehension, Function, Math, Node, Read};
use super::number::Number;
use super::value::Val;
use super::{Kind, Scope};

/// Why there is no value: CEL's error, our *no data*.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Missing(pub(super) String);

type Result<T = Val> = std::result::Result<T, Missing>;

fn missing<T>(why: impl Into<String>) -> Result<T> {
    Err(Missing(why.into()))
}

/// The value of an expression.
pub(super) fn evaluate(node: &Node, scope: &dyn Scope) -> Result {
    Evaluation { scope, bound: Vec::new() }.value(node)
}

/// The value of a name; `Err` where it has no data.
pub(super) fn read(read: &Read, scope: &dyn Scope) -> Result {
    let value = match read {
        Read::Var(name) => scope.var(name).map(|value| Val::from_json(&value.json)),
        Read::Probe(name) => scope.probe(name).map(|json| Val::from_json(&json)),
        Read::Fold { probe, fold, over } => {
            let folded =
                scope.series(probe).map_or_else(|| Err("no sample yet".to_owned()), |of| of.fold(*fold, *over));
            return folded.map(Val::Number).map_err(|why| Missing(format!("{} has no data: {why}", read.name())));
        }
        Read::Judged(pair) => return pair.compare(scope).map(|judged| Val::text(pair.word(&judged))),
        Read::Baseline(name, figure) => scope.baseline(name, *figure).map(|json| Val::from_json(&json)),
        Read::Outcome(step) => scope.step_outcome(step).map(|outcome| Val::text(outcome.word())),
        Read::Attempts(step) => scope.step_attempts(step).map(|attempts| Val::whole(attempts.into())),
        Read::Output(step, output) => scope.step_output(step, output).map(|value| Val::from_json(&value.json)),
        Read::Local(name) => scope.local(name).map(|json| Val::from_json(&json)),
    };
    value.ok_or_else(|| Missing(format!("{} has no data", read.name())))
}

struct Evaluation<'s> {
    scope: &'s dyn Scope,
    /// Accumulators and variables of the comprehensions around; an accumulator may be no data for a while.
    bound: Vec<Result>,
}

impl Evaluation<'_> {
    fn value(&mut self, node: &Node) -> Result {
        match node {
            Node::Constant(value) => Ok(value.clone()),
            Node::Read(name) => read(name, self.scope),
            Node::Bound(place) => self.bound[*place].clone(),
            Node::Accumulator(place) => std::mem::replace(&mut self.bound[*place], Ok(Val::Null)),
            Node::Field(of, field) => match self.value(of)? {
                Val::Map(map) => map.get(field).cloned().ok_or_else(|| Missing(format!("there is no `{field}`"))),
                other => missing(format!("{} has no `{field}`", other.kind())),
            },
            Node::HasField(of, field) => match self.value(of)? {
                Val::Map(map) => Ok(Val::Bool(map.contains_key(field))),
                _ => Ok(Val::Bool(false)),
            },
            Node::HasData(of) => Ok(Val::Bool(self.value(of).is_ok())),
            Node::Index(of, index) => self.index(of, index),
            Node::And(a, b) => self.absorbing(a, b, false),
            Node::Or(a, b) => self.absorbing(a, b, true),
            Node::Not(of) => Ok(Val::Bool(!self.truth(of)?)),
            Node::NotFalse(of) => Ok(Val::Bool(!matches!(self.value(of), Ok(Val::Bool(false))))),
            Node::Choice(three) => {
                let chosen = if self.truth(&three[0])? { &three[1] } else { &three[2] };
                self.value(chosen)
            }
            Node::Negate(of) => self.number(of)?.negated().map(Val::Number).ok_or_else(too_large),
            Node::Math(math, pair) => self.math(*math, pair),
            Node::Compare(how, pair) => self.compare(*how, pair),
            Node::In(pair) => self.is_in(pair),
            Node::List(items) => Ok(Val::list(items.iter().map(|item| self.value(item)).collect::<Result<Vec<_>>>()?)),
            Node::Map(entries) => self.map(entries),
            Node::Call(function, arguments) => self.call(*function, arguments),
            Node::Matches(text, pattern) => Ok(Val::Bool(pattern.is_match(&self.text(text)?))),
            Node::Comprehension(comprehension) => self.fold(comprehension),
            Node::Best { max, list, key } => self.best(*max, list, key),
        }
    }

    /// `&&` and `||`: one side that decides makes up for a missing other, whichever comes first.
    fn absorbing(&mut self, a: &Node, b: &Node, decides: bool) -> Result {
        let first = self.truth(a);
        if first == Ok(decides) {
            return Ok(Val::Bool(decides));
        }
        let second = self.truth(b);
        if second == Ok(decides) {
            return Ok(Val::Bool(decides));
        }
        first?;
        second?;
        Ok(Val::Bool(!decides))
    }

    fn truth(&mut self, node: &Node) -> Result<bool> {
        match self.value(node)? {
            Val::Bool(is) => Ok(is),
            other => unexpected(&other, Kind::Bool),
        }
    }

    fn number(&mut self, node: &Node) -> Result<Number> {
        match self.value(node)? {
            Val::Number(number) => Ok(number),
            other => unexpected(&other, Kind::Number),
        }
    }

    fn text(&mut self, node: &Node) -> Result<Arc<str>> {
        match self.value(node)? {
            Val::Text(text) => Ok(text),
            other => unexpected(&other, Kind::Text),
        }
    }

    fn items(&mut self, node: &Node) -> Result<Arc<Vec<Val>>> {
        match self.value(node)? {
            Val::List(items) => Ok(items),
            Val::Map(map) => Ok(Arc::new(map.keys().map(|key| Val::text(key)).collect())),
            other => unexpected(&other, Kind::List),
        }
    }

    fn index(&mut self, of: &Node, index: &Node) -> Result {
        match (self.value(of)?, self.value(index)?) {
            (Val::List(items), Val::Number(Number::Whole(at))) => usize::try_from(at)
                .ok()
                .and_then(|at| items.get(at).cloned())
                .ok_or_else(|| Missing(format!("a list of {} has no item {at}", items.len()))),
            (Val::Map(map), Val::Text(key)) => {
                map.get(&*key).cloned().ok_or_else(|| Missing(format!("there is no `{key}`")))
            }
            (of, index) => missing(format!("{} has no item for {}", of.kind(), index.kind())),
        }
    }

    fn math(&mut self, math: Math, pair: &[Node; 2]) -> Result {
        if math == Math::Add {
            return self.add(pair);
        }
        let (a, b) = (self.number(&pair[0])?, self.number(&pair[1])?);
        let answer = match math {
            Math::Add => a.plus(b),
            Math::Subtract => a.minus(b),
            Math::Multiply => a.times(b),
            Math::Divide => a.over(b),
            Math::Rest => a.rest(b),
        };
        answer.map(Val::Number).ok_or_else(|| Missing(format!("`{}` has no number for an answer here", math.sign())))
    }

    fn add(&mut self, pair: &[Node; 2]) -> Result {
        match (self.value(&pair[0])?, self.value(&pair[1])?) {
            (Val::Number(a), Val::Number(b)) => a.plus(b).map(Val::Number).ok_or_else(too_large),
            (Val::Text(a), Val::Text(b)) => Ok(Val::text(&format!("{a}{b}"))),
            (Val::List(mut a), Val::List(b)) => {
                Arc::make_mut(&mut a).extend(b.iter().cloned());
                Ok(Val::List(a))
            }
            (a, b) => missing(format!("`+` takes no {} and {}", a.kind(), b.kind())),
        }
    }

    fn compare(&mut self, how: Compare, pair: &[Node; 2]) -> Result {
        let (a, b) = (self.value(&pair[0])?, self.value(&pair[1])?);
        let ordered = |fits: fn(Ordering) -> bool| match a.order(&b) {
            Some(order) => Ok(Val::Bool(fits(order))),
            None => missing(format!("`{}` cannot compare {} with {}", how.sign(), a.kind(), b.kind())),
        };
        match how {
            Compare::Equal => Ok(Val::Bool(a.equals(&b))),
            Compare::NotEqual => Ok(Val::Bool(!a.equals(&b))),
            Compare::Less => ordered(Ordering::is_lt),
            Compare::LessOrEqual => ordered(Ordering::is_le),
            Compare::Greater => ordered(Ordering::is_gt),
            Compare::GreaterOrEqual => ordered(Ordering::is_ge),
        }
    }

    fn is_in(&mut self, pair: &[Node; 2]) -> Result {
        match (self.value(&pair[0])?, self.value(&pair[1])?) {
            (item, Val::List(items)) => Ok(Val::Bool(items.iter().any(|other| other.equals(&item)))),
            (Val::Text(key), Val::Map(map)) => Ok(Val::Bool(map.contains_key(&*key))),
            (_, Val::Map(_)) => Ok(Val::Bool(false)),
            (_, other) => unexpected(&other, Kind::List),
        }
    }

    fn map(&mut self, entries: &[(Node, Node)]) -> Result {
        let mut map = std::collections::BTreeMap::new();
        for (key, value) in entries {
            let key = self.text(key)?.to_string();
            let value = self.value(value)?;
            if map.insert(key, value).is_some() {
                return missing("a map has a key twice");
            }
        }
        Ok(Val::Map(Arc::new(map)))
    }

    fn fold(&mut self, fold: &Comprehension) -> Result {
        let items = self.items(&fold.range)?;
        let start = self.value(&fold.start);
        let accumulator = self.bound.len();
        self.bound.push(start);
        for item in items.iter() {
            self.bound.push(Ok(item.clone()));
            let goes_on = self.truth(&fold.condition);
            let step = if goes_on == Ok(true) { Some(self.value(&fold.step)) } else { None };
            self.bound.truncate(accumulator + 1);
            match step {
                Some(value) => self.bound[accumulator] = value,
                None => break,
            }
        }
        let result = self.value(&fold.result);
        self.bound.truncate(accumulator);
        result
    }

    fn best(&mut self, max: bool, list: &Node, key: &Node) -> Result {
        let items = self.items(list)?;
        let mut best: Option<(Val, &Val)> = None;
        for item in items.iter() {
            self.bound.push(Ok(item.clone()));
            let value = self.value(key);
            self.bound.pop();
            let value = value?;
            best = match best {
                Some((before, winner)) if !beats(max, &value, &before)? => Some((before, winner)),
                _ => Some((value, item)),
            };
        }
        best.map_or_else(|| missing("the list is empty"), |(_, item)| Ok(item.clone()))
    }

    fn call(&mut self, function: Function, arguments: &[Node]) -> Result {
        match function {
            Function::Max | Function::Min => self.extreme(function == Function::Max, arguments),
            Function::Abs => self.number(&arguments[0])?.abs().map(Val::Number).ok_or_else(too_large),
            Function::Round => Ok(Val::Number(self.number(&arguments[0])?.round())),
            Function::Size => size(&self.value(&arguments[0])?),
            Function::Contains => self.about_texts(arguments, |text, part| text.contains(part)),
            Function::StartsWith => self.about_texts(arguments, |text, part| text.starts_with(part)),
            Function::EndsWith => self.about_texts(arguments, |text, part| text.ends_with(part)),
            Function::Matches => {
                let (text, pattern) = (self.text(&arguments[0])?, self.text(&arguments[1])?);
                match regex::Regex::new(&pattern) {
                    Ok(pattern) => Ok(Val::Bool(pattern.is_match(&text))),
                    Err(_) => missing("the pattern of `matches` is no regular expression"),
                }
            }
            Function::Int => int(&self.value(&arguments[0])?),
            Function::Double => double(&self.value(&arguments[0])?),
            Function::String => string(&self.value(&arguments[0])?),
            Function::Bool => match self.value(&arguments[0])? {
                Val::Bool(is) => Ok(Val::Bool(is)),
                Val::Text(text) if matches!(&*text, "true" | "t" | "1") => Ok(Val::Bool(true)),
                Val::Text(text) if matches!(&*text, "false" | "f" | "0") => Ok(Val::Bool(false)),
                other => missing(format!("{} is neither true nor false", other.kind())),
            },
        }
    }

    fn about_texts(&mut self, arguments: &[Node], is: fn(&str, &str) -> bool) -> Result {
        let (text, part) = (self.text(&arguments[0])?, self.text(&arguments[1])?);
        Ok(Val::Bool(is(&text, &part)))
    }

    /// `max(a, b, ...)` or `max(list)`.
    fn extreme(&mut self, max: bool, arguments: &[Node]) -> Result {
        let values = match arguments {
            [one] => match self.value(one)? {
                Val::List(items) => items,
                single => Arc::new(vec![single]),
            },
            many => Arc::new(many.iter().map(|node| self.value(node)).collect::<Result<Vec<_>>>()?),
        };
        let mut best: Option<&Val> = None;
        for value in values.iter() {
            // A single value is compared with itself, so that one without an order is refused too.
            if beats(max, value, best.unwrap_or(value))? || best.is_none() {
                best = Some(value);
            }
        }
        best.map_or_else(|| missing("the list is empty"), |value| Ok(value.clone()))
    }
}

fn beats(max: bool, value: &Val, before: &Val) -> Result<bool> {
    match value.order(before) {
        Some(order) => Ok(if max { order.is_gt() } else { order.is_lt() }),
        None => missing(format!("{} and {} have no order", value.kind(), before.kind())),
    }
}

fn unexpected<T>(value: &Val, wanted: Kind) -> Result<T> {
    missing(format!("{} stands where {wanted} is needed", value.kind()))
}

fn too_large() -> Missing {
    Missing("the number is too large".to_owned())
}

fn size(value: &Val) -> Result {
    let size = match value {
        Val::Text(text) => text.chars().count(),
        Val::List(items) => items.len(),
        Val::Map(map) => map.len(),
        other => return missing(format!("{} has no size", other.kind())),
    };
    // No collection has 2^127 items.
    Ok(Val::whole(i128::try_from(size).unwrap_or(i128::MAX)))
}

fn int(value: &Val) -> Result {
    let whole = match value {
        Val::Number(number) => number.truncated(),
        Val::Text(text) => text.parse().ok(),
        Val::Bool(is) => Some(i128::from(*is)),
        _ => None,
    };
    whole.map_or_else(
        || missing(format!("this {} is no whole number", value.kind_word())),
        |whole| Ok(Val::whole(whole)),
    )
}

fn double(value: &Val) -> Result {
    let decimal = match value {
        Val::Number(number) => Some(number.to_decimal()),
        Val::Text(text) => text.parse().ok(),
        _ => None,
    };
    decimal
        .and_then(Number::from_decimal)
        .map_or_else(|| missing(format!("this {} is no number", value.kind_word())), |number| Ok(Val::Number(number)))
}

fn string(value: &Val) -> Result {
    match value {
        Val::Text(_) => Ok(value.clone()),
        Val::Bool(is) => Ok(Val::text(&is.to_string())),
        Val::Number(Number::Whole(whole)) => Ok(Val::text(&whole.to_string())),
        Val::Number(Number::Decimal(decimal)) => Ok(Val::text(&decimal.to_string())),
        Val::Null | Val::List(_) | Val::Map(_) => missing(format!("{} has no text", value.kind())),
    }
}
