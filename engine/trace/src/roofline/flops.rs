//! Floating-point operations and least bytes of operators that multiply matrices: products, attention, convolution.
//!
//! An operator has a formula only if its name fixes the meaning of its inputs. A paged cache hides the length of its
//! keys, so attention over one has none.

use super::shape::{Inputs, Tensor, product};
use super::{Cost, Dtype, Missing, bytes};

/// How an operator multiplies two of its inputs.
struct Product {
    op: &'static str,
    /// Index of the left matrix.
    left: usize,
    /// Index of the right matrix.
    right: usize,
    /// Whether the right one is stored as rows of outputs, as weights of `linear` are.
    transposed: bool,
    /// Index of what is added to the result.
    added: Option<usize>,
}

const fn plain(op: &'static str) -> Product {
    Product { op, left: 0, right: 1, transposed: false, added: None }
}

const PRODUCTS: [Product; 17] = [
    plain("aten::mm"),
    plain("aten::bmm"),
    plain("aten::matmul"),
    plain("aten::mv"),
    plain("aten::_int_mm"),
    plain("aten::_scaled_mm"),
    Product { left: 1, right: 2, added: Some(0), ..plain("aten::addmm") },
    Product { left: 1, right: 2, added: Some(0), ..plain("aten::_addmm_activation") },
    Product { left: 1, right: 2, added: Some(0), ..plain("aten::baddbmm") },
    Product { left: 1, right: 2, added: Some(0), ..plain("aten::addmv") },
    Product { transposed: true, added: Some(2), ..plain("aten::linear") },
    Product { transposed: true, added: Some(2), ..plain("vllm::rocm_unquantized_gemm") },
    Product { transposed: true, added: Some(2), ..plain("aiter::gemm_a16w16") },
    plain("sgl_kernel::fp8_scaled_mm"),
    plain("sgl_kernel::int8_scaled_mm"),
    plain("sgl_kernel::fp8_blockwise_scaled_mm"),
    Product { left: 1, right: 2, ..plain("_C::cutlass_scaled_mm") },
];

/// What an operator must do at least, from its recorded inputs.
///
/// # Errors
/// Why there is no answer.
pub fn cost(op: &str, inputs: &Inputs) -> Result<Cost, Missing> {
    if let Some(kind) = PRODUCTS.iter().find(|kind| kind.op == op) {
        return matrices(kind, inputs);
    }
    if let Some(kind) = ATTENTION.iter().find(|kind| kind.op == op) {
        return attention(kind, inputs);
    }
    if let Some(kind) = CONVOLUTIONS.iter().find(|kind| kind.op == op) {
        return convolution(kind, inputs);
    }
    bytes::cost(op, inputs)
}

/// Bytes of one number of a result whose inputs have this format: products of 8 bits and less give 16.
fn result_bytes(dtype: Dtype) -> u64 {
    match dtype {
        Dtype::Fp64 => 8,
        Dtype::Fp32 | Dtype::Tf32 => 4,
        Dtype::Bf16 | Dtype::Fp16 | Dtype::Fp8 | Dtype::Int8 | Dtype::Fp4 => 2,
    }
}

/// The format two tensors share.
fn format(left: &Tensor, right: &Tensor) -> Result<Dtype, Missing> {
    let dtype = left.element.dtype.ok_or(Missing::UnknownType)?;
    (right.element.dtype == Some(dtype)).then_some(dtype).ok_or(Missing::UnknownType)
}

