//! Where right answers come from: functions in binary64 that ship with Assay, or a program.
//!
//! One file per function, one line in [`BUILTIN`]. An oracle never sees what a candidate wrote. The terms of a sum that it tells
//! are bounds of what a relative error of the sum does to the element: the tolerance is `g` times them.

mod add;
mod copy;
mod group_norm_silu;
mod program;
mod qk_norm_rope;
mod rmsnorm;
mod scale_shift;
mod wants;
mod watched;

pub use watched::{Asked, Listener, Watched, silent, without_terms};

use crate::case::Case;
use crate::task::{Loaded, Task};

/// The right values of one output.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Expected {
    /// Values in the order of the indices, not rounded to the output's type.
    pub values: Vec<f64>,
    /// For each element the sum of the absolute terms of the sum in it; empty where no sum is inside.
    pub terms: Vec<f64>,
}

impl Expected {
    /// Without values yet, with room for so many.
    pub(crate) fn with_capacity(elements: usize) -> Self {
        Self { values: Vec::with_capacity(elements), terms: Vec::with_capacity(elements) }
    }
}

/// Computes right answers, of several shapes at once if asked from several threads.
pub trait Oracle: Sync {
    /// The right values, one for each output in the order of the call. `inputs` are in the order of the call, each in the order of
    /// its indices, with the values that the kernel reads.
    fn expect(&self, case: &Case, inputs: &[Vec<f64>]) -> Result<Vec<Expected>, OracleError>;
}

/// Why there is no right answer.
#[derive(Debug, thiserror::Error)]
pub enum OracleError {
    /// No function of this name.
    #[error("`{name}` does not ship with Assay")]
    Unknown {
        /// The name.
        name: String,
    },
    /// The task does not have what the function needs.
    #[error("`{oracle}` {message}")]
    Wants {
        /// The function.
        oracle: &'static str,
        /// What it needs.
        message: String,
    },
    /// Tensors do not fit each other.
    #[error("`{oracle}` at {title}: {message}")]
    Shape {
        /// The function.
        oracle: &'static str,
        /// The sizes, such as `R=512 C=768`.
        title: String,
        /// What does not fit.
        message: String,
    },
    /// The program failed.
    #[error("the oracle `{program}` {message}")]
    Program {
        /// Its name.
        program: String,
        /// What happened.
        message: String,
    },
}

type Make = fn(&Task) -> Result<Box<dyn Oracle>, OracleError>;

/// The functions.
const BUILTIN: [(&str, Make); 6] = [
    (rmsnorm::NAME, rmsnorm::make),
    (qk_norm_rope::NAME, qk_norm_rope::make),
    (scale_shift::NAME, scale_shift::make),
    (group_norm_silu::NAME, group_norm_silu::make),
    (copy::NAME, copy::make),
    (add::NAME, add::make),
];

/// Names of the functions that ship with Assay.
pub fn names() -> impl Iterator<Item = &'static str> + Clone {
    BUILTIN.iter().map(|(name, _)| *name)
}

/// The oracle of a task.
pub fn oracle(loaded: &Loaded) -> Result<Box<dyn Oracle>, OracleError> {
    let Some(name) = &loaded.task.oracle.builtin else { return program::make(loaded) };
    let known = BUILTIN.iter().find(|(known, _)| known == name);
    let (_, make) = known.ok_or_else(|| OracleError::Unknown { name: name.clone() })?;
    make(&loaded.task)
}

#[cfg(test)]
mod tests;
