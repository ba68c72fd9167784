//! Least bytes of operators that are bound by memory: copies, elementwise work, norms, softmax, activations, gathers.
//!
//! Their arithmetic is not counted: it never limits them, and it is no part of a model's FLOPs.

use super::flops::broadcast;
use super::shape::{Inputs, Tensor, product};
use super::{Cost, Missing};

/// How the bytes of an operator follow from its inputs.
#[derive(Clone, Copy)]
enum Traffic {
    /// Every tensor is read or written once, the results among them.
    Each,
    /// Tensors are read once; a result of the broadcast size and the widest type is written.
    AndResult,
    /// The first is read and a result of its size written; the others (weights) are read.
    AndFirst,
    /// The first two are read and written; the others are read.
    TwoInPlace,
    /// The first is written.
    Fill,
    /// Rows of the first, one for each number of the second, are read and written.
    Gather,
}

/// Operators by their traffic. Names end in `_` where they write their first input; that moves the same bytes.
const OPERATORS: [(Traffic, &[&str]); 6] = [
    (
        Traffic::Each,
        &[
            "aten::copy_",
            "sgl_kernel::rmsnorm",
            "sgl_kernel::gemma_rmsnorm",
            "sgl_kernel::silu_and_mul",
            "sgl_kernel::gelu_and_mul",
            "sgl_kernel::gelu_tanh_and_mul",
            "_C::rms_norm",
            "_C::silu_and_mul",
            "_C::gelu_and_mul",
            "_C::gelu_tanh_and_mul",
            "aiter::rmsnorm",
            "aiter::add_rmsnorm",
        ],
    ),
    (
        Traffic::AndResult,
        &[
            "aten::add",
            "aten::sub",
            "aten::mul",
            "aten::div",
            "aten::maximum",
            "aten::minimum",
            "aten::pow",
            "aten::neg",
            "aten::abs",
            "aten::exp",
            "aten::log",
            "aten::sqrt",
            "aten::rsqrt",
            "aten::reciprocal",
            "aten::sin",
            "aten::cos",
            "aten::tanh",
            "aten::sigmoid",
            "aten::silu",
            "aten::gelu",
            "aten::relu",
            "aten::clamp",
            "aten::masked_fill",
        ],
    ),
    (
        Traffic::AndFirst,
        &[
            "aten::_softmax",
            "aten::_log_softmax",
            "aten::native_layer_norm",
            "aten::rms_norm",
            "aten::_fused_rms_norm",
            "aten::native_group_norm",
        ],
    ),
    (
        Traffic::TwoInPlace,
        &["sgl_kernel::fused_add_rmsnorm", "sgl_kernel::gemma_fused_add_rmsnorm", "_C::fused_add_rms_norm"],
    ),
    (Traffic::Fill, &["aten::fill_", "aten::zero_"]),
    (Traffic::Gather, &["aten::embedding"]),
];

const TABLE_ROWS: &str = "each row of the embedding counted once for each token, at most the whole table";

/// What a memory-bound operator must do at least.
///
/// # Errors
/// [`Missing::UnknownOp`] without a formula, [`Missing::UnknownShape`] where its inputs do not fit it.
pub fn cost(op: &str, inputs: &Inputs) -> Result<Cost, Missing> {
    let traffic =
        |name: &str| OPERATORS.iter().find(|(_, names)| names.contains(&name)).map(|&(traffic, _)| traffic);
    let in_place =
        || op.strip_suffix('_').and_then(traffic).filter(|kind| matches!(kind, Traffic::AndResult));
    let traffic = traffic(op).or_else(in_place).ok_or(Missing::UnknownOp)?;
    let bytes = moved(traffic, inputs).ok_or(Missing::UnknownShape)?;
    let assumption = matches!(traffic, Traffic::Gather).then_some(TABLE_ROWS);
    Ok(Cost { flops: 0, bytes, dtype: None, product: false, assumption })
}

fn moved(traffic: Traffic, inputs: &Inputs) -> Option<u64> {
    let first = inputs.tensor(0)?;
    let all = total(inputs)?;
    match traffic {
        Traffic::Each => Some(all),
        Traffic::AndResult => all.checked_add(result(inputs)?),
        Traffic::AndFirst => all.checked_add(first.bytes()?),
        Traffic::TwoInPlace => all.checked_add(first.bytes()?)?.checked_add(inputs.tensor(1)?.bytes()?),
        Traffic::Fill => first.bytes(),
        Traffic::Gather => {
            let (rows, indices) = (first.dims.first()?, inputs.tensor(1)?);
            // Numbers that can be an index: whole ones of 32 or 64 bits.
            if indices.element.dtype.is_some() || indices.element.bytes < 4 {
                return None;
            }
            let row = product(&first.dims[1..])?.checked_mul(first.element.bytes)?;
            let read = indices.count()?.min(*rows).checked_mul(row)?;
            indices.count()?.checked_mul(row)?.checked_add(read)?.checked_add(indices.bytes()?)
        }
    }
}

