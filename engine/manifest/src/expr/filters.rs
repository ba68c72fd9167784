//! The filters: which there are, their arguments, and which function does the work.

use super::ast::{FilterCall, Node};
use super::errors::EvalError;
use super::eval::{Env, Out};
use super::ops::{Num, NumError};
use super::{lists, texts};
use assay_protocol::Value;
use std::borrow::Cow;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Filter {
    Default,
    Quote,
    Length,
    First,
    Last,
    Min,
    Max,
    Sum,
    Join,
    Round,
    Abs,
    Int,
    Float,
    Lower,
    Upper,
    Trim,
    Replace,
    Sort,
    Unique,
    Reverse,
    Map,
    Select,
    Reject,
    SelectAttr,
    RejectAttr,
    List,
    Flatten,
    Items,
    DictSort,
    ToJson,
    String,
    Basename,
    Dirname,
    Split,
}

/// A filter's name, its arguments by position (least and most) and by name.
#[derive(Debug)]
pub(super) struct FilterSpec {
    pub name: &'static str,
    pub filter: Filter,
    pub args: (usize, usize),
    pub named: &'static [&'static str],
    /// At least one argument by name is needed.
    pub required_named: bool,
    /// Which argument names a test.
    pub test_at: Option<usize>,
}

const fn spec(name: &'static str, filter: Filter, least: usize, most: usize) -> FilterSpec {
    FilterSpec { name, filter, args: (least, most), named: &[], required_named: false, test_at: None }
}

const fn named(spec: FilterSpec, named: &'static [&'static str]) -> FilterSpec {
    FilterSpec { named, ..spec }
}

const fn testing(spec: FilterSpec, at: usize) -> FilterSpec {
    FilterSpec { test_at: Some(at), ..spec }
}

/// Every filter.
pub(super) const FILTERS: &[FilterSpec] = &[
    spec("default", Filter::Default, 1, 1),
    spec("d", Filter::Default, 1, 1),
    spec("q", Filter::Quote, 0, 0),
    spec("length", Filter::Length, 0, 0),
    spec("count", Filter::Length, 0, 0),
    spec("first", Filter::First, 0, 0),
    spec("last", Filter::Last, 0, 0),
    spec("min", Filter::Min, 0, 0),
    spec("max", Filter::Max, 0, 0),
    spec("sum", Filter::Sum, 0, 0),
    spec("join", Filter::Join, 0, 1),
    spec("round", Filter::Round, 0, 1),
    spec("abs", Filter::Abs, 0, 0),
    spec("int", Filter::Int, 0, 0),
    spec("float", Filter::Float, 0, 0),
    spec("lower", Filter::Lower, 0, 0),
    spec("upper", Filter::Upper, 0, 0),
    spec("trim", Filter::Trim, 0, 0),
    spec("replace", Filter::Replace, 2, 2),
    named(spec("sort", Filter::Sort, 0, 0), &["attribute", "reverse"]),
    named(spec("unique", Filter::Unique, 0, 0), &["attribute"]),
    spec("reverse", Filter::Reverse, 0, 0),
    FilterSpec { required_named: true, ..named(spec("map", Filter::Map, 0, 0), &["attribute", "default"]) },
    testing(spec("select", Filter::Select, 0, 2), 0),
    testing(spec("reject", Filter::Reject, 0, 2), 0),
    testing(spec("selectattr", Filter::SelectAttr, 1, 3), 1),
    testing(spec("rejectattr", Filter::RejectAttr, 1, 3), 1),
    spec("list", Filter::List, 0, 0),
    spec("flatten", Filter::Flatten, 0, 0),
    spec("items", Filter::Items, 0, 0),
    spec("dictsort", Filter::DictSort, 0, 0),
    named(spec("tojson", Filter::ToJson, 0, 0), &["indent"]),
    spec("string", Filter::String, 0, 0),
    spec("basename", Filter::Basename, 0, 0),
    spec("dirname", Filter::Dirname, 0, 0),
    spec("split", Filter::Split, 0, 1),
];

/// A filter at work: its input is evaluated, its arguments are on request.
pub(super) struct Work<'w, 'a> {
    pub env: &'w Env<'a>,
    /// The whole filter expression.
    pub node: &'a Node,
    pub call: &'a FilterCall,
}

impl<'a> Work<'_, 'a> {
    pub fn name(&self) -> &'static str {
        FILTERS.iter().find(|spec| spec.filter == self.call.filter).map_or("filter", |spec| spec.name)
    }

    /// The error for an input of the wrong kind.
    pub fn wrong_input(&self, wants: &str, found: &Value) -> EvalError {
        let base = &self.call.base;
        self.env.wrong(&format!("`{}`", self.name()), wants, self.env.quoted(base), found, &base.range)
    }

    /// The error for one element of the input.
    pub fn wrong_element(&self, at: usize, wants: &str, found: &Value) -> EvalError {
        let base = &self.call.base;
        let operand = format!("element {at} of {}", self.env.quoted(base));
        self.env.wrong(&format!("`{}`", self.name()), wants, operand, found, &base.range)
    }

    pub fn named(&self, name: &str) -> Option<&'a Node> {
        self.call.named.iter().find(|(known, _)| *known == name).map(|(_, node)| node)
    }

    /// A text argument.
    pub fn text_arg(&self, node: &'a Node) -> Result<String, EvalError> {
        match self.env.value(node)?.into_owned() {
            Value::String(text) => Ok(text),
            other => {
                let what = format!("`{}`", self.name());
                Err(self.env.wrong(&what, "text as argument", self.env.quoted(node), &other, &node.range))
            }
        }
    }

    pub fn undefined_if_empty<'v>(&self, element: Option<Value>) -> Out<'v> {
        match element {
            Some(value) => Out::Value(Cow::Owned(value)),
            None => Out::Undefined(format!("{} is empty", self.env.quoted(&self.call.base))),
        }
    }
}

