//! What a condition was judged by, in words.

use super::Scope;
use super::evaluate::{self, Missing};
use super::node::{Compare, Node, Read};
use super::number::Number;
use super::value::Val;
use crate::model::shown_decimal;

/// Longer values are described, not shown: half a secret in a long text could not be masked by its value.
const SHOWN_MAX: usize = 120;

/// `probe.lag = 1,204 (must be < 1,000), probe.old_writable = false (must be true)`.
pub(super) fn evidence(text: &str, root: &Node, scope: &dyn Scope) -> String {
    let mut parts = Vec::new();
    conjuncts(root, &mut parts);
    let verdicts: Vec<_> = parts.iter().map(|part| evaluate::evaluate(part, scope)).collect();
    let fails = |verdict: &Result<Val, Missing>| matches!(verdict, Ok(Val::Bool(false)));
    let holds = |verdict: &Result<Val, Missing>| matches!(verdict, Ok(Val::Bool(true)));
    // What fails explains a failure; what has no data explains that; all of it explains that it holds.
    let telling: Vec<&Node> = if verdicts.iter().any(fails) {
        parts.iter().zip(&verdicts).filter(|(_, verdict)| fails(verdict)).map(|(part, _)| *part).collect()
    } else if verdicts.iter().all(holds) {
        parts
    } else {
        parts.iter().zip(&verdicts).filter(|(_, verdict)| !holds(verdict)).map(|(part, _)| *part).collect()
    };
    let mut sentences: Vec<String> = Vec::new();
    for part in telling {
        let sentence = sentence(part, scope);
        if !sentence.is_empty() && !sentences.contains(&sentence) {
            sentences.push(sentence);
        }
    }
    if sentences.is_empty() { text.to_owned() } else { sentences.join(", ") }
}

fn conjuncts<'n>(node: &'n Node, found: &mut Vec<&'n Node>) {
    if let Node::And(a, b) = node {
        conjuncts(a, found);
        conjuncts(b, found);
    } else {
        found.push(node);
    }
}

fn sentence(node: &Node, scope: &dyn Scope) -> String {
    match node {
        Node::Read(read) => format!("{} (must be true)", reading(read, scope)),
        Node::Not(of) if matches!(**of, Node::Read(_)) => match &**of {
            Node::Read(read) => format!("{} (must be false)", reading(read, scope)),
            _ => String::new(),
        },
        Node::Compare(how, pair) => match (&pair[0], &pair[1]) {
            (Node::Read(read), bound) => compared(read, *how, bound, scope),
            (bound, Node::Read(read)) => compared(read, turned(*how), bound, scope),
            _ => readings(node, scope),
        },
        _ => readings(node, scope),
    }
}

fn compared(read: &Read, how: Compare, bound: &Node, scope: &dyn Scope) -> String {
    let reads = bound.reads();
    let must = if reads.iter().any(|read| is_secret(read, scope)) {
        "a secret".to_owned()
    } else {
        match evaluate::evaluate(bound, scope) {
            Ok(value) => shown(&value),
            Err(_) => "what has no data".to_owned(),
        }
    };
    let sign = if how == Compare::Equal { String::new() } else { format!("{} ", how.sign()) };
    let mut text = format!("{} (must be {sign}{must})", reading(read, scope));
    for other in reads.into_iter().filter(|other| *other != read) {
        text = text + ", " + &reading(other, scope);
    }
    text
}

const fn turned(how: Compare) -> Compare {
    match how {
        Compare::Equal => Compare::Equal,
        Compare::NotEqual => Compare::NotEqual,
        Compare::Less => Compare::Greater,
        Compare::LessOrEqual => Compare::GreaterOrEqual,
        Compare::Greater => Compare::Less,
        Compare::GreaterOrEqual => Compare::LessOrEqual,
    }
}

fn readings(node: &Node, scope: &dyn Scope) -> String {
    node.reads().into_iter().map(|read| reading(read, scope)).collect::<Vec<_>>().join(", ")
}

fn reading(read: &Read, scope: &dyn Scope) -> String {
    let value = if is_secret(read, scope) {
        "(secret)".to_owned()
    } else {
        evaluate::read(read, scope).map_or_else(|missing| no_data(&missing), |value| shown(&value))
    };
    let why = match read {
        Read::Judged(pair) => pair.compare(scope).map(|judged| format!(" ({})", pair.in_words(&judged))).ok(),
        Read::Var(_)
        | Read::Probe(_)
        | Read::Baseline(..)
        | Read::Fold { .. }
        | Read::Outcome(_)
        | Read::Attempts(_)
        | Read::Output(..)
        | Read::Local(_) => None,
    };
    format!("{} = {value}{}", read.name(), why.unwrap_or_default())
}

/// With the reason where one is known.
fn no_data(missing: &Missing) -> String {
    missing.0.split_once(" has no data: ").map_or_else(|| "no data".to_owned(), |(_, why)| format!("no data ({why})"))
}

fn is_secret(read: &Read, scope: &dyn Scope) -> bool {
    match read {
        Read::Var(name) => scope.var(name).is_some_and(|value| value.secret),
        Read::Output(step, output) => scope.step_output(step, output).is_some_and(|value| value.secret),
        Read::Probe(_)
        | Read::Baseline(..)
        | Read::Fold { .. }
        | Read::Judged(_)
        | Read::Outcome(_)
        | Read::Attempts(_)
        | Read::Local(_) => false,
    }
}

/// A value as a person reads it.
pub(super) fn shown(value: &Val) -> String {
    match value {
        Val::Null => "null".to_owned(),
        Val::Bool(is) => is.to_string(),
        Val::Number(Number::Whole(whole)) => grouped(&whole.to_string()),
        Val::Number(Number::Decimal(decimal)) => grouped_decimal(*decimal),
        Val::Text(text) if text.len() > SHOWN_MAX || text.chars().any(char::is_control) => {
            format!("(text of {} bytes)", grouped(&text.len().to_string()))
        }
        Val::Text(text) => format!("\"{text}\""),
        Val::List(_) | Val::Map(_) => {
            let json = value.to_json().to_string();
            match value {
                _ if json.len() <= SHOWN_MAX => json,
                Val::List(items) => format!("(list of {})", grouped(&items.len().to_string())),
                _ => "(map)".to_owned(),
            }
        }
    }
}

/// A decimal number, its whole part in groups.
pub(super) fn grouped_decimal(decimal: f64) -> String {
    let text = shown_decimal(decimal);
    match text.split_once('.') {
        Some((whole, rest)) if is_whole(whole) => format!("{}.{rest}", grouped(whole)),
        None if is_whole(&text) => grouped(&text),
        Some(_) | None => text,
    }
}

/// Not a number with a power of ten, and not infinity.
fn is_whole(text: &str) -> bool {
    text.trim_start_matches('-').bytes().all(|byte| byte.is_ascii_digit())
}

/// `1204` as `1,204`.
fn grouped(digits: &str) -> String {
    let (sign, digits) = digits.strip_prefix('-').map_or(("", digits), |digits| ("-", digits));
    let mut text = String::from(sign);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
