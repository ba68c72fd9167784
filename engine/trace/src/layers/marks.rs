//! Where a layer begins, by what its kernels do: the norm before the part that mixes tokens.
//!
//! A sequence that repeats has no beginning of its own: the first layer often lacks what the others begin with (a norm
//! without a residual has another name), and the last norm of the model looks like the beginning of one layer more.
//! Decoders of today normalise before each half (pre-norm), so a layer begins with the first norm after the
//! feed-forward part of the one before (B15).

use super::{feeds_forward, mixes_tokens};
use crate::name::Category;

/// First norms before token-mixing kernels, ascending; empty where names do not tell.
pub fn starts(categories: &[Category]) -> Vec<usize> {
    let mut found = Vec::new();
    // First norm since the last feed-forward kernel.
    let mut norm = None;
    for (place, &category) in categories.iter().enumerate() {
        if feeds_forward(category) {
            norm = None;
        } else if category == Category::Norm {
            norm = norm.or(Some(place));
        } else if mixes_tokens(category)
            && let Some(start) = norm
            && found.last() != Some(&start)
        {
            found.push(start);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::starts;
    use crate::name::Category::{
        Activation, Attention, Communication, Elementwise, Gemm, HybridLinear, Moe, Norm,
    };

    #[test]
    fn b15_a_layer_begins_at_its_norm() {
        let layer =
            [Norm, Gemm, Norm, Attention, Attention, Activation, Gemm, Norm, Gemm, Moe, Activation, Moe];
        let mut pass = vec![Elementwise];
        pass.extend(layer.repeat(3));
        pass.extend([Norm, Gemm]);
        assert_eq!(starts(&pass), [1, 13, 25]);
    }

    #[test]
    fn layers_of_several_kinds() {
        let pass = [
            [Norm, HybridLinear, Gemm, Norm, Moe, Communication].as_slice(),
            &[Norm, Gemm, Attention, Gemm, Norm, Moe, Communication],
            &[Norm, HybridLinear, Gemm, Norm, Activation, Gemm],
        ];
        assert_eq!(starts(&pass.concat()), [0, 6, 13]);
    }

    #[test]
    fn names_that_do_not_tell() {
        assert!(starts(&[Gemm, Elementwise, Gemm]).is_empty());
        assert!(starts(&[]).is_empty());
    }
}
