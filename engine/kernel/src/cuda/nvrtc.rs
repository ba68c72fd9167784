//! CUDA C++ to PTX with the task's locked flags. Needs no driver and no device.
#![expect(unsafe_code, reason = "NVRTC is a C library")]

use super::{CudaError, library};
use crate::ptx::{self, Function};
use cudarc::nvrtc::{result, sys};
use serde::{Deserialize, Serialize};
use std::ffi::{CString, c_char};

/// A source that was compiled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Compiled {
    /// The PTX.
    pub ptx: String,
    /// Its functions with their marks; those with `kernel` can be launched.
    pub functions: Vec<Function>,
    /// The flags.
    pub flags: Vec<String>,
    /// NVRTC's version, such as `13.0`.
    pub compiler: String,
    /// What NVRTC said; warnings, as a rule empty.
    pub log: String,
}

/// Compiles a source. `name` stands in messages.
///
/// # Errors
/// See [`CudaError`].
pub fn compile(source: &str, name: &str, flags: &[String]) -> Result<Compiled, CudaError> {
    library::nvrtc()?;
    let text = |text: &str, what| CString::new(text).map_err(|_| CudaError::Nul { what });
    let (source, name) = (text(source, "source")?, text(name, "name")?);
    let options = flags.iter().map(|flag| text(flag, "flag")).collect::<Result<Vec<_>, _>>()?;
    let program = result::create_program(&source, Some(&name)).map_err(failed("nvrtcCreateProgram"))?;
    let program = Program(program);
    let options: Vec<Vec<u8>> = options.into_iter().map(CString::into_bytes).collect();
    // SAFETY: the program was created above and is destroyed when it is dropped.
    let ended = unsafe { result::compile_program(program.0, &options) };
    // SAFETY: as above.
    let log = unsafe { result::get_program_log(program.0) }.map_err(failed("nvrtcGetProgramLog"))?;
    let log = to_text(&log);
    match ended {
        Ok(()) => {}
        Err(result::NvrtcError(
            sys::nvrtcResult::NVRTC_ERROR_COMPILATION | sys::nvrtcResult::NVRTC_ERROR_INVALID_OPTION,
        )) => {
            return Err(CudaError::Refused { log, flags: flags.to_vec() });
        }
        Err(error) => return Err(failed("nvrtcCompileProgram")(error)),
    }
    // SAFETY: as above, and it was compiled.
    let ptx = to_text(&unsafe { result::get_ptx(program.0) }.map_err(failed("nvrtcGetPTX"))?);
    let functions = ptx::functions(&ptx)?;
    Ok(Compiled { ptx, functions, flags: flags.to_vec(), compiler: version()?, log })
}

/// NVRTC's version, such as `13.0`.
pub(super) fn version() -> Result<String, CudaError> {
    library::nvrtc()?;
    let (mut major, mut minor) = (0, 0);
    // SAFETY: both pointers are to integers that live here.
    let told = unsafe { sys::nvrtcVersion(&raw mut major, &raw mut minor) };
    told.result().map_err(failed("nvrtcVersion"))?;
    Ok(format!("{major}.{minor}"))
}

fn failed(call: &'static str) -> impl Fn(result::NvrtcError) -> CudaError {
    move |error| CudaError::Failed { call, error: format!("{:?}", error.0) }
}

struct Program(sys::nvrtcProgram);

impl Drop for Program {
    fn drop(&mut self) {
        // SAFETY: created in `compile`, destroyed once. It can only fail for what is no program.
        let _ = unsafe { result::destroy_program(self.0) };
    }
}

/// NVRTC's texts end with a zero byte.
fn to_text(text: &[c_char]) -> String {
    let bytes: Vec<u8> = text.iter().map(|byte| byte.cast_unsigned()).take_while(|byte| *byte != 0).collect();
    String::from_utf8_lossy(&bytes).into_owned()
}
