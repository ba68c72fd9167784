//! The columnar store: what every reader fills and every view reads. Times are whole nanoseconds.
//!
//! It must not interpret: links, steps and categories are made from it, not kept in it.

use crate::intern::{NameId, Names};
use crate::name::EventKind;
use serde_json::Value;

/// Nanoseconds: a point in the trace's own time, or a duration.
pub type Ns = i64;

/// An id that an event may lack; ids are numbers of the profiler, unique within a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EventId(u64);

impl EventId {
    /// No id.
    pub const NONE: Self = Self(u64::MAX);

    /// The id `number` within process `process` of the trace.
    pub fn new(process: u16, number: u64) -> Self {
        Self(number ^ (u64::from(process) << 48))
    }

    /// Whether there is one.
    pub fn is_some(self) -> bool {
        self != Self::NONE
    }
}

columns! {
    /// What ran on GPUs.
    GpuEvents,
    /// One thing that ran on a GPU.
    GpuEvent {
        /// When it began.
        start: Ns,
        /// How long it ran; above 0.
        dur: Ns,
        /// Its name.
        name: NameId,
        /// Index into [`Trace::tracks`].
        track: u32,
        /// What it was.
        kind: EventKind,
        /// Joins it with the call that launched it; one for all kernels of a graph launch.
        correlation: EventId,
        /// Joins it with the CPU op or annotation around its launch.
        external: EventId,
        /// Position within a CUDA graph; the same in every replay.
        graph_node: EventId,
        /// Index into [`Trace::geometries`].
        geometry: u32,
        /// Bytes copied or filled, 0 for kernels.
        bytes: u64,
    }
}

impl GpuEvent {
    /// When it ended.
    pub fn end(&self) -> Ns {
        self.start + self.dur
    }
}

columns! {
    /// Calls into the CUDA or HIP runtime and driver.
    Calls,
    /// One call into the runtime or driver.
    Call {
        /// When it began.
        start: Ns,
        /// How long it took.
        dur: Ns,
        /// Its name, such as `cudaLaunchKernel`.
        name: NameId,
        /// Index into [`Trace::threads`].
        thread: u32,
        /// Joins it with what it launched.
        correlation: EventId,
        /// Joins it with the CPU op around it.
        external: EventId,
    }
}

columns! {
    /// CPU operators.
    Ops,
    /// One CPU operator.
    Op {
        /// When it began.
        start: Ns,
        /// How long it took.
        dur: Ns,
        /// Its name, such as `aten::mm`.
        name: NameId,
        /// Index into [`Trace::threads`].
        thread: u32,
        /// Joins it with kernels and calls.
        external: EventId,
        /// `Input Dims` as the profiler wrote them (JSON), empty where shapes were not recorded.
        dims: NameId,
        /// `Input type` as the profiler wrote it (JSON).
        types: NameId,
        /// `Concrete Inputs` as the profiler wrote them (JSON), for attention and convolutions only: a mask, a stride.
        values: NameId,
    }
}

columns! {
    /// Python frames of one thread.
    Frames,
    /// One call of a Python function.
    Frame {
        /// When it began.
        start: Ns,
        /// When it ended.
        end: Ns,
        /// `file(line): function` or `nn.Module: Class_n`.
        name: NameId,
    }
}

columns! {
    /// Ranges that the program named.
    Annotations,
    /// One range that the program named.
    Annotation {
        /// When it began.
        start: Ns,
        /// How long it lasted.
        dur: Ns,
        /// Its name.
        name: NameId,
        /// Index into [`Trace::threads`], or into [`Trace::tracks`] where it lies on the GPU.
        place: u32,
        /// Whether it is the picture of a range on the GPU's timeline.
        on_gpu: bool,
        /// Joins it with the kernels within it.
        external: EventId,
    }
}

/// A thread of a process on the CPU.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Thread {
    /// Process, as written.
    pub pid: String,
    /// Thread, as written.
    pub tid: String,
    /// Number of the process within the trace, part of every [`EventId`].
    pub process: u16,
}

/// A stream of a device.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Track {
    /// Index into [`Trace::devices`].
    pub device: u32,
    /// The stream, as written.
    pub stream: String,
}

/// A device on which something ran.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Device {
    /// Its number, or the process where the trace has no number; with the rank in front in merged traces.
    pub label: String,
    /// Its number, if it has one.
    pub index: Option<u32>,
    /// The rank that a merged trace writes before its process ids.
    pub rank: Option<u32>,
    /// Marketing name, if the trace says it.
    pub name: Option<String>,
}

/// How a kernel was launched.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Geometry {
    /// Blocks.
    pub grid: [u32; 3],
    /// Threads of a block.
    pub block: [u32; 3],
    /// Registers of a thread.
    pub registers: u32,
    /// Bytes of shared memory of a block.
    pub shared: u32,
}

