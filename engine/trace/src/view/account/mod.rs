//! The account of GPU time: of every nanosecond of every device, what it was spent on, step by step and stage by
//! stage. The parts of a window sum to it exactly.
//!
//! Idle time has a cause only where launches and clocks can carry it; else it stays one number, since wrong idle
//! causes are the most common wrong verdict about traces with graph replays.

mod idle;
mod sums;
mod windows;

use super::devices::spans;
use super::integrity::{self, IDLE_CAUSES};
use crate::analysis::Analysis;
use crate::name::EventKind;
use crate::stage::Stage;
use crate::store::Ns;
use crate::timeline::{Span, stretches};
use idle::{Cause, Causes};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sums::{Busy, Cursor, Sums};
use windows::{Window, windows};

/// The account of all devices.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct GpuAccount {
    /// Devices with work, in the order of the trace.
    pub devices: Vec<DeviceAccount>,
    /// Why idle time has no causes, where it has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idle_causes_withheld: Option<String>,
}

/// One device.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DeviceAccount {
    /// The device.
    pub device: String,
    /// All of it, from the first start to the last end.
    pub total: Parts,
    /// Stretches of idle time that no launch takes. Absent where there is none, and where causes are withheld.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub long_waits: Option<LongWaits>,
    /// The windows of each stage's steps together, in the order prefill, decode, mixed, unknown.
    pub stages: Vec<StageAccount>,
    /// All time before, between and behind the windows of steps; all of it where there are no steps.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub between_steps: Option<Parts>,
    /// Steps and what lies between them, in the order of time, without a gap.
    pub windows: Vec<WindowAccount>,
}

/// Idle stretches of over 1 ms although work was launched: the device waited for something that the trace does not
/// show, such as another device, or the trace lacks what it did. They are part of `launch` and no sign of slow
/// launches, which take microseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LongWaits {
    /// Stretches.
    pub count: u64,
    /// Their sum, in ns.
    pub time_ns: Ns,
    /// Share of the device's window, in percent.
    pub share: f64,
    /// The longest, in ns.
    pub longest_ns: Ns,
}

impl LongWaits {
    fn add(&mut self, time: Ns) {
        self.count += 1;
        self.time_ns += time;
        self.longest_ns = self.longest_ns.max(time);
    }
}

/// A hundred times what a launch takes to reach an idle device, in ns.
const LONG_WAIT_NS: Ns = 1_000_000;

/// The steps of one stage on one device.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StageAccount {
    /// The stage.
    pub stage: Stage,
    /// Steps with work on the device.
    pub steps: u64,
    /// Their windows together.
    pub parts: Parts,
}

/// The window of a step on a device, or what lies between two.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct WindowAccount {
    /// The step; absent between steps.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step: Option<WindowStep>,
    /// Begin, in the trace's nanoseconds.
    pub start_ns: Ns,
    /// When it ends, in the trace's ns.
    pub end_ns: Ns,
    /// What the time was spent on.
    pub parts: Parts,
}

/// The step of a window.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct WindowStep {
    /// Its number in the trace, from 0 in the order of time.
    pub index: u64,
    /// Its stage.
    pub stage: Stage,
    /// The name of its range or frame.
    pub name: String,
    /// GPU events of the step on this device.
    pub events: u64,
    /// Kernels among them.
    pub kernels: u64,
    /// Time between the first start and the last end of its events that lies outside of its window, because a
    /// neighbouring step was at work too, in ns.
    pub clipped_ns: Ns,
}

/// A time and its share.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Part {
    /// Time in ns.
    pub ns: Ns,
    /// Share of the window, in percent.
    pub share: f64,
}

/// What a window was spent on. Where several kernels are at work at once the first of these parts counts:
/// `compute`, `elementwise`, `other`, `memory_kernels`, `communication_exposed`, `copies_exposed`; they sum to `busy`,
/// and `busy` and `idle` sum to the window.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Parts {
    /// The window, in ns.
    pub window_ns: Ns,
    /// Anything at work.
    pub busy: Part,
    /// A product, attention or the like at work.
    pub compute: Part,
    /// A small kernel at work and none of the above.
    pub elementwise: Part,
    /// A kernel at work of which nothing is known, and none of the above.
    pub other: Part,
    /// A kernel at work that moves data, such as a cache write, and none of the above.
    pub memory_kernels: Part,
    /// Communication and no other kernel.
    pub communication_exposed: Part,
    /// Copies and fills that are no kernels, and nothing else.
    pub copies_exposed: Part,
    /// Communication beside another kernel; contained in the parts above, not a part of the sum.
    pub communication_hidden: Part,
    /// Copies and fills beside anything else; contained in the parts above, not a part of the sum.
    pub copies_hidden: Part,
    /// Nothing at work.
    pub idle: Part,
    /// Why nothing was at work; the causes sum to `idle`. Absent where they are withheld.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idle_causes: Option<IdleCauses>,
}

/// Why a device had nothing to do, told by the launch of what came next. Shares are of the window.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct IdleCauses {
    /// The host had not launched it: the call that launched it had not begun or not returned.
    pub host_bound: Part,
    /// It was launched and had not begun.
    pub launch: Part,
    /// It was not launched, and the thread that did so later stood in a synchronising call.
    pub sync: Part,
    /// Between kernels of one graph replay.
    pub graph: Part,
    /// Its launch is unknown.
    pub unknown: Part,
}