/// Evaluates `base | filter`.
pub(super) fn apply<'a>(env: &Env<'a>, node: &'a Node, call: &'a FilterCall) -> Result<Out<'a>, EvalError> {
    if call.filter == Filter::Default {
        return default(env, call);
    }
    // A call of its own, so that a long chain of filters does not carry its temporaries on the stack.
    env.value(&call.base).and_then(|input| of_value(Work { env, node, call }, input))
}

fn of_value<'a>(work: Work<'_, 'a>, input: Cow<'a, Value>) -> Result<Out<'a>, EvalError> {
    let value = match work.call.filter {
        Filter::First => return lists::end(&work, &input, false),
        Filter::Last => return lists::end(&work, &input, true),
        // Answered above; a value that exists stands for itself.
        Filter::Default => return Ok(Out::Value(input)),
        Filter::Length => lists::length(&work, &input)?,
        Filter::Min => lists::extreme(&work, &input, false)?,
        Filter::Max => lists::extreme(&work, &input, true)?,
        Filter::Sum => lists::sum(&work, &input)?,
        Filter::Sort => lists::sort(&work, &input)?,
        Filter::Unique => lists::unique(&work, &input)?,
        Filter::Reverse => lists::reverse(&work, &input)?,
        Filter::Map => lists::map(&work, &input)?,
        Filter::Select | Filter::SelectAttr => lists::select(&work, &input, true)?,
        Filter::Reject | Filter::RejectAttr => lists::select(&work, &input, false)?,
        Filter::List => lists::list(&work, &input)?,
        Filter::Flatten => lists::flatten(&work, &input)?,
        Filter::Items => lists::items(&work, &input, false)?,
        Filter::DictSort => lists::items(&work, &input, true)?,
        Filter::Round => round(&work, &input)?,
        Filter::Abs => abs(&work, &input)?,
        Filter::Int => to_int(&work, &input)?,
        Filter::Float => to_float(&work, &input)?,
        Filter::Join => texts::join(&work, &input)?,
        Filter::Quote => texts::quote(&work, &input)?,
        Filter::Lower => texts::plain(&work, &input, str::to_lowercase)?,
        Filter::Upper => texts::plain(&work, &input, str::to_uppercase)?,
        Filter::Trim => texts::plain(&work, &input, |text| text.trim().to_owned())?,
        Filter::Basename => texts::plain(&work, &input, texts::basename)?,
        Filter::Dirname => texts::plain(&work, &input, texts::dirname)?,
        Filter::Replace => texts::replace(&work, &input)?,
        Filter::Split => texts::split(&work, &input)?,
        Filter::ToJson => texts::to_json(&work, &input)?,
        Filter::String => texts::string(&work, &input)?,
    };
    Ok(Out::Value(Cow::Owned(value)))
}

/// Stands in for what is undefined, and for null: both mean that there is no value.
fn default<'a>(env: &Env<'a>, call: &'a FilterCall) -> Result<Out<'a>, EvalError> {
    match (env.maybe(&call.base)?, call.args.first()) {
        (Out::Value(value), _) if !value.is_null() => Ok(Out::Value(value)),
        (_, Some(other)) => env.maybe(other),
        (nothing, None) => Ok(nothing),
    }
}

fn number(work: &Work<'_, '_>, input: &Value) -> Result<Num, EvalError> {
    Num::of(input).ok_or_else(|| work.wrong_input("a number", input))
}

fn finish(work: &Work<'_, '_>, num: Num) -> Result<Value, EvalError> {
    num.value().map_err(|error| work.env.no_number(error, work.node))
}

/// Half goes away from zero; a float stays a float.
fn round(work: &Work<'_, '_>, input: &Value) -> Result<Value, EvalError> {
    let digits = work.call.args.first().map_or(Ok(0), |node| work.env.integer("`round`", node))?;
    let Num::Float(float) = number(work, input)? else { return Ok(input.clone()) };
    // A double has at most 17 significant digits between 1e-308 and 1e308.
    let digits = i32::try_from(digits.clamp(-308, 308)).unwrap_or_default();
    let scale = 10_f64.powi(digits);
    let scaled = float * scale;
    // Beyond 2^53 every double is whole already.
    if !scaled.is_finite() || scaled.abs() >= 9.007_199_254_740_992e15 {
        return Ok(input.clone());
    }
    finish(work, Num::Float(scaled.round() / scale))
}

fn abs(work: &Work<'_, '_>, input: &Value) -> Result<Value, EvalError> {
    let num = match number(work, input)? {
        Num::Int(int) => Num::Int(int.abs()),
        Num::Float(float) => Num::Float(float.abs()),
    };
    finish(work, num)
}

/// Truncates towards zero; text must be a number.
fn to_int(work: &Work<'_, '_>, input: &Value) -> Result<Value, EvalError> {
    let num = match input {
        Value::String(text) => {
            let text = text.trim();
            let int = text.parse::<i128>().map(Num::Int);
            int.or_else(|_| text.parse().map(Num::Float)).map_err(|_| work.wrong_input("a number", input))?
        }
        _ => number(work, input)?,
    };
    match num {
        Num::Float(float) if !float.is_finite() => Err(work.env.no_number(NumError::NotFinite, work.node)),
        Num::Float(float) => finish(work, Num::Int(float as i128)),
        int => finish(work, int),
    }
}

fn to_float(work: &Work<'_, '_>, input: &Value) -> Result<Value, EvalError> {
    let float = match input {
        Value::String(text) => text.trim().parse().map_err(|_| work.wrong_input("a number", input))?,
        _ => number(work, input)?.float(),
    };
    finish(work, Num::Float(float))
}
