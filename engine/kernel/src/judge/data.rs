//! Inputs of a call with the right answers to them.

use super::setup::JudgeError;
use crate::case::Case;
use crate::generate;
use crate::oracle::{Expected, Oracle};
use crate::task::Task;

/// What lies in the gaps of inputs: a NaN in every type of float, so that reading it shows.
const GAP: u8 = 0xff;

/// Inputs of a call with the right answers to them.
#[derive(Debug, Clone)]
pub struct Data {
    /// What is particular about it.
    pub what: String,
    /// Values of the inputs, in the order of the call.
    pub values: Vec<Vec<f64>>,
    /// Bytes of the inputs, in the order of the call.
    pub bytes: Vec<Vec<u8>>,
    /// The right answers, in the order of the outputs.
    pub expected: Vec<Expected>,
}

impl Data {
    /// Draws inputs at a scale.
    pub fn draw(
        task: &Task,
        oracle: &dyn Oracle,
        case: &Case,
        seed: u64,
        scale: f64,
    ) -> Result<Self, JudgeError> {
        let values = case.inputs().map(|tensor| generate::values(task, case, tensor, seed, scale)).collect();
        Self::of(oracle, case, format!("scale {scale}"), values)
    }

    /// Of these values.
    pub fn of(
        oracle: &dyn Oracle,
        case: &Case,
        what: String,
        values: Vec<Vec<f64>>,
    ) -> Result<Self, JudgeError> {
        let expected = oracle.expect(case, &values)?;
        let bytes = case
            .inputs()
            .zip(&values)
            .map(|(tensor, values)| {
                let layout = &case.tensors[tensor].layout;
                let mut bytes = vec![GAP; layout.span()];
                layout.write(values, &mut bytes);
                bytes
            })
            .collect();
        Ok(Self { what, values, bytes, expected })
    }

    /// The same with other values.
    pub fn edited(
        &self,
        oracle: &dyn Oracle,
        case: &Case,
        what: String,
        edit: impl FnOnce(&mut Vec<Vec<f64>>),
    ) -> Result<Self, JudgeError> {
        let mut values = self.values.clone();
        edit(&mut values);
        Self::of(oracle, case, what, values)
    }
}