/// Draws up the account.
pub fn build(analysis: &Analysis<'_>) -> GpuAccount {
    let integrity = integrity::build(analysis);
    let idle_causes_withheld = integrity.reason_against(IDLE_CAUSES).map(str::to_owned);
    let mut causes = idle_causes_withheld.is_none().then(|| Causes::new(analysis));
    let devices = (0..analysis.trace.devices.len() as u32)
        .filter_map(|device| account(analysis, device, causes.as_mut()));
    GpuAccount { devices: devices.collect(), idle_causes_withheld }
}

fn account(
    analysis: &Analysis<'_>,
    device: u32,
    causes: Option<&mut Causes<'_, '_>>,
) -> Option<DeviceAccount> {
    let spans = spans(analysis, device);
    let windows = windows(analysis, &spans)?;
    let with_causes = causes.is_some();
    let (sums, mut long_waits) = fill(analysis, &spans, &windows, causes);
    let parts = |sums: &Sums| sums.parts(with_causes);
    let total = sums.iter().fold(Sums::default(), |total, sums| total.plus(sums));
    long_waits.share = long_waits.time_ns as f64 * 100.0 / total.window.max(1) as f64;
    debug_assert_eq!(total.window, windows[windows.len() - 1].end - windows[0].start);
    let of = |wanted: &dyn Fn(Option<Stage>) -> bool| {
        let stage = |window: &Window| window.step.map(|step| analysis.segments.steps[step as usize].stage);
        let found: Vec<&Sums> = windows
            .iter()
            .zip(&sums)
            .filter(|(window, _)| wanted(stage(window)))
            .map(|(_, sums)| sums)
            .collect();
        let sum = found.iter().fold(Sums::default(), |total, sums| total.plus(sums));
        (!found.is_empty()).then(|| (found.len() as u64, parts(&sum)))
    };
    let stages = Stage::ALL.into_iter().filter_map(|stage| {
        let (steps, parts) = of(&|of| of == Some(stage))?;
        Some(StageAccount { stage, steps, parts })
    });
    let counts = event_counts(analysis, &spans);
    let rows = windows.iter().zip(&sums).map(|(window, sums)| WindowAccount {
        step: window.step.map(|step| window_step(analysis, step, window, &counts)),
        start_ns: window.start,
        end_ns: window.end,
        parts: parts(sums),
    });
    Some(DeviceAccount {
        device: analysis.trace.devices[device as usize].label.clone(),
        total: parts(&total),
        long_waits: (long_waits.count > 0).then_some(long_waits),
        stages: stages.collect(),
        between_steps: of(&|stage| stage.is_none()).map(|(_, parts)| parts),
        windows: rows.collect(),
    })
}

fn fill(
    analysis: &Analysis<'_>,
    spans: &[Span],
    windows: &[Window],
    mut causes: Option<&mut Causes<'_, '_>>,
) -> (Vec<Sums>, LongWaits) {
    let mut cursor = Cursor::new(windows);
    let mut long_waits = LongWaits::default();
    stretches(spans, |start, end, active| {
        if !active.is_empty() {
            let kernel = |event: usize| analysis.trace.gpu.kind[event] == EventKind::Kernel;
            let what = |span: &Span| (kernel(span.event as usize), analysis.lane(span.event as usize));
            let busy = Busy::of(active.iter().map(what));
            cursor.add(start, end, |sums, time| sums.add_busy(busy, time));
            return;
        }
        let Some(causes) = causes.as_deref_mut() else {
            cursor.add(start, end, |sums, time| sums.idle += time);
            return;
        };
        let next = spans.partition_point(|span| span.start < end);
        let next = spans[next..].iter().take_while(|span| span.start == end).map(|span| span.event as usize);
        for &(from, until, cause) in causes.of(start, end, next) {
            cursor.add(from, until, |sums, time| sums.add_idle(cause, time));
            if cause == Cause::Launch && until - from > LONG_WAIT_NS {
                long_waits.add(until - from);
            }
        }
    });
    (cursor.sums, long_waits)
}

/// Events and kernels of each step on a device.
fn event_counts(analysis: &Analysis<'_>, spans: &[Span]) -> Vec<(u64, u64)> {
    let mut counts = vec![(0, 0); analysis.segments.steps.len()];
    for span in spans {
        let event = span.event as usize;
        if let Some(step) = analysis.segments.of_event[event] {
            let count = &mut counts[step as usize];
            count.0 += 1;
            count.1 += u64::from(analysis.trace.gpu.kind[event] == EventKind::Kernel);
        }
    }
    counts
}

fn window_step(analysis: &Analysis<'_>, index: u32, window: &Window, counts: &[(u64, u64)]) -> WindowStep {
    let step = &analysis.segments.steps[index as usize];
    let (events, kernels) = counts[index as usize];
    WindowStep {
        index: u64::from(index),
        stage: step.stage,
        name: step.name.clone(),
        events,
        kernels,
        clipped_ns: window.clipped,
    }
}

#[cfg(test)]
mod tests;
