//! Coverage and use of the peak, by step and by stage.

use super::{CostCoverage, StepRoof, Uncovered, Utilisation};
use crate::analysis::Analysis;
use crate::name::EventKind;
use crate::roofline::Missing;
use crate::roofline::calls::{Call, Calls};
use crate::stage::Stage;
use crate::store::Ns;

/// What happened in one step, or in one stage outside of steps.
#[derive(Debug, Clone, Default)]
pub struct Sums {
    window: Ns,
    kernels: Ns,
    missing: [Ns; Missing::ALL.len()],
    flops: u64,
    /// Time of the FLOPs at the peak, in ns.
    compute: f64,
    /// Part of it in calls that were faster than possible.
    impossible: f64,
}

/// Sums of every step and of what lies outside of steps.
#[derive(Debug, Clone)]
pub struct Windows {
    /// By step.
    steps: Vec<Sums>,
    /// What belongs to no step, by stage in the order of [`Stage::ALL`].
    outside: Vec<Sums>,
}

impl Windows {
    fn at(&mut self, analysis: &Analysis<'_>, event: usize) -> &mut Sums {
        match analysis.segments.of_event[event] {
            Some(step) => &mut self.steps[step as usize],
            None => &mut self.outside[place(analysis.stage(event))],
        }
    }

    /// The sums of a stage.
    pub fn of_stage(&self, analysis: &Analysis<'_>, stage: Stage) -> Sums {
        let steps = self.steps.iter().zip(&analysis.segments.steps);
        let mut all = self.outside[place(stage)].clone();
        steps.filter(|(_, step)| step.stage == stage).for_each(|(sums, _)| all.add(sums));
        all
    }
}

fn place(stage: Stage) -> usize {
    Stage::ALL.iter().position(|&other| other == stage).unwrap_or(Stage::ALL.len() - 1)
}

impl Sums {
    fn add(&mut self, other: &Self) {
        self.window += other.window;
        self.kernels += other.kernels;
        self.missing.iter_mut().zip(other.missing).for_each(|(sum, part)| *sum += part);
        self.flops = self.flops.saturating_add(other.flops);
        self.compute += other.compute;
        self.impossible += other.impossible;
    }

    /// Whether a kernel ran.
    pub fn is_empty(&self) -> bool {
        self.kernels == 0
    }

    /// What of the kernel time is covered.
    pub fn coverage(&self) -> CostCoverage {
        let share =
            |part: Ns| if self.kernels == 0 { 0.0 } else { part as f64 * 100.0 / self.kernels as f64 };
        let covered_ns = self.kernels - self.missing.iter().sum::<Ns>();
        let mut uncovered: Vec<Uncovered> = Missing::ALL
            .into_iter()
            .zip(self.missing)
            .filter(|&(_, time_ns)| time_ns > 0)
            .map(|(reason, time_ns)| Uncovered { reason, time_ns, share: share(time_ns) })
            .collect();
        uncovered.sort_by_key(|part| std::cmp::Reverse(part.time_ns));
        CostCoverage { kernel_ns: self.kernels, covered_ns, covered_share: share(covered_ns), uncovered }
    }

    /// The use of the peak, where the evidence carries it.
    pub fn utilisation(&self) -> Utilisation {
        let mut all = Utilisation { window_ns: self.window, flops: self.flops, ..Utilisation::default() };
        all.withheld = self.withheld();
        if all.withheld.is_none() {
            let mfu = self.compute * 100.0 / self.window as f64;
            let reason = || {
                format!(
                    "it would be {mfu:.1} %: steps overlap, or the shapes, the types or the GPU are others"
                )
            };
            all.implausible = (mfu > 100.0).then(reason);
            all.mfu = (mfu <= 100.0).then_some(mfu);
        }
        all
    }

    fn withheld(&self) -> Option<String> {
        let graph = self.missing[Missing::GraphReplay as usize] as f64 * 100.0 / self.kernels.max(1) as f64;
        if graph > GRAPH_ALLOWED {
            return Some(format!("{graph:.1} % of the kernel time is {}", Missing::GraphReplay.words()));
        }
        if self.flops == 0 || self.window == 0 {
            return Some("no matrix product with known shapes".into());
        }
        if self.impossible > self.compute * IMPOSSIBLE_ALLOWED {
            let share = self.impossible * 100.0 / self.compute;
            return Some(format!("{share:.1} % of the FLOPs are in calls faster than the GPU can be"));
        }
        None
    }
}

