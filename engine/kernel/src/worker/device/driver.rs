//! The driver's calls that a worker makes, each with its error by name. Callers have asked `cuda::driver` whether all of them are there.
//!
//! Addresses and handles are numbers that only the driver follows, so these functions are safe to call with any; what points into this
//! process is a slice or a reference here.

#![expect(unsafe_code, reason = "the driver is a C library")]

use crate::worker::answer::Refused;
use crate::worker::message::Kind;
use cudarc::driver::sys::{self, CUresult};
use std::ffi::{CStr, c_void};
use std::ptr;

/// A call that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Failure {
    call: &'static str,
    pub(super) error: CUresult,
}

pub(super) type Told<T> = Result<T, Failure>;

impl Failure {
    /// The driver's name of the error.
    pub(super) fn name(self) -> String {
        format!("{:?}", self.error)
    }

    /// What it is where the device has run foreign code.
    pub(super) fn of_launch(self) -> Refused {
        Refused::new(Kind::Launch, self.name())
    }

    /// What it is before any foreign code has run, or where memory is asked for.
    pub(super) fn of_system(self) -> Refused {
        let missing = |what: &str| {
            Refused::new(Kind::Unsupported, format!("{what} (`{}` says `{}`)", self.call, self.name()))
        };
        match self.error {
            CUresult::CUDA_ERROR_NO_DEVICE | CUresult::CUDA_ERROR_INVALID_DEVICE => {
                missing("there is no NVIDIA device; judge on a machine with one")
            }
            CUresult::CUDA_ERROR_DEVICE_UNAVAILABLE => missing(
                "one process holds the device for itself, and judging takes two at a time; let it end, or set the compute mode of the \
                 device to its default",
            ),
            CUresult::CUDA_ERROR_SYSTEM_NOT_READY => missing(
                "the driver waits for a service of this machine; where GPUs are joined by NVSwitch, start `nvidia-fabricmanager`",
            ),
            CUresult::CUDA_ERROR_OPERATING_SYSTEM | CUresult::CUDA_ERROR_UNKNOWN if self.call == "cuInit" => {
                missing(
                    "the driver is there and cannot begin; give this process `/dev/nvidiactl`, `/dev/nvidia-uvm` and the device's own \
                     file, and let it write below `/proc/self`",
                )
            }
            CUresult::CUDA_ERROR_MPS_CONNECTION_FAILED | CUresult::CUDA_ERROR_MPS_SERVER_NOT_READY => {
                missing(
                    "the server that shares the device among processes (MPS) does not answer; start it or stop it",
                )
            }
            CUresult::CUDA_ERROR_SYSTEM_DRIVER_MISMATCH => missing(
                "the driver's library and its kernel module differ; restart the machine after an update",
            ),
            CUresult::CUDA_ERROR_STUB_LIBRARY => missing(
                "the `libcuda` that was found is for linking only; take its folder out of `LD_LIBRARY_PATH`",
            ),
            CUresult::CUDA_ERROR_OUT_OF_MEMORY => {
                let mut refused = Refused::system(format!("{}: no memory on the device", self.call));
                refused.words[0] = u64::from(libc::ENOMEM.unsigned_abs());
                refused
            }
            _ => Refused::system(format!("{} failed: {}", self.call, self.name())),
        }
    }
}

fn told(call: &'static str, error: CUresult) -> Told<()> {
    if error == CUresult::CUDA_SUCCESS { Ok(()) } else { Err(Failure { call, error }) }
}

/// Stands for one call: its name, and what it gave. The comment on safety stands where it is used.
macro_rules! call {
    ($name:ident($($argument:expr),* $(,)?)) => {
        told(stringify!($name), sys::$name($($argument),*))
    };
}

/// The first device that is shown, with the context that all users of this process share.
pub(super) fn first_device() -> Told<(sys::CUdevice, sys::CUcontext)> {
    let (mut device, mut context) = (0, ptr::null_mut());
    // SAFETY: each call writes to a variable of its own.
    unsafe {
        call!(cuInit(0))?;
        call!(cuDeviceGet(&raw mut device, 0))?;
        call!(cuDevicePrimaryCtxRetain(&raw mut context, device))?;
    }
    make_current(context)?;
    Ok((device, context))
}

