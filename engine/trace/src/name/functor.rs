//! The operation inside ATen's generic element-by-element kernels.
//!
//! `vectorized_elementwise_kernel<4, silu_kernel(...)::{lambda...}>` says what it does only in its template argument.

use super::base::{Base, first_type, qualified};
use super::scan::split;

/// Generic launchers whose first type argument is the operation.
const LAUNCHERS: &[&str] = &[
    "elementwise_kernel",
    "elementwise_kernel_manual_unroll",
    "index_elementwise_kernel",
    "reduce_kernel",
    "unrolled_elementwise_kernel",
    "vectorized_elementwise_kernel",
];

/// Adapters around the operation; the operation is their last type argument, or the first for `gpu_...`.
const ADAPTERS: &[&str] = &["AUnaryFunctor", "BUnaryFunctor", "BinaryFunctor"];
const IMPLEMENTATIONS: &[&str] =
    &["gpu_index_kernel", "gpu_kernel_impl", "gpu_kernel_impl_nocast", "gpu_kernel_with_index"];

/// The operation that a generic ATen kernel applies: `silu_kernel`, `FillFunctor`, `MulFunctor`.
pub(super) fn functor(base: &Base) -> Option<Base> {
    if !LAUNCHERS.contains(&base.name.as_str()) {
        return None;
    }
    let mut found = qualified(first_type(&base.arguments)?);
    for _ in 0..3 {
        let inner = if IMPLEMENTATIONS.contains(&found.name.as_str()) {
            first_type(&found.arguments).map(qualified)
        } else if ADAPTERS.contains(&found.name.as_str()) {
            split(&found.arguments, ",").pop().filter(|last| !last.is_empty()).map(qualified)
        } else {
            None
        };
        match inner {
            Some(inner) => found = inner,
            None => break,
        }
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::super::base::base;
    use super::*;

    #[test]
    fn finds_the_operation() {
        for (name, expected) in [
            (
                "void at::native::vectorized_elementwise_kernel<4, at::native::(anonymous namespace)::silu_kernel(at::TensorIteratorBase&)::{lambda()#1}::operator()() const, std::array<char*, 2ul> >(int)",
                "silu_kernel",
            ),
            (
                "void at::native::elementwise_kernel<128, 2, at::native::gpu_kernel_impl<at::native::BUnaryFunctor<float, float, float, at::native::binary_internal::MulFunctor<float> > >(at::T&)::{lambda(int)#1}>(int)",
                "MulFunctor",
            ),
            (
                "void at::native::elementwise_kernel<128, 4, at::native::gpu_kernel_impl_nocast<at::native::direct_copy_kernel_cuda(at::TensorIteratorBase&)::{lambda()#3}::operator()() const>(at::T&)::{lambda(int)#1}>(int)",
                "direct_copy_kernel_cuda",
            ),
            (
                "void at::native::vectorized_elementwise_kernel<4, at::native::FillFunctor<int>, std::array<char*, 1ul> >(int)",
                "FillFunctor",
            ),
            ("void at::native::reduce_kernel<512, 1, at::native::ReduceOp<float, X> >(Y)", "ReduceOp"),
        ] {
            assert_eq!(functor(&base(name)).map(|found| found.name).as_deref(), Some(expected), "{name}");
        }
        assert_eq!(functor(&base("void foo<bar>(int)")), None);
    }
}
