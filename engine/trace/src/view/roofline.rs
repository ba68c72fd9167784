//! The roofline: what operators computed and moved against what the GPU could have done in their time.
//!
//! It covers the kernels whose operators were recorded with shapes and have a formula; the share of the kernel time
//! that this is stands beside every number. What is faster than the GPU can be is marked, not hidden: a shape, a type
//! or the GPU's name must be wrong.

use crate::analysis::Analysis;
use crate::name::{Category, EventKind};
use crate::roofline::gpus::{Gpu, GpuError, Gpus, Seen};
use crate::roofline::{Dtype, Missing, calls};
use crate::stage::Stage;
use crate::store::Ns;
use crate::view::integrity::Concern;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub mod layers;
mod rows;
mod windows;

/// What the caller decides.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RoofOptions {
    /// The GPU, where the trace does not name it or names it wrongly: an id or a name of the table.
    pub gpu: Option<String>,
}

/// The roofline of a trace.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Roofline {
    /// Why there is none; everything else is empty then, but for what is known of the devices.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub withheld: Option<String>,
    /// Names that `--gpu` takes, where a device is not in the table.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub known_gpus: Vec<String>,
    /// Devices with kernels, in the order of the trace.
    pub devices: Vec<DeviceRoof>,
    /// Stages with kernels, in the order prefill, decode, mixed, unknown.
    pub stages: Vec<StageRoof>,
    /// Steps with kernels, by their begin.
    pub steps: Vec<StepRoof>,
    /// Layers of the chosen passes, where passes were looked for.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub layers: Vec<layers::LayerRoof>,
    /// What speaks against the numbers.
    pub concerns: Vec<Concern>,
}

/// The roof of one device.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DeviceRoof {
    /// Number of the device; in merged traces with the rank in front.
    pub device: String,
    /// Its name in the trace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Its peaks, with their source.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gpu: Option<Gpu>,
    /// Why it has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub withheld: Option<String>,
}

/// How much of the kernel time the numbers beside it speak of.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CostCoverage {
    /// Sum of the durations of all kernels, in ns; copies and fills are not among them.
    pub kernel_ns: Ns,
    /// Part of it in operators whose work is known, in ns.
    pub covered_ns: Ns,
    /// The same in percent.
    pub covered_share: f64,
    /// Why the rest is not covered, most time first.
    pub uncovered: Vec<Uncovered>,
}

/// Kernel time of which the work is not known.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Uncovered {
    /// Why it is not known.
    pub reason: Missing,
    /// Sum of durations, in ns.
    pub time_ns: Ns,
    /// Share of `kernel_ns`, in percent.
    pub share: f64,
}

/// Use of the GPU's peak over a window of time.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Utilisation {
    /// GPU time from the first to the last event of each step, summed over steps and devices, in ns. Windows of
    /// consecutive steps on one device do not overlap: each begins where the one before ends at the earliest.
    pub window_ns: Ns,
    /// FLOPs of the covered operators.
    pub flops: u64,
    /// Model FLOPs utilisation in percent: the time that the covered FLOPs take at the peak of the format they were
    /// multiplied in, over the window. A lower bound: what is not covered counts nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mfu: Option<f64>,
    /// Why there is no `mfu`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub withheld: Option<String>,
    /// Why it cannot be true: it would be above 100 %. There is no `mfu` then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub implausible: Option<String>,
}

/// One stage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StageRoof {
    /// The stage.
    pub stage: Stage,
    /// What is covered.
    pub coverage: CostCoverage,
    /// Use of the peak.
    pub utilisation: Utilisation,
    /// Time above the roof in all covered operators, in ns: what perfect kernels would save.
    pub headroom_ns: Ns,
    /// Rows by headroom, most first.
    pub rows: Vec<RoofRow>,
    /// Rows below the bar, which are not in `rows`.
    pub hidden_rows: u64,
    /// Their time, in ns.
    pub hidden_ns: Ns,
}

/// One step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StepRoof {
    /// Its number in time order, from 0.
    pub index: u64,
    /// What it computes.
    pub stage: Stage,
    /// The name of its range, or of its frame.
    pub name: String,
    /// What is covered.
    pub coverage: CostCoverage,
    /// Use of the peak.
    pub utilisation: Utilisation,
}

/// What limits an operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Bound {
    /// The bandwidth of memory.
    Memory,
    /// The rate of the matrix units.
    Compute,
}

/// One kernel of one stage and operator. Numbers are over all its calls.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RoofRow {
    /// Its name: white space and addresses normalised, the parameter list left out. Where a call launched several
    /// kernels, the longest.
    pub kernel: String,
    /// What it is.
    pub category: Category,
    /// The CPU operator, whose shapes count.
    pub op: String,
    /// The GPU whose roof it is.
    pub gpu: String,
    /// Format of the product; absent where the operator is bound by memory alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dtype: Option<Dtype>,
    /// Whether the kernel multiplies in fp8 although its inputs are wider.
    pub fp8_internal: bool,
    /// Calls of the operator.
    pub calls: u64,
    /// Kernels of these calls.
    pub kernels: u64,
    /// Sum of the kernels' durations, in ns.
    pub time_ns: Ns,
    /// Share of the stage's `kernel_ns`, in percent.
    pub share: f64,
    /// `Input Dims` of the shape with the most time.
    pub shape: String,
    /// Number of different shapes.
    pub shapes: u64,
    /// FLOPs of the products.
    pub flops: u64,
    /// Least bytes: every input read once, every output written once.
    pub bytes: u64,
    /// Achieved 10^12 FLOPs a second; absent without products.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tflops: Option<f64>,
    /// Peak of the format, in the same unit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peak_tflops: Option<f64>,
    /// Achieved 10^9 bytes a second, counting least bytes.
    pub gb_per_s: f64,
    /// Bandwidth of memory, in the same unit.
    pub peak_gb_per_s: f64,
    /// Arithmetic intensity in FLOPs a byte; absent without products.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub intensity: Option<f64>,
    /// Intensity from which on the format is bound by compute, in FLOPs a byte.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ridge: Option<f64>,
    /// What limits it: the larger of the two least times.
    pub bound: Bound,
    /// Least time by the roof, in ns: for each call the longer of FLOPs at the peak and bytes at the bandwidth.
    pub roof_ns: Ns,
    /// `roof_ns` over `time_ns`, in percent. Above 100 where caches served what memory would have had to.
    pub roof_share: f64,
    /// `time_ns` minus `roof_ns`, in ns, not below 0.
    pub headroom_ns: Ns,
    /// What had to be assumed.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub assumptions: Vec<String>,
    /// Why the numbers cannot be true: calls faster than the peak, or than memory beyond what the cache holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub implausible: Option<String>,
}

