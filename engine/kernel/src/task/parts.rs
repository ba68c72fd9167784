//! Parts of a task. Every default is what published campaigns and the error analysis call for; see `docs/kernels.md`.

use crate::dtype::DType;
use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Form in which a kernel is called.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// A C function over arrays of `DLTensor`:
    /// `int32_t f(const DLTensor *in, int n_in, DLTensor *out, int n_out, const double *scalars, int n, void *stream)`.
    #[default]
    CDltensor,
    /// A function exported by tvm-ffi, `__tvm_ffi_<symbol>`.
    TvmFfi,
    /// Kernels in CUDA C++, PTX or a cubin, launched by their geometry.
    CudaKernel,
    /// A Python function in a process of its own.
    Python,
}

/// How the kernel is called.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Abi {
    /// Form of the entry.
    #[serde(default)]
    pub form: Form,
    /// Name of the entry.
    pub symbol: String,
    /// The first output may lie in the memory of the first input.
    #[serde(default)]
    pub inplace_allowed: bool,
    /// Every tensor's first byte is aligned to this many bytes, at least to its element; a power of two up to 4,096.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 4096))]
    pub align: usize,
}

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
    /// Factors on the values; every check runs at each of them.
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
            scales: vec![1.0],
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

/// A number that is passed along.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Scalar {
    /// Its value.
    pub value: f64,
}

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

/// Shapes that are measured.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Workloads {
    /// File beside the task with one shape per line, `{"axes": {...}, "headline": true}`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<PathBuf>,
    /// Shapes in place: sizes by axis.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub shapes: Vec<IndexMap<String, u64>>,
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
        Self { odd: vec![1, 7, 33, 255, 257, 1000], random: 4, max_elements: 1 << 20 }
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

/// How equal two runs on the same inputs must be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Determinism {
    /// Largest difference in units of the last place; 0 asks for the same bits.
    pub max_ulp: u32,
}

/// How sources are built; the same for baseline and candidate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Build {
    /// Flags of the C compiler.
    pub cpu: Vec<String>,
    /// Flags of NVRTC.
    pub cuda: Vec<String>,
}

impl Default for Build {
    fn default() -> Self {
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        Self { cpu: words(&["-O3", "-std=c11"]), cuda: words(&["-std=c++17"]) }
    }
}

/// What is to be beaten.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Baseline {
    /// Its source or library, beside the task.
    pub path: PathBuf,
    /// Where it comes from, such as a repository with a path.
    #[serde(default)]
    pub source: String,
    /// Commit there. A row of the ledger is only as good as the baseline that it names.
    #[serde(default)]
    pub commit: String,
}

/// What a candidate may use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Allow {
    /// Functions that it may import, beside those that every kernel may (memory and mathematics).
    pub imports: Vec<String>,
    /// Libraries that it may need.
    pub needed: Vec<String>,
    /// Regular expressions of the names of its device kernels.
    pub kernels: Vec<String>,
}

impl Default for Allow {
    fn default() -> Self {
        Self {
            imports: Vec::new(),
            needed: vec!["libc.so.6".to_owned(), "libm.so.6".to_owned()],
            kernels: Vec::new(),
        }
    }
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
    /// Largest difference of the baseline to itself that is no noise, as a share.
    pub max_aa: f64,
    /// Least gain that counts, as a share.
    pub min_effect: f64,
    /// Largest loss at one shape that is borne, as a share.
    pub regress_limit: f64,
    /// Most samples, as a multiple of the above, where they do not decide.
    #[schemars(range(min = 1))]
    pub extend: u32,
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

fn one() -> usize {
    1
}

fn one_u64() -> u64 {
    1
}

fn one_u32() -> u32 {
    1
}

fn zero() -> String {
    "0".to_owned()
}

fn size_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({"type": ["string", "integer"], "minimum": 0})
}

/// YAML gives `[R, 128]` as a text and a number.
fn text_or_number<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    struct Visitor;
    impl serde::de::Visitor<'_> for Visitor {
        type Value = String;

        fn expecting(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            out.write_str("a size: a number, an axis, or an expression over axes")
        }

        fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<String, E> {
            Ok(text.to_owned())
        }

        fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<String, E> {
            Ok(number.to_string())
        }
    }
    deserializer.deserialize_any(Visitor)
}
