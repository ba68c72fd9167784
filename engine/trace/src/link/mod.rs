//! From a kernel back to the call that launched it, the CPU op and the Python frames around that call.
//!
//! Correlation joins kernel and call; `External id` joins with the op, and where it is absent the innermost op around
//! the call does. Frames are those open on the calling thread at the moment of the call. What a graph replay
//! launched has one call for all of it: it gets the call and no op and no frame of its own.

mod site;
mod stacks;
mod sweep;

pub use site::{Site, Sites};
pub use stacks::{StackId, Stacks};
pub use sweep::Sweep;

use crate::store::{EventId, Ns, Trace};
use std::collections::HashMap;

/// No row.
const NONE: u32 = u32::MAX;

/// Joins of one trace. The vectors are as long as the tables they speak of.
#[derive(Debug, Clone, Default)]
pub struct Links {
    call: Vec<u32>,
    op: Vec<u32>,
    graph: Vec<bool>,
    stack_of_call: Vec<StackId>,
    /// All stacks in which calls were made.
    pub stacks: Stacks,
}

impl Links {
    /// Joins everything.
    pub fn new(trace: &Trace) -> Self {
        let mut stacks = Stacks::default();
        let stack_of_call = stacks_of_calls(trace, &mut stacks);
        let around = ops_around_calls(trace);
        let by_correlation = index(trace.calls.correlation.iter().copied());
        let by_external = index(trace.ops.external.iter().copied());
        let mut links = Self { stack_of_call, stacks, ..Self::default() };
        for event in trace.gpu.rows() {
            let call = by_correlation.get(&event.correlation).copied().unwrap_or(NONE);
            let graph = event.graph_node.is_some() || (call != NONE && is_graph_launch(trace, call));
            let mut op = by_external.get(&event.external).copied();
            if op.is_none() && call != NONE && !graph {
                op = by_external.get(&trace.calls.external[call as usize]).copied();
                op = op.or(Some(around[call as usize]).filter(|&op| op != NONE));
            }
            links.call.push(call);
            links.graph.push(graph);
            links.op.push(op.filter(|_| !graph).unwrap_or(NONE));
        }
        links
    }

    /// The call that launched GPU event `event`.
    pub fn call(&self, event: usize) -> Option<usize> {
        some(self.call[event])
    }

    /// The CPU op that GPU event `event` belongs to.
    pub fn op(&self, event: usize) -> Option<usize> {
        some(self.op[event])
    }

    /// Whether GPU event `event` came from the replay of a graph.
    pub fn in_graph(&self, event: usize) -> bool {
        self.graph[event]
    }

    /// The Python frames around the call that launched GPU event `event`; empty where there is none. For a graph
    /// replay these are the frames of the replay, not of what was captured.
    pub fn stack(&self, event: usize) -> StackId {
        self.call(event).map_or(StackId::EMPTY, |call| self.stack_of_call[call])
    }

    /// The Python frames around a call.
    pub fn stack_of_call(&self, call: usize) -> StackId {
        self.stack_of_call[call]
    }
}

fn some(row: u32) -> Option<usize> {
    (row != NONE).then_some(row as usize)
}

/// First row of each id. Ids that come twice are rare: retries of a buffer.
fn index(ids: impl Iterator<Item = EventId>) -> HashMap<EventId, u32> {
    let mut index = HashMap::new();
    for (row, id) in ids.enumerate().filter(|(_, id)| id.is_some()) {
        index.entry(id).or_insert(row as u32);
    }
    index
}

/// `cudaGraphLaunch`, `cuGraphLaunch`, `hipGraphLaunch` and their versions.
fn is_graph_launch(trace: &Trace, call: u32) -> bool {
    trace.text(trace.calls.name[call as usize]).contains("GraphLaunch")
}

/// Rows of a table by thread, each thread's in order.
fn by_thread(threads: usize, of_row: &[u32]) -> Vec<Vec<u32>> {
    let mut rows = vec![Vec::new(); threads];
    for (row, &thread) in of_row.iter().enumerate() {
        rows[thread as usize].push(row as u32);
    }
    rows
}

fn stacks_of_calls(trace: &Trace, stacks: &mut Stacks) -> Vec<StackId> {
    let mut result = vec![StackId::EMPTY; trace.calls.len()];
    for (thread, calls) in by_thread(trace.threads.len(), &trace.calls.thread).iter().enumerate() {
        let frames = &trace.frames[frame_thread(trace, thread)];
        let end = |frame: usize| frames.end[frame];
        let mut sweep = Sweep::new(&frames.start, &end);
        for &call in calls {
            let moment: Ns = trace.calls.start[call as usize];
            // Of a million frames few are around a call: paths are made when one is asked for.
            let open = sweep.at(moment, |_| None);
            let known = open.iter().rposition(|(_, stack)| stack.is_some());
            let mut stack = known.and_then(|place| open[place].1).unwrap_or(StackId::EMPTY);
            for (frame, path) in &mut open[known.map_or(0, |place| place + 1)..] {
                stack = stacks.child(stack, frames.name[*frame]);
                *path = Some(stack);
            }
            result[call as usize] = stack;
        }
    }
    result
}

/// The thread whose frames belong to a thread's calls: itself, or where a process has a single thread with frames
/// and that has none of the process's calls (some profilers write frames under 0, 0), that one.
fn frame_thread(trace: &Trace, thread: usize) -> usize {
    if !trace.frames[thread].is_empty() {
        return thread;
    }
    let stray = |other: &usize| {
        let place = &trace.threads[*other];
        !trace.frames[*other].is_empty() && place.pid == "0" && place.tid == "0"
    };
    let busiest = || {
        let mut calls = vec![0u32; trace.threads.len()];
        trace.calls.thread.iter().for_each(|&thread| calls[thread as usize] += 1);
        (0..calls.len()).max_by_key(|&thread| calls[thread])
    };
    match (0..trace.threads.len()).find(stray) {
        Some(other) if busiest() == Some(thread) => other,
        _ => thread,
    }
}

fn ops_around_calls(trace: &Trace) -> Vec<u32> {
    let threads = trace.threads.len();
    let mut result = vec![NONE; trace.calls.len()];
    let ops = by_thread(threads, &trace.ops.thread);
    for (thread, calls) in by_thread(threads, &trace.calls.thread).iter().enumerate() {
        let rows = &ops[thread];
        let start: Vec<Ns> = rows.iter().map(|&op| trace.ops.start[op as usize]).collect();
        let end = |span: usize| start[span] + trace.ops.dur[rows[span] as usize];
        let mut sweep = Sweep::new(&start, &end);
        for &call in calls {
            let open = sweep.at(trace.calls.start[call as usize], |_| ());
            result[call as usize] = open.last().map_or(NONE, |&(span, ())| rows[span]);
        }
    }
    result
}
