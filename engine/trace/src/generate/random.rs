//! The generator's own random numbers: SplitMix64, integers only.
//!
//! A trace must be the same bytes for the same seed on every platform and in every later version, so the sequence
//! is fixed here and not left to a library. Nothing here may use floating point.

/// SplitMix64 (Steele, Lea and Flood, OOPSLA 2014): one 64-bit state, a full period of 2^64.
#[derive(Debug, Clone)]
pub(super) struct Random {
    state: u64,
}

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        // Small neighbouring seeds would start with correlated states.
        let mut random = Self { state: seed ^ 0x6a09_e667_f3bc_c909 };
        random.next();
        random
    }

    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number in `0..limit`; 0 when the limit is 0. Limits stay far below 2^32, so the bias is below 1e-6.
    pub(super) fn below(&mut self, limit: u32) -> u32 {
        (((self.next() >> 32) * u64::from(limit)) >> 32) as u32
    }

    /// A number in `low..high`.
    pub(super) fn between(&mut self, low: u32, high: u32) -> u64 {
        u64::from(low + self.below(high - low))
    }

    /// `mean` plus or minus at most 7 %.
    pub(super) fn around(&mut self, mean: u64) -> u64 {
        mean * u64::from(930 + self.below(141)) / 1000
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sequence_is_fixed_and_stays_within_its_limits() {
        let mut random = Random::new(1);
        let first: Vec<u32> = (0..4).map(|_| random.below(1000)).collect();
        let mut again = Random::new(1);
        assert_eq!(first, (0..4).map(|_| again.below(1000)).collect::<Vec<_>>());
        let mut other = Random::new(2);
        assert_ne!(first, (0..4).map(|_| other.below(1000)).collect::<Vec<_>>());
        for _ in 0..10_000 {
            assert!((5..9).contains(&random.between(5, 9)));
            assert!((930..=1070).contains(&random.around(1000)));
        }
        assert_eq!(random.below(0), 0);
    }
}
