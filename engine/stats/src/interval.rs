//! An estimate and an interval for the centre of log ratios.
//!
//! Two methods, chosen by the number of pairs alone, never by the values:
//!
//! * From [`SIGNED_RANK_FROM`] pairs on, the Hodges-Lehmann estimate and Tukey's interval from the Wilcoxon
//!   signed-rank test (Hollander, Wolfe and Chicken, "Nonparametric Statistical Methods", 3rd edition, section
//!   3.3). If two sides are equal and their order within a pair is random, log ratios are symmetric about 0
//!   whatever the noise looks like, so the test is exact; up to 29 % wild values cannot move the estimate far;
//!   with normal noise it needs 5 % more pairs than the mean. Nothing is resampled, so there is no seed.
//! * Below that, the mean and Student's t: ranks of so few values cannot reach a level of 5 % (five pairs) or
//!   only with the whole range of the sample, and a bootstrap covers too little.

use crate::distribution::{signed_rank_k, student_upper_quantile};
use crate::error::StatsError;
use crate::summary::{mean, stddev};
use crate::walsh::{hodges_lehmann, walsh_average};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Pairs from which the signed-rank interval is used, if it reaches the level asked for.
const SIGNED_RANK_FROM: usize = 10;
/// Below three pairs Student's interval has at most one degree of freedom and says nothing useful.
pub(crate) const FEWEST: usize = 3;

/// How an interval was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// Hodges-Lehmann estimate with the Wilcoxon signed-rank interval.
    SignedRank,
    /// Mean with Student's t interval.
    StudentT,
}

/// An estimate with its interval, in log units.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LogInterval {
    /// The estimate.
    pub estimate: f64,
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// How it was found.
    pub method: Method,
}

/// The centre of `values` with a two-sided interval that misses it with a probability of at most `alpha`
/// (0 to 1, exclusive).
///
/// # Errors
/// [`StatsError::TooFewPairs`] below three values, [`StatsError::Confidence`] for an `alpha` outside (0, 1),
/// [`StatsError::Range`] if a value is not finite.
pub fn log_interval(values: &[f64], alpha: f64) -> Result<LogInterval, StatsError> {
    if !(alpha > 0.0 && alpha < 1.0) {
        return Err(StatsError::Confidence { value: 1.0 - alpha });
    }
    if values.len() < FEWEST {
        return Err(StatsError::TooFewPairs { pairs: values.len(), needed: FEWEST });
    }
    if values.len() >= SIGNED_RANK_FROM
        && let Some(k) = signed_rank_k(values.len(), alpha / 2.0)
    {
        return signed_rank(values, k);
    }
    student(values, alpha)
}

/// As [`log_interval`], always with the mean and Student's t: for few summaries of many values each, such as the medians of
/// processes, whose spread between processes no resampling within them can see.
///
/// # Errors
/// As [`log_interval`], but two values are enough.
pub fn student_interval(values: &[f64], alpha: f64) -> Result<LogInterval, StatsError> {
    if !(alpha > 0.0 && alpha < 1.0) {
        return Err(StatsError::Confidence { value: 1.0 - alpha });
    }
    if values.len() < 2 {
        return Err(StatsError::TooFewPairs { pairs: values.len(), needed: 2 });
    }
    student(values, alpha)
}

fn signed_rank(values: &[f64], k: usize) -> Result<LogInterval, StatsError> {
    if values.iter().any(|v| !v.is_finite()) {
        return Err(StatsError::Range);
    }
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let averages = sorted.len() * (sorted.len() + 1) / 2;
    Ok(LogInterval {
        estimate: hodges_lehmann(&sorted),
        low: walsh_average(&sorted, k),
        high: walsh_average(&sorted, averages + 1 - k),
        method: Method::SignedRank,
    })
}

fn student(values: &[f64], alpha: f64) -> Result<LogInterval, StatsError> {
    let (estimate, spread) = mean(values).zip(stddev(values)).ok_or(StatsError::Range)?;
    let n = values.len();
    let reach = student_upper_quantile(alpha / 2.0, n - 1) * spread / (n as f64).sqrt();
    Ok(LogInterval { estimate, low: estimate - reach, high: estimate + reach, method: Method::StudentT })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn student_of_a_known_sample() {
        // Mean 2, standard deviation 1, n = 3: 2 +- 4.302652730 / sqrt(3).
        let got = log_interval(&[1.0, 2.0, 3.0], 0.05).unwrap();
        assert_eq!(got.method, Method::StudentT);
        assert!((got.high - (2.0 + 4.302_652_729_7 / 3.0_f64.sqrt())).abs() < 1e-8);
        assert!((got.low + got.high - 4.0).abs() < 1e-12);
    }

    #[test]
    fn student_is_taken_for_any_number_of_values_on_demand() {
        let values: Vec<f64> = (0..28).map(f64::from).collect();
        // Mean 13.5, standard deviation sqrt(28 * 29 / 12), t(0.975, 27) = 2.051831.
        let got = student_interval(&values, 0.05).unwrap();
        assert_eq!(got.method, Method::StudentT);
        let reach = 2.051_830_5 * (28.0_f64 * 29.0 / 12.0).sqrt() / 28.0_f64.sqrt();
        assert!((got.high - 13.5 - reach).abs() < 1e-6, "{got:?}");
        assert!(matches!(
            student_interval(&[1.0], 0.05),
            Err(StatsError::TooFewPairs { pairs: 1, needed: 2 })
        ));
    }

    #[test]
    fn a_wild_value_does_not_move_the_signed_rank_interval() {
        let calm: Vec<f64> = (0..20).map(|i| 0.1 + 0.001 * f64::from(i % 7)).collect();
        let mut wild = calm.clone();
        wild[3] = 40.0;
        let (calm, wild) = (log_interval(&calm, 0.05).unwrap(), log_interval(&wild, 0.05).unwrap());
        assert_eq!(wild.method, Method::SignedRank);
        assert!((calm.estimate - wild.estimate).abs() < 0.001 && wild.high < 0.11, "{wild:?}");
    }

    #[test]
    fn what_cannot_be_computed_is_an_error() {
        assert!(matches!(
            log_interval(&[1.0, 2.0], 0.05),
            Err(StatsError::TooFewPairs { pairs: 2, needed: 3 })
        ));
        assert!(matches!(log_interval(&[1.0; 4], 0.0), Err(StatsError::Confidence { .. })));
        assert!(matches!(log_interval(&[f64::NAN; 12], 0.05), Err(StatsError::Range)));
        assert!(matches!(log_interval(&[f64::NAN; 4], 0.05), Err(StatsError::Range)));
    }
}
