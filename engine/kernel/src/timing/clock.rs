//! Whether the worker's clock can be believed: foreign code in its process could forge the time it reports, but not the judge's.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Blocks at least this long must agree within [`SHARE`], in nanoseconds.
const LONG: f64 = 1e6;
/// Least share of the judge's time that the worker must account for.
const SHARE: f64 = 0.9;
/// What the way there and back may take beyond twice the baseline's, in nanoseconds: it decides for short blocks, and on a machine so
/// busy that even honest blocks lose time on the way.
const SLACK: f64 = 20e3;

/// Two clocks that disagree.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Mismatch {
    /// What is wrong, a fragment.
    pub what: String,
    /// A block by the worker's clock, in nanoseconds.
    pub worker_ns: f64,
    /// The same by the judge's.
    pub judge_ns: f64,
}

/// Times of blocks, each by both clocks in nanoseconds.
#[derive(Debug, Clone, Default)]
pub struct Clocks {
    baseline: Vec<(f64, f64)>,
    candidate: Vec<(f64, f64)>,
}

impl Clocks {
    /// Adds a block.
    pub fn add(&mut self, candidate: bool, worker_ns: u64, judge_ns: u64) {
        let side = if candidate { &mut self.candidate } else { &mut self.baseline };
        side.push((worker_ns as f64, judge_ns as f64));
    }

    /// What is wrong with the candidate's clock. The judge's brackets the worker's, so the worker's is never longer; and in the
    /// median it is not much shorter, since a wake-up that came late hits single blocks only.
    pub fn mismatch(&self) -> Option<Mismatch> {
        if let Some((worker_ns, judge_ns)) = self.candidate.iter().find(|(worker, judge)| worker > judge) {
            let what = "a block took longer inside than outside".to_owned();
            return Some(Mismatch { what, worker_ns: *worker_ns, judge_ns: *judge_ns });
        }
        let way = |times: &[(f64, f64)]| middle(times.iter().map(|(worker, judge)| judge - worker));
        let (judge_ns, way_candidate) = (middle(self.candidate.iter().map(|(_, judge)| *judge))?, way(&self.candidate)?);
        let way_baseline = way(&self.baseline).unwrap_or(0.0);
        let share = if judge_ns >= LONG { (1.0 - SHARE) * judge_ns } else { 0.0 };
        if way_candidate <= share.max(2.0 * way_baseline + SLACK) {
            return None;
        }
        let what = "its clock leaves out much of what the judge's counts".to_owned();
        Some(Mismatch { what, worker_ns: judge_ns - way_candidate, judge_ns })
    }
}

fn middle(values: impl Iterator<Item = f64>) -> Option<f64> {
    assay_stats::median(&values.collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::Clocks;

    fn clocks(blocks: &[(u64, u64)]) -> Clocks {
        let mut clocks = Clocks::default();
        for (worker, judge) in blocks {
            clocks.add(false, *judge - 30_000, *judge);
            clocks.add(true, *worker, *judge);
        }
        clocks
    }

    #[test]
    fn honest_clocks_agree_even_where_a_wake_up_comes_late() {
        assert_eq!(clocks(&[(1_000_000, 1_030_000); 5]).mismatch(), None);
        assert_eq!(clocks(&[(1_000_000, 1_030_000), (1_000_000, 9_000_000), (1_000_000, 1_040_000)]).mismatch(), None);
        // A short block: the way there is a large share of it, and honest all the same.
        assert_eq!(clocks(&[(100_000, 150_000); 5]).mismatch(), None);
        assert_eq!(Clocks::default().mismatch(), None);
    }

    #[test]
    fn forged_clocks_do_not() {
        assert!(clocks(&[(800_000, 1_030_000); 5]).mismatch().is_some());
        assert!(clocks(&[(50_000, 300_000); 5]).mismatch().is_some());
        let longer = clocks(&[(1_000_000, 1_030_000), (1_030_001, 1_030_000)]).mismatch().expect("impossible");
        assert!(longer.what.contains("longer inside"), "{longer:?}");
    }
}
