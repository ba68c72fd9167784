//! How it is timed, and what it may cost.

use super::call::Abi;
use super::size::{size_schema, text_or_number, zero};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// State of the second-level cache of a device before each timed call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Cache {
    /// Overwritten with other data, outside of the time that counts: tensors come from memory, as between the layers of a model.
    Cold,
    /// As the calls before left it.
    Hot,
}

/// How it is timed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Timing {
    /// Pairs of processes.
    #[schemars(range(min = 3))]
    pub processes: u32,
    /// Pairs of blocks in each.
    #[schemars(range(min = 4))]
    pub samples: u32,
    /// Length of a block, in microseconds.
    #[schemars(range(min = 50))]
    pub block_us: u32,
    /// Largest difference of the baseline to itself that is no noise, as a share; its interval may be twice as wide.
    pub max_aa: f64,
    /// Least gain that counts, as a share.
    pub min_effect: f64,
    /// Largest loss at one shape that is borne, as a share.
    pub regress_limit: f64,
    /// Most samples, as a multiple of the above, where they do not decide.
    #[schemars(range(min = 1))]
    pub extend: u32,
    /// Lanes of the measurement; the first decides, the others are told beside it. Default: `[cold, hot]` on a device, and `[hot]` on the
    /// CPU and in an interpreter, where nobody empties caches.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub l2: Vec<Cache>,
}

impl Timing {
    /// The lanes; never none.
    pub fn lanes(&self, abi: &Abi) -> Vec<Cache> {
        match (self.l2.is_empty(), abi.on_device()) {
            (false, _) => self.l2.clone(),
            (true, true) => vec![Cache::Cold, Cache::Hot],
            (true, false) => vec![Cache::Hot],
        }
    }
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            processes: 7,
            samples: 50,
            block_us: 1000,
            max_aa: 0.01,
            min_effect: 0.01,
            regress_limit: 0.02,
            extend: 4,
            l2: Vec::new(),
        }
    }
}

/// What a candidate may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Longest call, in milliseconds.
    pub call_ms: u32,
    /// Most memory that a worker may take beside the tensors, in MiB.
    pub memory_mib: u64,
    /// Longest judgement, in seconds.
    pub total_s: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { call_ms: 3000, memory_mib: 1024, total_s: 600 }
    }
}

/// What the machine could do at best.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Roofline {
    /// Bytes that must move, an expression over the axes.
    #[serde(deserialize_with = "text_or_number")]
    #[schemars(schema_with = "size_schema")]
    pub bytes: String,
    /// Floating point operations, an expression over the axes.
    #[serde(default = "zero", deserialize_with = "text_or_number")]
    #[schemars(schema_with = "size_schema")]
    pub flops: String,
}
