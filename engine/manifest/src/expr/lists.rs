//! Filters over lists and maps.

use super::ast::Node;
use super::errors::EvalError;
use super::eval::Out;
use super::filters::{Filter, Work};
use super::ops::{self, Num};
use super::scope::{Key, Lookup, descend};
use super::tests_;
use super::{ast::ArithOp, errors::describe};
use assay_protocol::Value;
use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::HashSet;

type Filtered = Result<Value, EvalError>;

fn elements<'v>(work: &Work<'_, '_>, input: &'v Value) -> Result<&'v [Value], EvalError> {
    input.as_array().map(Vec::as_slice).ok_or_else(|| work.wrong_input("a list", input))
}

pub(super) fn length(work: &Work<'_, '_>, input: &Value) -> Filtered {
    Ok(Value::from(match input {
        Value::Array(list) => list.len(),
        Value::Object(map) => map.len(),
        Value::String(text) => text.chars().count(),
        other => return Err(work.wrong_input("a list, a map or text", other)),
    }))
}

/// The first or last element; undefined if there is none.
pub(super) fn end<'v>(work: &Work<'_, '_>, input: &Value, last: bool) -> Result<Out<'v>, EvalError> {
    let element = match (input, last) {
        (Value::Array(list), false) => list.first().cloned(),
        (Value::Array(list), true) => list.last().cloned(),
        (Value::String(text), false) => text.chars().next().map(|c| Value::from(c.to_string())),
        (Value::String(text), true) => text.chars().next_back().map(|c| Value::from(c.to_string())),
        (other, _) => return Err(work.wrong_input("a list or text", other)),
    };
    Ok(work.undefined_if_empty(element))
}

fn numbers(work: &Work<'_, '_>, input: &Value) -> Result<Vec<Num>, EvalError> {
    let each = elements(work, input)?.iter().enumerate();
    each.map(|(at, value)| Num::of(value).ok_or_else(|| work.wrong_element(at, "numbers", value))).collect()
}

pub(super) fn extreme(work: &Work<'_, '_>, input: &Value, largest: bool) -> Filtered {
    let wanted = if largest { Ordering::Greater } else { Ordering::Less };
    let best = numbers(work, input)?.into_iter().reduce(
        |best, next| {
            if next.order(best) == wanted { next } else { best }
        },
    );
    match best {
        Some(num) => num.value().map_err(|error| work.env.no_number(error, work.node)),
        None => Err(EvalError::Empty {
            filter: work.name().to_owned(),
            operand: work.env.quoted(&work.call.base),
            range: work.call.base.range.clone(),
        }),
    }
}

pub(super) fn sum(work: &Work<'_, '_>, input: &Value) -> Filtered {
    let mut total = Value::from(0);
    for num in numbers(work, input)? {
        let so_far = Num::of(&total).unwrap_or(Num::Int(0));
        total =
            ops::arith(ArithOp::Add, so_far, num).map_err(|error| work.env.no_number(error, work.node))?;
    }
    Ok(total)
}

/// The path of an `attribute=` argument: names and indices separated by points.
struct Attribute {
    keys: Vec<Key<'static>>,
}

impl Attribute {
    fn parse(text: &str) -> Attribute {
        let key = |part: &str| match part.parse() {
            Ok(index) => Key::Index(index),
            Err(_) => Key::Name(Cow::Owned(part.to_owned())),
        };
        Attribute { keys: text.split('.').map(key).collect() }
    }

    fn named(work: &Work<'_, '_>) -> Result<Option<Attribute>, EvalError> {
        let node = work.named("attribute");
        node.map(|node| work.text_arg(node).map(|text| Attribute::parse(&text))).transpose()
    }

    fn of<'v>(&self, work: &Work<'_, '_>, at: usize, element: &'v Value) -> Result<&'v Value, EvalError> {
        match self.look(work, at, element) {
            Ok(value) => Ok(value),
            Err(why) => {
                let expr = work.node.text(work.env.text).to_owned();
                Err(EvalError::Undefined { expr, why, range: work.node.range.clone() })
            }
        }
    }

    fn look<'v>(&self, work: &Work<'_, '_>, at: usize, element: &'v Value) -> Result<&'v Value, String> {
        let shown = format!("{}[{at}]", work.call.base.text(work.env.text));
        match descend(Cow::Borrowed(element), &self.keys, &shown) {
            Lookup::Value(Cow::Borrowed(value)) => Ok(value),
            Lookup::Undefined { why } => Err(why),
            Lookup::Value(Cow::Owned(_)) | Lookup::UnknownRoot => Err("there is no such value".to_owned()),
        }
    }
}

