//! A judgement as a row of the ledger. A field that is added may be absent, so that older rows are read; one that changes or goes needs a
//! new version, and a reader refuses versions that it does not know.

use crate::task::Form;
use crate::timing::estimate::Interval;
use crate::verdict::{Class, Code, Finding, Gate};
use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Version of the row.
pub const VERSION: u32 = 1;

/// Device on which was measured.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeviceFacts {
    /// Its model.
    pub name: String,
    /// Its identity, empty for a processor.
    #[serde(default)]
    pub uuid: String,
    /// Version of its driver, empty for a processor.
    #[serde(default)]
    pub driver: String,
    /// Version of CUDA, empty for a processor.
    #[serde(default)]
    pub cuda: String,
    /// Clocks in MHz by name, as read around the measurement.
    #[serde(default)]
    pub clocks: IndexMap<String, f64>,
}

/// Seeds of a judgement.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Seeds {
    /// SHA-256 of `secret`, fixed before the candidate was built.
    pub commitment: String,
    /// The secret, 32 bytes in hexadecimal; every seed of the judgement follows from it.
    pub secret: String,
}

/// Calls that were checked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CaseCounts {
    /// Calls whose outcome was looked at.
    pub run: u64,
    /// Those with a fault.
    pub failed: u64,
}

/// Errors against the oracle. What was not computed is absent: a judgement that ends early knows little.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ErrorFacts {
    /// Largest error of an element of a right output, in unit roundoffs of the output's type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_u: Option<f64>,
    /// Largest absolute error of an element at a measured shape, among finite ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_abs: Option<f64>,
    /// Largest relative error of an element at a measured shape, among finite ones that should not be zero.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_rel: Option<f64>,
    /// Relative error (2-norm) of the output where it is largest relative to the baseline's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rel_l2: Option<f64>,
    /// Largest signed mean error, as the task's `max_bias_t` counts it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bias_t: Option<f64>,
    /// The baseline's relative error there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baseline_rel_l2: Option<f64>,
}

impl ErrorFacts {
    /// Raises a figure to this value; the first value always counts.
    pub fn raise(figure: &mut Option<f64>, value: f64) {
        *figure = Some(figure.map_or(value, |known| known.max(value)));
    }
}

/// Ratio at one shape.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TimingRow {
    /// Sizes by axis.
    pub axes: IndexMap<String, u64>,
    /// Whether it counts for the geometric mean.
    pub headline: bool,
    /// Calls of a block.
    pub calls: usize,
    /// Median time of a call of the baseline, in nanoseconds.
    pub baseline_ns: f64,
    /// Median time of a call of the candidate, in nanoseconds.
    pub candidate_ns: f64,
    /// Baseline / candidate.
    pub ratio: Interval,
}

/// What was measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TimingFacts {
    /// State of the caches: `hot`, `cold`.
    pub lane: String,
    /// Process pairs.
    pub processes: usize,
    /// Pairs of blocks over all processes and shapes.
    pub pairs: usize,
    /// Geometric mean of the headline shapes, baseline / candidate.
    pub geomean: Interval,
    /// The same by the judge's own clock, in which requests and replies count as well; absent on a device, and in older rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen: Option<Interval>,
    /// The same on data that no call had seen; absent where inputs are integers only, and in older rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub renewed: Option<Interval>,
    /// Every measured shape.
    pub rows: Vec<TimingRow>,
    /// Other states of the caches, which decide nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lanes: Vec<LaneFacts>,
}

/// What was measured in a state of the caches that does not decide.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LaneFacts {
    /// State of the caches: `hot`, `cold`.
    pub lane: String,
    /// Process pairs.
    pub processes: usize,
    /// Pairs of blocks over all processes and shapes.
    pub pairs: usize,
    /// Geometric mean of the headline shapes, baseline / candidate.
    pub geomean: Interval,
    /// Every measured shape.
    pub rows: Vec<TimingRow>,
}

/// How near the machine's ceiling the candidate came, at the shape where it came nearest.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RooflineFacts {
    /// Bytes per second.
    pub bytes_s: f64,
    /// Floating point operations per second.
    pub flops_s: f64,
    /// Share of the measured ceiling.
    pub fraction: f64,
}

