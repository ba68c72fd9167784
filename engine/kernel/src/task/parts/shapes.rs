//! Shapes that are measured, checked, and refused.

use crate::dtype::DType;
use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Shapes that are measured.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Workloads {
    /// File beside the task with one shape per line, `{"axes": {...}, "headline": true, "uuid": "..."}`; only `axes` is needed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<PathBuf>,
    /// Shapes in place: sizes by axis.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub shapes: Vec<IndexMap<String, u64>>,
    /// What `shapes` are called elsewhere, one name for each in their order; exported traces carry it. It decides nothing.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub uuids: Vec<String>,
}

/// Shapes that are checked beside the measured ones.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Hidden {
    /// Sizes for every axis, those that the axis allows: tails that no vector width divides.
    pub odd: Vec<u64>,
    /// Shapes drawn in each judgement.
    pub random: u32,
    /// Most elements of a tensor in these shapes.
    pub max_elements: u64,
}

impl Default for Hidden {
    fn default() -> Self {
        Self { odd: vec![1, 7, 33, 255, 257, 1000], random: 4, max_elements: 1 << 18 }
    }
}

/// A call that must be refused: one thing is wrong with one tensor.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Reject {
    /// Another type for a tensor.
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    pub dtype: IndexMap<String, DType>,
    /// Another number of dimensions for a tensor.
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    pub rank: IndexMap<String, usize>,
    /// Another size for the last dimension of a tensor: this many more elements than the others imply.
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    pub wider: IndexMap<String, usize>,
    /// Elements between two neighbours of the last dimension, for a tensor.
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    pub inner_stride: IndexMap<String, usize>,
}
