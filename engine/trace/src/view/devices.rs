//! What each device did in all: the exact sums that every other view must agree with.

use crate::analysis::Analysis;
use crate::store::Ns;
use crate::timeline::{Span, busy};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One device. Times are nanoseconds, exact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DeviceTotals {
    /// Number of the device; in merged traces with the rank in front.
    pub device: String,
    /// Its product name, where the trace says it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Kernels, copies and fills with a duration.
    pub events: u64,
    /// Kernels among them.
    pub kernels: u64,
    /// Streams with work.
    pub streams: Vec<String>,
    /// Sum of all durations, in ns.
    pub sum_ns: Ns,
    /// Longest event, in ns.
    pub max_ns: Ns,
    /// Time during which anything ran, in ns.
    pub busy_ns: Ns,
    /// Time during which two streams or more were at work, in ns.
    pub overlap_ns: Ns,
    /// From the first start to the last end, in ns.
    pub window_ns: Ns,
}

/// Sums of every device, in the order of the trace.
pub fn build(analysis: &Analysis<'_>) -> Vec<DeviceTotals> {
    let trace = analysis.trace;
    (0..trace.devices.len() as u32)
        .map(|device| totals(analysis, device))
        .filter(|totals| totals.events > 0)
        .collect()
}

/// The spans of a device, by start.
pub fn spans(analysis: &Analysis<'_>, device: u32) -> Vec<Span> {
    let trace = analysis.trace;
    let of_device = (0..analysis.len()).filter(|&event| trace.device_of(event) == device);
    let span = |event: usize| {
        let start = trace.gpu.start[event];
        Span { start, end: start + trace.gpu.dur[event], stream: trace.gpu.track[event], event: event as u32 }
    };
    of_device.map(span).collect()
}

fn totals(analysis: &Analysis<'_>, device: u32) -> DeviceTotals {
    let trace = analysis.trace;
    let spans = spans(analysis, device);
    let sums = busy(&spans);
    let place = &trace.devices[device as usize];
    let mut streams: Vec<u32> = spans.iter().map(|span| span.stream).collect();
    streams.sort_unstable();
    streams.dedup();
    let mut streams: Vec<String> =
        streams.iter().map(|&track| trace.tracks[track as usize].stream.clone()).collect();
    streams.sort_by_key(|stream| (stream.len(), stream.clone()));
    let is_kernel = |span: &&Span| trace.gpu.kind[span.event as usize] == crate::name::EventKind::Kernel;
    DeviceTotals {
        device: place.label.clone(),
        name: place.name.clone().or_else(|| product(analysis, place.index)),
        events: spans.len() as u64,
        kernels: spans.iter().filter(is_kernel).count() as u64,
        streams,
        sum_ns: spans.iter().map(|span| span.end - span.start).sum(),
        max_ns: spans.iter().map(|span| span.end - span.start).max().unwrap_or_default(),
        busy_ns: sums.busy,
        overlap_ns: sums.overlap,
        window_ns: sums.window,
    }
}

/// The product name in `deviceProperties`.
fn product(analysis: &Analysis<'_>, index: Option<u32>) -> Option<String> {
    let properties = &analysis.trace.head.device_properties;
    let of_index = properties.iter().find(|device| device["id"].as_u64() == index.map(u64::from))?;
    of_index["name"].as_str().filter(|name| !name.is_empty()).map(str::to_owned)
}
