//! A step's configuration before it is rendered: literals, templates and expressions in the author's order.

use crate::expr::{EvalError, Expr, Key, Lookup, Reference, Scope, Template};
use assay_diagnostics::Span;
use assay_protocol::{Value, ValueMap};
use std::borrow::Cow;
use std::path::PathBuf;

/// A template with its place.
#[derive(Debug, Clone)]
pub struct TextAt {
    /// The template; most are literal text.
    pub template: Template,
    /// Where its scalar stands.
    pub span: Span,
}

/// An expression with its place.
#[derive(Debug, Clone)]
pub struct ExprAt {
    /// The expression.
    pub expr: Expr,
    /// Where its scalar stands.
    pub span: Span,
}

/// How an expression inside a configuration is treated when the step starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExprUse {
    /// Evaluated; the step gets its value.
    Value,
    /// Handed on as text; the step evaluates it when it has what it asks about.
    Later,
}

/// A configuration value with its place.
#[derive(Debug, Clone)]
pub struct Config {
    /// What it is.
    pub kind: ConfigKind,
    /// Where it stands.
    pub span: Span,
}

/// What a configuration value is.
#[derive(Debug, Clone)]
pub enum ConfigKind {
    /// Known from the text.
    Literal(Value),
    /// Text with `{{ }}`.
    Template(Template),
    /// A path, which starts at the manifest's folder when it is relative.
    Path(Template),
    /// A bare expression, in a field that takes one.
    Expression(Expr, ExprUse),
    /// A list.
    List(Vec<Config>),
    /// A mapping.
    Map(Vec<(Box<str>, Config)>),
}

/// A rendering error with the place of the value that holds the template.
#[derive(Debug, Clone)]
pub struct RenderError {
    /// What went wrong.
    pub error: Box<EvalError>,
    /// Where the value stands.
    pub span: Span,
}

impl Config {
    /// An empty mapping at `span`.
    pub fn empty(span: Span) -> Self {
        Self { kind: ConfigKind::Map(Vec::new()), span }
    }

    /// The value under `key` of a mapping.
    pub fn get(&self, key: &str) -> Option<&Self> {
        match &self.kind {
            ConfigKind::Map(entries) => {
                entries.iter().find(|(name, _)| &**name == key).map(|(_, value)| value)
            }
            _ => None,
        }
    }

    /// The literal value, if nothing in it has to be rendered.
    pub fn literal(&self) -> Option<&Value> {
        match &self.kind {
            ConfigKind::Literal(value) => Some(value),
            _ => None,
        }
    }

    /// Renders every template. In a list, an element that is one whole `{{ }}` yielding a list is spliced.
    pub fn render(&self, scope: &dyn Scope) -> Result<Value, RenderError> {
        let at = |error| RenderError { error: Box::new(error), span: self.span };
        Ok(match &self.kind {
            ConfigKind::Literal(value) => value.clone(),
            ConfigKind::Template(template) => template.render_value(scope).map_err(at)?,
            ConfigKind::Path(template) => {
                let text = template.render_text(scope).map_err(at)?;
                if text.is_empty() {
                    return Ok(Value::from(text)); // no file is meant, not the manifest's folder
                }
                let dir = skill_dir(scope);
                Value::from(crate::paths::absolute(&dir, &text).to_string_lossy().into_owned())
            }
            ConfigKind::Expression(expr, ExprUse::Value) => expr.eval(scope).map_err(at)?,
            ConfigKind::Expression(expr, ExprUse::Later) => Value::from(expr.source()),
            ConfigKind::List(items) => {
                let mut values = Vec::with_capacity(items.len());
                for item in items {
                    let value = item.render(scope)?;
                    match (&item.kind, value) {
                        (ConfigKind::Template(template), Value::Array(inner))
                            if template.whole_expression().is_some() =>
                        {
                            values.extend(inner);
                        }
                        (_, value) => values.push(value),
                    }
                }
                Value::Array(values)
            }
            ConfigKind::Map(entries) => {
                let mut map = ValueMap::new();
                for (key, value) in entries {
                    map.insert(key.to_string(), value.render(scope)?);
                }
                Value::Object(map)
            }
        })
    }

    /// Calls `visit` for every reference to the scope, with the place of its scalar.
    pub fn visit_refs<'a>(&'a self, visit: &mut dyn FnMut(&'a Reference, Span)) {
        match &self.kind {
            ConfigKind::Literal(_) => {}
            ConfigKind::Template(template) | ConfigKind::Path(template) => {
                template.refs().iter().for_each(|reference| visit(reference, reference.place_in(self.span)));
            }
            ConfigKind::Expression(expr, _) => {
                expr.refs().iter().for_each(|reference| visit(reference, reference.place_in(self.span)));
            }
            ConfigKind::List(items) => items.iter().for_each(|item| item.visit_refs(visit)),
            ConfigKind::Map(entries) => entries.iter().for_each(|(_, value)| value.visit_refs(visit)),
        }
    }
}

/// `skill.dir` of a scope; the current directory where there is none (tests).
fn skill_dir(scope: &dyn Scope) -> PathBuf {
    match scope.resolve("skill", &[Key::Name(Cow::Borrowed("dir"))]) {
        Lookup::Value(value) => value.as_str().map(PathBuf::from).unwrap_or_default(),
        _ => PathBuf::new(),
    }
}
