//! Values in bins that grow with them, for plots and files.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Bins of one histogram, at most: with more, an outlier would make files large.
const MOST: usize = 400;

/// Counts in bins of equal ratio. The sum of `counts` and `zero` is the number of values.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Histogram {
    /// Edges of the bins, ascending, in the unit of the values; one more than `counts`, or empty without a value above 0.
    pub edges: Vec<f64>,
    /// Values in each bin: from its lower edge on, below its upper edge.
    pub counts: Vec<u64>,
    /// Values that are 0, which no bin of equal ratio can hold.
    pub zero: u64,
}

impl Histogram {
    /// Number of values.
    pub fn n(&self) -> u64 {
        self.zero + self.counts.iter().sum::<u64>()
    }
}

/// `values` (0 or above) in bins of `per_decade` to each factor of 10, with edges at powers of 10. Values that are negative
/// or not finite are left out; there are fewer bins to a decade where there would be more than 400.
pub fn histogram(values: &[f64], per_decade: u32) -> Histogram {
    let above = || values.iter().copied().filter(|value| *value > 0.0 && value.is_finite());
    let zero = values.iter().filter(|value| **value == 0.0).count() as u64;
    let (low, high) = above().fold((f64::INFINITY, 0.0_f64), |(low, high), v| (low.min(v), high.max(v)));
    if high == 0.0 {
        return Histogram { zero, ..Histogram::default() };
    }
    let mut per_decade = per_decade.max(1);
    let decades = (high.log10() - low.log10()).ceil() + 2.0;
    while per_decade > 1 && decades * f64::from(per_decade) > MOST as f64 {
        per_decade -= 1;
    }
    let bin = |value: f64| (value.log10() * f64::from(per_decade)).floor() as i64;
    let edge = |index: i64| 10_f64.powf(index as f64 / f64::from(per_decade));
    // One bin more at each end, because a logarithm may round to the wrong side of an edge.
    let edges: Vec<f64> = (bin(low) - 1..=bin(high) + 2).map(edge).collect();
    let mut counts = vec![0; edges.len() - 1];
    for value in above() {
        let at = edges.partition_point(|edge| *edge <= value);
        counts[at.saturating_sub(1).min(edges.len() - 2)] += 1;
    }
    let first = counts.iter().position(|count| *count > 0).unwrap_or(0);
    let last = counts.iter().rposition(|count| *count > 0).unwrap_or(0);
    Histogram { edges: edges[first..=last + 1].to_vec(), counts: counts[first..=last].to_vec(), zero }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_edge_belongs_to_the_bin_above_it() {
        let found = histogram(&[0.0, 1.0, 9.99, 10.0, 99.0], 1);
        assert_eq!(found, Histogram { edges: vec![1.0, 10.0, 100.0], counts: vec![2, 2], zero: 1 });
    }

    #[test]
    fn only_zeros_or_nothing_give_no_bin() {
        assert_eq!(histogram(&[], 10), Histogram::default());
        assert_eq!(histogram(&[0.0, 0.0], 10), Histogram { zero: 2, ..Histogram::default() });
    }

    #[test]
    fn a_wild_range_keeps_the_number_of_bins_in_bounds() {
        let found = histogram(&[1e-300, 1e300], 20);
        assert_eq!(found.n(), 2);
        assert!(found.counts.len() <= 700, "{}", found.counts.len());
    }
}
