//! Which side of a pair runs first.

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One side of a pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// What is compared against.
    Baseline,
    /// What is judged.
    Candidate,
}

impl Side {
    /// The other side.
    pub fn other(self) -> Self {
        match self {
            Self::Baseline => Self::Candidate,
            Self::Candidate => Self::Baseline,
        }
    }
}

impl std::fmt::Display for Side {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Baseline => "baseline",
            Self::Candidate => "candidate",
        })
    }
}

/// Which side goes first in each of `pairs` pairs: random, and each block of two pairs holds both orders, so an
/// advantage of going first cancels. A longer list with the same seed begins with the shorter one, so an
/// extension or a resume continues where it stopped.
pub fn pair_order(seed: u64, pairs: usize) -> Vec<Side> {
    let mut random = StdRng::seed_from_u64(seed);
    let mut order = Vec::with_capacity(pairs + 1);
    while order.len() < pairs {
        let first = if random.random::<bool>() { Side::Baseline } else { Side::Candidate };
        order.extend([first, first.other()]);
    }
    order.truncate(pairs);
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_are_balanced_repeatable_and_extend() {
        let long = pair_order(7, 121);
        assert_eq!(long[..31], pair_order(7, 31)[..]);
        assert_ne!(long, pair_order(8, 121));
        for block in long.chunks_exact(2) {
            assert_eq!(block[0], block[1].other());
        }
        let leads = long.chunks_exact(2).filter(|block| block[0] == Side::Baseline).count();
        assert!((15..=45).contains(&leads), "60 fair coins gave {leads}");
    }
}
