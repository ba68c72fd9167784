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

/// Intervals of what was measured so far.
#[derive(Debug, Clone, PartialEq)]
pub struct Look {
    /// Of the geometric mean over the headline shapes.
    pub geomean: Interval,
    /// The same by the judge's own clock, where that tells.
    pub seen: Option<Interval>,
    /// The same on data that no call had seen, where there was any.
    pub renewed: Option<Interval>,
    /// Of each headline shape.
    pub rows: Vec<Interval>,
}

/// A gain that must be shown on new data as well, in part at least; a smaller one is within what caches do.
const SOME_GAIN: f64 = 1.05;
/// A gain that is refused where that part is missing on new data.
const LARGE_GAIN: f64 = 1.1;
/// That part, of its logarithm: hot data lets a kernel gain more than new data does, but not four times as much.
const PART: f64 = 0.25;

/// A loss of more than this is seen in a few samples; nobody needs to know it exactly.
const FAR_SLOWER: f64 = 0.2;

/// What one process pair shows: logarithms of how much faster the candidate is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Hint {
    /// On data that comes again.
    pub hot: f64,
    /// The same by the judge's clock, where that tells.
    pub seen: Option<f64>,
    /// On data that no call has seen, where there was any.
    pub renewed: Option<f64>,
}

impl Hint {
    /// Whether there is reason to look closer: it seems far slower, or its gain is not there on new data or by the judge's clock.
    pub fn suspect(&self, timing: &Timing) -> bool {
        let missing = |other: Option<f64>| other.is_some_and(|other| other < PART * self.hot);
        self.hot < (1.0 - FAR_SLOWER).ln()
            || self.hot > timing.min_effect.ln_1p() && missing(self.renewed)
            || self.hot > LARGE_GAIN.ln() && missing(self.seen)
    }
}

impl Look {
    /// Whether the candidate is so much slower that few samples are enough. The interval lies so far below the least effect that
    /// looking once more for this adds nothing to the error that the other looks share.
    pub fn far_slower(&self) -> bool {
        self.geomean.hi < 1.0 - FAR_SLOWER
    }

    /// What of the gain must be there on new data, and by the judge's clock.
    fn part(&self) -> f64 {
        self.geomean.lo.powf(PART)
    }

    /// Whether the gain is one of data that comes again, and not of new data: the candidate is slower there, or next to nothing is
    /// left of a large gain.
    pub fn remembers(&self, timing: &Timing) -> bool {
        let Some(renewed) = self.renewed.filter(|_| self.geomean.lo > 1.0 + timing.min_effect) else {
            return false;
        };
        renewed.hi < 1.0 - timing.min_effect || self.geomean.lo > LARGE_GAIN && renewed.hi < self.part()
    }

    /// Whether it is not shown that a part of the gain is there on new data.
    pub fn unproven(&self) -> bool {
        self.geomean.lo > SOME_GAIN && self.renewed.is_some_and(|renewed| renewed.lo <= self.part())
    }

    /// Whether the candidate is faster by the worker's clock, which foreign code could reach, and not by the judge's.
    pub fn unseen(&self, timing: &Timing) -> bool {
        self.geomean.lo > 1.0 + timing.min_effect && self.seen.is_some_and(|seen| seen.lo <= 1.0)
    }

    /// Whether the judge's clock shows next to nothing of a large gain: then the worker's is forged.
    pub fn forged(&self) -> bool {
        self.geomean.lo > LARGE_GAIN && self.seen.is_some_and(|seen| seen.hi < self.part())
    }
}

