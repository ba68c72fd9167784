//! What a model's `config.json` says about its layers.
//!
//! The type of a layer is the first of these that applies: FIRST (layer 0), FINAL (the last one), HASH (the last
//! `num_hash_layers`), and by compression ratio FULL_ATTN (0), C4_LIGHT (4), C128_HEAVY (128) or CR<n>. FINAL comes
//! before HASH: the edges of a model are kept out of the means of every cluster, and the last layer is an edge whatever
//! else it is. Models without `compress_ratios` have no FIRST and FINAL: their layers are told apart by `layer_types`,
//! `full_attention_interval` and `first_k_dense_replace`.

use serde_json::Value;
use std::path::{Path, PathBuf};

/// Why a configuration says nothing.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read `{file}`: {error}")]
    Io {
        /// The file.
        file: PathBuf,
        /// What the system says.
        error: std::io::Error,
    },
    /// The file is no JSON.
    #[error("`{file}` is no JSON: {error}")]
    Json {
        /// The file.
        file: PathBuf,
        /// What the parser says.
        error: serde_json::Error,
    },
    /// A field is missing.
    #[error("`{file}` has no `{field}`; give the model's own `config.json`, or the number of layers")]
    Missing {
        /// The file.
        file: PathBuf,
        /// The field.
        field: &'static str,
    },
    /// A field holds something else.
    #[error("`{field}` in `{file}` must be {wanted}, and it is `{found}`")]
    Invalid {
        /// The file.
        file: PathBuf,
        /// The field.
        field: &'static str,
        /// What it should be.
        wanted: &'static str,
        /// What it is.
        found: String,
    },
    /// Two fields contradict each other.
    #[error("`{field}` in `{file}` has {found} entries, and `num_hidden_layers` allows {wanted}")]
    Length {
        /// The file.
        file: PathBuf,
        /// The field.
        field: &'static str,
        /// Its entries.
        found: usize,
        /// What fits.
        wanted: String,
    },
}

/// The fields of a configuration that name layers. Absent numbers are 0, absent lists empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ModelConfig {
    /// Layers of the main model.
    pub num_hidden_layers: u32,
    /// Compression of the cache of each layer (DeepSeek-V4): 0 is full attention.
    pub compress_ratios: Vec<u32>,
    /// Last layers that route by a hash.
    pub num_hash_layers: u32,
    /// Above 0 in models with multi-head latent attention.
    pub kv_lora_rank: u32,
    /// First layers without experts.
    pub first_k_dense_replace: u32,
    /// Layers of the draft model that come after the others.
    pub num_nextn_predict_layers: u32,
    /// Every n-th layer has full attention, the others a linear one.
    pub full_attention_interval: u32,
    /// The kind of each layer, such as `linear_attention`.
    pub layer_types: Vec<String>,
}

/// What a layer is by the configuration.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LayerType {
    /// Layer 0.
    First,
    /// The last layer.
    Final,
    /// Routes by a hash.
    Hash,
    /// Full attention.
    FullAttention,
    /// Cache compressed 4 times.
    C4Light,
    /// Cache compressed 128 times.
    C128Heavy,
    /// Cache compressed n times.
    Compressed(u32),
    /// A kind that the configuration names itself, or with its feed-forward half: `DENSE`, `MOE`.
    Named(String),
    /// A layer of the draft model.
    NextN,
    /// A layer of a model whose layers are all alike.
    Plain,
}

impl std::fmt::Display for LayerType {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
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
    /// Reads a `config.json`.
    ///
    /// # Errors
    /// [`ConfigError`], which names the file and the field.
    pub fn read(file: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read(file).map_err(|error| ConfigError::Io { file: file.to_owned(), error })?;
        Self::parse(file, &text)
    }

