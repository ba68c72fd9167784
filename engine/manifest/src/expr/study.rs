//! What can be said about an expression before anything ran: what its value can be, operands of the wrong kind, and
//! comparisons whose answer is known already.
//!
//! Must not evaluate references: it knows of them only what it is told. It says nothing where it is not sure.

use super::ast::{CompareOp, FilterCall, Kind, Node, TestCall};
use super::filters::Filter;
use super::kinds::{Kinds, Known};
use super::refs::Segment;
use super::tests_::Test;
use super::{Expr, ast, ops};
use assay_diagnostics::did_you_mean;
use assay_protocol::Value;
use std::ops::Range;

/// What is known about what a path reads: its root, and the rest of the path.
pub type Scope<'k> = &'k dyn Fn(&str, &[Segment]) -> Known;

/// Something sure about a part of an expression.
#[derive(Debug, Clone, PartialEq)]
pub struct Clue {
    /// Bytes of the text that the expression was parsed from.
    pub range: Range<usize>,
    /// What it is.
    pub what: What,
}

/// What a clue says.
#[derive(Debug, Clone, PartialEq)]
pub enum What {
    /// An operand can never be of the kind that its operator takes.
    WrongKind {
        /// The operator or filter.
        operator: &'static str,
        /// What it takes.
        wants: Kinds,
        /// What the operand is.
        found: Kinds,
    },
    /// A comparison whose answer is the same whatever happens.
    Decided {
        /// The answer.
        answer: bool,
        /// Why, one sentence.
        why: String,
        /// The word that was probably meant, with its place.
        near: Option<(String, Range<usize>)>,
    },
}

/// What is known about an expression.
#[derive(Debug, Clone, PartialEq)]
pub struct Study {
    /// What its value can be.
    pub value: Known,
    /// What is sure about its parts, in the order of the text.
    pub clues: Vec<Clue>,
}

impl Expr {
    /// Looks at the expression, knowing what `scope` tells about the paths in it.
    pub fn study(&self, scope: Scope<'_>) -> Study {
        let mut walk = Walk { text: &self.text, scope, clues: Vec::new() };
        let value = walk.node(&self.node);
        walk.clues.sort_by_key(|clue| (clue.range.start, clue.range.end));
        Study { value, clues: walk.clues }
    }
}

/// Pairs of values that are compared at most.
const MOST_PAIRS: usize = 4_096;
/// Values that a message lists at most.
const MOST_SHOWN: usize = 12;

/// The answer of a comparison, why, and the word that was probably meant with its place.
type Reason = (bool, String, Option<(String, Range<usize>)>);

struct Walk<'w> {
    text: &'w str,
    scope: Scope<'w>,
    clues: Vec<Clue>,
}

