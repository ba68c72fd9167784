//! Which times can be believed: foreign code in its process could forge the time that it reports, but not what the judge sees.
//!
//! The judge sees two things: the time between its request and the reply, which brackets the block, and the processor time that the
//! system counts for the worker. On an idle machine both are the same; on a busy one the first also holds the wait for a
//! processor, which says nothing about the block, so the smaller one counts. Receiving a request and answering it takes tens of
//! microseconds of it, more in one process than in the next, so a block alone proves little: a pair that is far off is left out,
//! and what is missing on average over process pairs decides.

use assay_stats::{median, percentile, student_interval};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Least share of the judge's time that the worker must account for.
const SHARE: f64 = 0.9;
/// What request and reply may take in one block beyond twice the baseline's usual, in nanoseconds.
const SLACK: f64 = 100e3;
/// What a worker may compute between a reply and the next request, in nanoseconds and as a share of a block of the baseline, beyond
/// what the baseline's does: it frees what the request took.
const IDLE: f64 = 20e3;
const IDLE_SHARE: f64 = 0.05;
/// Share of blocks that is nearly all of them. A busy machine delays both sides alike.
const NEARLY_ALL: f64 = 0.8;
/// Two-sided error of saying that a clock is forged.
const ALPHA: f64 = 0.002;

/// Two clocks that disagree.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Mismatch {
    /// What is wrong, a fragment.
    pub what: String,
    /// Share of the judge's time that the candidate's clock accounts for.
    pub share: f64,
    /// The most that it can be.
    pub most: f64,
}

/// A block by both clocks, in nanoseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Block {
    /// The worker's.
    pub worker: f64,
    /// From the judge's request to the reply.
    pub wall: f64,
    /// Processor time of the worker meanwhile; the same as `wall` where the system does not tell.
    pub cpu: f64,
    /// What the judge saw of it, less the baseline's copy of an output: nothing in it is told by the candidate's worker.
    pub bound: f64,
}

impl Block {
    /// What the judge saw of the worker's work.
    fn seen(&self) -> f64 {
        self.wall.min(self.cpu)
    }

    /// What the judge saw and the worker did not.
    fn way(&self) -> f64 {
        self.seen() - self.worker
    }

    /// Whether it took longer by the worker's clock than by the judge's.
    fn impossible(&self) -> bool {
        self.worker > self.wall
    }

    fn believable(&self, usual: f64) -> bool {
        !self.impossible() && self.way() <= ((1.0 - SHARE) * self.seen()).max(2.0 * usual + SLACK)
    }
}

/// What was seen of the pairs (baseline, candidate) of one process pair at one shape.
#[derive(Debug, Clone, PartialEq)]
pub struct Looked {
    /// Which pairs count.
    pub counts: Vec<bool>,
    /// Logarithm of the judge's time of a block of the candidate, less the baseline's usual way, over its own; the median.
    pub missing: f64,
    /// Whether a block of the candidate took longer by its own clock than by the judge's.
    pub impossible: bool,
    /// Logarithm of how much faster the candidate is by the judge's clock alone, the median over all pairs. Requests and replies are in
    /// it, alike on both sides, so it is rather nearer to none than the truth.
    pub gain: f64,
    /// Whether nearly all blocks of the baseline can be believed, and hardly any of the candidate's.
    pub one_sided: bool,
}

