//! What the trace can carry: shown first in every report, and asked by every view that draws a conclusion.

use crate::analysis::Analysis;
use crate::name::EventKind;
use crate::stage::{Stage, StepSource};
use crate::store::Reading;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The ground that conclusions stand on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Integrity {
    /// Whether nothing speaks against using the tables. See `concerns` for the reasons where it is `false`.
    pub sound: bool,
    /// Bytes of JSON (decompressed), or of the database.
    pub bytes: u64,
    /// Events read whole, of every kind.
    pub events: u64,
    /// Events that are no JSON and were passed over.
    pub malformed_events: u64,
    /// Events without a usable time.
    pub events_without_time: u64,
    /// GPU events of no duration.
    pub empty_gpu_events: u64,
    /// Events that the profiler says it lost.
    pub lost_by_profiler: u64,
    /// Names with bytes that are no UTF-8 or with raw control characters.
    pub damaged_names: u64,
    /// Kernels, copies and fills.
    pub gpu_events: u64,
    /// Kernels.
    pub kernels: u64,
    /// Python frames kept, and builtin ones that were only counted.
    pub python_frames: u64,
    /// Frames of builtin functions.
    pub builtin_frames: u64,
    /// Share of GPU events whose launch is known, in percent.
    pub linked_to_launch: f64,
    /// Share of GPU events outside graph replays whose CPU op is known, in percent.
    pub linked_to_op: f64,
    /// Share of GPU events outside graph replays whose place in a Python source is known, in percent.
    pub linked_to_python: f64,
    /// Share of GPU events from graph replays, in percent.
    pub under_graph: f64,
    /// Share of GPU time whose stage nothing proves, in percent.
    pub unknown_stage: f64,
    /// Share of kernel time in kernels of no known category, in percent.
    pub uncategorised: f64,
    /// Steps that were recognised.
    pub steps: u64,
    /// What they were recognised by.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub steps_from: Option<StepSource>,
    /// GPU events that began before the call that launched them by more than 10 us: the clocks disagree.
    pub before_launch: u64,
    /// What speaks against conclusions, most important first.
    pub concerns: Vec<Concern>,
    /// Conclusions that are not drawn, and why.
    pub withheld: Vec<Withheld>,
}

/// Something that speaks against conclusions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Concern {
    /// Stable kebab-case id.
    pub id: String,
    /// What was found.
    pub message: String,
    /// What to do about it.
    pub help: String,
    /// Whether tables of such a trace should not be used at all.
    pub fatal: bool,
}

/// A conclusion that the evidence cannot carry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Withheld {
    /// The view or verdict.
    pub verdict: String,
    /// Why it is withheld.
    pub reason: String,
}

/// CUPTI and ROCm convert clocks by interpolation; a few microseconds of disagreement are normal.
const CLOCK_TOLERANCE_NS: i64 = 10_000;
/// Below this share of kernels with a launch, delays and idle causes are guesses.
const LAUNCHES_NEEDED: f64 = 90.0;
/// Below this share places in sources say little about the whole.
const PYTHON_NEEDED: f64 = 50.0;
/// Above this share the time of one stage may be off by more than the gains that patches make.
const UNKNOWN_STAGE_ALLOWED: f64 = 5.0;

/// The name under which causes of idle time and launch delays are withheld.
pub const IDLE_CAUSES: &str = "idle causes and launch delays";

impl Integrity {
    /// Why `verdict` is withheld, if it is.
    pub fn reason_against(&self, verdict: &str) -> Option<&str> {
        let all = |withheld: &&Withheld| withheld.verdict == verdict || withheld.verdict == "every table";
        self.withheld.iter().find(all).map(|withheld| withheld.reason.as_str())
    }
}

/// Looks at a trace as a whole.
pub fn build(analysis: &Analysis<'_>) -> Integrity {
    let reading = &analysis.trace.reading;
    let counts = Counts::of(analysis);
    let mut integrity = numbers(analysis, reading, &counts);
    concerns(&mut integrity, analysis);
    withheld(&mut integrity);
    if analysis.trace.reading.whole_graphs > 0 {
        let reason = "the trace has each replay of a graph as one block".into();
        integrity.withheld.push(Withheld { verdict: "kernels within graph replays".into(), reason });
    }
    integrity.sound = !integrity.concerns.iter().any(|concern| concern.fatal);
    integrity
}

#[derive(Default)]
struct Counts {
    launch: u64,
    op: u64,
    python: u64,
    graph: u64,
    kernels: u64,
    before_launch: u64,
    time: i64,
    kernel_time: i64,
    unknown_stage: i64,
    uncategorised: i64,
}

impl Counts {
    fn of(analysis: &Analysis<'_>) -> Self {
        let mut counts = Self::default();
        let calls = &analysis.trace.calls;
        for (index, event) in analysis.trace.gpu.rows().enumerate() {
            let graph = analysis.links.in_graph(index);
            counts.graph += u64::from(graph);
            counts.op += u64::from(!graph && analysis.links.op(index).is_some());
            counts.python += u64::from(!graph && analysis.site(index).is_some());
            if let Some(call) = analysis.links.call(index) {
                counts.launch += 1;
                counts.before_launch += u64::from(event.start + CLOCK_TOLERANCE_NS < calls.start[call]);
            }
            counts.time += event.dur;
            if analysis.stage(index) == Stage::Unknown {
                counts.unknown_stage += event.dur;
            }
            if event.kind == EventKind::Kernel {
                counts.kernels += 1;
                counts.kernel_time += event.dur;
                if analysis.category(index) == crate::name::Category::Other {
                    counts.uncategorised += event.dur;
                }
            }
        }
        counts
    }
}

