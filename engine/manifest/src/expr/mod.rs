//! The expression and template language of manifests.
//!
//! The syntax is minijinja's, the meaning is ours and strict: what is undefined is an error, a condition is true or
//! false, and order and arithmetic take finite numbers only. minijinja parses and is not seen outside this module.
//! Must not know which names exist: that is the scope's business, see [`Scope`] and [`Expr::refs`].

mod ast;
mod claims;
mod convert;
mod convert_call;
mod errors;
mod eval;
mod filters;
mod guard;
mod kinds;
mod lists;
mod ops;
mod refs;
mod scope;
mod stmts;
pub mod study;
mod template;
#[cfg(test)]
mod template_test;
#[cfg(test)]
mod test;
#[cfg(test)]
mod test_props;
mod tests_;
mod texts;

pub use claims::{Claim, Operand};
pub use errors::{EvalError, SyntaxError, describe};
pub use kinds::{Kinds, Known, inside};
pub use refs::{Reference, Segment};
pub use scope::{Key, Lookup, MapScope, Scope, descend};
pub use template::Template;
pub use texts::shell_word;

use assay_diagnostics::Span;
use assay_protocol::Value;
use ast::Node;
use eval::Env;
use std::ops::Range;
use std::sync::Arc;

/// A parsed expression. Ranges are bytes of the text it was parsed from; for the expression of a template that is the
/// template's text.
#[derive(Debug, Clone)]
pub struct Expr {
    text: Arc<str>,
    node: Arc<Node>,
    refs: Vec<Reference>,
    /// What [`Expr::source`] shows.
    shown: Range<usize>,
}

impl Expr {
    /// Parses a bare expression, as it stands in `assert`, `when` and `value`.
    ///
    /// # Errors
    /// What is not an expression of this language, with the place and, where there is one, a way out.
    pub fn parse(source: &str) -> Result<Expr, SyntaxError> {
        let node = convert::expression(source)?;
        let start = source.len() - source.trim_start().len();
        Ok(Expr::from_node(Arc::from(source), node, start..start + source.trim().len()))
    }

    fn from_node(text: Arc<str>, node: Node, shown: Range<usize>) -> Expr {
        let mut refs = Vec::new();
        refs::of_node(&node, false, &mut refs);
        Expr { text, node: Arc::new(node), refs, shown }
    }

    /// The expression as written; inside a template only what stands between the braces.
    pub fn source(&self) -> &str {
        self.text.get(self.shown.clone()).unwrap_or(&self.text)
    }

    /// Every path that is read, in the order of the text, with repetitions.
    pub fn refs(&self) -> &[Reference] {
        &self.refs
    }

    /// Tells every reference its place in the manifest.
    pub(crate) fn place(&mut self, span_of: impl Fn(Range<usize>) -> Span) {
        for reference in &mut self.refs {
            reference.place = Some(span_of(reference.range.clone()));
        }
    }

    /// The value.
    ///
    /// # Errors
    /// Undefined values, wrong kinds and results that are no finite number.
    pub fn eval(&self, scope: &dyn Scope) -> Result<Value, EvalError> {
        Ok(self.env(scope).value(&self.node)?.into_owned())
    }

    /// The value of a condition.
    ///
    /// # Errors
    /// As [`Expr::eval`], and everything that is neither true nor false.
    pub fn eval_bool(&self, scope: &dyn Scope) -> Result<bool, EvalError> {
        self.env(scope).condition(&self.node, "a condition")
    }

    /// What a condition read: the source of each path with its value, each once, in the order of the text. Paths
    /// without a value are left out.
    pub fn explain(&self, scope: &dyn Scope) -> Vec<(String, Value)> {
        let env = self.env(scope);
        let mut paths = Vec::new();
        refs::paths(&self.node, &mut paths);
        let mut read: Vec<(String, Value)> = Vec::new();
        for path in paths {
            let source = path.text(&self.text);
            if read.iter().any(|(known, _)| known == source) {
                continue;
            }
            if let Ok(value) = env.value(path) {
                read.push((source.to_owned(), value.into_owned()));
            }
        }
        read
    }

    fn env<'a>(&'a self, scope: &'a dyn Scope) -> Env<'a> {
        Env { scope, text: &self.text, locals: &[] }
    }

    /// Where the expression stands in the text it was parsed from.
    pub fn range(&self) -> Range<usize> {
        self.node.range.clone()
    }
}
