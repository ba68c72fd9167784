//! What differs between the forms of a kernel: how it is built, and what can be told without running it.

mod c;
mod cuda;
mod ptx_checks;
mod python;

use super::bench::Bench;
use super::setup::JudgeError;
use crate::statics::StaticsError;
use crate::task::{Abi, Device, Form};
use crate::verdict::{Finding, Gate};
use serde_json::Value;

/// Why a build without CUDA cannot help.
pub const NO_CUDA: &str =
    "this build leaves CUDA out; build Assay with `--features cuda`, which needs no CUDA to build";

/// Whether kernels of this form can be judged by this program at all.
///
/// # Errors
/// They cannot.
pub fn supported(abi: &Abi) -> Result<(), JudgeError> {
    match (abi.form, abi.device) {
        (Form::CDltensor | Form::TvmFfi, Device::Cpu) | (Form::Python, _) => Ok(()),
        (Form::CDltensor | Form::TvmFfi | Form::CudaKernel, _) if cfg!(feature = "cuda") => Ok(()),
        (Form::CDltensor | Form::TvmFfi | Form::CudaKernel, _) => {
            Err(JudgeError::Unsupported { what: NO_CUDA.to_owned() })
        }
    }
}

/// Builds the subject, or copies it where it is built already: `bench.library` from then on.
pub fn build(bench: &mut Bench<'_>) -> Result<Vec<Finding>, JudgeError> {
    match (bench.task().abi.form, bench.task().abi.device) {
        (Form::Python, _) => python::build(bench),
        (_, Device::Cpu) => c::build(bench),
        (_, Device::Cuda) => cuda::build(bench),
    }
}

/// What can be told of it without running it.
pub fn statics(bench: &mut Bench<'_>) -> Result<Vec<Finding>, JudgeError> {
    match (bench.task().abi.form, bench.task().abi.device) {
        (Form::Python, _) => python::statics(bench),
        (_, Device::Cpu) => c::statics(bench),
        (_, Device::Cuda) => cuda::statics(bench),
    }
}

/// Begins what takes long and can be done while other gates run.
pub fn prepare(bench: &mut Bench<'_>) {
    c::prepare(bench);
}

/// Whether it was built from a source, and can be built again in another way.
pub fn is_source(bench: &Bench<'_>) -> bool {
    bench.task().abi.device == Device::Cpu && c::is_source(bench)
}

/// What was found in a library, or why it could not be read.
fn inspected(outcome: Result<Vec<Finding>, StaticsError>) -> Result<Vec<Finding>, JudgeError> {
    outcome.or_else(|error| match error.code() {
        Some(code) => Ok(vec![Finding::new(Gate::Static, code, error.to_string(), Value::Null)]),
        None => Err(JudgeError::Statics { reason: error.to_string() }),
    })
}
