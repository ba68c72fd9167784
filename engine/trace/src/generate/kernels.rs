//! Names of GPU events as they appear in traces of SGLang and vLLM on NVIDIA and AMD devices.
//!
//! Only names: what is launched when, and from where, stands in the model.

use super::recipe::{Annotations, Recipe, Vendor};

/// What a GPU event does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Role {
    Embed,
    Metadata,
    Residual,
    CopyIn,
    Clear,
    Norm,
    AddNorm,
    Qkv,
    QkNorm,
    Rope,
    StoreKv,
    Prepare,
    Attention,
    Combine,
    Project,
    SplitK,
    Gate,
    TopK,
    SharedUp,
    SharedDown,
    Align,
    Sort,
    Experts,
    Activation,
    ExpertSum,
    CustomReduce,
    RingReduce,
    Head,
    Gather,
    Softmax,
    ArgMax,
    CopyOut,
}

/// The category of a GPU event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Activity {
    Kernel,
    Copy,
    Fill,
}

impl Role {
    pub(super) fn activity(self) -> Activity {
        match self {
            Self::CopyIn | Self::CopyOut => Activity::Copy,
            Self::Clear => Activity::Fill,
            _ => Activity::Kernel,
        }
    }

    pub(super) fn is_communication(self) -> bool {
        matches!(self, Self::CustomReduce | Self::RingReduce | Self::Gather)
    }
}

/// Which column of the tables below a recipe uses.
#[derive(Debug, Clone, Copy)]
pub(super) enum Library {
    Sglang,
    Vllm,
    Amd,
}

impl Library {
    pub(super) fn of(recipe: &Recipe) -> Self {
        match (recipe.vendor, recipe.annotations) {
            (Vendor::Amd, _) => Self::Amd,
            (Vendor::Nvidia, Annotations::Vllm) => Self::Vllm,
            (Vendor::Nvidia, _) => Self::Sglang,
        }
    }

    /// The name of the event. `wide` selects the variant for thousands of tokens, where the libraries have one.
    pub(super) fn name(self, role: Role, wide: bool) -> &'static str {
        let common = common(role, wide);
        match self {
            Self::Sglang => common,
            Self::Vllm => vllm(role).unwrap_or(common),
            Self::Amd => amd(role, wide).unwrap_or(common),
        }
    }
}

