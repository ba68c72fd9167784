//! Steps of the engine with what the GPU did for each.

use crate::analysis::Analysis;
use crate::stage::{Batch, Stage};
use crate::store::Ns;
use crate::timeline::{Span, busy};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StepRow {
    /// Its number in time order, from 0.
    pub index: u64,
    /// What it computes.
    pub stage: Stage,
    /// The name of its range, or of its frame.
    pub name: String,
    /// Requests and tokens, where the name says them.
    pub batch: Batch,
    /// Begin on the host, in the trace's ns.
    pub start_ns: Ns,
    /// Time on the host, in ns.
    pub cpu_ns: Ns,
    /// Kernels, copies and fills that it launched.
    pub gpu_events: u64,
    /// Begin of the first of them, in the trace's ns.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gpu_start_ns: Option<Ns>,
    /// End of the last of them, in ns.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gpu_end_ns: Option<Ns>,
    /// Sum of their durations, in ns.
    pub gpu_sum_ns: Ns,
    /// Time during which any of them ran, over all devices, in ns.
    pub gpu_busy_ns: Ns,
}

/// All steps by their begin.
pub fn build(analysis: &Analysis<'_>) -> Vec<StepRow> {
    let mut spans: Vec<Vec<Span>> = vec![Vec::new(); analysis.segments.steps.len()];
    for (index, event) in analysis.trace.gpu.rows().enumerate() {
        if let Some(step) = analysis.segments.of_event[index] {
            spans[step as usize].push(Span {
                start: event.start,
                end: event.end(),
                stream: event.track,
                event: index as u32,
            });
        }
    }
    let steps = analysis.segments.steps.iter().zip(spans).enumerate();
    steps
        .map(|(index, (step, spans))| StepRow {
            index: index as u64,
            stage: step.stage,
            name: step.name.clone(),
            batch: step.batch,
            start_ns: step.start,
            cpu_ns: step.end - step.start,
            gpu_events: spans.len() as u64,
            gpu_start_ns: spans.first().map(|span| span.start),
            gpu_end_ns: spans.iter().map(|span| span.end).max(),
            gpu_sum_ns: spans.iter().map(|span| span.end - span.start).sum(),
            gpu_busy_ns: busy(&spans).busy,
        })
        .collect()
}
