//! Random numbers that repeat: one independent stream for each purpose and index.

use rand::SeedableRng as _;
use rand::rngs::Xoshiro256PlusPlus;

/// The stream of `seed` for a purpose and an index. Streams are independent, so requests can be made in any order and by any
/// number of threads. The generator is a named one: the default of `rand` may change with its version, a workload must not.
pub(crate) fn stream(seed: u64, purpose: &str, index: u64) -> Xoshiro256PlusPlus {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&seed.to_le_bytes());
    hasher.update(&index.to_le_bytes());
    hasher.update(purpose.as_bytes());
    Xoshiro256PlusPlus::from_seed(*hasher.finalize().as_bytes())
}
