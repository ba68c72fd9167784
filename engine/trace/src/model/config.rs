//! A model's `config.json`: the fields that tell layers apart, and the others for whoever computes with them.
//!
//! What cannot be read or contradicts itself is an error that names the file and the field. A model whose work nobody
//! has formulas for is read all the same: its layers still have types.

use super::fields::{FieldError, Fields};
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
    /// A field is missing, or holds something else.
    #[error("`{file}` is no configuration of a model: {error}")]
    Field {
        /// The file.
        file: PathBuf,
        /// What is wrong.
        error: FieldError,
    },
}

/// A model. Absent numbers are 0, absent lists empty.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ModelConfig {
    /// Layers of the main model.
    pub num_hidden_layers: u32,
    /// Compression of the cache of each layer (DeepSeek-V4): 0 is full attention.
    pub compress_ratios: Vec<u32>,
    /// First layers whose experts are chosen by a hash of the token.
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
    /// Experts of a layer; up to 1 is a dense model.
    pub experts: u32,
    /// Every n-th layer has experts; 0 means every one.
    pub decoder_sparse_step: u32,
    /// Layers without experts.
    pub mlp_only_layers: Vec<u32>,
    /// Layers that are a multiple of it have experts (`moe_layer_freq` as a number); 0 means every one.
    pub moe_layer_freq: u32,
    /// For each layer whether it has experts (`moe_layer_freq` as a list); not 0 means so.
    pub moe_layers: Vec<u32>,
    /// The part that describes the language model, whole.
    part: Value,
    /// `quantization_config`, which may stand beside that part.
    quantisation: Value,
}

/// Spellings of the number of experts.
const EXPERTS: [&str; 3] = ["num_experts", "n_routed_experts", "num_local_experts"];
/// More layers than this are no model.
const MOST_LAYERS: u64 = 10_000;

impl ModelConfig {
    /// Reads a `config.json`.
    ///
    /// # Errors
    /// [`ConfigError`], which names the file and the field.
    pub fn read(file: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read(file).map_err(|error| ConfigError::Io { file: file.to_owned(), error })?;
        Self::parse(file, &text)
    }

    /// Reads the text of a `config.json`; `file` is its name in messages.
    ///
    /// # Errors
    /// [`ConfigError`], which names the file and the field.
    pub fn parse(file: &Path, text: &[u8]) -> Result<Self, ConfigError> {
        let root: Value = serde_json::from_slice(text)
            .map_err(|error| ConfigError::Json { file: file.to_owned(), error })?;
        Self::from_value(&root).map_err(|error| ConfigError::Field { file: file.to_owned(), error })
    }

    /// Takes a configuration. Models of several kinds of input keep the fields under `text_config`.
    ///
    /// # Errors
    /// [`FieldError`], which names the field.
    pub fn from_value(root: &Value) -> Result<Self, FieldError> {
        if !root.is_object() {
            return Err(FieldError::NoObject);
        }
        let part = root.get("text_config").filter(|inner| inner.get("num_hidden_layers").is_some());
        let part = part.unwrap_or(root);
        let fields = Fields(part);
        // Sizes are at most 2^24.
        let number = |name: &'static str| Ok::<_, FieldError>(fields.or(&[name], 0)? as u32);
        let frequencies = fields.is_list("moe_layer_freq");
        let quantisation = root.get("quantization_config").or(part.get("quantization_config"));
        let config = Self {
            num_hidden_layers: layers(&fields)?,
            compress_ratios: fields.numbers("compress_ratios")?,
            num_hash_layers: number("num_hash_layers")?,
            kv_lora_rank: number("kv_lora_rank")?,
            first_k_dense_replace: number("first_k_dense_replace")?,
            num_nextn_predict_layers: number("num_nextn_predict_layers")?,
            full_attention_interval: number("full_attention_interval")?,
            layer_types: fields.names("layer_types")?,
            experts: fields.or(&EXPERTS, 0)? as u32,
            decoder_sparse_step: number("decoder_sparse_step")?,
            mlp_only_layers: fields.numbers("mlp_only_layers")?,
            moe_layer_freq: if frequencies { 0 } else { number("moe_layer_freq")? },
            moe_layers: if frequencies { fields.numbers("moe_layer_freq")? } else { Vec::new() },
            part: part.clone(),
            quantisation: quantisation.cloned().unwrap_or_default(),
        };
        config.check()
    }

