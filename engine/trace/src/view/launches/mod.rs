//! Launch statistics: what it costs to bring work onto the GPU, and how much of that graphs save.
//!
//! A graph replay is one launch, whatever number of kernels it brings.

mod calls;
mod queue;
mod steps;
mod summary;

pub use calls::{CallRow, delay};
pub use queue::QueueDepth;
pub use steps::{StepLaunches, Waits};
pub use summary::DelayStats;

use super::integrity::{self, IDLE_CAUSES, percent};
use super::replays::{Replay, Replays};
use crate::analysis::Analysis;
use crate::name::EventKind;
use crate::stage::Stage;
use crate::store::Ns;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Launch statistics of a trace.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LaunchStats {
    /// Stages with work, in the order prefill, decode, mixed, unknown.
    pub stages: Vec<StageLaunches>,
    /// Steps in the order of time.
    pub steps: Vec<StepLaunches>,
    /// Synchronising calls that lie in no step, and all of them where there are no steps on the CPU's timeline.
    pub waits_outside_steps: Waits,
    /// Why synchronising calls are not given step by step, where they are not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waits_of_steps_withheld: Option<String>,
    /// Runtime and driver calls by name, longest total first.
    pub calls: Vec<CallRow>,
    /// For each device the most launches that waited at once. Empty where it is withheld.
    pub queue_depth: Vec<QueueDepth>,
    /// Why delays and queue depths are missing, where they are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delays_withheld: Option<String>,
}

/// Launches of one stage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StageLaunches {
    /// The stage.
    pub stage: Stage,
    /// Its steps with work on a GPU.
    pub steps: u64,
    /// GPU events outside graph replays; each had a launch of its own.
    pub direct_launches: u64,
    /// Graph replays, each device for itself.
    pub graph_launches: u64,
    /// Direct launches and graph launches of a step, on average. Absent without steps.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub launches_per_step: Option<f64>,
    /// Kernels from graph replays.
    pub graph_kernels: u64,
    /// Their share of the stage's kernels, in percent.
    pub graph_coverage: f64,
    /// Share of the time of GPU events that came from graph replays, in percent.
    pub graph_time_share: f64,
    /// Replays by their number of kernels, fewest kernels first.
    pub graphs: Vec<GraphSize>,
    /// From the end of the launch call to the start of the work, of everything outside graphs and of the first event
    /// of each replay. Below 0 where the work began before the call returned. Absent where it is withheld.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delay: Option<DelayStats>,
    /// Kernels that take less time than launching one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub short_kernels: Option<ShortKernels>,
    /// Synchronising calls that began within its steps. Absent where they are withheld, and without steps.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waits: Option<Waits>,
}

/// Replays with the same number of kernels.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GraphSize {
    /// Kernels of one replay.
    pub kernels: u64,
    /// Replays of this size.
    pub launches: u64,
}

/// Kernels outside graphs that are shorter than the mean call that launches one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ShortKernels {
    /// Mean duration of the calls that launched the stage's kernels outside graphs, in ns.
    pub mean_launch_call_ns: f64,
    /// Their median, in ns. Far below the mean where calls were blocked by a full queue: then `count` says little.
    pub p50_launch_call_ns: Ns,
    /// How many kernels are shorter.
    pub count: u64,
    /// Their share of the kernels outside graphs, in percent.
    pub share_of_launches: f64,
    /// Their share of the time of kernels outside graphs, in percent.
    pub share_of_time: f64,
}

