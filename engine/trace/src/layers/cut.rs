//! A pass cut into layers by the names of its kernels.

use super::period::{self, Run};
use super::{marks, mixes_tokens};
use crate::name::Category;
use std::collections::HashMap;
use std::ops::Range;

/// Layers of a sequence of kernels.
#[derive(Debug, Clone, PartialEq)]
pub struct Cut {
    /// Where each lies, ascending and apart from each other.
    pub layers: Vec<Range<usize>>,
    /// Share of the kernels from the first to the last layer that lie in layers whose sequence of names occurs at least
    /// twice, in percent.
    pub explained: f64,
}

/// Cuts by the smallest period of `tokens`; `None` where nothing repeats. `categories` is as long as `tokens`.
pub fn by_period(tokens: &[u32], categories: &[Category]) -> Option<Cut> {
    let run = period::longest(tokens)?;
    let marks =
        by_marks(&run, categories).filter(|marks| !starts_and_ends_with_layers(&run, categories, marks));
    let starts = marks.unwrap_or_else(|| by_run(&run, categories));
    let starts = past_foreign_heads(tokens, categories, starts);
    let layers = with_ends(tokens, categories, &starts, run.period);
    Some(Cut { explained: explained(tokens, &layers), layers })
}

/// Beginnings by what kernels do, if they repeat as the names do.
fn by_marks(run: &Run, categories: &[Category]) -> Option<Vec<usize>> {
    let starts = marks::starts(categories);
    let within = |start: &&usize| run.at.contains(*start);
    let followed = |start: &&usize| **start + 2 * run.period <= run.at.end;
    let periodic = starts
        .iter()
        .filter(within)
        .filter(followed)
        .all(|start| starts.binary_search(&(start + run.period)).is_ok());
    let units = run.at.len() / run.period;
    let enough = starts.iter().filter(within).count() + 1 >= units;
    (periodic && enough && !starts.is_empty()).then_some(starts)
}

/// Whether a stretch is whole layers and nothing else: then where it begins says more than what kernels are called,
/// unless a norm of another name before it belongs to the first layer, or a unit has several layers.
fn starts_and_ends_with_layers(run: &Run, categories: &[Category], marks: &[usize]) -> bool {
    let units = run.at.len() / run.period;
    let before = run.at.start.checked_sub(1).map(|place| categories[place]);
    run.at.len().is_multiple_of(run.period)
        && before != Some(Category::Norm)
        && marks.iter().filter(|mark| run.at.contains(mark)).count() <= units
}

/// Beginnings by the period alone.
fn by_run(run: &Run, categories: &[Category]) -> Vec<usize> {
    let period = run.period;
    let norm = |place: usize| categories.get(place) == Some(&Category::Norm);
    let spare = run.at.len() % period;
    let first = run.at.start;
    let first = match (first..=first + spare).find(|&place| norm(place)) {
        Some(place) => place,
        // The first norm has no residual to add and so another name than the others, among them the model's last.
        None if first > 0 && norm(first - 1) && norm(first - 1 + period) => first - 1,
        None => first,
    };
    (first..).step_by(period).take_while(|start| start + period <= run.at.end).collect()
}

/// Moves beginnings of segments that occur once past what does not belong to a layer: norms of an embedding, or the
/// last norm of a pass with all that follows up to the first layer of a second pass within one step.
fn past_foreign_heads(tokens: &[u32], categories: &[Category], starts: Vec<usize>) -> Vec<usize> {
    let counts = sequences(tokens, &segments(&starts, tokens.len()));
    let move_on = |place: usize| {
        let start = starts[place];
        let end = starts.get(place + 1).copied().unwrap_or(tokens.len());
        // The next layer that is like others shows what follows the norm.
        let model = starts[place + 1..].iter().enumerate().find_map(|(later, &start)| {
            let end = starts.get(place + 2 + later).copied().unwrap_or(tokens.len());
            (counts[&tokens[start..end]] > 1).then_some(start)
        });
        let Some(model) = model.filter(|_| counts[&tokens[start..end]] == 1) else { return start };
        let mixing = (start..end).find(|&at| mixes_tokens(categories[at])).unwrap_or(end);
        let like =
            |at: &usize| categories[*at] == Category::Norm && tokens.get(at + 1) == tokens.get(model + 1);
        (start..mixing).rev().find(like).unwrap_or(start)
    };
    (0..starts.len()).map(move_on).collect()
}

fn segments(starts: &[usize], len: usize) -> Vec<Range<usize>> {
    let end = |place: usize| starts.get(place + 1).copied().unwrap_or(len);
    (0..starts.len()).map(|place| starts[place]..end(place)).collect()
}

fn sequences<'t>(tokens: &'t [u32], ranges: &[Range<usize>]) -> HashMap<&'t [u32], usize> {
    let mut counts = HashMap::new();
    for range in ranges {
        *counts.entry(&tokens[range.clone()]).or_default() += 1;
    }
    counts
}

