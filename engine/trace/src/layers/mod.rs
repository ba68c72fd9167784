//! Forward passes and the layers within them.
//!
//! Evidence in order: the module frames around the launches; the order of nodes within a replayed graph; the smallest
//! period of the sequence of kernel names. An anchor kernel, if the caller names one, comes before all of them. This
//! module finds where passes and layers lie; it must not sum up or choose, which is the work of views.

mod anchor;
mod assemble;
mod cut;
mod marks;
mod modules;
mod order;
mod period;
mod recurring;

pub use anchor::Anchor;
pub use modules::parse as module;

use crate::analysis::Analysis;
use crate::intern::NameId;
use crate::model::ModelConfig;
use crate::name::{Category, EventKind, PipelineKey, Profile, pipeline_key};
use crate::stage::Stage;
use crate::store::Ns;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the caller knows about the model.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LayerOptions {
    /// Kernels that mark layers, instead of what the trace itself shows.
    pub anchor: Option<Anchor>,
    /// Number of layers of a pass; `config` says it otherwise.
    pub layers: Option<u32>,
    /// The model's configuration.
    pub config: Option<ModelConfig>,
}

impl LayerOptions {
    /// The family of the model, as far as the configuration says it.
    pub fn profile(&self) -> Profile {
        let of =
            |config: &ModelConfig| Profile::choose(!config.compress_ratios.is_empty(), config.kv_lora_rank);
        self.config.as_ref().map_or(Profile::Generic, of)
    }

    /// The number of layers that the caller or the configuration names.
    pub fn expected(&self) -> Option<u32> {
        self.layers.or_else(|| self.config.as_ref().map(|config| config.num_hidden_layers))
    }
}

/// What layers were told apart by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// Module frames (`nn.Module: Qwen3MoeDecoderLayer_7`) around the launches.
    Modules,
    /// Repeating kernel names in the order of the nodes of a replayed graph.
    GraphNodes,
    /// Repeating kernel names on the main stream of a replayed graph that has no node ids.
    GraphStarts,
    /// Repeating kernel names in the order of launches.
    Period,
    /// Kernels that the caller named.
    Anchor,
}

/// What passes were told apart by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PassSource {
    /// Steps of the engine.
    Steps,
    /// Blocks of repeating kernel names.
    Recurring,
}

/// Why layers could not be told apart as the caller asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LayerError {
    /// The anchor's number in a pass is no multiple of the layers.
    #[error(
        "anchor `{anchor}` occurs {found} times in pass {pass}, which does not fit {layers} layers with {per_layer} \
         per layer; name another anchor, or give the number per layer"
    )]
    AnchorCount {
        /// The anchor.
        anchor: String,
        /// Number of the pass, from 0.
        pass: usize,
        /// How often it occurs there.
        found: usize,
        /// Layers.
        layers: u32,
        /// Anchors of a layer.
        per_layer: u32,
    },
    /// The anchor occurs nowhere.
    #[error("anchor `{anchor}` is part of no kernel's name in this trace; name a kernel of the kernel table")]
    AnchorAbsent {
        /// The anchor.
        anchor: String,
    },
    /// Nothing says how many anchors a layer has.
    #[error(
        "anchor `{anchor}` occurs {found} times in pass {pass}, and nothing says how many of them are one layer; give \
         the number of layers or the number per layer"
    )]
    AnchorsPerLayer {
        /// The anchor.
        anchor: String,
        /// Number of the pass, from 0.
        pass: usize,
        /// How often it occurs there.
        found: usize,
    },
}

/// One layer of one pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layer {
    /// Position within the pass, from 0.
    pub index: u32,
    /// Its GPU events in the order of launches or graph nodes; not empty.
    pub events: Vec<u32>,
    /// The module that launched it, such as `nn.Module: Qwen3MoeDecoderLayer_7`.
    pub module: Option<NameId>,
    /// First start on the GPU, in ns.
    pub start: Ns,
    /// Last end on the GPU, in ns.
    pub end: Ns,
}

impl Layer {
    /// From first start to last end, in ns.
    pub fn wall(&self) -> Ns {
        self.end - self.start
    }

    /// Names of its kernels in order; layers of one class have the same.
    pub fn sequence(&self, analysis: &Analysis<'_>) -> Vec<NameId> {
        let gpu = &analysis.trace.gpu;
        let kernels = self.events.iter().filter(|&&event| gpu.kind[event as usize] == EventKind::Kernel);
        kernels.map(|&event| gpu.name[event as usize]).collect()
    }
}

/// One forward pass on one device.
#[derive(Debug, Clone, PartialEq)]
pub struct ForwardPass {
    /// Index into [`crate::store::Trace::devices`].
    pub device: u32,
    /// Index into [`crate::stage::Segments::steps`].
    pub step: Option<u32>,
    /// What it computes.
    pub stage: Stage,
    /// All its GPU events in the order of launches or graph nodes; not empty.
    pub events: Vec<u32>,
    /// Its layers in order.
    pub layers: Vec<Layer>,
    /// Events before the first layer.
    pub prologue: Vec<u32>,
    /// Events after the last layer.
    pub epilogue: Vec<u32>,
    /// Events between the first and the last layer that belong to none.
    pub between: Vec<u32>,
    /// What layers were told apart by.
    pub method: Option<Method>,
    /// Share of the kernels from the first to the last layer that the method accounts for, in percent: launched within
    /// a layer's module, or part of a layer whose sequence of names occurs at least twice.
    pub explained: f64,
    /// Why there are no layers.
    pub withheld: Option<String>,
    /// First start on the GPU, in ns.
    pub start: Ns,
    /// Last end on the GPU, in ns.
    pub end: Ns,
}

/// All passes of a trace.
#[derive(Debug, Clone, PartialEq)]
pub struct Passes {
    /// By device, then by time.
    pub passes: Vec<ForwardPass>,
    /// What they were told apart by.
    pub source: PassSource,
    /// GPU events of no pass.
    pub outside: u64,
    /// Why there are none.
    pub withheld: Option<String>,
    /// The family of the model, by its configuration.
    pub profile: Profile,
}

/// Finds passes and layers.
///
/// # Errors
/// [`LayerError`] where the caller's anchor does not fit.
pub fn find(analysis: &Analysis<'_>, options: &LayerOptions) -> Result<Passes, LayerError> {
    assemble::passes(analysis, options)
}

/// Whether a kernel's name is an all-reduce: of NCCL and RCCL, or one of the engines' own (B14).
pub fn is_all_reduce(name: &str) -> bool {
    pipeline_key(name, Profile::Generic) == PipelineKey::Allreduce
}

/// First start and last end of events; `events` is not empty.
fn extent(analysis: &Analysis<'_>, events: &[u32]) -> (Ns, Ns) {
    let gpu = &analysis.trace.gpu;
    events.iter().fold((Ns::MAX, Ns::MIN), |(start, end), &event| {
        let event = event as usize;
        (start.min(gpu.start[event]), end.max(gpu.start[event] + gpu.dur[event]))
    })
}

/// Whether a kernel mixes tokens with each other: what every layer has once.
fn mixes_tokens(category: Category) -> bool {
    matches!(category, Category::Attention | Category::HybridLinear)
}

/// Whether a kernel belongs to a feed-forward block.
fn feeds_forward(category: Category) -> bool {
    matches!(category, Category::Moe | Category::Activation)
}
