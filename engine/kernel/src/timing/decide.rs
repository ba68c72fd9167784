//! What intervals say about speed.

use crate::task::Timing;
use crate::timing::estimate::Interval;
use crate::verdict::Code;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Half-width of the band within which an interval around 1 says "no change", as a share.
const SAME: f64 = 0.03;

/// What a measurement says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// Faster over all shapes, and no shape is slower by more than is borne.
    Faster,
    /// Faster over all shapes, but a shape is slower by more than is borne: more samples do not change that.
    Regresses,
    /// As fast.
    Same,
    /// Slower over all shapes.
    Slower,
    /// The samples do not tell.
    Undecided,
}

impl Decision {
    /// The verdict it leads to.
    pub fn code(self) -> Code {
        match self {
            Self::Faster => Code::AcceptFaster,
            Self::Same => Code::NoChange,
            Self::Slower => Code::RejectSlower,
            Self::Regresses | Self::Undecided => Code::Inconclusive,
        }
    }
}

/// Decides by the interval of the geometric mean and those of the headline shapes.
pub fn decide(geomean: &Interval, rows: &[Interval], timing: &Timing) -> Decision {
    if geomean.lo > 1.0 + timing.min_effect {
        let regressed = rows.iter().any(|row| row.hi < 1.0 - timing.regress_limit);
        return if regressed { Decision::Regresses } else { Decision::Faster };
    }
    if geomean.hi < 1.0 - timing.min_effect {
        return Decision::Slower;
    }
    if geomean.lo >= 1.0 - SAME && geomean.hi <= 1.0 + SAME && geomean.lo <= 1.0 && geomean.hi >= 1.0 {
        return Decision::Same;
    }
    Decision::Undecided
}

/// Whether the baseline, measured against itself, is as fast as itself. The estimate is asked, not the ends of its interval: how
/// wide that is, the verdict's own interval tells.
pub fn quiet(aa: &Interval, timing: &Timing) -> bool {
    aa.ratio.ln().abs() <= timing.max_aa.ln_1p()
}

#[cfg(test)]
mod tests {
    use super::{Decision, decide, quiet};
    use crate::task::Timing;
    use crate::timing::estimate::{Interval, interval};
    use crate::verdict::{Class, Code};
    use rand::rngs::StdRng;
    use rand::{RngExt, SeedableRng};

    fn at(lo: f64, hi: f64) -> Interval {
        Interval { ratio: (lo * hi).sqrt(), lo, hi }
    }

    #[test]
    fn each_interval_has_its_verdict() {
        let timing = Timing::default();
        for (geomean, rows, expected) in [
            (at(1.02, 1.10), vec![at(1.0, 1.2)], Decision::Faster),
            (at(1.02, 1.10), vec![at(0.90, 0.97)], Decision::Regresses),
            (at(1.02, 1.10), vec![at(0.90, 0.99)], Decision::Faster),
            (at(1.005, 1.10), vec![], Decision::Undecided),
            (at(0.99, 1.02), vec![], Decision::Same),
            (at(0.98, 0.995), vec![], Decision::Undecided),
            (at(0.96, 1.02), vec![], Decision::Undecided),
            (at(0.48, 0.51), vec![], Decision::Slower),
        ] {
            assert_eq!(decide(&geomean, &rows, &timing), expected, "{geomean:?} {rows:?}");
        }
        assert_eq!(Decision::Regresses.code(), Code::Inconclusive);
        assert_eq!(Decision::Faster.code().class(), Class::Accept);
    }

    #[test]
    fn the_baseline_may_differ_from_itself_by_the_limit_either_way() {
        let timing = Timing::default();
        assert!(quiet(&at(0.97, 1.03), &timing) && quiet(&at(1.009, 1.0091), &timing));
        assert!(!quiet(&at(1.011, 1.0111), &timing) && !quiet(&at(0.989, 0.9891), &timing));
    }

    /// An extension looks again, which gives chance another try: three looks at 2.5 % each are 7.5 % at most (Bonferroni) at the
    /// very edge of what counts as faster, a true gain of exactly the least effect. Without a gain it is next to never, which is
    /// what the least effect is for.
    #[test]
    fn looking_again_keeps_false_acceptances_rare() {
        let timing = Timing::default();
        let mut random = StdRng::seed_from_u64(5);
        let mut accepted = |truth: f64| {
            let runs = 4000;
            let count = (0..runs)
                .filter(|_| {
                    let mut medians: Vec<f64> = Vec::new();
                    for look in [7, 14, 28] {
                        while medians.len() < look {
                            // A sum of 12 uniform numbers is normal enough.
                            let noise: f64 = (0..12).map(|_| random.random::<f64>()).sum::<f64>() - 6.0;
                            medians.push(truth.ln() + 0.01 * noise);
                        }
                        match decide(&interval(&medians).expect("medians"), &[], &timing) {
                            Decision::Undecided => {}
                            other => return other == Decision::Faster,
                        }
                    }
                    false
                })
                .count();
            count as f64 / f64::from(runs)
        };
        let (edge, none) = (accepted(1.01), accepted(1.0));
        assert!(edge < 0.075, "{edge}");
        assert!(none < 0.01, "{none}");
    }
}