/// SGLang on NVIDIA devices; the others fall back to it.
fn common(role: Role, wide: bool) -> &'static str {
    match (role, wide) {
        (Role::Qkv, true) => "nvjet_tst_128x256_64x4_2x1_v_bz_coopA_TNN",
        (Role::Qkv, false) => "nvjet_tst_64x8_64x16_2x1_v_bz_TNT",
        (Role::Project, true) => "nvjet_tst_256x128_64x4_1x2_h_bz_coopA_TNT",
        (Role::Project, false) => "nvjet_tst_64x8_64x16_4x1_v_bz_splitK_TNT",
        (Role::Gate, true) => "nvjet_tst_128x64_64x8_1x2_h_bz_TNN",
        (Role::Gate, false) => "nvjet_tst_8x64_64x16_4x1_v_bz_TNN",
        (Role::SharedUp, _) => "nvjet_tst_64x48_64x15_2x4_h_bz_TNT",
        (Role::SharedDown, _) => "nvjet_tst_320x128_64x3_2x1_v_bz_coopB_TNT",
        (Role::Head, _) => "nvjet_tst_384x8_64x4_2x1_v_bz_TNT",
        (Role::SplitK, _) => {
            "void cublasLt::splitKreduce_kernel<32, 16, int, float, __nv_bfloat16, float, __nv_bfloat16, true, true, false>(cublasLt::cublasSplitKParams<float>, float const*, __nv_bfloat16 const*, __nv_bfloat16*, void*)"
        }
        (Role::Prepare, _) => {
            "void flash::prepare_varlen_num_blocks_kernel<1, true>(int, int, int, int const*, int const*, int const*, int const*, int, int, int, int, int, cutlass::FastDivmod, cutlass::FastDivmod, int*, int*, bool)"
        }
        (Role::Attention, _) => {
            "void cutlass::device_kernel<flash::enable_sm90_or_later<flash::FlashAttnFwdSm90<flash::CollectiveMainloopFwdSm90<2, cute::tuple<cute::C<1>, cute::C<1>, cute::C<1> >, cute::tuple<cute::C<128>, cute::C<176>, cute::C<128> >, 128, cutlass::bfloat16_t, float, cutlass::arch::Sm90, true, false, false, true, true, false, false, true> > > >(flash::Params)"
        }
        (Role::Combine, _) => {
            "void cutlass::device_kernel<flash::FlashAttnFwdCombine<cute::tuple<cute::C<8>, cute::C<128> >, 6, 256, 1, false, cutlass::bfloat16_t, float, cutlass::arch::Sm90> >(flash::CombineParams)"
        }
        (Role::Experts, _) => "fused_moe_kernel",
        (Role::Embed, _) => {
            "void at::native::vectorized_gather_kernel<16, long>(char*, char*, long*, int, long, long, long, long, bool)"
        }
        (Role::Metadata, _) => {
            "void at::native::vectorized_elementwise_kernel<4, at::native::CUDAFunctorOnSelf_add<int>, std::array<char*, 2ul> >(int, at::native::CUDAFunctorOnSelf_add<int>, std::array<char*, 2ul>)"
        }
        (Role::Residual, _) => {
            "void at::native::vectorized_elementwise_kernel<4, at::native::CUDAFunctor_add<c10::BFloat16>, std::array<char*, 3ul> >(int, at::native::CUDAFunctor_add<c10::BFloat16>, std::array<char*, 3ul>)"
        }
        (Role::RingReduce, _) => "ncclDevKernel_AllReduce_Sum_bf16_RING_LL(ncclDevKernelArgsStorage<4096ul>)",
        (Role::Gather, _) => "ncclDevKernel_AllGather_RING_LL(ncclDevKernelArgsStorage<4096ul>)",
        (Role::Softmax, _) => {
            "void at::native::(anonymous namespace)::cunn_SoftMaxForward<4, float, float, float, at::native::(anonymous namespace)::SoftMaxForwardEpilogue>(float*, float const*, int)"
        }
        (Role::ArgMax, _) => {
            "void at::native::reduce_kernel<512, 1, at::native::ReduceOp<float, at::native::ArgMaxOps<float>, unsigned int, long, 4, 4> >(at::native::ReduceOp<float, at::native::ArgMaxOps<float>, unsigned int, long, 4, 4>)"
        }
        (Role::CopyIn, _) => "Memcpy HtoD (Pinned -> Device)",
        (Role::CopyOut, _) => "Memcpy DtoH (Device -> Pinned)",
        (Role::Clear, _) => "Memset (Device)",
        (Role::Norm, _) => {
            "void flashinfer::norm::RMSNormKernel<8u, __nv_bfloat16>(__nv_bfloat16*, __nv_bfloat16*, __nv_bfloat16*, unsigned int, unsigned int, unsigned int, float, float)"
        }
        (Role::AddNorm, _) => {
            "void flashinfer::norm::FusedAddRMSNormKernel<8u, __nv_bfloat16>(__nv_bfloat16*, __nv_bfloat16*, __nv_bfloat16*, unsigned int, unsigned int, unsigned int, float, float)"
        }
        (Role::QkNorm, _) => {
            "void (anonymous namespace)::fused_qknorm_warp<128l, true, __nv_bfloat16>((anonymous namespace)::QKNormParams)"
        }
        (Role::Rope, _) => {
            "void flashinfer::BatchQKApplyRotaryPosIdsCosSinCacheEnhancedKernel<true, false, true, 128u, 8u, 16u, __nv_bfloat16, long>(__nv_bfloat16*, __nv_bfloat16*, float*, long*)"
        }
        (Role::StoreKv, _) => {
            "void (anonymous namespace)::store_kvcache<2048l, 4, false, long>((anonymous namespace)::StoreKVCacheParams)"
        }
        (Role::TopK, _) => {
            "void topkGatingSoftmax<__nv_bfloat16, 8, 128, 4, 16>(__nv_bfloat16 const*, bool const*, float*, int, int*, int, int, int, bool)"
        }
        (Role::Align, _) => {
            "void moe_align_block_size_kernel<int>(int const*, int*, int*, int*, int, int, unsigned long, int*, bool, int, int)"
        }
        (Role::Sort, _) => {
            "void count_and_sort_expert_tokens_kernel<int>(int const*, int*, int*, unsigned long)"
        }
        (Role::Activation, _) => {
            "void flashinfer::activation::act_and_mul_kernel<__nv_bfloat16, &(float silu<float>(float const&))>(__nv_bfloat16*, __nv_bfloat16 const*, int)"
        }
        (Role::ExpertSum, _) => {
            "void moe_sum_reduce_warp_per_token_vec_kernel<8>(c10::BFloat16 const*, c10::BFloat16*, long, long, long, long, long, long, float)"
        }
        (Role::CustomReduce, _) => {
            "void sglang::cross_device_reduce_1stage<__nv_bfloat16, 8>(sglang::RankData*, sglang::RankSignals, sglang::Signal*, __nv_bfloat16*, int, int)"
        }
    }
}