/// Who wrote the trace.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Format {
    /// A Chrome trace of `torch.profiler`.
    #[default]
    Chrome,
    /// An SQLite export of Nsight Systems.
    Nsys,
}

/// What was seen while reading: the ground of the integrity block.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reading {
    /// Bytes of the text, decompressed, or of the database.
    pub bytes: u64,
    /// Events of every phase that were read whole; in a database the rows of GPU activities, calls and ranges.
    pub events: u64,
    /// Events that are no JSON and were passed over.
    pub malformed: u64,
    /// Events with a duration that lack a time or hold a time that is no number.
    pub without_time: u64,
    /// GPU events of no duration; they cannot be drawn or summed.
    pub empty_gpu_events: u64,
    /// Frames of builtin functions; they are counted and not kept.
    pub builtin_frames: u64,
    /// Names that are no UTF-8; the bad bytes were replaced.
    pub invalid_utf8: u64,
    /// Names with raw control characters, which JSON forbids.
    pub control_characters: u64,
    /// Times with digits below a nanosecond, which were rounded.
    pub rounded_times: u64,
    /// Events that the profiler says it lost.
    pub lost_by_profiler: u64,
    /// Replays of graphs that were recorded as one block, without their kernels.
    pub whole_graphs: u64,
    /// Sum of their durations, in ns.
    pub whole_graphs_ns: Ns,
    /// What the profiler says may be missing, each message once.
    pub warnings: Vec<String>,
}

/// What the trace says about itself and the machine.
#[derive(Debug, Clone, Default)]
pub struct Head {
    /// Version of the Chrome-trace schema.
    pub schema_version: Option<u64>,
    /// `deviceProperties`, as written.
    pub device_properties: Vec<Value>,
    /// Rank within the job.
    pub rank: Option<u32>,
    /// Ranks of the job.
    pub world_size: Option<u32>,
    /// Whether shapes were recorded, where the trace says it.
    pub record_shapes: Option<bool>,
    /// Whether Python stacks were recorded, where the trace says it.
    pub with_stack: Option<bool>,
    /// Unix time of time 0, in nanoseconds.
    pub base_time: Option<i64>,
}

/// A trace in memory.
#[derive(Debug, Clone, Default)]
pub struct Trace {
    /// Who wrote it.
    pub format: Format,
    /// What it says about itself.
    pub head: Head,
    /// What was seen while reading.
    pub reading: Reading,
    /// All names.
    pub names: Names,
    /// GPU events by start.
    pub gpu: GpuEvents,
    /// Runtime and driver calls by start.
    pub calls: Calls,
    /// CPU operators by start.
    pub ops: Ops,
    /// Python frames of each thread, by start, outer frames first. As long as `threads`.
    pub frames: Vec<Frames>,
    /// Annotations by start.
    pub annotations: Annotations,
    /// Threads.
    pub threads: Vec<Thread>,
    /// Streams.
    pub tracks: Vec<Track>,
    /// Devices.
    pub devices: Vec<Device>,
    /// Launch geometries.
    pub geometries: Vec<Geometry>,
}

impl Trace {
    /// The device of a GPU event.
    pub fn device_of(&self, gpu_event: usize) -> u32 {
        self.tracks[self.gpu.track[gpu_event] as usize].device
    }

    /// The text of a name.
    pub fn text(&self, name: NameId) -> &str {
        self.names.text(name)
    }

    /// Number of Python frames.
    pub fn frame_count(&self) -> usize {
        self.frames.iter().map(Frames::len).sum()
    }

    /// Sorts every table by time; every reader calls it once at its end.
    pub(crate) fn sort(&mut self) {
        let order = by_time(&self.gpu.start, &self.gpu.dur);
        if let Some(order) = order {
            self.gpu.permute(&order);
        }
        if let Some(order) = by_time(&self.calls.start, &self.calls.dur) {
            self.calls.permute(&order);
        }
        if let Some(order) = by_time(&self.ops.start, &self.ops.dur) {
            self.ops.permute(&order);
        }
        if let Some(order) = by_time(&self.annotations.start, &self.annotations.dur) {
            self.annotations.permute(&order);
        }
        for frames in &mut self.frames {
            if let Some(order) = order_of(frames.len(), |index| (frames.start[index], -frames.end[index])) {
                frames.permute(&order);
            }
        }
    }
}

/// The order by start, longer first, or `None` where the rows have it already.
fn by_time(start: &[Ns], dur: &[Ns]) -> Option<Vec<u32>> {
    order_of(start.len(), |index| (start[index], -dur[index]))
}

fn order_of<K: Ord>(len: usize, key: impl Fn(usize) -> K) -> Option<Vec<u32>> {
    if (1..len).all(|index| key(index - 1) <= key(index)) {
        return None;
    }
    let mut order: Vec<u32> = (0..len as u32).collect();
    // Stable: events of the same moment keep the order of the file.
    order.sort_by_key(|&index| key(index as usize));
    Some(order)
}
