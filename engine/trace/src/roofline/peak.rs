//! The roof: how fast a GPU could do what an operator must do.

use super::gpus::Gpu;
use super::{Cost, Dtype, Missing};

/// Marks of kernels that multiply in fp8 although their inputs are wider: they quantise on their own.
const FP8_MARKS: [&str; 8] =
    ["fp8", "e4m3", "e5m2", "float8", "_f8f8", "deep_gemm", "deepgemm", "w8a8_block"];
/// Marks of kernels that share a library with those.
const NOT_FP8: [&str; 3] = ["bf16_gemm", "kv_fp8", "int8"];

/// The format a kernel multiplies in, and whether it is narrower than its inputs ("fp8-internal").
///
/// Products of fp32 run on tf32 units where the kernel's name says so; what a name does not say is not assumed.
pub fn format(cost: &Cost, kernel: &str) -> Option<(Dtype, bool)> {
    let dtype = cost.dtype?;
    if !cost.product || !matches!(dtype, Dtype::Fp32 | Dtype::Bf16 | Dtype::Fp16) {
        return Some((dtype, false));
    }
    let kernel = kernel.to_ascii_lowercase();
    if dtype == Dtype::Fp32 {
        return Some((if kernel.contains("tf32") { Dtype::Tf32 } else { dtype }, false));
    }
    let has = |marks: &[&str]| marks.iter().any(|mark| kernel.contains(mark));
    if has(&FP8_MARKS) && !has(&NOT_FP8) { Some((Dtype::Fp8, true)) } else { Some((dtype, false)) }
}

/// Least times of one call. Nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Roof {
    /// Its products at the peak of their format, in ns; 0 without products.
    pub compute_ns: f64,
    /// Its bytes at the bandwidth of memory, in ns.
    pub memory_ns: f64,
    /// Its bytes beyond what the last-level cache could have held, in ns: faster than this is impossible.
    pub uncached_ns: f64,
}

impl Roof {
    /// The least time by the roofline: the longer of both.
    pub fn ns(&self) -> f64 {
        self.compute_ns.max(self.memory_ns)
    }

    /// The least time that caches cannot explain away.
    pub fn floor_ns(&self) -> f64 {
        self.compute_ns.max(self.uncached_ns)
    }
}

/// The roof of one call on a GPU. `dtype` is [`format()`]'s.
///
/// # Errors
/// [`Missing::NoPeak`] where the GPU has no rate for the format.
pub fn roof(cost: &Cost, dtype: Option<Dtype>, gpu: &Gpu) -> Result<Roof, Missing> {
    let compute_ns = match dtype {
        Some(dtype) if cost.flops > 0 => {
            // 10^12 operations a second are 1,000 a nanosecond.
            cost.flops as f64 / (gpu.tflops.get(&dtype).ok_or(Missing::NoPeak)? * 1e3)
        }
        _ => 0.0,
    };
    let beyond_cache = (cost.bytes as f64 - gpu.cache_mb * 1e6).max(0.0);
    // 10^9 bytes a second are one byte a nanosecond.
    Ok(Roof {
        compute_ns,
        memory_ns: cost.bytes as f64 / gpu.gb_per_s,
        uncached_ns: beyond_cache / gpu.gb_per_s,
    })
}

#[cfg(test)]
mod tests {
    use super::{format, roof};
    use crate::roofline::gpus::{Gpus, Seen};
    use crate::roofline::{Cost, Dtype, Missing};

    fn product(dtype: Dtype) -> Cost {
        let size = 4096u64;
        Cost {
            flops: 2 * size.pow(3),
            bytes: 3 * 2 * size * size,
            dtype: Some(dtype),
            product: true,
            assumption: None,
        }
    }

    #[test]
    fn a_kernels_name_may_say_a_narrower_format() {
        let of = |dtype, kernel| format(&product(dtype), kernel);
        assert_eq!(of(Dtype::Bf16, "nvjet_tst_320x128_64x3"), Some((Dtype::Bf16, false)));
        assert_eq!(of(Dtype::Bf16, "void deep_gemm::fp8_gemm_kernel<7168>"), Some((Dtype::Fp8, true)));
        assert_eq!(of(Dtype::Bf16, "deep_gemm::sm90_bf16_gemm_impl"), Some((Dtype::Bf16, false)));
        assert_eq!(of(Dtype::Fp8, "sm90_xmma_gemm_e4m3bf16"), Some((Dtype::Fp8, false)));
        assert_eq!(of(Dtype::Fp32, "ampere_sgemm_128x64_tn"), Some((Dtype::Fp32, false)));
        assert_eq!(of(Dtype::Fp32, "sm80_xmma_gemm_f32f32_tf32f32_f32"), Some((Dtype::Tf32, false)));
    }

    #[test]
    fn the_roof_of_a_square_product_on_an_h200() {
        let gpu = Gpus::built_in().unwrap().named("h200", Seen::default()).unwrap();
        let cost = product(Dtype::Bf16);
        let roof_of = roof(&cost, Some(Dtype::Bf16), gpu).unwrap();
        // 137.439 GFLOP at 989.5 TFLOP/s; 100.66 MB at 4.8 TB/s; 50.66 MB of them cannot come from 50 MB of cache.
        assert!((roof_of.compute_ns - 138_897.4).abs() < 0.1, "{roof_of:?}");
        assert!((roof_of.memory_ns - 20_971.52).abs() < 0.01);
        assert!((roof_of.uncached_ns - 10_554.85).abs() < 0.01);
        assert_eq!(roof_of.ns(), roof_of.compute_ns);
        assert_eq!(roof(&cost, Some(Dtype::Fp4), gpu), Err(Missing::NoPeak));
    }
}
