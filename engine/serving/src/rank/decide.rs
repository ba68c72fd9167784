//! Whether the first is really ahead of the second.
//!
//! Servers on a shared machine vary by percents from run to run. A difference below the margin needs runs of both that
//! alternate, at least [`FEWEST_PAIRS`] pairs of them, and an interval that excludes "no difference".

use super::entry::Sample;
use super::ranking::Standing;
use assay_stats::{log_interval, stddev};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Pairs below which an interval is not used: at three, the bootstrap of a median is wrong about every fifth time.
const FEWEST_PAIRS: usize = 5;
/// Error of the intervals: 95 % confidence.
const ALPHA: f64 = 0.05;
/// (1.96 + 0.84)²: a two-sided test at 5 % that finds a real effect in 80 % of cases.
const POWER_FACTOR: f64 = 7.85;
/// Quantile of the normal distribution for 95 % confidence, two-sided.
const Z95: f64 = 1.96;

/// What counts as a difference.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DecisionRules {
    /// Below this share a difference needs pairs of alternating runs: 0.01 for 1 %.
    #[serde(default = "usual_margin")]
    pub margin: f64,
    /// Spread of single runs of one deployment: standard deviation / mean. Where it is known, single runs decide only beyond it.
    #[serde(default)]
    pub run_cv: Option<f64>,
    /// Largest difference, as a share, that runs of the same deployment against itself showed. An effect must exceed it.
    #[serde(default)]
    pub aa_band: Option<f64>,
}

fn usual_margin() -> f64 {
    0.01
}

impl Default for DecisionRules {
    fn default() -> Self {
        Self { margin: usual_margin(), run_cv: None, aa_band: None }
    }
}

/// Whether one result is ahead of another.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Decision {
    /// The one that ranks first, as `framework/candidate`.
    pub first: String,
    /// The one that ranks behind it.
    pub second: String,
    /// The figure that was compared.
    pub metric: String,
    /// How far the first is ahead, as a share; absent where the second has no such figure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ahead: Option<f64>,
    /// Whether that is a difference.
    pub kind: DecisionKind,
    /// What it rests on.
    pub basis: Basis,
    /// 95 % interval of the ratio first / second, where pairs gave one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<[f64; 2]>,
    /// Pairs of alternating runs that there are.
    pub pairs: usize,
    /// Pairs that a difference of the margin needs, where the spread is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pairs_needed: Option<u64>,
    /// The whole for a reader; no final period.
    pub sentence: String,
}

/// Whether a difference is one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DecisionKind {
    /// The first is ahead.
    Decided,
    /// They are equal within the margin, and the interval shows it.
    Equal,
    /// The runs do not say: a tie.
    NotDecided,
}

/// What a decision rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// Pairs of alternating runs, with an interval.
    Pairs,
    /// Figures of runs that did not alternate; drift between them is not excluded.
    Figures,
    /// Only one of both has the figure.
    Missing,
}

/// How many pairs of alternating runs show a difference of `effect` (a share), where the logarithm of the ratio of a pair
/// has this standard deviation: ceil(7.85 (SD / effect)²) + 2, and never fewer than five.
pub fn pairs_needed(log_ratio_sd: f64, effect: f64) -> Option<u64> {
    let effect = effect.ln_1p();
    let pairs = (POWER_FACTOR * (log_ratio_sd / effect).powi(2)).ceil() + 2.0;
    let is_number = effect > 0.0 && pairs.is_finite();
    // Saturates: nobody runs that many.
    is_number.then(|| (pairs as u64).max(FEWEST_PAIRS as u64))
}

/// Compares the first with one that ranks behind it.
pub(super) fn decide(first: &Standing, second: &Standing, metric: &str, rules: &DecisionRules) -> Decision {
    let name = |standing: &Standing| format!("{}/{}", standing.framework, standing.candidate);
    let mut decision = Decision {
        first: name(first),
        second: name(second),
        metric: metric.to_owned(),
        ahead: None,
        kind: DecisionKind::NotDecided,
        basis: Basis::Missing,
        interval: None,
        pairs: 0,
        pairs_needed: None,
        sentence: String::new(),
    };
    let figure = |standing: &Standing| standing.figures.get(metric).filter(|figure| *figure > 0.0);
    match (figure(first), figure(second)) {
        (Some(a), Some(b)) => {
            decision.ahead = Some(a / b - 1.0);
            let ratios = log_ratios(&first.samples, &second.samples, metric);
            decision.pairs = ratios.len();
            if ratios.len() >= FEWEST_PAIRS {
                by_pairs(&mut decision, &ratios, rules);
            } else {
                by_figures(&mut decision, a / b - 1.0, rules);
            }
        }
        (Some(_), None) => decision.kind = DecisionKind::Decided,
        _ => {}
    }
    decision.sentence = sentence(&decision, rules);
    decision
}

fn by_pairs(decision: &mut Decision, ratios: &[f64], rules: &DecisionRules) {
    decision.basis = Basis::Pairs;
    decision.pairs_needed = stddev(ratios).and_then(|sd| pairs_needed(sd, rules.margin));
    let Ok(interval) = log_interval(ratios, ALPHA) else { return };
    decision.interval = Some([interval.low.exp(), interval.high.exp()]);
    let band = rules.margin.ln_1p();
    let beyond_aa = interval.estimate > rules.aa_band.unwrap_or(0.0).ln_1p();
    decision.kind = if interval.low > 0.0 && beyond_aa {
        DecisionKind::Decided
    } else if interval.low >= -band && interval.high <= band {
        DecisionKind::Equal
    } else {
        DecisionKind::NotDecided
    };
}