impl Walk<'_> {
    fn node(&mut self, node: &Node) -> Known {
        match &node.kind {
            Kind::Const(value) => Known::one_of(vec![value.clone()]),
            Kind::Path(path) => self.path(path),
            Kind::Get { base, .. } => {
                self.node(base);
                Known::any()
            }
            Kind::Slice { base, .. } => {
                let known = self.node(base);
                Known::of(known.kinds.and(Kinds::TEXT.or(Kinds::LIST)))
            }
            Kind::Not(inner) => self.not(node, inner),
            Kind::Neg(inner) => {
                let known = self.wants(inner, "-", Kinds::NUMBER);
                Known { least: -known.most, most: -known.least, ..Known::of(Kinds::NUMBER) }
            }
            Kind::And(left, right) => self.both(left, right, "and"),
            Kind::Or(left, right) => self.both(left, right, "or"),
            Kind::Arith(op, left, right) => self.arith(*op, left, right),
            Kind::Concat(left, right) => {
                let takes = Kinds::TEXT.or(Kinds::NUMBER);
                self.wants(left, "~", takes);
                self.wants(right, "~", takes);
                Known::of(Kinds::TEXT)
            }
            Kind::Compare { first, rest } => self.chain(node, first, rest),
            Kind::Ternary { cond, then, other } => {
                self.wants(cond, "if", Kinds::BOOL);
                let then = self.node(then);
                other.as_ref().map_or_else(Known::any, |other| then.or(&self.node(other)))
            }
            Kind::Filter(call) => self.filter(call),
            Kind::Test(call) => self.test(call),
            Kind::Range(items) => {
                items.iter().for_each(|item| _ = self.wants(item, "range", Kinds::NUMBER));
                Known::of(Kinds::LIST)
            }
            Kind::List(items) => self.list(items),
            Kind::Map(entries) => {
                entries.iter().for_each(|(_, value)| _ = self.node(value));
                Known::of(Kinds::MAP)
            }
        }
    }

    fn not(&mut self, node: &Node, inner: &Node) -> Known {
        self.wants(inner, "not", Kinds::BOOL);
        // `not a == b` and `a not in b` are read as one: what is said about the comparison is turned round.
        let single = matches!(&inner.kind, Kind::Compare { rest, .. } if rest.len() == 1);
        if let Some(Clue { range, what: What::Decided { answer, .. } }) = self.clues.last_mut()
            && single
            && *range == inner.range
        {
            *range = node.range.clone();
            *answer = !*answer;
        }
        Known::of(Kinds::BOOL)
    }

    fn path(&mut self, path: &ast::Path) -> Known {
        let segment = |seg: &ast::Seg| match seg {
            ast::Seg::Name(name) => Segment::Name(name.clone()),
            ast::Seg::Index(index) => Segment::Index(*index),
            ast::Seg::Dynamic(_) => Segment::Dynamic,
        };
        if path.local {
            return Known::any();
        }
        let segments: Vec<Segment> = path.segs.iter().map(segment).collect();
        (self.scope)(&path.root, &segments)
    }

    /// An operand that must be of one of these kinds.
    fn wants(&mut self, node: &Node, operator: &'static str, wants: Kinds) -> Known {
        let known = self.node(node);
        self.check(node, &known, operator, wants);
        known
    }

    fn check(&mut self, node: &Node, known: &Known, operator: &'static str, wants: Kinds) {
        if !known.kinds.meets(wants) {
            let what = What::WrongKind { operator, wants, found: known.kinds };
            self.clues.push(Clue { range: node.range.clone(), what });
        }
    }

    fn both(&mut self, left: &Node, right: &Node, operator: &'static str) -> Known {
        self.wants(left, operator, Kinds::BOOL);
        self.wants(right, operator, Kinds::BOOL);
        Known::of(Kinds::BOOL)
    }

    fn arith(&mut self, op: ast::ArithOp, left: &Node, right: &Node) -> Known {
        let (a, b) =
            (self.wants(left, op.sign(), Kinds::NUMBER), self.wants(right, op.sign(), Kinds::NUMBER));
        let folded = a.single().and_then(ops::Num::of).zip(b.single().and_then(ops::Num::of));
        match folded.and_then(|(a, b)| ops::arith(op, a, b).ok()) {
            Some(value) => Known::one_of(vec![value]),
            None => Known::of(Kinds::NUMBER),
        }
    }

    fn list(&mut self, items: &[Node]) -> Known {
        let known: Vec<Known> = items.iter().map(|item| self.node(item)).collect();
        let single = |known: &Known| known.single().cloned();
        match known.iter().map(single).collect::<Option<Vec<Value>>>() {
            Some(values) => Known::one_of(vec![Value::Array(values)]),
            None => Known::of(Kinds::LIST),
        }
    }

    fn chain(&mut self, node: &Node, first: &Node, rest: &[(CompareOp, Node)]) -> Known {
        let mut left = (first, self.node(first));
        for (op, right) in rest {
            let right = (right, self.node(right));
            let order = matches!(op, CompareOp::Lt | CompareOp::Le | CompareOp::Gt | CompareOp::Ge);
            if order {
                self.check(left.0, &left.1, op.sign(), Kinds::NUMBER);
                self.check(right.0, &right.1, op.sign(), Kinds::NUMBER);
            }
            let decided = match order {
                true if left.1.kinds.and(right.1.kinds) != Kinds::NUMBER => None,
                true => self.ordered(*op, (left.0, &left.1), (right.0, &right.1)),
                false => self.equal(*op, (left.0, &left.1), (right.0, &right.1)),
            };
            if let Some(what) = decided {
                let range =
                    if rest.len() == 1 { node.range.clone() } else { left.0.range.start..right.0.range.end };
                self.clues.push(Clue { range, what });
            }
            left = right;
        }
        Known::of(Kinds::BOOL)
    }

    fn ordered(
        &self,
        op: CompareOp,
        (a, left): (&Node, &Known),
        (b, right): (&Node, &Known),
    ) -> Option<What> {
        // Bounds of a schema may be exclusive: only what holds for both readings is said.
        let (below, above) = (left.most < right.least, left.least > right.most);
        let answer = match op {
            CompareOp::Lt | CompareOp::Le if below => true,
            CompareOp::Lt | CompareOp::Le if above => false,
            CompareOp::Gt | CompareOp::Ge if above => true,
            CompareOp::Gt | CompareOp::Ge if below => false,
            CompareOp::Le if touching(left.most, right.least) => true,
            CompareOp::Gt if touching(left.most, right.least) => false,
            CompareOp::Ge if touching(left.least, right.most) => true,
            CompareOp::Lt if touching(left.least, right.most) => false,
            _ => return None,
        };
        let why = match (self.bounds(a, left), self.bounds(b, right)) {
            (Some(one), Some(other)) => format!("{one}, and {other}"),
            (one, other) => one.or(other).unwrap_or_else(|| "both sides are constant".to_owned()),
        };
        Some(What::Decided { answer, why, near: None })
    }

    /// A value's bounds in words; nothing for a literal.
    fn bounds(&self, node: &Node, known: &Known) -> Option<String> {
        let text = node.text(self.text);
        if matches!(node.kind, Kind::Const(_)) {
            return None;
        }
        Some(match (known.least.is_finite(), known.most.is_finite()) {
            (true, true) if known.least == known.most => format!("`{text}` is {}", known.least),
            (true, true) => format!("`{text}` lies between {} and {}", known.least, known.most),
            (true, false) => format!("`{text}` is at least {}", known.least),
            (false, true) => format!("`{text}` is at most {}", known.most),
            (false, false) => return None,
        })
    }

    fn equal(&self, op: CompareOp, left: (&Node, &Known), right: (&Node, &Known)) -> Option<What> {
        let negated = matches!(op, CompareOp::Ne | CompareOp::NotIn);
        let inside = matches!(op, CompareOp::In | CompareOp::NotIn);
        let (same, why, near) = if inside {
            let list = right.1.single()?.as_array()?;
            let listed = Known::one_of(list.clone());
            let never = "is none of these";
            match list.is_empty() {
                true => (false, "the list is empty".to_owned(), None),
                false => self.never_equal(left, (right.0, &listed), never)?,
            }
        } else {
            match (left.1.single(), right.1.single()) {
                (Some(a), Some(b)) => (ops::equal(a, b), "both sides are constant".to_owned(), None),
                _ => self.never_equal(left, right, "is never that")?,
            }
        };
        Some(What::Decided { answer: same != negated, why, near })
    }

    /// Why the two can never be equal, with the word that was probably meant.
    fn never_equal(
        &self,
        (a, left): (&Node, &Known),
        (b, right): (&Node, &Known),
        never: &str,
    ) -> Option<Reason> {
        let (one, other) = (a.text(self.text), b.text(self.text));
        if !left.kinds.meets(right.kinds) {
            let why = format!("`{one}` is {}, `{other}` {}", left.kinds.words(), right.kinds.words());
            return Some((false, why, None));
        }
        if left.kinds == Kinds::NUMBER && right.kinds == Kinds::NUMBER {
            let apart = left.most < right.least || left.least > right.most;
            return apart.then(|| {
                let bounds = self.bounds(a, left).or_else(|| self.bounds(b, right));
                (false, bounds.unwrap_or_default(), None)
            });
        }
        let (known, words) = (left.values.as_ref()?, right.values.as_ref()?);
        // A long list is no list of words, and comparing each with each takes time.
        if known.len() * words.len() > MOST_PAIRS {
            return None;
        }
        if known.iter().any(|value| words.iter().any(|word| ops::equal(value, word))) {
            return None;
        }
        // The side that is written out is the one that may be misspelled.
        let (path, path_values, written, word) = match (&a.kind, &b.kind) {
            (Kind::Const(_), Kind::Const(_)) => return None,
            (Kind::Const(_), _) => (other, right, a, left),
            _ => (one, left, b, right),
        };
        let values = path_values.values.as_deref()?;
        let mut list = values.iter().take(MOST_SHOWN).map(shown).collect::<Vec<_>>().join(", ");
        if values.len() > MOST_SHOWN {
            list.push_str(", ...");
        }
        let why = format!("`{path}` {never}: it is one of {list}");
        let near =
            path_values.only_words().zip(word.single().and_then(Value::as_str)).and_then(|(words, wrong)| {
                let near = did_you_mean(wrong, words)?;
                matches!(written.kind, Kind::Const(_)).then(|| (near.to_owned(), written.range.clone()))
            });
        Some((false, why, near))
    }

    fn filter(&mut self, call: &FilterCall) -> Known {
        let base = self.node(&call.base);
        let args: Vec<Known> = call.args.iter().map(|arg| self.node(arg)).collect();
        let (wants, gives) = match call.filter {
            Filter::Default => {
                let base = Known { kinds: base.kinds.without(Kinds::NULL), ..base };
                return args.first().map_or_else(Known::any, |other| base.or(other));
            }
            Filter::Round | Filter::Abs => (Kinds::NUMBER, Kinds::NUMBER),
            Filter::Int | Filter::Float => (Kinds::NUMBER.or(Kinds::TEXT), Kinds::NUMBER),
            Filter::Length => (Kinds::TEXT.or(Kinds::LIST).or(Kinds::MAP), Kinds::NUMBER),
            Filter::Lower
            | Filter::Upper
            | Filter::Trim
            | Filter::Basename
            | Filter::Dirname
            | Filter::Replace => (Kinds::TEXT, Kinds::TEXT),
            Filter::Split => (Kinds::TEXT, Kinds::LIST),
            Filter::Sum => (Kinds::LIST, Kinds::NUMBER),
            Filter::Join => (Kinds::LIST, Kinds::TEXT),
            Filter::Sort | Filter::Unique | Filter::Map | Filter::SelectAttr | Filter::RejectAttr => {
                (Kinds::LIST, Kinds::LIST)
            }
            Filter::Min | Filter::Max => (Kinds::LIST, Kinds::ANY),
            Filter::ToJson | Filter::String => (Kinds::ANY, Kinds::TEXT),
            _ => (Kinds::ANY, Kinds::ANY),
        };
        let name = super::filters::FILTERS.iter().find(|spec| spec.filter == call.filter);
        self.check(&call.base, &base, name.map_or("|", |spec| spec.name), wants);
        match call.filter {
            Filter::Length => Known::at_least(0.0),
            _ => Known::of(gives),
        }
    }

    fn test(&mut self, call: &TestCall) -> Known {
        let base = self.node(&call.base);
        call.args.iter().for_each(|arg| _ = self.node(arg));
        if matches!(call.test, Test::Odd | Test::Even) {
            self.check(&call.base, &base, "is", Kinds::NUMBER);
        }
        Known::of(Kinds::BOOL)
    }
}

