//! Numbers drawn from a seed, the same on every platform and in every version.

/// SplitMix64 (Steele, Lea and Flood, 2014): the finaliser also serves as a hash of a number.
pub(super) fn mix(value: u64) -> u64 {
    let mut z = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A stream of numbers.
#[derive(Debug, Clone)]
pub(super) struct Random(u64);

impl Random {
    /// Another stream for each pair of seed and purpose.
    pub fn new(seed: u64, purpose: u64) -> Self {
        Self(mix(seed) ^ mix(purpose.wrapping_mul(0x2545_f491_4f6c_dd1d)))
    }

    /// Evenly from 0 (included) to 1 (excluded).
    pub fn share(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(1);
        (mix(self.0) >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// A hash of bytes that goes on from another.
pub(super) fn hash(seed: u64, bytes: &[u8]) -> u64 {
    let mut state = seed ^ (bytes.len() as u64);
    for piece in bytes.chunks(8) {
        let mut word = [0; 8];
        word[..piece.len()].copy_from_slice(piece);
        state = mix(state ^ u64::from_le_bytes(word));
    }
    state
}
