//! Inputs and outputs: shapes, generators, roundings.

use super::{Checked, expression, problem};
use crate::dtype::DType;
use crate::task::{Dist, Generator, Size, Task};

/// Most factors of an input.
const MOST_SCALES: usize = 16;

fn shape(task: &Task, sizes: &[Size], path: &[&str]) -> Checked {
    if sizes.len() > 8 {
        return problem(path, format!("{} dimensions are too many", sizes.len()), "use up to 8");
    }
    for (at, size) in sizes.iter().enumerate() {
        let at = at.to_string();
        expression(task, &size.0, &[path, &[at.as_str()]].concat())?;
    }
    Ok(())
}

pub(super) fn inputs(task: &Task) -> Checked {
    if task.inputs.is_empty() {
        return problem(&["inputs"], "there is no input", "name at least one");
    }
    for (name, input) in &task.inputs {
        shape(task, &input.shape, &["inputs", name, "shape"])?;
        generator(task, &input.generator, input.dtype, name)?;
    }
    Ok(())
}

fn generator(task: &Task, made: &Generator, dtype: DType, name: &str) -> Checked {
    let path = |field| ["inputs", name, "gen", field];
    if !made.mean.is_finite() {
        return problem(&path("mean"), "the mean is not finite", "give a number");
    }
    if !made.std.is_finite() || made.std < 0.0 {
        return problem(&path("std"), format!("{} is no spread", made.std), "give a number from 0");
    }
    if made.scales.iter().any(|scale| !scale.is_finite() || *scale <= 0.0) {
        return problem(
            &path("scales"),
            "`scales` multiply the values of an input; they must be numbers above 0",
            "such as `[0.05, 1, 30]`",
        );
    }
    if made.scales.len() > MOST_SCALES {
        return problem(
            &path("scales"),
            format!("{} scales take too long", made.scales.len()),
            &format!("give up to {MOST_SCALES}: every check of values runs at each"),
        );
    }
    expression(task, &made.low, &path("low"))?;
    expression(task, &made.high, &path("high"))?;
    if dtype.unit_roundoff().is_none() && made.dist != Dist::Integers {
        return problem(
            &path("dist"),
            format!("`{name}` holds whole numbers, and its distribution does not"),
            "write `dist: integers` with `low` and `high`",
        );
    }
    Ok(())
}

pub(super) fn outputs(task: &Task) -> Checked {
    if task.outputs.is_empty() {
        return problem(&["outputs"], "there is no output", "name at least one");
    }
    for (name, output) in &task.outputs {
        shape(task, &output.shape, &["outputs", name, "shape"])?;
        if output.roundings == 0 || output.roundings > 64 {
            return problem(
                &["outputs", name, "roundings"],
                format!("{} roundings cannot be", output.roundings),
                "every result is rounded at least once; give 1 to 64",
            );
        }
    }
    let (Some((input, from)), Some((output, to))) = (task.inputs.first(), task.outputs.first()) else {
        return Ok(());
    };
    if task.abi.inplace_allowed && (from.dtype != to.dtype || from.shape != to.shape) {
        return problem(
            &["abi", "inplace_allowed"],
            format!("`{output}` cannot lie in the memory of `{input}`: another type or shape"),
            "take `inplace_allowed` away",
        );
    }
    Ok(())
}
