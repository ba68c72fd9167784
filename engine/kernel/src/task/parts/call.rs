//! How a kernel is called, built and what it may use.

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

fn one() -> usize {
    1
}
