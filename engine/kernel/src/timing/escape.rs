//! Whether a device works on when the caller's stream is done: two events bracket that stream, the worker's clock everything.

use super::clock::{Block, Mismatch};
use assay_stats::{median, student_interval};

/// Blocks below this say nothing: synchronising takes tens of microseconds.
const LEAST_NS: f64 = 1e6;
/// Share of the worker's time that the caller's stream must account for.
const SHARE: f64 = 0.95;
/// Two-sided error of saying that work escapes.
const ALPHA: f64 = 0.002;

/// Logarithm of how much longer the worker's clock runs than the events in blocks of the candidate, less the time by which it does in blocks
/// of the baseline: the median over pairs. To begin and to wait for the end takes a time of its own, however long a block is, and one
/// side's may be twice as long as the other's. `None` where the blocks are too short to tell.
pub(super) fn beyond(pairs: &[[Block; 2]]) -> Option<f64> {
    let long = pairs.iter().filter(|pair| pair.iter().all(|block| block.wall >= LEAST_NS));
    let all: Vec<f64> = long
        .map(|[baseline, candidate]| {
            let own = (baseline.wall - baseline.worker).max(0.0);
            ((candidate.wall - own).max(1.0) / candidate.worker.max(1.0)).ln()
        })
        .collect();
    median(&all)
}

/// What is wrong, by what each process pair shows; `None` below three.
pub(super) fn escapes(beyond: &[f64]) -> Option<Mismatch> {
    let found = student_interval(beyond, ALPHA).ok().filter(|_| beyond.len() >= 3)?;
    if found.low <= -SHARE.ln() {
        return None;
    }
    let what = "the device works on when the caller's stream is done".to_owned();
    Some(Mismatch { what, share: (-found.estimate).exp(), most: (-found.low).exp() })
}

#[cfg(test)]
mod tests {
    use super::{beyond, escapes};
    use crate::timing::clock::Block;

    fn block(worker: f64, wall: f64) -> Block {
        Block { worker, wall, cpu: wall, ..Block::default() }
    }

    #[test]
    fn work_beyond_the_stream_is_told_and_synchronising_is_not() {
        let honest = [[block(1e6, 1.03e6), block(0.98e6, 1.01e6)]; 9];
        let hidden = [[block(1e6, 1.03e6), block(0.3e6, 1.1e6)]; 9];
        let of = |pairs| beyond(pairs).expect("long blocks");
        assert!(of(&honest).abs() < 0.01);
        let seen = of(&hidden);
        assert_eq!(escapes(&[of(&honest), 0.001, -0.002]), None);
        assert_eq!(escapes(&[seen, seen]), None);
        let found = escapes(&[seen, seen + 0.01, seen - 0.01]).expect("told");
        assert!((found.share - 0.28).abs() < 0.02, "{found:?}");
    }

    #[test]
    fn what_every_block_costs_is_no_work_beyond_the_stream() {
        // The faster side's block is half as long, and waiting for the device takes both as long.
        let unequal = [[block(2e6, 2.12e6), block(1e6, 1.12e6)]; 9];
        assert_eq!(escapes(&[beyond(&unequal).expect("long blocks"); 3]), None);
    }

    #[test]
    fn short_blocks_say_nothing() {
        assert_eq!(beyond(&[[block(0.2e6, 0.9e6), block(0.1e6, 0.9e6)]]), None);
    }
}