fn matrices(kind: &Product, inputs: &Inputs) -> Result<Cost, Missing> {
    let left = inputs.sized(kind.left).ok_or(Missing::UnknownShape)?;
    let right = inputs.sized(kind.right).ok_or(Missing::UnknownShape)?;
    let dtype = format(left, right)?;
    let count = || {
        let (inner, left_outer) = left.dims.split_last()?;
        let (rows, left_batch) = left_outer.split_last().map_or((1, &[][..]), |(rows, batch)| (*rows, batch));
        let (right_inner, columns, right_batch) = match right.dims[..] {
            [single] => (single, 1, &[][..]),
            [ref batch @ .., columns, inner] if kind.transposed => (inner, columns, batch),
            [ref batch @ .., inner, columns] => (inner, columns, batch),
            [] => return None,
        };
        let batch = product(&broadcast(left_batch, right_batch)?)?;
        if *inner != right_inner {
            return None;
        }
        let out = product(&[batch, rows, columns])?;
        let flops = product(&[2, out, *inner, left.element.packed])?;
        let added = kind.added.and_then(|index| inputs.sized(index)).map_or(Some(0), Tensor::bytes)?;
        let result = out.checked_mul(result_bytes(dtype))?;
        let bytes = sum(&[left.bytes()?, right.bytes()?, added, result])?;
        Some((flops, bytes))
    };
    let (flops, bytes) = count().ok_or(Missing::UnknownShape)?;
    Ok(Cost { flops, bytes, dtype: Some(dtype), product: true, assumption: None })
}

fn sum(parts: &[u64]) -> Option<u64> {
    parts.iter().try_fold(0u64, |all, &part| all.checked_add(part))
}

/// Sizes of both after broadcasting; `None` where they do not fit.
pub(super) fn broadcast(left: &[u64], right: &[u64]) -> Option<Vec<u64>> {
    let rank = left.len().max(right.len());
    let at =
        |dims: &[u64], place: usize| (place + dims.len()).checked_sub(rank).map_or(1, |index| dims[index]);
    (0..rank)
        .map(|place| match (at(left, place), at(right, place)) {
            (same, other) if same == other => Some(same),
            (1, other) | (other, 1) => Some(other),
            _ => None,
        })
        .collect()
}

/// Where an operator keeps the parts of attention.
struct Attention {
    op: &'static str,
    /// Whether a head's tokens lie together (`[batch, heads, tokens, size]`), or a token's heads.
    heads_first: bool,
    /// Index of the flag that masks what comes later.
    causal: Option<usize>,
    /// Inputs that must be absent: lengths of sequences of different length, masks of another form.
    absent: &'static [usize],
}

const fn sdpa(op: &'static str, causal: usize) -> Attention {
    Attention { op, heads_first: true, causal: Some(causal), absent: &[] }
}

const ATTENTION: [Attention; 9] = [
    sdpa("aten::scaled_dot_product_attention", 5),
    sdpa("aten::_scaled_dot_product_flash_attention", 4),
    sdpa("aten::_scaled_dot_product_efficient_attention", 6),
    sdpa("aten::_scaled_dot_product_cudnn_attention", 6),
    sdpa("aten::_scaled_dot_product_attention_math", 5),
    Attention { op: "aten::_flash_attention_forward", heads_first: false, causal: Some(8), absent: &[3, 4] },
    Attention {
        op: "aten::_efficient_attention_forward",
        heads_first: false,
        causal: Some(9),
        absent: &[4, 5],
    },
    Attention { op: "aten::_cudnn_attention_forward", heads_first: true, causal: Some(10), absent: &[4, 5] },
    Attention { op: "flash_attn::_flash_attn_forward", heads_first: false, causal: Some(5), absent: &[] },
];

const HALF: &str =
    "causal attention assumed: queries see only what comes before them, about half of the pairs";
const WHOLE: &str = "attention without a causal mask assumed: queries and keys differ in number";

/// Pairs of a query and a key it sees, of one head of one sequence. With a causal mask the last query sees all keys.
pub fn pairs(queries: u64, keys: u64, causal: bool) -> Option<u64> {
    let all = queries.checked_mul(keys)?;
    if !causal {
        return Some(all);
    }
    if queries > keys {
        return product(&[keys, keys + 1]).map(|twice| twice / 2);
    }
    Some(all - queries.checked_mul(queries.saturating_sub(1))? / 2)
}

