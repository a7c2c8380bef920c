//! Operators and functions, and which kinds they take.

use super::super::node::Read;
use super::paths::Path;
use super::series::ANSWERS;
use super::{
    CallExpr, Compare, Compiler, Expr, Function, IdedExpr, Kind, LiteralValue, Math, Node, nearest, operators,
};

/// Every function: name, what it is, how many arguments (the value it is called on among them), and whether it can be
/// called on a value. `max` and `min` take any number.
#[rustfmt::skip]
const FUNCTIONS: &[(&str, Function, usize, bool)] = &[
    ("max",        Function::Max,        1, false),
    ("min",        Function::Min,        1, false),
    ("abs",        Function::Abs,        1, false),
    ("round",      Function::Round,      1, false),
    ("size",       Function::Size,       1, true),
    ("contains",   Function::Contains,   2, true),
    ("startsWith", Function::StartsWith, 2, true),
    ("endsWith",   Function::EndsWith,   2, true),
    ("matches",    Function::Matches,    2, true),
    ("int",        Function::Int,        1, false),
    ("uint",       Function::Int,        1, false),
    ("double",     Function::Double,     1, false),
    ("string",     Function::String,     1, false),
    ("bool",       Function::Bool,       1, false),
];

impl Function {
    const fn takes(self) -> Kind {
        match self {
            Self::Abs | Self::Round => Kind::Number,
            Self::Contains | Self::StartsWith | Self::EndsWith | Self::Matches => Kind::Text,
            Self::Max | Self::Min | Self::Size | Self::Int | Self::Double | Self::String | Self::Bool => Kind::Any,
        }
    }

    const fn gives(self) -> Kind {
        match self {
            Self::Max | Self::Min => Kind::Any,
            Self::Abs | Self::Round | Self::Size | Self::Int | Self::Double => Kind::Number,
            Self::Contains | Self::StartsWith | Self::EndsWith | Self::Matches | Self::Bool => Kind::Bool,
            Self::String => Kind::Text,
        }
    }
}

