//! The tests behind `is`, also used by `select` and its kin.

use super::ast::{CompareOp, Node, TestCall};
use super::errors::EvalError;
use super::eval::{Env, Out};
use super::ops;
use assay_protocol::Value;
use std::ops::RangeInclusive;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Test {
    Defined,
    Undefined,
    None,
    Number,
    Integer,
    Float,
    String,
    Boolean,
    Sequence,
    Mapping,
    Odd,
    Even,
    True,
    False,
    Compare(CompareOp),
}

/// A test's name and meaning.
#[derive(Debug)]
pub(super) struct TestSpec {
    pub name: &'static str,
    pub test: Test,
}

impl TestSpec {
    /// How many arguments it takes.
    pub fn args(&self) -> RangeInclusive<usize> {
        let count = usize::from(matches!(self.test, Test::Compare(_)));
        count..=count
    }
}

const fn spec(name: &'static str, test: Test) -> TestSpec {
    TestSpec { name, test }
}

/// Every test.
pub(super) const TESTS: &[TestSpec] = &[
    spec("defined", Test::Defined),
    spec("undefined", Test::Undefined),
    spec("none", Test::None),
    spec("number", Test::Number),
    spec("integer", Test::Integer),
    spec("float", Test::Float),
    spec("string", Test::String),
    spec("boolean", Test::Boolean),
    spec("sequence", Test::Sequence),
    spec("mapping", Test::Mapping),
    spec("odd", Test::Odd),
    spec("even", Test::Even),
    spec("true", Test::True),
    spec("false", Test::False),
    spec("in", Test::Compare(CompareOp::In)),
    spec("eq", Test::Compare(CompareOp::Eq)),
    spec("equalto", Test::Compare(CompareOp::Eq)),
    spec("ne", Test::Compare(CompareOp::Ne)),
    spec("lt", Test::Compare(CompareOp::Lt)),
    spec("le", Test::Compare(CompareOp::Le)),
    spec("gt", Test::Compare(CompareOp::Gt)),
    spec("ge", Test::Compare(CompareOp::Ge)),
];

/// Evaluates `base is test`.
pub(super) fn apply<'a>(env: &Env<'a>, call: &'a TestCall) -> Result<bool, EvalError> {
    match call.test {
        Test::Defined => Ok(matches!(env.maybe(&call.base)?, Out::Value(_))),
        Test::Undefined => Ok(matches!(env.maybe(&call.base)?, Out::Undefined(_))),
        test => {
            let value = env.value(&call.base)?;
            let arg = call.args.first().map(|node| Ok((node, env.value(node)?))).transpose()?;
            holds(env, test, (&call.base, &value), arg.as_ref().map(|(node, value)| (*node, value.as_ref())))
        }
    }
}

/// Whether a test holds for a value; `subject` is where the value comes from.
pub(super) fn holds(
    env: &Env<'_>,
    test: Test,
    subject: (&Node, &Value),
    arg: Option<(&Node, &Value)>,
) -> Result<bool, EvalError> {
    let value = subject.1;
    Ok(match test {
        Test::Defined => true,
        Test::Undefined => false,
        Test::None => value.is_null(),
        Test::Number => value.is_number(),
        Test::Integer => value.is_i64() || value.is_u64(),
        Test::Float => value.is_f64(),
        Test::String => value.is_string(),
        Test::Boolean => value.is_boolean(),
        Test::Sequence => value.is_array(),
        Test::Mapping => value.is_object(),
        Test::True => *value == Value::Bool(true),
        Test::False => *value == Value::Bool(false),
        Test::Odd => parity(env, "`odd`", subject)?,
        Test::Even => !parity(env, "`even`", subject)?,
        Test::Compare(op) => match (op, arg) {
            (_, None) => false,
            (CompareOp::Eq, Some(other)) => ops::equal(value, other.1),
            (CompareOp::Ne, Some(other)) => !ops::equal(value, other.1),
            (CompareOp::In | CompareOp::NotIn, Some(other)) => env.contains("in", subject, other)?,
            (op, Some(other)) => env.order(op, subject, other)?,
        },
    })
}

fn parity(env: &Env<'_>, what: &str, (node, value): (&Node, &Value)) -> Result<bool, EvalError> {
    match (value.as_i64(), value.as_u64()) {
        (Some(int), _) => Ok(int % 2 != 0),
        (_, Some(int)) => Ok(int % 2 != 0),
        _ => Err(env.wrong(what, "an integer", env.quoted(node), value, &node.range)),
    }
}