/// Decides by what a look shows.
pub fn decide(look: &Look, timing: &Timing) -> Decision {
    let Look { geomean, rows, .. } = look;
    if geomean.lo > 1.0 + timing.min_effect {
        if look.unseen(timing) || look.unproven() {
            return Decision::Undecided;
        }
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

/// How much farther than the baseline's difference from itself an effect must reach to be believed all the same.
const FAR: f64 = 3.0;

/// What the baseline, measured against itself, says about the machine.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Noise {
    /// It is as fast as itself, and the interval is narrow enough to say so.
    Quiet,
    /// It differs from itself by more than is allowed.
    Off {
        /// By this share.
        by: f64,
    },
    /// The interval is too wide to say that it does not.
    Wide {
        /// Its farther end lies this share from 1.
        by: f64,
    },
}

impl Noise {
    /// What a difference from itself means: an estimate within `max_aa` and an interval no wider than twice that. `stretch` is
    /// how many times as wide the interval may be where fewer process pairs than the task asks for were taken.
    pub fn of(aa: &Interval, timing: &Timing, stretch: f64) -> Self {
        let limit = timing.max_aa.ln_1p();
        let off = aa.ratio.ln().abs();
        if (aa.hi / aa.lo).ln() > 2.0 * limit * stretch {
            Self::Wide { by: aa.hi.ln().abs().max(aa.lo.ln().abs()).exp_m1() }
        } else if off > limit {
            Self::Off { by: off.exp_m1() }
        } else {
            Self::Quiet
        }
    }

    /// Whether the verdict stands. A baseline that differs from itself says that the machine is not fit to compare anything. Where it is
    /// only uncertain whether it does, an effect that is far larger stands: the near end of its interval lies beyond the least
    /// effect by more than three times what the baseline may differ from itself.
    pub fn lets_stand(self, geomean: &Interval, timing: &Timing) -> bool {
        let by = match self {
            Self::Quiet => return true,
            Self::Off { .. } => return false,
            Self::Wide { by } => by,
        };
        let reach = timing.min_effect + FAR * by;
        geomean.lo > 1.0 + reach || geomean.hi < 1.0 - reach
    }

    /// What is wrong, a fragment; empty if nothing is.
    pub fn what(self, aa: &Interval, timing: &Timing) -> String {
        let most = timing.max_aa * 1e2;
        match self {
            Self::Quiet => String::new(),
            Self::Off { by } => {
                format!(
                    "the baseline differs from itself by {:.1} %, at most {most:.1} % is allowed",
                    by * 1e2
                )
            }
            Self::Wide { .. } => format!(
                "how much the baseline differs from itself is too uncertain: {:.3} to {:.3}, at most {most:.1} % is allowed",
                aa.lo, aa.hi
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Decision, Hint, Look, Noise, decide};
    use crate::task::Timing;
    use crate::timing::estimate::{ALPHA, Interval, interval};
    use crate::verdict::{Class, Code};
    use assay_stats::Looks;
    use rand::rngs::StdRng;
    use rand::{RngExt, SeedableRng};

    fn at(lo: f64, hi: f64) -> Interval {
        Interval { ratio: (lo * hi).sqrt(), lo, hi, level: 0.95 }
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
            let look = Look { geomean, seen: None, renewed: None, rows };
            assert_eq!(decide(&look, &timing), expected, "{look:?}");
        }
        assert_eq!(Decision::Regresses.code(), Code::Inconclusive);
        assert_eq!(Decision::Faster.code().class(), Class::Accept);
    }

    #[test]
    fn a_win_that_the_judge_does_not_see_is_none() {
        let timing = Timing::default();
        for (seen, expected) in [
            (None, Decision::Faster),
            (Some(at(1.001, 1.08)), Decision::Faster),
            (Some(at(0.999, 1.08)), Decision::Undecided),
            (Some(at(0.97, 0.99)), Decision::Undecided),
        ] {
            let look = Look { geomean: at(1.02, 1.10), seen, renewed: None, rows: Vec::new() };
            assert_eq!(
                (decide(&look, &timing), look.unseen(&timing)),
                (expected, expected != Decision::Faster)
            );
        }
        let far = |seen| Look { geomean: at(6.0, 24.0), seen: Some(seen), renewed: None, rows: Vec::new() };
        assert_eq!(decide(&far(at(0.5, 84.0)), &timing), Decision::Undecided, "however large the gain");
        assert_eq!(decide(&far(at(4.0, 10.0)), &timing), Decision::Faster);
        assert_eq!([far(at(0.9, 1.3)), far(at(0.9, 1.7))].map(|look| look.forged()), [true, false]);
        let slower =
            Look { geomean: at(0.90, 0.92), seen: Some(at(0.90, 0.95)), renewed: None, rows: Vec::new() };
        assert_eq!((decide(&slower, &timing), slower.unseen(&timing)), (Decision::Slower, false));
    }

    #[test]
    fn a_gain_that_new_data_does_not_have_is_one_of_memory() {
        let timing = Timing::default();
        for (geomean, renewed, remembers) in [
            (at(3.8, 4.0), None, false),
            (at(3.8, 4.0), Some(at(0.3, 0.5)), true),
            (at(3.8, 4.0), Some(at(1.0, 1.3)), true),
            (at(3.8, 4.0), Some(at(1.3, 1.5)), false),
            (at(1.02, 1.04), Some(at(0.95, 0.995)), false),
            (at(1.02, 1.04), Some(at(0.95, 0.98)), true),
            (at(1.16, 1.18), Some(at(0.99, 1.02)), true),
            // It wins nothing.
            (at(0.99, 1.01), Some(at(0.5, 0.6)), false),
        ] {
            let look = Look { geomean, seen: None, renewed, rows: Vec::new() };
            assert_eq!(look.remembers(&timing), remembers, "{look:?}");
        }
        // Who wins has to show it there, too; a little is within what caches do.
        for (geomean, renewed, decision) in [
            (at(3.8, 4.0), at(1.3, 4.0), Decision::Undecided),
            (at(3.8, 4.0), at(1.5, 4.0), Decision::Faster),
            (at(1.06, 1.08), at(1.00, 1.05), Decision::Undecided),
            (at(1.06, 1.08), at(1.02, 1.05), Decision::Faster),
            (at(1.02, 1.04), at(0.99, 1.01), Decision::Faster),
        ] {
            let look = Look { geomean, seen: None, renewed: Some(renewed), rows: Vec::new() };
            assert_eq!(decide(&look, &timing), decision, "{look:?}");
        }
    }

    #[test]
    fn what_is_far_off_is_looked_at_closer() {
        let timing = Timing::default();
        for (hot, renewed, closer) in [
            (0.5_f64, Some(0.5_f64), true),
            (0.79, None, true),
            (0.81, Some(0.81), false),
            (1.0, Some(0.5), false),
            (4.0, Some(0.4), true),
            (4.0, Some(1.3), true),
            (4.0, Some(1.5), false),
            (4.0, None, false),
            (1.05, Some(1.02), false),
            (1.05, Some(0.99), true),
        ] {
            let hint = Hint { hot: hot.ln(), seen: Some(hot.ln()), renewed: renewed.map(f64::ln) };
            assert_eq!(hint.suspect(&timing), closer, "{hint:?}");
        }
        assert!(Hint { hot: 1.0, seen: Some(0.1), renewed: Some(1.0) }.suspect(&timing));
        let look = |lo, hi| Look { geomean: at(lo, hi), seen: None, renewed: None, rows: Vec::new() };
        assert_eq!([look(0.5, 0.79), look(0.5, 0.81)].map(|look| look.far_slower()), [true, false]);
    }

    #[test]
    fn the_baseline_may_differ_from_itself_by_the_limit_either_way() {
        let timing = Timing::default();
        let of = |lo, hi| Noise::of(&at(lo, hi), &timing, 1.0);
        assert_eq!([of(0.991, 1.009), of(1.009, 1.0091), of(0.9999, 1.0101)], [Noise::Quiet; 3]);
        for (lo, hi) in [(1.011, 1.0111), (0.989, 0.9891)] {
            assert!(matches!(of(lo, hi), Noise::Off { by } if (by - 0.011).abs() < 1e-3));
        }
        // As fast as itself by the estimate, which may be chance: the interval reaches far beyond the limit.
        assert!(matches!(of(0.97, 1.03), Noise::Wide { by } if (by - 0.0309).abs() < 1e-3));
        assert_eq!(Noise::of(&at(0.98, 1.02), &timing, 2.7), Noise::Quiet, "few process pairs");
    }

    #[test]
    fn an_effect_far_beyond_the_noise_stands() {
        let timing = Timing::default();
        let wide = Noise::Wide { by: 0.02 };
        for (lo, hi, stands) in [
            (7.5, 8.1, true),
            (1.071, 1.2, true),
            (1.069, 1.2, false),
            (0.48, 0.52, true),
            (0.90, 0.929, true),
            (0.90, 0.931, false),
            (0.99, 1.01, false),
        ] {
            assert_eq!(wide.lets_stand(&at(lo, hi), &timing), stands, "{lo} {hi}");
            assert!(!Noise::Off { by: 0.02 }.lets_stand(&at(lo, hi), &timing));
        }
        assert!(Noise::Quiet.lets_stand(&at(0.99, 1.01), &timing));
        assert!(!Noise::Wide { by: 0.5 }.lets_stand(&at(0.1, 0.2), &timing), "nothing is slower than that");
    }

    /// How often a plan of looks ends with a decision, where the true ratio is `truth` and the medians of process pairs spread by
    /// `spread`; and how often its last interval holds the truth.
    fn ends(truth: f64, spread: f64, looks: Looks, wanted: Decision) -> (f64, f64) {
        let (timing, runs) = (Timing::default(), 20_000);
        let mut random = StdRng::seed_from_u64(5);
        let (mut ended, mut held) = (0, 0);
        for _ in 0..runs {
            let (mut medians, mut last) = (Vec::<f64>::new(), Decision::Undecided);
            for processes in looks.schedule() {
                while medians.len() < processes {
                    // A sum of 12 uniform numbers is normal enough.
                    let noise: f64 = (0..12).map(|_| random.random::<f64>()).sum::<f64>() - 6.0;
                    medians.push(truth.ln() + spread * noise);
                }
                let alpha = looks.look(processes, ALPHA).expect("a planned look").alpha;
                let found = interval(&medians, alpha).expect("medians");
                last = decide(&Look { geomean: found, seen: None, renewed: None, rows: Vec::new() }, &timing);
                if last != Decision::Undecided || processes == looks.max {
                    held += usize::from(found.lo <= truth && truth <= found.hi);
                    break;
                }
            }
            ended += usize::from(last == wanted);
        }
        (ended as f64 / f64::from(runs), held as f64 / f64::from(runs))
    }

    /// Each look has its part of the error, so that all of them together are wrong in one case of 40 at most, at the very edge of
    /// what counts: a true gain, or loss, of exactly the least effect. Without a gain it is next to never.
    #[test]
    fn looking_again_costs_no_error() {
        let plan = Looks { first: 7, max: 28 };
        for spread in [0.003, 0.01, 0.03] {
            for looks in [plan, Looks::once(7), Looks::once(3)] {
                let (faster, held) = ends(1.01, spread, looks, Decision::Faster);
                assert!(faster <= 0.0275, "{spread} {looks:?}: {faster}");
                assert!(held >= 0.946, "{spread} {looks:?}: {held}");
                let (slower, _) = ends(0.99, spread, looks, Decision::Slower);
                assert!(slower <= 0.0275, "{spread} {looks:?}: {slower}");
            }
            let (none, held) = ends(1.0, spread, plan, Decision::Faster);
            assert!(none < 0.01 && held >= 0.946, "{spread}: {none} {held}");
        }
        // What is there is found: a gain of 4 % where process pairs differ by 1 %.
        let (found, held) = ends(1.04, 0.01, plan, Decision::Faster);
        assert!(found > 0.98 && held >= 0.946, "{found} {held}");
    }
}
