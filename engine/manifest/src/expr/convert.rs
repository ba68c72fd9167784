//! From minijinja's tree to ours, once per text: names, filters and tests are checked here.
//!
//! Must not evaluate anything. minijinja's ranges start at odd places (a comparison at the token before it, a filter at
//! its name), so a node's range is rebuilt from its children.

use super::ast::{ArithOp, CompareOp, Kind, Node, Path, Seg};
use super::errors::SyntaxError;
use super::guard;
use assay_protocol::Value;
use minijinja::machinery::{Span, ast, parse_expr};
use minijinja::syntax::SyntaxConfig;
use minijinja::value::ValueKind;
use std::ops::Range;

/// The roots of the language: a template must not hide one behind a name of its own.
const ROOTS: [&str; 10] =
    ["inputs", "steps", "gates", "each", "self", "step", "run", "skill", "facts", "env"];

type Converted<T> = Result<T, SyntaxError>;

/// Parses and converts a bare expression.
pub(super) fn expression(source: &str) -> Converted<Node> {
    guard::check(source, true, SyntaxConfig::default())?;
    let parsed = parse_expr(source).map_err(|error| from_parser(source, &error))?;
    Converter::new(source).node(&parsed)
}

/// The parser's complaint in our form.
pub(super) fn from_parser(source: &str, error: &minijinja::Error) -> SyntaxError {
    let message = error.detail().unwrap_or("not an expression").to_owned();
    let range = clamp(source, error.range().unwrap_or(0..source.len()));
    let help = advice(source, &range, &message);
    SyntaxError { message, range, help }
}

/// What people write who think of another language.
fn advice(source: &str, range: &Range<usize>, message: &str) -> Option<String> {
    let (before, after) = (source.get(..range.start)?, source.get(range.start..)?);
    let text = match () {
        () if after.starts_with("&&") || after.starts_with('&') => "write `and`",
        () if before.trim_end().ends_with('|') && after.starts_with('|') => "write `or`",
        () if after.starts_with("||") => "write `or`",
        () if after.starts_with('!') => "write `not`",
        () if after.starts_with('=') && !after.starts_with("==") => "write `==` to compare",
        () if after.starts_with('?') => "write `a if condition else b`",
        () if message.contains("after expression")
            && before.ends_with(|c: char| c.is_ascii_digit())
            && after.starts_with(|c: char| c.is_alphabetic()) =>
        {
            "units stand only in fields with a unit; inside expressions use seconds, bytes and fractions"
        }
        () if message.contains("end of string") => "close the quote",
        () if message.contains(", expected end of variable block") => "an expression ends with `}}`",
        () if message.starts_with("unexpected end of input, expected end of block") => {
            "each `{% for %}` and `{% if %}` is closed by its `{% end... %}`"
        }
        () if message.starts_with("unexpected end of") => "something is missing at the end of the expression",
        () if after.starts_with(|c: char| !c.is_ascii()) => {
            "names consist of letters from a to z, digits and `_`; text needs quotes"
        }
        () if message.starts_with("unknown statement") => {
            "a template has `for`, `if`, `set` and `raw`, each closed by its `end...`"
        }
        () => return None,
    };
    Some(text.to_owned())
}

fn clamp(source: &str, range: Range<usize>) -> Range<usize> {
    let mut start = range.start.min(source.len());
    while !source.is_char_boundary(start) {
        start -= 1;
    }
    let mut end = range.end.clamp(start, source.len());
    while !source.is_char_boundary(end) {
        end += 1;
    }
    start..end
}

/// Converts one text; knows which names the template itself has set so far.
pub(super) struct Converter<'s> {
    pub source: &'s str,
    pub locals: Vec<String>,
    /// How often `loop` was read, so that a loop knows whether its body does.
    pub loop_reads: usize,
}