fn attention(kind: &Attention, inputs: &Inputs) -> Result<Cost, Missing> {
    if kind.absent.iter().any(|&index| inputs.sized(index).is_some()) {
        return Err(Missing::UnknownShape);
    }
    let part = |index| inputs.sized(index).ok_or(Missing::UnknownShape);
    let (query, key, value) = (part(0)?, part(1)?, part(2)?);
    let dtype = format(query, key)?;
    let parts = |tensor: &Tensor| match tensor.dims[..] {
        [batch, heads, tokens, size] if kind.heads_first => Some([batch, heads, tokens, size]),
        [batch, tokens, heads, size] => Some([batch, heads, tokens, size]),
        _ => None,
    };
    let recorded = kind.causal.and_then(|index| inputs.flag(index));
    let count = || {
        let [batch, heads, queries, size] = parts(query)?;
        let [key_batch, _, keys, key_size] = parts(key)?;
        let [_, _, value_keys, value_size] = parts(value)?;
        if key_batch != batch || key_size != size || value_keys != keys {
            return None;
        }
        let causal = recorded.unwrap_or(queries == keys && queries > 1);
        // Scores and values: one product over the size of a head each.
        let flops =
            product(&[2, batch, heads, pairs(queries, keys, causal)?, size.checked_add(value_size)?])?;
        let result = product(&[batch, heads, queries, value_size, query.element.bytes])?;
        let assumption = match recorded {
            None if causal => Some(HALF),
            None if queries > 1 => Some(WHOLE),
            _ => None,
        };
        Some((flops, sum(&[query.bytes()?, key.bytes()?, value.bytes()?, result])?, assumption))
    };
    let (flops, bytes, assumption) = count().ok_or(Missing::UnknownShape)?;
    Ok(Cost { flops, bytes, dtype: Some(dtype), product: false, assumption })
}

/// Where an operator keeps the numbers of a convolution.
struct Convolution {
    op: &'static str,
    padding: usize,
    stride: usize,
    dilation: usize,
    /// Index of the flag for a transposed convolution, which has no formula here.
    transposed: Option<usize>,
}

const CONVOLUTIONS: [Convolution; 4] = [
    Convolution { op: "aten::convolution", stride: 3, padding: 4, dilation: 5, transposed: Some(6) },
    Convolution { op: "aten::_convolution", stride: 3, padding: 4, dilation: 5, transposed: Some(6) },
    Convolution { op: "aten::cudnn_convolution", padding: 2, stride: 3, dilation: 4, transposed: None },
    Convolution { op: "aten::miopen_convolution", padding: 3, stride: 4, dilation: 5, transposed: None },
];

fn convolution(kind: &Convolution, inputs: &Inputs) -> Result<Cost, Missing> {
    let input = inputs.sized(0).ok_or(Missing::UnknownShape)?;
    let weight = inputs.sized(1).ok_or(Missing::UnknownShape)?;
    let dtype = format(input, weight)?;
    if kind.transposed.is_some_and(|index| inputs.flag(index) != Some(false)) {
        return Err(Missing::UnknownShape);
    }
    let count = || {
        let (&[images, _, ref size @ ..], &[outputs, channels, ref window @ ..]) =
            (&input.dims[..], &weight.dims[..])
        else {
            return None;
        };
        let lists = [kind.padding, kind.stride, kind.dilation].map(|index| inputs.list(index));
        let [Some(padding), Some(stride), Some(dilation)] = lists else { return None };
        if window.len() != size.len()
            || [&padding, &stride, &dilation].iter().any(|list| list.len() != size.len())
        {
            return None;
        }
        let mut out = product(&[images, outputs])?;
        for place in 0..size.len() {
            let reach = dilation[place].checked_mul(window[place].checked_sub(1)?)?.checked_add(1)?;
            let padded = padding[place].checked_mul(2)?.checked_add(size[place])?;
            let steps = padded.checked_sub(reach)?.checked_div(stride[place])?;
            out = out.checked_mul(steps.checked_add(1)?)?;
        }
        let flops = product(&[2, out, channels, product(window)?])?;
        Some((flops, sum(&[input.bytes()?, weight.bytes()?, out.checked_mul(input.element.bytes)?])?))
    };
    let (flops, bytes) = count().ok_or(Missing::UnknownShape)?;
    Ok(Cost { flops, bytes, dtype: Some(dtype), product: false, assumption: None })
}

#[cfg(test)]
mod tests {
    use super::{broadcast, cost, pairs};
    use crate::roofline::shape::Inputs;
    use crate::roofline::{Dtype, Missing};

