//! Which paths an expression or template reads.
//!
//! Must not know which of them exist.

use super::ast::{Kind, Node, Seg, Stmt};
use super::filters::Filter;
use super::tests_::Test;
use assay_diagnostics::Span;
use std::ops::Range;

/// A path that is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// The first name: `inputs`, `steps`, `env` and so on, or one that does not exist.
    pub root: String,
    /// What follows it.
    pub path: Vec<Segment>,
    /// The whole path, in bytes of the text that was parsed.
    pub range: Range<usize>,
    /// Where it stands in the manifest; set by whoever knows how its scalar was written.
    pub place: Option<Span>,
    /// It may be undefined: it stands directly under `default(...)`, `is defined` or `is undefined`.
    pub defaulted: bool,
}

/// One step of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Segment {
    /// `.name` or `['name']`.
    Name(String),
    /// `[0]`.
    Index(i64),
    /// `[expression]`: known only when evaluated. What the expression reads is a reference of its own.
    Dynamic,
}

impl Reference {
    /// Where it stands in the manifest, or the place of the whole scalar.
    pub fn place_in(&self, whole: Span) -> Span {
        self.place.unwrap_or(whole)
    }
}

/// Collects the references below a node; `defaulted`: the node itself may be undefined.
pub(super) fn of_node(node: &Node, defaulted: bool, out: &mut Vec<Reference>) {
    match &node.kind {
        Kind::Path(path) => {
            if !path.local {
                let segments = path.segs.iter().map(segment).collect();
                let range = node.range.clone();
                let root = path.root.clone();
                out.push(Reference { root, path: segments, range, place: None, defaulted });
            }
            path.segs.iter().for_each(|seg| of_seg(seg, out));
        }
        Kind::Get { base, seg } => {
            of_node(base, defaulted, out);
            of_seg(seg, out);
        }
        Kind::Ternary { cond, then, other } => {
            of_node(then, defaulted, out);
            of_node(cond, false, out);
            if let Some(other) = other {
                of_node(other, defaulted, out);
            }
        }
        Kind::Filter(call) => {
            let default = call.filter == Filter::Default;
            of_node(&call.base, default, out);
            // In `a | default(b) | default(c)`, `b` may be undefined too.
            call.args.iter().for_each(|arg| of_node(arg, default && defaulted, out));
            call.named.iter().for_each(|(_, arg)| of_node(arg, false, out));
        }
        Kind::Test(call) => {
            of_node(&call.base, matches!(call.test, Test::Defined | Test::Undefined), out);
            call.args.iter().for_each(|arg| of_node(arg, false, out));
        }
        other => children(other).into_iter().for_each(|child| of_node(child, false, out)),
    }
}

fn of_seg(seg: &Seg, out: &mut Vec<Reference>) {
    if let Seg::Dynamic(key) = seg {
        of_node(key, false, out);
    }
}

fn segment(seg: &Seg) -> Segment {
    match seg {
        Seg::Name(name) => Segment::Name(name.clone()),
        Seg::Index(index) => Segment::Index(*index),
        Seg::Dynamic(_) => Segment::Dynamic,
    }
}

/// The direct children of a node, in the order of the text.
fn children(kind: &Kind) -> Vec<&Node> {
    match kind {
        Kind::Const(_) => Vec::new(),
        Kind::Path(path) => path.segs.iter().filter_map(dynamic).collect(),
        Kind::Get { base, seg } => [Some(&**base), dynamic(seg)].into_iter().flatten().collect(),
        Kind::Slice { base, start, stop, step } => {
            let bounds = [start, stop, step].into_iter().filter_map(|bound| bound.as_deref());
            std::iter::once(&**base).chain(bounds).collect()
        }
        Kind::Not(inner) | Kind::Neg(inner) => vec![inner],
        Kind::And(left, right) | Kind::Or(left, right) => vec![left, right],
        Kind::Arith(_, left, right) | Kind::Concat(left, right) => vec![left, right],
        Kind::Compare { first, rest } => {
            std::iter::once(&**first).chain(rest.iter().map(|(_, node)| node)).collect()
        }
        Kind::Ternary { cond, then, other } => {
            [Some(&**then), Some(&**cond), other.as_deref()].into_iter().flatten().collect()
        }
        Kind::Filter(call) => {
            let named = call.named.iter().map(|(_, node)| node);
            std::iter::once(&call.base).chain(&call.args).chain(named).collect()
        }
        Kind::Test(call) => std::iter::once(&call.base).chain(&call.args).collect(),
        Kind::Range(items) | Kind::List(items) => items.iter().collect(),
        Kind::Map(entries) => entries.iter().flat_map(|(key, value)| [key, value]).collect(),
    }
}

fn dynamic(seg: &Seg) -> Option<&Node> {
    match seg {
        Seg::Dynamic(key) => Some(key),
        _ => None,
    }
}

/// The nodes that read a path of the scope.
pub(super) fn paths<'n>(node: &'n Node, out: &mut Vec<&'n Node>) {
    if matches!(&node.kind, Kind::Path(path) if !path.local) {
        out.push(node);
    }
    children(&node.kind).into_iter().for_each(|child| paths(child, out));
}

/// Collects the references of a template's body.
pub(super) fn of_stmts(stmts: &[Stmt], out: &mut Vec<Reference>) {
    for stmt in stmts {
        match stmt {
            Stmt::Raw(_) => {}
            Stmt::Emit(node) | Stmt::Set { value: node, .. } => of_node(node, false, out),
            Stmt::SetBlock { body, .. } => of_stmts(body, out),
            Stmt::If { cond, then, other } => {
                of_node(cond, false, out);
                of_stmts(then, out);
                of_stmts(other, out);
            }
            Stmt::For(each) => {
                of_node(&each.iter, false, out);
                if let Some(filter) = &each.filter {
                    of_node(filter, false, out);
                }
                of_stmts(&each.body, out);
                of_stmts(&each.other, out);
            }
        }
    }
}
