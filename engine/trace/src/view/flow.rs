//! The kernels of one layer in order: what it computes, in which half, for how long.

use super::passes::{Range, origin};
use crate::analysis::Analysis;
use crate::intern::NameId;
use crate::layers::{ForwardPass, Layer, Passes, is_all_reduce};
use crate::name::{Category, PipelineKey, canonical, display_within, pipeline_key};
use crate::store::Ns;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// The kernels of one layer. Times are in ns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Flow {
    /// Number of the pass in the table of passes.
    pub pass: u32,
    /// Number of the layer, from 0.
    pub layer: u32,
    /// The module that launched it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub module: Option<String>,
    /// Where it lies.
    pub range: Range,
    /// From first start to last end, in ns.
    pub wall_ns: Ns,
    /// Sum of durations, in ns: the denominator of shares.
    pub sum_ns: Ns,
    /// What tells the halves apart; absent where nothing does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub halves_from: Option<HalfSource>,
    /// Kernels, copies and fills in the order of launches or graph nodes.
    pub rows: Vec<FlowRow>,
}

/// A half of a layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Half {
    /// Tokens see each other.
    Attn,
    /// Each token for itself.
    Ffn,
}

/// What tells the halves of a layer apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum HalfSource {
    /// Names of modules within the layer.
    Modules,
    /// Each half ends with an all-reduce.
    Communication,
}

/// One GPU event of a layer. Times are in ns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FlowRow {
    /// Its number, from 1.
    pub number: u32,
    /// Its half.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub half: Option<Half>,
    /// What it is.
    pub category: Category,
    /// The finer label of its kind, which depends on the model's family.
    pub label: PipelineKey,
    /// Its name, cut short for a table.
    pub short: String,
    /// Its name: white space and addresses normalised, the parameter list left out.
    pub kernel: String,
    /// How long it ran, in ns.
    pub dur_ns: Ns,
    /// Share of the layer's `sum_ns`, in percent.
    pub share: f64,
    /// Its start since that of the layer, in ns.
    pub start_ns: Ns,
    /// Its stream.
    pub stream: String,
    /// The CPU op it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_op: Option<String>,
    /// `Input Dims` of that op, as the profiler wrote them (JSON).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input_dims: Option<String>,
    /// The place in a source that launched it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub site: Option<String>,
}

/// Characters of a short name.
pub(super) const SHORT: usize = 60;

/// The kernels of layer `layer` of pass `pass`; `None` if there is no such layer.
pub fn build(analysis: &Analysis<'_>, passes: &Passes, pass: u32, layer: u32) -> Option<Flow> {
    let found: &ForwardPass = passes.passes.get(pass as usize)?;
    let of = found.layers.get(layer as usize)?;
    let gpu = &analysis.trace.gpu;
    let sum_ns: Ns = of.events.iter().map(|&event| gpu.dur[event as usize]).sum();
    let (halves_from, split) = split(analysis, of).unzip();
    let row = |(place, &event): (usize, &u32)| {
        let event = event as usize;
        let kernel = canonical(analysis.raw_name(event)).into_owned();
        FlowRow {
            number: place as u32 + 1,
            half: split.map(|split| if place < split { Half::Attn } else { Half::Ffn }),
            category: analysis.category(event),
            label: pipeline_key(analysis.raw_name(event), passes.profile),
            short: display_within(analysis.raw_name(event), SHORT),
            kernel,
            dur_ns: gpu.dur[event],
            share: gpu.dur[event] as f64 * 100.0 / sum_ns as f64,
            start_ns: gpu.start[event] - of.start,
            stream: analysis.trace.tracks[gpu.track[event] as usize].stream.clone(),
            cpu_op: analysis.op_name(event).map(str::to_owned),
            input_dims: analysis.dims(event).map(str::to_owned),
            site: analysis.site(event).map(|site| analysis.sites[site].to_string()),
        }
    };
    Some(Flow {
        pass,
        layer,
        module: of.module.map(|name| analysis.trace.text(name).trim_start_matches("nn.Module: ").to_owned()),
        range: Range::new(origin(analysis.trace), of.start, of.end),
        wall_ns: of.wall(),
        sum_ns,
        halves_from,
        rows: of.events.iter().enumerate().map(row).collect(),
    })
}

/// How many events of a layer belong to its attention half.
fn split(analysis: &Analysis<'_>, layer: &Layer) -> Option<(HalfSource, usize)> {
    let all_reduces: Vec<usize> = (0..layer.events.len())
        .filter(|&place| is_all_reduce(analysis.raw_name(layer.events[place] as usize)))
        .collect();
    if let [first, last] = all_reduces[..]
        && has_attention(analysis, &layer.events[..first])
        && !has_attention(analysis, &layer.events[first + 1..last])
    {
        return Some((HalfSource::Communication, first + 1));
    }
    by_modules(analysis, layer).map(|split| (HalfSource::Modules, split))
}

fn has_attention(analysis: &Analysis<'_>, events: &[u32]) -> bool {
    let mixes = |category| matches!(category, Category::Attention | Category::HybridLinear);
    events.iter().any(|&event| mixes(analysis.category(event as usize)))
}

/// After the last kernel of an attention module; the norm between the halves belongs to the second one.
fn by_modules(analysis: &Analysis<'_>, layer: &Layer) -> Option<usize> {
    let mut known: HashMap<NameId, Option<Half>> = HashMap::new();
    let stacks = &analysis.links.stacks;
    let mut half = |event: u32| {
        let stack = analysis.links.stack(event as usize);
        let frames = stacks.frames(stack);
        // The half is named outside of what it is made of.
        let named = frames
            .filter_map(|frame| *known.entry(frame).or_insert_with(|| half_of(analysis.trace.text(frame))));
        named.last()
    };
    let halves: Vec<Option<Half>> = layer.events.iter().map(|&event| half(event)).collect();
    let first_ffn = halves.iter().position(|half| *half == Some(Half::Ffn))?;
    let last_attn = halves[..first_ffn].iter().rposition(|half| *half == Some(Half::Attn))?;
    let norm = (last_attn + 1..first_ffn)
        .find(|&place| analysis.category(layer.events[place] as usize) == Category::Norm);
    Some(norm.unwrap_or(first_ffn))
}

/// The half that a module's class names.
fn half_of(frame: &str) -> Option<Half> {
    let (class, _) = crate::layers::module(frame)?;
    let class = class.to_ascii_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| class.contains(word));
    if has(&["attn", "attention", "mixer", "deltanet"]) {
        Some(Half::Attn)
    } else if has(&["mlp", "moe", "ffn", "feedforward", "expert"]) && !has(&["layer", "block_"]) {
        Some(Half::Ffn)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::{Half, half_of};

    #[test]
    fn halves_by_the_names_of_modules() {
        assert_eq!(half_of("nn.Module: Qwen3MoeAttention_3"), Some(Half::Attn));
        assert_eq!(half_of("nn.Module: Qwen3MoeSparseMoeBlock_3"), Some(Half::Ffn));
        assert_eq!(half_of("nn.Module: Qwen3MoeDecoderLayer_3"), None);
        assert_eq!(half_of("nn.Module: RMSNorm_3"), None);
        assert_eq!(half_of("models/moe.py(3): forward"), None);
    }
}
