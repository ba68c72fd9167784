//! Summary of times.

use crate::store::Ns;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Summary of times: delays from launch to start, or durations of calls. All but `count` in ns. A percentile is the smallest time that
/// at least that share of them does not exceed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DelayStats {
    /// How many there are: launches with a known call.
    pub count: u64,
    /// Shortest, in ns.
    pub min_ns: Ns,
    /// Median, in ns.
    pub p50_ns: Ns,
    /// 90 % of them, in ns.
    pub p90_ns: Ns,
    /// 99 % of them, in ns.
    pub p99_ns: Ns,
    /// Longest, in ns.
    pub max_ns: Ns,
    /// Mean, in ns.
    pub mean_ns: f64,
}

impl DelayStats {
    /// Summary of `times`, or `None` if there are none.
    pub(super) fn of(mut times: Vec<Ns>) -> Option<Self> {
        times.sort_unstable();
        let (&min_ns, &max_ns) = (times.first()?, times.last()?);
        let at = |percent: usize| times[(times.len() * percent).div_ceil(100).max(1) - 1];
        Some(Self {
            count: times.len() as u64,
            min_ns,
            p50_ns: at(50),
            p90_ns: at(90),
            p99_ns: at(99),
            max_ns,
            mean_ns: times.iter().sum::<Ns>() as f64 / times.len() as f64,
        })
    }
}
