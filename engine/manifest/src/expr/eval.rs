//! Evaluates a tree over a scope.
//!
//! Must not be lenient: a missing value, a wrong kind and a result that is no finite number are errors.

use super::ast::{ArithOp, CompareOp, Kind, Node, Path, Seg};
use super::errors::{EvalError, describe};
use super::ops::{self, Num, NumError};
use super::scope::{Key, Lookup, Scope, descend};
use super::{filters, tests_};
use assay_protocol::Value;
use std::borrow::Cow;
use std::ops::Range;

/// Most elements of a `range(...)`.
const MAX_RANGE: i128 = 10_000;
/// Longest text that an operator or filter makes, in bytes.
pub(super) const MAX_TEXT: usize = 16 << 20;

/// A value, or the reason why there is none.
pub(super) enum Out<'a> {
    Value(Cow<'a, Value>),
    Undefined(String),
}

/// What an expression is evaluated in.
#[derive(Clone, Copy)]
pub(super) struct Env<'a> {
    pub scope: &'a dyn Scope,
    /// The text that the tree's ranges mean.
    pub text: &'a str,
    /// Names set by the template, the innermost last.
    pub locals: &'a [(String, Value)],
}

type Evaluated<T> = Result<T, EvalError>;

impl<'a> Env<'a> {
    /// The value; undefined is an error.
    pub fn value(&self, node: &'a Node) -> Evaluated<Cow<'a, Value>> {
        match self.maybe(node)? {
            Out::Value(value) => Ok(value),
            Out::Undefined(why) => {
                let expr = node.text(self.text).to_owned();
                Err(EvalError::Undefined { expr, why, range: node.range.clone() })
            }
        }
    }

    /// The value, or why it is undefined.
    pub fn maybe(&self, node: &'a Node) -> Evaluated<Out<'a>> {
        // Every arm is a call: without optimization the frame of this function holds the temporaries of all its arms,
        // and it is on the stack once per level of the tree.
        match &node.kind {
            Kind::Path(path) => self.path(node, path),
            Kind::Get { base, seg } => self.get(base, seg),
            Kind::Ternary { cond, then, other } => self.ternary(cond, then, other.as_deref()),
            Kind::Filter(call) => filters::apply(self, node, call),
            Kind::Const(value) => Ok(Out::Value(Cow::Borrowed(value))),
            _ => self.operator(node).map(|value| Out::Value(Cow::Owned(value))),
        }
    }

    fn operator(&self, node: &'a Node) -> Evaluated<Value> {
        match &node.kind {
            Kind::Slice { base, start, stop, step } => {
                self.slice(node, base, [start.as_deref(), stop.as_deref(), step.as_deref()])
            }
            Kind::Not(inner) => self.condition(inner, "the operand of `not`").map(|flag| Value::Bool(!flag)),
            Kind::And(left, right) => self.both(left, right),
            Kind::Or(left, right) => self.either(left, right),
            Kind::Neg(inner) => self.negate(node, inner),
            Kind::Arith(op, left, right) => self.arith(node, *op, left, right),
            Kind::Concat(left, right) => self.concat(node, left, right),
            Kind::Compare { first, rest } => self.chain(first, rest).map(Value::Bool),
            Kind::Test(call) => tests_::apply(self, call).map(Value::Bool),
            Kind::Range(args) => self.range(node, args),
            Kind::List(items) => self.list(items),
            Kind::Map(entries) => self.map(entries),
            // The rest yields values that may be undefined.
            Kind::Path(_) | Kind::Get { .. } | Kind::Ternary { .. } | Kind::Filter(_) | Kind::Const(_) => {
                self.value(node).map(Cow::into_owned)
            }
        }
    }

    fn ternary(&self, cond: &'a Node, then: &'a Node, other: Option<&'a Node>) -> Evaluated<Out<'a>> {
        match (self.condition(cond, "the condition of `if`")?, other) {
            (true, _) => self.maybe(then),
            (false, Some(other)) => self.maybe(other),
            (false, None) => Ok(Out::Undefined("the condition is false and there is no `else`".to_owned())),
        }
    }

    fn both(&self, left: &'a Node, right: &'a Node) -> Evaluated<Value> {
        let what = "each side of `and`";
        Ok(Value::Bool(self.condition(left, what)? && self.condition(right, what)?))
    }

    fn either(&self, left: &'a Node, right: &'a Node) -> Evaluated<Value> {
        let what = "each side of `or`";
        Ok(Value::Bool(self.condition(left, what)? || self.condition(right, what)?))
    }

    fn negate(&self, node: &'a Node, inner: &'a Node) -> Evaluated<Value> {
        let negative = match self.number("-", inner)? {
            Num::Int(int) => Num::Int(-int),
            Num::Float(float) => Num::Float(-float),
        };
        negative.value().map_err(|error| self.no_number(error, node))
    }

    fn arith(&self, node: &'a Node, op: ArithOp, left: &'a Node, right: &'a Node) -> Evaluated<Value> {
        let (a, b) = (self.number(op.sign(), left)?, self.number(op.sign(), right)?);
        ops::arith(op, a, b).map_err(|error| self.no_number(error, node))
    }

    fn list(&self, items: &'a [Node]) -> Evaluated<Value> {
        let values = items.iter().map(|item| self.value(item).map(Cow::into_owned));
        values.collect::<Evaluated<Vec<_>>>().map(Value::Array)
    }

    /// True or false, nothing else.
    pub fn condition(&self, node: &'a Node, what: &str) -> Evaluated<bool> {
        match self.value(node)?.as_ref() {
            Value::Bool(flag) => Ok(*flag),
            other => Err(EvalError::NotABoolean {
                what: what.to_owned(),
                operand: self.quoted(node),
                found: describe(other),
                range: node.range.clone(),
            }),
        }
    }

    /// The source of a node, in backticks.
    pub fn quoted(&self, node: &Node) -> String {
        format!("`{}`", node.text(self.text))
    }

    fn path(&self, node: &'a Node, path: &'a Path) -> Evaluated<Out<'a>> {
        let keys = path.segs.iter().map(|seg| self.key(seg)).collect::<Evaluated<Vec<_>>>()?;
        let found = if path.local {
            match self.locals.iter().rev().find(|(name, _)| *name == path.root) {
                Some((_, value)) => descend(Cow::Borrowed(value), &keys, &path.root),
                None => Lookup::Undefined { why: "the template did not set it on its way here".to_owned() },
            }
        } else {
            self.scope.resolve(&path.root, &keys)
        };
        match found {
            Lookup::Value(value) => Ok(Out::Value(value)),
            Lookup::Undefined { why } => Ok(Out::Undefined(why)),
            Lookup::UnknownRoot => {
                let range = node.range.start..(node.range.start + path.root.len()).min(node.range.end);
                Err(EvalError::UnknownName { name: path.root.clone(), range })
            }
        }
    }

    fn get(&self, base: &'a Node, seg: &'a Seg) -> Evaluated<Out<'a>> {
        let key = self.key(seg)?;
        let value = match self.maybe(base)? {
            Out::Value(value) => value,
            undefined @ Out::Undefined(_) => return Ok(undefined),
        };
        Ok(match descend(value, &[key], base.text(self.text)) {
            Lookup::Value(value) => Out::Value(value),
            Lookup::Undefined { why } => Out::Undefined(why),
            Lookup::UnknownRoot => Out::Undefined("there is no such value".to_owned()),
        })
    }

    fn key(&self, seg: &'a Seg) -> Evaluated<Key<'a>> {
        let node = match seg {
            Seg::Name(name) => return Ok(Key::Name(Cow::Borrowed(name))),
            Seg::Index(index) => return Ok(Key::Index(*index)),
            Seg::Dynamic(node) => node,
        };
        let value = self.value(node)?;
        match value.as_ref() {
            Value::String(name) => Ok(Key::Name(Cow::Owned(name.clone()))),
            Value::Number(number) if number.as_i64().is_some() => {
                Ok(Key::Index(number.as_i64().unwrap_or_default()))
            }
            other => Err(self.wrong("`[]`", "text or an integer", self.quoted(node), other, &node.range)),
        }
    }

    /// A finite number for arithmetic.
    fn number(&self, sign: &str, node: &'a Node) -> Evaluated<Num> {
        let value = self.value(node)?;
        Num::of(&value).ok_or_else(|| EvalError::NotANumber {
            operator: sign.to_owned(),
            operand: self.quoted(node),
            found: describe(&value),
            range: node.range.clone(),
        })
    }

    /// The error for arithmetic that has no result.
    pub fn no_number(&self, error: NumError, node: &Node) -> EvalError {
        let (expr, range) = (node.text(self.text).to_owned(), node.range.clone());
        match error {
            NumError::NotFinite => EvalError::NotFinite { expr, range },
            NumError::ZeroDivision => EvalError::DivisionByZero { expr, range },
            NumError::Overflow => EvalError::Overflow { expr, range },
        }
    }

    /// The error for a value of the wrong kind.
    pub fn wrong(
        &self,
        what: &str,
        wants: &str,
        operand: String,
        found: &Value,
        range: &Range<usize>,
    ) -> EvalError {
        let (what, wants, found) = (what.to_owned(), wants.to_owned(), describe(found));
        EvalError::WrongKind { what, wants, operand, found, range: range.clone() }
    }

    fn chain(&self, first: &'a Node, rest: &'a [(CompareOp, Node)]) -> Evaluated<bool> {
        let (mut left, mut value) = (first, self.value(first)?);
        for (op, right) in rest {
            let next = self.value(right)?;
            if !self.compare(*op, (left, &value), (right, &next))? {
                return Ok(false);
            }
            (left, value) = (right, next);
        }
        Ok(true)
    }

    fn compare(&self, op: CompareOp, left: (&Node, &Value), right: (&Node, &Value)) -> Evaluated<bool> {
        match op {
            CompareOp::Eq => Ok(ops::equal(left.1, right.1)),
            CompareOp::Ne => Ok(!ops::equal(left.1, right.1)),
            CompareOp::In | CompareOp::NotIn => {
                let found = self.contains(op.sign(), left, right)?;
                Ok(found == (op == CompareOp::In))
            }
            CompareOp::Lt | CompareOp::Le | CompareOp::Gt | CompareOp::Ge => self.order(op, left, right),
        }
    }

    /// Order of two values, numbers only.
    pub fn order(&self, op: CompareOp, left: (&Node, &Value), right: (&Node, &Value)) -> Evaluated<bool> {
        let number = |(node, value): (&Node, &Value)| {
            Num::of(value).ok_or_else(|| EvalError::NotComparable {
                operator: op.sign().to_owned(),
                operand: self.quoted(node),
                found: describe(value),
                range: node.range.clone(),
            })
        };
        let (a, b) = (number(left)?, number(right)?);
        Ok(ops::ordered(op, a.order(b)))
    }

    /// Whether `right` contains `left`: an element of a list, a key of a map, a part of a text.
    pub fn contains(&self, sign: &str, left: (&Node, &Value), right: (&Node, &Value)) -> Evaluated<bool> {
        let what = format!("`{sign}`");
        match (left.1, right.1) {
            (needle, Value::Array(list)) => Ok(list.iter().any(|element| ops::equal(element, needle))),
            (Value::String(key), Value::Object(map)) => Ok(map.contains_key(key)),
            (Value::String(part), Value::String(text)) => Ok(text.contains(part.as_str())),
            (other, Value::Object(_) | Value::String(_)) => {
                let wants = "text in front of a map or a text";
                Err(self.wrong(&what, wants, self.quoted(left.0), other, &left.0.range))
            }
            (_, other) => {
                let wants = "a list, a map or text behind it";
                Err(self.wrong(&what, wants, self.quoted(right.0), other, &right.0.range))
            }
        }
    }

    fn concat(&self, node: &Node, left: &'a Node, right: &'a Node) -> Evaluated<Value> {
        let mut text = String::new();
        for side in [left, right] {
            match self.value(side)?.as_ref() {
                Value::String(part) => text.push_str(part),
                Value::Number(number) => text.push_str(&number.to_string()),
                other => {
                    return Err(self.wrong("`~`", "text and numbers", self.quoted(side), other, &side.range));
                }
            }
        }
        limit_text(text.len(), &node.range)?;
        Ok(Value::String(text))
    }

    fn map(&self, entries: &'a [(Node, Node)]) -> Evaluated<Value> {
        let mut map = serde_json::Map::new();
        for (key, value) in entries {
            match self.value(key)?.into_owned() {
                Value::String(name) => map.insert(name, self.value(value)?.into_owned()),
                other => {
                    return Err(self.wrong("a map", "text as key", self.quoted(key), &other, &key.range));
                }
            };
        }
        Ok(Value::Object(map))
    }

    /// An integer argument.
    pub fn integer(&self, what: &str, node: &'a Node) -> Evaluated<i64> {
        let value = self.value(node)?;
        value.as_i64().ok_or_else(|| self.wrong(what, "an integer", self.quoted(node), &value, &node.range))
    }

    fn range(&self, node: &Node, args: &'a [Node]) -> Evaluated<Value> {
        let bounds = args.iter().map(|arg| self.integer("`range`", arg)).collect::<Evaluated<Vec<_>>>()?;
        let (start, stop) = match bounds.as_slice() {
            [stop] => (0, *stop),
            [start, stop, ..] => (*start, *stop),
            [] => (0, 0),
        };
        if i128::from(stop) - i128::from(start) > MAX_RANGE {
            let message = format!("`range` makes at most {MAX_RANGE} numbers");
            return Err(EvalError::Argument { message, range: node.range.clone() });
        }
        Ok(Value::Array((start..stop).map(Value::from).collect()))
    }

    fn slice(&self, node: &Node, base: &'a Node, bounds: [Option<&'a Node>; 3]) -> Evaluated<Value> {
        let value = self.value(base)?;
        let bound = |node: Option<&'a Node>| node.map(|node| self.integer("a slice", node)).transpose();
        let (start, stop, step) = (bound(bounds[0])?, bound(bounds[1])?, bound(bounds[2])?.unwrap_or(1));
        if step == 0 {
            let message = "the step of a slice must not be 0".to_owned();
            return Err(EvalError::Argument { message, range: node.range.clone() });
        }
        match value.as_ref() {
            Value::Array(list) => {
                let picked = slice_indices(list.len(), start, stop, step);
                Ok(Value::Array(picked.into_iter().filter_map(|at| list.get(at).cloned()).collect()))
            }
            Value::String(text) => {
                let chars: Vec<char> = text.chars().collect();
                let picked = slice_indices(chars.len(), start, stop, step);
                Ok(Value::String(picked.into_iter().filter_map(|at| chars.get(at)).collect()))
            }
            other => Err(self.wrong("a slice", "a list or text", self.quoted(base), other, &base.range)),
        }
    }
}

/// # Errors
/// A text longer than [`MAX_TEXT`].
pub(super) fn limit_text(bytes: usize, range: &Range<usize>) -> Evaluated<()> {
    match bytes > MAX_TEXT {
        true => Err(EvalError::TooLarge { limit: "16 MiB", range: range.clone() }),
        false => Ok(()),
    }
}

/// The indices that Python's `[start:stop:step]` picks.
fn slice_indices(len: usize, start: Option<i64>, stop: Option<i64>, step: i64) -> Vec<usize> {
    let len = i64::try_from(len).unwrap_or(i64::MAX);
    let (low, high) = if step > 0 { (0, len) } else { (-1, len - 1) };
    let place = |bound: i64| if bound < 0 { (bound.saturating_add(len)).max(low) } else { bound.min(high) };
    let (first, last) = if step > 0 { (low, high) } else { (high, low) };
    let (mut at, end) = (start.map_or(first, place), stop.map_or(last, place));
    let mut picked = Vec::new();
    while (step > 0 && at < end) || (step < 0 && at > end) {
        picked.extend(usize::try_from(at));
        at = at.saturating_add(step);
    }
    picked
}
