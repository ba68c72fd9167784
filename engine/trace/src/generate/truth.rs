//! What is true of a generated trace, counted from exactly the numbers that were written.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What kind of pass a kernel was launched by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Prompt tokens only ("extend" in SGLang).
    Prefill,
    /// One token for each running sequence.
    Decode,
    /// Both in one batch.
    Mixed,
    /// Launched before the recording began.
    Unknown,
}

impl Stage {
    /// Whether its kernels work on thousands of tokens at once.
    pub(super) fn is_wide(self) -> bool {
        matches!(self, Self::Prefill | Self::Mixed)
    }
}

/// Everything known about one generated trace. All times are absolute nanoseconds on the clock of `ts`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Truth {
    /// Rank, as in `distributedInfo`.
    pub rank: u32,
    /// Ranks in the job.
    pub world: u32,
    /// Device number, which is also the `pid` of the GPU events.
    pub device: u32,
    /// Number of events by category as written. Events without a category count as `metadata` (`ph` M) or `instant` (`ph` i).
    pub events: BTreeMap<String, u64>,
    /// GPU events by stage and name, in that order; copies and fills included.
    pub kernels: Vec<KernelTruth>,
    /// Where the launches of each GPU event name come from.
    pub sources: BTreeMap<String, SourceTruth>,
    /// Passes in order.
    pub passes: Vec<PassTruth>,
    /// How the time of the device was spent.
    pub gpu: GpuTruth,
    /// Launch delay over all GPU events that have a launch.
    pub delay: Delay,
    /// Collectives in order; empty when all ranks run in step (no straggler, no skew).
    pub collectives: Vec<CollectiveTruth>,
}

/// One GPU event name within one stage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KernelTruth {
    /// The stage of the pass that launched it.
    pub stage: Stage,
    /// The name, as written.
    pub name: String,
    /// The category, as written (`kernel`, `gpu_memcpy`, `gpu_memset`; capitalised in the 2021 schema).
    pub category: String,
    /// Whether it is a collective.
    pub communication: bool,
    /// Number of events.
    pub count: u64,
    /// Sum of durations.
    pub total_ns: u64,
    /// Longest duration.
    pub max_ns: u64,
    /// Launch delay of these events.
    pub delay: Delay,
}

/// From the start of the launch call to the start on the GPU. All kernels of a replay are measured from the one launch;
/// events that were launched before the recording are not counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delay {
    /// Events that have a launch in the trace.
    pub count: u64,
    /// Sum of delays.
    pub total_ns: u64,
    /// The element at `count / 2` of the sorted delays; 0 without events.
    pub p50_ns: u64,
}

/// Where the launches of one GPU event name come from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceTruth {
    /// Eager launches by Python location; empty when no frames are recorded. The location is the innermost frame
    /// open at the launch call whose path contains `python/sglang/` or `vllm/`, written `path:line function` with
    /// everything before that mark cut off (`python/sglang/srt/layers/layernorm.py:143 forward_cuda`,
    /// `vllm/model_executor/layers/layernorm.py:194 forward_cuda`).
    pub locations: BTreeMap<String, u64>,
    /// Eager launches by the innermost CPU operator around the launch call.
    pub operators: BTreeMap<String, u64>,
    /// Launches by replay of a graph: no location, no external id and no operator of their own; on NVIDIA each kernel
    /// (not the fills) has a graph node id that is the same in every replay of the same kind of pass.
    pub replayed: u64,
    /// Events without a launch in the trace.
    pub unlinked: u64,
}

/// One forward pass with all that it launched, from prologue to sampling. An event belongs to the pass that launched it,
/// whenever it runs. Times are 0 and layers are absent where no GPU event was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PassTruth {
    /// Position in the trace, from 0.
    pub step: u32,
    /// The stage.
    pub stage: Stage,
    /// GPU events launched.
    pub events: u64,
    /// Start of the first GPU event.
    pub start_ns: u64,
    /// End of the last GPU event.
    pub end_ns: u64,
    /// Time in which a collective of this pass ran and no other kernel did.
    pub exposed_ns: u64,
    /// Time in which a collective of this pass ran beside another kernel.
    pub hidden_ns: u64,
    /// Decoder layers in order.
    pub layers: Vec<LayerTruth>,
}

/// One decoder layer of one pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerTruth {
    /// Start of its first GPU event.
    pub start_ns: u64,
    /// End of its last GPU event.
    pub end_ns: u64,
}

/// How the time of the device was spent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GpuTruth {
    /// Start of the first GPU event.
    pub start_ns: u64,
    /// End of the last GPU event.
    pub end_ns: u64,
    /// `end_ns - start_ns`.
    pub window_ns: u64,
    /// At least one event was active (union over streams).
    pub busy_ns: u64,
    /// No event was active, within the window.
    pub idle_ns: u64,
    /// Events of at least two streams were active.
    pub overlap_ns: u64,
    /// A collective ran and no other kernel; copies and fills are not kernels.
    pub exposed_ns: u64,
    /// A collective ran beside another kernel.
    pub hidden_ns: u64,
}

/// One collective over all ranks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CollectiveTruth {
    /// The pass.
    pub step: u32,
    /// Start on this rank's device.
    pub arrival_ns: u64,
    /// End, the same on every rank.
    pub end_ns: u64,
    /// Latest minus earliest arrival over the ranks.
    pub spread_ns: u64,
    /// The rank that came last; the lowest one if several did.
    pub last_rank: u32,
}
