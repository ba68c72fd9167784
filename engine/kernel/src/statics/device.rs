//! What a library for a device may use beside what every kernel may: launches, their errors, and the registration of its code.

use crate::task::Allow;

/// Functions of the driver and of the run-time library. Left out is what a kernel has no use for in a call: memory, streams,
/// synchronisation, limits, contexts, and whatever finds functions by name.
const IMPORTS: &[&str] = &[
    "cuLaunchKernel",
    "cuLaunchKernelEx",
    "cuModuleLoadData",
    "cuModuleLoadDataEx",
    "cuModuleLoadFatBinary",
    "cuModuleGetFunction",
    "cuLibraryLoadData",
    "cuLibraryGetKernel",
    "cuKernelGetFunction",
    "cuFuncSetAttribute",
    "cuFuncGetAttribute",
    "cuFuncSetCacheConfig",
    "cuGetErrorName",
    "cuGetErrorString",
    "cuCtxGetDevice",
    "cuDeviceGetAttribute",
    "cuOccupancyMaxActiveBlocksPerMultiprocessor",
    "cuOccupancyMaxPotentialBlockSize",
    "cuTensorMapEncodeTiled",
    "__cudaRegisterFatBinary",
    "__cudaRegisterFatBinaryEnd",
    "__cudaUnregisterFatBinary",
    "__cudaRegisterFunction",
    "__cudaRegisterVar",
    "__cudaInitModule",
    "__cudaGetKernel",
    "__cudaLaunchKernel",
    "__cudaPushCallConfiguration",
    "__cudaPopCallConfiguration",
    "__cxa_atexit",
    "cudaLaunchKernel",
    "cudaLaunchKernelExC",
    "cudaGetLastError",
    "cudaPeekAtLastError",
    "cudaGetErrorName",
    "cudaGetErrorString",
    "cudaFuncSetAttribute",
    "cudaFuncGetAttributes",
    "cudaGetDevice",
    "cudaDeviceGetAttribute",
    "cudaOccupancyMaxActiveBlocksPerMultiprocessor",
];

/// Libraries: the driver's, and the run-time library of the same CUDA.
const NEEDED: &[&str] = &["libcuda.so.1", "libcudart.so.13"];

/// Functions of the run-time library that a task allows: C code is linked against a stand-in that has them.
pub(crate) fn runtime(allow: &Allow) -> Vec<String> {
    let names = IMPORTS.iter().map(|name| (*name).to_owned()).chain(allow.imports.iter().cloned());
    names.filter(|name| name.starts_with("cuda") || name.starts_with("__cuda")).collect()
}

/// What a task allows, with what every library for a device may use.
pub(super) fn allowed(allow: &Allow) -> Allow {
    let with = |own: &[String], more: &[&str]| {
        own.iter().cloned().chain(more.iter().map(|name| (*name).to_owned())).collect()
    };
    Allow { imports: with(&allow.imports, IMPORTS), needed: with(&allow.needed, NEEDED), ..allow.clone() }
}
