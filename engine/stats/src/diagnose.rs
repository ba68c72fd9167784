//! Signs that the pairs were not measured as the comparison assumes.
//!
//! Nothing here changes a verdict: a concern tells the reader what the interval cannot know. Each is raised only
//! if it is unlikely by chance (p below [`UNLIKELY`]) and large enough to matter.

use crate::compare::Pair;
use crate::distribution::normal_two_sided;
use crate::order::Side;
use crate::summary::median;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Chance below which an effect is called real; 1 % because up to three such tests are made per comparison.
const UNLIKELY: f64 = 0.01;
/// Position effects below 0.1 % are not worth a line.
const NOTABLE_ORDER: f64 = 0.001;
/// Drift of both sides together cancels in the pairs; it is mentioned from 5 % on.
const NOTABLE_LEVEL: f64 = 0.05;
/// Drift of the ratio itself is mentioned from 1 % on, or from the threshold if that is larger.
const NOTABLE_RATIO: f64 = 0.01;
/// Longer series are thinned evenly: the trend test is quadratic.
const LONGEST_TREND: usize = 1000;
/// Fewest values that a rank test can say anything about.
const FEWEST_PER_GROUP: usize = 4;

/// What going second costs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct OrderEffect {
    /// Measured value when second over measured value when first; 1 without an effect.
    pub second_over_first: f64,
    /// Two-sided p-value of the rank-sum test between both orders.
    pub p_value: f64,
    /// Pairs in which the baseline went first.
    pub baseline_first: usize,
    /// Pairs in which the candidate went first.
    pub candidate_first: usize,
}

/// A trend over the pairs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Drift {
    /// Value at the end over value at the start, along the fitted line; 1 without a trend.
    pub end_over_start: f64,
    /// Two-sided p-value of Mann and Kendall's trend test.
    pub p_value: f64,
}

/// Something that a reader should know before trusting the verdict.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Concern {
    /// Going first or second changes the measured value.
    OrderMatters {
        /// See [`OrderEffect::second_over_first`].
        second_over_first: f64,
    },
    /// One side went first much more often, so an order effect would not cancel.
    OrderUnbalanced {
        /// Pairs in which the baseline went first.
        baseline_first: usize,
        /// Pairs in which the candidate went first.
        candidate_first: usize,
    },
    /// Both sides became slower or faster while measuring.
    LevelDrifts {
        /// See [`Drift::end_over_start`].
        end_over_start: f64,
    },
    /// The advantage itself changed while measuring, so one number does not describe it.
    RatioDrifts {
        /// See [`Drift::end_over_start`].
        end_over_start: f64,
    },
    /// The same pair of values came up again and again: a coarse clock, or one measurement copied.
    FewDistinct {
        /// Different pairs.
        distinct: usize,
        /// All pairs.
        pairs: usize,
    },
}

impl std::fmt::Display for Concern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::OrderMatters { second_over_first } => {
                write!(
                    f,
                    "the side that runs second measures {} than when it runs first",
                    change(*second_over_first)
                )
            }
            Self::OrderUnbalanced { baseline_first, candidate_first } => write!(
                f,
                "the baseline ran first in {baseline_first} pairs and the candidate in {candidate_first}, so an effect of the order does not cancel"
            ),
            Self::LevelDrifts { end_over_start } => {
                write!(f, "both sides measure {} at the end than at the start", change(*end_over_start))
            }
            Self::RatioDrifts { end_over_start } => {
                write!(f, "the ratio is {} at the end than at the start", change(*end_over_start))
            }
            Self::FewDistinct { distinct, pairs } => {
                write!(f, "only {distinct} of {pairs} pairs differ from each other")
            }
        }
    }
}

fn change(ratio: f64) -> String {
    let percent = (ratio - 1.0) * 100.0;
    format!("{:.1} % {}", percent.abs(), if percent < 0.0 { "lower" } else { "higher" })
}

/// What the pairs say about how they were measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Diagnostics {
    /// Effect of the order within a pair; absent if the order is unknown or always the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<OrderEffect>,
    /// Trend of the level of both sides; absent with very few pairs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub level: Option<Drift>,
    /// Trend of candidate over baseline; absent with very few pairs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ratio: Option<Drift>,
    /// Different pairs of values.
    pub distinct: usize,
    /// What is worth a line in a report.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub concerns: Vec<Concern>,
}

