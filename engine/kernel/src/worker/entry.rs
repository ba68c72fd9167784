//! The foreign library: loading it, finding its entry, and what the entry is called with.

#![expect(unsafe_code, reason = "loads and calls foreign code")]

use super::answer::Refused;
use super::message::Kind;
use super::plan::{Placed, Plan, Shape};
use crate::task::Form;
use std::ffi::{CStr, CString, c_void};
use std::os::fd::{AsRawFd, OwnedFd};
use std::ptr;

/// `DLTensor` of DLPack 1.1.
#[repr(C)]
struct DlTensor {
    data: *mut c_void,
    /// `kDLCPU` is 1, `kDLCUDA` is 2.
    device_type: i32,
    device_id: i32,
    ndim: i32,
    code: u8,
    bits: u8,
    lanes: u16,
    shape: *const i64,
    strides: *const i64,
    byte_offset: u64,
}

const _: () = assert!(size_of::<DlTensor>() == 48, "the size that DLPack 1.1 gives it on 64-bit systems");

/// `TVMFFIAny` of tvm-ffi.
#[repr(C)]
#[derive(Clone, Copy)]
struct Any {
    index: i32,
    padding: u32,
    value: u64,
}

/// Indices of types in tvm-ffi.
const FLOAT: i32 = 3;
const DL_TENSOR: i32 = 7;

type Plain =
    unsafe extern "C" fn(*const DlTensor, i32, *mut DlTensor, i32, *const f64, i32, *mut c_void) -> i32;
type Packed = unsafe extern "C" fn(*mut c_void, *const Any, i32, *mut Any) -> i32;

/// The entry, in one of its forms.
#[derive(Clone, Copy)]
pub(super) struct Entry(Function);

#[derive(Clone, Copy)]
enum Function {
    Plain(Plain),
    Packed(Packed),
}

/// Why there is no entry.
pub(super) enum NoEntry {
    Library(String),
    Symbol(String),
}

impl NoEntry {
    /// As it is told.
    pub(super) fn refused(self) -> Refused {
        match self {
            Self::Library(reason) => Refused::new(Kind::LoadFailed, reason),
            Self::Symbol(symbol) => Refused::new(Kind::SymbolMissing, symbol),
        }
    }
}

/// Forms as they travel.
pub(super) mod code {
    /// A function over arrays of `DLTensor`.
    pub(in crate::worker) const PLAIN: u64 = 0;
    /// A function of tvm-ffi.
    pub(in crate::worker) const PACKED: u64 = 1;
    /// A kernel that the worker launches.
    pub(in crate::worker) const KERNEL: u64 = 2;
    /// A Python function, in an interpreter that the worker becomes.
    pub(in crate::worker) const PYTHON: u64 = 3;
}

/// How the form travels, and the name under which the entry is exported.
pub(super) fn exported(form: Form, symbol: &str) -> (u64, String) {
    match form {
        Form::CDltensor => (code::PLAIN, symbol.to_owned()),
        Form::TvmFfi => (code::PACKED, format!("__tvm_ffi_{symbol}")),
        Form::CudaKernel => (code::KERNEL, symbol.to_owned()),
        Form::Python => (code::PYTHON, symbol.to_owned()),
    }
}

/// A library that was loaded, for good.
#[derive(Clone, Copy)]
pub(super) struct Library(*mut c_void);

impl Library {
    /// Address of what it, or a library that it needs, exports; null where there is none.
    pub(super) fn find(self, name: &CStr) -> *mut c_void {
        // SAFETY: a library that was opened and is never closed; the name ends with a zero.
        unsafe { libc::dlsym(self.0, name.as_ptr()) }
    }
}

