//! A model's `config.json` as far as it decides the work of a forward pass.
//!
//! A field that is needed and missing is an error with its name; so is a layer that there are no formulas for.

use serde_json::Value;

/// Why a configuration cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// No JSON object.
    #[error("the configuration is no JSON object: {reason}")]
    Syntax {
        /// What is wrong.
        reason: String,
    },
    /// A field that is needed.
    #[error("the configuration has no `{field}`")]
    Missing {
        /// The field.
        field: &'static str,
    },
    /// A field with a value that cannot be.
    #[error("`{field}` {reason}")]
    Field {
        /// The field.
        field: &'static str,
        /// What is wrong with it.
        reason: String,
    },
}

/// How a layer attends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Attention {
    /// Every token that came before.
    Full,
    /// The last so many tokens.
    Sliding(u64),
    /// A window, and what lies before it compressed by this ratio (`compress_ratios`).
    Compressed(u64),
}

/// What follows attention in a layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FeedForward {
    /// One gated network for all tokens.
    Dense,
    /// Experts chosen by a router.
    Experts,
    /// Experts chosen by a hash of the token: the router weighs them, nothing is ranked.
    HashExperts,
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

/// A model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelConfig {
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

struct Fields<'v>(&'v Value);

impl<'v> Fields<'v> {
    fn any(&self, names: &[&str]) -> Option<&'v Value> {
        names.iter().filter_map(|name| self.0.get(name)).find(|value| !value.is_null())
    }

    fn number(&self, names: &[&'static str]) -> Result<Option<u64>, ConfigError> {
        let Some(value) = self.any(names) else { return Ok(None) };
        // Sizes beyond this are no sizes; products of them stay within what can be counted.
        let sane = value.as_u64().filter(|&number| number <= 1 << 24);
        let reason = || format!("is {value}, which is no whole number up to 2^24");
        sane.map(Some).ok_or_else(|| ConfigError::Field { field: names[0], reason: reason() })
    }

    fn needed(&self, names: &[&'static str]) -> Result<u64, ConfigError> {
        let number = self.number(names)?.ok_or(ConfigError::Missing { field: names[0] })?;
        if number == 0 {
            return Err(ConfigError::Field { field: names[0], reason: "is 0".into() });
        }
        Ok(number)
    }

    fn or(&self, names: &[&'static str], other: u64) -> Result<u64, ConfigError> {
        Ok(self.number(names)?.unwrap_or(other))
    }

    fn list(&self, name: &'static str) -> Option<&'v Vec<Value>> {
        self.0.get(name)?.as_array().filter(|list| !list.is_empty())
    }

    fn flag(&self, name: &str) -> bool {
        self.0.get(name).and_then(Value::as_bool).unwrap_or(false)
    }
}

impl ModelConfig {
    /// Reads the text of a `config.json`.
    ///
    /// # Errors
    /// [`ConfigError`] for what is no configuration of a model with known formulas.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        let value: Value =
            serde_json::from_str(text).map_err(|error| ConfigError::Syntax { reason: error.to_string() })?;
        Self::from_value(&value)
    }

    /// Takes a configuration; of models with several parts that of their text part.
    ///
    /// # Errors
    /// As [`Self::parse`].
    pub fn from_value(value: &Value) -> Result<Self, ConfigError> {
        if !value.is_object() {
            return Err(ConfigError::Syntax { reason: "it is another kind of value".into() });
        }
        let part = value.get("text_config").filter(|part| part.is_object()).unwrap_or(value);
        let fields = Fields(part);
        let (hidden, heads) = (fields.needed(&["hidden_size"])?, fields.needed(&["num_attention_heads"])?);
        let (experts, latent) = (experts(&fields)?, latent(&fields)?);
        let head_size = fields.or(&["head_dim"], hidden / heads)?;
        let model_type = text(part, "model_type").unwrap_or_default();
        let layers = layers(&fields, experts.is_some())?;
        let has_dense = layers.iter().any(|kind| kind.feed_forward == FeedForward::Dense);
        let dense_width = if has_dense { fields.needed(&["intermediate_size"])? } else { 0 };
        let quantisation = value.get("quantization_config").or(part.get("quantization_config"));
        let method = quantisation.and_then(|all| text(all, "quant_method"));
        Ok(Self {
            hidden,
            heads,
            kv_heads: fields.or(&["num_key_value_heads"], heads)?.max(1),
            head_size,
            dense_width,
            vocabulary: fields.needed(&["vocab_size"])?,
            q_rank: fields.number(&["q_lora_rank"])?.filter(|&rank| rank > 0),
            o_rank: match fields.number(&["o_lora_rank"])? {
                Some(rank) if rank > 0 => Some((rank, fields.or(&["o_groups"], 1)?)),
                _ => None,
            },
            latent,
            experts,
            index: index(&fields)?,
            window: fields.or(&["sliding_window"], 0)?,
            rope: fields.or(&["qk_rope_head_dim"], head_size)?,
            qk_norm: model_type.starts_with("qwen3") || fields.flag("use_qk_norm"),
            output_gate: fields.flag("attn_output_gate"),
            streams: fields.or(&["hc_mult"], 0)?,
            fp8: method.as_deref() == Some("fp8"),
            other_quantisation: method.filter(|method| method != "fp8"),
            extra_layers: fields.or(&["num_nextn_predict_layers"], 0)?,
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

fn text(value: &Value, key: &str) -> Option<String> {
    value.get(key)?.as_str().map(str::to_owned)
}

fn experts(fields: &Fields<'_>) -> Result<Option<Experts>, ConfigError> {
    const COUNT: [&str; 3] = ["num_experts", "n_routed_experts", "num_local_experts"];
    let Some(count) = fields.number(&COUNT)?.filter(|&count| count > 1) else { return Ok(None) };
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

fn latent(fields: &Fields<'_>) -> Result<Option<Latent>, ConfigError> {
    let Some(kv_rank) = fields.number(&["kv_lora_rank"])?.filter(|&rank| rank > 0) else { return Ok(None) };
    Ok(Some(Latent {
        kv_rank,
        nope: fields.needed(&["qk_nope_head_dim"])?,
        rope: fields.needed(&["qk_rope_head_dim"])?,
        value: fields.needed(&["v_head_dim"])?,
    }))
}

fn index(fields: &Fields<'_>) -> Result<Option<Index>, ConfigError> {
    let Some(heads) = fields.number(&["index_n_heads"])?.filter(|&heads| heads > 0) else { return Ok(None) };
    let (size, top) = (fields.needed(&["index_head_dim"])?, fields.needed(&["index_topk"])?);
    Ok(Some(Index { heads, size, top }))
}

/// The kind of every layer.
fn layers(fields: &Fields<'_>, experts: bool) -> Result<Vec<Kind>, ConfigError> {
    let count = fields.needed(&["num_hidden_layers"])?;
    if count > 10_000 {
        return Err(ConfigError::Field { field: "num_hidden_layers", reason: format!("is {count}") });
    }
    let extra = fields.or(&["num_nextn_predict_layers"], 0)?;
    let fits = |field: &'static str, list: Option<&Vec<Value>>| match list.map(|list| list.len() as u64) {
        Some(len) if len != count && len != count + extra => {
            Err(ConfigError::Field { field, reason: format!("has {len} entries for {count} layers") })
        }
        _ => Ok(()),
    };
    let (ratios, types) = (fields.list("compress_ratios"), fields.list("layer_types"));
    fits("compress_ratios", ratios)?;
    fits("layer_types", types)?;
    (0..count)
        .map(|layer| {
            let at = |list: Option<&Vec<Value>>| list.and_then(|list| list.get(layer as usize)).cloned();
            let attention = attention(fields, at(ratios), at(types))?;
            let feed_forward = feed_forward(fields, experts, layer)?;
            Ok(Kind { attention, feed_forward })
        })
        .collect()
}

fn attention(
    fields: &Fields<'_>,
    ratio: Option<Value>,
    kind: Option<Value>,
) -> Result<Attention, ConfigError> {
    if let Some(ratio) = ratio {
        let number = ratio.as_u64().filter(|&ratio| ratio <= 1 << 20);
        let reason = || format!("holds {ratio}, which is no ratio");
        let number =
            number.ok_or_else(|| ConfigError::Field { field: "compress_ratios", reason: reason() })?;
        return Ok(Attention::Compressed(number));
    }
    match kind.as_ref().and_then(Value::as_str) {
        Some("sliding_attention") => Ok(Attention::Sliding(fields.needed(&["sliding_window"])?)),
        None | Some("full_attention" | "attention") => Ok(Attention::Full),
        Some(other) => Err(ConfigError::Field {
            field: "layer_types",
            reason: format!("holds `{other}`, which has no formulas"),
        }),
    }
}

fn feed_forward(fields: &Fields<'_>, experts: bool, layer: u64) -> Result<FeedForward, ConfigError> {
    let listed =
        |name: &'static str| fields.list(name).is_some_and(|list| list.iter().any(|all| *all == layer));
    let every = fields.or(&["decoder_sparse_step"], 1)?.max(1);
    let frequency = match fields.list("moe_layer_freq") {
        Some(list) => list.get(layer as usize).is_some_and(|value| *value != 0),
        None => layer.is_multiple_of(fields.or(&["moe_layer_freq"], 1)?.max(1)),
    };
    let dense = !experts
        || layer < fields.or(&["first_k_dense_replace"], 0)?
        || listed("mlp_only_layers")
        || !(layer + 1).is_multiple_of(every)
        || !frequency;
    Ok(match dense {
        true => FeedForward::Dense,
        // As DeepSeek's own inference code counts them: from the first layer on.
        false if layer < fields.or(&["num_hash_layers"], 0)? => FeedForward::HashExperts,
        false => FeedForward::Experts,
    })
}
