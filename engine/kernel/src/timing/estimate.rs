//! From log ratios of pairs to an interval: the median within a pair of processes, Student's t across them.
//!
//! Pairs of one process share its memory layout and its luck, so they are no independent witnesses: intervals over pairs, and
//! bootstraps over few processes, cover too little once processes differ. One number per process pair does not have that fault.

use assay_stats::{StatsError, median, student_interval};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Error of an interval, two-sided.
pub const ALPHA: f64 = 0.05;

/// A ratio baseline / candidate of times with its 95 % interval; above 1 the candidate is faster.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Interval {
    /// The estimate.
    pub ratio: f64,
    /// Lower end.
    pub lo: f64,
    /// Upper end.
    pub hi: f64,
}

impl Interval {
    /// Largest distance of an end from the estimate, as a share of it.
    pub fn half_width(&self) -> f64 {
        ((self.hi - self.ratio).max(self.ratio - self.lo)) / self.ratio
    }
}

/// The median log ratio of the pairs of one process pair; `None` without pairs or with one that is not finite.
pub fn process_median(log_ratios: &[f64]) -> Option<f64> {
    median(log_ratios)
}

/// The interval of one shape from the medians of its process pairs.
///
/// # Errors
/// [`StatsError`] below two process pairs, or where a median is not finite.
pub fn interval(medians: &[f64]) -> Result<Interval, StatsError> {
    let found = student_interval(medians, ALPHA)?;
    Ok(Interval { ratio: found.estimate.exp(), lo: found.low.exp(), hi: found.high.exp() })
}

/// The interval of the equally weighted geometric mean over shapes. `medians[shape][process]`: every shape has every process pair.
///
/// # Errors
/// As [`interval`]; [`StatsError::TooFewPairs`] without shapes, or where a shape lacks processes.
pub fn geomean(medians: &[Vec<f64>]) -> Result<Interval, StatsError> {
    let processes = medians.iter().map(Vec::len).min().unwrap_or(0);
    let per_process: Vec<f64> = (0..processes)
        .map(|process| medians.iter().map(|shape| shape[process]).sum::<f64>() / medians.len() as f64)
        .collect();
    interval(&per_process)
}

#[cfg(test)]
mod tests {
    use super::{geomean, interval, process_median};
    use rand::rngs::StdRng;
    use rand::{RngExt, SeedableRng};

    fn normal(random: &mut StdRng) -> f64 {
        let (a, b) = (1.0 - random.random::<f64>(), random.random::<f64>());
        (-2.0 * a.ln()).sqrt() * (2.0 * std::f64::consts::PI * b).cos()
    }

    /// Share of simulated measurements whose interval holds the true ratio of 1.02.
    fn coverage(processes: usize, samples: usize, between: f64, within: f64, spikes: bool) -> f64 {
        let mut random = StdRng::seed_from_u64(11);
        let (runs, truth) = (8000, 1.02_f64.ln());
        let held = (0..runs)
            .filter(|_| {
                let medians: Vec<f64> = (0..processes)
                    .map(|_| {
                        let shift = between * normal(&mut random);
                        let ratios: Vec<f64> = (0..samples)
                            .map(|_| {
                                // Preemption hits either side alike, and by far more than the noise.
                                let spike = if spikes && random.random_bool(0.05) {
                                    if random.random() { 1.0 } else { -1.0 }
                                } else {
                                    0.0
                                };
                                truth + shift + within * normal(&mut random) + spike
                            })
                            .collect();
                        process_median(&ratios).expect("samples")
                    })
                    .collect();
                let found = interval(&medians).expect("processes");
                found.lo <= 1.02 && 1.02 <= found.hi
            })
            .count();
        held as f64 / f64::from(runs)
    }

    #[test]
    fn the_interval_holds_the_truth_as_often_as_it_says() {
        for (processes, samples, between, within, spikes) in [
            (7, 50, 0.003, 0.005, false),
            (7, 50, 0.003, 0.05, false),
            (7, 50, 0.0, 0.02, true),
            (7, 50, 0.01, 0.02, true),
            (3, 20, 0.003, 0.01, false),
            (14, 50, 0.003, 0.02, true),
        ] {
            let share = coverage(processes, samples, between, within, spikes);
            assert!((0.94..=0.96).contains(&share), "{processes} x {samples}, {between}, {within}: {share}");
        }
    }

    #[test]
    fn shapes_weigh_alike_in_the_geometric_mean() {
        let (double, half) = (2.0_f64.ln(), -(2.0_f64.ln()));
        let found = geomean(&[vec![double, double, double], vec![half, half, half]]).expect("an interval");
        assert!((found.ratio - 1.0).abs() < 1e-12 && found.half_width() < 1e-12, "{found:?}");
        // What one process does to all shapes is no evidence of several: the spread stays.
        let shaken = geomean(&[vec![0.1, 0.0, -0.1], vec![0.1, 0.0, -0.1]]).expect("an interval");
        assert_eq!(shaken, interval(&[0.1, 0.0, -0.1]).expect("an interval"));
        assert!(geomean(&[]).is_err() && geomean(&[vec![0.0]]).is_err());
        assert!(interval(&[0.0, f64::NAN]).is_err());
    }
}