/// Builds the view.
pub fn build(analysis: &Analysis<'_>, options: &RoofOptions) -> Roofline {
    let kernels_on = kernels_by_device(analysis);
    let found = kinds(analysis, options);
    let gpus: Vec<Option<&Gpu>> = found.iter().map(|found| found.as_ref().ok().copied()).collect();
    let devices: Vec<DeviceRoof> = (0..found.len())
        .filter(|&device| kernels_on[device] > 0)
        .map(|device| device_roof(analysis, device, &found[device]))
        .collect();
    let lost = found.iter().enumerate().any(|(device, found)| kernels_on[device] > 0 && found.is_err());
    let known_gpus = if lost { Gpus::built_in().map(Gpus::ids).unwrap_or_default() } else { Vec::new() };
    let mut view = Roofline { known_gpus, devices, ..Roofline::default() };
    if view.devices.is_empty() {
        view.withheld = Some("no kernel ran on a GPU".into());
        return view;
    }
    if view.devices.iter().all(|device| device.gpu.is_none()) {
        let reason = view.devices.iter().find_map(|device| device.withheld.clone()).unwrap_or_default();
        view.withheld = Some(format!("{reason}; known are {}", view.known_gpus.join(", ")));
        return view;
    }
    let calls = calls::calls(analysis, &gpus);
    if calls.known.is_empty() {
        view.withheld = Some(nothing_covered(analysis, &calls));
        return view;
    }
    let windows = windows::windows(analysis, &calls);
    view.stages = rows::stages(analysis, &gpus, &calls, &windows);
    view.steps = windows::steps(analysis, windows);
    view.concerns = rows::concerns(&view.stages, &view.steps);
    view
}

fn kernels_by_device(analysis: &Analysis<'_>) -> Vec<u64> {
    let mut kernels = vec![0; analysis.trace.devices.len()];
    for event in 0..analysis.len() {
        let is_kernel = analysis.trace.gpu.kind[event] == EventKind::Kernel;
        kernels[analysis.trace.device_of(event) as usize] += u64::from(is_kernel);
    }
    kernels
}

/// The kind of every device of the trace.
fn kinds(analysis: &Analysis<'_>, options: &RoofOptions) -> Vec<Result<&'static Gpu, GpuError>> {
    let kind = |device: usize| {
        let (table, seen) = (Gpus::built_in()?, seen(analysis, device));
        match &options.gpu {
            Some(name) => table.named(name, seen),
            None => table.of_device(seen),
        }
    };
    (0..analysis.trace.devices.len()).map(kind).collect()
}

/// What the trace says of a device, in its own place or in `deviceProperties`.
fn seen<'t>(analysis: &Analysis<'t>, device: usize) -> Seen<'t> {
    let trace = analysis.trace;
    let place = &trace.devices[device];
    let listed = &trace.head.device_properties;
    let of_index = |index: u32| listed.iter().find(|all| all["id"] == index);
    // ROCm numbers devices differently in the list and in the events; where all listed are alike it does not matter.
    let alike = || {
        let first = listed.first()?;
        let same =
            |all: &Value| ["name", "numSms", "totalGlobalMem"].iter().all(|key| all[*key] == first[*key]);
        listed.iter().all(same).then_some(first)
    };
    let properties = place.index.and_then(of_index).or_else(alike);
    let text = |key: &str| properties.and_then(|all| all[key].as_str()).filter(|text| !text.is_empty());
    let number = |key: &str| properties.and_then(|all| all[key].as_u64()).filter(|&number| number > 0);
    Seen {
        name: place.name.as_deref().or_else(|| text("name")),
        sms: number("numSms").and_then(|sms| u32::try_from(sms).ok()),
        memory: number("totalGlobalMem"),
    }
}

fn device_roof(analysis: &Analysis<'_>, device: usize, found: &Result<&'static Gpu, GpuError>) -> DeviceRoof {
    DeviceRoof {
        device: analysis.trace.devices[device].label.clone(),
        name: seen(analysis, device).name.map(str::to_owned),
        gpu: found.as_ref().ok().copied().cloned(),
        withheld: found.as_ref().err().map(ToString::to_string),
    }
}

/// In words why not one operator is covered.
fn nothing_covered(analysis: &Analysis<'_>, calls: &calls::Calls) -> String {
    let all = (0..analysis.len()).filter(|&event| analysis.trace.gpu.kind[event] == EventKind::Kernel);
    let coverage = windows::coverage(analysis, calls, all);
    let reasons =
        coverage.uncovered.iter().map(|part| format!("{:.1} % {}", part.share, part.reason.words()));
    format!("no operator's work is known; of the kernel time are {}", reasons.collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests;
