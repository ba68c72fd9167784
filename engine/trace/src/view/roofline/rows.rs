//! Rows of the roofline: calls of one kernel, operator and format within one stage.

use super::windows::{Windows, impossible};
use super::{Bound, RoofRow, StageRoof, StepRoof};
use crate::analysis::Analysis;
use crate::intern::NameId;
use crate::name::canonical;
use crate::roofline::Dtype;
use crate::roofline::calls::{Call, Calls};
use crate::roofline::gpus::Gpu;
use crate::stage::Stage;
use crate::store::Ns;
use crate::view::integrity::Concern;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Calls that share a row. The kernel is the first raw name of its canonical one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Key {
    stage: Stage,
    kernel: NameId,
    op: NameId,
    dtype: Option<Dtype>,
    fp8_internal: bool,
    device_kind: usize,
}

/// Sums of a row.
#[derive(Debug, Clone, Default)]
struct Group {
    first: usize,
    calls: u64,
    kernels: u64,
    time: Ns,
    flops: u64,
    bytes: u64,
    compute: f64,
    memory: f64,
    roof: f64,
    shapes: BTreeMap<NameId, Ns>,
    assumptions: BTreeSet<&'static str>,
    impossible: u64,
    /// Least time over time of the worst of them.
    worst: f64,
}

impl Group {
    fn add(&mut self, analysis: &Analysis<'_>, call: &Call, calls: &Calls) {
        let cost = &calls.costs[call.cost];
        if self.calls == 0 {
            self.first = call.main;
        }
        self.calls += 1;
        self.kernels += call.kernels;
        self.time += call.time;
        self.flops = self.flops.saturating_add(cost.flops);
        self.bytes = self.bytes.saturating_add(cost.bytes);
        self.compute += call.roof.compute_ns;
        self.memory += call.roof.memory_ns;
        self.roof += call.roof.ns();
        *self.shapes.entry(analysis.trace.ops.dims[call.op]).or_default() += call.time;
        self.assumptions.extend(cost.assumption);
        if impossible(call) {
            self.impossible += 1;
            self.worst = self.worst.max(call.roof.floor_ns() / call.time as f64);
        }
    }

    fn row(&self, analysis: &Analysis<'_>, key: Key, gpu: &Gpu, stage_ns: Ns) -> RoofRow {
        let time = self.time as f64;
        let products = self.flops > 0;
        let peak = key.dtype.and_then(|dtype| gpu.tflops.get(&dtype).copied()).filter(|_| products);
        // The most time, and of equal ones the first recorded.
        let shape = self.shapes.iter().max_by_key(|&(&dims, &time)| (time, std::cmp::Reverse(dims)));
        RoofRow {
            kernel: canonical(analysis.trace.text(key.kernel)).into_owned(),
            category: analysis.category(self.first),
            op: analysis.trace.text(key.op).to_owned(),
            gpu: gpu.id.clone(),
            dtype: key.dtype.filter(|_| products),
            fp8_internal: key.fp8_internal,
            calls: self.calls,
            kernels: self.kernels,
            time_ns: self.time,
            share: if stage_ns == 0 { 0.0 } else { time * 100.0 / stage_ns as f64 },
            shape: shape.map(|(&dims, _)| analysis.trace.text(dims).to_owned()).unwrap_or_default(),
            shapes: self.shapes.len() as u64,
            flops: self.flops,
            bytes: self.bytes,
            // FLOPs a nanosecond are 10^9 a second.
            tflops: products.then(|| self.flops as f64 / time / 1e3),
            peak_tflops: peak,
            gb_per_s: self.bytes as f64 / time,
            peak_gb_per_s: gpu.gb_per_s,
            intensity: (products && self.bytes > 0).then(|| self.flops as f64 / self.bytes as f64),
            ridge: peak.map(|peak| peak * 1e3 / gpu.gb_per_s),
            bound: if self.compute > self.memory { Bound::Compute } else { Bound::Memory },
            roof_ns: self.roof.round() as Ns,
            roof_share: self.roof * 100.0 / time,
            headroom_ns: (time - self.roof).max(0.0).round() as Ns,
            assumptions: self.assumptions.iter().map(|&text| text.to_owned()).collect(),
            implausible: self.implausible(gpu),
        }
    }

    fn implausible(&self, gpu: &Gpu) -> Option<String> {
        (self.impossible > 0).then(|| {
            format!(
                "{} of {} calls are faster than the {} can be, by up to {:.2} times",
                self.impossible, self.calls, gpu.id, self.worst
            )
        })
    }
}

