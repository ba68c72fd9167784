//! What plots are drawn from: everything that the figures of a load leave out.

use super::figures::Figures;
use super::histogram::{Histogram, histogram};
use super::latencies::gaps;
use super::selection::{Selection, Window};
use super::timeline::{Timeline, timeline};
use crate::Record;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Bins to each factor of 10: one bin is 12 % wide.
const PER_DECADE: u32 = 20;
/// A load shorter than this many seconds is cut into tenths of seconds.
const SHORT_S: f64 = 10.0;

/// Shapes of the latencies of a load and its course over time. Histograms are of milliseconds.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Detail {
    /// TTFT, from the start.
    pub ttft_ms: Histogram,
    /// TTFT, from the intended start.
    pub ttft_intended_ms: Histogram,
    /// Gaps between pieces, all requests pooled.
    pub inter_chunk_ms: Histogram,
    /// Start to end.
    pub e2e_ms: Histogram,
    /// The load over time: by seconds, or by tenths of seconds below 10 seconds.
    pub timeline: Timeline,
}

/// The shapes of the completed requests of `window`.
pub fn detail(records: &[Record], window: Window) -> Detail {
    let selection = Selection::of(records, window);
    let of = |figure: fn(&Record) -> Option<f64>| {
        let values: Vec<f64> = selection.completed.iter().filter_map(|record| figure(record)).collect();
        histogram(&values, PER_DECADE)
    };
    let is_short = selection.duration_s().is_some_and(|seconds| seconds < SHORT_S);
    Detail {
        ttft_ms: of(Record::ttft_ms),
        ttft_intended_ms: of(Record::ttft_intended_ms),
        inter_chunk_ms: histogram(&gaps(&selection.completed), PER_DECADE),
        e2e_ms: of(|record| Some(record.e2e_ms())),
        timeline: timeline(records, window, if is_short { 0.1 } else { 1.0 }),
    }
}
