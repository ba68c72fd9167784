//! Every correction of the reference classifiers as a row: name, category, lane.

use super::*;

/// The lanes are written beside the categories so that a change of the map shows here.
const ROWS: &[(&str, &str, &str)] = &[
    // Communication, strong.
    (
        "ncclDevKernel_AllReduce_Sum_bf16_RING_LL(ncclDevKernelArgsStorage<4096ul>)",
        "communication",
        "communication",
    ),
    (
        "ncclKernel_Broadcast_RING_LL_Sum_int8_t(ncclDevComm*, unsigned long, ncclWork*)",
        "communication",
        "communication",
    ),
    (
        "void sglang::cross_device_reduce_1stage<__nv_bfloat16, 8>(sglang::RankData*)",
        "communication",
        "communication",
    ),
    (
        "void (anonymous namespace)::multimem_all_reduce_kernel<c10::BFloat16, 16>(int)",
        "communication",
        "communication",
    ),
    ("void moe_a2a_prepare_kernel<8>(int)", "communication", "communication"),
    ("void some_all_to_all_kernel(int)", "communication", "communication"),
    ("void deep_ep::layout::get_layout<256, 4>(int)", "communication", "communication"),
    // Communication, weak: only with a context.
    ("void deep_ep::internode_ll::dispatch<true, 7168>(void*)", "communication", "communication"),
    ("void deep_ep::intranode::combine<__nv_bfloat16, 8>(void*)", "communication", "communication"),
    ("_combined_routing_compute", "moe", "elementwise"),
    ("_combined_routing_memset", "moe", "elementwise"),
    ("void flash_fwd_splitkv_combine_kernel<X>(P)", "attention", "compute"),
    ("void flash::flash_fwd_splitkv_combine_kernel<X>(P)", "attention", "compute"),
    ("void broadcast_rows_kernel(int)", "other", "other"),
    // Memory words are whole words.
    (
        "void cutlass::Kernel<cutlass::conv::kernel::ImplicitGemmConvolution<cutlass::transform::PitchLinearWarpRakedThreadMap<X> > >(P)",
        "gemm",
        "compute",
    ),
    ("void flashinfer::BatchPrefillWithPagedKVCacheKernel<1, 2>(P)", "attention", "compute"),
    ("void flashinfer::BatchPrefillWithRaggedKVCacheKernel<1>(P)", "attention", "compute"),
    ("void flashinfer::BatchDecodeWithPagedKVCacheKernel<1>(P)", "attention", "compute"),
    (
        "void at::native::(anonymous namespace)::CatArrayBatchedCopy<float, unsigned int, 2, 64, 64>(float*)",
        "sampling_io",
        "elementwise",
    ),
    ("void copy_next_token_ids_kernel(int)", "sampling_io", "elementwise"),
    ("void memcpy32_post(int)", "memory", "memory"),
    ("_copy_page_indices_kernel", "memory", "memory"),
    // Writes to the KV cache.
    (
        "void vllm::reshape_and_cache_flash_kernel<__nv_bfloat16, unsigned char, (vllm::Fp8KVCacheDataType)1>(int)",
        "memory",
        "memory",
    ),
    (
        "void (anonymous namespace)::store_kvcache<2048l, 4, false, long>((anonymous namespace)::StoreKVCacheParams)",
        "memory",
        "memory",
    ),
    ("set_kv_buffer_kernel", "memory", "memory"),
    ("set_mla_kv_buffer_kernel", "memory", "memory"),
    ("void vllm::concat_and_cache_mla_kernel<float>(int)", "memory", "memory"),
    ("fused_store_flashmla_cache", "memory", "memory"),
    // Linear attention, whole words.
    ("chunk_gated_delta_rule_fwd_kernel_h_blockdim64", "hybrid_linear", "compute"),
    ("_causal_conv1d_fwd_kernel", "hybrid_linear", "compute"),
    ("void selective_scan_fwd_kernel<X>(P)", "hybrid_linear", "compute"),
    // Attention.
    (
        "void cutlass::device_kernel<flash::enable_sm90_or_later<flash::FlashAttnFwdSm90<flash::Main<2, cutlass::bfloat16_t> > > >(P)",
        "attention",
        "compute",
    ),
    (
        "void cutlass::device_kernel<flash::FlashAttnFwdCombine<cute::tuple<cute::C<8> >, 6> >(flash::CombineParams)",
        "attention",
        "compute",
    ),
    ("void flash::compute_attn_ws<X, cutlass::half_t>(P)", "attention", "compute"),
    ("void flash::prepare_varlen_num_blocks_kernel<1, true>(int)", "attention", "compute"),
    ("void pytorch_flash::flash_fwd_kernel<X>(P)", "attention", "compute"),
    ("void flash_bwd_dq_dk_dv_loop_seqk_parallel_kernel<X>(P)", "attention", "compute"),
    ("attn_fwd", "attention", "compute"),
    ("void deep_gemm::sm90_fp8_paged_mqa_logits<1>(P)", "attention", "compute"),
    ("deep_gemm::smxx_paged_mqa_logits_metadata<2>(int)", "attention", "compute"),
    ("kernel_mha", "attention", "compute"),
    ("kernel_unified_attention_2d", "attention", "compute"),
    (
        "fmhaSm100aKernel_QkvE4m3OBfloat16H64PagedKvCausalP16VarSeqQ128Kv128PersistentContext",
        "attention",
        "compute",
    ),
    ("void paged_attention_ll4mi_reduce_kernel<__hip_bfloat16, 128>(int)", "attention", "compute"),
    ("_ZN7ck_tile6kentryILi2ENS_38FmhaBatchPrefillWithPagedKVCacheKernelINS_40Block", "attention", "compute"),
    // Experts.
    ("fused_moe_kernel", "moe", "compute"),
    ("void moe_align_block_size_kernel<int>(int const*)", "moe", "elementwise"),
    ("void moe_sum_reduce_warp_per_token_vec_kernel<8>(int)", "moe", "elementwise"),
    ("void count_and_sort_expert_tokens_kernel<int>(int const*)", "moe", "elementwise"),
    (
        "void moe::dev::routing::routingIndicesHistogramKernel<moe::dev::routing::routingRenormalize::KernelParams<X> >(P)",
        "moe",
        "elementwise",
    ),
    ("void moe::dev::finalize::finalizeKernelVecLoad<X>(P)", "moe", "elementwise"),
    (
        "void cutlass::device_kernel<cutlass::gemm::kernel::GemmUniversal<cutlass::gemm::GroupProblemShape<X>, Y> >(P)",
        "moe",
        "compute",
    ),
    ("void moe_wna16_marlin_gemm::Marlin<X>(P)", "gemm", "compute"),
    // Products and convolutions.
    ("nvjet_tst_128x256_64x4_2x1_v_bz_coopA_TNN", "gemm", "compute"),
    ("nvjet_tst_144x128_64x6_2x1_v_bz_bias_TNN", "gemm", "compute"),
    ("Cijk_Ailk_Bjlk_BBS_BH_Bias_HAS_SAV_UserArgs_MT128x64x32_MI32x32x1_SN", "gemm", "compute"),
    ("void cublasLt::splitKreduce_kernel<32, 16, int, float>(P)", "gemm", "compute"),
    ("void splitKreduce_kernel<32, 16, int, float>(P)", "gemm", "compute"),
    ("cudnn_infer_volta_scudnn_128x64_relu_xregs_large_nn_v1", "gemm", "compute"),
    ("cudnn_infer_volta_scudnn_128x64_3dconv_fprop_medium_nn_v1", "gemm", "compute"),
    ("cudnn_ampere_scudnn_128x64_relu_xregs_large_nn_v1", "gemm", "compute"),
    (
        "void cutlass_cudnn_infer::Kernel<cutlass_tensorop_s1688dgrad_optimized_tf32_128x128_16x4_nhwc_align4>(P)",
        "gemm",
        "compute",
    ),
    ("void cudnn::detail::dgrad_engine<float, 512>(int)", "gemm", "compute"),
    (
        "void cutlass::Kernel2<cutlass_80_tensorop_bf16_s16816gemm_relu_bf16_64x64_64x6_tn_align8>(P)",
        "gemm",
        "compute",
    ),
    ("std::enable_if<!(false), void>::type internal::gemvx::kernel<int, float>(float)", "gemm", "compute"),
    ("void gemvNSP_kernel<float, float>(P)", "gemm", "compute"),
    ("bmm_MxE4m3_MxE2m1MxE4m3_Fp32_t128x16x256u2_s3_et128x16_biasM_bN_tma_sm100f", "gemm", "compute"),
    ("void deep_gemm::sm90_fp8_gemm_1d2d_impl<1>(P)", "gemm", "compute"),
    ("triton_tem_fused_mm_3", "gemm", "compute"),
    ("void cutlass::device_kernel<my::Thing<X> >(P)", "other", "other"),
    (
        "void fbgemm_gpu::(anonymous namespace)::_compute_FP8_quantize_cuda_kernel<float>(float const*)",
        "quantize",
        "elementwise",
    ),
    ("void fbgemm_gpu::permute_2D_lengths_kernel<int>(int)", "other", "other"),
    // Normalisation before products.
    ("gemma_rmsnorm_kernel", "norm", "elementwise"),
    ("gemma_fused_add_rmsnorm_kernel", "norm", "elementwise"),
    ("void flashinfer::norm::FusedAddRMSNormKernel<8u, __nv_bfloat16>(int)", "norm", "elementwise"),
    ("void vllm::rms_norm_kernel<c10::BFloat16, 8, 2>(int)", "norm", "elementwise"),
    (
        "void at::native::(anonymous namespace)::vectorized_layer_norm_kernel<float, float>(int)",
        "norm",
        "elementwise",
    ),
    ("void (anonymous namespace)::fused_qknorm_warp<128l, true, __nv_bfloat16>(P)", "norm", "elementwise"),
    ("triton_red_fused_add_rms_norm", "norm", "elementwise"),
    ("triton_red_fused_add_mean_mul_pow_rsqrt_0", "norm", "elementwise"),
    ("void cudnn::bn_fw_tr_1C11_kernel_NCHW<float>(P)", "norm", "elementwise"),
    // Rotary embedding.
    ("void flashinfer::BatchQKApplyRotaryPosIdsCosSinCacheEnhancedKernel<true>(int)", "rope", "elementwise"),
    ("void vllm::rotary_embedding_kernel<c10::BFloat16, true>(int)", "rope", "elementwise"),
    ("_triton_mrope_forward", "rope", "elementwise"),
    // Top-k before softmax, products before reductions.
    ("void topkGatingSoftmax<__nv_bfloat16, 8, 128>(int)", "reduce_topk", "elementwise"),
    (
        "void at::native::(anonymous namespace)::cunn_SoftMaxForward<4, float>(float*)",
        "softmax",
        "elementwise",
    ),
    (
        "void at::native::reduce_kernel<512, 1, at::native::ReduceOp<float, at::native::ArgMaxOps<float> > >(X)",
        "reduce_topk",
        "elementwise",
    ),
    ("void flashinfer::sampling::TopKRenormProbKernel<X>(P)", "reduce_topk", "elementwise"),
    // Activations.
    (
        "void flashinfer::activation::act_and_mul_kernel<__nv_bfloat16, &(float silu<float>(float const&))>(int)",
        "activation",
        "elementwise",
    ),
    (
        "_ZN7sgl_hip10activation18act_and_mul_kernelI14__hip_bfloat16TnPFT_RKS3_EXadL_Z4siluIS2_ES3_S5_EEEEvPS3_PS4_i",
        "activation",
        "elementwise",
    ),
    (
        "void at::native::vectorized_elementwise_kernel<4, at::native::(anonymous namespace)::silu_kernel(at::T&)::{lambda()#1}, X>(int)",
        "activation",
        "elementwise",
    ),
    ("triton_poi_fused__unsafe_view_mul_silu_2", "activation", "elementwise"),
    // Quantisation by the name, never by a template argument.
    (
        "void tensorrt_llm::kernels::quantize_with_block_size<(tensorrt_llm::BlockScaleQuantizationType)2, __nv_bfloat16>(int)",
        "quantize",
        "elementwise",
    ),
    (
        "void vllm::scaled_fp8_quant_kernel_strided<c10::BFloat16, c10::Float8_e4m3fn>(P)",
        "quantize",
        "elementwise",
    ),
    ("void per_token_group_quant_8bit_kernel<X>(P)", "quantize", "elementwise"),
    ("void foo_kernel<c10::Float8_e4m3fn>(c10::Float8_e4m3fn*)", "other", "other"),
    // Element by element.
    (
        "void at::native::vectorized_elementwise_kernel<4, at::native::CUDAFunctor_add<float>, X>(int)",
        "elementwise",
        "elementwise",
    ),
    (
        "void at::native::vectorized_elementwise_kernel<4, at::native::FillFunctor<int>, X>(int)",
        "memory",
        "memory",
    ),
    (
        "void at::native::unrolled_elementwise_kernel<at::native::direct_copy_kernel_cuda(at::T&)::{lambda()#3}, X>(int)",
        "memory",
        "memory",
    ),
    ("triton_poi_fused_add_cos_sin_0", "elementwise", "elementwise"),
    ("triton_poi_fused_addmm_3", "elementwise", "elementwise"),
    ("void at::native::vectorized_gather_kernel<16, long>(char*)", "elementwise", "elementwise"),
    ("SubTensorOpWithCastTensor1d", "elementwise", "elementwise"),
    ("", "other", "other"),
];

