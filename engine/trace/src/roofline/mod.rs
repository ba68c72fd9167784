//! What operators must compute and move, and how fast a GPU could do it: the ground of the roofline view and of the
//! cost of a model.
//!
//! It must not guess: an operator that it has no formula for, or whose shapes do not fit its formula, has no cost.

pub mod architecture;
pub mod bytes;
pub mod calls;
pub mod flops;
pub mod gpus;
mod layer;
pub mod model;
pub mod peak;
pub mod shape;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A number format of matrix units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Dtype {
    /// 64 bits.
    Fp64,
    /// 32 bits.
    Fp32,
    /// 32 bits in memory, 19 in the product.
    Tf32,
    /// 16 bits with the range of 32.
    Bf16,
    /// 16 bits.
    Fp16,
    /// 8 bits, either form.
    Fp8,
    /// Whole numbers of 8 bits.
    Int8,
    /// 4 bits with a scale for each block.
    Fp4,
}

impl Dtype {
    /// Its name as written in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Fp64 => "fp64",
            Self::Fp32 => "fp32",
            Self::Tf32 => "tf32",
            Self::Bf16 => "bf16",
            Self::Fp16 => "fp16",
            Self::Fp8 => "fp8",
            Self::Int8 => "int8",
            Self::Fp4 => "fp4",
        }
    }
}

/// What an operator must do at least.
#[derive(Debug, Clone, PartialEq)]
pub struct Cost {
    /// Floating-point operations of its matrix products, a multiplication and an addition counting two; 0 where it is
    /// bound by memory alone.
    pub flops: u64,
    /// Bytes read and written when every input is read once and every output written once.
    pub bytes: u64,
    /// Format of the product, by the types of the inputs; `None` without one.
    pub dtype: Option<Dtype>,
    /// Whether it is a plain matrix product, for which the kernel's name may say a narrower format.
    pub product: bool,
    /// What had to be assumed.
    pub assumption: Option<&'static str>,
}

/// Why a kernel has no place under the roof.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Missing {
    /// It came from the replay of a graph, which records no shapes.
    GraphReplay,
    /// No CPU operator is known to have launched it.
    NoOp,
    /// The operator was recorded without shapes.
    NoShapes,
    /// There is no formula for the operator.
    UnknownOp,
    /// The shapes do not say the work: the length of a paged cache, or shapes that do not fit the operator.
    UnknownShape,
    /// The types of the inputs are not known, or differ.
    UnknownType,
    /// The GPU has no unit for the type, or the table does not say its rate.
    NoPeak,
    /// The device is not in the table.
    UnknownGpu,
}

impl Missing {
    /// All, in the order of tables.
    pub const ALL: [Self; 8] = [
        Self::GraphReplay,
        Self::NoOp,
        Self::NoShapes,
        Self::UnknownOp,
        Self::UnknownShape,
        Self::UnknownType,
        Self::NoPeak,
        Self::UnknownGpu,
    ];

    /// In words, to follow "% of the kernel time: ".
    pub fn words(self) -> &'static str {
        match self {
            Self::GraphReplay => "graph replays, which record no shapes",
            Self::NoOp => "kernels whose CPU operator is not known",
            Self::NoShapes => "operators recorded without shapes (`record_shapes=True` records them)",
            Self::UnknownOp => "operators without a formula",
            Self::UnknownShape => "shapes that do not say the work",
            Self::UnknownType => "inputs of unknown or mixed types",
            Self::NoPeak => "types that the GPU has no rate for",
            Self::UnknownGpu => "devices that are not in the table",
        }
    }
}
