//! Whether a task asks for anything: a task whose answer hardly depends on its inputs is passed by a kernel that does nothing.
//!
//! The limits are those that published campaigns filter tasks by: outputs within 0.01 of zero, or with a deviation below 0.01 of
//! their size, are no test.

use super::{Loaded, Task};
use crate::case::{self, Case, Kind};
use crate::generate;
use crate::oracle::{self, Expected, Oracle, OracleError};
use crate::tolerance;
use indexmap::IndexMap;

/// Sizes that the lint computes at: small, since an oracle is slow, and enough for a deviation.
const SIZE: u64 = 24;
/// Elements beyond which a tensor is not small.
const MOST_ELEMENTS: usize = 1 << 17;
/// Elements beyond which nothing is computed here: memory and time of a check, not of a judgement.
const TOO_MANY: usize = 1 << 25;
/// Below this an output, or its deviation as a share of its size, is nothing.
const NOTHING: f64 = 0.01;

/// Why a task asks for nothing.
#[derive(Debug, thiserror::Error)]
pub enum Lint {
    /// The oracle does not answer.
    #[error(transparent)]
    Oracle(#[from] OracleError),
    /// There is no small case.
    #[error(transparent)]
    Task(#[from] super::TaskError),
    /// The smallest call is too large to try.
    #[error("a tensor has {elements} elements in the smallest call that the ranges allow, too many to try")]
    Large {
        /// Elements of the largest tensor.
        elements: usize,
    },
    /// The right answer is not a number.
    #[error("the right answer of `{output}` is not finite at scale {scale}")]
    NotFinite {
        /// The output.
        output: String,
        /// The factor on the inputs.
        scale: f64,
    },
    /// The right answer is almost zero.
    #[error("`{output}` is almost zero everywhere: at most {most:.2e} at the largest scale")]
    Zero {
        /// The output.
        output: String,
        /// Its largest absolute value.
        most: f64,
    },
    /// All elements are almost the same.
    #[error("`{output}` is almost constant: its deviation is {share:.2e} of its size")]
    Constant {
        /// The output.
        output: String,
        /// Standard deviation as a share of the root mean square.
        share: f64,
    },
    /// The output is the same along one dimension.
    #[error("`{output}` does not vary along dimension {dimension}")]
    Repeats {
        /// The output.
        output: String,
        /// The dimension.
        dimension: usize,
    },
    /// Other inputs give almost the same.
    #[error("`{output}` hardly depends on the inputs: other data change it by {share:.2e} of its size")]
    Same {
        /// The output.
        output: String,
        /// The change as a share of the size, both in the 2-norm.
        share: f64,
    },
    /// A value of a scalar that shows nowhere.
    #[error(
        "at {value:e} `{scalar}` gives the same as at {first:e}, as far as the tolerance tells: a kernel that knows only the first would pass, or the oracle ignores it"
    )]
    Scalar {
        /// The scalar.
        scalar: String,
        /// Its first value.
        first: f64,
        /// The other one.
        value: f64,
    },
    /// An input that does nothing.
    #[error("`{input}` changes no output")]
    Unused {
        /// The input.
        input: String,
    },
}

impl Lint {
    /// Where in the task it stands.
    pub(super) fn path(&self) -> Vec<&str> {
        match self {
            Self::Oracle(_) | Self::Task(_) => vec!["oracle"],
            Self::Large { .. } => vec!["axes"],
            Self::Unused { input } => vec!["inputs", input],
            Self::Scalar { scalar, .. } => vec!["scalars", scalar],
            Self::NotFinite { output, .. }
            | Self::Zero { output, .. }
            | Self::Constant { output, .. }
            | Self::Repeats { output, .. }
            | Self::Same { output, .. } => vec!["outputs", output],
        }
    }

