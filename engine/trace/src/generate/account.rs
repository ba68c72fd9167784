//! Counts what is written about the device, and nothing else: the truth is never taken from the recipe.

use std::collections::BTreeMap;

use super::event::{Activity, Origin};
use super::kernels::{self, Role};
use super::model::Site;
use super::recipe::Schema;
use super::sweep::{Sweep, Work};
use super::truth::{Delay, KernelTruth, LayerTruth, PassTruth, SourceTruth, Stage, Truth};

/// Running sums for one name within one stage.
#[derive(Debug)]
struct Kernel {
    role: Role,
    count: u64,
    total: u64,
    longest: u64,
    /// Launch delays; the one list that grows with the trace, by 8 bytes a launch, for the exact median.
    delays: Vec<u64>,
}

/// Running counts of where one name is launched.
#[derive(Debug, Default)]
struct Source {
    sites: BTreeMap<(&'static str, u32, &'static str), u64>,
    operators: BTreeMap<&'static str, u64>,
    replayed: u64,
    unlinked: u64,
}

/// The account of one device.
#[derive(Debug, Default)]
pub(super) struct Account {
    kernels: BTreeMap<(Stage, &'static str), Kernel>,
    sources: BTreeMap<&'static str, Source>,
    passes: Vec<PassTruth>,
    sweep: Sweep,
    /// Start and end on each stream within the open pass.
    windows: [Option<(u64, u64)>; 4],
    truth: Truth,
    frames: bool,
}

impl Account {
    /// `frames`: locations can be seen in the trace.
    pub(super) fn new(frames: bool) -> Self {
        Self { frames, ..Self::default() }
    }

    pub(super) fn open_pass(&mut self, step: u32, stage: Stage) {
        self.passes.push(PassTruth {
            step,
            stage,
            events: 0,
            start_ns: 0,
            end_ns: 0,
            exposed_ns: 0,
            hidden_ns: 0,
            layers: Vec::new(),
        });
    }

    /// On each stream, start and end of what the pass launched that was opened last.
    pub(super) fn close_pass(&mut self, now: u64) -> [Option<(u64, u64)>; 4] {
        self.sweep.settle(now, &mut self.passes);
        std::mem::take(&mut self.windows)
    }

    pub(super) fn add(&mut self, activity: &Activity) {
        let end = activity.start + activity.duration;
        let work = match (activity.role.activity(), activity.role.is_communication()) {
            (_, true) => Work::Communication,
            (kernels::Activity::Kernel, false) => Work::Compute,
            _ => Work::Other,
        };
        let pass = self.passes.len().checked_sub(1);
        self.sweep.add((activity.start, end), activity.stream, work, pass);
        if let Some(pass) = self.passes.last_mut() {
            extend_pass(pass, activity.layer, activity.start, end);
            let window = self.windows[activity.stream].get_or_insert((activity.start, end));
            *window = (window.0.min(activity.start), window.1.max(end));
        }
        self.add_kernel(activity);
        self.add_source(activity);
        self.truth.collectives.extend(activity.collective);
    }

    fn add_kernel(&mut self, activity: &Activity) {
        let fresh = || Kernel { role: activity.role, count: 0, total: 0, longest: 0, delays: Vec::new() };
        let kernel = self.kernels.entry((activity.stage, activity.name)).or_insert_with(fresh);
        kernel.count += 1;
        kernel.total += activity.duration;
        kernel.longest = kernel.longest.max(activity.duration);
        kernel.delays.extend(activity.launched.map(|at| activity.start - at));
    }

    fn add_source(&mut self, activity: &Activity) {
        let source = self.sources.entry(activity.name).or_default();
        match activity.origin {
            Origin::Eager { site, operator, .. } => {
                let Site { path, line, function } = *site;
                if self.frames {
                    *source.sites.entry((path, line, function)).or_default() += 1;
                }
                *source.operators.entry(operator).or_default() += 1;
            }
            Origin::Replay { .. } => source.replayed += 1,
            Origin::Before { .. } => source.unlinked += 1,
        }
    }

    /// The truth, but for what concerns the process and the other sections.
    pub(super) fn finish(mut self, schema: Schema) -> Truth {
        let mut truth = self.truth;
        truth.gpu = self.sweep.finish(&mut self.passes);
        truth.passes = self.passes;
        let mut all = Vec::new();
        for ((stage, name), mut kernel) in self.kernels {
            all.extend_from_slice(&kernel.delays);
            truth.kernels.push(KernelTruth {
                stage,
                name: name.to_owned(),
                category: super::device::category(kernel.role).word(schema).to_owned(),
                communication: kernel.role.is_communication(),
                count: kernel.count,
                total_ns: kernel.total,
                max_ns: kernel.longest,
                delay: delay(&mut kernel.delays),
            });
        }
        truth.delay = delay(&mut all);
        for (name, source) in self.sources {
            truth.sources.insert(name.to_owned(), source.into_truth());
        }
        truth
    }
}

impl Source {
    fn into_truth(self) -> SourceTruth {
        let location = |((path, line, function), count)| (format!("{path}:{line} {function}"), count);
        SourceTruth {
            locations: self.sites.into_iter().map(location).collect(),
            operators: self.operators.into_iter().map(|(name, count)| (name.to_owned(), count)).collect(),
            replayed: self.replayed,
            unlinked: self.unlinked,
        }
    }
}

fn extend_pass(pass: &mut PassTruth, layer: Option<u32>, start: u64, end: u64) {
    if pass.events == 0 {
        pass.start_ns = start;
    }
    pass.events += 1;
    pass.start_ns = pass.start_ns.min(start);
    pass.end_ns = pass.end_ns.max(end);
    let Some(layer) = layer else { return };
    // Layers are launched in order, so a new one is always the next.
    match pass.layers.get_mut(layer as usize) {
        Some(known) => {
            known.start_ns = known.start_ns.min(start);
            known.end_ns = known.end_ns.max(end);
        }
        None => pass.layers.push(LayerTruth { start_ns: start, end_ns: end }),
    }
}

fn delay(delays: &mut [u64]) -> Delay {
    let middle = delays.len() / 2;
    let p50_ns = if delays.is_empty() { 0 } else { *delays.select_nth_unstable(middle).1 };
    Delay { count: delays.len() as u64, total_ns: delays.iter().sum(), p50_ns }
}
