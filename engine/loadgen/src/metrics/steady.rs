//! The rate in the middle of a load.

use crate::Record;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Fewer pieces than this have no middle.
const FEWEST: usize = 100;

/// The rate between the first and the last tenth of all pieces, so that ramps at both ends do not count. Left out below
/// 100 pieces.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Steady {
    /// When a tenth of the pieces had come, in seconds since the load's start.
    pub from_s: f64,
    /// When nine tenths of the pieces had come, in seconds since the load's start.
    pub to_s: f64,
    /// Pieces between the two moments / seconds between them.
    pub chunk_throughput: f64,
    /// `chunk_throughput` times the tokens per piece of the whole load, in tokens per second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_token_throughput: Option<f64>,
}

impl Steady {
    pub(super) fn of(completed: &[&Record], output_tokens: Option<u64>) -> Option<Self> {
        let mut times: Vec<u64> =
            completed.iter().flat_map(|record| record.chunk_ns.iter().copied()).collect();
        if times.len() < FEWEST {
            return None;
        }
        let (low, high) = (times.len() / 10, times.len() - 1 - times.len() / 10);
        let from = *times.select_nth_unstable(low).1;
        let to = *times.select_nth_unstable(high).1;
        let seconds = (to > from).then(|| (to - from) as f64 / 1e9)?;
        let chunk_throughput = (high - low) as f64 / seconds;
        let per_chunk = output_tokens.map(|tokens| tokens as f64 / times.len() as f64);
        Some(Self {
            from_s: from as f64 / 1e9,
            to_s: to as f64 / 1e9,
            chunk_throughput,
            output_token_throughput: per_chunk.map(|tokens| tokens * chunk_throughput),
        })
    }
}
