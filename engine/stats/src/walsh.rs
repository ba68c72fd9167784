//! Order statistics of the Walsh averages (the means of all pairs of values) without building them.

/// Maps a double to an integer of the same order, so that bisection ends at an exact double.
fn to_ordered(value: f64) -> u64 {
    let bits = value.to_bits();
    if bits >> 63 == 1 { !bits } else { bits | (1 << 63) }
}

fn from_ordered(key: u64) -> f64 {
    f64::from_bits(if key >> 63 == 1 { key & !(1 << 63) } else { !key })
}

/// How many averages of values `i <= j` are at most `limit`. Rounding keeps averages monotone in both values,
/// so two fingers moving in opposite directions count exactly.
fn count_at_most(sorted: &[f64], limit: f64) -> usize {
    let mut count = 0;
    let mut right = sorted.len();
    for (left, &low) in sorted.iter().enumerate() {
        while right > left && (low + sorted[right - 1]) / 2.0 > limit {
            right -= 1;
        }
        if right <= left {
            break;
        }
        count += right - left;
    }
    count
}

/// The `k`-th smallest Walsh average, `k` from 1 to n(n+1)/2; `sorted` ascends, is finite and not empty.
/// Time is linear in n for each of at most 64 halvings.
pub(crate) fn walsh_average(sorted: &[f64], k: usize) -> f64 {
    let (mut low, mut high) = (to_ordered(sorted[0]), to_ordered(sorted[sorted.len() - 1]));
    while low < high {
        let middle = low + (high - low) / 2;
        if count_at_most(sorted, from_ordered(middle)) >= k { high = middle } else { low = middle + 1 }
    }
    from_ordered(low)
}

/// The Hodges-Lehmann estimate: the median of all Walsh averages. Source: Hodges and Lehmann, "Estimates of
/// location based on rank tests", Annals of Mathematical Statistics 34 (1963).
pub(crate) fn hodges_lehmann(sorted: &[f64]) -> f64 {
    let averages = sorted.len() * (sorted.len() + 1) / 2;
    let low = walsh_average(sorted, averages.div_ceil(2));
    if averages % 2 == 1 { low } else { (low + walsh_average(sorted, averages / 2 + 1)) / 2.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn equals_the_sorted_list_of_all_averages(mut values in prop::collection::vec(-5.0..5.0_f64, 1..25)) {
            values.sort_by(f64::total_cmp);
            let mut all: Vec<f64> = Vec::new();
            for (i, a) in values.iter().enumerate() {
                all.extend(values[i..].iter().map(|b| (a + b) / 2.0));
            }
            all.sort_by(f64::total_cmp);
            for (index, expected) in all.iter().enumerate() {
                prop_assert_eq!(walsh_average(&values, index + 1), *expected);
            }
        }
    }

    #[test]
    fn ties_and_signs() {
        let values = [-1.0, 0.0, 0.0, 0.0, 3.0];
        assert_eq!(walsh_average(&values, 1), -1.0);
        assert_eq!(walsh_average(&values, 15), 3.0);
        assert_eq!(hodges_lehmann(&values), 0.0);
    }
}
