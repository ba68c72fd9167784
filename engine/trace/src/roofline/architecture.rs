//! The sizes of a model that decide the work of a forward pass.
//!
//! A field that is needed and missing is an error with its name; so is a layer that there are no formulas for. What a
//! layer is comes from [`ModelConfig`], which traces are read with too.

use crate::model::{self, FeedForward, FieldError, Fields, ModelConfig};

/// How a layer attends, with its sizes in tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Attention {
    /// Every token that came before.
    Full,
    /// The last so many tokens.
    Sliding(u64),
    /// A window, and what lies before it compressed by this ratio (`compress_ratios`).
    Compressed(u64),
}

/// The kind of a layer: layers of one kind do the same work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Kind {
    /// How it attends.
    pub attention: Attention,
    /// What follows.
    pub feed_forward: FeedForward,
}

impl std::fmt::Display for Kind {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.attention {
            Attention::Full => write!(formatter, "full attention")?,
            Attention::Sliding(window) => write!(formatter, "attention to the last {window}")?,
            Attention::Compressed(0) => write!(formatter, "window attention")?,
            Attention::Compressed(ratio) => write!(formatter, "attention compressed by {ratio}")?,
        }
        formatter.write_str(match self.feed_forward {
            FeedForward::Dense => ", dense",
            FeedForward::Experts => ", experts",
            FeedForward::HashExperts => ", experts by hash",
        })
    }
}

/// Latent attention (MLA).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Latent {
    /// Rank of keys and values.
    pub kv_rank: u64,
    /// Size of a head's part without position.
    pub nope: u64,
    /// Size of a head's part with position.
    pub rope: u64,
    /// Size of a head's values.
    pub value: u64,
}

/// Experts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Experts {
    /// How many there are.
    pub count: u64,
    /// How many a token goes to.
    pub per_token: u64,
    /// Width of one.
    pub width: u64,
    /// Width of what every token goes to beside them; 0 without.
    pub shared_width: u64,
}

/// Choice of the keys that sparse attention looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Index {
    /// Heads.
    pub heads: u64,
    /// Size of one.
    pub size: u64,
    /// Keys chosen.
    pub top: u64,
}

/// The sizes of a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Architecture {
    /// `model_type`.
    pub model_type: String,
    /// Width of a token.
    pub hidden: u64,
    /// Attention heads.
    pub heads: u64,
    /// Heads of keys and values.
    pub kv_heads: u64,
    /// Size of a head.
    pub head_size: u64,
    /// Width of the dense feed-forward network; 0 where every layer has experts.
    pub dense_width: u64,
    /// Tokens known.
    pub vocabulary: u64,
    /// Rank of the low-rank query projection.
    pub q_rank: Option<u64>,
    /// Rank and groups of the low-rank output projection.
    pub o_rank: Option<(u64, u64)>,
    /// Latent attention.
    pub latent: Option<Latent>,
    /// Experts.
    pub experts: Option<Experts>,
    /// Choice of keys.
    pub index: Option<Index>,
    /// Window of compressed attention.
    pub window: u64,
    /// Part of a head that is rotated by its position.
    pub rope: u64,
    /// Whether queries and keys are normalised for each head.
    pub qk_norm: bool,
    /// Whether a gate of the queries' size scales the result of attention.
    pub output_gate: bool,
    /// Parallel residual streams (`hc_mult`); 0 without.
    pub streams: u64,
    /// Whether the weights of projections and experts are fp8.
    pub fp8: bool,
    /// Another quantisation, which is not counted as narrower.
    pub other_quantisation: Option<String>,
    /// Layers that predict further tokens, which are not counted.
    pub extra_layers: u64,
    /// The kind of every layer.
    pub layers: Vec<Kind>,
}

