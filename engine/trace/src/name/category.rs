//! The labels: what kind of event, what kind of work, and which of the five lanes of the overlap table.
//!
//! One map leads from categories to lanes, so that two tables can never contradict each other.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

/// What the profiler says an activity of the GPU is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// A kernel.
    Kernel,
    /// A copy by the copy engine.
    Memcpy,
    /// A fill by the copy engine.
    Memset,
    /// Anything else on the device.
    Other,
}

/// The kind of work a kernel does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Category {
    /// Collectives and point-to-point transfers between GPUs.
    Communication,
    /// Copies, fills, layout changes, writes to the KV cache.
    Memory,
    /// Linear attention, state space models and their short convolutions.
    HybridLinear,
    /// Softmax attention of any form, with its preparation and combination kernels.
    Attention,
    /// Experts: routing, alignment, grouped products, summation.
    Moe,
    /// Dense matrix products and convolutions.
    Gemm,
    /// Normalisation.
    Norm,
    /// Rotary position embedding.
    Rope,
    /// Softmax that is no attention.
    Softmax,
    /// Activation functions.
    Activation,
    /// Conversion to and from quantised formats.
    Quantize,
    /// Reductions, selections, sorting, scans, sampling.
    ReduceTopk,
    /// Bookkeeping between the scheduler and the model: positions, token ids, request slots.
    SamplingIo,
    /// Element-by-element arithmetic, indexing, gathering.
    Elementwise,
    /// Nothing is known; its share is to be reported.
    Other,
}

impl Category {
    /// All categories, in the order of the kernel table.
    pub const ALL: [Self; 15] = [
        Self::Communication,
        Self::Memory,
        Self::HybridLinear,
        Self::Attention,
        Self::Moe,
        Self::Gemm,
        Self::Norm,
        Self::Rope,
        Self::Softmax,
        Self::Activation,
        Self::Quantize,
        Self::ReduceTopk,
        Self::SamplingIo,
        Self::Elementwise,
        Self::Other,
    ];

    /// The name in tables and machine formats.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Communication => "communication",
            Self::Memory => "memory",
            Self::HybridLinear => "hybrid_linear",
            Self::Attention => "attention",
            Self::Moe => "moe",
            Self::Gemm => "gemm",
            Self::Norm => "norm",
            Self::Rope => "rope",
            Self::Softmax => "softmax",
            Self::Activation => "activation",
            Self::Quantize => "quantize",
            Self::ReduceTopk => "reduce_topk",
            Self::SamplingIo => "sampling_io",
            Self::Elementwise => "elementwise",
            Self::Other => "other",
        }
    }

    /// The lane of this category: the only map between the two. `multiplies` separates the products of
    /// [`Category::Moe`] from its routing and summation; the other categories ignore it.
    pub fn lane(self, multiplies: bool) -> Lane {
        match self {
            Self::Gemm | Self::Attention | Self::HybridLinear => Lane::Compute,
            Self::Moe if multiplies => Lane::Compute,
            Self::Communication => Lane::Communication,
            Self::Memory => Lane::Memory,
            Self::Moe
            | Self::Norm
            | Self::Rope
            | Self::Softmax
            | Self::Activation
            | Self::Quantize
            | Self::ReduceTopk
            | Self::SamplingIo
            | Self::Elementwise => Lane::Elementwise,
            Self::Other => Lane::Other,
        }
    }
}

impl fmt::Display for Category {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The coarse label of the overlap table. The order is the rank where one must win: the last is the strongest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Lane {
    /// Nothing is known.
    Other,
    /// Small kernels bound by memory bandwidth or by their launch.
    Elementwise,
    /// Copies and fills.
    Memory,
    /// Collectives and transfers.
    Communication,
    /// Products, attention, linear attention.
    Compute,
}

impl Lane {
    /// The name in tables and machine formats.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Compute => "compute",
            Self::Communication => "communication",
            Self::Memory => "memory",
            Self::Elementwise => "elementwise",
            Self::Other => "other",
        }
    }
}

impl fmt::Display for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn serde_and_tables_use_one_spelling() {
        for category in Category::ALL {
            assert_eq!(serde_json::to_value(category).expect("plain"), category.as_str());
        }
        for lane in [Lane::Compute, Lane::Communication, Lane::Memory, Lane::Elementwise, Lane::Other] {
            assert_eq!(serde_json::to_value(lane).expect("plain"), lane.as_str());
        }
    }

    #[test]
    fn ranks_of_lanes() {
        let mut lanes = [Lane::Memory, Lane::Compute, Lane::Other, Lane::Communication, Lane::Elementwise];
        lanes.sort();
        assert_eq!(lanes, [Lane::Other, Lane::Elementwise, Lane::Memory, Lane::Communication, Lane::Compute]);
    }
}
