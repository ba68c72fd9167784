//! The few numbers of a profiled launch that decide what to try next.

use super::NcuKernel;
use super::units::{Unit, value};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One launch in short. Shares are percent of the device's peak; what ncu was not asked for is absent.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Digest {
    /// Number of the launch within ncu's report.
    pub id: u64,
    /// The kernel, as ncu prints it.
    pub kernel: String,
    /// Blocks in x, y and z.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grid: Option<[u32; 3]>,
    /// Threads of a block in x, y and z.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub block: Option<[u32; 3]>,
    /// Duration in ns, at the clocks that ncu sets (base clocks unless `--clock-control none`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration_ns: Option<f64>,
    /// Throughput of the SMs, in percent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sm: Option<f64>,
    /// Throughput of the busiest part of the memory system, in percent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<f64>,
    /// Throughput of device memory, in percent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dram: Option<f64>,
    /// Throughput of the L2 cache, in percent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub l2: Option<f64>,
    /// Warps in flight.
    pub occupancy: Occupancy,
    /// Registers of a thread.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub registers: Option<u32>,
    /// Static and dynamic shared memory of a block, in bytes, without what the driver takes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shared_bytes: Option<u64>,
    /// Waves of blocks that the launch makes on the device; below 1 SMs stay empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waves: Option<f64>,
    /// The three reasons for which warps waited most, longest first.
    pub stalls: Vec<Stall>,
    /// What bounds it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub roofline: Option<Roofline>,
    /// Why `roofline` is absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub withheld: Option<String>,
}

/// Warps in flight, in percent of what an SM can hold.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Occupancy {
    /// Measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub achieved: Option<f64>,
    /// What registers, shared memory and block size allow.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub theoretical: Option<f64>,
    /// What keeps `theoretical` below 100; several where they allow the same number of blocks.
    pub limiters: Vec<Limiter>,
}

/// Something that limits the blocks of an SM.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Limiter {
    /// `registers`, `shared memory`, `warps`, `blocks` or `barriers`.
    pub what: String,
    /// Blocks that fit on an SM.
    pub blocks: u32,
}

/// A reason for which warps waited.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Stall {
    /// ncu's word: `long scoreboard`, `math pipe throttle`, `barrier`.
    pub reason: String,
    /// Its share of all waiting, in percent.
    pub share: f64,
    /// Its value as ncu gives it: cycles for each issued instruction, percent or samples, see `metric`.
    pub value: f64,
    /// The metric it stands in.
    pub metric: String,
}

/// What bounds a kernel, and the numbers that decided.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Roofline {
    /// The side.
    pub side: Side,
    /// Throughput of the SMs, in percent.
    pub sm: f64,
    /// Throughput of memory, in percent.
    pub memory: f64,
    /// The decision in words.
    pub because: String,
}

/// What bounds a kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Side {
    /// Moving data.
    Memory,
    /// Computing.
    Compute,
    /// Neither is busy: warps wait, or there are too few of them.
    Latency,
}

/// Below this share of both peaks a kernel is bound by latency: the threshold of ncu's own rule `SOLBottleneck`.
const BUSY: f64 = 60.0;
/// Names of the duration.
pub(super) const DURATION: [&str; 3] = ["gpu__time_duration.sum", "gpu__time_duration.avg", "Duration"];
/// Stalls that are shown.
const SHOWN: usize = 3;

/// Reads the numbers out of a launch's metrics.
pub fn digest(kernel: &NcuKernel) -> Digest {
    let percent = |names: &[&str]| value(kernel, names, Unit::Percent);
    let sm = percent(&[
        "sm__throughput.avg.pct_of_peak_sustained_elapsed",
        "Compute (SM) Throughput",
        "SM Throughput",
        "SOL SM",
    ]);
    let dram = percent(&[
        "gpu__dram_throughput.avg.pct_of_peak_sustained_elapsed",
        "dram__throughput.avg.pct_of_peak_sustained_elapsed",
        "DRAM Throughput",
        "SOL DRAM",
    ]);
    let l2 = percent(&[
        "lts__throughput.avg.pct_of_peak_sustained_elapsed",
        "L2 Cache Throughput",
        "SOL L2 Cache",
    ]);
    let memory = percent(&[
        "gpu__compute_memory_throughput.avg.pct_of_peak_sustained_elapsed",
        "gpu__compute_memory_request_throughput.avg.pct_of_peak_sustained_elapsed",
        "Memory Throughput",
        "SOL Memory",
    ]);
    let memory = memory.or_else(|| [dram, l2].into_iter().flatten().reduce(f64::max));
    let count = |names: &[&str]| value(kernel, names, Unit::Count);
    let mut digest = Digest {
        id: kernel.id,
        kernel: kernel.kernel.clone(),
        grid: kernel.grid,
        block: kernel.block,
        duration_ns: value(kernel, &DURATION, Unit::Nanoseconds),
        sm,
        memory,
        dram,
        l2,
        occupancy: occupancy(kernel),
        registers: count(&["launch__registers_per_thread", "Registers Per Thread"])
            .map(|number| number as u32),
        shared_bytes: shared(kernel),
        waves: count(&["launch__waves_per_multiprocessor", "Waves Per SM"]),
        stalls: stalls(kernel),
        ..Digest::default()
    };
    match sm.zip(memory) {
        Some((sm, memory)) => digest.roofline = Some(roofline(sm, memory, &digest)),
        None => {
            let absent = if sm.is_none() { "SM" } else { "memory" };
            digest.withheld = Some(format!(
                "the table has no {absent} throughput in percent (`--section SpeedOfLight` records it)"
            ));
        }
    }
    digest
}