/// Looks at pairs (baseline, candidate).
pub fn look(pairs: &[[Block; 2]]) -> Looked {
    let ways: Vec<f64> = pairs.iter().map(|pair| pair[0].way()).collect();
    let usual = |part: f64| percentile(&ways, part).unwrap_or(0.0).max(0.0);
    let (quick, typical) = (usual(25.0), usual(50.0));
    let missing: Vec<f64> = pairs
        .iter()
        .map(|[_, block]| ((block.seen() - typical).max(1.0) / block.worker.max(1.0)).ln())
        .collect();
    let believed = |side: usize| {
        let count = pairs.iter().filter(|pair| pair[side].believable(quick)).count();
        count as f64 / pairs.len().max(1) as f64
    };
    let typically_missing = median(&missing).unwrap_or(0.0);
    let middle =
        |of: &dyn Fn(&[Block; 2]) -> f64| median(&pairs.iter().map(of).collect::<Vec<_>>()).unwrap_or(0.0);
    Looked {
        gain: middle(&|[theirs, own]| (theirs.bound.max(1.0) / own.bound.max(1.0)).ln()),
        one_sided: believed(0) >= NEARLY_ALL
            && believed(1) <= 1.0 - NEARLY_ALL
            && typically_missing > -SHARE.ln(),
        counts: pairs.iter().map(|pair| pair.iter().all(|block| block.believable(quick))).collect(),
        missing: typically_missing,
        impossible: pairs.iter().any(|[_, block]| block.impossible()),
    }
}

/// What is wrong with the candidate's clock, by what is missing in each process pair; `None` below three.
pub fn mismatch(missing: &[f64]) -> Option<Mismatch> {
    let found = student_interval(missing, ALPHA).ok().filter(|_| missing.len() >= 3)?;
    if found.low <= -SHARE.ln() {
        return None;
    }
    let what = "its clock leaves out much of what the judge's counts".to_owned();
    Some(Mismatch { what, share: (-found.estimate).exp(), most: (-found.low).exp() })
}

/// The mismatch of a process pair in which hardly a block of the candidate can be believed, though those of the baseline can.
pub fn one_sided(looked: &Looked) -> Mismatch {
    Mismatch {
        what: "hardly a block lasted as short by the judge's clock as by its own, though the baseline's did"
            .to_owned(),
        share: (-looked.missing).exp(),
        most: SHARE,
    }
}

/// The mismatch of a worker that computes between a reply and the next request, where no clock looks. All in nanoseconds, on average:
/// what each side computes there, and how long a block of the baseline takes.
pub fn between(idle: [f64; 2], block: f64) -> Option<Mismatch> {
    let [theirs, own] = idle;
    let most = IDLE.max(IDLE_SHARE * block);
    (own - theirs > most).then(|| Mismatch {
        what: format!("its worker computes for {:.0} us between calls, where no time is taken", own / 1e3),
        share: block / (block + own),
        most: block / (block + theirs + most),
    })
}

/// The mismatch of a block that is impossible.
pub fn impossible() -> Mismatch {
    Mismatch {
        what: "a block took longer by its own clock than by the judge's".to_owned(),
        share: f64::MAX,
        most: 1.0,
    }
}

#[cfg(test)]
mod tests {
    use super::{Block, between, look, mismatch, one_sided};

    fn block(worker: f64, way: f64) -> Block {
        let seen = worker + way;
        Block { worker, wall: seen, cpu: seen, bound: seen }
    }

    #[test]
    fn a_wait_for_a_processor_is_nobodys_fault() {
        for worker in [1e6, 0.2e6] {
            let late = |at: usize| Block {
                wall: worker + 3e6,
                ..block(worker, if at.is_multiple_of(3) { 20e3 } else { 60e3 })
            };
            let pairs: Vec<_> = (0..90).map(|at| [block(1e6, 25e3), late(at)]).collect();
            let looked = look(&pairs);
            assert!(looked.counts.iter().all(|counts| *counts) && !looked.impossible);
            // Interrupted inside: the worker's clock runs, its processor time does not.
            let inside =
                Block { worker: worker + 3e6, wall: worker + 3.03e6, cpu: worker + 30e3, ..Block::default() };
            assert_eq!(look(&[[block(1e6, 25e3), inside]]).counts, [true]);
        }
    }