/// Loads the library in this file and finds its entry. The library is never unloaded.
pub(super) fn load(file: &OwnedFd, packed: bool, symbol: &str) -> Result<(Entry, Library), NoEntry> {
    let path = CString::new(format!("/proc/self/fd/{}", file.as_raw_fd()))
        .map_err(|error| NoEntry::Library(error.to_string()))?;
    let name = CString::new(symbol).map_err(|_| NoEntry::Symbol(symbol.to_owned()))?;
    // SAFETY: runs the library's initialisers, which is what this process is for: it is limited, filtered and thrown away.
    let library = unsafe { libc::dlopen(path.as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL) };
    if library.is_null() {
        return Err(NoEntry::Library(reason()));
    }
    let library = Library(library);
    let found = library.find(&name);
    if found.is_null() {
        return Err(NoEntry::Symbol(symbol.to_owned()));
    }
    // SAFETY: the task says that this name is a function of this form. If it is not, the call ends this process, not the judge.
    let function = unsafe {
        if packed {
            Function::Packed(std::mem::transmute::<*mut c_void, Packed>(found))
        } else {
            Function::Plain(std::mem::transmute::<*mut c_void, Plain>(found))
        }
    };
    Ok((Entry(function), library))
}

fn reason() -> String {
    // SAFETY: `dlerror` gives a string that lives until the next call into the loader, or null.
    let text = unsafe { libc::dlerror() };
    if text.is_null() {
        return "the loader gives no reason".to_owned();
    }
    // SAFETY: not null, ends with a zero.
    unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
}

/// What the entry is called with, for each set. Everything the entry gets pointers to is read-only memory, so that no call
/// changes what the next one is told.
pub(super) struct Calls {
    /// Owns what the pointers below point to.
    _pages: Pages,
    sets: Vec<Set>,
    inputs: i32,
    outputs: i32,
    scalars: *const f64,
    scalar_count: i32,
}

#[derive(Clone, Copy)]
struct Set {
    inputs: *const DlTensor,
    outputs: *mut DlTensor,
    packed: *const Any,
    packed_count: i32,
}

impl Calls {
    /// For the sets of a plan, whose tensors lie on a device of this type (of DLPack) at these addresses.
    pub(super) fn new(
        plan: &Plan,
        device: i32,
        address: impl Fn(&Placed) -> *mut u8,
    ) -> std::io::Result<Self> {
        let order =
            |output: bool| (0..plan.tensors.len()).filter(move |at| plan.tensors[*at].output == output);
        let (inputs, outputs) = (order(false).count(), order(true).count());
        let words: usize = plan.tensors.iter().map(|tensor| 2 * tensor.shape.len()).sum();
        let per_set = plan.tensors.len() * size_of::<DlTensor>()
            + (plan.tensors.len() + plan.scalars.len()) * size_of::<Any>();
        let mut pages = Pages::new((words + plan.scalars.len()) * 8 + plan.sets.len() * per_set)?;
        let dims: Vec<_> = plan
            .tensors
            .iter()
            .map(|tensor| (pages.put(&tensor.shape), pages.put(&tensor.strides)))
            .collect();
        let scalars: Vec<f64> = plan.scalars.iter().map(|bits| f64::from_bits(*bits)).collect();
        let scalars = pages.put(&scalars);
        let mut sets = Vec::with_capacity(plan.sets.len());
        for placed in &plan.sets {
            let tensor = |at: usize| describe(address(&placed[at]), device, &plan.tensors[at], dims[at]);
            let ins = pages.put(&order(false).map(tensor).collect::<Vec<_>>());
            let outs = pages.put(&order(true).map(tensor).collect::<Vec<_>>());
            let each = |first: *const DlTensor, count: usize| {
                (0..count).map(move |at| Any {
                    index: DL_TENSOR,
                    padding: 0,
                    value: first.wrapping_add(at) as u64,
                })
            };
            // Outputs last: destinations are passed behind everything that is read.
            let mut packed: Vec<Any> = each(ins, inputs).collect();
            packed.extend(plan.scalars.iter().map(|bits| Any { index: FLOAT, padding: 0, value: *bits }));
            packed.extend(each(outs, outputs));
            let packed_count = count(packed.len());
            sets.push(Set {
                inputs: ins,
                outputs: outs.cast_mut(),
                packed: pages.put(&packed),
                packed_count,
            });
        }
        pages.seal()?;
        let (inputs, outputs) = (count(inputs), count(outputs));
        Ok(Self { _pages: pages, sets, inputs, outputs, scalars, scalar_count: count(plan.scalars.len()) })
    }

