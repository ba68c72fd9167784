//! The word lists of the classifier, in the order in which they are asked.
//!
//! Data only. `quant*` is the start of a word, `*gemm` the end of one, anything else a phrase of whole words.

use super::category::Category;

/// One row: the category when a word hits and no exception does.
pub(super) struct Rule {
    pub category: Category,
    pub words: &'static [&'static str],
    pub unless: &'static [&'static str],
}

/// Words of a transfer between GPUs; also asked of the CPU op.
pub(super) const COMMUNICATION: &[&str] = &[
    "nccl",
    "rccl",
    "allreduce",
    "reduce_scatter",
    "allgather",
    "alltoall",
    "cross_device_reduce",
    "deepep",
    "deep_ep",
    "mooncake",
    "a2a",
    "nvshmem",
];

/// Words that mean a transfer only beside one of [`COMMUNICATION`]: attention combines and experts dispatch too.
pub(super) const COMMUNICATION_WEAK: &[&str] = &["broadcast", "dispatch", "combine"];

/// Words of a matrix product or convolution. `cutlass` is not among them: it is a wrapper around anything.
pub(super) const GEMM: &[&str] = &[
    "*gemm",
    "*gemv",
    "gemv*",
    "gemmk",
    "*matmul",
    "cublas",
    "mma",
    "wgmma",
    "hmma",
    "imma",
    "xmma",
    "wmma",
    "mfma",
    "mm",
    "addmm",
    "bmm",
    "baddbmm",
    "nvjet",
    "marlin",
    "machete",
    "cijk",
    "split_kreduce",
    "reduce_split_k",
    "conv",
    "convolution",
    "scudnn",
    "hcudnn",
    "fprop",
    "dgrad",
    "wgrad",
    "winograd",
];

pub(super) const NORM: &[&str] =
    &["*norm", "rms_normalize", "gamma_beta", "rowwise_moments", "bn_fw", "bn_bw"];

/// Ends in `norm` but rescales probabilities.
pub(super) const NOT_NORM: &[&str] = &["renorm"];

pub(super) const ROPE: &[&str] = &["rotary", "rope", "mrope"];

pub(super) const REDUCE: &[&str] = &[
    "topk",
    "top_k",
    "top_p",
    "*reduce",
    "reduction",
    "argmax",
    "argmin",
    "argtopk",
    "sampling",
    "sample",
    "multinomial",
    "renorm",
    "radix_sort",
    "sort",
    "scan",
    "cumsum",
];

pub(super) const SOFTMAX: &[&str] = &["softmax"];

pub(super) const ACTIVATION: &[&str] = &["silu", "gelu", "relu", "swiglu", "geglu", "act_and_mul", "sigmoid"];

pub(super) const QUANTIZE: &[&str] =
    &["quant*", "dequant*", "requant*", "fp8", "hfp8", "mxfp*", "nvfp*", "cvt*"];

pub(super) const MEMORY: &[&str] = &[
    "memcpy",
    "memset",
    "dma",
    "prefetch",
    "copy",
    "fill",
    "reshape_and_cache",
    "concat_and_cache",
    "set_kv_buffer",
    "set_mla_kv_buffer",
    "store_kv_cache",
    "transpose",
    "nchw_to_nhwc",
    "nhwc_to_nchw",
];

/// Every row that judges by the kernel's own name. Quantisation stands below norm and activation, because a kernel
/// that does both is counted under the work that it always does.
pub(super) const NAME: &[Rule] = &[
    Rule { category: Category::Communication, words: COMMUNICATION, unless: &[] },
    Rule {
        category: Category::Attention,
        words: &[
            "attn",
            "*attn",
            "*attention",
            "fmha",
            "mha",
            "mla",
            "flashmla",
            "xqa",
            "flash_fwd",
            "flash_bwd",
            "paged_mqa",
            "batch_prefill_with",
            "batch_decode_with",
        ],
        // These write or pack the cache and attend to nothing.
        unless: &["set_mla_kv_buffer", "concat_and_cache", "store_flashmla_cache", "kv_pack"],
    },
    Rule {
        category: Category::HybridLinear,
        words: &["gdn", "gated_delta", "mamba", "selective_scan", "ssd", "causal_conv", "ssm"],
        unless: &[],
    },
    Rule {
        category: Category::Moe,
        words: &["*moe", "moe*", "expert", "experts", "grouped_mm", "group_gemm", "grouped_gemm", "routing"],
        unless: &[],
    },
    Rule { category: Category::Norm, words: NORM, unless: NOT_NORM },
    Rule { category: Category::Rope, words: ROPE, unless: &[] },
    Rule { category: Category::Gemm, words: GEMM, unless: &[] },
    Rule {
        category: Category::SamplingIo,
        words: &[
            "prepare_inputs",
            "write_req_to",
            "cat_array_batched",
            "prepare_next",
            "copy_next",
            "compute_position",
            "clamp_position",
            "resolve_future_token_ids",
            "kv_indices",
        ],
        unless: &[],
    },
    Rule { category: Category::ReduceTopk, words: REDUCE, unless: &[] },
    Rule { category: Category::Softmax, words: SOFTMAX, unless: &[] },
    Rule { category: Category::Activation, words: ACTIVATION, unless: &[] },
    Rule { category: Category::Quantize, words: QUANTIZE, unless: &[] },
    Rule {
        category: Category::Elementwise,
        words: &[
            "*elementwise",
            "gpu_kernel_impl",
            "binary_internal",
            "*functor",
            "add_kernel",
            "sub_kernel",
            "mul_kernel",
            "div",
            "floor_kernel",
            "log_kernel",
            "neg_kernel",
            "index*",
            "gather",
            "scatter",
            "masked",
            "cast",
            "bias",
            "dropout",
            "clamp",
            "embedding",
            "pointwise",
            "multi_tensor_apply",
            "sub_tensor_op",
        ],
        unless: &[],
    },
    Rule { category: Category::Memory, words: MEMORY, unless: &[] },
];

/// What a kernel of Inductor's generated code can be: its name lists every op around it, also those it does not do.
pub(super) const GENERATED: &[Rule] = &[
    Rule { category: Category::Norm, words: NORM, unless: NOT_NORM },
    Rule { category: Category::Rope, words: ROPE, unless: &[] },
    Rule { category: Category::Softmax, words: SOFTMAX, unless: &[] },
    Rule { category: Category::Activation, words: ACTIVATION, unless: &[] },
    Rule { category: Category::Quantize, words: QUANTIZE, unless: &[] },
];

/// Rows for the operation inside a generic element-by-element kernel of ATen.
pub(super) const FUNCTOR: &[Rule] = &[
    Rule { category: Category::Activation, words: ACTIVATION, unless: &[] },
    Rule { category: Category::Quantize, words: QUANTIZE, unless: &[] },
    Rule { category: Category::Memory, words: &["copy", "fill"], unless: &["masked_fill"] },
];

/// Namespaces that decide where the name itself is silent: `flash::prepare_varlen_num_blocks_kernel`. Asked word by
/// word of each namespace, so `fbgemm_gpu` is no product.
pub(super) const NAMESPACE: &[Rule] = &[
    Rule { category: Category::Communication, words: &["deep_ep", "nvshmem", "nccl"], unless: &[] },
    Rule { category: Category::Attention, words: &["flash", "fmha"], unless: &[] },
    Rule { category: Category::HybridLinear, words: &["mamba", "gdn"], unless: &[] },
    Rule { category: Category::Moe, words: &["moe"], unless: &[] },
    Rule { category: Category::Gemm, words: &["gemvx", "deep_gemm", "cublas", "cask"], unless: &[] },
];
