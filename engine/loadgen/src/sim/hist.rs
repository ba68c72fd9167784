//! A histogram of durations: small enough to be copied inside the event loop, fine enough for percentiles.

/// Each power of two is divided into this many buckets (as a shift), so a bucket is at most 1/256 of its value wide.
const FINE: u32 = 8;
const SIZE: usize = (64 - FINE as usize + 1) << FINE;

/// Counts of durations in nanoseconds.
#[derive(Debug, Clone)]
pub(super) struct Hist {
    counts: Vec<u32>,
    /// Durations counted.
    pub count: u64,
    /// Their sum, in nanoseconds.
    pub sum: u64,
    /// The longest, in nanoseconds.
    pub max: u64,
}

impl Hist {
    pub fn new() -> Self {
        Self { counts: vec![0; SIZE], count: 0, sum: 0, max: 0 }
    }

    pub fn add(&mut self, ns: u64) {
        self.counts[bucket(ns)] += 1;
        self.count += 1;
        self.sum += ns;
        self.max = self.max.max(ns);
    }

    pub fn clear(&mut self) {
        self.counts.fill(0);
        (self.count, self.sum, self.max) = (0, 0, 0);
    }

    /// The smallest duration that at least this share of all do not exceed, in nanoseconds: the middle of its bucket.
    pub fn quantile(&self, share: f64) -> Option<u64> {
        let rank = ((self.count as f64 * share).ceil() as u64).max(1);
        let mut seen = 0;
        let found = self.counts.iter().position(|count| {
            seen += u64::from(*count);
            seen >= rank
        })?;
        Some(middle(found).min(self.max))
    }
}

fn bucket(ns: u64) -> usize {
    let shift = (64 - ns.leading_zeros()).saturating_sub(FINE + 1);
    ((shift as usize) << FINE) + (ns >> shift) as usize
}

fn middle(bucket: usize) -> u64 {
    if bucket < 2 << FINE {
        return bucket as u64;
    }
    let shift = (bucket >> FINE) - 1;
    let low = ((bucket - (shift << FINE)) as u64) << shift;
    low + (1u64 << shift) / 2
}

#[cfg(test)]
mod tests {
    use super::{Hist, SIZE, bucket, middle};

    #[test]
    fn a_bucket_is_never_far_from_its_values() {
        let mut last = 0;
        for exponent in 0..64 {
            for extra in [0, 1, 3, 7] {
                let value = (1u64 << exponent).saturating_add(extra << exponent.saturating_sub(4));
                let found = bucket(value);
                assert!(found < SIZE, "{value}");
                let off = middle(found).abs_diff(value) as f64;
                assert!(off <= value as f64 / 256.0, "{value} became {}", middle(found));
                if value >= last {
                    assert!(found >= bucket(last));
                    last = value;
                }
            }
        }
        assert!(bucket(u64::MAX) < SIZE);
    }

    #[test]
    fn quantiles_are_ranks() {
        let mut hist = Hist::new();
        assert_eq!(hist.quantile(0.5), None);
        (1..=100).for_each(|value| hist.add(value));
        assert_eq!(hist.quantile(0.5), Some(50));
        assert_eq!(hist.quantile(0.99), Some(99));
        assert_eq!(hist.quantile(1.0), Some(100));
        assert_eq!((hist.count, hist.sum, hist.max), (100, 5050, 100));
    }
}