    /// A way out.
    pub fn help(&self) -> Option<String> {
        let help = match self {
            Self::Oracle(_) | Self::Task(_) => return None,
            Self::Large { .. } => "let an axis be smaller, or make it a size that a shape names",
            Self::NotFinite { .. } => "keep `scales` within what the function and the types take",
            Self::Scalar { .. } => {
                "take values further apart, add to `scales` where the number matters, or let the oracle read the scalar"
            }
            Self::Unused { .. } => "take it away, or generate values of it that matter",
            _ => "a kernel that does nothing would pass; give inputs another `gen`, or another task",
        };
        Some(help.to_owned())
    }
}

/// Checks with the oracle that outputs are finite, vary over their elements, and depend on every input.
///
/// Loading does this for oracles that ship with Assay; for programs the caller does, since it runs them.
pub fn lint(loaded: &Loaded, oracle: &dyn Oracle) -> Result<(), Lint> {
    let task = &loaded.task;
    let case = small(task)?;
    let elements = case.tensors.iter().map(|tensor| tensor.layout.len()).max().unwrap_or(0);
    if elements > TOO_MANY {
        return Err(Lint::Large { elements });
    }
    let first = inputs(task, &case, 1, 1.0);
    let right = expect(oracle, &case, &first)?;
    for scale in generate::scales(task) {
        let scaled = expect(oracle, &case, &inputs(task, &case, 1, scale))?;
        let found = scaled.iter().position(|output| output.iter().any(|value| !value.is_finite()));
        if let Some(at) = found {
            return Err(Lint::NotFinite { output: name(&case, at), scale });
        }
    }
    let largest = generate::scales(task).into_iter().fold(1.0, f64::max);
    let high = expect(oracle, &case, &inputs(task, &case, 1, largest))?;
    let other = expect(oracle, &case, &inputs(task, &case, 2, 1.0))?;
    for at in 0..right.len() {
        varies(&case, at, &right[at], &high[at])?;
        let share = distance(&right[at], &other[at]);
        if share < NOTHING {
            return Err(Lint::Same { output: name(&case, at), share });
        }
    }
    unused(task, &case, oracle, &first, &right)?;
    scalars(task, &case, oracle)
}

/// The outputs for whose sums the task allows something, and of which the oracle tells none.
///
/// # Errors
/// As [`lint`].
pub fn silent<'a>(loaded: &'a Loaded, oracle: &dyn Oracle) -> Result<Vec<&'a str>, Lint> {
    let task = &loaded.task;
    let case = small(task)?;
    Ok(oracle::silent(task, &oracle.expect(&case, &inputs(task, &case, 1, 1.0))?))
}

/// Each further value of a scalar must show at some scale: what is right at its first value must be wrong there.
fn scalars(task: &Task, case: &Case, oracle: &dyn Oracle) -> Result<(), Lint> {
    for (at, (name, scalar)) in task.scalars.iter().enumerate() {
        for value in scalar.all().into_iter().skip(1) {
            let mut other = case.clone();
            other.scalars[at] = value;
            let mut shows = false;
            for scale in generate::scales_at(task, Kind::Scalar) {
                let inputs = inputs(task, case, 1, scale);
                let (known, right) = (oracle.expect(case, &inputs)?, oracle.expect(&other, &inputs)?);
                shows = shows || told_apart(task, &other, &known, &right);
            }
            if !shows {
                return Err(Lint::Scalar { scalar: name.clone(), first: scalar.at(0), value });
            }
        }
    }
    Ok(())
}

/// Whether results that are right for other scalars, and rounded as outputs are, are wrong here.
fn told_apart(task: &Task, case: &Case, known: &[Expected], right: &[Expected]) -> bool {
    let outputs = task.outputs.values().zip(known.iter().zip(right));
    outputs.into_iter().any(|(output, (known, right))| {
        let got: Vec<f64> = known.values.iter().map(|value| output.dtype.rounded(*value)).collect();
        !tolerance::errors(task, output, &case.axes, right, &got).passed()
    })
}

