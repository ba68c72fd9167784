//! Numbers, order, equality and text: the strict meaning of the operators.
//!
//! Must not know scopes or trees. An operand is described in words so that an error can name it.

use super::ast::{ArithOp, CompareOp};
use assay_protocol::Value;
use serde_json::Number;
use std::cmp::Ordering;

/// A finite number; integers stay exact.
#[derive(Debug, Clone, Copy)]
pub(super) enum Num {
    /// Fits `i64` or `u64`.
    Int(i128),
    Float(f64),
}

/// Why there is no number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NumError {
    NotFinite,
    ZeroDivision,
    Overflow,
}

impl Num {
    /// The number that a value is; true and "1" are none.
    pub fn of(value: &Value) -> Option<Num> {
        let Value::Number(number) = value else { return None };
        if let Some(int) = number.as_i64() {
            return Some(Num::Int(int.into()));
        }
        match number.as_u64() {
            Some(int) => Some(Num::Int(int.into())),
            None => number.as_f64().filter(|float| float.is_finite()).map(Num::Float),
        }
    }

    pub fn float(self) -> f64 {
        match self {
            Num::Int(int) => int as f64,
            Num::Float(float) => float,
        }
    }

    pub fn value(self) -> Result<Value, NumError> {
        match self {
            Num::Int(int) => match (i64::try_from(int), u64::try_from(int)) {
                (Ok(small), _) => Ok(Value::from(small)),
                (_, Ok(large)) => Ok(Value::from(large)),
                _ => Err(NumError::Overflow),
            },
            Num::Float(float) => Number::from_f64(float).map(Value::Number).ok_or(NumError::NotFinite),
        }
    }

    /// The exact order: 2^53 + 1 is above 2.0^53 although both are the same float.
    pub fn order(self, other: Num) -> Ordering {
        match (self, other) {
            (Num::Int(a), Num::Int(b)) => a.cmp(&b),
            (Num::Float(a), Num::Float(b)) => a.partial_cmp(&b).unwrap_or(Ordering::Equal),
            (Num::Int(a), Num::Float(b)) => int_to_float(a, b),
            (Num::Float(a), Num::Int(b)) => int_to_float(b, a).reverse(),
        }
    }
}

fn int_to_float(int: i128, float: f64) -> Ordering {
    // The cast saturates far beyond every 64-bit integer, which keeps the order.
    match int.cmp(&(float.floor() as i128)) {
        Ordering::Equal if float.fract() != 0.0 => Ordering::Less,
        order => order,
    }
}

pub(super) fn arith(op: ArithOp, left: Num, right: Num) -> Result<Value, NumError> {
    let zero = right.float() == 0.0;
    if zero && matches!(op, ArithOp::Div | ArithOp::FloorDiv | ArithOp::Rem) {
        return Err(NumError::ZeroDivision);
    }
    let result = match (op, left, right) {
        (ArithOp::Div, a, b) => Num::Float(a.float() / b.float()),
        (ArithOp::Pow, Num::Int(base), Num::Int(power)) => int_pow(base, power)?,
        (ArithOp::Pow, a, b) if a.float() == 0.0 && b.float() < 0.0 => return Err(NumError::ZeroDivision),
        (ArithOp::Pow, a, b) => Num::Float(a.float().powf(b.float())),
        (_, Num::Int(a), Num::Int(b)) => Num::Int(int_arith(op, a, b).ok_or(NumError::Overflow)?),
        (ArithOp::Add, a, b) => Num::Float(a.float() + b.float()),
        (ArithOp::Sub, a, b) => Num::Float(a.float() - b.float()),
        (ArithOp::Mul, a, b) => Num::Float(a.float() * b.float()),
        (ArithOp::FloorDiv, a, b) => Num::Float(floor_div_rem(a.float(), b.float()).0),
        (ArithOp::Rem, a, b) => Num::Float(floor_div_rem(a.float(), b.float()).1),
    };
    result.value()
}

fn int_arith(op: ArithOp, a: i128, b: i128) -> Option<i128> {
    match op {
        ArithOp::Add => a.checked_add(b),
        ArithOp::Sub => a.checked_sub(b),
        ArithOp::Mul => a.checked_mul(b),
        // Both round towards minus infinity, as in Python: the remainder has the divisor's sign.
        ArithOp::FloorDiv => {
            let (quotient, remainder) = (a.checked_div(b)?, a.checked_rem(b)?);
            let down = remainder != 0 && (remainder < 0) != (b < 0);
            quotient.checked_sub(i128::from(down))
        }
        ArithOp::Rem => {
            let remainder = a.checked_rem(b)?;
            let down = remainder != 0 && (remainder < 0) != (b < 0);
            if down { remainder.checked_add(b) } else { Some(remainder) }
        }
        ArithOp::Div | ArithOp::Pow => None,
    }
}

fn int_pow(base: i128, power: i128) -> Result<Num, NumError> {
    if power < 0 {
        return match base {
            0 => Err(NumError::ZeroDivision),
            _ => Ok(Num::Float((base as f64).powf(power as f64))),
        };
    }
    // 0, 1 and -1 have every power; for others one that does not fit 32 bits overflows anyway.
    match base {
        0 | 1 => Ok(Num::Int(if power == 0 { 1 } else { base })),
        -1 => Ok(Num::Int(if power % 2 == 0 { 1 } else { -1 })),
        _ => u32::try_from(power)
            .ok()
            .and_then(|power| base.checked_pow(power))
            .map(Num::Int)
            .ok_or(NumError::Overflow),
    }
}

/// Python's float floor division and modulo (`float_divmod` in CPython's floatobject.c).
fn floor_div_rem(a: f64, b: f64) -> (f64, f64) {
    let mut remainder = a % b;
    let mut quotient = (a - remainder) / b;
    if remainder == 0.0 {
        remainder = 0.0_f64.copysign(b);
    } else if (remainder < 0.0) != (b < 0.0) {
        remainder += b;
        quotient -= 1.0;
    }
    if quotient == 0.0 {
        return (0.0_f64.copysign(a / b), remainder);
    }
    let floor = quotient.floor();
    (if quotient - floor > 0.5 { floor + 1.0 } else { floor }, remainder)
}

/// Deep equality; 1 equals 1.0, the order of a map's keys does not matter.
pub(super) fn equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(_), Value::Number(_)) => {
            matches!((Num::of(a), Num::of(b)), (Some(a), Some(b)) if a.order(b).is_eq())
        }
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| equal(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| equal(a, b)))
        }
        _ => a == b,
    }
}

/// Whether an order holds; `op` is one of the four order signs.
pub(super) fn ordered(op: CompareOp, order: Ordering) -> bool {
    match op {
        CompareOp::Lt => order.is_lt(),
        CompareOp::Le => order.is_le(),
        CompareOp::Gt => order.is_gt(),
        CompareOp::Ge => order.is_ge(),
        CompareOp::Eq => order.is_eq(),
        CompareOp::Ne => order.is_ne(),
        CompareOp::In | CompareOp::NotIn => false,
    }
}

/// A value inside a text; none for null.
pub(super) fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}
