//! Axes, tensors and numbers of a call.

use super::size::{size_schema, text_or_number};
use crate::dtype::DType;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Sizes that an axis takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Axis {
    /// Smallest and largest size that a candidate must serve. Random shapes are drawn from it.
    pub range: [u64; 2],
    /// The size is a multiple of this.
    #[serde(default = "one_u64")]
    #[schemars(range(min = 1))]
    pub multiple_of: u64,
    /// What it stands for.
    #[serde(default)]
    pub description: String,
}

/// Distribution of generated values.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Dist {
    /// Normal with `mean` and `std`.
    #[default]
    Normal,
    /// Uniform from `mean - std` to `mean + std`.
    Uniform,
    /// Uniform integers from `low` to below `high`.
    Integers,
}

/// How an input's values are made. They depend on the seed, the tensor's name and the place of the element only.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Generator {
    /// Distribution.
    pub dist: Dist,
    /// Centre.
    pub mean: f64,
    /// Standard deviation of `normal`, half the width of `uniform`.
    pub std: f64,
    /// Factors on the values; every check of values runs at each of them. Not to be confused with `scalars`, numbers of the call.
    /// Empty: 1; and where no input names any, 0.05, 1 and 30 for the first that does not hold integers.
    pub scales: Vec<f64>,
    /// Smallest integer; an expression over the axes.
    #[serde(deserialize_with = "text_or_number")]
    #[schemars(schema_with = "size_schema")]
    pub low: String,
    /// Behind the largest integer; an expression over the axes.
    #[serde(deserialize_with = "text_or_number")]
    #[schemars(schema_with = "size_schema")]
    pub high: String,
}

impl Default for Generator {
    fn default() -> Self {
        Self {
            dist: Dist::Normal,
            mean: 0.0,
            std: 1.0,
            scales: Vec::new(),
            low: "0".to_owned(),
            high: "1".to_owned(),
        }
    }
}

/// Layouts that a tensor may come in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Strides {
    /// Only without gaps.
    #[default]
    Contiguous,
    /// Rows of the last dimension may have gaps between them.
    RowPaddedOk,
}

/// An input tensor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// Type of the elements.
    pub dtype: DType,
    /// Size of each dimension: a number, an axis, or an expression over axes such as `2 * C`.
    pub shape: Vec<Size>,
    /// Layouts that must be served.
    #[serde(default)]
    pub strides: Strides,
    /// Its values.
    #[serde(default, rename = "gen")]
    pub generator: Generator,
}

/// Size of a dimension, as text: a number, an axis, or an expression over axes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Size(
    #[serde(deserialize_with = "text_or_number")]
    #[schemars(schema_with = "size_schema")]
    pub String,
);

/// How an output is compared with the right answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OutputMode {
    /// Within the tolerance, in unit roundoffs of its type.
    #[default]
    Ulp,
    /// The same bits as the baseline's.
    BitwiseVsBaseline,
}

/// An output tensor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Output {
    /// Type of the elements.
    pub dtype: DType,
    /// Size of each dimension, as in inputs.
    pub shape: Vec<Size>,
    /// Layouts that must be served.
    #[serde(default)]
    pub strides: Strides,
    /// Roundings to this type on the way of each element that the contract has.
    #[serde(default = "one_u32")]
    #[schemars(range(min = 1))]
    pub roundings: u32,
    /// How it is compared.
    #[serde(default)]
    pub mode: OutputMode,
}

/// A number that is passed along; exactly one of both.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Scalar {
    /// Its only value. A kernel that ignores it is not told apart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
    /// Its values: the first is measured, the others are checked beside it, so that a kernel must read the number.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<f64>,
}

impl Scalar {
    /// All its values, the measured one first. The loader sees to it that there is one.
    pub fn all(&self) -> Vec<f64> {
        self.value.into_iter().chain(self.values.iter().copied()).collect()
    }

    /// The value in a setting: the first in setting 0, and around again behind the last.
    pub fn at(&self, setting: usize) -> f64 {
        let all = self.all();
        all.get(setting % all.len().max(1)).copied().unwrap_or_default()
    }
}

fn one_u64() -> u64 {
    1
}

fn one_u32() -> u32 {
    1
}