/// Ends of layers: the next beginning, except where a known kind of layer ends before.
fn with_ends(tokens: &[u32], categories: &[Category], starts: &[usize], period: usize) -> Vec<Range<usize>> {
    let segments = segments(starts, tokens.len());
    let inner = &segments[..segments.len().saturating_sub(1)];
    let counts = sequences(tokens, inner);
    // Kinds in the order of their last appearance, nearest to the end first.
    let mut kinds: Vec<Range<usize>> = Vec::new();
    for segment in inner.iter().rev() {
        let known = kinds.iter().any(|kind| tokens[kind.clone()] == tokens[segment.clone()]);
        if !known && counts[&tokens[segment.clone()]] > 1 {
            kinds.push(segment.clone());
        }
    }
    let last = segments.len().saturating_sub(1);
    let of = |(place, segment): (usize, &Range<usize>)| {
        if place != last && counts[&tokens[segment.clone()]] > 1 {
            return segment.clone();
        }
        let kind = kinds
            .iter()
            .find(|kind| begins_with(tokens, segment, kind))
            .or_else(|| kinds.iter().find(|kind| begins_with(categories, segment, kind)));
        let length = match kind {
            Some(kind) => kind.len(),
            None if place != last => segment.len(),
            None => kinds.first().map_or(period, |kind| kind.len()),
        };
        segment.start..segment.end.min(segment.start + length)
    };
    segments.iter().enumerate().map(of).collect()
}

/// Whether `segment` begins as the whole of `kind`, its first element aside.
fn begins_with<T: PartialEq>(all: &[T], segment: &Range<usize>, kind: &Range<usize>) -> bool {
    segment.len() >= kind.len()
        && all[kind.start + 1..kind.end] == all[segment.start + 1..segment.start + kind.len()]
}

/// See [`Cut::explained`].
pub fn explained(tokens: &[u32], layers: &[Range<usize>]) -> f64 {
    let (Some(first), Some(last)) = (layers.first(), layers.last()) else { return 0.0 };
    let counts = sequences(tokens, layers);
    let repeated = layers.iter().filter(|layer| counts[&tokens[(*layer).clone()]] > 1);
    repeated.map(|layer| layer.len()).sum::<usize>() as f64 * 100.0 / (last.end - first.start) as f64
}

#[cfg(test)]
mod tests {
    use super::by_period;
    use crate::name::Category::{
        self, Activation, Attention, Communication, Elementwise, Gemm, Moe, Norm, Other,
    };

    /// A sequence from letters; upper and lower case are two kernels of one category.
    fn pass(text: &str) -> (Vec<u32>, Vec<Category>) {
        let category = |letter: char| match letter.to_ascii_lowercase() {
            'n' => Norm,
            'g' | 'q' | 'o' => Gemm,
            'a' | 's' => Attention,
            'm' => Moe,
            'x' => Activation,
            'c' => Communication,
            'e' => Elementwise,
            _ => Other,
        };
        (text.chars().map(u32::from).collect(), text.chars().map(category).collect())
    }

    fn cut(text: &str) -> Vec<String> {
        let (tokens, categories) = pass(text);
        let cut = by_period(&tokens, &categories);
        cut.map(|cut| cut.layers.into_iter().map(|range| text[range].to_owned()).collect())
            .unwrap_or_default()
    }

    #[test]
    fn b15_first_norm_of_another_name_and_a_last_norm_like_the_others() {
        let text = format!("e{}{}ngzz", "Nqaongxgc", "nqaongxgc".repeat(5));
        let layers = cut(&text);
        assert_eq!((layers.len(), layers[0].as_str(), layers[5].as_str()), (6, "Nqaongxgc", "nqaongxgc"));
        // The same of a model whose kernels nobody knows.
        let text = format!("e{}{}nzz", "Ntuvnwt", "ntuvnwt".repeat(5));
        assert_eq!(cut(&text), [vec!["Ntuvnwt"], vec!["ntuvnwt"; 5]].concat());
    }

    #[test]
    fn dense_layers_before_layers_of_experts() {
        let text = format!("ee{}{}Ngzz", "nqaocngxgc".repeat(3), "nqaocngmmMc".repeat(20));
        let layers = cut(&text);
        assert_eq!(layers.len(), 23);
        assert!(layers[..3].iter().all(|layer| layer == "nqaocngxgc"), "{layers:?}");
        assert!(layers[3..].iter().all(|layer| layer == "nqaocngmmMc"), "{layers:?}");
    }

    #[test]
    fn b13_two_kinds_of_attention_are_two_layers() {
        let text = format!("e{}Ngz", "nqaongmmcnqsongmmc".repeat(12));
        let layers = cut(&text);
        assert_eq!(layers, ["nqaongmmc", "nqsongmmc"].repeat(12));
    }

    #[test]
    fn a_layer_that_differs_is_still_a_layer() {
        let text = format!("e{}{}{}Nz", "nqaongmmc".repeat(7), "nqaoungmmc", "nqaongmmc".repeat(9));
        let layers = cut(&text);
        assert_eq!((layers.len(), layers[7].as_str()), (17, "nqaoungmmc"));
    }

    #[test]
    fn two_forwards_in_one_step() {
        let once = format!("ez{}Nvt", "nqaongmmc".repeat(6));
        let layers = cut(&once.repeat(2));
        assert_eq!(layers, ["nqaongmmc"; 12]);
    }

    #[test]
    fn nothing_that_repeats() {
        assert!(cut("abcdefghijk").is_empty());
        assert!(cut("").is_empty());
    }
}
