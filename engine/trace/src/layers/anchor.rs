//! Layers by kernels that the caller names.
//!
//! The anchor says how many layers there are and roughly where; a layer still begins at its first kernel, not at the
//! anchor (B15).

use super::cut::{self, Cut};
use super::{LayerError, is_all_reduce, marks};
use crate::name::Category;
use std::ops::Range;

/// A kernel that occurs a fixed number of times in each layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Anchor {
    /// Part of its name, of any case. `AllReduce` means every all-reduce, those of engines' own too (B14).
    pub substring: String,
    /// How often it occurs in a layer; worked out where it is absent.
    pub per_layer: Option<u32>,
}

impl Anchor {
    /// Whether a kernel of this name is the anchor.
    pub fn matches(&self, name: &str) -> bool {
        let wanted = self.substring.to_ascii_lowercase();
        let any_all_reduce = matches!(wanted.as_str(), "allreduce" | "all_reduce" | "all-reduce");
        (any_all_reduce && is_all_reduce(name)) || name.to_ascii_lowercase().contains(&wanted)
    }
}

/// The kernels of one pass.
pub struct Kernels<'p> {
    /// Number of the pass, for messages.
    pub pass: usize,
    /// Names.
    pub tokens: &'p [u32],
    /// What they are.
    pub categories: &'p [Category],
    /// Where the anchor is among them, ascending and not empty.
    pub anchors: Vec<usize>,
}

/// Cuts a pass; `layers` is the expected number.
pub fn cut(kernels: &Kernels<'_>, anchor: &Anchor, layers: Option<u32>) -> Result<Cut, LayerError> {
    let by_period = cut::by_period(kernels.tokens, kernels.categories);
    let starts = match &by_period {
        Some(cut) => cut.layers.iter().map(|layer| layer.start).collect(),
        None => marks::starts(kernels.categories),
    };
    let per_layer = per_layer(kernels, anchor, layers, &starts, by_period.as_ref())?;
    let anchors = fitting(kernels, anchor, layers, per_layer, &starts)?;
    let layers = ranges(&anchors, per_layer as usize, &starts, kernels.tokens.len());
    Ok(Cut { explained: cut::explained(kernels.tokens, &layers), layers })
}

fn per_layer(
    kernels: &Kernels<'_>,
    anchor: &Anchor,
    layers: Option<u32>,
    starts: &[usize],
    by_period: Option<&Cut>,
) -> Result<u32, LayerError> {
    let found = kernels.anchors.len();
    let unknown =
        || LayerError::AnchorsPerLayer { anchor: anchor.substring.clone(), pass: kernels.pass, found };
    if let Some(given) = anchor.per_layer {
        return Some(given).filter(|&given| given > 0).ok_or_else(unknown);
    }
    if let Some(layers) = layers.filter(|&layers| layers > 0) {
        let inside = found - leading(&kernels.anchors, starts);
        let whole = [found, inside].into_iter().find(|count| *count > 0 && count % layers as usize == 0);
        return Ok(whole.map_or(1, |count| (count / layers as usize) as u32));
    }
    // The first layer may differ from the others.
    let layer = by_period.and_then(|cut| cut.layers.get(1)).ok_or_else(unknown)?;
    let within = kernels.anchors.iter().filter(|place| layer.contains(place)).count() as u32;
    Some(within).filter(|&within| within > 0).ok_or_else(unknown)
}

/// Anchors before the first layer: the embedding of a tensor-parallel model ends with an all-reduce too.
fn leading(anchors: &[usize], starts: &[usize]) -> usize {
    starts.first().map_or(0, |first| anchors.partition_point(|place| place < first))
}

/// The anchors that lie in layers.
fn fitting(
    kernels: &Kernels<'_>,
    anchor: &Anchor,
    layers: Option<u32>,
    per_layer: u32,
    starts: &[usize],
) -> Result<Vec<usize>, LayerError> {
    let found = kernels.anchors.len();
    let fits = |count: usize| match layers {
        Some(layers) => count == layers as usize * per_layer as usize,
        None => count > 0 && count.is_multiple_of(per_layer as usize),
    };
    let leading = leading(&kernels.anchors, starts);
    if fits(found) {
        Ok(kernels.anchors.clone())
    } else if fits(found - leading) {
        Ok(kernels.anchors[leading..].to_vec())
    } else {
        let layers = layers.unwrap_or((found / per_layer as usize) as u32);
        Err(LayerError::AnchorCount {
            anchor: anchor.substring.clone(),
            pass: kernels.pass,
            found,
            layers,
            per_layer,
        })
    }
}

