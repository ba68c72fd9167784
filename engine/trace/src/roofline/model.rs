//! The cost of one forward pass of a model: operators with their FLOPs, per GPU, and the least time for them.
//!
//! It counts multiplications and additions of the model, not what an implementation adds (padding, masked blocks that
//! are computed anyway), so a measured pass can only be slower.

use super::Dtype;
use super::architecture::Architecture;
use super::gpus::Gpu;
use super::layer::Builder;
use crate::model::{FieldError, ModelConfig};
use crate::store::Ns;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What is computed, on how many GPUs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Workload {
    /// Sequences of the pass, over all GPUs of the group.
    pub batch: u64,
    /// New tokens of each sequence: its prompt, or 1 for decode.
    pub tokens: u64,
    /// Keys that the last new token sees, itself included; absent means no more than the new tokens.
    pub kv_len: Option<u64>,
    /// GPUs that share one copy of the dense weights.
    pub tp: u64,
    /// GPUs over which experts are spread.
    pub ep: u64,
    /// Format of activations and of weights that are not quantised.
    pub dtype: Dtype,
    /// Whether a token sees only what comes before it.
    pub causal: bool,
    /// Rows for which logits are computed; absent means one for each sequence, as serving engines do.
    pub logits: Option<u64>,
}

impl Default for Workload {
    fn default() -> Self {
        Self {
            batch: 1,
            tokens: 1,
            kv_len: None,
            tp: 1,
            ep: 1,
            dtype: Dtype::Bf16,
            causal: true,
            logits: None,
        }
    }
}

impl Workload {
    /// Tokens of the pass.
    pub fn all_tokens(&self) -> u64 {
        self.batch * self.tokens
    }

    /// Keys that the last token of a sequence sees.
    pub fn keys(&self) -> u64 {
        self.kv_len.unwrap_or(self.tokens)
    }

    /// Rows of the last product.
    pub fn logits(&self) -> u64 {
        self.logits.unwrap_or(self.batch)
    }

    fn check(&self) -> Result<(), ModelError> {
        let bounds = [
            ("batch", self.batch, 1 << 24),
            ("tokens", self.tokens, 1 << 24),
            ("batch` times `tokens", self.batch.saturating_mul(self.tokens), 1 << 32),
            ("kv_len", self.keys(), 1 << 32),
            ("tp", self.tp, 1 << 16),
            ("ep", self.ep, 1 << 16),
            ("logits", self.logits(), 1 << 32),
        ];
        for (field, value, most) in bounds {
            if !(1..=most).contains(&value) {
                return Err(ModelError::Workload { field, value, least: 1, most });
            }
        }
        if self.keys() < self.tokens {
            return Err(ModelError::Workload {
                field: "kv_len",
                value: self.keys(),
                least: self.tokens,
                most: 1 << 32,
            });
        }
        Ok(())
    }
}

/// Why there is no cost.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ModelError {
    /// The configuration.
    #[error(transparent)]
    Config(#[from] FieldError),
    /// A number of the workload outside its bounds.
    #[error("`{field}` is {value}, outside {least} to {most}")]
    Workload {
        /// The field.
        field: &'static str,
        /// What it is.
        value: u64,
        /// The least it can be.
        least: u64,
        /// The most it can be.
        most: u64,
    },
    /// The GPU has no unit for a format.
    #[error("the table has no {} rate for a {gpu}", dtype.name())]
    NoPeak {
        /// The format.
        dtype: Dtype,
        /// The GPU.
        gpu: String,
    },
}

/// What an operator belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// Attention and its projections.
    Attention,
    /// Choice of experts.
    Router,
    /// Routed and shared experts.
    Experts,
    /// A dense feed-forward network.
    Dense,
    /// Norms and residuals.
    Norm,
    /// Looking up tokens.
    Embedding,
    /// Logits.
    Output,
}

