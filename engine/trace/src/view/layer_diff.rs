//! Two layers side by side: which kernels only one of them has, and where their time differs.

use super::flow::SHORT;
use crate::analysis::Analysis;
use crate::layers::{Layer, Passes};
use crate::name::{Category, canonical, display_within};
use crate::store::Ns;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Two layers of one trace. Times are in ns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LayerDiff {
    /// The first layer.
    pub a: Side,
    /// The second layer.
    pub b: Side,
    /// Whether both have the same kernels in the same order.
    pub same_kernels: bool,
    /// Kernels by the size of the difference in time, largest first.
    pub rows: Vec<DiffRow>,
}

/// One of two layers. Times are in ns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Side {
    /// Number of its pass in the table of passes.
    pub pass: u32,
    /// Its number, from 0.
    pub layer: u32,
    /// From first start to last end, in ns.
    pub wall_ns: Ns,
    /// Sum of durations, in ns.
    pub sum_ns: Ns,
    /// GPU events.
    pub events: u64,
}

/// One kernel of either layer. Times are in ns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DiffRow {
    /// Its name: white space and addresses normalised, the parameter list left out.
    pub kernel: String,
    /// Its name, cut short for a table.
    pub short: String,
    /// What it is.
    pub category: Category,
    /// How often it ran in the first layer; 0 where it is only in the second.
    pub count_a: u64,
    /// How often it ran in the second layer; 0 where it is only in the first.
    pub count_b: u64,
    /// Its time in the first layer, in ns.
    pub time_a_ns: Ns,
    /// Its time in the second layer, in ns.
    pub time_b_ns: Ns,
    /// `time_b_ns` less `time_a_ns`, in ns.
    pub delta_ns: Ns,
}

/// Compares layers, each given as pass and layer; `None` if there is no such layer.
pub fn build(analysis: &Analysis<'_>, passes: &Passes, a: (u32, u32), b: (u32, u32)) -> Option<LayerDiff> {
    let find = |(pass, layer): (u32, u32)| passes.passes.get(pass as usize)?.layers.get(layer as usize);
    let (left, right) = (find(a)?, find(b)?);
    let mut rows: BTreeMap<String, DiffRow> = BTreeMap::new();
    for (second, layer) in [(false, left), (true, right)] {
        for &event in &layer.events {
            add(analysis, &mut rows, event as usize, second);
        }
    }
    let mut rows: Vec<DiffRow> = rows.into_values().collect();
    for row in &mut rows {
        row.delta_ns = row.time_b_ns - row.time_a_ns;
    }
    rows.sort_by(|x, y| y.delta_ns.abs().cmp(&x.delta_ns.abs()).then_with(|| x.kernel.cmp(&y.kernel)));
    Some(LayerDiff {
        same_kernels: left.sequence(analysis) == right.sequence(analysis),
        a: side(analysis, a, left),
        b: side(analysis, b, right),
        rows,
    })
}

fn add(analysis: &Analysis<'_>, rows: &mut BTreeMap<String, DiffRow>, event: usize, second: bool) {
    let kernel = canonical(analysis.raw_name(event)).into_owned();
    let row = rows.entry(kernel).or_insert_with_key(|kernel| DiffRow {
        kernel: kernel.clone(),
        short: display_within(analysis.raw_name(event), SHORT),
        category: analysis.category(event),
        count_a: 0,
        count_b: 0,
        time_a_ns: 0,
        time_b_ns: 0,
        delta_ns: 0,
    });
    let (count, time) =
        if second { (&mut row.count_b, &mut row.time_b_ns) } else { (&mut row.count_a, &mut row.time_a_ns) };
    *count += 1;
    *time += analysis.trace.gpu.dur[event];
}

fn side(analysis: &Analysis<'_>, (pass, number): (u32, u32), layer: &Layer) -> Side {
    let durations = layer.events.iter().map(|&event| analysis.trace.gpu.dur[event as usize]);
    let (sum_ns, events) = (durations.sum(), layer.events.len() as u64);
    Side { pass, layer: number, wall_ns: layer.wall(), sum_ns, events }
}
