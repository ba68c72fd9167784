//! Arguments of a kernel that is launched: `x`, `R: i32`, `x.stride[0]`, `eps: f64`. Must not know values.

use super::{Size, Task, axes};

/// Type in which a number is passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Number {
    /// 32-bit whole number.
    I32,
    /// 64-bit whole number.
    I64,
    /// binary32.
    F32,
    /// binary64.
    F64,
}

/// What an argument stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Argument {
    /// Address of a tensor, by its place among inputs and outputs.
    Tensor(usize),
    /// Elements from one index of a dimension of a tensor to the next.
    Stride(usize, usize, Number),
    /// An expression over axes.
    Size(Size, Number),
    /// A scalar, by its place.
    Scalar(usize, Number),
}

/// Reads an argument of a task.
///
/// # Errors
/// What is wrong with it, a fragment.
pub fn parse(task: &Task, text: &str) -> Result<Argument, String> {
    let (name, kind) = match text.split_once(':') {
        Some((name, kind)) => (name.trim(), Some(number(kind.trim())?)),
        None => (text.trim(), None),
    };
    let tensor = |name: &str| task.inputs.keys().chain(task.outputs.keys()).position(|one| one == name);
    let whole = |kind: Option<Number>| match kind {
        Some(Number::F32 | Number::F64) => {
            Err(format!("`{text}` is a whole number; pass it as `i32` or `i64`"))
        }
        kind => Ok(kind.unwrap_or(Number::I64)),
    };
    if let Some(at) = tensor(name) {
        return match kind {
            None => Ok(Argument::Tensor(at)),
            Some(_) => {
                Err(format!("`{name}` is a tensor, which is passed by its address and has no type here"))
            }
        };
    }
    if let Some(at) = task.scalars.get_index_of(name) {
        return Ok(Argument::Scalar(at, kind.unwrap_or(Number::F32)));
    }
    let stride = name.strip_suffix(']').and_then(|rest| rest.split_once(".stride["));
    if let Some((owner, dimension)) = stride {
        let at = tensor(owner).ok_or_else(|| format!("`{owner}` is no tensor"))?;
        let rank = |shape: &Vec<Size>| shape.len();
        let inputs = task.inputs.values().map(|one| rank(&one.shape));
        let rank = inputs.chain(task.outputs.values().map(|one| rank(&one.shape))).nth(at).unwrap_or(0);
        let dimension = dimension.parse::<usize>().ok().filter(|dimension| *dimension < rank);
        let dimension =
            dimension.ok_or_else(|| format!("`{owner}` has {rank} dimensions, counted from 0"))?;
        return Ok(Argument::Stride(at, dimension, whole(kind)?));
    }
    axes::check(name, task.axes.keys().map(String::as_str)).map_err(|error| {
        format!("{error}; an argument is a tensor, a scalar, a stride or an expression over axes")
    })?;
    Ok(Argument::Size(Size(name.to_owned()), whole(kind)?))
}

fn number(name: &str) -> Result<Number, String> {
    match name {
        "i32" => Ok(Number::I32),
        "i64" => Ok(Number::I64),
        "f32" => Ok(Number::F32),
        "f64" => Ok(Number::F64),
        other => Err(format!("`{other}` is no type of an argument; there are `i32`, `i64`, `f32` and `f64`")),
    }
}