/// Stages with kernels and their rows.
pub fn stages(
    analysis: &Analysis<'_>,
    gpus: &[Option<&Gpu>],
    calls: &Calls,
    windows: &Windows,
) -> Vec<StageRoof> {
    let groups = groups(analysis, gpus, calls);
    let stage = |stage: Stage| {
        let sums = windows.of_stage(analysis, stage);
        if sums.is_empty() {
            return None;
        }
        let coverage = sums.coverage();
        let mut rows: Vec<RoofRow> = groups
            .iter()
            .filter(|(key, _)| key.stage == stage)
            .filter_map(|(key, group)| {
                Some(group.row(analysis, *key, gpus[key.device_kind]?, coverage.kernel_ns))
            })
            .collect();
        let headroom_ns = rows.iter().map(|row| row.headroom_ns).sum();
        rows.sort_by(|left, right| {
            let order = |row: &RoofRow| (std::cmp::Reverse(row.headroom_ns), std::cmp::Reverse(row.time_ns));
            order(left)
                .cmp(&order(right))
                .then_with(|| {
                    (&left.kernel, &left.op, &left.gpu).cmp(&(&right.kernel, &right.op, &right.gpu))
                })
                .then_with(|| (left.dtype, left.fp8_internal).cmp(&(right.dtype, right.fp8_internal)))
        });
        let bar = analysis.options.min_share;
        let (rows, hidden): (Vec<RoofRow>, Vec<RoofRow>) =
            rows.into_iter().partition(|row| row.share >= bar || row.implausible.is_some());
        let hidden_ns = hidden.iter().map(|row| row.time_ns).sum();
        let utilisation = sums.utilisation();
        Some(StageRoof {
            stage,
            coverage,
            utilisation,
            headroom_ns,
            rows,
            hidden_rows: hidden.len() as u64,
            hidden_ns,
        })
    };
    Stage::ALL.into_iter().filter_map(stage).collect()
}

fn groups(analysis: &Analysis<'_>, gpus: &[Option<&Gpu>], calls: &Calls) -> HashMap<Key, Group> {
    let trace = analysis.trace;
    // Devices of the same kind share rows; the first of a kind stands for it.
    let kind = |device: usize| gpus.iter().position(|other| *other == gpus[device]).unwrap_or(device);
    let kinds: Vec<usize> = (0..gpus.len()).map(kind).collect();
    let mut first_of: HashMap<std::borrow::Cow<'_, str>, NameId> = HashMap::new();
    let mut shown: HashMap<NameId, NameId> = HashMap::new();
    let mut groups: HashMap<Key, Group> = HashMap::new();
    for call in &calls.known {
        let name = trace.gpu.name[call.main];
        let kernel = *shown
            .entry(name)
            .or_insert_with(|| *first_of.entry(canonical(trace.text(name))).or_insert(name));
        let key = Key {
            stage: analysis.stage(call.main),
            kernel,
            op: trace.ops.name[call.op],
            dtype: call.dtype,
            fp8_internal: call.fp8_internal,
            device_kind: kinds[trace.device_of(call.main) as usize],
        };
        groups.entry(key).or_default().add(analysis, call, calls);
    }
    groups
}

/// What the numbers say against themselves.
pub fn concerns(stages: &[StageRoof], steps: &[StepRoof]) -> Vec<Concern> {
    let mut concerns = Vec::new();
    let rows: Vec<&RoofRow> =
        stages.iter().flat_map(|stage| &stage.rows).filter(|row| row.implausible.is_some()).collect();
    if let Some(worst) = rows.iter().max_by_key(|row| row.time_ns) {
        let why = worst.implausible.as_deref().unwrap_or_default();
        concerns.push(Concern {
            id: "faster-than-the-gpu".into(),
            message: format!("{} rows cannot be true; in `{}` {why}", rows.len(), worst.kernel),
            help: "check `--gpu`, and whether the recorded shapes and types are those of the kernel".into(),
            fatal: false,
        });
    }
    let of_stages = stages.iter().filter(|stage| stage.utilisation.implausible.is_some()).count();
    let of_steps = steps.iter().filter(|step| step.utilisation.implausible.is_some()).count();
    if of_stages + of_steps > 0 {
        concerns.push(Concern {
            id: "mfu-above-peak".into(),
            message: format!("the MFU of {of_stages} stages and {of_steps} steps would be above 100 %"),
            help: "read the stage where only steps are concerned: their work may overlap; else check `--gpu`"
                .into(),
            fatal: false,
        });
    }
    concerns
}
