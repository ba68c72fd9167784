//! The order in which the program issued GPU events, which is the same in every layer, unlike their order in time.

use crate::analysis::Analysis;
use crate::name::EventKind;
use crate::store::{EventId, Ns};

/// Moment of launch of every GPU event; of events without a known call that of the one before it on its stream.
pub fn moments(analysis: &Analysis<'_>) -> Vec<Ns> {
    let trace = analysis.trace;
    let mut last = vec![Ns::MIN; trace.tracks.len()];
    let of = |event: usize| {
        let carried = &mut last[trace.gpu.track[event] as usize];
        if let Some(call) = analysis.links.call(event) {
            *carried = trace.calls.start[call];
        }
        *carried
    };
    (0..analysis.len()).map(of).collect()
}

/// Puts the events of a pass, sorted by start, into the order of launches and of nodes within a graph.
pub fn by_launch(analysis: &Analysis<'_>, moments: &[Ns], events: &mut [u32]) {
    let gpu = &analysis.trace.gpu;
    let by_start = events.to_vec();
    let nodes = nodes(analysis, moments, &by_start);
    let mut keyed: Vec<(Ns, EventId, Ns, u32)> = by_start
        .iter()
        .zip(nodes)
        .map(|(&event, node)| (moments[event as usize], node, gpu.start[event as usize], event))
        .collect();
    keyed.sort_unstable();
    for (slot, key) in events.iter_mut().zip(keyed) {
        *slot = key.3;
    }
    // Node ids are given at capture, mostly in order. Where they contradict a stream's own order they say nothing.
    if !keeps_streams(analysis, events) {
        events.copy_from_slice(&by_start);
        events.sort_by_key(|&event| (moments[event as usize], gpu.start[event as usize]));
    }
}

/// The node of each event; of events of a replay that have none (fills) that of the one before on their stream.
fn nodes(analysis: &Analysis<'_>, moments: &[Ns], events: &[u32]) -> Vec<EventId> {
    let gpu = &analysis.trace.gpu;
    let mut last = vec![(Ns::MIN, EventId::NONE); analysis.trace.tracks.len()];
    let of = |&event: &u32| {
        let event = event as usize;
        let before = &mut last[gpu.track[event] as usize];
        let node = gpu.graph_node[event];
        if node.is_some() {
            *before = (moments[event], node);
            node
        } else if analysis.links.in_graph(event) && before.0 == moments[event] {
            before.1
        } else {
            // The first thing of a replay comes before its nodes.
            EventId::new(0, 0)
        }
    };
    events.iter().map(of).collect()
}

fn keeps_streams(analysis: &Analysis<'_>, events: &[u32]) -> bool {
    let gpu = &analysis.trace.gpu;
    let mut last = vec![Ns::MIN; analysis.trace.tracks.len()];
    let mut wrong = 0;
    for &event in events {
        let (track, start) = (gpu.track[event as usize] as usize, gpu.start[event as usize]);
        wrong += usize::from(start < last[track]);
        last[track] = last[track].max(start);
    }
    wrong * 100 <= events.len()
}

/// Whether every kernel of a replayed graph says which node it is.
pub fn has_nodes(analysis: &Analysis<'_>, events: &[u32]) -> bool {
    let gpu = &analysis.trace.gpu;
    let lacks = |event: usize| {
        gpu.kind[event] == EventKind::Kernel
            && analysis.links.in_graph(event)
            && !gpu.graph_node[event].is_some()
    };
    !events.iter().any(|&event| lacks(event as usize))
}
