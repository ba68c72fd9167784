//! The paired comparison: pairs in, ratio, interval and verdict out.
//!
//! Everything is computed on logarithms of ratios, turned so that a ratio above 1 means that the candidate is
//! better: baseline / candidate where lower is better, candidate / baseline where higher is. Ratios multiply
//! and swapping the sides inverts them, so logarithms make both sides equal before the arithmetic.

use crate::diagnose::Diagnostics;
use crate::error::StatsError;
use crate::interval::{FEWEST, Method, log_interval};
use crate::looks::{Look, Looks};
use crate::order::Side;
use crate::summary::Summary;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which direction of the metric is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Better {
    /// Lower is better: time, memory.
    Lower,
    /// Higher is better: throughput.
    Higher,
}

/// What an interval says against a threshold band.
///
/// With threshold t the band reaches from 1/(1+t) to 1+t, so that it, too, is inverted by swapping the sides:
/// `better` with a threshold of 1 % means that the candidate is, with the stated confidence, more than 1 %
/// better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The whole interval lies above the band.
    Better,
    /// The whole interval lies below the band.
    Worse,
    /// The whole interval lies within the band, its edges included.
    Tie,
    /// The interval crosses an edge of the band.
    Undecided,
}

impl Verdict {
    /// The word used in manifests, records and messages.
    pub fn word(self) -> &'static str {
        match self {
            Self::Better => "better",
            Self::Worse => "worse",
            Self::Tie => "tie",
            Self::Undecided => "undecided",
        }
    }

    /// The verdict when the sides are swapped.
    pub fn swapped(self) -> Self {
        match self {
            Self::Better => Self::Worse,
            Self::Worse => Self::Better,
            same => same,
        }
    }

    /// Judges an interval of ratios, given as logarithms, against `threshold` (a fraction).
    fn of(low: f64, high: f64, threshold: f64) -> Self {
        let edge = threshold.ln_1p();
        if low > edge {
            Self::Better
        } else if high < -edge {
            Self::Worse
        } else if low >= -edge && high <= edge {
            Self::Tie
        } else {
            Self::Undecided
        }
    }
}

/// One measurement of each side, taken close together.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Pair {
    /// The baseline's value, above zero.
    pub baseline: f64,
    /// The candidate's value, above zero, in the same unit.
    pub candidate: f64,
    /// Which side was measured first, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<Side>,
}

/// How to compare: fixed before anything is measured.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PairedComparison {
    /// Which direction is better.
    pub better: Better,
    /// Half-width of the band that counts as equal, as a fraction: 0.01 for 1 %.
    pub threshold: f64,
    /// Confidence of the interval over all looks together, 0.95 unless there is a reason.
    pub confidence: f64,
    /// When the data is looked at.
    pub looks: Looks,
}

/// The result of a comparison.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Comparison {
    /// Better, worse, tie or undecided.
    pub verdict: Verdict,
    /// Advantage of the candidate: above 1 it is better, whatever the metric.
    pub ratio: f64,
    /// Lower end of the ratio's interval.
    pub ci_low: f64,
    /// Upper end of the ratio's interval.
    pub ci_high: f64,
    /// Confidence that the interval holds the true ratio, wherever the comparison stops.
    pub confidence: f64,
    /// The look at which this was computed; its `alpha` is the error of this interval alone.
    pub look: Look,
    /// How the interval was found.
    pub method: Method,
    /// Pairs used.
    pub pairs: usize,
    /// Pairs in which the candidate was strictly better.
    pub wins: usize,
    /// The settings.
    pub settings: PairedComparison,
    /// The baseline's values, in the metric's unit.
    pub baseline: Summary,
    /// The candidate's values, in the metric's unit.
    pub candidate: Summary,
    /// How the pairs were measured, and what to know about it.
    pub diagnostics: Diagnostics,
}

impl PairedComparison {
    /// The usual comparison: 95 %, one look at however many pairs there are.
    pub fn once(better: Better, threshold: f64, pairs: usize) -> Self {
        Self { better, threshold, confidence: 0.95, looks: Looks::once(pairs) }
    }

    /// Compares all pairs measured so far, in the order in which they were measured. Call it once at each planned
    /// look ([`Looks::schedule`]); more looks than planned void the confidence.
    ///
    /// # Errors
    /// [`StatsError`] if the settings are impossible, a value is not finite and above zero, or there are fewer
    /// than three pairs or more than planned.
    pub fn compare(&self, pairs: &[Pair]) -> Result<Comparison, StatsError> {
        let (look, interval) = self.interval(pairs)?;
        let [ratio, ci_low, ci_high] = [interval.estimate, interval.low, interval.high].map(f64::exp);
        if !(ci_low > 0.0 && ci_high.is_finite()) {
            return Err(StatsError::Range);
        }
        let side = |value: fn(&Pair) -> f64| {
            let values: Vec<f64> = pairs.iter().map(value).collect();
            Summary::of(&values, self.confidence).ok_or(StatsError::Range)
        };
        let baseline = side(|p| p.baseline)?;
        let candidate = side(|p| p.candidate)?;
        let is_win = |pair: &&Pair| match self.better {
            Better::Lower => pair.candidate < pair.baseline,
            Better::Higher => pair.candidate > pair.baseline,
        };
        Ok(Comparison {
            verdict: Verdict::of(interval.low, interval.high, self.threshold),
            ratio,
            ci_low,
            ci_high,
            confidence: self.confidence,
            look,
            method: interval.method,
            pairs: pairs.len(),
            wins: pairs.iter().filter(is_win).count(),
            settings: *self,
            baseline,
            candidate,
            diagnostics: Diagnostics::of(pairs, self.threshold),
        })
    }

