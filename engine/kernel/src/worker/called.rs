//! What is asked of a worker and what comes back from calls.

use super::mode::Mode;
use serde::{Deserialize, Serialize};

/// Which end of each tensor lies exactly at memory that nobody may touch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edge {
    /// The first byte.
    Start,
    /// The last byte.
    End,
}

/// A call that came back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Called {
    /// The entry's return code; 0 is success.
    pub rc: i32,
    /// Nanoseconds by the worker's clock.
    pub ns: u64,
    /// Nanoseconds by the judge's clock, with the way there and back.
    pub host_ns: u64,
    /// Mode of floating point before the call: always [`Mode::DEFAULT`].
    pub mode_before: Mode,
    /// And after it.
    pub mode_after: Mode,
}

/// Calls behind each other.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Block {
    /// The set of each call, at most [`super::MOST_CALLS`].
    pub sets: Vec<u16>,
    /// A call, and the place in the case of one of its tensors that is copied to the arena's snapshot right after the call.
    pub snapshot: Option<(usize, usize)>,
    /// On a device: its second-level cache is overwritten before each call, outside the time that counts.
    pub flush: bool,
}

/// A block that came back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Blocked {
    /// Nanoseconds of the calls by the worker's clock (on a device by its events), without the copy.
    pub ns: u64,
    /// On a device: nanoseconds by the worker's clock until everything that runs there is done; elsewhere the same as `ns`.
    pub wall_ns: u64,
    /// Nanoseconds of everything by the judge's clock, with the copy and with the way there and back.
    pub host_ns: u64,
    /// Processor time of the worker between the same two points, in nanoseconds, where a block has more parts than those; `None` where it
    /// has not, or the system does not tell.
    pub cpu_ns: Option<u64>,
    /// Nanoseconds of the snapshot's copy by the worker's clock.
    pub copy_ns: u64,
    /// The first call that failed and its return code; the block ends with it.
    pub failed: Option<(usize, i32)>,
    /// The first mode after a call that is not the default, else the default.
    pub mode_after: Mode,
}

/// A call on a device, looked at for what only a device lets it do.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probed {
    /// Outputs changed while the caller's stream was held up.
    pub escaped: bool,
    /// It did not return while the caller's stream was held up.
    pub waited: bool,
    /// Why it cannot be captured in a graph or what the graph does wrong; `None` where a replay gives the same outputs.
    pub capture: Option<String>,
    /// Bytes of device memory that a warm call takes.
    pub allocated: u64,
    /// Limits and settings of the device that it changed: name, before, after.
    pub changed: Vec<(String, u64, u64)>,
}

/// The device of a worker, and its kernel.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    /// Name of the device.
    pub name: String,
    /// Its identity, as the driver writes it: `GPU-...`.
    pub uuid: String,
    /// Version of the driver, such as `580.65.06`; empty where the system does not tell.
    pub driver: String,
    /// Newest CUDA that the driver serves, such as `13.0`.
    pub cuda: String,
    /// Compute capability, such as (9, 0).
    pub capability: (u32, u32),
    /// Bytes of the second-level cache.
    pub l2_bytes: u64,
    /// Multiprocessors.
    pub multiprocessors: u32,
    /// Registers of a thread; 0 where the kernel is not ours to look at.
    pub registers: u32,
    /// Bytes of local memory of a thread: spills or arrays.
    pub local_bytes: u32,
    /// Bytes of static shared memory of a block.
    pub shared_bytes: u32,
    /// Most threads of a block.
    pub max_threads: u32,
}