pub(super) fn map(work: &Work<'_, '_>, input: &Value) -> Filtered {
    let list = elements(work, input)?;
    let Some(attribute) = Attribute::named(work)? else {
        let message = "`map` needs `attribute`".to_owned();
        return Err(EvalError::Argument { message, range: work.node.range.clone() });
    };
    let default = work.named("default").map(|node| work.env.value(node)).transpose()?;
    let mut picked = Vec::with_capacity(list.len());
    for (at, element) in list.iter().enumerate() {
        picked.push(match (&default, attribute.look(work, at, element)) {
            (_, Ok(value)) => value.clone(),
            (Some(default), Err(_)) => default.as_ref().clone(),
            (None, Err(_)) => attribute.of(work, at, element)?.clone(),
        });
    }
    Ok(Value::Array(picked))
}

pub(super) fn select(work: &Work<'_, '_>, input: &Value, keep: bool) -> Filtered {
    let list = elements(work, input)?;
    let by_attribute = matches!(work.call.filter, Filter::SelectAttr | Filter::RejectAttr);
    let mut args = work.call.args.iter();
    let attribute = match by_attribute {
        true => args.next().map(|node| work.text_arg(node)).transpose()?,
        false => None,
    };
    let attribute = attribute.as_deref().map(Attribute::parse);
    let arg: Option<(&Node, Cow<'_, Value>)> =
        args.next().map(|node| Ok::<_, EvalError>((node, work.env.value(node)?))).transpose()?;
    let arg = arg.as_ref().map(|(node, value)| (*node, value.as_ref()));
    let mut kept = Vec::new();
    for (at, element) in list.iter().enumerate() {
        if passes(work, at, element, attribute.as_ref(), arg)? == keep {
            kept.push(element.clone());
        }
    }
    Ok(Value::Array(kept))
}

fn passes(
    work: &Work<'_, '_>,
    at: usize,
    element: &Value,
    attribute: Option<&Attribute>,
    arg: Option<(&Node, &Value)>,
) -> Result<bool, EvalError> {
    use tests_::Test;
    let value = match (attribute, work.call.test) {
        (None, _) => element,
        // The only tests that a missing attribute may meet.
        (Some(attribute), Some(Test::Defined)) => return Ok(attribute.look(work, at, element).is_ok()),
        (Some(attribute), Some(Test::Undefined)) => return Ok(attribute.look(work, at, element).is_err()),
        (Some(attribute), _) => attribute.of(work, at, element)?,
    };
    match (work.call.test, value) {
        (Some(test), value) => {
            tests_::holds(work.env, test, (&work.call.base, value), arg).map_err(|error| {
                // The operand is one element, not the whole list that stands in the text.
                named_element(work, at, error)
            })
        }
        (None, Value::Bool(flag)) => Ok(*flag),
        (None, other) => Err(EvalError::NotABoolean {
            what: format!("what `{}` looks at", work.name()),
            operand: format!("element {at} of {}", work.env.quoted(&work.call.base)),
            found: describe(other),
            range: work.call.base.range.clone(),
        }),
    }
}

fn named_element(work: &Work<'_, '_>, at: usize, mut error: EvalError) -> EvalError {
    let whole = work.env.quoted(&work.call.base);
    if let EvalError::NotComparable { operand, .. } | EvalError::WrongKind { operand, .. } = &mut error
        && *operand == whole
    {
        *operand = format!("element {at} of {whole}");
    }
    error
}

/// All numbers or all text, in a stable order.
pub(super) fn sort(work: &Work<'_, '_>, input: &Value) -> Filtered {
    let list = elements(work, input)?;
    let attribute = Attribute::named(work)?;
    let descending = match work.named("reverse") {
        Some(node) => work.env.condition(node, "`reverse`")?,
        None => false,
    };
    let mut keyed = Vec::with_capacity(list.len());
    for (at, element) in list.iter().enumerate() {
        let key = match &attribute {
            Some(attribute) => attribute.of(work, at, element)?,
            None => element,
        };
        let first = keyed.first().map_or(key, |(first, _): &(&Value, &Value)| *first);
        match (first, key) {
            (Value::Number(_), Value::Number(_)) | (Value::String(_), Value::String(_)) => {}
            _ => return Err(work.wrong_element(at, "only numbers or only text", key)),
        }
        keyed.push((key, element));
    }
    keyed.sort_by(|(a, _), (b, _)| {
        let order = match (Num::of(a), Num::of(b)) {
            (Some(a), Some(b)) => a.order(b),
            _ => a.as_str().cmp(&b.as_str()),
        };
        if descending { order.reverse() } else { order }
    });
    Ok(Value::Array(keyed.into_iter().map(|(_, element)| element.clone()).collect()))
}

pub(super) fn unique(work: &Work<'_, '_>, input: &Value) -> Filtered {
    let attribute = Attribute::named(work)?;
    let mut seen = HashSet::new();
    let mut kept = Vec::new();
    for (at, element) in elements(work, input)?.iter().enumerate() {
        let key = match &attribute {
            Some(attribute) => attribute.of(work, at, element)?,
            None => element,
        };
        if seen.insert(canonical(key)) {
            kept.push(element.clone());
        }
    }
    Ok(Value::Array(kept))
}

/// A text that is the same for values that are equal: 1 and 1.0, and maps in any order.
fn canonical(value: &Value) -> String {
    match value {
        Value::Number(_) => match Num::of(value) {
            // A whole double below 2^63 has an exact integer.
            Some(Num::Float(float)) if float.fract() == 0.0 && float.abs() < 9.3e18 => {
                (float as i128).to_string()
            }
            _ => value.to_string(),
        },
        Value::Array(list) => format!("[{}]", list.iter().map(canonical).collect::<Vec<_>>().join(",")),
        Value::Object(map) => {
            let mut entries: Vec<_> =
                map.iter().map(|(key, value)| format!("{key:?}:{}", canonical(value))).collect();
            entries.sort();
            format!("{{{}}}", entries.join(","))
        }
        other => other.to_string(),
    }
}

pub(super) fn reverse(work: &Work<'_, '_>, input: &Value) -> Filtered {
    match input {
        Value::Array(list) => Ok(Value::Array(list.iter().rev().cloned().collect())),
        Value::String(text) => Ok(Value::String(text.chars().rev().collect())),
        other => Err(work.wrong_input("a list or text", other)),
    }
}

pub(super) fn list(work: &Work<'_, '_>, input: &Value) -> Filtered {
    match input {
        Value::Array(_) => Ok(input.clone()),
        Value::Object(map) => Ok(Value::Array(map.keys().cloned().map(Value::String).collect())),
        Value::String(text) => Ok(Value::Array(text.chars().map(|c| Value::from(c.to_string())).collect())),
        other => Err(work.wrong_input("a list, a map or text", other)),
    }
}

/// The elements of lists in a list, one level deep; other elements stay.
pub(super) fn flatten(work: &Work<'_, '_>, input: &Value) -> Filtered {
    let list = input.as_array().ok_or_else(|| work.wrong_input("a list", input))?;
    let parts =
        list.iter().map(|element| element.as_array().map_or(std::slice::from_ref(element), Vec::as_slice));
    Ok(Value::Array(parts.flatten().cloned().collect()))
}

pub(super) fn items(work: &Work<'_, '_>, input: &Value, sorted: bool) -> Filtered {
    let map = input.as_object().ok_or_else(|| work.wrong_input("a map", input))?;
    let mut entries: Vec<_> = map.iter().collect();
    if sorted {
        entries.sort_by(|a, b| a.0.cmp(b.0));
    }
    let pair = |(key, value): (&String, &Value)| Value::Array(vec![Value::from(key.as_str()), value.clone()]);
    Ok(Value::Array(entries.into_iter().map(pair).collect()))
}
