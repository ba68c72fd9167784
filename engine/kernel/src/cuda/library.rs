//! Whether the libraries of CUDA are here, and each function that is called.
#![expect(unsafe_code, reason = "asking for a library loads it")]

use super::CudaError;
use std::ffi::{CString, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// Functions of NVRTC that are called.
const NVRTC: &[&str] = &[
    "nvrtcVersion",
    "nvrtcCreateProgram",
    "nvrtcCompileProgram",
    "nvrtcDestroyProgram",
    "nvrtcGetPTXSize",
    "nvrtcGetPTX",
    "nvrtcGetProgramLogSize",
    "nvrtcGetProgramLog",
];

/// Functions of the driver that are called, here and by the binding on the way. A driver that lacks one is too old.
pub const DRIVER: &[&str] = &[
    "cuInit",
    "cuDriverGetVersion",
    "cuGetErrorName",
    "cuGetErrorString",
    "cuDeviceGet",
    "cuDeviceGetCount",
    "cuDeviceGetName",
    "cuDeviceGetAttribute",
    "cuDeviceTotalMem_v2",
    "cuDevicePrimaryCtxRetain",
    "cuDevicePrimaryCtxRelease_v2",
    "cuCtxGetCurrent",
    "cuCtxSetCurrent",
    "cuModuleLoadData",
    "cuModuleLoadDataEx",
    "cuModuleUnload",
    "cuModuleGetFunction",
    "cuFuncGetAttribute",
    "cuFuncSetAttribute",
    "cuLaunchKernel",
    "cuDeviceGetUuid_v2",
    "cuDeviceGetDefaultMemPool",
    "cuCtxSynchronize",
    "cuCtxGetLimit",
    "cuCtxGetCacheConfig",
    "cuMemAlloc_v2",
    "cuMemFree_v2",
    "cuMemHostRegister_v2",
    "cuMemHostUnregister",
    "cuMemGetInfo_v2",
    "cuMemcpyHtoDAsync_v2",
    "cuMemcpyDtoHAsync_v2",
    "cuMemcpyDtoDAsync_v2",
    "cuMemsetD8Async",
    "cuMemPoolGetAttribute",
    "cuMemPoolSetAttribute",
    "cuStreamCreate",
    "cuStreamSynchronize",
    "cuLaunchHostFunc",
    "cuStreamBeginCapture_v2",
    "cuStreamEndCapture",
    "cuGraphInstantiateWithFlags",
    "cuGraphLaunch",
    "cuGraphDestroy",
    "cuGraphExecDestroy",
    "cuEventCreate",
    "cuEventRecord",
    "cuEventElapsedTime_v2",
];

/// Loads NVRTC from a folder that the loader does not search, such as that of a Python wheel. Later calls find it by its name.
///
/// # Errors
/// There is no `libnvrtc.so.13` in the folder, or it cannot be loaded.
pub fn preload(folder: &Path) -> Result<(), CudaError> {
    // The first is loaded by the second, by a bare name.
    for path in builtins(folder).into_iter().chain([folder.join("libnvrtc.so.13")]) {
        let unsupported = |why: &str| CudaError::Unsupported { what: format!("`{}` {why}", path.display()) };
        let text = CString::new(path.as_os_str().as_bytes()).map_err(|_| unsupported("is no path"))?;
        // SAFETY: the text ends with a zero byte; the library is NVIDIA's, whose start-up code any user of NVRTC runs.
        let handle = unsafe { libc::dlopen(text.as_ptr(), libc::RTLD_NOW | libc::RTLD_GLOBAL) };
        if handle.is_null() {
            return Err(unsupported("cannot be loaded; give the folder of CUDA 13's NVRTC"));
        }
    }
    Ok(())
}

/// What NVRTC loads by its own version's name, such as `libnvrtc-builtins.so.13.0`: every version has another.
fn builtins(folder: &Path) -> Option<PathBuf> {
    let files = std::fs::read_dir(folder).ok()?.flatten().map(|entry| entry.file_name());
    let named =
        |name: &OsString| name.to_str().is_some_and(|name| name.starts_with("libnvrtc-builtins.so.13."));
    // A toolkit has the library, and links to it by shorter names.
    let shortest = files.filter(named).min_by_key(|name| name.len())?;
    Some(folder.join(shortest))
}

/// NVRTC and all that is called of it. Asked once it is there; until then each time, since [`preload`] may bring it.
pub(super) fn nvrtc() -> Result<(), CudaError> {
    static WHOLE: OnceLock<Result<(), CudaError>> = OnceLock::new();
    // SAFETY: tries to load libraries by their usual names, no more.
    if !unsafe { cudarc::nvrtc::sys::is_culib_present() } {
        let what =
            "there is no `libnvrtc`; install CUDA 13 or the Python package `nvidia-cuda-nvrtc`".to_owned();
        return Err(CudaError::Unsupported { what });
    }
    let whole = WHOLE.get_or_init(|| {
        // SAFETY: the library is there, so this does not panic; addresses are only compared with nothing.
        let lacking =
            |name: &&&str| unsafe { cudarc::nvrtc::sys::culib().get::<*const ()>(name.as_bytes()).is_err() };
        complete("libnvrtc", NVRTC.iter().find(lacking).copied())
    });
    whole.clone()
}

/// The driver and all that is called of it.
pub(super) fn driver() -> Result<(), CudaError> {
    static WHOLE: OnceLock<Result<(), CudaError>> = OnceLock::new();
    let whole = WHOLE.get_or_init(|| {
        // SAFETY: tries to load libraries by their usual names, no more.
        if !unsafe { cudarc::driver::sys::is_culib_present() } {
            let what = "there is no `libcuda`; it comes with NVIDIA's driver".to_owned();
            return Err(CudaError::Unsupported { what });
        }
        // SAFETY: as above; the library is there.
        let lacking =
            |name: &&&str| unsafe { cudarc::driver::sys::culib().get::<*const ()>(name.as_bytes()).is_err() };
        complete("libcuda", DRIVER.iter().find(lacking).copied())
    });
    whole.clone()
}

fn complete(library: &str, lacking: Option<&str>) -> Result<(), CudaError> {
    match lacking {
        None => Ok(()),
        Some(name) => {
            let what = format!("`{library}` has no `{name}`; it is older than CUDA 13");
            Err(CudaError::Unsupported { what })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::builtins;

    #[test]
    fn every_version_s_own_library_is_found() {
        let out = tempfile::tempdir().expect("a folder");
        assert_eq!(builtins(out.path()), None);
        for name in
            ["libnvrtc-builtins.so.13.1.80", "libnvrtc-builtins.alt.so.13.1", "libnvrtc-builtins.so.13.1"]
        {
            std::fs::write(out.path().join(name), "").expect("written");
        }
        assert_eq!(builtins(out.path()), Some(out.path().join("libnvrtc-builtins.so.13.1")));
    }
}