fn by_figures(decision: &mut Decision, ahead: f64, rules: &DecisionRules) {
    decision.basis = Basis::Figures;
    let pair_sd = rules.run_cv.map(|cv| std::f64::consts::SQRT_2 * cv);
    let noise = pair_sd.map_or(0.0, |sd| Z95 * sd).max(rules.aa_band.unwrap_or(0.0));
    if ahead >= rules.margin && ahead > noise {
        decision.kind = DecisionKind::Decided;
    }
    decision.pairs_needed = pair_sd.and_then(|sd| pairs_needed(sd, rules.margin));
}

/// Logarithms of first / second, one per pair. Runs are paired only where the two alternated: in the order of positions, each
/// two neighbours are one run of each. Otherwise drift would count as a difference, and there are no pairs.
fn log_ratios(first: &[Sample], second: &[Sample], metric: &str) -> Vec<f64> {
    let place = |is_first: bool| {
        move |sample: &Sample| Some((sample.position?, is_first, sample.figures.get(metric)?))
    };
    let ordered =
        |samples: &[Sample], is_first: bool| samples.iter().map(place(is_first)).collect::<Option<Vec<_>>>();
    let (Some(mut runs), Some(others)) = (ordered(first, true), ordered(second, false)) else {
        return Vec::new();
    };
    runs.extend(others);
    runs.sort_by_key(|(position, ..)| *position);
    let is_clear = runs.windows(2).all(|two| two[0].0 < two[1].0) && runs.len().is_multiple_of(2);
    let ratio = |pair: &[(u64, bool, f64)]| match *pair {
        [(_, true, a), (_, false, b)] | [(_, false, b), (_, true, a)] if a > 0.0 && b > 0.0 => {
            Some(a.ln() - b.ln())
        }
        _ => None,
    };
    let ratios: Option<Vec<f64>> = runs.chunks(2).map(ratio).collect();
    ratios.filter(|_| is_clear).unwrap_or_default()
}

fn sentence(decision: &Decision, rules: &DecisionRules) -> String {
    let Decision { first, second, metric, pairs, .. } = decision;
    let percent = |share: f64| format!("{:.2} %", share * 100.0);
    let Some(ahead) = decision.ahead else {
        return match decision.kind {
            DecisionKind::Decided => format!("`{second}` has no `{metric}`, `{first}` has"),
            _ => format!("neither `{first}` nor `{second}` has a `{metric}` above 0"),
        };
    };
    let basis = match (decision.basis, decision.interval) {
        (Basis::Pairs, Some([low, high])) => {
            format!("{pairs} alternating pairs, ratio {low:.4} to {high:.4} at 95 %")
        }
        _ => "runs that did not alternate, so drift is not excluded".to_owned(),
    };
    let margin = percent(rules.margin);
    match decision.kind {
        DecisionKind::Decided => {
            format!("`{first}` is ahead of `{second}` by {} in `{metric}` ({basis})", percent(ahead))
        }
        DecisionKind::Equal => {
            format!("`{first}` and `{second}` are equal within {margin} in `{metric}` ({basis})")
        }
        DecisionKind::NotDecided => {
            let needed = match decision.pairs_needed {
                Some(needed) => {
                    format!("about {needed} alternating pairs would show a difference of {margin}")
                }
                None => format!(
                    "run at least {FEWEST_PAIRS} alternating pairs, which also tell how many a difference of {margin} needs"
                ),
            };
            format!(
                "not decided: `{first}` and `{second}` are {} apart in `{metric}` ({basis}); {needed}",
                percent(ahead)
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_needed_follow_the_formula() {
        // Two runs with a spread of 1 % each: the ratio spreads by 1.41 %, and ln 1.01 is 0.00995.
        assert_eq!(pairs_needed(0.014_142, 0.01), Some(18));
        assert_eq!(pairs_needed(0.0, 0.01), Some(5));
        assert_eq!(pairs_needed(0.01, 0.0), None);
        assert_eq!(pairs_needed(f64::NAN, 0.01), None);
    }

    #[test]
    fn only_alternating_runs_make_pairs() {
        let sample = |position: Option<u64>, value: f64| Sample {
            figures: crate::rank::entry::Figures([("x".to_owned(), value)].into()),
            position,
        };
        let of = |first: &[u64], second: &[u64]| {
            let all = |at: &[u64]| at.iter().map(|at| sample(Some(*at), 2.0)).collect::<Vec<_>>();
            log_ratios(&all(first), &all(second), "x").len()
        };
        assert_eq!(of(&[0, 3, 4], &[1, 2, 5]), 3);
        assert_eq!(of(&[0, 30, 40], &[10, 20, 50]), 3, "others ran in between");
        assert_eq!(of(&[0, 1, 2], &[3, 4, 5]), 0, "one after the other");
        assert_eq!(of(&[0, 2], &[1]), 0);
        assert_eq!(of(&[0, 0], &[0, 0]), 0);
        assert!(log_ratios(&[sample(None, 1.0)], &[sample(Some(1), 1.0)], "x").is_empty());
    }
}
