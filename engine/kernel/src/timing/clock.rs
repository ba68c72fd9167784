//! Which times can be believed: foreign code in its process could forge the time that it reports, but not the judge's.
//!
//! The judge's clock brackets the worker's. A pair of blocks counts only where both sides account for what the judge saw, so
//! forging gains nothing; and who forges loses far more blocks than the baseline does on the same busy machine.

use assay_stats::percentile;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Blocks at least this long must agree within [`SHARE`], in nanoseconds.
const LONG: f64 = 1e6;
/// Least share of the judge's time that the worker must account for in a long block.
const SHARE: f64 = 0.9;
/// What the way there and back may take beyond twice the baseline's usual way, in nanoseconds. It decides for short blocks.
const SLACK: f64 = 10e3;
/// Share by which more of the candidate's blocks than of the baseline's must be late before it is called forging. Late wake-ups hit
/// both alike; of 60 blocks each, chance makes a difference of more than this once in 1,000 times at worst.
const MORE: f64 = 0.3;
/// Fewest blocks of each side for that.
const FEWEST: usize = 60;

/// Two clocks that disagree.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Mismatch {
    /// What is wrong, a fragment.
    pub what: String,
    /// Blocks of each side.
    pub blocks: usize,
    /// Those of the candidate that leave out time.
    pub candidate: usize,
    /// Those of the baseline that would, by the same measure.
    pub baseline: usize,
}

/// A block by both clocks, in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Block {
    /// The worker's.
    pub worker: f64,
    /// The judge's.
    pub judge: f64,
}

impl Block {
    /// What the judge saw and the worker did not.
    fn way(&self) -> f64 {
        self.judge - self.worker
    }
}

/// Counts over a whole measurement.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Late {
    blocks: usize,
    candidate: usize,
    baseline: usize,
    impossible: bool,
}

/// What may be missing of blocks of this length.
fn allowed(blocks: impl Iterator<Item = Block>, usual: f64) -> f64 {
    let judge = percentile(&blocks.map(|block| block.judge).collect::<Vec<_>>(), 50.0).unwrap_or(0.0);
    let share = if judge >= LONG { (1.0 - SHARE) * judge } else { 0.0 };
    share.max(2.0 * usual + SLACK)
}

impl Late {
    /// Looks at the pairs (baseline, candidate) of one process pair at one shape, and tells which of them count.
    pub fn look(&mut self, pairs: &[[Block; 2]]) -> Vec<bool> {
        let side = |at: usize| pairs.iter().map(move |pair| pair[at]);
        // The way when nothing else wants the processor.
        let usual = percentile(&side(0).map(|block| block.way()).collect::<Vec<_>>(), 25.0).unwrap_or(0.0).max(0.0);
        let (baseline, candidate) = (allowed(side(0), usual), allowed(side(1), usual));
        self.blocks += pairs.len();
        self.candidate += side(1).filter(|block| block.way() > candidate).count();
        self.baseline += side(0).filter(|block| block.way() > candidate).count();
        self.impossible |= side(1).any(|block| block.way() < 0.0);
        let counts = |pair: &[Block; 2]| {
            (0.0..=baseline).contains(&pair[0].way()) && (0.0..=candidate).contains(&pair[1].way())
        };
        pairs.iter().map(counts).collect()
    }

    /// What is wrong with the candidate's clock.
    pub fn mismatch(&self) -> Option<Mismatch> {
        let Self { blocks, candidate, baseline, impossible } = *self;
        let told = |what: &str| Some(Mismatch { what: what.to_owned(), blocks, candidate, baseline });
        if impossible {
            return told("a block took longer by its own clock than by the judge's");
        }
        if blocks >= FEWEST && (candidate as f64 - baseline as f64) > MORE * blocks as f64 {
            return told("its clock leaves out much of what the judge's counts");
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::{Block, Late};

    fn block(worker: f64, way: f64) -> Block {
        Block { worker, judge: worker + way }
    }

    /// Ways that a busy machine makes: every third is late by a slice of the scheduler.
    fn busy(at: usize) -> f64 {
        if at.is_multiple_of(3) { 3e6 } else { 30e3 }
    }

    #[test]
    fn honest_clocks_agree_on_a_busy_machine_and_late_blocks_do_not_count() {
        for worker in [1e6, 0.2e6] {
            let pairs: Vec<_> = (0..90).map(|at| [block(1e6, busy(at)), block(worker, busy(at + 1))]).collect();
            let mut late = Late::default();
            let counts = late.look(&pairs);
            assert_eq!(late.mismatch(), None);
            assert_eq!(counts.iter().filter(|counts| **counts).count(), 30);
        }
        assert_eq!(Late::default().mismatch(), None);
    }

    #[test]
    fn forged_blocks_do_not_count_and_are_told() {
        // It does 1 ms of work and reports 0.7 of it, in six blocks of ten.
        let forged = |at: usize| if at % 10 < 6 { block(0.7e6, 0.33e6) } else { block(1e6, 30e3) };
        let pairs: Vec<_> = (0..100).map(|at| [block(1e6, 30e3), forged(at)]).collect();
        let mut late = Late::default();
        let counts = late.look(&pairs);
        assert!((0..100).all(|at| counts[at] == (at % 10 >= 6)));
        let found = late.mismatch().expect("told");
        assert_eq!((found.blocks, found.candidate, found.baseline), (100, 60, 0));
        // Short blocks: 0.3 ms of work, 0.15 ms reported.
        let mut late = Late::default();
        late.look(&vec![[block(1e6, 30e3), block(0.15e6, 0.18e6)]; 60]);
        assert!(late.mismatch().is_some());
    }

    #[test]
    fn no_block_is_longer_inside_than_outside() {
        let mut late = Late::default();
        assert_eq!(late.look(&[[block(1e6, 30e3), block(1e6, -1.0)]]), [false]);
        assert!(late.mismatch().expect("impossible").what.contains("longer by its own"));
    }
}
