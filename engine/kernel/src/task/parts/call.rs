//! How a kernel is called, built and what it may use.

use super::Size;
use super::size::{size_schema, text_or_number, zero};
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
    /// A kernel in CUDA C++, PTX or a cubin, launched as `launch` says.
    CudaKernel,
    /// A Python function in a process of its own: `def f(inputs, outputs, scalars, stream)`.
    Python,
}

/// Where the tensors of a call lie.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Device {
    /// In memory of the processor.
    #[default]
    Cpu,
    /// On an NVIDIA GPU.
    Cuda,
}

/// Whether calls must be fit for a CUDA graph, as serving engines replay them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Graph {
    /// A call that cannot be captured is refused.
    #[default]
    Required,
    /// Not checked.
    Free,
}

/// What a Python entry gets as tensors.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Array {
    /// `torch.Tensor`.
    #[default]
    Torch,
    /// `numpy.ndarray`; on the CPU only.
    Numpy,
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
    /// Where the tensors lie; `cuda_kernel` needs `cuda`.
    #[serde(default)]
    pub device: Device,
    /// Whether calls must be fit for a CUDA graph; of meaning on `cuda` only.
    #[serde(default)]
    pub graph: Graph,
    /// What a Python entry gets; of meaning for `python` only.
    #[serde(default)]
    pub array: Array,
    /// The first output may lie in the memory of the first input.
    #[serde(default)]
    pub inplace_allowed: bool,
    /// Every tensor's first byte is aligned to this many bytes, at least to its element; a power of two up to 4,096.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 4096))]
    pub align: usize,
}

impl Abi {
    /// A C function on the CPU.
    pub fn c(symbol: impl Into<String>) -> Self {
        Self {
            form: Form::CDltensor,
            symbol: symbol.into(),
            device: Device::Cpu,
            graph: Graph::default(),
            array: Array::default(),
            inplace_allowed: false,
            align: 1,
        }
    }

    /// Whether tensors lie in memory of the worker's own, where nothing keeps a kernel from writing to its inputs.
    pub fn own_memory(&self) -> bool {
        self.device != Device::Cpu || self.form == Form::Python
    }

    /// Whether its worker drives a device itself: an interpreter does that in its own way.
    pub fn on_device(&self) -> bool {
        self.device == Device::Cuda && self.form != Form::Python
    }
}

/// How a `cuda_kernel` is launched. Sizes are expressions over the axes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Launch {
    /// Blocks in each dimension, one to three of them.
    pub grid: Vec<Size>,
    /// Threads of a block in each dimension, one to three of them.
    pub block: Vec<Size>,
    /// Bytes of dynamic shared memory of a block.
    #[serde(default = "zero", deserialize_with = "text_or_number")]
    #[schemars(schema_with = "size_schema")]
    pub shared: String,
    /// Arguments in the order of the kernel, each a name or `name: type`: a tensor (its address), an axis or an expression over
    /// axes (`i64` unless the type says otherwise), `x.stride[0]` (elements from one index of that dimension to the next, `i64`),
    /// a scalar (`f32`). Types are `i32`, `i64`, `f32`, `f64`.
    pub args: Vec<String>,
}

/// How sources are built; the same for baseline and candidate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Build {
    /// Flags of the C compiler.
    pub cpu: Vec<String>,
    /// Flags of NVRTC, which builds a `cuda_kernel`.
    pub cuda: Vec<String>,
    /// Flags of nvcc, which builds libraries with device code.
    pub nvcc: Vec<String>,
    /// The interpreter of a Python entry, a program and its arguments.
    pub python: Vec<String>,
    /// Variables of the interpreter's environment, which is empty otherwise but for what it needs to start.
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    pub python_env: IndexMap<String, String>,
}

impl Default for Build {
    fn default() -> Self {
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        Self {
            cpu: words(&["-O3", "-std=c11"]),
            cuda: words(&["-std=c++17"]),
            nvcc: words(&["-O3", "-std=c++17"]),
            python: words(&["python3"]),
            python_env: IndexMap::new(),
        }
    }
}

/// What is to be beaten.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Baseline {
    /// Its source or library beside the task, or the folder that holds it; everything in a folder is locked.
    pub path: PathBuf,
    /// The source or library in that folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<PathBuf>,
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
    /// Functions that it may import, beside those that every kernel may (memory, mathematics, and what compilers put in).
    pub imports: Vec<String>,
    /// Libraries that it may need, beside the run-time libraries of C++.
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
