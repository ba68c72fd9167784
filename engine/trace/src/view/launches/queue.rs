//! How far the host ran ahead of a device: launches that had returned and whose work had not begun.

use crate::analysis::Analysis;
use crate::store::Ns;
use crate::view::replays::Replays;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The longest queue of a device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct QueueDepth {
    /// The device.
    pub device: String,
    /// The most launches that waited at once; a graph replay is one.
    pub max: u64,
    /// When that was first so, in the trace's nanoseconds.
    pub at_ns: Ns,
}

/// Devices with launches whose calls are known.
pub(super) fn depths(analysis: &Analysis<'_>, replays: &Replays) -> Vec<QueueDepth> {
    let trace = analysis.trace;
    // Moment and change; at the same moment one leaves the queue before the next enters it.
    let mut changes: Vec<Vec<(Ns, i32)>> = vec![Vec::new(); trace.devices.len()];
    let mut seen = vec![false; trace.devices.len()];
    for event in (0..analysis.len()).filter(|&event| replays.launched(analysis, event)) {
        let Some(call) = analysis.links.call(event) else { continue };
        let device = trace.device_of(event) as usize;
        seen[device] = true;
        let (launched, begun) = (trace.calls.start[call] + trace.calls.dur[call], trace.gpu.start[event]);
        if launched < begun {
            changes[device].extend([(launched, 1), (begun, -1)]);
        }
    }
    let place = |device: usize| trace.devices[device].label.clone();
    let depths = changes.into_iter().enumerate().filter(|(device, _)| seen[*device]);
    depths.map(|(device, changes)| deepest(place(device), changes)).collect()
}

fn deepest(device: String, mut changes: Vec<(Ns, i32)>) -> QueueDepth {
    changes.sort_unstable();
    let mut deepest = QueueDepth { device, max: 0, at_ns: changes.first().map_or(0, |change| change.0) };
    let mut depth = 0i64;
    for (at_ns, change) in changes {
        depth += i64::from(change);
        if depth > deepest.max as i64 {
            (deepest.max, deepest.at_ns) = (depth as u64, at_ns);
        }
    }
    deepest
}