/// A device function.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FunctionFacts {
    /// Registers of a thread.
    pub regs: u32,
    /// Bytes of local memory of a thread.
    pub spill: u32,
    /// Bytes of static shared memory.
    pub smem: u32,
}

/// What sanitizers said.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SanitizerFacts {
    /// Tools that ran.
    pub tools: Vec<String>,
    /// Why none ran, if none did.
    #[serde(default)]
    pub skipped: String,
}

/// Effect on a whole model, measured by others: a kernel twice as fast is often a model 2 % faster.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EndToEnd {
    /// Name and unit of the metric.
    pub metric: String,
    /// Its value with the baseline.
    pub before: f64,
    /// Its value with the candidate.
    pub after: f64,
}

/// A judgement as it stands in the ledger.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// Version of the row, 1.
    pub v: u32,
    /// When the judgement ended, in UTC (RFC 3339).
    pub ts: String,
    /// The task's name.
    pub task_id: String,
    /// The task's digest.
    pub task_sha: String,
    /// Path of the candidate as it was given, from the folder that the judgement ran in where it lies below it; absent in older rows. It
    /// is a name for people: what was judged is the digest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub candidate: Option<String>,
    /// Digest of the candidate: of its file where it stands alone, otherwise over the digests and names of the file and of those beside
    /// it that it includes.
    pub candidate_sha: String,
    /// Digest of the candidate's library, which is the same as the candidate's where that is one.
    pub library_sha: String,
    /// Digest of the baseline, likewise; of a baseline in a folder over all of the folder.
    pub baseline_sha: String,
    /// Commit that the baseline was taken from.
    pub baseline_commit: String,
    /// Form of the entry.
    pub form: Form,
    /// Whether few samples were taken: enough for a factor of two, not for a few percent. Absent in older rows, which do not tell.
    #[serde(default)]
    pub quick: bool,
    /// What kind of judgement it is.
    pub verdict: Class,
    /// The judgement.
    pub code: Code,
    /// The gate that decided.
    pub gate: Gate,
    /// What it decided on, for a reader; empty for an acceptance.
    pub message: String,
    /// Everything that was found.
    pub findings: Vec<Finding>,
    /// Device on which was measured.
    pub device: DeviceFacts,
    /// Name of the machine.
    pub host: String,
    /// Compiler and flags of the build; empty for a library.
    pub flags: Vec<String>,
    /// Seeds.
    pub seeds: Seeds,
    /// Calls that were checked.
    pub cases: CaseCounts,
    /// Errors against the oracle, once they were looked at.
    pub err: Option<ErrorFacts>,
    /// Times, once they were measured.
    pub timing: Option<TimingFacts>,
    /// The baseline against itself, once it was measured.
    pub aa: Option<Interval>,
    /// Distance to the machine's ceiling, where the task says how much must move.
    pub roofline: Option<RooflineFacts>,
    /// Whether a person must look before the result is believed.
    pub sign_off: bool,
    /// Device functions by name.
    pub func: IndexMap<String, FunctionFacts>,
    /// What sanitizers said.
    pub sanitizer: SanitizerFacts,
    /// Effect on a whole model.
    pub e2e: Option<EndToEnd>,
    /// Digest of the candidate that this one was made from.
    pub parent: Option<String>,
    /// Files that belong to the judgement.
    pub artifacts: Vec<String>,
}

/// What a row is compared with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Current {
    /// The task's name.
    pub task_id: String,
    /// Its digest today.
    pub task_sha: String,
    /// The baseline's digest today.
    pub baseline_sha: String,
}

/// Whether a row still says something about the task of today.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// It does.
    Valid,
    /// The task changed since.
    StaleTask,
    /// The baseline changed since: what was beaten is not what is there to beat.
    StaleBaseline,
    /// It belongs to another task.
    Other,
}

impl Row {
    /// Whether it still says something about the task of today. A changed baseline is named first, since it changes the task's
    /// digest as well.
    pub fn standing(&self, current: &Current) -> Standing {
        if self.task_id != current.task_id {
            Standing::Other
        } else if self.baseline_sha != current.baseline_sha {
            Standing::StaleBaseline
        } else if self.task_sha != current.task_sha {
            Standing::StaleTask
        } else {
            Standing::Valid
        }
    }
}
