//! What the child of a build does: see [`crate::build::child`].
#![expect(unsafe_code, reason = "the driver is a C library")]

use super::{CudaError, device, library, nvrtc};
use crate::build::child::{Answer, Ptx, Request};
use cudarc::driver::result;
use cudarc::driver::sys::CUdevice_attribute;

/// Answers a request. Must run in a process that is thrown away.
pub fn answer(request: &Request) -> Answer {
    match tried(request) {
        Ok(answer) => answer,
        Err(CudaError::Refused { log, .. }) => Answer::Refused { log },
        Err(error @ CudaError::Nul { .. }) => Answer::Refused { log: format!("error: {error}") },
        Err(CudaError::Unsupported { what }) => Answer::Unsupported { what },
        Err(error) => Answer::Failed { what: error.to_string() },
    }
}

fn tried(request: &Request) -> Result<Answer, CudaError> {
    match request {
        Request::Compile { source, name, flags, nvrtc: folder } => {
            if let Some(folder) = folder {
                library::preload(folder)?;
            }
            let compiled = nvrtc::compile(source, name, flags)?;
            Ok(Answer::Ptx(Ptx { text: compiled.ptx, compiler: compiled.compiler, log: compiled.log }))
        }
        Request::Device => Ok(Answer::Device { capability: capability()? }),
    }
}

/// Compute capability of the first device.
fn capability() -> Result<(u32, u32), CudaError> {
    library::driver()?;
    result::init().map_err(device::failed("cuInit"))?;
    let first = result::device::get(0).map_err(device::failed("cuDeviceGet"))?;
    let attribute = |attribute| {
        // SAFETY: the device was given by the driver just now.
        let value = unsafe { result::device::get_attribute(first, attribute) };
        value.map(i32::unsigned_abs).map_err(device::failed("cuDeviceGetAttribute"))
    };
    use CUdevice_attribute::{
        CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR as MAJOR,
        CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR as MINOR,
    };
    Ok((attribute(MAJOR)?, attribute(MINOR)?))
}
