//! The difference of two means of independent samples, by Welch's t interval (B. L. Welch, Biometrika 34, 1947).

use crate::distribution::student_upper_quantile;
use crate::summary::{mean, stddev};

/// A difference with its interval, in the unit of the samples.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Difference {
    /// Mean of the second sample minus mean of the first.
    pub estimate: f64,
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

impl Difference {
    /// Whether 0 lies within the interval: the samples may come from one mean.
    pub fn may_be_none(&self) -> bool {
        self.low <= 0.0 && 0.0 <= self.high
    }
}

/// The interval of `b`'s mean minus `a`'s that holds the true difference with probability `confidence`. `None` below
/// two values in either sample, or where a value is not finite.
///
/// Degrees of freedom are rounded down, which makes the interval wider, never narrower.
pub fn welch(a: &[f64], b: &[f64], confidence: f64) -> Option<Difference> {
    if a.len() < 2 || b.len() < 2 || !(0.0..1.0).contains(&confidence) {
        return None;
    }
    let estimate = mean(b)? - mean(a)?;
    let error = |values: &[f64]| Some(stddev(values)?.powi(2) / values.len() as f64);
    let (from_a, from_b) = (error(a)?, error(b)?);
    let squared = from_a + from_b;
    if !estimate.is_finite() || !squared.is_finite() {
        return None;
    }
    if squared == 0.0 {
        return Some(Difference { estimate, low: estimate, high: estimate });
    }
    let share = |part: f64, len: usize| part * part / (len - 1) as f64;
    let degrees = squared * squared / (share(from_a, a.len()) + share(from_b, b.len()));
    let t = student_upper_quantile((1.0 - confidence) / 2.0, (degrees.floor() as usize).max(1));
    let half = t * squared.sqrt();
    Some(Difference { estimate, low: estimate - half, high: estimate + half })
}

#[cfg(test)]
mod tests {
    use super::welch;

    #[test]
    fn it_agrees_with_a_worked_example() {
        // Two samples with means 20.8 and 23.0, variances 7.9 and 3.8; degrees 24.99 floored to 24, t(0.975) = 2.0639.
        let a = [27.5, 21.0, 19.0, 23.6, 17.0, 17.9, 16.9, 20.1, 21.9, 22.6, 23.1, 19.6, 19.0, 21.7, 21.4];
        let b = [27.1, 22.0, 20.8, 23.4, 23.4, 23.5, 25.8, 22.0, 24.8, 20.2, 21.9, 22.1, 22.9, 20.5, 24.4];
        let found = welch(&a, &b, 0.95).expect("enough values");
        assert!((found.estimate - 2.1667).abs() < 1e-3, "{found:?}");
        assert!((found.low - 0.3454).abs() < 5e-3 && (found.high - 3.9879).abs() < 5e-3, "{found:?}");
        assert!(!found.may_be_none());
    }

    #[test]
    fn equal_constants_differ_by_nothing_and_too_few_values_give_nothing() {
        assert!(welch(&[1.0, 1.0], &[1.0, 1.0], 0.95).is_some_and(|found| found.may_be_none()));
        assert_eq!(welch(&[1.0], &[1.0, 2.0], 0.95), None);
        assert_eq!(welch(&[1.0, f64::NAN], &[1.0, 2.0], 0.95), None);
    }
}