fn roofline(sm: f64, memory: f64, digest: &Digest) -> Roofline {
    let mut parts = vec![format!("SM {sm:.1} %"), format!("memory {memory:.1} %")];
    parts.extend(digest.dram.map(|dram| format!("DRAM {dram:.1} %")));
    parts.extend(digest.l2.map(|l2| format!("L2 {l2:.1} %")));
    let (side, rule) = if sm.max(memory) < BUSY {
        (Side::Latency, format!("both are below {BUSY:.0} % of their peak"))
    } else if memory > sm {
        (Side::Memory, "memory is nearer to its peak".to_owned())
    } else {
        (Side::Compute, "the SMs are nearer to their peak".to_owned())
    };
    if side == Side::Latency {
        parts.extend(digest.waves.map(|waves| format!("{waves:.2} waves")));
        parts.extend(digest.occupancy.achieved.map(|achieved| format!("occupancy {achieved:.1} %")));
    }
    Roofline { side, sm, memory, because: format!("{rule}: {}", parts.join(", ")) }
}

fn occupancy(kernel: &NcuKernel) -> Occupancy {
    const LIMITS: [(&str, [&str; 2]); 5] = [
        ("registers", ["launch__occupancy_limit_registers", "Block Limit Registers"]),
        ("shared memory", ["launch__occupancy_limit_shared_mem", "Block Limit Shared Mem"]),
        ("warps", ["launch__occupancy_limit_warps", "Block Limit Warps"]),
        ("blocks", ["launch__occupancy_limit_blocks", "Block Limit SM"]),
        ("barriers", ["launch__occupancy_limit_barriers", "Block Limit Barriers"]),
    ];
    let percent = |names: &[&str]| value(kernel, names, Unit::Percent);
    let achieved = percent(&["sm__warps_active.avg.pct_of_peak_sustained_active", "Achieved Occupancy"]);
    let theoretical = percent(&["sm__maximum_warps_per_active_cycle_pct", "Theoretical Occupancy"]);
    let mut limiters = Vec::new();
    // Something always allows the fewest blocks; it limits only where more warps would fit.
    if theoretical.is_none_or(|theoretical| theoretical < 99.5) {
        let limit = |(what, names): (&str, [&str; 2])| {
            let blocks = value(kernel, &names, Unit::Count)? as u32;
            Some(Limiter { what: what.to_owned(), blocks })
        };
        limiters = LIMITS.into_iter().filter_map(limit).collect();
        let least = limiters.iter().map(|limiter| limiter.blocks).min();
        limiters.retain(|limiter| Some(limiter.blocks) == least);
    }
    Occupancy { achieved, theoretical, limiters }
}

fn shared(kernel: &NcuKernel) -> Option<u64> {
    let bytes = |names: &[&str]| value(kernel, names, Unit::Bytes);
    let fixed = bytes(&["launch__shared_mem_per_block_static", "Static Shared Memory Per Block"]);
    let dynamic = bytes(&["launch__shared_mem_per_block_dynamic", "Dynamic Shared Memory Per Block"]);
    if fixed.is_none() && dynamic.is_none() {
        return None;
    }
    Some((fixed.unwrap_or_default() + dynamic.unwrap_or_default()).round() as u64)
}

/// Names around the reason, best first: cycles of waiting for each instruction, shares of warps, samples, and the
/// words of `--page details --print-details all`. Only one of these families is used: their units differ.
const STALLS: [(&str, &str); 6] = [
    ("smsp__average_warps_issue_stalled_", "_per_issue_active.ratio"),
    ("smsp__average_warp_latency_issue_stalled_", ".ratio"),
    ("smsp__warp_issue_stalled_", "_per_warp_active.pct"),
    ("smsp__average_warp_issue_stalled_", "_per_warp_active.pct"),
    ("smsp__pcsamp_warps_issue_stalled_", ""),
    ("Stall ", ""),
];

fn stalls(kernel: &NcuKernel) -> Vec<Stall> {
    for (before, behind) in STALLS {
        let stall = |metric: &super::Metric| {
            let reason = metric.name.strip_prefix(before)?.strip_suffix(behind)?;
            let reason = reason.replace('_', " ").to_lowercase();
            // A selected warp issues: that is the opposite of waiting. Samples are also counted for cycles without issue.
            if reason == "selected" || reason.ends_with("not issued") {
                return None;
            }
            Some(Stall { reason, share: 0.0, value: metric.number?, metric: metric.name.clone() })
        };
        let mut stalls: Vec<Stall> = kernel.metrics.iter().filter_map(stall).collect();
        let sum: f64 = stalls.iter().map(|stall| stall.value).sum();
        if sum <= 0.0 {
            continue;
        }
        for stall in &mut stalls {
            stall.share = stall.value * 100.0 / sum;
        }
        stalls.sort_by(|a, b| b.value.total_cmp(&a.value).then_with(|| a.reason.cmp(&b.reason)));
        stalls.truncate(SHOWN);
        stalls.retain(|stall| stall.value > 0.0);
        return stalls;
    }
    Vec::new()
}