    /// Reads the text of a `config.json`; `file` is its name in messages. Models of several kinds of input keep the
    /// fields under `text_config`.
    ///
    /// # Errors
    /// [`ConfigError`], which names the file and the field.
    pub fn parse(file: &Path, text: &[u8]) -> Result<Self, ConfigError> {
        let root: Value = serde_json::from_slice(text)
            .map_err(|error| ConfigError::Json { file: file.to_owned(), error })?;
        let nested = root.get("text_config").filter(|inner| inner.get("num_hidden_layers").is_some());
        let fields = Fields { file, of: nested.unwrap_or(&root) };
        let layers = fields.number("num_hidden_layers")?.filter(|&layers| layers > 0);
        let missing = || ConfigError::Missing { file: file.to_owned(), field: "num_hidden_layers" };
        let config = Self {
            num_hidden_layers: layers.ok_or_else(missing)?,
            compress_ratios: fields.list("compress_ratios", "a list of whole numbers", number)?,
            num_hash_layers: fields.number("num_hash_layers")?.unwrap_or_default(),
            kv_lora_rank: fields.number("kv_lora_rank")?.unwrap_or_default(),
            first_k_dense_replace: fields.number("first_k_dense_replace")?.unwrap_or_default(),
            num_nextn_predict_layers: fields.number("num_nextn_predict_layers")?.unwrap_or_default(),
            full_attention_interval: fields.number("full_attention_interval")?.unwrap_or_default(),
            layer_types: fields
                .list("layer_types", "a list of names", |value| value.as_str().map(str::to_owned))?,
        };
        config.check(file)
    }

    fn check(mut self, file: &Path) -> Result<Self, ConfigError> {
        let (layers, next) = (self.num_hidden_layers as usize, self.num_nextn_predict_layers as usize);
        let wrong =
            |field, found, wanted| ConfigError::Length { file: file.to_owned(), field, found, wanted };
        let ratios = self.compress_ratios.len();
        if ratios == layers + next {
            self.compress_ratios.truncate(layers);
        } else if ratios != 0 && ratios != layers {
            let wanted = if next == 0 {
                layers.to_string()
            } else {
                format!("{layers}, or {} with the draft's", layers + next)
            };
            return Err(wrong("compress_ratios", ratios, wanted));
        }
        if !self.layer_types.is_empty() && self.layer_types.len() != layers {
            return Err(wrong("layer_types", self.layer_types.len(), layers.to_string()));
        }
        Ok(self)
    }

    /// The type of each of `found` layers; `None` where that many do not fit.
    pub fn types(&self, found: usize) -> Option<Vec<LayerType>> {
        let (layers, next) = (self.num_hidden_layers as usize, self.num_nextn_predict_layers as usize);
        let fits = found == layers || found == layers + next;
        fits.then(|| (0..found).map(|layer| self.type_of(layer)).collect())
    }

    /// The compression ratio of a layer, if the model has them.
    pub fn compress_ratio(&self, layer: usize) -> Option<u32> {
        self.compress_ratios.get(layer).copied()
    }

    fn type_of(&self, layer: usize) -> LayerType {
        let layers = self.num_hidden_layers as usize;
        if layer >= layers {
            return LayerType::NextN;
        }
        match self.compress_ratio(layer) {
            Some(_) if layer == 0 => LayerType::First,
            Some(_) if layer + 1 == layers => LayerType::Final,
            Some(_) if layer + self.num_hash_layers as usize >= layers => LayerType::Hash,
            Some(0) => LayerType::FullAttention,
            Some(4) => LayerType::C4Light,
            Some(128) => LayerType::C128Heavy,
            Some(ratio) => LayerType::Compressed(ratio),
            None => self.named(layer),
        }
    }

    fn named(&self, layer: usize) -> LayerType {
        let interval = self.full_attention_interval as usize;
        let attention = match self.layer_types.get(layer) {
            Some(name) => Some(name.to_uppercase().replace("ATTENTION", "ATTN").replace([' ', '-'], "_")),
            None if interval > 0 && (layer + 1).is_multiple_of(interval) => Some("FULL_ATTN".into()),
            None if interval > 0 => Some("LINEAR_ATTN".into()),
            None => None,
        };
        let dense = self.first_k_dense_replace as usize;
        let half = (dense > 0).then_some(if layer < dense { "DENSE" } else { "MOE" });
        match (attention.as_deref(), half) {
            (Some("FULL_ATTN"), None) => LayerType::FullAttention,
            (Some(attention), None) => LayerType::Named(attention.into()),
            (None, Some(half)) => LayerType::Named(half.into()),
            (Some(attention), Some(half)) => LayerType::Named(format!("{attention}+{half}")),
            (None, None) => LayerType::Plain,
        }
    }
}

fn number(value: &Value) -> Option<u32> {
    value.as_u64().and_then(|number| u32::try_from(number).ok())
}

struct Fields<'f> {
    file: &'f Path,
    of: &'f Value,
}

