//! What the driver makes of PTX on a device: registers, spills, shared memory. Must run in a process that is thrown away: a
//! context of the driver stays, and foreign PTX is compiled by it.

use super::{CudaError, library};
use cudarc::driver::{CudaContext, DriverError};
use cudarc::nvrtc::Ptx;
use serde::{Deserialize, Serialize};

/// A kernel as the driver loaded it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KernelFacts {
    /// Its name.
    pub name: String,
    /// Registers of a thread.
    pub registers: i32,
    /// Bytes of local memory of a thread; more than none are spills or arrays.
    pub local_bytes: i32,
    /// Bytes of static shared memory of a block.
    pub shared_bytes: i32,
    /// Most threads of a block.
    pub max_threads: i32,
}

/// Loads PTX on a device and asks for each kernel.
///
/// # Errors
/// There is no driver or no device ([`CudaError::Unsupported`]), or the driver refuses the PTX.
pub fn kernel_facts(ptx: &str, kernels: &[String], device: usize) -> Result<Vec<KernelFacts>, CudaError> {
    library::driver()?;
    if ptx.contains('\0') {
        return Err(CudaError::Nul { what: "PTX" });
    }
    let context = CudaContext::new(device).map_err(failed("cuDevicePrimaryCtxRetain"))?;
    let module = context.load_module(Ptx::from_src(ptx)).map_err(failed("cuModuleLoadData"))?;
    let mut facts = Vec::new();
    for name in kernels {
        if name.contains('\0') {
            return Err(CudaError::Nul { what: "name" });
        }
        let function = module.load_function(name).map_err(failed("cuModuleGetFunction"))?;
        let asked = || -> Result<KernelFacts, DriverError> {
            Ok(KernelFacts {
                name: name.clone(),
                registers: function.num_regs()?,
                local_bytes: function.local_size_bytes()?,
                shared_bytes: function.shared_size_bytes()?,
                max_threads: function.max_threads_per_block()?,
            })
        };
        facts.push(asked().map_err(failed("cuFuncGetAttribute"))?);
    }
    Ok(facts)
}

pub(super) fn failed(call: &'static str) -> impl Fn(DriverError) -> CudaError {
    use cudarc::driver::sys::CUresult;
    move |error| match error.0 {
        CUresult::CUDA_ERROR_NO_DEVICE => {
            CudaError::Unsupported { what: "there is no NVIDIA device".to_owned() }
        }
        other => CudaError::Failed { call, error: format!("{other:?}") },
    }
}