/// Where vLLM has kernels of its own.
fn vllm(role: Role) -> Option<&'static str> {
    Some(match role {
        Role::Norm => {
            "void vllm::rms_norm_kernel<c10::BFloat16, 8, 2>(c10::BFloat16*, c10::BFloat16 const*, long, long, long, long, long, c10::BFloat16 const*, float, int, int)"
        }
        Role::AddNorm => {
            "std::enable_if<(((8)>(0)))&&vllm::_typeConvert<c10::BFloat16>::exists, void>::type vllm::fused_add_rms_norm_kernel<c10::BFloat16, 8>(c10::BFloat16*, long, c10::BFloat16*, c10::BFloat16 const*, float, int, int)"
        }
        Role::QkNorm => {
            "void tensorrt_llm::kernels::fusedQKNormRopeKernel<c10::BFloat16, c10::BFloat16, 128, false>(void*, int, int, int, float, void const*, void const*, void const*, long const*, int)"
        }
        Role::Rope => {
            "void vllm::rotary_embedding_kernel<c10::BFloat16, true>(long const*, c10::BFloat16*, c10::BFloat16*, c10::BFloat16 const*, int, long, long, long, int, int, int)"
        }
        Role::StoreKv => {
            "void vllm::reshape_and_cache_flash_kernel<__nv_bfloat16, __nv_bfloat16, (vllm::Fp8KVCacheDataType)0>(__nv_bfloat16 const*, __nv_bfloat16 const*, __nv_bfloat16*, __nv_bfloat16*, long const*, long, long, long, long, long, int, int, int, float const*, float const*)"
        }
        Role::TopK => {
            "void vllm::moe::topkGatingSoftmax<8, 128, 4, 16, 32, int, __nv_bfloat16>(__nv_bfloat16 const*, bool const*, float*, int, int*, int*, int, int, int, bool)"
        }
        Role::Align => {
            "void vllm::moe::moe_align_block_size_kernel<int>(int const*, int*, int*, int*, int*, int, int, int, int, unsigned long, int*, int, int, int, int)"
        }
        Role::Sort => {
            "void vllm::moe::count_and_sort_expert_tokens_kernel<int>(int const*, int*, int*, int*, unsigned long, int, int, int, bool)"
        }
        Role::Activation => {
            "void vllm::act_and_mul_kernel<c10::BFloat16, &(c10::BFloat16 vllm::silu_kernel<c10::BFloat16>(c10::BFloat16 const&)), true>(c10::BFloat16*, c10::BFloat16 const*, int)"
        }
        Role::ExpertSum => {
            "void vllm::moe::moe_sum_kernel<c10::BFloat16, 8>(c10::BFloat16*, c10::BFloat16 const*, int)"
        }
        Role::CustomReduce => {
            "void vllm::cross_device_reduce_1stage<__nv_bfloat16, 8>(vllm::RankData*, vllm::RankSignals, vllm::Signal*, __nv_bfloat16*, int, int)"
        }
        _ => return None,
    })
}

