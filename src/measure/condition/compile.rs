//! From text to nodes: the crate's parser, then names, functions and kinds.

use std::ops::Range;

use cel::common::ast::{CallExpr, EntryExpr, Expr, IdedExpr, LiteralValue, SelectExpr, SourceInfo, operators};
use cel::parser::{ParseErrors, Parser, PrattParser};

use super::names::nearest;
use super::node::{Compare, Comprehension, Function, Math, Node, Read};
use super::number::Number;
use super::value::Val;
use super::{ConditionError, Kind, Locals, Names, Reads};

/// Long enough for any condition that a person reads; short enough for recursion over its parts.
const LENGTH_MAX: usize = 8 * 1024;
const DEPTH_MAX: u32 = 200;

/// Resolves every name; all problems at once.
pub(super) fn compile(text: &str, locals: Locals, names: &Names<'_>) -> Result<(Node, Reads), Vec<ConditionError>> {
    if text.len() > LENGTH_MAX {
        return Err(vec![error(format!("a condition is longer than {LENGTH_MAX} bytes"), 0..text.len(), None)]);
    }
    let tree = PrattParser::new().parse(text).map_err(|errors| syntax_errors(text, &errors))?;
    let mut compiler = Compiler::new(locals, names);
    let root = compiler.condition(&tree);
    if compiler.errors.is_empty() {
        return Ok((root, compiler.reads));
    }
    // The quick parser does not say where things are, the other one does; it is needed for errors only.
    let Ok((tree, places)) = Parser::new().parse_with_source_info(text) else {
        return Err(compiler.errors.into_iter().map(|found| error(found.message, 0..text.len(), found.help)).collect());
    };
    let mut compiler = Compiler::new(locals, names);
    compiler.condition(&tree);
    let mut errors: Vec<_> = compiler
        .errors
        .into_iter()
        .map(|found| error(found.message, place(text, &places, found.at, found.path), found.help))
        .collect();
    errors.sort_by_key(|error| (error.range.start, error.range.end));
    errors.dedup();
    Err(errors)
}

fn error(message: String, range: Range<usize>, help: Option<String>) -> ConditionError {
    ConditionError { message, range, help }
}

/// A problem at a node of the tree.
struct Found {
    message: String,
    help: Option<String>,
    at: u64,
    /// The node is the beginning of a path: `probe.lag`.
    path: bool,
}

/// The bytes of a node: of the token it is known by, or of the path that begins with it.
fn place(text: &str, places: &SourceInfo, id: u64, path: bool) -> Range<usize> {
    let Some((start, stop)) = places.offset_for(id) else { return 0..text.len() };
    let boundary = |byte: u32| text.ceil_char_boundary(byte as usize);
    let (start, mut end) = (boundary(start), boundary(stop + 1));
    if path {
        let rest = &text[start..];
        end = start + rest.find(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '.'))).unwrap_or(rest.len());
    }
    if start < end { start..end } else { 0..text.len() }
}

fn syntax_errors(text: &str, errors: &ParseErrors) -> Vec<ConditionError> {
    let mut found: Vec<ConditionError> = Vec::new();
    for parse_error in &errors.errors {
        let at = byte_of(text, parse_error.pos);
        let token_end = text[at..]
            .char_indices()
            .find(|(_, c)| !(c.is_alphanumeric() || *c == '_'))
            .map_or(text.len(), |(byte, _)| at + byte);
        let end = token_end.max(text[at..].chars().next().map_or(at, |c| at + c.len_utf8()));
        let token = &text[at..end];
        let help = match token {
            "=" => Some("write `==` to compare".to_owned()),
            "and" | "AND" | "&" => Some("write `&&`".to_owned()),
            "or" | "OR" | "|" => Some("write `||`".to_owned()),
            "not" | "NOT" => Some("write `!`".to_owned()),
            _ => None,
        };
        let message = if text.trim().is_empty() {
            "the condition is empty".to_owned()
        } else if token.is_empty() {
            "the condition ends too early".to_owned()
        } else if parse_error.msg.contains("expecting <EOF>") || parse_error.msg.contains("unexpected") {
            format!("`{token}` does not belong here")
        } else if parse_error.msg.is_empty() {
            format!("`{token}` stands where `)` should")
        } else {
            let message = parse_error.msg.trim_start_matches("Syntax error: ");
            message[..1].to_lowercase() + &message[1..]
        };
        // What follows the first problem at a place is noise.
        if found.iter().all(|before| before.range.start != at) {
            found.push(error(message, at..end, help));
        }
    }
    if found.is_empty() {
        found.push(error("the condition cannot be read".to_owned(), 0..text.len(), None));
    }
    found
}

/// The byte of a line (from 1) and a byte in it (from 1), on a character boundary.
fn byte_of(text: &str, (line, column): (isize, isize)) -> usize {
    let before: usize = text.split_inclusive('\n').take(usize::try_from(line - 1).unwrap_or(0)).map(str::len).sum();
    let mut at = (before + usize::try_from(column - 1).unwrap_or(0)).min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

struct Compiler<'n> {
    locals: Locals,
    names: &'n Names<'n>,
    /// Accumulators and variables of the comprehensions around, outermost first.
    bound: Vec<String>,
    reads: Reads,
    errors: Vec<Found>,
    depth: u32,
}

impl<'n> Compiler<'n> {
    fn new(locals: Locals, names: &'n Names<'n>) -> Self {
        Self { locals, names, bound: Vec::new(), reads: Reads::default(), errors: Vec::new(), depth: 0 }
    }

