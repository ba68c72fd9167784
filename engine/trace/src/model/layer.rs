//! What a layer is: how it attends, what follows, and the word for it in tables.
//!
//! Layers whose experts are chosen by a hash of the token are the first `num_hash_layers`: `layer < num_hash_layers` in
//! DeepSeek-V4's own inference code and in the engines that serve it.

use super::ModelConfig;
use std::fmt;

/// How a layer attends, by the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Attention {
    /// Every token that came before.
    Full,
    /// The last `sliding_window` tokens.
    Sliding,
    /// A window, and what lies before it compressed by this ratio; 0 is the window alone (`compress_ratios`).
    Compressed(u32),
    /// A kind that the configuration names and this program knows no more of, such as `linear_attention`.
    Other(String),
}

/// What follows attention in a layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FeedForward {
    /// One network for all tokens.
    Dense,
    /// Experts chosen by a router.
    Experts,
    /// Experts chosen by a hash of the token: the router weighs them, nothing is ranked.
    HashExperts,
}

/// The type of a layer: the first of these that applies.
///
/// Models with `compress_ratios`: FIRST (layer 0), FINAL (the last one), HASH (the first `num_hash_layers`), then by
/// ratio FULL_ATTN (0), C4_LIGHT (4), C128_HEAVY (128) or `CR<n>`. The edges come before HASH: they are kept out of the
/// means of every cluster, whatever else they are. Other models have no FIRST and FINAL: their layers are told apart
/// by attention, and by what follows it where that differs between layers.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LayerType {
    /// Layer 0.
    First,
    /// The last layer.
    Final,
    /// Experts are chosen by a hash.
    Hash,
    /// Full attention.
    FullAttention,
    /// Cache compressed 4 times.
    C4Light,
    /// Cache compressed 128 times.
    C128Heavy,
    /// Cache compressed n times.
    Compressed(u32),
    /// A kind that the configuration names itself, or with its feed-forward half: `DENSE`, `MOE`, `HASH`.
    Named(String),
    /// A layer of the draft model.
    NextN,
    /// A layer of a model whose layers are all alike.
    Plain,
}

impl fmt::Display for LayerType {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::First => formatter.write_str("FIRST"),
            Self::Final => formatter.write_str("FINAL"),
            Self::Hash => formatter.write_str("HASH"),
            Self::FullAttention => formatter.write_str("FULL_ATTN"),
            Self::C4Light => formatter.write_str("C4_LIGHT"),
            Self::C128Heavy => formatter.write_str("C128_HEAVY"),
            Self::Compressed(ratio) => write!(formatter, "CR{ratio}"),
            Self::Named(name) => formatter.write_str(name),
            Self::NextN => formatter.write_str("NEXTN"),
            Self::Plain => formatter.write_str("LAYER"),
        }
    }
}

impl ModelConfig {
    /// How layer `layer` (from 0) attends; `None` where the configuration does not tell layers apart by it.
    pub fn attention(&self, layer: usize) -> Option<Attention> {
        let interval = self.full_attention_interval as usize;
        if let Some(ratio) = self.compress_ratio(layer) {
            return Some(Attention::Compressed(ratio));
        }
        match self.layer_types.get(layer).map(String::as_str) {
            Some("full_attention" | "attention") => Some(Attention::Full),
            Some("sliding_attention") => Some(Attention::Sliding),
            Some(other) => Some(Attention::Other(other.to_owned())),
            None if interval > 0 && (layer + 1).is_multiple_of(interval) => Some(Attention::Full),
            None => (interval > 0).then(|| Attention::Other("linear_attention".into())),
        }
    }

    /// What follows attention in layer `layer` (from 0).
    pub fn feed_forward(&self, layer: usize) -> FeedForward {
        let every = self.decoder_sparse_step.max(1) as usize;
        let frequency = match self.moe_layers.get(layer) {
            Some(&experts) => experts != 0,
            None => self.moe_layers.is_empty() && layer.is_multiple_of(self.moe_layer_freq.max(1) as usize),
        };
        let dense = self.experts <= 1
            || layer < self.first_k_dense_replace as usize
            || self.mlp_only_layers.iter().any(|&only| only as usize == layer)
            || !(layer + 1).is_multiple_of(every)
            || !frequency;
        match dense {
            true => FeedForward::Dense,
            false if layer < self.num_hash_layers as usize => FeedForward::HashExperts,
            false => FeedForward::Experts,
        }
    }

    /// The type of each of `found` layers; `None` where that many do not fit.
    pub fn types(&self, found: usize) -> Option<Vec<LayerType>> {
        let (layers, next) = (self.num_hidden_layers as usize, self.num_nextn_predict_layers as usize);
        let fits = found == layers || found == layers + next;
        let differs = (1..layers).any(|layer| self.feed_forward(layer) != self.feed_forward(0));
        fits.then(|| (0..found).map(|layer| self.type_of(layer, differs)).collect())
    }

