//! What differs between the forms of a kernel: how it is built, and what can be told without running it.

mod c;
mod python;

use super::bench::Bench;
use super::setup::JudgeError;
use crate::task::{Abi, Device, Form};
use crate::verdict::Finding;

/// Whether kernels of this form can be judged by this program at all.
///
/// # Errors
/// They cannot.
pub fn supported(abi: &Abi) -> Result<(), JudgeError> {
    match (abi.form, abi.device) {
        (Form::CDltensor | Form::TvmFfi, Device::Cpu) => Ok(()),
        (Form::CDltensor | Form::TvmFfi | Form::CudaKernel, _) => {
            Err(JudgeError::Unsupported { what: "kernels on GPUs cannot be judged yet".to_owned() })
        }
        (Form::Python, _) => Ok(()),
    }
}

/// Builds the subject, or copies it where it is built already: `bench.library` from then on.
pub fn build(bench: &mut Bench<'_>) -> Result<Vec<Finding>, JudgeError> {
    match bench.task().abi.form {
        Form::Python => python::build(bench),
        _ => c::build(bench),
    }
}

/// What can be told of it without running it.
pub fn statics(bench: &mut Bench<'_>) -> Result<Vec<Finding>, JudgeError> {
    match bench.task().abi.form {
        Form::Python => python::statics(bench),
        _ => c::statics(bench),
    }
}

/// Begins what takes long and can be done while other gates run.
pub fn prepare(bench: &mut Bench<'_>) {
    c::prepare(bench);
}

/// Whether it was built from a source, and can be built again in another way.
pub fn is_source(bench: &Bench<'_>) -> bool {
    c::is_source(bench)
}
