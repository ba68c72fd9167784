//! Forward passes: one row each, what settled down and what did not, and one steady pass of each stage to look at.

use crate::analysis::Analysis;
use crate::intern::NameId;
use crate::layers::{self, ForwardPass, LayerError, LayerOptions, Method, PassSource, Passes};
use crate::name::EventKind;
use crate::stage::{Batch, Stage};
use crate::store::{Ns, Trace};
use crate::timeline::{Span, busy};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::{HashMap, HashSet};

/// The passes of a trace.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PassTable {
    /// What passes were told apart by.
    pub source: PassSource,
    /// Passes by device, then by time.
    pub rows: Vec<PassRow>,
    /// The pass to look at, for each device and stage.
    pub chosen: Vec<Choice>,
    /// GPU events of no pass.
    pub outside: u64,
    /// Why there are no rows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub withheld: Option<String>,
}

/// One forward pass. Times are in ns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PassRow {
    /// Its number in this table, from 0.
    pub index: u32,
    /// Label of the device.
    pub device: String,
    /// What it computes.
    pub stage: Stage,
    /// Passes of one kind have the same kernels in their first layer. Where nothing proves the stage, passes are
    /// compared with those of their kind only.
    pub kind: u32,
    /// Number of the engine's step, from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step: Option<u32>,
    /// Requests and tokens, where the step's name says them.
    pub batch: Batch,
    /// From the first start to the last end on the GPU.
    pub range: Range,
    /// Length of `range`, in ns.
    pub wall_ns: Ns,
    /// Time within it during which the GPU worked for this pass, in ns.
    pub busy_ns: Ns,
    /// Kernels.
    pub kernels: u64,
    /// Layers that were found.
    pub layers: u32,
    /// What they were told apart by.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<Method>,
    /// Share of the kernels from the first to the last layer that the method accounts for, in percent.
    pub explained: f64,
    /// Mean wall time of its layers, in ns.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub average_layer_ns: Option<Ns>,
    /// Wall time of its first layer, in ns.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_layer_ns: Option<Ns>,
    /// Its layer time over that of the pass before of the same device, stage and batch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub growth: Option<f64>,
    /// What stands out.
    pub notes: Vec<PassNote>,
    /// Why there are no layers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub withheld: Option<String>,
}

/// What stands out in a pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PassNote {
    /// The first pass of its stage on its device (of its kind where nothing proves the stage).
    ColdStart,
    /// Its layer time is within 5 % of that of the pass before of the same stage and batch, and two such came before.
    Steady,
    /// Its layer time is more than 1.5 times that of the pass before of the same stage and batch.
    Growing,
}

/// The pass to look at.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Choice {
    /// Label of the device.
    pub device: String,
    /// The stage.
    pub stage: Stage,
    /// The kind of pass, where nothing proves the stage.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<u32>,
    /// Number of the pass; absent where none is steady.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pass: Option<u32>,
    /// Why this one, or why none.
    pub reason: String,
}

/// A stretch of the trace, in the forms that people need to find it again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Range {
    /// Begin in the trace's own ns; what Perfetto calls `visStart`.
    pub start_ns: Ns,
    /// End in the trace's own ns; what Perfetto calls `visEnd`.
    pub end_ns: Ns,
    /// Begin in the trace's own µs (`ts` of the file).
    pub start_us: f64,
    /// End in the trace's own µs.
    pub end_us: f64,
    /// Begin in seconds since the first event of the trace, as viewers show it.
    pub start_s: f64,
    /// End in seconds since the first event of the trace.
    pub end_s: f64,
    /// Query for the address of a Perfetto UI that shows this stretch.
    pub perfetto: String,
}

impl Range {
    /// The stretch from `start` to `end`; `origin` is the trace's first moment.
    pub fn new(origin: Ns, start: Ns, end: Ns) -> Self {
        let (us, s) = (|ns: Ns| ns as f64 / 1e3, |ns: Ns| (ns - origin) as f64 / 1e9);
        Self {
            start_ns: start,
            end_ns: end,
            start_us: us(start),
            end_us: us(end),
            start_s: s(start),
            end_s: s(end),
            perfetto: format!("?visStart={start}&visEnd={end}"),
        }
    }
}

/// The first moment of a trace, from which viewers count; 0 for an empty one.
pub fn origin(trace: &Trace) -> Ns {
    let tables = [&trace.gpu.start, &trace.calls.start, &trace.ops.start, &trace.annotations.start];
    let frames = trace.frames.iter().map(|frames| &frames.start);
    tables.into_iter().chain(frames).filter_map(|starts| starts.first()).min().copied().unwrap_or_default()
}

/// Relative difference of layer times up to which a pass is steady: the bar of the community's scripts.
const STEADY: f64 = 0.05;
/// Ratio of layer times above which a pass grows: the bar of the community's scripts.
const GROWING: f64 = 1.5;
/// Passes of a stage and batch before one can be steady.
const SETTLING: u32 = 2;

/// Finds the passes and describes them, with what the trace itself shows.
pub fn build(analysis: &Analysis<'_>) -> PassTable {
    match layers::find(analysis, &LayerOptions::default()) {
        Ok(passes) => table(analysis, &passes),
        // Without an anchor nothing can fail to fit; if that changes the reason must be seen.
        Err(error) => PassTable {
            source: PassSource::Steps,
            rows: Vec::new(),
            chosen: Vec::new(),
            outside: analysis.len() as u64,
            withheld: Some(error.to_string()),
        },
    }
}

/// Finds the passes as the caller wants and describes them.
///
/// # Errors
/// [`LayerError`] where the caller's anchor does not fit.
pub fn build_with(analysis: &Analysis<'_>, options: &LayerOptions) -> Result<PassTable, LayerError> {
    Ok(table(analysis, &layers::find(analysis, options)?))
}

