//! Runtime and driver calls: how many, how long, and how long before the work that they launched.

use crate::analysis::Analysis;
use crate::store::Ns;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// All calls of one name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CallRow {
    /// The name, such as `cudaLaunchKernel`.
    pub name: String,
    /// Calls.
    pub count: u64,
    /// Sum of durations, in ns.
    pub total_ns: Ns,
    /// Mean duration, in ns.
    pub mean_ns: f64,
    /// Whether it returns only when the GPU has reached a point.
    pub waits: bool,
}

/// Time from the end of the call that launched a GPU event to its start, in ns; below 0 where it began before the call
/// returned. `None` if the call is unknown.
pub fn delay(analysis: &Analysis<'_>, event: usize) -> Option<Ns> {
    let call = analysis.links.call(event)?;
    let calls = &analysis.trace.calls;
    Some(analysis.trace.gpu.start[event] - calls.start[call] - calls.dur[call])
}

/// Calls by name, longest total first.
pub(super) fn by_name(analysis: &Analysis<'_>) -> Vec<CallRow> {
    let trace = analysis.trace;
    let mut sums: Vec<(u64, Ns)> = vec![(0, 0); trace.names.len()];
    for (name, dur) in trace.calls.name.iter().zip(&trace.calls.dur) {
        let sum = &mut sums[name.0 as usize];
        sum.0 += 1;
        sum.1 += dur;
    }
    let named = trace.names.iter().zip(sums).filter(|(_, (count, _))| *count > 0);
    let row = |((_, name), (count, total_ns)): ((_, &str), (u64, Ns))| CallRow {
        name: name.to_owned(),
        count,
        total_ns,
        mean_ns: total_ns as f64 / count as f64,
        waits: crate::view::waits::waits(name),
    };
    let mut rows: Vec<CallRow> = named.map(row).collect();
    rows.sort_by(|a, b| b.total_ns.cmp(&a.total_ns).then_with(|| a.name.cmp(&b.name)));
    rows
}