    fn type_of(&self, layer: usize, differs: bool) -> LayerType {
        let layers = self.num_hidden_layers as usize;
        if layer >= layers {
            return LayerType::NextN;
        }
        let half = self.feed_forward(layer);
        match self.compress_ratio(layer) {
            Some(_) if layer == 0 => LayerType::First,
            Some(_) if layer + 1 == layers => LayerType::Final,
            // A configuration cut down to its layers still says which ones hash.
            Some(_) if layer < self.num_hash_layers as usize => LayerType::Hash,
            Some(0) => LayerType::FullAttention,
            Some(4) => LayerType::C4Light,
            Some(128) => LayerType::C128Heavy,
            Some(ratio) => LayerType::Compressed(ratio),
            None => named(self.attention(layer).as_ref(), differs.then_some(half)),
        }
    }
}

fn named(attention: Option<&Attention>, half: Option<FeedForward>) -> LayerType {
    let attention = attention.map(|attention| match attention {
        Attention::Sliding => "SLIDING_ATTN".to_owned(),
        Attention::Other(name) => name.to_uppercase().replace("ATTENTION", "ATTN").replace([' ', '-'], "_"),
        Attention::Full | Attention::Compressed(_) => LayerType::FullAttention.to_string(),
    });
    let half = half.map(|half| match half {
        FeedForward::Dense => "DENSE",
        FeedForward::Experts => "MOE",
        FeedForward::HashExperts => "HASH",
    });
    match (attention, half) {
        (Some(attention), None) if attention == "FULL_ATTN" => LayerType::FullAttention,
        (Some(attention), None) => LayerType::Named(attention),
        (None, Some(half)) => LayerType::Named(half.into()),
        (Some(attention), Some(half)) => LayerType::Named(format!("{attention}+{half}")),
        (None, None) => LayerType::Plain,
    }
}

#[cfg(test)]
mod tests {
    use super::FeedForward;
    use crate::model::ModelConfig;
    use serde_json::{Value, json};

    fn types(config: Value) -> Vec<String> {
        let config = ModelConfig::from_value(&config).expect("a configuration");
        let found = config.types(config.num_hidden_layers as usize).expect("types");
        found.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn types_by_compression_and_the_first_layers_hash() {
        let config = json!({"num_hidden_layers": 8, "num_hash_layers": 3, "num_nextn_predict_layers": 1,
                            "n_routed_experts": 256, "compress_ratios": [0, 0, 4, 128, 16, 4, 0, 0, 0]});
        assert_eq!(
            types(config.clone()),
            ["FIRST", "HASH", "HASH", "C128_HEAVY", "CR16", "C4_LIGHT", "FULL_ATTN", "FINAL"]
        );
        let config = ModelConfig::from_value(&config).expect("a configuration");
        assert_eq!(config.types(9).expect("types")[8].to_string(), "NEXTN");
        assert_eq!(config.types(7), None);
        // The rule of costs is the same one.
        let hashed = (0..8).filter(|&layer| config.feed_forward(layer) == FeedForward::HashExperts);
        assert_eq!(hashed.collect::<Vec<_>>(), [0, 1, 2]);
    }

    #[test]
    fn edges_come_before_hash() {
        let all = json!({"num_hidden_layers": 3, "num_hash_layers": 3, "compress_ratios": [0, 0, 0]});
        assert_eq!(types(all), ["FIRST", "HASH", "FINAL"]);
    }

    #[test]
    fn types_of_other_models() {
        let latent = json!({"text_config": {"num_hidden_layers": 3, "first_k_dense_replace": 1,
                                            "n_routed_experts": 8, "kv_lora_rank": 512}});
        assert_eq!(types(latent), ["DENSE", "MOE", "MOE"]);
        let step = json!({"num_hidden_layers": 4, "num_experts": 8, "decoder_sparse_step": 2});
        assert_eq!(types(step), ["DENSE", "MOE", "DENSE", "MOE"]);
        let listed = json!({"num_hidden_layers": 3, "n_routed_experts": 8, "moe_layer_freq": [0, 1, 1]});
        assert_eq!(types(listed), ["DENSE", "MOE", "MOE"]);
        let hashed = json!({"num_hidden_layers": 3, "num_hash_layers": 2, "n_routed_experts": 8});
        assert_eq!(types(hashed), ["HASH", "HASH", "MOE"]);
        let hybrid = json!({"num_hidden_layers": 4, "full_attention_interval": 4, "num_experts": 8});
        assert_eq!(types(hybrid), ["LINEAR_ATTN", "LINEAR_ATTN", "LINEAR_ATTN", "FULL_ATTN"]);
        let listed = json!({"num_hidden_layers": 2, "layer_types": ["sliding_attention", "full_attention"]});
        assert_eq!(types(listed), ["SLIDING_ATTN", "FULL_ATTN"]);
        assert_eq!(types(json!({"num_hidden_layers": 2, "compress_ratios": null})), ["LAYER", "LAYER"]);
        // No experts, no dense ones to tell them from.
        assert_eq!(types(json!({"num_hidden_layers": 2, "first_k_dense_replace": 1})), ["LAYER", "LAYER"]);
    }
}
