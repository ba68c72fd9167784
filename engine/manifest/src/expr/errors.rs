//! What can be wrong with an expression: when it is read, and when it is evaluated.

use assay_protocol::Value;
use std::ops::Range;
use thiserror::Error;

/// A text that is not an expression or template of this language.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{message}")]
pub struct SyntaxError {
    /// What is wrong.
    pub message: String,
    /// Bytes of the text that was parsed.
    pub range: Range<usize>,
    /// A way out.
    pub help: Option<String>,
}

impl SyntaxError {
    pub(super) fn new(message: impl Into<String>, range: Range<usize>) -> SyntaxError {
        SyntaxError { message: message.into(), range, help: None }
    }

    pub(super) fn help(mut self, help: impl Into<String>) -> SyntaxError {
        self.help = Some(help.into());
        self
    }
}

/// An expression that has no value here. `range` is always in bytes of the text that was parsed; `operand` and `expr`
/// are source text, `found` says in words what the value is.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[expect(missing_docs, reason = "the fields are described at the enum")]
pub enum EvalError {
    /// A value that does not exist was read without `default(...)`.
    #[error("`{expr}` is undefined: {why}")]
    Undefined { expr: String, why: String, range: Range<usize> },
    /// The scope has no such name.
    #[error("there is no `{name}` here")]
    UnknownName { name: String, range: Range<usize> },
    /// An ordering of something that is no number.
    #[error("`{operator}` compares numbers, but {operand} is {found}")]
    NotComparable { operator: String, operand: String, found: String, range: Range<usize> },
    /// Arithmetic with something that is no number.
    #[error("`{operator}` computes with numbers, but {operand} is {found}")]
    NotANumber { operator: String, operand: String, found: String, range: Range<usize> },
    /// A condition that is neither true nor false.
    #[error("{what} must be true or false, but {operand} is {found}")]
    NotABoolean { what: String, operand: String, found: String, range: Range<usize> },
    /// A value of a kind that an operator, filter or test does not take.
    #[error("{what} takes {wants}, but {operand} is {found}")]
    WrongKind { what: String, wants: String, operand: String, found: String, range: Range<usize> },
    /// A result beyond the numbers that can be held.
    #[error("the result of `{expr}` is not a finite number")]
    NotFinite { expr: String, range: Range<usize> },
    /// A division by zero.
    #[error("`{expr}` divides by zero")]
    DivisionByZero { expr: String, range: Range<usize> },
    /// An integer that does not fit 64 bits.
    #[error("the result of `{expr}` does not fit a 64-bit integer; write one of the numbers with a point")]
    Overflow { expr: String, range: Range<usize> },
    /// The smallest or largest of nothing.
    #[error("`{filter}` needs at least one element, but {operand} is empty")]
    Empty { filter: String, operand: String, range: Range<usize> },
    /// An argument that a filter, a slice or a loop cannot use.
    #[error("{message}")]
    Argument { message: String, range: Range<usize> },
    /// Null where text is made.
    #[error("`{expr}` is null and cannot be put into text; use `default(...)`")]
    NullInText { expr: String, range: Range<usize> },
    /// A template that runs too long.
    #[error("the template takes more than {limit} steps")]
    TooLong { limit: usize, range: Range<usize> },
    /// A text or value that grows too large.
    #[error("the result is larger than {limit}")]
    TooLarge { limit: &'static str, range: Range<usize> },
}

impl EvalError {
    /// Where in the text, in bytes.
    pub fn range(&self) -> Range<usize> {
        match self {
            EvalError::Undefined { range, .. }
            | EvalError::UnknownName { range, .. }
            | EvalError::NotComparable { range, .. }
            | EvalError::NotANumber { range, .. }
            | EvalError::NotABoolean { range, .. }
            | EvalError::WrongKind { range, .. }
            | EvalError::NotFinite { range, .. }
            | EvalError::DivisionByZero { range, .. }
            | EvalError::Overflow { range, .. }
            | EvalError::Empty { range, .. }
            | EvalError::Argument { range, .. }
            | EvalError::NullInText { range, .. }
            | EvalError::TooLong { range, .. }
            | EvalError::TooLarge { range, .. } => range.clone(),
        }
    }

    /// Whether a value was missing, as opposed to one that does not fit.
    pub fn is_undefined(&self) -> bool {
        matches!(self, EvalError::Undefined { .. })
    }
}

/// Most characters of a text that a message quotes.
const QUOTED: usize = 40;

/// What a value is, in words.
pub fn describe(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(flag) => flag.to_string(),
        Value::Number(number) => format!("the number {number}"),
        Value::String(text) if text.chars().count() > QUOTED => {
            format!("the text \"{}...\"", text.chars().take(QUOTED).collect::<String>().escape_debug())
        }
        Value::String(text) => format!("the text \"{}\"", text.escape_debug()),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "a map".to_owned(),
    }
}