    fn wrong(&mut self, at: u64, message: impl Into<String>, help: Option<String>) -> (Node, Kind) {
        self.errors.push(Found { message: message.into(), help, at, path: false });
        (Node::Constant(Val::Null), Kind::Any)
    }

    fn wrong_path(&mut self, at: u64, message: impl Into<String>, help: Option<String>) -> (Node, Kind) {
        self.errors.push(Found { message: message.into(), help, at, path: true });
        (Node::Constant(Val::Null), Kind::Any)
    }

    /// A problem with the whole of a part: a path from its beginning.
    fn wrong_part(&mut self, tree: &IdedExpr, message: impl Into<String>) {
        match Path::of(tree) {
            Some(path) => self.wrong_path(path.at, message, None),
            None => self.wrong(tree.id, message, None),
        };
    }

    fn condition(&mut self, tree: &IdedExpr) -> Node {
        let (node, kind) = self.expression(tree);
        if !matches!(kind, Kind::Bool | Kind::Any) {
            let help = match kind {
                Kind::Number => Some("compare it with something: `... < 10`".to_owned()),
                Kind::Text => Some("compare it with something: `... == \"ready\"`".to_owned()),
                _ => None,
            };
            self.wrong(u64::MAX, format!("a condition must be true or false, and this is {kind}"), help);
        }
        node
    }

    fn expression(&mut self, tree: &IdedExpr) -> (Node, Kind) {
        self.depth += 1;
        let compiled = if self.depth > DEPTH_MAX {
            self.wrong(tree.id, "the condition is nested too deeply", None)
        } else {
            self.part(tree)
        };
        self.depth -= 1;
        compiled
    }

    fn node(&mut self, tree: &IdedExpr) -> Node {
        self.expression(tree).0
    }

    fn part(&mut self, tree: &IdedExpr) -> (Node, Kind) {
        if let Some(path) = Path::of(tree) {
            return self.path(&path);
        }
        match &tree.expr {
            Expr::Literal(literal) => self.literal(tree.id, literal),
            Expr::Select(select) if select.test => self.has(tree.id, select),
            Expr::Select(select) => {
                let of = self.node(&select.operand);
                (Node::Field(Box::new(of), select.field.clone()), Kind::Any)
            }
            Expr::Call(call) => self.call(tree.id, call),
            Expr::List(list) => {
                let items = list.elements.iter().map(|item| self.node(item)).collect();
                (Node::List(items), Kind::List)
            }
            Expr::Map(map) => self.map(tree.id, map),
            Expr::Comprehension(fold) => {
                let range = self.node(&fold.iter_range);
                let (start, kind) = self.expression(&fold.accu_init);
                let around = self.bound.len();
                self.bound.push(fold.accu_var.clone());
                self.bound.push(fold.iter_var.clone());
                let condition = self.node(&fold.loop_cond);
                let step = self.node(&fold.loop_step);
                self.bound.truncate(around + 1);
                let (result, result_kind) = self.expression(&fold.result);
                self.bound.truncate(around);
                let kind = if result_kind == Kind::Any { kind } else { result_kind };
                (Node::Comprehension(Box::new(Comprehension { range, start, condition, step, result })), kind)
            }
            Expr::Struct(of) => self.wrong(tree.id, format!("`{}{{...}}` is not supported", of.type_name), None),
            // `Path::of` took every name; the parser reports what it could not read.
            Expr::Ident(_) | Expr::Unspecified => self.wrong(tree.id, "this cannot be read", None),
        }
    }

    fn literal(&mut self, at: u64, literal: &LiteralValue) -> (Node, Kind) {
        let value = match literal {
            LiteralValue::Null => Val::Null,
            LiteralValue::Boolean(is) => Val::Bool(**is),
            LiteralValue::Int(whole) => Val::whole((**whole).into()),
            LiteralValue::UInt(whole) => Val::whole((**whole).into()),
            LiteralValue::Double(decimal) => match Number::from_decimal(**decimal) {
                Some(number) => Val::Number(number),
                None => return self.wrong(at, "this is no number", None),
            },
            LiteralValue::String(text) => Val::text(text.inner()),
            LiteralValue::Bytes(_) => return self.wrong(at, "bytes are not supported; use text", None),
        };
        let kind = value.kind();
        (Node::Constant(value), kind)
    }

    fn map(&mut self, at: u64, map: &cel::common::ast::MapExpr) -> (Node, Kind) {
        let mut entries = Vec::new();
        for entry in &map.entries {
            let EntryExpr::MapEntry(entry) = &entry.expr else {
                return self.wrong(at, "this cannot be read", None);
            };
            let (key, kind) = self.expression(&entry.key);
            if !matches!(kind, Kind::Text | Kind::Any) {
                self.wrong_part(&entry.key, format!("a key of a map is text, and this is {kind}"));
            }
            entries.push((key, self.node(&entry.value)));
        }
        (Node::Map(entries), Kind::Map)
    }

    fn has(&mut self, at: u64, select: &SelectExpr) -> (Node, Kind) {
        let whole = SelectExpr { test: false, ..select.clone() };
        let whole = IdedExpr { id: at, expr: Expr::Select(whole) };
        let node = match self.expression(&whole).0 {
            Node::Field(of, field) => Node::HasField(of, field),
            read => Node::HasData(Box::new(read)),
        };
        (node, Kind::Bool)
    }

    fn call(&mut self, at: u64, call: &CallExpr) -> (Node, Kind) {
        if call.target.is_none()
            && let Some(done) = self.operator(at, call)
        {
            return done;
        }
        self.function(at, call)
    }
}

mod calls;
mod paths;
mod series;

use paths::Path;