impl Diagnostics {
    /// Examines pairs of finite values above zero, in the order in which they were measured.
    pub(crate) fn of(pairs: &[Pair], threshold: f64) -> Self {
        let differences: Vec<f64> = pairs.iter().map(|p| p.candidate.ln() - p.baseline.ln()).collect();
        let levels: Vec<f64> = pairs.iter().map(|p| (p.candidate.ln() + p.baseline.ln()) / 2.0).collect();
        let mut found = Self {
            order: order_effect(pairs, &differences),
            level: drift(&levels),
            ratio: drift(&differences),
            distinct: distinct(pairs),
            concerns: Vec::new(),
        };
        found.concerns = found.collect(pairs, threshold);
        found
    }

    fn collect(&self, pairs: &[Pair], threshold: f64) -> Vec<Concern> {
        let mut concerns = Vec::new();
        if let Some(order) = &self.order
            && order.p_value < UNLIKELY
            && order.second_over_first.ln().abs() >= NOTABLE_ORDER
        {
            concerns.push(Concern::OrderMatters { second_over_first: order.second_over_first });
        }
        let went_first = |side| pairs.iter().filter(|p| p.first == Some(side)).count();
        let (baseline_first, candidate_first) = (went_first(Side::Baseline), went_first(Side::Candidate));
        let apart = baseline_first.abs_diff(candidate_first);
        if apart > 1 && apart * 5 > pairs.len() {
            concerns.push(Concern::OrderUnbalanced { baseline_first, candidate_first });
        }
        let notable = |drift: &Option<Drift>, least: f64| {
            let drift = drift.as_ref()?;
            let real = drift.p_value < UNLIKELY && drift.end_over_start.ln().abs() >= least.ln_1p();
            real.then_some(drift.end_over_start)
        };
        if let Some(end_over_start) = notable(&self.level, NOTABLE_LEVEL) {
            concerns.push(Concern::LevelDrifts { end_over_start });
        }
        if let Some(end_over_start) = notable(&self.ratio, threshold.max(NOTABLE_RATIO)) {
            concerns.push(Concern::RatioDrifts { end_over_start });
        }
        if self.distinct * 2 < pairs.len() {
            concerns.push(Concern::FewDistinct { distinct: self.distinct, pairs: pairs.len() });
        }
        concerns
    }
}

fn distinct(pairs: &[Pair]) -> usize {
    let mut keys: Vec<_> = pairs.iter().map(|p| (p.baseline.to_bits(), p.candidate.to_bits())).collect();
    keys.sort_unstable();
    keys.dedup();
    keys.len()
}

/// At most [`LONGEST_TREND`] of the values, evenly spaced, the first among them.
fn thinned(values: &[f64]) -> Vec<f64> {
    values.iter().copied().step_by(values.len().div_ceil(LONGEST_TREND).max(1)).collect()
}

/// Half the Hodges-Lehmann shift between both orders, tested by Mann and Whitney's rank sum in its normal form
/// with the correction for ties (Hollander, Wolfe and Chicken, sections 4.1 and 4.2).
fn order_effect(pairs: &[Pair], differences: &[f64]) -> Option<OrderEffect> {
    let group = |side| {
        let of_side = pairs.iter().zip(differences).filter(move |(p, _)| p.first == Some(side));
        of_side.map(|(_, d)| *d).collect::<Vec<f64>>()
    };
    let (all_baseline, all_candidate) = (group(Side::Baseline), group(Side::Candidate));
    let (baseline_first, candidate_first) = (all_baseline.len(), all_candidate.len());
    let (x, y) = (thinned(&all_baseline), thinned(&all_candidate));
    if x.len() < FEWEST_PER_GROUP || y.len() < FEWEST_PER_GROUP {
        return None;
    }
    let shifts: Vec<f64> = x.iter().flat_map(|a| y.iter().map(move |b| a - b)).collect();
    let wins: f64 = shifts.iter().map(|&s| if s == 0.0 { 0.5 } else { f64::from(u8::from(s > 0.0)) }).sum();
    let (m, n) = (x.len() as f64, y.len() as f64);
    let all: Vec<f64> = x.iter().chain(&y).copied().collect();
    let ties: f64 = tie_sizes(all).map(|t| t * t * t - t).sum();
    let variance = m * n / 12.0 * (m + n + 1.0 - ties / ((m + n) * (m + n - 1.0)));
    let shift = median(&shifts)?;
    Some(OrderEffect {
        second_over_first: (shift / 2.0).exp(),
        p_value: p_of(wins - m * n / 2.0, 0.5, variance),
        baseline_first,
        candidate_first,
    })
}