/// How GPUs share an operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Split {
    Tensor,
    Experts,
    Replicated,
    /// At most so many ways: the heads of keys and values.
    Heads(u64),
}

/// An operator before it is spread over GPUs.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Op {
    pub name: &'static str,
    pub part: Part,
    pub split: Split,
    pub flops: f64,
    pub shape_in: String,
    pub shape_out: String,
    /// Whether its weight is fp8.
    pub narrow: bool,
    pub note: Option<&'static str>,
}

/// One operator of a layer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct OpCost {
    /// Its name, such as `q_proj`.
    pub name: String,
    /// What it belongs to.
    pub part: Part,
    /// Shape of what goes in.
    pub shape_in: String,
    /// Shape of what comes out.
    pub shape_out: String,
    /// FLOPs over all GPUs that share the model, replicated work counted once.
    pub flops: f64,
    /// GPUs over which it is divided; 1 where every GPU does all of it.
    pub divided_by: u64,
    /// FLOPs of one GPU.
    pub flops_per_gpu: f64,
    /// Format it is multiplied in.
    pub dtype: Dtype,
    /// Whether that is fp8 although activations are wider: the kernel quantises on its own.
    pub fp8_internal: bool,
    /// Least time of the FLOPs on one GPU, at the peak of the format, in microseconds. Memory is not part of it.
    pub theo_us: f64,
    /// Share of the layer's (or the outside's) least time, in percent.
    pub share: f64,
    /// What had to be assumed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// Layers of one kind.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LayerCost {
    /// The kind, in words.
    pub kind: String,
    /// How many layers are of it.
    pub layers: u64,
    /// Operators of one layer, in their order.
    pub ops: Vec<OpCost>,
    /// FLOPs of one layer.
    pub flops: f64,
    /// FLOPs of one layer on one GPU.
    pub flops_per_gpu: f64,
    /// Least time of one layer on one GPU, in microseconds.
    pub theo_us: f64,
}

/// The cost of a forward pass.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ModelCost {
    /// `model_type` of the configuration.
    pub model_type: String,
    /// What is computed.
    pub workload: Workload,
    /// The GPU whose peaks count.
    pub gpu: String,
    /// Kinds of layers, in the order of their first layer.
    pub layers: Vec<LayerCost>,
    /// Operators before and after the layers.
    pub outside: Vec<OpCost>,
    /// FLOPs of the pass.
    pub flops: f64,
    /// FLOPs of the pass on one GPU.
    pub flops_per_gpu: f64,
    /// Least time of the pass on one GPU, in microseconds.
    pub theo_us: f64,
    /// What the numbers stand on.
    pub assumptions: Vec<String>,
}

/// Computes the cost of a forward pass. `shape` is what is computed, `gpu` from the table ([`super::gpus::Gpus`]).
///
/// # Errors
/// [`ModelError`] for a model without formulas, a workload that cannot be, or a format that the GPU has no rate for.
pub fn compute_model(config: &ModelConfig, shape: &Workload, gpu: &Gpu) -> Result<ModelCost, ModelError> {
    shape.check()?;
    let config = &Architecture::of(config)?;
    let spread = |ops: Vec<Op>| spread(ops, shape, gpu);
    let mut layers = Vec::new();
    for (kind, count) in config.kinds() {
        let ops = spread(Builder::new(config, shape).layer(kind))?;
        let [flops, flops_per_gpu, theo_us] = total(&ops);
        layers.push(LayerCost { kind: kind.to_string(), layers: count, ops, flops, flops_per_gpu, theo_us });
    }
    let outside = spread(Builder::new(config, shape).outside())?;
    let mut sums = total(&outside);
    for layer in &layers {
        let one = [layer.flops, layer.flops_per_gpu, layer.theo_us];
        sums.iter_mut().zip(one).for_each(|(sum, part)| *sum += part * layer.layers as f64);
    }
    let [flops, flops_per_gpu, theo_us] = sums;
    Ok(ModelCost {
        model_type: config.model_type.clone(),
        workload: shape.clone(),
        gpu: gpu.id.clone(),
        layers,
        outside,
        flops,
        flops_per_gpu,
        theo_us,
        assumptions: assumptions(config, shape),
    })
}

