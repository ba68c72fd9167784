//! What a sample does, drawn from a seed that the candidate cannot know: which side goes first, in which order buffer sets are
//! used, which call is watched, which output is looked at afterwards.

use assay_stats::{Side, pair_order};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

/// Fewest buffer sets of a block: one set would stay in the nearest cache, and would let a kernel answer from memory.
pub const SETS: usize = 8;
/// Most calls of a block.
pub const MOST_CALLS: usize = 4096;
/// How much longer than asked the slower side's block may be. Both sides make the same calls, so that both pay alike for the first
/// touch of each buffer.
const STRETCH: f64 = 2.0;

/// One sample: a block of each side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    /// Which side goes first.
    pub first: Side,
    /// Buffer sets in the order of the calls; the same for both sides.
    pub order: Vec<usize>,
    /// The call whose output is copied when it returns, and which of the outputs.
    pub watched: (usize, usize),
    /// The set whose data is changed for this sample and whose outputs are compared with the oracle's.
    pub picked: usize,
    /// A set that gets other data as a whole.
    pub moved: usize,
    /// Seed of the change.
    pub seed: u64,
}

/// The samples of one process pair at one shape. A longer plan begins with the shorter one.
pub fn samples(seed: u64, samples: usize, calls: usize, outputs: usize) -> Vec<Sample> {
    let mut random = StdRng::seed_from_u64(seed);
    let firsts = pair_order(random.random(), samples);
    let calls = calls.max(1);
    firsts
        .into_iter()
        .map(|first| {
            let turn = shuffled(&mut random);
            let order: Vec<usize> = (0..calls).map(|call| turn[call % SETS]).collect();
            let used = calls.min(SETS);
            // A later call of the same set would find what an earlier one left.
            let call = random.random_range(0..used);
            Sample {
                first,
                watched: (call, random.random_range(0..outputs.max(1))),
                picked: turn[random.random_range(0..used)],
                moved: turn[random.random_range(0..used)],
                seed: random.random(),
                order,
            }
        })
        .collect()
}

/// A sample on data that nothing has seen: each set once, in any order.
pub fn once(seed: u64, outputs: usize) -> Sample {
    let mut random = StdRng::seed_from_u64(seed);
    let order = shuffled(&mut random);
    Sample {
        first: if random.random() { Side::Baseline } else { Side::Candidate },
        watched: (random.random_range(0..SETS), random.random_range(0..outputs.max(1))),
        picked: order[random.random_range(0..SETS)],
        moved: order[0],
        seed: random.random(),
        order: order.to_vec(),
    }
}

fn shuffled(random: &mut StdRng) -> [usize; SETS] {
    let mut turn: [usize; SETS] = std::array::from_fn(|at| at);
    for at in (1..SETS).rev() {
        turn.swap(at, random.random_range(0..=at));
    }
    turn
}

/// Calls of a block, the same for both sides, so that the faster side's block takes about `block_us` and the slower side's at most
/// twice that. Times are nanoseconds of one call.
pub fn calls(block_us: u32, ns: [f64; 2]) -> usize {
    let block = f64::from(block_us) * 1e3;
    let (fast, slow) = (ns[0].min(ns[1]).max(1.0), ns[0].max(ns[1]).max(1.0));
    let calls = (block / fast).min(STRETCH * block / slow);
    (calls.round() as usize).clamp(1, MOST_CALLS)
}

#[cfg(test)]
mod tests {
    use super::{MOST_CALLS, SETS, calls, samples};
    use assay_stats::Side;

    #[test]
    fn a_plan_repeats_extends_and_is_balanced() {
        let long = samples(3, 50, 20, 2);
        assert_eq!(long[..], samples(3, 50, 20, 2)[..]);
        assert_ne!(long, samples(4, 50, 20, 2));
        assert_eq!(long.iter().filter(|sample| sample.first == Side::Baseline).count(), 25);
        for sample in &long {
            assert_eq!(sample.order.len(), 20);
            let mut sets = sample.order[..SETS].to_vec();
            sets.sort_unstable();
            assert_eq!(sets, (0..SETS).collect::<Vec<_>>(), "each set once before any twice");
            assert!(sample.watched.0 < SETS && sample.watched.1 < 2);
            assert!(sample.order.contains(&sample.picked));
        }
        let watched: std::collections::BTreeSet<_> = long.iter().map(|sample| sample.watched.0).collect();
        assert!(watched.len() == SETS, "{watched:?}");
    }

    #[test]
    fn short_blocks_pick_only_what_they_use() {
        for sample in samples(9, 40, 3, 1) {
            assert!(sample.order.contains(&sample.picked) && sample.order.contains(&sample.moved));
        }
    }

    #[test]
    fn blocks_are_as_long_as_asked() {
        assert_eq!(calls(1000, [10_000.0, 10_000.0]), 100);
        // Nine times faster: the slow side's block is bounded.
        assert_eq!(calls(1000, [90_000.0, 10_000.0]), 22);
        assert_eq!(calls(1000, [5e6, 5e6]), 1);
        assert_eq!(calls(1000, [1.0, 1.0]), MOST_CALLS);
    }
}