/// Bytes of all tensors.
fn total(inputs: &Inputs) -> Option<u64> {
    inputs.tensors.iter().flatten().try_fold(0u64, |all, tensor| all.checked_add(tensor.bytes()?))
}

/// Bytes of the result of an elementwise operator.
fn result(inputs: &Inputs) -> Option<u64> {
    let mut dims = Vec::new();
    for tensor in inputs.tensors.iter().flatten() {
        dims = broadcast(&dims, &tensor.dims)?;
    }
    // A single number (a scalar as tensor, of type double) widens nothing.
    let sized = |tensor: &&Tensor| !tensor.dims.is_empty();
    let widest = inputs.tensors.iter().flatten().filter(sized).map(|tensor| tensor.element.bytes).max()?;
    product(&dims)?.checked_mul(widest)
}

#[cfg(test)]
mod tests {
    use crate::roofline::Missing;
    use crate::roofline::flops::cost;
    use crate::roofline::shape::Inputs;

    fn bytes(op: &str, dims: &str, types: &[&str]) -> Result<u64, Missing> {
        let inputs = Inputs::parse(dims, &serde_json::to_string(types).unwrap(), "").unwrap();
        cost(op, &inputs).map(|cost| {
            assert_eq!((cost.flops, cost.dtype), (0, None));
            cost.bytes
        })
    }

    const B: &str = "c10::BFloat16";

    #[test]
    fn least_bytes_by_hand() {
        let norm = "[[888, 2880], [888, 2880], [2880], []]";
        assert_eq!(bytes("_C::rms_norm", norm, &[B, B, B, "Scalar"]), Ok(2 * (2 * 888 * 2880 + 2880)));
        assert_eq!(
            bytes("_C::fused_add_rms_norm", norm, &[B, B, B, "Scalar"]),
            Ok(2 * (4 * 888 * 2880 + 2880))
        );
        assert_eq!(
            bytes("aten::copy_", "[[559], [559], []]", &["float", "long int", "Scalar"]),
            Ok(559 * 12)
        );
        assert_eq!(bytes("aten::add", "[[8, 5], [5], []]", &[B, B, "Scalar"]), Ok(2 * (40 + 5 + 40)));
        assert_eq!(bytes("aten::add_", "[[8, 5], [5], []]", &[B, B, "Scalar"]), Ok(2 * (40 + 5 + 40)));
        assert_eq!(bytes("aten::mul", "[[8, 5], []]", &[B, "double"]), Ok(2 * 80 + 8));
        assert_eq!(bytes("sgl_kernel::silu_and_mul", "[[4, 6], [4, 12]]", &[B, B]), Ok(2 * (24 + 48)));
        assert_eq!(bytes("aten::_softmax", "[[4, 6], [], []]", &["float", "Scalar", "Scalar"]), Ok(4 * 48));
        assert_eq!(bytes("aten::fill_", "[[16], []]", &["long int", "Scalar"]), Ok(128));
    }

    #[test]
    fn an_embedding_is_a_gather_and_no_product() {
        let types = [B, "long int", "Scalar"];
        // 3 tokens of 10 rows: 3 rows read, 3 written, 3 indices.
        assert_eq!(bytes("aten::embedding", "[[10, 4], [3], []]", &types), Ok(2 * 12 + 2 * 12 + 24));
        // More tokens than rows: no more than the table is read.
        assert_eq!(bytes("aten::embedding", "[[10, 4], [20], []]", &types), Ok(2 * 40 + 2 * 80 + 160));
    }

    #[test]
    fn what_has_no_formula_is_not_guessed() {
        assert_eq!(bytes("aten::cat", "[[8, 5]]", &[B]), Err(Missing::UnknownOp));
        assert_eq!(bytes("aten::copy__", "[[8, 5]]", &[B]), Err(Missing::UnknownOp));
        assert_eq!(bytes("aten::add", "[[8, 5], [4]]", &[B, B]), Err(Missing::UnknownShape));
        assert_eq!(bytes("aten::embedding", "[[10, 4]]", &[B]), Err(Missing::UnknownShape));
        assert_eq!(bytes("aten::embedding", "[[10, 4], [3]]", &[B, B]), Err(Missing::UnknownShape));
    }
}
