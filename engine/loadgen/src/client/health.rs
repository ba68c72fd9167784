//! Whether the client itself was the bottleneck.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How the client did, measured by itself while the load ran (without warm-up). Times in milliseconds.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ClientHealth {
    /// How late requests started for which nothing but the client was in the way, on average.
    #[serde(default)]
    pub start_lag_mean_ms: f64,
    /// The 99th percentile of these lags.
    pub start_lag_p99_ms: f64,
    /// The largest such lag.
    pub start_lag_max_ms: f64,
    /// How long answers lay unread, 99th percentile over pieces: from the kernel's receive time, or, where it gives none, from
    /// the earliest time at which they may have come.
    pub read_lag_p99_ms: f64,
    /// The longest of these.
    pub read_lag_max_ms: f64,
    /// Who took the times of pieces.
    pub stamped_by: StampedBy,
    /// Share of the time in which the client's thread was at work, from 0 to 1: at 1 it could not have taken more.
    pub busy_share: f64,
    /// Seconds of CPU that its thread used.
    pub cpu_s: f64,
    /// Bytes read.
    pub bytes_read: u64,
    /// Connections made.
    pub connections: u64,
    /// Requests sent again on a new connection because the server had closed the idle one.
    pub reconnects: u64,
}

/// Who took the times at which pieces of answers came.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum StampedBy {
    /// The kernel, when it received the packet (`SO_TIMESTAMPNS`): a busy client does not make a server look slow.
    Kernel,
    /// The client, right behind the call that read the bytes.
    #[default]
    Client,
}

/// Counts of times in steps of about 3 %, so that a percentile costs nothing while the load runs.
#[derive(Debug, Clone)]
pub(super) struct Lags {
    counts: Vec<u64>,
    total: u64,
    sum_ns: u128,
    max_ns: u64,
}

/// Steps per doubling.
const STEPS: u32 = 5;

impl Lags {
    pub(super) fn new() -> Self {
        Self { counts: vec![0; 64 << STEPS], total: 0, sum_ns: 0, max_ns: 0 }
    }

    pub(super) fn add(&mut self, ns: u64, times: u64) {
        self.counts[slot(ns)] += times;
        self.total += times;
        self.sum_ns += u128::from(ns) * u128::from(times);
        if times > 0 {
            self.max_ns = self.max_ns.max(ns);
        }
    }

    /// Upper edge of the step in which the share `of` of all times lies; ms.
    pub(super) fn percentile_ms(&self, of: f64) -> f64 {
        let wanted = (self.total as f64 * of).ceil() as u64;
        let mut seen = 0;
        for (slot, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= wanted.max(1) {
                return edge(slot).min(self.max_ns) as f64 / 1e6;
            }
        }
        0.0
    }

    /// Exact; 0 of none.
    pub(super) fn mean_ms(&self) -> f64 {
        self.sum_ns as f64 / self.total.max(1) as f64 / 1e6
    }

    pub(super) fn max_ms(&self) -> f64 {
        self.max_ns as f64 / 1e6
    }
}

/// The highest bit and the five behind it.
fn slot(ns: u64) -> usize {
    let ns = ns.max(1 << STEPS);
    let top = ns.ilog2();
    let below = (ns >> (top - STEPS)) - (1 << STEPS);
    ((u64::from(top) << STEPS) + below) as usize
}

/// The largest time of a slot.
fn edge(slot: usize) -> u64 {
    let (top, below) = ((slot >> STEPS) as u32, (slot & ((1 << STEPS) - 1)) as u64);
    if top < STEPS {
        return 0;
    }
    let step = 1_u64 << (top - STEPS);
    ((1 << STEPS) + below) * step + (step - 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn percentiles_are_within_a_step() {
        let mut lags = Lags::new();
        (1..=1000_u64).for_each(|ms| lags.add(ms * 1_000_000, 1));
        for (of, wanted) in [(0.5, 500.0), (0.99, 990.0), (1.0, 1000.0)] {
            let found = lags.percentile_ms(of);
            assert!((wanted..wanted * 1.04).contains(&found), "{of}: {found}");
        }
        assert_eq!(lags.max_ms(), 1000.0);
        assert_eq!(lags.mean_ms(), 500.5);
        assert_eq!(Lags::new().percentile_ms(0.99), 0.0);
    }

    proptest! {
        #[test]
        fn a_time_lies_in_its_slot(ns in 32..u64::MAX / 2) {
            let found = slot(ns);
            prop_assert!(edge(found) >= ns, "{} < {ns}", edge(found));
            prop_assert!(edge(found) as f64 <= ns as f64 * 1.04);
            prop_assert!(found == 0 || edge(found - 1) < ns);
        }
    }
}