    fn of(op: &str, dims: &str, element: &str, values: &str) -> Result<(u64, u64), Missing> {
        let count = serde_json::from_str::<Vec<serde_json::Value>>(dims).unwrap().len();
        let types = serde_json::to_string(&vec![element; count]).unwrap();
        cost(op, &Inputs::parse(dims, &types, values).unwrap()).map(|cost| (cost.flops, cost.bytes))
    }

    const BF16: &str = "c10::BFloat16";

    #[test]
    fn products_count_two_for_each_multiplication() {
        assert_eq!(of("aten::mm", "[[3, 5], [5, 7]]", BF16, ""), Ok((210, 2 * (15 + 35 + 21))));
        assert_eq!(of("aten::mv", "[[3, 5], [5]]", "float", ""), Ok((30, 4 * (15 + 5 + 3))));
        assert_eq!(of("aten::bmm", "[[2, 3, 5], [2, 5, 7]]", BF16, ""), Ok((420, 2 * (30 + 70 + 42))));
        assert_eq!(
            of("aten::addmm", "[[7], [3, 5], [5, 7], [], []]", BF16, ""),
            Ok((210, 2 * (7 + 15 + 35 + 21)))
        );
        assert_eq!(
            of("aten::linear", "[[2, 3, 5], [7, 5], [7]]", BF16, ""),
            Ok((420, 2 * (30 + 35 + 7 + 42)))
        );
        assert_eq!(of("aten::linear", "[[3, 5], [7, 5], []]", BF16, ""), Ok((210, 2 * (15 + 35 + 21))));
        // Three inputs: the third is where the result goes, and is not moved twice.
        assert_eq!(of("aten::mm", "[[3, 5], [5, 7], [3, 7]]", BF16, ""), Ok((210, 2 * (15 + 35 + 21))));
        assert_eq!(of("aten::matmul", "[[4, 1, 3, 5], [2, 5, 7]]", BF16, "").unwrap().0, 2 * 8 * 105);
    }

    #[test]
    fn narrow_types_are_counted_as_stored() {
        // 8 bits in, 16 out.
        let scaled = "[[16, 64], [64, 32], [], []]";
        assert_eq!(
            of("aten::_scaled_mm", scaled, "c10::Float8_e4m3fn", ""),
            Ok((65_536, 1024 + 2048 + 1024))
        );
        // Two numbers of 4 bits in a byte: 64 bytes are 128 numbers.
        let packed = of("aten::_scaled_mm", scaled, "c10::Float4_e2m1fn_x2", "").unwrap();
        assert_eq!(packed, (131_072, 1024 + 2048 + 1024));
    }