/// Works the statistics out.
pub fn build(analysis: &Analysis<'_>) -> LaunchStats {
    let integrity = integrity::build(analysis);
    let delays_withheld = integrity.reason_against(IDLE_CAUSES).map(str::to_owned);
    let timed = delays_withheld.is_none();
    let replays = Replays::new(analysis);
    let in_order = replays.in_order();
    let (steps, waits_outside_steps, waits_of_steps_withheld) = steps::steps(analysis, &in_order);
    let stages = Stage::ALL.into_iter().filter_map(|stage| {
        let launches = of_stage(analysis, stage, &replays, &in_order, timed)?;
        Some(StageLaunches { waits: steps::waits_of(&steps, stage), ..launches })
    });
    let stages = stages.collect();
    LaunchStats {
        stages,
        steps,
        waits_outside_steps,
        waits_of_steps_withheld,
        calls: calls::by_name(analysis),
        queue_depth: if timed { queue::depths(analysis, &replays) } else { Vec::new() },
        delays_withheld,
    }
}

fn of_stage(
    analysis: &Analysis<'_>,
    stage: Stage,
    replays: &Replays,
    in_order: &[Replay],
    timed: bool,
) -> Option<StageLaunches> {
    let events: Vec<usize> = (0..analysis.len()).filter(|&event| analysis.stage(event) == stage).collect();
    if events.is_empty() {
        return None;
    }
    let is_kernel = |event: usize| analysis.trace.gpu.kind[event] == EventKind::Kernel;
    let (graph, direct): (Vec<usize>, Vec<usize>) =
        events.iter().copied().partition(|&event| analysis.links.in_graph(event));
    let of_stage = in_order.iter().filter(|replay| analysis.stage(replay.first as usize) == stage);
    let mut sizes: BTreeMap<u64, u64> = BTreeMap::new();
    of_stage.for_each(|replay| *sizes.entry(replay.kernels).or_default() += 1);
    let kernels = events.iter().filter(|&&event| is_kernel(event)).count() as u64;
    let graph_kernels = graph.iter().filter(|&&event| is_kernel(event)).count() as u64;
    let graph_launches: u64 = sizes.values().sum();
    let time =
        |events: &[usize]| events.iter().map(|&event| analysis.trace.gpu.dur[event] as u64).sum::<u64>();
    let steps = steps::count(analysis, &events);
    let launched = events.iter().copied().filter(|&event| replays.launched(analysis, event));
    let delays = || launched.filter_map(|event| delay(analysis, event)).collect();
    Some(StageLaunches {
        stage,
        steps,
        direct_launches: direct.len() as u64,
        graph_launches,
        launches_per_step: (steps > 0).then(|| (direct.len() as u64 + graph_launches) as f64 / steps as f64),
        graph_kernels,
        graph_coverage: percent(graph_kernels, kernels),
        graph_time_share: percent(time(&graph), time(&events)),
        graphs: sizes.into_iter().map(|(kernels, launches)| GraphSize { kernels, launches }).collect(),
        delay: if timed { DelayStats::of(delays()) } else { None },
        short_kernels: short_kernels(analysis, &direct),
        waits: None,
    })
}

/// Compares kernels among `direct` with the calls that launched them; `None` if no such call is known.
fn short_kernels(analysis: &Analysis<'_>, direct: &[usize]) -> Option<ShortKernels> {
    let trace = analysis.trace;
    let kernels = direct.iter().copied().filter(|&event| trace.gpu.kind[event] == EventKind::Kernel);
    let calls = kernels.clone().filter_map(|event| analysis.links.call(event));
    let calls = DelayStats::of(calls.map(|call| trace.calls.dur[call]).collect())?;
    let mean = calls.mean_ns;
    let (mut all, mut all_time, mut short, mut short_time) = (0, 0, 0, 0);
    for dur in kernels.map(|event| trace.gpu.dur[event]) {
        all += 1;
        all_time += dur;
        if (dur as f64) < mean {
            short += 1;
            short_time += dur;
        }
    }
    Some(ShortKernels {
        mean_launch_call_ns: mean,
        p50_launch_call_ns: calls.p50_ns,
        count: short,
        share_of_launches: percent(short, all),
        share_of_time: share(short_time, all_time),
    })
}

fn share(part: Ns, whole: Ns) -> f64 {
    percent(part as u64, whole as u64)
}

#[cfg(test)]
mod tests;
