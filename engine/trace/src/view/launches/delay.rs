//! Summary of delays.

use crate::store::Ns;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Delays from launch to start. All but `count` in ns. A percentile is the smallest delay that at least that share of
/// the launches does not exceed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DelayStats {
    /// Launches with a known call.
    pub count: u64,
    /// Shortest.
    pub min_ns: Ns,
    /// Median.
    pub p50_ns: Ns,
    /// 90 % of launches.
    pub p90_ns: Ns,
    /// 99 % of launches.
    pub p99_ns: Ns,
    /// Longest.
    pub max_ns: Ns,
    /// Mean.
    pub mean_ns: f64,
}

impl DelayStats {
    /// Summary of `delays`, or `None` if there are none.
    pub(super) fn of(mut delays: Vec<Ns>) -> Option<Self> {
        delays.sort_unstable();
        let (&min_ns, &max_ns) = (delays.first()?, delays.last()?);
        let at = |percent: usize| delays[(delays.len() * percent).div_ceil(100).max(1) - 1];
        Some(Self {
            count: delays.len() as u64,
            min_ns,
            p50_ns: at(50),
            p90_ns: at(90),
            p99_ns: at(99),
            max_ns,
            mean_ns: delays.iter().sum::<Ns>() as f64 / delays.len() as f64,
        })
    }
}
