//! The number format that a kernel works in, as far as its name says so.
//!
//! Never from the library: `nvjet` runs BF16 and FP8 alike.

use super::base::base;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A number format, narrowest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Dtype {
    /// Four bits: NVFP4, MXFP4, E2M1.
    Fp4,
    /// Eight bits: E4M3, E5M2.
    Fp8,
    /// Eight-bit integers.
    Int8,
    /// Half precision.
    Fp16,
    /// Brain floating point.
    Bf16,
    /// FP32 data with the products of tensor cores.
    Tf32,
    /// Single precision.
    Fp32,
    /// Double precision.
    Fp64,
}

impl Dtype {
    /// The name in tables and machine formats.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Fp4 => "fp4",
            Self::Fp8 => "fp8",
            Self::Int8 => "int8",
            Self::Fp16 => "fp16",
            Self::Bf16 => "bf16",
            Self::Tf32 => "tf32",
            Self::Fp32 => "fp32",
            Self::Fp64 => "fp64",
        }
    }
}

/// Spellings, lower case. A longer one stands before one that it contains.
const SPELLINGS: &[(&str, Dtype)] = &[
    ("float4_e2m1", Dtype::Fp4),
    ("nvfp4", Dtype::Fp4),
    ("mxfp4", Dtype::Fp4),
    ("e2m1", Dtype::Fp4),
    ("fp4", Dtype::Fp4),
    ("float8", Dtype::Fp8),
    ("mxfp8", Dtype::Fp8),
    ("hfp8", Dtype::Fp8),
    ("e4m3", Dtype::Fp8),
    ("e5m2", Dtype::Fp8),
    ("fp8", Dtype::Fp8),
    ("int8", Dtype::Int8),
    ("bfloat16", Dtype::Bf16),
    ("bf16", Dtype::Bf16),
    ("tf32", Dtype::Tf32),
    ("tfloat32", Dtype::Tf32),
    ("float16", Dtype::Fp16),
    ("fp16", Dtype::Fp16),
    ("f16", Dtype::Fp16),
    ("half", Dtype::Fp16),
    ("float32", Dtype::Fp32),
    ("fp32", Dtype::Fp32),
    ("f32", Dtype::Fp32),
    ("float", Dtype::Fp32),
    ("fp64", Dtype::Fp64),
    ("f64", Dtype::Fp64),
    ("double", Dtype::Fp64),
];

/// Precision letters of the BLAS and of cuDNN's hand-written kernels, as whole parts of a name.
const LETTERS: &[(&str, Dtype)] = &[
    ("sgemm", Dtype::Fp32),
    ("hgemm", Dtype::Fp16),
    ("dgemm", Dtype::Fp64),
    ("sgemv", Dtype::Fp32),
    ("scudnn", Dtype::Fp32),
];

/// The format of the operands. In the kernel's own name the narrowest counts (a product of BF16 and FP4 reads FP4 weights);
/// without any there, the first among the template arguments (the element type comes before the accumulator).
pub fn dtype(name: &str) -> Option<Dtype> {
    let base = base(name);
    let own = base.name.to_lowercase();
    let letters =
        LETTERS.iter().find(|(part, _)| own.split('_').any(|piece| piece == *part)).map(|&(_, dtype)| dtype);
    let spelled = found(&own).into_iter().map(|(_, dtype)| dtype).min();
    spelled.or_else(|| tensile(&base.name)).or(letters).or_else(|| {
        let arguments = found(&base.arguments.to_lowercase());
        arguments.into_iter().min_by_key(|&(at, _)| at).map(|(_, dtype)| dtype)
    })
}

/// Every spelling in `text` with its place. What one spelling took, a shorter one does not see.
fn found(text: &str) -> Vec<(usize, Dtype)> {
    let mut rest = text.to_owned();
    let mut hits = Vec::new();
    for &(spelling, dtype) in SPELLINGS {
        let places: Vec<usize> = rest.match_indices(spelling).map(|(at, _)| at).collect();
        for at in places {
            if bounded(&rest, at, at + spelling.len()) {
                hits.push((at, dtype));
                rest.replace_range(at..at + spelling.len(), &"#".repeat(spelling.len()));
            }
        }
    }
    hits
}

/// Whether a spelling stands by itself. `x` joins the operands of a product (`bf16xbf16xmxfp4`), digits and other
/// spellings may touch (`bf16bf16`, `s16816`); `float2` is a vector, and letters make another word.
fn bounded(text: &str, from: usize, to: usize) -> bool {
    let before = text[..from].chars().next_back();
    let after = text[to..].chars().next();
    let free = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric() || c == 'x');
    let spelled = |rest: &str| SPELLINGS.iter().any(|(spelling, _)| rest.starts_with(spelling));
    let opened = free(before) || text[..from].ends_with('#') || mx(&text[..from]);
    let suffix = ["fn", "fnuz", "mx"].iter().any(|suffix| {
        text[to..]
            .strip_prefix(suffix)
            .is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphabetic()) || spelled(rest))
    });
    let closed = free(after) || after == Some('#') || spelled(&text[to..]) || suffix || row(&text[to..]);
    opened && closed
}

