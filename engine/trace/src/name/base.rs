//! What a kernel is called, without return type, parameters, template arguments and launch wrappers.
//!
//! This module takes names apart; it must not judge what they mean.

use super::canonical::collapse;
use super::demangle::demangle;
use super::scan::{depths, split, template};

/// Wrappers inside wrappers: `device_kernel<enable_sm90_or_later<X>>` has two.
const MOST_WRAPPERS: usize = 8;

/// A kernel's own name with what stood around it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Base {
    /// The last part of the qualified name: `RMSNormKernel`.
    pub name: String,
    /// The namespaces and enclosing types before it, outermost first, without template arguments: `flashinfer`, `norm`.
    pub namespaces: Vec<String>,
    /// The text between the outermost `<` and `>` of the name; empty without one.
    pub arguments: String,
}

/// Takes a kernel name apart: demangles `_Z...`, drops return type, parameters and template arguments, and looks through
/// the wrappers in which libraries launch a kernel that is a type: `cutlass::device_kernel<X>`, `cutlass::Kernel<X>`,
/// `cutlass::Kernel2<X>`, `ck_tile::kentry<..., X, ...>`, `flash::enable_sm90_or_later<X>`,
/// `std::enable_if<...>::type X`.
pub fn base(name: &str) -> Base {
    let text = readable(name);
    let mut found = qualified(&text);
    for _ in 0..MOST_WRAPPERS {
        let Some(inner) = wrapped(&found) else { break };
        found = qualified(&inner);
    }
    found
}

/// Demangled, on one line, with a spelling of the anonymous namespace that has neither space nor bracket.
fn readable(name: &str) -> String {
    let text = demangle(&collapse(name));
    let text = text.replace("(anonymous namespace)", ANONYMOUS);
    match text.find(" [clone ") {
        Some(at) => text[..at].to_owned(),
        None => text,
    }
}

const ANONYMOUS: &str = "`anonymous`";

/// Splits a function's or type's full name. Parameters and return type go only where the text looks like C++, so
/// `Memcpy DtoD (Device -> Device)` stays `Memcpy DtoD`.
pub(super) fn qualified(text: &str) -> Base {
    let places = depths(text);
    let bracket = places.iter().find(|place| {
        place.byte == b'(' && place.depth == 0 && place.at > 0 && !text[..place.at].ends_with("operator")
    });
    let head = bracket.map_or(text, |place| &text[..place.at]);
    let function = bracket.is_some() && !head.ends_with(' ') || text.starts_with("void ");
    let whole = head.trim();
    let path = if function { split(whole, " ").pop().unwrap_or(whole) } else { whole };
    let mut parts = split(path, "::");
    let last = parts.pop().unwrap_or(path);
    let (name, arguments) = template(last);
    if name.is_empty() {
        return Base { name: text.to_owned(), ..Base::default() };
    }
    let namespaces = parts
        .into_iter()
        .map(|part| template(part).0)
        .filter(|part| !part.is_empty() && *part != ANONYMOUS && !part.starts_with('{'))
        .map(str::to_owned)
        .collect();
    Base { name: name.to_owned(), namespaces, arguments: arguments.to_owned() }
}

/// The type that a launch wrapper runs; nothing when `base` is a kernel itself.
fn wrapped(base: &Base) -> Option<String> {
    let outer = base.namespaces.first().map_or("", String::as_str);
    let wrapper = match base.name.as_str() {
        // `cutlass_cudnn_train` and friends are copies of CUTLASS under another name.
        "device_kernel" | "Kernel" | "Kernel2" => outer.starts_with("cutlass"),
        "kentry" => outer == "ck_tile",
        "trampoline_kernel" => outer == "rocprim",
        name => name.starts_with("enable_sm"),
    };
    if !wrapper {
        return None;
    }
    first_type(&base.arguments).map(str::to_owned)
}

