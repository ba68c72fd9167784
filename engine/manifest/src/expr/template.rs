//! Text with `{{ }}` and `{% %}`: parsed once, rendered over a scope.
//!
//! Must not render a result again, and must not run without bounds.

use super::ast::{For, Kind, Node, Stmt, Target};
use super::errors::{EvalError, SyntaxError, describe};
use super::eval::{Env, limit_text};
use super::filters::Filter;
use super::refs::{self, Reference};
use super::scope::Scope;
use super::{Expr, ops, stmts};
use assay_diagnostics::Span;
use assay_protocol::Value;
use std::ops::Range;
use std::sync::Arc;

/// Most statements and loop rounds of one rendering.
const MAX_STEPS: usize = 100_000;
/// Most values in what one `set` holds, so that `x = [x, x]` cannot eat the memory.
const MAX_SET_VALUES: usize = 1_000_000;

/// A string of a manifest. Most are plain text, which is seen without parsing.
#[derive(Debug, Clone)]
pub struct Template {
    text: Arc<str>,
    body: Body,
    refs: Vec<Reference>,
}

#[derive(Debug, Clone)]
enum Body {
    Literal,
    Whole(Expr),
    Stmts(Arc<[Stmt]>),
}

impl Template {
    /// Parses a string.
    ///
    /// # Errors
    /// What is not a template of this language, with the place and, where there is one, a way out.
    pub fn parse(source: &str) -> Result<Template, SyntaxError> {
        let text: Arc<str> = Arc::from(source);
        if !has_code(source) {
            return Ok(Template { text, body: Body::Literal, refs: Vec::new() });
        }
        let mut stmts = stmts::template(source)?;
        if let [Stmt::Emit(_)] = stmts.as_slice()
            && let Some(Stmt::Emit(node)) = stmts.pop()
        {
            let shown = node.range.clone();
            let expr = Expr::from_node(Arc::clone(&text), node, shown);
            return Ok(Template { text, refs: expr.refs.clone(), body: Body::Whole(expr) });
        }
        let mut found = Vec::new();
        refs::of_stmts(&stmts, &mut found);
        Ok(Template { text, body: Body::Stmts(stmts.into()), refs: found })
    }

    /// Text without anything to render.
    pub fn is_literal(&self) -> bool {
        matches!(self.body, Body::Literal)
    }

    /// The text as written.
    pub fn source(&self) -> &str {
        &self.text
    }

    /// The expression, if the text is one whole `{{ expression }}`.
    pub fn whole_expression(&self) -> Option<&Expr> {
        match &self.body {
            Body::Whole(expr) => Some(expr),
            Body::Literal | Body::Stmts(_) => None,
        }
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

    /// The value: of its own type if the text is one whole `{{ expression }}`, else text.
    ///
    /// # Errors
    /// As [`Expr::eval`] and [`Template::render_text`].
    pub fn render_value(&self, scope: &dyn Scope) -> Result<Value, EvalError> {
        match &self.body {
            Body::Whole(expr) => expr.eval(scope),
            Body::Literal | Body::Stmts(_) => self.render_text(scope).map(Value::String),
        }
    }

    /// The text: numbers as JSON writes them, lists and maps as JSON.
    ///
    /// # Errors
    /// As [`Expr::eval`]; null; more than 100,000 steps; more than 16 MiB.
    pub fn render_text(&self, scope: &dyn Scope) -> Result<String, EvalError> {
        let mut render = Render { scope, text: &self.text, locals: Vec::new(), out: String::new(), steps: 0 };
        match &self.body {
            Body::Literal => return Ok(self.text.to_string()),
            Body::Whole(expr) => render.emit(&expr.node)?,
            Body::Stmts(stmts) => render.stmts(stmts)?,
        }
        Ok(render.out)
    }

    /// Outputs whose outermost filter is not `q`, as ranges of their expressions: in a shell command each is a way to
    /// inject a command.
    pub fn unquoted_outputs(&self) -> Vec<Range<usize>> {
        let mut found = Vec::new();
        match &self.body {
            Body::Literal => {}
            Body::Whole(expr) => unquoted_node(&expr.node, &mut found),
            Body::Stmts(stmts) => unquoted(stmts, &mut found),
        }
        found
    }
}

/// Whether there is anything to parse.
fn has_code(source: &str) -> bool {
    let bytes = source.as_bytes();
    source.match_indices('{').any(|(at, _)| matches!(bytes.get(at + 1), Some(b'{' | b'%' | b'#')))
}

fn unquoted(stmts: &[Stmt], out: &mut Vec<Range<usize>>) {
    for stmt in stmts {
        match stmt {
            Stmt::Raw(_) | Stmt::Set { .. } => {}
            Stmt::Emit(node) => unquoted_node(node, out),
            Stmt::SetBlock { body, .. } => unquoted(body, out),
            Stmt::If { then, other, .. } => {
                unquoted(then, out);
                unquoted(other, out);
            }
            Stmt::For(each) => {
                unquoted(&each.body, out);
                unquoted(&each.other, out);
            }
        }
    }
}

fn unquoted_node(node: &Node, out: &mut Vec<Range<usize>>) {
    if !matches!(&node.kind, Kind::Filter(call) if call.filter == Filter::Quote) {
        out.push(node.range.clone());
    }
}

/// A rendering under way.
struct Render<'a> {
    scope: &'a dyn Scope,
    text: &'a str,
    locals: Vec<(String, Value)>,
    out: String,
    steps: usize,
}

type Rendered = Result<(), EvalError>;