    #[test]
    fn what_does_not_fit_has_no_cost() {
        assert_eq!(of("aten::mm", "[[3, 5], [4, 7]]", BF16, ""), Err(Missing::UnknownShape));
        assert_eq!(of("aten::mm", "[[3, 5]]", BF16, ""), Err(Missing::UnknownShape));
        assert_eq!(of("aten::bmm", "[[2, 3, 5], [3, 5, 7]]", BF16, ""), Err(Missing::UnknownShape));
        assert_eq!(of("aten::mm", "[[3, 5], [5, 7]]", "long int", ""), Err(Missing::UnknownType));
        assert_eq!(of("vllm::moe_forward", "[[3, 5], [5, 7]]", BF16, ""), Err(Missing::UnknownOp));
        let mixed = Inputs::parse("[[3, 5], [5, 7]]", r#"["c10::BFloat16", "signed char"]"#, "").unwrap();
        assert_eq!(cost("aten::mm", &mixed), Err(Missing::UnknownType));
        assert_eq!(
            of("aten::mm", "[[4294967296, 4294967296], [4294967296, 9]]", BF16, ""),
            Err(Missing::UnknownShape)
        );
        assert_eq!(broadcast(&[2, 3], &[2]), None);
    }

    #[test]
    fn attention_has_both_lengths() {
        // Qwen1.5-0.5B on an H100, as recorded: 16 sequences, 16 heads of 64, 559 tokens, causal.
        let heads_first = "[[16, 16, 559, 64], [16, 16, 559, 64], [16, 16, 559, 64], [], [], [], []]";
        let values = r#"["", "", "", "0.", "True", "False", "0.125"]"#;
        let seen = 559 * 560 / 2;
        let flops = 4 * 16 * 16 * seen * 64;
        let op = "aten::_scaled_dot_product_flash_attention";
        assert_eq!(of(op, heads_first, BF16, values), Ok((flops, 4 * 16 * 16 * 559 * 64 * 2)));
        let all = of(op, heads_first, BF16, &values.replace("True", "False")).unwrap();
        assert_eq!(all.0, 4 * 16 * 16 * 559 * 559 * 64);
        // The same one level down, tokens first.
        let tokens_first =
            "[[16, 559, 16, 64], [16, 559, 16, 64], [16, 559, 16, 64], [], [], [], [], [], []]";
        let values = r#"["", "", "", "", "", "559", "559", "0.", "True"]"#;
        assert_eq!(of("aten::_flash_attention_forward", tokens_first, BF16, values).unwrap().0, flops);
    }

    #[test]
    fn an_assumed_mask_is_marked() {
        let types = vec![BF16; 3];
        let with = |dims: &str| {
            let inputs = Inputs::parse(dims, &serde_json::to_string(&types).unwrap(), "").unwrap();
            cost("aten::scaled_dot_product_attention", &inputs).unwrap()
        };
        let prefill = with("[[1, 2, 8, 4], [1, 2, 8, 4], [1, 2, 8, 4]]");
        assert_eq!((prefill.flops, prefill.dtype), (4 * 2 * 36 * 4, Some(Dtype::Bf16)));
        assert!(prefill.assumption.unwrap().contains("about half"));
        let decode = with("[[1, 2, 1, 4], [1, 1, 8, 4], [1, 1, 8, 4]]");
        assert_eq!((decode.flops, decode.assumption), (4 * 2 * 8 * 4, None));
    }

    #[test]
    fn sequences_of_different_length_have_no_cost() {
        let dims = "[[1, 559, 16, 64], [1, 559, 16, 64], [1, 559, 16, 64], [17], [17]]";
        assert_eq!(of("aten::_flash_attention_forward", dims, BF16, ""), Err(Missing::UnknownShape));
        let packed = "[[559, 16, 64], [559, 16, 64], [559, 16, 64]]";
        assert_eq!(of("aten::_flash_attention_forward", packed, BF16, ""), Err(Missing::UnknownShape));
    }

    #[test]
    fn pairs_of_a_continued_sequence_count_all_that_came_before() {
        assert_eq!(pairs(4, 4, true), Some(10));
        assert_eq!(pairs(2, 4, true), Some(3 + 4));
        assert_eq!(pairs(1, 4, true), Some(4));
        assert_eq!(pairs(4, 2, true), Some(3));
        assert_eq!(pairs(4, 4, false), Some(16));
    }

    #[test]
    fn convolutions_need_stride_and_padding() {
        // AlexNet's first: 64 filters of 11x11 over 3x224x224, stride 4, padding 2: 55x55 places.
        let dims = "[[8, 3, 224, 224], [64, 3, 11, 11], [64], [], [], [], [], [], []]";
        let values = r#"["", "", "", "[4, 4]", "[2, 2]", "[1, 1]", "False", "[0, 0]", "1"]"#;
        let flops = 2 * 8 * 64 * 55 * 55 * 3 * 121;
        let bytes = 4 * (8 * 3 * 224 * 224 + 64 * 3 * 121 + 8 * 64 * 55 * 55);
        assert_eq!(of("aten::convolution", dims, "float", values), Ok((flops, bytes)));
        assert_eq!(of("aten::convolution", dims, "float", ""), Err(Missing::UnknownShape));
        let zero = values.replace("[4, 4]", "[0, 0]");
        assert_eq!(of("aten::convolution", dims, "float", &zero), Err(Missing::UnknownShape));
        let transposed = values.replace("False", "True");
        assert_eq!(of("aten::convolution", dims, "float", &transposed), Err(Missing::UnknownShape));
    }
}