impl Fields<'_> {
    fn get(&self, field: &str) -> Option<&Value> {
        self.of.get(field).filter(|value| !value.is_null())
    }

    fn invalid(&self, field: &'static str, wanted: &'static str, value: &Value) -> ConfigError {
        let mut found = value.to_string();
        if let Some((cut, _)) = found.char_indices().nth(60) {
            found.truncate(cut);
            found.push('…');
        }
        ConfigError::Invalid { file: self.file.to_owned(), field, wanted, found }
    }

    fn number(&self, field: &'static str) -> Result<Option<u32>, ConfigError> {
        let of = |value| number(value).ok_or_else(|| self.invalid(field, "a whole number", value));
        self.get(field).map(of).transpose()
    }

    fn list<T>(
        &self,
        field: &'static str,
        wanted: &'static str,
        item: impl Fn(&Value) -> Option<T>,
    ) -> Result<Vec<T>, ConfigError> {
        let Some(value) = self.get(field) else { return Ok(Vec::new()) };
        let items = value.as_array().and_then(|items| items.iter().map(item).collect());
        items.ok_or_else(|| self.invalid(field, wanted, value))
    }
}

#[cfg(test)]
mod tests {
    use super::{ConfigError, ModelConfig};
    use std::path::Path;

    fn parse(text: &str) -> Result<ModelConfig, ConfigError> {
        ModelConfig::parse(Path::new("m/config.json"), text.as_bytes())
    }

    fn types(text: &str) -> Vec<String> {
        let config = parse(text).expect("a configuration");
        let found = config.types(config.num_hidden_layers as usize).expect("types");
        found.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn types_by_compression_and_the_last_layer_is_final_before_it_is_hash() {
        let text = r#"{"num_hidden_layers": 8, "num_hash_layers": 3, "num_nextn_predict_layers": 1,
                       "compress_ratios": [0, 0, 4, 128, 16, 4, 4, 0, 0]}"#;
        assert_eq!(
            types(text),
            ["FIRST", "FULL_ATTN", "C4_LIGHT", "C128_HEAVY", "CR16", "HASH", "HASH", "FINAL"]
        );
        let config = parse(text).expect("a configuration");
        assert_eq!(config.types(9).expect("types")[8].to_string(), "NEXTN");
        assert_eq!(config.types(7), None);
    }

    #[test]
    fn types_of_other_models() {
        let dense =
            r#"{"text_config": {"num_hidden_layers": 3, "first_k_dense_replace": 1, "kv_lora_rank": 512}}"#;
        assert_eq!(types(dense), ["DENSE", "MOE", "MOE"]);
        let hybrid = r#"{"num_hidden_layers": 4, "full_attention_interval": 4}"#;
        assert_eq!(types(hybrid), ["LINEAR_ATTN", "LINEAR_ATTN", "LINEAR_ATTN", "FULL_ATTN"]);
        let listed = r#"{"num_hidden_layers": 2, "layer_types": ["sliding_attention", "full_attention"]}"#;
        assert_eq!(types(listed), ["SLIDING_ATTN", "FULL_ATTN"]);
        assert_eq!(types(r#"{"num_hidden_layers": 2, "compress_ratios": null}"#), ["LAYER", "LAYER"]);
    }

    #[test]
    fn errors_name_the_file_and_the_field() {
        for (text, message) in [
            (
                r#"{"hidden_size": 4}"#,
                "`m/config.json` has no `num_hidden_layers`; give the model's own `config.json`, or the number of layers",
            ),
            (
                r#"{"num_hidden_layers": "4"}"#,
                "`num_hidden_layers` in `m/config.json` must be a whole number, and it is `\"4\"`",
            ),
            (
                r#"{"num_hidden_layers": 4, "num_nextn_predict_layers": 1, "compress_ratios": [1, 2]}"#,
                "`compress_ratios` in `m/config.json` has 2 entries, and `num_hidden_layers` allows 4, or 5 with the draft's",
            ),
            (
                r#"{"num_hidden_layers": 4, "layer_types": ["a", 3]}"#,
                "`layer_types` in `m/config.json` must be a list of names, and it is `[\"a\",3]`",
            ),
        ] {
            assert_eq!(parse(text).expect_err("an error").to_string(), message);
        }
        assert!(parse("{").expect_err("an error").to_string().starts_with("`m/config.json` is no JSON"));
    }
}