#[test]
fn every_correction_holds() {
    let mut wrong = Vec::new();
    for &(name, category, expected) in ROWS {
        let found = classify(EventKind::Kernel, name, None);
        let lane = lane(found, name);
        if (found.as_str(), lane.as_str()) != (category, expected) {
            wrong.push(format!("{name}: {found}/{lane}, expected {category}/{expected}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_kind_comes_first() {
    assert_eq!(classify(EventKind::Memcpy, "ncclDevKernel_AllReduce", None), Category::Memory);
    assert_eq!(classify(EventKind::Memset, "Memset (Device)", None), Category::Memory);
    assert_eq!(classify(EventKind::Kernel, "Memcpy DtoD (Device -> Device)", None), Category::Memory);
    assert_eq!(lane(Category::Memory, "Memcpy HtoD (Pageable -> Device)"), Lane::Memory);
}

#[test]
fn a_communication_op_makes_a_weak_word_strong() {
    let name = "void combine_kernel<8>(int)";
    assert_eq!(classify(EventKind::Kernel, name, None), Category::Other);
    assert_eq!(classify(EventKind::Kernel, name, Some("aten::add")), Category::Other);
    assert_eq!(classify(EventKind::Kernel, name, Some("c10d::alltoall_base_")), Category::Communication);
    assert_eq!(
        classify(EventKind::Kernel, "void flash_fwd_splitkv_combine(P)", Some("flash_attn::fwd")),
        Category::Attention
    );
}

#[test]
fn only_products_among_the_experts_are_compute() {
    for (name, expected) in [
        ("fused_moe_kernel", true),
        ("fused_moe_router_kernel", false),
        ("void moe_fused_gate_kernel<X>(P)", false),
        ("moe_align_block_size", false),
        ("void cutlass_moe_mm_kernel<X>(P)", true),
    ] {
        assert_eq!(multiplies(name), expected, "{name}");
        assert_eq!(classify(EventKind::Kernel, name, None), Category::Moe, "{name}");
    }
}
