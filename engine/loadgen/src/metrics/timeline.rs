//! A load over time, in slices of equal length.

use super::concurrency::sweep;
use super::figures::Figures;
use super::selection::{Selection, Window};
use crate::Record;
use assay_stats::median;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Slices at most; a longer load gets longer slices.
const MOST: u64 = 100_000;

/// A load over time. Moments are in seconds since the first start.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Timeline {
    /// Length of a slice in seconds; the last one may be cut short by the end of the load.
    pub step_s: f64,
    /// Slices without a gap, from the first start to the last end.
    pub slices: Vec<Slice>,
}

/// One stretch of a load.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Slice {
    /// When it begins, in seconds since the first start.
    pub at_s: f64,
    /// Its length in seconds: `step_s`, or less for the last one.
    pub length_s: f64,
    /// Requests that started in it.
    pub started: u64,
    /// Requests completed in it.
    pub finished: u64,
    /// Requests that failed in it.
    pub failed: u64,
    /// Mean number of requests in flight, weighted by time.
    pub active: f64,
    /// Most requests in flight at one moment of it.
    pub active_max: u64,
    /// Pieces with text that came in it, of completed requests.
    pub chunks: u64,
    /// Tokens that came in it, of completed requests: by the server's count of each piece, else a request's tokens in equal
    /// parts to its pieces. Left out where a completed request lacks its count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_tokens: Option<f64>,
    /// Median TTFT in milliseconds of the requests whose first piece came in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p50_ttft_ms: Option<f64>,
}

/// The requests of `window` over time, in slices of `step_s` seconds.
pub fn timeline(records: &[Record], window: Window, step_s: f64) -> Timeline {
    let selection = Selection::of(records, window);
    let Some((from, to)) = selection.span_ns().filter(|(from, to)| to > from) else {
        return Timeline { step_s, slices: Vec::new() };
    };
    let step = ((step_s * 1e9) as u64).max((to - from).div_ceil(MOST)).max(1);
    let count = (to - from).div_ceil(step);
    let slice = |index: u64| Slice {
        at_s: (index * step) as f64 / 1e9,
        length_s: step.min(to - from - index * step) as f64 / 1e9,
        ..Slice::default()
    };
    let mut slices: Vec<Slice> = (0..count).map(slice).collect();
    // The last moment belongs to the last slice.
    let at = |moment: u64| (((moment.max(from) - from) / step).min(count - 1)) as usize;
    for record in selection.sent() {
        slices[at(record.start_ns)].started += 1;
    }
    for record in selection.failed.iter().chain(&selection.inconsistent) {
        slices[at(record.end_ns)].failed += 1;
    }
    for record in &selection.completed {
        slices[at(record.end_ns)].finished += 1;
    }
    pieces(&mut slices, &selection.completed, at);
    first_pieces(&mut slices, &selection.completed, at);
    activity(&mut slices, &selection, from, to, step);
    Timeline { step_s: step as f64 / 1e9, slices }
}

fn pieces(slices: &mut [Slice], completed: &[&Record], at: impl Fn(u64) -> usize) {
    let known = !completed.is_empty()
        && completed.iter().all(|r| r.completion_tokens().is_some() && !r.chunk_ns.is_empty());
    if known {
        slices.iter_mut().for_each(|slice| slice.output_tokens = Some(0.0));
    }
    for record in completed {
        let even = f64::from(record.completion_tokens().unwrap_or(0)) / record.chunk_ns.len() as f64;
        for (index, moment) in record.chunk_ns.iter().enumerate() {
            let slice = &mut slices[at(*moment)];
            slice.chunks += 1;
            let tokens = record.chunk_tokens.get(index).map_or(even, |tokens| f64::from(*tokens));
            slice.output_tokens = slice.output_tokens.map(|sum| sum + tokens);
        }
    }
}

fn first_pieces(slices: &mut [Slice], completed: &[&Record], at: impl Fn(u64) -> usize) {
    let mut values: Vec<Vec<f64>> = vec![Vec::new(); slices.len()];
    for record in completed {
        if let (Some(moment), Some(ttft)) = (record.first_ns(), record.ttft_ms()) {
            values[at(moment)].push(ttft);
        }
    }
    for (slice, values) in slices.iter_mut().zip(&values) {
        slice.p50_ttft_ms = median(values);
    }
}

/// Spreads each stretch of constant activity over the slices that it touches.
fn activity(slices: &mut [Slice], selection: &Selection, from: u64, to: u64, step: u64) {
    let intervals: Vec<(u64, u64)> = selection.sent().map(|r| (r.start_ns, r.end_ns)).collect();
    let changes = sweep(&intervals);
    for (index, (start, active)) in changes.iter().enumerate() {
        let end = changes.get(index + 1).map_or(to, |next| next.0);
        let mut moment = *start;
        while moment < end && *active > 0 {
            let number = ((moment - from) / step) as usize;
            let until = end.min(from + (number as u64 + 1) * step);
            let slice = &mut slices[number];
            slice.active += *active as f64 * ((until - moment) as f64 / 1e9) / slice.length_s;
            slice.active_max = slice.active_max.max(*active);
            moment = until;
        }
    }
}
