//! Replays of graphs: the GPU events that one launch of a graph brought, which count as one launch and not as many.

use crate::analysis::Analysis;
use crate::store::EventId;
use hashbrown::HashMap;

/// One replay on one device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Replay {
    /// Its first event; the only one that waits for a launch.
    pub first: u32,
    /// How many events it has.
    pub events: u64,
    /// Kernels among them.
    pub kernels: u64,
}

/// Replays by what identifies them: the correlation that their events share, and the device.
#[derive(Debug, Default)]
pub(super) struct Replays {
    of: HashMap<(EventId, u32), Replay>,
}

impl Replays {
    /// Finds them; events of a graph without a correlation are in none.
    pub(super) fn new(analysis: &Analysis<'_>) -> Self {
        let gpu = &analysis.trace.gpu;
        let mut of: HashMap<(EventId, u32), Replay> = HashMap::new();
        for event in (0..analysis.len()).filter(|&event| analysis.links.in_graph(event)) {
            if !gpu.correlation[event].is_some() {
                continue;
            }
            let key = (gpu.correlation[event], analysis.trace.device_of(event));
            let replay = of.entry(key).or_insert(Replay { first: event as u32, events: 0, kernels: 0 });
            replay.events += 1;
            replay.kernels += u64::from(gpu.kind[event] == crate::name::EventKind::Kernel);
        }
        Self { of }
    }

    /// The replay that a GPU event belongs to.
    pub(super) fn of(&self, analysis: &Analysis<'_>, event: usize) -> Option<Replay> {
        if !analysis.links.in_graph(event) {
            return None;
        }
        let key = (analysis.trace.gpu.correlation[event], analysis.trace.device_of(event));
        self.of.get(&key).copied()
    }

    /// Whether a GPU event waited for a launch of its own: every one outside graphs, and the first of a replay.
    pub(super) fn launched(&self, analysis: &Analysis<'_>, event: usize) -> bool {
        match self.of(analysis, event) {
            Some(replay) => replay.first as usize == event,
            None => !analysis.links.in_graph(event),
        }
    }

    /// Replays in the order of their first events.
    pub(super) fn in_order(&self) -> Vec<Replay> {
        let mut all: Vec<Replay> = self.of.values().copied().collect();
        all.sort_unstable_by_key(|replay| replay.first);
        all
    }
}