impl Compiler<'_> {
    /// `None`: no operator.
    pub(super) fn operator(&mut self, at: u64, call: &CallExpr) -> Option<(Node, Kind)> {
        let compare = match call.func_name.as_str() {
            operators::EQUALS => Some(Compare::Equal),
            operators::NOT_EQUALS => Some(Compare::NotEqual),
            operators::LESS => Some(Compare::Less),
            operators::LESS_EQUALS => Some(Compare::LessOrEqual),
            operators::GREATER => Some(Compare::Greater),
            operators::GREATER_EQUALS => Some(Compare::GreaterOrEqual),
            _ => None,
        };
        let math = match call.func_name.as_str() {
            operators::ADD => Some(Math::Add),
            operators::SUBSTRACT => Some(Math::Subtract),
            operators::MULTIPLY => Some(Math::Multiply),
            operators::DIVIDE => Some(Math::Divide),
            operators::MODULO => Some(Math::Rest),
            _ => None,
        };
        match (call.func_name.as_str(), call.args.as_slice()) {
            (_, [a, b]) if compare.is_some() => compare.map(|how| self.comparison(at, how, a, b)),
            (_, [a, b]) if math.is_some() => math.map(|math| self.math(at, math, a, b)),
            (operators::LOGICAL_AND, [a, b]) => {
                let (a, b) = (self.truth(a, "&&"), self.truth(b, "&&"));
                Some((Node::And(Box::new(a), Box::new(b)), Kind::Bool))
            }
            (operators::LOGICAL_OR, [a, b]) => {
                let (a, b) = (self.truth(a, "||"), self.truth(b, "||"));
                Some((Node::Or(Box::new(a), Box::new(b)), Kind::Bool))
            }
            (operators::LOGICAL_NOT, [of]) => Some((Node::Not(Box::new(self.truth(of, "!"))), Kind::Bool)),
            (operators::NOT_STRICTLY_FALSE, [of]) => Some((Node::NotFalse(Box::new(self.node(of))), Kind::Bool)),
            (operators::NEGATE, [of]) => {
                let of = self.argument(of, Kind::Number, "-");
                Some((Node::Negate(Box::new(of)), Kind::Number))
            }
            (operators::CONDITIONAL, [condition, yes, no]) => {
                let condition = self.truth(condition, "?");
                let ((yes, yes_kind), (no, no_kind)) = (self.expression(yes), self.expression(no));
                let kind = if yes_kind == no_kind { yes_kind } else { Kind::Any };
                Some((Node::Choice(Box::new([condition, yes, no])), kind))
            }
            (operators::IN, [item, list]) => {
                let item = self.node(item);
                let (list, kind) = self.expression(list);
                if !matches!(kind, Kind::Any | Kind::List | Kind::Map) {
                    self.wrong(at, format!("`in` needs a list or a map on its right, not {kind}"), None);
                }
                Some((Node::In(Box::new([item, list])), Kind::Bool))
            }
            (operators::INDEX, [of, index]) => {
                let (of, index) = (self.node(of), self.node(index));
                Some((Node::Index(Box::new(of), Box::new(index)), Kind::Any))
            }
            _ => None,
        }
    }

    fn comparison(&mut self, at: u64, how: Compare, a: &IdedExpr, b: &IdedExpr) -> (Node, Kind) {
        let ((a, a_kind), (b, b_kind)) = (self.expression(a), self.expression(b));
        let known = a_kind != Kind::Any && b_kind != Kind::Any;
        let has_order = |kind| matches!(kind, Kind::Any | Kind::Bool | Kind::Number | Kind::Text);
        match how {
            Compare::Equal | Compare::NotEqual => {
                if known && a_kind != b_kind && a_kind != Kind::Null && b_kind != Kind::Null {
                    self.wrong(at, format!("{a_kind} is never equal to {b_kind}"), None);
                }
            }
            Compare::Less | Compare::LessOrEqual | Compare::Greater | Compare::GreaterOrEqual => {
                if known && a_kind != b_kind || !has_order(a_kind) || !has_order(b_kind) {
                    self.wrong(at, format!("`{}` cannot compare {a_kind} with {b_kind}", how.sign()), None);
                }
            }
        }
        // A misspelt word would never come true, and nobody would know why.
        for (read, constant) in [(&a, &b), (&b, &a)] {
            let (what, words): (&str, &[&str]) = match read {
                Node::Read(Read::Outcome(_)) => ("outcome", &OUTCOMES),
                Node::Read(Read::Judged(_)) => ("answer of `judge`", &ANSWERS),
                _ => continue,
            };
            if let Node::Constant(super::Val::Text(word)) = constant
                && !words.contains(&&**word)
            {
                let help = nearest(word, words.iter().copied())
                    .map_or_else(|| format!("one of {}", words.join(", ")), |word| format!("did you mean `{word}`?"));
                self.wrong(at, format!("there is no {what} `{word}`"), Some(help));
            }
        }
        (Node::Compare(how, Box::new([a, b])), Kind::Bool)
    }

    fn math(&mut self, at: u64, math: Math, a: &IdedExpr, b: &IdedExpr) -> (Node, Kind) {
        // What the parser makes of `map` and `filter`; no name of a runbook has an `@`. A list grows in place.
        let accumulates = matches!(&a.expr, Expr::Ident(name) if name.starts_with('@'));
        let ((mut a, a_kind), (b, b_kind)) = (self.expression(a), self.expression(b));
        if accumulates && let Node::Bound(place) = a {
            a = Node::Accumulator(place);
        }
        let takes = |kind| match math {
            Math::Add => matches!(kind, Kind::Any | Kind::Number | Kind::Text | Kind::List),
            Math::Subtract | Math::Multiply | Math::Divide | Math::Rest => matches!(kind, Kind::Any | Kind::Number),
        };
        let known = a_kind != Kind::Any && b_kind != Kind::Any;
        if !takes(a_kind) || !takes(b_kind) || known && a_kind != b_kind {
            self.wrong(at, format!("`{}` does not take {a_kind} and {b_kind}", math.sign()), None);
        }
        let kind = match math {
            Math::Add if a_kind == Kind::Any => b_kind,
            Math::Add => a_kind,
            Math::Subtract | Math::Multiply | Math::Divide | Math::Rest => Kind::Number,
        };
        (Node::Math(math, Box::new([a, b])), kind)
    }

    fn truth(&mut self, tree: &IdedExpr, operator: &str) -> Node {
        self.argument(tree, Kind::Bool, operator)
    }

    fn argument(&mut self, tree: &IdedExpr, wanted: Kind, of: &str) -> Node {
        let (node, kind) = self.expression(tree);
        if kind != Kind::Any && wanted != Kind::Any && kind != wanted {
            self.wrong_part(tree, format!("`{of}` needs {wanted}, and this is {kind}"));
        }
        node
    }

    pub(super) fn function(&mut self, at: u64, call: &CallExpr) -> (Node, Kind) {
        let name = call.func_name.as_str();
        if matches!(name, "max_by" | "min_by") {
            return self.best(at, call);
        }
        if name == "judge" {
            return self.judgement(at, call);
        }
        if let Some(path) = call.target.as_deref().and_then(Path::of)
            && path.begins_with("series")
        {
            return self.series(at, &path, call);
        }
        let Some((_, function, count, on_value)) = FUNCTIONS.iter().copied().find(|(known, ..)| *known == name) else {
            // What it is called on may be wrong for a reason of its own: `prob.lag.avg("1m")`.
            let before = self.errors.len();
            if let Some(target) = &call.target {
                self.node(target);
            }
            if self.errors.len() > before {
                return (Node::Constant(super::Val::Null), Kind::Any);
            }
            let known = FUNCTIONS.iter().map(|(name, ..)| *name);
            let macros = ["all", "exists", "exists_one", "map", "filter", "has", "max_by", "min_by", "judge"];
            let help = nearest(name, known.chain(macros)).map(|name| format!("did you mean `{name}`?"));
            let message = if macros.contains(&name) {
                format!("`{name}` is not used like this")
            } else {
                format!("there is no function `{name}`")
            };
            return self.wrong(at, message, help);
        };
        if call.target.is_some() && !on_value {
            return self.wrong(at, format!("`{name}` is not called on a value"), Some(format!("write `{name}(...)`")));
        }
        let arguments: Vec<&IdedExpr> = call.target.as_deref().into_iter().chain(&call.args).collect();
        let any_number = matches!(function, Function::Max | Function::Min);
        if arguments.len() != count && !(any_number && arguments.len() > count) {
            let wanted = count - usize::from(call.target.is_some());
            let s = if wanted == 1 { "" } else { "s" };
            return self.wrong(
                at,
                format!("`{name}` needs {wanted} argument{s}, and this has {}", call.args.len()),
                None,
            );
        }
        if function == Function::Matches
            && let Expr::Literal(LiteralValue::String(pattern)) = &arguments[1].expr
        {
            let text = self.argument(arguments[0], Kind::Text, name);
            return match regex::Regex::new(pattern.inner()) {
                Ok(pattern) => (Node::Matches(Box::new(text), pattern), Kind::Bool),
                Err(_) => self.wrong(arguments[1].id, "this is no regular expression", None),
            };
        }
        let mut kinds = Vec::new();
        let mut nodes = Vec::new();
        for argument in arguments {
            let (node, kind) = self.expression(argument);
            let takes = function.takes();
            if kind != Kind::Any && takes != Kind::Any && kind != takes {
                self.wrong_part(argument, format!("`{name}` needs {takes}, and this is {kind}"));
            }
            kinds.push(kind);
            nodes.push(node);
        }
        let kind = match kinds.as_slice() {
            [first, rest @ ..] if any_number && *first != Kind::List && rest.iter().all(|kind| kind == first) => *first,
            _ => function.gives(),
        };
        (Node::Call(function, nodes), kind)
    }

    /// `list.max_by(x, key)` or `max_by(list, x, key)`: the item whose key is the largest.
    fn best(&mut self, at: u64, call: &CallExpr) -> (Node, Kind) {
        let arguments: Vec<&IdedExpr> = call.target.as_deref().into_iter().chain(&call.args).collect();
        let name = call.func_name.as_str();
        let [list, variable, key] = arguments.as_slice() else {
            let help = Some(format!("write `list.{name}(x, x.key)`"));
            return self.wrong(at, format!("`{name}` needs a list, a variable and a key"), help);
        };
        let Expr::Ident(variable) = &variable.expr else {
            return self.wrong(at, format!("the variable of `{name}` must be a simple name"), None);
        };
        let list = self.argument(list, Kind::List, name);
        self.bound.push(variable.clone());
        let key = self.node(key);
        self.bound.pop();
        (Node::Best { max: name == "max_by", list: Box::new(list), key: Box::new(key) }, Kind::Any)
    }
}

const OUTCOMES: [&str; 9] =
    ["pending", "running", "done", "found", "skipped", "tolerated", "failed", "unknown", "undone"];
