//! Short names for tables.
//!
//! For eyes only: two kernels may share a short name, so nothing is ever counted by it.

use super::base::{Base, base};
use super::functor::functor;

/// Namespaces that say which library a kernel belongs to; all others are noise in a table.
const LIBRARIES: &[&str] = &["cublasLt", "deep_ep", "deep_gemm", "moe"];

/// Ends that every kernel could have. `_tilelang` stays on the anchor by which layers are found.
const SUFFIXES: &[&str] = &["_kernel", "_impl", "_tilelang"];
const ANCHOR: &str = "mhc_post_tilelang";

/// The short form of a kernel name: its own name after at most one namespace, without launch wrappers, common suffixes
/// and NCCL's boilerplate; generic ATen kernels show their operation: `vectorized_elementwise<silu>`.
pub fn display(name: &str) -> String {
    let base = base(name);
    let mut short = match nccl(&base.name) {
        Some(short) => short,
        None => prefixed(&base),
    };
    if let Some(inner) = functor(&base) {
        short = format!("{short}<{}>", trimmed(&inner.name));
    }
    short
}

/// [`display`] in at most `limit` characters: what is too long loses its middle to `…`.
pub fn display_within(name: &str, limit: usize) -> String {
    let short = display(name);
    let count = short.chars().count();
    if count <= limit {
        return short;
    }
    let Some(room) = limit.checked_sub(1) else { return String::new() };
    let tail = room / 2;
    let head: String = short.chars().take(room - tail).collect();
    let end: String = short.chars().skip(count - tail).collect();
    format!("{head}…{end}")
}

fn prefixed(base: &Base) -> String {
    let library = base.namespaces.iter().find(|namespace| LIBRARIES.contains(&namespace.as_str()));
    let own = trimmed(&base.name);
    // `smxx` stands for "any architecture" and tells nothing.
    let own = own.strip_prefix("smxx_").unwrap_or(own);
    // A name such as `kernel` means something only with the namespace around it.
    let context =
        library.or_else(|| matches!(own, "kernel" | "impl").then(|| base.namespaces.last()).flatten());
    context.map_or_else(|| own.to_owned(), |context| format!("{context}::{own}"))
}

fn trimmed(name: &str) -> &str {
    let mut short = name;
    for suffix in SUFFIXES {
        if short == ANCHOR {
            break;
        }
        short = short.strip_suffix(suffix).filter(|rest| !rest.is_empty()).unwrap_or(short);
    }
    short
}

/// `ncclDevKernel_AllReduce_Sum_bf16_RING_LL` to `ncclAllReduce_bf16_RING_LL`. Only sums are silent: another reduction is
/// worth its letters.
fn nccl(name: &str) -> Option<String> {
    let rest = name.strip_prefix("ncclDevKernel_").or_else(|| name.strip_prefix("ncclKernel_"))?;
    Some(format!("nccl{}", rest.replacen("_Sum", "", 1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_names() {
        for (name, expected) in [
            (
                "void (anonymous namespace)::fused_qknorm_warp<128l, true>((anonymous namespace)::P)",
                "fused_qknorm_warp",
            ),
            ("void flashinfer::norm::RMSNormKernel<8u, __nv_bfloat16>(int)", "RMSNormKernel"),
            (
                "ncclDevKernel_AllReduce_Sum_bf16_RING_LL(ncclDevKernelArgsStorage<4096ul>)",
                "ncclAllReduce_bf16_RING_LL",
            ),
            ("ncclDevKernel_AllReduce_Max_f32_RING_LL(X)", "ncclAllReduce_Max_f32_RING_LL"),
            ("void deep_gemm::sm90_fp8_gemm_1d2d_impl<1>(P)", "deep_gemm::sm90_fp8_gemm_1d2d"),
            (
                "void sm90::decode::sparse_fp8::flash_fwd_splitkv_mla_fp8_sparse_kernel<X>(P)",
                "flash_fwd_splitkv_mla_fp8_sparse",
            ),
            ("void smxx::decode::flash_fwd_mla_combine_kernel<X>(P)", "flash_fwd_mla_combine"),
            ("void smxx::decode::get_mla_metadata_kernel(P)", "get_mla_metadata"),
            (
                "void deep_gemm::sched::smxx_paged_mqa_logits_metadata<2>(P)",
                "deep_gemm::paged_mqa_logits_metadata",
            ),
            ("mhc_pre_big_fuse_tilelang_kernel", "mhc_pre_big_fuse"),
            ("mhc_post_tilelang_kernel", "mhc_post_tilelang"),
            (
                "void cutlass::device_kernel<flash::enable_sm90_or_later<flash::FlashAttnFwdSm90<X> > >(P)",
                "FlashAttnFwdSm90",
            ),
            (
                "void at::native::vectorized_elementwise_kernel<4, at::native::(anonymous namespace)::silu_kernel(at::T&)::{lambda()#1}, X>(int)",
                "vectorized_elementwise<silu>",
            ),
            ("std::enable_if<!(false), void>::type internal::gemvx::kernel<int>(float)", "gemvx::kernel"),
            ("Memcpy DtoD (Device -> Device)", "Memcpy DtoD"),
            ("_kernel", "_kernel"),
        ] {
            assert_eq!(display(name), expected, "{name}");
        }
    }

    #[test]
    fn long_names_lose_their_middle() {
        assert_eq!(display_within("abcdefghij", 10), "abcdefghij");
        assert_eq!(display_within("abcdefghij", 5), "ab…ij");
        assert_eq!(display_within("abcdefghij", 6), "abc…ij");
        assert_eq!(display_within("äöüßéèàùâê", 3), "ä…ê");
        assert_eq!(display_within("abcdefghij", 1), "…");
        assert_eq!(display_within("abcdefghij", 0), "");
    }
}
