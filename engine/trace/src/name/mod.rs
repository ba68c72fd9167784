//! What a kernel's name says.

use std::borrow::Cow;

/// What a GPU did, as the profiler records it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum EventKind {
    /// A kernel.
    Kernel,
    /// A copy.
    Memcpy,
    /// Filling memory.
    Memset,
    /// Anything else on a device.
    Other,
}

/// What a kernel is.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    serde::Serialize,
    serde::Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "replaced soon")]
pub enum Category {
    Communication,
    Memory,
    HybridLinear,
    Attention,
    Moe,
    Gemm,
    Norm,
    Rope,
    Softmax,
    Activation,
    Quantize,
    ReduceTopk,
    SamplingIo,
    Elementwise,
    Other,
}

/// What a kernel is to the overlap of streams.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    serde::Serialize,
    serde::Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "replaced soon")]
pub enum Lane {
    Compute,
    Communication,
    Memory,
    Elementwise,
    Other,
}

/// Placeholder until the classifier comes.
pub fn canonical(name: &str) -> Cow<'_, str> {
    Cow::Borrowed(name)
}

/// Placeholder until the classifier comes.
pub fn classify(kind: EventKind, name: &str, _op: Option<&str>) -> Category {
    let name = name.to_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| name.contains(word));
    match kind {
        EventKind::Memcpy | EventKind::Memset => Category::Memory,
        _ if has(&["nccl", "cross_device_reduce", "all_reduce"]) => Category::Communication,
        _ if has(&["flash", "attn"]) => Category::Attention,
        _ if has(&["moe"]) => Category::Moe,
        _ if has(&["norm"]) => Category::Norm,
        _ if has(&["nvjet", "gemm", "cijk"]) => Category::Gemm,
        _ if has(&["elementwise"]) => Category::Elementwise,
        _ => Category::Other,
    }
}

/// Placeholder until the classifier comes.
pub fn lane(category: Category, _name: &str) -> Lane {
    match category {
        Category::Communication => Lane::Communication,
        Category::Memory => Lane::Memory,
        Category::Gemm | Category::Attention | Category::HybridLinear | Category::Moe => Lane::Compute,
        Category::Other => Lane::Other,
        _ => Lane::Elementwise,
    }
}