fn spread(ops: Vec<Op>, shape: &Workload, gpu: &Gpu) -> Result<Vec<OpCost>, ModelError> {
    let mut rows = Vec::with_capacity(ops.len());
    for op in ops {
        let dtype = if op.narrow { Dtype::Fp8 } else { shape.dtype };
        let no_peak = || ModelError::NoPeak { dtype, gpu: gpu.id.clone() };
        let peak = gpu.tflops.get(&dtype).copied().ok_or_else(no_peak)?;
        let divided_by = match op.split {
            Split::Tensor => shape.tp,
            // Experts that are not spread whole are divided like everything else.
            Split::Experts => shape.ep.max(shape.tp),
            Split::Replicated => 1,
            Split::Heads(heads) => heads.min(shape.tp),
        };
        let flops_per_gpu = op.flops / divided_by as f64;
        rows.push(OpCost {
            name: op.name.to_owned(),
            part: op.part,
            shape_in: op.shape_in,
            shape_out: op.shape_out,
            flops: op.flops,
            divided_by,
            flops_per_gpu,
            dtype,
            fp8_internal: op.narrow && shape.dtype != Dtype::Fp8,
            // 10^12 operations a second are 10^6 a microsecond.
            theo_us: flops_per_gpu / (peak * 1e6),
            share: 0.0,
            note: op.note.map(str::to_owned),
        });
    }
    let [_, _, all] = total(&rows);
    rows.iter_mut().for_each(|row| row.share = if all > 0.0 { row.theo_us * 100.0 / all } else { 0.0 });
    Ok(rows)
}

/// FLOPs, FLOPs of one GPU, and microseconds.
fn total(ops: &[OpCost]) -> [f64; 3] {
    let add = |[flops, per_gpu, us]: [f64; 3], op: &OpCost| {
        [flops + op.flops, per_gpu + op.flops_per_gpu, us + op.theo_us]
    };
    ops.iter().fold([0.0; 3], add)
}

fn assumptions(config: &Architecture, shape: &Workload) -> Vec<String> {
    let mut all = vec!["feed-forward networks are gated: three matrices each".to_owned()];
    if shape.causal && shape.tokens > 1 {
        all.push("causal attention: a token sees itself and what came before it".into());
    }
    if config.experts.is_some() {
        all.push("tokens are spread evenly over experts".into());
    }
    if shape.logits.is_none() {
        all.push("logits for the last token of each sequence".into());
    }
    if config.latent.is_some() {
        all.push("latent attention: compressed keys for single tokens, decompressed ones else".into());
    }
    if let Some(method) = &config.other_quantisation {
        all.push(format!("weights quantised by `{method}` are multiplied in {}", shape.dtype.name()));
    }
    if config.extra_layers > 0 {
        all.push(format!("{} layers that predict further tokens are not counted", config.extra_layers));
    }
    all
}

/// Use of the peak by a measured pass.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Mfu {
    /// Least time over measured time, in percent; above 100 it is impossible.
    pub percent: f64,
    /// Why it cannot be true.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub implausible: Option<String>,
}

/// The use of the peak by a pass, or a layer, that should take `theo_us` and took `measured` (in ns, above 0).
pub fn mfu(theo_us: f64, measured: Ns) -> Option<Mfu> {
    if measured <= 0 {
        return None;
    }
    let percent = theo_us * 1e3 * 100.0 / measured as f64;
    let reason = || format!("{percent:.1} % of the peak: the shape, the format or the GPU is another");
    Some(Mfu { percent, implausible: (percent > 100.0).then(reason) })
}

#[cfg(test)]
#[path = "model_tests.rs"]
mod tests;
