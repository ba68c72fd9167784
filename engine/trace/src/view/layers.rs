//! The layers of one pass: a row each, classes of equal kernels, and clusters of equal types.

use super::passes::{self, Choice, PassRow, Range, busy_of};
use crate::analysis::Analysis;
use crate::intern::NameId;
use crate::layers::{self, ForwardPass, Layer, LayerError, LayerOptions, Method, Passes, is_all_reduce};
use crate::name::{Category, EventKind, PipelineKey, Profile, pipeline_key};
use crate::stage::Stage;
use crate::store::Ns;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};

/// Layers of one pass of each device and stage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LayerReport {
    /// One table for each device and stage that has layers.
    pub tables: Vec<LayerTable>,
    /// Why there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub withheld: Option<String>,
}

/// The layers of one pass. Times are in ns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LayerTable {
    /// Number of the pass in the table of passes.
    pub pass: u32,
    /// Label of the device.
    pub device: String,
    /// What the pass computes.
    pub stage: Stage,
    /// Whether the pass is a steady one.
    pub steady: bool,
    /// Why this pass.
    pub reason: String,
    /// Where it lies.
    pub range: Range,
    /// What layers were told apart by.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<Method>,
    /// Share of the kernels from the first to the last layer that the method accounts for, in percent.
    pub explained: f64,
    /// What ran before the first layer: copies, metadata, the embedding.
    pub prologue: Part,
    /// What ran between layers and belongs to none.
    pub between: Part,
    /// What ran after the last layer: the last norm, the head, sampling.
    pub epilogue: Part,
    /// Layers in order.
    pub rows: Vec<LayerRow>,
    /// Layers with the same kernels in the same order.
    pub classes: Vec<LayerClass>,
    /// Means of layers of the same type, or of the same class where types are unknown.
    pub clusters: Vec<Cluster>,
    /// Why layers have no type although a configuration was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub types_withheld: Option<String>,
}

/// What belongs to no layer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Part {
    /// GPU events.
    pub events: u64,
    /// Sum of durations, in ns.
    pub sum_ns: Ns,
    /// Time during which any of them ran, in ns.
    pub busy_ns: Ns,
}

/// One layer. Times are in ns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LayerRow {
    /// Its number, from 0.
    pub layer: u32,
    /// Its class: layers of one class have the same kernels in the same order.
    pub class: String,
    /// Its type by the model's configuration, such as `C4_LIGHT` or `MOE`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub layer_type: Option<String>,
    /// Compression ratio of its cache, where the configuration has them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compress_ratio: Option<u32>,
    /// The module that launched it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub module: Option<String>,
    /// Where it lies.
    pub range: Range,
    /// From its first start to its last end, in ns.
    pub wall_ns: Ns,
    /// Sum of durations, in ns.
    pub sum_ns: Ns,
    /// Time during which any of its events ran, in ns.
    pub busy_ns: Ns,
    /// Sums by category, only those that occur, in the order of categories.
    pub categories: Vec<CategoryTime>,
    /// Sum over the kernels of manifold-constrained hyper-connections, whatever their category.
    pub mhc_ns: Ns,
    /// Sum over the kernels of Hadamard transforms, whatever their category.
    pub hadamard_ns: Ns,
    /// All-reduces of every name.
    pub all_reduces: u64,
    /// Kernels.
    pub kernels: u64,
}

/// Time of one category.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CategoryTime {
    /// The category.
    pub category: Category,
    /// GPU events.
    pub count: u64,
    /// Sum of durations, in ns.
    pub time_ns: Ns,
    /// Share of the sum of all, in percent.
    pub share: f64,
}

/// Layers with the same kernels in the same order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LayerClass {
    /// Its letter, by first appearance.
    pub class: String,
    /// Its layers.
    pub layers: Vec<u32>,
    /// Kernels of each.
    pub kernels: u64,
}

/// Layers of one type. Times are means, in ns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Cluster {
    /// Type, or class where types are unknown.
    pub cluster: String,
    /// Layers.
    pub layers: u64,
    /// Mean wall time, in ns.
    pub mean_wall_ns: f64,
    /// Mean sum of durations, in ns.
    pub mean_sum_ns: f64,
    /// Sums by category over all its layers, only those that occur, in the order of categories.
    pub categories: Vec<CategoryTime>,
}

/// Layers of the steady pass of each device and stage; where none is steady of the last pass that has layers.
pub fn build(analysis: &Analysis<'_>) -> LayerReport {
    match build_with(analysis, &LayerOptions::default()) {
        Ok(report) => report,
        Err(error) => LayerReport { tables: Vec::new(), withheld: Some(error.to_string()) },
    }
}