/// The ROCm libraries: Tensile GEMMs, `ck_tile` attention, aiter and HIP builds of the frameworks' kernels.
fn amd(role: Role, wide: bool) -> Option<&'static str> {
    Some(match (role, wide) {
        (Role::Norm, _) => {
            "_ZN5aiter24add_rmsnorm_quant_kernelIDF16bDF16bLi64ELi8ELb0ELb0ELb1ELi1EEEvPT0_PT_PfS4_S4_S4_diiiiiiib"
        }
        (Role::AddNorm, _) => {
            "_ZN5aiter24add_rmsnorm_quant_kernelIDF16bDF16bLi256ELi16ELb1ELb0ELb1ELi1EEEvPT0_PT_PfS4_S4_S4_diiiiiiib"
        }
        (Role::Qkv | Role::Head, true) => {
            "Cijk_Alik_Bljk_BBS_BH_Bias_HA_S_SAV_UserArgs_MT256x192x64_MI16x16x1_SN_LDSB1_AFC1_AFEM1_AFEM1_ASEM1_CLR1_CADS0_DTLA0_DTLB0_DTVA0_DTVB0_EPS0_FDSI0_GRPM1_GRVWA8_GRVWB8_GSUAMBSK_GLS0_ISA942_IU1_K1_WS64_WG32_8_1"
        }
        (Role::Qkv | Role::Head, false) => {
            "Cijk_Alik_Bljk_BBS_BH_Bias_HA_S_SAV_UserArgs_MT64x32x256_MI16x16x1_SN_LDSB1_AFC1_AFEM1_AFEM1_ASEM1_CLR1_CADS0_DTLA0_DTLB0_DTVA0_DTVB0_EPS0_FDSI0_GRPM1_GRVWA8_GRVWB8_GSUAMBSK_GLS0_ISA942_IU1_K1_WS64_WG16_4_4"
        }
        (Role::Project, true) => {
            "Cijk_Alik_Bljk_BBS_BH_Bias_HA_S_SAV_UserArgs_MT320x224x64_MI16x16x1_SN_LDSB0_AFC1_AFEM1_AFEM1_ASEM1_CLR1_CADS0_DTLA0_DTLB0_DTVA1_DTVB0_EPS0_FDSI0_GRPM1_GRVWA8_GRVWB8_GSUAMBSK_GLS0_ISA942_IU1_K1_WS64_WG64_4_1"
        }
        (Role::Project, false) => {
            "Cijk_Alik_Bljk_BBS_BH_Bias_HA_S_SAV_UserArgs_MT16x32x512_MI16x16x1_SN_LDSB1_AFC1_AFEM1_AFEM1_ASEM1_CLR1_CADS0_DTLA0_DTLB0_DTVA0_DTVB0_EPS0_FDSI0_GRPM1_GRVWA8_GRVWB8_GSUAMBSK_GLS0_ISA942_IU1_K1_WS64_WG16_4_4"
        }
        (Role::Gate, _) => {
            "Cijk_Alik_Bljk_BBS_BH_Bias_HA_S_SAV_UserArgs_MT32x32x256_MI16x16x1_SN_LDSB1_AFC1_AFEM1_AFEM1_ASEM1_CLR1_CADS0_DTLA0_DTLB0_DTVA0_DTVB0_EPS0_FDSI0_GRPM1_GRVWA8_GRVWB8_GSUAMBSK_GLS0_ISA942_IU1_K1_WS64_WG16_4_4"
        }
        (Role::SharedUp | Role::SharedDown, _) => {
            "Cijk_Alik_Bljk_BBS_BH_Bias_HA_S_SAV_UserArgs_MT128x256x32_MI16x16x1_SN_LDSB1_AFC1_AFEM1_AFEM1_ASEM1_CLR1_CADS0_DTLA0_DTLB0_DTVA0_DTVB0_EPS0_FDSI0_GRPM1_GRVWA4_GRVWB4_GSUAMBSK_GLS0_ISA942_IU1_K1_WS64_WG16_16_1"
        }
        (Role::SplitK, _) => "Cijk_BB_SB_PostGSU4_VW4",
        (Role::Rope, _) => {
            "void rotary_embedding_kernel<c10::BFloat16, true>(long const*, c10::BFloat16*, c10::BFloat16*, c10::BFloat16 const*, int, long, long, long, int, int, int)"
        }
        (Role::Prepare, _) => "create_flashinfer_kv_indices_triton",
        (Role::Attention, true) => {
            "_ZN7ck_tile6kentryILi2ENS_38FmhaBatchPrefillWithPagedKVCacheKernelINS_40BlockFmhaBatchPrefillPipelineQRKSVSAsyncINS_36BlockFmhaBatchPrefillPipelineProblemIDF16bDF16bDF16bffDF16bhfDF16bfDF16bEEEEEJNSS_21FmhaFwdGroupModeKargsEEEEvDpT1_"
        }
        (Role::Attention, false) => {
            "void paged_attention_ll4mi_QKV_mfma16_kernel<0, __hip_bfloat16, __hip_bfloat16, (vllm::Fp8KVCacheDataType)0, 1, 128, 256, false, 4, 1, ck_tile::ComposedAttention<0u, false> >(__hip_bfloat16 const*, __hip_bfloat16 const*, __hip_bfloat16 const*, float, int const*, int const*, int const*)"
        }
        (Role::Combine, _) => {
            "void paged_attention_ll4mi_reduce_kernel<__hip_bfloat16, __hip_bfloat16, 128, 128, 256, 3, false>(__hip_bfloat16*, float const*, float const*, __hip_bfloat16 const*, int const*, int const*, int, int, float const*)"
        }
        (Role::Activation, _) => {
            "_ZN7sgl_hip10activation18act_and_mul_kernelI14__hip_bfloat16TnPFT_RKS3_EXadL_Z4siluIS2_ES3_S5_EEEEvPS3_PS4_i"
        }
        (Role::CustomReduce, _) => {
            "void aiter::cross_device_reduce_1stage<__hip_bfloat16, 8>(aiter::RankData*, aiter::RankSignals, aiter::Signal*, __hip_bfloat16*, int, int)"
        }
        (Role::RingReduce | Role::Gather, _) => "ncclDevKernel_Generic_4(ncclDevKernelArgsStorage<4096ul>)",
        (Role::CopyIn, _) => "Memcpy HtoD (Host -> Device)",
        (Role::CopyOut, _) => "Memcpy DtoH (Device -> Host)",
        _ => return None,
    })
}
