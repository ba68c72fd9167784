//! What a worker asks of a foreign library beside its entry: to learn of the stream, and whether CUDA's run-time library keeps an error.

#![expect(unsafe_code, reason = "calls functions that were found by name")]

use crate::worker::answer::Refused;
use crate::worker::entry::Library;
use crate::worker::message::Kind;
use cudarc::driver::sys::CUstream;
use std::ffi::{CStr, c_char, c_void};
use std::ptr;

/// `kDLCUDA` of DLPack.
pub(super) const CUDA: i32 = 2;

type SetStream = unsafe extern "C" fn(i32, i32, *mut c_void, *mut *mut c_void) -> i32;
type LastError = unsafe extern "C" fn() -> i32;
type ErrorName = unsafe extern "C" fn(i32) -> *const c_char;

/// How functions of tvm-ffi learn of the stream.
#[derive(Clone, Copy)]
pub(super) struct Env(SetStream);

impl Env {
    /// The one that a library uses.
    pub(super) fn of(library: Library) -> Result<Self, Refused> {
        let found = library.find(c"TVMFFIEnvSetStream");
        if found.is_null() {
            let text = "it does not need `libtvm_ffi.so`, so it cannot be told the stream";
            return Err(Refused::new(Kind::LoadFailed, text));
        }
        // SAFETY: tvm-ffi declares it so (tvm/ffi/extra/c_env_api.h).
        Ok(Self(unsafe { std::mem::transmute::<*mut c_void, SetStream>(found) }))
    }

    /// The stream of this thread's calls from here on. Told before each of them: the library may tell another one.
    pub(super) fn set_stream(self, stream: CUstream) -> Result<(), Refused> {
        // SAFETY: the stream is never given back; the stream before it is not asked for.
        match unsafe { (self.0)(CUDA, 0, stream.cast(), ptr::null_mut()) } {
            0 => Ok(()),
            code => Err(Refused::system(format!("`TVMFFIEnvSetStream` returned {code}"))),
        }
    }
}

/// CUDA's run-time library, where the foreign one needs it as a shared library.
#[derive(Clone, Copy)]
pub(super) struct Runtime {
    last: LastError,
    name: Option<ErrorName>,
}

impl Runtime {
    /// The one that a library needs.
    pub(super) fn of(library: Library) -> Option<Self> {
        let (last, name) = (library.find(c"cudaGetLastError"), library.find(c"cudaGetErrorName"));
        if last.is_null() {
            return None;
        }
        // SAFETY: the run-time library declares them so (cuda_runtime_api.h).
        unsafe {
            let last = std::mem::transmute::<*mut c_void, LastError>(last);
            let name = (!name.is_null()).then(|| std::mem::transmute::<*mut c_void, ErrorName>(name));
            Some(Self { last, name })
        }
    }

    /// The error that it keeps for this thread, such as that of a launch whose result nobody looked at. It is forgotten.
    pub(super) fn take_error(self) -> Option<String> {
        // SAFETY: has no arguments.
        let error = unsafe { (self.last)() };
        if error == 0 {
            return None;
        }
        // SAFETY: takes any number.
        let text = self.name.map(|name| unsafe { name(error) }).filter(|text| !text.is_null());
        // SAFETY: not null; a constant that ends with a zero.
        let text = text.map(|text| unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned());
        Some(text.unwrap_or_else(|| format!("error {error} of CUDA's run-time library")))
    }
}