/// The same as the caller wants layers to be told apart.
///
/// # Errors
/// [`LayerError`] where the caller's anchor does not fit.
pub fn build_with(analysis: &Analysis<'_>, options: &LayerOptions) -> Result<LayerReport, LayerError> {
    Ok(report(analysis, &layers::find(analysis, options)?, options))
}

/// The same of passes that were found.
pub fn report(analysis: &Analysis<'_>, passes: &Passes, options: &LayerOptions) -> LayerReport {
    let described = passes::table(analysis, passes);
    let of = |choice: &Choice| of_choice(analysis, passes, options, choice, &described.rows);
    let tables: Vec<LayerTable> = described.chosen.iter().filter_map(of).collect();
    let withheld = tables.is_empty().then(|| {
        let of_passes = passes.passes.iter().find_map(|pass| pass.withheld.clone());
        passes.withheld.clone().or(of_passes).unwrap_or_else(|| "there are no layers".into())
    });
    LayerReport { tables, withheld }
}

fn of_choice(
    analysis: &Analysis<'_>,
    passes: &Passes,
    options: &LayerOptions,
    choice: &Choice,
    rows: &[PassRow],
) -> Option<LayerTable> {
    if let Some(pass) = choice.pass.filter(|&pass| !passes.passes[pass as usize].layers.is_empty()) {
        let mut table = of_pass(analysis, passes, pass, options)?;
        (table.steady, table.reason) = (true, choice.reason.clone());
        return Some(table);
    }
    let fits = |row: &PassRow| {
        let kind = choice.kind.is_none_or(|kind| kind == row.kind);
        row.layers > 0 && row.stage == choice.stage && row.device == choice.device && kind
    };
    let last = rows.iter().rposition(fits)?;
    let mut table = of_pass(analysis, passes, last as u32, options)?;
    table.reason = format!("the last pass of this stage that has layers; {}", choice.reason);
    Some(table)
}

/// The layers of pass number `pass`, whatever it is; `None` if there is no such pass.
pub fn of_pass(
    analysis: &Analysis<'_>,
    passes: &Passes,
    pass: u32,
    options: &LayerOptions,
) -> Option<LayerTable> {
    let found = passes.passes.get(pass as usize)?;
    let origin = passes::origin(analysis.trace);
    let (types, types_withheld) = types(found, options);
    let (class_of, classes) = classes(analysis, found);
    let rows: Vec<LayerRow> = found
        .layers
        .iter()
        .enumerate()
        .map(|(index, layer)| {
            let mut row = row(analysis, layer, origin);
            row.class = classes[class_of[index]].class.clone();
            row.layer_type = types.as_ref().map(|types| types[index].clone());
            row.compress_ratio = options.config.as_ref().and_then(|config| config.compress_ratio(index));
            row
        })
        .collect();
    Some(LayerTable {
        pass,
        device: analysis.trace.devices[found.device as usize].label.clone(),
        stage: found.stage,
        steady: false,
        reason: "asked for".into(),
        range: Range::new(origin, found.start, found.end),
        method: found.method,
        explained: found.explained,
        prologue: part(analysis, &found.prologue),
        between: part(analysis, &found.between),
        epilogue: part(analysis, &found.epilogue),
        clusters: clusters(&rows),
        rows,
        classes,
        types_withheld,
    })
}

fn types(pass: &ForwardPass, options: &LayerOptions) -> (Option<Vec<String>>, Option<String>) {
    let Some(config) = &options.config else { return (None, None) };
    match config.types(pass.layers.len()) {
        Some(types) => (Some(types.iter().map(ToString::to_string).collect()), None),
        None => {
            let reason = format!(
                "the configuration has `num_hidden_layers` {} and the pass {} layers",
                config.num_hidden_layers,
                pass.layers.len()
            );
            (None, Some(reason))
        }
    }
}

/// The class of each layer, as index into the classes.
fn classes(analysis: &Analysis<'_>, pass: &ForwardPass) -> (Vec<usize>, Vec<LayerClass>) {
    let mut known: HashMap<Vec<NameId>, usize> = HashMap::new();
    let mut classes: Vec<LayerClass> = Vec::new();
    let of_layer = pass.layers.iter().map(|layer| {
        let sequence = layer.sequence(analysis);
        let kernels = sequence.len() as u64;
        let class = *known.entry(sequence).or_insert_with(|| {
            classes.push(LayerClass { class: letters(classes.len()), layers: Vec::new(), kernels });
            classes.len() - 1
        });
        classes[class].layers.push(layer.index);
        class
    });
    (of_layer.collect(), classes)
}