    #[test]
    fn ways_that_differ_between_processes_are_no_forgery() {
        // Seen on a busy machine: 12 us in one process, 60 us in the next, whoever's it is.
        let missing: Vec<f64> = [
            (12e3, 60e3),
            (60e3, 12e3),
            (15e3, 50e3),
            (40e3, 60e3),
            (12e3, 60e3),
            (60e3, 60e3),
            (12e3, 12e3),
        ]
        .iter()
        .map(|(baseline, candidate)| look(&[[block(1.8e6, *baseline), block(0.43e6, *candidate)]; 9]).missing)
        .collect();
        assert_eq!(mismatch(&missing), None);
        assert_eq!(mismatch(&missing[..3]), None);
        assert_eq!(mismatch(&[]), None);
    }

    #[test]
    fn forged_blocks_do_not_count_and_are_told() {
        // It does 1 ms of work and reports 0.7 of it, in six blocks of ten.
        let forged = |at: usize| if at % 10 < 6 { block(0.7e6, 0.33e6) } else { block(1e6, 30e3) };
        let pairs: Vec<_> = (0..100).map(|at| [block(1e6, 25e3 + at as f64), forged(at)]).collect();
        let looked = look(&pairs);
        assert!((0..100).all(|at| looked.counts[at] == (at % 10 >= 6)) && !looked.one_sided);
        let found = mismatch(&[looked.missing, looked.missing + 0.01, looked.missing - 0.01]).expect("told");
        assert!((found.share - 0.7).abs() < 0.02 && found.most < 0.9, "{found:?}");
        // Short blocks: 0.3 ms of work, 0.22 ms reported, which a single block may well be.
        let short = look(&[[block(1e6, 30e3), block(0.22e6, 0.11e6)]; 9]);
        assert!(short.counts.iter().all(|counts| *counts));
        assert!(
            mismatch(&[short.missing, short.missing + 0.02, short.missing - 0.02, short.missing]).is_some()
        );
    }

    #[test]
    fn a_clock_that_always_lies_is_told_at_once() {
        for (lie, told) in [(0.0, false), (0.1, false), (0.3, true), (0.6, true)] {
            // A millisecond each; of the candidate's a part is left out.
            let forged = |at: usize| block(1e6 * (1.0 - lie), 1e6 * lie + 20e3 + 500.0 * at as f64);
            let looked = look(&[0, 1, 2, 3, 4, 5, 6, 7].map(|at| [block(1e6, 25e3), forged(at)]));
            assert_eq!(looked.one_sided, told, "{lie}");
            assert!(!told || (one_sided(&looked).share - (1.0 - lie)).abs() < 0.02, "{lie}: {looked:?}");
        }
        // Both sides come late: the machine's doing.
        assert!(!look(&[[block(1e6, 5e5), block(1e6, 5e5)]; 8]).one_sided);
        assert!(!look(&[]).one_sided);
    }

    #[test]
    fn work_between_calls_is_told() {
        assert_eq!((between([5e3, 12e3], 1e6), between([5e3, 50e3], 1e6)), (None, None));
        assert_eq!(between([5e3, 30e3], 1e4).map(|found| found.share < 0.5), Some(true), "short blocks");
        assert!((between([5e3, 0.7e6], 1e6).expect("told").share - 0.59).abs() < 0.01);
    }

    #[test]
    fn the_gain_that_the_judge_sees_does_not_ask_the_worker() {
        let lie = look(&[[block(1e6, 30e3), block(0.4e6, 630e3)]; 9]);
        assert!(lie.gain.abs() < 1e-9, "{lie:?}");
        let win = look(&[[block(1e6, 30e3), block(0.1e6, 30e3)]; 9]);
        assert!((win.gain - 7.92_f64.ln()).abs() < 0.01, "a little less than ten: {win:?}");
    }

    #[test]
    fn no_block_is_longer_inside_than_outside() {
        let looked = look(&[[block(1e6, 30e3), block(1e6, -1.0)]]);
        assert!(looked.impossible && looked.counts == [false]);
    }
}
