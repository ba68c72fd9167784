//! Kernels that Nsight Compute measured, beside the same kernels of the trace.

use crate::analysis::Analysis;
use crate::ncu::{self, Digest, Joined, NcuKernel};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// All kernels of a table of Nsight Compute.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct NcuTable {
    /// The file.
    pub source: String,
    /// Launches in its order.
    pub rows: Vec<NcuRow>,
    /// Launches that no kernel of the trace matches.
    pub unmatched: u64,
}

/// One launch that was measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct NcuRow {
    /// What Nsight Compute says.
    pub digest: Digest,
    /// The same kernel of the trace.
    pub joined: Joined,
}

/// Digests every launch and finds it in the trace.
pub fn build(analysis: &Analysis<'_>, source: String, kernels: &[NcuKernel]) -> NcuTable {
    let joined = ncu::join(analysis, kernels);
    let rows =
        kernels.iter().zip(joined).map(|(kernel, joined)| NcuRow { digest: ncu::digest(kernel), joined });
    let rows: Vec<NcuRow> = rows.collect();
    let unmatched = rows.iter().filter(|row| row.joined.matches.is_empty()).count() as u64;
    NcuTable { source, rows, unmatched }
}