/// Theil and Sen's slope over the whole series, tested by Mann and Kendall (Kendall, "Rank Correlation
/// Methods", 4th edition, chapter 4, with the correction for ties).
fn drift(values: &[f64]) -> Option<Drift> {
    let values = thinned(values);
    let n = values.len();
    if n < 2 * FEWEST_PER_GROUP {
        return None;
    }
    let mut slopes = Vec::with_capacity(n * (n - 1) / 2);
    let mut score = 0.0;
    for (i, a) in values.iter().enumerate() {
        for (j, b) in values.iter().enumerate().skip(i + 1) {
            let rise = b - a;
            score += if rise == 0.0 { 0.0 } else { rise.signum() };
            slopes.push(rise / (j - i) as f64);
        }
    }
    let weight = |t: f64| t * (t - 1.0) * (2.0 * t + 5.0);
    let variance = (weight(n as f64) - tie_sizes(values).map(weight).sum::<f64>()) / 18.0;
    let slope = median(&slopes)?;
    Some(Drift { end_over_start: (slope * (n - 1) as f64).exp(), p_value: p_of(score, 1.0, variance) })
}

/// Sizes of the groups of equal values.
fn tie_sizes(mut values: Vec<f64>) -> impl Iterator<Item = f64> {
    values.sort_by(f64::total_cmp);
    let sizes: Vec<f64> = values.chunk_by(|a, b| a == b).map(|group| group.len() as f64).collect();
    sizes.into_iter()
}

/// Two-sided p-value of a discrete score with mean 0; `correction` is half its step.
fn p_of(score: f64, correction: f64, variance: f64) -> f64 {
    if variance <= 0.0 {
        return 1.0;
    }
    normal_two_sided((score.abs() - correction).max(0.0) / variance.sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::order::pair_order;
    use rand::rngs::StdRng;
    use rand::{RngExt, SeedableRng};

    /// Pairs around 100 with 1 % noise; `shape` may bend them: pair number, side, whether it ran second.
    fn pairs(n: usize, shape: impl Fn(usize, Side, bool) -> f64) -> Vec<Pair> {
        let mut random = StdRng::seed_from_u64(11);
        let order = pair_order(3, n);
        let mut value = |i, side: Side| {
            100.0 * (1.0 + 0.02 * (random.random::<f64>() - 0.5)) * shape(i, side, order[i] != side)
        };
        let values: Vec<_> = (0..n).map(|i| (value(i, Side::Baseline), value(i, Side::Candidate))).collect();
        let pair = |(i, &(baseline, candidate))| Pair { baseline, candidate, first: Some(order[i]) };
        values.iter().enumerate().map(pair).collect()
    }

    #[test]
    fn quiet_pairs_raise_no_concern() {
        let found = Diagnostics::of(&pairs(40, |_, _, _| 1.0), 0.01);
        assert_eq!(found.concerns, []);
        assert_eq!(found.distinct, 40);
        assert!((found.order.unwrap().second_over_first - 1.0).abs() < 0.01);
    }

    #[test]
    fn an_order_effect_is_measured() {
        let found = Diagnostics::of(&pairs(40, |_, _, second| if second { 1.05 } else { 1.0 }), 0.01);
        assert!((found.order.unwrap().second_over_first - 1.05).abs() < 0.01);
        assert!(matches!(found.concerns[..], [Concern::OrderMatters { .. }]), "{:?}", found.concerns);
        assert!(found.concerns[0].to_string().contains("% higher"));
    }

    #[test]
    fn drifts_are_told_apart() {
        let both = Diagnostics::of(&pairs(40, |i, _, _| 1.0 + 0.005 * i as f64), 0.01);
        assert!(matches!(both.concerns[..], [Concern::LevelDrifts { .. }]), "{:?}", both.concerns);
        assert!((both.level.unwrap().end_over_start - 1.195).abs() < 0.02);
        let one = |i: usize, side, _| if side == Side::Candidate { 1.0 + 0.002 * i as f64 } else { 1.0 };
        let one = Diagnostics::of(&pairs(40, one), 0.01);
        assert!(matches!(one.concerns[..], [Concern::RatioDrifts { .. }]), "{:?}", one.concerns);
    }

    #[test]
    fn a_fixed_order_and_copied_values_are_named() {
        let pair = Pair { baseline: 2.0, candidate: 1.0, first: Some(Side::Baseline) };
        let found = Diagnostics::of(&vec![pair; 30], 0.01);
        assert_eq!(
            found.concerns,
            [
                Concern::OrderUnbalanced { baseline_first: 30, candidate_first: 0 },
                Concern::FewDistinct { distinct: 1, pairs: 30 }
            ]
        );
        assert_eq!(found.order, None);
    }
}
