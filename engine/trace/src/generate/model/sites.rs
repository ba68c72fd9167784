//! Where in the sources of SGLang and vLLM the pass runs: files, lines and functions of public releases.

/// A Python function of the framework. The path starts at `python/sglang/` or `vllm/`.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::generate) struct Site {
    pub(in crate::generate) path: &'static str,
    pub(in crate::generate) line: u32,
    pub(in crate::generate) function: &'static str,
}

const fn site(path: &'static str, line: u32, function: &'static str) -> Site {
    Site { path, line, function }
}

/// A value for SGLang and one for vLLM.
pub(in crate::generate) type Both<T> = [T; 2];

/// Outermost frames of the process; a name with a mark is given as a site.
pub(in crate::generate) static PROCESS: Both<[Site; 2]> = [
    [
        site("python/sglang/srt/managers/scheduler.py", 3011, "run_scheduler_process"),
        site("python/sglang/srt/managers/scheduler.py", 1093, "event_loop_overlap"),
    ],
    [
        site("vllm/v1/executor/multiproc_executor.py", 672, "worker_main"),
        site("vllm/v1/executor/multiproc_executor.py", 724, "worker_busy_loop"),
    ],
];

/// Frames from the scheduler to the model runner.
pub(in crate::generate) static STEP: Both<[Site; 4]> = [
    [
        site("python/sglang/srt/managers/scheduler.py", 2290, "run_batch"),
        site("python/sglang/srt/managers/tp_worker.py", 446, "forward_batch_generation"),
        site("python/sglang/srt/model_executor/model_runner.py", 2205, "forward"),
        site("python/sglang/srt/model_executor/model_runner.py", 2238, "_forward_raw"),
    ],
    [
        site("vllm/v1/worker/worker_base.py", 369, "execute_model"),
        site("vllm/v1/worker/gpu_worker.py", 540, "execute_model"),
        site("vllm/v1/worker/gpu_model_runner.py", 2907, "execute_model"),
        site("vllm/v1/worker/gpu_model_runner.py", 2726, "_model_forward"),
    ],
];

pub(in crate::generate) static FORWARD_EXTEND: Both<Site> = [
    site("python/sglang/srt/model_executor/model_runner.py", 2120, "forward_extend"),
    site("vllm/compilation/decorators.py", 367, "__call__"),
];
pub(in crate::generate) static FORWARD_DECODE: Both<Site> = [
    site("python/sglang/srt/model_executor/model_runner.py", 2085, "forward_decode"),
    site("vllm/compilation/decorators.py", 367, "__call__"),
];
pub(in crate::generate) static REPLAY: Both<Site> = [
    site("python/sglang/srt/model_executor/cuda_graph_runner.py", 841, "replay"),
    site("vllm/compilation/cuda_graph.py", 233, "__call__"),
];
/// Around a model whose graphs are pieces; SGLang has it below `forward_extend` only.
pub(in crate::generate) static PIECEWISE_RUNNER: Site =
    site("python/sglang/srt/model_executor/piecewise_cuda_graph_runner.py", 742, "replay");
pub(in crate::generate) static PIECE: Both<Site> = [
    site("python/sglang/srt/compilation/cuda_piecewise_backend.py", 103, "__call__"),
    site("vllm/compilation/cuda_graph.py", 233, "__call__"),
];
pub(in crate::generate) static MODEL_FORWARD: Both<[Site; 3]> = [
    [
        site("python/sglang/srt/models/qwen3_moe.py", 894, "forward"),
        site("python/sglang/srt/models/qwen3_moe.py", 702, "forward"),
        site("python/sglang/srt/models/qwen3_moe.py", 585, "forward"),
    ],
    [
        site("vllm/model_executor/models/qwen3_moe.py", 712, "forward"),
        site("vllm/model_executor/models/qwen3_moe.py", 465, "forward"),
        site("vllm/model_executor/models/qwen3_moe.py", 372, "forward"),
    ],
];
pub(in crate::generate) static ATTENTION_FORWARD: Both<Site> = [
    site("python/sglang/srt/models/qwen3_moe.py", 512, "forward"),
    site("vllm/model_executor/models/qwen3_moe.py", 311, "forward"),
];
pub(in crate::generate) static EXPERTS_FORWARD: Both<Site> = [
    site("python/sglang/srt/models/qwen3_moe.py", 221, "forward"),
    site("vllm/model_executor/models/qwen3_moe.py", 201, "forward"),
];
pub(in crate::generate) static SYNCHRONIZE: Both<Site> = [
    site("python/sglang/srt/managers/scheduler_output_processor_mixin.py", 88, "process_batch_result"),
    site("vllm/v1/worker/gpu_model_runner.py", 226, "get_output"),
];

