//! A kernel that the worker launches itself: its image, and what each set's launch is given.

#![expect(unsafe_code, reason = "launches foreign code")]

use super::driver::{self, Failure, Told};
use super::mirror::Mirror;
use crate::worker::About;
use crate::worker::answer::Refused;
use crate::worker::message::Kind;
use crate::worker::plan::{Arg, Plan};
use cudarc::driver::sys::{CUfunction, CUfunction_attribute as Fact, CUresult, CUstream};
use std::ffi::{CString, c_void};

/// Bytes of shared memory that every kernel may have; more of it, which must be dynamic, must be asked for (CUDA C++ programming guide,
/// 20.7.3).
const PLAIN_SHARED: u32 = 48 * 1024;

/// Loads an image and finds its kernel. `cuda` is the newest CUDA that the driver serves.
pub(super) fn load(image: &[u8], name: &str, cuda: &str) -> Result<CUfunction, Refused> {
    let module = driver::load(image).map_err(|(failure, log)| {
        if failure.error == CUresult::CUDA_ERROR_UNSUPPORTED_PTX_VERSION {
            let what = format!(
                "the PTX is newer than the driver, which serves CUDA {cuda}; compile with NVRTC or nvcc of that CUDA, or install a newer \
                 driver"
            );
            return Refused::new(Kind::Unsupported, what);
        }
        let log = log.trim();
        let text = if log.is_empty() { failure.name() } else { format!("{}: {log}", failure.name()) };
        Refused { whole: true, ..Refused::new(Kind::LoadFailed, text) }
    })?;
    let missing = || Refused::new(Kind::SymbolMissing, name);
    let text = CString::new(name).map_err(|_| missing())?;
    driver::function(module, &text).map_err(|failure| match failure.error {
        CUresult::CUDA_ERROR_NOT_FOUND => missing(),
        _ => Refused::new(Kind::LoadFailed, failure.name()),
    })
}

/// What the driver made of it.
pub(super) fn facts(function: CUfunction, about: &mut About) -> Told<()> {
    about.registers = driver::of_function(function, Fact::CU_FUNC_ATTRIBUTE_NUM_REGS)?;
    about.local_bytes = driver::of_function(function, Fact::CU_FUNC_ATTRIBUTE_LOCAL_SIZE_BYTES)?;
    about.shared_bytes = driver::of_function(function, Fact::CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES)?;
    about.max_threads = driver::of_function(function, Fact::CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK)?;
    Ok(())
}

/// The launches of a mapped arena.
pub(super) struct Launches {
    function: CUfunction,
    grid: [u32; 3],
    block: [u32; 3],
    shared: u32,
    sets: Vec<Arguments>,
}

/// Arguments of a launch: the values, and where each of them is.
struct Arguments {
    /// Owns what the pointers point to.
    _values: Box<[u64]>,
    pointers: Box<[*mut c_void]>,
}

impl Launches {
    /// For the sets of a plan.
    /// `declared` is what the kernel itself declares of shared memory: what a launch adds may not go beyond what every kernel may have
    /// together with it.
    pub(super) fn new(
        function: CUfunction,
        declared: u32,
        plan: &Plan,
        mirror: &Mirror,
    ) -> Result<Self, Refused> {
        let Some(launch) = &plan.launch else {
            return Err(Refused::system("the case does not say how the kernel is launched"));
        };
        if launch.shared > 0 && launch.shared.saturating_add(declared) > PLAIN_SHARED {
            driver::allow_shared(function, launch.shared).map_err(Failure::of_launch)?;
        }
        let mut sets = Vec::with_capacity(plan.sets.len());
        for placed in &plan.sets {
            let value = |arg: &Arg| match *arg {
                Arg::Tensor(at) => placed.get(at).map(|placed| mirror.address(placed)),
                // In the first four of the eight bytes.
                Arg::Word(bits) => {
                    let [a, b, c, d] = bits.to_ne_bytes();
                    Some(u64::from_ne_bytes([a, b, c, d, 0, 0, 0, 0]))
                }
                Arg::Long(bits) => Some(bits),
            };
            let values: Option<Box<[u64]>> = launch.args.iter().map(value).collect();
            let mut values = values.ok_or_else(|| Refused::system("an argument is no tensor of the case"))?;
            let pointers = values.iter_mut().map(|value| (&raw mut *value).cast()).collect();
            sets.push(Arguments { _values: values, pointers });
        }
        let (grid, block, shared) = (launch.grid, launch.block, launch.shared);
        Ok(Self { function, grid, block, shared, sets })
    }

    /// Launches with a set, which must be there.
    pub(super) fn launch(&self, set: usize, stream: CUstream) -> Told<()> {
        let arguments = &self.sets[set].pointers;
        // SAFETY: each pointer leads to a value of at least the size that the task gives the argument. If the kernel takes others, it is
        // the device that suffers, and this process, not the judge.
        unsafe { driver::launch(self.function, self.grid, self.block, self.shared, stream, arguments) }
    }
}
