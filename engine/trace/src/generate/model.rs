//! What one forward pass of a Qwen3-MoE-like model launches: operators, their modules and source places, streams, times.
//!
//! Only tables. Times are rounded from public traces of an H200 (decode at 32 sequences, prefill at 16,384 tokens);
//! they make a trace plausible and claim nothing about a machine.

mod sites;

pub(super) use sites::{
    ATTENTION_FORWARD, Both, EXPERTS_FORWARD, FORWARD_DECODE, FORWARD_EXTEND, MODEL_FORWARD, PIECE,
    PIECEWISE_RUNNER, PROCESS, REPLAY, STEP, SYNCHRONIZE, Site,
};

use super::kernels::Role;
use sites::{
    ACTIVATION, ALIGN, APPLY, ATTENTION, COPY_IN, COPY_OUT, CUSTOM_OP, CUSTOM_REDUCE, EMBED, EXPERT_SUM,
    EXPERTS, GATHER, GREEDY, GROUPED_GEMM, HEAD, LINEAR, METADATA, NORM, QK_NORM, RADIX, REDUCE, RING_REDUCE,
    ROPE, SAMPLE, SHARED, STORE_KV, TOPK,
};

/// Which library call starts the activity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Call {
    /// The runtime's plain launch.
    Launch,
    /// The runtime's extended launch.
    LaunchEx,
    /// The driver's launch, used by GEMM libraries and Triton.
    Driver,
    Copy,
    Fill,
}

/// The four streams of the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stream {
    Main,
    Alternate,
    Copy,
    Communication,
}

/// What the activity waits for besides its own stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum After {
    Stream,
    Main,
    All,
}

/// One GPU activity. A time of 0 means: not launched in this kind of pass.
#[derive(Debug)]
pub(super) struct Launch {
    pub(super) role: Role,
    pub(super) stream: Stream,
    pub(super) call: Call,
    pub(super) decode_ns: u32,
    pub(super) prefill_ns: u32,
    pub(super) after: After,
    /// The main stream continues only when this one and the alternate stream are done.
    pub(super) joins: bool,
    /// The function within the operator that launches, where it is not the operator's caller.
    pub(super) inner: Option<&'static Both<Site>>,
    /// An operator within the group's.
    pub(super) operator: Option<Both<&'static str>>,
}

/// Which module of a layer a group belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Block {
    Layer,
    Attention,
    Experts,
}

/// One call of an operator by the model.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) block: Block,
    /// Class of the calling `nn.Module`, how many of it a layer has, and which of them this is.
    pub(super) module: Option<(&'static str, u32, u32)>,
    pub(super) wrapper: Option<&'static Both<Site>>,
    pub(super) site: &'static Both<Site>,
    /// An operator around the operator.
    pub(super) parent: Option<&'static str>,
    pub(super) operator: Both<&'static str>,
    pub(super) launches: &'static [Launch],
}

const fn main(role: Role, call: Call, decode_ns: u32, prefill_ns: u32) -> Launch {
    Launch {
        role,
        stream: Stream::Main,
        call,
        decode_ns,
        prefill_ns,
        after: After::Stream,
        joins: false,
        inner: None,
        operator: None,
    }
}

const fn on(stream: Stream, after: After, launch: Launch) -> Launch {
    Launch { stream, after, ..launch }
}

const fn collective(role: Role, decode_ns: u32, prefill_ns: u32) -> Launch {
    let launch = main(role, Call::LaunchEx, decode_ns, prefill_ns);
    Launch { stream: Stream::Communication, after: After::Main, joins: true, ..launch }
}

const fn within(inner: &'static Both<Site>, operator: Option<Both<&'static str>>, launch: Launch) -> Launch {
    Launch { inner: Some(inner), operator, ..launch }
}

const GROUP: Group = Group {
    block: Block::Layer,
    module: None,
    wrapper: None,
    site: &NORM,
    parent: None,
    operator: ["aten::copy_"; 2],
    launches: &[],
};