/// Describes passes that were found.
pub fn table(analysis: &Analysis<'_>, passes: &Passes) -> PassTable {
    let origin = origin(analysis.trace);
    let mut kinds: HashMap<Vec<NameId>, u32> = HashMap::new();
    let mut kind = |pass: &ForwardPass| {
        let sequence = pass.layers.first().map(|layer| layer.sequence(analysis)).unwrap_or_default();
        let next = kinds.len() as u32;
        *kinds.entry(sequence).or_insert(next)
    };
    let mut rows: Vec<PassRow> = passes
        .passes
        .iter()
        .enumerate()
        .map(|(index, pass)| row(analysis, pass, index as u32, kind(pass), origin))
        .collect();
    annotate(&mut rows);
    PassTable {
        source: passes.source,
        chosen: choose(&rows),
        rows,
        outside: passes.outside,
        withheld: passes.withheld.clone(),
    }
}

fn row(analysis: &Analysis<'_>, pass: &ForwardPass, index: u32, kind: u32, origin: Ns) -> PassRow {
    let trace = analysis.trace;
    let walls: Ns = pass.layers.iter().map(layers::Layer::wall).sum();
    let is_kernel = |event: &&u32| trace.gpu.kind[**event as usize] == EventKind::Kernel;
    PassRow {
        index,
        device: trace.devices[pass.device as usize].label.clone(),
        stage: pass.stage,
        kind,
        step: pass.step,
        batch: pass.step.map(|step| analysis.segments.steps[step as usize].batch).unwrap_or_default(),
        range: Range::new(origin, pass.start, pass.end),
        wall_ns: pass.end - pass.start,
        busy_ns: busy_of(analysis, &pass.events),
        kernels: pass.events.iter().filter(is_kernel).count() as u64,
        layers: pass.layers.len() as u32,
        method: pass.method,
        explained: pass.explained,
        average_layer_ns: walls.checked_div(pass.layers.len() as Ns),
        first_layer_ns: pass.layers.first().map(layers::Layer::wall),
        growth: None,
        notes: Vec::new(),
        withheld: pass.withheld.clone(),
    }
}

/// Time during which any of `events` ran, in ns.
pub fn busy_of(analysis: &Analysis<'_>, events: &[u32]) -> Ns {
    let gpu = &analysis.trace.gpu;
    // The table is sorted by start, so sorting indices is enough.
    let mut events = events.to_vec();
    events.sort_unstable();
    let span = |&event: &u32| {
        let at = event as usize;
        Span { start: gpu.start[at], end: gpu.start[at] + gpu.dur[at], stream: gpu.track[at], event }
    };
    busy(&events.iter().map(span).collect::<Vec<_>>()).busy
}

/// What is compared between passes: the mean layer, or the whole where there are no layers.
fn layer_time(row: &PassRow) -> Ns {
    row.average_layer_ns.unwrap_or(row.wall_ns)
}

/// What passes must share to be compared: the device, the stage, and the kind where nothing proves the stage.
type Group = (String, Stage, Option<u32>);

fn group(row: &PassRow) -> Group {
    (row.device.clone(), row.stage, (row.stage == Stage::Unknown).then_some(row.kind))
}

fn annotate(rows: &mut [PassRow]) {
    let mut seen: HashSet<Group> = HashSet::new();
    let mut before: HashMap<(Group, Batch), (u32, Ns)> = HashMap::new();
    for row in rows {
        let group = group(row);
        if seen.insert(group.clone()) {
            row.notes.push(PassNote::ColdStart);
        }
        let time = layer_time(row);
        let (count, last) = before.entry((group, row.batch)).or_default();
        if *count > 0 && *last > 0 {
            let growth = time as f64 / *last as f64;
            row.growth = Some(growth);
            if *count >= SETTLING && (growth - 1.0).abs() < STEADY {
                row.notes.push(PassNote::Steady);
            } else if growth > GROWING {
                row.notes.push(PassNote::Growing);
            }
        }
        (*count, *last) = (*count + 1, time);
    }
}

/// The steady pass with the median layer time of each group, in the order of their first passes.
fn choose(rows: &[PassRow]) -> Vec<Choice> {
    let mut groups: Vec<(Group, Vec<&PassRow>)> = Vec::new();
    for row in rows {
        let group = group(row);
        match groups.iter_mut().find(|(known, _)| *known == group) {
            Some((_, members)) => members.push(row),
            None => groups.push((group, vec![row])),
        }
    }
    let choice = |((device, stage, kind), of_place): (Group, Vec<&PassRow>)| {
        let mut steady: Vec<&PassRow> =
            of_place.iter().copied().filter(|row| row.notes.contains(&PassNote::Steady)).collect();
        steady.sort_by_key(|row| (layer_time(row), row.index));
        let median = steady.get(steady.len().saturating_sub(1) / 2);
        let reason = match median {
            Some(row) => format!(
                "its {} of {:.1} µs is the median of the {} steady ones of the {} passes of this stage and device",
                if row.average_layer_ns.is_some() { "mean layer time" } else { "wall time" },
                layer_time(row) as f64 / 1e3,
                steady.len(),
                of_place.len(),
            ),
            None if of_place.len() as u32 <= SETTLING => format!(
                "no pass is known to be steady: {} of this stage, and a pass is compared with the one before it from \
                 the third of the same batch on; capture more steps",
                of_place.len()
            ),
            None => format!(
                "none of the {} passes of this stage has a layer time within 5 % of the pass before it of the same \
                 batch; capture more steps under constant load",
                of_place.len()
            ),
        };
        Choice { device, stage, kind, pass: median.map(|row| row.index), reason }
    };
    groups.into_iter().map(choice).collect()
}