/// Gives the context up that [`first_device`] opened; nothing of it is used after that. Whoever watches it from within tells then what
/// it has found.
pub(super) fn close(device: sys::CUdevice) {
    // SAFETY: retained once, and the process ends after this.
    let _ = unsafe { call!(cuDevicePrimaryCtxRelease_v2(device)) };
}

/// Makes the context that of this thread.
pub(super) fn make_current(context: sys::CUcontext) -> Told<()> {
    // SAFETY: a context of the driver, never given back.
    unsafe { call!(cuCtxSetCurrent(context)) }
}

/// A fact of the device.
pub(super) fn attribute(device: sys::CUdevice, of: sys::CUdevice_attribute) -> Told<i32> {
    let mut value = 0;
    // SAFETY: writes to the variable.
    unsafe { call!(cuDeviceGetAttribute(&raw mut value, of, device))? };
    Ok(value)
}

/// Its name.
pub(super) fn name(device: sys::CUdevice) -> Told<String> {
    let mut text = [0; 256];
    // SAFETY: writes at most so many bytes, the last of them a zero.
    unsafe { call!(cuDeviceGetName(text.as_mut_ptr(), 255, device))? };
    let bytes: Vec<u8> =
        text.iter().take_while(|byte| **byte != 0).map(|byte| byte.to_ne_bytes()[0]).collect();
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Its identity.
pub(super) fn uuid(device: sys::CUdevice) -> Told<[u8; 16]> {
    let mut uuid = sys::CUuuid { bytes: [0; 16] };
    // SAFETY: writes to the variable.
    unsafe { call!(cuDeviceGetUuid_v2(&raw mut uuid, device))? };
    Ok(uuid.bytes.map(|byte| byte.to_ne_bytes()[0]))
}

/// A stream that waits for no other.
pub(super) fn new_stream() -> Told<sys::CUstream> {
    let mut stream = ptr::null_mut();
    let flags = sys::CUstream_flags::CU_STREAM_NON_BLOCKING as u32;
    // SAFETY: writes to the variable.
    unsafe { call!(cuStreamCreate(&raw mut stream, flags))? };
    Ok(stream)
}

/// Waits until a stream is empty.
pub(super) fn finish(stream: sys::CUstream) -> Told<()> {
    // SAFETY: a stream of the driver, never given back.
    unsafe { call!(cuStreamSynchronize(stream)) }
}

/// Waits until the whole context is idle.
pub(super) fn finish_all() -> Told<()> {
    // SAFETY: has no arguments.
    unsafe { call!(cuCtxSynchronize()) }
}

/// Runs a function on the host when the stream comes to it.
///
/// # Safety
/// The function makes no call of the driver, and what `data` points to lives until the stream has passed it.
pub(super) unsafe fn on_host(
    stream: sys::CUstream,
    function: unsafe extern "C" fn(*mut c_void),
    data: *mut c_void,
) -> Told<()> {
    // SAFETY: as the caller promises.
    unsafe { call!(cuLaunchHostFunc(stream, Some(function), data)) }
}

/// Memory of the device.
pub(super) fn allocate(bytes: usize) -> Told<u64> {
    let mut address = 0;
    // SAFETY: writes to the variable.
    unsafe { call!(cuMemAlloc_v2(&raw mut address, bytes.max(1)))? };
    Ok(address)
}

/// Gives memory back. What fails here fails at the next call as well.
pub(super) fn free(address: u64) {
    // SAFETY: memory of `allocate`, which is not used after this.
    let _ = unsafe { call!(cuMemFree_v2(address)) };
}

/// Keeps memory of this process where it is, so that the device reads and writes it by itself: copies from and to it are under way
/// when their calls return. It must stay mapped until [`unpin`].
pub(super) fn pin(first: *mut u8, bytes: usize) -> Told<()> {
    // SAFETY: callers keep it mapped.
    unsafe { call!(cuMemHostRegister_v2(first.cast(), bytes, 0)) }
}

/// Gives back what [`pin`] took. What fails here fails at the next call as well.
pub(super) fn unpin(first: *mut u8) {
    // SAFETY: pinned before, and no copy is under way.
    let _ = unsafe { call!(cuMemHostUnregister(first.cast())) };
}

/// Bytes that are free, of the whole device.
pub(super) fn free_memory() -> Told<u64> {
    let (mut free, mut total) = (0, 0);
    // SAFETY: writes to the variables.
    unsafe { call!(cuMemGetInfo_v2(&raw mut free, &raw mut total))? };
    Ok(free as u64)
}

/// Copies to the device, in the order of the stream; taken from here before the call returns or when the stream comes to it.
pub(super) fn upload(to: u64, from: &[u8], stream: sys::CUstream) -> Told<()> {
    // SAFETY: reads the slice, which callers keep until the stream is finished.
    unsafe { call!(cuMemcpyHtoDAsync_v2(to, from.as_ptr().cast(), from.len(), stream)) }
}

/// Copies from the device, in the order of the stream. There once the stream is finished.
pub(super) fn download(to: &mut [u8], from: u64, stream: sys::CUstream) -> Told<()> {
    // SAFETY: writes the slice, which callers keep until the stream is finished.
    unsafe { call!(cuMemcpyDtoHAsync_v2(to.as_mut_ptr().cast(), from, to.len(), stream)) }
}

/// Copies on the device.
pub(super) fn copy(to: u64, from: u64, bytes: usize, stream: sys::CUstream) -> Told<()> {
    // SAFETY: no memory of this process is touched.
    unsafe { call!(cuMemcpyDtoDAsync_v2(to, from, bytes, stream)) }
}

/// Overwrites memory of the device.
pub(super) fn fill(to: u64, value: u8, bytes: usize, stream: sys::CUstream) -> Told<()> {
    // SAFETY: no memory of this process is touched.
    unsafe { call!(cuMemsetD8Async(to, value, bytes, stream)) }
}

/// An event that takes the time.
pub(super) fn new_event() -> Told<sys::CUevent> {
    let mut event = ptr::null_mut();
    // SAFETY: writes to the variable.
    unsafe { call!(cuEventCreate(&raw mut event, sys::CUevent_flags::CU_EVENT_DEFAULT as u32))? };
    Ok(event)
}

/// Takes the time when the stream comes here.
pub(super) fn record(event: sys::CUevent, stream: sys::CUstream) -> Told<()> {
    // SAFETY: an event and a stream of the driver, never given back.
    unsafe { call!(cuEventRecord(event, stream)) }
}

/// Nanoseconds from one event to a later one; both have passed.
pub(super) fn between(start: sys::CUevent, end: sys::CUevent) -> Told<u64> {
    let mut milliseconds = 0_f32;
    // SAFETY: writes to the variable; events of the driver, never given back.
    unsafe { call!(cuEventElapsedTime_v2(&raw mut milliseconds, start, end))? };
    Ok((f64::from(milliseconds) * 1e6).round() as u64)
}

/// Loads an image. With the error comes what the driver's compiler said.
pub(super) fn load(image: &[u8]) -> Result<sys::CUmodule, (Failure, String)> {
    const LOG: usize = 16 * 1024;
    // Text must end with a zero.
    let image: Vec<u8> = image.iter().copied().chain([0]).collect();
    let (mut module, mut log) = (ptr::null_mut(), vec![0_u8; LOG]);
    let mut options =
        [sys::CUjit_option::CU_JIT_ERROR_LOG_BUFFER, sys::CUjit_option::CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES];
    let mut values = [log.as_mut_ptr().cast::<c_void>(), ptr::without_provenance_mut(LOG - 1)];
    // SAFETY: the image and both lists live until the call returns; the log is as long as its option says.
    let loaded = unsafe {
        let (options, values) = (options.as_mut_ptr(), values.as_mut_ptr());
        call!(cuModuleLoadDataEx(&raw mut module, image.as_ptr().cast(), 2, options, values))
    };
    let text =
        CStr::from_bytes_until_nul(&log).map_or(String::new(), |text| text.to_string_lossy().into_owned());
    loaded.map(|()| module).map_err(|failure| (failure, text))
}

/// A kernel of a module.
pub(super) fn function(module: sys::CUmodule, name: &CStr) -> Told<sys::CUfunction> {
    let mut function = ptr::null_mut();
    // SAFETY: writes to the variable; the name ends with a zero.
    unsafe { call!(cuModuleGetFunction(&raw mut function, module, name.as_ptr()))? };
    Ok(function)
}

/// A fact of a kernel.
pub(super) fn of_function(function: sys::CUfunction, of: sys::CUfunction_attribute) -> Told<u32> {
    let mut value = 0;
    // SAFETY: writes to the variable; a kernel of a module that is never given back.
    unsafe { call!(cuFuncGetAttribute(&raw mut value, of, function))? };
    Ok(u32::try_from(value).unwrap_or(0))
}

/// Lets a kernel have that much dynamic shared memory.
pub(super) fn allow_shared(function: sys::CUfunction, bytes: u32) -> Told<()> {
    let of = sys::CUfunction_attribute::CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES;
    let bytes = i32::try_from(bytes).unwrap_or(i32::MAX);
    // SAFETY: a kernel of a module that is never given back.
    unsafe { call!(cuFuncSetAttribute(function, of, bytes)) }
}

/// Launches a kernel.
///
/// # Safety
/// The arguments point to values of the types that the kernel takes; the task says so. Only the driver reads them, before it returns.
pub(super) unsafe fn launch(
    function: sys::CUfunction,
    [grid_x, grid_y, grid_z]: [u32; 3],
    [block_x, block_y, block_z]: [u32; 3],
    shared: u32,
    stream: sys::CUstream,
    arguments: &[*mut c_void],
) -> Told<()> {
    let arguments = arguments.as_ptr().cast_mut();
    // SAFETY: as the caller promises; the driver does not write to the list.
    unsafe {
        call!(cuLaunchKernel(
            function,
            grid_x,
            grid_y,
            grid_z,
            block_x,
            block_y,
            block_z,
            shared,
            stream,
            arguments,
            ptr::null_mut()
        ))
    }
}

/// From here on the stream is recorded, and no thread may do what waits for the device.
pub(super) fn begin_capture(stream: sys::CUstream) -> Told<()> {
    let mode = sys::CUstreamCaptureMode::CU_STREAM_CAPTURE_MODE_GLOBAL;
    // SAFETY: a stream of the driver, never given back.
    unsafe { call!(cuStreamBeginCapture_v2(stream, mode)) }
}

/// What was recorded.
pub(super) fn end_capture(stream: sys::CUstream) -> Told<sys::CUgraph> {
    let mut graph = ptr::null_mut();
    // SAFETY: writes to the variable; a stream of the driver.
    unsafe { call!(cuStreamEndCapture(stream, &raw mut graph))? };
    Ok(graph)
}

/// Makes a graph fit to be launched.
pub(super) fn instantiate(graph: sys::CUgraph) -> Told<sys::CUgraphExec> {
    let mut exec = ptr::null_mut();
    // SAFETY: writes to the variable; a graph of the driver.
    unsafe { call!(cuGraphInstantiateWithFlags(&raw mut exec, graph, 0))? };
    Ok(exec)
}

/// Launches a graph, waits for it, and gives it back.
pub(super) fn replay(exec: sys::CUgraphExec, graph: sys::CUgraph, stream: sys::CUstream) -> Told<()> {
    // SAFETY: both were made by the driver and are given back once, after the stream is finished.
    unsafe {
        call!(cuGraphLaunch(exec, stream))?;
        call!(cuStreamSynchronize(stream))?;
        call!(cuGraphExecDestroy(exec))?;
        call!(cuGraphDestroy(graph))
    }
}

/// Kernels for every device that this CUDA serves: one does nothing, and one, in blocks of 1,024 threads, fills shared memory with bits that
/// are a NaN in every type of float.
const OWN: &str = "\
.version 6.3
.target sm_75
.address_size 64
.extern .shared .align 16 .b8 assay_shared[];
.visible .entry assay_nothing()
{
    ret;
}
.visible .entry assay_unset(.param .u32 words)
{
    .reg .pred %p<2>;
    .reg .b32 %r<7>;
    ld.param.u32 %r1, [words];
    mov.u32 %r2, %tid.x;
    mov.u32 %r3, assay_shared;
    shl.b32 %r4, %r2, 2;
    add.s32 %r5, %r3, %r4;
    mov.u32 %r6, 0xffffffff;
NEXT:
    setp.ge.u32 %p1, %r2, %r1;
    @%p1 bra DONE;
    st.volatile.shared.u32 [%r5], %r6;
    add.s32 %r5, %r5, 4096;
    add.s32 %r2, %r2, 1024;
    bra.uni NEXT;
DONE:
    ret;
}
";

/// What leaves nothing in shared memory that a kernel could take for set.
#[derive(Debug, Clone, Copy)]
pub(super) struct Unset {
    kernel: sys::CUfunction,
    /// Bytes of a block: all that a multiprocessor has for one.
    bytes: u32,
    /// More blocks than multiprocessors, so that each has one at least.
    blocks: u32,
}

impl Unset {
    /// For a device; `None` where it does not let itself be filled.
    pub(super) fn new(device: sys::CUdevice) -> Option<Self> {
        const TIMES: u32 = 4;
        use sys::CUdevice_attribute::{
            CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN as MOST,
            CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT as COUNT,
        };
        let of = |fact| u32::try_from(attribute(device, fact).ok()?).ok();
        let (bytes, blocks) = (of(MOST)?, of(COUNT)?.max(1) * TIMES);
        let module = load(OWN.as_bytes()).ok()?;
        let kernel = function(module, c"assay_unset").ok()?;
        allow_shared(kernel, bytes).ok()?;
        Some(Self { kernel, bytes, blocks })
    }

    /// Fills it, and waits until that is done.
    pub(super) fn fill(self, stream: sys::CUstream) -> Told<()> {
        let mut words = self.bytes / 4;
        let arguments = [(&raw mut words).cast()];
        // SAFETY: the kernel takes one number of 32 bits.
        unsafe { launch(self.kernel, [self.blocks, 1, 1], [1024, 1, 1], self.bytes, stream, &arguments)? };
        finish(stream)
    }
}

/// Lets the driver make what it makes when it is first needed: its compiler, launches, graphs, times. It may need files, names and threads
/// for that which a sandbox refuses later. What fails here fails again where it matters.
pub(super) fn warm() {
    let all = || -> Told<()> {
        let stream = new_stream()?;
        let module = load(OWN.as_bytes()).map_err(|(failure, _)| failure)?;
        let function = function(module, c"assay_nothing")?;
        let (begin, end) = (new_event()?, new_event()?);
        record(begin, stream)?;
        // SAFETY: the kernel takes nothing.
        unsafe { launch(function, [1; 3], [1; 3], 0, stream, &[])? };
        record(end, stream)?;
        finish(stream)?;
        between(begin, end)?;
        begin_capture(stream)?;
        // SAFETY: as above.
        let launched = unsafe { launch(function, [1; 3], [1; 3], 0, stream, &[]) };
        let graph = end_capture(stream)?;
        launched?;
        replay(instantiate(graph)?, graph, stream)
    };
    let _ = all();
}

/// A limit of the context; `None` where the device has no such limit.
pub(super) fn limit(of: sys::CUlimit) -> Option<u64> {
    let mut value = 0;
    // SAFETY: writes to the variable.
    unsafe { call!(cuCtxGetLimit(&raw mut value, of)) }.ok()?;
    Some(value as u64)
}

/// What the context prefers of its first cache.
pub(super) fn cache_preference() -> Option<u64> {
    let mut value = sys::CUfunc_cache::CU_FUNC_CACHE_PREFER_NONE;
    // SAFETY: writes to the variable.
    unsafe { call!(cuCtxGetCacheConfig(&raw mut value)) }.ok()?;
    Some(value as u64)
}

/// The pool of which memory is taken in the order of a stream.
pub(super) fn pool(device: sys::CUdevice) -> Told<sys::CUmemoryPool> {
    let mut pool = ptr::null_mut();
    // SAFETY: writes to the variable.
    unsafe { call!(cuDeviceGetDefaultMemPool(&raw mut pool, device))? };
    Ok(pool)
}

/// Forgets the most that was used of a pool, and gives what is used now.
pub(super) fn forget_peak(pool: sys::CUmemoryPool) -> Told<u64> {
    let mut none = 0_u64;
    let peak = sys::CUmemPool_attribute::CU_MEMPOOL_ATTR_USED_MEM_HIGH;
    // SAFETY: reads the variable, a number of 64 bits as this attribute is.
    unsafe { call!(cuMemPoolSetAttribute(pool, peak, (&raw mut none).cast()))? };
    used(pool, sys::CUmemPool_attribute::CU_MEMPOOL_ATTR_USED_MEM_CURRENT)
}

/// The most that was used of a pool since.
pub(super) fn peak(pool: sys::CUmemoryPool) -> Told<u64> {
    used(pool, sys::CUmemPool_attribute::CU_MEMPOOL_ATTR_USED_MEM_HIGH)
}

fn used(pool: sys::CUmemoryPool, of: sys::CUmemPool_attribute) -> Told<u64> {
    let mut value = 0_u64;
    // SAFETY: writes to the variable, a number of 64 bits as these attributes are.
    unsafe { call!(cuMemPoolGetAttribute(pool, of, (&raw mut value).cast()))? };
    Ok(value)
}
