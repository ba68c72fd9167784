//! What a condition demands, taken apart: for those who judge a gate without running it.
//!
//! Must not evaluate anything.

use super::ast::{Kind, Node};
use super::{Expr, Reference};
use assay_protocol::Value;

/// One side of a comparison, or a value taken as it is.
#[derive(Debug, Clone, Copy)]
pub struct Operand<'e> {
    /// As written.
    pub text: &'e str,
    /// Every path that it reads.
    pub refs: &'e [Reference],
    /// It is one path and nothing else.
    pub is_path: bool,
    /// Its value, if it is a constant.
    pub constant: Option<&'e Value>,
}

/// One thing that a condition demands, whatever `and`, `or` and `not` stand around it.
#[derive(Debug, Clone, Copy)]
pub enum Claim<'e> {
    /// `left sign right`; `a < b < c` is two of these.
    Compared {
        /// What stands on the left.
        left: Operand<'e>,
        /// `==`, `!=`, `<`, `<=`, `>`, `>=`, `in` or `not in`.
        sign: &'static str,
        /// What stands on the right.
        right: Operand<'e>,
    },
    /// A value that is itself true or false.
    Taken(Operand<'e>),
}

impl Expr {
    /// What a condition demands, in the order of the text.
    pub fn claims(&self) -> Vec<Claim<'_>> {
        let mut out = Vec::new();
        self.collect(&self.node, &mut out);
        out
    }

    fn collect<'e>(&'e self, node: &'e Node, out: &mut Vec<Claim<'e>>) {
        match &node.kind {
            Kind::And(left, right) | Kind::Or(left, right) => {
                self.collect(left, out);
                self.collect(right, out);
            }
            Kind::Not(inner) => self.collect(inner, out),
            Kind::Compare { first, rest } => {
                let mut left = &**first;
                for (op, right) in rest {
                    let sides = (self.operand(left), self.operand(right));
                    out.push(Claim::Compared { left: sides.0, sign: op.sign(), right: sides.1 });
                    left = right;
                }
            }
            _ => out.push(Claim::Taken(self.operand(node))),
        }
    }

    fn operand<'e>(&'e self, node: &'e Node) -> Operand<'e> {
        // References stand in the order of the text, so those of one operand follow each other.
        let from = self.refs.partition_point(|reference| reference.range.start < node.range.start);
        let to = self.refs.partition_point(|reference| reference.range.start < node.range.end);
        Operand {
            text: node.text(&self.text),
            refs: self.refs.get(from..to).unwrap_or_default(),
            is_path: matches!(&node.kind, Kind::Path(_)),
            constant: match &node.kind {
                Kind::Const(value) => Some(value),
                _ => None,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(source: &str) -> Vec<String> {
        let expr = Expr::parse(source).expect("an expression");
        let one = |operand: &Operand<'_>| format!("{}/{}", operand.text, operand.refs.len());
        expr.claims()
            .iter()
            .map(|claim| match claim {
                Claim::Compared { left, sign, right } => format!("{} {sign} {}", one(left), one(right)),
                Claim::Taken(operand) => one(operand),
            })
            .collect()
    }

    #[test]
    fn conditions_are_taken_apart() {
        assert_eq!(shown("a.b <= 3"), ["a.b/1 <= 3/0"]);
        assert_eq!(
            shown("a.ok and not (b.x < c.y or 0 < d.z <= 1)"),
            ["a.ok/1", "b.x/1 < c.y/1", "0/0 < d.z/1", "d.z/1 <= 1/0"]
        );
        assert_eq!(shown("(a.x - b.x) | abs < c.limit * 2"), ["(a.x - b.x) | abs/2 < c.limit * 2/1"]);
    }

    #[test]
    fn paths_and_constants_are_known() {
        let expr = Expr::parse("steps.a.result.ok == true").expect("an expression");
        let claims = expr.claims();
        let [Claim::Compared { left, right, .. }] = claims.as_slice() else { panic!("one comparison") };
        assert!(left.is_path && left.constant.is_none());
        assert_eq!((right.is_path, right.constant), (false, Some(&Value::Bool(true))));
    }
}
