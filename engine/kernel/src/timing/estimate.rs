//! From log ratios of pairs to an interval: the median within a pair of processes, Student's t across them.
//!
//! Pairs of one process share its memory layout and its luck, so they are no independent witnesses: intervals over pairs, and
//! bootstraps over few processes, cover too little once processes differ. One number per process pair does not have that fault.

use assay_stats::{StatsError, median, student_interval};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Error of all looks of a measurement together, two-sided.
pub const ALPHA: f64 = 0.05;

/// A ratio baseline / candidate of times with its interval; above 1 the candidate is faster.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Interval {
    /// The estimate.
    pub ratio: f64,
    /// Lower end.
    pub lo: f64,
    /// Upper end.
    pub hi: f64,
    /// Probability with which such an interval holds the truth, 0 to 1: a measurement that may be extended pays for every look with a
    /// part of its 5 %. Rows from before it was told have 0.95.
    #[serde(default = "usual")]
    pub level: f64,
}

fn usual() -> f64 {
    1.0 - ALPHA
}

impl Interval {
    /// Its level in words: `95 %`, `98.75 %`.
    pub fn level_words(&self) -> String {
        // Two places are enough for every plan of looks that is not absurd; trailing zeros say nothing.
        let percent = format!("{:.2}", self.level * 1e2);
        format!("{} %", percent.trim_end_matches('0').trim_end_matches('.'))
    }

    /// Largest distance of an end from the estimate, as a share of it.
    pub fn half_width(&self) -> f64 {
        ((self.hi - self.ratio).max(self.ratio - self.lo)) / self.ratio
    }
}

/// The median log ratio of the pairs of one process pair; `None` without pairs or with one that is not finite.
pub fn process_median(log_ratios: &[f64]) -> Option<f64> {
    median(log_ratios)
}

/// The interval of one shape from the medians of its process pairs, which misses the truth with probability `alpha`.
///
/// # Errors
/// [`StatsError`] below two process pairs, where a median is not finite, or for an `alpha` outside of 0 to 1.
pub fn interval(medians: &[f64], alpha: f64) -> Result<Interval, StatsError> {
    let found = student_interval(medians, alpha)?;
    let [ratio, lo, hi] = [found.estimate, found.low, found.high].map(f64::exp);
    Ok(Interval { ratio, lo, hi, level: 1.0 - alpha })
}

/// The interval of the equally weighted geometric mean over shapes. `medians[shape][process]`: every shape has every process pair.
///
/// # Errors
/// As [`interval`]; [`StatsError::TooFewPairs`] without shapes, or where a shape lacks processes.
pub fn geomean(medians: &[Vec<f64>], alpha: f64) -> Result<Interval, StatsError> {
    let processes = medians.iter().map(Vec::len).min().unwrap_or(0);
    let per_process: Vec<f64> = (0..processes)
        .map(|process| medians.iter().map(|shape| shape[process]).sum::<f64>() / medians.len() as f64)
        .collect();
    interval(&per_process, alpha)
}

#[cfg(test)]
mod tests {
    use super::{ALPHA, geomean, interval, process_median};
    use rand::rngs::StdRng;
    use rand::{RngExt, SeedableRng};

    fn normal(random: &mut StdRng) -> f64 {
        let (a, b) = (1.0 - random.random::<f64>(), random.random::<f64>());
        (-2.0 * a.ln()).sqrt() * (2.0 * std::f64::consts::PI * b).cos()
    }

    /// Share of simulated measurements whose interval holds the true ratio of 1.02.
    fn coverage(
        alpha: f64,
        (processes, samples): (usize, usize),
        (between, within): (f64, f64),
        spikes: bool,
    ) -> f64 {
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
                let found = interval(&medians, alpha).expect("processes");
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
            let share = coverage(ALPHA, (processes, samples), (between, within), spikes);
            assert!((0.94..=0.96).contains(&share), "{processes} x {samples}, {between}, {within}: {share}");
        }
        // As the looks of a plan ask for it.
        for (alpha, processes) in [(0.0125, 7), (0.0125, 14), (0.025, 28)] {
            let share = coverage(alpha, (processes, 20), (0.005, 0.02), true);
            assert!((share - (1.0 - alpha)).abs() < 0.006, "{alpha}, {processes}: {share}");
        }
    }

    #[test]
    fn shapes_weigh_alike_in_the_geometric_mean() {
        let (double, half) = (2.0_f64.ln(), -(2.0_f64.ln()));
        let found =
            geomean(&[vec![double, double, double], vec![half, half, half]], ALPHA).expect("an interval");
        assert!((found.ratio - 1.0).abs() < 1e-12 && found.half_width() < 1e-12, "{found:?}");
        // What one process does to all shapes is no evidence of several: the spread stays.
        let shaken = geomean(&[vec![0.1, 0.0, -0.1], vec![0.1, 0.0, -0.1]], ALPHA).expect("an interval");
        assert_eq!(shaken, interval(&[0.1, 0.0, -0.1], ALPHA).expect("an interval"));
        assert!(geomean(&[], ALPHA).is_err() && geomean(&[vec![0.0]], ALPHA).is_err());
        assert!(interval(&[0.0, f64::NAN], ALPHA).is_err());
    }

    #[test]
    fn levels_are_told_without_zeros() {
        let told = |alpha: f64| interval(&[0.1, 0.0], alpha).expect("an interval").level_words();
        assert_eq!(["95 %", "98.75 %", "97.5 %", "99 %"], [0.05, 0.0125, 0.025, 0.01].map(told));
    }
}