impl Render<'_> {
    fn env(&self) -> Env<'_> {
        Env { scope: self.scope, text: self.text, locals: &self.locals }
    }

    fn eval(&self, node: &Node) -> Result<Value, EvalError> {
        Ok(self.env().value(node)?.into_owned())
    }

    fn step(&mut self, range: &Range<usize>) -> Rendered {
        self.steps += 1;
        match self.steps > MAX_STEPS {
            true => Err(EvalError::TooLong { limit: MAX_STEPS, range: range.clone() }),
            false => Ok(()),
        }
    }

    fn stmts(&mut self, stmts: &[Stmt]) -> Rendered {
        stmts.iter().try_for_each(|stmt| self.stmt(stmt))
    }

    fn stmt(&mut self, stmt: &Stmt) -> Rendered {
        match stmt {
            Stmt::Raw(raw) => self.push(raw, &(0..self.text.len())),
            Stmt::Emit(node) => self.emit(node),
            Stmt::If { cond, then, other } => {
                self.step(&cond.range)?;
                let holds = self.env().condition(cond, "the condition of `if`")?;
                self.stmts(if holds { then } else { other })
            }
            Stmt::Set { target, value } => {
                self.step(&value.range)?;
                let result = self.eval(value)?;
                let mut left = MAX_SET_VALUES;
                if !within(&result, &mut left) {
                    let limit = "a million values in one name";
                    return Err(EvalError::TooLarge { limit, range: value.range.clone() });
                }
                self.assign(target, result, value)
            }
            Stmt::SetBlock { name, body } => {
                self.step(&(0..self.text.len()))?;
                let (outer, depth) = (std::mem::take(&mut self.out), self.locals.len());
                self.stmts(body)?;
                self.locals.truncate(depth);
                let captured = std::mem::replace(&mut self.out, outer);
                self.locals.push((name.clone(), Value::String(captured)));
                Ok(())
            }
            Stmt::For(each) => self.each(each),
        }
    }

    fn emit(&mut self, node: &Node) -> Rendered {
        self.step(&node.range)?;
        let text = match self.env().value(node)?.as_ref() {
            Value::String(text) => text.clone(),
            other => ops::text_of(other).ok_or_else(|| EvalError::NullInText {
                expr: node.text(self.text).to_owned(),
                range: node.range.clone(),
            })?,
        };
        self.push(&text, &node.range)
    }

    fn push(&mut self, text: &str, range: &Range<usize>) -> Rendered {
        limit_text(self.out.len().saturating_add(text.len()), range)?;
        self.out.push_str(text);
        Ok(())
    }

    fn each(&mut self, each: &For) -> Rendered {
        let rounds = self.rounds(each)?;
        if rounds.is_empty() {
            let depth = self.locals.len();
            self.stmts(&each.other)?;
            self.locals.truncate(depth);
            return Ok(());
        }
        let length = rounds.len();
        for (index0, element) in rounds.into_iter().enumerate() {
            self.step(&each.iter.range)?;
            let depth = self.locals.len();
            self.assign(&each.target, element, &each.iter)?;
            if each.uses_loop {
                self.locals.push(("loop".to_owned(), loop_value(index0, length)));
            }
            self.stmts(&each.body)?;
            self.locals.truncate(depth);
        }
        Ok(())
    }

    /// The elements to go through, after the loop's own `if`.
    fn rounds(&mut self, each: &For) -> Result<Vec<Value>, EvalError> {
        let elements = match self.eval(&each.iter)? {
            Value::Array(list) => list,
            Value::Object(map) => map.into_iter().map(|(key, _)| Value::String(key)).collect(),
            other => {
                let operand = self.env().quoted(&each.iter);
                return Err(self.env().wrong("`for`", "a list or a map", operand, &other, &each.iter.range));
            }
        };
        let Some(filter) = &each.filter else { return Ok(elements) };
        let mut kept = Vec::new();
        for element in elements {
            self.step(&filter.range)?;
            let depth = self.locals.len();
            self.assign(&each.target, element.clone(), &each.iter)?;
            let keep = self.env().condition(filter, "the condition of `for`");
            self.locals.truncate(depth);
            if keep? {
                kept.push(element);
            }
        }
        Ok(kept)
    }

    fn assign(&mut self, target: &Target, value: Value, source: &Node) -> Rendered {
        match (target, value) {
            (Target::Name(name), value) => {
                self.locals.push((name.clone(), value));
                Ok(())
            }
            (Target::Unpack(targets), Value::Array(list)) if list.len() == targets.len() => targets
                .iter()
                .zip(list)
                .try_for_each(|(target, element)| self.assign(target, element, source)),
            (Target::Unpack(targets), other) => {
                let found = match &other {
                    Value::Array(list) => format!("a list of {}", list.len()),
                    other => describe(other),
                };
                let text = source.text(self.text);
                let message =
                    format!("{} names need a list of as many, but `{text}` gives {found}", targets.len());
                Err(EvalError::Argument { message, range: source.range.clone() })
            }
        }
    }
}

/// Counts values until `left` is used up.
fn within(value: &Value, left: &mut usize) -> bool {
    let Some(rest) = left.checked_sub(1) else { return false };
    *left = rest;
    match value {
        Value::Array(list) => list.iter().all(|element| within(element, left)),
        Value::Object(map) => map.values().all(|element| within(element, left)),
        _ => true,
    }
}

fn loop_value(index0: usize, length: usize) -> Value {
    serde_json::json!({
        "index": index0 + 1,
        "index0": index0,
        "first": index0 == 0,
        "last": index0 + 1 == length,
        "length": length,
    })
}
