//! The figures of one sample.

use assay_stats::{mean, percentile, stddev};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How percentiles are taken: exactly, from all values.
pub const METHOD: &str = "all values kept; percentiles by linear interpolation between the two neighbours of rank \
                          p/100 * (n - 1) (definition 7 of Hyndman and Fan, the default of NumPy)";

/// The figures of one sample, in its unit. Percentiles are exact: nothing is sketched or sampled. Between two values they
/// interpolate linearly at rank p/100 * (n - 1), as NumPy does.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Distribution {
    /// Number of values.
    pub n: u64,
    /// Arithmetic mean.
    pub mean: f64,
    /// Sample standard deviation, with `n - 1` in the denominator; left out for a single value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub std: Option<f64>,
    /// Median, the 50th percentile.
    pub p50: f64,
    /// 90th percentile.
    pub p90: f64,
    /// 95th percentile.
    pub p95: f64,
    /// 99th percentile. Below about 1,000 values it says little about the next run.
    pub p99: f64,
    /// Largest value.
    pub max: f64,
}

impl Distribution {
    /// The figures of `values` in any order; `None` without a value or with one that is not finite.
    pub fn of(mut values: Vec<f64>) -> Option<Self> {
        // Sorted once here, so that the sort inside each percentile finds one run.
        values.sort_unstable_by(f64::total_cmp);
        Some(Self {
            n: values.len() as u64,
            mean: mean(&values)?,
            std: stddev(&values),
            p50: percentile(&values, 50.0)?,
            p90: percentile(&values, 90.0)?,
            p95: percentile(&values, 95.0)?,
            p99: percentile(&values, 99.0)?,
            max: percentile(&values, 100.0)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_value_has_no_spread_and_none_has_nothing() {
        let one = Distribution::of(vec![7.0]).expect("one value");
        assert_eq!((one.n, one.mean, one.std, one.p50, one.p99, one.max), (1, 7.0, None, 7.0, 7.0, 7.0));
        assert_eq!(Distribution::of(Vec::new()), None);
        assert_eq!(Distribution::of(vec![1.0, f64::NAN]), None);
    }

    #[test]
    fn a_known_sample() {
        let found = Distribution::of((0..=100).rev().map(f64::from).collect()).expect("values");
        assert_eq!((found.p50, found.p90, found.p95, found.p99, found.max), (50.0, 90.0, 95.0, 99.0, 100.0));
        assert_eq!((found.n, found.mean), (101, 50.0));
    }
}
