//! Who a process is, beyond its number: numbers are reused, the start time within one boot is not.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Identifies one process on one host for good: a pid alone is reused after its owner ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ProcessIdentity {
    /// Process id.
    pub pid: u32,
    /// Start time in clock ticks since boot (field 22 of `/proc/<pid>/stat`).
    pub start: u64,
    /// The kernel's boot id (`/proc/sys/kernel/random/boot_id`), without dashes.
    pub boot: String,
}