    /// Lists have an entry for each layer, or one for each layer of the draft too, which is dropped.
    fn check(mut self) -> Result<Self, FieldError> {
        let (layers, next) = (self.num_hidden_layers as usize, self.num_nextn_predict_layers as usize);
        let fits = |field, found: usize| {
            if found == 0 || found == layers || found == layers + next {
                return Ok(());
            }
            let wanted = match next {
                0 => layers.to_string(),
                _ => format!("{layers}, or {} with the draft's", layers + next),
            };
            Err(FieldError::Length { field, found, wanted })
        };
        fits("compress_ratios", self.compress_ratios.len())?;
        fits("layer_types", self.layer_types.len())?;
        self.compress_ratios.truncate(layers);
        self.layer_types.truncate(layers);
        Ok(self)
    }

    /// The compression ratio of a layer, if the model has them.
    pub fn compress_ratio(&self, layer: usize) -> Option<u32> {
        self.compress_ratios.get(layer).copied()
    }

    /// All fields of the language model.
    pub fn fields(&self) -> Fields<'_> {
        Fields(&self.part)
    }

    /// The method of quantisation of the weights, such as `fp8`.
    pub fn quantisation(&self) -> Option<String> {
        Fields(&self.quantisation).text("quant_method")
    }
}

fn layers(fields: &Fields<'_>) -> Result<u32, FieldError> {
    const FIELD: &str = "num_hidden_layers";
    let layers = fields.needed(&[FIELD])?;
    if layers > MOST_LAYERS {
        let found = layers.to_string();
        return Err(FieldError::Invalid { field: FIELD, wanted: "at most 10000", found });
    }
    Ok(layers as u32)
}

#[cfg(test)]
mod tests {
    use super::{ConfigError, ModelConfig};
    use std::path::Path;

    fn parse(text: &str) -> Result<ModelConfig, ConfigError> {
        ModelConfig::parse(Path::new("m/config.json"), text.as_bytes())
    }

    #[test]
    fn errors_name_the_file_and_the_field() {
        for (text, message) in [
            ("[]", "it is no JSON object"),
            (r#"{"hidden_size": 4}"#, "there is no `num_hidden_layers`"),
            (r#"{"num_hidden_layers": 0}"#, "`num_hidden_layers` must be above 0, and it is `0`"),
            (
                r#"{"num_hidden_layers": 10001}"#,
                "`num_hidden_layers` must be at most 10000, and it is `10001`",
            ),
            (
                r#"{"num_hidden_layers": "4"}"#,
                "`num_hidden_layers` must be a whole number up to 2^24, and it is `\"4\"`",
            ),
            (
                r#"{"num_hidden_layers": 4, "num_nextn_predict_layers": 1, "compress_ratios": [1, 2]}"#,
                "`compress_ratios` has 2 entries, and `num_hidden_layers` allows 4, or 5 with the draft's",
            ),
            (
                r#"{"num_hidden_layers": 4, "layer_types": ["a", 3]}"#,
                "`layer_types` must be a list of names, and it is `[\"a\",3]`",
            ),
        ] {
            let wanted = format!("`m/config.json` is no configuration of a model: {message}");
            assert_eq!(parse(text).expect_err("an error").to_string(), wanted);
        }
        assert!(parse("{").expect_err("an error").to_string().starts_with("`m/config.json` is no JSON"));
    }

    #[test]
    fn entries_of_the_draft_are_dropped() {
        let text = r#"{"num_hidden_layers": 1, "num_nextn_predict_layers": 1, "compress_ratios": [4, 0]}"#;
        assert_eq!(parse(text).expect("a configuration").compress_ratios, [4]);
    }
}