/// Above this share of kernel time in graph replays, in percent, a lower bound says nothing.
const GRAPH_ALLOWED: f64 = 50.0;
/// Impossible calls with this part of the FLOPs or less cannot change a utilisation that is read to the percent.
const IMPOSSIBLE_ALLOWED: f64 = 0.01;
/// Rounding of times to nanoseconds is no evidence against a call.
const ROUNDING_NS: f64 = 1.0;

/// Whether a call was faster than possible.
pub fn impossible(call: &Call) -> bool {
    call.roof.floor_ns() > call.time as f64 + ROUNDING_NS * call.kernels as f64
}

/// Sums up all kernels and calls.
pub fn windows(analysis: &Analysis<'_>, calls: &Calls) -> Windows {
    let mut windows = Windows {
        steps: vec![Sums::default(); analysis.segments.steps.len()],
        outside: vec![Sums::default(); Stage::ALL.len()],
    };
    lengths(analysis, &mut windows);
    for event in (0..analysis.len()).filter(|&event| analysis.trace.gpu.kind[event] == EventKind::Kernel) {
        let dur = analysis.trace.gpu.dur[event];
        let sums = windows.at(analysis, event);
        sums.kernels += dur;
        if let Some(missing) = calls.missing[event] {
            sums.missing[missing as usize] += dur;
        }
    }
    for call in &calls.known {
        let sums = windows.at(analysis, call.main);
        sums.flops = sums.flops.saturating_add(calls.costs[call.cost].flops);
        sums.compute += call.roof.compute_ns;
        sums.impossible += if impossible(call) { call.roof.compute_ns } else { 0.0 };
    }
    windows
}

/// The windows: first start to last end on each device, those of steps cut where the step before ends.
fn lengths(analysis: &Analysis<'_>, windows: &mut Windows) {
    let (devices, steps) = (analysis.trace.devices.len(), analysis.segments.steps.len());
    let mut spans: Vec<Option<(Ns, Ns)>> = vec![None; devices * (steps + Stage::ALL.len())];
    for event in 0..analysis.len() {
        let slot = match analysis.segments.of_event[event] {
            Some(step) => step as usize,
            None => steps + place(analysis.stage(event)),
        };
        let start = analysis.trace.gpu.start[event];
        let end = start + analysis.trace.gpu.dur[event];
        let span = &mut spans[slot * devices + analysis.trace.device_of(event) as usize];
        *span = Some(span.map_or((start, end), |(first, last)| (first.min(start), last.max(end))));
    }
    for device in 0..devices {
        let of_slot = |slot: usize| spans[slot * devices + device].map(|span| (span, slot));
        let mut of_steps: Vec<_> = (0..steps).filter_map(of_slot).collect();
        of_steps.sort_unstable();
        let mut before = Ns::MIN;
        for ((start, end), step) in of_steps {
            windows.steps[step].window += (end - start.max(before)).max(0);
            before = before.max(end);
        }
        for ((start, end), slot) in (steps..steps + Stage::ALL.len()).filter_map(of_slot) {
            windows.outside[slot - steps].window += end - start;
        }
    }
}

/// Rows of all steps with kernels.
pub fn steps(analysis: &Analysis<'_>, windows: Windows) -> Vec<StepRoof> {
    let steps = analysis.segments.steps.iter().zip(windows.steps).enumerate();
    steps
        .filter(|(_, (_, sums))| !sums.is_empty())
        .map(|(index, (step, sums))| StepRoof {
            index: index as u64,
            stage: step.stage,
            name: step.name.clone(),
            coverage: sums.coverage(),
            utilisation: sums.utilisation(),
        })
        .collect()
}

/// Coverage of some kernels.
pub fn coverage(
    analysis: &Analysis<'_>,
    calls: &Calls,
    kernels: impl Iterator<Item = usize>,
) -> CostCoverage {
    let mut sums = Sums::default();
    for event in kernels {
        let dur = analysis.trace.gpu.dur[event];
        sums.kernels += dur;
        if let Some(missing) = calls.missing[event] {
            sums.missing[missing as usize] += dur;
        }
    }
    sums.coverage()
}
