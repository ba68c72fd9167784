//! The finer labels of the pipeline view, by family of models.
//!
//! Labels only; cutting a trace into passes and layers happens elsewhere.

use super::base::base;
use super::dtype::{Dtype, dtype};
use super::rules::{ACTIVATION, COMMUNICATION_WEAK, GEMM};
use super::words::Words;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The family of models, as far as its kernels need labels of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Profile {
    /// DeepSeek V4: compressed attention with an indexer, two blocks per layer.
    Dsv4CsaHca,
    /// DeepSeek V3 and its relatives: multi-head latent attention.
    Dsv3Mla,
    /// Everything else.
    Generic,
}

impl Profile {
    /// The profile of a model by its configuration: non-empty `compress_ratios`, then `kv_lora_rank` above zero.
    pub fn choose(compressed: bool, kv_lora_rank: u32) -> Self {
        match (compressed, kv_lora_rank) {
            (true, _) => Self::Dsv4CsaHca,
            (false, 1..) => Self::Dsv3Mla,
            (false, 0) => Self::Generic,
        }
    }

    /// The rules that come before the universal ones.
    fn rules(self) -> &'static [(PipelineKey, &'static [&'static str])] {
        match self {
            Self::Dsv4CsaHca => DSV4,
            Self::Dsv3Mla => DSV3,
            Self::Generic => &[],
        }
    }
}

/// The label of a kernel in the pipeline view.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "each is the label of the kernel it is named after")]
pub enum PipelineKey {
    Mla,
    Moe,
    Hadamard,
    Indexer,
    IndexerStore,
    PagedMqa,
    MlaMetadata,
    MlaCombine,
    MlaCacheStore,
    C4Prefill,
    C128Prefill,
    Rope,
    MhcPreGemm,
    MhcPreFuse,
    MhcPost,
    MoeGate,
    MoeAlign,
    MoeSort,
    Allreduce,
    Rmsnorm,
    Quant,
    Topk,
    GemmFp4,
    GemmFp8,
    GemmInt8,
    GemmFp16,
    GemmBf16,
    GemmF32,
    /// A product whose name does not say its number format.
    Gemm,
    Activation,
    Radixsort,
    Other,
}

use PipelineKey as Key;

/// The store of the indexer's cache stands before the indexer, whose word it contains.
const DSV4: &[(Key, &[&str])] = &[
    (Key::Mla, &["flash_fwd_splitkv_mla"]),
    (Key::Moe, &["fused_moe_kernel"]),
    (Key::Hadamard, &["hadamard"]),
    (Key::IndexerStore, &["fused_store_indexer_cache"]),
    (Key::Indexer, &["indexer"]),
    (Key::PagedMqa, &["paged_mqa_logits"]),
    (Key::MlaMetadata, &["get_mla_metadata"]),
    (Key::MlaCombine, &["flash_fwd_mla_combine"]),
    (Key::C4Prefill, &["c4_prefill"]),
    (Key::C128Prefill, &["c128_prefill"]),
    (Key::Rope, &["deepseek_rope", "fused_norm_rope"]),
    (Key::MhcPreGemm, &["mhc_pre_gemm_sqrsum"]),
    (Key::MhcPreFuse, &["mhc_pre_big_fuse"]),
    (Key::MhcPost, &["mhc_post_tilelang"]),
    (Key::MoeGate, &["moe_fused_gate"]),
    (Key::MoeAlign, &["moe_align_block"]),
    (Key::MoeSort, &["count_and_sort"]),
    (Key::MlaCacheStore, &["fused_store_flashmla_cache"]),
];

const DSV3: &[(Key, &[&str])] = &[
    (Key::Mla, &["flash_fwd_splitkv_mla"]),
    (Key::Moe, &["fused_moe_kernel"]),
    (Key::MlaMetadata, &["get_mla_metadata"]),
    (Key::MlaCombine, &["flash_fwd_mla_combine"]),
    (Key::Rope, &["deepseek_rope", "fused_norm_rope"]),
    (Key::MoeGate, &["moe_fused_gate"]),
    (Key::MoeAlign, &["moe_align_block"]),
    (Key::MoeSort, &["count_and_sort"]),
    (Key::MlaCacheStore, &["fused_store_flashmla_cache"]),
];

/// For every profile. The custom all-reduce of decode counts like NCCL's; the two anchors are known without a profile.
const UNIVERSAL: &[(Key, &[&str])] = &[
    (Key::Allreduce, &["allreduce", "cross_device_reduce"]),
    (Key::MhcPost, &["mhc_post_tilelang"]),
    (Key::MlaCombine, &["flash_fwd_mla_combine"]),
    (Key::Rmsnorm, &["*rmsnorm", "rms_norm", "rms_normalize", "layer_norm"]),
    (Key::Quant, &["quant*", "dequant*"]),
    (Key::Topk, &["topk"]),
];

/// After the products.
const LAST: &[(Key, &[&str])] = &[(Key::Activation, ACTIVATION), (Key::Radixsort, &["radix_sort"])];

/// The label of a kernel: the profile's own rules, then the universal ones. It goes by the kernel's own name and by
/// whole words; the number format of a product comes from its name, not from its library.
pub fn pipeline_key(name: &str, profile: Profile) -> PipelineKey {
    let base = base(name);
    let words = Words::new(&base.name);
    let first =
        |rules: &[(Key, &[&str])]| rules.iter().find(|(_, tokens)| words.any(tokens)).map(|&(key, _)| key);
    // `combine` alone is no product, whatever its libraries are called.
    let product = || (words.any(GEMM) && !words.any(COMMUNICATION_WEAK)).then(|| gemm(name));
    first(profile.rules())
        .or_else(|| first(UNIVERSAL))
        .or_else(product)
        .or_else(|| first(LAST))
        .unwrap_or(Key::Other)
}

