//! Layers of the chosen passes against the peak: the share of a layer's wall time that its products would take.

use super::windows::impossible;
use super::{RoofOptions, kinds};
use crate::analysis::Analysis;
use crate::layers::Passes;
use crate::name::EventKind;
use crate::roofline::calls;
use crate::roofline::gpus::Gpu;
use crate::stage::Stage;
use crate::store::Ns;
use crate::view::layers::LayerReport;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// One layer under the roof. What shapes do not cover adds nothing, so its MFU is a lower bound.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LayerRoof {
    /// Number of the pass in the table of passes.
    pub pass: u32,
    /// What the pass computes.
    pub stage: Stage,
    /// Number of the layer, from 0.
    pub layer: u32,
    /// From its first start to its last end, in ns.
    pub wall_ns: Ns,
    /// Floating-point operations of the calls whose shapes are known.
    pub flops: u64,
    /// Share of its kernel time that those calls took, in percent.
    pub covered_share: f64,
    /// Share of the wall time that the products would take at the peak of their formats, in percent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mfu: Option<f64>,
    /// Why there is no MFU.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub withheld: Option<String>,
}

/// Sums of one layer.
#[derive(Default, Clone)]
struct Sums {
    flops: u64,
    compute_ns: f64,
    covered: Ns,
    impossible: bool,
}

/// Every layer of every chosen pass.
pub fn build(
    analysis: &Analysis<'_>,
    options: &RoofOptions,
    passes: &Passes,
    report: &LayerReport,
) -> Vec<LayerRoof> {
    let found = kinds(analysis, options);
    let gpus: Vec<Option<&Gpu>> = found.iter().map(|found| found.as_ref().ok().copied()).collect();
    let calls = calls::calls(analysis, &gpus);
    if calls.known.is_empty() {
        return Vec::new();
    }
    let mut rows = Vec::new();
    for table in &report.tables {
        let Some(pass) = passes.passes.get(table.pass as usize) else { continue };
        let mut layer_of: HashMap<usize, usize> = HashMap::new();
        for (layer, events) in pass.layers.iter().enumerate() {
            layer_of.extend(events.events.iter().map(|&event| (event as usize, layer)));
        }
        let mut sums = vec![Sums::default(); pass.layers.len()];
        for call in &calls.known {
            let Some(sum) = layer_of.get(&call.main).and_then(|&layer| sums.get_mut(layer)) else { continue };
            sum.flops = sum.flops.saturating_add(calls.costs[call.cost].flops);
            sum.compute_ns += call.roof.compute_ns;
            sum.covered += call.time;
            sum.impossible |= impossible(call);
        }
        for (layer, sum) in sums.iter().enumerate() {
            let kernels = pass.layers[layer].events.iter().map(|&event| event as usize);
            let kernels = kernels.filter(|&event| analysis.trace.gpu.kind[event] == EventKind::Kernel);
            let time: Ns = kernels.map(|event| analysis.trace.gpu.dur[event]).sum();
            rows.push(row((table.pass, table.stage, layer), pass.layers[layer].wall(), time, sum));
        }
    }
    rows
}

fn row((pass, stage, layer): (u32, Stage, usize), wall_ns: Ns, time: Ns, sum: &Sums) -> LayerRoof {
    let mfu = sum.compute_ns * 100.0 / wall_ns.max(1) as f64;
    let withheld = if sum.covered == 0 {
        Some("no shape of its calls is known".to_owned())
    } else if sum.impossible {
        Some("a call of it is faster than the GPU can be".to_owned())
    } else if mfu > 100.0 {
        Some(format!("it would be {mfu:.1} %: the shapes, the types or the GPU are others"))
    } else {
        None
    };
    LayerRoof {
        pass,
        stage,
        layer: u32::try_from(layer).unwrap_or(u32::MAX),
        wall_ns,
        flops: sum.flops,
        covered_share: (sum.covered as f64 * 100.0 / time.max(1) as f64).min(100.0),
        mfu: withheld.is_none().then_some(mfu),
        withheld,
    }
}
