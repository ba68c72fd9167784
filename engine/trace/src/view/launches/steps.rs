//! Launches and synchronising calls of each step.

use crate::analysis::Analysis;
use crate::stage::{Stage, StepSource};
use crate::store::Ns;
use crate::view::replays::Replay;
use crate::view::waits::waiting_calls;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What one step launched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StepLaunches {
    /// Its number in the trace, from 0 in the order of time.
    pub index: u64,
    /// Its stage.
    pub stage: Stage,
    /// The name of its range or frame.
    pub name: String,
    /// GPU events outside graph replays.
    pub direct_launches: u64,
    /// Graph replays.
    pub graph_launches: u64,
    /// Kernels, copies and fills from them.
    pub graph_events: u64,
    /// Synchronising calls that began within the step. Absent where they are withheld.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waits: Option<Waits>,
}

/// Calls that return only when the GPU has reached a point. A driver call within a runtime call is not counted again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Waits {
    /// Calls.
    pub calls: u64,
    /// Sum of their durations, in ns.
    pub time_ns: Ns,
}

/// How many steps the events belong to.
pub(super) fn count(analysis: &Analysis<'_>, events: &[usize]) -> u64 {
    let mut seen = vec![false; analysis.segments.steps.len()];
    let steps = events.iter().filter_map(|&event| analysis.segments.of_event[event]);
    steps.for_each(|step| seen[step as usize] = true);
    seen.iter().filter(|&&seen| seen).count() as u64
}

/// All steps, synchronising calls outside of them, and why those of steps are withheld, if they are.
pub(super) fn steps(
    analysis: &Analysis<'_>,
    replays: &[Replay],
) -> (Vec<StepLaunches>, Waits, Option<String>) {
    let segments = &analysis.segments;
    let (of_step, outside, withheld) = waits(analysis);
    let row = |(index, step): (usize, &crate::stage::Step)| StepLaunches {
        index: index as u64,
        stage: step.stage,
        name: step.name.clone(),
        direct_launches: 0,
        graph_launches: 0,
        graph_events: 0,
        waits: withheld.is_none().then(|| of_step[index]),
    };
    let mut rows: Vec<StepLaunches> = segments.steps.iter().enumerate().map(row).collect();
    for (event, step) in segments.of_event.iter().enumerate() {
        if let Some(step) = step.filter(|_| !analysis.links.in_graph(event)) {
            rows[step as usize].direct_launches += 1;
        }
    }
    for replay in replays {
        if let Some(step) = segments.of_event[replay.first as usize] {
            rows[step as usize].graph_launches += 1;
            rows[step as usize].graph_events += replay.events;
        }
    }
    (rows, outside, withheld)
}

/// Synchronising calls of all steps of a stage together.
pub(super) fn waits_of(steps: &[StepLaunches], stage: Stage) -> Option<Waits> {
    let of_stage = steps.iter().filter(|step| step.stage == stage).filter_map(|step| step.waits);
    of_stage.reduce(|a, b| Waits { calls: a.calls + b.calls, time_ns: a.time_ns + b.time_ns })
}

fn waits(analysis: &Analysis<'_>) -> (Vec<Waits>, Waits, Option<String>) {
    let trace = analysis.trace;
    let steps = &analysis.segments.steps;
    let mut of_step = vec![Waits::default(); steps.len()];
    let mut outside = Waits::default();
    let on_gpu = steps.iter().any(|step| step.source == StepSource::GpuAnnotation);
    let process = processes(analysis);
    let start: Vec<Ns> = steps.iter().map(|step| step.start).collect();
    // When the last wait of each thread ends: what begins before is within it.
    let mut until = vec![Ns::MIN; trace.threads.len()];
    for call in waiting_calls(trace) {
        let call = trace.calls.row(call as usize);
        let end = call.start + call.dur;
        let until = &mut until[call.thread as usize];
        if call.start < *until {
            continue;
        }
        *until = end;
        let of_process = Some(trace.threads[call.thread as usize].process);
        let fits = |&step: &usize| {
            call.start < steps[step].end && (process[step].is_none() || process[step] == of_process)
        };
        // Steps of a process do not nest; those of several ranks in one trace lie side by side.
        let after = start.partition_point(|&start| start <= call.start);
        let step = (after.saturating_sub(16)..after).rev().find(fits).filter(|_| !on_gpu);
        let waits = step.map_or(&mut outside, |step| &mut of_step[step]);
        waits.calls += 1;
        waits.time_ns += call.dur;
    }
    let withheld = on_gpu.then(|| "steps are known on the GPU's timeline only".to_owned());
    (of_step, outside, withheld)
}

/// The process that launched the work of each step.
fn processes(analysis: &Analysis<'_>) -> Vec<Option<u16>> {
    let trace = analysis.trace;
    let mut process = vec![None; analysis.segments.steps.len()];
    for (event, step) in analysis.segments.of_event.iter().enumerate() {
        let Some(step) = step.filter(|&step| process[step as usize].is_none()) else { continue };
        let call = analysis.links.call(event);
        process[step as usize] = call.map(|call| trace.threads[trace.calls.thread[call] as usize].process);
    }
    process
}
