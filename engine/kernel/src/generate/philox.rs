//! Random numbers by counter: the n-th number is known without those before it, so that data do not depend on the order, the
//! layout or the machine that makes them.
//!
//! Philox 4x32 with ten rounds (Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3", 2011).

use sha2::{Digest, Sha256};

const MULTIPLIERS: [u32; 2] = [0xD251_1F53, 0xCD9E_8D57];
const WEYL: [u32; 2] = [0x9E37_79B9, 0xBB67_AE85];

/// Four words of a counter under a key.
fn philox(mut counter: [u32; 4], mut key: [u32; 2]) -> [u32; 4] {
    for _ in 0..10 {
        let wide = |word: u32, multiplier: u32| u64::from(word) * u64::from(multiplier);
        let (first, second) = (wide(counter[0], MULTIPLIERS[0]), wide(counter[2], MULTIPLIERS[1]));
        counter = [
            (second >> 32) as u32 ^ counter[1] ^ key[0],
            second as u32,
            (first >> 32) as u32 ^ counter[3] ^ key[1],
            first as u32,
        ];
        key = [key[0].wrapping_add(WEYL[0]), key[1].wrapping_add(WEYL[1])];
    }
    counter
}

/// Key of a name under a seed.
fn key(seed: u64, name: &str) -> [u32; 2] {
    let digest = Sha256::new().chain_update(seed.to_le_bytes()).chain_update(name).finalize();
    let word = |at: usize| u32::from_le_bytes([digest[at], digest[at + 1], digest[at + 2], digest[at + 3]]);
    [word(0), word(4)]
}

/// Random numbers of a name under a seed, at any place.
#[derive(Debug, Clone, Copy)]
pub struct Numbers {
    key: [u32; 2],
}

impl Numbers {
    /// Those of a name.
    pub fn new(seed: u64, name: &str) -> Self {
        Self { key: key(seed, name) }
    }

    /// Two words of 64 bits.
    pub fn words(&self, at: u64) -> [u64; 2] {
        let [a, b, c, d] = philox([at as u32, (at >> 32) as u32, 0, 0], self.key).map(u64::from);
        [a << 32 | b, c << 32 | d]
    }

    /// Two numbers, evenly from 0 to below 1.
    pub fn uniform(&self, at: u64) -> [f64; 2] {
        self.words(at).map(fraction)
    }

    /// Two independent numbers of the standard normal distribution (Box and Muller, 1958).
    pub fn normal(&self, at: u64) -> [f64; 2] {
        let [radius, turn] = self.uniform(at);
        // 1 - u lies in (0, 1]: the logarithm is finite.
        let radius = (-2.0 * (1.0 - radius).ln()).sqrt();
        let (sin, cos) = (turn * std::f64::consts::TAU).sin_cos();
        [radius * cos, radius * sin]
    }
}

/// The upper 53 bits as a number from 0 to below 1.
fn fraction(word: u64) -> f64 {
    (word >> 11) as f64 * 2f64.powi(-53)
}

/// Random numbers one after the other, for draws that are few.
#[derive(Debug, Clone)]
pub struct Stream {
    numbers: Numbers,
    next: u64,
}

impl Stream {
    /// Those of a name under a seed.
    pub fn new(seed: u64, name: &str) -> Self {
        Self { numbers: Numbers::new(seed, name), next: 0 }
    }

    /// 64 random bits.
    pub fn word(&mut self) -> u64 {
        self.next += 1;
        self.numbers.words(self.next - 1)[0]
    }

    /// A number evenly from 0 to below 1.
    pub fn uniform(&mut self) -> f64 {
        fraction(self.word())
    }

    /// A whole number from 0 to below `end`; 0 if that is 0. Its bias is below `end / 2^64`.
    pub fn below(&mut self, end: u64) -> u64 {
        ((u128::from(self.word()) * u128::from(end)) >> 64) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::{Numbers, Stream, philox};

    /// Known answers that ship with the authors' library Random123.
    #[test]
    fn words_are_those_of_the_authors() {
        assert_eq!(philox([0; 4], [0; 2]), [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]);
        assert_eq!(
            philox([u32::MAX; 4], [u32::MAX; 2]),
            [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]
        );
        assert_eq!(
            philox([0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344], [0xa409_3822, 0x299f_31d0]),
            [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1]
        );
    }

    #[test]
    fn numbers_have_their_distribution() {
        let (numbers, pairs) = (Numbers::new(5, "x"), 50_000_u64);
        let draws: Vec<f64> = (0..pairs).flat_map(|at| numbers.normal(at)).collect();
        let n = draws.len() as f64;
        let moment = |power: i32| draws.iter().map(|draw| draw.powi(power)).sum::<f64>() / n;
        // Five standard errors of each moment: 1, 2, 15 - 0 and 96 over n.
        assert!(moment(1).abs() < 5.0 * (1.0 / n).sqrt(), "{}", moment(1));
        assert!((moment(2) - 1.0).abs() < 5.0 * (2.0 / n).sqrt(), "{}", moment(2));
        assert!(moment(3).abs() < 5.0 * (15.0 / n).sqrt(), "{}", moment(3));
        assert!((moment(4) - 3.0).abs() < 5.0 * (96.0 / n).sqrt(), "{}", moment(4));
        let halves: f64 = (0..pairs)
            .map(|at| {
                let [a, b] = numbers.normal(at);
                a * b
            })
            .sum::<f64>()
            / pairs as f64;
        assert!(halves.abs() < 5.0 / (pairs as f64).sqrt(), "{halves}");
    }

    #[test]
    fn streams_differ_by_seed_and_name_and_stay_below() {
        let first = |seed, name| Stream::new(seed, name).word();
        assert_eq!(first(1, "x"), first(1, "x"));
        assert!(first(1, "x") != first(2, "x") && first(1, "x") != first(1, "y"));
        let mut stream = Stream::new(9, "below");
        let mut seen = [0; 6];
        (0..6000).for_each(|_| seen[stream.below(6) as usize] += 1);
        assert!(seen.iter().all(|count| (850..1150).contains(count)), "{seen:?}");
        assert_eq!(stream.below(0), 0);
    }
}