    /// Sets.
    pub(super) fn len(&self) -> usize {
        self.sets.len()
    }

    /// Calls the entry with a set, which must be there, and a stream, null on a processor. A function of tvm-ffi learns of the stream in
    /// another way.
    pub(super) fn call(&self, entry: Entry, set: usize, stream: *mut c_void) -> i32 {
        let set = self.sets[set];
        match entry.0 {
            // SAFETY: the arrays are as long as the counts say and live as long as this value. What the callee does with them is
            // its own affair: this process is limited, filtered and thrown away.
            Function::Plain(function) => unsafe {
                function(
                    set.inputs,
                    self.inputs,
                    set.outputs,
                    self.outputs,
                    self.scalars,
                    self.scalar_count,
                    stream,
                )
            },
            Function::Packed(function) => {
                // Type index 0 is None.
                let mut result = Any { index: 0, padding: 0, value: 0 };
                // SAFETY: as above.
                unsafe { function(ptr::null_mut(), set.packed, set.packed_count, &raw mut result) }
            }
        }
    }
}

fn count(len: usize) -> i32 {
    i32::try_from(len).unwrap_or(i32::MAX)
}

fn describe(
    data: *mut u8,
    device: i32,
    shape: &Shape,
    (sizes, strides): (*const i64, *const i64),
) -> DlTensor {
    let (code, bits) = shape.dtype;
    DlTensor {
        // The address itself is nothing that anybody reads.
        data: data.wrapping_sub(shape.shift).cast(),
        device_type: device,
        device_id: 0,
        ndim: count(shape.shape.len()),
        code,
        bits,
        lanes: 1,
        shape: sizes,
        strides,
        byte_offset: shape.shift as u64,
    }
}

/// Memory that is filled once and then only read.
struct Pages {
    first: *mut u8,
    len: usize,
    used: usize,
}

impl Pages {
    fn new(bytes: usize) -> std::io::Result<Self> {
        let len = bytes.max(1);
        let access = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: a new private mapping at an address of the system's choice.
        let first = unsafe {
            libc::mmap(ptr::null_mut(), len, access, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS, -1, 0)
        };
        if first == libc::MAP_FAILED {
            return Err(std::io::Error::last_os_error());
        }
        Ok(Self { first: first.cast(), len, used: 0 })
    }

    /// Copies a list in. Every size here is a multiple of 8, so all stays aligned.
    ///
    /// # Panics
    /// More is put than `new` was told.
    fn put<T>(&mut self, list: &[T]) -> *const T {
        let bytes = size_of_val(list);
        assert!(self.used + bytes <= self.len && self.used.is_multiple_of(align_of::<T>()), "as planned");
        // SAFETY: the target is inside the mapping, aligned, and not yet used.
        unsafe {
            let to = self.first.add(self.used).cast::<T>();
            ptr::copy_nonoverlapping(list.as_ptr(), to, list.len());
            self.used += bytes;
            to
        }
    }

    fn seal(&self) -> std::io::Result<()> {
        // SAFETY: the mapping of this value; from here on it is only read.
        match unsafe { libc::mprotect(self.first.cast(), self.len, libc::PROT_READ) } {
            0 => Ok(()),
            _ => Err(std::io::Error::last_os_error()),
        }
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        // SAFETY: mapped in `new`, unmapped once.
        unsafe { libc::munmap(self.first.cast(), self.len) };
    }
}