/// A matrix product by the BLAS library, below `aten::linear`.
const fn gemm(block: Block, module: (&'static str, u32, u32), launches: &'static [Launch]) -> Group {
    let (wrapper, parent) = (Some(&LINEAR), Some("aten::linear"));
    Group { block, module: Some(module), wrapper, site: &APPLY, parent, operator: ["aten::mm"; 2], launches }
}

static ADD_NORM: [Launch; 1] = [main(Role::AddNorm, Call::LaunchEx, 2_600, 42_000)];

const fn add_norm(ordinal: u32) -> Group {
    Group {
        module: Some(("RMSNorm", 4, ordinal)),
        wrapper: Some(&CUSTOM_OP),
        site: &NORM,
        operator: ["sgl_kernel::fused_add_rmsnorm", "_C::fused_add_rms_norm"],
        launches: &ADD_NORM,
        ..GROUP
    }
}

/// The reduction over tensor-parallel ranks: a kernel of the framework in decode, NCCL on its own stream otherwise.
const fn custom_reduce(block: Block, launches: &'static [Launch]) -> Group {
    let operator = ["sgl_kernel::all_reduce", "_C_custom_ar::all_reduce"];
    Group { block, wrapper: Some(&REDUCE), site: &CUSTOM_REDUCE, operator, launches, ..GROUP }
}

const fn ring_reduce(block: Block, launches: &'static [Launch]) -> Group {
    let (parent, operator) = (Some("c10d::allreduce_"), ["record_param_comms"; 2]);
    Group { block, wrapper: Some(&REDUCE), site: &RING_REDUCE, parent, operator, launches, ..GROUP }
}

/// Before the first layer.
pub(super) static PROLOGUE: [Group; 3] = [
    Group {
        site: &COPY_IN,
        operator: ["aten::copy_"; 2],
        launches: &[on(Stream::Copy, After::Stream, main(Role::CopyIn, Call::Copy, 1_800, 4_000))],
        ..GROUP
    },
    Group {
        site: &METADATA,
        operator: ["aten::add"; 2],
        launches: &[main(Role::Metadata, Call::Launch, 1_300, 1_500)],
        ..GROUP
    },
    Group {
        module: Some(("VocabParallelEmbedding", 0, 0)),
        site: &EMBED,
        operator: ["aten::embedding"; 2],
        launches: &[main(Role::Embed, Call::Launch, 2_100, 30_000)],
        ..GROUP
    },
];

/// One decoder layer.
pub(super) static LAYER: [Group; 18] = [
    add_norm(0),
    gemm(Block::Attention, ("QKVParallelLinear", 1, 0), &[main(Role::Qkv, Call::Driver, 6_100, 88_000)]),
    Group {
        block: Block::Attention,
        module: Some(("RMSNorm", 4, 1)),
        site: &QK_NORM,
        operator: ["sgl_kernel::fused_qknorm", "_C::fused_qk_norm_rope"],
        launches: &[main(Role::QkNorm, Call::Launch, 2_200, 13_000)],
        ..GROUP
    },
    Group {
        block: Block::Attention,
        module: Some(("RotaryEmbedding", 0, 0)),
        wrapper: Some(&CUSTOM_OP),
        site: &ROPE,
        operator: ["sgl_kernel::apply_rope_pos_ids_cos_sin_cache", "_C::rotary_embedding"],
        launches: &[main(Role::Rope, Call::Launch, 2_400, 22_000)],
        ..GROUP
    },
    Group {
        block: Block::Attention,
        module: Some(("RadixAttention", 1, 0)),
        wrapper: Some(&RADIX),
        site: &STORE_KV,
        operator: ["sgl_kernel::store_cache", "_C_cache_ops::reshape_and_cache_flash"],
        launches: &[main(Role::StoreKv, Call::Launch, 1_900, 17_000)],
        ..GROUP
    },
    Group {
        block: Block::Attention,
        module: Some(("RadixAttention", 1, 0)),
        wrapper: Some(&RADIX),
        site: &ATTENTION,
        operator: ["sgl_kernel::fwd", "_vllm_fa3_C::fwd"],
        launches: &[
            main(Role::Prepare, Call::Launch, 1_900, 2_600),
            main(Role::Attention, Call::LaunchEx, 11_000, 240_000),
            main(Role::Combine, Call::LaunchEx, 2_000, 0),
        ],
        ..GROUP
    },
    gemm(
        Block::Attention,
        ("RowParallelLinear", 1, 0),
        &[main(Role::Project, Call::Driver, 4_400, 61_000), main(Role::SplitK, Call::Launch, 1_700, 0)],
    ),
    custom_reduce(Block::Attention, &[main(Role::CustomReduce, Call::Launch, 7_600, 0)]),
    ring_reduce(Block::Attention, &[collective(Role::RingReduce, 0, 118_000)]),
    add_norm(2),
    gemm(Block::Experts, ("ReplicatedLinear", 1, 0), &[main(Role::Gate, Call::Driver, 3_000, 9_000)]),
    Group {
        block: Block::Experts,
        module: Some(("TopK", 1, 0)),
        site: &TOPK,
        operator: ["sgl_kernel::topk_softmax", "_moe_C::topk_softmax"],
        launches: &[main(Role::TopK, Call::Launch, 2_100, 14_000)],
        ..GROUP
    },
    Group {
        block: Block::Experts,
        module: Some(("MergedColumnParallelLinear", 1, 0)),
        site: &SHARED,
        parent: Some("aten::linear"),
        operator: ["aten::mm"; 2],
        launches: &[on(Stream::Alternate, After::Main, main(Role::SharedUp, Call::Driver, 7_000, 70_000))],
        ..GROUP
    },
    Group {
        block: Block::Experts,
        module: Some(("FusedMoE", 1, 0)),
        site: &EXPERTS,
        operator: ["sglang::inplace_fused_experts", "vllm::inplace_fused_experts"],
        launches: &[
            within(&ALIGN, None, main(Role::Clear, Call::Fill, 1_200, 1_500)),
            within(
                &ALIGN,
                Some(["sgl_kernel::moe_align_block_size", "_moe_C::moe_align_block_size"]),
                main(Role::Align, Call::Launch, 3_100, 6_500),
            ),
            within(
                &ALIGN,
                Some(["sgl_kernel::moe_align_block_size", "_moe_C::moe_align_block_size"]),
                main(Role::Sort, Call::Launch, 2_200, 7_800),
            ),
            within(&GROUPED_GEMM, None, main(Role::Experts, Call::Driver, 34_000, 390_000)),
            within(
                &ACTIVATION,
                Some(["sgl_kernel::silu_and_mul", "_C::silu_and_mul"]),
                main(Role::Activation, Call::Launch, 2_800, 48_000),
            ),
            within(&GROUPED_GEMM, None, main(Role::Experts, Call::Driver, 19_000, 215_000)),
            within(
                &EXPERT_SUM,
                Some(["sgl_kernel::moe_sum_reduce", "_moe_C::moe_sum"]),
                main(Role::ExpertSum, Call::Launch, 2_400, 74_000),
            ),
        ],
        ..GROUP
    },
    Group {
        block: Block::Experts,
        module: Some(("RowParallelLinear", 1, 0)),
        site: &SHARED,
        parent: Some("aten::linear"),
        operator: ["aten::mm"; 2],
        launches: &[on(Stream::Alternate, After::Main, main(Role::SharedDown, Call::Driver, 4_100, 66_000))],
        ..GROUP
    },
    custom_reduce(
        Block::Experts,
        &[Launch { joins: true, ..main(Role::CustomReduce, Call::Launch, 7_900, 0) }],
    ),
    ring_reduce(Block::Experts, &[collective(Role::RingReduce, 0, 121_000)]),
    // Residual of the shared expert, added when both branches have arrived.
    Group {
        block: Block::Experts,
        site: &EXPERTS_FORWARD,
        operator: ["aten::add_"; 2],
        launches: &[main(Role::Residual, Call::Launch, 1_400, 31_000)],
        ..GROUP
    },
];

/// Range of [`LAYER`] that stays eager between the two graphs of a piecewise layer: writing the cache and attention.
pub(super) const EAGER_ATTENTION: std::ops::Range<usize> = 4..6;

/// After the last layer.
pub(super) static EPILOGUE: [Group; 6] = [
    Group {
        module: Some(("RMSNorm", 4, 0)),
        wrapper: Some(&CUSTOM_OP),
        site: &NORM,
        operator: ["sgl_kernel::rmsnorm", "_C::rms_norm"],
        launches: &[main(Role::Norm, Call::LaunchEx, 2_500, 8_000)],
        ..GROUP
    },
    Group {
        module: Some(("LogitsProcessor", 0, 0)),
        site: &HEAD,
        parent: Some("aten::matmul"),
        operator: ["aten::mm"; 2],
        launches: &[main(Role::Head, Call::Driver, 152_000, 155_000)],
        ..GROUP
    },
    Group {
        module: Some(("LogitsProcessor", 0, 0)),
        site: &GATHER,
        parent: Some("c10d::_allgather_base_"),
        operator: ["record_param_comms"; 2],
        launches: &[collective(Role::Gather, 14_000, 14_000)],
        ..GROUP
    },
    Group {
        module: Some(("Sampler", 0, 0)),
        site: &SAMPLE,
        parent: Some("aten::softmax"),
        operator: ["aten::_softmax"; 2],
        launches: &[main(Role::Softmax, Call::Launch, 40_000, 40_000)],
        ..GROUP
    },
    Group {
        module: Some(("Sampler", 0, 0)),
        site: &GREEDY,
        operator: ["aten::argmax"; 2],
        launches: &[main(Role::ArgMax, Call::Launch, 9_000, 9_000)],
        ..GROUP
    },
    Group {
        site: &COPY_OUT,
        parent: Some("aten::to"),
        operator: ["aten::copy_"; 2],
        launches: &[on(Stream::Copy, After::All, main(Role::CopyOut, Call::Copy, 2_000, 2_000))],
        ..GROUP
    },
];