/// The call at small sizes: smaller ones where fixed axes make tensors large.
fn small(task: &Task) -> Result<Case, super::TaskError> {
    let mut size = SIZE;
    loop {
        let case = case::make(task, Kind::Hidden, &sizes(task, size), 0)?;
        let elements = case.tensors.iter().map(|tensor| tensor.layout.len()).max().unwrap_or(0);
        if elements <= MOST_ELEMENTS || size <= 3 {
            return Ok(case);
        }
        size /= 2;
    }
}

/// Every axis at this size, or the next that it takes.
fn sizes(task: &Task, size: u64) -> IndexMap<String, u64> {
    let near = |axis: &super::Axis| {
        let [low, high] = axis.range;
        let up = size.max(low).div_ceil(axis.multiple_of) * axis.multiple_of;
        if up <= high { up } else { high / axis.multiple_of * axis.multiple_of }
    };
    task.axes.iter().map(|(name, axis)| (name.clone(), near(axis))).collect()
}

fn inputs(task: &Task, case: &Case, seed: u64, scale: f64) -> Vec<Vec<f64>> {
    case.inputs().map(|at| generate::values(task, case, at, seed, scale)).collect()
}

fn expect(oracle: &dyn Oracle, case: &Case, inputs: &[Vec<f64>]) -> Result<Vec<Vec<f64>>, OracleError> {
    Ok(oracle.expect(case, inputs)?.into_iter().map(|one| one.values).collect())
}

fn name(case: &Case, output: usize) -> String {
    case.outputs().nth(output).map(|at| case.tensors[at].name.clone()).unwrap_or_default()
}

fn norm(values: impl Iterator<Item = f64>) -> f64 {
    values.map(|value| value * value).sum::<f64>().sqrt()
}

/// Distance of two outputs as a share of the first.
fn distance(one: &[f64], other: &[f64]) -> f64 {
    norm(one.iter().zip(other).map(|(one, other)| one - other))
        / norm(one.iter().copied()).max(f64::MIN_POSITIVE)
}

fn varies(case: &Case, at: usize, values: &[f64], high: &[f64]) -> Result<(), Lint> {
    let output = name(case, at);
    let most = values.iter().chain(high).fold(0.0_f64, |most, value| most.max(value.abs()));
    if most < NOTHING {
        return Err(Lint::Zero { output, most });
    }
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let share =
        norm(values.iter().map(|value| value - mean)) / norm(values.iter().copied()).max(f64::MIN_POSITIVE);
    if values.len() > 1 && share < NOTHING {
        return Err(Lint::Constant { output, share });
    }
    let Some(place) = case.outputs().nth(at) else { return Ok(()) };
    let shape = &case.tensors[place].layout.shape;
    for (dimension, size) in shape.iter().enumerate().filter(|(_, size)| **size > 1) {
        let inner: usize = shape[dimension + 1..].iter().product();
        let repeats = |block: &[f64]| block.iter().zip(&block[inner..]).all(|(one, next)| one == next);
        if values.chunks(inner * size).all(repeats) {
            return Err(Lint::Repeats { output, dimension });
        }
    }
    Ok(())
}

/// Each input in turn with other data, the rest as before.
fn unused(
    task: &Task,
    case: &Case,
    oracle: &dyn Oracle,
    first: &[Vec<f64>],
    right: &[Vec<f64>],
) -> Result<(), Lint> {
    for (at, input) in case.inputs().enumerate() {
        // Data of few values, such as indices below 2, may be the same by chance once, not always.
        let others = (2..8).map(|seed| generate::values(task, case, input, seed, 1.0));
        let Some(other) = others.into_iter().find(|other| *other != first[at]) else { continue };
        let mut changed = first.to_vec();
        changed[at] = other;
        if expect(oracle, case, &changed)? == right {
            return Err(Lint::Unused { input: case.tensors[input].name.clone() });
        }
    }
    Ok(())
}
