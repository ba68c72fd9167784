//! What the right answer is, and how far from it is still right.

use super::Size;
use crate::dtype::DType;
use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where right answers come from; exactly one of both.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Oracle {
    /// Name of a function that ships with Assay and computes in binary64.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub builtin: Option<String>,
    /// Settings of that function.
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    pub with: IndexMap<String, serde_json::Value>,
    /// Program that computes them: it gets the path of a safetensors file with the inputs and one to write the outputs to, in
    /// binary64.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<String>,
}

/// How the rounding errors of a sum add up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SumModel {
    /// `3 sqrt(n) u`: errors of random sign (Higham and Mary, 2019).
    #[default]
    Sqrt,
    /// `n u`: the worst case.
    Worst,
}

/// The sum within each output element.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SumTerms {
    /// Terms, an expression over the axes.
    pub n: Size,
    /// Type in which it is summed.
    pub unit: DType,
    /// How its errors add up.
    #[serde(default)]
    pub model: SumModel,
}

/// How far from the right answer is still right: `|y - y*| <= (roundings + c_out) u |y*| + g S`, with the unit roundoff `u` of the
/// output's type, `S` the sum of the absolute terms and `g` of `accum`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Tolerance {
    /// Allowance beside the contract's roundings, in unit roundoffs.
    pub c_out: f64,
    /// The sum within each element, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accum: Option<SumTerms>,
    /// Largest ratio of the relative error (2-norm) to the baseline's.
    pub rel_l2_vs_baseline: f64,
    /// Largest mean of the signed error (positive away from zero) in units of its standard deviation, beyond what chance gives;
    /// truncation is at 1.7.
    pub max_bias_t: f64,
}

impl Default for Tolerance {
    fn default() -> Self {
        Self { c_out: 0.5, accum: None, rel_l2_vs_baseline: 1.25, max_bias_t: 0.2 }
    }
}

/// What is asked of a special value.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SpecialMode {
    /// As the oracle: what it makes NaN is NaN, what it makes infinite is infinite.
    #[default]
    Propagate,
    /// Not checked.
    Unchecked,
}

/// Values that must be treated with care.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Special {
    /// Rows with a NaN.
    pub nan: SpecialMode,
    /// Rows with an infinity.
    pub inf: SpecialMode,
    /// Rows of zeros.
    pub zero_row: bool,
    /// Rows of subnormal numbers, whose results are compared absolutely.
    pub subnormal: bool,
}

impl Default for Special {
    fn default() -> Self {
        Self { nan: SpecialMode::Propagate, inf: SpecialMode::Propagate, zero_row: true, subnormal: true }
    }
}

/// How equal two runs on the same inputs must be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Determinism {
    /// Largest difference in units of the last place; 0 asks for the same bits.
    pub max_ulp: u32,
}
