//! Location and spread of one sample.
//!
//! Every function here gives `None` when there are too few values or when one of them is not finite: a
//! statistic of a NaN is not a number that anything may be compared with.

use crate::distribution::binomial_half_tail_rank;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Factor from the median absolute deviation to the standard deviation of a normal distribution:
/// 1 / Phi^-1(3/4). Source: Rousseeuw and Croux, "Alternatives to the median absolute deviation", JASA 88
/// (1993), section 1.
pub const MAD_TO_SIGMA: f64 = 1.482_602_218_505_602;

fn sorted(values: &[f64]) -> Option<Vec<f64>> {
    if values.is_empty() || values.iter().any(|v| !v.is_finite()) {
        return None;
    }
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    Some(sorted)
}

fn percentile_of_sorted(sorted: &[f64], p: f64) -> f64 {
    let rank = p / 100.0 * (sorted.len() - 1) as f64;
    let below = rank.floor();
    let low = sorted[below as usize];
    let high = sorted[(below as usize + 1).min(sorted.len() - 1)];
    // Both terms keep their sign, so this cannot overflow where `high - low` would.
    let part = rank - below;
    if low == high { low } else { low * (1.0 - part) + high * part }
}

/// The `p`-th percentile (`p` from 0 to 100) of values in any order, by linear interpolation between the two
/// neighbours of rank `p/100 * (n - 1)`: definition 7 of Hyndman and Fan, "Sample quantiles in statistical
/// packages", The American Statistician 50 (1996), which is also the default of NumPy and R.
pub fn percentile(values: &[f64], p: f64) -> Option<f64> {
    if !(0.0..=100.0).contains(&p) {
        return None;
    }
    Some(percentile_of_sorted(&sorted(values)?, p))
}

/// The median: the 50th [`percentile`].
pub fn median(values: &[f64]) -> Option<f64> {
    percentile(values, 50.0)
}

/// The arithmetic mean.
pub fn mean(values: &[f64]) -> Option<f64> {
    if values.is_empty() || values.iter().any(|v| !v.is_finite()) {
        return None;
    }
    let first = values[0];
    // Summing distances from one value keeps digits when all values are large and close together.
    Some(first + values.iter().map(|v| v - first).sum::<f64>() / values.len() as f64)
}

/// The sample standard deviation, with `n - 1` in the denominator; needs two values.
pub fn stddev(values: &[f64]) -> Option<f64> {
    let mean = mean(values)?;
    let n = values.len();
    (n >= 2).then(|| (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1) as f64).sqrt())
}

/// The median absolute deviation from the median, unscaled; times [`MAD_TO_SIGMA`] it estimates a standard
/// deviation.
pub fn mad(values: &[f64]) -> Option<f64> {
    let centre = median(values)?;
    median(&values.iter().map(|v| (v - centre).abs()).collect::<Vec<_>>())
}

/// A distribution-free interval for the median at a confidence of at least `confidence`, from the order
/// statistics whose ranks come from the binomial distribution with p = 1/2. Source: Hollander, Wolfe and
/// Chicken, "Nonparametric Statistical Methods", 3rd edition, section 3.6. `None` if even the whole range of
/// the sample is not that sure: 95 % needs six values.
pub fn median_interval(values: &[f64], confidence: f64) -> Option<(f64, f64)> {
    if !(confidence > 0.0 && confidence < 1.0) {
        return None;
    }
    let sorted = sorted(values)?;
    let rank = binomial_half_tail_rank(sorted.len(), (1.0 - confidence) / 2.0)?;
    Some((sorted[rank - 1], sorted[sorted.len() - rank]))
}

/// What a report shows about one sample, in the sample's own unit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Summary {
    /// Number of values.
    pub n: usize,
    /// Median.
    pub median: f64,
    /// Lower end of the median's interval; absent with too few values.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ci_low: Option<f64>,
    /// Upper end of the median's interval; absent with too few values.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ci_high: Option<f64>,
    /// Arithmetic mean.
    pub mean: f64,
    /// Sample standard deviation; 0 for a single value.
    pub stddev: f64,
    /// Median absolute deviation, unscaled.
    pub mad: f64,
    /// Smallest value.
    pub min: f64,
    /// Largest value.
    pub max: f64,
}

impl Summary {
    /// Summarises `values`; `confidence` is that of the median's interval.
    pub fn of(values: &[f64], confidence: f64) -> Option<Self> {
        let interval = median_interval(values, confidence);
        Some(Self {
            n: values.len(),
            median: median(values)?,
            ci_low: interval.map(|(low, _)| low),
            ci_high: interval.map(|(_, high)| high),
            mean: mean(values)?,
            stddev: stddev(values).unwrap_or(0.0),
            mad: mad(values)?,
            min: percentile(values, 0.0)?,
            max: percentile(values, 100.0)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_follow_definition_7() {
        // numpy.percentile([15, 20, 35, 40, 50], [5, 30, 40, 50, 95]) gives these.
        let values = [50.0, 15.0, 40.0, 20.0, 35.0];
        for (p, expected) in
            [(0.0, 15.0), (5.0, 16.0), (30.0, 23.0), (40.0, 29.0), (50.0, 35.0), (95.0, 48.0)]
        {
            let got = percentile(&values, p).unwrap();
            assert!((got - expected).abs() < 1e-12, "p{p}: {got}");
        }
        assert_eq!(percentile(&values, 100.0), Some(50.0));
        assert_eq!(median(&[1.0, 2.0, 3.0, 4.0]), Some(2.5));
        assert_eq!(percentile(&[7.0], 99.0), Some(7.0));
    }

    #[test]
    fn nothing_comes_from_nothing_or_from_nan() {
        assert_eq!(median(&[]), None);
        assert_eq!(mean(&[1.0, f64::NAN]), None);
        assert_eq!(percentile(&[1.0, f64::INFINITY], 10.0), None);
        assert_eq!(percentile(&[1.0], 101.0), None);
        assert_eq!(percentile(&[1.0], f64::NAN), None);
        assert_eq!(stddev(&[3.0]), None);
        assert_eq!(Summary::of(&[], 0.95), None);
    }

    #[test]
    fn spread_of_known_samples() {
        let values = [2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0];
        assert_eq!(mean(&values), Some(5.0));
        assert!((stddev(&values).unwrap() - (32.0_f64 / 7.0).sqrt()).abs() < 1e-12);
        assert_eq!(mad(&[1.0, 1.0, 2.0, 2.0, 4.0, 6.0, 9.0]), Some(1.0));
        let far: Vec<f64> = [1.0, 2.0, 3.0].iter().map(|v| 1e15 + v).collect();
        assert_eq!(mean(&far), Some(1e15 + 2.0));
        assert_eq!(stddev(&far), Some(1.0));
    }

    #[test]
    fn median_interval_takes_the_tabulated_ranks() {
        // Ranks for 95 %: n = 10 gives the 2nd and 9th value, n = 20 the 6th and 15th; 5 values cannot give it.
        let values = |n: u32| (1..=n).map(f64::from).collect::<Vec<_>>();
        assert_eq!(median_interval(&values(5), 0.95), None);
        assert_eq!(median_interval(&values(6), 0.95), Some((1.0, 6.0)));
        assert_eq!(median_interval(&values(10), 0.95), Some((2.0, 9.0)));
        assert_eq!(median_interval(&values(20), 0.95), Some((6.0, 15.0)));
    }
}