/// Equal and finite.
fn touching(a: f64, b: f64) -> bool {
    a.is_finite() && a == b
}

fn shown(value: &Value) -> String {
    value.as_str().map_or_else(|| format!("`{value}`"), |text| format!("`{text}`"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn study(text: &str) -> Vec<(String, String)> {
        let scope = |_: &str, path: &[Segment]| match path {
            [Segment::Name(name)] => match name.as_str() {
                "n" => Known::of_schema(&json!({"type": "integer", "minimum": 10})),
                "t" => Known::of(Kinds::TEXT),
                "flag" => Known::of(Kinds::BOOL),
                "mode" => Known::words(["fast", "slow"]),
                _ => Known::any(),
            },
            _ => Known::any(),
        };
        let expr = Expr::parse(text).expect("an expression");
        let said = |clue: Clue| {
            let what = match clue.what {
                What::WrongKind { operator, found, .. } => format!("{operator} takes no {}", found.words()),
                What::Decided { answer, near, .. } => {
                    format!("{answer}{}", near.map(|(word, _)| format!(" {word}")).unwrap_or_default())
                }
            };
            (text[clue.range].to_owned(), what)
        };
        expr.study(&scope).clues.into_iter().map(said).collect()
    }

    fn one(text: &str, range: &str, what: &str) {
        assert_eq!(study(text), [(range.to_owned(), what.to_owned())], "{text}");
    }

    #[test]
    fn what_is_decided_already_is_found() {
        one("i.n < 5", "i.n < 5", "false");
        one("i.n >= 10 and i.x", "i.n >= 10", "true");
        one("i.n < 10", "i.n < 10", "false");
        one("i.mode == 'fats'", "i.mode == 'fats'", "false fast");
        one("'quick' != i.mode", "'quick' != i.mode", "true");
        one("i.mode in ['quick', 'slw']", "i.mode in ['quick', 'slw']", "false");
        one("i.n == '10'", "i.n == '10'", "false");
        one("1 + 1 == 2", "1 + 1 == 2", "true");
        one("not i.mode == i.n", "not i.mode == i.n", "true");
        one("i.mode not in ['a']", "i.mode not in ['a']", "true");
    }

    #[test]
    fn operands_of_the_wrong_kind_are_found() {
        one("i.t < 3", "i.t", "< takes no text");
        one("i.flag and i.t", "i.t", "and takes no text");
        one("not i.n", "i.n", "not takes no a number");
        one("i.t * 2 + 1", "i.t", "* takes no text");
        one("i.n | upper", "i.n", "upper takes no a number");
        one("(i.t | default(2)) - 1 > i.mode", "i.mode", "> takes no text");
    }

    #[test]
    fn where_it_is_not_sure_it_says_nothing() {
        for text in [
            "i.n < 11",
            "i.n > 10",
            "i.x < 5 and i.x == 'a'",
            "i.mode == 'fast' or i.mode in ['slow', 'other']",
            "(i.x | default('a')) == 3",
            "i.t == 'a' and i.t in 'abc'",
            "(i.n if i.flag else i.t) < 3",
            "i.t | length > 3",
            "i.t | int > 3",
            "i.x | map(attribute='a') | sum > 3",
            "i.n == i.n + 1",
        ] {
            assert_eq!(study(text), [], "{text}");
        }
    }
}