pub(in crate::generate) static CUSTOM_OP: Both<Site> = [
    site("python/sglang/srt/layers/utils/multi_platform.py", 81, "forward"),
    site("vllm/model_executor/custom_op.py", 46, "forward"),
];
pub(in crate::generate) static NORM: Both<Site> = [
    site("python/sglang/srt/layers/layernorm.py", 143, "forward_cuda"),
    site("vllm/model_executor/layers/layernorm.py", 194, "forward_cuda"),
];
pub(in crate::generate) static LINEAR: Both<Site> = [
    site("python/sglang/srt/layers/linear.py", 461, "forward"),
    site("vllm/model_executor/layers/linear.py", 557, "forward"),
];
pub(in crate::generate) static APPLY: Both<Site> = [
    site("python/sglang/srt/layers/quantization/unquant.py", 132, "apply"),
    site("vllm/model_executor/layers/utils.py", 99, "default_unquantized_gemm"),
];
pub(in crate::generate) static QK_NORM: Both<Site> = [
    site("python/sglang/srt/models/utils.py", 233, "apply_qk_norm"),
    site("vllm/_custom_ops.py", 355, "fused_qk_norm_rope"),
];
pub(in crate::generate) static ROPE: Both<Site> = [
    site("python/sglang/srt/layers/rotary_embedding.py", 331, "forward_cuda"),
    site("vllm/_custom_ops.py", 314, "rotary_embedding"),
];
pub(in crate::generate) static STORE_KV: Both<Site> = [
    site("python/sglang/jit_kernel/kvcache.py", 50, "store_cache"),
    site("vllm/_custom_ops.py", 2190, "reshape_and_cache_flash"),
];
pub(in crate::generate) static RADIX: Both<Site> = [
    site("python/sglang/srt/layers/radix_attention.py", 105, "forward"),
    site("vllm/attention/layer.py", 290, "forward"),
];
pub(in crate::generate) static ATTENTION: Both<Site> = [
    site("python/sglang/srt/layers/attention/flashattention_backend.py", 1120, "forward"),
    site("vllm/vllm_flash_attn/flash_attn_interface.py", 253, "flash_attn_varlen_func"),
];
pub(in crate::generate) static REDUCE: Both<Site> = [
    site("python/sglang/srt/distributed/communication_op.py", 13, "tensor_model_parallel_all_reduce"),
    site("vllm/distributed/communication_op.py", 12, "tensor_model_parallel_all_reduce"),
];
pub(in crate::generate) static CUSTOM_REDUCE: Both<Site> = [
    site("python/sglang/srt/distributed/parallel_state.py", 495, "all_reduce"),
    site("vllm/distributed/device_communicators/custom_all_reduce.py", 253, "custom_all_reduce"),
];
pub(in crate::generate) static RING_REDUCE: Both<Site> = [
    site("python/sglang/srt/distributed/parallel_state.py", 523, "_all_reduce_in_place"),
    site("vllm/distributed/parallel_state.py", 504, "_all_reduce_out_place"),
];
pub(in crate::generate) static TOPK: Both<Site> = [
    site("python/sglang/srt/layers/moe/topk.py", 447, "fused_topk"),
    site("vllm/model_executor/layers/fused_moe/fused_moe.py", 871, "vllm_topk_softmax"),
];
pub(in crate::generate) static SHARED: Both<Site> = [
    site("python/sglang/srt/models/qwen2_moe.py", 212, "_forward_shared_experts"),
    site("vllm/model_executor/models/qwen2_moe.py", 112, "forward"),
];
pub(in crate::generate) static EXPERTS: Both<Site> = [
    site("python/sglang/srt/layers/moe/fused_moe_triton/fused_moe.py", 238, "fused_experts"),
    site("vllm/model_executor/layers/fused_moe/fused_moe.py", 1297, "fused_experts"),
];
pub(in crate::generate) static ALIGN: Both<Site> = [
    site("python/sglang/srt/layers/moe/fused_moe_triton/moe_align_block_size.py", 77, "moe_align_block_size"),
    site("vllm/model_executor/layers/fused_moe/moe_align_block_size.py", 79, "moe_align_block_size"),
];
pub(in crate::generate) static GROUPED_GEMM: Both<Site> = [
    site(
        "python/sglang/srt/layers/moe/fused_moe_triton/fused_moe_triton_kernels.py",
        651,
        "invoke_fused_moe_kernel",
    ),
    site("vllm/model_executor/layers/fused_moe/fused_moe.py", 524, "invoke_fused_moe_kernel"),
];
pub(in crate::generate) static ACTIVATION: Both<Site> = [
    site("python/sglang/srt/layers/moe/fused_moe_triton/fused_moe.py", 402, "fused_experts_impl"),
    site("vllm/model_executor/layers/fused_moe/fused_moe.py", 1741, "fused_experts_impl"),
];
pub(in crate::generate) static EXPERT_SUM: Both<Site> = [
    site("python/sglang/srt/layers/moe/fused_moe_triton/fused_moe.py", 455, "fused_experts_impl"),
    site("vllm/_custom_ops.py", 1812, "moe_sum"),
];
pub(in crate::generate) static EMBED: Both<Site> = [
    site("python/sglang/srt/layers/vocab_parallel_embedding.py", 471, "forward"),
    site("vllm/model_executor/layers/vocab_parallel_embedding.py", 72, "embedding"),
];
pub(in crate::generate) static METADATA: Both<Site> = [
    site("python/sglang/srt/layers/attention/flashattention_backend.py", 402, "init_forward_metadata"),
    site("vllm/v1/attention/backends/flash_attn.py", 312, "build"),
];
pub(in crate::generate) static COPY_IN: Both<Site> = [
    site("python/sglang/srt/managers/schedule_batch.py", 1711, "get_model_worker_batch"),
    site("vllm/v1/worker/gpu_input_batch.py", 701, "refresh_metadata"),
];
pub(in crate::generate) static HEAD: Both<Site> = [
    site("python/sglang/srt/layers/logits_processor.py", 598, "_get_logits"),
    site("vllm/model_executor/layers/logits_processor.py", 96, "_get_logits"),
];
pub(in crate::generate) static GATHER: Both<Site> = [
    site("python/sglang/srt/distributed/parallel_state.py", 610, "all_gather"),
    site("vllm/distributed/device_communicators/base_device_communicator.py", 140, "all_gather"),
];
pub(in crate::generate) static SAMPLE: Both<Site> = [
    site("python/sglang/srt/layers/sampler.py", 101, "forward"),
    site("vllm/v1/sample/sampler.py", 166, "compute_logprobs"),
];
pub(in crate::generate) static GREEDY: Both<Site> = [
    site("python/sglang/srt/layers/sampler.py", 96, "forward"),
    site("vllm/v1/sample/sampler.py", 140, "greedy_sample"),
];
pub(in crate::generate) static COPY_OUT: Both<Site> = [
    site("python/sglang/srt/managers/utils.py", 96, "copy_to_cpu"),
    site("vllm/v1/worker/gpu_model_runner.py", 205, "__init__"),
];