fn ranges(anchors: &[usize], per_layer: usize, starts: &[usize], len: usize) -> Vec<Range<usize>> {
    let groups: Vec<&[usize]> = anchors.chunks(per_layer).collect();
    let (first, last) = (|group: usize| groups[group][0], |group: usize| groups[group][per_layer - 1]);
    let mark = |from: usize, to: usize| starts.iter().copied().find(|&start| from <= start && start <= to);
    let mut begins: Vec<usize> = (1..groups.len())
        .map(|group| mark(last(group - 1) + 1, first(group)).unwrap_or(last(group - 1) + 1))
        .collect();
    // What a later layer does before its first anchor the first layer does too.
    let lead = begins.first().map_or(first(0), |begin| first(1) - begin);
    begins.insert(0, mark(0, first(0)).unwrap_or(first(0) - lead.min(first(0))));
    let tail = begins.get(1).map_or(0, |begin| begin - last(0) - 1);
    let end = (last(groups.len() - 1) + 1 + tail).min(len);
    (0..begins.len()).map(|layer| begins[layer]..begins.get(layer + 1).copied().unwrap_or(end)).collect()
}

#[cfg(test)]
mod tests {
    use super::{Anchor, Kernels, cut};
    use crate::layers::LayerError;
    use crate::name::Category::{self, Attention, Communication, Gemm, Norm, Other};

    fn run(text: &str, per_layer: Option<u32>, layers: Option<u32>) -> Result<Vec<String>, LayerError> {
        let category = |letter: char| match letter {
            'n' => Norm,
            'g' => Gemm,
            'a' => Attention,
            'c' => Communication,
            'm' => Category::Moe,
            _ => Other,
        };
        let tokens: Vec<u32> = text.chars().map(u32::from).collect();
        let categories: Vec<Category> = text.chars().map(category).collect();
        let anchors = text.char_indices().filter(|(_, letter)| *letter == 'c').map(|(at, _)| at).collect();
        let kernels = Kernels { pass: 0, tokens: &tokens, categories: &categories, anchors };
        let anchor = Anchor { substring: "AllReduce".into(), per_layer };
        cut(&kernels, &anchor, layers)
            .map(|cut| cut.layers.into_iter().map(|range| text[range].to_owned()).collect())
    }

    #[test]
    fn b14_all_reduces_of_every_name_are_one_anchor() {
        let anchor = Anchor { substring: "AllReduce".into(), per_layer: None };
        for name in [
            "ncclDevKernel_AllReduce_Sum_bf16_RING_LL(ncclDevKernelArgsStorage<4096ul>)",
            "void sglang::cross_device_reduce_1stage<__nv_bfloat16, 8>(sglang::RankData*)",
            "void (anonymous namespace)::multimem_all_reduce_kernel<c10::BFloat16, 16>()",
            "void flashinfer::trtllm_allreduce_fusion::allreduce_fusion_kernel_oneshot_lamport<1>()",
        ] {
            assert!(anchor.matches(name), "{name}");
        }
        assert!(!anchor.matches("void at::native::reduce_kernel<512, 1>()"));
        assert!(!anchor.matches("ncclDevKernel_AllGather_RING_LL(ncclDevKernelArgsStorage<4096ul>)"));
    }

    #[test]
    fn b14_two_all_reduces_are_one_layer() {
        let text = format!("e{}ngz", "ngagcngmgc".repeat(6));
        assert_eq!(run(&text, None, None), Ok(vec!["ngagcngmgc".into(); 6]));
        assert_eq!(run(&text, None, Some(6)), Ok(vec!["ngagcngmgc".into(); 6]));
        assert_eq!(run(&text, Some(2), Some(6)), Ok(vec!["ngagcngmgc".into(); 6]));
        // The embedding's all-reduce is no layer's.
        assert_eq!(run(&format!("ec{}", &text[1..]), None, Some(6)), Ok(vec!["ngagcngmgc".into(); 6]));
    }

    #[test]
    fn b15_layers_begin_at_their_first_kernel_and_the_last_one_ends_before_the_head() {
        // Nothing but the anchor is known; it is in the middle of a layer.
        let text = format!("e{}yz", "uvcw".repeat(4));
        let layers = run(&text, Some(1), Some(4)).expect("layers");
        assert_eq!(layers.len(), 4);
        assert!(!layers[3].contains('y'), "{layers:?}");
        // Attention is known too.
        let text = format!("e{}yz", "ngcamg".repeat(4));
        assert_eq!(
            run(&text, Some(1), Some(4)),
            Ok(vec!["ngcamg".into(), "ngcamg".into(), "ngcamg".into(), "ngcamg".into()])
        );
    }

    #[test]
    fn b14_a_count_that_does_not_fit_is_an_error() {
        let text = format!("e{}", "ngagcngmgc".repeat(6));
        let error = run(&text, Some(2), Some(7)).expect_err("an error");
        assert_eq!(
            error.to_string(),
            "anchor `AllReduce` occurs 12 times in pass 0, which does not fit 7 layers with 2 per layer; name another \
             anchor, or give the number per layer"
        );
    }
}