fn numbers(analysis: &Analysis<'_>, reading: &Reading, counts: &Counts) -> Integrity {
    let events = analysis.len() as u64;
    let outside = events - counts.graph;
    Integrity {
        sound: true,
        bytes: reading.bytes,
        events: reading.events,
        malformed_events: reading.malformed,
        events_without_time: reading.without_time,
        empty_gpu_events: reading.empty_gpu_events,
        lost_by_profiler: reading.lost_by_profiler,
        damaged_names: reading.invalid_utf8 + reading.control_characters,
        gpu_events: events,
        kernels: counts.kernels,
        python_frames: analysis.trace.frame_count() as u64,
        builtin_frames: reading.builtin_frames,
        linked_to_launch: percent(counts.launch, events),
        linked_to_op: percent(counts.op, outside),
        linked_to_python: percent(counts.python, outside),
        under_graph: percent(counts.graph, events),
        unknown_stage: percent(counts.unknown_stage as u64, counts.time as u64),
        uncategorised: percent(counts.uncategorised as u64, counts.kernel_time as u64),
        steps: analysis.segments.steps.len() as u64,
        steps_from: analysis.segments.steps.first().map(|step| step.source),
        before_launch: counts.before_launch,
        concerns: Vec::new(),
        withheld: Vec::new(),
    }
}

/// Share of GPU time in graph replays without their kernels, in percent.
fn whole_graph_share(analysis: &Analysis<'_>) -> f64 {
    let all: i64 = analysis.trace.gpu.dur.iter().sum();
    percent(analysis.trace.reading.whole_graphs_ns as u64, all as u64)
}

/// Share in percent; 0 of nothing is 0.
pub fn percent(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 * 100.0 / whole as f64 }
}

fn concerns(integrity: &mut Integrity, analysis: &Analysis<'_>) {
    let mut found = Vec::new();
    let mut add = |fatal: bool, id: &str, message: String, help: &str| {
        found.push(Concern { id: id.into(), message, help: help.into(), fatal });
    };
    if integrity.gpu_events == 0 {
        let help = "profile with the activity `CUDA` (on AMD too) while requests are served";
        add(true, "no-gpu-events", "nothing ran on a GPU in this trace".into(), help);
    }
    if integrity.lost_by_profiler > 0 {
        let message = format!("the profiler lost {} events", integrity.lost_by_profiler);
        add(true, "lost-events", message, "capture fewer steps, or raise the profiler's buffer size");
    }
    let reading = &analysis.trace.reading;
    if reading.whole_graphs > 0 {
        let message = format!(
            "{} graph replays ({:.1} % of the GPU time) were recorded as one block each, without their kernels",
            reading.whole_graphs,
            whole_graph_share(analysis)
        );
        add(false, "whole-graphs", message, "record again with `nsys profile --cuda-graph-trace=node`");
    }
    if !reading.warnings.is_empty() {
        let message = format!("the profiler warns: {}", reading.warnings.join("; "));
        add(
            false,
            "profiler-warnings",
            message,
            "compare the number of steps and kernels with what the run should have made",
        );
    }
    if integrity.malformed_events > 0 {
        let message = format!("{} events are no JSON and were passed over", integrity.malformed_events);
        let fatal = integrity.malformed_events * 100 > integrity.events;
        add(fatal, "malformed-events", message, "write the trace again; a disk may have been full");
    }
    if integrity.gpu_events > 0 && integrity.linked_to_launch < LAUNCHES_NEEDED {
        let message =
            format!("only {:.1} % of the GPU events have a known launch", integrity.linked_to_launch);
        add(
            false,
            "unlinked-kernels",
            message,
            "start the profiler before the work, with the activities `CPU` and `CUDA`",
        );
    }
    if integrity.before_launch > 0 {
        let message = format!("{} GPU events begin over 10 us before their launch", integrity.before_launch);
        add(false, "clocks-disagree", message, "do not read launch delays from this trace");
    }
    if !analysis.segments.steps.is_empty() && integrity.unknown_stage > UNKNOWN_STAGE_ALLOWED {
        let message = format!("{:.1} % of the GPU time belongs to no step", integrity.unknown_stage);
        add(
            false,
            "work-outside-steps",
            message,
            "look at the section `stage unknown` before comparing stages",
        );
    }
    integrity.concerns = found;
}

fn withheld(integrity: &mut Integrity) {
    let mut withhold = |verdict: &str, reason: String| {
        integrity.withheld.push(Withheld { verdict: verdict.into(), reason });
    };
    if integrity.gpu_events == 0 {
        withhold("every table", "nothing ran on a GPU".into());
        return;
    }
    if integrity.linked_to_launch < LAUNCHES_NEEDED || integrity.before_launch > 0 {
        withhold(IDLE_CAUSES, "launches are missing or clocks disagree".into());
    } else if integrity.under_graph >= 50.0 {
        let reason = format!(
            "{:.1} % of the GPU events are graph replays, whose kernels have no launch of their own",
            integrity.under_graph
        );
        withhold("launch-bound", reason);
    }
    if integrity.linked_to_python < PYTHON_NEEDED {
        let reason = if integrity.python_frames + integrity.builtin_frames == 0 {
            "the trace has no Python frames (`with_stack=True` records them)".into()
        } else {
            format!("only {:.1} % of the launches have one", integrity.linked_to_python)
        };
        withhold("Python locations", reason);
    }
    if integrity.steps == 0 && integrity.unknown_stage > UNKNOWN_STAGE_ALLOWED {
        withhold("prefill and decode apart", "no range and no frame of the trace names a step".into());
    }
}