/// A, B, … Z, AA, AB, …
fn letters(mut number: usize) -> String {
    let mut text = String::new();
    loop {
        text.insert(0, char::from(b'A' + (number % 26) as u8));
        number /= 26;
        if number == 0 {
            return text;
        }
        number -= 1;
    }
}

fn part(analysis: &Analysis<'_>, events: &[u32]) -> Part {
    let durations = events.iter().map(|&event| analysis.trace.gpu.dur[event as usize]);
    Part { events: events.len() as u64, sum_ns: durations.sum(), busy_ns: busy_of(analysis, events) }
}

fn row(analysis: &Analysis<'_>, layer: &Layer, origin: Ns) -> LayerRow {
    let gpu = &analysis.trace.gpu;
    let mut sums: BTreeMap<Category, (u64, Ns)> = BTreeMap::new();
    let (mut kernels, mut all_reduces) = (0, 0);
    let (mut mhc_ns, mut hadamard_ns) = (0, 0);
    for &event in &layer.events {
        let event = event as usize;
        let category = analysis.category(event);
        let sum = sums.entry(category).or_default();
        *sum = (sum.0 + 1, sum.1 + gpu.dur[event]);
        kernels += u64::from(gpu.kind[event] == EventKind::Kernel);
        all_reduces +=
            u64::from(category == Category::Communication && is_all_reduce(analysis.raw_name(event)));
        match pipeline_key(analysis.raw_name(event), Profile::Dsv4CsaHca) {
            PipelineKey::MhcPreGemm | PipelineKey::MhcPreFuse | PipelineKey::MhcPost => {
                mhc_ns += gpu.dur[event];
            }
            PipelineKey::Hadamard => hadamard_ns += gpu.dur[event],
            _ => {}
        }
    }
    LayerRow {
        layer: layer.index,
        class: String::new(),
        layer_type: None,
        compress_ratio: None,
        module: layer
            .module
            .map(|name| analysis.trace.text(name).trim_start_matches("nn.Module: ").to_owned()),
        range: Range::new(origin, layer.start, layer.end),
        wall_ns: layer.wall(),
        sum_ns: sums.values().map(|sum| sum.1).sum(),
        busy_ns: busy_of(analysis, &layer.events),
        categories: with_shares(&sums),
        mhc_ns,
        hadamard_ns,
        all_reduces,
        kernels,
    }
}

fn with_shares(sums: &BTreeMap<Category, (u64, Ns)>) -> Vec<CategoryTime> {
    let total: Ns = sums.values().map(|sum| sum.1).sum();
    let share = |time: Ns| if total == 0 { 0.0 } else { time as f64 * 100.0 / total as f64 };
    sums.iter()
        .map(|(&category, &(count, time_ns))| CategoryTime {
            category,
            count,
            time_ns,
            share: share(time_ns),
        })
        .collect()
}

/// Clusters in the order of their first layer.
fn clusters(rows: &[LayerRow]) -> Vec<Cluster> {
    let mut order: Vec<&str> = Vec::new();
    let mut members: HashMap<&str, Vec<&LayerRow>> = HashMap::new();
    for row in rows {
        let key = row.layer_type.as_deref().unwrap_or(&row.class);
        let of_key = members.entry(key).or_default();
        if of_key.is_empty() {
            order.push(key);
        }
        of_key.push(row);
    }
    let cluster = |key: &str| {
        let rows = &members[key];
        let mean =
            |of: fn(&LayerRow) -> Ns| rows.iter().map(|row| of(row)).sum::<Ns>() as f64 / rows.len() as f64;
        let mut sums: BTreeMap<Category, (u64, Ns)> = BTreeMap::new();
        for time in rows.iter().flat_map(|row| &row.categories) {
            let sum = sums.entry(time.category).or_default();
            *sum = (sum.0 + time.count, sum.1 + time.time_ns);
        }
        Cluster {
            cluster: key.to_owned(),
            layers: rows.len() as u64,
            mean_wall_ns: mean(|row| row.wall_ns),
            mean_sum_ns: mean(|row| row.sum_ns),
            categories: with_shares(&sums),
        }
    };
    order.into_iter().map(cluster).collect()
}

#[cfg(test)]
mod tests {
    use super::letters;

    #[test]
    fn classes_have_letters_as_columns_have() {
        let names: Vec<String> = [0, 25, 26, 27, 701, 702].into_iter().map(letters).collect();
        assert_eq!(names, ["A", "Z", "AA", "AB", "ZZ", "AAA"]);
    }
}