impl Architecture {
    /// Takes the sizes from a configuration.
    ///
    /// # Errors
    /// [`FieldError`] for a model without known formulas.
    pub fn of(config: &ModelConfig) -> Result<Self, FieldError> {
        let fields = config.fields();
        let (hidden, heads) = (fields.needed(&["hidden_size"])?, fields.needed(&["num_attention_heads"])?);
        let head_size = fields.or(&["head_dim"], hidden / heads)?;
        let model_type = fields.text("model_type").unwrap_or_default();
        let layers = layers(config)?;
        let has_dense = layers.iter().any(|kind| kind.feed_forward == FeedForward::Dense);
        let method = config.quantisation();
        Ok(Self {
            hidden,
            heads,
            kv_heads: fields.or(&["num_key_value_heads"], heads)?.max(1),
            head_size,
            dense_width: if has_dense { fields.needed(&["intermediate_size"])? } else { 0 },
            vocabulary: fields.needed(&["vocab_size"])?,
            q_rank: fields.number(&["q_lora_rank"])?.filter(|&rank| rank > 0),
            o_rank: match fields.number(&["o_lora_rank"])? {
                Some(rank) if rank > 0 => Some((rank, fields.or(&["o_groups"], 1)?)),
                _ => None,
            },
            latent: latent(config)?,
            experts: experts(config)?,
            index: index(&fields)?,
            window: fields.or(&["sliding_window"], 0)?,
            rope: fields.or(&["qk_rope_head_dim"], head_size)?,
            qk_norm: model_type.starts_with("qwen3") || fields.flag("use_qk_norm"),
            output_gate: fields.flag("attn_output_gate"),
            streams: fields.or(&["hc_mult"], 0)?,
            fp8: method.as_deref() == Some("fp8"),
            other_quantisation: method.filter(|method| method != "fp8"),
            extra_layers: u64::from(config.num_nextn_predict_layers),
            model_type,
            layers,
        })
    }

    /// Kinds of layers and how many there are of each, in the order of their first layer.
    pub fn kinds(&self) -> Vec<(Kind, u64)> {
        let mut kinds: Vec<(Kind, u64)> = Vec::new();
        for &kind in &self.layers {
            match kinds.iter_mut().find(|(known, _)| *known == kind) {
                Some((_, count)) => *count += 1,
                None => kinds.push((kind, 1)),
            }
        }
        kinds
    }
}

fn experts(config: &ModelConfig) -> Result<Option<Experts>, FieldError> {
    if config.experts <= 1 {
        return Ok(None);
    }
    let (fields, count) = (config.fields(), u64::from(config.experts));
    let width = match fields.number(&["moe_intermediate_size"])? {
        Some(width) => width,
        None => fields.needed(&["intermediate_size"])?,
    };
    let shared = fields.or(&["n_shared_experts", "num_shared_experts"], 0)?;
    Ok(Some(Experts {
        count,
        per_token: fields.needed(&["num_experts_per_tok", "moe_topk", "top_k"])?.min(count),
        width,
        shared_width: fields.or(&["shared_expert_intermediate_size"], shared.saturating_mul(width))?,
    }))
}

fn latent(config: &ModelConfig) -> Result<Option<Latent>, FieldError> {
    if config.kv_lora_rank == 0 {
        return Ok(None);
    }
    let fields = config.fields();
    Ok(Some(Latent {
        kv_rank: u64::from(config.kv_lora_rank),
        nope: fields.needed(&["qk_nope_head_dim"])?,
        rope: fields.needed(&["qk_rope_head_dim"])?,
        value: fields.needed(&["v_head_dim"])?,
    }))
}

fn index(fields: &Fields<'_>) -> Result<Option<Index>, FieldError> {
    let Some(heads) = fields.number(&["index_n_heads"])?.filter(|&heads| heads > 0) else { return Ok(None) };
    let (size, top) = (fields.needed(&["index_head_dim"])?, fields.needed(&["index_topk"])?);
    Ok(Some(Index { heads, size, top }))
}

/// The kind of every layer.
fn layers(config: &ModelConfig) -> Result<Vec<Kind>, FieldError> {
    let kind = |layer: usize| {
        let attention = match config.attention(layer) {
            None | Some(model::Attention::Full) => Attention::Full,
            Some(model::Attention::Compressed(ratio)) => Attention::Compressed(u64::from(ratio)),
            Some(model::Attention::Sliding) => {
                Attention::Sliding(config.fields().needed(&["sliding_window"])?)
            }
            Some(model::Attention::Other(kind)) => return Err(FieldError::NoFormulas { layer, kind }),
        };
        Ok(Kind { attention, feed_forward: config.feed_forward(layer) })
    };
    (0..config.num_hidden_layers as usize).map(kind).collect()
}