    /// The verdict alone, without summaries and diagnostics.
    ///
    /// # Errors
    /// As [`Self::compare`].
    pub fn verdict(&self, pairs: &[Pair]) -> Result<Verdict, StatsError> {
        let (_, interval) = self.interval(pairs)?;
        Ok(Verdict::of(interval.low, interval.high, self.threshold))
    }

    fn interval(&self, pairs: &[Pair]) -> Result<(Look, crate::LogInterval), StatsError> {
        if !(self.threshold >= 0.0 && self.threshold.is_finite()) {
            return Err(StatsError::Threshold { value: self.threshold });
        }
        if !(self.confidence > 0.0 && self.confidence < 1.0) {
            return Err(StatsError::Confidence { value: self.confidence });
        }
        if pairs.len() < FEWEST {
            return Err(StatsError::TooFewPairs { pairs: pairs.len(), needed: FEWEST });
        }
        let look = self.looks.look(pairs.len(), 1.0 - self.confidence)?;
        Ok((look, log_interval(&self.log_ratios(pairs)?, look.alpha)?))
    }

    fn log_ratios(&self, pairs: &[Pair]) -> Result<Vec<f64>, StatsError> {
        let positive = |index, side, value: f64| {
            if value > 0.0 && value.is_finite() {
                Ok(value.ln())
            } else {
                Err(StatsError::NotPositive { index, side, value })
            }
        };
        let ratio = |(index, pair): (usize, &Pair)| {
            let baseline = positive(index, Side::Baseline, pair.baseline)?;
            let candidate = positive(index, Side::Candidate, pair.candidate)?;
            // A difference of logarithms, not the logarithm of a quotient: exactly negated by a swap.
            Ok(match self.better {
                Better::Lower => baseline - candidate,
                Better::Higher => candidate - baseline,
            })
        };
        pairs.iter().enumerate().map(ratio).collect()
    }
}

/// How many pairs in total the next look needs: some number while the verdict is undecided and the plan has a
/// look left, else `None`.
pub fn needs_more(result: &Comparison) -> Option<usize> {
    match result.verdict {
        Verdict::Undecided => result.settings.looks.next_after(result.pairs),
        Verdict::Better | Verdict::Worse | Verdict::Tie => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_band_is_closed_and_beating_it_is_strict() {
        let edge = 0.01_f64.ln_1p();
        assert_eq!(Verdict::of(edge, 0.02, 0.01), Verdict::Undecided);
        assert_eq!(Verdict::of(edge * 1.001, 0.02, 0.01), Verdict::Better);
        assert_eq!(Verdict::of(-0.02, -edge * 1.001, 0.01), Verdict::Worse);
        assert_eq!(Verdict::of(-edge, edge, 0.01), Verdict::Tie);
        assert_eq!(Verdict::of(0.0, 0.0, 0.0), Verdict::Tie);
        assert_eq!(Verdict::of(-0.001, 0.5, 0.01), Verdict::Undecided);
    }

    #[test]
    fn bad_numbers_and_settings_are_errors() {
        let good = Pair { baseline: 1.0, candidate: 2.0, first: None };
        let bad = Pair { candidate: 0.0, ..good };
        let settings = PairedComparison::once(Better::Lower, 0.01, 3);
        assert!(matches!(
            settings.compare(&[good, bad, good]),
            Err(StatsError::NotPositive { index: 1, side: Side::Candidate, .. })
        ));
        assert!(matches!(settings.compare(&[good; 2]), Err(StatsError::TooFewPairs { .. })));
        assert!(matches!(settings.compare(&[good; 4]), Err(StatsError::TooManyPairs { .. })));
        let odd = PairedComparison { threshold: f64::NAN, ..settings };
        assert!(matches!(odd.compare(&[good; 3]), Err(StatsError::Threshold { .. })));
        let sure = PairedComparison { confidence: 1.0, ..settings };
        assert!(matches!(sure.compare(&[good; 3]), Err(StatsError::Confidence { .. })));
        let tiny = Pair { baseline: 1e300, candidate: 1e-300, first: None };
        assert_eq!(settings.compare(&[tiny; 3]), Err(StatsError::Range));
    }
}