/// `MxE4m3`: the format with a scale per block; also `QkvE4m3OBfloat16`, where roles precede formats.
fn mx(before: &str) -> bool {
    ["mx", "qkv", "qe", "kv", "o"].iter().any(|role| before.ends_with(role))
}

/// `FP8rowwise`, and the output role of `QkvE4m3OBfloat16H64`.
fn row(after: &str) -> bool {
    ["rowwise", "ob", "h", "oe"].iter().any(|word| after.starts_with(word))
}

/// AMD Tensile names its data type after the index letters: `Cijk_Alik_Bljk_BBS_BH` multiplies BF16, `HHS` FP16,
/// `S...` FP32, `D...` FP64, `I8...` INT8, `F8...` FP8.
fn tensile(name: &str) -> Option<Dtype> {
    let code = name.strip_prefix("Cijk_")?.split('_').nth(2)?;
    let codes = [
        ("F8", Dtype::Fp8),
        ("I8", Dtype::Int8),
        ("B", Dtype::Bf16),
        ("H", Dtype::Fp16),
        ("S", Dtype::Fp32),
        ("D", Dtype::Fp64),
    ];
    codes.iter().find(|(start, _)| code.starts_with(start)).map(|&(_, dtype)| dtype)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_from_names() {
        for (name, expected) in [
            ("void flashinfer::norm::RMSNormKernel<8u, __nv_bfloat16>(int)", Some(Dtype::Bf16)),
            (
                "void vllm::scaled_fp8_quant_kernel_strided<c10::BFloat16, c10::Float8_e4m3fn>(P)",
                Some(Dtype::Fp8),
            ),
            (
                "void vllm::reshape_and_cache_flash_kernel<__nv_bfloat16, unsigned char, (vllm::Fp8KVCacheDataType)1>(P)",
                Some(Dtype::Bf16),
            ),
            ("_matmul_ogs_NNT_bf16xbf16xmxfp4_128x128x128x1", Some(Dtype::Fp4)),
            ("bmm_Bfloat16_MxE2m1MxE4m3_Fp32_t128x16x256u2_s3", Some(Dtype::Fp4)),
            ("fmhaSm100aKernel_QkvE4m3OBfloat16H64PagedKvCausal", Some(Dtype::Fp8)),
            ("sm80_xmma_fprop_implicit_gemm_tf32f32_tf32f32_f32_nhwckrsc_nhwc", Some(Dtype::Tf32)),
            ("sm90_xmma_gemm_bf16bf16_bf16f32_f32_tn_n_tilesize128x128x64", Some(Dtype::Bf16)),
            ("sm80_xmma_gemm_f32f32_f32f32_f32_tn", Some(Dtype::Fp32)),
            (
                "void cutlass::Kernel2<cutlass_80_tensorop_bf16_s16816gemm_bf16_256x128_64x3_tn_align2>(P)",
                Some(Dtype::Bf16),
            ),
            ("Cijk_Alik_Bljk_BBS_BH_Bias_HA_S_SAV_UserArgs_MT128x256x32", Some(Dtype::Bf16)),
            ("Cijk_Alik_Bljk_HHS_BH_MT128x256x32", Some(Dtype::Fp16)),
            ("ampere_sgemm_128x128_tn", Some(Dtype::Fp32)),
            ("void deep_gemm::sm90_fp8_gemm_1d2d_impl<1>(P)", Some(Dtype::Fp8)),
            ("ncclDevKernel_AllReduce_Sum_bf16_RING_LL(X)", Some(Dtype::Bf16)),
            ("void cublasLt::splitKreduce_kernel<32, 16, int, float, __nv_bfloat16>(P)", Some(Dtype::Fp32)),
            (
                "_ZN5aiter24add_rmsnorm_quant_kernelIDF16bDF16bLi256ELi16ELb0ELb0ELb1ELi1EEEvPT0_PT_PfS4_S4_S4_diiiiiiib",
                Some(Dtype::Bf16),
            ),
            ("void f<c10::Half, float>(int)", Some(Dtype::Fp16)),
            ("void f<float4, 2>(int)", None),
            ("nvjet_tst_128x256_64x4_2x1_v_bz_coopA_TNN", None),
            ("fused_moe_kernel", None),
            ("halfway_kernel", None),
        ] {
            assert_eq!(dtype(name), expected, "{name}");
        }
    }
}