impl<'s> Converter<'s> {
    pub fn new(source: &'s str) -> Converter<'s> {
        Converter { source, locals: Vec::new(), loop_reads: 0 }
    }

    pub fn node(&mut self, expr: &ast::Expr<'_>) -> Converted<Node> {
        let span = range_of(expr.span());
        // Every arm is a call, as in the evaluation: this function is on the stack once per level of the tree.
        match expr {
            ast::Expr::Var(var) => self.variable(var.id, span),
            ast::Expr::Const(constant) => constant_node(&constant.value, span),
            ast::Expr::Slice(slice) => self.slice(slice, span),
            ast::Expr::UnaryOp(unary) => self.unary(unary, span),
            ast::Expr::BinOp(binary) => self.binary(binary, span),
            ast::Expr::Compare(chain) => self.chain(chain, span),
            ast::Expr::IfExpr(choice) => self.choice(choice, span),
            ast::Expr::Filter(filter) => self.filter(filter, span),
            ast::Expr::Test(test) => self.test(test, span),
            ast::Expr::GetAttr(get) => self.attribute(get, span),
            ast::Expr::GetItem(get) => self.item(get, span),
            ast::Expr::Call(call) => self.call(call, span),
            ast::Expr::List(list) => self.list(&list.items, span),
            ast::Expr::Tuple(tuple) => self.list(&tuple.items, span),
            ast::Expr::Map(map) => self.map(map, span),
        }
    }

    fn attribute(&mut self, get: &ast::GetAttr<'_>, span: Range<usize>) -> Converted<Node> {
        let base = self.node(&get.expr)?;
        self.get(base, Seg::Name(get.name.to_owned()), span)
    }

    fn item(&mut self, get: &ast::GetItem<'_>, span: Range<usize>) -> Converted<Node> {
        let base = self.node(&get.expr)?;
        let key = self.node(&get.subscript_expr)?;
        self.get(base, segment(key), span)
    }

    fn list(&mut self, items: &[ast::Expr<'_>], range: Range<usize>) -> Converted<Node> {
        Ok(Node { kind: Kind::List(self.nodes(items)?), range })
    }

    fn map(&mut self, map: &ast::Map<'_>, range: Range<usize>) -> Converted<Node> {
        let (keys, values) = (self.nodes(&map.keys)?, self.nodes(&map.values)?);
        Ok(Node { kind: Kind::Map(keys.into_iter().zip(values).collect()), range })
    }

    pub fn nodes(&mut self, exprs: &[ast::Expr<'_>]) -> Converted<Vec<Node>> {
        exprs.iter().map(|expr| self.node(expr)).collect()
    }

    fn boxed(&mut self, expr: &ast::Expr<'_>) -> Converted<Box<Node>> {
        self.node(expr).map(Box::new)
    }

    fn variable(&mut self, name: &str, range: Range<usize>) -> Converted<Node> {
        if matches!(name, "null" | "nil" | "NULL" | "Null") {
            return Err(SyntaxError::new(format!("there is no `{name}`"), range).help("write `none`"));
        }
        let local = self.locals.iter().any(|known| known == name);
        self.loop_reads += usize::from(local && name == "loop");
        let path = Path { root: name.to_owned(), local, segs: Vec::new() };
        Ok(Node { kind: Kind::Path(path), range })
    }

    fn get(&mut self, base: Node, seg: Seg, span: Range<usize>) -> Converted<Node> {
        let range = self.around(base.range.start, span.end);
        let kind = match base.kind {
            Kind::Path(mut path) => {
                if let (true, Seg::Dynamic(key)) =
                    (path.root == "steps" && !path.local && path.segs.is_empty(), &seg)
                {
                    let message = "the id of a step must be written out, not computed";
                    let help = "write `steps.<id>`, or read one instance as `steps.<id>[key]`";
                    return Err(SyntaxError::new(message, key.range.clone()).help(help));
                }
                path.segs.push(seg);
                Kind::Path(path)
            }
            _ => Kind::Get { base: Box::new(base), seg },
        };
        Ok(Node { kind, range })
    }

    fn slice(&mut self, slice: &ast::Slice<'_>, span: Range<usize>) -> Converted<Node> {
        let base = self.boxed(&slice.expr)?;
        let range = self.around(base.range.start, span.end);
        let mut bound = |expr: &Option<ast::Expr<'_>>| expr.as_ref().map(|expr| self.boxed(expr)).transpose();
        let (start, stop, step) = (bound(&slice.start)?, bound(&slice.stop)?, bound(&slice.step)?);
        Ok(Node { kind: Kind::Slice { base, start, stop, step }, range })
    }

    fn unary(&mut self, unary: &ast::UnaryOp<'_>, span: Range<usize>) -> Converted<Node> {
        let inner = self.boxed(&unary.expr)?;
        let (word, kind): (&str, fn(Box<Node>) -> Kind) = match unary.op {
            ast::UnaryOpKind::Not => ("not", Kind::Not),
            ast::UnaryOpKind::Neg => ("-", Kind::Neg),
        };
        // `x is not t` and `x not in y` have no operator in front.
        let prefixed = self.source.get(span.start..).is_some_and(|text| text.starts_with(word));
        let start = if prefixed { span.start.min(inner.range.start) } else { inner.range.start };
        Ok(Node { kind: kind(inner), range: self.around(start, span.end) })
    }

    fn binary(&mut self, binary: &ast::BinOp<'_>, span: Range<usize>) -> Converted<Node> {
        let (left, right) = (self.boxed(&binary.left)?, self.boxed(&binary.right)?);
        let range = self.around(left.range.start, span.end);
        let compare = |op, first, second: Box<Node>| Kind::Compare { first, rest: vec![(op, *second)] };
        let kind = match binary.op {
            ast::BinOpKind::Eq => compare(CompareOp::Eq, left, right),
            ast::BinOpKind::Ne => compare(CompareOp::Ne, left, right),
            ast::BinOpKind::Lt => compare(CompareOp::Lt, left, right),
            ast::BinOpKind::Lte => compare(CompareOp::Le, left, right),
            ast::BinOpKind::Gt => compare(CompareOp::Gt, left, right),
            ast::BinOpKind::Gte => compare(CompareOp::Ge, left, right),
            ast::BinOpKind::In => compare(CompareOp::In, left, right),
            ast::BinOpKind::ScAnd => Kind::And(left, right),
            ast::BinOpKind::ScOr => Kind::Or(left, right),
            ast::BinOpKind::Add => Kind::Arith(ArithOp::Add, left, right),
            ast::BinOpKind::Sub => Kind::Arith(ArithOp::Sub, left, right),
            ast::BinOpKind::Mul => Kind::Arith(ArithOp::Mul, left, right),
            ast::BinOpKind::Div => Kind::Arith(ArithOp::Div, left, right),
            ast::BinOpKind::FloorDiv => Kind::Arith(ArithOp::FloorDiv, left, right),
            ast::BinOpKind::Rem => Kind::Arith(ArithOp::Rem, left, right),
            ast::BinOpKind::Pow => Kind::Arith(ArithOp::Pow, left, right),
            ast::BinOpKind::Concat => Kind::Concat(left, right),
        };
        Ok(Node { kind, range })
    }

    fn chain(&mut self, chain: &ast::Compare<'_>, span: Range<usize>) -> Converted<Node> {
        let first = self.boxed(&chain.expr)?;
        let range = self.around(first.range.start, span.end);
        let mut rest = Vec::with_capacity(chain.ops.len());
        for link in &chain.ops {
            let op = match link.op {
                ast::CompareOpKind::Eq => CompareOp::Eq,
                ast::CompareOpKind::Ne => CompareOp::Ne,
                ast::CompareOpKind::Lt => CompareOp::Lt,
                ast::CompareOpKind::Lte => CompareOp::Le,
                ast::CompareOpKind::Gt => CompareOp::Gt,
                ast::CompareOpKind::Gte => CompareOp::Ge,
                ast::CompareOpKind::In => CompareOp::In,
                ast::CompareOpKind::NotIn => CompareOp::NotIn,
            };
            rest.push((op, self.node(&link.expr)?));
        }
        Ok(Node { kind: Kind::Compare { first, rest }, range })
    }

    fn choice(&mut self, choice: &ast::IfExpr<'_>, span: Range<usize>) -> Converted<Node> {
        let then = self.boxed(&choice.true_expr)?;
        let cond = self.boxed(&choice.test_expr)?;
        let other = choice.false_expr.as_ref().map(|expr| self.boxed(expr)).transpose()?;
        let range = self.around(then.range.start, span.end);
        Ok(Node { kind: Kind::Ternary { cond, then, other }, range })
    }

    /// A name that a `for` or `set` may use.
    pub fn check_new_name(&self, name: &str, range: Range<usize>) -> Converted<()> {
        if !ROOTS.contains(&name) {
            return Ok(());
        }
        let message = format!("`{name}` has a meaning of its own and cannot be set");
        Err(SyntaxError::new(message, range).help("choose another name"))
    }

    /// The range from a first child's start to `end`, widened so that brackets are balanced: the tree does not keep
    /// the parentheses around a child.
    pub fn around(&self, start: usize, end: usize) -> Range<usize> {
        let mut start = start.min(end);
        if !self.source.get(..start).is_some_and(|text| text.trim_end().ends_with('(')) {
            return clamp(self.source, start..end);
        }
        for _ in 0..unopened(self.source.get(start..end).unwrap_or_default()) {
            let Some(before) = self.source.get(..start).map(str::trim_end) else { break };
            if !before.ends_with('(') {
                break;
            }
            start = before.len() - 1;
        }
        clamp(self.source, start..end)
    }
}

/// How many closing brackets have no opening one; text in quotes does not count.
fn unopened(text: &str) -> usize {
    let (mut open, mut missing) = (0_usize, 0);
    let mut quote = None;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (quote, c) {
            (Some(_), '\\') => {
                chars.next();
            }
            (Some(end), c) if c == end => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => quote = Some(c),
            (None, '(') => open += 1,
            (None, ')') if open == 0 => missing += 1,
            (None, ')') => open -= 1,
            _ => {}
        }
    }
    missing
}

pub(super) fn range_of(span: Span) -> Range<usize> {
    let start = span.start_offset as usize;
    start..(span.end_offset as usize).max(start)
}

/// A key that is known now, or one to be computed.
fn segment(key: Node) -> Seg {
    match &key.kind {
        Kind::Const(Value::String(name)) => Seg::Name(name.clone()),
        Kind::Const(Value::Number(number)) if number.as_i64().is_some() => {
            Seg::Index(number.as_i64().unwrap_or_default())
        }
        Kind::Neg(inner) => match &inner.kind {
            Kind::Const(Value::Number(number)) if number.as_i64().is_some() => {
                Seg::Index(-number.as_i64().unwrap_or_default())
            }
            _ => Seg::Dynamic(Box::new(key)),
        },
        _ => Seg::Dynamic(Box::new(key)),
    }
}

fn constant_node(value: &minijinja::Value, range: Range<usize>) -> Converted<Node> {
    literal(value, &range).map(|value| Node { kind: Kind::Const(value), range })
}

fn literal(value: &minijinja::Value, range: &Range<usize>) -> Converted<Value> {
    let converted = match value.kind() {
        ValueKind::None => Some(Value::Null),
        ValueKind::Bool => Some(Value::Bool(value.is_true())),
        ValueKind::String => value.as_str().map(Value::from),
        ValueKind::Number if value.is_integer() => {
            let small = i64::try_from(value.clone()).ok().map(Value::from);
            small.or_else(|| u64::try_from(value.clone()).ok().map(Value::from))
        }
        // A literal such as 1e999 is infinite: not a number that JSON, or a gate, can hold.
        ValueKind::Number => {
            f64::try_from(value.clone()).ok().and_then(serde_json::Number::from_f64).map(Value::Number)
        }
        _ => None,
    };
    converted.ok_or_else(|| SyntaxError::new("the number is too large", range.clone()))
}