fn gemm(name: &str) -> Key {
    match dtype(name) {
        Some(Dtype::Fp4) => Key::GemmFp4,
        Some(Dtype::Fp8) => Key::GemmFp8,
        Some(Dtype::Int8) => Key::GemmInt8,
        Some(Dtype::Fp16) => Key::GemmFp16,
        Some(Dtype::Bf16) => Key::GemmBf16,
        Some(Dtype::Tf32 | Dtype::Fp32 | Dtype::Fp64) => Key::GemmF32,
        None => Key::Gemm,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(profile: Profile, rows: &[(&str, Key)]) {
        for &(name, expected) in rows {
            assert_eq!(pipeline_key(name, profile), expected, "{name} in {profile:?}");
        }
    }

    #[test]
    fn the_profiles_come_first() {
        let shared = [
            ("void sm90::decode::sparse_fp8::flash_fwd_splitkv_mla_fp8_sparse_kernel<X>(P)", Key::Mla),
            ("fused_moe_kernel", Key::Moe),
            ("void smxx::decode::get_mla_metadata_kernel(P)", Key::MlaMetadata),
            ("void smxx::decode::flash_fwd_mla_combine_kernel<X>(P)", Key::MlaCombine),
            ("fused_norm_rope_kernel", Key::Rope),
            ("void moe_fused_gate_kernel<X>(P)", Key::MoeGate),
            ("void moe_align_block_size_kernel<int>(P)", Key::MoeAlign),
            ("void count_and_sort_expert_tokens_kernel<int>(P)", Key::MoeSort),
            ("fused_store_flashmla_cache", Key::MlaCacheStore),
        ];
        check(Profile::Dsv4CsaHca, &shared);
        check(Profile::Dsv3Mla, &shared);
        check(
            Profile::Dsv4CsaHca,
            &[
                ("void fast_hadamard_transform_kernel<X>(P)", Key::Hadamard),
                ("fused_store_indexer_cache", Key::IndexerStore),
                ("my_Indexer_kernel", Key::Indexer),
                ("deep_gemm::sched::smxx_paged_mqa_logits_metadata", Key::PagedMqa),
                ("c4_prefill_kernel", Key::C4Prefill),
                ("c128_prefill_kernel", Key::C128Prefill),
                ("mhc_pre_gemm_sqrsum_tilelang_kernel", Key::MhcPreGemm),
                ("mhc_pre_big_fuse_tilelang_kernel", Key::MhcPreFuse),
                ("mhc_post_tilelang_kernel", Key::MhcPost),
            ],
        );
        check(Profile::Dsv3Mla, &[("void fast_hadamard_transform_kernel<X>(P)", Key::Other)]);
        check(Profile::Generic, &[("fused_moe_kernel", Key::Other)]);
    }

    #[test]
    fn universal_labels_with_corrections() {
        let rows = [
            ("ncclDevKernel_AllReduce_Sum_bf16_RING_LL(X)", Key::Allreduce),
            ("void sglang::cross_device_reduce_1stage<__nv_bfloat16, 8>(X)", Key::Allreduce),
            ("void multimem_all_reduce_kernel<X>(P)", Key::Allreduce),
            ("void flashinfer::norm::FusedAddRMSNormKernel<8u, __nv_bfloat16>(X)", Key::Rmsnorm),
            ("void vllm::rms_norm_kernel<X>(P)", Key::Rmsnorm),
            ("void vectorized_layer_norm_kernel<X>(P)", Key::Rmsnorm),
            ("void per_token_group_quant_8bit_kernel<X>(P)", Key::Quant),
            ("void reshape_and_cache<QuantType>(P)", Key::Other),
            ("_topk_forward", Key::Topk),
            ("void deep_gemm::sm90_fp8_gemm_1d2d_impl<1>(P)", Key::GemmFp8),
            ("void deep_gemm::sm90_bf16_gemm_impl<1>(P)", Key::GemmBf16),
            ("nvjet_tst_128x256_64x4_2x1_v_bz_coopA_TNN", Key::Gemm),
            ("sm80_xmma_gemm_f32f32_f32f32_f32_tn", Key::GemmF32),
            ("sm80_xmma_gemm_bf16bf16_bf16f32_f32_tn", Key::GemmBf16),
            ("void flashinfer::activation::act_and_mul_kernel<__nv_bfloat16, X>(P)", Key::Activation),
            ("silu_mul_clamp_kernel", Key::Activation),
            ("void cub::DeviceRadixSortOnesweepKernel<X>(P)", Key::Radixsort),
            ("void at::native::vectorized_gather_kernel<16, long>(char*)", Key::Other),
        ];
        for profile in [Profile::Dsv4CsaHca, Profile::Dsv3Mla, Profile::Generic] {
            check(profile, &rows);
        }
    }

    #[test]
    fn profiles_by_configuration() {
        assert_eq!(Profile::choose(true, 512), Profile::Dsv4CsaHca);
        assert_eq!(Profile::choose(false, 512), Profile::Dsv3Mla);
        assert_eq!(Profile::choose(false, 0), Profile::Generic);
    }
}
