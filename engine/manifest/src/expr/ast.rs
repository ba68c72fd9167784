//! The tree of an expression and of a template, owned and with byte ranges.
//!
//! Must not evaluate anything.

use super::filters::Filter;
use super::tests_::Test;
use assay_protocol::Value;
use std::ops::Range;

/// An expression with its place.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub kind: Kind,
    /// Bytes of the text it was parsed from.
    pub range: Range<usize>,
}

impl Node {
    /// The source of this node.
    pub fn text<'t>(&self, text: &'t str) -> &'t str {
        text.get(self.range.clone()).unwrap_or(text)
    }
}

#[derive(Debug, Clone)]
pub(super) enum Kind {
    Const(Value),
    Path(Path),
    Get { base: Box<Node>, seg: Seg },
    Slice { base: Box<Node>, start: Option<Box<Node>>, stop: Option<Box<Node>>, step: Option<Box<Node>> },
    Not(Box<Node>),
    Neg(Box<Node>),
    And(Box<Node>, Box<Node>),
    Or(Box<Node>, Box<Node>),
    Arith(ArithOp, Box<Node>, Box<Node>),
    Concat(Box<Node>, Box<Node>),
    Compare { first: Box<Node>, rest: Vec<(CompareOp, Node)> },
    Ternary { cond: Box<Node>, then: Box<Node>, other: Option<Box<Node>> },
    Filter(Box<FilterCall>),
    Test(Box<TestCall>),
    Range(Vec<Node>),
    List(Vec<Node>),
    Map(Vec<(Node, Node)>),
}

/// `root.a['b'][0]`, read in one go so that only the leaf is cloned.
#[derive(Debug, Clone)]
pub(super) struct Path {
    pub root: String,
    /// A name set by the template itself (`for`, `set`), not one of the scope.
    pub local: bool,
    pub segs: Vec<Seg>,
}

#[derive(Debug, Clone)]
pub(super) enum Seg {
    Name(String),
    Index(i64),
    Dynamic(Box<Node>),
}

#[derive(Debug, Clone)]
pub(super) struct FilterCall {
    pub filter: Filter,
    pub base: Node,
    pub args: Vec<Node>,
    pub named: Vec<(&'static str, Node)>,
    /// For `select` and its kin: the test that `args` names.
    pub test: Option<Test>,
}

#[derive(Debug, Clone)]
pub(super) struct TestCall {
    pub test: Test,
    pub base: Node,
    pub args: Vec<Node>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ArithOp {
    Add,
    Sub,
    Mul,
    Div,
    FloorDiv,
    Rem,
    Pow,
}

impl ArithOp {
    pub fn sign(self) -> &'static str {
        match self {
            ArithOp::Add => "+",
            ArithOp::Sub => "-",
            ArithOp::Mul => "*",
            ArithOp::Div => "/",
            ArithOp::FloorDiv => "//",
            ArithOp::Rem => "%",
            ArithOp::Pow => "**",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CompareOp {
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
    In,
    NotIn,
}

impl CompareOp {
    pub fn sign(self) -> &'static str {
        match self {
            CompareOp::Eq => "==",
            CompareOp::Ne => "!=",
            CompareOp::Lt => "<",
            CompareOp::Le => "<=",
            CompareOp::Gt => ">",
            CompareOp::Ge => ">=",
            CompareOp::In => "in",
            CompareOp::NotIn => "not in",
        }
    }
}

/// A statement of a template.
#[derive(Debug, Clone)]
pub(super) enum Stmt {
    Raw(String),
    Emit(Node),
    For(Box<For>),
    If { cond: Node, then: Vec<Stmt>, other: Vec<Stmt> },
    Set { target: Target, value: Node },
    SetBlock { name: String, body: Vec<Stmt> },
}

#[derive(Debug, Clone)]
pub(super) struct For {
    pub target: Target,
    pub iter: Node,
    pub filter: Option<Node>,
    pub body: Vec<Stmt>,
    pub other: Vec<Stmt>,
    /// The body reads `loop`.
    pub uses_loop: bool,
}

/// What a `for` or a `set` assigns to.
#[derive(Debug, Clone)]
pub(super) enum Target {
    Name(String),
    Unpack(Vec<Target>),
}