/// The first template argument that is a type: neither number nor truth value nor a GPU's architecture.
pub(super) fn first_type(arguments: &str) -> Option<&str> {
    split(arguments, ",").into_iter().find(|argument| {
        argument.starts_with(|c: char| c.is_alphabetic() || c == '_')
            && !matches!(*argument, "true" | "false")
            && !argument.starts_with("ck_tile::gfx")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(name: &str) -> (String, String) {
        let base = base(name);
        (base.name, base.namespaces.join("::"))
    }

    #[test]
    fn plain_functions() {
        for (name, expected, namespaces) in [
            (
                "void flashinfer::norm::RMSNormKernel<8u, __nv_bfloat16>(__nv_bfloat16*, float)",
                "RMSNormKernel",
                "flashinfer::norm",
            ),
            ("void flashinfer::norm::RMSNormKernel<8u, __nv_bfloat16>", "RMSNormKernel", "flashinfer::norm"),
            ("fused_moe_kernel", "fused_moe_kernel", ""),
            (
                "ncclDevKernel_AllGather_RING_LL(ncclDevKernelArgsStorage<4096ul>)",
                "ncclDevKernel_AllGather_RING_LL",
                "",
            ),
            (
                "void (anonymous namespace)::fused_qknorm_warp<128l, true>((anonymous namespace)::QKNormParams)",
                "fused_qknorm_warp",
                "",
            ),
            (
                "void at::native::(anonymous namespace)::cunn_SoftMaxForward<4, float>(float*, int)",
                "cunn_SoftMaxForward",
                "at::native",
            ),
            ("Memcpy DtoD (Device -> Device)", "Memcpy DtoD", ""),
            ("void f<g(int)::{lambda()#1}, 2>(int) [clone .kd]", "f", ""),
            (
                "_ZN5aiter24add_rmsnorm_quant_kernelIDF16bDF16bLi256ELi16ELb0ELb0ELb1ELi1EEEvPT0_PT_PfS4_S4_S4_diiiiiiib",
                "add_rmsnorm_quant_kernel",
                "aiter",
            ),
            ("", "", ""),
        ] {
            assert_eq!(parts(name), (expected.to_owned(), namespaces.to_owned()), "{name}");
        }
    }

    #[test]
    fn wrappers_are_looked_through() {
        for (name, expected, namespaces) in [
            (
                "void cutlass::device_kernel<flash::enable_sm90_or_later<flash::FlashAttnFwdSm90<flash::Main<2>, X> > >(Y::Params)",
                "FlashAttnFwdSm90",
                "flash",
            ),
            (
                "void cutlass::device_kernel<flash::FlashAttnFwdCombine<cute::tuple<cute::C<8> >, 6> >(flash::CombineParams)",
                "FlashAttnFwdCombine",
                "flash",
            ),
            (
                "void cutlass::Kernel2<cutlass_80_tensorop_bf16_s16816gemm_bf16_256x128_64x3_tn_align2>(x::Params)",
                "cutlass_80_tensorop_bf16_s16816gemm_bf16_256x128_64x3_tn_align2",
                "",
            ),
            (
                "void cutlass_cudnn_train::Kernel<cutlass_cudnn_train::reduction::kernel::ReduceSplitK<int> >(P)",
                "ReduceSplitK",
                "cutlass_cudnn_train::reduction::kernel",
            ),
            (
                "_ZN7ck_tile6kentryILi2ENS_38FmhaBatchPrefillWithPagedKVCacheKernelINS_40Block",
                "FmhaBatchPrefillWithPagedKVCacheKernel",
                "",
            ),
            (
                "void ck_tile::kentry<256, 2, ck_tile::FmhaFwdKernel<int>, int>(int)",
                "FmhaFwdKernel",
                "ck_tile",
            ),
            (
                "std::enable_if<(((8)>(0)))&&vllm::_typeConvert<c10::BFloat16>::exists, void>::type vllm::fused_add_rms_norm_kernel<c10::BFloat16, 8>(c10::BFloat16*, int)",
                "fused_add_rms_norm_kernel",
                "vllm",
            ),
            (
                "std::enable_if<!(false), void>::type internal::gemvx::kernel<int, float>(float)",
                "kernel",
                "internal::gemvx",
            ),
        ] {
            assert_eq!(parts(name), (expected.to_owned(), namespaces.to_owned()), "{name}");
        }
    }

    #[test]
    fn template_arguments_are_kept_apart() {
        let base = base("void a::b<1, c<d>>(int)");
        assert_eq!((base.name.as_str(), base.arguments.as_str()), ("b", "1, c<d>"));
        assert_eq!(first_type("1, true, x::y<z>"), Some("x::y<z>"));
        assert_eq!(first_type("1, (int)2"), None);
    }

    #[test]
    fn damaged_names_give_a_name_all_the_same() {
        for name in
            ["<", "(", "void ", "::", "a::", "void (x)", "f<", "cutlass::Kernel<>", "_Z", "ü::ß<é>(à)"]
        {
            assert!(!base(name).name.is_empty(), "{name}");
        }
    }
}
