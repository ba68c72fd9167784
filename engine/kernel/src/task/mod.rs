//! The task: everything that is fixed before anybody tunes. Must not run foreign code.

pub mod argument;
pub mod axes;
mod check;
mod decode;
mod decode_all;
mod error;
mod lint;
mod load;
mod lock;
mod parts;

pub use error::TaskError;
pub use lint::{Lint, lint, silent};
pub use load::{Loaded, Shape, load};
pub use lock::{LockedFile, missing};
pub use parts::{
    Abi, Allow, Array, Axis, Baseline, Build, Cache, Determinism, Device, Dist, Form, Generator, Graph,
    Hidden, Input, Launch, Limits, Oracle, Output, OutputMode, Reject, Roofline, Scalar, Size, Special,
    SpecialMode, Strides, SumModel, SumTerms, Timing, Tolerance, Workloads,
};

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A kernel task, as it stands in `task.yaml`. Any change makes it another task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Task {
    /// Version of the language: `assay/v1`.
    #[serde(rename = "apiVersion")]
    pub api_version: String,
    /// `KernelTask`.
    pub kind: String,
    /// Name, in lowercase with `_` or `-`.
    pub name: String,
    /// What the kernel computes, in a sentence.
    pub description: String,
    /// How the kernel is called.
    pub abi: Abi,
    /// Sizes that vary, by name; shapes are written with them.
    pub axes: IndexMap<String, Axis>,
    /// Input tensors, in the order of the call.
    pub inputs: IndexMap<String, Input>,
    /// Output tensors, in the order of the call; the caller owns them.
    pub outputs: IndexMap<String, Output>,
    /// Numbers that are passed along, in the order of the call. Not to be confused with `scales`, factors on an input's values.
    #[serde(default)]
    pub scalars: IndexMap<String, Scalar>,
    /// Where right answers come from.
    pub oracle: Oracle,
    /// How far from them is still right.
    #[serde(default)]
    pub tolerance: Tolerance,
    /// Values that must be treated with care.
    #[serde(default)]
    pub special: Special,
    /// Shapes that are measured.
    pub workloads: Workloads,
    /// Shapes that are checked beside them and that nobody can tune for.
    #[serde(default)]
    pub hidden: Hidden,
    /// Calls that must be refused with an error.
    #[serde(default)]
    pub reject: Vec<Reject>,
    /// How a `cuda_kernel` is launched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub launch: Option<Launch>,
    /// How equal two runs must be.
    #[serde(default)]
    pub determinism: Determinism,
    /// How sources are built.
    #[serde(default)]
    pub build: Build,
    /// What is to be beaten.
    pub baseline: Baseline,
    /// What a candidate may use.
    #[serde(default)]
    pub allow: Allow,
    /// How it is timed.
    #[serde(default)]
    pub timing: Timing,
    /// What it may cost.
    #[serde(default)]
    pub limits: Limits,
    /// What the machine could do at best.
    #[serde(default)]
    pub roofline: Option<Roofline>,
}

impl Task {
    /// Settings of the scalars: in each, every scalar has one of its values, and each value occurs. The first is measured.
    pub fn settings(&self) -> usize {
        self.scalars.values().map(|scalar| scalar.all().len()).max().unwrap_or(1).max(1)
    }

    /// The scalars that have several values, with those of a call.
    pub fn varied(&self, scalars: &[f64]) -> IndexMap<String, f64> {
        let named = self.scalars.iter().zip(scalars);
        named
            .filter(|((_, scalar), _)| scalar.all().len() > 1)
            .map(|((name, _), value)| (name.clone(), *value))
            .collect()
    }
}
